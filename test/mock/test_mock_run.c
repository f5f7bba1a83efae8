/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

#include <eio/low_level.h>
#include <signal.h>

/* The environment */

MOCK_TEST(the_streams_are_mocks_with_labels_that_keep_what_is_written)
{
	char line[128];
	size_t len = 9;

	(void) arg;
	ck_assert_str_eq(env->backend_id, "mock");
	expect_err(eio_flow_read(env->in, line, 1), -ENODATA);
	eio_error_format(-ENODATA, line, sizeof(line));
	ck_assert_str_eq(line, "read stdin: No data available");
	ck_assert_str_eq(eio_mock_written(eio_mock_flow_of(env->out), &len), "");
	ck_assert_uint_eq(len, 0);
	expect_ok(eio_flow_copy_string(env->out, "to out"));
	expect_ok(eio_flow_copy_string(env->err, "to err"));
	ck_assert_str_eq(eio_mock_written(eio_mock_flow_of(env->out), &len), "to out");
	ck_assert_uint_eq(len, 6);
	ck_assert_str_eq(eio_mock_written(eio_mock_flow_of(env->err), NULL), "to err");
	ck_assert_ptr_null(eio_mock_flow_of(eio_null()));
	return 0;
}

MOCK_TEST(the_net_refuses_everything)
{
	struct eio_addr addr;
	struct eio_listener l;
	struct eio_flow f;
	char line[128];

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "127.0.0.1:80"));
	expect_err(eio_net_connect(env->net, NULL, &addr, NULL, &f), -ECONNREFUSED);
	eio_error_format(-ECONNREFUSED, line, sizeof(line));
	ck_assert_str_eq(line, "connect 127.0.0.1:80: Connection refused");
	expect_err(eio_net_listen(env->net, NULL, &addr, NULL, &l), -EADDRNOTAVAIL);
	ck_assert_str_eq(eio_last_error()->subject, "127.0.0.1:80");
	ck_assert_ptr_nonnull(eio_mock_net_of(env->net));
	ck_assert_ptr_null(eio_mock_net_of((struct eio_net){.ops = NULL}));
	return 0;
}

MOCK_TEST(there_are_no_files_and_no_ring)
{
	struct eio_flow f;

	(void) arg;
	expect_err(eio_fs_open_in(env->fs, NULL, "/etc/passwd", &f), -EBADF);
	expect_err(eio_fs_open_in(env->cwd, NULL, "x", &f), -EBADF);
	expect_err(eio_ll_noop(), -EPERM);
	return 0;
}

MOCK_TEST(the_clocks_begin_at_0_and_go_to_the_next_deadline_when_idle)
{
	(void) arg;
	ck_assert_int_eq(eio_now_ns(env->clock), 0);
	ck_assert_int_eq(eio_now_ns(env->mono_clock), 0);
	expect_ok(eio_sleep(env->clock, EIO_SEC(3600)));
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(3600));
	ck_assert_int_eq(eio_now_ns(env->mono_clock), EIO_SEC(3600));
	expect_ok(eio_sleep_until(env->mono_clock, EIO_SEC(7200)));
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(7200));
	return 0;
}

static int read_random(struct eio_env *e, void *buf)
{
	return eio_flow_read_exact(e->secure_random, buf, 10000);
}

START_TEST(random_bytes_are_the_same_in_every_run)
{
	static unsigned char a[10000], b[10000];
	unsigned seen[256] = {0};

	expect_ok(eio_mock_run(read_random, a));
	expect_ok(eio_mock_run(read_random, b));
	ck_assert_int_eq(memcmp(a, b, sizeof(a)), 0);
	for (size_t i = 0; i < sizeof(a); i++)
		seen[a[i]]++;
	/* 39 on average. */
	for (size_t i = 0; i < 256; i++)
		ck_assert_msg(seen[i] > 10 && seen[i] < 80, "%zu: %u times", i, seen[i]);
	ck_assert_int_ne(memcmp(a, a + 4096, 4096), 0);
}
END_TEST

MOCK_TEST(the_environment_may_be_changed)
{
	struct eio_mock_clock m;

	(void) arg;
	env->clock = eio_mock_clock_init(&m);
	expect_ok(eio_mock_clock_set(&m, EIO_SEC(1000000000)));
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(1000000000));
	ck_assert_int_eq(eio_now_ns(env->mono_clock), 0);
	eio_mock_clock_fini(&m);
	return 0;
}

/* The run */

static int give(struct eio_env *e, void *arg)
{
	(void) e;
	return *(int *) arg;
}

START_TEST(the_result_is_mains)
{
	int rc = 42;

	expect_err(eio_mock_run(give, &rc), 42);
	rc = -EXDEV;
	expect_err(eio_mock_run(give, &rc), -EXDEV);
	rc = -EBUSY;
	expect_err(eio_mock_run(give, &rc), -EBUSY);
	ck_assert_int_eq(eio_last_error()->code, 0);
}
END_TEST

CORE_TEST(a_run_inside_another_is_ebusy)
{
	char line[128];
	int rc = 0;

	(void) arg;
	expect_err(eio_mock_run(give, &rc), -EBUSY);
	eio_error_format(-EBUSY, line, sizeof(line));
	ck_assert_str_eq(line, "eio_mock_run this thread runs a domain already: "
			       "Device or resource busy");
	return 0;
}

static int await(void *promise)
{
	int rc = eio_promise_await(promise, NULL);

	note("%s", eio_err_name(rc));
	return rc;
}

static int wait_in_vain(void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, await, &p));
	expect_ok(eio_sleep(env->clock, EIO_SEC(1)));
	note("slept");
	expect_err(eio_switch_end(&sw, 0), -ECANCELED);
	note("ended");
	return 7;
}

START_TEST(a_deadlock_cancels_main_and_is_the_result)
{
	run_mock(wait_in_vain, -EDEADLK);
	expect_log("slept ECANCELED ended");
}
END_TEST

static int wait_protected(struct eio_env *e, void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	(void) e, (void) arg;
	return eio_promise_await_protected(&p, NULL);
}

static void run_protected(void *arg)
{
	eio_mock_run(wait_protected, arg);
}

START_TEST(a_deadlock_of_what_is_protected_aborts)
{
	expect_death(run_protected, NULL, SIGABRT, "deadlock");
}
END_TEST

SUITE_MAIN("mock_run", false, the_streams_are_mocks_with_labels_that_keep_what_is_written_test,
	   the_net_refuses_everything_test, there_are_no_files_and_no_ring_test,
	   the_clocks_begin_at_0_and_go_to_the_next_deadline_when_idle_test,
	   random_bytes_are_the_same_in_every_run, the_environment_may_be_changed_test,
	   the_result_is_mains, a_run_inside_another_is_ebusy_test,
	   a_deadlock_cancels_main_and_is_the_result, a_deadlock_of_what_is_protected_aborts)
