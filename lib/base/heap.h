/* SPDX-License-Identifier: ISC */
/*
 * A min-heap of deadlines whose nodes are members of the elements: a heap of runs.
 *
 * Most programs set deadlines at a few fixed distances from now. Of each distance they come in
 * order, and so they are kept: a deadline is put behind the latest of those before it that are
 * the end of a run. A run is a list in order; a few of them are open, which means that nodes may
 * be put behind their ends. Setting such a deadline and taking it away touch only its
 * neighbours in the run.
 *
 * The runs are in a heap with four children a node, by the keys of their first nodes, in one
 * array: nodes lie on the stacks of fibers, where each is a page of its own, and are touched only
 * when they come or go. For that a node knows the key of the next one as well. Nodes near
 * the root come out soon, and are fetched into the cache. The array grows twofold; an empty heap
 * gives a large one back.
 *
 * Nodes with the same key come out in the order in which they were put in.
 *
 * Inserting cannot fail, so that opening a time limit cannot fail either: where memory for more
 * runs is refused, a node that fits behind no run gets into the midst of one, which takes as many
 * steps as there are nodes before it.
 */
#ifndef EIO__HEAP_H
#define EIO__HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eio__heap_node {
	struct eio__heap_node *prev; /* in its run; of the first one, anything */
	struct eio__heap_node *next; /* NULL: the last one */
	int64_t key, next_key;       /* the latter if there is a next one */
	uint64_t seq;                /* grows with every insertion */
	uint32_t run;
};

enum {
	EIO__HEAP_OPEN = 16,
	EIO__HEAP_FEW = 4,
};

struct eio__heap_entry {
	int64_t key; /* of the run's first node */
	uint32_t run;
};

struct eio__heap_run {
	struct eio__heap_node *first;
	uint32_t at; /* its place in the heap */
};

/* Of an open run. */
struct eio__heap_end {
	struct eio__heap_node *last;
	int64_t key; /* the last's */
};

/* All zero is an empty one. It stays where it is while there is anything in it. */
struct eio__heap {
	/* The first count of them are the heap; the others are the numbers of unused runs. */
	struct eio__heap_entry *entries;
	struct eio__heap_run *runs; /* behind the entries in the same block */
	uint32_t count, room;
	uint32_t open;
	uint64_t seq;
	struct eio__heap_end ends[EIO__HEAP_OPEN]; /* of the open runs, the latest first */
	struct {
		struct eio__heap_entry entries[EIO__HEAP_FEW];
		struct eio__heap_run runs[EIO__HEAP_FEW];
	} few; /* the block while it is enough */
};

/* Inserts @p n, which stays where it is until it is removed. */
void eio__heap_insert(struct eio__heap *h, struct eio__heap_node *n, int64_t key);

/* Removes @p n, which is in it. */
void eio__heap_remove(struct eio__heap *h, struct eio__heap_node *n);

/* Makes room for so many runs. Of no more than that many nodes insertions allocate nothing then.
 * False: there is no memory. */
bool eio__heap_reserve(struct eio__heap *h, uint32_t runs);

/* Gives back the memory. */
void eio__heap_fini(struct eio__heap *h);

static inline bool eio__heap_is_empty(const struct eio__heap *h)
{
	return h->count == 0;
}

/* The least key; INT64_MAX if it is empty. */
static inline int64_t eio__heap_least(const struct eio__heap *h)
{
	return h->count ? h->entries[0].key : INT64_MAX;
}

/* Who has the least key, if that is @p limit or less; else NULL. */
static inline struct eio__heap_node *eio__heap_due(const struct eio__heap *h, int64_t limit)
{
	return h->count && h->entries[0].key <= limit ? h->runs[h->entries[0].run].first : NULL;
}

/* Who has the least key; NULL if it is empty. */
static inline struct eio__heap_node *eio__heap_first(const struct eio__heap *h)
{
	return eio__heap_due(h, INT64_MAX);
}

#endif
