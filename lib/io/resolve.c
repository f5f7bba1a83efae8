/* SPDX-License-Identifier: ISC */
/*
 * Looking up names: the calls, and the provider that asks the C library, for numbers at once
 * and for all else on a thread.
 */
#include "core/error.h"
#include "io/net.h"

#include <eio/low_level.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The C library */

/* It would take such a number modulo 65536. */
static bool is_beyond_ports(const char *service)
{
	char *end;
	unsigned long port;

	if (!service)
		return false;
	port = strtoul(service, &end, 10);
	return end != service && *end == '\0' && port > 65535;
}

/* A number takes no time, and a thread would take some. The loopback has several addresses,
 * which the C library reads a file to sort. */
static int ask(const char *host, const char *service, const struct addrinfo *hints,
	       struct addrinfo **ret)
{
	struct addrinfo numbers = *hints;

	if (is_beyond_ports(service))
		return eio__fail(EIO_EAI(EAI_SERVICE), "getaddrinfo", host ? host : service);
	numbers.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (host && getaddrinfo(host, service, &numbers, ret) == 0)
		return 0;
	return eio_ll_getaddrinfo(host, service, hints, ret);
}

/* EIO_SOCKET_ANY for what is neither: raw sockets, other protocols. */
static enum eio_socket_kind kind_of(const struct addrinfo *a)
{
	if (a->ai_socktype == SOCK_STREAM && a->ai_protocol == IPPROTO_TCP)
		return EIO_SOCKET_STREAM;
	if (a->ai_socktype == SOCK_DGRAM && a->ai_protocol == IPPROTO_UDP)
		return EIO_SOCKET_DATAGRAM;
	return EIO_SOCKET_ANY;
}

static size_t fill(struct eio_addr_info *to, const struct addrinfo *a)
{
	size_t n = 0;

	for (; a; a = a->ai_next) {
		to[n].kind = kind_of(a);
		if (to[n].kind != EIO_SOCKET_ANY &&
		    eio_addr_from_sockaddr(&to[n].addr, a->ai_addr, a->ai_addrlen) == 0)
			n++;
	}
	return n;
}

static size_t length(const struct addrinfo *a)
{
	size_t n = 0;

	for (; a; a = a->ai_next)
		n++;
	return n;
}

int eio__net_getaddrinfo(struct eio_net net, const char *host, const char *service,
			 enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	static const int types[] = {
		[EIO_SOCKET_STREAM] = SOCK_STREAM,
		[EIO_SOCKET_DATAGRAM] = SOCK_DGRAM,
	};
	const struct addrinfo hints = {.ai_socktype = types[kind]};
	struct addrinfo *answer;
	struct eio_addr_info *list;
	int rc = ask(host, service, &hints, &answer);

	(void) net;
	if (rc < 0)
		return rc;
	list = malloc(length(answer) * sizeof(*list));
	if (list) {
		*ret_n = fill(list, answer);
		*ret = list;
	}
	freeaddrinfo(answer);
	return list ? 0 : eio__fail(-ENOMEM, "getaddrinfo", host ? host : service);
}

int eio__net_getnameinfo(struct eio_net net, const struct eio_addr *addr, char *host,
			 size_t host_size, char *service, size_t service_size, int flags)
{
	(void) net;
	return eio_ll_getnameinfo(addr, host, host_size, service, service_size, flags);
}

/* The calls */

int eio_net_getaddrinfo(struct eio_net net, const char *host, const char *service,
			enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	const char *subject = host ? host : service;
	struct eio_addr_info *list;
	size_t n;
	int rc = eio__net_enter(net.ops, "getaddrinfo");

	if (rc < 0)
		return rc;
	if (!net.ops->getaddrinfo)
		return eio__fail(-EOPNOTSUPP, "getaddrinfo", subject);
	if ((unsigned) kind > EIO_SOCKET_DATAGRAM)
		return eio__fail(-EINVAL, "getaddrinfo", subject);
	rc = net.ops->getaddrinfo(net, host, service, kind, &list, &n);
	if (rc < 0)
		return rc;
	if (n == 0) {
		free(list);
		return eio__fail(EIO_EAI(EAI_NONAME), "getaddrinfo", subject);
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int eio_net_getnameinfo(struct eio_net net, const struct eio_addr *addr, char *host,
			size_t host_size, char *service, size_t service_size, int flags)
{
	int rc = eio__net_enter(net.ops, "getnameinfo");

	if (rc < 0)
		return rc;
	if (!net.ops->getnameinfo)
		return eio__fail(-EOPNOTSUPP, "getnameinfo", NULL);
	return net.ops->getnameinfo(net, addr, host, host_size, service, service_size, flags);
}
