/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

/* Streams of ints, and of things of other sizes. */

static int add_int(struct eio_stream *s, int i)
{
	return eio_stream_add(s, &i);
}

static int try_add_int(struct eio_stream *s, int i)
{
	return eio_stream_try_add(s, &i);
}

/* The int taken, or a failure. */
static int take_int(struct eio_stream *s)
{
	int i = -1, rc = eio_stream_take(s, &i);

	return rc < 0 ? rc : i;
}

static int try_take_int(struct eio_stream *s)
{
	int i = -1, rc = eio_stream_try_take(s, &i);

	return rc < 0 ? rc : i;
}

static void init(struct eio_stream *s, size_t capacity)
{
	memset(s, 0xff, sizeof(*s));
	expect_ok(eio_stream_init(s, sizeof(int), capacity));
}

/* A fiber that adds or takes once. */
struct user {
	struct caller c;
	struct eio_stream *s;
	int item;
};

static int add_once(void *arg)
{
	struct user *u = arg;

	return add_int(u->s, u->item);
}

static int take_once(void *arg)
{
	struct user *u = arg;

	return eio_stream_take(u->s, &u->item);
}

static void fork_adder(struct eio_switch *sw, struct user *u, struct eio_stream *s, int item)
{
	*u = (struct user){.c = {.fn = add_once, .arg = u}, .s = s, .item = item};
	fork_caller(sw, &u->c);
}

static void fork_taker(struct eio_switch *sw, struct user *u, struct eio_stream *s)
{
	*u = (struct user){.c = {.fn = take_once, .arg = u}, .s = s, .item = -1};
	fork_caller(sw, &u->c);
}

/* Making and ending */

CORE_TEST(sizes_out_of_range_are_refused)
{
	struct eio_stream s;

	(void) arg;
	expect_err(eio_stream_init(&s, 0, 1), -EINVAL);
	expect_err(eio_stream_init(&s, (size_t) UINT32_MAX + 1, 1), -EINVAL);
	expect_err(eio_stream_init(&s, 1, (size_t) UINT32_MAX + 1), -EINVAL);
	expect_err(eio_stream_init(&s, SIZE_MAX, SIZE_MAX), -EINVAL);
	expect_ok(eio_stream_init(&s, UINT32_MAX, 0));
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

CORE_TEST(a_stream_without_memory_is_enomem)
{
	struct eio_stream s;

	(void) arg;
	if (!SANITIZED) /* they would complain */
		expect_err(eio_stream_init(&s, UINT32_MAX, UINT32_MAX), -ENOMEM);
	return 0;
}

static void sum_up(void *elem, void *arg)
{
	int i;

	memcpy(&i, elem, sizeof(i));
	note("%d", i);
	*(int *) arg += i;
}

CORE_TEST(what_is_left_at_the_end_is_disposed_of_in_order)
{
	struct eio_stream s;
	int sum = 0;

	(void) arg;
	init(&s, 3);
	for (int i = 1; i <= 3; i++)
		expect_ok(add_int(&s, i));
	expect_err(take_int(&s), 1);
	expect_ok(add_int(&s, 4)); /* round the end of the ring */
	expect_ok(eio_stream_fini(&s, sum_up, &sum));
	ck_assert_int_eq(sum, 9);
	expect_log("2 3 4");
	init(&s, 1);
	expect_ok(add_int(&s, 1));
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

CORE_TEST(a_stream_that_somebody_waits_for_is_not_ended)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u;

	(void) arg;
	init(&s, 0);
	eio_switch_begin(&sw);
	fork_taker(&sw, &u, &s);
	expect_err(eio_stream_fini(&s, NULL, NULL), -EBUSY);
	expect_ok(add_int(&s, 7)); /* nothing was done */
	expect_ok(yield_times(1));
	expect_err(u.item, 7);
	fork_adder(&sw, &u, &s, 8);
	expect_err(eio_stream_fini(&s, NULL, NULL), -EBUSY);
	expect_err(take_int(&s), 8);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

/* Items */

static void fill(unsigned char *item, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		item[i] = (unsigned char) (seed * 31 + i);
}

struct sized {
	struct eio_stream *s;
	size_t size;
	unsigned n;
};

static int add_sized(void *arg)
{
	struct sized *z = arg;
	unsigned char item[300];

	for (unsigned i = 0; i < z->n; i++) {
		fill(item, z->size, i);
		expect_ok(eio_stream_add(z->s, item));
		memset(item, 0, sizeof(item)); /* it was copied */
	}
	return 0;
}

static int take_sized(void *arg)
{
	struct sized *z = arg;
	unsigned char item[302], expected[300];

	for (unsigned i = 0; i < z->n; i++) {
		memset(item, 0xee, sizeof(item));
		fill(expected, z->size, i);
		expect_ok(eio_stream_take(z->s, item + 1));
		ck_assert_mem_eq(item + 1, expected, z->size);
		ck_assert_uint_eq(item[0], 0xee);
		ck_assert_uint_eq(item[1 + z->size], 0xee);
	}
	return 0;
}

/* Whoever comes first waits, or both take turns. */
CORE_TEST(items_of_all_sizes_come_out_as_they_went_in)
{
	static const size_t sizes[] = {1, 4, 8, 12, 300}, capacities[] = {0, 1, 2, 5};

	(void) arg;
	for (unsigned i = 0; i < 5 * 4 * 2; i++) {
		struct sized z = {.size = sizes[i % 5], .n = 23};
		struct eio_stream s;
		bool add_first = i / 20;

		z.s = &s;
		expect_ok(eio_stream_init(&s, z.size, capacities[i / 5 % 4]));
		expect_ok(eio_both(add_first ? add_sized : take_sized, &z,
				   add_first ? take_sized : add_sized, &z));
		ck_assert_uint_eq(eio_stream_length(&s), 0);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

CORE_TEST(a_stream_holds_as_many_as_its_capacity_without_waiting)
{
	struct eio_stream s;

	(void) arg;
	for (int capacity = 1; capacity <= 5; capacity++) {
		init(&s, (size_t) capacity);
		for (int lap = 0; lap < 3; lap++) {
			for (int i = 0; i < capacity; i++) {
				ck_assert_uint_eq(eio_stream_length(&s), (size_t) i);
				expect_ok(i % 2 ? add_int(&s, i) : try_add_int(&s, i));
			}
			expect_err(try_add_int(&s, 99), -EAGAIN);
			ck_assert_uint_eq(eio_stream_length(&s), (size_t) capacity);
			for (int i = 0; i < capacity; i++)
				expect_err(i % 2 ? take_int(&s) : try_take_int(&s), i);
			expect_err(try_take_int(&s), -EAGAIN);
			if (capacity > 1) { /* the next lap begins at another place */
				expect_ok(add_int(&s, 5));
				expect_err(take_int(&s), 5);
			}
		}
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

/* Waiting */

CORE_TEST(takers_are_served_in_the_order_they_came)
{
	static const size_t capacities[] = {0, 1, 3};
	struct eio_stream s;
	struct user u[4];

	(void) arg;
	for (int c = 0; c < 3; c++) {
		struct eio_switch sw;

		init(&s, capacities[c]);
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_taker(&sw, &u[i], &s);
		for (int i = 0; i < 4; i++)
			expect_ok(i % 2 ? add_int(&s, i) : try_add_int(&s, i));
		ck_assert_uint_eq(eio_stream_length(&s), 0);
		expect_err(try_take_int(&s), -EAGAIN); /* nobody overtakes */
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++) {
			expect_ok(u[i].c.rc);
			expect_err(u[i].item, i);
		}
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

CORE_TEST(adders_are_served_in_the_order_they_came)
{
	static const size_t capacities[] = {0, 1, 3};
	struct eio_stream s;
	struct user u[4];

	(void) arg;
	for (int c = 0; c < 3; c++) {
		int capacity = (int) capacities[c];
		struct eio_switch sw;

		init(&s, capacities[c]);
		for (int i = 0; i < capacity; i++)
			expect_ok(add_int(&s, i));
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_adder(&sw, &u[i], &s, capacity + i);
		ck_assert_uint_eq(eio_stream_length(&s), (size_t) capacity);
		for (int i = 0; i < 4; i++) {
			expect_err(i % 2 ? take_int(&s) : try_take_int(&s), i);
			/* The first adder's item has that place. */
			expect_err(try_add_int(&s, 99), -EAGAIN);
		}
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_ok(u[i].c.rc);
		for (int i = 0; i < capacity; i++)
			expect_err(take_int(&s), 4 + i);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

CORE_TEST(without_capacity_an_add_waits_for_the_take_that_gets_its_item)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u;

	(void) arg;
	init(&s, 0);
	expect_err(try_add_int(&s, 1), -EAGAIN);
	expect_err(try_take_int(&s), -EAGAIN);
	eio_switch_begin(&sw);
	fork_adder(&sw, &u, &s, 5);
	expect_ok(yield_times(3));
	expect_err(u.c.rc, WAITS);
	ck_assert_uint_eq(eio_stream_length(&s), 0);
	expect_err(try_take_int(&s), 5);
	expect_ok(yield_times(1));
	expect_ok(u.c.rc);
	fork_taker(&sw, &u, &s);
	expect_ok(try_add_int(&s, 6)); /* somebody waits for it */
	expect_err(try_add_int(&s, 7), -EAGAIN);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u.item, 6);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

CORE_TEST(what_needs_no_waiting_does_not_suspend)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u;

	(void) arg;
	init(&s, 1);
	eio_switch_begin(&sw);
	expect_ok(fork_step(&sw, "queued", 1, 0));
	expect_ok(add_int(&s, 1));
	expect_err(take_int(&s), 1);
	fork_taker(&sw, &u, &s);
	expect_ok(add_int(&s, 2));
	eio_stream_close(&s);
	note("done");
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("queued+ done queued-");
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

/* Cancelling */

CORE_TEST(a_cancelled_context_neither_adds_nor_takes)
{
	struct eio_stream s;
	struct eio_cancel c;

	(void) arg;
	init(&s, 2);
	expect_ok(add_int(&s, 1));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(add_int(&s, 2), -ECANCELED);
	expect_err(take_int(&s), -ECANCELED);
	ck_assert_uint_eq(eio_stream_length(&s), 1);
	expect_ok(try_add_int(&s, 3));
	expect_err(try_take_int(&s), 1);
	expect_err(try_take_int(&s), 3);
	eio_cancel_end(&c);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

/* Every subset of four takers is cancelled: the others get the items, in order. */
CORE_TEST(a_cancelled_taker_leaves_no_trace_and_takes_nothing)
{
	(void) arg;
	for (unsigned gone = 0; gone < 32; gone++) {
		struct eio_stream s;
		struct eio_switch sw;
		struct user u[4];
		int next = 0;

		init(&s, gone % 3);
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_taker(&sw, &u[i], &s);
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&u[i].c);
		}
		if (gone & 16) /* they have ended by then */
			expect_ok(yield_times(2));
		for (int i = 0; i < 4; i++) {
			if (!(gone & 1u << i))
				expect_ok(add_int(&s, next++));
		}
		expect_ok(eio_switch_end(&sw, 0));
		next = 0;
		for (int i = 0; i < 4; i++) {
			expect_err(u[i].c.rc, gone & 1u << i ? -ECANCELED : 0);
			expect_err(u[i].item, gone & 1u << i ? -1 : next++);
		}
		/* No ghost takes what comes now. */
		expect_err(try_add_int(&s, 5), gone % 3 ? 0 : -EAGAIN);
		expect_err(try_take_int(&s), gone % 3 ? 5 : -EAGAIN);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

CORE_TEST(a_cancelled_adder_leaves_no_trace_and_adds_nothing)
{
	(void) arg;
	for (unsigned gone = 0; gone < 32; gone++) {
		size_t capacity = gone % 3;
		struct eio_stream s;
		struct eio_switch sw;
		struct user u[4];

		init(&s, capacity);
		for (size_t i = 0; i < capacity; i++)
			expect_ok(add_int(&s, 100 + (int) i));
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_adder(&sw, &u[i], &s, i);
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&u[i].c);
		}
		if (gone & 16)
			expect_ok(yield_times(2));
		for (size_t i = 0; i < capacity; i++)
			expect_err(take_int(&s), 100 + (int) i);
		for (int i = 0; i < 4; i++) {
			if (!(gone & 1u << i))
				expect_err(take_int(&s), i);
		}
		expect_err(try_take_int(&s), -EAGAIN);
		ck_assert_uint_eq(eio_stream_length(&s), 0);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(u[i].c.rc, gone & 1u << i ? -ECANCELED : 0);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

/* In one round, before the waiter runs: whichever comes first counts. */
CORE_TEST(what_was_handed_over_stays_so_when_a_cancellation_follows)
{
	struct user taker, other, adder;
	struct eio_stream s;
	struct eio_switch sw;

	(void) arg;
	init(&s, 0);
	eio_switch_begin(&sw);
	fork_taker(&sw, &taker, &s);
	fork_taker(&sw, &other, &s);
	expect_ok(add_int(&s, 1));
	cancel_caller(&taker.c);
	expect_ok(yield_times(2));
	expect_ok(taker.c.rc);
	expect_err(taker.item, 1);
	expect_err(other.c.rc, WAITS);
	expect_ok(add_int(&s, 2));
	fork_adder(&sw, &adder, &s, 3);
	expect_err(take_int(&s), 3);
	cancel_caller(&adder.c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(adder.c.rc);
	expect_err(other.item, 2);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

CORE_TEST(what_follows_a_cancellation_goes_to_the_next_one)
{
	struct user taker, other, adder;
	struct eio_stream s;
	struct eio_switch sw;

	(void) arg;
	init(&s, 0);
	eio_switch_begin(&sw);
	fork_taker(&sw, &taker, &s);
	fork_taker(&sw, &other, &s);
	cancel_caller(&taker.c);
	expect_ok(add_int(&s, 1));
	expect_ok(yield_times(2));
	expect_err(taker.c.rc, -ECANCELED);
	expect_err(taker.item, -1);
	expect_err(other.item, 1);
	fork_adder(&sw, &adder, &s, 2);
	fork_adder(&sw, &other, &s, 3);
	cancel_caller(&adder.c);
	expect_err(take_int(&s), 3);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(adder.c.rc, -ECANCELED);
	expect_ok(other.c.rc);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

/* Closing */

CORE_TEST(closing_wakes_all_takers_with_the_end)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u[3];

	(void) arg;
	init(&s, 1);
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		fork_taker(&sw, &u[i], &s);
	cancel_caller(&u[1].c);
	eio_stream_close(&s);
	cancel_caller(&u[2].c); /* too late */
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u[0].c.rc, EIO_EOF);
	expect_err(u[1].c.rc, -ECANCELED);
	expect_err(u[2].c.rc, EIO_EOF);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

CORE_TEST(closing_fails_all_adders_and_leaves_the_rest_to_takers)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u[2];

	(void) arg;
	for (size_t capacity = 0; capacity < 3; capacity++) {
		init(&s, capacity);
		for (int i = 0; i < (int) capacity; i++)
			expect_ok(add_int(&s, i));
		eio_switch_begin(&sw);
		fork_adder(&sw, &u[0], &s, 98);
		fork_adder(&sw, &u[1], &s, 99);
		eio_stream_close(&s);
		eio_stream_close(&s);
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(u[0].c.rc, -EPIPE);
		expect_err(u[1].c.rc, -EPIPE);
		expect_err(add_int(&s, 9), -EPIPE);
		expect_err(try_add_int(&s, 9), -EPIPE);
		ck_assert_uint_eq(eio_stream_length(&s), capacity);
		for (int i = 0; i < (int) capacity; i++)
			expect_err(i % 2 ? try_take_int(&s) : take_int(&s), i);
		for (int i = 0; i < 2; i++) {
			expect_err(take_int(&s), EIO_EOF);
			expect_err(try_take_int(&s), EIO_EOF);
		}
		eio_stream_close(&s);
		expect_err(add_int(&s, 9), -EPIPE);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

/* Threads without a domain */

static int use_outside(void *arg)
{
	struct eio_stream *s = arg;

	expect_err(add_int(s, 1), -EPERM);
	expect_err(take_int(s), -EPERM);
	expect_ok(try_add_int(s, 2));
	ck_assert_uint_eq(eio_stream_length(s), 1);
	expect_err(try_add_int(s, 3), -EAGAIN);
	expect_err(try_take_int(s), 2);
	expect_err(try_take_int(s), -EAGAIN);
	expect_ok(try_add_int(s, 4));
	eio_stream_close(s);
	expect_err(try_add_int(s, 3), -EPIPE);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_tries_and_closes)
{
	struct eio_stream s;

	(void) arg;
	init(&s, 1);
	expect_ok(on_plain_thread(use_outside, &s));
	expect_err(take_int(&s), 4);
	expect_err(take_int(&s), EIO_EOF);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

static int serve_outside(void *arg)
{
	struct eio_stream *s = arg;

	expect_ok(try_add_int(s, 1)); /* a taker waits … */
	eio_stream_close(s);          /* … and another one */
	return 0;
}

CORE_TEST(a_thread_without_a_domain_wakes_those_who_wait)
{
	struct eio_stream s;
	struct eio_switch sw;
	struct user u[2];

	(void) arg;
	init(&s, 0);
	eio_switch_begin(&sw);
	fork_taker(&sw, &u[0], &s);
	fork_taker(&sw, &u[1], &s);
	expect_ok(on_plain_thread(serve_outside, &s));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u[0].item, 1);
	expect_err(u[1].c.rc, EIO_EOF);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

/* The stream is freed by who took the last item, with the other one on its way out. */

static int add_letter(void *s)
{
	int rc;

	while ((rc = try_add_int(s, 11)) == -EAGAIN)
		sched_yield();
	return rc;
}

static int close_letter(void *s)
{
	eio_stream_close(s);
	return 0;
}

static int await_add(void *s)
{
	return add_int(s, 11);
}

static void bury_stream(struct eio_stream *s)
{
	expect_ok(eio_stream_fini(s, NULL, NULL));
	bury(s, sizeof(*s));
}

static void free_after_take(struct letter_box *box, size_t capacity, int expected)
{
	int64_t begun = eio__now();
	unsigned delay = 0;

	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 30000, begun); i++) {
		struct eio_stream *s = malloc(sizeof(*s));

		init(s, capacity);
		put_letter(box, s);
		spin(delay);
		adapt(&delay, !eio_stream_length(s));
		if (take_int(s) != expected)
			ck_abort_msg("round %u", i);
		bury_stream(s);
	}
	end_partner(box);
	empty_graves();
}

RING_TEST(a_stream_may_be_freed_right_after_a_take)
{
	struct letter_box box;

	(void) arg;
	start_partner(&box, add_letter);
	free_after_take(&box, 1, 11);
	start_partner(&box, add_letter);
	free_after_take(&box, 0, 11);
	start_partner_domain(&box, await_add);
	free_after_take(&box, 0, 11);
	return 0;
}

RING_TEST(a_stream_may_be_freed_right_after_its_end_was_seen)
{
	struct letter_box box;

	(void) arg;
	start_partner(&box, close_letter);
	free_after_take(&box, 0, EIO_EOF);
	return 0;
}

/* One waits and another one's wait is cancelled while the stream is closed. */
RING_TEST(closing_races_with_cancelling)
{
	unsigned delay = 0, rounds = SANITIZED ? 3000 : 20000;
	int64_t begun = eio__now();
	struct letter_box box;

	(void) arg;
	start_partner(&box, close_letter);
	for (unsigned i = 0; again(i, rounds, begun); i++) {
		struct eio_stream *s = malloc(sizeof(*s));
		struct eio_switch sw;
		struct user u[2];

		init(s, 0);
		eio_switch_begin(&sw);
		fork_taker(&sw, &u[0], s);
		fork_taker(&sw, &u[1], s);
		put_letter(&box, s);
		spin(delay);
		cancel_caller(&u[i % 2].c);
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(u[1 - i % 2].c.rc, EIO_EOF);
		ck_assert(u[i % 2].c.rc == -ECANCELED || u[i % 2].c.rc == EIO_EOF);
		adapt(&delay, u[i % 2].c.rc < 0 && u[i % 2].c.rc != EIO_EOF);
		bury_stream(s);
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

/* Another thread comes while a cancelled one is still on the list. */

CORE_TEST(those_who_leave_are_passed_over)
{
	(void) arg;
	for (int leaving = 0; leaving < 3; leaving++) {
		struct eio_stream s;
		struct eio_switch sw;
		struct user u[3];

		init(&s, 0);
		eio_switch_begin(&sw);
		for (int i = 0; i < 3; i++)
			fork_taker(&sw, &u[i], &s);
		begin_leaving(u[leaving].c.fiber);
		expect_ok(add_int(&s, 1));
		expect_ok(add_int(&s, 2));
		expect_err(try_add_int(&s, 3), -EAGAIN);
		expect_err(eio_stream_fini(&s, NULL, NULL), -EBUSY);
		end_leaving(u[leaving].c.fiber);
		expect_ok(yield_times(1));
		for (int i = 0; i < 3; i++)
			expect_err(u[i].c.rc, i == leaving ? -ECANCELED : 0);
		expect_err(u[leaving == 0].item, 1);
		expect_err(u[leaving == 2 ? 1 : 2].item, 2);
		for (int i = 0; i < 3; i++)
			fork_adder(&sw, &u[i], &s, i);
		begin_leaving(u[leaving].c.fiber);
		expect_err(take_int(&s), leaving == 0);
		expect_err(take_int(&s), leaving == 2 ? 1 : 2);
		expect_err(try_take_int(&s), -EAGAIN);
		end_leaving(u[leaving].c.fiber);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 3; i++)
			expect_err(u[i].c.rc, i == leaving ? -ECANCELED : 0);
		expect_ok(eio_stream_fini(&s, NULL, NULL));
	}
	return 0;
}

CORE_TEST(one_who_leaves_a_full_stream_is_no_reason_to_wait)
{
	struct user leaving, adder;
	struct eio_stream s;
	struct eio_switch sw;

	(void) arg;
	init(&s, 1);
	expect_ok(add_int(&s, 1));
	eio_switch_begin(&sw);
	fork_adder(&sw, &leaving, &s, 2);
	begin_leaving(leaving.c.fiber);
	expect_err(take_int(&s), 1);
	expect_ok(try_add_int(&s, 3));
	fork_adder(&sw, &adder, &s, 4); /* behind it */
	expect_err(take_int(&s), 3);
	end_leaving(leaving.c.fiber);
	expect_err(take_int(&s), 4);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(leaving.c.rc, -ECANCELED);
	expect_ok(adder.c.rc);
	expect_ok(eio_stream_fini(&s, NULL, NULL));
	return 0;
}

static void *run_close(void *s)
{
	eio_stream_close(s);
	return NULL;
}

/* Who sees the end may free the stream. */
static void *run_end(void *s)
{
	int rc;

	while ((rc = try_take_int(s)) == -EAGAIN)
		sched_yield();
	expect_err(rc, EIO_EOF);
	bury_stream(s);
	return NULL;
}

/* The lock's word, which comes first, says so; a call would wait for the closer. */
static void await_closing(struct eio_stream *s)
{
	while ((eio__lock_peek((struct eio__lock *) s) & ~(uintptr_t) EIO__LOCKED) == 0)
		sched_yield();
}

RING_TEST(the_end_is_seen_when_those_who_leave_have_left)
{
	int64_t begun = eio__now();

	(void) arg;
	for (unsigned i = 0; again(i, SANITIZED ? 100 : 500, begun); i++) {
		struct eio_stream *s = malloc(sizeof(*s));
		pthread_t closer, ender;
		struct eio_switch sw;
		struct user u;

		init(s, 0);
		eio_switch_begin(&sw);
		fork_taker(&sw, &u, s);
		begin_leaving(u.c.fiber);
		expect_ok(pthread_create(&closer, NULL, run_close, s));
		expect_ok(pthread_create(&ender, NULL, run_end, s));
		await_closing(s);
		end_leaving(u.c.fiber);
		expect_ok(pthread_join(closer, NULL));
		expect_ok(pthread_join(ender, NULL));
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(u.c.rc, -ECANCELED);
	}
	empty_graves();
	return 0;
}

/*
 * Everybody at once: in each domain somebody adds, somebody takes, and somebody cancels
 * the two, who try again then.
 */

enum { DOMAINS = 3, ITEMS = SANITIZED ? 1500 : 6000 };

struct item {
	unsigned from, i;
	unsigned more[3];
};

struct crowd {
	struct eio_stream s;
	int64_t begun;
	unsigned adding; /* domains that are not done */
	unsigned added[DOMAINS];
	unsigned seen[DOMAINS][ITEMS];
	bool cancel;
};

struct place {
	struct crowd *crowd;
	unsigned number;
	struct eio_cancel *adds, *takes; /* NULL: neither, just now */
};

static int add_in_crowd(void *arg)
{
	struct place *p = arg;
	struct crowd *c = p->crowd;
	struct item item = {.from = p->number};

	while (again(item.i, ITEMS, c->begun)) {
		struct eio_cancel ctx;
		int rc;

		eio_cancel_begin(&ctx);
		p->adds = &ctx;
		rc = eio_stream_add(&c->s, &item);
		p->adds = NULL;
		eio_cancel_end(&ctx);
		if (rc == -ECANCELED)
			continue;
		must(rc);
		item.i++;
	}
	c->added[p->number] = item.i;
	if (__atomic_sub_fetch(&c->adding, 1, __ATOMIC_ACQ_REL) == 0)
		eio_stream_close(&c->s);
	return 0;
}

static int take_in_crowd(void *arg)
{
	unsigned next[DOMAINS] = {0};
	struct place *p = arg;
	struct crowd *c = p->crowd;
	struct item item;
	int rc = 0;

	while (rc != EIO_EOF) {
		struct eio_cancel ctx;

		eio_cancel_begin(&ctx);
		p->takes = &ctx;
		rc = eio_stream_take(&c->s, &item);
		p->takes = NULL;
		eio_cancel_end(&ctx);
		if (rc == 0) {
			__atomic_add_fetch(&c->seen[item.from][item.i], 1, __ATOMIC_RELAXED);
			if (item.i < next[item.from])
				ck_abort_msg("%u after %u", item.i, next[item.from] - 1);
			next[item.from] = item.i + 1;
		}
	}
	return 0;
}

static int cancel_in_crowd(void *arg)
{
	struct place *p = arg;
	unsigned random = p->number;
	int rc = 0;

	while (rc == 0) {
		random = random * 1103515245 + 12345;
		if (random & 1 << 20 && p->adds)
			must(eio_cancel_raise(p->adds, -EPIPE));
		if (random & 1 << 21 && p->takes)
			must(eio_cancel_raise(p->takes, -EPIPE));
		rc = yield_times(random >> 22 & 7);
	}
	return rc;
}

static int in_crowd(struct eio_env *e, void *arg)
{
	struct place *p = arg;
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, take_in_crowd, p));
	expect_ok(eio_fork(&sw, add_in_crowd, p));
	if (p->crowd->cancel)
		expect_ok(eio_fork_daemon(&sw, cancel_in_crowd, p));
	return eio_switch_end(&sw, 0);
}

static void *run_in_crowd(void *arg)
{
	expect_ok(eio_run(NULL, in_crowd, arg));
	return NULL;
}

static void gather_crowd(size_t elem_size, size_t capacity, bool cancel)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct place places[DOMAINS];
	pthread_t threads[DOMAINS];

	c->begun = eio__now();
	c->adding = DOMAINS;
	c->cancel = cancel;
	expect_ok(eio_stream_init(&c->s, elem_size, capacity));
	for (unsigned i = 0; i < DOMAINS; i++) {
		places[i] = (struct place){.crowd = c, .number = i};
		expect_ok(pthread_create(&threads[i], NULL, run_in_crowd, &places[i]));
	}
	for (unsigned i = 0; i < DOMAINS; i++)
		expect_ok(pthread_join(threads[i], NULL));
	for (unsigned i = 0; i < DOMAINS * ITEMS; i++) {
		unsigned from = i / ITEMS, times = c->seen[from][i % ITEMS];

		if (times != (i % ITEMS < c->added[from]))
			ck_abort_msg("item %u of %u came %u times", i % ITEMS, from, times);
	}
	expect_ok(eio_stream_fini(&c->s, NULL, NULL));
	free(c);
}

RING_TEST(several_domains_lose_and_double_nothing)
{
	(void) arg;
	gather_crowd(8, 1, false);
	gather_crowd(20, 7, false);
	return 0;
}

RING_TEST(cancelled_by_the_way_they_lose_and_double_nothing)
{
	(void) arg;
	gather_crowd(8, 2, true);
	gather_crowd(20, 0, true);
	return 0;
}

SUITE_MAIN("stream", false, sizes_out_of_range_are_refused_test,
	   a_stream_without_memory_is_enomem_test,
	   what_is_left_at_the_end_is_disposed_of_in_order_test,
	   a_stream_that_somebody_waits_for_is_not_ended_test,
	   items_of_all_sizes_come_out_as_they_went_in_test,
	   a_stream_holds_as_many_as_its_capacity_without_waiting_test,
	   takers_are_served_in_the_order_they_came_test,
	   adders_are_served_in_the_order_they_came_test,
	   without_capacity_an_add_waits_for_the_take_that_gets_its_item_test,
	   what_needs_no_waiting_does_not_suspend_test,
	   a_cancelled_context_neither_adds_nor_takes_test,
	   a_cancelled_taker_leaves_no_trace_and_takes_nothing_test,
	   a_cancelled_adder_leaves_no_trace_and_adds_nothing_test,
	   what_was_handed_over_stays_so_when_a_cancellation_follows_test,
	   what_follows_a_cancellation_goes_to_the_next_one_test,
	   closing_wakes_all_takers_with_the_end_test,
	   closing_fails_all_adders_and_leaves_the_rest_to_takers_test,
	   a_thread_without_a_domain_tries_and_closes_test,
	   a_thread_without_a_domain_wakes_those_who_wait_test,
	   a_stream_may_be_freed_right_after_a_take_test,
	   a_stream_may_be_freed_right_after_its_end_was_seen_test,
	   closing_races_with_cancelling_test, those_who_leave_are_passed_over_test,
	   one_who_leaves_a_full_stream_is_no_reason_to_wait_test,
	   the_end_is_seen_when_those_who_leave_have_left_test,
	   several_domains_lose_and_double_nothing_test,
	   cancelled_by_the_way_they_lose_and_double_nothing_test)
