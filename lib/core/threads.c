/* SPDX-License-Identifier: ISC */
/*
 * An idle thread waits for a condition of its own, so that a job wakes one thread and no
 * other. It is told under the lock: a thread that has got its job may be done and gone before
 * the next instruction of who gave it.
 *
 * Threads are joined in a chain. One that ends leaves itself to be joined and joins the one
 * that did so before, so that at most one that has ended is there at any time.
 */
#include "core/threads.h"
#include "core/fiber.h"
#include "core/log.h"

#include <eio/time.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { QUEUED, RUNNING, DONE, ABANDONED };

/* On the thread's stack. */
struct worker {
	struct eio__threads *pool;
	struct eio__job *job;  /* NULL: none yet */
	struct eio__list link; /* in idle */
	pthread_cond_t told;   /* that it has a job, or that no domain is left */
};

/* A wait, on the fiber's stack: the job may be gone when the fiber continues. */
struct waiting {
	struct eio__job *job;
	bool cancelled, abandoned;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* for ends: a thread is gone, or a domain has begun */
	unsigned domains;
	unsigned ends;       /* that wait for threads */
	unsigned forks;      /* that this process is the child of */
	pthread_t to_join;   /* the last thread that ended … */
	bool is_any_to_join; /* … if there is one */
	bool pins;           /* a thread was pinned … */
	cpu_set_t cpus;      /* … that could run on these before, the first of them */
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct eio__threads eio__workers = {
	.name = "eio-worker",
	.limit = 64,
	.linger_ns = EIO_SEC(5),
	.idle = {&eio__workers.idle, &eio__workers.idle},
	.queue = {&eio__workers.queue, &eio__workers.queue},
};
struct eio__threads eio__lookups = {
	.name = "eio-lookup",
	.limit = 32,
	.linger_ns = EIO_SEC(5),
	.idle = {&eio__lookups.idle, &eio__lookups.idle},
	.queue = {&eio__lookups.queue, &eio__lookups.queue},
};

/* Threads */

static struct timespec deadline(int64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ns += ts.tv_nsec;
	ts.tv_sec += ns / EIO_SEC(1);
	ts.tv_nsec = ns % EIO_SEC(1);
	return ts;
}

static void worker_init(struct worker *w, struct eio__job *first)
{
	pthread_condattr_t attr;

	w->pool = first->pool;
	w->job = first;
	pthread_setname_np(pthread_self(), w->pool->name);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->told, &attr);
	pthread_condattr_destroy(&attr);
}

/* The next in the queue, or none, and the worker is idle. Locked. */
static void take_next(struct worker *w)
{
	struct eio__list *it = w->pool->queue.next;

	w->job = NULL;
	if (eio__list_empty(&w->pool->queue)) {
		eio__list_insert(&w->pool->idle, &w->link);
		return;
	}
	eio__list_remove(it);
	w->job = eio__container_of(it, struct eio__job, link);
	w->job->state = RUNNING;
}

/* Until it has a job. False: it has waited for long, or no domain is left; then it is not
 * idle any more. Locked. */
static bool await_job(struct worker *w)
{
	struct timespec until = deadline(w->pool->linger_ns);
	int rc = 0;

	while (!w->job && all.domains && rc == 0)
		rc = pthread_cond_timedwait(&w->told, &all.mutex, &until);
	if (!w->job)
		eio__list_remove(&w->link);
	return w->job;
}

/* Runs it and gets the next one. Locked. */
static void work_off(struct worker *w)
{
	struct eio__job *j = w->job;
	unsigned forks = all.forks;
	bool abandoned;

	pthread_mutex_unlock(&all.mutex);
	j->run(j);
	if (all.forks != forks)
		eio__fatal("a job of a thread returned in the child of a fork it had made");
	pthread_mutex_lock(&all.mutex);
	abandoned = j->state == ABANDONED;
	w->pool->abandoned -= abandoned;
	j->state = DONE;
	/* Before the fiber knows: its next job is to find this thread. */
	take_next(w);
	pthread_mutex_unlock(&all.mutex);
	if (abandoned)
		j->drop(j);
	else
		eio__wake_remote(j->fiber);
	pthread_mutex_lock(&all.mutex);
}

/* The calling thread is about to end, and will be joined. Is it to join the one before? Locked. */
static bool enter_chain(pthread_t *ret_before)
{
	bool is_joined = all.domains || all.ends, joins = is_joined && all.is_any_to_join;

	*ret_before = all.to_join;
	if (is_joined) {
		all.to_join = pthread_self();
		all.is_any_to_join = true;
	} else {
		pthread_detach(pthread_self());
	}
	return joins;
}

/* The worker's last touch of anything. Unlocks. */
static void leave(struct worker *w)
{
	pthread_t before;
	bool joins = enter_chain(&before);

	w->pool->n--;
	pthread_cond_broadcast(&all.changed);
	pthread_mutex_unlock(&all.mutex);
	pthread_cond_destroy(&w->told);
	if (joins)
		pthread_join(before, NULL);
}

/* It is everybody's, but has the CPUs of who happened to make it. Locked. */
static void unpin(void)
{
	if (all.pins)
		sched_setaffinity(0, sizeof(all.cpus), &all.cpus);
}

static void *work(void *first)
{
	struct worker w;

	worker_init(&w, first);
	pthread_mutex_lock(&all.mutex);
	unpin();
	do
		work_off(&w);
	while (w.job || await_job(&w));
	leave(&w);
	return NULL;
}

/* The program's handlers do not run there, but for what the thread itself does wrong. */
static void block_signals(sigset_t *ret_before)
{
	static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&set, faults[i]);
	pthread_sigmask(SIG_SETMASK, &set, ret_before);
}

static int make_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	sigset_t before;
	int rc;

	block_signals(&before);
	rc = pthread_create(&thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

/* Locked, so that nobody counts on a thread that could not be made. */
static int start_worker(struct eio__job *first)
{
	int rc;

	first->state = RUNNING;
	rc = make_thread(work, first);
	first->pool->n += rc == 0;
	return rc;
}

static void *run_alone(void *arg)
{
	struct eio__thread *t = arg;
	unsigned forks = all.forks;
	pthread_t before;
	bool joins;

	t->run(t);
	if (all.forks != forks)
		eio__fatal("a thread's function returned in the child of a fork it had made");
	pthread_mutex_lock(&all.mutex);
	joins = enter_chain(&before);
	pthread_mutex_unlock(&all.mutex);
	t->over(t);
	if (joins)
		pthread_join(before, NULL);
	return NULL;
}

int eio__thread_start(struct eio__thread *t)
{
	return make_thread(run_alone, t);
}

int eio__thread_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t) cpu, &set);
	pthread_mutex_lock(&all.mutex);
	if (!all.pins)
		all.pins = sched_getaffinity(0, sizeof(all.cpus), &all.cpus) == 0;
	pthread_mutex_unlock(&all.mutex);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* Jobs */

/* Locked. */
static int submit(struct eio__job *j)
{
	struct eio__threads *t = j->pool;
	int rc;

	if (!eio__list_empty(&t->idle)) {
		struct worker *w = eio__container_of(t->idle.next, struct worker, link);

		eio__list_remove(&w->link);
		w->job = j;
		j->state = RUNNING;
		pthread_cond_signal(&w->told);
		return 0;
	}
	if (t->n < t->limit) {
		rc = start_worker(j);
		if (rc == 0 || t->n == 0)
			return rc;
	}
	j->state = QUEUED;
	eio__list_append(&t->queue, &j->link);
	return 0;
}

static void cancel(struct eio__fiber *f, void *arg)
{
	struct waiting *w = arg;
	struct eio__job *j = w->job;

	pthread_mutex_lock(&all.mutex);
	w->abandoned = j->state == RUNNING && j->drop;
	w->cancelled = j->state == QUEUED || w->abandoned;
	if (w->abandoned) {
		j->state = ABANDONED;
		j->pool->abandoned++;
	} else if (w->cancelled) {
		eio__list_remove(&j->link);
	}
	pthread_mutex_unlock(&all.mutex);
	if (w->cancelled)
		eio__wake(f);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__job *j = ((const struct waiting *) arg)->job;
	unsigned state;

	(void) f;
	pthread_mutex_lock(&all.mutex);
	state = j->state;
	pthread_mutex_unlock(&all.mutex);
	snprintf(buf, size, "%s%s", j->pool->name, state == QUEUED ? ", queued" : "");
}

int eio__threads_run(struct eio__threads *pool, struct eio__job *j, struct eio__fiber *f)
{
	static const struct eio__wait waiting = {
		.what = "thread", .cancel = cancel, .describe = describe};
	struct waiting w = {.job = j};
	int rc;

	j->pool = pool;
	j->fiber = f;
	pthread_mutex_lock(&all.mutex);
	rc = submit(j);
	pthread_mutex_unlock(&all.mutex);
	if (rc == 0) {
		eio__suspend(f, &waiting, &w);
		rc = w.cancelled ? eio__canceled(f) : 0;
	}
	if (rc < 0 && !w.abandoned && j->drop)
		j->drop(j);
	return rc;
}

/* Domains */

void eio__threads_begin(void)
{
	pthread_mutex_lock(&all.mutex);
	all.domains++;
	pthread_cond_broadcast(&all.changed);
	pthread_mutex_unlock(&all.mutex);
}

static void tell_idle(const struct eio__threads *t)
{
	struct eio__list *it;

	eio__list_foreach(it, &t->idle)
		pthread_cond_signal(&eio__container_of(it, struct worker, link)->told);
}

static bool is_any_left(void)
{
	return eio__workers.n > eio__workers.abandoned || eio__lookups.n > eio__lookups.abandoned;
}

/* If another domain begins meanwhile, the threads are that one's to wait for. */
void eio__threads_end(void)
{
	pthread_t last;
	bool joins = false;

	pthread_mutex_lock(&all.mutex);
	if (--all.domains == 0) {
		tell_idle(&eio__workers);
		tell_idle(&eio__lookups);
		all.ends++;
		while (!all.domains && is_any_left())
			pthread_cond_wait(&all.changed, &all.mutex);
		all.ends--;
		joins = !all.domains && all.is_any_to_join;
		last = all.to_join;
		all.is_any_to_join &= !joins;
	}
	pthread_mutex_unlock(&all.mutex);
	if (joins)
		pthread_join(last, NULL);
}

static void forget(struct eio__threads *t)
{
	t->n = t->abandoned = 0;
	eio__list_init(&t->idle);
	eio__list_init(&t->queue);
}

void eio__threads_forget(void)
{
	all.mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
	all.changed = (pthread_cond_t) PTHREAD_COND_INITIALIZER;
	all.domains = all.ends = 0;
	all.is_any_to_join = false;
	all.forks++;
	forget(&eio__workers);
	forget(&eio__lookups);
}
