/* SPDX-License-Identifier: ISC */
/*
 * What is known of a file beside its bytes: mode, owner, times, extended attributes.
 *
 * The file is what @p path beneath @p dir leads to, confined as with eio_ll_openat; with
 * @p follow false a symlink at the end is itself meant. With NULL or "" it is @p dir itself:
 * any handle, also one opened with O_PATH.
 *
 * A thread does it: -ECANCELED means that nothing was done, and that it was not -EAGAIN (see
 * eio_ll_in_thread). Errors of all: -EXDEV  the path leaves @p dir; -EMFILE; those of the
 * system call; and -ENOSYS  /proc is not mounted, where nothing else serves: for extended
 * attributes by a path or of an O_PATH handle, and for chmod of these before Linux 6.6.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_ATTR_H
#define EIO_LL_ATTR_H

#include <eio/api.h>
#include <eio/fd.h>
#include <sys/types.h>
#include <time.h>

EIO_BEGIN_DECLS

/** Change permissions: 0. A symlink has none: -EOPNOTSUPP. @since 0.1 */
EIO_API int eio_ll_chmod(struct eio_fd dir, const char *path, bool follow, mode_t mode);

/** Change owner and group: 0. (uid_t) -1 and (gid_t) -1 stay as they are. @since 0.1 */
EIO_API int eio_ll_chown(struct eio_fd dir, const char *path, bool follow, uid_t uid, gid_t gid);

/**
 * Change the times of access and modification: 0.
 *
 * @param times  These two, UTIME_NOW and UTIME_OMIT in tv_nsec included. NULL: now. Borrowed
 *   for the call.
 * @since 0.1
 */
EIO_API int eio_ll_utimens(struct eio_fd dir, const char *path, bool follow,
			   const struct timespec times[2]);

/** Set an extended attribute: 0. @p flags: XATTR_CREATE (-EEXIST), XATTR_REPLACE (-ENODATA) or
 * 0. @since 0.1 */
EIO_API int eio_ll_setxattr(struct eio_fd dir, const char *path, bool follow, const char *name,
			    const void *value, size_t size, int flags);

/**
 * Get an extended attribute.
 *
 * @param size  0: only ask for the length.
 * @return Its length; -ENODATA if there is none of this name, -ERANGE if it is longer.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_getxattr(struct eio_fd dir, const char *path, bool follow,
					      const char *name, void *value, size_t size);

/**
 * List the names of the extended attributes, each with its NUL.
 *
 * @param size  0: only ask for the length.
 * @return The length of all together, or -ERANGE if it is more.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_listxattr(struct eio_fd dir, const char *path, bool follow,
					       char *list, size_t size);

/** Remove an extended attribute: 0; -ENODATA if there is none of this name. @since 0.1 */
EIO_API int eio_ll_removexattr(struct eio_fd dir, const char *path, bool follow, const char *name);

EIO_END_DECLS

#endif
