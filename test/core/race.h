/* SPDX-License-Identifier: ISC */
/*
 * Races between threads. A partner thread gets one object after the other out of a letter
 * box; the delay between putting one there and using it oneself adapts, so that both are
 * about as fast.
 */
#ifndef EIO_TEST_RACE_H
#define EIO_TEST_RACE_H

#include "support.h"
#include "core/timer.h"
#include "core/waiters.h"

#include <pthread.h>
#include <sched.h>

/* To the first or second of the processors allowed, so that there is something to race. */
static inline void pin(int place)
{
	cpu_set_t allowed, one;

	if (pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || place-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

/* expect_ok for what happens often: libcheck writes down each check that it makes. */
#define must(call)                                                                                 \
	do {                                                                                       \
		int got_ = (call);                                                                 \
		if (got_ != 0)                                                                     \
			ck_abort_msg("%s: %s (%d)", #call, eio_err_name(got_), got_);              \
	} while (0)

static inline void spin(unsigned n)
{
	while (n--)
		__asm__ volatile("" ::: "memory");
}

/* Races are run so often, or for a second if others need the processors too. */
static inline bool again(unsigned round, unsigned rounds, int64_t begun)
{
	return round < rounds && eio__now() - begun < EIO_SEC(1);
}

/* Finds the delay at which the partner is about as fast: longer when it came too late. */
static inline void adapt(unsigned *delay, bool late)
{
	if (late)
		*delay = *delay < 8192 ? *delay + 1 + *delay / 16 : 0;
	else
		*delay -= *delay / 16 + (*delay > 0);
}

/* The letter box: one object at a time. */

struct letter_box {
	void *letter;     /* NULL: empty; the box itself: the partner ends */
	eio_fn *use;      /* what it does with one */
	pthread_t thread; /* the partner */
};

static inline void put_letter(struct letter_box *box, void *letter)
{
	__atomic_store_n(&box->letter, letter, __ATOMIC_RELEASE);
}

static inline void *take_letter(struct letter_box *box)
{
	void *letter;

	for (unsigned i = 1; !(letter = __atomic_exchange_n(&box->letter, NULL, __ATOMIC_ACQUIRE));
	     i++) {
		if (i % 256 == 0)
			sched_yield();
	}
	return letter;
}

static inline void *read_letters(void *arg)
{
	struct letter_box *box = arg;
	void *letter;

	pin(1);
	while ((letter = take_letter(box)) != box)
		must(box->use(letter));
	return NULL;
}

/* The partner is a thread without a domain. */
static inline void start_partner(struct letter_box *box, eio_fn *use)
{
	*box = (struct letter_box){.use = use};
	expect_ok(pthread_create(&box->thread, NULL, read_letters, box));
	pin(0);
}

static inline int read_as_fiber(struct eio_env *e, void *arg)
{
	(void) e;
	read_letters(arg);
	return 0;
}

static inline void *run_reader(void *arg)
{
	expect_ok(eio_run(NULL, read_as_fiber, arg));
	return NULL;
}

/* The partner is the main fiber of another domain. */
static inline void start_partner_domain(struct letter_box *box, eio_fn *use)
{
	*box = (struct letter_box){.use = use};
	expect_ok(pthread_create(&box->thread, NULL, run_reader, box));
	pin(0);
}

static inline void end_partner(struct letter_box *box)
{
	while (__atomic_load_n(&box->letter, __ATOMIC_RELAXED))
		sched_yield();
	put_letter(box, box);
	expect_ok(pthread_join(box->thread, NULL));
}

/*
 * A cancellation in two parts, as another thread sees it when it comes between them: the
 * waiter is claimed, but still on the list.
 */

static inline void begin_leaving(struct eio__fiber *f)
{
	ck_assert(eio__waiter_claim(f->wait_arg, EIO__LEAVING));
}

static inline void end_leaving(struct eio__fiber *f)
{
	struct eio__waiter *w = f->wait_arg;
	uintptr_t bits = eio__lock(w->lock);

	eio__waiters_remove(w->list, w);
	eio__unlock_to(w->lock, bits);
	eio__wake(f);
}

/* Frees an object; in plain builds late writes into it are found out. */

struct grave {
	unsigned char *object;
	size_t size;
};

static inline void look_into(const struct grave *g)
{
	for (size_t i = 0; g->object && i < g->size; i++) {
		if (g->object[i] != 0x5a)
			ck_abort_msg("an object was written to when it was free");
	}
	free(g->object);
}

static inline void bury(void *object, size_t size)
{
	static struct grave graves[64];
	static unsigned next;
	struct grave *g = &graves[next++ % 64];

	if (SANITIZED) {
		free(object);
		return;
	}
	look_into(g);
	*g = (struct grave){object, size};
	if (object)
		memset(object, 0x5a, size);
}

static inline void empty_graves(void)
{
	for (int i = 0; i < 64; i++)
		bury(NULL, 0);
}

#endif
