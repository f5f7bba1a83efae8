/* SPDX-License-Identifier: ISC */
/*
 * Receiving into a group's buffers.
 *
 * An operation that finds no buffer ends with -ENOBUFS, and its iterator starves. When a
 * buffer is offered all that starve are armed again, not only one of them: nobody knows which
 * has data, and one that has none keeps no buffer from the others.
 *
 * Where the kernel does not take buffers itself, one is taken for each operation, whose
 * completion is made to look as if the kernel had. Nobody has one while it waits for data: a
 * receive does not wait, and is followed by a poll; a read, which cannot be told so, follows
 * one.
 */
#include "uring/views.h"
#include "core/error.h"
#include "uring/buffers.h"
#include "uring/call.h"
#include "uring/multi.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUEUED = 32 };

struct views {
	struct eio__multi m;
	struct eio_ll_result queue[QUEUED];
	struct eio__buffers *group;
	struct eio__list link; /* while it starves */
	unsigned offered;      /* the group's, when it was armed */
	unsigned own;          /* the buffer taken beforehand; EIO__NO_BUFFER: none */
	unsigned left;         /* bytes of the last result that were not handed out … */
	unsigned id;           /* … from this buffer on … */
	unsigned at;           /* … and from here on in it, which is 0 in bundles */
	bool bundles;          /* a completion may have several buffers */
	bool polls_first;      /* takes a buffer when there is something to read */
	bool doubted;          /* -ENOBUFS, with all buffers there as far as we know */
};

_Static_assert(sizeof(struct views) <= sizeof(struct eio_ll_views), "eio_ll_views is too small");

static struct views *views_of(struct eio__multi *m)
{
	return eio__container_of(m, struct views, m);
}

/* Starving */

static void starve(struct views *v)
{
	v->m.starved = true;
	eio__list_append(&v->group->starved, &v->link);
}

static void feed(struct views *v)
{
	v->m.starved = false;
	eio__list_remove(&v->link);
	eio__multi_wake(&v->m);
}

void eio__views_feed(struct eio__buffers *g)
{
	while (!eio__list_empty(&g->starved))
		feed(eio__container_of(g->starved.next, struct views, link));
}

/*
 * -ENOBUFS: for want of a buffer, unless the kernel has one. One that was offered since the
 * operation was armed may have come too late for it.
 *
 * Where the kernel does not tell, it is for want of a buffer while there are views. When there
 * are none, others may have taken all buffers in completions that come after ours: so it is
 * believed the second time that they are there.
 */
static bool is_other_failure(struct views *v)
{
	bool doubted = v->doubted;
	int left;

	v->doubted = false;
	if (v->offered != v->group->offered)
		return false;
	left = eio__buffers_left(v->group);
	if (left == 0 || (left < 0 && v->group->held)) {
		starve(v);
		return false;
	}
	v->doubted = left < 0 && !doubted;
	return !v->doubted;
}

/* The kinds */

static int arm(struct eio__multi *m, struct io_uring_sqe *sqe)
{
	struct views *v = views_of(m);
	struct eio__buffers *g = v->group;

	v->offered = g->offered;
	if (m->poll)
		return 0;
	/* Before 6.0 a length of 0 is just that, and not what the buffer holds; multishot
	 * operations, which came later, insist on it. */
	if (m->single)
		sqe->len = (unsigned) g->size;
	if (g->flags & EIO_LL_BUFFERS_BY_KERNEL)
		return 0;
	v->own = eio__buffers_take(g);
	if (v->own == EIO__NO_BUFFER) {
		starve(v);
		return 1;
	}
	sqe->addr = (uintptr_t) (g->data + v->own * g->size);
	return 0;
}

static bool got(struct eio__multi *m, struct eio_ll_result *r)
{
	struct views *v = views_of(m);

	if (v->own != EIO__NO_BUFFER) {
		r->flags |= IORING_CQE_F_BUFFER | v->own << IORING_CQE_BUFFER_SHIFT;
		v->own = EIO__NO_BUFFER;
		m->poll = v->polls_first;
	}
	if (r->flags & IORING_CQE_F_BUFFER)
		eio__buffers_fill(v->group, r, v->bundles);
	else if (r->res == -ENOBUFS)
		return is_other_failure(v);
	v->doubted = false;
	return true;
}

static void recv_single(struct io_uring_sqe *sqe)
{
	sqe->ioprio = 0;
}

static void read_single(struct io_uring_sqe *sqe)
{
	sqe->opcode = IORING_OP_READ;
}

static const struct eio__multi_kind receiving = {
	.op = "recv", .single = recv_single, .arm = arm, .got = got};
static const struct eio__multi_kind reading = {
	.op = "read", .single = read_single, .arm = arm, .got = got};

/* The calls */

/* Nobody took it. */
static void drop(int res, unsigned flags, void *arg)
{
	struct views *v = arg;
	unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;

	for (unsigned left = res > 0 ? (unsigned) res : 0; left;) {
		unsigned piece = id;

		left -= eio__buffers_piece(v->group, left, &id);
		eio__buffers_release(v->group, piece);
	}
}

/* The number. */
static int pin(struct views *v, struct eio_fd fd)
{
	int unix_fd = eio__fd_use(fd);

	v->m.slot = eio__slot(fd);
	return eio__fail(unix_fd, v->m.kind->op, NULL);
}

static int begin(struct views *v)
{
	struct eio__multi *m = &v->m;
	int rc;

	if (v->group->flags & EIO_LL_BUFFERS_BY_KERNEL) {
		m->sqe.flags = IOSQE_BUFFER_SELECT;
		m->sqe.buf_group = v->group->id;
	} else {
		m->single = true;
		m->poll = v->polls_first;
		m->kind->single(&m->sqe);
	}
	rc = eio__multi_init(m);
	if (rc < 0)
		return eio__fail(rc, m->kind->op, NULL);
	v->group->users++;
	rc = eio__multi_arm(m);
	if (rc < 0) {
		v->group->users--;
		eio__multi_fini(m);
	}
	return rc;
}

static struct views *prepare(struct eio_ll_views *pub, const struct eio__multi_kind *kind,
			     struct eio_ll_buffers *b)
{
	struct views *v = (struct views *) pub;

	*v = (struct views){
		.m = {.kind = kind, .queue = v->queue, .cap = QUEUED, .dispose = drop, .arg = v},
		.group = eio__buffers_of(b),
		.own = EIO__NO_BUFFER,
	};
	return v->group->u && v->group->u == eio__uring_self() ? v : NULL;
}

int eio_ll_views_recv(struct eio_ll_views *pub, struct eio_fd fd, struct eio_ll_buffers *b)
{
	struct views *v = prepare(pub, &receiving, b);
	int unix_fd;

	if (!v)
		return eio__fail(-EPERM, "recv", NULL);
	unix_fd = pin(v, fd);
	if (unix_fd < 0)
		return unix_fd;
	io_uring_prep_recv(&v->m.sqe, unix_fd, NULL, 0, 0);
	v->m.sqe.ioprio = IORING_RECV_MULTISHOT;
	v->bundles = v->group->flags & EIO_LL_BUFFERS_BUNDLES;
	if (v->bundles)
		v->m.sqe.ioprio |= IORING_RECVSEND_BUNDLE;
	if (!(v->group->flags & EIO_LL_BUFFERS_BY_KERNEL))
		v->m.sqe.msg_flags = MSG_DONTWAIT;
	return begin(v);
}

/* A multishot read never reads what cannot be told not to wait, as inotify and many devices:
 * these are known to be told. */
static bool is_read_multishot(const struct eio__uring *u, int unix_fd)
{
	struct stat st;

	if (!eio__ring_has(&u->ring, EIO__OP_READ_MULTISHOT) || fstat(unix_fd, &st) < 0)
		return false;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
	       (S_ISCHR(st.st_mode) && isatty(unix_fd));
}

int eio_ll_views_read(struct eio_ll_views *pub, struct eio_fd fd, struct eio_ll_buffers *b)
{
	struct views *v = prepare(pub, &reading, b);
	int unix_fd;

	if (!v)
		return eio__fail(-EPERM, "read", NULL);
	unix_fd = pin(v, fd);
	if (unix_fd < 0)
		return unix_fd;
	io_uring_prep_read(&v->m.sqe, unix_fd, NULL, 0, (uint64_t) -1);
	v->m.single = !is_read_multishot(v->group->u, unix_fd);
	if (!v->m.single)
		v->m.sqe.opcode = EIO__OP_READ_MULTISHOT;
	v->polls_first = !(v->group->flags & EIO_LL_BUFFERS_BY_KERNEL);
	return begin(v);
}

/* The first piece of what is left. */
static int hand_out(struct views *v, struct eio_ll_view *ret)
{
	struct eio__buffers *g = v->group;

	ret->id = eio__buffers_name(g, v->id);
	ret->data = g->data + v->id * g->size + v->at;
	ret->len = eio__buffers_piece(g, v->left, &v->id);
	v->left -= (unsigned) ret->len;
	return 1;
}

int eio_ll_views_next(struct eio_ll_views *pub, struct eio_ll_view *ret)
{
	struct views *v = (struct views *) pub;
	struct eio_ll_result r;
	int rc;

	if (v->left && v->m.u == eio__uring_self()) {
		rc = eio_check();
		return rc < 0 ? rc : hand_out(v, ret);
	}
	rc = eio__multi_next(&v->m, &r);
	if (rc < 0 || r.res == 0)
		return rc < 0 ? rc : 0;
	if (r.res < 0)
		return eio__fail(r.res == -ECANCELED ? -EIO : r.res, v->m.kind->op, NULL);
	v->left = (unsigned) r.res;
	v->id = r.flags >> IORING_CQE_BUFFER_SHIFT;
	v->at = r.reserved;
	return hand_out(v, ret);
}

int eio_ll_views_end(struct eio_ll_views *pub)
{
	struct views *v = (struct views *) pub;
	int rc = eio__multi_stop(&v->m);

	if (rc < 0)
		return rc;
	if (v->m.starved)
		feed(v);
	drop((int) v->left, v->id << IORING_CQE_BUFFER_SHIFT, v);
	v->left = 0;
	v->group->users--;
	eio__multi_fini(&v->m);
	return 0;
}
