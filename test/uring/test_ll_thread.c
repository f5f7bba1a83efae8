/* SPDX-License-Identifier: ISC */
/*
 * Calls on threads. The threads' code is part of this program, so that it can refuse to make
 * threads, and look at the locked state.
 */
#include "core/fiber.h"
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <pthread.h>

static int create_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
static void wake_remote(struct eio__fiber *f);

#define pthread_create   create_thread
#define eio__wake_remote wake_remote
#include "core/threads.c" /* for what is static there */
#undef pthread_create
#undef eio__wake_remote

#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

static int made, refused_from = INT32_MAX; /* threads; the first that cannot be made */

static int create_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (made >= refused_from)
		return EAGAIN;
	made++;
	return pthread_create(t, attr, fn, arg);
}

/* Holds a thread up that is about to wake a fiber, or has just done so. */
static bool holds_before, holds_after;
static sem_t held, may_go_on;

static void hold_up(void)
{
	sem_post(&held);
	while (sem_wait(&may_go_on) < 0)
		;
}

static void wake_remote(struct eio__fiber *f)
{
	if (__atomic_load_n(&holds_before, __ATOMIC_ACQUIRE))
		hold_up();
	eio__wake_remote(f);
	if (__atomic_load_n(&holds_after, __ATOMIC_ACQUIRE))
		hold_up();
}

static void hold_wakes(bool *flag, bool on)
{
	if (on) {
		sem_init(&held, 0, 0);
		sem_init(&may_go_on, 0, 0);
	}
	__atomic_store_n(flag, on, __ATOMIC_RELEASE);
}

/* A job that is held up until it is let go, and may be seen to have begun. */
struct job {
	const char *name;
	int result;
	sem_t begun, go;
	int rc;
	bool over;
};

static struct job job_of(const char *name, int result)
{
	struct job j = {.name = name, .result = result, .rc = 1};

	sem_init(&j.begun, 0, 0);
	sem_init(&j.go, 0, 0);
	return j;
}

static void wait_for(sem_t *s)
{
	while (sem_wait(s) < 0)
		ck_assert_int_eq(errno, EINTR);
}

/* In the thread. */
static int hold(void *arg)
{
	struct job *j = arg;

	sem_post(&j->begun);
	wait_for(&j->go);
	return j->result;
}

/* In a fiber. */
static int call(void *arg)
{
	struct job *j = arg;

	j->rc = eio_ll_in_thread(hold, j);
	j->over = true;
	note("%s:%d", j->name, j->rc);
	return 0;
}

static bool has_begun(struct job *j)
{
	int n;

	sem_getvalue(&j->begun, &n);
	return n > 0;
}

/* Lets the domain get on by a little. */
static void some_turns(void)
{
	struct eio_cancel c;

	eio_cancel_protect_begin(&c);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_ll_noop());
	eio_cancel_end(&c);
}

/* Results */

static int give_back(void *arg)
{
	return *(int *) arg;
}

RING_TEST(the_result_is_the_functions)
{
	int results[] = {0, 7, INT32_MAX, -ENOENT, EIO_EPARSE};

	(void) arg;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		expect_err(eio_ll_in_thread(give_back, &results[i]), results[i]);
	ck_assert_int_eq(eio_last_error()->code, EIO_EPARSE);
	ck_assert_str_eq(eio_last_error()->op, "in_thread");
	return 0;
}

struct seen {
	pthread_t thread;
	int check, yield, nested;
	char name[16];
	sigset_t blocked;
	size_t stack;
};

static int look_around(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;

	s->thread = pthread_self();
	s->check = eio_check();
	s->yield = eio_yield();
	s->nested = eio_ll_in_thread(give_back, NULL);
	pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
	pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack);
	pthread_attr_destroy(&attr);
	return 0;
}

RING_TEST(it_runs_on_a_plain_thread_that_signals_leave_alone)
{
	static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
	sigset_t before, after;
	struct seen s;

	(void) arg;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	expect_ok(eio_ll_in_thread(look_around, &s));
	ck_assert(!pthread_equal(s.thread, pthread_self()));
	ck_assert_int_eq(s.check, -EPERM);
	ck_assert_int_eq(s.yield, -EPERM);
	ck_assert_int_eq(s.nested, -EPERM);
	ck_assert_str_eq(s.name, "eio-worker");
	ck_assert_uint_ge(s.stack, 1 << 20);
	ck_assert(sigismember(&s.blocked, SIGTERM));
	ck_assert(sigismember(&s.blocked, SIGCHLD));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		ck_assert(!sigismember(&s.blocked, faults[i]));
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < 32; sig++)
		ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
	return 0;
}

RING_TEST(other_fibers_run_meanwhile)
{
	struct job a = job_of("a", 3);
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call, &a));
	wait_for(&a.begun);
	some_turns();
	ck_assert(!a.over);
	note("go");
	sem_post(&a.go);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("go a:3");
	return 0;
}

static int call_plainly(void *arg)
{
	return eio_ll_in_thread(give_back, arg);
}

START_TEST(without_a_ring_it_is_EPERM)
{
	expect_err(call_plainly(NULL), -EPERM);
	expect_err(in_other_domain(call_plainly, NULL), -EPERM);
}
END_TEST

/* Cancelling */

static int count_up(void *arg)
{
	return ++*(int *) arg;
}

RING_TEST(a_cancelled_caller_does_not_even_begin)
{
	struct eio_cancel c;
	int n = 0, before = made;

	(void) arg;
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(eio_ll_in_thread(count_up, &n), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_int_eq(made, before);
	expect_err(eio_ll_in_thread(count_up, &n), 1);
	return 0;
}

static void finish_cancelled(int result)
{
	struct job a = job_of("a", result);
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call, &a));
	wait_for(&a.begun);
	eio_switch_fail(&sw, -EIO);
	some_turns();
	ck_assert(!a.over);
	sem_post(&a.go);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(a.rc, result);
}

RING_TEST(a_running_one_is_waited_for_and_its_result_delivered)
{
	(void) arg;
	finish_cancelled(5);
	finish_cancelled(-EPIPE);
	expect_log("a:5 a:-32");
	return 0;
}

RING_TEST(a_queued_one_is_taken_off_and_never_runs)
{
	struct job a = job_of("a", 1), b = job_of("b", 2), c = job_of("c", 3);
	struct eio_switch sw, cancelled;

	(void) arg;
	eio__workers.limit = 1;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call, &a));
	wait_for(&a.begun);
	eio_switch_begin(&cancelled);
	expect_ok(eio_fork(&cancelled, call, &b));
	expect_ok(eio_fork(&sw, call, &c));
	eio_switch_fail(&cancelled, -EIO);
	expect_err(eio_switch_end(&cancelled, 0), -EIO);
	expect_log("b:-125");
	ck_assert(!a.over && !c.over);
	sem_post(&a.go);
	sem_post(&c.go);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:1 c:3");
	ck_assert(!has_begun(&b));
	return 0;
}

/* Jobs that are dropped: whoever does it, they are once. */

struct droppable {
	struct eio__job job;
	struct job held;
	unsigned runs, drops;
	sem_t dropped;
};

static void run_droppable(struct eio__job *j)
{
	struct droppable *d = eio__container_of(j, struct droppable, job);

	d->runs++;
	hold(&d->held);
}

static void drop(struct eio__job *j)
{
	struct droppable *d = eio__container_of(j, struct droppable, job);

	d->drops++;
	sem_post(&d->dropped);
}

static void droppable_init(struct droppable *d, const char *name)
{
	*d = (struct droppable){.job = {.run = run_droppable, .drop = drop}};
	d->held = job_of(name, 0);
	sem_init(&d->dropped, 0, 0);
}

static int call_droppable(void *arg)
{
	struct droppable *d = arg;

	d->held.rc = eio__threads_run(&eio__workers, &d->job, eio__self());
	d->held.over = true;
	note("%s:%d", d->held.name, d->held.rc);
	return 0;
}

RING_TEST(what_is_not_its_callers_any_more_is_dropped_once)
{
	struct droppable running, queued, refused;
	struct eio_switch sw;

	(void) arg;
	droppable_init(&running, "running");
	droppable_init(&queued, "queued");
	droppable_init(&refused, "refused");
	eio__workers.limit = 1;
	refused_from = made;
	call_droppable(&refused);
	refused_from = INT32_MAX;
	ck_assert_uint_eq(refused.drops, 1);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call_droppable, &running));
	expect_ok(eio_fork(&sw, call_droppable, &queued));
	wait_for(&running.held.begun);
	eio_switch_fail(&sw, -EIO);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert_uint_eq(queued.drops, 1);
	ck_assert_uint_eq(running.drops, 0);
	sem_post(&running.held.go);
	wait_for(&running.dropped);
	/* Behind what the thread still does with it. */
	expect_err(eio_ll_in_thread(count_up, &refused.held.rc), refused.held.rc);
	ck_assert_uint_eq(running.drops, 1);
	ck_assert_uint_eq(running.runs, 1);
	ck_assert_uint_eq(queued.runs, 0);
	expect_log("refused:-11 queued:-125 running:-125");
	return 0;
}

/* It is done, and its fiber about to be woken. */
RING_TEST(what_is_done_is_delivered_though_cancelled)
{
	struct droppable d;
	struct eio_switch sw;

	(void) arg;
	droppable_init(&d, "done");
	hold_wakes(&holds_before, true);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call_droppable, &d));
	sem_post(&d.held.go);
	wait_for(&held);
	eio_switch_fail(&sw, -EIO);
	some_turns();
	ck_assert(!d.held.over);
	hold_wakes(&holds_before, false);
	sem_post(&may_go_on);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("done:0");
	ck_assert_uint_eq(d.drops, 0);
	ck_assert_uint_eq(eio__workers.abandoned, 0);
	return 0;
}

/* Whose turn it is */

enum { JOBS = 20 };

static struct job jobs[JOBS];

static void fork_jobs(struct eio_switch *sw)
{
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = job_of("", i);
		expect_ok(eio_fork(sw, call, &jobs[i]));
	}
}

RING_TEST(beyond_the_limit_they_wait_their_turn)
{
	struct eio_switch sw;
	int before = made;

	(void) arg;
	eio__workers.limit = 3;
	eio_switch_begin(&sw);
	fork_jobs(&sw);
	for (int i = 0; i < JOBS; i++) {
		wait_for(&jobs[i].begun);
		/* Those behind wait for the first three. */
		if (i >= 2 && i + 1 < JOBS)
			ck_assert(!has_begun(&jobs[i + 1]));
		if (i >= 2)
			sem_post(&jobs[i - 2].go);
	}
	sem_post(&jobs[JOBS - 2].go);
	sem_post(&jobs[JOBS - 1].go);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_int_eq(made - before, 3);
	for (int i = 0; i < JOBS; i++)
		expect_err(jobs[i].rc, i);
	return 0;
}

RING_TEST(one_after_the_other_they_take_one_thread)
{
	int n = 0, before = made;

	(void) arg;
	for (int i = 1; i <= 500; i++)
		expect_err(eio_ll_in_thread(count_up, &n), i);
	ck_assert_int_eq(made - before, 1);
	return 0;
}

static int use_threads(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	fork_jobs(&sw);
	for (int i = 0; i < JOBS; i++)
		wait_for(&jobs[i].begun);
	*(unsigned *) arg = count_tasks();
	for (int i = 0; i < JOBS; i++)
		sem_post(&jobs[i].go);
	return eio_switch_end(&sw, 0);
}

START_TEST(the_end_of_the_last_domain_waits_for_the_threads)
{
	unsigned before, during;

	/* What the first run of a process makes and keeps. */
	expect_ok(eio_run(NULL, use_threads, &during));
	before = count_tasks();
	for (int i = 0; i < 20; i++) {
		expect_ok(eio_run(NULL, use_threads, &during));
		ck_assert_uint_eq(during, before + JOBS);
		ck_assert_uint_eq(all.is_any_to_join, false);
		/* Joined; to the kernel it may take a moment longer. */
		for (int tries = 0; tries < 10000 && count_tasks() > before; tries++)
			usleep(100);
		ck_assert_uint_eq(count_tasks(), before);
	}
}
END_TEST

/* In the child of a fork */

static int use_in_child(struct eio_env *e, void *arg)
{
	int n = 0;

	(void) e, (void) arg;
	return eio_ll_in_thread(count_up, &n) == 1 && eio__workers.n == 1 ? 0 : -EIO;
}

static int run_in_child(void)
{
	return eio_run(NULL, use_in_child, NULL) == 0 && eio__workers.n == 0 ? 0 : 1;
}

static int fork_in_job(void *arg)
{
	pid_t pid = fork();
	int status;

	(void) arg;
	if (pid == 0) {
		alarm(200);
		_exit(run_in_child());
	}
	return waitpid(pid, &status, 0) == pid ? status : -ECHILD;
}

/* While others are at it, and by one of them. */
RING_TEST(a_fork_leaves_threads_and_their_lock_behind)
{
	struct eio_switch sw;
	int status;
	pid_t pid;

	(void) arg;
	eio__workers.limit = 3;
	eio_switch_begin(&sw);
	jobs[0] = job_of("a", 0);
	jobs[1] = job_of("b", 0);
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_fork(&sw, call, &jobs[i]));
		wait_for(&jobs[i].begun);
	}
	expect_ok(eio_ll_in_thread(fork_in_job, NULL));
	pthread_mutex_lock(&all.mutex);
	pid = fork();
	if (pid == 0) {
		alarm(200);
		_exit(run_in_child());
	}
	pthread_mutex_unlock(&all.mutex);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sem_post(&jobs[1].go);
	sem_post(&jobs[0].go);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

/* When no thread can be made */

RING_TEST(without_any_thread_it_is_EAGAIN)
{
	int n = 0;

	(void) arg;
	refused_from = made;
	expect_err(eio_ll_in_thread(count_up, &n), -EAGAIN);
	ck_assert_str_eq(eio_last_error()->op, "in_thread");
	refused_from = INT32_MAX;
	expect_err(eio_ll_in_thread(count_up, &n), 1);
	return 0;
}

RING_TEST(with_one_thread_the_others_wait_their_turn)
{
	struct eio_switch sw;

	(void) arg;
	refused_from = made + 1;
	eio_switch_begin(&sw);
	fork_jobs(&sw);
	for (int i = 0; i < JOBS; i++) {
		wait_for(&jobs[i].begun);
		if (i + 1 < JOBS)
			ck_assert(!has_begun(&jobs[i + 1]));
		sem_post(&jobs[i].go);
	}
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < JOBS; i++)
		expect_err(jobs[i].rc, i);
	log_clear();
	return 0;
}

/* Idle threads */

static int idle_threads(void *arg)
{
	unsigned before = count_tasks();
	struct eio_switch sw;

	(void) arg;
	eio__workers.linger_ns = 0;
	for (int round = 0; round < 20; round++) {
		eio_switch_begin(&sw);
		fork_jobs(&sw);
		for (int i = 0; i < JOBS; i++)
			wait_for(&jobs[i].begun);
		for (int i = 0; i < JOBS; i++)
			sem_post(&jobs[i].go);
		expect_ok(eio_switch_end(&sw, 0));
		log_clear();
	}
	/* They do so soon, nobody waits for it; the last one is joined by the end. */
	for (int tries = 0; tries < 10000 && count_tasks() > before; tries++)
		usleep(1000);
	ck_assert_uint_eq(count_tasks(), before);
	pthread_mutex_lock(&all.mutex);
	ck_assert_uint_eq(eio__workers.n, 0);
	pthread_mutex_unlock(&all.mutex);
	return 0;
}

/* Those of earlier rounds may still be going when one begins; there are no more than 64. */
START_TEST(idle_threads_go_and_are_joined)
{
	warm_up_threads(64);
	run_ring(idle_threads, 0);
}
END_TEST

RING_TEST(the_last_one_to_become_idle_is_the_first_to_work)
{
	struct seen first, s;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	jobs[0] = job_of("a", 0);
	expect_ok(eio_fork(&sw, call, &jobs[0]));
	expect_ok(eio_ll_in_thread(look_around, &first));
	for (int i = 0; i < 10; i++) {
		expect_ok(eio_ll_in_thread(look_around, &s));
		ck_assert(pthread_equal(s.thread, first.thread));
	}
	sem_post(&jobs[0].go);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 10; i++) {
		expect_ok(eio_ll_in_thread(look_around, &s));
		ck_assert(!pthread_equal(s.thread, first.thread));
	}
	log_clear();
	return 0;
}

/* Several domains */

static int other_main(struct eio_env *e, void *arg)
{
	struct eio_switch sw;
	struct job *j = arg;

	(void) e;
	eio_switch_begin(&sw);
	j->rc = eio_ll_in_thread(hold, j);
	return eio_switch_end(&sw, 0);
}

static void *other_domain(void *arg)
{
	expect_ok(eio_run(NULL, other_main, arg));
	return NULL;
}

static int share(void *arg)
{
	int n = 0, before = made;
	pthread_t thread;

	(void) arg;
	eio__workers.limit = 2;
	for (int i = 0; i < 20; i++) {
		struct job a = job_of("a", 7);

		ck_assert_int_eq(pthread_create(&thread, NULL, other_domain, &a), 0);
		wait_for(&a.begun);
		expect_err(eio_ll_in_thread(count_up, &n), i + 1);
		sem_post(&a.go);
		pthread_join(thread, NULL);
		expect_err(a.rc, 7);
	}
	ck_assert_int_le(made - before, 2);
	return 0;
}

START_TEST(domains_share_the_threads_which_stay_for_the_last)
{
	warm_up_threads(4);
	run_ring(share, 0);
}
END_TEST

/* It waits for a thread that does not come, until that is another's to wait for. */

static int call_one(struct eio_env *e, void *arg)
{
	(void) e;
	return eio_ll_in_thread(count_up, arg) == 1 ? 0 : -EIO;
}

static void *ending_domain(void *arg)
{
	expect_ok(eio_run(NULL, call_one, arg));
	return NULL;
}

static int join_ending(struct eio_env *e, void *thread)
{
	(void) e;
	expect_ok(-pthread_join(*(pthread_t *) thread, NULL));
	sem_post(&may_go_on);
	return 0;
}

START_TEST(an_end_leaves_the_threads_to_a_domain_that_begins)
{
	unsigned ends = 0;
	pthread_t thread;
	int n = 0;

	hold_wakes(&holds_after, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, ending_domain, &n), 0);
	wait_for(&held);
	hold_wakes(&holds_after, false);
	while (!ends) {
		usleep(100);
		pthread_mutex_lock(&all.mutex);
		ends = all.ends;
		pthread_mutex_unlock(&all.mutex);
	}
	expect_ok(eio_run(NULL, join_ending, &thread));
	ck_assert_uint_eq(eio__workers.n, 0);
}
END_TEST

/* All at once: domains that come and go, threads as well, calls within short limits. What
 * was not cancelled has run once, what was has not run. */

enum { DOMAINS = 3, STRESSED = 20, CALLS = SANITIZED ? 40 : 150 };

static struct eio_clock mono; /* in every run the same */

static int learn_clock(void *arg)
{
	(void) arg;
	mono = env->mono_clock;
	return 0;
}

static int add_one_in_thread(void *arg)
{
	return eio_ll_in_thread(count_up, arg);
}

static int call_within_limits(void *arg)
{
	uint64_t seed = (uintptr_t) arg;

	for (int i = 0; i < CALLS; i++) {
		int64_t limit = (int64_t) (faults_random(&seed) % 100) * 1000;
		int ran = 0, rc;

		rc = faults_random(&seed) % 2
			     ? eio_timeout_run(mono, limit, add_one_in_thread, &ran)
			     : add_one_in_thread(&ran);
		ck_assert(rc == 1 || rc == -ETIMEDOUT);
		ck_assert_int_eq(ran, rc == 1);
	}
	return 0;
}

static int stressed_main(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	for (uintptr_t i = 1; i <= STRESSED; i++)
		expect_ok(eio_fork(&sw, call_within_limits, (void *) ((uintptr_t) arg * 100 + i)));
	return eio_switch_end(&sw, 0);
}

static void *stressed_domains(void *arg)
{
	for (int i = 0; i < 5; i++)
		expect_ok(eio_run(NULL, stressed_main, arg));
	return NULL;
}

static int stress(void *arg)
{
	pthread_t threads[DOMAINS];

	(void) arg;
	for (uintptr_t i = 0; i < DOMAINS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stressed_domains, (void *) (i + 1)), 0);
	for (int i = 0; i < DOMAINS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* From no domain, so that the threads' end comes in between. */
static void stress_with(unsigned limit, int64_t linger_ns)
{
	eio__workers.limit = limit;
	eio__workers.linger_ns = linger_ns;
	run_ring(learn_clock, 0);
	stress(NULL);
	ck_assert_uint_eq(eio__workers.n, 0);
	ck_assert(!all.is_any_to_join);
}

START_TEST(nothing_is_lost_under_stress)
{
	stress_with(2, EIO_SEC(1));
	stress_with(8, 0);
	stress_with(8, 20000);
}
END_TEST

/* Dumps */

RING_TEST(dumps_tell_who_waits_for_a_thread)
{
	struct job a = job_of("a", 1), b = job_of("b", 2);
	struct eio_buffer_sink sink;
	struct eio_switch sw;

	(void) arg;
	eio__workers.limit = 1;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, call, &a));
	expect_ok(eio_fork(&sw, call, &b));
	expect_ok(eio_dump(eio_buffer_sink_init(&sink, 0)));
	ck_assert_ptr_nonnull(strstr(sink.data, "fiber 2: eio-worker"));
	ck_assert_ptr_nonnull(strstr(sink.data, "fiber 3: eio-worker, queued"));
	eio_buffer_sink_fini(&sink);
	sem_post(&a.go);
	sem_post(&b.go);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:1 b:2");
	return 0;
}

SUITE_MAIN("ll_thread", true, the_result_is_the_functions_test,
	   it_runs_on_a_plain_thread_that_signals_leave_alone_test, other_fibers_run_meanwhile_test,
	   without_a_ring_it_is_EPERM, a_cancelled_caller_does_not_even_begin_test,
	   a_running_one_is_waited_for_and_its_result_delivered_test,
	   a_queued_one_is_taken_off_and_never_runs_test,
	   what_is_not_its_callers_any_more_is_dropped_once_test,
	   what_is_done_is_delivered_though_cancelled_test,
	   beyond_the_limit_they_wait_their_turn_test,
	   one_after_the_other_they_take_one_thread_test,
	   the_end_of_the_last_domain_waits_for_the_threads,
	   a_fork_leaves_threads_and_their_lock_behind_test, without_any_thread_it_is_EAGAIN_test,
	   with_one_thread_the_others_wait_their_turn_test, idle_threads_go_and_are_joined,
	   the_last_one_to_become_idle_is_the_first_to_work_test,
	   domains_share_the_threads_which_stay_for_the_last,
	   an_end_leaves_the_threads_to_a_domain_that_begins, nothing_is_lost_under_stress,
	   dumps_tell_who_waits_for_a_thread_test)
