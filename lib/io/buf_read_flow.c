/* SPDX-License-Identifier: ISC */
/*
 * A reader as a flow.
 *
 * What is buffered is copied out. Behind it the flow below is read directly: into the
 * caller's buffer, or by its own view. The reader keeps that view while it is out, so that
 * it knows what was given back; a second one at the same time goes through the buffer.
 */
#include "core/error.h"
#include "io/buf_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct eio__buf_reader *enter(struct eio_flow f)
{
	return eio__buf_reader_enter(f.u.ptr);
}

static size_t copy_out(struct eio__buf_reader *r, void *buf, size_t len)
{
	size_t has = eio__buf_reader_has(r), n = len < has ? len : has;

	memcpy(buf, r->next, n);
	r->next += n;
	return n;
}

/* With nothing buffered: 1 if the flow below is to be read, 0 at the end, or negative. */
static int may_read(struct eio__buf_reader *r)
{
	if (r->broken)
		return eio__fail(r->broken, "read", "buffer");
	return !r->eof;
}

static ssize_t count(struct eio__buf_reader *r, ssize_t n)
{
	r->eof = n == 0;
	if (n > 0)
		r->came += (uint64_t) n;
	return n;
}

static ssize_t buffered_read(struct eio_flow f, void *buf, size_t len)
{
	struct eio__buf_reader *r = enter(f);
	int rc;

	if (eio__buf_reader_has(r) > 0)
		return (ssize_t) copy_out(r, buf, len);
	rc = may_read(r);
	if (rc <= 0)
		return rc;
	eio__buf_reader_drop(r);
	return count(r, eio_flow_read(r->flow, buf, len));
}

/* Views of the flow below */

/* The rest of a view, into the buffer: if nothing was read since. */
static bool keep_rest(struct eio__buf_reader *r, const struct eio_view *view, size_t used)
{
	if (eio__buf_reader_has(r) > 0 || r->came != view->id ||
	    eio__buf_reader_reserve(r, view->len - used) < 0)
		return false;
	memcpy(r->end, view->data + used, view->len - used);
	r->end += view->len - used;
	return true;
}

static bool release_lent(struct eio_view *view, size_t used)
{
	struct eio__buf_reader *r = view->ptr;
	bool kept;

	/* A flow that lends nothing of its own takes nothing back. */
	if (used < view->len && !r->flow.ops->borrow) {
		kept = keep_rest(r, view, used);
		eio_view_release(&r->lent);
		return kept;
	}
	kept = eio_view_release_part(&r->lent, used);
	if (kept && used < view->len) {
		r->came -= view->len - used;
		r->eof = false;
	}
	return kept;
}

static ssize_t borrow_below(struct eio__buf_reader *r, size_t max, struct eio_view *ret)
{
	ssize_t n;

	eio__buf_reader_drop(r);
	n = count(r, eio_flow_read_borrow(r->flow, max < r->max ? max : r->max, &r->lent));
	if (n > 0)
		*ret = (struct eio_view){r->lent.data, r->lent.len, release_lent, r, r->came};
	return n;
}

/* Copies of what was buffered */

struct copied {
	struct eio__buf_reader *r;
	char data[];
};

/* The rest is still in the block, before next, if nothing was consumed since and it was not
 * moved. */
static bool release_copied(struct eio_view *view, size_t used)
{
	struct copied *c = view->ptr;
	struct eio__buf_reader *r = c->r;
	size_t unused = view->len - used;
	bool kept = unused == 0;

	free(c);
	if (kept)
		return true;
	(void) eio__buf_reader_enter((struct eio_buf_reader *) r);
	if (!r->block || r->came - eio__buf_reader_has(r) != view->id ||
	    (size_t) (r->next - r->block) < unused)
		return false;
	r->next -= unused;
	return true;
}

static ssize_t borrow_copy(struct eio__buf_reader *r, size_t max, struct eio_view *ret)
{
	size_t has = eio__buf_reader_has(r), n = max < has ? max : has;
	struct copied *c = malloc(sizeof(*c) + n);

	if (!c)
		return eio__fail(-ENOMEM, "read", "buffer");
	c->r = r;
	copy_out(r, c->data, n);
	*ret = (struct eio_view){c->data, n, release_copied, c, r->came - (has - n)};
	return (ssize_t) n;
}

static ssize_t buffered_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct eio__buf_reader *r = enter(f);
	int rc;

	if (eio__buf_reader_has(r) == 0) {
		rc = may_read(r);
		if (rc <= 0)
			return rc;
		if (!r->lent.data)
			return borrow_below(r, max, ret);
		rc = eio__buf_reader_fill(r, 1);
		if (rc < 0)
			return rc == EIO_EOF ? 0 : rc;
	}
	return borrow_copy(r, max, ret);
}

struct eio_flow eio_buf_reader_as_flow(struct eio_buf_reader *r)
{
	static const struct eio_flow_ops ops = {
		.name = "buffered",
		.read = buffered_read,
		.borrow = buffered_borrow,
	};

	return (struct eio_flow){.ops = &ops, .u.ptr = r};
}
