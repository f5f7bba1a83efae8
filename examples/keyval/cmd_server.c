/* SPDX-License-Identifier: ISC */
/* The connection, the server, and what clients ask when they begin. */
#include "command.h"
#include "memory.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char VERSION[] = "0.1.0";
static const char SPEAKS_LIKE[] = "7.0.0"; /* clients look for the version of Redis */

/* The connection */

void cmd_ping(struct session *s, const struct arg *args, size_t n)
{
	if (n > 2)
		wrong_arity(s, "ping");
	else if (n == 2)
		reply_bulk(s->reply, args[1].data, args[1].len);
	else
		reply_status(s->reply, "PONG");
}

void cmd_echo(struct session *s, const struct arg *args, size_t n)
{
	(void) n;
	reply_bulk(s->reply, args[1].data, args[1].len);
}

void cmd_quit(struct session *s, const struct arg *args, size_t n)
{
	(void) args;
	(void) n;
	reply_status(s->reply, "OK");
	s->quit = true;
}

void cmd_select(struct session *s, const struct arg *args, size_t n)
{
	int64_t index;

	(void) n;
	if (!arg_integer(s, &args[1], &index))
		return;
	if (index == 0)
		reply_status(s->reply, "OK");
	else
		reply_error(s->reply, "ERR DB index is out of range");
}

static bool set_name(struct session *s, const struct arg *name)
{
	struct blob *blob = NULL;

	for (size_t i = 0; i < name->len; i++) {
		if (name->data[i] < '!' || name->data[i] > '~') {
			reply_error(s->reply, "ERR Client names cannot contain spaces, newlines or "
					      "special characters.");
			return false;
		}
	}
	if (name->len > 0) {
		blob = arg_blob(name);
		s->reply->failed |= !blob;
	}
	if (s->reply->failed)
		return false;
	if (s->name)
		blob_drop(s->name);
	s->name = blob; /* An empty one is none. */
	return true;
}

void cmd_client(struct session *s, const struct arg *args, size_t n)
{
	if (arg_is(&args[1], "id") && n == 2)
		reply_integer(s->reply, (int64_t) s->id);
	else if (arg_is(&args[1], "getname") && n == 2 && s->name)
		reply_blob(s->reply, s->name);
	else if (arg_is(&args[1], "getname") && n == 2)
		reply_null(s->reply);
	else if (arg_is(&args[1], "setname") && n == 3 && set_name(s, &args[2]))
		reply_status(s->reply, "OK");
	else if (arg_is(&args[1], "setinfo") && n == 4)
		reply_status(s->reply, "OK"); /* Nobody asks for it. */
	else if (!arg_is(&args[1], "setname") || n != 3)
		unknown_subcommand(s, args);
}

void cmd_hello(struct session *s, const struct arg *args, size_t n)
{
	int64_t version = 2;

	if (n > 1 && !integer_parse(args[1].data, args[1].len, &version)) {
		reply_error(s->reply, "ERR Protocol version is not an integer or out of range");
		return;
	}
	if (version != 2) {
		reply_error(s->reply, "NOPROTO unsupported protocol version");
		return;
	}
	if (n == 4 && arg_is(&args[2], "setname")) {
		if (!set_name(s, &args[3]))
			return;
	} else if (n > 2) {
		reply_error(s->reply, SYNTAX_ERROR);
		return;
	}
	reply_array(s->reply, 14);
	reply_text(s->reply, "server");
	reply_text(s->reply, "keyval");
	reply_text(s->reply, "version");
	reply_text(s->reply, VERSION);
	reply_text(s->reply, "proto");
	reply_integer(s->reply, 2);
	reply_text(s->reply, "id");
	reply_integer(s->reply, (int64_t) s->id);
	reply_text(s->reply, "mode");
	reply_text(s->reply, "standalone");
	reply_text(s->reply, "role");
	reply_text(s->reply, "master");
	reply_text(s->reply, "modules");
	reply_array(s->reply, 0);
}

/* The server */

/* All there is to configure, and it cannot be changed: 1 pair in values. */
static void config_get(struct session *s, const struct arg *patterns, size_t n)
{
	char max_memory[24], max_clients[24], port[24];
	const char *const settings[][2] = {
		{"appendonly", "no"},
		{"databases", "1"},
		{"maxclients", max_clients},
		{"maxmemory", max_memory},
		{"port", port},
		{"proto-max-bulk-len", "536870912"},
		{"save", ""},
	};
	enum { N = sizeof(settings) / sizeof(settings[0]) };
	bool wanted[N] = {false};
	size_t count = 0;

	snprintf(max_memory, sizeof(max_memory), "%zu", mem_limit());
	snprintf(max_clients, sizeof(max_clients), "%zu", s->service->max_clients);
	snprintf(port, sizeof(port), "%u", s->service->port);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < n; j++)
			wanted[i] |= pattern_matches(patterns[j].data, patterns[j].len,
						     settings[i][0], strlen(settings[i][0]));
		count += wanted[i];
	}
	reply_array(s->reply, 2 * count);
	for (size_t i = 0; i < N; i++) {
		if (wanted[i]) {
			reply_text(s->reply, settings[i][0]);
			reply_text(s->reply, settings[i][1]);
		}
	}
}

void cmd_config(struct session *s, const struct arg *args, size_t n)
{
	if (arg_is(&args[1], "get") && n > 2)
		config_get(s, args + 2, n - 2);
	else
		unknown_subcommand(s, args);
}

struct totals {
	uint64_t clients, commands, hits, misses, expired;
	size_t keys, expiring;
};

/* The caller has all shards. */
static struct totals add_up(const struct service *service)
{
	struct totals t = {0};

	for (unsigned i = 0; i < service->n_lanes; i++) {
		const struct lane *lane = &service->lanes[i];

		t.clients += lane->clients;
		t.commands += lane->n_commands;
		t.hits += lane->hits;
		t.misses += lane->misses;
	}
	for (unsigned i = 0; i < service->shards.n; i++) {
		const struct store *store = &service->shards.shard[i].store;

		t.expired += store->n_expired;
		t.keys += store->keys.count;
		t.expiring += store->expiring;
	}
	return t;
}

void cmd_info(struct session *s, const struct arg *args, size_t n)
{
	const struct service *service = s->service;
	struct totals t = add_up(service);
	char text[1024];

	(void) args;
	(void) n;
	snprintf(text, sizeof(text),
		 "# Server\r\n"
		 "redis_version:%s\r\n"
		 "keyval_version:%s\r\n"
		 "redis_mode:standalone\r\n"
		 "tcp_port:%u\r\n"
		 "uptime_in_seconds:%" PRId64 "\r\n"
		 "\r\n# Clients\r\n"
		 "connected_clients:%" PRIu64 "\r\n"
		 "maxclients:%zu\r\n"
		 "\r\n# Memory\r\n"
		 "used_memory:%zu\r\n"
		 "maxmemory:%zu\r\n"
		 "\r\n# Stats\r\n"
		 "total_connections_received:%" PRIu64 "\r\n"
		 "total_commands_processed:%" PRIu64 "\r\n"
		 "expired_keys:%" PRIu64 "\r\n"
		 "keyspace_hits:%" PRIu64 "\r\n"
		 "keyspace_misses:%" PRIu64 "\r\n"
		 "\r\n# Replication\r\n"
		 "role:master\r\n"
		 "\r\n# Keyspace\r\n"
		 "db0:keys=%zu,expires=%zu,avg_ttl=0\r\n",
		 SPEAKS_LIKE, VERSION, service->port,
		 (s->lane->now_ms - service->started_ms) / 1000, t.clients, service->max_clients,
		 mem_used(), mem_limit(), service->n_connections, t.commands, t.expired, t.hits,
		 t.misses, t.keys, t.expiring);
	reply_text(s->reply, text);
}

static void describe(struct session *s, const struct command *c)
{
	reply_array(s->reply, 6);
	reply_text(s->reply, c->name);
	reply_integer(s->reply, c->arity);
	reply_array(s->reply, (c->flags & GROWS) ? 2 : 1);
	reply_status(s->reply, (c->flags & WRITES) ? "write" : "readonly");
	if (c->flags & GROWS)
		reply_status(s->reply, "denyoom");
	reply_integer(s->reply, c->first_key);
	reply_integer(s->reply, c->last_key);
	reply_integer(s->reply, c->key_step);
}

void cmd_command(struct session *s, const struct arg *args, size_t n)
{
	if (n == 1) {
		reply_array(s->reply, n_commands);
		for (size_t i = 0; i < n_commands; i++)
			describe(s, &commands[i]);
	} else if (arg_is(&args[1], "count") && n == 2) {
		reply_integer(s->reply, (int64_t) n_commands);
	} else if (arg_is(&args[1], "docs")) {
		reply_array(s->reply, 0); /* Clients then ask for the plain list. */
	} else if (arg_is(&args[1], "info")) {
		reply_array(s->reply, n - 2);
		for (size_t i = 2; i < n; i++) {
			const struct command *c = command_find(&args[i]);

			if (c)
				describe(s, c);
			else
				reply_null_array(s->reply);
		}
	} else {
		unknown_subcommand(s, args);
	}
}
