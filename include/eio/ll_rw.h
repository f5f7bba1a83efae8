/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing: plain memory, vectors, fixed buffers.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_RW_H
#define EIO_LL_RW_H

#include <eio/api.h>
#include <eio/fd.h>
#include <eio/ll_fixed.h>
#include <sys/uio.h>

EIO_BEGIN_DECLS

/** As an offset: the file's current position. */
#define EIO_CURRENT ((int64_t) -1)

/* Fixed buffers */

/** Read some bytes into a block: how many, 0 at the end. @p len is capped to the block. */
EIO_API EIO_NODISCARD ssize_t eio_ll_read_upto(struct eio_fd fd, struct eio_chunk c, size_t len,
					       int64_t off);

/** Fill @p len bytes of a block: 0, EIO_EOF with done telling how many came, -EINVAL if
 *  the block is shorter. Blocks of another domain give -EFAULT. */
EIO_API EIO_NODISCARD int eio_ll_read_exactly(struct eio_fd fd, struct eio_chunk c, size_t len,
					      int64_t off);

/** Write the first @p len bytes of a block, all of them: 0, -EINVAL if it is shorter. */
EIO_API int eio_ll_write(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off);

/* Plain memory */

/** Read some bytes: how many, 0 at the end. */
EIO_API EIO_NODISCARD ssize_t eio_ll_read(struct eio_fd fd, void *buf, size_t len, int64_t off);

/** Read some bytes into a vector (at most IOV_MAX entries are used): how many. */
EIO_API EIO_NODISCARD ssize_t eio_ll_readv(struct eio_fd fd, const struct iovec *iov, int n,
					   int64_t off);

/** Write all of @p buf, of any length: 0. */
EIO_API int eio_ll_write_all(struct eio_fd fd, const void *buf, size_t len, int64_t off);

/** Write all of a vector of any length; the vector is not changed: 0. */
EIO_API int eio_ll_writev(struct eio_fd fd, const struct iovec *iov, int n, int64_t off);

/** One write of a vector (at most IOV_MAX entries are used): how many bytes were taken. */
EIO_API EIO_NODISCARD ssize_t eio_ll_writev_single(struct eio_fd fd, const struct iovec *iov, int n,
						   int64_t off);

EIO_END_DECLS

#endif
