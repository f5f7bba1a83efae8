/* SPDX-License-Identifier: ISC */
#include "bench.h"

#include <eio/error.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 20 };
#define BUSY 0.98

/* The options */

static void usage(const char *about, unsigned rounds, const struct bench_option *more)
{
	printf("usage: %s [OPTION]...\n\n%s\n\n", program_invocation_short_name, about);
	for (; more && more->name; more++)
		printf("  --%-12s %s\n", more->name, more->what);
	printf("  --%-12s times everything is measured (default %u)\n", "rounds N", rounds);
	printf("  --%-12s this text\n\n", "help");
	puts("Prints lines of name, value and unit: medians of the rounds, and with _min the\n"
	     "smallest values; a ratio is the median of the rounds' ratios, and with _min the\n"
	     "ratio of the smallest values.");
}

/* Is @p arg the option? Its name ends where the name of its value begins. */
static int is_option(const char *arg, const struct bench_option *o)
{
	size_t len = strcspn(o->name, " ");

	return strncmp(arg, "--", 2) == 0 && strncmp(arg + 2, o->name, len) == 0 &&
	       arg[2 + len] == '\0';
}

unsigned bench_parse(int argc, char **argv, const char *about, unsigned rounds,
		     struct bench_option *more)
{
	struct bench_option own = {.name = "rounds N"};

	for (int i = 1; i < argc; i++) {
		struct bench_option *o = more;

		if (strcmp(argv[i], "--help") == 0) {
			usage(about, rounds, more);
			exit(0);
		}
		while (o && o->name && !is_option(argv[i], o))
			o++;
		if (!o || !o->name)
			o = is_option(argv[i], &own) ? &own : NULL;
		if (!o || i + 1 == argc)
			bench_fail("wrong or incomplete: %s; see --help", argv[i]);
		o->value = argv[++i];
	}
	return own.value ? (unsigned) bench_number(own.value, 1, BENCH_ROUNDS_MAX) : rounds;
}

unsigned long bench_number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || n < min || n > max)
		bench_fail("%s is not a number from %lu to %lu", text, min, max);
	return n;
}

void bench_fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void bench_check(int rc, const char *what)
{
	char why[256];

	if (rc >= 0)
		return;
	eio_error_format(rc, why, sizeof(why));
	bench_fail("%s: %s", what, why);
}

/* Samples */

static double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}

double bench_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

double bench_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_add(struct bench_value *v, double sample)
{
	v->samples[v->n++] = sample;
}

static double undisturbed(double (*measure)(void))
{
	double sample = 0;

	for (int i = 0; i < TRIES; i++) {
		double wall = bench_now_ns(), cpu = bench_cpu_ns();

		sample = measure();
		cpu = bench_cpu_ns() - cpu;
		wall = bench_now_ns() - wall;
		if (cpu > wall * BUSY)
			break;
		usleep(1000);
	}
	return sample;
}

void bench_measure(struct bench_value *values, size_t n, unsigned rounds)
{
	for (size_t i = 0; i < n; i++)
		values[i].measure();
	for (unsigned r = 0; r < rounds; r++) {
		for (size_t i = 0; i < n; i++)
			bench_add(&values[i], undisturbed(values[i].measure));
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static double median(const double *samples, unsigned n, double *ret_min)
{
	double sorted[BENCH_ROUNDS_MAX];

	memcpy(sorted, samples, n * sizeof(*samples));
	qsort(sorted, n, sizeof(*sorted), compare);
	*ret_min = sorted[0];
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Three digits at least. */
static void print_line(const char *name, const char *suffix, double value, const char *unit)
{
	printf("%s%s %.*f %s\n", name, suffix, value < 10 ? 3 : value < 1000 ? 1 : 0, value, unit);
}

void bench_print(const struct bench_value *values, size_t n)
{
	for (; n; n--, values++) {
		double min, mid = median(values->samples, values->n, &min);

		print_line(values->name, "", mid, values->unit);
		print_line(values->name, "_min", min, values->unit);
	}
	fflush(stdout);
}

void bench_print_ratio(const char *name, const struct bench_value *a, const struct bench_value *b)
{
	double ratios[BENCH_ROUNDS_MAX], least, min_a, min_b;
	unsigned n = a->n < b->n ? a->n : b->n;

	for (unsigned r = 0; r < n; r++)
		ratios[r] = a->samples[r] / b->samples[r];
	median(a->samples, a->n, &min_a);
	median(b->samples, b->n, &min_b);
	print_line(name, "", median(ratios, n, &least), "ratio");
	print_line(name, "_min", min_a / min_b, "ratio");
	fflush(stdout);
}

void bench_print_above(const char *name, const struct bench_value *a, const struct bench_value *b,
		       unsigned n)
{
	double more[BENCH_ROUNDS_MAX], least, min_a, min_b;

	for (unsigned r = 0; r < a->n; r++)
		more[r] = (a->samples[r] - b->samples[r]) / n;
	median(a->samples, a->n, &min_a);
	median(b->samples, b->n, &min_b);
	print_line(name, "", median(more, a->n, &least), a->unit);
	print_line(name, "_min", (min_a - min_b) / n, a->unit);
	fflush(stdout);
}

/* Processes */

__attribute__((noreturn)) static void again(const char *mode, unsigned long count, int out)
{
	char number[32];

	snprintf(number, sizeof(number), "%lu", count);
	if (dup2(out, STDOUT_FILENO) >= 0)
		execl("/proc/self/exe", program_invocation_name, "--fresh", mode, number, NULL);
	_exit(127);
}

void bench_fresh(const char *mode, unsigned long count, double *ret, size_t n)
{
	int fds[2], status;
	FILE *from;
	pid_t pid;

	if (pipe(fds) < 0 || (pid = fork()) < 0)
		bench_fail("starting a process: %s", strerror(errno));
	if (pid == 0)
		again(mode, count, fds[1]);
	close(fds[1]);
	from = fdopen(fds[0], "r");
	for (size_t i = 0; i < n; i++) {
		if (!from || fscanf(from, "%lf", &ret[i]) != 1)
			bench_fail("%s %lu did not tell its figures", mode, count);
	}
	fclose(from);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bench_fail("%s %lu failed", mode, count);
}
