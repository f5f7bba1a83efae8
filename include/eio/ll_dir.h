/* SPDX-License-Identifier: ISC */
/*
 * Listing directories, by a thread.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>, what else can fail
 * at eio_ll_in_thread.
 */
#ifndef EIO_LL_DIR_H
#define EIO_LL_DIR_H

#include <eio/api.h>
#include <eio/fd.h>
#include <sys/types.h>

EIO_BEGIN_DECLS

/**
 * List a whole directory, confined as with eio_ll_openat.
 *
 * @param path       NULL or "": @p dir itself, which may have been opened with O_PATH.
 * @param ret_names  The names, sorted by bytes, without "." and ".."; a NULL stands behind the
 *   last. The caller frees them all with one free(3).
 * @param ret_n      Optional: how many.
 * @return 0, -ENOMEM, or the error of opening or reading.
 * @cancel Between two pieces of 32 KiB; nothing is returned then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_read_dir(struct eio_fd dir, const char *path, char ***ret_names,
					  size_t *ret_n);

/**
 * Read the next entries of a directory, from its position on, which moves.
 *
 * @param fd   Opened for reading, not with O_PATH (-EBADF).
 * @param buf  Gets entries as struct dirent of <dirent.h>, each d_reclen bytes long; aligned
 *   as that. "." and ".." are among them, and d_type may be DT_UNKNOWN.
 * @return How many bytes, 0 at the end; -EINVAL if @p size is too small for the next entry.
 * @cancel Before it begins: then the position has not moved.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_read_some_dir(struct eio_fd fd, void *buf, size_t size);

EIO_END_DECLS

#endif
