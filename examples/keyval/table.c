/* SPDX-License-Identifier: ISC */
/*
 * With n buckets in use and 2^(k-1) < n <= 2^k, a hash belongs to the bucket of its lowest k
 * bits, or, where there is none yet, of its lowest k-1 bits. To grow by one bucket, n, the
 * nodes that belong there are taken out of bucket n - 2^(k-1), and nobody else moves. The
 * array is doubled when it is full; where it is large realloc moves pages, not bytes.
 *
 * There are as many buckets as nodes, or more, up to four times as many; fewer only when there
 * was no memory for them.
 */
#include "table.h"
#include "memory.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum {
	MIN_BUCKETS = 4,
	SPARSE = 4, /* buckets for each node, at most */
};

/* SipHash-1-3, a keyed hash: https://www.aumasson.jp/siphash/siphash.pdf */

static uint64_t seed[2];

void table_seed(const uint64_t random[2])
{
	seed[0] = random[0];
	seed[1] = random[1];
}

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint32_t table_hash(const char *key, size_t len)
{
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575,
		seed[1] ^ 0x646f72616e646f6d,
		seed[0] ^ 0x6c7967656e657261,
		seed[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t) len << 56, word;
	const char *end = key + len;

	for (; end - key >= 8; key += 8) {
		memcpy(&word, key, 8);
		sip_word(v, le64toh(word));
	}
	for (int shift = 0; key < end; shift += 8)
		last |= (uint64_t) (unsigned char) *key++ << shift;
	sip_word(v, last);

	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	last = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t) (last ^ last >> 32);
}

/* The table */

int table_init(struct table *t)
{
	*t = (struct table){.n = MIN_BUCKETS, .mask = MIN_BUCKETS - 1};
	t->buckets = mem_alloc(MIN_BUCKETS * sizeof(*t->buckets));
	if (!t->buckets)
		return -ENOMEM;
	memset(t->buckets, 0, MIN_BUCKETS * sizeof(*t->buckets));
	return 0;
}

void table_fini(struct table *t)
{
	mem_free(t->buckets);
}

struct node *node_new(size_t before, const char *key, size_t len, uint32_t hash)
{
	char *memory = mem_alloc(before + sizeof(struct node) + len);
	struct node *node;

	if (!memory)
		return NULL;
	node = (struct node *) (memory + before);
	*node = (struct node){.hash = hash, .len = (uint32_t) len};
	memcpy(node + 1, key, len);
	return node;
}

static inline struct node **bucket_of(const struct table *t, uint32_t hash)
{
	size_t i = hash & t->mask;

	return &t->buckets[i < t->n ? i : i & t->mask >> 1];
}

struct node *table_find(const struct table *t, const char *key, size_t len, uint32_t hash)
{
	struct node *node = *bucket_of(t, hash);

	while (node &&
	       !(node->hash == hash && node->len == len && memcmp(node_key(node), key, len) == 0))
		node = node->next;
	return node;
}

static void add_bucket(struct table *t)
{
	struct node **from, **to, *node;

	if (t->n > t->mask) {
		size_t twice = 2 * (t->mask + 1);
		struct node **moved = mem_resize(t->buckets, twice * sizeof(*moved));

		if (!moved)
			return;
		t->buckets = moved;
		t->mask = twice - 1;
	}
	from = &t->buckets[t->n & t->mask >> 1];
	to = &t->buckets[t->n];
	while ((node = *from)) {
		if ((node->hash & t->mask) == t->n) {
			*from = node->next;
			*to = node;
			to = &node->next;
		} else {
			from = &node->next;
		}
	}
	*to = NULL;
	t->n++;
}

static void remove_bucket(struct table *t)
{
	struct node **to = &t->buckets[--t->n & t->mask >> 1], **smaller;

	while (*to)
		to = &(*to)->next;
	*to = t->buckets[t->n];
	if (t->n == (t->mask >> 1) + 1) {
		t->mask >>= 1;
		smaller = mem_resize(t->buckets, (t->mask + 1) * sizeof(*smaller));
		if (smaller)
			t->buckets = smaller;
	}
}

void table_add(struct table *t, struct node *node)
{
	struct node **bucket = bucket_of(t, node->hash);

	node->next = *bucket;
	*bucket = node;
	if (++t->count > t->n)
		add_bucket(t);
}

void table_remove(struct table *t, struct node *node)
{
	struct node **at = bucket_of(t, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->count--;
	while (t->n > MIN_BUCKETS && t->n > SPARSE * t->count)
		remove_bucket(t);
}

static struct node *first_from(const struct table *t, size_t i)
{
	for (; i < t->n; i++)
		if (t->buckets[i])
			return t->buckets[i];
	return NULL;
}

struct node *table_first(const struct table *t)
{
	return first_from(t, 0);
}

struct node *table_next(const struct table *t, const struct node *node)
{
	if (node->next)
		return node->next;
	return first_from(t, (size_t) (bucket_of(t, node->hash) - t->buckets) + 1);
}

struct node *table_any(const struct table *t, uint64_t random)
{
	size_t i = random % t->n;
	struct node *node;
	unsigned length = 0;

	/* From a random bucket on, so that it ends whatever the random number is. */
	while (!t->buckets[i])
		i = i + 1 < t->n ? i + 1 : 0;
	for (node = t->buckets[i]; node; node = node->next)
		length++;
	node = t->buckets[i];
	for (unsigned skip = (unsigned) (random >> 32) % length; skip > 0; skip--)
		node = node->next;
	return node;
}
