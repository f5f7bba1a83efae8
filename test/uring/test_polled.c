/* SPDX-License-Identifier: ISC */
/*
 * Polled transfers. Few machines have a device that can be polled, so here the second ring
 * pretends: it is asked for as one that polls, and made as one that does not, which takes
 * any file, a pipe for instance, and completes when it is entered. The last tests are with
 * the kernel's own, as far as the file system can.
 */
#include "faults.h"
#include "support.h"
#include "uring/polled.h"
#include "uring/util.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* Stands in front of liburing's. */
static bool real;
static unsigned unknown_flags, set_ups, last_flags;
static int refusal; /* of second rings */

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	static int (*next)(unsigned, struct io_uring *, struct io_uring_params *);

	if (!next)
		*(void **) &next = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	if (!(p->flags & IORING_SETUP_IOPOLL))
		return next(entries, ring, p);
	set_ups++;
	last_flags = p->flags;
	if (p->flags & unknown_flags)
		return -EINVAL;
	if (refusal)
		return refusal;
	if (!real)
		p->flags &= ~(IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL);
	return next(entries, ring, p);
}

static char said[512];

static void keep_line(int level, const char *line, void *arg)
{
	(void) level, (void) arg;
	snprintf(said, sizeof(said), "%s", line);
}

static void polled_pipe_on(struct eio_switch *sw, struct eio_fd *r, struct eio_fd *w)
{
	pipe_on(sw, r, w);
	expect_ok(eio_ll_set_polled(*r, true));
}

static bool in_flight(void)
{
	return eio__polled_in_flight(eio__uring_self());
}

/* Where transfers go */

RING_TEST(transfers_of_marked_handles_go_by_a_second_ring)
{
	struct eio_switch sw;
	struct eio_fd fd, plain;
	char b[8];
	int unix_fd = temp_file();

	(void) arg;
	set_ups = 0;
	eio_switch_begin(&sw);
	plain = file_on(&sw);
	expect_ok(eio_ll_write_all(plain, "x", 1, 0));
	expect_ok(eio_fd_of_unix(&sw, unix_fd, EIO_FD_CLOSE | EIO_FD_POLLED, &fd));
	ck_assert_ptr_null(eio__uring_self()->polled);
	expect_ok(eio_ll_write_all(fd, "polled", 6, 0));
	ck_assert_uint_eq(set_ups, 1);
	ck_assert_uint_eq(last_flags & IORING_SETUP_HYBRID_IOPOLL, 0);
	ck_assert_uint_eq(eio__uring_self()->polled->ring.finals, 1);
	expect_err(eio_ll_read(fd, b, 8, 0), 6);
	ck_assert_uint_eq(eio__uring_self()->polled->ring.finals, 2);

	expect_ok(eio_ll_set_polled(fd, false));
	expect_err(eio_ll_read(fd, b, 8, 0), 6);
	ck_assert_uint_eq(eio__uring_self()->polled->ring.finals, 2);
	expect_ok(eio_ll_set_polled(plain, true));
	expect_err(eio_ll_read(plain, b, 8, 0), 1);
	ck_assert_uint_eq(eio__uring_self()->polled->ring.finals, 3);
	ck_assert_uint_eq(set_ups, 1);

	expect_ok(eio_fd_close(fd));
	expect_err(eio_ll_read(fd, b, 8, 0), -EBADF);
	expect_err(eio_ll_set_polled(fd, true), -EBADF);
	expect_err(eio_ll_set_polled((struct eio_fd){0, 0}, true), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* What the second ring was last asked for. */
static unsigned last_opcode(void)
{
	const struct io_uring_sq *sq = &eio__uring_self()->polled->ring.uring.sq;

	return sq->sqes[(sq->sqe_tail - 1) & sq->ring_mask].opcode;
}

#define expect_polled(op, call, result)                                                            \
	do {                                                                                       \
		expect_err(call, result);                                                          \
		ck_assert_uint_eq(last_opcode(), op);                                              \
	} while (0)

enum { BLOCK = 4096, SIZE = 3 * BLOCK };

static int move_bytes(void *arg)
{
	static char buf[SIZE], back[SIZE];
	struct iovec iov[2] = {{buf, 100}, {buf + 100, SIZE - 100}};
	struct iovec iov_back[2] = {{back, 5000}, {back + 5000, SIZE - 5000}};
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;
	bool registered;

	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_set_polled(fd, true));
	fill(buf, SIZE, 0);
	expect_polled(IORING_OP_WRITE, eio_ll_write_all(fd, buf, SIZE, 0), 0);
	expect_polled(IORING_OP_READ, eio_ll_read(fd, back, SIZE, BLOCK), SIZE - BLOCK);
	ck_assert(is_filled(back, SIZE - BLOCK, BLOCK));
	fill(buf, SIZE, 7);
	expect_polled(IORING_OP_WRITEV, eio_ll_writev(fd, iov, 2, EIO_CURRENT), 0);
	expect_polled(IORING_OP_READV, eio_ll_readv(fd, iov_back, 2, 0), SIZE);
	ck_assert(is_filled(back, SIZE, 7));
	expect_err(eio_ll_readv(fd, iov_back, 2, SIZE), 0);
	expect_polled(IORING_OP_WRITEV, eio_ll_writev_single(fd, iov, 1, 0), 100);

	expect_ok(eio_ll_alloc_fixed(&c));
	registered = eio_ll_fixed_registered() && !arg;
	fill(c.data, BLOCK, 3);
	expect_polled(registered ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE,
		      eio_ll_write(fd, c, BLOCK, BLOCK), 0);
	memset(c.data, 0, BLOCK);
	expect_polled(registered ? IORING_OP_READ_FIXED : IORING_OP_READ,
		      eio_ll_read_upto(fd, c, BLOCK, BLOCK), BLOCK);
	ck_assert(is_filled(c.data, BLOCK, 3));
	expect_err(eio_ll_read_exactly(fd, c, BLOCK, SIZE), EIO_EOF);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

START_TEST(the_bytes_are_the_same)
{
	run_ring_with(NULL, move_bytes, 0);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_NO_FIXED}, move_bytes, 0);
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2,
					   .flags = EIO_RUN_PIN_POLLING,
					   .polling_cpu = (unsigned) sched_getcpu()},
		      move_bytes, 0);
}
END_TEST

/* The second ring's registration, which the kernel refuses. */
static int move_bytes_of_plain_blocks(void *arg)
{
	ck_assert(eio_ll_fixed_registered());
	forbid_register(IORING_REGISTER_BUFFERS, 0, ENOMEM);
	(void) arg;
	return move_bytes(&said);
}

START_TEST(blocks_are_plain_memory_where_the_second_ring_has_none)
{
	run_ring_with(NULL, move_bytes_of_plain_blocks, 0);
}
END_TEST

/* Polling */

static struct faults faults; /* of the first ring: counts */

static int read_byte(void *arg)
{
	char b;

	return (int) eio_ll_read(*(struct eio_fd *) arg, &b, 1, EIO_CURRENT);
}

static int read_and_note(void *arg)
{
	note("%d", read_byte(arg));
	return 0;
}

static int sleep_and_look(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w, plain_r, plain_w;
	unsigned sleeps;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	pipe_on(&sw, &plain_r, &plain_w);
	expect_ok(eio_fork(&sw, read_and_note, &r));
	expect_ok(eio_ll_noop());
	ck_assert(in_flight());
	sleeps = faults.sleeps;
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(3)));
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_byte, &plain_r), -ETIMEDOUT);
	ck_assert_uint_eq(faults.sleeps, sleeps);
	ck_assert(in_flight());
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	while (in_flight())
		expect_ok(eio_yield());
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(3)));
	ck_assert_uint_gt(faults.sleeps, sleeps);
	expect_log("1");
	return eio_switch_end(&sw, 0);
}

START_TEST(a_domain_does_not_sleep_while_it_polls_and_does_after)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring_with(NULL, sleep_and_look, 0);
}
END_TEST

static void *set_event(void *arg)
{
	eio_event_set(arg);
	return NULL;
}

RING_TEST(others_wake_a_domain_that_polls)
{
	struct eio_switch sw;
	struct eio_event event;
	struct eio_fd r, w;
	pthread_t t;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	expect_ok(eio_fork(&sw, read_and_note, &r));
	expect_ok(eio_event_init(&event));
	ck_assert_int_eq(pthread_create(&t, NULL, set_event, &event), 0);
	expect_ok(eio_event_await(&event));
	pthread_join(t, NULL);
	eio_event_fini(&event);
	ck_assert(in_flight());
	expect_log("");
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("1");
	return 0;
}

/* The only fiber waits for its own transfer, which another thread completes. */
static void *write_byte(void *arg)
{
	usleep(1000);
	ck_assert_int_eq(write(*(int *) arg, "x", 1), 1);
	return NULL;
}

RING_TEST(the_only_fiber_polls_for_itself)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	pthread_t t;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	unix_fd = number(w);
	ck_assert_int_eq(pthread_create(&t, NULL, write_byte, &unix_fd), 0);
	expect_err(read_byte(&r), 1);
	pthread_join(t, NULL);
	return eio_switch_end(&sw, 0);
}

/* A fiber that is always ready starves no transfer. */
RING_TEST(a_busy_domain_polls)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	expect_ok(eio_fork(&sw, read_and_note, &r));
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	for (int i = 0; !*log_text() && i < 10000; i++)
		expect_ok(eio_yield());
	expect_log("1");
	return eio_switch_end(&sw, 0);
}

/* Cancelling, closing */

RING_TEST(a_cancelled_transfer_is_waited_for)
{
	struct eio_switch sw, inner;
	struct eio_cancel c;
	struct eio_fd r, w;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	unix_fd = number(w);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_and_note, &r));
	eio_switch_fail(&inner, -EIO);
	eio_cancel_protect_begin(&c);
	for (int i = 0; i < 50; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	/* Nobody is asked: the first ring knows nothing of it. */
	ck_assert(eio__list_empty(&eio__uring_self()->asked));
	ck_assert_int_eq(write(unix_fd, "x", 1), 1);
	eio_cancel_end(&c);
	expect_err(read_byte(&r), -ECANCELED);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("1");

	/* A failure is its own, too. */
	expect_ok(eio_ll_set_polled(w, true));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_and_note, &w));
	eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("-9");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_handle_in_use_is_closed_by_its_transfer)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	unix_fd = number(r);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_and_note, &r));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fd_close(r));
	ck_assert(is_open(unix_fd));
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("1");
	ck_assert(!is_open(unix_fd));
	return eio_switch_end(&sw, 0);
}

static int count_read(void *arg)
{
	expect_err(read_byte(arg), 1);
	return 0;
}

static int crowd(void *arg)
{
	enum { N = 200 };
	static char bytes[N];
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	for (int round = 0; round < 3; round++) {
		eio_switch_begin(&inner);
		for (int i = 0; i < N; i++)
			expect_ok(eio_fork(&inner, count_read, &r));
		expect_ok(eio_ll_write_all(w, bytes, N, EIO_CURRENT));
		expect_ok(eio_switch_end(&inner, 0));
	}
	ck_assert(!in_flight());
	return eio_switch_end(&sw, 0);
}

START_TEST(more_transfers_than_entries_are_all_made)
{
	run_ring_with(&(struct eio_config){.queue_depth = 1}, crowd, 0);
	run_ring_with(&(struct eio_config){.queue_depth = 16}, crowd, 0);
}
END_TEST

/* Those that wait for an entry can be cancelled: what is in the queue stays, as the kernel
 * refuses to take it. */
static int refuse_to_enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) r, (void) wait, (void) timeout_ns;
	return -EBUSY;
}

static int cancel_in_line(void *arg)
{
	struct eio__ring *second;
	struct eio_switch sw, inner;
	struct eio_cancel c;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	expect_err(read_byte(&r), 1);
	second = &eio__uring_self()->polled->ring;
	eio_switch_begin(&inner);
	for (unsigned i = 0; i < second->uring.sq.ring_entries; i++)
		expect_ok(eio_fork(&sw, read_and_note, &r));
	second->enter = refuse_to_enter;
	expect_ok(eio_fork(&inner, read_and_note, &r));
	eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("-125");
	second->enter = eio__ring_kernel_enter;
	eio_cancel_protect_begin(&c);
	expect_ok(eio_ll_write_all(w, "yz", second->uring.sq.ring_entries, EIO_CURRENT));
	eio_cancel_end(&c);
	return eio_switch_end(&sw, 0);
}

START_TEST(one_that_waits_for_an_entry_is_cancelled)
{
	run_ring_with(&(struct eio_config){.queue_depth = 2}, cancel_in_line, 0);
}
END_TEST

/* The second ring */

RING_TEST(a_second_ring_that_is_refused_fails_its_transfers_alone)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_set_log(keep_line, NULL);
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	refusal = -EMFILE;
	expect_err(read_byte(&r), -EMFILE);
	ck_assert_str_eq(eio_last_error()->op, "read");
	ck_assert_ptr_nonnull(strstr(said, "polled transfers: no descriptor left"));
	unknown_flags = IORING_SETUP_IOPOLL;
	expect_err(read_byte(&r), -EINVAL);
	expect_ok(eio_ll_set_polled(r, false));
	expect_err(read_byte(&r), 1);
	refusal = 0;
	unknown_flags = 0;
	expect_ok(eio_ll_set_polled(r, true));
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	expect_err(read_byte(&r), 1);
	return eio_switch_end(&sw, 0);
}

static int read_polled(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_err(read_byte(&r), 1);
	return eio_switch_end(&sw, 0);
}

START_TEST(hybrid_polling_is_asked_for_where_the_kernel_knows_it)
{
	struct eio_config config = {.flags = EIO_RUN_HYBRID_IOPOLL};

	run_ring_with(&config, read_polled, 0);
	ck_assert_uint_ne(last_flags & IORING_SETUP_HYBRID_IOPOLL, 0);
	unknown_flags = IORING_SETUP_HYBRID_IOPOLL;
	run_ring_with(&config, read_polled, 0);
	ck_assert_uint_eq(last_flags & IORING_SETUP_HYBRID_IOPOLL, 0);
	ck_assert_uint_ne(last_flags & IORING_SETUP_SINGLE_ISSUER, 0);
	unknown_flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL;
	run_ring_with(&config, read_polled, 0);
	ck_assert_uint_eq(last_flags & unknown_flags, 0);
}
END_TEST

static int readv_polled(void *arg)
{
	struct iovec iov = {said, 1};
	struct eio_switch sw;
	struct eio_fd r, w;

	expect_ok(read_polled(arg));
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_err(eio_ll_readv(r, &iov, 1, EIO_CURRENT), -EACCES);
	return eio_switch_end(&sw, 0);
}

START_TEST(an_allow_list_holds_for_the_second_ring)
{
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_RESTRICT}, readv_polled, 0);
}
END_TEST

static int read_polled_elsewhere(void *arg)
{
	return read_byte(arg);
}

RING_TEST(a_thread_without_ring_is_EPERM)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	expect_err(on_plain_thread(read_polled_elsewhere, &r), -EPERM);
	expect_err(in_other_domain(read_polled_elsewhere, &r), -EPERM);
	return eio_switch_end(&sw, 0);
}

/* The kernel's own */

static void *aligned_block(void)
{
	void *block = NULL;

	ck_assert_int_eq(posix_memalign(&block, BLOCK, BLOCK), 0);
	return block;
}

/* O_DIRECT is there or not, the device can poll or not: the bytes are right, or the answer
 * is one of those that say so. */
static int poll_a_file(void *arg)
{
	int unix_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600), rc;
	char *block = aligned_block();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	if (unix_fd < 0) {
		free(block);
		return 0;
	}
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, unix_fd, EIO_FD_CLOSE, &fd));
	fill(block, BLOCK, 0);
	ck_assert_int_eq(pwrite(unix_fd, block, BLOCK, 0), BLOCK);
	expect_ok(eio_ll_set_polled(fd, true));
	fill(block, BLOCK, 5);
	rc = eio_ll_write_all(fd, block, BLOCK, 0);
	ck_assert_msg(rc == 0 || rc == -EOPNOTSUPP, "write: %d", rc);
	if (rc == 0) {
		memset(block, 0, BLOCK);
		ck_assert_int_eq(pread(unix_fd, block, BLOCK, 0), BLOCK);
		ck_assert(is_filled(block, BLOCK, 5));
	}
	memset(block, 0, BLOCK);
	rc = (int) eio_ll_read(fd, block, BLOCK, 0);
	ck_assert_msg(rc == BLOCK || rc == -EOPNOTSUPP, "read: %d", rc);
	if (rc == BLOCK)
		ck_assert(is_filled(block, BLOCK, 5) || is_filled(block, BLOCK, 0));
	free(block);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_file_is_polled_or_says_that_it_cannot_be)
{
	real = true;
	run_ring_with(NULL, poll_a_file, 0);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_HYBRID_IOPOLL}, poll_a_file, 0);
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2}, poll_a_file, 0);
}
END_TEST

static int poll_what_cannot_be(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w, fd;
	char b;

	(void) arg;
	said[0] = 0; /* of the first ring */
	eio_switch_begin(&sw);
	polled_pipe_on(&sw, &r, &w);
	fd = file_on(&sw);
	expect_ok(eio_ll_set_polled(fd, true));
	for (int i = 0; i < 3; i++) {
		expect_err(read_byte(&r), -EOPNOTSUPP);
		expect_err(eio_ll_read(fd, &b, 1, 0), -EOPNOTSUPP);
		expect_err(eio_ll_write_all(fd, "x", 1, 0), -EOPNOTSUPP);
		ck_assert_str_eq(eio_last_error()->op, "write");
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(pipes_and_cached_files_are_EOPNOTSUPP)
{
	real = true;
	run_ring_with(NULL, poll_what_cannot_be, 0);
	/* What else is asked of the first ring is not asked of this one. */
	eio_set_log(keep_line, NULL);
	run_ring_with(&(struct eio_config){.napi_busy_poll_us = 1}, poll_what_cannot_be, 0);
	ck_assert_str_eq(said, "");
}
END_TEST

SUITE_MAIN("polled", true, transfers_of_marked_handles_go_by_a_second_ring_test,
	   the_bytes_are_the_same, blocks_are_plain_memory_where_the_second_ring_has_none,
	   a_domain_does_not_sleep_while_it_polls_and_does_after,
	   others_wake_a_domain_that_polls_test, the_only_fiber_polls_for_itself_test,
	   a_busy_domain_polls_test, a_cancelled_transfer_is_waited_for_test,
	   a_handle_in_use_is_closed_by_its_transfer_test, more_transfers_than_entries_are_all_made,
	   one_that_waits_for_an_entry_is_cancelled,
	   a_second_ring_that_is_refused_fails_its_transfers_alone_test,
	   hybrid_polling_is_asked_for_where_the_kernel_knows_it,
	   an_allow_list_holds_for_the_second_ring, a_thread_without_ring_is_EPERM_test,
	   a_file_is_polled_or_says_that_it_cannot_be, pipes_and_cached_files_are_EOPNOTSUPP)
