/* SPDX-License-Identifier: ISC */
/*
 * Dumps of domains with the mock scheduler, as whole texts.
 */
#include "core/dump.h"
#include "core/error.h"
#include "core/fiber.h"
#include "core/switch.h"
#include "core/timer.h"
#include "io/env.h"
#include "mock/sched.h"
#include "tasks.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static char expected[8192];

/* The first line up to the scheduler's name, whose numbers are the process's. */
static size_t put_head(void)
{
	return (size_t) snprintf(expected, sizeof(expected), "domain %llu (mock, thread %ld)",
				 (unsigned long long) eio__domain_self()->entry.id,
				 syscall(SYS_gettid));
}

/* What eio_dump writes is the first line's head and this. */
#define expect_dump(...)                                                                           \
	do {                                                                                       \
		struct eio_buffer_sink sink_;                                                      \
		size_t head_ = put_head();                                                         \
		snprintf(expected + head_, sizeof(expected) - head_, __VA_ARGS__);                 \
		expect_ok(eio_dump(eio_buffer_sink_init(&sink_, 0)));                              \
		ck_assert_str_eq(sink_.data, expected);                                            \
		eio_buffer_sink_fini(&sink_);                                                      \
	} while (0)

/* Fibers of a kind each */

static struct eio_promise promise;

static void set_up(void)
{
	promise = (struct eio_promise) EIO_PROMISE_INIT;
}

static int await_named(void *arg)
{
	eio_fiber_set_name(arg);
	return eio_promise_await(&promise, NULL);
}

static int sleep_till(void *arg)
{
	return eio__sleep_until(*(int64_t *) arg);
}

static int await_protected(void *arg)
{
	(void) arg;
	return eio_promise_await_protected(&promise, NULL);
}

/* Cancels what waits, which is no failure. */
static void end_cancelled(struct eio_switch *sw)
{
	expect_ok(eio_switch_fail(sw, -ECANCELED));
	expect_err(eio_switch_end(sw, 0), -ECANCELED);
}

static void advance_to(int64_t ns)
{
	expect_ok(eio__sleep_until(ns));
}

MOCK_TEST(alone_main_is_running)
{
	(void) arg;
	expect_dump(", 1 fiber\n"
		    "  fiber 1 \"main\": running\n");
	return 0;
}

static int nested(void *arg)
{
	struct eio_switch sw;
	int64_t never = EIO_NEVER;

	(void) arg;
	eio_switch_begin_named(&sw, "inner");
	expect_ok(eio_fork(&sw, await_named, "deep"));
	expect_ok(eio_fork_copy(&sw, sleep_till, &never, sizeof(never)));
	return eio_switch_end(&sw, 0);
}

static int protected_wait(void *arg)
{
	return eio_protect_run(await_protected, arg);
}

static int await_cancel(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

MOCK_TEST(the_tree_tells_who_waits_for_what_and_how_long)
{
	struct eio_switch sw;
	int64_t late = EIO_SEC(10);

	(void) arg;
	set_up();
	eio_switch_begin_named(&sw, "clients");
	expect_ok(eio_fork(&sw, await_named, "conn"));
	expect_ok(eio_fork(&sw, nested, NULL));
	advance_to(EIO_SEC(2));
	expect_ok(eio_fork(&sw, protected_wait, NULL));
	expect_ok(eio_fork_daemon(&sw, await_cancel, NULL));
	advance_to(EIO_MS(2500));
	expect_ok(eio_fork_copy(&sw, sleep_till, &late, sizeof(late)));
	expect_dump(", 8 fibers\n"
		    "  switch \"clients\" of fiber 1, 5 fibers, daemons: 1\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2 \"conn\": promise %p (2.4 s)\n"
		    "    fiber 7, daemon: cancellation (503 ms)\n"
		    "    fiber 8: sleep, 7.5 s left\n"
		    "    switch \"inner\" of fiber 3, 2 fibers\n"
		    "      fiber 3: end of switch \"inner\", 2 fibers left (2.4 s)\n"
		    "      fiber 4 \"deep\": promise %p (2.4 s)\n"
		    "      fiber 5: sleep for ever (2.4 s)\n"
		    "    protected context\n"
		    "      fiber 6: promise %p (503 ms)\n",
		    (void *) &promise, (void *) &promise, (void *) &promise);
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	end_cancelled(&sw);
	return 0;
}

/* Scopes */

MOCK_TEST(fibers_are_in_the_order_of_their_numbers)
{
	struct eio_switch sw;
	struct eio_cancel c;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, await_named, NULL));
	eio_cancel_begin(&c);
	eio_cancel_end(&c); /* from here on main is in front of the others */
	expect_ok(eio_fork(&sw, await_named, NULL));
	expect_dump(", 5 fibers\n"
		    "  switch of fiber 1, 4 fibers\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: promise %p\n"
		    "    fiber 3: promise %p\n"
		    "    fiber 4: promise %p\n"
		    "    fiber 5: promise %p\n",
		    (void *) &promise, (void *) &promise, (void *) &promise, (void *) &promise);
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	return eio_switch_end(&sw, 0);
}

static int in_scopes(void *arg)
{
	struct eio_cancel outer;
	struct eio_switch sw;
	int rc;

	eio_cancel_begin(&outer);
	eio_switch_begin_named(&sw, arg);
	rc = eio_switch_end(&sw, eio_await_cancel());
	eio_cancel_end(&outer);
	return rc;
}

MOCK_TEST(scopes_come_after_the_fibers_the_oldest_first)
{
	struct eio_switch a, b;

	(void) arg;
	set_up();
	eio_switch_begin_named(&a, "a");
	expect_ok(eio_fork(&a, in_scopes, "a1"));
	eio_switch_begin_named(&b, "b");
	expect_ok(eio_fork(&a, in_scopes, "a2"));
	expect_ok(eio_fork(&b, in_scopes, "b1"));
	expect_dump(", 4 fibers\n"
		    "  switch \"a\" of fiber 1, 2 fibers\n"
		    "    cancellation context\n"
		    "      switch \"a1\" of fiber 2, 0 fibers\n"
		    "        fiber 2: cancellation\n"
		    "    switch \"b\" of fiber 1, 1 fiber\n"
		    "      fiber 1 \"main\": running\n"
		    "      cancellation context\n"
		    "        switch \"b1\" of fiber 4, 0 fibers\n"
		    "          fiber 4: cancellation\n"
		    "    cancellation context\n"
		    "      switch \"a2\" of fiber 3, 0 fibers\n"
		    "        fiber 3: cancellation\n");
	end_cancelled(&b);
	end_cancelled(&a);
	return 0;
}

MOCK_TEST(cancelled_scopes_tell_why)
{
	struct eio_cancel outer, own;
	struct eio_switch failed, shielded;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_switch_begin_named(&failed, "failed");
	eio_switch_begin_protected(&shielded);
	eio_cancel_begin(&own);
	expect_ok(eio_cancel_raise(&own, -5000));
	expect_ok(eio_switch_fail(&failed, -ENOENT));
	expect_ok(eio_cancel_raise(&outer, -ETIMEDOUT));
	/* A cancelled fiber dumps nothing, so this is what eio_dump would ask for. */
	for (int i = 0; i < 2; i++) {
		struct eio__text t = {.data = NULL};
		size_t head = put_head();

		snprintf(expected + head, sizeof(expected) - head,
			 ", 1 fiber%s\n"
			 "  cancellation context, cancelled: ETIMEDOUT\n"
			 "    switch \"failed\" of fiber 1, 0 fibers, cancelled: ENOENT\n"
			 "      switch of fiber 1, 0 fibers, protected%s\n"
			 "        cancellation context, cancelled: -5000\n"
			 "          fiber 1 \"main\": running\n",
			 i ? ", cancelled: EIO" : "", i ? ", cancelled" : "");
		eio__dump_domain(&t, eio__domain_self());
		ck_assert_str_eq(t.data, expected);
		eio__text_free(&t);
		eio__ctx_cancel(&eio__domain_self()->root, -EIO);
		eio__ctx_cancel(&eio__switch_of(&shielded)->ctx, -ECANCELED);
	}
	eio_cancel_end(&own);
	expect_err(eio_switch_end(&shielded, 0), 0);
	expect_err(eio_switch_end(&failed, 0), -ENOENT);
	eio_cancel_end(&outer);
	return 0;
}

static int dump_protected(void *arg)
{
	(void) arg;
	expect_err(eio_await_cancel(), -ECANCELED);
	expect_err(eio_dump(eio_null()), -ECANCELED);
	eio__dump_log(eio__domain_self());
	return 0;
}

/* The log hook's lines, as the log of a test. */
static void note_line(int level, const char *line, void *arg)
{
	(void) arg;
	ck_assert_int_eq(level, EIO_LOG_ERROR);
	note("%s\n", line);
}

MOCK_TEST(a_switch_whose_daemons_are_ended_says_so)
{
	struct eio_switch sw;

	(void) arg;
	eio_set_log(note_line, NULL);
	eio_switch_begin_named(&sw, "helpers");
	expect_ok(eio_fork_daemon(&sw, dump_protected, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	eio_set_log(NULL, NULL);
	put_head();
	strcat(expected,
	       ", 2 fibers\n"
	       "   switch \"helpers\" of fiber 1, 1 fiber, daemons: 1, only daemons left\n"
	       "     fiber 1 \"main\": end of switch \"helpers\", 1 fiber left\n"
	       "     fiber 2, daemon: running\n");
	expect_log(expected);
	return 0;
}

enum { DEEP = 100000 };

MOCK_TEST(scopes_nest_deeper_than_a_stack_is)
{
	struct eio_cancel *scopes = calloc(DEEP, sizeof(*scopes));
	struct eio__text t = {.data = NULL};
	char last[256];

	(void) arg;
	for (int i = 0; i < DEEP; i++)
		eio_cancel_begin(&scopes[i]);
	eio__dump_domain(&t, eio__domain_self());
	snprintf(last, sizeof(last), "\n%64s[%d] fiber 1 \"main\": running\n", "", DEEP + 1);
	ck_assert_str_eq(t.data + t.len - strlen(last), last);
	snprintf(last, sizeof(last), "\n%64scancellation context\n%64s[33] cancellation", "", "");
	ck_assert_ptr_nonnull(strstr(t.data, last));
	eio__text_free(&t);
	for (int i = DEEP; i-- > 0;)
		eio_cancel_end(&scopes[i]);
	free(scopes);
	return 0;
}

static int dump_on_small_stack(void *arg)
{
	struct eio__text *t = arg;

	eio__dump_domain(t, eio__domain_self());
	return 0;
}

static int fork_small(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 1000; i++)
		expect_ok(eio_fork(&sw, await_cancel, NULL));
	expect_ok(eio_fork(&sw, dump_on_small_stack, arg));
	end_cancelled(&sw);
	return 0;
}

/* Whoever polls dumps, and that is any fiber. */
START_TEST(a_dump_needs_little_stack)
{
	struct eio__text t = {.data = NULL};

	if (SANITIZED)
		return;
	expect_ok(eio__mock_run_with(8192, fork_small, &t));
	ck_assert_ptr_nonnull(
		strstr(t.data, "fiber 1001: cancellation\n    fiber 1002: running\n"));
	eio__text_free(&t);
}
END_TEST

/* States of fibers */

struct dumper {
	struct eio__inbox_node node;
	struct eio__text text;
};

static void dump_in_poll(struct eio__inbox_node *n)
{
	eio__dump_domain(&eio__container_of(n, struct dumper, node)->text, eio__domain_self());
}

static int yield_till_resolved(void *arg)
{
	while (!eio_promise_peek(&promise, NULL, NULL))
		expect_ok(eio_yield());
	(void) arg;
	return 0;
}

MOCK_TEST(runnable_fibers_are_told_from_the_running_one)
{
	struct eio_switch sw;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_till_resolved, NULL));
	expect_dump(", 2 fibers\n"
		    "  switch of fiber 1, 1 fiber\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: runnable\n");
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	return eio_switch_end(&sw, 0);
}

MOCK_TEST(while_the_scheduler_polls_nobody_is_running)
{
	struct dumper u = {.node = {.fn = dump_in_poll}};
	struct eio_switch sw;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_till_resolved, NULL));
	eio__waker_push(&eio__domain_self()->waker, &u.node);
	while (!u.text.data)
		expect_ok(eio_yield());
	put_head();
	strcat(expected, ", 2 fibers\n"
			 "  switch of fiber 1, 1 fiber\n"
			 "    fiber 1 \"main\": runnable\n"
			 "    fiber 2: runnable\n");
	ck_assert_str_eq(u.text.data, expected);
	eio__text_free(&u.text);
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	return eio_switch_end(&sw, 0);
}

/* A wait that its cancellation does not end at once, as one for the kernel. */
static void keep_waiting(struct eio__fiber *f, void *arg)
{
	(void) f, (void) arg;
}

static int wait_stubbornly(void *arg)
{
	static const struct eio__wait wait = {.what = "stubbornness", .cancel = keep_waiting};

	*(struct eio__fiber **) arg = eio__self();
	eio_fiber_set_name("mule");
	eio__suspend(eio__self(), &wait, NULL);
	return 0;
}

MOCK_TEST(a_wait_that_was_cancelled_and_goes_on_says_so)
{
	struct eio__fiber *mule;
	struct eio_switch sw;
	struct eio_cancel c, shield;

	(void) arg;
	eio_cancel_begin(&c);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_stubbornly, &mule));
	expect_ok(eio_switch_fail(&sw, -ENOENT));
	/* From a scope that is not cancelled. */
	eio_cancel_protect_begin(&shield);
	expect_dump(", 2 fibers\n"
		    "  cancellation context\n"
		    "    switch of fiber 1, 1 fiber, cancelled: ENOENT\n"
		    "      fiber 2 \"mule\", cancelled: stubbornness\n"
		    "      protected context\n"
		    "        fiber 1 \"main\": running\n");
	eio_cancel_end(&shield);
	eio__wake(mule);
	expect_err(eio_switch_end(&sw, 0), -ENOENT);
	eio_cancel_end(&c);
	return 0;
}

/* How long */

START_TEST(spans_are_in_units_people_use)
{
	static const struct {
		int64_t ns;
		const char *text;
	} spans[] = {
		{0, "0 us"},
		{1999, "1 us"},
		{EIO_MS(1) - 1, "999 us"},
		{EIO_MS(1), "1 ms"},
		{EIO_SEC(1) - 1, "999 ms"},
		{EIO_SEC(1), "1.0 s"},
		{EIO_MS(59999), "59.9 s"},
		{EIO_SEC(60), "1 min 0 s"},
		{EIO_SEC(3599), "59 min 59 s"},
		{EIO_SEC(3600), "1 h 0 min"},
		{EIO_SEC(48 * 3600 - 1), "47 h 59 min"},
		{EIO_SEC(48 * 3600), "2 d 0 h"},
		{EIO_SEC(200 * 86400L + 7200), "200 d 2 h"},
		{EIO_NEVER, "106751 d 23 h"},
	};
	char buf[EIO__SPAN];

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		ck_assert_str_eq(eio__span(buf, spans[i].ns), spans[i].text);
}
END_TEST

MOCK_TEST(a_wait_is_as_old_as_the_clock_says)
{
	struct eio_switch sw;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, await_protected, NULL));
	advance_to(EIO_SEC(3 * 3600 + 61));
	expect_dump(", 2 fibers\n"
		    "  switch of fiber 1, 1 fiber\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: promise %p (3 h 1 min)\n",
		    (void *) &promise);
	/* The domain's ticks have wrapped by then. */
	advance_to((INT64_C(1) << (32 + EIO__TICK_BITS)) + EIO_SEC(2));
	expect_dump(", 2 fibers\n"
		    "  switch of fiber 1, 1 fiber\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: promise %p (1.9 s)\n",
		    (void *) &promise);
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	return eio_switch_end(&sw, 0);
}

MOCK_TEST(a_sleep_that_is_due_has_nothing_left)
{
	struct eio_switch sw;
	int64_t past = -5;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, sleep_till, &past));
	expect_dump(", 2 fibers\n"
		    "  switch of fiber 1, 1 fiber\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: sleep, 0 us left\n");
	return eio_switch_end(&sw, 0);
}

MOCK_TEST(a_time_limit_is_called_one)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, eio__clock_mono(), EIO_SEC(1));
	expect_dump(", 1 fiber\n"
		    "  timeout\n"
		    "    fiber 1 \"main\": running\n");
	return eio_timeout_end(&t, 0);
}

/* The call */

START_TEST(a_thread_without_a_domain_cannot_ask)
{
	expect_err(eio_dump(eio_null()), -EPERM);
}
END_TEST

MOCK_TEST(what_the_flow_gives_is_the_result)
{
	struct eio_buffer_sink sink;

	(void) arg;
	expect_err(eio_dump((struct eio_flow){.ops = NULL}), -EBADF);
	expect_err(eio_dump(eio_buffer_sink_init(&sink, 20)), EIO_ELIMIT);
	ck_assert_uint_eq(eio_last_error()->done, sink.len);
	eio_buffer_sink_fini(&sink);
	return 0;
}

MOCK_TEST(a_cancelled_fiber_gets_no_dump)
{
	struct eio_buffer_sink sink;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EINTR));
	eio__fail_done(-ECANCELED, "an older one", 4711);
	expect_err(eio_dump(eio_buffer_sink_init(&sink, 0)), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	ck_assert_uint_eq(sink.len, 0);
	eio_cancel_end(&c);
	return 0;
}

/* Deadlocks */

static int dead(void *arg)
{
	(void) arg;
	set_up();
	put_head();
	snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
		 ", 1 fiber\n   fiber 1 \"main\": promise %p\n", (void *) &promise);
	eio_set_log(note_line, NULL);
	return eio_promise_await(&promise, NULL);
}

static int dead_protected(void *arg)
{
	eio_fiber_set_name("stuck");
	set_up();
	return await_protected(arg);
}

START_TEST(a_deadlock_is_logged_as_a_dump)
{
	run_mock(dead, -EDEADLK);
	expect_log(expected);
}
END_TEST

START_TEST(without_a_log_hook_the_dump_goes_to_stderr)
{
	expect_abort(dead_protected, NULL, "\n  fiber 1 \"stuck\": promise 0x");
}
END_TEST

SUITE_MAIN("dump", false, alone_main_is_running_test,
	   the_tree_tells_who_waits_for_what_and_how_long_test,
	   fibers_are_in_the_order_of_their_numbers_test,
	   scopes_come_after_the_fibers_the_oldest_first_test, cancelled_scopes_tell_why_test,
	   a_switch_whose_daemons_are_ended_says_so_test, scopes_nest_deeper_than_a_stack_is_test,
	   a_dump_needs_little_stack, runnable_fibers_are_told_from_the_running_one_test,
	   while_the_scheduler_polls_nobody_is_running_test,
	   a_wait_that_was_cancelled_and_goes_on_says_so_test, spans_are_in_units_people_use,
	   a_wait_is_as_old_as_the_clock_says_test, a_sleep_that_is_due_has_nothing_left_test,
	   a_time_limit_is_called_one_test, a_thread_without_a_domain_cannot_ask,
	   what_the_flow_gives_is_the_result_test, a_cancelled_fiber_gets_no_dump_test,
	   a_deadlock_is_logged_as_a_dump, without_a_log_hook_the_dump_goes_to_stderr)
