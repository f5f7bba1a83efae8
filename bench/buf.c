/* SPDX-License-Identifier: ISC */
/*
 * What buffered reading and writing cost beside what they cannot do without: lines of 32 bytes
 * against a bare memchr loop, numbers against loads, written pieces of 32 bytes against memcpy.
 * No system call is made: the input is memory, copied by the flow or lent, the output is
 * eio_null.
 */
#include "bench.h"

#include <eio/buf_read.h>
#include <eio/buf_write.h>
#include <eio/run.h>
#include <endian.h>
#include <string.h>

enum { LINE = 32, LINES = 20000, LEN = LINE * LINES };

static char input[LEN];
static volatile uint64_t sum;

/* Reading */

static double lines(struct eio_buf_reader *r)
{
	double start = bench_now_ns();
	uint64_t total = 0;
	size_t len;
	char *line;
	int rc;

	while ((rc = eio_buf_read_line(r, &line, &len)) == 1)
		total += len;
	sum = total;
	bench_check(rc, "lines");
	start = bench_now_ns() - start;
	eio_buf_reader_fini(r);
	return start / LINES;
}

static double line(void)
{
	struct eio_buf_reader r;

	bench_check(eio_buf_reader_of_string(&r, input, LEN), "reader");
	return lines(&r);
}

/* Through a flow, 4096 bytes at a time. */
static double line_flow(void)
{
	struct eio_buf_reader r;
	struct eio_string_source s;

	bench_check(eio_buf_reader_init(&r, eio_string_source_init(&s, input, LEN), 0, 0),
		    "reader");
	return lines(&r);
}

static double line_raw(void)
{
	double start = bench_now_ns();
	const char *p = input, *end = input + LEN, *lf;
	uint64_t total = 0;

	while ((lf = memchr(p, '\n', (size_t) (end - p)))) {
		total += (size_t) (lf - p);
		p = lf + 1;
	}
	sum = total;
	return (bench_now_ns() - start) / LINES;
}

static double number(void)
{
	struct eio_buf_reader r;
	uint64_t total = 0;
	uint32_t v = 0;
	double start;
	int rc = 0;

	bench_check(eio_buf_reader_of_string(&r, input, LEN), "reader");
	start = bench_now_ns();
	for (unsigned i = 0; i < LEN / 4; i++) {
		rc |= eio_buf_read_be32(&r, &v);
		total += v;
	}
	sum = total;
	bench_check(rc, "numbers");
	start = bench_now_ns() - start;
	eio_buf_reader_fini(&r);
	return start / (LEN / 4);
}

static double number_raw(void)
{
	double start = bench_now_ns();
	const char *p = input;
	uint64_t total = 0;

	for (unsigned i = 0; i < LEN / 4; i++, p += 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		total += be32toh(v);
		/* One after the other, as the calls are. */
		__asm__ volatile("" : "+r"(p), "+r"(total));
	}
	sum = total;
	return (bench_now_ns() - start) / (LEN / 4);
}

/* Writing */

static double piece(void)
{
	struct eio_buf_writer w;
	double start = bench_now_ns();
	int rc = eio_buf_writer_begin(&w, eio_null(), 0);

	bench_check(rc, "writer");
	for (unsigned i = 0; i < LINES; i++)
		rc |= eio_buf_write(&w, input + i * LINE, LINE);
	bench_check(eio_buf_writer_end(&w, rc), "pieces");
	return (bench_now_ns() - start) / LINES;
}

static double piece_u8(void)
{
	struct eio_buf_writer w;
	double start = bench_now_ns();
	int rc = eio_buf_writer_begin(&w, eio_null(), 0);

	bench_check(rc, "writer");
	for (unsigned i = 0; i < LINES; i++)
		rc |= eio_buf_write_u8(&w, (uint8_t) i);
	bench_check(eio_buf_writer_end(&w, rc), "bytes");
	return (bench_now_ns() - start) / LINES;
}

static double piece_raw(void)
{
	static char buffer[4096];
	double start = bench_now_ns();
	size_t at = 0;

	for (unsigned i = 0; i < LINES; i++) {
		size_t len = LINE;

		/* A length that the compiler does not know, as the call's. */
		__asm__ volatile("" : "+r"(len));
		memcpy(buffer + at, input + i * LINE, len);
		at = (at + len) % sizeof(buffer);
		__asm__ volatile("" : : : "memory");
	}
	return (bench_now_ns() - start) / LINES;
}

/* A scope with one write: what an answer costs that is sent at the end. */
static double scope(void)
{
	double start = bench_now_ns();
	int rc = 0;

	for (unsigned i = 0; i < LINES; i++) {
		struct eio_buf_writer w;

		rc |= eio_buf_writer_begin(&w, eio_null(), 0);
		rc |= eio_buf_write(&w, input, LINE);
		rc |= eio_buf_writer_end(&w, 0);
	}
	bench_check(rc, "scope");
	return (bench_now_ns() - start) / LINES;
}

/* One scope, each piece flushed. */
static double flush(void)
{
	struct eio_buf_writer w;
	double start = bench_now_ns();
	int rc = eio_buf_writer_begin(&w, eio_null(), 0);

	bench_check(rc, "writer");
	for (unsigned i = 0; i < LINES; i++) {
		rc |= eio_buf_write(&w, input, LINE);
		rc |= eio_buf_writer_flush(&w);
	}
	bench_check(eio_buf_writer_end(&w, rc), "flush");
	return (bench_now_ns() - start) / LINES;
}

enum {
	LINE_STRING,
	LINE_FLOW,
	LINE_RAW,
	NUMBER,
	NUMBER_RAW,
	PIECE,
	PIECE_RAW,
	U8,
	SCOPE,
	FLUSH,
};

static unsigned rounds;

static int run(struct eio_env *env, void *arg)
{
	static struct bench_value values[] = {
		[LINE_STRING] = {.name = "buf_read_line", .measure = line},
		[LINE_FLOW] = {.name = "buf_read_line_flow", .measure = line_flow},
		[LINE_RAW] = {.name = "memchr_line", .measure = line_raw},
		[NUMBER] = {.name = "buf_read_be32", .measure = number},
		[NUMBER_RAW] = {.name = "load_be32", .measure = number_raw},
		[PIECE] = {.name = "buf_write_32", .measure = piece},
		[PIECE_RAW] = {.name = "memcpy_32", .measure = piece_raw},
		[U8] = {.name = "buf_write_u8", .measure = piece_u8},
		[SCOPE] = {.name = "buf_writer_scope", .measure = scope},
		[FLUSH] = {.name = "buf_write_and_flush", .measure = flush},
	};

	(void) env, (void) arg;
	memset(input, 'x', LEN);
	for (unsigned i = 0; i < LINES; i++)
		input[i * LINE + LINE - 1] = '\n';
	for (unsigned i = 0; i < BENCH_LEN(values); i++)
		values[i].unit = "ns";
	bench_measure(values, BENCH_LEN(values), rounds);
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("line_to_memchr", &values[LINE_STRING], &values[LINE_RAW]);
	bench_print_ratio("line_flow_to_memchr", &values[LINE_FLOW], &values[LINE_RAW]);
	bench_print_ratio("be32_to_load", &values[NUMBER], &values[NUMBER_RAW]);
	bench_print_ratio("write_to_memcpy", &values[PIECE], &values[PIECE_RAW]);
	return 0;
}

int main(int argc, char **argv)
{
	rounds = bench_parse(argc, argv, "Buffered reading and writing in memory.", 21, NULL);
	bench_check(eio_run(NULL, run, NULL), "run");
	return 0;
}
