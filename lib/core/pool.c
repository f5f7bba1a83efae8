/* SPDX-License-Identifier: ISC */
/*
 * A pool is a stack of idle items and a count of all there are, in use or idle. Who may
 * make one counts it first; if that fails, the place goes to the next one who waits. So
 * somebody waits only while max items are in use or being made.
 */
#include "core/waiters.h"

#include <eio/pool.h>
#include <stdlib.h>

struct pool {
	struct eio__lock lock;
	struct eio__waiters waiters;
	const struct eio_pool_ops *ops;
	void *arg;
	size_t max;
	size_t count; /* items there are; more than max after acquire_never_block */
	size_t idle;
	size_t leaving; /* surplus ones on their way out, not counted any more */
	void **items;   /* the idle ones, up to max */
};

_Static_assert(sizeof(struct pool) <= sizeof(struct eio_pool), "eio_pool is too small");

/* Is woken with an item, or with the leave to make one. */
struct waiter {
	struct eio__waiter w;
	void *item;
	bool has_item;
};

static struct pool *pool_of(struct eio_pool *p)
{
	return (struct pool *) p;
}

static const struct eio__wait waiting = {
	.what = "pool",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

int eio_pool_init(struct eio_pool *pub, size_t max, const struct eio_pool_ops *ops, void *arg)
{
	struct pool p = {.ops = ops, .arg = arg, .max = max};

	if (max == 0 || !ops->alloc)
		return -EINVAL;
	p.items = reallocarray(NULL, max, sizeof(*p.items));
	if (!p.items)
		return -ENOMEM;
	*pool_of(pub) = p;
	return 0;
}

/*
 * The item's functions may suspend, for a farewell or a trial, also if the caller has been
 * cancelled: that is not the item's fault. A pool may be ended where there are no fibers.
 */

struct shield {
	struct eio__fiber *fiber;
	struct eio__ctx ctx;
};

static void raise_shield(struct shield *s)
{
	s->fiber = eio__self();
	if (s->fiber)
		eio__ctx_enter(s->fiber, &s->ctx, "pool's protected call", true);
}

static void lower_shield(struct shield *s)
{
	if (s->fiber)
		eio__ctx_leave(s->fiber, &s->ctx);
}

static void dispose(struct pool *p, void *item)
{
	struct shield s;

	if (!p->ops->dispose)
		return;
	raise_shield(&s);
	p->ops->dispose(item, p->arg);
	lower_shield(&s);
}

static bool is_valid(struct pool *p, void *item)
{
	struct shield s;
	bool valid;

	if (!p->ops->validate)
		return true;
	raise_shield(&s);
	valid = p->ops->validate(item, p->arg);
	lower_shield(&s);
	return valid;
}

/* A place was counted for nothing: the next one who waits may use it, if it is not beyond
 * max. */
static void give_up_place(struct pool *p)
{
	struct eio__waiter *w;

	eio__lock(&p->lock);
	w = p->count > p->max ? NULL : eio__waiters_claim(&p->waiters);
	if (w)
		eio__container_of(w, struct waiter, w)->has_item = false;
	else
		p->count--;
	eio__unlock(&p->lock);
	if (w)
		eio__waiter_wake(w);
}

/* The caller's place is counted. */
static int make(struct pool *p, void **ret_item)
{
	int rc = p->ops->alloc(ret_item, p->arg);

	if (rc < 0)
		give_up_place(p);
	return rc < 0 ? rc : 0;
}

/* An item that was used before, or a new one in its place. */
static int reuse(struct pool *p, void *item, void **ret_item)
{
	if (is_valid(p, item)) {
		*ret_item = item;
		return 0;
	}
	dispose(p, item);
	return make(p, ret_item);
}

/* The pool is in use until the item has ended. */
static void dispose_surplus(struct pool *p, void *item)
{
	dispose(p, item);
	eio__lock(&p->lock);
	p->leaving--;
	eio__unlock(&p->lock);
}

static int acquire(struct pool *p, void **ret_item, bool never_block)
{
	struct eio__fiber *f;
	struct waiter w;
	void *item;
	int rc = eio__enter(&f);

	if (rc < 0)
		return rc;
	eio__lock(&p->lock);
	if (p->idle) {
		item = p->items[--p->idle];
		eio__unlock(&p->lock);
		return reuse(p, item, ret_item);
	}
	if (p->count < p->max || never_block) {
		p->count++;
		eio__unlock(&p->lock);
		return make(p, ret_item);
	}
	eio__waiters_add(&p->waiters, &w.w, &p->lock, f);
	eio__unlock(&p->lock);
	rc = eio__waiter_await(&w.w, &waiting);
	if (rc < 0)
		return rc;
	return w.has_item ? reuse(p, w.item, ret_item) : make(p, ret_item);
}

int eio_pool_acquire(struct eio_pool *p, void **ret_item)
{
	return acquire(pool_of(p), ret_item, false);
}

int eio_pool_acquire_never_block(struct eio_pool *p, void **ret_item)
{
	return acquire(pool_of(p), ret_item, true);
}

void eio_pool_release(struct eio_pool *pub, void *item)
{
	struct pool *p = pool_of(pub);
	struct eio__waiter *w;
	bool surplus = false;

	eio__lock(&p->lock);
	w = eio__waiters_claim(&p->waiters);
	if (w) {
		eio__container_of(w, struct waiter, w)->item = item;
		eio__container_of(w, struct waiter, w)->has_item = true;
	} else if (p->count > p->max) {
		p->count--;
		p->leaving++;
		surplus = true;
	} else {
		p->items[p->idle++] = item;
	}
	eio__unlock(&p->lock);
	if (w)
		eio__waiter_wake(w);
	if (surplus)
		dispose_surplus(p, item);
}

int eio_pool_fini(struct eio_pool *pub)
{
	struct pool *p = pool_of(pub);
	bool busy;

	eio__lock(&p->lock);
	busy = p->count != p->idle || p->leaving || p->waiters.first;
	eio__unlock(&p->lock);
	if (busy)
		return -EBUSY;
	while (p->idle)
		dispose(p, p->items[--p->idle]);
	free(p->items);
	p->items = NULL;
	p->count = p->max = 0;
	return 0;
}
