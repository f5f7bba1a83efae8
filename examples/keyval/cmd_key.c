/* SPDX-License-Identifier: ISC */
/* Keys, whatever they hold. */
#include "command.h"
#include "words.h"

#include <string.h>

void cmd_del(struct session *s, const struct arg *args, size_t n)
{
	int64_t removed = 0;

	for (size_t i = 1; i < n; i++) {
		struct key *key = find_key(s, &args[i]);

		if (key) {
			store_remove(store_of(s, &args[i]), key);
			removed++;
		}
	}
	reply_integer(s->reply, removed);
}

void cmd_exists(struct session *s, const struct arg *args, size_t n)
{
	int64_t found = 0;

	for (size_t i = 1; i < n; i++)
		found += find_key(s, &args[i]) != NULL;
	reply_integer(s->reply, found);
}

/* A time that is over removes the key. */
static void expire_in(struct session *s, const struct arg *args, int64_t unit_ms)
{
	struct store *store = store_of(s, &args[1]);
	struct key *key;
	int64_t n;

	if (!arg_integer(s, &args[2], &n))
		return;
	if (n > (INT64_MAX - store->now_ms) / unit_ms || n < INT64_MIN / unit_ms) {
		reply_error(s->reply, "ERR invalid expire time in '%sexpire' command",
			    unit_ms == 1 ? "p" : "");
		return;
	}
	key = find_key(s, &args[1]);
	if (key && n > 0)
		store_expire(store, key, store->now_ms + n * unit_ms);
	else if (key)
		store_remove(store, key);
	reply_integer(s->reply, key != NULL);
}

void cmd_expire(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	expire_in(s, args, 1000);
}

void cmd_pexpire(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	expire_in(s, args, 1);
}

/* Milliseconds left, -1 without an end, -2 without a key. */
static int64_t time_left(struct session *s, const struct arg *name)
{
	struct key *key = find_key(s, name);

	if (!key)
		return -2;
	return key->expires_ms == 0 ? -1 : key->expires_ms - store_of(s, name)->now_ms;
}

void cmd_ttl(struct session *s, const struct arg *args, size_t n)
{
	int64_t ms = time_left(s, &args[1]);

	(void) n;
	reply_integer(s->reply, ms < 0 ? ms : ms / 1000 + (ms % 1000 >= 500));
}

void cmd_pttl(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	reply_integer(s->reply, time_left(s, &args[1]));
}

static bool is_listed(const struct store *store, struct node *node, const struct arg *pattern)
{
	return !key_has_expired(store, key_of(node)) &&
	       pattern_matches(pattern->data, pattern->len, node_key(node), node->len);
}

/* Answers the names that match, or without a reply counts them. */
static size_t list(const struct store *store, const struct arg *pattern, struct reply *reply)
{
	struct node *node;
	size_t matches = 0;

	for (node = table_first(&store->keys); node; node = table_next(&store->keys, node)) {
		if (!is_listed(store, node, pattern))
			continue;
		matches++;
		if (reply)
			reply_bulk(reply, node_key(node), node->len);
	}
	return matches;
}

void cmd_keys(struct session *s, const struct arg *args, size_t n)
{
	const struct shards *shards = &s->service->shards;
	size_t matches = 0;

	(void) n;
	for (unsigned i = 0; i < shards->n; i++)
		matches += list(&shards->shard[i].store, &args[1], NULL);
	reply_array(s->reply, matches);
	for (unsigned i = 0; i < shards->n; i++)
		list(&shards->shard[i].store, &args[1], s->reply);
}

void cmd_dbsize(struct session *s, const struct arg *args, size_t n)
{
	const struct shards *shards = &s->service->shards;
	size_t count = 0;

	(void) args;
	(void) n;
	for (unsigned i = 0; i < shards->n; i++)
		count += shards->shard[i].store.keys.count;
	reply_integer(s->reply, (int64_t) count);
}

void cmd_flushall(struct session *s, const struct arg *args, size_t n)
{
	struct shards *shards = &s->service->shards;

	if (n > 2 || (n == 2 && !arg_is(&args[1], "sync") && !arg_is(&args[1], "async"))) {
		reply_error(s->reply, SYNTAX_ERROR);
		return;
	}
	for (unsigned i = 0; i < shards->n; i++)
		store_remove_all(&shards->shard[i].store);
	reply_status(s->reply, "OK");
}
