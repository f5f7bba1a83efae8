/* SPDX-License-Identifier: ISC */
/*
 * Fiber-locals: values that belong to a fiber and to what it forks, such as a request's
 * number for every message logged on its behalf.
 */
#ifndef EIO_LOCAL_H
#define EIO_LOCAL_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** Names a fiber-local by its address; in static storage. */
struct eio_key {
	const char *name; /**< for messages; NULL: none */
};

/** A key without a name. */
#define EIO_KEY_INIT                                                                               \
	{                                                                                          \
		NULL                                                                               \
	}

/** A binding; opaque, on the caller's stack from begin to end. */
struct eio_binding {
	void *eio_private[4];
};

/**
 * The value of @p key in the calling fiber.
 *
 * @return What the innermost binding gave it; NULL without one, and outside a fiber.
 * @since 0.1
 */
EIO_API void *eio_get(const struct eio_key *key);

/**
 * Bind @p key to @p value until the matching end. Cannot fail; outside a fiber it aborts
 * with a message.
 *
 * Fibers forked meanwhile, on whatever switch, begin with a copy of the bindings in force:
 * they see the value even if they outlive the scope. Other domains do not.
 *
 * @param value  Kept by pointer; must outlive every fiber that may ask for it.
 * @since 0.1
 */
EIO_API void eio_binding_begin(struct eio_binding *b, const struct eio_key *key, void *value);

/** End the innermost scope, which must be this one. From another fiber or domain nothing
 * changes but a warning. @since 0.1 */
EIO_API void eio_binding_end(struct eio_binding *b);

/** Run @p fn with @p key bound: begin, fn, end; -EPERM outside a fiber. @since 0.1 */
EIO_API int eio_binding_run(const struct eio_key *key, void *value, eio_fn *fn, void *arg);

EIO_END_DECLS

#endif
