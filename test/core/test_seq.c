/* SPDX-License-Identifier: ISC */
/*
 * Generators.
 */
#include "tasks.h"

#include <eio/seq.h>

static char *const words[] = {"one", "two", "three"};

/* Yields that many words, then returns rc. */
struct plan {
	int n;
	int rc;
};

static int yield_words(struct eio_seq *seq, void *arg)
{
	const struct plan *p = arg;
	int rc = 0;

	note("begin");
	for (int i = 0; i < p->n && rc == 0; i++)
		rc = eio_seq_yield(seq, words[i]);
	note(rc == -ECANCELED ? "cancelled" : "end");
	return rc < 0 ? rc : p->rc;
}

static int note_next(struct eio_seq *seq)
{
	void *item = NULL;
	int rc = eio_seq_next(seq, &item);

	if (rc == 1)
		note("%s", (char *) item);
	else
		note("%s", rc ? eio_err_name(rc) : "over");
	return rc;
}

CORE_TEST(items_come_in_order_then_the_end)
{
	struct plan plan = {3, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	note("begun");
	while (note_next(&seq) == 1)
		;
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begun begin one two three end over");
	return 0;
}

CORE_TEST(the_generator_runs_only_while_somebody_waits_for_an_item)
{
	struct plan plan = {3, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	expect_ok(yield_times(5));
	expect_log("");
	note_next(&seq);
	expect_ok(yield_times(5));
	expect_log("begin one");
	expect_ok(eio_switch_end(&sw, 0)); /* does not wait for a daemon */
	expect_log("cancelled");
	return 0;
}

CORE_TEST(a_positive_result_is_the_end_too)
{
	struct plan plan = {0, 5};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	note_next(&seq);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begin end over");
	return 0;
}

static int fail_with_details(struct eio_seq *seq, void *arg)
{
	int rc = eio_seq_yield(seq, arg);

	return rc < 0 ? rc : eio_error_set(-EIO, "generate", "the second");
}

CORE_TEST(the_generators_failure_reaches_the_consumer_with_its_details)
{
	struct eio_switch sw;
	struct eio_seq seq;
	void *item;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, fail_with_details, &seq));
	expect_err(eio_seq_next(&seq, &item), 1);
	eio_error_set(-EIO, "older", NULL);
	expect_err(eio_seq_next(&seq, &item), -EIO);
	ck_assert_str_eq(eio_last_error()->op, "generate");
	ck_assert_str_eq(eio_last_error()->subject, "the second");
	expect_ok(eio_switch_check(&sw)); /* and is the consumer's alone */
	return eio_switch_end(&sw, 0);
}

CORE_TEST(after_the_end_there_is_an_error)
{
	struct plan plan = {0, 0}, failing = {0, -EIO};
	struct eio_switch sw;
	struct eio_seq seq, seq2;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	expect_ok(eio_seq_begin(&seq2, &sw, yield_words, &failing));
	note_next(&seq);
	note_next(&seq);
	note_next(&seq2);
	note_next(&seq2);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begin end over EINVAL begin end EIO EINVAL");
	return 0;
}

CORE_TEST(after_the_switch_there_is_an_error)
{
	struct plan plan = {3, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	note_next(&seq);
	expect_ok(eio_switch_end(&sw, 0));
	note_next(&seq);
	expect_log("begin one cancelled EINVAL");
	return 0;
}

static int yield_slowly(struct eio_seq *seq, void *arg)
{
	int rc = yield_times(3);

	note(rc < 0 ? "cancelled" : "yields");
	return rc < 0 ? rc : eio_seq_yield(seq, arg);
}

static int next_of(void *arg)
{
	int rc = note_next(arg);

	return rc < 0 ? rc : 0;
}

static int second_consumer(void *arg)
{
	note_next(arg);
	return 0;
}

CORE_TEST(two_consumers_at_once_are_refused)
{
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_slowly, "word"));
	expect_ok(eio_both(next_of, &seq, second_consumer, &seq));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("EBUSY yields word");
	return 0;
}

CORE_TEST(a_cancelled_consumer_cancels_the_generator_at_its_next_yield)
{
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_slowly, "word"));
	expect_ok(eio_first(next_of, &seq, do_nothing, NULL));
	note_next(&seq);
	expect_ok(yield_times(5));
	note_next(&seq);
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("ECANCELED EINVAL yields EINVAL");
	return 0;
}

static int fail_later(struct eio_seq *seq, void *arg)
{
	int rc = yield_times(3);

	(void) seq, (void) arg;
	return rc < 0 ? rc : -EIO;
}

CORE_TEST(a_failure_nobody_waits_for_fails_the_switch)
{
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, fail_later, NULL));
	expect_ok(eio_first(next_of, &seq, do_nothing, NULL));
	expect_err(eio_await_cancel(), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("ECANCELED");
	return 0;
}

static int cancelled_from_the_start(void *arg)
{
	struct eio_seq *seq = arg;
	struct eio_cancel c;

	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -ECANCELED));
	note_next(seq);
	eio_cancel_end(&c);
	return 0;
}

CORE_TEST(a_consumer_cancelled_before_it_asks_leaves_the_sequence_as_it_is)
{
	struct plan plan = {1, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	cancelled_from_the_start(&seq);
	note_next(&seq);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("ECANCELED begin one cancelled");
	return 0;
}

static struct eio_seq shared;

static int wait_protected(void *arg)
{
	return next_of(arg);
}

static int await_in_protection(void *arg)
{
	int rc = eio_protect_run(wait_protected, arg);

	return rc == EIO_EABANDONED ? 0 : rc;
}

CORE_TEST(work_that_was_cancelled_is_abandoned_for_a_consumer_that_was_not)
{
	struct eio_switch sw, inner;

	(void) arg;
	eio_switch_begin(&sw);
	eio_switch_begin(&inner);
	expect_ok(eio_seq_begin(&shared, &inner, yield_slowly, "word"));
	expect_ok(eio_fork(&sw, await_in_protection, &shared));
	expect_ok(eio_yield()); /* it works on the first item */
	expect_ok(eio_switch_fail(&inner, -EIO));
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("cancelled EIO_EABANDONED");
	return 0;
}

CORE_TEST(a_switch_that_is_off_begins_no_sequence)
{
	struct plan plan = {1, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_seq_begin(&seq, &sw, yield_words, &plan), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert_uint_eq(count_fibers(), 0);
	expect_log("");
	return 0;
}

CORE_TEST(only_the_generator_yields)
{
	struct plan plan = {1, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	expect_err(eio_seq_yield(&seq, words[0]), -EPERM);
	note_next(&seq);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begin one cancelled");
	return 0;
}

static int next_elsewhere(void *arg)
{
	void *item;

	return eio_seq_next(arg, &item);
}

CORE_TEST(a_sequence_belongs_to_its_domain)
{
	struct plan plan = {1, 0};
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_words, &plan));
	expect_err(in_other_domain(next_elsewhere, &seq), -EPERM);
	expect_err(on_plain_thread(next_elsewhere, &seq), -EPERM);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("");
	return 0;
}

static int yield_in_a_limit(struct eio_seq *seq, void *arg)
{
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	*(struct eio_cancel **) arg = &c;
	rc = eio_seq_yield(seq, words[0]);
	eio_cancel_end(&c);
	note("%s", eio_err_name(rc));
	rc = eio_seq_yield(seq, words[1]);
	note("%s", eio_err_name(rc));
	return rc;
}

CORE_TEST(after_a_cancelled_yield_nothing_more_is_yielded)
{
	struct eio_cancel *inner;
	struct eio_switch sw;
	struct eio_seq seq;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&seq, &sw, yield_in_a_limit, &inner));
	note_next(&seq);
	expect_ok(eio_cancel_raise(inner, -ETIMEDOUT)); /* nobody asks just now */
	expect_ok(yield_times(3));
	note_next(&seq);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("one ECANCELED ECANCELED EINVAL");
	return 0;
}

CORE_TEST(a_sequence_that_could_not_begin_has_ended)
{
	struct plan plan = {1, 0};
	struct eio_switch sw;
	struct eio_seq seq;
	void *item;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_seq_begin(&seq, &sw, yield_words, &plan), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(eio_seq_next(&seq, &item), -EINVAL);
	return 0;
}

/* The generator is cancelled and asked in the same round. */
CORE_TEST(asking_a_generator_that_is_being_cancelled_does_not_hang)
{
	struct plan plan = {3, 0};
	struct eio_switch sw;
	struct eio_cancel shield;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_seq_begin(&shared, &sw, yield_words, &plan));
	note_next(&shared);
	expect_ok(eio_switch_fail(&sw, -EIO));
	eio_cancel_protect_begin(&shield);
	note_next(&shared);
	eio_cancel_end(&shield);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_log("begin one cancelled EIO_EABANDONED");
	return 0;
}

SUITE_MAIN("seq", false, items_come_in_order_then_the_end_test,
	   the_generator_runs_only_while_somebody_waits_for_an_item_test,
	   a_positive_result_is_the_end_too_test,
	   the_generators_failure_reaches_the_consumer_with_its_details_test,
	   after_the_end_there_is_an_error_test, after_the_switch_there_is_an_error_test,
	   two_consumers_at_once_are_refused_test,
	   a_cancelled_consumer_cancels_the_generator_at_its_next_yield_test,
	   a_failure_nobody_waits_for_fails_the_switch_test,
	   a_consumer_cancelled_before_it_asks_leaves_the_sequence_as_it_is_test,
	   work_that_was_cancelled_is_abandoned_for_a_consumer_that_was_not_test,
	   a_switch_that_is_off_begins_no_sequence_test, only_the_generator_yields_test,
	   after_a_cancelled_yield_nothing_more_is_yielded_test,
	   a_sequence_that_could_not_begin_has_ended_test, a_sequence_belongs_to_its_domain_test,
	   asking_a_generator_that_is_being_cancelled_does_not_hang_test)
