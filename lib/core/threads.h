/* SPDX-License-Identifier: ISC */
/*
 * Threads for what would block: jobs that fibers of any domain wait for.
 *
 * A job is handed to the thread that became idle last, else to a new one, else it is queued,
 * first in first out, until a thread is done with another. Threads are there only while
 * domains are: the last domain's end waits for them.
 *
 * States of a job:
 *   QUEUED     no thread has it; a cancellation takes it off
 *   RUNNING    a thread's. A cancellation does nothing, or leaves it to the thread if it
 *              has a drop function
 *   DONE       its fiber is being woken, which is the thread's last touch of it
 *   ABANDONED  running, and nobody waits; the thread drops it
 * They change under the lock that all pools share.
 *
 * There are also threads that belong to no pool and do one thing alone. Who waits for that
 * does so in a domain, so they, too, are gone when the last one has ended.
 *
 * A thread with an abandoned job counts towards its pool's limit, but no end waits for it:
 * the job may hang. When it is done the thread takes up other work, or ends by itself if
 * no domain is left.
 */
#ifndef EIO__THREADS_H
#define EIO__THREADS_H

#include "base/list.h"

#include <stdint.h>

struct eio__fiber;

struct eio__threads {
	const char *name;   /* of each thread, and of what is waited for */
	unsigned limit;     /* of threads */
	int64_t linger_ns;  /* how long an idle one stays */
	unsigned n;         /* threads */
	unsigned abandoned; /* of them with an abandoned job */
	struct eio__list idle, queue;
};

struct eio__job {
	void (*run)(struct eio__job *j); /* in a thread, with a stack of the usual size */
	/* Frees it, in any thread. NULL: it lies on the stack of the waiting fiber, which a
	 * cancellation does not take away from a running job. */
	void (*drop)(struct eio__job *j);
	struct eio__threads *pool;
	struct eio__fiber *fiber;
	struct eio__list link; /* in the queue */
	unsigned state;
};

/* For any work, and for name look-ups, which may hang for long and must not be in the way. */
extern struct eio__threads eio__workers __attribute__((visibility("hidden")));
extern struct eio__threads eio__lookups __attribute__((visibility("hidden")));

/*
 * Has the job run and suspends the fiber, whose context is not cancelled, until it is done:
 * 0. -ECANCELED: it never ran, or nobody will know what came of it; -EAGAIN, -ENOMEM: there
 * is no thread, nor can one be made. Then it has been dropped, or will be.
 */
int eio__threads_run(struct eio__threads *pool, struct eio__job *j, struct eio__fiber *f);

/*
 * A thread for one thing alone. It runs run, is from then on the threads' matter, and calls over,
 * which is its last touch of the record.
 */
struct eio__thread {
	void (*run)(struct eio__thread *t);
	void (*over)(struct eio__thread *t);
};

/* 0, or -EAGAIN. */
int eio__thread_start(struct eio__thread *t);

/* The calling thread, which is one of those, runs on one CPU only from then on; threads of pools
 * that it makes do not. 0, or a negative errno. */
int eio__thread_pin(int cpu);

/* A domain begins, and ends: the last one waits until the threads are gone. */
void eio__threads_begin(void);
void eio__threads_end(void);

/* In the child of a fork, which has one thread. */
void eio__threads_forget(void);

#endif
