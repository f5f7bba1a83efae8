/* SPDX-License-Identifier: ISC */
/*
 * The ring itself: one suspending call per operation, and any operation at all.
 *
 * A call here submits one io_uring entry and suspends the fiber until the kernel's
 * final completion; buffers are the kernel's until then. Those that cannot wait are
 * made directly (socket, bind, listen, shutdown, pipe, fstat). Unless said otherwise a
 * call returns
 *   -ECANCELED  the caller's context was cancelled before it completed
 *   -EBADF      the handle is closed
 *   -EPERM      this thread runs no domain
 * and the negative errno of the operation. A result >= 0 is delivered although a
 * cancellation came meanwhile. eio_last_error() names operation and path.
 *
 * Fibers of any domain; handles may be shared between domains. Since 0.1.
 */
#ifndef EIO_LOW_LEVEL_H
#define EIO_LOW_LEVEL_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/fd.h>
#include <liburing.h>
#include <sys/stat.h>
#include <sys/uio.h>
#ifndef STATX_BASIC_STATS
#include <linux/stat.h> /* C libraries that do not know struct statx */
#endif

EIO_BEGIN_DECLS

/** As an offset: the file's current position. */
#define EIO_CURRENT ((int64_t) -1)

/** As a directory: the working directory, paths confined to it. */
static const struct eio_fd EIO_CWD = {UINT32_MAX, 1};
/** As a directory: no confinement; relative paths start at the working directory. */
static const struct eio_fd EIO_FS = {UINT32_MAX, 2};

/* Any operation */

/**
 * The calling fiber's zeroed staging entry, to be filled by io_uring_prep_….
 *
 * @return Never NULL inside a domain; NULL on a thread without one. Not asking for
 *   anything is harmless: the next call gets it zeroed again.
 */
EIO_API struct io_uring_sqe *eio_ll_sqe(void);

/**
 * Submit a copy of @p sqe and wait for its final completion (without F_MORE).
 *
 * @param sqe  Any memory of the caller; user_data is the library's.
 * @return The first result that is not a notification; the kernel's own -ECANCELED is
 *   passed on. -EINVAL for IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_DRAIN, multishot entries,
 *   and for link flags (use _await_n).
 * @cancel Asks the kernel to cancel, and waits for its answer.
 */
EIO_API EIO_NODISCARD int eio_ll_await(struct io_uring_sqe *sqe);

/** The same with the flags of the completion; user_data in @p ret is zero. */
EIO_API EIO_NODISCARD int eio_ll_await_cqe(struct io_uring_sqe *sqe, struct io_uring_cqe *ret);

/**
 * Submit entries next to each other, so that IOSQE_IO_LINK works, and wait for all.
 *
 * @param sqes         As for eio_ll_await; no link flag on the last one.
 * @param n            1 to 64, at most the queue's size, else -EINVAL.
 * @param ret_results  n results; -ECANCELED among them: a broken link.
 * @return 0 when all have completed; -ECANCELED when the caller was cancelled (the
 *   results are there too).
 */
EIO_API EIO_NODISCARD int eio_ll_await_n(struct io_uring_sqe *sqes, unsigned n, int *ret_results);

/** The domain's ring, for io_uring_register_… only; NULL without a domain. */
EIO_API struct io_uring *eio_ll_ring(void);

/** Has the running kernel this opcode? False without a domain. */
EIO_API bool eio_ll_op_supported(int opcode);

/** One trip through the ring and nothing else. */
EIO_API int eio_ll_noop(void);

/** Sleep until the monotonic clock shows @p ns: 0 or -ECANCELED. */
EIO_API int eio_ll_sleep_until(int64_t ns);

/* Fixed buffers: page-aligned blocks, registered with the kernel where it lets us */

/** A block; a value. */
struct eio_chunk {
	void *data;
	uint32_t length;
	int32_t index; /**< of the block in its pool */
};

/** Take a block: 0, or -ENOBUFS when none is free. Does not suspend. */
EIO_API EIO_NODISCARD int eio_ll_alloc_fixed(struct eio_chunk *ret);

/** Take a block, waiting in order for one: 0, -ECANCELED, or -ENOBUFS if there are none at all. */
EIO_API EIO_NODISCARD int eio_ll_alloc_fixed_or_wait(struct eio_chunk *ret);

/** Give a block back, to the first waiter if there is one. Its own domain only. */
EIO_API void eio_ll_free_fixed(struct eio_chunk c);

/** The block's size in bytes. */
EIO_API size_t eio_ll_fixed_length(struct eio_chunk c);

/** The block's memory. */
EIO_API void *eio_ll_fixed_data(struct eio_chunk c);

/** Call @p fn with a block and give it back after, or @p fallback when none is free: its result. */
EIO_API int eio_ll_with_chunk(int (*fn)(struct eio_chunk c, void *arg), int (*fallback)(void *arg),
			      void *arg);

/** Are the blocks registered with the kernel? (If not, the same calls use plain memory.) */
EIO_API bool eio_ll_fixed_registered(void);

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

/* Opening */

/**
 * Open a path relative to @p dir: confined for EIO_CWD and for handles.
 *
 * @param sw     Closes it at its end; NULL: the caller does.
 * @param flags  As open(2); O_CLOEXEC is added.
 * @return 0 and the handle, closed on every failure path.
 */
EIO_API EIO_NODISCARD int eio_ll_openat(struct eio_switch *sw, struct eio_fd dir, const char *path,
					int flags, mode_t mode, struct eio_fd *ret);

/** The same with explicit RESOLVE_… flags, nothing added to them; -EAGAIN is retried. */
EIO_API EIO_NODISCARD int eio_ll_openat2(struct eio_switch *sw, struct eio_fd dir, const char *path,
					 int flags, mode_t mode, uint64_t resolve,
					 struct eio_fd *ret);

/**
 * Ask about a path by statx.
 *
 * @param path    NULL or "": about @p dir itself.
 * @param follow  Follow a symlink at the end. Confined like eio_ll_openat.
 */
EIO_API EIO_NODISCARD int eio_ll_statx(struct eio_fd dir, const char *path, bool follow,
				       unsigned mask, struct statx *ret);

/** Ask about an open descriptor: 0. */
EIO_API EIO_NODISCARD int eio_ll_fstat(struct eio_fd fd, struct statx *ret);

/** Wait until data and metadata are on stable storage: 0. */
EIO_API int eio_ll_fsync(struct eio_fd fd);

/** The same for the data alone: 0. */
EIO_API int eio_ll_fdatasync(struct eio_fd fd);

/* Pipes and readiness */

/** Make a pipe: 0 and both ends, closed at the end of @p sw. */
EIO_API EIO_NODISCARD int eio_ll_pipe(struct eio_switch *sw, struct eio_fd *ret_r,
				      struct eio_fd *ret_w);

/** Move up to @p len bytes, at the current positions; one side is a pipe: how many, 0 at the end. */
EIO_API EIO_NODISCARD ssize_t eio_ll_splice(struct eio_fd src, struct eio_fd dst, size_t len);

/** Wait until reading would not wait: 0. */
EIO_API int eio_ll_await_readable(struct eio_fd fd);

/** Wait until writing would not wait: 0. */
EIO_API int eio_ll_await_writable(struct eio_fd fd);

/** Wait for any of the poll(2) @p events: those that are there (> 0). */
EIO_API EIO_NODISCARD int eio_ll_poll(struct eio_fd fd, unsigned events);

/* Sockets */

/** Make a socket: 0 and the handle. */
EIO_API EIO_NODISCARD int eio_ll_socket(struct eio_switch *sw, int domain, int type, int protocol,
					struct eio_fd *ret);

/** Give a socket its local address: 0. */
EIO_API EIO_NODISCARD int eio_ll_bind(struct eio_fd fd, const struct eio_addr *addr);

/** Start listening: 0. */
EIO_API EIO_NODISCARD int eio_ll_listen(struct eio_fd fd, int backlog);

/**
 * Take a connection: 0. -EBADF also when the listener is closed meanwhile.
 *
 * @param ret_peer  Optional.
 */
EIO_API EIO_NODISCARD int eio_ll_accept(struct eio_switch *sw, struct eio_fd fd, struct eio_fd *ret,
					struct eio_addr *ret_peer);

/**
 * Close a listening descriptor: cancels the accepts in flight, in every domain, and
 * returns when the port is free: 0 or -EBADF. Never -ECANCELED. A thread without a
 * domain does not wait for them.
 */
EIO_API int eio_ll_close_listener(struct eio_fd fd);

/** Connect a socket: 0. After -ECANCELED the socket is only good for closing. */
EIO_API EIO_NODISCARD int eio_ll_connect(struct eio_fd fd, const struct eio_addr *addr);

/** As shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR: 0. */
EIO_API int eio_ll_shutdown(struct eio_fd fd, int how);

/** Send some bytes, MSG_NOSIGNAL added: how many. */
EIO_API EIO_NODISCARD ssize_t eio_ll_send(struct eio_fd fd, const void *buf, size_t len, int flags);

/** Receive some bytes: how many, 0 at the end. */
EIO_API EIO_NODISCARD ssize_t eio_ll_recv(struct eio_fd fd, void *buf, size_t len, int flags);

EIO_END_DECLS

#endif
