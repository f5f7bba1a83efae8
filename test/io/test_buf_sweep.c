/* SPDX-License-Identifier: ISC */
/*
 * Every call of buffered readers and writers that may suspend, cancelled at every moment, on
 * both schedulers: what a reader consumed and what is left is the whole input, what arrived is
 * what a writer said it had taken.
 */
#include "io/util.h"
#include "sweep.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/uio.h>

static const char text[] = "abcdefghi\nxyz";

enum { LINE = 10 }; /* bytes of the first */

struct place {
	struct attempt a;
	struct eio_switch sw;
	struct eio_mock_pair pair;
	struct eio_flow f, far;
	struct eio_buf_reader r;
	struct eio_buf_writer w;
	struct eio_promise stop; /* for the writer's owner */
	size_t sent;             /* by the far end */
	size_t want;             /* what the call is to consume, or to add */
	bool partly;             /* a part of that may be done */
	bool owned, drained;
	char bytes[32]; /* what the call is to add */
	char got[64];
	size_t len;
};

/* Readers */

static void send_part(struct place *p, size_t upto)
{
	expect_ok(eio_flow_write(p->far, text + p->sent, upto - p->sent));
	p->sent = upto;
}

static void empty(struct place *p)
{
	expect_ok(eio_mock_pair_init(&p->pair, 100, &p->f, &p->far));
	expect_ok(eio_buf_reader_init(&p->r, p->f, 0, 0));
}

static void begun(struct place *p)
{
	empty(p);
	send_part(p, 1);
	expect_ok(eio_buf_read_ensure(&p->r, 1));
}

static void send_rest(struct place *p)
{
	send_part(p, strlen(text));
}

static void send_rest_and_close(struct place *p)
{
	send_rest(p);
	expect_ok(eio_flow_close(p->far));
}

static void hang_up(struct place *p)
{
	expect_ok(eio_flow_close(p->far));
}

static void check_read(struct place *p)
{
	uint64_t consumed = eio_buf_reader_consumed(&p->r);
	char *rest;

	if (p->a.rc >= 0)
		same(consumed, p->want);
	else
		same(consumed <= (p->partly ? p->want : 0), true);
	(void) eio_flow_close(p->far);
	expect_ok(eio_buf_read_take_all(&p->r, &rest, NULL));
	same(strlen(rest), p->sent - consumed);
	same(memcmp(rest, text + consumed, p->sent - consumed), 0);
	eio_buf_reader_fini(&p->r);
	eio_mock_pair_fini(&p->pair);
}

#define READ(name, consumes, type, call)                                                           \
	static int run_##name(struct place *p)                                                     \
	{                                                                                          \
		type ret;                                                                          \
                                                                                                   \
		(void) ret;                                                                        \
		p->want = (consumes);                                                              \
		return call;                                                                       \
	}

READ(ensure, 0, int, eio_buf_read_ensure(&p->r, 5))
READ(at_end, 0, int, eio_buf_read_at_end(&p->r))
READ(end_of_input, 0, int, eio_buf_read_end_of_input(&p->r))
READ(line, LINE, char *, eio_buf_read_line(&p->r, &ret, NULL))
READ(take, 5, char *, eio_buf_read_take(&p->r, 5, &ret))
READ(take_while, LINE - 1, char *, eio_buf_read_take_while(&p->r, isalpha, &ret, NULL))
READ(take_while1, LINE - 1, char *, eio_buf_read_take_while1(&p->r, isalpha, &ret, NULL))
READ(take_all, strlen(text), char *, eio_buf_read_take_all(&p->r, &ret, NULL))
READ(char, 1, int, eio_buf_read_char(&p->r, 'a'))
READ(string, 5, int, eio_buf_read_string(&p->r, "abcde"))
READ(any_char, 1, char, eio_buf_read_any_char(&p->r, &ret))
READ(peek_char, 0, char, eio_buf_read_peek_char(&p->r, &ret))
READ(u8, 1, uint8_t, eio_buf_read_u8(&p->r, &ret))
READ(be16, 2, uint16_t, eio_buf_read_be16(&p->r, &ret))
READ(be32, 4, uint32_t, eio_buf_read_be32(&p->r, &ret))
READ(be48, 6, uint64_t, eio_buf_read_be48(&p->r, &ret))
READ(be64, 8, uint64_t, eio_buf_read_be64(&p->r, &ret))
READ(be_float, 4, float, eio_buf_read_be_float(&p->r, &ret))
READ(be_double, 8, double, eio_buf_read_be_double(&p->r, &ret))
READ(le16, 2, uint16_t, eio_buf_read_le16(&p->r, &ret))
READ(le32, 4, uint32_t, eio_buf_read_le32(&p->r, &ret))
READ(le48, 6, uint64_t, eio_buf_read_le48(&p->r, &ret))
READ(le64, 8, uint64_t, eio_buf_read_le64(&p->r, &ret))
READ(le_float, 4, float, eio_buf_read_le_float(&p->r, &ret))
READ(le_double, 8, double, eio_buf_read_le_double(&p->r, &ret))

static int run_skip(struct place *p)
{
	p->want = 5;
	p->partly = true;
	return eio_buf_read_skip(&p->r, 5);
}

static int run_skip_while(struct place *p)
{
	p->want = LINE - 1;
	p->partly = true;
	return eio_buf_read_skip_while(&p->r, isalpha);
}

static int run_flow_read(struct place *p)
{
	ssize_t n = eio_flow_read(eio_buf_reader_as_flow(&p->r), p->got, 3);

	p->want = 3;
	return (int) n;
}

static int run_flow_borrow(struct place *p)
{
	struct eio_view view;
	ssize_t n = eio_flow_read_borrow(eio_buf_reader_as_flow(&p->r), 3, &view);

	eio_view_release(&view);
	p->want = 3;
	return (int) n;
}

/* Writers: of a fiber that is not cancelled; two of the bytes it wrote have gone out, for no
 * more is there room, and the buffer is full. */

static const char before_call[] = "abcdEFGH";

static int own(void *arg)
{
	struct place *p = arg;
	int rc;

	expect_ok(eio_buf_writer_begin(&p->w, p->f, 4));
	expect_ok(eio_buf_write(&p->w, before_call, 4));
	expect_ok(eio_buf_write_schedule(&p->w, before_call + 4, 4));
	p->owned = true;
	rc = eio_promise_await(&p->stop, NULL);
	expect_ok(eio_buf_writer_end(&p->w, rc));
	p->owned = false;
	return 0;
}

static void full_pair(struct place *p)
{
	expect_ok(eio_mock_pair_init(&p->pair, 2, &p->f, &p->far));
}

static void full_writer(struct place *p)
{
	full_pair(p);
	expect_ok(eio_fork(&p->sw, own, p));
	for (int i = 0; i < 4; i++)
		expect_ok(eio_yield());
	same(eio_buf_writer_pending(&p->w), 6);
}

static int drain(void *arg)
{
	struct place *p = arg;
	ssize_t n;

	while ((n = eio_flow_read(p->far, p->got + p->len, sizeof(p->got) - p->len)) > 0)
		p->len += (size_t) n;
	p->drained = true;
	return 0;
}

static void start_draining(struct place *p)
{
	expect_ok(eio_fork(&p->sw, drain, p));
}

/* What arrives: @p before and the first bytes of what the call was to add. */
static void expect_arrived(struct place *p, const char *before)
{
	expect_ok(eio_flow_close(p->f));
	while (!p->drained)
		expect_ok(eio_yield());
	same(p->len >= strlen(before), true);
	same(memcmp(p->got, before, strlen(before)), 0);
	same(memcmp(p->got + strlen(before), p->bytes, p->len - strlen(before)), 0);
	eio_mock_pair_fini(&p->pair);
}

static void check_write(struct place *p)
{
	size_t added = p->a.rc >= 0 ? p->want : p->partly ? (size_t) p->a.done : 0;

	if (!p->a.fired)
		start_draining(p);
	expect_ok(eio_promise_resolve(&p->stop, 0, NULL));
	while (p->owned)
		expect_ok(eio_yield());
	expect_arrived(p, before_call);
	same(p->len, strlen(before_call) + added);
}

static int add(struct place *p, const char *bytes, size_t len)
{
	memcpy(p->bytes, bytes, len);
	p->want = len;
	return 0;
}

#define WRITE(name, bytes, call)                                                                   \
	static int run_write_##name(struct place *p)                                               \
	{                                                                                          \
		add(p, bytes, sizeof(bytes) - 1);                                                  \
		return call;                                                                       \
	}

WRITE(short, "xy", eio_buf_write(&p->w, "xy", 2))
WRITE(schedule, "scheduled", eio_buf_write_schedule(&p->w, "scheduled", 9))
WRITE(string, "xyz", eio_buf_write_string(&p->w, "xyz"))
WRITE(printf, "7!", eio_buf_write_printf(&p->w, "%d!", 7))
WRITE(char, "x", eio_buf_write_char(&p->w, 'x'))
WRITE(u8, "x", eio_buf_write_u8(&p->w, 'x'))
WRITE(be16, "\1\2", eio_buf_write_be16(&p->w, 0x0102))
WRITE(be32, "\1\2\3\4", eio_buf_write_be32(&p->w, 0x01020304))
WRITE(be_float, "\xc0\x20\0\0", eio_buf_write_be_float(&p->w, -2.5f))
WRITE(le16, "\2\1", eio_buf_write_le16(&p->w, 0x0102))
WRITE(le32, "\4\3\2\1", eio_buf_write_le32(&p->w, 0x01020304))
WRITE(le_float, "\0\0\x20\xc0", eio_buf_write_le_float(&p->w, -2.5f))
WRITE(flush, "", eio_buf_writer_flush(&p->w))
WRITE(unpause, "", eio_buf_writer_unpause(&p->w))
WRITE(close, "", eio_buf_writer_close(&p->w))

/* Longer than the buffer: as much of it is done as the failure says. */
#define WRITE_LONG(name, bytes, call)                                                              \
	static int run_write_##name(struct place *p)                                               \
	{                                                                                          \
		add(p, bytes, sizeof(bytes) - 1);                                                  \
		p->partly = true;                                                                  \
		return call;                                                                       \
	}

WRITE_LONG(long, "0123456789", eio_buf_write(&p->w, "0123456789", 10))
WRITE_LONG(be48, "\1\2\3\4\5\6", eio_buf_write_be48(&p->w, 0x010203040506))
WRITE_LONG(be64, "\1\2\3\4\5\6\7\x8", eio_buf_write_be64(&p->w, 0x0102030405060708))
WRITE_LONG(be_double, "\xc0\4\0\0\0\0\0\0", eio_buf_write_be_double(&p->w, -2.5))
WRITE_LONG(le48, "\6\5\4\3\2\1", eio_buf_write_le48(&p->w, 0x010203040506))
WRITE_LONG(le64, "\x8\7\6\5\4\3\2\1", eio_buf_write_le64(&p->w, 0x0102030405060708))
WRITE_LONG(le_double, "\0\0\0\0\0\0\4\xc0", eio_buf_write_le_double(&p->w, -2.5))

static int print(struct place *p, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = eio_buf_write_vprintf(&p->w, format, args);
	va_end(args);
	return rc;
}

WRITE_LONG(vprintf, "long enough 12", print(p, "%s %d", "long enough", 12))

/* Scopes of the cancelled fiber's own: what arrives is a part of what was written, and all of
 * it if nobody says otherwise. */

static void check_scope(struct place *p)
{
	if (!p->a.fired)
		start_draining(p);
	expect_arrived(p, "");
	same(p->len <= p->want, true);
	if (p->a.rc >= 0)
		same(p->len, p->want);
}

static int write_and_end(struct place *p, int rc)
{
	add(p, "0123456789", 10);
	if (rc == 0)
		rc = eio_buf_write(&p->w, "01234", 5);
	if (rc == 0)
		rc = eio_buf_write_schedule(&p->w, "56789", 5);
	return eio_buf_writer_end(&p->w, rc);
}

static int run_scope(struct place *p)
{
	expect_ok(eio_buf_writer_begin(&p->w, p->f, 0));
	return write_and_end(p, 0);
}

static int run_flushed_scope(struct place *p)
{
	int rc;

	expect_ok(eio_buf_writer_begin(&p->w, p->f, 0));
	rc = eio_buf_write(&p->w, "012", 3);
	if (rc == 0)
		rc = eio_buf_writer_flush(&p->w);
	memcpy(p->bytes, "012", p->want = 3);
	return eio_buf_writer_end(&p->w, rc);
}

static int transport(struct eio_buf_writer *w, void *arg)
{
	struct place *p = arg;
	struct iovec iov[2];
	int rc = 0, n;

	while (rc == 0 && (n = eio_buf_writer_await_batch(w, iov, 2)) != 0) {
		ssize_t sent = n < 0 ? n : eio_flow_write_some(p->f, iov, n);

		rc = sent < 0 ? (int) sent : eio_buf_writer_shift(w, (size_t) sent);
	}
	return rc;
}

static int run_scope_with(struct place *p)
{
	expect_ok(eio_buf_writer_begin_with(&p->w, 4, transport, p));
	return write_and_end(p, 0);
}

static const struct call calls[] = {
	{"eio_buf_read_ensure", HANDED, begun, run_ensure, send_rest, check_read},
	{"eio_buf_read_at_end", HANDED, empty, run_at_end, send_rest, check_read},
	{"eio_buf_read_at_end, at it", HANDED, empty, run_at_end, hang_up, check_read},
	{"eio_buf_read_end_of_input", HANDED, empty, run_end_of_input, hang_up, check_read},
	{"eio_buf_read_line", HANDED, begun, run_line, send_rest, check_read},
	{"eio_buf_read_line, unbuffered", HANDED, empty, run_line, send_rest, check_read},
	{"eio_buf_read_take", HANDED, begun, run_take, send_rest, check_read},
	{"eio_buf_read_take_while", HANDED, begun, run_take_while, send_rest, check_read},
	{"eio_buf_read_take_while1", HANDED, begun, run_take_while1, send_rest, check_read},
	{"eio_buf_read_take_all", WAITS, begun, run_take_all, send_rest_and_close, check_read},
	{"eio_buf_read_skip", HANDED, begun, run_skip, send_rest, check_read},
	{"eio_buf_read_skip_while", HANDED, begun, run_skip_while, send_rest, check_read},
	{"eio_buf_read_char", HANDED, empty, run_char, send_rest, check_read},
	{"eio_buf_read_string", HANDED, begun, run_string, send_rest, check_read},
	{"eio_buf_read_any_char", HANDED, empty, run_any_char, send_rest, check_read},
	{"eio_buf_read_peek_char", HANDED, empty, run_peek_char, send_rest, check_read},
	{"eio_buf_read_u8", HANDED, empty, run_u8, send_rest, check_read},
	{"eio_buf_read_be16", HANDED, begun, run_be16, send_rest, check_read},
	{"eio_buf_read_be32", HANDED, begun, run_be32, send_rest, check_read},
	{"eio_buf_read_be48", HANDED, begun, run_be48, send_rest, check_read},
	{"eio_buf_read_be64", HANDED, begun, run_be64, send_rest, check_read},
	{"eio_buf_read_be_float", HANDED, begun, run_be_float, send_rest, check_read},
	{"eio_buf_read_be_double", HANDED, begun, run_be_double, send_rest, check_read},
	{"eio_buf_read_le16", HANDED, begun, run_le16, send_rest, check_read},
	{"eio_buf_read_le32", HANDED, begun, run_le32, send_rest, check_read},
	{"eio_buf_read_le48", HANDED, begun, run_le48, send_rest, check_read},
	{"eio_buf_read_le64", HANDED, begun, run_le64, send_rest, check_read},
	{"eio_buf_read_le_float", HANDED, begun, run_le_float, send_rest, check_read},
	{"eio_buf_read_le_double", HANDED, begun, run_le_double, send_rest, check_read},
	{"eio_flow_read of a reader", HANDED, empty, run_flow_read, send_rest, check_read},
	{"eio_flow_read_borrow of a reader", HANDED, empty, run_flow_borrow, send_rest, check_read},
	{"eio_buf_write", WAITS, full_writer, run_write_short, start_draining, check_write},
	{"eio_buf_write, long", WAITS, full_writer, run_write_long, start_draining, check_write},
	{"eio_buf_write_schedule", WAITS, full_writer, run_write_schedule, start_draining,
	 check_write},
	{"eio_buf_write_string", WAITS, full_writer, run_write_string, start_draining, check_write},
	{"eio_buf_write_printf", WAITS, full_writer, run_write_printf, start_draining, check_write},
	{"eio_buf_write_vprintf", WAITS, full_writer, run_write_vprintf, start_draining,
	 check_write},
	{"eio_buf_write_char", WAITS, full_writer, run_write_char, start_draining, check_write},
	{"eio_buf_write_u8", WAITS, full_writer, run_write_u8, start_draining, check_write},
	{"eio_buf_write_be16", WAITS, full_writer, run_write_be16, start_draining, check_write},
	{"eio_buf_write_be32", WAITS, full_writer, run_write_be32, start_draining, check_write},
	{"eio_buf_write_be48", WAITS, full_writer, run_write_be48, start_draining, check_write},
	{"eio_buf_write_be64", WAITS, full_writer, run_write_be64, start_draining, check_write},
	{"eio_buf_write_be_float", WAITS, full_writer, run_write_be_float, start_draining,
	 check_write},
	{"eio_buf_write_be_double", WAITS, full_writer, run_write_be_double, start_draining,
	 check_write},
	{"eio_buf_write_le16", WAITS, full_writer, run_write_le16, start_draining, check_write},
	{"eio_buf_write_le32", WAITS, full_writer, run_write_le32, start_draining, check_write},
	{"eio_buf_write_le48", WAITS, full_writer, run_write_le48, start_draining, check_write},
	{"eio_buf_write_le64", WAITS, full_writer, run_write_le64, start_draining, check_write},
	{"eio_buf_write_le_float", WAITS, full_writer, run_write_le_float, start_draining,
	 check_write},
	{"eio_buf_write_le_double", WAITS, full_writer, run_write_le_double, start_draining,
	 check_write},
	{"eio_buf_writer_flush", WAITS, full_writer, run_write_flush, start_draining, check_write},
	{"eio_buf_writer_flush, a scope", WAITS, full_pair, run_flushed_scope, start_draining,
	 check_scope},
	{"eio_buf_writer_unpause", FIRM, full_writer, run_write_unpause, NULL, check_write},
	{"eio_buf_writer_close", FIRM, full_writer, run_write_close, NULL, check_write},
	{"eio_buf_writer_end", WAITS, full_pair, run_scope, start_draining, check_scope},
	{"eio_buf_writer_begin_with, eio_buf_writer_await_batch", WAITS, full_pair, run_scope_with,
	 start_draining, check_scope},
};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
}

static void end(struct place *p)
{
	expect_ok(eio_switch_end(&p->sw, 0));
}

static void step(void)
{
	expect_ok(eio_yield());
}

static const struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, step};

CORE_TEST(nothing_is_lost_in_a_buffer_whenever_the_cancellation_comes)
{
	(void) arg;
	sweep_moments(&all);
	return 0;
}

CORE_TEST(nothing_is_lost_in_a_buffer_when_a_limit_expires)
{
	static const int64_t limits[] = {-1, 1, 20000, 100000};

	(void) arg;
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

SUITE_MAIN("buf_sweep", false, nothing_is_lost_in_a_buffer_whenever_the_cancellation_comes_test,
	   nothing_is_lost_in_a_buffer_when_a_limit_expires_test)
