/* SPDX-License-Identifier: ISC */
/*
 * A min-heap of deadlines whose nodes are members of the elements: a pairing heap.
 *
 * Inserting cannot fail and allocates nothing, so that opening a time limit cannot
 * fail either. Inserting and removing an inner node touch a handful of links, which is
 * what most timers do; taking the smallest is logarithmic on average. Nodes with the
 * same deadline come out in no particular order, so the key is (deadline, sequence).
 *
 * Children form a list: child is the first, next the following sibling, prev the
 * sibling before or, for the first child, the parent.
 */
#ifndef EIO__HEAP_H
#define EIO__HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eio__heap_node {
	struct eio__heap_node *child, *next, *prev;
	int64_t key;
	uint64_t seq;
};

struct eio__heap {
	struct eio__heap_node *root;
	uint64_t seq;
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

static inline void eio__heap_insert(struct eio__heap *h, struct eio__heap_node *n, int64_t key)
{
	n->child = n->next = n->prev = NULL;
	n->key = key;
	n->seq = h->seq++;
	h->root = eio__heap_meld(h->root, n);
}

static inline void eio__heap_remove(struct eio__heap *h, struct eio__heap_node *n)
{
	struct eio__heap_node *below = eio__heap_merge(n->child);

	if (h->root == n) {
		h->root = below;
	} else {
		if (n->prev->child == n)
			n->prev->child = n->next;
		else
			n->prev->next = n->next;
		if (n->next)
			n->next->prev = n->prev;
		h->root = eio__heap_meld(h->root, below);
	}
	if (h->root)
		h->root->prev = h->root->next = NULL;
}

#endif
