/* SPDX-License-Identifier: ISC */
/*
 * Stacks of fibers, with the fiber's record at the top of its own stack.
 *
 *   low addresses                                              page end
 *   | guard, 64 KiB | usable, default 64 KiB … frames | record | colour |
 *
 * Record and first frames share a page, so a blocked fiber costs one. The record ends
 * colour bytes below the page end, (slot mod 24) x 64, so that the records of many
 * fibers do not compete for the same cache sets; the distance of two stacks is an odd
 * number of pages, so that their pages do not compete for the same sets of the TLB.
 *
 * Stacks come from slabs: one mapping for 64 stacks, the next for twice as many, and so
 * on. Inside a slab they are prepared 64 at a time: guards installed, and from the
 * second batch on the top pages populated, by one call each where the kernel can.
 * A stack that was used goes to the hot list, last in first out; a slab is unmapped when
 * the domain ends. When the domain is about to sleep and the hot list is long, the deep
 * parts of some are given back and those go to the cold list.
 */
#ifndef EIO__STACK_H
#define EIO__STACK_H

#include <stdbool.h>
#include <stddef.h>

struct eio__fiber;
struct eio__slab;

enum {
	EIO__GUARD = 64 * 1024, /* at least */
	EIO__STACK_DEFAULT = 64 * 1024,
	EIO__STACK_BATCH = 64,
	EIO__COLOURS = 24, /* 23 x 64 bytes leave 2.5 KiB of a page */
};

struct eio__stacks {
	struct eio__fiber *hot, *cold; /* free, linked by next */
	size_t n_hot;
	size_t usable, stride;   /* bytes of a stack, without and with its guard */
	struct eio__slab *slabs; /* the newest first: the only one with unused stacks */
};

/* 0 or -EINVAL. */
int eio__stacks_init(struct eio__stacks *s, size_t usable);
void eio__stacks_fini(struct eio__stacks *s);

/* The record of a free stack, when the hot list is empty: all zero if it is fresh, as its
 * last fiber left it if not. NULL: the reason is in *ret_why, a static text, and *ret_err. */
struct eio__fiber *eio__stack_make(struct eio__stacks *s, int *ret_err, const char **ret_why);

/* Gives the deep parts of 64 stacks back, leaving the 64 hottest alone. */
void eio__stacks_trim(struct eio__stacks *s);

static inline bool eio__stacks_want_trim(const struct eio__stacks *s)
{
	return s->n_hot > 2 * EIO__STACK_BATCH;
}

#endif
