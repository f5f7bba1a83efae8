/* SPDX-License-Identifier: ISC */
/*
 * Reading past the bodies of requests, whose bytes nobody wants here: functions over memory,
 * no I/O.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http_parse.h"

enum {
	HTTP_MAX_BODY = 1024 * 1024, /* bytes of content that are read past */
	HTTP_MAX_EXTRA = 8192,       /* bytes of chunk extensions and trailers that are */
};

/* Where in a chunked body the next byte is. */
enum http_body_state {
	HTTP_BODY_OVER,
	HTTP_BODY_PLAIN, /* not chunked */
	HTTP_BODY_SIZE,
	HTTP_BODY_EXTENSION,
	HTTP_BODY_SIZE_LF, /* the LF after a size */
	HTTP_BODY_DATA,
	HTTP_BODY_DATA_CR, /* the CR after the data */
	HTTP_BODY_DATA_LF,
	HTTP_BODY_TRAILER, /* the first byte of a line behind the chunks */
	HTTP_BODY_TRAILER_REST,
	HTTP_BODY_TRAILER_LF,
	HTTP_BODY_LAST_LF,
};

struct http_body {
	enum http_body_state state;
	unsigned digits; /* of the size, so far */
	unsigned extra;  /* bytes of extensions and trailers, so far */
	uint64_t left;   /* bytes of the plain body, or of the chunk */
	uint64_t total;  /* of all chunks so far */
};

/* Begins to read the body of a request: 0, or -413: it is too large. */
int http_body_begin(struct http_body *body, const struct http_request *req);

/*
 * Takes the next bytes: how many, which is all of them unless the body is over; or the
 * status to refuse the request with, negated: -400, -413, -431.
 */
ssize_t http_body_skip(struct http_body *body, const char *buf, size_t len);

/* At least so many bytes are still to come; 0: it is over. Who reads no more than that does
 * not read into the next request. */
size_t http_body_wants(const struct http_body *body);

#endif
