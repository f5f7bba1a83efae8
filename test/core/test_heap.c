/* SPDX-License-Identifier: ISC */
/*
 * The code is part of this program, so that it can be refused memory.
 */
#include "support.h"

#include <stdlib.h>

static unsigned allocations;
static bool refused; /* from now on */

static void *allocate(size_t alignment, size_t size)
{
	allocations++;
	return refused ? NULL : aligned_alloc(alignment, size);
}

#define aligned_alloc allocate
#include "base/heap.c"
#undef aligned_alloc

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

static bool is_before(const struct eio__heap_node *a, const struct eio__heap_node *b)
{
	return a->key < b->key || (a->key == b->key && a->seq < b->seq);
}

/* Links and order of a run; how many nodes it has. */
static size_t check_run(const struct eio__heap *h, uint32_t run)
{
	const struct eio__heap_node *n = h->runs[run].first;
	size_t count = 1;

	for (; n->next; n = n->next, count++) {
		if (n->run != run || n->next->prev != n || n->next_key != n->next->key ||
		    !is_before(n, n->next))
			ck_abort_msg("a broken run");
	}
	ck_assert_uint_eq(n->run, run);
	return count;
}

static void check_open_runs(const struct eio__heap *h)
{
	for (unsigned i = 0; i < h->open; i++) {
		const struct eio__heap_end *e = &h->ends[i];

		if (model_place(e->last) == used || e->last->next || e->last->key != e->key)
			ck_abort_msg("an open run that does not end there");
		/* Two end alike when one has lost what came later. */
		if (i > 0 && e->key > e[-1].key)
			ck_abort_msg("open runs in disorder");
	}
}

/* Each run once in the array, which has the rest of the numbers behind them. */
static void check_numbers(const struct eio__heap *h)
{
	bool *seen = calloc(h->room + 1, sizeof(*seen));

	for (uint32_t i = 0; i < h->room; i++) {
		uint32_t run = h->entries[i].run;

		if (run >= h->room || seen[run])
			ck_abort_msg("a number that is none, or is there twice");
		seen[run] = true;
	}
	free(seen);
}

/* Links and order of the whole heap. */
static void check_heap(const struct eio__heap *h)
{
	size_t n = 0;

	check_open_runs(h);
	check_numbers(h);
	for (uint32_t i = 0; i < h->count; i++) {
		const struct eio__heap_run *run = &h->runs[h->entries[i].run];

		if (run->at != i || run->first->key != h->entries[i].key)
			ck_abort_msg("a run that is not where it says");
		if (i > 0 &&
		    !is_before(h->runs[h->entries[(i - 1) / CHILDREN].run].first, run->first))
			ck_abort_msg("a child before its parent");
		n += check_run(h, h->entries[i].run);
	}
	ck_assert_uint_eq(n, used);
	ck_assert_ptr_eq(eio__heap_first(h), used ? sorted[0] : NULL);
}

static void step(struct eio__heap *h, unsigned keys)
{
	struct eio__heap_node *n = &nodes[pick(NODES)];
	size_t at = model_place(n);

	if (at < used) {
		eio__heap_remove(h, n);
		model_remove(at);
	} else if (used > 0 && pick(4) == 0) {
		n = eio__heap_first(h);
		eio__heap_remove(h, n);
		model_remove(model_place(n));
	} else {
		eio__heap_insert(h, n, (int64_t) pick(keys) - keys / 2);
		model_insert(n);
	}
}

static void run_random(unsigned start, unsigned keys, int refuse_after)
{
	struct eio__heap h = {0};

	seed = start;
	used = 0;
	refused = false;
	for (int i = 0; i < 2000; i++) {
		if (i == refuse_after)
			refused = true;
		step(&h, keys);
		if (i % 8 == 0)
			check_heap(&h);
	}
	while (used) {
		if (eio__heap_first(&h) != sorted[0])
			ck_abort_msg("%zu nodes left: not the least", used);
		eio__heap_remove(&h, sorted[0]);
		model_remove(0);
	}
	check_heap(&h);
	eio__heap_fini(&h);
	refused = false;
}

START_TEST(random_operations_agree_with_a_sorted_array)
{
	for (unsigned start = 1; start <= 10; start++)
		run_random(start, 1000000, -1);
}
END_TEST

/* From the beginning, and in the midst: of falling deadlines each would be a run of its own. */
START_TEST(without_memory_deadlines_are_kept_all_the_same)
{
	struct eio__heap h = {0};

	for (unsigned start = 1; start <= 10; start++) {
		run_random(start, 1000000, 0);
		run_random(start, 1000000, 20 * (int) start);
		run_random(start, 5, 0);
		run_random(start, 50, 30);
	}
	refused = true;
	used = 0;
	for (int i = 0; i < NODES; i++) {
		eio__heap_insert(&h, &nodes[i], NODES - i);
		model_insert(&nodes[i]);
	}
	refused = false;
	check_heap(&h);
	ck_assert_uint_eq(h.count, EIO__HEAP_FEW);
	/* There is some again. */
	eio__heap_remove(&h, &nodes[NODES - 1]);
	eio__heap_insert(&h, &nodes[NODES - 1], 0);
	model_remove(0);
	model_insert(&nodes[NODES - 1]);
	check_heap(&h);
	ck_assert_uint_gt(h.count, EIO__HEAP_FEW);
	eio__heap_fini(&h);
}
END_TEST

START_TEST(reserved_room_is_enough_for_so_many_nodes)
{
	struct eio__heap h = {0};

	ck_assert(eio__heap_reserve(&h, NODES));
	allocations = 0;
	for (int i = 0; i < NODES; i++)
		eio__heap_insert(&h, &nodes[i], -i);
	ck_assert_uint_eq(allocations, 0);
	ck_assert_uint_ge(h.count, NODES - 1);
	eio__heap_fini(&h);
	refused = true;
	ck_assert(eio__heap_reserve(&h, EIO__HEAP_FEW));
	ck_assert(!eio__heap_reserve(&h, EIO__HEAP_FEW + 1));
	refused = false;
	eio__heap_fini(&h);
}
END_TEST

/* A small block is kept, so that a limit that is set and taken away again allocates nothing. */
START_TEST(an_empty_heap_gives_a_large_block_back)
{
	enum { N = 2 * KEPT };
	struct eio__heap_node *many = calloc(N, sizeof(*many));
	struct eio__heap h = {0};

	for (int n = 100; n <= N; n = n == N ? n + 1 : N) {
		for (int i = 0; i < n; i++)
			eio__heap_insert(&h, &many[i], -i);
		ck_assert_uint_ge(h.room, n);
		for (int i = 0; i < n; i++)
			eio__heap_remove(&h, &many[i]);
		ck_assert_int_eq(h.room > 0, n == 100);
	}
	eio__heap_insert(&h, &many[0], 1);
	ck_assert_ptr_eq(eio__heap_first(&h), &many[0]);
	eio__heap_fini(&h);
	free(many);
}
END_TEST

START_TEST(what_is_due_is_told_by_its_key)
{
	struct eio__heap h = {0};

	ck_assert_ptr_null(eio__heap_due(&h, INT64_MAX));
	ck_assert_int_eq(eio__heap_least(&h), INT64_MAX);
	eio__heap_insert(&h, &nodes[0], 5);
	ck_assert_int_eq(eio__heap_least(&h), 5);
	ck_assert_ptr_null(eio__heap_due(&h, 4));
	ck_assert_ptr_eq(eio__heap_due(&h, 5), &nodes[0]);
	eio__heap_fini(&h);
}
END_TEST

START_TEST(equal_keys_come_out_in_the_order_they_went_in)
{
	for (unsigned start = 1; start <= 40; start++) {
		run_random(start, 1, -1);
		run_random(start, 5, -1);
		run_random(start, 50, -1);
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
	ck_assert_int_eq(h.ends[0].key, h.ends[1].key);
	eio__heap_insert(&h, &nodes[3], 5);
	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_eq(eio__heap_first(&h), &nodes[order[i]]);
		eio__heap_remove(&h, &nodes[order[i]]);
	}
	ck_assert(eio__heap_is_empty(&h));
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
		ck_assert_int_eq(eio__heap_least(&h), order[i]);
		eio__heap_remove(&h, eio__heap_first(&h));
	}
	ck_assert(eio__heap_is_empty(&h));
	eio__heap_fini(&h);
}
END_TEST

/* The heap has one run for each distance. */
START_TEST(deadlines_at_a_few_distances_from_now_are_only_put_behind_each_other)
{
	static const int distances[] = {10, 1000, 30, 1000};
	struct eio__heap h = {0};

	for (int i = 0; i < NODES; i++)
		eio__heap_insert(&h, &nodes[i], i + distances[i % 4]);
	ck_assert_uint_eq(h.count, 3);
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

	for (int i = 0; i < EIO__HEAP_OPEN + 2; i++)
		eio__heap_insert(&h, &nodes[i], 100 - i);
	ck_assert_uint_eq(h.open, EIO__HEAP_OPEN);
	eio__heap_insert(&h, &nodes[NODES - 1], 200);
	ck_assert_ptr_eq(nodes[NODES - 1].prev, &nodes[2]);
	ck_assert_ptr_null(nodes[0].next);
	ck_assert_ptr_null(nodes[1].next);
	eio__heap_fini(&h);
}
END_TEST

static void expect_ascending(struct eio__heap *h, int n)
{
	for (int i = 0; i < n; i++) {
		if (eio__heap_least(h) != i)
			ck_abort_msg("%d: %lld", i, (long long) eio__heap_least(h));
		eio__heap_remove(h, eio__heap_first(h));
	}
	ck_assert(eio__heap_is_empty(h));
}

/* The shapes with the longest run, and with the most runs. */
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
	eio__heap_fini(&h);
	free(many);
}
END_TEST

SUITE_MAIN("heap", false, random_operations_agree_with_a_sorted_array,
	   equal_keys_come_out_in_the_order_they_went_in, open_runs_may_end_alike,
	   extreme_keys_are_in_order,
	   deadlines_at_a_few_distances_from_now_are_only_put_behind_each_other,
	   falling_deadlines_begin_runs_of_their_own, many_nodes_in_rising_and_falling_order,
	   without_memory_deadlines_are_kept_all_the_same,
	   reserved_room_is_enough_for_so_many_nodes, an_empty_heap_gives_a_large_block_back,
	   what_is_due_is_told_by_its_key)
