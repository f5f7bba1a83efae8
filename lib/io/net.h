/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the network share.
 */
#ifndef EIO__IO_NET_H
#define EIO__IO_NET_H

#include <eio/dgram.h>
#include <eio/net.h>
#include <eio/resolve.h>

/* The caller's cancellation, then @p ops, the table of the value that the call is about: 0
 * to go on. */
int eio__net_enter(const void *ops, const char *op);

/* Records an address as what failed; returns err. */
int eio__fail_at(int err, const char *op, const struct eio_addr *addr);

/* AF_… */
int eio__family_of(const struct eio_addr *addr);

/* Datagram sockets of the ring's network. */
int eio__dgram_open(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		    const struct eio_dgram_opts *opts, struct eio_dgram *ret);

/* Look-ups by the C library, for the provider over the ring. */
int eio__net_getaddrinfo(struct eio_net net, const char *host, const char *service,
			 enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n);
int eio__net_getnameinfo(struct eio_net net, const struct eio_addr *addr, char *host,
			 size_t host_size, char *service, size_t service_size, int flags);

#endif
