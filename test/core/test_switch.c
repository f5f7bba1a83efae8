/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/error.h"
#include "io/env.h"
#include "mock/sched.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static int fail_with(int rc, const char *subject)
{
	return eio_error_set(rc, "connect", subject);
}

/* Waiting and results */

CORE_TEST(end_waits_for_fibers)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 1, 0));
	expect_ok(fork_step(&sw, "b", 3, 0));
	note("body");
	expect_ok(eio_switch_end(&sw, 0));
	note("end");
	expect_log("a+ b+ body a- b- end");
	return 0;
}

static int fork_another(void *arg)
{
	expect_ok(eio_yield());
	expect_ok(fork_step(arg, "grandchild", 3, 0));
	return 0;
}

CORE_TEST(end_waits_for_fibers_forked_while_it_waits)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fork_another, &sw));
	expect_ok(eio_switch_end(&sw, 0));
	note("end");
	expect_log("grandchild+ grandchild- end");
	return 0;
}

CORE_TEST(end_returns_the_bodys_result)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_switch_end(&sw, 7), 7);
	eio_switch_begin(&sw);
	expect_err(eio_switch_end(&sw, -EPIPE), -EPIPE);
	return 0;
}

CORE_TEST(a_positive_result_of_a_fiber_is_no_failure)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 1, 42));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a+ a-");
	return 0;
}

static int body(struct eio_switch *sw, void *arg)
{
	expect_ok(fork_step(sw, "a", 1, 0));
	note("body");
	return *(int *) arg;
}

CORE_TEST(run_is_begin_body_end)
{
	int good = 3, bad = -EIO;

	(void) arg;
	expect_err(eio_switch_run(body, &good), 3);
	expect_err(eio_switch_run(body, &bad), -EIO);
	expect_log("a+ body a- a+ body a!");
	return 0;
}

/* Failures */

CORE_TEST(the_first_failure_cancels_the_rest_and_is_returned)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", FOR_EVER, 0));
	expect_ok(fork_step(&sw, "b", 1, -EIO));
	expect_ok(fork_step(&sw, "c", 9, 0));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(eio_switch_error(&sw), -EIO);
	expect_log("a+ b+ c+ b- c! a!");
	return 0;
}

CORE_TEST(a_failing_body_cancels_the_fibers)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", FOR_EVER, 0));
	expect_err(eio_switch_end(&sw, -ENOENT), -ENOENT);
	expect_log("a+ a!");
	return 0;
}

static int fail_when_cancelled(void *arg)
{
	expect_err(eio_await_cancel(), -ECANCELED);
	return *(int *) arg;
}

CORE_TEST(later_distinct_failures_are_kept_in_order)
{
	int codes[8], later[] = {-ENOENT, -EPIPE, -EIO, -ENOENT};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fail_when_cancelled, &later[3]));
	expect_ok(eio_fork(&sw, fail_when_cancelled, &later[2]));
	expect_ok(eio_fork(&sw, fail_when_cancelled, &later[1]));
	expect_ok(eio_fork(&sw, fail_when_cancelled, &later[0]));
	expect_ok(fork_step(&sw, "a", 1, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	memset(codes, 0, sizeof(codes));
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 8), 3);
	ck_assert_int_eq(codes[0], -EIO);
	ck_assert_int_eq(codes[1], -ENOENT);
	ck_assert_int_eq(codes[2], -EPIPE);
	ck_assert_int_eq(codes[3], 0);
	log_clear();
	return 0;
}

CORE_TEST(failures_writes_no_more_than_it_may)
{
	int codes[3] = {1, 1, 1};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 3), 0);
	ck_assert_int_eq(codes[0], 1);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_ok(eio_switch_fail(&sw, -EPIPE));
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 1), 2);
	ck_assert_int_eq(codes[0], -EIO);
	ck_assert_int_eq(codes[1], 1);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

CORE_TEST(sixteen_failures_are_kept)
{
	struct eio_switch sw;
	int codes[20];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 1; i <= 20; i++)
		expect_ok(eio_switch_fail(&sw, -i));
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 20), 16);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(codes[i], -(i + 1));
	expect_err(eio_switch_end(&sw, 0), -1);
	return 0;
}

CORE_TEST(fail_takes_negative_codes_of_an_open_switch_only)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_switch_fail(&sw, 0), -EINVAL);
	expect_err(eio_switch_fail(&sw, 5), -EINVAL);
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_switch_fail(&sw, -EIO), -EINVAL);
	expect_err(eio_switch_error(&sw), 0);
	return 0;
}

CORE_TEST(check_tells_open_cancelled_and_finished)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_switch_check(&sw), -ECANCELED);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(eio_switch_check(&sw), -EINVAL);
	expect_ok(eio_check());
	return 0;
}

/* Cancellation is not a failure */

CORE_TEST(cancelled_is_what_an_uncancelled_fiber_may_return)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 9, 0));
	expect_ok(fork_step(&sw, "b", 1, -ECANCELED));
	expect_err(eio_switch_end(&sw, 0), -ECANCELED);
	expect_err(eio_switch_error(&sw), 0);
	ck_assert_uint_eq(eio_switch_failures(&sw, NULL, 0), 0);
	expect_ok(eio_check());
	expect_log("a+ b+ b- a!");
	return 0;
}

CORE_TEST(cancelled_is_what_an_uncancelled_body_may_return)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 9, 0));
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	expect_err(eio_switch_error(&sw), 0);
	expect_log("a+ a!");
	return 0;
}

CORE_TEST(failing_with_ecanceled_cancels)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 9, 0));
	expect_ok(eio_switch_fail(&sw, -ECANCELED));
	expect_err(eio_switch_end(&sw, 0), -ECANCELED);
	expect_log("a+ a!");
	return 0;
}

CORE_TEST(a_failure_is_returned_rather_than_the_cancellation_before_it)
{
	int rc = -ENOENT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fail_when_cancelled, &rc));
	expect_err(eio_switch_end(&sw, -ECANCELED), -ENOENT);
	return 0;
}

CORE_TEST(a_result_is_returned_though_the_switch_was_cancelled)
{
	struct eio_cancel outer;
	struct eio_switch sw;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_switch_begin(&sw);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	expect_err(eio_switch_check(&sw), -ECANCELED);
	expect_err(eio_switch_end(&sw, 7), 7);
	eio_cancel_end(&outer);
	return 0;
}

/* Parents and children */

CORE_TEST(a_child_fails_without_its_parent)
{
	struct eio_switch parent, child;

	(void) arg;
	eio_switch_begin(&parent);
	expect_ok(fork_step(&parent, "a", 4, 0));
	eio_switch_begin(&child);
	expect_ok(fork_step(&child, "b", 1, -EIO));
	expect_err(eio_switch_end(&child, 0), -EIO);
	expect_ok(eio_check());
	expect_ok(eio_switch_check(&parent));
	expect_ok(eio_switch_end(&parent, 0));
	expect_log("a+ b+ b- a-");
	return 0;
}

CORE_TEST(a_child_is_cancelled_without_its_parent)
{
	struct eio_switch parent, child;

	(void) arg;
	eio_switch_begin(&parent);
	expect_ok(fork_step(&parent, "a", 4, 0));
	eio_switch_begin(&child);
	expect_ok(fork_step(&child, "b", FOR_EVER, 0));
	expect_ok(fork_step(&child, "c", 1, -ECANCELED));
	expect_err(eio_switch_end(&child, 0), -ECANCELED);
	expect_ok(eio_check());
	expect_ok(eio_switch_check(&parent));
	expect_ok(eio_switch_end(&parent, 0));
	expect_log("a+ b+ c+ c- b! a-");
	return 0;
}

CORE_TEST(a_cancelled_parent_cancels_its_children)
{
	struct eio_switch parent, child;

	(void) arg;
	eio_switch_begin(&parent);
	eio_switch_begin(&child);
	expect_ok(fork_step(&child, "a", FOR_EVER, 0));
	expect_ok(eio_switch_fail(&parent, -EIO));
	expect_err(eio_switch_check(&child), -ECANCELED);
	expect_err(eio_switch_error(&child), 0);
	expect_err(eio_switch_end(&child, 0), -ECANCELED);
	expect_err(eio_switch_end(&parent, 0), -EIO);
	expect_log("a+ a!");
	return 0;
}

CORE_TEST(a_protected_switch_is_not_reached)
{
	struct eio_switch parent, child;

	(void) arg;
	eio_switch_begin(&parent);
	eio_switch_begin_protected(&child);
	expect_ok(fork_step(&child, "a", 2, 0));
	expect_ok(eio_switch_fail(&parent, -EIO));
	expect_ok(eio_switch_check(&child));
	expect_ok(fork_step(&child, "b", 1, 0));
	expect_ok(eio_switch_end(&child, 0));
	expect_err(eio_check(), -ECANCELED);
	eio_switch_begin_protected(&child);
	expect_ok(eio_check());
	expect_ok(eio_switch_fail(&child, -EPIPE));
	expect_err(eio_switch_end(&child, 0), -EPIPE);
	expect_err(eio_switch_end(&parent, 0), -EIO);
	expect_log("a+ b+ b- a-");
	return 0;
}

CORE_TEST(a_switch_begun_in_a_cancelled_context_takes_no_forks)
{
	struct eio_switch parent, child;

	(void) arg;
	eio_switch_begin(&parent);
	expect_ok(eio_switch_fail(&parent, -EIO));
	eio_switch_begin(&child);
	expect_err(fork_step(&child, "a", 0, 0), -ECANCELED);
	expect_err(eio_switch_end(&child, 4), 4);
	expect_err(eio_switch_end(&parent, 0), -EIO);
	expect_log("");
	return 0;
}

/* Details of failures */

static int fail_to_connect(void *arg)
{
	yield_times(*(const char *) arg == 'z' ? 2 : 1);
	return fail_with(-ECONNREFUSED, arg);
}

static void expect_details(int rc, const char *subject)
{
	const struct eio_error *e = eio_last_error();

	expect_err(e->code, rc);
	ck_assert_str_eq(e->op, "connect");
	ck_assert_str_eq(e->subject, subject);
}

CORE_TEST(the_first_failures_details_are_the_enders_last_error)
{
	struct eio_switch sw;

	(void) arg;
	fail_with(-EIO, "before");
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fail_to_connect, "z:80"));
	expect_ok(eio_fork(&sw, fail_to_connect, "a:80"));
	expect_err(eio_switch_end(&sw, 0), -ECONNREFUSED);
	expect_details(-ECONNREFUSED, "a:80");
	return 0;
}

static int nest(void *arg)
{
	struct eio_switch sw;
	int depth = *(int *) arg - 1;

	if (depth < 0)
		return fail_with(-ENOENT, "deep");
	eio_switch_begin(&sw);
	eio_fork(&sw, nest, &depth);
	return eio_switch_end(&sw, 0);
}

CORE_TEST(details_travel_through_nested_switches)
{
	(void) arg;
	expect_err(nest(&(int){20}), -ENOENT);
	expect_details(-ENOENT, "deep");
	return 0;
}

CORE_TEST(the_bodys_own_details_are_kept)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 1, -EPIPE));
	expect_err(eio_switch_end(&sw, fail_with(-EIO, "body")), -EIO);
	expect_details(-EIO, "body");
	log_clear();
	return 0;
}

static int fail_and_return_another(void *arg)
{
	(void) arg;
	fail_with(-EIO, "swallowed");
	return -EPIPE;
}

CORE_TEST(details_of_another_code_do_not_travel)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fail_and_return_another, NULL));
	expect_err(eio_switch_end(&sw, 0), -EPIPE);
	expect_err(eio_last_error()->code, 0);
	return 0;
}

static int expect_no_error(void *arg)
{
	(void) arg;
	expect_err(eio_last_error()->code, 0);
	return fail_with(-EIO, "own");
}

CORE_TEST(a_new_fiber_has_no_last_error)
{
	struct eio_switch sw;

	(void) arg;
	fail_with(-EPIPE, "mains");
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&sw);
		eio_fork(&sw, expect_no_error, NULL);
		expect_err(eio_switch_end(&sw, 0), -EIO);
	}
	return 0;
}

static int failing_hook(void *arg)
{
	note("%s", (const char *) arg);
	return fail_with(-EBUSY, arg);
}

/* Hooks */

CORE_TEST(hooks_run_last_in_first_out_after_the_fibers)
{
	struct eio_hook a, b, c;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(fork_step(&sw, "fiber", 3, 0));
	expect_ok(eio_on_release(&sw, &b, note_word, "b"));
	expect_ok(eio_on_release(&sw, &c, note_word, "c"));
	note("body");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("fiber+ body fiber- c b a");
	return 0;
}

static int suspending_hook(void *arg)
{
	expect_ok(eio_check());
	expect_ok(yield_times(3));
	note("%s", (const char *) arg);
	return 0;
}

CORE_TEST(hooks_are_protected_and_may_suspend)
{
	struct eio_hook a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, suspending_hook, "a"));
	expect_ok(eio_on_release(&sw, &b, suspending_hook, "b"));
	expect_err(eio_switch_end(&sw, -EIO), -EIO);
	expect_log("b a");
	return 0;
}

struct cancelled_meanwhile {
	struct eio_cancel outer;
};

static int cancel_outer(void *arg)
{
	struct cancelled_meanwhile *c = arg;

	expect_ok(eio_cancel_raise(&c->outer, -EPIPE));
	expect_ok(eio_check());
	expect_ok(eio_yield());
	note("hook");
	return 0;
}

CORE_TEST(a_cancellation_during_a_hook_does_not_reach_it)
{
	struct cancelled_meanwhile c;
	struct eio_hook a, b;
	struct eio_switch sw;

	(void) arg;
	eio_cancel_begin(&c.outer);
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, suspending_hook, "next"));
	expect_ok(eio_on_release(&sw, &b, cancel_outer, &c));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&c.outer);
	expect_log("hook next");
	return 0;
}

CORE_TEST(hooks_are_taken_by_a_cancelled_switch)
{
	struct eio_hook a;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release_alloc(&sw, note_word, "b"));
	note("body");
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("body b a");
	return 0;
}

CORE_TEST(failing_hooks_count_and_keep_no_other_from_running)
{
	int codes[4] = {0};
	struct eio_hook a, b, c;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release(&sw, &b, failing_hook, "b"));
	expect_ok(eio_on_release(&sw, &c, fail_and_return_another, NULL));
	expect_err(eio_switch_end(&sw, 3), -EPIPE);
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 4), 2);
	ck_assert_int_eq(codes[0], -EPIPE);
	ck_assert_int_eq(codes[1], -EBUSY);
	expect_log("b a");
	return 0;
}

CORE_TEST(a_failing_hooks_details_travel)
{
	struct eio_hook a;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, failing_hook, "a"));
	expect_err(eio_switch_end(&sw, 0), -EBUSY);
	expect_details(-EBUSY, "a");
	expect_log("a");
	return 0;
}

static int forking_hook(void *arg)
{
	note("hook");
	expect_ok(fork_step(arg, "late", 3, 0));
	return 0;
}

CORE_TEST(fibers_forked_by_a_hook_are_awaited_before_the_next_hook)
{
	struct eio_hook a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release(&sw, &b, forking_hook, &sw));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("hook late+ late- a");
	return 0;
}

static int fork_failure(void *arg)
{
	expect_ok(fork_step(arg, "late", 1, -EPIPE));
	return 0;
}

static int wait_for_end(void *arg)
{
	int rc = eio_await_cancel();

	note("%s", (const char *) arg);
	return rc;
}

CORE_TEST(a_hook_may_fork_after_the_daemons_ended)
{
	struct eio_switch sw;
	struct eio_hook b;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &b, forking_hook, &sw));
	expect_ok(eio_fork_daemon(&sw, wait_for_end, "daemon"));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_msg(strncmp(log_text(), "daemon ", 7) == 0, "%s", log_text());
	ck_assert_str_ne(log_text() + 7, "");
	log_clear();
	return 0;
}

static int fail_the_switch_when_cancelled(void *sw)
{
	int rc = eio_await_cancel();

	expect_ok(eio_switch_fail(sw, -EIO));
	return rc;
}

static int find_it_failed(void *sw)
{
	expect_err(eio_switch_check(sw), -ECANCELED);
	return 0;
}

CORE_TEST(a_switch_that_failed_while_its_daemons_ended_stays_so_for_its_hooks)
{
	struct eio_switch sw;
	struct eio_hook hook;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &hook, find_it_failed, &sw));
	expect_ok(eio_fork_daemon(&sw, fail_the_switch_when_cancelled, &sw));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

static int give_enoent(void *arg)
{
	(void) arg;
	return -ENOENT;
}

/* The caller's own older failure with the same code is another one. */
CORE_TEST(a_failure_without_details_does_not_get_older_ones)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	char text[256];

	(void) arg;
	eio_error_set(-ENOENT, "open", "elsewhere");
	eio_switch_begin(&sw);
	eio_fork(&sw, give_enoent, NULL);
	expect_err(eio_switch_end(&sw, 0), -ENOENT);
	eio_error_format(-ENOENT, text, sizeof(text));
	ck_assert_str_eq(text, eio_strerror(-ENOENT));

	eio_error_set(-ENOENT, "open", "elsewhere");
	eio_switch_begin(&sw);
	eio_fork_promise(&sw, give_enoent, NULL, &p);
	expect_err(eio_promise_await(&p, NULL), -ENOENT);
	eio_error_format(-ENOENT, text, sizeof(text));
	ck_assert_str_eq(text, eio_strerror(-ENOENT));
	return eio_switch_end(&sw, 0);
}

static int end_foreign_context(void *arg)
{
	eio_cancel_end(arg);
	return 0;
}

static int end_foreign_switch(void *arg)
{
	expect_err(eio_switch_end(arg, 0), -EPERM);
	return 0;
}

CORE_TEST(ending_a_switch_or_a_context_of_another_domain_changes_nothing)
{
	struct eio_switch sw;
	struct eio_cancel c;

	(void) arg;
	eio_switch_begin(&sw);
	eio_cancel_begin(&c);
	in_other_domain(end_foreign_context, &c);
	in_other_domain(end_foreign_switch, &sw);
	expect_ok(eio_check());
	eio_cancel_end(&c);
	return eio_switch_end(&sw, 0);
}

CORE_TEST(a_failure_of_a_fiber_forked_by_a_hook_counts)
{
	struct eio_hook a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release(&sw, &b, fork_failure, &sw));
	expect_err(eio_switch_end(&sw, 0), -EPIPE);
	expect_log("late+ late- a");
	return 0;
}

struct chain {
	struct eio_switch *sw;
	struct eio_hook hook;
};

static int attach_another(void *arg)
{
	struct chain *c = arg;

	note("first");
	expect_ok(eio_on_release(c->sw, &c->hook, note_word, "attached"));
	return 0;
}

CORE_TEST(a_hook_attached_by_a_hook_runs_next)
{
	struct eio_hook a, b;
	struct eio_switch sw;
	struct chain c = {.sw = &sw};

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "last"));
	expect_ok(eio_on_release(&sw, &b, attach_another, &c));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("first attached last");
	return 0;
}

static int note_protected(void *arg)
{
	expect_ok(eio_check());
	note("%s", (const char *) arg);
	return -EBUSY;
}

CORE_TEST(a_hook_on_a_finished_switch_runs_at_once_and_protected)
{
	struct eio_cancel c;
	struct eio_switch sw;
	struct eio_hook hook;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_on_release(&sw, &hook, note_protected, "a"), -EINVAL);
	expect_err(eio_on_release_alloc(&sw, note_protected, "b"), -EINVAL);
	ck_assert(!eio_hook_remove(&hook));
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&c);
	expect_log("a b");
	return 0;
}

CORE_TEST(a_hook_is_removed_once)
{
	struct eio_hook a, b, c;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release(&sw, &b, note_word, "b"));
	expect_ok(eio_on_release(&sw, &c, note_word, "c"));
	ck_assert(eio_hook_remove(&b));
	ck_assert(!eio_hook_remove(&b));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(!eio_hook_remove(&a));
	expect_log("c a");
	return 0;
}

CORE_TEST(a_removed_hook_can_be_attached_again)
{
	struct eio_hook a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &a, note_word, "a"));
	expect_ok(eio_on_release(&sw, &b, note_word, "b"));
	ck_assert(eio_hook_remove(&a));
	expect_ok(eio_on_release(&sw, &a, note_word, "again"));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("again b");
	return 0;
}

static int remove_hooks(void *arg)
{
	struct eio_hook *hooks = arg; /* itself and one that is still to come */

	note("running");
	ck_assert(!eio_hook_remove(&hooks[1]));
	ck_assert(eio_hook_remove(&hooks[0]));
	return 0;
}

CORE_TEST(a_running_hook_cannot_be_removed_but_one_to_come_can)
{
	struct eio_hook hooks[2];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &hooks[0], note_word, "removed"));
	expect_ok(eio_on_release(&sw, &hooks[1], remove_hooks, hooks));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("running");
	return 0;
}

CORE_TEST(allocated_hooks_run_like_the_others)
{
	struct eio_hook a;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release_alloc(&sw, failing_hook, "first"));
	expect_ok(eio_on_release(&sw, &a, note_word, "second"));
	expect_ok(eio_on_release_alloc(&sw, note_word, "third"));
	expect_err(eio_switch_end(&sw, 0), -EBUSY);
	expect_log("third second first");
	return 0;
}

/* Without memory. Nothing is asserted meanwhile: that takes some. */

static struct rlimit address_space;
static void *volatile memory; /* compilers know malloc and would leave it out */

static void use_memory_up(void)
{
	struct rlimit none;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &address_space), 0);
	none = address_space;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	for (size_t size = 1 << 20; size > 8; size /= 2) {
		while ((memory = malloc(size)))
			;
	}
}

static int note_check(void *arg)
{
	*(int *) arg = eio_check();
	return 0;
}

static int attach_without_memory(void *arg)
{
	int rc, outside, inside = 1;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	use_memory_up();
	rc = eio_on_release_alloc(&sw, note_check, &inside);
	outside = eio_check();
	setrlimit(RLIMIT_AS, &address_space);
	expect_err(rc, -ENOMEM);
	expect_ok(inside);
	expect_err(outside, -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

START_TEST(a_hook_that_finds_no_memory_runs_at_once_and_protected)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(attach_without_memory, NULL));
}
END_TEST

static int fail_without_memory(void *arg)
{
	struct eio_switch sw;
	int rc, code;

	(void) arg;
	use_memory_up();
	eio_switch_begin(&sw);
	rc = eio_switch_end(&sw, fail_with(-EIO, "x"));
	code = eio_last_error()->code;
	eio__fail_done(-EIO, "write", 3);
	setrlimit(RLIMIT_AS, &address_space);
	expect_err(rc, -EIO);
	expect_err(code, 0);
	return 0;
}

START_TEST(a_failure_that_finds_no_memory_for_its_details_is_returned)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(fail_without_memory, NULL));
}
END_TEST

/* Other domains */

struct foreign {
	struct eio_switch sw;
	struct eio_hook attached, other;
};

static int use_foreign(void *arg)
{
	struct foreign *f = arg;

	expect_err(eio_switch_check(&f->sw), -EPERM);
	expect_err(eio_switch_fail(&f->sw, -EIO), -EPERM);
	expect_err(eio_on_release(&f->sw, &f->other, note_word, "other"), -EPERM);
	expect_err(eio_on_release_alloc(&f->sw, note_word, "other"), -EPERM);
	ck_assert(!eio_hook_remove(&f->attached));
	ck_assert(!eio_hook_remove(&f->other));
	return 0;
}

CORE_TEST(another_domain_changes_nothing)
{
	struct foreign f;

	(void) arg;
	eio_switch_begin(&f.sw);
	expect_ok(eio_on_release(&f.sw, &f.attached, note_word, "hook"));
	expect_ok(in_other_domain(use_foreign, &f));
	expect_ok(on_plain_thread(use_foreign, &f));
	expect_ok(eio_switch_check(&f.sw));
	note("body");
	expect_ok(eio_switch_end(&f.sw, 0));
	expect_ok(in_other_domain(use_foreign, &f));
	expect_log("body hook");
	return 0;
}

static int unused_body(struct eio_switch *sw, void *arg)
{
	(void) sw, (void) arg;
	ck_abort();
}

START_TEST(run_outside_a_domain_gives_eperm)
{
	expect_err(eio_switch_run(unused_body, NULL), -EPERM);
}
END_TEST

/* Broken structure */

static void begin_switch(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
}

static int end_outer_first(void *arg)
{
	struct eio_switch outer;
	struct eio_cancel inner;

	(void) arg;
	eio_switch_begin(&outer);
	eio_cancel_begin(&inner);
	return eio_switch_end(&outer, 0);
}

/* A child still waits: it must abort all the same, and not hang. */
static int end_around_a_scope_with_a_child(void *arg)
{
	struct eio_cancel inner;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	eio_fork(&sw, wait_for_end, "child");
	eio_cancel_begin(&inner);
	return eio_switch_end(&sw, 0);
}

static int end_of_anothers(void *sw)
{
	return eio_switch_end(sw, 0);
}

static int end_by_another_fiber(void *arg)
{
	struct eio_switch outer, inner;

	(void) arg;
	eio_switch_begin(&outer);
	eio_switch_begin_named(&inner, "mine");
	eio_fork(&outer, end_of_anothers, &inner);
	return 0;
}

/* Every kind of scope, begun and never ended, in storage that outlives the fiber. */

static struct eio_switch open_switch;
static struct eio_cancel open_context;
static struct eio_timeout open_timeout;
static struct eio_mutex open_mutex;

static void leave_switch(void)
{
	eio_switch_begin(&open_switch);
}

static void leave_named_switch(void)
{
	eio_switch_begin_named(&open_switch, "clients");
}

static void leave_protected_switch(void)
{
	eio_switch_begin_protected(&open_switch);
}

static void leave_context(void)
{
	eio_cancel_begin(&open_context);
}

static void leave_protected_context(void)
{
	eio_cancel_protect_begin(&open_context);
}

static void leave_timeout(void)
{
	eio_timeout_begin(&open_timeout, eio__clock_mono(), EIO_NEVER);
}

static void leave_section(void)
{
	eio_mutex_init(&open_mutex);
	expect_ok(eio_mutex_rw_begin(&open_mutex, true));
}

static const struct scope {
	void (*begin)(void);
	const char *kind;
} scopes[] = {
	{leave_switch, "switch"},
	{leave_named_switch, "switch clients"},
	{leave_protected_switch, "switch"},
	{leave_context, "cancellation context"},
	{leave_protected_context, "protected context"},
	{leave_timeout, "timeout"},
	{leave_section, "protected section"},
};

enum { N_SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

/* The outer scopes that end around one that is still open. */

static int end_switch_around(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin_named(&sw, "outer");
	((const struct scope *) arg)->begin();
	return eio_switch_end(&sw, 0);
}

static int end_context_around(void *arg)
{
	struct eio_cancel c;

	eio_cancel_begin(&c);
	((const struct scope *) arg)->begin();
	eio_cancel_end(&c);
	return 0;
}

static int end_protected_context_around(void *arg)
{
	struct eio_cancel c;

	eio_cancel_protect_begin(&c);
	((const struct scope *) arg)->begin();
	eio_cancel_end(&c);
	return 0;
}

static int end_timeout_around(void *arg)
{
	struct eio_timeout t;

	eio_timeout_begin(&t, eio__clock_mono(), EIO_SEC(1000));
	((const struct scope *) arg)->begin();
	return eio_timeout_end(&t, 0);
}

static int end_section_around(void *arg)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	expect_ok(eio_mutex_rw_begin(&m, true));
	((const struct scope *) arg)->begin();
	return eio_mutex_rw_end(&m, 0);
}

static int begin_scope(void *arg)
{
	((const struct scope *) arg)->begin();
	return 0;
}

static int end_hook_around(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_on_release_alloc(&sw, begin_scope, arg));
	return eio_switch_end(&sw, 0);
}

static const struct outer {
	eio_fn *fn;
	const char *kind;
} outers[] = {
	{end_switch_around, "switch outer"},
	{end_context_around, "cancellation context"},
	{end_protected_context_around, "protected context"},
	{end_timeout_around, "timeout"},
	{end_section_around, "protected section"},
	{end_hook_around, "release hook"},
};

enum { N_OUTERS = sizeof(outers) / sizeof(outers[0]) };

static int return_inside(void *arg)
{
	eio_fiber_set_name("hasty");
	return begin_scope(arg);
}

static int fork_hasty(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	eio_fork(&sw, return_inside, arg);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_switch_begun_outside_a_domain_aborts)
{
	expect_death(begin_switch, NULL, SIGABRT, "switch begun on a thread that runs no fibers");
}
END_TEST

START_TEST(scopes_ended_out_of_order_abort_naming_both)
{
	expect_core_abort(end_outer_first, NULL,
			  "switch ended while the innermost open scope is a cancellation context");
	expect_core_abort(end_around_a_scope_with_a_child, NULL,
			  "switch ended while the innermost open scope is a cancellation context");
	expect_core_abort(end_by_another_fiber, NULL,
			  "switch mine ended while the innermost open scope is a switch");
}
END_TEST

START_TEST(every_scope_that_ends_around_an_open_one_aborts_naming_both)
{
	for (int o = 0; o < N_OUTERS; o++) {
		for (int i = 0; i < N_SCOPES; i++) {
			char words[128];

			snprintf(words, sizeof(words),
				 "%s ended while the innermost open scope is a %s\n",
				 outers[o].kind, scopes[i].kind);
			expect_core_abort(outers[o].fn, (void *) &scopes[i], words);
		}
	}
}
END_TEST

START_TEST(a_fiber_that_returns_inside_a_scope_aborts_naming_both)
{
	for (int i = 0; i < N_SCOPES; i++) {
		char words[128];

		snprintf(words, sizeof(words),
			 "fiber 2 (hasty) returned inside a %s it had not ended\n", scopes[i].kind);
		expect_core_abort(fork_hasty, (void *) &scopes[i], words);
		snprintf(words, sizeof(words), "main returned inside a %s it had not ended\n",
			 scopes[i].kind);
		expect_core_abort(begin_scope, (void *) &scopes[i], words);
	}
}
END_TEST

static __attribute__((noinline)) void overwrite(int byte)
{
	char room[8192];

	memset(room, byte, sizeof(room));
	__asm__ volatile("" ::"r"(room) : "memory");
}

/* The scope's frame is gone, and something else was there since. */
static int return_inside_what_is_overwritten(void *arg)
{
	const int *byte = arg;

	eio_fiber_set_name("hasty");
	begin_scope((void *) &scopes[0]);
	overwrite(*byte);
	return 0;
}

static int fork_overwriting(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	eio_fork(&sw, return_inside_what_is_overwritten, arg);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_lost_scope_that_was_overwritten_is_still_reported)
{
	static int bytes[] = {0x00, 0x5a, 0xff};

	for (int i = 0; i < 3; i++)
		expect_core_abort(fork_overwriting, &bytes[i],
				  "fiber 2 (hasty) returned inside a ");
}
END_TEST

SUITE_MAIN("switch", false, a_lost_scope_that_was_overwritten_is_still_reported,
	   end_waits_for_fibers_test, end_waits_for_fibers_forked_while_it_waits_test,
	   end_returns_the_bodys_result_test, a_positive_result_of_a_fiber_is_no_failure_test,
	   run_is_begin_body_end_test, the_first_failure_cancels_the_rest_and_is_returned_test,
	   a_failing_body_cancels_the_fibers_test, later_distinct_failures_are_kept_in_order_test,
	   failures_writes_no_more_than_it_may_test, sixteen_failures_are_kept_test,
	   fail_takes_negative_codes_of_an_open_switch_only_test,
	   check_tells_open_cancelled_and_finished_test,
	   cancelled_is_what_an_uncancelled_fiber_may_return_test,
	   cancelled_is_what_an_uncancelled_body_may_return_test,
	   failing_with_ecanceled_cancels_test,
	   a_failure_is_returned_rather_than_the_cancellation_before_it_test,
	   a_result_is_returned_though_the_switch_was_cancelled_test,
	   a_child_fails_without_its_parent_test, a_child_is_cancelled_without_its_parent_test,
	   a_cancelled_parent_cancels_its_children_test, a_protected_switch_is_not_reached_test,
	   a_switch_begun_in_a_cancelled_context_takes_no_forks_test,
	   the_first_failures_details_are_the_enders_last_error_test,
	   details_travel_through_nested_switches_test, the_bodys_own_details_are_kept_test,
	   details_of_another_code_do_not_travel_test, a_new_fiber_has_no_last_error_test,
	   hooks_run_last_in_first_out_after_the_fibers_test,
	   hooks_are_protected_and_may_suspend_test,
	   a_cancellation_during_a_hook_does_not_reach_it_test,
	   hooks_are_taken_by_a_cancelled_switch_test,
	   failing_hooks_count_and_keep_no_other_from_running_test,
	   a_failing_hooks_details_travel_test,
	   fibers_forked_by_a_hook_are_awaited_before_the_next_hook_test,
	   a_hook_may_fork_after_the_daemons_ended_test,
	   a_switch_that_failed_while_its_daemons_ended_stays_so_for_its_hooks_test,
	   a_failure_without_details_does_not_get_older_ones_test,
	   ending_a_switch_or_a_context_of_another_domain_changes_nothing_test,
	   a_failure_of_a_fiber_forked_by_a_hook_counts_test,
	   a_hook_attached_by_a_hook_runs_next_test,
	   a_hook_on_a_finished_switch_runs_at_once_and_protected_test, a_hook_is_removed_once_test,
	   a_removed_hook_can_be_attached_again_test,
	   a_running_hook_cannot_be_removed_but_one_to_come_can_test,
	   allocated_hooks_run_like_the_others_test,
	   a_hook_that_finds_no_memory_runs_at_once_and_protected,
	   a_failure_that_finds_no_memory_for_its_details_is_returned,
	   another_domain_changes_nothing_test, run_outside_a_domain_gives_eperm,
	   a_switch_begun_outside_a_domain_aborts, scopes_ended_out_of_order_abort_naming_both,
	   every_scope_that_ends_around_an_open_one_aborts_naming_both,
	   a_fiber_that_returns_inside_a_scope_aborts_naming_both)
