/* SPDX-License-Identifier: ISC */
/*
 * What a call on a thread costs: empty ones of 1 and of 64 fibers, beside bare threads that
 * are handed as many by futexes and hand them back.
 */
#include "bench.h"
#include "raw_thread.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/run.h>

enum { MANY = 64, COUNT_1 = 2000, COUNT_MANY = 200 * MANY };

static struct raw_thread threads[MANY];
static uint32_t left;

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static double raw(unsigned count, unsigned at_once)
{
	double start = bench_now_ns();

	for (unsigned done = 0; done < count; done += at_once) {
		__atomic_store_n(&left, at_once, __ATOMIC_RELEASE);
		for (unsigned i = 0; i < at_once; i++)
			raw_thread_hand(&threads[i], nothing, NULL);
		raw_threads_await(&left);
	}
	return (bench_now_ns() - start) / count;
}

static double raw_1(void)
{
	return raw(COUNT_1, 1);
}

static double raw_64(void)
{
	return raw(COUNT_MANY, MANY);
}

static int calls(void *arg)
{
	int rc = 0;

	for (unsigned n = *(const unsigned *) arg; n; n--)
		rc |= eio_ll_in_thread(nothing, NULL);
	return rc;
}

static double eio(unsigned count, unsigned at_once)
{
	unsigned each = count / at_once;
	double start = bench_now_ns();
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < at_once; i++)
		bench_check(eio_fork(&sw, calls, &each), "fork");
	bench_check(eio_switch_end(&sw, 0), "in_thread");
	return (bench_now_ns() - start) / count;
}

static double eio_1(void)
{
	return eio(COUNT_1, 1);
}

static double eio_64(void)
{
	return eio(COUNT_MANY, MANY);
}

enum { EIO_1, RAW_1, EIO_64, RAW_64 };

static struct bench_value values[] = {
	[EIO_1] = {.name = "in_thread_1", .unit = "ns"},
	[RAW_1] = {.name = "in_thread_1_raw", .unit = "ns"},
	[EIO_64] = {.name = "in_thread_64", .unit = "ns"},
	[RAW_64] = {.name = "in_thread_64_raw", .unit = "ns"},
};

static double (*const measure_one[])(void) = {eio_1, raw_1, eio_64, raw_64};

/* They wait most of the time, so time is what counts. */
static int measure(struct eio_env *env, void *arg)
{
	unsigned rounds = *(unsigned *) arg;

	(void) env;
	for (unsigned round = 0; round <= rounds; round++) {
		for (size_t i = 0; i < BENCH_LEN(values); i++) {
			double sample = measure_one[i]();

			if (round)
				bench_add(&values[i], sample);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures calls on threads.", 31, NULL);

	for (int i = 0; i < MANY; i++)
		raw_thread_begin(&threads[i], &left);
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	for (int i = 0; i < MANY; i++)
		raw_thread_end(&threads[i]);
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("in_thread_1_vs_raw", &values[EIO_1], &values[RAW_1]);
	bench_print_ratio("in_thread_64_vs_raw", &values[EIO_64], &values[RAW_64]);
	return 0;
}
