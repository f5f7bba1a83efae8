/* SPDX-License-Identifier: ISC */
#include "base/lock.h"

#include <sched.h>

enum { SPINS_PER_YIELD = 128 };

void eio__spin(unsigned *spins)
{
	if (++*spins % SPINS_PER_YIELD)
		eio__cpu_relax();
	else
		sched_yield();
}

/* Long enough for the holder to come back a few times before the two meet again: taking
 * turns at every operation would cost more than the operation, in cache lines. */
enum { FIRST_PAUSE = 8, LONGEST_PAUSE = 64 };

void eio__lock_await(const struct eio__lock *l)
{
	unsigned pause = FIRST_PAUSE;

	do {
		for (unsigned i = 0; i < pause; i++)
			eio__cpu_relax();
		if (pause < LONGEST_PAUSE)
			pause *= 2;
		else
			sched_yield();
	} while (eio__lock_peek(l) & EIO__LOCKED);
}
