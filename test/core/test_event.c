/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/fiber.h"
#include "core/timer.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

/* One domain */

struct waiter {
	struct eio_event *event;
	const char *name;
	struct eio_cancel ctx;
	int rc;
};

static int wait_for_it(void *arg)
{
	struct waiter *w = arg;

	eio_cancel_begin(&w->ctx);
	w->rc = eio_event_await(w->event);
	eio_cancel_end(&w->ctx);
	if (w->name)
		note("%s", w->name);
	return 0;
}

/* Lets everything happen that can: the mock clock goes on when nothing is runnable. */
static void settle(void)
{
	expect_ok(eio__sleep_until(eio__now() + 1));
}

/* Does an await on the event return, or would it wait? */
static bool is_set(struct eio_event *e)
{
	struct waiter w = {.event = e, .rc = 1};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_for_it, &w));
	settle();
	if (w.rc == 1)
		expect_ok(eio_cancel_raise(&w.ctx, -EPIPE));
	expect_ok(eio_switch_end(&sw, 0));
	return w.rc == 0;
}

CORE_TEST(await_returns_once_it_is_set_and_clears_it)
{
	struct eio_event e;

	(void) arg;
	expect_ok(eio_event_init(&e));
	ck_assert(!is_set(&e));
	eio_event_set(&e);
	expect_ok(eio_event_await(&e));
	ck_assert(!is_set(&e));
	eio_event_set(&e);
	ck_assert(is_set(&e));
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(many_sets_before_one_await_are_one_wake_up)
{
	struct eio_event e;

	(void) arg;
	expect_ok(eio_event_init(&e));
	for (int i = 0; i < 1000; i++)
		eio_event_set(&e);
	expect_ok(eio_event_await(&e));
	ck_assert(!is_set(&e));
	/* Also when the first of them has arrived already. */
	eio_event_set(&e);
	settle();
	eio_event_set(&e);
	eio_event_set(&e);
	expect_ok(eio_event_await(&e));
	ck_assert(!is_set(&e));
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(a_waiter_is_woken_by_a_set)
{
	struct eio_event e;
	struct waiter w = {&e, .name = "woken"};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_event_init(&e));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_for_it, &w));
	note("set");
	eio_event_set(&e);
	eio_event_set(&e);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(w.rc);
	expect_log("set woken");
	ck_assert(!is_set(&e));
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(waiters_are_served_one_per_set_in_order)
{
	struct eio_event e;
	struct waiter w[] = {{&e, .name = "a"}, {&e, .name = "b"}, {&e, .name = "c"}};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_event_init(&e));
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, wait_for_it, &w[i]));
	for (int i = 0; i < 3; i++) {
		note("set");
		eio_event_set(&e);
		settle();
	}
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("set a set b set c");
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(a_cancelled_waiter_leaves_the_set_to_the_next)
{
	struct eio_event e;
	struct waiter w[] = {{&e, .name = "a"}, {&e, .name = "b"}, {&e, .name = "c"}};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_event_init(&e));
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, wait_for_it, &w[i]));
	eio_event_set(&e);
	expect_ok(eio_cancel_raise(&w[0].ctx, -EPIPE));
	settle();
	expect_log("a b");
	expect_ok(eio_cancel_raise(&w[2].ctx, -EPIPE));
	eio_event_set(&e);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("c");
	expect_err(w[0].rc, -ECANCELED);
	expect_ok(w[1].rc);
	expect_err(w[2].rc, -ECANCELED);
	ck_assert(is_set(&e));
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(a_set_event_in_a_cancelled_context_stays_set)
{
	struct eio_event e;
	struct eio_cancel c;

	(void) arg;
	expect_ok(eio_event_init(&e));
	eio_event_set(&e);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_event_await(&e), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert(is_set(&e));
	eio_event_fini(&e);
	return 0;
}

CORE_TEST(fini_right_after_a_set_takes_it_back)
{
	struct eio_event *e = malloc(sizeof(*e));

	(void) arg;
	expect_ok(eio_event_init(e));
	eio_event_set(e);
	eio_event_fini(e);
	free(e);
	settle();
	return 0;
}

static int await_foreign(void *arg)
{
	expect_err(eio_event_await(arg), -EPERM);
	return 0;
}

CORE_TEST(only_the_events_own_domain_may_await_it)
{
	struct eio_event e;

	(void) arg;
	expect_ok(eio_event_init(&e));
	expect_ok(in_other_domain(await_foreign, &e));
	expect_ok(on_plain_thread(await_foreign, &e));
	eio_event_fini(&e);
	return 0;
}

START_TEST(init_outside_a_domain_gives_eperm)
{
	struct eio_event e;

	expect_err(eio_event_init(&e), -EPERM);
}
END_TEST

/* Signal handlers */

static struct eio_event *volatile signalled;
static volatile sig_atomic_t errno_kept;

static void on_signal(int sig)
{
	int saved = errno;

	(void) sig;
	errno = EXDEV;
	if (signalled)
		eio_event_set(signalled);
	errno_kept = errno == EXDEV;
	errno = saved;
}

static void handle_signals(struct eio_event *e)
{
	struct sigaction act = {.sa_handler = on_signal};

	signalled = e;
	sigemptyset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
}

static int raise_and_note(void *arg)
{
	(void) arg;
	raise(SIGUSR1);
	note("raised");
	return 0;
}

CORE_TEST(a_handler_on_the_running_thread_sets_it)
{
	struct eio_event e;
	struct waiter w = {&e, .name = "woken"};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_event_init(&e));
	handle_signals(&e);
	for (int i = 0; i < 100; i++) {
		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, wait_for_it, &w));
		expect_ok(eio_fork(&sw, raise_and_note, NULL));
		expect_ok(eio_switch_end(&sw, 0));
		expect_ok(w.rc);
		ck_assert(errno_kept);
		expect_log("raised woken");
	}
	ck_assert(!is_set(&e));
	eio_event_fini(&e);
	return 0;
}

/* As when the wake-up descriptor's counter is full. */
static void notify_and_fail(struct eio__waker *w)
{
	(void) w;
	errno = EAGAIN;
	note("notified");
}

CORE_TEST(setting_keeps_errno_though_notifying_fails)
{
	struct eio__waker *w = &eio__domain_self()->waker;
	void (*notify)(struct eio__waker *) = w->notify;
	struct eio_event e;

	(void) arg;
	expect_ok(eio_event_init(&e));
	w->notify = notify_and_fail;
	w->asleep = 1;
	errno = EXDEV;
	eio_event_set(&e);
	ck_assert_int_eq(errno, EXDEV);
	/* Who is awake is not notified. */
	expect_ok(eio_event_await(&e));
	eio_event_set(&e);
	expect_log("notified");
	w->notify = notify;
	eio_event_fini(&e);
	return 0;
}

/* A thread that signals the domain's thread, once for each wake-up it is told of. */
struct signaller {
	pthread_t target;
	struct eio__waker *waker;
	unsigned woken;
	bool wait_for_sleep, stop;
};

static bool told_to_stop(const struct signaller *s)
{
	sched_yield();
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE);
}

static void *signal_away(void *arg)
{
	struct signaller *s = arg;

	for (unsigned i = 0;; i++) {
		while (__atomic_load_n(&s->woken, __ATOMIC_ACQUIRE) < i) {
			if (told_to_stop(s))
				return NULL;
		}
		while (s->wait_for_sleep && !__atomic_load_n(&s->waker->asleep, __ATOMIC_ACQUIRE)) {
			if (told_to_stop(s))
				return NULL;
		}
		pthread_kill(s->target, SIGUSR1);
	}
}

/* So often, or for a second if others need the processors too. */
static void be_signalled(struct signaller *s, unsigned rounds)
{
	int64_t begun = eio__now();
	struct eio_event e;
	pthread_t thread;

#ifdef EIO__TSAN
	return; /* it delays signals until a call of libc's that blocks: the ring's is none */
#endif
	s->target = pthread_self();
	s->waker = &eio__domain_self()->waker;
	expect_ok(eio_event_init(&e));
	handle_signals(&e);
	expect_ok(pthread_create(&thread, NULL, signal_away, s));
	for (unsigned i = 0; i < rounds && eio__now() - begun < EIO_SEC(1); i++) {
		if (eio_event_await(&e) != 0)
			ck_abort_msg("round %u", i);
		__atomic_add_fetch(&s->woken, 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	expect_ok(pthread_join(thread, NULL));
	signalled = NULL; /* one may still be on its way */
	eio_event_fini(&e);
}

RING_TEST(a_handler_on_the_sleeping_thread_wakes_it)
{
	struct signaller s = {.wait_for_sleep = true};

	(void) arg;
	be_signalled(&s, SANITIZED ? 300 : 3000);
	return 0;
}

RING_TEST(a_handler_at_any_moment_is_not_lost)
{
	struct signaller s = {.wait_for_sleep = false};

	(void) arg;
	be_signalled(&s, SANITIZED ? 1000 : 10000);
	return 0;
}

static int keep_busy(void *arg)
{
	while (!*(bool *) arg)
		eio_yield();
	return 0;
}

static int be_signalled_and_stop(void *arg)
{
	struct signaller s = {.wait_for_sleep = false};

	be_signalled(&s, SANITIZED ? 300 : 3000);
	*(bool *) arg = true;
	return 0;
}

RING_TEST(a_handler_reaches_a_fiber_although_others_are_always_ready)
{
	bool stop = false;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, be_signalled_and_stop, &stop));
	expect_ok(eio_fork(&sw, keep_busy, &stop));
	expect_ok(eio_fork(&sw, keep_busy, &stop));
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

/* Threads */

struct setter {
	struct eio_event *event;
	unsigned taken, rounds, sets;
};

/* Several sets for each round, of which at least one comes after the last was taken. */
static void *set_often(void *arg)
{
	struct setter *s = arg;

	for (unsigned i = 0; i < s->rounds; i++) {
		while (__atomic_load_n(&s->taken, __ATOMIC_ACQUIRE) < i)
			sched_yield();
		for (unsigned k = 0; k <= i % 4; k++)
			eio_event_set(s->event);
	}
	return NULL;
}

RING_TEST(sets_from_another_thread_are_not_lost)
{
	struct eio_event e;
	struct setter s = {.event = &e, .rounds = SANITIZED ? 2000 : 20000};
	pthread_t thread;

	(void) arg;
	expect_ok(eio_event_init(&e));
	expect_ok(pthread_create(&thread, NULL, set_often, &s));
	while (s.taken < s.rounds) {
		if (eio_event_await(&e) != 0)
			ck_abort_msg("round %u", s.taken);
		__atomic_add_fetch(&s.taken, 1, __ATOMIC_RELEASE);
	}
	expect_ok(pthread_join(thread, NULL));
	eio_event_fini(&e);
	return 0;
}

struct crowd {
	struct eio_event *event;
	unsigned to_come;
	unsigned long sum;
};

static void *add_and_set(void *arg)
{
	struct crowd *c = arg;

	for (unsigned i = 0; i < (SANITIZED ? 2000 : 20000); i++) {
		__atomic_add_fetch(&c->sum, 1, __ATOMIC_RELAXED);
		eio_event_set(c->event);
	}
	__atomic_sub_fetch(&c->to_come, 1, __ATOMIC_RELEASE);
	eio_event_set(c->event);
	return NULL;
}

/* Whatever was done before a set is seen after the await that it ends. */
RING_TEST(sets_from_many_threads_wake_and_order)
{
	struct eio_event e;
	struct crowd c = {.event = &e, .to_come = 3};
	pthread_t threads[3];

	(void) arg;
	expect_ok(eio_event_init(&e));
	for (int i = 0; i < 3; i++)
		expect_ok(pthread_create(&threads[i], NULL, add_and_set, &c));
	while (__atomic_load_n(&c.to_come, __ATOMIC_ACQUIRE) > 0)
		expect_ok(eio_event_await(&e));
	ck_assert_uint_eq(c.sum, SANITIZED ? 6000 : 60000);
	for (int i = 0; i < 3; i++)
		expect_ok(pthread_join(threads[i], NULL));
	eio_event_fini(&e);
	return 0;
}

/* Two domains, an event each; what one writes before it sets the other may read. */
struct match {
	struct eio_event *ping, *pong;
	unsigned ready;
	unsigned ball; /* not atomic */
	unsigned rounds;
};

static int return_ball(struct eio_env *env_, void *arg)
{
	struct match *m = arg;
	struct eio_event e;

	(void) env_;
	expect_ok(eio_event_init(&e));
	m->pong = &e;
	__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < m->rounds; i++) {
		if (eio_event_await(&e) != 0 || m->ball != 2 * i + 1)
			return -EIO;
		m->ball++;
		eio_event_set(m->ping);
	}
	eio_event_fini(&e);
	return 0;
}

static void *run_return_ball(void *arg)
{
	expect_ok(eio_run(NULL, return_ball, arg));
	return NULL;
}

RING_TEST(a_long_ping_pong_between_two_domains_loses_nothing)
{
	struct eio_event e;
	struct match m = {.ping = &e, .rounds = SANITIZED ? 5000 : 30000};
	pthread_t other;

	(void) arg;
	expect_ok(eio_event_init(&e));
	expect_ok(pthread_create(&other, NULL, run_return_ball, &m));
	while (!__atomic_load_n(&m.ready, __ATOMIC_ACQUIRE))
		sched_yield();
	for (unsigned i = 0; i < m.rounds; i++) {
		m.ball++;
		eio_event_set(m.pong);
		if (eio_event_await(&e) != 0 || m.ball != 2 * i + 2)
			ck_abort_msg("round %u", i);
	}
	expect_ok(pthread_join(other, NULL));
	eio_event_fini(&e);
	return 0;
}

/* The event goes as soon as its await returned, its setter still on the way out. */
struct one_shot {
	struct eio_event *event;
	bool stop;
};

static void *set_once_each(void *arg)
{
	struct one_shot *o = arg;
	struct eio_event *e;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE)) {
		e = __atomic_exchange_n(&o->event, NULL, __ATOMIC_ACQUIRE);
		if (e)
			eio_event_set(e);
		else
			sched_yield();
	}
	return NULL;
}

RING_TEST(an_event_may_be_freed_after_its_await_and_fini)
{
	struct one_shot o = {0};
	pthread_t thread;

	(void) arg;
	expect_ok(pthread_create(&thread, NULL, set_once_each, &o));
	for (int i = 0; i < (SANITIZED ? 2000 : 10000); i++) {
		struct eio_event *e = malloc(sizeof(*e));

		expect_ok(eio_event_init(e));
		__atomic_store_n(&o.event, e, __ATOMIC_RELEASE);
		if (eio_event_await(e) != 0)
			ck_abort_msg("round %d", i);
		eio_event_fini(e);
		memset(e, 0xee, sizeof(*e));
		free(e);
	}
	__atomic_store_n(&o.stop, true, __ATOMIC_RELEASE);
	expect_ok(pthread_join(thread, NULL));
	return 0;
}

SUITE_MAIN("event", false, await_returns_once_it_is_set_and_clears_it_test,
	   many_sets_before_one_await_are_one_wake_up_test, a_waiter_is_woken_by_a_set_test,
	   waiters_are_served_one_per_set_in_order_test,
	   a_cancelled_waiter_leaves_the_set_to_the_next_test,
	   a_set_event_in_a_cancelled_context_stays_set_test,
	   fini_right_after_a_set_takes_it_back_test, only_the_events_own_domain_may_await_it_test,
	   init_outside_a_domain_gives_eperm, a_handler_on_the_running_thread_sets_it_test,
	   setting_keeps_errno_though_notifying_fails_test,
	   a_handler_on_the_sleeping_thread_wakes_it_test, a_handler_at_any_moment_is_not_lost_test,
	   a_handler_reaches_a_fiber_although_others_are_always_ready_test,
	   sets_from_another_thread_are_not_lost_test, sets_from_many_threads_wake_and_order_test,
	   a_long_ping_pong_between_two_domains_loses_nothing_test,
	   an_event_may_be_freed_after_its_await_and_fini_test)
