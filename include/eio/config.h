/* SPDX-License-Identifier: ISC */
/*
 * How a run is set up: the ring, its buffers, the fibers' stacks.
 */
#ifndef EIO_CONFIG_H
#define EIO_CONFIG_H

#include <eio/api.h>

EIO_BEGIN_DECLS

enum eio_backend {
	EIO_BACKEND_AUTO,  /**< the best there is */
	EIO_BACKEND_URING, /**< io_uring or nothing */
};

enum {
	EIO_RUN_KEEP_SIGPIPE = 1,   /**< leave SIGPIPE as it is (default: ignored while running) */
	EIO_RUN_NO_SEGV = 2,        /**< no handler that explains stack overflows */
	EIO_RUN_NO_FIXED = 4,       /**< do not register the fixed buffers with the kernel */
	EIO_RUN_PIN_POLLING = 8,    /**< the polling thread runs on polling_cpu only */
	EIO_RUN_NAPI_PREFER = 16,   /**< busy polling of the network in place of its interrupts */
	EIO_RUN_HYBRID_IOPOLL = 32, /**< polled transfers sleep meanwhile: eio_ll_set_polled */
	EIO_RUN_RESTRICT = 64,      /**< operations that are not in allowed_ops are refused */
};

/**
 * Zeroed fields are defaults; every option is off by default. What config points at stays
 * unchanged until the run has ended.
 *
 * Kernel-side polling (polling_timeout_ms) has a thread of the kernel look for entries, so
 * that a busy domain submits without system calls. It takes a CPU for itself, which pays
 * only where one is to spare. The thread keeps the credentials the process had when the run
 * began: a later setuid does not change what operations may do.
 *
 * Busy polling of the network (napi_busy_poll_us, Linux 6.9) has a domain that waits look
 * into the queues of its sockets' network devices for so long before it sleeps: a lower and
 * steadier latency for a busier CPU, with devices that can do it; none for loopback.
 *
 * An allow-list (EIO_RUN_RESTRICT) has the kernel refuse every other operation: the call
 * that needs it fails with -EACCES and eio_ll_op_supported is false, for good. It bounds what
 * code that got hold of the ring can do with it; it hardens the ring and not the process,
 * so calls that the library makes as system calls (eio_ll_socket and the like) are not
 * affected. But none is made as a system call because its operation is forbidden. Always
 * allowed is what the library itself needs: NOP, READ, POLL_ADD, TIMEOUT, TIMEOUT_REMOVE,
 * ASYNC_CANCEL and CLOSE; and of what eio_ll_ring can register buffers, files and probes.
 */
struct eio_config {
	unsigned queue_depth;        /**< SQ entries, >= 1, capped by the kernel; 0 = 256 */
	unsigned n_blocks;           /**< fixed buffers; 0 = queue_depth, but no more than 256 */
	size_t block_size;           /**< their size in bytes, rounded up to pages; 0 = 4096 */
	unsigned polling_timeout_ms; /**< > 0: kernel-side polling (SQPOLL), idle time in ms */
	size_t stack_size;           /**< usable bytes per fiber, rounded up to pages; 0 = 64 KiB */
	enum eio_backend backend;
	/** Registered files and direct descriptors at a time (<eio/ll_direct.h>), never more than
	 *  RLIMIT_NOFILE; 0 = that, but no more than 65536. */
	unsigned n_files;
	/** If set: called instead of main when io_uring cannot be had (not when descriptors
	 *  are short, or a value is wrong); @p why says why and
	 *  what to change. Its result is eio_run's. */
	int (*fallback)(const char *why, void *arg);
	void *fallback_arg;
	unsigned flags;             /**< EIO_RUN_… */
	unsigned polling_cpu;       /**< with EIO_RUN_PIN_POLLING */
	unsigned napi_busy_poll_us; /**< > 0: how long; refused: a warning to the log hook */
	/** Threads of the kernel for operations that block: on files, 0 = the kernel's choice
	 *  (4 for each CPU, or fewer); on all else, 0 = 64. They are the calling thread's,
	 *  whatever rings it has, and so are the limits, also in its later runs. */
	unsigned max_bounded_workers, max_unbounded_workers;
	const uint8_t *allowed_ops; /**< IORING_OP_…, with EIO_RUN_RESTRICT */
	unsigned n_allowed_ops;     /**< 0: only what the library itself needs */
	void *reserved[4];
};

EIO_END_DECLS

#endif
