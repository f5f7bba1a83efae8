/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

/* A computation: it counts how often it began, yields, and gives its own address. */
struct work {
	struct eio_lazy lazy;
	unsigned begun;
	unsigned yields;
	int rc;
	bool heed; /* -ECANCELED if it was cancelled */
};

static int compute(void **ret, void *arg)
{
	struct work *w = arg;
	int rc;

	w->begun++;
	note("begin");
	rc = yield_times(w->yields);
	note(rc < 0 ? "cancelled" : "end");
	if (w->heed && rc < 0)
		return rc;
	*ret = w;
	return w->rc < 0 ? eio_error_set(w->rc, "compute", "the work") : w->rc;
}

static void init(struct work *w, enum eio_lazy_cancel on_cancel)
{
	memset(&w->lazy, 0xff, sizeof(w->lazy));
	eio_lazy_init(&w->lazy, on_cancel, compute, w);
}

static int force(void *arg)
{
	struct work *w = arg;
	void *value = NULL;
	int rc = eio_lazy_force(&w->lazy, &value);

	ck_assert_ptr_eq(value, rc < 0 ? NULL : w);
	return rc;
}

CORE_TEST(a_value_is_computed_when_first_asked_for)
{
	struct work w = {.rc = 0};

	(void) arg;
	for (int on_cancel = EIO_LAZY_RECORD; on_cancel <= EIO_LAZY_RESTART; on_cancel++) {
		w.begun = 0;
		init(&w, on_cancel);
		ck_assert_uint_eq(w.begun, 0);
		for (int i = 0; i < 3; i++)
			expect_ok(force(&w));
		expect_ok(eio_lazy_force(&w.lazy, NULL));
		ck_assert_uint_eq(w.begun, 1);
		expect_log("begin end");
	}
	w.rc = 7;
	init(&w, EIO_LAZY_RECORD);
	expect_err(force(&w), 7);
	expect_err(force(&w), 7);
	expect_log("begin end");
	return 0;
}

CORE_TEST(many_who_ask_share_one_computation)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct work w = {.yields = 3};
	struct eio_switch sw;
	struct caller c[4];

	(void) arg;
	init(&w, EIO_LAZY_RECORD);
	eio_switch_begin(&sw);
	for (int i = 0; i < 4; i++) {
		c[i] = (struct caller){.fn = force, .arg = &w, .name = names[i]};
		fork_caller(&sw, &c[i]);
	}
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begin end a b c d");
	return 0;
}

CORE_TEST(a_known_value_is_given_without_suspending)
{
	struct work w = {.rc = 0};
	struct eio_switch sw;

	(void) arg;
	init(&w, EIO_LAZY_PROTECT);
	expect_ok(force(&w));
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(force(&w));
	note("forced");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("begin end queued+ forced queued-");
	return 0;
}

/* Failures */

static int force_and_tell(void *arg)
{
	int rc = force(arg);

	expect_err(rc, -EIO);
	expect_err(eio_last_error()->code, -EIO);
	ck_assert_str_eq(eio_last_error()->op, "compute");
	ck_assert_str_eq(eio_last_error()->subject, "the work");
	return rc;
}

CORE_TEST(a_failure_is_kept_with_its_details)
{
	struct work w = {.rc = -EIO, .yields = 2};
	struct eio_switch sw;
	struct caller c[3];

	(void) arg;
	init(&w, EIO_LAZY_RESTART);
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		c[i] = (struct caller){.fn = force_and_tell, .arg = &w};
		fork_caller(&sw, &c[i]);
	}
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 3; i++)
		expect_err(c[i].rc, -EIO);
	ck_assert_int_eq(eio_last_error()->code, 0); /* they were the others' */
	expect_err(force_and_tell(&w), -EIO);
	expect_err(in_other_domain(force_and_tell, &w), -EIO);
	ck_assert_uint_eq(w.begun, 1);
	log_clear();
	return 0;
}

static int force_after_another_failure(void *arg)
{
	eio_error_set(EIO_EABANDONED, "another", "failure");
	expect_err(force(arg), EIO_EABANDONED);
	ck_assert_int_eq(eio_last_error()->code, 0);
	return 0;
}

CORE_TEST(an_older_failure_is_not_mistaken_for_the_kept_one)
{
	struct work w = {.heed = true, .rc = -ECANCELED};

	(void) arg;
	init(&w, EIO_LAZY_RECORD);
	expect_err(eio_lazy_force(&w.lazy, NULL), -ECANCELED);
	expect_ok(force_after_another_failure(&w));
	log_clear();
	return 0;
}

/* Cancelling */

CORE_TEST(a_cancelled_context_does_not_ask)
{
	struct work w = {.rc = 0};
	struct eio_cancel c;

	(void) arg;
	init(&w, EIO_LAZY_PROTECT);
	for (int i = 0; i < 2; i++) { /* also when it is known */
		eio_cancel_begin(&c);
		expect_ok(eio_cancel_raise(&c, -EPIPE));
		expect_err(force(&w), -ECANCELED);
		eio_cancel_end(&c);
		expect_log("");
		expect_ok(force(&w));
		log_clear();
	}
	return 0;
}

static int cancel_computing(struct work *w, int second)
{
	struct caller a = {.fn = force, .arg = w}, b = a;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	fork_caller(&sw, &a);
	fork_caller(&sw, &b);
	cancel_caller(&a);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(b.rc, second);
	return a.rc;
}

CORE_TEST(a_cancelled_computation_is_recorded)
{
	struct work w = {.yields = 2, .heed = true};

	(void) arg;
	init(&w, EIO_LAZY_RECORD);
	expect_err(cancel_computing(&w, EIO_EABANDONED), -ECANCELED);
	expect_err(force(&w), EIO_EABANDONED);
	expect_log("begin cancelled");
	return 0;
}

CORE_TEST(a_protected_computation_is_not_cancelled)
{
	struct work w = {.yields = 2, .heed = true};

	(void) arg;
	init(&w, EIO_LAZY_PROTECT);
	expect_ok(cancel_computing(&w, 0));
	expect_ok(force(&w));
	expect_log("begin end");
	return 0;
}

CORE_TEST(a_cancelled_computation_is_restarted_by_the_next_one)
{
	struct work w = {.yields = 2, .heed = true};

	(void) arg;
	init(&w, EIO_LAZY_RESTART);
	expect_err(cancel_computing(&w, 0), -ECANCELED);
	expect_ok(force(&w));
	expect_log("begin cancelled begin end");
	init(&w, EIO_LAZY_RESTART);
	w.rc = -ECANCELED; /* nobody waits: the next one who asks */
	expect_err(eio_lazy_force(&w.lazy, NULL), -ECANCELED);
	w.rc = 0;
	expect_ok(force(&w));
	expect_log("begin end begin end");
	return 0;
}

/* A value that comes in spite of the cancellation is one. */
CORE_TEST(a_value_computed_by_a_cancelled_fiber_is_kept)
{
	struct work w = {.yields = 2, .heed = false};

	(void) arg;
	init(&w, EIO_LAZY_RECORD);
	expect_ok(cancel_computing(&w, 0));
	expect_log("begin cancelled");
	return 0;
}

CORE_TEST(the_wait_for_another_ones_computation_is_cancelled)
{
	struct work w = {.yields = 4};
	struct caller a = {.fn = force, .arg = &w}, b[3] = {a, a, a};
	struct eio_switch sw;

	(void) arg;
	for (int on_cancel = EIO_LAZY_RECORD; on_cancel <= EIO_LAZY_RESTART; on_cancel++) {
		init(&w, on_cancel);
		eio_switch_begin(&sw);
		fork_caller(&sw, &a);
		for (int i = 0; i < 3; i++)
			fork_caller(&sw, &b[i]);
		cancel_caller(&b[on_cancel]);
		expect_ok(eio_switch_end(&sw, 0));
		expect_ok(a.rc);
		for (int i = 0; i < 3; i++)
			expect_err(b[i].rc, i == on_cancel ? -ECANCELED : 0);
		expect_log("begin end");
	}
	return 0;
}

/* Recursion */

static int ask_itself(void **ret, void *arg)
{
	(void) ret;
	return eio_lazy_force(arg, NULL);
}

CORE_TEST(a_computation_that_asks_for_its_own_value_is_edeadlk)
{
	struct eio_lazy l;

	(void) arg;
	for (int on_cancel = EIO_LAZY_RECORD; on_cancel <= EIO_LAZY_RESTART; on_cancel++) {
		eio_lazy_init(&l, on_cancel, ask_itself, &l);
		expect_err(eio_lazy_force(&l, NULL), -EDEADLK);
		expect_err(eio_lazy_force(&l, NULL), -EDEADLK); /* it is kept like others */
	}
	return 0;
}

CORE_TEST(a_thread_without_a_domain_cannot_ask)
{
	struct work w = {.rc = 0};

	(void) arg;
	init(&w, EIO_LAZY_RECORD);
	expect_err(on_plain_thread(force, &w), -EPERM);
	expect_ok(force(&w));
	expect_err(on_plain_thread(force, &w), -EPERM);
	log_clear();
	return 0;
}

/* Two domains ask at once; who was told may free the value, with the other one on its way
 * out. */

struct shared {
	struct eio_lazy lazy;
	unsigned computed;
	unsigned asked; /* the partner did */
	bool fail;
};

static int compute_shared(void **ret, void *arg)
{
	struct shared *s = arg;

	*ret = s;
	s->computed++;
	__atomic_store_n(&s->asked, 1, __ATOMIC_RELEASE);
	return s->fail ? eio_error_set(-EIO, "compute", "the shared one") : 0;
}

static int ask_shared(void *arg)
{
	struct shared *s = arg;
	void *value = NULL;
	bool fail = s->fail;
	int rc = eio_lazy_force(&s->lazy, &value);

	if (fail)
		return rc == -EIO && strcmp(eio_last_error()->subject, "the shared one") == 0 ? 0
											      : -1;
	return rc == 0 && value == s ? 0 : -1;
}

RING_TEST(a_lazy_value_may_be_freed_as_soon_as_it_is_known)
{
	int64_t begun = eio__now();
	struct letter_box box;

	(void) arg;
	start_partner_domain(&box, ask_shared);
	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 30000, begun); i++) {
		struct shared *s = calloc(1, sizeof(*s));

		s->fail = i % 3 == 0;
		eio_lazy_init(&s->lazy, (enum eio_lazy_cancel)(i % 3), compute_shared, s);
		put_letter(&box, s);
		while (!__atomic_load_n(&s->asked, __ATOMIC_ACQUIRE))
			;
		expect_ok(ask_shared(s));
		ck_assert_uint_eq(s->computed, 1);
		bury(s, sizeof(*s));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

enum { DOMAINS = 3, VALUES = SANITIZED ? 200 : 1000 };

static int ask_for_all(struct eio_env *e, void *arg)
{
	struct shared *s = arg;

	(void) e;
	for (int i = 0; i < VALUES; i++)
		must(ask_shared(&s[i]));
	return 0;
}

static void *run_asking(void *arg)
{
	expect_ok(eio_run(NULL, ask_for_all, arg));
	return NULL;
}

RING_TEST(several_domains_compute_each_value_once)
{
	struct shared *s = calloc(VALUES, sizeof(*s));
	pthread_t threads[DOMAINS];

	(void) arg;
	for (int i = 0; i < VALUES; i++)
		eio_lazy_init(&s[i].lazy, EIO_LAZY_RECORD, compute_shared, &s[i]);
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_create(&threads[i], NULL, run_asking, s));
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_join(threads[i], NULL));
	for (int i = 0; i < VALUES; i++)
		ck_assert_uint_eq(s[i].computed, 1);
	free(s);
	return 0;
}

SUITE_MAIN("lazy", false, a_value_is_computed_when_first_asked_for_test,
	   many_who_ask_share_one_computation_test, a_known_value_is_given_without_suspending_test,
	   a_failure_is_kept_with_its_details_test,
	   an_older_failure_is_not_mistaken_for_the_kept_one_test,
	   a_cancelled_context_does_not_ask_test, a_cancelled_computation_is_recorded_test,
	   a_protected_computation_is_not_cancelled_test,
	   a_cancelled_computation_is_restarted_by_the_next_one_test,
	   a_value_computed_by_a_cancelled_fiber_is_kept_test,
	   the_wait_for_another_ones_computation_is_cancelled_test,
	   a_computation_that_asks_for_its_own_value_is_edeadlk_test,
	   a_thread_without_a_domain_cannot_ask_test,
	   a_lazy_value_may_be_freed_as_soon_as_it_is_known_test,
	   several_domains_compute_each_value_once_test)
