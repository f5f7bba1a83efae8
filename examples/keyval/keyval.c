/* SPDX-License-Identifier: ISC */
/*
 * An in-memory key-value server that speaks RESP2, the protocol of Redis: redis-cli and the
 * clients for Redis work with it.
 *
 *   client.c   a fiber for each connection: reads, answers, writes
 *   resp.c     requests, out of bytes           reply.c   answers, into bytes
 *   command.c  the table of commands            cmd_*.c   the commands
 *   shards.c   who may work on which keys
 *   store.c    keys, what they hold, expiry     table.c, list.c, blob.c   what it is made of
 *
 * A connection stays in the domain that accepted it; all domains work on all keys: see shards.h.
 */
#include "../domains.h"
#include "client.h"
#include "memory.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	SWEEP_MS = 100,
	SWEEP_BUCKETS = 1024, /* in one go; at most so long do the others wait */
};

struct server {
	struct eio_env *env;
	struct eio_addr addr;
	unsigned domains;
	struct eio_promise stop;
	struct clients clients;
};

/* A daemon: it does not keep the server alive, and is cancelled when the server ends. A second
 * signal kills, as nobody waits for it. */
static int stop_on_signal(void *arg)
{
	static const int signals[] = {SIGINT, SIGTERM, 0};
	struct server *server = arg;
	int rc = eio_signal_await(signals);

	return rc < 0 ? rc : eio_promise_resolve(&server->stop, 0, NULL);
}

/*
 * A daemon: removes keys that have expired and that nobody asks for. Where it finds many it
 * goes on at once, but lets the clients have a turn first. Spare work memory goes as well. One
 * is enough for the shards and lanes of all domains.
 */
static int sweep(void *arg)
{
	struct clients *clients = arg;
	int rc;

	while ((rc = eio_sleep(clients->clock, EIO_MS(SWEEP_MS))) == 0) {
		while (shards_sweep(&clients->service.shards, SWEEP_BUCKETS,
				    clients_now_ms(clients)) > SWEEP_BUCKETS / 4 &&
		       (rc = eio_yield()) == 0)
			;
		if (rc < 0)
			break;
		clients_trim(clients);
	}
	return rc;
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char from[EIO_ADDR_TEXT];
	char why[256];

	(void) arg;
	eio_error_format(err, why, sizeof(why));
	fprintf(stderr, "keyval: %s: %s\n", eio_addr_format(peer, from, sizeof(from)), why);
}

static int listen_and_serve(struct eio_switch *sw, void *arg)
{
	struct server *server = arg;
	struct eio_server_opts opts = {
		.max_connections = server->clients.service.max_clients,
		.stop = &server->stop,
		.drain_ns = EIO_SEC(1),
		.on_error = report,
		.additional_domains = server->domains - 1,
		.domain_mgr = server->env->domain_mgr,
	};
	struct eio_listen_opts listen_opts = {.reuse_addr = true};
	struct eio_listener listener;
	struct eio_addr addr;
	int rc;

	rc = eio_net_listen(server->env->net, sw, &server->addr, &listen_opts, &listener);
	if (rc < 0)
		return rc;
	rc = eio_listener_addr(listener, &addr);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, stop_on_signal, server);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, sweep, &server->clients);
	if (rc < 0)
		return rc;

	server->clients.service.port = eio_addr_port(&addr);
	printf("port=%u\n", server->clients.service.port);
	if (fflush(stdout) != 0)
		return eio_error_set(-errno, "write", "standard output");
	return eio_net_run_server(listener, client_serve, &server->clients, &opts);
}

/* The store lives as long as there are clients. */
static int run(struct eio_env *env, void *arg)
{
	struct server *server = arg;
	struct clients *clients = &server->clients;
	uint64_t random[3];
	int rc;

	server->env = env;
	rc = eio_flow_read_exact(env->secure_random, random, sizeof(random));
	if (rc < 0)
		return rc;
	table_seed(random);
	rc = clients_init(clients, env->mono_clock, server->domains, random[2]);
	if (rc < 0)
		return rc;
	rc = eio_switch_run(listen_and_serve, server);
	clients_fini(clients);
	return rc;
}

/* Thousands of connections need more descriptors than the usual soft limit. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void usage(FILE *to)
{
	fputs("Usage: keyval [OPTION]...\n"
	      "\n"
	      "Serves keys and values in memory to clients of Redis (RESP2) until SIGINT or\n"
	      "SIGTERM. Prints port=N once it listens. What it holds is lost when it ends.\n"
	      "\n"
	      "  --addr A             numeric address to listen on (default 127.0.0.1)\n"
	      "  --port N             default 6379; 0 takes a free one\n"
	      "  --max-connections N  served at the same time; 0, the default, for no limit\n"
	      "  --max-memory N       bytes, or with K, M or G; commands that may need more are\n"
	      "                       refused then; 0, the default, for no limit\n" DOMAINS_HELP
	      "  --help               print this text\n",
	      to);
}

/* A number, with a suffix if there may be one. */
static bool parse_size(size_t *ret, const char *text, const char *suffixes)
{
	unsigned long long n;
	const char *suffix;
	char *rest;

	errno = 0;
	n = strtoull(text, &rest, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9')
		return false;
	if (*rest != '\0') {
		int shift;

		suffix = strchr(suffixes, *rest);
		if (!suffix || rest[1] != '\0')
			return false;
		shift = 10 * (int) (suffix - suffixes + 1);
		if (n > SIZE_MAX >> shift)
			return false;
		n <<= shift;
	}
	*ret = (size_t) n;
	return true;
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{"addr", required_argument, NULL, 'a'},
		{"port", required_argument, NULL, 'p'},
		{"max-connections", required_argument, NULL, 'c'},
		{"max-memory", required_argument, NULL, 'm'},
		{"domains", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *ip = "127.0.0.1", *port = "6379";
	size_t max_memory = 0;
	char text[128];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		bool valid = true;

		switch (option) {
		case 'a':
			ip = optarg;
			break;
		case 'p':
			port = optarg;
			break;
		case 'c':
			valid = parse_size(&server->clients.service.max_clients, optarg, "");
			break;
		case 'm':
			valid = parse_size(&max_memory, optarg, "KMG");
			break;
		case 'd':
			valid = parse_domains(&server->domains, optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
		if (!valid) {
			fprintf(stderr, "keyval: %s: not a number\n", optarg);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	mem_set_limit(max_memory);
	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, port);
	if (eio_addr_parse(&server->addr, text) < 0) {
		fprintf(stderr, "keyval: %s: not an address and port\n", text);
		return 2;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct server server = {.domains = 1, .stop = EIO_PROMISE_INIT};
	char why[256];
	int rc = parse_args(&server, argc, argv);

	if (rc >= 0)
		return rc;
	commands_init();
	raise_file_limit();
	rc = eio_run(NULL, run, &server);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "keyval: %s\n", why);
		return 1;
	}
	return 0;
}
