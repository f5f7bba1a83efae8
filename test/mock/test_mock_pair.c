/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

#include <sys/uio.h>

static struct eio_mock_pair pair;
static struct eio_flow a, b;

static void set_up(size_t capacity)
{
	expect_ok(eio_mock_pair_init(&pair, capacity, &a, &b));
}

static void tear_down(void)
{
	eio_mock_pair_fini(&pair);
}

static void expect_read(struct eio_flow f, size_t len, const char *text)
{
	char buf[64] = "";

	expect_err(eio_flow_read(f, buf, len), (long) strlen(text));
	ck_assert_str_eq(buf, text);
}

static int read_a(void *buf)
{
	return (int) eio_flow_read(a, buf, 4);
}

static int write_a(void *text)
{
	return eio_flow_write(a, text, strlen(text));
}

/* Bytes */

CORE_TEST(what_one_end_writes_the_other_reads)
{
	(void) arg;
	set_up(100);
	expect_ok(eio_flow_write(a, "ping", 4));
	expect_ok(eio_flow_write(b, "pong", 4));
	expect_read(b, 2, "pi");
	expect_read(b, 64, "ng");
	expect_read(a, 64, "pong");
	tear_down();
	return 0;
}

CORE_TEST(bytes_keep_their_order_through_a_small_buffer)
{
	struct iovec iov[] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}};

	(void) arg;
	for (size_t capacity = 1; capacity < 9; capacity++) {
		size_t n = capacity < 7 ? capacity : 7;

		set_up(capacity);
		for (int i = 0; i < 10; i++) {
			char buf[8] = "";

			expect_err(eio_flow_write_some(a, iov, 3), (long) n);
			expect_err(eio_flow_read(b, buf, sizeof(buf)), (long) n);
			ck_assert_int_eq(strncmp(buf, "abcdefg", n), 0);
			ck_assert_uint_eq(strlen(buf), n);
			/* Moves the start on by one. */
			expect_ok(eio_flow_write(a, "x", 1));
			expect_read(b, 8, "x");
		}
		tear_down();
	}
	return 0;
}

/* The buffer is seldom empty, and its ends come around at all places. */
CORE_TEST(bytes_keep_their_order_whatever_is_read_and_written)
{
	const size_t capacity = 7;
	unsigned char buf[8];
	size_t in = 0, out = 0; /* how many so far; each byte is its number */
	uint32_t random = 1;

	(void) arg;
	set_up(capacity);
	for (int i = 0; i < 10000; i++) {
		size_t len = 1 + (random = random * 1664525 + 1013904223) / 16 % sizeof(buf);
		size_t held = in - out, room = capacity - held;
		struct iovec iov = {buf, len};

		if (room > 0 && (held == 0 || random >> 31)) {
			size_t n = len < room ? len : room;

			for (size_t j = 0; j < len; j++)
				buf[j] = (unsigned char) (in + j);
			expect_err(eio_flow_write_some(a, &iov, 1), (long) n);
			in += n;
		} else {
			size_t n = len < held ? len : held;

			expect_err(eio_flow_read(b, buf, len), (long) n);
			for (size_t j = 0; j < n; j++)
				ck_assert_uint_eq(buf[j], (unsigned char) out++);
		}
	}
	tear_down();
	return 0;
}

CORE_TEST(reading_waits_for_bytes)
{
	struct eio_switch sw;
	struct caller c;
	char buf[8] = "";

	(void) arg;
	set_up(100);
	eio_switch_begin(&sw);
	start(&sw, &c, read_a, buf);
	pass();
	ck_assert(!c.over);
	expect_ok(eio_flow_write(b, "hello", 5));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, 4);
	ck_assert_str_eq(buf, "hell");
	tear_down();
	return 0;
}

CORE_TEST(a_full_buffer_makes_the_writer_wait_for_room)
{
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	set_up(3);
	eio_switch_begin(&sw);
	start(&sw, &c, write_a, "12345678");
	pass();
	ck_assert(!c.over);
	expect_read(b, 2, "12");
	pass();
	ck_assert(!c.over);
	expect_read(b, 64, "345");
	pass();
	ck_assert(c.over);
	expect_ok(c.rc);
	expect_read(b, 64, "678");
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

CORE_TEST(both_directions_go_on_at_once)
{
	struct eio_switch sw;
	struct caller reader, writer;
	char buf[8] = "";

	(void) arg;
	set_up(2);
	eio_switch_begin(&sw);
	start(&sw, &reader, read_a, buf);
	start(&sw, &writer, write_a, "abc");
	pass();
	ck_assert(!reader.over && !writer.over);
	expect_read(b, 64, "ab");
	pass();
	ck_assert(writer.over && !reader.over);
	expect_ok(eio_flow_write(b, "z", 1));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(reader.rc, 1);
	tear_down();
	return 0;
}

CORE_TEST(a_second_reader_or_writer_at_a_time_is_ebusy)
{
	struct eio_switch sw;
	struct caller c;
	char buf[8] = "";

	(void) arg;
	set_up(1);
	eio_switch_begin(&sw);
	start(&sw, &c, read_a, buf);
	expect_err(read_a(buf), -EBUSY);
	expect_ok(eio_flow_write(b, "x", 1));
	expect_err(read_a(buf), -EBUSY); /* it is woken, but has not run yet */
	pass();
	expect_err(c.rc, 1);
	start(&sw, &c, write_a, "12");
	expect_err(write_a("3"), -EBUSY);
	expect_read(b, 8, "1");
	pass();
	expect_read(b, 8, "2");
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	tear_down();
	return 0;
}

/* Ends */

CORE_TEST(after_a_half_close_the_other_direction_goes_on)
{
	char buf[8];

	(void) arg;
	set_up(100);
	expect_ok(eio_flow_write(a, "request", 7));
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_SEND));
	expect_err(eio_flow_write(a, "x", 1), -EPIPE);
	expect_read(b, 3, "req");
	expect_read(b, 64, "uest");
	expect_ok(eio_flow_read(b, buf, 8));
	expect_ok(eio_flow_read(b, buf, 8));
	expect_ok(eio_flow_write(b, "reply", 5));
	expect_read(a, 64, "reply");
	tear_down();
	return 0;
}

CORE_TEST(after_shutting_receive_the_other_ends_writes_are_epipe)
{
	char buf[8];

	(void) arg;
	set_up(100);
	expect_ok(eio_flow_write(b, "before", 6));
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_RECEIVE));
	expect_err(eio_flow_write(b, "x", 1), -EPIPE);
	expect_read(a, 64, "before");
	expect_ok(eio_flow_read(a, buf, 8));
	expect_ok(eio_flow_write(a, "still", 5));
	expect_read(b, 64, "still");
	tear_down();
	return 0;
}

CORE_TEST(close_gives_the_other_end_what_was_sent_then_the_end_and_epipe)
{
	char buf[8];

	(void) arg;
	set_up(100);
	expect_ok(eio_flow_write(a, "bye", 3));
	expect_ok(eio_flow_close(a));
	expect_err(eio_flow_write(b, "x", 1), -EPIPE);
	expect_read(b, 64, "bye");
	expect_ok(eio_flow_read(b, buf, 8));
	expect_err(eio_flow_read(a, buf, 8), -EBADF);
	expect_err(eio_flow_write(a, "x", 1), -EBADF);
	expect_err(eio_flow_shutdown(a, EIO_SHUT_ALL), -EBADF);
	expect_err(eio_flow_close(a), -EBADF);
	expect_ok(eio_flow_close(b));
	tear_down();
	return 0;
}

CORE_TEST(who_waits_is_woken_by_the_other_ends_close_or_shutdown)
{
	struct eio_switch sw;
	struct caller reader, writer;
	char buf[8];

	(void) arg;
	eio_switch_begin(&sw);
	set_up(1);
	start(&sw, &reader, read_a, buf);
	start(&sw, &writer, write_a, "xy");
	pass();
	ck_assert(!reader.over && !writer.over);
	expect_ok(eio_flow_close(b));
	pass();
	ck_assert(reader.over && writer.over);
	expect_ok(reader.rc);
	expect_err(writer.rc, -EPIPE);
	tear_down();

	set_up(1);
	start(&sw, &reader, read_a, buf);
	start(&sw, &writer, write_a, "xy");
	expect_ok(eio_flow_shutdown(b, EIO_SHUT_SEND));
	pass();
	ck_assert(reader.over && !writer.over);
	expect_ok(reader.rc);
	expect_ok(eio_flow_shutdown(b, EIO_SHUT_RECEIVE));
	pass();
	expect_err(writer.rc, -EPIPE);
	tear_down();

	set_up(1);
	start(&sw, &reader, read_a, buf);
	start(&sw, &writer, write_a, "xy");
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_ALL));
	pass();
	expect_ok(reader.rc);
	expect_err(writer.rc, -EPIPE);
	tear_down();
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

CORE_TEST(an_end_that_is_closed_in_use_closes_when_its_last_call_is_done)
{
	struct eio_switch sw;
	struct caller reader, writer;
	char buf[8] = "";

	(void) arg;
	set_up(1);
	eio_switch_begin(&sw);
	start(&sw, &reader, read_a, buf);
	start(&sw, &writer, write_a, "xy");
	expect_ok(eio_flow_close(a));
	expect_err(eio_flow_close(a), -EBADF);
	expect_err(read_a(buf), -EBADF);
	pass();
	ck_assert(!reader.over && !writer.over);
	expect_ok(eio_flow_write(b, "1", 1));
	pass();
	expect_err(reader.rc, 1);
	ck_assert(!writer.over);
	expect_ok(eio_flow_write(b, "2", 1));
	expect_read(b, 8, "x");
	pass();
	/* Its next step is a new call. */
	expect_ok(writer.rc);
	expect_read(b, 8, "y");
	expect_ok(eio_flow_read(b, buf, 8));
	expect_err(eio_flow_write(b, "3", 1), -EPIPE);
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

/* Cancellation */

CORE_TEST(a_cancelled_read_consumes_nothing)
{
	struct eio_switch sw;
	struct caller c;
	char buf[8] = "";

	(void) arg;
	set_up(100);
	expect_ok(eio_flow_write(b, "x", 1));
	expect_cancelled_before(read_a, buf);
	expect_read(a, 8, "x");
	eio_switch_begin(&sw);
	start(&sw, &c, read_a, buf);
	cancel_while_waiting(&c);
	start(&sw, &c, read_a, buf);
	expect_ok(eio_flow_write(b, "yz", 2));
	/* It has come already. */
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	expect_err(c.rc, 2);
	start(&sw, &c, read_a, buf);
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	expect_ok(eio_flow_write(b, "!", 1));
	pass();
	expect_err(c.rc, -ECANCELED);
	expect_read(a, 8, "!");
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

CORE_TEST(a_cancelled_write_tells_how_much_went)
{
	struct eio_switch sw;
	struct caller c;
	char buf[8];

	(void) arg;
	set_up(3);
	expect_cancelled_before(write_a, "x");
	eio_switch_begin(&sw);
	start(&sw, &c, write_a, "12345");
	cancel_while_waiting(&c);
	expect_read(b, 8, "123");
	expect_ok(eio_flow_write(a, "67", 2));
	expect_read(b, 8, "67");
	expect_ok(eio_flow_close(a));
	expect_ok(eio_flow_read(b, buf, 8));
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

static int write_and_tell(void *arg)
{
	int rc = write_a(arg);

	note("%s:%d", eio_err_name(rc), (int) eio_last_error()->done);
	return rc;
}

CORE_TEST(a_write_that_fails_midway_tells_how_much_went)
{
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	eio_switch_begin(&sw);
	set_up(3);
	start(&sw, &c, write_and_tell, "12345");
	expect_ok(eio_flow_close(b));
	pass();
	tear_down();
	set_up(3);
	start(&sw, &c, write_and_tell, "12345");
	cancel_while_waiting(&c);
	expect_log("EPIPE:3 ECANCELED:3");
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

/* Memory and misuse */

START_TEST(without_memory_there_is_no_pair)
{
	expect_err(eio_mock_pair_init(&pair, SIZE_MAX / 2 + 1, &a, &b), -ENOMEM);
	if (!SANITIZED)
		expect_err(eio_mock_pair_init(&pair, SIZE_MAX / 4, &a, &b), -ENOMEM);
}
END_TEST

static int fill_a(struct eio_env *e, void *arg)
{
	static char zeros[65537];
	struct iovec iov = {zeros, sizeof(zeros)};

	(void) e, (void) arg;
	set_up(0);
	expect_err(eio_flow_write_some(a, &iov, 1), 65536);
	expect_err(eio_flow_write_some(b, &iov, 1), 65536);
	tear_down();
	return 0;
}

START_TEST(the_default_capacity_is_64_KiB_in_each_direction)
{
	expect_ok(eio_mock_run(fill_a, NULL));
}
END_TEST

static int end_in_use(void *arg)
{
	struct eio_switch sw;
	struct caller c;
	char buf[8];

	(void) arg;
	set_up(100);
	eio_switch_begin(&sw);
	start(&sw, &c, read_a, buf);
	tear_down();
	return 0;
}

START_TEST(ending_a_pair_in_use_aborts)
{
	expect_abort(end_in_use, NULL, "eio_mock_pair_fini");
}
END_TEST

static int read_alone(void *arg)
{
	char buf[8];

	(void) arg;
	set_up(100);
	expect_err(read_a(buf), -ECANCELED);
	tear_down();
	return 0;
}

START_TEST(reading_what_nobody_writes_is_a_deadlock)
{
	run_mock(read_alone, -EDEADLK);
}
END_TEST

SUITE_MAIN("mock_pair", false, what_one_end_writes_the_other_reads_test,
	   bytes_keep_their_order_through_a_small_buffer_test,
	   bytes_keep_their_order_whatever_is_read_and_written_test, reading_waits_for_bytes_test,
	   a_full_buffer_makes_the_writer_wait_for_room_test, both_directions_go_on_at_once_test,
	   a_second_reader_or_writer_at_a_time_is_ebusy_test,
	   after_a_half_close_the_other_direction_goes_on_test,
	   after_shutting_receive_the_other_ends_writes_are_epipe_test,
	   close_gives_the_other_end_what_was_sent_then_the_end_and_epipe_test,
	   who_waits_is_woken_by_the_other_ends_close_or_shutdown_test,
	   an_end_that_is_closed_in_use_closes_when_its_last_call_is_done_test,
	   a_cancelled_read_consumes_nothing_test, a_cancelled_write_tells_how_much_went_test,
	   a_write_that_fails_midway_tells_how_much_went_test, without_memory_there_is_no_pair,
	   the_default_capacity_is_64_KiB_in_each_direction, ending_a_pair_in_use_aborts,
	   reading_what_nobody_writes_is_a_deadlock)
