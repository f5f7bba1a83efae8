/* SPDX-License-Identifier: ISC */
#include "core/mutex.h"
#include "core/log.h"

#include <stdio.h>
#include <string.h>

/* Beside the lock's own bit. */
enum {
	WAITED = 2,
	POISONED = 4,
	PROTECTED = 8,
	FLAGS = EIO__LOCKED | WAITED | POISONED | PROTECTED,
};

_Static_assert(_Alignof(struct eio__fiber) > FLAGS, "a holder's address has no room for flags");

struct waiter {
	struct eio__waiter w;
	uint64_t holder; /* when it came, if of the same domain: for dumps */
	int rc;
};

/* The holder that a mutex's word names; NULL: none. */
static const struct eio__fiber *holder(uintptr_t bits)
{
	return (const struct eio__fiber *) (bits & ~(uintptr_t) FLAGS);
}

bool eio__mutex_is_held_by(const struct eio__mutex *m, const struct eio__fiber *f)
{
	return f && holder(eio__lock_peek(&m->lock)) == f;
}

/* The word of a mutex that has a holder. */
static uintptr_t held_by(const struct eio__mutex *m, const struct eio__fiber *f)
{
	return (uintptr_t) f | (m->waiters.first ? WAITED : 0);
}

/* In a dump. The mutex may be gone when the waiter has been woken and not run yet, so only
 * the record is looked at. */
static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct waiter *w = arg;

	(void) f;
	if (w->holder)
		snprintf(buf, size, "mutex %p, held by fiber %llu when it came", (void *) w->w.lock,
			 (unsigned long long) w->holder);
	else
		snprintf(buf, size, "mutex %p, held in another domain when it came",
			 (void *) w->w.lock);
}

static const struct eio__wait waiting = {
	.what = "mutex",
	.cancel = eio__waiter_leave,
	.describe = describe,
};

static const struct eio__wait waiting_protected = {
	.what = "mutex",
	.describe = describe,
};

void eio_mutex_init(struct eio_mutex *m)
{
	memset(m, 0, sizeof(*m));
}

static __attribute__((noinline)) int lock_slowly(struct eio__mutex *m, struct eio__fiber *f,
						 const struct eio__wait *wait)
{
	uintptr_t bits = eio__lock(&m->lock);
	const struct eio__fiber *h = holder(bits);
	struct waiter w;
	int rc;

	if (bits & POISONED) {
		eio__unlock_to(&m->lock, bits);
		return EIO_EPOISONED;
	}
	if (h == f) {
		eio__unlock_to(&m->lock, bits);
		return -EDEADLK;
	}
	if (!h || !wait) {
		eio__unlock_to(&m->lock, h ? bits : held_by(m, f));
		return h ? -EBUSY : 0;
	}
	w.holder = h->domain == f->domain ? h->id : 0;
	eio__waiters_add(&m->waiters, &w.w, &m->lock, f);
	eio__unlock_to(&m->lock, bits | WAITED);
	rc = eio__waiter_await(&w.w, wait);
	return rc < 0 ? rc : w.rc;
}

int eio_mutex_lock(struct eio_mutex *pub)
{
	struct eio__mutex *m = eio__mutex_of(pub);
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		return -EPERM;
	if (unlikely(f->ctx->err))
		return eio__canceled(f);
	if (likely(eio__lock_change(&m->lock, 0, (uintptr_t) f)))
		return 0;
	return lock_slowly(m, f, &waiting);
}

int eio__mutex_lock_protected(struct eio__mutex *m, struct eio__fiber *f)
{
	return lock_slowly(m, f, &waiting_protected);
}

int eio_mutex_try_lock(struct eio_mutex *pub)
{
	struct eio__mutex *m = eio__mutex_of(pub);
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		return -EPERM;
	if (likely(eio__lock_change(&m->lock, 0, (uintptr_t) f)))
		return 0;
	return lock_slowly(m, f, NULL);
}

static __attribute__((noinline)) int unlock_slowly(struct eio__mutex *m, struct eio__fiber *f)
{
	uintptr_t bits = eio__lock(&m->lock);
	struct eio__waiter *next;

	if (!f || holder(bits) != f) {
		eio__unlock_to(&m->lock, bits);
		return -EPERM;
	}
	if (bits & PROTECTED) {
		eio__unlock_to(&m->lock, bits);
		eio__fatal("mutex unlocked while the innermost open scope is a " EIO__CTX_FORMAT,
			   EIO__CTX_ARGS(f->ctx));
	}
	next = eio__waiters_claim(&m->waiters);
	if (next)
		eio__container_of(next, struct waiter, w)->rc = 0;
	/* From here on the mutex may be gone. */
	eio__unlock_to(&m->lock, next ? held_by(m, next->fiber) : 0);
	if (next)
		eio__waiter_wake(next);
	return 0;
}

int eio_mutex_unlock(struct eio_mutex *pub)
{
	struct eio__mutex *m = eio__mutex_of(pub);
	struct eio__fiber *f = eio__self();

	if (likely(f && eio__lock_change(&m->lock, (uintptr_t) f, 0)))
		return 0;
	return unlock_slowly(m, f);
}

void eio__mutex_poison(struct eio__mutex *m)
{
	uintptr_t bits = eio__lock(&m->lock);
	struct eio__waiter *w = eio__waiters_claim_all(&m->waiters, &m->lock, &bits);

	for (struct eio__waiter *it = w; it; it = it->next)
		eio__container_of(it, struct waiter, w)->rc = EIO_EPOISONED;
	eio__unlock_to(&m->lock, POISONED);
	eio__waiters_wake(w);
}

bool eio__mutex_is_poisoned(const struct eio__mutex *m)
{
	return eio__lock_peek(&m->lock) & POISONED;
}

/* Sections */

/* The holder's: whether its section is protected is in the word, so that a plain unlock
 * does not take the short way. */
static void set_protected(struct eio__mutex *m, bool protected)
{
	uintptr_t bits = eio__lock(&m->lock) & ~(uintptr_t) PROTECTED;

	eio__unlock_to(&m->lock, bits | (protected ? PROTECTED : 0));
}

static bool is_protected(const struct eio__mutex *m)
{
	return eio__lock_peek(&m->lock) & PROTECTED;
}

int eio_mutex_rw_begin(struct eio_mutex *pub, bool protect)
{
	struct eio__mutex *m = eio__mutex_of(pub);
	int rc = eio_mutex_lock(pub);

	if (rc < 0)
		return rc;
	if (protect) {
		set_protected(m, true);
		eio__ctx_enter(eio__self(), &m->shield, "protected section", true);
	}
	return 0;
}

int eio_mutex_rw_end(struct eio_mutex *pub, int rc)
{
	struct eio__mutex *m = eio__mutex_of(pub);
	struct eio__fiber *f = eio__self();

	if (!eio__mutex_is_held_by(m, f))
		return rc < 0 && eio__mutex_is_poisoned(m) ? rc : -EPERM;
	if (is_protected(m)) {
		eio__ctx_leave(f, &m->shield);
		set_protected(m, false);
	}
	if (rc < 0)
		eio__mutex_poison(m);
	else
		eio_mutex_unlock(pub);
	return rc;
}

void eio__mutex_leave_section(struct eio__mutex *m, struct eio__fiber *f, struct eio__section *s)
{
	s->protected = is_protected(m);
	if (!s->protected)
		return;
	eio__ctx_move(f, &s->shield, &m->shield);
	set_protected(m, false);
}

void eio__mutex_resume_section(struct eio__mutex *m, struct eio__fiber *f, struct eio__section *s)
{
	if (!s->protected)
		return;
	set_protected(m, true);
	eio__ctx_move(f, &m->shield, &s->shield);
}

void eio__mutex_drop_section(struct eio__fiber *f, struct eio__section *s)
{
	if (s->protected)
		eio__ctx_dissolve(f, &s->shield);
}

int eio_mutex_rw_run(struct eio_mutex *m, bool protect, eio_fn *fn, void *arg)
{
	int rc = eio_mutex_rw_begin(m, protect);

	return rc < 0 ? rc : eio_mutex_rw_end(m, fn(arg));
}

int eio_mutex_ro_begin(struct eio_mutex *m)
{
	return eio_mutex_lock(m);
}

void eio_mutex_ro_end(struct eio_mutex *m)
{
	eio_mutex_unlock(m);
}

int eio_mutex_ro_run(struct eio_mutex *m, eio_fn *fn, void *arg)
{
	int rc = eio_mutex_ro_begin(m);

	if (rc < 0)
		return rc;
	rc = fn(arg);
	eio_mutex_ro_end(m);
	return rc;
}
