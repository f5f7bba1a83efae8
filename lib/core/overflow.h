/* SPDX-License-Identifier: ISC */
/*
 * Explaining stack overflows: a SIGSEGV handler that names the fiber whose guard was
 * touched and then lets the process die as it would have.
 *
 * The handler is installed by the first run of the process and taken away by the last;
 * each run's thread gets an alternate stack. Not under AddressSanitizer, which does this
 * itself.
 */
#ifndef EIO__OVERFLOW_H
#define EIO__OVERFLOW_H

#include <stddef.h>

struct eio__altstack {
	void *memory; /* NULL: the thread had one already */
	size_t size;
};

void eio__overflow_begin(struct eio__altstack *a);
void eio__overflow_end(struct eio__altstack *a);

#endif
