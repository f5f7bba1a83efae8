/* SPDX-License-Identifier: ISC */
#include "mock/sched.h"
#include "base/lock.h"
#include "core/dump.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/timer.h"

struct mock {
	struct eio__domain domain;
	int64_t clock;
	bool deadlocked;
};

static struct mock *mock_of(struct eio__domain *d)
{
	return eio__container_of(d, struct mock, domain);
}

static int64_t now(struct eio__domain *d)
{
	return mock_of(d)->clock;
}

static void deadlock(struct mock *m)
{
	eio__dump_log(&m->domain);
	if (m->deadlocked)
		eio__fatal("deadlock: nothing is runnable, and what waits cannot be cancelled");
	m->deadlocked = true;
	eio__ctx_cancel(&m->domain.root, -EDEADLK);
	if (!m->domain.head)
		eio__fatal("deadlock: nothing is runnable, and what waits cannot be cancelled");
}

static unsigned poll(struct eio__domain *d, bool wait)
{
	struct mock *m = mock_of(d);

	eio__inbox_drain(&d->waker.inbox);
	eio__timers_expire(d, m->clock);
	if (d->head || !wait)
		return 0;
	if (eio__timers_next(d) == EIO_NEVER)
		deadlock(m);
	else if (eio__timers_next(d) > m->clock)
		m->clock = eio__timers_next(d);
	d->tick = eio__tick(m->clock);
	eio__timers_expire(d, m->clock);
	return 0;
}

static const struct eio__sched_ops ops = {
	.name = "mock",
	.now = now,
	.poll = poll,
};

/* Other threads' wake-ups are found at the next poll; a mock never sleeps. */
static void notify(struct eio__waker *w)
{
	(void) w;
}

int eio__mock_run_with(size_t stack_size, eio_fn *main, void *arg)
{
	struct mock m = {.clock = 0};
	int rc = eio__domain_init(&m.domain, &ops, stack_size);

	if (rc < 0)
		return rc;
	m.domain.waker.notify = notify;
	rc = main(arg);
	eio__domain_end(&m.domain);
	eio__domain_fini(&m.domain);
	return m.deadlocked ? -EDEADLK : rc;
}

int eio__mock_run(eio_fn *main, void *arg)
{
	return eio__mock_run_with(0, main, arg);
}
