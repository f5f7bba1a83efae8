/* SPDX-License-Identifier: ISC */
/*
 * The explorer itself: it finds what is wrong with small protocols that are.
 */
#include "model/suite.h"

struct shared {
	unsigned lock, flag, asleep, done;
	unsigned counter;
	unsigned *lent;
};

static struct shared *shared;

static void make_shared(void)
{
	shared = model_alloc("shared", sizeof(*shared));
}

static unsigned load(unsigned *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(unsigned *p, unsigned v)
{
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

/* Locks */

static void count(void)
{
	unsigned before = load(&shared->counter);

	store(&shared->counter, before + 1);
}

static void check_then_set(void *arg)
{
	(void) arg;
	while (load(&shared->lock))
		model_spin();
	store(&shared->lock, 1);
	count();
	store(&shared->lock, 0);
}

static void exchange(void *arg)
{
	(void) arg;
	while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_SEQ_CST))
		model_spin();
	count();
	store(&shared->lock, 0);
}

static void both_counted(void)
{
	model_expect(shared->counter == 2, "counted %u", shared->counter);
}

static void two_that_check_then_set(void)
{
	make_shared();
	model_thread("a", check_then_set, NULL);
	model_thread("b", check_then_set, NULL);
}

static void two_that_exchange(void)
{
	make_shared();
	model_thread("a", exchange, NULL);
	model_thread("b", exchange, NULL);
}

MODEL_BREAKS(a_lock_that_checks_before_it_sets_is_none, two_that_check_then_set, both_counted,
	     "counted 1")
MODEL_HOLDS(a_lock_that_exchanges_is_one, two_that_exchange, both_counted, 6)

/* Wake-ups */

static bool is_awake(const void *arg)
{
	(void) arg;
	return !shared->asleep;
}

static void look_then_sleep(void *arg)
{
	(void) arg;
	if (load(&shared->flag))
		return;
	store(&shared->asleep, 1);
	model_wait("wake-up", is_awake, NULL);
}

static void announce_then_look(void *arg)
{
	(void) arg;
	store(&shared->asleep, 1);
	if (!load(&shared->flag))
		model_wait("wake-up", is_awake, NULL);
}

static void wake(void *arg)
{
	(void) arg;
	store(&shared->flag, 1);
	if (load(&shared->asleep))
		store(&shared->asleep, 0);
}

static void sleeper_that_looks_first(void)
{
	make_shared();
	model_thread("sleeper", look_then_sleep, NULL);
	model_thread("waker", wake, NULL);
}

static void sleeper_that_announces_first(void)
{
	make_shared();
	model_thread("sleeper", announce_then_look, NULL);
	model_thread("waker", wake, NULL);
}

MODEL_BREAKS(sleeping_after_the_last_look_loses_a_wakeup, sleeper_that_looks_first, NULL,
	     "deadlock; sleeper: wait wake-up")
MODEL_HOLDS(looking_after_the_announcement_loses_none, sleeper_that_announces_first, NULL, 3)

/* Deadlocks and livelocks */

static void lock_both(unsigned *first, unsigned *second)
{
	while (__atomic_exchange_n(first, 1, __ATOMIC_SEQ_CST))
		model_spin();
	while (__atomic_exchange_n(second, 1, __ATOMIC_SEQ_CST))
		model_spin();
	store(second, 0);
	store(first, 0);
}

static void forwards(void *arg)
{
	(void) arg;
	lock_both(&shared->lock, &shared->flag);
}

static void backwards(void *arg)
{
	(void) arg;
	lock_both(&shared->flag, &shared->lock);
}

static void opposite_orders(void)
{
	make_shared();
	model_thread("a", forwards, NULL);
	model_thread("b", backwards, NULL);
}

MODEL_BREAKS(two_locks_in_opposite_orders_block, opposite_orders, NULL, "deadlock; a: spin")

/* Each lets the other go first, for ever. */
static void be_polite(void *arg)
{
	unsigned *mine = arg, *other = mine == &shared->lock ? &shared->flag : &shared->lock;

	store(mine, 1);
	while (load(other)) {
		store(mine, 0);
		if (load(&shared->done))
			return;
		store(mine, 1);
	}
	store(&shared->done, 1);
}

static void two_polite(void)
{
	make_shared();
	model_thread("a", be_polite, &shared->lock);
	model_thread("b", be_polite, &shared->flag);
}

/* Where a is gone, b finds its flag set for ever. */
static void be_stubborn(void *arg)
{
	store(&shared->flag, 1);
	be_polite(arg);
}

static void polite_and_gone(void)
{
	make_shared();
	model_thread("a", be_stubborn, &shared->lock);
}

MODEL_HOLDS(a_round_that_can_be_left_is_no_failure, two_polite, NULL, 2)
MODEL_BREAKS(a_round_that_cannot_be_left_is_one, polite_and_gone, NULL, "livelock")

/* Memory */

static unsigned *block;

static void free_block(void *arg)
{
	(void) arg;
	store(&shared->flag, 1);
	model_free(block);
}

static void use_block(void *arg)
{
	(void) arg;
	if (!load(&shared->flag))
		store(block, 1);
}

static void freed_while_used(void)
{
	make_shared();
	block = model_alloc("block", sizeof(*block));
	model_thread("owner", free_block, NULL);
	model_thread("user", use_block, NULL);
}

MODEL_BREAKS(what_is_freed_may_not_be_touched, freed_while_used, NULL,
	     "block is touched after its end")

static __attribute__((noinline)) void lend_frame(void)
{
	unsigned local = 0;

	__atomic_store_n(&shared->lent, &local, __ATOMIC_SEQ_CST);
	load(&local);
}

static void lend(void *arg)
{
	(void) arg;
	lend_frame();
	load(&shared->done);
}

static void borrow(void *arg)
{
	unsigned *p = __atomic_load_n(&shared->lent, __ATOMIC_SEQ_CST);

	(void) arg;
	if (p)
		store(p, 1);
}

static void frame_lent(void)
{
	make_shared();
	model_thread("owner", lend, NULL);
	model_thread("user", borrow, NULL);
}

MODEL_BREAKS(a_frame_that_is_gone_may_not_be_touched, frame_lent, NULL,
	     "a frame of owner is touched after its end")

/* Choices and handlers */

static void choose(void *arg)
{
	unsigned n = model_choose("a", 2) + 2 * model_choose("b", 3);

	(void) arg;
	model_expect(n != 5, "came to the last");
}

static void one_that_chooses(void)
{
	model_thread("a", choose, NULL);
}

MODEL_BREAKS(all_choices_are_tried, one_that_chooses, NULL, "came to the last")

static void count_once(void *arg)
{
	(void) arg;
	count();
}

static void interrupted(void)
{
	make_shared();
	model_handler(model_thread("a", count_once, NULL), count_once, NULL);
}

MODEL_BREAKS(a_handler_comes_between_any_two_steps, interrupted, both_counted, "counted 1")

MODEL_SUITE("explorer", a_lock_that_checks_before_it_sets_is_none_test,
	    a_lock_that_exchanges_is_one_test, sleeping_after_the_last_look_loses_a_wakeup_test,
	    looking_after_the_announcement_loses_none_test, two_locks_in_opposite_orders_block_test,
	    a_round_that_can_be_left_is_no_failure_test, a_round_that_cannot_be_left_is_one_test,
	    what_is_freed_may_not_be_touched_test, a_frame_that_is_gone_may_not_be_touched_test,
	    all_choices_are_tried_test, a_handler_comes_between_any_two_steps_test)
