/* SPDX-License-Identifier: ISC */
/*
 * Fibers of any domain that wait for one object: lists of records on the waiting fibers'
 * stacks, guarded by the object's lock.
 *
 * Whoever ends a wait claims the record first: the publisher, or a cancellation in the
 * waiter's own domain. So only one of them does.
 *   LISTED   on the list
 *   WOKEN    the publisher's: it takes the record off the list, fills in what the waiter
 *            is to get, and wakes the fiber, which is suspended until then. The waiter
 *            does not touch the object any more: it may be gone.
 *   LEAVING  the cancellation's: it takes the record off under the lock. Until then it is
 *            still on the list, and the object has to stay.
 */
#ifndef EIO__WAITERS_H
#define EIO__WAITERS_H

#include "base/lock.h"
#include "core/fiber.h"

enum { EIO__LISTED, EIO__WOKEN, EIO__LEAVING };

struct eio__waiter {
	struct eio__waiter *next, *prev;
	struct eio__lock *lock; /* the object's */
	struct eio__waiters *list;
	struct eio__fiber *fiber;
	unsigned state;
};

/* First in, first out; zeroed memory is an empty one. */
struct eio__waiters {
	struct eio__waiter *first, *last;
};

/* Puts the running fiber to the end of the list; the lock is held. */
static inline void eio__waiters_add(struct eio__waiters *ws, struct eio__waiter *w,
				    struct eio__lock *lock, struct eio__fiber *f)
{
	w->next = NULL;
	w->prev = ws->last;
	w->lock = lock;
	w->list = ws;
	w->fiber = f;
	w->state = EIO__LISTED;
	if (ws->last)
		ws->last->next = w;
	else
		ws->first = w;
	ws->last = w;
}

static inline void eio__waiters_remove(struct eio__waiters *ws, struct eio__waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		ws->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		ws->last = w->prev;
}

static inline bool eio__waiter_claim(struct eio__waiter *w, unsigned as)
{
	unsigned listed = EIO__LISTED;

	if (eio__single_threaded()) {
		if (w->state != EIO__LISTED)
			return false;
		w->state = as;
		return true;
	}
	return __atomic_compare_exchange_n(&w->state, &listed, as, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/*
 * Claims the first waiter that is not leaving and takes it off the list; NULL: there is
 * none. With the lock held. In two parts for those who want the second out of the way: the
 * very first, if it is not leaving; and if it is, the first behind it.
 */
static inline struct eio__waiter *eio__waiters_claim_first(struct eio__waiters *ws)
{
	struct eio__waiter *w = ws->first;

	if (unlikely(!eio__waiter_claim(w, EIO__WOKEN)))
		return NULL;
	ws->first = w->next;
	if (w->next)
		w->next->prev = NULL;
	else
		ws->last = NULL;
	return w;
}

struct eio__waiter *eio__waiters_claim_behind(struct eio__waiters *ws);

static inline struct eio__waiter *eio__waiters_claim(struct eio__waiters *ws)
{
	struct eio__waiter *w;

	if (!ws->first)
		return NULL;
	w = eio__waiters_claim_first(ws);
	return likely(w) ? w : eio__waiters_claim_behind(ws);
}

/*
 * Claims all waiters and takes them off, linked by next, after those that are leaving have
 * left: from then on no waiter touches the object. Called with the lock held and the rest
 * of its word in *bits; it may have been let go of meanwhile, and *bits be different.
 */
struct eio__waiter *eio__waiters_claim_all(struct eio__waiters *ws, struct eio__lock *lock,
					   uintptr_t *bits);

/* Wakes a claimed waiter; its record is gone from then on. */
static inline void eio__waiter_wake(struct eio__waiter *w)
{
	eio__wake_any(w->fiber);
}

/* The same for what eio__waiters_claim_all returned. */
void eio__waiters_wake(struct eio__waiter *w);

/* The cancel function of a fiber whose wait_arg is its waiter. */
void eio__waiter_leave(struct eio__fiber *f, void *w);

/* For dumps: what is waited for, and the object's address. */
void eio__waiter_describe(const struct eio__fiber *f, const void *w, char *buf, size_t size);

/* Suspends until woken: 0. -ECANCELED: it was cancelled, and has left the list. */
static inline int eio__waiter_await(struct eio__waiter *w, const struct eio__wait *wait)
{
	struct eio__fiber *f = w->fiber;

	eio__suspend(f, wait, w);
	return unlikely(w->state == EIO__LEAVING) ? eio__canceled(f) : 0;
}

#endif
