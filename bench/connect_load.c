/* SPDX-License-Identifier: ISC */
/*
 * Closed-loop load of short connections for TCP echo servers: one thread, epoll.
 *
 * So many connections are under way at any time. Each connects, sends one byte, waits for its echo
 * and is closed by a reset, which leaves no address in TIME_WAIT; then the next one takes its
 * place. When the time is over the last ones are finished, so that every connection counted was
 * served.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
	MAX_EVENTS = 512,
	PATIENCE_MS = 10000, /* longest time nothing may happen */
};

static struct sockaddr_in addr = {.sin_family = AF_INET};
static int epoll;
static uint64_t served;

static void die(const char *what, int error)
{
	fprintf(stderr, "connect_load: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void open_one(void)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct epoll_event event = {.events = EPOLLOUT};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket", errno);
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("SO_LINGER", errno);
	if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) && errno != EINPROGRESS)
		die("connect", errno);
	event.data.fd = fd;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("EPOLL_CTL_ADD", errno);
}

static void send_byte(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		die("connect or send", errno);
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event))
		die("EPOLL_CTL_MOD", errno);
}

static void finish(int fd)
{
	char byte = 0;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n != 1 || byte != 'x')
		die("recv", n < 0 ? errno : EPROTO);
	close(fd);
	served++;
}

static void run(unsigned in_flight, double seconds)
{
	struct epoll_event events[MAX_EVENTS];
	double begin = now_s(), took;
	unsigned open = 0;

	while (open < in_flight) {
		open_one();
		open++;
	}
	while (open > 0) {
		int n = epoll_wait(epoll, events, MAX_EVENTS, PATIENCE_MS);

		if (n < 0 && errno != EINTR)
			die("epoll_wait", errno);
		if (n == 0)
			die("the server", ETIMEDOUT);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (events[i].events & EPOLLOUT) {
				send_byte(fd);
				continue;
			}
			finish(fd);
			if (now_s() - begin < seconds)
				open_one();
			else
				open--;
		}
	}
	took = now_s() - begin;
	printf("served=%llu secs=%.2f rate=%.0f\n", (unsigned long long) served, took,
	       (double) served / took);
}

static void usage(FILE *to)
{
	fputs("usage: connect_load ADDRESS PORT IN_FLIGHT SECONDS\n"
	      "\n"
	      "Opens connections to a TCP echo server, IN_FLIGHT at a time, for SECONDS. On each "
	      "it\n"
	      "sends one byte, waits for the echo and closes. ADDRESS is a numeric IPv4 address.\n"
	      "Prints how many were served, in how many seconds, and the rate.\n",
	      to);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max)) {
		fprintf(stderr, "connect_load: %s: not a number from %g to %g\n", text, min, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	unsigned in_flight;
	double seconds;
	struct rlimit limit;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (argc != 5) {
		usage(stderr);
		return 2;
	}
	if (inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1) {
		fprintf(stderr, "connect_load: %s: not an IPv4 address\n", argv[1]);
		return 2;
	}
	addr.sin_port = htons((uint16_t) number(argv[2], 1, 65535));
	in_flight = (unsigned) number(argv[3], 1, 20000);
	seconds = number(argv[4], 0.01, 60);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1", errno);
	run(in_flight, seconds);
	return 0;
}
