/* SPDX-License-Identifier: ISC */
/*
 * States of an event:
 *   CLEAR
 *   POSTED  set; its node is in its domain's inbox, or about to be
 *   SET     set, and the node is the event's own again
 *
 *   eio_event_set: CLEAR → POSTED; in any other state there is nothing to do
 *   the inbox's consumer: POSTED → SET, and → CLEAR at once if a fiber waits
 *   eio_event_await: SET → CLEAR
 *
 * Real atomics throughout: a signal handler may run on the owner's own thread.
 */
#include "base/lock.h"
#include "core/fiber.h"
#include "core/log.h"

#include <eio/event.h>

enum { CLEAR, POSTED, SET };

struct event {
	struct eio__inbox_node node;
	struct eio__domain *domain;
	struct eio__list waiters;
	unsigned state;
};

_Static_assert(sizeof(struct event) <= sizeof(struct eio_event), "eio_event is too small");

struct waiter {
	struct eio__list link;
	struct eio__fiber *fiber;
	bool cancelled;
};

static struct event *event_of(struct eio_event *e)
{
	return (struct event *) e;
}

/* The acquire makes what was written before the set visible to who is woken. */
static bool take(struct event *e)
{
	unsigned set = SET;

	if (!__atomic_compare_exchange_n(&e->state, &set, CLEAR, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	/* Pairs with the fence in eio_event_set: either that call finds the event clear, or
	 * what was written before it is seen by whoever is woken now. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

static void arrived(struct eio__inbox_node *n)
{
	struct event *e = eio__container_of(n, struct event, node);
	struct waiter *w;

	__atomic_store_n(&e->state, SET, __ATOMIC_RELEASE);
	if (eio__list_empty(&e->waiters) || !take(e))
		return;
	w = eio__container_of(e->waiters.next, struct waiter, link);
	eio__list_remove(&w->link);
	eio__wake(w->fiber);
}

int eio_event_init(struct eio_event *pub)
{
	struct event *e = event_of(pub);

	e->domain = eio__domain_self();
	if (!e->domain)
		return -EPERM;
	e->node.fn = arrived;
	eio__list_init(&e->waiters);
	e->state = CLEAR;
	return 0;
}

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;

	w->cancelled = true;
	eio__list_remove(&w->link);
	eio__wake(f);
}

static const struct eio__wait waiting = {.what = "event", .cancel = leave};

int eio_event_await(struct eio_event *pub)
{
	struct event *e = event_of(pub);
	struct eio__fiber *f = eio__self();
	struct waiter w = {.fiber = f};
	int rc;

	if (!f || e->domain != f->domain)
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (take(e))
		return 0;
	eio__list_append(&e->waiters, &w.link);
	eio__suspend(f, &waiting, &w);
	return w.cancelled ? eio__canceled(f) : 0;
}

void eio_event_set(struct eio_event *pub)
{
	struct event *e = event_of(pub);
	struct eio__waker *waker = &e->domain->waker;
	unsigned clear = CLEAR;
	int saved = errno;

	/* From the exchange on the event may be gone; the domain is pinned. */
	eio__waker_pin(waker);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_compare_exchange_n(&e->state, &clear, POSTED, false, __ATOMIC_SEQ_CST,
					__ATOMIC_RELAXED))
		eio__waker_push(waker, &e->node);
	eio__waker_unpin(waker);
	errno = saved;
}

void eio_event_fini(struct eio_event *pub)
{
	struct event *e = event_of(pub);

	if (e->domain != eio__domain_self()) {
		eio__log(EIO_LOG_WARNING, "an event of another domain cannot be ended here");
		return;
	}
	for (unsigned spins = 0; __atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == POSTED;) {
		eio__inbox_drain(&e->domain->waker.inbox);
		eio__spin(&spins);
	}
	e->domain = NULL;
}
