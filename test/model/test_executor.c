/* SPDX-License-Identifier: ISC */
/*
 * An executor with one worker: jobs come while it goes to sleep, while other jobs leave no room,
 * while their submitters are cancelled, and while it ends. The model has one fiber in a domain,
 * so the worker runs a job where it would start a fiber for it. A submitter's frame, with the job
 * in it, is gone as soon as it knows the result; so is the worker's domain when it has ended.
 *
 * Where there are more than two threads the submitters are no domains: they wait for a flag, and
 * their cancellation is a choice. How it crosses to another domain is test_errand's.
 */
#include "core/errand.h"
#include "core/fiber.h"
#include "core/jobs.h"
#include "core/switch.h"
#include "model/domain.h"

#include <eio/executor.h>
#include <eio/fiber.h>

static int run_here(struct eio_switch *sw, eio_fn *fn, const void *arg)
{
	return eio__switch_of(sw)->ctx.err ? -ECANCELED : fn((void *) arg);
}

static bool plain; /* submitters are no domains */

static int enter(struct eio__fiber **ret_caller)
{
	*ret_caller = NULL;
	return plain ? 0 : eio__enter(ret_caller);
}

static bool is_over(const void *arg)
{
	return ((const struct eio__errand *) arg)->told;
}

static bool may_be_cancelled(const struct eio__errand *e);

static int await_errand(struct eio__errand *e)
{
	bool cancelled = false;

	if (!plain)
		return eio__errand_await(e);
	if (may_be_cancelled(e) && model_choose("it is cancelled", 2)) {
		if (e->withdraw(e))
			return -ECANCELED;
		__atomic_store_n(&e->cancelled, cancelled = true, __ATOMIC_SEQ_CST);
	}
	model_wait("the end of the job", is_over, e);
	return e->rc == -ECANCELED && !cancelled ? EIO_EABANDONED : e->rc;
}

static void run_errand(struct eio__errand *e)
{
	if (!plain)
		eio__errand_run(e);
	else
		e->rc = __atomic_load_n(&e->cancelled, __ATOMIC_SEQ_CST) ? -ECANCELED
									 : e->fn(e->arg);
}

static void errand_over(struct eio__errand *e)
{
	if (!plain)
		eio__errand_over(e);
	else
		__atomic_store_n(&e->told, true, __ATOMIC_SEQ_CST);
}

#define eio__enter(caller)                  enter(caller)
#define eio__errand_await(e)                await_errand(e)
#define eio__errand_run(e)                  run_errand(e)
#define eio__errand_over(e)                 errand_over(e)
#define eio__fork(sw, fn, arg, size, flags) run_here(sw, fn, arg)
#include "core/executor.c" /* for what is static there */
#undef eio__errand_await
#undef eio__fork

enum { SUBMITTERS = 3, TAKEN = 600 };

struct submitter {
	unsigned weight;
	unsigned ways; /* to be cancelled; 0: it is not */
	eio_fn *fn;
	unsigned ran;
	int rc;
};

struct desk {
	struct executor executor;
	struct submitter submitters[SUBMITTERS];
	struct eio_cancel cancel; /* the worker's */
	struct eio__inbox_node stop;
	unsigned n, left; /* submitters */
	unsigned running; /* weights of the jobs that have begun */
};

static struct desk *desk;
static unsigned host; /* the worker's domain */
static bool ends_early;

static bool may_be_cancelled(const struct eio__errand *e)
{
	return ((const struct submitter *) e->arg)->ways;
}

/* The worker */

static void stopped(struct eio__inbox_node *n)
{
	(void) n;
	eio_cancel_raise(&desk->cancel, -EINTR);
}

static void work(void *arg)
{
	(void) arg;
	eio_cancel_begin(&desk->cancel);
	serve(&desk->executor.team->workers[0]);
	eio_cancel_end(&desk->cancel);
}

/* The domain was pinned when this was set up. */
static void stop(void *arg)
{
	struct eio__waker *w = model_waker(host);

	(void) arg;
	eio__waker_push(w, &desk->stop);
	eio__waker_unpin(w);
}

static void set_worker(void *arg)
{
	desk->executor.team->workers[0].domain = eio__domain_self();
	eio__waker_pin(&eio__domain_self()->waker);
	(void) arg;
}

/* Jobs. A worker's load has room for all that have begun. */

static int job(void *arg)
{
	struct submitter *s = arg;

	s->ran++;
	desk->running += s->weight;
	model_expect(desk->executor.team->workers[0].load >= desk->running, "a job has no place");
	model_expect(desk->executor.team->workers[0].load <= EIO_EXECUTOR_ALONE, "too much load");
	desk->running -= s->weight;
	return 1;
}

static int job_until_cancelled(void *arg)
{
	job(arg);
	return eio_await_cancel();
}

static void submit_one(void *arg)
{
	struct eio_executor *e = (struct eio_executor *) (void *) &desk->executor;
	struct submitter *s = arg;
	struct model_canceller c;
	struct eio_cancel cancel;

	if (plain) {
		s->rc = eio_executor_submit(e, s->fn, s, s->weight);
	} else {
		eio_cancel_begin(&cancel);
		if (s->ways)
			model_cancel_begin(&c, &cancel, s->ways);
		s->rc = eio_executor_submit(e, s->fn, s, s->weight);
		if (s->ways)
			model_cancel_end(&c);
		eio_cancel_end(&cancel);
	}
	if (__atomic_sub_fetch(&desk->left, 1, __ATOMIC_SEQ_CST) == 0 && !ends_early)
		stop(NULL);
}

/* Setting up */

static void make_desk(bool are_plain, bool early)
{
	struct executor *ex;

	model_machine(false);
	plain = are_plain;
	desk = model_alloc("desk", sizeof(*desk));
	desk->stop.fn = stopped;
	ex = &desk->executor;
	ex->state = OPEN;
	ex->n = 1;
	ex->missing =
		2; /* as if another one were to come, so that nobody is told that all are up */
	eio__list_init(&ex->queue);
	ex->team = model_alloc("team", sizeof(struct team) + sizeof(struct worker));
	ex->team->workers[0].executor = ex;
	rank(ex->team, &ex->team->workers[0]);
	host = model_domain("worker", work, NULL);
	model_in_domain(host, set_worker, NULL);
	ends_early = early;
	if (early)
		model_thread("supervisor", stop, NULL);
}

static void add(const char *name, struct submitter s)
{
	struct submitter *to = &desk->submitters[desk->n++];

	*to = s;
	desk->left = desk->n;
	if (plain)
		model_thread(name, submit_one, to);
	else
		model_domain(name, submit_one, to);
}

/* Nothing is left of them, and no domain is awaited for ever. */
static void all_is_given_back(void)
{
	const struct executor *ex = &desk->executor;
	const struct worker *w = &ex->team->workers[0];

	model_expect(w->load == 0 && w->handed == 0, "load %u of %u jobs", w->load, w->handed);
	model_expect(eio__heap_first(&ex->team->idlest) == &w->place && w->place.key == 0,
		     "its place is wrong");
	model_expect(ex->state == CLOSED && eio__list_empty(&ex->queue), "it is not closed");
}

/* A result says that it ran, a failure that it did not, and which are possible. */
static void each_is_answered(void)
{
	for (unsigned i = 0; i < desk->n; i++) {
		const struct submitter *s = &desk->submitters[i];
		bool allowed = s->rc == -ECANCELED ? s->ways : ends_early;

		if (ends_early)
			allowed |= s->rc == EIO_EABANDONED || s->rc == -EINVAL;
		model_expect(s->ran == (s->rc == 1), "%u: result %d, ran %u", i, s->rc, s->ran);
		model_expect(s->rc == 1 || allowed, "%u: result %d", i, s->rc);
	}
	all_is_given_back();
}

/* Submitting while the worker goes to sleep */

static void one_submits(void)
{
	make_desk(false, false);
	add("submitter", (struct submitter){.fn = job, .weight = 1000});
}

MODEL_HOLDS(a_job_wakes_a_worker_that_goes_to_sleep, one_submits, each_is_answered, 1e3)

/* A full worker: what does not fit waits until there is room. */

static void two_that_do_not_fit(void)
{
	make_desk(true, false);
	add("first", (struct submitter){.fn = job, .weight = 600});
	add("second", (struct submitter){.fn = job, .weight = 500});
}

MODEL_HOLDS(what_finds_no_room_is_handed_over_when_there_is, two_that_do_not_fit, each_is_answered,
	    1e4)

/* Cancelling */

static void one_is_cancelled(void)
{
	make_desk(false, false);
	add("submitter", (struct submitter){.fn = job, .weight = 1000, .ways = BY_FIBER});
}

static void one_of_two_is_cancelled(void)
{
	make_desk(true, false);
	add("first", (struct submitter){.fn = job, .weight = 600});
	add("second", (struct submitter){.fn = job, .weight = 500, .ways = BY_FIBER});
}

MODEL_HOLDS(a_job_is_done_or_was_cancelled_before_it_began, one_is_cancelled, each_is_answered, 1e3)
MODEL_HOLDS(a_queued_job_is_withdrawn_or_begins, one_of_two_is_cancelled, each_is_answered, 1e4)

static void one_that_runs_is_cancelled(void)
{
	make_desk(false, false);
	add("submitter",
	    (struct submitter){.fn = job_until_cancelled, .weight = 1000, .ways = SURELY});
}

static void each_was_cancelled(void)
{
	for (unsigned i = 0; i < desk->n; i++)
		model_expect(desk->submitters[i].rc == -ECANCELED, "%d", desk->submitters[i].rc);
	all_is_given_back();
}

MODEL_HOLDS(a_cancellation_reaches_a_job_at_any_time, one_that_runs_is_cancelled,
	    each_was_cancelled, 1e3)

/* The end */

static void it_ends_meanwhile(void)
{
	make_desk(true, true);
	add("submitter", (struct submitter){.fn = job, .weight = 1000});
}

static void it_ends_while_one_is_cancelled(void)
{
	make_desk(true, true);
	add("submitter", (struct submitter){.fn = job, .weight = 1000, .ways = BY_FIBER});
}

/* As with a manager whose workers are fibers: no end of a domain answers what came too late. */
static void it_ends_in_a_domain_that_stays(void)
{
	make_desk(true, true);
	model_domains_stay();
	add("submitter", (struct submitter){.fn = job, .weight = 1000});
}

MODEL_HOLDS(so_is_one_that_comes_too_late_to_a_domain_that_stays, it_ends_in_a_domain_that_stays,
	    each_is_answered, 1e3)

/* There is no room, nor will there be. */
static void it_ends_while_one_waits(void)
{
	make_desk(true, true);
	charge(&desk->executor.team->workers[0], 0, TAKEN);
	add("submitter", (struct submitter){.fn = job, .weight = 500, .ways = BY_FIBER});
}

static void it_did_not_run(void)
{
	struct worker *w = &desk->executor.team->workers[0];

	model_expect(!desk->submitters[0].ran, "it ran without room");
	charge(w, 0, -TAKEN);
	each_is_answered();
}

MODEL_HOLDS(a_job_is_answered_whenever_the_executor_ends, it_ends_meanwhile, each_is_answered, 1e3)
MODEL_HOLDS(so_is_one_whose_submitter_is_cancelled, it_ends_while_one_is_cancelled,
	    each_is_answered, 1e3)
MODEL_HOLDS(so_is_one_that_waits, it_ends_while_one_waits, it_did_not_run, 1e3)

MODEL_SUITE("executor", a_job_wakes_a_worker_that_goes_to_sleep_test,
	    what_finds_no_room_is_handed_over_when_there_is_test,
	    a_job_is_done_or_was_cancelled_before_it_began_test,
	    a_queued_job_is_withdrawn_or_begins_test, a_cancellation_reaches_a_job_at_any_time_test,
	    a_job_is_answered_whenever_the_executor_ends_test,
	    so_is_one_whose_submitter_is_cancelled_test,
	    so_is_one_that_comes_too_late_to_a_domain_that_stays_test, so_is_one_that_waits_test)
