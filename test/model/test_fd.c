/* SPDX-License-Identifier: ISC */
/*
 * Descriptors: used, closed, taken and released by several threads. Each is closed once
 * (the model's kernel sees to that), never under a user, and its slot is free again at
 * the end.
 */
#include "model/domain.h"
#include "uring/fd.h"

#include <eio/promise.h>
#include <eio/switch.h>

struct box {
	struct eio_fd fd;
	int number, more[2];
	unsigned users, closed, taken;
	struct eio_switch sw;
	struct eio_promise promise;
};

static struct box *box;

static void make_box(void)
{
	model_machine(true);
	box = model_alloc("box", sizeof(*box));
}

/* Attached to the switch, if there is one. */
static void open_it(void *sw)
{
	box->number = model_descriptor();
	model_expect(eio_fd_of_unix(sw, box->number, EIO_FD_CLOSE, &box->fd) == 0, "no handle");
}

static void use_it(void *arg)
{
	int fd = eio_fd_use(box->fd);

	(void) arg;
	if (fd == -EBADF)
		return;
	model_expect(fd == box->number, "use: %d", fd);
	__atomic_add_fetch(&box->users, 1, __ATOMIC_SEQ_CST);
	model_expect(!model_is_closed(fd) && !box->taken, "used after its end");
	__atomic_sub_fetch(&box->users, 1, __ATOMIC_SEQ_CST);
	model_expect(!model_is_closed(fd) && !box->taken, "ended while it is used");
	eio_fd_unuse(box->fd);
}

static void close_it(void *arg)
{
	int rc = eio_fd_close(box->fd);

	(void) arg;
	model_expect(rc == 0 || rc == -EBADF, "close: %d", rc);
	if (rc == 0)
		box->closed++;
	model_expect(eio_fd_use(box->fd) == -EBADF, "used after it was closed");
}

static void closed_once(void)
{
	model_expect(box->closed == 1, "%u closed it", box->closed);
	model_expect(model_is_closed(box->number), "it is not closed");
	model_table_check();
}

/* Closing */

static void user_and_two_closers(void)
{
	make_box();
	open_it(NULL);
	model_thread("user", use_it, NULL);
	model_thread("first", close_it, NULL);
	model_thread("second", close_it, NULL);
}

MODEL_HOLDS(of_two_who_close_one_does_and_the_last_user_ends_it, user_and_two_closers, closed_once,
	    1e4)

static void two_users_and_a_closer(void)
{
	make_box();
	open_it(NULL);
	model_thread("first", use_it, NULL);
	model_thread("second", use_it, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(the_last_of_two_users_ends_it, two_users_and_a_closer, closed_once, 1e4)

/* There the ring closes it, and the user waits for that. */
static void user_in_a_domain(void)
{
	make_box();
	open_it(NULL);
	model_domain("user", use_it, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(a_fiber_that_is_the_last_user_closes_by_the_ring, user_in_a_domain, closed_once, 1e3)

/* Reuse: of two slots, so that the third handle has the first one's again. */

static void reopen(void *arg)
{
	struct eio_fd fd;
	int number;

	close_it(arg);
	for (int i = 0; i < 2; i++) {
		model_expect(eio_fd_of_unix(NULL, box->more[i], EIO_FD_CLOSE, &fd) == 0,
			     "no handle");
		number = eio_fd_use(fd);
		model_expect(number == box->more[i], "another's number: %d", number);
		eio_fd_unuse(fd);
		model_expect(eio_fd_close(fd) == 0, "not closed");
	}
}

static void use_twice(void *arg)
{
	use_it(arg);
	use_it(arg);
}

static void reused(void)
{
	make_box();
	open_it(NULL);
	box->more[0] = model_descriptor();
	box->more[1] = model_descriptor();
	model_thread("user", use_twice, NULL);
	model_thread("closer", reopen, NULL);
}

MODEL_HOLDS(an_old_handle_never_opens_what_came_after_it, reused, closed_once, 1e4)

/* Taking */

static void take_it(void *arg)
{
	int fd = eio_fd_to_unix(box->fd, EIO_FD_TAKE);

	(void) arg;
	if (fd == -EBADF)
		return;
	model_expect(fd == box->number, "take: %d", fd);
	model_expect(box->users == 0, "taken while it is used");
	model_expect(!model_is_closed(fd), "taken after its end");
	box->taken = 1;
}

static void taken(void)
{
	model_expect(box->taken && !model_is_closed(box->number), "it is not taken");
	model_table_check();
}

static void taken_or_closed(void)
{
	model_expect(box->taken + box->closed == 1, "neither, or both");
	model_expect(box->closed == model_is_closed(box->number), "closed by the wrong one");
	model_table_check();
}

static void users_and_a_taker(void)
{
	make_box();
	open_it(NULL);
	model_domain("taker", take_it, NULL);
	model_thread("first", use_it, NULL);
	model_thread("second", use_it, NULL);
}

MODEL_HOLDS(who_takes_it_waits_for_its_users, users_and_a_taker, taken, 1e5)

static void user_taker_and_closer(void)
{
	make_box();
	open_it(NULL);
	model_domain("taker", take_it, NULL);
	model_thread("user", use_it, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(it_is_taken_or_closed_but_not_both, user_taker_and_closer, taken_or_closed, 1e5)

/* Switches */

static void begin_switch(void *arg)
{
	(void) arg;
	eio_switch_begin(&box->sw);
	open_it(&box->sw);
}

static void end_switch(void *arg)
{
	int rc = eio_switch_end(&box->sw, 0);

	(void) arg;
	model_expect(rc == 0, "end of the switch: %d", rc);
}

static void make_owner(void)
{
	make_box();
	model_in_domain(model_domain("owner", end_switch, NULL), begin_switch, NULL);
}

/* The owner polls in between, so the descriptor may be taken off its switch by then. */
static void wait_and_end_switch(void *arg)
{
	int rc = eio_promise_await(&box->promise, NULL);

	model_expect(rc == 0, "await: %d", rc);
	end_switch(arg);
}

static void let_go_on(void *arg)
{
	(void) arg;
	eio_promise_resolve(&box->promise, 0, NULL);
}

static void make_waiting_owner(void)
{
	make_box();
	model_in_domain(model_domain("owner", wait_and_end_switch, NULL), begin_switch, NULL);
	model_thread("other", let_go_on, NULL);
}

/* By the switch, or by one of the others. */
static void ended_once(void)
{
	model_expect(box->closed <= 1, "%u closed it", box->closed);
	model_expect(model_is_closed(box->number), "it is not closed");
	model_table_check();
}

static void closed_from_outside(void)
{
	make_owner();
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(another_thread_may_close_what_the_ending_switch_closes, closed_from_outside, ended_once,
	    1e3)

static void closed_from_outside_while_the_owner_waits(void)
{
	make_waiting_owner();
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(another_thread_may_close_it_while_its_owner_waits,
	    closed_from_outside_while_the_owner_waits, ended_once, 1e6)

static void closed_from_outside_and_used(void)
{
	make_owner();
	model_thread("closer", close_it, NULL);
	model_thread("user", use_it, NULL);
}

MODEL_HOLDS(the_last_user_may_be_elsewhere_when_its_switch_ends, closed_from_outside_and_used,
	    ended_once, 1e6)

static void closed_by_another_domain(void)
{
	make_owner();
	model_domain("closer", close_it, NULL);
}

MODEL_HOLDS(another_domain_may_close_what_the_ending_switch_closes, closed_by_another_domain,
	    ended_once, 1e6)

static void taken_by_another_domain(void)
{
	make_owner();
	model_domain("taker", take_it, NULL);
}

static void taken_or_ended(void)
{
	model_expect(box->taken != model_is_closed(box->number), "neither, or both");
	model_table_check();
}

MODEL_HOLDS(another_domain_may_take_what_the_ending_switch_closes, taken_by_another_domain,
	    taken_or_ended, 1e6)

MODEL_SUITE("fd", of_two_who_close_one_does_and_the_last_user_ends_it_test,
	    the_last_of_two_users_ends_it_test,
	    a_fiber_that_is_the_last_user_closes_by_the_ring_test,
	    an_old_handle_never_opens_what_came_after_it_test,
	    who_takes_it_waits_for_its_users_test, it_is_taken_or_closed_but_not_both_test,
	    another_thread_may_close_what_the_ending_switch_closes_test,
	    another_thread_may_close_it_while_its_owner_waits_test,
	    the_last_user_may_be_elsewhere_when_its_switch_ends_test,
	    another_domain_may_close_what_the_ending_switch_closes_test,
	    another_domain_may_take_what_the_ending_switch_closes_test)
