/* SPDX-License-Identifier: ISC */
/*
 * The reader's buffer, and the calls that look at it byte by byte.
 *
 * Views of the flow below are few, and a program may wait for other things while it still
 * uses a slice. So what a lent view has is copied, and the view goes back at once. No parser
 * works inside one.
 */
#include "io/buf_read.h"
#include "core/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INITIAL = 4096, MAX = 65536 };

static const struct eio__buf_reader *reader_of(const struct eio_buf_reader *r)
{
	return (const struct eio__buf_reader *) r;
}

static void set_empty(struct eio__buf_reader *r)
{
	r->next = r->end = r->block ? r->block : &r->nothing;
}

/* Making and ending */

int eio_buf_reader_init(struct eio_buf_reader *pub, struct eio_flow flow, size_t initial,
			size_t max)
{
	struct eio__buf_reader *r = (struct eio__buf_reader *) pub;

	if (max == 0)
		max = initial > MAX ? initial : MAX;
	if (initial == 0)
		initial = max < INITIAL ? max : INITIAL;
	if (initial > max || max > INT_MAX)
		return eio__fail(-EINVAL, "buffered reader", "sizes");
	*r = (struct eio__buf_reader){
		.flow = flow,
		.initial = (unsigned) initial,
		.max = (unsigned) max,
	};
	set_empty(r);
	return 0;
}

int eio_buf_reader_of_string(struct eio_buf_reader *pub, const void *data, size_t len)
{
	struct eio__buf_reader *r = (struct eio__buf_reader *) pub;
	char *block = len <= INT_MAX ? malloc(len + 1) : NULL;

	if (!block)
		return eio__fail(-ENOMEM, "buffered reader", NULL);
	if (len > 0)
		memcpy(block, data, len);
	*r = (struct eio__buf_reader){
		.block = block,
		.next = block,
		.end = block + len,
		.size = (unsigned) len,
		.initial = (unsigned) len,
		.max = (unsigned) len,
		.came = len,
		.eof = true,
	};
	return 0;
}

void eio_buf_reader_fini(struct eio_buf_reader *pub)
{
	struct eio__buf_reader *r = (struct eio__buf_reader *) pub;

	free(r->block);
	*r = (struct eio__buf_reader){.eof = true};
	set_empty(r);
}

/* The block */

void eio__buf_reader_drop(struct eio__buf_reader *r)
{
	if (r->next < r->end)
		return;
	free(r->block);
	r->block = NULL;
	r->size = 0;
	set_empty(r);
}

/* A block of @p size bytes, with what is buffered at its beginning. */
static int move_to(struct eio__buf_reader *r, unsigned size)
{
	size_t has = eio__buf_reader_has(r);
	char *block = malloc((size_t) size + 1);

	if (!block)
		return eio__fail(-ENOMEM, "read", "buffer");
	memcpy(block, r->next, has);
	free(r->block);
	r->block = r->next = block;
	r->end = block + has;
	r->size = size;
	return 0;
}

/* What is buffered goes to the beginning: it is little, and a read into much room saves
 * others. */
int eio__buf_reader_reserve(struct eio__buf_reader *r, size_t want)
{
	size_t has = eio__buf_reader_has(r), size = r->size > 0 ? r->size : r->initial;

	if (r->size >= want) {
		memmove(r->block, r->next, has);
		r->next = r->block;
		r->end = r->block + has;
		return 0;
	}
	while (size < want)
		size = size < r->max / 2 ? 2 * size : r->max;
	return move_to(r, (unsigned) size);
}

/* Reading */

static int came(struct eio__buf_reader *r, ssize_t n)
{
	if (n < 0)
		return (int) n;
	r->end += n;
	r->came += (uint64_t) n;
	r->eof = n == 0;
	return n > 0 ? 0 : EIO_EOF;
}

static int read_into_block(struct eio__buf_reader *r, size_t want)
{
	int rc;

	/* A block that grew is not kept for an idle time. */
	if (r->size > r->initial)
		eio__buf_reader_drop(r);
	rc = eio__buf_reader_reserve(r, want);
	if (rc < 0)
		return rc;
	return came(r, eio_flow_read(r->flow, r->end, (size_t) (r->block + r->size - r->end)));
}

/* With nothing buffered, of a flow that lends: it waits without a block. */
static int read_lent(struct eio__buf_reader *r, size_t want)
{
	struct eio_view view;
	ssize_t n;

	eio__buf_reader_drop(r);
	n = eio_flow_read_borrow(r->flow, want > r->initial ? want : r->initial, &view);
	if (n > 0 && eio__buf_reader_reserve(r, view.len) < 0) {
		if (!eio_view_release_part(&view, 0))
			r->broken = -ENOMEM;
		return -ENOMEM;
	}
	if (n > 0)
		memcpy(r->end, view.data, view.len);
	eio_view_release(&view);
	return came(r, n);
}

int eio__buf_reader_fill(struct eio__buf_reader *r, size_t want)
{
	int rc = 0;

	while (rc == 0 && eio__buf_reader_has(r) < want) {
		if (r->broken)
			return eio__fail(r->broken, "read", "buffer");
		if (r->eof)
			return EIO_EOF;
		if (want > r->max)
			return eio__fail(EIO_ELIMIT, "read", "buffer");
		if (r->next == r->end && r->flow.ops && r->flow.ops->borrow)
			rc = read_lent(r, want);
		else
			rc = read_into_block(r, want);
	}
	return rc;
}

int eio__buf_reader_read(struct eio__buf_reader *r, size_t want)
{
	int rc = eio__buf_reader_fill(r, want);

	return rc == EIO_EOF ? eio__fail(rc, "read", NULL) : rc;
}

/* What is there */

size_t eio_buf_reader_buffered(const struct eio_buf_reader *r)
{
	return eio__buf_reader_has(reader_of(r));
}

uint64_t eio_buf_reader_consumed(const struct eio_buf_reader *r)
{
	return reader_of(r)->came - eio__buf_reader_has(reader_of(r));
}

bool eio_buf_reader_eof_seen(const struct eio_buf_reader *r)
{
	return reader_of(r)->eof;
}

size_t eio_buf_read_peek(struct eio_buf_reader *pub, char **ret)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);

	*ret = r->next;
	return eio__buf_reader_has(r);
}

int eio_buf_read_ensure(struct eio_buf_reader *pub, size_t n)
{
	return eio__buf_reader_want(eio__buf_reader_enter(pub), n);
}

int eio_buf_read_consume(struct eio_buf_reader *pub, size_t n)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);

	if (n > eio__buf_reader_has(r))
		return eio__fail(-EINVAL, "consume", NULL);
	r->next += n;
	return 0;
}

int eio_buf_read_at_end(struct eio_buf_reader *pub)
{
	int rc = eio__buf_reader_fill(eio__buf_reader_enter(pub), 1);

	return rc == EIO_EOF ? 1 : rc;
}

int eio_buf_read_end_of_input(struct eio_buf_reader *pub)
{
	int rc = eio_buf_read_at_end(pub);

	if (rc == 0)
		return eio__fail(EIO_EPARSE, "read", "expected the end of the input");
	return rc < 0 ? rc : 0;
}

/* Single bytes, and pieces of which no slice is handed out */

int eio_buf_read_peek_char(struct eio_buf_reader *pub, char *ret)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc = eio__buf_reader_fill(r, 1);

	if (rc < 0)
		return rc == EIO_EOF ? 0 : rc;
	*ret = *r->next;
	return 1;
}

int eio_buf_read_any_char(struct eio_buf_reader *pub, char *ret)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc = eio__buf_reader_want(r, 1);

	if (rc == 0)
		*ret = *r->next++;
	return rc;
}

/* Kept apart for its frame. */
static __attribute__((noinline)) int fail_char(char expected)
{
	char text[32];

	snprintf(text, sizeof(text),
		 expected >= ' ' && expected <= '~' ? "expected '%c'" : "expected byte %d",
		 (unsigned char) expected);
	return eio__fail(EIO_EPARSE, "read", text);
}

int eio_buf_read_char(struct eio_buf_reader *pub, char c)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc = eio__buf_reader_want(r, 1);

	if (rc < 0)
		return rc;
	if (*r->next != c)
		return fail_char(c);
	r->next++;
	return 0;
}

int eio_buf_read_string(struct eio_buf_reader *pub, const char *text)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	size_t len = strlen(text);

	for (;;) {
		size_t has = eio__buf_reader_has(r), n = has < len ? has : len;
		int rc;

		if (memcmp(r->next, text, n) != 0)
			return eio__fail(EIO_EPARSE, "read", text);
		if (n == len) {
			r->next += n;
			return 0;
		}
		rc = eio__buf_reader_read(r, has + 1);
		if (rc < 0)
			return rc;
	}
}

int eio_buf_read_skip(struct eio_buf_reader *pub, uint64_t n)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	uint64_t left = n;

	for (;;) {
		size_t has = eio__buf_reader_has(r);
		int rc;

		if (left <= has) {
			r->next += left;
			return 0;
		}
		r->next = r->end;
		left -= has;
		rc = eio__buf_reader_fill(r, 1);
		if (rc < 0)
			return eio__fail_done(rc, "skip", n - left);
	}
}

int eio_buf_read_skip_while(struct eio_buf_reader *pub, eio_char_fn *is)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);

	for (;;) {
		int rc;

		while (r->next < r->end && is((unsigned char) *r->next))
			r->next++;
		if (r->next < r->end)
			return 0;
		rc = eio__buf_reader_fill(r, 1);
		if (rc < 0)
			return rc == EIO_EOF ? 0 : rc;
	}
}
