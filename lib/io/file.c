/* SPDX-License-Identifier: ISC */
/*
 * The calls on open files, and what is known of files.
 */
#include "core/error.h"
#include "io/flow.h"
#include "io/fs.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

/* What is known of files */

enum eio_file_kind eio__kind_of_mode(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EIO_KIND_REGULAR;
	case S_IFDIR:
		return EIO_KIND_DIRECTORY;
	case S_IFLNK:
		return EIO_KIND_SYMLINK;
	case S_IFIFO:
		return EIO_KIND_FIFO;
	case S_IFCHR:
		return EIO_KIND_CHAR_DEVICE;
	case S_IFBLK:
		return EIO_KIND_BLOCK_DEVICE;
	case S_IFSOCK:
		return EIO_KIND_SOCKET;
	}
	return EIO_KIND_UNKNOWN;
}

/* The years 1678 to 2262; what lies outside is the nearest of them. */
static int64_t time_ns(struct statx_timestamp t)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t) t.tv_sec, EIO_SEC(1), &ns) ||
	    __builtin_add_overflow(ns, (int64_t) t.tv_nsec, &ns))
		return t.tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

void eio__stat_of(const struct statx *stx, struct eio_stat *ret)
{
	*ret = (struct eio_stat){
		.kind = eio__kind_of_mode(stx->stx_mode),
		.mode = stx->stx_mode & 07777,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.nlink = stx->stx_nlink,
		.blksize = stx->stx_blksize,
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime_ns = time_ns(stx->stx_atime),
		.mtime_ns = time_ns(stx->stx_mtime),
		.ctime_ns = time_ns(stx->stx_ctime),
		.btime_ns = stx->stx_mask & STATX_BTIME ? time_ns(stx->stx_btime) : 0,
	};
}

/* The calls */

static int enter_file(struct eio_flow f, const char *op, struct eio_fd *ret)
{
	int rc = eio_check();

	if (rc == 0)
		rc = eio_flow_fd(f, ret);
	return eio__fail(rc, op, NULL);
}

/* At an offset: EIO_CURRENT is none here. On what has no position the ring would read
 * and write as if there were none given. */
static int enter_at(struct eio_flow f, const char *op, int64_t off, struct eio_fd *ret)
{
	int rc = enter_file(f, op, ret);

	if (rc < 0)
		return rc;
	if (off < 0)
		return eio__fail(-EINVAL, op, NULL);
	rc = eio_fd_is_seekable(*ret);
	return rc > 0 ? 0 : eio__fail(rc < 0 ? rc : -ESPIPE, op, NULL);
}

int eio_file_stat(struct eio_flow f, struct eio_stat *ret)
{
	struct statx stx;
	struct eio_fd fd;
	int rc = enter_file(f, "fstat", &fd);

	if (rc == 0)
		rc = eio_ll_fstat(fd, &stx);
	if (rc < 0)
		return rc;
	eio__stat_of(&stx, ret);
	return 0;
}

int eio_file_size(struct eio_flow f, uint64_t *ret)
{
	struct eio_stat st;
	int rc = eio_file_stat(f, &st);

	if (rc == 0)
		*ret = st.size;
	return rc;
}

/* At an offset */

ssize_t eio_file_pread(struct eio_flow f, void *buf, size_t len, int64_t off)
{
	struct eio_fd fd;
	int rc = enter_at(f, "pread", off, &fd);

	if (rc < 0 || len == 0)
		return rc;
	return eio__flow_pread(f, fd, buf, len < EIO__COUNT_MAX ? len : EIO__COUNT_MAX, off);
}

int eio_file_pread_exact(struct eio_flow f, void *buf, size_t len, int64_t off)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = eio_file_pread(f, (char *) buf + done, len - done, off + (int64_t) done);
		if (n < 0 || (n == 0 && len > 0))
			return eio__fail_done(n < 0 ? (int) n : EIO_EOF, "pread", done);
		done += (size_t) n;
	} while (done < len);
	return 0;
}

ssize_t eio_file_preadv(struct eio_flow f, const struct iovec *iov, int n, int64_t off)
{
	struct eio_fd fd;
	int rc = enter_at(f, "pread", off, &fd);

	if (rc < 0)
		return rc;
	return n < 0 ? eio__fail(-EINVAL, "pread", NULL) : eio_ll_readv(fd, iov, n, off);
}

int eio_file_pwrite_all(struct eio_flow f, const void *buf, size_t len, int64_t off)
{
	struct eio_fd fd;
	int rc = enter_at(f, "pwrite", off, &fd);

	if (rc < 0)
		return eio__fail_done(rc, "pwrite", 0);
	return len ? eio_ll_write_all(fd, buf, len, off) : 0;
}

ssize_t eio_file_pwrite_some(struct eio_flow f, const void *buf, size_t len, int64_t off)
{
	struct iovec iov = {(void *) buf, len < EIO__COUNT_MAX ? len : EIO__COUNT_MAX};
	struct eio_fd fd;
	ssize_t n = enter_at(f, "pwrite", off, &fd);

	if (n < 0 || len == 0)
		return n;
	n = eio_ll_writev_single(fd, &iov, 1, off);
	return n != 0 ? n : eio__fail(-EIO, "pwrite", NULL);
}

int eio_file_pwritev(struct eio_flow f, const struct iovec *iov, int n, int64_t off)
{
	struct eio_fd fd;
	int rc = enter_at(f, "pwrite", off, &fd);

	if (rc == 0 && n < 0)
		rc = eio__fail(-EINVAL, "pwrite", NULL);
	return rc < 0 ? eio__fail_done(rc, "pwrite", 0) : eio_ll_writev(fd, iov, n, off);
}

/* Position and room */

int eio_file_seek(struct eio_flow f, int64_t off, int whence, int64_t *ret_pos)
{
	struct eio_fd fd;
	int rc = enter_file(f, "lseek", &fd);

	return rc < 0 ? rc : eio_ll_lseek(fd, off, whence, ret_pos);
}

int eio_file_truncate(struct eio_flow f, int64_t len)
{
	struct eio_fd fd;
	int rc = enter_at(f, "ftruncate", len, &fd);

	return rc < 0 ? rc : eio_ll_ftruncate(fd, len);
}

int eio_file_allocate(struct eio_flow f, int mode, int64_t off, int64_t len)
{
	struct eio_fd fd;
	int rc = enter_at(f, "fallocate", off, &fd);

	return rc < 0 ? rc : eio_ll_fallocate(fd, mode, off, len);
}

int eio_file_advise(struct eio_flow f, int64_t off, int64_t len, int advice)
{
	struct eio_fd fd;
	int rc = enter_at(f, "fadvise", off, &fd);

	return rc < 0 ? rc : eio_ll_fadvise(fd, off, len, advice);
}

/* Disks */

int eio_file_sync(struct eio_flow f)
{
	struct eio_fd fd;
	int rc = enter_file(f, "fsync", &fd);

	return rc < 0 ? rc : eio_ll_fsync(fd);
}

int eio_file_datasync(struct eio_flow f)
{
	struct eio_fd fd;
	int rc = enter_file(f, "fdatasync", &fd);

	return rc < 0 ? rc : eio_ll_fdatasync(fd);
}

/* A read that was told not to wait would wait for the disk without a page cache, so the flow
 * becomes one that is read by the ring alone. To a pipe the flag means something else. */
int eio_file_direct(struct eio_flow *f, bool on)
{
	struct eio_fd handle;
	int rc = enter_at(*f, "O_DIRECT", 0, &handle), fd;

	if (rc < 0)
		return rc;
	fd = eio_fd_use(handle);
	rc = fd < 0 ? fd : eio__set_file_flag(fd, O_DIRECT, on);
	if (fd >= 0)
		eio_fd_unuse(handle);
	if (rc == 0 && eio__flow_is_file(*f))
		*f = eio__flow_file(handle);
	return eio__fail(rc, "O_DIRECT", NULL);
}
