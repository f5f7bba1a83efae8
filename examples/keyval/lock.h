/* SPDX-License-Identifier: ISC */
/*
 * A lock that costs a test where there is only one domain.
 *
 * It is the thread's, not the fiber's: who holds it must not wait for anything. So it is held for
 * the time of one command, and it is cheaper for the thread of another domain to spin that long,
 * and to sleep if it lasts longer, than for its fiber to be queued, resumed and woken.
 */
#ifndef KEYVAL_LOCK_H
#define KEYVAL_LOCK_H

#include <pthread.h>
#include <stdbool.h>

struct lock {
	bool shared; /* by several domains */
	pthread_mutex_t mutex;
};

/* There is nothing to end. */
static inline void lock_init(struct lock *lock, bool shared)
{
	*lock = (struct lock){shared, PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP};
}

static inline void lock_take(struct lock *lock)
{
	if (lock->shared)
		pthread_mutex_lock(&lock->mutex);
}

static inline void lock_give(struct lock *lock)
{
	if (lock->shared)
		pthread_mutex_unlock(&lock->mutex);
}

#endif
