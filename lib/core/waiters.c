/* SPDX-License-Identifier: ISC */
#include "core/waiters.h"

#include <stdio.h>

struct eio__waiter *eio__waiters_claim_behind(struct eio__waiters *ws)
{
	struct eio__waiter *w = ws->first->next;

	while (w && !eio__waiter_claim(w, EIO__WOKEN))
		w = w->next;
	if (w)
		eio__waiters_remove(ws, w);
	return w;
}

struct eio__waiter *eio__waiters_claim_all(struct eio__waiters *ws, struct eio__lock *lock,
					   uintptr_t *bits)
{
	struct eio__waiter *w = ws->first;
	unsigned spins = 0;

	while (w) {
		if (__atomic_load_n(&w->state, __ATOMIC_RELAXED) == EIO__WOKEN ||
		    eio__waiter_claim(w, EIO__WOKEN)) {
			w = w->next;
			continue;
		}
		eio__unlock_to(lock, *bits);
		eio__spin(&spins);
		*bits = eio__lock(lock);
		w = ws->first;
	}
	w = ws->first;
	ws->first = ws->last = NULL;
	return w;
}

void eio__waiters_wake(struct eio__waiter *w)
{
	while (w) {
		struct eio__waiter *next = w->next;

		eio__waiter_wake(w);
		w = next;
	}
}

void eio__waiter_leave(struct eio__fiber *f, void *arg)
{
	struct eio__waiter *w = arg;
	struct eio__lock *lock = w->lock;
	uintptr_t bits;

	if (!eio__waiter_claim(w, EIO__LEAVING))
		return;
	bits = eio__lock(lock);
	eio__waiters_remove(w->list, w);
	eio__unlock_to(lock, bits);
	eio__wake(f);
}

void eio__waiter_describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__waiter *w = arg;

	/* Every object begins with its lock. */
	snprintf(buf, size, "%s %p", f->wait->what, (void *) w->lock);
}
