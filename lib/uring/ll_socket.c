/* SPDX-License-Identifier: ISC */
/*
 * Sockets. Calls that never wait (socket, bind, listen, shutdown, names and options) are
 * made directly.
 *
 * close(2) does not end an accept in flight, which would keep the port and still take a
 * connection. So a listener's slot knows its accepts, and closing the listener cancels
 * them (listener.h).
 */
#include "uring/call.h"
#include "uring/listener.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An accept in flight. */
struct accept {
	struct eio__call call;
	struct eio__op op;
	struct eio__accept listed;
	bool polls;  /* for a connection, after -EAGAIN */
	bool direct; /* into the ring's table */
};

int eio_ll_socket(struct eio_switch *sw, int domain, int type, int protocol, struct eio_fd *ret)
{
	int rc = eio_check();

	if (rc == 0)
		rc = eio__switch_ok(sw);
	if (rc == 0) {
		rc = socket(domain, type | SOCK_CLOEXEC, protocol);
		if (rc < 0)
			rc = -errno;
	}
	if (rc < 0)
		return eio__fail(rc, "socket", NULL);
	return eio_fd_of_unix(sw, rc, EIO__FD_STREAM, ret);
}

int eio_ll_socketpair(struct eio_switch *sw, int domain, int type, int protocol,
		      struct eio_fd *ret_a, struct eio_fd *ret_b)
{
	int ends[2], rc = eio_check();

	if (rc == 0)
		rc = eio__switch_ok(sw);
	if (rc == 0 && socketpair(domain, type | SOCK_CLOEXEC, protocol, ends) < 0)
		rc = -errno;
	if (rc < 0)
		return eio__fail(rc, "socketpair", NULL);
	return eio__fd_pair_of_unix(sw, ends, ret_a, ret_b);
}

int eio_ll_socket_direct(struct eio_switch *sw, int domain, int type, int protocol,
			 struct eio_fd *ret)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (eio__switch_ok(sw) < 0 || !eio__files_promise(eio__uring_self()))
		return eio_ll_socket(sw, domain, type, protocol, ret);
	do {
		sqe = eio__begin_bare(&c);
		if (sqe) {
			io_uring_prep_socket(sqe, domain, type & ~SOCK_CLOEXEC, protocol, 0);
			eio__files_aim_at_free(sqe);
		}
	} while (eio__finish(&c, sqe, 0));
	return eio__fail(eio__files_track(sw, c.res, EIO_FD_NOT_SEEKABLE, ret), "socket", NULL);
}

int eio__fail_addr(int rc, const char *op, const struct eio_addr *addr)
{
	char text[EIO_ADDR_TEXT];

	if (rc >= 0 || rc == -ECANCELED)
		return rc;
	if (!addr)
		return eio__fail(rc, op, NULL);
	return eio__fail(rc, op, eio_addr_format(addr, text, sizeof(text)));
}

int eio_ll_bind(struct eio_fd fd, const struct eio_addr *addr)
{
	int rc = eio_check(), unix_fd = rc < 0 ? rc : eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail_addr(unix_fd, "bind", addr);
	if (bind(unix_fd, (const struct sockaddr *) addr->sa, addr->len) < 0)
		rc = -errno;
	eio__fd_unuse(fd);
	return eio__fail_addr(rc, "bind", addr);
}

int eio_ll_listen(struct eio_fd fd, int backlog)
{
	int rc = eio_check(), unix_fd = rc < 0 ? rc : eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, "listen", NULL);
	if (listen(unix_fd, backlog) < 0)
		rc = -errno;
	eio__fd_unuse(fd);
	return eio__fail(rc, "listen", NULL);
}

static void cancel_accept(struct eio__accept *listed)
{
	struct accept *a = eio__container_of(listed, struct accept, listed);

	if (!a->op.got)
		eio__op_ask_cancel(a->call.u, &a->op);
}

static bool again(struct accept *a)
{
	a->call.res = eio__answer(&a->op, NULL, 0);
	return a->call.res == EIO__AGAIN;
}

/* One accept, or a poll where the kernel heeds O_NONBLOCK, which must be cancelled by the
 * closer too; the number, or a negative code. True: again. */
static bool accept_once(struct accept *a, struct eio_fd fd, struct sockaddr *sa, socklen_t *len)
{
	struct io_uring_sqe *sqe = eio__begin(&a->call, fd);
	struct eio__slot *s = eio__slot(fd);
	bool late;

	if (!sqe)
		return false;
	a->listed.u = a->call.u;
	a->listed.cancel = cancel_accept;
	late = !eio__accept_enlist(s, fd, &a->listed);
	if (late)
		io_uring_prep_nop(sqe);
	else if (a->polls)
		io_uring_prep_poll_add(sqe, a->call.unix_fd, POLLIN);
	else
		io_uring_prep_accept(sqe, a->call.unix_fd, sa, len, a->direct ? 0 : SOCK_CLOEXEC);
	if (a->direct && !late && !a->polls)
		eio__files_aim_at_free(sqe);
	a->call.res = eio__op_await(a->call.u, &a->op, sqe, &eio__op_wait);
	a->op.got = true;
	eio__accept_unlist(s, &a->listed);
	eio__accept_settle(&a->listed);
	eio__fd_unuse(fd);
	if (late || (a->call.res < 0 && !a->op.cancelled && eio__fd_is_closing(fd))) {
		a->call.res = -EBADF;
		return false;
	}
	if (a->polls && a->call.res >= 0) {
		a->polls = false;
		return true;
	}
	if (a->call.res >= 0)
		return false;
	a->polls = a->call.res == -EAGAIN;
	return a->polls || again(a);
}

/* The number, or the place it was promised in the ring's table. */
static int accept_file(struct eio_fd fd, bool direct, struct eio_addr *ret_peer)
{
	struct sockaddr *sa = ret_peer ? (struct sockaddr *) ret_peer->sa : NULL;
	struct accept a = {.direct = direct};
	socklen_t len;

	do
		len = sizeof(ret_peer->sa);
	while (accept_once(&a, fd, sa, sa ? &len : NULL));
	if (a.call.res >= 0 && ret_peer) {
		ret_peer->len = len < sizeof(ret_peer->sa) ? len : sizeof(ret_peer->sa);
		ret_peer->reserved = 0;
	}
	return a.call.res;
}

int eio_ll_accept(struct eio_switch *sw, struct eio_fd fd, struct eio_fd *ret,
		  struct eio_addr *ret_peer)
{
	int rc = eio__switch_ok(sw);

	if (rc == 0)
		rc = accept_file(fd, false, ret_peer);
	if (rc < 0)
		return eio__fail(rc, "accept", NULL);
	return eio_fd_of_unix(sw, rc, EIO__FD_STREAM, ret);
}

int eio_ll_accept_direct(struct eio_switch *sw, struct eio_fd fd, struct eio_fd *ret,
			 struct eio_addr *ret_peer)
{
	int rc;

	if (eio__switch_ok(sw) < 0 || !eio__files_promise(eio__uring_self()))
		return eio_ll_accept(sw, fd, ret, ret_peer);
	rc = accept_file(fd, true, ret_peer);
	return eio__fail(eio__files_track(sw, rc, EIO_FD_NOT_SEEKABLE, ret), "accept", NULL);
}

int eio_ll_close_listener(struct eio_fd fd)
{
	struct eio__detached left;
	int rc;

	if (!eio__self())
		return eio__fail(eio__fd_close_cancelling(fd, eio__accepts_cancel), "close", NULL);
	rc = eio__fd_detach(fd, eio__accepts_cancel, &left);
	if (rc == 0 && left.owned && left.unix_fd >= 0 && close(left.unix_fd) < 0)
		rc = -errno;
	return eio__fail(rc, "close", NULL);
}

int eio_ll_connect(struct eio_fd fd, const struct eio_addr *addr)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_connect(sqe, c.unix_fd, (const struct sockaddr *) addr->sa,
					      addr->len);
	} while (eio__finish(&c, sqe, 0));
	return eio__fail_addr(c.res, "connect", addr);
}

int eio_ll_shutdown(struct eio_fd fd, int how)
{
	int rc = eio_check(), unix_fd = rc < 0 ? rc : eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, "shutdown", NULL);
	if (shutdown(unix_fd, how) < 0)
		rc = -errno;
	eio__fd_unuse(fd);
	return eio__fail(rc, "shutdown", NULL);
}

/* The second try of a call, and those after it, are a loop of their own that the compiler
 * keeps apart: in the call itself it would make it keep in the waiting fiber's frame what
 * it saves. */
static inline __attribute__((always_inline)) bool send_once(struct eio__call *c, struct eio_fd fd,
							    const void *buf, size_t len, int flags)
{
	struct io_uring_sqe *sqe = eio__begin(c, fd);

	if (sqe)
		io_uring_prep_send(sqe, c->unix_fd, buf, eio__io_len(len), flags | MSG_NOSIGNAL);
	return eio__finish(c, sqe, flags & MSG_DONTWAIT ? 0 : POLLOUT);
}

static __attribute__((cold, noinline)) ssize_t send_again(struct eio_fd fd, const void *buf,
							  size_t len, int flags)
{
	struct eio__call c;

	while (send_once(&c, fd, buf, len, flags))
		;
	return eio__fail(c.res, "send", NULL);
}

ssize_t eio_ll_send(struct eio_fd fd, const void *buf, size_t len, int flags)
{
	struct eio__call c;

	if (send_once(&c, fd, buf, len, flags))
		return send_again(fd, buf, len, flags);
	return eio__fail(c.res, "send", NULL);
}

static inline __attribute__((always_inline)) bool recv_once(struct eio__call *c, struct eio_fd fd,
							    void *buf, size_t len, int flags)
{
	struct io_uring_sqe *sqe = eio__begin(c, fd);

	if (sqe) {
		io_uring_prep_recv(sqe, c->unix_fd, buf, eio__io_len(len), flags);
		sqe->ioprio = flags & MSG_DONTWAIT ? 0 : eio__receive_hint(c->u);
	}
	return eio__finish(c, sqe, flags & MSG_DONTWAIT ? 0 : POLLIN);
}

static __attribute__((cold, noinline)) ssize_t recv_again(struct eio_fd fd, void *buf, size_t len,
							  int flags)
{
	struct eio__call c;

	while (recv_once(&c, fd, buf, len, flags))
		;
	return eio__fail(c.res, "recv", NULL);
}

ssize_t eio_ll_recv(struct eio_fd fd, void *buf, size_t len, int flags)
{
	struct eio__call c;

	if (recv_once(&c, fd, buf, len, flags))
		return recv_again(fd, buf, len, flags);
	return eio__fail(c.res, "recv", NULL);
}

/*
 * All of it. With MSG_WAITALL the kernel goes on by itself after a part; kernels before 6.1
 * forget, when they are cancelled, what they have moved by then, so they are not told.
 */
static int whole(void)
{
	const struct eio__uring *u = eio__uring_self();

	return u && eio__ring_has(&u->ring, IORING_OP_SENDMSG_ZC) ? MSG_WAITALL : 0;
}

int eio_ll_send_all(struct eio_fd fd, const void *buf, size_t len, int flags)
{
	size_t done = 0;
	int rc;

	flags |= whole();
	while (done < len) {
		rc = (int) eio_ll_send(fd, (const char *) buf + done, len - done, flags);
		rc = eio__progress(rc);
		if (rc < 0)
			return eio__partial(rc, "send", done);
		done += (size_t) rc;
	}
	return 0;
}

int eio_ll_recv_exactly(struct eio_fd fd, void *buf, size_t len)
{
	int rc, flags = whole();
	size_t done = 0;

	while (done < len) {
		rc = (int) eio_ll_recv(fd, (char *) buf + done, len - done, flags);
		if (rc <= 0)
			return eio__partial(rc ? rc : EIO_EOF, "recv", done);
		done += (size_t) rc;
	}
	return 0;
}

/* Names and options: questions that anybody may ask at any time */

static int name_of(struct eio_fd fd, const char *op,
		   int (*ask)(int unix_fd, struct sockaddr *sa, socklen_t *len),
		   struct eio_addr *ret)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *) &ss;
	socklen_t len = sizeof(ss);
	int rc, unix_fd = eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, op, NULL);
	rc = ask(unix_fd, sa, &len) < 0 ? -errno : eio_addr_from_sockaddr(ret, sa, len);
	eio__fd_unuse(fd);
	return eio__fail(rc, op, NULL);
}

int eio_ll_getsockname(struct eio_fd fd, struct eio_addr *ret)
{
	return name_of(fd, "getsockname", getsockname, ret);
}

int eio_ll_getpeername(struct eio_fd fd, struct eio_addr *ret)
{
	return name_of(fd, "getpeername", getpeername, ret);
}

int eio_ll_getsockopt(struct eio_fd fd, int level, int option, void *ret_value, size_t size)
{
	socklen_t len = (socklen_t) (size > INT_MAX ? INT_MAX : size);
	int rc, unix_fd = eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, "getsockopt", NULL);
	rc = getsockopt(unix_fd, level, option, ret_value, &len) < 0 ? -errno : (int) len;
	eio__fd_unuse(fd);
	return eio__fail(rc, "getsockopt", NULL);
}

int eio_ll_setsockopt(struct eio_fd fd, int level, int option, const void *value, size_t len)
{
	int rc = len > INT_MAX ? -EINVAL : 0, unix_fd = rc < 0 ? rc : eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, "setsockopt", NULL);
	if (setsockopt(unix_fd, level, option, value, (socklen_t) len) < 0)
		rc = -errno;
	eio__fd_unuse(fd);
	return eio__fail(rc, "setsockopt", NULL);
}
