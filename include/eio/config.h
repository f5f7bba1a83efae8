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
	EIO_RUN_KEEP_SIGPIPE = 1, /**< leave SIGPIPE as it is (default: ignored while running) */
	EIO_RUN_NO_SEGV = 2,      /**< no handler that explains stack overflows */
	EIO_RUN_NO_FIXED = 4,     /**< do not register the fixed buffers with the kernel */
};

/** Zeroed fields are defaults. */
struct eio_config {
	unsigned queue_depth;        /**< SQ entries, >= 1, capped by the kernel; 0 = 256 */
	unsigned n_blocks;           /**< fixed buffers; 0 = queue_depth, but no more than 256 */
	size_t block_size;           /**< their size in bytes, rounded up to pages; 0 = 4096 */
	unsigned polling_timeout_ms; /**< > 0: kernel-side polling (SQPOLL), idle time in ms */
	size_t stack_size;           /**< usable bytes per fiber, rounded up to pages; 0 = 64 KiB */
	enum eio_backend backend;
	/** If set: called instead of main when io_uring cannot be had (not when descriptors
	 *  are short, or a value is wrong); @p why says why and
	 *  what to change. Its result is eio_run's. */
	int (*fallback)(const char *why, void *arg);
	void *fallback_arg;
	unsigned flags; /**< EIO_RUN_… */
	void *reserved[4];
};

EIO_END_DECLS

#endif
