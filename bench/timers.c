/* SPDX-License-Identifier: ISC */
/*
 * 100,000 deadlines in random order, set and met: by fibers that sleep, and by timers alone.
 * Beside it a bare heap with four children a node, of pairs of deadline and number, that
 * takes as many and gives them back in order, and the same fibers yielding once for each time
 * that the sleepers are switched to.
 */
#include "bench.h"

#include <eio/eio.h>
#include <stdlib.h>

enum { COUNT = 100000 };

static struct eio_clock clock_;
static int64_t *deadlines; /* from 0 to 1 ms */
static unsigned done;

static void shuffle_deadlines(void)
{
	uint64_t random = 88172645463325252u;

	for (int i = 0; i < COUNT; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		deadlines[i] = (int64_t) (random % 1000000);
	}
}

/* The bare heap */

struct entry {
	int64_t key;
	unsigned number;
};

static struct entry heap[COUNT];

static void push(unsigned n, struct entry e)
{
	unsigned at = n;

	while (at > 0 && e.key < heap[(at - 1) / 4].key) {
		heap[at] = heap[(at - 1) / 4];
		at = (at - 1) / 4;
	}
	heap[at] = e;
}

/* Of @p n entries. */
static unsigned pop(unsigned n)
{
	unsigned number = heap[0].number, at = 0;
	struct entry last = heap[--n];

	for (;;) {
		unsigned first = 4 * at + 1, least = first;

		if (first >= n)
			break;
		for (unsigned c = first + 1; c < first + 4 && c < n; c++)
			least = heap[c].key < heap[least].key ? c : least;
		if (last.key <= heap[least].key)
			break;
		heap[at] = heap[least];
		at = least;
	}
	heap[at] = last;
	return number;
}

static double bare_heap(void)
{
	double start = bench_now_ns();
	unsigned sum = 0;

	for (unsigned i = 0; i < COUNT; i++)
		push(i, (struct entry){deadlines[i], i});
	for (unsigned n = COUNT; n > 0; n--)
		sum += pop(n);
	if (sum != (unsigned) ((uint64_t) COUNT * (COUNT - 1) / 2))
		bench_fail("the heap lost some");
	return (bench_now_ns() - start) / COUNT;
}

/* Everything set is due afterwards. How long the two halves took. */
static double set_and_meet(void (*set)(int64_t base), void (*meet)(void))
{
	int64_t base = eio_now_ns(clock_) + EIO_MS(500);
	double start = bench_now_ns(), took;

	done = 0;
	set(base);
	took = bench_now_ns() - start;
	if (eio_now_ns(clock_) >= base)
		bench_fail("it takes too long");
	while (eio_now_ns(clock_) <= base + EIO_MS(1))
		;
	start = bench_now_ns();
	while (done < COUNT)
		meet();
	return (took + bench_now_ns() - start) / COUNT;
}

static void yield(void)
{
	bench_check(eio_yield(), "yield");
}

/* Timers */

static struct eio_timer *timers;

static void count(struct eio_timer *t)
{
	(void) t;
	done++;
}

static void start_timers(int64_t base)
{
	for (int i = 0; i < COUNT; i++) {
		timers[i].fn = count;
		clock_.ops->timer_start(clock_, &timers[i], base + deadlines[i]);
	}
}

/* Fibers: before each turn they wait for it, and in it each is switched to twice. */

enum turn { YIELD, SLEEP, STOP };

static struct eio_condition turns;
static enum turn turn;
static int64_t base_;

static int take_turns(void *arg)
{
	int64_t after = *(int64_t *) arg;

	for (;;) {
		bench_check(eio_condition_await_no_mutex(&turns), "await");
		if (turn == STOP)
			return 0;
		if (turn == YIELD)
			yield();
		else
			bench_check(eio_sleep_until(clock_, base_ + after), "sleep");
		done++;
	}
}

/* All fibers are ready then, in the order in which they began to wait. */
static void announce(enum turn next)
{
	turn = next;
	eio_condition_broadcast(&turns);
}

static void put_to_sleep(int64_t base)
{
	base_ = base;
	yield(); /* behind all of them */
}

static double sleepers(void)
{
	announce(SLEEP);
	return set_and_meet(put_to_sleep, yield);
}

static double yields(void)
{
	double start;

	announce(YIELD);
	start = bench_now_ns();
	yield();
	yield();
	return (bench_now_ns() - start) / COUNT;
}

enum { TIMERS, SLEEPERS, HEAP, YIELDS, HEAP_AND_YIELDS, VALUES };

static struct bench_value values[VALUES] = {
	[TIMERS] = {.name = "timer_100000_random", .unit = "ns"},
	[SLEEPERS] = {.name = "sleep_100000_random", .unit = "ns"},
	[HEAP] = {.name = "timer_raw_heap", .unit = "ns"},
	[YIELDS] = {.name = "timer_raw_two_yields", .unit = "ns"},
	[HEAP_AND_YIELDS] = {.name = "timer_raw_heap_and_yields", .unit = "ns"},
};

static int run(struct eio_env *env, void *arg)
{
	unsigned rounds = *(unsigned *) arg;
	struct eio_switch sw;

	clock_ = env->mono_clock;
	eio_condition_init(&turns);
	eio_switch_begin(&sw);
	for (int i = 0; i < COUNT; i++)
		bench_check(eio_fork(&sw, take_turns, &deadlines[i]), "fork");
	for (unsigned r = 0; r < rounds; r++) {
		double heap_ns = bare_heap(), yields_ns = yields();

		bench_add(&values[HEAP], heap_ns);
		bench_add(&values[YIELDS], yields_ns);
		bench_add(&values[HEAP_AND_YIELDS], heap_ns + yields_ns);
		bench_add(&values[SLEEPERS], sleepers());
	}
	announce(STOP);
	return eio_switch_end(&sw, 0);
}

/* Without other fibers, which every yield would run. */
static int run_timers(struct eio_env *env, void *arg)
{
	unsigned rounds = *(unsigned *) arg;

	clock_ = env->mono_clock;
	for (unsigned r = 0; r < rounds; r++)
		bench_add(&values[TIMERS], set_and_meet(start_timers, yield));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures 100,000 random deadlines.", 9, NULL);

	deadlines = calloc(COUNT, sizeof(*deadlines));
	timers = calloc(COUNT, sizeof(*timers));
	if (!deadlines || !timers)
		bench_fail("out of memory");
	shuffle_deadlines();
	bench_check(eio_run(NULL, run, &rounds), "run");
	bench_check(eio_run(NULL, run_timers, &rounds), "run");
	bench_print(values, VALUES);
	bench_print_ratio("sleep_100000_random_vs_raw", &values[SLEEPERS],
			  &values[HEAP_AND_YIELDS]);
	bench_print_ratio("timer_100000_random_vs_raw", &values[TIMERS], &values[HEAP]);
	free(timers);
	free(deadlines);
	return 0;
}
