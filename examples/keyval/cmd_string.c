/* SPDX-License-Identifier: ISC */
/* Keys that hold strings, and numbers as text. */
#include "command.h"
#include "words.h"

/*
 * Makes the key hold the argument: false, and the reply failed, without memory. A key that
 * is not there is added.
 */
static bool put_string(struct session *s, struct key *key, const struct arg *name,
		       const struct arg *value, struct key **ret)
{
	struct blob *blob;

	*ret = key;
	if (key && key->kind == KIND_STRING && !value->blob) {
		s->reply->failed |= blob_set(&key->string, value->data, value->len) < 0;
		return !s->reply->failed;
	}
	blob = arg_blob(value);
	if (blob && !key)
		*ret = add_key(s, name, KIND_STRING);
	if (blob && *ret) {
		store_set_string(*ret, blob);
		return true;
	}
	if (blob)
		blob_drop(blob);
	s->reply->failed = true;
	return false;
}

/* When something ends that lasts so long from now on: 0 and an error if it is no proper time. */
static int64_t parse_expiry(struct session *s, const struct arg *arg, int64_t unit_ms, int64_t now)
{
	int64_t n;

	if (!arg_integer(s, arg, &n))
		return 0;
	if (n > 0 && n <= (INT64_MAX - now) / unit_ms)
		return now + n * unit_ms;
	reply_error(s->reply, "ERR invalid expire time in 'set' command");
	return 0;
}

struct set_options {
	bool if_absent, if_present, keep_expiry;
	const struct arg *lifetime;
	int64_t unit_ms;
};

static bool parse_set_options(struct set_options *o, const struct arg *args, size_t n)
{
	for (size_t i = 3; i < n; i++) {
		const struct arg *arg = &args[i];
		bool seconds = arg_is(arg, "ex");

		if (arg_is(arg, "nx") && !o->if_present) {
			o->if_absent = true;
		} else if (arg_is(arg, "xx") && !o->if_absent) {
			o->if_present = true;
		} else if (arg_is(arg, "keepttl") && !o->lifetime) {
			o->keep_expiry = true;
		} else if ((seconds || arg_is(arg, "px")) && i + 1 < n && !o->lifetime &&
			   !o->keep_expiry) {
			o->lifetime = &args[++i];
			o->unit_ms = seconds ? 1000 : 1;
		} else {
			return false;
		}
	}
	return true;
}

void cmd_set(struct session *s, const struct arg *args, size_t n)
{
	struct store *store = store_of(s, &args[1]);
	struct set_options options = {0};
	int64_t expires_ms = 0;
	struct key *key;

	if (!parse_set_options(&options, args, n)) {
		reply_error(s->reply, SYNTAX_ERROR);
		return;
	}
	if (options.lifetime) {
		expires_ms = parse_expiry(s, options.lifetime, options.unit_ms, store->now_ms);
		if (expires_ms == 0)
			return;
	}
	key = find_key(s, &args[1]);
	if (key ? options.if_absent : options.if_present) {
		reply_null(s->reply);
		return;
	}
	if (!put_string(s, key, &args[1], &args[2], &key))
		return;
	if (!options.keep_expiry)
		store_expire(store, key, expires_ms);
	reply_status(s->reply, "OK");
}

void cmd_get(struct session *s, const struct arg *args, size_t n)
{
	struct key *key;

	(void) n;
	if (!find_kind(s, &args[1], KIND_STRING, &key))
		return;
	if (key) {
		lane_count(&s->lane->hits, 1);
		reply_blob(s->reply, key->string);
	} else {
		lane_count(&s->lane->misses, 1);
		reply_null(s->reply);
	}
}

void cmd_mget(struct session *s, const struct arg *args, size_t n)
{
	reply_array(s->reply, n - 1);
	for (size_t i = 1; i < n; i++) {
		struct key *key = find_key(s, &args[i]);

		if (key && key->kind == KIND_STRING)
			reply_blob(s->reply, key->string);
		else
			reply_null(s->reply);
	}
}

void cmd_mset(struct session *s, const struct arg *args, size_t n)
{
	if (n % 2 == 0) {
		wrong_arity(s, "mset");
		return;
	}
	for (size_t i = 1; i < n; i += 2) {
		struct key *key = find_key(s, &args[i]);

		if (!put_string(s, key, &args[i], &args[i + 1], &key))
			return;
		store_expire(store_of(s, &args[i]), key, 0);
	}
	reply_status(s->reply, "OK");
}

void cmd_append(struct session *s, const struct arg *args, size_t n)
{
	struct key *key;
	size_t len = 0;

	(void) n;
	if (!find_kind(s, &args[1], KIND_STRING, &key))
		return;
	if (!key) {
		if (!put_string(s, NULL, &args[1], &args[2], &key))
			return;
	} else if (key->string->len + args[2].len > BLOB_MAX) {
		reply_error(s->reply,
			    "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
		return;
	} else if (blob_append(&key->string, args[2].data, args[2].len) < 0) {
		s->reply->failed = true;
		return;
	}
	len = key->string->len;
	reply_integer(s->reply, (int64_t) len);
}

/* Numbers */

static void add_integer(struct session *s, const struct arg *name, int64_t by)
{
	char text[INTEGER_MAX];
	struct arg value = {.data = text};
	struct key *key;
	int64_t n = 0;

	if (!find_kind(s, name, KIND_STRING, &key))
		return;
	if (key && !integer_parse(key->string->data, key->string->len, &n)) {
		reply_error(s->reply, NOT_AN_INTEGER);
		return;
	}
	if (__builtin_add_overflow(n, by, &n)) {
		reply_error(s->reply, "ERR increment or decrement would overflow");
		return;
	}
	value.len = (size_t) (integer_put(text, n) - text);
	if (put_string(s, key, name, &value, &key))
		reply_integer(s->reply, n);
}

void cmd_incr(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	add_integer(s, &args[1], 1);
}

void cmd_decr(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	add_integer(s, &args[1], -1);
}

void cmd_incrby(struct session *s, const struct arg *args, size_t n)
{
	int64_t by;

	(void) n;
	if (arg_integer(s, &args[2], &by))
		add_integer(s, &args[1], by);
}

void cmd_decrby(struct session *s, const struct arg *args, size_t n)
{
	int64_t by;

	(void) n;
	if (!arg_integer(s, &args[2], &by))
		return;
	if (by == INT64_MIN)
		reply_error(s->reply, "ERR decrement would overflow");
	else
		add_integer(s, &args[1], -by);
}
