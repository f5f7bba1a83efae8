/* SPDX-License-Identifier: ISC */
/*
 * Sending without copying. An entry has two completions: the result, with F_MORE if there is
 * to be another, and a notification when the kernel lets go of the buffer. The first wakes
 * the sender, whose frame may be gone when the second comes. So both are told to the record,
 * which the caller keeps:
 *
 *   op     the operation of the fiber that sends; NULL: none does. Only one does at a
 *          time: what is no notification is always its.
 *   busy   entries that have a completion to come. Whichever is an entry's last counts it
 *          down; when nothing is left those who wait are woken.
 *
 * While it is not busy the record is nobody's.
 */
#include "core/log.h"
#include "uring/call.h"
#include "uring/sendmsg.h"

#include <eio/ll_zc.h>
#include <poll.h>

struct inner {
	struct eio__sink sink;
	struct eio__uring *u; /* that of the last send */
	struct eio__op *op;
	struct eio__list waiters;
};

_Static_assert(sizeof(struct inner) <= sizeof(((struct eio_ll_zc *) 0)->eio_private),
	       "eio_ll_zc is too small");

static struct inner *inner_of(struct eio_ll_zc *z)
{
	return (struct inner *) z->eio_private;
}

/* Waiting for the releases */

struct waiter {
	struct eio__list link;
	struct eio__fiber *fiber;
	bool cancelled;
};

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;

	w->cancelled = true;
	eio__list_remove(&w->link);
	eio__wake(f);
}

static const struct eio__wait waiting = {.what = "buffers being sent", .cancel = leave};
static const struct eio__wait waiting_protected = {.what = "buffers being sent"};

static int wait_for(struct inner *in, const struct eio__wait *wait)
{
	struct waiter w = {.fiber = in->u->domain.current};

	eio__list_append(&in->waiters, &w.link);
	eio__suspend(w.fiber, wait, &w);
	return w.cancelled ? eio__canceled(w.fiber) : 0;
}

static void let_go(struct eio_ll_zc *z)
{
	struct inner *in = inner_of(z);

	if (--z->busy > 0)
		return;
	while (!eio__list_empty(&in->waiters)) {
		struct waiter *w = eio__container_of(in->waiters.next, struct waiter, link);

		eio__list_remove(&w->link);
		eio__wake(w->fiber);
	}
}

int eio_ll_zc_await(struct eio_ll_zc *z)
{
	struct inner *in = inner_of(z);
	int rc;

	if (z->busy == 0)
		return 0;
	if (in->u != eio__uring_self())
		return eio__fail(-EPERM, "zc_await", NULL);
	rc = eio__check(in->u->domain.current);
	return rc < 0 ? rc : wait_for(in, &waiting);
}

void eio_ll_zc_end(struct eio_ll_zc *z)
{
	struct inner *in = inner_of(z);

	if (z->busy == 0)
		return;
	if (in->u != eio__uring_self())
		eio__log(EIO_LOG_WARNING, "zc_end: the buffers are sent by another domain");
	else
		wait_for(in, &waiting_protected);
}

/* Sending */

/* Of a fiber that waits for the result. */
struct sending {
	struct eio__op op;
	struct inner *in;
};

static uint64_t user_data(const struct inner *in)
{
	return (uintptr_t) &in->sink | EIO__UD_SINK;
}

/* Only an entry that has no result yet can be found by this: notifications are not. */
static void cancel(struct eio__fiber *f, void *arg)
{
	struct sending *s = arg;

	s->op.cancelled = true;
	eio__ask_cancel(eio__uring_of(f), &s->op.ask, user_data(s->in));
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	eio__op_wait.describe(f, &((const struct sending *) arg)->op, buf, size);
}

static const struct eio__wait send_wait = {
	.what = "operation", .cancel = cancel, .describe = describe};

static void complete(struct eio__uring *u, struct eio__sink *s, const struct io_uring_cqe *cqe)
{
	struct inner *in = eio__container_of(s, struct inner, sink);
	struct eio_ll_zc *z = eio__container_of(in, struct eio_ll_zc, eio_private);

	(void) u;
	if (cqe->flags & IORING_CQE_F_NOTIF) {
		z->copied += (unsigned) cqe->res / IORING_NOTIF_USAGE_ZC_COPIED;
	} else {
		z->sends += cqe->flags & IORING_CQE_F_MORE ? 1 : 0;
		in->op->res = cqe->res;
		in->op->flags = cqe->flags;
		/* The next one's entry would be found by the same address. */
		eio__ask_end(&in->op->ask);
		eio__wake(in->op->fiber);
		in->op = NULL;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		let_go(z);
}

/* An entry to be made: both kinds are alike. */
struct request {
	const void *addr; /* of the bytes, or of the message */
	unsigned len;
	int flags;
	uint16_t how; /* flags of the operation */
	uint8_t opcode;
};

static bool send_once(struct eio__call *c, struct eio_fd fd, const struct request *r,
		      struct eio_ll_zc *z)
{
	struct sending s = {.in = inner_of(z)};
	struct io_uring_sqe *sqe;

	/* Others may want it while we wait for the entry. */
	s.in->op = &s.op;
	z->busy++;
	sqe = eio__begin(c, fd);
	if (!sqe) {
		s.in->op = NULL;
		let_go(z);
		return false;
	}
	io_uring_prep_rw(r->opcode, sqe, c->unix_fd, r->addr, r->len, 0);
	sqe->msg_flags = (unsigned) r->flags;
	sqe->ioprio = r->how;
	c->res = eio__op_await_as(c->u, &s.op, sqe, user_data(s.in), &send_wait);
	if (c->res < 0)
		c->res = eio__answer(&s.op, c->slot, r->flags & MSG_DONTWAIT ? 0 : POLLOUT);
	eio__slot_unuse(c->slot);
	return s.op.res < 0 && c->res == EIO__AGAIN;
}

/* The record becomes this domain's if it is nobody's. */
static int claim(struct eio_ll_zc *z, struct eio__uring *u)
{
	struct inner *in = inner_of(z);

	if (z->busy && in->u != u)
		return -EPERM;
	if (z->busy)
		return in->op ? -EBUSY : 0;
	in->sink.complete = complete;
	in->u = u;
	eio__list_init(&in->waiters);
	return 0;
}

static int send_zc(struct eio__uring *u, struct eio_fd fd, struct request *r, struct eio_ll_zc *z)
{
	struct eio__call c;
	int rc;

	/* Told since 6.2, for which there is no sign; this one is of 6.3. */
	if (u->ring.uring.features & IORING_FEAT_REG_REG_RING)
		r->how |= IORING_SEND_ZC_REPORT_USAGE;
	do {
		rc = claim(z, u);
		if (rc < 0)
			return rc;
	} while (send_once(&c, fd, r, z));
	return c.res;
}

static bool is_worth_it(const struct eio__uring *u, unsigned opcode, size_t len,
			const struct eio_ll_zc *z)
{
	return u && len >= (z->threshold ? z->threshold : EIO_LL_ZC_THRESHOLD) &&
	       eio__ring_has(&u->ring, opcode);
}

/* The socket cannot, or the pages cannot be locked: nothing was sent. */
static bool is_refused(int rc)
{
	return rc == -EOPNOTSUPP || rc == -ENOMEM;
}

ssize_t eio_ll_send_zc(struct eio_fd fd, const void *buf, size_t len, int flags,
		       struct eio_ll_zc *z)
{
	struct eio__uring *u = eio__uring_self();
	struct request r = {
		.addr = buf, .len = eio__io_len(len), .flags = flags, .opcode = IORING_OP_SEND_ZC};
	int rc = -EOPNOTSUPP;

	if (is_worth_it(u, IORING_OP_SEND_ZC, len, z)) {
		if (eio__fixed_holds(&u->fixed, buf, r.len))
			r.how = IORING_RECVSEND_FIXED_BUF;
		rc = send_zc(u, fd, &r, z);
	}
	return is_refused(rc) ? eio_ll_send(fd, buf, len, flags) : eio__fail(rc, "send_zc", NULL);
}

static size_t total(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (; n > 0; n--, iov++)
		len += iov->iov_len;
	return len;
}

ssize_t eio_ll_send_msg_zc(struct eio_fd fd, const struct eio_addr *dst, const struct iovec *iov,
			   int n, int flags, struct eio_ll_zc *z)
{
	struct eio__uring *u = eio__uring_self();
	struct msghdr m = eio__msg_to(dst, iov, n);
	struct request r = {.addr = &m, .len = 1, .flags = flags, .opcode = IORING_OP_SENDMSG_ZC};
	int rc = -EOPNOTSUPP;

	if (is_worth_it(u, IORING_OP_SENDMSG_ZC, total(iov, n), z))
		rc = send_zc(u, fd, &r, z);
	return is_refused(rc) ? eio_ll_send_msg(fd, dst, iov, n, NULL, 0, flags)
			      : eio__fail_addr(rc, "send_msg_zc", dst);
}
