/* SPDX-License-Identifier: ISC */
/*
 * Servers, on the mock scheduler with a listener of the test's own, where the clock and
 * the order are exact, and with real sockets.
 *
 * With EIO_TEST_DOMAINS=N those with sockets have N additional domains, and promise the same.
 */
#include "core/fiber.h"
#include "faults.h"
#include "io/util.h"
#include "mock/sched.h"

#include "io/env.h"
#include <eio/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t now(void)
{
	return eio_now_ns(eio__clock_mono());
}

/* A stage: a listener whose connections come when the test says so */

enum { SEATS = 1000 };

struct stage {
	struct eio_event more;
	size_t pending;   /* connections nobody took */
	size_t taken;     /* and those that were; a connection's number begins at 1 */
	size_t accepting; /* accepts that wait */
	size_t most_accepting;
	size_t calls;
	const int *errors; /* given out first, until a 0 */
	bool closed;
	int closes[SEATS + 1]; /* of the connections */

	/* The handler's. */
	int64_t lasts; /* sleeps so long */
	const int *results;
	size_t live, most_live, ended, cancelled;

	/* Reports. */
	size_t reports;
	int last_report;
	char report[256];
};

static struct stage stage;

static int staged_close(struct eio_flow f)
{
	stage.closes[(uintptr_t) f.u.ptr]++;
	return 0;
}

static const struct eio_flow_ops staged_conn_ops = {.name = "staged", .close = staged_close};

static struct eio_addr addr_of_number(size_t number)
{
	struct eio_addr a;

	eio_addr_tcp4(&a, "\x7f\0\0\1", (unsigned) number);
	return a;
}

static int staged_accept(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
			 struct eio_addr *ret_peer)
{
	int rc = 0;

	(void) l;
	ck_assert_ptr_null(sw);
	stage.calls++;
	if (stage.errors && *stage.errors) {
		note("%d", (int) (now() / EIO_MS(1)));
		return *stage.errors++;
	}
	stage.accepting++;
	if (stage.accepting > stage.most_accepting)
		stage.most_accepting = stage.accepting;
	while (rc == 0 && !stage.closed && stage.pending == 0)
		rc = eio_event_await(&stage.more);
	stage.accepting--;
	if (rc < 0)
		return rc;
	/* One set wakes one fiber, however many there were before it ran. */
	if (stage.closed || stage.pending > 1)
		eio_event_set(&stage.more);
	if (stage.closed)
		return -EBADF;
	stage.pending--;
	*ret = (struct eio_flow){.ops = &staged_conn_ops, .u.ptr = (void *) ++stage.taken};
	*ret_peer = addr_of_number(stage.taken);
	return 0;
}

static const struct eio_listener_ops staged_ops = {.name = "stage", .accept = staged_accept};
static const struct eio_listener staged = {.ops = &staged_ops};

/* So many connections come. */
static void arrive(size_t n)
{
	stage.pending += n;
	eio_event_set(&stage.more);
}

static void close_stage(void)
{
	stage.closed = true;
	eio_event_set(&stage.more);
}

static int handle(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	size_t number = (uintptr_t) conn.u.ptr;
	int rc;

	ck_assert_ptr_eq(arg, &stage);
	ck_assert_uint_eq(eio_addr_port(peer), number);
	ck_assert_int_eq(stage.closes[number], 0);
	if (++stage.live > stage.most_live)
		stage.most_live = stage.live;
	rc = stage.lasts ? eio_sleep(eio__clock_mono(), stage.lasts) : 0;
	stage.live--;
	stage.ended++;
	stage.cancelled += rc == -ECANCELED;
	if (rc == 0 && stage.results)
		rc = stage.results[number - 1];
	return rc < 0 ? eio_error_set(rc, "greet", "you") : rc;
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	ck_assert_ptr_eq(arg, &stage);
	stage.reports++;
	stage.last_report = err;
	eio_error_format(err, stage.report, sizeof(stage.report));
	note("%u:%d", eio_addr_port(peer), err);
}

/* Each connection that was taken has been closed once. */
static void expect_all_closed(void)
{
	for (size_t i = 1; i <= stage.taken; i++)
		ck_assert_msg(stage.closes[i] == 1, "connection %zu: closed %d times", i,
			      stage.closes[i]);
	ck_assert_uint_eq(stage.live, 0);
	ck_assert_uint_eq(stage.accepting, 0);
}

/* A server in a fiber, and its end */

struct serving {
	struct eio_switch sw; /* first: what is forked on it is not deeper than it */
	struct eio_listener l;
	struct eio_server_opts opts;
	struct eio_promise stop;
	eio_conn_fn *handler;
	void *arg;
	struct eio_cancel ctx;
	int rc;
	int64_t at; /* when it ended */
	bool over;
};

static int run_server(void *arg)
{
	struct serving *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = eio_net_run_server(s->l, s->handler, s->arg, &s->opts);
	eio_cancel_end(&s->ctx);
	s->at = now();
	s->over = true;
	return 0;
}

static void set_stage(struct serving *s)
{
	memset(&stage, 0, sizeof(stage));
	expect_ok(eio_event_init(&stage.more));
	*s = (struct serving){.l = staged, .handler = handle, .arg = &stage};
	eio_switch_begin(&s->sw);
	s->opts.stop = &s->stop;
	s->opts.on_error = report;
}

static void start(struct serving *s)
{
	expect_ok(eio_fork(&s->sw, run_server, s));
}

static void stop(struct serving *s)
{
	expect_ok(eio_promise_resolve(&s->stop, 0, NULL));
}

static void clear_stage(struct serving *s, int expected)
{
	expect_ok(eio_switch_end(&s->sw, 0));
	ck_assert(s->over);
	expect_err(s->rc, expected);
	expect_all_closed();
	eio_event_fini(&stage.more);
}

static void pass(int64_t ns)
{
	expect_ok(eio_sleep(eio__clock_mono(), ns));
}

/* Every connection is served once and closed once */

MOCK_TEST(connections_are_served_as_they_come)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	start(&s);
	for (size_t i = 1; i <= 20; i++) {
		arrive(i);
		pass(1);
		ck_assert_uint_eq(stage.ended, i * (i + 1) / 2);
	}
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(connections_are_closed_however_their_handler_ends)
{
	static const int results[] = {0, 5, -EPROTO, -ECANCELED, EIO_EOF, 0};
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.results = results;
	start(&s);
	arrive(COUNT(results));
	pass(1);
	stop(&s);
	clear_stage(&s, 0);
	ck_assert_uint_eq(stage.ended, COUNT(results));
	ck_assert_uint_eq(stage.reports, 2);
	return 0;
}

MOCK_TEST(a_failing_handler_is_reported_with_its_peer_and_stops_nothing)
{
	static const int results[] = {0, -EPROTO, 0, -ECONNRESET, 0};
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.results = results;
	start(&s);
	for (size_t i = 0; i < COUNT(results); i++) {
		arrive(1);
		pass(1);
	}
	expect_log("2:-71 4:-104");
	ck_assert_str_eq(stage.report, "greet you: Connection reset by peer");
	ck_assert_uint_eq(stage.ended, COUNT(results));
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(without_on_error_a_failing_handler_is_logged)
{
	static const int results[] = {0, -EPROTO, -ECANCELED};
	struct serving s;

	(void) arg;
	count_warnings();
	set_stage(&s);
	s.opts.on_error = NULL;
	stage.results = results;
	start(&s);
	arrive(3);
	pass(1);
	ck_assert_uint_eq(warnings, 1);
	ck_assert_str_eq(last_warning, "connection of 127.0.0.1:2: greet you: Protocol error");
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

/* Limits */

MOCK_TEST(as_many_as_allowed_are_served_at_once_and_no_more)
{
	struct serving s;

	(void) arg;
	for (size_t max = 1; max < 40; max = max * 2 + 1) {
		int64_t start_ns = now();

		set_stage(&s);
		s.opts.max_connections = max;
		stage.lasts = 10;
		arrive(100);
		start(&s);
		pass((int64_t) (100 + max - 1) / (int64_t) max * 10 + 1);
		ck_assert_uint_eq(stage.ended, 100);
		ck_assert_uint_eq(stage.most_live, max);
		ck_assert_uint_le(stage.most_accepting, max);
		stop(&s);
		clear_stage(&s, 0);
		ck_assert_int_eq(s.at,
				 start_ns + (100 + (int64_t) max - 1) / (int64_t) max * 10 + 1);
	}
	return 0;
}

MOCK_TEST(without_a_limit_all_are_served_at_once)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 10;
	start(&s);
	arrive(SEATS);
	pass(1);
	ck_assert_uint_eq(stage.live, SEATS);
	stop(&s);
	clear_stage(&s, 0);
	ck_assert_int_eq(s.at, 10);
	return 0;
}

/* One while it is quiet, more as they come, never too many. */
MOCK_TEST(several_accepts_wait_once_connections_come)
{
	struct serving s;
	size_t before = 1;

	(void) arg;
	set_stage(&s);
	stage.lasts = 1000;
	start(&s);
	pass(1);
	ck_assert_uint_eq(stage.accepting, 1);
	for (int i = 0; i < 8; i++) {
		arrive(1);
		pass(1);
		ck_assert_uint_ge(stage.accepting, before);
		before = stage.accepting;
	}
	ck_assert_uint_gt(before, 4);
	arrive(100);
	pass(1);
	ck_assert_uint_eq(stage.accepting, 16);
	pass(1000);
	ck_assert_uint_eq(stage.live, 0);
	ck_assert_uint_eq(stage.most_accepting, 16);
	arrive(100);
	pass(1);
	ck_assert_uint_eq(stage.live, 100);
	ck_assert_uint_eq(stage.most_accepting, 16);
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

/* A burst is taken in a few rounds: the fibers of one round wake the next. */
MOCK_TEST(a_burst_is_taken_before_the_first_comers_are_served)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 1;
	start(&s);
	arrive(200);
	pass(1);
	ck_assert_uint_eq(stage.most_live, 200);
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

/* Failures of accepting */

MOCK_TEST(when_descriptors_run_out_it_waits_longer_and_longer_and_goes_on)
{
	static const int errors[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM,
				     -EMFILE, -EMFILE, -EMFILE,  0};
	struct serving s;

	(void) arg;
	count_warnings();
	set_stage(&s);
	stage.errors = errors;
	arrive(1);
	start(&s);
	pass(EIO_MS(1000));
	/* 5 ms, 10, 20, 40, 80, 100, 100. */
	expect_log("0 5 15 35 75 155 255");
	ck_assert_uint_eq(stage.ended, 1);
	ck_assert_uint_eq(warnings, 1);
	ck_assert_str_eq(last_warning, "server: Too many open files: accepting more slowly");
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(shortages_that_are_apart_are_two)
{
	static const int once[] = {-EMFILE, 0}, twice[] = {-EMFILE, -EMFILE, 0};
	struct serving s;

	(void) arg;
	count_warnings();
	set_stage(&s);
	s.opts.max_connections = 1;
	stage.errors = once;
	start(&s);
	pass(EIO_MS(500));
	stage.errors = once;
	arrive(1);
	pass(EIO_MS(500));
	ck_assert_uint_eq(warnings, 1);
	pass(EIO_SEC(2));
	stage.errors = twice;
	arrive(1);
	pass(EIO_SEC(1));
	ck_assert_uint_eq(warnings, 2);
	ck_assert_uint_eq(stage.ended, 2);
	log_clear();
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

/* All but one give up, and come back when connections do. */
MOCK_TEST(in_a_shortage_one_accept_is_left)
{
	static const int short_time[] = {-EMFILE, -EMFILE, -EMFILE, -EMFILE, -EMFILE, -EMFILE,
					 -EMFILE, -EMFILE, -EMFILE, -EMFILE, -EMFILE, 0};
	struct serving s;
	const char *last;

	(void) arg;
	set_stage(&s);
	stage.lasts = EIO_MS(1000);
	start(&s);
	for (int i = 0; i < 3; i++) {
		arrive(1);
		pass(1);
	}
	ck_assert_uint_eq(stage.accepting, 4);
	/* Four come, and for the accepts after them there are no descriptors. */
	stage.errors = short_time;
	arrive(4);
	pass(EIO_MS(500));
	ck_assert_uint_eq(stage.live, 7);
	ck_assert_int_eq(*stage.errors, 0);
	ck_assert_uint_eq(stage.accepting, 1);
	/* Several at once, and then one at a time. */
	last = strstr(log_text(), " 5 ");
	ck_assert_ptr_nonnull(last);
	ck_assert_int_eq(strncmp(" 5 15 35 75 155 255 355", last, strlen(last)), 0);
	ck_assert_int_eq(strncmp(log_text(), "0 0", 3), 0);
	log_clear();
	pass(EIO_MS(1000));
	ck_assert_uint_eq(stage.ended, 7);
	stage.lasts = EIO_MS(1);
	arrive(50);
	pass(EIO_MS(20));
	ck_assert_uint_eq(stage.ended, 57);
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(failures_of_a_single_connection_are_passed_over)
{
	static const int errors[] = {-ECONNABORTED, -EPROTO, -ENETDOWN,     -ENOPROTOOPT,
				     -EHOSTDOWN,    -ENONET, -EHOSTUNREACH, -ENETUNREACH,
				     -EAGAIN,       -EINTR,  -ETIMEDOUT,    0};
	struct serving s;

	(void) arg;
	count_warnings();
	set_stage(&s);
	stage.errors = errors;
	arrive(1);
	start(&s);
	pass(1);
	ck_assert_uint_eq(stage.ended, 1);
	ck_assert_uint_eq(warnings, 0);
	expect_log("0 0 0 0 0 0 0 0 0 0 0");
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(a_listener_that_is_no_good_ends_the_server_after_its_connections)
{
	static const int errors[] = {-EINVAL, 0};
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 10;
	s.opts.max_connections = 3;
	start(&s);
	arrive(2);
	pass(1);
	ck_assert_uint_eq(stage.live, 2);
	stage.errors = errors;
	arrive(1);
	pass(5);
	ck_assert(!s.over);
	ck_assert_uint_eq(stage.live, 3);
	log_clear();
	clear_stage(&s, -EINVAL);
	ck_assert_int_eq(s.at, 11);
	ck_assert_uint_eq(stage.cancelled, 0);
	return 0;
}

MOCK_TEST(a_closed_listener_ends_the_server_after_its_connections)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 10;
	start(&s);
	arrive(50);
	pass(1);
	close_stage();
	pass(8);
	ck_assert(!s.over);
	ck_assert_uint_eq(stage.live, 50);
	clear_stage(&s, -EBADF);
	ck_assert_int_eq(s.at, 10);
	ck_assert_uint_eq(stage.cancelled, 0);
	return 0;
}

/* Stopping */

MOCK_TEST(a_stop_lets_open_connections_finish)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 10;
	start(&s);
	arrive(50);
	pass(1);
	stop(&s);
	pass(1);
	ck_assert_uint_eq(stage.accepting, 0);
	arrive(3);
	pass(1);
	ck_assert(!s.over);
	ck_assert_uint_eq(stage.live, 50);
	clear_stage(&s, 0);
	ck_assert_int_eq(s.at, 10);
	ck_assert_uint_eq(stage.taken, 50);
	ck_assert_uint_eq(stage.pending, 3);
	ck_assert_uint_eq(stage.cancelled, 0);
	return 0;
}

MOCK_TEST(a_stop_ends_an_idle_server_at_once)
{
	struct serving s;

	(void) arg;
	for (int before = 0; before < 2; before++) {
		set_stage(&s);
		s.opts.drain_ns = EIO_SEC(1000);
		if (before)
			stop(&s);
		start(&s);
		pass(1);
		if (!before)
			stop(&s);
		clear_stage(&s, 0);
		ck_assert_int_eq(s.at, 1);
		ck_assert_uint_eq(stage.calls, !before);
	}
	return 0;
}

MOCK_TEST(a_stop_or_a_cancellation_ends_the_wait_for_descriptors)
{
	static const int errors[] = {-EMFILE, -EMFILE, -EMFILE, 0};
	struct serving s;

	(void) arg;
	for (int cancelled = 0; cancelled < 2; cancelled++) {
		int64_t start_ns = now();

		set_stage(&s);
		stage.errors = errors;
		start(&s);
		pass(EIO_MS(7));
		ck_assert_uint_eq(stage.calls, 2);
		if (cancelled)
			expect_ok(eio_cancel_raise(&s.ctx, -EIO));
		else
			stop(&s);
		clear_stage(&s, cancelled ? -ECANCELED : 0);
		ck_assert_int_eq(s.at, start_ns + EIO_MS(7));
	}
	log_clear();
	return 0;
}

MOCK_TEST(a_stop_that_is_a_failure_stops_as_well)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	start(&s);
	expect_ok(eio_promise_resolve(&s.stop, -ECANCELED, NULL));
	clear_stage(&s, 0);
	set_stage(&s);
	start(&s);
	expect_ok(eio_promise_resolve(&s.stop, -EIO, NULL));
	clear_stage(&s, 0);
	return 0;
}

MOCK_TEST(after_drain_ns_the_rest_is_cancelled)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	s.opts.drain_ns = 20;
	stage.lasts = 10;
	start(&s);
	arrive(5);
	pass(1);
	stage.lasts = EIO_SEC(1);
	arrive(7);
	pass(1);
	stop(&s);
	clear_stage(&s, 0);
	ck_assert_int_eq(s.at, 22);
	ck_assert_uint_eq(stage.ended, 12);
	ck_assert_uint_eq(stage.cancelled, 7);
	ck_assert_uint_eq(stage.reports, 0);
	return 0;
}

MOCK_TEST(a_drain_that_is_done_early_is_not_waited_for)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	s.opts.drain_ns = EIO_SEC(1000);
	stage.lasts = 10;
	start(&s);
	arrive(5);
	pass(1);
	stop(&s);
	clear_stage(&s, 0);
	ck_assert_int_eq(s.at, 10);
	ck_assert_uint_eq(stage.cancelled, 0);
	return 0;
}

MOCK_TEST(a_negative_drain_is_refused)
{
	struct eio_server_opts opts = {.drain_ns = -1};

	(void) arg;
	memset(&stage, 0, sizeof(stage));
	expect_err(eio_net_run_server(staged, handle, &stage, &opts), -EINVAL);
	ck_assert_uint_eq(stage.calls, 0);
	return 0;
}

MOCK_TEST(an_unknown_way_to_receive_is_refused)
{
	struct eio_server_opts opts = {.receive = (enum eio_receiving) 2};

	(void) arg;
	memset(&stage, 0, sizeof(stage));
	expect_err(eio_net_run_server(staged, handle, &stage, &opts), -EINVAL);
	ck_assert_uint_eq(stage.calls, 0);
	return 0;
}

MOCK_TEST(a_cancelled_server_closes_every_connection)
{
	struct serving s;

	(void) arg;
	for (int stopped = 0; stopped < 2; stopped++) {
		set_stage(&s);
		stage.lasts = 1000;
		start(&s);
		arrive(50);
		pass(1);
		if (stopped) {
			stop(&s);
			pass(1);
		}
		expect_ok(eio_cancel_raise(&s.ctx, -EIO));
		clear_stage(&s, -ECANCELED);
		ck_assert_uint_eq(stage.cancelled, 50);
		ck_assert_uint_eq(stage.reports, 0);
	}
	return 0;
}

MOCK_TEST(a_server_in_a_cancelled_context_does_not_begin)
{
	struct eio_cancel c;

	(void) arg;
	memset(&stage, 0, sizeof(stage));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_net_run_server(staged, handle, &stage, NULL), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_uint_eq(stage.calls, 0);
	return 0;
}

/* No stacks: connections wait for one another. */
static int serve_without_memory(void *arg)
{
	struct rlimit all, none;
	struct serving s;
	size_t served;

	(void) arg;
	set_stage(&s);
	stage.lasts = EIO_MS(1);
	start(&s);
	pass(1);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &all), 0);
	none = all;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	arrive(SEATS);
	for (int i = 0; i < 5000 && stage.ended < SEATS; i++)
		eio_sleep(eio__clock_mono(), EIO_MS(1));
	served = stage.ended;
	setrlimit(RLIMIT_AS, &all);
	ck_assert_uint_eq(served, SEATS);
	ck_assert_uint_gt(warnings, 0);
	ck_assert_uint_lt(stage.most_live, SEATS);
	stop(&s);
	clear_stage(&s, 0);
	return 0;
}

START_TEST(without_memory_for_fibers_it_serves_more_slowly)
{
	if (SANITIZED)
		return;
	count_warnings();
	expect_ok(eio__mock_run(serve_without_memory, NULL));
}
END_TEST

static int wait_to_be_cancelled(void *arg)
{
	(void) arg;
	return eio_await_cancel();
}

/* A connection that lasts long came when there was no stack. It waits a little, so that
 * somebody accepts the next. */
static int serve_after_a_shortage(void *arg)
{
	struct eio_switch crowd;
	struct rlimit all, none;
	struct serving s;
	int rc = 0;

	(void) arg;
	set_stage(&s);
	s.opts.stop = NULL;
	stage.lasts = EIO_SEC(1000);
	start(&s);
	eio_switch_begin(&crowd);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &all), 0);
	none = all;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	while (rc == 0)
		rc = eio_fork(&crowd, wait_to_be_cancelled, NULL);
	arrive(1);
	eio_sleep(eio__clock_mono(), EIO_MS(12));
	setrlimit(RLIMIT_AS, &all);
	expect_err(rc, -ENOMEM);
	ck_assert_uint_eq(stage.taken, 1);
	ck_assert_uint_eq(stage.accepting, 0);
	arrive(1);
	pass(EIO_MS(20));
	ck_assert_uint_eq(stage.live, 2);
	expect_err(eio_switch_end(&crowd, -EIO), -EIO);
	expect_ok(eio_cancel_raise(&s.ctx, -EIO));
	clear_stage(&s, -ECANCELED);
	return 0;
}

START_TEST(a_connection_waits_for_the_fiber_that_accepts_after_it)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(serve_after_a_shortage, NULL));
}
END_TEST

/* accept_fork */

static int accept_fork(struct eio_switch *sw, eio_conn_error_fn *on_error)
{
	return eio_net_accept_fork(staged, sw, handle, &stage, on_error);
}

MOCK_TEST(accept_fork_serves_in_a_fiber_and_closes_on_every_path)
{
	static const int results[] = {0, 5, -EPROTO, -ECANCELED};
	struct serving s;

	(void) arg;
	count_warnings();
	set_stage(&s);
	stage.results = results;
	stage.lasts = 10;
	arrive(COUNT(results));
	for (size_t i = 0; i < COUNT(results); i++)
		expect_ok(accept_fork(&s.sw, report));
	ck_assert_uint_eq(stage.live, COUNT(results));
	expect_ok(eio_switch_end(&s.sw, 0));
	expect_all_closed();
	expect_log("3:-71");
	ck_assert_str_eq(stage.report, "greet you: Protocol error");

	set_stage(&s);
	stage.results = results;
	arrive(COUNT(results));
	for (size_t i = 0; i < COUNT(results); i++)
		expect_ok(accept_fork(&s.sw, NULL));
	expect_ok(eio_switch_end(&s.sw, 0));
	expect_all_closed();
	ck_assert_uint_eq(warnings, 1);
	ck_assert_str_eq(last_warning, "connection of 127.0.0.1:3: greet you: Protocol error");
	return 0;
}

MOCK_TEST(accept_fork_does_not_report_cancellations)
{
	struct serving s;

	(void) arg;
	set_stage(&s);
	stage.lasts = 1000;
	arrive(3);
	for (int i = 0; i < 3; i++)
		expect_ok(accept_fork(&s.sw, report));
	expect_ok(eio_switch_fail(&s.sw, -EIO));
	expect_err(eio_switch_end(&s.sw, 0), -EIO);
	expect_all_closed();
	ck_assert_uint_eq(stage.cancelled, 3);
	ck_assert_uint_eq(stage.reports, 0);
	return 0;
}

struct forking {
	struct eio_switch *sw;
	int rc;
};

static int accept_and_fork(void *arg)
{
	struct forking *f = arg;

	f->rc = accept_fork(f->sw, report);
	return 0;
}

/* The fiber that accepts is outside the switch it forks on. */
MOCK_TEST(accept_fork_closes_a_connection_whose_switch_went_off_meanwhile)
{
	struct eio_switch outer;
	struct forking f;
	struct serving s;

	(void) arg;
	eio_switch_begin(&outer);
	set_stage(&s);
	f = (struct forking){.sw = &s.sw};
	expect_ok(eio_fork(&outer, accept_and_fork, &f));
	ck_assert_uint_eq(stage.accepting, 1);
	expect_ok(eio_switch_fail(&s.sw, -EIO));
	arrive(1);
	eio_cancel_protect_begin(&s.ctx);
	pass(1);
	eio_cancel_end(&s.ctx);
	expect_err(f.rc, -ECANCELED);
	ck_assert_uint_eq(stage.taken, 1);
	ck_assert_uint_eq(stage.ended, 0);
	expect_all_closed();
	expect_err(accept_fork(&s.sw, report), -ECANCELED);
	expect_err(eio_switch_end(&s.sw, 0), -EIO);
	expect_err(accept_fork(&s.sw, report), -EINVAL);
	ck_assert_uint_eq(stage.calls, 1);
	ck_assert_uint_eq(stage.reports, 0);
	return eio_switch_end(&outer, 0);
}

static int fork_without_memory(void *arg)
{
	struct rlimit all, none;
	struct serving s;
	int rc = 0;

	(void) arg;
	set_stage(&s);
	stage.lasts = 10;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &all), 0);
	none = all;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	stage.pending = SEATS;
	for (int i = 0; i < SEATS && rc == 0; i++)
		rc = accept_fork(&s.sw, report);
	setrlimit(RLIMIT_AS, &all);
	expect_err(rc, -ENOMEM);
	ck_assert_int_eq(stage.closes[stage.taken], 1);
	ck_assert_uint_eq(stage.live, stage.taken - 1);
	expect_ok(eio_switch_end(&s.sw, 0));
	expect_all_closed();
	return 0;
}

START_TEST(accept_fork_closes_a_connection_for_which_there_is_no_fiber)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(fork_without_memory, NULL));
}
END_TEST

/* With sockets */

enum { CLIENTS = 1000 };

struct hall {
	struct serving s;
	struct eio_addr at;
	struct eio_promise open; /* handlers wait for it */
	int clients[CLIENTS];
	_Atomic unsigned live, most_live, served, cancelled;
	struct eio_addr complained_about;
	char complaint[64];
	_Atomic unsigned complaints;
};

static struct hall hall;

static unsigned additional(void)
{
	const char *n = getenv("EIO_TEST_DOMAINS");

	return n ? (unsigned) strtoul(n, NULL, 10) : 0;
}

static void raise_to(_Atomic unsigned *most, unsigned n)
{
	unsigned old = *most;

	while (old < n && !atomic_compare_exchange_weak(most, &old, n))
		;
}

/* Reads a byte, waits until the doors are open, answers. */
static int greet(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct hall *h = arg;
	char b;
	ssize_t rc = eio_flow_read(conn, &b, 1);

	(void) peer;
	if (rc == 1) {
		raise_to(&h->most_live, ++h->live);
		rc = eio_promise_await(&h->open, NULL);
		h->live--;
	}
	if (rc == 0)
		rc = eio_flow_write(conn, &b, 1);
	h->served += rc == 0;
	h->cancelled += rc == -ECANCELED;
	return (int) rc;
}

/* The address of the next family; false after the last one. */
static bool next_place(size_t *i, const char **place)
{
	const char *const places[] = {"127.0.0.1:0", "[::1]:0", "unix:socket", own_name()};

	if (*i == 1 && !has_ipv6())
		++*i;
	if (*i == COUNT(places))
		return false;
	*place = places[(*i)++];
	return true;
}

static void open_hall(const char *place)
{
	memset(&hall, 0, sizeof(hall));
	hall.s.handler = greet;
	hall.s.arg = &hall;
	hall.s.opts.stop = &hall.s.stop;
	hall.s.opts.additional_domains = additional();
	hall.s.opts.domain_mgr = env->domain_mgr;
	eio_switch_begin(&hall.s.sw);
	expect_ok(eio_addr_parse(&hall.at, place));
	expect_ok(eio_net_listen(env->net, &hall.s.sw, &hall.at, NULL, &hall.s.l));
	expect_ok(eio_listener_addr(hall.s.l, &hall.at));
}

/* Clients by plain calls; they are in the listener's queue when this returns. */
static void enter_hall(unsigned from, unsigned n)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&hall.at, &len);

	for (unsigned i = from; i < from + n; i++) {
		hall.clients[i] = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(hall.clients[i], 0);
		ck_assert_int_eq(connect(hall.clients[i], sa, (socklen_t) len), 0);
		ck_assert_int_eq(write(hall.clients[i], &(char){(char) i}, 1), 1);
	}
}

/* What a client reads, while the fibers go on. */
static ssize_t hear(int client, char *ret)
{
	ssize_t n;

	wait_until((n = recv(client, ret, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
	return n;
}

/* Each got its own byte back and then the end; or the end alone. */
static void leave_hall(unsigned from, unsigned n, bool answered)
{
	for (unsigned i = from; i < from + n; i++) {
		char b;

		if (answered) {
			ck_assert_int_eq(hear(hall.clients[i], &b), 1);
			ck_assert_int_eq(b, (char) i);
		}
		ck_assert_int_eq(hear(hall.clients[i], &b), 0);
		close(hall.clients[i]);
	}
}

static void close_hall(int expected)
{
	expect_ok(eio_switch_end(&hall.s.sw, 0));
	ck_assert(hall.s.over);
	expect_err(hall.s.rc, expected);
	ck_assert_uint_eq(hall.live, 0);
}

static struct faults counting;

static unsigned queue_length(void)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
	unsigned n = 0;

	ck_assert(f && fscanf(f, "%u", &n) == 1);
	fclose(f);
	return n;
}

/* As many as the listener's queue holds and both ends have descriptors for. */
static unsigned burst(void)
{
	unsigned n = queue_length() < CLIENTS ? queue_length() : CLIENTS;
	struct rlimit fds;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &fds), 0);
	fds.rlim_cur = fds.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &fds), 0);
	return fds.rlim_cur < 2 * n + 100 ? (unsigned) (fds.rlim_cur - 100) / 2 : n;
}

static void serve_burst_at(const char *place)
{
	unsigned n = burst(), enters;

	open_hall(place);
	enter_hall(0, n);
	start(&hall.s);
	enters = counting.enters;
	while (hall.live < n)
		expect_ok(eio_yield());
	/* Domains have fewer accepts in flight, but more than one. */
	ck_assert_uint_lt(counting.enters - enters, additional() ? n / 2 : n / 4);
	expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
	wait_until(hall.served == n);
	leave_hall(0, n, true);
	stop(&hall.s);
	close_hall(0);
}

/* They wait in the queue when the server begins. How often it enters the kernel until all
 * are served is counted: not once for each. */
static int serve_burst(void *arg)
{
	const char *place;

	(void) arg;
	for (size_t i = 0; next_place(&i, &place);)
		serve_burst_at(place);
	return 0;
}

START_TEST(connections_opened_at_once_are_served_at_once)
{
	faults_install(&counting);
	enter_scratch();
	run_ring(serve_burst, 0);
	leave_scratch();
}
END_TEST

DIR_TEST(real_connections_keep_to_the_limit)
{
	unsigned max = 1;
	const char *place;

	(void) arg;
	for (size_t i = 0; next_place(&i, &place); max = max * 3 + 1) {
		open_hall(place);
		hall.s.opts.max_connections = max;
		start(&hall.s);
		enter_hall(0, 60);
		wait_until(hall.live == max);
		trips(5);
		ck_assert_uint_eq(hall.live, max);
		expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
		wait_until(hall.served == 60);
		ck_assert_uint_le(hall.most_live, max);
		leave_hall(0, 60, true);
		stop(&hall.s);
		close_hall(0);
	}
	return 0;
}

DIR_TEST(stopped_servers_finish_and_leave_the_listener_open)
{
	const char *place;

	(void) arg;
	for (size_t i = 0; next_place(&i, &place);) {
		open_hall(place);
		start(&hall.s);
		enter_hall(0, 20);
		wait_until(hall.live == 20);
		stop(&hall.s);
		trips(5);
		enter_hall(20, 5);
		trips(5);
		ck_assert(!hall.s.over);
		ck_assert_uint_ge(hall.live, 20);
		expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
		wait_until(hall.s.over);
		expect_ok(hall.s.rc);
		/* A domain that has not heard of the stop yet may take one more, and serves it. */
		ck_assert_uint_ge(hall.served, 20);
		ck_assert(hall.served == 20 || additional());
		leave_hall(0, 20, true);
		/* Another one serves those that came too late. */
		hall.s.stop = (struct eio_promise) EIO_PROMISE_INIT;
		hall.s.over = false;
		start(&hall.s);
		wait_until(hall.served == 25);
		leave_hall(20, 5, true);
		stop(&hall.s);
		close_hall(0);
	}
	return 0;
}

/* Who was accepted is served, and the others are still in the queue, for the next server. */

static void serve_the_rest(void)
{
	hall.s.stop = (struct eio_promise) EIO_PROMISE_INIT;
	hall.s.over = false;
	start(&hall.s);
}

DIR_TEST(a_stop_in_a_burst_loses_no_connection)
{
	enum { N = 60, MOMENTS = 6 };
	unsigned fds = count_fds();
	const char *place;

	(void) arg;
	for (size_t i = 0; next_place(&i, &place);) {
		for (unsigned moment = 0; moment < MOMENTS; moment++) {
			open_hall(place);
			expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
			enter_hall(0, N);
			start(&hall.s);
			for (unsigned k = 0; k < moment; k++)
				expect_ok(eio_yield());
			stop(&hall.s);
			wait_until(hall.s.over);
			expect_ok(hall.s.rc);
			serve_the_rest();
			wait_until(hall.served == N);
			leave_hall(0, N, true);
			stop(&hall.s);
			close_hall(0);
			ck_assert_uint_eq(count_fds(), fds);
		}
	}
	return 0;
}

/* Closes the clients whose connection has been closed: how many. */
static unsigned leave_if_closed(unsigned n)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < n; i++) {
		ssize_t got = recv(hall.clients[i], &(char){0}, 1, MSG_DONTWAIT);

		ck_assert_int_le(got, 0);
		if (got < 0 && errno == EAGAIN)
			continue;
		/* It did not read what the client had written. */
		ck_assert(got == 0 || errno == ECONNRESET);
		close(hall.clients[i]);
		hall.clients[i] = -1;
		closed++;
	}
	return closed;
}

static void leave_answered(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (hall.clients[i] >= 0)
			leave_hall(i, 1, true);
	}
}

DIR_TEST(a_cancellation_in_a_burst_closes_all_it_took)
{
	enum { N = 60, MOMENTS = 6 };
	unsigned fds = count_fds();
	const char *place;

	(void) arg;
	for (size_t i = 0; next_place(&i, &place);) {
		for (unsigned moment = 0; moment < MOMENTS; moment++) {
			unsigned closed;

			open_hall(place);
			enter_hall(0, N);
			start(&hall.s);
			for (unsigned k = 0; k < moment; k++)
				expect_ok(eio_yield());
			expect_ok(eio_cancel_raise(&hall.s.ctx, -EIO));
			wait_until(hall.s.over);
			expect_err(hall.s.rc, -ECANCELED);
			closed = leave_if_closed(N);
			expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
			serve_the_rest();
			wait_until(hall.served == N - closed);
			leave_answered(N);
			stop(&hall.s);
			close_hall(0);
			ck_assert_uint_eq(count_fds(), fds);
		}
	}
	return 0;
}

DIR_TEST(drained_connections_are_closed)
{
	unsigned fds = count_fds();
	const char *place;

	(void) arg;
	for (size_t p = 0; next_place(&p, &place);) {
		open_hall(place);
		hall.s.opts.drain_ns = EIO_MS(1);
		start(&hall.s);
		enter_hall(0, 20);
		wait_until(hall.live == 20);
		stop(&hall.s);
		wait_until(hall.s.over);
		expect_ok(hall.s.rc);
		ck_assert_uint_eq(hall.cancelled, 20);
		leave_hall(0, 20, false);
		close_hall(0);
		ck_assert_uint_eq(count_fds(), fds);
	}
	return 0;
}

DIR_TEST(connections_of_a_cancelled_server_are_closed)
{
	unsigned fds = count_fds();
	const char *place;

	(void) arg;
	for (size_t p = 0; next_place(&p, &place);) {
		open_hall(place);
		start(&hall.s);
		enter_hall(0, 20);
		wait_until(hall.live == 20);
		expect_ok(eio_cancel_raise(&hall.s.ctx, -EIO));
		wait_until(hall.s.over);
		expect_err(hall.s.rc, -ECANCELED);
		leave_hall(0, 20, false);
		/* The listener is still open: the connection is its queue's. */
		enter_hall(0, 1);
		close(hall.clients[0]);
		close_hall(-ECANCELED);
		ck_assert_uint_eq(count_fds(), fds);
	}
	return 0;
}

DIR_TEST(a_listener_closed_under_a_server_ends_it)
{
	const char *place;

	(void) arg;
	for (size_t p = 0; next_place(&p, &place);) {
		open_hall(place);
		start(&hall.s);
		enter_hall(0, 20);
		wait_until(hall.live == 20);
		expect_ok(eio_listener_close(hall.s.l));
		trips(5);
		ck_assert(!hall.s.over);
		ck_assert_uint_eq(hall.live, 20);
		expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
		wait_until(hall.s.over);
		leave_hall(0, 20, true);
		close_hall(-EBADF);
		expect_err(eio_net_run_server(hall.s.l, greet, &hall, NULL), -EBADF);
	}
	return 0;
}

static void complain(const struct eio_addr *peer, int err, void *arg)
{
	struct hall *h = arg;

	ck_assert_uint_lt(h->complaints, 3);
	eio_error_format(err, h->complaint, sizeof(h->complaint));
	h->complained_about = *peer;
	h->complaints++;
}

static int refuse_to_serve(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	(void) peer, (void) arg;
	expect_ok(eio_flow_read_exact(conn, &(char){0}, 1));
	return eio_error_set(-EPROTO, "parse", "GET");
}

static struct eio_addr local_addr(int unix_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct eio_addr a;

	ck_assert_int_eq(getsockname(unix_fd, (struct sockaddr *) &ss, &len), 0);
	expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) &ss, len));
	return a;
}

DIR_TEST(a_failure_is_reported_with_the_clients_address)
{
	const char *place;

	(void) arg;
	for (size_t p = 0; next_place(&p, &place);) {
		open_hall(place);
		hall.s.handler = refuse_to_serve;
		hall.s.opts.on_error = complain;
		start(&hall.s);
		for (unsigned i = 0; i < 3; i++) {
			struct eio_addr client;

			enter_hall(0, 1);
			client = local_addr(hall.clients[0]);
			wait_until(hall.complaints == i + 1);
			ck_assert_str_eq(hall.complaint, "parse GET: Protocol error");
			ck_assert(eio_addr_equal(&client, &hall.complained_about));
			close(hall.clients[0]);
		}
		stop(&hall.s);
		close_hall(0);
	}
	return 0;
}

/* The number is another descriptor's by the time the server closes. */
static int close_and_reuse(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct hall *h = arg;
	int number = flow_number(conn);

	(void) peer;
	expect_ok(eio_flow_close(conn));
	h->clients[1] = dup(STDIN_FILENO);
	ck_assert_int_eq(h->clients[1], number);
	h->served++;
	return 0;
}

RING_TEST(a_handler_may_close_its_connection)
{
	(void) arg;
	open_hall("127.0.0.1:0");
	hall.s.handler = close_and_reuse;
	start(&hall.s);
	enter_hall(0, 1);
	wait_until(hall.served == 1);
	trips(3);
	ck_assert(is_open(hall.clients[1]));
	close(hall.clients[1]);
	close(hall.clients[0]);
	stop(&hall.s);
	close_hall(0);
	return 0;
}

static int take_one(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct hall *h = arg;
	char c;

	(void) peer;
	ck_assert_str_eq(conn.ops->name, "receiver");
	expect_ok(eio_flow_read_exact(conn, &c, 1));
	h->served++;
	return 0;
}

/* What a handler leaves unread goes with the connection. */
RING_TEST(a_server_may_receive_in_one_operation)
{
	char c;

	(void) arg;
	open_hall("127.0.0.1:0");
	hall.s.handler = take_one;
	hall.s.opts.receive = EIO_RECEIVE_MULTISHOT;
	eio__domain_self()->fibers += EIO__MANY_FIBERS;
	start(&hall.s);
	for (unsigned i = 0; i < 3; i++) {
		enter_hall(i, 1);
		ck_assert_int_eq(write(hall.clients[i], "abc", 3), 3);
		wait_until(hall.served == i + 1);
		ck_assert_int_le(hear(hall.clients[i], &c), 0);
		close(hall.clients[i]);
	}
	eio__domain_self()->fibers -= EIO__MANY_FIBERS;
	stop(&hall.s);
	close_hall(0);
	return 0;
}

DIR_TEST(when_descriptors_run_out_the_server_goes_on)
{
	enum { N = 20, SPARE = 4 };
	const char *place;

	(void) arg;
	if (additional()) /* which would be short of descriptors themselves */
		return 0;
	count_warnings();
	for (size_t p = 0; next_place(&p, &place);) {
		warnings = 0;
		open_hall(place);
		start(&hall.s);
		enter_hall(0, N);
		limit_fds(SPARE);
		wait_until(warnings > 0 && hall.live == SPARE);
		trips(5);
		ck_assert_uint_eq(hall.live, SPARE);
		ck_assert(!hall.s.over);
		ck_assert_str_eq(last_warning,
				 "server: Too many open files: accepting more slowly");
		/* Each that ends makes room for the next, with the limit as it is. */
		expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
		wait_until(hall.served == N);
		ck_assert_uint_le(hall.most_live, SPARE);
		leave_hall(0, N, true);
		lift_fd_limit();
		enter_hall(0, N);
		wait_until(hall.served == 2 * N);
		leave_hall(0, N, true);
		stop(&hall.s);
		close_hall(0);
	}
	return 0;
}

RING_TEST(accept_fork_serves_real_connections)
{
	unsigned fds = count_fds();

	(void) arg;
	open_hall("127.0.0.1:0");
	hall.s.over = true;
	expect_ok(eio_promise_resolve(&hall.open, 0, NULL));
	enter_hall(0, 20);
	for (int i = 0; i < 20; i++)
		expect_ok(eio_net_accept_fork(hall.s.l, &hall.s.sw, greet, &hall, complain));
	wait_until(hall.served == 20);
	leave_hall(0, 20, true);
	hall.open = (struct eio_promise) EIO_PROMISE_INIT;
	enter_hall(0, 5);
	for (int i = 0; i < 5; i++)
		expect_ok(eio_net_accept_fork(hall.s.l, &hall.s.sw, greet, &hall, complain));
	wait_until(hall.live == 5);
	expect_err(eio_switch_end(&hall.s.sw, -EIO), -EIO);
	leave_hall(0, 5, false);
	ck_assert_uint_eq(hall.complaints, 0);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Two domains, one listener */

struct shared {
	struct eio_listener l;
	struct eio_promise stop;
	int served, live;
	int rc;
};

static int count_conn(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct shared *s = arg;
	char b;
	int rc = eio_flow_read_exact(conn, &b, 1);

	(void) peer;
	if (rc == 0)
		rc = eio_flow_write(conn, &b, 1);
	if (rc == 0)
		__atomic_fetch_add(&s->served, 1, __ATOMIC_RELAXED);
	return rc;
}

static int serve_shared(struct eio_env *e, void *arg)
{
	struct shared *s = arg;
	struct eio_server_opts opts = {.stop = &s->stop};

	(void) e;
	return eio_net_run_server(s->l, count_conn, s, &opts);
}

static void *serve_elsewhere(void *arg)
{
	struct shared *s = arg;

	s->rc = eio_run(NULL, serve_shared, s);
	__atomic_store_n(&s->live, 0, __ATOMIC_RELEASE);
	return NULL;
}

static int serve_here(void *arg)
{
	return serve_shared(env, arg);
}

RING_TEST(domains_share_a_listener_and_stop_together)
{
	struct eio_promise end = EIO_PROMISE_INIT;
	struct shared s = {.live = 1};
	pthread_t thread;

	(void) arg;
	open_hall("127.0.0.1:0");
	s.l = hall.s.l;
	expect_ok(-pthread_create(&thread, NULL, serve_elsewhere, &s));
	expect_ok(eio_fork_promise(&hall.s.sw, serve_here, &s, &end));
	for (int round = 1; round <= 4; round++) {
		enter_hall(0, 50);
		wait_until(__atomic_load_n(&s.served, __ATOMIC_RELAXED) == 50 * round);
		leave_hall(0, 50, true);
	}
	expect_ok(eio_promise_resolve(&s.stop, 0, NULL));
	wait_until(!__atomic_load_n(&s.live, __ATOMIC_ACQUIRE));
	expect_ok(-pthread_join(thread, NULL));
	expect_ok(s.rc);
	expect_ok(eio_promise_await(&end, NULL));
	return eio_switch_end(&hall.s.sw, 0);
}

SUITE_MAIN("server", false, connections_are_served_as_they_come_test,
	   connections_are_closed_however_their_handler_ends_test,
	   a_failing_handler_is_reported_with_its_peer_and_stops_nothing_test,
	   without_on_error_a_failing_handler_is_logged_test,
	   as_many_as_allowed_are_served_at_once_and_no_more_test,
	   without_a_limit_all_are_served_at_once_test,
	   several_accepts_wait_once_connections_come_test,
	   a_burst_is_taken_before_the_first_comers_are_served_test,
	   when_descriptors_run_out_it_waits_longer_and_longer_and_goes_on_test,
	   shortages_that_are_apart_are_two_test, in_a_shortage_one_accept_is_left_test,
	   failures_of_a_single_connection_are_passed_over_test,
	   a_listener_that_is_no_good_ends_the_server_after_its_connections_test,
	   a_closed_listener_ends_the_server_after_its_connections_test,
	   a_stop_lets_open_connections_finish_test, a_stop_ends_an_idle_server_at_once_test,
	   a_stop_or_a_cancellation_ends_the_wait_for_descriptors_test,
	   a_stop_that_is_a_failure_stops_as_well_test, after_drain_ns_the_rest_is_cancelled_test,
	   a_drain_that_is_done_early_is_not_waited_for_test, a_negative_drain_is_refused_test,
	   an_unknown_way_to_receive_is_refused_test,
	   a_cancelled_server_closes_every_connection_test,
	   a_server_in_a_cancelled_context_does_not_begin_test,
	   without_memory_for_fibers_it_serves_more_slowly,
	   a_connection_waits_for_the_fiber_that_accepts_after_it,
	   accept_fork_serves_in_a_fiber_and_closes_on_every_path_test,
	   accept_fork_does_not_report_cancellations_test,
	   accept_fork_closes_a_connection_whose_switch_went_off_meanwhile_test,
	   accept_fork_closes_a_connection_for_which_there_is_no_fiber,
	   connections_opened_at_once_are_served_at_once, real_connections_keep_to_the_limit_test,
	   stopped_servers_finish_and_leave_the_listener_open_test,
	   a_stop_in_a_burst_loses_no_connection_test,
	   a_cancellation_in_a_burst_closes_all_it_took_test, drained_connections_are_closed_test,
	   connections_of_a_cancelled_server_are_closed_test,
	   a_listener_closed_under_a_server_ends_it_test,
	   a_failure_is_reported_with_the_clients_address_test,
	   a_handler_may_close_its_connection_test, a_server_may_receive_in_one_operation_test,
	   when_descriptors_run_out_the_server_goes_on_test,
	   accept_fork_serves_real_connections_test,
	   domains_share_a_listener_and_stop_together_test)
