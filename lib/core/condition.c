/* SPDX-License-Identifier: ISC */
/*
 * A condition is a list of waiters. For loops it also counts signals: one that comes while
 * the loop's function runs, so that the fiber is not on the list, shows in the count.
 */
#include "core/mutex.h"

#include <string.h>

/* In the lock's word; without them a signal has nothing to do. */
enum {
	WAITED = 2, /* somebody may be on the list */
	LOOPED = 4, /* somebody loops */
};

struct condition {
	struct eio__lock lock;
	struct eio__waiters waiters;
	unsigned loops;
	uint64_t signals; /* counted while somebody loops */
};

_Static_assert(sizeof(struct condition) <= sizeof(struct eio_condition),
	       "eio_condition is too small");

static struct condition *condition_of(struct eio_condition *c)
{
	return (struct condition *) c;
}

static const struct eio__wait waiting = {
	.what = "condition",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

void eio_condition_init(struct eio_condition *c)
{
	memset(c, 0, sizeof(*c));
}

/* Puts the fiber on the list and unlocks. */
static void enlist(struct condition *c, struct eio__waiter *w, struct eio__fiber *f, uintptr_t bits)
{
	eio__waiters_add(&c->waiters, w, &c->lock, f);
	eio__unlock_to(&c->lock, bits | WAITED);
}

int eio_condition_await(struct eio_condition *pub, struct eio_mutex *mutex)
{
	struct condition *c = condition_of(pub);
	struct eio__mutex *m = eio__mutex_of(mutex);
	struct eio__fiber *f = eio__self();
	struct eio__section section;
	struct eio__waiter w;
	int rc, locked;

	if (!eio__mutex_is_held_by(m, f))
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	enlist(c, &w, f, eio__lock(&c->lock));
	eio__mutex_leave_section(m, f, &section);
	eio_mutex_unlock(mutex);
	rc = eio__waiter_await(&w, &waiting);
	locked = eio__mutex_lock_protected(m, f);
	if (locked < 0) {
		eio__mutex_drop_section(f, &section);
		return locked;
	}
	eio__mutex_resume_section(m, f, &section);
	return rc;
}

int eio_condition_await_no_mutex(struct eio_condition *pub)
{
	struct condition *c = condition_of(pub);
	struct eio__fiber *f;
	struct eio__waiter w;
	int rc = eio__enter(&f);

	if (rc < 0)
		return rc;
	enlist(c, &w, f, eio__lock(&c->lock));
	return eio__waiter_await(&w, &waiting);
}

/* The word for the present state, its lock's bit left out. */
static uintptr_t word(const struct condition *c)
{
	return (c->waiters.first ? WAITED : 0) | (c->loops ? LOOPED : 0);
}

/* Does a signal have anything to do? What the caller changed before it is seen by a loop
 * whose registration is not: one of the two fences comes first. */
static bool is_idle(const struct condition *c)
{
	if (!eio__single_threaded())
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return eio__lock_peek(&c->lock) == 0;
}

void eio_condition_signal(struct eio_condition *pub)
{
	struct condition *c = condition_of(pub);
	struct eio__waiter *w;

	if (is_idle(c))
		return;
	eio__lock(&c->lock);
	c->signals++;
	w = eio__waiters_claim(&c->waiters);
	eio__unlock_to(&c->lock, word(c));
	if (w)
		eio__waiter_wake(w);
}

void eio_condition_broadcast(struct eio_condition *pub)
{
	struct condition *c = condition_of(pub);
	struct eio__waiter *w;
	uintptr_t bits;

	if (is_idle(c))
		return;
	bits = eio__lock(&c->lock);
	c->signals++;
	w = eio__waiters_claim_all(&c->waiters, &c->lock, &bits);
	eio__unlock_to(&c->lock, word(c));
	eio__waiters_wake(w);
}

/* One more loop, or one less. */
static void count_loop(struct condition *c, int change)
{
	eio__lock(&c->lock);
	c->loops += (unsigned) change;
	eio__unlock_to(&c->lock, word(c));
	if (!eio__single_threaded())
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint64_t count_signals(struct condition *c)
{
	uintptr_t bits = eio__lock(&c->lock);
	uint64_t signals = c->signals;

	eio__unlock_to(&c->lock, bits);
	return signals;
}

/* Waits until there were more signals than @p seen. */
static int await_signal(struct condition *c, struct eio__fiber *f, uint64_t seen)
{
	struct eio__waiter w;
	uintptr_t bits;
	int rc = eio__check(f);

	if (rc < 0)
		return rc;
	bits = eio__lock(&c->lock);
	if (c->signals != seen) {
		eio__unlock_to(&c->lock, bits);
		return 0;
	}
	enlist(c, &w, f, bits);
	return eio__waiter_await(&w, &waiting);
}

int eio_condition_loop_no_mutex(struct eio_condition *pub, eio_fn *fn, void *arg)
{
	struct condition *c = condition_of(pub);
	struct eio__fiber *f;
	int rc = eio__enter(&f);

	if (rc < 0)
		return rc;
	count_loop(c, 1);
	do {
		uint64_t seen = count_signals(c);

		rc = fn(arg);
		if (rc != 0)
			break;
		rc = await_signal(c, f, seen);
	} while (rc == 0);
	count_loop(c, -1);
	return rc;
}
