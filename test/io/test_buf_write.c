/* SPDX-License-Identifier: ISC */
#include "io/buf_write.h"
#include "core/error.h"
#include "io/util.h"

#include <stdio.h>
#include <sys/uio.h>

/* A sink that notes each write, takes at most step bytes of it, and can be told to wait for a
 * promise before or to fail. */
static struct sink {
	size_t step;
	struct eio_promise *gate;
	int err;
	const void *expected; /* where the first byte is to lie */
	char data[400000];
	size_t len;
} sink;

static struct eio_buf_writer w;

static ssize_t sink_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct sink *s = f.u.ptr;
	size_t total = 0, most = s->step ? s->step : SIZE_MAX;
	int rc = s->gate ? eio_promise_await(s->gate, NULL) : 0;

	if (rc == 0 && s->err)
		rc = eio_error_set(s->err, "write", "sink");
	if (rc < 0)
		return rc;
	if (s->expected)
		ck_assert_ptr_eq(iov->iov_base, s->expected);
	for (int i = 0; i < n && total < most; i++) {
		size_t len = iov[i].iov_len < most - total ? iov[i].iov_len : most - total;

		ck_assert_uint_gt(len, 0);
		ck_assert_uint_le(s->len + len, sizeof(s->data));
		memcpy(s->data + s->len, iov[i].iov_base, len);
		s->len += len;
		total += len;
	}
	note("[%zu]", total);
	return (ssize_t) total;
}

static struct eio_flow sink_flow(void)
{
	static const struct eio_flow_ops ops = {.name = "sink", .write_some = sink_write_some};

	memset(&sink, 0, offsetof(struct sink, data));
	sink.len = 0;
	return (struct eio_flow){.ops = &ops, .u.ptr = &sink};
}

static void expect_sent(const char *text)
{
	ck_assert_uint_eq(sink.len, strlen(text));
	ck_assert_mem_eq(sink.data, text, sink.len);
}

static void begin(size_t size)
{
	expect_ok(eio_buf_writer_begin(&w, sink_flow(), size));
}

static void put(const char *text)
{
	expect_ok(eio_buf_write_string(&w, text));
}

static int put_later(void *text)
{
	int rc = eio_buf_write_string(&w, text);

	note("put %s: %s", (char *) text, rc < 0 ? eio_err_name(rc) : "ok");
	return 0;
}

static int flush_later(void *arg)
{
	int rc = eio_buf_writer_flush(&w);

	(void) arg;
	note("flush: %s", rc < 0 ? eio_err_name(rc) : "ok");
	return 0;
}

static void pass(void)
{
	for (int i = 0; i < 5; i++)
		expect_ok(eio_yield());
}

/* When it is sent */

CORE_TEST(writes_gather_until_the_fiber_sleeps)
{
	(void) arg;
	begin(0);
	put("one ");
	put("two ");
	put("three");
	expect_sent("");
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 13);
	expect_ok(eio_sleep(env->mono_clock, 1));
	expect_sent("one two three");
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 0);
	put(" four");
	note("end");
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("one two three four");
	expect_log("[13] end [5]");
	return 0;
}

CORE_TEST(a_flush_returns_when_the_bytes_are_really_written)
{
	(void) arg;
	begin(0);
	sink.step = 3;
	put("abcdefgh");
	expect_ok(eio_buf_writer_flush(&w));
	expect_sent("abcdefgh");
	expect_log("[3] [3] [2]");
	expect_ok(eio_buf_writer_flush(&w));
	expect_ok(eio_buf_writer_end(&w, 7) - 7);
	expect_log("");
	return 0;
}

CORE_TEST(a_flush_waits_for_what_was_written_before_it_and_no_longer)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin(0);
	sink.gate = &gate;
	eio_switch_begin(&sw);
	put("abc");
	expect_ok(eio_fork(&sw, flush_later, NULL));
	pass();
	/* One step is under way; these go with the next. */
	put("def");
	put("ghi");
	expect_log("");
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	pass();
	expect_log("[3] flush: ok [6]");
	expect_ok(eio_switch_end(&sw, 0));
	return eio_buf_writer_end(&w, 0);
}

CORE_TEST(a_writer_has_a_fiber_and_a_buffer_only_while_something_is_unsent)
{
	struct eio__buf_writer *inner = eio__buf_writer_of(&w);

	(void) arg;
	begin(0);
	ck_assert_uint_eq(count_fibers(), 0);
	ck_assert_ptr_null(inner->batch);
	put("abc");
	ck_assert_uint_eq(count_fibers(), 1);
	ck_assert_ptr_nonnull(inner->batch);
	pass();
	ck_assert_uint_eq(count_fibers(), 0);
	ck_assert_ptr_null(inner->batch);
	return eio_buf_writer_end(&w, 0);
}

MOCK_TEST(what_is_unsent_is_sent_on_failure_and_the_failure_is_what_comes_out)
{
	(void) arg;
	begin(0);
	put("half");
	eio_error_set(-EINVAL, "parse", "request");
	expect_err(eio_buf_writer_end(&w, -EINVAL), -EINVAL);
	ck_assert_str_eq(eio_last_error()->subject, "request");
	expect_sent("half");

	/* Also before a failure to send. */
	begin(0);
	sink.err = -EPIPE;
	put("half");
	expect_err(eio_buf_writer_end(&w, -EINVAL), -EINVAL);
	log_clear();
	return 0;
}

/* One that was begun before the end. */
MOCK_TEST(the_bodys_failure_comes_before_that_of_a_send_under_way)
{
	struct eio_promise gate = EIO_PROMISE_INIT;

	(void) arg;
	begin(0);
	sink.gate = &gate;
	put("half");
	pass();
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	sink.err = -EPIPE;
	expect_err(eio_buf_writer_end(&w, -EINVAL), -EINVAL);
	return 0;
}

MOCK_TEST(what_is_unsent_is_dropped_on_cancellation)
{
	struct eio_cancel c;

	(void) arg;
	begin(0);
	put("half");
	expect_err(eio_buf_writer_end(&w, -ECANCELED), -ECANCELED);
	expect_sent("");

	eio_cancel_begin(&c);
	begin(0);
	put("half");
	expect_ok(eio_cancel_raise(&c, -EINTR));
	expect_err(eio_buf_write(&w, "x", 1), -ECANCELED);
	expect_err(eio_buf_writer_end(&w, 0), -ECANCELED);
	expect_sent("");

	/* Nothing was lost: nothing to report. */
	begin(0);
	expect_err(eio_buf_writer_end(&w, 3), 3);
	eio_cancel_end(&c);

	/* The same while the writer's own fiber is still there. */
	eio_cancel_begin(&c);
	begin(0);
	put("all");
	expect_ok(eio_buf_writer_flush(&w));
	ck_assert_uint_eq(count_fibers(), 1);
	expect_ok(eio_cancel_raise(&c, -EINTR));
	expect_err(eio_buf_writer_end(&w, 3), 3);
	eio_cancel_end(&c);
	log_clear();
	return 0;
}

MOCK_TEST(a_send_under_way_is_stopped_on_cancellation)
{
	struct eio_promise never = EIO_PROMISE_INIT;

	(void) arg;
	begin(0);
	sink.gate = &never;
	put("half");
	pass();
	expect_err(eio_buf_writer_end(&w, -ECANCELED), -ECANCELED);
	expect_sent("");
	return 0;
}

/* Failures to send */

static int write_and_wait(void *arg)
{
	(void) arg;
	put("abc");
	expect_err(eio_await_cancel(), -ECANCELED);
	expect_err(eio_buf_write(&w, "x", 1), -ECANCELED);
	return -ECANCELED;
}

MOCK_TEST(a_failure_to_send_fails_the_scope)
{
	(void) arg;
	begin(0);
	sink.err = -EPIPE;
	expect_err(eio_buf_writer_end(&w, write_and_wait(NULL)), -EPIPE);
	ck_assert_str_eq(eio_last_error()->subject, "sink");
	return 0;
}

MOCK_TEST(a_flush_that_fails_says_why_and_so_does_the_end)
{
	int rc;

	(void) arg;
	begin(0);
	sink.err = -EPIPE;
	put("abc");
	rc = eio_buf_writer_flush(&w);
	expect_err(rc, -EPIPE);
	ck_assert_str_eq(eio_last_error()->subject, "sink");
	expect_err(eio_check(), -ECANCELED);
	expect_err(eio_buf_writer_end(&w, rc), -EPIPE);
	ck_assert_str_eq(eio_last_error()->subject, "sink");

	begin(0);
	sink.err = -EPIPE;
	put("abc");
	expect_err(eio_buf_writer_end(&w, 0), -EPIPE);
	ck_assert_str_eq(eio_last_error()->subject, "sink");
	return 0;
}

static int own_failing(void *arg)
{
	begin(4);
	sink.err = -EPIPE;
	put("abcd");
	expect_err(eio_promise_await(arg, NULL), -ECANCELED);
	note("cancelled");
	expect_err(eio_buf_writer_end(&w, -ECANCELED), -EPIPE);
	return 0;
}

MOCK_TEST(fibers_outside_the_scope_get_the_failure_itself)
{
	struct eio_promise never = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, own_failing, &never));
	expect_err(eio_buf_write(&w, "x", 1), -EPIPE);
	expect_err(eio_buf_write(&w, "x", 1), -EPIPE);
	expect_err(eio_buf_writer_flush(&w), -EPIPE);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("cancelled");
	return 0;
}

/* Room */

CORE_TEST(a_write_waits_for_room_and_its_bytes_stay_together)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin(8);
	sink.gate = &gate;
	sink.step = 4;
	eio_switch_begin(&sw);
	put("012345");
	expect_ok(eio_fork(&sw, put_later, "abcde"));
	/* It would fit, but somebody waits already. */
	pass();
	expect_ok(eio_fork(&sw, put_later, "X"));
	pass();
	expect_log("");
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 6);
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("012345abcdeX");
	expect_log("[4] put abcde: ok [4] put X: ok [4]");
	return 0;
}

/* More than is left, less than the buffer. */
MOCK_TEST(a_cancelled_write_that_waits_for_room_has_added_nothing)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_timeout t;

	(void) arg;
	begin(8);
	sink.gate = &gate;
	put("012345");
	eio_timeout_begin(&t, env->mono_clock, 10);
	expect_err(eio_timeout_end(&t, eio_buf_write(&w, "abc", 3)), -ETIMEDOUT);
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 6);
	put("de");
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("012345de");
	log_clear();
	return 0;
}

CORE_TEST(a_long_write_goes_out_from_where_it_is_with_what_came_before)
{
	static char data[300000];

	(void) arg;
	fill(data, sizeof(data), 0);
	begin(16);
	put("head");
	expect_ok(eio_buf_write(&w, data, sizeof(data)));
	expect_log("[300004]");
	put("tail");
	sink.step = 100000;
	expect_ok(eio_buf_writer_end(&w, 0));
	ck_assert_uint_eq(sink.len, sizeof(data) + 8);
	ck_assert_mem_eq(sink.data, "head", 4);
	ck_assert(is_filled(sink.data + 4, sizeof(data), 0));
	ck_assert_mem_eq(sink.data + 4 + sizeof(data), "tail", 4);
	log_clear();

	begin(16);
	sink.expected = data;
	expect_ok(eio_buf_write(&w, data, 17));
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();
	return 0;
}

MOCK_TEST(a_long_write_that_fails_tells_how_much_went)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_timeout t;

	(void) arg;
	begin(4);
	sink.step = 3;
	put("ab");
	expect_ok(eio_buf_writer_flush(&w));
	put("cd");
	expect_ok(eio_buf_write(&w, "0123456", 7));
	expect_sent("abcd0123456");
	sink.gate = &gate;
	put("ef");
	eio_timeout_begin(&t, env->mono_clock, 10);
	expect_err(eio_timeout_end(&t, eio_buf_write(&w, "789abcdef", 9)), -ETIMEDOUT);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_buf_writer_flush(&w));
	expect_sent("abcd0123456ef");
	sink.err = -ENOSPC;
	expect_err(eio_buf_write(&w, "0123456", 7), -ENOSPC);
	ck_assert_str_eq(eio_last_error()->subject, "sink");
	expect_err(eio_buf_writer_end(&w, -ENOSPC), -ENOSPC);
	log_clear();
	return 0;
}

MOCK_TEST(a_write_that_is_refused_tells_that_nothing_went)
{
	struct eio_promise never = EIO_PROMISE_INIT;
	struct eio_timeout limit;

	(void) arg;
	begin(4);
	sink.step = 3;
	eio_timeout_begin(&limit, env->mono_clock, 1);
	expect_ok(eio_buf_write(&w, "0123456", 7));
	sink.gate = &never;
	expect_err(eio_buf_write(&w, "0123456", 7), -ECANCELED);
	eio_error_set(-ECANCELED, "write", NULL);
	expect_err(eio__fail_done(-ECANCELED, "write", 5), -ECANCELED);
	expect_err(eio_buf_write(&w, "0123456", 7), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_timeout_end(&limit, -ECANCELED), -ETIMEDOUT);
	log_clear();
	return eio_buf_writer_end(&w, 0);
}

MOCK_TEST(a_buffer_wraps_and_the_order_is_kept)
{
	char text[64];
	size_t n = 0;

	(void) arg;
	begin(7);
	sink.step = 2;
	for (int i = 0; i < 200; i++) {
		int len = snprintf(text, sizeof(text), "%d,", i * i % 1000);

		if (i % 3 == 0)
			expect_ok(eio_buf_write_printf(&w, "%s", text));
		else
			put(text);
		n += (size_t) len;
		if (i % 10 == 0)
			expect_ok(eio_yield());
		log_clear();
	}
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();
	ck_assert_uint_eq(sink.len, n);
	for (int i = 0, at = 0; i < 200; i++) {
		int len = snprintf(text, sizeof(text), "%d,", i * i % 1000);

		ck_assert_mem_eq(sink.data + at, text, (size_t) len);
		at += len;
	}
	return 0;
}

/* Without a copy */

MOCK_TEST(what_is_scheduled_is_not_copied_and_the_order_is_kept)
{
	static const char piece[] = "piece", other[] = "other";

	(void) arg;
	begin(0);
	put("<");
	expect_ok(eio_buf_write_schedule(&w, piece, 5));
	put("|");
	expect_ok(eio_buf_write_schedule(&w, "", 0));
	expect_ok(eio_buf_write_schedule(&w, other, 5));
	expect_ok(eio_buf_write_schedule(&w, piece, 2));
	put(">");
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 15);
	expect_ok(eio_buf_writer_flush(&w));
	expect_sent("<piece|otherpi>");
	expect_log("[15]");
	sink.expected = other;
	expect_ok(eio_buf_write_schedule(&w, other, 5));
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();
	return 0;
}

MOCK_TEST(pieces_are_sent_whole_however_little_a_step_takes)
{
	(void) arg;
	for (size_t step = 1; step < 12; step++) {
		begin(8);
		sink.step = step;
		for (int i = 0; i < 50; i++) {
			put("ab");
			expect_ok(eio_buf_write_schedule(&w, "0123456789", 10));
			put("c");
		}
		expect_ok(eio_buf_writer_end(&w, 0));
		ck_assert_uint_eq(sink.len, 50 * 13);
		for (int i = 0; i < 50; i++)
			ck_assert_mem_eq(sink.data + i * 13, "ab0123456789c", 13);
		log_clear();
	}
	return 0;
}

static int schedule_later(void *text)
{
	int rc = eio_buf_write_schedule(&w, text, strlen(text));

	note("scheduled: %s", rc < 0 ? eio_err_name(rc) : "ok");
	return 0;
}

MOCK_TEST(scheduling_waits_while_more_than_size_or_sixteen_pieces_are_unsent)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin(8);
	eio_switch_begin(&sw);
	sink.gate = &gate;
	sink.step = 4;
	expect_ok(eio_buf_write_schedule(&w, "01234567", 8));
	expect_ok(eio_buf_write_schedule(&w, "89", 2));
	expect_ok(eio_fork(&sw, schedule_later, "ab"));
	pass();
	expect_log("");
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	pass();
	expect_log("[4] scheduled: ok [4] [4]");

	gate = (struct eio_promise) EIO_PROMISE_INIT;
	for (int i = 0; i < 8; i++)
		expect_ok(eio_buf_write_schedule(&w, "x", 1));
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 8);
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_buf_writer_flush(&w));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();

	begin(100);
	eio_switch_begin(&sw);
	gate = (struct eio_promise) EIO_PROMISE_INIT;
	sink.gate = &gate;
	for (int i = 0; i < 16; i++)
		expect_ok(eio_buf_write_schedule(&w, "x", 1));
	expect_ok(eio_fork(&sw, schedule_later, "y"));
	pass();
	expect_log("");
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("xxxxxxxxxxxxxxxxy");
	log_clear();
	return 0;
}

/* Pauses */

MOCK_TEST(a_pause_holds_until_it_is_ended_flushed_or_closed)
{
	(void) arg;
	begin(8);
	expect_ok(eio_buf_writer_pause(&w));
	put("abc");
	ck_assert_uint_eq(count_fibers(), 0);
	pass();
	expect_log("");
	put("d");
	expect_ok(eio_buf_writer_unpause(&w));
	pass();
	expect_log("[4]");

	expect_ok(eio_buf_writer_pause(&w));
	put("e");
	pass();
	expect_ok(eio_buf_writer_flush(&w));
	expect_log("[1]");

	/* In the middle. */
	put("f");
	expect_ok(eio_buf_writer_pause(&w));
	pass();
	expect_log("");
	expect_ok(eio_buf_writer_unpause(&w));
	pass();
	expect_log("[1]");

	expect_ok(eio_buf_writer_pause(&w));
	put("ghi");
	expect_ok(eio_buf_writer_close(&w));
	pass();
	expect_log("[3]");
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abcdefghi");
	return 0;
}

MOCK_TEST(a_full_buffer_and_the_end_end_a_pause)
{
	(void) arg;
	begin(8);
	expect_ok(eio_buf_writer_pause(&w));
	put("abcdef");
	put("ghi");
	expect_log("[6]");
	pass();
	expect_log("[3]");
	expect_ok(eio_buf_writer_pause(&w));
	put("jkl");
	pass();
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abcdefghijkl");
	expect_log("[3]");
	return 0;
}

MOCK_TEST(a_flush_ends_a_pause_with_nothing_unsent_too)
{
	(void) arg;
	begin(8);
	expect_ok(eio_buf_writer_pause(&w));
	expect_ok(eio_buf_writer_flush(&w));
	put("abc");
	pass();
	expect_log("[3]");
	return eio_buf_writer_end(&w, 0);
}

/* Nobody writes or flushes any more. */
MOCK_TEST(what_a_cancelled_call_has_unpaused_goes_out_all_the_same)
{
	(void) arg;
	for (int i = 0; i < 2; i++) {
		struct eio_promise never = EIO_PROMISE_INIT;
		struct eio_timeout limit;
		int rc;

		begin(4);
		expect_ok(eio_buf_writer_pause(&w));
		put("abc");
		sink.gate = &never;
		eio_timeout_begin(&limit, env->mono_clock, 1);
		rc = i ? eio_buf_write(&w, "def", 3) : eio_buf_writer_flush(&w);
		expect_err(rc, -ECANCELED);
		expect_err(eio_timeout_end(&limit, rc), -ETIMEDOUT);
		ck_assert_uint_eq(eio_buf_writer_pending(&w), 3);
		sink.gate = NULL;
		pass();
		expect_sent("abc");
		expect_log("[3]");
		expect_ok(eio_buf_writer_end(&w, 0));
	}
	return 0;
}

/* Close and abort */

MOCK_TEST(a_closed_writer_takes_no_more_and_sends_what_it_has)
{
	(void) arg;
	begin(0);
	put("abc");
	expect_ok(eio_buf_writer_close(&w));
	expect_err(eio_buf_write(&w, "x", 1), -EBADF);
	expect_err(eio_buf_write_schedule(&w, "x", 1), -EBADF);
	expect_err(eio_buf_write_printf(&w, "x"), -EBADF);
	expect_err(eio_buf_write_u8(&w, 1), -EBADF);
	expect_ok(eio_buf_writer_close(&w));
	expect_ok(eio_buf_writer_flush(&w));
	expect_sent("abc");
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();
	return 0;
}

MOCK_TEST(an_abort_wakes_those_who_flush_or_wait_for_room_with_an_error)
{
	struct eio_promise never = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin(4);
	sink.gate = &never;
	eio_switch_begin(&sw);
	put("abcd");
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_fork(&sw, put_later, "ef"));
	expect_ok(eio_fork(&sw, flush_later, NULL));
	pass();
	expect_log("");
	expect_ok(eio_buf_writer_abort(&w));
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 0);
	pass();
	expect_log("flush: EIO_EABANDONED put ef: EIO_EABANDONED flush: EIO_EABANDONED");
	expect_err(eio_buf_write(&w, "x", 1), EIO_EABANDONED);
	expect_err(eio_buf_writer_flush(&w), EIO_EABANDONED);
	expect_ok(eio_buf_writer_abort(&w));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_buf_writer_end(&w, 5), 5);
	expect_sent("");
	return 0;
}

/* What the step gives that was under way does not count any more. */
static int abort_within(void *arg)
{
	(void) arg;
	expect_ok(eio_buf_writer_abort(&w));
	return 0;
}

MOCK_TEST(an_abort_while_bytes_are_sent_counts_nothing_twice)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin(4);
	sink.gate = &gate;
	eio_switch_begin(&sw);
	put("abcd");
	pass();
	/* The gate's waiter has been woken, so it goes on to write. */
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_fork(&sw, abort_within, NULL));
	pass();
	expect_log("[4]");
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 0);
	expect_ok(eio_switch_end(&sw, 0));
	return eio_buf_writer_end(&w, 0);
}

MOCK_TEST(the_writers_own_fiber_is_stopped_by_an_abort)
{
	struct eio_promise never = EIO_PROMISE_INIT;

	(void) arg;
	begin(4);
	sink.gate = &never;
	put("abcd");
	pass();
	expect_ok(eio_buf_writer_abort(&w));
	pass();
	ck_assert_uint_eq(count_fibers(), 0);
	return eio_buf_writer_end(&w, 0);
}

/* Fibers outside the scope */

static int own(void *stop)
{
	int rc;

	begin(4);
	put("abcd");
	rc = eio_promise_await(stop, NULL);
	rc = eio_buf_writer_end(&w, rc < 0 ? -ECANCELED : 0);
	note("own: %s", rc < 0 ? eio_err_name(rc) : "ok");
	return 0;
}

MOCK_TEST(the_end_waits_for_calls_of_others_which_end)
{
	struct eio_promise stop = EIO_PROMISE_INIT, gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, own, &stop));
	sink.gate = &gate;
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_fork(&sw, put_later, "ef"));
	expect_ok(eio_fork(&sw, put_later, "gh"));
	expect_ok(eio_promise_resolve(&stop, 0, NULL));
	pass();
	expect_log("");
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("[4] flush: ok put ef: EBADF put gh: EBADF own: ok");
	expect_sent("abcd");
	return 0;
}

MOCK_TEST(a_cancelled_end_stops_the_calls_of_others)
{
	struct eio_promise stop = EIO_PROMISE_INIT, never = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, own, &stop));
	sink.gate = &never;
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_fork(&sw, put_later, "ef"));
	pass();
	expect_ok(eio_promise_resolve(&stop, -EINTR, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("flush: EIO_EABANDONED put ef: EIO_EABANDONED own: ECANCELED");
	return 0;
}

/* A long write by another fiber goes past the buffer, so the end has nothing to flush. */
static int write_past(void *arg)
{
	int rc = eio_buf_write(&w, arg, 10);

	note("write: %s", rc < 0 ? eio_err_name(rc) : "ok");
	return 0;
}

static int end_in_time(void *arg)
{
	struct eio_timeout limit;
	int rc;

	(void) arg;
	eio_timeout_begin(&limit, env->mono_clock, EIO_MS(1));
	begin(4);
	expect_ok(eio_sleep(env->mono_clock, 1));
	rc = eio_buf_writer_end(&w, 0);
	note("end: %s", rc < 0 ? eio_err_name(rc) : "ok");
	expect_err(eio_timeout_end(&limit, rc), -ETIMEDOUT);
	return 0;
}

MOCK_TEST(an_end_that_waits_for_the_calls_of_others_may_be_cancelled)
{
	struct eio_promise never = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, end_in_time, NULL));
	sink.gate = &never;
	expect_ok(eio_fork(&sw, write_past, "0123456789"));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("write: EIO_EABANDONED end: ECANCELED");
	return 0;
}

/* Not only because of its own fiber, which waits behind them: here there is none. */
MOCK_TEST(a_cancelled_end_waits_for_the_calls_of_others)
{
	struct eio_promise stop = EIO_PROMISE_INIT, never = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, own, &stop));
	sink.gate = &never;
	expect_ok(eio_buf_writer_pause(&w));
	pass();
	ck_assert_uint_eq(count_fibers(), 1);
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_promise_resolve(&stop, -EINTR, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("flush: EIO_EABANDONED own: ECANCELED");
	return 0;
}

static int use_elsewhere(void *arg)
{
	(void) arg;
	expect_err(eio_buf_write(&w, "x", 1), -EPERM);
	expect_err(eio_buf_writer_flush(&w), -EPERM);
	expect_err(eio_buf_writer_pause(&w), -EPERM);
	expect_err(eio_buf_writer_unpause(&w), -EPERM);
	expect_err(eio_buf_writer_close(&w), -EPERM);
	expect_err(eio_buf_writer_abort(&w), -EPERM);
	expect_err(eio_buf_writer_end(&w, 0), -EPERM);
	return 0;
}

static int use_without_a_domain(void *arg)
{
	struct eio_buf_writer other;

	expect_err(eio_buf_writer_begin(&other, eio_null(), 0), -EPERM);
	return use_elsewhere(arg);
}

MOCK_TEST(other_domains_are_refused)
{
	(void) arg;
	begin(0);
	put("abc");
	expect_ok(in_other_domain(use_elsewhere, NULL));
	expect_ok(on_plain_thread(use_without_a_domain, NULL));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abc");
	log_clear();
	return 0;
}

MOCK_TEST(what_makes_no_sense_is_refused)
{
	struct iovec iov;

	(void) arg;
	expect_err(eio_buf_writer_begin(&w, (struct eio_flow){.ops = NULL}, 0), -EBADF);
	expect_err(eio_buf_writer_begin(&w, eio_null(), SIZE_MAX), -EINVAL);
	begin(0);
	expect_err(eio_buf_writer_await_batch(&w, &iov, 1), -EINVAL);
	expect_err(eio_buf_writer_shift(&w, 0), -EINVAL);
	expect_err(eio_buf_writer_drain(&w), -EINVAL);
	expect_ok(eio_buf_write(&w, NULL, 0));
	ck_assert_ptr_null(eio__buf_writer_of(&w)->batch);
	return eio_buf_writer_end(&w, 0);
}

/* What is written */

MOCK_TEST(every_number_is_written_in_both_orders)
{
	static const unsigned char bytes[] = {
		0x01, 1, 2, 1,    2, 3, 4, 1, 2, 3, 4, 5,    6,    1, 2, 3, 4, 5, 6, 7, 8,    0xc0,
		0x20, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0, 2,    1,    4, 3, 2, 1, 6, 5, 4, 3,    2,
		1,    8, 7, 6,    5, 4, 3, 2, 1, 0, 0, 0x20, 0xc0, 0, 0, 0, 0, 0, 0, 4, 0xc0,
	};

	(void) arg;
	begin(0);
	expect_ok(eio_buf_write_u8(&w, 1));
	expect_ok(eio_buf_write_be16(&w, 0x0102));
	expect_ok(eio_buf_write_be32(&w, 0x01020304));
	expect_ok(eio_buf_write_be48(&w, 0x010203040506));
	expect_ok(eio_buf_write_be64(&w, 0x0102030405060708));
	expect_ok(eio_buf_write_be_float(&w, -2.5f));
	expect_ok(eio_buf_write_be_double(&w, -2.5));
	expect_ok(eio_buf_write_le16(&w, 0x0102));
	expect_ok(eio_buf_write_le32(&w, 0x01020304));
	expect_ok(eio_buf_write_le48(&w, 0x010203040506));
	expect_ok(eio_buf_write_le64(&w, 0x0102030405060708));
	expect_ok(eio_buf_write_le_float(&w, -2.5f));
	expect_ok(eio_buf_write_le_double(&w, -2.5));
	expect_ok(eio_buf_writer_end(&w, 0));
	ck_assert_uint_eq(sink.len, sizeof(bytes));
	ck_assert_mem_eq(sink.data, bytes, sizeof(bytes));
	log_clear();
	return 0;
}

MOCK_TEST(text_is_formatted_whether_it_fits_or_not)
{
	(void) arg;
	begin(8);
	expect_ok(eio_buf_write_printf(&w, "%d", 123));
	expect_ok(eio_buf_write_printf(&w, "%s", ""));
	/* Not the NUL. */
	expect_ok(eio_buf_write_printf(&w, "%d", 45678));
	expect_ok(eio_buf_write_char(&w, ';'));
	expect_ok(eio_buf_write_printf(&w, "%s %s;", "longer than", "the buffer"));
	expect_ok(eio_buf_writer_flush(&w));
	expect_ok(eio_buf_write_printf(&w, "%s", ""));
	ck_assert_ptr_null(eio__buf_writer_of(&w)->batch);
	pass();
	ck_assert_uint_eq(count_fibers(), 0);
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("12345678;longer than the buffer;");
	log_clear();
	return 0;
}

MOCK_TEST(a_format_that_cannot_be_is_einval)
{
	const wchar_t bad[] = {0x110000, 0};

	(void) arg;
	begin(0);
	expect_err(eio_buf_write_printf(&w, "%ls", bad), -EINVAL);
	put("x");
	expect_err(eio_buf_write_printf(&w, "%ls", bad), -EINVAL);
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("x");
	log_clear();
	return 0;
}

/* Without memory */

static int write_without_memory(void *arg)
{
	int write, print, schedule, end;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	begin(0);
	use_memory_up(1024);
	write = eio_buf_write(&w, "x", 1);
	print = eio_buf_write_printf(&w, "x");
	schedule = eio_buf_write_schedule(&w, "x", 1);
	give_memory_back();
	expect_err(write, -ENOMEM);
	expect_err(print, -ENOMEM);
	expect_err(schedule, -ENOMEM);
	ck_assert_uint_eq(eio_buf_writer_pending(&w), 0);
	put("abc");
	end = eio_buf_writer_end(&w, 0);
	expect_ok(end);
	expect_sent("abc");
	log_clear();
	return 0;
}

START_TEST(without_memory_for_the_buffer_nothing_is_added)
{
	if (!SANITIZED)
		run_mock(write_without_memory, 0);
}
END_TEST

/* The buffer can be had, a stack cannot. */
static int write_without_fibers(void *arg)
{
	struct eio_switch sw;
	int filled = 0, write, held, rest;
	size_t sent[2];

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	begin(4);
	eio_switch_begin(&sw);
	use_memory_up(1 << 16);
	while (filled == 0)
		filled = eio_fork(&sw, (eio_fn *) (void (*)(void)) eio_await_cancel, NULL);
	write = eio_buf_write(&w, "abc", 3);
	sent[0] = sink.len;
	/* And one that has to wait for room. */
	eio_buf_writer_pause(&w);
	held = eio_buf_write(&w, "def", 3);
	rest = eio_buf_write(&w, "ghi", 3);
	sent[1] = sink.len;
	give_memory_back();
	expect_err(filled, -ENOMEM);
	expect_ok(write);
	expect_ok(held);
	expect_ok(rest);
	ck_assert_uint_eq(sent[0], 3);
	ck_assert_uint_eq(sent[1], 9);
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	expect_sent("abcdefghi");
	log_clear();
	return eio_buf_writer_end(&w, 0);
}

START_TEST(without_memory_for_a_fiber_the_calling_one_sends)
{
	if (!SANITIZED)
		run_mock(write_without_fibers, 0);
}
END_TEST

/* What was taken is the writer's, whatever becomes of who sent it. */
static int schedule_without_fibers(void *arg)
{
	struct eio_promise never = EIO_PROMISE_INIT;
	struct eio_timeout limit;
	struct eio_switch sw;
	int filled = 0, scheduled, written;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	begin(8);
	eio_switch_begin(&sw);
	eio_timeout_begin(&limit, env->mono_clock, 1);
	use_memory_up(1 << 16);
	while (filled == 0)
		filled = eio_fork(&sw, (eio_fn *) (void (*)(void)) eio_await_cancel, NULL);
	sink.gate = &never;
	scheduled = eio_buf_write_schedule(&w, "abc", 3);
	written = eio_buf_write(&w, "def", 3);
	give_memory_back();
	expect_err(filled, -ENOMEM);
	expect_ok(scheduled);
	expect_err(written, -ECANCELED);
	expect_err(eio_timeout_end(&limit, written), -ETIMEDOUT);
	expect_err(eio_switch_end(&sw, -ECANCELED), -ECANCELED);
	sink.gate = NULL;
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abc");
	log_clear();
	return 0;
}

START_TEST(what_a_cancelled_write_has_taken_is_sent_without_memory_for_a_fiber_too)
{
	if (!SANITIZED)
		run_mock(schedule_without_fibers, 0);
}
END_TEST

/* Transports */

static struct {
	size_t step;
	struct eio_promise *gate;
	int quit_after; /* batches; 0: never */
	int rc;
} transport;

static int carry(struct eio_buf_writer *writer, void *arg)
{
	struct iovec iov[3];
	int n, batches = 0;

	ck_assert_ptr_eq(arg, &transport);
	while ((n = eio_buf_writer_await_batch(writer, iov, 3)) > 0) {
		ssize_t sent;

		note("{%d}", n);
		if (transport.gate && eio_promise_await(transport.gate, NULL) < 0)
			return -ECANCELED;
		sink.step = transport.step;
		sent = sink_write_some((struct eio_flow){.u.ptr = &sink}, iov, n);
		expect_ok(eio_buf_writer_shift(writer, (size_t) sent));
		if (++batches == transport.quit_after)
			return transport.rc;
	}
	note("done");
	return n;
}

static void begin_with(size_t size, size_t step)
{
	(void) sink_flow();
	memset(&transport, 0, sizeof(transport));
	transport.step = step;
	expect_ok(eio_buf_writer_begin_with(&w, size, carry, &transport));
}

CORE_TEST(a_transport_gets_what_was_written_in_batches)
{
	(void) arg;
	begin_with(0, 4);
	put("ab");
	expect_ok(eio_buf_write_schedule(&w, "cdef", 4));
	put("gh");
	expect_log("");
	pass();
	expect_log("{3} [4] {2} [4]");
	put("ij");
	expect_ok(eio_buf_writer_flush(&w));
	expect_log("{1} [2]");
	put("kl");
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_log("{1} [2] done");
	expect_sent("abcdefghijkl");
	return 0;
}

MOCK_TEST(writes_wait_for_a_transport_to_make_room)
{
	(void) arg;
	begin_with(4, 3);
	put("abcdefghijkl");
	expect_ok(eio_buf_write_schedule(&w, "mnopq", 5));
	put("rs");
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abcdefghijklmnopqrs");
	log_clear();
	return 0;
}

MOCK_TEST(a_transport_that_fails_fails_the_scope)
{
	(void) arg;
	begin_with(0, 1);
	transport.quit_after = 1;
	transport.rc = -EPIPE;
	put("abc");
	expect_err(eio_buf_writer_flush(&w), -ECANCELED);
	expect_err(eio_buf_writer_end(&w, -ECANCELED), -EPIPE);
	log_clear();
	return 0;
}

MOCK_TEST(the_bodys_failure_comes_before_that_of_a_transport)
{
	(void) arg;
	begin_with(0, 1);
	transport.quit_after = 1;
	transport.rc = -EPIPE;
	put("abc");
	expect_err(eio_buf_writer_end(&w, -EINVAL), -EINVAL);
	log_clear();
	return 0;
}

MOCK_TEST(a_transport_that_gives_up_is_no_silent_loss)
{
	(void) arg;
	begin_with(0, 1);
	transport.quit_after = 1;
	put("abc");
	expect_err(eio_buf_writer_flush(&w), EIO_EABANDONED);
	expect_err(eio_buf_write(&w, "x", 1), EIO_EABANDONED);
	expect_err(eio_buf_writer_end(&w, 0), EIO_EABANDONED);
	log_clear();
	return 0;
}

static int drain_and_quit(struct eio_buf_writer *writer, void *arg)
{
	struct iovec iov[1];

	(void) arg;
	while (eio_buf_writer_await_batch(writer, iov, 1) > 0) {
		expect_err(eio_buf_writer_shift(writer, 100), -EINVAL);
		expect_ok(eio_buf_writer_shift(writer, 1));
		note("drained %d", (int) eio_buf_writer_drain(writer));
	}
	return 0;
}

MOCK_TEST(a_drain_drops_what_is_unsent_and_tells_those_who_flush)
{
	struct iovec iov;

	(void) arg;
	expect_ok(eio_buf_writer_begin_with(&w, 0, drain_and_quit, NULL));
	expect_err(eio_buf_writer_await_batch(&w, &iov, 0), -EINVAL);
	put("abc");
	expect_err(eio_buf_writer_flush(&w), EIO_EABANDONED);
	expect_log("drained 2");
	expect_ok(eio_buf_writer_flush(&w));
	/* All of this is shifted, and the drain drops nothing. */
	put("d");
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();
	return 0;
}

MOCK_TEST(a_pause_holds_a_transport_too)
{
	(void) arg;
	begin_with(0, 0);
	expect_ok(eio_buf_writer_pause(&w));
	put("abc");
	pass();
	expect_log("");
	expect_ok(eio_buf_writer_unpause(&w));
	pass();
	expect_log("{1} [3]");
	expect_ok(eio_buf_writer_pause(&w));
	put("d");
	pass();
	expect_ok(eio_buf_writer_flush(&w));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_sent("abcd");
	log_clear();
	return 0;
}

MOCK_TEST(a_pause_does_not_hold_what_is_waited_for_already)
{
	struct eio_switch sw;

	(void) arg;
	begin_with(0, 2);
	eio_switch_begin(&sw);
	put("abcd");
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_buf_writer_pause(&w));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("{1} [2] {1} [2] flush: ok");
	expect_ok(eio_buf_writer_end(&w, 0));
	log_clear();

	begin(0);
	sink.step = 2;
	eio_switch_begin(&sw);
	put("abcd");
	expect_ok(eio_fork(&sw, flush_later, NULL));
	expect_ok(eio_buf_writer_pause(&w));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("[2] [2] flush: ok");
	return eio_buf_writer_end(&w, 0);
}

/* It has begun before, and between two of its parts nothing is unsent. */
MOCK_TEST(a_transport_gets_all_of_a_long_write_though_the_writer_is_closed)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	begin_with(4, 0);
	expect_ok(eio_fork(&sw, put_later, "0123456789"));
	expect_ok(eio_buf_writer_close(&w));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_ok(eio_switch_end(&sw, 0));
	expect_sent("0123456789");
	expect_log("{1} [4] {1} [4] put 0123456789: ok {1} [2] done");
	return 0;
}

/* One that does not ask for more. */
MOCK_TEST(a_transport_that_gives_up_in_a_long_write_fails_it)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	begin_with(4, 0);
	transport.quit_after = 1;
	expect_ok(eio_fork(&sw, put_later, "0123456789"));
	expect_ok(eio_buf_writer_close(&w));
	expect_err(eio_buf_writer_end(&w, 0), EIO_EABANDONED);
	expect_ok(eio_switch_end(&sw, 0));
	expect_sent("0123");
	expect_log("{1} [4] put 0123456789: EIO_EABANDONED");
	return 0;
}

MOCK_TEST(an_abort_ends_a_transport)
{
	struct eio_promise gate = EIO_PROMISE_INIT;
	struct eio_switch sw;

	(void) arg;
	begin_with(4, 0);
	eio_switch_begin(&sw);
	transport.gate = &gate;
	put("abcd");
	expect_ok(eio_fork(&sw, flush_later, NULL));
	pass();
	expect_log("{1}");
	expect_ok(eio_buf_writer_abort(&w));
	pass();
	expect_log("flush: EIO_EABANDONED");
	/* What it had in its hands it may still use. */
	expect_ok(eio_promise_resolve(&gate, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_log("[4] done");
	return 0;
}

MOCK_TEST(in_a_cancelled_context_a_transport_is_not_begun)
{
	struct eio_cancel c;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EINTR));
	begin_with(0, 0);
	expect_err(eio_buf_write(&w, "x", 1), -ECANCELED);
	expect_err(eio_buf_writer_end(&w, -ECANCELED), -ECANCELED);
	eio_cancel_end(&c);
	return 0;
}

/* Real ones */

static int read_all(void *arg)
{
	struct eio_flow *from = arg;
	struct eio_buffer_sink got;
	uint64_t n;

	expect_ok(eio_flow_copy(*from, eio_buffer_sink_init(&got, 0), &n));
	note("%d bytes", (int) n);
	ck_assert(is_filled(got.data, n, 0));
	eio_buffer_sink_fini(&got);
	return 0;
}

RING_TEST(many_small_writes_go_over_a_connection)
{
	enum { PIECES = 30000, LEN = 33 };

	static char data[PIECES * LEN];
	struct eio_switch sw;
	struct eio_flow a, b;

	(void) arg;
	fill(data, sizeof(data), 0);
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	expect_ok(eio_fork(&sw, read_all, &b));
	expect_ok(eio_buf_writer_begin(&w, a, 0));
	for (int i = 0; i < PIECES; i++) {
		if (i % 3 == 0)
			expect_ok(eio_buf_write_schedule(&w, data + i * LEN, LEN));
		else
			expect_ok(eio_buf_write(&w, data + i * LEN, LEN));
	}
	expect_ok(eio_buf_writer_end(&w, 0));
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_SEND));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("990000 bytes");
	return 0;
}

RING_TEST(a_peer_that_is_gone_ends_the_scope_with_epipe)
{
	struct eio_switch sw;
	struct eio_flow r, to;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &to);
	expect_ok(eio_flow_close(r));
	expect_ok(eio_buf_writer_begin(&w, to, 0));
	put("abc");
	expect_err(eio_buf_writer_end(&w, eio_await_cancel()), -EPIPE);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("buf_write", false, writes_gather_until_the_fiber_sleeps_test,
	   a_flush_returns_when_the_bytes_are_really_written_test,
	   a_flush_waits_for_what_was_written_before_it_and_no_longer_test,
	   a_writer_has_a_fiber_and_a_buffer_only_while_something_is_unsent_test,
	   what_is_unsent_is_sent_on_failure_and_the_failure_is_what_comes_out_test,
	   the_bodys_failure_comes_before_that_of_a_send_under_way_test,
	   what_is_unsent_is_dropped_on_cancellation_test,
	   a_send_under_way_is_stopped_on_cancellation_test, a_failure_to_send_fails_the_scope_test,
	   a_flush_that_fails_says_why_and_so_does_the_end_test,
	   fibers_outside_the_scope_get_the_failure_itself_test,
	   a_write_waits_for_room_and_its_bytes_stay_together_test,
	   a_cancelled_write_that_waits_for_room_has_added_nothing_test,
	   a_long_write_goes_out_from_where_it_is_with_what_came_before_test,
	   a_long_write_that_fails_tells_how_much_went_test,
	   a_write_that_is_refused_tells_that_nothing_went_test,
	   a_buffer_wraps_and_the_order_is_kept_test,
	   what_is_scheduled_is_not_copied_and_the_order_is_kept_test,
	   pieces_are_sent_whole_however_little_a_step_takes_test,
	   scheduling_waits_while_more_than_size_or_sixteen_pieces_are_unsent_test,
	   a_pause_holds_until_it_is_ended_flushed_or_closed_test,
	   a_full_buffer_and_the_end_end_a_pause_test,
	   a_flush_ends_a_pause_with_nothing_unsent_too_test,
	   what_a_cancelled_call_has_unpaused_goes_out_all_the_same_test,
	   a_closed_writer_takes_no_more_and_sends_what_it_has_test,
	   an_abort_wakes_those_who_flush_or_wait_for_room_with_an_error_test,
	   an_abort_while_bytes_are_sent_counts_nothing_twice_test,
	   the_writers_own_fiber_is_stopped_by_an_abort_test,
	   the_end_waits_for_calls_of_others_which_end_test,
	   a_cancelled_end_stops_the_calls_of_others_test,
	   an_end_that_waits_for_the_calls_of_others_may_be_cancelled_test,
	   a_cancelled_end_waits_for_the_calls_of_others_test, other_domains_are_refused_test,
	   what_makes_no_sense_is_refused_test, every_number_is_written_in_both_orders_test,
	   text_is_formatted_whether_it_fits_or_not_test, a_format_that_cannot_be_is_einval_test,
	   without_memory_for_the_buffer_nothing_is_added,
	   without_memory_for_a_fiber_the_calling_one_sends,
	   what_a_cancelled_write_has_taken_is_sent_without_memory_for_a_fiber_too,
	   a_transport_gets_what_was_written_in_batches_test,
	   writes_wait_for_a_transport_to_make_room_test,
	   a_transport_that_fails_fails_the_scope_test,
	   the_bodys_failure_comes_before_that_of_a_transport_test,
	   a_transport_that_gives_up_is_no_silent_loss_test,
	   a_drain_drops_what_is_unsent_and_tells_those_who_flush_test,
	   a_pause_holds_a_transport_too_test,
	   a_pause_does_not_hold_what_is_waited_for_already_test,
	   a_transport_gets_all_of_a_long_write_though_the_writer_is_closed_test,
	   a_transport_that_gives_up_in_a_long_write_fails_it_test, an_abort_ends_a_transport_test,
	   in_a_cancelled_context_a_transport_is_not_begun_test,
	   many_small_writes_go_over_a_connection_test,
	   a_peer_that_is_gone_ends_the_scope_with_epipe_test)
