/* SPDX-License-Identifier: ISC */
#include "list.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

enum { MIN_SIZE = 4 };

static int resize(struct list *list, size_t size)
{
	struct blob **ring = mem_alloc(size * sizeof(*ring));
	size_t straight = list->size - list->first; /* from the head to the end of the array */

	if (!ring)
		return -ENOMEM;
	if (straight > list->count)
		straight = list->count;
	if (list->count > 0) {
		memcpy(ring, list->ring + list->first, straight * sizeof(*ring));
		memcpy(ring + straight, list->ring, (list->count - straight) * sizeof(*ring));
	}
	mem_free(list->ring);
	list->ring = ring;
	list->size = size;
	list->first = 0;
	return 0;
}

int list_reserve(struct list *list, size_t more)
{
	size_t size = list->size > 0 ? list->size : MIN_SIZE;

	while (size - list->count < more)
		size *= 2;
	return size > list->size ? resize(list, size) : 0;
}

void list_push(struct list *list, enum list_end end, struct blob *blob)
{
	if (end == LIST_HEAD)
		list->first = (list->first - 1) & (list->size - 1);
	list->ring[(list->first + (end == LIST_TAIL ? list->count : 0)) & (list->size - 1)] = blob;
	list->count++;
}

struct blob *list_pop(struct list *list, enum list_end end)
{
	struct blob *blob = list_at(list, end == LIST_HEAD ? 0 : list->count - 1);

	if (end == LIST_HEAD)
		list->first = (list->first + 1) & (list->size - 1);
	list->count--;
	/* A list that was long gives memory back; if that fails it stays as it is. */
	if (list->size > MIN_SIZE && list->count < list->size / 8)
		(void) resize(list, list->size / 4);
	return blob;
}

void list_fini(struct list *list)
{
	while (list->count > 0)
		blob_drop(list_at(list, --list->count));
	mem_free(list->ring);
	*list = (struct list){0};
}
