/* SPDX-License-Identifier: ISC */
/*
 * A clock that moves when told: the time, and the timers that are armed, which are all of
 * one domain. A struct eio_timer holds its heap node and, while it is armed, the clock.
 */
#include "base/heap.h"
#include "core/error.h"
#include "core/fiber.h"
#include "core/log.h"

#include <eio/mock.h>

struct clock {
	int64_t now;
	struct eio__heap timers;
	struct eio__domain *domain; /* the timers', while there are any */
};

struct timer {
	void (*fn)(struct eio_timer *t);
	struct eio__heap_node node;
	struct clock *clock; /* NULL: not armed */
};

_Static_assert(sizeof(struct clock) <= sizeof(struct eio_mock_clock),
	       "eio_mock_clock is too small");
_Static_assert(sizeof(struct timer) <= sizeof(struct eio_timer), "eio_timer is too small");

static struct clock *clock_of(const struct eio_mock_clock *m)
{
	return (struct clock *) m;
}

static int64_t now(struct eio_clock c)
{
	return ((struct clock *) c.ptr)->now;
}

static void start(struct eio_clock c, struct eio_timer *pub, int64_t deadline_ns)
{
	struct timer *t = (struct timer *) pub;

	t->clock = NULL;
	if (deadline_ns == EIO_NEVER)
		return;
	t->clock = c.ptr;
	t->clock->domain = eio__domain_self();
	eio__heap_insert(&t->clock->timers, &t->node, deadline_ns);
}

static void stop(struct eio_clock c, struct eio_timer *pub)
{
	struct timer *t = (struct timer *) pub;

	(void) c;
	if (!t->clock)
		return;
	eio__heap_remove(&t->clock->timers, &t->node);
	t->clock = NULL;
}

static void fire(struct clock *c)
{
	struct eio__heap_node *n;

	while ((n = eio__heap_due(&c->timers, c->now))) {
		struct timer *t = eio__container_of(n, struct timer, node);

		eio__heap_remove(&c->timers, n);
		t->clock = NULL;
		t->fn((struct eio_timer *) t);
	}
}

/* Sleeping */

struct sleeper {
	struct eio_timer timer;
	struct eio_clock clock;
	struct eio__fiber *fiber;
	bool cancelled;
};

static void wake(struct eio_timer *t)
{
	eio__wake(eio__container_of(t, struct sleeper, timer)->fiber);
}

static void leave(struct eio__fiber *f, void *arg)
{
	struct sleeper *s = arg;

	s->cancelled = true;
	stop(s->clock, &s->timer);
	eio__wake(f);
}

static int sleep_until(struct eio_clock c, int64_t deadline_ns)
{
	static const struct eio__wait sleeping = {.what = "mock sleep", .cancel = leave};

	struct sleeper s = {.timer.fn = wake, .clock = c, .fiber = eio__self()};

	if (deadline_ns <= now(c)) {
		eio_yield(); /* it is over, but ready fibers run first */
		return 0;
	}
	start(c, &s.timer, deadline_ns);
	eio__suspend(s.fiber, &sleeping, &s);
	return s.cancelled ? eio__canceled(s.fiber) : 0;
}

static const struct eio_clock_ops ops = {
	.name = "mock",
	.now = now,
	.sleep_until = sleep_until,
	.timer_start = start,
	.timer_stop = stop,
};

/* The test's side */

struct eio_clock eio_mock_clock_init(struct eio_mock_clock *m)
{
	*clock_of(m) = (struct clock){.now = 0};
	return (struct eio_clock){.ops = &ops, .ptr = m};
}

void eio_mock_clock_fini(struct eio_mock_clock *m)
{
	if (!eio__heap_is_empty(&clock_of(m)->timers))
		eio__fatal("eio_mock_clock_fini: a fiber sleeps or a time limit runs on the clock");
	eio__heap_fini(&clock_of(m)->timers);
}

int64_t eio_mock_clock_time(const struct eio_mock_clock *m)
{
	return clock_of(m)->now;
}

int eio_mock_clock_set(struct eio_mock_clock *m, int64_t ns)
{
	struct clock *c = clock_of(m);

	if (ns < c->now)
		return -EINVAL;
	if (!eio__heap_is_empty(&c->timers) && c->domain != eio__domain_self())
		return -EPERM;
	c->now = ns;
	fire(c);
	return 0;
}

bool eio_mock_clock_advance(struct eio_mock_clock *m)
{
	struct clock *c = clock_of(m);

	return !eio__heap_is_empty(&c->timers) &&
	       eio_mock_clock_set(m, eio__heap_least(&c->timers)) == 0;
}
