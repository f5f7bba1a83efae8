/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 253, LARGE = 1000000 };

static void pair(struct eio_switch *sw, struct eio_flow *a, struct eio_flow *b)
{
	expect_ok(eio_net_socketpair(sw, a, b));
}

/* Pairs */

RING_TEST(a_pair_is_two_connections_to_each_other)
{
	unsigned fds = count_fds();
	struct eio_flow a, b;
	struct eio_switch sw;
	char text[8] = "";

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	ck_assert_int_ne(fcntl(flow_number(a), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(flow_number(b), F_GETFD) & FD_CLOEXEC, 0);
	expect_ok(eio_flow_copy_string(a, "ping"));
	expect_ok(eio_flow_read_exact(b, text, 4));
	ck_assert_str_eq(text, "ping");
	expect_ok(eio_flow_copy_string(b, "pong"));
	expect_ok(eio_flow_shutdown(b, EIO_SHUT_SEND));
	expect_ok(eio_flow_read_exact(a, text, 4));
	ck_assert_str_eq(text, "pong");
	expect_ok(eio_flow_read(a, text, 1));
	expect_ok(eio_flow_close(b));
	expect_err(eio_flow_write(a, "x", 1), -EPIPE);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_flow_close(a), -EBADF);
	ck_assert_uint_eq(count_fds(), fds);

	pair(NULL, &a, &b);
	ck_assert_uint_eq(count_fds(), fds + 2);
	expect_ok(eio_flow_close(a));
	return eio_flow_close(b);
}

RING_TEST(a_pair_that_cannot_be_made_leaves_nothing)
{
	unsigned fds = count_fds();
	struct eio_flow a, b;
	struct eio_switch off;

	(void) arg;
	limit_fds(1);
	expect_err(eio_net_socketpair(NULL, &a, &b), -EMFILE);
	lift_fd_limit();
	eio_switch_begin(&off);
	expect_ok(eio_switch_fail(&off, -EIO));
	expect_err(eio_net_socketpair(&off, &a, &b), -ECANCELED);
	expect_err(eio_switch_end(&off, 0), -EIO);
	expect_err(eio_net_socketpair(&off, &a, &b), -EINVAL);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Descriptors */

RING_TEST(descriptors_are_passed_with_bytes_and_belong_to_the_switch)
{
	struct eio_switch sw, inner;
	struct eio_flow a, b, r, w;
	struct eio_fd own[2], came[4];
	unsigned fds, n = 9;
	char buf[16];

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	flow_pipe(&sw, &r, &w);
	expect_ok(eio_flow_fd(w, &own[0]));
	own[1] = file_on(&sw);
	fds = count_fds();
	eio_switch_begin(&inner);
	expect_ok(eio_net_send_fds(a, "two", 3, own, 2));
	expect_err(eio_net_recv_fds(b, &inner, buf, sizeof(buf), came, 4, &n), 3);
	ck_assert_mem_eq(buf, "two", 3);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(count_fds(), fds + 2);
	ck_assert_int_eq(fcntl(number(came[0]), F_GETFD), FD_CLOEXEC);
	/* It is the pipe, whoever holds it, and the sender's is still open. */
	expect_ok(eio_flow_write(eio_flow_of_fd(came[0]), "by it", 5));
	expect_ok(eio_flow_read_exact(r, buf, 5));
	ck_assert_mem_eq(buf, "by it", 5);
	ck_assert(eio_fd_is_open(own[0]));
	expect_err(eio_fd_is_seekable(came[1]), 1);
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert(!eio_fd_is_open(came[0]) && !eio_fd_is_open(came[1]));
	ck_assert_uint_eq(count_fds(), fds);

	/* Without a switch it is the caller's. */
	expect_ok(eio_net_send_fds(b, "x", 1, own, 1));
	expect_err(eio_net_recv_fds(a, NULL, buf, 1, came, 1, &n), 1);
	ck_assert_uint_eq(count_fds(), fds + 1);
	expect_ok(eio_fd_close(came[0]));

	/* None need be passed, and none come at the end. */
	expect_ok(eio_net_send_fds(a, "x", 1, NULL, 0));
	expect_err(eio_net_recv_fds(b, NULL, buf, 1, NULL, 0, &n), 1);
	ck_assert_uint_eq(n, 0);
	n = 9;
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_SEND));
	expect_ok(eio_net_recv_fds(b, NULL, buf, 1, NULL, 0, &n));
	ck_assert_uint_eq(n, 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(what_follows_descriptors_is_not_read_with_them)
{
	struct eio_fd own, came[2];
	struct eio_flow a, b;
	struct eio_switch sw;
	char buf[16];
	unsigned n;

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	own = file_on(&sw);
	expect_ok(eio_flow_copy_string(a, "before"));
	expect_ok(eio_net_send_fds(a, "one", 3, &own, 1));
	expect_ok(eio_net_send_fds(a, "two", 3, &own, 1));
	expect_ok(eio_flow_copy_string(a, "after"));
	expect_err(eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, 2, &n), 9);
	ck_assert_mem_eq(buf, "beforeone", 9);
	ck_assert_uint_eq(n, 1);
	expect_err(eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, 2, &n), 3);
	ck_assert_mem_eq(buf, "two", 3);
	ck_assert_uint_eq(n, 1);
	expect_err(eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, 2, &n), 5);
	ck_assert_uint_eq(n, 0);
	return eio_switch_end(&sw, 0);
}

struct sending {
	struct eio_flow f;
	struct eio_fd fds[3];
	char *data;
	struct eio_cancel ctx;
	uint64_t done;
	int rc;
	bool over;
};

static int send_large(void *arg)
{
	struct sending *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = eio_net_send_fds(s->f, s->data, LARGE, s->fds, 3);
	s->done = eio_last_error()->done;
	if (s->rc == -ECANCELED) {
		expect_err(eio_net_send_fds(s->f, s->data, LARGE, s->fds, 3), -ECANCELED);
		ck_assert_uint_eq(eio_last_error()->done, 0);
	}
	eio_cancel_end(&s->ctx);
	s->over = true;
	return 0;
}

static void start_large(struct eio_switch *sw, struct sending *s, struct eio_flow f)
{
	*s = (struct sending){.f = f, .data = malloc(LARGE)};
	fill(s->data, LARGE, 0);
	for (int i = 0; i < 3; i++)
		s->fds[i] = file_on(sw);
	expect_ok(eio_fork(sw, send_large, s));
}

/* Reads @p len bytes in pieces; how many descriptors came with them. */
static unsigned receive_pattern(struct eio_switch *sw, struct eio_flow f, size_t len)
{
	unsigned total = 0, n;
	struct eio_fd came[4];
	char buf[5000];

	for (size_t done = 0; done < len;) {
		size_t want = len - done < sizeof(buf) ? len - done : sizeof(buf);
		ssize_t got = eio_net_recv_fds(f, sw, buf, want, came, 4, &n);

		ck_assert_int_gt(got, 0);
		ck_assert(is_filled(buf, (size_t) got, done));
		ck_assert(n == 0 || done == 0);
		total += n;
		done += (size_t) got;
	}
	return total;
}

RING_TEST(many_bytes_are_all_written_and_descriptors_go_with_the_first)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	struct sending s;

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	start_large(&sw, &s, a);
	trips(3);
	ck_assert(!s.over);
	ck_assert_uint_eq(receive_pattern(&sw, b, LARGE), 3);
	wait_until(s.over);
	expect_ok(s.rc);
	free(s.data);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_send_that_is_cancelled_midway_tells_what_went)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	struct sending s;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	start_large(&sw, &s, a);
	trips(3);
	expect_ok(eio_cancel_raise(&s.ctx, -EIO));
	wait_until(s.over);
	expect_err(s.rc, -ECANCELED);
	ck_assert_uint_gt(s.done, 0);
	ck_assert_uint_lt(s.done, LARGE);
	ck_assert_uint_eq(receive_pattern(&sw, b, s.done), 3);
	ck_assert_int_eq(recv(flow_number(b), &c, 1, MSG_DONTWAIT), -1);
	free(s.data);
	return eio_switch_end(&sw, 0);
}

RING_TEST(more_descriptors_than_there_is_room_for_are_all_closed)
{
	static struct eio_fd own[FDS_MAX + 1], came[FDS_MAX];
	static const unsigned sent[] = {5, 1, FDS_MAX}, room[] = {2, 0, FDS_MAX - 1};
	struct eio_flow a, b;
	struct eio_switch sw;
	unsigned fds, n = 9;
	char buf[8];

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	own[0] = file_on(&sw);
	for (unsigned i = 1; i <= FDS_MAX; i++)
		own[i] = own[0];
	fds = count_fds();
	for (size_t i = 0; i < COUNT(sent); i++) {
		expect_ok(eio_net_send_fds(a, "abc", 3, own, sent[i]));
		expect_err(eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, room[i], &n),
			   -EMSGSIZE);
		ck_assert_uint_eq(eio_last_error()->done, 3);
		ck_assert_mem_eq(buf, "abc", 3);
		ck_assert_uint_eq(count_fds(), fds);
		ck_assert_uint_eq(n, 9);
	}
	/* The connection is as good as before. */
	expect_ok(eio_net_send_fds(a, "all", 3, own, FDS_MAX));
	expect_err(eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, FDS_MAX, &n), 3);
	ck_assert_uint_eq(n, FDS_MAX);
	ck_assert_uint_eq(count_fds(), fds + FDS_MAX);
	expect_err(eio_net_send_fds(a, "x", 1, own, FDS_MAX + 1), -EINVAL);
	ck_assert_int_eq(recv(flow_number(b), buf, 1, MSG_DONTWAIT), -1);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_process_without_room_for_all_descriptors_gets_none)
{
	struct eio_fd own[3], came[3];
	struct eio_flow a, b;
	struct eio_switch sw;
	unsigned fds, n;
	char buf[8];
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	own[0] = own[1] = own[2] = file_on(&sw);
	fds = count_fds();
	for (unsigned room = 0; room < 3; room++) {
		expect_ok(eio_net_send_fds(a, "abc", 3, own, 3));
		limit_fds(room);
		rc = (int) eio_net_recv_fds(b, &sw, buf, sizeof(buf), came, 3, &n);
		lift_fd_limit();
		expect_err(rc, -EMFILE);
		ck_assert_uint_eq(eio_last_error()->done, 3);
		ck_assert_uint_eq(count_fds(), fds);
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(descriptors_are_passed_by_unix_connections_only)
{
	struct eio_flow a, b, r, w;
	struct eio_fd own[2], came;
	struct eio_switch sw;
	unsigned n = 9;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	own[0] = file_on(&sw);
	own[1] = file_on(&sw);
	flow_tcp(&sw, &a, &b);
	expect_err(eio_net_send_fds(a, "x", 1, own, 1), -EOPNOTSUPP);
	ck_assert_int_eq(recv(flow_number(b), &c, 1, MSG_DONTWAIT), -1);
	flow_pipe(&sw, &r, &w);
	expect_err(eio_net_send_fds(w, "x", 1, own, 1), -ENOTSOCK);
	expect_err(eio_net_recv_fds(r, &sw, &c, 1, &came, 1, &n), -ENOTSOCK);
	expect_err(eio_net_send_fds(eio_null(), "x", 1, own, 1), -ENOTSUP);
	expect_err(eio_net_recv_fds(eio_null(), &sw, &c, 1, &came, 1, &n), -ENOTSUP);

	pair(&sw, &a, &b);
	expect_err(eio_net_send_fds(a, "", 0, own, 1), -EINVAL);
	expect_err(eio_net_recv_fds(b, &sw, &c, 0, &came, 1, &n), -EINVAL);
	expect_ok(eio_fd_close(own[1]));
	expect_err(eio_net_send_fds(a, "x", 1, own, 2), -EBADF);
	ck_assert_int_eq(recv(flow_number(b), &c, 1, MSG_DONTWAIT), -1);
	expect_ok(eio_flow_close(b));
	expect_err(eio_net_send_fds(a, "x", 1, own, 1), -EPIPE);
	expect_ok(eio_flow_close(a));
	expect_err(eio_net_send_fds(a, "x", 1, own, 1), -EBADF);
	expect_err(eio_net_recv_fds(a, &sw, &c, 1, &came, 1, &n), -EBADF);
	ck_assert_uint_eq(n, 9);
	return eio_switch_end(&sw, 0);
}

RING_TEST(nothing_is_taken_for_a_switch_that_is_off)
{
	struct eio_switch sw, off;
	struct eio_fd own, came;
	struct eio_flow a, b;
	unsigned n;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	pair(&sw, &a, &b);
	own = file_on(&sw);
	expect_ok(eio_net_send_fds(a, "x", 1, &own, 1));
	eio_switch_begin(&off);
	expect_ok(eio_switch_end(&off, 0));
	expect_err(eio_net_recv_fds(b, &off, &c, 1, &came, 1, &n), -EINVAL);
	expect_err(eio_net_recv_fds(b, &sw, &c, 1, &came, 1, &n), 1);
	ck_assert_uint_eq(n, 1);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("unix", true, a_pair_is_two_connections_to_each_other_test,
	   a_pair_that_cannot_be_made_leaves_nothing_test,
	   descriptors_are_passed_with_bytes_and_belong_to_the_switch_test,
	   what_follows_descriptors_is_not_read_with_them_test,
	   many_bytes_are_all_written_and_descriptors_go_with_the_first_test,
	   a_send_that_is_cancelled_midway_tells_what_went_test,
	   more_descriptors_than_there_is_room_for_are_all_closed_test,
	   a_process_without_room_for_all_descriptors_gets_none_test,
	   descriptors_are_passed_by_unix_connections_only_test,
	   nothing_is_taken_for_a_switch_that_is_off_test)
