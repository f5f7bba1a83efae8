/* SPDX-License-Identifier: ISC */
/*
 * Reading HTTP/1.x requests: functions over memory, no I/O.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	HTTP_MAX_HEAD = 16384, /* bytes of a request line and its headers together */
	HTTP_MAX_LINE = 8192,  /* bytes of the request line */
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_OTHER,
};

struct http_request {
	enum http_method method;
	unsigned minor;     /* 1 for HTTP/1.1 and later 1.x, 0 for HTTP/1.0 */
	bool keep_alive;    /* the client would send more on this connection */
	bool has_body;      /* Content-Length is more than 0 */
	const char *target; /* as it was sent, in the parsed buffer */
	size_t target_len;
};

/*
 * Parses the request that begins at buf.
 *
 * Returns the length of its head, up to and with the empty line; 0 if more bytes are
 * needed to tell; or the status to refuse it with, negated: -400, -431, -501, -505. *ret
 * is written only with the first. A line is judged as soon as it is complete, so bytes
 * that come in pieces give the same answer, no later.
 */
ssize_t http_parse_request(struct http_request *ret, const char *buf, size_t len);

/*
 * Turns a target into a path relative to the root: without scheme, host, query and leading
 * slashes, with its percent escapes decoded. ".." stays; it is up to the opener. ret has
 * room for target_len + 1 bytes. Returns the length, or -400.
 */
ssize_t http_target_path(const char *target, size_t target_len, char *ret);

/* The media type a file's name suggests. */
const char *http_content_type(const char *path);

/* The words that go with a status. */
const char *http_reason(int status);

#endif
