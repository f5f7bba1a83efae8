/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "io/env.h"

/*
 * What is asserted here holds for the mock's clock, which jumps, and for a real one however
 * slow the machine is. Timers that were set before anybody looked at the clock are called in
 * the order of their deadlines, so nanoseconds are as good as seconds; of limits one is SOON
 * and the other FAR.
 */
#define SOON 10
#define FAR  EIO_SEC(1000)

/* Sleeping */

struct sleeper {
	const char *name;
	int64_t deadline;
	struct eio_cancel ctx;
	int rc;
};

#define S(name_, at)                                                                               \
	{                                                                                          \
		.name = (name_), .deadline = (at)                                                  \
	}

static int sleep_and_note(void *arg)
{
	struct sleeper *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = eio__sleep_until(s->deadline);
	eio_cancel_end(&s->ctx);
	if (s->rc == 0)
		expect_time(s->deadline);
	note("%s", s->name);
	return 0;
}

static bool heap_is_empty(void)
{
	return eio__timers_next(eio__domain_self()) == EIO_NEVER;
}

/* Their deadlines count from now. */
static void fork_sleepers(struct eio_switch *sw, struct sleeper *s, size_t n)
{
	int64_t start = eio__now();

	for (size_t i = 0; i < n; i++) {
		if (s[i].deadline != EIO_NEVER)
			s[i].deadline += start;
		expect_ok(eio_fork(sw, sleep_and_note, &s[i]));
	}
}

static void run_sleepers(struct sleeper *s, size_t n)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	fork_sleepers(&sw, s, n);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(heap_is_empty());
}

CORE_TEST(sleepers_wake_in_order_of_their_deadlines)
{
	struct sleeper s[] = {S("c", 30), S("a", 10), S("d", 40), S("b", 20)};

	(void) arg;
	run_sleepers(s, 4);
	expect_log("a b c d");
	return 0;
}

CORE_TEST(equal_deadlines_wake_in_the_order_they_were_set)
{
	struct sleeper s[] = {S("a", 10), S("b", 10), S("x", 5), S("c", 10), S("d", 10)};

	(void) arg;
	run_sleepers(s, 5);
	expect_log("x a b c d");
	return 0;
}

CORE_TEST(a_sleep_that_is_already_due_lets_ready_fibers_run_first)
{
	static const int64_t due[] = {INT64_MIN, -1, 0, 7};

	(void) arg;
	expect_ok(eio__sleep_until(7));
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(fork_step(&sw, "ready", 1, 0));
		expect_ok(eio__sleep_until(due[i]));
		note("slept");
		expect_time(7);
		expect_ok(eio_switch_end(&sw, 0));
		expect_log("ready+ ready- slept");
	}
	return 0;
}

CORE_TEST(a_sleep_for_zero_or_less_is_due_at_once)
{
	struct eio_clock clock = eio__clock_mono();
	int64_t start = eio__now();

	(void) arg;
	expect_ok(eio_sleep(clock, 5));
	expect_ok(eio_sleep(clock, 0));
	expect_ok(eio_sleep(clock, -EIO_SEC(1)));
	expect_ok(eio_sleep(clock, INT64_MIN));
	expect_time(start + 5);
	return 0;
}

CORE_TEST(a_cancelled_sleep_leaves_the_heap)
{
	struct sleeper s[] = {S("a", EIO_MS(1)), S("b", EIO_MS(2)), S("c", EIO_NEVER),
			      S("d", EIO_MS(3))};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_sleepers(&sw, s, 4);
	expect_ok(eio_cancel_raise(&s[0].ctx, -EPIPE));
	expect_ok(eio_cancel_raise(&s[2].ctx, -EPIPE));
	ck_assert_int_eq(eio__timers_next(eio__domain_self()), s[1].deadline);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(s[0].rc, -ECANCELED);
	expect_ok(s[1].rc);
	expect_err(s[2].rc, -ECANCELED);
	expect_ok(s[3].rc);
	expect_log("a c b d");
	ck_assert(heap_is_empty());
	return 0;
}

static int sleep_for_ever(void *arg)
{
	(void) arg;
	expect_err(eio__sleep_until(EIO_NEVER), -ECANCELED);
	ck_assert_int_eq(eio__now(), 0);
	return 0;
}

static int sleep_saturated(void *arg)
{
	(void) arg;
	expect_ok(eio__sleep_until(5));
	expect_err(eio_sleep(eio__clock_mono(), INT64_MAX - 1), -ECANCELED);
	ck_assert_int_eq(eio__now(), 5);
	return 0;
}

START_TEST(never_does_not_come)
{
	run_mock(sleep_for_ever, -EDEADLK);
	run_mock(sleep_saturated, -EDEADLK);
}
END_TEST

START_TEST(sleeping_outside_a_domain_gives_eperm)
{
	expect_err(eio__sleep_until(0), -EPERM);
	expect_err(eio_sleep(eio__clock_mono(), 0), -EPERM);
}
END_TEST

enum { CROWD = SANITIZED ? 5000 : 100000 };

struct crowd {
	int64_t last;
	size_t woken, early, out_of_order;
};

struct one {
	struct crowd *crowd;
	int64_t deadline;
};

static int sleep_in_crowd(void *arg)
{
	const struct one *o = arg;
	int rc = eio__sleep_until(o->deadline);

	o->crowd->early += eio__now() < o->deadline;
	o->crowd->out_of_order += o->deadline < o->crowd->last;
	o->crowd->last = o->deadline;
	o->crowd->woken++;
	return rc;
}

/* On a real clock some are due before the others have begun. */
CORE_TEST(a_crowd_sleeping_at_random_wakes_when_due_and_on_the_mock_in_order)
{
	struct crowd c = {0};
	int64_t start = eio__now();
	uint32_t random = 1;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < CROWD; i++) {
		struct one o = {&c, 0};

		random = random * 1664525 + 1013904223;
		o.deadline = start + random % 1000000;
		if (eio_fork_copy(&sw, sleep_in_crowd, &o, sizeof(o)) != 0)
			ck_abort_msg("fork %d", i);
	}
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(c.woken, CROWD);
	ck_assert_uint_eq(c.early, 0);
	if (on_mock())
		ck_assert_uint_eq(c.out_of_order, 0);
	ck_assert(heap_is_empty());
	return 0;
}

/* Timers themselves */

struct noting_timer {
	struct eio_timer timer;
	const char *name;
	int64_t due;
	struct noting_timer *stops;
};

static void note_timer(struct eio_timer *t)
{
	struct noting_timer *n = (struct noting_timer *) t;

	expect_time(n->due);
	note("%s", n->name);
	if (n->stops)
		eio__timer_stop(&n->stops->timer);
}

CORE_TEST(a_timer_fires_once_and_stopping_it_is_harmless)
{
	int64_t start = eio__now();
	struct noting_timer a = {{.fn = note_timer}, "a", start + 10, NULL};

	(void) arg;
	eio__timer_start(&a.timer, a.due);
	expect_ok(eio__sleep_until(start + 30));
	expect_log("a");
	eio__timer_stop(&a.timer);
	eio__timer_start(&a.timer, start + 40);
	eio__timer_stop(&a.timer);
	eio__timer_stop(&a.timer);
	expect_ok(eio__sleep_until(start + 50));
	expect_log("");
	eio__timer_start(&a.timer, EIO_NEVER);
	ck_assert(heap_is_empty());
	eio__timer_stop(&a.timer);
	return 0;
}

CORE_TEST(a_timer_may_stop_another_that_is_due_too)
{
	int64_t start = eio__now();
	struct noting_timer b = {{.fn = note_timer}, "b", start + 10, NULL};
	struct noting_timer a = {{.fn = note_timer}, "a", start + 10, &b};

	(void) arg;
	eio__timer_start(&a.timer, a.due);
	eio__timer_start(&b.timer, b.due);
	expect_ok(eio__sleep_until(start + 20));
	expect_log("a");
	return 0;
}

/* Time limits */

static void begin(struct eio_timeout *t, int64_t ns)
{
	eio_timeout_begin(t, eio__clock_mono(), ns);
}

CORE_TEST(an_expired_limit_turns_ecanceled_into_etimedout)
{
	int64_t start = eio__now();
	struct eio_timeout t;

	(void) arg;
	begin(&t, SOON);
	expect_err(eio__sleep_until(eio__now() + FAR), -ECANCELED);
	expect_time(start + SOON);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	expect_err(eio_last_error()->code, -ETIMEDOUT);
	expect_ok(eio_check());
	ck_assert(heap_is_empty());
	return 0;
}

CORE_TEST(a_result_in_time_stays_and_leaves_no_timer)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, FAR);
	expect_ok(eio__sleep_until(eio__now() + SOON));
	expect_err(eio_timeout_end(&t, 5), 5);
	ck_assert(heap_is_empty());
	begin(&t, FAR);
	expect_err(eio_timeout_end(&t, -EIO), -EIO);
	ck_assert(heap_is_empty());
	begin(&t, FAR);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	ck_assert(heap_is_empty());
	return 0;
}

MOCK_TEST(a_nanosecond_before_the_limit_is_in_time)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, 10);
	expect_ok(eio__sleep_until(9));
	expect_ok(eio_check());
	expect_err(eio__sleep_until(20), -ECANCELED);
	ck_assert_int_eq(eio__now(), 10);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	return 0;
}

CORE_TEST(other_results_pass_an_expired_limit)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, 0);
	expect_err(eio_timeout_end(&t, 3), 3);
	begin(&t, 0);
	expect_err(eio_timeout_end(&t, -EIO), -EIO);
	return 0;
}

CORE_TEST(zero_and_negative_limits_are_due_at_once)
{
	static const int64_t due[] = {0, -1, INT64_MIN};
	struct eio_timeout t;

	(void) arg;
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
		begin(&t, due[i]);
		expect_err(eio_check(), -ECANCELED);
		expect_err(eio_timeout_end(&t, eio_yield()), -ETIMEDOUT);
	}
	return 0;
}

CORE_TEST(a_limit_of_never_is_none)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, EIO_NEVER);
	ck_assert(heap_is_empty());
	expect_ok(eio__sleep_until(eio__now() + (on_mock() ? EIO_SEC(1000000) : EIO_MS(2))));
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	expect_ok(eio_check());
	return 0;
}

CORE_TEST(an_outer_cancellation_stays_ecanceled)
{
	struct eio_cancel outer;
	struct eio_timeout t;

	(void) arg;
	eio_cancel_begin(&outer);
	begin(&t, SOON);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	expect_err(eio__sleep_until(EIO_NEVER), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	ck_assert(heap_is_empty());
	eio_cancel_end(&outer);
	return 0;
}

CORE_TEST(a_limit_inside_a_cancelled_context_does_not_claim_it)
{
	struct eio_cancel outer;
	struct eio_timeout t;

	(void) arg;
	eio_cancel_begin(&outer);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	begin(&t, 0);
	expect_err(eio_timeout_end(&t, eio_check()), -ECANCELED);
	begin(&t, 10);
	expect_err(eio_timeout_end(&t, eio_check()), -ECANCELED);
	eio_cancel_end(&outer);
	return 0;
}

static void expect_nested(int64_t outer_ns, int64_t inner_ns, int inner_rc, int outer_rc)
{
	int64_t sleep_ns = inner_rc ? FAR / 2 : SOON;
	struct eio_timeout outer, inner;
	int rc;

	begin(&outer, outer_ns);
	begin(&inner, inner_ns);
	rc = eio_timeout_end(&inner, eio__sleep_until(eio__now() + sleep_ns));
	expect_err(rc, inner_rc);
	expect_err(eio_timeout_end(&outer, rc), outer_rc);
	expect_ok(eio_check());
	ck_assert(heap_is_empty());
}

CORE_TEST(nested_limits_expire_each_for_itself)
{
	(void) arg;
	expect_nested(FAR, SOON, -ETIMEDOUT, -ETIMEDOUT);
	expect_nested(SOON, FAR, -ECANCELED, -ETIMEDOUT);
	expect_nested(EIO_NEVER, SOON, -ETIMEDOUT, -ETIMEDOUT);
	expect_nested(SOON, EIO_NEVER, -ECANCELED, -ETIMEDOUT);
	expect_nested(FAR, 2 * FAR, 0, 0);
	return 0;
}

CORE_TEST(of_nested_limits_due_together_the_outermost_counts)
{
	(void) arg;
	expect_nested(SOON, SOON, -ECANCELED, -ETIMEDOUT);
	expect_nested(0, SOON, -ECANCELED, -ETIMEDOUT);
	expect_nested(0, 0, -ECANCELED, -ETIMEDOUT);
	return 0;
}

/* The outer limit is the later one, but both are due by the time anybody looks. */
CORE_TEST(of_nested_limits_due_when_looked_at_the_outermost_counts)
{
	struct eio_timeout outer, inner;

	(void) arg;
	begin(&outer, 20);
	begin(&inner, 10);
	eio__timers_expire(eio__domain_self(), eio__now() + 100);
	expect_err(eio_timeout_end(&inner, eio_check()), -ECANCELED);
	expect_err(eio_timeout_end(&outer, eio_check()), -ETIMEDOUT);
	return 0;
}

static int await_cancel(void *arg)
{
	(void) arg;
	note("waits");
	return eio_await_cancel();
}

static int bring_forward_and_await(void *arg)
{
	eio_timeout_reset(arg, SOON);
	return await_cancel(NULL);
}

CORE_TEST(a_limit_reaches_the_fibers_below_it)
{
	int64_t start = eio__now();
	struct eio_timeout t;

	(void) arg;
	begin(&t, FAR);
	expect_err(eio_both(await_cancel, NULL, bring_forward_and_await, &t), -ECANCELED);
	expect_time(start + SOON);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	expect_log("waits waits");
	return 0;
}

CORE_TEST(protected_work_outlasts_its_limit)
{
	int64_t start = eio__now();
	struct eio_timeout t;
	struct eio_cancel shield;

	(void) arg;
	begin(&t, SOON);
	eio_cancel_protect_begin(&shield);
	expect_ok(eio_sleep(eio__clock_mono(), 50));
	eio_cancel_end(&shield);
	expect_err(eio_timeout_end(&t, eio_check()), -ETIMEDOUT);
	expect_time(start + 50);
	return 0;
}

CORE_TEST(reset_moves_the_limit_to_and_fro)
{
	int64_t start = eio__now();
	struct eio_timeout t;

	(void) arg;
	begin(&t, SOON);
	eio_timeout_reset(&t, FAR);
	expect_ok(eio_sleep(eio__clock_mono(), 2 * SOON));
	eio_timeout_reset(&t, SOON);
	expect_err(eio_sleep(eio__clock_mono(), FAR / 2), -ECANCELED);
	expect_time(start + 3 * SOON);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	ck_assert(heap_is_empty());
	return 0;
}

MOCK_TEST(reset_moves_the_limit_until_it_has_expired)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, 10);
	for (int i = 1; i <= 5; i++) {
		expect_ok(eio__sleep_until(9 * i));
		eio_timeout_reset(&t, 10);
	}
	expect_err(eio__sleep_until(1000), -ECANCELED);
	ck_assert_int_eq(eio__now(), 55);
	eio_timeout_reset(&t, 10);
	expect_err(eio_check(), -ECANCELED);
	ck_assert(heap_is_empty());
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	return 0;
}

CORE_TEST(reset_to_never_and_to_zero)
{
	struct eio_timeout t;

	(void) arg;
	begin(&t, 10);
	eio_timeout_reset(&t, EIO_NEVER);
	ck_assert(heap_is_empty());
	expect_ok(eio_sleep(eio__clock_mono(), 100));
	eio_timeout_reset(&t, 0);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	return 0;
}

static int give_or_sleep(void *arg)
{
	return arg ? *(int *) arg : eio__sleep_until(EIO_NEVER);
}

CORE_TEST(run_is_begin_call_end)
{
	struct eio_clock clock = eio__clock_mono();

	(void) arg;
	expect_err(eio_timeout_run(clock, 10, give_or_sleep, &(int){4}), 4);
	expect_err(eio_timeout_run(clock, 10, give_or_sleep, NULL), -ETIMEDOUT);
	ck_assert(heap_is_empty());
	return 0;
}

START_TEST(a_limit_outside_a_domain_gives_eperm)
{
	expect_err(eio_timeout_run(eio__clock_mono(), 10, give_or_sleep, NULL), -EPERM);
}
END_TEST

CORE_TEST(limits_by_the_100000_leave_nothing)
{
	struct eio_timeout *t = malloc(1000 * sizeof(*t));

	(void) arg;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 1000; i++)
			begin(&t[i], 1 + (i * 7919 + round) % 100003);
		for (int i = 999; i >= 0; i--) {
			if (eio_timeout_end(&t[i], 0) != 0)
				ck_abort_msg("limit %d", i);
		}
	}
	ck_assert(heap_is_empty());
	free(t);
	return 0;
}

/* Many that are due at once. They wake nobody, so there is nothing else to poll for. */

enum { AT_ONCE = 200 };

struct one_of_many {
	struct eio_timer timer;
	int64_t due;
};

static unsigned fired;
static int64_t last_due;

static void note_one_of_many(struct eio_timer *t)
{
	const struct one_of_many *m = (struct one_of_many *) t;

	ck_assert_int_ge(m->due, last_due);
	last_due = m->due;
	fired++;
}

static void start_many(void (*set)(struct eio_timer *t, int64_t deadline_ns), int64_t start)
{
	static struct one_of_many many[AT_ONCE];

	fired = 0;
	last_due = 0;
	for (int i = 0; i < AT_ONCE; i++) {
		many[i] = (struct one_of_many){{.fn = note_one_of_many}, start + 10 + i * 7 % 5};
		set(&many[i].timer, many[i].due);
	}
}

static int meet_many(void *arg)
{
	int64_t start = eio__now();

	(void) arg;
	start_many(eio__timer_start, start);
	expect_ok(eio__sleep_until(start + 20));
	ck_assert_int_ge(eio__now(), start + 20);
	ck_assert_uint_eq(fired, AT_ONCE);
	ck_assert(heap_is_empty());
	return 0;
}

CORE_TEST(many_that_are_due_at_once_are_all_called)
{
	return meet_many(arg);
}

RING_TEST(many_that_are_due_at_once_are_all_called_on_both_clocks)
{
	int64_t start = eio__wall_now();

	start_many(eio__wall_timer_start, start);
	expect_ok(eio__wall_sleep_until(start + 20));
	ck_assert_uint_eq(fired, AT_ONCE);
	return meet_many(arg);
}

/* What timers must not wait for */

static int spin_until(void *arg)
{
	while (!*(bool *) arg)
		eio_yield();
	return 0;
}

static int sleep_and_stop(void *arg)
{
	expect_ok(eio__sleep_until(eio__now() + EIO_MS(2)));
	*(bool *) arg = true;
	return 0;
}

RING_TEST(a_busy_loop_does_not_starve_timers)
{
	bool stop = false;

	(void) arg;
	expect_ok(eio_both(sleep_and_stop, &stop, spin_until, &stop));
	stop = false;
	expect_ok(eio_both(spin_until, &stop, sleep_and_stop, &stop));
	return 0;
}

RING_TEST(a_real_sleep_is_not_shorter_than_asked)
{
	(void) arg;
	for (int i = 0; i < 20; i++) {
		int64_t deadline = eio__now() + i * 100000;

		expect_ok(eio__sleep_until(deadline));
		ck_assert_int_ge(eio__now(), deadline);
	}
	return 0;
}

SUITE_MAIN("timer", false, sleepers_wake_in_order_of_their_deadlines_test,
	   equal_deadlines_wake_in_the_order_they_were_set_test,
	   a_sleep_that_is_already_due_lets_ready_fibers_run_first_test,
	   a_sleep_for_zero_or_less_is_due_at_once_test, a_cancelled_sleep_leaves_the_heap_test,
	   never_does_not_come, sleeping_outside_a_domain_gives_eperm,
	   a_crowd_sleeping_at_random_wakes_when_due_and_on_the_mock_in_order_test,
	   a_timer_fires_once_and_stopping_it_is_harmless_test,
	   a_timer_may_stop_another_that_is_due_too_test,
	   an_expired_limit_turns_ecanceled_into_etimedout_test,
	   a_result_in_time_stays_and_leaves_no_timer_test,
	   a_nanosecond_before_the_limit_is_in_time_test, other_results_pass_an_expired_limit_test,
	   zero_and_negative_limits_are_due_at_once_test, a_limit_of_never_is_none_test,
	   an_outer_cancellation_stays_ecanceled_test,
	   a_limit_inside_a_cancelled_context_does_not_claim_it_test,
	   nested_limits_expire_each_for_itself_test,
	   of_nested_limits_due_together_the_outermost_counts_test,
	   of_nested_limits_due_when_looked_at_the_outermost_counts_test,
	   a_limit_reaches_the_fibers_below_it_test, protected_work_outlasts_its_limit_test,
	   reset_moves_the_limit_to_and_fro_test, reset_moves_the_limit_until_it_has_expired_test,
	   reset_to_never_and_to_zero_test, run_is_begin_call_end_test,
	   a_limit_outside_a_domain_gives_eperm, limits_by_the_100000_leave_nothing_test,
	   many_that_are_due_at_once_are_all_called_test,
	   many_that_are_due_at_once_are_all_called_on_both_clocks_test,
	   a_busy_loop_does_not_starve_timers_test, a_real_sleep_is_not_shorter_than_asked_test)
