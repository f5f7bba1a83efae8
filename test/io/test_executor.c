/* SPDX-License-Identifier: ISC */
#include "io/elsewhere.h"

#include "core/fiber.h"

#include <unistd.h>

/* An executor in a switch of its own; what the tests share. */
struct stage {
	struct eio_switch sw;
	struct eio_executor e;
	unsigned running, most, expected; /* jobs at once */
	struct eio_promise full;          /* expected are there */
};

static void begin_with(struct stage *s, unsigned domains)
{
	*s = (struct stage){.running = 0};
	eio_switch_begin(&s->sw);
	expect_ok(eio_executor_init(&s->e, &s->sw, env->domain_mgr, domains));
}

static void end(struct stage *s)
{
	expect_ok(eio_switch_end(&s->sw, 0));
	ck_assert_uint_eq(s->running, 0);
}

/* A call of submit in a fiber of its own. */
struct call {
	struct eio_executor *e;
	eio_fn *fn;
	void *arg;
	unsigned weight;
};

static int submit(void *arg)
{
	const struct call *c = arg;

	return eio_executor_submit(c->e, c->fn, c->arg, c->weight);
}

CORE_TEST(results_and_failures_come_back)
{
	char line[128];
	struct stage s;
	int rc = 42;

	(void) arg;
	begin_with(&s, 2);
	expect_err(eio_executor_submit(&s.e, give, &rc, 1000), 42);
	rc = 0;
	expect_ok(eio_executor_submit(&s.e, give, &rc, 0));
	expect_err(eio_executor_submit(&s.e, fail_link, NULL, 1), -EXDEV);
	eio_error_format(-EXDEV, line, sizeof(line));
	ck_assert_str_eq(line, "link from there: Invalid cross-device link");
	expect_err(eio_executor_submit(&s.e, give_up, NULL, 500), EIO_EABANDONED);
	end(&s);
	return 0;
}

static int give_domain(void *arg)
{
	*(struct eio__domain **) arg = eio__domain_self();
	return 0;
}

RING_TEST(jobs_run_in_other_domains_which_stay)
{
	struct eio__domain *first, *next;
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	expect_ok(eio_executor_submit(&s.e, give_domain, &first, 1000));
	expect_ok(eio_executor_submit(&s.e, give_domain, &next, 1000));
	ck_assert_ptr_ne(first, eio__domain_self());
	ck_assert_ptr_eq(first, next);
	end(&s);
	return 0;
}

CORE_TEST(jobs_inherit_no_fiber_locals)
{
	struct eio_binding b;
	struct stage s;

	(void) arg;
	eio_binding_begin(&b, &user, "somebody");
	begin_with(&s, 1);
	expect_ok(eio_executor_submit(&s.e, note_user, NULL, 0));
	end(&s);
	eio_binding_end(&b);
	expect_log("unset");
	return 0;
}

/* Limits */

/* Stays until there are as many as there should be, and then a little. */
static int be_counted(void *arg)
{
	struct stage *s = arg;
	unsigned now = __atomic_add_fetch(&s->running, 1, __ATOMIC_SEQ_CST);
	unsigned most = __atomic_load_n(&s->most, __ATOMIC_SEQ_CST);
	int rc;

	while (now > most && !__atomic_compare_exchange_n(&s->most, &most, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (now == s->expected)
		eio_promise_resolve(&s->full, 0, NULL);
	expect_ok(eio_promise_await(&s->full, NULL));
	rc = eio_sleep(env->mono_clock, EIO_MS(1) / 4);
	__atomic_sub_fetch(&s->running, 1, __ATOMIC_SEQ_CST);
	return rc;
}

/* Of @p n jobs so many run at once, in so many domains. */
static void expect_at_once(unsigned expected, unsigned domains, unsigned n, unsigned weight)
{
	struct eio_promise promises[64] = {EIO_PROMISE_INIT};
	struct stage s;

	begin_with(&s, domains);
	s.expected = expected;
	for (unsigned i = 0; i < n; i++)
		expect_ok(eio_executor_submit_fork(&s.e, &s.sw, be_counted, &s, weight,
						   &promises[i]));
	for (unsigned i = 0; i < n; i++)
		expect_ok(eio_promise_await(&promises[i], NULL));
	end(&s);
	ck_assert_uint_eq(s.most, expected);
}

CORE_TEST(as_many_jobs_run_at_once_as_the_weights_allow_and_no_more)
{
	(void) arg;
	expect_at_once(1, 1, 8, 1000);
	expect_at_once(1, 1, 8, 501);
	expect_at_once(4, 1, 16, 250);
	expect_at_once(2, 2, 16, 1000);
	expect_at_once(6, 2, 16, 333);
	return 0;
}

CORE_TEST(jobs_without_weight_are_not_limited)
{
	(void) arg;
	expect_at_once(64, 1, 64, 0);
	return 0;
}

CORE_TEST(without_a_number_there_is_a_domain_for_each_core)
{
	cpu_set_t set;
	unsigned n;

	(void) arg;
	expect_ok(sched_getaffinity(0, sizeof(set), &set));
	n = (unsigned) CPU_COUNT(&set);
	if (n > 8)
		return 0;
	expect_at_once(n, 0, 4 * n, 1000);
	return 0;
}

/* A job that notes its name and waits to be let go. */
struct gate {
	const char *name;
	unsigned weight;
	struct eio_promise begun, open;
	struct call call;
	struct caller caller;
};

static int note_and_wait(void *arg)
{
	struct gate *g = arg;

	note("%s", g->name);
	eio_promise_resolve(&g->begun, 0, NULL);
	return eio_promise_await(&g->open, NULL);
}

static void hand_in(struct stage *s, struct gate *g)
{
	g->call = (struct call){&s->e, note_and_wait, g, g->weight};
	start(&s->sw, &g->caller, submit, &g->call);
}

static void await_begun(struct gate *g)
{
	expect_ok(eio_promise_await(&g->begun, NULL));
}

static void open_gate(struct gate *g)
{
	expect_ok(eio_promise_resolve(&g->open, 0, NULL));
	wait_until(g->caller.over);
	expect_ok(g->caller.rc);
}

CORE_TEST(jobs_begin_in_the_order_they_came_and_light_ones_do_not_overtake)
{
	struct gate a = {.name = "a", .weight = 600}, heavy = {.name = "heavy", .weight = 500};
	struct gate light = {.name = "light", .weight = 100}, none = {.name = "none"};
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	hand_in(&s, &a);
	hand_in(&s, &heavy);
	hand_in(&s, &light);
	hand_in(&s, &none);
	await_begun(&none);
	expect_log("a none");
	open_gate(&a);
	await_begun(&light);
	expect_log("heavy light");
	open_gate(&heavy);
	open_gate(&light);
	open_gate(&none);
	end(&s);
	return 0;
}

static int submit_inner(void *arg)
{
	struct call *c = arg;

	return submit(c) + 1;
}

CORE_TEST(a_job_may_submit_what_has_no_weight)
{
	struct stage s;
	struct call inner = {&s.e, give, &(int){6}, 0};

	(void) arg;
	begin_with(&s, 1);
	expect_err(eio_executor_submit(&s.e, submit_inner, &inner, 1000), 7);
	end(&s);
	return 0;
}

CORE_TEST(jobs_go_to_the_domain_with_the_least_weight)
{
	struct gate a = {.name = "a", .weight = 900}, b = {.name = "b", .weight = 100};
	struct gate c = {.name = "c", .weight = 900};
	struct stage s;

	(void) arg;
	begin_with(&s, 2);
	hand_in(&s, &a);
	await_begun(&a);
	hand_in(&s, &b);
	await_begun(&b);
	hand_in(&s, &c);
	await_begun(&c);
	expect_log("a b c");
	open_gate(&a);
	open_gate(&b);
	open_gate(&c);
	end(&s);
	return 0;
}

struct placed {
	struct gate gate;
	struct eio__domain *domain;
};

static int tell_domain_and_wait(void *arg)
{
	struct placed *p = arg;

	p->domain = eio__domain_self();
	eio_promise_resolve(&p->gate.begun, 0, NULL);
	return eio_promise_await(&p->gate.open, NULL);
}

RING_TEST(among_domains_with_the_same_weight_the_one_with_the_fewest_jobs_is_next)
{
	struct placed p[6] = {{.domain = NULL}};
	unsigned with_first = 0;
	struct stage s;

	(void) arg;
	begin_with(&s, 2);
	for (size_t i = 0; i < COUNT(p); i++) {
		p[i].gate.call = (struct call){&s.e, tell_domain_and_wait, &p[i], 0};
		start(&s.sw, &p[i].gate.caller, submit, &p[i].gate.call);
		await_begun(&p[i].gate);
		with_first += p[i].domain == p[0].domain;
	}
	ck_assert_uint_eq(with_first, COUNT(p) / 2);
	for (size_t i = 0; i < COUNT(p); i++)
		open_gate(&p[i].gate);
	end(&s);
	return 0;
}

/* It may be awake still. */
RING_TEST(of_idle_domains_the_one_that_had_work_has_it_again)
{
	struct eio__domain *first, *next;
	struct stage s;

	(void) arg;
	begin_with(&s, 3);
	expect_ok(eio_executor_submit(&s.e, give_domain, &first, 1000));
	for (int i = 0; i < 5; i++) {
		expect_ok(eio_executor_submit(&s.e, give_domain, &next, 1000));
		ck_assert_ptr_eq(first, next);
	}
	end(&s);
	return 0;
}

CORE_TEST(weights_out_of_range_are_refused)
{
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	expect_err(eio_executor_submit(&s.e, must_not_run, NULL, 1001), -EINVAL);
	expect_err(eio_executor_submit(&s.e, must_not_run, NULL, UINT32_MAX), -EINVAL);
	end(&s);
	return 0;
}

/* Cancelled submitters */

CORE_TEST(a_job_that_has_not_begun_is_withdrawn_and_the_next_ones_move_up)
{
	struct gate a = {.name = "a", .weight = 600}, heavy = {.name = "heavy", .weight = 500};
	struct gate light = {.name = "light", .weight = 100};
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	hand_in(&s, &a);
	await_begun(&a);
	hand_in(&s, &heavy);
	hand_in(&s, &light);
	expect_ok(eio_cancel_raise(&heavy.caller.ctx, -EINTR));
	wait_until(heavy.caller.over);
	expect_err(heavy.caller.rc, -ECANCELED);
	await_begun(&light);
	open_gate(&a);
	open_gate(&light);
	end(&s);
	expect_log("a light");
	return 0;
}

static int cancel_job(struct stage *s, int result)
{
	struct slow slow = {.result = result};
	struct call call = {&s->e, end_slowly, &slow, 1000};

	return cancel_when_begun(&slow, submit, &call);
}

CORE_TEST(a_job_that_runs_is_cancelled_and_its_end_is_waited_for)
{
	struct stage s;
	int rc = 1;

	(void) arg;
	begin_with(&s, 1);
	expect_err(cancel_job(&s, 0), -ECANCELED);
	expect_err(cancel_job(&s, 7), 7);
	expect_err(cancel_job(&s, -EIO), -EIO);
	/* Its room is free again, and the domain not cancelled. */
	expect_err(eio_executor_submit(&s.e, give, &rc, 1000), 1);
	end(&s);
	return 0;
}

static int submit_must_not_run(void *arg)
{
	return eio_executor_submit(arg, must_not_run, NULL, 0);
}

CORE_TEST(a_job_submitted_when_cancelled_does_not_run)
{
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	expect_cancelled_before(submit_must_not_run, &s.e);
	end(&s);
	return 0;
}

/* Whenever it comes: queued, on its way, begun. */
CORE_TEST(a_cancelled_submitter_gets_an_answer_at_every_moment)
{
	struct stage s;
	struct call call = {&s.e, await_cancel, NULL, 400};

	(void) arg;
	begin_with(&s, 1);
	for (unsigned i = 0; i < (SANITIZED ? 200 : 1000) * soak(); i++) {
		struct eio_switch sw;
		struct caller c[4];

		eio_switch_begin(&sw);
		for (unsigned j = 0; j < 4; j++)
			start(&sw, &c[j], submit, &call);
		for (unsigned j = i % 7; j; j--)
			expect_ok(eio_yield());
		for (unsigned j = 0; j < 4; j++)
			expect_ok(eio_cancel_raise(&c[(i + j) % 4].ctx, -EINTR));
		expect_ok(eio_switch_end(&sw, 0));
		for (int j = 0; j < 4; j++)
			expect_err(c[j].rc, -ECANCELED);
	}
	end(&s);
	return 0;
}

/* Beginning and end */

CORE_TEST(an_executor_does_not_keep_its_switch_alive_and_refuses_work_after_it)
{
	struct eio_executor zeroed = {.eio_private = {NULL}};
	struct stage s;

	(void) arg;
	begin_with(&s, 2);
	end(&s);
	expect_err(eio_executor_submit(&s.e, must_not_run, NULL, 0), -EINVAL);
	expect_err(eio_executor_submit(&zeroed, must_not_run, NULL, 0), -EINVAL);
	return 0;
}

CORE_TEST(jobs_are_answered_when_the_executor_ends)
{
	struct slow slow = {.result = 0}, good = {.result = 3};
	struct call calls[3];
	struct caller c[3];
	struct eio_switch sw;
	struct stage s;

	(void) arg;
	eio_switch_begin(&sw);
	begin_with(&s, 1);
	calls[0] = (struct call){&s.e, end_slowly, &slow, 500};
	calls[1] = (struct call){&s.e, end_slowly, &good, 500};
	calls[2] = (struct call){&s.e, must_not_run, NULL, 1};
	for (int i = 0; i < 3; i++)
		start(&sw, &c[i], submit, &calls[i]);
	expect_ok(eio_promise_await(&slow.begun, NULL));
	expect_ok(eio_promise_await(&good.begun, NULL));
	end(&s);
	ck_assert(slow.ended && good.ended);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c[0].rc, EIO_EABANDONED);
	expect_err(c[1].rc, 3);
	expect_err(c[2].rc, EIO_EABANDONED);
	return 0;
}

/* One is on its way; behind it there are more than a fiber's stack has frames for. */
CORE_TEST(many_jobs_that_wait_are_answered_when_the_executor_ends)
{
	enum { WAITING = 1000 };

	struct caller *callers = calloc(WAITING, sizeof(*callers));
	struct eio_switch sw;
	struct call call;
	struct stage s;
	int rc = 1;

	(void) arg;
	eio_switch_begin(&sw);
	begin_with(&s, 1);
	call = (struct call){&s.e, give, &rc, 1000};
	for (int i = 0; i < WAITING; i++)
		start(&sw, &callers[i], submit, &call);
	end(&s);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < WAITING; i++)
		ck_assert(callers[i].rc == EIO_EABANDONED || (!on_mock() && callers[i].rc == 1));
	free(callers);
	return 0;
}

/* Ends when it may, cancelled or not. */
static int await_leave(void *arg)
{
	struct gate *g = arg;

	eio_promise_resolve(&g->begun, 0, NULL);
	return eio_promise_await_protected(&g->open, NULL);
}

static int submit_and_open(void *arg)
{
	struct gate *g = arg;
	int rc = submit(&g->call);

	expect_ok(eio_promise_resolve(&g->open, 0, NULL));
	return rc;
}

CORE_TEST(what_has_not_begun_is_answered_before_what_runs_has_ended)
{
	struct eio_switch sw;
	struct caller c[2];
	struct call call;
	struct gate g;
	struct stage s;

	(void) arg;
	eio_switch_begin(&sw);
	begin_with(&s, 1);
	g = (struct gate){.call = {&s.e, must_not_run, NULL, 1000}};
	call = (struct call){&s.e, await_leave, &g, 1000};
	start(&sw, &c[0], submit, &call);
	expect_ok(eio_promise_await(&g.begun, NULL));
	start(&sw, &c[1], submit_and_open, &g);
	end(&s);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c[0].rc);
	expect_err(c[1].rc, EIO_EABANDONED);
	return 0;
}

static int count_up(void *arg)
{
	__atomic_add_fetch((unsigned *) arg, 1, __ATOMIC_RELAXED);
	return 1;
}

static int submit_on(void *arg)
{
	int rc;

	do
		rc = submit(arg);
	while (rc == 1);
	return rc;
}

static int run_submit_on(void *arg)
{
	return eio_domain_run(env->domain_mgr, submit_on, arg);
}

/* Also where the workers are fibers and another thread submits. */
static void end_amidst_jobs(struct eio_domain_mgr mgr, int64_t after)
{
	unsigned done = 0;
	struct eio_switch sw;
	struct caller c[2];
	struct call call;
	struct stage s;

	eio_switch_begin(&sw);
	eio_switch_begin(&s.sw);
	expect_ok(eio_executor_init(&s.e, &s.sw, mgr, 1));
	call = (struct call){&s.e, count_up, &done, 1000};
	for (int i = 0; i < 2; i++)
		start(&sw, &c[i], run_submit_on, &call);
	expect_ok(eio_sleep(env->mono_clock, after));
	expect_ok(eio_switch_end(&s.sw, 0));
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 2; i++)
		ck_assert(c[i].rc == EIO_EABANDONED || c[i].rc == -EINVAL);
}

RING_TEST(what_is_submitted_while_the_executor_ends_is_answered)
{
	(void) arg;
	for (unsigned i = 0; i < (SANITIZED ? 10 : 40) * soak(); i++)
		end_amidst_jobs(i % 2 ? env->domain_mgr : eio_mock_domain_mgr(), i % 9 * 50000);
	return 0;
}

CORE_TEST(an_executor_without_domains_is_not_there)
{
	struct eio_executor e;
	struct eio_switch sw;
	char line[128];

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_executor_init(&e, &sw, (struct eio_domain_mgr){.ops = NULL}, 3), -EBADF);
	eio_error_format(-EBADF, line, sizeof(line));
	ck_assert_str_eq(line, "domain: Bad file descriptor");
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

static unsigned left; /* domains that can be made */

static int run_few(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		   void *arg)
{
	const struct eio_domain_mgr *of = mgr.ptr;

	if (left == 0)
		return eio_error_set(-EAGAIN, "few", "no more");
	left--;
	return eio_domain_run_with(*of, opts, fn, arg);
}

CORE_TEST(what_has_begun_ends_when_not_all_domains_can_be_made)
{
	static const struct eio_domain_mgr_ops ops = {.name = "few", .run = run_few};
	struct eio_domain_mgr few = {&ops, &env->domain_mgr};
	struct eio_executor e;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (unsigned n = 0; n < 3; n++) {
		left = n;
		expect_err(eio_executor_init(&e, &sw, few, 3), -EAGAIN);
		ck_assert_str_eq(eio_last_error()->subject, "no more");
		expect_err(eio_executor_submit(&e, must_not_run, NULL, 0), -EINVAL);
	}
	expect_ok(eio_switch_check(&sw));
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

static int init(void *arg)
{
	struct stage *s = arg;

	return eio_executor_init(&s->e, &s->sw, env->domain_mgr, 1);
}

static int init_from_elsewhere(void *arg)
{
	return eio_domain_run(env->domain_mgr, init, arg);
}

CORE_TEST(a_cancelled_or_foreign_switch_is_refused)
{
	struct stage s;

	(void) arg;
	eio_switch_begin(&s.sw);
	expect_cancelled_before(init, &s);
	if (!on_mock())
		expect_err(init_from_elsewhere(&s), -EPERM);
	expect_err(eio_switch_end(&s.sw, -ECANCELED), -ECANCELED);
	eio_switch_begin(&s.sw);
	expect_ok(eio_switch_fail(&s.sw, -EIO));
	expect_err(init(&s), -ECANCELED);
	expect_err(eio_switch_end(&s.sw, 0), -EIO);
	return 0;
}

static int tell_and_submit(void *arg)
{
	struct gate *g = arg;

	eio_promise_resolve(&g->begun, 0, NULL);
	return submit(&g->call);
}

static int run_tell_and_submit(void *arg)
{
	return eio_domain_run(env->domain_mgr, tell_and_submit, arg);
}

/* The worker, a fiber of this domain, is gone by the time the job comes out of the inbox. */
RING_TEST(a_job_that_arrives_after_the_worker_has_ended_is_answered)
{
	struct eio_switch sw;
	struct caller c;
	struct stage s;
	struct gate g;

	(void) arg;
	eio_switch_begin(&sw);
	eio_switch_begin(&s.sw);
	expect_ok(eio_executor_init(&s.e, &s.sw, eio_mock_domain_mgr(), 1));
	g = (struct gate){.call = {&s.e, must_not_run, NULL, 1000}};
	start(&sw, &c, run_tell_and_submit, &g);
	expect_ok(eio_promise_await(&g.begun, NULL));
	usleep(10000); /* the domain stands still meanwhile */
	expect_ok(eio_switch_end(&s.sw, 0));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(c.rc == EIO_EABANDONED || c.rc == -EINVAL);
	return 0;
}

CORE_TEST(without_memory_there_is_no_executor)
{
	struct stage s;
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	eio_switch_begin(&s.sw);
	use_memory_up(1);
	rc = init(&s);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	expect_err(eio_executor_submit(&s.e, must_not_run, NULL, 0), -EINVAL);
	expect_ok(eio_switch_end(&s.sw, 0));
	return 0;
}

static int run_never(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		     void *arg)
{
	(void) mgr, (void) opts, (void) fn;
	return await_cancel(arg);
}

static int init_never(void *arg)
{
	static const struct eio_domain_mgr_ops ops = {.name = "never", .run = run_never};
	struct stage *s = arg;

	return eio_executor_init(&s->e, &s->sw, (struct eio_domain_mgr){.ops = &ops}, 2);
}

CORE_TEST(a_switch_that_is_cancelled_ends_the_beginning)
{
	struct eio_switch sw;
	struct caller c;
	struct stage s;

	(void) arg;
	eio_switch_begin(&sw);
	eio_switch_begin(&s.sw);
	start(&sw, &c, init_never, &s);
	pass();
	ck_assert(!c.over);
	expect_ok(eio_switch_fail(&s.sw, -EIO));
	expect_err(eio_switch_end(&s.sw, 0), -EIO);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -ECANCELED);
	return 0;
}

static int submit_nothing(void *arg)
{
	return eio_executor_submit(arg, must_not_run, NULL, 0);
}

RING_TEST(without_fibers_nothing_is_submitted)
{
	struct stage s;

	(void) arg;
	begin_with(&s, 1);
	expect_err(on_plain_thread(submit_nothing, &s.e), -EPERM);
	end(&s);
	return 0;
}

/* Forked */

CORE_TEST(the_result_of_a_forked_job_goes_into_its_promise)
{
	struct eio_promise p[4] = {EIO_PROMISE_INIT};
	struct slow slow = {.result = 0};
	struct eio_switch sw;
	struct stage s;
	int rc = 5;

	(void) arg;
	begin_with(&s, 1);
	eio_switch_begin(&sw);
	expect_ok(eio_executor_submit_fork(&s.e, &sw, give, &rc, 1000, &p[0]));
	expect_err(eio_promise_await(&p[0], NULL), 5);
	expect_ok(eio_executor_submit_fork(&s.e, &sw, give, &rc, 2000, &p[1]));
	expect_err(eio_promise_await(&p[1], NULL), -EINVAL);
	expect_ok(eio_executor_submit_fork(&s.e, &sw, end_slowly, &slow, 1000, &p[2]));
	expect_ok(eio_promise_await(&slow.begun, NULL));
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_executor_submit_fork(&s.e, &sw, give, &rc, 0, &p[3]), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(slow.ended);
	expect_err(eio_promise_await(&p[2], NULL), EIO_EABANDONED);
	expect_err(eio_promise_await(&p[3], NULL), EIO_EABANDONED);
	end(&s);
	return 0;
}

/* Many */

enum { JOBS = 10000, AT_ONCE = 50 };

struct many {
	struct stage s;
	unsigned done;
};

static int submit_one(size_t i, void *arg)
{
	struct many *m = arg;

	expect_err(eio_executor_submit(&m->s.e, count_up, &m->done, (unsigned) i % 1001), 1);
	return 0;
}

CORE_TEST(ten_thousand_jobs_are_all_done)
{
	struct many m;

	(void) arg;
	begin_with(&m.s, 3);
	m.done = 0;
	expect_ok(eio_for_each(JOBS * soak(), AT_ONCE, submit_one, &m));
	ck_assert_uint_eq(m.done, JOBS * soak());
	end(&m.s);
	return 0;
}

static int submit_some(void *arg)
{
	return eio_for_each(JOBS / 4, AT_ONCE, submit_one, arg);
}

static int run_submit_some(size_t i, void *arg)
{
	(void) i;
	return eio_domain_run(env->domain_mgr, submit_some, arg);
}

static int submit_from_several(void *arg)
{
	struct many m;

	(void) arg;
	begin_with(&m.s, 2);
	m.done = 0;
	expect_ok(eio_for_each(4, 0, run_submit_some, &m));
	ck_assert_uint_eq(m.done, JOBS);
	end(&m.s);
	return 0;
}

START_TEST(several_domains_submit_to_one_executor)
{
	warm_up_threads(6);
	run_ring(submit_from_several, 0);
}
END_TEST

SUITE_MAIN("executor", false, results_and_failures_come_back_test,
	   jobs_run_in_other_domains_which_stay_test, jobs_inherit_no_fiber_locals_test,
	   as_many_jobs_run_at_once_as_the_weights_allow_and_no_more_test,
	   jobs_without_weight_are_not_limited_test,
	   without_a_number_there_is_a_domain_for_each_core_test,
	   jobs_begin_in_the_order_they_came_and_light_ones_do_not_overtake_test,
	   a_job_may_submit_what_has_no_weight_test,
	   jobs_go_to_the_domain_with_the_least_weight_test,
	   among_domains_with_the_same_weight_the_one_with_the_fewest_jobs_is_next_test,
	   of_idle_domains_the_one_that_had_work_has_it_again_test,
	   weights_out_of_range_are_refused_test,
	   a_job_that_has_not_begun_is_withdrawn_and_the_next_ones_move_up_test,
	   a_job_that_runs_is_cancelled_and_its_end_is_waited_for_test,
	   a_job_submitted_when_cancelled_does_not_run_test,
	   a_cancelled_submitter_gets_an_answer_at_every_moment_test,
	   an_executor_does_not_keep_its_switch_alive_and_refuses_work_after_it_test,
	   jobs_are_answered_when_the_executor_ends_test,
	   many_jobs_that_wait_are_answered_when_the_executor_ends_test,
	   what_has_not_begun_is_answered_before_what_runs_has_ended_test,
	   what_is_submitted_while_the_executor_ends_is_answered_test,
	   a_job_that_arrives_after_the_worker_has_ended_is_answered_test,
	   a_switch_that_is_cancelled_ends_the_beginning_test,
	   without_memory_there_is_no_executor_test, an_executor_without_domains_is_not_there_test,
	   what_has_begun_ends_when_not_all_domains_can_be_made_test,
	   a_cancelled_or_foreign_switch_is_refused_test, without_fibers_nothing_is_submitted_test,
	   the_result_of_a_forked_job_goes_into_its_promise_test,
	   ten_thousand_jobs_are_all_done_test, several_domains_submit_to_one_executor)
