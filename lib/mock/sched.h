/* SPDX-License-Identifier: ISC */
/*
 * A scheduler without a ring: fixed order, a fake clock that jumps to the next deadline
 * when nothing is runnable, and an answer to a deadlock.
 */
#ifndef EIO__MOCK_SCHED_H
#define EIO__MOCK_SCHED_H

#include <eio/api.h>

/*
 * Runs @p main as a domain's main fiber. The clock starts at 0. When nothing is runnable
 * and nothing is due the main fiber's context is cancelled and the result, once
 * everything has ended, is -EDEADLK. What still waits then, protected from cancellation,
 * can never end: that aborts with a message.
 */
int eio__mock_run(eio_fn *main, void *arg);

/* The same with stacks of another size. */
int eio__mock_run_with(size_t stack_size, eio_fn *main, void *arg);

#endif
