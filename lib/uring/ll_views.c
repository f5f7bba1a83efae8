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
#include "uring/kind.h"
#include "uring/multi.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much may wait for a reader before the kernel is asked to stop: a quarter of the group's
 * buffers, so that one that is slow leaves the others some. */
enum { WAITING_MIN = 4, WAITING_MAX = 32 };

struct views {
	struct eio__multi m; /* ask.link is in the group's list while it starves */
	struct eio__buffers *group;
	uint32_t first, last; /* pieces that nobody has taken; first may be EIO__NO_PIECE */
	int fd;               /* for entries */
	unsigned offered;     /* the group's, when it was armed */
	int res;              /* after the pieces: a failure, or 0 for the end, … */
	uint32_t waiting;     /* pieces */
	uint16_t own;         /* the buffer taken beforehand; EIO__NO_BUFFER: none */
	bool has_res;         /* … if there is one */
	bool doubted;         /* -ENOBUFS, with all buffers there as far as we know */
	bool bundles;         /* a completion may have several buffers */
	bool polls_first;     /* takes a buffer when there is something to read */
	bool on_disk;         /* has a position that is moved here, as ll_rw.c says */
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
	eio__list_append(&v->group->starved, &v->m.ask.link);
}

static void feed(struct views *v)
{
	v->m.starved = false;
	eio__list_remove(&v->m.ask.link);
	eio__multi_wake(&v->m);
}

void eio__views_feed(struct eio__buffers *g)
{
	while (!eio__list_empty(&g->starved))
		feed(eio__container_of(g->starved.next, struct views, m.ask.link));
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
	if (v->group->flags & EIO_LL_BUFFERS_NO_WAIT)
		return true;
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

/* Nobody took it. */
static void drop(unsigned len, unsigned id, struct eio__buffers *g)
{
	while (len) {
		unsigned piece = id;

		len -= eio__buffers_piece(g, len, &id);
		eio__buffers_release(g, piece);
	}
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
	if (v->on_disk)
		sqe->off = (uint64_t) lseek(v->fd, 0, SEEK_CUR);
	if (g->flags & EIO_LL_BUFFERS_BY_KERNEL)
		return 0;
	v->own = eio__buffers_take(g);
	if (v->own == EIO__NO_BUFFER && g->flags & EIO_LL_BUFFERS_NO_WAIT)
		return -ENOBUFS;
	if (v->own == EIO__NO_BUFFER) {
		starve(v);
		return 1;
	}
	sqe->addr = (uintptr_t) eio__buffers_data(g, v->own);
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

static bool by_kernel(const struct views *v)
{
	return v->group->flags & EIO_LL_BUFFERS_BY_KERNEL;
}

static void select_buffer(const struct views *v, struct io_uring_sqe *sqe)
{
	if (!by_kernel(v))
		return;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = v->group->id;
}

static void prepare_recv(const struct eio__multi *m, struct io_uring_sqe *sqe)
{
	const struct views *v = (const struct views *) m;

	io_uring_prep_recv(sqe, v->fd, NULL, 0, by_kernel(v) ? 0 : MSG_DONTWAIT);
	if (!m->single)
		sqe->ioprio = IORING_RECV_MULTISHOT;
	if (!m->single && v->bundles)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	select_buffer(v, sqe);
}

static void prepare_read(const struct eio__multi *m, struct io_uring_sqe *sqe)
{
	const struct views *v = (const struct views *) m;

	io_uring_prep_read(sqe, v->fd, NULL, 0, (uint64_t) -1);
	if (!m->single)
		sqe->opcode = EIO__OP_READ_MULTISHOT;
	select_buffer(v, sqe);
}

/* Kept for the reader, in order. A failure or the end is behind all pieces, since nothing is
 * armed again before it has been taken. */
static void put(struct eio__multi *m, const struct eio_ll_result *r)
{
	struct views *v = views_of(m);
	struct eio__buffers *g = v->group;
	unsigned share = g->count / 4, limit = share < WAITING_MAX ? share : WAITING_MAX;
	uint32_t i;

	if (r->res <= 0) {
		v->res = r->res;
		v->has_res = true;
		return;
	}
	if (v->on_disk)
		(void) lseek(v->fd, r->res, SEEK_CUR);
	i = m->lost ? EIO__NO_PIECE : eio__piece_new(g);
	if (i == EIO__NO_PIECE) {
		m->lost = true;
		drop((unsigned) r->res, r->flags >> IORING_CQE_BUFFER_SHIFT, v->group);
		return;
	}
	g->pieces[i].len = (uint32_t) r->res;
	g->pieces[i].at = r->reserved;
	g->pieces[i].id = (uint16_t) (r->flags >> IORING_CQE_BUFFER_SHIFT);
	if (v->first == EIO__NO_PIECE)
		v->first = i;
	else
		g->pieces[v->last].next = i;
	v->last = i;
	if (++v->waiting >= limit && v->waiting >= WAITING_MIN)
		eio__multi_ask_stop(m);
}

static const struct eio__multi_kind receiving = {
	.op = "recv", .arm = arm, .got = got, .prepare = prepare_recv, .put = put};
static const struct eio__multi_kind reading = {
	.op = "read", .arm = arm, .got = got, .prepare = prepare_read, .put = put};

/* The calls */

/* Begins what was prepared: only the descriptor's kind may keep it from being multishot. */
static int begin(struct views *v)
{
	struct eio__multi *m = &v->m;
	int rc;

	if (!by_kernel(v)) {
		m->single = true;
		m->poll = v->polls_first;
	}
	rc = eio__multi_init(m);
	if (rc < 0)
		return eio__fail(rc, m->kind->op, NULL);
	v->group->users++;
	rc = eio__multi_arm(m);
	if (rc == -ENOBUFS) { /* what next is to tell, as where the kernel takes buffers */
		v->res = rc;
		v->has_res = true;
		return 0;
	}
	if (rc < 0) {
		v->group->users--;
		eio__multi_fini(m);
	}
	return rc;
}

/* Pins the descriptor, by its number. */
static int open_views(struct views *v, const struct eio__multi_kind *kind, struct eio_fd fd,
		      struct eio_ll_buffers *b)
{
	*v = (struct views){
		.m = {.kind = kind},
		.group = eio__buffers_of(b),
		.first = EIO__NO_PIECE,
		.own = EIO__NO_BUFFER,
	};
	if (!v->group->u || v->group->u != eio__uring_self())
		return eio__fail(-EPERM, kind->op, NULL);
	v->fd = eio__fd_use(fd);
	v->m.slot = eio__slot(fd);
	return v->fd < 0 ? eio__fail(v->fd, kind->op, NULL) : 0;
}

int eio_ll_views_recv(struct eio_ll_views *pub, struct eio_fd fd, struct eio_ll_buffers *b)
{
	struct views *v = (struct views *) pub;
	int rc = open_views(v, &receiving, fd, b);

	v->bundles = v->group->flags & EIO_LL_BUFFERS_BUNDLES;
	return rc < 0 ? rc : begin(v);
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
	struct views *v = (struct views *) pub;
	int rc = open_views(v, &reading, fd, b);

	if (rc < 0)
		return rc;
	v->m.single = !is_read_multishot(v->group->u, v->fd);
	v->polls_first = !by_kernel(v);
	v->on_disk = eio__kind(v->m.slot, fd) & EIO__FD_ON_DISK;
	return begin(v);
}

/* The first view of the first piece. */
static void hand_out(struct views *v, struct eio_ll_view *ret)
{
	struct eio__buffers *g = v->group;
	uint32_t i = v->first;
	struct eio__piece *p = &g->pieces[i];
	unsigned id = p->id;

	ret->id = eio__buffers_name(g, id);
	ret->data = eio__buffers_data(g, id) + p->at;
	ret->len = eio__buffers_piece(g, p->len, &id);
	p->id = (uint16_t) id;
	p->len -= (unsigned) ret->len;
	if (p->len)
		return; /* of a bundle, whose views are at the beginning of their buffers */
	v->first = p->next;
	v->waiting--;
	eio__piece_free(g, i);
}

/* A failure, or 0 for the end. */
static int take_res(struct views *v)
{
	v->has_res = false;
	return v->res == -ECANCELED ? -EIO : v->res;
}

int eio_ll_views_next(struct eio_ll_views *pub, struct eio_ll_view *ret)
{
	struct views *v = (struct views *) pub;
	int rc = eio__multi_enter(&v->m);

	if (unlikely(rc < 0))
		return rc;
	rc = eio__check(v->m.consumer);
	while (rc == 0 && v->first == EIO__NO_PIECE && (v->m.lost || !v->has_res))
		rc = eio__multi_more(&v->m);
	if (likely(rc == 0) && v->first != EIO__NO_PIECE) {
		hand_out(v, ret);
		rc = 1;
	} else if (rc == 0) {
		rc = take_res(v);
	}
	return eio__multi_leave(&v->m, rc);
}

int eio_ll_views_pause(struct eio_ll_views *pub)
{
	struct views *v = (struct views *) pub;
	int rc = eio__multi_stop(&v->m);

	return rc < 0 ? rc : eio__multi_leave(&v->m, 0);
}

bool eio_ll_views_ready(const struct eio_ll_views *pub)
{
	const struct views *v = (const struct views *) pub;

	return v->first != EIO__NO_PIECE || v->has_res || v->m.lost;
}

int eio_ll_views_end(struct eio_ll_views *pub)
{
	struct views *v = (struct views *) pub;
	int rc = eio__multi_stop(&v->m);

	if (rc < 0)
		return rc;
	if (v->m.starved)
		feed(v);
	while (v->first != EIO__NO_PIECE) {
		uint32_t i = v->first;
		struct eio__piece *p = &v->group->pieces[i];

		v->first = p->next;
		drop(p->len, p->id, v->group);
		eio__piece_free(v->group, i);
	}
	v->group->users--;
	eio__multi_fini(&v->m);
	return 0;
}

/* One at a time */

static bool recv_once(struct eio__call *c, struct eio_fd fd, struct eio__buffers *g, size_t max,
		      struct eio_ll_view *ret)
{
	struct io_uring_sqe *sqe = eio__begin(c, fd);
	struct eio_ll_result r;
	struct eio__op op;

	if (!sqe)
		return false;
	io_uring_prep_recv(sqe, c->unix_fd, NULL, eio__io_len(max), 0);
	sqe->ioprio = eio__receive_hint(c->u);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = g->id;
	g->users++;
	c->res = eio__op_await(c->u, &op, sqe, &eio__op_wait);
	g->users--;
	r = (struct eio_ll_result){.res = c->res, .flags = op.flags};
	if (r.flags & IORING_CQE_F_BUFFER)
		eio__buffers_fill(g, &r, false);
	if (c->res > 0) {
		unsigned id = r.flags >> IORING_CQE_BUFFER_SHIFT;

		*ret = (struct eio_ll_view){
			.data = eio__buffers_data(g, id) + r.reserved,
			.len = (size_t) c->res,
			.id = eio__buffers_name(g, id),
		};
	} else if (c->res < 0) {
		c->res = eio__answer(&op, c->slot, POLLIN);
	}
	eio__slot_unuse(c->slot);
	return op.res < 0 && c->res == EIO__AGAIN;
}

ssize_t eio_ll_view_recv(struct eio_fd fd, struct eio_ll_buffers *b, size_t max,
			 struct eio_ll_view *ret)
{
	struct eio__buffers *g = eio__buffers_of(b);
	struct eio__call c;

	if (!g->u || g->u != eio__uring_self())
		return eio__fail(-EPERM, "recv", NULL);
	/* A buffer that is filled piece after piece is to be told of each in their order, which
	 * iterators do in the poll, but this fiber when it runs. */
	if ((g->flags & (EIO_LL_BUFFERS_BY_KERNEL | EIO_LL_BUFFERS_INCREMENTAL)) !=
	    EIO_LL_BUFFERS_BY_KERNEL)
		return eio__fail(-EOPNOTSUPP, "recv", NULL);
	while (recv_once(&c, fd, g, max, ret))
		;
	return eio__fail(c.res, "recv", NULL);
}
