/* SPDX-License-Identifier: ISC */
/*
 * Any operation of the ring, also those that have no call of their own.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_ANY_H
#define EIO_LL_ANY_H

#include <eio/api.h>

struct io_uring;
struct io_uring_cqe;
struct io_uring_sqe;

EIO_BEGIN_DECLS

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

/** Has the running kernel this opcode, and does the allow-list of the run (<eio/config.h>)
 *  let it through? False without a domain. */
EIO_API bool eio_ll_op_supported(int opcode);

/** One trip through the ring and nothing else. */
EIO_API int eio_ll_noop(void);

/** Sleep until the monotonic clock shows @p ns: 0 or -ECANCELED. */
EIO_API int eio_ll_sleep_until(int64_t ns);

EIO_END_DECLS

#endif
