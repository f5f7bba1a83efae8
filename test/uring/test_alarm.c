/* SPDX-License-Identifier: ISC */
/*
 * Deadlines that are far away, which an operation in flight keeps: the alarm. The wall clock
 * has one for all of its deadlines; here it can be set, for this program alone.
 */
#include "faults.h"
#include "support.h"

#include "core/timer.h"
#include "uring/sched.h"

#include <eio/low_level.h>
#include <time.h>

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
	alarm = self()->alarm.at;
	ck_assert(alarm != EIO_NEVER);
	fork_sleeper(&sw, FAR_MS);
	poll_once();
	ck_assert(self()->alarm.at < alarm);
	alarm = self()->alarm.at;
	fork_sleeper(&sw, FARTHER_MS + 1);
	poll_once();
	ck_assert(self()->alarm.at == alarm);
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
			alarm = self()->alarm.at;
		ck_assert(self()->alarm.at == alarm && alarm != EIO_NEVER);
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
	ck_assert(self()->alarm.at != EIO_NEVER);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(FARTHER_MS)));
	ck_assert(self()->alarm.at == EIO_NEVER);
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
		ck_assert(self()->alarm.at != EIO_NEVER);
	return eio_timeout_end(&t, 0);
}

static int sleep_by_the_wall(void *arg)
{
	return eio_sleep_until(env->clock, *(int64_t *) arg);
}

static int set_for_hours_on_the_wall(void *arg)
{
	int64_t at = eio_now_ns(env->clock) + EIO_SEC(3600);
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, sleep_by_the_wall, &at));
	for (int i = 0; i < 10; i++)
		poll_once();
	if (depth != 1)
		ck_assert(self()->wall_alarm.at == at);
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	ck_assert(eio__wall_timers_next(eio__domain_self()) == EIO_NEVER);
	return 0;
}

/* It would take an hour if it were waited for. */
START_TEST(a_run_ends_though_its_alarm_is_set_for_hours)
{
	static const unsigned depths[] = {1, 2, 8, 0};

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		const struct eio_config config = {.queue_depth = depths[i]};

		depth = depths[i];
		run_ring_with(&config, set_for_hours, 0);
		run_ring_with(&config, set_for_hours_on_the_wall, 0);
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

static int read_for_ever(void *arg)
{
	char c;

	return (int) eio_ll_read(*(struct eio_fd *) arg, &c, 1, EIO_CURRENT);
}

/* The queue has no room for an alarm when the domain goes to sleep. */
static int sleep_beside_a_full_queue(void *arg)
{
	const struct eio_clock clocks[] = {env->mono_clock, env->clock};
	struct eio_fd r, w;

	(void) arg;
	for (int i = 0; i < 2; i++) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(eio_ll_pipe(&sw, &r, &w));
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
		expect_ok(eio_fork_daemon(&sw, read_for_ever, &r));
		expect_ok(eio_sleep_until(clocks[i], eio_now_ns(clocks[i]) + EIO_MS(FAR_MS)));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

START_TEST(without_room_for_an_alarm_deadlines_are_kept)
{
	const struct eio_config config = {.queue_depth = 1};

	run_ring_with(&config, sleep_beside_a_full_queue, 0);
}
END_TEST

static void count_measured(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) r;
	limited += wait && timeout_ns > 0 && timeout_ns != EIO_NEVER;
}

static int sleep_by_the_wall_beside_a_full_queue(void *arg)
{
	struct eio_fd r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_pipe(&sw, &r, &w));
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	expect_ok(eio_fork_daemon(&sw, read_for_ever, &r));
	limited = 0;
	expect_ok(eio_sleep_until(env->clock, eio_now_ns(env->clock) + EIO_MS(FAR_MS)));
	ck_assert_uint_eq(limited, 0);
	return eio_switch_end(&sw, 0);
}

/* The monotonic clock, which limits a wait, would know of no step, nor of a suspend. */
START_TEST(without_room_for_an_alarm_the_wall_clock_is_not_measured_by_the_other)
{
	const struct eio_config config = {.queue_depth = 1};
	struct faults counter = {.on_enter = count_measured};

	faults_install(&counter);
	run_ring_with(&config, sleep_by_the_wall_beside_a_full_queue, 0);
	faults_install(NULL);
}
END_TEST

/* The wall clock */

static int64_t step; /* by how much it was set */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_REALTIME)
		ret->tv_sec += step / EIO_SEC(1);
	return rc;
}

/* Sets the clock. The kernel's alarm, which it would end itself if a step passed its time, is
 * ended here. */
static void set_clock(int64_t by)
{
	struct __kernel_timespec now = {0};
	struct io_uring_sqe *sqe = eio_ll_sqe();

	step += by;
	io_uring_prep_timeout_update(sqe, &now, (uintptr_t) &self()->wall_alarm | EIO__UD_ALARM,
				     IORING_TIMEOUT_ABS);
	ck_assert(eio_ll_await(sqe) != -EINVAL); /* -ENOENT: it has rung already */
	poll_once();
}

struct wall_sleeper {
	const char *name;
	int64_t at;
};

static int sleep_until_and_note(void *arg)
{
	const struct wall_sleeper *s = arg;
	int rc = eio_sleep_until(env->clock, s->at);

	ck_assert(rc < 0 || eio_now_ns(env->clock) >= s->at);
	note(rc < 0 ? "%s!" : "%s", s->name);
	return rc;
}

/* Sleeps until so long from now. */
static int64_t fork_wall_sleeper(struct eio_switch *sw, const char *name, int64_t ns)
{
	struct wall_sleeper s = {name, eio_now_ns(env->clock) + ns};

	expect_ok(eio_fork_copy(sw, sleep_until_and_note, &s, sizeof(s)));
	return s.at;
}

RING_TEST(a_step_of_the_wall_clock_ends_what_slept_until_then_and_nothing_else)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_wall_sleeper(&sw, "three", EIO_SEC(3000));
	fork_wall_sleeper(&sw, "one", EIO_SEC(1000));
	fork_wall_sleeper(&sw, "two", EIO_SEC(2000));
	poll_once();
	set_clock(EIO_SEC(500));
	expect_log("");
	set_clock(EIO_SEC(1600));
	expect_log("one two");
	set_clock(EIO_SEC(900));
	expect_log("three");
	ck_assert(eio__wall_timers_next(eio__domain_self()) == EIO_NEVER);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_wall_clock_that_was_set_back_is_waited_for)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_wall_sleeper(&sw, "slept", EIO_MS(2));
	step = -EIO_SEC(1000); /* the kernel's alarm will ring all the same */
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(10)));
	expect_log("");
	step = 0;
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("slept");
	return 0;
}

RING_TEST(an_earlier_deadline_moves_the_alarm_of_the_wall_clock_too)
{
	struct eio_switch sw;
	int64_t late, soon;

	(void) arg;
	eio_switch_begin(&sw);
	late = fork_wall_sleeper(&sw, "late", EIO_SEC(1000));
	poll_once();
	ck_assert(self()->wall_alarm.at == late);
	soon = fork_wall_sleeper(&sw, "soon", EIO_MS(FAR_MS));
	poll_once();
	ck_assert(self()->wall_alarm.at == soon);
	fork_wall_sleeper(&sw, "later", EIO_SEC(2000));
	poll_once();
	ck_assert(self()->wall_alarm.at == soon);
	ck_assert(self()->alarm.at == EIO_NEVER);
	while (self()->wall_alarm.at == soon)
		poll_once();
	poll_once();
	expect_log("soon");
	ck_assert(self()->wall_alarm.at == late);
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	expect_log("later! late!");
	return 0;
}

static int sleep_for_a_while(void *arg)
{
	(void) arg;
	expect_ok(eio_sleep_until(env->clock, eio_now_ns(env->clock) + EIO_MS(FAR_MS)));
	ck_assert_uint_le(enters, 4);
	return 0;
}

START_TEST(who_sleeps_by_the_wall_clock_is_not_woken_in_between)
{
	struct faults counter = {.on_enter = count_enter};

	enters = 0;
	faults_install(&counter);
	run_ring(sleep_for_a_while, 0);
	faults_install(NULL);
}
END_TEST

static int spin_until(void *arg)
{
	while (!*(bool *) arg)
		eio_yield();
	return 0;
}

static int sleep_and_stop(void *arg)
{
	int rc = eio_sleep_until(env->clock, eio_now_ns(env->clock) + EIO_MS(2));

	*(bool *) arg = true;
	return rc;
}

RING_TEST(a_busy_loop_does_not_hold_up_the_wall_clock)
{
	bool stop = false;

	(void) arg;
	return eio_both(sleep_and_stop, &stop, spin_until, &stop);
}

RING_TEST(a_dump_tells_how_long_a_sleep_by_the_wall_clock_lasts)
{
	struct eio_buffer_sink sink;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_wall_sleeper(&sw, "slept", EIO_SEC(7201));
	expect_ok(eio_dump(eio_buffer_sink_init(&sink, 4096)));
	ck_assert_msg(strstr(sink.data, "sleep, 2 h 0 min left"), "%s", sink.data);
	eio_buffer_sink_fini(&sink);
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	log_clear();
	return 0;
}

static int set_forward(void *arg)
{
	(void) arg;
	set_clock(EIO_SEC(1000));
	return 0;
}

static int set_back(void *arg)
{
	(void) arg;
	set_clock(-EIO_SEC(1000));
	return 0;
}

static int sleep_for_ten(void *arg)
{
	(void) arg;
	return eio_sleep(env->clock, EIO_MS(10));
}

static int limit_to_ten(void *arg)
{
	int64_t never = EIO_NEVER;

	(void) arg;
	expect_err(eio_timeout_run(env->clock, EIO_MS(10), sleep_by_the_wall, &never), -ETIMEDOUT);
	return 0;
}

RING_TEST(a_distance_stays_what_it_is_when_the_wall_clock_is_set)
{
	static eio_fn *const lasts_ten[] = {sleep_for_ten, limit_to_ten};
	static eio_fn *const sets[] = {set_forward, set_back};

	(void) arg;
	for (int i = 0; i < 4; i++) {
		int64_t start = eio_now_ns(env->mono_clock);

		expect_ok(eio_both(lasts_ten[i / 2], NULL, sets[i % 2], NULL));
		ck_assert(eio_now_ns(env->mono_clock) - start >= EIO_MS(10));
		ck_assert(eio_now_ns(env->mono_clock) - start < EIO_SEC(500));
	}
	return 0;
}

RING_TEST(a_beat_of_the_wall_clock_counts_what_it_jumped_over)
{
	struct eio_ticker t;

	(void) arg;
	eio_ticker_init(&t, env->clock, EIO_SEC(100));
	set_clock(EIO_SEC(350));
	expect_err(eio_ticker_next(&t), 3);
	set_clock(EIO_SEC(100));
	expect_err(eio_ticker_next(&t), 1);
	return 0;
}

SUITE_MAIN("alarm", true, a_far_deadline_comes_no_earlier_than_it_should_test,
	   an_earlier_deadline_moves_the_alarm_and_a_later_one_does_not_test,
	   limits_that_never_come_cost_one_alarm, an_alarm_that_rings_for_nothing_wakes_nobody_test,
	   a_limit_that_is_far_expires_in_the_middle_of_an_operation_test,
	   a_run_ends_though_its_alarm_is_set_for_hours,
	   with_a_queue_of_one_entry_deadlines_are_kept,
	   without_room_for_an_alarm_deadlines_are_kept,
	   without_room_for_an_alarm_the_wall_clock_is_not_measured_by_the_other,
	   a_step_of_the_wall_clock_ends_what_slept_until_then_and_nothing_else_test,
	   a_wall_clock_that_was_set_back_is_waited_for_test,
	   an_earlier_deadline_moves_the_alarm_of_the_wall_clock_too_test,
	   who_sleeps_by_the_wall_clock_is_not_woken_in_between,
	   a_busy_loop_does_not_hold_up_the_wall_clock_test,
	   a_dump_tells_how_long_a_sleep_by_the_wall_clock_lasts_test,
	   a_distance_stays_what_it_is_when_the_wall_clock_is_set_test,
	   a_beat_of_the_wall_clock_counts_what_it_jumped_over_test)
