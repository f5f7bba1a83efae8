/* SPDX-License-Identifier: ISC */
/*
 * Mutexes, conditions and semaphores between domains. Where it is promised, the object is
 * freed as soon as its last user is done.
 */
#include "model/domain.h"

#include <eio/sync.h>

struct box {
	unsigned inside; /* of the section */
	unsigned left;   /* who have not been there */
	unsigned tokens;
	struct eio_condition condition;
};

static struct box *box;

static struct eio_mutex *mutex;
static struct eio_semaphore *semaphore;

static void make_box(unsigned users)
{
	model_machine(false);
	box = model_alloc("box", sizeof(*box));
	box->left = users;
}

/* Runs @p fn in a context that may be cancelled by another fiber. */
static int cancelled(int (*fn)(void))
{
	struct model_canceller canceller;
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	model_cancel_begin(&canceller, &c, BY_FIBER);
	rc = fn();
	model_cancel_end(&canceller);
	eio_cancel_end(&c);
	return rc;
}

/* Mutexes */

static void make_mutex(unsigned users)
{
	make_box(users);
	mutex = model_alloc("mutex", sizeof(*mutex));
}

/* With the mutex held: alone there. Gives it back, and frees it if there is no one left. */
static void pass_through(void)
{
	bool last;

	model_expect(__atomic_add_fetch(&box->inside, 1, __ATOMIC_SEQ_CST) == 1, "not alone");
	last = --box->left == 0;
	box->inside--;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
	if (last)
		model_free(mutex);
}

static int lock(void)
{
	return eio_mutex_lock(mutex);
}

static void enter(void *arg)
{
	int rc = lock();

	(void) arg;
	model_expect(rc == 0, "lock: %d", rc);
	pass_through();
}

static void try_to_enter(void *arg)
{
	int rc = eio_mutex_try_lock(mutex);

	if (rc == 0)
		pass_through();
	else
		model_expect(rc == -EBUSY, "try: %d", rc);
	if (rc < 0)
		enter(arg);
}

/* If it is cancelled it comes again. */
static void enter_later(void *arg)
{
	int rc = cancelled(lock);

	if (rc == 0)
		pass_through();
	else
		model_expect(rc == -ECANCELED, "lock: %d", rc);
	if (rc < 0)
		enter(arg);
}

/* If it is cancelled it does not come. */
static void enter_or_leave(void *arg)
{
	int rc = cancelled(lock);

	(void) arg;
	if (rc < 0) {
		model_expect(rc == -ECANCELED, "lock: %d", rc);
		return;
	}
	model_expect(__atomic_add_fetch(&box->inside, 1, __ATOMIC_SEQ_CST) == 1, "not alone");
	box->inside--;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
}

static void two_enter(void)
{
	make_mutex(2);
	model_domain("first", enter, NULL);
	model_domain("second", enter, NULL);
}

MODEL_HOLDS(a_mutex_lets_one_in_and_may_be_freed_by_the_last, two_enter, NULL, 1e6)

static void one_tries(void)
{
	make_mutex(2);
	model_domain("first", try_to_enter, NULL);
	model_domain("second", enter, NULL);
}

MODEL_HOLDS(who_finds_a_mutex_busy_may_come_again, one_tries, NULL, 1e6)

static void one_is_cancelled(void)
{
	make_mutex(2);
	model_domain("first", enter, NULL);
	model_domain("second", enter_later, NULL);
}

MODEL_HOLDS(a_mutex_is_handed_over_or_left_but_not_both, one_is_cancelled, NULL, 1e6)

static void lock_first(void *arg)
{
	(void) arg;
	model_expect(lock() == 0, "it is not free");
}

static void leave_section(void *arg)
{
	(void) arg;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
}

static void one_leaves_between(void)
{
	make_mutex(2); /* the leaver is not counted: it is not freed */
	model_large();
	model_domains_stay();
	model_in_domain(model_domain("holder", leave_section, NULL), lock_first, NULL);
	model_domain("leaver", enter_or_leave, NULL);
	model_domain("waiter", enter, NULL);
}

MODEL_HOLDS(a_mutex_goes_to_the_one_behind_who_leaves, one_leaves_between, NULL, 1e9)

static int fail_inside(void *arg)
{
	(void) arg;
	return -EBADMSG;
}

static void enter_and_fail(void *arg)
{
	int rc = eio_mutex_rw_run(mutex, false, fail_inside, arg);

	model_expect(rc == -EBADMSG, "section: %d", rc);
	box->tokens = 1;
}

static void enter_or_hear(void *arg)
{
	int rc = cancelled(lock);

	(void) arg;
	if (rc == -ECANCELED)
		rc = lock();
	if (rc == 0)
		eio_mutex_unlock(mutex);
	else
		model_expect(rc == EIO_EPOISONED, "lock: %d", rc);
}

static void poisoned(void)
{
	model_expect(eio_mutex_try_lock(mutex) == -EPERM, "outside a fiber");
}

static void one_fails(void)
{
	make_mutex(2);
	model_domain("failing", enter_and_fail, NULL);
	model_domain("waiter", enter_or_hear, NULL);
}

MODEL_HOLDS(who_waits_for_a_mutex_hears_of_its_poisoning, one_fails, poisoned, 1e6)

/* Conditions */

static void await_token(void *arg)
{
	int rc = lock();

	(void) arg;
	while (rc == 0 && box->tokens == 0)
		rc = eio_condition_await(&box->condition, mutex);
	model_expect(rc == 0 && box->tokens == 1, "await: %d", rc);
	box->tokens--;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
}

static int await_condition(void)
{
	return eio_condition_await(&box->condition, mutex);
}

/* The mutex is held also when the waiting was cancelled. */
static void await_token_later(void *arg)
{
	int rc = lock();

	(void) arg;
	if (rc == 0 && box->tokens == 0)
		rc = cancelled(await_condition);
	model_expect(rc == 0 || rc == -ECANCELED, "await: %d", rc);
	for (rc = 0; rc == 0 && box->tokens == 0;)
		rc = await_condition();
	model_expect(rc == 0 && box->tokens == 1, "await: %d", rc);
	box->tokens--;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
}

static void give_token(void *arg)
{
	int rc = lock();

	(void) arg;
	model_expect(rc == 0, "lock: %d", rc);
	box->tokens++;
	model_expect(eio_mutex_unlock(mutex) == 0, "not the holder");
	eio_condition_signal(&box->condition);
}

static void no_tokens(void)
{
	model_expect(box->tokens == 0, "%u tokens are left", box->tokens);
}

static void token_for_one(void)
{
	make_mutex(0);
	model_domain("waiter", await_token, NULL);
	model_domain("giver", give_token, NULL);
}

MODEL_HOLDS(a_signal_after_the_mutex_was_taken_is_not_missed, token_for_one, no_tokens, 1e6)

static void token_for_one_who_is_cancelled(void)
{
	make_mutex(0);
	model_domain("waiter", await_token_later, NULL);
	model_domain("giver", give_token, NULL);
}

MODEL_HOLDS(a_cancelled_wait_for_a_signal_holds_the_mutex, token_for_one_who_is_cancelled,
	    no_tokens, 1e6)

/* Without a mutex: from any thread. */

static int has_token(void *arg)
{
	(void) arg;
	return (int) __atomic_load_n(&box->tokens, __ATOMIC_RELAXED);
}

static int loop(void)
{
	return eio_condition_loop_no_mutex(&box->condition, has_token, NULL);
}

static void loop_for_token(void *arg)
{
	int rc = loop();

	(void) arg;
	model_expect(rc == 1, "loop: %d", rc);
}

static void loop_or_leave(void *arg)
{
	int rc = cancelled(loop);

	(void) arg;
	model_expect(rc == 1 || rc == -ECANCELED, "loop: %d", rc);
}

static void store_and_signal(void *arg)
{
	(void) arg;
	__atomic_store_n(&box->tokens, 1, __ATOMIC_RELAXED);
	eio_condition_signal(&box->condition);
}

static void store_and_broadcast(void *arg)
{
	(void) arg;
	__atomic_store_n(&box->tokens, 1, __ATOMIC_RELAXED);
	eio_condition_broadcast(&box->condition);
}

static void one_loops(void)
{
	make_box(0);
	model_domain("loop", loop_for_token, NULL);
	model_thread("giver", store_and_signal, NULL);
}

MODEL_HOLDS(a_signal_while_the_loop_looks_is_not_missed, one_loops, NULL, 1e3)

static void one_loops_and_one_leaves(void)
{
	make_box(0);
	model_large();
	model_domains_stay();
	model_domain("leaver", loop_or_leave, NULL);
	model_domain("loop", loop_for_token, NULL);
	model_thread("giver", store_and_broadcast, NULL);
}

MODEL_HOLDS(a_broadcast_reaches_all_who_loop, one_loops_and_one_leaves, NULL, 1e6)

static void one_of_two_leaves(void)
{
	make_box(0);
	model_large();
	model_domain("leaver", loop_or_leave, NULL);
	model_thread("first", store_and_signal, NULL);
	model_thread("second", store_and_broadcast, NULL);
}

MODEL_HOLDS(signals_and_a_broadcast_meet_one_who_leaves, one_of_two_leaves, NULL, 1e6)

/* Who got a signal and goes passes it on. */
static void loop_and_pass_on(void *arg)
{
	int rc = cancelled(loop);

	(void) arg;
	model_expect(rc == 1 || rc == -ECANCELED, "loop: %d", rc);
	if (rc == 1)
		eio_condition_signal(&box->condition);
}

static void loop_and_signal(void *arg)
{
	loop_for_token(arg);
	eio_condition_signal(&box->condition);
}

static void one_signal_for_two(void)
{
	make_box(0);
	model_large();
	model_domains_stay();
	model_domain("leaver", loop_and_pass_on, NULL);
	model_domain("loop", loop_and_signal, NULL);
	model_thread("giver", store_and_signal, NULL);
}

MODEL_HOLDS(a_signal_is_not_lost_with_one_who_gives_up, one_signal_for_two, NULL, 1e6)

/* Semaphores */

static void make_semaphore(unsigned units, unsigned users)
{
	make_box(users);
	semaphore = model_alloc("semaphore", sizeof(*semaphore));
	eio_semaphore_init(semaphore, units);
}

static int acquire(void)
{
	return eio_semaphore_acquire(semaphore);
}

static void release(void *arg)
{
	(void) arg;
	eio_semaphore_release(semaphore);
}

static void release_two(void *arg)
{
	release(arg);
	release(arg);
}

static void acquire_and_free(void *arg)
{
	int rc = acquire();

	(void) arg;
	model_expect(rc == 0, "acquire: %d", rc);
	if (__atomic_sub_fetch(&box->left, 1, __ATOMIC_SEQ_CST) == 0)
		model_free(semaphore);
}

static void one_acquires(void)
{
	make_semaphore(0, 1);
	model_domain("waiter", acquire_and_free, NULL);
	model_thread("giver", release, NULL);
}

MODEL_HOLDS(a_semaphore_may_be_freed_once_its_unit_was_taken, one_acquires, NULL, 1e3)

static void two_acquire(void)
{
	make_semaphore(0, 2);
	model_large();
	model_domains_stay();
	model_domain("first", acquire_and_free, NULL);
	model_domain("second", acquire_and_free, NULL);
	model_thread("giver", release_two, NULL);
}

MODEL_HOLDS(two_units_serve_two, two_acquire, NULL, 1e9)

/* What the one who is cancelled got all the same goes on to the other. */
static void acquire_and_pass_on(void *arg)
{
	int rc = cancelled(acquire);

	if (rc == 0)
		release(arg);
	else
		model_expect(rc == -ECANCELED, "acquire: %d", rc);
}

static void acquire_and_release(void *arg)
{
	int rc = acquire();

	model_expect(rc == 0, "acquire: %d", rc);
	release(arg);
}

static void one_unit(void)
{
	model_expect(eio_semaphore_value(semaphore) == 1, "%u units at the end",
		     eio_semaphore_value(semaphore));
}

static void one_gives_up(void)
{
	make_semaphore(0, 0);
	model_large();
	model_domains_stay();
	model_domain("leaver", acquire_and_pass_on, NULL);
	model_domain("waiter", acquire_and_release, NULL);
	model_thread("giver", release, NULL);
}

MODEL_HOLDS(a_unit_is_not_lost_with_one_who_gives_up, one_gives_up, one_unit, 1e9)

static void guard(void *arg)
{
	int rc = acquire();

	model_expect(rc == 0, "acquire: %d", rc);
	model_expect(__atomic_add_fetch(&box->inside, 1, __ATOMIC_SEQ_CST) == 1, "not alone");
	box->inside--;
	release(arg);
}

static void try_and_guard(void *arg)
{
	int rc = eio_semaphore_try_acquire(semaphore);

	if (rc == -EAGAIN)
		return;
	model_expect(rc == 0, "try: %d", rc);
	model_expect(__atomic_add_fetch(&box->inside, 1, __ATOMIC_SEQ_CST) == 1, "not alone");
	box->inside--;
	release(arg);
}

static void one_unit_for_three(void)
{
	make_semaphore(1, 0);
	model_large();
	model_domains_stay();
	model_domain("first", guard, NULL);
	model_domain("second", guard, NULL);
	model_thread("third", try_and_guard, NULL);
}

MODEL_HOLDS(one_unit_lets_one_in, one_unit_for_three, one_unit, 1e9)

MODEL_SUITE("sync", a_mutex_lets_one_in_and_may_be_freed_by_the_last_test,
	    who_finds_a_mutex_busy_may_come_again_test,
	    a_mutex_is_handed_over_or_left_but_not_both_test,
	    a_mutex_goes_to_the_one_behind_who_leaves_test,
	    who_waits_for_a_mutex_hears_of_its_poisoning_test,
	    a_signal_after_the_mutex_was_taken_is_not_missed_test,
	    a_cancelled_wait_for_a_signal_holds_the_mutex_test,
	    a_signal_while_the_loop_looks_is_not_missed_test, a_broadcast_reaches_all_who_loop_test,
	    signals_and_a_broadcast_meet_one_who_leaves_test,
	    a_signal_is_not_lost_with_one_who_gives_up_test,
	    a_semaphore_may_be_freed_once_its_unit_was_taken_test, two_units_serve_two_test,
	    a_unit_is_not_lost_with_one_who_gives_up_test, one_unit_lets_one_in_test)
