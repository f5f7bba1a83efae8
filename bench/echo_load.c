/* SPDX-License-Identifier: ISC */
/*
 * Closed-loop load generator for TCP echo servers: one thread, edge-triggered epoll.
 *
 * Every connection sends a message, waits for its whole echo, compares each byte and sends the next
 * one, so there are never more than CONNS requests under way. A run goes through these phases:
 *
 *   connecting  non-blocking connects, MAX_CONNECTING at a time, until all are established
 *   first       the first message goes out on all of them; lasts until each had its echo
 *   warm-up     full load, not counted
 *   measuring   full load; latencies go into a histogram
 *   draining    nothing new is sent, the echoes still missing are awaited
 *
 * Because of the draining every request sent was answered when the program ends, and total= is
 * exactly what the server worked for. Warming up starts only after the first phase: a server that
 * is slow to accept is not measured while it serves few connections.
 *
 * A connection is registered once, for input and output edges. An edge is lost unless the socket is
 * read until it is empty: a read shorter than asked for says so, but hides a FIN behind the bytes,
 * hence the look at EPOLLRDHUP.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_CONNECTING = 64,
	MAX_EVENTS = 512,
	MAX_REPORTED = 5, /* failures written out; the others are only counted */
	SHIFTS = 256,     /* messages differ by where in the pattern they start */
	READ_SIZE = 65536,
	PATIENCE_S = 30, /* longest time any phase may stand still */
};

/* 2^STEP_BITS linear steps for each power of two: values are kept to within 1 %. */
enum {
	STEP_BITS = 7,
	STEPS = 1 << STEP_BITS,
	BUCKETS = (64 - STEP_BITS) * STEPS,
};

enum phase { FIRST, WARM_UP, MEASURING, DRAINING };

struct conn {
	int fd; /* -1 once it failed */
	bool connected;
	bool served; /* had its first echo, or failed */
	bool busy;   /* a request is under way */
	uint32_t seq;
	size_t sent, got; /* of the current message */
	uint64_t start_ns;
};

struct load {
	struct sockaddr_in addr;
	size_t conns, bytes;
	uint64_t seconds_ns, warm_up_ns;
	struct conn *conn;
	char *pattern; /* bytes + SHIFTS of noise */
	int epoll;
	enum phase phase;
	size_t served, busy;
	uint64_t first_ns, all_ns, begin_ns, end_ns; /* when phases began */
	double cpu_s;                                /* used while measuring */
	uint64_t total, measured, bad, max_ns;
	uint64_t hist[BUCKETS];
};

static void die(const char *what, int error)
{
	fprintf(stderr, "echo_load: %s: %s\n", what, strerror(error));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < STEPS)
		return (unsigned) ns;
	shift = 63 - STEP_BITS - (unsigned) __builtin_clzll(ns);
	return (shift + 1) * STEPS + ((unsigned) (ns >> shift) & (STEPS - 1));
}

static double bucket_middle(unsigned bucket)
{
	unsigned shift = bucket / STEPS - 1;

	if (bucket < STEPS)
		return bucket;
	return ((double) (STEPS + bucket % STEPS) + 0.5) * (double) (1ull << shift);
}

static double percentile_us(const struct load *load, double share)
{
	uint64_t rank = (uint64_t) (share * (double) load->measured);
	double max = (double) load->max_ns;
	uint64_t seen = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += load->hist[b];
		if (seen > rank)
			return (bucket_middle(b) < max ? bucket_middle(b) : max) / 1000;
	}
	return 0;
}

static void mark_served(struct load *load, struct conn *conn)
{
	load->served += !conn->served;
	conn->served = true;
}

static void set_busy(struct load *load, struct conn *conn, bool busy)
{
	load->busy += (size_t) busy - (size_t) conn->busy;
	conn->busy = busy;
}

static void fail(struct load *load, struct conn *conn, const char *why, int error)
{
	if (load->bad++ < MAX_REPORTED)
		fprintf(stderr, "echo_load: connection %td: %s%s%s\n", conn - load->conn, why,
			error ? ": " : "", error ? strerror(error) : "");
	close(conn->fd);
	conn->fd = -1;
	mark_served(load, conn);
	set_busy(load, conn, false);
}

static const char *message(const struct load *load, const struct conn *conn)
{
	return load->pattern + conn->seq % SHIFTS;
}

/* Sends what the socket takes; the output edge brings us back for the rest. */
static void send_more(struct load *load, struct conn *conn)
{
	while (conn->sent < load->bytes) {
		ssize_t n = send(conn->fd, message(load, conn) + conn->sent,
				 load->bytes - conn->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN)
				fail(load, conn, "send", errno);
			return;
		}
		conn->sent += (size_t) n;
	}
}

static void start_request(struct load *load, struct conn *conn, uint64_t now)
{
	conn->sent = conn->got = 0;
	conn->seq++;
	conn->start_ns = now;
	set_busy(load, conn, true);
	send_more(load, conn);
}

static void finish_request(struct load *load, struct conn *conn)
{
	uint64_t now = now_ns();
	uint64_t took = now - conn->start_ns;

	load->total++;
	mark_served(load, conn);
	set_busy(load, conn, false);
	if (load->phase == MEASURING) {
		load->measured++;
		load->hist[bucket_of(took)]++;
		if (took > load->max_ns)
			load->max_ns = took;
	}
	if (load->phase != DRAINING)
		start_request(load, conn, now);
}

/*
 * Reads until the socket is empty. One byte more than can rightly be there is asked for, so that
 * bytes nobody sent are noticed and a right echo always shows as a short read.
 */
static void receive(struct load *load, struct conn *conn)
{
	static char buf[READ_SIZE];

	while (conn->fd >= 0) {
		size_t due = conn->busy ? conn->sent - conn->got : 0;
		size_t want = due < sizeof(buf) ? due + 1 : sizeof(buf);
		ssize_t n = recv(conn->fd, buf, want, 0);

		if (n < 0) {
			if (errno != EAGAIN)
				fail(load, conn, "recv", errno);
			return;
		}
		if (n == 0) {
			fail(load, conn, "closed by the server", 0);
			return;
		}
		if ((size_t) n > due || memcmp(buf, message(load, conn) + conn->got, (size_t) n)) {
			fail(load, conn, "wrong bytes", 0);
			return;
		}
		conn->got += (size_t) n;
		if (conn->got == load->bytes)
			finish_request(load, conn);
		if ((size_t) n < want)
			return;
	}
}

static void handle_event(struct load *load, const struct epoll_event *event)
{
	struct conn *conn = event->data.ptr;

	if (conn->fd >= 0 && conn->busy && (event->events & EPOLLOUT))
		send_more(load, conn);
	if (conn->fd >= 0 && (event->events & EPOLLIN))
		receive(load, conn);
	if (conn->fd >= 0 && (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		fail(load, conn, "closed by the server", 0);
}

static void start_connecting(struct load *load, struct conn *conn)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = conn,
	};
	int one = 1;

	conn->seq = (uint32_t) (conn - load->conn) * 7;
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		die("socket", errno);
	if (setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY", errno);
	if (connect(conn->fd, (struct sockaddr *) &load->addr, sizeof(load->addr)) &&
	    errno != EINPROGRESS)
		die("connect", errno);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event))
		die("EPOLL_CTL_ADD", errno);
}

/* The first event tells. How many connections it added: one, or none if it is a later one. */
static size_t finish_connecting(struct conn *conn)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (conn->connected)
		return 0;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		die("SO_ERROR", errno);
	if (error)
		die("connect", error);
	conn->connected = true;
	return 1;
}

static int wait_events(struct load *load, struct epoll_event *events)
{
	int n = epoll_wait(load->epoll, events, MAX_EVENTS, 50);

	if (n < 0 && errno != EINTR)
		die("epoll_wait", errno);
	return n < 0 ? 0 : n;
}

static void connect_all(struct load *load)
{
	struct epoll_event events[MAX_EVENTS];
	uint64_t give_up = now_ns() + PATIENCE_S * 1000000000ull;
	size_t opened = 0, connected = 0;

	while (connected < load->conns) {
		while (opened < load->conns && opened - connected < MAX_CONNECTING)
			start_connecting(load, &load->conn[opened++]);
		for (int i = wait_events(load, events); i > 0; i--)
			connected += finish_connecting(events[i - 1].data.ptr);
		if (now_ns() > give_up)
			die("connect", ETIMEDOUT);
	}
}

static void check_patience(uint64_t since, uint64_t now, const char *what)
{
	if (now - since > PATIENCE_S * 1000000000ull)
		die(what, ETIMEDOUT);
}

/* Moves on to the next phase when it is time. Returns false at the end. */
static bool advance(struct load *load)
{
	uint64_t now = now_ns();

	if (load->bad == load->conns)
		return false;
	switch (load->phase) {
	case FIRST:
		check_patience(load->first_ns, now, "some connections got no echo");
		if (load->served == load->conns) {
			load->all_ns = now;
			load->phase = WARM_UP;
		}
		break;
	case WARM_UP:
		if (now - load->all_ns >= load->warm_up_ns) {
			load->begin_ns = now;
			load->cpu_s = cpu_s();
			load->phase = MEASURING;
		}
		break;
	case MEASURING:
		if (now - load->begin_ns >= load->seconds_ns) {
			load->end_ns = now;
			load->cpu_s = cpu_s() - load->cpu_s;
			load->phase = DRAINING;
		}
		break;
	case DRAINING:
		check_patience(load->end_ns, now, "some requests were never answered");
		break;
	}
	return load->phase != DRAINING || load->busy > 0;
}

static void run(struct load *load)
{
	struct epoll_event events[MAX_EVENTS];

	connect_all(load);
	load->first_ns = now_ns();
	for (size_t i = 0; i < load->conns; i++)
		start_request(load, &load->conn[i], now_ns());
	while (advance(load)) {
		int n = wait_events(load, events);

		for (int i = 0; i < n; i++)
			handle_event(load, &events[i]);
	}
}

static void report(const struct load *load)
{
	double s = (double) (load->end_ns - load->begin_ns) / 1e9;
	bool complete = load->end_ns > 0;

	printf("conns=%zu bytes=%zu rps=%.0f p50us=%.1f p99us=%.1f p999us=%.1f maxus=%.1f "
	       "reqs=%llu secs=%.2f cpu%%=%.0f bad=%llu allms=%.1f total=%llu\n",
	       load->conns, load->bytes, complete ? (double) load->measured / s : 0,
	       percentile_us(load, 0.5), percentile_us(load, 0.99), percentile_us(load, 0.999),
	       (double) load->max_ns / 1e3, (unsigned long long) load->measured, complete ? s : 0,
	       complete ? load->cpu_s / s * 100 : 0, (unsigned long long) load->bad,
	       load->all_ns ? (double) (load->all_ns - load->first_ns) / 1e6 : 0,
	       (unsigned long long) load->total);
}

static void usage(FILE *to)
{
	fputs("usage: echo_load ADDRESS PORT CONNS BYTES SECONDS [WARM_UP_SECONDS=0.5]\n"
	      "\n"
	      "Loads a TCP echo server with CONNS connections, each sending BYTES bytes, waiting\n"
	      "for the echo, checking it and sending again. ADDRESS is a numeric IPv4 address.\n"
	      "Prints one line:\n"
	      "  rps               echoes a second, over the SECONDS measured\n"
	      "  p50us .. maxus    microseconds from the first byte sent to the last received\n"
	      "  reqs, secs, cpu%  requests, time and own CPU use (100: the limit) of that time\n"
	      "  bad               connections that failed\n"
	      "  allms             ms from the first message sent to each connection's first echo\n"
	      "  total             all requests answered, before and after measuring included\n"
	      "Exits with 0 if every byte matched and no connection failed, else with 1; with 2\n"
	      "after wrong arguments.\n",
	      to);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max)) {
		fprintf(stderr, "echo_load: %s: not a number from %g to %g\n", text, min, max);
		exit(2);
	}
	return value;
}

static void parse(struct load *load, int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		exit(0);
	}
	if (argc < 6 || argc > 7) {
		usage(stderr);
		exit(2);
	}
	load->addr.sin_family = AF_INET;
	if (inet_pton(AF_INET, argv[1], &load->addr.sin_addr) != 1) {
		fprintf(stderr, "echo_load: %s: not an IPv4 address\n", argv[1]);
		exit(2);
	}
	load->addr.sin_port = htons((uint16_t) number(argv[2], 1, 65535));
	load->conns = (size_t) number(argv[3], 1, 1e6);
	load->bytes = (size_t) number(argv[4], 1, 1e9);
	load->seconds_ns = (uint64_t) (number(argv[5], 0.001, 86400) * 1e9);
	load->warm_up_ns = (uint64_t) ((argc > 6 ? number(argv[6], 0, 86400) : 0.5) * 1e9);
}

static void prepare(struct load *load)
{
	struct rlimit limit;
	uint32_t noise = 12345;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE", errno);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE", errno);
	load->conn = calloc(load->conns, sizeof(*load->conn));
	load->pattern = malloc(load->bytes + SHIFTS);
	if (!load->conn || !load->pattern)
		die("memory", ENOMEM);
	for (size_t i = 0; i < load->bytes + SHIFTS; i++) {
		noise = noise * 1664525 + 1013904223;
		load->pattern[i] = (char) (noise >> 24);
	}
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0)
		die("epoll_create1", errno);
}

int main(int argc, char **argv)
{
	static struct load load;

	parse(&load, argc, argv);
	prepare(&load);
	run(&load);
	report(&load);
	return load.bad ? 1 : 0;
}
