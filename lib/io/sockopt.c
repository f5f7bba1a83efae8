/* SPDX-License-Identifier: ISC */
/*
 * Options of sockets: a table, and the few whose value is not an int in the kernel.
 */
#include "io/sockopt.h"
#include "core/error.h"

#include <eio/low_level.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

/* What the kernel keeps the value in. */
enum shape {
	NUMBER, /* an int */
	LINGER, /* a struct linger; -1 is off */
	TIME,   /* a struct timeval; the value is in ms */
	PORTS,  /* two ports in an int; an EIO_PORT_RANGE */
};

struct option {
	const char *name;
	int level, option;
	enum shape shape;
	int min, max; /* of what can be set; min > max: nothing can be */
	bool or_zero; /* and 0 */
};

#define ROW(option, level, ...) [EIO_##option] = {#option, level, option, __VA_ARGS__}
#define SWITCH                  NUMBER, 0, 1, false
#define FROM(min, max)          NUMBER, min, max, false
#define READ(shape)             shape, 1, 0, false

static const struct option options[] = {
	ROW(SO_DEBUG, SOL_SOCKET, SWITCH),
	ROW(SO_BROADCAST, SOL_SOCKET, SWITCH),
	ROW(SO_REUSEADDR, SOL_SOCKET, SWITCH),
	ROW(SO_REUSEPORT, SOL_SOCKET, SWITCH),
	ROW(SO_KEEPALIVE, SOL_SOCKET, SWITCH),
	ROW(SO_DONTROUTE, SOL_SOCKET, SWITCH),
	ROW(SO_OOBINLINE, SOL_SOCKET, SWITCH),
	ROW(SO_SNDBUF, SOL_SOCKET, FROM(1, INT_MAX)),
	ROW(SO_RCVBUF, SOL_SOCKET, FROM(1, INT_MAX)),
	ROW(SO_RCVLOWAT, SOL_SOCKET, FROM(1, INT_MAX)),
	ROW(SO_SNDLOWAT, SOL_SOCKET, READ(NUMBER)),
	ROW(SO_LINGER, SOL_SOCKET, LINGER, -1, INT_MAX, false),
	ROW(SO_RCVTIMEO, SOL_SOCKET, READ(TIME)),
	ROW(SO_SNDTIMEO, SOL_SOCKET, READ(TIME)),
	ROW(SO_ERROR, SOL_SOCKET, READ(NUMBER)),
	ROW(SO_TYPE, SOL_SOCKET, READ(NUMBER)),
	ROW(SO_ACCEPTCONN, SOL_SOCKET, READ(NUMBER)),

	ROW(TCP_NODELAY, IPPROTO_TCP, SWITCH),
	ROW(TCP_CORK, IPPROTO_TCP, SWITCH),
	ROW(TCP_KEEPIDLE, IPPROTO_TCP, FROM(1, 32767)),
	ROW(TCP_KEEPINTVL, IPPROTO_TCP, FROM(1, 32767)),
	ROW(TCP_KEEPCNT, IPPROTO_TCP, FROM(1, 127)),
	ROW(TCP_USER_TIMEOUT, IPPROTO_TCP, FROM(0, INT_MAX)),
	ROW(TCP_DEFER_ACCEPT, IPPROTO_TCP, FROM(0, INT_MAX)),
	ROW(TCP_FASTOPEN, IPPROTO_TCP, FROM(0, INT_MAX)),
	ROW(TCP_MAXSEG, IPPROTO_TCP, NUMBER, 88, 32767, true),
	ROW(TCP_SYNCNT, IPPROTO_TCP, FROM(1, 127)),
	ROW(TCP_LINGER2, IPPROTO_TCP, FROM(-1, 120)),
	ROW(TCP_WINDOW_CLAMP, IPPROTO_TCP, FROM(0, INT_MAX)),
	ROW(TCP_QUICKACK, IPPROTO_TCP, SWITCH),

	ROW(IP_FREEBIND, IPPROTO_IP, SWITCH),
	ROW(IP_BIND_ADDRESS_NO_PORT, IPPROTO_IP, SWITCH),
	ROW(IP_LOCAL_PORT_RANGE, IPPROTO_IP, PORTS, 0, 65535, false),
	ROW(IP_TTL, IPPROTO_IP, FROM(1, 255)),
	ROW(IP_MTU, IPPROTO_IP, READ(NUMBER)),
	ROW(IP_MTU_DISCOVER, IPPROTO_IP, FROM(IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT)),

	ROW(IPV6_V6ONLY, IPPROTO_IPV6, SWITCH),
};

static const struct option *find(enum eio_sockopt option)
{
	/* Whether an enum has a sign is the compiler's choice. */
	size_t i = (unsigned) option;

	return i < sizeof(options) / sizeof(options[0]) && options[i].name ? &options[i] : NULL;
}

const char *eio_sockopt_name(enum eio_sockopt option)
{
	const struct option *o = find(option);

	return o ? o->name : "unknown";
}

/* An EIO_PORT_RANGE and its halves; a bound below 0 shows in either. */
static int64_t low_port(int64_t range)
{
	return (int32_t) (uint32_t) range;
}

/* The shift rounds down, which takes one from what is above a low half below 0. */
static int64_t high_port(int64_t range)
{
	return (range >> 32) + (low_port(range) < 0);
}

/* What kinds of sockets say of options that are not theirs. */
static int no_such_option(int rc)
{
	return rc == -EOPNOTSUPP ? -ENOPROTOOPT : rc;
}

/* Setting */

static bool is_between(const struct option *o, int64_t value)
{
	return value >= o->min && value <= o->max;
}

static int check(const struct option *o, int64_t value)
{
	bool good = is_between(o, value) || (o->or_zero && value == 0);

	if (o->min > o->max)
		return -ENOPROTOOPT;
	if (o->shape == PORTS) {
		int64_t low = low_port(value), high = high_port(value);

		good = is_between(o, low) && is_between(o, high) &&
		       (low == 0 || high == 0 || low <= high);
	}
	return good ? 0 : -ERANGE;
}

static int give(struct eio_fd fd, const struct option *o, int64_t value)
{
	struct linger linger = {.l_onoff = value >= 0, .l_linger = value >= 0 ? (int) value : 0};
	uint32_t number = (uint32_t) value;

	if (o->shape == LINGER)
		return eio_ll_setsockopt(fd, o->level, o->option, &linger, sizeof(linger));
	if (o->shape == PORTS)
		number = (uint32_t) low_port(value) | (uint32_t) high_port(value) << 16;
	return eio_ll_setsockopt(fd, o->level, o->option, &number, sizeof(number));
}

static __attribute__((cold, noinline)) int fail_set(int err, const struct option *o, int64_t value)
{
	char text[96];

	if (o->shape == PORTS)
		snprintf(text, sizeof(text), "%s %lld to %lld", o->name,
			 (long long) low_port(value), (long long) high_port(value));
	else
		snprintf(text, sizeof(text), "%s %lld", o->name, (long long) value);
	return eio__fail(err, "setsockopt", text);
}

static __attribute__((cold, noinline)) int fail_unknown(const char *op, enum eio_sockopt option)
{
	char text[32];

	snprintf(text, sizeof(text), "option %d", (int) option);
	return eio__fail(-EINVAL, op, text);
}

int eio_sockopt_set(struct eio_fd fd, enum eio_sockopt option, int64_t value)
{
	const struct option *o = find(option);
	int rc;

	if (!o)
		return fail_unknown("setsockopt", option);
	rc = check(o, value);
	if (rc == 0)
		rc = give(fd, o, value);
	return rc < 0 ? fail_set(no_such_option(rc), o, value) : 0;
}

/* Asking */

union answer {
	int number;
	uint32_t ports;
	struct linger linger;
	struct timeval time;
};

static int64_t value_of(const struct option *o, const union answer *a)
{
	switch (o->shape) {
	case LINGER:
		return a->linger.l_onoff ? a->linger.l_linger : -1;
	case TIME:
		return (int64_t) a->time.tv_sec * 1000 + a->time.tv_usec / 1000;
	case PORTS:
		return EIO_PORT_RANGE(a->ports & 0xffff, a->ports >> 16);
	case NUMBER:
		break;
	}
	return a->number;
}

int eio_sockopt_get(struct eio_fd fd, enum eio_sockopt option, int64_t *ret_value)
{
	const struct option *o = find(option);
	union answer a;
	int rc;

	if (!o)
		return fail_unknown("getsockopt", option);
	rc = eio_ll_getsockopt(fd, o->level, o->option, &a, sizeof(a));
	if (rc < 0)
		return eio__fail(no_such_option(rc), "getsockopt", o->name);
	*ret_value = value_of(o, &a);
	return 0;
}

/* Of flows */

int eio_net_setsockopt(struct eio_flow conn, enum eio_sockopt option, int64_t value)
{
	struct eio_fd fd;
	int rc = eio_flow_fd(conn, &fd);

	return rc < 0 ? rc : eio_sockopt_set(fd, option, value);
}

int eio_net_getsockopt(struct eio_flow conn, enum eio_sockopt option, int64_t *ret_value)
{
	struct eio_fd fd;
	int rc = eio_flow_fd(conn, &fd);

	return rc < 0 ? rc : eio_sockopt_get(fd, option, ret_value);
}

/* Of sockets that are being made */

int eio__sockopts_set(struct eio_fd fd, int family, bool stream, const struct eio__wanted *w)
{
	bool inet = family == AF_INET || family == AF_INET6;
	int rc = 0;

	if (inet && stream)
		rc = eio_sockopt_set(fd, EIO_TCP_NODELAY, 1);
	/* Of a Unix socket it is about the file (eio__bind). */
	if (rc == 0 && inet && w->reuse_addr)
		rc = eio_sockopt_set(fd, EIO_SO_REUSEADDR, 1);
	if (rc == 0 && w->reuse_port)
		rc = eio_sockopt_set(fd, EIO_SO_REUSEPORT, 1);
	for (unsigned i = 0; rc == 0 && i < w->n_options; i++)
		rc = eio_sockopt_set(fd, w->options[i].option, w->options[i].value);
	return rc;
}
