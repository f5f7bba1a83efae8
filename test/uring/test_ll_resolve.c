/* SPDX-License-Identifier: ISC */
/*
 * Name look-ups. The code is part of this program, with a resolver that hangs, fails and
 * counts as it is told to; other names go to the C library's, which is asked nothing for which
 * it would need a network.
 */
#include "core/threads.h"
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

static int fake_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
			    struct addrinfo **ret);
static void fake_freeaddrinfo(struct addrinfo *list);
static int fake_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
			    socklen_t host_size, char *service, socklen_t service_size, int flags);

#define getaddrinfo  fake_getaddrinfo
#define freeaddrinfo fake_freeaddrinfo
#define getnameinfo  fake_getnameinfo
#include "uring/ll_resolve.c" /* for the names it calls */
#undef getaddrinfo
#undef freeaddrinfo
#undef getnameinfo

static sem_t begun, go, freed, answered;
static struct addrinfo answer;

static void reset(void)
{
	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&freed, 0, 0);
	sem_init(&answered, 0, 0);
}

static void wait_for(sem_t *s)
{
	while (sem_wait(s) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static int value(sem_t *s)
{
	int n;

	sem_getvalue(s, &n);
	return n;
}

static void hang(void)
{
	sem_post(&begun);
	wait_for(&go);
}

static int fake_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
			    struct addrinfo **ret)
{
	if (!host || strncmp(host, "fake-", 5) != 0)
		return getaddrinfo(host, service, hints, ret);
	if (strcmp(host, "fake-memory") == 0)
		return EAI_MEMORY;
	if (strcmp(host, "fake-again") == 0)
		return EAI_AGAIN;
	if (strcmp(host, "fake-bare") == 0)
		return hints ? EAI_BADFLAGS : EAI_NONAME;
	if (strcmp(host, "fake-quick") == 0) {
		sem_post(&answered);
		*ret = &answer;
		return 0;
	}
	errno = strcmp(host, "fake-system") == 0 ? EMFILE : 0;
	if (strncmp(host, "fake-system", 11) == 0)
		return EAI_SYSTEM;
	hang();
	/* What was asked is still there, whatever became of who asked. */
	if (strcmp(host, "fake-hanging") != 0 || strcmp(service, "http") != 0 ||
	    hints->ai_family != AF_INET6)
		abort();
	*ret = &answer;
	return 0;
}

static void fake_freeaddrinfo(struct addrinfo *list)
{
	if (list == &answer)
		sem_post(&freed);
	else
		freeaddrinfo(list);
}

static int fake_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
			    socklen_t host_size, char *service, socklen_t service_size, int flags)
{
	/* No more than there is room for in what is handed to the thread. */
	if (host_size > NI_MAXHOST || service_size > NI_MAXSERV)
		abort();
	if (sa->sa_family == AF_UNSPEC) {
		hang();
		strcpy(host, "late");
		strcpy(service, "later");
		sem_post(&freed);
		return 0;
	}
	return getnameinfo(sa, len, host, host_size, service, service_size, flags);
}

/* Answers */

RING_TEST(numbers_are_found)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	const struct sockaddr_in *in;
	struct addrinfo *list;

	(void) arg;
	expect_ok(eio_ll_getaddrinfo("127.0.0.1", "80", &hints, &list));
	ck_assert_int_eq(list->ai_family, AF_INET);
	ck_assert_int_eq(list->ai_socktype, SOCK_STREAM);
	ck_assert_ptr_null(list->ai_next);
	in = (const struct sockaddr_in *) list->ai_addr;
	ck_assert_uint_eq(ntohs(in->sin_port), 80);
	ck_assert_uint_eq(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
	freeaddrinfo(list);
	return 0;
}

RING_TEST(host_service_and_hints_may_be_left_out)
{
	struct addrinfo *list;

	(void) arg;
	expect_ok(eio_ll_getaddrinfo("::1", NULL, NULL, &list));
	ck_assert_int_eq(list->ai_family, AF_INET6);
	ck_assert_uint_eq(((const struct sockaddr_in6 *) list->ai_addr)->sin6_port, 0);
	freeaddrinfo(list);
	expect_ok(eio_ll_getaddrinfo(NULL, "8080", NULL, &list));
	freeaddrinfo(list);
	/* No hints are others than those that are all zero. */
	expect_err(eio_ll_getaddrinfo("fake-bare", NULL, NULL, &list), EIO_EAI(EAI_NONAME));
	return 0;
}

RING_TEST(hints_are_heeded)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;

	(void) arg;
	hints.ai_family = AF_INET6;
	hints.ai_socktype = SOCK_DGRAM;
	hints.ai_protocol = IPPROTO_UDP;
	expect_ok(eio_ll_getaddrinfo(NULL, "1", &hints, &list));
	ck_assert_int_eq(list->ai_family, AF_INET6);
	ck_assert_int_eq(list->ai_socktype, SOCK_DGRAM);
	ck_assert_int_eq(list->ai_protocol, IPPROTO_UDP);
	ck_assert(
		IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *) list->ai_addr)->sin6_addr));
	freeaddrinfo(list);
	hints.ai_protocol = IPPROTO_TCP;
	expect_err(eio_ll_getaddrinfo(NULL, "1", &hints, &list), EIO_EAI(EAI_SOCKTYPE));
	return 0;
}

RING_TEST(failures_are_the_resolvers)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
	struct addrinfo *list = &answer;
	char text[200];
	int rc;

	(void) arg;
	rc = eio_ll_getaddrinfo("no number", NULL, &hints, &list);
	expect_err(rc, EIO_EAI(EAI_NONAME));
	ck_assert_int_eq(eio_eai(rc), EAI_NONAME);
	eio_error_format(rc, text, sizeof(text));
	ck_assert_ptr_eq(strstr(text, "getaddrinfo no number: "), text);
	expect_err(eio_ll_getaddrinfo(NULL, NULL, NULL, &list), EIO_EAI(EAI_NONAME));
	expect_err(eio_ll_getaddrinfo(NULL, "no service", NULL, &list), EIO_EAI(EAI_SERVICE));
	ck_assert_str_eq(eio_last_error()->subject, "no service");
	expect_err(eio_ll_getaddrinfo("fake-again", NULL, NULL, &list), EIO_EAI(EAI_AGAIN));
	expect_err(eio_ll_getaddrinfo("fake-memory", NULL, NULL, &list), -ENOMEM);
	expect_err(eio_ll_getaddrinfo("fake-system", NULL, NULL, &list), -EMFILE);
	expect_err(eio_ll_getaddrinfo("fake-system-silent", NULL, NULL, &list), -EIO);
	ck_assert_ptr_eq(list, &answer);
	return 0;
}

RING_TEST(addresses_have_names)
{
	const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
	char host[64] = "-", service[8] = "-";
	struct eio_addr addr;

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "192.0.2.7:8080"));
	expect_ok(eio_ll_getnameinfo(&addr, host, sizeof(host), service, sizeof(service), numeric));
	ck_assert_str_eq(host, "192.0.2.7");
	ck_assert_str_eq(service, "8080");
	expect_ok(eio_addr_parse(&addr, "[2001:db8::1]:9"));
	expect_ok(eio_ll_getnameinfo(&addr, host, sizeof(host), NULL, 8, numeric));
	ck_assert_str_eq(host, "2001:db8::1");
	expect_ok(eio_ll_getnameinfo(&addr, NULL, 8, service, 2, numeric));
	ck_assert_str_eq(service, "9");
	/* As much room as anybody likes. */
	expect_ok(eio_ll_getnameinfo(&addr, host, SIZE_MAX, service, SIZE_MAX, numeric));
	return 0;
}

RING_TEST(names_that_do_not_fit_or_are_not_there_fail)
{
	const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
	char host[8] = "-", service[8] = "-";
	struct eio_addr addr;

	(void) arg;
	expect_ok(eio_addr_parse(&addr, "192.0.2.7:8080"));
	expect_err(eio_ll_getnameinfo(&addr, host, sizeof(host), service, 8, numeric),
		   EIO_EAI(EAI_OVERFLOW));
	ck_assert_str_eq(eio_last_error()->op, "getnameinfo");
	ck_assert_str_eq(eio_last_error()->subject, "192.0.2.7:8080");
	addr.len = 2;
	expect_err(eio_ll_getnameinfo(&addr, host, 8, NULL, 0, numeric), EIO_EAI(EAI_FAMILY));
	addr.len = sizeof(addr.sa) + 1;
	expect_err(eio_ll_getnameinfo(&addr, host, 8, NULL, 0, numeric), -EINVAL);
	ck_assert_str_eq(host, "-");
	ck_assert_str_eq(service, "-");
	return 0;
}

static int look_up(void *arg)
{
	struct eio_addr addr = {.len = 16};
	struct addrinfo *list;
	char host[8];

	(void) arg;
	expect_err(eio_ll_getnameinfo(&addr, host, 8, NULL, 0, 0), -EPERM);
	return eio_ll_getaddrinfo("127.0.0.1", "80", NULL, &list);
}

START_TEST(without_a_ring_it_is_EPERM)
{
	expect_err(look_up(NULL), -EPERM);
	expect_err(in_other_domain(look_up, NULL), -EPERM);
}
END_TEST

/* A resolver that hangs */

/* All that belongs to it is gone when it returns. */
static int ask(void *arg)
{
	char host[] = "fake-hanging", service[] = "http";
	struct addrinfo hints = {.ai_family = AF_INET6}, *list = NULL;
	int rc = eio_ll_getaddrinfo(host, service, &hints, &list);

	memset(host, 0, sizeof(host));
	memset(service, 0, sizeof(service));
	memset(&hints, 0, sizeof(hints));
	ck_assert_ptr_eq(list, rc == 0 ? &answer : NULL);
	note("%s:%d", (const char *) arg, rc);
	return 0;
}

static int ask_for_names(void *arg)
{
	char host[8] = "host", service[8] = "service";
	struct eio_addr addr = {.len = 16};

	note("%s:%d", (const char *) arg, eio_ll_getnameinfo(&addr, host, 8, service, 8, 0));
	ck_assert_str_eq(host, strstr(log_text(), "-125") ? "host" : "late");
	ck_assert_str_eq(service, strstr(log_text(), "-125") ? "service" : "later");
	return 0;
}

/* Cancelled while it hangs; what the thread does after that concerns nobody. */
static void leave(eio_fn *fn, void *name)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fn, name));
	wait_for(&begun);
	eio_switch_fail(&sw, -EIO);
	expect_err(eio_switch_end(&sw, 0), -EIO);
}

RING_TEST(an_answer_that_comes_is_the_callers)
{
	struct eio_switch sw;

	(void) arg;
	reset();
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, ask, "a"));
	expect_ok(eio_fork(&sw, ask_for_names, "b"));
	wait_for(&begun);
	wait_for(&begun);
	expect_log("");
	sem_post(&go);
	sem_post(&go);
	expect_ok(eio_switch_end(&sw, 0));
	log_clear();
	ck_assert_int_eq(value(&freed), 1); /* the names */
	return 0;
}

RING_TEST(a_cancelled_look_up_returns_at_once_and_is_dropped_when_done)
{
	(void) arg;
	reset();
	leave(ask, "a");
	expect_log("a:-125");
	ck_assert_int_eq(value(&freed), 0);
	ck_assert_uint_eq(eio__lookups.abandoned, 1);
	sem_post(&go);
	wait_for(&freed);
	leave(ask_for_names, "b");
	expect_log("b:-125");
	sem_post(&go);
	wait_for(&freed);
	return 0;
}

static int add_one(void *arg)
{
	return ++*(int *) arg;
}

RING_TEST(hung_look_ups_are_in_nobody_elses_way)
{
	struct addrinfo *list;
	int n = 0;

	(void) arg;
	reset();
	for (int i = 0; i < 5; i++)
		leave(ask, "a");
	log_clear();
	expect_err(eio_ll_in_thread(add_one, &n), 1);
	expect_ok(eio_ll_getaddrinfo("127.0.0.1", "80", NULL, &list));
	freeaddrinfo(list);
	for (int i = 0; i < 5; i++)
		sem_post(&go);
	for (int i = 0; i < 5; i++)
		wait_for(&freed);
	return 0;
}

/* They count towards the limit, and one that is done after all takes up the next. */
RING_TEST(beyond_the_limit_look_ups_wait_and_can_be_cancelled)
{
	struct eio_switch sw, cancelled;
	int n = 0;

	(void) arg;
	reset();
	eio__lookups.limit = 2;
	leave(ask, "a");
	leave(ask, "b");
	eio_switch_begin(&sw);
	eio_switch_begin(&cancelled);
	expect_ok(eio_fork(&cancelled, ask, "c"));
	expect_ok(eio_fork(&sw, ask, "d"));
	expect_log("a:-125 b:-125");
	expect_err(eio_ll_in_thread(add_one, &n), 1);
	ck_assert_int_eq(value(&begun), 0);
	eio_switch_fail(&cancelled, -EIO);
	expect_err(eio_switch_end(&cancelled, 0), -EIO);
	expect_log("c:-125");
	sem_post(&go);
	wait_for(&freed);
	wait_for(&begun);
	sem_post(&go);
	sem_post(&go);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("d:0");
	return 0;
}

static int hang_and_return(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	leave(ask, "a");
	return 0;
}

/* It may come back in a later run, or when there is none. */
START_TEST(a_hung_look_up_outlives_the_run)
{
	reset();
	expect_ok(eio_run(NULL, hang_and_return, NULL));
	expect_ok(eio_run(NULL, hang_and_return, NULL));
	ck_assert_uint_eq(eio__lookups.n, 2);
	ck_assert_int_eq(value(&freed), 0);
	for (int i = 1; i <= 2; i++) {
		sem_post(&go);
		wait_for(&freed);
	}
	expect_ok(eio_run(NULL, hang_and_return, NULL));
	sem_post(&go);
	wait_for(&freed);
	expect_log("a:-125 a:-125 a:-125");
}
END_TEST

/* Nobody joins the thread. */
START_TEST(what_outlives_the_run_leaves_nothing_in_the_end)
{
	unsigned mappings = 0;

	reset();
	for (int i = 0; i < 12; i++) {
		expect_ok(eio_run(NULL, hang_and_return, NULL));
		sem_post(&go);
		wait_for(&freed);
		while (count_tasks() > 1 && !SANITIZED)
			usleep(100);
		if (i == 1)
			mappings = count_mappings();
	}
	if (!SANITIZED)
		ck_assert_uint_eq(count_mappings(), mappings);
	log_clear();
}
END_TEST

/* Cancelled or not, each answer is given to somebody or freed. */

enum { FIBERS = 20, CALLS = SANITIZED ? 100 : 500 };

static unsigned received;

static int ask_quickly(void *arg)
{
	struct addrinfo *list;
	int rc = eio_ll_getaddrinfo("fake-quick", NULL, NULL, &list);

	(void) arg;
	received += rc == 0;
	return rc;
}

static int ask_within_limits(void *arg)
{
	uint64_t seed = (uintptr_t) arg;

	for (int i = 0; i < CALLS; i++) {
		int64_t limit = (int64_t) (faults_random(&seed) % 60) * 1000;
		int rc = eio_timeout_run(env->mono_clock, limit, ask_quickly, NULL);

		ck_assert(rc == 0 || rc == -ETIMEDOUT);
	}
	return 0;
}

RING_TEST(no_answer_is_lost_under_stress)
{
	struct eio_switch sw;

	(void) arg;
	reset();
	eio__lookups.limit = 3;
	eio_switch_begin(&sw);
	for (uintptr_t i = 1; i <= FIBERS; i++)
		expect_ok(eio_fork(&sw, ask_within_limits, (void *) i));
	expect_ok(eio_switch_end(&sw, 0));
	/* When all threads are at something else, they are done with what was left to them. */
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, ask, "a"));
	for (int i = 0; i < 3; i++)
		wait_for(&begun);
	ck_assert_int_eq(value(&answered), (int) received + value(&freed));
	ck_assert_uint_eq(eio__lookups.abandoned, 0);
	for (int i = 0; i < 3; i++)
		sem_post(&go);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:0 a:0 a:0");
	return 0;
}

SUITE_MAIN("ll_resolve", true, numbers_are_found_test, host_service_and_hints_may_be_left_out_test,
	   hints_are_heeded_test, failures_are_the_resolvers_test, addresses_have_names_test,
	   names_that_do_not_fit_or_are_not_there_fail_test, without_a_ring_it_is_EPERM,
	   an_answer_that_comes_is_the_callers_test,
	   a_cancelled_look_up_returns_at_once_and_is_dropped_when_done_test,
	   hung_look_ups_are_in_nobody_elses_way_test,
	   beyond_the_limit_look_ups_wait_and_can_be_cancelled_test,
	   a_hung_look_up_outlives_the_run, what_outlives_the_run_leaves_nothing_in_the_end,
	   no_answer_is_lost_under_stress_test)
