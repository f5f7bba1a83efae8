/* SPDX-License-Identifier: ISC */
/*
 * A TCP echo server: one fiber per connection that reads, writes and reads again.
 *
 * Most connections of a server wait. A waiting one costs its fiber's page and no more, since
 * it has no buffer: what arrives is lent, and given back once it is written.
 */
#include "domains.h"

#include <eio/eio.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct server {
	struct eio_env *env;
	struct eio_addr addr;
	unsigned domains;
	struct eio_promise stop;
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

static int echo(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	int rc;

	(void) peer;
	(void) arg;
	for (;;) {
		struct eio_view view;
		ssize_t n = eio_flow_read_borrow(conn, SIZE_MAX, &view);

		rc = n > 0 ? eio_flow_write(conn, view.data, view.len) : (int) n;
		eio_view_release(&view);
		if (n <= 0 || rc < 0)
			break;
	}
	/* A client that is gone is none of our failures. */
	return rc == -ECONNRESET || rc == -EPIPE ? 0 : rc;
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char from[EIO_ADDR_TEXT];
	char why[256];

	(void) arg;
	eio_error_format(err, why, sizeof(why));
	fprintf(stderr, "echo: %s: %s\n", eio_addr_format(peer, from, sizeof(from)), why);
}

static int serve(struct eio_switch *sw, void *arg)
{
	struct server *server = arg;
	struct eio_server_opts opts = {
		.stop = &server->stop,
		.drain_ns = EIO_SEC(1),
		.on_error = report,
		.receive = EIO_RECEIVE_MULTISHOT,
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
	return eio_net_run_server(listener, echo, server, &opts);
}

static int run(struct eio_env *env, void *arg)
{
	struct server *server = arg;

	server->env = env;
	return eio_switch_run(serve, server);
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

static int parse_addr(struct eio_addr *ret, const char *text)
{
	char local[64];

	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return eio_addr_parse(ret, text);
	snprintf(local, sizeof(local), "127.0.0.1:%s", text);
	return eio_addr_parse(ret, local);
}

static void usage(FILE *to)
{
	fputs("Usage: echo [OPTION]... [ADDRESS|PORT]\n"
	      "\n"
	      "Sends back what it receives, on every connection, until SIGINT or SIGTERM.\n"
	      "Prints port=N once it listens.\n"
	      "\n"
	      "  ADDRESS  127.0.0.1:7000, [::1]:7000 or unix:/path\n"
	      "  PORT     on 127.0.0.1; 0, the default, takes a free one\n"
	      "\n" DOMAINS_HELP "  --help               print this text\n",
	      to);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{"domains", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *where;
	int option, rc;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'd' && parse_domains(&server->domains, optarg))
			continue;
		if (option == 'd')
			fprintf(stderr, "echo: --domains %s: not a number from 0 to 1024\n",
				optarg);
		else
			usage(option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : 2;
	}
	if (argc - optind > 1) {
		usage(stderr);
		return 2;
	}
	where = optind < argc ? argv[optind] : "0";
	rc = parse_addr(&server->addr, where);
	if (rc == 0)
		return -1;
	fprintf(stderr, "echo: %s: %s\n", where, eio_strerror(rc));
	return 2;
}

int main(int argc, char **argv)
{
	struct server server = {.domains = 1, .stop = EIO_PROMISE_INIT};
	char why[256];
	int rc = parse_args(&server, argc, argv);

	if (rc >= 0)
		return rc;
	raise_file_limit();
	rc = eio_run(NULL, run, &server);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "echo: %s\n", why);
		return 1;
	}
	return 0;
}
