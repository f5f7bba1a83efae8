/* SPDX-License-Identifier: ISC */
/*
 * What other domains cost: beginning one for an empty function, beside a bare thread with a bare
 * ring, and without a ring, beside a bare thread; and sending an empty job to one that is there, by
 * an executor and by eio_domain_submit, beside a bare thread that is handed the work by futexes.
 * submit: each job is waited for, then the next is sent. asleep: the domain has been idle for a
 * while, time counts from the sending to the result. busy: 64 fibers submit at once, time for each
 * job.
 */
#include "bench.h"
#include "raw_ring.h"
#include "raw_thread.h"

#include <eio/eio.h>

enum { BEGUN = 20, COUNT = 2000, ASLEEP = 50, BUSY = 64, BUSY_EACH = 500 };

static struct eio_env *env;
static struct eio_executor executor;
static struct eio_domain_ref ref;
static struct raw_thread raw;
static uint32_t left;

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

/* Beginning */

static double domain_run(void)
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < BEGUN; i++)
		bench_check(eio_domain_run(env->domain_mgr, nothing, NULL), "domain_run");
	return (bench_now_ns() - start) / BEGUN;
}

static void *with_ring(void *arg)
{
	struct io_uring ring;

	raw_ring_init(&ring, 256);
	io_uring_queue_exit(&ring);
	return arg;
}

static void *without_ring(void *arg)
{
	return arg;
}

static double threads(void *(*fn)(void *arg))
{
	double start = bench_now_ns();
	pthread_t thread;

	for (unsigned i = 0; i < BEGUN; i++) {
		bench_check(-pthread_create(&thread, NULL, fn, NULL), "thread");
		pthread_join(thread, NULL);
	}
	return (bench_now_ns() - start) / BEGUN;
}

static double thread_and_ring(void)
{
	return threads(with_ring);
}

static double domain_run_raw(void)
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < BEGUN; i++)
		bench_check(eio_domain_run_raw(env->domain_mgr, NULL, nothing, NULL), "run_raw");
	return (bench_now_ns() - start) / BEGUN;
}

static double thread(void)
{
	return threads(without_ring);
}

/* One job, from the sending to the result. */

static void by_executor(void)
{
	bench_check(eio_executor_submit(&executor, nothing, NULL, 1000), "executor_submit");
}

static void by_domain(void)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	bench_check(eio_domain_submit(ref, nothing, NULL, &p), "domain_submit");
	bench_check(eio_promise_await(&p, NULL), "domain_submit");
}

static void by_futex(void)
{
	__atomic_store_n(&left, 1, __ATOMIC_RELEASE);
	raw_thread_hand(&raw, nothing, NULL);
	raw_threads_await(&left);
}

static double at_once(void (*one)(void))
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++)
		one();
	return (bench_now_ns() - start) / COUNT;
}

static double from_sleep(void (*one)(void))
{
	double took = 0, start;

	for (unsigned i = 0; i < ASLEEP; i++) {
		start = bench_now_ns();
		while (bench_now_ns() - start < 100000)
			;
		start = bench_now_ns();
		one();
		took += bench_now_ns() - start;
	}
	return took / ASLEEP;
}

static double submit(void)
{
	return at_once(by_executor);
}

static double submit_domain(void)
{
	return at_once(by_domain);
}

static double submit_raw(void)
{
	return at_once(by_futex);
}

static double asleep(void)
{
	return from_sleep(by_executor);
}

static double asleep_raw(void)
{
	return from_sleep(by_futex);
}

/* Many */

static int submit_some(void *weight)
{
	int rc = 0;

	for (unsigned i = 0; i < BUSY_EACH && rc == 0; i++)
		rc = eio_executor_submit(&executor, nothing, NULL, *(unsigned *) weight);
	return rc;
}

static double busy_with(unsigned weight)
{
	double start = bench_now_ns();
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < BUSY; i++)
		bench_check(eio_fork(&sw, submit_some, &weight), "fork");
	bench_check(eio_switch_end(&sw, 0), "executor_submit");
	return (bench_now_ns() - start) / (BUSY * BUSY_EACH);
}

static double busy(void)
{
	return busy_with(10);
}

/* The queue is never empty. */
static double busy_queued(void)
{
	return busy_with(100);
}

enum {
	RUN,
	THREAD_AND_RING,
	RUN_RAW,
	THREAD,
	SUBMIT,
	SUBMIT_DOMAIN,
	SUBMIT_RAW,
	SLEEPING,
	SLEEPING_RAW
};

static struct bench_value values[] = {
	[RUN] = {.name = "domain_run", .unit = "ns", .measure = domain_run},
	[THREAD_AND_RING] = {.name = "thread_and_ring", .unit = "ns", .measure = thread_and_ring},
	[RUN_RAW] = {.name = "domain_run_raw", .unit = "ns", .measure = domain_run_raw},
	[THREAD] = {.name = "thread", .unit = "ns", .measure = thread},
	[SUBMIT] = {.name = "submit", .unit = "ns", .measure = submit},
	[SUBMIT_DOMAIN] = {.name = "domain_submit", .unit = "ns", .measure = submit_domain},
	[SUBMIT_RAW] = {.name = "submit_raw", .unit = "ns", .measure = submit_raw},
	[SLEEPING] = {.name = "submit_asleep", .unit = "ns", .measure = asleep},
	[SLEEPING_RAW] = {.name = "submit_asleep_raw", .unit = "ns", .measure = asleep_raw},
	{.name = "submit_busy", .unit = "ns", .measure = busy},
	{.name = "submit_busy_queued", .unit = "ns", .measure = busy_queued},
};

static int name_domain(void *arg)
{
	(void) arg;
	ref = eio_domain_self();
	return 0;
}

/* They wait most of the time, so time is what counts. */
static int measure(struct eio_env *e, void *arg)
{
	unsigned rounds = *(unsigned *) arg;
	struct eio_switch sw;

	env = e;
	eio_switch_begin(&sw);
	bench_check(eio_executor_init(&executor, &sw, env->domain_mgr, 1), "executor_init");
	bench_check(eio_executor_submit(&executor, name_domain, NULL, 0), "executor_submit");
	for (unsigned round = 0; round <= rounds; round++) {
		for (size_t i = 0; i < BENCH_LEN(values); i++) {
			double sample = values[i].measure();

			if (round)
				bench_add(&values[i], sample);
		}
	}
	return eio_switch_end(&sw, 0);
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures domains and executors.", 21, NULL);

	raw_thread_begin(&raw, &left);
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	raw_thread_end(&raw);
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("domain_run_vs_thread", &values[RUN], &values[THREAD_AND_RING]);
	bench_print_ratio("domain_run_raw_vs_thread", &values[RUN_RAW], &values[THREAD]);
	bench_print_ratio("submit_vs_raw", &values[SUBMIT], &values[SUBMIT_RAW]);
	bench_print_ratio("domain_submit_vs_raw", &values[SUBMIT_DOMAIN], &values[SUBMIT_RAW]);
	bench_print_ratio("submit_asleep_vs_raw", &values[SLEEPING], &values[SLEEPING_RAW]);
	return 0;
}
