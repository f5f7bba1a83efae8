/* SPDX-License-Identifier: ISC */
/*
 * Opening files, asking about them, their length and room, making them durable.
 */
#include "low_level.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than liburing 2.3's header. */
enum { OP_FTRUNCATE = 55, BENEATH = 0x08 | 0x02 };

static struct ll_fd file, dir;
static char path[64];

/* Finding */

static int open_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, EIO_CWD, ".", O_PATH | O_DIRECTORY, 0, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int raw_open_close(void)
{
	int fd = raw_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY);

	return fd < 0 ? fd : raw_close(fd);
}

static int openat2_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_openat2(NULL, dir.fd, ".", O_PATH | O_DIRECTORY, 0, BENEATH, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int raw_openat2_close(void)
{
	int fd = raw_open(dir.unix_fd, ".", O_PATH | O_DIRECTORY);

	return fd < 0 ? fd : raw_close(fd);
}

static int statx_(void)
{
	struct statx st;

	return eio_ll_statx(EIO_FS, path, true, STATX_BASIC_STATS, &st);
}

static int raw_statx(void)
{
	struct statx st;

	io_uring_prep_statx(raw(), AT_FDCWD, path, 0, STATX_BASIC_STATS, &st);
	return raw_wait();
}

/* Confined: the place is opened, asked and closed. */
static int statx_beneath(void)
{
	struct statx st;

	return eio_ll_statx(dir.fd, ".", true, STATX_BASIC_STATS, &st);
}

static int raw_statx_beneath(void)
{
	int rc, fd = raw_open(dir.unix_fd, ".", O_PATH);
	struct statx st;

	if (fd < 0)
		return fd;
	rc = by_errno(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st));
	close(fd);
	return rc;
}

static int fstat_(void)
{
	struct statx st;

	return eio_ll_fstat(file.fd, &st);
}

static int raw_fstat(void)
{
	struct statx st;

	return by_errno(
		statx(file.unix_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st));
}

/* Position, length, room */

static int lseek_(void)
{
	return eio_ll_lseek(file.fd, 0, SEEK_END, NULL);
}

static int raw_lseek(void)
{
	return by_errno(lseek(file.unix_fd, 0, SEEK_END));
}

static int ftruncate_(void)
{
	int rc = eio_ll_ftruncate(file.fd, LL_BUF / 2);

	return rc < 0 ? rc : eio_ll_ftruncate(file.fd, LL_BUF);
}

static int truncate_to(uint64_t length)
{
	io_uring_prep_rw(OP_FTRUNCATE, raw(), file.unix_fd, NULL, 0, length);
	return raw_wait();
}

static int raw_ftruncate(void)
{
	int rc = truncate_to(LL_BUF / 2);

	return rc < 0 ? rc : truncate_to(LL_BUF);
}

static int fallocate_(void)
{
	return eio_ll_fallocate(file.fd, FALLOC_FL_KEEP_SIZE, 0, LL_BUF);
}

static int raw_fallocate(void)
{
	io_uring_prep_fallocate(raw(), file.unix_fd, FALLOC_FL_KEEP_SIZE, 0, LL_BUF);
	return raw_wait();
}

static int fadvise_(void)
{
	return eio_ll_fadvise(file.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static int raw_fadvise(void)
{
	io_uring_prep_fadvise(raw(), file.unix_fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return raw_wait();
}

/* Stable storage, of what is there already */

static int sync_range(void)
{
	return eio_ll_sync_file_range(file.fd, 0, LL_BUF, SYNC_FILE_RANGE_WAIT_BEFORE);
}

static int raw_sync_range(void)
{
	io_uring_prep_sync_file_range(raw(), file.unix_fd, LL_BUF, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
	return raw_wait();
}

static int fsync_(void)
{
	return eio_ll_fsync(file.fd);
}

static int raw_fsync(void)
{
	io_uring_prep_fsync(raw(), file.unix_fd, 0);
	return raw_wait();
}

static int fdatasync_(void)
{
	return eio_ll_fdatasync(file.fd);
}

static int raw_fdatasync(void)
{
	io_uring_prep_fsync(raw(), file.unix_fd, IORING_FSYNC_DATASYNC);
	return raw_wait();
}

static void set_up(void)
{
	dir = ll_track(open(ll_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC));
	file = ll_track(open(ll_dir(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
	if (pwrite(file.unix_fd, ll_buf, LL_BUF, 0) != LL_BUF || fsync(file.unix_fd) < 0)
		bench_fail("a file: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file.unix_fd);
}

static const struct ll_call calls[] = {
	{"openat_close", open_close, raw_open_close, 2, LL_QUICK},
	{"openat2_close", openat2_close, raw_openat2_close, 2, LL_QUICK},
	{"statx", statx_, raw_statx, 1, LL_SLOW},
	{"statx_beneath", statx_beneath, raw_statx_beneath, 1, LL_QUICK},
	{"fstat", fstat_, raw_fstat, 1, LL_QUICK},
	{"lseek", lseek_, raw_lseek, 1, LL_QUICK},
	{"ftruncate", ftruncate_, raw_ftruncate, 2, LL_SLOW},
	{"fallocate", fallocate_, raw_fallocate, 1, LL_SLOW},
	{"fadvise", fadvise_, raw_fadvise, 1, LL_QUICK},
	{"sync_file_range", sync_range, raw_sync_range, 1, LL_SLOW},
	{"fsync", fsync_, raw_fsync, 1, LL_SLOW},
	{"fdatasync", fdatasync_, raw_fdatasync, 1, LL_SLOW},
};

const struct ll_area ll_files = {set_up, NULL, calls, BENCH_LEN(calls)};
