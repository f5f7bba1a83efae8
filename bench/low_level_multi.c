/* SPDX-License-Identifier: ISC */
/*
 * Iterators: the next result of an operation that completes again and again, in both rings for
 * the whole time. What makes it complete is a system call in both ways. Two iterators of the
 * same descriptor would take each other's results, so each way has its own.
 */
#include "low_level.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Newer than liburing 2.3's header. */
enum { OP_READ_MULTISHOT = 49 };

enum { RECV_GROUP = 1, READ_GROUP, BUFFERS = 8 };

/* An iterator is begun when it is first asked for, so that none is there in vain. */
static bool has_begun(bool *begun)
{
	bool before = *begun;

	*begun = true;
	return before;
}

/* Connections */

static struct incoming {
	struct ll_fd listener;
	struct sockaddr_in where;
	bool begun;
} to_eio, to_raw;
static struct eio_ll_accepts accepts;

/* It goes away without a trace, so that ports do not run out. */
static int connect_to(const struct incoming *to)
{
	struct linger reset = {1, 0};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(client, (const struct sockaddr *) &to->where, sizeof(to->where)) < 0)
		bench_fail("connect: %s", strerror(errno));
	return client;
}

static int accept_next(void)
{
	struct eio_fd server;
	int client, rc;

	if (!has_begun(&to_eio.begun))
		bench_check(eio_ll_accepts_begin(&accepts, to_eio.listener.fd), "accepts_begin");
	client = connect_to(&to_eio);
	rc = eio_ll_accepts_next(&accepts, NULL, &server);
	close(client);
	return rc < 0 ? rc : eio_fd_close(server);
}

static int raw_accept_next(void)
{
	int client, rc;

	if (!has_begun(&to_raw.begun))
		io_uring_prep_multishot_accept(raw(), to_raw.listener.unix_fd, NULL, NULL,
					       SOCK_CLOEXEC);
	client = connect_to(&to_raw);
	rc = raw_wait();
	close(client);
	return rc < 0 ? rc : raw_close(rc);
}

/* Readiness, and the same as any operation */

static struct channel {
	struct ll_fd r, w;
	bool begun;
} poll_eio, multi_eio, poll_raw, read_eio, read_raw;
static struct eio_ll_polls polls;
static struct eio_ll_multi multi;
static struct eio_ll_result results[4];

static void fill(const struct channel *c)
{
	if (write(c->w.unix_fd, ll_buf, LL_LEN) != LL_LEN)
		bench_fail("write: %s", strerror(errno));
}

static int empty(const struct channel *c, int rc)
{
	return rc < 0 ? rc : by_errno(read(c->r.unix_fd, ll_buf, LL_LEN));
}

static int poll_next(void)
{
	unsigned events;

	if (!has_begun(&poll_eio.begun))
		bench_check(eio_ll_polls_begin(&polls, poll_eio.r.fd, POLLIN), "polls_begin");
	fill(&poll_eio);
	return empty(&poll_eio, eio_ll_polls_next(&polls, &events));
}

static int multi_next(void)
{
	struct io_uring_sqe sqe = {0};
	unsigned flags;
	int res;

	if (!has_begun(&multi_eio.begun)) {
		io_uring_prep_poll_multishot(&sqe, multi_eio.r.unix_fd, POLLIN);
		bench_check(
			eio_ll_multi_begin(&multi, &sqe, results, BENCH_LEN(results), NULL, NULL),
			"multi_begin");
	}
	fill(&multi_eio);
	return empty(&multi_eio, eio_ll_multi_next(&multi, &res, &flags));
}

static int raw_poll_next(void)
{
	if (!has_begun(&poll_raw.begun))
		io_uring_prep_poll_multishot(raw(), poll_raw.r.unix_fd, POLLIN);
	fill(&poll_raw);
	return empty(&poll_raw, raw_wait());
}

/* Into buffers of a group */

static struct ll_fd eio_pair[2], raw_pair[2];
static bool recv_begun, raw_recv_begun;
static struct eio_ll_buffers buffers;
static struct eio_ll_views receives, reads;
static struct raw_buffers raw_recv_buffers, raw_read_buffers;

static void send_to(const struct ll_fd ends[2])
{
	if (send(ends[1].unix_fd, ll_buf, LL_LEN, MSG_NOSIGNAL) != LL_LEN)
		bench_fail("send: %s", strerror(errno));
}

static int view_next(struct eio_ll_views *v)
{
	struct eio_ll_view view;
	int rc = eio_ll_views_next(v, &view);

	return rc < 0 ? rc : eio_ll_view_return(&buffers, view);
}

static int raw_view_next(struct raw_buffers *b)
{
	struct io_uring_cqe *cqe;
	int rc;

	bench_check(io_uring_submit_and_wait(&ll_ring, 1), "submit_and_wait");
	bench_check(io_uring_peek_cqe(&ll_ring, &cqe), "peek_cqe");
	rc = cqe->res;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		raw_buffers_add(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT, 0);
		io_uring_buf_ring_advance(b->ring, 1);
	}
	io_uring_cqe_seen(&ll_ring, cqe);
	return rc;
}

static int view_recv(void)
{
	if (!has_begun(&recv_begun))
		bench_check(eio_ll_views_recv(&receives, eio_pair[0].fd, &buffers), "views_recv");
	send_to(eio_pair);
	return view_next(&receives);
}

static int raw_view_recv(void)
{
	if (!has_begun(&raw_recv_begun)) {
		struct io_uring_sqe *sqe = raw();

		io_uring_prep_recv_multishot(sqe, raw_pair[0].unix_fd, NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = RECV_GROUP;
	}
	send_to(raw_pair);
	return raw_view_next(&raw_recv_buffers);
}

static int view_read(void)
{
	if (!has_begun(&read_eio.begun))
		bench_check(eio_ll_views_read(&reads, read_eio.r.fd, &buffers), "views_read");
	fill(&read_eio);
	return view_next(&reads);
}

static int raw_view_read(void)
{
	if (!has_begun(&read_raw.begun)) {
		struct io_uring_sqe *sqe = raw();

		io_uring_prep_rw(OP_READ_MULTISHOT, sqe, read_raw.r.unix_fd, NULL, 0,
				 (uint64_t) -1);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = READ_GROUP;
	}
	fill(&read_raw);
	return raw_view_next(&raw_read_buffers);
}

static void make_channel(struct channel *c)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe: %s", strerror(errno));
	c->r = ll_track(ends[0]);
	c->w = ll_track(ends[1]);
}

static void set_up(void)
{
	struct channel *channels[] = {&poll_eio, &multi_eio, &poll_raw, &read_eio, &read_raw};

	for (size_t i = 0; i < BENCH_LEN(channels); i++)
		make_channel(channels[i]);
	to_eio.listener = ll_listener(&to_eio.where);
	to_raw.listener = ll_listener(&to_raw.where);
	ll_socketpair(eio_pair);
	ll_socketpair(raw_pair);
	bench_check(eio_ll_buffers_init(&buffers, BUFFERS, LL_LEN, 0), "buffers_init");
	raw_buffers_init(&raw_recv_buffers, &ll_ring, BUFFERS, LL_LEN, RECV_GROUP);
	raw_buffers_init(&raw_read_buffers, &ll_ring, BUFFERS, LL_LEN, READ_GROUP);
}

static void clean_up(void)
{
	if (to_eio.begun)
		eio_ll_accepts_end(&accepts);
	if (poll_eio.begun)
		eio_ll_polls_end(&polls);
	if (multi_eio.begun)
		eio_ll_multi_end(&multi);
	if (recv_begun)
		eio_ll_views_end(&receives);
	if (read_eio.begun)
		eio_ll_views_end(&reads);
	eio_ll_buffers_fini(&buffers);
}

static const struct ll_call calls[] = {
	{"accepts_next", accept_next, raw_accept_next, 2, LL_SLOW},
	{"polls_next", poll_next, raw_poll_next, 1, LL_QUICK},
	{"multi_next", multi_next, raw_poll_next, 1, LL_QUICK},
	{"views_recv", view_recv, raw_view_recv, 2, LL_QUICK},
	{"views_read", view_read, raw_view_read, 2, LL_QUICK},
};

const struct ll_area ll_multi = {set_up, clean_up, calls, BENCH_LEN(calls)};
