/* SPDX-License-Identifier: ISC */
/*
 * Bare liburing, set up as the library sets up its rings: the line beside the library's.
 */
#ifndef RAW_RING_H
#define RAW_RING_H

#include "bench.h"

#include <liburing.h>
#include <sys/mman.h>

/* Newer than liburing 2.3's header. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif

static inline void raw_ring_init(struct io_uring *ring, unsigned depth)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = 4096,
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

/* A group of buffers that the kernel takes from; there until the program ends. */
struct raw_buffers {
	struct io_uring_buf_ring *ring;
	char *data;
	unsigned n, size;
};

/* It is the kernel's when the ring has been advanced. */
static inline void raw_buffers_add(const struct raw_buffers *b, unsigned id, unsigned offset)
{
	io_uring_buf_ring_add(b->ring, b->data + id * b->size, b->size, (unsigned short) id,
			      io_uring_buf_ring_mask(b->n), (int) offset);
}

static inline void raw_buffers_init(struct raw_buffers *b, struct io_uring *ring, unsigned n,
				    unsigned size, unsigned short group)
{
	struct io_uring_buf_reg reg = {.ring_entries = n, .bgid = group};
	void *memory = mmap(NULL, n * (sizeof(struct io_uring_buf) + size), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("no memory for buffers");
	b->ring = memory;
	b->data = (char *) memory + n * sizeof(struct io_uring_buf);
	b->n = n;
	b->size = size;
	reg.ring_addr = (uintptr_t) memory;
	bench_check(io_uring_register_buf_ring(ring, &reg, 0), "a ring of buffers");
	for (unsigned i = 0; i < n; i++)
		raw_buffers_add(b, i, i);
	io_uring_buf_ring_advance(b->ring, (int) n);
}

#endif
