/* SPDX-License-Identifier: ISC */
/*
 * Streams of pointers between domains. Items are 1, 2, …: each comes out once, in order,
 * or is left.
 */
#include "model/domain.h"

#include <eio/error.h>
#include <eio/stream.h>

struct box {
	struct eio_stream stream;
	uintptr_t added, taken; /* the last item of which that is known */
};

static struct box *box;

static void make_stream(size_t capacity)
{
	model_machine(false);
	box = model_alloc("stream", sizeof(*box));
	model_expect(eio_stream_init(&box->stream, sizeof(uintptr_t), capacity) == 0, "no stream");
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

static int add(void)
{
	uintptr_t item = box->added + 1;
	int rc = eio_stream_add(&box->stream, &item);

	if (rc == 0)
		box->added = item;
	return rc;
}

static int take(void)
{
	uintptr_t item = 0;
	int rc = eio_stream_take(&box->stream, &item);

	if (rc < 0)
		return rc;
	model_expect(item == box->taken + 1, "item %zu behind %zu", (size_t) item,
		     (size_t) box->taken);
	box->taken = item;
	return rc;
}

static void add_two(void *arg)
{
	(void) arg;
	for (int i = 0; i < 2; i++) {
		int rc = add();

		model_expect(rc == 0, "add: %d", rc);
	}
}

static void take_two(void *arg)
{
	(void) arg;
	for (int i = 0; i < 2; i++) {
		int rc = take();

		model_expect(rc == 0, "take: %d", rc);
	}
}

static void all_taken(void)
{
	model_expect(box->taken == 2 && box->added == 2, "not all was taken");
	model_expect(eio_stream_fini(&box->stream, NULL, NULL) == 0, "somebody waits");
}

static void two_items(size_t capacity)
{
	make_stream(capacity);
	model_domain("adder", add_two, NULL);
	model_domain("taker", take_two, NULL);
}

static void handed_over(void)
{
	two_items(0);
}

static void buffered(void)
{
	two_items(1);
}

MODEL_HOLDS(without_a_buffer_items_are_handed_over_in_order, handed_over, all_taken, 1e6)
MODEL_HOLDS(through_a_buffer_items_come_in_order, buffered, all_taken, 1e6)

/* Cancelled in its first try. */

static void add_two_again(void *arg)
{
	int rc = cancelled(add);

	model_expect(rc == 0 || rc == -ECANCELED, "add: %d", rc);
	while (box->added < 2) {
		rc = add();
		model_expect(rc == 0, "add: %d", rc);
	}
	(void) arg;
}

static void take_two_again(void *arg)
{
	int rc = cancelled(take);

	model_expect(rc == 0 || rc == -ECANCELED, "take: %d", rc);
	while (box->taken < 2) {
		rc = take();
		model_expect(rc == 0, "take: %d", rc);
	}
	(void) arg;
}

static void adder_cancelled(void)
{
	make_stream(0);
	model_domain("adder", add_two_again, NULL);
	model_domain("taker", take_two, NULL);
}

static void taker_cancelled(void)
{
	make_stream(0);
	model_domain("adder", add_two, NULL);
	model_domain("taker", take_two_again, NULL);
}

MODEL_HOLDS(an_add_is_cancelled_or_done_but_not_both, adder_cancelled, all_taken, 1e6)
MODEL_HOLDS(a_take_is_cancelled_or_done_but_not_both, taker_cancelled, all_taken, 1e6)

/* Who takes the item passes it on, also if he was cancelled: so it ends in the stream. */

static void put_back(int rc)
{
	uintptr_t item = 1;

	if (rc == 0) {
		box->taken = 0;
		rc = eio_stream_try_add(&box->stream, &item);
	}
	model_expect(rc == 0 || rc == -ECANCELED, "take or add: %d", rc);
}

static void take_or_leave(void *arg)
{
	(void) arg;
	put_back(cancelled(take));
}

static void take_and_put_back(void *arg)
{
	int rc = take();

	(void) arg;
	model_expect(rc == 0, "take: %d", rc);
	put_back(rc);
}

static void try_to_add_one(void *arg)
{
	uintptr_t item = 1;
	int rc = eio_stream_try_add(&box->stream, &item);

	(void) arg;
	model_expect(rc == 0, "add: %d", rc);
}

static void one_left(void)
{
	uintptr_t item = 0;

	model_expect(eio_stream_try_take(&box->stream, &item) == 0 && item == 1, "it is lost");
	model_expect(eio_stream_fini(&box->stream, NULL, NULL) == 0, "somebody waits");
}

static void one_taker_leaves(void)
{
	make_stream(1);
	model_large();
	model_domains_stay();
	model_domain("leaver", take_or_leave, NULL);
	model_domain("taker", take_and_put_back, NULL);
	model_thread("adder", try_to_add_one, NULL);
}

MODEL_HOLDS(an_item_is_not_lost_with_one_who_gives_up, one_taker_leaves, one_left, 1e6)

/* Closing */

static void close_it(void *arg)
{
	(void) arg;
	eio_stream_close(&box->stream);
}

static void take_until_closed(void *arg)
{
	int rc;

	(void) arg;
	do
		rc = take();
	while (rc == 0);
	model_expect(rc == EIO_EOF, "take: %d", rc);
}

static void add_until_closed(void *arg)
{
	int rc = 0;

	(void) arg;
	while (rc == 0 && box->added < 2)
		rc = add();
	model_expect(rc == 0 || rc == -EPIPE, "add: %d", rc);
}

/* In a closed stream of capacity 1. */
static void taken_or_left(void)
{
	uintptr_t item = 0;

	if (eio_stream_try_take(&box->stream, &item) == 0)
		model_expect(item == box->taken + 1, "item %zu is left", (size_t) item);
	model_expect(box->added == (item ? item : box->taken), "an item is lost");
	model_expect(eio_stream_fini(&box->stream, NULL, NULL) == 0, "somebody waits");
}

static void adder_and_closer(void)
{
	make_stream(1);
	model_domain("adder", add_until_closed, NULL);
	model_thread("closer", close_it, NULL);
}

static void two_add_until_closed(void)
{
	make_stream(1);
	model_large();
	model_domains_stay();
	model_domain("taker", take_until_closed, NULL);
	model_domain("adder", add_until_closed, NULL);
	model_thread("closer", close_it, NULL);
}

static void nothing_left(void)
{
	model_expect(box->added == box->taken, "an item is lost");
	model_expect(eio_stream_fini(&box->stream, NULL, NULL) == 0, "somebody waits");
}

/* The closer waits for one who leaves; meanwhile nobody may hear of the end and free it. */

static void take_until_closed_or_cancelled(void *arg)
{
	int rc = cancelled(take);

	(void) arg;
	model_expect(rc == EIO_EOF || rc == -ECANCELED, "take: %d", rc);
}

static unsigned leaver;

static void hear_and_free(void *arg)
{
	uintptr_t item = 0;
	int rc;

	(void) arg;
	while ((rc = eio_stream_try_take(&box->stream, &item)) == -EAGAIN)
		model_spin();
	model_expect(rc == EIO_EOF, "try_take: %d", rc);
	model_join(leaver);
	model_expect(eio_stream_fini(&box->stream, NULL, NULL) == 0, "somebody waits");
	model_free(box);
}

static void leaver_closer_and_owner(void)
{
	make_stream(1);
	model_large();
	model_domains_stay();
	leaver = model_domain("leaver", take_until_closed_or_cancelled, NULL);
	model_thread("closer", close_it, NULL);
	model_thread("owner", hear_and_free, NULL);
}

MODEL_HOLDS(who_hears_of_the_end_may_free_it_though_another_was_leaving, leaver_closer_and_owner,
	    NULL, 1e4)
MODEL_HOLDS(who_waits_to_add_hears_of_the_closing, adder_and_closer, taken_or_left, 1e3)
MODEL_HOLDS(what_was_added_before_the_closing_is_taken, two_add_until_closed, nothing_left, 1e6)

MODEL_SUITE("stream", without_a_buffer_items_are_handed_over_in_order_test,
	    through_a_buffer_items_come_in_order_test,
	    an_add_is_cancelled_or_done_but_not_both_test,
	    a_take_is_cancelled_or_done_but_not_both_test,
	    an_item_is_not_lost_with_one_who_gives_up_test,
	    who_hears_of_the_end_may_free_it_though_another_was_leaving_test,
	    who_waits_to_add_hears_of_the_closing_test,
	    what_was_added_before_the_closing_is_taken_test)
