/* SPDX-License-Identifier: ISC */
#include "mock/util.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct eio_mock_net mock;
static struct eio_net net;
static struct eio_mock_dgram post;
static struct eio_dgram d;
static struct eio_addr here, there;

static void set_up(void)
{
	expect_ok(eio_addr_parse(&here, "127.0.0.1:53"));
	expect_ok(eio_addr_parse(&there, "10.0.0.7:4321"));
	net = eio_mock_net_init(&mock, "net");
	d = eio_mock_dgram_init(&post, "post", &here);
}

static void tear_down(void)
{
	eio_mock_dgram_fini(&post);
	eio_mock_net_fini(&mock);
}

#define SCRIPT(...)                                                                                \
	(const struct eio_mock_action[]){__VA_ARGS__},                                             \
		COUNT(((const struct eio_mock_action[]){__VA_ARGS__}))
#define on_datagram(...) eio_mock_on_datagram(&mock, SCRIPT(__VA_ARGS__))
#define on_recv(...)     eio_mock_on_recv(&post, SCRIPT(__VA_ARGS__))
#define on_send(...)     eio_mock_on_send(&post, SCRIPT(__VA_ARGS__))

static char buf[16];

static ssize_t receive(struct eio_addr *ret_peer)
{
	memset(buf, 0, sizeof(buf));
	return eio_dgram_recv(d, buf, 5, ret_peer);
}

static int receive_one(void *arg)
{
	return (int) receive(arg);
}

static int send_text(const char *text)
{
	struct iovec iov[2] = {{(char *) text, 1}, {(char *) text + 1, strlen(text) - 1}};

	return eio_dgram_send(d, &there, iov, 2);
}

static int open_one(void *ret)
{
	return eio_net_datagram(net, NULL, &here, NULL, ret);
}

CORE_TEST(each_receive_gives_the_next_scripted_datagram_and_its_sender)
{
	struct eio_addr peer;

	(void) arg;
	set_up();
	on_recv(EIO_MOCK_DATA("one"), EIO_MOCK_DATA_FROM("two", &there), EIO_MOCK_BYTES("", 0),
		EIO_MOCK_DATA(""), EIO_MOCK_EOF, EIO_MOCK_FAIL(-ECONNREFUSED));
	memset(&peer, 0xff, sizeof(peer));
	expect_err(receive(&peer), 3);
	ck_assert_str_eq(buf, "one");
	ck_assert_uint_eq(peer.len, 0);
	expect_err(receive(&peer), 3);
	ck_assert_str_eq(buf, "two");
	ck_assert(eio_addr_equal(&peer, &there));
	expect_ok(receive(NULL));
	expect_ok(receive(NULL));
	/* There is no end of datagrams. */
	expect_err(receive(NULL), -EINVAL);
	expect_err(receive(NULL), -ECONNREFUSED);
	ck_assert_str_eq(eio_last_error()->subject, "post");
	expect_err(receive(NULL), -ENODATA);
	tear_down();
	return 0;
}

CORE_TEST(a_scripted_datagram_that_is_too_long_is_told_and_gone)
{
	struct eio_addr peer;

	(void) arg;
	set_up();
	on_recv(EIO_MOCK_DATA_FROM("too long", &there), EIO_MOCK_DATA("fives"));
	expect_err(receive(&peer), -EMSGSIZE);
	ck_assert_uint_eq(eio_last_error()->done, 8);
	ck_assert_str_eq(buf, "too l");
	ck_assert(eio_addr_equal(&peer, &there));
	expect_err(receive(&peer), 5);
	ck_assert_str_eq(buf, "fives");
	tear_down();
	return 0;
}

CORE_TEST(sending_takes_what_its_script_takes_and_then_everything)
{
	(void) arg;
	set_up();
	on_send(EIO_MOCK_TAKE(4), EIO_MOCK_TAKE(4), EIO_MOCK_FAIL(-ENETUNREACH), EIO_MOCK_EOF,
		EIO_MOCK_TAKE(4));
	expect_ok(send_text("four"));
	expect_err(send_text("fives"), -EMSGSIZE);
	expect_err(send_text("four"), -ENETUNREACH);
	expect_err(send_text("four"), -EINVAL);
	expect_ok(send_text("four"));
	expect_ok(send_text("everything"));
	tear_down();
	return 0;
}

CORE_TEST(a_trace_tells_what_was_sent_and_received)
{
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);

	(void) arg;
	set_up();
	eio_mock_dgram_trace(&post, trace);
	on_recv(EIO_MOCK_DATA("one\n"), EIO_MOCK_DATA_FROM("too long", &there));
	on_send(EIO_MOCK_TAKE(100), EIO_MOCK_FAIL(-EACCES));
	expect_ok(send_text("hello"));
	expect_err(send_text("again"), -EACCES);
	expect_ok(eio_dgram_send(d, NULL, NULL, 0));
	expect_err(receive(NULL), 4);
	expect_err(receive(NULL), -EMSGSIZE);
	expect_err(receive(NULL), -ENODATA);
	expect_ok(eio_dgram_close(d));
	ck_assert_str_eq(text.data, "post: sent to 10.0.0.7:4321 \"hello\"\n"
				    "post: send: EACCES\n"
				    "post: sent \"\"\n"
				    "post: received \"one\\n\"\n"
				    "post: received from 10.0.0.7:4321 \"too l\"\n"
				    "post: receive: EMSGSIZE\n"
				    "post: receive: ENODATA\n"
				    "post: closed\n");
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

/* The longest label and address there are. */
CORE_TEST(a_trace_has_room_for_long_names)
{
	struct eio_mock_dgram m;
	char label[300], name[107 + 8] = "unix:", expected[600];
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);
	struct eio_addr far;
	struct eio_dgram l;

	(void) arg;
	memset(label, 'l', sizeof(label));
	label[sizeof(label) - 1] = '\0';
	memset(name + 5, 'n', 107);
	name[5 + 107] = '\0';
	expect_ok(eio_addr_parse(&far, name));
	l = eio_mock_dgram_init(&m, label, NULL);
	eio_mock_dgram_trace(&m, trace);
	expect_ok(eio_dgram_send(l, &far, &(struct iovec){"x", 1}, 1));
	snprintf(expected, sizeof(expected), "%.200s: sent to %s \"x\"\n", label, name);
	ck_assert_str_eq(text.data, expected);
	eio_buffer_sink_fini(&text);
	eio_mock_dgram_fini(&m);
	return 0;
}

CORE_TEST(a_closed_mock_gives_EBADF_but_to_a_receive_that_waits)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct eio_addr at;
	struct caller c;
	struct eio_fd fd;

	(void) arg;
	set_up();
	expect_ok(eio_dgram_local_addr(d, &at));
	ck_assert(eio_addr_equal(&at, &here));
	expect_err(eio_dgram_fd(d, &fd), -ENOTSUP);
	expect_err(eio_dgram_peer_addr(d, &at), -ENOTSUP);
	on_recv(EIO_MOCK_AWAIT(&p), EIO_MOCK_DATA("last"), EIO_MOCK_DATA("never"));
	eio_switch_begin(&sw);
	start(&sw, &c, receive_one, NULL);
	pass();
	expect_ok(eio_dgram_close(d));
	expect_err(eio_dgram_close(d), -EBADF);
	expect_err(receive(NULL), -EBADF);
	expect_err(send_text("no"), -EBADF);
	expect_err(eio_dgram_local_addr(d, &at), -EBADF);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, 4);
	tear_down();

	d = eio_mock_dgram_init(&post, "post", NULL);
	expect_err(eio_dgram_local_addr(d, &at), -ENOTSUP);
	eio_mock_dgram_fini(&post);
	return 0;
}

CORE_TEST(each_datagram_socket_of_a_net_is_the_next_scripted_one)
{
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);
	struct eio_dgram got = {.ops = NULL};

	(void) arg;
	set_up();
	eio_mock_net_trace(&mock, trace);
	on_datagram(EIO_MOCK_DGRAM(&d), EIO_MOCK_FAIL(-EACCES), EIO_MOCK_EOF, EIO_MOCK_DGRAM(&d));
	expect_ok(open_one(&got));
	ck_assert_ptr_eq(got.u.ptr, d.u.ptr);
	expect_err(open_one(&got), -EACCES);
	expect_err(open_one(&got), -EINVAL);
	expect_ok(eio_net_datagram(net, NULL, NULL, NULL, &got));
	expect_err(eio_net_datagram(net, NULL, NULL, NULL, &got), -EADDRNOTAVAIL);
	ck_assert_str_eq(text.data, "net: datagrams at 127.0.0.1:53\n"
				    "net: datagrams at 127.0.0.1:53: EACCES\n"
				    "net: datagrams at 127.0.0.1:53: EINVAL\n"
				    "net: datagrams at any address\n"
				    "net: datagrams at any address: EADDRNOTAVAIL\n");
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

CORE_TEST(a_scripted_socket_ends_with_its_switch)
{
	struct eio_dgram got;
	struct eio_switch sw;

	(void) arg;
	set_up();
	on_datagram(EIO_MOCK_DGRAM(&d), EIO_MOCK_DGRAM(&d));
	eio_switch_begin(&sw);
	expect_ok(eio_net_datagram(net, &sw, &here, NULL, &got));
	expect_ok(send_text("open"));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(send_text("closed"), -EBADF);
	/* Refused before the script moves. */
	expect_err(eio_net_datagram(net, &sw, &here, NULL, &got), -EINVAL);
	expect_ok(open_one(&got));
	tear_down();
	return 0;
}

static int open_without_memory(void *arg)
{
	struct eio_dgram got;
	struct eio_switch sw;
	int rc;

	(void) arg;
	set_up();
	on_datagram(EIO_MOCK_DGRAM(&d));
	eio_error_set(-EIO, "the record", NULL);
	eio_switch_begin(&sw);
	use_memory_up(1);
	rc = eio_net_datagram(net, &sw, &here, NULL, &got);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	expect_err(eio_dgram_close(d), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	tear_down();
	return 0;
}

START_TEST(without_memory_a_scripted_socket_is_closed)
{
	if (!SANITIZED)
		run_mock(open_without_memory, 0);
}
END_TEST

/* What a program's own test looks like: the answer is lost twice. */
static int ask(void *arg)
{
	int rc = send_text("question");

	return rc < 0 ? rc : receive_one(arg);
}

static int ask_until_answered(void)
{
	int rc, tries = 0;

	do
		rc = eio_timeout_run(env->mono_clock, EIO_SEC(1), ask, NULL);
	while (rc == -ETIMEDOUT && ++tries < 3);
	return rc;
}

MOCK_TEST(a_client_that_asks_again_is_tested_without_waiting)
{
	struct eio_buffer_sink text;
	struct eio_flow trace = eio_buffer_sink_init(&text, 0);

	(void) arg;
	set_up();
	eio_mock_dgram_trace(&post, trace);
	on_recv(EIO_MOCK_SLEEP(EIO_SEC(5)), EIO_MOCK_DATA("late"));
	expect_err(ask_until_answered(), -ETIMEDOUT);
	ck_assert_int_eq(eio_now_ns(env->mono_clock), EIO_SEC(3));
	ck_assert_str_eq(text.data, "post: sent to 10.0.0.7:4321 \"question\"\n"
				    "post: receive: ECANCELED\n"
				    "post: sent to 10.0.0.7:4321 \"question\"\n"
				    "post: receive: ECANCELED\n"
				    "post: sent to 10.0.0.7:4321 \"question\"\n"
				    "post: receive: ECANCELED\n");
	eio_buffer_sink_fini(&text);
	tear_down();
	return 0;
}

SUITE_MAIN("mock_dgram", false, each_receive_gives_the_next_scripted_datagram_and_its_sender_test,
	   a_scripted_datagram_that_is_too_long_is_told_and_gone_test,
	   sending_takes_what_its_script_takes_and_then_everything_test,
	   a_trace_tells_what_was_sent_and_received_test, a_trace_has_room_for_long_names_test,
	   a_closed_mock_gives_EBADF_but_to_a_receive_that_waits_test,
	   each_datagram_socket_of_a_net_is_the_next_scripted_one_test,
	   a_scripted_socket_ends_with_its_switch_test, without_memory_a_scripted_socket_is_closed,
	   a_client_that_asks_again_is_tested_without_waiting_test)
