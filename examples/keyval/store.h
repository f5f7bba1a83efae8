/* SPDX-License-Identifier: ISC */
/*
 * The keys, what they hold, and when they expire.
 *
 * The store is plain data. All fibers of a domain use it, and a fiber only gives way to another
 * one where it waits for I/O; no function here and no command does. So each command finds the
 * store whole and leaves it whole, and within a domain that takes no lock. What other domains do
 * is kept off by a lock outside: see shards.h. What a fiber found in it (a struct key, a blob it
 * has no reference to) is good until the fiber waits or gives the lock back.
 */
#ifndef KEYVAL_STORE_H
#define KEYVAL_STORE_H

#include "list.h"
#include "table.h"

enum kind {
	KIND_STRING,
	KIND_LIST,
	KIND_SET,
	KIND_HASH,
};

/* A key; its name follows the node. Lists, sets and hashes in the store are never empty. */
struct key {
	int64_t expires_ms; /* on the clock of now_ms; 0: never */
	enum kind kind;
	union {
		struct blob *string; /* NULL only between store_add and the first value */
		struct list *list;
		struct table *set;  /* of nodes alone */
		struct table *hash; /* of struct field */
	};
	struct node node;
};

/* An entry of a hash; its name follows the node. */
struct field {
	struct blob *value;
	struct node node;
};

struct store {
	struct table keys;
	size_t expiring; /* keys that expire some time */
	size_t cursor;   /* the bucket where the sweep goes on */
	int64_t now_ms;  /* set by whoever is about to use the store; never goes back */
	uint64_t random;
	uint64_t n_expired;
};

/* 0 or -ENOMEM. */
int store_init(struct store *s, uint64_t random);
void store_fini(struct store *s);

/* The key of this name, or NULL; one that has expired is removed instead. */
struct key *store_find(struct store *s, const char *name, size_t len, uint32_t hash);

static inline bool key_has_expired(const struct store *s, const struct key *key)
{
	return key->expires_ms != 0 && key->expires_ms <= s->now_ms;
}

/* Adds a key that is not there yet, empty: the caller fills it or removes it. NULL: no memory. */
struct key *store_add(struct store *s, const char *name, size_t len, uint32_t hash, enum kind kind);

void store_remove(struct store *s, struct key *key);
void store_remove_all(struct store *s);

/* Makes the key a string with the reference that the caller gives away. */
void store_set_string(struct key *key, struct blob *value);

/* When the key expires; 0: never. */
void store_expire(struct store *s, struct key *key, int64_t at_ms);

/* Looks for expired keys in so many buckets, and removes them: how many. */
size_t store_sweep(struct store *s, size_t buckets);

uint64_t store_random(struct store *s);

static inline struct key *key_of(struct node *node)
{
	return (struct key *) ((char *) node - offsetof(struct key, node));
}

static inline struct field *field_of(struct node *node)
{
	return (struct field *) ((char *) node - offsetof(struct field, node));
}

/* Members of a set and fields of a hash: NULL or false if there is none. */
struct field *hash_find(const struct table *hash, const char *name, size_t len);
bool set_has(const struct table *set, const char *member, size_t len);

/* Adds what is not there: NULL or false if memory ran out. */
struct field *hash_add(struct table *hash, const char *name, size_t len, struct blob *value);
bool set_add(struct table *set, const char *member, size_t len);
void hash_remove(struct table *hash, struct field *field);

#endif
