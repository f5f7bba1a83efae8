/* SPDX-License-Identifier: ISC */
/*
 * Deadlines that are far away, which an operation in flight keeps: the alarm.
 */
#include "faults.h"
#include "support.h"

#include "uring/sched.h"

#include <eio/low_level.h>

enum { FAR_MS = 40, FARTHER_MS = 80 }; /* both more than an alarm's distance */

static struct eio__uring *self(void)
{
	return eio__uring_self();
}

/* Through the ring and back: the domain polls. */
static void poll_once(void)
{
	expect_ok(eio_ll_noop());
}

RING_TEST(a_far_deadline_comes_no_earlier_than_it_should)
{
	int64_t start = eio_now_ns(env->mono_clock);

	(void) arg;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(FAR_MS)));
	ck_assert(eio_now_ns(env->mono_clock) - start >= EIO_MS(FAR_MS));
	return 0;
}

static int sleep_and_note(void *arg)
{
	int ms = *(int *) arg, rc = eio_sleep(env->mono_clock, EIO_MS(ms));

	note("%d", ms);
	return rc;
}

static void fork_sleeper(struct eio_switch *sw, int ms)
{
	expect_ok(eio_fork_copy(sw, sleep_and_note, &ms, sizeof(ms)));
}

RING_TEST(an_earlier_deadline_moves_the_alarm_and_a_later_one_does_not)
{
	struct eio_switch sw;
	int64_t alarm;

	(void) arg;
	eio_switch_begin(&sw);
	fork_sleeper(&sw, FARTHER_MS);
	poll_once();
	alarm = self()->alarm;
	ck_assert(alarm != EIO_NEVER);
	fork_sleeper(&sw, FAR_MS);
	poll_once();
	ck_assert(self()->alarm < alarm);
	alarm = self()->alarm;
	fork_sleeper(&sw, FARTHER_MS + 1);
	poll_once();
	ck_assert(self()->alarm == alarm);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("40 80 81");
	return 0;
}

static unsigned enters, limited;

static void count_enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) r;
	enters += wait;
	limited += timeout_ns != EIO_NEVER;
}

static int set_limits(void *arg)
{
	int64_t alarm = EIO_NEVER;

	(void) arg;
	enters = limited = 0;
	for (int i = 0; i < 100; i++) {
		struct eio_timeout t;

		eio_timeout_begin(&t, env->mono_clock, EIO_SEC(30));
		poll_once();
		expect_ok(eio_timeout_end(&t, 0));
		if (i == 0)
			alarm = self()->alarm;
		ck_assert(self()->alarm == alarm && alarm != EIO_NEVER);
	}
	ck_assert_uint_eq(enters, 100);
	ck_assert_uint_eq(limited, 0);
	return 0;
}

START_TEST(limits_that_never_come_cost_one_alarm)
{
	struct faults counter = {.on_enter = count_enter};

	faults_install(&counter);
	run_ring(set_limits, 0);
	faults_install(NULL);
}
END_TEST

RING_TEST(an_alarm_that_rings_for_nothing_wakes_nobody)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, env->mono_clock, EIO_MS(FAR_MS));
	poll_once();
	expect_ok(eio_timeout_end(&t, 0));
	ck_assert(self()->alarm != EIO_NEVER);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(FARTHER_MS)));
	ck_assert(self()->alarm == EIO_NEVER);
	return 0;
}

RING_TEST(a_limit_that_is_far_expires_in_the_middle_of_an_operation)
{
	struct eio_fd r, w;
	struct eio_switch sw;
	struct eio_timeout t;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_pipe(&sw, &r, &w));
	eio_timeout_begin(&t, env->mono_clock, EIO_MS(FAR_MS));
	expect_err(eio_timeout_end(&t, (int) eio_ll_read(r, &c, 1, EIO_CURRENT)), -ETIMEDOUT);
	return eio_switch_end(&sw, 0);
}

static unsigned depth;

static int set_for_hours(void *arg)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, env->mono_clock, EIO_SEC(3600));
	for (int i = 0; i < 10; i++)
		poll_once();
	if (depth != 1) /* no room beside the operation */
		ck_assert(self()->alarm != EIO_NEVER);
	return eio_timeout_end(&t, 0);
}

/* It would take an hour if it were waited for. */
START_TEST(a_run_ends_though_its_alarm_is_set_for_hours)
{
	static const unsigned depths[] = {1, 2, 8, 0};

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		const struct eio_config config = {.queue_depth = depths[i]};

		depth = depths[i];
		run_ring_with(&config, set_for_hours, 0);
	}
}
END_TEST

static int sleep_with_little_room(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_sleeper(&sw, FARTHER_MS);
	fork_sleeper(&sw, FAR_MS);
	for (int i = 0; i < 10; i++)
		poll_once();
	return eio_switch_end(&sw, 0);
}

START_TEST(with_a_queue_of_one_entry_deadlines_are_kept)
{
	const struct eio_config config = {.queue_depth = 1};

	run_ring_with(&config, sleep_with_little_room, 0);
	expect_log("40 80");
}
END_TEST

SUITE_MAIN("alarm", true, a_far_deadline_comes_no_earlier_than_it_should_test,
	   an_earlier_deadline_moves_the_alarm_and_a_later_one_does_not_test,
	   limits_that_never_come_cost_one_alarm, an_alarm_that_rings_for_nothing_wakes_nobody_test,
	   a_limit_that_is_far_expires_in_the_middle_of_an_operation_test,
	   a_run_ends_though_its_alarm_is_set_for_hours,
	   with_a_queue_of_one_entry_deadlines_are_kept)
