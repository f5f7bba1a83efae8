/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "uring/sched.h"

#include <string.h>
#include <sys/uio.h>

static _Thread_local struct faults *installed;

uint64_t faults_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static unsigned below(struct faults *f, unsigned n)
{
	return (unsigned) (faults_random(&f->seed) % n);
}

static bool chance(struct faults *f, unsigned rate)
{
	return rate && below(f, 256) < rate;
}

/* Counts down to the nth, then through the times. */
static bool is_due(unsigned *nth, unsigned *times)
{
	if (*nth == 0 || --*nth > 0)
		return false;
	if (*times > 1) {
		--*times;
		*nth = 1;
	}
	return true;
}

/* Entries */

static bool is_transfer(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_READ:
	case IORING_OP_WRITE:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_READV:
	case IORING_OP_WRITEV:
	case IORING_OP_SEND:
	case IORING_OP_RECV:
		return true;
	}
	return false;
}

/* Does somebody want to know what becomes of it? */
static bool is_awaited(const struct io_uring_sqe *sqe)
{
	unsigned kind = sqe->user_data & EIO__UD_KINDS;

	return kind == EIO__UD_OP || kind == EIO__UD_MEMBER || kind == EIO__UD_SINK;
}

static void shorten(struct faults *f, struct io_uring_sqe *sqe)
{
	const struct iovec *iov = (const struct iovec *) (uintptr_t) sqe->addr;

	if (sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV) {
		if (sqe->len == 0 || iov->iov_len == 0)
			return;
		sqe->opcode = sqe->opcode == IORING_OP_READV ? IORING_OP_READ : IORING_OP_WRITE;
		sqe->addr = (uintptr_t) iov->iov_base;
		sqe->len = iov->iov_len > INT32_MAX ? INT32_MAX : (unsigned) iov->iov_len;
	}
	if (sqe->len > 1)
		sqe->len = 1 + below(f, sqe->len - 1);
	f->shortened++;
}

/* It becomes a NOP, whose completion is rewritten. Links would go on as if it were well,
 * so linked ones are left alone. */
static void refuse(struct faults *f, struct io_uring_sqe *sqe, int err)
{
	uint64_t user_data = sqe->user_data;

	if (f->n_refusals == FAULTS_REFUSALS ||
	    sqe->flags & ~(IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE))
		return;
	io_uring_prep_nop(eio__ring_clear(sqe));
	sqe->user_data = user_data;
	f->refusals[f->n_refusals].user_data = user_data;
	f->refusals[f->n_refusals++].err = err;
	f->refused++;
}

static void meddle_with_entry(struct faults *f, struct io_uring_sqe *sqe)
{
	f->entries[sqe->opcode]++;
	if (sqe->opcode == IORING_OP_ASYNC_CANCEL && chance(f, f->deaf)) {
		uint64_t user_data = sqe->user_data;

		io_uring_prep_nop(sqe);
		sqe->user_data = user_data;
		f->deafened++;
		return;
	}
	if (!is_awaited(sqe))
		return;
	if (f->refuse.opcode < 0 || f->refuse.opcode == sqe->opcode) {
		if (is_due(&f->refuse.nth, &f->refuse.times)) {
			refuse(f, sqe, f->refuse.err);
			return;
		}
	}
	if (!is_transfer(sqe))
		return;
	if (chance(f, f->transient))
		refuse(f, sqe, below(f, 2) ? -EAGAIN : -EINTR);
	else if (chance(f, f->shorten))
		shorten(f, sqe);
}

static void meddle_with_entries(struct faults *f, struct eio__ring *r)
{
	struct io_uring_sq *sq = &r->uring.sq;

	for (; f->seen != sq->sqe_tail; f->seen++)
		meddle_with_entry(f, &sq->sqes[f->seen & *sq->kring_mask]);
}

/* Completions */

static void rewrite(struct faults *f, struct io_uring_cqe *cqe)
{
	for (unsigned i = 0; i < f->n_refusals; i++) {
		if (f->refusals[i].user_data != cqe->user_data)
			continue;
		cqe->res = f->refusals[i].err;
		f->refusals[i] = f->refusals[--f->n_refusals];
		return;
	}
}

/* Those of one request, which are more than one, stay in order. */
static void meddle_with_completions(struct faults *f, struct eio__ring *r)
{
	struct io_uring_cq *cq = &r->uring.cq;
	unsigned head = *cq->khead, mask = *cq->kring_mask;
	unsigned n = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE) - head;
	bool single = true;

	for (unsigned i = 0; i < n; i++) {
		struct io_uring_cqe *cqe = &cq->cqes[(head + i) & mask];

		if (!(cqe->flags & IORING_CQE_F_NOTIF))
			rewrite(f, cqe);
		single &= !(cqe->flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF));
	}
	if (n < 2 || !single || !chance(f, f->reorder))
		return;
	for (unsigned i = n - 1; i > 0; i--) {
		struct io_uring_cqe *a = &cq->cqes[(head + i) & mask];
		struct io_uring_cqe *b = &cq->cqes[(head + below(f, i + 1)) & mask];
		struct io_uring_cqe was = *a;

		*a = *b;
		*b = was;
	}
	f->reordered++;
}

/* Enter */

static int fail(struct faults *f)
{
	if (is_due(&f->fail_enter.nth, &f->fail_enter.times))
		return f->fail_enter.err;
	if (chance(f, f->eintr))
		return -EINTR;
	if (chance(f, f->eagain))
		return -EAGAIN;
	return chance(f, f->ebusy) ? -EBUSY : 0;
}

static int enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	struct faults *f = r->meddler;
	int rc;

	f->enters++;
	f->sleeps += wait > 0 && timeout_ns > 0;
	if (f->on_enter)
		f->on_enter(r, wait, timeout_ns);
	rc = fail(f);
	if (rc < 0) {
		f->failed_enters++;
		return rc;
	}
	meddle_with_entries(f, r);
	rc = eio__ring_kernel_enter(r, wait, timeout_ns);
	meddle_with_completions(f, r);
	return rc == 0 && chance(f, f->eintr_after) ? -EINTR : rc;
}

static void hook(struct eio__ring *r)
{
	struct faults *f = installed;

	if (!f)
		return;
	r->meddler = f;
	r->enter = enter;
	f->enters = f->sleeps = 0;
	memset(f->entries, 0, sizeof(f->entries));
	f->shortened = f->refused = f->deafened = f->reordered = f->failed_enters = 0;
	f->seen = f->n_refusals = 0;
}

void faults_install(struct faults *f)
{
	installed = f;
	eio__ring_hook = hook;
}
