/* SPDX-License-Identifier: ISC */
/*
 * Connecting to a host by its name: attempts that race each other (RFC 8305).
 *
 * The calling fiber starts the attempts, each in a fiber of its own, and waits between them.
 * The first that gets a connection has won, and cancels the race's scope: the others, and the
 * caller's wait. A connection that another one gets all the same, because it was there before
 * the cancellation, is closed by the attempt that got it. All have ended when the race ends.
 *
 * The time limit of an attempt is eio_net_connect's.
 */
#include "core/error.h"
#include "io/env.h"

#include <eio/fiber.h>
#include <eio/resolve.h>
#include <eio/sync.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { UNDER_WAY_MAX = 16 };

static const int64_t ATTEMPT_DELAY = EIO_MS(250), ATTEMPT_LIMIT = EIO_SEC(10);

struct race {
	struct eio_cancel scope; /* around the switch, so that winning is no failure of it */
	struct eio_switch sw;
	struct eio_net net;
	struct eio_switch *owner; /* of the connection */
	struct eio_connect_opts opts;

	const struct eio_addr_info *list;
	size_t n;
	size_t next[2]; /* in the list: of the first one's family, and of others */
	bool others;    /* it is their turn */

	struct eio_condition ended; /* an attempt, without a connection */
	unsigned under_way;
	bool failed; /* one has ended since the last began */

	bool won;
	struct eio_flow conn;
	const struct eio_addr *first; /* tried before all others */
	int rc;                       /* why that failed */
};

static int family(const struct eio_addr *addr)
{
	return eio_addr_sockaddr(addr, NULL)->sa_family;
}

/* The next of the list that is of the first one's family, or is not: NULL if there is none. */
static const struct eio_addr *take_of(struct race *r, bool others)
{
	size_t *i = &r->next[others];

	while (*i < r->n) {
		const struct eio_addr *addr = &r->list[(*i)++].addr;

		if ((family(addr) != family(&r->list[0].addr)) == others)
			return addr;
	}
	return NULL;
}

static const struct eio_addr *take(struct race *r)
{
	const struct eio_addr *addr = take_of(r, r->others);

	r->others = !r->others;
	return addr ? addr : take_of(r, r->others);
}

/* Attempts */

struct attempt {
	struct race *race;
	const struct eio_addr *addr;
};

static void lose(struct race *r, const struct eio_addr *addr, int rc)
{
	if (addr == r->first)
		r->rc = rc;
	r->failed = true;
	eio_condition_signal(&r->ended);
}

static int attempt(void *arg)
{
	const struct attempt *a = arg;
	struct race *r = a->race;
	struct eio_flow conn;
	int rc;

	r->under_way++;
	rc = eio_net_connect(r->net, r->owner, a->addr, &r->opts, &conn);
	r->under_way--;
	if (rc < 0) {
		lose(r, a->addr, rc);
	} else if (r->won) {
		eio_flow_close(conn);
	} else {
		r->won = true;
		r->conn = conn;
		eio_cancel_raise(&r->scope, -ECANCELED);
	}
	return 0;
}

/* Without a stack for it the attempt has failed. */
static void start(struct race *r, const struct eio_addr *addr)
{
	const struct attempt a = {r, addr};
	int rc;

	if (!r->first)
		r->first = addr;
	r->failed = false;
	rc = eio_fork_copy(&r->sw, attempt, &a, sizeof(a));
	if (rc < 0)
		lose(r, addr, rc);
}

/* The race */

/* May the next attempt begin? 0, or the race is over. */
static int await_turn(struct race *r)
{
	struct eio_timeout delay;
	int rc = eio_check();

	eio_timeout_begin(&delay, eio__clock_mono(), ATTEMPT_DELAY);
	while (rc == 0 && !r->failed)
		rc = eio_condition_await_no_mutex(&r->ended);
	rc = eio_timeout_end(&delay, rc);
	if (rc == -ETIMEDOUT)
		rc = 0;
	while (rc == 0 && r->under_way == UNDER_WAY_MAX)
		rc = eio_condition_await_no_mutex(&r->ended);
	return rc;
}

/* Unless it is won: -ECANCELED, or why the first attempt failed, 0 if there was none. */
static int run(struct race *r)
{
	const struct eio_addr *addr;
	int rc = 0;

	eio_cancel_begin(&r->scope);
	eio_switch_begin_named(&r->sw, "connect");
	while (rc == 0 && (addr = take(r))) {
		if (r->opts.bind_to && family(addr) != family(r->opts.bind_to))
			continue;
		start(r, addr);
		rc = await_turn(r);
	}
	(void) eio_switch_end(&r->sw, 0);
	eio_cancel_end(&r->scope);
	rc = eio_check();
	return rc < 0 ? rc : r->rc;
}

/* Records host and address, the latter if there is one, as what failed. */
static __attribute__((cold, noinline)) int fail_at(int err, const char *host,
						   const struct eio_addr *addr)
{
	char at[EIO_ADDR_TEXT] = "", text[NI_MAXHOST + sizeof(at) + 3];

	if (addr)
		eio_addr_format(addr, at, sizeof(at));
	if (host && addr)
		snprintf(text, sizeof(text), "%.*s (%s)", NI_MAXHOST, host, at);
	return eio__fail(err, "connect", host && addr ? text : host ? host : at);
}

/* Kept apart: its frame is not there while the names are looked up. */
static __attribute__((noinline)) int connect_any(struct eio_net net, struct eio_switch *sw,
						 const char *host, const struct eio_addr_info *list,
						 size_t n, const struct eio_connect_opts *opts,
						 struct eio_flow *ret)
{
	struct race r = {
		.net = net,
		.owner = sw,
		.opts = *opts,
		.list = list,
		.n = n,
		.ended = EIO_CONDITION_INIT,
	};
	int rc;

	if (r.opts.timeout_ns == 0)
		r.opts.timeout_ns = ATTEMPT_LIMIT;
	rc = run(&r);
	if (r.won) {
		*ret = r.conn;
		return 0;
	}
	if (!r.first && rc == 0)
		return fail_at(-EAFNOSUPPORT, host, r.opts.bind_to);
	return fail_at(rc, host, r.first);
}

int eio_net_connect_host(struct eio_net net, struct eio_switch *sw, const char *host,
			 const char *service, const struct eio_connect_opts *opts,
			 struct eio_flow *ret)
{
	static const struct eio_connect_opts none;
	struct eio_addr_info *list;
	size_t n;
	int rc;

	if (!opts)
		opts = &none;
	if (opts->timeout_ns < 0)
		return fail_at(-EINVAL, host, NULL);
	rc = eio_net_getaddrinfo(net, host, service, EIO_SOCKET_STREAM, &list, &n);
	if (rc < 0)
		return rc;
	rc = connect_any(net, sw, host, list, n, opts, ret);
	free(list);
	return rc;
}
