/* SPDX-License-Identifier: ISC */
/*
 * What the files of the server share. httpd.c is where to begin to read.
 */
#ifndef HTTPD_H
#define HTTPD_H

#include "http_body.h"
#include "http_condition.h"
#include "http_date.h"
#include "http_names.h"
#include "http_parse.h"

#include <eio/eio.h>
#include <stdlib.h>

enum {
	FIRST_SIZE = 256,   /* waits for a request; most fit */
	SMALL_FILE = 16384, /* sent in one piece with its header */
	OUT_SIZE = 32768,   /* answers gathered, at least a small file and a header */
	HEADER_ROOM = 512,  /* no header of ours is longer, its location left aside */
	STALL_S = 30,       /* for a client to take some of what it asked for */
	DRAIN_S = 30,       /* for open requests after a stop */
	LINGER_S = 2,       /* for a client to read what a connection that we close still holds, */
	LINGER_BYTES = 1024 * 1024, /* and what it may send meanwhile */
};

#define INDEX "index.html"

/* What it takes to answer requests. */
struct work {
	struct work *next; /* of those to spare */
	size_t begin, end; /* of the bytes in @p in that were not parsed yet */
	size_t out_len;
	int status; /* of the answer, and the bytes of its content: for the log */
	uint64_t content;
	char path[HTTP_MAX_LINE + sizeof("/" INDEX)];
	char in[HTTP_MAX_HEAD];
	char out[OUT_SIZE];
};

struct conn {
	struct conn *next, *prev; /* in one of its part's lists while it waits for its client */
	struct eio_cancel wait;   /* the context of that wait */
	unsigned since;           /* the part's second when it began */
	int64_t deadline_ns;      /* of a request that has begun to come; 0: none has */
	struct eio_flow flow;
	const struct eio_addr *peer;
	struct server *server;
	struct part *part; /* of the connection's domain */
};

/* Connections that wait for the same, longest first. */
struct waiting {
	struct conn head;
	unsigned limit_s; /* 0: none */
};

/* What the connections of a domain share with each other and with nobody else. */
struct part {
	struct server *server; /* NULL: nobody was served in this domain yet */
	struct eio_promise looked_after;

	bool stopping;
	struct waiting idle, sending;
	unsigned second; /* counted by the fiber that looks after them */

	struct work *spare; /* last in, first out: it is still in the cache */
	size_t n_spare, least_spare;

	int64_t date_s;
	char date[HTTP_DATE_SIZE];
};

struct access_log; /* httpd_log.c */

/* Used by all domains, so nothing changes while they serve, but for the promise and the log. */
struct server {
	/* From the command line. */
	const char *dir, *log_path;
	struct eio_addr addr;
	unsigned domains;
	size_t max_connections;
	unsigned idle_timeout_s; /* 0: none */
	int64_t request_timeout_ns;
	bool listing;

	struct eio_env *env;
	struct eio_dir root;
	struct eio_promise stop;
	struct access_log *log; /* or NULL */
};

/* httpd_conn.c: connections, and waiting for them */

/* Serves a connection; an eio_conn_fn. */
int conn_serve(struct eio_flow flow, const struct eio_addr *peer, void *arg);

/* Sends what is gathered. */
int conn_flush(struct conn *conn, struct work *work);

/* Sends the next part of a file, after what is gathered. */
int conn_send_file(struct conn *conn, struct work *work, struct eio_flow file, uint64_t size);

/* httpd_answer.c: answers, which gather in the work's output */

int answer_request(struct conn *conn, struct work *work, struct http_request *req);

/* One that says no more than its status. */
int answer_status(struct conn *conn, struct work *work, const struct http_request *req, int status);

/* Writes a number: how many digits. */
size_t format_number(char ret[20], uint64_t number);

/* The status that tells of a failure to open something. */
int status_of(int err);

/* The current second; it is in part->date then. */
int64_t date_now(struct part *part);

/* A header. */
struct header {
	int status;
	const char *type; /* NULL: there is no content */
	int64_t length;   /* of the content; -1: it is told by chunks, or by the end */
	const struct http_entity *entity; /* or NULL */
	const struct http_range *range;   /* with 206 */
};
void put_header(struct conn *conn, struct work *work, const struct http_request *req,
		const struct header *header);

/* Makes room in the output for a header and so many bytes of content. */
int make_room(struct conn *conn, struct work *work, size_t content);

static inline void put(struct work *work, const void *data, size_t len)
{
	memcpy(work->out + work->out_len, data, len);
	work->out_len += len;
}

static inline void put_text(struct work *work, const char *text)
{
	put(work, text, strlen(text));
}

/* httpd_listing.c: directories */

/* Answers with a page of links to what is in the directory that work->path names. */
int answer_listing(struct conn *conn, struct work *work, struct http_request *req);

/* A byte as it may stand in a link: how many bytes, at most 3. */
int encode_for_link(char ret[3], char c);

/* httpd_log.c: the access log */

/* Opens the log of the server and starts the fiber that writes it. */
int log_begin(struct server *server, struct eio_switch *sw);

/* Adds a request that was answered; req is NULL if it was none. Waits for room. */
int log_request(struct conn *conn, const struct work *work, const struct http_request *req);

/* Nobody is served any more: lets the fiber write what there is and end. */
void log_end(struct server *server);

#endif
