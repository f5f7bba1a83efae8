/* SPDX-License-Identifier: ISC */
/*
 * Names by the C library. What would need a name server is not asked; a name that cannot be
 * one (a label of more than 63 bytes) fails without.
 */
#include "io/util.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#define TEN      "aaaaaaaaaa"
#define NOT_NAME TEN TEN TEN TEN TEN TEN TEN

static struct eio_addr_info *list;
static size_t n;

static int look_up(const char *host, const char *service, enum eio_socket_kind kind)
{
	return eio_net_getaddrinfo(env->net, host, service, kind, &list, &n);
}

/* The answers in their order, then they are freed. */
static void expect_answers(const char *expected)
{
	static const char *const kinds[] = {"any", "stream", "datagram"};
	char text[EIO_ADDR_TEXT];

	for (size_t i = 0; i < n; i++)
		note("%s:%s", kinds[list[i].kind],
		     eio_addr_format(&list[i].addr, text, sizeof(text)));
	free(list);
	expect_log(expected);
}

RING_TEST(numbers_are_answered_without_a_thread)
{
	unsigned tasks = count_tasks();

	(void) arg;
	expect_ok(look_up("192.0.2.7", "80", EIO_SOCKET_STREAM));
	expect_answers("stream:192.0.2.7:80");
	expect_ok(look_up("2001:db8::7", "443", EIO_SOCKET_STREAM));
	expect_answers("stream:[2001:db8::7]:443");
	expect_ok(look_up("192.0.2.7", "65535", EIO_SOCKET_DATAGRAM));
	expect_answers("datagram:192.0.2.7:65535");
	ck_assert_uint_eq(count_tasks(), tasks);
	return 0;
}

RING_TEST(without_a_kind_there_is_an_answer_for_each)
{
	(void) arg;
	expect_ok(look_up("192.0.2.7", "53", EIO_SOCKET_ANY));
	expect_answers("stream:192.0.2.7:53 datagram:192.0.2.7:53");
	return 0;
}

RING_TEST(host_and_service_may_be_left_out_but_not_both)
{
	(void) arg;
	expect_ok(look_up("192.0.2.7", NULL, EIO_SOCKET_STREAM));
	expect_answers("stream:192.0.2.7:0");
	expect_err(look_up(NULL, NULL, EIO_SOCKET_STREAM), EIO_EAI(EAI_NONAME));
	expect_ok(look_up(NULL, "80", EIO_SOCKET_STREAM));
	ck_assert_uint_ge(n, 1);
	for (size_t i = 0; i < n; i++) {
		struct eio_addr v4, v6;

		expect_ok(eio_addr_parse(&v4, "127.0.0.1:80"));
		expect_ok(eio_addr_parse(&v6, "[::1]:80"));
		ck_assert(eio_addr_equal(&list[i].addr, &v4) || eio_addr_equal(&list[i].addr, &v6));
	}
	free(list);
	return 0;
}

/* /etc/services is read by a thread, where there is one. */
RING_TEST(a_service_by_name_takes_a_thread)
{
	unsigned tasks = count_tasks();

	(void) arg;
	if (!getservbyname("http", "tcp"))
		return 0;
	expect_ok(look_up("192.0.2.7", "http", EIO_SOCKET_STREAM));
	expect_answers("stream:192.0.2.7:80");
	ck_assert_uint_gt(count_tasks(), tasks);
	return 0;
}

/* By /etc/hosts. */
RING_TEST(localhost_is_the_loopback)
{
	(void) arg;
	expect_ok(look_up("localhost", "80", EIO_SOCKET_STREAM));
	ck_assert_uint_ge(n, 1);
	for (size_t i = 0; i < n; i++) {
		char text[EIO_ADDR_TEXT];

		eio_addr_format(&list[i].addr, text, sizeof(text));
		ck_assert(!strncmp(text, "127.", 4) || !strcmp(text, "[::1]:80"));
		ck_assert_int_eq(list[i].kind, EIO_SOCKET_STREAM);
	}
	free(list);
	return 0;
}

RING_TEST(no_port_is_taken_modulo_65536)
{
	static const char *const services[] = {"65536", "70000", "-1", "99999999999999999999"};

	(void) arg;
	for (size_t i = 0; i < COUNT(services); i++) {
		expect_err(look_up("192.0.2.7", services[i], EIO_SOCKET_STREAM),
			   EIO_EAI(EAI_SERVICE));
		ck_assert_str_eq(eio_last_error()->op, "getaddrinfo");
		ck_assert_str_eq(eio_last_error()->subject, "192.0.2.7");
	}
	expect_err(look_up(NULL, "65536", EIO_SOCKET_STREAM), EIO_EAI(EAI_SERVICE));
	ck_assert_str_eq(eio_last_error()->subject, "65536");
	return 0;
}

RING_TEST(what_cannot_be_found_leaves_the_results_alone)
{
	struct eio_addr_info mark, *was = &mark;
	size_t was_n = 42;

	(void) arg;
	expect_err(eio_net_getaddrinfo(env->net, NOT_NAME, "80", EIO_SOCKET_STREAM, &was, &was_n),
		   EIO_EAI(EAI_NONAME));
	ck_assert_str_eq(eio_last_error()->subject, NOT_NAME);
	expect_err(eio_net_getaddrinfo(env->net, "192.0.2.7", "80", (enum eio_socket_kind) 3, &was,
				       &was_n),
		   -EINVAL);
	expect_err(eio_net_getaddrinfo(env->net, "192.0.2.7", "80", (enum eio_socket_kind) - 1,
				       &was, &was_n),
		   -EINVAL);
	ck_assert_ptr_eq(was, &mark);
	ck_assert_uint_eq(was_n, 42);
	return 0;
}

RING_TEST(what_was_cancelled_before_is_not_asked)
{
	struct eio_cancel c;
	char host[64] = "-";
	struct eio_addr addr;

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "192.0.2.7:80"));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EINTR));
	expect_err(look_up("192.0.2.7", "80", EIO_SOCKET_STREAM), -ECANCELED);
	expect_err(
		eio_net_getnameinfo(env->net, &addr, host, sizeof(host), NULL, 0, NI_NUMERICHOST),
		-ECANCELED);
	eio_cancel_end(&c);
	ck_assert_str_eq(host, "-");
	return 0;
}

RING_TEST(addresses_have_names)
{
	const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
	char host[64] = "-", service[8] = "-";
	struct eio_addr addr;

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "192.0.2.7:8080"));
	expect_ok(eio_net_getnameinfo(env->net, &addr, host, sizeof(host), service, sizeof(service),
				      numeric));
	ck_assert_str_eq(host, "192.0.2.7");
	ck_assert_str_eq(service, "8080");
	expect_ok(eio_net_getnameinfo(env->net, &addr, NULL, 0, service, sizeof(service), numeric));
	expect_err(eio_net_getnameinfo(env->net, &addr, host, 4, NULL, 0, numeric),
		   EIO_EAI(EAI_OVERFLOW));
	ck_assert_str_eq(host, "192.0.2.7");
	ck_assert_str_eq(eio_last_error()->subject, "192.0.2.7:8080");
	return 0;
}

/* Providers */

static int no_addresses(struct eio_net net, const char *host, const char *service,
			enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	(void) net, (void) host, (void) service, (void) kind;
	*ret = NULL;
	*ret_n = 0;
	return 0;
}

CORE_TEST(an_answer_without_addresses_is_no_answer)
{
	static const struct eio_net_ops ops = {.name = "own", .getaddrinfo = no_addresses};
	const struct eio_net net = {.ops = &ops};

	(void) arg;
	expect_err(eio_net_getaddrinfo(net, "example.org", "80", EIO_SOCKET_ANY, &list, &n),
		   EIO_EAI(EAI_NONAME));
	ck_assert_str_eq(eio_last_error()->subject, "example.org");
	return 0;
}

CORE_TEST(a_network_may_know_no_names)
{
	static const struct eio_net_ops ops = {.name = "own"};
	const struct eio_net nameless = {.ops = &ops}, nothing = {.ops = NULL};
	struct eio_addr addr;
	char host[64];

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "192.0.2.7:80"));
	expect_err(eio_net_getaddrinfo(nameless, "a", "80", EIO_SOCKET_ANY, &list, &n),
		   -EOPNOTSUPP);
	expect_err(eio_net_getnameinfo(nameless, &addr, host, sizeof(host), NULL, 0, 0),
		   -EOPNOTSUPP);
	expect_err(eio_net_getaddrinfo(nothing, "a", "80", EIO_SOCKET_ANY, &list, &n), -EBADF);
	expect_err(eio_net_getnameinfo(nothing, &addr, host, sizeof(host), NULL, 0, 0), -EBADF);
	return 0;
}

static int look_up_numbers(void *arg)
{
	return eio_net_getaddrinfo(*(struct eio_net *) arg, "192.0.2.7", "80", EIO_SOCKET_ANY,
				   &list, &n);
}

RING_TEST(a_thread_without_a_domain_is_refused)
{
	(void) arg;
	expect_err(on_plain_thread(look_up_numbers, &env->net), -EPERM);
	return 0;
}

/* A name needs a thread, and so a ring, which a mock domain has not. */
static int look_up_name(void *arg)
{
	return eio_net_getaddrinfo(*(struct eio_net *) arg, "localhost", "80", EIO_SOCKET_ANY,
				   &list, &n);
}

RING_TEST(a_domain_without_a_ring_has_numbers_only)
{
	struct eio_net net = env->net;

	(void) arg;
	expect_ok(in_other_domain(look_up_numbers, &net));
	free(list);
	expect_err(in_other_domain(look_up_name, &net), -EPERM);
	return 0;
}

static int look_up_without_memory(void *arg)
{
	int rc;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	use_memory_up(1);
	rc = look_up("192.0.2.7", "80", EIO_SOCKET_STREAM);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	return 0;
}

START_TEST(without_memory_there_is_no_answer)
{
	if (!SANITIZED)
		run_ring(look_up_without_memory, 0);
}
END_TEST

SUITE_MAIN("resolve", true, numbers_are_answered_without_a_thread_test,
	   without_a_kind_there_is_an_answer_for_each_test,
	   host_and_service_may_be_left_out_but_not_both_test,
	   a_service_by_name_takes_a_thread_test, localhost_is_the_loopback_test,
	   no_port_is_taken_modulo_65536_test, what_cannot_be_found_leaves_the_results_alone_test,
	   what_was_cancelled_before_is_not_asked_test, addresses_have_names_test,
	   an_answer_without_addresses_is_no_answer_test, a_network_may_know_no_names_test,
	   a_thread_without_a_domain_is_refused_test, a_domain_without_a_ring_has_numbers_only_test,
	   without_memory_there_is_no_answer)
