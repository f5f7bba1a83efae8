/* SPDX-License-Identifier: ISC */
/*
 * Making sockets, connecting them, and asking about them.
 */
#include "low_level.h"

#include <netinet/in.h>
#include <sys/socket.h>

static struct ll_fd pair[2], shut[2], listener;
static struct sockaddr_in where;
static const struct sockaddr_in any = {.sin_family = AF_INET};
static struct eio_addr addr, any_addr;
static int value;

static int socket_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_socket(NULL, AF_UNIX, SOCK_STREAM, 0, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int raw_socket_close(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : raw_close(fd);
}

static int socketpair_close(void)
{
	struct eio_fd a, b;
	int rc = eio_ll_socketpair(NULL, AF_UNIX, SOCK_STREAM, 0, &a, &b);

	if (rc == 0)
		rc = eio_fd_close(a);
	return rc < 0 ? rc : eio_fd_close(b);
}

static int raw_socketpair_close(void)
{
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	rc = raw_close(ends[0]);
	return rc < 0 ? rc : raw_close(ends[1]);
}

/* The library closes a listener by the system call, since nothing may wait there. */
static int listen_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_socket(NULL, AF_INET, SOCK_STREAM, 0, &fd);

	if (rc < 0)
		return rc;
	rc = eio_ll_bind(fd, &any_addr);
	if (rc == 0)
		rc = eio_ll_listen(fd, 16);
	eio_ll_close_listener(fd);
	return rc;
}

static int raw_listen_close(void)
{
	int rc, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	rc = by_errno(bind(fd, (const struct sockaddr *) &any, sizeof(any)));
	if (rc == 0)
		rc = by_errno(listen(fd, 16));
	close(fd);
	return rc;
}

/* A connection from end to end: all but the connecting and accepting is the same. */
static int connect_accept(void)
{
	struct linger reset = {1, 0};
	struct eio_fd client, server;
	int rc = eio_ll_socket(NULL, AF_INET, SOCK_STREAM, 0, &client);

	if (rc < 0)
		return rc;
	rc = eio_ll_setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (rc == 0)
		rc = eio_ll_connect(client, &addr);
	if (rc == 0)
		rc = eio_ll_accept(NULL, listener.fd, &server, NULL);
	eio_fd_close(client);
	return rc < 0 ? rc : eio_fd_close(server);
}

static int raw_connect_accept(void)
{
	struct linger reset = {1, 0};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (client < 0)
		return -errno;
	rc = by_errno(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	if (rc == 0) {
		io_uring_prep_connect(raw(), client, (struct sockaddr *) &where, sizeof(where));
		rc = raw_wait();
	}
	if (rc == 0) {
		io_uring_prep_accept(raw(), listener.unix_fd, NULL, NULL, SOCK_CLOEXEC);
		rc = raw_wait();
	}
	raw_close(client);
	return rc < 0 ? rc : raw_close(rc);
}

/* Names and options */

static int shutdown_(void)
{
	return eio_ll_shutdown(shut[0].fd, SHUT_WR);
}

static int raw_shutdown(void)
{
	return by_errno(shutdown(shut[0].unix_fd, SHUT_WR));
}

static int getsockname_(void)
{
	struct eio_addr a;

	return eio_ll_getsockname(listener.fd, &a);
}

static int raw_getsockname(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return by_errno(getsockname(listener.unix_fd, (struct sockaddr *) &ss, &len));
}

static int getpeername_(void)
{
	struct eio_addr a;

	return eio_ll_getpeername(pair[0].fd, &a);
}

static int raw_getpeername(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return by_errno(getpeername(pair[0].unix_fd, (struct sockaddr *) &ss, &len));
}

static int getsockopt_(void)
{
	return eio_ll_getsockopt(listener.fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value));
}

static int raw_getsockopt(void)
{
	socklen_t len = sizeof(value);

	return by_errno(getsockopt(listener.unix_fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
}

static int setsockopt_(void)
{
	return eio_ll_setsockopt(listener.fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value));
}

static int raw_setsockopt(void)
{
	return by_errno(
		setsockopt(listener.unix_fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
}

static void set_up(void)
{
	ll_socketpair(pair);
	ll_socketpair(shut);
	listener = ll_listener(&where);
	bench_check(eio_addr_from_sockaddr(&addr, (struct sockaddr *) &where, sizeof(where)),
		    "address");
	bench_check(eio_addr_from_sockaddr(&any_addr, (const struct sockaddr *) &any, sizeof(any)),
		    "address");
}

static const struct ll_call calls[] = {
	{"socket_close", socket_close, raw_socket_close, 2, LL_QUICK},
	{"socketpair_close", socketpair_close, raw_socketpair_close, 3, LL_QUICK},
	{"listen_close", listen_close, raw_listen_close, 4, LL_SLOW},
	{"connect_accept", connect_accept, raw_connect_accept, 6, LL_SLOW},
	{"shutdown", shutdown_, raw_shutdown, 1, LL_QUICK},
	{"getsockname", getsockname_, raw_getsockname, 1, LL_QUICK},
	{"getpeername", getpeername_, raw_getpeername, 1, LL_QUICK},
	{"getsockopt", getsockopt_, raw_getsockopt, 1, LL_QUICK},
	{"setsockopt", setsockopt_, raw_setsockopt, 1, LL_QUICK},
};

const struct ll_area ll_sockets = {set_up, NULL, calls, BENCH_LEN(calls)};
