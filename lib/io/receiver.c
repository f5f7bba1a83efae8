/* SPDX-License-Identifier: ISC */
/*
 * Receivers.
 *
 *   each     each read is a receive: until the domain has many fibers. After a large message it
 *            waits with a poll instead, and then receives into a block of the heap: that one was
 *            used just now and is in the caches, the next of the domain's buffers is not
 *   armed    a multishot operation is; what came lies in its views until it is asked for
 *   direct   the same after messages have been large: it is paused, and as soon as all views
 *            are read, each read is a receive into the reader's memory
 *
 * The rest is what is left of a piece that was taken and not read whole. A piece is a view, or,
 * when the domain's buffers were all in use, memory from the heap that several may share: nobody
 * waits for buffers that others hold.
 *
 * Bytes come in the order rest, views, socket. A loan that is given back in part becomes the rest
 * again if nothing was read after it: it ends where the rest begins, and where `edge` is. While
 * somebody waits for what comes next there is no edge: a rest would come before that.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/flow.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/receiver.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LARGE = EIO_LL_COMMON_SIZE, /* pieces of this size, full ones, … */
	LARGE_IN_A_ROW = 2,         /* … so many in a row: direct reads … */
	SMALL = EIO_LL_COMMON_SIZE / 4,
	SMALL_IN_A_ROW = 16, /* … until so many were no larger than this */
	HEAP_SIZE = EIO_LL_COMMON_SIZE,
	LARGE_EACH = EIO__DIRECT_SIZE, /* its answer is sent directly, too */
};

struct heap {
	unsigned users;
	char data[];
};

struct piece {
	struct eio_ll_view view; /* len 0: none */
	struct heap *heap;       /* NULL: it is a view of the group's */
};

struct receiver {
	struct eio_flow conn;
	struct eio_fd fd;
	struct eio_ll_buffers *group; /* NULL: nothing was read */
	struct piece rest;
	const char *edge; /* the end of what was read last, if that was lent; else NULL */
	struct eio_ll_views views;
	bool begun;  /* views are to be ended */
	bool closed; /* by the flow */
	bool direct;
	bool large; /* what was borrowed last, while each read was a receive */
	uint8_t in_a_row;
};

_Static_assert(sizeof(struct receiver) <= sizeof(struct eio_receiver), "eio_receiver is too small");

/* Pieces */

static void release(struct receiver *r, const struct piece *p)
{
	if (!p->heap)
		(void) eio_ll_view_return(r->group, p->view);
	else if (--p->heap->users == 0)
		free(p->heap);
}

/* The first @p len bytes of the rest, which keeps what is behind them. */
static struct piece cut(struct receiver *r, size_t len)
{
	struct piece p = r->rest;

	r->rest = (struct piece){0};
	if (len >= p.view.len)
		return p;
	if (p.heap) {
		p.heap->users++;
		r->rest.view.data = (char *) p.view.data + len;
		r->rest.view.len = p.view.len - len;
		p.view.len = len;
	} else {
		(void) eio_ll_view_split(r->group, &p.view, len, &r->rest.view);
	}
	r->rest.heap = p.heap;
	return p;
}

/* Has anything arrived that nobody has read? */
static bool is_any_ready(const struct receiver *r)
{
	return r->rest.view.len || (r->begun && eio_ll_views_ready(&r->views));
}

/* Is each receive to be an operation of its own? While there are few fibers it is faster: what a
 * busy peer sends next has often come by then. */
static bool is_each(const struct receiver *r)
{
	return !r->begun && !eio__has_many_fibers(eio__domain_self());
}

static void set_direct(struct receiver *r, bool on)
{
	r->direct = on;
	r->in_a_row = 0;
}

/* Waits for something and receives it into a block of the heap: as await_rest. */
static __attribute__((noinline)) int receive_on_heap(struct receiver *r)
{
	int rc = eio_ll_await_readable(r->fd);
	ssize_t n = -EAGAIN;
	struct heap *h;

	if (rc < 0)
		return rc;
	h = malloc(sizeof(*h) + HEAP_SIZE);
	if (!h)
		return eio__fail(-ENOMEM, "read", NULL);
	if (eio__may_go_direct())
		n = eio__socket_recv_now(r->fd, h->data, HEAP_SIZE);
	if (n == -EAGAIN)
		n = r->conn.ops->read(r->conn, h->data, HEAP_SIZE);
	if (n <= 0) {
		free(h);
		return eio__fail((int) n, "recv", NULL);
	}
	h->users = 1;
	r->rest = (struct piece){.view = {.data = h->data, .len = (size_t) n}, .heap = h};
	return 1;
}

/* By a receive of its own: as await_rest. */
static int receive_each(struct receiver *r)
{
	ssize_t n;

	if (r->large)
		n = receive_on_heap(r);
	else
		n = eio_ll_view_recv(r->fd, r->group, EIO_LL_COMMON_SIZE, &r->rest.view);
	r->large = n > 0 && r->rest.view.len >= LARGE_EACH;
	return n > 0 ? 1 : (int) n;
}

/* Waits until there is a rest: 1; 0 at the end, or a negative code: -ENOBUFS when no operation
 * is in flight, for want of buffers. */
static int await_rest(struct receiver *r)
{
	int rc = 0;

	if (r->rest.view.len)
		return 1;
	r->rest.heap = NULL;
	if (is_each(r))
		return receive_each(r);
	if (!r->begun) {
		rc = eio_ll_views_recv(&r->views, r->fd, r->group);
		r->begun = rc == 0;
	}
	if (rc < 0)
		return rc;
	/* It may start again, and then nothing else may receive. */
	if (r->direct && !eio_ll_views_ready(&r->views))
		set_direct(r, false);
	return eio_ll_views_next(&r->views, &r->rest.view);
}

static int enter(const struct receiver *r)
{
	if (eio_ll_buffers_common() != r->group)
		return eio__fail(-EPERM, "read", NULL);
	return r->closed ? eio__fail(-EBADF, "read", NULL) : 0;
}

/* Reading */

static void drop_used(struct receiver *r, size_t n)
{
	struct piece *p = &r->rest;

	p->view.data = (char *) p->view.data + n;
	p->view.len -= n;
	if (p->view.len == 0)
		release(r, p);
}

/* How large messages are decides how the next ones are received. */
static void measure(struct receiver *r, size_t n)
{
	bool other = r->direct ? n <= SMALL : n >= LARGE;

	r->in_a_row = other ? r->in_a_row + 1 : 0;
	if (r->in_a_row < (r->direct ? SMALL_IN_A_ROW : LARGE_IN_A_ROW))
		return;
	set_direct(r, !r->direct);
	if (r->direct)
		(void) eio_ll_views_pause(&r->views);
}

static __attribute__((noinline)) ssize_t read_direct(struct receiver *r, void *buf, size_t len)
{
	ssize_t n = r->conn.ops->read(r->conn, buf, len);

	if (n > 0 && r->direct)
		measure(r, (size_t) n);
	return n;
}

static ssize_t read_some(struct receiver *r, void *buf, size_t len)
{
	bool anew = r->rest.view.len == 0;
	int rc;

	if ((r->direct || is_each(r)) && !is_any_ready(r))
		return read_direct(r, buf, len);
	rc = await_rest(r);
	if (rc == -ENOBUFS)
		return read_direct(r, buf, len);
	if (rc <= 0)
		return rc;
	if (anew && !r->direct)
		measure(r, r->rest.view.len);
	if (len > r->rest.view.len)
		len = r->rest.view.len;
	memcpy(buf, r->rest.view.data, len);
	drop_used(r, len);
	return (ssize_t) len;
}

static ssize_t receiver_read(struct eio_flow f, void *buf, size_t len)
{
	struct receiver *r = f.u.ptr;
	const char *edge = r->edge;
	ssize_t n = enter(r);

	if (n < 0)
		return n;
	r->edge = NULL;
	n = read_some(r, buf, len);
	if (n <= 0)
		r->edge = edge;
	return n;
}

/* Lending */

/* Of the loan that was read last, what was not used is the rest again. */
static bool take_back(struct receiver *r, const struct eio_view *loan, size_t used, struct piece p)
{
	size_t left = loan->len - used;

	p.view.data = (char *) loan->data + used;
	p.view.len = left;
	if (left && r->edge == loan->data + loan->len) {
		r->edge = NULL;
		if (r->rest.view.len == 0) {
			r->rest = p;
			return true;
		}
		r->rest.view.data = p.view.data;
		r->rest.view.len += left;
		left = 0;
	}
	release(r, &p);
	return left == 0;
}

static bool take_back_view(struct eio_view *loan, size_t used)
{
	return take_back(loan->ptr, loan, used, (struct piece){.view.id = (unsigned) loan->id});
}

static bool take_back_heap(struct eio_view *loan, size_t used)
{
	return take_back(loan->ptr, loan, used,
			 (struct piece){.heap = (struct heap *) (uintptr_t) loan->id});
}

static ssize_t receiver_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct receiver *r = f.u.ptr;
	const char *edge = r->edge;
	struct piece p;
	int rc = enter(r);

	if (rc < 0)
		return rc;
	r->edge = NULL;
	rc = await_rest(r);
	if (rc == -ENOBUFS)
		rc = receive_on_heap(r);
	if (rc <= 0) {
		r->edge = edge;
		return rc;
	}
	p = cut(r, max);
	r->edge = (char *) p.view.data + p.view.len;
	*ret = (struct eio_view){
		.data = p.view.data,
		.len = p.view.len,
		.release = p.heap ? take_back_heap : take_back_view,
		.ptr = r,
		.id = p.heap ? (uintptr_t) p.heap : p.view.id,
	};
	return (ssize_t) p.view.len;
}

/* What goes to the socket */

static struct eio_flow conn_of(struct eio_flow f)
{
	return ((struct receiver *) f.u.ptr)->conn;
}

static ssize_t receiver_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct eio_flow conn = conn_of(f);

	return conn.ops->write_some(conn, iov, n);
}

static int receiver_copy_from(struct eio_flow f, struct eio_flow src, struct eio_copy *c)
{
	struct eio_flow conn = conn_of(f);

	return conn.ops->copy_from ? conn.ops->copy_from(conn, src, c) : -EOPNOTSUPP;
}

static int receiver_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	return eio_flow_shutdown(conn_of(f), how);
}

static int receiver_fd(struct eio_flow f, struct eio_fd *ret)
{
	return eio_flow_fd(conn_of(f), ret);
}

/* Nobody has the descriptor any more, unless somebody is reading: then the end does this. */
static void let_go(struct receiver *r)
{
	if (r->begun && eio_ll_views_end(&r->views) < 0)
		return;
	r->begun = false;
	if (r->rest.view.len)
		release(r, &r->rest);
	r->rest = (struct piece){0};
	r->edge = NULL;
}

/* The peer is to see it now, not when the receiver ends. */
static int receiver_close(struct eio_flow f)
{
	struct receiver *r = f.u.ptr;

	r->closed = true;
	let_go(r);
	return eio_flow_close(r->conn);
}

static const struct eio_flow_ops receiver_ops = {
	.name = "receiver",
	.read = receiver_read,
	.write_some = receiver_write_some,
	.copy_from = receiver_copy_from,
	.borrow = receiver_borrow,
	.shutdown = receiver_shutdown,
	.close = receiver_close,
	.fd = receiver_fd,
};

bool eio__flow_is_receiver(struct eio_flow f)
{
	return f.ops == &receiver_ops;
}

struct eio_flow eio_receiver_begin(struct eio_receiver *pub, struct eio_flow conn)
{
	struct receiver *r = (struct receiver *) pub;

	*r = (struct receiver){.conn = conn};
	if (eio__flow_is_stream_socket(conn))
		r->group = eio_ll_buffers_common();
	if (!r->group)
		return conn;
	r->fd = conn.u.fd;
	return (struct eio_flow){.ops = &receiver_ops, .u.ptr = r};
}

void eio_receiver_end(struct eio_receiver *pub)
{
	let_go((struct receiver *) pub);
}
