/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

#include <sys/uio.h>

static struct eio_mock_flow mock;
static struct eio_flow flow;

static void set_up(void)
{
	flow = eio_mock_flow_init(&mock, "conn");
}

static void tear_down(void)
{
	eio_mock_flow_fini(&mock);
}

#define on_read(...)                                                                               \
	eio_mock_on_read(&mock, (const struct eio_mock_action[]){__VA_ARGS__},                     \
			 COUNT(((const struct eio_mock_action[]){__VA_ARGS__})))
#define on_write(...)                                                                              \
	eio_mock_on_write(&mock, (const struct eio_mock_action[]){__VA_ARGS__},                    \
			  COUNT(((const struct eio_mock_action[]){__VA_ARGS__})))

/* One read of at most @p len bytes gives this text. */
static void expect_read(size_t len, const char *text)
{
	char buf[64] = "";

	expect_err(eio_flow_read(flow, buf, len), (long) strlen(text));
	ck_assert_str_eq(buf, text);
}

static void expect_read_err(int err)
{
	char buf[64];

	expect_err(eio_flow_read(flow, buf, sizeof(buf)), err);
}

static void expect_written(const char *text)
{
	size_t len;

	ck_assert_str_eq(eio_mock_written(&mock, &len), text);
	ck_assert_uint_eq(len, strlen(text));
}

/* Reading */

CORE_TEST(each_read_gives_the_next_data_whole_or_in_pieces)
{
	char buf[64];

	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("hello"), EIO_MOCK_DATA("world"), EIO_MOCK_BYTES("a\0b", 3));
	expect_read(64, "hello");
	expect_read(2, "wo");
	expect_read(2, "rl");
	expect_read(2, "d");
	expect_read(1, "a");
	expect_err(eio_flow_read(flow, buf, 64), 2);
	ck_assert_int_eq(memcmp(buf, "\0b", 2), 0);
	tear_down();
	return 0;
}

CORE_TEST(a_script_that_is_used_up_gives_enodata_until_more_is_added)
{
	char line[64];

	(void) arg;
	set_up();
	expect_read_err(-ENODATA);
	eio_error_format(-ENODATA, line, sizeof(line));
	ck_assert_str_eq(line, "read conn: No data available");
	on_read(EIO_MOCK_DATA("a"));
	on_read(EIO_MOCK_DATA("b"), EIO_MOCK_DATA("c"));
	expect_read(64, "a");
	expect_read(64, "b");
	on_read(EIO_MOCK_DATA("d"));
	expect_read(64, "c");
	expect_read(64, "d");
	expect_read_err(-ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(data_without_bytes_is_no_end_of_the_stream)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA(""), EIO_MOCK_BYTES(NULL, 0), EIO_MOCK_DATA("x"), EIO_MOCK_DATA(""));
	expect_read(64, "x");
	expect_read_err(-ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(the_end_of_the_stream_stays_until_something_follows_it)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_EOF, EIO_MOCK_DATA("after"), EIO_MOCK_EOF);
	expect_read_err(0);
	expect_read(64, "after");
	expect_read_err(0);
	expect_read_err(0);
	on_read(EIO_MOCK_DATA("more"));
	expect_read(64, "more");
	expect_read_err(-ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(a_failure_is_given_once)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_FAIL(-ECONNRESET), EIO_MOCK_DATA("x"), EIO_MOCK_FAIL(EIO_EPARSE));
	expect_read_err(-ECONNRESET);
	ck_assert_str_eq(eio_last_error()->subject, "conn");
	expect_read(64, "x");
	expect_read_err(EIO_EPARSE);
	expect_read_err(-ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(actions_that_make_no_sense_are_einval)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_TAKE(3), EIO_MOCK_FAIL(EPIPE), EIO_MOCK_DATA("x"));
	expect_read_err(-EINVAL);
	expect_read_err(-EINVAL);
	expect_read(64, "x");
	on_write(EIO_MOCK_TAKE(0), EIO_MOCK_CONN(&flow), EIO_MOCK_EOF);
	expect_err(eio_flow_write(flow, "x", 1), -EINVAL);
	expect_err(eio_flow_write(flow, "x", 1), -EINVAL);
	expect_err(eio_flow_write(flow, "x", 1), -EINVAL);
	expect_written("");
	tear_down();
	return 0;
}

MOCK_TEST(a_sleep_takes_its_time_on_the_domains_clock)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_SLEEP(EIO_SEC(5)), EIO_MOCK_DATA("a"), EIO_MOCK_SLEEP(1),
		EIO_MOCK_SLEEP(2), EIO_MOCK_EOF);
	expect_read(64, "a");
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(5));
	expect_read_err(0);
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(5) + 3);
	expect_read_err(0);
	ck_assert_int_eq(eio_now_ns(env->clock), EIO_SEC(5) + 3);
	tear_down();
	return 0;
}

static int read_ten(void *arg)
{
	char buf[10];

	(void) arg;
	return (int) eio_flow_read(flow, buf, sizeof(buf));
}

static int write_ten(void *arg)
{
	(void) arg;
	return eio_flow_write(flow, "0123456789", 10);
}

CORE_TEST(a_promise_is_awaited_and_its_failure_is_the_reads)
{
	struct eio_promise good = EIO_PROMISE_INIT, bad = EIO_PROMISE_INIT;
	struct eio_promise abandoned = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_AWAIT(&good), EIO_MOCK_DATA("abc"), EIO_MOCK_AWAIT(&bad),
		EIO_MOCK_DATA("de"), EIO_MOCK_AWAIT(&abandoned), EIO_MOCK_EOF);
	eio_switch_begin(&sw);
	start(&sw, &c, read_ten, NULL);
	pass();
	ck_assert(!c.over);
	expect_ok(eio_promise_resolve(&good, 5, NULL));
	pass();
	expect_err(c.rc, 3);
	start(&sw, &c, read_ten, NULL);
	expect_ok(eio_promise_resolve(&bad, -EHOSTUNREACH, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -EHOSTUNREACH);
	expect_read(64, "de");
	expect_ok(eio_promise_resolve(&abandoned, -ECANCELED, NULL));
	expect_read_err(EIO_EABANDONED);
	expect_read_err(0);
	tear_down();
	return 0;
}

static int note_and_add(void *arg)
{
	note("%s", (const char *) arg);
	/* More than there was room for. */
	for (int i = 0; i < 100; i++)
		on_read(EIO_MOCK_DATA("z"));
	return 1;
}

static int fail_named(void *arg)
{
	return eio_error_set(*(int *) arg, "greet", "you");
}

CORE_TEST(code_is_run_where_the_script_has_it_and_may_add_to_it)
{
	int err = -EDOM;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("a"), EIO_MOCK_RUN(note_and_add, "ran"), EIO_MOCK_DATA("b"),
		EIO_MOCK_RUN(fail_named, &err));
	expect_read(64, "a");
	expect_log("");
	expect_read(64, "b");
	expect_log("ran");
	expect_read_err(-EDOM);
	ck_assert_str_eq(eio_last_error()->op, "greet");
	for (int i = 0; i < 100; i++)
		expect_read(64, "z");
	expect_read_err(-ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(a_cancelled_read_leaves_the_script_as_it_was)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_AWAIT(&p), EIO_MOCK_DATA("x"), EIO_MOCK_SLEEP(EIO_SEC(1000)),
		EIO_MOCK_DATA("y"));
	expect_cancelled_before(read_ten, NULL);
	eio_switch_begin(&sw);
	start(&sw, &c, read_ten, NULL);
	cancel_while_waiting(&c);
	start(&sw, &c, read_ten, NULL);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	/* What it waited for has come. */
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	expect_err(c.rc, 1);
	start(&sw, &c, read_ten, NULL);
	cancel_while_waiting(&c);
	start(&sw, &c, read_ten, NULL);
	cancel_while_waiting(&c);
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

MOCK_TEST(a_sleep_that_was_cancelled_begins_anew)
{
	struct eio_timeout t;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_SLEEP(10), EIO_MOCK_DATA("x"));
	eio_timeout_begin(&t, env->clock, 9);
	expect_err(eio_timeout_end(&t, read_ten(NULL)), -ETIMEDOUT);
	expect_read(64, "x");
	ck_assert_int_eq(eio_now_ns(env->clock), 19);
	tear_down();
	return 0;
}

/* The rule for users is one reader at a time; the script is kept straight all the same. */
CORE_TEST(readers_take_turns_in_order_and_a_cancelled_one_leaves_the_queue)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct caller a, b, c, d;
	struct eio_switch sw;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_AWAIT(&p), EIO_MOCK_DATA("1"), EIO_MOCK_DATA("22"), EIO_MOCK_DATA("333"));
	eio_switch_begin(&sw);
	start(&sw, &a, read_ten, NULL);
	start(&sw, &b, read_ten, NULL);
	start(&sw, &c, read_ten, NULL);
	start(&sw, &d, read_ten, NULL);
	cancel_while_waiting(&b);
	ck_assert(!a.over && !c.over && !d.over);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(a.rc, 1);
	expect_err(c.rc, 2);
	expect_err(d.rc, 3);
	tear_down();
	return 0;
}

CORE_TEST(the_turn_of_a_cancelled_reader_goes_to_the_next)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct caller a, b;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_AWAIT(&p), EIO_MOCK_DATA("1"));
	eio_switch_begin(&sw);
	start(&sw, &a, read_ten, NULL);
	start(&sw, &b, read_ten, NULL);
	cancel_while_waiting(&a);
	ck_assert(!b.over);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(b.rc, 1);
	tear_down();
	return 0;
}

/* Writing */

CORE_TEST(without_a_script_everything_is_taken_and_kept)
{
	char zeros[3] = "a";
	struct iovec iov[] = {{"one ", 4}, {NULL, 0}, {"two ", 4}, {"three", 5}};
	size_t len;

	(void) arg;
	set_up();
	expect_written("");
	expect_ok(eio_flow_writev(flow, iov, 4));
	expect_ok(eio_flow_copy_string(flow, "!"));
	expect_written("one two three!");
	expect_ok(eio_flow_write(flow, zeros, 3));
	ck_assert_int_eq(memcmp(eio_mock_written(&mock, &len), "one two three!a\0\0", 18), 0);
	ck_assert_uint_eq(len, 17);
	tear_down();
	return 0;
}

CORE_TEST(writes_are_short_where_the_script_says_so)
{
	struct iovec iov[] = {{"ab", 2}, {NULL, 0}, {"cd", 2}, {"ef", 2}};

	(void) arg;
	set_up();
	on_write(EIO_MOCK_TAKE(3), EIO_MOCK_TAKE(1), EIO_MOCK_TAKE(100), EIO_MOCK_TAKE(4));
	expect_err(eio_flow_write_some(flow, iov, 4), 3);
	expect_written("abc");
	expect_err(eio_flow_write_some(flow, iov, 4), 1);
	expect_written("abca");
	expect_err(eio_flow_write_some(flow, iov, 4), 6);
	expect_err(eio_flow_write_some(flow, iov, 4), 4);
	expect_err(eio_flow_write_some(flow, iov, 4), 6);
	expect_written("abcaabcdefabcdabcdef");
	on_write(EIO_MOCK_TAKE(1), EIO_MOCK_TAKE(2), EIO_MOCK_TAKE(3));
	expect_ok(write_ten(NULL));
	expect_written("abcaabcdefabcdabcdef0123456789");
	tear_down();
	return 0;
}

CORE_TEST(a_write_fails_where_the_script_says_so_and_tells_how_far_it_came)
{
	(void) arg;
	set_up();
	on_write(EIO_MOCK_TAKE(4), EIO_MOCK_FAIL(-EPIPE));
	expect_err(write_ten(NULL), -EPIPE);
	ck_assert_uint_eq(eio_last_error()->done, 4);
	expect_written("0123");
	expect_ok(write_ten(NULL));
	expect_written("01230123456789");
	tear_down();
	return 0;
}

CORE_TEST(a_cancelled_write_leaves_the_script_as_it_was)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	set_up();
	on_write(EIO_MOCK_TAKE(3), EIO_MOCK_AWAIT(&p), EIO_MOCK_TAKE(2));
	expect_cancelled_before(write_ten, NULL);
	expect_written("");
	eio_switch_begin(&sw);
	start(&sw, &c, write_ten, NULL);
	cancel_while_waiting(&c);
	expect_written("012");
	start(&sw, &c, write_ten, NULL);
	pass();
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	expect_written("0120123456789");
	tear_down();
	return 0;
}

/* Ends */

CORE_TEST(after_close_everything_is_ebadf)
{
	struct eio_fd fd;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("x"));
	expect_err(eio_flow_fd(flow, &fd), -ENOTSUP);
	expect_ok(eio_flow_close(flow));
	expect_read_err(-EBADF);
	expect_err(write_ten(NULL), -EBADF);
	expect_err(eio_flow_shutdown(flow, EIO_SHUT_ALL), -EBADF);
	expect_err(eio_flow_close(flow), -EBADF);
	expect_written("");
	tear_down();
	return 0;
}

CORE_TEST(a_shutdown_ends_one_direction_or_both)
{
	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("x"), EIO_MOCK_DATA("y"));
	expect_ok(eio_flow_shutdown(flow, EIO_SHUT_SEND));
	expect_err(write_ten(NULL), -EPIPE);
	expect_read(64, "x");
	expect_ok(eio_flow_shutdown(flow, EIO_SHUT_RECEIVE));
	expect_read_err(0);
	tear_down();
	set_up();
	expect_ok(eio_flow_shutdown(flow, EIO_SHUT_RECEIVE));
	expect_ok(write_ten(NULL));
	expect_read_err(0);
	tear_down();
	set_up();
	expect_ok(eio_flow_shutdown(flow, EIO_SHUT_ALL));
	expect_err(write_ten(NULL), -EPIPE);
	expect_read_err(0);
	tear_down();
	return 0;
}

/* Traces */

CORE_TEST(a_trace_tells_what_happened_to_several_mocks_in_order)
{
	struct eio_mock_flow other;
	struct eio_flow f = eio_mock_flow_init(&other, "log");
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);
	char buf[8];

	(void) arg;
	set_up();
	expect_ok(write_ten(NULL));
	eio_mock_flow_trace(&mock, trace);
	eio_mock_flow_trace(&other, trace);
	on_read(EIO_MOCK_DATA("GET /\r\n\r\n"), EIO_MOCK_BYTES("\"\\\t\0001\x7f\xff", 7),
		EIO_MOCK_FAIL(-EIO), EIO_MOCK_EOF);
	on_write(EIO_MOCK_TAKE(4), EIO_MOCK_FAIL(-ENOSPC));
	expect_err(eio_flow_read(flow, buf, 5), 5);
	expect_err(eio_flow_read(flow, buf, 8), 4);
	expect_ok(eio_flow_copy_string(f, "one\n"));
	expect_err(eio_flow_read(flow, buf, 8), 7);
	expect_read_err(-EIO);
	expect_read_err(0);
	expect_err(write_ten(NULL), -ENOSPC);
	expect_ok(eio_flow_shutdown(flow, EIO_SHUT_SEND));
	expect_ok(eio_flow_close(flow));
	expect_err(eio_flow_close(flow), -EBADF);
	ck_assert_str_eq(text.data, "conn: read \"GET /\"\n"
				    "conn: read \"\\r\\n\\r\\n\"\n"
				    "log: wrote \"one\\n\"\n"
				    "conn: read \"\\\"\\\\\\t\\0001\\177\\377\"\n"
				    "conn: read: EIO\n"
				    "conn: read: end of stream\n"
				    "conn: wrote \"0123\"\n"
				    "conn: write: ENOSPC\n"
				    "conn: shutdown send\n"
				    "conn: closed\n");
	eio_mock_flow_trace(&other, (struct eio_flow){.ops = NULL});
	expect_ok(eio_flow_close(f));
	ck_assert_str_eq(strrchr(text.data, ':'), ": closed\n");
	ck_assert_ptr_null(strstr(text.data, "log: closed"));
	eio_buffer_sink_fini(&text);
	eio_mock_flow_fini(&other);
	tear_down();
	return 0;
}

CORE_TEST(a_trace_tells_long_data_whole_and_of_cancelled_calls_too)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_buffer_sink text;
	struct eio_switch sw;
	struct caller c;
	char data[1000];

	(void) arg;
	set_up();
	eio_mock_flow_trace(&mock, eio_buffer_sink_init(&text, 0));
	memset(data, '\n', sizeof(data));
	expect_ok(eio_flow_write(flow, data, sizeof(data)));
	ck_assert_uint_eq(text.len, strlen("conn: wrote \"\"\n") + 2 * sizeof(data));
	ck_assert_str_eq(text.data + text.len - 6, "\\n\\n\"\n");
	on_read(EIO_MOCK_AWAIT(&p));
	eio_switch_begin(&sw);
	start(&sw, &c, read_ten, NULL);
	cancel_while_waiting(&c);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_str_eq(strrchr(text.data, 'c'), "conn: read: ECANCELED\n");
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

/* Copies and memory */

CORE_TEST(copies_go_through_it_piece_by_piece)
{
	struct eio_mock_flow sink;
	struct eio_flow f = eio_mock_flow_init(&sink, "sink");
	const struct eio_mock_action take = EIO_MOCK_TAKE(2);
	uint64_t n;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("chunk1"), EIO_MOCK_DATA("chunk2"), EIO_MOCK_EOF);
	eio_mock_on_write(&sink, &take, 1);
	expect_ok(eio_flow_copy(flow, f, &n));
	ck_assert_uint_eq(n, 12);
	ck_assert_str_eq(eio_mock_written(&sink, NULL), "chunk1chunk2");
	on_read(EIO_MOCK_DATA("chunk3"));
	expect_err(eio_flow_copy(flow, f, &n), -ENODATA);
	ck_assert_uint_eq(n, 6);
	eio_mock_flow_fini(&sink);
	tear_down();
	return 0;
}

static int add_without_memory(void *arg)
{
	int before, after, write;

	(void) arg;
	set_up();
	on_read(EIO_MOCK_DATA("abc"));
	eio_error_set(-EIO, "the record", NULL);
	use_memory_up(1);
	on_read(EIO_MOCK_DATA("d"), EIO_MOCK_DATA("e"));
	before = read_ten(NULL);
	after = read_ten(NULL);
	write = write_ten(NULL);
	give_memory_back();
	on_read(EIO_MOCK_DATA("f"));
	expect_err(before, 3);
	expect_err(after, -ENOMEM);
	expect_err(write, -ENOMEM);
	expect_read_err(-ENOMEM);
	expect_written("");
	tear_down();
	return 0;
}

START_TEST(a_script_there_was_no_memory_for_fails_where_it_is_missing)
{
	if (!SANITIZED)
		run_mock(add_without_memory, 0);
}
END_TEST

SUITE_MAIN("mock_flow", false, each_read_gives_the_next_data_whole_or_in_pieces_test,
	   a_script_that_is_used_up_gives_enodata_until_more_is_added_test,
	   data_without_bytes_is_no_end_of_the_stream_test,
	   the_end_of_the_stream_stays_until_something_follows_it_test,
	   a_failure_is_given_once_test, actions_that_make_no_sense_are_einval_test,
	   a_sleep_takes_its_time_on_the_domains_clock_test,
	   a_promise_is_awaited_and_its_failure_is_the_reads_test,
	   code_is_run_where_the_script_has_it_and_may_add_to_it_test,
	   a_cancelled_read_leaves_the_script_as_it_was_test,
	   a_sleep_that_was_cancelled_begins_anew_test,
	   readers_take_turns_in_order_and_a_cancelled_one_leaves_the_queue_test,
	   the_turn_of_a_cancelled_reader_goes_to_the_next_test,
	   without_a_script_everything_is_taken_and_kept_test,
	   writes_are_short_where_the_script_says_so_test,
	   a_write_fails_where_the_script_says_so_and_tells_how_far_it_came_test,
	   a_cancelled_write_leaves_the_script_as_it_was_test, after_close_everything_is_ebadf_test,
	   a_shutdown_ends_one_direction_or_both_test,
	   a_trace_tells_what_happened_to_several_mocks_in_order_test,
	   a_trace_tells_long_data_whole_and_of_cancelled_calls_too_test,
	   copies_go_through_it_piece_by_piece_test,
	   a_script_there_was_no_memory_for_fails_where_it_is_missing)
