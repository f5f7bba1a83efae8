/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 253 };

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* Linux 6.5 */
#endif

static struct faults faults;

static void pair_of(struct eio_switch *sw, int type, struct eio_fd *a, struct eio_fd *z)
{
	expect_ok(eio_ll_socketpair(sw, AF_UNIX, type, 0, a, z));
}

static ssize_t send_text(struct eio_fd fd, const char *text, const struct eio_fd *fds, unsigned n)
{
	struct iovec iov = {(char *) text, strlen(text)};

	return eio_ll_send_msg(fd, NULL, &iov, 1, fds, n, 0);
}

static ssize_t recv_fds(struct eio_switch *sw, struct eio_fd fd, char *buf, size_t size,
			struct eio_fd *ret_fds, unsigned max, struct eio_ll_received *ret)
{
	struct iovec iov = {buf, size};

	return eio_ll_recv_msg_with_fds(sw, fd, &iov, 1, 0, ret_fds, max, ret);
}

/* Bytes and addresses */

RING_TEST(a_message_is_gathered_and_scattered)
{
	struct eio_ll_received got;
	struct eio_switch sw;
	struct eio_fd a, z;
	char first[4], second[16];
	const struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdefg", 5}};
	const struct iovec in[2] = {{first, 4}, {second, 16}};

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_SEQPACKET, &a, &z);
	expect_err(eio_ll_send_msg(a, NULL, out, 3, NULL, 0, 0), 7);
	memset(&got, 0xff, sizeof(got));
	expect_err(eio_ll_recv_msg(z, in, 2, 0, &got), 7);
	ck_assert_mem_eq(first, "abcd", 4);
	ck_assert_mem_eq(second, "efg", 3);
	ck_assert_uint_eq(got.n_fds, 0);
	ck_assert_uint_eq(got.peer.len, 0);
	ck_assert_int_eq(got.flags & (MSG_TRUNC | MSG_CTRUNC), 0);
	/* The rest of one that is too long is gone, and that is told. */
	expect_err(eio_ll_send_msg(a, NULL, out, 3, NULL, 0, 0), 7);
	expect_err(eio_ll_recv_msg(z, in, 1, 0, &got), 4);
	ck_assert_int_eq(got.flags & MSG_TRUNC, MSG_TRUNC);
	expect_err(eio_ll_recv_msg(z, in, 1, MSG_DONTWAIT, &got), -EAGAIN);
	/* Nobody need be told anything. */
	expect_err(send_text(a, "x", NULL, 0), 1);
	expect_err(eio_ll_recv_msg(z, in, 1, 0, NULL), 1);
	expect_ok(eio_fd_close(a));
	expect_ok(eio_ll_recv_msg(z, in, 1, 0, &got));
	return eio_switch_end(&sw, 0);
}

RING_TEST(datagrams_go_to_an_address_and_come_from_one)
{
	char at[64], b[8];
	const char *const all[] = {"127.0.0.1:0", "[::1]:0", at};
	struct iovec iov = {b, sizeof(b)};
	struct eio_ll_received got;
	struct eio_addr here, there;
	struct eio_switch sw;
	struct eio_fd a, z;
	size_t len;

	(void) arg;
	for (unsigned i = 0; i < 3; i++) {
		int family;

		eio_switch_begin(&sw);
		snprintf(at, sizeof(at), "unix:@eio-msg-%d", (int) getpid());
		expect_ok(eio_addr_parse(&here, all[i]));
		family = eio_addr_sockaddr(&here, &len)->sa_family;
		expect_ok(eio_ll_socket(&sw, family, SOCK_DGRAM, 0, &a));
		expect_ok(eio_ll_socket(&sw, family, SOCK_DGRAM, 0, &z));
		expect_ok(eio_ll_bind(a, &here));
		snprintf(at, sizeof(at), "unix:@eio-msg-%d-z", (int) getpid());
		expect_ok(eio_addr_parse(&there, all[i]));
		expect_ok(eio_ll_bind(z, &there));
		expect_ok(eio_ll_getsockname(a, &here));
		expect_ok(eio_ll_getsockname(z, &there));
		expect_err(eio_ll_send_msg(a, &there, &(struct iovec){"hello", 5}, 1, NULL, 0, 0),
			   5);
		memset(&got, 0xff, sizeof(got));
		expect_err(eio_ll_recv_msg(z, &iov, 1, 0, &got), 5);
		ck_assert_uint_eq(got.peer.len, here.len);
		ck_assert_uint_eq(got.peer.reserved, 0);
		ck_assert(eio_addr_equal(&got.peer, &here));
		/* An answer, by the address it came from. */
		expect_err(eio_ll_send_msg(z, &got.peer, &(struct iovec){"you", 3}, 1, NULL, 0, 0),
			   3);
		expect_err(recv_fds(&sw, a, b, sizeof(b), NULL, 0, &got), 3);
		ck_assert(eio_addr_equal(&got.peer, &there));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_failed_message_names_its_address)
{
	struct iovec iov = {"x", 1};
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd a;
	char text[128];

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_socket(&sw, AF_UNIX, SOCK_DGRAM, 0, &a));
	expect_ok(eio_addr_parse(&addr, "unix:/tmp/eio-nobody"));
	expect_err(eio_ll_send_msg(a, &addr, &iov, 1, NULL, 0, 0), -ENOENT);
	eio_error_format(-ENOENT, text, sizeof(text));
	ck_assert_str_eq(text, "send_msg unix:/tmp/eio-nobody: No such file or directory");
	expect_err(eio_ll_send_msg(a, NULL, &iov, 1, NULL, 0, 0), -ENOTCONN);
	expect_ok(eio_fd_close(a));
	expect_err(eio_ll_send_msg(a, &addr, &iov, 1, NULL, 0, 0), -EBADF);
	expect_err(eio_ll_recv_msg(a, &iov, 1, 0, NULL), -EBADF);
	expect_err(recv_fds(&sw, a, text, 1, NULL, 0, NULL), -EBADF);
	ck_assert_str_eq(eio_last_error()->op, "recv_msg");
	return eio_switch_end(&sw, 0);
}

/* A message cannot be cut, a place for one can. */
RING_TEST(vectors_longer_than_IOV_MAX_are_refused_or_used_in_part)
{
	static struct iovec iov[IOV_MAX + 2];
	static char bytes[IOV_MAX + 2];
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	for (int i = 0; i < IOV_MAX + 2; i++)
		iov[i] = (struct iovec){&bytes[i], 1};
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	expect_err(eio_ll_send_msg(a, NULL, iov, IOV_MAX + 1, NULL, 0, 0), -EMSGSIZE);
	expect_err(eio_ll_send_msg(a, NULL, iov, -1, NULL, 0, 0), -EMSGSIZE);
	fill(bytes, sizeof(bytes), 1);
	expect_err(eio_ll_send_msg(a, NULL, iov, IOV_MAX, NULL, 0, 0), IOV_MAX);
	expect_err(eio_ll_send_msg(a, NULL, iov + IOV_MAX, 2, NULL, 0, 0), 2);
	memset(bytes, 0, sizeof(bytes));
	expect_err(eio_ll_recv_msg(z, iov, IOV_MAX + 2, 0, NULL), IOV_MAX);
	ck_assert(is_filled(bytes, IOV_MAX, 1));
	ck_assert_int_eq(readable_bytes(number(z)), 2);
	expect_ok(eio_ll_recv_msg(z, iov, -1, 0, NULL));
	return eio_switch_end(&sw, 0);
}

RING_TEST(MSG_DONTWAIT_answers_at_once)
{
	struct iovec iov = {(char[16]){0}, 16};
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	expect_err(eio_ll_recv_msg(z, &iov, 1, MSG_DONTWAIT, NULL), -EAGAIN);
	expect_err(eio_ll_recv_msg_with_fds(&sw, z, &iov, 1, MSG_DONTWAIT, NULL, 0, NULL), -EAGAIN);
	write_until_full(number(a));
	expect_err(eio_ll_send_msg(a, NULL, &iov, 1, NULL, 0, MSG_DONTWAIT), -EAGAIN);
	expect_err(eio_ll_send_msg(a, NULL, &iov, 1, &z, 1, MSG_DONTWAIT), -EAGAIN);
	return eio_switch_end(&sw, 0);
}

static int message_to_nobody(void *arg)
{
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	expect_ok(eio_fd_close(z));
	expect_err(send_text(a, "x", NULL, 0), -EPIPE);
	return eio_switch_end(&sw, 0);
}

START_TEST(messages_raise_no_SIGPIPE)
{
	signal(SIGPIPE, SIG_DFL);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, message_to_nobody, 0);
}
END_TEST

/* Interrupted, and as with kernels that heed O_NONBLOCK. */
static int interrupted(void *arg)
{
	const int codes[] = {-EINTR, -EAGAIN};
	struct eio_ll_received got;
	struct eio_fd a, z, w, fds[2];
	struct eio_switch sw;
	char b[8];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	w = file_on(&sw);
	for (unsigned i = 0; i < 4; i++) {
		faults.refuse.nth = 1;
		faults.refuse.opcode = i < 2 ? IORING_OP_SENDMSG : IORING_OP_RECVMSG;
		faults.refuse.err = codes[i % 2];
		expect_err(send_text(a, "ab", &w, 1), 2);
		expect_err(recv_fds(&sw, z, b, sizeof(b), fds, 2, &got), 2);
		ck_assert_uint_eq(got.n_fds, 1);
		ck_assert_uint_eq(faults.refused, i + 1);
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(interrupted_messages_go_on)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(interrupted, 0);
}
END_TEST

/* Descriptors */

RING_TEST(descriptors_arrive_as_handles_of_the_switch)
{
	struct eio_ll_received got = {.flags = 0};
	struct eio_switch sw, inner;
	struct eio_fd a, z, own[2], r, fds[3] = {0};
	unsigned before;
	char b[16];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	pipe_on(&sw, &r, &own[0]);
	own[1] = file_on(&sw);
	before = count_fds();
	eio_switch_begin(&inner);
	expect_err(send_text(a, "two", own, 2), 3);
	expect_err(recv_fds(&inner, z, b, sizeof(b), fds, 3, &got), 3);
	ck_assert_uint_eq(got.n_fds, 2);
	ck_assert_int_eq(got.flags & (MSG_CTRUNC | MSG_CMSG_CLOEXEC), 0);
	ck_assert(!eio_fd_is_open(fds[2]));
	ck_assert_uint_eq(count_fds(), before + 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ne(number(fds[i]), number(own[i]));
		ck_assert_int_eq(fcntl(number(fds[i]), F_GETFD), FD_CLOEXEC);
	}
	/* In order, and each what it was: one has a position, the other has none. */
	expect_ok(eio_fd_is_seekable(fds[0]));
	expect_err(eio_fd_is_seekable(fds[1]), 1);
	expect_ok(eio_ll_write_all(fds[0], "through", 7, EIO_CURRENT));
	expect_err(eio_ll_read(r, b, sizeof(b), EIO_CURRENT), 7);
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert(!eio_fd_is_open(fds[0]));
	ck_assert_uint_eq(count_fds(), before);
	/* On no switch they are the caller's. */
	expect_err(send_text(a, "one", own, 1), 3);
	expect_err(recv_fds(NULL, z, b, sizeof(b), fds, 1, NULL), 3);
	ck_assert_uint_eq(count_fds(), before + 1);
	expect_ok(eio_fd_close(fds[0]));
	return eio_switch_end(&sw, 0);
}

RING_TEST(descriptors_above_what_is_asked_for_are_closed)
{
	static struct eio_fd own[FDS_MAX + 1], fds[FDS_MAX + 1];
	const unsigned sent[] = {5, 5, 2, 40, FDS_MAX, FDS_MAX, FDS_MAX, 1};
	const unsigned max[] = {2, 0, 3, 1, FDS_MAX, 100, FDS_MAX + 1, 1};
	struct eio_ll_received got;
	struct eio_switch sw, inner;
	struct eio_fd a, z;
	unsigned before;
	char b[2];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	own[0] = file_on(&sw);
	for (unsigned i = 1; i <= FDS_MAX; i++)
		own[i] = own[0];
	before = count_fds();
	for (unsigned i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		unsigned n = sent[i] < max[i] ? sent[i] : max[i];

		eio_switch_begin(&inner);
		expect_err(send_text(a, "x", own, sent[i]), 1);
		expect_err(recv_fds(&inner, z, b, 1, fds, max[i], &got), 1);
		ck_assert_uint_eq(got.n_fds, n);
		ck_assert_int_eq(!!(got.flags & MSG_CTRUNC), sent[i] > max[i]);
		ck_assert_uint_eq(count_fds(), before + n);
		expect_ok(eio_switch_end(&inner, 0));
		ck_assert_uint_eq(count_fds(), before);
	}
	/* A receive that does not ask for any. */
	expect_err(send_text(a, "x", own, 3), 1);
	expect_err(eio_ll_recv_msg(z, &(struct iovec){b, 1}, 1, 0, &got), 1);
	ck_assert_int_eq(got.flags & MSG_CTRUNC, MSG_CTRUNC);
	ck_assert_uint_eq(count_fds(), before);
	expect_err(send_text(a, "x", own, FDS_MAX + 1), -EINVAL);
	expect_err(send_text(a, "x", own, UINT_MAX), -EINVAL);
	expect_err(eio_ll_recv_msg(z, &(struct iovec){b, 1}, 1, MSG_DONTWAIT, NULL), -EAGAIN);
	return eio_switch_end(&sw, 0);
}

/* Other control data come first and do not push them out; nor is the descriptor that may be
 * among them leaked. */
RING_TEST(credentials_leave_room_for_descriptors)
{
	const int options[] = {SO_PASSCRED, SO_TIMESTAMP, SO_PASSPIDFD};
	const int on = 1;
	struct eio_ll_received got;
	struct eio_switch sw, inner;
	struct eio_fd a, z, own, fds[4];
	unsigned before;
	char b[2];
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_DGRAM, &a, &z);
	own = file_on(&sw);
	before = count_fds();
	for (unsigned i = 0; i < 3; i++) {
		rc = eio_ll_setsockopt(z, SOL_SOCKET, options[i], &on, sizeof(on));
		ck_assert(rc == 0 || (options[i] == SO_PASSPIDFD && rc == -ENOPROTOOPT));
		eio_switch_begin(&inner);
		expect_err(send_text(a, "x", &own, 1), 1);
		expect_err(recv_fds(&inner, z, b, 1, fds, 4, &got), 1);
		ck_assert_uint_eq(got.n_fds, 1);
		ck_assert_int_eq(got.flags & MSG_CTRUNC, 0);
		expect_err(eio_fd_is_seekable(fds[0]), 1);
		expect_ok(eio_switch_end(&inner, 0));
		ck_assert_uint_eq(count_fds(), before);
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(when_the_process_has_no_descriptors_left_fewer_come)
{
	struct eio_fd a, z, own[3], fds[3];
	struct eio_ll_received got;
	struct eio_switch sw, inner;
	unsigned before;
	char b[2];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	own[0] = own[1] = own[2] = file_on(&sw);
	before = count_fds();
	eio_switch_begin(&inner);
	expect_err(send_text(a, "x", own, 3), 1);
	limit_fds(1);
	expect_err(recv_fds(&inner, z, b, 1, fds, 3, &got), 1);
	lift_fd_limit();
	ck_assert_uint_eq(got.n_fds, 1);
	ck_assert_int_eq(got.flags & MSG_CTRUNC, MSG_CTRUNC);
	ck_assert_uint_eq(count_fds(), before + 1);
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert_uint_eq(count_fds(), before);
	return eio_switch_end(&sw, 0);
}

/* Closed while the message waits for room: sent all the same, and closed after that. */
struct sender {
	struct eio_fd fd, passed[2];
	ssize_t rc;
};

static int send_passed(void *arg)
{
	struct sender *s = arg;

	s->rc = send_text(s->fd, "x", s->passed, 2);
	note("sent");
	return 0;
}

RING_TEST(descriptors_are_pinned_until_the_message_has_gone)
{
	struct eio_switch sw, inner;
	struct eio_fd z, r, fds[2];
	struct eio_ll_received got;
	struct sender s;
	int unix_fds[2];
	size_t full;
	char b[1];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &s.fd, &z);
	pipe_on(&sw, &r, &s.passed[0]);
	s.passed[1] = file_on(&sw);
	for (int i = 0; i < 2; i++)
		unix_fds[i] = number(s.passed[i]);
	full = write_until_full(number(s.fd));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, send_passed, &s));
	expect_ok(eio_ll_noop());
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_fd_close(s.passed[i]));
		ck_assert(is_open(unix_fds[i]));
	}
	note("read");
	read_off(number(z), full);
	expect_ok(eio_switch_end(&inner, 0));
	expect_err(s.rc, 1);
	expect_log("read sent");
	for (int i = 0; i < 2; i++)
		ck_assert(!is_open(unix_fds[i]));
	expect_err(recv_fds(&sw, z, b, 1, fds, 2, &got), 1);
	ck_assert_uint_eq(got.n_fds, 2);
	expect_ok(eio_ll_write_all(fds[0], "y", 1, EIO_CURRENT));
	ck_assert_int_eq(readable_bytes(number(r)), 1);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_closed_descriptor_is_not_sent_and_the_others_are_let_go)
{
	struct eio_fd a, z, own[3];
	struct eio_switch sw;
	int unix_fd;
	char b[1];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	for (int i = 0; i < 3; i++)
		own[i] = file_on(&sw);
	expect_ok(eio_fd_close(own[1]));
	expect_err(send_text(a, "x", own, 3), -EBADF);
	expect_err(eio_ll_recv_msg(z, &(struct iovec){b, 1}, 1, MSG_DONTWAIT, NULL), -EAGAIN);
	for (int i = 0; i < 3; i += 2) {
		unix_fd = number(own[i]);
		expect_ok(eio_fd_close(own[i]));
		ck_assert(!is_open(unix_fd));
	}
	/* Nor are they kept by a send that fails. */
	own[0] = file_on(&sw);
	expect_ok(eio_fd_close(z));
	expect_err(send_text(a, "x", own, 1), -EPIPE);
	unix_fd = number(own[0]);
	expect_ok(eio_fd_close(own[0]));
	ck_assert(!is_open(unix_fd));
	return eio_switch_end(&sw, 0);
}

struct receiver {
	struct eio_fd fd;
	struct eio_switch *sw;
	ssize_t rc;
};

static int receive(void *arg)
{
	struct receiver *r = arg;
	struct eio_fd fds[4];
	char b[1];

	r->rc = recv_fds(r->sw, r->fd, b, 1, fds, 4, NULL);
	note("%s", eio_err_name((int) r->rc));
	return 0;
}

RING_TEST(descriptors_for_a_finished_switch_are_closed)
{
	struct eio_switch sw, inner, gone;
	struct receiver r = {.sw = &gone};
	struct eio_fd a, own[4];
	unsigned before;

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &r.fd);
	for (int i = 0; i < 4; i++)
		own[i] = file_on(&sw);
	before = count_fds();
	eio_switch_begin(&inner);
	eio_switch_begin(&gone);
	expect_ok(eio_fork(&inner, receive, &r));
	expect_ok(eio_ll_noop());
	expect_ok(eio_switch_end(&gone, 0));
	expect_log("");
	expect_err(send_text(a, "x", own, 4), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EINVAL");
	ck_assert_uint_eq(count_fds(), before);
	/* At once if it is known before: nothing is taken. */
	expect_err(send_text(a, "y", own, 4), 1);
	expect_ok(receive(&r));
	expect_log("EINVAL");
	r.sw = &sw;
	expect_ok(receive(&r));
	expect_err(r.rc, 1);
	return eio_switch_end(&sw, 0);
}

/* The table of handles has room for one more: none is made. */
RING_TEST(when_there_is_no_memory_for_all_handles_all_are_closed)
{
	struct eio_fd a, z, own[2], fds[2] = {0};
	struct eio_switch sw;
	unsigned before;
	ssize_t rc;
	char b[1];

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &z);
	own[0] = own[1] = file_on(&sw);
	expect_err(eio_ll_send_msg(a, NULL, &(struct iovec){"xy", 1}, 1, own, 2, 0), 1);
	expect_err(send_text(a, "y", NULL, 0), 1);
	before = count_fds();
	if (!use_up_handles(1))
		return eio_switch_end(&sw, 0);
	rc = recv_fds(&sw, z, b, 1, fds, 2, NULL);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert(!eio_fd_is_open(fds[0]));
	/* The message is gone, the next one is there. */
	expect_err(recv_fds(&sw, z, b, 1, fds, 2, NULL), 1);
	ck_assert_int_eq(b[0], 'y');
	return eio_switch_end(&sw, 0);
}

/* In the round of completion: the call has them, and the switch closes them. */
RING_TEST(descriptors_that_come_with_a_cancellation_are_handles)
{
	struct eio_switch sw, inner, handles;
	struct receiver r = {.sw = &handles};
	struct eio_fd a, own[2];
	unsigned before;

	(void) arg;
	eio_switch_begin(&sw);
	pair_of(&sw, SOCK_STREAM, &a, &r.fd);
	own[0] = own[1] = file_on(&sw);
	before = count_fds();
	eio_switch_begin(&handles);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, receive, &r));
	expect_ok(eio_ll_noop());
	expect_err(send_text(a, "x", own, 2), 1);
	eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_err(r.rc, 1);
	ck_assert_uint_eq(count_fds(), before + 2);
	expect_ok(eio_switch_end(&handles, 0));
	ck_assert_uint_eq(count_fds(), before);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("ll_sendmsg", true, a_message_is_gathered_and_scattered_test,
	   datagrams_go_to_an_address_and_come_from_one_test,
	   a_failed_message_names_its_address_test,
	   vectors_longer_than_IOV_MAX_are_refused_or_used_in_part_test,
	   MSG_DONTWAIT_answers_at_once_test, messages_raise_no_SIGPIPE, interrupted_messages_go_on,
	   descriptors_arrive_as_handles_of_the_switch_test,
	   descriptors_above_what_is_asked_for_are_closed_test,
	   credentials_leave_room_for_descriptors_test,
	   when_the_process_has_no_descriptors_left_fewer_come_test,
	   descriptors_are_pinned_until_the_message_has_gone_test,
	   a_closed_descriptor_is_not_sent_and_the_others_are_let_go_test,
	   descriptors_for_a_finished_switch_are_closed_test,
	   when_there_is_no_memory_for_all_handles_all_are_closed_test,
	   descriptors_that_come_with_a_cancellation_are_handles_test)
