/* SPDX-License-Identifier: ISC */
/*
 * A ring's table of files: entries that name a place in it, not a number, save the kernel
 * from looking the number up and counting the file's users for each operation.
 *
 * The table is made, empty, when somebody first wants a place in it. The kernel chooses
 * places, by entries that are executed in order, so that a place cannot be filled anew
 * before what was queued for its old file has been. It is told to only while one is
 * free: an accept that finds none has already taken its connection, and loses it.
 *
 * A place is free, promised to an entry in flight, or a slot's (lib/uring/fd.h), which is
 * on the list. Only the domain's own thread touches table and list.
 *
 * In the library a place is told by a target, a negative number far from all error codes:
 * where one is taken for a descriptor's number by mistake the kernel answers -EBADF.
 */
#ifndef EIO__DIRECT_H
#define EIO__DIRECT_H

#include "base/list.h"

#include <eio/config.h>
#include <limits.h>

struct eio_switch;
struct eio_fd;
struct eio__uring;
struct io_uring_sqe;

/* The most places the kernel makes. */
enum { EIO__FILES_MAX = 1 << 20 };

struct eio__files {
	struct eio__list slots;
	unsigned size; /* places; 0: there is no table */
	unsigned used; /* those that are not free */
	unsigned wanted;
	bool tried; /* to make it */
};

static inline int eio__target_of_index(unsigned place)
{
	return INT_MIN + (int) place;
}

static inline unsigned eio__index_of_target(int target)
{
	return (unsigned) (target - INT_MIN);
}

/* A place, and not a number or an error code? */
static inline bool eio__is_indexed(int target)
{
	return target < INT_MIN + EIO__FILES_MAX;
}

void eio__files_init(struct eio__files *t, const struct eio_config *config);

/* No operation is in flight any more: slots go on with their numbers, and those that have
 * none are closed. */
void eio__files_fini(struct eio__uring *u);

/* Promises a place to an entry that opens something; false: it must open a number. */
bool eio__files_promise(struct eio__uring *u);

/* The entry, prepared as for a number, has been promised a place. */
void eio__files_aim_at_free(struct io_uring_sqe *sqe);

/* What came of the promise: a handle for the place @p rc, or nothing if that is a code.
 * 0 or the code. */
int eio__files_track(struct eio_switch *sw, int rc, unsigned flags, struct eio_fd *ret);

/* Frees a place: by the ring, waiting for it; outside a fiber, at once. */
void eio__files_close(struct eio__uring *u, unsigned place);
void eio__files_close_at_once(struct eio__uring *u, unsigned place);

/* A number, the caller's, for the file of a place of the calling thread's. */
int eio__files_install(struct eio__uring *u, unsigned place);

#endif
