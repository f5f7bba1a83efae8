/* SPDX-License-Identifier: ISC */
#include "core/fiber.h"
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "base/lock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct faults faults;

static char unix_path[64], abstract[64];

static const char *const *families(void)
{
	static const char *all[] = {"127.0.0.1:0", "[::1]:0", unix_path, abstract, NULL};

	snprintf(unix_path, sizeof(unix_path), "unix:/tmp/eio-ll-socket-%d", (int) getpid());
	snprintf(abstract, sizeof(abstract), "unix:@eio-ll-socket-%d", (int) getpid());
	return all;
}

static void remove_path(const char *at)
{
	if (at == unix_path)
		unlink(unix_path + 5);
}

static struct eio_fd socket_for(struct eio_switch *sw, const struct eio_addr *addr)
{
	struct eio_fd fd;
	size_t len;

	expect_ok(eio_ll_socket(sw, eio_addr_sockaddr(addr, &len)->sa_family, SOCK_STREAM, 0, &fd));
	return fd;
}

/* Both ends of a connection through a listener. */
static void connect_on(struct eio_switch *sw, struct eio_fd l, const struct eio_addr *addr,
		       struct eio_fd *client, struct eio_fd *server, struct eio_addr *peer)
{
	*client = socket_for(sw, addr);
	expect_ok(eio_ll_connect(*client, addr));
	expect_ok(eio_ll_accept(sw, l, server, peer));
}

/* The test's own client: a socket that is connected, or a negative code. */
static int knock(const struct eio_addr *addr)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(addr, &len);
	int unix_fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(unix_fd, 0);
	if (connect(unix_fd, sa, (socklen_t) len) == 0)
		return unix_fd;
	close(unix_fd);
	return -errno;
}

/* Connections */

RING_TEST(bytes_go_both_ways_and_shutdown_is_an_end)
{
	struct eio_switch sw;
	struct eio_fd l, c, s;
	struct eio_addr addr;
	char b[16];

	(void) arg;
	for (const char *const *at = families(); *at; at++) {
		eio_switch_begin(&sw);
		l = listen_on(&sw, *at, &addr);
		connect_on(&sw, l, &addr, &c, &s, NULL);
		expect_err(eio_ll_send(c, "question", 8, 0), 8);
		expect_err(eio_ll_recv(s, b, sizeof(b), 0), 8);
		ck_assert_mem_eq(b, "question", 8);
		expect_ok(eio_ll_shutdown(c, SHUT_WR));
		expect_err(eio_ll_recv(s, b, sizeof(b), 0), 0);
		expect_err(eio_ll_send(s, "answer", 6, 0), 6);
		expect_err(eio_ll_recv(c, b, sizeof(b), 0), 6);
		ck_assert_mem_eq(b, "answer", 6);
		expect_err(eio_ll_send(c, "x", 1, 0), -EPIPE);
		ck_assert_int_eq(fcntl(number(s), F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(number(c), F_GETFD), FD_CLOEXEC);
		expect_ok(eio_fd_is_seekable(s));
		expect_ok(eio_switch_end(&sw, 0));
		remove_path(*at);
	}
	return 0;
}

RING_TEST(accept_tells_who_it_is)
{
	struct eio_addr addr, peer, own = {0};
	struct eio_switch sw;
	struct eio_fd l, c, s;
	socklen_t len;

	(void) arg;
	for (const char *const *at = families(); *at; at++) {
		eio_switch_begin(&sw);
		l = listen_on(&sw, *at, &addr);
		memset(&peer, 0xff, sizeof(peer));
		connect_on(&sw, l, &addr, &c, &s, &peer);
		len = sizeof(own.sa);
		ck_assert_int_eq(getsockname(number(c), (struct sockaddr *) own.sa, &len), 0);
		own.len = len;
		ck_assert_uint_eq(peer.len, own.len);
		ck_assert(eio_addr_equal(&peer, &own));
		ck_assert_uint_eq(peer.reserved, 0);
		expect_ok(eio_switch_end(&sw, 0));
		remove_path(*at);
	}
	return 0;
}

RING_TEST(a_connection_nobody_takes_is_refused_with_its_address)
{
	struct eio_addr addr;
	struct eio_switch sw;
	char text[192], want[192], where[EIO_ADDR_TEXT];
	struct eio_fd l, c;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_close_listener(l));
	c = socket_for(&sw, &addr);
	expect_err(eio_ll_connect(c, &addr), -ECONNREFUSED);
	eio_error_format(-ECONNREFUSED, text, sizeof(text));
	snprintf(want, sizeof(want), "connect %s: Connection refused",
		 eio_addr_format(&addr, where, sizeof(where)));
	ck_assert_str_eq(text, want);
	expect_ok(eio_addr_parse(&addr, "unix:/tmp/eio-nothing-here"));
	c = socket_for(&sw, &addr);
	expect_err(eio_ll_connect(c, &addr), -ENOENT);
	return eio_switch_end(&sw, 0);
}

RING_TEST(sockets_fail_as_the_system_says)
{
	struct eio_addr addr, other;
	struct eio_switch sw;
	struct eio_fd l, fd, r, w;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_ll_socket(&sw, 9999, SOCK_STREAM, 0, &fd), -EAFNOSUPPORT);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	fd = socket_for(&sw, &addr);
	expect_err(eio_ll_bind(fd, &addr), -EADDRINUSE);
	expect_ok(eio_addr_parse(&other, "192.0.2.1:0"));
	expect_err(eio_ll_bind(fd, &other), -EADDRNOTAVAIL);
	expect_err(eio_ll_shutdown(fd, SHUT_WR), -ENOTCONN);
	expect_err(eio_ll_accept(&sw, fd, &r, NULL), -EINVAL); /* it does not listen */
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_accept(&sw, r, &fd, NULL), -ENOTSOCK);
	expect_err(eio_ll_connect(r, &addr), -ENOTSOCK);
	expect_err(eio_ll_send(w, "x", 1, 0), -ENOTSOCK);
	expect_err(eio_ll_listen(w, 1), -ENOTSOCK);
	expect_err(eio_ll_bind(w, &addr), -ENOTSOCK);
	expect_err(eio_ll_shutdown(w, SHUT_WR), -ENOTSOCK);
	ck_assert(eio_fd_is_open(l));
	return eio_switch_end(&sw, 0);
}

RING_TEST(flags_go_to_send_and_recv)
{
	struct eio_switch sw;
	struct eio_fd a, z;
	char b[8];

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_err(eio_ll_recv(z, b, 4, MSG_DONTWAIT), -EAGAIN);
	expect_err(eio_ll_send(a, "abcd", 4, 0), 4);
	expect_err(eio_ll_recv(z, b, 4, MSG_PEEK), 4);
	expect_err(eio_ll_recv(z, b, 4, MSG_DONTWAIT), 4);
	ck_assert_mem_eq(b, "abcd", 4);
	while (eio_ll_send(a, b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	expect_err(eio_ll_send(a, b, sizeof(b), MSG_DONTWAIT), -EAGAIN);
	return eio_switch_end(&sw, 0);
}

static int wait_for_the_end(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

RING_TEST(what_is_there_is_received_without_waiting_among_many_fibers)
{
	struct eio_switch sw, crowd;
	struct eio_fd a, z;
	char b[4];

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	eio_switch_begin(&crowd);
	for (int i = 0; i < EIO__MANY_FIBERS; i++)
		expect_ok(eio_fork(&crowd, wait_for_the_end, NULL));
	expect_err(eio_ll_recv(z, b, 4, MSG_DONTWAIT), -EAGAIN);
	expect_err(eio_ll_send(a, "abc", 3, 0), 3);
	expect_err(eio_ll_recv(z, b, 4, MSG_DONTWAIT), 3);
	end_cancelled(&crowd);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_reset_connection_gives_ECONNRESET)
{
	struct linger hard = {.l_onoff = 1};
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l, c, s;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	connect_on(&sw, l, &addr, &c, &s, NULL);
	setsockopt(number(c), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	expect_ok(eio_fd_close(c));
	expect_err(eio_ll_recv(s, &b, 1, 0), -ECONNRESET);
	return eio_switch_end(&sw, 0);
}

/* Also where SIGPIPE is left as it is. */
static int send_to_nobody(void *arg)
{
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_ok(eio_fd_close(z));
	expect_err(eio_ll_send(a, "x", 1, 0), -EPIPE);
	return eio_switch_end(&sw, 0);
}

START_TEST(send_raises_no_SIGPIPE)
{
	signal(SIGPIPE, SIG_DFL);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, send_to_nobody, 0);
}
END_TEST

/* Pairs, names and options */

RING_TEST(pairs_are_connected_and_close_on_exec)
{
	const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	struct eio_switch sw;
	struct eio_fd a, z;
	unsigned before = count_fds();
	char b[8];

	(void) arg;
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&sw);
		expect_ok(eio_ll_socketpair(&sw, AF_UNIX, types[i], 0, &a, &z));
		expect_err(eio_ll_send(a, "abc", 3, 0), 3);
		expect_err(eio_ll_recv(z, b, sizeof(b), 0), 3);
		expect_err(eio_ll_send(z, "de", 2, 0), 2);
		expect_err(eio_ll_recv(a, b, sizeof(b), 0), 2);
		ck_assert_int_eq(fcntl(number(a), F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(number(z), F_GETFD), FD_CLOEXEC);
		expect_ok(eio_fd_is_seekable(a));
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(count_fds(), before);
	}
	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_ll_socketpair(&sw, AF_UNIX, SOCK_STREAM, 0, &a, &z), -EINVAL);
	expect_err(eio_ll_socketpair(NULL, AF_INET, SOCK_STREAM, 0, &a, &z), -EOPNOTSUPP);
	ck_assert_str_eq(eio_last_error()->op, "socketpair");
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

RING_TEST(a_pair_is_not_made_in_a_cancelled_context)
{
	struct eio_cancel c;
	struct eio_fd a, z;
	unsigned before = count_fds();

	(void) arg;
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(eio_ll_socketpair(NULL, AF_UNIX, SOCK_STREAM, 0, &a, &z), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

RING_TEST(a_pair_without_memory_for_both_handles_is_closed)
{
	unsigned before = count_fds();
	struct eio_fd a, z;
	int rc;

	(void) arg;
	for (unsigned left = 0; left < 2; left++) {
		if (!use_up_handles(left))
			return 0;
		rc = eio_ll_socketpair(NULL, AF_UNIX, SOCK_STREAM, 0, &a, &z);
		give_memory_back();
		expect_err(rc, -ENOMEM);
		ck_assert_uint_eq(count_fds(), before);
	}
	return 0;
}

RING_TEST(sockets_tell_both_addresses)
{
	struct eio_addr addr, here, there, peer;
	struct eio_switch sw;
	struct eio_fd l, c, s, r, w;

	(void) arg;
	for (const char *const *at = families(); *at; at++) {
		eio_switch_begin(&sw);
		l = listen_on(&sw, *at, &addr);
		connect_on(&sw, l, &addr, &c, &s, &peer);
		expect_ok(eio_ll_getsockname(s, &here));
		ck_assert(eio_addr_equal(&here, &addr));
		expect_ok(eio_ll_getpeername(c, &there));
		ck_assert(eio_addr_equal(&there, &addr));
		expect_ok(eio_ll_getsockname(c, &here));
		ck_assert_uint_eq(here.len, peer.len);
		ck_assert(eio_addr_equal(&here, &peer));
		expect_err(eio_ll_getpeername(l, &there), -ENOTCONN);
		ck_assert_str_eq(eio_last_error()->op, "getpeername");
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(eio_ll_getsockname(s, &here), -EBADF);
		ck_assert_str_eq(eio_last_error()->op, "getsockname");
		remove_path(*at);
	}
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_getsockname(r, &here), -ENOTSOCK);
	return eio_switch_end(&sw, 0);
}

RING_TEST(options_are_set_and_asked_for)
{
	const int on = 1;
	struct {
		int value, more;
	} got = {-1, -1};
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_err(eio_ll_getsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &got, sizeof(got)), sizeof(int));
	ck_assert_int_eq(got.value, 0);
	ck_assert_int_eq(got.more, -1);
	expect_ok(eio_ll_setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	expect_err(eio_ll_getsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &got, SIZE_MAX), sizeof(int));
	ck_assert_int_eq(got.value, 1);
	/* In a byte there is room for a byte of it. */
	got.value = 0x7f7f7f7f;
	expect_err(eio_ll_getsockopt(l, SOL_SOCKET, SO_TYPE, &got, 1), 1);
	ck_assert_int_eq(*(char *) &got, SOCK_STREAM);
	ck_assert_int_eq(((char *) &got)[1], 0x7f);
	expect_err(eio_ll_setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on, 1), -EINVAL);
	expect_err(eio_ll_setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on,
				     ((size_t) 1 << 32) + sizeof(on)),
		   -EINVAL);
	expect_err(eio_ll_setsockopt(l, SOL_SOCKET, 9999, &on, sizeof(on)), -ENOPROTOOPT);
	ck_assert_str_eq(eio_last_error()->op, "setsockopt");
	expect_err(eio_ll_getsockopt(l, SOL_SOCKET, 9999, &got, sizeof(got)), -ENOPROTOOPT);
	ck_assert_str_eq(eio_last_error()->op, "getsockopt");
	expect_ok(eio_ll_close_listener(l));
	expect_err(eio_ll_setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), -EBADF);
	expect_err(eio_ll_getsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &got, sizeof(got)), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* By anybody at any time, and they leave the handle as it was: it closes at once. */
static int ask(void *arg)
{
	struct eio_fd fd = *(struct eio_fd *) arg;
	struct eio_addr addr;
	int value;

	expect_ok(eio_ll_getsockname(fd, &addr));
	expect_ok(eio_ll_getpeername(fd, &addr));
	expect_err(eio_ll_getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), 4);
	expect_ok(eio_ll_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
	expect_err(eio_ll_setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)), -ENOPROTOOPT);
	return 0;
}

static int ask_everywhere(void *arg)
{
	struct eio_switch sw;
	struct eio_cancel c;
	struct eio_fd a, z;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	unix_fd = number(a);
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_ok(ask(&a));
	eio_cancel_end(&c);
	expect_ok(on_plain_thread(ask, &a));
	expect_ok(eio_fd_close(a));
	ck_assert(!is_open(unix_fd));
	return eio_switch_end(&sw, 0);
}

START_TEST(names_and_options_are_there_for_any_thread_and_when_cancelled)
{
	warm_up_threads(1);
	run_ring(ask_everywhere, 0);
}
END_TEST

/* All of it */

enum { MUCH = 3000000 };

static char much[MUCH], back[MUCH];

static int send_much(void *arg)
{
	expect_ok(eio_ll_send_all(*(struct eio_fd *) arg, much, MUCH, 0));
	return 0;
}

static int transfer(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_fd a, z;

	eio_switch_begin(&sw);
	fill(much, MUCH, 0);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			pair_on(&sw, &a, &z);
		else
			tcp_pair_on(&sw, &a, &z);
		if (arg)
			forget_opcode(IORING_OP_SENDMSG_ZC);
		memset(back, 0, MUCH);
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, send_much, &a));
		expect_ok(eio_ll_recv_exactly(z, back, MUCH));
		expect_ok(eio_switch_end(&inner, 0));
		ck_assert(is_filled(back, MUCH, 0));
		ck_assert_int_eq(readable_bytes(number(z)), 0);
	}
	/* No bytes are no trip. */
	expect_ok(eio_ll_send_all(a, much, 0, 0));
	expect_ok(eio_ll_recv_exactly(z, back, 0));
	return eio_switch_end(&sw, 0);
}

static int transfer_by_parts(void *arg)
{
	(void) arg;
	return transfer(much);
}

START_TEST(whole_transfers_are_one_trip_or_several)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(transfer, 0);
	ck_assert_uint_eq(faults.entries[IORING_OP_SEND], 2);
	ck_assert_uint_eq(faults.entries[IORING_OP_RECV], 2);
	/* A kernel to which they are not left. */
	run_ring(transfer_by_parts, 0);
	ck_assert_uint_gt(faults.entries[IORING_OP_SEND], 2);
	ck_assert_uint_gt(faults.entries[IORING_OP_RECV], 2);
	/* And one that does not do all of it, is interrupted, and heeds O_NONBLOCK. */
	faults = (struct faults){.seed = 2, .shorten = 128, .transient = 64};
	run_ring(transfer, 0);
	ck_assert_uint_gt(faults.shortened, 0);
	ck_assert_uint_gt(faults.refused, 0);
}
END_TEST

/* It would go on for ever. */
static int send_nothing(void *arg)
{
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_SEND;
	faults.refuse.err = 0;
	expect_err(eio_ll_send_all(a, "abc", 3, 0), -EIO);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_send_that_sends_nothing_fails)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(send_nothing, 0);
}
END_TEST

RING_TEST(whole_transfers_that_fail_tell_how_much_went)
{
	struct eio_switch sw;
	struct eio_fd a, z;
	size_t n;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_err(eio_ll_send(a, "abc", 3, 0), 3);
	expect_ok(eio_ll_shutdown(a, SHUT_WR));
	expect_err(eio_ll_recv_exactly(z, back, 10), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 3);
	ck_assert_str_eq(eio_last_error()->op, "recv");
	ck_assert_mem_eq(back, "abc", 3);
	expect_err(eio_ll_recv_exactly(z, back, 10), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_ll_send_all(a, "x", 1, 0), -EPIPE);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	ck_assert_str_eq(eio_last_error()->op, "send");
	pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_all(a, much, MUCH, MSG_DONTWAIT), -EAGAIN);
	n = eio_last_error()->done;
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(readable_bytes(number(z)), (int) n);
	expect_ok(eio_fd_close(a));
	expect_err(eio_ll_send_all(a, "x", 1, 0), -EBADF);
	expect_err(eio_ll_recv_exactly(a, back, 1), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* With a part moved when the cancellation comes. */
struct cut {
	struct eio_fd fd;
	bool sends;
	uint64_t done;
};

static int cut_off(void *arg)
{
	struct cut *c = arg;

	if (c->sends)
		expect_err(eio_ll_send_all(c->fd, much, MUCH, 0), -ECANCELED);
	else
		expect_err(eio_ll_recv_exactly(c->fd, back, MUCH), -ECANCELED);
	c->done = eio_last_error()->done;
	return 0;
}

RING_TEST(whole_transfers_that_are_cancelled_tell_how_much_went)
{
	struct eio_switch sw, inner;
	struct eio_fd a, z;
	struct cut c;

	(void) arg;
	fill(much, MUCH, 7);
	eio_switch_begin(&sw);
	for (int i = 0; i < 4; i++) {
		pair_on(&sw, &a, &z);
		if (i == 2)
			forget_opcode(IORING_OP_SENDMSG_ZC);
		c.sends = i % 2;
		c.fd = c.sends ? a : z;
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, cut_off, &c));
		if (!c.sends) {
			expect_ok(eio_ll_noop());
			ck_assert_int_eq(write(number(a), much, 1000), 1000);
		}
		for (int turn = 0; turn < 3; turn++)
			expect_ok(eio_ll_noop());
		end_cancelled(&inner);
		if (c.sends) {
			ck_assert_uint_gt(c.done, 0);
			ck_assert_int_eq(readable_bytes(number(z)), (int) c.done);
		} else {
			ck_assert_uint_eq(c.done, 1000);
			ck_assert(is_filled(back, 1000, 7));
			ck_assert_int_eq(readable_bytes(number(z)), 0);
		}
	}
	return eio_switch_end(&sw, 0);
}

/* Accepts that end otherwise */

struct accepting {
	struct eio_fd listener;
	struct eio_switch *sw; /* NULL: of its own */
	int rc;
};

static int accept_one(void *arg)
{
	struct accepting *a = arg;
	struct eio_fd fd;

	a->rc = eio_ll_accept(a->sw, a->listener, &fd, NULL);
	if (a->rc == 0)
		eio_fd_close(fd);
	note("%s", a->rc < 0 ? eio_err_name(a->rc) : "accepted");
	return 0;
}

RING_TEST(a_cancelled_accept_leaves_nothing)
{
	struct eio_switch sw, inner;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;
	unsigned before;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	before = count_fds();
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, accept_one, &a));
		for (int turn = 0; turn < i; turn++)
			expect_ok(eio_ll_noop());
		end_cancelled(&inner);
		expect_log("ECANCELED");
	}
	ck_assert_uint_eq(count_fds(), before);
	/* The next connection is the next one's. */
	client = knock(&addr);
	ck_assert_int_ge(client, 0);
	expect_ok(accept_one(&a));
	expect_log("accepted");
	close(client);
	expect_ok(eio_ll_noop());
	ck_assert_uint_eq(count_fds(), before);
	return eio_switch_end(&sw, 0);
}

/* It is there, but its switch is not any more. */
RING_TEST(a_connection_for_a_finished_switch_is_closed)
{
	struct eio_switch sw, gone;
	struct accepting a;
	struct eio_addr addr;
	unsigned before;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	a.sw = &gone;
	before = count_fds();
	eio_switch_begin(&gone);
	expect_ok(eio_fork(&sw, accept_one, &a));
	expect_ok(eio_ll_noop());
	expect_ok(eio_switch_end(&gone, 0));
	client = knock(&addr);
	ck_assert_int_ge(client, 0);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("EINVAL");
	close(client);
	ck_assert_uint_eq(count_fds(), before);
	/* At once when it is known before. */
	expect_ok(accept_one(&a));
	expect_log("EINVAL");
	return eio_switch_end(&sw, 0);
}

/* The port is free: another listener gets it without SO_REUSEADDR, and nobody is served
 * by the old one. */
static void expect_port_free(const struct eio_addr *addr)
{
	char at[EIO_ADDR_TEXT];
	struct eio_switch sw;
	struct eio_addr got;

	expect_err(knock(addr), -ECONNREFUSED);
	eio_switch_begin(&sw);
	listen_on(&sw, eio_addr_format(addr, at, sizeof(at)), &got);
	ck_assert(eio_addr_equal(addr, &got));
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(closing_a_listener_ends_its_accepts_and_frees_the_port)
{
	struct eio_switch sw, inner;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	unix_fd = number(a.listener);
	eio_switch_begin(&inner);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&inner, accept_one, &a));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fork(&inner, accept_one, &a)); /* queued, not submitted */
	expect_ok(eio_ll_close_listener(a.listener));
	ck_assert(!is_open(unix_fd));
	note("closed");
	expect_port_free(&addr);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF EBADF EBADF EBADF closed");
	expect_err(eio_ll_close_listener(a.listener), -EBADF);
	expect_err(eio_fd_close(a.listener), -EBADF);
	return eio_switch_end(&sw, 0);
}

RING_TEST(closing_a_listener_without_accepts_frees_the_port)
{
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_close_listener(l));
	expect_port_free(&addr);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_borrowed_listener_is_ended_and_stays_open)
{
	struct eio_switch sw, inner;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;
	struct eio_fd l;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_fd_of_unix(&sw, number(l), 0, &a.listener));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, accept_one, &a));
	expect_ok(eio_ll_close_listener(a.listener));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF");
	ck_assert(is_open(number(l)));
	return eio_switch_end(&sw, 0);
}

static int close_listener_cancelled(void *arg)
{
	struct accepting *a = arg;

	note("%s", eio_is_cancelled() ? "cancelled" : "?");
	expect_ok(eio_ll_close_listener(a->listener));
	note("closed");
	return 0;
}

static int yield_then_close(void *arg)
{
	eio_yield();
	return close_listener_cancelled(arg);
}

RING_TEST(closing_a_listener_is_not_cancelled)
{
	struct eio_switch sw, inner, closing;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, accept_one, &a));
	eio_switch_begin(&closing);
	expect_ok(eio_fork(&closing, yield_then_close, &a));
	end_cancelled(&closing);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("cancelled EBADF closed");
	expect_port_free(&addr);
	return eio_switch_end(&sw, 0);
}

/* The accept has pinned the listener, and waits for a free entry, when it is closed. */
static int close_before_the_entry(void *arg)
{
	struct eio_switch sw, inner;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	faults.fail_enter.nth = 1;
	faults.fail_enter.times = 3;
	faults.fail_enter.err = -EBUSY;
	expect_ok(eio_fork(&inner, accept_one, &a)); /* has the only entry */
	expect_ok(eio_fork(&inner, accept_one, &a)); /* waits for one */
	expect_ok(eio_ll_close_listener(a.listener));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF EBADF");
	expect_port_free(&addr);
	return eio_switch_end(&sw, 0);
}

START_TEST(closing_a_listener_ends_an_accept_that_waits_for_an_entry)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, close_before_the_entry, 0);
}
END_TEST

/* As with kernels that heed O_NONBLOCK: the accept waits by a poll. */
static int close_while_polling(void *arg)
{
	struct eio_switch sw, inner;
	struct accepting a = {.sw = NULL};
	struct eio_addr addr;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_ACCEPT;
	faults.refuse.err = -EAGAIN;
	expect_ok(eio_fork(&sw, accept_one, &a));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	client = knock(&addr);
	ck_assert_int_ge(client, 0);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_ll_noop());
	expect_log("accepted");
	close(client);
	expect_ok(eio_ll_close_listener(a.listener));

	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	faults.refuse.nth = 1;
	expect_ok(eio_fork(&inner, accept_one, &a));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	ck_assert_uint_eq(faults.refused, 2);
	expect_ok(eio_ll_close_listener(a.listener));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF");
	expect_port_free(&addr);

	/* And it can be cancelled there. */
	a.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	faults.refuse.nth = 1;
	expect_ok(eio_fork(&inner, accept_one, &a));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	end_cancelled(&inner);
	expect_log("ECANCELED");
	return eio_switch_end(&sw, 0);
}

START_TEST(closing_a_listener_ends_an_accept_that_polls)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(close_while_polling, 0);
}
END_TEST

/* Two domains */

enum { ROUNDS = SANITIZED ? 100 : 400 };

static struct {
	struct eio_fd listener;
	struct eio_addr addr;
	unsigned up, ready, done; /* rounds */
	int rc;
} shared;

static void set(unsigned *word, unsigned value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void await(unsigned *word, unsigned value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) < value)
		sched_yield();
}

static int accept_elsewhere(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	set(&shared.up, 1);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		struct eio_fd fd;

		await(&shared.ready, i);
		shared.rc = eio_ll_accept(NULL, shared.listener, &fd, NULL);
		if (shared.rc == 0)
			eio_fd_close(fd);
		set(&shared.done, i);
	}
	await(&shared.ready, ROUNDS + 1); /* with its ring open until then */
	return 0;
}

static void *accepting_domain(void *arg)
{
	expect_ok(eio_run(NULL, accept_elsewhere, arg));
	return NULL;
}

static pthread_t start_accepting_domain(void)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, accepting_domain, NULL), 0);
	await(&shared.up, 1);
	return t;
}

/* From the first one, at any moment of the accept's life in the second. */
static int close_listeners(void *arg)
{
	pthread_t t = start_accepting_domain();
	struct eio_switch sw;

	(void) arg;
	for (unsigned i = 1; i <= ROUNDS; i++) {
		eio_switch_begin(&sw);
		shared.listener = listen_on(&sw, "127.0.0.1:0", &shared.addr);
		set(&shared.ready, i);
		if (i % 8 == 0)
			expect_ok(eio_sleep(env->mono_clock, 100000));
		for (unsigned spin = 0; spin < i * 16 % 4096; spin++)
			eio__cpu_relax();
		expect_ok(eio_ll_close_listener(shared.listener));
		expect_port_free(&shared.addr);
		await(&shared.done, i);
		expect_err(shared.rc, -EBADF);
		expect_ok(eio_switch_end(&sw, 0));
	}
	set(&shared.ready, ROUNDS + 1);
	pthread_join(t, NULL);
	return 0;
}

START_TEST(closing_a_listener_ends_the_accepts_of_other_domains)
{
	warm_up_threads(2);
	run_ring(close_listeners, 0);
}
END_TEST

/* And a connection that comes at the same time is somebody's or nobody's, never lost in
 * between. */
static int knock_and_close(void *arg)
{
	pthread_t t = start_accepting_domain();
	struct eio_switch sw;

	(void) arg;
	for (unsigned i = 1; i <= ROUNDS; i++) {
		unsigned before;
		int client;

		eio_switch_begin(&sw);
		shared.listener = listen_on(&sw, "127.0.0.1:0", &shared.addr);
		before = count_fds();
		set(&shared.ready, i);
		for (unsigned spin = 0; spin < i * 64 % 4096; spin++)
			eio__cpu_relax();
		client = knock(&shared.addr);
		ck_assert_int_ge(client, 0);
		for (unsigned spin = 0; spin < i * 32 % 2048; spin++)
			eio__cpu_relax();
		expect_ok(eio_ll_close_listener(shared.listener));
		await(&shared.done, i);
		ck_assert(shared.rc == 0 || shared.rc == -EBADF);
		close(client);
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(count_fds(), before - 1);
	}
	set(&shared.ready, ROUNDS + 1);
	pthread_join(t, NULL);
	return 0;
}

START_TEST(a_connection_that_comes_while_the_listener_closes_is_not_leaked)
{
	warm_up_threads(2);
	run_ring(knock_and_close, 0);
}
END_TEST

/*
 * The close's request to cancel arrives after the accept has completed, and before its
 * fiber runs: a neighbour that runs first holds it up until the request is in the inbox.
 * The fiber takes it out; nobody writes to the frame that was the accept's.
 */
static struct {
	struct eio_fd listener, go;
	unsigned close_now;
} late;

static int close_when_told(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	set(&shared.up, 1);
	await(&late.close_now, 1);
	expect_ok(eio_ll_close_listener(late.listener));
	return 0;
}

static void *closing_domain(void *arg)
{
	expect_ok(eio_run(NULL, close_when_told, arg));
	return NULL;
}

static int hold_up(void *arg)
{
	char b;

	(void) arg;
	expect_err(eio_ll_read(late.go, &b, 1, EIO_CURRENT), 1);
	note("neighbour");
	set(&late.close_now, 1);
	while (eio_fd_is_open(late.listener))
		sched_yield();
	usleep(20000); /* the request follows at once */
	return 0;
}

static __attribute__((noinline)) int use_the_stack(void)
{
	char frame[2048];

	fill(frame, sizeof(frame), 0);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	return is_filled(frame, sizeof(frame), 0) ? 0 : -EFAULT;
}

static __attribute__((noinline)) void accept_late(void)
{
	struct eio_fd fd;

	expect_ok(eio_ll_accept(NULL, late.listener, &fd, NULL));
	note("accepted");
	eio_fd_close(fd);
}

static int accept_then_use_the_stack(void *arg)
{
	(void) arg;
	accept_late();
	return use_the_stack();
}

static int late_request(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_addr addr;
	struct eio_fd w;
	pthread_t t;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	late.listener = listen_on(NULL, "127.0.0.1:0", &addr);
	pipe_on(&sw, &late.go, &w);
	ck_assert_int_eq(pthread_create(&t, NULL, closing_domain, NULL), 0);
	await(&shared.up, 1);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, hold_up, NULL));
	expect_ok(eio_fork(&inner, accept_then_use_the_stack, NULL));
	expect_ok(eio_ll_noop());
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	client = knock(&addr);
	ck_assert_int_ge(client, 0);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("neighbour accepted");
	pthread_join(t, NULL);
	close(client);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_request_to_cancel_that_comes_too_late_is_taken_back)
{
	warm_up_threads(2);
	run_ring(late_request, 0);
}
END_TEST

/* Splicing */

RING_TEST(splice_moves_bytes_through_a_pipe)
{
	static char data[20000], back[sizeof(data)];
	struct eio_switch sw;
	struct eio_fd file, r, w, a, z;
	size_t done = 0;
	ssize_t n, m;

	(void) arg;
	fill(data, sizeof(data), 3);
	eio_switch_begin(&sw);
	file = file_on(&sw);
	pipe_on(&sw, &r, &w);
	pair_on(&sw, &a, &z);
	ck_assert_int_eq(pwrite(number(file), data, sizeof(data), 0), sizeof(data));
	while ((n = eio_ll_splice(file, w, 4096)) > 0) {
		for (ssize_t left = n; left > 0; left -= m) {
			m = eio_ll_splice(r, a, (size_t) left);
			ck_assert_int_gt(m, 0);
		}
		for (ssize_t left = n; left > 0; left -= m) {
			m = eio_ll_recv(z, back + done, (size_t) left, 0);
			ck_assert_int_gt(m, 0);
			done += (size_t) m;
		}
	}
	expect_ok(n);
	ck_assert_uint_eq(done, sizeof(data));
	ck_assert(is_filled(back, sizeof(back), 3));
	expect_ok(eio_fd_close(w));
	expect_ok(eio_ll_splice(r, a, 10));
	return eio_switch_end(&sw, 0);
}

RING_TEST(splice_without_a_pipe_is_EINVAL)
{
	struct eio_switch sw;
	struct eio_fd file, a, z;

	(void) arg;
	eio_switch_begin(&sw);
	file = file_on(&sw);
	pair_on(&sw, &a, &z);
	ck_assert_int_eq(pwrite(number(file), "x", 1, 0), 1);
	expect_err(eio_ll_splice(file, a, 1), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "splice");
	return eio_switch_end(&sw, 0);
}

static struct eio_fd splice_from, splice_to;

static int splice_one(void *arg)
{
	(void) arg;
	note("splices");
	expect_err(eio_ll_splice(splice_from, splice_to, 10), 1);
	note("spliced");
	return 0;
}

/* Of either side, when it is not ready. */
static int nonblocking_splice(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_fd w, r, full_w;
	char b[4096] = "";
	unsigned tries;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &splice_from, &w);
	pipe_on(&sw, &r, &full_w);
	splice_to = full_w;
	fcntl(number(splice_from), F_SETFL, O_NONBLOCK);
	fcntl(number(full_w), F_SETFL, O_NONBLOCK);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, splice_one, NULL));
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(2)));
	note("write");
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("splices write spliced");
	while (write(number(full_w), b, sizeof(b)) > 0)
		;
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	tries = faults.entries[IORING_OP_SPLICE];
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, splice_one, NULL));
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(2)));
	note("read");
	for (int i = 0; i < 2; i++)
		ck_assert_int_gt(read(number(r), b, sizeof(b)), 0);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("splices read spliced");
	/* Waiting, not trying. */
	ck_assert_uint_le(faults.entries[IORING_OP_SPLICE] - tries, 4);
	return eio_switch_end(&sw, 0);
}

START_TEST(splice_waits_also_where_a_side_is_nonblocking)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(nonblocking_splice, 0);
}
END_TEST

static int splice_and_close(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_fd w, r;
	int from, to;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &splice_from, &w);
	pipe_on(&sw, &r, &splice_to);
	from = number(splice_from);
	to = number(splice_to);
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_SPLICE;
	faults.refuse.err = -EINTR;
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, splice_one, NULL));
	/* It was interrupted once, and tries again. */
	expect_ok(eio_ll_noop());
	expect_ok(eio_ll_noop());
	ck_assert_uint_eq(faults.refused, 1);
	expect_ok(eio_fd_close(splice_from));
	expect_ok(eio_fd_close(splice_to));
	expect_ok(eio_ll_noop());
	ck_assert(is_open(from));
	ck_assert(is_open(to));
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("splices spliced");
	expect_ok(eio_ll_noop());
	ck_assert(!is_open(from));
	ck_assert(!is_open(to));
	return eio_switch_end(&sw, 0);
}

START_TEST(splice_pins_both_sides_as_long_as_it_takes)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(splice_and_close, 0);
}
END_TEST

/* Readiness */

RING_TEST(poll_gives_the_events_that_are_there)
{
	struct eio_switch sw;
	struct eio_fd a, z, r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_err(eio_ll_poll(a, POLLIN | POLLOUT), POLLOUT);
	ck_assert_int_eq(write(number(z), "x", 1), 1);
	expect_err(eio_ll_poll(a, POLLIN | POLLOUT), POLLIN | POLLOUT);
	expect_err(eio_ll_poll(a, POLLIN), POLLIN);
	expect_ok(eio_ll_await_readable(a));
	expect_ok(eio_ll_await_writable(a));
	pipe_on(&sw, &r, &w);
	expect_ok(eio_fd_close(w));
	expect_err(eio_ll_poll(r, POLLIN), POLLHUP);
	expect_ok(eio_ll_await_readable(r));
	return eio_switch_end(&sw, 0);
}

static int await_and_tell(void *arg)
{
	struct eio_fd *fds = arg;

	note("waits");
	expect_ok(eio_ll_await_readable(fds[0]));
	note("readable");
	expect_ok(eio_ll_await_writable(fds[1]));
	note("writable");
	return 0;
}

RING_TEST(readiness_is_waited_for_and_nothing_is_taken)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w, full_r, fds[2];
	char b[4096] = "";

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	fds[0] = r;
	pipe_on(&sw, &full_r, &fds[1]);
	fcntl(number(fds[1]), F_SETFL, O_NONBLOCK);
	while (write(number(fds[1]), b, sizeof(b)) > 0)
		;
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, await_and_tell, fds));
	expect_ok(eio_ll_noop());
	note("write");
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	note("read");
	ck_assert_int_eq(read(number(full_r), b, sizeof(b)), sizeof(b));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("waits write readable read writable");
	ck_assert_int_eq(readable_bytes(number(r)), 1);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN(
	"ll_socket", true, bytes_go_both_ways_and_shutdown_is_an_end_test,
	accept_tells_who_it_is_test, a_connection_nobody_takes_is_refused_with_its_address_test,
	sockets_fail_as_the_system_says_test, flags_go_to_send_and_recv_test,
	what_is_there_is_received_without_waiting_among_many_fibers_test,
	a_reset_connection_gives_ECONNRESET_test, send_raises_no_SIGPIPE,
	pairs_are_connected_and_close_on_exec_test, a_pair_is_not_made_in_a_cancelled_context_test,
	sockets_tell_both_addresses_test, options_are_set_and_asked_for_test,
	names_and_options_are_there_for_any_thread_and_when_cancelled,
	whole_transfers_are_one_trip_or_several, whole_transfers_that_fail_tell_how_much_went_test,
	a_send_that_sends_nothing_fails, a_pair_without_memory_for_both_handles_is_closed_test,
	whole_transfers_that_are_cancelled_tell_how_much_went_test,
	a_cancelled_accept_leaves_nothing_test, a_connection_for_a_finished_switch_is_closed_test,
	closing_a_listener_ends_its_accepts_and_frees_the_port_test,
	closing_a_listener_without_accepts_frees_the_port_test,
	a_borrowed_listener_is_ended_and_stays_open_test, closing_a_listener_is_not_cancelled_test,
	closing_a_listener_ends_an_accept_that_waits_for_an_entry,
	closing_a_listener_ends_an_accept_that_polls,
	closing_a_listener_ends_the_accepts_of_other_domains,
	a_connection_that_comes_while_the_listener_closes_is_not_leaked,
	a_request_to_cancel_that_comes_too_late_is_taken_back,
	splice_moves_bytes_through_a_pipe_test, splice_without_a_pipe_is_EINVAL_test,
	splice_waits_also_where_a_side_is_nonblocking, splice_pins_both_sides_as_long_as_it_takes,
	poll_gives_the_events_that_are_there_test,
	readiness_is_waited_for_and_nothing_is_taken_test)
