/* SPDX-License-Identifier: ISC */
/*
 * Descriptors: used, closed, taken and released by several threads. Each is closed once
 * (the model's kernel sees to that), never under a user, and its slot is free again at
 * the end.
 */
#include "model/domain.h"
#include "uring/fd.h"

#include <eio/low_level.h>
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

/* Files in a domain's table */

/* By its place, or by the number while it is not registered. */
static void sync_it(void)
{
	int rc = eio_ll_fsync(box->fd);

	model_expect(rc == 0 || rc == -EBADF, "fsync: %d", rc);
}

static void register_it(void *arg)
{
	int rc = eio_ll_fd_register(box->fd);

	(void) arg;
	model_expect(rc == 0 || rc == -EBADF, "register: %d", rc);
	sync_it();
}

/* The domain may end before the others have done anything, or after. */
static void registered_and_closed(void)
{
	make_box();
	open_it(NULL);
	model_domain("owner", register_it, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(another_thread_may_close_what_a_domain_has_registered, registered_and_closed,
	    closed_once, 1e3)

static void registered_used_and_closed(void)
{
	make_box();
	open_it(NULL);
	model_domain("owner", register_it, NULL);
	model_thread("user", use_it, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(others_use_and_close_what_a_domain_has_registered, registered_used_and_closed,
	    closed_once, 1e6)

static void register_and_wait(void *arg)
{
	register_it(arg);
	model_expect(eio_promise_await(&box->promise, NULL) == 0, "await");
	model_expect(eio_ll_noop() == 0, "noop");
	model_expect(eio__uring_self()->files.used == 0, "its place is not free");
}

static void close_and_tell(void *arg)
{
	close_it(arg);
	let_go_on(arg);
}

static void registered_closed_and_freed(void)
{
	make_box();
	open_it(NULL);
	model_domain("owner", register_and_wait, NULL);
	model_thread("closer", close_and_tell, NULL);
}

MODEL_HOLDS(a_place_is_free_when_its_domain_has_run, registered_closed_and_freed, closed_once, 1e3)

/* Neither the other's table nor its end is in the way for longer than it takes. */
static void try_to_register(void *arg)
{
	int rc = eio_ll_fd_register(box->fd);

	(void) arg;
	model_expect(rc == 0 || rc == -EPERM || rc == -EBADF, "register: %d", rc);
	sync_it();
}

static void close_at_last(void *arg)
{
	model_join(0);
	model_join(1);
	close_it(arg);
}

static void registered_by_two(void)
{
	make_box();
	open_it(NULL);
	model_domain("first", try_to_register, NULL);
	model_domain("second", try_to_register, NULL);
	model_thread("closer", close_at_last, NULL);
}

MODEL_HOLDS(of_two_domains_one_has_it_in_its_table, registered_by_two, closed_once, 1e6)

static void end_switch_with_place(void *arg)
{
	register_it(NULL);
	end_switch(arg);
}

static void registered_on_a_switch(void)
{
	make_box();
	model_in_domain(model_domain("owner", end_switch_with_place, NULL), begin_switch, NULL);
	model_thread("closer", close_it, NULL);
}

MODEL_HOLDS(another_thread_may_close_what_is_registered_and_on_a_switch, registered_on_a_switch,
	    ended_once, 1e3)

static bool is_there(const void *arg)
{
	return ((const struct eio_fd *) arg)->generation != 0;
}

static void open_direct(void *arg)
{
	struct eio_fd fd;
	int rc = eio_ll_socket_direct(NULL, 0, 0, 0, &fd);

	(void) arg;
	model_expect(rc == 0, "socket: %d", rc);
	box->fd.slot = fd.slot;
	__atomic_store_n(&box->fd.generation, fd.generation, __ATOMIC_SEQ_CST);
	sync_it();
}

/* It has no number, and its domain ends it if nobody else does. */
static void close_direct(void *arg)
{
	model_wait("handle", is_there, &box->fd);
	close_it(arg);
}

static void direct_and_closed(void)
{
	make_box();
	model_domain("owner", open_direct, NULL);
	model_thread("closer", close_direct, NULL);
}

static void nothing_is_open(void)
{
	model_expect(eio_fd_use(box->fd) == -EBADF, "it is open");
	model_table_check();
}

MODEL_HOLDS(a_direct_one_is_closed_by_another_thread_or_with_its_domain, direct_and_closed,
	    nothing_is_open, 1e3)

static void use_direct(void *arg)
{
	int fd;

	(void) arg;
	model_wait("handle", is_there, &box->fd);
	fd = eio_fd_use(box->fd);
	if (fd == -EPERM || fd == -EBADF)
		return;
	model_expect(fd == box->number && !model_is_closed(fd), "use: %d", fd);
	eio_fd_unuse(box->fd);
}

static void open_and_install(void *arg)
{
	open_direct(arg);
	use_it(arg);
	close_it(arg);
}

static void direct_and_used(void)
{
	make_box();
	box->number = model_descriptor();
	model_installs(box->number);
	model_domain("owner", open_and_install, NULL);
	model_thread("user", use_direct, NULL);
}

MODEL_HOLDS(others_use_a_direct_one_when_it_has_a_number, direct_and_used, closed_once, 1e3)

MODEL_SUITE("fd", of_two_who_close_one_does_and_the_last_user_ends_it_test,
	    the_last_of_two_users_ends_it_test,
	    a_fiber_that_is_the_last_user_closes_by_the_ring_test,
	    an_old_handle_never_opens_what_came_after_it_test,
	    who_takes_it_waits_for_its_users_test, it_is_taken_or_closed_but_not_both_test,
	    another_thread_may_close_what_the_ending_switch_closes_test,
	    another_thread_may_close_it_while_its_owner_waits_test,
	    the_last_user_may_be_elsewhere_when_its_switch_ends_test,
	    another_domain_may_close_what_the_ending_switch_closes_test,
	    another_domain_may_take_what_the_ending_switch_closes_test,
	    another_thread_may_close_what_a_domain_has_registered_test,
	    others_use_and_close_what_a_domain_has_registered_test,
	    a_place_is_free_when_its_domain_has_run_test,
	    of_two_domains_one_has_it_in_its_table_test,
	    another_thread_may_close_what_is_registered_and_on_a_switch_test,
	    a_direct_one_is_closed_by_another_thread_or_with_its_domain_test,
	    others_use_a_direct_one_when_it_has_a_number_test)
