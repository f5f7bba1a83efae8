/* SPDX-License-Identifier: ISC */
/*
 * What the calls of the network share.
 */
#ifndef EIO__IO_NET_H
#define EIO__IO_NET_H

#include <eio/dgram.h>
#include <eio/net.h>

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

#endif
