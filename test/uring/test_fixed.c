/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { N = 4 };

static const struct eio_config four = {.n_blocks = N};
static const struct eio_config four_plain = {.n_blocks = N, .flags = EIO_RUN_NO_FIXED};

/* With four blocks, registered and then plain. */
#define FOUR_TEST(name)                                                                            \
	static int name##_body(void *arg);                                                         \
	START_TEST(name)                                                                           \
	{                                                                                          \
		run_ring_with(&four, name##_body, 0);                                              \
		run_ring_with(&four_plain, name##_body, 0);                                        \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name##_body(void *arg)

static void take_all(struct eio_chunk *c)
{
	for (int i = 0; i < N; i++)
		expect_ok(eio_ll_alloc_fixed(&c[i]));
}

static void give_all(const struct eio_chunk *c)
{
	for (int i = 0; i < N; i++)
		eio_ll_free_fixed(c[i]);
	ck_assert_uint_eq(free_blocks(), N);
}

FOUR_TEST(none_left_is_ENOBUFS)
{
	struct eio_chunk c[N], more = {.index = 99};

	(void) arg;
	take_all(c);
	expect_err(eio_ll_alloc_fixed(&more), -ENOBUFS);
	expect_err(eio_ll_alloc_fixed(&more), -ENOBUFS);
	ck_assert_int_eq(more.index, 99);
	ck_assert_str_eq(eio_last_error()->op, "alloc_fixed");
	eio_ll_free_fixed(c[2]);
	expect_ok(eio_ll_alloc_fixed(&c[2]));
	expect_err(eio_ll_alloc_fixed(&more), -ENOBUFS);
	give_all(c);
	return 0;
}

FOUR_TEST(blocks_are_apart_aligned_and_whole)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);
	struct eio_chunk c[N];

	(void) arg;
	take_all(c);
	for (int i = 0; i < N; i++) {
		ck_assert_uint_eq((uintptr_t) eio_ll_fixed_data(c[i]) % page, 0);
		ck_assert_uint_eq(eio_ll_fixed_length(c[i]), 4096);
		fill(c[i].data, c[i].length, (size_t) i * 1000);
	}
	for (int i = 0; i < N; i++)
		ck_assert(is_filled(c[i].data, c[i].length, (size_t) i * 1000));
	give_all(c);
	return 0;
}

/* Waiting for one */

static int wait_for_block(void *arg)
{
	const char *name = arg;
	struct eio_chunk c;
	int rc = eio_ll_alloc_fixed_or_wait(&c);

	if (rc < 0) {
		note("%s:%s", name, eio_err_name(rc));
		return 0;
	}
	note("%s", name);
	expect_ok(eio_yield());
	eio_ll_free_fixed(c);
	return 0;
}

FOUR_TEST(a_free_block_is_not_waited_for)
{
	struct eio_chunk c;

	(void) arg;
	for (int i = 0; i < 100; i++) {
		expect_ok(eio_ll_alloc_fixed_or_wait(&c));
		eio_ll_free_fixed(c);
	}
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

FOUR_TEST(waiters_are_served_in_order_and_nobody_overtakes)
{
	struct eio_chunk c[N], thief;
	struct eio_switch sw;

	(void) arg;
	take_all(c);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_for_block, "a"));
	expect_ok(eio_fork(&sw, wait_for_block, "b"));
	expect_ok(eio_fork(&sw, wait_for_block, "c"));
	expect_log("");
	eio_ll_free_fixed(c[0]);
	/* It is a's already, who has not run since. */
	expect_err(eio_ll_alloc_fixed(&thief), -ENOBUFS);
	expect_ok(eio_yield());
	expect_log("a");
	eio_ll_free_fixed(c[1]);
	eio_ll_free_fixed(c[2]);
	eio_ll_free_fixed(c[3]);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("b c");
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

FOUR_TEST(a_waiter_cancelled_before_it_waits_takes_nothing)
{
	struct eio_switch sw;
	struct eio_chunk c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_ll_alloc_fixed_or_wait(&c), -ECANCELED);
	/* Taking does not suspend and so is not cancelled. */
	expect_ok(eio_ll_alloc_fixed(&c));
	eio_ll_free_fixed(c);
	ck_assert_uint_eq(free_blocks(), N);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

FOUR_TEST(a_waiter_cancelled_while_it_waits_leaves_the_line)
{
	struct eio_switch sw, inner;
	struct eio_chunk c[N];

	(void) arg;
	take_all(c);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_for_block, "a"));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, wait_for_block, "b"));
	expect_ok(eio_fork(&sw, wait_for_block, "c"));
	end_cancelled(&inner);
	expect_log("b:ECANCELED");
	eio_ll_free_fixed(c[0]);
	eio_ll_free_fixed(c[1]);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a c");
	eio_ll_free_fixed(c[2]);
	eio_ll_free_fixed(c[3]);
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

/* Cancelled, then a block is freed before it has run: the block is not its. */
FOUR_TEST(a_waiter_cancelled_before_the_free_does_not_get_it)
{
	struct eio_switch sw, inner;
	struct eio_chunk c[N];

	(void) arg;
	take_all(c);
	eio_switch_begin(&sw);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, wait_for_block, "a"));
	expect_ok(eio_fork(&sw, wait_for_block, "b"));
	expect_ok(eio_switch_fail(&inner, -EIO));
	eio_ll_free_fixed(c[0]);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:ECANCELED b");
	for (int i = 1; i < N; i++)
		eio_ll_free_fixed(c[i]);
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

/* The block is handed over, then it is cancelled: it has it. */
static int wait_and_give_back(void *arg)
{
	struct eio_chunk c;

	(void) arg;
	expect_ok(eio_ll_alloc_fixed_or_wait(&c));
	note(eio_is_cancelled() ? "cancelled with a block" : "?");
	eio_ll_free_fixed(c);
	return 0;
}

FOUR_TEST(a_waiter_cancelled_after_the_hand_over_has_its_block)
{
	struct eio_switch inner;
	struct eio_chunk c[N];

	(void) arg;
	take_all(c);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, wait_and_give_back, NULL));
	eio_ll_free_fixed(c[0]);
	ck_assert_uint_eq(free_blocks(), 0);
	expect_ok(eio_switch_fail(&inner, -EIO));
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("cancelled with a block");
	for (int i = 1; i < N; i++)
		eio_ll_free_fixed(c[i]);
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

/* Cancelled by the fiber that frees, in all orders: no block is ever lost. */
static int take_and_give(void *arg)
{
	uint64_t *seed = arg;

	for (int i = 0; i < 50; i++) {
		struct eio_chunk c;
		int rc = eio_ll_alloc_fixed_or_wait(&c);

		if (rc < 0)
			return rc;
		for (uint64_t turns = faults_random(seed) % 3; turns && rc == 0; turns--)
			rc = eio_yield();
		eio_ll_free_fixed(c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

FOUR_TEST(blocks_are_never_lost_whoever_is_cancelled)
{
	uint64_t seed = 42;

	(void) arg;
	for (int round = 0; round < 200; round++) {
		struct eio_switch sw;
		int rc = 0;

		eio_switch_begin(&sw);
		for (int i = 0; i < 12 && rc == 0; i++)
			rc = eio_fork(&sw, take_and_give, &seed);
		for (uint64_t turns = faults_random(&seed) % 40; turns; turns--)
			expect_ok(eio_yield());
		if (round % 4)
			end_cancelled(&sw);
		else
			expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(free_blocks(), N);
	}
	return 0;
}

/* with_chunk */

static int use_block(struct eio_chunk c, void *arg)
{
	ck_assert_ptr_nonnull(eio_ll_fixed_data(c));
	note("block");
	return *(int *) arg;
}

static int without_block(void *arg)
{
	note("none");
	return *(int *) arg + 1;
}

FOUR_TEST(with_chunk_lends_a_block_or_falls_back)
{
	struct eio_chunk c[N];
	int result = 5, failure = -EIO;

	(void) arg;
	expect_err(eio_ll_with_chunk(use_block, without_block, &result), 5);
	expect_err(eio_ll_with_chunk(use_block, without_block, &failure), -EIO);
	expect_log("block block");
	ck_assert_uint_eq(free_blocks(), N);
	take_all(c);
	expect_err(eio_ll_with_chunk(use_block, without_block, &result), 6);
	expect_log("none");
	give_all(c);
	return 0;
}

/* Sizes */

static int odd_blocks(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;
	size_t len;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_alloc_fixed(&c));
	len = eio_ll_fixed_length(c);
	ck_assert_uint_eq(len % (size_t) sysconf(_SC_PAGESIZE), 0);
	fill(c.data, len, 9);
	expect_ok(eio_ll_write(fd, c, len, 5));
	memset(c.data, 0, len);
	expect_ok(eio_ll_read_exactly(fd, c, len, 5));
	ck_assert(is_filled(c.data, len, 9));
	eio_ll_free_fixed(c);
	expect_ok(eio_switch_end(&sw, 0));
	return (int) len;
}

START_TEST(block_sizes_are_rounded_up_to_pages)
{
	static const struct {
		size_t want, is;
	} sizes[] = {{1, 4096},      {4095, 4096}, {4096, 4096},      {4097, 8192},
		     {10000, 12288}, {0, 4096},    {1 << 20, 1 << 20}};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		run_ring_with(&(struct eio_config){.n_blocks = 3, .block_size = sizes[i].want},
			      odd_blocks, (int) sizes[i].is);
}
END_TEST

static int count_them(void *arg)
{
	struct eio_chunk c[300];
	int n = 0;

	(void) arg;
	while (n < 300 && eio_ll_alloc_fixed(&c[n]) == 0)
		n++;
	for (int i = 0; i < n; i++)
		eio_ll_free_fixed(c[i]);
	return n;
}

START_TEST(there_are_as_many_blocks_as_configured_or_as_entries)
{
	run_ring_with(&(struct eio_config){.n_blocks = 7}, count_them, 7);
	run_ring_with(&(struct eio_config){.queue_depth = 16}, count_them, 16);
	run_ring_with(&(struct eio_config){.queue_depth = 4096}, count_them, 256);
	run_ring_with(NULL, count_them, 256);
}
END_TEST

static int no_memory(void *arg)
{
	struct eio_chunk c;

	(void) arg;
	expect_err(eio_ll_alloc_fixed(&c), -ENOBUFS);
	expect_err(eio_ll_alloc_fixed_or_wait(&c), -ENOBUFS);
	ck_assert(!eio_ll_fixed_registered());
	return 0;
}

static struct {
	int level;
	unsigned lines;
	char last[256];
} logged;

static void keep_log(int level, const char *msg, void *arg)
{
	(void) arg;
	logged.level = level;
	logged.lines++;
	snprintf(logged.last, sizeof(logged.last), "%s", msg);
}

START_TEST(blocks_there_is_no_memory_for_are_none_at_all)
{
	eio_set_log(keep_log, NULL);
	run_ring_with(&(struct eio_config){.n_blocks = 4000000000u, .block_size = 1u << 30},
		      no_memory, 0);
	ck_assert_uint_eq(logged.lines, 1);
	ck_assert_int_eq(logged.level, EIO_LOG_WARNING);
	ck_assert_ptr_nonnull(strstr(logged.last, "no memory"));
	eio_set_log(NULL, NULL);
}
END_TEST

/* Registration */

static struct faults faults;

static int transfer_registered(void *arg)
{
	const bool *registered = arg;
	int len;

	ck_assert_int_eq(eio_ll_fixed_registered(), *registered);
	len = odd_blocks(NULL);
	ck_assert_int_eq(len, 4096);
	ck_assert_int_eq(faults.entries[IORING_OP_WRITE_FIXED] > 0, *registered);
	ck_assert_int_eq(faults.entries[IORING_OP_READ_FIXED] > 0, *registered);
	ck_assert_int_eq(faults.entries[IORING_OP_WRITE] > 0, !*registered);
	return 0;
}

static int registered(void *arg)
{
	(void) arg;
	return transfer_registered(&(bool){true});
}

static int plain(void *arg)
{
	(void) arg;
	return transfer_registered(&(bool){false});
}

START_TEST(blocks_are_registered_and_used_as_such)
{
	eio_set_log(keep_log, NULL);
	faults_install(&faults);
	run_ring(registered, 0);
	ck_assert_uint_eq(logged.lines, 0);
	eio_set_log(NULL, NULL);
}
END_TEST

START_TEST(EIO_RUN_NO_FIXED_leaves_them_plain_without_a_word)
{
	eio_set_log(keep_log, NULL);
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_NO_FIXED}, plain, 0);
	ck_assert_uint_eq(logged.lines, 0);
	eio_set_log(NULL, NULL);
}
END_TEST

START_TEST(a_refused_registration_is_one_warning_and_plain_memory)
{
	/* Room for a ring, which some kernels charge, and not for the blocks. */
	if (!limit_locked_memory(512 * 1024))
		return;
	eio_set_log(keep_log, NULL);
	faults_install(&faults);
	run_ring(plain, 0);
	ck_assert_uint_eq(logged.lines, 1);
	ck_assert_int_eq(logged.level, EIO_LOG_WARNING);
	ck_assert_ptr_nonnull(strstr(logged.last, "RLIMIT_MEMLOCK"));
	eio_set_log(NULL, NULL);
}
END_TEST

/* Whose block it is */

static int alien(struct eio_env *e, void *arg)
{
	(void) e;
	eio_ll_free_fixed(*(struct eio_chunk *) arg);
	return 0;
}

static void *other_domain(void *arg)
{
	expect_ok(eio_run(&four, alien, arg));
	eio_ll_free_fixed(*(struct eio_chunk *) arg); /* without any domain */
	return NULL;
}

static int give_to_others(void *arg)
{
	struct eio_chunk c;
	pthread_t t;

	(void) arg;
	expect_ok(eio_ll_alloc_fixed(&c));
	ck_assert_int_eq(pthread_create(&t, NULL, other_domain, &c), 0);
	pthread_join(t, NULL);
	ck_assert_uint_eq(logged.lines, 2);
	ck_assert_ptr_nonnull(strstr(logged.last, "not of this domain"));
	ck_assert_uint_eq(free_blocks(), N - 1);
	eio_ll_free_fixed(c);
	return 0;
}

/* The last one, which ends the list of free ones, too. */
static int give_back_twice(void *arg)
{
	struct eio_chunk c[2], middle;

	(void) arg;
	expect_ok(eio_ll_alloc_fixed(&c[0]));
	expect_ok(eio_ll_alloc_fixed(&c[1]));
	middle = c[1];
	middle.data = (char *) middle.data + 16;
	eio_ll_free_fixed(middle);
	ck_assert_uint_eq(logged.lines, 1);
	ck_assert_ptr_nonnull(strstr(logged.last, "the block is none"));
	for (int i = 0; i < 2; i++)
		eio_ll_free_fixed(c[i]);
	for (int i = 0; i < 2; i++)
		eio_ll_free_fixed(c[i]);
	ck_assert_uint_eq(logged.lines, 3);
	ck_assert_ptr_nonnull(strstr(logged.last, "was given back before"));
	ck_assert_uint_eq(free_blocks(), N);
	return 0;
}

START_TEST(a_block_given_back_twice_is_refused_with_a_warning)
{
	eio_set_log(keep_log, NULL);
	run_ring_with(&four, give_back_twice, 0);
	eio_set_log(NULL, NULL);
}
END_TEST

START_TEST(a_block_given_back_elsewhere_is_refused_with_a_warning)
{
	warm_up_threads(2);
	eio_set_log(keep_log, NULL);
	run_ring_with(&four, give_to_others, 0);
	eio_set_log(NULL, NULL);
}
END_TEST

SUITE_MAIN("fixed", true, none_left_is_ENOBUFS, blocks_are_apart_aligned_and_whole,
	   a_free_block_is_not_waited_for, waiters_are_served_in_order_and_nobody_overtakes,
	   a_waiter_cancelled_before_it_waits_takes_nothing,
	   a_waiter_cancelled_while_it_waits_leaves_the_line,
	   a_waiter_cancelled_before_the_free_does_not_get_it,
	   a_waiter_cancelled_after_the_hand_over_has_its_block,
	   blocks_are_never_lost_whoever_is_cancelled, with_chunk_lends_a_block_or_falls_back,
	   block_sizes_are_rounded_up_to_pages,
	   there_are_as_many_blocks_as_configured_or_as_entries,
	   blocks_there_is_no_memory_for_are_none_at_all, blocks_are_registered_and_used_as_such,
	   EIO_RUN_NO_FIXED_leaves_them_plain_without_a_word,
	   a_refused_registration_is_one_warning_and_plain_memory,
	   a_block_given_back_twice_is_refused_with_a_warning,
	   a_block_given_back_elsewhere_is_refused_with_a_warning)
