/* SPDX-License-Identifier: ISC */
/*
 * What fibers cost without any I/O: a yield, a fork with its end, a scope with one fork. Beside
 * them what a call and an atomic cost on this machine, and what the C library's ways of changing
 * stacks do: setjmp with longjmp, and swapcontext, which also asks the kernel for the signal mask.
 */
#undef _FORTIFY_SOURCE /* its longjmp takes another stack for a mistake */
#include "bench.h"

#include <eio/fiber.h>
#include <eio/run.h>
#include <setjmp.h>
#include <ucontext.h>

enum { COUNT = 400000, FEW = COUNT / 10 };

/* The library */

static int yield_often(void *arg)
{
	for (unsigned n = *(const unsigned *) arg; n; n--)
		eio_yield();
	return 0;
}

static double yield_among(unsigned fibers)
{
	unsigned each = COUNT / fibers;
	double start = bench_now_ns();
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < fibers; i++)
		bench_check(eio_fork(&sw, yield_often, &each), "fork");
	bench_check(eio_switch_end(&sw, 0), "yield");
	return (bench_now_ns() - start) / (each * fibers);
}

static double yield_2(void)
{
	return yield_among(2);
}

static double yield_100(void)
{
	return yield_among(100);
}

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static double fork_finish(void)
{
	double start = bench_now_ns();
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < COUNT; i++)
		eio_fork(&sw, nothing, NULL);
	bench_check(eio_switch_end(&sw, 0), "fork");
	return (bench_now_ns() - start) / COUNT;
}

static double scope_fork(void)
{
	double start = bench_now_ns();
	int rc = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		rc |= eio_switch_end(&sw, eio_fork(&sw, nothing, NULL));
	}
	bench_check(rc, "scope");
	return (bench_now_ns() - start) / COUNT;
}

/* Raw lines */

static double raw_call(void)
{
	int (*volatile fn)(void *) = nothing;
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++)
		fn(NULL);
	return (bench_now_ns() - start) / COUNT;
}

static double raw_atomic(void)
{
	static unsigned word;
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++)
		__atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
	return (bench_now_ns() - start) / COUNT;
}

static char stack[64 * 1024];
static ucontext_t near, far;
static jmp_buf here, there;

static __attribute__((noinline)) void jump(jmp_buf from, jmp_buf to)
{
	if (!_setjmp(from))
		_longjmp(to, 1);
}

static void jump_back(void)
{
	for (;;)
		jump(there, here);
}

static void swap_back(void)
{
	for (;;)
		swapcontext(&far, &near);
}

static void make_far(void (*fn)(void))
{
	getcontext(&far);
	far.uc_stack.ss_sp = stack;
	far.uc_stack.ss_size = sizeof(stack);
	makecontext(&far, fn, 0);
}

static double raw_setjmp(void)
{
	double start;

	make_far(jump_back);
	if (!_setjmp(here))
		setcontext(&far);
	start = bench_now_ns();
	for (unsigned i = 0; i < FEW / 2; i++)
		jump(here, there);
	return (bench_now_ns() - start) / FEW;
}

static double raw_swapcontext(void)
{
	double start;

	make_far(swap_back);
	start = bench_now_ns();
	for (unsigned i = 0; i < FEW / 2; i++)
		swapcontext(&near, &far);
	return (bench_now_ns() - start) / FEW;
}

static struct bench_value values[] = {
	{.name = "yield_2", .unit = "ns", .measure = yield_2},
	{.name = "yield_100", .unit = "ns", .measure = yield_100},
	{.name = "fork_finish", .unit = "ns", .measure = fork_finish},
	{.name = "scope_fork", .unit = "ns", .measure = scope_fork},
	{.name = "raw_call", .unit = "ns", .measure = raw_call},
	{.name = "raw_atomic", .unit = "ns", .measure = raw_atomic},
	{.name = "raw_setjmp", .unit = "ns", .measure = raw_setjmp},
	{.name = "raw_swapcontext", .unit = "ns", .measure = raw_swapcontext},
};

static int measure(struct eio_env *env, void *arg)
{
	(void) env;
	bench_measure(values, BENCH_LEN(values), *(unsigned *) arg);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures yields, forks and scopes.", 51, NULL);

	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	bench_print(values, BENCH_LEN(values));
	return 0;
}
