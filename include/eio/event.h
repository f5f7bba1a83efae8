/* SPDX-License-Identifier: ISC */
/*
 * A flag that wakes a fiber, settable from anywhere: other threads, and signal
 * handlers, also one that interrupts the very thread that waits.
 */
#ifndef EIO_EVENT_H
#define EIO_EVENT_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** An event; opaque, in the caller's storage from init to fini. */
struct eio_event {
	void *eio_private[8];
};

/**
 * Make an event whose waiters are fibers of the calling domain.
 *
 * @return 0, or -EPERM on a thread without a domain.
 * @since 0.1
 */
EIO_API int eio_event_init(struct eio_event *e);

/**
 * Wait until the event is set, and clear it.
 *
 * However often it was set before, one await returns for it. Fibers that wait at
 * the same time are served one per set, in order.
 *
 * @return 0, or -ECANCELED (then a set that came is kept), -EPERM from another domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_event_await(struct eio_event *e);

/**
 * Set the event.
 *
 * @thread Any thread, and signal handlers: the one call of the library allowed
 *   there. errno is kept.
 * @since 0.1
 */
EIO_API void eio_event_set(struct eio_event *e);

/**
 * Take the event out of use, in its own domain and before that ends. Nobody may
 * wait for it or set it any more.
 *
 * @since 0.1
 */
EIO_API void eio_event_fini(struct eio_event *e);

EIO_END_DECLS

#endif
