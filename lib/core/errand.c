/* SPDX-License-Identifier: ISC */
#include "core/errand.h"
#include "core/error.h"
#include "core/fiber.h"

/* In the domain that does the work. */
static void cancel_scope(struct eio__errand *e)
{
	if (e->scope)
		eio__ctx_cancel(e->scope, -ECANCELED);
}

static void told(struct eio__inbox_node *n)
{
	struct eio__errand *e = eio__container_of(n, struct eio__errand, node);

	cancel_scope(e);
	e->told = false;
}

/* The domain that is to be told of the cancellation, pinned; NULL: none. */
static struct eio__domain *mark_cancelled(struct eio__errand *e)
{
	struct eio__domain *at = NULL;

	eio__lock(&e->lock);
	e->cancelled = true;
	if (e->scope) {
		at = e->scope->domain;
		e->told = at != eio__domain_self();
		eio__waker_pin(&at->waker);
	}
	eio__unlock(&e->lock);
	return at;
}

static void cancel(struct eio__fiber *f, void *arg)
{
	struct eio__errand *e = arg;
	struct eio__domain *at;

	if (e->withdraw && e->withdraw(e)) {
		e->rc = -ECANCELED;
		eio__wake(f);
		return;
	}
	at = mark_cancelled(e);
	if (!at)
		return;
	if (at == f->domain)
		cancel_scope(e);
	else
		eio__waker_push(&at->waker, &e->node);
	eio__waker_unpin(&at->waker);
}

int eio__errand_await(struct eio__errand *e)
{
	static const struct eio__wait waiting = {.what = "work elsewhere", .cancel = cancel};

	struct eio__fiber *f = e->caller;

	eio__suspend(f, &waiting, e);
	if (e->rc == -ECANCELED && f->ctx->err)
		return eio__canceled(f);
	if (e->rc == -ECANCELED)
		return eio__fail(EIO_EABANDONED, e->op, e->name);
	if (e->rc < 0)
		eio__error_inherit(f, e->rc, e->error);
	return e->rc;
}

void eio__errand_fail(struct eio__errand *e, int err)
{
	e->rc = err;
	e->error = err == -ECANCELED ? NULL : eio__error_detach(eio__self(), err);
}

/* @p scope may be NULL. False: it was cancelled before. */
static bool begin(struct eio__errand *e, struct eio__ctx *scope)
{
	bool begins;

	e->node.fn = told;
	e->told = false;
	eio__lock(&e->lock);
	begins = !e->cancelled;
	e->scope = begins ? scope : NULL;
	eio__unlock(&e->lock);
	return begins;
}

static void end(struct eio__errand *e)
{
	struct eio__inbox *inbox = &eio__domain_self()->waker.inbox;

	eio__lock(&e->lock);
	e->scope = NULL;
	eio__unlock(&e->lock);
	for (unsigned spins = 0; e->told; eio__spin(&spins))
		eio__inbox_drain(inbox);
}

void eio__errand_run(struct eio__errand *e)
{
	struct eio__fiber *f = eio__self();
	struct eio__ctx scope;
	int rc = -ECANCELED;

	eio__ctx_enter(f, &scope, "work for another fiber", false);
	if (begin(e, &scope)) {
		rc = e->fn(e->arg);
		eio__ctx_check_innermost(f, &scope);
		end(e);
	}
	eio__ctx_leave(f, &scope);
	if (rc < 0)
		eio__errand_fail(e, rc);
	else
		e->rc = rc;
}

void eio__errand_call(struct eio__errand *e)
{
	e->rc = begin(e, NULL) ? e->fn(e->arg) : -ECANCELED;
}

void eio__errand_over(struct eio__errand *e)
{
	eio__wake_any(e->caller);
}
