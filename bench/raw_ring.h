/* SPDX-License-Identifier: ISC */
/*
 * Bare liburing, set up as the library sets up its rings: the line beside the library's.
 */
#ifndef RAW_RING_H
#define RAW_RING_H

#include "bench.h"

#include <liburing.h>

/* Newer than liburing 2.3's header. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif

static inline void raw_ring_init(struct io_uring *ring, unsigned depth)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	};

	bench_check(io_uring_queue_init_params(depth, ring, &p), "a ring with DEFER_TASKRUN");
	bench_check(io_uring_register_ring_fd(ring), "registering the ring's descriptor");
}

/* Submits the one entry that was prepared, waits for it: its result. */
static inline int raw_ring_wait(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int rc;

	bench_check(io_uring_submit_and_wait(ring, 1), "submit_and_wait");
	bench_check(io_uring_peek_cqe(ring, &cqe), "peek_cqe");
	rc = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return rc;
}

#endif
