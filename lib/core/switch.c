/* SPDX-License-Identifier: ISC */
#include "core/switch.h"
#include "core/error.h"
#include "core/fiber.h"

#include <stdio.h>
#include <stdlib.h>

const char eio__switch_kind[] = "switch";

static struct eio__hook *hook_of(struct eio_hook *h)
{
	return (struct eio__hook *) h;
}

/* What is in its context already. */
static void init(struct eio__switch *sw, struct eio__fiber *owner, const char *name,
		 const void *frame)
{
	eio__list_init(&sw->hooks);
	sw->owner = owner;
	sw->frame = frame;
	sw->ctx.name = name;
	sw->error = NULL;
	sw->fibers = sw->daemons = sw->n_failures = 0;
	sw->cancelled = sw->waiting = sw->finished = false;
}

/* @p frame is the public function's: right below its caller's. */
static void begin(struct eio_switch *pub, const char *name, bool protected, const void *frame)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct eio__fiber *f = eio__self();

	eio__ctx_enter(f, &sw->ctx, eio__switch_kind, protected);
	init(sw, f, name, frame);
}

void eio_switch_begin(struct eio_switch *sw)
{
	begin(sw, NULL, false, __builtin_frame_address(0));
}

void eio_switch_begin_named(struct eio_switch *sw, const char *name)
{
	begin(sw, name, false, __builtin_frame_address(0));
}

void eio_switch_begin_protected(struct eio_switch *sw)
{
	begin(sw, NULL, true, __builtin_frame_address(0));
}

/* Keeps a distinct failure; the first one's details are @p details, taken over. */
static void fail(struct eio__switch *sw, int err, struct eio_error *details)
{
	for (unsigned i = 0; i < sw->n_failures; i++) {
		if (sw->failures[i] == err)
			goto known;
	}
	if (sw->n_failures == EIO__FAILURES)
		goto known;
	sw->failures[sw->n_failures++] = err;
	if (sw->n_failures == 1) {
		sw->error = details;
		eio__ctx_cancel(&sw->ctx, err);
		return;
	}
known:
	if (details)
		eio__error_free(sw->ctx.domain, details);
}

/* A negative result of the body, of a fiber or of a hook. -ECANCELED is no failure, but
 * out of a switch that was not cancelled it cancels it. */
static void note(struct eio__switch *sw, struct eio__fiber *f, int rc)
{
	if (rc != -ECANCELED) {
		fail(sw, rc, eio__error_detach(f, rc));
		return;
	}
	sw->cancelled = true;
	eio__ctx_cancel(&sw->ctx, -ECANCELED);
}

void eio__switch_fiber_done(struct eio__switch *sw, struct eio__fiber *f, int rc)
{
	sw->fibers--;
	if (unlikely(f->daemon)) {
		sw->daemons--;
		if (sw->ctx.err == EIO__DAEMONS_LEFT)
			rc = 0;
	}
	if (unlikely(rc < 0))
		note(sw, f, rc);
	if (sw->waiting && (sw->fibers == 0 || (sw->fibers == sw->daemons && !sw->ctx.err))) {
		sw->waiting = false;
		eio__wake(sw->owner);
	}
}

static int run_hook(struct eio__fiber *f, eio_fn *fn, void *arg)
{
	struct eio__ctx c;
	int rc;

	eio__ctx_enter(f, &c, "release hook", true);
	rc = fn(arg);
	eio__ctx_leave(f, &c);
	return rc;
}

/* Takes the latest hook off, so that it can be freed, and runs it. */
static void release_one(struct eio__switch *sw, struct eio__fiber *f)
{
	struct eio__hook *h = eio__container_of(sw->hooks.next, struct eio__hook, link);
	int rc;

	eio__list_remove(&h->link);
	rc = run_hook(f, h->fn, h->arg);
	if (rc < 0)
		note(sw, f, rc);
}

/* The daemons have ended: what comes now, hooks and what they fork, is not cancelled,
 * unless the switch failed meanwhile or was cancelled from outside. */
static void forget_daemons(struct eio__switch *sw)
{
	struct eio__ctx *c = &sw->ctx;

	if (likely(c->err != EIO__DAEMONS_LEFT))
		return;
	if (sw->n_failures)
		c->err = sw->failures[0];
	else
		c->err = sw->cancelled || (c->parent->err && !c->protected) ? -ECANCELED : 0;
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__switch *sw = arg;
	const char *name = sw->ctx.name;

	(void) f;
	snprintf(buf, size, "end of switch%s%s%s, %u fiber%s left", name ? " \"" : "",
		 name ? name : "", name ? "\"" : "", sw->fibers, sw->fibers == 1 ? "" : "s");
}

static const struct eio__wait waiting = {.what = "end of switch", .describe = describe};

int eio_switch_end(struct eio_switch *pub, int rc)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct eio__fiber *f = eio__self();

	if (unlikely(sw->ctx.domain != eio__domain_self()))
		return -EPERM;
	eio__ctx_check_innermost(f, &sw->ctx);
	if (unlikely(rc < 0))
		note(sw, f, rc);
	for (;;) {
		if (sw->fibers == 0) {
			forget_daemons(sw);
			if (eio__list_empty(&sw->hooks))
				break;
			release_one(sw, f);
			continue;
		}
		if (sw->fibers == sw->daemons)
			eio__ctx_cancel(&sw->ctx, EIO__DAEMONS_LEFT);
		sw->waiting = true;
		eio__suspend(f, &waiting, sw);
	}
	sw->finished = true;
	eio__ctx_leave(f, &sw->ctx);
	if (unlikely(sw->n_failures)) {
		eio__error_inherit(f, sw->failures[0], sw->error);
		return sw->failures[0];
	}
	return unlikely(sw->cancelled) ? -ECANCELED : rc;
}

void eio__switch_begin_apart(struct eio_switch *pub, const char *name)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct eio__domain *d = eio__domain_self();

	eio__ctx_begin(&sw->ctx, &d->root, eio__switch_kind, false);
	init(sw, &d->main, name, NULL);
}

void eio__switch_end_apart(struct eio_switch *pub)
{
	struct eio__ctx *c = &eio__switch_of(pub)->ctx;

	eio__ctx_cancel(c, -ECANCELED);
	eio__ctx_go_in(eio__self(), c);
	eio_switch_end(pub, 0);
}

int eio_switch_run(int (*fn)(struct eio_switch *sw, void *arg), void *arg)
{
	struct eio_switch sw;

	if (!eio__self())
		return -EPERM;
	eio_switch_begin(&sw);
	return eio_switch_end(&sw, fn(&sw, arg));
}

int eio_switch_check(const struct eio_switch *pub)
{
	const struct eio__switch *sw = eio__switch_of(pub);

	if (sw->ctx.domain != eio__domain_self())
		return -EPERM;
	if (sw->finished)
		return -EINVAL;
	return sw->ctx.err ? -ECANCELED : 0;
}

int eio_switch_error(const struct eio_switch *pub)
{
	const struct eio__switch *sw = eio__switch_of(pub);

	return sw->n_failures ? sw->failures[0] : 0;
}

int eio_switch_fail(struct eio_switch *pub, int err)
{
	struct eio__switch *sw = eio__switch_of(pub);

	if (sw->ctx.domain != eio__domain_self())
		return -EPERM;
	if (err >= 0 || sw->finished)
		return -EINVAL;
	note(sw, eio__self(), err);
	return 0;
}

unsigned eio_switch_failures(const struct eio_switch *pub, int *codes, unsigned max)
{
	const struct eio__switch *sw = eio__switch_of(pub);

	for (unsigned i = 0; i < sw->n_failures && i < max; i++)
		codes[i] = sw->failures[i];
	return sw->n_failures;
}

int eio_on_release(struct eio_switch *pub, struct eio_hook *hook, eio_fn *fn, void *arg)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct eio__hook *h = hook_of(hook);

	eio__list_clear(&h->link);
	if (sw->ctx.domain != eio__domain_self())
		return -EPERM;
	if (sw->finished) {
		run_hook(eio__self(), fn, arg);
		return -EINVAL;
	}
	h->sw = sw;
	h->fn = fn;
	h->arg = arg;
	eio__list_insert(&sw->hooks, &h->link);
	return 0;
}

struct owned_hook {
	struct eio_hook hook;
	eio_fn *fn;
	void *arg;
};

static int run_owned(void *arg)
{
	struct owned_hook *o = arg;
	int rc = o->fn(o->arg);

	free(o);
	return rc;
}

int eio_on_release_alloc(struct eio_switch *pub, eio_fn *fn, void *arg)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct owned_hook *o;
	int rc;

	if (sw->ctx.domain != eio__domain_self())
		return -EPERM;
	o = malloc(sizeof(*o));
	if (!o) {
		run_hook(eio__self(), fn, arg);
		return -ENOMEM;
	}
	o->fn = fn;
	o->arg = arg;
	rc = eio_on_release(pub, &o->hook, run_owned, o);
	return rc;
}

bool eio_hook_remove(struct eio_hook *hook)
{
	struct eio__hook *h = hook_of(hook);

	if (!eio__list_linked(&h->link) || h->sw->ctx.domain != eio__domain_self())
		return false;
	eio__list_remove(&h->link);
	return true;
}
