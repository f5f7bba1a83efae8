/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "uring/sched.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

/* Only counting. */
static struct faults counter;

static bool stop;

static int yield_until_stopped(void *arg)
{
	unsigned *turns = arg;

	while (!stop) {
		int rc = eio_yield();

		if (rc < 0)
			return rc;
		if (turns)
			++*turns;
	}
	return 0;
}

/* Starvation */

static int move_bytes(void *arg)
{
	struct eio_fd *fds = arg;
	char b = 0;

	for (int i = 0; i < 100; i++) {
		expect_ok(eio_ll_write_all(fds[1], "x", 1, EIO_CURRENT));
		expect_err(eio_ll_read(fds[0], &b, 1, EIO_CURRENT), 1);
	}
	note("bytes");
	return 0;
}

static int sleep_a_little(void *arg)
{
	(void) arg;
	for (int i = 0; i < 5; i++)
		expect_ok(eio_sleep(env->mono_clock, 100000));
	note("timers");
	return 0;
}

static int busy_fibers(unsigned n)
{
	struct eio_switch sw, busy, inner;
	struct eio_fd fds[2];

	stop = false;
	eio_switch_begin(&sw);
	pipe_on(&sw, &fds[0], &fds[1]);
	eio_switch_begin(&busy);
	for (unsigned i = 0; i < n; i++)
		expect_ok(eio_fork(&busy, yield_until_stopped, NULL));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, move_bytes, fds));
	expect_ok(eio_switch_end(&inner, 0));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, sleep_a_little, NULL));
	expect_ok(eio_switch_end(&inner, 0));
	stop = true;
	expect_ok(eio_switch_end(&busy, 0));
	expect_log("bytes timers");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_yielding_pair_starves_neither_io_nor_timers)
{
	(void) arg;
	return busy_fibers(2);
}

RING_TEST(one_fiber_that_is_always_ready_starves_neither_io_nor_timers)
{
	(void) arg;
	return busy_fibers(1);
}

RING_TEST(a_thousand_busy_fibers_starve_neither_io_nor_timers)
{
	(void) arg;
	return busy_fibers(1000);
}

/* The other way round: always something completes, and the yielding fiber has its turns. */
static int noop_until_stopped(void *arg)
{
	(void) arg;
	while (!stop)
		expect_ok(eio_ll_noop());
	return 0;
}

RING_TEST(completions_that_never_end_starve_no_fiber)
{
	struct eio_switch sw;
	unsigned turns = 0;

	(void) arg;
	stop = false;
	eio_switch_begin(&sw);
	for (int i = 0; i < 10; i++)
		expect_ok(eio_fork(&sw, noop_until_stopped, NULL));
	expect_ok(eio_fork(&sw, yield_until_stopped, &turns));
	while (turns < 1000)
		expect_ok(eio_ll_noop());
	stop = true;
	return eio_switch_end(&sw, 0);
}

/*
 * An entry waits for at most 64 switches while others only yield: counted by the turns of
 * a yielding fiber between queueing it and the enter that takes it.
 */
static unsigned turns, turns_at_enter;

static void note_turns(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) wait, (void) timeout_ns;
	if (eio__ring_queued(r))
		turns_at_enter = turns;
}

static int queue_again_and_again(void *arg)
{
	unsigned *most = arg;

	for (int i = 0; i < 200; i++) {
		unsigned from = turns;

		expect_ok(eio_ll_noop());
		if (turns_at_enter - from > *most)
			*most = turns_at_enter - from;
	}
	stop = true;
	return 0;
}

static int look_bound(void *arg)
{
	struct eio_switch sw;
	unsigned most = 0;

	(void) arg;
	stop = false;
	turns = turns_at_enter = 0;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_until_stopped, &turns));
	expect_ok(eio_fork(&sw, queue_again_and_again, &most));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_le(most, 64);
	ck_assert_uint_ge(most, 32); /* nor does every switch enter */
	return 0;
}

START_TEST(an_entry_waits_for_at_most_64_switches)
{
	counter.on_enter = note_turns;
	faults_install(&counter);
	run_ring(look_bound, 0);
}
END_TEST

/* A timer that is due waits for as long. */
static int timer_bound(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	for (int i = 0; i < 20; i++) {
		unsigned n = 0;

		stop = false;
		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, yield_until_stopped, &n));
		expect_ok(eio_ll_sleep_until(1));
		ck_assert_uint_le(n, 65);
		stop = true;
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_due_timer_waits_for_at_most_64_switches)
{
	return timer_bound(arg);
}

/* An idle look enters nothing. */
static int yields_without_enters(void *arg)
{
	struct eio_switch sw;
	unsigned before, n = 0;

	(void) arg;
	expect_ok(eio_ll_noop());
	stop = false;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_until_stopped, &n));
	before = counter.enters;
	while (n < 10000)
		expect_ok(eio_yield());
	ck_assert_uint_le(counter.enters - before, 1);
	stop = true;
	return eio_switch_end(&sw, 0);
}

START_TEST(yielding_without_entries_enters_nothing)
{
	counter = (struct faults){.seed = 1};
	faults_install(&counter);
	run_ring(yields_without_enters, 0);
}
END_TEST

/* Batches */

static int noop_once(void *arg)
{
	(void) arg;
	return eio_ll_noop();
}

static int batch(void *arg)
{
	struct eio_switch sw;
	unsigned before;

	(void) arg;
	expect_ok(eio_ll_noop());
	before = counter.enters;
	eio_switch_begin(&sw);
	for (int i = 0; i < 50; i++)
		expect_ok(eio_fork(&sw, noop_once, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_le(counter.enters - before, 2);
	return 0;
}

START_TEST(many_fibers_entries_go_in_with_one_enter)
{
	counter = (struct faults){.seed = 1};
	faults_install(&counter);
	run_ring(batch, 0);
}
END_TEST

/* Sleeping */

static unsigned sleeps_before;

/* It sleeps at once, and for as long as nothing happens. */
static int sleep_once(void *arg)
{
	(void) arg;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	sleeps_before = counter.sleeps;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(50)));
	/* A kernel may wake a moment early, and then it sleeps that moment. */
	ck_assert_uint_ge(counter.sleeps - sleeps_before, 1);
	ck_assert_uint_le(counter.sleeps - sleeps_before, 2);
	return 0;
}

START_TEST(an_idle_program_sleeps_in_one_enter)
{
	counter = (struct faults){.seed = 1};
	faults_install(&counter);
	run_ring(sleep_once, 0);
}
END_TEST

static int read_late(void *arg)
{
	struct eio_fd *r = arg;
	char b;

	expect_err(eio_ll_read(*r, &b, 1, EIO_CURRENT), 1);
	return 0;
}

static void *write_late(void *arg)
{
	usleep(20000);
	ck_assert_int_eq(write(*(int *) arg, "x", 1), 1);
	return NULL;
}

static int wait_for_thread(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	pthread_t t;
	int unix_w;

	(void) arg;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_w = number(w);
	ck_assert_int_eq(pthread_create(&t, NULL, write_late, &unix_w), 0);
	sleeps_before = counter.sleeps;
	expect_ok(read_late(&r));
	ck_assert_uint_eq(counter.sleeps - sleeps_before, 1);
	pthread_join(t, NULL);
	return eio_switch_end(&sw, 0);
}

START_TEST(an_idle_program_is_woken_once_by_its_bytes)
{
	warm_up_threads(2);
	counter = (struct faults){.seed = 1};
	faults_install(&counter);
	run_ring(wait_for_thread, 0);
}
END_TEST

/* Signals */

static struct eio_event event;
static volatile sig_atomic_t handled;

static void on_alarm(int sig)
{
	int saved = errno;

	(void) sig;
	handled++;
	errno = 4711;
	eio_event_set(&event);
	if (errno != 4711)
		abort();
	errno = saved;
}

static void alarm_in_ms(int ms)
{
	struct itimerval timer = {.it_value.tv_usec = ms * 1000};

	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static int woken_by_signal(void *arg)
{
	(void) arg;
	ck_assert(signal(SIGALRM, on_alarm) != SIG_ERR);
	expect_ok(eio_event_init(&event));
	for (int i = 1; i <= 10; i++) {
		alarm_in_ms(2);
		expect_ok(eio_event_await(&event));
		ck_assert_int_eq(handled, i);
	}
	/* Set while it runs, any number of times: one wake-up, not lost. */
	for (int i = 0; i < 5; i++)
		raise(SIGALRM);
	expect_ok(eio_event_await(&event));
	ck_assert_int_eq(handled, 15);
	eio_event_fini(&event);
	return 0;
}

START_TEST(an_event_set_in_a_handler_wakes_the_thread_that_sleeps)
{
	run_ring(woken_by_signal, 0);
}
END_TEST

/*
 * The handler runs when the domain has looked for wake-ups for the last time, just before
 * the enter that sleeps. That one submits entries as well, and so says nothing of signals.
 */
static unsigned edges;

static void raise_on_the_edge(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) timeout_ns;
	if (wait == 0)
		return;
	edges += eio__ring_queued(r) > 0;
	raise(SIGALRM);
}

static int woken_on_the_edge(void *arg)
{
	enum { TIMES = 10 };
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	ck_assert(signal(SIGALRM, on_alarm) != SIG_ERR);
	expect_ok(eio_event_init(&event));
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_fork(&sw, read_late, &r));
	handled = 0;
	edges = 0;
	sleeps_before = counter.sleeps;
	counter.on_enter = raise_on_the_edge;
	for (int i = 0; i < TIMES; i++)
		expect_ok(eio_event_await(&event));
	counter.on_enter = NULL;
	ck_assert_int_eq(handled, TIMES);
	ck_assert_uint_eq(edges, TIMES);
	ck_assert_uint_eq(counter.sleeps - sleeps_before, TIMES);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	eio_event_fini(&event);
	return eio_switch_end(&sw, 0);
}

static int alone_on_the_edge(struct eio_env *e, void *arg)
{
	(void) e;
	return woken_on_the_edge(arg);
}

/* In a process that never had another thread, and in one that had. */
START_TEST(an_event_set_in_a_handler_on_the_edge_of_sleep_is_not_lost)
{
	counter = (struct faults){.seed = 1};
	faults_install(&counter);
	expect_ok(eio_run(NULL, alone_on_the_edge, NULL));
	run_ring(woken_on_the_edge, 0);
}
END_TEST

/* The wake-up finds its counter full: there is one on its way, and errno is the program's. */
RING_TEST(setting_keeps_errno_also_when_the_wake_up_fails)
{
	struct eio__uring *u = eio__uring_self();
	uint64_t full = UINT64_MAX - 1;

	(void) arg;
	expect_ok(eio_event_init(&event));
	ck_assert_int_eq(write(u->wake_fd, &full, sizeof(full)), sizeof(full));
	u->domain.waker.asleep = 1; /* so that it tries */
	errno = 4711;
	eio_event_set(&event);
	ck_assert_int_eq(errno, 4711);
	ck_assert_uint_eq(u->domain.waker.asleep, 0);
	expect_ok(eio_event_await(&event));
	eio_event_fini(&event);
	return 0;
}

static void just_count(int sig)
{
	(void) sig;
	handled++;
}

/* Without an event the wait goes on to its end. */
static int interrupted_sleep(void *arg)
{
	int64_t from = eio_now_ns(env->mono_clock);
	struct itimerval timer = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000};
	struct itimerval none = {.it_value.tv_usec = 0};

	(void) arg;
	signal(SIGALRM, just_count);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(30)));
	ck_assert_int_eq(setitimer(ITIMER_REAL, &none, NULL), 0);
	ck_assert_int_gt(handled, 0);
	ck_assert(eio_now_ns(env->mono_clock) - from >= EIO_MS(30));
	return 0;
}

RING_TEST(interrupted_waits_go_on)
{
	return interrupted_sleep(arg);
}

/* A storm that hits every instruction, with and without a second thread. */
static int storm(void *arg)
{
	struct itimerval timer = {.it_value.tv_usec = 50, .it_interval.tv_usec = 50};
	struct itimerval none = {.it_value.tv_usec = 0};
	struct eio_switch sw;
	struct eio_fd fds[2];
	int before;

	(void) arg;
	signal(SIGALRM, on_alarm);
	handled = 0;
	expect_ok(eio_event_init(&event));
	eio_switch_begin(&sw);
	pipe_on(&sw, &fds[0], &fds[1]);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
	for (int i = 0; i < 100; i++) {
		expect_ok(eio_event_await(&event));
		if (i % 10 == 0)
			expect_ok(move_bytes(fds));
	}
	ck_assert_int_eq(setitimer(ITIMER_REAL, &none, NULL), 0);
	log_clear();
	before = handled;
	ck_assert_int_ge(before, 100);
	eio_event_fini(&event);
	return eio_switch_end(&sw, 0);
}

RING_TEST(no_event_set_by_a_storm_of_signals_is_lost)
{
	return storm(arg);
}

/* Threads */

enum { THREADS = 8, SETS = SANITIZED ? 500 : 3000 };

static struct {
	struct eio_event event;
	sem_t taken;
} lines[THREADS];

/* Sets, and sets again only when that was awaited: one lost set and it hangs. */
static void *set_and_wait(void *arg)
{
	size_t i = (size_t) (uintptr_t) arg;

	for (int n = 0; n < SETS; n++) {
		eio_event_set(&lines[i].event);
		while (sem_wait(&lines[i].taken) < 0)
			;
	}
	return NULL;
}

static int await_all_sets(void *arg)
{
	size_t i = (size_t) (uintptr_t) arg;

	for (int n = 0; n < SETS; n++) {
		expect_ok(eio_event_await(&lines[i].event));
		sem_post(&lines[i].taken);
	}
	return 0;
}

static int many_threads(void *arg)
{
	pthread_t threads[THREADS];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < THREADS; i++) {
		expect_ok(eio_event_init(&lines[i].event));
		sem_init(&lines[i].taken, 0, 0);
		expect_ok(eio_fork(&sw, await_all_sets, (void *) (uintptr_t) i));
	}
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, set_and_wait, (void *) (uintptr_t) i), 0);
	expect_ok(eio_switch_end(&sw, 0));
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		eio_event_fini(&lines[i].event);
	}
	return 0;
}

START_TEST(of_many_threads_many_sets_none_is_lost)
{
	warm_up_threads(THREADS);
	run_ring(many_threads, 0);
}
END_TEST

/* All of them the same event, without waiting: at least one await for the last set. */
static unsigned last_seen, published;

static void *publish(void *arg)
{
	(void) arg;
	for (int n = 0; n < SETS; n++) {
		__atomic_add_fetch(&published, 1, __ATOMIC_SEQ_CST);
		eio_event_set(&event);
	}
	return NULL;
}

static int one_event(void *arg)
{
	pthread_t threads[THREADS];

	(void) arg;
	expect_ok(eio_event_init(&event));
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, publish, NULL), 0);
	while (last_seen < THREADS * SETS) {
		expect_ok(eio_event_await(&event));
		last_seen = __atomic_load_n(&published, __ATOMIC_SEQ_CST);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	eio_event_fini(&event);
	return 0;
}

START_TEST(the_last_set_of_many_is_seen)
{
	warm_up_threads(THREADS);
	run_ring(one_event, 0);
}
END_TEST

static void *resolve(void *arg)
{
	expect_ok(eio_promise_resolve(arg, 5, arg));
	return NULL;
}

/* A thread that runs no fibers wakes the sleeping domain. */
static int promise_of_a_thread(void *arg)
{
	(void) arg;
	for (int i = 0; i < 50; i++) {
		struct eio_promise p = EIO_PROMISE_INIT;
		void *value = NULL;
		pthread_t t;

		ck_assert_int_eq(pthread_create(&t, NULL, resolve, &p), 0);
		expect_err(eio_promise_await(&p, &value), 5);
		ck_assert_ptr_eq(value, &p);
		pthread_join(t, NULL);
	}
	return 0;
}

START_TEST(a_promise_resolved_by_a_plain_thread_wakes_the_sleeper)
{
	warm_up_threads(2);
	run_ring(promise_of_a_thread, 0);
}
END_TEST

/* The wake-up's own read does not hold up the end. */
RING_TEST(a_run_ends_though_its_wake_up_is_armed)
{
	(void) arg;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	ck_assert(eio__uring_self()->armed);
	return 0;
}

SUITE_MAIN("sched", true, a_yielding_pair_starves_neither_io_nor_timers_test,
	   one_fiber_that_is_always_ready_starves_neither_io_nor_timers_test,
	   a_thousand_busy_fibers_starve_neither_io_nor_timers_test,
	   completions_that_never_end_starve_no_fiber_test, an_entry_waits_for_at_most_64_switches,
	   a_due_timer_waits_for_at_most_64_switches_test, yielding_without_entries_enters_nothing,
	   many_fibers_entries_go_in_with_one_enter, an_idle_program_sleeps_in_one_enter,
	   an_idle_program_is_woken_once_by_its_bytes,
	   an_event_set_in_a_handler_wakes_the_thread_that_sleeps,
	   an_event_set_in_a_handler_on_the_edge_of_sleep_is_not_lost,
	   setting_keeps_errno_also_when_the_wake_up_fails_test, interrupted_waits_go_on_test,
	   no_event_set_by_a_storm_of_signals_is_lost_test, of_many_threads_many_sets_none_is_lost,
	   the_last_set_of_many_is_seen, a_promise_resolved_by_a_plain_thread_wakes_the_sleeper,
	   a_run_ends_though_its_wake_up_is_armed_test)
