/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

#include <limits.h>

static int acquire(void *s)
{
	return eio_semaphore_acquire(s);
}

CORE_TEST(units_are_taken_and_given_back)
{
	struct eio_semaphore s;

	(void) arg;
	memset(&s, 0xff, sizeof(s));
	eio_semaphore_init(&s, 3);
	ck_assert_uint_eq(eio_semaphore_value(&s), 3);
	expect_ok(eio_semaphore_acquire(&s));
	expect_ok(eio_semaphore_try_acquire(&s));
	ck_assert_uint_eq(eio_semaphore_value(&s), 1);
	expect_ok(eio_semaphore_acquire(&s));
	ck_assert_uint_eq(eio_semaphore_value(&s), 0);
	expect_err(eio_semaphore_try_acquire(&s), -EAGAIN);
	for (unsigned i = 1; i <= 5; i++) { /* also more than there were */
		eio_semaphore_release(&s);
		ck_assert_uint_eq(eio_semaphore_value(&s), i);
	}
	return 0;
}

CORE_TEST(there_may_be_as_many_units_as_an_unsigned_counts)
{
	struct eio_semaphore s;

	(void) arg;
	eio_semaphore_init(&s, UINT_MAX);
	ck_assert_uint_eq(eio_semaphore_value(&s), UINT_MAX);
	eio_semaphore_release(&s);
	ck_assert_uint_eq(eio_semaphore_value(&s), UINT_MAX); /* and one that does not show */
	expect_ok(eio_semaphore_acquire(&s));
	expect_ok(eio_semaphore_acquire(&s));
	ck_assert_uint_eq(eio_semaphore_value(&s), UINT_MAX - 1);
	return 0;
}

CORE_TEST(a_free_unit_is_taken_without_suspending)
{
	struct eio_semaphore s;
	struct eio_switch sw;

	(void) arg;
	eio_semaphore_init(&s, 1);
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(eio_semaphore_acquire(&s));
	eio_semaphore_release(&s);
	note("done");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ done queued-");
	return 0;
}

CORE_TEST(units_go_to_those_who_wait_in_the_order_they_came)
{
	static const char *const names[] = {"a", "b", "c"};
	struct eio_semaphore s;
	struct eio_switch sw;
	struct caller c[3];

	(void) arg;
	eio_semaphore_init(&s, 0);
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		c[i] = (struct caller){.fn = acquire, .arg = &s, .name = names[i]};
		fork_caller(&sw, &c[i]);
	}
	eio_semaphore_release(&s);
	ck_assert_uint_eq(eio_semaphore_value(&s), 0);
	expect_err(eio_semaphore_try_acquire(&s), -EAGAIN); /* nobody overtakes */
	eio_semaphore_release(&s);
	note("released twice");
	expect_ok(yield_times(2));
	expect_err(c[2].rc, WAITS);
	eio_semaphore_release(&s);
	eio_semaphore_release(&s);
	ck_assert_uint_eq(eio_semaphore_value(&s), 1);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("released twice a b c");
	return 0;
}

CORE_TEST(a_cancelled_context_takes_no_unit)
{
	struct eio_semaphore s;
	struct eio_cancel c;

	(void) arg;
	eio_semaphore_init(&s, 2);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_semaphore_acquire(&s), -ECANCELED);
	ck_assert_uint_eq(eio_semaphore_value(&s), 2);
	expect_ok(eio_semaphore_try_acquire(&s));
	eio_cancel_end(&c);
	return 0;
}

/* Every subset of four waiters is cancelled. */
CORE_TEST(a_cancelled_waiter_takes_no_unit_and_leaves_no_trace)
{
	(void) arg;
	for (unsigned gone = 0; gone < 32; gone++) {
		unsigned stay = 4 - (unsigned) __builtin_popcount(gone & 15);
		struct eio_semaphore s;
		struct eio_switch sw;
		struct caller c[4];

		eio_semaphore_init(&s, 0);
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++) {
			c[i] = (struct caller){.fn = acquire, .arg = &s};
			fork_caller(&sw, &c[i]);
		}
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&c[i]);
		}
		if (gone & 16) /* they have ended by then */
			expect_ok(yield_times(2));
		for (unsigned i = 0; i < stay; i++)
			eio_semaphore_release(&s);
		ck_assert_uint_eq(eio_semaphore_value(&s), 0);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(c[i].rc, gone & 1u << i ? -ECANCELED : 0);
		/* Others come, on the stacks that are free now. */
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_caller(&sw, &c[i]);
		for (int i = 0; i < 5; i++)
			eio_semaphore_release(&s);
		ck_assert_uint_eq(eio_semaphore_value(&s), 1);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_ok(c[i].rc);
		expect_ok(eio_semaphore_try_acquire(&s));
	}
	return 0;
}

/* In one round, before the waiter runs: whichever comes first counts. */
CORE_TEST(a_unit_is_kept_by_who_was_cancelled_after_it_came)
{
	struct eio_semaphore s;
	struct eio_switch sw;
	struct caller c[2] = {{.fn = acquire, .arg = &s}, {.fn = acquire, .arg = &s}};

	(void) arg;
	eio_semaphore_init(&s, 0);
	eio_switch_begin(&sw);
	fork_caller(&sw, &c[0]);
	fork_caller(&sw, &c[1]);
	eio_semaphore_release(&s);
	cancel_caller(&c[0]);
	expect_ok(yield_times(2));
	expect_ok(c[0].rc);
	expect_err(c[1].rc, WAITS);
	cancel_caller(&c[1]);
	eio_semaphore_release(&s);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c[1].rc, -ECANCELED);
	ck_assert_uint_eq(eio_semaphore_value(&s), 1);
	return 0;
}

CORE_TEST(those_who_leave_are_passed_over)
{
	(void) arg;
	for (int leaving = 0; leaving < 3; leaving++) {
		struct eio_semaphore s;
		struct eio_switch sw;
		struct caller c[3];

		eio_semaphore_init(&s, 0);
		eio_switch_begin(&sw);
		for (int i = 0; i < 3; i++) {
			c[i] = (struct caller){.fn = acquire, .arg = &s};
			fork_caller(&sw, &c[i]);
		}
		begin_leaving(c[leaving].fiber);
		for (int i = 0; i < 4; i++)
			eio_semaphore_release(&s);
		ck_assert_uint_eq(eio_semaphore_value(&s), 2);
		expect_ok(eio_semaphore_acquire(&s)); /* also with one on the list */
		end_leaving(c[leaving].fiber);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 3; i++)
			expect_err(c[i].rc, i == leaving ? -ECANCELED : 0);
		ck_assert_uint_eq(eio_semaphore_value(&s), 1);
	}
	return 0;
}

static int use_outside(void *arg)
{
	struct eio_semaphore *s = arg;

	expect_err(eio_semaphore_acquire(s), -EPERM);
	ck_assert_uint_eq(eio_semaphore_value(s), 1);
	expect_ok(eio_semaphore_try_acquire(s));
	expect_err(eio_semaphore_try_acquire(s), -EAGAIN);
	eio_semaphore_release(s);
	return 0;
}

static int release_outside(void *s)
{
	eio_semaphore_release(s);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_tries_and_releases)
{
	struct eio_semaphore s;
	struct caller c = {.fn = acquire, .arg = &s};
	struct eio_switch sw;

	(void) arg;
	eio_semaphore_init(&s, 1);
	expect_ok(on_plain_thread(use_outside, &s));
	expect_ok(eio_semaphore_acquire(&s));
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	expect_ok(on_plain_thread(release_outside, &s));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	return 0;
}

/* It is freed by who took the unit, with the releaser on its way out. */
RING_TEST(a_semaphore_may_be_freed_right_after_an_acquire)
{
	int64_t begun = eio__now();
	struct letter_box box;
	unsigned delay = 0;

	(void) arg;
	start_partner(&box, release_outside);
	for (unsigned i = 0; again(i, SANITIZED ? 5000 : 50000, begun); i++) {
		struct eio_semaphore *s = malloc(sizeof(*s));

		eio_semaphore_init(s, 0);
		put_letter(&box, s);
		spin(delay);
		adapt(&delay, !eio_semaphore_value(s));
		expect_ok(eio_semaphore_acquire(s));
		bury(s, sizeof(*s));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

RING_TEST(releasing_races_with_cancelling)
{
	int64_t begun = eio__now();
	struct letter_box box;
	unsigned delay = 0;

	(void) arg;
	start_partner(&box, release_outside);
	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 30000, begun); i++) {
		struct eio_semaphore *s = malloc(sizeof(*s));
		struct caller c = {.fn = acquire, .arg = s};
		struct eio_switch sw;

		eio_semaphore_init(s, 0);
		eio_switch_begin(&sw);
		fork_caller(&sw, &c);
		put_letter(&box, s);
		spin(delay);
		cancel_caller(&c);
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert(c.rc == 0 || c.rc == -ECANCELED);
		adapt(&delay, c.rc < 0);
		if (c.rc < 0) /* the unit was not for it */
			expect_ok(eio_semaphore_acquire(s));
		ck_assert_uint_eq(eio_semaphore_value(s), 0);
		bury(s, sizeof(*s));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

/* Three domains share two units; some of those who wait are cancelled and try again. */

enum { DOMAINS = 3, FIBERS = 4, LAPS = SANITIZED ? 300 : 2000 };

struct crowd {
	int64_t begun;
	struct eio_semaphore s;
	unsigned inside;
};

struct visitor {
	struct crowd *crowd;
	struct eio_cancel *waits; /* NULL: it does not, just now */
};

static int visit(void *arg)
{
	struct visitor *v = arg;
	struct crowd *c = v->crowd;

	for (unsigned lap = 0; again(lap, LAPS, c->begun);) {
		struct eio_cancel ctx;
		int rc;

		eio_cancel_begin(&ctx);
		v->waits = &ctx;
		rc = lap % 7 ? eio_semaphore_acquire(&c->s) : eio_semaphore_try_acquire(&c->s);
		v->waits = NULL;
		eio_cancel_end(&ctx);
		if (rc == -EAGAIN)
			must(eio_yield());
		if (rc < 0)
			continue;
		if (__atomic_add_fetch(&c->inside, 1, __ATOMIC_RELAXED) > 2)
			ck_abort_msg("more than two inside");
		if (lap++ % 3 == 0)
			must(eio_yield());
		__atomic_sub_fetch(&c->inside, 1, __ATOMIC_RELAXED);
		eio_semaphore_release(&c->s);
	}
	return 0;
}

static int cancel_visitors(void *arg)
{
	struct visitor *v = arg;
	unsigned i = 0;
	int rc;

	while ((rc = yield_times(5)) == 0) {
		if (v[++i % FIBERS].waits)
			must(eio_cancel_raise(v[i % FIBERS].waits, -EPIPE));
	}
	return rc;
}

static int visit_all(struct eio_env *e, void *arg)
{
	struct visitor v[FIBERS];
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	for (int i = 0; i < FIBERS; i++) {
		v[i] = (struct visitor){.crowd = arg};
		expect_ok(eio_fork(&sw, visit, &v[i]));
	}
	expect_ok(eio_fork_daemon(&sw, cancel_visitors, v));
	return eio_switch_end(&sw, 0);
}

static void *run_visits(void *arg)
{
	expect_ok(eio_run(NULL, visit_all, arg));
	return NULL;
}

RING_TEST(several_domains_never_hold_more_units_than_there_are)
{
	pthread_t threads[DOMAINS];
	struct crowd c = {.begun = eio__now()};

	(void) arg;
	eio_semaphore_init(&c.s, 2);
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_create(&threads[i], NULL, run_visits, &c));
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_join(threads[i], NULL));
	ck_assert_uint_eq(eio_semaphore_value(&c.s), 2);
	return 0;
}

SUITE_MAIN("semaphore", false, units_are_taken_and_given_back_test,
	   there_may_be_as_many_units_as_an_unsigned_counts_test,
	   a_free_unit_is_taken_without_suspending_test,
	   units_go_to_those_who_wait_in_the_order_they_came_test,
	   a_cancelled_context_takes_no_unit_test,
	   a_cancelled_waiter_takes_no_unit_and_leaves_no_trace_test,
	   a_unit_is_kept_by_who_was_cancelled_after_it_came_test,
	   those_who_leave_are_passed_over_test, a_thread_without_a_domain_tries_and_releases_test,
	   a_semaphore_may_be_freed_right_after_an_acquire_test,
	   releasing_races_with_cancelling_test,
	   several_domains_never_hold_more_units_than_there_are_test)
