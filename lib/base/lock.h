/* SPDX-License-Identifier: ISC */
/*
 * Atomics that cost nothing while nobody shares, and the lock made of them.
 *
 * While the process has one thread (glibc tells) every operation is a plain one; it
 * never goes back from many threads to one. What signal handlers touch must not use
 * this: see inbox.h.
 *
 * The lock is held for a few instructions and never across a suspension, so it spins,
 * and after a while lets the holder run. It is one bit of a word; the others are state
 * of what it guards, which its holder changes with the store that unlocks. So that store
 * is the last touch of the whole object, and who finds the word as it wants it can
 * change it by a compare-and-swap, without locking.
 */
#ifndef EIO__LOCK_H
#define EIO__LOCK_H

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
	uintptr_t word;
};

enum { EIO__LOCKED = 1 };

static inline void eio__cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#elif defined(__riscv)
	/* "pause", a fence without effect on CPUs that lack it; not all assemblers know it. */
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
#endif
}

/* One turn of a loop that waits for another thread: a pause, now and then a yield, for that
 * thread may need the CPU, and at last a nap. *spins begins at 0. */
void eio__spin(unsigned *spins);

/* Waits until nobody holds it; somebody else may be faster then. */
void eio__lock_await(const struct eio__lock *l);

/* Takes the lock if nobody holds it: the other bits of the word, which now are the
 * caller's. */
static inline bool eio__lock_try(struct eio__lock *l, uintptr_t *ret_bits)
{
	if (!eio__single_threaded() &&
	    __atomic_fetch_or(&l->word, EIO__LOCKED, __ATOMIC_ACQUIRE) & EIO__LOCKED)
		return false;
	*ret_bits = __atomic_load_n(&l->word, __ATOMIC_RELAXED) & ~(uintptr_t) EIO__LOCKED;
	return true;
}

/* Takes the lock; the other bits of the word. */
static inline uintptr_t eio__lock(struct eio__lock *l)
{
	uintptr_t bits;

	while (__builtin_expect(!eio__lock_try(l, &bits), 0))
		eio__lock_await(l);
	return bits;
}

/* @p bits: the rest of the word from now on. Pairs with the acquire in eio__lock and in
 * eio__lock_peek: what was written before is seen after it. */
static inline void eio__unlock_to(struct eio__lock *l, uintptr_t bits)
{
	__atomic_store_n(&l->word, bits, __ATOMIC_RELEASE);
}

static inline void eio__unlock(struct eio__lock *l)
{
	eio__unlock_to(l, 0);
}

/* The word's bits while others may hold the lock. */
static inline uintptr_t eio__lock_peek(const struct eio__lock *l)
{
	return __atomic_load_n(&l->word, __ATOMIC_ACQUIRE);
}

/* Changes the word without locking, if it is what the caller takes it for, and unlocked. */
static inline bool eio__lock_change(struct eio__lock *l, uintptr_t from, uintptr_t to)
{
	if (eio__single_threaded()) {
		if (l->word != from)
			return false;
		l->word = to;
		return true;
	}
	return __atomic_compare_exchange_n(&l->word, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Compare and swap, sequentially consistent; while there is one thread a plain store, as
 * *expected, just read, cannot be out of date then. */
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
