/* SPDX-License-Identifier: ISC */
/*
 * Servers of several domains: how they begin and end together, and share the connections. That
 * they serve as others do is tested by test_server.c with EIO_TEST_DOMAINS.
 */
#include "io/util.h"

#include "io/env.h"
#include "mock/sched.h"
#include <eio/event.h>
#include <eio/mock.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/resource.h>
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

/* Tells its thread, and keeps its descriptor as long as the client does. */
static int tell_and_stay(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	int rc = tell_thread(conn, peer, arg);

	return rc < 0 ? rc : (int) eio_flow_read(conn, &(char){0}, 1);
}

/* Reads what has come and closes those clients: how many. */
static unsigned leave_if_told(int *clients, unsigned n)
{
	unsigned told = 0;
	pid_t tid;

	for (unsigned i = 0; i < n; i++) {
		if (clients[i] < 0 || recv(clients[i], &tid, sizeof(tid), MSG_DONTWAIT) < 0)
			continue;
		close(clients[i]);
		clients[i] = -1;
		told++;
	}
	return told;
}

/* The limit is the process's, so they are short of descriptors together. */
RING_TEST(after_a_shortage_all_domains_go_on)
{
	enum { DOMAINS = 3, CLIENTS = 20, SPARE = 4 };
	pid_t seen[DOMAINS], tid;
	int clients[CLIENTS];
	unsigned n = 0, fds, told = 0;
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	size_t len;

	(void) arg;
	count_warnings();
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), tell_and_stay, env->domain_mgr, DOMAINS - 1);
	start(&s);
	clients[0] = visit(&at);
	hear(clients[0], &tid, sizeof(tid)); /* All are there. */
	fds = count_fds() - 2;
	close(clients[0]);
	wait_until(count_fds() == fds);

	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_fds(SPARE);
	for (unsigned i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(connect(clients[i], eio_addr_sockaddr(&at, &len),
					 sizeof(struct sockaddr_in)),
				 0);
	wait_until(__atomic_load_n(&warnings, __ATOMIC_RELAXED) > 0);
	wait_until((told += leave_if_told(clients, CLIENTS)) == CLIENTS);
	lift_fd_limit();

	while (n < DOMAINS) {
		int client = visit(&at);

		hear(client, &tid, sizeof(tid));
		n = add_thread(seen, n, tid);
		close(client);
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
	for (unsigned i = 0; i < 6; i++) {
		unsigned fails_at = 1 + i / 2;
		bool stuck = i % 2;
		int client;

		eio_switch_begin(&sw);
		set(&s, listen_at(&sw, &at), never_serve, manage(env->domain_mgr, fails_at, stuck),
		    3);
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

/* With one descriptor more each time. The stop ends the server that begins at last. */
RING_TEST(a_server_short_of_descriptors_for_its_domains_leaves_none)
{
	unsigned fds = count_fds(), spare = 0;
	struct eio_addr at;
	struct serving s;
	struct eio_switch sw;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	set(&s, listen_at(&sw, &at), never_serve, env->domain_mgr, 3);
	client = visit(&at);
	expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
	do {
		limit_fds(spare++);
		s.rc = eio_net_run_server(s.l, never_serve, &s, &s.opts);
		lift_fd_limit();
		ck_assert_uint_eq(count_fds(), fds + 2);
		if (s.rc < 0)
			ck_assert_str_eq(eio_last_error()->op, "domain");
	} while (s.rc == -EMFILE);
	expect_ok(s.rc);
	ck_assert_uint_gt(spare, 3);
	close(client);
	expect_ok(eio_switch_end(&s.sw, 0));
	return eio_switch_end(&sw, 0);
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

/* A server for each listener */

RING_TEST(two_servers_have_domains_and_a_stop_each)
{
	struct eio_addr at[2];
	struct serving s[2];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		struct eio_listener l = listen_at(&sw, &at[i]);

		set(&s[i], l, tell_thread, env->domain_mgr, 1);
	}
	for (int i = 0; i < 2; i++)
		start(&s[i]);
	for (int i = 1; i >= 0; i--) {
		int client = visit(&at[i]);

		hear(client, &(pid_t){0}, sizeof(pid_t));
		hear_end(client);
		stop_and_finish(&s[i]);
	}
	return eio_switch_end(&sw, 0);
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
	bool brief;          /* connections end at once */
	int64_t short_until; /* in all domains */
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
	if (eio_now_ns(eio__clock_mono()) < stage.short_until)
		return -EMFILE;
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

static int be_short_together(void *arg)
{
	struct serving s;

	(void) arg;
	set_stage(&s, 2);
	stage.short_until = EIO_SEC(2);
	start(&s);
	pass_ms(1900);
	ck_assert_uint_eq(stage.waiting, 0);
	ck_assert_uint_eq(warnings, 1);
	ck_assert_str_eq(last_warning, "server: Too many open files: accepting more slowly");
	pass_ms(200);
	ck_assert_uint_eq(stage.waiting, 3);
	stop_and_finish(&s);
	eio_event_fini(&stage.allowed);
	return 0;
}

MOCK_TEST(a_shortage_of_all_domains_is_told_once_and_each_accepts_after_it)
{
	(void) arg;
	count_warnings();
	return with_here_bound(be_short_together);
}

/* With memory for so many fibers and no more: has the server begun? */

static int wait_to_be_cancelled(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

static int run_server_later(void *arg)
{
	expect_ok(eio_event_await(&stage.allowed));
	return run_server(arg);
}

static bool begins_with_memory_for(unsigned fibers)
{
	struct eio_switch crowd, spare;
	struct rlimit all, none;
	struct serving s;
	bool begun;

	set_stage(&s, 1);
	expect_ok(eio_fork(&s.sw, run_server_later, &s));
	eio_switch_begin(&crowd);
	eio_switch_begin(&spare);
	while (fibers-- > 0)
		expect_ok(eio_fork(&spare, wait_to_be_cancelled, NULL));
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &all), 0);
	none = all;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	while (eio_fork(&crowd, wait_to_be_cancelled, NULL) == 0)
		;
	expect_err(eio_switch_end(&spare, -EIO), -EIO);
	eio_event_set(&stage.allowed);
	pass_ms(1000);
	begun = !s.over;
	ck_assert_uint_eq(stage.waiting, begun ? 2 : 0);
	setrlimit(RLIMIT_AS, &all);
	expect_err(eio_switch_end(&crowd, -EIO), -EIO);
	if (begun)
		expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
	finish(&s, begun ? 0 : -ENOMEM);
	eio_event_fini(&stage.allowed);
	return begun;
}

/* The domain's main and who starts it; in each domain a worker, and two that watch. */
static int begin_with_more_and_more(void *arg)
{
	unsigned fibers = 0;

	(void) arg;
	while (!begins_with_memory_for(fibers))
		fibers++;
	ck_assert_uint_eq(fibers, 8);
	return 0;
}

START_TEST(without_memory_for_the_fibers_of_each_domain_none_serves)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(begin_with_more_and_more, NULL));
}
END_TEST

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
	   after_a_shortage_all_domains_go_on_test,
	   a_failure_in_another_domain_is_reported_there_test,
	   without_a_manager_additional_domains_are_refused_test,
	   a_domain_that_cannot_start_fails_the_server_before_it_serves_test,
	   a_server_short_of_descriptors_for_its_domains_leaves_none_test,
	   a_server_can_be_cancelled_before_its_domains_are_there_test,
	   a_server_in_a_cancelled_context_starts_no_domain_test,
	   a_server_stopped_before_it_begins_takes_no_connection_test,
	   no_more_domains_are_started_than_connections_may_be_served_test,
	   two_servers_have_domains_and_a_stop_each_test,
	   a_listener_closed_after_a_stop_is_no_failure_test,
	   a_domain_that_cannot_accept_ends_the_accepting_of_all_test,
	   the_failure_of_an_accept_is_the_servers_test,
	   a_shortage_of_all_domains_is_told_once_and_each_accepts_after_it_test,
	   without_memory_for_the_fibers_of_each_domain_none_serves,
	   who_has_more_than_its_part_leaves_the_next_to_others_for_a_while_test,
	   who_is_alone_waits_for_nobody_test)
