/* SPDX-License-Identifier: ISC */
/*
 * Running a program: the ring, the main fiber, and the capabilities it is handed.
 */
#ifndef EIO_RUN_H
#define EIO_RUN_H

#include <eio/api.h>
#include <eio/config.h>
#include <eio/domain.h>
#include <eio/flow.h>
#include <eio/fs.h>
#include <eio/net.h>
#include <eio/process.h>
#include <eio/time.h>

EIO_BEGIN_DECLS

/** What main may touch. Every member is a value that may be copied and handed on. */
struct eio_env {
	struct eio_flow in, out, err; /**< the standard streams */
	struct eio_net net;
	struct eio_process_mgr process_mgr; /**< zeroed under eio_mock_run: -EBADF */
	struct eio_domain_mgr domain_mgr;
	struct eio_clock clock;      /**< wall clock, nanoseconds since 1970 */
	struct eio_clock mono_clock; /**< monotonic, for time limits */
	struct eio_dir fs;           /**< every path */
	struct eio_dir cwd;          /**< the working directory and below */
	struct eio_flow secure_random;
	const char *backend_id; /**< "uring", "mock" (eio_mock_run) */
};

/**
 * Run a program: a ring, a scheduler, and @p main as its first fiber.
 *
 * main runs on the calling thread's own stack. Several threads may each run one.
 *
 * In the child of a fork(2) made meanwhile, calls that would suspend give -EPERM. Handles of
 * descriptors can be used and closed there, and are pinned by nobody; those of processes and what
 * sends to ports give -EBADF. Another eio_run works as in a fresh process. This one returns as soon
 * as main does, and gives nothing back; a fiber that returns there aborts.
 *
 * @param config  NULL = all defaults.
 * @return main's result after every fiber ended, or what config->fallback returned, or:
 *   -EBUSY   this thread already runs one
 *   -EINVAL  a value in @p config is out of range
 *   -ENOMEM, -EMFILE, -ENFILE  no resources
 *   -ENOSYS, -EPERM  io_uring is not there or forbidden; eio_error_format says by
 *     what and what to change
 * @since 0.1
 */
EIO_API int eio_run(const struct eio_config *config, int (*main)(struct eio_env *env, void *arg),
		    void *arg);

EIO_END_DECLS

#endif
