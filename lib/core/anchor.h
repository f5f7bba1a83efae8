/* SPDX-License-Identifier: ISC */
/*
 * What references to a domain lead to: memory that is never freed, so that who has an old one
 * may look whether the domain is still there. Only domains that give references have one.
 *
 * The word is the domain's number, and below it how many callers hold the domain at the moment:
 *   free     0             on the list
 *   in use   number, pins  each pin adds one
 *   closing  0, pins       no new ones; the domain's end waits until there are none left
 * A number is used once, so an old reference finds no other domain, whoever has its anchor now.
 */
#ifndef EIO__ANCHOR_H
#define EIO__ANCHOR_H

#include "base/lock.h"

#include <stddef.h>

struct eio__domain;

struct eio__anchor {
	uint64_t word;
	struct eio__domain *domain;
	struct eio__anchor *next;  /* while free */
	struct eio__anchor *older; /* of all */
};

/* More than there can be threads. */
#define EIO__ANCHOR_PINS (((uint64_t) 1 << 23) - 1)

/* The calling thread's domain gets one; NULL for want of memory, or of numbers after 2^41. */
struct eio__anchor *eio__anchor_begin(struct eio__domain *d);

/* Waits for those who hold the domain. */
void eio__anchor_end(struct eio__anchor *a);

/* From any thread: the domain of this number, which stays until the unpin; NULL: it has ended. */
static inline struct eio__domain *eio__anchor_pin(struct eio__anchor *a, uint64_t id)
{
	uint64_t word = __atomic_load_n(&a->word, __ATOMIC_RELAXED);

	do {
		if ((word & ~EIO__ANCHOR_PINS) != id * (EIO__ANCHOR_PINS + 1))
			return NULL;
	} while (!eio__cas64(&a->word, &word, word + 1));
	return a->domain;
}

/* The release orders all that was done with the domain before its end. */
static inline void eio__anchor_unpin(struct eio__anchor *a)
{
	__atomic_sub_fetch(&a->word, 1, __ATOMIC_RELEASE);
}

/* In the child of a fork: there are no such domains here. */
void eio__anchors_forget(void);

#endif
