/* SPDX-License-Identifier: ISC */
#include "base/heap.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHILDREN = 4,
	NEAR = 1 + CHILDREN + CHILDREN * CHILDREN, /* two levels below the root */
	LINE = 64,
	KEPT = 4096, /* runs for which an empty one keeps its block */
};

/* The heap of runs */

static bool is_older(const struct eio__heap *h, uint32_t a, uint32_t b)
{
	return h->runs[a].first->seq < h->runs[b].first->seq;
}

static inline bool less(const struct eio__heap *h, struct eio__heap_entry a,
			struct eio__heap_entry b)
{
	return __builtin_expect(a.key == b.key, 0) ? is_older(h, a.run, b.run) : a.key < b.key;
}

static inline void put(struct eio__heap *h, uint32_t at, struct eio__heap_entry e)
{
	struct eio__heap_run *run = &h->runs[e.run];

	h->entries[at] = e;
	run->at = at;
	if (at < NEAR) {
		__builtin_prefetch((const void **) run->first - 1, 1); /* its owner's */
		__builtin_prefetch(run->first + 1, 1);
	}
}

static void move_up(struct eio__heap *h, uint32_t at, struct eio__heap_entry e)
{
	while (at > 0 && less(h, e, h->entries[(at - 1) / CHILDREN])) {
		put(h, at, h->entries[(at - 1) / CHILDREN]);
		at = (at - 1) / CHILDREN;
	}
	put(h, at, e);
}

static inline uint32_t lesser(const struct eio__heap *h, uint32_t a, uint32_t b)
{
	return less(h, h->entries[b], h->entries[a]) ? b : a;
}

/* The least of the children that begin at @p first. */
static inline uint32_t least_child(const struct eio__heap *h, uint32_t first)
{
	uint32_t least = first;

	if (first + CHILDREN <= h->count)
		return lesser(h, lesser(h, first, first + 1), lesser(h, first + 2, first + 3));
	while (++first < h->count)
		least = lesser(h, least, first);
	return least;
}

static void move_down(struct eio__heap *h, uint32_t at, struct eio__heap_entry e)
{
	uint32_t first, least;

	while ((first = CHILDREN * at + 1) < h->count) {
		least = least_child(h, first);
		if (less(h, e, h->entries[least]))
			break;
		put(h, at, h->entries[least]);
		at = least;
	}
	put(h, at, e);
}

/* The last of the heap takes the place of a run that is no more. */
static void drop_run(struct eio__heap *h, uint32_t run)
{
	uint32_t at = h->runs[run].at;
	struct eio__heap_entry last = h->entries[--h->count];

	h->entries[h->count].run = run;
	if (at == h->count)
		return;
	if (at > 0 && less(h, last, h->entries[(at - 1) / CHILDREN]))
		move_up(h, at, last);
	else
		move_down(h, at, last);
}

/* Memory */

static void use_block(struct eio__heap *h, void *block, uint32_t room)
{
	h->entries = block;
	h->runs = (struct eio__heap_run *) (h->entries + room);
	for (uint32_t run = h->room; run < room; run++)
		h->entries[run].run = run;
	h->room = room;
}

static void free_block(struct eio__heap *h)
{
	if (h->entries != h->few.entries)
		free(h->entries);
}

/* Room for twice as many runs; false: there is no memory. */
static bool grow(struct eio__heap *h)
{
	size_t room = 2 * (size_t) h->room;
	struct eio__heap_entry *block;

	if (h->room == 0) {
		use_block(h, &h->few, EIO__HEAP_FEW);
		return true;
	}
	if (room > UINT32_MAX / CHILDREN)
		return false;
	block = aligned_alloc(LINE, room * (sizeof(*h->entries) + sizeof(*h->runs)));
	if (!block)
		return false;
	memcpy(block, h->entries, h->room * sizeof(*h->entries));
	memcpy(block + room, h->runs, h->room * sizeof(*h->runs));
	free_block(h);
	use_block(h, block, (uint32_t) room);
	return true;
}

bool eio__heap_reserve(struct eio__heap *h, uint32_t runs)
{
	while (h->room < runs) {
		if (!grow(h))
			return false;
	}
	return true;
}

void eio__heap_fini(struct eio__heap *h)
{
	free_block(h);
	memset(h, 0, sizeof(*h));
}

/* Open runs */

/* Nothing is put behind this run any more. */
static void close_run(struct eio__heap *h, uint32_t i)
{
	for (h->open--; i < h->open; i++)
		h->ends[i] = h->ends[i + 1];
}

static void link_behind(struct eio__heap_node *prev, struct eio__heap_node *n)
{
	n->prev = prev;
	n->run = prev->run;
	prev->next = n;
	prev->next_key = n->key;
}

/* The last of a run leaves: it ends with @p before then, or is no more if that is NULL. */
static void shorten(struct eio__heap *h, const struct eio__heap_node *n,
		    struct eio__heap_node *before)
{
	uint32_t i = 0;

	while (i < h->open && h->ends[i].last != n)
		i++;
	if (i == h->open)
		return; /* it was not open any more */
	if (!before) {
		close_run(h, i);
		return;
	}
	for (; i + 1 < h->open && h->ends[i + 1].key > before->key; i++)
		h->ends[i] = h->ends[i + 1];
	h->ends[i] = (struct eio__heap_end){before, before->key};
}

/* A run of its own, of which the latest end is given up for if too many are open: the least
 * fits behind it. */
static void begin_run(struct eio__heap *h, struct eio__heap_node *n)
{
	n->run = h->entries[h->count].run;
	h->runs[n->run].first = n;
	move_up(h, h->count++, (struct eio__heap_entry){n->key, n->run});
	if (h->open == EIO__HEAP_OPEN)
		close_run(h, 0);
	h->ends[h->open++] = (struct eio__heap_end){n, n->key};
}

/* Where there is no room for another run. It is not put behind the last of the run: if it could
 * be, that was not open. */
static void squeeze_in(struct eio__heap *h, struct eio__heap_node *n)
{
	struct eio__heap_entry *e = &h->entries[0];
	struct eio__heap_node *prev = NULL, *next = h->runs[e->run].first;

	while (next && next->key <= n->key) {
		prev = next;
		next = next->next;
	}
	n->next = next;
	if (next) {
		n->next_key = next->key;
		next->prev = n;
	}
	if (prev) {
		link_behind(prev, n);
	} else {
		n->run = e->run;
		h->runs[n->run].first = n;
		e->key = n->key;
	}
}

/* Apart, as what most deadlines take is short. */
static __attribute__((noinline)) void insert_apart(struct eio__heap *h, struct eio__heap_node *n)
{
	if (h->count < h->room || grow(h))
		begin_run(h, n);
	else
		squeeze_in(h, n);
}

void eio__heap_insert(struct eio__heap *h, struct eio__heap_node *n, int64_t key)
{
	uint32_t i = 0;

	n->next = NULL;
	n->key = key;
	n->seq = h->seq++;
	while (i < h->open && h->ends[i].key > key)
		i++;
	if (i < h->open) {
		link_behind(h->ends[i].last, n);
		h->ends[i] = (struct eio__heap_end){n, key};
	} else {
		insert_apart(h, n);
	}
}

static __attribute__((noinline)) void remove_first(struct eio__heap *h, struct eio__heap_node *n)
{
	struct eio__heap_run *run = &h->runs[n->run];

	if (n->next) {
		run->first = n->next;
		move_down(h, run->at, (struct eio__heap_entry){n->next_key, n->run});
	} else {
		shorten(h, n, NULL);
		drop_run(h, n->run);
		if (h->count == 0 && h->room > KEPT)
			eio__heap_fini(h);
	}
}

void eio__heap_remove(struct eio__heap *h, struct eio__heap_node *n)
{
	if (h->runs[n->run].first == n) {
		remove_first(h, n);
		return;
	}
	n->prev->next = n->next;
	n->prev->next_key = n->next_key;
	if (n->next)
		n->next->prev = n->prev;
	else
		shorten(h, n, n->prev);
}
