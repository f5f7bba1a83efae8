/* SPDX-License-Identifier: ISC */
/*
 * Calls that cannot wait, by a system call and by the ring: one at a time, and many with one
 * submission, as the fibers of a busy domain would make them. It says which of them are
 * better made directly. Bare liburing, with the library's own flags; what the kernel has no
 * operation for is left out.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COUNT = 200, MANY = 100, DEPTH = 256 };

/* Newer than liburing 2.3's header. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
enum { OP_BIND = 56, OP_LISTEN = 57, OP_PIPE = 62, CMD_GETSOCKOPT = 2, CMD_SETSOCKOPT = 3 };

static struct io_uring ring;
static int fds[COUNT], others[COUNT], value, ends[COUNT][2];
static const struct sockaddr_in any = {.sin_family = AF_INET};

static void check(int rc, const char *what)
{
	if (rc < 0)
		bench_fail("%s: %s", what, strerror(errno));
}

/* What the calls are made on */

static void nothing(void)
{
}

static void sockets(void)
{
	for (int i = 0; i < COUNT; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		check(fds[i], "socket");
	}
}

static void bound_sockets(void)
{
	sockets();
	for (int i = 0; i < COUNT; i++)
		check(bind(fds[i], (const struct sockaddr *) &any, sizeof(any)), "bind");
}

static void pairs(void)
{
	for (int i = 0; i < COUNT; i++) {
		check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]), "socketpair");
		fds[i] = ends[i][0];
		others[i] = ends[i][1];
	}
}

static void close_fds(void)
{
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
}

static void close_both(void)
{
	close_fds();
	for (int i = 0; i < COUNT; i++)
		close(others[i]);
}

static void close_ends(void)
{
	for (int i = 0; i < COUNT; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* The calls; those that make descriptors keep them in fds or ends */

static int call_socket(int i)
{
	return fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void prep_socket(struct io_uring_sqe *sqe, int i)
{
	(void) i;
	io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0);
}

static void keep_socket(int i, int res)
{
	fds[i] = res;
}

static int call_bind(int i)
{
	return bind(fds[i], (const struct sockaddr *) &any, sizeof(any));
}

static void prep_bind(struct io_uring_sqe *sqe, int i)
{
	io_uring_prep_rw(OP_BIND, sqe, fds[i], &any, 0, sizeof(any));
}

static int call_listen(int i)
{
	return listen(fds[i], 16);
}

static void prep_listen(struct io_uring_sqe *sqe, int i)
{
	io_uring_prep_rw(OP_LISTEN, sqe, fds[i], NULL, 16, 0);
}

static int call_shutdown(int i)
{
	return shutdown(fds[i], SHUT_WR);
}

static void prep_shutdown(struct io_uring_sqe *sqe, int i)
{
	io_uring_prep_shutdown(sqe, fds[i], SHUT_WR);
}

static int call_setsockopt(int i)
{
	return setsockopt(fds[i], SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value));
}

static int call_getsockopt(int i)
{
	socklen_t len = sizeof(value);

	return getsockopt(fds[i], SOL_SOCKET, SO_KEEPALIVE, &value, &len);
}

/* The command stands where the offset does, level and option where the address. */
static void prep_option(struct io_uring_sqe *sqe, int i, unsigned command)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fds[i], NULL, 0, command);
	sqe->addr = (uint64_t) SO_KEEPALIVE << 32 | SOL_SOCKET;
	sqe->file_index = sizeof(value);
	sqe->addr3 = (uintptr_t) &value;
}

static void prep_setsockopt(struct io_uring_sqe *sqe, int i)
{
	prep_option(sqe, i, CMD_SETSOCKOPT);
}

static void prep_getsockopt(struct io_uring_sqe *sqe, int i)
{
	prep_option(sqe, i, CMD_GETSOCKOPT);
}

static int call_pipe(int i)
{
	return pipe2(ends[i], O_CLOEXEC);
}

static void prep_pipe(struct io_uring_sqe *sqe, int i)
{
	io_uring_prep_rw(OP_PIPE, sqe, 0, ends[i], 0, 0);
	sqe->rw_flags = O_CLOEXEC;
}

static void keep_nothing(int i, int res)
{
	(void) i, (void) res;
}

static const struct kind {
	const char *name;
	void (*set_up)(void);
	int (*call)(int i);
	void (*prep)(struct io_uring_sqe *sqe, int i);
	void (*keep)(int i, int res);
	void (*clean_up)(void);
} kinds[] = {
	{"socket", nothing, call_socket, prep_socket, keep_socket, close_fds},
	{"bind", sockets, call_bind, prep_bind, keep_nothing, close_fds},
	{"listen", bound_sockets, call_listen, prep_listen, keep_nothing, close_fds},
	{"shutdown", pairs, call_shutdown, prep_shutdown, keep_nothing, close_both},
	{"setsockopt", sockets, call_setsockopt, prep_setsockopt, keep_nothing, close_fds},
	{"getsockopt", sockets, call_getsockopt, prep_getsockopt, keep_nothing, close_fds},
	{"pipe", nothing, call_pipe, prep_pipe, keep_nothing, close_ends},
};

/* Measuring */

static double direct(const struct kind *k)
{
	double start = bench_now_ns();

	for (int i = 0; i < COUNT; i++)
		check(k->call(i), k->name);
	return (bench_now_ns() - start) / COUNT;
}

/* 0, or the first negative result. */
static int submit(const struct kind *k, int from, unsigned at_once)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	int rc = 0;

	for (unsigned i = 0; i < at_once; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		k->prep(sqe, from + (int) i);
		sqe->user_data = (uint64_t) from + i;
	}
	if (io_uring_submit_and_wait(&ring, at_once) < 0)
		bench_fail("submit_and_wait");
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		k->keep((int) cqe->user_data, cqe->res);
		rc = rc < 0 ? rc : cqe->res < 0 ? cqe->res : 0;
		n++;
	}
	io_uring_cq_advance(&ring, n);
	return n < at_once ? -EIO : rc;
}

static double by_ring(const struct kind *k, unsigned at_once)
{
	double start = bench_now_ns();

	for (int i = 0; i < COUNT; i += (int) at_once) {
		int rc = submit(k, i, at_once);

		if (rc < 0)
			bench_fail("%s by the ring: %s", k->name, strerror(-rc));
	}
	return (bench_now_ns() - start) / COUNT;
}

enum { DIRECT, RING, RING_MANY, WAYS };

static double measure(const struct kind *k, int way)
{
	double sample;

	k->set_up();
	sample = way == DIRECT ? direct(k) : by_ring(k, way == RING ? 1 : MANY);
	k->clean_up();
	return sample;
}

static int has(const struct kind *k)
{
	int rc;

	k->set_up();
	rc = submit(k, 0, 1);
	if (rc == 0) {
		for (int i = 1; i < COUNT; i++)
			k->call(i);
		k->clean_up();
	}
	return rc == 0;
}

static void set_up(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	};

	bench_check(io_uring_queue_init_params(DEPTH, &ring, &p), "a ring with DEFER_TASKRUN");
	bench_check(io_uring_register_ring_fd(&ring), "registering the ring's descriptor");
}

int main(int argc, char **argv)
{
	unsigned rounds =
		bench_parse(argc, argv, "Measures calls directly and by the ring.", 51, NULL);

	set_up();
	for (size_t i = 0; i < BENCH_LEN(kinds); i++) {
		struct bench_value values[WAYS] = {{.n = 0}};
		char names[WAYS][64], ratio[64];
		const char *const endings[WAYS] = {"", "_ring", "_ring_100"};

		if (!has(&kinds[i]))
			continue;
		for (int way = 0; way < WAYS; way++) {
			snprintf(names[way], sizeof(names[way]), "%s%s", kinds[i].name,
				 endings[way]);
			values[way].name = names[way];
			values[way].unit = "ns";
			measure(&kinds[i], way);
		}
		for (unsigned r = 0; r < rounds; r++) {
			for (int way = 0; way < WAYS; way++)
				bench_add(&values[way], measure(&kinds[i], way));
		}
		bench_print(values, WAYS);
		snprintf(ratio, sizeof(ratio), "%s_ring_vs_direct", kinds[i].name);
		bench_print_ratio(ratio, &values[RING], &values[DIRECT]);
		snprintf(ratio, sizeof(ratio), "%s_ring_100_vs_direct", kinds[i].name);
		bench_print_ratio(ratio, &values[RING_MANY], &values[DIRECT]);
	}
	io_uring_queue_exit(&ring);
	return 0;
}
