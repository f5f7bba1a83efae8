/* SPDX-License-Identifier: ISC */
#include "sweep.h"
#include "core/fiber.h"
#include "core/timer.h"

enum {
	SETTLED = 4, /* steps after which the call waits for what fire brings */
	STEPS = 8,   /* after which nothing happens any more */
};

enum moment {
	BEFORE,                        /* cancelled when it begins */
	WAITING,                       /* so many steps after that */
	BY_SWITCH = WAITING + SETTLED, /* when it waits, its switch having failed */
	JUST_IN_TIME, /* cancelled, and then what it waits for comes, in one round */
	LATE,         /* what it waits for comes; so many steps later it is cancelled */
	NOT_AT_ALL = LATE + STEPS,
	MOMENTS,
};

struct running {
	const struct sweep *sweep;
	const struct call *call;
	struct place *place;
	struct attempt *attempt;
	enum moment moment;
	int64_t limit;
	int outer; /* what came out of the limit */
};

const char *sweep_name;
int sweep_at;

static void expect_nothing_left(const struct sweep *s, unsigned fds)
{
	/* Closing may be under way. */
	for (int i = 0; i < 2000 && count_fds() != fds; i++)
		s->step();
	same(count_fds(), fds);
	same(count_fibers(), 0);
	same(eio__timers_next(eio__domain_self()) == EIO_NEVER, true);
	same(eio__wall_timers_next(eio__domain_self()) == EIO_NEVER, true);
}

static void set_up(struct running *r)
{
	r->place = calloc(1, r->sweep->place_size);
	ck_assert_ptr_nonnull(r->place);
	r->attempt = (struct attempt *) r->place;
	r->sweep->begin(r->place);
	if (r->call->set_up)
		r->call->set_up(r->place);
}

/* Overwrites the stacks of fibers that have ended: what still points there shows. */
static int scribble(void *arg)
{
	volatile char frame[8192];

	(void) arg;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (char) 0xa5;
	return eio_yield();
}

static void scribble_on_stacks(void)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_fork(&sw, scribble, NULL));
	expect_ok(eio_switch_end(&sw, 0));
}

static void tear_down(struct running *r)
{
	same(r->attempt->over, true);
	scribble_on_stacks();
	if (r->call->check)
		r->call->check(r->place);
	r->sweep->end(r->place);
	free(r->place);
}

static void steps(const struct running *r, int n)
{
	while (n-- > 0)
		r->sweep->step();
}

static void fire(struct running *r)
{
	if (!r->call->fire)
		return;
	r->attempt->fired = true;
	r->call->fire(r->place);
}

static void cancel(struct running *r)
{
	if (!r->attempt->over)
		expect_ok(eio_cancel_raise(&r->attempt->ctx, -EINTR));
}

static int begin_call(void *arg)
{
	struct running *r = arg;
	struct attempt *a = r->attempt;

	a->rc = r->call->run(r->place);
	a->done = eio_last_error()->done;
	return a->rc;
}

/* Does it end only when it is cancelled or what it waits for comes? */
static bool waits(const struct call *c)
{
	return c->kind == STUCK || c->fire;
}

static bool goes_on(const struct call *c)
{
	return c->kind == BEGUN || c->kind == FIRM;
}

/* Moments */

static int run_call(void *arg)
{
	struct running *r = arg;
	struct attempt *a = r->attempt;

	eio_cancel_begin(&a->ctx);
	if (r->moment == BEFORE)
		expect_ok(eio_cancel_raise(&a->ctx, -EINTR));
	begin_call(r);
	eio_cancel_end(&a->ctx);
	a->over = true;
	return 0;
}

/* What was cancelled before does not even wait. */
static void expect_not_begun(const struct running *r)
{
	if (r->call->kind != FIRM)
		same(r->attempt->over, true);
}

static void settle(const struct running *r, int n)
{
	steps(r, n);
	if (waits(r->call))
		same(r->attempt->over, false);
}

/* Main's own context may be cancelled. */
static void let_it_go_on(struct running *r)
{
	struct eio_cancel c;

	eio_cancel_protect_begin(&c);
	settle(r, SETTLED);
	fire(r);
	eio_cancel_end(&c);
}

/* Does what the moment says. */
static void drive(struct running *r, struct eio_switch *sw)
{
	if (r->moment == BEFORE) {
		expect_not_begun(r);
	} else if (r->moment < BY_SWITCH) {
		settle(r, r->moment - WAITING);
		cancel(r);
	} else if (r->moment == BY_SWITCH) {
		settle(r, SETTLED);
		expect_ok(eio_switch_fail(sw, -EINTR));
	} else if (r->moment == JUST_IN_TIME) {
		settle(r, SETTLED);
		cancel(r);
		fire(r);
	} else {
		settle(r, SETTLED);
		fire(r);
		if (r->moment != NOT_AT_ALL) {
			steps(r, r->moment - LATE);
			cancel(r);
		}
	}
	if (goes_on(r->call) && !r->attempt->over && !r->attempt->fired)
		let_it_go_on(r);
}

static bool is_good(const struct running *r)
{
	int rc = r->attempt->rc;
	enum kind kind = r->call->kind;

	if (kind == FIRM || r->moment == NOT_AT_ALL)
		return rc >= 0;
	if (r->moment == BEFORE)
		return rc == -ECANCELED;
	if (kind == BEGUN)
		return rc >= 0;
	if (waits(r->call) && r->moment <= BY_SWITCH)
		return rc == -ECANCELED;
	if (kind == HANDED)
		return r->moment == JUST_IN_TIME ? rc == -ECANCELED : rc >= 0;
	return rc >= 0 || rc == -ECANCELED;
}

static void expect_result(const struct running *r)
{
	ck_assert_msg(is_good(r), "%s at %d: %s (%d)", r->call->name, r->moment,
		      eio_err_name(r->attempt->rc), r->attempt->rc);
}

static void run_at(const struct sweep *s, const struct call *call, enum moment moment)
{
	struct running r = {.sweep = s, .call = call, .moment = moment};
	unsigned fds = count_fds();
	struct eio_switch sw;

	sweep_name = call->name;
	sweep_at = moment;
	set_up(&r);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_call, &r));
	drive(&r, &sw);
	expect_err(eio_switch_end(&sw, 0), moment == BY_SWITCH ? -EINTR : 0);
	expect_result(&r);
	tear_down(&r);
	expect_nothing_left(s, fds);
}

void sweep_moments(const struct sweep *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (enum moment m = BEFORE; m < MOMENTS; m++) {
			if (s->calls[i].kind != STUCK || m <= JUST_IN_TIME)
				run_at(s, &s->calls[i], m);
		}
	}
}

/* Limits */

static int run_within(void *arg)
{
	struct running *r = arg;

	r->outer = eio_timeout_run(env->mono_clock, r->limit, begin_call, r);
	r->attempt->over = true;
	return 0;
}

static bool is_good_within(const struct running *r, bool in_time)
{
	int rc = r->attempt->rc;
	enum kind kind = r->call->kind;

	if (kind == FIRM || (kind == BEGUN && r->limit > 0))
		return rc >= 0;
	if (r->limit <= 0 || (waits(r->call) && !in_time))
		return rc == -ECANCELED;
	return rc >= 0 || rc == -ECANCELED;
}

/* Without being in time what the call waits for comes only if it must. */
static void run_in_limit(const struct sweep *s, const struct call *call, int64_t limit,
			 bool in_time)
{
	struct running r = {.sweep = s, .call = call, .limit = limit};
	int64_t due = eio_now_ns(env->mono_clock) + limit;
	unsigned fds = count_fds();
	struct eio_switch sw;

	sweep_name = call->name;
	sweep_at = (int) limit;
	set_up(&r);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_within, &r));
	if (in_time || goes_on(call)) {
		expect_ok(eio_sleep_until(env->mono_clock, in_time ? due : due + limit));
		if (!r.attempt->over)
			fire(&r);
	}
	expect_ok(eio_switch_end(&sw, 0));
	same(r.outer, r.attempt->rc == -ECANCELED ? -ETIMEDOUT : r.attempt->rc);
	ck_assert_msg(is_good_within(&r, in_time), "%s within %d: %s (%d)", call->name, sweep_at,
		      eio_err_name(r.attempt->rc), r.attempt->rc);
	tear_down(&r);
	expect_nothing_left(s, fds);
}

void sweep_limits(const struct sweep *s, const int64_t *limits, size_t n)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t j = 0; j < n; j++) {
			run_in_limit(s, &s->calls[i], limits[j], false);
			if (s->calls[i].fire)
				run_in_limit(s, &s->calls[i], limits[j], true);
		}
	}
}
