/* SPDX-License-Identifier: ISC */
/*
 * Names in directories: making, removing, renaming and reading them.
 *
 * Paths are confined to @p dir as with eio_ll_openat. The last component is used by name in
 * the directory that holds it: a symlink there is itself meant, and never followed. As that
 * component "." and ".." get the kernel's errors (-EEXIST, -EINVAL, -EBUSY, -ENOTEMPTY,
 * -EISDIR, -EPERM), and an empty path -ENOENT. A slash behind it only says that it is a
 * directory's.
 *
 * Errors of all: -EXDEV  the path leaves @p dir; -ENAMETOOLONG; -EFAULT  it is NULL; -EMFILE;
 * and those of the system call. @p dir may have been opened with O_PATH, which is enough.
 *
 * A call that returns -ECANCELED has done nothing; only of a network file system's server
 * that is not certain.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_NAME_H
#define EIO_LL_NAME_H

#include <eio/api.h>
#include <eio/fd.h>
#include <sys/types.h>

EIO_BEGIN_DECLS

/** Make a directory: 0. @p mode is before umask. @since 0.1 */
EIO_API int eio_ll_mkdir(struct eio_fd dir, const char *path, mode_t mode);

/**
 * Remove a name: 0.
 *
 * @param rmdir  It is an empty directory's; else it is of anything but a directory.
 * @since 0.1
 */
EIO_API int eio_ll_unlink(struct eio_fd dir, const char *path, bool rmdir);

/**
 * Rename, within a directory or from one to another on the same file system: 0.
 *
 * What has the new name already is replaced at once.
 *
 * @param flags  As renameat2(2): RENAME_NOREPLACE (-EEXIST), RENAME_EXCHANGE, or 0.
 * @since 0.1
 */
EIO_API int eio_ll_rename(struct eio_fd dir, const char *old_path, struct eio_fd dir2,
			  const char *new_path, unsigned flags);

/**
 * Make a symlink at @p path: 0.
 *
 * @param target  Kept as it is. It may lead anywhere: confinement is when it is followed.
 * @since 0.1
 */
EIO_API int eio_ll_symlink(struct eio_fd dir, const char *path, const char *target);

/**
 * Give a file a second name: 0. Of a symlink it is the link that gets it.
 *
 * -ENOTDIR when @p old_path ends in a slash.
 *
 * @since 0.1
 */
EIO_API int eio_ll_link(struct eio_fd dir, const char *old_path, struct eio_fd dir2,
			const char *new_path);

/**
 * Read where a symlink leads.
 *
 * Done by a thread: see eio_ll_in_thread for what else can fail.
 *
 * @param path  NULL or "": @p dir is a symlink opened with O_PATH | O_NOFOLLOW.
 * @param buf   Gets the target without a NUL, cut to @p size.
 * @return Its length, or -EINVAL if it is no symlink.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_read_link(struct eio_fd dir, const char *path, char *buf,
					       size_t size);

EIO_END_DECLS

#endif
