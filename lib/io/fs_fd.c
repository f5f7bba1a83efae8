/* SPDX-License-Identifier: ISC */
/*
 * The kernel's directories.
 *
 * One is a handle: a tracked descriptor, or one of the two that
 * stand for the working directory, confined (EIO_CWD) and not (EIO_FS). The low level
 * resolves beneath all but the last one, so there is one table for all three.
 */
#include "base/known.h"
#include "core/error.h"
#include "io/env.h"
#include "io/flow.h"
#include "io/fs.h"

#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opening */

/* The kind of a file that was opened with O_NONBLOCK, which is turned off again: it is
 * good for opening only. Neither call waits. */
static int settle(struct eio_fd handle, mode_t *ret_mode)
{
	int fd = eio_fd_use(handle), rc;
	struct statx stx;

	if (fd < 0)
		return eio__fail(fd, "statx", NULL);
	rc = eio__known(fd, STATX_TYPE, &stx);
	if (rc == 0 && fcntl(fd, F_SETFL, 0) < 0)
		rc = -errno;
	eio_fd_unuse(handle);
	*ret_mode = stx.stx_mode;
	return eio__fail(rc, "statx", NULL);
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

static bool is_anywhere(struct eio_fd dir)
{
	return dir.slot == EIO_FS.slot && dir.generation == EIO_FS.generation;
}

/* The low level's confinement, and no way through a mount point. */
static uint64_t within_one_mount(struct eio_fd dir)
{
	return RESOLVE_NO_XDEV | (is_anywhere(dir) ? 0 : RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

/* O_PATH: the right to what is below needs no right to list it. */
static int open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
		    struct eio_dir *ret)
{
	int how = O_PATH | O_DIRECTORY | (flags & EIO_DIR_NO_FOLLOW ? O_NOFOLLOW : 0);
	struct eio_fd fd;
	int rc;

	if (flags & EIO_DIR_NO_MOUNT)
		rc = eio_ll_openat2(sw, d.u.fd, path, how, 0, within_one_mount(d.u.fd), &fd);
	else
		rc = eio_ll_openat(sw, d.u.fd, path, how, 0, &fd);
	if (rc < 0)
		return rc;
	*ret = eio_dir_of_fd(fd);
	return 0;
}

/* The two that stand for the working directory are in no slot. */
static int dir_fd(struct eio_dir d, struct eio_fd *ret)
{
	if (d.u.fd.slot == EIO_CWD.slot)
		return -ENOTSUP;
	*ret = d.u.fd;
	return 0;
}

static int close_dir(struct eio_dir d)
{
	struct eio_fd fd;

	return dir_fd(d, &fd) < 0 ? eio__fail(-EBADF, "close", NULL) : eio_fd_close(fd);
}

/* Names, and what is known of files */

static int stat_path(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	struct statx stx;
	int rc = eio_ll_statx(d.u.fd, path, follow, STATX_BASIC_STATS | STATX_BTIME, &stx);

	if (rc < 0)
		return rc;
	eio__stat_of(&stx, ret);
	return 0;
}

static int make_dir(struct eio_dir d, const char *path, uint32_t mode)
{
	return eio_ll_mkdir(d.u.fd, path, mode);
}

static int remove_name(struct eio_dir d, const char *path, bool rmdir)
{
	return eio_ll_unlink(d.u.fd, path, rmdir);
}

static int rename_to(struct eio_dir d, const char *old_path, struct eio_dir d2,
		     const char *new_path)
{
	return eio_ll_rename(d.u.fd, old_path, d2.u.fd, new_path, 0);
}

static int link_to(struct eio_dir d, const char *old_path, struct eio_dir d2, const char *new_path)
{
	return eio_ll_link(d.u.fd, old_path, d2.u.fd, new_path);
}

static int make_symlink(struct eio_dir d, const char *path, const char *target)
{
	return eio_ll_symlink(d.u.fd, path, target);
}

/* What fills the buffer may have been cut. */
static ssize_t read_link(struct eio_dir d, const char *path, char *buf, size_t size)
{
	ssize_t n = eio_ll_read_link(d.u.fd, path, buf, size);

	if (n < 0)
		return n;
	if ((size_t) n >= size)
		return eio__fail(-ERANGE, "readlink", path);
	buf[n] = '\0';
	return n;
}

static int change_mode(struct eio_dir d, const char *path, bool follow, uint32_t mode)
{
	return eio_ll_chmod(d.u.fd, path, follow, mode);
}

static int change_owner(struct eio_dir d, const char *path, bool follow, uint32_t uid, uint32_t gid)
{
	return eio_ll_chown(d.u.fd, path, follow, uid, gid);
}

/* A handle opened with O_PATH cannot be synced. */
static int sync_dir(struct eio_dir d)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, d.u.fd, ".", O_RDONLY | O_DIRECTORY, 0, &fd);

	if (rc < 0)
		return rc;
	rc = eio_ll_fsync(fd);
	eio_fd_close(fd);
	return rc;
}

/* Paths of the system */

/* Where a directory is now: its length in the buffer, without a NUL. /proc answers at once. */
static ssize_t place_of(struct eio_fd dir, char *buf, size_t size)
{
	int fd = eio_fd_use(dir);
	struct statx stx;
	char link[32];
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, size);
	if (n < 0)
		n = errno == ENOENT ? -ENOSYS : -errno;
	else if (eio__known(fd, STATX_NLINK, &stx) == 0 && stx.stx_nlink == 0)
		n = -ENOENT;
	eio_fd_unuse(dir);
	return n;
}

static ssize_t join(struct eio_dir d, const char *path, char *buf, size_t size)
{
	size_t len = strlen(path), at = 0;
	struct eio_fd fd;

	if (*path == '/' && !is_anywhere(d.u.fd))
		return -EXDEV;
	if (size > 0 && dir_fd(d, &fd) == 0) {
		ssize_t n = place_of(fd, buf, size);

		if (n < 0)
			return n;
		at = (size_t) n;
		if (at < size && buf[at - 1] != '/')
			buf[at++] = '/';
	}
	if (size - at <= len)
		return -ERANGE;
	memcpy(buf + at, path, len + 1);
	return (ssize_t) (at + len);
}

/* Paths beneath the working directory start there for the system too. */
static ssize_t native(struct eio_dir d, const char *path, char *buf, size_t size)
{
	ssize_t n = join(d, path, buf, size);

	return n < 0 ? eio__fail((int) n, "native", path) : n;
}

static const struct eio_dir_ops dir_ops = {
	.name = "directory",
	.open_in = open_in,
	.open_out = open_out,
	.open_dir = open_dir,
	.close = close_dir,
	.fd = dir_fd,
	.stat = stat_path,
	.iter_begin = eio__listing_begin,
	.iter_next = eio__listing_next,
	.iter_end = eio__listing_end,
	.mkdir = make_dir,
	.unlink = remove_name,
	.rename = rename_to,
	.link = link_to,
	.symlink = make_symlink,
	.read_link = read_link,
	.chmod = change_mode,
	.chown = change_owner,
	.sync = sync_dir,
	.native = native,
};

struct eio_dir eio_dir_of_fd(struct eio_fd fd)
{
	return (struct eio_dir){.ops = &dir_ops, .u.fd = fd};
}

int eio__fs_chmod_made(struct eio_dir d, const char *path, struct eio_flow f, uint32_t mode)
{
	struct eio_fd fd;

	if (d.ops == &dir_ops && eio_flow_fd(f, &fd) == 0)
		return eio_ll_chmod(fd, NULL, false, mode);
	return eio_fs_chmod(d, path, false, mode);
}

struct eio_dir eio__dir_cwd(void)
{
	return eio_dir_of_fd(EIO_CWD);
}

struct eio_dir eio__dir_fs(void)
{
	return eio_dir_of_fd(EIO_FS);
}
