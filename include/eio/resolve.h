/* SPDX-License-Identifier: ISC */
/*
 * Names of hosts and services.
 *
 * What the network's provider knows; that of eio_run asks the C library, with all that
 * means of /etc/hosts, DNS and the order of addresses (RFC 6724). It may be slow: set a
 * limit with eio_timeout_begin. A cancelled look-up returns at once and is left to itself
 * (<eio/ll_resolve.h>).
 */
#ifndef EIO_RESOLVE_H
#define EIO_RESOLVE_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/net.h>

EIO_BEGIN_DECLS

/** One answer to the question where a host and a service are. */
struct eio_addr_info {
	struct eio_addr addr;
	enum eio_socket_kind kind; /**< stream (TCP) or datagram (UDP) */
};

/**
 * Look up the addresses of a host and a service.
 *
 * Suspends unless both are numbers.
 *
 * @param host     "example.org", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; NULL: the loopback.
 * @param service  "https" or "443", at most 65535; NULL: port 0. One of the two must be given.
 *   Both are borrowed for the call.
 * @param kind     Only addresses for such sockets; EIO_SOCKET_ANY: an entry for each kind.
 * @param ret      The answers, the one to try first in front, at least one, in one
 *   allocation: free(3) it.
 * @param ret_n    How many.
 * @return 0, or:
 *   EIO_EAI(code)  the look-up failed: EAI_NONAME, no such host or service, EAI_AGAIN, no
 *                  answer now, …; eio_eai gives the constant of <netdb.h> back, eio_strerror
 *                  its text
 *   -ECANCELED     the context was cancelled before the answer came
 *   -ENOMEM        also for EAI_MEMORY
 *   -EINVAL        @p kind is none
 *   -EAGAIN        no thread can be made for it
 *   -EBADF         a zeroed @p net; -EOPNOTSUPP: one that knows no names
 *   -EPERM         this thread runs no domain
 *   and the errno of EAI_SYSTEM, negative. The last error's subject is the host, or the
 *   service if there is none.
 * @cancel Yes, at once.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_net_getaddrinfo(struct eio_net net, const char *host,
					      const char *service, enum eio_socket_kind kind,
					      struct eio_addr_info **ret, size_t *ret_n);

/**
 * Look up the names of an address.
 *
 * @param host, service  Where the names go, NUL-terminated, written only on success; NULL or
 *   of size 0: not asked for. NI_MAXHOST and NI_MAXSERV bytes are enough for any.
 * @param flags  NI_… of <netdb.h>; NI_NAMEREQD: a host without a name is EAI_NONAME, not
 *   told by its number.
 * @return As eio_net_getaddrinfo, the last error's subject being the address;
 *   EIO_EAI(EAI_OVERFLOW) if a name has no room; -EINVAL if @p addr is longer than it can be.
 * @cancel Yes, at once.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_net_getnameinfo(struct eio_net net, const struct eio_addr *addr,
					      char *host, size_t host_size, char *service,
					      size_t service_size, int flags);

/**
 * Connect to a host by its name, trying its addresses as RFC 8305 ("happy eyeballs") says.
 *
 * The addresses are looked up by one call and tried in its order, but with IPv6 and IPv4
 * taking turns. The next attempt begins when one has failed, or 250 ms after the last began;
 * the earlier ones go on. At most 16 are under way. The first connection that comes about is
 * the result; the others are cancelled or closed before the call returns.
 *
 * @param sw    The connection is closed at its end; NULL: the caller closes it.
 * @param host, service  As for eio_net_getaddrinfo.
 * @param opts  NULL = defaults. timeout_ns limits each attempt, not the look-up nor the whole
 *   call. With bind_to only addresses of its family are tried.
 * @return 0, or:
 *   as eio_net_getaddrinfo  the look-up failed; nothing was tried
 *   as eio_net_connect      every attempt failed: the failure of the address tried first,
 *                           with host and address as the last error's subject:
 *                           "example.org (192.0.2.1:443)"
 *   -ETIMEDOUT    that failure was the end of its time
 *   -EAFNOSUPPORT bind_to's family is not among the addresses
 *   -EINVAL       a negative timeout_ns
 *   -ENOMEM       also when there is no stack for the first attempt; for later ones that
 *                 address is left out
 * @cancel Yes. A connection that came about at the same moment is the result all the same.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_net_connect_host(struct eio_net net, struct eio_switch *sw,
					       const char *host, const char *service,
					       const struct eio_connect_opts *opts,
					       struct eio_flow *ret);

EIO_END_DECLS

#endif
