/* SPDX-License-Identifier: ISC */
/*
 * What it costs that a descriptor cannot be closed under its user: eio_fd_use and eio_fd_unuse,
 * called, and inlined as in the library's own calls, beside two bare atomic additions. First
 * while the process has one thread, then as one of many threads; there back to back, and apart,
 * with some other work in between, as it always is where they are of use.
 */
#include "bench.h"

#include "uring/fd.h"

#include <pthread.h>
#include <unistd.h>

enum { COUNT = 1000000, APART = 20 };

static struct eio_fd fd;
static uint64_t word;

/* Something else to do: a few multiplications, each waiting for the one before. */
static inline void work(unsigned n)
{
	static uint64_t x = 1;

	for (; n; n--)
		x = x * 6364136223846793005 + 1;
}

static inline __attribute__((always_inline)) double atomics(unsigned apart)
{
	double start = bench_cpu_ns();

	for (int i = 0; i < COUNT; i++) {
		__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
		work(apart);
		__atomic_fetch_sub(&word, 1, __ATOMIC_SEQ_CST);
		work(apart);
	}
	return (bench_cpu_ns() - start) / COUNT;
}

static inline __attribute__((always_inline)) double called(unsigned apart)
{
	double start = bench_cpu_ns();
	int sum = 0;

	for (int i = 0; i < COUNT; i++) {
		sum |= eio_fd_use(fd);
		work(apart);
		eio_fd_unuse(fd);
		work(apart);
	}
	bench_check(sum, "use");
	return (bench_cpu_ns() - start) / COUNT;
}

/* As in eio__begin and eio__finish. */
static inline __attribute__((always_inline)) double inlined(unsigned apart)
{
	double start = bench_cpu_ns();
	int sum = 0;

	for (int i = 0; i < COUNT; i++) {
		struct eio__slot *s = eio__slot(fd);

		sum |= eio__slot_use(s, fd) ? eio__slot_target(s, NULL) : -EBADF;
		work(apart);
		/* What was read is not read again: other code runs there. */
		__asm__ volatile("" ::: "memory");
		eio__slot_unuse(s);
		work(apart);
		__asm__ volatile("" ::: "memory");
	}
	bench_check(sum, "use");
	return (bench_cpu_ns() - start) / COUNT;
}

static double tight_atomics(void)
{
	return atomics(0);
}

static double tight_called(void)
{
	return called(0);
}

static double tight_inlined(void)
{
	return inlined(0);
}

static double apart_nothing(void)
{
	double start = bench_cpu_ns();

	for (int i = 0; i < COUNT; i++) {
		work(APART);
		work(APART);
	}
	return (bench_cpu_ns() - start) / COUNT;
}

static double apart_atomics(void)
{
	return atomics(APART);
}

static double apart_called(void)
{
	return called(APART);
}

static double apart_inlined(void)
{
	return inlined(APART);
}

static struct bench_value alone[] = {
	{.name = "atomic_pair", .unit = "ns", .measure = tight_atomics},
	{.name = "use_unuse_called", .unit = "ns", .measure = tight_called},
	{.name = "use_unuse_inline", .unit = "ns", .measure = tight_inlined},
};

static struct bench_value threaded[] = {
	{.name = "threads_atomic_pair", .unit = "ns", .measure = tight_atomics},
	{.name = "threads_use_unuse_called", .unit = "ns", .measure = tight_called},
	{.name = "threads_use_unuse_inline", .unit = "ns", .measure = tight_inlined},
	{.name = "threads_apart_nothing", .unit = "ns", .measure = apart_nothing},
	{.name = "threads_apart_atomic_pair", .unit = "ns", .measure = apart_atomics},
	{.name = "threads_apart_use_unuse_called", .unit = "ns", .measure = apart_called},
	{.name = "threads_apart_use_unuse_inline", .unit = "ns", .measure = apart_inlined},
};

static void *nothing(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures use and unuse of descriptors.", 11,
				      (struct bench_option[]){{0}});
	pthread_t other;

	bench_check(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &fd), "tracking a descriptor");
	bench_measure(alone, BENCH_LEN(alone), rounds);
	/* From now on the process counts as one of many threads. */
	if (pthread_create(&other, NULL, nothing, NULL) != 0)
		bench_fail("no thread");
	pthread_join(other, NULL);
	bench_measure(threaded, BENCH_LEN(threaded), rounds);
	bench_print(alone, BENCH_LEN(alone));
	bench_print_ratio("use_unuse_called_vs_atomics", &alone[1], &alone[0]);
	bench_print_ratio("use_unuse_inline_vs_atomics", &alone[2], &alone[0]);
	bench_print(threaded, BENCH_LEN(threaded));
	bench_print_ratio("threads_inline_vs_atomics", &threaded[2], &threaded[0]);
	bench_print_ratio("threads_apart_called_vs_atomics", &threaded[5], &threaded[4]);
	bench_print_ratio("threads_apart_inline_vs_atomics", &threaded[6], &threaded[4]);
	return 0;
}
