/* SPDX-License-Identifier: ISC */
/*
 * Directories as capabilities.
 *
 * A directory of the kernel is a handle: a tracked descriptor, or one of the two that
 * stand for the working directory, confined (EIO_CWD) and not (EIO_FS). The low level
 * resolves beneath all but the last one, so there is one table for all three.
 */
#include "core/error.h"
#include "io/env.h"
#include "io/flow.h"
#include "io/fs.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The kernel's directories */

/* The kind of a file that was opened with O_NONBLOCK, which is turned off again: it is
 * good for opening only. Neither call waits for a disk. */
static int settle(struct eio_fd handle, mode_t *ret_mode)
{
	struct stat st;
	int fd = eio_fd_use(handle), rc;

	if (fd < 0)
		return eio__fail(fd, "fstat", NULL);
	rc = fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, 0) < 0 ? -errno : 0;
	eio_fd_unuse(handle);
	*ret_mode = st.st_mode;
	return eio__fail(rc, "fstat", NULL);
}

/* O_NONBLOCK, because a FIFO would wait for a writer here. */
static int open_in(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_flow *ret)
{
	struct eio_fd fd;
	mode_t mode;
	int rc = eio_ll_openat(sw, d.u.fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd);

	if (rc < 0)
		return rc;
	rc = settle(fd, &mode);
	if (rc < 0) {
		eio_fd_close(fd);
		return rc;
	}
	if (S_ISREG(mode))
		*ret = eio__flow_regular(fd);
	else
		*ret = S_ISFIFO(mode) ? eio__flow_fifo(fd) : eio__flow_file(fd);
	return 0;
}

/* Opening a FIFO for both directions does not wait either. */
static int open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
		    const struct eio_create *opts, struct eio_flow *ret)
{
	static const int flags_of[] = {
		[EIO_CREATE_DEFAULT] = O_CREAT,
		[EIO_CREATE_NEVER] = 0,
		[EIO_CREATE_IF_MISSING] = O_CREAT,
		[EIO_CREATE_OR_TRUNCATE] = O_CREAT | O_TRUNC,
		[EIO_CREATE_EXCLUSIVE] = O_CREAT | O_EXCL,
	};
	struct eio_fd fd;
	mode_t mode;
	int flags, rc;

	if ((unsigned) opts->how >= sizeof(flags_of) / sizeof(*flags_of) || opts->mode & ~07777u)
		return eio__fail(-EINVAL, "open", path);
	flags = O_RDWR | O_NOCTTY | flags_of[opts->how] | (opts->append ? O_APPEND : 0);
	mode = flags & O_CREAT ? (opts->mode ? opts->mode : 0666) : 0;
	rc = eio_ll_openat(sw, d.u.fd, path, flags, mode, &fd);
	if (rc < 0)
		return rc;
	*ret = eio__flow_file(fd);
	return 0;
}

/* O_PATH: the right to what is below needs no right to list it. */
static int open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_dir *ret)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(sw, d.u.fd, path, O_PATH | O_DIRECTORY, 0, &fd);

	if (rc < 0)
		return rc;
	*ret = eio_dir_of_fd(fd);
	return 0;
}

/* To the low level an empty path is the directory itself; here it is no path. */
static int stat_path(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	struct statx stx;
	int rc;

	if (!*path)
		return eio__fail(-ENOENT, "statx", path);
	rc = eio_ll_statx(d.u.fd, path, follow, STATX_BASIC_STATS | STATX_BTIME, &stx);
	if (rc < 0)
		return rc;
	eio__stat_of(&stx, ret);
	return 0;
}

static const struct eio_dir_ops dir_ops = {
	.name = "directory",
	.open_in = open_in,
	.open_out = open_out,
	.open_dir = open_dir,
	.stat = stat_path,
	.iter_begin = eio__listing_begin,
	.iter_next = eio__listing_next,
	.iter_end = eio__listing_end,
};

struct eio_dir eio_dir_of_fd(struct eio_fd fd)
{
	return (struct eio_dir){.ops = &dir_ops, .u.fd = fd};
}

struct eio_dir eio__dir_cwd(void)
{
	return eio_dir_of_fd(EIO_CWD);
}

struct eio_dir eio__dir_fs(void)
{
	return eio_dir_of_fd(EIO_FS);
}

/* The two that stand for the working directory are in no slot. */
int eio_dir_fd(struct eio_dir d, struct eio_fd *ret)
{
	if (!d.ops)
		return eio__fail(-EBADF, "descriptor", NULL);
	if (d.ops != &dir_ops || d.u.fd.slot == EIO_CWD.slot)
		return -ENOTSUP;
	*ret = d.u.fd;
	return 0;
}

int eio_dir_close(struct eio_dir d)
{
	struct eio_fd fd;

	return eio_dir_fd(d, &fd) < 0 ? eio__fail(-EBADF, "close", NULL) : eio_fd_close(fd);
}

/* The calls on directories */

static int enter(struct eio_dir d, const char *path, const char *op)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!d.ops)
		return eio__fail(-EBADF, op, path);
	return path ? 0 : eio__fail(-EINVAL, op, NULL);
}

int eio_fs_open_in(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_flow *ret)
{
	int rc = enter(d, path, "open");

	if (rc < 0)
		return rc;
	if (!d.ops->open_in)
		return eio__fail(-EOPNOTSUPP, "open", path);
	return d.ops->open_in(d, sw, path, ret);
}

int eio_fs_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
		    const struct eio_create *opts, struct eio_flow *ret)
{
	static const struct eio_create none;
	int rc = enter(d, path, "open");

	if (rc < 0)
		return rc;
	if (!d.ops->open_out)
		return eio__fail(-EOPNOTSUPP, "open", path);
	return d.ops->open_out(d, sw, path, opts ? opts : &none, ret);
}

int eio_fs_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_dir *ret)
{
	int rc = enter(d, path, "open");

	if (rc < 0)
		return rc;
	if (!d.ops->open_dir)
		return eio__fail(-EOPNOTSUPP, "open", path);
	return d.ops->open_dir(d, sw, path, ret);
}

int eio_fs_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	int rc = enter(d, path, "stat");

	if (rc < 0)
		return rc;
	if (!d.ops->stat)
		return eio__fail(-EOPNOTSUPP, "stat", path);
	return d.ops->stat(d, path, follow, ret);
}
