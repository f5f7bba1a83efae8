/* SPDX-License-Identifier: ISC */
/*
 * Races of connection attempts, on a scripted network under a clock that does not wait: when
 * each attempt begins is exact. An attempt is noted as "name@milliseconds" when it begins.
 */
#include "faults.h"
#include "io/util.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>

enum { HOSTS_MAX = 32 };

static struct eio_mock_net mock;
static struct eio_net net;

/* Addresses of the host in the order of the look-up: where, and the connection there. */
static struct host {
	char name[8];
	struct eio_addr addr;
	struct eio_mock_flow mock;
	struct eio_flow conn;
	bool taken; /* the script has handed it out */
} hosts[HOSTS_MAX];
static size_t n_hosts;

#define SCRIPT(...)                                                                                \
	(const struct eio_mock_action[]){__VA_ARGS__},                                             \
		COUNT(((const struct eio_mock_action[]){__VA_ARGS__}))

static int note_begin(void *arg)
{
	const struct host *h = arg;

	note("%s@%d", h->name, (int) (eio_now_ns(env->mono_clock) / EIO_MS(1)));
	return 0;
}

static int note_taken(void *arg)
{
	struct host *h = arg;

	h->taken = true;
	return 0;
}

/* An address of a host: one that begins with 6 or 4. */
static void add(const char *name, const struct eio_mock_action *actions, size_t n)
{
	struct host *h = &hosts[n_hosts];
	char text[EIO_ADDR_TEXT];

	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(text, sizeof(text), name[0] == '6' ? "[2001:db8::%zx]:443" : "192.0.2.%zu:443",
		 n_hosts + 1);
	expect_ok(eio_addr_parse(&h->addr, text));
	h->conn = eio_mock_flow_init(&h->mock, h->name);
	h->taken = false;
	eio_mock_on_connect_to(&mock, &h->addr, SCRIPT(EIO_MOCK_RUN(note_begin, h)));
	eio_mock_on_connect_to(&mock, &h->addr, actions, n);
	n_hosts++;
}

static void add_refusing(const char *name, int64_t after_ms, int err)
{
	add(name, SCRIPT(EIO_MOCK_SLEEP(EIO_MS(after_ms)), EIO_MOCK_FAIL(err)));
}

static void add_good(const char *name, int64_t after_ms)
{
	struct host *h = &hosts[n_hosts];

	add(name, SCRIPT(EIO_MOCK_SLEEP(EIO_MS(after_ms)), EIO_MOCK_RUN(note_taken, h),
			 EIO_MOCK_CONN(&h->conn)));
}

/* One that drops what it is sent. */
static void add_silent(const char *name)
{
	add_good(name, 1000000);
}

static void set_up(void)
{
	net = eio_mock_net_init(&mock, "net");
	n_hosts = 0;
}

static void tear_down(void)
{
	for (size_t i = 0; i < n_hosts; i++)
		eio_mock_flow_fini(&hosts[i].mock);
	eio_mock_net_fini(&mock);
}

static int connect_with(const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	struct eio_addr addrs[HOSTS_MAX];

	for (size_t i = 0; i < n_hosts; i++)
		addrs[i] = hosts[i].addr;
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(addrs, n_hosts)));
	return eio_net_connect_host(net, NULL, "example.org", "https", opts, ret);
}

static bool is_closed(const struct host *h)
{
	return eio_flow_shutdown(h->conn, EIO_SHUT_RECEIVE) == -EBADF;
}

static int now_ms(void)
{
	return (int) (eio_now_ns(env->mono_clock) / EIO_MS(1));
}

/* The race ends so, at that time, with the connection of hosts[winner] if @p rc is 0. */
static void expect_race(int rc, int at_ms, size_t winner, const char *begun)
{
	struct eio_flow conn = eio_null();

	expect_err(connect_with(NULL, &conn), rc);
	expect_log(begun);
	ck_assert_int_eq(now_ms(), at_ms);
	ck_assert_ptr_eq(conn.u.ptr, rc == 0 ? hosts[winner].conn.u.ptr : NULL);
	if (rc == 0)
		ck_assert(!is_closed(&hosts[winner]));
}

static void expect_subject(const char *subject)
{
	ck_assert_str_eq(eio_last_error()->op, "connect");
	ck_assert_str_eq(eio_last_error()->subject, subject);
}

/* Order and time */

MOCK_TEST(families_take_turns_and_attempts_begin_every_quarter_of_a_second)
{
	(void) arg;
	set_up();
	add_silent("6a");
	add_silent("6b");
	add_silent("6c");
	add_silent("4a");
	add_silent("4b");
	expect_race(-ETIMEDOUT, 11000, 0, "6a@0 4a@250 6b@500 4b@750 6c@1000");
	expect_subject("example.org ([2001:db8::1]:443)");
	tear_down();
	return 0;
}

MOCK_TEST(the_family_that_the_look_up_prefers_begins)
{
	(void) arg;
	set_up();
	add_silent("4a");
	add_silent("6a");
	add_silent("6b");
	add_silent("4b");
	add_good("4c", 1);
	expect_race(0, 1001, 4, "4a@0 6a@250 4b@500 6b@750 4c@1000");
	tear_down();
	return 0;
}

MOCK_TEST(with_one_family_it_is_the_order_of_the_look_up)
{
	(void) arg;
	for (int i = 0; i < 2; i++) {
		int start = now_ms();
		const char *name = i == 0 ? "4" : "6";

		set_up();
		add_silent(name);
		add_silent(name);
		add_good(name, 100);
		expect_race(0, start + 600, 2, i == 0 ? "4@0 4@250 4@500" : "6@600 6@850 6@1100");
		tear_down();
	}
	return 0;
}

MOCK_TEST(the_next_begins_at_once_when_one_failed)
{
	(void) arg;
	set_up();
	add_refusing("6a", 0, -ENETUNREACH);
	add_refusing("6b", 30, -ECONNREFUSED);
	add_silent("4a");
	add_refusing("4b", 0, -ECONNREFUSED);
	add_refusing("4c", 10, -ECONNREFUSED);
	add_good("4d", 7);
	expect_race(0, 297, 5, "6a@0 4a@0 6b@250 4b@280 4c@280 4d@290");
	tear_down();
	return 0;
}

MOCK_TEST(the_pause_is_counted_from_the_last_beginning)
{
	(void) arg;
	set_up();
	add_refusing("4a", 200, -ECONNREFUSED);
	add_silent("4b");
	add_good("4c", 0);
	expect_race(0, 450, 2, "4a@0 4b@200 4c@450");
	tear_down();
	return 0;
}

MOCK_TEST(two_failures_at_once_begin_one_attempt)
{
	(void) arg;
	set_up();
	add_refusing("4a", 300, -ECONNREFUSED);
	add_refusing("4b", 50, -ECONNREFUSED);
	add_silent("4c");
	add_good("4d", 0);
	expect_race(0, 550, 3, "4a@0 4b@250 4c@300 4d@550");
	tear_down();
	return 0;
}

MOCK_TEST(the_last_attempt_is_waited_for)
{
	(void) arg;
	set_up();
	add_refusing("6a", 10, -ECONNREFUSED);
	add_good("4a", 5000);
	expect_race(0, 5010, 1, "6a@0 4a@10");
	tear_down();
	return 0;
}

/* Winners and losers */

MOCK_TEST(a_connection_at_once_is_the_only_attempt)
{
	(void) arg;
	set_up();
	add_good("6a", 0);
	add_good("4a", 0);
	expect_race(0, 0, 0, "6a@0");
	ck_assert(!is_closed(&hosts[1]));
	tear_down();
	return 0;
}

MOCK_TEST(an_earlier_attempt_may_still_win_and_the_others_are_cancelled)
{
	struct eio_buffer_sink text;

	(void) arg;
	set_up();
	eio_mock_net_trace(&mock, eio_buffer_sink_init(&text, 0));
	add_good("6a", 600);
	add_silent("4a");
	add_silent("6b");
	add_silent("4b");
	expect_race(0, 600, 0, "6a@0 4a@250 6b@500");
	ck_assert_ptr_nonnull(strstr(text.data, "connect to [2001:db8::1]:443\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "connect to 192.0.2.2:443: ECANCELED\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "connect to [2001:db8::3]:443: ECANCELED\n"));
	ck_assert_ptr_null(strstr(text.data, "2001:db8::4"));
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

MOCK_TEST(of_connections_that_come_together_one_is_kept_and_the_others_are_closed)
{
	(void) arg;
	set_up();
	add_good("6a", 600);
	add_good("4a", 350);
	add_good("6b", 100);
	expect_race(0, 600, 0, "6a@0 4a@250 6b@500");
	ck_assert(is_closed(&hosts[1]));
	ck_assert(is_closed(&hosts[2]));
	tear_down();
	return 0;
}

MOCK_TEST(a_failure_together_with_a_connection_begins_nothing_more)
{
	(void) arg;
	set_up();
	add_refusing("6a", 300, -ECONNREFUSED);
	add_good("4a", 50);
	add_good("6b", 0);
	expect_race(0, 300, 1, "6a@0 4a@250");
	tear_down();
	return 0;
}

MOCK_TEST(the_connection_is_closed_at_the_end_of_its_switch)
{
	struct eio_switch sw;
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_silent("6a");
	add_good("4a", 0);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&hosts[1].addr, 1)));
	eio_switch_begin(&sw);
	expect_ok(eio_net_connect_host(net, &sw, "example.org", "https", NULL, &conn));
	ck_assert_ptr_eq(conn.u.ptr, hosts[1].conn.u.ptr);
	ck_assert(!is_closed(&hosts[1]));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_closed(&hosts[1]));
	log_clear();
	tear_down();
	return 0;
}

MOCK_TEST(a_switch_that_takes_nothing_is_refused)
{
	struct eio_switch sw;
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_good("6a", 0);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&hosts[0].addr, 1)));
	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_net_connect_host(net, &sw, "example.org", "https", NULL, &conn), -EINVAL);
	expect_log("");
	tear_down();
	return 0;
}

/* Failures */

MOCK_TEST(when_all_fail_it_is_the_failure_of_the_one_tried_first)
{
	(void) arg;
	set_up();
	add_refusing("6a", 400, -ECONNREFUSED);
	add_refusing("4a", 0, -EHOSTUNREACH);
	add_refusing("6b", 20, -ENETUNREACH);
	expect_race(-ECONNREFUSED, 400, 0, "6a@0 4a@250 6b@250");
	expect_subject("example.org ([2001:db8::1]:443)");
	tear_down();
	return 0;
}

MOCK_TEST(each_attempt_has_the_limit_of_the_options)
{
	const struct eio_connect_opts opts = {.timeout_ns = EIO_MS(400)};
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_silent("6a");
	add_silent("4a");
	add_good("6b", 399);
	expect_ok(connect_with(&opts, &conn));
	expect_log("6a@0 4a@250 6b@400");
	ck_assert_int_eq(now_ms(), 799);
	tear_down();
	return 0;
}

MOCK_TEST(a_name_that_is_not_known_is_not_tried)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_good("6a", 0);
	expect_err(eio_net_connect_host(net, NULL, "example.org", "https", NULL, &conn),
		   EIO_EAI(EAI_NONAME));
	ck_assert_str_eq(eio_last_error()->op, "getaddrinfo");
	ck_assert_str_eq(eio_last_error()->subject, "example.org");
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_FAIL(EIO_EAI(EAI_AGAIN))));
	expect_err(eio_net_connect_host(net, NULL, "example.org", "https", NULL, &conn),
		   EIO_EAI(EAI_AGAIN));
	expect_log("");
	tear_down();
	return 0;
}

static int note_question(struct eio_net own, const char *host, const char *service,
			 enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	(void) own, (void) ret, (void) ret_n;
	note("%s:%s:%d", host, service, kind == EIO_SOCKET_STREAM);
	return EIO_EAI(EAI_FAIL);
}

MOCK_TEST(the_look_up_asks_for_streams)
{
	static const struct eio_net_ops ops = {.name = "own", .getaddrinfo = note_question};
	const struct eio_net own = {.ops = &ops};
	struct eio_flow conn;

	(void) arg;
	expect_err(eio_net_connect_host(own, NULL, "example.org", "https", NULL, &conn),
		   EIO_EAI(EAI_FAIL));
	expect_log("example.org:https:1");
	return 0;
}

MOCK_TEST(with_a_local_address_only_its_family_is_tried)
{
	struct eio_connect_opts opts = {.bind_to = NULL};
	struct eio_addr local;
	struct eio_flow conn;

	(void) arg;
	set_up();
	opts.bind_to = &local;
	expect_ok(eio_addr_parse(&local, "192.0.2.99:0"));
	add_good("6a", 0);
	add_refusing("4a", 10, -ECONNREFUSED);
	add_good("6b", 0);
	add_refusing("4b", 20, -ENETUNREACH);
	expect_err(connect_with(&opts, &conn), -ECONNREFUSED);
	expect_log("4a@0 4b@10");
	expect_subject("example.org (192.0.2.2:443)");
	expect_ok(eio_addr_parse(&local, "unix:/tmp/socket"));
	expect_err(connect_with(&opts, &conn), -EAFNOSUPPORT);
	expect_subject("example.org (unix:/tmp/socket)");
	expect_log("");
	tear_down();
	return 0;
}

MOCK_TEST(what_makes_no_sense_is_refused_before_the_look_up)
{
	const struct eio_connect_opts opts = {.timeout_ns = -1};
	const struct eio_net nothing = {.ops = NULL};
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_good("6a", 0);
	expect_err(connect_with(&opts, &conn), -EINVAL);
	expect_subject("example.org");
	expect_err(eio_net_connect_host(nothing, NULL, "example.org", "https", NULL, &conn),
		   -EBADF);
	expect_log("");
	tear_down();
	return 0;
}

MOCK_TEST(without_a_host_the_failure_names_the_address)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_refusing("6a", 0, -ECONNREFUSED);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&hosts[0].addr, 1)));
	expect_err(eio_net_connect_host(net, NULL, NULL, "https", NULL, &conn), -ECONNREFUSED);
	expect_subject("[2001:db8::1]:443");
	log_clear();
	tear_down();
	return 0;
}

MOCK_TEST(a_long_name_loses_its_beginning_in_the_failure)
{
	struct eio_flow conn;
	char host[2000];
	const char *subject;

	(void) arg;
	set_up();
	memset(host, 'x', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	add_refusing("4a", 0, -ECONNREFUSED);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&hosts[0].addr, 1)));
	expect_err(eio_net_connect_host(net, NULL, host, "https", NULL, &conn), -ECONNREFUSED);
	subject = eio_last_error()->subject;
	ck_assert_uint_eq(strlen(subject), sizeof(eio_last_error()->subject) - 1);
	ck_assert_ptr_nonnull(strstr(subject, "xxx (192.0.2.1:443)"));
	log_clear();
	tear_down();
	return 0;
}

/* Many */

MOCK_TEST(sixteen_attempts_are_under_way_at_most)
{
	char expected[512] = "";
	size_t len = 0;

	(void) arg;
	set_up();
	for (int i = 0; i < 18; i++) {
		/* The first one's limit is over at 10 s, the second's 250 ms later. */
		int at = i < 16 ? 250 * i : 10000 + 250 * (i - 16);

		add_silent("4");
		len += (size_t) sprintf(expected + len, "%s4@%d", i ? " " : "", at);
	}
	add_good("4", 0);
	sprintf(expected + len, " 4@10500");
	expect_race(0, 10500, 18, expected);
	tear_down();
	return 0;
}

MOCK_TEST(those_that_failed_make_room)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	for (int i = 0; i < HOSTS_MAX - 1; i++)
		add_refusing(i % 2 ? "6" : "4", 0, -ECONNREFUSED);
	add_good("4", 5);
	expect_ok(connect_with(NULL, &conn));
	ck_assert_ptr_eq(conn.u.ptr, hosts[HOSTS_MAX - 1].conn.u.ptr);
	ck_assert_int_eq(now_ms(), 5);
	log_clear();
	tear_down();
	return 0;
}

/* Cancellation */

static int connect_somewhere(void *arg)
{
	return connect_with(NULL, arg);
}

MOCK_TEST(a_cancelled_race_leaves_no_attempt)
{
	struct eio_flow conn = eio_null();

	(void) arg;
	set_up();
	add_silent("6a");
	add_silent("4a");
	add_good("6b", 0);
	expect_err(eio_timeout_run(env->mono_clock, 0, connect_somewhere, &conn), -ETIMEDOUT);
	expect_log("");
	tear_down();
	set_up();
	add_silent("6a");
	add_silent("4a");
	add_good("6b", 0);
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(300), connect_somewhere, &conn),
		   -ETIMEDOUT);
	expect_log("6a@0 4a@250");
	ck_assert_ptr_null(conn.u.ptr);
	for (size_t i = 0; i < n_hosts; i++)
		ck_assert(!is_closed(&hosts[i]));
	tear_down();
	return 0;
}

/* What has failed before is not told then. */
MOCK_TEST(a_cancellation_after_a_failure_is_a_cancellation)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_refusing("6a", 0, -ECONNREFUSED);
	add_silent("4a");
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(300), connect_somewhere, &conn),
		   -ETIMEDOUT);
	expect_log("6a@0 4a@0");
	tear_down();
	return 0;
}

MOCK_TEST(a_look_up_that_hangs_is_cut_short_by_a_limit)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_good("6a", 0);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_SLEEP(EIO_SEC(30))));
	expect_err(eio_timeout_run(env->mono_clock, EIO_SEC(1), connect_somewhere, &conn),
		   -ETIMEDOUT);
	expect_log("");
	tear_down();
	return 0;
}

/* Whatever comes when, at most one connection is left open: the one that was returned. */

struct chaos {
	struct eio_flow conn;
	int rc;
};

static int connect_in_chaos(void *arg)
{
	struct chaos *c = arg;

	c->rc = connect_with(NULL, &c->conn);
	return c->rc;
}

static void set_up_chaos(uint64_t *seed)
{
	set_up();
	for (size_t n = 1 + faults_random(seed) % 8; n > 0; n--) {
		const char *name = faults_random(seed) % 2 ? "6" : "4";
		int64_t after = (int64_t) (faults_random(seed) % 8) * 125;

		if (faults_random(seed) % 3)
			add_refusing(name, after, -ECONNREFUSED);
		else
			add_good(name, after);
	}
}

/* What its script handed out is either what the call returned or closed. */
static void expect_not_lost(const struct host *h, const struct chaos *c)
{
	bool returned = c->rc == 0 && c->conn.u.ptr == h->conn.u.ptr;

	ck_assert_int_eq(is_closed(h), h->taken && !returned);
	ck_assert(h->taken || !returned);
}

MOCK_TEST(no_connection_is_lost_whatever_comes_when)
{
	unsigned won = 0, failed = 0, cut_short = 0;

	(void) arg;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		uint64_t random = seed;
		struct chaos c = {.conn = eio_null()};
		int64_t limit;
		int rc;

		set_up_chaos(&random);
		limit = (int64_t) (faults_random(&random) % 12) * EIO_MS(125);
		rc = eio_timeout_run(env->mono_clock, limit ? limit : EIO_NEVER, connect_in_chaos,
				     &c);
		won += rc == 0;
		failed += rc == -ECONNREFUSED;
		cut_short += rc == -ETIMEDOUT;
		ck_assert(rc == 0 || rc == -ECONNREFUSED || rc == -ETIMEDOUT);
		for (size_t i = 0; i < n_hosts; i++)
			expect_not_lost(&hosts[i], &c);
		log_clear();
		tear_down();
	}
	ck_assert_uint_gt(won, 200);
	ck_assert_uint_gt(failed, 200);
	ck_assert_uint_gt(cut_short, 200);
	return 0;
}

/* No stacks */

static int wait_for_it(void *arg)
{
	return eio_promise_await(arg, NULL);
}

/* With stacks for so many attempts, at most 1: what comes of it. */
static int connect_with_stacks(size_t stacks, struct eio_flow *ret)
{
	struct eio_promise spare = EIO_PROMISE_INIT, end = EIO_PROMISE_INIT;
	struct rlimit all, none;
	struct eio_switch sw;
	int rc;

	eio_switch_begin(&sw);
	/* The first one maps the first stacks. */
	expect_ok(eio_fork(&sw, wait_for_it, stacks ? &spare : &end));
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &all), 0);
	none = all;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	while (eio_fork(&sw, wait_for_it, &end) == 0)
		;
	expect_ok(eio_promise_resolve(&spare, 0, NULL));
	expect_ok(eio_yield());
	rc = connect_with(NULL, ret);
	setrlimit(RLIMIT_AS, &all);
	expect_ok(eio_promise_resolve(&end, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	return rc;
}

static int race_without_stacks(void *arg)
{
	struct eio_flow conn;

	(void) arg;
	set_up();
	add_good("6a", 0);
	expect_err(connect_with_stacks(0, &conn), -ENOMEM);
	expect_log("");
	tear_down();
	set_up();
	add_good("6a", 1000);
	add_good("4a", 0);
	expect_ok(connect_with_stacks(1, &conn));
	ck_assert_ptr_eq(conn.u.ptr, hosts[0].conn.u.ptr);
	expect_log("6a@0");
	ck_assert_int_eq(now_ms(), 1000);
	tear_down();
	return 0;
}

START_TEST(an_attempt_without_a_stack_has_failed)
{
	if (!SANITIZED)
		run_mock(race_without_stacks, 0);
}
END_TEST

/* Sockets */

static void listen_on_loopback(struct eio_switch *sw, struct eio_listener *ret, char *port,
			       size_t size)
{
	struct eio_addr at;

	expect_ok(eio_addr_parse(&at, "127.0.0.1:0"));
	expect_ok(eio_net_listen(env->net, sw, &at, NULL, ret));
	expect_ok(eio_listener_addr(*ret, &at));
	snprintf(port, size, "%u", eio_addr_port(&at));
}

/* Where there is IPv6, it is tried first, and refused. */
RING_TEST(the_loopback_is_found_under_either_family)
{
	struct eio_flow conn, peer;
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr at;
	char port[8], byte;

	(void) arg;
	eio_switch_begin(&sw);
	listen_on_loopback(&sw, &l, port, sizeof(port));
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {NULL, "127.0.0.1", "localhost"};

		expect_ok(eio_net_connect_host(env->net, i ? &sw : NULL, names[i], port, NULL,
					       &conn));
		expect_ok(eio_net_accept(l, &sw, &peer, NULL));
		expect_ok(eio_net_peer_addr(conn, &at));
		ck_assert_uint_eq(eio_addr_port(&at), (unsigned) atoi(port));
		expect_ok(eio_flow_copy_string(conn, "x"));
		expect_ok(eio_flow_read_exact(peer, &byte, 1));
		if (i == 0)
			expect_ok(eio_flow_close(conn));
	}
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

RING_TEST(a_port_that_nobody_listens_at_refuses)
{
	struct eio_flow conn;
	struct eio_listener l;
	struct eio_switch sw;
	char port[8], subject[64];

	(void) arg;
	eio_switch_begin(&sw);
	listen_on_loopback(&sw, &l, port, sizeof(port));
	expect_ok(eio_listener_close(l));
	expect_err(eio_net_connect_host(env->net, &sw, "127.0.0.1", port, NULL, &conn),
		   -ECONNREFUSED);
	snprintf(subject, sizeof(subject), "127.0.0.1 (127.0.0.1:%s)", port);
	expect_subject(subject);
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

/* A network with two addresses of one listener, where the first attempt waits for the second,
 * so that both sockets connect at once. */
struct twins {
	struct eio_addr at;
	struct eio_promise both;
	unsigned begun;
};

static int find_twins(struct eio_net own, const char *host, const char *service,
		      enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	const struct twins *t = own.ptr;

	(void) host, (void) service;
	*ret = calloc(2, sizeof(**ret));
	for (int i = 0; i < 2; i++)
		(*ret)[i] = (struct eio_addr_info){t->at, kind};
	*ret_n = 2;
	return 0;
}

static int connect_twin(struct eio_net own, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	struct twins *t = own.ptr;

	if (++t->begun == 2)
		expect_ok(eio_promise_resolve(&t->both, 0, NULL));
	expect_ok(eio_promise_await(&t->both, NULL));
	return eio_net_connect(env->net, sw, addr, opts, ret);
}

/* Whether or not the loser's was there before its cancellation: RING_TEST counts. */
RING_TEST(sockets_that_connect_at_once_become_one_connection)
{
	static const struct eio_net_ops ops = {
		.name = "twins",
		.getaddrinfo = find_twins,
		.connect = connect_twin,
	};
	struct twins twins = {.both = EIO_PROMISE_INIT};
	const struct eio_net own = {.ops = &ops, .ptr = &twins};
	struct eio_flow conn, first;
	struct eio_listener l;
	struct eio_switch sw;
	char port[8], byte;

	(void) arg;
	eio_switch_begin(&sw);
	listen_on_loopback(&sw, &l, port, sizeof(port));
	expect_ok(eio_listener_addr(l, &twins.at));
	expect_ok(eio_net_connect_host(own, NULL, "twins", NULL, NULL, &conn));
	ck_assert_uint_eq(twins.begun, 2);
	expect_ok(eio_net_accept(l, &sw, &first, NULL));
	expect_ok(eio_flow_copy_string(conn, "x"));
	expect_ok(eio_flow_close(conn));
	/* If the loser was connected too, its end was accepted first or was not. */
	if (eio_flow_read(first, &byte, 1) != 1) {
		expect_ok(eio_net_accept(l, &sw, &first, NULL));
		expect_err(eio_flow_read(first, &byte, 1), 1);
	}
	expect_err(eio_flow_read(first, &byte, 1), 0);
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

/* Its attempts fail for want of a descriptor, which is what is told. */
RING_TEST(without_a_descriptor_the_attempts_fail)
{
	struct eio_flow conn;
	int rc;

	(void) arg;
	limit_fds(0);
	rc = eio_net_connect_host(env->net, NULL, "127.0.0.1", "80", NULL, &conn);
	lift_fd_limit();
	expect_err(rc, -EMFILE);
	expect_subject("127.0.0.1 (127.0.0.1:80)");
	return 0;
}

SUITE_MAIN("connect_host", false,
	   families_take_turns_and_attempts_begin_every_quarter_of_a_second_test,
	   the_family_that_the_look_up_prefers_begins_test,
	   with_one_family_it_is_the_order_of_the_look_up_test,
	   the_next_begins_at_once_when_one_failed_test,
	   the_pause_is_counted_from_the_last_beginning_test,
	   two_failures_at_once_begin_one_attempt_test, the_last_attempt_is_waited_for_test,
	   a_connection_at_once_is_the_only_attempt_test,
	   an_earlier_attempt_may_still_win_and_the_others_are_cancelled_test,
	   of_connections_that_come_together_one_is_kept_and_the_others_are_closed_test,
	   a_failure_together_with_a_connection_begins_nothing_more_test,
	   the_connection_is_closed_at_the_end_of_its_switch_test,
	   a_switch_that_takes_nothing_is_refused_test,
	   when_all_fail_it_is_the_failure_of_the_one_tried_first_test,
	   each_attempt_has_the_limit_of_the_options_test,
	   a_name_that_is_not_known_is_not_tried_test, the_look_up_asks_for_streams_test,
	   with_a_local_address_only_its_family_is_tried_test,
	   what_makes_no_sense_is_refused_before_the_look_up_test,
	   without_a_host_the_failure_names_the_address_test,
	   a_long_name_loses_its_beginning_in_the_failure_test,
	   sixteen_attempts_are_under_way_at_most_test, those_that_failed_make_room_test,
	   a_cancelled_race_leaves_no_attempt_test,
	   a_cancellation_after_a_failure_is_a_cancellation_test,
	   a_look_up_that_hangs_is_cut_short_by_a_limit_test,
	   no_connection_is_lost_whatever_comes_when_test, an_attempt_without_a_stack_has_failed,
	   the_loopback_is_found_under_either_family_test,
	   a_port_that_nobody_listens_at_refuses_test,
	   sockets_that_connect_at_once_become_one_connection_test,
	   without_a_descriptor_the_attempts_fail_test)
