/* SPDX-License-Identifier: ISC */
/*
 * Commands: what a request means, and what each command needs for its work.
 *
 * The table says which arguments are keys, so the shards of a command's keys are locked before it
 * runs, and no command knows of locks. A command never waits. It reads its arguments, works on the
 * store and adds to the reply. Where memory runs out it sets failed in the reply, which then
 * becomes an error as a whole; what it did until then stays done (some of the keys of an MSET,
 * say).
 */
#ifndef KEYVAL_COMMAND_H
#define KEYVAL_COMMAND_H

#include "reply.h"
#include "resp.h"
#include "shards.h"

struct work;

/* What the clients of one domain share. The counts are changed by that domain alone. */
struct lane {
	_Alignas(64) int64_t now_ms; /* set by whoever is about to run commands; never goes back */
	_Atomic uint64_t clients;
	_Atomic uint64_t n_commands, hits, misses;

	struct lock lock;            /* of what follows, which the sweep trims for all */
	struct work *spare;          /* last in, first out: it is still in the cache */
	size_t n_spare, least_spare; /* the least since it was trimmed */
};

/* For the lane's own domain: another one may read meanwhile. */
static inline void lane_count(_Atomic uint64_t *count, uint64_t by)
{
	uint64_t n = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, n + by, memory_order_relaxed);
}

/* What all clients share. */
struct service {
	struct shards shards;
	struct lane *lanes; /* one for each domain there may be */
	unsigned n_lanes;
	_Atomic unsigned lanes_taken;
	_Atomic uint64_t n_connections;
	size_t max_clients;
	int64_t started_ms; /* on the clock of the lanes */
	unsigned port;
};

/* One client. */
struct session {
	struct service *service;
	struct lane *lane;   /* its domain's */
	struct reply *reply; /* while it has requests */
	uint64_t id;
	struct blob *name; /* NULL: none was set */
	bool quit;         /* the connection ends after the replies so far */
};

/*
 * Args[0] is the command's name; their number agrees with its arity. Those that are keys have a
 * hash, and their shards are the caller's for as long as the command runs.
 */
typedef void command_fn(struct session *s, const struct arg *args, size_t n);

enum {
	WRITES = 1, /* changes the store */
	GROWS = 2,  /* may take memory: refused beyond the limit */
	WHOLE = 4,  /* works on all shards, whatever its arguments are */
};

struct command {
	const char *name; /* in lower case */
	int arity;        /* number of arguments with the name; -n: at least n */
	unsigned flags;
	int first_key, last_key, key_step; /* as COMMAND tells clients */
	command_fn *run;
};

/* Once, before the first command. */
void commands_init(void);

/* Answers a request, whatever it is. */
void command_run(struct session *s, const struct resp *request);

/* All of them, and one by its name in either case, or NULL. */
extern const struct command commands[];
extern const size_t n_commands;
const struct command *command_find(const struct arg *name);

/* For commands. */

/* Is it this word, of lower-case letters alone, in either case? */
bool arg_is(const struct arg *arg, const char *letters);

/* The argument as a value, with a reference for the caller, or NULL. */
struct blob *arg_blob(const struct arg *arg);

/* An integer, or an error is answered. */
bool arg_integer(struct session *s, const struct arg *arg, int64_t *ret);

/* The store that has the key of this name if there is one. */
static inline struct store *store_of(struct session *s, const struct arg *name)
{
	struct shards *shards = &s->service->shards;

	return &shards->shard[shard_of(shards, name->hash)].store;
}

static inline struct key *find_key(struct session *s, const struct arg *name)
{
	return store_find(store_of(s, name), name->data, name->len, name->hash);
}

/* A key that is not there yet: see store_add. */
static inline struct key *add_key(struct session *s, const struct arg *name, enum kind kind)
{
	return store_add(store_of(s, name), name->data, name->len, name->hash, kind);
}

/* Finds the key, or NULL, in *ret; if it is of another kind an error is answered: false. */
bool find_kind(struct session *s, const struct arg *name, enum kind kind, struct key **ret);

/* The same; what is not there is added, empty, as the caller must not leave it. */
bool find_or_add(struct session *s, const struct arg *name, enum kind kind, struct key **ret);

void wrong_arity(struct session *s, const char *command);
void unknown_subcommand(struct session *s, const struct arg *args);

#define SYNTAX_ERROR   "ERR syntax error"
#define NOT_AN_INTEGER "ERR value is not an integer or out of range"

command_fn cmd_append, cmd_client, cmd_command, cmd_config, cmd_dbsize, cmd_decr, cmd_decrby,
	cmd_del, cmd_echo, cmd_exists, cmd_expire, cmd_flushall, cmd_get, cmd_hdel, cmd_hello,
	cmd_hget, cmd_hgetall, cmd_hlen, cmd_hset, cmd_incr, cmd_incrby, cmd_info, cmd_keys,
	cmd_llen, cmd_lpop, cmd_lpush, cmd_lrange, cmd_mget, cmd_mset, cmd_pexpire, cmd_ping,
	cmd_pttl, cmd_quit, cmd_rpop, cmd_rpush, cmd_sadd, cmd_scard, cmd_select, cmd_set,
	cmd_smembers, cmd_spop, cmd_ttl;

#endif
