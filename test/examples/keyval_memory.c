/* SPDX-License-Identifier: ISC */
#include "keyval_memory.h"
#include "memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t left = SIZE_MAX, blocks, used, peak, limit;
static int failed;

void memory_ends_after(size_t requests)
{
	left = requests;
	failed = 0;
}

void memory_is_back(void)
{
	left = SIZE_MAX;
}

int memory_failed(void)
{
	return failed;
}

size_t memory_blocks(void)
{
	return blocks;
}

size_t memory_peak(void)
{
	return peak;
}

void memory_forget_peak(void)
{
	peak = used;
}

static int may_take(void)
{
	if (left == 0) {
		failed = 1;
		return 0;
	}
	left -= left != SIZE_MAX;
	return 1;
}

static void *count(void *block)
{
	used += malloc_usable_size(block);
	if (used > peak)
		peak = used;
	return block;
}

void *mem_alloc(size_t size)
{
	if (!may_take())
		return NULL;
	blocks++;
	return count(malloc(size));
}

/* Always moves, so that a sanitizer notices who keeps the old place. */
void *mem_resize(void *block, size_t size)
{
	size_t before = malloc_usable_size(block);
	void *moved = mem_alloc(size);

	if (moved) {
		memcpy(moved, block, before < size ? before : size);
		mem_free(block);
	}
	return moved;
}

void mem_free(void *block)
{
	if (!block)
		return;
	blocks--;
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
