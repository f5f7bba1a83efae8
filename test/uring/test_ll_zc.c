/* SPDX-License-Identifier: ISC */
/*
 * Here a buffer is held as long as the other side does not read: to the same machine the
 * kernel lets go of it when the bytes have been acknowledged, and what finds no room in the
 * small buffers of the receiver is not.
 */
#include "faults.h"
#include "support.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 1 << 20, SOME = EIO_LL_ZC_THRESHOLD };

static struct faults faults;
static char data[MUCH], back[MUCH];

static unsigned sent_by(int opcode)
{
	return faults.entries[opcode];
}

/* A connection whose receiver is full: more is taken, and held. */
static size_t full_pair_on(struct eio_switch *sw, struct eio_fd *a, struct eio_fd *z)
{
	const int size = MUCH;

	tcp_pair_on(sw, a, z);
	expect_ok(eio_ll_setsockopt(*a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	return 0;
}

static void read_back(struct eio_fd fd, size_t from, size_t len)
{
	expect_ok(eio_ll_recv_exactly(fd, back, len));
	ck_assert(is_filled(back, len, from));
}

static bool tells_copies(void)
{
	return eio__uring_self()->ring.uring.features & IORING_FEAT_REG_REG_RING;
}

/* Sending and releasing */

static int basics(void *arg)
{
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	ck_assert_uint_eq(zc.busy, 1);
	ck_assert_uint_eq(zc.sends, 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND), 0);
	read_back(z, 0, 10 * SOME);
	expect_ok(eio_ll_zc_await(&zc));
	ck_assert_uint_eq(zc.busy, 0);
	expect_ok(eio_ll_zc_await(&zc));
	eio_ll_zc_end(&zc);
	/* To the same machine the receiver's side copies. */
	ck_assert_uint_eq(zc.copied, tells_copies() ? 1 : 0);
	ck_assert_uint_eq(zc.reserved, 0);
	return eio_switch_end(&sw, 0);
}

#define FAULTS_TEST(name, fn)                                                                      \
	START_TEST(name)                                                                           \
	{                                                                                          \
		faults = (struct faults){.seed = 1};                                               \
		faults_install(&faults);                                                           \
		run_ring(fn, 0);                                                                   \
	}                                                                                          \
	END_TEST

FAULTS_TEST(a_send_is_over_before_its_buffer_is_released, basics)

static int await_and_note(void *arg)
{
	int rc = eio_ll_zc_await(arg);

	note("%s", rc == 0 ? "released" : eio_err_name(rc));
	return 0;
}

RING_TEST(sends_are_pipelined_and_counted)
{
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw, inner;
	unsigned busy;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	for (unsigned i = 0; i < 8; i++) {
		expect_err(eio_ll_send_zc(a, data + i * SOME, SOME, 0, &zc), SOME);
		ck_assert_uint_eq(zc.sends, i + 1);
	}
	ck_assert_uint_gt(zc.busy, 1);
	ck_assert_uint_le(zc.busy, 8);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, await_and_note, &zc));
	busy = zc.busy;
	read_back(z, 0, 4 * SOME);
	for (int i = 0; i < 100000 && zc.busy == busy; i++)
		expect_ok(eio_ll_noop());
	/* One has been released, others have not. */
	ck_assert_uint_gt(busy, zc.busy);
	ck_assert_uint_gt(zc.busy, 0);
	expect_ok(eio_yield());
	expect_log("");
	read_back(z, 4 * SOME, 4 * SOME);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("released");
	ck_assert_uint_eq(zc.busy, 0);
	return eio_switch_end(&sw, 0);
}

static int end_and_note(void *arg)
{
	eio_ll_zc_end(arg);
	note("ended");
	return 0;
}

static int end_cancelled_and_note(void *arg)
{
	struct eio_cancel c;

	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	end_and_note(arg);
	eio_cancel_end(&c);
	return 0;
}

RING_TEST(all_who_wait_are_woken)
{
	struct eio_switch sw, inner, cancelled;
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	eio_switch_begin(&inner);
	eio_switch_begin(&cancelled);
	expect_ok(eio_fork(&inner, await_and_note, &zc));
	expect_ok(eio_fork(&cancelled, await_and_note, &zc));
	expect_ok(eio_fork(&inner, await_and_note, &zc));
	expect_ok(eio_fork(&inner, end_and_note, &zc));
	end_cancelled(&cancelled);
	expect_log("ECANCELED");
	ck_assert_uint_eq(zc.busy, 1);
	read_back(z, 0, 10 * SOME);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("released released ended");
	return eio_switch_end(&sw, 0);
}

/* Cancelled, it does not wait, and the buffer is busy; the end waits all the same. */
RING_TEST(a_buffer_cannot_be_taken_back)
{
	struct eio_switch sw, inner;
	struct eio_ll_zc zc = {0};
	struct eio_cancel c;
	struct eio_fd a, z;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(eio_ll_zc_await(&zc), -ECANCELED);
	ck_assert_uint_eq(zc.busy, 1);
	eio_cancel_end(&c);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, end_cancelled_and_note, &zc));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	read_back(z, 0, 10 * SOME);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("ended");
	ck_assert_uint_eq(zc.busy, 0);
	/* What has been released is told of in any context. */
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_ok(eio_ll_zc_await(&zc));
	eio_cancel_end(&c);
	return eio_switch_end(&sw, 0);
}

RING_TEST(closing_the_socket_does_not_take_the_buffer_back_resetting_does)
{
	const struct linger hard = {.l_onoff = 1};
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	expect_ok(eio_ll_setsockopt(a, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	ck_assert_uint_eq(zc.busy, 1);
	expect_ok(eio_fd_close(a));
	eio_ll_zc_end(&zc);
	ck_assert_uint_eq(zc.busy, 0);

	full_pair_on(&sw, &a, &z);
	fill(data, MUCH, 0);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	expect_ok(eio_fd_close(a));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	ck_assert_uint_eq(zc.busy, 1);
	read_back(z, 0, 10 * SOME);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

/* Plain sends */

static int thresholds(void *arg)
{
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;
	struct iovec iov[2] = {{data, SOME / 2}, {data + SOME / 2, SOME / 2 - 1}};

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, SOME - 1, 0, &zc), SOME - 1);
	read_back(z, 0, SOME - 1);
	expect_err(eio_ll_send_msg_zc(a, NULL, iov, 2, 0, &zc), SOME - 1);
	read_back(z, 0, SOME - 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC) + sent_by(IORING_OP_SENDMSG_ZC), 0);
	ck_assert_mem_eq(&zc, &(struct eio_ll_zc){0}, sizeof(zc));
	iov[1].iov_len++;
	expect_err(eio_ll_send_zc(a, data, SOME, 0, &zc), SOME);
	read_back(z, 0, SOME);
	expect_err(eio_ll_send_msg_zc(a, NULL, iov, 2, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SENDMSG_ZC), 1);
	/* The caller's own. */
	zc.threshold = 1;
	expect_err(eio_ll_send_zc(a, data, 1, 0, &zc), 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 2);
	ck_assert_uint_eq(zc.sends, 3);
	zc.threshold = SIZE_MAX;
	expect_err(eio_ll_send_zc(a, data + 1, SOME, 0, &zc), SOME);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 2);
	read_back(z, 0, SOME + 1);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

FAULTS_TEST(what_is_short_is_copied, thresholds)

static int old_kernel(void *arg)
{
	struct iovec iov = {data, SOME};
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &a, &z);
	forget_opcode(IORING_OP_SENDMSG_ZC);
	expect_err(eio_ll_send_msg_zc(a, NULL, &iov, 1, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(zc.busy, 0);
	expect_err(eio_ll_send_zc(a, data, SOME, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(zc.sends, 1);
	eio_ll_zc_end(&zc);
	forget_opcode(IORING_OP_SEND_ZC);
	expect_err(eio_ll_send_zc(a, data, SOME, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(sent_by(IORING_OP_SENDMSG_ZC), 0);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 1);
	ck_assert_uint_eq(zc.sends, 1);
	ck_assert_uint_eq(zc.busy, 0);
	return eio_switch_end(&sw, 0);
}

FAULTS_TEST(an_older_kernel_copies, old_kernel)

/* A Unix socket cannot; nor can one whose pages may not be locked. */
static int refused(void *arg)
{
	struct iovec iov = {data, SOME};
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, SOME, 0, &zc), SOME);
	read_back(z, 0, SOME);
	expect_err(eio_ll_send_msg_zc(a, NULL, &iov, 1, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND), 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SENDMSG), 1);
	expect_ok(eio_ll_zc_await(&zc));
	ck_assert_uint_eq(zc.sends, 2);
	ck_assert_uint_eq(zc.copied, tells_copies() ? 2 : 0);
	tcp_pair_on(&sw, &a, &z);
	faults.refuse.opcode = IORING_OP_SEND_ZC;
	faults.refuse.err = -ENOMEM;
	faults.refuse.nth = 1;
	expect_err(eio_ll_send_zc(a, data, SOME, 0, &zc), SOME);
	read_back(z, 0, SOME);
	ck_assert_uint_eq(faults.refused, 1);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND), 2);
	return eio_switch_end(&sw, 0);
}

FAULTS_TEST(where_it_is_refused_it_copies, refused)

static unsigned how; /* flags of the last entry of its kind */

static void look(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	const struct io_uring_sq *sq = &r->uring.sq;

	(void) wait, (void) timeout_ns;
	for (unsigned i = faults.seen; i != sq->sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		if (sqe->opcode == IORING_OP_SEND_ZC)
			how = sqe->ioprio;
	}
}

static size_t send_and_look(struct eio_fd fd, const char *from, size_t len, struct eio_ll_zc *zc)
{
	how = ~0u;
	expect_err(eio_ll_send_zc(fd, from, len, 0, zc), len);
	return len;
}

/* Registered blocks, from any byte of the first to the last of the last, are known by their
 * address; what only begins or ends in them is not. Another ring has others. */
static int blocks(void *arg)
{
	struct eio_ll_zc zc = {.threshold = 1};
	struct eio_fd a, z;
	struct eio_switch sw;
	struct eio_chunk c[2];
	size_t n = 0;
	char *first;

	(void) arg;
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 1, 0, &zc), 1); /* before there is a pool */
	ck_assert_uint_eq(how & IORING_RECVSEND_FIXED_BUF, 0);
	n++;
	for (int i = 0; i < 2; i++)
		expect_ok(eio_ll_alloc_fixed(&c[i]));
	first = c[0].data;
	ck_assert_ptr_eq(c[1].data, first + 4096);
	fill(first, 8192, 0);
	for (int i = 0; i < 3; i++) {
		size_t from = i == 2 ? 8191 : (size_t) i * 1000, len = 8192 - from;

		n += send_and_look(a, first + from, len, &zc);
		ck_assert_uint_eq(how & IORING_RECVSEND_FIXED_BUF,
				  eio_ll_fixed_registered() ? IORING_RECVSEND_FIXED_BUF : 0);
		ck_assert_uint_eq(how & IORING_SEND_ZC_REPORT_USAGE,
				  tells_copies() ? IORING_SEND_ZC_REPORT_USAGE : 0);
	}
	n += send_and_look(a, data, 8192, &zc);
	ck_assert_uint_eq(how & IORING_RECVSEND_FIXED_BUF, 0);
	expect_ok(eio_ll_recv_exactly(z, back, n));
	/* Half in and half out; whether the rest can be read does not matter. */
	pair_on(&sw, &a, &z);
	for (int i = 0; i < 2; i++) {
		how = ~0u;
		if (eio_ll_send_zc(a, i == 0 ? first - 1 : first + 8191, 2, 0, &zc) >= 0)
			note("readable");
		ck_assert_uint_eq(how & IORING_RECVSEND_FIXED_BUF, 0);
	}
	log_clear();
	ck_assert(is_filled(back + 1, 8192, 0));
	ck_assert(is_filled(back + 1 + 8192, 7192, 1000));
	eio_ll_zc_end(&zc);
	for (int i = 0; i < 2; i++)
		eio_ll_free_fixed(c[i]);
	return eio_switch_end(&sw, 0);
}

START_TEST(registered_blocks_are_sent_as_such)
{
	faults = (struct faults){.seed = 1, .on_enter = look};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.n_blocks = 2}, blocks, 0);
	run_ring_with(&(struct eio_config){.n_blocks = 2, .flags = EIO_RUN_NO_FIXED}, blocks, 0);
}
END_TEST

/* Where little memory may be locked, blocks go as they are and others are copied. */
static int little_memory(void *arg)
{
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;
	struct eio_chunk c;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, MUCH / 4, MSG_WAITALL, &zc), MUCH / 4);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND), 1);
	read_back(z, 0, MUCH / 4);
	eio_ll_zc_end(&zc);
	expect_ok(eio_ll_alloc_fixed(&c));
	if (eio_ll_fixed_registered()) {
		zc = (struct eio_ll_zc){0};
		fill(c.data, c.length, 0);
		expect_err(eio_ll_send_zc(a, c.data, c.length, 0, &zc), c.length);
		ck_assert_uint_eq(sent_by(IORING_OP_SEND), 1);
		ck_assert_uint_eq(zc.sends, 1);
		read_back(z, 0, c.length);
	}
	eio_ll_zc_end(&zc);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

START_TEST(without_a_right_to_lock_memory_it_copies)
{
	const struct eio_config config = {.n_blocks = 1, .block_size = SOME};

	if (!limit_locked_memory(128 * 1024))
		return;
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&config, little_memory, 0);
}
END_TEST

/* Messages */

RING_TEST(messages_go_by_address_and_from_pieces)
{
	struct eio_ll_zc zc = {.threshold = 1};
	static struct iovec iov[2000];
	struct eio_addr addr;
	struct eio_fd a, z;
	struct eio_switch sw;
	char text[64], want[160], got[160];

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	expect_ok(eio_addr_parse(&addr, "127.0.0.1:0"));
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_DGRAM, 0, &a));
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_DGRAM, 0, &z));
	expect_ok(eio_ll_bind(z, &addr));
	expect_ok(eio_ll_getsockname(z, &addr));
	iov[0] = (struct iovec){data, 1000};
	iov[1] = (struct iovec){data + 1000, 7000};
	expect_err(eio_ll_send_msg_zc(a, &addr, iov, 2, 0, &zc), 8000);
	expect_err(eio_ll_recv(z, back, sizeof(back), 0), 8000);
	ck_assert(is_filled(back, 8000, 0));
	expect_ok(eio_ll_zc_await(&zc));
	ck_assert_uint_eq(zc.sends, 1);
	expect_err(eio_ll_send_msg_zc(a, &addr, iov, 2000, 0, &zc), -EMSGSIZE);
	iov[0].iov_len = 70000;
	expect_err(eio_ll_send_msg_zc(a, &addr, iov, 1, 0, &zc), -EMSGSIZE);
	eio_error_format(-EMSGSIZE, got, sizeof(got));
	snprintf(want, sizeof(want), "send_msg_zc %s: Message too long",
		 eio_addr_format(&addr, text, sizeof(text)));
	ck_assert_str_eq(got, want);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

/* Ends of all kinds */

static int fails(void *arg)
{
	struct eio_ll_zc zc = {.threshold = 1};
	const struct linger hard = {.l_onoff = 1};
	struct eio_fd a, z, r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &a, &z);
	expect_ok(eio_ll_setsockopt(z, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	expect_ok(eio_fd_close(z));
	expect_err(eio_ll_send_zc(a, data, 1, 0, &zc), -ECONNRESET);
	expect_err(eio_ll_send_zc(a, data, 1, 0, &zc), -EPIPE);
	ck_assert_str_eq(eio_last_error()->op, "send_zc");
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_send_zc(w, data, 1, 0, &zc), -ENOTSOCK);
	expect_ok(eio_fd_close(a));
	expect_err(eio_ll_send_zc(a, data, 1, 0, &zc), -EBADF);
	eio_ll_zc_end(&zc);
	tcp_pair_on(&sw, &a, &z);
	write_until_full(number(a));
	expect_err(eio_ll_send_zc(a, data, 1, MSG_DONTWAIT, &zc), -EAGAIN);
	expect_err(eio_ll_send_msg_zc(a, NULL, &(struct iovec){data, 1}, 1, MSG_DONTWAIT, &zc),
		   -EAGAIN);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_failed_send_is_released_too)
{
	signal(SIGPIPE, SIG_DFL);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, fails, 0);
}
END_TEST

RING_TEST(a_send_that_cannot_begin_leaves_the_record_as_it_was)
{
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &zc), 10 * SOME);
	expect_err(eio_ll_send_zc((struct eio_fd){0, 0}, data, SOME, 0, &zc), -EBADF);
	ck_assert_uint_eq(zc.busy, 1);
	ck_assert_uint_eq(zc.sends, 1);
	expect_err(eio_ll_send_zc(a, data + 10 * SOME, SOME, 0, &zc), SOME);
	read_back(z, 0, 11 * SOME);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

static int again(void *arg)
{
	const int codes[] = {-EINTR, -EAGAIN};
	struct eio_ll_zc zc = {0};
	struct eio_fd a, z;
	struct eio_switch sw;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &a, &z);
	for (unsigned i = 0; i < 2; i++) {
		faults.refuse.opcode = IORING_OP_SEND_ZC;
		faults.refuse.err = codes[i];
		faults.refuse.nth = 1;
		expect_err(eio_ll_send_zc(a, data, SOME, MSG_WAITALL, &zc), SOME);
		read_back(z, 0, SOME);
		ck_assert_uint_eq(faults.refused, i + 1);
		ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 2 * (i + 1));
		ck_assert_uint_eq(zc.sends, i + 1);
	}
	ck_assert_uint_eq(sent_by(IORING_OP_SEND), 0);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

FAULTS_TEST(an_interrupted_send_is_tried_again, again)

struct sender {
	struct eio_fd fd;
	struct eio_ll_zc *zc;
	size_t len;
	int flags;
	ssize_t rc;
};

static int send_it(void *arg)
{
	struct sender *s = arg;

	s->rc = eio_ll_send_zc(s->fd, data, s->len, s->flags, s->zc);
	note("%s", s->rc < 0 ? eio_err_name((int) s->rc) : "sent");
	return 0;
}

RING_TEST(a_send_that_waits_for_room_is_cancelled_and_another_one_busy)
{
	struct eio_ll_zc zc = {.threshold = 1};
	struct sender s = {.zc = &zc, .len = 100};
	struct eio_switch sw, inner;
	struct eio_fd z;
	size_t full;

	(void) arg;
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &s.fd, &z);
	full = write_until_full(number(s.fd));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, send_it, &s));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	ck_assert_uint_eq(zc.busy, 1);
	expect_err(eio_ll_send_zc(s.fd, data, 100, 0, &zc), -EBUSY);
	end_cancelled(&inner);
	expect_log("ECANCELED");
	eio_ll_zc_end(&zc);
	read_off(number(z), full);
	ck_assert_int_eq(readable_bytes(number(z)), 0);
	return eio_switch_end(&sw, 0);
}

/* A part has gone: that is the result, and its buffer is busy. */
RING_TEST(a_cancelled_send_tells_how_much_went)
{
	struct eio_ll_zc zc = {0};
	struct sender s = {.zc = &zc, .len = MUCH, .flags = MSG_WAITALL};
	struct eio_switch sw, inner;
	struct eio_fd z;

	(void) arg;
	fill(data, MUCH, 0);
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &s.fd, &z);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, send_it, &s));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	end_cancelled(&inner);
	expect_log("sent");
	ck_assert_int_gt(s.rc, 0);
	ck_assert_int_lt(s.rc, MUCH);
	ck_assert_uint_eq(zc.busy, 1);
	read_back(z, 0, (size_t) s.rc);
	expect_ok(eio_ll_zc_await(&zc));
	ck_assert_int_eq(readable_bytes(number(z)), 0);
	return eio_switch_end(&sw, 0);
}

static int noop(void *arg)
{
	(void) arg;
	return eio_ll_noop();
}

/* It has not even been queued: the record is free again, and who waits for it is woken. */
static int no_entry(void *arg)
{
	struct eio_ll_zc zc = {0};
	struct sender s = {.zc = &zc, .len = SOME};
	struct eio_switch sw, inner, other;
	struct eio_fd z;

	(void) arg;
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &s.fd, &z);
	eio_switch_begin(&other);
	eio_switch_begin(&inner);
	faults.fail_enter.nth = 1;
	faults.fail_enter.times = 3;
	faults.fail_enter.err = -EBUSY;
	expect_ok(eio_fork(&other, noop, NULL)); /* has the only entry */
	expect_ok(eio_fork(&inner, send_it, &s));
	ck_assert_uint_eq(zc.busy, 1);
	expect_err(eio_ll_send_zc(s.fd, data, SOME, 0, &zc), -EBUSY);
	expect_ok(eio_fork(&other, await_and_note, &zc));
	end_cancelled(&inner);
	expect_ok(eio_switch_end(&other, 0));
	expect_log("ECANCELED released");
	ck_assert_uint_eq(zc.busy, 0);
	ck_assert_uint_eq(sent_by(IORING_OP_SEND_ZC), 0);
	expect_err(eio_ll_send_zc(s.fd, data, SOME, 0, &zc), SOME);
	read_off(number(z), SOME);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_send_cancelled_before_it_is_queued_leaves_nothing)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.queue_depth = 1}, no_entry, 0);
}
END_TEST

/*
 * The first send has its result, though it was asked to stop, and has not gone on yet when
 * the next one with the record begins. It is not asked to stop again in the other's place.
 */
static int one_after_the_other(void *arg)
{
	struct eio__domain *d = &eio__uring_self()->domain;
	struct eio_ll_zc zc = {.threshold = 1};
	struct sender first = {.zc = &zc, .len = 100}, next;
	struct eio_switch sw, inner, other;
	struct eio_cancel c;
	struct eio_fd z;
	size_t full;

	(void) arg;
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &first.fd, &z);
	next = first;
	full = write_until_full(number(first.fd));
	eio_switch_begin(&other);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, send_it, &first));
	expect_ok(eio_ll_noop());
	faults.deaf = 256;
	eio_switch_fail(&inner, -EIO);
	eio_cancel_protect_begin(&c);
	expect_ok(eio_ll_noop());
	read_off(number(z), full);
	for (int i = 0; i < 1000 && zc.sends == 0; i++)
		d->ops->poll(d, false);
	expect_log("");
	ck_assert_uint_eq(zc.sends, 1);
	faults.deaf = 0;
	full = 100 + write_until_full(number(first.fd));
	expect_ok(eio_fork(&other, send_it, &next));
	for (int i = 0; i < 300; i++)
		d->ops->poll(d, false);
	expect_log("");
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("sent");
	read_off(number(z), full);
	eio_cancel_end(&c);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_ok(eio_switch_end(&other, 0));
	expect_log("sent");
	expect_err(first.rc, 100);
	expect_err(next.rc, 100);
	read_off(number(z), 100);
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

FAULTS_TEST(a_late_request_to_cancel_does_not_meet_the_next_send, one_after_the_other)

/* Dumps tell who waits for what. */
RING_TEST(dumps_tell_of_both_waits)
{
	struct eio_ll_zc zc = {.threshold = 1};
	struct sender s = {.zc = &zc, .len = 100};
	struct eio_switch sw, inner;
	struct eio_buffer_sink sink;
	char want[64];
	struct eio_fd z;

	(void) arg;
	eio_switch_begin(&sw);
	tcp_pair_on(&sw, &s.fd, &z);
	write_until_full(number(s.fd));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, send_it, &s));
	expect_ok(eio_fork(&inner, await_and_note, &zc));
	expect_ok(eio_ll_noop());
	expect_ok(eio_dump(eio_buffer_sink_init(&sink, 65536)));
	snprintf(want, sizeof(want), "send_zc on fd %d", number(s.fd));
	ck_assert_msg(strstr(sink.data, want), "%s", sink.data);
	ck_assert_msg(strstr(sink.data, "buffers being sent"), "%s", sink.data);
	eio_buffer_sink_fini(&sink);
	end_cancelled(&inner);
	log_clear();
	eio_ll_zc_end(&zc);
	return eio_switch_end(&sw, 0);
}

/* Domains */

static struct eio_ll_zc left; /* outlives them */
static unsigned warnings;

static void count_warning(int level, const char *msg, void *arg)
{
	(void) arg;
	warnings += level == EIO_LOG_WARNING && strstr(msg, "zc_end");
}

static int from_elsewhere(void *arg)
{
	struct eio_fd *fd = arg;

	expect_err(eio_ll_zc_await(&left), -EPERM);
	ck_assert_str_eq(eio_last_error()->op, "zc_await");
	eio_ll_zc_end(&left);
	if (fd)
		expect_err(eio_ll_send_zc(*fd, data, SOME, 0, &left), -EPERM);
	return 0;
}

static int run_elsewhere(struct eio_env *e, void *arg)
{
	(void) e;
	return from_elsewhere(arg);
}

static void *in_a_ring(void *arg)
{
	expect_ok(eio_run(NULL, run_elsewhere, arg));
	return NULL;
}

static int busy_here(void *arg)
{
	struct eio_fd a, z;
	struct eio_switch sw;
	pthread_t t;

	(void) arg;
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	left = (struct eio_ll_zc){0};
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &left), 10 * SOME);
	eio_set_log(count_warning, NULL);
	ck_assert_int_eq(pthread_create(&t, NULL, in_a_ring, &a), 0);
	pthread_join(t, NULL);
	ck_assert_uint_eq(warnings, 1);
	ck_assert_uint_eq(left.busy, 1);
	read_off(number(z), 10 * SOME);
	eio_ll_zc_end(&left);
	eio_set_log(NULL, NULL);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_busy_record_belongs_to_its_domain)
{
	warm_up_threads(1);
	run_ring(busy_here, 0);
}
END_TEST

/* The domain ends while the kernel has the buffer: eio_run returns when it is released. */
static int receiver_fd;
static unsigned over;

static void *read_when_over(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		sched_yield();
	read_off(receiver_fd, 10 * SOME);
	return arg;
}

static int leave_it_busy(void *arg)
{
	struct eio_switch sw;
	struct eio_fd a, z;

	(void) arg;
	eio_switch_begin(&sw);
	full_pair_on(&sw, &a, &z);
	expect_err(eio_ll_send_zc(a, data, 10 * SOME, 0, &left), 10 * SOME);
	receiver_fd = dup(number(z));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(left.busy, 1);
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int leave_it(struct eio_env *e, void *arg)
{
	(void) e;
	return leave_it_busy(arg);
}

START_TEST(the_end_of_a_domain_waits_for_its_buffers)
{
	pthread_t t;

	for (int i = 0; i < 3; i++) {
		over = 0;
		ck_assert_int_eq(pthread_create(&t, NULL, read_when_over, NULL), 0);
		expect_ok(eio_run(NULL, leave_it, NULL));
		ck_assert_uint_eq(left.busy, 0);
		ck_assert_uint_eq(left.sends, (unsigned) i + 1); /* used anew each time */
		pthread_join(t, NULL);
		close(receiver_fd);
	}
}
END_TEST

static int have_it(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	return eio_ll_op_supported(IORING_OP_SENDMSG_ZC) ? 0 : 77;
}

int main(void)
{
	const TTest *const tests[] = {
		a_send_is_over_before_its_buffer_is_released,
		sends_are_pipelined_and_counted_test,
		all_who_wait_are_woken_test,
		a_buffer_cannot_be_taken_back_test,
		closing_the_socket_does_not_take_the_buffer_back_resetting_does_test,
		what_is_short_is_copied,
		an_older_kernel_copies,
		where_it_is_refused_it_copies,
		registered_blocks_are_sent_as_such,
		without_a_right_to_lock_memory_it_copies,
		messages_go_by_address_and_from_pieces_test,
		a_failed_send_is_released_too,
		a_send_that_cannot_begin_leaves_the_record_as_it_was_test,
		an_interrupted_send_is_tried_again,
		a_send_that_waits_for_room_is_cancelled_and_another_one_busy_test,
		a_cancelled_send_tells_how_much_went_test,
		a_send_cancelled_before_it_is_queued_leaves_nothing,
		a_late_request_to_cancel_does_not_meet_the_next_send,
		dumps_tell_of_both_waits_test,
		a_busy_record_belongs_to_its_domain,
		the_end_of_a_domain_waits_for_its_buffers,
	};

	if (eio_run(NULL, have_it, NULL) != 0)
		return 77;
	return run_suite("ll_zc", tests, sizeof(tests) / sizeof(tests[0]), true);
}
