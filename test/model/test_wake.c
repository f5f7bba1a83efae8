/* SPDX-License-Identifier: ISC */
/*
 * The inbox, the waker and the domain's sleep: what others push is not lost, and the
 * domain may end as soon as it has what it waits for.
 */
#include "model/domain.h"

enum { NODES = 3 };

struct node {
	struct eio__inbox_node node;
	unsigned number;
};

struct box {
	struct node nodes[NODES];
	unsigned order[NODES];
	unsigned n;
	struct eio__fiber *fiber;
};

static struct box *box;

static unsigned domain;

static void arrive(struct eio__inbox_node *n)
{
	box->order[box->n++] = eio__container_of(n, struct node, node)->number;
	if (box->n == NODES)
		eio__wake(box->fiber);
}

static void await_all(void *arg)
{
	static const struct eio__wait wait = {.what = "nodes"};

	(void) arg;
	box->fiber = eio__self();
	eio__suspend(eio__self(), &wait, NULL);
	model_expect(box->n == NODES, "woken after %u", box->n);
}

static void push(unsigned number)
{
	struct eio__waker *w = model_waker(domain);

	eio__waker_pin(w);
	eio__waker_push(w, &box->nodes[number].node);
	eio__waker_unpin(w);
}

static void push_two(void *arg)
{
	(void) arg;
	push(0);
	push(1);
}

static void push_one(void *arg)
{
	(void) arg;
	push(2);
}

static void all_in_order(void)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < NODES; i++) {
		model_expect(!(seen & 1u << box->order[i]), "one came twice");
		model_expect(box->order[i] != 1 || seen & 1, "the second came first");
		seen |= 1u << box->order[i];
	}
}

static void make_box(void)
{
	model_machine(false);
	box = model_alloc("box", sizeof(*box));
	for (unsigned i = 0; i < NODES; i++)
		box->nodes[i] = (struct node){{NULL, arrive}, i};
	domain = model_domain("sleeper", await_all, NULL);
}

static void two_pushers(void)
{
	make_box();
	model_large();
	model_thread("first", push_two, NULL);
	model_thread("second", push_one, NULL);
}

MODEL_HOLDS(what_two_push_wakes_the_sleeper_once_each_in_order, two_pushers, all_in_order, 1e6)

/* A handler on the sleeper's own thread, at any of its steps. */
static void pusher_and_handler(void)
{
	make_box();
	model_handler(domain, push_one, NULL);
	model_thread("first", push_two, NULL);
}

MODEL_HOLDS(a_handler_may_push_to_the_thread_it_interrupts, pusher_and_handler, all_in_order, 1e5)

MODEL_SUITE("wake", what_two_push_wakes_the_sleeper_once_each_in_order_test,
	    a_handler_may_push_to_the_thread_it_interrupts_test)
