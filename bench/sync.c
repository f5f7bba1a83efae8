/* SPDX-License-Identifier: ISC */
/*
 * What synchronisation costs among the fibers of one domain: a mutex nobody waits for, a promise,
 * items through a stream; and a stream between two domains. First while the process has one
 * thread, when no atomics are needed, then (_mt) with another one. The raw lines are the bare
 * atomics that a lock and a promise cannot do without among threads.
 */
#include "bench.h"

#include <eio/fiber.h>
#include <eio/promise.h>
#include <eio/run.h>
#include <eio/stream.h>
#include <eio/sync.h>
#include <pthread.h>

enum { COUNT = 200000, CROSSING = 2000000 };

/* One domain */

static double mutex(void)
{
	static struct eio_mutex m;
	double start = bench_now_ns();
	int rc = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		rc |= eio_mutex_lock(&m);
		rc |= eio_mutex_unlock(&m);
	}
	bench_check(rc, "mutex");
	return (bench_now_ns() - start) / COUNT;
}

static double semaphore(void)
{
	static struct eio_semaphore s;
	double start = bench_now_ns();
	int rc = 0;

	eio_semaphore_init(&s, 1);
	for (unsigned i = 0; i < COUNT; i++) {
		rc |= eio_semaphore_acquire(&s);
		eio_semaphore_release(&s);
	}
	bench_check(rc, "semaphore");
	return (bench_now_ns() - start) / COUNT;
}

static double promise(void)
{
	double start = bench_now_ns();
	int rc = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		struct eio_promise p = EIO_PROMISE_INIT;

		rc |= eio_promise_resolve(&p, 0, NULL);
		rc |= eio_promise_await(&p, NULL);
	}
	bench_check(rc, "promise");
	return (bench_now_ns() - start) / COUNT;
}

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static double fork_promise(void)
{
	double start = bench_now_ns();
	struct eio_switch sw;
	int rc = 0;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < COUNT; i++) {
		struct eio_promise p = EIO_PROMISE_INIT;

		rc |= eio_fork_promise(&sw, nothing, NULL, &p);
		rc |= eio_promise_await(&p, NULL);
	}
	bench_check(eio_switch_end(&sw, rc), "fork_promise");
	return (bench_now_ns() - start) / COUNT;
}

static int take_all(void *arg)
{
	uint64_t item, sum = 0;
	int rc;

	while ((rc = eio_stream_take(arg, &item)) == 0)
		sum += item;
	if (sum != (uint64_t) COUNT * (COUNT - 1) / 2)
		bench_fail("the items' sum is wrong");
	return 0;
}

static double stream(size_t capacity)
{
	double start = bench_now_ns();
	struct eio_stream s;
	struct eio_switch sw;
	int rc = eio_stream_init(&s, sizeof(uint64_t), capacity);

	bench_check(rc, "stream");
	eio_switch_begin(&sw);
	rc = eio_fork(&sw, take_all, &s);
	for (uint64_t i = 0; i < COUNT; i++)
		rc |= eio_stream_add(&s, &i);
	eio_stream_close(&s);
	bench_check(eio_switch_end(&sw, rc), "stream");
	eio_stream_fini(&s, NULL, NULL);
	return (bench_now_ns() - start) / COUNT;
}

static double stream_0(void)
{
	return stream(0);
}

static double stream_1(void)
{
	return stream(1);
}

static double stream_100(void)
{
	return stream(100);
}

/* Raw lines */

static double raw_cas_pair(void)
{
	static unsigned long word;
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++) {
		unsigned long free = 0, held = 1;

		__atomic_compare_exchange_n(&word, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
		__atomic_compare_exchange_n(&word, &held, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
	return (bench_now_ns() - start) / COUNT;
}

static unsigned long called;

static __attribute__((noinline)) void take(unsigned long *word)
{
	unsigned long free = 0;

	__atomic_compare_exchange_n(word, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void give(unsigned long *word)
{
	unsigned long held = 1;

	__atomic_compare_exchange_n(word, &held, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The same pair, each in a function of its own. */
static double raw_cas_calls(void)
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++) {
		take(&called);
		give(&called);
	}
	return (bench_now_ns() - start) / COUNT;
}

static double raw_cas_exchange(void)
{
	static unsigned long word;
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++) {
		unsigned long zero = 0;

		__atomic_compare_exchange_n(&word, &zero, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
		__atomic_exchange_n(&word, 0, __ATOMIC_ACQ_REL);
	}
	return (bench_now_ns() - start) / COUNT;
}

/* Two domains */

struct crossing {
	struct eio_stream stream;
	double took_ns;
};

static int drain(struct eio_env *env, void *arg)
{
	struct crossing *c = arg;
	uint64_t item, n = 0;

	(void) env;
	while (eio_stream_take(&c->stream, &item) == 0)
		n++;
	if (n != CROSSING)
		bench_fail("%llu items came", (unsigned long long) n);
	return 0;
}

static void *other_domain(void *arg)
{
	bench_check(eio_run(NULL, drain, arg), "eio_run");
	return NULL;
}

static double cross(size_t capacity)
{
	struct crossing c;
	pthread_t thread;
	double start;
	int rc = eio_stream_init(&c.stream, sizeof(uint64_t), capacity);

	bench_check(rc, "stream");
	bench_check(-pthread_create(&thread, NULL, other_domain, &c), "thread");
	start = bench_now_ns();
	for (uint64_t i = 0; i < CROSSING; i++)
		rc |= eio_stream_add(&c.stream, &i);
	bench_check(rc, "add");
	eio_stream_close(&c.stream);
	pthread_join(thread, NULL);
	c.took_ns = bench_now_ns() - start;
	eio_stream_fini(&c.stream, NULL, NULL);
	return c.took_ns / CROSSING;
}

static double cross_100(void)
{
	return cross(100);
}

static double cross_1000(void)
{
	return cross(1000);
}

enum { MUTEX, PROMISE, RAW_PAIR, RAW_CALLS, RAW_EXCHANGE };

static struct bench_value alone[] = {
	{.name = "mutex", .unit = "ns", .measure = mutex},
	{.name = "promise", .unit = "ns", .measure = promise},
	{.name = "semaphore", .unit = "ns", .measure = semaphore},
	{.name = "fork_promise", .unit = "ns", .measure = fork_promise},
	{.name = "stream_0", .unit = "ns", .measure = stream_0},
	{.name = "stream_1", .unit = "ns", .measure = stream_1},
	{.name = "stream_100", .unit = "ns", .measure = stream_100},
};

static struct bench_value shared[] = {
	[MUTEX] = {.name = "mutex_mt", .unit = "ns", .measure = mutex},
	[PROMISE] = {.name = "promise_mt", .unit = "ns", .measure = promise},
	[RAW_PAIR] = {.name = "raw_cas_pair", .unit = "ns", .measure = raw_cas_pair},
	[RAW_CALLS] = {.name = "raw_cas_calls", .unit = "ns", .measure = raw_cas_calls},
	[RAW_EXCHANGE] = {.name = "raw_cas_exchange", .unit = "ns", .measure = raw_cas_exchange},
	{.name = "semaphore_mt", .unit = "ns", .measure = semaphore},
	{.name = "fork_promise_mt", .unit = "ns", .measure = fork_promise},
	{.name = "stream_0_mt", .unit = "ns", .measure = stream_0},
	{.name = "stream_1_mt", .unit = "ns", .measure = stream_1},
	{.name = "stream_100_mt", .unit = "ns", .measure = stream_100},
};

static struct bench_value crossing[] = {
	{.name = "cross_100", .unit = "ns", .measure = cross_100},
	{.name = "cross_1000", .unit = "ns", .measure = cross_1000},
};

static void *linger(void *barrier)
{
	pthread_barrier_wait(barrier);
	return NULL;
}

static int measure(struct eio_env *env, void *arg)
{
	unsigned rounds = *(unsigned *) arg;
	pthread_barrier_t barrier;
	pthread_t thread;

	(void) env;
	bench_measure(alone, BENCH_LEN(alone), rounds);
	pthread_barrier_init(&barrier, NULL, 2);
	bench_check(-pthread_create(&thread, NULL, linger, &barrier), "thread");
	bench_measure(shared, BENCH_LEN(shared), rounds);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	for (unsigned round = 0; round < (rounds + 4) / 5; round++) {
		for (size_t i = 0; i < BENCH_LEN(crossing); i++)
			bench_add(&crossing[i], crossing[i].measure());
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds =
		bench_parse(argc, argv, "Measures mutexes, promises and streams.", 51, NULL);

	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	bench_print(alone, BENCH_LEN(alone));
	bench_print(shared, BENCH_LEN(shared));
	bench_print_ratio("mutex_mt_vs_raw", &shared[MUTEX], &shared[RAW_PAIR]);
	bench_print_ratio("mutex_mt_vs_raw_calls", &shared[MUTEX], &shared[RAW_CALLS]);
	bench_print_ratio("promise_mt_vs_raw", &shared[PROMISE], &shared[RAW_EXCHANGE]);
	bench_print(crossing, BENCH_LEN(crossing));
	return 0;
}
