/* SPDX-License-Identifier: ISC */
/*
 * Work sent to a domain, which its fibers are started for.
 *
 * A poll cannot start fibers, so what comes out of the inbox goes to a list, from which a
 * fiber, the server, takes it. While nobody serves, before and after, what comes is dropped.
 */
#ifndef EIO__JOBS_H
#define EIO__JOBS_H

#include "base/inbox.h"

#include <eio/switch.h>

struct eio__domain;
struct eio__fiber;
struct eio__jobs;

/* One piece; its sender's memory until begin. */
struct eio__sent {
	struct eio__inbox_node node;
	struct eio__sent *next; /* in the list */
	struct eio__jobs *to;
	/* In the domain: forks on @p sw what is to be done; NULL: it comes too late. */
	void (*begin)(struct eio__sent *s, struct eio_switch *sw);
};

struct eio__jobs {
	struct eio__sent *first, **end;
	struct eio__fiber *server; /* while it waits */
	bool open;
};

/* Serves until the running fiber's context is cancelled. Does not wait for what it began. */
void eio__jobs_serve(struct eio__jobs *j, struct eio_switch *sw);

/* From any thread; the domain, where @p to is served, is pinned or the caller's. */
void eio__jobs_send(struct eio__domain *d, struct eio__jobs *to, struct eio__sent *s);

/* The domain's own, for eio_domain_submit: main has returned. Cancels and waits. */
void eio__jobs_end(struct eio__domain *d);

#endif
