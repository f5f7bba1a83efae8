/* SPDX-License-Identifier: ISC */
/*
 * What the closing of a listener cancels: accepts in flight and iterators of connections, in
 * whichever domain. Each is in the list of the listener's slot, under the slot's lock. The
 * closer asks the domain of each, its own too, so that cancel is called where the accept
 * lives, in a poll and without the lock.
 */
#ifndef EIO__LISTENER_H
#define EIO__LISTENER_H

#include "uring/fd.h"

struct eio__accept {
	struct eio__uring *u;
	struct eio__list link;
	struct eio__inbox_node remote;
	bool asked; /* remote is on its way */
	void (*cancel)(struct eio__accept *a);
};

/* By the closer: no new use of the slot can begin. */
void eio__accepts_cancel(struct eio__slot *s);

/* Puts it on the list. False: the listener is closing, and nobody will ask. */
bool eio__accept_enlist(struct eio__slot *s, struct eio_fd fd, struct eio__accept *a);

/* Takes it off the list, from which it may have gone. */
void eio__accept_unlist(struct eio__slot *s, struct eio__accept *a);

/* A request on its way is waited for: it is in our inbox or about to be. Not in a poll. */
void eio__accept_settle(struct eio__accept *a);

#endif
