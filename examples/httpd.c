/* SPDX-License-Identifier: ISC */
/*
 * A static file server: HTTP/1.1 with keep-alive and pipelining, ranges, conditional
 * requests, directory listings, time limits and an access log.
 *
 * All it can reach is one directory: it opens that at the start and every file beneath it
 * by that capability, so paths and symlinks that lead out fail in the kernel.
 *
 * This file has the options and the server's life. httpd_conn.c serves a connection,
 * httpd_answer.c a request, httpd_listing.c a directory, httpd_log.c writes the access log.
 * What is only about HTTP is in http_*.c, functions over memory without I/O.
 *
 * A graceful stop ends the connections that wait between requests and lets the others
 * finish.
 *
 * What the connections of one domain share is its part, which its first connection begins; the
 * log is common to all.
 */
#include "domains.h"
#include "httpd.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char from[EIO_ADDR_TEXT];
	char why[256];

	(void) arg;
	eio_error_format(err, why, sizeof(why));
	fprintf(stderr, "httpd: %s: %s\n", eio_addr_format(peer, from, sizeof(from)), why);
}

/* A daemon: no new connections. A second signal kills, as nobody waits for it. */
static int stop_on_signal(void *arg)
{
	static const int signals[] = {SIGINT, SIGTERM, 0};
	struct server *server = arg;
	int rc = eio_signal_await(signals);

	return rc < 0 ? rc : eio_promise_resolve(&server->stop, 0, NULL);
}

static int say_port(struct eio_listener listener)
{
	struct eio_addr addr;
	int rc = eio_listener_addr(listener, &addr);

	if (rc < 0)
		return rc;
	printf("port=%u\n", eio_addr_port(&addr));
	return fflush(stdout) == 0 ? 0 : eio_error_set(-errno, "write", "standard output");
}

static int serve(struct server *server, struct eio_listener listener)
{
	struct eio_server_opts opts = {
		.max_connections = server->max_connections,
		.stop = &server->stop,
		.drain_ns = EIO_SEC(DRAIN_S),
		.on_error = report,
		.additional_domains = server->domains - 1,
		.domain_mgr = server->env->domain_mgr,
	};

	return eio_net_run_server(listener, conn_serve, server, &opts);
}

static int run_server(struct eio_switch *sw, void *arg)
{
	struct server *server = arg;
	struct eio_listen_opts listen_opts = {.reuse_addr = true};
	struct eio_listener listener;
	int rc;

	rc = eio_fs_open_dir(server->env->fs, sw, server->dir, &server->root);
	if (rc < 0)
		return rc;
	rc = eio_net_listen(server->env->net, sw, &server->addr, &listen_opts, &listener);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, stop_on_signal, server);
	if (rc < 0)
		return rc;
	rc = log_begin(server, sw);
	if (rc < 0)
		return rc;
	rc = say_port(listener);
	if (rc == 0)
		rc = serve(server, listener);
	log_end(server);
	return rc;
}

static int run(struct eio_env *env, void *arg)
{
	struct server *server = arg;

	server->env = env;
	return eio_switch_run(run_server, server);
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
	fputs("Usage: httpd [OPTION]... DIR\n"
	      "\n"
	      "Serves the files below DIR over HTTP until SIGINT or SIGTERM. Prints port=N once\n"
	      "it listens.\n"
	      "\n"
	      "  --addr A             numeric address to listen on (default 127.0.0.1)\n"
	      "  --port N             default 8080; 0 takes a free one\n"
	      "  --listing            list directories that have no index.html (else 403)\n"
	      "  --max-connections N  served at the same time; 0, the default, for no limit\n"
	      "  --idle-timeout S     seconds a connection may wait between requests; default\n"
	      "                       60, 0 for no limit\n"
	      "  --request-timeout S  seconds a request may take to come; default 30, 0 for no\n"
	      "                       limit\n"
	      "  --access-log FILE    append a line for each request, in the combined "
	      "format\n" DOMAINS_HELP "  --help               print this text\n"
	      "\n"
	      "Of several ranges in one request none is served but the whole file. Bodies of up\n"
	      "to 1 MiB are read past. A client that takes nothing for 30 seconds is given up.\n",
	      to);
}

static void complain(const char *option, const char *text, size_t max)
{
	fprintf(stderr, "httpd: --%s %s: not a number from 0 to %zu\n", option, text, max);
}

/* A number that is no larger than this, or a complaint. */
static bool parse_number(size_t *ret, const char *option, const char *text, size_t max)
{
	char *rest;

	errno = 0;
	*ret = strtoul(text, &rest, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *rest == '\0' && *ret <= max)
		return true;
	complain(option, text, max);
	return false;
}

static bool parse_address(struct server *server, const char *ip, const char *port)
{
	char text[128];

	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, port);
	if (eio_addr_parse(&server->addr, text) == 0)
		return true;
	fprintf(stderr, "httpd: %s: not an address and port\n", text);
	return false;
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{"addr", required_argument, NULL, 'a'},
		{"port", required_argument, NULL, 'p'},
		{"listing", no_argument, NULL, 'l'},
		{"max-connections", required_argument, NULL, 'm'},
		{"idle-timeout", required_argument, NULL, 'i'},
		{"request-timeout", required_argument, NULL, 'r'},
		{"access-log", required_argument, NULL, 'o'},
		{"domains", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const size_t day = (size_t) 24 * 60 * 60;
	const char *ip = "127.0.0.1", *port = "8080";
	size_t idle_s = 60, request_s = 30;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		bool ok = true;

		switch (option) {
		case 'a':
			ip = optarg;
			break;
		case 'p':
			port = optarg;
			break;
		case 'l':
			server->listing = true;
			break;
		case 'm':
			ok = parse_number(&server->max_connections, "max-connections", optarg,
					  SIZE_MAX);
			break;
		case 'i':
			ok = parse_number(&idle_s, "idle-timeout", optarg, day);
			break;
		case 'r':
			ok = parse_number(&request_s, "request-timeout", optarg, day);
			break;
		case 'o':
			server->log_path = optarg;
			break;
		case 'd':
			ok = parse_domains(&server->domains, optarg);
			if (!ok)
				complain("domains", optarg, 1024);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
		if (!ok)
			return 2;
	}
	if (argc - optind != 1) {
		usage(stderr);
		return 2;
	}
	server->dir = argv[optind];
	server->idle_timeout_s = (unsigned) idle_s;
	server->request_timeout_ns = request_s > 0 ? EIO_SEC((int64_t) request_s) : EIO_NEVER;
	return parse_address(server, ip, port) ? -1 : 2;
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
		fprintf(stderr, "httpd: %s\n", why);
		return 1;
	}
	return 0;
}
