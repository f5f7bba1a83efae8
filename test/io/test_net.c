/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include "io/env.h"
#include <eio/low_level.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct eio_listen_opts reuse = {.reuse_addr = true};

static struct eio_listener listen_with(struct eio_switch *sw, const char *text,
				       const struct eio_listen_opts *opts, struct eio_addr *at)
{
	struct eio_listener l;

	expect_ok(eio_addr_parse(at, text));
	expect_ok(eio_net_listen(env->net, sw, at, opts, &l));
	expect_ok(eio_listener_addr(l, at));
	return l;
}

static struct eio_listener listen_at(struct eio_switch *sw, const char *text, struct eio_addr *at)
{
	return listen_with(sw, text, NULL, at);
}

static struct eio_flow connect_to(struct eio_switch *sw, const struct eio_addr *at)
{
	struct eio_flow f;

	expect_ok(eio_net_connect(env->net, sw, at, NULL, &f));
	return f;
}

static struct eio_flow accept_from(struct eio_switch *sw, struct eio_listener l)
{
	struct eio_flow f;

	expect_ok(eio_net_accept(l, sw, &f, NULL));
	return f;
}

static int option(int unix_fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt(unix_fd, level, name, &value, &len), 0);
	return value;
}

static int listener_number(struct eio_listener l)
{
	struct eio_fd fd;

	expect_ok(eio_listener_fd(l, &fd));
	return number(fd);
}

/* Connections of every family */

enum { PLACES = 4 };

static const char *place(size_t i)
{
	static const char *const fixed[] = {"127.0.0.1:0", "[::1]:0", "unix:socket"};

	return i < COUNT(fixed) ? fixed[i] : own_name();
}

static bool has(const char *where)
{
	return *where != '[' || has_ipv6();
}

static void converse(struct eio_flow a, struct eio_flow b)
{
	char text[8] = "";

	expect_ok(eio_flow_copy_string(a, "ping"));
	expect_ok(eio_flow_read_exact(b, text, 4));
	ck_assert_str_eq(text, "ping");
	expect_ok(eio_flow_copy_string(b, "pong"));
	expect_ok(eio_flow_read_exact(a, text, 4));
	ck_assert_str_eq(text, "pong");
}

DIR_TEST(connections_of_every_family_carry_bytes_and_know_their_ends)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct eio_addr at, peer, near, far;
		struct eio_listener l;
		struct eio_flow a, b;
		struct eio_switch sw;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		l = listen_at(&sw, place(i), &at);
		a = connect_to(&sw, &at);
		expect_ok(eio_net_accept(l, &sw, &b, &peer));
		converse(a, b);
		expect_ok(eio_net_peer_addr(a, &far));
		expect_same_addr(&far, &at);
		expect_ok(eio_net_local_addr(b, &near));
		expect_same_addr(&near, &at);
		expect_ok(eio_net_local_addr(a, &near));
		expect_same_addr(&near, &peer);
		expect_ok(eio_net_peer_addr(b, &far));
		expect_same_addr(&far, &peer);
		ck_assert_int_ne(fcntl(flow_number(a), F_GETFD) & FD_CLOEXEC, 0);
		ck_assert_int_ne(fcntl(flow_number(b), F_GETFD) & FD_CLOEXEC, 0);
		ck_assert_int_ne(fcntl(listener_number(l), F_GETFD) & FD_CLOEXEC, 0);
		expect_ok(eio_flow_shutdown(a, EIO_SHUT_SEND));
		expect_ok(eio_flow_read(b, (char[1]){0}, 1));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

struct accepting {
	struct eio_listener l;
	struct eio_switch *sw; /* of the connection */
	struct eio_cancel ctx;
	struct eio_flow f;
	struct eio_addr peer;
	int rc;
	bool over;
};

static int accept_one(void *arg)
{
	struct accepting *a = arg;

	eio_cancel_begin(&a->ctx);
	a->rc = eio_net_accept(a->l, a->sw, &a->f, &a->peer);
	eio_cancel_end(&a->ctx);
	a->over = true;
	return 0;
}

/* Forks an accept and sees to it that the kernel has it. */
static void accept_later(struct eio_switch *sw, struct accepting *a, struct eio_listener l,
			 struct eio_switch *conn_sw)
{
	*a = (struct accepting){.l = l, .sw = conn_sw};
	expect_ok(eio_fork(sw, accept_one, a));
	trips(2);
	ck_assert(!a->over);
}

static struct eio_flow accepted(struct accepting *a)
{
	wait_until(a->over);
	expect_ok(a->rc);
	return a->f;
}

DIR_TEST(an_accept_waits_for_its_connection)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct accepting a, other;
		struct eio_listener l;
		struct eio_switch sw;
		struct eio_flow one;
		struct eio_addr at;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		l = listen_at(&sw, place(i), &at);
		accept_later(&sw, &a, l, &sw);
		accept_later(&sw, &other, l, &sw);
		one = connect_to(&sw, &at);
		converse(one, accepted(&a));
		ck_assert(!other.over);
		one = connect_to(&sw, &at);
		converse(one, accepted(&other));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(port_0_becomes_a_port_of_ones_own)
{
	struct eio_addr one, other;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	listen_at(&sw, "127.0.0.1:0", &one);
	listen_at(&sw, "127.0.0.1:0", &other);
	ck_assert_uint_ne(eio_addr_port(&one), 0);
	ck_assert_uint_ne(eio_addr_port(&one), eio_addr_port(&other));
	return eio_switch_end(&sw, 0);
}

/* Unix paths */

DIR_TEST(a_unix_path_is_removed_with_its_listener)
{
	struct eio_switch sw, inner;
	struct eio_listener l;
	struct eio_cancel c;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "unix:socket", &at);
	ck_assert(exists("socket"));
	expect_ok(eio_listener_close(l));
	ck_assert(!exists("socket"));

	eio_switch_begin(&inner);
	listen_at(&inner, "unix:socket", &at);
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert(!exists("socket"));

	eio_switch_begin(&inner);
	listen_at(&inner, "unix:socket", &at);
	expect_err(eio_switch_end(&inner, -EIO), -EIO);
	ck_assert(!exists("socket"));

	l = listen_at(NULL, "unix:socket", &at);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_ok(eio_listener_close(l));
	eio_cancel_end(&c);
	ck_assert(!exists("socket"));
	return eio_switch_end(&sw, 0);
}

/* A Unix socket made by plain calls: its number. */
static int plain_socket(const char *path, int type, int backlog)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	ck_assert_int_ge(fd, 0);
	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *) &un, sizeof(un)), 0);
	if (backlog)
		ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

DIR_TEST(what_took_the_place_of_a_unix_path_stays)
{
	struct eio_listener l;
	struct eio_addr at;
	int fd;

	(void) arg;
	l = listen_at(NULL, "unix:socket", &at);
	ck_assert_int_eq(unlink("socket"), 0);
	put_text("socket", "a file");
	expect_ok(eio_listener_close(l));
	expect_text("socket", "a file");
	ck_assert_int_eq(unlink("socket"), 0);

	l = listen_at(NULL, "unix:socket", &at);
	ck_assert_int_eq(rename("socket", "elsewhere"), 0);
	fd = plain_socket("socket", SOCK_STREAM, 5);
	expect_ok(eio_listener_close(l));
	ck_assert(exists("socket"));
	close(fd);

	l = listen_with(NULL, "unix:third", NULL, &at);
	ck_assert_int_eq(unlink("third"), 0);
	expect_ok(eio_listener_close(l));
	return 0;
}

static void expect_refused(const struct eio_addr *at, const struct eio_listen_opts *opts)
{
	unsigned fds = count_fds();
	struct eio_listener l;

	expect_err(eio_net_listen(env->net, NULL, at, opts, &l), -EADDRINUSE);
	expect_failed_at("bind", at);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(exists("socket"));
}

DIR_TEST(a_stale_unix_path_is_replaced_if_asked_for)
{
	struct eio_switch sw;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	close(plain_socket("socket", SOCK_STREAM, 5));
	expect_refused(&at, NULL);
	listen_with(&sw, "unix:socket", &reuse, &at);
	connect_to(&sw, &at);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(!exists("socket"));

	eio_switch_begin(&sw);
	close(plain_socket("socket", SOCK_DGRAM, 0));
	listen_with(&sw, "unix:socket", &reuse, &at);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_unix_path_that_somebody_has_open_is_not_replaced)
{
	struct eio_addr at, again;
	struct eio_switch sw;
	struct eio_flow f;
	int fd;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	fd = plain_socket("socket", SOCK_STREAM, 5);
	expect_refused(&at, &reuse);
	/* Nobody connected to ask. */
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(accept(fd, NULL, NULL), -1);
	close(fd);
	ck_assert_int_eq(unlink("socket"), 0);
	fd = plain_socket("socket", SOCK_STREAM, 0);
	expect_refused(&at, &reuse);
	close(fd);
	ck_assert_int_eq(unlink("socket"), 0);
	fd = plain_socket("socket", SOCK_DGRAM, 0);
	expect_refused(&at, &reuse);
	close(fd);
	ck_assert_int_eq(unlink("socket"), 0);

	eio_switch_begin(&sw);
	listen_at(&sw, "unix:socket", &again);
	expect_refused(&at, &reuse);
	expect_ok(eio_net_connect(env->net, &sw, &at, NULL, &f));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(files_that_are_no_sockets_are_never_replaced)
{
	struct eio_addr at;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	put_text("socket", "a file");
	expect_refused(&at, &reuse);
	expect_text("socket", "a file");
	ck_assert_int_eq(unlink("socket"), 0);
	ck_assert_int_eq(mkdir("socket", 0755), 0);
	expect_refused(&at, &reuse);
	ck_assert_int_eq(rmdir("socket"), 0);
	close(plain_socket("stale", SOCK_STREAM, 0));
	ck_assert_int_eq(symlink("stale", "socket"), 0);
	expect_refused(&at, &reuse);
	ck_assert(exists("stale"));
	return 0;
}

RING_TEST(an_abstract_name_is_free_again_after_its_listener)
{
	struct eio_listener l, other;
	struct eio_addr at;

	(void) arg;
	l = listen_at(NULL, own_name(), &at);
	expect_err(eio_net_listen(env->net, NULL, &at, &reuse, &other), -EADDRINUSE);
	expect_ok(eio_listener_close(l));
	l = listen_at(NULL, own_name(), &at);
	return eio_listener_close(l);
}

/* Listening: options and failures */

RING_TEST(listeners_have_the_options_asked_for)
{
	static const struct eio_listen_opts share = {.reuse_port = true};
	struct eio_listener plain, reusing, sharing, other;
	struct eio_switch sw;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	plain = listen_at(&sw, "127.0.0.1:0", &at);
	ck_assert_int_eq(option(listener_number(plain), SOL_SOCKET, SO_REUSEADDR), 0);
	ck_assert_int_eq(option(listener_number(plain), SOL_SOCKET, SO_REUSEPORT), 0);
	expect_err(eio_net_listen(env->net, &sw, &at, &share, &other), -EADDRINUSE);
	reusing = listen_with(&sw, "127.0.0.1:0", &reuse, &at);
	ck_assert_int_eq(option(listener_number(reusing), SOL_SOCKET, SO_REUSEADDR), 1);
	expect_err(eio_net_listen(env->net, &sw, &at, &reuse, &other), -EADDRINUSE);
	expect_failed_at("bind", &at);
	sharing = listen_with(&sw, "127.0.0.1:0", &share, &at);
	ck_assert_int_eq(option(listener_number(sharing), SOL_SOCKET, SO_REUSEPORT), 1);
	expect_ok(eio_net_listen(env->net, &sw, &at, &share, &other));
	return eio_switch_end(&sw, 0);
}

/* The server's side closed first, so its address lingers. */
RING_TEST(reuse_addr_takes_an_address_whose_connections_linger)
{
	struct eio_listener l, other;
	struct eio_flow a, b;
	struct eio_switch sw;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_with(&sw, "127.0.0.1:0", &reuse, &at);
	a = connect_to(&sw, &at);
	b = accept_from(&sw, l);
	expect_ok(eio_flow_close(b));
	expect_ok(eio_flow_read(a, (char[1]){0}, 1));
	expect_ok(eio_flow_close(a));
	expect_ok(eio_listener_close(l));
	expect_err(eio_net_listen(env->net, &sw, &at, NULL, &other), -EADDRINUSE);
	expect_ok(eio_net_listen(env->net, &sw, &at, &reuse, &other));
	return eio_switch_end(&sw, 0);
}

static int backlog_of(struct eio_listener l)
{
	socklen_t len = sizeof(struct tcp_info);
	struct tcp_info info;

	ck_assert_int_eq(getsockopt(listener_number(l), IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return (int) info.tcpi_sacked;
}

RING_TEST(the_backlog_is_the_one_asked_for_or_4096)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
	struct eio_switch sw;
	struct eio_addr at;
	int most;

	(void) arg;
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &most), 1);
	fclose(f);
	eio_switch_begin(&sw);
	ck_assert_int_eq(backlog_of(listen_at(&sw, "127.0.0.1:0", &at)), most < 4096 ? most : 4096);
	ck_assert_int_eq(backlog_of(listen_with(&sw, "127.0.0.1:0",
						&(struct eio_listen_opts){.backlog = 7}, &at)),
			 7);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_listen_that_fails_says_where_and_leaves_nothing)
{
	static const struct {
		const char *at, *op;
		int err, backlog;
	} failures[] = {
		{"192.0.2.1:0", "bind", -EADDRNOTAVAIL, 0},
		{"unix:none/socket", "bind", -ENOENT, 0},
		{"unix:file/socket", "bind", -ENOTDIR, 0},
		{"127.0.0.1:0", "listen", -EINVAL, -1},
		{"unix:socket", "listen", -EINVAL, -1},
	};
	unsigned fds = count_fds();
	struct eio_listener l;
	struct eio_addr at;

	(void) arg;
	put_text("file", "");
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct eio_listen_opts opts = {.backlog = failures[i].backlog};

		expect_ok(eio_addr_parse(&at, failures[i].at));
		expect_err(eio_net_listen(env->net, NULL, &at, &opts, &l), failures[i].err);
		expect_failed_at(failures[i].op, &at);
		ck_assert_uint_eq(count_fds(), fds);
	}
	ck_assert(!exists("socket"));
	memset(&at, 0, sizeof(at));
	expect_err(eio_net_listen(env->net, NULL, &at, NULL, &l), -EAFNOSUPPORT);
	expect_failed_at("socket", &at);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* The C library's is asked first. */
static bool refuse_to_listen;

int listen(int fd, int backlog)
{
	if (refuse_to_listen) {
		errno = EADDRINUSE;
		return -1;
	}
	return (int) syscall(SYS_listen, fd, backlog);
}

DIR_TEST(a_socket_that_is_bound_but_cannot_listen_is_closed_and_removed)
{
	unsigned fds = count_fds();
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	refuse_to_listen = true;
	expect_err(eio_net_listen(env->net, &sw, &at, NULL, &l), -EADDRINUSE);
	expect_failed_at("listen", &at);
	expect_err(eio_net_listen(env->net, NULL, &at, NULL, &l), -EADDRINUSE);
	refuse_to_listen = false;
	ck_assert(!exists("socket"));
	ck_assert_uint_eq(count_fds(), fds);
	expect_ok(eio_net_listen(env->net, &sw, &at, NULL, &l));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(without_memory_or_descriptors_nothing_listens)
{
	unsigned fds = count_fds();
	struct eio_listener l;
	struct eio_addr at;
	struct eio_flow f;
	int rc = -ENOMEM;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "unix:socket"));
	if (!SANITIZED) {
		use_memory_up(1);
		rc = eio_net_listen(env->net, NULL, &at, NULL, &l);
		give_memory_back();
	}
	expect_err(rc, -ENOMEM);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(!exists("socket"));
	limit_fds(0);
	expect_err(eio_net_listen(env->net, NULL, &at, NULL, &l), -EMFILE);
	expect_err(eio_net_connect(env->net, NULL, &at, NULL, &f), -EMFILE);
	expect_failed_at("socket", &at);
	lift_fd_limit();
	ck_assert(!exists("socket"));
	return 0;
}

/* Connecting */

RING_TEST(nodelay_is_set_on_both_sides_unless_it_is_not_wanted)
{
	const struct eio_sockopt_setting no_nodelay = {EIO_TCP_NODELAY, 0};
	const struct eio_connect_opts off = {.options = &no_nodelay, .n_options = 1};
	struct eio_fd fd, listening;
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "127.0.0.1:0", &at);
	f = connect_to(&sw, &at);
	ck_assert_int_eq(option(flow_number(f), IPPROTO_TCP, TCP_NODELAY), 1);
	f = accept_from(&sw, l);
	ck_assert_int_eq(option(flow_number(f), IPPROTO_TCP, TCP_NODELAY), 1);
	expect_ok(eio_net_connect(env->net, &sw, &at, &off, &f));
	ck_assert_int_eq(option(flow_number(f), IPPROTO_TCP, TCP_NODELAY), 0);

	/* A listener from outside is left as it is; its connections are not. */
	listening = listen_on(&sw, "127.0.0.1:0", &at);
	l = eio_listener_of_fd(listening);
	connect_to(&sw, &at);
	f = accept_from(&sw, l);
	ck_assert_int_eq(option(flow_number(f), IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(option(number(listening), IPPROTO_TCP, TCP_NODELAY), 0);
	expect_ok(eio_listener_fd(l, &fd));
	ck_assert_mem_eq(&fd, &listening, sizeof(fd));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_connect_that_fails_says_where_and_leaves_nothing)
{
	const struct {
		const char *at;
		int err;
	} failures[] = {
		{"unix:none", -ENOENT},        {"unix:file", -ECONNREFUSED},
		{"unix:stale", -ECONNREFUSED}, {"unix:datagram", -EPROTOTYPE},
		{own_name(), -ECONNREFUSED},
	};
	int fd = plain_socket("datagram", SOCK_DGRAM, 0);
	unsigned fds = count_fds();
	struct eio_listener l;
	struct eio_addr at;
	struct eio_flow f;

	(void) arg;
	put_text("file", "");
	close(plain_socket("stale", SOCK_STREAM, 5));
	for (size_t i = 0; i < COUNT(failures); i++) {
		expect_ok(eio_addr_parse(&at, failures[i].at));
		expect_err(eio_net_connect(env->net, NULL, &at, NULL, &f), failures[i].err);
		expect_failed_at("connect", &at);
	}
	for (size_t i = 0; i < 2; i++) {
		if (!has(place(i)))
			continue;
		l = listen_at(NULL, place(i), &at);
		expect_ok(eio_listener_close(l));
		expect_err(eio_net_connect(env->net, NULL, &at, NULL, &f), -ECONNREFUSED);
		expect_failed_at("connect", &at);
	}
	memset(&at, 0, sizeof(at));
	expect_err(eio_net_connect(env->net, NULL, &at, NULL, &f), -EAFNOSUPPORT);
	ck_assert_uint_eq(count_fds(), fds);
	close(fd);
	return 0;
}

RING_TEST(bind_to_is_the_local_address)
{
	struct eio_addr at, local, found;
	struct eio_connect_opts opts = {.bind_to = &local};
	unsigned fds;
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "127.0.0.1:0", &at);
	expect_ok(eio_addr_parse(&local, "127.0.0.2:0"));
	expect_ok(eio_net_connect(env->net, &sw, &at, &opts, &f));
	expect_ok(eio_net_accept(l, &sw, &f, &found));
	ck_assert_uint_ne(eio_addr_port(&found), 0);
	eio_addr_tcp4(&local, "\x7f\0\0\2", eio_addr_port(&found));
	expect_same_addr(&found, &local);
	fds = count_fds();
	expect_ok(eio_addr_parse(&local, "192.0.2.1:0"));
	expect_err(eio_net_connect(env->net, &sw, &at, &opts, &f), -EADDRNOTAVAIL);
	expect_failed_at("bind", &local);
	local = at;
	expect_err(eio_net_connect(env->net, &sw, &at, &opts, &f), -EADDRINUSE);
	expect_failed_at("bind", &local);
	ck_assert_uint_eq(count_fds(), fds);
	return eio_switch_end(&sw, 0);
}

/* A port is found free by having it, and then not. */
RING_TEST(bind_to_takes_a_port_of_its_own_or_says_that_it_is_taken)
{
	struct eio_addr at, local, found;
	struct eio_connect_opts opts = {.bind_to = &local};
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "127.83.7.1:0", &local);
	expect_ok(eio_listener_close(l));
	l = listen_at(&sw, "127.0.0.1:0", &at);
	expect_ok(eio_net_connect(env->net, &sw, &at, &opts, &f));
	expect_ok(eio_net_local_addr(f, &found));
	expect_same_addr(&found, &local);
	expect_ok(eio_net_accept(l, &sw, &f, &found));
	expect_same_addr(&found, &local);
	expect_err(eio_net_connect(env->net, &sw, &at, &opts, &f), -EADDRINUSE);
	expect_failed_at("bind", &local);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(bind_to_is_of_the_family_that_is_connected_to)
{
	static const char *const families[] = {"127.0.0.1:0", "[::1]:0", "unix:local"};
	unsigned fds = count_fds();
	struct eio_addr at, local;
	struct eio_connect_opts opts = {.bind_to = &local};
	struct eio_flow f;

	(void) arg;
	for (size_t i = 0; i < COUNT(families); i++) {
		for (size_t k = 0; k < COUNT(families); k++) {
			if (i == k || !has(families[i]))
				continue;
			expect_ok(eio_addr_parse(&at, families[i]));
			expect_ok(eio_addr_parse(&local, families[k]));
			expect_err(eio_net_connect(env->net, NULL, &at, &opts, &f), -EAFNOSUPPORT);
			expect_failed_at("bind", &local);
			ck_assert_uint_eq(count_fds(), fds);
		}
	}
	ck_assert(!exists("local"));
	return 0;
}

/* As bind(2): the name stays for the peer, and is for the caller to remove. */
DIR_TEST(a_path_that_a_connection_is_bound_to_stays)
{
	struct eio_addr at, local, peer;
	struct eio_connect_opts opts = {.bind_to = &local};
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "unix:socket", &at);
	expect_ok(eio_addr_parse(&local, "unix:client"));
	expect_ok(eio_net_connect(env->net, &sw, &at, &opts, &f));
	expect_ok(eio_net_accept(l, &sw, &f, &peer));
	expect_same_addr(&peer, &local);
	expect_err(eio_net_connect(env->net, &sw, &at, &opts, &f), -EADDRINUSE);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(exists("client"));
	return 0;
}

/* A listener whose queue is full, so that connecting waits. */
static void fill_queue(struct eio_switch *sw, const char *where, struct eio_addr *at)
{
	struct eio_fd fd;

	listen_with(sw, where, &(struct eio_listen_opts){.backlog = 1}, at);
	for (int i = 0; i < 2; i++) {
		const struct sockaddr *sa = eio_addr_sockaddr(at, NULL);

		expect_ok(eio_ll_socket(sw, sa->sa_family, SOCK_STREAM, 0, &fd));
		expect_ok(eio_ll_connect(fd, at));
	}
}

DIR_TEST(a_connect_that_lasts_too_long_gives_ETIMEDOUT)
{
	static const int64_t limits[] = {1, 50000, EIO_MS(5)};
	struct eio_connect_opts wrong = {.timeout_ns = -1};
	struct eio_switch sw;
	struct eio_addr at;
	struct eio_flow f;
	unsigned fds;

	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		fill_queue(&sw, place(i), &at);
		fds = count_fds();
		for (size_t k = 0; k < COUNT(limits); k++) {
			struct eio_connect_opts opts = {.timeout_ns = limits[k]};

			expect_err(eio_net_connect(env->net, &sw, &at, &opts, &f), -ETIMEDOUT);
			expect_failed_at("connect", &at);
		}
		expect_err(eio_net_connect(env->net, &sw, &at, &wrong, &f), -EINVAL);
		ck_assert_uint_eq(count_fds(), fds);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

struct connecting {
	struct eio_cancel ctx;
	struct eio_addr at;
	struct eio_connect_opts opts;
	struct eio_flow f;
	int rc;
	bool over;
};

static int connect_one(void *arg)
{
	struct connecting *c = arg;

	eio_cancel_begin(&c->ctx);
	c->rc = eio_net_connect(env->net, NULL, &c->at, &c->opts, &c->f);
	eio_cancel_end(&c->ctx);
	c->over = true;
	return 0;
}

/* The limit of the call and the cancellation from outside are two things. To a Unix socket
 * the kernel tries some times before a worker of its waits. */
DIR_TEST(a_connect_that_waits_is_cancelled_and_its_socket_closed)
{
	struct eio_switch sw;
	unsigned fds;

	(void) arg;
	for (size_t i = 0; i < 4 * PLACES; i++) {
		struct connecting c = {.opts.timeout_ns = i % 2 ? EIO_SEC(100) : 0};

		if (!has(place(i / 4)))
			continue;
		eio_switch_begin(&sw);
		fill_queue(&sw, place(i / 4), &c.at);
		fds = count_fds();
		expect_ok(eio_fork(&sw, connect_one, &c));
		trips(i % 4 < 2 ? 0 : 200);
		ck_assert(!c.over);
		expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
		wait_until(c.over);
		expect_err(c.rc, -ECANCELED);
		ck_assert_uint_eq(count_fds(), fds);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Ends of connections */

DIR_TEST(addresses_are_asked_of_sockets_only)
{
	struct eio_addr a, before;
	struct eio_flow r, w, one, other;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	memset(&a, 0x5a, sizeof(a));
	before = a;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	expect_err(eio_net_local_addr(r, &a), -ENOTSOCK);
	expect_err(eio_net_peer_addr(w, &a), -ENOTSOCK);
	expect_err(eio_net_peer_addr(eio_null(), &a), -ENOTSUP);
	expect_err(eio_net_peer_addr((struct eio_flow){.ops = NULL}, &a), -EBADF);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &fd));
	expect_err(eio_net_peer_addr(eio_flow_of_fd(fd), &a), -ENOTCONN);
	flow_tcp(&sw, &one, &other);
	expect_ok(eio_flow_close(one));
	expect_err(eio_net_peer_addr(one, &a), -EBADF);
	expect_err(eio_net_local_addr(one, &a), -EBADF);
	ck_assert_mem_eq(&a, &before, sizeof(a));
	return eio_switch_end(&sw, 0);
}

/* Switches */

RING_TEST(connections_end_with_their_switch_or_are_their_callers)
{
	struct eio_flow a, b, c, d;
	unsigned fds = count_fds();
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;

	(void) arg;
	l = listen_at(NULL, "127.0.0.1:0", &at);
	eio_switch_begin(&sw);
	a = connect_to(&sw, &at);
	b = accept_from(&sw, l);
	c = connect_to(NULL, &at);
	d = accept_from(NULL, l);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_flow_close(a), -EBADF);
	expect_err(eio_flow_close(b), -EBADF);
	converse(c, d);
	expect_ok(eio_flow_close(c));
	expect_ok(eio_flow_close(d));
	expect_ok(eio_listener_close(l));
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* On a switch that is off; the connection that waits is taken by somebody else. */
static void expect_off(struct eio_switch *off, struct eio_listener l, const struct eio_addr *at,
		       int err)
{
	unsigned fds = count_fds();
	struct eio_listener other;
	struct eio_addr fresh;
	struct eio_flow f;

	expect_ok(eio_addr_parse(&fresh, "unix:fresh"));
	expect_err(eio_net_accept(l, off, &f, NULL), err);
	expect_err(eio_net_accept_fork(l, off, NULL, NULL, NULL), err);
	expect_err(eio_net_connect(env->net, off, at, NULL, &f), err);
	expect_err(eio_net_listen(env->net, off, &fresh, NULL, &other), err);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert(!exists("fresh"));
}

DIR_TEST(nothing_is_made_or_taken_on_a_switch_that_is_off)
{
	struct eio_switch sw, off;
	struct eio_listener l;
	struct eio_addr at;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, "127.0.0.1:0", &at);
	f = connect_to(&sw, &at);
	eio_switch_begin(&off);
	expect_ok(eio_switch_fail(&off, -EPROTO));
	expect_off(&off, l, &at, -ECANCELED);
	expect_err(eio_switch_end(&off, 0), -EPROTO);
	expect_off(&off, l, &at, -EINVAL);
	converse(f, accept_from(&sw, l));
	return eio_switch_end(&sw, 0);
}

/* A run of its own on another thread, while this one goes on. */
struct elsewhere {
	eio_fn *fn;
	void *arg;
	int rc;
	pthread_t thread;
	bool over;
};

static int elsewhere_main(struct eio_env *e, void *arg)
{
	struct elsewhere *el = arg;

	(void) e;
	return el->fn(el->arg);
}

static void *elsewhere_run(void *arg)
{
	struct elsewhere *el = arg;

	el->rc = eio_run(NULL, elsewhere_main, el);
	__atomic_store_n(&el->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static int run_elsewhere(eio_fn *fn, void *arg)
{
	struct elsewhere el = {.fn = fn, .arg = arg};

	expect_ok(-pthread_create(&el.thread, NULL, elsewhere_run, &el));
	wait_until(__atomic_load_n(&el.over, __ATOMIC_ACQUIRE));
	expect_ok(-pthread_join(el.thread, NULL));
	return el.rc;
}

struct foreign {
	struct eio_switch *sw;
	struct eio_listener l;
	struct eio_addr at;
};

static int use_foreign_switch(void *arg)
{
	struct foreign *f = arg;

	expect_off(f->sw, f->l, &f->at, -EPERM);
	return 0;
}

DIR_TEST(nothing_is_made_or_taken_on_another_domains_switch)
{
	struct eio_switch sw;
	struct foreign f = {.sw = &sw};
	struct eio_flow a;

	(void) arg;
	eio_switch_begin(&sw);
	f.l = listen_at(&sw, "127.0.0.1:0", &f.at);
	a = connect_to(&sw, &f.at);
	expect_ok(run_elsewhere(use_foreign_switch, &f));
	converse(a, accept_from(&sw, f.l));
	return eio_switch_end(&sw, 0);
}

/* Accepting: cancelled, and closed under it */

DIR_TEST(a_cancelled_accept_takes_no_connection)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct eio_listener l;
		struct accepting a;
		struct eio_switch sw;
		struct eio_addr at;
		struct eio_flow f;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		l = listen_at(&sw, place(i), &at);
		accept_later(&sw, &a, l, &sw);
		expect_ok(eio_cancel_raise(&a.ctx, -EIO));
		wait_until(a.over);
		expect_err(a.rc, -ECANCELED);
		f = connect_to(&sw, &at);
		converse(f, accept_from(&sw, l));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

enum { ACCEPTS = 5 };

/* Closes the listener while so many accept; the address is free when the call returns. */
static void close_while_accepting(const char *where)
{
	struct eio_listener l, again;
	struct accepting a[ACCEPTS];
	struct eio_switch sw;
	struct eio_addr at;
	struct eio_flow f;

	eio_switch_begin(&sw);
	l = listen_at(&sw, where, &at);
	for (int i = 0; i < ACCEPTS; i++)
		accept_later(&sw, &a[i], l, &sw);
	expect_ok(eio_listener_close(l));
	expect_ok(eio_net_listen(env->net, &sw, &at, NULL, &again));
	for (int i = 0; i < ACCEPTS; i++) {
		wait_until(a[i].over);
		expect_err(a[i].rc, -EBADF);
	}
	expect_err(eio_listener_close(l), -EBADF);
	expect_err(eio_listener_addr(l, &at), -EBADF);
	expect_err(eio_net_accept(l, &sw, &f, NULL), -EBADF);
	expect_err(eio_net_accept_fork(l, &sw, NULL, NULL, NULL), -EBADF);
	expect_ok(eio_listener_addr(again, &at));
	f = connect_to(&sw, &at);
	converse(f, accept_from(&sw, again));
	expect_ok(eio_switch_end(&sw, 0));
}

DIR_TEST(accepts_end_with_EBADF_when_the_listener_is_closed_and_its_port_is_free)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		if (has(place(i)))
			close_while_accepting(place(i));
	}
	return 0;
}

/* They are fibers of a switch that goes on. */
DIR_TEST(accepts_end_with_EBADF_when_the_listeners_switch_ends)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct eio_switch sw, inner;
		struct accepting a;
		struct eio_addr at;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		eio_switch_begin(&inner);
		accept_later(&sw, &a, listen_at(&inner, place(i), &at), &sw);
		expect_ok(eio_switch_end(&inner, 0));
		wait_until(a.over);
		expect_err(a.rc, -EBADF);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

DIR_TEST(connections_that_nobody_took_are_reset_with_the_listener)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct eio_listener l;
		struct eio_switch sw;
		struct eio_addr at;
		struct eio_flow f;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		l = listen_at(&sw, place(i), &at);
		f = connect_to(&sw, &at);
		expect_ok(eio_listener_close(l));
		expect_err(eio_flow_read(f, (char[1]){0}, 1), -ECONNRESET);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static int close_elsewhere(void *arg)
{
	struct foreign *f = arg;
	struct eio_listener again;

	expect_ok(eio_listener_close(f->l));
	expect_err(eio_listener_close(f->l), -EBADF);
	expect_ok(eio_net_listen(env->net, NULL, &f->at, NULL, &again));
	return eio_listener_close(again);
}

DIR_TEST(another_domain_may_close_the_listener)
{
	(void) arg;
	for (size_t i = 0; i < PLACES; i++) {
		struct accepting a[ACCEPTS];
		struct eio_switch sw;
		struct foreign f;

		if (!has(place(i)))
			continue;
		eio_switch_begin(&sw);
		f.l = listen_at(&sw, place(i), &f.at);
		for (int k = 0; k < ACCEPTS; k++)
			accept_later(&sw, &a[k], f.l, &sw);
		expect_ok(run_elsewhere(close_elsewhere, &f));
		for (int k = 0; k < ACCEPTS; k++) {
			wait_until(a[k].over);
			expect_err(a[k].rc, -EBADF);
		}
		expect_err(eio_listener_close(f.l), -EBADF);
		ck_assert(!exists("socket"));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

DIR_TEST(an_imported_listener_is_closed_and_its_path_is_left)
{
	struct eio_listener l;
	struct accepting a;
	struct eio_switch sw;
	struct eio_addr at, found;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = listen_on(&sw, "unix:socket", &at);
	l = eio_listener_of_fd(fd);
	expect_ok(eio_listener_addr(l, &found));
	expect_same_addr(&found, &at);
	accept_later(&sw, &a, l, &sw);
	expect_ok(eio_listener_close(l));
	wait_until(a.over);
	expect_err(a.rc, -EBADF);
	ck_assert(!eio_fd_is_open(fd));
	ck_assert(exists("socket"));
	expect_err(eio_listener_close(l), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* A program that is given its sockets, as systemd does it: from a certain number on, so
 * many as LISTEN_FDS says */

enum { FIRST_GIVEN = 100 }; /* systemd's is 3, which is libcheck's here */

static void serve_listener(struct eio_fd fd)
{
	struct eio_listener l = eio_listener_of_fd(fd);
	struct eio_addr at, peer;
	struct eio_flow f;
	char text[4];

	expect_ok(eio_listener_addr(l, &at));
	ck_assert_uint_ne(eio_addr_port(&at), 0);
	expect_ok(eio_net_accept(l, NULL, &f, &peer));
	expect_ok(eio_flow_read_exact(f, text, 4));
	expect_ok(eio_flow_write(f, text, 4));
	expect_ok(eio_flow_close(f));
	expect_ok(eio_listener_close(l));
}

static void serve_datagrams(struct eio_fd fd)
{
	struct eio_dgram d = eio_dgram_of_fd(fd);
	struct eio_addr peer;
	struct iovec iov;
	char text[8];

	iov = (struct iovec){text, (size_t) eio_dgram_recv(d, text, sizeof(text), &peer)};
	expect_err(iov.iov_len, 4);
	expect_ok(eio_dgram_send(d, &peer, &iov, 1));
	expect_ok(eio_dgram_close(d));
}

static int activated(struct eio_env *e, void *arg)
{
	int n = atoi(getenv("LISTEN_FDS"));
	struct eio_switch sw;

	(void) e, (void) arg;
	ck_assert_int_eq(atoi(getenv("LISTEN_PID")), getpid());
	eio_switch_begin(&sw);
	for (int i = FIRST_GIVEN; i < FIRST_GIVEN + n; i++) {
		struct eio_fd fd;
		int64_t listens;

		expect_ok(eio_fd_of_unix(&sw, i, EIO_FD_CLOSE, &fd));
		expect_ok(eio_sockopt_get(fd, EIO_SO_ACCEPTCONN, &listens));
		if (listens)
			serve_listener(fd);
		else
			serve_datagrams(fd);
		ck_assert(!eio_fd_is_open(fd));
	}
	return eio_switch_end(&sw, 0);
}

/* The child alone has the sockets then. */
static pid_t start_activated(const int *sockets, int n)
{
	char number[16];
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	for (int i = 0; i < n; i++) {
		if (pid == 0)
			ck_assert_int_eq(dup2(sockets[i], FIRST_GIVEN + i), FIRST_GIVEN + i);
		close(sockets[i]);
	}
	if (pid > 0)
		return pid;
	snprintf(number, sizeof(number), "%d", n);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", (int) getpid());
	setenv("LISTEN_PID", number, 1);
	_exit(eio_run(NULL, activated, NULL) == 0 ? 0 : 1);
}

START_TEST(sockets_that_a_program_is_given_serve)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	struct sockaddr_in in[2];
	int sockets[2], status;
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		struct sockaddr *sa = (struct sockaddr *) &in[i];
		socklen_t len = sizeof(in[i]);

		sockets[i] = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
		in[i] = (struct sockaddr_in){.sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		ck_assert_int_eq(bind(sockets[i], sa, len), 0);
		ck_assert_int_eq(getsockname(sockets[i], sa, &len), 0);
		if (types[i] == SOCK_STREAM)
			ck_assert_int_eq(listen(sockets[i], 1), 0);
	}
	pid = start_activated(sockets, 2);
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
		char text[8];

		ck_assert_int_eq(connect(fd, (struct sockaddr *) &in[i], sizeof(in[i])), 0);
		ck_assert_int_eq(send(fd, "ping", 4, 0), 4);
		ck_assert_int_eq(recv(fd, text, sizeof(text), 0), 4);
		ck_assert_mem_eq(text, "ping", 4);
		close(fd);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Providers */

MOCK_TEST(zeroed_capabilities_give_EBADF)
{
	struct eio_listener l = {.ops = NULL};
	struct eio_net net = {.ops = NULL};
	struct eio_addr at;
	struct eio_flow f;
	struct eio_fd fd;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "127.0.0.1:1"));
	expect_err(eio_net_listen(net, NULL, &at, NULL, &l), -EBADF);
	expect_err(eio_net_connect(net, NULL, &at, NULL, &f), -EBADF);
	expect_err(eio_net_accept(l, NULL, &f, NULL), -EBADF);
	expect_err(eio_net_run_server(l, NULL, NULL, NULL), -EBADF);
	expect_err(eio_listener_addr(l, &at), -EBADF);
	expect_err(eio_listener_fd(l, &fd), -EBADF);
	expect_err(eio_listener_close(l), -EBADF);
	return 0;
}

static const struct eio_listener_ops no_listener_ops = {.name = "nothing"};
static const struct eio_net_ops no_net_ops = {.name = "nothing"};

MOCK_TEST(missing_operations_have_defaults)
{
	struct eio_listener l = {.ops = &no_listener_ops};
	struct eio_net net = {.ops = &no_net_ops};
	struct eio_addr at;
	struct eio_flow f;
	struct eio_fd fd;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "127.0.0.1:1"));
	expect_err(eio_net_listen(net, NULL, &at, NULL, &l), -EOPNOTSUPP);
	expect_err(eio_net_connect(net, NULL, &at, NULL, &f), -EOPNOTSUPP);
	expect_err(eio_net_accept(l, NULL, &f, NULL), -EOPNOTSUPP);
	expect_err(eio_net_run_server(l, NULL, NULL, NULL), -EOPNOTSUPP);
	expect_err(eio_listener_addr(l, &at), -ENOTSUP);
	expect_err(eio_listener_fd(l, &fd), -ENOTSUP);
	expect_ok(eio_listener_close(l));
	return 0;
}

/* Its connect lasts as long as the port says, in nanoseconds of the mock clock. */
static int slow_connect(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	int rc = eio_sleep(eio__clock_mono(), eio_addr_port(addr));

	(void) sw;
	ck_assert_ptr_nonnull(opts);
	ck_assert_uint_eq(opts->n_options, net.ptr != NULL);
	*ret = eio_null();
	return rc;
}

static int plain_listen(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_listen_opts *opts, struct eio_listener *ret)
{
	(void) sw, (void) addr;
	ck_assert_ptr_nonnull(opts);
	ck_assert_int_eq(opts->backlog, net.ptr ? 7 : 0);
	*ret = (struct eio_listener){.ops = &no_listener_ops};
	return 0;
}

static const struct eio_net_ops slow_ops = {
	.name = "slow", .listen = plain_listen, .connect = slow_connect};

MOCK_TEST(a_programs_own_net_gets_options_and_keeps_to_the_limit)
{
	struct eio_net plain = {.ops = &slow_ops}, with = {.ops = &slow_ops, .ptr = &plain};
	const struct eio_sockopt_setting no_nodelay = {EIO_TCP_NODELAY, 0};
	struct eio_connect_opts opts = {.options = &no_nodelay, .n_options = 1, .timeout_ns = 10};
	struct eio_listener l;
	struct eio_addr at;
	struct eio_flow f;

	(void) arg;
	expect_ok(eio_addr_parse(&at, "127.0.0.1:1000"));
	expect_ok(eio_net_listen(plain, NULL, &at, NULL, &l));
	expect_ok(eio_net_listen(with, NULL, &at, &(struct eio_listen_opts){.backlog = 7}, &l));
	expect_ok(eio_net_connect(plain, NULL, &at, NULL, &f));
	ck_assert_int_eq(eio_now_ns(eio__clock_mono()), 1000);
	expect_err(eio_net_connect(with, NULL, &at, &opts, &f), -ETIMEDOUT);
	expect_failed_at("connect", &at);
	ck_assert_int_eq(eio_now_ns(eio__clock_mono()), 1010);
	opts.timeout_ns = 1001;
	expect_ok(eio_net_connect(with, NULL, &at, &opts, &f));
	ck_assert_int_eq(eio_now_ns(eio__clock_mono()), 2010);
	return 0;
}

START_TEST(without_a_domain_there_is_no_network)
{
	struct eio_net net = {.ops = &slow_ops};
	struct eio_listener l = {.ops = &no_listener_ops};
	struct eio_addr at;
	struct eio_flow f;

	expect_ok(eio_addr_parse(&at, "127.0.0.1:1"));
	expect_err(eio_net_listen(net, NULL, &at, NULL, &l), -EPERM);
	expect_err(eio_net_connect(net, NULL, &at, NULL, &f), -EPERM);
	expect_err(eio_net_accept(l, NULL, &f, NULL), -EPERM);
	expect_err(eio_net_run_server(l, NULL, NULL, NULL), -EPERM);
}
END_TEST

SUITE_MAIN("net", false, connections_of_every_family_carry_bytes_and_know_their_ends_test,
	   an_accept_waits_for_its_connection_test, port_0_becomes_a_port_of_ones_own_test,
	   a_unix_path_is_removed_with_its_listener_test,
	   what_took_the_place_of_a_unix_path_stays_test,
	   a_stale_unix_path_is_replaced_if_asked_for_test,
	   a_unix_path_that_somebody_has_open_is_not_replaced_test,
	   files_that_are_no_sockets_are_never_replaced_test,
	   an_abstract_name_is_free_again_after_its_listener_test,
	   listeners_have_the_options_asked_for_test,
	   reuse_addr_takes_an_address_whose_connections_linger_test,
	   the_backlog_is_the_one_asked_for_or_4096_test,
	   a_listen_that_fails_says_where_and_leaves_nothing_test,
	   a_socket_that_is_bound_but_cannot_listen_is_closed_and_removed_test,
	   without_memory_or_descriptors_nothing_listens_test,
	   nodelay_is_set_on_both_sides_unless_it_is_not_wanted_test,
	   a_connect_that_fails_says_where_and_leaves_nothing_test,
	   bind_to_is_the_local_address_test,
	   bind_to_takes_a_port_of_its_own_or_says_that_it_is_taken_test,
	   bind_to_is_of_the_family_that_is_connected_to_test,
	   a_path_that_a_connection_is_bound_to_stays_test,
	   a_connect_that_lasts_too_long_gives_ETIMEDOUT_test,
	   a_connect_that_waits_is_cancelled_and_its_socket_closed_test,
	   addresses_are_asked_of_sockets_only_test,
	   connections_end_with_their_switch_or_are_their_callers_test,
	   nothing_is_made_or_taken_on_a_switch_that_is_off_test,
	   nothing_is_made_or_taken_on_another_domains_switch_test,
	   a_cancelled_accept_takes_no_connection_test,
	   accepts_end_with_EBADF_when_the_listener_is_closed_and_its_port_is_free_test,
	   accepts_end_with_EBADF_when_the_listeners_switch_ends_test,
	   connections_that_nobody_took_are_reset_with_the_listener_test,
	   another_domain_may_close_the_listener_test,
	   an_imported_listener_is_closed_and_its_path_is_left_test,
	   sockets_that_a_program_is_given_serve, zeroed_capabilities_give_EBADF_test,
	   missing_operations_have_defaults_test,
	   a_programs_own_net_gets_options_and_keeps_to_the_limit_test,
	   without_a_domain_there_is_no_network)
