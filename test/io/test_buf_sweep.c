/* SPDX-License-Identifier: ISC */
/*
 * Every call of buffered readers that may suspend, cancelled at every moment, on both
 * schedulers: what a reader consumed and what is left is the whole input.
 */
#include "io/util.h"
#include "sweep.h"

#include <ctype.h>

#define TEXT "abcdefghi\nxyz"

enum { LINE = 10 }; /* bytes of the first */

struct place {
	struct attempt a;
	struct eio_switch sw;
	struct eio_mock_pair pair;
	struct eio_flow f, far;
	struct eio_buf_reader r;
	size_t sent; /* by the far end */
	size_t want; /* what the call is to consume */
	bool partly; /* a part of that may be done */
	char got[64];
};

/* Readers */

static void send_part(struct place *p, size_t upto)
{
	expect_ok(eio_flow_write(p->far, TEXT + p->sent, upto - p->sent));
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
	send_part(p, strlen(TEXT));
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
	same(memcmp(rest, TEXT + consumed, p->sent - consumed), 0);
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
READ(take_all, strlen(TEXT), char *, eio_buf_read_take_all(&p->r, &ret, NULL))
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
