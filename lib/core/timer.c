/* SPDX-License-Identifier: ISC */
/*
 * A struct eio_timer holds its heap node and, while it is armed, which heap it is in: that
 * of its domain's monotonic clock, or of the wall clock.
 */
#include "core/timer.h"
#include "core/dump.h"
#include "core/fiber.h"

#include <stdio.h>
#include <time.h>

struct timer {
	void (*fn)(struct eio_timer *t);
	struct eio__heap_node node;
	struct eio__heap *heap; /* NULL: not armed */
};

_Static_assert(sizeof(struct timer) <= sizeof(struct eio_timer), "eio_timer is too small");

static struct timer *timer_of(struct eio_timer *t)
{
	return (struct timer *) t;
}

/* Clocks */

static int64_t system_time(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return EIO_SEC(ts.tv_sec) + ts.tv_nsec;
}

int64_t eio__now(void)
{
	struct eio__domain *d = eio__domain_self();

	return d ? d->ops->now(d) : system_time(CLOCK_MONOTONIC);
}

static int64_t wall_now(struct eio__domain *d)
{
	return d->ops->wall_now ? d->ops->wall_now(d) : d->ops->now(d);
}

int64_t eio__wall_now(void)
{
	struct eio__domain *d = eio__domain_self();

	return d ? wall_now(d) : system_time(CLOCK_REALTIME);
}

static struct eio__heap *wall_timers(struct eio__domain *d)
{
	return d->ops->wall_now ? &d->wall_timers : &d->timers;
}

/* Timers */

static void start(struct eio__heap *h, struct eio_timer *pub, int64_t deadline_ns)
{
	struct timer *t = timer_of(pub);

	t->heap = NULL;
	if (deadline_ns == EIO_NEVER)
		return;
	t->heap = h;
	eio__heap_insert(h, &t->node, deadline_ns);
}

void eio__timer_start(struct eio_timer *t, int64_t deadline_ns)
{
	start(&eio__domain_self()->timers, t, deadline_ns);
}

void eio__wall_timer_start(struct eio_timer *t, int64_t deadline_ns)
{
	start(wall_timers(eio__domain_self()), t, deadline_ns);
}

void eio__timer_stop(struct eio_timer *pub)
{
	struct timer *t = timer_of(pub);

	if (!t->heap)
		return;
	eio__heap_remove(t->heap, &t->node);
	t->heap = NULL;
}

/* Of many fibers that are woken at once the first would be out of the near caches again before
 * they run. So the rest is for the next poll. */
enum { AT_ONCE = 32 };

static void expire(struct eio__heap *h, int64_t now)
{
	struct eio__heap_node *n;

	for (int i = 0; i < AT_ONCE && (n = eio__heap_due(h, now)); i++) {
		struct timer *t = eio__container_of(n, struct timer, node);

		eio__heap_remove(h, n);
		t->heap = NULL;
		t->fn((struct eio_timer *) t);
	}
}

void eio__timers_expire(struct eio__domain *d, int64_t now)
{
	expire(&d->timers, now);
}

int64_t eio__timers_next(const struct eio__domain *d)
{
	return eio__heap_least(&d->timers);
}

void eio__wall_timers_expire(struct eio__domain *d, int64_t now)
{
	expire(&d->wall_timers, now);
}

int64_t eio__wall_timers_next(const struct eio__domain *d)
{
	return eio__heap_least(&d->wall_timers);
}

/* Sleeping */

struct sleeper {
	struct eio_timer timer;
	struct eio__fiber *fiber;
	bool cancelled;
};

/* Of many that wake in a row the sleepers are in no near cache. */
static void look_ahead(const struct sleeper *s)
{
	struct eio__domain *d = s->fiber->domain;
	int line = (int) ((const char *) s - (const char *) s->fiber) / 64 - 1;

	if (d->head)
		eio__look_ahead(&d->stacks, d->tail, s->fiber, line, 2);
}

static void wake_sleeper(struct eio_timer *t)
{
	struct sleeper *s = eio__container_of(t, struct sleeper, timer);

	if (unlikely(eio__has_many_fibers(s->fiber->domain)))
		look_ahead(s);
	eio__wake(s->fiber);
}

static void cancel_sleeper(struct eio__fiber *f, void *arg)
{
	struct sleeper *s = arg;

	s->cancelled = true;
	eio__timer_stop(&s->timer);
	eio__wake(f);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct timer *t = (const struct timer *) &((const struct sleeper *) arg)->timer;
	struct eio__domain *d = f->domain;
	int64_t now = t->heap == &d->wall_timers ? wall_now(d) : d->ops->now(d);
	int64_t left = t->heap ? t->node.key - now : EIO_NEVER;
	char span[EIO__SPAN];

	if (left == EIO_NEVER)
		snprintf(buf, size, "sleep for ever");
	else
		snprintf(buf, size, "sleep, %s left", eio__span(span, left > 0 ? left : 0));
}

static const struct eio__wait sleeping = {
	.what = "sleep", .cancel = cancel_sleeper, .describe = describe};

static int sleep_on(struct eio__fiber *f, struct eio__heap *h, int64_t deadline_ns)
{
	struct sleeper s;

	s.timer.fn = wake_sleeper;
	s.fiber = f;
	s.cancelled = false;
	start(h, &s.timer, deadline_ns);
	eio__suspend(f, &sleeping, &s);
	return s.cancelled ? eio__canceled(f) : 0;
}

int eio__sleep_until(int64_t deadline_ns)
{
	struct eio__fiber *f;
	int rc = eio__enter(&f);

	return rc < 0 ? rc : sleep_on(f, &f->domain->timers, deadline_ns);
}

int eio__wall_sleep_until(int64_t deadline_ns)
{
	struct eio__fiber *f;
	int rc = eio__enter(&f);

	return rc < 0 ? rc : sleep_on(f, wall_timers(f->domain), deadline_ns);
}
