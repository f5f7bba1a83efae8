/* SPDX-License-Identifier: ISC */
/*
 * Any operation: the staging entry, one operation, several next to each other.
 */
#include "core/timer.h"
#include "uring/call.h"

#include <poll.h>
#include <string.h>

enum { GROUP_MAX = 64 };

_Static_assert(sizeof(struct io_uring_sqe) == EIO__SCRATCH, "the staging entry has another size");

bool eio__retry(struct eio__call *c, short events)
{
	if (c->res == -ECANCELED || (c->res == -EINTR && c->op.cancelled)) {
		/* Not asked for by us: by the kernel, which is a failure like another. */
		c->res = c->op.cancelled ? eio__canceled(c->op.fiber) : -EIO;
		return false;
	}
	if (c->res == -EINTR)
		return true;
	if (c->res != -EAGAIN || !events)
		return false;
	/* A descriptor with O_NONBLOCK, on kernels that heed it. */
	c->res = eio_ll_poll(c->fd, (unsigned) events);
	return c->res >= 0;
}

struct io_uring_sqe *eio_ll_sqe(void)
{
	struct eio__fiber *f = eio__self();

	return f ? memset(f->scratch, 0, sizeof(f->scratch)) : NULL;
}

/* What the library cannot keep track of. */
static int refused(const struct io_uring_sqe *sqe, unsigned flags)
{
	return sqe->flags & (flags | IOSQE_CQE_SKIP_SUCCESS) ? -EINVAL : 0;
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
	rc = refused(sqe, IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
	if (rc < 0)
		return eio__fail(rc, "await", NULL);
	entry = eio__sqe(u, true);
	if (!entry)
		return eio__canceled(u->domain.current);
	*entry = *sqe;
	rc = eio__op_await(u, &op, entry, eio__op_cancel);
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

/* A group's cancel function: asks for each of its operations. */
struct group_call {
	struct eio__group group;
	struct eio__member members[GROUP_MAX];
	unsigned n;
};

static void cancel_group(struct eio__fiber *f, void *arg)
{
	struct group_call *g = arg;

	g->group.cancelled = true;
	for (unsigned i = 0; i < g->n; i++) {
		struct io_uring_sqe *sqe = eio__sqe_ignored(eio__uring_of(f));

		if (!sqe)
			return;
		io_uring_prep_cancel64(sqe, (uintptr_t) &g->members[i] | EIO__UD_MEMBER, 0);
		sqe->user_data = EIO__UD_IGNORE;
	}
}

int eio_ll_await_n(struct io_uring_sqe *sqes, unsigned n, int *ret_results)
{
	struct group_call g;
	struct eio__uring *u;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	if (n < 1 || n > GROUP_MAX || n > u->ring.uring.sq.ring_entries)
		return eio__fail(-EINVAL, "await_n", NULL);
	for (unsigned i = 0; i < n; i++) {
		if (refused(&sqes[i], 0) < 0)
			return eio__fail(-EINVAL, "await_n", NULL);
	}
	rc = eio__sqe_room(u, n);
	if (rc < 0)
		return rc;
	g.n = n;
	g.group = (struct eio__group){.fiber = u->domain.current, .left = n};
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *entry = eio__ring_sqe(&u->ring);

		g.members[i] = (struct eio__member){.group = &g.group};
		*entry = sqes[i];
		entry->user_data = (uintptr_t) &g.members[i] | EIO__UD_MEMBER;
	}
	eio__suspend(g.group.fiber, cancel_group, &g);
	for (unsigned i = 0; i < n; i++)
		ret_results[i] = g.members[i].res;
	return g.group.cancelled ? eio__canceled(g.group.fiber) : 0;
}

struct io_uring *eio_ll_ring(void)
{
	struct eio__uring *u = eio__uring_self();

	return u ? &u->ring.uring : NULL;
}

bool eio_ll_op_supported(int opcode)
{
	struct eio__uring *u = eio__uring_self();

	return u && opcode >= 0 && eio__ring_has(&u->ring, (unsigned) opcode);
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
