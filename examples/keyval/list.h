/* SPDX-License-Identifier: ISC */
/*
 * A list of blobs that is pushed and popped at both ends: a ring in an array that doubles.
 */
#ifndef KEYVAL_LIST_H
#define KEYVAL_LIST_H

#include "blob.h"

#include <stdbool.h>

enum list_end {
	LIST_HEAD,
	LIST_TAIL,
};

struct list {
	struct blob **ring;
	size_t size;  /* of the ring: 0 or a power of 2 */
	size_t first; /* where the head is */
	size_t count;
};

/* Makes room for so many more, so that pushing them cannot fail: 0 or -ENOMEM. */
int list_reserve(struct list *list, size_t more);

/* The list owns the blob from now on; there must be room. */
void list_push(struct list *list, enum list_end end, struct blob *blob);

/* The blob is the caller's; the list must not be empty. */
struct blob *list_pop(struct list *list, enum list_end end);

static inline struct blob *list_at(const struct list *list, size_t i)
{
	return list->ring[(list->first + i) & (list->size - 1)];
}

/* Drops what is in it and its memory. */
void list_fini(struct list *list);

#endif
