/* SPDX-License-Identifier: ISC */
/*
 * Polled transfers: reads and writes of handles marked EIO_FD_POLLED.
 *
 * A ring that polls takes nothing else, so the domain gets a second one with the first such
 * transfer. Its completions are not announced, they are looked for: while transfers are in
 * flight each poll of the domain enters that ring too, and the domain does not sleep. When
 * there are none it costs nothing.
 *
 * Such a transfer cannot be cancelled; it is as short as the device is fast.
 */
#ifndef EIO__POLLED_H
#define EIO__POLLED_H

#include "uring/fd.h"
#include "uring/sched.h"

struct eio__polled {
	struct eio__ring ring;
	bool tried_blocks, has_blocks; /* to register the fixed buffers here too */
};

/* One transfer, with the opcode for a ring that does not poll: as the kernel's result, or
 * what keeps it from being begun. */
int eio__polled_transfer(struct eio_fd fd, unsigned opcode, const void *addr, unsigned len,
			 int64_t off);

/* Submits, looks for completions and wakes who waits for them: how many. */
unsigned eio__polled_poll(struct eio__uring *u);

void eio__polled_fini(struct eio__uring *u);

static inline bool eio__polled_in_flight(const struct eio__uring *u)
{
	return u->polled && eio__ring_pending(&u->polled->ring);
}

#endif
