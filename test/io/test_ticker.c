/* SPDX-License-Identifier: ISC */
/*
 * Regular beats, on a clock that moves when told.
 */
#include "support.h"

#include <eio/mock.h>
#include <limits.h>

static struct eio_mock_clock clock_mock;
static struct eio_clock mock_clock;

static void begin_clock(int64_t ns)
{
	mock_clock = eio_mock_clock_init(&clock_mock);
	expect_ok(eio_mock_clock_set(&clock_mock, ns));
}

static int tick(void *arg)
{
	for (;;) {
		int n = eio_ticker_next(arg);

		if (n < 0)
			return n;
		note("%d", n);
	}
}

/* Sets the clock and lets the ticking fiber run. */
static void at(int64_t ns)
{
	expect_ok(eio_mock_clock_set(&clock_mock, ns));
	expect_ok(eio_yield());
	note("@%d", (int) ns);
}

CORE_TEST(a_period_is_over_when_it_is_and_not_before)
{
	struct eio_ticker t;
	struct eio_switch sw;

	(void) arg;
	begin_clock(1000);
	eio_ticker_init(&t, mock_clock, 10);
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, tick, &t));
	at(1009);
	at(1010);
	at(1019);
	at(1020);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("@1009 1 @1010 @1019 1 @1020");
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

CORE_TEST(missed_periods_are_counted_and_the_beat_keeps_its_distance)
{
	struct eio_ticker t;
	struct eio_switch sw;

	(void) arg;
	begin_clock(0);
	eio_ticker_init(&t, mock_clock, 10);
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, tick, &t));
	at(35);
	at(39);
	at(40);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("3 @35 @39 1 @40");
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

CORE_TEST(a_late_caller_does_not_wait)
{
	struct eio_ticker t;

	(void) arg;
	begin_clock(0);
	eio_ticker_init(&t, mock_clock, 10);
	expect_ok(eio_mock_clock_set(&clock_mock, 29));
	expect_err(eio_ticker_next(&t), 2);
	expect_ok(eio_mock_clock_set(&clock_mock, 30));
	expect_err(eio_ticker_next(&t), 1);
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

CORE_TEST(a_cancelled_call_loses_no_beat)
{
	struct eio_ticker t;
	struct eio_switch sw;

	(void) arg;
	begin_clock(0);
	eio_ticker_init(&t, mock_clock, 10);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, tick, &t));
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	expect_ok(eio_mock_clock_set(&clock_mock, 25));
	expect_err(eio_ticker_next(&t), 2);
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

CORE_TEST(what_cannot_tick_says_so)
{
	struct eio_ticker t;

	(void) arg;
	eio_ticker_init(&t, (struct eio_clock){0}, 10);
	expect_err(eio_ticker_next(&t), -EBADF);
	return 0;
}

static int next_of(void *arg)
{
	return eio_ticker_next(arg);
}

CORE_TEST(outside_a_domain_nobody_waits)
{
	struct eio_ticker t;

	(void) arg;
	begin_clock(0);
	eio_ticker_init(&t, mock_clock, 10);
	expect_err(on_plain_thread(next_of, &t), -EPERM);
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

CORE_TEST(odd_periods_end_somewhere)
{
	struct eio_ticker t;

	(void) arg;
	begin_clock(0);
	eio_ticker_init(&t, mock_clock, -5); /* counts as 1 */
	expect_ok(eio_mock_clock_set(&clock_mock, INT64_MAX / 2));
	expect_err(eio_ticker_next(&t), INT_MAX);
	eio_ticker_init(&t, mock_clock, EIO_NEVER);
	ck_assert_int_eq(t.next_ns, EIO_NEVER);
	eio_mock_clock_fini(&clock_mock);
	return 0;
}

/* On the real clock: ten beats need the time of ten. */
RING_TEST(beats_come_no_faster_than_their_period)
{
	struct eio_ticker t;
	int64_t start = eio_now_ns(env->mono_clock);
	int n = 0;

	(void) arg;
	eio_ticker_init(&t, env->mono_clock, EIO_MS(1));
	while (n < 10) {
		int passed = eio_ticker_next(&t);

		ck_assert_int_ge(passed, 1);
		n += passed;
	}
	ck_assert(eio_now_ns(env->mono_clock) - start >= n * EIO_MS(1));
	return 0;
}

SUITE_MAIN("ticker", false, a_period_is_over_when_it_is_and_not_before_test,
	   missed_periods_are_counted_and_the_beat_keeps_its_distance_test,
	   a_late_caller_does_not_wait_test, a_cancelled_call_loses_no_beat_test,
	   what_cannot_tick_says_so_test, outside_a_domain_nobody_waits_test,
	   odd_periods_end_somewhere_test, beats_come_no_faster_than_their_period_test)
