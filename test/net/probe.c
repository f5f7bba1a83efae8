/* SPDX-License-Identifier: ISC */
/*
 * A client for the tests on a network: connects to a host by its name and says what came of
 * it, on a line of its own.
 *
 *   probe connect HOST PORT LIMIT_MS  "connected to ADDRESS"
 *   probe read HOST PORT LIMIT_MS     reads to the end: "read N bytes"
 *   probe receive HOST PORT LIMIT_MS  copies what comes to standard output, and says it on
 *                                     standard error: "received N bytes"
 *   probe send HOST PORT LIMIT_MS     copies standard input: "sent N bytes"
 *
 * or what failed, with the name of its code, and after how many bytes. LIMIT_MS is each
 * attempt's to connect, 0 the default.
 */
#include <eio/eio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
	struct eio_env *env;
	const char *verb, *host, *port;
	struct eio_connect_opts opts;
	uint64_t bytes;
};

static int read_all(struct probe *p, struct eio_flow conn)
{
	char buf[4096];
	ssize_t n;

	while ((n = eio_flow_read(conn, buf, sizeof(buf))) > 0)
		p->bytes += (uint64_t) n;
	return (int) n;
}

static int tell_peer(struct eio_flow conn)
{
	char text[EIO_ADDR_TEXT];
	struct eio_addr peer;
	int rc = eio_net_peer_addr(conn, &peer);

	if (rc == 0)
		printf("connected to %s\n", eio_addr_format(&peer, text, sizeof(text)));
	return rc;
}

static int use(struct probe *p, struct eio_flow conn)
{
	int rc;

	if (strcmp(p->verb, "connect") == 0)
		return tell_peer(conn);
	if (strcmp(p->verb, "read") == 0)
		rc = read_all(p, conn);
	else if (strcmp(p->verb, "receive") == 0)
		rc = eio_flow_copy(conn, p->env->out, &p->bytes);
	else
		rc = eio_flow_copy(p->env->in, conn, &p->bytes);
	if (rc == 0)
		fprintf(stderr, "%s %llu bytes\n", p->verb, (unsigned long long) p->bytes);
	return rc;
}

static int probe(struct eio_switch *sw, void *arg)
{
	struct probe *p = arg;
	struct eio_flow conn;
	int rc = eio_net_connect_host(p->env->net, sw, p->host, p->port, &p->opts, &conn);

	return rc < 0 ? rc : use(p, conn);
}

static int run(struct eio_env *env, void *arg)
{
	struct probe *p = arg;

	p->env = env;
	return eio_switch_run(probe, p);
}

int main(int argc, char **argv)
{
	struct probe p = {.bytes = 0};
	char why[512];
	int rc;

	if (argc != 5) {
		fputs("Usage: probe connect|read|receive|send HOST PORT LIMIT_MS\n", stderr);
		return 2;
	}
	p.verb = argv[1];
	p.host = argv[2];
	p.port = argv[3];
	p.opts.timeout_ns = EIO_MS(atoi(argv[4]));
	rc = eio_run(NULL, run, &p);
	if (rc == 0)
		return 0;
	eio_error_format(rc, why, sizeof(why));
	fprintf(stderr, "%s after %llu bytes: %s\n", eio_err_name(rc), (unsigned long long) p.bytes,
		why);
	return 1;
}
