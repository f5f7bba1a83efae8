/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/newer.h"
#include "uring/ring.h"
#include "uring/util.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRIVATE = FUTEX_PRIVATE_FLAG };

static uint32_t word, words[4];

static bool is_there(void)
{
	word = 0;
	memset(words, 0, sizeof(words));
	return eio_ll_op_supported(EIO__OP_FUTEX_WAIT) && eio_ll_op_supported(EIO__OP_FUTEX_WAITV);
}

static void some_turns(void)
{
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
}

static int wait_here(void *arg)
{
	note("%s:%d", (const char *) arg, eio_ll_futex_wait(&word, 0, PRIVATE));
	return 0;
}

RING_TEST(a_wake_wakes_so_many_in_order)
{
	struct eio_switch sw;

	(void) arg;
	if (!is_there())
		return 0;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, wait_here, "a"));
	expect_ok(eio_fork(&sw, wait_here, "b"));
	expect_ok(eio_fork(&sw, wait_here, "c"));
	some_turns();
	expect_log("");
	expect_err(eio_ll_futex_wake(&word, 0, PRIVATE), 0);
	some_turns();
	expect_log("");
	expect_err(eio_ll_futex_wake(&word, 1, PRIVATE), 1);
	some_turns();
	expect_log("a:0");
	expect_err(eio_ll_futex_wake(&word, UINT_MAX, PRIVATE), 2);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("b:0 c:0");
	expect_err(eio_ll_futex_wake(&word, 1, PRIVATE), 0);
	return 0;
}

RING_TEST(another_value_is_EAGAIN)
{
	(void) arg;
	if (!is_there())
		return 0;
	expect_err(eio_ll_futex_wait(&word, 1, PRIVATE), -EAGAIN);
	ck_assert_str_eq(eio_last_error()->op, "futex_wait");
	word = UINT32_MAX;
	expect_err(eio_ll_futex_wait(&word, 0, 0), -EAGAIN);
	expect_err(eio_ll_futex_wait(&word, UINT32_MAX - 1, 0), -EAGAIN);
	return 0;
}

RING_TEST(what_is_no_word_fails)
{
	uint32_t *odd = (uint32_t *) ((char *) words + 1), *nowhere = (uint32_t *) 8;

	(void) arg;
	expect_err(eio_ll_futex_wake(odd, 1, PRIVATE), -EINVAL);
	expect_err(eio_ll_futex_wake(nowhere, 1, 0), -EFAULT);
	expect_err(eio_ll_futex_wake(&word, 1, 1), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "futex_wake");
	expect_err(eio_ll_futex_wait(&word, 0, 1), -EINVAL);
	if (!is_there())
		return 0;
	expect_err(eio_ll_futex_wait(odd, 0, PRIVATE), -EINVAL);
	expect_err(eio_ll_futex_wait(nowhere, 0, 0), -EFAULT);
	expect_err(eio_ll_futex_waitv(NULL, 0), -EINVAL);
	expect_err(eio_ll_futex_waitv((struct futex_waitv *) nowhere, 1), -EFAULT);
	ck_assert_str_eq(eio_last_error()->op, "futex_waitv");
	return 0;
}

static struct futex_waitv waits[FUTEX_WAITV_MAX];

static void fill_waits(void)
{
	for (int i = 0; i < FUTEX_WAITV_MAX; i++)
		waits[i] = (struct futex_waitv){
			.uaddr = (uintptr_t) &words[i % 4],
			.flags = FUTEX_32 | PRIVATE,
		};
}

static int wait_for_any(void *arg)
{
	note("%d", eio_ll_futex_waitv(waits, *(unsigned *) arg));
	return 0;
}

RING_TEST(a_wake_of_one_of_several_tells_which)
{
	unsigned counts[] = {1, 4, FUTEX_WAITV_MAX};
	struct eio_switch sw;

	(void) arg;
	if (!is_there())
		return 0;
	fill_waits();
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&sw);
		expect_ok(eio_fork(&sw, wait_for_any, &counts[i]));
		some_turns();
		expect_log("");
		expect_err(eio_ll_futex_wake(i ? &words[2] : &words[0], 1, PRIVATE), 1);
		expect_ok(eio_switch_end(&sw, 0));
		/* The last of those woken. */
		ck_assert_int_eq(atoi(log_text()) % 4, i ? 2 : 0);
		log_clear();
	}
	words[3] = 1;
	expect_err(eio_ll_futex_waitv(waits, 4), -EAGAIN);
	expect_err(eio_ll_futex_waitv(waits, FUTEX_WAITV_MAX + 1), -EINVAL);
	return 0;
}

/* Threads, which know only of futex(2) */

static long futex(uint32_t *at, int op, uint32_t value)
{
	return syscall(SYS_futex, at, op, value, NULL, NULL, 0);
}

/* Waits until the other side has taken a turn, changes the word and wakes it. */
static void *answer(void *arg)
{
	(void) arg;
	for (uint32_t turn = 1; turn < 200; turn += 2) {
		while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != turn)
			futex(&word, FUTEX_WAIT_PRIVATE, turn - 1);
		__atomic_store_n(&word, turn + 1, __ATOMIC_RELEASE);
		futex(&word, FUTEX_WAKE_PRIVATE, 1);
	}
	return NULL;
}

static int play(void *arg)
{
	pthread_t thread;

	(void) arg;
	if (!is_there())
		return 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, answer, NULL), 0);
	for (uint32_t turn = 0; turn < 200; turn += 2) {
		__atomic_store_n(&word, turn + 1, __ATOMIC_RELEASE);
		ck_assert_int_ge(eio_ll_futex_wake(&word, 1, PRIVATE), 0);
		while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != turn + 2) {
			int rc = eio_ll_futex_wait(&word, turn + 1, PRIVATE);

			ck_assert(rc == 0 || rc == -EAGAIN);
		}
	}
	pthread_join(thread, NULL);
	return 0;
}

START_TEST(fibers_and_threads_wake_each_other)
{
	warm_up_threads(1);
	run_ring(play, 0);
}
END_TEST

/* Without the flag the word may be shared with another process. */
RING_TEST(another_process_wakes)
{
	uint32_t *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	(void) arg;
	if (!is_there())
		return munmap(shared, 4096);
	pid = fork();
	if (pid == 0) {
		/* It is there when somebody is woken. */
		for (int tries = 0; tries < 100000; tries++) {
			if (eio_ll_futex_wake(shared, 1, 0) == 1)
				_exit(0);
			usleep(100);
		}
		_exit(1);
	}
	expect_ok(eio_ll_futex_wait(shared, 0, 0));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	return munmap(shared, 4096);
}

/* An older kernel */

static struct faults faults;

static void forget_futexes(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	(void) wait, (void) timeout_ns;
	for (unsigned op = EIO__OP_FUTEX_WAIT; op <= EIO__OP_FUTEX_WAITV; op++)
		r->ops[op / 8] &= (uint8_t) ~(1 << op % 8);
}

static int without_opcodes(void *arg)
{
	(void) arg;
	expect_ok(eio_ll_noop());
	expect_err(eio_ll_futex_wait(&word, 0, PRIVATE), -EOPNOTSUPP);
	ck_assert_str_eq(eio_last_error()->op, "futex_wait");
	expect_err(eio_ll_futex_waitv(waits, 1), -EOPNOTSUPP);
	expect_err(eio_ll_futex_wake(&word, 1, PRIVATE), 0);
	return 0;
}

START_TEST(before_linux_6_7_waiting_is_EOPNOTSUPP)
{
	faults = (struct faults){.seed = 1, .on_enter = forget_futexes};
	faults_install(&faults);
	run_ring(without_opcodes, 0);
}
END_TEST

START_TEST(without_a_ring_one_can_wake_but_not_wait)
{
	expect_err(eio_ll_futex_wait(&word, 0, PRIVATE), -EPERM);
	expect_err(eio_ll_futex_waitv(waits, 1), -EPERM);
	expect_ok(eio_ll_futex_wake(&word, 1, PRIVATE));
}
END_TEST

SUITE_MAIN("ll_futex", true, a_wake_wakes_so_many_in_order_test, another_value_is_EAGAIN_test,
	   what_is_no_word_fails_test, a_wake_of_one_of_several_tells_which_test,
	   fibers_and_threads_wake_each_other, another_process_wakes_test,
	   before_linux_6_7_waiting_is_EOPNOTSUPP, without_a_ring_one_can_wake_but_not_wait)
