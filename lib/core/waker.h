/* SPDX-License-Identifier: ISC */
/*
 * How other threads, and signal handlers, reach a domain.
 *
 * They push a node into the inbox and, if the domain sleeps or is about to, call
 * notify. The domain sets asleep before it looks into the inbox for the last time;
 * they push before they look at asleep: one of the two sees the other.
 *
 * A domain may end as soon as its fibers have, so whoever pushes first pins it, while
 * the object that names it is still known to be alive. The domain waits for its pins
 * before it goes.
 */
#ifndef EIO__WAKER_H
#define EIO__WAKER_H

#include "base/inbox.h"

struct eio__waker {
	struct eio__inbox inbox;
	unsigned asleep;
	unsigned pins;
	void (*notify)(struct eio__waker *w); /* async-signal-safe; ends the domain's sleep */
};

static inline void eio__waker_pin(struct eio__waker *w)
{
	__atomic_add_fetch(&w->pins, 1, __ATOMIC_SEQ_CST);
}

/* The release orders the push and the notification before the end of the domain. */
static inline void eio__waker_unpin(struct eio__waker *w)
{
	__atomic_sub_fetch(&w->pins, 1, __ATOMIC_RELEASE);
}

/* Only the one who turns asleep off notifies. */
static inline void eio__waker_push(struct eio__waker *w, struct eio__inbox_node *n)
{
	eio__inbox_push(&w->inbox, n);
	if (__atomic_load_n(&w->asleep, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&w->asleep, 0, __ATOMIC_SEQ_CST))
		w->notify(w);
}

#endif
