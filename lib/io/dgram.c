/* SPDX-License-Identifier: ISC */
/*
 * Datagrams: the calls, and the provider that does it with sockets over the ring.
 */
#include "core/error.h"
#include "io/bound.h"
#include "io/env.h"
#include "io/net.h"
#include "io/sockopt.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Sockets */

/* How long to wait for a receiver that cannot be asked. */
static const int64_t UNASKED = EIO_MS(1);

/* An unconnected Unix socket is always writable. So a socket is asked that is connected to
 * who has no room. One that hears only the sender lets nobody else do that. */
static __attribute__((noinline)) int await_receiver(const struct eio_addr *dst)
{
	struct eio_fd probe;
	int rc = eio_ll_socket(NULL, AF_UNIX, SOCK_DGRAM, 0, &probe);

	if (rc < 0)
		return rc;
	rc = eio_ll_connect(probe, dst);
	if (rc == 0)
		rc = eio_ll_await_writable(probe);
	eio_fd_close(probe);
	return rc == -EPERM ? eio_sleep(eio__clock_mono(), UNASKED) : rc;
}

static int await_room(struct eio_fd fd, const struct eio_addr *dst)
{
	int rc = eio_ll_await_writable(fd);

	return rc < 0 || !dst || eio__family_of(dst) != AF_UNIX ? rc : await_receiver(dst);
}

/* The waiting is not left to the ring. When a Unix socket had no room at first, the kernel
 * (6.18) has forgotten the bytes by its next try, and sends an empty datagram. */
static int socket_send(struct eio_dgram d, const struct eio_addr *dst, const struct iovec *iov,
		       int n)
{
	int rc;

	for (;;) {
		rc = (int) eio_ll_send_msg(d.u.fd, dst, iov, n, NULL, 0, MSG_DONTWAIT);
		if (rc != -EAGAIN)
			return rc < 0 ? rc : 0;
		rc = await_room(d.u.fd, dst);
		if (rc < 0)
			return rc;
	}
}

/* MSG_TRUNC: the kernel tells the length that the datagram had. */
static ssize_t socket_recv(struct eio_dgram d, void *buf, size_t len, struct eio_addr *ret_peer)
{
	struct iovec iov = {buf, len};
	struct eio_ll_received got;
	ssize_t n = eio_ll_recv_msg(d.u.fd, &iov, 1, MSG_TRUNC, &got);

	if (n < 0)
		return n;
	if (ret_peer)
		*ret_peer = got.peer.len ? got.peer : (struct eio_addr){.len = 0};
	if ((size_t) n > len) {
		eio_error_set(-EMSGSIZE, "recv_msg", NULL);
		return eio__fail_done(-EMSGSIZE, "recv_msg", (uint64_t) n);
	}
	return n;
}

static int socket_addr(struct eio_dgram d, struct eio_addr *ret)
{
	return eio_ll_getsockname(d.u.fd, ret);
}

static int socket_close(struct eio_dgram d)
{
	return eio__bound_end(d.u.fd, eio_fd_close);
}

static int socket_fd(struct eio_dgram d, struct eio_fd *ret)
{
	*ret = d.u.fd;
	return 0;
}

static const struct eio_dgram_ops socket_ops = {
	.name = "socket",
	.send = socket_send,
	.recv = socket_recv,
	.addr = socket_addr,
	.close = socket_close,
	.fd = socket_fd,
};

struct eio_dgram eio_dgram_of_fd(struct eio_fd fd)
{
	return (struct eio_dgram){.ops = &socket_ops, .u.fd = fd};
}

/* Making them */

/* Options and the name. */
static int prepare(struct eio_fd fd, int family, const struct eio_addr *addr,
		   const struct eio_dgram_opts *opts)
{
	const struct eio__wanted wanted = {opts->reuse_addr, opts->reuse_port, opts->options,
					   opts->n_options};
	int rc = eio__sockopts_set(fd, family, false, &wanted);

	return rc < 0 || !addr ? rc : eio__bind(fd, addr, opts->reuse_addr);
}

static __attribute__((noinline)) int open_bound(struct eio_switch *sw, int family,
						const struct eio_addr *addr,
						const struct eio_dgram_opts *opts,
						struct eio_fd *ret)
{
	int rc = eio_ll_socket(sw, family, SOCK_DGRAM, 0, ret);

	if (rc < 0)
		return addr ? eio__fail_at(rc, "socket", addr) : rc;
	rc = prepare(*ret, family, addr, opts);
	if (rc < 0) {
		eio_fd_close(*ret);
		return rc;
	}
	/* Only Unix sockets leave something behind. */
	return addr && family == AF_UNIX ? eio__bound_begin(sw, *ret, addr, eio_fd_close) : 0;
}

int eio__dgram_open(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		    const struct eio_dgram_opts *opts, struct eio_dgram *ret)
{
	const struct eio_addr *to = opts->connect_to;
	int family = addr ? eio__family_of(addr) : to ? eio__family_of(to) : AF_INET;
	struct eio_fd fd;
	int rc;

	(void) net;
	/* An IPv6 socket would do it for IPv4 in part. */
	if (to && eio__family_of(to) != family)
		return eio__fail_at(-EAFNOSUPPORT, "connect", to);
	rc = open_bound(sw, family, addr, opts, &fd);
	if (rc < 0)
		return rc;
	if (to) {
		rc = eio_ll_connect(fd, to);
		if (rc < 0) {
			eio__bound_end(fd, eio_fd_close);
			return rc;
		}
	}
	*ret = eio_dgram_of_fd(fd);
	return 0;
}

int eio_dgram_socketpair(struct eio_switch *sw, struct eio_dgram *ret_a, struct eio_dgram *ret_b)
{
	struct eio_fd a, b;
	int rc = eio_ll_socketpair(sw, AF_UNIX, SOCK_DGRAM, 0, &a, &b);

	if (rc < 0)
		return rc;
	*ret_a = eio_dgram_of_fd(a);
	*ret_b = eio_dgram_of_fd(b);
	return 0;
}

/* The calls */

int eio_net_datagram(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		     const struct eio_dgram_opts *opts, struct eio_dgram *ret)
{
	static const struct eio_dgram_opts none;
	int rc = eio__net_enter(net.ops, "datagram");

	if (rc < 0)
		return rc;
	if (!net.ops->datagram)
		return eio__fail(-EOPNOTSUPP, "datagram", net.ops->name);
	return net.ops->datagram(net, sw, addr, opts ? opts : &none, ret);
}

int eio_dgram_send(struct eio_dgram d, const struct eio_addr *dst, const struct iovec *iov, int n)
{
	int rc = eio__net_enter(d.ops, "send_msg");

	if (rc < 0)
		return rc;
	if (!d.ops->send)
		return eio__fail(-EOPNOTSUPP, "send_msg", d.ops->name);
	return d.ops->send(d, dst, iov, n);
}

ssize_t eio_dgram_recv(struct eio_dgram d, void *buf, size_t len, struct eio_addr *ret_peer)
{
	int rc = eio__net_enter(d.ops, "recv_msg");

	if (rc < 0)
		return rc;
	if (!d.ops->recv)
		return eio__fail(-EOPNOTSUPP, "recv_msg", d.ops->name);
	return d.ops->recv(d, buf, len, ret_peer);
}

int eio_dgram_close(struct eio_dgram d)
{
	if (!d.ops)
		return eio__fail(-EBADF, "close", NULL);
	return d.ops->close ? d.ops->close(d) : 0;
}

int eio_dgram_local_addr(struct eio_dgram d, struct eio_addr *ret)
{
	if (!d.ops)
		return eio__fail(-EBADF, "getsockname", NULL);
	return d.ops->addr ? d.ops->addr(d, ret) : -ENOTSUP;
}

int eio_dgram_fd(struct eio_dgram d, struct eio_fd *ret)
{
	if (!d.ops)
		return eio__fail(-EBADF, "descriptor", NULL);
	return d.ops->fd ? d.ops->fd(d, ret) : -ENOTSUP;
}

int eio_dgram_peer_addr(struct eio_dgram d, struct eio_addr *ret)
{
	struct eio_fd fd;
	int rc = eio_dgram_fd(d, &fd);

	return rc < 0 ? rc : eio_ll_getpeername(fd, ret);
}
