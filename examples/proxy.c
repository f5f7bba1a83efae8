/* SPDX-License-Identifier: ISC */
/*
 * A two-way proxy for TCP and Unix sockets.
 *
 * A connection has two fibers: the one that accepted it copies from client to upstream, the
 * other back. When a copy comes to the end of its source, that end is passed on, and the
 * other direction goes on alone. When one fails, or nothing has moved for too long, both are
 * over. Then both sides are reset: an end that was not seen is not to be made up.
 */
#include "domains.h"

#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct server {
	/* From the command line. */
	struct eio_addr addr, upstream;
	char *host; /* the upstream's, NULL if it is an address */
	const char *service;
	int64_t connect_ns, idle_ns, drain_ns;
	size_t max_connections;
	unsigned domains;
	bool stats;

	struct eio_env *env;
	struct eio_promise stop;

	/* Connections, and the bytes of both directions, counted by all domains. */
	_Atomic uint64_t served, unreachable, timed_out, failed;
	_Atomic uint64_t up, down;
};

/* A client's connection with an upstream's. */
struct pair {
	struct server *server;
	struct eio_flow client, upstream;
	struct eio_timeout idle;
};

/* Signals */

/* A daemon: it does not keep the server alive, and is cancelled when the server ends. A second
 * signal kills, as nobody waits for it. */
static int stop_on_signal(void *arg)
{
	static const int signals[] = {SIGINT, SIGTERM, 0};
	struct server *server = arg;
	int rc = eio_signal_await(signals);

	return rc < 0 ? rc : eio_promise_resolve(&server->stop, 0, NULL);
}

/* One connection */

/* Nobody reads them before all is over. */
static void add(_Atomic uint64_t *total, uint64_t n)
{
	atomic_fetch_add_explicit(total, n, memory_order_relaxed);
}

static void count(struct pair *pair, _Atomic uint64_t *bytes, uint64_t n)
{
	add(bytes, n);
	if (pair->server->idle_ns != EIO_NEVER)
		eio_timeout_reset(&pair->idle, pair->server->idle_ns);
}

static int went_up(uint64_t n, void *arg)
{
	struct pair *pair = arg;

	count(pair, &pair->server->up, n);
	return 0;
}

static int went_down(uint64_t n, void *arg)
{
	struct pair *pair = arg;

	count(pair, &pair->server->down, n);
	return 0;
}

/* Copies to the end of a source, and passes the end on. */
static int pass(struct eio_flow from, struct eio_flow to, int (*moved)(uint64_t n, void *arg),
		struct pair *pair)
{
	int rc = eio_flow_copy_n(from, to, UINT64_MAX, moved, pair, NULL);

	return rc < 0 ? rc : eio_flow_shutdown(to, EIO_SHUT_SEND);
}

static int pass_down(void *arg)
{
	struct pair *pair = arg;

	return pass(pair->upstream, pair->client, went_down, pair);
}

static int pass_both_ways(struct pair *pair)
{
	struct eio_switch sw;
	int rc;

	eio_timeout_begin(&pair->idle, pair->server->env->mono_clock, pair->server->idle_ns);
	eio_switch_begin_named(&sw, "connection");
	rc = eio_fork(&sw, pass_down, pair);
	if (rc == 0)
		rc = pass(pair->client, pair->upstream, went_up, pair);
	rc = eio_switch_end(&sw, rc);
	return eio_timeout_end(&pair->idle, rc);
}

/* Kept apart for the frame in which a connection waits. */
static __attribute__((noinline)) int connect_upstream(struct server *server, struct eio_flow *ret)
{
	const struct eio_connect_opts opts = {.timeout_ns = server->connect_ns};
	struct eio_net net = server->env->net;
	struct eio_timeout limit;
	int rc;

	if (!server->host)
		return eio_net_connect(net, NULL, &server->upstream, &opts, ret);
	/* The look-up and all its addresses together. */
	eio_timeout_begin(&limit, server->env->mono_clock,
			  server->connect_ns ? server->connect_ns : EIO_NEVER);
	rc = eio_net_connect_host(net, NULL, server->host, server->service, &opts, ret);
	rc = eio_timeout_end(&limit, rc);
	return rc == -ETIMEDOUT ? eio_error_set(rc, "connect", server->host) : rc;
}

/* Has its peer read a reset, not an end, when the connection is closed. */
static void reset(struct eio_flow conn)
{
	struct linger at_once = {.l_onoff = 1};
	struct eio_fd fd;

	if (eio_flow_fd(conn, &fd) == 0)
		eio_ll_setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static int serve(struct eio_flow client, const struct eio_addr *peer, void *arg)
{
	struct server *server = arg;
	struct pair pair = {.server = server, .client = client};
	int rc = connect_upstream(server, &pair.upstream);

	(void) peer;
	if (rc < 0) {
		add(&server->unreachable, 1);
		reset(client);
		return rc;
	}
	rc = pass_both_ways(&pair);
	if (rc < 0) {
		reset(client);
		reset(pair.upstream);
	}
	eio_flow_close(pair.upstream);

	/* What one side did to the other is none of our failures, nor is what we were told. */
	switch (rc) {
	case -ETIMEDOUT:
		add(&server->timed_out, 1);
		return 0;
	case -ECONNRESET:
	case -EPIPE:
	case -ENOTCONN:
	case -ECANCELED:
		add(&server->failed, 1);
		return 0;
	}
	add(rc < 0 ? &server->failed : &server->served, 1);
	return rc;
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char from[EIO_ADDR_TEXT];
	char why[256];

	(void) arg;
	eio_error_format(err, why, sizeof(why));
	fprintf(stderr, "proxy: %s: %s\n", eio_addr_format(peer, from, sizeof(from)), why);
}

/* The server */

static int run_server(struct eio_switch *sw, void *arg)
{
	struct server *server = arg;
	struct eio_server_opts opts = {
		.max_connections = server->max_connections,
		.stop = &server->stop,
		.drain_ns = server->drain_ns,
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

	printf("port=%u\n", eio_addr_port(&addr));
	if (fflush(stdout) != 0)
		return eio_error_set(-errno, "write", "standard output");
	return eio_net_run_server(listener, serve, server, &opts);
}

static int run(struct eio_env *env, void *arg)
{
	struct server *server = arg;

	server->env = env;
	return eio_switch_run(run_server, server);
}

static void print_stats(const struct server *server)
{
	printf("served=%" PRIu64 " unreachable=%" PRIu64 " idle=%" PRIu64 " failed=%" PRIu64
	       " up=%" PRIu64 " down=%" PRIu64 "\n",
	       server->served, server->unreachable, server->timed_out, server->failed, server->up,
	       server->down);
}

/* A connection needs two descriptors, and two more for each direction that is busy. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The command line */

static void usage(FILE *to)
{
	fputs("Usage: proxy [OPTION]... LISTEN UPSTREAM\n"
	      "\n"
	      "Passes connections on, in both directions, until SIGINT or SIGTERM. Prints port=N\n"
	      "once it listens.\n"
	      "\n"
	      "  LISTEN    127.0.0.1:7000, [::1]:7000, unix:/path, or a port on 127.0.0.1; 0\n"
	      "            takes a free one\n"
	      "  UPSTREAM  where to connect to, likewise, or by name: example.org:https\n"
	      "\n"
	      "  --connect-timeout S  for a connection to the upstream (default 10)\n"
	      "  --idle-timeout S     without a byte in either direction (default 0)\n"
	      "  --drain-timeout S    for open connections after a signal (default 5)\n"
	      "  --max-connections N  at the same time (default 0)\n" DOMAINS_HELP
	      "  --stats              print totals at the end\n"
	      "  --help               print this text\n"
	      "\n"
	      "Times are in seconds and may have a fraction; 0 means no limit. A connection that\n"
	      "does not end by itself in both directions is reset on both sides.\n",
	      to);
}

static bool parse_seconds(int64_t *ret_ns, const char *text)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest != '\0' || !(s >= 0 && s <= 1e9))
		return false;
	*ret_ns = (int64_t) (s * 1e9);
	return true;
}

static bool parse_size(size_t *ret, const char *text)
{
	char *rest;

	errno = 0;
	*ret = strtoul(text, &rest, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *rest == '\0';
}

static bool parse_addr(struct eio_addr *ret, const char *text)
{
	char local[64];
	int rc;

	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
		snprintf(local, sizeof(local), "127.0.0.1:%s", text);
		text = local;
	}
	rc = eio_addr_parse(ret, text);
	if (rc < 0)
		fprintf(stderr, "proxy: %s: %s\n", text, eio_strerror(rc));
	return rc == 0;
}

/* "example.org:https", but not what is meant for a number. */
static bool parse_host(struct server *server, char *text)
{
	char *colon = strrchr(text, ':');
	bool number = text[0] == '[' || strncmp(text, "unix:", 5) == 0;

	if (number || !colon || colon == text || !colon[1])
		return false;
	*colon = '\0';
	if (text[strspn(text, "0123456789.")] == '\0') {
		*colon = ':';
		return false;
	}
	server->host = text;
	server->service = colon + 1;
	return true;
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{"connect-timeout", required_argument, NULL, 'c'},
		{"idle-timeout", required_argument, NULL, 'i'},
		{"drain-timeout", required_argument, NULL, 'd'},
		{"max-connections", required_argument, NULL, 'm'},
		{"domains", required_argument, NULL, 'n'},
		{"stats", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, i = 0;
	bool good = true;

	while (good && (option = getopt_long(argc, argv, "", options, &i)) >= 0) {
		switch (option) {
		case 'c':
			good = parse_seconds(&server->connect_ns, optarg);
			break;
		case 'i':
			good = parse_seconds(&server->idle_ns, optarg);
			break;
		case 'd':
			good = parse_seconds(&server->drain_ns, optarg);
			break;
		case 'm':
			good = parse_size(&server->max_connections, optarg);
			break;
		case 'n':
			good = parse_domains(&server->domains, optarg);
			break;
		case 's':
			server->stats = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!good) {
		fprintf(stderr, "proxy: --%s %s: not a number\n", options[i].name, optarg);
		return 2;
	}
	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	if (!parse_addr(&server->addr, argv[optind]) ||
	    (!parse_host(server, argv[optind + 1]) &&
	     !parse_addr(&server->upstream, argv[optind + 1])))
		return 2;
	if (server->idle_ns == 0)
		server->idle_ns = EIO_NEVER;
	return -1;
}

int main(int argc, char **argv)
{
	struct server server = {
		.connect_ns = EIO_SEC(10),
		.drain_ns = EIO_SEC(5),
		.domains = 1,
		.stop = EIO_PROMISE_INIT,
	};
	char why[256];
	int rc = parse_args(&server, argc, argv);

	if (rc >= 0)
		return rc;
	raise_file_limit();
	rc = eio_run(NULL, run, &server);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "proxy: %s\n", why);
		return 1;
	}
	if (server.stats)
		print_stats(&server);
	return 0;
}
