/* SPDX-License-Identifier: ISC */
/*
 * States of a sequence:
 *   idle     the generator is suspended (parked) until it is asked
 *   asked    it runs, and asker waits for what it yields
 *   loose    it runs, but nobody asks: the asker was cancelled, and nobody will again
 *            (unwanted); or a cancellation woke the generator, which is to end
 *   ended    the generator has returned
 * The generator's failure is the asker's; if there is none, the switch's.
 */
#include "core/error.h"
#include "core/fiber.h"

#include <eio/seq.h>

struct asker {
	struct seq *seq;
	struct eio__fiber *fiber;
	void *item;
	int rc;
	struct eio_error *error; /* of a failure */
	bool cancelled;
};

struct seq {
	struct eio__domain *domain;
	struct eio__fiber *generator;
	struct asker *asker;
	eio_seq_fn *fn;
	void *arg;
	bool parked;
	bool unwanted;
	bool ended;
};

_Static_assert(sizeof(struct seq) <= sizeof(struct eio_seq), "eio_seq is too small");

static struct seq *seq_of(struct eio_seq *s)
{
	return (struct seq *) s;
}

static void unpark(struct seq *s)
{
	s->parked = false;
	eio__wake(s->generator);
}

static void cancel_generator(struct eio__fiber *f, void *arg)
{
	(void) f;
	unpark(arg);
}

static const struct eio__wait generating = {
	.what = "request for the next item",
	.cancel = cancel_generator,
};

/* The generator waits to be asked: 0, or -ECANCELED. */
static int park(struct seq *s)
{
	struct eio__fiber *f = s->generator;
	int rc = eio__check(f);

	if (rc < 0)
		return rc;
	s->parked = true;
	eio__suspend(f, &generating, s);
	return eio__check(f);
}

/* Ends the asker's wait. */
static void answer(struct seq *s, int rc, void *item)
{
	struct asker *a = s->asker;

	s->asker = NULL;
	a->rc = rc == -ECANCELED ? EIO_EABANDONED : rc;
	a->item = item;
	a->error = rc < 0 ? eio__error_detach(s->generator, rc) : NULL;
	eio__wake(a->fiber);
}

static int generate(void *arg)
{
	struct seq *s = arg;
	int rc;

	s->generator = eio__self();
	rc = park(s);
	if (rc == 0)
		rc = s->fn((struct eio_seq *) s, s->arg);
	s->ended = true;
	if (s->asker) {
		answer(s, rc < 0 ? rc : 0, NULL);
		rc = 0;
	}
	return rc == -ECANCELED ? 0 : rc;
}

int eio_seq_begin(struct eio_seq *pub, struct eio_switch *sw, eio_seq_fn *fn, void *arg)
{
	struct seq *s = seq_of(pub);

	int rc;

	*s = (struct seq){.domain = eio__domain_self(), .fn = fn, .arg = arg};
	rc = eio__fork(sw, generate, s, 0, EIO__FORK_DAEMON);
	if (rc < 0)
		s->ended = true;
	return rc;
}

static void cancel_asker(struct eio__fiber *f, void *arg)
{
	struct asker *a = arg;

	a->cancelled = true;
	a->seq->asker = NULL;
	a->seq->unwanted = true;
	eio__wake(f);
}

static const struct eio__wait asking = {.what = "next item", .cancel = cancel_asker};

int eio_seq_next(struct eio_seq *pub, void **ret_item)
{
	struct seq *s = seq_of(pub);
	struct eio__fiber *f = eio__self();
	struct asker a = {.seq = s, .fiber = f};
	int rc;

	if (!f || s->domain != f->domain)
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (s->asker)
		return -EBUSY;
	if (s->ended || s->unwanted)
		return -EINVAL;
	s->asker = &a;
	if (s->parked) /* else it was cancelled and is about to run */
		unpark(s);
	eio__suspend(f, &asking, &a);
	if (a.cancelled)
		return eio__canceled(f);
	if (a.rc < 0)
		eio__error_inherit(f, a.rc, a.error);
	else if (a.rc > 0)
		*ret_item = a.item;
	return a.rc;
}

int eio_seq_yield(struct eio_seq *pub, void *item)
{
	struct seq *s = seq_of(pub);
	struct eio__fiber *f = eio__self();
	int rc;

	if (!f || f != s->generator || s->ended)
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (s->unwanted || !s->asker)
		return eio__canceled(f);
	answer(s, 1, item);
	return park(s);
}
