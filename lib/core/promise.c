/* SPDX-License-Identifier: ISC */
/*
 * A promise is a list of waiters and the result. Resolving gives the result to every
 * waiter; by the time one runs the promise may be gone. The unlock that publishes is the
 * resolver's last touch of it, so who finds it resolved need not lock.
 */
#include "core/error.h"
#include "core/waiters.h"

#include <eio/promise.h>

enum { RESOLVED = 2 }; /* in the lock's word */

struct result {
	int rc;
	void *value;
	uint64_t details; /* of a failure: eio__error_share */
};

struct promise {
	struct eio__lock lock;
	struct eio__waiters waiters;
	struct result result; /* once it is resolved */
};

_Static_assert(sizeof(struct promise) <= sizeof(struct eio_promise), "eio_promise is too small");

struct waiter {
	struct eio__waiter w;
	struct result result;
};

static struct promise *promise_of(struct eio_promise *p)
{
	return (struct promise *) p;
}

static bool is_resolved(const struct promise *p)
{
	return eio__lock_peek(&p->lock) & RESOLVED;
}

static const struct eio__wait waiting = {
	.what = "promise",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

static const struct eio__wait waiting_protected = {
	.what = "promise",
	.describe = eio__waiter_describe,
};

static int await(struct promise *p, struct eio__fiber *f, struct result *ret,
		 const struct eio__wait *wait)
{
	struct waiter w;
	uintptr_t bits = eio__lock(&p->lock);
	int rc;

	if (bits & RESOLVED) {
		eio__unlock_to(&p->lock, bits);
		*ret = p->result;
		return 0;
	}
	eio__waiters_add(&p->waiters, &w.w, &p->lock, f);
	eio__unlock_to(&p->lock, bits);
	rc = eio__waiter_await(&w.w, wait);
	if (rc == 0)
		*ret = w.result;
	return rc;
}

/* What comes out of the promise; a failure brings its details. */
static int deliver(struct eio__fiber *f, const struct result *r, void **ret_value)
{
	if (f && unlikely(r->rc < 0))
		eio__error_adopt(f, r->rc, r->details);
	if (ret_value)
		*ret_value = r->value;
	return r->rc;
}

int eio_promise_await(struct eio_promise *pub, void **ret_value)
{
	struct promise *p = promise_of(pub);
	struct eio__fiber *f = eio__self();
	struct result r;
	int rc;

	if (f && unlikely(f->ctx->err))
		return eio__canceled(f);
	if (is_resolved(p))
		return deliver(f, &p->result, ret_value);
	if (!f)
		return -EPERM;
	rc = await(p, f, &r, &waiting);
	return rc < 0 ? rc : deliver(f, &r, ret_value);
}

int eio_promise_await_protected(struct eio_promise *pub, void **ret_value)
{
	struct promise *p = promise_of(pub);
	struct eio__fiber *f = eio__self();
	struct result r;

	if (is_resolved(p))
		return deliver(f, &p->result, ret_value);
	if (!f)
		return -EPERM;
	await(p, f, &r, &waiting_protected);
	return deliver(f, &r, ret_value);
}

int eio_promise_resolve(struct eio_promise *pub, int rc, void *value)
{
	struct promise *p = promise_of(pub);
	struct result r = {.rc = rc == -ECANCELED ? EIO_EABANDONED : rc, .value = value};
	struct eio__waiter *w = NULL;
	uintptr_t bits;

	if (unlikely(rc < 0))
		r.details = eio__error_share(rc);
	bits = eio__lock(&p->lock);
	if (p->waiters.first && !(bits & RESOLVED))
		w = eio__waiters_claim_all(&p->waiters, &p->lock, &bits);
	if (bits & RESOLVED) {
		eio__unlock_to(&p->lock, bits);
		return -EALREADY;
	}
	for (struct eio__waiter *it = w; it; it = it->next)
		eio__container_of(it, struct waiter, w)->result = r;
	p->result = r;
	eio__unlock_to(&p->lock, bits | RESOLVED);
	eio__waiters_wake(w);
	return 0;
}

bool eio_promise_peek(struct eio_promise *pub, int *ret_rc, void **ret_value)
{
	struct promise *p = promise_of(pub);

	if (!is_resolved(p))
		return false;
	if (ret_rc)
		*ret_rc = p->result.rc;
	if (ret_value)
		*ret_value = p->result.value;
	return true;
}
