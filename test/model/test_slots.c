/* SPDX-License-Identifier: ISC */
/*
 * Free slots of the process: threads take them at the same time and give them back, while there
 * are none, so that each of them makes a chunk. Chunks are small here.
 */
#include "model/domain.h"
#include "uring/fd.h"

#include <stdlib.h>
#include <string.h>

static unsigned *kept; /* chunks made and not freed */

static void *make(size_t size)
{
	++*kept;
	return model_alloc("chunk", size);
}

static void give_up(void *chunk)
{
	--*kept;
	model_free(chunk);
}

#define EIO__CHUNK      4
#define calloc(n, size) make((n) * (size))
#define free(p)         give_up(p)
#include "uring/slots.c" /* for what is static there */
#undef calloc
#undef free

enum { THREADS = 2, MOST = 4 };

/* What a thread has taken. */
struct hand {
	struct eio__slot *slots[MOST];
	unsigned n, wanted;
};

static struct hand *hands;

/* What the model needs of the table is here. */
void model_table(bool matters)
{
	(void) matters;
}

static void take(void *arg)
{
	struct hand *h = arg;
	struct eio__slot *s;

	while (h->n < h->wanted && (s = eio__slot_take()))
		h->slots[h->n++] = s;
}

static void take_and_give_back(void *arg)
{
	struct hand *h = arg;

	take(arg);
	while (h->n)
		eio__slot_free(h->slots[--h->n]);
}

/* The standard descriptors' three are not for the taking, so the first chunk has one. */
static void an_empty_table(void)
{
	memset(eio__chunks, 0, sizeof(eio__chunks));
	table.first = NULL;
	table.end = &table.first;
	table.chunks = 0;
	table.lock = (struct eio__lock){0};
	model_region("table", &table, sizeof(table));
	model_region("chunks", eio__chunks, THREADS * MOST * sizeof(eio__chunks[0]));
	kept = model_alloc("count", sizeof(*kept));
	hands = model_alloc("hands", THREADS * sizeof(*hands));
}

static void threads(void (*fn)(void *arg), unsigned first, unsigned second)
{
	an_empty_table();
	hands[0].wanted = first;
	hands[1].wanted = second;
	model_thread("first", fn, &hands[0]);
	model_thread("second", fn, &hands[1]);
}

/* How often a slot is somebody's, or on the list. */
static unsigned times(const struct eio__slot *slot)
{
	unsigned n = 0;

	for (const struct eio__slot *s = table.first; s; s = s->next)
		n += s == slot;
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned j = 0; j < hands[i].n; j++)
			n += hands[i].slots[j] == slot;
	}
	return n;
}

static void each_is_there_once(void)
{
	for (uint32_t i = STDERR_FILENO + 1; i < table.chunks * EIO__CHUNK; i++) {
		const struct eio__slot *s = &eio__chunks[i / EIO__CHUNK][i % EIO__CHUNK];

		model_expect(s->index == i, "slot %u has the number %u", i, s->index);
		model_expect(times(s) == 1, "slot %u is there %u times", i, times(s));
	}
	model_expect(*kept == table.chunks, "a chunk is lost");
	model_expect(table.first ? !*table.end : table.end == &table.first, "the end is elsewhere");
}

/* No more chunks than are needed: what a thread made in vain is freed. */
static void all_have_theirs(void)
{
	unsigned taken = hands[0].n + hands[1].n;

	model_expect(hands[0].n == hands[0].wanted && hands[1].n == hands[1].wanted, "too few");
	model_expect(table.chunks == (taken + STDERR_FILENO) / EIO__CHUNK + 1, "%u chunks for %u",
		     table.chunks, taken);
	each_is_there_once();
}

static void one_each(void)
{
	threads(take, 1, 1);
}

static void two_each(void)
{
	threads(take, 2, 2);
}

static void one_takes_many(void)
{
	threads(take, MOST, 1);
}

MODEL_HOLDS(two_that_find_no_slot_get_different_ones, one_each, all_have_theirs, 1e3)
MODEL_HOLDS(two_that_take_more_get_different_ones, two_each, all_have_theirs, 1e4)
MODEL_HOLDS(one_may_take_what_another_made, one_takes_many, all_have_theirs, 1e4)

static void given_back(void)
{
	threads(take_and_give_back, 2, 1);
}

MODEL_HOLDS(what_is_given_back_is_there_once, given_back, each_is_there_once, 1e4)

MODEL_SUITE("slots", two_that_find_no_slot_get_different_ones_test,
	    two_that_take_more_get_different_ones_test, one_may_take_what_another_made_test,
	    what_is_given_back_is_there_once_test)
