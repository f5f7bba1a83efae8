/* SPDX-License-Identifier: ISC */
/*
 * Bare TCP echo servers, the measure for a server built on the library: no library, no timeouts, no
 * cancellation, one thread, and everything tuned that can be.
 *
 *   epoll      Edge-triggered, so that a socket is polled once a message; registered once, for both
 *              directions. A read shorter than the buffer means the socket is empty.
 *   uring      One receive under way per connection, into the connection's own buffer. The echo is
 *              a pair of linked requests, a send that posts no completion unless it fails and the
 *              next receive: one completion a message, and the buffer is never in use twice.
 *   multishot  A receive that stays armed and takes buffers from a provided ring. Messages queue
 *              per connection, one send at a time; its completion returns the buffer. The pool is
 *              as small as the load allows, to stay in the cache: it doubles when it runs dry.
 *              Peers that never read can use all of it up: a real server would have to see to that.
 *
 * Both rings enter the kernel once a round, with all that the round's completions asked for. Trying
 * to receive before polling (no POLL_FIRST) is right here: under load the next message has often
 * arrived. Registered descriptors and larger queues gain nothing that could be measured.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_FDS = 65536, /* tables are indexed by descriptor; only what is used becomes resident */
	MAX_EVENTS = 512,
	READ_SIZE = 65536, /* epoll: one buffer for all connections */
	BUF_SIZE = 16384,  /* io_uring: one of many */
	SQ_ENTRIES = 1024,
	CQ_ENTRIES = 8192,
	FIRST_BUFS = 64,
	MAX_BUFS = 4096, /* a power of two */
};

static void die(const char *what, int error)
{
	fprintf(stderr, "echo_raw: %s: %s\n", what, strerror(error));
	exit(1);
}

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	return p;
}

/* Accepted sockets inherit TCP_NODELAY. */
static int listen_on(uint16_t port, int flags)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		die("socket", errno);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("setsockopt", errno);
	if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *) &addr, &len))
		die("listen", errno);
	printf("port=%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

/* ---- epoll ---- */

/* What the socket did not take of a message; nothing is read until it did. */
struct rest {
	size_t at, len;
	char data[];
};

static struct rest *rest_of[MAX_FDS];

static void epoll_close(int fd)
{
	free(rest_of[fd]);
	rest_of[fd] = NULL;
	close(fd);
}

/* Returns whether all of it went out. */
static bool epoll_send(int fd, const char *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
	struct rest *rest;

	if (n == (ssize_t) len)
		return true;
	if (n < 0 && errno != EAGAIN) {
		epoll_close(fd);
		return false;
	}
	n = n < 0 ? 0 : n;
	rest = malloc(sizeof(*rest) + len - (size_t) n);
	if (!rest)
		die("malloc", errno);
	rest->at = 0;
	rest->len = len - (size_t) n;
	memcpy(rest->data, data + n, rest->len);
	rest_of[fd] = rest;
	return false;
}

static bool epoll_send_rest(int fd)
{
	struct rest *rest = rest_of[fd];
	ssize_t n = send(fd, rest->data + rest->at, rest->len - rest->at, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			epoll_close(fd);
		return false;
	}
	rest->at += (size_t) n;
	if (rest->at < rest->len)
		return false;
	free(rest);
	rest_of[fd] = NULL;
	return true;
}

/* With the peer's FIN there is no further edge: then only recv() knows when all is read. */
static void epoll_echo(int fd, bool last)
{
	static char buf[READ_SIZE];
	ssize_t n;

	if (rest_of[fd] && !epoll_send_rest(fd))
		return;
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			epoll_close(fd);
			return;
		}
		if (!epoll_send(fd, buf, (size_t) n))
			return;
	} while (last || n == sizeof(buf));
}

static void epoll_accept(int epoll, int listener)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

	for (;;) {
		event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (event.data.fd < 0 && errno == EAGAIN)
			return;
		if (event.data.fd < 0 && errno != ECONNABORTED)
			die("accept4", errno);
		if (event.data.fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event))
			die("EPOLL_CTL_ADD", errno);
	}
}

static void serve_epoll(uint16_t port)
{
	static struct epoll_event events[MAX_EVENTS];
	int listener = listen_on(port, SOCK_NONBLOCK);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	events->events = EPOLLIN;
	events->data.fd = listener;
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events))
		die("epoll", errno);
	for (;;) {
		int n = epoll_wait(epoll, events, MAX_EVENTS, -1);

		if (n < 0 && errno != EINTR)
			die("epoll_wait", errno);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				epoll_accept(epoll, listener);
			else if (events[i].events & EPOLLIN || rest_of[fd])
				epoll_echo(fd, events[i].events & EPOLLRDHUP);
		}
	}
}

/* ---- both kinds of ring ---- */

/* The low bits of user_data; the descriptor is above. It is closed after its last completion. */
enum op { ACCEPT, RECV, SEND, OP_BITS = 2, OP_MASK = 3 };

static struct io_uring ring;

static void ring_init(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
			 IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	int ret = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);

	if (ret)
		die("io_uring_setup", -ret);
	ret = io_uring_register_ring_fd(&ring);
	if (ret != 1)
		die("registering the ring", -ret);
}

/* Room for @n requests that are submitted together, as linked ones must be. */
static void ring_reserve(unsigned n)
{
	while (io_uring_sq_space_left(&ring) < n) {
		int ret = io_uring_submit(&ring);

		if (ret <= 0)
			die("io_uring_submit", -ret);
	}
}

static struct io_uring_sqe *ring_request(enum op op, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (op == ACCEPT)
		io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	else
		io_uring_prep_rw(op == RECV ? IORING_OP_RECV : IORING_OP_SEND, sqe, fd, NULL, 0, 0);
	io_uring_sqe_set_data64(sqe, (uint64_t) fd << OP_BITS | op);
	return sqe;
}

static void ring_accept(int listener)
{
	ring_reserve(1);
	ring_request(ACCEPT, listener);
}

typedef void (*completed_fn)(enum op op, int fd, const struct io_uring_cqe *cqe);

/* @start begins to serve a descriptor, @completed goes on after each of its requests. */
static void ring_round(void (*start)(int fd), completed_fn completed)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	int ret = io_uring_submit_and_wait(&ring, 1);

	if (ret < 0 && ret != -EINTR)
		die("io_uring_enter", -ret);
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		enum op op = cqe->user_data & OP_MASK;
		int fd = (int) (cqe->user_data >> OP_BITS);

		n++;
		if (op != ACCEPT) {
			completed(op, fd, cqe);
			continue;
		}
		if (cqe->res >= 0)
			start(cqe->res);
		else if (cqe->res != -ECONNABORTED)
			die("accept", -cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			ring_accept(fd);
	}
	io_uring_cq_advance(&ring, n);
}

/* ---- single-shot receive ---- */

static char (*own_buf)[BUF_SIZE]; /* by descriptor */

static void single_recv(int fd)
{
	struct io_uring_sqe *sqe = ring_request(RECV, fd);

	sqe->addr = (uintptr_t) own_buf[fd];
	sqe->len = BUF_SIZE;
}

static void single_start(int fd)
{
	ring_reserve(1);
	single_recv(fd);
}

/*
 * MSG_WAITALL makes a send continue until all is sent. If it cannot, its completion is posted after
 * all and that of the receive linked to it is not, so here, too, the last one closes.
 */
static void single_completed(enum op op, int fd, const struct io_uring_cqe *cqe)
{
	struct io_uring_sqe *sqe;

	if (op == SEND || cqe->res <= 0) {
		close(fd);
		return;
	}
	ring_reserve(2);
	sqe = ring_request(SEND, fd);
	sqe->addr = (uintptr_t) own_buf[fd];
	sqe->len = (unsigned) cqe->res;
	sqe->msg_flags = MSG_WAITALL;
	sqe->flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	single_recv(fd);
}

static void serve_uring(uint16_t port)
{
	int listener = listen_on(port, 0);

	ring_init();
	own_buf = map((size_t) MAX_FDS * BUF_SIZE);
	ring_accept(listener);
	for (;;)
		ring_round(single_start, single_completed);
}

/* ---- multishot receive ---- */

struct queue {
	int head; /* the buffer being sent; -1 if there is none */
	int tail;
	bool ended; /* no receive is armed and none will be */
};

struct buf {
	int next;
	unsigned len;
};

static struct io_uring_buf_ring *buf_ring;
static char (*pool)[BUF_SIZE];
static struct buf bufs[MAX_BUFS];
static struct queue queue_of[MAX_FDS];
static int starving[MAX_FDS]; /* descriptors whose receive ended for lack of a buffer */
static unsigned starving_len;
static unsigned pool_len; /* buffers in use, of the MAX_BUFS there are */
static unsigned spare;    /* of these, buffers that are the kernel's to fill */
static int returned;      /* of these, buffers it was not yet told of */

static void multi_recv(int fd)
{
	struct io_uring_sqe *sqe;

	ring_reserve(1);
	sqe = ring_request(RECV, fd);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	sqe->flags = IOSQE_BUFFER_SELECT;
}

static void multi_send(int fd)
{
	int id = queue_of[fd].head;
	struct io_uring_sqe *sqe;

	ring_reserve(1);
	sqe = ring_request(SEND, fd);
	sqe->addr = (uintptr_t) pool[id];
	sqe->len = bufs[id].len;
	sqe->msg_flags = MSG_WAITALL;
}

static void multi_start(int fd)
{
	queue_of[fd] = (struct queue){.head = -1};
	multi_recv(fd);
}

static void return_buf(int id)
{
	io_uring_buf_ring_add(buf_ring, pool[id], BUF_SIZE, (unsigned short) id, MAX_BUFS - 1,
			      returned++);
	spare++;
}

static void multi_received(int fd, int id, unsigned len)
{
	struct queue *queue = &queue_of[fd];

	spare--;
	bufs[id] = (struct buf){.next = -1, .len = len};
	if (queue->head < 0) {
		queue->head = queue->tail = id;
		multi_send(fd);
	} else {
		bufs[queue->tail].next = id;
		queue->tail = id;
	}
}

/* A connection that takes no more is shut down, so that its receive ends, too. */
static void multi_sent(int fd, int res)
{
	struct queue *queue = &queue_of[fd];
	int id = queue->head;

	if (res != (int) bufs[id].len)
		shutdown(fd, SHUT_RDWR);
	queue->head = bufs[id].next;
	return_buf(id);
	if (queue->head >= 0)
		multi_send(fd);
	else if (queue->ended)
		close(fd);
}

static void multi_completed(enum op op, int fd, const struct io_uring_cqe *cqe)
{
	if (op == SEND) {
		multi_sent(fd, cqe->res);
	} else if (cqe->res > 0) {
		multi_received(fd, (int) (cqe->flags >> IORING_CQE_BUFFER_SHIFT),
			       (unsigned) cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			multi_recv(fd);
	} else if (cqe->res == -ENOBUFS) {
		starving[starving_len++] = fd;
	} else {
		queue_of[fd].ended = true;
		if (queue_of[fd].head < 0)
			close(fd);
	}
}

/*
 * Once a round: hands the buffers over, and re-arms no more receives than there are buffers. One
 * that finds the end of its stream uses none, so what is spare must be counted, not what comes
 * back.
 */
static void multi_feed(void)
{
	if (starving_len && pool_len < MAX_BUFS)
		for (unsigned n = pool_len; n > 0; n--)
			return_buf((int) pool_len++);
	io_uring_buf_ring_advance(buf_ring, returned);
	returned = 0;
	for (unsigned n = spare; n > 0 && starving_len > 0; n--)
		multi_recv(starving[--starving_len]);
}

static void serve_multishot(uint16_t port)
{
	struct io_uring_buf_reg reg = {.ring_entries = MAX_BUFS};
	int listener = listen_on(port, 0);
	int ret;

	ring_init();
	pool = map((size_t) MAX_BUFS * BUF_SIZE);
	buf_ring = map(MAX_BUFS * sizeof(struct io_uring_buf));
	reg.ring_addr = (uintptr_t) buf_ring;
	ret = io_uring_register_buf_ring(&ring, &reg, 0);
	if (ret)
		die("io_uring_register_buf_ring", -ret);
	io_uring_buf_ring_init(buf_ring);
	while (pool_len < FIRST_BUFS)
		return_buf((int) pool_len++);
	ring_accept(listener);
	for (;;) {
		multi_feed();
		ring_round(multi_start, multi_completed);
	}
}

/* ---- */

static void on_sigterm(int signo)
{
	(void) signo;
	_exit(0);
}

static void usage(FILE *to)
{
	fputs("usage: echo_raw epoll|uring|multishot PORT\n"
	      "\n"
	      "Bare TCP echo server on 127.0.0.1; PORT 0 takes a free port. Prints port=N when it\n"
	      "listens and serves until SIGTERM.\n",
	      to);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_sigterm};
	struct rlimit limit;
	unsigned long port;
	char *end;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	port = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
	if (argc != 3 || end == argv[2] || *end || port > UINT16_MAX) {
		usage(stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < MAX_FDS ? limit.rlim_max : MAX_FDS;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE", errno);
	if (!strcmp(argv[1], "epoll"))
		serve_epoll((uint16_t) port);
	else if (!strcmp(argv[1], "uring"))
		serve_uring((uint16_t) port);
	else if (!strcmp(argv[1], "multishot"))
		serve_multishot((uint16_t) port);
	usage(stderr);
	return 2;
}
