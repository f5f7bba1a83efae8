/* SPDX-License-Identifier: ISC */
/*
 * Iterators of multishot operations, their calls cancelled at every moment. What came and was
 * not handed out is the next call's: no byte, connection, event or buffer is lost.
 */
#include "faults.h"
#include "sweep.h"
#include "uring/util.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct place {
	struct attempt a;
	struct eio_switch sw;
	struct eio_fd fd, peer;
	struct eio_addr addr;
	int client;
	struct eio_ll_buffers b;
	struct eio_ll_result queue[4];
	struct eio_ll_multi m;
	struct eio_ll_accepts accepts;
	struct eio_ll_polls polls;
	struct eio_ll_ticks ticks;
	struct eio_ll_views views;
};

/* What there is to come: a byte in a pipe or a socket, or a connection. */

static void put_byte(struct place *p)
{
	same(write(number(p->peer), "x", 1), 1);
}

static void pipe_end(struct place *p)
{
	pipe_on(&p->sw, &p->fd, &p->peer);
}

static void socket_end(struct place *p)
{
	pair_on(&p->sw, &p->fd, &p->peer);
	expect_ok(eio_ll_buffers_init(&p->b, 2, 100, 0));
}

static void pipe_and_buffers(struct place *p)
{
	pipe_end(p);
	expect_ok(eio_ll_buffers_init(&p->b, 2, 100, 0));
}

static void listener(struct place *p)
{
	p->fd = listen_on(&p->sw, "127.0.0.1:0", &p->addr);
}

static void knock(struct place *p)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&p->addr, &len);

	p->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	same(connect(p->client, sa, (socklen_t) len), 0);
}

/* Has it come, and nobody has taken it? */
static bool is_left(const struct place *p)
{
	return p->a.fired && p->a.rc < 0;
}

/* Any operation */

static int run_multi_begin(struct place *p)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_poll_multishot(&sqe, number(p->fd), POLLIN);
	return eio_ll_multi_begin(&p->m, &sqe, p->queue, 1, NULL, NULL);
}

static void multi_begun(struct place *p)
{
	pipe_end(p);
	expect_ok(run_multi_begin(p));
}

static int run_multi_next(struct place *p)
{
	unsigned flags;
	int res, rc = eio_ll_multi_next(&p->m, &res, &flags);

	if (rc == 1)
		same(res, POLLIN);
	return rc;
}

static int run_multi_end(struct place *p)
{
	return eio_ll_multi_end(&p->m);
}

static void end_multi_begun(struct place *p)
{
	expect_err(eio_ll_multi_end(&p->m), p->a.rc < 0 ? -EINVAL : 0);
}

static void multi_is_left(struct place *p)
{
	if (is_left(p))
		same(run_multi_next(p), 1);
	expect_ok(eio_ll_multi_end(&p->m));
}

static void multi_has_ended(struct place *p)
{
	expect_err(eio_ll_multi_end(&p->m), -EINVAL);
}

/* Connections */

static int run_accepts_begin(struct place *p)
{
	return eio_ll_accepts_begin(&p->accepts, p->fd);
}

static void accepts_begun(struct place *p)
{
	listener(p);
	expect_ok(run_accepts_begin(p));
}

static int run_accepts_next(struct place *p)
{
	return eio_ll_accepts_next(&p->accepts, &p->sw, &p->peer);
}

static int run_accepts_end(struct place *p)
{
	return eio_ll_accepts_end(&p->accepts);
}

static void end_accepts_begun(struct place *p)
{
	expect_err(eio_ll_accepts_end(&p->accepts), p->a.rc < 0 ? -EINVAL : 0);
}

static void connection_is_left(struct place *p)
{
	if (is_left(p))
		same(run_accepts_next(p), 1);
	expect_ok(eio_ll_accepts_end(&p->accepts));
}

static void accepts_have_ended(struct place *p)
{
	expect_err(eio_ll_accepts_end(&p->accepts), -EINVAL);
}

/* With an iterator on it the port is free all the same. */
static int run_close_listener(struct place *p)
{
	return eio_ll_close_listener(p->fd);
}

static void accepts_are_refused(struct place *p)
{
	expect_err(run_accepts_next(p), -EBADF);
	expect_ok(eio_ll_accepts_end(&p->accepts));
}

/* Readiness */

static int run_polls_begin(struct place *p)
{
	return eio_ll_polls_begin(&p->polls, p->fd, POLLIN);
}

static void polls_begun(struct place *p)
{
	pipe_end(p);
	expect_ok(run_polls_begin(p));
}

static int run_polls_next(struct place *p)
{
	unsigned events;
	int rc = eio_ll_polls_next(&p->polls, &events);

	if (rc == 1)
		same(events, POLLIN);
	return rc;
}

static int run_polls_end(struct place *p)
{
	return eio_ll_polls_end(&p->polls);
}

static void end_polls_begun(struct place *p)
{
	expect_err(eio_ll_polls_end(&p->polls), p->a.rc < 0 ? -EINVAL : 0);
}

static void event_is_left(struct place *p)
{
	if (is_left(p))
		same(run_polls_next(p), 1);
	expect_ok(eio_ll_polls_end(&p->polls));
}

static void polls_have_ended(struct place *p)
{
	expect_err(eio_ll_polls_end(&p->polls), -EINVAL);
}

/* Ticks */

static int run_ticks_begin(struct place *p)
{
	return eio_ll_ticks_begin(&p->ticks, EIO_SEC(1000));
}

static void ticks_begun(struct place *p)
{
	expect_ok(run_ticks_begin(p));
}

static int run_ticks_next(struct place *p)
{
	return eio_ll_ticks_next(&p->ticks);
}

static int run_ticks_end(struct place *p)
{
	return eio_ll_ticks_end(&p->ticks);
}

static void end_ticks_begun(struct place *p)
{
	expect_err(eio_ll_ticks_end(&p->ticks), p->a.rc < 0 ? -EINVAL : 0);
}

static void end_ticks(struct place *p)
{
	expect_ok(eio_ll_ticks_end(&p->ticks));
}

static void ticks_have_ended(struct place *p)
{
	expect_err(eio_ll_ticks_end(&p->ticks), -EINVAL);
}

/* Views */

static int run_views_recv(struct place *p)
{
	return eio_ll_views_recv(&p->views, p->fd, &p->b);
}

static int run_views_read(struct place *p)
{
	return eio_ll_views_read(&p->views, p->fd, &p->b);
}

static void recv_begun(struct place *p)
{
	socket_end(p);
	expect_ok(run_views_recv(p));
}

static void read_begun(struct place *p)
{
	pipe_and_buffers(p);
	expect_ok(run_views_read(p));
}

static int run_views_next(struct place *p)
{
	struct eio_ll_view view;
	int rc = eio_ll_views_next(&p->views, &view);

	if (rc == 1) {
		same(view.len, 1);
		same(*(char *) view.data, 'x');
		expect_ok(eio_ll_view_return(&p->b, view));
	}
	return rc;
}

static int run_views_end(struct place *p)
{
	return eio_ll_views_end(&p->views);
}

static void end_views_begun(struct place *p)
{
	expect_err(eio_ll_views_end(&p->views), p->a.rc < 0 ? -EINVAL : 0);
	expect_ok(eio_ll_buffers_fini(&p->b));
}

static void byte_is_left(struct place *p)
{
	if (is_left(p))
		same(run_views_next(p), 1);
	expect_ok(eio_ll_views_end(&p->views));
	expect_ok(eio_ll_buffers_fini(&p->b));
}

static int run_views_pause(struct place *p)
{
	return eio_ll_views_pause(&p->views);
}

static void byte_has_come(struct place *p)
{
	recv_begun(p);
	put_byte(p);
}

static void pause_is_over(struct place *p)
{
	same(run_views_next(p), 1);
	expect_ok(eio_ll_views_end(&p->views));
	expect_ok(eio_ll_buffers_fini(&p->b));
}

static int run_view_recv(struct place *p)
{
	struct eio_ll_view view;
	ssize_t n = eio_ll_view_recv(p->fd, &p->b, 100, &view);

	if (n > 0) {
		same(n, 1);
		same(*(char *) view.data, 'x');
		expect_ok(eio_ll_view_return(&p->b, view));
	}
	return (int) n;
}

/* In the socket, not in a buffer. */
static void byte_is_in_the_socket(struct place *p)
{
	same(readable_bytes(number(p->fd)), is_left(p));
	expect_ok(eio_ll_buffers_fini(&p->b));
}

static void views_have_ended(struct place *p)
{
	expect_err(eio_ll_views_end(&p->views), -EINVAL);
	expect_ok(eio_ll_buffers_fini(&p->b));
}

static const struct call calls[] = {
	{"eio_ll_multi_begin", QUICK, pipe_end, run_multi_begin, NULL, end_multi_begun},
	{"eio_ll_multi_next", WAITS, multi_begun, run_multi_next, put_byte, multi_is_left},
	{"eio_ll_multi_end", FIRM, multi_begun, run_multi_end, NULL, multi_has_ended},
	{"eio_ll_accepts_begin", QUICK, listener, run_accepts_begin, NULL, end_accepts_begun},
	{"eio_ll_accepts_next", WAITS, accepts_begun, run_accepts_next, knock, connection_is_left},
	{"eio_ll_accepts_end", FIRM, accepts_begun, run_accepts_end, NULL, accepts_have_ended},
	{"eio_ll_close_listener of an iterator", FIRM, accepts_begun, run_close_listener, NULL,
	 accepts_are_refused},
	{"eio_ll_polls_begin", QUICK, pipe_end, run_polls_begin, NULL, end_polls_begun},
	{"eio_ll_polls_next", WAITS, polls_begun, run_polls_next, put_byte, event_is_left},
	{"eio_ll_polls_end", FIRM, polls_begun, run_polls_end, NULL, polls_have_ended},
	{"eio_ll_ticks_begin", QUICK, NULL, run_ticks_begin, NULL, end_ticks_begun},
	{"eio_ll_ticks_next", STUCK, ticks_begun, run_ticks_next, NULL, end_ticks},
	{"eio_ll_ticks_end", FIRM, ticks_begun, run_ticks_end, NULL, ticks_have_ended},
	{"eio_ll_views_recv", QUICK, socket_end, run_views_recv, NULL, end_views_begun},
	{"eio_ll_views_read", QUICK, pipe_and_buffers, run_views_read, NULL, end_views_begun},
	{"eio_ll_views_next", WAITS, recv_begun, run_views_next, put_byte, byte_is_left},
	{"eio_ll_views_next by reading", WAITS, read_begun, run_views_next, put_byte, byte_is_left},
	{"eio_ll_views_pause", FIRM, byte_has_come, run_views_pause, NULL, pause_is_over},
	{"eio_ll_view_recv", WAITS, socket_end, run_view_recv, put_byte, byte_is_in_the_socket},
	{"eio_ll_views_end", FIRM, recv_begun, run_views_end, NULL, views_have_ended},
};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
}

static void end(struct place *p)
{
	if (p->client)
		close(p->client);
	expect_ok(eio_switch_end(&p->sw, 0));
}

static void step(void)
{
	expect_ok(eio_ll_noop());
}

static const struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, step};

static int sweep(void *arg)
{
	(void) arg;
	sweep_moments(&all);
	return 0;
}

static int sweep_within(void *arg)
{
	static const int64_t limits[] = {-1, 1, 20000, EIO_MS(1)};

	(void) arg;
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

START_TEST(nothing_is_lost_whenever_the_cancellation_comes)
{
	run_ring(sweep, 0);
	run_ring_with(&(struct eio_config){.queue_depth = 2}, sweep, 0);
}
END_TEST

START_TEST(nothing_is_lost_when_the_kernel_is_odd)
{
	struct faults odd = {.seed = 42, .eintr = 30, .ebusy = 20, .reorder = 100, .deaf = 128};

	faults_install(&odd);
	run_ring(sweep, 0);
	ck_assert_uint_gt(odd.deafened, 20);
	odd = (struct faults){.seed = 43, .transient = 60, .reorder = 100, .eintr_after = 20};
	run_ring(sweep, 0);
	ck_assert_uint_gt(odd.refused, 5);
}
END_TEST

START_TEST(nothing_is_lost_when_a_limit_expires)
{
	run_ring(sweep_within, 0);
}
END_TEST

SUITE_MAIN("multi_sweep", true, nothing_is_lost_whenever_the_cancellation_comes,
	   nothing_is_lost_when_the_kernel_is_odd, nothing_is_lost_when_a_limit_expires)
