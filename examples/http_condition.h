/* SPDX-License-Identifier: ISC */
/*
 * Conditional requests and ranges, as RFC 9110 has them in sections 13 and 14: functions over
 * memory, no I/O.
 *
 * Of several ranges none is served: the answer is the whole, which is always right.
 */
#ifndef HTTP_CONDITION_H
#define HTTP_CONDITION_H

#include "http_parse.h"

enum { HTTP_ETAG_SIZE = sizeof("\"0123456789abcdef-0123456789abcdef-0123456789abcdef\"") };

/* What an answer is about. */
struct http_entity {
	char etag[HTTP_ETAG_SIZE]; /* "" if it has none, and no ranges then */
	bool dated;
	int64_t modified_s; /* if it is dated */
	uint64_t size;      /* of the whole */
};

/* Bytes of the whole, at least one. */
struct http_range {
	uint64_t first, length;
};

/* Makes a strong entity tag of what tells one content from another. */
void http_make_etag(char ret[HTTP_ETAG_SIZE], uint64_t ino, int64_t mtime_ns, uint64_t size);

/*
 * What a GET or HEAD that would be answered by 200 is to be answered by: 200, 206 (then
 * *ret is written), 304, 412 or 416.
 */
int http_evaluate(const struct http_request *req, const struct http_entity *entity, int64_t now_s,
		  struct http_range *ret);

#endif
