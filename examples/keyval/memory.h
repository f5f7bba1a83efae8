/* SPDX-License-Identifier: ISC */
/*
 * Memory that is counted, so that a limit can be put on it.
 */
#ifndef KEYVAL_MEMORY_H
#define KEYVAL_MEMORY_H

#include <stddef.h>

/* As malloc, realloc and free. A failure leaves everything as it was. */
void *mem_alloc(size_t size);
void *mem_resize(void *block, size_t size);
void mem_free(void *block);

/*
 * Bytes in use, as the allocator rounds them: exact while one thread has taken and freed all of it,
 * else within 16 KiB for each other thread.
 */
size_t mem_used(void);

/* From so many bytes on mem_over_limit says yes; 0, at first, is no limit. It is set before there
 * are other threads. */
void mem_set_limit(size_t limit);
size_t mem_limit(void);
int mem_over_limit(void);

#endif
