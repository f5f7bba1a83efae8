/* SPDX-License-Identifier: ISC */
#include "memory.h"

#include <malloc.h>
#include <stdlib.h>

static size_t used, limit;

void *mem_alloc(size_t size)
{
	void *block = malloc(size);

	used += malloc_usable_size(block);
	return block;
}

void *mem_resize(void *block, size_t size)
{
	size_t before = malloc_usable_size(block);
	void *moved = realloc(block, size);

	if (moved)
		used += malloc_usable_size(moved) - before;
	return moved;
}

void mem_free(void *block)
{
	used -= malloc_usable_size(block);
	free(block);
}

size_t mem_used(void)
{
	return used;
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
	return limit > 0 && used > limit;
}
