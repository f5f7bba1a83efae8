/* SPDX-License-Identifier: ISC */
#include "http_body.h"

int http_body_begin(struct http_body *body, const struct http_request *req)
{
	*body = (struct http_body){.state = HTTP_BODY_OVER};
	if (req->chunked) {
		body->state = HTTP_BODY_SIZE;
	} else if (req->length > 0) {
		body->state = HTTP_BODY_PLAIN;
		body->left = req->length;
	}
	return body->left > HTTP_MAX_BODY ? -413 : 0;
}

/* A digit of a chunk's size, or what ends it. */
static int take_size(struct http_body *body, char c)
{
	static const char hex[] = "0123456789abcdef";
	const char *digit = memchr(hex, c >= 'A' && c <= 'F' ? c | 0x20 : c, 16);

	if (digit) {
		body->left = body->left * 16 + (uint64_t) (digit - hex);
		body->digits++;
		if (body->total + body->left > HTTP_MAX_BODY)
			return -413;
		return body->digits > 16 ? -400 : 0;
	}
	if (body->digits == 0)
		return -400;
	if (c == '\r')
		body->state = HTTP_BODY_SIZE_LF;
	else if (c == ';')
		body->state = HTTP_BODY_EXTENSION;
	else
		return -400;
	return 0;
}

/* A byte of a line that means nothing here; its CR leads to the next state. */
static int take_extra(struct http_body *body, char c, enum http_body_state next)
{
	if (++body->extra > HTTP_MAX_EXTRA)
		return -431;
	if (c == '\r')
		body->state = next;
	else if (((unsigned char) c < ' ' && c != '\t') || c == 0x7f)
		return -400;
	return 0;
}

/* A byte that can only be this one. */
static int take_only(struct http_body *body, char c, char only, enum http_body_state next)
{
	if (c != only)
		return -400;
	body->state = next;
	return 0;
}

static int take(struct http_body *body, char c)
{
	switch (body->state) {
	case HTTP_BODY_SIZE:
		return take_size(body, c);
	case HTTP_BODY_EXTENSION:
		return take_extra(body, c, HTTP_BODY_SIZE_LF);
	case HTTP_BODY_SIZE_LF:
		body->total += body->left;
		body->digits = 0;
		return take_only(body, c, '\n', body->left ? HTTP_BODY_DATA : HTTP_BODY_TRAILER);
	case HTTP_BODY_DATA_CR:
		return take_only(body, c, '\r', HTTP_BODY_DATA_LF);
	case HTTP_BODY_DATA_LF:
		return take_only(body, c, '\n', HTTP_BODY_SIZE);
	case HTTP_BODY_TRAILER:
		if (c == '\r') {
			body->state = HTTP_BODY_LAST_LF;
			return 0;
		}
		body->state = HTTP_BODY_TRAILER_REST;
		return take_extra(body, c, HTTP_BODY_TRAILER_LF);
	case HTTP_BODY_TRAILER_REST:
		return take_extra(body, c, HTTP_BODY_TRAILER_LF);
	case HTTP_BODY_TRAILER_LF:
		return take_only(body, c, '\n', HTTP_BODY_TRAILER);
	case HTTP_BODY_LAST_LF:
		return take_only(body, c, '\n', HTTP_BODY_OVER);
	case HTTP_BODY_OVER:
	case HTTP_BODY_PLAIN:
	case HTTP_BODY_DATA:
		break;
	}
	return -400;
}

ssize_t http_body_skip(struct http_body *body, const char *buf, size_t len)
{
	size_t i = 0;

	while (i < len && body->state != HTTP_BODY_OVER) {
		if (body->state == HTTP_BODY_PLAIN || body->state == HTTP_BODY_DATA) {
			size_t n = len - i < body->left ? len - i : (size_t) body->left;

			i += n;
			body->left -= n;
			if (body->left == 0)
				body->state = body->state == HTTP_BODY_PLAIN ? HTTP_BODY_OVER
									     : HTTP_BODY_DATA_CR;
		} else {
			int rc = take(body, buf[i++]);

			if (rc < 0)
				return rc;
		}
	}
	return (ssize_t) i;
}

size_t http_body_wants(const struct http_body *body)
{
	const size_t last = strlen("0\r\n\r\n"), end = strlen("\r\n");

	switch (body->state) {
	case HTTP_BODY_OVER:
		break;
	case HTTP_BODY_PLAIN:
		return (size_t) body->left;
	case HTTP_BODY_SIZE: /* It may be that of the last one. */
		return body->digits > 0 ? end + end : last;
	case HTTP_BODY_EXTENSION:
		return end + end;
	case HTTP_BODY_SIZE_LF:
		return 1 + (body->left > 0 ? (size_t) body->left + end + last : end);
	case HTTP_BODY_DATA:
		return (size_t) body->left + end + last;
	case HTTP_BODY_DATA_CR:
		return end + last;
	case HTTP_BODY_DATA_LF:
		return 1 + last;
	case HTTP_BODY_TRAILER:
		return end;
	case HTTP_BODY_TRAILER_REST:
		return end + end;
	case HTTP_BODY_TRAILER_LF:
		return 1 + end;
	case HTTP_BODY_LAST_LF:
		return 1;
	}
	return 0;
}
