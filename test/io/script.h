/* SPDX-License-Identifier: ISC */
/*
 * Flows of the tests' own: sources that give the pattern of uring/util.h and sinks that
 * check it, in steps, failing or cancelling the caller where the script says.
 */
#ifndef EIO_TEST_IO_SCRIPT_H
#define EIO_TEST_IO_SCRIPT_H

#include "io/util.h"

#include <eio/cancel.h>
#include <limits.h>
#include <sys/uio.h>

struct script {
	size_t len;                /* a source's bytes */
	size_t step;               /* at most so many per call; 0: any */
	size_t fail_at;            /* with err: fails when so many are done */
	int err;                   /* negative */
	struct eio_cancel *cancel; /* raised when cancel_at bytes are done, or more */
	size_t cancel_at;
	size_t done;
	unsigned calls;
};

/* How many of @p want bytes the next call moves; 0, or the scripted failure. */
static inline ssize_t script_next(struct script *s, size_t want)
{
	s->calls++;
	if (s->err && s->done >= s->fail_at)
		return s->err;
	if (s->err && want > s->fail_at - s->done)
		want = s->fail_at - s->done;
	return (ssize_t) (s->step && want > s->step ? s->step : want);
}

static inline void script_did(struct script *s, size_t n)
{
	s->done += n;
	if (s->cancel && s->done >= s->cancel_at)
		expect_ok(eio_cancel_raise(s->cancel, -EINTR));
}

static inline ssize_t script_read(struct eio_flow f, void *buf, size_t len)
{
	struct script *s = f.u.ptr;
	ssize_t n = script_next(s, len < s->len - s->done ? len : s->len - s->done);

	if (n <= 0)
		return n;
	fill(buf, (size_t) n, s->done);
	script_did(s, (size_t) n);
	return n;
}

static inline ssize_t script_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct script *s = f.u.ptr;
	ssize_t total = 0;
	size_t want = 0, left;

	ck_assert_int_ge(n, 1);
	ck_assert_int_le(n, IOV_MAX);
	ck_assert_uint_gt(iov->iov_len, 0);
	for (int i = 0; i < n; i++)
		want += iov[i].iov_len;
	total = script_next(s, want);
	left = total > 0 ? (size_t) total : 0;
	for (int i = 0; left; i++) {
		size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;

		ck_assert(is_filled(iov[i].iov_base, len, s->done + (size_t) total - left));
		left -= len;
	}
	if (total > 0)
		script_did(s, (size_t) total);
	return total;
}

static inline struct eio_flow script_source(struct script *s)
{
	static const struct eio_flow_ops ops = {.name = "script", .read = script_read};

	return (struct eio_flow){.ops = &ops, .u.ptr = s};
}

static inline struct eio_flow script_sink(struct script *s)
{
	static const struct eio_flow_ops ops = {.name = "script", .write_some = script_write_some};

	return (struct eio_flow){.ops = &ops, .u.ptr = s};
}

#endif
