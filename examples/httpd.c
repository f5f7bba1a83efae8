/* SPDX-License-Identifier: ISC */
/*
 * A static file server: HTTP/1.1 with keep-alive and pipelining.
 *
 * All it can reach is one directory: it opens that at the start and every file beneath it
 * by that capability, so paths and symlinks that lead out fail in the kernel.
 *
 * One fiber serves a connection. Between requests it waits with a small buffer on its
 * stack; a struct work with the large ones is held only while requests are answered.
 * Answers gather in it and are sent when there is no further request to answer.
 *
 * Whoever waits for a client is on the server's list of waiting connections, with a
 * cancellation context around the wait. One fiber looks after them all: the oldest is in
 * front, and is cancelled when the client took too long. A graceful stop cancels those
 * that wait between requests and lets the others finish.
 */
#define _GNU_SOURCE 1
#include "http_parse.h"

#include <eio/eio.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
	FIRST_SIZE = 256,    /* waits for a request; most fit */
	SMALL_FILE = 16384,  /* sent in one piece with its header */
	OUT_SIZE = 32768,    /* answers gathered, at least a small file and a header */
	HEADER_ROOM = 512,   /* no header of ours is longer */
	PIECE = 1024 * 1024, /* of a large file, for which a client has PATIENCE_S */
	PATIENCE_S = 30,
	LINGER_S = 2,      /* for a client to read what a connection that we close still holds, */
	LINGER_READS = 64, /* and what it may send meanwhile */
};

#define INDEX "index.html"

/* What it takes to answer requests. */
struct work {
	struct work *next; /* of those to spare */
	size_t begin, end; /* of the bytes in @p in that were not parsed yet */
	size_t out_len;
	char in[HTTP_MAX_HEAD];
	char path[HTTP_MAX_LINE + sizeof("/" INDEX)];
	char out[OUT_SIZE];
};

struct conn {
	struct conn *next, *prev; /* in the server's list while it waits for its client */
	struct eio_cancel wait;   /* the context of that wait */
	unsigned since;           /* the server's second when it began */
	bool idle;                /* it is one between requests */
	struct eio_flow flow;
	struct server *server;
};

struct server {
	/* From the command line. */
	const char *dir;
	struct eio_addr addr;
	size_t max_connections;

	struct eio_env *env;
	struct eio_dir root;
	struct eio_promise stop;
	bool stopping;
	struct conn waiting; /* the head of the list, longest wait first */
	unsigned second;     /* counted by the fiber that looks after it */

	struct work *spare; /* last in, first out: it is still in the cache */
	size_t n_spare, least_spare;

	int64_t date_s;
	char date[64];
};

static struct eio_event stop_asked;

/* Waiting for clients */

static void wait_begin(struct conn *conn, bool idle)
{
	struct conn *head = &conn->server->waiting;

	eio_cancel_begin(&conn->wait);
	conn->idle = idle;
	conn->since = conn->server->second;
	conn->next = head;
	conn->prev = head->prev;
	conn->prev->next = head->prev = conn;
}

/* Ends the wait; a cancellation of just this one becomes its reason. */
static int wait_end(struct conn *conn, int rc)
{
	int reason = eio_cancel_error(&conn->wait);

	conn->prev->next = conn->next;
	conn->next->prev = conn->prev;
	eio_cancel_end(&conn->wait);
	return rc == -ECANCELED && reason < 0 ? reason : rc;
}

/* Reads some bytes: how many, 0 at the end, -ETIMEDOUT, -ESHUTDOWN if it was idle, ... */
static int receive(struct conn *conn, char *buf, size_t len, bool idle)
{
	ssize_t n;

	if (idle && conn->server->stopping)
		return -ESHUTDOWN;
	wait_begin(conn, idle);
	n = eio_flow_read(conn->flow, buf, len);
	return wait_end(conn, (int) n);
}

static int flush(struct conn *conn, struct work *work)
{
	int rc;

	if (work->out_len == 0)
		return 0;
	wait_begin(conn, false);
	rc = eio_flow_write(conn->flow, work->out, work->out_len);
	work->out_len = 0;
	return wait_end(conn, rc);
}

/* Work memory */

static struct work *take_work(struct server *server)
{
	struct work *work = server->spare;

	if (!work)
		return malloc(sizeof(*work));
	server->spare = work->next;
	if (--server->n_spare < server->least_spare)
		server->least_spare = server->n_spare;
	return work;
}

static void give_work(struct server *server, struct work *work)
{
	work->next = server->spare;
	server->spare = work;
	server->n_spare++;
}

static void free_spare(struct server *server, size_t n)
{
	while (n-- > 0) {
		struct work *work = server->spare;

		server->spare = work->next;
		server->n_spare--;
		free(work);
	}
	server->least_spare = server->n_spare;
}

/* A daemon: once a second it ends waits that took too long and frees what nobody needed. */
static int look_after(void *arg)
{
	struct server *server = arg;
	int rc;

	while ((rc = eio_sleep(server->env->mono_clock, EIO_SEC(1))) == 0) {
		struct conn *conn = server->waiting.next;

		server->second++;
		while (conn != &server->waiting && server->second - conn->since > PATIENCE_S) {
			eio_cancel_raise(&conn->wait, -ETIMEDOUT);
			conn = conn->next;
		}
		free_spare(server, server->least_spare);
	}
	return rc;
}

/*
 * Answers. The header is put together by hand: printf's own buffers would take each fiber's
 * stack to a second page.
 */

static void put(struct work *work, const void *data, size_t len)
{
	memcpy(work->out + work->out_len, data, len);
	work->out_len += len;
}

static void put_text(struct work *work, const char *text)
{
	put(work, text, strlen(text));
}

static void put_number(struct work *work, uint64_t number)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char) ('0' + number % 10);
	while (number /= 10);
	put(work, digits + i, sizeof(digits) - i);
}

static const char *date_now(struct server *server)
{
	int64_t now = eio_now_ns(server->env->clock) / EIO_SEC(1);
	time_t t = (time_t) now;
	struct tm tm;

	if (now != server->date_s) {
		server->date_s = now;
		gmtime_r(&t, &tm);
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return server->date;
}

/* Makes room in the output for a header and so many bytes of content. */
static int make_room(struct conn *conn, struct work *work, size_t content)
{
	return OUT_SIZE - work->out_len < HEADER_ROOM + content ? flush(conn, work) : 0;
}

static void put_header(struct conn *conn, struct work *work, const struct http_request *req,
		       int status, const char *type, uint64_t length)
{
	put_text(work, "HTTP/1.1 ");
	put_number(work, (uint64_t) status);
	put_text(work, " ");
	put_text(work, http_reason(status));
	put_text(work, "\r\nDate: ");
	put_text(work, date_now(conn->server));
	put_text(work, "\r\nContent-Type: ");
	put_text(work, type);
	put_text(work, "\r\nContent-Length: ");
	put_number(work, length);
	if (status == 405)
		put_text(work, "\r\nAllow: GET, HEAD");
	if (!req->keep_alive)
		put_text(work, "\r\nConnection: close");
	else if (req->minor == 0)
		put_text(work, "\r\nConnection: keep-alive");
	put_text(work, "\r\n\r\n");
}

static int answer_status(struct conn *conn, struct work *work, const struct http_request *req,
			 int status)
{
	const char *reason = http_reason(status);
	size_t length = strlen(reason) + 1;
	int rc = make_room(conn, work, length);

	if (rc < 0)
		return rc;
	put_header(conn, work, req, status, "text/plain", length);
	if (req->method != HTTP_HEAD) {
		put_text(work, reason);
		put_text(work, "\n");
	}
	return 0;
}

static int status_of(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return 404;
	case -EXDEV: /* It leads out of the directory. */
	case -EACCES:
	case -EPERM:
	case -ELOOP:
	case -ENXIO:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return 503;
	default:
		return 500;
	}
}

static int open_and_stat(struct eio_dir root, const char *path, struct eio_flow *ret,
			 struct eio_stat *ret_stat)
{
	int rc = eio_fs_open_in(root, NULL, path, ret);

	if (rc < 0)
		return rc;
	rc = eio_file_stat(*ret, ret_stat);
	if (rc < 0)
		eio_flow_close(*ret);
	return rc;
}

/* Opens the file a path means: if it is a directory, its index. */
static int open_file(struct eio_dir root, char *path, size_t len, struct eio_flow *ret,
		     struct eio_stat *ret_stat)
{
	int rc = open_and_stat(root, len > 0 ? path : ".", ret, ret_stat);

	if (rc == 0 && ret_stat->kind == EIO_KIND_DIRECTORY) {
		eio_flow_close(*ret);
		if (len > 0 && path[len - 1] != '/')
			path[len++] = '/';
		memcpy(path + len, INDEX, sizeof(INDEX));
		rc = open_and_stat(root, path, ret, ret_stat);
		if (rc == -ENOENT)
			rc = -EACCES; /* Directories are not listed. */
	}
	if (rc == 0 && ret_stat->kind != EIO_KIND_REGULAR) {
		eio_flow_close(*ret);
		rc = -EACCES;
	}
	return rc;
}

static int send_content(struct conn *conn, struct eio_flow file, uint64_t size)
{
	int rc = 0;

	while (rc == 0 && size > 0) {
		uint64_t moved = 0;

		wait_begin(conn, false);
		rc = eio_flow_copy_n(file, conn->flow, size < PIECE ? size : PIECE, NULL, NULL,
				     &moved);
		rc = wait_end(conn, rc);
		if (rc == 0 && moved == 0)
			rc = EIO_EOF; /* The file shrank; what the header said is wrong now. */
		size -= moved;
	}
	return rc;
}

/* A small file goes out together with its header, and with what else is gathered. */
static int answer_file(struct conn *conn, struct work *work, const struct http_request *req,
		       struct eio_flow file, uint64_t size)
{
	const char *type = http_content_type(work->path);
	bool small = size <= SMALL_FILE;
	size_t before;
	int rc = make_room(conn, work, small ? size : 0);

	if (rc < 0)
		return rc;
	before = work->out_len;
	put_header(conn, work, req, 200, type, size);
	if (req->method == HTTP_HEAD)
		return 0;
	if (!small) {
		rc = flush(conn, work);
		return rc < 0 ? rc : send_content(conn, file, size);
	}

	rc = eio_flow_read_exact(file, work->out + work->out_len, size);
	if (rc == 0) {
		work->out_len += size;
	} else if (rc != -ECANCELED) {
		work->out_len = before;
		rc = answer_status(conn, work, req, 500);
	}
	return rc;
}

static int answer(struct conn *conn, struct work *work, const struct http_request *req)
{
	struct eio_stat stat;
	struct eio_flow file;
	ssize_t len;
	int rc;

	if (req->method == HTTP_OTHER)
		return answer_status(conn, work, req, 405);
	len = http_target_path(req->target, req->target_len, work->path);
	if (len < 0)
		return answer_status(conn, work, req, (int) -len);
	rc = open_file(conn->server->root, work->path, (size_t) len, &file, &stat);
	if (rc == -ECANCELED)
		return rc;
	if (rc < 0)
		return answer_status(conn, work, req, status_of(rc));
	rc = answer_file(conn, work, req, file, stat.size);
	eio_flow_close(file);
	return rc;
}

/* Connections */

/* How a connection goes on, if it did not fail. */
enum {
	CLOSE,  /* the client has ended it */
	LINGER, /* we end it */
	IDLE,   /* nothing left to do */
	MORE,   /* there is another request, or a part of one */
};

static int read_more(struct conn *conn, struct work *work)
{
	int rc = flush(conn, work); /* A client may wait for it before it sends the rest. */

	if (rc < 0)
		return rc;
	memmove(work->in, work->in + work->begin, work->end - work->begin);
	work->end -= work->begin;
	work->begin = 0;
	rc = receive(conn, work->in + work->end, sizeof(work->in) - work->end, false);
	if (rc <= 0)
		return rc < 0 ? rc : CLOSE;
	work->end += (size_t) rc;
	return MORE;
}

static int serve_next(struct conn *conn, struct work *work)
{
	struct http_request req = {.minor = 1};
	ssize_t head = http_parse_request(&req, work->in + work->begin, work->end - work->begin);
	int rc;

	if (head == 0)
		return read_more(conn, work);
	if (head < 0) {
		rc = answer_status(conn, work, &req, (int) -head);
		return rc < 0 ? rc : LINGER;
	}
	work->begin += (size_t) head;
	/* A body is not read past; closing is the other way to be rid of it. */
	if (req.has_body || conn->server->stopping)
		req.keep_alive = false;
	rc = answer(conn, work, &req);
	if (rc < 0)
		return rc;
	if (!req.keep_alive)
		return LINGER;
	return work->begin < work->end ? MORE : IDLE;
}

/*
 * Lets the client read the answer before the connection goes: closed with bytes unread it
 * would be reset, and the answer lost.
 */
static int linger(struct conn *conn, struct work *work)
{
	struct eio_timeout limit;
	int rc = eio_flow_shutdown(conn->flow, EIO_SHUT_SEND);

	eio_timeout_begin(&limit, conn->server->env->mono_clock, EIO_SEC(LINGER_S));
	for (int i = 0; rc >= 0 && i < LINGER_READS; i++) {
		rc = (int) eio_flow_read(conn->flow, work->in, sizeof(work->in));
		if (rc == 0)
			break;
	}
	rc = eio_timeout_end(&limit, rc);
	return rc < 0 ? rc : CLOSE;
}

/* Serves what has come and what follows without a pause. Not inlined: see serve. */
static __attribute__((noinline)) int serve_requests(struct conn *conn, const char *first,
						    size_t len)
{
	struct work *work = take_work(conn->server);
	int rc, flushed;

	if (!work)
		return -ENOMEM;
	memcpy(work->in, first, len);
	work->begin = 0;
	work->end = len;
	work->out_len = 0;

	do
		rc = serve_next(conn, work);
	while (rc == MORE);
	flushed = rc < 0 ? 0 : flush(conn, work);
	if (flushed < 0)
		rc = flushed;
	else if (rc == LINGER)
		rc = linger(conn, work);
	give_work(conn->server, work);
	return rc;
}

/* An idle connection waits here: this frame has to fit on its fiber's first page. */
static int serve(struct eio_flow flow, const struct eio_addr *peer, void *arg)
{
	struct conn conn = {.flow = flow, .server = arg};
	char first[FIRST_SIZE];
	int rc;

	(void) peer;
	do {
		rc = receive(&conn, first, sizeof(first), true);
		if (rc > 0)
			rc = serve_requests(&conn, first, (size_t) rc);
	} while (rc == IDLE);

	switch (rc) {
	case -ECONNRESET: /* The client is gone, */
	case -ENOTCONN:
	case -EPIPE:
	case -ETIMEDOUT: /* took too long, */
	case -ESHUTDOWN: /* or we are leaving. */
		return 0;
	default:
		return rc;
	}
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char from[EIO_ADDR_TEXT];
	char why[256];

	(void) arg;
	eio_error_format(err, why, sizeof(why));
	fprintf(stderr, "httpd: %s: %s\n", eio_addr_format(peer, from, sizeof(from)), why);
}

/* The server */

static void on_signal(int signal)
{
	(void) signal;
	eio_event_set(&stop_asked);
}

/* The first signal stops the server gracefully; SA_RESETHAND lets a second one kill it. */
static void handle_signals(void (*handler)(int))
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = SA_RESTART | SA_ONSTACK | SA_RESETHAND,
	};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* A daemon: no new connections, no further requests on those there are. */
static int stop_on_signal(void *arg)
{
	struct server *server = arg;
	int rc = eio_event_await(&stop_asked);

	if (rc < 0)
		return rc;
	server->stopping = true;
	eio_promise_resolve(&server->stop, 0, NULL);
	for (struct conn *c = server->waiting.next; c != &server->waiting; c = c->next)
		if (c->idle)
			eio_cancel_raise(&c->wait, -ESHUTDOWN);
	return 0;
}

static int run_server(struct eio_switch *sw, void *arg)
{
	struct server *server = arg;
	struct eio_server_opts opts = {
		.max_connections = server->max_connections,
		.stop = &server->stop,
		.drain_ns = EIO_SEC(PATIENCE_S),
		.on_error = report,
	};
	struct eio_listen_opts listen_opts = {.reuse_addr = true};
	struct eio_listener listener;
	struct eio_addr addr;
	int rc;

	rc = eio_fs_open_dir(server->env->fs, sw, server->dir, &server->root);
	if (rc < 0)
		return rc;
	rc = eio_net_listen(server->env->net, sw, &server->addr, &listen_opts, &listener);
	if (rc < 0)
		return rc;
	rc = eio_listener_addr(listener, &addr);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, stop_on_signal, server);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, look_after, server);
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
	int rc = eio_event_init(&stop_asked);

	if (rc < 0)
		return rc;
	server->env = env;
	server->waiting.next = server->waiting.prev = &server->waiting;
	handle_signals(on_signal);
	rc = eio_switch_run(run_server, server);
	handle_signals(SIG_IGN);
	eio_event_fini(&stop_asked);
	free_spare(server, server->n_spare);
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
	fputs("Usage: httpd [OPTION]... DIR\n"
	      "\n"
	      "Serves the files below DIR over HTTP until SIGINT or SIGTERM. Prints port=N once\n"
	      "it listens.\n"
	      "\n"
	      "  --addr A             numeric address to listen on (default 127.0.0.1)\n"
	      "  --port N             default 8080; 0 takes a free one\n"
	      "  --max-connections N  served at the same time; 0, the default, for no limit\n"
	      "  --help               print this text\n",
	      to);
}

static bool parse_size(size_t *ret, const char *text)
{
	char *rest;

	errno = 0;
	*ret = strtoul(text, &rest, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *rest == '\0';
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{"addr", required_argument, NULL, 'a'},
		{"port", required_argument, NULL, 'p'},
		{"max-connections", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *ip = "127.0.0.1", *port = "8080";
	char text[128];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'a':
			ip = optarg;
			break;
		case 'p':
			port = optarg;
			break;
		case 'm':
			if (!parse_size(&server->max_connections, optarg)) {
				fprintf(stderr, "httpd: --max-connections %s: not a number\n",
					optarg);
				return 2;
			}
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind != 1) {
		usage(stderr);
		return 2;
	}
	server->dir = argv[optind];
	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, port);
	if (eio_addr_parse(&server->addr, text) < 0) {
		fprintf(stderr, "httpd: %s: not an address and port\n", text);
		return 2;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct server server = {.stop = EIO_PROMISE_INIT};
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
