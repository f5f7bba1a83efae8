/* SPDX-License-Identifier: ISC */
/*
 * A promise is a lock, a list of waiters on their fibers' stacks, and the result.
 *
 * Whoever is to wake a waiter claims it first: the resolver, or the canceller in the
 * waiter's own domain, by LISTED → WOKEN or LISTED → LEAVING. A waiter that is LEAVING
 * still has to take itself off the list under the lock, so the resolver does not publish
 * before that, and the promise stays alive for it. A woken waiter finds the result in
 * its own record: by the time it runs the promise may be gone.
 *
 * The resolver's last touch of the promise is the unlock that follows publishing. Who
 * finds it resolved without having waited takes the lock once before going on.
 */
#include "base/lock.h"
#include "core/error.h"
#include "core/fiber.h"

#include <eio/promise.h>

enum { LISTED, WOKEN, LEAVING };

struct promise;

struct waiter {
	struct waiter *next, *prev;
	struct promise *promise;
	struct eio__fiber *fiber;
	unsigned state;
	int rc;
	void *value;
};

struct promise {
	struct eio__lock lock;
	unsigned resolved; /* written under the lock, last; read without it */
	int rc;
	void *value;
	struct waiter *first, *last;
};

_Static_assert(sizeof(struct promise) <= sizeof(struct eio_promise), "eio_promise is too small");

static struct promise *promise_of(struct eio_promise *p)
{
	return (struct promise *) p;
}

/* The acquire pairs with the release in publish: the result is there with the flag. */
static bool is_resolved(const struct promise *p)
{
	return __atomic_load_n(&p->resolved, __ATOMIC_ACQUIRE);
}

static bool claim(struct waiter *w, unsigned as)
{
	unsigned listed = LISTED;

	return __atomic_compare_exchange_n(&w->state, &listed, as, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static void list(struct promise *p, struct waiter *w)
{
	w->next = NULL;
	w->prev = p->last;
	if (p->last)
		p->last->next = w;
	else
		p->first = w;
	p->last = w;
}

static void unlist(struct promise *p, struct waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		p->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		p->last = w->prev;
}

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;
	struct promise *p = w->promise;

	if (!claim(w, LEAVING))
		return;
	eio__lock(&p->lock);
	unlist(p, w);
	eio__unlock(&p->lock);
	eio__wake(f);
}

static const struct eio__wait waiting = {.what = "promise", .cancel = leave};
static const struct eio__wait waiting_protected = {.what = "promise"};

/* The result of a resolved promise, which the caller may free next: not before the one
 * who resolved it has let go of the lock. */
static int result(struct promise *p, void **ret_value)
{
	eio__lock(&p->lock);
	eio__unlock(&p->lock);
	if (ret_value)
		*ret_value = p->value;
	return p->rc;
}

static int await(struct promise *p, struct eio__fiber *f, void **ret_value,
		 const struct eio__wait *wait)
{
	struct waiter w = {.promise = p, .fiber = f, .state = LISTED};

	eio__lock(&p->lock);
	if (is_resolved(p)) {
		eio__unlock(&p->lock);
		return result(p, ret_value);
	}
	list(p, &w);
	eio__unlock(&p->lock);
	eio__suspend(f, wait, &w);
	if (w.state == LEAVING)
		return eio__canceled(f);
	if (ret_value)
		*ret_value = w.value;
	return w.rc;
}

/* The failure that comes out of a promise is not the caller's own older one. */
static int settled(struct eio__fiber *f, int rc)
{
	if (f && rc < 0)
		eio__error_inherit(f, rc, NULL);
	return rc;
}

int eio_promise_await(struct eio_promise *pub, void **ret_value)
{
	struct promise *p = promise_of(pub);
	struct eio__fiber *f = eio__self();
	int rc;

	if (f) {
		rc = eio__check(f);
		if (rc < 0)
			return rc;
	}
	if (is_resolved(p))
		return settled(f, result(p, ret_value));
	return f ? settled(f, await(p, f, ret_value, &waiting)) : -EPERM;
}

int eio_promise_await_protected(struct eio_promise *pub, void **ret_value)
{
	struct promise *p = promise_of(pub);
	struct eio__fiber *f = eio__self();

	if (is_resolved(p))
		return settled(f, result(p, ret_value));
	return f ? settled(f, await(p, f, ret_value, &waiting_protected)) : -EPERM;
}

/* Claims every waiter, waiting for those that are leaving; called with the lock held. */
static void claim_all(struct promise *p)
{
	struct waiter *w = p->first;

	while (w) {
		if (__atomic_load_n(&w->state, __ATOMIC_RELAXED) == WOKEN || claim(w, WOKEN)) {
			w = w->next;
			continue;
		}
		eio__unlock(&p->lock);
		eio__cpu_relax();
		eio__lock(&p->lock);
		w = p->first;
	}
}

int eio_promise_resolve(struct eio_promise *pub, int rc, void *value)
{
	struct promise *p = promise_of(pub);
	struct waiter *w, *next;

	if (rc == -ECANCELED)
		rc = EIO_EABANDONED;
	eio__lock(&p->lock);
	if (p->resolved) {
		eio__unlock(&p->lock);
		return -EALREADY;
	}
	claim_all(p);
	if (p->resolved) { /* while claim_all had let go of the lock */
		eio__unlock(&p->lock);
		return -EALREADY;
	}
	p->rc = rc;
	p->value = value;
	w = p->first;
	p->first = p->last = NULL;
	__atomic_store_n(&p->resolved, 1, __ATOMIC_RELEASE);
	eio__unlock(&p->lock);

	for (; w; w = next) {
		next = w->next;
		w->rc = rc;
		w->value = value;
		eio__wake_any(w->fiber);
	}
	return 0;
}

bool eio_promise_peek(struct eio_promise *pub, int *ret_rc, void **ret_value)
{
	struct promise *p = promise_of(pub);
	int rc;

	if (!is_resolved(p))
		return false;
	rc = result(p, ret_value);
	if (ret_rc)
		*ret_rc = rc;
	return true;
}
