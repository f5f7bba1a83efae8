/* SPDX-License-Identifier: ISC */
/*
 * A min-heap of deadlines whose nodes are members of the elements: a pairing heap of runs.
 *
 * Inserting cannot fail and allocates nothing, so that opening a time limit cannot
 * fail either. Inserting and removing an inner node touch a handful of links, which is
 * what most timers do; taking the smallest is logarithmic on average. Nodes with the
 * same deadline come out in no particular order, so the key is (deadline, sequence).
 *
 * Most programs set deadlines at a few fixed distances from now. Of each distance they come in
 * order, and so they are kept: a deadline is put behind the latest of those before it that are
 * the end of a run, and gets into the heap when those before it have gone. Until then nobody
 * compares it with others, nor touches it. A few runs are open for that.
 *
 * Children form a list: child is the first, next the following sibling, prev the
 * sibling before or, for the first child, the parent. run is who comes behind in the run,
 * whose prev is the one before it; who is behind another has neither children nor siblings.
 */
#ifndef EIO__HEAP_H
#define EIO__HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eio__heap_node {
	struct eio__heap_node *child, *next, *prev, *run;
	int64_t key;
	uint64_t seq;
};

enum { EIO__HEAP_RUNS = 16 };

/* Of an open run. */
struct eio__heap_run {
	struct eio__heap_node *last;
	int64_t key; /* the last's */
};

struct eio__heap {
	struct eio__heap_node *root;
	uint64_t seq;
	unsigned open;
	struct eio__heap_run runs[EIO__HEAP_RUNS]; /* the open ones, the latest end first */
};

static inline bool eio__heap_less(const struct eio__heap_node *a, const struct eio__heap_node *b)
{
	return a->key < b->key || (a->key == b->key && a->seq < b->seq);
}

/* Makes the larger of two roots the first child of the smaller. */
static inline struct eio__heap_node *eio__heap_meld(struct eio__heap_node *a,
						    struct eio__heap_node *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (eio__heap_less(b, a)) {
		struct eio__heap_node *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* Melds a list of siblings in pairs, then the pairs from the last to the first. */
static inline struct eio__heap_node *eio__heap_merge(struct eio__heap_node *list)
{
	struct eio__heap_node *pairs = NULL, *root = NULL;

	while (list) {
		struct eio__heap_node *a = list, *b = a->next, *pair;

		list = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		pair = eio__heap_meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct eio__heap_node *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		root = eio__heap_meld(root, pair);
	}
	return root;
}

/* Nothing is put behind this run any more. */
static inline void eio__heap_close(struct eio__heap *h, unsigned i)
{
	for (h->open--; i < h->open; i++)
		h->runs[i] = h->runs[i + 1];
}

static inline void eio__heap_insert(struct eio__heap *h, struct eio__heap_node *n, int64_t key)
{
	unsigned i = 0;

	n->child = n->next = n->prev = n->run = NULL;
	n->key = key;
	n->seq = h->seq++;
	while (i < h->open && h->runs[i].key > key)
		i++;
	if (i < h->open) {
		n->prev = h->runs[i].last;
		n->prev->run = n;
	} else {
		h->root = eio__heap_meld(h->root, n);
		if (h->open == EIO__HEAP_RUNS) /* the latest end: the least fits behind it */
			eio__heap_close(h, 0);
		i = h->open++;
	}
	h->runs[i] = (struct eio__heap_run){n, key};
}

/* Is it behind another in a run? */
static inline bool eio__heap_is_behind(const struct eio__heap_node *n)
{
	return n->prev && n->prev->run == n;
}

/* The last of a run leaves: it ends with @p before then, or is no more if that is NULL. */
static inline void eio__heap_shorten(struct eio__heap *h, const struct eio__heap_node *n,
				     struct eio__heap_node *before)
{
	unsigned i = 0;

	while (i < h->open && h->runs[i].last != n)
		i++;
	if (i == h->open)
		return; /* it was not open any more */
	if (!before) {
		eio__heap_close(h, i);
		return;
	}
	for (; i + 1 < h->open && h->runs[i + 1].key > before->key; i++)
		h->runs[i] = h->runs[i + 1];
	h->runs[i] = (struct eio__heap_run){before, before->key};
}

static inline void eio__heap_leave_run(struct eio__heap *h, struct eio__heap_node *n)
{
	n->prev->run = n->run;
	if (n->run)
		n->run->prev = n->prev;
	else
		eio__heap_shorten(h, n, n->prev);
}

/* What takes the place of a node in the heap: all that is below it and behind it. */
static inline struct eio__heap_node *eio__heap_rest(struct eio__heap *h, struct eio__heap_node *n)
{
	if (!n->run)
		eio__heap_shorten(h, n, NULL);
	return eio__heap_meld(eio__heap_merge(n->child), n->run);
}

static inline void eio__heap_remove(struct eio__heap *h, struct eio__heap_node *n)
{
	struct eio__heap_node *rest;

	if (eio__heap_is_behind(n)) {
		eio__heap_leave_run(h, n);
		return;
	}
	rest = eio__heap_rest(h, n);
	if (h->root == n) {
		h->root = rest;
	} else {
		if (n->prev->child == n)
			n->prev->child = n->next;
		else
			n->prev->next = n->next;
		if (n->next)
			n->next->prev = n->prev;
		h->root = eio__heap_meld(h->root, rest);
	}
	if (h->root)
		h->root->prev = h->root->next = NULL;
}

#endif
