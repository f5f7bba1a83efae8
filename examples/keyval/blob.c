/* SPDX-License-Identifier: ISC */
#include "blob.h"
#include "memory.h"

#include <errno.h>
#include <string.h>

struct blob *blob_with_room(size_t size)
{
	struct blob *b = mem_alloc(sizeof(*b) + size);

	if (b)
		*b = (struct blob){.refs = 1, .size = (uint32_t) size};
	return b;
}

struct blob *blob_new(const char *data, size_t len)
{
	struct blob *b = blob_with_room(len);

	if (b) {
		memcpy(b->data, data, len);
		b->len = (uint32_t) len;
	}
	return b;
}

void blob_drop(struct blob *b)
{
	/* The first test saves most of them, who have it alone, the atomic change. */
	if (blob_is_alone(b) || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		mem_free(b);
}

int blob_reserve(struct blob **b, size_t size)
{
	struct blob *moved;

	if (size <= (*b)->size)
		return 0;
	moved = mem_resize(*b, sizeof(*moved) + size);
	if (!moved)
		return -ENOMEM;
	moved->size = (uint32_t) size;
	*b = moved;
	return 0;
}

int blob_set(struct blob **b, const char *data, size_t len)
{
	struct blob *old = *b, *fresh;

	/* Where it fits without much waste the memory is used again. */
	if (blob_is_alone(old) && len <= old->size && old->size <= 2 * len + 16) {
		memcpy(old->data, data, len);
		old->len = (uint32_t) len;
		return 0;
	}
	fresh = blob_new(data, len);
	if (!fresh)
		return -ENOMEM;
	blob_drop(old);
	*b = fresh;
	return 0;
}

int blob_append(struct blob **b, const char *data, size_t len)
{
	struct blob *old = *b, *fresh;
	size_t total = old->len + len, room = total + total / 2;

	if (!blob_is_alone(old)) {
		fresh = blob_with_room(total);
		if (!fresh)
			return -ENOMEM;
		memcpy(fresh->data, old->data, old->len);
		fresh->len = old->len;
		blob_drop(old);
		*b = fresh;
	} else if (total > old->size && blob_reserve(b, room < BLOB_MAX ? room : total) < 0) {
		return -ENOMEM;
	}
	memcpy((*b)->data + (*b)->len, data, len);
	(*b)->len += (uint32_t) len;
	return 0;
}
