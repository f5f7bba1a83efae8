/* SPDX-License-Identifier: ISC */
#include "shards.h"

int shards_init(struct shards *s, bool shared, uint64_t random)
{
	int rc = 0;

	for (s->n = 0; rc == 0 && s->n < (shared ? SHARDS_MAX : 1); s->n += rc == 0) {
		struct shard *shard = &s->shard[s->n];

		lock_init(&shard->lock, shared);
		rc = store_init(&shard->store, random + s->n);
	}
	if (rc < 0)
		shards_fini(s);
	return rc;
}

void shards_fini(struct shards *s)
{
	for (unsigned i = 0; i < s->n; i++)
		store_fini(&s->shard[i].store);
}

void shards_lock_shared(struct shards *s, shard_set set, int64_t now_ms)
{
	for (; set; set &= set - 1) {
		struct shard *shard = &s->shard[__builtin_ctz(set)];

		lock_take(&shard->lock);
		/* A domain that looked at the clock earlier may come later. */
		if (shard->store.now_ms < now_ms)
			shard->store.now_ms = now_ms;
	}
}

void shards_unlock_shared(struct shards *s, shard_set set)
{
	for (; set; set &= set - 1)
		lock_give(&s->shard[__builtin_ctz(set)].lock);
}

size_t shards_sweep(struct shards *s, size_t buckets, int64_t now_ms)
{
	size_t removed = 0;

	for (unsigned i = 0; i < s->n; i++) {
		shards_lock(s, (shard_set) 1 << i, now_ms);
		removed += store_sweep(&s->shard[i].store, buckets / s->n);
		shards_unlock(s, (shard_set) 1 << i);
	}
	return removed;
}
