/* SPDX-License-Identifier: ISC */
/*
 * Opening files, asking about them, making them durable.
 *
 * A directory is a handle, EIO_CWD or EIO_FS. Beneath the first two the kernel resolves
 * with RESOLVE_BENEATH. There is no such flag for statx, so a confined path is opened as
 * a place first (O_PATH) and the place is asked.
 */
#include "uring/call.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From <linux/openat2.h>, which older kernel headers lack. */
struct open_how_arg {
	uint64_t flags, mode, resolve;
};
#define BENEATH_FLAGS ((uint64_t) 0x08 | 0x02) /* RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS */
#define CACHED_FLAG   ((uint64_t) 0x20)        /* RESOLVE_CACHED: EAGAIN is an answer */

enum { OPEN_TRIES = 1000 };

static bool is_place(struct eio_fd dir, struct eio_fd place)
{
	return dir.slot == place.slot && dir.generation == place.generation;
}

/* An entry for an operation relative to a directory; *ret_at is its descriptor. */
static struct io_uring_sqe *begin_at(struct eio__call *c, struct eio_fd dir, int *ret_at)
{
	struct io_uring_sqe *sqe;

	if (is_place(dir, EIO_CWD) || is_place(dir, EIO_FS)) {
		*ret_at = AT_FDCWD;
		return eio__begin_bare(c);
	}
	sqe = eio__begin(c, dir);
	*ret_at = c->unix_fd;
	return sqe;
}

static uint64_t confinement(struct eio_fd dir)
{
	return is_place(dir, EIO_FS) ? 0 : BENEATH_FLAGS;
}

/* The descriptor's number, the caller's. Renames next to it make the kernel give up with
 * EAGAIN, as does a lease on the file: only the former is over soon. */
static int open_unix(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how_arg how = {
		.flags = (uint64_t) (unsigned) (flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode & 07777 : 0,
		.resolve = resolve,
	};
	int tries = resolve & CACHED_FLAG ? 1 : OPEN_TRIES, at;
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		do {
			sqe = begin_at(&c, dir, &at);
			if (sqe)
				io_uring_prep_openat2(sqe, at, path, (struct open_how *) &how);
		} while (eio__finish(&c, sqe, 0));
	} while (c.res == -EAGAIN && --tries);
	return c.res;
}

int eio_ll_openat2(struct eio_switch *sw, struct eio_fd dir, const char *path, int flags,
		   mode_t mode, uint64_t resolve, struct eio_fd *ret)
{
	int rc = eio__switch_ok(sw);

	if (rc == 0)
		rc = open_unix(dir, path, flags, mode, resolve);
	if (rc < 0)
		return eio__fail(rc, "openat2", path);
	return eio_fd_of_unix(sw, rc, EIO_FD_CLOSE, ret);
}

int eio_ll_openat(struct eio_switch *sw, struct eio_fd dir, const char *path, int flags,
		  mode_t mode, struct eio_fd *ret)
{
	return eio_ll_openat2(sw, dir, path, flags, mode, confinement(dir), ret);
}

/* An open descriptor is asked directly: by the ring it would take a worker thread. Older
 * C libraries have no function for it. */
static int ask(int unix_fd, unsigned mask, struct statx *ret)
{
	long rc = syscall(SYS_statx, unix_fd, "", AT_EMPTY_PATH, mask, ret);

	return rc < 0 ? -errno : 0;
}

static int ask_handle(struct eio_fd fd, unsigned mask, struct statx *ret)
{
	int rc = eio_check(), unix_fd;

	if (rc < 0)
		return rc;
	unix_fd = eio__fd_use(fd);
	if (unix_fd < 0)
		return unix_fd;
	rc = ask(unix_fd, mask, ret);
	eio__fd_unuse(fd);
	return rc;
}

static int ask_confined(struct eio_fd dir, const char *path, bool follow, unsigned mask,
			struct statx *ret)
{
	int flags = O_PATH | (follow ? 0 : O_NOFOLLOW), rc;
	int unix_fd = open_unix(dir, path, flags, 0, confinement(dir));

	if (unix_fd < 0)
		return unix_fd;
	rc = ask(unix_fd, mask, ret);
	close(unix_fd);
	return rc;
}

static int ask_anywhere(const char *path, bool follow, unsigned mask, struct statx *ret)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			io_uring_prep_statx(sqe, AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW,
					    mask, ret);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

int eio_ll_statx(struct eio_fd dir, const char *path, bool follow, unsigned mask, struct statx *ret)
{
	bool place = is_place(dir, EIO_CWD) || is_place(dir, EIO_FS);
	int rc;

	if (!path || !*path)
		rc = place ? ask_anywhere(".", true, mask, ret) : ask_handle(dir, mask, ret);
	else if (is_place(dir, EIO_FS))
		rc = ask_anywhere(path, follow, mask, ret);
	else
		rc = ask_confined(dir, path, follow, mask, ret);
	return eio__fail(rc, "statx", path);
}

int eio_ll_fstat(struct eio_fd fd, struct statx *ret)
{
	return eio__fail(ask_handle(fd, STATX_BASIC_STATS | STATX_BTIME, ret), "fstat", NULL);
}

static int sync_file(struct eio_fd fd, unsigned flags)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_fsync(sqe, c.unix_fd, flags);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

int eio_ll_fsync(struct eio_fd fd)
{
	return eio__fail(sync_file(fd, 0), "fsync", NULL);
}

int eio_ll_fdatasync(struct eio_fd fd)
{
	return eio__fail(sync_file(fd, IORING_FSYNC_DATASYNC), "fdatasync", NULL);
}
