/* SPDX-License-Identifier: ISC */
/*
 * The calls on directories: what each provider would otherwise do again.
 *
 * Every call that may wait looks at the caller's cancellation, then at the value and its path,
 * and only then calls the provider.
 */
#include "core/error.h"
#include "io/fs.h"

#include <eio/fiber.h>
#include <errno.h>

/* May the call be made? @p known: the provider has it. */
static int enter(struct eio_dir d, const char *path, const char *op, bool known)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!d.ops)
		rc = -EBADF;
	else if (!path)
		rc = -EINVAL;
	else if (!known)
		rc = -EOPNOTSUPP;
	else if (!*path)
		rc = -ENOENT;
	return eio__fail(rc, op, path);
}

#define ENTER(d, path, op, member) enter(d, path, op, (d).ops && (d).ops->member)

int eio__fs_enter(struct eio_dir d, const char *path, const char *op)
{
	return enter(d, path, op, true);
}

static int enter_mode(uint32_t mode, const char *op, const char *path)
{
	return eio__fail(mode & ~07777u ? -EINVAL : 0, op, path);
}

/* Opening */

int eio_fs_open_in(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_flow *ret)
{
	int rc = ENTER(d, path, "open", open_in);

	return rc < 0 ? rc : d.ops->open_in(d, sw, path, ret);
}

int eio_fs_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
		    const struct eio_create *opts, struct eio_flow *ret)
{
	static const struct eio_create none;
	int rc = ENTER(d, path, "open", open_out);

	return rc < 0 ? rc : d.ops->open_out(d, sw, path, opts ? opts : &none, ret);
}

int eio__fs_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
		     struct eio_dir *ret)
{
	int rc = ENTER(d, path, "open", open_dir);

	return rc < 0 ? rc : d.ops->open_dir(d, sw, path, flags, ret);
}

int eio_fs_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, struct eio_dir *ret)
{
	return eio__fs_open_dir(d, sw, path, 0, ret);
}

int eio_fs_open_dir_nofollow(struct eio_dir d, struct eio_switch *sw, const char *path,
			     struct eio_dir *ret)
{
	return eio__fs_open_dir(d, sw, path, EIO_DIR_NO_FOLLOW, ret);
}

int eio_dir_close(struct eio_dir d)
{
	if (!d.ops)
		return eio__fail(-EBADF, "close", NULL);
	return d.ops->close ? d.ops->close(d) : 0;
}

int eio_dir_fd(struct eio_dir d, struct eio_fd *ret)
{
	if (!d.ops)
		return eio__fail(-EBADF, "descriptor", NULL);
	return d.ops->fd ? d.ops->fd(d, ret) : -ENOTSUP;
}

ssize_t eio_fs_native(struct eio_dir d, const char *path, char *buf, size_t size)
{
	if (!d.ops)
		return eio__fail(-EBADF, "native", path);
	if (!path || !*path)
		return eio__fail(path ? -ENOENT : -EINVAL, "native", path);
	return d.ops->native ? d.ops->native(d, path, buf, size) : -ENOTSUP;
}

/* Asking */

int eio_fs_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	int rc = ENTER(d, path, "stat", stat);

	return rc < 0 ? rc : d.ops->stat(d, path, follow, ret);
}

int eio_fs_kind(struct eio_dir d, const char *path, bool follow)
{
	struct eio_stat st;
	int rc = eio_fs_stat(d, path, follow, &st);

	return rc < 0 ? rc : (int) st.kind;
}

bool eio_fs_is_file(struct eio_dir d, const char *path)
{
	return eio_fs_kind(d, path, true) == EIO_KIND_REGULAR;
}

bool eio_fs_is_directory(struct eio_dir d, const char *path)
{
	return eio_fs_kind(d, path, true) == EIO_KIND_DIRECTORY;
}

/* Names */

int eio_fs_mkdir(struct eio_dir d, const char *path, uint32_t mode)
{
	int rc = ENTER(d, path, "mkdir", mkdir);

	if (rc == 0)
		rc = enter_mode(mode, "mkdir", path);
	return rc < 0 ? rc : d.ops->mkdir(d, path, mode);
}

int eio_fs_unlink(struct eio_dir d, const char *path, unsigned flags)
{
	int rc = ENTER(d, path, "unlink", unlink);

	if (rc < 0)
		return rc;
	if (flags & ~(unsigned) EIO_MISSING_OK)
		return eio__fail(-EINVAL, "unlink", path);
	rc = d.ops->unlink(d, path, false);
	return rc == -ENOENT && flags & EIO_MISSING_OK ? 0 : rc;
}

int eio_fs_rmdir(struct eio_dir d, const char *path)
{
	int rc = ENTER(d, path, "rmdir", unlink);

	return rc < 0 ? rc : d.ops->unlink(d, path, true);
}

/* Two names that must be of one provider. */
static int enter_second(struct eio_dir d, struct eio_dir d2, const char *path2, const char *op)
{
	int rc = enter(d2, path2, op, true);

	return rc == 0 && d.ops != d2.ops ? eio__fail(-EXDEV, op, path2) : rc;
}

int eio_fs_rename(struct eio_dir d, const char *old_path, struct eio_dir d2, const char *new_path)
{
	int rc = ENTER(d, old_path, "rename", rename);

	if (rc == 0)
		rc = enter_second(d, d2, new_path, "rename");
	return rc < 0 ? rc : d.ops->rename(d, old_path, d2, new_path);
}

int eio_fs_link(struct eio_dir d, const char *old_path, struct eio_dir d2, const char *new_path)
{
	int rc = ENTER(d, old_path, "link", link);

	if (rc == 0)
		rc = enter_second(d, d2, new_path, "link");
	return rc < 0 ? rc : d.ops->link(d, old_path, d2, new_path);
}

/* An empty target is the kernel's -ENOENT too. */
int eio_fs_symlink(struct eio_dir d, const char *path, const char *target)
{
	int rc = ENTER(d, path, "symlink", symlink);

	if (rc == 0)
		rc = enter(d, target, "symlink", true);
	return rc < 0 ? rc : d.ops->symlink(d, path, target);
}

ssize_t eio_fs_read_link(struct eio_dir d, const char *path, char *buf, size_t size)
{
	int rc = ENTER(d, path, "readlink", read_link);

	return rc < 0 ? rc : d.ops->read_link(d, path, buf, size);
}

/* What is known beside the bytes */

int eio_fs_chmod(struct eio_dir d, const char *path, bool follow, uint32_t mode)
{
	int rc = ENTER(d, path, "chmod", chmod);

	if (rc == 0)
		rc = enter_mode(mode, "chmod", path);
	return rc < 0 ? rc : d.ops->chmod(d, path, follow, mode);
}

int eio_fs_chown(struct eio_dir d, const char *path, bool follow, uint32_t uid, uint32_t gid)
{
	int rc = ENTER(d, path, "chown", chown);

	return rc < 0 ? rc : d.ops->chown(d, path, follow, uid, gid);
}

int eio_fs_sync(struct eio_dir d)
{
	int rc = ENTER(d, ".", "fsync", sync);

	return rc < 0 ? rc : d.ops->sync(d);
}
