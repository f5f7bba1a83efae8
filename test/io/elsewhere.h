/* SPDX-License-Identifier: ISC */
/*
 * Work that tests have done in another domain.
 */
#ifndef EIO_TEST_IO_ELSEWHERE_H
#define EIO_TEST_IO_ELSEWHERE_H

#include "mock/util.h"

static inline int give(void *arg)
{
	return *(int *) arg;
}

static inline int fail_link(void *arg)
{
	(void) arg;
	return eio_error_set(-EXDEV, "link", "from there");
}

static inline int give_up(void *arg)
{
	(void) arg;
	return -ECANCELED;
}

static inline int must_not_run(void *arg)
{
	(void) arg;
	ck_abort_msg("it ran");
	return 0;
}

static inline int await_cancel(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

static struct eio_key user;

static inline int note_user(void *arg)
{
	(void) arg;
	note("%s", eio_get(&user) ? "inherited" : "unset");
	return 0;
}

/* Waits for its cancellation; then it takes its time. */
struct slow {
	struct eio_promise begun;
	int result; /* 0: its own cancellation */
	bool ended;
};

static inline int end_slowly(void *arg)
{
	struct slow *s = arg;
	struct eio_cancel protect;
	int rc;

	eio_promise_resolve(&s->begun, 0, NULL);
	rc = eio_await_cancel();
	eio_cancel_protect_begin(&protect);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(2)));
	eio_cancel_end(&protect);
	__atomic_store_n(&s->ended, true, __ATOMIC_RELAXED);
	return s->result ? s->result : rc;
}

/* When it has begun the call that waits for it, @p fn, is cancelled: what that gives. */
static inline int cancel_when_begun(struct slow *s, eio_fn *fn, void *arg)
{
	struct eio_switch sw;
	struct caller c;

	eio_switch_begin(&sw);
	start(&sw, &c, fn, arg);
	expect_ok(eio_promise_await(&s->begun, NULL));
	ck_assert(!c.over);
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(s->ended);
	return c.rc;
}

#endif
