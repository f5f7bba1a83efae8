/* SPDX-License-Identifier: ISC */
/*
 * Options of sockets that are being made.
 */
#ifndef EIO__IO_SOCKOPT_H
#define EIO__IO_SOCKOPT_H

#include <eio/sockopt.h>

/* What the structs of options have in common. */
struct eio__wanted {
	bool reuse_addr, reuse_port;
	const struct eio_sockopt_setting *options;
	unsigned n_options;
};

/*
 * Sets what is wanted of a socket of this family, in order, after the defaults: TCP_NODELAY
 * for a @p stream of TCP. 0, or the first failure.
 */
int eio__sockopts_set(struct eio_fd fd, int family, bool stream, const struct eio__wanted *w);

#endif
