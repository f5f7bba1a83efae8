/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "uring/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IORING_CQE_F_SOCK_NONEMPTY
#define IORING_CQE_F_SOCK_NONEMPTY (1U << 2)
#endif

/* One operation */

RING_TEST(await_runs_what_was_prepared)
{
	struct eio_switch sw;
	struct io_uring_sqe *sqe;
	struct eio_fd r, w;
	char b[4] = "";

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	sqe = eio_ll_sqe();
	io_uring_prep_write(sqe, number(w), "abc", 3, -1);
	expect_err(eio_ll_await(sqe), 3);
	sqe = eio_ll_sqe();
	io_uring_prep_read(sqe, number(r), b, sizeof(b), -1);
	expect_err(eio_ll_await(sqe), 3);
	ck_assert_str_eq(b, "abc");
	return eio_switch_end(&sw, 0);
}

RING_TEST(await_gives_the_kernels_code)
{
	struct io_uring_sqe sqe;
	char b;

	(void) arg;
	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_read(&sqe, -1, &b, 1, 0);
	expect_err(eio_ll_await(&sqe), -EBADF);
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = 250;
	expect_err(eio_ll_await(&sqe), -EINVAL);
	return 0;
}

static struct faults odd;

static int kernels_own_cancel(void *arg)
{
	struct io_uring_sqe sqe;

	(void) arg;
	odd.refuse.nth = 1;
	odd.refuse.opcode = IORING_OP_NOP;
	odd.refuse.err = -ECANCELED;
	memset(&sqe, 0, sizeof(sqe));
	expect_err(eio_ll_await(&sqe), -ECANCELED);
	/* The calls of the library say so only to who was cancelled. */
	odd.refuse.nth = 1;
	expect_err(eio_ll_noop(), -EIO);
	ck_assert_uint_eq(odd.refused, 2);
	return 0;
}

START_TEST(an_ECANCELED_nobody_asked_for_is_passed_on_by_await_alone)
{
	faults_install(&odd);
	run_ring(kernels_own_cancel, 0);
}
END_TEST

RING_TEST(await_cqe_gives_flags_and_keeps_user_data_to_itself)
{
	struct io_uring_cqe cqe = {.user_data = 77};
	struct io_uring_sqe *sqe;
	struct eio_switch sw;
	struct eio_fd a, z;
	char b[4];

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	ck_assert_int_eq(write(number(a), "abcd", 4), 4);
	sqe = eio_ll_sqe();
	io_uring_prep_recv(sqe, number(z), b, 2, 0);
	sqe->user_data = 1234;
	expect_err(eio_ll_await_cqe(sqe, &cqe), 2);
	ck_assert_int_eq(cqe.res, 2);
	ck_assert_uint_eq(cqe.user_data, 0);
	ck_assert_uint_eq(cqe.flags, IORING_CQE_F_SOCK_NONEMPTY);
	sqe = eio_ll_sqe();
	io_uring_prep_recv(sqe, number(z), b, 2, 0);
	expect_err(eio_ll_await_cqe(sqe, &cqe), 2);
	ck_assert_uint_eq(cqe.flags, 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(what_cannot_be_awaited_is_refused)
{
	static const unsigned alone[] = {IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_LINK, IOSQE_IO_HARDLINK};
	struct io_uring_cqe cqe;
	struct io_uring_sqe sqe;
	int result;

	(void) arg;
	for (unsigned i = 0; i < 3; i++) {
		memset(&sqe, 0, sizeof(sqe));
		io_uring_prep_nop(&sqe);
		sqe.flags = (uint8_t) alone[i];
		expect_err(eio_ll_await(&sqe), -EINVAL);
		expect_err(eio_ll_await_cqe(&sqe, &cqe), -EINVAL);
	}
	sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
	expect_err(eio_ll_await_n(&sqe, 1, &result), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "await_n");
	return 0;
}

/* A zero-copy send has two completions, the second one gives its buffer back. */
RING_TEST(await_waits_for_the_release_of_a_buffer_and_gives_the_first_result)
{
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;
	struct eio_addr addr;
	struct eio_fd l, c, s;
	struct eio_switch sw;
	char b[8] = "";

	(void) arg;
	if (!eio_ll_op_supported(IORING_OP_SEND_ZC))
		return 0;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &c));
	expect_ok(eio_ll_connect(c, &addr));
	expect_ok(eio_ll_accept(&sw, l, &s, NULL));
	sqe = eio_ll_sqe();
	io_uring_prep_send_zc(sqe, number(c), "abc", 3, 0, 0);
	expect_err(eio_ll_await_cqe(sqe, &cqe), 3);
	ck_assert_uint_eq(cqe.flags & IORING_CQE_F_NOTIF, 0);
	expect_err(eio_ll_recv(s, b, sizeof(b), 0), 3);
	ck_assert_str_eq(b, "abc");
	return eio_switch_end(&sw, 0);
}

/* Their later results would be nobody's. The library's refusal leaves words, the kernel's
 * would not. */
static void expect_refused(struct io_uring_sqe *sqe)
{
	int result;

	(void) eio_error_set(-EIO, "before", NULL);
	expect_err(eio_ll_await(sqe), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "await");
	expect_err(eio_ll_await_n(sqe, 1, &result), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "await_n");
}

RING_TEST(entries_that_complete_more_than_once_are_refused)
{
	struct __kernel_timespec ts = {.tv_nsec = 1};
	struct io_uring_sqe *sqe = eio_ll_sqe();

	(void) arg;
	io_uring_prep_poll_multishot(sqe, 0, POLLIN);
	expect_refused(sqe);
	io_uring_prep_multishot_accept(eio_ll_sqe(), 0, NULL, NULL, 0);
	expect_refused(sqe);
	io_uring_prep_recv_multishot(eio_ll_sqe(), 0, NULL, 0, 0);
	expect_refused(sqe);
	io_uring_prep_recvmsg_multishot(eio_ll_sqe(), 0, NULL, 0);
	expect_refused(sqe);
	io_uring_prep_timeout(eio_ll_sqe(), &ts, 0, IORING_TIMEOUT_MULTISHOT);
	expect_refused(sqe);
	io_uring_prep_nop(eio_ll_sqe());
	sqe->opcode = EIO__OP_READ_MULTISHOT;
	expect_refused(sqe);
	io_uring_prep_nop(eio_ll_sqe());
	sqe->opcode = EIO__OP_RECV_ZC;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	expect_refused(sqe);
	io_uring_prep_nop(eio_ll_sqe());
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->rw_flags = IORING_URING_CMD_MULTISHOT;
	expect_refused(sqe);
	return 0;
}

/* It would wait for the wake-up descriptor, and everything after it. */
RING_TEST(a_drained_entry_is_refused)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();
	int result;

	(void) arg;
	io_uring_prep_nop(sqe);
	sqe->flags |= IOSQE_IO_DRAIN;
	expect_err(eio_ll_await(sqe), -EINVAL);
	expect_err(eio_ll_await_n(sqe, 1, &result), -EINVAL);
	return 0;
}

/* It would chain what another fiber queues next. */
RING_TEST(a_link_flag_on_the_last_entry_is_refused)
{
	struct io_uring_sqe sqes[2];
	int results[2];

	(void) arg;
	memset(sqes, 0, sizeof(sqes));
	for (int i = 0; i < 2; i++) {
		io_uring_prep_nop(&sqes[i]);
		sqes[i].flags |= IOSQE_IO_LINK;
	}
	expect_err(eio_ll_await_n(sqes, 2, results), -EINVAL);
	sqes[1].flags = IOSQE_IO_HARDLINK;
	expect_err(eio_ll_await_n(sqes, 2, results), -EINVAL);
	sqes[1].flags = 0;
	expect_ok(eio_ll_await_n(sqes, 2, results));
	return 0;
}

/* The staging entry */

RING_TEST(an_abandoned_staging_entry_does_nothing)
{
	static const struct io_uring_sqe zeroed;
	struct io_uring_sqe *sqe;
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	sqe = eio_ll_sqe();
	io_uring_prep_write(sqe, number(w), "x", 1, -1);
	expect_ok(eio_ll_noop());
	expect_ok(eio_yield());
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	sqe = eio_ll_sqe();
	ck_assert_mem_eq(sqe, &zeroed, sizeof(zeroed));
	expect_ok(eio_ll_await(sqe)); /* an entry of zeroes is a NOP */
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	return eio_switch_end(&sw, 0);
}

static int stage_and_yield(void *arg)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();

	io_uring_prep_write(sqe, ((int *) arg)[0], "x", 1, -1);
	expect_ok(eio_yield());
	expect_err(eio_ll_await(sqe), 1);
	return 0;
}

RING_TEST(each_fiber_has_its_own_staging_entry)
{
	struct eio_switch sw;
	struct eio_fd r[2], w[2];
	int to[2];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		pipe_on(&sw, &r[i], &w[i]);
		to[i] = number(w[i]);
		expect_ok(eio_fork(&sw, stage_and_yield, &to[i]));
	}
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

/* Several next to each other */

static void prepare_links(struct io_uring_sqe *sqes, int unix_r, int unix_w, char *b)
{
	memset(sqes, 0, 3 * sizeof(*sqes));
	io_uring_prep_write(&sqes[0], unix_w, "ab", 2, -1);
	sqes[0].flags = IOSQE_IO_LINK;
	io_uring_prep_read(&sqes[1], unix_r, b, 2, -1);
	sqes[1].flags = IOSQE_IO_LINK;
	io_uring_prep_write(&sqes[2], unix_w, "c", 1, -1);
}

RING_TEST(links_keep_their_order)
{
	struct io_uring_sqe sqes[3];
	struct eio_switch sw;
	struct eio_fd r, w;
	int results[3];
	char b[3] = "";

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	for (int i = 0; i < 100; i++) {
		memset(b, 0, sizeof(b));
		prepare_links(sqes, number(r), number(w), b);
		expect_ok(eio_ll_await_n(sqes, 3, results));
		ck_assert_int_eq(results[0], 2);
		ck_assert_int_eq(results[1], 2);
		ck_assert_int_eq(results[2], 1);
		ck_assert_str_eq(b, "ab");
		ck_assert_int_eq(read(number(r), b, 2), 1);
		ck_assert_int_eq(b[0], 'c');
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_broken_link_gives_the_kernels_codes)
{
	struct io_uring_sqe sqes[3];
	struct eio_switch sw;
	struct eio_fd r, w;
	int results[3];
	char b[3] = "";

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	prepare_links(sqes, -1, number(w), b);
	expect_ok(eio_ll_await_n(sqes, 3, results));
	ck_assert_int_eq(results[0], 2);
	expect_err(results[1], -EBADF);
	expect_err(results[2], -ECANCELED);
	/* A read that gets less than it asked for breaks the link too. */
	prepare_links(sqes, number(r), number(w), b);
	io_uring_prep_read(&sqes[1], number(r), (char[8]){0}, 8, -1);
	sqes[1].flags = IOSQE_IO_LINK;
	expect_ok(eio_ll_await_n(sqes, 3, results));
	ck_assert_int_eq(results[1], 4);
	expect_err(results[2], -ECANCELED);
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(entries_without_links_are_independent)
{
	struct io_uring_sqe sqes[64];
	int results[64];

	(void) arg;
	memset(sqes, 0, sizeof(sqes));
	for (int i = 0; i < 64; i++) {
		if (i % 2)
			io_uring_prep_fsync(&sqes[i], -1, 0);
		else
			io_uring_prep_nop(&sqes[i]);
	}
	expect_ok(eio_ll_await_n(sqes, 64, results));
	for (int i = 0; i < 64; i++)
		expect_err(results[i], i % 2 ? -EBADF : 0);
	return 0;
}

static int group_sizes(void *arg)
{
	struct io_uring_sqe sqes[65];
	int results[65];

	(void) arg;
	memset(sqes, 0, sizeof(sqes));
	expect_err(eio_ll_await_n(sqes, 0, results), -EINVAL);
	expect_ok(eio_ll_await_n(sqes, 1, results));
	expect_ok(eio_ll_await_n(sqes, 8, results));
	expect_err(eio_ll_await_n(sqes, 9, results), -EINVAL);
	expect_err(eio_ll_await_n(sqes, 65, results), -EINVAL);
	return 0;
}

START_TEST(a_group_has_at_least_one_entry_and_fits_the_queue)
{
	run_ring_with(&(struct eio_config){.queue_depth = 8}, group_sizes, 0);
}
END_TEST

static int many_groups(void *arg)
{
	struct io_uring_sqe sqes[8];
	int *pipe_of = arg, results[8];
	char b[8] = "";

	for (int round = 0; round < 20; round++) {
		memset(sqes, 0, sizeof(sqes));
		for (int i = 0; i < 8; i++) {
			if (i % 2 == 0)
				io_uring_prep_write(&sqes[i], pipe_of[1], "y", 1, -1);
			else
				io_uring_prep_read(&sqes[i], pipe_of[0], &b[i], 1, -1);
			sqes[i].flags = i < 7 ? IOSQE_IO_LINK : 0;
		}
		expect_ok(eio_ll_await_n(sqes, 8, results));
		for (int i = 0; i < 8; i++)
			expect_err(results[i], 1);
	}
	return 0;
}

/* Each of them needs the whole queue at once. */
static int groups_that_fill_the_queue(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r[10], w[10];
	int pipes[10][2];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 10; i++) {
		pipe_on(&sw, &r[i], &w[i]);
		pipes[i][0] = number(r[i]);
		pipes[i][1] = number(w[i]);
	}
	for (int i = 0; i < 10; i++)
		expect_ok(eio_fork(&sw, many_groups, pipes[i]));
	return eio_switch_end(&sw, 0);
}

START_TEST(groups_as_large_as_the_queue_do_not_starve_each_other)
{
	run_ring_with(&(struct eio_config){.queue_depth = 8}, groups_that_fill_the_queue, 0);
}
END_TEST

struct group {
	struct io_uring_sqe sqes[3];
	int results[3], rc;
};

static int await_group(void *arg)
{
	struct group *g = arg;

	g->rc = eio_ll_await_n(g->sqes, 3, g->results);
	return 0;
}

/* The first is done, the second waits, the third has not begun. */
static void cancel_a_group(struct group *g)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;
	char b[2];

	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	memset(g, 0, sizeof(*g));
	io_uring_prep_nop(&g->sqes[0]);
	io_uring_prep_read(&g->sqes[1], number(r), b, 1, -1);
	g->sqes[1].flags = IOSQE_IO_LINK;
	io_uring_prep_nop(&g->sqes[2]);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, await_group, g));
	expect_ok(eio_ll_noop());
	end_cancelled(&inner);
	expect_err(g->rc, -ECANCELED);
	expect_ok(g->results[0]);
	expect_err(g->results[1], -ECANCELED);
	expect_err(g->results[2], -ECANCELED);
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(a_cancelled_group_has_its_results)
{
	struct group g;

	(void) arg;
	cancel_a_group(&g);
	return 0;
}

/* The kernel takes nothing for a while, just when the requests to cancel would go in. */
static struct faults stubborn;

static void refuse_enters(unsigned times)
{
	stubborn.fail_enter.nth = times > 0;
	stubborn.fail_enter.times = times;
	stubborn.fail_enter.err = -EBUSY;
}

static int read_and_note(void *arg)
{
	char b;

	note("%s", eio_err_name((int) eio_ll_read(*(struct eio_fd *) arg, &b, 1, EIO_CURRENT)));
	return 0;
}

static int one_noop(void *arg)
{
	(void) arg;
	return eio_ll_noop();
}

static int await_two(void *arg)
{
	struct group *g = arg;

	g->rc = eio_ll_await_n(g->sqes, 2, g->results);
	return 0;
}

static int cancel_group_without_room(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;
	struct group g;
	char b[2];

	(void) arg;
	memset(&g, 0, sizeof(g));
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	for (int i = 0; i < 2; i++)
		io_uring_prep_read(&g.sqes[i], number(r), &b[i], 1, -1);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, await_two, &g));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fork(&sw, one_noop, NULL)); /* half of the queue */
	refuse_enters(10);
	end_cancelled(&inner);
	expect_err(g.rc, -ECANCELED);
	for (int i = 0; i < 2; i++)
		expect_err(g.results[i], -ECANCELED);
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_group_is_cancelled_though_the_queue_is_full)
{
	faults_install(&stubborn);
	run_ring_with(&(struct eio_config){.queue_depth = 2}, cancel_group_without_room, 0);
}
END_TEST

static int cancel_without_room(void *arg)
{
	enum { N = 20 };
	struct eio_switch sw, inner;
	struct eio_fd r[N], w[N];

	(void) arg;
	eio_switch_begin(&sw);
	eio_switch_begin(&inner);
	for (int i = 0; i < N; i++) {
		pipe_on(&sw, &r[i], &w[i]);
		expect_ok(eio_fork(&inner, read_and_note, &r[i]));
	}
	/* The read for wake-ups is in flight from now on. */
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	refuse_enters(10);
	stubborn.fail_enter.err = -EAGAIN;
	end_cancelled(&inner);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(strncmp(log_text() + i * 10, "ECANCELED", 9), 0);
	log_clear();
	return eio_switch_end(&sw, 0);
}

START_TEST(operations_are_cancelled_though_the_queue_is_full)
{
	faults_install(&stubborn);
	run_ring_with(&(struct eio_config){.queue_depth = 2}, cancel_without_room, 0);
}
END_TEST

/*
 * A request to cancel may come while its target is between two attempts: the kernel finds
 * nothing, and the target goes on.
 */
static bool rested;

static int yield_until_rested(void *arg)
{
	(void) arg;
	while (!rested)
		expect_ok(eio_yield());
	return 0;
}

static int miss_requests(void *arg)
{
	struct eio_switch sw, inner, busy;
	struct eio_cancel c;
	struct eio_fd r, w;
	struct group g;
	char b[2];

	(void) arg;
	eio_switch_begin(&sw);
	for (int is_busy = 0; is_busy < 2; is_busy++) {
		memset(&g, 0, sizeof(g));
		pipe_on(&sw, &r, &w);
		for (int i = 0; i < 2; i++)
			io_uring_prep_read(&g.sqes[i], number(r), &b[i], 1, -1);
		eio_switch_begin(&busy);
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, read_and_note, &r));
		expect_ok(eio_fork(&inner, await_two, &g));
		expect_ok(eio_ll_noop());
		rested = !is_busy;
		expect_ok(eio_fork(&busy, yield_until_rested, NULL));
		odd.deaf = 256;
		expect_ok(eio_switch_fail(&inner, -EIO));
		eio_cancel_protect_begin(&c);
		expect_ok(eio_ll_noop());
		eio_cancel_end(&c);
		odd.deaf = 0;
		expect_err(eio_switch_end(&inner, 0), -EIO);
		expect_log("ECANCELED");
		expect_err(g.rc, -ECANCELED);
		rested = true;
		expect_ok(eio_switch_end(&busy, 0));
	}
	ck_assert_uint_ge(odd.deafened, 6);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_request_to_cancel_that_missed_is_repeated)
{
	faults_install(&odd);
	run_ring(miss_requests, 0);
}
END_TEST

/* A queue that is too small */

/* Four fibers to a pipe. */
enum { PIPES = 250, OPERATIONS = 4 * PIPES };

static struct eio_fd all_r[PIPES], all_w[PIPES];
static unsigned n_read;

static int read_mine(void *arg)
{
	struct eio_fd *r = arg;
	char b = 0;

	expect_err(eio_ll_read(*r, &b, 1, EIO_CURRENT), 1);
	ck_assert_int_eq((unsigned char) b, (unsigned char) (r - all_r));
	n_read++;
	return 0;
}

static int write_mine(void *arg)
{
	struct eio_fd *w = arg;
	char b = (char) (w - all_w);

	expect_ok(eio_ll_write_all(*w, &b, 1, EIO_CURRENT));
	return 0;
}

static int thousand(void *arg)
{
	struct eio_switch sw, inner;

	(void) arg;
	n_read = 0;
	eio_switch_begin(&sw);
	for (int i = 0; i < PIPES; i++)
		pipe_on(&sw, &all_r[i], &all_w[i]);
	eio_switch_begin(&inner);
	for (int i = 0; i < OPERATIONS; i++)
		expect_ok(eio_fork(&inner, read_mine, &all_r[i % PIPES]));
	expect_ok(eio_ll_noop());
	ck_assert_uint_eq(n_read, 0);
	for (int i = OPERATIONS; i-- > 0;)
		expect_ok(eio_fork(&inner, write_mine, &all_w[i % PIPES]));
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert_uint_eq(n_read, OPERATIONS);
	return eio_switch_end(&sw, 0);
}

static void run_thousand(unsigned depth)
{
	run_ring_with(&(struct eio_config){.queue_depth = depth}, thousand, 0);
}

START_TEST(a_queue_of_one_serves_a_thousand_operations)
{
	run_thousand(1);
}
END_TEST

START_TEST(a_queue_of_two_serves_a_thousand_operations)
{
	run_thousand(2);
}
END_TEST

START_TEST(a_queue_larger_than_the_kernel_allows_is_capped)
{
	run_thousand(65536);
}
END_TEST

static struct faults rough = {.eintr = 32, .eagain = 32, .ebusy = 32, .reorder = 64};

START_TEST(a_queue_of_two_serves_a_thousand_operations_when_enters_fail)
{
	rough.seed = 1;
	faults_install(&rough);
	run_thousand(2);
	ck_assert_uint_gt(rough.failed_enters, 0);
}
END_TEST

/*
 * With a queue of one and a kernel that takes nothing, one entry is in and everybody else
 * waits for its place.
 */
static int wait_for_a_place(void *arg)
{
	char b;
	int rc;

	(void) arg;
	rc = (int) eio_ll_read(all_r[0], &b, 1, EIO_CURRENT);
	note("%s", rc < 0 ? eio_err_name(rc) : "read");
	return 0;
}

static int cancelled_in_the_line(void *arg)
{
	struct eio_switch sw, other, inner;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &all_r[0], &all_w[0]);
	expect_ok(eio_ll_noop());
	refuse_enters(1000);
	eio_switch_begin(&other);
	expect_ok(eio_fork(&other, wait_for_a_place, NULL)); /* has the only entry */
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, wait_for_a_place, NULL)); /* waits for one */
	end_cancelled(&inner);
	refuse_enters(0);
	expect_log("ECANCELED");
	ck_assert_int_eq(write(number(all_w[0]), "x", 1), 1);
	expect_ok(eio_switch_end(&other, 0));
	expect_log("read");
	return eio_switch_end(&sw, 0);
}

START_TEST(who_waits_for_an_entry_can_be_cancelled)
{
	faults_install(&stubborn);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, cancelled_in_the_line, 0);
}
END_TEST

static struct eio_switch *victim;

/* Runs after the one who waited for an entry was woken, and before it. */
static int cancel_victim(void *arg)
{
	(void) arg;
	expect_ok(eio_ll_noop());
	note("cancel");
	expect_ok(eio_switch_fail(victim, -EIO));
	return 0;
}

static int cancelled_at_its_turn(void *arg)
{
	struct eio_switch sw, inner;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &all_r[0], &all_w[0]);
	refuse_enters(2);
	expect_ok(eio_fork(&sw, cancel_victim, NULL)); /* has the only entry */
	eio_switch_begin(&inner);
	victim = &inner;
	expect_ok(eio_fork(&inner, wait_for_a_place, NULL)); /* waits for one */
	expect_ok(eio_fork(&inner, wait_for_a_place, NULL));
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("cancel ECANCELED ECANCELED");
	return eio_switch_end(&sw, 0);
}

START_TEST(who_is_cancelled_when_its_entry_comes_does_not_start)
{
	faults_install(&stubborn);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, cancelled_at_its_turn, 0);
}
END_TEST

static int write_in_turn(void *arg)
{
	(void) arg;
	expect_ok(eio_ll_write_all(all_w[0], "x", 1, EIO_CURRENT));
	note("written");
	return 0;
}

/* The kernel takes the reader's entry in the very enter that would sleep: the reader's
 * byte comes from one who waits for an entry. */
static int needed_by_who_is_in(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &all_r[0], &all_w[0]);
	/* The read for wake-ups is in flight from now on. */
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	refuse_enters(1);
	expect_ok(eio_fork(&sw, wait_for_a_place, NULL));
	expect_ok(eio_fork(&sw, write_in_turn, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("written read");
	return 0;
}

START_TEST(the_domain_does_not_sleep_while_somebody_waits_for_a_free_entry)
{
	faults_install(&stubborn);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, needed_by_who_is_in, 0);
}
END_TEST

/* Threads without a domain, and domains without a ring */

static void expect_no_ring(void)
{
	struct io_uring_sqe sqe;
	struct io_uring_cqe cqe;
	struct eio_addr addr = {0};
	struct eio_fd out, fd = EIO_STDIN;
	struct eio_chunk c = {0};
	struct iovec iov = {0};
	struct statx st;
	char b = 0;
	int result;

	memset(&sqe, 0, sizeof(sqe));
	ck_assert_ptr_null(eio_ll_ring());
	ck_assert(!eio_ll_op_supported(IORING_OP_NOP));
	ck_assert(!eio_ll_fixed_registered());
	expect_err(eio_ll_noop(), -EPERM);
	expect_err(eio_ll_await(&sqe), -EPERM);
	expect_err(eio_ll_await_cqe(&sqe, &cqe), -EPERM);
	expect_err(eio_ll_await_n(&sqe, 1, &result), -EPERM);
	expect_err(eio_ll_alloc_fixed(&c), -EPERM);
	expect_err(eio_ll_alloc_fixed_or_wait(&c), -EPERM);
	expect_err(eio_ll_read_upto(fd, c, 1, 0), -EPERM);
	expect_err(eio_ll_read(fd, &b, 1, 0), -EPERM);
	expect_err(eio_ll_readv(fd, &iov, 1, 0), -EPERM);
	expect_err(eio_ll_write_all(fd, &b, 1, 0), -EPERM);
	expect_err(eio_ll_writev_single(fd, &iov, 1, 0), -EPERM);
	expect_err(eio_ll_openat(NULL, EIO_FS, "/", O_RDONLY, 0, &out), -EPERM);
	expect_err(eio_ll_statx(EIO_FS, "/", true, STATX_BASIC_STATS, &st), -EPERM);
	expect_err(eio_ll_fsync(fd), -EPERM);
	expect_err(eio_ll_splice(fd, fd, 1), -EPERM);
	expect_err(eio_ll_await_readable(fd), -EPERM);
	expect_err(eio_ll_await_writable(fd), -EPERM);
	expect_err(eio_ll_poll(fd, POLLIN), -EPERM);
	expect_err(eio_ll_accept(NULL, fd, &out, NULL), -EPERM);
	expect_err(eio_ll_connect(fd, &addr), -EPERM);
	expect_err(eio_ll_send(fd, &b, 1, 0), -EPERM);
	expect_err(eio_ll_recv(fd, &b, 1, 0), -EPERM);
}

START_TEST(on_a_thread_without_a_domain_there_is_EPERM)
{
	struct eio_fd r, w, out;
	struct eio_addr addr = {0};
	struct statx st;

	expect_no_ring();
	ck_assert_ptr_null(eio_ll_sqe());
	expect_err(eio_ll_sleep_until(0), -EPERM);
	expect_err(eio_ll_pipe(NULL, &r, &w), -EPERM);
	expect_err(eio_ll_socket(NULL, AF_INET, SOCK_STREAM, 0, &out), -EPERM);
	expect_err(eio_ll_bind(EIO_STDIN, &addr), -EPERM);
	expect_err(eio_ll_listen(EIO_STDIN, 1), -EPERM);
	expect_err(eio_ll_shutdown(EIO_STDIN, SHUT_RDWR), -EPERM);
	expect_err(eio_ll_fstat(EIO_STDIN, &st), -EPERM);
}
END_TEST

MOCK_TEST(in_a_domain_without_a_ring_there_is_EPERM)
{
	(void) arg;
	expect_no_ring();
	return 0;
}

RING_TEST(opcodes_are_known)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(eio_ll_ring());

	(void) arg;
	ck_assert_ptr_nonnull(p);
	for (int op = 0; op < 256; op++)
		ck_assert_int_eq(eio_ll_op_supported(op), io_uring_opcode_supported(p, op));
	io_uring_free_probe(p);
	ck_assert(eio_ll_op_supported(IORING_OP_READ));
	ck_assert(!eio_ll_op_supported(255));
	ck_assert(!eio_ll_op_supported(256));
	ck_assert(!eio_ll_op_supported(-1));
	return 0;
}

SUITE_MAIN("ll_any", true, await_runs_what_was_prepared_test, await_gives_the_kernels_code_test,
	   an_ECANCELED_nobody_asked_for_is_passed_on_by_await_alone,
	   await_cqe_gives_flags_and_keeps_user_data_to_itself_test,
	   what_cannot_be_awaited_is_refused_test,
	   await_waits_for_the_release_of_a_buffer_and_gives_the_first_result_test,
	   entries_that_complete_more_than_once_are_refused_test, a_drained_entry_is_refused_test,
	   a_link_flag_on_the_last_entry_is_refused_test,
	   an_abandoned_staging_entry_does_nothing_test, each_fiber_has_its_own_staging_entry_test,
	   links_keep_their_order_test, a_broken_link_gives_the_kernels_codes_test,
	   entries_without_links_are_independent_test,
	   a_group_has_at_least_one_entry_and_fits_the_queue,
	   groups_as_large_as_the_queue_do_not_starve_each_other,
	   a_cancelled_group_has_its_results_test, a_group_is_cancelled_though_the_queue_is_full,
	   operations_are_cancelled_though_the_queue_is_full,
	   a_request_to_cancel_that_missed_is_repeated, a_queue_of_one_serves_a_thousand_operations,
	   a_queue_of_two_serves_a_thousand_operations,
	   a_queue_larger_than_the_kernel_allows_is_capped,
	   a_queue_of_two_serves_a_thousand_operations_when_enters_fail,
	   who_waits_for_an_entry_can_be_cancelled,
	   who_is_cancelled_when_its_entry_comes_does_not_start,
	   the_domain_does_not_sleep_while_somebody_waits_for_a_free_entry,
	   on_a_thread_without_a_domain_there_is_EPERM,
	   in_a_domain_without_a_ring_there_is_EPERM_test, opcodes_are_known_test)
