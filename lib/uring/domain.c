/* SPDX-License-Identifier: ISC */
/*
 * A domain in a thread of its own: an errand, for which the thread becomes a domain first and
 * stops being one before the caller learns the result. Without a ring the thread calls the
 * function and nothing else.
 */
#include "uring/domain.h"
#include "core/errand.h"
#include "core/error.h"
#include "core/threads.h"
#include "uring/run.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In the caller's frame. */
struct work {
	struct eio__thread thread;
	struct eio__errand errand;
	const struct eio_domain_opts *opts;
	const struct eio_config *config;
	struct eio__run *run;        /* NULL: without a ring */
	const struct eio__uring *by; /* the caller's, if it has one */
	uint64_t unblocked;          /* signals, where the domain was asked for */
	int refused;                 /* why the function was not run … */
	char why[224];               /* … in words */
};

static struct work *work_of(struct eio__thread *t)
{
	return eio__container_of(t, struct work, thread);
}

/* The thread itself. */
static int prepare(struct work *w)
{
	const struct eio_domain_opts *o = w->opts;
	char name[16]; /* that is all the kernel takes */
	int rc;

	snprintf(name, sizeof(name), "%s", w->errand.name);
	pthread_setname_np(pthread_self(), name);
	if (!o->pin)
		return 0;
	rc = eio__thread_pin(o->cpu);
	if (rc < 0)
		snprintf(w->why, sizeof(w->why), "cpu %d is not there, or not allowed", o->cpu);
	return rc;
}

static int run_domain(struct work *w)
{
	int rc = eio__run_begin(w->run, w->config, w->by, w->why, sizeof(w->why));

	if (rc < 0)
		return rc;
	w->run->uring.domain.root.name = w->errand.name;
	w->run->uring.blocked = w->unblocked;
	eio__errand_run(&w->errand);
	eio__run_end(w->run);
	return 0;
}

static void run(struct eio__thread *t)
{
	struct work *w = work_of(t);

	w->refused = prepare(w);
	if (w->refused == 0 && w->run)
		w->refused = run_domain(w);
	else if (w->refused == 0)
		eio__errand_call(&w->errand);
}

static void over(struct eio__thread *t)
{
	eio__errand_over(&work_of(t)->errand);
}

/* Signals that a program started by the calling thread would get. */
static uint64_t unblocked(const struct eio__uring *u)
{
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	return ~mask | (u ? u->blocked : 0);
}

/* Without one of its own a domain has the caller's: its stacks are as large, what the program
 * wants to keep (SIGPIPE) is not changed by it, and an allow-list holds there, too. */
static const struct eio_config *config_of(const struct eio_domain_opts *o)
{
	static const struct eio_config defaults;
	const struct eio__uring *by = eio__uring_self();

	if (o->config)
		return o->config;
	return by ? by->config : &defaults;
}

/* In a thread, which becomes a domain in @p r; NULL: it does not. */
static int run_in_thread(struct eio__run *r, const struct eio_domain_opts *opts, eio_fn *fn,
			 void *arg)
{
	struct work w = {
		.thread = {.run = run, .over = over},
		.errand = {.fn = fn,
			   .arg = arg,
			   .op = "domain",
			   .name = opts->name ? opts->name : "eio-domain",
			   .caller = eio__self()},
		.opts = opts,
		.config = config_of(opts),
		.run = r,
		.by = eio__uring_self(),
		.unblocked = unblocked(eio__uring_self()),
	};
	int rc;

	if (r && eio__config_bad(w.config))
		return eio__fail(-EINVAL, "domain", eio__config_bad(w.config));
	rc = eio__thread_start(&w.thread);
	if (rc < 0)
		return eio__fail(rc, "domain", "no thread can be made");
	rc = eio__errand_await(&w.errand);
	return w.refused < 0 ? eio__fail(w.refused, "domain", w.why) : rc;
}

static int run_with_ring(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
			 void *arg)
{
	struct eio__run *r = malloc(sizeof(*r));
	int rc;

	(void) mgr;
	if (!r)
		return eio__fail(-ENOMEM, "domain", NULL);
	rc = run_in_thread(r, opts, fn, arg);
	free(r);
	return rc;
}

static int run_raw(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		   void *arg)
{
	(void) mgr;
	return run_in_thread(NULL, opts, fn, arg);
}

struct eio_domain_mgr eio__domain_mgr_uring(void)
{
	static const struct eio_domain_mgr_ops ops = {
		.name = "uring",
		.run = run_with_ring,
		.run_raw = run_raw,
	};

	return (struct eio_domain_mgr){.ops = &ops};
}
