/* SPDX-License-Identifier: ISC */
/*
 * Any operation: the staging entry, one operation, several next to each other.
 */
#include "core/timer.h"
#include "uring/call.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_MAX = 64, LINKS = IOSQE_IO_LINK | IOSQE_IO_HARDLINK };

_Static_assert(sizeof(struct io_uring_sqe) == EIO__SCRATCH, "the staging entry has another size");

/* -EINTR, or a code that the kernel means for itself but lets out of its workers. */
static bool is_interruption(int res)
{
	enum { ERESTARTSYS_ = 512, ERESTART_RESTARTBLOCK_ = 516 };

	return res == -EINTR || (res <= -ERESTARTSYS_ && res >= -ERESTART_RESTARTBLOCK_);
}

int eio__answer(const struct eio__op *op, struct eio__slot *slot, short events)
{
	struct eio_fd fd;
	int rc;

	if (is_interruption(op->res) || op->res == -ECANCELED) {
		if (op->cancelled)
			return eio__canceled(op->fiber);
		/* Cancelled, but not by us: a failure like another. */
		return op->res == -ECANCELED ? -EIO : EIO__AGAIN;
	}
	if (op->res != -EAGAIN || !events)
		return op->res;
	/* A descriptor with O_NONBLOCK, on kernels that heed it. */
	fd.slot = slot->index;
	fd.generation = (uint32_t) (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) >> 32);
	rc = eio_ll_poll(fd, (unsigned) events);
	return rc < 0 ? rc : EIO__AGAIN;
}

int eio__perform(const struct io_uring_sqe *prepared)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			*sqe = *prepared;
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

struct io_uring_sqe *eio_ll_sqe(void)
{
	struct eio__fiber *f = eio__self();

	return f ? memset(f->scratch, 0, sizeof(f->scratch)) : NULL;
}

/* Entries that complete more than once: nobody would see the results after the first. */
static bool is_multishot(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
		return sqe->ioprio & IORING_ACCEPT_MULTISHOT;
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case EIO__OP_RECV_ZC:
		return sqe->ioprio & IORING_RECV_MULTISHOT;
	case IORING_OP_POLL_ADD:
		return sqe->len & IORING_POLL_ADD_MULTI;
	case IORING_OP_TIMEOUT:
		return sqe->timeout_flags & IORING_TIMEOUT_MULTISHOT;
	case IORING_OP_URING_CMD:
		return sqe->rw_flags & (int) IORING_URING_CMD_MULTISHOT;
	}
	return sqe->opcode == EIO__OP_READ_MULTISHOT;
}

/*
 * What the library cannot keep track of, or what reaches beyond the call: a drained entry
 * would wait for the read of the wake-up descriptor, and hold up all that comes after it;
 * a link flag (of @p flags) on the last entry would chain whatever is queued next.
 */
static int refused(const struct io_uring_sqe *sqe, unsigned flags)
{
	flags |= IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_DRAIN;
	return sqe->flags & flags || is_multishot(sqe) ? -EINVAL : 0;
}

int eio_ll_await_cqe(struct io_uring_sqe *sqe, struct io_uring_cqe *ret)
{
	struct io_uring_sqe *entry;
	struct eio__uring *u;
	struct eio__op op;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	rc = refused(sqe, LINKS);
	if (rc < 0)
		return eio__fail(rc, "await", NULL);
	entry = eio__sqe(u, true);
	if (!entry)
		return eio__canceled(u->domain.current);
	*entry = *sqe;
	rc = eio__op_await(u, &op, entry, &eio__op_wait);
	if (is_interruption(rc))
		rc = -EINTR;
	if (op.cancelled && (rc == -ECANCELED || rc == -EINTR))
		rc = eio__canceled(op.fiber);
	*ret = (struct io_uring_cqe){.res = rc, .flags = op.flags};
	return rc;
}

int eio_ll_await(struct io_uring_sqe *sqe)
{
	struct io_uring_cqe cqe;

	return eio_ll_await_cqe(sqe, &cqe);
}

/* Asks for each of its operations. */
static void cancel_group(struct eio__fiber *f, void *arg)
{
	struct eio__group *g = arg;

	g->cancelled = true;
	eio__group_ask_cancel(eio__uring_of(f), g);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__group *g = arg;

	(void) f;
	snprintf(buf, size, "group, %u of %u operations left%s", g->left, g->n,
		 g->cancelled ? ", asked to stop" : "");
}

static const struct eio__wait waiting = {
	.what = "group", .cancel = cancel_group, .describe = describe};

int eio_ll_await_n(struct io_uring_sqe *sqes, unsigned n, int *ret_results)
{
	struct eio__member members[GROUP_MAX];
	struct eio__group g = {.members = members, .n = n, .left = n};
	struct eio__uring *u;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	if (n < 1 || n > GROUP_MAX || n > u->ring.uring.sq.ring_entries)
		return eio__fail(-EINVAL, "await_n", NULL);
	for (unsigned i = 0; i < n; i++) {
		if (refused(&sqes[i], i + 1 == n ? LINKS : 0) < 0)
			return eio__fail(-EINVAL, "await_n", NULL);
	}
	rc = eio__sqe_room(u, n);
	if (rc < 0)
		return rc;
	g.fiber = u->domain.current;
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *entry = eio__ring_sqe(&u->ring);

		members[i] = (struct eio__member){.group = &g};
		*entry = sqes[i];
		entry->user_data = (uintptr_t) &members[i] | EIO__UD_MEMBER;
	}
	eio__suspend(g.fiber, &waiting, &g);
	if (eio__list_linked(&g.pending))
		eio__list_remove(&g.pending);
	for (unsigned i = 0; i < n; i++)
		ret_results[i] = is_interruption(members[i].res) ? -EINTR : members[i].res;
	return g.cancelled ? eio__canceled(g.fiber) : 0;
}

struct io_uring *eio_ll_ring(void)
{
	struct eio__uring *u = eio__uring_self();

	return u ? &u->ring.uring : NULL;
}

bool eio_ll_op_supported(int opcode)
{
	struct eio__uring *u = eio__uring_self();

	return u && opcode >= 0 && eio__ring_has(&u->ring, (unsigned) opcode) &&
	       eio__ring_allows(&u->ring, (unsigned) opcode);
}

int eio_ll_noop(void)
{
	struct eio__call c;
	struct io_uring_sqe *sqe = eio__begin_bare(&c);

	if (sqe)
		io_uring_prep_nop(sqe);
	eio__finish(&c, sqe, 0);
	return eio__fail(c.res, "noop", NULL);
}

int eio_ll_sleep_until(int64_t ns)
{
	return eio__sleep_until(ns);
}
