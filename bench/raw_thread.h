/* SPDX-License-Identifier: ISC */
/*
 * A bare thread that is handed work by a futex and hands it back by another: the line beside
 * the library's pool.
 *
 * A word tells it to wait, to work or to end. Those that are handed work at the same time share
 * a count of what is left of it; who brings that to 0 wakes who waits for all of them.
 */
#ifndef RAW_THREAD_H
#define RAW_THREAD_H

#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RAW_THREAD_WAIT, RAW_THREAD_WORK, RAW_THREAD_END };

struct raw_thread {
	uint32_t word;
	uint32_t *left;
	int (*fn)(void *arg);
	void *arg;
	int rc;
	pthread_t thread;
} __attribute__((aligned(64)));

static inline void raw_futex(uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static inline void raw_thread_tell(struct raw_thread *t, uint32_t value)
{
	__atomic_store_n(&t->word, value, __ATOMIC_RELEASE);
	raw_futex(&t->word, FUTEX_WAKE_PRIVATE, 1);
}

static inline void *raw_thread_work(void *arg)
{
	struct raw_thread *t = arg;
	uint32_t told;

	for (;;) {
		while ((told = __atomic_load_n(&t->word, __ATOMIC_ACQUIRE)) == RAW_THREAD_WAIT)
			raw_futex(&t->word, FUTEX_WAIT_PRIVATE, RAW_THREAD_WAIT);
		if (told == RAW_THREAD_END)
			return NULL;
		__atomic_store_n(&t->word, RAW_THREAD_WAIT, __ATOMIC_RELAXED);
		t->rc = t->fn(t->arg);
		if (__atomic_sub_fetch(t->left, 1, __ATOMIC_ACQ_REL) == 0)
			raw_futex(t->left, FUTEX_WAKE_PRIVATE, 1);
	}
}

static inline void raw_thread_begin(struct raw_thread *t, uint32_t *left)
{
	t->left = left;
	if (pthread_create(&t->thread, NULL, raw_thread_work, t))
		bench_fail("a thread cannot be made");
}

static inline void raw_thread_end(struct raw_thread *t)
{
	raw_thread_tell(t, RAW_THREAD_END);
	pthread_join(t->thread, NULL);
}

/* The count has been set before. */
static inline void raw_thread_hand(struct raw_thread *t, int (*fn)(void *arg), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	raw_thread_tell(t, RAW_THREAD_WORK);
}

static inline void raw_threads_await(uint32_t *left)
{
	uint32_t n;

	while ((n = __atomic_load_n(left, __ATOMIC_ACQUIRE)))
		raw_futex(left, FUTEX_WAIT_PRIVATE, n);
}

#endif
