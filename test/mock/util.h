/* SPDX-License-Identifier: ISC */
/*
 * What the tests of the mocks share.
 */
#ifndef EIO_TEST_MOCK_UTIL_H
#define EIO_TEST_MOCK_UTIL_H

#include "io/util.h"

/* A call in a fiber and a context of its own. */
struct caller {
	eio_fn *fn;
	void *arg;
	struct eio_cancel ctx;
	int rc;
	bool over;
};

static inline int run_caller(void *arg)
{
	struct caller *c = arg;

	eio_cancel_begin(&c->ctx);
	c->rc = c->fn(c->arg);
	eio_cancel_end(&c->ctx);
	c->over = true;
	return 0;
}

static inline void start(struct eio_switch *sw, struct caller *c, eio_fn *fn, void *arg)
{
	*c = (struct caller){.fn = fn, .arg = arg};
	expect_ok(eio_fork(sw, run_caller, c));
}

/* Lets the other fibers run, with nothing due. */
static inline void pass(void)
{
	for (int i = 0; i < 5; i++)
		expect_ok(eio_yield());
}

/* The call waits; then it ends, by a cancellation. */
static inline void cancel_while_waiting(struct caller *c)
{
	pass();
	ck_assert(!c->over);
	expect_ok(eio_cancel_raise(&c->ctx, -EINTR));
	pass();
	ck_assert(c->over);
	expect_err(c->rc, -ECANCELED);
}

/* The call does not begin. */
static inline void expect_cancelled_before(eio_fn *fn, void *arg)
{
	struct eio_cancel c;

	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EINTR));
	expect_err(fn(arg), -ECANCELED);
	eio_cancel_end(&c);
}

#endif
