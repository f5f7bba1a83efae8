/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include "io/env.h"
#include <eio/low_level.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static struct eio_dgram open_with(struct eio_switch *sw, const char *where,
				  const struct eio_dgram_opts *opts, struct eio_addr *at)
{
	struct eio_dgram d;

	expect_ok(eio_addr_parse(at, where));
	expect_ok(eio_net_datagram(env->net, sw, at, opts, &d));
	expect_ok(eio_dgram_local_addr(d, at));
	return d;
}

static struct eio_dgram open_at(struct eio_switch *sw, const char *where, struct eio_addr *at)
{
	return open_with(sw, where, NULL, at);
}

static int send_bytes(struct eio_dgram d, const struct eio_addr *dst, const void *p, size_t n)
{
	struct iovec iov = {(void *) p, n};

	return eio_dgram_send(d, dst, &iov, 1);
}

static int send_text(struct eio_dgram d, const struct eio_addr *dst, const char *text)
{
	return send_bytes(d, dst, text, strlen(text));
}

/* The next datagram is this one. */
static void expect_next(struct eio_dgram d, const char *text, struct eio_addr *ret_peer)
{
	char buf[64];

	expect_err(eio_dgram_recv(d, buf, sizeof(buf), ret_peer), strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static int fd_number(struct eio_dgram d)
{
	struct eio_fd fd;

	expect_ok(eio_dgram_fd(d, &fd));
	return number(fd);
}

static bool is_waiting(struct eio_dgram d)
{
	char b;

	return recv(fd_number(d), &b, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
}

/* Every family: where one socket is, and another */

static char abstract[2][64];

static const char *const families[][2] = {
	{"127.0.0.1:0", "127.0.0.1:0"},
	{"[::1]:0", "[::1]:0"},
	{"unix:one", "unix:other"},
	{abstract[0], abstract[1]},
};

static bool has(size_t family)
{
	for (int i = 0; i < 2; i++)
		snprintf(abstract[i], sizeof(abstract[i]), "%s-%d", own_name(), i);
	return *families[family][0] != '[' || has_ipv6();
}

/* Two sockets of a family, each with an address */
struct two {
	struct eio_switch sw;
	struct eio_dgram a, b;
	struct eio_addr here, there; /* a's and b's */
};

/* False: the machine has no such family. */
static bool meet(size_t family, struct two *t)
{
	if (!has(family))
		return false;
	eio_switch_begin(&t->sw);
	t->a = open_at(&t->sw, families[family][0], &t->here);
	t->b = open_at(&t->sw, families[family][1], &t->there);
	return true;
}

static void part(struct two *t)
{
	expect_ok(eio_switch_end(&t->sw, 0));
}

DIR_TEST(datagrams_of_every_family_come_with_their_sender)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct eio_addr peer;
		struct two t;

		if (!meet(i, &t))
			continue;
		expect_ok(send_text(t.a, &t.there, "ping"));
		expect_next(t.b, "ping", &peer);
		expect_same_addr(&peer, &t.here);
		expect_ok(send_text(t.b, &peer, "pong"));
		expect_next(t.a, "pong", &peer);
		expect_same_addr(&peer, &t.there);
		/* Nobody need be told. */
		expect_ok(send_text(t.a, &t.there, "again"));
		expect_next(t.b, "again", NULL);
		ck_assert_int_ne(fcntl(fd_number(t.a), F_GETFD) & FD_CLOEXEC, 0);
		expect_err(eio_dgram_peer_addr(t.a, &peer), -ENOTCONN);
		part(&t);
		expect_err(eio_dgram_close(t.a), -EBADF);
		ck_assert(!exists("one") && !exists("other"));
	}
	return 0;
}

DIR_TEST(an_empty_datagram_is_a_datagram_and_no_end)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct eio_addr peer;
		struct two t;
		char c;

		if (!meet(i, &t))
			continue;
		expect_ok(send_text(t.a, &t.there, ""));
		expect_ok(eio_dgram_send(t.a, &t.there, NULL, 0));
		expect_ok(send_text(t.a, &t.there, "x"));
		expect_ok(eio_dgram_recv(t.b, &c, 1, &peer));
		expect_same_addr(&peer, &t.here);
		/* It needs no room, nor has it too little. */
		expect_ok(eio_dgram_recv(t.b, NULL, 0, NULL));
		expect_err(eio_dgram_recv(t.b, &c, 1, NULL), 1);
		part(&t);
	}
	return 0;
}

DIR_TEST(a_datagram_that_is_too_long_is_told_and_leaves_the_next_as_it_is)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct eio_addr peer;
		char buf[8] = "........";
		struct two t;

		if (!meet(i, &t))
			continue;
		expect_ok(send_text(t.a, &t.there, "too long"));
		expect_ok(send_text(t.a, &t.there, "none"));
		expect_ok(send_text(t.a, &t.there, "four"));
		expect_err(eio_dgram_recv(t.b, buf, 4, &peer), -EMSGSIZE);
		ck_assert_uint_eq(eio_last_error()->done, 8);
		ck_assert_mem_eq(buf, "too ....", 8);
		expect_same_addr(&peer, &t.here);
		expect_err(eio_dgram_recv(t.b, NULL, 0, NULL), -EMSGSIZE);
		ck_assert_uint_eq(eio_last_error()->done, 4);
		expect_err(eio_dgram_recv(t.b, buf, 4, NULL), 4);
		ck_assert_mem_eq(buf, "four....", 8);
		ck_assert(!is_waiting(t.b));
		part(&t);
	}
	return 0;
}

enum { UDP_MAX = 65507 };

RING_TEST(datagrams_are_gathered_and_those_of_any_size_are_whole)
{
	static struct iovec iov[IOV_MAX + 1];
	static char data[UDP_MAX + 1], found[UDP_MAX + 1];
	const struct iovec pieces[] = {{"ab", 2}, {"", 0}, {"cdefg", 5}};
	static const size_t sizes[] = {1, 1471, 1473, 9000, 20000, UDP_MAX};
	struct eio_addr here, there;
	struct eio_dgram a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	a = open_at(&sw, "127.0.0.1:0", &here);
	b = open_at(&sw, "127.0.0.1:0", &there);
	expect_ok(eio_dgram_send(a, &there, pieces, 3));
	expect_next(b, "abcdefg", NULL);
	fill(data, sizeof(data), 0);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		expect_ok(send_bytes(a, &there, data, sizes[i]));
		expect_err(eio_dgram_recv(b, found, sizeof(found), NULL), sizes[i]);
		ck_assert(is_filled(found, sizes[i], 0));
	}
	expect_err(send_bytes(a, &there, data, UDP_MAX + 1), -EMSGSIZE);
	expect_failed_at("send_msg", &there);
	for (int i = 0; i <= IOV_MAX; i++)
		iov[i] = (struct iovec){&data[i], 1};
	expect_err(eio_dgram_send(a, &there, iov, IOV_MAX + 1), -EMSGSIZE);
	expect_err(eio_dgram_send(a, &there, iov, -1), -EMSGSIZE);
	expect_ok(eio_dgram_send(a, &there, iov, IOV_MAX));
	expect_err(eio_dgram_recv(b, found, sizeof(found), NULL), IOV_MAX);
	ck_assert(is_filled(found, IOV_MAX, 0));
	ck_assert(!is_waiting(b));
	return eio_switch_end(&sw, 0);
}

/* Without an address of its own, and connected */

RING_TEST(a_socket_without_an_address_gets_one_when_it_sends)
{
	struct eio_addr there, peer;
	struct eio_dgram a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_net_datagram(env->net, &sw, NULL, NULL, &a));
	expect_err(send_text(a, NULL, "x"), -EDESTADDRREQ);
	b = open_at(&sw, "127.0.0.1:0", &there);
	expect_ok(send_text(a, &there, "who am I"));
	expect_next(b, "who am I", &peer);
	ck_assert_uint_ne(eio_addr_port(&peer), 0);
	expect_ok(send_text(b, &peer, "you"));
	expect_next(a, "you", NULL);
	if (has_ipv6()) {
		expect_ok(eio_addr_parse(&there, "[::1]:9"));
		expect_err(send_text(a, &there, "x"), -EAFNOSUPPORT);
		expect_failed_at("send_msg", &there);
	}
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_unix_socket_without_a_name_is_a_sender_of_length_0)
{
	struct eio_addr at, peer;
	struct eio_dgram_opts opts = {.connect_to = &at};
	struct eio_dgram a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	b = open_at(&sw, "unix:socket", &at);
	expect_ok(eio_net_datagram(env->net, &sw, NULL, &opts, &a));
	expect_ok(send_text(a, NULL, "anonymous"));
	memset(&peer, 0xff, sizeof(peer));
	expect_next(b, "anonymous", &peer);
	ck_assert_mem_eq(&peer, &(struct eio_addr){.len = 0}, sizeof(peer));
	expect_err(send_text(b, &peer, "x"), -ENOTCONN);
	expect_ok(eio_dgram_peer_addr(a, &peer));
	expect_same_addr(&peer, &at);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_connected_socket_hears_its_peer_alone)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct eio_addr one, other, found;
		struct eio_dgram_opts opts = {.connect_to = &one};
		struct eio_dgram a, b, stranger;
		struct eio_switch sw;
		int rc;

		if (!has(i))
			continue;
		eio_switch_begin(&sw);
		a = open_at(&sw, families[i][0], &one);
		b = open_with(&sw, families[i][1], &opts, &other);
		expect_ok(eio_dgram_peer_addr(b, &found));
		expect_same_addr(&found, &one);
		stranger = open_at(&sw,
				   i == 1 ? "[::1]:0"
				   : i    ? "unix:third"
					  : "127.0.0.1:0",
				   &found);
		rc = send_text(stranger, &other, "no");
		ck_assert(rc == (i < 2 ? 0 : -EPERM));
		expect_ok(send_text(b, NULL, "hello"));
		expect_next(a, "hello", &found);
		expect_same_addr(&found, &other);
		expect_ok(send_text(a, &other, "yes"));
		expect_next(b, "yes", &found);
		expect_same_addr(&found, &one);
		ck_assert(!is_waiting(b));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_connected_socket_is_told_that_nobody_is_there)
{
	struct eio_addr at;
	struct eio_dgram_opts opts = {.connect_to = &at};
	struct eio_dgram a, gone;
	struct eio_switch sw;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	gone = open_at(&sw, "127.0.0.1:0", &at);
	expect_ok(eio_dgram_close(gone));
	expect_ok(eio_net_datagram(env->net, &sw, NULL, &opts, &a));
	expect_ok(send_text(a, NULL, "x"));
	expect_err(eio_dgram_recv(a, &c, 1, NULL), -ECONNREFUSED);
	expect_ok(send_text(a, NULL, "x"));
	return eio_switch_end(&sw, 0);
}

/* Unix paths: what listeners do with theirs (test_net.c), datagram sockets do too */

DIR_TEST(the_path_of_a_datagram_socket_is_removed_with_it)
{
	struct eio_switch sw;
	struct eio_dgram d;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	d = open_at(&sw, "unix:socket", &at);
	ck_assert(exists("socket"));
	expect_ok(eio_dgram_close(d));
	ck_assert(!exists("socket"));
	expect_err(eio_dgram_close(d), -EBADF);
	d = open_at(NULL, "unix:socket", &at);
	expect_ok(eio_dgram_close(d));
	ck_assert(!exists("socket"));
	open_at(&sw, "unix:socket", &at);
	expect_err(eio_switch_end(&sw, -EIO), -EIO);
	ck_assert(!exists("socket"));

	d = open_at(NULL, "unix:socket", &at);
	ck_assert_int_eq(unlink("socket"), 0);
	put_text("socket", "a file");
	expect_ok(eio_dgram_close(d));
	expect_text("socket", "a file");
	return 0;
}

DIR_TEST(a_stale_path_is_replaced_if_asked_for_and_one_in_use_never)
{
	static const struct eio_dgram_opts reuse = {.reuse_addr = true};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct eio_switch sw;
	struct eio_dgram d;
	struct eio_addr at;

	(void) arg;
	ck_assert_int_eq(bind(fd, (struct sockaddr *) &un, sizeof(un)), 0);
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	expect_err(eio_net_datagram(env->net, NULL, &at, &reuse, &d), -EADDRINUSE);
	expect_failed_at("bind", &at);
	close(fd);
	expect_err(eio_net_datagram(env->net, NULL, &at, NULL, &d), -EADDRINUSE);
	ck_assert(exists("socket"));
	eio_switch_begin(&sw);
	d = open_with(&sw, "unix:socket", &reuse, &at);
	expect_err(eio_net_datagram(env->net, NULL, &at, &reuse, &d), -EADDRINUSE);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(!exists("socket"));
	return 0;
}

/* Options and failures */

RING_TEST(a_datagram_sockets_options_are_set_before_it_is_bound)
{
	const struct eio_sockopt_setting broadcast[] = {{EIO_SO_BROADCAST, 1}, {EIO_IP_TTL, 3}};
	const struct eio_dgram_opts shared = {.reuse_port = true};
	const struct eio_dgram_opts loud = {.options = broadcast, .n_options = 2};
	struct eio_addr at, all;
	struct eio_dgram d, other;
	struct eio_switch sw;
	struct eio_fd fd;
	int64_t value;

	(void) arg;
	eio_switch_begin(&sw);
	d = open_with(&sw, "127.0.0.1:0", &shared, &at);
	expect_err(eio_net_datagram(env->net, &sw, &at, NULL, &other), -EADDRINUSE);
	expect_ok(eio_net_datagram(env->net, &sw, &at, &shared, &other));
	eio_addr_tcp4(&all, "\x7f\xff\xff\xff", eio_addr_port(&at));
	expect_err(send_text(d, &all, "x"), -EACCES);
	d = open_with(&sw, "127.0.0.1:0", &loud, &at);
	expect_ok(send_text(d, &all, "x"));
	expect_ok(eio_dgram_fd(d, &fd));
	expect_ok(eio_sockopt_get(fd, EIO_IP_TTL, &value));
	ck_assert_int_eq(value, 3);
	d = open_with(&sw, "127.0.0.1:0", &(struct eio_dgram_opts){.reuse_addr = true}, &at);
	expect_ok(eio_dgram_fd(d, &fd));
	expect_ok(eio_sockopt_get(fd, EIO_SO_REUSEADDR, &value));
	ck_assert_int_eq(value, 1);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(one_that_cannot_be_made_says_why_and_leaves_nothing)
{
	static const struct eio_sockopt_setting cork = {EIO_TCP_CORK, 1};
	static const struct {
		const char *at, *to, *op, *subject;
		int err;
	} failures[] = {
		{"192.0.2.1:0", NULL, "bind", "192.0.2.1:0", -EADDRNOTAVAIL},
		{"unix:none/socket", NULL, "bind", "unix:none/socket", -ENOENT},
		{"unix:socket", "unix:nobody", "connect", "unix:nobody", -ENOENT},
		{NULL, "unix:nobody", "connect", "unix:nobody", -ENOENT},
		{"127.0.0.1:0", "unix:nobody", "connect", "unix:nobody", -EAFNOSUPPORT},
		{"[::1]:0", "127.0.0.1:9", "connect", "127.0.0.1:9", -EAFNOSUPPORT},
		{"unix:socket", "unix:stream", "connect", "unix:stream", -EPROTOTYPE},
	};
	struct eio_dgram_opts wrong = {.options = &cork, .n_options = 1};
	struct eio_listener l;
	struct eio_addr at, to;
	struct eio_dgram d;
	unsigned fds;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "unix:stream"));
	expect_ok(eio_net_listen(env->net, NULL, &at, NULL, &l));
	fds = count_fds();
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct eio_dgram_opts opts = {.connect_to = failures[i].to ? &to : NULL};

		if (failures[i].at)
			expect_ok(eio_addr_parse(&at, failures[i].at));
		if (failures[i].to)
			expect_ok(eio_addr_parse(&to, failures[i].to));
		expect_err(eio_net_datagram(env->net, NULL, failures[i].at ? &at : NULL, &opts, &d),
			   failures[i].err);
		ck_assert_str_eq(eio_last_error()->op, failures[i].op);
		ck_assert_str_eq(eio_last_error()->subject, failures[i].subject);
		ck_assert_uint_eq(count_fds(), fds);
		ck_assert(!exists("socket"));
	}
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	expect_err(eio_net_datagram(env->net, NULL, &at, &wrong, &d), -ENOPROTOOPT);
	ck_assert_str_eq(eio_last_error()->subject, "TCP_CORK 1");
	memset(&at, 0, sizeof(at));
	expect_err(eio_net_datagram(env->net, NULL, &at, NULL, &d), -EAFNOSUPPORT);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(!exists("socket"));
	return eio_listener_close(l);
}

DIR_TEST(without_memory_or_descriptors_there_are_no_datagram_sockets)
{
	unsigned fds = count_fds();
	struct eio_dgram d, other;
	struct eio_addr at;
	int rc = -ENOMEM;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	if (!SANITIZED) {
		use_memory_up(1);
		rc = eio_net_datagram(env->net, NULL, &at, NULL, &d);
		give_memory_back();
	}
	expect_err(rc, -ENOMEM);
	ck_assert_uint_eq(count_fds(), fds);
	limit_fds(0);
	expect_err(eio_net_datagram(env->net, NULL, &at, NULL, &d), -EMFILE);
	expect_failed_at("socket", &at);
	expect_err(eio_net_datagram(env->net, NULL, NULL, NULL, &d), -EMFILE);
	expect_err(eio_dgram_socketpair(NULL, &d, &other), -EMFILE);
	lift_fd_limit();
	limit_fds(1);
	expect_err(eio_dgram_socketpair(NULL, &d, &other), -EMFILE);
	lift_fd_limit();
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(!exists("socket"));
	return 0;
}

static void expect_off(struct eio_switch *off, int err)
{
	unsigned fds = count_fds();
	struct eio_dgram d, other;
	struct eio_addr at;

	expect_ok(eio_addr_parse(&at, "unix:fresh"));
	expect_err(eio_net_datagram(env->net, off, &at, NULL, &d), err);
	expect_err(eio_net_datagram(env->net, off, NULL, NULL, &d), err);
	expect_err(eio_dgram_socketpair(off, &d, &other), err);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(!exists("fresh"));
}

DIR_TEST(no_datagram_socket_is_made_on_a_switch_that_is_off)
{
	struct eio_switch off;

	(void) arg;
	eio_switch_begin(&off);
	expect_ok(eio_switch_fail(&off, -EPROTO));
	expect_off(&off, -ECANCELED);
	expect_err(eio_switch_end(&off, 0), -EPROTO);
	expect_off(&off, -EINVAL);
	return 0;
}

DIR_TEST(a_send_that_fails_names_its_address)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "stale"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct eio_addr at, to;
	struct eio_switch sw;
	struct eio_dgram d;

	(void) arg;
	ck_assert_int_eq(bind(fd, (struct sockaddr *) &un, sizeof(un)), 0);
	close(fd);
	eio_switch_begin(&sw);
	d = open_at(&sw, "unix:socket", &at);
	expect_ok(eio_addr_parse(&to, "unix:nobody"));
	expect_err(send_text(d, &to, "x"), -ENOENT);
	expect_failed_at("send_msg", &to);
	expect_ok(eio_addr_parse(&to, "unix:stale"));
	expect_err(send_text(d, &to, "x"), -ECONNREFUSED);
	expect_failed_at("send_msg", &to);
	expect_err(send_text(d, NULL, "x"), -ENOTCONN);
	return eio_switch_end(&sw, 0);
}

/* Full sockets: Unix ones take nothing while the receiver has no room */

struct sending {
	struct eio_dgram d;
	const struct eio_addr *dst;
	struct eio_cancel ctx;
	int rc;
	bool over;
};

static int send_last(void *arg)
{
	struct sending *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = send_text(s->d, s->dst, "last");
	eio_cancel_end(&s->ctx);
	s->over = true;
	return 0;
}

/* By plain calls: how many there was room for. */
static unsigned fill_up(struct eio_dgram d, const struct eio_addr *dst)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(dst, &len);
	unsigned n = 0;

	while (sendto(fd_number(d), "x", 1, MSG_DONTWAIT, sa, (socklen_t) len) == 1)
		n++;
	ck_assert_int_eq(errno, EAGAIN);
	return n;
}

static struct faults counting;

static int wait_for_room(void *arg)
{
	unsigned fds = count_fds();

	(void) arg;
	for (int i = 0; i < 8; i++) {
		bool connected = i & 1, cancelled = i & 2, gone = i & 4;
		struct eio_addr here, there;
		struct eio_dgram_opts opts = {.connect_to = connected ? &there : NULL};
		struct eio_dgram receiver;
		struct sending s = {.over = false};
		struct eio_switch sw;
		unsigned n, tries = counting.entries[IORING_OP_SENDMSG];

		eio_switch_begin(&sw);
		receiver = open_at(&sw, "unix:receiver", &there);
		s.d = open_with(&sw, "unix:sender", &opts, &here);
		s.dst = connected ? NULL : &there;
		n = fill_up(s.d, &there);
		expect_ok(eio_fork(&sw, send_last, &s));
		trips(20);
		ck_assert(!s.over);
		/* It waits, instead of trying again and again. */
		ck_assert_uint_eq(counting.entries[IORING_OP_SENDMSG], tries + 1);
		if (cancelled) {
			expect_ok(eio_cancel_raise(&s.ctx, -EIO));
			wait_until(s.over);
		}
		if (gone)
			expect_ok(eio_dgram_close(receiver));
		for (; !gone && n > 0; n--)
			expect_next(receiver, "x", NULL);
		wait_until(s.over);
		expect_err(s.rc, cancelled ? -ECANCELED
				 : gone    ? connected ? -ECONNREFUSED : -ENOENT
					   : 0);
		/* It is what was sent: not less of it. */
		if (s.rc == 0)
			expect_next(receiver, "last", NULL);
		ck_assert(gone || !is_waiting(receiver));
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(count_fds(), fds);
	}
	return 0;
}

START_TEST(a_send_waits_for_room_at_the_receiver)
{
	faults_install(&counting);
	enter_scratch();
	run_ring(wait_for_room, 0);
	leave_scratch();
}
END_TEST

/* It is connected to the sender, and no other socket is allowed to ask whether it has room. */
DIR_TEST(a_send_waits_for_room_at_a_receiver_that_hears_the_sender_alone)
{
	struct eio_addr here, there;
	struct eio_dgram_opts opts = {.connect_to = &here};
	struct eio_dgram receiver;
	struct sending s = {.dst = &there};
	struct eio_switch sw;
	unsigned n;

	(void) arg;
	for (int cancelled = 0; cancelled < 2; cancelled++) {
		eio_switch_begin(&sw);
		s.d = open_at(&sw, "unix:sender", &here);
		receiver = open_with(&sw, "unix:receiver", &opts, &there);
		s.over = false;
		n = fill_up(s.d, &there);
		expect_ok(eio_fork(&sw, send_last, &s));
		trips(20);
		ck_assert(!s.over);
		if (cancelled)
			expect_ok(eio_cancel_raise(&s.ctx, -EIO));
		else
			for (; n > 0; n--)
				expect_next(receiver, "x", NULL);
		wait_until(s.over);
		expect_err(s.rc, cancelled ? -ECANCELED : 0);
		if (!cancelled)
			expect_next(receiver, "last", NULL);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* To wait by address takes a descriptor. */
DIR_TEST(without_descriptors_a_send_to_a_full_receiver_fails)
{
	struct eio_addr here, there;
	struct eio_dgram a, b;
	struct eio_switch sw;
	unsigned n;
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	a = open_at(&sw, "unix:sender", &here);
	b = open_at(&sw, "unix:receiver", &there);
	n = fill_up(a, &there);
	limit_fds(0);
	rc = send_text(a, &there, "lost");
	lift_fd_limit();
	expect_err(rc, -EMFILE);
	while (n--)
		expect_next(b, "x", NULL);
	ck_assert(!is_waiting(b));
	return eio_switch_end(&sw, 0);
}

/* Several fibers, and closing */

struct receiving {
	struct eio_dgram d;
	struct eio_cancel ctx;
	char buf[8];
	ssize_t n;
	bool over;
};

static int receive(void *arg)
{
	struct receiving *r = arg;

	eio_cancel_begin(&r->ctx);
	r->n = eio_dgram_recv(r->d, r->buf, sizeof(r->buf), NULL);
	eio_cancel_end(&r->ctx);
	r->over = true;
	return 0;
}

static void receive_later(struct eio_switch *sw, struct receiving *r, struct eio_dgram d)
{
	*r = (struct receiving){.d = d};
	expect_ok(eio_fork(sw, receive, r));
	trips(2);
	ck_assert(!r->over);
}

enum { RECEIVERS = 6 };

DIR_TEST(each_of_several_receivers_gets_a_datagram_of_its_own)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct receiving r[RECEIVERS];
		bool came[RECEIVERS] = {false};
		struct two t;

		if (!meet(i, &t))
			continue;
		for (int k = 0; k < RECEIVERS; k++)
			receive_later(&t.sw, &r[k], t.b);
		for (char k = 0; k < RECEIVERS; k++)
			expect_ok(send_bytes(t.a, &t.there, &k, 1));
		for (int k = 0; k < RECEIVERS; k++) {
			wait_until(r[k].over);
			expect_err(r[k].n, 1);
			came[(int) r[k].buf[0]] = true;
		}
		for (int k = 0; k < RECEIVERS; k++)
			ck_assert(came[k]);
		part(&t);
	}
	return 0;
}

DIR_TEST(a_cancelled_receive_takes_no_datagram)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct receiving r;
		struct two t;

		if (!meet(i, &t))
			continue;
		receive_later(&t.sw, &r, t.b);
		expect_ok(eio_cancel_raise(&r.ctx, -EIO));
		wait_until(r.over);
		expect_err(r.n, -ECANCELED);
		expect_ok(send_text(t.a, &t.there, "still"));
		expect_next(t.b, "still", NULL);
		part(&t);
	}
	return 0;
}

RING_TEST(a_receive_that_waits_outlives_the_close_and_no_new_one_begins)
{
	struct eio_addr here, there;
	struct eio_dgram a, b;
	struct receiving r;
	struct eio_switch sw;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	a = open_at(&sw, "127.0.0.1:0", &here);
	b = open_at(&sw, "127.0.0.1:0", &there);
	receive_later(&sw, &r, b);
	expect_ok(eio_dgram_close(b));
	expect_err(eio_dgram_close(b), -EBADF);
	expect_err(eio_dgram_recv(b, &c, 1, NULL), -EBADF);
	expect_err(send_text(b, &here, "x"), -EBADF);
	expect_err(eio_dgram_local_addr(b, &there), -EBADF);
	expect_ok(send_text(a, &there, "last"));
	wait_until(r.over);
	expect_err(r.n, 4);
	/* Now the port is free. */
	expect_ok(eio_net_datagram(env->net, &sw, &there, NULL, &b));
	return eio_switch_end(&sw, 0);
}

static int close_it(void *arg)
{
	return eio_dgram_close(*(struct eio_dgram *) arg);
}

DIR_TEST(another_domain_or_thread_may_close_it)
{
	struct eio_switch sw;
	struct eio_dgram d;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	d = open_at(&sw, "unix:socket", &at);
	expect_ok(in_other_domain(close_it, &d));
	ck_assert(!exists("socket"));
	expect_err(eio_dgram_close(d), -EBADF);
	d = open_at(&sw, "unix:socket", &at);
	expect_ok(on_plain_thread(close_it, &d));
	ck_assert(!exists("socket"));
	return eio_switch_end(&sw, 0);
}

/* Pairs */

RING_TEST(a_pair_is_connected_and_keeps_datagrams_apart)
{
	unsigned fds = count_fds();
	struct eio_dgram a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_dgram_socketpair(&sw, &a, &b));
	ck_assert_int_ne(fcntl(fd_number(a), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(fd_number(b), F_GETFD) & FD_CLOEXEC, 0);
	expect_ok(send_text(a, NULL, "one"));
	expect_ok(send_text(a, NULL, ""));
	expect_ok(send_text(a, NULL, "two"));
	expect_ok(send_text(b, NULL, "back"));
	expect_next(b, "one", NULL);
	expect_next(b, "", NULL);
	expect_next(b, "two", NULL);
	expect_next(a, "back", NULL);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(count_fds(), fds);
	expect_ok(eio_dgram_socketpair(NULL, &a, &b));
	ck_assert_uint_eq(count_fds(), fds + 2);
	expect_ok(eio_dgram_close(a));
	expect_err(send_text(b, NULL, "x"), -ECONNREFUSED);
	return eio_dgram_close(b);
}

/* Sockets from outside */

DIR_TEST(an_imported_socket_works_and_its_path_is_left)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int unix_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct eio_addr at, found;
	struct eio_dgram d, other;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	ck_assert_int_eq(bind(unix_fd, (struct sockaddr *) &un, sizeof(un)), 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, unix_fd, EIO_FD_CLOSE, &fd));
	d = eio_dgram_of_fd(fd);
	expect_ok(eio_dgram_local_addr(d, &at));
	expect_ok(eio_addr_parse(&found, "unix:socket"));
	expect_same_addr(&at, &found);
	other = open_at(&sw, "unix:other", &found);
	expect_ok(send_text(other, &at, "in"));
	expect_next(d, "in", &found);
	expect_ok(send_text(d, &found, "out"));
	expect_next(other, "out", NULL);
	expect_ok(eio_dgram_close(d));
	ck_assert(!eio_fd_is_open(fd));
	ck_assert(exists("socket"));
	return eio_switch_end(&sw, 0);
}

/* Providers */

static const struct eio_dgram_ops no_ops = {.name = "nothing"};
static const struct eio_net_ops no_net_ops = {.name = "nothing"};

MOCK_TEST(zeroed_datagram_sockets_give_EBADF_and_missing_operations_have_defaults)
{
	struct eio_dgram zero = {.ops = NULL}, none = {.ops = &no_ops}, d;
	struct eio_net zero_net = {.ops = NULL}, no_net = {.ops = &no_net_ops};
	struct eio_addr at;
	struct eio_fd fd;
	char c;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "127.0.0.1:1"));
	expect_err(eio_net_datagram(zero_net, NULL, &at, NULL, &d), -EBADF);
	expect_err(eio_dgram_send(zero, &at, NULL, 0), -EBADF);
	expect_err(eio_dgram_recv(zero, &c, 1, NULL), -EBADF);
	expect_err(eio_dgram_close(zero), -EBADF);
	expect_err(eio_dgram_local_addr(zero, &at), -EBADF);
	expect_err(eio_dgram_peer_addr(zero, &at), -EBADF);
	expect_err(eio_dgram_fd(zero, &fd), -EBADF);

	expect_err(eio_net_datagram(no_net, NULL, &at, NULL, &d), -EOPNOTSUPP);
	expect_err(eio_dgram_send(none, &at, NULL, 0), -EOPNOTSUPP);
	expect_err(eio_dgram_recv(none, &c, 1, NULL), -EOPNOTSUPP);
	expect_ok(eio_dgram_close(none));
	expect_err(eio_dgram_local_addr(none, &at), -ENOTSUP);
	expect_err(eio_dgram_peer_addr(none, &at), -ENOTSUP);
	expect_err(eio_dgram_fd(none, &fd), -ENOTSUP);
	return 0;
}

static int plain_datagram(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			  const struct eio_dgram_opts *opts, struct eio_dgram *ret)
{
	(void) net, (void) sw;
	ck_assert_ptr_nonnull(opts);
	note("%s%s", addr ? "at" : "anywhere", opts->reuse_port ? ", shared" : "");
	*ret = (struct eio_dgram){.ops = &no_ops};
	return 0;
}

static const struct eio_net_ops plain_ops = {.name = "plain", .datagram = plain_datagram};

MOCK_TEST(a_programs_own_net_makes_datagram_sockets_of_its_own)
{
	const struct eio_dgram_opts shared = {.reuse_port = true};
	struct eio_net net = {.ops = &plain_ops};
	struct eio_addr at;
	struct eio_dgram d;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "127.0.0.1:1"));
	expect_ok(eio_net_datagram(net, NULL, &at, NULL, &d));
	expect_ok(eio_net_datagram(net, NULL, NULL, &shared, &d));
	ck_assert_ptr_eq(d.ops, &no_ops);
	expect_log("at anywhere, shared");
	return 0;
}

START_TEST(without_a_domain_there_are_no_datagrams)
{
	struct eio_net net = {.ops = &plain_ops};
	struct eio_dgram d = {.ops = &no_ops};
	char c;

	expect_err(eio_net_datagram(net, NULL, NULL, NULL, &d), -EPERM);
	expect_err(eio_dgram_send(d, NULL, NULL, 0), -EPERM);
	expect_err(eio_dgram_recv(d, &c, 1, NULL), -EPERM);
}
END_TEST

SUITE_MAIN("dgram", false, datagrams_of_every_family_come_with_their_sender_test,
	   an_empty_datagram_is_a_datagram_and_no_end_test,
	   a_datagram_that_is_too_long_is_told_and_leaves_the_next_as_it_is_test,
	   datagrams_are_gathered_and_those_of_any_size_are_whole_test,
	   a_socket_without_an_address_gets_one_when_it_sends_test,
	   a_unix_socket_without_a_name_is_a_sender_of_length_0_test,
	   a_connected_socket_hears_its_peer_alone_test,
	   a_connected_socket_is_told_that_nobody_is_there_test,
	   the_path_of_a_datagram_socket_is_removed_with_it_test,
	   a_stale_path_is_replaced_if_asked_for_and_one_in_use_never_test,
	   a_datagram_sockets_options_are_set_before_it_is_bound_test,
	   one_that_cannot_be_made_says_why_and_leaves_nothing_test,
	   without_memory_or_descriptors_there_are_no_datagram_sockets_test,
	   no_datagram_socket_is_made_on_a_switch_that_is_off_test,
	   a_send_that_fails_names_its_address_test, a_send_waits_for_room_at_the_receiver,
	   a_send_waits_for_room_at_a_receiver_that_hears_the_sender_alone_test,
	   without_descriptors_a_send_to_a_full_receiver_fails_test,
	   each_of_several_receivers_gets_a_datagram_of_its_own_test,
	   a_cancelled_receive_takes_no_datagram_test,
	   a_receive_that_waits_outlives_the_close_and_no_new_one_begins_test,
	   another_domain_or_thread_may_close_it_test,
	   a_pair_is_connected_and_keeps_datagrams_apart_test,
	   an_imported_socket_works_and_its_path_is_left_test,
	   zeroed_datagram_sockets_give_EBADF_and_missing_operations_have_defaults_test,
	   a_programs_own_net_makes_datagram_sockets_of_its_own_test,
	   without_a_domain_there_are_no_datagrams)
