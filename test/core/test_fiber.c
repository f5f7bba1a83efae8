/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/fiber.h"
#include "core/timer.h"

#include <eio/low_level.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Order */

CORE_TEST(fork_runs_the_child_at_once)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	note("before");
	expect_ok(eio_fork(&sw, note_word, "child"));
	note("after");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("before child after");
	return 0;
}

CORE_TEST(the_forking_fiber_resumes_before_what_was_queued_earlier)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "a", 1, 0));
	note("main");
	expect_ok(fork_step(&sw, "b", 1, 0));
	note("main");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a+ main b+ main a- b-");
	return 0;
}

static struct eio_promise forked;

static int fork_plain(struct eio_switch *sw, eio_fn *fn)
{
	return eio_fork(sw, fn, "child");
}

static int fork_copy(struct eio_switch *sw, eio_fn *fn)
{
	return eio_fork_copy(sw, fn, "child", sizeof("child"));
}

static int fork_daemon(struct eio_switch *sw, eio_fn *fn)
{
	return eio_fork_daemon(sw, fn, "child");
}

static int fork_promise(struct eio_switch *sw, eio_fn *fn)
{
	forked = (struct eio_promise) EIO_PROMISE_INIT;
	return eio_fork_promise(sw, fn, "child", &forked);
}

static const struct variant {
	int (*fork)(struct eio_switch *sw, eio_fn *fn);
} variants[] = {{fork_plain}, {fork_copy}, {fork_daemon}, {fork_promise}};

enum { VARIANTS = sizeof(variants) / sizeof(variants[0]) };

static int note_and_yield(void *arg)
{
	note("%s+", (const char *) arg);
	expect_ok(eio_yield());
	note("%s-", (const char *) arg);
	return 0;
}

CORE_TEST(every_fork_runs_the_child_at_once_and_the_caller_next)
{
	(void) arg;
	for (int i = 0; i < VARIANTS; i++) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(fork_step(&sw, "queued", 3, 0));
		expect_ok(variants[i].fork(&sw, note_and_yield));
		note("main");
		expect_ok(eio_switch_end(&sw, 0));
		expect_log("queued+ child+ main child- queued-");
	}
	return 0;
}

static int fork_and_yield(void *arg)
{
	note("outer");
	expect_ok(fork_step(arg, "inner", 0, 0));
	note("outer");
	return 0;
}

CORE_TEST(a_fork_inside_a_fork_nests)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(eio_fork(&sw, fork_and_yield, &sw));
	note("main");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ outer inner+ inner- outer main queued-");
	return 0;
}

static int note_rounds(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note("%s%d", (const char *) arg, i);
		expect_ok(eio_yield());
	}
	return 0;
}

CORE_TEST(yielding_fibers_take_turns)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, note_rounds, "a"));
	expect_ok(eio_fork(&sw, note_rounds, "b"));
	expect_ok(eio_fork(&sw, note_rounds, "c"));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a0 b0 c0 a1 b1 c1 a2 b2 c2");
	return 0;
}

CORE_TEST(a_yield_with_nobody_else_ready_returns)
{
	(void) arg;
	expect_ok(yield_times(1000));
	return 0;
}

/* What busy fibers must not starve. */

struct busy {
	bool stop;
	unsigned yields;
};

static int yield_until_stopped(void *arg)
{
	struct busy *b = arg;

	while (!b->stop && b->yields < 100000) {
		b->yields++;
		eio_yield();
	}
	return 0;
}

static int stop_when_due(void *arg)
{
	expect_ok(eio__sleep_until(0));
	((struct busy *) arg)->stop = true;
	return 0;
}

static int stop_after_noop(void *arg)
{
	expect_ok(eio_ll_noop());
	((struct busy *) arg)->stop = true;
	return 0;
}

static int stop_after_read(void *arg)
{
	char byte;

	ck_assert_int_eq(eio_flow_read(eio_flow_of_fd(EIO_STDIN), &byte, 1), 1);
	((struct busy *) arg)->stop = true;
	return 0;
}

/* Two that hand a ball to each other and never yield. */

struct game {
	struct busy *busy;
	struct eio_stream to[2];
};

static int play(struct game *g, int me)
{
	struct busy *b = g->busy;
	char ball;

	while (eio_stream_take(&g->to[me], &ball) == 0 && !b->stop && b->yields++ < 100000)
		expect_ok(eio_stream_try_add(&g->to[!me], &ball));
	eio_stream_close(&g->to[!me]);
	return 0;
}

static int play_first(void *arg)
{
	return play(arg, 0);
}

static int play_second(void *arg)
{
	return play(arg, 1);
}

static int play_in_pairs(void *arg)
{
	struct game g = {.busy = arg};

	for (int i = 0; i < 2; i++)
		expect_ok(eio_stream_init(&g.to[i], 1, 1));
	expect_ok(eio_stream_add(&g.to[0], "o"));
	expect_ok(eio_both(play_first, &g, play_second, &g));
	for (int i = 0; i < 2; i++)
		expect_ok(eio_stream_fini(&g.to[i], NULL, NULL));
	return 0;
}

static unsigned count_passes(eio_fn *stopper)
{
	struct busy b = {0};

	expect_ok(eio_both(stopper, &b, play_in_pairs, &b));
	return b.yields;
}

static unsigned count_yields(size_t fibers, eio_fn *stopper)
{
	struct busy b = {0};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, stopper, &b));
	for (size_t i = 0; i < fibers; i++)
		expect_ok(eio_fork(&sw, yield_until_stopped, &b));
	expect_ok(eio_switch_end(&sw, 0));
	return b.yields;
}

CORE_TEST(a_due_timer_waits_for_at_most_64_switches)
{
	(void) arg;
	for (size_t fibers = 1; fibers < 5; fibers++) {
		unsigned yields = count_yields(fibers, stop_when_due);

		ck_assert_uint_ge(yields, 1);
		ck_assert_uint_le(yields, 64 + fibers);
	}
	ck_assert_uint_ge(count_passes(stop_when_due), 1);
	ck_assert_uint_le(count_passes(stop_when_due), 64 + 4);
	return 0;
}

RING_TEST(an_entry_waits_for_at_most_64_switches_to_be_submitted)
{
	(void) arg;
	for (size_t fibers = 1; fibers < 5; fibers++)
		ck_assert_uint_le(count_yields(fibers, stop_after_noop), 2 * 64 + fibers);
	ck_assert_uint_le(count_passes(stop_after_noop), 2 * 64 + 4);
	return 0;
}

RING_TEST(busy_fibers_do_not_starve_a_read)
{
	int fds[2], saved = dup(0);

	(void) arg;
	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[0], 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	for (size_t fibers = 1; fibers < 3; fibers++) {
		ck_assert_uint_lt(count_yields(fibers, stop_after_read), 100000);
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
	}
	ck_assert_uint_lt(count_passes(stop_after_read), 100000);
	dup2(saved, 0);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* Forks that are refused: the function is not run, a promise is resolved all the same. */

static void expect_refusal(const struct variant *v, struct eio_switch *sw, int rc, int promised)
{
	int got = 0;

	expect_err(v->fork(sw, note_word), rc);
	expect_log("");
	if (v->fork == fork_promise) {
		ck_assert(eio_promise_peek(&forked, &got, NULL));
		expect_err(got, promised);
	}
}

CORE_TEST(no_fork_on_a_cancelled_switch_runs_its_function)
{
	struct eio_cancel outer;
	struct eio_switch sw;

	(void) arg;
	for (int i = 0; i < VARIANTS; i++) {
		eio_switch_begin(&sw);
		expect_ok(eio_switch_fail(&sw, -EIO));
		expect_refusal(&variants[i], &sw, -ECANCELED, EIO_EABANDONED);
		expect_err(eio_switch_end(&sw, 0), -EIO);
		/* Nor if it was cancelled from outside, or begun in a cancelled context. */
		eio_cancel_begin(&outer);
		eio_switch_begin(&sw);
		expect_ok(eio_cancel_raise(&outer, -EPIPE));
		expect_refusal(&variants[i], &sw, -ECANCELED, EIO_EABANDONED);
		expect_ok(eio_switch_end(&sw, 0));
		eio_switch_begin(&sw);
		expect_refusal(&variants[i], &sw, -ECANCELED, EIO_EABANDONED);
		expect_ok(eio_switch_end(&sw, 0));
		eio_cancel_end(&outer);
	}
	return 0;
}

static int fork_on_finished(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin_named(&sw, "clients");
	expect_ok(eio_switch_end(&sw, 0));
	expect_refusal(arg, &sw, -EINVAL, -EINVAL);
	return 0;
}

#ifndef EIO_DEBUG
static int fork_all_on_finished(void *arg)
{
	(void) arg;
	for (int i = 0; i < VARIANTS; i++)
		fork_on_finished((void *) &variants[i]);
	return 0;
}
#endif

START_TEST(no_fork_on_a_finished_switch_runs_its_function)
{
#ifdef EIO_DEBUG
	for (int i = 0; i < VARIANTS; i++)
		expect_core_abort(fork_on_finished, (void *) &variants[i],
				  "fork on switch clients, which is finished");
#else
	run_mock(fork_all_on_finished, 0);
	run_ring(fork_all_on_finished, 0);
#endif
}
END_TEST

static int fork_on_foreign(void *arg)
{
	for (int i = 0; i < VARIANTS; i++)
		expect_refusal(&variants[i], arg, -EPERM, -EPERM);
	return 0;
}

CORE_TEST(no_fork_on_another_domains_switch_runs_its_function)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(in_other_domain(fork_on_foreign, &sw));
	expect_ok(on_plain_thread(fork_on_foreign, &sw));
	ck_assert_uint_eq(count_fibers(), 0);
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

START_TEST(calls_outside_a_domain_give_eperm)
{
	const struct eio_task t = {do_nothing, NULL};

	expect_err(eio_yield(), -EPERM);
	expect_err(eio_check(), -EPERM);
	expect_err(eio_await_cancel(), -EPERM);
	expect_err(eio_both(do_nothing, NULL, do_nothing, NULL), -EPERM);
	expect_err(eio_all(&t, 1), -EPERM);
	expect_err(eio_all(&t, 0), -EPERM);
	expect_err(eio_first(do_nothing, NULL, do_nothing, NULL), -EPERM);
	expect_err(eio_any(&t, 1, NULL), -EPERM);
	expect_err(eio_n_any(&t, 1, &(int){0}, NULL, NULL), -EPERM);
	expect_err(eio_for_each(1, 1, NULL, NULL), -EPERM);
	ck_assert(!eio_is_cancelled());
	ck_assert_uint_eq(eio_fiber_id(), 0);
	eio_fiber_set_name("nobody");
}
END_TEST

/* fork_copy */

struct copied {
	size_t size;
	unsigned char bytes[4000];
};

static int check_copy(void *arg)
{
	const struct copied *c = arg;

	ck_assert_uint_eq((uintptr_t) arg % 16, 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < c->size - offsetof(struct copied, bytes); i++)
			ck_assert_uint_eq(c->bytes[i], (unsigned char) (c->size + i));
		expect_ok(yield_times(2));
	}
	note("%zu", c->size);
	return 0;
}

CORE_TEST(fork_copy_copies_before_it_returns_and_until_the_fiber_ends)
{
	static const size_t more[] = {1, 8, 15, 16, 17, 100, 3999};
	struct eio_switch sw;
	struct copied c;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		c.size = offsetof(struct copied, bytes) + more[i];
		for (size_t k = 0; k < more[i]; k++)
			c.bytes[k] = (unsigned char) (c.size + k);
		expect_ok(eio_fork_copy(&sw, check_copy, &c, c.size));
		memset(&c, 0xee, sizeof(c));
	}
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("9 16 23 24 25 108 4007");
	return 0;
}

static int sum_up(void *arg)
{
	const unsigned char *bytes = arg;
	unsigned sum = 0;

	expect_ok(eio_yield());
	for (size_t i = 0; i < EIO__STACK_DEFAULT / 4; i++)
		sum += bytes[i];
	note("%u", sum);
	return 0;
}

CORE_TEST(fork_copy_takes_up_to_a_quarter_of_a_stack)
{
	static unsigned char bytes[EIO__STACK_DEFAULT / 4 + 1];
	struct eio_switch sw;

	(void) arg;
	memset(bytes, 1, sizeof(bytes));
	eio_switch_begin(&sw);
	expect_ok(eio_fork_copy(&sw, sum_up, bytes, sizeof(bytes) - 1));
	expect_err(eio_fork_copy(&sw, sum_up, bytes, sizeof(bytes)), -E2BIG);
	ck_assert_str_eq(eio_last_error()->op, "fork");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("16384");
	return 0;
}

/* Daemons */

CORE_TEST(daemons_are_cancelled_and_awaited_when_only_they_are_left)
{
	struct step d = {"d", FOR_EVER, 0};
	struct step e = {"e", FOR_EVER, 0};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, run_step, &d));
	expect_ok(fork_step(&sw, "f", 3, 0));
	expect_ok(eio_fork_daemon(&sw, run_step, &e));
	note("body");
	expect_err(eio_switch_end(&sw, 5), 5);
	note("end");
	expect_log("d+ f+ e+ body f- e! d! end");
	return 0;
}

CORE_TEST(daemons_alone_are_cancelled_at_the_end_of_the_body)
{
	struct step d = {"d", FOR_EVER, 0};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, run_step, &d));
	expect_ok(yield_times(3));
	expect_ok(eio_switch_check(&sw));
	note("body");
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_switch_error(&sw), 0);
	expect_log("d+ body d!");
	return 0;
}

CORE_TEST(a_daemon_that_ends_by_itself_changes_nothing)
{
	struct step d = {"d", 1, 3};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, run_step, &d));
	expect_ok(fork_step(&sw, "f", 3, 0));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("d+ f+ d- f-");
	return 0;
}

CORE_TEST(a_daemon_that_fails_fails_the_switch)
{
	struct step d = {"d", 1, -EIO};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, run_step, &d));
	expect_ok(fork_step(&sw, "f", 3, 0));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("d+ f+ d- f!");
	return 0;
}

static int fail_when_cancelled(void *arg)
{
	expect_err(eio_await_cancel(), -ECANCELED);
	note("%s!", (const char *) arg);
	return -ENOENT;
}

CORE_TEST(what_a_daemon_returns_once_only_daemons_are_left_is_no_failure)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, fail_when_cancelled, "d"));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(eio_switch_failures(&sw, NULL, 0), 0);
	expect_log("d!");
	return 0;
}

CORE_TEST(a_failure_cancels_daemons_too)
{
	struct step d = {"d", FOR_EVER, 0};
	struct eio_switch sw;
	int rc = -EIO;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_daemon(&sw, run_step, &d));
	expect_ok(eio_fork(&sw, give, &rc));
	expect_err(eio_yield(), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("d+ d!");
	return 0;
}

/* Many */

enum { MANY = SANITIZED ? 5000 : 100000, MORE = SANITIZED ? 20000 : 1000000 };

struct crowd {
	struct eio_promise promise;
	struct eio_switch sw;
	size_t waiting, woken;
	bool out_of_order;
};

static int wait_in_line(void *arg)
{
	struct crowd *c = arg;
	size_t place = c->waiting++;
	int rc = eio_promise_await(&c->promise, NULL);

	if (place != c->woken++)
		c->out_of_order = true;
	return rc;
}

CORE_TEST(many_fibers_blocked_on_one_promise_all_wake_in_order)
{
	struct crowd c = {.promise = EIO_PROMISE_INIT};

	(void) arg;
	eio_switch_begin(&c.sw);
	for (int i = 0; i < MANY; i++) {
		if (eio_fork(&c.sw, wait_in_line, &c) != 0)
			ck_abort_msg("fork %d", i);
	}
	ck_assert_uint_eq(count_fibers(), MANY);
	ck_assert_uint_eq(c.waiting, MANY);
	expect_ok(eio_promise_resolve(&c.promise, 0, NULL));
	ck_assert_uint_eq(c.woken, 0);
	expect_ok(eio_switch_end(&c.sw, 0));
	ck_assert_uint_eq(c.woken, MANY);
	ck_assert(!c.out_of_order);
	ck_assert_uint_eq(count_fibers(), 0);
	return 0;
}

/* Without what files are mapped to, which comes and goes. Exact, unlike statm. */
static long anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Anonymous: %ld", &kib);
	fclose(f);
	ck_assert_int_gt(kib, 0);
	return kib;
}

static int yield_once(void *arg)
{
	(void) arg;
	return eio_yield();
}

static void fork_in_a_row(struct eio_switch *sw, int n)
{
	for (int i = 0; i < n; i++) {
		if (eio_fork(sw, i % 2 ? do_nothing : yield_once, NULL) != 0 || eio_yield() != 0)
			ck_abort_msg("fork %d", i);
	}
}

CORE_TEST(fibers_one_after_another_leave_memory_flat)
{
	unsigned mappings;
	struct eio_switch sw;
	long kib;

	(void) arg;
	eio_switch_begin(&sw);
	fork_in_a_row(&sw, 1000);
	mappings = count_mappings();
	anonymous_kib(); /* for the memory that takes */
	kib = anonymous_kib();
	fork_in_a_row(&sw, MORE);
	if (!SANITIZED) {
		ck_assert_uint_le(count_mappings(), mappings);
		ck_assert_int_le(anonymous_kib(), kib + 16);
	}
	return eio_switch_end(&sw, 0);
}

/* Names and numbers */

static int note_id(void *arg)
{
	uint64_t id = eio_fiber_id();

	ck_assert_uint_gt(id, *(uint64_t *) arg);
	*(uint64_t *) arg = id;
	expect_ok(eio_yield());
	ck_assert_uint_eq(eio_fiber_id(), id);
	return 0;
}

CORE_TEST(ids_are_unique_and_main_is_1)
{
	uint64_t last = 1;
	struct eio_switch sw;

	(void) arg;
	ck_assert_uint_eq(eio_fiber_id(), 1);
	eio_switch_begin(&sw);
	for (int i = 0; i < 10; i++)
		expect_ok(eio_fork(&sw, note_id, &last));
	expect_ok(eio_switch_end(&sw, 0));
	eio_switch_begin(&sw);
	for (int i = 0; i < 10; i++)
		expect_ok(eio_fork(&sw, note_id, &last));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(eio_fiber_id(), 1);
	return 0;
}

static int return_inside_a_switch(void *arg)
{
	static struct eio_switch left_open;

	if (arg)
		eio_fiber_set_name(arg);
	eio_switch_begin(&left_open);
	return 0;
}

static int take_a_name(void *arg)
{
	eio_fiber_set_name(arg);
	return 0;
}

static int fork_sloppy(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	/* The name of the first fiber of a stack does not become the second one's. */
	expect_ok(eio_fork(&sw, take_a_name, "first"));
	eio_fork(&sw, return_inside_a_switch, arg);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_fibers_name_is_in_messages)
{
	expect_core_abort(fork_sloppy, "sloppy", "fiber 3 (sloppy)");
	expect_core_abort(fork_sloppy, NULL, "fiber 3 (without name)");
}
END_TEST

/* Ignoring cancellation */

static int ignore_cancellation(void *arg)
{
	eio_fiber_set_name("stubborn");
	for (int i = 0; i < *(int *) arg; i++)
		eio_check();
	return 0;
}

static void count_warning(int level, const char *msg, void *arg)
{
	ck_assert_int_eq(level, EIO_LOG_WARNING);
	ck_assert_ptr_nonnull(strstr(msg, "stubborn"));
	++*(int *) arg;
}

static int in_cancelled_context(eio_fn *fn, void *arg)
{
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	rc = fn(arg);
	eio_cancel_end(&c);
	return rc;
}

static int ignore_99999(void *arg)
{
	(void) arg;
	return in_cancelled_context(ignore_cancellation, &(int){99999});
}

static int ignore_100000(void *arg)
{
	(void) arg;
	return in_cancelled_context(ignore_cancellation, &(int){100000});
}

START_TEST(ignoring_100000_cancellations_is_reported_once)
{
	int warnings = 0;

	eio_set_log(count_warning, &warnings);
	run_mock(ignore_99999, 0);
	run_ring(ignore_99999, 0);
	ck_assert_int_eq(warnings, 0);
#ifdef EIO_DEBUG
	expect_core_abort(ignore_100000, NULL, "fiber 1 (stubborn) got -ECANCELED 100000 times");
#else
	run_mock(ignore_100000, 0);
	ck_assert_int_eq(warnings, 1);
#endif
	eio_set_log(NULL, NULL);
}
END_TEST

static int ignore_with_breaks(void *arg)
{
	struct eio_cancel c;

	for (int i = 0; i < 3; i++) {
		ignore_cancellation(&(int){60000});
		eio_cancel_protect_begin(&c);
		if (arg)
			expect_ok(eio_yield());
		else
			expect_ok(eio__sleep_until(0));
		eio_cancel_end(&c);
	}
	return 0;
}

CORE_TEST(suspending_starts_the_count_of_cancellations_anew)
{
	int warnings = 0;

	(void) arg;
	eio_set_log(count_warning, &warnings);
	in_cancelled_context(ignore_with_breaks, NULL);
	in_cancelled_context(ignore_with_breaks, "yield");
	ck_assert_int_eq(warnings, 0);
	eio_set_log(NULL, NULL);
	return 0;
}

#ifdef EIO_DEBUG

static void count_any_warning(int level, const char *msg, void *arg)
{
	(void) level;
	ck_assert_ptr_nonnull(strstr(msg, "eio_fork_copy"));
	++*(int *) arg;
}

static int fork_with_local(void *arg)
{
	int local = 0;

	return eio_fork(arg, give, &local);
}

CORE_TEST(an_argument_in_a_deeper_frame_than_the_switch_is_warned_about)
{
	static int long_lived;
	int warnings = 0;
	struct eio_switch sw;

	(void) arg;
	eio_set_log(count_any_warning, &warnings);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, give, &long_lived));
	ck_assert_int_eq(warnings, 0);
	expect_ok(fork_with_local(&sw));
	ck_assert_int_eq(warnings, 1);
	expect_ok(eio_switch_end(&sw, 0));
	eio_set_log(NULL, NULL);
	return 0;
}

#define DEBUG_TESTS an_argument_in_a_deeper_frame_than_the_switch_is_warned_about_test,
#else
#define DEBUG_TESTS

#endif

/*
 * Size. What a blocked fiber has on its first page: its record and the frames of the
 * suspension, and of the loop if it was the last one that blocked.
 */

enum { PAINT = 0x5a };

static __attribute__((noinline)) void paint(struct eio__fiber *f)
{
	volatile char *end = (char *) __builtin_frame_address(0) - 256;

	for (volatile char *p = f->base; p < end; p++)
		*p = PAINT;
}

static size_t depth(const struct eio__fiber *f)
{
	const char *p = f->base;

	while (*p == PAINT)
		p++;
	return (size_t) ((const char *) f - p);
}

struct painter {
	struct eio_task wait;
	const char *what;
};

static int measure(void *arg)
{
	const struct painter *p = arg;
	size_t used;

	expect_ok(p->wait.fn(p->wait.arg)); /* the linker's part: calls bound at first use */
	paint(eio__self());
	expect_ok(p->wait.fn(p->wait.arg));
	used = sizeof(struct eio__fiber) + depth(eio__self());
	ck_assert_msg(used <= 2560, "%s: %zu bytes", p->what, used);
	return 0;
}

static int sleep_a_little(void *arg)
{
	return eio__sleep_until(eio__now() + *(int64_t *) arg);
}

static int await_one(void *arg)
{
	struct eio_promise *two = arg;

	return eio_promise_await(&two[eio_promise_peek(&two[0], NULL, NULL)], NULL);
}

static int await_event(void *arg)
{
	return eio_event_await(arg);
}

static int noop(void *arg)
{
	(void) arg;
	return eio_ll_noop();
}

static int resolve_later(void *arg)
{
	struct eio_promise *two = arg;

	for (int i = 0; i < 2; i++) {
		expect_ok(sleep_a_little(&(int64_t){EIO_MS(1)}));
		expect_ok(eio_promise_resolve(&two[i], 0, NULL));
	}
	return 0;
}

static int set_later(void *arg)
{
	for (int i = 0; i < 2; i++) {
		expect_ok(sleep_a_little(&(int64_t){EIO_MS(1)}));
		eio_event_set(arg);
	}
	return 0;
}

static int run_out(void *arg)
{
	struct eio_timeout t;

	(void) arg;
	eio_timeout_begin(&t, env->mono_clock, EIO_MS(1));
	expect_err(eio_timeout_end(&t, eio_await_cancel()), -ETIMEDOUT);
	return 0;
}

static int one_scope(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, sleep_a_little, arg));
	return eio_switch_end(&sw, 0);
}

/* The painted fiber blocks last, so that it runs the loop. */
static void measure_one(const char *what, eio_fn *wait, void *arg, eio_fn *waker)
{
	struct painter p = {{wait, arg}, what};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	if (waker)
		expect_ok(eio_fork(&sw, waker, arg));
	expect_ok(eio_fork(&sw, measure, &p));
	expect_ok(eio_switch_end(&sw, 0));
}

static void free_many_stacks(void)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 200; i++)
		expect_ok(eio_fork(&sw, yield_once, NULL));
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(record_and_frames_of_a_blocked_fiber_stay_within_2560_bytes)
{
	struct eio_promise promises[2] = {EIO_PROMISE_INIT, EIO_PROMISE_INIT};
	int64_t short_time = EIO_MS(1);
	struct eio_event event;

	(void) arg;
	if (SANITIZED)
		return 0;
	expect_ok(eio_event_init(&event));
	measure_one("sleep", sleep_a_little, &short_time, NULL);
	measure_one("promise", await_one, promises, resolve_later);
	measure_one("event", await_event, &event, set_later);
	measure_one("ring", noop, NULL, NULL);
	measure_one("timeout", run_out, NULL, NULL);
	measure_one("scope", one_scope, &short_time, NULL);
	free_many_stacks();
	measure_one("trim", sleep_a_little, &short_time, NULL);
	eio_event_fini(&event);
	return 0;
}

SUITE_MAIN("fiber", false, DEBUG_TESTS fork_runs_the_child_at_once_test,
	   the_forking_fiber_resumes_before_what_was_queued_earlier_test,
	   every_fork_runs_the_child_at_once_and_the_caller_next_test,
	   a_fork_inside_a_fork_nests_test, yielding_fibers_take_turns_test,
	   a_yield_with_nobody_else_ready_returns_test,
	   a_due_timer_waits_for_at_most_64_switches_test,
	   an_entry_waits_for_at_most_64_switches_to_be_submitted_test,
	   busy_fibers_do_not_starve_a_read_test,
	   no_fork_on_a_cancelled_switch_runs_its_function_test,
	   no_fork_on_a_finished_switch_runs_its_function,
	   no_fork_on_another_domains_switch_runs_its_function_test,
	   calls_outside_a_domain_give_eperm,
	   fork_copy_copies_before_it_returns_and_until_the_fiber_ends_test,
	   fork_copy_takes_up_to_a_quarter_of_a_stack_test,
	   daemons_are_cancelled_and_awaited_when_only_they_are_left_test,
	   daemons_alone_are_cancelled_at_the_end_of_the_body_test,
	   a_daemon_that_ends_by_itself_changes_nothing_test,
	   a_daemon_that_fails_fails_the_switch_test,
	   what_a_daemon_returns_once_only_daemons_are_left_is_no_failure_test,
	   a_failure_cancels_daemons_too_test,
	   many_fibers_blocked_on_one_promise_all_wake_in_order_test,
	   fibers_one_after_another_leave_memory_flat_test, ids_are_unique_and_main_is_1_test,
	   a_fibers_name_is_in_messages, ignoring_100000_cancellations_is_reported_once,
	   suspending_starts_the_count_of_cancellations_anew_test,
	   record_and_frames_of_a_blocked_fiber_stay_within_2560_bytes_test)
