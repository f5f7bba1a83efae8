/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing: plain memory, vectors, fixed buffers.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>. A write to a terminal
 * whose descriptor blocks may stop the thread while there is room for a part only: flows of
 * eio_flow_of_fd have it made by a kernel worker instead.
 */
#ifndef EIO_LL_RW_H
#define EIO_LL_RW_H

#include <eio/api.h>
#include <eio/fd.h>
#include <eio/ll_fixed.h>
#include <sys/uio.h>

EIO_BEGIN_DECLS

/** As an offset: the file's current position. A direct handle (<eio/ll_direct.h>) that was opened
 *  gets its number when this is used; without a number left for it the position may stay where it
 *  is when what is read or written goes past the page cache. */
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

/* Polled transfers */

/**
 * Have the transfers of a handle polled for, or no longer. The same as EIO_FD_POLLED.
 *
 * Its reads and writes, by the calls above, then go by a second ring of the domain, which
 * looks for completions in the device's queue in place of waiting for its interrupt. While
 * one is in flight the domain does not sleep: it keeps a CPU busy to save the few
 * microseconds of an interrupt and a wake-up, which is worth it only with devices that are
 * about as fast (NVMe with poll queues: nvme.poll_queues, /sys/block/…/queue/io_poll) and
 * a domain that has a CPU for itself. EIO_RUN_HYBRID_IOPOLL (Linux 6.13; before, the same as
 * without) sleeps for about half of each transfer's time, and so do the domain's other
 * fibers.
 *
 * For files and block devices opened with O_DIRECT; the transfers of others, and where file
 * system or device cannot poll, fail with -EOPNOTSUPP. A transfer in flight is not
 * cancelled: the call returns when it completes. One that is about to begin when the mark
 * changes goes either way.
 *
 * @return 0, or -EBADF. That the second ring cannot be had is the transfers' failure, and
 *   told to the log hook.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_ll_set_polled(struct eio_fd fd, bool on);

EIO_END_DECLS

#endif
