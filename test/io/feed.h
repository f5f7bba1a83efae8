/* SPDX-License-Identifier: ISC */
/*
 * A source for the tests of readers: bytes in memory that come in steps, copied or lent, and
 * failures in between.
 */
#ifndef EIO_TEST_IO_FEED_H
#define EIO_TEST_IO_FEED_H

#include <eio/error.h>
#include <eio/flow.h>
#include <string.h>

struct feed {
	const char *data;
	size_t len, at;
	size_t step;    /* at most so many bytes a read; 0: any */
	int err;        /* negative: what the next read gives, once */
	bool forgets;   /* what was lent cannot be read again */
	unsigned reads; /* calls */
	unsigned lent;  /* views that are out */
	size_t most;    /* the largest read that was asked for */
	void (*on_read)(void *arg);
	void *arg;
};

static inline ssize_t feed_next(struct feed *s, size_t len)
{
	size_t n = s->len - s->at;
	int err = s->err;

	s->reads++;
	if (len > s->most)
		s->most = len;
	if (s->on_read)
		s->on_read(s->arg);
	s->err = 0;
	if (err < 0)
		return eio_error_set(err, "read", "feed");
	if (n > len)
		n = len;
	if (s->step && n > s->step)
		n = s->step;
	return (ssize_t) n;
}

static inline ssize_t feed_read(struct eio_flow f, void *buf, size_t len)
{
	struct feed *s = f.u.ptr;
	ssize_t n = feed_next(s, len);

	if (n > 0) {
		memcpy(buf, s->data + s->at, (size_t) n);
		s->at += (size_t) n;
	}
	return n;
}

static inline bool feed_release(struct eio_view *view, size_t used)
{
	struct feed *s = view->ptr;
	bool kept = used == view->len;

	s->lent--;
	if (!kept && !s->forgets && view->data + view->len == s->data + s->at) {
		s->at -= view->len - used;
		kept = true;
	}
	return kept;
}

static inline ssize_t feed_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct feed *s = f.u.ptr;
	ssize_t n = feed_next(s, max);

	if (n > 0) {
		*ret = (struct eio_view){s->data + s->at, (size_t) n, feed_release, s, 0};
		s->at += (size_t) n;
		s->lent++;
	}
	return n;
}

static inline struct eio_flow feed_flow(struct feed *s, bool lends)
{
	static const struct eio_flow_ops copies = {.name = "feed", .read = feed_read};
	static const struct eio_flow_ops hands_out = {
		.name = "feed", .read = feed_read, .borrow = feed_borrow};

	return (struct eio_flow){.ops = lends ? &hands_out : &copies, .u.ptr = s};
}

#endif
