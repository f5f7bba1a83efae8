/* SPDX-License-Identifier: ISC */
/*
 * A hash table that grows and shrinks one bucket at a time (linear hashing), so that no
 * insertion has to move everything.
 *
 * Keys are bytes. They follow their node in memory, and what belongs to a key lies before it:
 * a struct ends in its node and is allocated with the key's bytes after it.
 */
#ifndef KEYVAL_TABLE_H
#define KEYVAL_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct node {
	struct node *next;
	uint32_t hash;
	uint32_t len; /* of the key */
};

struct table {
	struct node **buckets;
	size_t n;     /* buckets in use */
	size_t mask;  /* 2^k - 1, the smallest that is at least n - 1 */
	size_t count; /* nodes */
};

/* Hashes depend on it, so that nobody can choose keys that collide. */
void table_seed(const uint64_t seed[2]);

/* 0, or -ENOMEM: then there is nothing to end. */
int table_init(struct table *t);

/* Frees the table; its nodes are somebody else's. */
void table_fini(struct table *t);

static inline const char *node_key(const struct node *node)
{
	return (const char *) (node + 1);
}

/* Of a key; the calls below that take a key and its hash want this one. */
uint32_t table_hash(const char *key, size_t len);

/* Memory for so many bytes, with a node that has this key after them: the node, or NULL. */
struct node *node_new(size_t before, const char *key, size_t len, uint32_t hash);

struct node *table_find(const struct table *t, const char *key, size_t len, uint32_t hash);

/* Its key must not be in the table yet. Cannot fail: without memory the table gets slower. */
void table_add(struct table *t, struct node *node);

/* The node must be in the table. */
void table_remove(struct table *t, struct node *node);

/* All nodes, in no order; the table must stay as it is meanwhile. NULL after the last. */
struct node *table_first(const struct table *t);
struct node *table_next(const struct table *t, const struct node *node);

/* One of them, not NULL: the table must not be empty. */
struct node *table_any(const struct table *t, uint64_t random);

#endif
