/* SPDX-License-Identifier: ISC */
/*
 * A value that comes once, for any number of waiters, in any domain.
 */
#ifndef EIO_PROMISE_H
#define EIO_PROMISE_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/**
 * A promise; opaque, in the caller's storage. Once an await returned it may be freed, if no
 * other call on it is under way but the one that resolved it, which no longer touches it.
 */
struct eio_promise {
	void *eio_private[6];
};

/** A fresh promise; zeroed memory is one too. */
#define EIO_PROMISE_INIT                                                                           \
	{                                                                                          \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/**
 * Wait until the promise is resolved.
 *
 * Does not suspend if it already is. Waiters wake in the order they came.
 *
 * @param ret_value  Optional: the value given to resolve.
 * @return The code it was resolved with, or:
 *   -ECANCELED  the caller's context was cancelled; the promise is unaffected
 *   -EPERM      this thread runs no domain and the promise is not resolved
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_promise_await(struct eio_promise *p, void **ret_value);

/**
 * The same, returning only once the promise is resolved, cancelled or not.
 *
 * For requests on the caller's stack that the resolver still uses.
 * @since 0.1
 */
EIO_API int eio_promise_await_protected(struct eio_promise *p, void **ret_value);

/**
 * Resolve the promise and wake its waiters.
 *
 * @param rc     What await returns; -ECANCELED is turned into EIO_EABANDONED.
 * @param value  Handed to the waiters; the promise does not own it.
 * @return 0, or -EALREADY if it was resolved before.
 * @cancel No.
 * @thread Any, also threads without a domain.
 * @since 0.1
 */
EIO_API int eio_promise_resolve(struct eio_promise *p, int rc, void *value);

/**
 * Look without waiting.
 *
 * @return true and the results (both optional) if it is resolved.
 * @thread Any.
 * @since 0.1
 */
EIO_API bool eio_promise_peek(struct eio_promise *p, int *ret_rc, void **ret_value);

EIO_END_DECLS

#endif
