/* SPDX-License-Identifier: ISC */
/*
 * What it takes to reach another domain: by a message between rings, by an event or a stream
 * (an inbox, and an eventfd where the other one sleeps), and bare, by two rings without the
 * library. ping: one way of two domains that answer each other at once. wake: from the send to
 * the running of a domain that has been asleep for a while.
 */
#include "bench.h"

#include <eio/event.h>
#include <eio/low_level.h>
#include <eio/run.h>
#include <eio/stream.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PINGS = 5000, WAKES = 200, ASLEEP_NS = 100000 };

/* Newer than liburing 2.3's header. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif

/* One of the two: what it is reached by. */
static struct side {
	struct eio_ll_port port;
	struct eio_ll_port_ref ref;
	uint32_t queue[2];
	struct eio_event event;
	struct eio_stream stream;
	struct io_uring ring;
	int unix_fd;
} sides[2];

struct way {
	const char *name;
	void (*begin)(struct side *own);
	void (*send)(struct side *own, struct side *to);
	void (*await)(struct side *own);
	void (*end)(struct side *own);
	int bare; /* the other side needs no domain */
	struct bench_value ping, wake;
};

/* By the library */

static void msg_begin(struct side *own)
{
	bench_check(eio_ll_port_begin(&own->port, own->queue, 2, &own->ref), "port_begin");
}

static void msg_send(struct side *own, struct side *to)
{
	(void) own;
	bench_check(eio_ll_port_send(to->ref, 1), "port_send");
}

static void msg_await(struct side *own)
{
	uint32_t message;

	bench_check(eio_ll_port_receive(&own->port, &message), "port_receive");
}

static void msg_end(struct side *own)
{
	eio_ll_port_end(&own->port);
}

static void event_begin(struct side *own)
{
	bench_check(eio_event_init(&own->event), "event_init");
}

static void event_send(struct side *own, struct side *to)
{
	(void) own;
	eio_event_set(&to->event);
}

static void event_await(struct side *own)
{
	bench_check(eio_event_await(&own->event), "event_await");
}

static void event_end(struct side *own)
{
	eio_event_fini(&own->event);
}

static void stream_begin(struct side *own)
{
	bench_check(eio_stream_init(&own->stream, sizeof(uint32_t), 1), "stream_init");
}

static void stream_send(struct side *own, struct side *to)
{
	uint32_t message = 1;

	(void) own;
	bench_check(eio_stream_add(&to->stream, &message), "stream_add");
}

static void stream_await(struct side *own)
{
	uint32_t message;

	bench_check(eio_stream_take(&own->stream, &message), "stream_take");
}

static void stream_end(struct side *own)
{
	eio_stream_fini(&own->stream, NULL, NULL);
}

/* Bare */

static void ring_begin(struct side *own)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	};

	bench_check(io_uring_queue_init_params(8, &own->ring, &p), "a ring with DEFER_TASKRUN");
	bench_check(io_uring_register_ring_fd(&own->ring), "registering the ring's descriptor");
	own->unix_fd = eventfd(0, EFD_CLOEXEC);
}

static void ring_end(struct side *own)
{
	io_uring_queue_exit(&own->ring);
	close(own->unix_fd);
}

static void ring_send(struct side *own, struct side *to)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&own->ring);

	io_uring_prep_msg_ring(sqe, to->ring.ring_fd, 1, 1, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	bench_check(io_uring_submit(&own->ring), "submit");
}

static void ring_await(struct side *own)
{
	struct io_uring_cqe *cqe;

	bench_check(io_uring_wait_cqe(&own->ring, &cqe), "wait_cqe");
	bench_check(cqe->res, "a bare completion");
	io_uring_cqe_seen(&own->ring, cqe);
}

static void eventfd_send(struct side *own, struct side *to)
{
	uint64_t one = 1;

	(void) own;
	if (write(to->unix_fd, &one, sizeof(one)) != sizeof(one))
		bench_fail("a bare eventfd");
}

static void eventfd_await(struct side *own)
{
	uint64_t count;

	io_uring_prep_read(io_uring_get_sqe(&own->ring), own->unix_fd, &count, sizeof(count), 0);
	bench_check(io_uring_submit_and_wait(&own->ring, 1), "submit_and_wait");
	ring_await(own);
}

#define WAY(what, prefix, without)                                                                 \
	{                                                                                          \
		.name = what, .begin = prefix##_begin, .send = prefix##_send,                      \
		.await = prefix##_await, .end = prefix##_end, .bare = without,                     \
		.ping = {.name = what "_ping", .unit = "ns"},                                      \
		.wake = {.name = what "_wake", .unit = "ns"},                                      \
	}
#define eventfd_begin ring_begin
#define eventfd_end   ring_end

enum { MSG, EVENT, STREAM, RAW_MSG, RAW_EVENTFD };

static struct way ways[] = {
	[MSG] = WAY("msg", msg, 0),
	[EVENT] = WAY("event", event, 0),
	[STREAM] = WAY("stream", stream, 0),
	[RAW_MSG] = WAY("raw_msg", ring, 1),
	[RAW_EVENTFD] = WAY("raw_eventfd", eventfd, 1),
};

/* The other side: answers pings, then says when it was woken. */

static pthread_barrier_t meeting;
static unsigned woken;
static double woken_at;

static void answer(const struct way *w)
{
	struct side *own = &sides[1];

	w->begin(own);
	pthread_barrier_wait(&meeting);
	for (unsigned i = 0; i < PINGS; i++) {
		w->await(own);
		w->send(own, &sides[0]);
	}
	for (unsigned i = 0; i < WAKES; i++) {
		w->await(own);
		woken_at = bench_now_ns();
		__atomic_store_n(&woken, i + 1, __ATOMIC_RELEASE);
	}
	pthread_barrier_wait(&meeting);
	w->end(own);
}

static int answer_in_domain(struct eio_env *env, void *arg)
{
	(void) env;
	answer(arg);
	return 0;
}

static void *other_side(void *arg)
{
	struct way *w = arg;

	if (w->bare)
		answer(w);
	else
		bench_check(eio_run(NULL, answer_in_domain, w), "eio_run");
	return NULL;
}

static void ping(struct way *w)
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < PINGS; i++) {
		w->send(&sides[0], &sides[1]);
		w->await(&sides[0]);
	}
	bench_add(&w->ping, (bench_now_ns() - start) / (2 * PINGS));
}

/* This side keeps its own CPU awake. */
static void wake(struct way *w)
{
	double took = 0;

	__atomic_store_n(&woken, 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WAKES; i++) {
		double start = bench_now_ns();

		while (bench_now_ns() - start < ASLEEP_NS)
			;
		start = bench_now_ns();
		w->send(&sides[0], &sides[1]);
		while (__atomic_load_n(&woken, __ATOMIC_ACQUIRE) <= i)
			;
		took += woken_at - start;
	}
	bench_add(&w->wake, took / WAKES);
}

static void run(struct way *w)
{
	pthread_t thread;

	w->begin(&sides[0]);
	bench_check(-pthread_create(&thread, NULL, other_side, w), "thread");
	pthread_barrier_wait(&meeting);
	ping(w);
	wake(w);
	pthread_barrier_wait(&meeting);
	pthread_join(thread, NULL);
	w->end(&sides[0]);
}

static int measure(struct eio_env *env, void *arg)
{
	(void) env;
	pthread_barrier_init(&meeting, NULL, 2);
	for (unsigned round = *(unsigned *) arg; round; round--) {
		for (size_t i = 0; i < BENCH_LEN(ways); i++)
			run(&ways[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(
		argc, argv, "Measures messages and wake-ups between two domains.", 11, NULL);

	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	for (size_t i = 0; i < BENCH_LEN(ways); i++) {
		bench_print(&ways[i].ping, 1);
		bench_print(&ways[i].wake, 1);
	}
	bench_print_ratio("msg_vs_event_ping", &ways[MSG].ping, &ways[EVENT].ping);
	bench_print_ratio("msg_vs_event_wake", &ways[MSG].wake, &ways[EVENT].wake);
	bench_print_ratio("msg_vs_raw_ping", &ways[MSG].ping, &ways[RAW_MSG].ping);
	bench_print_ratio("msg_vs_raw_wake", &ways[MSG].wake, &ways[RAW_MSG].wake);
	bench_print_ratio("raw_msg_vs_raw_eventfd_ping", &ways[RAW_MSG].ping,
			  &ways[RAW_EVENTFD].ping);
	bench_print_ratio("raw_msg_vs_raw_eventfd_wake", &ways[RAW_MSG].wake,
			  &ways[RAW_EVENTFD].wake);
	bench_print_ratio("stream_vs_raw_ping", &ways[STREAM].ping, &ways[RAW_EVENTFD].ping);
	bench_print_ratio("event_vs_raw_wake", &ways[EVENT].wake, &ways[RAW_EVENTFD].wake);
	return 0;
}
