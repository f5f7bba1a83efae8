/* SPDX-License-Identifier: ISC */
/*
 * Serving connections.
 *
 * A server is a group of equal fibers. Each of them accepts a connection, serves it
 * itself, closes it, and accepts again, unless enough others do. So nothing is handed
 * from one fiber to another, and a connection costs its own fiber and nothing else. A
 * fiber that got a connection starts another one in its place, and one more while
 * connections keep coming, until IN_FLIGHT of them are accepting: a burst is taken in a
 * few rounds, and a quiet server has one or two.
 *
 * States: open; over, when nobody accepts any more: stopped is set, or rc tells why. The
 * server ends when it is over and its last fiber has ended.
 *
 * Invariants: fibers counts those that accept or serve, and is never above max; those
 * that accept are in acceptors. While the server is open and below its limits somebody
 * accepts: the last acceptor waits where the others give up, and who cannot start
 * another fiber accepts again after its connection.
 */
#include "core/error.h"
#include "core/log.h"
#include "core/timer.h"
#include "io/env.h"

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

enum { IN_FLIGHT = 16 };

static const int64_t PAUSE_MIN = EIO_MS(5), PAUSE_MAX = EIO_MS(100);

/* Shortages closer than this are one. */
static const int64_t EPISODE = EIO_SEC(1);

/* A fiber that accepts, in a context of its own: a stop ends the accepts alone. */
struct acceptor {
	struct eio_cancel ctx;
	size_t index; /* in acceptors */
};

struct server {
	struct eio_switch sw; /* first: what is forked on it is not deeper than it */
	struct eio_listener listener;
	struct service service;
	struct acceptor *acceptors[IN_FLIGHT];
	size_t accepting; /* how many of them */
	size_t fibers, max;
	struct eio_promise *stop;
	int64_t drain_ns;
	int64_t shortage; /* when the last one was, on the monotonic clock */
	bool short_once;
	bool stopped;
	int rc;
};

static bool over(const struct server *s)
{
	return s->stopped || s->rc < 0;
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
	int64_t now = eio__now();

	if (!s->short_once || now - s->shortage > EPISODE)
		eio__log(EIO_LOG_WARNING, "server: %s: accepting more slowly", eio_strerror(err));
	s->short_once = true;
	s->shortage = now;
}

/* Accepting */

static void begin_accepting(struct server *s, struct acceptor *a)
{
	a->index = s->accepting;
	s->acceptors[s->accepting++] = a;
	eio_cancel_begin(&a->ctx);
}

static void end_accepting(struct server *s, struct acceptor *a)
{
	struct acceptor *last = s->acceptors[--s->accepting];

	last->index = a->index;
	s->acceptors[a->index] = last;
	eio_cancel_end(&a->ctx);
}

/* In a shortage all acceptors but one give up; that one waits. */
static int accept_one(struct server *s, struct eio_flow *ret, struct eio_addr *ret_peer)
{
	int64_t pause = PAUSE_MIN;
	int rc;

	for (;;) {
		int err = eio_net_accept(s->listener, NULL, ret, ret_peer);

		if (is_shortage(err)) {
			note_shortage(s, err);
			if (s->accepting > 1)
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
static __attribute__((noinline)) bool take(struct server *s, struct eio_flow *ret,
					   struct eio_addr *ret_peer)
{
	struct acceptor a;
	int rc;

	if (over(s) || s->accepting == IN_FLIGHT)
		return false;
	begin_accepting(s, &a);
	rc = accept_one(s, ret, ret_peer);
	end_accepting(s, &a);
	if (rc < 0 && !is_shortage(rc) && !over(s))
		s->rc = rc;
	return rc >= 0;
}

/* The group */

static int worker(void *arg);

static int start_worker(struct server *s)
{
	int rc;

	s->fibers++;
	rc = eio_fork(&s->sw, worker, s);
	if (rc < 0)
		s->fibers--;
	return rc;
}

static bool wants_worker(const struct server *s)
{
	return !over(s) && s->accepting < IN_FLIGHT && (s->max == 0 || s->fibers < s->max);
}

/*
 * A connection came: one fiber in the place of the caller, and one more. If there is no
 * stack for one and nobody else accepts, the connection waits a little for it; in the
 * end the caller serves it and accepts again after it.
 */
static __attribute__((noinline)) void recruit(struct server *s)
{
	for (int64_t pause = PAUSE_MIN; wants_worker(s);) {
		int rc = start_worker(s);

		if (rc == 0)
			break;
		if (is_shortage(rc))
			note_shortage(s, rc);
		if (s->accepting > 0 || pause == PAUSE_MAX || pause_for(&pause) < 0)
			return;
	}
	if (wants_worker(s))
		(void) start_worker(s);
}

static int worker(void *arg)
{
	struct server *s = arg;
	struct eio_flow conn;
	struct eio_addr peer;

	while (take(s, &conn, &peer)) {
		recruit(s);
		serve(&s->service, conn, &peer);
	}
	s->fibers--;
	return 0;
}

/* Waits for the stop, and limits what comes after it. A daemon: ends with the last
 * worker. */
static int watch(void *arg)
{
	struct server *s = arg;

	if (eio_promise_await(s->stop, NULL) == -ECANCELED)
		return 0;
	s->stopped = true;
	for (size_t i = 0; i < s->accepting; i++)
		eio_cancel_raise(&s->acceptors[i]->ctx, -ECANCELED);
	if (s->drain_ns > 0 && eio_sleep(eio__clock_mono(), s->drain_ns) == 0)
		eio_switch_fail(&s->sw, -ETIMEDOUT);
	return 0;
}

/* Nothing that happens to a worker fails the switch, so its result says nothing. */
int eio_net_run_server(struct eio_listener l, eio_conn_fn *handler, void *arg,
		       const struct eio_server_opts *opts)
{
	static const struct eio_server_opts none;
	struct server s = {.listener = l};
	int rc = eio_check();

	if (!opts)
		opts = &none;
	if (rc < 0)
		return rc;
	if (opts->drain_ns < 0 ||
	    (opts->receive != EIO_RECEIVE_EACH && opts->receive != EIO_RECEIVE_MULTISHOT))
		return eio__fail(-EINVAL, "server", NULL);
	s.service = (struct service){handler, arg, opts->on_error, opts->receive};
	s.max = opts->max_connections;
	s.stop = opts->stop;
	s.drain_ns = opts->drain_ns;

	eio_switch_begin_named(&s.sw, "server");
	if (s.stop)
		rc = eio_fork_daemon(&s.sw, watch, &s);
	if (rc == 0 && !over(&s))
		rc = start_worker(&s);
	if (rc < 0)
		s.rc = rc;
	(void) eio_switch_end(&s.sw, 0);

	rc = eio_check();
	if (rc < 0)
		return rc;
	return s.rc < 0 ? eio__fail(s.rc, "accept", NULL) : 0;
}
