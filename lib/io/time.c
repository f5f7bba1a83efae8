/* SPDX-License-Identifier: ISC */
/*
 * The clocks, and time limits.
 *
 * Each clock has its own timers in the domain (core/timer.h). What lasts so long is measured
 * on the monotonic one in any case: setting the wall clock makes it neither longer nor shorter.
 *
 * A time limit is a cancellation context and a timer that raises it with -ETIMEDOUT.
 * States: running (the timer may be armed), expired (the context was cancelled with
 * that reason, the timer is not armed), overtaken (an outer cancellation came first; the
 * timer may still be armed, and changes nothing). The context keeps its first reason, so
 * that tells them apart.
 */
#include "core/ctx.h"
#include "core/error.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/timer.h"
#include "io/env.h"

#include <eio/fiber.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>

/* EIO_NEVER stays what it is, and a sum never wraps. */
static int64_t after(int64_t now, int64_t ns)
{
	int64_t sum;

	if (ns == EIO_NEVER)
		return EIO_NEVER;
	if (__builtin_add_overflow(now, ns, &sum))
		return ns < 0 ? INT64_MIN : EIO_NEVER;
	return sum;
}

/* The monotonic clock */

static int64_t mono_now(struct eio_clock c)
{
	(void) c;
	return eio__now();
}

static int mono_sleep_until(struct eio_clock c, int64_t deadline_ns)
{
	(void) c;
	return eio__sleep_until(deadline_ns);
}

static void mono_timer_start(struct eio_clock c, struct eio_timer *t, int64_t deadline_ns)
{
	(void) c;
	eio__timer_start(t, deadline_ns);
}

static void mono_timer_stop(struct eio_clock c, struct eio_timer *t)
{
	(void) c;
	eio__timer_stop(t);
}

static const struct eio_clock_ops mono_ops = {
	.name = "monotonic",
	.now = mono_now,
	.sleep_until = mono_sleep_until,
	.timer_start = mono_timer_start,
	.timer_stop = mono_timer_stop,
};

struct eio_clock eio__clock_mono(void)
{
	return (struct eio_clock){.ops = &mono_ops};
}

/* The wall clock */

static int64_t wall_now(struct eio_clock c)
{
	(void) c;
	return eio__wall_now();
}

static int wall_sleep_until(struct eio_clock c, int64_t deadline_ns)
{
	(void) c;
	return eio__wall_sleep_until(deadline_ns);
}

static void wall_timer_start(struct eio_clock c, struct eio_timer *t, int64_t deadline_ns)
{
	(void) c;
	eio__wall_timer_start(t, deadline_ns);
}

static const struct eio_clock_ops wall_ops = {
	.name = "wall",
	.now = wall_now,
	.sleep_until = wall_sleep_until,
	.timer_start = wall_timer_start,
	.timer_stop = mono_timer_stop,
};

struct eio_clock eio__clock_wall(void)
{
	return (struct eio_clock){.ops = &wall_ops};
}

/* Any clock */

int64_t eio_now_ns(struct eio_clock c)
{
	return c.ops ? c.ops->now(c) : 0;
}

int eio_sleep_until(struct eio_clock c, int64_t deadline_ns)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	return c.ops ? c.ops->sleep_until(c, deadline_ns) : eio__fail(-EBADF, "sleep", NULL);
}

/* The clock that measures how long something takes. */
static struct eio_clock measuring(struct eio_clock c)
{
	return c.ops == &wall_ops ? eio__clock_mono() : c;
}

int eio_sleep(struct eio_clock c, int64_t ns)
{
	struct eio_clock m = measuring(c);

	return eio_sleep_until(m, after(eio_now_ns(m), ns));
}

/* Time limits */

struct timeout {
	struct eio_cancel ctx;
	struct eio_timer timer;
	struct eio_clock clock;
	pthread_t thread; /* the domain's */
};

_Static_assert(sizeof(struct timeout) <= sizeof(struct eio_timeout), "eio_timeout is too small");

static struct timeout *timeout_of(struct eio_timeout *t)
{
	return (struct timeout *) t->eio_private;
}

static void expire(struct eio_timer *timer)
{
	struct timeout *t = (struct timeout *) ((char *) timer - offsetof(struct timeout, timer));

	eio_cancel_raise(&t->ctx, -ETIMEDOUT);
}

static void limit(struct timeout *t, int64_t ns)
{
	struct eio_clock c = t->clock;

	if (ns <= 0)
		expire(&t->timer);
	else if (ns != EIO_NEVER)
		c.ops->timer_start(c, &t->timer, after(c.ops->now(c), ns));
}

/* A zeroed clock measures like the monotonic one: there is nothing to return -EBADF. */
void eio_timeout_begin(struct eio_timeout *pub, struct eio_clock c, int64_t ns)
{
	struct timeout *t = timeout_of(pub);

	t->timer = (struct eio_timer){.fn = expire};
	t->clock = c.ops ? measuring(c) : eio__clock_mono();
	t->thread = pthread_self();
	eio__ctx_enter(eio__self(), (struct eio__ctx *) &t->ctx, "timeout", false);
	limit(t, ns);
}

void eio_timeout_reset(struct eio_timeout *pub, int64_t ns)
{
	struct timeout *t = timeout_of(pub);

	if (!pthread_equal(t->thread, pthread_self())) {
		eio__log(EIO_LOG_WARNING, "eio_timeout_reset: a timeout of another domain");
		return;
	}
	if (eio_cancel_error(&t->ctx) != 0)
		return;
	t->clock.ops->timer_stop(t->clock, &t->timer);
	limit(t, ns);
}

int eio_timeout_end(struct eio_timeout *pub, int rc)
{
	struct timeout *t = timeout_of(pub);
	bool expired = eio_cancel_error(&t->ctx) == -ETIMEDOUT;
	const struct eio_error *e;
	uint64_t done;

	if (!pthread_equal(t->thread, pthread_self()))
		return -EPERM;
	t->clock.ops->timer_stop(t->clock, &t->timer);
	eio_cancel_end(&t->ctx);
	/* When outer limits are due as well the outermost one is to be seen, in whatever
	 * order the timers were called: below it everything is -ECANCELED. */
	if (rc != -ECANCELED || !expired || eio_is_cancelled())
		return rc;
	/* How far the call had come is still of interest. */
	e = eio_last_error();
	done = e->code == -ECANCELED ? e->done : 0;
	eio__fail(-ETIMEDOUT, "timeout", NULL);
	return eio__fail_done(-ETIMEDOUT, "timeout", done);
}

int eio_timeout_run(struct eio_clock c, int64_t ns, eio_fn *fn, void *arg)
{
	struct eio_timeout t;

	if (eio_check() == -EPERM)
		return -EPERM;
	eio_timeout_begin(&t, c, ns);
	return eio_timeout_end(&t, fn(arg));
}

/* Tickers */

void eio_ticker_init(struct eio_ticker *t, struct eio_clock c, int64_t period_ns)
{
	t->clock = c;
	t->period_ns = period_ns > 0 ? period_ns : 1;
	t->next_ns = after(eio_now_ns(c), t->period_ns);
}

int eio_ticker_next(struct eio_ticker *t)
{
	int64_t now, late, passed;
	int rc = eio_sleep_until(t->clock, t->next_ns);

	if (rc < 0)
		return rc;
	now = eio_now_ns(t->clock);
	late = now > t->next_ns ? now - t->next_ns : 0; /* a clock may have been set back */
	passed = 1 + late / t->period_ns;
	t->next_ns = after(t->next_ns, passed * t->period_ns);
	return passed < INT_MAX ? (int) passed : INT_MAX;
}
