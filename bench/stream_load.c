/* SPDX-License-Identifier: ISC */
/*
 * Load for proxies of TCP: both ends of it, in one thread.
 *
 * The program is the upstream as well as the clients. Each client sends its bytes as fast as
 * the proxy takes them and ends its side; the upstream reads to the end, counts, and ends its
 * own, which the client must see. So a run ends when all bytes have arrived and every end has
 * passed through the proxy in both directions.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PIECE = 256 * 1024,
	MAX_EVENTS = 64,
	PATIENCE_MS = 30000, /* longest time nothing may happen */
};

struct conn {
	int fd;
	bool upstream; /* accepted; else a client */
	uint64_t left; /* a client's bytes to send */
};

struct load {
	int epoll, listener;
	size_t conns, accepted, open; /* open: both kinds */
	uint64_t bytes, arrived;      /* bytes: of each connection */
	struct conn *conn;            /* first the clients, then the upstream's */
};

static char buf[PIECE];

static void die(const char *what, int error)
{
	fprintf(stderr, "stream_load: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket", errno);
	return fd;
}

static void watch(struct load *load, int fd, uint32_t events, struct conn *conn)
{
	struct epoll_event event = {.events = events, .data.ptr = conn};

	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event))
		die("EPOLL_CTL_ADD", errno);
}

static void listen_at(struct load *load, uint16_t port)
{
	struct sockaddr_in addr = loopback(port);
	int one = 1;

	load->listener = new_socket();
	if (setsockopt(load->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(load->listener, (struct sockaddr *) &addr, sizeof(addr)) ||
	    listen(load->listener, 4096))
		die("listen", errno);
	watch(load, load->listener, EPOLLIN, NULL);
}

static void open_client(struct load *load, struct conn *conn, uint16_t port)
{
	struct sockaddr_in addr = loopback(port);

	*conn = (struct conn){.fd = new_socket(), .left = load->bytes};
	if (connect(conn->fd, (struct sockaddr *) &addr, sizeof(addr)) && errno != EINPROGRESS)
		die("connect", errno);
	watch(load, conn->fd, EPOLLIN | EPOLLOUT | EPOLLET, conn);
	load->open++;
}

static void accept_all(struct load *load)
{
	int fd;

	while ((fd = accept4(load->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = &load->conn[load->conns + load->accepted];

		if (load->accepted == load->conns)
			die("accept", E2BIG);
		load->accepted++;
		*conn = (struct conn){.fd = fd, .upstream = true};
		watch(load, fd, EPOLLIN | EPOLLET, conn);
		load->open++;
	}
	if (errno != EAGAIN)
		die("accept", errno);
}

static void end_conn(struct load *load, struct conn *conn)
{
	close(conn->fd);
	conn->fd = -1;
	load->open--;
}

static void send_more(struct conn *conn)
{
	while (conn->left > 0) {
		size_t len = conn->left < PIECE ? (size_t) conn->left : PIECE;
		ssize_t n = send(conn->fd, buf, len, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EAGAIN || errno == ENOTCONN)
				return;
			die("send", errno);
		}
		conn->left -= (uint64_t) n;
		if (conn->left == 0)
			shutdown(conn->fd, SHUT_WR);
	}
}

static void receive(struct load *load, struct conn *conn)
{
	ssize_t n;

	while ((n = recv(conn->fd, buf, sizeof(buf), 0)) > 0) {
		if (!conn->upstream)
			die("bytes from the upstream", EPROTO);
		load->arrived += (uint64_t) n;
	}
	if (n < 0 && errno != EAGAIN)
		die("recv", errno);
	if (n == 0)
		end_conn(load, conn);
}

static void handle_event(struct load *load, const struct epoll_event *event)
{
	struct conn *conn = event->data.ptr;

	if (!conn) {
		accept_all(load);
		return;
	}
	if (!conn->upstream && event->events & EPOLLOUT)
		send_more(conn);
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(load, conn);
}

static void run(struct load *load, uint16_t proxy)
{
	struct epoll_event events[MAX_EVENTS];

	for (size_t i = 0; i < load->conns; i++)
		open_client(load, &load->conn[i], proxy);
	while (load->open > 0) {
		int n = epoll_wait(load->epoll, events, MAX_EVENTS, PATIENCE_MS);

		if (n == 0)
			die("waiting for the proxy", ETIMEDOUT);
		for (int i = 0; i < n; i++)
			handle_event(load, &events[i]);
	}
}

static void usage(FILE *to)
{
	fputs("usage: stream_load PROXY UPSTREAM CONNS MIB\n"
	      "\n"
	      "Listens on port UPSTREAM of 127.0.0.1, where the proxy connects to, opens CONNS\n"
	      "connections to the proxy on port PROXY, and sends MIB mebibytes through each.\n"
	      "Prints bytes=N secs=S when all have arrived. Exits with 1 if bytes are missing or\n"
	      "a connection failed, with 2 after wrong arguments.\n",
	      to);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value < 1 || value > max) {
		fprintf(stderr, "stream_load: %s: not a number from 1 to %llu\n", text,
			(unsigned long long) max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static struct load load;
	uint16_t proxy, upstream;
	double start;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	if (argc != 5) {
		usage(stderr);
		return 2;
	}
	proxy = (uint16_t) number(argv[1], UINT16_MAX);
	upstream = (uint16_t) number(argv[2], UINT16_MAX);
	load.conns = number(argv[3], 10000);
	load.bytes = number(argv[4], 1 << 20) << 20;
	load.conn = calloc(2 * load.conns, sizeof(*load.conn));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.conn || load.epoll < 0)
		die("start", errno);

	start = now_s();
	listen_at(&load, upstream);
	run(&load, proxy);
	printf("bytes=%llu secs=%.3f\n", (unsigned long long) load.arrived, now_s() - start);
	if (load.arrived != load.bytes * load.conns)
		die("some bytes are missing", EIO);
	return 0;
}
