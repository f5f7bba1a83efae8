/* SPDX-License-Identifier: ISC */
#include "support.h"
#include "base/heap.h"

/* The model: an array sorted by key and, among equal ones, by the time of insertion. */

enum { NODES = 400 };

static struct eio__heap_node nodes[NODES];
static struct eio__heap_node *sorted[NODES];
static size_t used;
static unsigned seed;

static unsigned pick(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

static void model_insert(struct eio__heap_node *n)
{
	size_t at = used;

	while (at > 0 && sorted[at - 1]->key > n->key)
		at--;
	memmove(&sorted[at + 1], &sorted[at], (used - at) * sizeof(sorted[0]));
	sorted[at] = n;
	used++;
}

static void model_remove(size_t at)
{
	used--;
	memmove(&sorted[at], &sorted[at + 1], (used - at) * sizeof(sorted[0]));
}

static size_t model_place(const struct eio__heap_node *n)
{
	size_t at = 0;

	while (at < used && sorted[at] != n)
		at++;
	return at;
}

/* Who is behind a node in its run; how many. */
static size_t check_behind(const struct eio__heap_node *head)
{
	size_t n = 0;

	for (; head->run; head = head->run, n++) {
		if (head->run->prev != head || !eio__heap_less(head, head->run) ||
		    head->run->child || head->run->next)
			ck_abort_msg("a broken run");
	}
	return n;
}

/* Links and order of the whole heap; how many nodes it has. */
static size_t check_below(const struct eio__heap_node *parent)
{
	const struct eio__heap_node *prev = parent;
	size_t n = 1 + check_behind(parent);

	for (struct eio__heap_node *c = parent->child; c; prev = c, c = c->next) {
		if (c->prev != prev || !eio__heap_less(parent, c))
			ck_abort_msg("a broken link, or a child before its parent");
		n += check_below(c);
	}
	return n;
}

static void check_heap(const struct eio__heap *h)
{
	for (unsigned i = 0; i < h->open; i++) {
		const struct eio__heap_run *r = &h->runs[i];

		if (model_place(r->last) == used || r->last->run || r->last->key != r->key)
			ck_abort_msg("an open run that does not end there");
		/* Two end alike when one has lost what came later. */
		if (i > 0 && r->key > r[-1].key)
			ck_abort_msg("open runs in disorder");
	}
	if (!h->root) {
		ck_assert_uint_eq(used, 0);
		return;
	}
	ck_assert_ptr_eq(h->root, sorted[0]);
	ck_assert_ptr_null(h->root->next);
	ck_assert_ptr_null(h->root->prev);
	ck_assert_uint_eq(check_below(h->root), used);
}

static void step(struct eio__heap *h, unsigned keys)
{
	struct eio__heap_node *n = &nodes[pick(NODES)];
	size_t at = model_place(n);

	if (at < used) {
		eio__heap_remove(h, n);
		model_remove(at);
	} else if (used > 0 && pick(4) == 0) {
		n = h->root;
		eio__heap_remove(h, n);
		model_remove(model_place(n));
	} else {
		eio__heap_insert(h, n, (int64_t) pick(keys) - keys / 2);
		model_insert(n);
	}
}

static void run_random(unsigned start, unsigned keys)
{
	struct eio__heap h = {0};

	seed = start;
	used = 0;
	for (int i = 0; i < 2000; i++) {
		step(&h, keys);
		if (i % 8 == 0)
			check_heap(&h);
	}
	while (used) {
		if (h.root != sorted[0])
			ck_abort_msg("%zu nodes left: not the least", used);
		eio__heap_remove(&h, h.root);
		model_remove(0);
	}
	check_heap(&h);
}

START_TEST(random_operations_agree_with_a_sorted_array)
{
	for (unsigned start = 1; start <= 10; start++)
		run_random(start, 1000000);
}
END_TEST

START_TEST(equal_keys_come_out_in_the_order_they_went_in)
{
	for (unsigned start = 1; start <= 40; start++) {
		run_random(start, 1);
		run_random(start, 5);
		run_random(start, 50);
	}
}
END_TEST

/* The first of these ends where the second does, once its own end has gone. */
START_TEST(open_runs_may_end_alike)
{
	static const int order[] = {0, 2, 3};
	struct eio__heap h = {0};

	eio__heap_insert(&h, &nodes[0], 5);
	eio__heap_insert(&h, &nodes[1], 9);
	eio__heap_insert(&h, &nodes[2], 5);
	eio__heap_remove(&h, &nodes[1]);
	ck_assert_uint_eq(h.open, 2);
	ck_assert_int_eq(h.runs[0].key, h.runs[1].key);
	eio__heap_insert(&h, &nodes[3], 5);
	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_eq(h.root, &nodes[order[i]]);
		eio__heap_remove(&h, h.root);
	}
	ck_assert_ptr_null(h.root);
	ck_assert_uint_eq(h.open, 0);
}
END_TEST

START_TEST(extreme_keys_are_in_order)
{
	static const int64_t keys[] = {0, INT64_MAX, INT64_MIN, -1, INT64_MAX - 1, 1};
	static const int64_t order[] = {INT64_MIN, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
	struct eio__heap h = {0};

	for (int i = 0; i < 6; i++)
		eio__heap_insert(&h, &nodes[i], keys[i]);
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(h.root->key, order[i]);
		eio__heap_remove(&h, h.root);
	}
	ck_assert_ptr_null(h.root);
}
END_TEST

/* The heap itself has one for each distance. */
START_TEST(deadlines_at_a_few_distances_from_now_are_only_put_behind_each_other)
{
	static const int distances[] = {10, 1000, 30, 1000};
	struct eio__heap h = {0};

	for (int i = 0; i < NODES; i++)
		eio__heap_insert(&h, &nodes[i], i + distances[i % 4]);
	for (int i = 0; i < NODES; i++)
		ck_assert_int_eq(eio__heap_is_behind(&nodes[i]), i != 0 && i != 2 && i != 4);
	/* One that is taken away leaves the run to the others. */
	eio__heap_remove(&h, &nodes[200]);
	eio__heap_remove(&h, &nodes[NODES - 1]);
	eio__heap_insert(&h, &nodes[200], NODES + 1000);
	ck_assert_ptr_eq(nodes[200].prev, &nodes[NODES - 3]);
	ck_assert_ptr_eq(nodes[204].prev, &nodes[196]);
}
END_TEST

/* Only so many runs are open; those that end last are given up. */
START_TEST(falling_deadlines_begin_runs_of_their_own)
{
	struct eio__heap h = {0};

	for (int i = 0; i < EIO__HEAP_RUNS + 2; i++)
		eio__heap_insert(&h, &nodes[i], 100 - i);
	ck_assert_uint_eq(h.open, EIO__HEAP_RUNS);
	eio__heap_insert(&h, &nodes[NODES - 1], 200);
	ck_assert_ptr_eq(nodes[NODES - 1].prev, &nodes[2]);
	ck_assert_ptr_null(nodes[0].run);
	ck_assert_ptr_null(nodes[1].run);
}
END_TEST

static void expect_ascending(struct eio__heap *h, int n)
{
	for (int i = 0; i < n; i++) {
		if (h->root->key != i)
			ck_abort_msg("%d: %lld", i, (long long) h->root->key);
		eio__heap_remove(h, h->root);
	}
	ck_assert_ptr_null(h->root);
}

/* The shapes that make lists of children as long as they get. */
START_TEST(many_nodes_in_rising_and_falling_order)
{
	enum { N = SANITIZED ? 20000 : 300000 };
	struct eio__heap_node *many = calloc(N, sizeof(*many));
	struct eio__heap h = {0};

	for (int i = 0; i < N; i++)
		eio__heap_insert(&h, &many[i], i);
	expect_ascending(&h, N);
	for (int i = N - 1; i >= 0; i--)
		eio__heap_insert(&h, &many[i], i);
	expect_ascending(&h, N);
	free(many);
}
END_TEST

SUITE_MAIN("heap", false, random_operations_agree_with_a_sorted_array,
	   equal_keys_come_out_in_the_order_they_went_in, open_runs_may_end_alike,
	   extreme_keys_are_in_order,
	   deadlines_at_a_few_distances_from_now_are_only_put_behind_each_other,
	   falling_deadlines_begin_runs_of_their_own, many_nodes_in_rising_and_falling_order)
