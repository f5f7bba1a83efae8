/* SPDX-License-Identifier: ISC */
#include "resp.h"
#include "memory.h"
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	BUF_SIZE = 16 * 1024,
	ARGS_SIZE = 16,
	LINE_END = 2,
	MAX_DIGITS = 10,        /* of a number */
	FIRST_ROOM = 64 * 1024, /* for a large argument; doubled as it comes */
	SPARED = 1024 * 1024,   /* a buffer up to that may grow beyond the limit */
};

int resp_init(struct resp *r)
{
	*r = (struct resp){.size = BUF_SIZE, .args_size = ARGS_SIZE};
	r->buf = mem_alloc(BUF_SIZE);
	r->args = mem_alloc(ARGS_SIZE * sizeof(*r->args));
	if (r->buf && r->args)
		return 0;
	resp_fini(r);
	return -ENOMEM;
}

static void forget_request(struct resp *r)
{
	for (size_t i = 0; i < r->n_args; i++)
		if (r->args[i].blob)
			blob_drop(r->args[i].blob);
	r->n_args = 0;
	r->missing = 0;
	r->whole = r->dropped = false;
	r->begin = r->at;
}

static void forget_large(struct resp *r)
{
	if (r->large)
		blob_drop(r->large);
	r->large = NULL;
	r->outstanding = 0;
}

void resp_fini(struct resp *r)
{
	forget_request(r);
	forget_large(r);
	mem_free(r->buf);
	mem_free(r->args);
}

void resp_reset(struct resp *r)
{
	void *smaller;

	forget_request(r);
	forget_large(r);
	r->begin = r->at = r->end = 0;
	r->in_bulk = false;
	if (r->size > BUF_SIZE && (smaller = mem_resize(r->buf, BUF_SIZE))) {
		r->buf = smaller;
		r->size = BUF_SIZE;
	}
	if (r->args_size > ARGS_SIZE &&
	    (smaller = mem_resize(r->args, ARGS_SIZE * sizeof(*r->args)))) {
		r->args = smaller;
		r->args_size = ARGS_SIZE;
	}
}

static int malformed(struct resp *r, const char *what)
{
	snprintf(r->error, sizeof(r->error), "%s", what);
	return -EPROTO;
}

/* Room for bytes */

/* The arguments found so far lie in the buffer, which has moved. */
static void rebase(struct resp *r, const char *was)
{
	for (size_t i = 0; i < r->n_args; i++)
		if (!r->args[i].blob)
			r->args[i].data = r->buf + (r->args[i].data - was);
}

static void compact(struct resp *r)
{
	const char *was = r->buf + r->begin;

	memmove(r->buf, was, r->end - r->begin);
	r->at -= r->begin;
	r->end -= r->begin;
	r->begin = 0;
	rebase(r, was);
}

/* Beyond the limit there is room for what frees memory, but not for requests of any size. */
static int enlarge(struct resp *r)
{
	const char *was = r->buf;
	char *moved = NULL;

	if (r->size >= RESP_MAX_REQUEST)
		return malformed(r, "too big request");
	if (r->size < SPARED || !mem_over_limit())
		moved = mem_resize(r->buf, 2 * r->size);
	if (!moved)
		return -ENOMEM;
	r->buf = moved;
	r->size *= 2;
	rebase(r, was);
	return 0;
}

/* Doubles the room of a large argument; without memory for it the rest is not kept. */
static void enlarge_large(struct resp *r)
{
	size_t total = r->large->len + r->outstanding, room = 2 * (size_t) r->large->size;

	if (!mem_over_limit() && blob_reserve(&r->large, room < total ? room : total) == 0)
		return;
	blob_drop(r->large);
	r->large = NULL;
	r->dropped = true;
}

int resp_space(struct resp *r, char **ret, size_t *ret_len)
{
	int rc = 0;

	if (r->whole)
		forget_request(r);
	if (r->large && r->large->len == r->large->size)
		enlarge_large(r);
	if (r->large) {
		*ret = r->large->data + r->large->len;
		*ret_len = r->large->size - r->large->len;
		return 0;
	}
	if (r->begin > 0)
		compact(r);
	if (r->end == r->size)
		rc = enlarge(r);
	if (rc < 0)
		return rc;
	*ret = r->buf + r->end;
	*ret_len = r->size - r->end;
	if (r->outstanding > 0 && r->outstanding < *ret_len)
		*ret_len = r->outstanding;
	return 0;
}

void resp_arrived(struct resp *r, size_t len)
{
	if (r->large)
		r->large->len += (uint32_t) len;
	else if (r->outstanding == 0)
		r->end += len;
	if (r->outstanding > 0)
		r->outstanding -= len;
}

/* Understanding them */

/* "<type><number>\r\n" at r->at: 1 and past it, 0 if it is not whole yet, -EPROTO. */
static inline int parse_number(struct resp *r, int64_t *ret, const char *complaint)
{
	const char *p = r->buf + r->at + 1, *end = r->buf + r->end, *first;
	bool negative = p < end && *p == '-';
	int64_t n = 0;

	p += negative;
	for (first = p; p < end && *p >= '0' && *p <= '9' && p - first < MAX_DIGITS; p++)
		n = 10 * n + (*p - '0');
	if (end - p < LINE_END && (p == end || *p == '\r'))
		return 0;
	if (p == first || p[0] != '\r' || p[1] != '\n')
		return malformed(r, complaint);
	r->at = (size_t) (p + LINE_END - r->buf);
	*ret = negative ? -n : n;
	return 1;
}

static int add_arg(struct resp *r, const char *data, size_t len, struct blob *blob)
{
	if (r->n_args == r->args_size) {
		size_t twice = 2 * r->args_size;
		struct arg *moved = mem_resize(r->args, twice * sizeof(*moved));

		if (!moved)
			return -ENOMEM;
		r->args = moved;
		r->args_size = twice;
	}
	r->args[r->n_args++] = (struct arg){.data = data, .len = len, .blob = blob};
	return 1;
}

/* A line of words. They are unquoted where they lie, which never makes them longer. */
static int parse_line(struct resp *r)
{
	char *line = r->buf + r->at, *newline = memchr(line, '\n', r->end - r->at), *end;
	struct word word;
	int rc;

	if (!newline)
		return r->end - r->at < RESP_MAX_LINE ? 0 : malformed(r, "too big inline request");
	end = newline > line && newline[-1] == '\r' ? newline - 1 : newline;
	r->at = (size_t) (newline + 1 - r->buf);
	while ((rc = next_word(&line, end, &word)) > 0) {
		rc = add_arg(r, word.data, word.len, NULL);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? malformed(r, "unbalanced quotes in request") : 1;
}

static int parse_start(struct resp *r)
{
	int64_t n = 0;
	int rc;

	if (r->at == r->end)
		return 0;
	if (r->buf[r->at] != '*')
		return parse_line(r);
	rc = parse_number(r, &n, "invalid multibulk length");
	if (rc > 0 && n > RESP_MAX_ARGS)
		return malformed(r, "invalid multibulk length");
	if (rc > 0 && n > 0)
		r->missing = (size_t) n;
	return rc;
}

/* What has come of a large argument moves into memory of its own, where the rest follows. */
static void begin_large(struct resp *r)
{
	size_t total = r->bulk + LINE_END, here = r->end - r->at;

	if (here > total)
		here = total;
	if (!mem_over_limit())
		r->large = blob_with_room(total < FIRST_ROOM ? total : FIRST_ROOM);
	if (r->large && here > r->large->size && blob_reserve(&r->large, here) < 0)
		forget_large(r);
	if (r->large) {
		memcpy(r->large->data, r->buf + r->at, here);
		r->large->len = (uint32_t) here;
	} else {
		r->dropped = true;
	}
	r->at += here;
	r->outstanding = total - here;
}

static int parse_bulk_header(struct resp *r)
{
	int64_t n = 0;
	int rc;

	if (r->at == r->end)
		return 0;
	if (r->buf[r->at] != '$') {
		snprintf(r->error, sizeof(r->error), "expected '$', got '%c'", r->buf[r->at]);
		return -EPROTO;
	}
	rc = parse_number(r, &n, "invalid bulk length");
	if (rc > 0 && (n < 0 || n > BLOB_MAX))
		return malformed(r, "invalid bulk length");
	if (rc <= 0)
		return rc;
	r->bulk = (size_t) n;
	r->in_bulk = true;
	if (r->bulk >= RESP_LARGE)
		begin_large(r);
	return 1;
}

static bool is_line_end(const char *p)
{
	return p[0] == '\r' && p[1] == '\n';
}

static int end_large(struct resp *r)
{
	struct blob *large = r->large;
	int rc;

	if (r->outstanding > 0)
		return 0;
	if (!large)
		return add_arg(r, r->buf, 0, NULL);
	if (!is_line_end(large->data + r->bulk))
		return malformed(r, "invalid bulk length");
	large->len = (uint32_t) r->bulk;
	rc = add_arg(r, large->data, r->bulk, large);
	if (rc > 0)
		r->large = NULL;
	return rc;
}

static int end_small(struct resp *r)
{
	char *data = r->buf + r->at;

	if (r->end - r->at < r->bulk + LINE_END)
		return 0;
	if (!is_line_end(data + r->bulk))
		return malformed(r, "invalid bulk length");
	r->at += r->bulk + LINE_END;
	return add_arg(r, data, r->bulk, NULL);
}

static int parse_arg(struct resp *r)
{
	int rc = r->in_bulk ? 1 : parse_bulk_header(r);

	if (rc <= 0)
		return rc;
	rc = r->bulk >= RESP_LARGE ? end_large(r) : end_small(r);
	if (rc > 0) {
		r->in_bulk = false;
		r->missing--;
	}
	return rc;
}

int resp_next(struct resp *r)
{
	int rc = 1;

	if (r->whole)
		forget_request(r);
	if (r->missing == 0)
		rc = parse_start(r);
	while (rc > 0 && r->missing > 0)
		rc = parse_arg(r);
	r->whole = rc > 0;
	return rc;
}
