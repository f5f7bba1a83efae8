/* SPDX-License-Identifier: ISC */
/*
 * Operations of several fibers at once, with queues of one to four entries.
 */
#include "faults.h"
#include "support.h"
#include "io/util.h"
#include "uring/util.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <liburing.h>

static struct faults counter;

/* With each of the queues. */
#define SMALL_TEST(name)                                                                           \
	static int name##_body(void *arg);                                                         \
	START_TEST(name)                                                                           \
	{                                                                                          \
		faults_install(&counter);                                                          \
		for (unsigned depth = 1; depth <= 4; depth++) {                                    \
			counter = (struct faults){.seed = depth};                                  \
			run_ring_with(&(struct eio_config){.queue_depth = depth}, name##_body, 0); \
		}                                                                                  \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name##_body(void *arg)

/* The byte is read directly: who is told twice of the same one would hang. */
static int take_one_byte(void *arg)
{
	const struct eio_fd *r = arg;
	char b;

	expect_ok(eio_ll_await_readable(*r));
	ck_assert_int_eq(read(number(*r), &b, 1), 1);
	note("%c", b);
	return 0;
}

SMALL_TEST(one_who_waits_for_readiness_is_told)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, take_one_byte, &r));
	expect_ok(eio_yield());
	expect_ok(eio_ll_await_writable(w));
	expect_log("");
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("x");
	return eio_switch_end(&sw, 0);
}

SMALL_TEST(all_who_wait_for_the_same_readiness_are_told)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	eio_switch_begin(&inner);
	for (int i = 0; i < 6; i++)
		expect_ok(eio_fork(&inner, take_one_byte, &r));
	expect_ok(eio_yield());
	expect_log("");
	ck_assert_int_eq(write(number(w), "abcdef", 6), 6);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("a b c d e f");
	return eio_switch_end(&sw, 0);
}

/* Vectors, from one fiber to another */

static int write_two_words(void *arg)
{
	const struct eio_fd *w = arg;
	char b[] = "barfoo";
	struct iovec iov[2] = {{b + 3, 3}, {b, 3}};

	expect_ok(eio_ll_writev(*w, iov, 2, EIO_CURRENT));
	return eio_fd_close(*w);
}

struct message {
	struct eio_fd r;
	char text[32];
};

static int read_two_words(void *arg)
{
	struct message *m = arg;
	struct iovec iov[2] = {{m->text + 5, 3}, {m->text + 15, 3}};

	expect_err(eio_ll_readv(m->r, iov, 2, EIO_CURRENT), 6);
	expect_err(eio_ll_readv(m->r, iov, 2, EIO_CURRENT), 0);
	return 0;
}

SMALL_TEST(vectors_are_gathered_and_scattered_through_a_pipe)
{
	struct message m = {.text = "Got [   ] and [   ]"};
	struct eio_switch sw;
	struct eio_fd w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &m.r, &w);
	expect_ok(eio_both(read_two_words, &m, write_two_words, &w));
	ck_assert_str_eq(m.text, "Got [foo] and [bar]");
	return eio_switch_end(&sw, 0);
}

/* Copies, several at once */

struct way {
	struct eio_flow from, to;
	uint64_t len; /* how much there is to carry */
};

static int carry(void *arg)
{
	const struct way *way = arg;
	uint64_t n;

	expect_ok(eio_flow_copy(way->from, way->to, &n));
	ck_assert_uint_eq(n, way->len);
	return eio_flow_close(way->to);
}

enum { HELLOS = 12 };

static int write_twice(void *arg)
{
	const struct eio_flow *to = arg;

	for (int i = 0; i < 2; i++)
		expect_ok(eio_flow_copy_string(*to, "Hello!"));
	return eio_flow_close(*to);
}

static void expect_hellos(struct eio_buffer_sink *sink)
{
	ck_assert_uint_eq(sink->len, HELLOS);
	ck_assert_mem_eq(sink->data, "Hello!Hello!", HELLOS);
	eio_buffer_sink_fini(sink);
}

SMALL_TEST(a_pipe_is_copied_while_it_is_written)
{
	struct way way = {.len = HELLOS};
	struct eio_buffer_sink sink;
	struct eio_flow w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pipe(&sw, &way.from, &w));
	way.to = eio_buffer_sink_init(&sink, 0);
	expect_ok(eio_both(carry, &way, write_twice, &w));
	expect_hellos(&sink);
	return eio_switch_end(&sw, 0);
}

/* Two pipes, a copy from the one to the other, another from there to memory. */
SMALL_TEST(bytes_go_through_two_copies_at_once)
{
	struct way first = {.len = HELLOS}, second = {.len = HELLOS};
	struct eio_buffer_sink sink;
	struct eio_switch sw;
	struct eio_flow w;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pipe(&sw, &first.from, &w));
	expect_ok(eio_pipe(&sw, &second.from, &first.to));
	second.to = eio_buffer_sink_init(&sink, 0);
	expect_ok(eio_all((struct eio_task[]){{carry, &first}, {carry, &second}, {write_twice, &w}},
			  3));
	expect_hellos(&sink);
	return eio_switch_end(&sw, 0);
}

/* Into the pipe they go by a call that does not wait, out of it in a worker of the kernel. */
SMALL_TEST(bytes_are_spliced_through_a_pipe)
{
	enum { LEN = 600000 };
	static char bytes[LEN];
	struct way first = {.len = LEN}, second = {.len = LEN};
	struct eio_switch sw;
	int copied;

	(void) arg;
	fill(bytes, LEN, 0);
	eio_switch_begin(&sw);
	first.from = eio_flow_of_fd(file_on(&sw));
	second.to = eio_flow_of_fd(file_on(&sw));
	copied = dup(flow_number(second.to));
	ck_assert_int_eq(pwrite(flow_number(first.from), bytes, LEN, 0), LEN);
	expect_ok(eio_pipe(&sw, &second.from, &first.to));
	expect_ok(eio_both(carry, &first, carry, &second));
	ck_assert_uint_gt(counter.entries[IORING_OP_SPLICE], 0);
	memset(bytes, 0, LEN);
	ck_assert_int_eq(pread(copied, bytes, LEN, 0), LEN);
	ck_assert(is_filled(bytes, LEN, 0));
	close(copied);
	return eio_switch_end(&sw, 0);
}

/* Reads that nobody ends */

static int read_for_ever(void *arg)
{
	struct eio_flow r, w;
	struct eio_switch sw;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pipe(&sw, &r, &w));
	expect_err(eio_flow_read(r, &b, 1), -ECANCELED);
	note("ended");
	return eio_switch_end(&sw, -ECANCELED);
}

SMALL_TEST(reads_without_end_are_cancelled_queued_or_not)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 8; i++)
		expect_ok(eio_fork(&sw, read_for_ever, NULL));
	expect_err(eio_switch_end(&sw, -EIO), -EIO);
	expect_log("ended ended ended ended ended ended ended ended");
	return 0;
}

SUITE_MAIN("small_queue", true, one_who_waits_for_readiness_is_told,
	   all_who_wait_for_the_same_readiness_are_told,
	   vectors_are_gathered_and_scattered_through_a_pipe, a_pipe_is_copied_while_it_is_written,
	   bytes_go_through_two_copies_at_once, bytes_are_spliced_through_a_pipe,
	   reads_without_end_are_cancelled_queued_or_not)
