/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "race.h"

/* One domain */

CORE_TEST(a_promise_resolves_once)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	int value, rc = 0;
	void *got = NULL;

	(void) arg;
	ck_assert(!eio_promise_peek(&p, &rc, &got));
	expect_ok(eio_promise_resolve(&p, 7, &value));
	expect_err(eio_promise_resolve(&p, 8, NULL), -EALREADY);
	expect_err(eio_promise_resolve(&p, -ECANCELED, NULL), -EALREADY);
	ck_assert(eio_promise_peek(&p, &rc, &got));
	expect_err(rc, 7);
	ck_assert_ptr_eq(got, &value);
	got = NULL;
	expect_err(eio_promise_await(&p, &got), 7);
	ck_assert_ptr_eq(got, &value);
	expect_err(eio_promise_await_protected(&p, NULL), 7);
	return 0;
}

CORE_TEST(zeroed_memory_is_a_promise)
{
	struct eio_promise *p = calloc(1, sizeof(*p));

	(void) arg;
	expect_ok(eio_promise_resolve(p, -EIO, NULL));
	expect_err(eio_promise_await(p, NULL), -EIO);
	free(p);
	return 0;
}

CORE_TEST(cancelled_work_reads_eabandoned)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	(void) arg;
	expect_ok(eio_promise_resolve(&p, -ECANCELED, NULL));
	expect_err(eio_promise_await(&p, NULL), EIO_EABANDONED);
	return 0;
}

CORE_TEST(awaiting_a_resolved_one_does_not_suspend)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_promise_resolve(&p, 1, NULL));
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_err(eio_promise_await(&p, NULL), 1);
	expect_err(eio_promise_await_protected(&p, NULL), 1);
	note("awaited");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ awaited queued-");
	return 0;
}

/* Fibers that wait for one promise, each in a context of its own. */

struct waiter {
	struct eio_promise *promise;
	const char *name;
	struct eio_cancel ctx;
	bool protect;
	int rc;
	void *value;
};

static int wait_for_it(void *arg)
{
	struct waiter *w = arg;

	eio_cancel_begin(&w->ctx);
	w->rc = w->protect ? eio_promise_await_protected(w->promise, &w->value)
			   : eio_promise_await(w->promise, &w->value);
	eio_cancel_end(&w->ctx);
	if (w->name)
		note("%s", w->name);
	return 0;
}

CORE_TEST(waiters_wake_in_the_order_they_came_with_the_result)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct waiter w[] = {{&p, .name = "a"}, {&p, .name = "b"}, {&p, .name = "c"}};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, wait_for_it, &w[i]));
	expect_ok(eio_promise_resolve(&p, 4, &p));
	note("resolved");
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 3; i++) {
		expect_err(w[i].rc, 4);
		ck_assert_ptr_eq(w[i].value, &p);
	}
	expect_log("resolved a b c");
	return 0;
}

/* Every subset of four waiters is cancelled; the others still wake, in order. */
CORE_TEST(a_cancelled_waiter_leaves_no_trace)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	(void) arg;
	for (unsigned gone = 0; gone < 16; gone++) {
		struct eio_promise p = EIO_PROMISE_INIT;
		struct waiter w[4];
		struct eio_switch sw;
		char expected[16] = "";

		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++) {
			w[i] = (struct waiter){.promise = &p};
			w[i].name = gone & 1u << i ? NULL : names[i];
			expect_ok(eio_fork(&sw, wait_for_it, &w[i]));
			if (w[i].name)
				strcat(strcat(expected, *expected ? " " : ""), names[i]);
		}
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				expect_ok(eio_cancel_raise(&w[i].ctx, -EPIPE));
		}
		if (gone % 2) /* the cancelled ones may have ended by then or not */
			expect_ok(yield_times(2));
		expect_ok(eio_promise_resolve(&p, 9, NULL));
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(w[i].rc, gone & 1u << i ? -ECANCELED : 9);
		expect_log(expected);
	}
	return 0;
}

CORE_TEST(a_cancelled_context_does_not_keep_others_from_the_result)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_cancel c;

	(void) arg;
	expect_ok(eio_promise_resolve(&p, 2, NULL));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_promise_await(&p, NULL), -ECANCELED);
	expect_err(eio_promise_await_protected(&p, NULL), 2);
	eio_cancel_end(&c);
	expect_err(eio_promise_await(&p, NULL), 2);
	return 0;
}

CORE_TEST(a_protected_await_returns_only_when_resolved)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct waiter w = {.promise = &p, .name = "woken", .protect = true};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_for_it, &w));
	expect_ok(eio_cancel_raise(&w.ctx, -EPIPE));
	expect_ok(yield_times(3));
	note("resolve");
	expect_ok(eio_promise_resolve(&p, 6, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(w.rc, 6);
	expect_log("resolve woken");
	return 0;
}

static int await_outside(void *arg)
{
	struct eio_promise *p = arg;

	if (!eio_promise_peek(p, NULL, NULL)) {
		expect_err(eio_promise_await(p, NULL), -EPERM);
		expect_err(eio_promise_await_protected(p, NULL), -EPERM);
		expect_ok(eio_promise_resolve(p, 3, NULL));
	}
	expect_err(eio_promise_await(p, NULL), 3);
	expect_err(eio_promise_await_protected(p, NULL), 3);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_may_resolve_and_look)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	(void) arg;
	expect_ok(on_plain_thread(await_outside, &p));
	expect_err(eio_promise_await(&p, NULL), 3);
	return 0;
}

/* What is known about a failure */

static const char subject[] = "/the/subject";

static int fail_in_detail(void *arg)
{
	(void) arg;
	return eio_error_set(-EMFILE, "work", subject);
}

static int resolve_with_details(void *p)
{
	return eio_promise_resolve(p, fail_in_detail(NULL), NULL);
}

static void expect_details(void)
{
	const struct eio_error *e = eio_last_error();

	expect_err(e->code, -EMFILE);
	ck_assert_ptr_nonnull(e->op);
	ck_assert_str_eq(e->op, "work");
	ck_assert_str_eq(e->subject, subject);
}

static int await_with_details(void *p)
{
	expect_err(eio_promise_await(p, NULL), -EMFILE);
	expect_details();
	return 0;
}

static int await_protected_with_details(void *p)
{
	expect_err(eio_promise_await_protected(p, NULL), -EMFILE);
	expect_details();
	return 0;
}

/* An older failure of the fiber's, with the same code, is forgotten. */
static int await_without_details(void *p)
{
	eio_error_set(-EMFILE, "older", "failure");
	expect_err(eio_promise_await(p, NULL), -EMFILE);
	expect_err(eio_last_error()->code, 0);
	ck_assert_ptr_null(eio_last_error()->op);
	return 0;
}

MOCK_TEST(a_failure_brings_its_details_to_every_waiter)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct caller before[3] = {
		{.fn = await_with_details, .arg = &p, .name = "a"},
		{.fn = await_protected_with_details, .arg = &p, .name = "b"},
		{.fn = await_with_details, .arg = &p, .name = "c"},
	};
	struct caller resolver = {.fn = resolve_with_details, .arg = &p};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		fork_caller(&sw, &before[i]);
	fork_caller(&sw, &resolver);
	expect_ok(resolver.rc);
	expect_err(eio_last_error()->code, 0);
	expect_ok(await_with_details(&p)); /* comes after it */
	eio_error_set(-EIO, "another", "failure");
	expect_ok(await_protected_with_details(&p));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a b c");
	expect_ok(in_other_domain(await_with_details, &p));
	return 0;
}

static int await_in_ring(struct eio_env *e, void *p)
{
	(void) e;
	return await_with_details(p);
}

static void *run_await(void *p)
{
	expect_ok(eio_run(NULL, await_in_ring, p));
	return NULL;
}

/* The waiter may come before or after. */
RING_TEST(a_failure_brings_its_details_to_other_domains)
{
	(void) arg;
	for (unsigned round = 0; round < 20; round++) {
		struct eio_promise p = EIO_PROMISE_INIT;
		pthread_t other;

		expect_ok(pthread_create(&other, NULL, run_await, &p));
		spin(round * 20000);
		expect_ok(resolve_with_details(&p));
		expect_ok(pthread_join(other, NULL));
	}
	return 0;
}

MOCK_TEST(a_failure_of_fork_promise_brings_its_details)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork_promise(&sw, fail_in_detail, NULL, &p));
	expect_ok(eio_switch_end(&sw, 0));
	return await_with_details(&p);
}

MOCK_TEST(an_older_failure_is_not_mistaken_for_the_promised_one)
{
	struct eio_promise bare = EIO_PROMISE_INIT, other = EIO_PROMISE_INIT;
	struct eio_promise good = EIO_PROMISE_INIT;

	(void) arg;
	eio_error_set(-EIO, "of another", "code");
	expect_ok(eio_promise_resolve(&bare, -EMFILE, NULL));
	expect_ok(await_without_details(&bare));
	/* Nor is it the awaiter's when the resolver has none, or is no fiber. */
	eio_error_set(-EMFILE, "own", "failure");
	expect_ok(on_plain_thread(resolve_with_details, &other));
	expect_ok(await_without_details(&other));
	/* A result that is no failure leaves it alone. */
	expect_err(fail_in_detail(NULL), -EMFILE);
	expect_ok(eio_promise_resolve(&good, 0, NULL));
	expect_ok(eio_promise_await(&good, NULL));
	expect_details();
	return 0;
}

/* The library keeps the last 64. */
static void fail_others(unsigned n)
{
	while (n--) {
		struct eio_promise p = EIO_PROMISE_INIT;

		eio_error_set(-EIO, "other", "promise");
		expect_ok(eio_promise_resolve(&p, -EIO, NULL));
		eio_error_set(-EIO, "again", "and again"); /* not shared */
	}
}

MOCK_TEST(details_are_known_until_64_others_have_failed)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	(void) arg;
	expect_ok(resolve_with_details(&p));
	fail_others(63);
	expect_ok(await_with_details(&p));
	expect_ok(in_other_domain(await_with_details, &p));
	fail_others(1);
	expect_ok(await_without_details(&p));
	expect_ok(in_other_domain(await_without_details, &p));
	expect_err(eio_promise_await(&p, NULL), -EMFILE); /* the code stays */
	return 0;
}

/* Several threads. */

static int mark;

static int resolve_it(void *p)
{
	return eio_promise_resolve(p, 11, &mark);
}

RING_TEST(a_promise_may_be_freed_right_after_an_await)
{
	struct letter_box box;
	int64_t begun = eio__now();
	unsigned delay = 0;

	(void) arg;
	start_partner(&box, resolve_it);
	for (unsigned i = 0; again(i, SANITIZED ? 5000 : 50000, begun); i++) {
		struct eio_promise *p = calloc(1, sizeof(*p));
		void *value = NULL;

		put_letter(&box, p);
		spin(delay);
		adapt(&delay, !eio_promise_peek(p, NULL, NULL));
		if (eio_promise_await(p, &value) != 11 || value != &mark)
			ck_abort_msg("round %u", i);
		bury(p, sizeof(*p));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

struct racer {
	struct eio_promise *p;
	struct eio_cancel ctx;
	int rc;
};

static int race_await(void *arg)
{
	struct racer *r = arg;

	eio_cancel_begin(&r->ctx);
	r->rc = eio_promise_await(r->p, NULL);
	eio_cancel_end(&r->ctx);
	return 0;
}

static void race_once(struct letter_box *box, unsigned round, unsigned *delay)
{
	struct eio_promise *p = calloc(1, sizeof(*p));
	struct racer r[3];
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		r[i].p = p;
		expect_ok(eio_fork(&sw, race_await, &r[i]));
	}
	put_letter(box, p);
	spin(*delay);
	expect_ok(eio_cancel_raise(&r[round % 3].ctx, -EPIPE));
	expect_ok(eio_switch_end(&sw, 0));
	for (unsigned i = 0; i < 3; i++) {
		if (r[i].rc != 11 && (r[i].rc != -ECANCELED || i != round % 3))
			ck_abort_msg("round %u, waiter %u: %d", round, i, r[i].rc);
	}
	adapt(delay, r[round % 3].rc < 0);
	/* The others have returned, so it may go. */
	bury(p, sizeof(*p));
}

RING_TEST(resolving_races_with_cancelling)
{
	unsigned delay = 0, rounds = SANITIZED ? 3000 : 30000;
	struct letter_box box;
	int64_t begun = eio__now();

	(void) arg;
	start_partner(&box, resolve_it);
	for (unsigned i = 0; again(i, rounds, begun); i++)
		race_once(&box, i, &delay);
	end_partner(&box);
	empty_graves();
	return 0;
}

/* The only waiter is cancelled: then the promise is still the resolver's. */
RING_TEST(a_cancelled_await_leaves_the_promise_to_its_resolver)
{
	unsigned delay = 0, rounds = SANITIZED ? 2000 : 20000;
	struct letter_box box;
	int64_t begun = eio__now();

	(void) arg;
	start_partner(&box, resolve_it);
	for (unsigned i = 0; again(i, rounds, begun); i++) {
		struct eio_promise *p = calloc(1, sizeof(*p));
		struct racer r = {.p = p};
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, race_await, &r));
		put_letter(&box, p);
		spin(delay);
		expect_ok(eio_cancel_raise(&r.ctx, -EPIPE));
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert(r.rc == 11 || r.rc == -ECANCELED);
		adapt(&delay, r.rc < 0);
		expect_err(eio_promise_await_protected(p, NULL), 11);
		bury(p, sizeof(*p));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

/* Two resolvers: one of them wins, the other is told. */

struct two {
	struct eio_promise *p;
	pthread_barrier_t start, end;
	unsigned rounds;
	int rc[2];
};

struct one_of_two {
	struct two *two;
	int i;
};

static void *resolve_too(void *arg)
{
	struct one_of_two *me = arg;
	struct two *t = me->two;

	for (unsigned round = 0; round < t->rounds; round++) {
		pthread_barrier_wait(&t->start);
		t->rc[me->i] = eio_promise_resolve(t->p, 1 + me->i, NULL);
		pthread_barrier_wait(&t->end);
	}
	return NULL;
}

RING_TEST(of_two_resolvers_one_wins)
{
	struct two t = {.rounds = SANITIZED ? 300 : 2000};
	struct one_of_two me[] = {{&t, 0}, {&t, 1}};
	pthread_t threads[2];

	(void) arg;
	pthread_barrier_init(&t.start, NULL, 3);
	pthread_barrier_init(&t.end, NULL, 3);
	for (int i = 0; i < 2; i++)
		expect_ok(pthread_create(&threads[i], NULL, resolve_too, &me[i]));
	for (unsigned round = 0; round < t.rounds; round++) {
		struct eio_promise p = EIO_PROMISE_INIT;
		struct racer r[2] = {{.p = &p}, {.p = &p}};
		struct eio_switch sw;

		t.p = &p;
		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, race_await, &r[0]));
		expect_ok(eio_fork(&sw, race_await, &r[1]));
		pthread_barrier_wait(&t.start);
		expect_ok(eio_cancel_raise(&r[1].ctx, -EPIPE));
		expect_ok(eio_switch_end(&sw, 0));
		pthread_barrier_wait(&t.end);
		ck_assert(r[0].rc == 1 || r[0].rc == 2);
		ck_assert(r[1].rc == r[0].rc || r[1].rc == -ECANCELED);
		expect_ok(t.rc[r[0].rc - 1]);
		expect_err(t.rc[2 - r[0].rc], -EALREADY);
	}
	for (int i = 0; i < 2; i++)
		expect_ok(pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&t.start);
	pthread_barrier_destroy(&t.end);
	return 0;
}

/* Waiters in several domains, some of which end as soon as they are woken. */

struct shared {
	struct eio_promise promise;
	unsigned waiting;
};

static int announce_and_wait(struct eio_env *e, void *arg)
{
	struct shared *s = arg;

	(void) e;
	__atomic_add_fetch(&s->waiting, 1, __ATOMIC_RELEASE);
	return eio_promise_await(&s->promise, NULL);
}

static void *run_waiter(void *arg)
{
	expect_err(eio_run(NULL, announce_and_wait, arg), 5);
	return NULL;
}

RING_TEST(waiters_of_several_domains_all_wake)
{
	(void) arg;
	for (int round = 0; round < (SANITIZED ? 10 : 50); round++) {
		struct shared s = {.promise = EIO_PROMISE_INIT};
		pthread_t threads[3];

		for (int i = 0; i < 3; i++)
			expect_ok(pthread_create(&threads[i], NULL, run_waiter, &s));
		while (__atomic_load_n(&s.waiting, __ATOMIC_ACQUIRE) < 3)
			sched_yield();
		spin((unsigned) round * 5000);
		expect_ok(eio_promise_resolve(&s.promise, 5, NULL));
		for (int i = 0; i < 3; i++)
			expect_ok(pthread_join(threads[i], NULL));
	}
	return 0;
}

/* A result goes to and fro between two domains. */

enum { LAPS = SANITIZED ? 1000 : 5000 };

struct laps {
	struct eio_promise ping[LAPS], pong[LAPS];
};

static int answer(struct eio_env *e, void *arg)
{
	struct laps *l = arg;

	(void) e;
	for (int i = 0; i < LAPS; i++) {
		if (eio_promise_await(&l->ping[i], NULL) != i)
			return -EIO;
		eio_promise_resolve(&l->pong[i], i + 1, NULL);
	}
	return 0;
}

static void *run_answer(void *arg)
{
	expect_ok(eio_run(NULL, answer, arg));
	return NULL;
}

RING_TEST(two_domains_resolve_each_others_promises)
{
	struct laps *l = calloc(1, sizeof(*l));
	pthread_t other;

	(void) arg;
	expect_ok(pthread_create(&other, NULL, run_answer, l));
	for (int i = 0; i < LAPS; i++) {
		expect_ok(eio_promise_resolve(&l->ping[i], i, NULL));
		if (eio_promise_await(&l->pong[i], NULL) != i + 1)
			ck_abort_msg("lap %d", i);
	}
	expect_ok(pthread_join(other, NULL));
	free(l);
	return 0;
}

SUITE_MAIN("promise", false, a_promise_resolves_once_test, zeroed_memory_is_a_promise_test,
	   cancelled_work_reads_eabandoned_test, awaiting_a_resolved_one_does_not_suspend_test,
	   waiters_wake_in_the_order_they_came_with_the_result_test,
	   a_cancelled_waiter_leaves_no_trace_test,
	   a_cancelled_context_does_not_keep_others_from_the_result_test,
	   a_protected_await_returns_only_when_resolved_test,
	   a_thread_without_a_domain_may_resolve_and_look_test,
	   a_failure_brings_its_details_to_every_waiter_test,
	   a_failure_brings_its_details_to_other_domains_test,
	   a_failure_of_fork_promise_brings_its_details_test,
	   an_older_failure_is_not_mistaken_for_the_promised_one_test,
	   details_are_known_until_64_others_have_failed_test,
	   a_promise_may_be_freed_right_after_an_await_test, resolving_races_with_cancelling_test,
	   a_cancelled_await_leaves_the_promise_to_its_resolver_test,
	   of_two_resolvers_one_wins_test, waiters_of_several_domains_all_wake_test,
	   two_domains_resolve_each_others_promises_test)
