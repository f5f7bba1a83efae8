/* SPDX-License-Identifier: ISC */
/*
 * A struct eio_timer holds its heap node and, while it is armed, the domain in whose
 * heap it is.
 */
#include "core/timer.h"
#include "core/dump.h"
#include "core/fiber.h"

#include <stdio.h>
#include <time.h>

struct timer {
	void (*fn)(struct eio_timer *t);
	struct eio__heap_node node;
	struct eio__domain *domain; /* NULL: not armed */
};

_Static_assert(sizeof(struct timer) <= sizeof(struct eio_timer), "eio_timer is too small");

static struct timer *timer_of(struct eio_timer *t)
{
	return (struct timer *) t;
}

int64_t eio__now(void)
{
	struct eio__domain *d = eio__domain_self();
	struct timespec ts;

	if (d)
		return d->ops->now(d);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return EIO_SEC(ts.tv_sec) + ts.tv_nsec;
}

void eio__timer_start(struct eio_timer *pub, int64_t deadline_ns)
{
	struct timer *t = timer_of(pub);

	t->domain = NULL;
	if (deadline_ns == EIO_NEVER)
		return;
	t->domain = eio__domain_self();
	eio__heap_insert(&t->domain->timers, &t->node, deadline_ns);
}

void eio__timer_stop(struct eio_timer *pub)
{
	struct timer *t = timer_of(pub);

	if (!t->domain)
		return;
	eio__heap_remove(&t->domain->timers, &t->node);
	t->domain = NULL;
}

void eio__timers_expire(struct eio__domain *d, int64_t now)
{
	struct eio__heap_node *n;

	while ((n = d->timers.root) && n->key <= now) {
		struct timer *t = eio__container_of(n, struct timer, node);

		eio__heap_remove(&d->timers, n);
		t->domain = NULL;
		t->fn((struct eio_timer *) t);
	}
}

int64_t eio__timers_next(const struct eio__domain *d)
{
	return d->timers.root ? d->timers.root->key : EIO_NEVER;
}

struct sleeper {
	struct eio_timer timer;
	struct eio__fiber *fiber;
	bool cancelled;
};

static void wake_sleeper(struct eio_timer *t)
{
	eio__wake(eio__container_of(t, struct sleeper, timer)->fiber);
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
	int64_t left = t->domain ? t->node.key - f->domain->ops->now(f->domain) : EIO_NEVER;
	char span[EIO__SPAN];

	if (left == EIO_NEVER)
		snprintf(buf, size, "sleep for ever");
	else
		snprintf(buf, size, "sleep, %s left", eio__span(span, left > 0 ? left : 0));
}

static const struct eio__wait sleeping = {
	.what = "sleep", .cancel = cancel_sleeper, .describe = describe};

int eio__sleep_until(int64_t deadline_ns)
{
	struct eio__fiber *f;
	struct sleeper s;
	int rc = eio__enter(&f);

	if (rc < 0)
		return rc;
	s.timer.fn = wake_sleeper;
	s.fiber = f;
	s.cancelled = false;
	eio__timer_start(&s.timer, deadline_ns);
	eio__suspend(f, &sleeping, &s);
	return s.cancelled ? eio__canceled(f) : 0;
}
