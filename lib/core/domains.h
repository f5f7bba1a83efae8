/* SPDX-License-Identifier: ISC */
/*
 * The domains of the process, for what concerns all of them: dumps and signals.
 *
 * A domain is in the list from the end of its beginning to the beginning of its end. Who
 * holds the list's lock finds every domain in it alive. Signal handlers take no lock:
 * they count themselves, and a domain that was taken off the list stays until there is
 * none. Either a handler sees that it is off, or its end sees the handler.
 */
#ifndef EIO__DOMAINS_H
#define EIO__DOMAINS_H

#include "base/inbox.h"

#include <stdbool.h>
#include <stdint.h>

struct eio__domain;

/* A domain's place in the list. */
struct eio__entry {
	struct eio__entry *next; /* read by signal handlers */
	uint64_t id;             /* unique in the process; the list is in its order */
	bool ended;              /* no longer in the list */
	unsigned asked;          /* by a signal: dump is in the inbox, or about to be */
	struct eio__inbox_node dump;
};

void eio__domains_add(struct eio__domain *d);

/* Waits for signal handlers on their way. */
void eio__domains_remove(struct eio__domain *d);

/* Calls @p fn for each, under the list's lock. */
void eio__domains_each(void (*fn)(struct eio__domain *d, void *arg), void *arg);

/* The same as eio__domains_each for signal handlers. */
void eio__domains_each_in_handler(void (*fn)(struct eio__domain *d, void *arg), void *arg);

/* Waits until no handler is left that may have seen what the caller has unlinked. */
void eio__domains_await_handlers(void);

/* In the child of a fork: none of them runs here. */
void eio__domains_forget(void);

#endif
