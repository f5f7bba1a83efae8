/* SPDX-License-Identifier: ISC */
/*
 * What a blocked fiber costs: to make, in memory, in mappings, and to cancel. Beside it what the
 * kernel needs for the one page that a fiber has: a fault every 128 KiB, the distance of stacks.
 * Each measurement is made in a fresh process, and times are CPU times: nothing here waits.
 */
#include "bench.h"

#include <eio/cancel.h>
#include <eio/fiber.h>
#include <eio/run.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STRIDE = 128 * 1024 };

static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size, resident;

	if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
		bench_fail("/proc/self/statm: %s", strerror(errno));
	fclose(file);
	return (double) resident * (double) sysconf(_SC_PAGESIZE);
}

static unsigned mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned lines = 0;

	if (!file)
		bench_fail("/proc/self/maps: %s", strerror(errno));
	for (int c = getc(file); c != EOF; c = getc(file))
		lines += c == '\n';
	fclose(file);
	return lines;
}

static int block(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

/* Prints ns and bytes of each, the process's mappings, and ns to cancel and end each. */
static int fibers(struct eio_env *env, void *arg)
{
	unsigned long count = *(const unsigned long *) arg;
	double start, blocked, bytes;
	struct eio_cancel cancel;
	struct eio_switch sw;
	unsigned maps;
	int rc;

	(void) env;
	bytes = resident_bytes();
	eio_cancel_begin(&cancel);
	eio_switch_begin(&sw);
	start = bench_cpu_ns();
	for (unsigned long i = 0; i < count; i++)
		bench_check(eio_fork(&sw, block, NULL), "fork");
	blocked = bench_cpu_ns();
	bytes = resident_bytes() - bytes;
	maps = mappings();
	printf("%f %f %u ", (blocked - start) / (double) count, bytes / (double) count, maps);
	start = bench_cpu_ns();
	eio_cancel_raise(&cancel, -ECANCELED);
	rc = eio_switch_end(&sw, 0);
	printf("%f\n", (bench_cpu_ns() - start) / (double) count);
	eio_cancel_end(&cancel);
	return rc == -ECANCELED ? 0 : -EINVAL;
}

/* Prints ns and bytes of each. */
static void pages(unsigned long count)
{
	double start, bytes = resident_bytes();
	char *memory = mmap(NULL, count * STRIDE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	madvise(memory, count * STRIDE, MADV_NOHUGEPAGE);
	start = bench_cpu_ns();
	for (unsigned long i = 0; i < count; i++)
		((volatile char *) memory)[i * STRIDE] = 1;
	printf("%f ", (bench_cpu_ns() - start) / (double) count);
	printf("%f\n", (resident_bytes() - bytes) / (double) count);
}

enum { CREATE, BYTES, MAPS, CANCEL, RAW, RAW_BYTES, FIGURES };

static void measure(unsigned long count, unsigned rounds)
{
	struct bench_value values[FIGURES] = {
		[CREATE] = {.name = "create", .unit = "ns"},
		[BYTES] = {.name = "bytes", .unit = "bytes"},
		[MAPS] = {.name = "mappings", .unit = "count"},
		[CANCEL] = {.name = "cancel", .unit = "ns"},
		[RAW] = {.name = "raw_page", .unit = "ns"},
		[RAW_BYTES] = {.name = "raw_page_bytes", .unit = "bytes"},
	};
	double got[FIGURES];
	char name[64];

	for (unsigned r = 0; r < rounds; r++) {
		bench_fresh("fibers", count, got, RAW);
		bench_fresh("pages", count, got + RAW, FIGURES - RAW);
		for (unsigned i = 0; i < FIGURES; i++)
			bench_add(&values[i], got[i]);
	}
	for (unsigned i = 0; i < FIGURES; i++) {
		snprintf(name, sizeof(name), "blocked_%lu_%s", count, values[i].name);
		values[i].name = name;
		bench_print(&values[i], 1);
	}
	snprintf(name, sizeof(name), "blocked_%lu_create_vs_raw_page", count);
	bench_print_ratio(name, &values[CREATE], &values[RAW]);
}

static int fresh(const char *mode, unsigned long count)
{
	if (strcmp(mode, "pages") == 0)
		pages(count);
	else
		bench_check(eio_run(NULL, fibers, &count), "blocked fibers");
	return 0;
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "fibers N", .what = "only this many (default 100000, then 1000000)"},
		{0},
	};
	unsigned rounds;

	if (argc == 4 && strcmp(argv[1], "--fresh") == 0)
		return fresh(argv[2], strtoul(argv[3], NULL, 10));
	rounds = bench_parse(argc, argv, "Measures blocked fibers.", 5, more);
	if (more[0].value) {
		measure(bench_number(more[0].value, 1, 100000000), rounds);
		return 0;
	}
	measure(100000, rounds);
	measure(1000000, rounds);
	return 0;
}
