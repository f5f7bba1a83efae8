/* SPDX-License-Identifier: ISC */
/*
 * Looking at a program that runs: who waits for what.
 */
#ifndef EIO_DEBUG_H
#define EIO_DEBUG_H

#include <eio/api.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

/**
 * Write who waits for what: every domain of the process with its switches, cancellation
 * contexts and fibers.
 *
 *     domain 1 (uring, thread 4711), 4 fibers
 *       switch "clients" of fiber 1, 3 fibers
 *         fiber 1 "main": end of switch "clients", 3 fibers left (2.3 s)
 *         fiber 7 "conn": recv on fd 9 (1.2 s)
 *         timeout, cancelled: ETIMEDOUT
 *           fiber 8 "conn", cancelled: send on fd 10, asked to stop (12 ms)
 *         protected context
 *           fiber 9: running
 *
 * A fiber stands in the innermost scope it is in. Behind what it waits for is how long, to
 * about 5 ms and after 200 days from 0 again, counted from when its domain last looked for
 * events before: what fibers computed since then counts too. A wait that began just now has
 * none.
 * The text is for people and may change.
 *
 * Each domain tells its own state when it gets to it, so those of different domains are
 * not of the same moment. All of them are waited for, and one that computes, or is in a
 * call that blocks its thread, answers once it is done with that: a time limit around
 * the call helps, and SIGQUIT shows the others.
 *
 * With EIO_DUMP_ON=QUIT in the environment (unless the program is set-user-ID) SIGQUIT
 * does not end the process while an eio_run is under way: each domain writes its part to
 * the standard error, by write(2), as soon as it gets to it; if nobody reads that, the
 * domain waits for who does.
 *
 * @param to  Borrowed for the call; written to once all answers are there.
 * @return 0, or a negative code; then eio_last_error()->done tells how many bytes were
 *   written:
 *   -ECANCELED  the context was cancelled
 *   -ENOMEM     out of memory
 *   -EPERM      this thread runs no domain
 *   -EBADF, -EPIPE, …  as eio_flow_write
 * @cancel Yes.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_dump(struct eio_flow to);

EIO_END_DECLS

#endif
