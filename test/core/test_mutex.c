/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

#include <stdio.h>

static int lock(void *m)
{
	return eio_mutex_lock(m);
}

static int try_lock(void *m)
{
	return eio_mutex_try_lock(m);
}

static int unlock(void *m)
{
	return eio_mutex_unlock(m);
}

/* The result of a call made by a fiber of its own. */
static int by_another_fiber(eio_fn *fn, void *arg)
{
	struct caller c = {.fn = fn, .arg = arg};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	expect_ok(eio_switch_end(&sw, 0));
	return c.rc;
}

CORE_TEST(a_free_mutex_is_taken_without_suspending)
{
	struct eio_mutex m[3] = {EIO_MUTEX_INIT};
	struct eio_switch sw;

	(void) arg;
	memset(&m[1], 0xff, sizeof(m[1]));
	eio_mutex_init(&m[1]);
	memset(&m[2], 0, sizeof(m[2]));
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	for (int i = 0; i < 3; i++) {
		expect_ok(eio_mutex_lock(&m[i]));
		expect_ok(eio_mutex_unlock(&m[i]));
		expect_ok(eio_mutex_try_lock(&m[i]));
		expect_ok(eio_mutex_unlock(&m[i]));
	}
	note("done");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ done queued-");
	return 0;
}

CORE_TEST(a_mutex_has_one_holder)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	expect_ok(eio_mutex_lock(&m));
	expect_err(by_another_fiber(try_lock, &m), -EBUSY);
	expect_err(eio_mutex_lock(&m), -EDEADLK);
	expect_err(eio_mutex_try_lock(&m), -EDEADLK);
	expect_err(eio_mutex_rw_begin(&m, true), -EDEADLK);
	expect_err(eio_mutex_ro_begin(&m), -EDEADLK);
	expect_ok(eio_mutex_unlock(&m));
	return 0;
}

static int end_section(void *m)
{
	return eio_mutex_rw_end(m, -EIO);
}

static int use_outside(void *m)
{
	expect_err(eio_mutex_lock(m), -EPERM);
	expect_err(eio_mutex_try_lock(m), -EPERM);
	expect_err(eio_mutex_rw_begin(m, false), -EPERM);
	expect_err(eio_mutex_ro_begin(m), -EPERM);
	expect_err(eio_mutex_rw_run(m, true, do_nothing, NULL), -EPERM);
	expect_err(eio_mutex_ro_run(m, do_nothing, NULL), -EPERM);
	expect_err(eio_mutex_unlock(m), -EPERM);
	expect_err(eio_mutex_rw_end(m, -EIO), -EPERM);
	return 0;
}

CORE_TEST(only_the_holder_unlocks)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	expect_err(eio_mutex_unlock(&m), -EPERM);
	expect_err(eio_mutex_rw_end(&m, -EIO), -EPERM);
	expect_ok(on_plain_thread(use_outside, &m));
	expect_ok(eio_mutex_lock(&m));
	expect_err(by_another_fiber(unlock, &m), -EPERM);
	expect_err(by_another_fiber(end_section, &m), -EPERM);
	expect_err(in_other_domain(unlock, &m), -EPERM);
	expect_ok(on_plain_thread(use_outside, &m));
	expect_err(by_another_fiber(try_lock, &m), -EBUSY); /* it is held all the same */
	expect_ok(eio_mutex_unlock(&m));
	expect_err(eio_mutex_unlock(&m), -EPERM);
	return 0;
}

/* Waiting */

static int lock_and_unlock(void *m)
{
	int rc = eio_mutex_lock(m);

	if (rc == 0)
		expect_ok(eio_mutex_unlock(m));
	return rc;
}

CORE_TEST(those_who_wait_get_it_in_the_order_they_came)
{
	static const char *const names[] = {"a", "b", "c"};
	struct eio_mutex m = EIO_MUTEX_INIT;
	struct eio_switch sw;
	struct caller c[3];

	(void) arg;
	expect_ok(eio_mutex_lock(&m));
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		c[i] = (struct caller){.fn = lock_and_unlock, .arg = &m, .name = names[i]};
		fork_caller(&sw, &c[i]);
	}
	expect_ok(eio_mutex_unlock(&m));
	note("unlocked");
	/* It was handed over, and others wait before us. */
	expect_err(eio_mutex_try_lock(&m), -EBUSY);
	expect_err(eio_mutex_unlock(&m), -EPERM);
	expect_ok(eio_mutex_lock(&m));
	note("again");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("unlocked a b c again");
	expect_ok(eio_mutex_unlock(&m));
	return 0;
}

CORE_TEST(a_cancelled_context_does_not_lock)
{
	struct eio_mutex m = EIO_MUTEX_INIT;
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_mutex_lock(&m), -ECANCELED);
	expect_err(eio_mutex_ro_begin(&m), -ECANCELED);
	expect_err(eio_mutex_rw_begin(&m, true), -ECANCELED);
	expect_err(eio_mutex_rw_run(&m, true, note_word, "not run"), -ECANCELED);
	expect_err(eio_mutex_ro_run(&m, note_word, "not run"), -ECANCELED);
	expect_ok(eio_mutex_try_lock(&m));
	expect_ok(eio_mutex_unlock(&m)); /* not cancellable */
	eio_cancel_end(&c);
	expect_log("");
	return 0;
}

/* Every subset of four waiters is cancelled: the others get it, in order. */
CORE_TEST(a_cancelled_waiter_leaves_no_trace)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	(void) arg;
	for (unsigned gone = 0; gone < 32; gone++) {
		struct eio_mutex m = EIO_MUTEX_INIT;
		struct eio_switch sw;
		struct caller c[4];
		char expected[16] = "";

		expect_ok(eio_mutex_lock(&m));
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++) {
			c[i] = (struct caller){.fn = lock_and_unlock, .arg = &m, .name = names[i]};
			fork_caller(&sw, &c[i]);
			if (!(gone & 1u << i))
				strcat(strcat(expected, *expected ? " " : ""), names[i]);
		}
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&c[i]);
		}
		if (gone & 16) /* they have ended by then */
			expect_ok(yield_times(2));
		expect_ok(eio_mutex_unlock(&m));
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(c[i].rc, gone & 1u << i ? -ECANCELED : 0);
		expect_log(expected);
		expect_ok(eio_mutex_try_lock(&m));
		expect_ok(eio_mutex_unlock(&m));
	}
	return 0;
}

/* In one round, before the waiter runs: whichever comes first counts. */
CORE_TEST(a_mutex_is_kept_by_who_was_cancelled_after_it_came)
{
	struct eio_mutex m = EIO_MUTEX_INIT;
	struct caller c[2] = {{.fn = lock_and_unlock, .arg = &m},
			      {.fn = lock_and_unlock, .arg = &m}};
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_mutex_lock(&m));
	eio_switch_begin(&sw);
	fork_caller(&sw, &c[0]);
	fork_caller(&sw, &c[1]);
	expect_ok(eio_mutex_unlock(&m));
	cancel_caller(&c[0]);
	expect_ok(yield_times(3));
	expect_ok(c[0].rc);
	expect_ok(c[1].rc);
	expect_ok(eio_mutex_lock(&m));
	fork_caller(&sw, &c[0]);
	fork_caller(&sw, &c[1]);
	cancel_caller(&c[0]);
	expect_ok(eio_mutex_unlock(&m));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c[0].rc, -ECANCELED);
	expect_ok(c[1].rc);
	return 0;
}

CORE_TEST(those_who_leave_are_passed_over)
{
	(void) arg;
	for (int leaving = 0; leaving < 3; leaving++) {
		struct eio_mutex m = EIO_MUTEX_INIT;
		struct eio_switch sw;
		struct caller c[3];

		expect_ok(eio_mutex_lock(&m));
		eio_switch_begin(&sw);
		for (int i = 0; i < 3; i++) {
			c[i] = (struct caller){.fn = lock_and_unlock, .arg = &m};
			fork_caller(&sw, &c[i]);
		}
		begin_leaving(c[leaving].fiber);
		expect_ok(eio_mutex_unlock(&m));
		expect_ok(eio_mutex_lock(&m));
		/* Also with one on the list it is free, and taken, and waited for. */
		expect_ok(eio_mutex_unlock(&m));
		expect_ok(eio_mutex_try_lock(&m));
		end_leaving(c[leaving].fiber);
		expect_ok(eio_mutex_unlock(&m));
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 3; i++)
			expect_err(c[i].rc, i == leaving ? -ECANCELED : 0);
		expect_ok(eio_mutex_try_lock(&m));
		expect_ok(eio_mutex_unlock(&m));
	}
	return 0;
}

/* Sections */

static void expect_poisoned(struct eio_mutex *m)
{
	for (int i = 0; i < 2; i++) {
		expect_err(eio_mutex_lock(m), EIO_EPOISONED);
		expect_err(eio_mutex_try_lock(m), EIO_EPOISONED);
		expect_err(eio_mutex_rw_begin(m, true), EIO_EPOISONED);
		expect_err(eio_mutex_ro_begin(m), EIO_EPOISONED);
		expect_err(eio_mutex_rw_run(m, true, note_word, "not run"), EIO_EPOISONED);
		expect_err(eio_mutex_ro_run(m, note_word, "not run"), EIO_EPOISONED);
		expect_err(eio_mutex_unlock(m), -EPERM);
		expect_err(eio_mutex_rw_end(m, 0), -EPERM);
	}
	expect_ok(eio_check());
}

CORE_TEST(a_failed_section_poisons_for_good)
{
	static const int failures[] = {-EIO, EIO_EOF, -ECANCELED};

	(void) arg;
	for (int i = 0; i < 6; i++) {
		struct eio_mutex m = EIO_MUTEX_INIT;

		expect_ok(eio_mutex_rw_begin(&m, i / 3));
		expect_err(eio_mutex_rw_end(&m, failures[i % 3]), failures[i % 3]);
		expect_poisoned(&m);
	}
	expect_log("");
	return 0;
}

CORE_TEST(a_section_that_went_well_frees_the_mutex)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	for (int i = 0; i < 4; i++) {
		expect_ok(eio_mutex_rw_begin(&m, i % 2));
		expect_err(eio_mutex_rw_end(&m, i), i);
		expect_ok(eio_mutex_lock(&m)); /* of the section nothing is left */
		expect_err(eio_mutex_rw_end(&m, 0), 0);
	}
	return 0;
}

CORE_TEST(poisoning_wakes_all_who_wait)
{
	(void) arg;
	for (int gone = 0; gone < 4; gone++) {
		struct eio_mutex m = EIO_MUTEX_INIT;
		struct eio_switch sw;
		struct caller c[3];

		expect_ok(eio_mutex_rw_begin(&m, false));
		eio_switch_begin(&sw);
		for (int i = 0; i < 3; i++) {
			c[i] = (struct caller){.fn = lock, .arg = &m};
			fork_caller(&sw, &c[i]);
		}
		if (gone < 3)
			cancel_caller(&c[gone]);
		expect_err(eio_mutex_rw_end(&m, -EIO), -EIO);
		cancel_caller(&c[0]); /* too late */
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 3; i++)
			expect_err(c[i].rc, i == gone ? -ECANCELED : EIO_EPOISONED);
		expect_poisoned(&m);
	}
	return 0;
}

/* A section whose context is cancelled while it yields. */
struct section {
	struct eio_mutex m;
	bool protect;
	int seen; /* by what suspends in it */
};

static int look_around(void *arg)
{
	struct section *s = arg;

	s->seen = yield_times(3);
	return s->seen;
}

static int run_rw(void *arg)
{
	struct section *s = arg;

	return eio_mutex_rw_run(&s->m, s->protect, look_around, s);
}

static int run_rw_and_check(void *arg)
{
	expect_ok(run_rw(arg));
	return eio_check();
}

static int run_ro(void *arg)
{
	struct section *s = arg;

	return eio_mutex_ro_run(&s->m, look_around, s);
}

static int cancel_section(struct section *s, eio_fn *fn)
{
	struct caller c = {.fn = fn, .arg = s};
	struct eio_switch sw;

	s->seen = WAITS;
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	cancel_caller(&c);
	expect_err(s->seen, WAITS);
	expect_ok(eio_switch_end(&sw, 0));
	return c.rc;
}

CORE_TEST(a_protected_section_is_not_cancelled)
{
	struct section s = {.protect = true};

	(void) arg;
	expect_err(cancel_section(&s, run_rw_and_check), -ECANCELED); /* after it */
	expect_ok(s.seen);
	expect_ok(eio_mutex_try_lock(&s.m));
	expect_ok(eio_mutex_unlock(&s.m));
	return 0;
}

CORE_TEST(an_unprotected_section_is_cancelled_and_poisons)
{
	struct section s = {.protect = false};

	(void) arg;
	expect_err(cancel_section(&s, run_rw), -ECANCELED);
	expect_err(s.seen, -ECANCELED);
	expect_poisoned(&s.m);
	return 0;
}

CORE_TEST(a_section_that_only_looks_is_cancelled_and_does_not_poison)
{
	struct section s = {.protect = false};

	(void) arg;
	expect_err(cancel_section(&s, run_ro), -ECANCELED);
	expect_err(s.seen, -ECANCELED);
	expect_ok(eio_mutex_try_lock(&s.m));
	expect_ok(eio_mutex_unlock(&s.m));
	return 0;
}

CORE_TEST(the_wait_for_a_protected_section_is_cancelled)
{
	struct section s = {.protect = true};

	(void) arg;
	expect_ok(eio_mutex_lock(&s.m));
	expect_err(cancel_section(&s, run_rw), -ECANCELED);
	expect_err(s.seen, WAITS);
	expect_ok(eio_mutex_unlock(&s.m));
	return 0;
}

CORE_TEST(sections_run_their_function_and_return_its_result)
{
	static int results[] = {0, 5, -EIO};
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	for (int i = 0; i < 3; i++)
		expect_err(eio_mutex_ro_run(&m, give, &results[i]), results[i]);
	expect_ok(eio_mutex_ro_begin(&m));
	expect_err(by_another_fiber(try_lock, &m), -EBUSY);
	eio_mutex_ro_end(&m);
	for (int i = 0; i < 3; i++)
		expect_err(eio_mutex_rw_run(&m, i % 2, give, &results[i]), results[i]);
	expect_poisoned(&m);
	return 0;
}

static int end_in_disorder(void *arg)
{
	struct eio_mutex *m = arg;
	struct eio_cancel c;

	expect_ok(eio_mutex_rw_begin(m, true));
	eio_cancel_begin(&c);
	return eio_mutex_rw_end(m, 0);
}

CORE_TEST(a_section_is_a_scope)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	expect_abort(end_in_disorder, &m,
		     "protected section ended while the innermost open scope is a cancellation");
	return 0;
}

CORE_TEST(a_waiting_fiber_tells_who_holds_the_mutex)
{
	struct eio_mutex m = EIO_MUTEX_INIT;
	struct caller c = {.fn = lock_and_unlock, .arg = &m};
	struct eio_switch sw;
	char words[64], expected[64];

	(void) arg;
	expect_ok(eio_mutex_lock(&m));
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	c.fiber->wait->describe(c.fiber, c.fiber->wait_arg, words, sizeof(words));
	snprintf(expected, sizeof(expected), "mutex %p, held by fiber %llu when it came",
		 (void *) &m, (unsigned long long) eio_fiber_id());
	ck_assert_str_eq(words, expected);
	expect_ok(eio_mutex_unlock(&m));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	return 0;
}

/* The mutex is freed by who had it last, with the earlier holder on its way out. */

struct letter {
	struct eio_mutex m;
	unsigned held; /* the partner has it, or had it */
	bool poison;
};

static int hold_letter(void *arg)
{
	struct letter *l = arg;
	int rc = l->poison ? -EIO : 0;

	must(eio_mutex_rw_begin(&l->m, true));
	__atomic_store_n(&l->held, 1, __ATOMIC_RELEASE);
	expect_err(eio_mutex_rw_end(&l->m, rc), rc);
	return 0;
}

static void free_after_lock(struct letter_box *box, bool poison)
{
	int64_t begun = eio__now();
	unsigned delay = 0;

	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 30000, begun); i++) {
		struct letter *l = calloc(1, sizeof(*l));
		int rc;

		l->poison = poison;
		put_letter(box, l);
		while (!__atomic_load_n(&l->held, __ATOMIC_ACQUIRE))
			sched_yield();
		spin(delay % 256);
		delay += 7;
		rc = eio_mutex_lock(&l->m);
		if (rc != (poison ? EIO_EPOISONED : 0))
			ck_abort_msg("round %u: %d", i, rc);
		if (!poison && i % 2)
			expect_ok(eio_mutex_unlock(&l->m));
		bury(l, sizeof(*l));
	}
	end_partner(box);
	empty_graves();
}

RING_TEST(a_mutex_may_be_freed_right_after_a_lock)
{
	struct letter_box box;

	(void) arg;
	start_partner_domain(&box, hold_letter);
	free_after_lock(&box, false);
	start_partner_domain(&box, hold_letter);
	free_after_lock(&box, true);
	return 0;
}

/* Three domains count under a mutex; some who wait are cancelled and try again. */

enum { DOMAINS = 3, FIBERS = 4, LAPS = SANITIZED ? 300 : 2000 };

struct crowd {
	int64_t begun;
	struct eio_mutex m;
	unsigned count; /* not atomic */
	unsigned laps;  /* atomic */
};

struct visitor {
	struct crowd *crowd;
	struct eio_cancel *waits; /* NULL: it does not, just now */
};

static int count_up(void *arg)
{
	struct visitor *v = arg;
	struct crowd *c = v->crowd;

	for (unsigned lap = 0; again(lap, LAPS, c->begun);) {
		struct eio_cancel ctx;
		int rc;

		eio_cancel_begin(&ctx);
		v->waits = &ctx;
		rc = lap % 7 ? eio_mutex_lock(&c->m) : eio_mutex_try_lock(&c->m);
		v->waits = NULL;
		eio_cancel_end(&ctx);
		if (rc == -EBUSY)
			must(eio_yield());
		if (rc < 0)
			continue;
		c->count++;
		__atomic_add_fetch(&c->laps, 1, __ATOMIC_RELAXED);
		if (lap++ % 3 == 0)
			must(eio_yield());
		must(eio_mutex_unlock(&c->m));
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

static int count_all(struct eio_env *e, void *arg)
{
	struct visitor v[FIBERS];
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	for (int i = 0; i < FIBERS; i++) {
		v[i] = (struct visitor){.crowd = arg};
		expect_ok(eio_fork(&sw, count_up, &v[i]));
	}
	expect_ok(eio_fork_daemon(&sw, cancel_visitors, v));
	return eio_switch_end(&sw, 0);
}

static void *run_counting(void *arg)
{
	expect_ok(eio_run(NULL, count_all, arg));
	return NULL;
}

RING_TEST(several_domains_count_right)
{
	struct crowd c = {.begun = eio__now()};
	pthread_t threads[DOMAINS];

	(void) arg;
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_create(&threads[i], NULL, run_counting, &c));
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_join(threads[i], NULL));
	ck_assert_uint_gt(c.laps, 0);
	ck_assert_uint_eq(c.count, c.laps);
	expect_ok(eio_mutex_try_lock(&c.m));
	return 0;
}

/* Poisoning while others come, wait, and are cancelled. */

struct poisoned {
	struct eio_mutex m;
	unsigned waiting; /* domains */
};

static int wait_for_poison(struct eio_env *e, void *arg)
{
	struct poisoned *p = arg;
	struct caller c[2] = {{.fn = lock, .arg = &p->m}, {.fn = lock, .arg = &p->m}};
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	fork_caller(&sw, &c[0]);
	fork_caller(&sw, &c[1]);
	__atomic_add_fetch(&p->waiting, 1, __ATOMIC_RELEASE);
	spin(5000);
	cancel_caller(&c[0]);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(c[0].rc == EIO_EPOISONED || c[0].rc == -ECANCELED);
	expect_err(c[1].rc, EIO_EPOISONED);
	return 0;
}

static void *run_waiting(void *arg)
{
	expect_ok(eio_run(NULL, wait_for_poison, arg));
	return NULL;
}

RING_TEST(poison_reaches_the_waiters_of_all_domains)
{
	int64_t begun = eio__now();

	(void) arg;
	for (unsigned i = 0; again(i, 100, begun); i++) {
		struct poisoned p = {.m = EIO_MUTEX_INIT};
		pthread_t threads[2];

		expect_ok(eio_mutex_rw_begin(&p.m, false));
		for (int t = 0; t < 2; t++)
			expect_ok(pthread_create(&threads[t], NULL, run_waiting, &p));
		while (__atomic_load_n(&p.waiting, __ATOMIC_ACQUIRE) < 2)
			sched_yield();
		spin(i * 100);
		expect_err(eio_mutex_rw_end(&p.m, -EIO), -EIO);
		for (int t = 0; t < 2; t++)
			expect_ok(pthread_join(threads[t], NULL));
	}
	return 0;
}

static int unlock_in_protected_section(void *arg)
{
	struct eio_mutex m = EIO_MUTEX_INIT;

	(void) arg;
	expect_ok(eio_mutex_rw_begin(&m, true));
	return eio_mutex_unlock(&m);
}

START_TEST(a_protected_section_is_not_left_by_unlocking)
{
	expect_abort(unlock_in_protected_section, NULL,
		     "mutex unlocked while the innermost open scope is a protected section");
}
END_TEST

SUITE_MAIN("mutex", false, a_protected_section_is_not_left_by_unlocking,
	   a_free_mutex_is_taken_without_suspending_test, a_mutex_has_one_holder_test,
	   only_the_holder_unlocks_test, those_who_wait_get_it_in_the_order_they_came_test,
	   a_cancelled_context_does_not_lock_test, a_cancelled_waiter_leaves_no_trace_test,
	   a_mutex_is_kept_by_who_was_cancelled_after_it_came_test,
	   those_who_leave_are_passed_over_test, a_failed_section_poisons_for_good_test,
	   a_section_that_went_well_frees_the_mutex_test, poisoning_wakes_all_who_wait_test,
	   a_protected_section_is_not_cancelled_test,
	   an_unprotected_section_is_cancelled_and_poisons_test,
	   a_section_that_only_looks_is_cancelled_and_does_not_poison_test,
	   the_wait_for_a_protected_section_is_cancelled_test,
	   sections_run_their_function_and_return_its_result_test, a_section_is_a_scope_test,
	   a_waiting_fiber_tells_who_holds_the_mutex_test,
	   a_mutex_may_be_freed_right_after_a_lock_test, several_domains_count_right_test,
	   poison_reaches_the_waiters_of_all_domains_test)
