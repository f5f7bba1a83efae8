/* SPDX-License-Identifier: ISC */
/*
 * Promises: resolved, awaited, given up and freed by several threads.
 */
#include "model/domain.h"

#include <eio/promise.h>

struct box {
	struct eio_promise promise;
	int value;
	unsigned users; /* of the promise; the last one frees it */
	unsigned won;
};

static struct box *box;

static struct eio_promise *promise;
static unsigned resolvers[2];

static void make_promise(unsigned users)
{
	model_machine(false);
	promise = model_alloc("promise", sizeof(*promise));
	box = model_alloc("box", sizeof(*box));
	box->users = users;
}

static void drop(void)
{
	if (__atomic_sub_fetch(&box->users, 1, __ATOMIC_SEQ_CST) == 0)
		model_free(promise);
}

/* @p arg: what it is resolved with, 1 or 2. */
static void resolve(void *arg)
{
	int rc;

	box->value = 7;
	rc = eio_promise_resolve(promise, (int) (intptr_t) arg, &box->value);
	if (rc == 0)
		box->won += (unsigned) (intptr_t) arg;
	model_expect(rc == 0 || rc == -EALREADY, "resolve: %d", rc);
}

static void check_result(int rc, const int *value)
{
	model_expect(rc == 1 || rc == 2, "await: %d", rc);
	model_expect(value == &box->value && *value == 7, "another value");
}

static void await_and_drop(void *arg)
{
	void *value = NULL;
	int rc = eio_promise_await(promise, &value);

	(void) arg;
	check_result(rc, value);
	drop();
}

static void one_waiter(void)
{
	make_promise(1);
	model_domain("waiter", await_and_drop, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(a_promise_may_be_freed_once_it_was_awaited, one_waiter, NULL, 1e3)

static void two_waiters(void)
{
	make_promise(2);
	model_large();
	model_domain("first", await_and_drop, NULL);
	model_domain("second", await_and_drop, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(two_waiters_wake_and_the_last_one_frees, two_waiters, NULL, 1e6)

/* Both wait before it is resolved: the first who wakes may free it, the other one was given
 * the result. */

static void await_and_be_first(void *arg)
{
	void *value = NULL;
	int rc = eio_promise_await(promise, &value);

	(void) arg;
	check_result(rc, value);
	if (__atomic_sub_fetch(&box->users, 1, __ATOMIC_SEQ_CST) == 1)
		model_free(promise);
}

static bool both_wait(const void *arg)
{
	(void) arg;
	return model_waits(0) && model_waits(1);
}

static void resolve_for_both(void *arg)
{
	model_wait("two waiters", both_wait, NULL);
	resolve(arg);
}

static void first_frees(void)
{
	make_promise(2);
	model_large();
	model_domain("first", await_and_be_first, NULL);
	model_domain("second", await_and_be_first, NULL);
	model_thread("resolver", resolve_for_both, (void *) 1);
}

MODEL_HOLDS(the_first_of_two_who_wake_may_free_it, first_frees, NULL, 1e6)

/* Cancelling: who gave up waits again, for the promise is still to be resolved. */

static int await_cancelled(unsigned ways, void **ret_value)
{
	struct model_canceller canceller;
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	model_cancel_begin(&canceller, &c, ways);
	rc = eio_promise_await(promise, ret_value);
	model_cancel_end(&canceller);
	eio_cancel_end(&c);
	return rc;
}

static void try_and_await(void *arg)
{
	void *value = NULL;
	int rc = await_cancelled(BY_FIBER_OR_TIMER, &value);

	(void) arg;
	if (rc == -ECANCELED)
		rc = eio_promise_await_protected(promise, &value);
	check_result(rc, value);
	drop();
}

static void one_that_is_cancelled(void)
{
	make_promise(1);
	model_domain("waiter", try_and_await, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(a_waiter_leaves_or_wakes_but_not_both, one_that_is_cancelled, NULL, 1e4)

static void try_and_leave(void *arg)
{
	void *value = NULL;
	int rc = await_cancelled(BY_FIBER, &value);

	(void) arg;
	if (rc != -ECANCELED)
		check_result(rc, value);
	drop();
}

static void one_leaves_and_one_stays(void)
{
	make_promise(2);
	model_large();
	model_domains_stay();
	model_domain("leaver", try_and_leave, NULL);
	model_domain("waiter", await_and_drop, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(a_waiter_that_leaves_does_not_take_others_along, one_leaves_and_one_stays, NULL, 1e6)

/* Another one is leaving when the one who wakes frees it. */

static void try_only(void *arg)
{
	void *value = NULL;
	int rc = await_cancelled(BY_FIBER, &value);

	(void) arg;
	if (rc != -ECANCELED)
		check_result(rc, value);
}

static void one_leaves_and_one_frees(void)
{
	make_promise(1);
	model_large();
	model_domains_stay();
	model_domain("leaver", try_only, NULL);
	model_domain("waiter", await_and_drop, NULL);
	model_thread("resolver", resolve_for_both, (void *) 1);
}

MODEL_HOLDS(who_wakes_may_free_it_while_another_leaves, one_leaves_and_one_frees, NULL, 1e6)

/* Two resolvers, who use the promise longer than those who wait. */

static void one_won(void)
{
	model_expect(box->won == 1 || box->won == 2, "won: %u", box->won);
}

static void await_and_join(void *arg)
{
	void *value = NULL;
	int rc = eio_promise_await(promise, &value);

	(void) arg;
	check_result(rc, value);
	model_join(resolvers[0]);
	model_join(resolvers[1]);
	model_expect(box->won == (unsigned) rc, "the loser's result");
	drop();
}

static void two_resolvers(void)
{
	make_promise(1);
	model_domain("waiter", await_and_join, NULL);
	resolvers[0] = model_thread("first", resolve, (void *) 1);
	resolvers[1] = model_thread("second", resolve, (void *) 2);
}

MODEL_HOLDS(of_two_resolvers_one_wins, two_resolvers, one_won, 1e6)

static void try_and_join(void *arg)
{
	void *value = NULL;
	int rc = await_cancelled(BY_FIBER_OR_TIMER, &value);

	(void) arg;
	model_join(resolvers[0]);
	model_join(resolvers[1]);
	if (rc != -ECANCELED)
		model_expect(box->won == (unsigned) rc, "the loser's result");
	drop();
}

static void two_resolvers_and_a_leaver(void)
{
	make_promise(1);
	model_large();
	model_domain("leaver", try_and_join, NULL);
	resolvers[0] = model_thread("first", resolve, (void *) 1);
	resolvers[1] = model_thread("second", resolve, (void *) 2);
}

MODEL_HOLDS(two_resolvers_wait_for_one_who_leaves, two_resolvers_and_a_leaver, one_won, 1e6)

/* Without waiting */

static void peek_until_resolved(void *arg)
{
	void *value = NULL;
	int rc = 0;

	(void) arg;
	while (!eio_promise_peek(promise, &rc, &value))
		model_spin();
	check_result(rc, value);
	drop();
}

static void one_who_peeks(void)
{
	make_promise(1);
	model_thread("onlooker", peek_until_resolved, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(a_promise_may_be_freed_once_it_was_seen_resolved, one_who_peeks, NULL, 9)

static void one_waits_and_one_peeks(void)
{
	make_promise(2);
	model_domain("waiter", await_and_drop, NULL);
	model_thread("onlooker", peek_until_resolved, NULL);
	model_thread("resolver", resolve, (void *) 1);
}

MODEL_HOLDS(one_waits_and_one_peeks_until_it_is_resolved, one_waits_and_one_peeks, NULL, 1e5)

MODEL_SUITE("promise", a_promise_may_be_freed_once_it_was_awaited_test,
	    two_waiters_wake_and_the_last_one_frees_test,
	    the_first_of_two_who_wake_may_free_it_test, a_waiter_leaves_or_wakes_but_not_both_test,
	    a_waiter_that_leaves_does_not_take_others_along_test,
	    who_wakes_may_free_it_while_another_leaves_test, of_two_resolvers_one_wins_test,
	    two_resolvers_wait_for_one_who_leaves_test,
	    a_promise_may_be_freed_once_it_was_seen_resolved_test,
	    one_waits_and_one_peeks_until_it_is_resolved_test)
