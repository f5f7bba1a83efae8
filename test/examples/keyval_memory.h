/* SPDX-License-Identifier: ISC */
/*
 * The memory of examples/keyval for its tests: what is taken is counted, and the n-th request
 * for memory can fail, or all of them.
 */
#ifndef TEST_KEYVAL_MEMORY_H
#define TEST_KEYVAL_MEMORY_H

#include <stddef.h>

/* Lets so many requests pass, and fails the rest until memory_is_back. */
void memory_ends_after(size_t requests);
void memory_is_back(void);

/* Did a request fail since memory_ends_after? */
int memory_failed(void);

/* Blocks that were not freed. */
size_t memory_blocks(void);

/* The most bytes that were taken at once since memory_forget_peak. */
size_t memory_peak(void);
void memory_forget_peak(void);

#endif
