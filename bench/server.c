/* SPDX-License-Identifier: ISC */
/*
 * What a second domain brings a server, and how connections are to be spread over the two.
 *
 *   one     a server in one domain
 *   shared  one with an additional domain; both accept from the same listener
 *   ports   a server in each of two domains, each with a listener of its own on the same port
 *           (SO_REUSEPORT): the kernel chooses by a hash of the addresses
 *
 * A client's thread opens CONNS connections, at once or one at a time, keeps them, and sends a
 * byte on each whenever the one before came back. The handler computes for some time before it
 * answers, so that the cores are what is short: the client takes little of them. Values are the
 * time for each request, the 99th percentile from sending to answer, and the percentage of the
 * connections that the domain with more of them has: with CONNS at once (busy), CROWD at once
 * (crowd), and CONNS one at a time (calm).
 *
 * Times mean something only where nothing else runs: "taskset -c 0,1 bench/server --rounds 11".
 */
#include "bench.h"

#include <eio/eio.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNS = 64, REQUESTS = 4000, CROWD = 400, WORK_NS = 100000 };

enum way { ONE, SHARED, PORTS };

struct run {
	enum way way;
	size_t conns, requests;
	bool one_at_a_time;
	unsigned work; /* turns of the loop for a request */

	struct eio_listener listeners[2];
	struct eio_addr at;
	struct eio_promise stop;
	unsigned number;    /* of the run, from 1 */
	unsigned domains;   /* that have served */
	unsigned counts[2]; /* connections of each */

	double took_ns, latency[REQUESTS]; /* the client's */
};

static struct eio_env *env;
static unsigned long turns; /* of the loop, in WORK_NS */
static struct run run;

/* The server */

static void compute(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		__asm__ volatile("" : : "r"(i) : "memory");
}

/* The calling domain's place in counts. */
static unsigned place_in(struct run *r)
{
	static __thread unsigned run_number, place;

	if (run_number != r->number) {
		run_number = r->number;
		place = __atomic_fetch_add(&r->domains, 1, __ATOMIC_RELAXED);
	}
	return place;
}

static int answer(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct run *r = arg;
	ssize_t n;
	char b;

	(void) peer;
	__atomic_fetch_add(&r->counts[place_in(r)], 1, __ATOMIC_RELAXED);
	while ((n = eio_flow_read(conn, &b, 1)) > 0) {
		compute(r->work);
		n = eio_flow_write(conn, &b, 1);
		if (n < 0)
			break;
	}
	return (int) n;
}

static void ignore(const struct eio_addr *peer, int err, void *arg)
{
	(void) peer, (void) err, (void) arg;
}

static int serve(struct eio_listener l, unsigned additional)
{
	struct eio_server_opts opts = {
		.stop = &run.stop,
		.on_error = ignore,
		.additional_domains = additional,
		.domain_mgr = env->domain_mgr,
	};

	return eio_net_run_server(l, answer, &run, &opts);
}

static int serve_second(void *arg)
{
	(void) arg;
	return serve(run.listeners[1], 0);
}

static int start_second(void *arg)
{
	return eio_domain_run(env->domain_mgr, serve_second, arg);
}

/* The client */

static int open_conn(int epoll, size_t i)
{
	struct epoll_event event = {.events = EPOLLIN};
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&run.at, &len);
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	event.data.u64 = i;
	if (fd < 0 || connect(fd, sa, (socklen_t) len) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		bench_fail("the client cannot connect");
	return fd;
}

struct client {
	int epoll, fds[CROWD];
	double sent_at[CROWD];
	size_t sent, answered;
};

static void send_one(struct client *c, size_t i)
{
	c->sent_at[i] = bench_now_ns();
	c->sent++;
	if (write(c->fds[i], "x", 1) != 1)
		bench_fail("the client cannot send");
}

/* Takes an answer, and says on which connection it came. */
static size_t take_one(struct client *c)
{
	struct epoll_event event;
	char b;

	if (epoll_wait(c->epoll, &event, 1, 10000) != 1 || read(c->fds[event.data.u64], &b, 1) != 1)
		bench_fail("no answer");
	if (c->answered < REQUESTS)
		run.latency[c->answered] = bench_now_ns() - c->sent_at[event.data.u64];
	c->answered++;
	return event.data.u64;
}

static void *be_client(void *arg)
{
	static struct client c;
	double start;

	c = (struct client){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	for (size_t i = 0; i < run.conns; i++) {
		c.fds[i] = open_conn(c.epoll, i);
		if (run.one_at_a_time) {
			send_one(&c, i);
			take_one(&c);
		}
	}
	c.sent = c.answered = 0;
	start = bench_now_ns();
	for (size_t i = 0; i < run.conns; i++)
		send_one(&c, i);
	while (c.answered < c.sent) {
		size_t i = take_one(&c);

		if (c.sent < run.requests)
			send_one(&c, i);
	}
	run.took_ns = (bench_now_ns() - start) / (double) c.answered;
	for (size_t i = 0; i < run.conns; i++)
		close(c.fds[i]);
	close(c.epoll);
	eio_promise_resolve(&run.stop, 0, NULL);
	return arg;
}

/* Both together */

static void listen_twice(struct eio_switch *sw)
{
	struct eio_listen_opts opts = {.reuse_port = run.way == PORTS};

	bench_check(eio_addr_parse(&run.at, "127.0.0.1:0"), "address");
	bench_check(eio_net_listen(env->net, sw, &run.at, &opts, &run.listeners[0]), "listen");
	bench_check(eio_listener_addr(run.listeners[0], &run.at), "address");
	if (run.way == PORTS)
		bench_check(eio_net_listen(env->net, sw, &run.at, &opts, &run.listeners[1]),
			    "listen");
}

static void run_once(enum way way, size_t conns, size_t requests, bool one_at_a_time, unsigned work)
{
	unsigned number = run.number + 1;
	struct eio_switch sw;
	pthread_t client;

	run = (struct run){.way = way,
			   .number = number,
			   .conns = conns,
			   .requests = requests,
			   .one_at_a_time = one_at_a_time,
			   .work = work};
	eio_switch_begin(&sw);
	listen_twice(&sw);
	bench_check(-pthread_create(&client, NULL, be_client, NULL), "thread");
	if (way == PORTS)
		bench_check(eio_fork(&sw, start_second, NULL), "fork");
	bench_check(serve(run.listeners[0], way == SHARED), "run_server");
	bench_check(eio_switch_end(&sw, 0), "domains");
	pthread_join(client, NULL);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double p99(void)
{
	size_t n = run.requests < REQUESTS ? run.requests : REQUESTS;

	qsort(run.latency, n, sizeof(run.latency[0]), compare);
	return run.latency[n * 99 / 100];
}

static double larger_share(void)
{
	unsigned a = run.counts[0], b = run.counts[1];

	return 100.0 * (a > b ? a : b) / (a + b);
}

static struct bench_value time_of[] = {
	[ONE] = {.name = "one", .unit = "ns"},
	[SHARED] = {.name = "shared", .unit = "ns"},
	[PORTS] = {.name = "ports", .unit = "ns"},
};
static struct bench_value p99_of[] = {
	[ONE] = {.name = "one_p99", .unit = "ns"},
	[SHARED] = {.name = "shared_p99", .unit = "ns"},
	[PORTS] = {.name = "ports_p99", .unit = "ns"},
};
static struct bench_value busy_share_of[] = {
	[ONE] = {.name = "one_busy_share", .unit = "%"},
	[SHARED] = {.name = "shared_busy_share", .unit = "%"},
	[PORTS] = {.name = "ports_busy_share", .unit = "%"},
};
static struct bench_value crowd_share_of[] = {
	[ONE] = {.name = "one_crowd_share", .unit = "%"},
	[SHARED] = {.name = "shared_crowd_share", .unit = "%"},
	[PORTS] = {.name = "ports_crowd_share", .unit = "%"},
};
static struct bench_value calm_share_of[] = {
	[ONE] = {.name = "one_calm_share", .unit = "%"},
	[SHARED] = {.name = "shared_calm_share", .unit = "%"},
	[PORTS] = {.name = "ports_calm_share", .unit = "%"},
};

static int measure(struct eio_env *e, void *arg)
{
	unsigned rounds = *(unsigned *) arg;

	env = e;
	for (unsigned round = 0; round < rounds; round++) {
		for (enum way way = ONE; way <= PORTS; way++) {
			run_once(way, CONNS, REQUESTS, false, (unsigned) turns);
			bench_add(&time_of[way], run.took_ns);
			bench_add(&p99_of[way], p99());
			bench_add(&busy_share_of[way], larger_share());
			run_once(way, CROWD, CROWD, false, 0);
			bench_add(&crowd_share_of[way], larger_share());
			run_once(way, CONNS, CONNS, true, 0);
			bench_add(&calm_share_of[way], larger_share());
		}
	}
	return 0;
}

static void calibrate(void)
{
	double start = bench_cpu_ns();

	compute(10000000);
	turns = (unsigned long) (1e7 * WORK_NS / (bench_cpu_ns() - start));
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures servers of several domains.", 5, NULL);

	calibrate();
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	bench_print(time_of, BENCH_LEN(time_of));
	bench_print(p99_of, BENCH_LEN(p99_of));
	bench_print(busy_share_of, BENCH_LEN(busy_share_of));
	bench_print(crowd_share_of, BENCH_LEN(crowd_share_of));
	bench_print(calm_share_of, BENCH_LEN(calm_share_of));
	bench_print_ratio("shared_vs_one", &time_of[SHARED], &time_of[ONE]);
	bench_print_ratio("ports_vs_one", &time_of[PORTS], &time_of[ONE]);
	bench_print_ratio("shared_vs_ports", &time_of[SHARED], &time_of[PORTS]);
	return 0;
}
