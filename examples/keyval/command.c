/* SPDX-License-Identifier: ISC */
#include "command.h"
#include "memory.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
	{"append", 3, WRITES | GROWS, 1, 1, 1, cmd_append},
	{"client", -2, 0, 0, 0, 0, cmd_client},
	{"command", -1, 0, 0, 0, 0, cmd_command},
	{"config", -2, 0, 0, 0, 0, cmd_config},
	{"dbsize", 1, WHOLE, 0, 0, 0, cmd_dbsize},
	{"decr", 2, WRITES | GROWS, 1, 1, 1, cmd_decr},
	{"decrby", 3, WRITES | GROWS, 1, 1, 1, cmd_decrby},
	{"del", -2, WRITES, 1, -1, 1, cmd_del},
	{"echo", 2, 0, 0, 0, 0, cmd_echo},
	{"exists", -2, 0, 1, -1, 1, cmd_exists},
	{"expire", 3, WRITES, 1, 1, 1, cmd_expire},
	{"flushall", -1, WRITES | WHOLE, 0, 0, 0, cmd_flushall},
	{"get", 2, 0, 1, 1, 1, cmd_get},
	{"hdel", -3, WRITES, 1, 1, 1, cmd_hdel},
	{"hello", -1, 0, 0, 0, 0, cmd_hello},
	{"hget", 3, 0, 1, 1, 1, cmd_hget},
	{"hgetall", 2, 0, 1, 1, 1, cmd_hgetall},
	{"hlen", 2, 0, 1, 1, 1, cmd_hlen},
	{"hset", -4, WRITES | GROWS, 1, 1, 1, cmd_hset},
	{"incr", 2, WRITES | GROWS, 1, 1, 1, cmd_incr},
	{"incrby", 3, WRITES | GROWS, 1, 1, 1, cmd_incrby},
	{"info", -1, WHOLE, 0, 0, 0, cmd_info},
	{"keys", 2, WHOLE, 0, 0, 0, cmd_keys},
	{"llen", 2, 0, 1, 1, 1, cmd_llen},
	{"lpop", -2, WRITES, 1, 1, 1, cmd_lpop},
	{"lpush", -3, WRITES | GROWS, 1, 1, 1, cmd_lpush},
	{"lrange", 4, 0, 1, 1, 1, cmd_lrange},
	{"mget", -2, 0, 1, -1, 1, cmd_mget},
	{"mset", -3, WRITES | GROWS, 1, -1, 2, cmd_mset},
	{"pexpire", 3, WRITES, 1, 1, 1, cmd_pexpire},
	{"ping", -1, 0, 0, 0, 0, cmd_ping},
	{"pttl", 2, 0, 1, 1, 1, cmd_pttl},
	{"quit", -1, 0, 0, 0, 0, cmd_quit},
	{"rpop", -2, WRITES, 1, 1, 1, cmd_rpop},
	{"rpush", -3, WRITES | GROWS, 1, 1, 1, cmd_rpush},
	{"sadd", -3, WRITES | GROWS, 1, 1, 1, cmd_sadd},
	{"scard", 2, 0, 1, 1, 1, cmd_scard},
	{"select", 2, 0, 0, 0, 0, cmd_select},
	{"set", -3, WRITES | GROWS, 1, 1, 1, cmd_set},
	{"smembers", 2, 0, 1, 1, 1, cmd_smembers},
	{"spop", -2, WRITES, 1, 1, 1, cmd_spop},
	{"ttl", 2, 0, 1, 1, 1, cmd_ttl},
};
const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

/* Where a name's search begins among the slots, which are probed in order; most hit at once. */
enum { SLOTS = 256 };

static unsigned char slots[SLOTS]; /* index + 1, 0: none */

static unsigned slot_of(const char *name, size_t len)
{
	unsigned first = (unsigned char) name[0] | 0x20;
	unsigned second = (unsigned char) name[len > 1] | 0x20;
	unsigned last = (unsigned char) name[len - 1] | 0x20;

	return (unsigned) (first * 5 + second * 31 + last * 3 + len * 17) % SLOTS;
}

void commands_init(void)
{
	for (size_t i = 0; i < n_commands; i++) {
		unsigned slot = slot_of(commands[i].name, strlen(commands[i].name));

		while (slots[slot])
			slot = (slot + 1) % SLOTS;
		slots[slot] = (unsigned char) (i + 1);
	}
}

const struct command *command_find(const struct arg *name)
{
	unsigned slot;

	if (name->len == 0)
		return NULL;
	for (slot = slot_of(name->data, name->len); slots[slot]; slot = (slot + 1) % SLOTS) {
		const struct command *command = &commands[slots[slot] - 1];

		if (arg_is(name, command->name))
			return command;
	}
	return NULL;
}

/* Arguments */

bool arg_is(const struct arg *arg, const char *letters)
{
	size_t i = 0;

	while (i < arg->len && letters[i] && (arg->data[i] | 0x20) == letters[i])
		i++;
	return i == arg->len && letters[i] == '\0';
}

struct blob *arg_blob(const struct arg *arg)
{
	return arg->blob ? blob_ref(arg->blob) : blob_new(arg->data, arg->len);
}

bool arg_integer(struct session *s, const struct arg *arg, int64_t *ret)
{
	bool valid = integer_parse(arg->data, arg->len, ret);

	if (!valid)
		reply_error(s->reply, NOT_AN_INTEGER);
	return valid;
}

/* Keys */

bool find_kind(struct session *s, const struct arg *name, enum kind kind, struct key **ret)
{
	*ret = find_key(s, name);
	if (!*ret || (*ret)->kind == kind)
		return true;
	reply_error(s->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
	return false;
}

bool find_or_add(struct session *s, const struct arg *name, enum kind kind, struct key **ret)
{
	if (!find_kind(s, name, kind, ret))
		return false;
	if (!*ret) {
		*ret = add_key(s, name, kind);
		s->reply->failed |= !*ret;
	}
	return *ret;
}

/* Requests */

void wrong_arity(struct session *s, const char *command)
{
	reply_error(s->reply, "ERR wrong number of arguments for '%s' command", command);
}

enum { SHOWN = 128 }; /* characters of what a client sent, in errors */

static int shown_len(const struct arg *arg)
{
	return arg->len < SHOWN ? (int) arg->len : SHOWN;
}

void unknown_subcommand(struct session *s, const struct arg *args)
{
	char upper[16];
	size_t len = args[0].len < sizeof(upper) ? args[0].len : sizeof(upper) - 1;

	for (size_t i = 0; i < len; i++)
		upper[i] = (char) (args[0].data[i] & ~0x20);
	upper[len] = '\0';
	reply_error(s->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", shown_len(&args[1]),
		    args[1].data, upper);
}

static void unknown_command(struct session *s, const struct arg *args, size_t n)
{
	char shown[SHOWN + 8] = "";
	size_t len = 0;

	for (size_t i = 1; i < n && len < SHOWN; i++) {
		struct arg part = args[i];

		if (part.len > SHOWN - len)
			part.len = SHOWN - len;
		len += (size_t) snprintf(shown + len, sizeof(shown) - len, "'%.*s' ",
					 shown_len(&part), part.data);
	}
	reply_error(s->reply, "ERR unknown command '%.*s', with args beginning with: %s",
		    shown_len(&args[0]), args[0].data, shown);
}

/* Hashes the keys among the arguments: the shards that the command works on. */
static shard_set find_shards(const struct shards *shards, const struct command *command,
			     struct arg *args, int n)
{
	int last = command->last_key < 0 ? n + command->last_key : command->last_key;
	shard_set set = 0;

	if (command->first_key == 0)
		return command->flags & WHOLE ? shards_all(shards) : 0;
	for (int i = command->first_key; i <= last; i += command->key_step) {
		args[i].hash = table_hash(args[i].data, args[i].len);
		set |= (shard_set) 1 << shard_of(shards, args[i].hash);
	}
	return set;
}

static void run_locked(struct session *s, const struct command *command, const struct resp *request)
{
	struct shards *shards = &s->service->shards;
	shard_set set = find_shards(shards, command, request->args, (int) request->n_args);

	shards_lock(shards, set, s->lane->now_ms);
	command->run(s, request->args, request->n_args);
	shards_unlock(shards, set);
}

static void run(struct session *s, const struct resp *request)
{
	const struct command *command = command_find(&request->args[0]);
	int n = (int) request->n_args;

	lane_count(&s->lane->n_commands, 1);
	if (!command)
		unknown_command(s, request->args, request->n_args);
	else if (command->arity > 0 ? n != command->arity : n < -command->arity)
		wrong_arity(s, command->name);
	else if (request->dropped || ((command->flags & GROWS) && mem_over_limit()))
		s->reply->failed = true;
	else
		run_locked(s, command, request);
}

void command_run(struct session *s, const struct resp *request)
{
	struct reply_mark mark;

	if (request->n_args == 0)
		return;
	if (reply_begin(s->reply, &mark) == 0)
		run(s, request);
	else
		s->quit = true; /* There is not even memory to say so. */
	if (s->reply->failed) {
		reply_undo(s->reply, mark);
		if (!s->quit)
			reply_error(s->reply, "OOM not enough memory for this command");
	}
}
