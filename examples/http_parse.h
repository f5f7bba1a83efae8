/* SPDX-License-Identifier: ISC */
/*
 * Reading the heads of HTTP/1.x requests: functions over memory, no I/O.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http_text.h"

#include <stdint.h>
#include <sys/types.h>

enum {
	HTTP_MAX_HEAD = 16384, /* bytes of a request line and its fields together */
	HTTP_MAX_LINE = 8192,  /* bytes of the request line */
	HTTP_MAX_FIELDS = 100,
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_OPTIONS,
	HTTP_OTHER,   /* one that RFC 9110 or PATCH's defines */
	HTTP_UNKNOWN, /* none of them */
};

struct http_request {
	enum http_method method;
	unsigned minor;        /* 1 for HTTP/1.1 and later 1.x, 0 for HTTP/1.0 */
	bool keep_alive;       /* the client would send more on this connection */
	bool has_body;         /* more than 0 bytes of it follow */
	bool chunked;          /* in chunks, else length bytes */
	bool expects_continue; /* the client waits for "100 Continue" before it sends them */
	bool conditional;      /* there are fields that http_evaluate looks at */
	uint64_t length;       /* of the body, unless it is chunked */
	const char *target;    /* as it was sent, in the parsed buffer */
	size_t target_len;
	struct http_text line;   /* the request line, likewise */
	struct http_text fields; /* their lines, without the empty one, in the parsed buffer */
};

/*
 * Parses the request that begins at buf.
 *
 * Returns the length of its head, up to and with the empty line; 0 if more bytes are
 * needed to tell; or the status to refuse it with, negated: -400, -414, -417, -431, -501,
 * -505. *ret is written only with the first. A line is judged as soon as it is complete, so
 * bytes that come in pieces give the same answer, no later.
 */
ssize_t http_parse_request(struct http_request *ret, const char *buf, size_t len);

/*
 * The next field with this name among the lines of a request that was parsed. *rest begins
 * as req->fields and moves on. False: there is none.
 */
bool http_next_field(struct http_text *rest, const char *name, struct http_text *ret_value);

/*
 * Turns a target into a path relative to the root: without scheme, host, query and leading
 * slashes, with its percent escapes decoded. ".." stays; it is up to the opener. ret has
 * room for target_len + 1 bytes. Returns the length, or -400.
 */
ssize_t http_target_path(const char *target, size_t target_len, char *ret);

#endif
