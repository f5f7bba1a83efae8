/* SPDX-License-Identifier: ISC */
#include "uring/polled.h"
#include "core/log.h"
#include "uring/call.h"

#include <stdlib.h>

/* The second ring, made on the first call. */
static int second_ring(struct eio__uring *u, struct eio__polled **ret)
{
	struct eio__polled *p = u->polled;
	char why[224];
	int rc;

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		rc = eio__ring_init(&p->ring, u->config, true, NULL, why, sizeof(why));
		if (rc < 0) {
			eio__log(EIO_LOG_WARNING, "polled transfers: %s", why);
			free(p);
			return rc;
		}
		u->polled = p;
	}
	*ret = p;
	return 0;
}

void eio__polled_fini(struct eio__uring *u)
{
	if (u->polled)
		eio__ring_fini(&u->polled->ring);
	free(u->polled);
}

/* A free entry; NULL: cancelled while waiting for one. */
static struct io_uring_sqe *entry(struct eio__uring *u, struct eio__polled *p)
{
	struct io_uring_sqe *sqe = eio__ring_sqe(&p->ring);

	while (!sqe) {
		eio__submit(u, &p->ring, 0, EIO_NEVER);
		sqe = eio__ring_sqe(&p->ring);
		if (!sqe && eio_yield() < 0)
			return NULL;
	}
	return sqe;
}

/* Buffers are registered with each ring by itself; where that is refused the blocks are
 * memory like any other. */
static unsigned usable(struct eio__uring *u, struct eio__polled *p, unsigned opcode)
{
	struct iovec all = {u->fixed.memory, u->fixed.n * u->fixed.block_size};

	if (opcode != IORING_OP_READ_FIXED && opcode != IORING_OP_WRITE_FIXED)
		return opcode;
	if (!p->tried_blocks) {
		p->tried_blocks = true;
		p->has_blocks = io_uring_register_buffers(&p->ring.uring, &all, 1) == 0;
	}
	if (p->has_blocks)
		return opcode;
	return opcode == IORING_OP_READ_FIXED ? IORING_OP_READ : IORING_OP_WRITE;
}

int eio__polled_transfer(struct eio_fd fd, unsigned opcode, const void *addr, unsigned len,
			 int64_t off)
{
	struct io_uring_sqe *sqe;
	struct eio__polled *p;
	struct eio__uring *u;
	struct eio__op op;
	int unix_fd, rc;

	do {
		u = eio__enter_call(&rc);
		if (!u)
			return rc;
		rc = second_ring(u, &p);
		if (rc < 0)
			return rc;
		unix_fd = eio__fd_use(fd);
		if (unix_fd < 0)
			return unix_fd;
		sqe = entry(u, p);
		if (!sqe) {
			eio__fd_unuse(fd);
			return eio__canceled(u->domain.current);
		}
		io_uring_prep_rw((int) usable(u, p, opcode), sqe, unix_fd, addr, len,
				 (uint64_t) off);
		u->backlog = true;
		rc = eio__op_await(u, &op, sqe, &eio__op_wait_protected);
		if (rc < 0)
			rc = eio__answer(&op, eio__slot(fd), 0);
		eio__fd_unuse(fd);
	} while (op.res < 0 && rc == EIO__AGAIN);
	return rc;
}

unsigned eio__polled_poll(struct eio__uring *u)
{
	struct eio__ring *r = &u->polled->ring;
	struct io_uring_cq *cq = &r->uring.cq;
	unsigned head = *cq->khead, n = 0, tail;

	eio__submit(u, r, 0, EIO_NEVER);
	/* The completions are read after the tail that announced them … */
	tail = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);
	for (; head != tail; head++, n++) {
		const struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];
		struct eio__op *op = (struct eio__op *) (uintptr_t) cqe->user_data;

		op->res = cqe->res;
		op->flags = cqe->flags;
		eio__wake(op->fiber);
	}
	r->finals += n;
	/* … and before the head that gives their places back. */
	__atomic_store_n(cq->khead, head, __ATOMIC_RELEASE);
	return n;
}
