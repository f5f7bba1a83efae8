/* SPDX-License-Identifier: ISC */
/*
 * Listeners, connections and servers.
 */
#ifndef EIO_NET_H
#define EIO_NET_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/domain.h>
#include <eio/flow.h>
#include <eio/promise.h>
#include <eio/sockopt.h>

EIO_BEGIN_DECLS

/* Capabilities */

struct eio_net_ops;
struct eio_listener_ops;
struct eio_dgram; /* <eio/dgram.h> */
struct eio_dgram_opts;
struct eio_addr_info;

/** Access to the network. */
struct eio_net {
	const struct eio_net_ops *ops;
	void *ptr;
};

/** A listening socket. */
struct eio_listener {
	const struct eio_listener_ops *ops;
	union {
		struct eio_fd fd;
		void *ptr;
	} u;
};

/** NULL or zeroed: all defaults. */
struct eio_listen_opts {
	int backlog;     /**< 0 = 4096 (the kernel caps it at net.core.somaxconn) */
	bool reuse_addr; /**< SO_REUSEADDR; for a Unix path: replace a socket nobody listens on */
	bool reuse_port; /**< SO_REUSEPORT */
	/** Set in this order before the socket is bound; most are inherited by its connections. */
	const struct eio_sockopt_setting *options;
	unsigned n_options;
	void *reserved[4];
};

/** NULL or zeroed: all defaults. */
struct eio_connect_opts {
	const struct eio_addr *bind_to; /**< local address, NULL = any; a Unix path stays there */
	/** Longer than this: -ETIMEDOUT. For the whole call, 0 = no limit; with
	 *  eio_net_connect_host for each address, 0 = 10 s. */
	int64_t timeout_ns;
	/** Set in this order before the socket is bound or connected. */
	const struct eio_sockopt_setting *options;
	unsigned n_options;
	void *reserved[4];
};

/** What kind of socket an address is for. */
enum eio_socket_kind {
	EIO_SOCKET_ANY, /**< in questions only */
	EIO_SOCKET_STREAM,
	EIO_SOCKET_DATAGRAM,
};

/** What a network provider implements. A NULL entry gives -EOPNOTSUPP. */
struct eio_net_ops {
	const char *name;
	int (*listen)(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		      const struct eio_listen_opts *opts, struct eio_listener *ret);
	int (*connect)(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		       const struct eio_connect_opts *opts, struct eio_flow *ret);
	int (*datagram)(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_dgram_opts *opts, struct eio_dgram *ret);
	/** As eio_net_getaddrinfo; *@p ret by malloc(3), which may be NULL if there are none. */
	int (*getaddrinfo)(struct eio_net net, const char *host, const char *service,
			   enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n);
	/** As eio_net_getnameinfo. */
	int (*getnameinfo)(struct eio_net net, const struct eio_addr *addr, char *host,
			   size_t host_size, char *service, size_t service_size, int flags);
	void *reserved[4]; /**< zero */
};

/** What a provider of listeners implements. */
struct eio_listener_ops {
	const char *name;
	int (*accept)(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
		      struct eio_addr *ret_peer);
	int (*addr)(struct eio_listener l, struct eio_addr *ret);
	int (*close)(struct eio_listener l);
	void *reserved[4]; /**< zero */
};

/**
 * Listen for connections.
 *
 * TCP_NODELAY is set, and inherited by the connections, unless an option turns it off.
 *
 * @param sw    The listener is closed at its end; a Unix path is removed with it.
 * @param opts  NULL = defaults.
 * @return 0, or -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EMFILE, -ENFILE, -ENOMEM,
 *   -EAFNOSUPPORT, -ECANCELED, -EINVAL, -EPERM; for an option, which eio_last_error then
 *   names, as eio_sockopt_set.
 * @since 0.1
 */
EIO_API int eio_net_listen(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			   const struct eio_listen_opts *opts, struct eio_listener *ret);

/** The address it listens on, with the port the kernel chose. @since 0.1 */
EIO_API int eio_listener_addr(struct eio_listener l, struct eio_addr *ret);

/**
 * Stop listening.
 *
 * Accepts in flight return -EBADF. When the call returns the port is free; a thread
 * without a domain does not wait for that.
 *
 * @return 0, or -EBADF if it was closed before.
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_listener_close(struct eio_listener l);

/** A listener over a tracked descriptor that listens already (socket activation). @since 0.1 */
EIO_API struct eio_listener eio_listener_of_fd(struct eio_fd fd);

/** The tracked descriptor of a listener: 0, -ENOTSUP if there is none. @since 0.1 */
EIO_API int eio_listener_fd(struct eio_listener l, struct eio_fd *ret);

/**
 * Take the next connection.
 *
 * @param sw        The connection is closed at its end; NULL: the caller closes it.
 * @param ret_peer  Optional: the peer's address.
 * @return 0, or -ECANCELED (no connection was taken), -EBADF when the listener is
 *   closed, -EMFILE, -ENFILE, -ENOMEM, -ECONNABORTED.
 * @since 0.1
 */
EIO_API int eio_net_accept(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
			   struct eio_addr *ret_peer);

/** Serves one connection. The library closes @p conn when it returned, on every path. */
typedef int eio_conn_fn(struct eio_flow conn, const struct eio_addr *peer, void *arg);

/**
 * Told of a connection that failed, in the fiber that served it, so that
 * eio_error_format works. @p arg is the handler's.
 */
typedef void eio_conn_error_fn(const struct eio_addr *peer, int err, void *arg);

/**
 * Take the next connection and serve it in a fiber of its own.
 *
 * @param handler   Called in the new fiber.
 * @param on_error  Told of a failing handler; NULL: the log hook is. Cancellation
 *   is not reported.
 * @return 0 when a connection was taken, else as eio_net_accept and eio_fork; a
 *   connection that cannot be served is closed.
 * @since 0.1
 */
EIO_API int eio_net_accept_fork(struct eio_listener l, struct eio_switch *sw, eio_conn_fn *handler,
				void *arg, eio_conn_error_fn *on_error);

/** How a server's connections receive. */
enum eio_receiving {
	/** Each read is an operation. */
	EIO_RECEIVE_EACH,
	/** One goes on: the handler's flow is a receiver's (<eio/receiver.h>), whose reads of small
	 *  messages take less time; what arrived and was not read when the handler returns is
	 *  dropped. */
	EIO_RECEIVE_MULTISHOT,
};

/** NULL or zeroed: all defaults. */
struct eio_server_opts {
	size_t max_connections;      /**< served at once, by all domains; 0 = no limit */
	struct eio_promise *stop;    /**< resolve it for a graceful stop */
	int64_t drain_ns;            /**< after a stop; then the rest is cancelled; 0 = no limit */
	eio_conn_error_fn *on_error; /**< NULL: the log hook */
	enum eio_receiving receive;
	/** So many domains, started for the call by @p domain_mgr, serve beside the caller's. */
	unsigned additional_domains;
	struct eio_domain_mgr domain_mgr; /**< of no account if there are none */
	void *reserved[4];
};

/**
 * Serve connections until stopped or cancelled.
 *
 * Several accepts are in flight while connections arrive. When descriptors or memory
 * run out it waits a little and goes on. A failing handler is reported and stops
 * only its own connection.
 *
 * With additional domains @p handler and on_error are called by several threads, a connection's
 * by one, and what @p arg points to is used by all of them; fiber-locals are not inherited there.
 * All domains accept from @p l, none before all are there, and one that serves clearly more
 * connections than the others leaves them the next for a millisecond. Each serves its part of
 * max_connections at most, and no more are started than that number. A connection that comes
 * while a handler keeps its thread busy may have woken that thread alone: it is accepted when the
 * thread is free, or when the next connection wakes another domain, whichever is first.
 *
 * @param l  Stays open when the call returns.
 * @return 0 after a stop, when the open connections were served (or, after drain_ns,
 *   cancelled), or:
 *   -ECANCELED
 *   -EBADF   the listener was closed, or is none (the open connections were served); a zeroed
 *            domain_mgr where it is needed
 *   -EINVAL  an option out of range
 *   -ENOMEM  no memory for the first fibers of a domain (what others had taken was served)
 *   and what eio_domain_run fails with when a domain cannot be started: no connection was
 *   taken then
 * @cancel Yes: closes every connection first, in all domains.
 * @thread A fiber of any domain; @p l may be in use by other servers.
 * @since 0.1
 */
EIO_API int eio_net_run_server(struct eio_listener l, eio_conn_fn *handler, void *arg,
			       const struct eio_server_opts *opts);

/**
 * Connect to an address.
 *
 * TCP_NODELAY is set unless an option turns it off.
 *
 * @param sw    The connection is closed at its end; NULL: the caller closes it.
 * @param opts  NULL = defaults.
 * @return 0, or -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT, -ENOENT (Unix),
 *   -EMFILE, -ENFILE, -ENOMEM, -ECANCELED, -EINVAL, -EPERM; for bind_to -EADDRINUSE,
 *   -EADDRNOTAVAIL, -EACCES, and -EAFNOSUPPORT if it is of another family than @p addr;
 *   for an option as eio_sockopt_set. eio_last_error names the address or option.
 * @since 0.1
 */
EIO_API int eio_net_connect(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			    const struct eio_connect_opts *opts, struct eio_flow *ret);

/** The address of the near end: 0, -EBADF, -ENOTSUP without a descriptor. @since 0.1 */
EIO_API int eio_net_local_addr(struct eio_flow conn, struct eio_addr *ret);

/** The address of the far end: as eio_net_local_addr, and -ENOTCONN. @since 0.1 */
EIO_API int eio_net_peer_addr(struct eio_flow conn, struct eio_addr *ret);

/* Unix connections */

/**
 * Make two connections that are connected to each other.
 *
 * Does not wait.
 *
 * @param sw  Both are closed at its end; NULL: the caller closes them.
 * @return 0, or -EMFILE, -ENFILE, -ENOMEM, -ECANCELED, -EINVAL, -EPERM.
 * @since 0.1
 */
EIO_API int eio_net_socketpair(struct eio_switch *sw, struct eio_flow *ret_a,
			       struct eio_flow *ret_b);

/**
 * Write bytes to a Unix connection, and pass descriptors with the first of them.
 *
 * Waits until all is written. The descriptors stay the caller's, who may close them when
 * the call has returned; they are pinned as long as it takes.
 *
 * @param len    At least 1: descriptors do not go without a byte.
 * @param n_fds  At most 253.
 * @return 0, or:
 *   -EINVAL        no bytes, or too many descriptors
 *   -EBADF         the connection or one of @p fds is closed; nothing was sent
 *   -EOPNOTSUPP    not a Unix connection; -ENOTSOCK, -ENOTSUP: not a socket at all
 *   -ETOOMANYREFS  too many descriptors on their way
 *   -EPIPE, -ECONNRESET, -ECANCELED, -EPERM, …  as eio_flow_write
 *   eio_last_error()->done tells how many bytes went; with the first the descriptors did.
 * @cancel Yes; a part may have gone.
 * @since 0.1
 */
EIO_API int eio_net_send_fds(struct eio_flow conn, const void *buf, size_t len,
			     const struct eio_fd *fds, unsigned n_fds);

/**
 * Read some bytes, and take the descriptors that came with them.
 *
 * Waits until at least one byte is there. Bytes written before may come in one call with
 * those that the descriptors were sent with; what was written after them does not. Where
 * descriptors are expected every read is to be of this kind: eio_flow_read drops those it
 * meets. So does a receiver (<eio/receiver.h>), from whose flow none can be taken: -ENOTSUP.
 *
 * @param sw        The handles are closed at its end; NULL: the caller closes them.
 * @param len       Size of @p buf in bytes, at least 1.
 * @param ret_fds   Room for @p max_fds handles, close-on-exec, in the order they were sent;
 *   at most 253 come. Without as many the others are left in any state.
 * @param ret_n     How many came, often 0.
 * @return Bytes read (> 0), 0 at the end of the stream, or:
 *   -EMSGSIZE  more than @p max_fds came
 *   -EMFILE    the process has no room for all that came
 *              (with these two all of them are closed, and the bytes, of which
 *              eio_last_error()->done are in @p buf, will not come again)
 *   -EINVAL    no room for bytes, or the switch is finished
 *   -ENOMEM    no memory for the handles: what came is lost
 *   -ENOTSOCK, -ENOTSUP, -ECONNRESET, -EBADF, -ECANCELED, -EPERM
 * @cancel Yes; nothing was taken then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_net_recv_fds(struct eio_flow conn, struct eio_switch *sw,
					       void *buf, size_t len, struct eio_fd *ret_fds,
					       unsigned max_fds, unsigned *ret_n);

EIO_END_DECLS

#endif
