/* SPDX-License-Identifier: ISC */
/*
 * Iterators of multishot operations: any operation, connections, readiness, ticks.
 */
#include "core/dump.h"
#include "core/fiber.h"
#include "faults.h"
#include "support.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct faults faults;

static void turns(int n)
{
	for (; n > 0; n--)
		expect_ok(eio_ll_noop());
}

/* Connections that carry numbers: results that can be told from each other */

struct numbered {
	struct eio_switch sw;
	struct eio_fd listener;
	struct eio_addr addr;
	struct eio_ll_multi m;
	struct eio_ll_result queue[8];
	unsigned made, seen;
	unsigned disposed;
};

static void knock(struct numbered *x, unsigned n)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&x->addr, &len);

	for (; n > 0; n--) {
		int s = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_ge(s, 0);
		ck_assert_int_eq(connect(s, sa, (socklen_t) len), 0);
		ck_assert_int_eq(write(s, &x->made, sizeof(x->made)), sizeof(x->made));
		x->made++;
		close(s);
	}
}

/* The number that came by the connection, which is closed. */
static unsigned number_of(int unix_fd)
{
	unsigned n;

	ck_assert_int_eq(read(unix_fd, &n, sizeof(n)), sizeof(n));
	close(unix_fd);
	return n;
}

static void dispose_numbered(int res, unsigned flags, void *arg)
{
	struct numbered *x = arg;

	(void) flags;
	ck_assert_uint_eq(number_of(res), x->seen++);
	x->disposed++;
}

static void listen_numbered(struct numbered *x)
{
	char at[64];

	memset(x, 0, sizeof(*x));
	snprintf(at, sizeof(at), "unix:@eio-ll-multi-%d", (int) getpid());
	eio_switch_begin(&x->sw);
	x->listener = listen_on(&x->sw, at, &x->addr);
	ck_assert_int_eq(listen(number(x->listener), 4096), 0);
}

static void begin_numbered(struct numbered *x, unsigned cap)
{
	struct io_uring_sqe sqe;

	listen_numbered(x);
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_multishot_accept(&sqe, number(x->listener), NULL, NULL, SOCK_CLOEXEC);
	expect_ok(eio_ll_multi_begin(&x->m, &sqe, x->queue, cap, dispose_numbered, x));
}

static void take_numbered(struct numbered *x, unsigned n)
{
	unsigned flags;
	int res;

	for (; n > 0; n--) {
		expect_err(eio_ll_multi_next(&x->m, &res, &flags), 1);
		ck_assert_int_ge(res, 0);
		ck_assert_uint_eq(number_of(res), x->seen++);
	}
}

static int end_numbered(struct numbered *x)
{
	expect_ok(eio_ll_multi_end(&x->m));
	ck_assert_uint_eq(x->seen, x->made);
	expect_err(eio_ll_multi_end(&x->m), -EINVAL);
	return eio_switch_end(&x->sw, 0);
}

static int take_and_tell(void *arg)
{
	struct numbered *x = arg;

	for (int i = 0; i < 3; i++) {
		take_numbered(x, 1);
		note("took %u", x->seen);
	}
	return 0;
}

RING_TEST(results_come_in_order_and_wake_who_waits)
{
	struct numbered x;

	(void) arg;
	begin_numbered(&x, 4);
	expect_ok(eio_fork(&x.sw, take_and_tell, &x));
	for (int i = 0; i < 3; i++) {
		note("knock");
		knock(&x, 1);
		turns(2);
	}
	expect_log("knock took 1 knock took 2 knock took 3");
	return end_numbered(&x);
}

static int fill_and_drain(void *arg)
{
	struct numbered x;
	unsigned flags;
	int res;

	(void) arg;
	begin_numbered(&x, 2);
	knock(&x, 1);
	turns(2);
	ck_assert_uint_eq(faults.entries[IORING_OP_ASYNC_CANCEL], 0);
	knock(&x, 1);
	turns(3);
	ck_assert_uint_eq(faults.entries[IORING_OP_ASYNC_CANCEL], 1);
	/* Stopped: what comes now is the listener's. */
	knock(&x, 3);
	turns(3);
	take_numbered(&x, 1);
	turns(3);
	ck_assert_uint_eq(faults.entries[IORING_OP_ACCEPT], 1);
	take_numbered(&x, 1);
	take_numbered(&x, 3);
	ck_assert_uint_eq(faults.entries[IORING_OP_ACCEPT], 2);
	/* The stop itself was no result, and the operation goes on. */
	knock(&x, 1);
	expect_err(eio_ll_multi_next(&x.m, &res, &flags), 1);
	ck_assert_uint_eq(number_of(res), x.seen++);
	return end_numbered(&x);
}

START_TEST(a_full_queue_stops_the_kernel_and_an_empty_one_starts_it)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(fill_and_drain, 0);
}
END_TEST

RING_TEST(what_comes_before_the_stop_takes_effect_is_kept_in_order)
{
	struct numbered x;

	(void) arg;
	for (unsigned cap = 1; cap <= 8; cap++) {
		begin_numbered(&x, cap);
		knock(&x, 200); /* at once */
		turns(3);
		take_numbered(&x, 150);
		knock(&x, 10);
		take_numbered(&x, 60);
		ck_assert_uint_eq(x.disposed, 0);
		expect_ok(end_numbered(&x));
	}
	return 0;
}

static int ten_thousand(void *arg)
{
	uint64_t seed = 4;
	struct numbered x;

	(void) arg;
	begin_numbered(&x, 4);
	while (x.seen < 10000) {
		knock(&x, (unsigned) (faults_random(&seed) % 12));
		turns((int) (faults_random(&seed) % 3));
		take_numbered(&x, (unsigned) (faults_random(&seed) % (x.made - x.seen + 1)));
	}
	return end_numbered(&x);
}

START_TEST(ten_thousand_results_pass_a_queue_of_four)
{
	faults_install(&faults);
	faults = (struct faults){.seed = 1};
	run_ring(ten_thousand, 0);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, ten_thousand, 0);
	faults = (struct faults){.seed = 2, .reorder = 256, .eintr = 32, .ebusy = 32, .deaf = 64};
	run_ring(ten_thousand, 0);
}
END_TEST

RING_TEST(the_end_disposes_of_what_nobody_took)
{
	struct numbered x;

	(void) arg;
	for (unsigned n = 0; n < 30; n += 7) {
		begin_numbered(&x, 4);
		knock(&x, n);
		turns(n % 2 ? 3 : 0);
		if (n > 7)
			take_numbered(&x, 3);
		expect_ok(eio_ll_multi_end(&x.m));
		ck_assert_uint_eq(x.disposed, x.seen - (n > 7 ? 3 : 0));
		if (n % 2)
			ck_assert_uint_eq(x.seen, n > 4 ? n : 0);
		/* What was not accepted is the listener's. */
		expect_ok(eio_switch_end(&x.sw, 0));
	}
	return 0;
}

RING_TEST(results_for_which_there_is_no_memory_are_disposed_of_and_told)
{
	struct numbered x;
	unsigned flags;
	int res;

	(void) arg;
	if (SANITIZED)
		return 0;
	begin_numbered(&x, 4);
	knock(&x, 20);
	x.seen = 4; /* which are in the queue, the others are disposed of as they come */
	use_memory_up(512);
	turns(3);
	give_memory_back();
	ck_assert_uint_eq(x.disposed, 16);
	x.seen = 0;
	take_numbered(&x, 4);
	expect_err(eio_ll_multi_next(&x.m, &res, &flags), -ENOMEM);
	x.seen = 20;
	knock(&x, 1);
	take_numbered(&x, 1);
	return end_numbered(&x);
}

/* Ends */

RING_TEST(the_kernels_own_end_is_a_result_and_then_it_has_ended)
{
	struct io_uring_sqe sqe;
	struct eio_ll_result queue[2];
	struct eio_ll_multi m;
	struct eio_switch sw;
	struct eio_fd r, w;
	unsigned flags;
	int res;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	/* A failure. */
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_multishot_accept(&sqe, number(r), NULL, NULL, 0);
	expect_ok(eio_ll_multi_begin(&m, &sqe, queue, 2, NULL, NULL));
	expect_err(eio_ll_multi_next(&m, &res, &flags), 1);
	ck_assert_int_eq(res, -ENOTSOCK);
	ck_assert_uint_eq(flags & IORING_CQE_F_MORE, 0);
	expect_ok(eio_ll_multi_next(&m, &res, &flags));
	expect_ok(eio_ll_multi_next(&m, &res, &flags));
	expect_ok(eio_ll_multi_end(&m));
	/* Somebody else's cancellation. */
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_poll_multishot(&sqe, number(r), POLLIN);
	expect_ok(eio_ll_multi_begin(&m, &sqe, queue, 2, NULL, NULL));
	turns(1);
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_cancel_fd(&sqe, number(r), 0);
	expect_ok(eio_ll_await(&sqe));
	expect_err(eio_ll_multi_next(&m, &res, &flags), 1);
	ck_assert_int_eq(res, -ECANCELED);
	expect_ok(eio_ll_multi_next(&m, &res, &flags));
	expect_ok(eio_ll_multi_end(&m));
	/* Of one that does not repeat. */
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_nop(&sqe);
	expect_ok(eio_ll_multi_begin(&m, &sqe, queue, 1, NULL, NULL));
	expect_err(eio_ll_multi_next(&m, &res, &flags), 1);
	expect_ok(res);
	expect_ok(eio_ll_multi_next(&m, &res, &flags));
	expect_ok(eio_ll_multi_end(&m));
	return eio_switch_end(&sw, 0);
}

static int end_and_tell(void *arg)
{
	expect_ok(eio_ll_multi_end(arg));
	note("ended");
	return 0;
}

static int end_unheard(void *arg)
{
	struct eio_switch sw, inner;
	struct numbered x;

	(void) arg;
	begin_numbered(&x, 4);
	turns(1);
	eio_switch_begin(&sw);
	eio_switch_begin(&inner);
	faults.deaf = 256;
	expect_ok(eio_fork(&inner, end_and_tell, &x.m));
	turns(3);
	knock(&x, 1); /* which wakes it, but is not the final completion */
	turns(300);
	expect_log("");
	ck_assert_uint_gt(faults.deafened, 1);
	faults.deaf = 0;
	eio_switch_fail(&inner, -EIO); /* an end is not cancelled */
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("ended");
	ck_assert_uint_eq(x.disposed, 1);
	expect_ok(eio_switch_end(&sw, 0));
	return eio_switch_end(&x.sw, 0);
}

START_TEST(the_end_asks_until_it_is_heard_and_is_not_cancelled)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(end_unheard, 0);
}
END_TEST

static int main_forgets(struct eio_env *e, void *arg)
{
	static struct eio_ll_result queue[1];
	static struct eio_ll_multi m;
	struct io_uring_sqe sqe;

	(void) e, (void) arg;
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_poll_multishot(&sqe, 0, POLLIN);
	return eio_ll_multi_begin(&m, &sqe, queue, 1, NULL, NULL);
}

static void run_forgetful(void *arg)
{
	eio_run(NULL, main_forgets, arg);
}

START_TEST(a_domain_that_ends_with_one_begun_aborts)
{
	expect_death(run_forgetful, NULL, SIGABRT, "before the end of 1 multishot operations");
}
END_TEST

/* Cancelling the consumer */

static int next_and_tell(void *arg)
{
	struct numbered *x = arg;
	unsigned flags;
	int res, rc = eio_ll_multi_next(&x->m, &res, &flags);

	if (rc == 1)
		ck_assert_uint_eq(number_of(res), x->seen++);
	note("%s", rc < 0 ? eio_err_name(rc) : "took");
	return 0;
}

RING_TEST(a_cancelled_next_takes_nothing)
{
	struct eio_switch inner;
	struct eio_cancel c;
	struct numbered x;

	(void) arg;
	begin_numbered(&x, 4);
	/* Before, with and without a result. */
	for (int i = 0; i < 2; i++) {
		eio_cancel_begin(&c);
		eio_cancel_raise(&c, -EIO);
		next_and_tell(&x);
		eio_cancel_end(&c);
		knock(&x, 1);
		turns(2);
	}
	expect_log("ECANCELED ECANCELED");
	take_numbered(&x, 2);
	/* While it waits. */
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &x));
	turns(2);
	end_cancelled(&inner);
	expect_log("ECANCELED");
	/* And then a result, in the same round: it is the next one's. */
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &x));
	turns(2);
	eio_switch_fail(&inner, -EIO);
	knock(&x, 1);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("ECANCELED");
	expect_ok(next_and_tell(&x));
	expect_log("took");
	return end_numbered(&x);
}

/* A neighbour that is woken by the same reaping, before it, cancels it. */
struct neighbour {
	struct eio_fd r;
	struct eio_switch *sw;
};

static int cancel_when_woken(void *arg)
{
	struct neighbour *n = arg;
	char b;

	expect_err(eio_ll_read(n->r, &b, 1, EIO_CURRENT), 1);
	note("neighbour");
	eio_switch_fail(n->sw, -EIO);
	return 0;
}

RING_TEST(a_result_that_woke_the_caller_wins)
{
	struct eio_switch inner;
	struct neighbour n = {.sw = &inner};
	struct numbered x;
	struct eio_fd w;

	(void) arg;
	begin_numbered(&x, 4);
	pipe_on(&x.sw, &n.r, &w);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&x.sw, cancel_when_woken, &n));
	expect_ok(eio_fork(&inner, next_and_tell, &x));
	turns(2);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	knock(&x, 1);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("neighbour took");
	return end_numbered(&x);
}

/* Who may not */

static struct numbered *others;

static int call_from_elsewhere(void *arg)
{
	unsigned flags;
	int res;

	(void) arg;
	expect_err(eio_ll_multi_next(&others->m, &res, &flags), -EPERM);
	expect_err(eio_ll_multi_end(&others->m), -EPERM);
	return 0;
}

static int call_from_other_ring(struct eio_env *e, void *arg)
{
	(void) e;
	return call_from_elsewhere(arg);
}

static int run_other_ring(void *arg)
{
	return eio_run(NULL, call_from_other_ring, arg);
}

static int begin_without_domain(void *arg)
{
	struct eio_ll_result queue[1];
	struct io_uring_sqe sqe = {0};
	struct eio_ll_accepts a;
	struct eio_ll_ticks t;

	expect_err(eio_ll_multi_begin(arg, &sqe, queue, 1, NULL, NULL), -EPERM);
	expect_err(eio_ll_ticks_begin(&t, 1), -EPERM);
	expect_err(eio_ll_accepts_begin(&a, others->listener), -EPERM);
	return 0;
}

RING_TEST(misuse_is_told)
{
	static const unsigned char refused[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK, IOSQE_IO_DRAIN,
						IOSQE_CQE_SKIP_SUCCESS};
	struct eio_ll_result queue[1];
	struct io_uring_sqe sqe;
	struct eio_ll_multi m;
	struct eio_switch inner;
	struct eio_cancel c;
	struct numbered x;
	unsigned flags;
	int res;

	(void) arg;
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_nop(&sqe);
	expect_err(eio_ll_multi_begin(&m, &sqe, queue, 0, NULL, NULL), -EINVAL);
	for (unsigned i = 0; i < sizeof(refused); i++) {
		sqe.flags = refused[i];
		expect_err(eio_ll_multi_begin(&m, &sqe, queue, 1, NULL, NULL), -EINVAL);
	}
	sqe.flags = 0;
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(eio_ll_multi_begin(&m, &sqe, queue, 1, NULL, NULL), -ECANCELED);
	eio_cancel_end(&c);
	expect_err(eio_ll_multi_next(&m, &res, &flags), -EINVAL);
	expect_err(eio_ll_multi_end(&m), -EINVAL);

	begin_numbered(&x, 4);
	others = &x;
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &x));
	expect_err(eio_ll_multi_next(&x.m, &res, &flags), -EBUSY);
	expect_err(eio_ll_multi_end(&x.m), -EBUSY);
	expect_ok(on_plain_thread(call_from_elsewhere, NULL));
	expect_ok(in_other_domain(call_from_elsewhere, NULL));
	expect_ok(on_plain_thread(run_other_ring, NULL));
	expect_ok(on_plain_thread(begin_without_domain, &m));
	knock(&x, 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("took");
	return end_numbered(&x);
}

RING_TEST(a_dump_tells_what_it_waits_for)
{
	struct eio__text text = {0};
	struct eio_switch inner;
	struct numbered x;
	char want[64];

	(void) arg;
	begin_numbered(&x, 4);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, next_and_tell, &x));
	eio__dump_domain(&text, eio__domain_self());
	snprintf(want, sizeof(want), "accept on fd %d, multishot", number(x.listener));
	ck_assert_msg(strstr(text.data, want), "%s", text.data);
	eio__text_free(&text);
	end_cancelled(&inner);
	expect_log("ECANCELED");
	return end_numbered(&x);
}

/* With no room for its entries: one of a tiny queue is taken when it begins, starts anew and
 * ends. */
static int begin_crowded(void *arg)
{
	struct numbered x;

	(void) arg;
	begin_numbered(&x, 1);
	for (int i = 0; i < 50; i++) {
		faults.fail_enter.nth = 1;
		faults.fail_enter.times = 3;
		faults.fail_enter.err = -EBUSY;
		knock(&x, 2);
		take_numbered(&x, 2);
	}
	faults.fail_enter.nth = 1;
	return end_numbered(&x);
}

START_TEST(a_queue_without_room_is_waited_for)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, begin_crowded, 0);
	ck_assert_uint_gt(faults.failed_enters, 100);
}
END_TEST

/* Others take each entry as soon as it is free: the stop gets one all the same. */
static int be_busy(void *arg)
{
	bool *over = arg;

	while (!*over)
		expect_ok(eio_ll_noop());
	return 0;
}

static int stop_crowded(void *arg)
{
	struct eio_switch inner;
	struct numbered x;
	bool over = false;

	(void) arg;
	begin_numbered(&x, 1);
	turns(1);
	eio_switch_begin(&inner);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_fork(&inner, be_busy, &over));
	knock(&x, 1);
	for (int i = 0; i < 50 && !faults.entries[IORING_OP_ASYNC_CANCEL]; i++)
		turns(1);
	ck_assert_uint_eq(faults.entries[IORING_OP_ASYNC_CANCEL], 1);
	over = true;
	expect_ok(eio_switch_end(&inner, 0));
	take_numbered(&x, 1);
	return end_numbered(&x);
}

START_TEST(a_stop_gets_an_entry_before_the_fibers_do)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, stop_crowded, 0);
}
END_TEST

SUITE_MAIN("ll_multi", true, results_come_in_order_and_wake_who_waits_test,
	   a_full_queue_stops_the_kernel_and_an_empty_one_starts_it,
	   what_comes_before_the_stop_takes_effect_is_kept_in_order_test,
	   ten_thousand_results_pass_a_queue_of_four, the_end_disposes_of_what_nobody_took_test,
	   results_for_which_there_is_no_memory_are_disposed_of_and_told_test,
	   the_kernels_own_end_is_a_result_and_then_it_has_ended_test,
	   the_end_asks_until_it_is_heard_and_is_not_cancelled,
	   a_domain_that_ends_with_one_begun_aborts, a_cancelled_next_takes_nothing_test,
	   a_result_that_woke_the_caller_wins_test, misuse_is_told_test,
	   a_dump_tells_what_it_waits_for_test, a_queue_without_room_is_waited_for,
	   a_stop_gets_an_entry_before_the_fibers_do)
