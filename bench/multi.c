/* SPDX-License-Identifier: ISC */
/*
 * What a message costs whose receiver waits for it: 64 bytes, sent by the program itself over 1
 * and over 100 connections, one each before it waits for all. Received by iterators that share
 * a group of buffers, by eio_ll_recv, and by bare liburing with the same set-up, multishot into
 * such a group.
 */
#include "bench.h"
#include "raw_ring.h"

#include <eio/eio.h>
#include <eio/low_level.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MANY = 100,
	LEN = 64,
	BUFFERS = 128,
	DEPTH = 256,
	GROUP = 1,
	ROUNDS_1 = 10000,
	ROUNDS_MANY = 200
};

static int near[MANY], far[MANY];

static void connect_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			bench_fail("socketpair");
		near[i] = ends[0];
		far[i] = ends[1];
	}
}

static void send_all(unsigned n)
{
	static const char message[LEN];

	for (unsigned i = 0; i < n; i++) {
		if (send(far[i], message, LEN, MSG_NOSIGNAL) != LEN)
			bench_fail("send");
	}
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Bare liburing */

static struct io_uring ring;
static struct raw_buffers buffers;

static void set_up_raw(void)
{
	raw_ring_init(&ring, DEPTH);
	raw_buffers_init(&buffers, &ring, BUFFERS, LEN, GROUP);
}

static unsigned reap(bool ends)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0, used = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		if (!ends && (cqe->res != LEN || !(cqe->flags & IORING_CQE_F_MORE)))
			bench_fail("a raw receive failed");
		if (cqe->flags & IORING_CQE_F_BUFFER)
			raw_buffers_add(&buffers, cqe->flags >> IORING_CQE_BUFFER_SHIFT, used++);
		n++;
	}
	io_uring_buf_ring_advance(buffers.ring, (int) used);
	io_uring_cq_advance(&ring, n);
	return n;
}

static void wait_for(unsigned n, bool ends)
{
	for (unsigned done = 0; done < n; done += reap(ends))
		bench_check(io_uring_submit_and_wait(&ring, n - done), "submit_and_wait");
}

static double raw(unsigned rounds, unsigned n)
{
	double start, spent;

	connect_all(n);
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_recv_multishot(sqe, near[i], NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
	}
	bench_check(io_uring_submit_and_get_events(&ring), "submit");
	start = bench_now_ns();
	for (unsigned i = 0; i < rounds; i++) {
		send_all(n);
		wait_for(n, false);
	}
	spent = bench_now_ns() - start;
	close_all(far, n);
	wait_for(n, true);
	close_all(near, n);
	return spent / rounds / n;
}

/* Fibers */

static struct eio_ll_buffers shared;
static struct eio_semaphore arrived;
static unsigned awaited, count;

static void tell(void)
{
	if (++awaited == count) {
		awaited = 0;
		eio_semaphore_release(&arrived);
	}
}

static int receive_by_views(void *arg)
{
	struct eio_ll_views v;
	struct eio_ll_view view;
	struct eio_fd fd;
	int rc;

	bench_check(eio_fd_of_unix(NULL, *(int *) arg, EIO_FD_CLOSE, &fd), "fd");
	bench_check(eio_ll_views_recv(&v, fd, &shared), "views");
	while ((rc = eio_ll_views_next(&v, &view)) == 1) {
		bench_check(eio_ll_view_return(&shared, view), "return");
		tell();
	}
	eio_ll_views_end(&v);
	eio_fd_close(fd);
	return rc;
}

static int receive_plainly(void *arg)
{
	char buf[LEN];
	struct eio_fd fd;
	int rc;

	bench_check(eio_fd_of_unix(NULL, *(int *) arg, EIO_FD_CLOSE, &fd), "fd");
	while ((rc = (int) eio_ll_recv(fd, buf, sizeof(buf), 0)) > 0)
		tell();
	eio_fd_close(fd);
	return rc;
}

static double fibers(eio_fn *receive, unsigned rounds, unsigned n)
{
	struct eio_switch sw;
	double start, spent;

	connect_all(n);
	count = n;
	eio_switch_begin(&sw);
	for (unsigned i = 0; i < n; i++)
		bench_check(eio_fork(&sw, receive, &near[i]), "fork");
	bench_check(eio_ll_noop(), "noop");
	start = bench_now_ns();
	for (unsigned i = 0; i < rounds; i++) {
		send_all(n);
		bench_check(eio_semaphore_acquire(&arrived), "acquire");
	}
	spent = bench_now_ns() - start;
	close_all(far, n);
	bench_check(eio_switch_end(&sw, 0), "receiving");
	return spent / rounds / n;
}

static double raw_1(void)
{
	return raw(ROUNDS_1, 1);
}

static double raw_many(void)
{
	return raw(ROUNDS_MANY, MANY);
}

static double views_1(void)
{
	return fibers(receive_by_views, ROUNDS_1, 1);
}

static double views_many(void)
{
	return fibers(receive_by_views, ROUNDS_MANY, MANY);
}

static double recv_1(void)
{
	return fibers(receive_plainly, ROUNDS_1, 1);
}

static double recv_many(void)
{
	return fibers(receive_plainly, ROUNDS_MANY, MANY);
}

enum { RAW_1, VIEWS_1, RECV_1, RAW_MANY, VIEWS_MANY, RECV_MANY };

static struct bench_value values[] = {
	[RAW_1] = {.name = "raw_multishot_1", .unit = "ns", .measure = raw_1},
	[VIEWS_1] = {.name = "views_1", .unit = "ns", .measure = views_1},
	[RECV_1] = {.name = "recv_1", .unit = "ns", .measure = recv_1},
	[RAW_MANY] = {.name = "raw_multishot_100", .unit = "ns", .measure = raw_many},
	[VIEWS_MANY] = {.name = "views_100", .unit = "ns", .measure = views_many},
	[RECV_MANY] = {.name = "recv_100", .unit = "ns", .measure = recv_many},
};

static int measure(struct eio_env *env, void *arg)
{
	(void) env;
	eio_semaphore_init(&arrived, 0);
	bench_check(eio_ll_buffers_init(&shared, BUFFERS, LEN, 0), "buffers");
	bench_measure(values, BENCH_LEN(values), *(unsigned *) arg);
	return eio_ll_buffers_fini(&shared);
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures the receiving of messages.", 21, NULL);

	set_up_raw();
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	io_uring_queue_exit(&ring);
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("views_1_vs_raw", &values[VIEWS_1], &values[RAW_1]);
	bench_print_ratio("views_1_vs_recv", &values[VIEWS_1], &values[RECV_1]);
	bench_print_ratio("views_100_vs_raw", &values[VIEWS_MANY], &values[RAW_MANY]);
	bench_print_ratio("views_100_vs_recv", &values[VIEWS_MANY], &values[RECV_MANY]);
	return 0;
}
