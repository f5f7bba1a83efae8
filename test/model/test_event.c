/* SPDX-License-Identifier: ISC */
/*
 * Events, set by threads and by a handler that interrupts the waiting thread itself.
 * Whoever sets one has counted before; the waiter waits until the count is full, so a
 * wake-up that is lost is a deadlock and one without its count an endless wait.
 */
#include "model/domain.h"

#include <eio/event.h>

struct box {
	struct eio_event event;
	unsigned count;
};

static struct box *box;

static unsigned domain, setters[2];

static void init(void *arg)
{
	(void) arg;
	model_expect(eio_event_init(&box->event) == 0, "no event");
}

static void make_event(void (*owner)(void *arg), void *arg)
{
	model_machine(false);
	box = model_alloc("event", sizeof(*box));
	domain = model_domain("owner", owner, arg);
	model_in_domain(domain, init, NULL);
}

static void set(void *arg)
{
	(void) arg;
	box->count++;
	eio_event_set(&box->event);
}

static void expect_await(void)
{
	int rc = eio_event_await(&box->event);

	model_expect(rc == 0, "await: %d", rc);
}

static void await_count(void *arg)
{
	while (box->count < *(unsigned *) arg)
		expect_await();
}

/* One set is good for one await. */
static void end_event(void)
{
	struct model_canceller canceller;
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	model_cancel_begin(&canceller, &c, SURELY);
	rc = eio_event_await(&box->event);
	model_cancel_end(&canceller);
	eio_cancel_end(&c);
	model_expect(rc == -ECANCELED, "a set is left: %d", rc);
	eio_event_fini(&box->event);
	model_free(box);
}

/* Once it returns the one who set it may still be on his way out. */

static void await_and_end(void *arg)
{
	(void) arg;
	expect_await();
	model_expect(box->count == 1, "woken before the set");
	end_event();
}

static void one_setter(void)
{
	make_event(await_and_end, NULL);
	model_thread("setter", set, NULL);
}

MODEL_HOLDS(an_event_and_its_domain_may_end_once_it_was_awaited, one_setter, NULL, 1e3)

static void handler_alone(void)
{
	make_event(await_and_end, NULL);
	model_handler(domain, set, NULL);
}

MODEL_HOLDS(a_handler_wakes_the_thread_it_interrupts, handler_alone, NULL, 5)

/* Several sets */

static void await_two(void *arg)
{
	unsigned two = 2;

	(void) arg;
	await_count(&two);
	model_join(setters[0]);
	model_join(setters[1]);
	eio_event_fini(&box->event);
	model_free(box);
}

static void two_setters(void)
{
	make_event(await_two, NULL);
	setters[0] = model_thread("first", set, NULL);
	setters[1] = model_thread("second", set, NULL);
}

MODEL_HOLDS(of_two_sets_none_is_lost, two_setters, NULL, 1e6)

static void setter_and_handler(void)
{
	make_event(await_two, NULL);
	model_handler(domain, set, NULL);
	setters[0] = setters[1] = model_thread("setter", set, NULL);
}

MODEL_HOLDS(a_set_in_a_handler_is_not_lost_beside_another, setter_and_handler, NULL, 1e4)

static void set_twice(void *arg)
{
	set(arg);
	set(arg);
}

static void one_who_sets_twice(void)
{
	make_event(await_two, NULL);
	setters[0] = setters[1] = model_thread("setter", set_twice, NULL);
}

MODEL_HOLDS(a_set_while_the_first_is_being_delivered_is_not_lost, one_who_sets_twice, NULL, 1e4)

/* Cancelling */

static void await_cancelled(void *arg)
{
	struct model_canceller canceller;
	struct eio_cancel c;
	int rc;

	(void) arg;
	eio_cancel_begin(&c);
	model_cancel_begin(&canceller, &c, BY_FIBER_OR_TIMER);
	rc = eio_event_await(&box->event);
	model_cancel_end(&canceller);
	eio_cancel_end(&c);
	model_expect(rc == 0 || rc == -ECANCELED, "await: %d", rc);
	if (rc < 0)
		expect_await(); /* the set is kept */
	model_expect(box->count == 1, "woken before the set");
	end_event();
}

static void set_and_cancelled(void)
{
	make_event(await_cancelled, NULL);
	model_thread("setter", set, NULL);
}

MODEL_HOLDS(a_set_outlives_a_cancelled_await, set_and_cancelled, NULL, 1e4)

static void handler_and_cancelled(void)
{
	make_event(await_cancelled, NULL);
	model_handler(domain, set, NULL);
}

MODEL_HOLDS(a_set_in_a_handler_outlives_a_cancelled_await, handler_and_cancelled, NULL, 50)

MODEL_SUITE("event", an_event_and_its_domain_may_end_once_it_was_awaited_test,
	    a_handler_wakes_the_thread_it_interrupts_test, of_two_sets_none_is_lost_test,
	    a_set_in_a_handler_is_not_lost_beside_another_test,
	    a_set_while_the_first_is_being_delivered_is_not_lost_test,
	    a_set_outlives_a_cancelled_await_test,
	    a_set_in_a_handler_outlives_a_cancelled_await_test)
