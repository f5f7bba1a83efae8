/* SPDX-License-Identifier: ISC */
/*
 * Byte strings that have several owners: the store, a request that carries a large argument,
 * an answer that is being sent. The last one to drop it frees it, so a large value is received,
 * kept and sent in the same memory. Only a sole owner may change a blob.
 *
 * The owners may be in several domains; who got its reference from whom is up to them.
 */
#ifndef KEYVAL_BLOB_H
#define KEYVAL_BLOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOB_MAX = 512 * 1024 * 1024 };

struct blob {
	_Atomic uint32_t refs;
	uint32_t len;
	uint32_t size; /* of data */
	char data[];
};

/* A blob with room for so many bytes and a length of 0, or NULL without memory. */
struct blob *blob_with_room(size_t size);

/* A blob of these bytes, or NULL. */
struct blob *blob_new(const char *data, size_t len);

static inline struct blob *blob_ref(struct blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

/* True for the sole owner, who then also sees what former ones did. */
static inline bool blob_is_alone(const struct blob *b)
{
	return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

void blob_drop(struct blob *b);

/* Makes room for so many bytes in the sole owner's blob: 0, or -ENOMEM and it is as before. */
int blob_reserve(struct blob **b, size_t size);

/* Replaces the contents, or adds to them; a blob with other owners is left to those. */
int blob_set(struct blob **b, const char *data, size_t len);
int blob_append(struct blob **b, const char *data, size_t len);

#endif
