/* SPDX-License-Identifier: ISC */
/*
 * The log hook, and the end of a program whose structure is broken.
 */
#ifndef EIO__LOG_H
#define EIO__LOG_H

#include <eio/log.h>

/* Hands one line to the program's log hook, if it set one. */
void eio__log(int level, const char *fmt, ...) EIO_PRINTF(2, 3);

/* In the child of a fork, where another thread may have held the lock. */
void eio__log_forget(void);

/* Has the program set one? */
bool eio__log_is_set(void);

/* Writes one line to stderr and aborts: only for broken structure. */
_Noreturn void eio__fatal(const char *fmt, ...) EIO_PRINTF(1, 2);

/* A text that may be anywhere, or none: a copy of it, or NULL. For messages about memory
 * that is not what it should be. */
const char *eio__salvage(const void *text, char *buf, size_t size);

#endif
