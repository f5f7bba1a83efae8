/* SPDX-License-Identifier: ISC */
/*
 * Switches from the inside (see <eio/switch.h>).
 *
 * States: open (finished false), ending (waiting may be set), finished. ctx is the
 * switch's cancellation context; fibers counts those alive, daemons those of them that
 * do not keep it open. The fiber in eio_switch_end waits while waiting is set, and the
 * one who makes it worth looking again clears it and wakes that fiber.
 */
#ifndef EIO__SWITCH_H
#define EIO__SWITCH_H

#include "core/ctx.h"

#include <eio/error.h>
#include <eio/switch.h>

enum { EIO__FAILURES = 16 };

/* Why a switch is cancelled when only its daemons are left: never seen by callers. */
enum { EIO__DAEMONS_LEFT = -10000 };

/* The kind of every switch's context, and of no other. */
extern const char eio__switch_kind[] __attribute__((visibility("hidden")));

struct eio__switch {
	struct eio__ctx ctx;
	struct eio__fiber *owner; /* the one that began it and ends it */
	const char *frame;        /* of eio_switch_begin: its caller's locals lie above */
	struct eio__list hooks;   /* the latest first */
	struct eio_error *error;  /* details of failures[0], if known */
	unsigned fibers, daemons;
	unsigned n_failures;
	int failures[EIO__FAILURES];
	bool cancelled; /* the body or a fiber gave -ECANCELED */
	bool waiting, finished;
};

_Static_assert(sizeof(struct eio__switch) <= sizeof(struct eio_switch), "eio_switch is too small");

struct eio__hook {
	struct eio__list link; /* cleared: not attached */
	struct eio__switch *sw;
	eio_fn *fn;
	void *arg;
};

_Static_assert(sizeof(struct eio__hook) <= sizeof(struct eio_hook), "eio_hook is too small");

static inline struct eio__switch *eio__switch_of(const struct eio_switch *sw)
{
	return (struct eio__switch *) sw;
}

/* A switch below the domain's root that no fiber is in: any fiber begins it. Main, when it is
 * in no scope any more, cancels and ends it. */
void eio__switch_begin_apart(struct eio_switch *sw, const char *name);
void eio__switch_end_apart(struct eio_switch *sw);

/* A fiber of the switch ended with @p rc. */
void eio__switch_fiber_done(struct eio__switch *sw, struct eio__fiber *f, int rc);

#endif
