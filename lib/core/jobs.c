/* SPDX-License-Identifier: ISC */
/*
 * The domain's own server begins with the first eio_domain_self, in a switch that main ends
 * when it has returned: nothing of this is there for those who do not ask.
 */
#include "core/jobs.h"
#include "core/anchor.h"
#include "core/error.h"
#include "core/fiber.h"
#include "core/switch.h"

#include <eio/domain.h>
#include <stdlib.h>

/* Serving */

static void begin_all(struct eio__jobs *j, struct eio_switch *sw)
{
	struct eio__sent *s = j->first, *next;

	j->first = NULL;
	j->end = &j->first;
	for (; s; s = next) {
		next = s->next;
		s->begin(s, sw);
	}
}

static void wake_server(struct eio__jobs *j)
{
	struct eio__fiber *f = j->server;

	j->server = NULL;
	if (f)
		eio__wake(f);
}

static void cancel(struct eio__fiber *f, void *arg)
{
	(void) f;
	wake_server(arg);
}

/* For something to do. Those that are runnable go first, also if there is. */
static int await(struct eio__jobs *j)
{
	static const struct eio__wait waiting = {.what = "jobs", .cancel = cancel};

	struct eio__fiber *f = eio__self();

	if (f->ctx->err)
		return -ECANCELED;
	if (j->first)
		return eio_yield();
	j->server = f;
	eio__suspend(f, &waiting, j);
	return f->ctx->err ? -ECANCELED : 0;
}

void eio__jobs_serve(struct eio__jobs *j, struct eio_switch *sw)
{
	*j = (struct eio__jobs){.end = &j->first, .open = true};
	while (await(j) == 0)
		begin_all(j, sw);
	j->open = false;
	begin_all(j, NULL);
}

static void arrived(struct eio__inbox_node *n)
{
	struct eio__sent *s = eio__container_of(n, struct eio__sent, node);
	struct eio__jobs *j = s->to;

	if (!j->open) {
		s->begin(s, NULL);
		return;
	}
	s->next = NULL;
	*j->end = s;
	j->end = &s->next;
	wake_server(j);
}

void eio__jobs_send(struct eio__domain *d, struct eio__jobs *to, struct eio__sent *s)
{
	s->to = to;
	s->node.fn = arrived;
	if (d == eio__domain_self())
		arrived(&s->node);
	else
		eio__waker_push(&d->waker, &s->node);
}

/* The domain's own */

static bool is_begun(const struct eio__domain *d)
{
	return eio__switch_of(&d->sent)->ctx.domain;
}

/* Also when the server has ended, for the domain is about to. */
static bool was_served(const struct eio__domain *d)
{
	return d->jobs.end;
}

static int serve(void *arg)
{
	struct eio__domain *d = arg;

	eio_fiber_set_name("jobs");
	eio__self()->locals = NULL; /* they are who happened to ask first's */
	eio__jobs_serve(&d->jobs, &d->sent);
	return 0;
}

static bool is_anchored(struct eio__domain *d)
{
	if (!d->anchor)
		d->anchor = eio__anchor_begin(d);
	if (!d->anchor)
		eio__fail(-ENOMEM, "domain_self", NULL);
	return d->anchor;
}

/* False: there is no memory for the fiber. */
static bool begin_serving(struct eio__domain *d)
{
	if (!is_begun(d))
		eio__switch_begin_apart(&d->sent, "jobs");
	return was_served(d) || eio__fork(&d->sent, serve, d, 0, 0) == 0;
}

struct eio_domain_ref eio_domain_self(void)
{
	struct eio__domain *d = eio__domain_self();

	if (!d || !is_anchored(d) || !begin_serving(d))
		return (struct eio_domain_ref){.id = 0};
	return (struct eio_domain_ref){.eio_private = d->anchor, .id = d->entry.id};
}

void eio__jobs_end(struct eio__domain *d)
{
	if (is_begun(d))
		eio__switch_end_apart(&d->sent);
}

struct submitted {
	struct eio__sent sent;
	eio_fn *fn;
	void *arg;
	struct eio_promise *promise;
};

static void begin_submitted(struct eio__sent *sent, struct eio_switch *sw)
{
	struct submitted *heap = eio__container_of(sent, struct submitted, sent), s = *heap;

	free(heap);
	if (sw)
		eio_fork_promise(sw, s.fn, s.arg, s.promise);
	else
		eio_promise_resolve(s.promise, EIO_EABANDONED, NULL);
}

static int submit(struct eio_domain_ref to, struct submitted *s)
{
	struct eio__anchor *a = to.eio_private;
	struct eio__domain *d;

	if (!a || !to.id)
		return -EBADF;
	if (!s)
		return -ENOMEM;
	d = eio__anchor_pin(a, to.id);
	if (!d)
		return -ESRCH;
	eio__jobs_send(d, &d->jobs, &s->sent);
	eio__anchor_unpin(a);
	return 0;
}

int eio_domain_submit(struct eio_domain_ref to, eio_fn *fn, void *arg, struct eio_promise *p)
{
	struct submitted *s = malloc(sizeof(*s));
	int rc;

	if (s)
		*s = (struct submitted){
			.sent.begin = begin_submitted, .fn = fn, .arg = arg, .promise = p};
	rc = submit(to, s);
	if (rc < 0) {
		free(s);
		eio_promise_resolve(p, eio__fail(rc, "domain_submit", NULL), NULL);
	}
	return rc;
}
