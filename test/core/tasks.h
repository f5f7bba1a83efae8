/* SPDX-License-Identifier: ISC */
/*
 * Fibers for the tests of the core: they note what happens to them.
 */
#ifndef EIO_TEST_TASKS_H
#define EIO_TEST_TASKS_H

#include "support.h"
#include "core/fiber.h"

enum { FOR_EVER = 1000000000 };

/*
 * A task's script. It notes "name+" at the start, yields so often, notes "name-" and
 * returns rc. If it is cancelled meanwhile it notes "name!" and returns -ECANCELED.
 */
struct step {
	const char *name;
	unsigned yields; /* FOR_EVER: waits until it is cancelled */
	int rc;
};

static inline int run_step(void *arg)
{
	const struct step *s = arg;
	int rc = 0;

	note("%s+", s->name);
	if (s->yields == FOR_EVER)
		rc = eio_await_cancel();
	for (unsigned i = 0; i < s->yields && rc == 0; i++)
		rc = eio_yield();
	note(rc < 0 ? "%s!" : "%s-", s->name);
	return rc < 0 ? rc : s->rc;
}

static inline int fork_step(struct eio_switch *sw, const char *name, unsigned yields, int rc)
{
	struct step s = {name, yields, rc};

	return eio_fork_copy(sw, run_step, &s, sizeof(s));
}

/* A fiber that makes one call, in a context of its own, notes its name if the call went
 * well, and keeps the result. */
struct caller {
	eio_fn *fn;
	void *arg;
	const char *name; /* NULL: nothing is noted */
	struct eio_cancel ctx;
	int rc; /* WAITS: the call has not returned */
	struct eio__fiber *fiber;
};

enum { WAITS = 12345 };

static inline int make_call(void *arg)
{
	struct caller *c = arg;

	c->rc = WAITS;
	c->fiber = eio__self();
	eio_cancel_begin(&c->ctx);
	c->rc = c->fn(c->arg);
	eio_cancel_end(&c->ctx);
	if (c->name && c->rc == 0)
		note("%s", c->name);
	return 0;
}

static inline void fork_caller(struct eio_switch *sw, struct caller *c)
{
	expect_ok(eio_fork(sw, make_call, c));
}

static inline void cancel_caller(struct caller *c)
{
	expect_ok(eio_cancel_raise(&c->ctx, -EPIPE));
}

static inline int do_nothing(void *arg)
{
	(void) arg;
	return 0;
}

/* Returns the int it is given. */
static inline int give(void *arg)
{
	return *(const int *) arg;
}

static inline int note_word(void *arg)
{
	note("%s", (const char *) arg);
	return 0;
}

static inline int yield_times(unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = eio_yield();
	return rc;
}

#endif
