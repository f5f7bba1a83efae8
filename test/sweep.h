/* SPDX-License-Identifier: ISC */
/*
 * Sweeps: tables of suspending calls, each cancelled at every moment.
 *
 * For each call and each moment a sweep makes a place, starts the call in a fiber of its
 * own, and then what it waits for comes and it is cancelled, in the order that the moment
 * says. Whatever comes out, nothing may be lost: the entry's check looks at the place, the
 * sweep counts descriptors, fibers and timers.
 *
 * An entry's name begins with the function it is about; several have commas between them.
 * tools/check_sweep.sh holds these names against lib/libeio.map.
 */
#ifndef EIO_TEST_SWEEP_H
#define EIO_TEST_SWEEP_H

#include "support.h"

/* What one call works on: each sweep's own, made anew for every run. It begins with a
 * struct attempt. */
struct place;

struct attempt {
	struct eio_cancel ctx; /* the call's */
	int rc;
	uint64_t done; /* of the last error, for a call that failed */
	bool over;
	bool fired; /* what it waits for came */
};

/* What the call does when it is cancelled. */
enum kind {
	WAITS,  /* ends; when what it waits for has come it may succeed all the same */
	HANDED, /* ends; but what has come is its own: then it succeeds */
	STUCK,  /* ends, and not before: nothing else comes */
	QUICK,  /* may end; it does so by itself soon */
	BEGUN,  /* refuses to begin; else it goes on to its good end */
	FIRM,   /* goes on to its good end in any case */
};

struct call {
	const char *name;
	enum kind kind;
	void (*set_up)(struct place *p); /* in main, as fire and check; NULL: nothing */
	int (*run)(struct place *p);
	void (*fire)(struct place *p);  /* what the call waits for; NULL: nothing */
	void (*check)(struct place *p); /* gives back what was made; NULL: nothing */
};

struct sweep {
	const struct call *calls;
	size_t n;
	size_t place_size;
	void (*begin)(struct place *p); /* before set_up */
	void (*end)(struct place *p);   /* after check */
	void (*step)(void);             /* lets the other fibers get on by a little */
};

/* Each call at every moment: before it, as soon as it waits and some steps later, in the
 * same round as what it waits for, in either order, and some steps after that. */
void sweep_moments(const struct sweep *s);

/* Each call within limits of these lengths in nanoseconds; what it waits for does not come
 * in time, or comes when the limit is due. */
void sweep_limits(const struct sweep *s, const int64_t *limits, size_t n);

/* What runs now, for messages. */
extern const char *sweep_name;
extern int sweep_at;

#define same(a, b)                                                                                 \
	do {                                                                                       \
		long a_ = (long) (a), b_ = (long) (b);                                             \
		ck_assert_msg(a_ == b_, "%s at %d: %s is %ld, %s is %ld", sweep_name, sweep_at,    \
			      #a, a_, #b, b_);                                                     \
	} while (0)

#endif
