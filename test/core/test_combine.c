/* SPDX-License-Identifier: ISC */
#include "tasks.h"

/* Tasks from steps: T(a) for a struct step a. */
#define T(step)                                                                                    \
	{                                                                                          \
		run_step, &(step)                                                                  \
	}

/* Runs a call in a fiber whose context is cancelled after so many yields. */
struct cancelled_later {
	struct eio_cancel ctx;
	eio_fn *fn;
	void *arg;
	int rc;
};

static int run_cancellable(void *arg)
{
	struct cancelled_later *c = arg;

	eio_cancel_begin(&c->ctx);
	c->rc = c->fn(c->arg);
	eio_cancel_end(&c->ctx);
	return 0;
}

static int cancelled_after(unsigned yields, eio_fn *fn, void *arg)
{
	struct cancelled_later c = {.fn = fn, .arg = arg};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_cancellable, &c));
	expect_ok(yield_times(yields));
	note("cancel");
	expect_ok(eio_cancel_raise(&c.ctx, -EPIPE));
	expect_ok(eio_switch_end(&sw, 0));
	return c.rc;
}

/* When it is cancelled it cleans up, suspending, and then has a result of its own. */
struct slow {
	const char *name;
	int rc;
};

static int end_slowly(void *arg)
{
	const struct slow *s = arg;
	struct eio_cancel shield;

	note("%s+", s->name);
	expect_err(eio_await_cancel(), -ECANCELED);
	note("%s!", s->name);
	eio_cancel_protect_begin(&shield);
	expect_ok(yield_times(4));
	eio_cancel_end(&shield);
	note("%s-", s->name);
	return s->rc;
}

/* A failure with details. */
static int fail_with_details(void *arg)
{
	struct step *s = arg;
	int rc = run_step(s);

	return rc == s->rc ? eio_error_set(rc, "open", s->name) : rc;
}

static void expect_details(const char *subject)
{
	ck_assert_str_eq(eio_last_error()->op, "open");
	ck_assert_str_eq(eio_last_error()->subject, subject);
}

/* both */

CORE_TEST(both_runs_the_first_at_once_and_the_second_at_the_head)
{
	struct step a = {"a", 1, 0}, b = {"b", 1, 0};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(eio_both(run_step, &a, run_step, &b));
	note("end");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ a+ b+ queued- a- b- end");
	return 0;
}

CORE_TEST(both_waits_for_both_and_gives_0)
{
	struct step a = {"a", 3, 7}, b = {"b", 1, 8};

	(void) arg;
	expect_ok(eio_both(run_step, &a, run_step, &b));
	expect_log("a+ b+ b- a-");
	return 0;
}

CORE_TEST(a_failing_task_cancels_the_other_and_is_awaited)
{
	struct step a = {"a", 1, -EIO};
	struct slow b = {"b", 0};

	(void) arg;
	expect_err(eio_both(run_step, &a, end_slowly, &b), -EIO);
	note("end");
	expect_log("a+ b+ a- b! b- end");
	return 0;
}

CORE_TEST(the_first_of_two_failures_is_returned)
{
	struct slow a = {"a", -ENOENT};
	struct step b = {"b", 1, -EIO};

	(void) arg;
	expect_err(eio_both(end_slowly, &a, run_step, &b), -EIO);
	expect_log("a+ b+ b- a! a-");
	return 0;
}

CORE_TEST(both_failures_are_listed_by_a_switch)
{
	struct slow a = {"a", -ENOENT};
	struct eio_switch sw;
	int codes[2];

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, end_slowly, &a));
	expect_ok(fork_step(&sw, "b", 1, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert_uint_eq(eio_switch_failures(&sw, codes, 2), 2);
	ck_assert_int_eq(codes[0], -EIO);
	ck_assert_int_eq(codes[1], -ENOENT);
	log_clear();
	return 0;
}

CORE_TEST(a_failure_at_once_keeps_the_second_from_starting)
{
	struct step a = {"a", 0, -EIO}, b = {"b", 0, 0};

	(void) arg;
	expect_err(eio_both(run_step, &a, run_step, &b), -EIO);
	expect_log("a+ a-");
	return 0;
}

CORE_TEST(the_failing_tasks_details_travel)
{
	struct step a = {"a", 2, -ENOENT}, b = {"b", 1, -ENOENT};

	(void) arg;
	expect_err(eio_both(fail_with_details, &a, fail_with_details, &b), -ENOENT);
	expect_details("b");
	log_clear();
	return 0;
}

static int run_both(void *arg)
{
	struct step *s = arg;

	return eio_both(run_step, &s[0], run_step, &s[1]);
}

CORE_TEST(both_is_cancelled_from_outside)
{
	struct step s[] = {{"a", 1, 0}, {"b", FOR_EVER, 0}};

	(void) arg;
	expect_err(cancelled_after(3, run_both, s), -ECANCELED);
	expect_log("a+ b+ a- cancel b!");
	return 0;
}

struct failing_pair {
	struct slow a;
	struct step b;
};

static int run_failing_pair(void *arg)
{
	struct failing_pair *p = arg;

	return eio_both(end_slowly, &p->a, run_step, &p->b);
}

CORE_TEST(a_cancel_from_outside_while_cancelling_is_not_delivered_twice)
{
	struct failing_pair p = {{"a", -ECANCELED}, {"b", 1, -EIO}};

	(void) arg;
	expect_err(cancelled_after(3, run_failing_pair, &p), -EIO);
	expect_log("a+ b+ b- a! cancel a-");
	return 0;
}

static int finish_when_cancelled(void *arg)
{
	expect_err(eio_await_cancel(), -ECANCELED);
	return *(int *) arg;
}

static int run_finishing_pair(void *arg)
{
	return eio_both(finish_when_cancelled, arg, finish_when_cancelled, arg);
}

CORE_TEST(values_finished_before_the_cancel_reached_them_count)
{
	int rc = 5;

	(void) arg;
	expect_ok(cancelled_after(1, run_finishing_pair, &rc));
	log_clear();
	return 0;
}

/* all */

CORE_TEST(all_starts_its_tasks_in_order_and_waits_for_every_one)
{
	struct step a = {"a", 2, 0}, b = {"b", 3, 1}, c = {"c", 1, 0};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};

	(void) arg;
	expect_ok(eio_all(tasks, 3));
	expect_log("a+ b+ c+ c- a- b-");
	return 0;
}

/* Behind the fibers of every way to start several: one that was queued before them. */
static void expect_order(int (*start)(const struct eio_task *tasks), const char *log)
{
	struct step a = {"a", 1, 0}, b = {"b", 2, 0}, c = {"c", 2, 0};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(start(tasks));
	note("end");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log(log);
}

static int start_all(const struct eio_task *tasks)
{
	return eio_all(tasks, 3);
}

static int start_any(const struct eio_task *tasks)
{
	return eio_any(tasks, 3, NULL);
}

static int start_n_any(const struct eio_task *tasks)
{
	int results[3];

	return eio_n_any(tasks, 3, results, NULL, NULL);
}

static int run_task(size_t i, void *arg)
{
	const struct eio_task *tasks = arg;

	return tasks[i].fn(tasks[i].arg);
}

static int start_for_each(const struct eio_task *tasks)
{
	return eio_for_each(3, 0, run_task, (void *) tasks);
}

static int start_for_each_of_two(const struct eio_task *tasks)
{
	return eio_for_each(3, 2, run_task, (void *) tasks);
}

CORE_TEST(the_first_runs_at_once_and_the_next_ones_at_the_head_in_order)
{
	(void) arg;
	expect_order(start_all, "queued+ a+ b+ c+ queued- a- b- c- end");
	expect_order(start_any, "queued+ a+ b+ c+ queued- a- b! c! end");
	expect_order(start_n_any, "queued+ a+ b+ c+ queued- a- b! c! end");
	expect_order(start_for_each, "queued+ a+ b+ c+ queued- a- b- c- end");
	expect_order(start_for_each_of_two, "queued+ a+ b+ queued- a- c+ b- c- end");
	return 0;
}

CORE_TEST(all_of_nothing_is_done)
{
	(void) arg;
	expect_ok(eio_all(NULL, 0));
	return 0;
}

CORE_TEST(all_gives_the_first_failure_after_the_others_ended)
{
	struct step a = {"a", FOR_EVER, 0}, b = {"b", 1, -EPIPE};
	struct slow c = {"c", -EIO};
	const struct eio_task tasks[] = {T(a), T(b), {end_slowly, &c}};

	(void) arg;
	expect_err(eio_all(tasks, 3), -EPIPE);
	note("end");
	expect_log("a+ b+ c+ b- c! a! c- end");
	return 0;
}

CORE_TEST(an_uncancelled_tasks_ecanceled_comes_out_of_all)
{
	struct step a = {"a", FOR_EVER, 0}, b = {"b", 1, -ECANCELED};
	const struct eio_task tasks[] = {T(a), T(b)};

	(void) arg;
	expect_err(eio_all(tasks, 2), -ECANCELED);
	expect_ok(eio_check());
	expect_log("a+ b+ b- a!");
	return 0;
}

/* first */

CORE_TEST(first_awaits_the_loser)
{
	struct step a = {"a", 1, 7};
	struct slow b = {"b", 0};

	(void) arg;
	expect_err(eio_first(run_step, &a, end_slowly, &b), 7);
	note("end");
	expect_log("a+ b+ a- b! b- end");
	return 0;
}

CORE_TEST(first_gives_the_result_of_whoever_finishes_first)
{
	struct step a = {"a", 3, 1}, b = {"b", 1, 2};

	(void) arg;
	expect_err(eio_first(run_step, &a, run_step, &b), 2);
	expect_log("a+ b+ b- a!");
	return 0;
}

CORE_TEST(first_runs_the_first_at_once_and_the_second_at_the_head)
{
	struct step a = {"a", 1, 0}, b = {"b", 2, 0};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(eio_first(run_step, &a, run_step, &b));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ a+ b+ queued- a- b!");
	return 0;
}

CORE_TEST(the_second_starts_though_the_first_succeeded_at_once)
{
	struct step a = {"a", 0, 1}, b = {"b", 1, 2};

	(void) arg;
	expect_err(eio_first(run_step, &a, run_step, &b), 1);
	expect_log("a+ a- b+ b!");
	return 0;
}

CORE_TEST(if_both_succeed_at_once_the_first_wins)
{
	struct step a = {"a", 0, 1}, b = {"b", 0, 2};

	(void) arg;
	expect_err(eio_first(run_step, &a, run_step, &b), 1);
	expect_log("a+ a- b+ b-");
	return 0;
}

CORE_TEST(the_second_does_not_start_if_the_first_failed_at_once)
{
	struct step a = {"a", 0, -EIO}, b = {"b", 0, 0};

	(void) arg;
	expect_err(eio_first(run_step, &a, run_step, &b), -EIO);
	expect_log("a+ a-");
	return 0;
}

CORE_TEST(a_failure_wins_too_and_brings_its_details)
{
	struct step a = {"a", 3, 0}, b = {"b", 1, -ENOENT};

	(void) arg;
	expect_err(eio_first(run_step, &a, fail_with_details, &b), -ENOENT);
	expect_details("b");
	expect_log("a+ b+ b- a!");
	return 0;
}

CORE_TEST(what_a_cancelled_loser_returns_is_not_the_result)
{
	struct step a = {"a", 1, 3};
	struct slow b = {"b", -EIO};

	(void) arg;
	expect_err(eio_first(run_step, &a, end_slowly, &b), 3);
	expect_ok(eio_check());
	expect_log("a+ b+ a- b! b-");
	return 0;
}

static int run_first(void *arg)
{
	struct step *s = arg;

	return eio_first(run_step, &s[0], run_step, &s[1]);
}

CORE_TEST(first_is_cancelled_from_outside)
{
	struct step s[] = {{"a", FOR_EVER, 0}, {"b", FOR_EVER, 0}};

	(void) arg;
	expect_err(cancelled_after(1, run_first, s), -ECANCELED);
	expect_log("a+ b+ cancel b! a!");
	return 0;
}

struct slow_race {
	struct step a;
	struct slow b;
};

static int run_slow_race(void *arg)
{
	struct slow_race *r = arg;

	return eio_first(run_step, &r->a, end_slowly, &r->b);
}

CORE_TEST(a_cancel_from_outside_after_the_win_leaves_the_result)
{
	struct slow_race r = {{"a", 1, 3}, {"b", 0}};

	(void) arg;
	expect_err(cancelled_after(3, run_slow_race, &r), 3);
	expect_log("a+ b+ a- b! cancel b-");
	return 0;
}

static int run_finishing_race(void *arg)
{
	return eio_first(finish_when_cancelled, arg, finish_when_cancelled, arg);
}

CORE_TEST(a_result_that_came_though_cancelled_from_outside_wins)
{
	int rc = 6;

	(void) arg;
	expect_err(cancelled_after(1, run_finishing_race, &rc), 6);
	log_clear();
	return 0;
}

CORE_TEST(an_uncancelled_tasks_ecanceled_ends_the_race)
{
	struct step a = {"a", FOR_EVER, 0}, b = {"b", 1, -ECANCELED};

	(void) arg;
	expect_err(eio_first(run_step, &a, run_step, &b), -ECANCELED);
	expect_ok(eio_check());
	expect_log("a+ b+ b- a!");
	return 0;
}

CORE_TEST(races_nest)
{
	struct step outer[] = {{"a", 4, 1}, {"b", 2, 2}}, c = {"c", 9, 3};

	(void) arg;
	expect_err(eio_first(run_first, outer, run_step, &c), 2);
	expect_log("a+ b+ c+ b- a! c!");
	return 0;
}

/* any */

CORE_TEST(any_tells_who_won)
{
	struct step a = {"a", 3, 1}, b = {"b", 2, 2}, c = {"c", 1, 3};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};
	size_t winner = 99;

	(void) arg;
	expect_err(eio_any(tasks, 3, &winner), 3);
	ck_assert_uint_eq(winner, 2);
	expect_err(eio_any(tasks, 2, &winner), 2);
	ck_assert_uint_eq(winner, 1);
	expect_err(eio_any(tasks, 1, NULL), 1);
	log_clear();
	return 0;
}

CORE_TEST(every_task_of_any_starts_though_one_succeeded)
{
	struct step a = {"a", 0, 1}, b = {"b", 0, 2}, c = {"c", 1, 3};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};
	size_t winner = 99;

	(void) arg;
	expect_err(eio_any(tasks, 3, &winner), 1);
	ck_assert_uint_eq(winner, 0);
	expect_log("a+ a- b+ b- c+ c!");
	return 0;
}

CORE_TEST(a_failure_keeps_later_tasks_from_starting)
{
	struct step a = {"a", 1, 1}, b = {"b", 0, -EIO}, c = {"c", 0, 3};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};

	(void) arg;
	expect_err(eio_any(tasks, 3, NULL), -EIO);
	expect_log("a+ b+ b- a!");
	return 0;
}

static int run_any_of_none(void *arg)
{
	int rc = eio_any(NULL, 0, arg);

	note("any");
	return rc;
}

static int run_n_any_of_none(void *arg)
{
	int rc = eio_n_any(NULL, 0, NULL, NULL, arg);

	note("n_any");
	return rc;
}

CORE_TEST(any_and_n_any_of_nothing_wait_until_cancelled)
{
	size_t winner = 99;

	(void) arg;
	expect_err(cancelled_after(2, run_any_of_none, &winner), -ECANCELED);
	ck_assert_uint_eq(winner, 99);
	expect_log("cancel any");
	expect_err(cancelled_after(2, run_n_any_of_none, &winner), -ECANCELED);
	ck_assert_uint_eq(winner, 0); /* the count */
	expect_log("cancel n_any");
	return 0;
}

/* n_any */

static void expect_n_any(const struct eio_task *tasks, size_t n, int rc, const char *results)
{
	int res[8] = {99, 99, 99, 99, 99, 99, 99, 99};
	size_t order[8] = {99, 99, 99, 99, 99, 99, 99, 99}, count = 99;

	ck_assert_uint_le(n, 8);
	log_clear();
	expect_err(eio_n_any(tasks, n, res, order, &count), rc);
	log_clear();
	for (size_t i = 0; i < n; i++)
		note(res[i] == -ECANCELED ? "-" : "%d", res[i]);
	note("/");
	for (size_t i = 0; i < count; i++)
		note("%zu", order[i]);
	for (size_t i = count; i < 8; i++)
		ck_assert_uint_eq(order[i], 99);
	expect_log(results);
}

CORE_TEST(n_any_gives_every_result_in_finishing_order)
{
	struct step a = {"a", 0, 1}, b = {"b", 3, 2}, c = {"c", 0, 3};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};

	(void) arg;
	expect_n_any(tasks, 3, 0, "1 - 3 / 0 2");
	return 0;
}

CORE_TEST(n_any_gives_what_losers_took_when_they_were_cancelled)
{
	struct step b = {"b", 1, 2};
	int took = 5;
	const struct eio_task tasks[] = {
		{finish_when_cancelled, &took}, T(b), {finish_when_cancelled, &took}};

	(void) arg;
	expect_n_any(tasks, 3, 0, "5 2 5 / 1 2 0");
	return 0;
}

CORE_TEST(n_any_is_0_when_one_finished_well_though_another_failed_first)
{
	struct step a = {"a", 1, -EIO};
	int took = 5, failed = -ENOENT;
	const struct eio_task good[] = {T(a), {finish_when_cancelled, &took}};
	const struct eio_task bad[] = {T(a), {finish_when_cancelled, &failed}};

	(void) arg;
	expect_n_any(good, 2, 0, "-5 5 / 0 1");
	expect_n_any(bad, 2, -EIO, "-5 -2 / 0 1");
	return 0;
}

/* Its result is the item. */
static int take_number(void *arg)
{
	int n, rc = eio_stream_take(arg, &n);

	return rc < 0 ? rc : n;
}

static void fill(struct eio_stream *s, int n)
{
	expect_ok(eio_stream_init(s, sizeof(n), 1));
	if (n)
		expect_ok(eio_stream_add(s, &n));
}

static int give_to_both(void *arg)
{
	struct eio_stream *s = arg;

	expect_ok(eio_stream_try_add(&s[0], &(int){7}));
	expect_ok(eio_stream_try_add(&s[1], &(int){8}));
	note("given");
	return eio_await_cancel();
}

CORE_TEST(n_any_tells_of_both_items_when_both_were_taken_at_once)
{
	struct eio_stream s[2];
	const struct eio_task tasks[] = {
		{take_number, &s[0]}, {take_number, &s[1]}, {give_to_both, s}};
	size_t order[3], count;
	int results[3];

	(void) arg;
	fill(&s[0], 0);
	fill(&s[1], 0);
	expect_ok(eio_n_any(tasks, 3, results, order, &count));
	expect_log("given");
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(order[0], 0);
	ck_assert_uint_eq(order[1], 1);
	ck_assert_int_eq(results[0], 7);
	ck_assert_int_eq(results[1], 8);
	ck_assert_int_eq(results[2], -ECANCELED);
	expect_ok(eio_stream_fini(&s[0], NULL, NULL));
	expect_ok(eio_stream_fini(&s[1], NULL, NULL));
	return 0;
}

/* The second starts in a cancelled context: it must not take what nobody would get. */
CORE_TEST(a_loser_that_starts_after_the_win_leaves_its_item)
{
	struct eio_stream s[2];

	(void) arg;
	fill(&s[0], 7);
	fill(&s[1], 8);
	expect_err(eio_first(take_number, &s[0], take_number, &s[1]), 7);
	ck_assert_uint_eq(eio_stream_length(&s[0]), 0);
	ck_assert_uint_eq(eio_stream_length(&s[1]), 1);
	expect_ok(eio_stream_fini(&s[0], NULL, NULL));
	expect_ok(eio_stream_fini(&s[1], NULL, NULL));
	return 0;
}

CORE_TEST(every_task_of_n_any_starts_though_one_succeeded)
{
	struct step a = {"a", 0, 1}, b = {"b", 1, 2}, c = {"c", 0, 3};
	const struct eio_task tasks[] = {T(a), T(b), T(c)};
	int results[3];

	(void) arg;
	expect_ok(eio_n_any(tasks, 3, results, NULL, NULL));
	expect_log("a+ a- b+ b! c+ c-");
	return 0;
}

CORE_TEST(n_any_marks_what_was_never_started)
{
	struct step a = {"a", 0, -EIO}, b = {"b", 0, 0};
	const struct eio_task tasks[] = {T(a), T(b)};

	(void) arg;
	expect_n_any(tasks, 2, -EIO, "-5 - / 0");
	return 0;
}

static int run_n_any(void *arg)
{
	expect_n_any(arg, 2, -ECANCELED, "- - /");
	note("n_any");
	return 0;
}

CORE_TEST(n_any_is_cancelled_from_outside)
{
	struct step a = {"a", FOR_EVER, 0}, b = {"b", 9, 0};
	const struct eio_task tasks[] = {T(a), T(b)};

	(void) arg;
	expect_ok(cancelled_after(2, run_n_any, (void *) tasks));
	expect_log("n_any");
	return 0;
}

CORE_TEST(n_any_needs_neither_order_nor_count)
{
	struct step a = {"a", 0, 4};
	const struct eio_task tasks[] = {T(a)};
	int result = 99;

	(void) arg;
	expect_ok(eio_n_any(tasks, 1, &result, NULL, NULL));
	ck_assert_int_eq(result, 4);
	log_clear();
	return 0;
}

/* for_each */

struct alive {
	size_t now, most, calls;
};

static int count_alive(size_t i, void *arg)
{
	struct alive *a = arg;

	ck_assert_uint_eq(i, a->calls++);
	if (++a->now > a->most)
		a->most = a->now;
	expect_ok(yield_times(1 + (unsigned) (i * 7 % 5)));
	a->now--;
	return 1;
}

CORE_TEST(for_each_never_has_more_than_max_fibers_alive)
{
	(void) arg;
	for (size_t max = 1; max <= 12; max++) {
		struct alive a = {0};

		expect_ok(eio_for_each(10, max, count_alive, &a));
		ck_assert_uint_eq(a.calls, 10);
		ck_assert_uint_eq(a.most, max < 10 ? max : 10);
	}
	return 0;
}

CORE_TEST(for_each_without_a_limit_runs_all_at_once)
{
	struct alive a = {0};

	(void) arg;
	expect_ok(eio_for_each(500, 0, count_alive, &a));
	ck_assert_uint_eq(a.calls, 500);
	ck_assert_uint_eq(a.most, 500);
	return 0;
}

CORE_TEST(for_each_of_nothing_is_done)
{
	(void) arg;
	expect_ok(eio_for_each(0, 3, NULL, NULL));
	return 0;
}

static int run_ith(size_t i, void *arg)
{
	struct step *s = arg;

	return run_step(&s[i]);
}

CORE_TEST(for_each_starts_the_next_when_a_place_is_free)
{
	struct step s[] = {{"a", 2, 0}, {"b", 1, 0}, {"c", 2, 0}, {"d", 0, 0}};

	(void) arg;
	expect_ok(eio_for_each(4, 2, run_ith, s));
	expect_log("a+ b+ b- c+ a- d+ d- c-");
	return 0;
}

CORE_TEST(a_failure_cancels_the_rest_and_what_waits_for_a_place)
{
	struct step s[] = {{"a", FOR_EVER, 0}, {"b", 1, -EIO}, {"c", 0, 0}, {"d", 0, 0}};

	(void) arg;
	expect_err(eio_for_each(4, 2, run_ith, s), -EIO);
	expect_log("a+ b+ b- a!");
	return 0;
}

static int end_well_or_fail(size_t i, void *arg)
{
	(void) arg;
	note("%zu", i);
	if (i == 0)
		return eio_await_cancel() == -ECANCELED ? 0 : -EINVAL;
	eio_yield();
	return -EIO;
}

CORE_TEST(a_worker_that_ends_well_after_a_failure_takes_no_more)
{
	(void) arg;
	expect_err(eio_for_each(5, 2, end_well_or_fail, NULL), -EIO);
	expect_log("0 1");
	return 0;
}

CORE_TEST(a_failure_at_once_starts_nothing_more)
{
	struct step s[] = {{"a", 0, -EIO}, {"b", 0, 0}, {"c", 0, 0}};

	(void) arg;
	expect_err(eio_for_each(3, 0, run_ith, s), -EIO);
	expect_log("a+ a-");
	return 0;
}

static int each_with_details(size_t i, void *arg)
{
	struct step *s = arg;

	return fail_with_details(&s[i]);
}

CORE_TEST(for_each_brings_the_failures_details)
{
	struct step s[] = {{"a", 2, 0}, {"b", 1, -ENOENT}};

	(void) arg;
	expect_err(eio_for_each(2, 0, each_with_details, s), -ENOENT);
	expect_details("b");
	log_clear();
	return 0;
}

static int run_for_each(void *arg)
{
	return eio_for_each(4, 2, run_ith, arg);
}

/* "d" waits for a place. */
CORE_TEST(for_each_is_cancelled_from_outside_and_calls_no_more)
{
	struct step s[] = {{"a", 9, 0}, {"b", 1, 0}, {"c", 9, 0}, {"d", 0, 0}};

	(void) arg;
	expect_err(cancelled_after(3, run_for_each, s), -ECANCELED);
	expect_log("a+ b+ b- c+ cancel a! c!");
	return 0;
}

/* fork_promise */

static void expect_resolved(struct eio_promise *p, int rc)
{
	int got = 99;

	ck_assert(eio_promise_peek(p, &got, NULL));
	expect_err(got, rc);
}

CORE_TEST(fork_promise_resolves_with_the_result)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct step a = {"a", 2, 7};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_promise(&sw, run_step, &a, &p));
	ck_assert(!eio_promise_peek(&p, NULL, NULL));
	expect_err(eio_promise_await(&p, NULL), 7);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

CORE_TEST(a_failure_of_fork_promise_does_not_fail_the_switch)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct step a = {"a", 1, -EIO};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_promise(&sw, run_step, &a, &p));
	expect_err(eio_promise_await(&p, NULL), -EIO);
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

CORE_TEST(cancelled_work_is_abandoned)
{
	struct eio_promise p = EIO_PROMISE_INIT, q = EIO_PROMISE_INIT;
	struct step a = {"a", FOR_EVER, 0}, b = {"b", 1, -ECANCELED};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_promise(&sw, run_step, &a, &p));
	/* By itself: the switch is not cancelled. */
	expect_ok(eio_fork_promise(&sw, run_step, &b, &q));
	expect_err(eio_promise_await(&q, NULL), EIO_EABANDONED);
	expect_ok(eio_switch_check(&sw));
	ck_assert(!eio_promise_peek(&p, NULL, NULL));
	expect_err(eio_switch_end(&sw, -EPIPE), -EPIPE);
	expect_resolved(&p, EIO_EABANDONED);
	expect_log("a+ b+ b- a!");
	return 0;
}

CORE_TEST(fork_promise_takes_its_context_from_the_switch)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct step a = {"a", 2, 3};
	struct eio_switch sw;
	struct eio_cancel c;

	(void) arg;
	eio_switch_begin(&sw);
	eio_cancel_begin(&c);
	expect_ok(eio_fork_promise(&sw, run_step, &a, &p));
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_promise_await(&p, NULL), -ECANCELED);
	eio_cancel_end(&c);
	expect_err(eio_promise_await(&p, NULL), 3);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

SUITE_MAIN("combine", false, both_runs_the_first_at_once_and_the_second_at_the_head_test,
	   both_waits_for_both_and_gives_0_test,
	   a_failing_task_cancels_the_other_and_is_awaited_test,
	   the_first_of_two_failures_is_returned_test, both_failures_are_listed_by_a_switch_test,
	   a_failure_at_once_keeps_the_second_from_starting_test,
	   the_failing_tasks_details_travel_test, both_is_cancelled_from_outside_test,
	   a_cancel_from_outside_while_cancelling_is_not_delivered_twice_test,
	   values_finished_before_the_cancel_reached_them_count_test,
	   all_starts_its_tasks_in_order_and_waits_for_every_one_test, all_of_nothing_is_done_test,
	   the_first_runs_at_once_and_the_next_ones_at_the_head_in_order_test,
	   all_gives_the_first_failure_after_the_others_ended_test,
	   an_uncancelled_tasks_ecanceled_comes_out_of_all_test, first_awaits_the_loser_test,
	   first_gives_the_result_of_whoever_finishes_first_test,
	   first_runs_the_first_at_once_and_the_second_at_the_head_test,
	   the_second_starts_though_the_first_succeeded_at_once_test,
	   if_both_succeed_at_once_the_first_wins_test,
	   the_second_does_not_start_if_the_first_failed_at_once_test,
	   a_failure_wins_too_and_brings_its_details_test,
	   what_a_cancelled_loser_returns_is_not_the_result_test,
	   first_is_cancelled_from_outside_test,
	   a_cancel_from_outside_after_the_win_leaves_the_result_test,
	   a_result_that_came_though_cancelled_from_outside_wins_test,
	   an_uncancelled_tasks_ecanceled_ends_the_race_test, races_nest_test,
	   any_tells_who_won_test, every_task_of_any_starts_though_one_succeeded_test,
	   a_failure_keeps_later_tasks_from_starting_test,
	   any_and_n_any_of_nothing_wait_until_cancelled_test,
	   n_any_gives_every_result_in_finishing_order_test,
	   n_any_gives_what_losers_took_when_they_were_cancelled_test,
	   n_any_is_0_when_one_finished_well_though_another_failed_first_test,
	   every_task_of_n_any_starts_though_one_succeeded_test,
	   n_any_tells_of_both_items_when_both_were_taken_at_once_test,
	   a_loser_that_starts_after_the_win_leaves_its_item_test,
	   n_any_marks_what_was_never_started_test, n_any_is_cancelled_from_outside_test,
	   n_any_needs_neither_order_nor_count_test,
	   for_each_never_has_more_than_max_fibers_alive_test,
	   for_each_without_a_limit_runs_all_at_once_test, for_each_of_nothing_is_done_test,
	   for_each_starts_the_next_when_a_place_is_free_test,
	   a_failure_cancels_the_rest_and_what_waits_for_a_place_test,
	   a_worker_that_ends_well_after_a_failure_takes_no_more_test,
	   a_failure_at_once_starts_nothing_more_test, for_each_brings_the_failures_details_test,
	   for_each_is_cancelled_from_outside_and_calls_no_more_test,
	   fork_promise_resolves_with_the_result_test,
	   a_failure_of_fork_promise_does_not_fail_the_switch_test,
	   cancelled_work_is_abandoned_test, fork_promise_takes_its_context_from_the_switch_test)
