/* SPDX-License-Identifier: ISC */
#include "io/elsewhere.h"

#include <eio/local.h>

static int note_and_give(void *arg)
{
	note("fiber%d", (int) eio_fiber_id());
	return *(int *) arg;
}

CORE_TEST(the_work_runs_in_another_fiber_and_its_result_comes_back)
{
	int rc = 42;

	(void) arg;
	expect_err(eio_domain_run(eio_mock_domain_mgr(), note_and_give, &rc), 42);
	expect_log("fiber2");
	rc = 0;
	expect_ok(eio_domain_run(eio_mock_domain_mgr(), note_and_give, &rc));
	log_clear();
	return 0;
}

static int yield_and_note(void *arg)
{
	int rc = eio_yield();

	note("%s", (const char *) arg);
	return rc;
}

CORE_TEST(the_caller_waits_while_others_run)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_and_note, "other"));
	expect_ok(eio_domain_run(eio_mock_domain_mgr(), yield_and_note, "work"));
	note("caller");
	expect_log("other work caller");
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

CORE_TEST(a_failure_comes_back_with_its_details)
{
	char line[128];

	(void) arg;
	expect_err(eio_domain_run(eio_mock_domain_mgr(), fail_link, NULL), -EXDEV);
	eio_error_format(-EXDEV, line, sizeof(line));
	ck_assert_str_eq(line, "link from there: Invalid cross-device link");
	expect_ok(eio_check());
	return 0;
}

CORE_TEST(work_that_was_cancelled_alone_is_abandoned)
{
	const struct eio_domain_opts opts = {.name = "worker"};
	char line[128];

	(void) arg;
	expect_err(eio_domain_run(eio_mock_domain_mgr(), give_up, NULL), EIO_EABANDONED);
	expect_err(eio_domain_run_with(eio_mock_domain_mgr(), &opts, give_up, NULL),
		   EIO_EABANDONED);
	eio_error_format(EIO_EABANDONED, line, sizeof(line));
	ck_assert_str_eq(line, "domain worker: The awaited work was cancelled");
	expect_ok(eio_check());
	return 0;
}

/* Waits for its cancellation; then it takes the time of a few yields. */
static int end_later(void *arg)
{
	struct eio_cancel protect;
	int rc = eio_await_cancel();

	note("%s", eio_err_name(rc));
	eio_cancel_protect_begin(&protect);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_yield());
	eio_cancel_end(&protect);
	note("ended");
	return arg ? *(int *) arg : rc;
}

struct run {
	eio_fn *fn;
	void *arg;
};

static int run(void *arg)
{
	const struct run *r = arg;
	int rc = eio_domain_run(eio_mock_domain_mgr(), r->fn, r->arg);

	note("run:%s", rc < 0 ? eio_err_name(rc) : "good");
	return rc;
}

CORE_TEST(cancellation_crosses_and_the_work_is_waited_for)
{
	struct run r = {end_later, NULL};
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	expect_cancelled_before(run, &r);
	expect_log("run:ECANCELED");
	eio_switch_begin(&sw);
	start(&sw, &c, run, &r);
	cancel_while_waiting(&c);
	expect_log("ECANCELED ended run:ECANCELED");
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

CORE_TEST(a_result_or_failure_that_came_though_cancelled_is_returned)
{
	int result = 7;
	struct run r = {end_later, &result};
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	eio_switch_begin(&sw);
	start(&sw, &c, run, &r);
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	expect_err(c.rc, 7);
	result = -EIO;
	start(&sw, &c, run, &r);
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	expect_err(c.rc, -EIO);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

static int must_not_be_run_raw(const struct eio_domain_opts *opts)
{
	return eio_domain_run_raw(eio_mock_domain_mgr(), opts, must_not_run, NULL);
}

static int must_not_be_run(const struct eio_domain_opts *opts)
{
	return eio_domain_run_with(eio_mock_domain_mgr(), opts, must_not_run, NULL);
}

/* As the real one does, so that a test with mocks finds them. */
CORE_TEST(options_out_of_range_are_refused)
{
	const struct eio_config bad = {.flags = 1u << 31}, good = {.n_blocks = 3};
	const struct eio_domain_opts all[] = {
		{.pin = true, .cpu = -1},
		{.pin = true, .cpu = CPU_SETSIZE},
		{.reserved = {NULL, NULL, NULL, &user}},
	};
	const struct eio_domain_opts with_bad = {.config = &bad}, with_good = {.config = &good};
	const struct eio_domain_opts not_pinned = {.cpu = -1};
	int rc = 3;

	(void) arg;
	for (size_t i = 0; i < COUNT(all); i++) {
		expect_err(must_not_be_run(&all[i]), -EINVAL);
		expect_err(must_not_be_run_raw(&all[i]), -EINVAL);
	}
	ck_assert_str_eq(eio_last_error()->subject, "reserved");
	expect_err(must_not_be_run(&with_bad), -EINVAL);
	ck_assert_str_eq(eio_last_error()->subject, "flags");
	expect_err(eio_domain_run_raw(eio_mock_domain_mgr(), &with_bad, give, &rc), 3);
	expect_err(eio_domain_run_with(eio_mock_domain_mgr(), &with_good, give, &rc), 3);
	expect_err(eio_domain_run_with(eio_mock_domain_mgr(), &not_pinned, give, &rc), 3);
	return 0;
}

CORE_TEST(a_zeroed_manager_is_ebadf_and_one_that_runs_nothing_is_not_supported)
{
	static const struct eio_domain_mgr_ops ops = {.name = "nothing"};

	(void) arg;
	expect_err(eio_domain_run((struct eio_domain_mgr){.ops = NULL}, fail_link, NULL), -EBADF);
	expect_err(eio_domain_run((struct eio_domain_mgr){.ops = &ops}, fail_link, NULL),
		   -EOPNOTSUPP);
	ck_assert_str_eq(eio_last_error()->subject, "nothing");
	return 0;
}

START_TEST(outside_a_domain_it_is_eperm)
{
	expect_err(eio_domain_run(eio_mock_domain_mgr(), fail_link, NULL), -EPERM);
}
END_TEST

CORE_TEST(the_work_inherits_no_fiber_locals)
{
	struct eio_binding b;

	(void) arg;
	eio_binding_begin(&b, &user, "somebody");
	expect_ok(eio_domain_run(eio_mock_domain_mgr(), note_user, NULL));
	eio_binding_end(&b);
	expect_log("unset");
	return 0;
}

MOCK_TEST(the_mock_environment_has_one)
{
	int rc = 3;

	(void) arg;
	expect_err(eio_domain_run(env->domain_mgr, note_and_give, &rc), 3);
	log_clear();
	return 0;
}

SUITE_MAIN("mock_domain", false, the_work_runs_in_another_fiber_and_its_result_comes_back_test,
	   the_caller_waits_while_others_run_test, a_failure_comes_back_with_its_details_test,
	   work_that_was_cancelled_alone_is_abandoned_test,
	   cancellation_crosses_and_the_work_is_waited_for_test,
	   a_result_or_failure_that_came_though_cancelled_is_returned_test,
	   options_out_of_range_are_refused_test,
	   a_zeroed_manager_is_ebadf_and_one_that_runs_nothing_is_not_supported_test,
	   outside_a_domain_it_is_eperm, the_work_inherits_no_fiber_locals_test,
	   the_mock_environment_has_one_test)
