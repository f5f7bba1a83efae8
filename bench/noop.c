/* SPDX-License-Identifier: ISC */
/*
 * What the library adds to a trip through the ring: no-ops of 1 and of 100 fibers, beside bare
 * liburing with the same set-up that submits 1 and 100 at a time.
 */
#include "bench.h"
#include "raw_ring.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/run.h>

enum { MANY = 100, COUNT_1 = 20000, COUNT_MANY = 50000, DEPTH = 256 };

static struct io_uring ring;

static double raw(unsigned count, unsigned at_once)
{
	double start = bench_now_ns();

	for (unsigned done = 0; done < count; done += at_once) {
		struct io_uring_cqe *cqe;
		unsigned head, n = 0;
		int rc = 0;

		for (unsigned i = 0; i < at_once; i++)
			io_uring_prep_nop(io_uring_get_sqe(&ring));
		bench_check(io_uring_submit_and_wait(&ring, at_once), "submit_and_wait");
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			rc |= cqe->res;
			n++;
		}
		io_uring_cq_advance(&ring, n);
		if (rc < 0 || n != at_once)
			bench_fail("a raw no-op failed");
	}
	return (bench_now_ns() - start) / count;
}

static double raw_1(void)
{
	return raw(COUNT_1, 1);
}

static double raw_100(void)
{
	return raw(COUNT_MANY, MANY);
}

static int noops(void *arg)
{
	int rc = 0;

	for (unsigned n = *(const unsigned *) arg; n; n--)
		rc |= eio_ll_noop();
	return rc;
}

static double eio_1(void)
{
	unsigned count = COUNT_1;
	double start = bench_now_ns();

	bench_check(noops(&count), "noop");
	return (bench_now_ns() - start) / COUNT_1;
}

static double eio_100(void)
{
	unsigned each = COUNT_MANY / MANY;
	double start = bench_now_ns();
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < MANY; i++)
		bench_check(eio_fork(&sw, noops, &each), "fork");
	bench_check(eio_switch_end(&sw, 0), "noop");
	return (bench_now_ns() - start) / COUNT_MANY;
}

enum { NOOP_1, RAW_1, NOOP_100, RAW_100 };

static struct bench_value values[] = {
	[NOOP_1] = {.name = "noop_1", .unit = "ns", .measure = eio_1},
	[RAW_1] = {.name = "noop_1_raw", .unit = "ns", .measure = raw_1},
	[NOOP_100] = {.name = "noop_100", .unit = "ns", .measure = eio_100},
	[RAW_100] = {.name = "noop_100_raw", .unit = "ns", .measure = raw_100},
};

static int measure(struct eio_env *env, void *arg)
{
	(void) env;
	bench_measure(values, BENCH_LEN(values), *(unsigned *) arg);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures no-ops through the ring.", 51, NULL);

	raw_ring_init(&ring, DEPTH);
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	io_uring_queue_exit(&ring);
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("noop_1_vs_raw", &values[NOOP_1], &values[RAW_1]);
	bench_print_ratio("noop_100_vs_raw", &values[NOOP_100], &values[RAW_100]);
	return 0;
}
