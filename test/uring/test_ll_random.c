/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The system call, in the place of the C library's, with what it does seldom. */
static unsigned calls, refusals;
static int refusal;
static size_t most;

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	calls++;
	if (refusals > 0) {
		refusals--;
		errno = refusal;
		return -1;
	}
	ck_assert_uint_eq(flags, GRND_NONBLOCK);
	if (len > most)
		len = most;
	return syscall(SYS_getrandom, buf, len, flags);
}

/* Every byte was written, if not to the same value as before, and nothing beyond. */
static bool is_random(size_t len)
{
	static unsigned char once[200001], twice[sizeof(once)];

	memset(once, 0, sizeof(once));
	memset(twice, 0, sizeof(twice));
	for (int i = 0; i < 4; i++) {
		expect_ok(eio_ll_getrandom(twice, len));
		for (size_t at = 0; at < sizeof(once); at++)
			once[at] |= twice[at];
	}
	/* That a byte is 0 four times happens once in 2^32. */
	return !memchr(once, 0, len) && once[len] == 0;
}

RING_TEST(buffers_of_any_length_are_filled)
{
	const size_t lengths[] = {1, 32, 257, 65536, 65537, 200000};

	(void) arg;
	most = SIZE_MAX;
	for (unsigned i = 0; i < 6; i++)
		ck_assert(is_random(lengths[i]));
	calls = 0;
	expect_ok(eio_ll_getrandom(NULL, 0));
	ck_assert_uint_eq(calls, 0);
	return 0;
}

static int neighbour(void *arg)
{
	note("neighbour");
	(void) arg;
	return 0;
}

static int draw(void *arg)
{
	static char much[200000];
	int rc = eio_ll_getrandom(much, sizeof(much));

	(void) arg;
	note("%s", rc == 0 ? "drawn" : eio_err_name(rc));
	return 0;
}

static int yield_then_note(void *arg)
{
	eio_yield();
	return neighbour(arg);
}

RING_TEST(others_run_between_the_pieces)
{
	struct eio_switch sw;

	(void) arg;
	most = SIZE_MAX;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, yield_then_note, NULL));
	expect_ok(eio_fork(&sw, draw, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("neighbour drawn");
	return 0;
}

RING_TEST(it_can_be_cancelled_between_the_pieces)
{
	struct eio_switch sw;

	(void) arg;
	most = SIZE_MAX;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, draw, NULL));
	end_cancelled(&sw);
	expect_log("ECANCELED");
	return 0;
}

RING_TEST(interrupted_and_short_draws_go_on)
{
	(void) arg;
	most = 100;
	calls = 0;
	refusal = EINTR;
	refusals = 2;
	ck_assert(is_random(1000));
	ck_assert_uint_eq(calls, 42);
	return 0;
}

/* As after the machine has started: the device tells when. */
static struct faults faults;

static int draw_early(void *arg)
{
	unsigned fds = count_fds();

	(void) arg;
	most = SIZE_MAX;
	calls = 0;
	refusal = EAGAIN;
	refusals = 1;
	ck_assert(is_random(32));
	ck_assert_uint_eq(calls, 5);
	/* A second time where it is on another mount than the root. */
	ck_assert_uint_ge(faults.entries[IORING_OP_OPENAT2], 1);
	ck_assert_uint_le(faults.entries[IORING_OP_OPENAT2], 2);
	ck_assert_uint_eq(faults.entries[IORING_OP_POLL_ADD], 1);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

START_TEST(the_seed_is_waited_for)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(draw_early, 0);
}
END_TEST

RING_TEST(it_fails_as_the_system_says)
{
	struct eio_cancel c;
	char b[8];

	(void) arg;
	most = SIZE_MAX;
	refusal = EFAULT;
	refusals = 1;
	expect_err(eio_ll_getrandom(b, sizeof(b)), -EFAULT);
	ck_assert_str_eq(eio_last_error()->op, "getrandom");
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	calls = 0;
	expect_err(eio_ll_getrandom(b, sizeof(b)), -ECANCELED);
	ck_assert_uint_eq(calls, 0);
	eio_cancel_end(&c);
	return 0;
}

SUITE_MAIN("ll_random", true, buffers_of_any_length_are_filled_test,
	   others_run_between_the_pieces_test, it_can_be_cancelled_between_the_pieces_test,
	   interrupted_and_short_draws_go_on_test, the_seed_is_waited_for,
	   it_fails_as_the_system_says_test)
