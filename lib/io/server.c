/* SPDX-License-Identifier: ISC */
/*
 * Serving connections.
 *
 * A server is a group of equal fibers, in each of its domains. Each of them accepts a
 * connection, serves it itself, closes it, and accepts again, unless enough others do. So
 * nothing is handed from one fiber to another, and a connection costs its own fiber and
 * nothing else. A fiber that got a connection starts another one in its place, and one more
 * while connections keep coming, until IN_FLIGHT of them are accepting: a burst is taken in a
 * few rounds, and a quiet server has one or two.
 *
 * States of a group: open; over, when nobody accepts any more: stopped is set, or failed. It
 * ends when it is over and its last fiber has ended.
 *
 * Invariants: fibers counts those that accept or serve, and is never above max; those
 * that accept are in acceptors. While the group is open and below its limits somebody
 * accepts: the last acceptor waits where the others give up, and who cannot start
 * another fiber accepts again after its connection.
 *
 * Groups of several domains accept from one listener, whose queue is theirs together. So a
 * limit can be divided among them: if one has its share, another takes the next connection.
 * They begin when all domains are there, each is told of the stop by itself, and what ends the
 * accepting in one ends it in the others.
 */
#include "core/error.h"
#include "core/log.h"
#include "core/timer.h"
#include "io/env.h"

#include <eio/domain.h>
#include <eio/fiber.h>
#include <eio/receiver.h>
#include <errno.h>

/* Who serves, for a server and for accept_fork alike */

struct service {
	eio_conn_fn *handler;
	void *arg;
	eio_conn_error_fn *on_error;
	enum eio_receiving receive;
};

static __attribute__((cold, noinline)) void report(const struct service *s,
						   const struct eio_addr *peer, int err)
{
	char text[EIO_ADDR_TEXT], line[256];

	if (s->on_error) {
		s->on_error(peer, err, s->arg);
		return;
	}
	eio_error_format(err, line, sizeof(line));
	eio__log(EIO_LOG_WARNING, "connection of %s: %s", eio_addr_format(peer, text, sizeof(text)),
		 line);
}

/* Kept apart for its frame, which others need not have. */
static __attribute__((noinline)) int serve_receiving(const struct service *s, struct eio_flow conn,
						     const struct eio_addr *peer)
{
	struct eio_receiver r;
	int rc = s->handler(eio_receiver_begin(&r, conn), peer, s->arg);

	eio_receiver_end(&r);
	return rc;
}

static void serve(const struct service *s, struct eio_flow conn, const struct eio_addr *peer)
{
	bool receives = s->receive == EIO_RECEIVE_MULTISHOT;
	int rc = receives ? serve_receiving(s, conn, peer) : s->handler(conn, peer, s->arg);

	if (rc < 0 && rc != -ECANCELED)
		report(s, peer, rc);
	eio_flow_close(conn);
}

/* One connection, one fiber */

struct job {
	struct service service;
	struct eio_flow conn;
	struct eio_addr peer;
};

static int serve_job(void *arg)
{
	struct job *j = arg;

	serve(&j->service, j->conn, &j->peer);
	return 0;
}

/* The connection is the fiber's, not the switch's: it closes it on every path. */
int eio_net_accept_fork(struct eio_listener l, struct eio_switch *sw, eio_conn_fn *handler,
			void *arg, eio_conn_error_fn *on_error)
{
	struct job j = {.service = {handler, arg, on_error, EIO_RECEIVE_EACH}};
	int rc = eio_switch_check(sw);

	if (rc < 0)
		return rc;
	rc = eio_net_accept(l, NULL, &j.conn, &j.peer);
	if (rc < 0)
		return rc;
	rc = eio_fork_copy(sw, serve_job, &j, sizeof(j));
	if (rc < 0)
		eio_flow_close(j.conn);
	return rc;
}

/* Servers */

/* Accepts of a group; where others accept from the same listener: with few of them the domains
 * take turns, and no more than these few connections wait for one that is busy. The kernel wakes
 * one accept for each, whose domain may be computing while others are free. */
enum { IN_FLIGHT = 16, IN_FLIGHT_EACH = 2 };

static const int64_t PAUSE_MIN = EIO_MS(5), PAUSE_MAX = EIO_MS(100);

/* How long a group with more than its part leaves connections to others, and how long not. */
static const int64_t HANG_BACK = EIO_MS(1), HANG_BACK_AGAIN = EIO_MS(20);

/* Shortages closer than this are one. */
static const int64_t EPISODE = EIO_SEC(1);

/* A fiber that accepts, in a context of its own: a stop ends the accepts alone. */
struct acceptor {
	struct eio_cancel ctx;
	size_t index; /* in acceptors */
};

/* What the groups share. Once they have begun nothing changes but the promises, and atomically
 * missing, serving and shortage. */
struct server {
	struct eio_switch sw; /* first: what is forked on it is not deeper than it */
	struct eio_listener listener;
	struct service service;
	struct eio_domain_mgr mgr;
	size_t max;
	size_t groups, missing;     /* all; those not there yet */
	struct eio_promise ready;   /* none is missing */
	struct eio_promise *stop;   /* may be NULL */
	struct eio_promise failure; /* why no group accepts any more, unless it is the stop */
	int64_t drain_ns;
	size_t serving;   /* connections, if there are several groups */
	int64_t shortage; /* when the last one was, on the monotonic clock */
};

struct group {
	struct eio_switch sw; /* first, as above */
	struct server *server;
	struct acceptor *acceptors[IN_FLIGHT];
	size_t accepting, max_accepting; /* how many of them there are, and may be */
	size_t fibers, max;
	int64_t hung_back; /* until when, on the monotonic clock */
	bool stopped, failed;
};

static bool over(const struct group *g)
{
	return g->stopped || g->failed;
}

static void stop_accepting(struct group *g)
{
	for (size_t i = 0; i < g->accepting; i++)
		eio_cancel_raise(&g->acceptors[i]->ctx, -ECANCELED);
}

/* A group that has not heard of the stop yet may fail of what was done after it. */
static void fail(struct group *g, int rc)
{
	struct server *s = g->server;

	if (over(g) || (s->stop && eio_promise_peek(s->stop, NULL, NULL)))
		return;
	g->failed = true;
	stop_accepting(g);
	eio_promise_resolve(&s->failure, eio__fail(rc, "accept", NULL), NULL);
}

static int pause_for(int64_t *ns)
{
	int rc = eio_sleep(eio__clock_mono(), *ns);

	*ns = 2 * *ns < PAUSE_MAX ? 2 * *ns : PAUSE_MAX;
	return rc;
}

static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* Failures of one connection that accept(2) reports, not of the listener. */
static bool is_passing(int err)
{
	switch (err) {
	case -EAGAIN:
	case -ECONNABORTED:
	case -EHOSTDOWN:
	case -EHOSTUNREACH:
	case -EINTR:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -ENONET:
	case -ENOPROTOOPT:
	case -EPROTO:
	case -ETIMEDOUT:
		return true;
	}
	return false;
}

static __attribute__((cold)) void note_shortage(struct server *s, int err)
{
	int64_t now = eio__now(), last = __atomic_exchange_n(&s->shortage, now, __ATOMIC_RELAXED);

	if (now - last > EPISODE)
		eio__log(EIO_LOG_WARNING, "server: %s: accepting more slowly", eio_strerror(err));
}

/* Accepting */

static void begin_accepting(struct group *g, struct acceptor *a)
{
	a->index = g->accepting;
	g->acceptors[g->accepting++] = a;
	eio_cancel_begin(&a->ctx);
}

static void end_accepting(struct group *g, struct acceptor *a)
{
	struct acceptor *last = g->acceptors[--g->accepting];

	last->index = a->index;
	g->acceptors[a->index] = last;
	eio_cancel_end(&a->ctx);
}

/*
 * In a burst the domain that wakes first could take all before another is awake. So who has
 * more than its part of the connections, and some more, hangs back a little; not for long, nor
 * often: where connections are short this comes about by itself and is no harm.
 */
static int hang_back(struct group *g)
{
	const struct server *s = g->server;
	size_t part = __atomic_load_n(&s->serving, __ATOMIC_RELAXED) / s->groups;
	size_t have = g->fibers - g->accepting;
	int64_t now;

	if (s->groups == 1 || have <= part + part / 4 + 1)
		return 0;
	now = eio__now();
	if (now - g->hung_back > HANG_BACK_AGAIN)
		g->hung_back = now + HANG_BACK;
	return now < g->hung_back ? eio_sleep(eio__clock_mono(), g->hung_back - now) : 0;
}

/* In a shortage all acceptors but one give up; that one waits. */
static int accept_one(struct group *g, struct eio_flow *ret, struct eio_addr *ret_peer)
{
	int64_t pause = PAUSE_MIN;
	int rc;

	for (;;) {
		int err = eio_net_accept(g->server->listener, NULL, ret, ret_peer);

		if (is_shortage(err)) {
			note_shortage(g->server, err);
			if (g->accepting > 1)
				return err;
			rc = pause_for(&pause);
		} else if (is_passing(err)) {
			rc = eio_yield();
		} else {
			return err;
		}
		if (rc < 0)
			return rc;
	}
}

/* The next connection, or false when the fiber is not needed any more. Kept apart: its
 * frame is gone while the connection is served. */
static __attribute__((noinline)) bool take(struct group *g, struct eio_flow *ret,
					   struct eio_addr *ret_peer)
{
	struct acceptor a;
	int rc;

	if (over(g) || g->accepting >= g->max_accepting)
		return false;
	begin_accepting(g, &a);
	rc = hang_back(g);
	if (rc == 0)
		rc = accept_one(g, ret, ret_peer);
	end_accepting(g, &a);
	if (rc < 0 && !is_shortage(rc))
		fail(g, rc);
	return rc >= 0;
}

/* The group */

static int worker(void *arg);

static int start_worker(struct group *g)
{
	int rc;

	g->fibers++;
	rc = eio_fork(&g->sw, worker, g);
	if (rc < 0)
		g->fibers--;
	return rc;
}

static bool wants_worker(const struct group *g)
{
	return !over(g) && g->accepting < g->max_accepting && (g->max == 0 || g->fibers < g->max);
}

/*
 * A connection came: one fiber in the place of the caller, and one more. If there is no
 * stack for one and nobody else accepts, the connection waits a little for it; in the
 * end the caller serves it and accepts again after it.
 */
static __attribute__((noinline)) void recruit(struct group *g)
{
	for (int64_t pause = PAUSE_MIN; wants_worker(g);) {
		int rc = start_worker(g);

		if (rc == 0)
			break;
		if (is_shortage(rc))
			note_shortage(g->server, rc);
		if (g->accepting > 0 || pause == PAUSE_MAX || pause_for(&pause) < 0)
			return;
	}
	if (wants_worker(g))
		(void) start_worker(g);
}

static void count(struct server *s, int by)
{
	if (s->groups > 1)
		__atomic_fetch_add(&s->serving, (size_t) by, __ATOMIC_RELAXED);
}

static int worker(void *arg)
{
	struct group *g = arg;
	struct eio_flow conn;
	struct eio_addr peer;

	while (take(g, &conn, &peer)) {
		count(g->server, 1);
		recruit(g);
		serve(&g->server->service, conn, &peer);
		count(g->server, -1);
	}
	g->fibers--;
	return 0;
}

/* Waits for the stop, and limits what comes after it. A daemon: ends with the last
 * worker. */
static int watch(void *arg)
{
	struct group *g = arg;
	const struct server *s = g->server;

	if (eio_promise_await(s->stop, NULL) == -ECANCELED)
		return 0;
	g->stopped = true;
	stop_accepting(g);
	if (s->drain_ns > 0 && eio_sleep(eio__clock_mono(), s->drain_ns) == 0)
		eio_switch_fail(&g->sw, -ETIMEDOUT);
	return 0;
}

/* Waits for the failure of another group; likewise. */
static int watch_others(void *arg)
{
	struct group *g = arg;

	if (eio_promise_await(&g->server->failure, NULL) == -ECANCELED)
		return 0;
	g->failed = true;
	stop_accepting(g);
	return 0;
}

/* Nothing that happens to a worker fails the switch, so its result says nothing. */
static void run_group(struct group *g)
{
	const struct server *s = g->server;
	int rc = 0;

	eio_switch_begin_named(&g->sw, "server");
	if (s->stop)
		rc = eio_fork_daemon(&g->sw, watch, g);
	if (rc == 0 && s->groups > 1)
		rc = eio_fork_daemon(&g->sw, watch_others, g);
	if (rc == 0 && !over(g))
		rc = start_worker(g);
	if (rc < 0)
		fail(g, rc);
	(void) eio_switch_end(&g->sw, 0);
}

/* The domains */

/* The main of each. Who comes last finds none missing, and says so. */
static int serve_in_domain(void *arg)
{
	struct server *s = arg;
	struct group g = {.server = s, .hung_back = INT64_MIN / 2};
	size_t missing = __atomic_sub_fetch(&s->missing, 1, __ATOMIC_ACQ_REL);

	g.max_accepting = s->groups > 1 ? IN_FLIGHT_EACH : IN_FLIGHT;
	g.max = s->max / s->groups + (missing < s->max % s->groups);
	if (missing == 0)
		eio_promise_resolve(&s->ready, 0, NULL);
	if (eio_promise_await(&s->ready, NULL) == 0)
		run_group(&g);
	return 0;
}

static int start_domain(void *arg)
{
	static const struct eio_domain_opts opts = {.name = "eio-server"};
	struct server *s = arg;

	return eio_domain_run_with(s->mgr, &opts, serve_in_domain, s);
}

/* A domain that cannot be started cancels the others, which do not serve yet. */
static int serve_in_domains(struct server *s)
{
	int rc = 0;

	eio_switch_begin_named(&s->sw, "server");
	for (size_t i = 1; i < s->groups && rc == 0; i++)
		rc = eio_fork(&s->sw, start_domain, s);
	if (rc == 0)
		rc = serve_in_domain(s);
	return eio_switch_end(&s->sw, rc);
}

static int check_opts(const struct eio_server_opts *opts)
{
	if (opts->drain_ns < 0 ||
	    (opts->receive != EIO_RECEIVE_EACH && opts->receive != EIO_RECEIVE_MULTISHOT))
		return eio__fail(-EINVAL, "server", NULL);
	if (opts->additional_domains > 0 && !opts->domain_mgr.ops)
		return eio__fail(-EBADF, "server", "domain_mgr");
	return 0;
}

/* A domain that may not serve a single connection is not needed. */
static size_t groups_for(const struct eio_server_opts *opts)
{
	size_t n = (size_t) opts->additional_domains + 1, max = opts->max_connections;

	return max > 0 && max < n ? max : n;
}

int eio_net_run_server(struct eio_listener l, eio_conn_fn *handler, void *arg,
		       const struct eio_server_opts *opts)
{
	static const struct eio_server_opts none;
	struct server s = {.listener = l, .shortage = INT64_MIN / 2};
	int rc = eio_check();

	if (!opts)
		opts = &none;
	if (rc == 0)
		rc = check_opts(opts);
	if (rc < 0)
		return rc;
	s.service = (struct service){handler, arg, opts->on_error, opts->receive};
	s.mgr = opts->domain_mgr;
	s.max = opts->max_connections;
	s.groups = s.missing = groups_for(opts);
	s.stop = opts->stop;
	s.drain_ns = opts->drain_ns;

	rc = s.groups > 1 ? serve_in_domains(&s) : serve_in_domain(&s);
	if (rc == 0 && eio_promise_peek(&s.failure, NULL, NULL))
		rc = eio_promise_await_protected(&s.failure, NULL);
	return eio_check() < 0 ? -ECANCELED : rc;
}
