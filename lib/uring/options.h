/* SPDX-License-Identifier: ISC */
/*
 * What a program may ask of its ring beside a size: limits of the kernel's worker threads,
 * busy polling of the network, an allow-list of operations.
 */
#ifndef EIO__OPTIONS_H
#define EIO__OPTIONS_H

#include "uring/ring.h"

/* io_uring_register(2), not all of which liburing 2.3 has functions for. 0 or a negative errno. */
int eio__ring_register(struct eio__ring *r, unsigned what, const void *arg, unsigned n);

/* Limits and polling. What the kernel refuses is told to the log hook. */
void eio__ring_set_options(struct eio__ring *r, const struct eio_config *config);

/* Puts the allow-list in force and enables the ring; without one everything is allowed. 0,
 * or a negative errno. */
int eio__ring_restrict(struct eio__ring *r, const struct eio_config *config);

#endif
