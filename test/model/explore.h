/* SPDX-License-Identifier: ISC */
/*
 * Runs a few threads in every order there is.
 *
 * The threads are coroutines on one real thread. They run the library's own code,
 * compiled with atomics.h, and stop before each atomic access to shared memory. The
 * explorer goes through all states depth first: it saves stacks and memory, lets one
 * thread make one step, and looks whether it has seen what comes out. So every order of
 * steps is covered and loops that wait come round to a known state; there is no bound.
 *
 * Memory is sequentially consistent: what a weaker order would allow is not found here.
 * What a thread does between two accesses is a step of its own if the first changed
 * something, and belongs to the first if not: so what was published too early is found.
 * Two plain accesses in a row are never separated.
 *
 * A failure is a model_expect that does not hold, a deadlock (nobody can go on and not
 * all have ended), a livelock (an end can no longer be reached), an access to memory that
 * was freed or to a frame that is gone. What is told is a way to it with the fewest
 * switches between threads that could have gone on.
 */
#ifndef EIO_TEST_MODEL_EXPLORE_H
#define EIO_TEST_MODEL_EXPLORE_H

#include "model/atomics.h"

#include <eio/api.h>

struct eio__domain;

enum { MODEL_THREADS = 5 };

/* Setting up, before the threads start */

/* A thread; the number by which others name it. */
unsigned model_thread(const char *name, void (*fn)(void *arg), void *arg);

/* A signal handler that interrupts the thread once, before any of its steps. */
void model_handler(unsigned thread, void (*fn)(void *arg), void *arg);

/* Memory from elsewhere that the threads change. */
void model_region(const char *name, void *p, size_t size);

/* Memory only this thread touches: accesses to it are no steps. */
void model_private(unsigned thread, const void *p, size_t size);

/* What nobody changes, or what the scenario is not about, likewise. */
void model_aside(const void *p, size_t size);

/* The scenario is large: a build with ASan, whose frames make several states of one, explores
 * it with a bound on preemptions only, and says so. */
void model_large(void);

/* The domain of a thread, from its start on. */
void model_thread_domain(unsigned thread, struct eio__domain *d);

/* While setting up and in threads */

/* Zeroed memory of the model, and its end: a step, after which no one may touch it. */
void *model_alloc(const char *name, size_t size);
void model_free(void *p);

/* Is this memory of the model? */
bool model_owns(const void *p);

/* Fails, with printf's arguments, unless @p cond holds. */
#define model_expect(cond, ...)                                                                    \
	do {                                                                                       \
		if (!(cond))                                                                       \
			model_fail(__VA_ARGS__);                                                   \
	} while (0)
void model_fail(const char *fmt, ...) EIO_PRINTF(1, 2);

/* In threads */

/* Is this one of the model's threads, not the setting up? */
bool model_running(void);

/* One of 0 to n - 1: each of them is tried. */
unsigned model_choose(const char *what, unsigned n);

/* Waits until @p ready is true; false: a signal handler interrupted it. */
bool model_wait(const char *what, bool (*ready)(const void *arg), const void *arg);

/* One round of a loop: waits until something has changed since the last one. */
void model_spin(void);

/* Has another thread ended, and waiting until it has. */
bool model_has_ended(unsigned thread);
void model_join(unsigned thread);

/* What some schedule must come to, and that one did: a scenario with a cancellation in it
 * tells nothing if nobody is ever cancelled. */
enum { MODEL_MAY_CANCEL = 1, MODEL_CANCELLED = 2 };
void model_mark(unsigned what);

struct model_result {
	bool failed;
	bool bounded; /* not all schedules were explored */
	char why[256];
	const char *steps; /* how it came to that */
	size_t states, transitions, longest;
	double schedules; /* without those that go round in circles */
};

/*
 * Explores what @p setup makes; @p finally (optional) looks at each end. Prints what there
 * was to explore.
 */
struct model_result model_explore(const char *claim, void (*setup)(void), void (*finally)(void));

/* The same as tests: it holds, in at least @p least schedules; it fails with these words
 * in the reason. */
void model_holds(const char *claim, void (*setup)(void), void (*finally)(void), double least);
void model_breaks(const char *claim, void (*setup)(void), void (*finally)(void), const char *words);

#endif
