/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* What reaches the kernel is counted: the C library's is asked second. */
static unsigned settings_made;

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	settings_made++;
	return (int) syscall(SYS_setsockopt, fd, level, name, value, len);
}

enum kind { TCP4, TCP6, UDP4, UNIX };

static struct eio_fd socket_of(struct eio_switch *sw, enum kind kind)
{
	static const int domains[] = {AF_INET, AF_INET6, AF_INET, AF_UNIX};
	struct eio_fd fd;

	expect_ok(
		eio_ll_socket(sw, domains[kind], kind == UDP4 ? SOCK_DGRAM : SOCK_STREAM, 0, &fd));
	return fd;
}

static int64_t value_of(struct eio_fd fd, enum eio_sockopt option)
{
	int64_t value = INT64_MIN;

	expect_ok(eio_sockopt_get(fd, option, &value));
	return value;
}

static void expect_failure(const char *op, const char *subject)
{
	ck_assert_str_eq(eio_last_error()->op, op);
	ck_assert_str_eq(eio_last_error()->subject, subject);
}

/* What the kernel itself says. */
static int raw_value(struct eio_fd fd, int level, int name)
{
	int value = INT_MIN;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(number(fd), level, name, &value, &len), 0);
	return value;
}

/* Every option that can be set: its range, and its name for the kernel */

static const struct row {
	enum eio_sockopt option;
	const char *name;
	enum kind kind;
	int level, raw;
	int64_t min, max;
	bool privileged; /* to set it to anything but 0 */
	bool inexact;    /* the kernel makes something else of it */
} rows[] = {
	{EIO_SO_DEBUG, "SO_DEBUG", TCP4, SOL_SOCKET, SO_DEBUG, 0, 1, true, false},
	{EIO_SO_BROADCAST, "SO_BROADCAST", UDP4, SOL_SOCKET, SO_BROADCAST, 0, 1, false, false},
	{EIO_SO_REUSEADDR, "SO_REUSEADDR", TCP4, SOL_SOCKET, SO_REUSEADDR, 0, 1, false, false},
	{EIO_SO_REUSEPORT, "SO_REUSEPORT", TCP4, SOL_SOCKET, SO_REUSEPORT, 0, 1, false, false},
	{EIO_SO_KEEPALIVE, "SO_KEEPALIVE", TCP4, SOL_SOCKET, SO_KEEPALIVE, 0, 1, false, false},
	{EIO_SO_DONTROUTE, "SO_DONTROUTE", TCP4, SOL_SOCKET, SO_DONTROUTE, 0, 1, false, false},
	{EIO_SO_OOBINLINE, "SO_OOBINLINE", TCP4, SOL_SOCKET, SO_OOBINLINE, 0, 1, false, false},
	{EIO_SO_SNDBUF, "SO_SNDBUF", TCP4, SOL_SOCKET, SO_SNDBUF, 1, INT_MAX, false, true},
	{EIO_SO_RCVBUF, "SO_RCVBUF", TCP4, SOL_SOCKET, SO_RCVBUF, 1, INT_MAX, false, true},
	{EIO_SO_RCVLOWAT, "SO_RCVLOWAT", UNIX, SOL_SOCKET, SO_RCVLOWAT, 1, INT_MAX, false, false},
	{EIO_SO_LINGER, "SO_LINGER", TCP4, SOL_SOCKET, SO_LINGER, -1, INT_MAX, false, true},
	{EIO_TCP_NODELAY, "TCP_NODELAY", TCP4, IPPROTO_TCP, TCP_NODELAY, 0, 1, false, false},
	{EIO_TCP_CORK, "TCP_CORK", TCP4, IPPROTO_TCP, TCP_CORK, 0, 1, false, false},
	{EIO_TCP_KEEPIDLE, "TCP_KEEPIDLE", TCP4, IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, false, false},
	{EIO_TCP_KEEPINTVL, "TCP_KEEPINTVL", TCP6, IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, false,
	 false},
	{EIO_TCP_KEEPCNT, "TCP_KEEPCNT", TCP4, IPPROTO_TCP, TCP_KEEPCNT, 1, 127, false, false},
	{EIO_TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", TCP4, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX,
	 false, false},
	{EIO_TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", TCP4, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, INT_MAX,
	 false, true},
	{EIO_TCP_FASTOPEN, "TCP_FASTOPEN", TCP4, IPPROTO_TCP, TCP_FASTOPEN, 0, INT_MAX, false,
	 true},
	{EIO_TCP_MAXSEG, "TCP_MAXSEG", TCP4, IPPROTO_TCP, TCP_MAXSEG, 88, 32767, false, true},
	{EIO_TCP_SYNCNT, "TCP_SYNCNT", TCP4, IPPROTO_TCP, TCP_SYNCNT, 1, 127, false, false},
	{EIO_TCP_LINGER2, "TCP_LINGER2", TCP4, IPPROTO_TCP, TCP_LINGER2, -1, 120, false, false},
	{EIO_TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", TCP4, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, INT_MAX,
	 false, true},
	{EIO_TCP_QUICKACK, "TCP_QUICKACK", TCP4, IPPROTO_TCP, TCP_QUICKACK, 0, 1, false, false},
	{EIO_IP_FREEBIND, "IP_FREEBIND", TCP6, IPPROTO_IP, IP_FREEBIND, 0, 1, false, false},
	{EIO_IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT", TCP4, IPPROTO_IP,
	 IP_BIND_ADDRESS_NO_PORT, 0, 1, false, false},
	{EIO_IP_TTL, "IP_TTL", UDP4, IPPROTO_IP, IP_TTL, 1, 255, false, false},
	{EIO_IP_MTU_DISCOVER, "IP_MTU_DISCOVER", UDP4, IPPROTO_IP, IP_MTU_DISCOVER, 0, 5, false,
	 false},
	{EIO_IPV6_V6ONLY, "IPV6_V6ONLY", TCP6, IPPROTO_IPV6, IPV6_V6ONLY, 0, 1, false, false},
};

static bool skipped(const struct row *r)
{
	return r->kind == TCP6 && !has_ipv6();
}

static void expect_both_agree(const struct row *r, struct eio_fd fd)
{
	if (r->option != EIO_SO_LINGER)
		ck_assert_int_eq(value_of(fd, r->option), raw_value(fd, r->level, r->raw));
}

/* At both ends of the range, where the kernel agrees that they are good. */
RING_TEST(what_is_set_is_what_the_kernel_has)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct eio_switch sw;
		struct eio_fd fd;

		if (skipped(r))
			continue;
		eio_switch_begin(&sw);
		fd = socket_of(&sw, r->kind);
		for (int end = 0; end < 2; end++) {
			int64_t value = end ? r->max : r->min;
			int rc = eio_sockopt_set(fd, r->option, value);

			if (r->privileged && rc == -EACCES)
				continue;
			ck_assert_msg(rc == 0, "%s %d: %s", r->name, (int) value, eio_err_name(rc));
			expect_both_agree(r, fd);
			if (!r->inexact)
				ck_assert_int_eq(value_of(fd, r->option), value);
		}
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_value_out_of_range_is_named_and_never_reaches_the_kernel)
{
	(void) arg;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const int64_t wrong[] = {r->min - 1,
					 r->max + 1,
					 INT64_MIN,
					 INT64_MAX,
					 (INT64_C(1) << 32) + r->min,
					 (INT64_C(1) << 32) + 1};
		int64_t before;
		struct eio_switch sw;
		struct eio_fd fd;

		if (skipped(r))
			continue;
		eio_switch_begin(&sw);
		fd = socket_of(&sw, r->kind);
		before = value_of(fd, r->option);
		settings_made = 0;
		for (size_t k = 0; k < COUNT(wrong); k++) {
			char subject[64];

			if (r->option == EIO_TCP_MAXSEG && wrong[k] == 0)
				continue;
			snprintf(subject, sizeof(subject), "%s %lld", r->name,
				 (long long) wrong[k]);
			expect_err(eio_sockopt_set(fd, r->option, wrong[k]), -ERANGE);
			expect_failure("setsockopt", subject);
		}
		ck_assert_uint_eq(settings_made, 0);
		ck_assert_int_eq(value_of(fd, r->option), before);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_segment_size_of_0_is_the_kernels_own)
{
	struct eio_switch sw;
	struct eio_fd fd;
	int64_t before;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, TCP4);
	before = value_of(fd, EIO_TCP_MAXSEG);
	expect_ok(eio_sockopt_set(fd, EIO_TCP_MAXSEG, 1000));
	expect_ok(eio_sockopt_set(fd, EIO_TCP_MAXSEG, 0));
	expect_err(eio_sockopt_set(fd, EIO_TCP_MAXSEG, 87), -ERANGE);
	ck_assert_int_eq(value_of(fd, EIO_TCP_MAXSEG), before);
	return eio_switch_end(&sw, 0);
}

RING_TEST(linger_is_seconds_or_off)
{
	const struct linger off = {0, 7};
	struct linger found;
	socklen_t len = sizeof(found);
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, TCP4);
	ck_assert_int_eq(value_of(fd, EIO_SO_LINGER), -1);
	for (int seconds = 0; seconds < 100; seconds += 33) {
		expect_ok(eio_sockopt_set(fd, EIO_SO_LINGER, seconds));
		ck_assert_int_eq(getsockopt(number(fd), SOL_SOCKET, SO_LINGER, &found, &len), 0);
		ck_assert_int_eq(found.l_onoff, 1);
		ck_assert_int_eq(found.l_linger, seconds);
		ck_assert_int_eq(value_of(fd, EIO_SO_LINGER), seconds);
	}
	ck_assert_int_eq(setsockopt(number(fd), SOL_SOCKET, SO_LINGER, &off, sizeof(off)), 0);
	ck_assert_int_eq(value_of(fd, EIO_SO_LINGER), -1);
	expect_ok(eio_sockopt_set(fd, EIO_SO_LINGER, 5));
	expect_ok(eio_sockopt_set(fd, EIO_SO_LINGER, -1));
	ck_assert_int_eq(value_of(fd, EIO_SO_LINGER), -1);
	return eio_switch_end(&sw, 0);
}

/* Linux 6.3. */
RING_TEST(a_range_of_ports_is_two_ports_in_order)
{
	const int64_t good[] = {EIO_PORT_RANGE(20000, 20007), EIO_PORT_RANGE(0, 30000),
				EIO_PORT_RANGE(65535, 65535), EIO_PORT_RANGE(40000, 0),
				EIO_PORT_RANGE(30000, 65535), 0};
	const struct {
		int64_t value;
		const char *subject;
	} wrong[] = {
		{EIO_PORT_RANGE(20001, 20000), "IP_LOCAL_PORT_RANGE 20001 to 20000"},
		{EIO_PORT_RANGE(1, 65536), "IP_LOCAL_PORT_RANGE 1 to 65536"},
		{EIO_PORT_RANGE(65536, 0), "IP_LOCAL_PORT_RANGE 65536 to 0"},
		{EIO_PORT_RANGE(-1, 5), "IP_LOCAL_PORT_RANGE -1 to 5"},
		{EIO_PORT_RANGE(5, -1), "IP_LOCAL_PORT_RANGE 5 to -1"},
		{INT64_MAX, "IP_LOCAL_PORT_RANGE -1 to 2147483648"},
		{INT64_MIN, "IP_LOCAL_PORT_RANGE 0 to -2147483648"},
	};
	struct eio_addr at;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, TCP4);
	settings_made = 0;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		expect_err(eio_sockopt_set(fd, EIO_IP_LOCAL_PORT_RANGE, wrong[i].value), -ERANGE);
		expect_failure("setsockopt", wrong[i].subject);
	}
	ck_assert_uint_eq(settings_made, 0);
	if (eio_sockopt_set(fd, EIO_IP_LOCAL_PORT_RANGE, good[0]) == -ENOPROTOOPT)
		return eio_switch_end(&sw, 0);
	for (size_t i = 0; i < COUNT(good); i++) {
		expect_ok(eio_sockopt_set(fd, EIO_IP_LOCAL_PORT_RANGE, good[i]));
		ck_assert_int_eq(value_of(fd, EIO_IP_LOCAL_PORT_RANGE), good[i]);
	}
	/* It is heeded. */
	expect_ok(eio_sockopt_set(fd, EIO_IP_LOCAL_PORT_RANGE, EIO_PORT_RANGE(33000, 33999)));
	expect_ok(eio_addr_parse(&at, "127.0.0.1:0"));
	expect_ok(eio_ll_bind(fd, &at));
	expect_ok(eio_ll_getsockname(fd, &at));
	ck_assert_uint_ge(eio_addr_port(&at), 33000);
	ck_assert_uint_le(eio_addr_port(&at), 33999);
	return eio_switch_end(&sw, 0);
}

/* What cannot be set */

RING_TEST(options_to_be_read_are_read_and_never_set)
{
	static const struct {
		enum eio_sockopt option;
		const char *subject;
		int64_t value;
	} readable[] = {
		{EIO_SO_SNDLOWAT, "SO_SNDLOWAT 1", 1},
		{EIO_SO_RCVTIMEO, "SO_RCVTIMEO 1", 0},
		{EIO_SO_SNDTIMEO, "SO_SNDTIMEO 1", 0},
		{EIO_SO_ERROR, "SO_ERROR 1", 0},
		{EIO_SO_TYPE, "SO_TYPE 1", SOCK_DGRAM},
		{EIO_SO_ACCEPTCONN, "SO_ACCEPTCONN 1", 0},
		{EIO_IP_MTU, "IP_MTU 1", 0},
	};
	struct eio_addr at;
	struct eio_switch sw;
	struct eio_fd fd, listening;
	int64_t value;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, UDP4);
	listening = listen_on(&sw, "127.0.0.1:0", &at);
	settings_made = 0;
	for (size_t i = 0; i < COUNT(readable); i++) {
		expect_err(eio_sockopt_set(fd, readable[i].option, 1), -ENOPROTOOPT);
		expect_failure("setsockopt", readable[i].subject);
		if (readable[i].option != EIO_IP_MTU)
			ck_assert_int_eq(value_of(fd, readable[i].option), readable[i].value);
	}
	ck_assert_uint_eq(settings_made, 0);
	ck_assert_int_eq(value_of(listening, EIO_SO_ACCEPTCONN), 1);
	expect_err(eio_sockopt_get(fd, EIO_IP_MTU, &value), -ENOTCONN);
	expect_failure("getsockopt", "IP_MTU");
	expect_ok(eio_ll_connect(fd, &at));
	ck_assert_int_ge(value_of(fd, EIO_IP_MTU), 576);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_pending_error_is_taken_by_reading_it)
{
	struct eio_addr at;
	struct eio_switch sw;
	struct eio_fd fd, other;

	(void) arg;
	eio_switch_begin(&sw);
	other = socket_of(&sw, UDP4);
	expect_ok(eio_addr_parse(&at, "127.0.0.1:0"));
	expect_ok(eio_ll_bind(other, &at));
	expect_ok(eio_ll_getsockname(other, &at));
	fd = socket_of(&sw, UDP4);
	expect_ok(eio_ll_connect(fd, &at));
	expect_ok(eio_fd_close(other));
	/* Nobody is there: that is known when the answer to it has come. */
	expect_err(eio_ll_send(fd, "x", 1, 0), 1);
	ck_assert_int_eq(eio_ll_poll(fd, POLLERR) & POLLERR, POLLERR);
	ck_assert_int_eq(value_of(fd, EIO_SO_ERROR), ECONNREFUSED);
	ck_assert_int_eq(value_of(fd, EIO_SO_ERROR), 0);
	return eio_switch_end(&sw, 0);
}

struct reading {
	struct eio_fd fd;
	char b;
	int rc;
	bool over;
};

static int read_one(void *arg)
{
	struct reading *r = arg;

	r->rc = (int) eio_ll_recv(r->fd, &r->b, 1, 0);
	r->over = true;
	return 0;
}

/* Why SO_RCVTIMEO cannot be set: a limit that does not limit would be a trap. */
RING_TEST(the_ring_does_not_heed_the_time_limits_of_sockets)
{
	const struct timeval soon = {.tv_usec = 2000};
	struct reading r = {.over = false};
	struct eio_switch sw;
	struct eio_fd other;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &r.fd, &other);
	ck_assert_int_eq(setsockopt(number(r.fd), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	ck_assert_int_ge(value_of(r.fd, EIO_SO_RCVTIMEO), 2);
	ck_assert_int_le(value_of(r.fd, EIO_SO_RCVTIMEO), 10);
	expect_ok(eio_fork(&sw, read_one, &r));
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(20)));
	ck_assert(!r.over);
	expect_ok(eio_ll_send_all(other, "x", 1, 0));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(r.rc, 1);
	return 0;
}

RING_TEST(there_are_no_other_options)
{
	static const int unknown[] = {0, -1, EIO_IPV6_V6ONLY + 1, 10000, INT_MAX, INT_MIN};
	struct eio_switch sw;
	struct eio_fd fd;
	int64_t value = 7;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, TCP4);
	settings_made = 0;
	for (size_t i = 0; i < COUNT(unknown); i++) {
		enum eio_sockopt option = (enum eio_sockopt) unknown[i];
		char subject[32];

		snprintf(subject, sizeof(subject), "option %d", unknown[i]);
		expect_err(eio_sockopt_set(fd, option, 1), -EINVAL);
		expect_failure("setsockopt", subject);
		expect_err(eio_sockopt_get(fd, option, &value), -EINVAL);
		expect_failure("getsockopt", subject);
		ck_assert_str_eq(eio_sockopt_name(option), "unknown");
	}
	ck_assert_uint_eq(settings_made, 0);
	ck_assert_int_eq(value, 7);
	for (int i = EIO_SO_DEBUG; i <= EIO_IPV6_V6ONLY; i++)
		ck_assert_str_ne(eio_sockopt_name((enum eio_sockopt) i), "unknown");
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_str_eq(eio_sockopt_name(rows[i].option), rows[i].name);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_socket_that_has_no_such_option_refuses_it_by_name)
{
	struct eio_flow r, w;
	struct eio_switch sw;
	struct eio_fd fd;
	int64_t value = 7;

	(void) arg;
	eio_switch_begin(&sw);
	fd = socket_of(&sw, UDP4);
	expect_err(eio_sockopt_set(fd, EIO_TCP_CORK, 1), -ENOPROTOOPT);
	expect_failure("setsockopt", "TCP_CORK 1");
	expect_err(eio_sockopt_get(fd, EIO_TCP_CORK, &value), -ENOPROTOOPT);
	expect_failure("getsockopt", "TCP_CORK");
	fd = socket_of(&sw, UNIX);
	expect_err(eio_sockopt_set(fd, EIO_TCP_KEEPIDLE, 60), -ENOPROTOOPT);
	expect_failure("setsockopt", "TCP_KEEPIDLE 60");
	expect_ok(eio_fd_close(fd));
	expect_err(eio_sockopt_set(fd, EIO_SO_KEEPALIVE, 1), -EBADF);
	expect_failure("setsockopt", "SO_KEEPALIVE 1");
	flow_pipe(&sw, &r, &w);
	expect_err(eio_net_setsockopt(r, EIO_SO_KEEPALIVE, 1), -ENOTSOCK);
	expect_err(eio_net_getsockopt(w, EIO_SO_KEEPALIVE, &value), -ENOTSOCK);
	expect_err(eio_net_setsockopt(eio_null(), EIO_SO_KEEPALIVE, 1), -ENOTSUP);
	expect_err(eio_net_getsockopt(eio_null(), EIO_SO_KEEPALIVE, &value), -ENOTSUP);
	expect_err(eio_net_setsockopt((struct eio_flow){.ops = NULL}, EIO_SO_KEEPALIVE, 1), -EBADF);
	expect_err(eio_net_getsockopt((struct eio_flow){.ops = NULL}, EIO_SO_KEEPALIVE, &value),
		   -EBADF);
	ck_assert_int_eq(value, 7);
	return eio_switch_end(&sw, 0);
}

static int set_elsewhere(void *arg)
{
	return eio_net_setsockopt(*(struct eio_flow *) arg, EIO_SO_KEEPALIVE, 1);
}

RING_TEST(options_are_for_any_thread_and_for_cancelled_fibers)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	struct eio_cancel c;
	int64_t value;

	(void) arg;
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	expect_ok(on_plain_thread(set_elsewhere, &a));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_ok(eio_net_getsockopt(a, EIO_SO_KEEPALIVE, &value));
	ck_assert_int_eq(value, 1);
	expect_ok(eio_net_setsockopt(a, EIO_SO_KEEPALIVE, 0));
	eio_cancel_end(&c);
	expect_ok(eio_net_getsockopt(a, EIO_SO_KEEPALIVE, &value));
	ck_assert_int_eq(value, 0);
	return eio_switch_end(&sw, 0);
}

/* As options of the calls that make sockets */

#define OPTIONS(...)                                                                               \
	.options = (const struct eio_sockopt_setting[]){__VA_ARGS__},                              \
	.n_options = COUNT(((const struct eio_sockopt_setting[]){__VA_ARGS__}))

static struct eio_listener listen_with(struct eio_switch *sw, const char *where,
				       const struct eio_listen_opts *opts, struct eio_addr *at)
{
	struct eio_listener l;

	expect_ok(eio_addr_parse(at, where));
	expect_ok(eio_net_listen(env->net, sw, at, opts, &l));
	expect_ok(eio_listener_addr(l, at));
	return l;
}

static void expect_value(struct eio_flow f, enum eio_sockopt option, int64_t expected)
{
	int64_t value;

	expect_ok(eio_net_getsockopt(f, option, &value));
	ck_assert_msg(value == expected, "%s %d, not %d", eio_sockopt_name(option), (int) value,
		      (int) expected);
}

RING_TEST(a_listeners_options_are_set_in_order_and_inherited)
{
	const struct eio_listen_opts opts = {
		OPTIONS({EIO_SO_KEEPALIVE, 1}, {EIO_TCP_KEEPIDLE, 5}, {EIO_TCP_KEEPIDLE, 7},
			{EIO_TCP_NODELAY, 0}),
	};
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;
	struct eio_flow f;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_with(&sw, "127.0.0.1:0", &opts, &at);
	expect_ok(eio_listener_fd(l, &fd));
	ck_assert_int_eq(value_of(fd, EIO_TCP_KEEPIDLE), 7);
	expect_ok(eio_net_connect(env->net, &sw, &at, NULL, &f));
	expect_value(f, EIO_TCP_NODELAY, 1);
	expect_ok(eio_net_accept(l, &sw, &f, NULL));
	expect_value(f, EIO_SO_KEEPALIVE, 1);
	expect_value(f, EIO_TCP_KEEPIDLE, 7);
	expect_value(f, EIO_TCP_NODELAY, 0);
	return eio_switch_end(&sw, 0);
}

/* Only one that is IPv6 alone leaves the port to IPv4. */
RING_TEST(a_listeners_options_are_set_before_it_is_bound)
{
	const struct eio_listen_opts alone = {OPTIONS({EIO_IPV6_V6ONLY, 1})};
	const struct eio_listen_opts both = {OPTIONS({EIO_IPV6_V6ONLY, 0})};
	struct eio_listener other;
	struct eio_switch sw;
	struct eio_addr six, four;

	(void) arg;
	if (!has_ipv6())
		return 0;
	eio_switch_begin(&sw);
	listen_with(&sw, "[::]:0", &both, &six);
	eio_addr_tcp4(&four, "\0\0\0\0", eio_addr_port(&six));
	expect_err(eio_net_listen(env->net, &sw, &four, NULL, &other), -EADDRINUSE);
	listen_with(&sw, "127.0.0.1:0", NULL, &four);
	eio_addr_tcp6(&six, &in6addr_any, eio_addr_port(&four));
	expect_err(eio_net_listen(env->net, &sw, &six, &both, &other), -EADDRINUSE);
	expect_ok(eio_net_listen(env->net, &sw, &six, &alone, &other));
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_connections_options_are_set_before_it_is_bound_and_connected)
{
	struct eio_addr at, local;
	const struct eio_connect_opts opts = {
		.bind_to = &local,
		OPTIONS({EIO_IP_BIND_ADDRESS_NO_PORT, 1}, {EIO_TCP_MAXSEG, 500}, {EIO_IP_TTL, 9},
			{EIO_TCP_NODELAY, 0}),
	};
	int64_t size;
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_with(&sw, "127.0.0.1:0", NULL, &at);
	expect_ok(eio_addr_parse(&local, "127.0.0.3:0"));
	expect_ok(eio_net_connect(env->net, &sw, &at, &opts, &f));
	expect_value(f, EIO_IP_TTL, 9);
	expect_value(f, EIO_TCP_NODELAY, 0);
	/* What it said when it connected. */
	expect_ok(eio_net_accept(l, &sw, &f, NULL));
	expect_value(f, EIO_TCP_NODELAY, 1);
	expect_ok(eio_net_getsockopt(f, EIO_TCP_MAXSEG, &size));
	ck_assert_int_le(size, 500);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(an_option_that_fails_is_named_and_nothing_is_left)
{
	static const struct {
		const char *at, *subject;
		struct eio_sockopt_setting setting;
		int err;
	} failures[] = {
		{"127.0.0.1:0", "TCP_KEEPIDLE 99999", {EIO_TCP_KEEPIDLE, 99999}, -ERANGE},
		{"127.0.0.1:0", "SO_ERROR 0", {EIO_SO_ERROR, 0}, -ENOPROTOOPT},
		{"127.0.0.1:0", "option 0", {(enum eio_sockopt) 0, 0}, -EINVAL},
		{"unix:socket", "TCP_CORK 1", {EIO_TCP_CORK, 1}, -ENOPROTOOPT},
	};
	unsigned fds = count_fds();

	(void) arg;
	for (size_t i = 0; i < COUNT(failures); i++) {
		const struct eio_sockopt_setting all[] = {
			{EIO_SO_KEEPALIVE, 1}, failures[i].setting, {EIO_SO_KEEPALIVE, 1}};
		struct eio_listen_opts listen_opts = {.options = all, .n_options = 3};
		struct eio_connect_opts connect_opts = {.options = all, .n_options = 3};
		struct eio_listener l;
		struct eio_addr at;
		struct eio_flow f;

		expect_ok(eio_addr_parse(&at, failures[i].at));
		expect_err(eio_net_listen(env->net, NULL, &at, &listen_opts, &l), failures[i].err);
		expect_failure("setsockopt", failures[i].subject);
		expect_err(eio_net_connect(env->net, NULL, &at, &connect_opts, &f),
			   failures[i].err);
		expect_failure("setsockopt", failures[i].subject);
		ck_assert_uint_eq(count_fds(), fds);
		ck_assert(!exists("socket"));
	}
	return 0;
}

RING_TEST(a_connection_that_lingers_for_0_is_reset)
{
	const struct eio_connect_opts opts = {OPTIONS({EIO_SO_LINGER, 0})};
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;
	struct eio_flow a, b;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_with(&sw, "127.0.0.1:0", NULL, &at);
	expect_ok(eio_net_connect(env->net, &sw, &at, &opts, &a));
	expect_ok(eio_net_accept(l, &sw, &b, NULL));
	expect_ok(eio_flow_close(a));
	expect_err(eio_flow_read(b, (char[1]){0}, 1), -ECONNRESET);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("sockopt", true, what_is_set_is_what_the_kernel_has_test,
	   a_value_out_of_range_is_named_and_never_reaches_the_kernel_test,
	   a_segment_size_of_0_is_the_kernels_own_test, linger_is_seconds_or_off_test,
	   a_range_of_ports_is_two_ports_in_order_test,
	   options_to_be_read_are_read_and_never_set_test,
	   a_pending_error_is_taken_by_reading_it_test,
	   the_ring_does_not_heed_the_time_limits_of_sockets_test, there_are_no_other_options_test,
	   a_socket_that_has_no_such_option_refuses_it_by_name_test,
	   options_are_for_any_thread_and_for_cancelled_fibers_test,
	   a_listeners_options_are_set_in_order_and_inherited_test,
	   a_listeners_options_are_set_before_it_is_bound_test,
	   a_connections_options_are_set_before_it_is_bound_and_connected_test,
	   an_option_that_fails_is_named_and_nothing_is_left_test,
	   a_connection_that_lingers_for_0_is_reset_test)
