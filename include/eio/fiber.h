/* SPDX-License-Identifier: ISC */
/*
 * Fibers: many blocking functions on one thread.
 *
 * A fiber belongs to the thread (the domain) that made it, for life. It runs until
 * it waits for something. Its stack has a fixed size (eio_config.stack_size) with a
 * guard below: keep locals under about 16 KiB.
 *
 * A fiber function returning a negative code fails its switch. -ECANCELED is not a
 * failure; if the switch was not cancelled it cancels it.
 */
#ifndef EIO_FIBER_H
#define EIO_FIBER_H

#include <eio/api.h>
#include <eio/promise.h>
#include <eio/switch.h>

EIO_BEGIN_DECLS

/** A function to run with its argument. */
struct eio_task {
	eio_fn *fn;
	void *arg;
};

/**
 * Start a fiber on a switch.
 *
 * The child runs at once; the caller goes to the head of the run queue and resumes
 * when the child first waits or ends.
 *
 * @param arg  Must live until the switch ends; for locals use eio_fork_copy.
 * @return 0, or, with @p fn not run and @p arg still the caller's:
 *   -ECANCELED  the switch is cancelled
 *   -ENOMEM     no stack could be had (eio_last_error names the limit)
 *   -EINVAL     the switch is finished (debug builds abort)
 *   -EPERM      the switch belongs to another domain
 * @since 0.1
 */
EIO_API int eio_fork(struct eio_switch *sw, eio_fn *fn, void *arg);

/**
 * The same with a copy of the argument that lives as long as the fiber.
 *
 * @param arg   Copied before the call returns; fn gets the copy, aligned to 16.
 * @param size  Bytes, at most a quarter of the stack.
 * @return As eio_fork, and -E2BIG when @p size is too large.
 * @since 0.1
 */
EIO_API int eio_fork_copy(struct eio_switch *sw, eio_fn *fn, const void *arg, size_t size);

/**
 * Start a fiber that does not keep its switch alive.
 *
 * When only daemons are left in the switch they are cancelled and waited for. A
 * daemon that fails before that fails the switch like any fiber.
 *
 * @return As eio_fork.
 * @since 0.1
 */
EIO_API int eio_fork_daemon(struct eio_switch *sw, eio_fn *fn, void *arg);

/**
 * Start a fiber whose result goes into a promise instead of the switch.
 *
 * A failure resolves the promise and does not fail the switch; work that was
 * cancelled resolves it with EIO_EABANDONED.
 *
 * @param p  Fresh; resolved on every path, also when this call fails (with the
 *   code, or EIO_EABANDONED for -ECANCELED).
 * @return As eio_fork.
 * @since 0.1
 */
EIO_API int eio_fork_promise(struct eio_switch *sw, eio_fn *fn, void *arg, struct eio_promise *p);

/**
 * Run two functions concurrently and wait for both.
 *
 * @return 0 when both succeeded; else the first failure, after both ended (the
 *   other one is cancelled); -ECANCELED; -ENOMEM.
 * @since 0.1
 */
EIO_API int eio_both(eio_fn *f, void *f_arg, eio_fn *g, void *g_arg);

/** eio_both for any number of tasks, started in order. @since 0.1 */
EIO_API int eio_all(const struct eio_task *tasks, size_t n);

/**
 * Run two functions concurrently; the first to finish wins.
 *
 * The loser is cancelled and waited for. Both are started, even if the first
 * succeeds at once; if it fails at once the second is not started.
 *
 * @return The winner's result. If both succeed nothing tells what the loser took:
 *   use eio_n_any for functions that take something.
 * @since 0.1
 */
EIO_API int eio_first(eio_fn *f, void *f_arg, eio_fn *g, void *g_arg);

/**
 * eio_first for any number of tasks.
 *
 * @param ret_winner  Optional: the index of the winner.
 * @return The winner's result. No tasks: waits until cancelled.
 * @since 0.1
 */
EIO_API int eio_any(const struct eio_task *tasks, size_t n, size_t *ret_winner);

/**
 * eio_any that keeps every result, so that nothing a loser took is lost.
 *
 * @param ret_results  n entries: each task's result, -ECANCELED if it did not finish.
 * @param ret_order    Optional, n entries: the indices of those that finished, in order.
 * @param ret_count    Optional: how many finished.
 * @return 0 when one finished well, else the first failure.
 * @since 0.1
 */
EIO_API int eio_n_any(const struct eio_task *tasks, size_t n, int *ret_results, size_t *ret_order,
		      size_t *ret_count);

/**
 * Call @p fn for 0 … n-1, concurrently.
 *
 * @param max_fibers  At most this many alive at once; 0 = no limit.
 * @return 0, or the first failure after the rest was cancelled; -ECANCELED.
 * @since 0.1
 */
EIO_API int eio_for_each(size_t n, size_t max_fibers, int (*fn)(size_t i, void *arg), void *arg);

/**
 * Let the other runnable fibers go first.
 *
 * @return 0; -ECANCELED if the context is cancelled, before or after; -EPERM on a
 *   thread without a domain.
 * @since 0.1
 */
EIO_API int eio_yield(void);

/** Does the caller still have to work? 0, -ECANCELED or -EPERM; never suspends. @since 0.1 */
EIO_API int eio_check(void);

/** The same as a condition: true when the calling fiber's context is cancelled. @since 0.1 */
EIO_API bool eio_is_cancelled(void);

/** Wait until the context is cancelled: -ECANCELED (or -EPERM). @since 0.1 */
EIO_API int eio_await_cancel(void);

/** The running fiber's number, unique in its domain; 1 is main, 0 outside. @since 0.1 */
EIO_API uint64_t eio_fiber_id(void);

/** Name the running fiber for messages and dumps; @p name in static storage. @since 0.1 */
EIO_API void eio_fiber_set_name(const char *name);

EIO_END_DECLS

#endif
