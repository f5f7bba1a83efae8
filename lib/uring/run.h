/* SPDX-License-Identifier: ISC */
/*
 * What a run is made of, on the calling thread: a ring with its scheduler, and what is
 * changed in the process meanwhile.
 */
#ifndef EIO__URING_RUN_H
#define EIO__URING_RUN_H

#include "core/overflow.h"
#include "uring/sched.h"

#include <eio/config.h>

struct eio__run {
	struct eio__uring uring;
	struct eio__altstack altstack;
	bool dumps; /* on SIGQUIT */
};

/* The name of a field of @p c that is out of range; NULL: none is. */
const char *eio__config_bad(const struct eio_config *c);

/* The calling thread is a domain from then on, with @p config, which has no bad field. @p by:
 * another domain, which outlives this one and shares its polling thread if both want the same;
 * NULL: none. 0, or a negative errno and a text that names cause and remedy. */
int eio__run_begin(struct eio__run *r, const struct eio_config *config, const struct eio__uring *by,
		   char *why, size_t size);

/* Its main has returned. What was changed in the process is changed back. */
void eio__run_end(struct eio__run *r);

#endif
