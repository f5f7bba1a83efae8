/* SPDX-License-Identifier: ISC */
/*
 * 100,000 fibers that sleep 10 ms each, from nothing: before eio_run until the last has ended,
 * and until eio_run has returned. Beside it how long making and blocking as many takes; the ratio
 * compares that with the time besides the 10 ms. Each measurement is made in a fresh process.
 */
#include "bench.h"

#include <eio/fiber.h>
#include <eio/run.h>
#include <eio/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	unsigned long count;
	bool sleep;
	struct eio_clock clock;
	double start, done; /* ns */
};

static int sleep_10_ms(void *arg)
{
	return eio_sleep(((const struct job *) arg)->clock, EIO_MS(10));
}

static int block(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

static int run(struct eio_env *env, void *arg)
{
	struct job *job = arg;
	struct eio_switch sw;
	int rc;

	job->clock = env->mono_clock;
	eio_switch_begin(&sw);
	for (unsigned long i = 0; i < job->count; i++) {
		rc = job->sleep ? eio_fork(&sw, sleep_10_ms, job)
				: eio_fork_daemon(&sw, block, NULL);
		bench_check(rc, "fork");
	}
	job->done = bench_now_ns();
	rc = eio_switch_end(&sw, 0);
	if (job->sleep)
		job->done = bench_now_ns();
	return rc;
}

/* Prints the milliseconds until done, and until eio_run has returned. */
static int fresh(const char *mode, unsigned long count)
{
	struct job job = {.count = count, .sleep = strcmp(mode, "sleep") == 0};

	job.start = bench_now_ns();
	bench_check(eio_run(NULL, run, &job), mode);
	printf("%f %f\n", (job.done - job.start) / 1e6, (bench_now_ns() - job.start) / 1e6);
	return 0;
}

enum { SLEEP, SLEEP_EXIT, WORK, BLOCK, VALUES };

int main(int argc, char **argv)
{
	static struct bench_value values[VALUES] = {
		[SLEEP] = {.name = "sleep_100000", .unit = "ms"},
		[SLEEP_EXIT] = {.name = "sleep_100000_to_exit", .unit = "ms"},
		[WORK] = {.name = "sleep_100000_less_10_ms", .unit = "ms"},
		[BLOCK] = {.name = "sleep_raw_create_block", .unit = "ms"},
	};
	unsigned rounds;
	double got[2];

	if (argc == 4 && strcmp(argv[1], "--fresh") == 0)
		return fresh(argv[2], strtoul(argv[3], NULL, 10));
	rounds = bench_parse(argc, argv, "Measures 100,000 fibers sleeping 10 ms.", 9, NULL);
	for (unsigned r = 0; r < rounds; r++) {
		bench_fresh("sleep", 100000, got, 2);
		bench_add(&values[SLEEP], got[0]);
		bench_add(&values[SLEEP_EXIT], got[1]);
		bench_add(&values[WORK], got[0] - 10);
		bench_fresh("block", 100000, got, 2);
		bench_add(&values[BLOCK], got[0]);
	}
	bench_print(values, VALUES);
	bench_print_ratio("sleep_100000_vs_raw", &values[WORK], &values[BLOCK]);
	return 0;
}
