/* SPDX-License-Identifier: ISC */
/*
 * What each thread took and freed is added up in the thread, and now and then to the sum of all,
 * so that their counting does not meet at every block.
 */
#include "memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SETTLE = 16 * 1024 }; /* bytes that a thread may owe the sum, or it the thread */

static _Atomic ptrdiff_t settled;
static _Thread_local ptrdiff_t unsettled;
static size_t limit;

static void count(ptrdiff_t by)
{
	unsettled += by;
	if (unsettled > SETTLE || unsettled < -SETTLE) {
		atomic_fetch_add_explicit(&settled, unsettled, memory_order_relaxed);
		unsettled = 0;
	}
}

static ptrdiff_t size_of(void *block)
{
	return (ptrdiff_t) malloc_usable_size(block);
}

void *mem_alloc(size_t size)
{
	void *block = malloc(size);

	count(size_of(block));
	return block;
}

void *mem_resize(void *block, size_t size)
{
	ptrdiff_t before = size_of(block);
	void *moved = realloc(block, size);

	if (moved)
		count(size_of(moved) - before);
	return moved;
}

void mem_free(void *block)
{
	count(-size_of(block));
	free(block);
}

size_t mem_used(void)
{
	ptrdiff_t used = atomic_load_explicit(&settled, memory_order_relaxed) + unsettled;

	return used > 0 ? (size_t) used : 0;
}

void mem_set_limit(size_t bytes)
{
	limit = bytes;
}

size_t mem_limit(void)
{
	return limit;
}

int mem_over_limit(void)
{
	return limit > 0 && mem_used() > limit;
}
