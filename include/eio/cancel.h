/* SPDX-License-Identifier: ISC */
/*
 * Cancellation contexts.
 *
 * The contexts of a domain form a tree. Every fiber is in exactly one of them, and
 * so is every switch and timeout. Cancelling a context cancels the ones below it,
 * except protected ones, and interrupts what their fibers wait for. From then on
 * every call that could suspend returns -ECANCELED at once.
 */
#ifndef EIO_CANCEL_H
#define EIO_CANCEL_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A context; opaque, on the caller's stack, from begin to end. */
struct eio_cancel {
	void *eio_private[12];
};

/**
 * Enter a new context below the current one. Cannot fail and does not suspend.
 *
 * @param c  Storage, until the matching eio_cancel_end. Scopes nest strictly.
 * @thread Fibers only; without a domain it aborts with a message.
 * @since 0.1
 */
EIO_API void eio_cancel_begin(struct eio_cancel *c);

/**
 * Enter a new context that a cancellation of the outer ones does not reach.
 *
 * For cleanup that must suspend. Leaving it does not itself report a cancellation
 * that came meanwhile; the next suspending call outside does.
 *
 * @thread Fibers only.
 * @since 0.1
 */
EIO_API void eio_cancel_protect_begin(struct eio_cancel *c);

/**
 * Leave the context. Ending scopes out of order aborts with a message naming both; from
 * another domain nothing changes, and the log hook is warned.
 *
 * @since 0.1
 */
EIO_API void eio_cancel_end(struct eio_cancel *c);

/**
 * Cancel a context and everything below it.
 *
 * Interrupts the waits of its fibers and returns without waiting for them.
 * Doing it twice is harmless; the first reason is kept.
 *
 * @param err  The reason, a negative code; eio_cancel_error gives it back.
 * @return 0, or:
 *   -EINVAL  @p err is not negative
 *   -EPERM   the context belongs to another domain
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_cancel_raise(struct eio_cancel *c, int err);

/**
 * Tell why a context was cancelled.
 *
 * @return The reason given to eio_cancel_raise, -ECANCELED if the cancellation came
 *   from an outer context, 0 if it was not cancelled.
 * @since 0.1
 */
EIO_API int eio_cancel_error(const struct eio_cancel *c);

/**
 * Run @p fn inside a context of its own, so that an early return cannot leave it open:
 * begin, fn, end.
 *
 * @param fn  Gets the context, which it may hand to whoever is to cancel it, until it
 *   returns.
 * @return What @p fn returned, whether the context was cancelled or not; -EPERM outside a
 *   fiber, and fn was not called.
 * @cancel No check of its own: @p fn is called in a cancelled context too.
 * @thread Fibers only; elsewhere -EPERM.
 * @since 0.1
 */
EIO_API int eio_cancel_run(int (*fn)(struct eio_cancel *c, void *arg), void *arg);

/**
 * Run a function protected from cancellation: its result.
 *
 * @thread Fibers only; elsewhere -EPERM.
 * @since 0.1
 */
EIO_API int eio_protect_run(eio_fn *fn, void *arg);

EIO_END_DECLS

#endif
