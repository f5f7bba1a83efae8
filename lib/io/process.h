/* SPDX-License-Identifier: ISC */
/*
 * What starting a program is made of.
 */
#ifndef EIO__IO_PROCESS_H
#define EIO__IO_PROCESS_H

#include <eio/process.h>

struct eio__copy;

/* The standard streams of a child that has not begun yet; zeroed: none. */
struct eio__streams {
	struct eio_inherit list[3];
	size_t n;
	struct eio_fd made[3]; /* those of the list that only the child needs */
	size_t n_made;
	struct eio__copy *copies[3]; /* fibers that wait for word */
	size_t n_copies;
};

/* Makes what the flows need: 0 or a negative code; then as after success the end is owed. */
int eio__streams_begin(struct eio__streams *s, struct eio_switch *sw,
		       const struct eio_spawn *spawn);

/* The child has begun, or there is none. */
void eio__streams_end(struct eio__streams *s, bool begun);

/* Where to look for the program: paths in one block, free(3)d by the caller, and a NULL behind
 * them. *ret is NULL if its name is a path itself. */
int eio__process_candidates(const struct eio_spawn *spawn, const char ***ret);

/* The program as it was asked for. */
static inline const char *eio__process_name(const struct eio_spawn *spawn)
{
	return spawn->executable ? spawn->executable : spawn->argv[0];
}

#endif
