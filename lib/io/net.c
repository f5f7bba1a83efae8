/* SPDX-License-Identifier: ISC */
/*
 * Listening, accepting and connecting: the calls, and the provider that does it with
 * sockets over the ring.
 *
 * The file of a Unix socket and the end of a listener are bound.c's business.
 * Accepted sockets inherit TCP_NODELAY from the listener, so one call is enough for all
 * of them; a listener that came from outside is left as it is, and its connections are
 * set one by one.
 */
#include "core/error.h"
#include "io/bound.h"
#include "io/env.h"
#include "io/flow.h"
#include "io/net.h"
#include "io/sockopt.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Out of the way of the frames that matter. */
__attribute__((cold, noinline)) int eio__fail_at(int err, const char *op,
						 const struct eio_addr *addr)
{
	char text[EIO_ADDR_TEXT];

	return eio__fail(err, op, eio_addr_format(addr, text, sizeof(text)));
}

/* Sockets */

int eio__family_of(const struct eio_addr *addr)
{
	return eio_addr_sockaddr(addr, NULL)->sa_family;
}

/* Makes a stream socket for the address's family. */
static int open_socket(struct eio_switch *sw, const struct eio_addr *addr, struct eio_fd *ret)
{
	return eio_ll_socket(sw, eio__family_of(addr), SOCK_STREAM, 0, ret);
}

/* Listeners */

static int accept_from(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
		       struct eio_addr *ret_peer)
{
	struct eio_fd fd;
	int rc = eio_ll_accept(sw, l.u.fd, &fd, ret_peer);

	if (rc < 0)
		return rc;
	*ret = eio__flow_socket(fd);
	return 0;
}

/* The option fails on what is not TCP, and that is as good. */
static int accept_and_set(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
			  struct eio_addr *ret_peer)
{
	const int on = 1;
	int rc = accept_from(l, sw, ret, ret_peer);

	if (rc == 0)
		(void) eio_ll_setsockopt(ret->u.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return rc;
}

static int addr_of(struct eio_listener l, struct eio_addr *ret)
{
	return eio_ll_getsockname(l.u.fd, ret);
}

static int close_listener(struct eio_listener l)
{
	return eio__bound_end(l.u.fd, eio_ll_close_listener);
}

static const struct eio_listener_ops listener_ops = {
	.name = "socket",
	.accept = accept_from,
	.addr = addr_of,
	.close = close_listener,
};

static const struct eio_listener_ops foreign_ops = {
	.name = "imported socket",
	.accept = accept_and_set,
	.addr = addr_of,
	.close = close_listener,
};

static int open_listener(struct eio_fd fd, const struct eio_addr *addr,
			 const struct eio_listen_opts *opts)
{
	const struct eio__wanted wanted = {opts->reuse_addr, opts->reuse_port, opts->options,
					   opts->n_options};
	int rc = eio__sockopts_set(fd, eio__family_of(addr), true, &wanted);

	return rc < 0 ? rc : eio__bind(fd, addr, opts->reuse_addr);
}

static int uring_listen(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_listen_opts *opts, struct eio_listener *ret)
{
	struct eio_fd fd;
	int rc;

	(void) net;
	if (opts->backlog < 0)
		return eio__fail_at(-EINVAL, "listen", addr);
	rc = open_socket(sw, addr, &fd);
	if (rc < 0)
		return eio__fail_at(rc, "socket", addr);
	rc = open_listener(fd, addr, opts);
	if (rc < 0) {
		eio_fd_close(fd);
		return rc;
	}
	rc = eio__bound_begin(sw, fd, addr, eio_ll_close_listener);
	if (rc < 0)
		return rc;
	rc = eio_ll_listen(fd, opts->backlog ? opts->backlog : 4096);
	if (rc < 0) {
		eio__bound_end(fd, eio_ll_close_listener);
		return eio__fail_at(rc, "listen", addr);
	}
	*ret = (struct eio_listener){.ops = &listener_ops, .u.fd = fd};
	return 0;
}

/* Connecting */

static __attribute__((noinline)) int prepare_socket(struct eio_fd fd, const struct eio_addr *addr,
						    const struct eio_connect_opts *opts)
{
	const struct eio__wanted wanted = {false, false, opts->options, opts->n_options};
	int rc = eio__sockopts_set(fd, eio__family_of(addr), true, &wanted);

	if (rc < 0 || !opts->bind_to)
		return rc;
	/* The kernel's answers to another family are of many kinds. */
	if (eio__family_of(opts->bind_to) != eio__family_of(addr))
		return eio__fail_at(-EAFNOSUPPORT, "bind", opts->bind_to);
	return eio_ll_bind(fd, opts->bind_to);
}

static int uring_connect(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			 const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	struct eio_fd fd;
	int rc = open_socket(sw, addr, &fd);

	(void) net;
	if (rc < 0)
		return eio__fail_at(rc, "socket", addr);
	rc = prepare_socket(fd, addr, opts);
	if (rc == 0)
		rc = eio_ll_connect(fd, addr);
	if (rc < 0) {
		eio_fd_close(fd);
		return rc;
	}
	*ret = eio__flow_socket(fd);
	return 0;
}

static const struct eio_net_ops uring_ops = {
	.name = "uring",
	.listen = uring_listen,
	.connect = uring_connect,
	.datagram = eio__dgram_open,
	.getaddrinfo = eio__net_getaddrinfo,
	.getnameinfo = eio__net_getnameinfo,
};

struct eio_net eio__net_uring(void)
{
	return (struct eio_net){.ops = &uring_ops};
}

/* The calls */

int eio__net_enter(const void *ops, const char *op)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	return ops ? 0 : eio__fail(-EBADF, op, NULL);
}

int eio_net_listen(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		   const struct eio_listen_opts *opts, struct eio_listener *ret)
{
	static const struct eio_listen_opts none;
	int rc = eio__net_enter(net.ops, "listen");

	if (rc < 0)
		return rc;
	if (!net.ops->listen)
		return eio__fail_at(-EOPNOTSUPP, "listen", addr);
	return net.ops->listen(net, sw, addr, opts ? opts : &none, ret);
}

/* Kept apart for the frame of the limit. */
static __attribute__((noinline)) int connect_within(struct eio_net net, struct eio_switch *sw,
						    const struct eio_addr *addr,
						    const struct eio_connect_opts *opts,
						    struct eio_flow *ret)
{
	struct eio_timeout limit;
	int rc;

	eio_timeout_begin(&limit, eio__clock_mono(), opts->timeout_ns);
	rc = eio_timeout_end(&limit, net.ops->connect(net, sw, addr, opts, ret));
	return rc == -ETIMEDOUT ? eio__fail_at(rc, "connect", addr) : rc;
}

int eio_net_connect(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		    const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	static const struct eio_connect_opts none;
	int rc = eio__net_enter(net.ops, "connect");

	if (!opts)
		opts = &none;
	if (rc < 0)
		return rc;
	if (!net.ops->connect)
		return eio__fail_at(-EOPNOTSUPP, "connect", addr);
	if (opts->timeout_ns < 0)
		return eio__fail_at(-EINVAL, "connect", addr);
	if (opts->timeout_ns > 0)
		return connect_within(net, sw, addr, opts, ret);
	return net.ops->connect(net, sw, addr, opts, ret);
}

int eio_net_accept(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
		   struct eio_addr *ret_peer)
{
	int rc = eio__net_enter(l.ops, "accept");

	if (rc < 0)
		return rc;
	if (!l.ops->accept)
		return eio__fail(-EOPNOTSUPP, "accept", l.ops->name);
	return l.ops->accept(l, sw, ret, ret_peer);
}

int eio_listener_addr(struct eio_listener l, struct eio_addr *ret)
{
	if (!l.ops)
		return eio__fail(-EBADF, "getsockname", NULL);
	return l.ops->addr ? l.ops->addr(l, ret) : -ENOTSUP;
}

int eio_listener_close(struct eio_listener l)
{
	if (!l.ops)
		return eio__fail(-EBADF, "close", NULL);
	return l.ops->close ? l.ops->close(l) : 0;
}

struct eio_listener eio_listener_of_fd(struct eio_fd fd)
{
	return (struct eio_listener){.ops = &foreign_ops, .u.fd = fd};
}

int eio_listener_fd(struct eio_listener l, struct eio_fd *ret)
{
	if (!l.ops)
		return eio__fail(-EBADF, "descriptor", NULL);
	if (l.ops != &listener_ops && l.ops != &foreign_ops)
		return -ENOTSUP;
	*ret = l.u.fd;
	return 0;
}

int eio_net_local_addr(struct eio_flow conn, struct eio_addr *ret)
{
	struct eio_fd fd;
	int rc = eio_flow_fd(conn, &fd);

	return rc < 0 ? rc : eio_ll_getsockname(fd, ret);
}

int eio_net_peer_addr(struct eio_flow conn, struct eio_addr *ret)
{
	struct eio_fd fd;
	int rc = eio_flow_fd(conn, &fd);

	return rc < 0 ? rc : eio_ll_getpeername(fd, ret);
}
