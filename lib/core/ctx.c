/* SPDX-License-Identifier: ISC */
#include "core/ctx.h"
#include "core/fiber.h"
#include "core/local.h"
#include "core/log.h"

static struct eio__ctx *ctx_of(const struct eio_cancel *c)
{
	return (struct eio__ctx *) c;
}

void eio__ctx_root(struct eio__ctx *c, struct eio__domain *d)
{
	eio__list_init(&c->children);
	eio__list_init(&c->fibers);
	eio__list_clear(&c->sibling);
	c->parent = NULL;
	c->domain = d;
	c->kind = "domain";
	c->name = NULL;
	c->err = 0;
	c->protected = false;
	d->main.ctx = c;
	eio__list_append(&c->fibers, &d->main.in_ctx);
}

void eio__ctx_begin(struct eio__ctx *c, struct eio__ctx *parent, const char *kind, bool protected)
{
	eio__list_init(&c->children);
	eio__list_init(&c->fibers);
	eio__list_insert(&parent->children, &c->sibling);
	c->parent = parent;
	c->domain = parent->domain;
	c->kind = kind;
	c->name = NULL;
	c->err = parent->err && !protected ? -ECANCELED : 0;
	c->protected = protected;
}

void eio__ctx_go_in(struct eio__fiber *f, struct eio__ctx *c)
{
	eio__list_unlink(&f->in_ctx);
	eio__list_insert(&c->fibers, &f->in_ctx);
	f->ctx = c;
}

void eio__ctx_enter(struct eio__fiber *f, struct eio__ctx *c, const char *kind, bool protected)
{
	if (unlikely(!f))
		eio__fatal("%s begun on a thread that runs no fibers", kind);
	eio__ctx_begin(c, f->ctx, kind, protected);
	eio__ctx_go_in(f, c);
}

void eio__ctx_check_innermost(const struct eio__fiber *f, const struct eio__ctx *c)
{
	const struct eio__ctx *inner = f->ctx;

	if (unlikely(inner != c))
		eio__fatal(EIO__CTX_FORMAT
			   " ended while the innermost open scope is a " EIO__CTX_FORMAT,
			   EIO__CTX_ARGS(c), EIO__CTX_ARGS(inner));
}

void eio__ctx_leave(struct eio__fiber *f, struct eio__ctx *c)
{
	const struct eio__ctx *inner;

	eio__ctx_check_innermost(f, c);
	if (unlikely(!eio__list_empty(&c->children))) {
		inner = eio__container_of(c->children.next, struct eio__ctx, sibling);
		eio__fatal(EIO__CTX_FORMAT " ended before a " EIO__CTX_FORMAT " inside it",
			   EIO__CTX_ARGS(c), EIO__CTX_ARGS(inner));
	}
	if (unlikely(f->locals && f->locals->ctx == c))
		eio__fatal(EIO__CTX_FORMAT " ended before a " EIO__BINDING_FORMAT " inside it",
			   EIO__CTX_ARGS(c), EIO__BINDING_ARGS(f->locals));
	eio__list_unlink(&c->sibling);
	eio__ctx_go_in(f, c->parent);
}

/* Interrupts the suspended fibers of one context. A cancel function wakes its fiber or
 * arranges for it; it never runs one, so the list stays as it is. */
static void interrupt(struct eio__ctx *c)
{
	bool many = eio__has_many_fibers(c->domain);
	struct eio__list *it;

	eio__list_foreach(it, &c->fibers) {
		struct eio__fiber *f = eio__container_of(it, struct eio__fiber, in_ctx);
		const struct eio__wait *wait = f->wait;

		if (many)
			eio__look_ahead(&c->domain->stacks, f,
					eio__container_of(it->next, struct eio__fiber, in_ctx), 0,
					2);
		if (wait && wait->cancel && !f->interrupted) {
			f->interrupted = true;
			wait->cancel(f, f->wait_arg);
		}
	}
}

/* Depth first without recursion: scopes may nest deeper than a stack is. */
void eio__ctx_cancel(struct eio__ctx *top, int err)
{
	struct eio__ctx *c = top;

	if (top->err)
		return;
	top->err = err;
	interrupt(top);
	for (;;) {
		struct eio__list *next = c->children.next, *end = &c->children;

		for (;;) {
			while (next == end) {
				if (c == top)
					return;
				next = c->sibling.next;
				c = c->parent;
				end = &c->children;
			}
			c = eio__container_of(next, struct eio__ctx, sibling);
			if (!c->protected && !c->err)
				break;
			next = c->sibling.next;
			c = c->parent;
			end = &c->children;
		}
		c->err = -ECANCELED;
		interrupt(c);
	}
}

/* Bindings begun in one context are in another one now. */
static void rebind(struct eio__fiber *f, const struct eio__ctx *from, const struct eio__ctx *to)
{
	for (struct eio__binding *b = f->locals; b && b->ctx; b = b->outer) {
		if (b->ctx == from)
			b->ctx = to;
	}
}

void eio__ctx_move(struct eio__fiber *f, struct eio__ctx *to, struct eio__ctx *from)
{
	struct eio__list *it;

	*to = *from;
	eio__list_replace(&from->sibling, &to->sibling);
	eio__list_replace(&from->children, &to->children);
	eio__list_replace(&from->fibers, &to->fibers);
	eio__list_foreach(it, &to->children)
		eio__container_of(it, struct eio__ctx, sibling)->parent = to;
	if (f->ctx == from)
		f->ctx = to;
	rebind(f, from, to);
}

void eio__ctx_dissolve(struct eio__fiber *f, struct eio__ctx *c)
{
	struct eio__ctx *inner;

	rebind(f, c, c->parent);
	if (f->ctx == c) {
		eio__ctx_leave(f, c);
		return;
	}
	/* One fiber's scope has at most one inside it. */
	inner = eio__container_of(c->children.next, struct eio__ctx, sibling);
	eio__list_unlink(&c->sibling);
	eio__list_unlink(&inner->sibling);
	eio__list_insert(&c->parent->children, &inner->sibling);
	inner->parent = c->parent;
	if (inner->parent->err && !inner->protected)
		eio__ctx_cancel(inner, -ECANCELED);
}

void eio_cancel_begin(struct eio_cancel *c)
{
	eio__ctx_enter(eio__self(), ctx_of(c), "cancellation context", false);
}

void eio_cancel_protect_begin(struct eio_cancel *c)
{
	eio__ctx_enter(eio__self(), ctx_of(c), "protected context", true);
}

void eio_cancel_end(struct eio_cancel *pub)
{
	struct eio__ctx *c = ctx_of(pub);

	if (c->domain != eio__domain_self()) {
		eio__log(EIO_LOG_WARNING, EIO__CTX_FORMAT " of another domain cannot be ended here",
			 EIO__CTX_ARGS(c));
		return;
	}
	eio__ctx_leave(eio__self(), c);
}

int eio_cancel_raise(struct eio_cancel *pub, int err)
{
	struct eio__ctx *c = ctx_of(pub);

	if (err >= 0)
		return -EINVAL;
	if (c->domain != eio__domain_self())
		return -EPERM;
	eio__ctx_cancel(c, err);
	return 0;
}

int eio_cancel_error(const struct eio_cancel *c)
{
	return ctx_of(c)->err;
}

int eio_cancel_run(int (*fn)(struct eio_cancel *c, void *arg), void *arg)
{
	struct eio_cancel c;
	int rc;

	if (!eio__self())
		return -EPERM;
	eio_cancel_begin(&c);
	rc = fn(&c, arg);
	eio_cancel_end(&c);
	return rc;
}

int eio_protect_run(eio_fn *fn, void *arg)
{
	struct eio_cancel c;
	int rc;

	if (!eio__self())
		return -EPERM;
	eio_cancel_protect_begin(&c);
	rc = fn(arg);
	eio_cancel_end(&c);
	return rc;
}
