/* SPDX-License-Identifier: ISC */
/*
 * Messages: with an address, and with descriptors.
 *
 * Descriptors that are sent are pinned until the operation has completed: the kernel takes
 * its own references at some moment before that. Those that are received exist as soon as
 * it has completed, so each becomes a handle or is closed, whatever else happens.
 *
 * The kernel itself adds MSG_NOSIGNAL to what the ring sends.
 */
#include "uring/call.h"
#include "uring/sendmsg.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FDS_MAX = 253, /* SCM_MAX_FD */
	/* Room for what else the socket's options bring, credentials and times: it comes first
	 * and would leave too little. */
	OTHERS = 128,
	PIDFD = 4, /* SCM_PIDFD, Linux 6.5 */
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + OTHERS];
};

/* Sending */

static int send_msg(struct eio_fd fd, const struct msghdr *m, int flags)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_sendmsg(sqe, c.unix_fd, m, (unsigned) flags);
	} while (eio__finish(&c, sqe, flags & MSG_DONTWAIT ? 0 : POLLOUT));
	return c.res;
}

static void unpin(const struct eio_fd *fds, unsigned n)
{
	while (n > 0)
		eio__fd_unuse(fds[--n]);
}

static int pin(const struct eio_fd *fds, unsigned n, int *ret_unix_fds)
{
	for (unsigned i = 0; i < n; i++) {
		int unix_fd = eio__fd_use(fds[i]);

		if (unix_fd < 0) {
			unpin(fds, i);
			return unix_fd;
		}
		ret_unix_fds[i] = unix_fd;
	}
	return 0;
}

static int send_with_fds(struct eio_fd fd, struct msghdr *m, const struct eio_fd *fds, unsigned n,
			 int flags)
{
	union control control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	int rc;

	if (n > FDS_MAX)
		return -EINVAL;
	m->msg_control = &control;
	m->msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	rc = pin(fds, n, (int *) CMSG_DATA(&control.align));
	if (rc < 0)
		return rc;
	rc = send_msg(fd, m, flags);
	unpin(fds, n);
	return rc;
}

ssize_t eio_ll_send_msg(struct eio_fd fd, const struct eio_addr *dst, const struct iovec *iov,
			int n, const struct eio_fd *fds, unsigned n_fds, int flags)
{
	struct msghdr m = eio__msg_to(dst, iov, n);
	int rc = n_fds ? send_with_fds(fd, &m, fds, n_fds, flags) : send_msg(fd, &m, flags);

	return eio__fail_addr(rc, "send_msg", dst);
}

/* Receiving */

/* The kernel writes to the header only when a message has come. */
static int recv_msg(struct eio_fd fd, struct msghdr *m, int flags)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_recvmsg(sqe, c.unix_fd, m, (unsigned) flags);
	} while (eio__finish(&c, sqe, flags & MSG_DONTWAIT ? 0 : POLLIN));
	return c.res;
}

static struct msghdr msg_into(const struct iovec *iov, int n, struct eio_ll_received *ret)
{
	return (struct msghdr){
		.msg_iov = (struct iovec *) iov,
		.msg_iovlen = n > IOV_MAX ? IOV_MAX
			      : n < 0     ? 0
					  : (size_t) n,
		.msg_name = ret ? ret->peer.sa : NULL,
		.msg_namelen = ret ? sizeof(ret->peer.sa) : 0,
	};
}

static void tell(const struct msghdr *m, unsigned n_fds, struct eio_ll_received *ret)
{
	if (!ret)
		return;
	ret->peer.len = m->msg_namelen < sizeof(ret->peer.sa) ? m->msg_namelen
							      : sizeof(ret->peer.sa);
	ret->peer.reserved = 0;
	ret->flags = m->msg_flags & ~MSG_CMSG_CLOEXEC;
	ret->n_fds = n_fds;
}

ssize_t eio_ll_recv_msg(struct eio_fd fd, const struct iovec *iov, int n, int flags,
			struct eio_ll_received *ret)
{
	struct msghdr m = msg_into(iov, n, ret);
	int rc = recv_msg(fd, &m, flags);

	if (rc < 0)
		return eio__fail(rc, "recv_msg", NULL);
	tell(&m, 0, ret);
	return rc;
}

/* Where handles go. */
struct taking {
	struct eio_switch *sw;
	struct eio_fd *fds;
	unsigned max, n;
	bool cut; /* there was no room for some */
	int rc;
};

static void take(struct taking *t, int unix_fd)
{
	if (t->rc == 0 && t->n < t->max) {
		t->rc = eio_fd_of_unix(t->sw, unix_fd, EIO_FD_CLOSE, &t->fds[t->n]);
		t->n += t->rc == 0;
		return;
	}
	t->cut = true;
	eio__close_unix(unix_fd);
}

/* All of them or, after a failure, none. */
static int take_all(struct taking *t, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const int *unix_fds = (const int *) CMSG_DATA(c);
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == PIDFD && unix_fds[0] >= 0)
			eio__close_unix(unix_fds[0]);
		for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < n; i++)
			take(t, unix_fds[i]);
	}
	while (t->rc < 0 && t->n > 0)
		eio_fd_close(t->fds[--t->n]);
	if (t->cut)
		m->msg_flags |= MSG_CTRUNC;
	return t->rc;
}

ssize_t eio_ll_recv_msg_with_fds(struct eio_switch *sw, struct eio_fd fd, const struct iovec *iov,
				 int n, int flags, struct eio_fd *ret_fds, unsigned max_fds,
				 struct eio_ll_received *ret)
{
	struct taking t = {.sw = sw, .fds = ret_fds, .max = max_fds};
	struct msghdr m = msg_into(iov, n, ret);
	union control control;
	int rc = eio__switch_ok(sw);

	if (max_fds > FDS_MAX)
		max_fds = FDS_MAX;
	m.msg_control = &control;
	m.msg_controllen = CMSG_LEN(max_fds * sizeof(int)) + OTHERS;
	if (rc == 0)
		rc = recv_msg(fd, &m, flags | MSG_CMSG_CLOEXEC);
	if (rc < 0)
		return eio__fail(rc, "recv_msg", NULL);
	if (take_all(&t, &m) < 0)
		return eio__fail(t.rc, "recv_msg", NULL);
	tell(&m, t.n, ret);
	return rc;
}
