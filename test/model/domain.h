/* SPDX-License-Identifier: ISC */
/*
 * Threads of the model that run a domain: a real struct eio__uring with the real
 * scheduler, fiber and wake-ups, on a kernel of the model's own.
 *
 * That kernel knows the read of the wake-up descriptor, close, fsync, no-ops, a table of
 * files, and time, which passes when it can make a difference. A domain's memory is freed
 * when the domain has ended, so whoever is still on its way to it is found; so is a fiber
 * woken more often than it waits.
 */
#ifndef EIO_TEST_MODEL_DOMAIN_H
#define EIO_TEST_MODEL_DOMAIN_H

#include "model/suite.h"
#include "uring/sched.h"

#include <eio/time.h>

/* Sets up what all domains share; goes before everything else. Is the scenario about
 * descriptors? If not, accesses to their table are no steps. */
void model_machine(bool descriptors);

/* The parts of that: the list of domains, whose accesses are steps only if it matters, and
 * the descriptor table, likewise. */
void model_domain_list(bool matters);
void model_table(bool matters);

/* At the end: every slot is free, once. */
void model_table_check(void);

/* A thread whose main fiber runs @p fn; its number is the domain's, too. */
unsigned model_domain(const char *name, void (*fn)(void *arg), void *arg);

/* Fewer states: domains do not end with their threads. */
void model_domains_stay(void);

/* Something to set up in a domain; it must not suspend. */
void model_in_domain(unsigned domain, void (*fn)(void *arg), void *arg);

/* Is a domain's fiber suspended, or at its end? */
bool model_waits(unsigned domain);

/* The waker of a domain. */
struct eio__waker *model_waker(unsigned domain);

/* In the main fiber, with a context begun: cancels it while it waits, or not. By another
 * fiber of the domain, or, if there are to be more ways, by a timer. Surely: by a fiber, if
 * it waits. */
enum { SURELY = 1, BY_FIBER = 2, BY_FIBER_OR_TIMER = 3 };

struct model_canceller {
	struct eio_timer timer;
	struct eio_cancel *cancel;
};
void model_cancel_begin(struct model_canceller *c, struct eio_cancel *cancel, unsigned ways);
void model_cancel_end(struct model_canceller *c);

/* A descriptor that can be closed once, in the setting up, and whether it was. */
int model_descriptor(void);
bool model_is_closed(int unix_fd);

/* The number that what is in the table of files gets when it is installed. */
void model_installs(int unix_fd);

#endif
