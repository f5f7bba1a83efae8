/* SPDX-License-Identifier: ISC */
/*
 * Atomics that cost nothing while nobody shares, and the lock made of them.
 *
 * While the process has one thread (glibc tells) every operation is a plain one; it
 * never goes back from many threads to one. What signal handlers touch must not use
 * this: see inbox.h.
 *
 * The lock is held for a few instructions and never across a suspension, so it spins,
 * and after a while lets the holder run.
 */
#ifndef EIO__LOCK_H
#define EIO__LOCK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define EIO__KNOWS_SINGLE 1
#endif
#endif

static inline bool eio__single_threaded(void)
{
#ifdef EIO__KNOWS_SINGLE
	return __libc_single_threaded;
#else
	return false;
#endif
}

struct eio__lock {
	uint32_t held;
};

static inline void eio__cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline void eio__lock(struct eio__lock *l)
{
	if (eio__single_threaded()) {
		l->held = 1;
		return;
	}
	for (unsigned spins = 1; __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE); spins++) {
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED)) {
			if (spins++ % 128)
				eio__cpu_relax();
			else
				sched_yield();
		}
	}
}

/* Pairs with the exchange in eio__lock: what was written before is seen after it. */
static inline void eio__unlock(struct eio__lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

/* Compare and swap, sequentially consistent, or plain while there is one thread. */
static inline bool eio__cas64(uint64_t *p, uint64_t *expected, uint64_t value)
{
	if (eio__single_threaded()) {
		*p = value;
		return true;
	}
	return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#endif
