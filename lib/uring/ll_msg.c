/* SPDX-License-Identifier: ISC */
/*
 * Messages from ring to ring.
 *
 * A message is a completion that the sender's ring posts into the receiver's. It points at
 * the port, so the port must be there as long as one may come: it is tracked like a
 * descriptor, its ring's, and each message on its way is a user of that handle. A sender
 * becomes one, which fails for ever when the port has ended, and then may touch the port;
 * once the message is posted the use is the message's, and ends with its arrival. The end
 * of the port waits for its users as the closing of any handle.
 *
 * A place in the queue is promised before a message is sent, so none arrives for which
 * there is none.
 */
#include "uring/call.h"

#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct port {
	struct eio__sink sink; /* told of each message */
	struct eio__uring *u;  /* NULL: ended */
	struct eio_fd handle;  /* of the ring */
	struct eio__list waiters;
	uint32_t *queue;
	unsigned capacity, first, n; /* arrived: n, from queue[first] on */
	unsigned promised;           /* places: of messages arrived or on their way */
	bool ending;
};

_Static_assert(sizeof(struct port) <= sizeof(struct eio_ll_port), "eio_ll_port is too small");

struct waiter {
	struct eio__list link;
	struct eio__fiber *fiber;
	uint32_t message;
	int rc;
};

static struct port *port_of(struct eio_ll_port *p)
{
	return (struct port *) p;
}

/* Where a place is promised the sender's last touch of the port is, if all goes well. It also
 * orders what was done before a message and what is done after its receipt. */
static bool promise_place(struct port *p)
{
	unsigned promised = __atomic_load_n(&p->promised, __ATOMIC_RELAXED);

	do {
		if (promised == p->capacity)
			return false;
	} while (!__atomic_compare_exchange_n(&p->promised, &promised, promised + 1, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return true;
}

static void free_place(struct port *p)
{
	__atomic_sub_fetch(&p->promised, 1, __ATOMIC_ACQ_REL);
}

/* Receiving */

static void wake(struct waiter *w, int rc)
{
	w->rc = rc;
	eio__list_remove(&w->link);
	eio__wake(w->fiber);
}

static struct waiter *first_waiter(struct port *p)
{
	return eio__container_of(p->waiters.next, struct waiter, link);
}

/* In the port's own domain. */
static void deliver(struct port *p, uint32_t message)
{
	if (eio__list_empty(&p->waiters)) {
		p->queue[(p->first + p->n++) % p->capacity] = message;
		return;
	}
	free_place(p);
	first_waiter(p)->message = message;
	wake(first_waiter(p), 0);
}

static void arrived(struct eio__uring *u, struct eio__sink *s, const struct io_uring_cqe *cqe)
{
	struct port *p = eio__container_of(s, struct port, sink);

	u->ring.finals--; /* no entry of this ring's has completed */
	eio__woken_by_other(u);
	deliver(p, (uint32_t) cqe->res);
	eio__fd_unuse(p->handle);
}

static void leave(struct eio__fiber *f, void *arg)
{
	(void) f;
	wake(arg, -ECANCELED);
}

static const struct eio__wait waiting = {.what = "message", .cancel = leave};

static uint32_t take(struct port *p)
{
	uint32_t message = p->queue[p->first];

	p->first = (p->first + 1) % p->capacity;
	p->n--;
	free_place(p);
	return message;
}

static int receive(struct port *p, uint32_t *ret)
{
	struct eio__fiber *f = eio__self();
	struct waiter w = {.fiber = f};
	int rc;

	if (!p->u || p->ending)
		return -EBADF;
	if (p->u != eio__uring_self())
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (p->n) {
		*ret = take(p);
		return 0;
	}
	eio__list_append(&p->waiters, &w.link);
	eio__suspend(f, &waiting, &w);
	if (w.rc == 0)
		*ret = w.message;
	return w.rc == -ECANCELED ? eio__canceled(f) : w.rc;
}

int eio_ll_port_receive(struct eio_ll_port *p, uint32_t *ret)
{
	return eio__fail(receive(port_of(p), ret), "receive", NULL);
}

/* Beginning and end */

int eio_ll_port_begin(struct eio_ll_port *pub, uint32_t *queue, unsigned capacity,
		      struct eio_ll_port_ref *ret)
{
	struct eio__uring *u = eio__uring_self();
	struct port *p = port_of(pub);
	int rc;

	if (!u)
		return -EPERM;
	if (capacity == 0 || capacity > INT_MAX)
		return eio__fail(-EINVAL, "port", "capacity");
	if (!eio__ring_has(&u->ring, IORING_OP_MSG_RING))
		return eio__fail(-EOPNOTSUPP, "port", NULL);
	*p = (struct port){
		.sink = {.complete = arrived}, .u = u, .queue = queue, .capacity = capacity};
	eio__list_init(&p->waiters);
	rc = eio_fd_of_unix(NULL, u->ring.uring.ring_fd, EIO_FD_NOT_SEEKABLE | EIO__FD_RING,
			    &p->handle);
	if (rc < 0)
		return rc;
	u->ports++;
	*ret = (struct eio_ll_port_ref){p->handle, pub};
	return 0;
}

int eio_ll_port_end(struct eio_ll_port *pub)
{
	struct port *p = port_of(pub);
	struct eio__detached left;

	if (!p->u || p->ending)
		return -EBADF;
	if (p->u != eio__uring_self())
		return -EPERM;
	p->ending = true;
	while (!eio__list_empty(&p->waiters))
		wake(first_waiter(p), -EBADF);
	eio__fd_detach(p->handle, NULL, &left);
	/* Pairs with the promise of a place: the senders are done with the port. */
	(void) __atomic_load_n(&p->promised, __ATOMIC_ACQUIRE);
	p->u->ports--;
	p->u = NULL;
	return (int) p->n;
}

/* Sending */

static void prepare(struct io_uring_sqe *sqe, int ring_fd, struct port *p, uint32_t message)
{
	uint64_t user_data = (uintptr_t) &p->sink | EIO__UD_SINK;

	io_uring_prep_msg_ring(sqe, ring_fd, message, user_data, 0);
}

static int post(int ring_fd, struct port *p, uint32_t message)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			prepare(sqe, ring_fd, p, message);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

/* By a thread without a ring. Older kernels do not know how, and say so in several ways. */
static int post_directly(int ring_fd, struct port *p, uint32_t message)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	prepare(&sqe, ring_fd, p, message);
	if (syscall(SYS_io_uring_register, -1, EIO__REGISTER_SYNC_MSG, &sqe, 1) == 0)
		return 0;
	return errno == EBADF || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

/* With a place promised, to a port that stays while the caller uses its handle. That the ring
 * overflows means that the kernel had no memory to keep the completion in. */
static int dispatch(struct eio__uring *u, int ring_fd, struct port *p, uint32_t message)
{
	int rc;

	if (!u)
		rc = post_directly(ring_fd, p, message);
	else if (eio__ring_has(&u->ring, IORING_OP_MSG_RING))
		rc = post(ring_fd, p, message);
	else
		rc = -EOPNOTSUPP;
	return rc == -EOVERFLOW ? -ENOMEM : rc;
}

static int send_to(struct eio_ll_port_ref to, uint32_t message)
{
	struct port *p = port_of(to.eio_port);
	struct eio__uring *u = eio__uring_self();
	int ring_fd, rc = u ? eio__check(u->domain.current) : 0;
	bool own;

	if (rc < 0)
		return rc;
	ring_fd = eio__fd_use(to.eio_ring);
	if (ring_fd < 0)
		return ring_fd;
	own = u && u == p->u;
	if (!promise_place(p)) {
		eio__fd_unuse(to.eio_ring);
		return -EAGAIN;
	}
	if (own) {
		deliver(p, message);
		eio__fd_unuse(to.eio_ring);
		return 0;
	}
	rc = dispatch(u, ring_fd, p, message);
	if (rc >= 0)
		return 0; /* it may have arrived, and the port ended */
	free_place(p);
	eio__fd_unuse(to.eio_ring);
	return rc;
}

int eio_ll_port_send(struct eio_ll_port_ref to, uint32_t message)
{
	return eio__fail(send_to(to, message), "msg_ring", NULL);
}
