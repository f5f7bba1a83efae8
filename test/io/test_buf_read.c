/* SPDX-License-Identifier: ISC */
#include "io/buf_read.h"
#include "io/feed.h"
#include "io/util.h"

#include <ctype.h>
#include <math.h>

static struct feed feed;
static struct eio_buf_reader r;

static const struct eio__buf_reader *inner(void)
{
	return (const struct eio__buf_reader *) &r;
}

static void read_bytes(const void *data, size_t len, size_t step, size_t initial, size_t max)
{
	feed = (struct feed){.data = data, .len = len, .step = step};
	expect_ok(eio_buf_reader_init(&r, feed_flow(&feed, false), initial, max));
}

static void read_text(const char *text)
{
	read_bytes(text, strlen(text), 0, 0, 0);
}

/* The same, but of a source that lends. */
static void borrow_text(const char *text, size_t step)
{
	feed = (struct feed){.data = text, .len = strlen(text), .step = step};
	expect_ok(eio_buf_reader_init(&r, feed_flow(&feed, true), 0, 0));
}

static void expect_line(const char *text)
{
	char *line;
	size_t len;

	expect_err(eio_buf_read_line(&r, &line, &len), 1);
	ck_assert_str_eq(line, text);
	ck_assert_uint_eq(len, strlen(text));
}

static void expect_no_line(int rc)
{
	char *line = NULL;

	expect_err(eio_buf_read_line(&r, &line, NULL), rc);
	ck_assert_ptr_null(line);
}

static void expect_take(const char *text)
{
	char *piece;

	expect_ok(eio_buf_read_take(&r, strlen(text), &piece));
	ck_assert_str_eq(piece, text);
}

static void expect_all(const char *text)
{
	char *piece;
	size_t len;

	expect_ok(eio_buf_read_take_all(&r, &piece, &len));
	ck_assert_str_eq(piece, text);
	ck_assert_uint_eq(len, strlen(text));
}

static void expect_at(uint64_t consumed)
{
	ck_assert_uint_eq(eio_buf_reader_consumed(&r), consumed);
}

/* Lines */

MOCK_TEST(lines_end_in_lf_or_cr_lf_and_the_last_one_with_the_input)
{
	(void) arg;
	read_text("one\ntwo\r\n\n\r\nthree\rand\r\r\nlast");
	expect_line("one");
	expect_line("two");
	expect_line("");
	expect_line("");
	expect_line("three\rand\r");
	expect_line("last");
	expect_no_line(0);
	expect_no_line(0);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(lines_are_the_same_however_they_come)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\nx\r\n\r\nrest";

	(void) arg;
	for (size_t step = 1; step < sizeof(text); step++) {
		for (int lends = 0; lends < 2; lends++) {
			if (lends)
				borrow_text(text, step);
			else
				read_bytes(text, strlen(text), step, 1, 0);
			expect_line("GET / HTTP/1.1");
			expect_line("Host: a");
			expect_line("x");
			expect_line("");
			expect_line("rest");
			expect_no_line(0);
			ck_assert_uint_eq(feed.lent, 0);
			eio_buf_reader_fini(&r);
		}
	}
	return 0;
}

MOCK_TEST(a_line_may_be_written_to_and_the_next_one_is_not_touched)
{
	char *line;
	size_t len;

	(void) arg;
	read_text("one\ntwo\n");
	expect_err(eio_buf_read_line(&r, &line, &len), 1);
	memset(line, 'x', len);
	expect_line("two");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_line_may_hold_nul_bytes)
{
	char *line;
	size_t len;

	(void) arg;
	read_bytes("a\0b\nc", 5, 0, 0, 0);
	expect_err(eio_buf_read_line(&r, &line, &len), 1);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(line, "a\0b", 4);
	expect_line("c");
	eio_buf_reader_fini(&r);
	return 0;
}

/* Sizes */

MOCK_TEST(the_buffer_doubles_up_to_max_and_then_it_is_elimit)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz\n";
	char *piece;

	(void) arg;
	read_bytes(text, strlen(text), 0, 4, 20);
	expect_ok(eio_buf_read_ensure(&r, 1));
	ck_assert_uint_eq(inner()->size, 4);
	expect_ok(eio_buf_read_ensure(&r, 5));
	ck_assert_uint_eq(inner()->size, 8);
	expect_ok(eio_buf_read_ensure(&r, 9));
	ck_assert_uint_eq(inner()->size, 16);
	expect_ok(eio_buf_read_ensure(&r, 20));
	ck_assert_uint_eq(inner()->size, 20);
	expect_err(eio_buf_read_ensure(&r, 21), EIO_ELIMIT);
	expect_no_line(EIO_ELIMIT);
	ck_assert_uint_eq(feed.at, 20);
	expect_err(eio_buf_read_take(&r, 21, &piece), EIO_ELIMIT);
	expect_err(eio_buf_read_take_all(&r, &piece, NULL), EIO_ELIMIT);
	expect_err(eio_buf_read_take_while(&r, isalnum, &piece, NULL), EIO_ELIMIT);
	expect_at(0);
	expect_take("0123456789abcdefghi");
	expect_line("jklmnopqrstuvwxyz");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_line_of_max_bytes_with_its_end_fits)
{
	(void) arg;
	read_bytes("abcdefg\nABCDEFGH\n", 17, 0, 2, 8);
	expect_line("abcdefg");
	expect_no_line(EIO_ELIMIT);
	expect_take("ABCDEFGH");
	expect_line("");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(sizes_that_make_no_sense_are_einval)
{
	(void) arg;
	expect_err(eio_buf_reader_init(&r, eio_null(), 10, 9), -EINVAL);
	expect_err(eio_buf_reader_init(&r, eio_null(), 0, (size_t) INT32_MAX + 1), -EINVAL);
	expect_err(eio_buf_reader_init(&r, eio_null(), SIZE_MAX, 0), -EINVAL);
	expect_ok(eio_buf_reader_init(&r, eio_null(), 0, 9));
	ck_assert_uint_eq(inner()->initial, 9);
	expect_ok(eio_buf_reader_init(&r, eio_null(), 100000, 0));
	ck_assert_uint_eq(inner()->max, 100000);
	expect_ok(eio_buf_reader_init(&r, eio_null(), 0, 0));
	ck_assert_uint_eq(inner()->initial, 4096);
	ck_assert_uint_eq(inner()->max, 65536);
	return 0;
}

/* The end */

MOCK_TEST(after_the_end_the_flow_is_not_read_again)
{
	char *piece, c;

	(void) arg;
	read_text("ab");
	ck_assert(!eio_buf_reader_eof_seen(&r));
	expect_err(eio_buf_read_ensure(&r, 3), EIO_EOF);
	ck_assert(eio_buf_reader_eof_seen(&r));
	ck_assert_uint_eq(feed.reads, 2);
	expect_err(eio_buf_read_take(&r, 3, &piece), EIO_EOF);
	expect_err(eio_buf_read_at_end(&r), 0);
	expect_all("ab");
	expect_all("");
	expect_err(eio_buf_read_at_end(&r), 1);
	expect_ok(eio_buf_read_end_of_input(&r));
	expect_err(eio_buf_read_any_char(&r, &c), EIO_EOF);
	expect_err(eio_buf_read_peek_char(&r, &c), 0);
	expect_err(eio_flow_read(eio_buf_reader_as_flow(&r), &c, 1), 0);
	expect_no_line(0);
	ck_assert_uint_eq(feed.reads, 2);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_failed_flow_is_read_again_and_no_byte_is_missing)
{
	(void) arg;
	read_text("one\ntwo\n");
	feed.step = 2;
	expect_ok(eio_buf_read_ensure(&r, 2));
	feed.err = -ECONNRESET;
	expect_no_line(-ECONNRESET);
	ck_assert_str_eq(eio_last_error()->subject, "feed");
	expect_line("one");
	feed.err = -EIO;
	expect_no_line(-EIO);
	expect_line("two");
	eio_buf_reader_fini(&r);
	return 0;
}

/* A failed parse consumes nothing */

static void raise_it(void *arg)
{
	expect_ok(eio_cancel_raise(arg, -EINTR));
}

static int fails_on_any(uint64_t at)
{
	char *piece, c;
	uint8_t u8;
	uint64_t u64;
	double d;
	int rc = eio_buf_read_take(&r, 3, &piece);

	expect_at(at);
	expect_err(eio_buf_read_be64(&r, &u64), rc);
	expect_err(eio_buf_read_le48(&r, &u64), rc);
	expect_err(eio_buf_read_be_double(&r, &d), rc);
	expect_err(eio_buf_read_string(&r, "abc"), rc);
	expect_err(eio_buf_read_ensure(&r, 3), rc);
	expect_at(at);
	expect_ok(eio_buf_read_take(&r, 2, &piece));
	ck_assert_str_eq(piece, "ab");
	expect_err(eio_buf_read_u8(&r, &u8), rc);
	expect_err(eio_buf_read_any_char(&r, &c), rc);
	expect_err(eio_buf_read_char(&r, 'c'), rc);
	expect_err(eio_buf_read_take_while1(&r, isalpha, &piece, NULL), rc);
	expect_at(at + 2);
	return rc;
}

static int fails_on_any_of_five(void)
{
	char *piece;
	uint64_t u64;
	int rc = eio_buf_read_take(&r, 5, &piece);

	expect_err(eio_buf_read_be64(&r, &u64), rc);
	expect_err(eio_buf_read_string(&r, "abcdef"), rc);
	expect_err(eio_buf_read_take_while(&r, isalpha, &piece, NULL), rc);
	expect_err(eio_buf_read_take_all(&r, &piece, NULL), rc);
	expect_at(0);
	return rc;
}

MOCK_TEST(what_the_input_is_too_short_for_consumes_nothing)
{
	(void) arg;
	read_text("ab");
	expect_err(fails_on_any(0), EIO_EOF);
	expect_err(eio_last_error()->code, EIO_EOF);
	eio_buf_reader_fini(&r);
	return 0;
}

/* Cancelled by the source, in the middle of its second read. */
MOCK_TEST(what_is_cancelled_consumes_nothing_and_may_be_done_again)
{
	struct eio_cancel c;

	(void) arg;
	for (int lends = 0; lends < 2; lends++) {
		feed = (struct feed){.data = "abcdef\nx", .len = 8, .step = 2};
		expect_ok(eio_buf_reader_init(&r, feed_flow(&feed, lends), 0, 0));
		eio_cancel_begin(&c);
		expect_ok(eio_buf_read_ensure(&r, 2));
		feed.on_read = raise_it;
		feed.arg = &c;
		/* What that read gave is kept. */
		expect_no_line(-ECANCELED);
		ck_assert_uint_eq(eio_buf_reader_buffered(&r), 4);
		expect_err(fails_on_any_of_five(), -ECANCELED);
		/* What is buffered needs no read. */
		expect_take("abcd");
		expect_no_line(-ECANCELED);
		eio_cancel_end(&c);
		feed.on_read = NULL;
		expect_line("ef");
		expect_line("x");
		eio_buf_reader_fini(&r);
	}
	return 0;
}

MOCK_TEST(what_does_not_match_consumes_nothing)
{
	char *piece;

	(void) arg;
	read_text("abc");
	expect_err(eio_buf_read_char(&r, 'x'), EIO_EPARSE);
	ck_assert_str_eq(eio_last_error()->subject, "expected 'x'");
	expect_err(eio_buf_read_char(&r, '\n'), EIO_EPARSE);
	ck_assert_str_eq(eio_last_error()->subject, "expected byte 10");
	expect_err(eio_buf_read_string(&r, "abd"), EIO_EPARSE);
	ck_assert_str_eq(eio_last_error()->subject, "abd");
	expect_err(eio_buf_read_take_while1(&r, isdigit, &piece, NULL), EIO_EPARSE);
	expect_err(eio_buf_read_end_of_input(&r), EIO_EPARSE);
	expect_at(0);
	expect_ok(eio_buf_read_string(&r, "ab"));
	expect_ok(eio_buf_read_char(&r, 'c'));
	expect_ok(eio_buf_read_string(&r, ""));
	expect_ok(eio_buf_read_end_of_input(&r));
	expect_at(3);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_string_fails_as_soon_as_a_byte_differs)
{
	(void) arg;
	read_bytes("HTXP/1.1", 8, 3, 0, 0);
	expect_err(eio_buf_read_string(&r, "HTTP/1.1"), EIO_EPARSE);
	ck_assert_uint_eq(feed.reads, 1);
	expect_ok(eio_buf_read_string(&r, "HTXP/1.1"));
	eio_buf_reader_fini(&r);
	return 0;
}

/* Slices */

MOCK_TEST(slices_are_terminated_and_the_bytes_behind_come_back)
{
	char *piece, *next;
	size_t len;

	(void) arg;
	read_text("123,abc;rest");
	expect_ok(eio_buf_read_take_while(&r, isdigit, &piece, &len));
	ck_assert_str_eq(piece, "123");
	ck_assert_uint_eq(len, 3);
	expect_ok(eio_buf_read_char(&r, ','));
	expect_ok(eio_buf_read_take_while1(&r, isalpha, &piece, NULL));
	ck_assert_str_eq(piece, "abc");
	ck_assert_uint_eq(eio_buf_read_peek(&r, &next), 5);
	ck_assert_mem_eq(next, ";rest", 5);
	expect_take(";re");
	expect_take("");
	expect_ok(eio_buf_read_take_while(&r, isdigit, &piece, &len));
	ck_assert_str_eq(piece, "");
	expect_all("st");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_slice_stays_until_the_next_call)
{
	char *piece;

	(void) arg;
	read_bytes("abcdef", 6, 3, 3, 0);
	expect_ok(eio_buf_read_take(&r, 3, &piece));
	expect_at(3);
	ck_assert_uint_eq(eio_buf_reader_buffered(&r), 0);
	ck_assert(!eio_buf_reader_eof_seen(&r));
	ck_assert_str_eq(piece, "abc");
	expect_take("def");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(what_is_peeked_at_stays_and_may_be_consumed)
{
	char *piece, c;

	(void) arg;
	read_text("abcdef");
	ck_assert_uint_eq(eio_buf_read_peek(&r, &piece), 0);
	expect_err(eio_buf_read_peek_char(&r, &c), 1);
	ck_assert_int_eq(c, 'a');
	ck_assert_uint_eq(eio_buf_read_peek(&r, &piece), 6);
	ck_assert_mem_eq(piece, "abcdef", 6);
	expect_ok(eio_buf_read_consume(&r, 2));
	expect_err(eio_buf_read_consume(&r, 5), -EINVAL);
	expect_at(2);
	ck_assert_uint_eq(eio_buf_reader_buffered(&r), 4);
	expect_ok(eio_buf_read_any_char(&r, &c));
	ck_assert_int_eq(c, 'c');
	expect_all("def");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(bytes_are_asked_about_as_numbers_from_0_to_255)
{
	char *piece;
	size_t len;

	(void) arg;
	read_text("\xff\xe4 ");
	expect_ok(eio_buf_read_take_while(&r, isgraph, &piece, &len));
	ck_assert_uint_eq(len, 0);
	expect_ok(eio_buf_read_skip_while(&r, isgraph));
	expect_at(0);
	eio_buf_reader_fini(&r);
	return 0;
}

/* Skipping */

MOCK_TEST(more_than_max_may_be_skipped)
{
	static char many[100000];

	(void) arg;
	memset(many, ' ', sizeof(many) - 2);
	memcpy(many + sizeof(many) - 2, "ab", 2);
	read_bytes(many, sizeof(many), 0, 10, 20);
	expect_ok(eio_buf_read_skip(&r, 50001));
	expect_at(50001);
	expect_ok(eio_buf_read_skip_while(&r, isspace));
	expect_at(sizeof(many) - 2);
	expect_ok(eio_buf_read_skip(&r, 0));
	expect_err(eio_buf_read_skip(&r, 3), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 2);
	expect_ok(eio_buf_read_skip_while(&r, isspace));
	expect_at(sizeof(many));
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(what_was_skipped_before_a_failure_is_gone)
{
	(void) arg;
	read_bytes("0123456789x", 11, 4, 0, 0);
	expect_ok(eio_buf_read_ensure(&r, 1));
	feed.err = -EIO;
	expect_err(eio_buf_read_skip(&r, 10), -EIO);
	ck_assert_uint_eq(eio_last_error()->done, 4);
	expect_at(4);
	feed.err = -EIO;
	expect_err(eio_buf_read_skip_while(&r, isdigit), -EIO);
	expect_ok(eio_buf_read_skip_while(&r, isdigit));
	expect_all("x");
	eio_buf_reader_fini(&r);
	return 0;
}

/* Numbers */

static void numbers(bool big)
{
	static const unsigned char bytes[] = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
					      0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d,
					      0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94};
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u48, u64;

	/* Each number's bytes come one by one. */
	read_bytes(bytes, sizeof(bytes), 1, 1, 0);
	expect_ok(eio_buf_read_u8(&r, &u8));
	expect_ok(big ? eio_buf_read_be16(&r, &u16) : eio_buf_read_le16(&r, &u16));
	expect_ok(big ? eio_buf_read_be32(&r, &u32) : eio_buf_read_le32(&r, &u32));
	expect_ok(big ? eio_buf_read_be48(&r, &u48) : eio_buf_read_le48(&r, &u48));
	expect_ok(big ? eio_buf_read_be64(&r, &u64) : eio_buf_read_le64(&r, &u64));
	ck_assert_uint_eq(u8, 0x80);
	ck_assert_uint_eq(u16, big ? 0x8182 : 0x8281);
	ck_assert_uint_eq(u32, big ? 0x83848586 : 0x86858483);
	ck_assert_uint_eq(u48, big ? 0x8788898a8b8c : 0x8c8b8a898887);
	ck_assert_uint_eq(u64, big ? 0x8d8e8f9091929394 : 0x94939291908f8e8d);
	expect_err(eio_buf_read_u8(&r, &u8), EIO_EOF);
	eio_buf_reader_fini(&r);
}

MOCK_TEST(every_number_is_read_in_both_orders)
{
	static const unsigned char reals[] = {0xc0, 0x20, 0, 0, 0xc0, 0x04, 0,    0,
					      0,    0,    0, 0, 0,    0,    0x20, 0xc0,
					      0,    0,    0, 0, 0,    0,    4,    0xc0};
	float f;
	double d;

	(void) arg;
	numbers(true);
	numbers(false);
	expect_ok(eio_buf_reader_of_string(&r, reals, sizeof(reals)));
	expect_ok(eio_buf_read_be_float(&r, &f));
	expect_ok(eio_buf_read_be_double(&r, &d));
	ck_assert_float_eq(f, -2.5f);
	ck_assert_double_eq(d, -2.5);
	f = 0;
	d = 0;
	expect_ok(eio_buf_read_le_float(&r, &f));
	expect_ok(eio_buf_read_le_double(&r, &d));
	ck_assert_float_eq(f, -2.5f);
	ck_assert_double_eq(d, -2.5);
	expect_ok(eio_buf_read_end_of_input(&r));
	eio_buf_reader_fini(&r);
	return 0;
}

/* Strings */

MOCK_TEST(memory_is_read_without_a_flow_and_not_changed)
{
	static const char text[] = "a\nb";

	(void) arg;
	expect_ok(eio_buf_reader_of_string(&r, text, 3));
	expect_line("a");
	expect_line("b");
	expect_no_line(0);
	expect_at(3);
	eio_buf_reader_fini(&r);
	ck_assert_mem_eq(text, "a\nb", 3);
	expect_ok(eio_buf_reader_of_string(&r, NULL, 0));
	expect_no_line(0);
	expect_all("");
	eio_buf_reader_fini(&r);
	expect_no_line(0);
	return 0;
}

/* Memory */

static void expect_no_block(void *arg)
{
	(void) arg;
	note("%s", inner()->block ? "held" : "free");
}

MOCK_TEST(a_reader_holds_no_buffer_while_it_waits_for_a_flow_that_lends)
{
	(void) arg;
	borrow_text("one\ntwo\n", 4);
	feed.on_read = expect_no_block;
	expect_line("one");
	expect_line("two");
	expect_no_line(0);
	expect_log("free free free");
	ck_assert_uint_eq(feed.most, 4096);
	eio_buf_reader_fini(&r);
	return 0;
}

static void note_size(void *arg)
{
	(void) arg;
	note("%u", inner()->size);
}

MOCK_TEST(a_buffer_that_grew_is_given_back_before_an_idle_time)
{
	(void) arg;
	read_bytes("0123456789\nabc\n", 15, 3, 4, 0);
	feed.on_read = note_size;
	expect_line("0123456789");
	expect_line("abc");
	expect_log("4 4 8 8 16 4 4");
	eio_buf_reader_fini(&r);
	return 0;
}

static int read_without_memory(void *arg)
{
	char big[8192] = "";
	struct eio_buf_reader other;
	int first, again, forgot, growing, string;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	borrow_text("abc", 0);
	use_memory_up(64);
	first = eio_buf_read_ensure(&r, 1);
	string = eio_buf_reader_of_string(&other, big, sizeof(big));
	give_memory_back();
	again = eio_buf_read_ensure(&r, 3);
	expect_err(first, -ENOMEM);
	expect_err(string, -ENOMEM);
	expect_ok(again);
	eio_buf_reader_fini(&r);

	/* Bytes that came and are nowhere: the reader must not go on as if nothing were. */
	borrow_text("abc", 1);
	feed.forgets = true;
	use_memory_up(64);
	first = eio_buf_read_ensure(&r, 1);
	give_memory_back();
	forgot = eio_buf_read_ensure(&r, 1);
	expect_err(first, -ENOMEM);
	expect_err(forgot, -ENOMEM);
	expect_err(eio_flow_read(eio_buf_reader_as_flow(&r), big, 1), -ENOMEM);
	eio_buf_reader_fini(&r);

	read_bytes("0123456789", 10, 0, 4, 0);
	expect_ok(eio_buf_read_ensure(&r, 1));
	use_memory_up(1);
	growing = eio_buf_read_ensure(&r, 10);
	give_memory_back();
	expect_err(growing, -ENOMEM);
	expect_all("0123456789");
	eio_buf_reader_fini(&r);
	return 0;
}

START_TEST(without_memory_no_byte_is_lost_silently)
{
	if (!SANITIZED)
		run_mock(read_without_memory, 0);
}
END_TEST

/* As a flow */

MOCK_TEST(as_a_flow_what_is_buffered_comes_first)
{
	char buf[20];
	struct eio_flow f = eio_buf_reader_as_flow(&r);
	struct eio_buffer_sink sink;
	uint64_t n;

	(void) arg;
	read_bytes("head\nbody and more\ntail\n", 24, 14, 0, 0);
	expect_line("head");
	expect_err(eio_flow_read(f, buf, 4), 4);
	ck_assert_mem_eq(buf, "body", 4);
	expect_err(eio_flow_read(f, buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, " and ", 5);
	expect_at(14);
	expect_err(eio_flow_read(f, buf, 5), 5);
	ck_assert_mem_eq(buf, "more\n", 5);
	expect_at(19);
	expect_ok(eio_flow_copy(f, eio_buffer_sink_init(&sink, 0), &n));
	ck_assert_str_eq(sink.data, "tail\n");
	eio_buffer_sink_fini(&sink);
	expect_at(24);
	ck_assert(eio_buf_reader_eof_seen(&r));
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(the_reader_goes_on_behind_what_its_flow_was_read)
{
	struct eio_buffer_sink sink;
	struct eio_flow to = eio_buffer_sink_init(&sink, 0);
	uint64_t n;

	(void) arg;
	for (int lends = 0; lends < 2; lends++) {
		feed = (struct feed){.data = "5\nhello3\nabc", .len = 12, .step = 4};
		expect_ok(eio_buf_reader_init(&r, feed_flow(&feed, lends), 0, 0));
		expect_line("5");
		expect_ok(eio_flow_copy_n(eio_buf_reader_as_flow(&r), to, 5, NULL, NULL, &n));
		ck_assert_uint_eq(n, 5);
		expect_at(7);
		expect_line("3");
		expect_ok(eio_flow_copy_n(eio_buf_reader_as_flow(&r), to, 3, NULL, NULL, &n));
		expect_no_line(0);
		ck_assert_str_eq(sink.data, "helloabc");
		ck_assert_uint_eq(feed.lent, 0);
		eio_buffer_sink_fini(&sink);
		eio_buf_reader_fini(&r);
	}
	return 0;
}

static void borrow(size_t max, struct eio_view *view, const char *text)
{
	expect_err(eio_flow_read_borrow(eio_buf_reader_as_flow(&r), max, view),
		   (long) strlen(text));
	ck_assert_mem_eq(view->data, text, strlen(text));
}

MOCK_TEST(what_of_a_view_is_not_used_is_read_again)
{
	struct eio_view view;

	(void) arg;
	borrow_text("abcdefgh", 4);
	expect_take("a");
	borrow(10, &view, "bcd");
	expect_at(4);
	ck_assert(eio_view_release_part(&view, 1));
	expect_at(2);
	borrow(1, &view, "c");
	ck_assert(eio_view_release_part(&view, 0));
	expect_take("cd");

	/* The flow's own. */
	borrow(10, &view, "efgh");
	ck_assert_uint_eq(feed.lent, 1);
	expect_at(8);
	ck_assert(eio_view_release_part(&view, 3));
	ck_assert_uint_eq(feed.lent, 0);
	expect_at(7);
	expect_all("h");
	expect_err(eio_flow_read_borrow(eio_buf_reader_as_flow(&r), 10, &view), 0);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(what_is_given_back_after_the_end_was_seen_is_read_again)
{
	struct eio_view view;

	(void) arg;
	borrow_text("abcd", 4);
	borrow(10, &view, "abcd");
	expect_no_line(0);
	ck_assert(eio_buf_reader_eof_seen(&r));
	ck_assert(eio_view_release_part(&view, 1));
	ck_assert(!eio_buf_reader_eof_seen(&r));
	expect_at(1);
	expect_all("bcd");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_flow_that_lends_nothing_needs_not_take_back)
{
	struct eio_view view;
	char buf[4];

	(void) arg;
	read_bytes("abcdefghijklmnop", 16, 4, 0, 0);
	borrow(10, &view, "abcd");
	ck_assert(eio_view_release_part(&view, 1));
	expect_at(1);
	borrow(2, &view, "bc");
	ck_assert(eio_view_release_part(&view, 2));
	expect_take("d");

	/* More was read since, past the buffer. */
	borrow(10, &view, "efgh");
	expect_err(eio_flow_read(eio_buf_reader_as_flow(&r), buf, 4), 4);
	ck_assert(!eio_view_release_part(&view, 1));
	ck_assert_uint_eq(eio_buf_reader_buffered(&r), 0);
	expect_at(12);

	/* The end has been seen since. */
	borrow(10, &view, "mnop");
	expect_no_line(0);
	ck_assert(eio_view_release_part(&view, 3));
	borrow(10, &view, "p");
	expect_at(16);
	eio_view_release(&view);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(views_may_be_out_together_and_go_back_in_any_order)
{
	struct eio_view first, second, third;

	(void) arg;
	borrow_text("abcdefgh", 2);
	borrow(10, &first, "ab");
	borrow(10, &second, "cd");
	borrow(10, &third, "ef");
	ck_assert_uint_eq(feed.lent, 1);
	ck_assert_mem_eq(first.data, "ab", 2);
	ck_assert_mem_eq(second.data, "cd", 2);
	expect_at(6);
	eio_view_release(&first);
	ck_assert_uint_eq(feed.lent, 0);
	/* Not the last one any more. */
	ck_assert(!eio_view_release_part(&second, 1));
	ck_assert(eio_view_release_part(&third, 1));
	expect_at(5);
	expect_all("fgh");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(what_of_a_view_is_not_used_is_lost_when_the_reader_has_gone_on)
{
	struct eio_view view;

	(void) arg;
	read_bytes("abcdef", 6, 3, 0, 0);
	expect_ok(eio_buf_read_ensure(&r, 1));
	borrow(10, &view, "abc");
	expect_take("def");
	ck_assert(!eio_view_release_part(&view, 1));
	expect_at(6);
	eio_buf_reader_fini(&r);

	/* Moved in the buffer. */
	read_bytes("abcdef", 6, 3, 0, 0);
	expect_ok(eio_buf_read_ensure(&r, 1));
	borrow(10, &view, "abc");
	expect_ok(eio_buf_read_ensure(&r, 3));
	ck_assert(!eio_view_release_part(&view, 1));
	expect_take("def");
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_slice_is_not_cut_off_for_the_flow)
{
	char buf[8];

	(void) arg;
	read_text("abcdef");
	expect_take("ab");
	expect_err(eio_flow_read(eio_buf_reader_as_flow(&r), buf, 4), 4);
	ck_assert_mem_eq(buf, "cdef", 4);
	eio_buf_reader_fini(&r);
	return 0;
}

MOCK_TEST(a_readers_flow_can_only_be_read)
{
	struct eio_flow f = eio_buf_reader_as_flow(&r);
	struct eio_fd fd;

	(void) arg;
	read_text("a");
	expect_err(eio_flow_write(f, "x", 1), -EOPNOTSUPP);
	expect_err(eio_flow_fd(f, &fd), -ENOTSUP);
	expect_ok(eio_flow_close(f));
	expect_all("a");
	eio_buf_reader_fini(&r);
	return 0;
}

/* Real ones */

static int send_slowly(void *arg)
{
	static const char text[] = "first\r\nsecond\n";
	struct eio_flow *to = arg;

	for (size_t i = 0; i < strlen(text); i++) {
		expect_ok(eio_flow_write(*to, text + i, 1));
		trips(1);
	}
	return eio_flow_shutdown(*to, EIO_SHUT_SEND);
}

RING_TEST(lines_come_over_a_connection)
{
	struct eio_switch sw;
	struct eio_flow a, b;

	(void) arg;
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	expect_ok(eio_fork(&sw, send_slowly, &a));
	expect_ok(eio_buf_reader_init(&r, b, 0, 0));
	expect_line("first");
	expect_line("second");
	expect_no_line(0);
	eio_buf_reader_fini(&r);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_time_limit_loses_no_byte)
{
	struct eio_switch sw;
	struct eio_flow a, b;
	struct eio_timeout t;
	char *line;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &b, &a);
	expect_ok(eio_buf_reader_init(&r, b, 0, 0));
	expect_ok(eio_flow_write(a, "li", 2));
	eio_timeout_begin(&t, env->mono_clock, EIO_MS(1));
	expect_err(eio_timeout_end(&t, eio_buf_read_line(&r, &line, NULL)), -ETIMEDOUT);
	expect_ok(eio_flow_write(a, "ne\n", 3));
	expect_line("line");
	eio_buf_reader_fini(&r);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("buf_read", false, lines_end_in_lf_or_cr_lf_and_the_last_one_with_the_input_test,
	   lines_are_the_same_however_they_come_test,
	   a_line_may_be_written_to_and_the_next_one_is_not_touched_test,
	   a_line_may_hold_nul_bytes_test, the_buffer_doubles_up_to_max_and_then_it_is_elimit_test,
	   a_line_of_max_bytes_with_its_end_fits_test, sizes_that_make_no_sense_are_einval_test,
	   after_the_end_the_flow_is_not_read_again_test,
	   a_failed_flow_is_read_again_and_no_byte_is_missing_test,
	   what_the_input_is_too_short_for_consumes_nothing_test,
	   what_is_cancelled_consumes_nothing_and_may_be_done_again_test,
	   what_does_not_match_consumes_nothing_test, a_string_fails_as_soon_as_a_byte_differs_test,
	   slices_are_terminated_and_the_bytes_behind_come_back_test,
	   a_slice_stays_until_the_next_call_test, what_is_peeked_at_stays_and_may_be_consumed_test,
	   bytes_are_asked_about_as_numbers_from_0_to_255_test, more_than_max_may_be_skipped_test,
	   what_was_skipped_before_a_failure_is_gone_test, every_number_is_read_in_both_orders_test,
	   memory_is_read_without_a_flow_and_not_changed_test,
	   a_reader_holds_no_buffer_while_it_waits_for_a_flow_that_lends_test,
	   a_buffer_that_grew_is_given_back_before_an_idle_time_test,
	   without_memory_no_byte_is_lost_silently, as_a_flow_what_is_buffered_comes_first_test,
	   the_reader_goes_on_behind_what_its_flow_was_read_test,
	   what_of_a_view_is_not_used_is_read_again_test,
	   what_is_given_back_after_the_end_was_seen_is_read_again_test,
	   a_flow_that_lends_nothing_needs_not_take_back_test,
	   views_may_be_out_together_and_go_back_in_any_order_test,
	   what_of_a_view_is_not_used_is_lost_when_the_reader_has_gone_on_test,
	   a_slice_is_not_cut_off_for_the_flow_test, a_readers_flow_can_only_be_read_test,
	   lines_come_over_a_connection_test, a_time_limit_loses_no_byte_test)
