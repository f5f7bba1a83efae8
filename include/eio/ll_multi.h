/* SPDX-License-Identifier: ISC */
/*
 * Operations that complete again and again, as iterators: begin, next, end.
 *
 * The kernel goes on by itself, and what it says is kept in order until somebody asks. An
 * iterator is in the caller's storage from a begin that succeeded to its end; a domain that
 * ends with one still begun aborts. It is its domain's (-EPERM elsewhere), and one fiber at a
 * time waits for the next result (-EBUSY). A cancelled next takes nothing: the iterator goes on,
 * and what comes meanwhile is the next call's. The end is never cancelled.
 *
 * Iterators of a descriptor pin it from begin to end: closing the handle does not end them.
 * Where the kernel cannot repeat by itself, the next call starts the operation anew.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_MULTI_H
#define EIO_LL_MULTI_H

#include <eio/api.h>
#include <eio/fd.h>

struct io_uring_sqe;

EIO_BEGIN_DECLS

/* Any multishot operation */

/** One completion. */
struct eio_ll_result {
	int res;
	unsigned flags;    /**< IORING_CQE_F_… */
	uint32_t reserved; /**< the library's */
};

/** A multishot operation; opaque. */
struct eio_ll_multi {
	void *eio_private[32];
};

/**
 * Start a multishot operation.
 *
 * When @p queue is full the operation is stopped, and started again with the same entry by the
 * call of next that finds the queue empty. What completes before the stop takes effect is kept
 * in memory from the heap.
 *
 * @param sqe      Copied. user_data is the library's. What it points to must stay valid until
 *   the end, as must a descriptor that it names: nobody pins it.
 * @param queue    Room for @p cap results, at least 1; the library's until the end.
 * @param dispose  Called with each result that nobody took, by the end or, when there is no
 *   memory to keep it, as it comes; must not suspend. NULL: they are dropped.
 * @return 0, or: then there is nothing to end
 *   -EINVAL     @p cap is 0; IOSQE_IO_LINK, IO_HARDLINK, IO_DRAIN, CQE_SKIP_SUCCESS
 *   -ECANCELED  the context was cancelled
 *   -EPERM      this thread runs no domain
 * @cancel Yes; may suspend for a free entry.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_multi_begin(struct eio_ll_multi *m, const struct io_uring_sqe *sqe,
					     struct eio_ll_result *queue, unsigned cap,
					     void (*dispose)(int res, unsigned flags, void *arg),
					     void *arg);

/**
 * Wait for the next completion, in the order they came.
 *
 * Every completion is one, failures and the final one (without IORING_CQE_F_MORE) too, save
 * that of the library's own stop. The kernel may end an operation at any time, for instance when
 * there are more completions than it has room for; the program then begins it again.
 *
 * @return 1 and a completion; 0 when the final one has been taken, from then on; or:
 *   -ECANCELED  the context was cancelled; nothing was taken
 *   -ENOMEM     completions that came now were disposed of for want of memory; once
 *   -EBUSY      another fiber waits for the next one
 *   -EINVAL     it has ended
 *   -EPERM      another domain's
 * @cancel Yes. A completion that woke the caller is delivered although a cancellation came.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_multi_next(struct eio_ll_multi *m, int *ret_res,
					    unsigned *ret_flags);

/**
 * Stop the operation, wait for its last completion, and dispose of those nobody took.
 *
 * @return 0; -EINVAL: it has ended before; -EBUSY: a fiber waits for the next one; -EPERM:
 *   another domain's.
 * @cancel Never.
 * @since 0.1
 */
EIO_API int eio_ll_multi_end(struct eio_ll_multi *m);

/* Connections */

/** The connections of a listener; opaque. */
struct eio_ll_accepts {
	void *eio_private[72];
};

/**
 * Start taking connections, also some that nobody has asked for yet. Who they are is not told
 * (getpeername(2) knows).
 *
 * @return 0; -EBADF: the handle is closed; or as eio_ll_multi_begin.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_accepts_begin(struct eio_ll_accepts *a, struct eio_fd listener);

/**
 * Wait for the next connection, close-on-exec as all.
 *
 * @param sw  The handle is closed at its end; NULL: attached to nothing.
 * @return 1 and the handle, or:
 *   -EBADF      the listener was closed by eio_ll_close_listener, and what came before has been
 *               taken
 *   -ECANCELED, -EINVAL, -EPERM about @p sw: no connection was taken, but if it ended
 *               while the caller waited, or for -ENOMEM, one was and is closed
 *   -EMFILE, -ECONNABORTED, …  as accept(2); the next call goes on
 *   and as eio_ll_multi_next.
 * @cancel Yes; no connection was taken.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_accepts_next(struct eio_ll_accepts *a, struct eio_switch *sw,
					      struct eio_fd *ret);

/** Stop; connections that nobody took are closed. As eio_ll_multi_end. @since 0.1 */
EIO_API int eio_ll_accepts_end(struct eio_ll_accepts *a);

/* Readiness */

/** What happens on a descriptor; opaque. */
struct eio_ll_polls {
	void *eio_private[48];
};

/** Start watching for @p events (POLLIN, …): 0; -EBADF; or as eio_ll_multi_begin. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_polls_begin(struct eio_ll_polls *p, struct eio_fd fd,
					     unsigned events);

/**
 * Wait until something happens.
 *
 * Told is what has come anew, not what is still there: read until nothing is left. It may be told
 * twice.
 *
 * @return 1 and all that happened since the last call; or as eio_ll_poll and eio_ll_multi_next.
 * @cancel Yes; nothing is forgotten.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_polls_next(struct eio_ll_polls *p, unsigned *ret_events);

/** Stop. As eio_ll_multi_end. @since 0.1 */
EIO_API int eio_ll_polls_end(struct eio_ll_polls *p);

/* Time */

/** A clock of the kernel's that ticks; opaque. eio_ticker (<eio/time.h>) needs no operation. */
struct eio_ll_ticks {
	void *eio_private[48];
};

/** Start one that ticks every @p period_ns, at least 1 (else -EINVAL): 0, or as
 *  eio_ll_multi_begin. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_ticks_begin(struct eio_ll_ticks *t, int64_t period_ns);

/**
 * Wait for a tick.
 *
 * @return How many have come since the last call, at least 1; or as eio_ll_multi_next. Where
 *   the kernel does not repeat (before 6.4) and for periods below 100 microseconds, a tick
 *   comes a period after it was waited for.
 * @cancel Yes; the tick is the next call's.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_ticks_next(struct eio_ll_ticks *t);

/** Stop. As eio_ll_multi_end. @since 0.1 */
EIO_API int eio_ll_ticks_end(struct eio_ll_ticks *t);

EIO_END_DECLS

#endif
