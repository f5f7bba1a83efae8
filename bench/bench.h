/* SPDX-License-Identifier: ISC */
/*
 * What the benchmarks share: options, samples, and lines of name, value and unit.
 *
 * A program measures in rounds, each thing once a round (A B C A B C ...), so that what disturbs
 * the machine meets all of them. A value is the median of its rounds; the line with _min behind
 * the name has the smallest. A ratio is the median of the rounds' ratios; its _min is the ratio of
 * the two smallest values, which is the one to look at on a machine that others use as well. So is
 * a difference.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_ROUNDS_MAX = 101 };

#define BENCH_LEN(array) (sizeof(array) / sizeof((array)[0]))

struct bench_value {
	const char *name, *unit;
	double (*measure)(void); /* for bench_measure */
	unsigned n;
	double samples[BENCH_ROUNDS_MAX];
};

/* An option beside --rounds and --help. */
struct bench_option {
	const char *name; /* NULL: the end */
	const char *what; /* for --help */
	const char *value;
};

/* Reads the command line: the number of rounds, @p rounds if it is not given. */
unsigned bench_parse(int argc, char **argv, const char *about, unsigned rounds,
		     struct bench_option *more);

/* An option's value as a number; ends the program with a message if it is none. */
unsigned long bench_number(const char *text, unsigned long min, unsigned long max);

__attribute__((noreturn, format(printf, 1, 2))) void bench_fail(const char *format, ...);

/* Ends the program if @p rc, a result of the library, is negative. */
void bench_check(int rc, const char *what);

double bench_now_ns(void);

/* The process's CPU time: what computing takes, however many share the core. */
double bench_cpu_ns(void);

void bench_add(struct bench_value *v, double sample);

/*
 * Measures each value once for nothing and then once a round. For what computes and does not wait,
 * in a few milliseconds: if the time was not all spent computing, others had the core, and it is
 * measured again; after some tries it counts all the same.
 */
void bench_measure(struct bench_value *values, size_t n, unsigned rounds);

void bench_print(const struct bench_value *values, size_t n);
void bench_print_ratio(const char *name, const struct bench_value *a, const struct bench_value *b);
/* How much more @p a is, shared by @p n. */
void bench_print_above(const char *name, const struct bench_value *a, const struct bench_value *b,
		       unsigned n);

/*
 * Runs this program again in a fresh process, as PROGRAM --fresh MODE COUNT, and reads the @p n
 * numbers that it prints.
 */
void bench_fresh(const char *mode, unsigned long count, double *ret, size_t n);

#endif
