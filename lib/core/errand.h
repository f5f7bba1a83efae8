/* SPDX-License-Identifier: ISC */
/*
 * Work that one fiber waits for and another one does, in any domain.
 *
 * The record lies in the frame of the fiber that waits, the caller. It is
 *   waiting    until eio__errand_run; a cancellation that comes first keeps fn from being run
 *   running    scope is the context that fn runs in; a cancellation of the caller goes there
 *              by a node in the inbox of the domain that does the work
 *   done       rc and error are the result
 *   over       the caller is woken, which is the other side's last touch of the record
 * Between done and over the other side gives back what it had for the work. Not before the
 * node has come out of the inbox is the work done.
 */
#ifndef EIO__ERRAND_H
#define EIO__ERRAND_H

#include "base/inbox.h"
#include "base/lock.h"

#include <eio/api.h>

struct eio__ctx;
struct eio__fiber;

struct eio__errand {
	eio_fn *fn;
	void *arg;
	const char *op, *name; /* for EIO_EABANDONED */
	/* In the caller's domain, as it is cancelled: takes the work back if nobody has it
	 * yet; then it is over. NULL: somebody always has. */
	bool (*withdraw)(struct eio__errand *e);
	struct eio__fiber *caller;
	int rc;
	struct eio_error *error; /* details of a failure, if known */

	struct eio__lock lock;  /* of scope and cancelled */
	struct eio__ctx *scope; /* NULL: not running */
	bool cancelled;         /* the caller was */
	bool told;              /* the node is on its way, or in the inbox */
	struct eio__inbox_node node;
};

/* Suspends the caller, whose context is not cancelled, until the errand is over: the result,
 * -ECANCELED or EIO_EABANDONED. */
int eio__errand_await(struct eio__errand *e);

/* In a fiber of another domain, or of the same: does the work. */
void eio__errand_run(struct eio__errand *e);

/* The same on a thread without fibers, where nothing cancels what has begun. */
void eio__errand_call(struct eio__errand *e);

/* In place of running it: the result is a failure; its details are the running fiber's. */
void eio__errand_fail(struct eio__errand *e, int err);

/* In any thread, after either: wakes the caller. */
void eio__errand_over(struct eio__errand *e);

#endif
