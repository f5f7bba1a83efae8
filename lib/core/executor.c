/* SPDX-License-Identifier: ISC */
/*
 * An executor is a number of workers, each a domain whose main serves jobs (core/jobs.h), and
 * the queue of jobs that find no room. A daemon of the executor's switch, the supervisor,
 * runs the workers; they end when it is cancelled.
 *
 * States of an executor: STARTING until every worker is up; OPEN; CLOSED as soon as one that
 * was up ends, for they all do. Jobs are handed in while it is OPEN.
 *
 * States of a job, all under the executor's lock:
 *   queued  in the queue, behind others or too heavy for every worker; a cancellation
 *           takes it off
 *   handed  a worker's, its weight part of the worker's load: sent there, begun, or dropped
 *   over    answered
 * Whenever room is made the head of the queue is looked at, and no other job: so it is not
 * overtaken by lighter ones for ever. The queue is empty when the executor is CLOSED.
 */
#include "base/heap.h"
#include "base/list.h"
#include "core/errand.h"
#include "core/error.h"
#include "core/fiber.h"

#include <eio/executor.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum { STARTING = 1, OPEN, CLOSED }; /* zeroed memory is none of them */

struct worker {
	struct executor *executor;
	struct eio__domain *domain; /* once it is up */
	struct eio__jobs jobs;
	unsigned load;               /* weights of the jobs that are its */
	unsigned handed;             /* their number */
	struct eio__heap_node place; /* among all of them, by these two */
};

struct team {
	struct eio__heap idlest; /* the workers, who has the least to do first */
	struct worker workers[];
};

struct executor {
	struct eio__lock lock; /* of all but ready and mgr */
	unsigned state;
	unsigned n, missing; /* workers; those not up yet */
	struct team *team;   /* freed when they have ended */
	struct eio__list queue;
	struct eio_promise ready; /* all are up, or the supervisor ends */
	struct eio_domain_mgr mgr;
};

_Static_assert(sizeof(struct executor) <= sizeof(struct eio_executor), "eio_executor is too small");

/* On the submitter's stack. */
struct job {
	struct eio__errand errand;
	struct eio__sent sent;
	struct eio__list link; /* in the queue */
	struct executor *executor;
	struct worker *worker; /* NULL: queued */
	unsigned weight;
};

static struct executor *executor_of(struct eio_executor *e)
{
	return (struct executor *) e;
}

/* Handing jobs to workers */

static struct worker *idlest(const struct executor *ex)
{
	return eio__container_of(eio__heap_first(&ex->team->idlest), struct worker, place);
}

/* The one with the least load is first, among equals the one with the fewest jobs, and then
 * always the same, which has had work last and may not sleep yet. */
static void rank(struct team *t, struct worker *w)
{
	int64_t key = (int64_t) w->load << 48 | (int64_t) w->handed << 16;

	eio__heap_insert(&t->idlest, &w->place, key | ((w - t->workers) & UINT16_MAX));
}

/* So many jobs more, of that weight in all. Locked. */
static void charge(struct worker *w, int jobs, int weight)
{
	struct team *t = w->executor->team;

	eio__heap_remove(&t->idlest, &w->place);
	w->load += (unsigned) weight;
	w->handed += (unsigned) jobs;
	rank(t, w);
}

/* Has a worker room for it? Without weight, always. Then the job is its, and the worker's domain
 * pinned. Locked. */
static bool place(struct job *j)
{
	struct worker *w = idlest(j->executor);

	if (w->load + j->weight > EIO_EXECUTOR_ALONE)
		return false;
	charge(w, 1, (int) j->weight);
	j->worker = w;
	eio__waker_pin(&w->domain->waker);
	return true;
}

/* Sends a job that was placed. */
static void send_job(struct job *j)
{
	struct eio__domain *d = j->worker->domain;

	eio__jobs_send(d, &j->worker->jobs, &j->sent);
	eio__waker_unpin(&d->waker);
}

/* The head of the queue, placed; NULL: there is none, or no room for it. Locked. */
static struct job *next_placed(struct executor *ex)
{
	struct job *j = eio__container_of(ex->queue.next, struct job, link);

	if (ex->state != OPEN || eio__list_empty(&ex->queue) || !place(j))
		return NULL;
	eio__list_remove(&j->link);
	return j;
}

/* Room was made, or the head of the queue is another: sends what can go. Unlocks. */
static void hand_out(struct executor *ex)
{
	struct job *j;

	while ((j = next_placed(ex))) {
		eio__unlock(&ex->lock);
		send_job(j);
		eio__lock(&ex->lock);
	}
	eio__unlock(&ex->lock);
}

/* In the worker: nothing of the job is needed any more. */
static void job_done(struct job *j)
{
	struct executor *ex = j->executor;

	eio__lock(&ex->lock);
	charge(j->worker, -1, -(int) j->weight);
	hand_out(ex);
	eio__errand_over(&j->errand);
}

static int run_job(void *arg)
{
	struct job *j = arg;

	eio__errand_run(&j->errand);
	job_done(j);
	return 0;
}

/* Answers what is queued: nothing is handed out any more. */
static void close_down(struct executor *ex)
{
	struct job *j;

	eio__lock(&ex->lock);
	ex->state = CLOSED;
	while (!eio__list_empty(&ex->queue)) {
		j = eio__container_of(ex->queue.next, struct job, link);
		eio__list_remove(&j->link);
		eio__unlock(&ex->lock);
		eio__errand_fail(&j->errand, -ECANCELED);
		eio__errand_over(&j->errand);
		eio__lock(&ex->lock);
	}
	eio__unlock(&ex->lock);
}

static void begin_job(struct eio__sent *s, struct eio_switch *sw)
{
	struct job *j = eio__container_of(s, struct job, sent);
	int rc = sw ? eio__fork(sw, run_job, j, 0, 0) : -ECANCELED;

	/* Or the next ones were dropped from within this call, one in the other. */
	if (!sw)
		close_down(j->executor);
	if (rc < 0) {
		eio__errand_fail(&j->errand, rc);
		job_done(j);
	}
}

/* Beginning and end */

static void is_up(struct worker *w)
{
	struct executor *ex = w->executor;
	bool all;

	eio__lock(&ex->lock);
	w->domain = eio__domain_self();
	all = --ex->missing == 0 && ex->state == STARTING;
	if (all)
		ex->state = OPEN;
	eio__unlock(&ex->lock);
	if (all)
		eio_promise_resolve(&ex->ready, 0, NULL);
}

/* Those that came too late to be served are dropped as they come out of the inbox. */
static void await_dropped(struct worker *w)
{
	struct executor *ex = w->executor;
	unsigned left = 1;

	for (unsigned spins = 0; left; eio__spin(&spins)) {
		eio__inbox_drain(&w->domain->waker.inbox);
		eio__lock(&ex->lock);
		left = w->handed;
		eio__unlock(&ex->lock);
	}
}

static int serve(void *arg)
{
	struct worker *w = arg;
	struct eio_switch sw;
	int rc;

	eio_switch_begin_named(&sw, "executor");
	is_up(w);
	eio__jobs_serve(&w->jobs, &sw);
	close_down(w->executor);
	rc = eio_switch_end(&sw, -ECANCELED);
	await_dropped(w);
	return rc;
}

static int run_worker(void *arg)
{
	static const struct eio_domain_opts opts = {.name = "eio-executor"};

	struct worker *w = arg;

	return eio_domain_run_with(w->executor->mgr, &opts, serve, w);
}

static void free_team(struct team *t)
{
	eio__heap_fini(&t->idlest);
	free(t);
}

/* A worker that does not come up ends the others. */
static int supervise(void *arg)
{
	struct executor *ex = arg;
	struct eio_switch sw;
	int rc = 0;

	eio_fiber_set_name("executor");
	eio_switch_begin_named(&sw, "executor");
	for (unsigned i = 0; i < ex->n && rc == 0; i++)
		rc = eio__fork(&sw, run_worker, &ex->team->workers[i], 0, 0);
	rc = eio_switch_end(&sw, rc);
	free_team(ex->team);
	/* The last touch, unless it was resolved before. */
	eio_promise_resolve(&ex->ready, rc, NULL);
	return 0;
}

static unsigned cores(void)
{
	cpu_set_t set;
	long n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned) CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned) n : 1;
}

static int make_team(struct executor *ex)
{
	struct team *t = calloc(1, sizeof(*t) + ex->n * sizeof(t->workers[0]));

	if (!t || !eio__heap_reserve(&t->idlest, ex->n)) {
		free(t);
		return eio__fail(-ENOMEM, "executor", NULL);
	}
	ex->team = t;
	for (unsigned i = 0; i < ex->n; i++) {
		t->workers[i].executor = ex;
		rank(t, &t->workers[i]);
	}
	return 0;
}

int eio_executor_init(struct eio_executor *pub, struct eio_switch *sw, struct eio_domain_mgr mgr,
		      unsigned domains)
{
	struct executor *ex = executor_of(pub);
	int rc = eio_check();

	*ex = (struct executor){.state = STARTING, .mgr = mgr};
	ex->n = ex->missing = domains ? domains : cores();
	eio__list_init(&ex->queue);
	if (rc == 0)
		rc = make_team(ex);
	if (rc < 0)
		return rc;
	rc = eio_fork_daemon(sw, supervise, ex);
	if (rc < 0) {
		free_team(ex->team);
		return rc;
	}
	rc = eio_promise_await_protected(&ex->ready, NULL);
	return rc == EIO_EABANDONED ? -ECANCELED : rc;
}

/* Submitting */

static bool withdraw(struct eio__errand *e)
{
	struct job *j = eio__container_of(e, struct job, errand);
	struct executor *ex = j->executor;
	bool queued;

	eio__lock(&ex->lock);
	queued = eio__list_linked(&j->link);
	if (queued)
		eio__list_remove(&j->link);
	hand_out(ex);
	return queued;
}

/* A job with weight is behind those that wait. */
static int hand_in(struct executor *ex, struct job *j)
{
	bool placed;

	eio__lock(&ex->lock);
	if (ex->state != OPEN) {
		eio__unlock(&ex->lock);
		return eio__fail(-EINVAL, "executor", "it has ended");
	}
	placed = (!j->weight || eio__list_empty(&ex->queue)) && place(j);
	if (!placed)
		eio__list_append(&ex->queue, &j->link);
	eio__unlock(&ex->lock);
	if (placed)
		send_job(j);
	return 0;
}

int eio_executor_submit(struct eio_executor *pub, eio_fn *fn, void *arg, unsigned weight)
{
	struct job j = {
		.errand = {.fn = fn, .arg = arg, .op = "executor", .withdraw = withdraw},
		.sent.begin = begin_job,
		.executor = executor_of(pub),
		.weight = weight,
	};
	int rc = eio__enter(&j.errand.caller);

	if (rc < 0)
		return rc;
	if (weight > EIO_EXECUTOR_ALONE)
		return eio__fail(-EINVAL, "executor", "weight");
	rc = hand_in(j.executor, &j);
	return rc < 0 ? rc : eio__errand_await(&j.errand);
}

struct forked {
	struct eio_executor *executor;
	eio_fn *fn;
	void *arg;
	unsigned weight;
	struct eio_promise *promise;
};

static int run_forked(void *arg)
{
	struct forked *f = arg;

	eio_promise_resolve(f->promise, eio_executor_submit(f->executor, f->fn, f->arg, f->weight),
			    NULL);
	return 0;
}

int eio_executor_submit_fork(struct eio_executor *e, struct eio_switch *sw, eio_fn *fn, void *arg,
			     unsigned weight, struct eio_promise *p)
{
	struct forked f = {e, fn, arg, weight, p};
	int rc = eio__fork(sw, run_forked, &f, sizeof(f), 0);

	if (rc < 0)
		eio_promise_resolve(p, rc, NULL);
	return rc;
}
