/* SPDX-License-Identifier: ISC */
#include "store.h"
#include "memory.h"

#include <errno.h>

/* Sets and hashes */

struct field *hash_find(const struct table *hash, const char *name, size_t len)
{
	struct node *node = table_find(hash, name, len, table_hash(name, len));

	return node ? field_of(node) : NULL;
}

bool set_has(const struct table *set, const char *member, size_t len)
{
	return table_find(set, member, len, table_hash(member, len));
}

struct field *hash_add(struct table *hash, const char *name, size_t len, struct blob *value)
{
	struct node *node =
		node_new(offsetof(struct field, node), name, len, table_hash(name, len));

	if (!node)
		return NULL;
	field_of(node)->value = value;
	table_add(hash, node);
	return field_of(node);
}

bool set_add(struct table *set, const char *member, size_t len)
{
	struct node *node = node_new(0, member, len, table_hash(member, len));

	if (node)
		table_add(set, node);
	return node;
}

void hash_remove(struct table *hash, struct field *field)
{
	table_remove(hash, &field->node);
	blob_drop(field->value);
	mem_free(field);
}

/* Frees the table and its nodes, bucket by bucket, without taking each out of it. */
static void free_table(struct table *t, void (*free_node)(struct node *))
{
	for (size_t i = 0; i < t->n; i++) {
		struct node *node = t->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			free_node(node);
		}
	}
	table_fini(t);
}

static void free_member(struct node *node)
{
	mem_free(node);
}

static void free_field(struct node *node)
{
	blob_drop(field_of(node)->value);
	mem_free(field_of(node));
}

/* What keys hold */

static bool begin_value(struct key *key, enum kind kind)
{
	key->kind = kind;
	switch (kind) {
	case KIND_STRING:
		key->string = NULL;
		return true;
	case KIND_LIST:
		key->list = mem_alloc(sizeof(*key->list));
		if (key->list)
			*key->list = (struct list){0};
		return key->list;
	case KIND_SET:
	case KIND_HASH:
		key->set = mem_alloc(sizeof(*key->set));
		if (key->set && table_init(key->set) < 0) {
			mem_free(key->set);
			key->set = NULL;
		}
		return key->set;
	}
	return false;
}

static void end_value(struct key *key)
{
	switch (key->kind) {
	case KIND_STRING:
		if (key->string)
			blob_drop(key->string);
		break;
	case KIND_LIST:
		list_fini(key->list);
		mem_free(key->list);
		break;
	case KIND_SET:
		free_table(key->set, free_member);
		mem_free(key->set);
		break;
	case KIND_HASH:
		free_table(key->hash, free_field);
		mem_free(key->hash);
		break;
	}
}

void store_set_string(struct key *key, struct blob *value)
{
	end_value(key);
	key->kind = KIND_STRING;
	key->string = value;
}

/* Keys */

int store_init(struct store *s, uint64_t random)
{
	*s = (struct store){.random = random};
	return table_init(&s->keys);
}

static void free_key(struct node *node)
{
	end_value(key_of(node));
	mem_free(key_of(node));
}

void store_fini(struct store *s)
{
	free_table(&s->keys, free_key);
}

void store_remove_all(struct store *s)
{
	struct table empty;

	/* Without memory for a fresh table the old one is emptied key by key. */
	if (table_init(&empty) == 0) {
		free_table(&s->keys, free_key);
		s->keys = empty;
		s->expiring = 0;
	} else {
		while (s->keys.count > 0)
			store_remove(s, key_of(table_first(&s->keys)));
	}
}

struct key *store_find(struct store *s, const char *name, size_t len, uint32_t hash)
{
	struct node *node = table_find(&s->keys, name, len, hash);

	if (node && key_has_expired(s, key_of(node))) {
		s->n_expired++;
		store_remove(s, key_of(node));
		node = NULL;
	}
	return node ? key_of(node) : NULL;
}

struct key *store_add(struct store *s, const char *name, size_t len, uint32_t hash, enum kind kind)
{
	struct node *node = node_new(offsetof(struct key, node), name, len, hash);
	struct key *key;

	if (!node)
		return NULL;
	key = key_of(node);
	key->expires_ms = 0;
	if (!begin_value(key, kind)) {
		mem_free(key);
		return NULL;
	}
	table_add(&s->keys, node);
	return key;
}

void store_remove(struct store *s, struct key *key)
{
	table_remove(&s->keys, &key->node);
	s->expiring -= key->expires_ms != 0;
	free_key(&key->node);
}

void store_expire(struct store *s, struct key *key, int64_t at_ms)
{
	s->expiring -= key->expires_ms != 0;
	s->expiring += at_ms != 0;
	key->expires_ms = at_ms;
}

static struct key *expired_in(const struct store *s, size_t bucket)
{
	for (struct node *node = s->keys.buckets[bucket]; node; node = node->next)
		if (key_has_expired(s, key_of(node)))
			return key_of(node);
	return NULL;
}

size_t store_sweep(struct store *s, size_t buckets)
{
	size_t before = s->keys.count;
	struct key *key;

	while (buckets-- > 0 && s->expiring > 0) {
		/* The table may shrink under the cursor. */
		while (s->cursor < s->keys.n && (key = expired_in(s, s->cursor)))
			store_remove(s, key);
		s->cursor = s->cursor + 1 < s->keys.n ? s->cursor + 1 : 0;
	}
	s->n_expired += before - s->keys.count;
	return before - s->keys.count;
}

/* SplitMix64. */
uint64_t store_random(struct store *s)
{
	uint64_t x = s->random += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}
