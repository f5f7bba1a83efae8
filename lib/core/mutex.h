/* SPDX-License-Identifier: ISC */
/*
 * Mutexes from the inside (see <eio/sync.h>).
 *
 * The lock's word is the whole state, so that taking a free mutex is one compare-and-swap
 * and so is releasing one that nobody waits for:
 *   0                     free
 *   holder                held; nobody waits
 *   holder | WAITED       held; somebody may be waiting
 *   holder | PROTECTED    held, in a protected section; with or without WAITED
 *   POISONED              for good
 * A release hands the mutex to the first waiter: it is never free while somebody waits.
 */
#ifndef EIO__MUTEX_H
#define EIO__MUTEX_H

#include "core/waiters.h"

#include <eio/sync.h>

struct eio__mutex {
	struct eio__lock lock;
	struct eio__waiters waiters;
	struct eio__ctx shield; /* of the protected section */
};

_Static_assert(sizeof(struct eio__mutex) <= sizeof(struct eio_mutex), "eio_mutex is too small");

static inline struct eio__mutex *eio__mutex_of(const struct eio_mutex *m)
{
	return (struct eio__mutex *) m;
}

bool eio__mutex_is_held_by(const struct eio__mutex *m, const struct eio__fiber *f);

/*
 * While a holder waits for a condition, its section's shield is not in the mutex, where the
 * next one's may be, but with the fiber. It comes back with the mutex; if that was poisoned
 * the section is over, and so is its protection.
 */
struct eio__section {
	bool protected;
	struct eio__ctx shield;
};

void eio__mutex_leave_section(struct eio__mutex *m, struct eio__fiber *f, struct eio__section *s);
void eio__mutex_resume_section(struct eio__mutex *m, struct eio__fiber *f, struct eio__section *s);
void eio__mutex_drop_section(struct eio__fiber *f, struct eio__section *s);

/* The holder's: everybody who waits or comes gets EIO_EPOISONED. The mutex may be gone when
 * this returns. */
void eio__mutex_poison(struct eio__mutex *m);

/* What was written before the poisoning is seen then. */
bool eio__mutex_is_poisoned(const struct eio__mutex *m);

/* Takes the mutex whatever the context says. 0 or EIO_EPOISONED. */
int eio__mutex_lock_protected(struct eio__mutex *m, struct eio__fiber *f);

#endif
