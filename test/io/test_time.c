/* SPDX-License-Identifier: ISC */
#include "core/tasks.h"
#include "io/util.h"

#include "core/error.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "io/env.h"

#include <malloc.h>
#include <time.h>

/*
 * The clock of both schedulers; under the mock one it starts at 0 and jumps. On a real one
 * nothing but the order of deadlines is sure, and that FAR does not come.
 */
#define FAR EIO_SEC(1000)

static struct eio_clock mono(void)
{
	return eio__clock_mono();
}

static int64_t now(void)
{
	return eio_now_ns(mono());
}

static bool no_timers(void)
{
	return eio__timers_next(eio__domain_self()) == EIO_NEVER;
}

/* Sleeping */

struct nap {
	const char *name;
	int64_t ns;
};

static int take_nap(void *arg)
{
	const struct nap *n = arg;
	int rc = eio_sleep(mono(), n->ns);

	note(rc < 0 ? "%s!" : "%s", n->name);
	return rc;
}

static void fork_nap(struct eio_switch *sw, const char *name, int64_t ns)
{
	struct nap n = {name, ns};

	expect_ok(eio_fork_copy(sw, take_nap, &n, sizeof(n)));
}

MOCK_TEST(sleepers_wake_in_the_order_of_their_deadlines)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_nap(&sw, "c", 30);
	fork_nap(&sw, "a", 10);
	fork_nap(&sw, "e", 50);
	fork_nap(&sw, "b", 20);
	fork_nap(&sw, "d", 40);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a b c d e");
	ck_assert_int_eq(now(), 50);
	return 0;
}

MOCK_TEST(a_sleep_ends_at_its_deadline)
{
	static const int64_t times[] = {1, EIO_MS(1), EIO_SEC(3600), EIO_SEC(1000000)};

	(void) arg;
	for (size_t i = 0; i < COUNT(times); i++) {
		int64_t start = now();

		expect_ok(eio_sleep(mono(), times[i]));
		ck_assert_int_eq(now(), start + times[i]);
		expect_ok(eio_sleep_until(mono(), now() + times[i]));
		ck_assert_int_eq(now(), start + 2 * times[i]);
	}
	return 0;
}

CORE_TEST(a_sleep_that_is_due_lets_ready_fibers_run_first)
{
	static const int64_t due[] = {0, -1, -EIO_SEC(5), INT64_MIN};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_sleep(mono(), 100));
	for (size_t i = 0; i < COUNT(due); i++) {
		eio_switch_begin(&sw);
		expect_ok(fork_step(&sw, "a", 1, 0));
		expect_ok(fork_step(&sw, "b", 1, 0));
		expect_ok(eio_sleep(mono(), due[i]));
		note("slept");
		expect_ok(eio_switch_end(&sw, 0));
		expect_log("a+ b+ a- b- slept");
		eio_switch_begin(&sw);
		expect_ok(fork_step(&sw, "a", 1, 0));
		expect_ok(eio_sleep_until(mono(), due[i]));
		note("slept");
		expect_ok(eio_switch_end(&sw, 0));
		expect_log("a+ a- slept");
	}
	expect_time(100);
	return 0;
}

/* Later than the clock can count is never. */
CORE_TEST(a_sleep_for_ever_ends_by_cancellation)
{
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_sleep(mono(), 100));
	eio_switch_begin(&sw);
	fork_nap(&sw, "never", EIO_NEVER);
	fork_nap(&sw, "beyond", EIO_NEVER - 50);
	ck_assert(no_timers());
	fork_nap(&sw, "late", EIO_NEVER - now() - FAR);
	ck_assert(!no_timers());
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("late! beyond! never!");
	expect_time(100);
	return 0;
}

CORE_TEST(a_cancelled_sleep_leaves_no_timer)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_nap(&sw, "a", FAR);
	fork_nap(&sw, "b", 2 * FAR);
	ck_assert(!no_timers());
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(no_timers());
	expect_time(0);
	log_clear();
	return 0;
}

CORE_TEST(a_sleep_in_a_cancelled_context_does_not_begin)
{
	struct eio_cancel c;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 1, 0));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_sleep(mono(), 10), -ECANCELED);
	expect_err(eio_sleep(mono(), -10), -ECANCELED);
	expect_err(eio_sleep_until(mono(), EIO_NEVER), -ECANCELED);
	ck_assert(no_timers());
	eio_cancel_end(&c);
	expect_log("a+");
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

struct victim {
	struct eio_cancel ctx;
};

static int sleep_in_context(void *arg)
{
	struct victim *v = arg;
	int rc;

	eio_cancel_begin(&v->ctx);
	rc = eio_sleep(mono(), 10);
	note("victim %d", rc);
	eio_cancel_end(&v->ctx);
	return 0;
}

static int cancel_at_ten(void *arg)
{
	struct victim *v = arg;

	expect_ok(eio_sleep(mono(), 10));
	expect_ok(eio_cancel_raise(&v->ctx, -EIO));
	note("raised");
	return 0;
}

static int cancel_at_nine(void *arg)
{
	struct victim *v = arg;

	expect_ok(eio_sleep(mono(), 9));
	expect_ok(eio_cancel_raise(&v->ctx, -EIO));
	note("raised");
	return 0;
}

MOCK_TEST(a_sleep_that_ended_before_its_cancellation_has_slept)
{
	struct victim v;

	(void) arg;
	expect_ok(eio_both(sleep_in_context, &v, cancel_at_ten, &v));
	ck_assert_msg(!strcmp(log_text(), "victim 0 raised") ||
			      !strcmp(log_text(), "raised victim 0"),
		      "%s", log_text());
	log_clear();
	expect_ok(eio_both(sleep_in_context, &v, cancel_at_nine, &v));
	ck_assert_str_eq(log_text(), "raised victim -125");
	log_clear();
	ck_assert_int_eq(now(), 19);
	return 0;
}

/* Timers of a clock */

struct alarm {
	struct eio_timer timer;
	int64_t due;
	unsigned rang;
};

static int64_t last_ring;

static void ring(struct eio_timer *t)
{
	struct alarm *a = (struct alarm *) t;

	if (a->due < last_ring || now() < a->due)
		ck_abort_msg("out of order, or too early");
	last_ring = a->due;
	a->rang++;
}

static void ring_on_the_wall(struct eio_timer *t)
{
	struct alarm *a = (struct alarm *) t;

	ck_assert_int_ge(eio_now_ns(env->clock), a->due);
	a->rang++;
}

/* They lie in their owner's memory. What the domain needs to keep them in order it gives back, but
 * for so many bytes. */
enum { KEPT = 132 << 10 };

CORE_TEST(a_hundred_thousand_timers_ring_in_order_and_stopped_ones_do_not)
{
	const char *many = getenv("EIO_TEST_TIMERS"); /* in the soak */
	unsigned timers = many ? (unsigned) atoi(many) : 100000;
	struct alarm *alarms = calloc(timers, sizeof(*alarms));
	size_t used = mallinfo2().uordblks;
	struct eio_clock c = mono();
	int64_t start = now();
	unsigned wrong = 0;

	(void) arg;
	last_ring = 0;
	for (unsigned i = 0; i < timers; i++) {
		alarms[i].timer.fn = ring;
		alarms[i].due = start + 1 + (int64_t) (i * 2654435761u % 1000003);
		c.ops->timer_start(c, &alarms[i].timer, alarms[i].due);
	}
	for (unsigned i = 0; i < timers; i += 3) {
		c.ops->timer_stop(c, &alarms[i].timer);
		c.ops->timer_stop(c, &alarms[i].timer);
	}
	expect_ok(eio_sleep(c, 1000004));
	for (unsigned i = 0; i < timers; i++) {
		wrong += alarms[i].rang != (i % 3 != 0);
		c.ops->timer_stop(c, &alarms[i].timer);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert(no_timers());
	ck_assert_uint_le(mallinfo2().uordblks, used + KEPT);
	free(alarms);
	return 0;
}

/* Limits */

static int wait_for_ever(void *arg)
{
	(void) arg;
	return eio_sleep(mono(), EIO_NEVER);
}

static int cut_short(void *arg)
{
	int rc = wait_for_ever(arg);

	return eio__fail_done(rc, "write", 3);
}

CORE_TEST(how_far_a_call_had_come_is_known_after_the_limit_that_ended_it)
{
	(void) arg;
	expect_err(eio_timeout_run(mono(), 5, cut_short, NULL), -ETIMEDOUT);
	ck_assert_str_eq(eio_last_error()->op, "timeout");
	ck_assert_uint_eq(eio_last_error()->done, 3);
	return 0;
}

CORE_TEST(an_expired_limit_reads_ECANCELED_inside_and_ETIMEDOUT_at_its_end)
{
	int64_t start = now();
	struct eio_timeout t;
	char line[64];

	(void) arg;
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_check());
	expect_err(wait_for_ever(NULL), -ECANCELED);
	expect_time(start + 5);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	expect_ok(eio_check());
	ck_assert_str_eq(eio_last_error()->op, "timeout");
	eio_error_format(-ETIMEDOUT, line, sizeof(line));
	ck_assert_str_eq(line, "timeout: Connection timed out");
	return 0;
}

CORE_TEST(a_result_in_time_stays_and_leaves_no_timer)
{
	static const int results[] = {0, 42, -ENOENT, -ETIMEDOUT, -ECANCELED, EIO_EOF};
	struct eio_timeout t;

	(void) arg;
	for (size_t i = 0; i < COUNT(results); i++) {
		eio_timeout_begin(&t, mono(), FAR);
		ck_assert(!no_timers());
		expect_err(eio_timeout_end(&t, results[i]), results[i]);
		ck_assert(no_timers());
		expect_ok(eio_check());
	}
	expect_time(0);
	return 0;
}

static int sleep_ten(void *arg)
{
	(void) arg;
	return eio_sleep(mono(), 10);
}

CORE_TEST(a_result_stays_though_the_limit_expired)
{
	static const int results[] = {0, 42, -ENOENT};
	struct eio_timeout t;

	(void) arg;
	for (size_t i = 0; i < COUNT(results); i++) {
		eio_timeout_begin(&t, mono(), 5);
		expect_ok(eio_protect_run(sleep_ten, NULL));
		expect_err(eio_check(), -ECANCELED);
		expect_err(eio_timeout_end(&t, results[i]), results[i]);
		expect_ok(eio_check());
	}
	return 0;
}

CORE_TEST(a_limit_of_zero_or_less_is_due_at_once)
{
	static const int64_t due[] = {0, -1, -EIO_SEC(1), INT64_MIN};
	struct eio_timeout t;

	(void) arg;
	for (size_t i = 0; i < COUNT(due); i++) {
		eio_timeout_begin(&t, mono(), due[i]);
		expect_err(eio_check(), -ECANCELED);
		expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
		expect_ok(eio_check());
	}
	ck_assert(no_timers());
	expect_time(0);
	return 0;
}

CORE_TEST(a_limit_of_never_arms_nothing)
{
	struct eio_timeout t;

	(void) arg;
	expect_ok(eio_sleep(mono(), 100));
	eio_timeout_begin(&t, mono(), EIO_NEVER);
	ck_assert(no_timers());
	expect_ok(eio_sleep(mono(), on_mock() ? EIO_SEC(1000000) : EIO_MS(1)));
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_timeout_begin(&t, mono(), EIO_NEVER - 1);
	ck_assert(no_timers());
	expect_err(eio_timeout_end(&t, 7), 7);
	return 0;
}

CORE_TEST(an_outer_cancellation_stays_ECANCELED)
{
	struct eio_timeout t;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(wait_for_ever(NULL), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert(no_timers());
	expect_time(0);
	return 0;
}

/* Whichever came first: outside everything is cancelled. */
CORE_TEST(an_outer_cancellation_and_the_limit_together_are_ECANCELED)
{
	struct eio_timeout t;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_ok(eio_protect_run(sleep_ten, NULL));
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);

	eio_cancel_begin(&c);
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_protect_run(sleep_ten, NULL));
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);
	return 0;
}

CORE_TEST(a_limit_begun_in_a_cancelled_context_changes_nothing)
{
	struct eio_timeout t;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	eio_timeout_begin(&t, mono(), 5);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_timeout_begin(&t, mono(), 0);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert(no_timers());
	return 0;
}

/* Nested limits of so many nanoseconds, outermost first; what their ends give, innermost
 * first, when the innermost waits for ever. */
static int nest(const int64_t *limits)
{
	struct eio_timeout t;
	int rc;

	if (*limits == 0)
		return wait_for_ever(NULL);
	eio_timeout_begin(&t, mono(), *limits);
	rc = nest(limits + 1);
	rc = eio_timeout_end(&t, rc);
	note("%s", rc == -ETIMEDOUT ? "timeout" : rc == -ECANCELED ? "cancelled" : "?");
	return rc;
}

static void expect_nest(const int64_t *limits, int64_t lasts, const char *log)
{
	int64_t start = now();

	nest(limits);
	expect_log(log);
	expect_time(start + lasts);
	ck_assert(no_timers());
	expect_ok(eio_check());
}

CORE_TEST(of_nested_limits_the_one_that_expired_says_so)
{
	(void) arg;
	expect_nest((int64_t[]){5, 0}, 5, "timeout");
	expect_nest((int64_t[]){5, FAR, 0}, 5, "cancelled timeout");
	expect_nest((int64_t[]){FAR, 5, 0}, 5, "timeout timeout");
	expect_nest((int64_t[]){FAR, 5, 2 * FAR, 0}, 5, "cancelled timeout timeout");
	expect_nest((int64_t[]){5, FAR, 2 * FAR, 0}, 5, "cancelled cancelled timeout");
	expect_nest((int64_t[]){EIO_NEVER, 5, EIO_NEVER, 0}, 5, "cancelled timeout timeout");
	return 0;
}

CORE_TEST(of_limits_due_together_the_outermost_says_so)
{
	(void) arg;
	expect_nest((int64_t[]){5, 5, 0}, 5, "cancelled timeout");
	expect_nest((int64_t[]){5, 5, 5, 0}, 5, "cancelled cancelled timeout");
	expect_nest((int64_t[]){FAR, -1, 0}, 0, "timeout timeout");
	expect_nest((int64_t[]){-1, 5, 0}, 0, "cancelled timeout");
	expect_nest((int64_t[]){-1, -1, 0}, 0, "cancelled timeout");
	return 0;
}

/* The inner one is due first, but both are before anybody looks. */
CORE_TEST(of_limits_both_overdue_the_outermost_says_so)
{
	struct eio_timeout outer, inner;

	(void) arg;
	eio_timeout_begin(&outer, mono(), 5);
	eio_timeout_begin(&inner, mono(), 4);
	expect_ok(eio_protect_run(sleep_ten, NULL));
	expect_err(eio_timeout_end(&inner, wait_for_ever(NULL)), -ECANCELED);
	expect_err(eio_timeout_end(&outer, -ECANCELED), -ETIMEDOUT);
	return 0;
}

MOCK_TEST(a_limit_goes_on_after_an_inner_one_expired)
{
	struct eio_timeout outer, inner;

	(void) arg;
	eio_timeout_begin(&outer, mono(), 50);
	for (int i = 1; i < 10; i++) {
		eio_timeout_begin(&inner, mono(), 5);
		expect_err(eio_timeout_end(&inner, wait_for_ever(NULL)), -ETIMEDOUT);
		expect_ok(eio_check());
	}
	eio_timeout_begin(&inner, mono(), 20);
	expect_err(eio_timeout_end(&inner, wait_for_ever(NULL)), -ECANCELED);
	expect_err(eio_timeout_end(&outer, -ECANCELED), -ETIMEDOUT);
	ck_assert_int_eq(now(), 50);
	return 0;
}

MOCK_TEST(a_limit_cancels_the_fibers_inside)
{
	struct eio_timeout t;
	struct eio_switch sw;

	(void) arg;
	eio_timeout_begin(&t, mono(), 15);
	eio_switch_begin(&sw);
	fork_nap(&sw, "a", 10);
	fork_nap(&sw, "b", 20);
	fork_nap(&sw, "c", 30);
	expect_err(eio_timeout_end(&t, eio_switch_end(&sw, 0)), -ETIMEDOUT);
	expect_log("a c! b!");
	ck_assert_int_eq(now(), 15);
	return 0;
}

CORE_TEST(a_limit_does_not_reach_what_is_protected)
{
	int64_t start = now();
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_protect_run(sleep_ten, NULL));
	expect_time(start + 10);
	expect_err(eio_timeout_end(&t, eio_yield()), -ETIMEDOUT);
	return 0;
}

/* Moving them */

MOCK_TEST(reset_moves_the_limit)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, mono(), 10);
	for (int i = 0; i < 5; i++) {
		expect_ok(eio_sleep(mono(), 9));
		eio_timeout_reset(&t, 10);
	}
	expect_err(eio_timeout_end(&t, wait_for_ever(NULL)), -ETIMEDOUT);
	ck_assert_int_eq(now(), 55);

	eio_timeout_begin(&t, mono(), 1000);
	eio_timeout_reset(&t, 10);
	expect_err(eio_timeout_end(&t, wait_for_ever(NULL)), -ETIMEDOUT);
	ck_assert_int_eq(now(), 65);
	ck_assert(no_timers());
	return 0;
}

CORE_TEST(reset_takes_never_zero_and_negative_limits)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, mono(), 10);
	eio_timeout_reset(&t, EIO_NEVER);
	ck_assert(no_timers());
	expect_ok(eio_sleep(mono(), 100));
	eio_timeout_reset(&t, FAR);
	expect_ok(eio_sleep(mono(), 9));
	eio_timeout_reset(&t, 0);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);

	eio_timeout_begin(&t, mono(), EIO_NEVER);
	eio_timeout_reset(&t, INT64_MIN);
	expect_err(eio_timeout_end(&t, eio_yield()), -ETIMEDOUT);
	ck_assert(no_timers());
	return 0;
}

CORE_TEST(reset_does_nothing_to_a_limit_that_expired)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, mono(), 5);
	expect_err(wait_for_ever(NULL), -ECANCELED);
	eio_timeout_reset(&t, 1000);
	expect_err(eio_check(), -ECANCELED);
	ck_assert(no_timers());
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	return 0;
}

CORE_TEST(reset_does_nothing_to_a_limit_that_was_cancelled_from_outside)
{
	struct eio_timeout t;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	eio_timeout_begin(&t, mono(), 5);
	expect_ok(eio_cancel_raise(&c, -EIO));
	eio_timeout_reset(&t, 0);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert(no_timers());
	return 0;
}

static int reset_to_nothing(void *arg)
{
	eio_timeout_reset(arg, 0);
	return 0;
}

CORE_TEST(reset_from_another_thread_is_a_warning_and_nothing_else)
{
	int64_t start = now();
	struct eio_timeout t;

	(void) arg;
	count_warnings();
	warnings = 0;
	eio_timeout_begin(&t, mono(), EIO_MS(5));
	expect_ok(in_other_domain(reset_to_nothing, &t));
	expect_ok(on_plain_thread(reset_to_nothing, &t));
	ck_assert_uint_eq(warnings, 2);
	ck_assert_ptr_nonnull(strstr(last_warning, "another domain"));
	expect_ok(eio_check());
	expect_err(eio_timeout_end(&t, wait_for_ever(NULL)), -ETIMEDOUT);
	expect_time(start + EIO_MS(5));
	return 0;
}

/* timeout_run */

CORE_TEST(timeout_run_is_begin_fn_end)
{
	int64_t start = now();
	int good = 42, bad = -ENOENT;

	(void) arg;
	expect_err(eio_timeout_run(mono(), 5, give, &good), 42);
	expect_err(eio_timeout_run(mono(), 5, give, &bad), -ENOENT);
	expect_err(eio_timeout_run(mono(), 5, wait_for_ever, NULL), -ETIMEDOUT);
	expect_err(eio_timeout_run(mono(), 0, wait_for_ever, NULL), -ETIMEDOUT);
	expect_err(eio_timeout_run(mono(), -7, give, &good), 42);
	expect_err(eio_timeout_run(mono(), EIO_NEVER, give, &good), 42);
	ck_assert(no_timers());
	expect_time(start + 5);
	return 0;
}

static int count_call(void *arg)
{
	++*(int *) arg;
	return 0;
}

START_TEST(without_a_domain_there_is_no_sleep_and_no_limit)
{
	int calls = 0;

	expect_err(eio_sleep(mono(), 1), -EPERM);
	expect_err(eio_sleep_until(mono(), 0), -EPERM);
	expect_err(eio_timeout_run(mono(), 1, count_call, &calls), -EPERM);
	ck_assert_int_eq(calls, 0);
}
END_TEST

/* Clocks */

CORE_TEST(a_zeroed_clock_is_no_clock_but_measures_limits)
{
	struct eio_clock none = {0};
	int64_t start = now();
	struct eio_timeout t;

	(void) arg;
	expect_err(eio_sleep(none, 1), -EBADF);
	expect_err(eio_sleep_until(none, 1), -EBADF);
	ck_assert_int_eq(eio_now_ns(none), 0);
	eio_timeout_begin(&t, none, 5);
	eio_timeout_reset(&t, 6);
	expect_err(eio_timeout_end(&t, wait_for_ever(NULL)), -ETIMEDOUT);
	expect_time(start + 6);
	return 0;
}

/* A program's own, of which the test is the hand. */

static struct eio_timer *wound; /* its only timer */

static int64_t own_now(struct eio_clock c)
{
	return *(int64_t *) c.ptr;
}

static int own_sleep_until(struct eio_clock c, int64_t deadline_ns)
{
	(void) c;
	note("sleep_until %lld", (long long) deadline_ns);
	return 0;
}

static void own_timer_start(struct eio_clock c, struct eio_timer *t, int64_t deadline_ns)
{
	(void) c;
	ck_assert_ptr_null(wound);
	wound = t;
	note("start %lld", (long long) deadline_ns);
}

static void own_timer_stop(struct eio_clock c, struct eio_timer *t)
{
	(void) c;
	if (wound == t)
		note("stop");
	wound = NULL;
}

static const struct eio_clock_ops own_ops = {
	.name = "own",
	.now = own_now,
	.sleep_until = own_sleep_until,
	.timer_start = own_timer_start,
	.timer_stop = own_timer_stop,
};

static int strike(void *arg)
{
	struct eio_timer *t = wound;

	(void) arg;
	wound = NULL;
	t->fn(t);
	return 0;
}

CORE_TEST(a_programs_own_clock_sleeps_and_limits)
{
	int64_t time = 1000;
	struct eio_clock c = {.ops = &own_ops, .ptr = &time};
	struct eio_cancel off;
	struct eio_timeout t;

	(void) arg;
	ck_assert_int_eq(eio_now_ns(c), 1000);
	expect_ok(eio_sleep(c, 24));
	expect_ok(eio_sleep_until(c, 7));
	expect_ok(eio_sleep(c, EIO_NEVER));
	expect_log("sleep_until 1024 sleep_until 7 sleep_until 9223372036854775807");
	time = -1000;
	expect_ok(eio_sleep(c, EIO_NEVER));
	expect_log("sleep_until 9223372036854775807");
	time = 1000;
	eio_cancel_begin(&off);
	expect_ok(eio_cancel_raise(&off, -EIO));
	expect_err(eio_sleep(c, 24), -ECANCELED);
	eio_cancel_end(&off);
	eio_timeout_begin(&t, c, EIO_NEVER);
	eio_timeout_reset(&t, EIO_NEVER);
	expect_ok(eio_timeout_end(&t, 0));
	expect_log("");
	eio_timeout_begin(&t, c, 5);
	time = 1003;
	eio_timeout_reset(&t, 5);
	expect_ok(eio_timeout_end(&t, 0));
	expect_log("start 1005 stop start 1008 stop");
	eio_timeout_begin(&t, c, 5);
	expect_err(eio_both(wait_for_ever, NULL, strike, NULL), -ECANCELED);
	expect_err(eio_timeout_end(&t, -ECANCELED), -ETIMEDOUT);
	expect_log("start 1008");
	return 0;
}

static int64_t system_time(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return EIO_SEC(ts.tv_sec) + ts.tv_nsec;
}

static int expect_system_clocks(void *arg)
{
	int64_t before = system_time(CLOCK_MONOTONIC), time = eio_now_ns(eio__clock_mono());

	(void) arg;
	ck_assert_int_le(before, time);
	ck_assert_int_le(time, system_time(CLOCK_MONOTONIC));
	before = system_time(CLOCK_REALTIME);
	time = eio_now_ns(eio__clock_wall());
	ck_assert_int_le(before, time);
	ck_assert_int_le(time, system_time(CLOCK_REALTIME));
	return 0;
}

RING_TEST(the_clocks_are_the_systems_on_any_thread)
{
	ck_assert_ptr_eq(env->mono_clock.ops, eio__clock_mono().ops);
	ck_assert_ptr_eq(env->clock.ops, eio__clock_wall().ops);
	expect_system_clocks(arg);
	return on_plain_thread(expect_system_clocks, NULL);
}

RING_TEST(a_sleep_is_never_too_short)
{
	static const int64_t times[] = {1, 1000, EIO_MS(1), EIO_MS(1) + 7};

	(void) arg;
	for (size_t i = 0; i < COUNT(times); i++) {
		int64_t start = now();

		expect_ok(eio_sleep(env->mono_clock, times[i]));
		ck_assert_int_ge(now() - start, times[i]);
		start = now();
		expect_ok(eio_sleep(env->clock, times[i]));
		ck_assert_int_ge(now() - start, times[i]);
	}
	return 0;
}

RING_TEST(the_wall_clock_sleeps_until_its_own_times)
{
	(void) arg;
	expect_ok(eio_sleep_until(env->clock, eio_now_ns(env->clock) + EIO_MS(2)));
	expect_ok(eio_sleep_until(env->clock, 0));
	expect_ok(eio_sleep_until(env->clock, INT64_MIN));
	expect_ok(eio_sleep(env->clock, INT64_MIN));
	expect_err(eio_timeout_run(env->clock, EIO_MS(1), wait_for_ever, NULL), -ETIMEDOUT);
	return 0;
}

MOCK_TEST(the_mock_scheduler_has_one_clock)
{
	(void) arg;
	expect_ok(eio_sleep_until(eio__clock_wall(), 10));
	ck_assert_int_eq(now(), 10);
	ck_assert_int_eq(eio_now_ns(eio__clock_wall()), 10);
	return 0;
}

/* A timer, which the calls of the library do not set on it. */
RING_TEST(a_timer_of_the_wall_clock_rings_at_its_time_unless_it_is_stopped)
{
	struct eio_clock c = env->clock;
	struct alarm a = {.timer.fn = ring_on_the_wall, .due = eio_now_ns(c) + EIO_MS(1)}, b = a;

	(void) arg;
	c.ops->timer_start(c, &a.timer, a.due);
	c.ops->timer_start(c, &b.timer, b.due);
	c.ops->timer_stop(c, &b.timer);
	expect_ok(eio_sleep_until(c, a.due + 1));
	ck_assert_uint_eq(a.rang, 1);
	ck_assert_uint_eq(b.rang, 0);
	c.ops->timer_stop(c, &a.timer);
	c.ops->timer_start(c, &a.timer, EIO_NEVER);
	c.ops->timer_stop(c, &a.timer);
	return 0;
}

static int sleep_wall_for_ever(void *arg)
{
	(void) arg;
	return eio_sleep_until(env->clock, EIO_NEVER);
}

RING_TEST(never_is_never_on_the_wall_clock_too)
{
	struct eio_switch sw;

	(void) arg;
	expect_err(eio_timeout_run(env->clock, EIO_MS(1), sleep_wall_for_ever, NULL), -ETIMEDOUT);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, sleep_wall_for_ever, NULL));
	ck_assert(no_timers());
	expect_err(eio_switch_end(&sw, -EIO), -EIO);
	expect_err(eio_timeout_run(env->clock, EIO_NEVER, give, &(int){3}), 3);
	ck_assert(no_timers());
	return 0;
}

RING_TEST(a_fiber_that_is_always_ready_does_not_hold_timers_up)
{
	struct eio_timeout t;
	int rc;

	(void) arg;
	eio_timeout_begin(&t, env->mono_clock, EIO_MS(2));
	do
		rc = eio_yield();
	while (rc == 0);
	expect_err(eio_timeout_end(&t, rc), -ETIMEDOUT);
	return 0;
}

static int read_for_ever(void *arg)
{
	char b;

	return (int) eio_flow_read(*(struct eio_flow *) arg, &b, 1);
}

RING_TEST(limits_interrupt_what_waits_for_the_kernel)
{
	struct eio_flow r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	for (int i = 0; i < 20; i++)
		expect_err(eio_timeout_run(env->mono_clock, i * 20000, read_for_ever, &r),
			   -ETIMEDOUT);
	expect_ok(eio_flow_copy_string(w, "x"));
	expect_err(eio_timeout_run(env->mono_clock, EIO_SEC(100), read_for_ever, &r), 1);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("time", false, sleepers_wake_in_the_order_of_their_deadlines_test,
	   a_sleep_ends_at_its_deadline_test, a_sleep_that_is_due_lets_ready_fibers_run_first_test,
	   a_sleep_for_ever_ends_by_cancellation_test, a_cancelled_sleep_leaves_no_timer_test,
	   a_sleep_in_a_cancelled_context_does_not_begin_test,
	   a_sleep_that_ended_before_its_cancellation_has_slept_test,
	   a_hundred_thousand_timers_ring_in_order_and_stopped_ones_do_not_test,
	   how_far_a_call_had_come_is_known_after_the_limit_that_ended_it_test,
	   an_expired_limit_reads_ECANCELED_inside_and_ETIMEDOUT_at_its_end_test,
	   a_result_in_time_stays_and_leaves_no_timer_test,
	   a_result_stays_though_the_limit_expired_test,
	   a_limit_of_zero_or_less_is_due_at_once_test, a_limit_of_never_arms_nothing_test,
	   an_outer_cancellation_stays_ECANCELED_test,
	   an_outer_cancellation_and_the_limit_together_are_ECANCELED_test,
	   a_limit_begun_in_a_cancelled_context_changes_nothing_test,
	   of_nested_limits_the_one_that_expired_says_so_test,
	   of_limits_due_together_the_outermost_says_so_test,
	   of_limits_both_overdue_the_outermost_says_so_test,
	   a_limit_goes_on_after_an_inner_one_expired_test, a_limit_cancels_the_fibers_inside_test,
	   a_limit_does_not_reach_what_is_protected_test, reset_moves_the_limit_test,
	   reset_takes_never_zero_and_negative_limits_test,
	   reset_does_nothing_to_a_limit_that_expired_test,
	   reset_does_nothing_to_a_limit_that_was_cancelled_from_outside_test,
	   reset_from_another_thread_is_a_warning_and_nothing_else_test,
	   timeout_run_is_begin_fn_end_test, without_a_domain_there_is_no_sleep_and_no_limit,
	   a_zeroed_clock_is_no_clock_but_measures_limits_test,
	   a_programs_own_clock_sleeps_and_limits_test,
	   the_clocks_are_the_systems_on_any_thread_test, a_sleep_is_never_too_short_test,
	   the_wall_clock_sleeps_until_its_own_times_test, the_mock_scheduler_has_one_clock_test,
	   a_timer_of_the_wall_clock_rings_at_its_time_unless_it_is_stopped_test,
	   never_is_never_on_the_wall_clock_too_test,
	   a_fiber_that_is_always_ready_does_not_hold_timers_up_test,
	   limits_interrupt_what_waits_for_the_kernel_test)
