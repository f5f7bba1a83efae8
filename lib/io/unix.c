/* SPDX-License-Identifier: ISC */
/*
 * What only Unix connections can do: come in pairs, and pass descriptors.
 *
 * Descriptors go with the first byte of what they are sent with, so the rest follows as
 * bytes alone. Who receives gets all that came with a byte or none: a program that lost
 * one of several would take another for it.
 */
#include "core/error.h"
#include "io/flow.h"

#include <eio/low_level.h>
#include <eio/net.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

int eio_net_socketpair(struct eio_switch *sw, struct eio_flow *ret_a, struct eio_flow *ret_b)
{
	struct eio_fd a, b;
	int rc = eio_ll_socketpair(sw, AF_UNIX, SOCK_STREAM, 0, &a, &b);

	if (rc < 0)
		return rc;
	*ret_a = eio__flow_socket(a);
	*ret_b = eio__flow_socket(b);
	return 0;
}

/* Others send the bytes without the descriptors, and do not tell. */
static int check_unix(struct eio_fd fd)
{
	int domain, rc = eio_ll_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, sizeof(domain));

	if (rc < 0)
		return rc;
	return domain == AF_UNIX ? 0 : eio__fail(-EOPNOTSUPP, "send_fds", NULL);
}

int eio_net_send_fds(struct eio_flow conn, const void *buf, size_t len, const struct eio_fd *fds,
		     unsigned n_fds)
{
	struct iovec iov = {(void *) buf, len};
	struct eio_fd fd;
	ssize_t sent;
	int rc;

	if (len == 0)
		return eio__fail(-EINVAL, "send_fds", NULL);
	rc = eio_flow_fd(conn, &fd);
	if (rc == 0)
		rc = check_unix(fd);
	if (rc < 0)
		return rc;
	sent = eio_ll_send_msg(fd, NULL, &iov, 1, fds, n_fds, 0);
	if (sent < 0)
		return eio__fail_done((int) sent, "send_msg", 0);
	rc = eio_ll_send_all(fd, (const char *) buf + sent, len - (size_t) sent, 0);
	return rc < 0 ? eio__fail_done(rc, "send", (uint64_t) sent + eio_last_error()->done) : 0;
}

ssize_t eio_net_recv_fds(struct eio_flow conn, struct eio_switch *sw, void *buf, size_t len,
			 struct eio_fd *ret_fds, unsigned max_fds, unsigned *ret_n)
{
	struct iovec iov = {buf, len};
	struct eio_ll_received got;
	struct eio_fd fd;
	ssize_t n;
	int rc;

	if (len == 0)
		return eio__fail(-EINVAL, "recv_fds", NULL);
	/* What it received ahead comes first, and has lost its descriptors. */
	if (eio__flow_is_receiver(conn))
		return eio__fail(-ENOTSUP, "recv_fds", NULL);
	rc = eio_flow_fd(conn, &fd);
	if (rc < 0)
		return rc;
	n = eio_ll_recv_msg_with_fds(sw, fd, &iov, 1, 0, ret_fds, max_fds, &got);
	if (n < 0)
		return n;
	if (!(got.flags & MSG_CTRUNC)) {
		*ret_n = got.n_fds;
		return n;
	}
	for (unsigned i = 0; i < got.n_fds; i++)
		eio_fd_close(ret_fds[i]);
	rc = got.n_fds < max_fds ? -EMFILE : -EMSGSIZE;
	eio_error_set(rc, "recv_fds", NULL);
	return eio__fail_done(rc, "recv_fds", (uint64_t) n);
}
