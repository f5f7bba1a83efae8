/* SPDX-License-Identifier: ISC */
/*
 * Iterators of connections, readiness and ticks: multishot, and as the kernel that lacks it does
 * them.
 */
#include "base/lock.h"
#include "faults.h"
#include "support.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct faults faults;

static void turns(int n)
{
	for (; n > 0; n--)
		expect_ok(eio_ll_noop());
}

/* How the kernel is: it repeats; it does not; and it heeds O_NONBLOCK, too. */
enum kernel { NEW, OLD, OLDER, KERNELS };

static enum kernel kernel;

/* The next entry with this opcode is refused as such a kernel would. */
static void pretend(int opcode)
{
	faults.refuse.nth = kernel == NEW ? 0 : 1;
	faults.refuse.times = 1;
	faults.refuse.opcode = opcode;
	faults.refuse.err = -EINVAL;
}

/* On each kind of kernel. */
#define KERNEL_TEST(name)                                                                          \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		faults_install(&faults);                                                           \
		for (kernel = NEW; kernel < KERNELS; kernel++) {                                   \
			faults = (struct faults){.seed = 1};                                       \
			run_ring(name, 0);                                                         \
		}                                                                                  \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

/* Connections */

struct host {
	struct eio_switch sw;
	struct eio_fd listener;
	struct eio_addr addr;
	struct eio_ll_accepts it;
	unsigned made, seen;
};

static void knock(struct host *h, unsigned n)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&h->addr, &len);

	for (; n > 0; n--) {
		int s = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_ge(s, 0);
		ck_assert_int_eq(connect(s, sa, (socklen_t) len), 0);
		ck_assert_int_eq(write(s, &h->made, sizeof(h->made)), sizeof(h->made));
		h->made++;
		close(s);
	}
}

static void expect_next(struct host *h)
{
	struct eio_fd fd;
	unsigned n;

	expect_err(eio_ll_accepts_next(&h->it, &h->sw, &fd), 1);
	ck_assert_int_eq(fcntl(number(fd), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read(number(fd), &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, h->seen++);
	expect_ok(eio_fd_close(fd));
}

static void open_host(struct host *h, unsigned i)
{
	char at[64];

	memset(h, 0, sizeof(*h));
	snprintf(at, sizeof(at), "unix:@eio-ll-repeat-%d-%u", (int) getpid(), i);
	eio_switch_begin(&h->sw);
	h->listener = listen_on(&h->sw, at, &h->addr);
	ck_assert_int_eq(listen(number(h->listener), 4096), 0);
	if (kernel == OLDER)
		fcntl(number(h->listener), F_SETFL, O_NONBLOCK);
	pretend(IORING_OP_ACCEPT);
	expect_ok(eio_ll_accepts_begin(&h->it, h->listener));
	turns(1);
	if (kernel == OLDER) {
		faults.refuse.nth = 1;
		faults.refuse.err = -EAGAIN;
	}
}

static int close_host(struct host *h)
{
	expect_ok(eio_ll_accepts_end(&h->it));
	expect_err(eio_ll_accepts_end(&h->it), -EINVAL);
	return eio_switch_end(&h->sw, 0);
}

KERNEL_TEST(connections_come_in_order)
{
	struct host h;

	(void) arg;
	open_host(&h, 0);
	for (unsigned n = 0; n < 100; n += 9) {
		knock(&h, n);
		turns(n % 3);
		while (h.seen < h.made)
			expect_next(&h);
	}
	ck_assert_uint_eq(faults.refused, kernel);
	if (kernel == NEW) /* but for full queues one entry does it */
		ck_assert_uint_lt(faults.entries[IORING_OP_ACCEPT], 60);
	return close_host(&h);
}

static int next_and_tell(void *arg)
{
	struct host *h = arg;
	struct eio_fd fd;
	int rc = eio_ll_accepts_next(&h->it, &h->sw, &fd);

	note("%s", rc < 0 ? eio_err_name(rc) : "accepted");
	return 0;
}

KERNEL_TEST(a_connection_wakes_who_waits_and_a_cancelled_one_takes_none)
{
	struct eio_switch inner;
	struct host h;

	(void) arg;
	open_host(&h, 0);
	for (int i = 0; i < 4; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, next_and_tell, &h));
		turns(i);
		end_cancelled(&inner);
	}
	expect_log("ECANCELED ECANCELED ECANCELED ECANCELED");
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &h));
	turns(3);
	knock(&h, 1);
	note("knock");
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("knock accepted");
	return close_host(&h);
}

KERNEL_TEST(connections_nobody_took_are_closed)
{
	struct eio_switch gone;
	struct host h;
	struct eio_fd fd;
	unsigned fds;

	(void) arg;
	open_host(&h, 0);
	fds = count_fds();
	knock(&h, 40);
	turns(4);
	if (kernel == NEW)
		ck_assert_uint_eq(count_fds(), fds + 40);
	expect_next(&h);
	/* Nor is one taken for a switch that cannot have it. */
	eio_switch_begin(&gone);
	expect_ok(eio_switch_end(&gone, 0));
	expect_err(eio_ll_accepts_next(&h.it, &gone, &fd), -EINVAL);
	expect_next(&h);
	expect_ok(eio_ll_accepts_end(&h.it));
	turns(1);
	ck_assert_uint_eq(count_fds(), fds);
	return eio_switch_end(&h.sw, 0);
}

static void expect_refused(struct host *h)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&h->addr, &len);
	int s = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(s, sa, (socklen_t) len), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	close(s);
}

KERNEL_TEST(closing_the_listener_ends_it_after_what_came)
{
	struct eio_switch inner;
	struct eio_fd fd;
	struct host h;
	int unix_fd;

	(void) arg;
	/* While somebody waits. */
	open_host(&h, 0);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &h));
	turns(3);
	expect_ok(eio_ll_close_listener(h.listener));
	expect_refused(&h);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF");
	expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EBADF);
	expect_ok(close_host(&h));
	/* While nobody does: queued ones are still to be had. Of 40 its stop is under way or
	 * done. The port is free although nobody ends it. */
	for (unsigned n = 0; n <= 40; n += 20) {
		open_host(&h, n);
		unix_fd = number(h.listener);
		knock(&h, n);
		turns(n / 20);
		expect_ok(eio_ll_close_listener(h.listener));
		ck_assert(!is_open(unix_fd));
		expect_refused(&h);
		while (kernel == NEW && n && h.seen < h.made)
			expect_next(&h);
		while (kernel != NEW && eio_ll_accepts_next(&h.it, &h.sw, &fd) == 1)
			h.seen++;
		ck_assert_uint_le(h.seen, h.made);
		expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EBADF);
		expect_ok(close_host(&h));
	}
	/* It cannot begin after that, nor has it to be asked again. */
	expect_err(eio_ll_accepts_begin(&h.it, h.listener), -EBADF);
	return 0;
}

KERNEL_TEST(an_iterator_keeps_a_listener_whose_handle_is_closed)
{
	struct host h;
	int unix_fd;

	(void) arg;
	open_host(&h, 0);
	unix_fd = number(h.listener);
	expect_ok(eio_fd_close(h.listener));
	ck_assert(is_open(unix_fd));
	knock(&h, 1);
	expect_next(&h);
	expect_ok(eio_ll_accepts_end(&h.it));
	ck_assert(!is_open(unix_fd));
	return eio_switch_end(&h.sw, 0);
}

/* The begin has pinned the listener, and waits for a free entry, when it is closed. */
struct late {
	struct eio_fd listener;
	struct eio_ll_accepts it;
};

static int begin_late(void *arg)
{
	struct late *l = arg;
	int rc = eio_ll_accepts_begin(&l->it, l->listener);

	note("%s", rc < 0 ? eio_err_name(rc) : "begun");
	return 0;
}

static int noop(void *arg)
{
	(void) arg;
	return eio_ll_noop();
}

static int close_before_the_entry(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_addr addr;
	struct late l;

	(void) arg;
	eio_switch_begin(&sw);
	l.listener = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	faults.fail_enter.nth = 1;
	faults.fail_enter.times = 3;
	faults.fail_enter.err = -EBUSY;
	expect_ok(eio_fork(&inner, noop, NULL)); /* has the only entry */
	expect_ok(eio_fork(&inner, begin_late, &l));
	expect_ok(eio_ll_close_listener(l.listener));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF");
	return eio_switch_end(&sw, 0);
}

START_TEST(closing_the_listener_ends_one_that_is_about_to_begin)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, close_before_the_entry, 0);
}
END_TEST

/* The close's request is on its way when the iterator, which waits for nothing, ends. */
static int close_listener(void *arg)
{
	struct host *h = arg;

	expect_ok(eio_ll_close_listener(h->listener));
	note("closed");
	return 0;
}

RING_TEST(a_request_that_comes_after_the_end_is_taken_back)
{
	struct eio_switch inner;
	struct host h;

	(void) arg;
	kernel = NEW;
	open_host(&h, 0);
	knock(&h, 40);
	turns(4);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, close_listener, &h));
	expect_ok(eio_ll_accepts_end(&h.it));
	note("ended");
	memset(&h.it, 0xff, sizeof(h.it));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("ended closed");
	turns(2);
	return eio_switch_end(&h.sw, 0);
}

/* Failures are told, and it goes on. */
static int fail_once(void *arg)
{
	struct host h;
	struct eio_fd fd;

	(void) arg;
	open_host(&h, 0);
	knock(&h, 1);
	expect_next(&h);
	expect_ok(eio_ll_accepts_end(&h.it));
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_ACCEPT;
	faults.refuse.err = -EMFILE;
	expect_ok(eio_ll_accepts_begin(&h.it, h.listener));
	expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EMFILE);
	ck_assert_str_eq(eio_last_error()->op, "accept");
	knock(&h, 1);
	expect_next(&h);
	/* Somebody else's cancellation, and what is passed over. */
	faults.refuse.nth = 0;
	expect_ok(eio_ll_accepts_end(&h.it));
	faults.refuse.nth = 1;
	faults.refuse.err = -ECANCELED;
	expect_ok(eio_ll_accepts_begin(&h.it, h.listener));
	expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EIO);
	faults.refuse.nth = 1;
	faults.refuse.err = -EINTR;
	knock(&h, 1);
	expect_next(&h);
	return close_host(&h);
}

START_TEST(a_failure_is_told_and_the_next_call_goes_on)
{
	kernel = NEW;
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(fail_once, 0);
}
END_TEST

/* -EINVAL of a kernel that has repeated before is a failure like another. */
static int stop_listening(void *arg)
{
	struct host h;
	struct eio_fd fd;

	(void) arg;
	memset(&h, 0, sizeof(h));
	eio_switch_begin(&h.sw);
	h.listener = listen_on(&h.sw, "127.0.0.1:0", &h.addr);
	expect_ok(eio_ll_accepts_begin(&h.it, h.listener));
	knock(&h, 1);
	expect_next(&h);
	turns(1);
	ck_assert_int_eq(shutdown(number(h.listener), SHUT_RDWR), 0);
	expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EINVAL);
	ck_assert_uint_eq(faults.entries[IORING_OP_ACCEPT], 1);
	return close_host(&h);
}

START_TEST(a_kernel_that_has_repeated_goes_on_to)
{
	kernel = NEW;
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(stop_listening, 0);
}
END_TEST

RING_TEST(what_does_not_listen_is_EINVAL_each_time)
{
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_ll_accepts it;
	struct eio_fd fd, got;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_addr_parse(&addr, "127.0.0.1:0"));
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &fd));
	expect_ok(eio_ll_accepts_begin(&it, fd));
	for (int i = 0; i < 3; i++)
		expect_err(eio_ll_accepts_next(&it, NULL, &got), -EINVAL);
	expect_ok(eio_ll_accepts_end(&it));
	expect_ok(eio_ll_listen(fd, 1));
	return eio_switch_end(&sw, 0);
}

/* More completions than the kernel's queue holds. */
enum { HOSTS = 8, CALLERS = 600 };

RING_TEST(connections_survive_a_full_completion_queue)
{
	struct rlimit files = {HOSTS * CALLERS * 2, HOSTS * CALLERS * 2};
	static struct host hosts[HOSTS];

	(void) arg;
	kernel = NEW;
	if (SANITIZED || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	for (unsigned i = 0; i < HOSTS; i++)
		open_host(&hosts[i], i);
	for (unsigned i = 0; i < HOSTS; i++)
		knock(&hosts[i], CALLERS);
	turns(1);
	for (unsigned i = HOSTS; i > 0; i--) {
		while (hosts[i - 1].seen < CALLERS)
			expect_next(&hosts[i - 1]);
	}
	for (unsigned i = HOSTS; i > 0; i--)
		expect_ok(close_host(&hosts[i - 1]));
	return 0;
}

/* Two domains: one takes connections, the other closes the listener, at any moment. */
enum { ROUNDS = SANITIZED ? 100 : 400 };

static struct {
	struct eio_fd listener;
	struct eio_addr addr;
	unsigned up, ready, done; /* rounds */
	int rc;
	bool waits; /* or it looks only when the listener has been closed */
} shared;

static void set(unsigned *word, unsigned value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void await(unsigned *word, unsigned value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) < value)
		sched_yield();
}

static int take_until_closed(void)
{
	struct eio_ll_accepts it;
	struct eio_fd fd;
	int rc = eio_ll_accepts_begin(&it, shared.listener);

	if (rc < 0)
		return rc;
	while (!shared.waits && eio_fd_is_open(shared.listener))
		eio_ll_noop();
	while ((rc = eio_ll_accepts_next(&it, NULL, &fd)) == 1)
		eio_fd_close(fd);
	expect_ok(eio_ll_accepts_end(&it));
	return rc;
}

static int accept_elsewhere(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	set(&shared.up, 1);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		await(&shared.ready, i);
		shared.rc = take_until_closed();
		set(&shared.done, i);
	}
	await(&shared.ready, ROUNDS + 1); /* with its ring open until then */
	return 0;
}

static void *accepting_domain(void *arg)
{
	expect_ok(eio_run(NULL, accept_elsewhere, arg));
	return NULL;
}

static int close_listeners(void *arg)
{
	struct host h;
	pthread_t t;

	(void) arg;
	ck_assert_int_eq(pthread_create(&t, NULL, accepting_domain, NULL), 0);
	await(&shared.up, 1);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		unsigned before;

		memset(&h, 0, sizeof(h));
		eio_switch_begin(&h.sw);
		h.listener = listen_on(&h.sw, "127.0.0.1:0", &h.addr);
		before = count_fds();
		shared.listener = h.listener;
		shared.waits = i % 2;
		set(&shared.ready, i);
		for (unsigned spin = 0; spin < i * 16 % 4096; spin++)
			eio__cpu_relax();
		knock(&h, i % 4);
		expect_ok(eio_ll_close_listener(h.listener));
		expect_refused(&h);
		await(&shared.done, i);
		expect_err(shared.rc, -EBADF);
		expect_ok(eio_switch_end(&h.sw, 0));
		ck_assert_uint_eq(count_fds(), before - 1);
	}
	set(&shared.ready, ROUNDS + 1);
	pthread_join(t, NULL);
	return 0;
}

START_TEST(closing_a_listener_ends_the_iterators_of_other_domains)
{
	warm_up_threads(2);
	run_ring(close_listeners, 0);
}
END_TEST

/* From a thread without a domain nobody waits: the iterator, in a poll, closes the number. */
static int close_plainly(void *arg)
{
	return eio_ll_close_listener(*(struct eio_fd *) arg);
}

RING_TEST(a_listener_closed_by_a_plain_thread_is_closed_by_its_last_user)
{
	struct eio_fd fd;
	struct host h;
	int unix_fd;

	(void) arg;
	kernel = NEW;
	open_host(&h, 0);
	unix_fd = number(h.listener);
	turns(1);
	expect_ok(on_plain_thread(close_plainly, &h.listener));
	ck_assert(is_open(unix_fd));
	turns(3);
	ck_assert(!is_open(unix_fd));
	expect_err(eio_ll_accepts_next(&h.it, NULL, &fd), -EBADF);
	return close_host(&h);
}

/* Readiness */

static int poll_and_tell(void *arg)
{
	unsigned events;
	int rc = eio_ll_polls_next(arg, &events);

	note("%s %x", rc < 0 ? eio_err_name(rc) : "polled", rc < 0 ? 0 : events);
	return 0;
}

static int watch_one(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_ll_polls it;
	struct eio_fd a, z;
	unsigned events;
	char b[8];

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_ok(eio_ll_polls_begin(&it, a, POLLIN | POLLRDHUP));
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, poll_and_tell, &it));
		turns(3);
		note("write");
		ck_assert_int_eq(write(number(z), "x", 1), 1);
		expect_ok(eio_switch_end(&inner, 0));
		expect_log("write polled 1");
		ck_assert_int_eq(read(number(a), b, sizeof(b)), 1);
	}
	/* Cancelled; what comes meanwhile is the next one's, all in one. */
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, poll_and_tell, &it));
	turns(2);
	end_cancelled(&inner);
	expect_log("ECANCELED 0");
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(write(number(z), "x", 1), 1);
		turns(1);
	}
	ck_assert_int_eq(shutdown(number(z), SHUT_WR), 0);
	turns(1);
	expect_err(eio_ll_polls_next(&it, &events), 1);
	ck_assert_uint_eq(events, POLLIN | POLLRDHUP);
	ck_assert_uint_eq(faults.entries[IORING_OP_ASYNC_CANCEL], 0);
	expect_ok(eio_ll_polls_end(&it));
	expect_err(eio_ll_polls_end(&it), -EINVAL);
	expect_err(eio_ll_polls_begin(&it, (struct eio_fd){0, 0}, POLLIN), -EBADF);
	/* A failure is one each time. */
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_POLL_ADD;
	faults.refuse.err = -EINVAL;
	expect_ok(eio_ll_polls_begin(&it, a, POLLIN));
	expect_err(eio_ll_polls_next(&it, &events), -EINVAL);
	expect_err(eio_ll_polls_next(&it, &events), 1);
	expect_ok(eio_ll_polls_end(&it));
	return eio_switch_end(&sw, 0);
}

START_TEST(readiness_is_told_each_time_and_gathered)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(watch_one, 0);
}
END_TEST

RING_TEST(what_is_over_when_it_is_told_is_told_too)
{
	struct eio_ll_polls it;
	struct eio_switch sw;
	struct eio_fd a, z;
	char b[4096] = "";
	unsigned events;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	while (send(number(a), b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	expect_ok(eio_ll_polls_begin(&it, a, POLLIN | POLLOUT));
	turns(1);
	ck_assert_int_eq(write(number(z), "x", 1), 1);
	turns(2);
	ck_assert_int_eq(read(number(a), b, 1), 1);
	while (recv(number(z), b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	turns(2);
	expect_err(eio_ll_polls_next(&it, &events), 1);
	ck_assert_uint_eq(events, POLLIN | POLLOUT);
	expect_ok(eio_ll_polls_end(&it));
	return eio_switch_end(&sw, 0);
}

/* Ticks */

static int tick_and_tell(void *arg)
{
	int rc = eio_ll_ticks_next(arg);

	note("%s", rc < 0 ? eio_err_name(rc) : "tick");
	return 0;
}

KERNEL_TEST(ticks_come_again_and_again)
{
	struct eio_ll_ticks it;
	struct eio_switch inner;
	int64_t start, n = 0;

	(void) arg;
	expect_err(eio_ll_ticks_begin(&it, 0), -EINVAL);
	expect_err(eio_ll_ticks_begin(&it, -1), -EINVAL);
	pretend(IORING_OP_TIMEOUT);
	start = eio_now_ns(env->mono_clock);
	expect_ok(eio_ll_ticks_begin(&it, 100000));
	while (n < 50) {
		int got = eio_ll_ticks_next(&it);

		ck_assert_int_ge(got, 1);
		n += got;
	}
	ck_assert_int_ge(eio_now_ns(env->mono_clock) - start, n * 100000);
	ck_assert_uint_eq(faults.refused, kernel != NEW);
	if (kernel == NEW) {
		ck_assert_uint_eq(faults.entries[IORING_OP_TIMEOUT], 1);
		/* Those that come while nobody asks are counted. */
		for (n = 1; n == 1; n = eio_ll_ticks_next(&it))
			expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
		ck_assert_int_gt(n, 1);
	}
	expect_ok(eio_ll_ticks_end(&it));
	expect_err(eio_ll_ticks_end(&it), -EINVAL);
	/* Cancelled while it waits. */
	expect_ok(eio_ll_ticks_begin(&it, EIO_SEC(1000)));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, tick_and_tell, &it));
	turns(2);
	end_cancelled(&inner);
	expect_log("ECANCELED");
	expect_ok(eio_ll_ticks_end(&it));
	return 0;
}

/* Whenever the domain polls, the timer has gone off, and is found by no request to cancel. */
struct busy {
	bool done;
	int turns;
};

static int be_busy(void *arg)
{
	struct busy *b = arg;

	for (; !b->done && b->turns < 200; b->turns++) {
		int64_t end = eio_now_ns(env->mono_clock) + EIO_MS(5);

		while (eio_now_ns(env->mono_clock) < end)
			;
		turns(1);
	}
	return 0;
}

RING_TEST(ticks_end_in_a_domain_that_is_busy_for_longer_than_their_period)
{
	struct busy b = {.done = false};
	struct eio_ll_ticks it;
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_ll_ticks_begin(&it, EIO_MS(2)));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, be_busy, &b));
	ck_assert_int_ge(eio_ll_ticks_next(&it), 1);
	expect_ok(eio_ll_ticks_end(&it));
	b.done = true;
	ck_assert_int_lt(b.turns, 50);
	return eio_switch_end(&sw, 0);
}

RING_TEST(ticks_of_a_nanosecond_end)
{
	struct eio_ll_ticks it;

	(void) arg;
	expect_ok(eio_ll_ticks_begin(&it, 1));
	for (int i = 0; i < 100; i++)
		ck_assert_int_ge(eio_ll_ticks_next(&it), 1);
	return eio_ll_ticks_end(&it);
}

SUITE_MAIN("ll_repeat", true, connections_come_in_order_test,
	   a_connection_wakes_who_waits_and_a_cancelled_one_takes_none_test,
	   connections_nobody_took_are_closed_test,
	   closing_the_listener_ends_it_after_what_came_test,
	   an_iterator_keeps_a_listener_whose_handle_is_closed_test,
	   closing_the_listener_ends_one_that_is_about_to_begin,
	   a_request_that_comes_after_the_end_is_taken_back_test,
	   a_kernel_that_has_repeated_goes_on_to, a_failure_is_told_and_the_next_call_goes_on,
	   what_does_not_listen_is_EINVAL_each_time_test,
	   connections_survive_a_full_completion_queue_test,
	   closing_a_listener_ends_the_iterators_of_other_domains,
	   a_listener_closed_by_a_plain_thread_is_closed_by_its_last_user_test,
	   readiness_is_told_each_time_and_gathered, what_is_over_when_it_is_told_is_told_too_test,
	   ticks_come_again_and_again_test,
	   ticks_end_in_a_domain_that_is_busy_for_longer_than_their_period_test,
	   ticks_of_a_nanosecond_end_test)
