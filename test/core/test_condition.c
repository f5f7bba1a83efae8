/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

#include <eio/local.h>

/* Something to wait for, and what to wait with. */
struct state {
	struct eio_mutex m;
	struct eio_condition c;
	unsigned value; /* guarded by m, or atomic */
	unsigned looks;
};

static void init(struct state *s)
{
	memset(s, 0, sizeof(*s));
	memset(&s->c, 0xff, sizeof(s->c));
	eio_condition_init(&s->c);
}

/* Awaits once, which must leave the mutex held. */
static int await_once(void *arg)
{
	struct state *s = arg;
	int rc;

	expect_ok(eio_mutex_lock(&s->m));
	rc = eio_condition_await(&s->c, &s->m);
	expect_err(eio_mutex_lock(&s->m), eio_is_cancelled() ? -ECANCELED : -EDEADLK);
	expect_err(eio_mutex_try_lock(&s->m), -EDEADLK);
	expect_ok(eio_mutex_unlock(&s->m));
	return rc;
}

static int await_alone(void *arg)
{
	struct state *s = arg;

	return eio_condition_await_no_mutex(&s->c);
}

static bool is_held(struct state *s)
{
	int rc = eio_mutex_try_lock(&s->m);

	if (rc == 0)
		expect_ok(eio_mutex_unlock(&s->m));
	return rc != 0;
}

static int lock_for_ever(void *arg)
{
	struct state *s = arg;

	expect_ok(eio_mutex_lock(&s->m));
	eio_await_cancel();
	return eio_mutex_unlock(&s->m);
}

/* With a mutex and without */

CORE_TEST(an_await_releases_the_mutex_and_takes_it_again)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	c = (struct caller){.fn = await_once, .arg = &s, .name = "back"};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	expect_ok(eio_mutex_lock(&s.m));
	eio_condition_signal(&s.c);
	expect_ok(yield_times(3));
	note("unlock"); /* it waits for the mutex now */
	expect_err(c.rc, WAITS);
	expect_ok(eio_mutex_unlock(&s.m));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	expect_log("unlock back");
	ck_assert(!is_held(&s));
	return 0;
}

CORE_TEST(zeroed_memory_is_a_condition)
{
	static struct eio_condition zeroed;
	struct eio_condition c[2] = {EIO_CONDITION_INIT};
	struct eio_switch sw;

	(void) arg;
	c[1] = zeroed;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_fork(&sw, await_alone, (char *) &c[i] - offsetof(struct state, c)));
		eio_condition_signal(&c[i]);
	}
	return eio_switch_end(&sw, 0);
}

CORE_TEST(only_the_holder_awaits_with_the_mutex)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	expect_err(eio_condition_await(&s.c, &s.m), -EPERM);
	c = (struct caller){.fn = lock_for_ever, .arg = &s};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	expect_err(eio_condition_await(&s.c, &s.m), -EPERM);
	cancel_caller(&c);
	return eio_switch_end(&sw, 0);
}

/* "a" waits with the mutex, "b" without, and so on. */
static void fork_four(struct eio_switch *sw, struct caller *c, struct state *s)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	for (int i = 0; i < 4; i++) {
		c[i] = (struct caller){.fn = i % 2 ? await_alone : await_once, .arg = s};
		c[i].name = names[i];
		fork_caller(sw, &c[i]);
	}
}

CORE_TEST(a_signal_wakes_the_one_who_waits_longest)
{
	struct eio_switch sw;
	struct caller c[4];
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	fork_four(&sw, c, &s);
	for (int i = 0; i < 4; i++) {
		note("signal");
		eio_condition_signal(&s.c);
		expect_ok(yield_times(2));
	}
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("signal a signal b signal c signal d");
	return 0;
}

CORE_TEST(a_broadcast_wakes_everyone_in_the_order_they_came)
{
	struct eio_switch sw;
	struct caller c[4];
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	fork_four(&sw, c, &s);
	eio_condition_broadcast(&s.c);
	note("sent");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("sent a b c d");
	return 0;
}

CORE_TEST(signals_that_nobody_waits_for_are_not_kept)
{
	struct eio_switch sw;
	struct caller c[4];
	struct state s;

	(void) arg;
	init(&s);
	eio_condition_signal(&s.c);
	eio_condition_broadcast(&s.c);
	eio_switch_begin(&sw);
	fork_four(&sw, c, &s);
	expect_ok(yield_times(3));
	for (int i = 0; i < 4; i++)
		expect_err(c[i].rc, WAITS);
	eio_condition_broadcast(&s.c);
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	return 0;
}

static int signal_outside(void *arg)
{
	struct state *s = arg;

	eio_condition_signal(&s->c);
	eio_condition_broadcast(&s->c);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_signals_and_broadcasts)
{
	struct eio_switch sw;
	struct caller c[4];
	struct state s;

	(void) arg;
	init(&s);
	expect_ok(on_plain_thread(signal_outside, &s)); /* to nobody */
	eio_switch_begin(&sw);
	fork_four(&sw, c, &s);
	expect_ok(on_plain_thread(signal_outside, &s));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a b c d");
	return 0;
}

/* Cancelling */

CORE_TEST(a_cancelled_context_does_not_wait_and_keeps_the_mutex)
{
	struct eio_cancel ctx;
	struct state s;

	(void) arg;
	init(&s);
	expect_ok(eio_mutex_lock(&s.m));
	eio_cancel_begin(&ctx);
	expect_ok(eio_cancel_raise(&ctx, -EPIPE));
	expect_err(eio_condition_await(&s.c, &s.m), -ECANCELED);
	expect_err(eio_condition_await_no_mutex(&s.c), -ECANCELED);
	expect_err(eio_condition_loop_no_mutex(&s.c, note_word, "not called"), -ECANCELED);
	eio_cancel_end(&ctx);
	expect_log("");
	expect_ok(eio_mutex_unlock(&s.m));
	return 0;
}

CORE_TEST(a_cancelled_await_takes_the_mutex_again)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	c = (struct caller){.fn = await_once, .arg = &s};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	cancel_caller(&c);
	expect_ok(yield_times(2));
	expect_err(c.rc, -ECANCELED);
	fork_caller(&sw, &c);
	expect_ok(eio_mutex_lock(&s.m));
	cancel_caller(&c);
	expect_ok(yield_times(3));
	expect_err(c.rc, WAITS); /* for the mutex: that is not cancelled */
	expect_ok(eio_mutex_unlock(&s.m));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -ECANCELED);
	return 0;
}

CORE_TEST(a_cancellation_after_the_signal_only_shows_later)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	c = (struct caller){.fn = await_once, .arg = &s};
	eio_switch_begin(&sw);
	for (int waits_for_mutex = 0; waits_for_mutex < 2; waits_for_mutex++) {
		fork_caller(&sw, &c);
		expect_ok(eio_mutex_lock(&s.m));
		eio_condition_signal(&s.c);
		if (waits_for_mutex)
			expect_ok(yield_times(2));
		cancel_caller(&c);
		expect_ok(eio_mutex_unlock(&s.m));
		expect_ok(yield_times(3));
		expect_ok(c.rc);
	}
	return eio_switch_end(&sw, 0);
}

/* Every subset of four is cancelled: as many signals as there are others wake these. */
CORE_TEST(a_cancelled_waiter_leaves_no_trace_and_uses_no_signal)
{
	(void) arg;
	for (unsigned gone = 0; gone < 64; gone++) {
		struct eio_switch sw;
		struct caller c[4];
		struct state s;

		init(&s);
		eio_switch_begin(&sw);
		fork_four(&sw, c, &s);
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&c[i]);
		}
		if (gone & 16) /* they have ended by then */
			expect_ok(yield_times(3));
		for (int i = 0; i < 4 && !(gone & 32); i++) {
			if (!(gone & 1u << i))
				eio_condition_signal(&s.c);
		}
		if (gone & 32)
			eio_condition_broadcast(&s.c);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(c[i].rc, gone & 1u << i ? -ECANCELED : 0);
		ck_assert(!is_held(&s));
		log_clear();
	}
	return 0;
}

CORE_TEST(those_who_leave_are_passed_over)
{
	(void) arg;
	for (int leaving = 0; leaving < 4; leaving++) {
		struct eio_switch sw;
		struct caller c[4];
		struct state s;

		init(&s);
		eio_switch_begin(&sw);
		fork_four(&sw, c, &s);
		begin_leaving(c[leaving].fiber);
		for (int i = 0; i < 3; i++)
			eio_condition_signal(&s.c);
		expect_ok(yield_times(3));
		end_leaving(c[leaving].fiber);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(c[i].rc, i == leaving ? -ECANCELED : 0);
		log_clear();
	}
	return 0;
}

/* Sections and poison */

static int await_in_section(void *arg)
{
	struct state *s = arg;
	int rc;

	expect_ok(eio_mutex_rw_begin(&s->m, false));
	rc = eio_condition_await(&s->c, &s->m);
	return eio_mutex_rw_end(&s->m, rc);
}

static int await_protected(void *arg)
{
	struct state *s = arg;
	int rc;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	rc = eio_condition_await(&s->c, &s->m);
	if (rc == 0)
		expect_ok(eio_yield()); /* protected again */
	return eio_mutex_rw_end(&s->m, rc);
}

CORE_TEST(a_cancelled_await_in_a_section_poisons)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	c = (struct caller){.fn = await_in_section, .arg = &s};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	cancel_caller(&c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -ECANCELED);
	expect_err(eio_mutex_lock(&s.m), EIO_EPOISONED);
	return 0;
}

static int await_until_poisoned(void *arg)
{
	struct state *s = arg;

	expect_ok(eio_mutex_lock(&s->m));
	expect_err(eio_condition_await(&s->c, &s->m), EIO_EPOISONED);
	expect_err(eio_mutex_unlock(&s->m), -EPERM);
	expect_err(eio_condition_await(&s->c, &s->m), -EPERM);
	return 0;
}

CORE_TEST(poison_ends_the_await_without_the_mutex)
{
	struct caller c[2];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		c[i] = (struct caller){.fn = await_until_poisoned, .arg = &s};
		fork_caller(&sw, &c[i]);
	}
	expect_ok(eio_mutex_rw_begin(&s.m, false));
	eio_condition_signal(&s.c);
	expect_ok(yield_times(2)); /* one of them waits for the mutex already */
	expect_err(eio_mutex_rw_end(&s.m, -EIO), -EIO);
	expect_ok(yield_times(2));
	expect_ok(c[0].rc);
	cancel_caller(&c[1]);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c[1].rc);
	return 0;
}

/* While one waits in its protected section, others enter and leave theirs. */
CORE_TEST(a_protected_section_stays_so_across_an_await)
{
	struct caller c[3];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		c[i] = (struct caller){.fn = await_protected, .arg = &s};
		fork_caller(&sw, &c[i]);
		cancel_caller(&c[i]);
	}
	for (int protect = 0; protect < 2; protect++) {
		expect_ok(eio_mutex_rw_begin(&s.m, protect));
		expect_ok(yield_times(2));
		expect_ok(eio_mutex_rw_end(&s.m, 0));
	}
	for (int i = 0; i < 3; i++)
		expect_err(c[i].rc, WAITS);
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 3; i++)
		expect_ok(c[i].rc);
	ck_assert(!is_held(&s));
	return 0;
}

static int cancel_later(void *arg)
{
	expect_ok(yield_times(2));
	return eio_cancel_raise(arg, -EPIPE);
}

/* A scope inside the section, whose cancellation ends the wait. */
static int await_with_a_limit(void *arg)
{
	struct state *s = arg;
	struct eio_cancel limit;
	struct eio_switch sw;
	int rc;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	eio_switch_begin(&sw);
	eio_cancel_begin(&limit);
	expect_ok(eio_fork(&sw, cancel_later, &limit));
	expect_err(eio_condition_await(&s->c, &s->m), -ECANCELED);
	eio_cancel_end(&limit);
	eio_cancel_begin(&limit);
	rc = eio_condition_await(&s->c, &s->m);
	eio_cancel_end(&limit);
	expect_ok(eio_switch_end(&sw, 0));
	if (rc == 0)
		expect_ok(eio_yield());
	return eio_mutex_rw_end(&s->m, rc);
}

CORE_TEST(scopes_inside_a_protected_section_may_cancel_the_await)
{
	struct caller c[2];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		c[i] = (struct caller){.fn = await_with_a_limit, .arg = &s};
		fork_caller(&sw, &c[i]);
		cancel_caller(&c[i]);
	}
	expect_ok(yield_times(10));
	expect_err(c[0].rc, WAITS);
	expect_err(c[1].rc, WAITS);
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c[0].rc);
	expect_ok(c[1].rc);
	return 0;
}

static int await_poison_protected(void *arg)
{
	struct state *s = arg;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	expect_err(eio_condition_await(&s->c, &s->m), EIO_EPOISONED);
	expect_err(eio_check(), -ECANCELED); /* the section is over */
	return eio_mutex_rw_end(&s->m, EIO_EPOISONED);
}

static struct eio_key key = EIO_KEY_INIT;

static int await_poison_bound(void *arg)
{
	struct state *s = arg;
	struct eio_binding outer, inner;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	eio_binding_begin(&outer, &key, s);
	eio_binding_begin(&inner, &key, NULL);
	expect_err(eio_condition_await(&s->c, &s->m), EIO_EPOISONED);
	expect_err(eio_check(), -ECANCELED);
	eio_binding_end(&inner);
	ck_assert_ptr_eq(eio_get(&key), s);
	eio_binding_end(&outer);
	return eio_mutex_rw_end(&s->m, EIO_EPOISONED);
}

static int await_signal_bound(void *arg)
{
	struct state *s = arg;
	struct eio_binding b;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	eio_binding_begin(&b, &key, s);
	expect_ok(eio_condition_await(&s->c, &s->m));
	eio_binding_end(&b);
	return eio_mutex_rw_end(&s->m, 0);
}

CORE_TEST(a_binding_in_a_section_is_still_in_it_after_a_wait)
{
	struct caller c[2];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		c[i] = (struct caller){.fn = await_signal_bound, .arg = &s};
		fork_caller(&sw, &c[i]);
	}
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c[0].rc);
	expect_ok(c[1].rc);
	return 0;
}

static int await_poison_in_scopes(void *arg)
{
	struct state *s = arg;
	struct eio_cancel outer, inner;

	expect_ok(eio_mutex_rw_begin(&s->m, true));
	eio_cancel_begin(&outer);
	eio_cancel_begin(&inner);
	expect_err(eio_condition_await(&s->c, &s->m), EIO_EPOISONED);
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_cancel_error(&inner), -ECANCELED);
	eio_cancel_end(&inner);
	eio_cancel_end(&outer);
	return eio_mutex_rw_end(&s->m, EIO_EPOISONED);
}

CORE_TEST(poison_ends_a_protected_section_that_awaits)
{
	static eio_fn *const fns[] = {await_poison_protected, await_poison_in_scopes,
				      await_poison_bound};
	struct caller c[6];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	eio_switch_begin(&sw);
	for (int i = 0; i < 6; i++) {
		c[i] = (struct caller){.fn = fns[i % 3], .arg = &s};
		fork_caller(&sw, &c[i]);
		cancel_caller(&c[i]);
	}
	expect_ok(eio_mutex_rw_begin(&s.m, true));
	expect_err(eio_mutex_rw_end(&s.m, -EIO), -EIO);
	expect_ok(yield_times(2));
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 6; i++)
		expect_err(c[i].rc, EIO_EPOISONED);
	return 0;
}

/* Loops */

static int value_is_set(void *arg)
{
	struct state *s = arg;

	s->looks++;
	return (int) __atomic_load_n(&s->value, __ATOMIC_RELAXED);
}

static int loop(void *arg)
{
	struct state *s = arg;

	return eio_condition_loop_no_mutex(&s->c, value_is_set, s);
}

static int give_and_count(void *arg)
{
	int *results = arg;

	note("look");
	return *results;
}

CORE_TEST(a_loop_ends_with_what_its_function_returns)
{
	int results[] = {1, 77, -EIO, -ECANCELED};
	struct state s;

	(void) arg;
	init(&s);
	for (int i = 0; i < 4; i++)
		expect_err(eio_condition_loop_no_mutex(&s.c, give_and_count, &results[i]),
			   results[i]);
	expect_log("look look look look");
	return 0;
}

CORE_TEST(a_loop_looks_again_after_each_signal)
{
	struct caller c[2];
	struct eio_switch sw;
	struct state s;

	(void) arg;
	init(&s);
	c[0] = c[1] = (struct caller){.fn = loop, .arg = &s};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c[0]);
	ck_assert_uint_eq(s.looks, 1);
	expect_ok(yield_times(3));
	ck_assert_uint_eq(s.looks, 1);
	eio_condition_signal(&s.c);
	expect_ok(yield_times(3));
	ck_assert_uint_eq(s.looks, 2);
	fork_caller(&sw, &c[1]);
	eio_condition_broadcast(&s.c);
	expect_ok(yield_times(3));
	ck_assert_uint_eq(s.looks, 5);
	s.value = 6;
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(s.looks, 7);
	expect_err(c[0].rc, 6);
	expect_err(c[1].rc, 6);
	return 0;
}

CORE_TEST(a_loop_is_cancelled_between_its_looks)
{
	struct eio_switch sw;
	struct caller c;
	struct state s;

	(void) arg;
	init(&s);
	c = (struct caller){.fn = loop, .arg = &s};
	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	cancel_caller(&c);
	eio_condition_broadcast(&s.c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -ECANCELED);
	ck_assert_uint_eq(s.looks, 1);
	return 0;
}

/* The function sees that there is nothing yet, suspends, and only then returns so. */
static int look_and_dawdle(void *arg)
{
	struct state *s = arg;
	int seen = (int) s->value;

	s->looks++;
	expect_ok(yield_times(3));
	return seen;
}

static int dawdling_loop(void *arg)
{
	struct state *s = arg;

	return eio_condition_loop_no_mutex(&s->c, look_and_dawdle, s);
}

CORE_TEST(a_signal_that_comes_while_the_function_runs_is_not_missed)
{
	(void) arg;
	for (int i = 0; i < 4; i++) {
		struct eio_switch sw;
		struct caller c, other;
		struct state s;

		init(&s);
		c = (struct caller){.fn = dawdling_loop, .arg = &s};
		other = (struct caller){.fn = await_alone, .arg = &s};
		eio_switch_begin(&sw);
		fork_caller(&sw, &c);
		if (i & 1) /* the signal wakes another one as well */
			fork_caller(&sw, &other);
		s.value = 5;
		if (i & 2)
			eio_condition_broadcast(&s.c);
		else
			eio_condition_signal(&s.c);
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(c.rc, 5);
		ck_assert_uint_eq(s.looks, 2);
	}
	return 0;
}

static int signal_itself(void *arg)
{
	struct state *s = arg;

	eio_condition_signal(&s->c);
	return ++s->looks == 3;
}

CORE_TEST(a_signal_by_the_function_itself_is_not_missed)
{
	struct state s;

	(void) arg;
	init(&s);
	expect_err(eio_condition_loop_no_mutex(&s.c, signal_itself, &s), 1);
	return 0;
}

static int wait_outside(void *arg)
{
	struct state *s = arg;

	expect_err(eio_condition_await(&s->c, &s->m), -EPERM);
	expect_err(eio_condition_await_no_mutex(&s->c), -EPERM);
	expect_err(loop(s), -EPERM);
	ck_assert_uint_eq(s->looks, 0);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_cannot_wait)
{
	struct state s;

	(void) arg;
	init(&s);
	return on_plain_thread(wait_outside, &s);
}

/* Several threads */

/* A state that a plain thread changes. */
struct letter {
	struct state s;
	unsigned done; /* the partner does not need it any more */
};

static int set_and_signal(void *arg)
{
	struct letter *l = arg;

	__atomic_store_n(&l->s.value, 1, __ATOMIC_RELAXED);
	eio_condition_signal(&l->s.c);
	__atomic_store_n(&l->done, 1, __ATOMIC_RELEASE);
	return 0;
}

/* Were a change missed, the loop would never end. */
RING_TEST(a_loop_misses_no_change_by_another_thread)
{
	int64_t begun = eio__now();
	struct letter_box box;
	unsigned delay = 0;

	(void) arg;
	start_partner(&box, set_and_signal);
	for (unsigned i = 0; again(i, SANITIZED ? 5000 : 50000, begun); i++) {
		struct letter l = {.done = 0};

		init(&l.s);
		put_letter(&box, &l);
		spin(delay);
		adapt(&delay, !__atomic_load_n(&l.s.value, __ATOMIC_RELAXED));
		if (loop(&l.s) != 1)
			ck_abort_msg("round %u", i);
		while (!__atomic_load_n(&l.done, __ATOMIC_ACQUIRE))
			sched_yield();
	}
	end_partner(&box);
	return 0;
}

/* Two domains count in turns. */

enum { TURNS = SANITIZED ? 1000 : 10000 };

struct player {
	struct state *s;
	unsigned odd;
	int64_t begun;
	bool broadcast;
};

static int take_turns(struct eio_env *e, void *arg)
{
	struct player *p = arg;
	struct state *s = p->s;

	(void) e;
	must(eio_mutex_lock(&s->m));
	while (s->value < TURNS) {
		if (s->value % 2 != p->odd) {
			must(eio_condition_await(&s->c, &s->m));
			continue;
		}
		s->value = again(s->value, TURNS, p->begun) ? s->value + 1 : TURNS + p->odd;
		if (p->broadcast)
			eio_condition_broadcast(&s->c);
		else
			eio_condition_signal(&s->c);
	}
	must(eio_mutex_unlock(&s->m));
	return 0;
}

static void *run_player(void *player)
{
	expect_ok(eio_run(NULL, take_turns, player));
	return NULL;
}

RING_TEST(two_domains_take_turns_under_a_mutex)
{
	(void) arg;
	for (int broadcast = 0; broadcast < 2; broadcast++) {
		struct player players[2];
		pthread_t threads[2];
		struct state s;

		init(&s);
		for (unsigned i = 0; i < 2; i++) {
			players[i] = (struct player){&s, i, eio__now(), broadcast};
			expect_ok(pthread_create(&threads[i], NULL, run_player, &players[i]));
		}
		for (int i = 0; i < 2; i++)
			expect_ok(pthread_join(threads[i], NULL));
		ck_assert_uint_ge(s.value, TURNS);
	}
	return 0;
}

static int broadcast_letter(void *arg)
{
	struct letter *l = arg;

	eio_condition_broadcast(&l->s.c);
	__atomic_store_n(&l->done, 1, __ATOMIC_RELEASE);
	return 0;
}

RING_TEST(broadcasting_races_with_cancelling)
{
	int64_t begun = eio__now();
	struct letter_box box;
	unsigned delay = 0;

	(void) arg;
	start_partner(&box, broadcast_letter);
	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 20000, begun); i++) {
		struct letter l = {.done = 0};
		struct caller c[3];
		struct eio_switch sw;

		init(&l.s);
		eio_switch_begin(&sw);
		for (int n = 0; n < 3; n++) {
			c[n] = (struct caller){.fn = await_alone, .arg = &l.s};
			fork_caller(&sw, &c[n]);
		}
		put_letter(&box, &l);
		spin(delay);
		cancel_caller(&c[i % 3]);
		expect_ok(eio_switch_end(&sw, 0));
		for (unsigned n = 0; n < 3; n++) {
			if (c[n].rc != 0 && (n != i % 3 || c[n].rc != -ECANCELED))
				ck_abort_msg("round %u, waiter %u: %d", i, n, c[n].rc);
		}
		adapt(&delay, c[i % 3].rc < 0);
		while (!__atomic_load_n(&l.done, __ATOMIC_ACQUIRE))
			sched_yield();
	}
	end_partner(&box);
	return 0;
}

SUITE_MAIN("condition", false, an_await_releases_the_mutex_and_takes_it_again_test,
	   zeroed_memory_is_a_condition_test, only_the_holder_awaits_with_the_mutex_test,
	   a_signal_wakes_the_one_who_waits_longest_test,
	   a_broadcast_wakes_everyone_in_the_order_they_came_test,
	   signals_that_nobody_waits_for_are_not_kept_test,
	   a_thread_without_a_domain_signals_and_broadcasts_test,
	   a_cancelled_context_does_not_wait_and_keeps_the_mutex_test,
	   a_cancelled_await_takes_the_mutex_again_test,
	   a_cancellation_after_the_signal_only_shows_later_test,
	   a_cancelled_waiter_leaves_no_trace_and_uses_no_signal_test,
	   those_who_leave_are_passed_over_test, a_cancelled_await_in_a_section_poisons_test,
	   poison_ends_the_await_without_the_mutex_test,
	   a_protected_section_stays_so_across_an_await_test,
	   scopes_inside_a_protected_section_may_cancel_the_await_test,
	   poison_ends_a_protected_section_that_awaits_test,
	   a_binding_in_a_section_is_still_in_it_after_a_wait_test,
	   a_loop_ends_with_what_its_function_returns_test,
	   a_loop_looks_again_after_each_signal_test, a_loop_is_cancelled_between_its_looks_test,
	   a_signal_that_comes_while_the_function_runs_is_not_missed_test,
	   a_signal_by_the_function_itself_is_not_missed_test,
	   a_thread_without_a_domain_cannot_wait_test,
	   a_loop_misses_no_change_by_another_thread_test,
	   two_domains_take_turns_under_a_mutex_test, broadcasting_races_with_cancelling_test)
