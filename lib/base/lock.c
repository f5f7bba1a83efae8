/* SPDX-License-Identifier: ISC */
#include "base/lock.h"

#include <sched.h>
#include <time.h>

enum {
	PAUSES_PER_YIELD = 128,
	YIELDS = 64,
	NAP_NS = 50000,
	/* Long enough for the holder to come back a few times before the two meet again:
	 * taking turns at every operation would cost more than the operation, in cache
	 * lines. */
	FIRST_PAUSE = 8,
	LONGEST_PAUSE = 64,
};

/* Who yields to no avail may be a real-time thread, and the other one not. */
static void give_way(unsigned yields)
{
	if (yields < YIELDS)
		sched_yield();
	else
		nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

void eio__spin(unsigned *spins)
{
	if (++*spins % PAUSES_PER_YIELD)
		eio__cpu_relax();
	else
		give_way(*spins / PAUSES_PER_YIELD);
}

void eio__lock_await(const struct eio__lock *l)
{
	unsigned pause = FIRST_PAUSE, yields = 0;

	do {
		for (unsigned i = 0; i < pause; i++)
			eio__cpu_relax();
		if (pause < LONGEST_PAUSE)
			pause *= 2;
		else
			give_way(++yields);
	} while (eio__lock_peek(l) & EIO__LOCKED);
}
