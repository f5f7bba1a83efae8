/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/timer.h"

#include <pthread.h>
#include <sched.h>

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

/*
 * Several threads. A partner thread takes promises out of a letter box and resolves them;
 * the fiber gives it the next one as soon as it is done with the last.
 */

struct letter_box {
	struct eio_promise *letter; /* NULL: empty; &stop: the partner ends */
	unsigned resolved;          /* by the partner, counted when it is back */
};

static struct eio_promise stop;

/* To the first or second of the processors allowed, so that there is something to race. */
static void pin(int place)
{
	cpu_set_t allowed, one;

	if (pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || place-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

static struct eio_promise *take_letter(struct letter_box *box)
{
	struct eio_promise *p;

	for (unsigned i = 1; !(p = __atomic_exchange_n(&box->letter, NULL, __ATOMIC_ACQUIRE));
	     i++) {
		if (i % 256 == 0)
			sched_yield();
	}
	return p;
}

static void put_letter(struct letter_box *box, struct eio_promise *p)
{
	__atomic_store_n(&box->letter, p, __ATOMIC_RELEASE);
}

static void *resolve_letters(void *arg)
{
	struct letter_box *box = arg;
	struct eio_promise *p;

	pin(1);
	while ((p = take_letter(box)) != &stop) {
		expect_ok(eio_promise_resolve(p, 11, box));
		__atomic_add_fetch(&box->resolved, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void start_partner(pthread_t *partner, struct letter_box *box)
{
	expect_ok(pthread_create(partner, NULL, resolve_letters, box));
	pin(0);
}

static void spin(unsigned n)
{
	while (n--)
		__asm__ volatile("" ::: "memory");
}

/* Races are run so often, or for a second if others need the processors too. */
static bool again(unsigned round, unsigned rounds, int64_t begun)
{
	return round < rounds && eio__now() - begun < EIO_SEC(1);
}

/* Finds the delay at which the partner is about as fast: longer when it came too late. */
static void adapt(unsigned *delay, bool late)
{
	if (late)
		*delay = *delay < 8192 ? *delay + 1 + *delay / 16 : 0;
	else
		*delay -= *delay / 16 + (*delay > 0);
}

/* Frees a promise; in plain builds late writes into it are found out. */
static void bury(struct eio_promise *p)
{
	static struct eio_promise *graves[64], untouched;
	static unsigned next;
	struct eio_promise **grave = &graves[next++ % 64];

	if (SANITIZED) {
		free(p);
		return;
	}
	memset(&untouched, 0x5a, sizeof(untouched));
	if (*grave && memcmp(*grave, &untouched, sizeof(untouched)) != 0)
		ck_abort_msg("a promise was written to after an await on it returned");
	free(*grave);
	*grave = p;
	memset(p, 0x5a, sizeof(*p));
}

static void empty_graves(void)
{
	for (int i = 0; i < 64 && !SANITIZED; i++) {
		struct eio_promise *p = malloc(sizeof(*p));

		bury(p);
	}
}

RING_TEST(a_promise_may_be_freed_right_after_an_await)
{
	struct letter_box box = {0};
	int64_t begun = eio__now();
	unsigned delay = 0;
	pthread_t partner;

	(void) arg;
	start_partner(&partner, &box);
	for (unsigned i = 0; again(i, SANITIZED ? 5000 : 50000, begun); i++) {
		struct eio_promise *p = calloc(1, sizeof(*p));
		void *value = NULL;

		put_letter(&box, p);
		spin(delay);
		adapt(&delay, !eio_promise_peek(p, NULL, NULL));
		if (eio_promise_await(p, &value) != 11 || value != &box)
			ck_abort_msg("round %u", i);
		bury(p);
	}
	empty_graves();
	while (__atomic_load_n(&box.letter, __ATOMIC_RELAXED))
		sched_yield();
	put_letter(&box, &stop);
	expect_ok(pthread_join(partner, NULL));
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
	bury(p);
}

RING_TEST(resolving_races_with_cancelling)
{
	unsigned delay = 0, rounds = SANITIZED ? 3000 : 30000;
	struct letter_box box = {0};
	int64_t begun = eio__now();
	pthread_t partner;

	(void) arg;
	start_partner(&partner, &box);
	for (unsigned i = 0; again(i, rounds, begun); i++)
		race_once(&box, i, &delay);
	empty_graves();
	put_letter(&box, &stop);
	expect_ok(pthread_join(partner, NULL));
	return 0;
}

/* The only waiter is cancelled: then the promise is still the resolver's. */
RING_TEST(a_cancelled_await_leaves_the_promise_to_its_resolver)
{
	unsigned delay = 0, rounds = SANITIZED ? 2000 : 20000;
	struct letter_box box = {0};
	int64_t begun = eio__now();
	pthread_t partner;

	(void) arg;
	start_partner(&partner, &box);
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
		bury(p);
	}
	empty_graves();
	put_letter(&box, &stop);
	expect_ok(pthread_join(partner, NULL));
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
	   a_promise_may_be_freed_right_after_an_await_test, resolving_races_with_cancelling_test,
	   a_cancelled_await_leaves_the_promise_to_its_resolver_test,
	   of_two_resolvers_one_wins_test, waiters_of_several_domains_all_wake_test,
	   two_domains_resolve_each_others_promises_test)
