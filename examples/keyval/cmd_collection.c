/* SPDX-License-Identifier: ISC */
/* Keys that hold lists, sets and hashes. The last element takes its key along. */
#include "command.h"
#include "memory.h"
#include "words.h"

static void reply_size(struct session *s, const struct arg *name, enum kind kind)
{
	struct key *key;
	size_t size = 0;

	if (!find_kind(s, name, kind, &key))
		return;
	if (key)
		size = kind == KIND_LIST ? key->list->count : key->set->count;
	reply_integer(s->reply, (int64_t) size);
}

/* How many elements a pop with a count is to take. */
static bool parse_pop_count(struct session *s, const struct arg *arg, size_t *ret)
{
	int64_t n;

	if (!integer_parse(arg->data, arg->len, &n) || n < 0) {
		reply_error(s->reply, "ERR value is out of range, must be positive");
		return false;
	}
	*ret = (size_t) n;
	return true;
}

/* Lists */

static void push(struct session *s, const struct arg *args, size_t n, enum list_end end)
{
	struct key *key;
	size_t pushed = 0;

	if (!find_or_add(s, &args[1], KIND_LIST, &key))
		return;
	s->reply->failed |= list_reserve(key->list, n - 2) < 0;
	while (pushed < n - 2 && !s->reply->failed) {
		struct blob *blob = arg_blob(&args[2 + pushed]);

		if (blob) {
			list_push(key->list, end, blob);
			pushed++;
		}
		s->reply->failed |= !blob;
	}
	reply_integer(s->reply, (int64_t) key->list->count);
	if (key->list->count == 0)
		store_remove(store_of(s, &args[1]), key);
}

void cmd_lpush(struct session *s, const struct arg *args, size_t n)
{
	push(s, args, n, LIST_HEAD);
}

void cmd_rpush(struct session *s, const struct arg *args, size_t n)
{
	push(s, args, n, LIST_TAIL);
}

static void pop(struct session *s, const struct arg *args, size_t n, enum list_end end)
{
	size_t count = 1;
	struct key *key;

	if (n > 3) {
		wrong_arity(s, end == LIST_HEAD ? "lpop" : "rpop");
		return;
	}
	if ((n == 3 && !parse_pop_count(s, &args[2], &count)) ||
	    !find_kind(s, &args[1], KIND_LIST, &key))
		return;
	if (!key) {
		if (n == 3)
			reply_null_array(s->reply);
		else
			reply_null(s->reply);
		return;
	}
	if (count > key->list->count)
		count = key->list->count;
	if (n == 3)
		reply_array(s->reply, count);
	for (size_t i = 0; i < count; i++)
		reply_blob(s->reply,
			   list_at(key->list, end == LIST_HEAD ? i : key->list->count - 1 - i));
	/* Without memory for the answer the elements would be lost. */
	if (s->reply->failed)
		return;
	for (; count > 0; count--)
		blob_drop(list_pop(key->list, end));
	if (key->list->count == 0)
		store_remove(store_of(s, &args[1]), key);
}

void cmd_lpop(struct session *s, const struct arg *args, size_t n)
{
	pop(s, args, n, LIST_HEAD);
}

void cmd_rpop(struct session *s, const struct arg *args, size_t n)
{
	pop(s, args, n, LIST_TAIL);
}

void cmd_llen(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	reply_size(s, &args[1], KIND_LIST);
}

void cmd_lrange(struct session *s, const struct arg *args, size_t n)
{
	int64_t first, last, count;
	struct key *key;

	(void) n;
	if (!arg_integer(s, &args[2], &first) || !arg_integer(s, &args[3], &last) ||
	    !find_kind(s, &args[1], KIND_LIST, &key))
		return;
	count = key ? (int64_t) key->list->count : 0;
	/* From the end where they are negative. */
	first += first < 0 ? count : 0;
	last += last < 0 ? count : 0;
	if (first < 0)
		first = 0;
	if (last >= count)
		last = count - 1;
	reply_array(s->reply, first <= last ? (size_t) (last - first) + 1 : 0);
	for (; first <= last; first++)
		reply_blob(s->reply, list_at(key->list, (size_t) first));
}

/* Sets */

void cmd_sadd(struct session *s, const struct arg *args, size_t n)
{
	int64_t added = 0;
	struct key *key;

	if (!find_or_add(s, &args[1], KIND_SET, &key))
		return;
	for (size_t i = 2; i < n && !s->reply->failed; i++) {
		if (set_has(key->set, args[i].data, args[i].len))
			continue;
		s->reply->failed |= !set_add(key->set, args[i].data, args[i].len);
		added++;
	}
	reply_integer(s->reply, added);
	if (key->set->count == 0)
		store_remove(store_of(s, &args[1]), key);
}

void cmd_scard(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	reply_size(s, &args[1], KIND_SET);
}

void cmd_smembers(struct session *s, const struct arg *args, size_t n)
{
	const struct node *node;
	struct key *key;

	(void) n;
	if (!find_kind(s, &args[1], KIND_SET, &key))
		return;
	reply_array(s->reply, key ? key->set->count : 0);
	for (node = key ? table_first(key->set) : NULL; node; node = table_next(key->set, node))
		reply_bulk(s->reply, node_key(node), node->len);
}

/* Ends a pop: the members, chained, are gone, or, if they could not be answered, are back. */
static void settle_popped(struct session *s, struct key *key, struct node *popped)
{
	struct node *next;

	for (; popped; popped = next) {
		next = popped->next;
		if (s->reply->failed)
			table_add(key->set, popped);
		else
			mem_free(popped);
	}
}

void cmd_spop(struct session *s, const struct arg *args, size_t n)
{
	struct store *store = store_of(s, &args[1]);
	struct node *popped = NULL;
	size_t count = 1;
	struct key *key;

	if (n > 3) {
		reply_error(s->reply, SYNTAX_ERROR);
		return;
	}
	if ((n == 3 && !parse_pop_count(s, &args[2], &count)) ||
	    !find_kind(s, &args[1], KIND_SET, &key))
		return;
	if (!key && n == 2) {
		reply_null(s->reply);
		return;
	}
	if (!key || count > key->set->count)
		count = key ? key->set->count : 0;
	if (n == 3)
		reply_array(s->reply, count);
	for (; count > 0; count--) {
		struct node *node = table_any(key->set, store_random(store));

		reply_bulk(s->reply, node_key(node), node->len);
		table_remove(key->set, node);
		node->next = popped;
		popped = node;
	}
	settle_popped(s, key, popped);
	if (key && key->set->count == 0)
		store_remove(store, key);
}

/* Hashes */

static struct field *find_field(struct key *key, const struct arg *name)
{
	return key ? hash_find(key->hash, name->data, name->len) : NULL;
}

/* 1 if the field is new, 0 if not, -1 without memory. */
static int set_field(struct key *key, const struct arg *name, const struct arg *value)
{
	struct field *field = find_field(key, name);
	struct blob *blob;

	if (field && !value->blob)
		return blob_set(&field->value, value->data, value->len) < 0 ? -1 : 0;
	blob = arg_blob(value);
	if (blob && field) {
		blob_drop(field->value);
		field->value = blob;
		return 0;
	}
	if (blob && hash_add(key->hash, name->data, name->len, blob))
		return 1;
	if (blob)
		blob_drop(blob);
	return -1;
}

void cmd_hset(struct session *s, const struct arg *args, size_t n)
{
	int64_t added = 0;
	struct key *key;

	if (n % 2 != 0) {
		wrong_arity(s, "hset");
		return;
	}
	if (!find_or_add(s, &args[1], KIND_HASH, &key))
		return;
	for (size_t i = 2; i < n && !s->reply->failed; i += 2) {
		int rc = set_field(key, &args[i], &args[i + 1]);

		s->reply->failed |= rc < 0;
		added += rc;
	}
	reply_integer(s->reply, added);
	if (key->hash->count == 0)
		store_remove(store_of(s, &args[1]), key);
}

void cmd_hget(struct session *s, const struct arg *args, size_t n)
{
	struct field *field;
	struct key *key;

	(void) n;
	if (!find_kind(s, &args[1], KIND_HASH, &key))
		return;
	field = find_field(key, &args[2]);
	if (field)
		reply_blob(s->reply, field->value);
	else
		reply_null(s->reply);
}

void cmd_hdel(struct session *s, const struct arg *args, size_t n)
{
	int64_t removed = 0;
	struct key *key;

	if (!find_kind(s, &args[1], KIND_HASH, &key))
		return;
	for (size_t i = 2; i < n; i++) {
		struct field *field = find_field(key, &args[i]);

		if (field) {
			hash_remove(key->hash, field);
			removed++;
		}
	}
	reply_integer(s->reply, removed);
	if (key && key->hash->count == 0)
		store_remove(store_of(s, &args[1]), key);
}

void cmd_hlen(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	reply_size(s, &args[1], KIND_HASH);
}

void cmd_hgetall(struct session *s, const struct arg *args, size_t n)
{
	struct node *node;
	struct key *key;

	(void) n;
	if (!find_kind(s, &args[1], KIND_HASH, &key))
		return;
	reply_array(s->reply, key ? 2 * key->hash->count : 0);
	for (node = key ? table_first(key->hash) : NULL; node; node = table_next(key->hash, node)) {
		reply_bulk(s->reply, node_key(node), node->len);
		reply_blob(s->reply, field_of(node)->value);
	}
}
