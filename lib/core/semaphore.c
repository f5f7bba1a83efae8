/* SPDX-License-Identifier: ISC */
/*
 * A semaphore's free units are in the lock's word, so that taking and giving one back is
 * one compare-and-swap while nobody waits. There are no free units while somebody does: a
 * release hands its unit to the first waiter.
 */
#include "core/waiters.h"

#include <eio/sync.h>
#include <limits.h>

/* In the lock's word. */
enum {
	WAITED = 2, /* somebody may be on the list */
	UNIT = 4,
};

struct semaphore {
	struct eio__lock lock;
	struct eio__waiters waiters;
};

_Static_assert(sizeof(struct semaphore) <= sizeof(struct eio_semaphore),
	       "eio_semaphore is too small");

static struct semaphore *semaphore_of(const struct eio_semaphore *s)
{
	return (struct semaphore *) s;
}

static const struct eio__wait waiting = {
	.what = "semaphore",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

void eio_semaphore_init(struct eio_semaphore *pub, unsigned n)
{
	*semaphore_of(pub) = (struct semaphore){.lock.word = (uintptr_t) n * UNIT};
}

/* Takes a unit if there is one. With @p f, waits for one. */
static int acquire(struct semaphore *s, struct eio__fiber *f)
{
	uintptr_t bits = eio__lock_peek(&s->lock);
	struct eio__waiter w;

	if (likely(bits >= UNIT && !(bits & (EIO__LOCKED | WAITED)) &&
		   eio__lock_change(&s->lock, bits, bits - UNIT)))
		return 0;
	bits = eio__lock(&s->lock);
	if (bits >= UNIT || !f) {
		eio__unlock_to(&s->lock, bits >= UNIT ? bits - UNIT : bits);
		return bits >= UNIT ? 0 : -EAGAIN;
	}
	eio__waiters_add(&s->waiters, &w, &s->lock, f);
	eio__unlock_to(&s->lock, bits | WAITED);
	return eio__waiter_await(&w, &waiting);
}

int eio_semaphore_acquire(struct eio_semaphore *s)
{
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		return -EPERM;
	if (unlikely(f->ctx->err))
		return eio__canceled(f);
	return acquire(semaphore_of(s), f);
}

int eio_semaphore_try_acquire(struct eio_semaphore *s)
{
	return acquire(semaphore_of(s), NULL);
}

void eio_semaphore_release(struct eio_semaphore *pub)
{
	struct semaphore *s = semaphore_of(pub);
	uintptr_t bits = eio__lock_peek(&s->lock);
	struct eio__waiter *w;

	if (likely(!(bits & (EIO__LOCKED | WAITED)) &&
		   eio__lock_change(&s->lock, bits, bits + UNIT)))
		return;
	bits = eio__lock(&s->lock) & ~(uintptr_t) WAITED;
	w = eio__waiters_claim(&s->waiters);
	if (!w)
		bits += UNIT;
	/* From here on the semaphore may be gone. */
	eio__unlock_to(&s->lock, bits | (s->waiters.first ? WAITED : 0));
	if (w)
		eio__waiter_wake(w);
}

unsigned eio_semaphore_value(const struct eio_semaphore *s)
{
	uintptr_t units = eio__lock_peek(&semaphore_of(s)->lock) / UNIT;

	return units < UINT_MAX ? (unsigned) units : UINT_MAX;
}
