/* SPDX-License-Identifier: ISC */
/*
 * Cancellation contexts from the inside (see <eio/cancel.h>).
 *
 * State of a context: err == 0 alive; err < 0 cancelled, for good. A cancellation sets
 * err in the whole tree below at once, protected contexts and what is below them left
 * out, so that a check is one load. A context is a scope of the fiber that entered it:
 * it is that fiber's current one, or an outer one.
 *
 * Invariants: a context that is not the root is in its parent's children. Every fiber
 * is in the fibers of its current context.
 */
#ifndef EIO__CTX_H
#define EIO__CTX_H

#include "base/list.h"

#include <eio/cancel.h>
#include <stdint.h>

struct eio__domain;
struct eio__fiber;

struct eio__ctx {
	struct eio__list children, sibling;
	struct eio__list fibers;
	struct eio__ctx *parent; /* NULL: the root */
	struct eio__domain *domain;
	const char *kind; /* "switch", "timeout", … */
	const char *name; /* NULL: none */
	int err;
	bool protected;
};

/* A context in a message: its kind and, if it has one, its name. */
#define EIO__CTX_FORMAT    "%s%s%s"
#define EIO__CTX_ARGS(ctx) (ctx)->kind, (ctx)->name ? " " : "", (ctx)->name ? (ctx)->name : ""

_Static_assert(sizeof(struct eio__ctx) <= sizeof(struct eio_cancel), "eio_cancel is too small");

/* The root of a new domain, with its main fiber in it. */
void eio__ctx_root(struct eio__ctx *c, struct eio__domain *d);

/* A context below @p parent that no fiber is in yet, and a fiber's way into one. */
void eio__ctx_begin(struct eio__ctx *c, struct eio__ctx *parent, const char *kind, bool protected);
void eio__ctx_go_in(struct eio__fiber *f, struct eio__ctx *c);

/* Opens a scope of the running fiber: both; aborts outside a domain. */
void eio__ctx_enter(struct eio__fiber *f, struct eio__ctx *c, const char *kind, bool protected);

/* Aborts if the context is not the fiber's innermost open scope. */
void eio__ctx_check_innermost(const struct eio__fiber *f, const struct eio__ctx *c);

/* Closes it, after that check. */
void eio__ctx_leave(struct eio__fiber *f, struct eio__ctx *c);

/*
 * For a scope whose end comes at other times than its place among the fiber's scopes: it
 * goes on at another address, or ends although others are open inside it. Those find
 * themselves in the outer one, cancelled if that is.
 */
void eio__ctx_move(struct eio__fiber *f, struct eio__ctx *to, struct eio__ctx *from);
void eio__ctx_dissolve(struct eio__fiber *f, struct eio__ctx *c);

/* Cancels the tree; the caller has checked domain and err. */
void eio__ctx_cancel(struct eio__ctx *c, int err);

#endif
