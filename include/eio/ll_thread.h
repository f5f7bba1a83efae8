/* SPDX-License-Identifier: ISC */
/*
 * Blocking calls, on threads of the library's own.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_THREAD_H
#define EIO_LL_THREAD_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/**
 * Run a function on a thread, for what would block the domain or needs a large stack.
 *
 * All domains share the threads: they are made when needed, at most 64, and go when they have
 * been idle for some seconds; the last domain's end waits for them. With 64 busy a call waits
 * its turn.
 *
 * @param fn   Runs once, on a stack of the usual size of threads, with the signals blocked but
 *   those that faults raise. To the library it is no fiber: what suspends gives -EPERM there.
 *   It must come to an end: nothing can be done to a thread. If it forks, the child must not
 *   return from it.
 * @param arg  Borrowed for the call.
 * @return What @p fn returned, >= 0 or a negative code, or:
 *   -ECANCELED  the caller's context was cancelled; @p fn was not run
 *   -EAGAIN     no thread can be made, and there is none; @p fn was not run
 *   -EPERM      this thread runs no domain with a ring
 * @cancel Before @p fn has begun. Later it is waited for, and its result delivered.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_ll_in_thread(int (*fn)(void *arg), void *arg);

EIO_END_DECLS

#endif
