/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

static struct eio_mock_net mock;
static struct eio_net net;
static struct eio_mock_listener door;
static struct eio_listener listener;
static struct eio_addr here;

enum { FLOWS = 4 };

static struct eio_mock_flow mocks[FLOWS];
static struct eio_flow flows[FLOWS];

static void set_up(void)
{
	static const char *const labels[FLOWS] = {"one", "two", "three", "four"};

	expect_ok(eio_addr_parse(&here, "127.0.0.1:80"));
	net = eio_mock_net_init(&mock, "net");
	listener = eio_mock_listener_init(&door, "door", &here);
	for (int i = 0; i < FLOWS; i++)
		flows[i] = eio_mock_flow_init(&mocks[i], labels[i]);
}

static void tear_down(void)
{
	for (int i = 0; i < FLOWS; i++)
		eio_mock_flow_fini(&mocks[i]);
	eio_mock_listener_fini(&door);
	eio_mock_net_fini(&mock);
}

#define SCRIPT(...)                                                                                \
	(const struct eio_mock_action[]){__VA_ARGS__},                                             \
		COUNT(((const struct eio_mock_action[]){__VA_ARGS__}))
#define on_connect(...) eio_mock_on_connect(&mock, SCRIPT(__VA_ARGS__))
#define on_listen(...)  eio_mock_on_listen(&mock, SCRIPT(__VA_ARGS__))
#define on_accept(...)  eio_mock_on_accept(&door, SCRIPT(__VA_ARGS__))

static int dial(void *ret)
{
	return eio_net_connect(net, NULL, &here, NULL, ret);
}

static int answer(void *ret)
{
	return eio_net_accept(listener, NULL, ret, NULL);
}

static bool is_closed(int i)
{
	return eio_flow_shutdown(flows[i], EIO_SHUT_RECEIVE) == -EBADF;
}

/* Networks */

CORE_TEST(each_connect_gives_the_next_scripted_connection)
{
	struct eio_flow f = eio_null();

	(void) arg;
	set_up();
	on_connect(EIO_MOCK_CONN(&flows[0]), EIO_MOCK_FAIL(-ETIMEDOUT), EIO_MOCK_CONN(&flows[1]),
		   EIO_MOCK_DATA("no connection"));
	expect_ok(dial(&f));
	ck_assert_ptr_eq(f.u.ptr, flows[0].u.ptr);
	f = eio_null();
	expect_err(dial(&f), -ETIMEDOUT);
	ck_assert_str_eq(eio_last_error()->subject, "127.0.0.1:80");
	ck_assert_ptr_null(f.u.ptr);
	expect_ok(dial(&f));
	ck_assert_ptr_eq(f.u.ptr, flows[1].u.ptr);
	expect_err(dial(&f), -EINVAL);
	tear_down();
	return 0;
}

CORE_TEST(what_is_not_scripted_is_refused)
{
	struct eio_listener l;
	struct eio_flow f;

	(void) arg;
	set_up();
	expect_err(dial(&f), -ECONNREFUSED);
	expect_err(eio_net_listen(net, NULL, &here, NULL, &l), -EADDRNOTAVAIL);
	expect_err(eio_net_accept(listener, NULL, &f, NULL), -ENODATA);
	ck_assert_str_eq(eio_last_error()->subject, "door");
	on_connect(EIO_MOCK_CONN(&flows[0]));
	expect_ok(dial(&f));
	expect_err(dial(&f), -ECONNREFUSED);
	tear_down();
	return 0;
}

CORE_TEST(listening_gives_the_scripted_listener_with_its_address)
{
	struct eio_mock_listener bare;
	struct eio_listener l, unknown = eio_mock_listener_init(&bare, "bare", NULL);
	struct eio_addr addr;
	struct eio_fd fd;

	(void) arg;
	set_up();
	on_listen(EIO_MOCK_FAIL(-EADDRINUSE), EIO_MOCK_LISTENER(&listener));
	expect_err(eio_net_listen(net, NULL, &here, NULL, &l), -EADDRINUSE);
	expect_ok(eio_net_listen(net, NULL, &here, NULL, &l));
	ck_assert_ptr_eq(l.u.ptr, listener.u.ptr);
	expect_ok(eio_listener_addr(l, &addr));
	ck_assert(eio_addr_equal(&addr, &here));
	expect_err(eio_listener_addr(unknown, &addr), -ENOTSUP);
	expect_err(eio_listener_fd(l, &fd), -ENOTSUP);
	expect_err(eio_net_local_addr(flows[0], &addr), -ENOTSUP);
	eio_mock_listener_fini(&bare);
	tear_down();
	return 0;
}

CORE_TEST(a_cancelled_connect_or_listen_leaves_the_script_as_it_was)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct eio_flow f;
	struct caller c;

	(void) arg;
	set_up();
	on_connect(EIO_MOCK_AWAIT(&p), EIO_MOCK_CONN(&flows[0]));
	expect_cancelled_before(dial, &f);
	eio_switch_begin(&sw);
	start(&sw, &c, dial, &f);
	cancel_while_waiting(&c);
	start(&sw, &c, dial, &f);
	pass();
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(c.rc);
	ck_assert_ptr_eq(f.u.ptr, flows[0].u.ptr);
	tear_down();
	return 0;
}

MOCK_TEST(a_connect_that_takes_too_long_times_out)
{
	const struct eio_connect_opts opts = {.timeout_ns = 10};
	struct eio_flow f;

	(void) arg;
	set_up();
	on_connect(EIO_MOCK_SLEEP(20), EIO_MOCK_CONN(&flows[0]));
	expect_err(eio_net_connect(net, NULL, &here, &opts, &f), -ETIMEDOUT);
	ck_assert_int_eq(eio_now_ns(env->clock), 10);
	tear_down();
	return 0;
}

MOCK_TEST(addresses_with_scripts_of_their_own_do_not_wait_for_each_other)
{
	struct eio_addr other;
	struct eio_switch sw;
	struct eio_flow f, g, h;
	struct caller slow;

	(void) arg;
	set_up();
	expect_ok(eio_addr_parse(&other, "127.0.0.1:81"));
	eio_mock_on_connect_to(&mock, &here, SCRIPT(EIO_MOCK_SLEEP(20)));
	eio_mock_on_connect_to(&mock, &other, SCRIPT(EIO_MOCK_SLEEP(5), EIO_MOCK_CONN(&flows[1])));
	eio_mock_on_connect_to(&mock, &here, SCRIPT(EIO_MOCK_CONN(&flows[0])));
	on_connect(EIO_MOCK_CONN(&flows[2]));
	eio_switch_begin(&sw);
	start(&sw, &slow, dial, &f);
	expect_ok(eio_net_connect(net, NULL, &other, NULL, &g));
	ck_assert_ptr_eq(g.u.ptr, flows[1].u.ptr);
	ck_assert_int_eq(eio_now_ns(env->clock), 5);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(slow.rc);
	ck_assert_ptr_eq(f.u.ptr, flows[0].u.ptr);
	/* Used up; that of the others is not for it. */
	expect_err(dial(&f), -ECONNREFUSED);
	expect_ok(eio_addr_parse(&other, "127.0.0.1:82"));
	expect_ok(eio_net_connect(net, NULL, &other, NULL, &h));
	ck_assert_ptr_eq(h.u.ptr, flows[2].u.ptr);
	tear_down();
	return 0;
}

static int look_up(enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	return eio_net_getaddrinfo(net, "example.org", "https", kind, ret, ret_n);
}

CORE_TEST(look_ups_give_the_scripted_addresses)
{
	struct eio_addr_info *list;
	struct eio_addr addrs[2];
	size_t n;

	(void) arg;
	set_up();
	addrs[0] = here;
	expect_ok(eio_addr_parse(&addrs[1], "[::1]:80"));
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(addrs, 2), EIO_MOCK_ADDRS(addrs, 1),
					      EIO_MOCK_FAIL(EIO_EAI(EAI_AGAIN)),
					      EIO_MOCK_ADDRS(NULL, 0), EIO_MOCK_CONN(&flows[0])));
	expect_ok(look_up(EIO_SOCKET_ANY, &list, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert(eio_addr_equal(&list[0].addr, &addrs[0]));
	ck_assert(eio_addr_equal(&list[1].addr, &addrs[1]));
	ck_assert_int_eq(list[0].kind, EIO_SOCKET_STREAM);
	free(list);
	expect_ok(look_up(EIO_SOCKET_DATAGRAM, &list, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(list[0].kind, EIO_SOCKET_DATAGRAM);
	free(list);
	expect_err(look_up(EIO_SOCKET_ANY, &list, &n), EIO_EAI(EAI_AGAIN));
	ck_assert_str_eq(eio_last_error()->subject, "example.org");
	expect_err(look_up(EIO_SOCKET_ANY, &list, &n), EIO_EAI(EAI_NONAME));
	expect_err(look_up(EIO_SOCKET_ANY, &list, &n), -EINVAL);
	expect_err(look_up(EIO_SOCKET_ANY, &list, &n), EIO_EAI(EAI_NONAME));
	tear_down();
	return 0;
}

CORE_TEST(names_of_addresses_are_scripted)
{
	char host[12] = "-", service[6] = "-";

	(void) arg;
	set_up();
	eio_mock_on_getnameinfo(&mock, SCRIPT(EIO_MOCK_NAMES("example.org", "https"),
					      EIO_MOCK_NAMES("example.org", "https"),
					      EIO_MOCK_NAMES("example.com", "http"),
					      EIO_MOCK_NAMES("example.com", "http")));
	expect_ok(eio_net_getnameinfo(net, &here, host, sizeof(host), service, sizeof(service), 0));
	ck_assert_str_eq(host, "example.org");
	ck_assert_str_eq(service, "https");
	expect_ok(eio_net_getnameinfo(net, &here, host, 0, NULL, 7, 0));
	expect_err(eio_net_getnameinfo(net, &here, host, 11, service, sizeof(service), 0),
		   EIO_EAI(EAI_OVERFLOW));
	expect_err(eio_net_getnameinfo(net, &here, host, sizeof(host), service, 4, 0),
		   EIO_EAI(EAI_OVERFLOW));
	ck_assert_str_eq(host, "example.org");
	ck_assert_str_eq(service, "https");
	expect_err(eio_net_getnameinfo(net, &here, host, sizeof(host), NULL, 0, 0),
		   EIO_EAI(EAI_NONAME));
	ck_assert_str_eq(eio_last_error()->subject, "127.0.0.1:80");
	tear_down();
	return 0;
}

/* Listeners */

CORE_TEST(each_accept_gives_the_next_scripted_connection_and_its_peer)
{
	struct eio_addr peer, from;
	struct eio_flow f;

	(void) arg;
	set_up();
	expect_ok(eio_addr_parse(&from, "10.0.0.7:4321"));
	on_accept(EIO_MOCK_CONN(&flows[0]), EIO_MOCK_FAIL(-EMFILE),
		  EIO_MOCK_CONN_FROM(&flows[1], &from), EIO_MOCK_EOF);
	expect_ok(eio_net_accept(listener, NULL, &f, &peer));
	ck_assert_ptr_eq(f.u.ptr, flows[0].u.ptr);
	ck_assert_int_eq(eio_addr_sockaddr(&peer, NULL)->sa_family, AF_UNIX);
	expect_err(eio_net_accept(listener, NULL, &f, &peer), -EMFILE);
	expect_ok(eio_net_accept(listener, NULL, &f, &peer));
	ck_assert_ptr_eq(f.u.ptr, flows[1].u.ptr);
	ck_assert(eio_addr_equal(&peer, &from));
	expect_err(eio_net_accept(listener, NULL, &f, NULL), -EINVAL);
	tear_down();
	return 0;
}

CORE_TEST(accepts_at_the_same_time_take_turns_in_the_scripts_time)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_flow f, g, h;
	struct eio_switch sw;
	struct caller a, b, c;

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_AWAIT(&p), EIO_MOCK_CONN(&flows[0]), EIO_MOCK_CONN(&flows[1]));
	eio_switch_begin(&sw);
	start(&sw, &a, answer, &f);
	start(&sw, &b, answer, &g);
	start(&sw, &c, answer, &h);
	pass();
	ck_assert(!a.over && !b.over && !c.over);
	cancel_while_waiting(&a);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(b.rc);
	expect_ok(c.rc);
	ck_assert_ptr_eq(g.u.ptr, flows[0].u.ptr);
	ck_assert_ptr_eq(h.u.ptr, flows[1].u.ptr);
	tear_down();
	return 0;
}

CORE_TEST(closing_a_listener_makes_accepts_that_wait_ebadf)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct caller a, b, cancelled;
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_flow f;

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_AWAIT(&p), EIO_MOCK_CONN(&flows[0]));
	expect_cancelled_before(answer, &f);
	eio_switch_begin(&sw);
	start(&sw, &a, answer, &f);
	start(&sw, &b, answer, &f);
	start(&sw, &cancelled, answer, &f);
	pass();
	expect_ok(eio_cancel_raise(&cancelled.ctx, -EINTR));
	expect_ok(eio_listener_close(listener));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(a.rc, -EBADF);
	expect_err(b.rc, -EBADF);
	expect_err(cancelled.rc, -ECANCELED);
	expect_err(answer(&f), -EBADF);
	expect_err(eio_listener_close(listener), -EBADF);
	expect_err(eio_listener_addr(listener, &addr), -EBADF);
	tear_down();
	return 0;
}

static int close_door(void *arg)
{
	(void) arg;
	return eio_listener_close(listener);
}

CORE_TEST(a_connection_is_not_taken_from_a_listener_that_was_closed_meanwhile)
{
	struct eio_flow f = eio_null();

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_RUN(close_door, NULL), EIO_MOCK_CONN(&flows[0]));
	expect_err(answer(&f), -EBADF);
	ck_assert_ptr_null(f.u.ptr);
	tear_down();
	return 0;
}

/* Switches */

CORE_TEST(connections_and_listeners_are_closed_at_the_end_of_their_switch)
{
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	set_up();
	on_connect(EIO_MOCK_CONN(&flows[0]));
	on_listen(EIO_MOCK_LISTENER(&listener));
	on_accept(EIO_MOCK_CONN(&flows[1]), EIO_MOCK_CONN(&flows[2]), EIO_MOCK_CONN(&flows[3]));
	eio_switch_begin(&sw);
	expect_ok(eio_net_connect(net, &sw, &here, NULL, &f));
	expect_ok(eio_net_listen(net, &sw, &here, NULL, &l));
	expect_ok(eio_net_accept(l, &sw, &f, NULL));
	expect_ok(eio_net_accept(l, &sw, &f, NULL));
	expect_ok(eio_flow_close(f));
	expect_ok(eio_net_accept(l, NULL, &f, NULL));
	ck_assert(!is_closed(0) && !is_closed(1) && is_closed(2) && !is_closed(3));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_closed(0) && is_closed(1) && !is_closed(3));
	expect_err(eio_listener_close(listener), -EBADF);
	tear_down();
	return 0;
}

static int accept_onto_foreign(void *arg)
{
	struct eio_flow f;

	return eio_net_accept(listener, arg, &f, NULL);
}

CORE_TEST(a_switch_that_takes_nothing_is_refused_before_the_script_moves)
{
	struct eio_switch sw;
	struct eio_listener l;
	struct eio_flow f;

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_CONN(&flows[0]));
	on_connect(EIO_MOCK_CONN(&flows[1]));
	on_listen(EIO_MOCK_LISTENER(&listener));
	eio_switch_begin(&sw);
	expect_err(in_other_domain(accept_onto_foreign, &sw), -EPERM);
	/* A cancelled one takes it: it closes it. */
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(eio_net_accept(listener, &sw, &f, NULL), -EINVAL);
	expect_err(eio_net_connect(net, &sw, &here, NULL, &f), -EINVAL);
	expect_err(eio_net_listen(net, &sw, &here, NULL, &l), -EINVAL);
	expect_ok(answer(&f));
	expect_ok(dial(&f));
	expect_ok(eio_net_listen(net, NULL, &here, NULL, &l));
	tear_down();
	return 0;
}

static int fail_switch(void *sw)
{
	return eio_switch_fail(sw, -EIO);
}

static int protected_accept(void *arg)
{
	struct eio_flow f;

	return eio_net_accept(listener, arg, &f, NULL);
}

CORE_TEST(a_connection_that_comes_as_the_switch_fails_is_closed_with_it)
{
	struct eio_switch sw;

	(void) arg;
	set_up();
	eio_switch_begin(&sw);
	on_accept(EIO_MOCK_RUN(fail_switch, &sw), EIO_MOCK_CONN(&flows[0]));
	expect_ok(protected_accept(&sw));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(is_closed(0));
	tear_down();
	return 0;
}

static int take_without_memory(void *arg)
{
	struct eio_switch sw;
	struct eio_listener l;
	struct eio_flow f;
	struct eio_addr_info *list;
	struct eio_addr other;
	int accept, connect, listen, found, dialled;
	size_t n;

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_CONN(&flows[0]));
	on_connect(EIO_MOCK_CONN(&flows[1]));
	on_listen(EIO_MOCK_LISTENER(&listener));
	expect_ok(eio_addr_parse(&other, "127.0.0.1:81"));
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&here, 1)));
	eio_error_set(-EIO, "the record", NULL);
	eio_switch_begin(&sw);
	use_memory_up(1);
	accept = eio_net_accept(listener, &sw, &f, NULL);
	connect = eio_net_connect(net, &sw, &here, NULL, &f);
	listen = eio_net_listen(net, &sw, &here, NULL, &l);
	found = eio_net_getaddrinfo(net, "a", NULL, EIO_SOCKET_ANY, &list, &n);
	eio_mock_on_connect_to(&mock, &other, SCRIPT(EIO_MOCK_CONN(&flows[2])));
	dialled = eio_net_connect(net, NULL, &other, NULL, &f);
	give_memory_back();
	expect_err(accept, -ENOMEM);
	expect_err(connect, -ENOMEM);
	expect_err(listen, -ENOMEM);
	expect_err(found, -ENOMEM);
	expect_err(dialled, -ENOMEM);
	ck_assert(is_closed(0) && is_closed(1));
	expect_err(eio_listener_close(listener), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

START_TEST(without_memory_what_came_is_closed)
{
	if (!SANITIZED)
		run_mock(take_without_memory, 0);
}
END_TEST

/* Servers */

static int echo(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	(void) peer, (void) arg;
	return eio_flow_copy(conn, conn, NULL);
}

static void report(const struct eio_addr *peer, int err, void *arg)
{
	char text[EIO_ADDR_TEXT];

	(void) arg;
	note("%s:%s", eio_addr_format(peer, text, sizeof(text)), eio_err_name(err));
}

static void script_two_clients(void)
{
	const struct eio_mock_action one[] = {EIO_MOCK_DATA("hello"), EIO_MOCK_SLEEP(EIO_MS(5)),
					      EIO_MOCK_DATA("world"), EIO_MOCK_EOF};
	const struct eio_mock_action two[] = {EIO_MOCK_DATA("hi"), EIO_MOCK_FAIL(-ECONNRESET)};

	eio_mock_on_read(&mocks[0], one, COUNT(one));
	eio_mock_on_read(&mocks[1], two, COUNT(two));
}

CORE_TEST(an_echo_server_serves_what_is_scripted)
{
	const struct eio_server_opts opts = {.on_error = report};
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);
	struct eio_listener l;
	struct eio_switch sw;
	struct eio_addr from;

	(void) arg;
	set_up();
	eio_mock_net_trace(&mock, trace);
	eio_mock_listener_trace(&door, trace);
	for (int i = 0; i < 2; i++)
		eio_mock_flow_trace(&mocks[i], trace);
	expect_ok(eio_addr_parse(&from, "10.0.0.7:4321"));
	on_listen(EIO_MOCK_LISTENER(&listener));
	on_accept(EIO_MOCK_CONN(&flows[0]), EIO_MOCK_CONN_FROM(&flows[1], &from));
	script_two_clients();
	eio_switch_begin(&sw);
	expect_ok(eio_net_listen(net, &sw, &here, NULL, &l));
	expect_err(eio_net_run_server(l, echo, NULL, &opts), -ENODATA);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("10.0.0.7:4321:ECONNRESET");
	ck_assert_str_eq(eio_mock_written(&mocks[0], NULL), "helloworld");
	ck_assert_str_eq(eio_mock_written(&mocks[1], NULL), "hi");
	/* The rest of the order is the server's own business. */
	ck_assert_int_eq(strncmp(text.data, "net: listen on 127.0.0.1:80\ndoor: accepted ", 43), 0);
	ck_assert_ptr_nonnull(strstr(text.data, "\ndoor: accepted 10.0.0.7:4321\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "\ndoor: accept: ENODATA\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "\none: read \"world\"\none: wrote \"world\"\n"
						"one: read: end of stream\none: closed\n"
						"door: closed\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "\ntwo: read: ECONNRESET\ntwo: closed\n"));
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

CORE_TEST(a_server_whose_script_waits_is_stopped)
{
	struct eio_promise never = EIO_PROMISE_INIT, stop = EIO_PROMISE_INIT;
	const struct eio_server_opts opts = {.stop = &stop, .on_error = report};
	const struct eio_mock_action eof = EIO_MOCK_EOF;

	(void) arg;
	set_up();
	on_accept(EIO_MOCK_CONN(&flows[0]), EIO_MOCK_AWAIT(&never));
	eio_mock_on_read(&mocks[0], &eof, 1);
	expect_ok(eio_promise_resolve(&stop, 0, NULL));
	expect_ok(eio_net_run_server(listener, echo, NULL, &opts));
	tear_down();
	return 0;
}

struct client {
	struct eio_flow f;
	char reply[16];
};

static int play_client(void *arg)
{
	struct client *c = arg;
	ssize_t n;

	expect_ok(eio_flow_copy_string(c->f, "knock"));
	expect_ok(eio_flow_shutdown(c->f, EIO_SHUT_SEND));
	expect_ok(eio_flow_read_exact(c->f, c->reply, 5));
	n = eio_flow_read(c->f, c->reply + 5, 8);
	expect_ok(n);
	return eio_flow_close(c->f);
}

CORE_TEST(accept_fork_serves_a_pair_whose_other_end_the_test_plays)
{
	struct eio_mock_pair pair;
	struct eio_flow server_end;
	struct client c = {.reply = ""};
	struct eio_switch sw;

	(void) arg;
	set_up();
	expect_ok(eio_mock_pair_init(&pair, 2, &c.f, &server_end));
	on_accept(EIO_MOCK_CONN(&server_end));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, play_client, &c));
	expect_ok(eio_net_accept_fork(listener, &sw, echo, NULL, report));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_str_eq(c.reply, "knock");
	expect_err(eio_flow_close(server_end), -EBADF);
	expect_log("");
	eio_mock_pair_fini(&pair);
	tear_down();
	return 0;
}

CORE_TEST(a_trace_tells_of_the_net_what_it_was_asked_and_how_it_failed)
{
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0), f;
	struct eio_addr_info *list;
	struct eio_listener l;
	char host[64];
	size_t n;

	(void) arg;
	set_up();
	eio_mock_net_trace(&mock, trace);
	on_connect(EIO_MOCK_CONN(&flows[0]));
	on_listen(EIO_MOCK_LISTENER(&listener), EIO_MOCK_FAIL(-EACCES));
	expect_ok(dial(&f));
	expect_err(dial(&f), -ECONNREFUSED);
	expect_ok(eio_net_listen(net, NULL, &here, NULL, &l));
	expect_err(eio_net_listen(net, NULL, &here, NULL, &l), -EACCES);
	eio_mock_on_getaddrinfo(&mock, SCRIPT(EIO_MOCK_ADDRS(&here, 1)));
	eio_mock_on_getnameinfo(&mock, SCRIPT(EIO_MOCK_NAMES("localhost", "http")));
	expect_ok(eio_net_getaddrinfo(net, "localhost", "http", EIO_SOCKET_ANY, &list, &n));
	free(list);
	expect_err(eio_net_getaddrinfo(net, NULL, "http", EIO_SOCKET_ANY, &list, &n),
		   EIO_EAI(EAI_NONAME));
	expect_ok(eio_net_getnameinfo(net, &here, host, sizeof(host), NULL, 0, 0));
	ck_assert_str_eq(text.data, "net: connect to 127.0.0.1:80\n"
				    "net: connect to 127.0.0.1:80: ECONNREFUSED\n"
				    "net: listen on 127.0.0.1:80\n"
				    "net: listen on 127.0.0.1:80: EACCES\n"
				    "net: look up localhost http\n"
				    "net: look up http: EIO_EAI\n"
				    "net: names of 127.0.0.1:80\n");
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

SUITE_MAIN("mock_net", false, each_connect_gives_the_next_scripted_connection_test,
	   what_is_not_scripted_is_refused_test,
	   listening_gives_the_scripted_listener_with_its_address_test,
	   a_cancelled_connect_or_listen_leaves_the_script_as_it_was_test,
	   a_connect_that_takes_too_long_times_out_test,
	   addresses_with_scripts_of_their_own_do_not_wait_for_each_other_test,
	   look_ups_give_the_scripted_addresses_test, names_of_addresses_are_scripted_test,
	   each_accept_gives_the_next_scripted_connection_and_its_peer_test,
	   accepts_at_the_same_time_take_turns_in_the_scripts_time_test,
	   closing_a_listener_makes_accepts_that_wait_ebadf_test,
	   a_connection_is_not_taken_from_a_listener_that_was_closed_meanwhile_test,
	   connections_and_listeners_are_closed_at_the_end_of_their_switch_test,
	   a_switch_that_takes_nothing_is_refused_before_the_script_moves_test,
	   a_connection_that_comes_as_the_switch_fails_is_closed_with_it_test,
	   without_memory_what_came_is_closed, an_echo_server_serves_what_is_scripted_test,
	   a_server_whose_script_waits_is_stopped_test,
	   accept_fork_serves_a_pair_whose_other_end_the_test_plays_test,
	   a_trace_tells_of_the_net_what_it_was_asked_and_how_it_failed_test)
