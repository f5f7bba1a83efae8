/* SPDX-License-Identifier: ISC */
/*
 * Options of sockets, by name and checked.
 *
 * A value is a number, whatever the kernel keeps it in; one that is out of the option's
 * range is refused before the kernel, which cuts some and wraps others, sees it. What is
 * not here is set with eio_ll_setsockopt: TCP_CONGESTION, whose value is a name, and what
 * only one kind of program needs.
 */
#ifndef EIO_SOCKOPT_H
#define EIO_SOCKOPT_H

#include <eio/api.h>
#include <eio/fd.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

/**
 * What can be set, or asked. The names are those of socket(7), tcp(7), ip(7) and ipv6(7)
 * with EIO_ before them, and so is the meaning; said here is what values there are. A
 * switch is 0 or 1. "Read": it can only be asked.
 */
enum eio_sockopt {
	/* Any socket */
	EIO_SO_DEBUG = 1, /**< a switch; to turn it on needs CAP_NET_ADMIN */
	EIO_SO_BROADCAST, /**< a switch: datagrams may go to broadcast addresses */
	EIO_SO_REUSEADDR, /**< a switch */
	EIO_SO_REUSEPORT, /**< a switch */
	EIO_SO_KEEPALIVE, /**< a switch */
	EIO_SO_DONTROUTE, /**< a switch */
	EIO_SO_OOBINLINE, /**< a switch */
	/** Bytes, from 1. The kernel doubles them, up to twice net.core.wmem_max, and reading
	 *  gives what it has made of them. */
	EIO_SO_SNDBUF,
	EIO_SO_RCVBUF, /**< the same, with net.core.rmem_max */
	/** Bytes, from 1: who waits to receive is not woken for less. A call that finds some
	 *  gets them, though they are fewer. */
	EIO_SO_RCVLOWAT,
	EIO_SO_SNDLOWAT, /**< read: always 1 */
	/** Seconds that closing waits for data to be sent; 0: closing resets the connection;
	 *  -1: off. */
	EIO_SO_LINGER,
	/** Read, in milliseconds, 0: none. The ring does not heed it, so it cannot be set here;
	 *  a limit is a struct eio_timeout. */
	EIO_SO_RCVTIMEO,
	EIO_SO_SNDTIMEO,   /**< the same */
	EIO_SO_ERROR,      /**< read: the pending error, a positive errno, or 0; reading takes it */
	EIO_SO_TYPE,       /**< read: SOCK_STREAM, SOCK_DGRAM, … */
	EIO_SO_ACCEPTCONN, /**< read: 1 for a listener */

	/* TCP */
	EIO_TCP_NODELAY,      /**< a switch; on unless the options of the call turn it off */
	EIO_TCP_CORK,         /**< a switch */
	EIO_TCP_KEEPIDLE,     /**< seconds, 1 to 32767 */
	EIO_TCP_KEEPINTVL,    /**< seconds, 1 to 32767 */
	EIO_TCP_KEEPCNT,      /**< probes, 1 to 127 */
	EIO_TCP_USER_TIMEOUT, /**< milliseconds, 0: the kernel's own */
	EIO_TCP_DEFER_ACCEPT, /**< seconds, 0: off; the kernel rounds them up to its own steps */
	EIO_TCP_FASTOPEN,     /**< of a listener: requests in its queue, 0: off */
	EIO_TCP_MAXSEG,       /**< bytes, 88 to 32767, or 0: the kernel's own */
	EIO_TCP_SYNCNT,       /**< attempts, 1 to 127 */
	EIO_TCP_LINGER2,      /**< seconds, to 120; 0: the kernel's own; -1: none */
	EIO_TCP_WINDOW_CLAMP, /**< bytes, 0: none, before the socket is used only */
	EIO_TCP_QUICKACK,     /**< a switch, which the kernel turns back by itself */

	/* IPv4. Those of an IPv6 socket are about its IPv4 peers, but for the three of
	 * binding, which go for both. */
	EIO_IP_FREEBIND,             /**< a switch */
	EIO_IP_BIND_ADDRESS_NO_PORT, /**< a switch: port 0 is chosen when connecting */
	EIO_IP_LOCAL_PORT_RANGE,     /**< an EIO_PORT_RANGE; 0: the system's; Linux 6.3 */
	EIO_IP_TTL,                  /**< hops, 1 to 255 */
	EIO_IP_MTU,                  /**< read: bytes, of a connected socket */
	EIO_IP_MTU_DISCOVER,         /**< IP_PMTUDISC_…, 0 to 5 */

	/* IPv6 */
	EIO_IPV6_V6ONLY, /**< a switch, before the socket is bound only */
};

/** The value for ports from @p low to @p high; 0: no bound of its own. */
#define EIO_PORT_RANGE(low, high) ((int64_t) (low) + (int64_t) (high) *4294967296)

/** An option and its value, for the options of listen, connect and datagram sockets. */
struct eio_sockopt_setting {
	enum eio_sockopt option;
	int64_t value;
};

/**
 * Set an option of a socket: of a listener (eio_listener_fd), a datagram socket
 * (eio_dgram_fd) or anything else.
 *
 * Does not wait. On failure eio_last_error()->subject is option and value,
 * "TCP_KEEPIDLE 99999".
 *
 * @return 0, or:
 *   -ERANGE       the value is not one of this option's
 *   -EINVAL       there is no such option; or the kernel does not take the value now
 *   -ENOPROTOOPT  it can only be read; or the socket has no such option, or the kernel
 *   -EACCES, -EPERM  needs a privilege
 *   -ENOTSOCK, -EBADF, -ENOMEM
 * @cancel No.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_sockopt_set(struct eio_fd fd, enum eio_sockopt option, int64_t value);

/** Ask for an option: 0, or as eio_sockopt_set but for -ERANGE; also -ENOTCONN. @since 0.1 */
EIO_API int eio_sockopt_get(struct eio_fd fd, enum eio_sockopt option, int64_t *ret_value);

/** As eio_sockopt_set, of the socket below a flow; -ENOTSUP if there is none. @since 0.1 */
EIO_API int eio_net_setsockopt(struct eio_flow conn, enum eio_sockopt option, int64_t value);

/** As eio_sockopt_get, of the socket below a flow; -ENOTSUP if there is none. @since 0.1 */
EIO_API int eio_net_getsockopt(struct eio_flow conn, enum eio_sockopt option, int64_t *ret_value);

/** The option's name, "TCP_NODELAY"; "unknown" if there is none. Static text. @since 0.1 */
EIO_API const char *eio_sockopt_name(enum eio_sockopt option);

EIO_END_DECLS

#endif
