/* SPDX-License-Identifier: ISC */
/*
 * The queue other threads and signal handlers put wake-ups into: many producers, one
 * consumer, lock-free, always with real atomics because a handler may run on the
 * consumer's own thread.
 *
 * It is a stack that the consumer takes whole and turns round, so nodes come out in
 * the order they went in. A node is in at most one place; its owner sees to that.
 */
#ifndef EIO__INBOX_H
#define EIO__INBOX_H

#include <stdbool.h>
#include <stddef.h>

struct eio__inbox_node {
	struct eio__inbox_node *next;
	void (*fn)(struct eio__inbox_node *node); /* called by the consumer */
};

struct eio__inbox {
	struct eio__inbox_node *top;
};

static inline void eio__inbox_push(struct eio__inbox *in, struct eio__inbox_node *n)
{
	struct eio__inbox_node *top = __atomic_load_n(&in->top, __ATOMIC_RELAXED);

	do
		n->next = top;
	while (!__atomic_compare_exchange_n(&in->top, &top, n, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
}

static inline bool eio__inbox_empty(const struct eio__inbox *in)
{
	return !__atomic_load_n(&in->top, __ATOMIC_RELAXED);
}

/* Calls every node's function in order. A node may be pushed again from then on. */
static inline void eio__inbox_drain(struct eio__inbox *in)
{
	struct eio__inbox_node *n = __atomic_exchange_n(&in->top, NULL, __ATOMIC_ACQUIRE);
	struct eio__inbox_node *first = NULL;

	while (n) {
		struct eio__inbox_node *next = n->next;

		n->next = first;
		first = n;
		n = next;
	}
	while (first) {
		n = first;
		first = n->next;
		n->fn(n);
	}
}

#endif
