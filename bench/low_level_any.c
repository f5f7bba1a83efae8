/* SPDX-License-Identifier: ISC */
/*
 * Any operation, and what works on no descriptor.
 */
#include "low_level.h"

#include <linux/futex.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than liburing 2.3's header. */
enum { OP_FUTEX_WAIT = 51, OP_FUTEX_WAITV = 53, SIZE_U32 = 2 };

/* No-ops: the call, any operation, two that are linked */

static int noop(void)
{
	return eio_ll_noop();
}

static int raw_noop(void)
{
	io_uring_prep_nop(raw());
	return raw_wait();
}

static int await(void)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();

	io_uring_prep_nop(sqe);
	return eio_ll_await(sqe);
}

static int await_n(void)
{
	struct io_uring_sqe sqes[2] = {{0}, {0}};
	int rc, results[2];

	io_uring_prep_nop(&sqes[0]);
	sqes[0].flags = IOSQE_IO_LINK;
	io_uring_prep_nop(&sqes[1]);
	rc = eio_ll_await_n(sqes, 2, results);
	return rc < 0 ? rc : results[0] | results[1];
}

static int raw_await_n(void)
{
	struct io_uring_sqe *sqe = raw();
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	int rc = 0;

	io_uring_prep_nop(sqe);
	sqe->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(raw());
	bench_check(io_uring_submit_and_wait(&ll_ring, 2), "submit_and_wait");
	io_uring_for_each_cqe(&ll_ring, head, cqe)
	{
		rc |= cqe->res;
		n++;
	}
	io_uring_cq_advance(&ll_ring, n);
	return n == 2 ? rc : -EIO;
}

/* Futexes: a word that has changed, and one for which nobody waits */

static uint32_t word = 1;
static struct futex_waitv vector = {.val = 0, .uaddr = 0, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};

static int has_changed(int rc)
{
	return rc == -EAGAIN ? 0 : rc < 0 ? rc : -EIO;
}

static int futex_wait(void)
{
	return has_changed(eio_ll_futex_wait(&word, 0, FUTEX_PRIVATE_FLAG));
}

static int raw_futex_wait(void)
{
	struct io_uring_sqe *sqe = raw();

	io_uring_prep_rw(OP_FUTEX_WAIT, sqe, SIZE_U32 | FUTEX_PRIVATE_FLAG, &word, 0, 0);
	sqe->addr3 = FUTEX_BITSET_MATCH_ANY;
	return has_changed(raw_wait());
}

static int futex_waitv(void)
{
	return has_changed(eio_ll_futex_waitv(&vector, 1));
}

static int raw_futex_waitv(void)
{
	io_uring_prep_rw(OP_FUTEX_WAITV, raw(), 0, &vector, 1, 0);
	return has_changed(raw_wait());
}

static int futex_wake(void)
{
	return eio_ll_futex_wake(&word, 1, FUTEX_PRIVATE_FLAG);
}

static int raw_futex_wake(void)
{
	return by_errno(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

static int random_(void)
{
	return eio_ll_getrandom(ll_buf, LL_LEN);
}

static int raw_random(void)
{
	return by_errno(getrandom(ll_buf, LL_LEN, GRND_NONBLOCK));
}

/* Fixed buffers, beside a bare list of free blocks */

static struct block {
	struct block *next;
} blocks[2], *free_blocks = &blocks[0];

static int fixed(void)
{
	struct eio_chunk c;
	int rc = eio_ll_alloc_fixed(&c);

	if (rc == 0)
		eio_ll_free_fixed(c);
	return rc;
}

/* The compiler must not see that it comes to nothing. */
static void touch(void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static int raw_fixed(void)
{
	struct block *b = free_blocks;

	free_blocks = b->next;
	touch(b);
	b->next = free_blocks;
	free_blocks = b;
	return 0;
}

/* A message to the own domain, which takes no operation, beside a bare queue */

static struct eio_ll_port port;
static struct eio_ll_port_ref to_port;
static uint32_t queue[2], bare_queue[2], put, taken;

static int message(void)
{
	uint32_t got;
	int rc = eio_ll_port_send(to_port, 1);

	return rc < 0 ? rc : eio_ll_port_receive(&port, &got);
}

static int raw_message(void)
{
	bare_queue[put++ % BENCH_LEN(bare_queue)] = 1;
	touch(bare_queue);
	return bare_queue[taken++ % BENCH_LEN(bare_queue)] == 1 ? 0 : -EIO;
}

/* Threads */

static void set_up(void)
{
	vector.uaddr = (uintptr_t) &word;
	bench_check(eio_ll_port_begin(&port, queue, BENCH_LEN(queue), &to_port), "port_begin");
}

static void clean_up(void)
{
	eio_ll_port_end(&port);
}

static const struct ll_call calls[] = {
	{"noop", noop, raw_noop, 1, LL_QUICK},
	{"await", await, raw_noop, 1, LL_QUICK},
	{"await_n", await_n, raw_await_n, 1, LL_QUICK},
	{"futex_wait", futex_wait, raw_futex_wait, 1, LL_QUICK},
	{"futex_waitv", futex_waitv, raw_futex_waitv, 1, LL_QUICK},
	{"futex_wake", futex_wake, raw_futex_wake, 1, LL_QUICK},
	{"getrandom", random_, raw_random, 1, LL_QUICK},
	{"alloc_free_fixed", fixed, raw_fixed, 2, LL_QUICK},
	{"port_send_receive", message, raw_message, 2, LL_QUICK},
};

const struct ll_area ll_any = {set_up, clean_up, calls, BENCH_LEN(calls)};
