/* SPDX-License-Identifier: ISC */
/*
 * The pool of fixed buffers: equal, page-aligned blocks of one mapping, made on the
 * first request and registered with the kernel as one buffer, index 0. If the kernel
 * refuses (RLIMIT_MEMLOCK), the same blocks serve as plain memory.
 *
 * A block is free, or a fiber's. One given back goes straight to the fiber that waits
 * longest, so nobody overtakes and a cancelled waiter loses nothing.
 */
#ifndef EIO__FIXED_H
#define EIO__FIXED_H

#include "base/list.h"

#include <eio/config.h>
#include <stdint.h>

struct eio__ring;

#define EIO__FIXED_END UINT32_MAX

struct eio__fixed {
	char *memory; /* NULL: not made yet */
	size_t block_size;
	unsigned n, fresh; /* blocks; how many of them were ever handed out */
	unsigned out;      /* how many are now */
	uint32_t free;     /* given back: the first one's number, from 1 … */
	uint32_t *next;    /* … and of each the next one's, EIO__FIXED_END; 0: it is not free */
	struct eio__list waiters;
	bool registered;
	bool wanted; /* registration */
	bool failed; /* no memory: every request gives -ENOBUFS */
};

/* Are these bytes registered, as part of buffer 0? */
static inline bool eio__fixed_holds(const struct eio__fixed *p, const void *data, size_t len)
{
	size_t at = (uintptr_t) data - (uintptr_t) p->memory, size = p->n * p->block_size;

	return p->registered && at < size && len <= size - at;
}

void eio__fixed_init(struct eio__fixed *p, const struct eio_config *config);
void eio__fixed_fini(struct eio__fixed *p, struct eio__ring *ring);

#endif
