/* SPDX-License-Identifier: ISC */
/*
 * Who waits for what in a domain, as text (see <eio/debug.h>):
 *
 *   domain 1 (uring, thread 4711), 4 fibers
 *     switch "clients" of fiber 1, 3 fibers
 *       fiber 1 "main": end of switch "clients", 3 fibers left (2.3 s)
 *       fiber 7 "conn": recv on fd 9 (1.2 s)
 *       timeout, cancelled: ETIMEDOUT
 *         fiber 8 "conn", cancelled: send on fd 10, asked to stop (12 ms)
 *       protected context
 *         fiber 9: running
 *
 * A fiber stands in its innermost scope, first the fibers of a scope, in the order of
 * their numbers, then the scopes inside it, the oldest first.
 */
#ifndef EIO__DUMP_H
#define EIO__DUMP_H

#include <eio/api.h>

struct eio__domain;

/* A text that grows; all zero: empty. */
struct eio__text {
	char *data; /* NULL: nothing yet */
	size_t len, size;
	bool lost; /* for want of memory: what was added since is missing */
};

void eio__text_add(struct eio__text *t, const char *fmt, ...) EIO_PRINTF(2, 3);
void eio__text_free(struct eio__text *t);

/* Writes it by write(2), as far as that goes, and says if the end is missing. */
void eio__text_print(const struct eio__text *t, int unix_fd);

/* Adds a domain's tree; in its thread. Does not suspend. */
void eio__dump_domain(struct eio__text *t, struct eio__domain *d);

/* The same to the log hook, an error for each line, or to stderr if there is none. */
void eio__dump_log(struct eio__domain *d);

/* A time span for people: "12 ms", "3 h 5 min". */
enum { EIO__SPAN = 32 };
const char *eio__span(char buf[EIO__SPAN], int64_t ns);

#endif
