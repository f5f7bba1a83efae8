/* SPDX-License-Identifier: ISC */
/*
 * Servers of several domains: how they begin and end together, and share the connections. That
 * they serve as others do is tested by test_server.c with EIO_TEST_DOMAINS.
 */
#include "io/util.h"

#include "io/env.h"
#include <eio/event.h>
#include <eio/mock.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server in a fiber, and in a context of its own */

struct serving {
	struct eio_switch sw; /* first: what is forked on it is not deeper than it */
	struct eio_listener l;
	struct eio_server_opts opts;
	struct eio_promise stop;
	eio_conn_fn *handler;
	struct eio_cancel ctx;
	int rc;
	bool over;
};

static int run_server(void *arg)
{
	struct serving *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = eio_net_run_server(s->l, s->handler, s, &s->opts);
	eio_cancel_end(&s->ctx);
	s->over = true;
	return 0;
}

static void set(struct serving *s, struct eio_listener l, eio_conn_fn *handler,
		struct eio_domain_mgr mgr, unsigned additional)
{
	*s = (struct serving){.l = l, .handler = handler};
	s->opts.stop = &s->stop;
	s->opts.additional_domains = additional;
	s->opts.domain_mgr = mgr;
	eio_switch_begin(&s->sw);
}

static void start(struct serving *s)
{
	expect_ok(eio_fork(&s->sw, run_server, s));
}

static void finish(struct serving *s, int expected)
{
	expect_ok(eio_switch_end(&s->sw, 0));
	ck_assert(s->over);
	expect_err(s->rc, expected);
}

static void stop_and_finish(struct serving *s)
{
	expect_ok(eio_promise_resolve(&s->stop, 0, NULL));
	finish(s, 0);
}

/* Managers */

static struct {
	struct eio_domain_mgr real;
	unsigned runs, running, fails_at; /* which run fails; 0: none */
	bool stuck;                       /* the others take for ever to begin */
} managing;

static int managed_run(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		       void *arg)
{
	int rc;

	(void) mgr;
	if (++managing.runs == managing.fails_at) {
		/* The others are there and wait for it, if nothing is wrong with them. */
		expect_ok(eio_sleep(eio__clock_mono(), EIO_MS(5)));
		return eio_error_set(-EAGAIN, "domain", "the last");
	}
	managing.running++;
	if (managing.stuck)
		rc = eio_await_cancel();
	else
		rc = eio_domain_run_with(managing.real, opts, fn, arg);
	managing.running--;
	return rc;
}

static struct eio_domain_mgr manage(struct eio_domain_mgr real, unsigned fails_at, bool stuck)
{
	static const struct eio_domain_mgr_ops ops = {.name = "managed", .run = managed_run};

	memset(&managing, 0, sizeof(managing));
	managing.real = real;
	managing.fails_at = fails_at;
	managing.stuck = stuck;
	return (struct eio_domain_mgr){.ops = &ops};
}

/* Sockets */

static struct eio_listener listen_at(struct eio_switch *sw, struct eio_addr *at)
{
	struct eio_listener l;

	expect_ok(eio_addr_parse(at, "127.0.0.1:0"));
	expect_ok(eio_net_listen(env->net, sw, at, NULL, &l));
	expect_ok(eio_listener_addr(l, at));
	return l;
}

static int visit(const struct eio_addr *at)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(at, &len);
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, sa, (socklen_t) len), 0);
	return fd;
}

static struct eio_addr addr_of(int unix_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct eio_addr a;

	ck_assert_int_eq(getsockname(unix_fd, (struct sockaddr *) &ss, &len), 0);
	expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) &ss, len));
	return a;
}

/* Reads what the server sends, while fibers go on. */
static void hear(int client, void *ret, size_t len)
{
	ssize_t n;

	wait_until((n = recv(client, ret, len, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
	ck_assert_int_eq(n, (ssize_t) len);
}

static void hear_end(int client)
{
	ssize_t n;

	wait_until((n = recv(client, &(char){0}, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
	ck_assert_int_eq(n, 0);
	close(client);
}

/* The threads take part */

static int tell_thread(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	pid_t tid = gettid();

	(void) peer, (void) arg;
	return eio_flow_write(conn, &tid, sizeof(tid));
}

static unsigned add_thread(pid_t *seen, unsigned n, pid_t tid)
{
	for (unsigned i = 0; i < n; i++) {
		if (seen[i] == tid)
			return n;
	}
	seen[n] = tid;
	return n + 1;
}

/* One after another: whoever waits longest for a connection has the next. */
RING_TEST(connections_are_served_by_all_domains)
{
	enum { DOMAINS = 3 };
	pid_t seen[DOMAINS], tid;
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	unsigned n = 0;

	(void) arg;
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), tell_thread, env->domain_mgr, DOMAINS - 1);
	start(&s);
	while (n < DOMAINS) {
		int client = visit(&at);

		hear(client, &tid, sizeof(tid));
		hear_end(client);
		n = add_thread(seen, n, tid);
	}
	stop_and_finish(&s);
	return eio_switch_end(&sw, 0);
}

/* The handler's failure, its details and its peer, in its own thread */

struct failing {
	struct serving s; /* first: the handler's argument */
	pid_t main;
	struct eio_addr peer;
	char line[64];
	atomic_bool failed;
};

/* Those that the main thread serves are let go. */
static int fail_elsewhere(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct failing *f = arg;

	(void) conn, (void) peer;
	return gettid() == f->main ? 0 : eio_error_set(-EPROTO, "parse", "GET");
}

static void complain(const struct eio_addr *peer, int err, void *arg)
{
	struct failing *f = arg;

	ck_assert_int_ne(gettid(), f->main);
	eio_error_format(err, f->line, sizeof(f->line));
	f->peer = *peer;
	f->failed = true;
}

RING_TEST(a_failure_in_another_domain_is_reported_there)
{
	struct eio_addr at, client_addr;
	struct failing f = {.main = gettid()};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	set(&f.s, listen_at(&sw, &at), fail_elsewhere, env->domain_mgr, 1);
	f.s.opts.on_error = complain;
	start(&f.s);
	while (!f.failed) {
		int client = visit(&at);

		client_addr = addr_of(client);
		hear_end(client);
		for (int i = 0; i < 5 && !f.failed; i++)
			expect_ok(eio_yield());
	}
	stop_and_finish(&f.s);
	ck_assert_str_eq(f.line, "parse GET: Protocol error");
	ck_assert_uint_eq(eio_addr_port(&f.peer) != 0, 1);
	ck_assert(eio_addr_equal(&f.peer, &client_addr));
	return eio_switch_end(&sw, 0);
}

/* Beginning */

static int never_serve(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	(void) conn, (void) peer, (void) arg;
	ck_abort_msg("a connection was taken");
	return 0;
}

RING_TEST(without_a_manager_additional_domains_are_refused)
{
	struct eio_server_opts opts = {.additional_domains = 1};
	struct eio_addr at;
	struct eio_switch sw;
	struct eio_listener l;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_at(&sw, &at);
	for (size_t max = 0; max < 3; max++) {
		opts.max_connections = max;
		expect_err(eio_net_run_server(l, never_serve, NULL, &opts), -EBADF);
		ck_assert_str_eq(eio_last_error()->subject, "domain_mgr");
	}
	return eio_switch_end(&sw, 0);
}

/* The connection is still in the queue, and the other domains have ended. */
RING_TEST(a_domain_that_cannot_start_fails_the_server_before_it_serves)
{
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	char line[64];

	(void) arg;
	for (unsigned stuck = 0; stuck < 2; stuck++) {
		int client;

		eio_switch_begin(&sw);
		set(&s, listen_at(&sw, &at), never_serve, manage(env->domain_mgr, 3, stuck), 3);
		client = visit(&at);
		s.rc = eio_net_run_server(s.l, never_serve, &s, &s.opts);
		eio_error_format(s.rc, line, sizeof(line));
		expect_err(s.rc, -EAGAIN);
		ck_assert_str_eq(line, "domain the last: Resource temporarily unavailable");
		ck_assert_uint_eq(managing.running, 0);
		expect_ok(eio_switch_end(&s.sw, 0));
		/* Another server has it. */
		set(&s, s.l, tell_thread, env->domain_mgr, 1);
		start(&s);
		hear(client, &(pid_t){0}, sizeof(pid_t));
		hear_end(client);
		stop_and_finish(&s);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_server_can_be_cancelled_before_its_domains_are_there)
{
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), never_serve, manage(env->domain_mgr, 0, true), 2);
	start(&s);
	wait_until(managing.running == 2);
	ck_assert(!s.over);
	expect_ok(eio_cancel_raise(&s.ctx, -EIO));
	finish(&s, -ECANCELED);
	ck_assert_uint_eq(managing.running, 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_server_in_a_cancelled_context_starts_no_domain)
{
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), never_serve, manage(env->domain_mgr, 0, false), 2);
	eio_cancel_begin(&s.ctx);
	expect_ok(eio_cancel_raise(&s.ctx, -EIO));
	expect_err(eio_net_run_server(s.l, never_serve, &s, &s.opts), -ECANCELED);
	eio_cancel_end(&s.ctx);
	ck_assert_uint_eq(managing.runs, 0);
	expect_ok(eio_switch_end(&s.sw, 0));
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_server_stopped_before_it_begins_takes_no_connection)
{
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), never_serve, env->domain_mgr, 2);
	client = visit(&at);
	expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
	start(&s);
	finish(&s, 0);
	close(client);
	return eio_switch_end(&sw, 0);
}

RING_TEST(no_more_domains_are_started_than_connections_may_be_served)
{
	static const unsigned max[] = {1, 2, 4, 6, 7}, runs[] = {0, 1, 3, 5, 5};
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;

	(void) arg;
	for (size_t i = 0; i < COUNT(max); i++) {
		eio_switch_begin(&sw);
		set(&s, listen_at(&sw, &at), tell_thread, manage(env->domain_mgr, 0, false), 5);
		s.opts.max_connections = max[i];
		start(&s);
		stop_and_finish(&s);
		ck_assert_uint_eq(managing.runs, runs[i]);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Ending */

/* What comes after a stop is none of its results, whichever domain hears of it first. */
RING_TEST(a_listener_closed_after_a_stop_is_no_failure)
{
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	int clients[4];

	(void) arg;
	for (int round = 0; round < 20; round++) {
		eio_switch_begin(&sw);
		set(&s, listen_at(&sw, &at), tell_thread, env->domain_mgr, 2);
		start(&s);
		for (size_t i = 0; i < COUNT(clients); i++)
			clients[i] = visit(&at);
		hear(clients[0], &(pid_t){0}, sizeof(pid_t));
		expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
		expect_ok(eio_listener_close(s.l));
		finish(&s, 0);
		for (size_t i = 0; i < COUNT(clients); i++)
			close(clients[i]);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* On the mock: a listener of the test's own. What the caller has bound tells the caller's domain
 * from the others, which do not inherit it. */

static struct eio_key here;

static struct {
	size_t pending; /* connections */
	unsigned fails; /* so many accepts of the caller's domain fail, once they are allowed to */
	struct eio_event allowed;
	unsigned waiting, served;
	bool brief; /* connections end at once */
} stage;

static int nothing(struct eio_flow f)
{
	(void) f;
	return 0;
}

static int staged_accept(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
			 struct eio_addr *ret_peer)
{
	static const struct eio_flow_ops ops = {.name = "staged", .close = nothing};
	int rc = 0;

	(void) l, (void) sw;
	stage.waiting++;
	if (!eio_get(&here))
		rc = eio_await_cancel();
	while (rc == 0 && stage.pending == 0 && stage.fails == 0)
		rc = eio_event_await(&stage.allowed);
	stage.waiting--;
	if (rc < 0)
		return rc;
	if (stage.fails > 0) {
		stage.fails--;
		return eio_error_set(-EINVAL, "accept", "stage");
	}
	if (--stage.pending > 0)
		eio_event_set(&stage.allowed); /* which wakes one */
	expect_ok(eio_addr_parse(ret_peer, "127.0.0.1:1"));
	*ret = (struct eio_flow){.ops = &ops};
	return 0;
}

static int stay(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct serving *s = arg;

	(void) conn, (void) peer;
	stage.served++;
	note("%d", (int) (eio_now_ns(eio__clock_mono()) / EIO_MS(1)));
	return stage.brief ? 0 : eio_promise_await(&s->stop, NULL);
}

static void set_stage(struct serving *s, unsigned additional)
{
	static const struct eio_listener_ops ops = {.name = "stage", .accept = staged_accept};

	memset(&stage, 0, sizeof(stage));
	expect_ok(eio_event_init(&stage.allowed));
	set(s, (struct eio_listener){.ops = &ops}, stay, eio_mock_domain_mgr(), additional);
}

static int with_here_bound(eio_fn *fn)
{
	return eio_binding_run(&here, &here, fn, NULL);
}

static void arrive(size_t n)
{
	stage.pending = n;
	eio_event_set(&stage.allowed);
}

static void pass_ms(unsigned ms)
{
	expect_ok(eio_sleep(eio__clock_mono(), EIO_MS(ms)));
}

static int end_accepting(void *arg)
{
	struct serving s;

	(void) arg;
	for (unsigned additional = 0; additional < 3; additional++) {
		set_stage(&s, additional);
		stage.pending = 2;
		start(&s);
		pass_ms(50);
		ck_assert_uint_ge(stage.waiting, 2);
		/* A single accept fails; the others would wait for ever. */
		stage.fails = 1;
		eio_event_set(&stage.allowed);
		pass_ms(1);
		ck_assert_uint_eq(stage.waiting, 0);
		ck_assert(!s.over);
		ck_assert_uint_eq(stage.served, 2);
		expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
		finish(&s, -EINVAL);
		eio_event_fini(&stage.allowed);
		log_clear();
	}
	return 0;
}

/* The failure of one accept is the end of all, and the open connections go on. */
MOCK_TEST(a_domain_that_cannot_accept_ends_the_accepting_of_all)
{
	(void) arg;
	return with_here_bound(end_accepting);
}

static int fail_and_tell(void *arg)
{
	struct serving s;

	(void) arg;
	set_stage(&s, 1);
	stage.fails = 1;
	s.rc = eio_net_run_server(s.l, stay, &s, &s.opts);
	expect_err(s.rc, -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "accept");
	eio_event_fini(&stage.allowed);
	return eio_switch_end(&s.sw, 0);
}

MOCK_TEST(the_failure_of_an_accept_is_the_servers)
{
	(void) arg;
	return with_here_bound(fail_and_tell);
}

/* The others sleep. */
static int take_all(void *arg)
{
	struct serving s;

	(void) arg;
	set_stage(&s, 1);
	start(&s);
	/* Those that are gone count no more. */
	stage.brief = true;
	arrive(20);
	pass_ms(50);
	ck_assert_uint_eq(stage.served, 20);
	log_clear();
	stage.brief = false;
	arrive(8);
	pass_ms(10);
	/* Two are no more than may be, and two were being accepted. */
	expect_log("50 50 50 50 51 51 51 51");
	arrive(3);
	pass_ms(30);
	expect_log("60 60 60");
	arrive(4);
	pass_ms(10);
	expect_log("90 90 91 91");
	stop_and_finish(&s);
	eio_event_fini(&stage.allowed);
	return 0;
}

MOCK_TEST(who_has_more_than_its_part_leaves_the_next_to_others_for_a_while)
{
	(void) arg;
	return with_here_bound(take_all);
}

static int take_all_alone(void *arg)
{
	struct serving s;

	(void) arg;
	set_stage(&s, 0);
	start(&s);
	pass_ms(1);
	arrive(8);
	pass_ms(9);
	expect_log("1 1 1 1 1 1 1 1");
	stop_and_finish(&s);
	eio_event_fini(&stage.allowed);
	return 0;
}

MOCK_TEST(who_is_alone_waits_for_nobody)
{
	(void) arg;
	return with_here_bound(take_all_alone);
}

SUITE_MAIN("server_domains", false, connections_are_served_by_all_domains_test,
	   a_failure_in_another_domain_is_reported_there_test,
	   without_a_manager_additional_domains_are_refused_test,
	   a_domain_that_cannot_start_fails_the_server_before_it_serves_test,
	   a_server_can_be_cancelled_before_its_domains_are_there_test,
	   a_server_in_a_cancelled_context_starts_no_domain_test,
	   a_server_stopped_before_it_begins_takes_no_connection_test,
	   no_more_domains_are_started_than_connections_may_be_served_test,
	   a_listener_closed_after_a_stop_is_no_failure_test,
	   a_domain_that_cannot_accept_ends_the_accepting_of_all_test,
	   the_failure_of_an_accept_is_the_servers_test,
	   who_has_more_than_its_part_leaves_the_next_to_others_for_a_while_test,
	   who_is_alone_waits_for_nobody_test)
