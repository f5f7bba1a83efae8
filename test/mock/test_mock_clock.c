/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

/* Moving */

CORE_TEST(it_begins_at_0_and_moves_only_when_told)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);

	(void) arg;
	ck_assert_int_eq(eio_now_ns(c), 0);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	ck_assert_int_eq(eio_now_ns(c), 0);
	expect_ok(eio_mock_clock_set(&m, 5));
	ck_assert_int_eq(eio_now_ns(c), 5);
	ck_assert_int_eq(eio_mock_clock_time(&m), 5);
	expect_ok(eio_mock_clock_set(&m, 5));
	eio_mock_clock_fini(&m);
	return 0;
}

struct sleep {
	struct eio_clock c;
	int64_t until;
	const char *name;
};

static int sleep_and_note(void *arg)
{
	const struct sleep *s = arg;
	int rc = eio_sleep_until(s->c, s->until);

	note(rc < 0 ? "%s!" : "%s", s->name);
	return 0;
}

static void fork_sleep(struct eio_switch *sw, struct eio_clock c, int64_t until, const char *name)
{
	const struct sleep s = {c, until, name};

	expect_ok(eio_fork_copy(sw, sleep_and_note, &s, sizeof(s)));
}

CORE_TEST(setting_it_back_is_einval_and_changes_nothing)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_mock_clock_set(&m, 10));
	fork_sleep(&sw, c, 11, "a");
	expect_err(eio_mock_clock_set(&m, 9), -EINVAL);
	expect_err(eio_mock_clock_set(&m, -1), -EINVAL);
	ck_assert_int_eq(eio_now_ns(c), 10);
	pass();
	expect_log("");
	ck_assert(eio_mock_clock_advance(&m));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a");
	eio_mock_clock_fini(&m);
	return 0;
}

CORE_TEST(sleepers_wake_by_deadline_and_equal_ones_in_order)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_sleep(&sw, c, 30, "late");
	fork_sleep(&sw, c, 20, "b");
	fork_sleep(&sw, c, 10, "a");
	fork_sleep(&sw, c, 20, "c");
	fork_sleep(&sw, c, 20, "d");
	fork_sleep(&sw, c, 31, "later");
	expect_ok(eio_mock_clock_set(&m, 9));
	pass();
	expect_log("");
	expect_ok(eio_mock_clock_set(&m, 30));
	expect_log("");
	pass();
	expect_log("a b c d late");
	expect_ok(eio_mock_clock_set(&m, 31));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("later");
	eio_mock_clock_fini(&m);
	return 0;
}

CORE_TEST(it_advances_from_deadline_to_deadline)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_switch sw;

	(void) arg;
	ck_assert(!eio_mock_clock_advance(&m));
	eio_switch_begin(&sw);
	fork_sleep(&sw, c, 20, "b");
	fork_sleep(&sw, c, 10, "a");
	fork_sleep(&sw, c, 20, "c");
	ck_assert(eio_mock_clock_advance(&m));
	ck_assert_int_eq(eio_now_ns(c), 10);
	pass();
	expect_log("a");
	ck_assert(eio_mock_clock_advance(&m));
	ck_assert_int_eq(eio_now_ns(c), 20);
	ck_assert(!eio_mock_clock_advance(&m));
	ck_assert_int_eq(eio_now_ns(c), 20);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("b c");
	eio_mock_clock_fini(&m);
	return 0;
}

/* Sleeping */

CORE_TEST(a_sleep_that_is_due_lets_ready_fibers_run_first)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_mock_clock_set(&m, 10));
	eio_switch_begin(&sw);
	fork_sleep(&sw, c, 10, "a");
	fork_sleep(&sw, c, 9, "b");
	expect_log("");
	expect_ok(eio_sleep(c, 0));
	note("main");
	fork_sleep(&sw, c, INT64_MIN, "c");
	expect_ok(eio_sleep(c, -5));
	note("main");
	expect_log("a b main c main");
	expect_ok(eio_switch_end(&sw, 0));
	eio_mock_clock_fini(&m);
	return 0;
}

static int nap(void *arg)
{
	const struct sleep *n = arg;

	return eio_sleep_until(n->c, n->until);
}

CORE_TEST(a_cancelled_sleep_leaves_the_clock)
{
	struct eio_mock_clock m;
	struct sleep n = {eio_mock_clock_init(&m), 10, NULL};
	struct eio_switch sw;
	struct caller a, b;

	(void) arg;
	expect_cancelled_before(nap, &n);
	n.until = -1;
	expect_cancelled_before(nap, &n);
	ck_assert(!eio_mock_clock_advance(&m));
	n.until = 10;
	eio_switch_begin(&sw);
	start(&sw, &a, nap, &n);
	start(&sw, &b, nap, &n);
	cancel_while_waiting(&a);
	ck_assert(eio_mock_clock_advance(&m));
	/* It is over already. */
	expect_ok(eio_cancel_raise(&b.ctx, -EINTR));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(b.rc, 0);
	ck_assert(!eio_mock_clock_advance(&m));
	eio_mock_clock_fini(&m);
	return 0;
}

CORE_TEST(a_sleep_for_ever_waits_for_cancellation)
{
	struct eio_mock_clock m;
	struct sleep n = {eio_mock_clock_init(&m), EIO_NEVER, NULL};
	struct eio_switch sw;
	struct caller a;

	(void) arg;
	eio_switch_begin(&sw);
	start(&sw, &a, nap, &n);
	ck_assert(!eio_mock_clock_advance(&m));
	expect_ok(eio_mock_clock_set(&m, EIO_NEVER - 1));
	cancel_while_waiting(&a);
	expect_ok(eio_switch_end(&sw, 0));
	eio_mock_clock_fini(&m);
	return 0;
}

static int sleep_alone(void *arg)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);

	(void) arg;
	expect_err(eio_sleep(c, 1), -ECANCELED);
	ck_assert_int_eq(eio_now_ns(c), 0);
	eio_mock_clock_fini(&m);
	return 0;
}

START_TEST(who_sleeps_on_it_alone_is_in_a_deadlock)
{
	run_mock(sleep_alone, -EDEADLK);
}
END_TEST

/* Time limits */

struct limited {
	struct eio_clock c;
	int64_t ns;
	const char *name;
};

static int wait_limited(void *arg)
{
	const struct limited *l = arg;
	struct eio_timeout t;
	int rc;

	eio_timeout_begin(&t, l->c, l->ns);
	rc = eio_timeout_end(&t, eio_await_cancel());
	note("%s:%s", l->name, eio_err_name(rc));
	return 0;
}

CORE_TEST(time_limits_expire_when_told_in_order)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct limited a = {c, 10, "a"}, b = {c, 10, "b"}, late = {c, 20, "late"};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_limited, &late));
	expect_ok(eio_fork(&sw, wait_limited, &a));
	expect_ok(eio_fork(&sw, wait_limited, &b));
	fork_sleep(&sw, c, 10, "slept");
	expect_ok(eio_mock_clock_set(&m, 9));
	pass();
	expect_log("");
	ck_assert(eio_mock_clock_advance(&m));
	pass();
	expect_log("a:ETIMEDOUT b:ETIMEDOUT slept");
	ck_assert(eio_mock_clock_advance(&m));
	ck_assert_int_eq(eio_now_ns(c), 20);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("late:ETIMEDOUT");
	eio_mock_clock_fini(&m);
	return 0;
}

CORE_TEST(a_limit_that_was_not_needed_leaves_nothing_and_a_moved_one_moves)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, c, 10);
	expect_err(eio_timeout_end(&t, 3), 3);
	ck_assert(!eio_mock_clock_advance(&m));

	eio_timeout_begin(&t, c, 10);
	expect_ok(eio_mock_clock_set(&m, 9));
	eio_timeout_reset(&t, 10);
	expect_ok(eio_mock_clock_set(&m, 18));
	expect_ok(eio_check());
	ck_assert(eio_mock_clock_advance(&m));
	ck_assert_int_eq(eio_now_ns(c), 19);
	expect_err(eio_timeout_end(&t, eio_check()), -ETIMEDOUT);
	eio_mock_clock_fini(&m);
	return 0;
}

/* A timer that arms itself again. */
struct ticking {
	struct eio_timer timer;
	struct eio_clock c;
	int64_t next;
};

static void tick(struct eio_timer *t)
{
	struct ticking *k = (struct ticking *) t;

	note("%d@%d", (int) k->next, (int) eio_now_ns(k->c));
	k->next += 10;
	k->c.ops->timer_start(k->c, &k->timer, k->next);
}

CORE_TEST(a_timer_armed_by_a_timer_fires_in_the_same_move_if_it_is_due)
{
	struct eio_mock_clock m;
	struct ticking k = {{.fn = tick}, eio_mock_clock_init(&m), 10};

	(void) arg;
	k.c.ops->timer_start(k.c, &k.timer, 10);
	expect_ok(eio_mock_clock_set(&m, 25));
	expect_log("10@25 20@25");
	ck_assert(eio_mock_clock_advance(&m));
	expect_log("30@30");
	k.c.ops->timer_stop(k.c, &k.timer);
	k.c.ops->timer_stop(k.c, &k.timer);
	ck_assert(!eio_mock_clock_advance(&m));
	eio_mock_clock_fini(&m);
	return 0;
}

static int set_to_ten(void *clock)
{
	return eio_mock_clock_set(clock, 10);
}

CORE_TEST(nobody_else_moves_a_clock_that_fibers_wait_for)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	fork_sleep(&sw, c, 5, "a");
	expect_err(on_plain_thread(set_to_ten, &m), -EPERM);
	expect_err(in_other_domain(set_to_ten, &m), -EPERM);
	ck_assert_int_eq(eio_now_ns(c), 0);
	expect_ok(eio_mock_clock_set(&m, 5));
	expect_ok(on_plain_thread(set_to_ten, &m));
	ck_assert_int_eq(eio_now_ns(c), 10);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a");
	eio_mock_clock_fini(&m);
	return 0;
}

static int end_in_use(void *arg)
{
	struct eio_mock_clock m;
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, eio_mock_clock_init(&m), 10);
	eio_mock_clock_fini(&m);
	return 0;
}

START_TEST(ending_a_clock_in_use_aborts)
{
	expect_abort(end_in_use, NULL, "eio_mock_clock_fini");
}
END_TEST

START_TEST(sleeping_outside_a_domain_is_eperm)
{
	struct eio_mock_clock m;
	struct eio_clock c = eio_mock_clock_init(&m);

	expect_err(eio_sleep(c, 1), -EPERM);
	expect_ok(eio_mock_clock_set(&m, 3));
	ck_assert_int_eq(eio_now_ns(c), 3);
	eio_mock_clock_fini(&m);
}
END_TEST

SUITE_MAIN("mock_clock", false, it_begins_at_0_and_moves_only_when_told_test,
	   setting_it_back_is_einval_and_changes_nothing_test,
	   sleepers_wake_by_deadline_and_equal_ones_in_order_test,
	   it_advances_from_deadline_to_deadline_test,
	   a_sleep_that_is_due_lets_ready_fibers_run_first_test,
	   a_cancelled_sleep_leaves_the_clock_test, a_sleep_for_ever_waits_for_cancellation_test,
	   who_sleeps_on_it_alone_is_in_a_deadlock, time_limits_expire_when_told_in_order_test,
	   a_limit_that_was_not_needed_leaves_nothing_and_a_moved_one_moves_test,
	   a_timer_armed_by_a_timer_fires_in_the_same_move_if_it_is_due_test,
	   nobody_else_moves_a_clock_that_fibers_wait_for_test, ending_a_clock_in_use_aborts,
	   sleeping_outside_a_domain_is_eperm)
