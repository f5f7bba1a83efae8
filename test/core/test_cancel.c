/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/fiber.h"
#include "core/timer.h"

#include <signal.h>

/* Contexts */

CORE_TEST(inside_it_reads_ecanceled_and_the_reason_is_known_at_the_end)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_check());
	expect_ok(eio_cancel_error(&c));
	ck_assert(!eio_is_cancelled());
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	ck_assert(eio_is_cancelled());
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_yield(), -ECANCELED);
	expect_err(eio_cancel_error(&c), -EPIPE);
	eio_cancel_end(&c);
	expect_err(eio_cancel_error(&c), -EPIPE);
	ck_assert(!eio_is_cancelled());
	expect_ok(eio_check());
	expect_ok(eio_yield());
	return 0;
}

CORE_TEST(cancelling_twice_is_harmless_and_the_first_reason_is_kept)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_cancel_error(&c), -EPIPE);
	eio_cancel_end(&c);
	return 0;
}

CORE_TEST(a_reason_is_negative)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_err(eio_cancel_raise(&c, 0), -EINVAL);
	expect_err(eio_cancel_raise(&c, 1), -EINVAL);
	expect_ok(eio_check());
	eio_cancel_end(&c);
	return 0;
}

CORE_TEST(inner_contexts_read_ecanceled_as_their_reason)
{
	struct eio_cancel outer, middle, inner;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_cancel_begin(&middle);
	eio_cancel_begin(&inner);
	expect_ok(eio_cancel_raise(&middle, -EPIPE));
	expect_err(eio_cancel_error(&inner), -ECANCELED);
	expect_ok(eio_cancel_error(&outer));
	eio_cancel_end(&inner);
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&middle);
	expect_ok(eio_check());
	eio_cancel_end(&outer);
	return 0;
}

CORE_TEST(an_inner_reason_stays_when_the_outer_context_is_cancelled)
{
	struct eio_cancel outer, inner;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_cancel_begin(&inner);
	expect_ok(eio_cancel_raise(&inner, -EPIPE));
	expect_ok(eio_cancel_raise(&outer, -EIO));
	expect_err(eio_cancel_error(&inner), -EPIPE);
	eio_cancel_end(&inner);
	eio_cancel_end(&outer);
	expect_err(eio_cancel_error(&outer), -EIO);
	return 0;
}

CORE_TEST(a_context_begun_in_a_cancelled_one_is_cancelled)
{
	struct eio_cancel outer, inner;

	(void) arg;
	eio_cancel_begin(&outer);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	eio_cancel_begin(&inner);
	expect_err(eio_cancel_error(&inner), -ECANCELED);
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&inner);
	eio_cancel_end(&outer);
	return 0;
}

CORE_TEST(ten_thousands_of_nested_contexts_are_cancelled)
{
	enum { N = 50000 };
	struct eio_cancel *c = malloc(N * sizeof(*c));

	(void) arg;
	for (int i = 0; i < N; i++)
		eio_cancel_begin(&c[i]);
	expect_ok(eio_cancel_raise(&c[1], -EPIPE));
	expect_ok(eio_cancel_error(&c[0]));
	for (int i = 2; i < N; i++) {
		if (eio_cancel_error(&c[i]) != -ECANCELED)
			ck_abort_msg("context %d is not cancelled", i);
	}
	for (int i = N - 1; i >= 0; i--)
		eio_cancel_end(&c[i]);
	expect_ok(eio_check());
	free(c);
	return 0;
}

/* Protection */

static int check_inside(void *arg)
{
	(void) arg;
	expect_ok(eio_yield());
	return 7;
}

CORE_TEST(protect_shields_and_leaving_it_raises_nothing)
{
	struct eio_cancel outer, shield;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_cancel_protect_begin(&shield);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	expect_ok(eio_check());
	expect_ok(eio_yield());
	ck_assert(!eio_is_cancelled());
	eio_cancel_end(&shield);
	expect_ok(eio_cancel_error(&shield));
	/* The next call that could suspend is told. */
	expect_err(eio_yield(), -ECANCELED);
	expect_err(eio_protect_run(check_inside, NULL), 7);
	expect_err(eio_yield(), -ECANCELED);
	eio_cancel_end(&outer);
	return 0;
}

CORE_TEST(contexts_below_a_protected_one_are_shielded_too)
{
	struct eio_cancel outer, shield, inner;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_cancel_protect_begin(&shield);
	eio_cancel_begin(&inner);
	expect_ok(eio_cancel_raise(&outer, -EPIPE));
	expect_ok(eio_check());
	expect_ok(eio_cancel_raise(&inner, -EIO));
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&inner);
	expect_ok(eio_check());
	eio_cancel_end(&shield);
	eio_cancel_end(&outer);
	return 0;
}

CORE_TEST(a_protected_context_can_be_cancelled_itself)
{
	struct eio_cancel shield, inner;

	(void) arg;
	eio_cancel_protect_begin(&shield);
	eio_cancel_begin(&inner);
	expect_ok(eio_cancel_raise(&shield, -EPIPE));
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&inner);
	expect_err(eio_check(), -ECANCELED);
	eio_cancel_end(&shield);
	return 0;
}

/* The callback form */

static int raise_and_check(struct eio_cancel *c, void *arg)
{
	expect_ok(eio_check());
	expect_ok(eio_cancel_raise(c, -EPIPE));
	expect_err(eio_yield(), -ECANCELED);
	expect_err(eio_cancel_error(c), -EPIPE);
	return *(int *) arg;
}

static int check_context(struct eio_cancel *c, void *arg)
{
	expect_err(eio_cancel_error(c), *(int *) arg);
	expect_err(eio_check(), *(int *) arg);
	return 7;
}

CORE_TEST(cancel_run_is_begin_fn_end)
{
	static const int results[] = {0, 5, -EIO, -ECANCELED};
	struct eio_cancel outer;

	(void) arg;
	for (size_t i = 0; i < 4; i++) {
		int result = results[i];

		expect_err(eio_cancel_run(raise_and_check, &result), result);
		expect_ok(eio_check());
	}
	expect_err(eio_cancel_run(check_context, &(int){0}), 7);
	/* A cancelled context is no reason not to call. */
	eio_cancel_begin(&outer);
	expect_ok(eio_cancel_raise(&outer, -EIO));
	expect_err(eio_cancel_run(check_context, &(int){-ECANCELED}), 7);
	eio_cancel_end(&outer);
	return 0;
}

static int leave_one_open(struct eio_cancel *c, void *arg)
{
	static struct eio_cancel left_open;

	(void) c, (void) arg;
	eio_cancel_protect_begin(&left_open);
	return 0;
}

static int run_leaving_one_open(void *arg)
{
	return eio_cancel_run(leave_one_open, arg);
}

/* Suspended fibers */

struct victim {
	struct eio_cancel ctx;
	const char *name;
	eio_fn *wait;
	void *arg;
	int rc;
	bool done;
};

static int suffer(void *arg)
{
	struct victim *v = arg;

	eio_cancel_begin(&v->ctx);
	v->rc = v->wait(v->arg);
	eio_cancel_end(&v->ctx);
	v->done = true;
	if (v->name)
		note("%s", v->name);
	return 0;
}

static int await_cancel(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

CORE_TEST(raising_interrupts_the_waits_and_does_not_wait_for_them)
{
	struct victim v = {.name = "interrupted", .wait = await_cancel};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, suffer, &v));
	expect_ok(eio_cancel_raise(&v.ctx, -EPIPE));
	note("raised");
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(v.rc, -ECANCELED);
	expect_log("raised interrupted");
	return 0;
}

CORE_TEST(other_contexts_are_left_alone)
{
	struct victim a = {.name = "a", .wait = await_cancel}, b = a;
	struct eio_switch sw;

	(void) arg;
	b.name = "b";
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, suffer, &a));
	expect_ok(eio_fork(&sw, suffer, &b));
	expect_ok(eio_cancel_raise(&b.ctx, -EPIPE));
	expect_ok(yield_times(3));
	expect_log("b");
	expect_ok(eio_cancel_raise(&a.ctx, -EPIPE));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a");
	return 0;
}

static int yield_forever(void *arg)
{
	int rc;

	(void) arg;
	while ((rc = eio_yield()) == 0)
		note("lap");
	return rc;
}

CORE_TEST(yield_checks_again_when_it_resumes)
{
	struct victim v = {.name = "end", .wait = yield_forever};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, suffer, &v));
	expect_ok(eio_yield());
	expect_ok(eio_cancel_raise(&v.ctx, -EPIPE));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(v.rc, -ECANCELED);
	expect_log("lap end");
	return 0;
}

static int cancel_itself(void *arg)
{
	struct victim *v = arg;

	expect_ok(eio_cancel_raise(&v->ctx, -EPIPE));
	note("on");
	return eio_yield();
}

CORE_TEST(a_fiber_may_cancel_itself_and_goes_on_until_it_would_suspend)
{
	struct victim v = {.name = "end", .wait = cancel_itself, .arg = &v};

	(void) arg;
	suffer(&v);
	expect_err(v.rc, -ECANCELED);
	expect_log("on end");
	return 0;
}

/*
 * Every suspending call of the core: cancelled before, during and after. The main fiber
 * keeps each object in the state in which others have to wait, and finds out afterwards
 * that nothing of it was taken or is still promised to somebody.
 */

static struct eio_promise promise, resolved_promise;
static struct eio_event event;
static struct eio_mutex taken, own;
static struct eio_condition condition;
static struct eio_semaphore none_left;
static struct eio_stream empty, full;
static struct eio_pool used_up;
static struct eio_lazy lazy;
static int items_made;
static bool ready;

static int do_yield(void *arg)
{
	(void) arg;
	return eio_yield();
}

static int do_sleep(void *arg)
{
	(void) arg;
	return eio__sleep_until(eio__now() + EIO_SEC(1000));
}

static int do_promise(void *arg)
{
	(void) arg;
	return eio_promise_await(&promise, NULL);
}

static int do_resolved_promise(void *arg)
{
	(void) arg;
	return eio_promise_await(&resolved_promise, NULL);
}

static int do_event(void *arg)
{
	(void) arg;
	return eio_event_await(&event);
}

static int do_mutex(void *arg)
{
	int rc = eio_mutex_lock(&taken);

	(void) arg;
	if (rc == 0)
		expect_ok(eio_mutex_unlock(&taken));
	return rc;
}

static int do_section(void *arg)
{
	return eio_mutex_rw_run(&taken, true, do_nothing, arg);
}

static int do_condition(void *arg)
{
	int rc;

	(void) arg;
	expect_ok(eio_mutex_try_lock(&own));
	rc = eio_condition_await(&condition, &own);
	expect_ok(eio_mutex_unlock(&own));
	return rc;
}

static int do_condition_no_mutex(void *arg)
{
	(void) arg;
	return eio_condition_await_no_mutex(&condition);
}

static int is_ready(void *arg)
{
	(void) arg;
	return ready;
}

static int do_condition_loop(void *arg)
{
	int rc = eio_condition_loop_no_mutex(&condition, is_ready, arg);

	return rc > 0 ? 0 : rc;
}

static int do_semaphore(void *arg)
{
	(void) arg;
	return eio_semaphore_acquire(&none_left);
}

static int do_take(void *arg)
{
	char item;

	(void) arg;
	return eio_stream_take(&empty, &item);
}

static int do_add(void *arg)
{
	(void) arg;
	return eio_stream_add(&full, "x");
}

static int make_item(void **ret, void *arg)
{
	(void) arg;
	*ret = &items_made;
	items_made++;
	return 0;
}

static int do_pool(void *arg)
{
	void *item;
	int rc = eio_pool_acquire(&used_up, &item);

	(void) arg;
	if (rc == 0)
		eio_pool_release(&used_up, item);
	return rc;
}

static int compute(void **ret, void *arg)
{
	*ret = NULL;
	return do_promise(arg);
}

static int do_lazy(void *arg)
{
	(void) arg;
	return eio_lazy_force(&lazy, NULL);
}

static int do_both(void *arg)
{
	return eio_both(await_cancel, arg, await_cancel, arg);
}

static int do_first(void *arg)
{
	return eio_first(await_cancel, arg, await_cancel, arg);
}

static int do_any_of_none(void *arg)
{
	(void) arg;
	return eio_any(NULL, 0, NULL);
}

static int do_n_any(void *arg)
{
	const struct eio_task tasks[] = {{await_cancel, arg}};
	int result;

	return eio_n_any(tasks, 1, &result, NULL, NULL);
}

static int await_cancel_i(size_t i, void *arg)
{
	(void) i;
	return await_cancel(arg);
}

static int do_for_each(void *arg)
{
	return eio_for_each(5, 2, await_cancel_i, arg);
}

static int do_switch(void *arg)
{
	struct eio_switch sw;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_fork(&sw, await_cancel, arg);
	return eio_switch_end(&sw, rc);
}

static const struct {
	const char *name;
	eio_fn *fn;
	bool completes; /* complete_all makes it do so */
} calls[] = {
	{"yield", do_yield, false},
	{"await_cancel", await_cancel, false},
	{"sleep", do_sleep, true},
	{"promise", do_promise, true},
	{"event", do_event, true},
	{"mutex", do_mutex, true},
	{"section", do_section, true},
	{"condition", do_condition, true},
	{"condition without mutex", do_condition_no_mutex, true},
	{"loop on a condition", do_condition_loop, true},
	{"semaphore", do_semaphore, true},
	{"take from a stream", do_take, true},
	{"add to a stream", do_add, true},
	{"pool", do_pool, true},
	{"lazy", do_lazy, true},
	{"both", do_both, false},
	{"first", do_first, false},
	{"any of none", do_any_of_none, false},
	{"n_any", do_n_any, false},
	{"for_each", do_for_each, false},
	{"switch", do_switch, false},
	{"resolved promise", do_resolved_promise, false}, /* does not suspend */
};

enum { N_CALLS = sizeof(calls) / sizeof(calls[0]), N_SUSPENDING = N_CALLS - 1 };

static void take_item(void)
{
	void *item;

	expect_ok(eio_pool_acquire_never_block(&used_up, &item));
	ck_assert_int_eq(items_made, 1);
}

static void set_up(void)
{
	static const struct eio_pool_ops ops = {.alloc = make_item};

	promise = resolved_promise = (struct eio_promise) EIO_PROMISE_INIT;
	expect_ok(eio_promise_resolve(&resolved_promise, 5, NULL));
	expect_ok(eio_event_init(&event));
	eio_mutex_init(&taken);
	eio_mutex_init(&own);
	expect_ok(eio_mutex_lock(&taken));
	eio_condition_init(&condition);
	eio_semaphore_init(&none_left, 0);
	expect_ok(eio_stream_init(&empty, 1, 1));
	expect_ok(eio_stream_init(&full, 1, 1));
	expect_ok(eio_stream_add(&full, "f"));
	items_made = 0;
	expect_ok(eio_pool_init(&used_up, 1, &ops, NULL));
	take_item();
	eio_lazy_init(&lazy, EIO_LAZY_RESTART, compute, NULL);
	ready = false;
}

static void tear_down(void)
{
	eio_event_fini(&event);
	expect_ok(eio_mutex_unlock(&taken));
	expect_ok(eio_stream_fini(&empty, NULL, NULL));
	expect_ok(eio_stream_fini(&full, NULL, NULL));
	eio_pool_release(&used_up, &items_made);
	expect_ok(eio_pool_fini(&used_up));
}

/* Nobody is promised anything any more: what is given finds nobody and can be taken back. */
static void expect_no_trace(const char *name)
{
	struct eio_switch sw;
	char item;

	eio_switch_begin(&sw);
	ck_assert_msg(eio__timers_next(eio__domain_self()) == EIO_NEVER, "%s: a timer", name);
	expect_ok(eio_fork(&sw, do_promise, NULL));
	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	expect_ok(eio_fork(&sw, do_event, NULL));
	eio_event_set(&event);
	expect_ok(eio_fork(&sw, do_condition_no_mutex, NULL));
	eio_condition_signal(&condition);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(do_lazy(NULL));
	promise = (struct eio_promise) EIO_PROMISE_INIT;
	eio_lazy_init(&lazy, EIO_LAZY_RESTART, compute, NULL);

	expect_ok(eio_mutex_unlock(&taken));
	expect_ok(eio_mutex_try_lock(&taken));
	expect_ok(eio_mutex_try_lock(&own));
	expect_ok(eio_mutex_unlock(&own));
	eio_semaphore_release(&none_left);
	expect_ok(eio_semaphore_try_acquire(&none_left));
	ck_assert_uint_eq(eio_stream_length(&empty), 0);
	expect_ok(eio_stream_try_add(&empty, "a"));
	expect_ok(eio_stream_try_take(&empty, &item));
	ck_assert_uint_eq(eio_stream_length(&full), 1);
	expect_ok(eio_stream_try_take(&full, &item));
	ck_assert_uint_eq(eio_stream_length(&full), 0);
	expect_ok(eio_stream_try_add(&full, "f"));
	eio_pool_release(&used_up, &items_made);
	take_item();
}

CORE_TEST(every_call_in_a_cancelled_context_returns_at_once)
{
	struct eio_cancel c;
	struct eio_switch sw;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < N_CALLS; i++) {
			int rc = calls[i].fn(NULL);

			ck_assert_msg(rc == -ECANCELED, "%s: %d", calls[i].name, rc);
		}
	}
	eio_cancel_end(&c);
	expect_log("queued+");
	expect_no_trace("before");
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	expect_log("queued-");
	return 0;
}

CORE_TEST(every_call_is_interrupted_and_leaves_no_trace)
{
	(void) arg;
	set_up();
	for (size_t i = 0; i < N_SUSPENDING; i++) {
		struct victim v = {.wait = calls[i].fn};
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, suffer, &v));
		ck_assert_msg(!v.done, "%s did not suspend", calls[i].name);
		expect_ok(eio_cancel_raise(&v.ctx, -EPIPE));
		ck_assert_msg(!v.done, "%s was waited for", calls[i].name);
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_msg(v.rc == -ECANCELED, "%s: %d", calls[i].name, v.rc);
		expect_no_trace(calls[i].name);
		ck_assert_uint_eq(count_fibers(), 0);
	}
	tear_down();
	return 0;
}

/* Makes whatever waits for the objects runnable. */
static void complete_all(void)
{
	struct eio__domain *d = eio__domain_self();
	char item;

	expect_ok(eio_promise_resolve(&promise, 0, NULL));
	eio_event_set(&event);
	expect_ok(eio_mutex_unlock(&taken));
	ready = true;
	eio_condition_broadcast(&condition);
	eio_semaphore_release(&none_left);
	expect_ok(eio_stream_try_add(&empty, "a"));
	expect_ok(eio_stream_try_take(&full, &item));
	eio_pool_release(&used_up, &items_made);
	eio__inbox_drain(&d->waker.inbox);
	eio__timers_expire(d, EIO_NEVER - 1);
}

/* Each call that complete_all completes, alone. */
static void complete_one(size_t i, bool cancel_first, int expected)
{
	struct victim v = {.wait = calls[i].fn, .rc = 1};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, suffer, &v));
	if (cancel_first)
		expect_ok(eio_cancel_raise(&v.ctx, -EPIPE));
	complete_all();
	if (!cancel_first)
		expect_ok(eio_cancel_raise(&v.ctx, -EPIPE));
	ck_assert(!v.done);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_msg(v.rc == expected, "%s: %d", calls[i].name, v.rc);
}

/* Is what was given still there, but for what @p taker got? */
static void expect_rest(eio_fn *taker)
{
	expect_ok(eio_mutex_try_lock(&taken)); /* the takers gave it back */
	if (taker != do_event)
		expect_ok(do_event(NULL));
	ck_assert_uint_eq(eio_semaphore_value(&none_left), taker != do_semaphore);
	ck_assert_uint_eq(eio_stream_length(&empty), taker != do_take);
	ck_assert_uint_eq(eio_stream_length(&full), taker == do_add);
	take_item();
	ck_assert(eio__timers_next(eio__domain_self()) == EIO_NEVER);
}

CORE_TEST(a_completed_result_is_delivered_though_cancelled_meanwhile)
{
	(void) arg;
	for (size_t i = 0; i < N_CALLS; i++) {
		if (!calls[i].completes)
			continue;
		set_up();
		complete_one(i, false, 0);
		expect_rest(calls[i].fn);
		tear_down();
	}
	return 0;
}

CORE_TEST(what_completes_after_the_cancellation_is_not_taken)
{
	(void) arg;
	for (size_t i = 0; i < N_CALLS; i++) {
		if (!calls[i].completes)
			continue;
		set_up();
		complete_one(i, true, -ECANCELED);
		expect_rest(NULL);
		tear_down();
	}
	return 0;
}

/*
 * A tree of contexts at random, over several fibers, against a model: a context is
 * cancelled if one on its way to the root was, and none between them is protected.
 */

enum { NODES = 60 };

struct node {
	struct eio_cancel c;
	int parent;
	bool protected;
	int model;
};

static struct node nodes[NODES];
static int n_nodes;
static struct eio_promise go_on;
static unsigned seed;

static unsigned pick(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

static int enter(int parent)
{
	struct node *n = &nodes[n_nodes];

	n->parent = parent;
	n->protected = pick(4) == 0;
	n->model = 0;
	if (n->protected)
		eio_cancel_protect_begin(&n->c);
	else
		eio_cancel_begin(&n->c);
	return n_nodes++;
}

static int grow(void *arg)
{
	int mine[4], n = 0, at = *(int *) arg;
	struct eio_switch sw;

	for (unsigned i = pick(4); i < 4 && n_nodes < NODES; i++)
		at = mine[n++] = enter(at);
	eio_switch_begin(&sw);
	for (unsigned i = 0; i < 1 + pick(3) && n_nodes < NODES; i++)
		eio_fork_copy(&sw, grow, &at, sizeof(at));
	eio_promise_await_protected(&go_on, NULL);
	expect_ok(eio_switch_end(&sw, 0));
	while (n)
		eio_cancel_end(&nodes[mine[--n]].c);
	return 0;
}

static void raise_in_model(int top, int err)
{
	if (nodes[top].model)
		return;
	nodes[top].model = err;
	for (int i = top + 1; i < n_nodes; i++) {
		struct node *n = &nodes[i];

		if (n->parent >= top && nodes[n->parent].model && !n->protected && !n->model)
			n->model = -ECANCELED;
	}
}

CORE_TEST(a_tree_of_contexts_is_cancelled_but_for_what_is_protected)
{
	int root = -1;

	(void) arg;
	for (unsigned round = 0; round < 300; round++) {
		struct eio_switch sw;

		seed = round + 1;
		n_nodes = 0;
		go_on = (struct eio_promise) EIO_PROMISE_INIT;
		eio_switch_begin(&sw);
		while (n_nodes < NODES / 2)
			expect_ok(eio_fork(&sw, grow, &root));
		for (int raises = 0; raises < 4; raises++) {
			int top = (int) pick((unsigned) n_nodes);

			expect_ok(eio_cancel_raise(&nodes[top].c, -100 - raises));
			raise_in_model(top, -100 - raises);
			for (int i = 0; i < n_nodes; i++) {
				int err = eio_cancel_error(&nodes[i].c);

				ck_assert_msg(err == nodes[i].model, "seed %u, node %d: %d", round,
					      i, err);
			}
		}
		expect_ok(eio_promise_resolve(&go_on, 0, NULL));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Other domains */

static int raise_foreign(void *arg)
{
	expect_err(eio_cancel_raise(arg, -EIO), -EPERM);
	return 0;
}

CORE_TEST(another_domain_may_not_cancel)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(in_other_domain(raise_foreign, &c));
	expect_ok(on_plain_thread(raise_foreign, &c));
	expect_ok(eio_check());
	expect_ok(eio_cancel_error(&c));
	eio_cancel_end(&c);
	return 0;
}

static int unused_context(struct eio_cancel *c, void *arg)
{
	(void) c, (void) arg;
	ck_abort();
}

START_TEST(run_outside_a_domain_gives_eperm)
{
	expect_err(eio_cancel_run(unused_context, NULL), -EPERM);
	expect_err(eio_protect_run(do_nothing, NULL), -EPERM);
}
END_TEST

/* Broken structure */

static int end_out_of_order(void *arg)
{
	struct eio_cancel outer, inner;

	(void) arg;
	eio_cancel_begin(&outer);
	eio_cancel_protect_begin(&inner);
	eio_cancel_end(&outer);
	return 0;
}

static void begin_outside(void *arg)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
}

START_TEST(contexts_ended_out_of_order_abort_naming_both)
{
	expect_core_abort(end_out_of_order, NULL,
			  "cancellation context ended while the innermost open scope is a "
			  "protected context");
	expect_core_abort(run_leaving_one_open, NULL,
			  "cancellation context ended while the innermost open scope is a "
			  "protected context");
}
END_TEST

START_TEST(a_context_begun_outside_a_domain_aborts)
{
	expect_death(begin_outside, NULL, SIGABRT,
		     "cancellation context begun on a thread that runs no fibers");
}
END_TEST

/* The mock scheduler's answer when nothing can happen any more */

static int wait_for_nothing(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	promise = (struct eio_promise) EIO_PROMISE_INIT;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, do_promise, NULL));
	expect_err(eio_switch_end(&sw, 0), -ECANCELED);
	note("cancelled");
	return 0;
}

static int wait_protected(void *arg)
{
	(void) arg;
	promise = (struct eio_promise) EIO_PROMISE_INIT;
	return eio_promise_await_protected(&promise, NULL);
}

START_TEST(a_deadlock_cancels_main_and_is_the_result)
{
	run_mock(wait_for_nothing, -EDEADLK);
	expect_log("cancelled");
	expect_abort(wait_protected, NULL, "deadlock");
}
END_TEST

SUITE_MAIN("cancel", false, inside_it_reads_ecanceled_and_the_reason_is_known_at_the_end_test,
	   cancelling_twice_is_harmless_and_the_first_reason_is_kept_test,
	   a_reason_is_negative_test, inner_contexts_read_ecanceled_as_their_reason_test,
	   an_inner_reason_stays_when_the_outer_context_is_cancelled_test,
	   a_context_begun_in_a_cancelled_one_is_cancelled_test,
	   ten_thousands_of_nested_contexts_are_cancelled_test,
	   protect_shields_and_leaving_it_raises_nothing_test,
	   contexts_below_a_protected_one_are_shielded_too_test,
	   a_protected_context_can_be_cancelled_itself_test, cancel_run_is_begin_fn_end_test,
	   raising_interrupts_the_waits_and_does_not_wait_for_them_test,
	   other_contexts_are_left_alone_test, yield_checks_again_when_it_resumes_test,
	   a_fiber_may_cancel_itself_and_goes_on_until_it_would_suspend_test,
	   every_call_in_a_cancelled_context_returns_at_once_test,
	   every_call_is_interrupted_and_leaves_no_trace_test,
	   a_completed_result_is_delivered_though_cancelled_meanwhile_test,
	   what_completes_after_the_cancellation_is_not_taken_test,
	   a_tree_of_contexts_is_cancelled_but_for_what_is_protected_test,
	   another_domain_may_not_cancel_test, run_outside_a_domain_gives_eperm,
	   contexts_ended_out_of_order_abort_naming_both, a_context_begun_outside_a_domain_aborts,
	   a_deadlock_cancels_main_and_is_the_result)
