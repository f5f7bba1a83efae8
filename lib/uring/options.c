/* SPDX-License-Identifier: ISC */
#include "uring/options.h"
#include "core/log.h"

#include <eio/error.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int eio__ring_register(struct eio__ring *r, unsigned what, const void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, r->uring.ring_fd, what, arg, n) < 0 ? -errno : 0;
}

/* Splices and the like hold a worker for as long as they wait: not without end. */
static void limit_workers(struct eio__ring *r, const struct eio_config *config)
{
	enum { UNBOUNDED = 64 };
	unsigned most[2] = {config->max_bounded_workers, config->max_unbounded_workers};
	int rc;

	if (!most[1])
		most[1] = UNBOUNDED;
	rc = io_uring_register_iowq_max_workers(&r->uring, most);
	if (rc < 0 && (config->max_bounded_workers || config->max_unbounded_workers))
		eio__log(EIO_LOG_WARNING, "the kernel does not limit its workers: %s",
			 eio_strerror(rc));
}

static void busy_poll(struct eio__ring *r, const struct eio_config *config)
{
	struct eio__napi napi = {
		.busy_poll_us = config->napi_busy_poll_us,
		.prefer_busy_poll = config->flags & EIO_RUN_NAPI_PREFER ? 1 : 0,
	};
	int rc = eio__ring_register(r, EIO__REGISTER_NAPI, &napi, 1);

	if (rc < 0)
		eio__log(EIO_LOG_WARNING,
			 "napi_busy_poll_us: the kernel refuses (%s), going on without; Linux "
			 "6.9 or newer with CONFIG_NET_RX_BUSY_POLL is needed",
			 eio_strerror(rc));
}

void eio__ring_set_options(struct eio__ring *r, const struct eio_config *config)
{
	limit_workers(r, config);
	if (config->napi_busy_poll_us)
		busy_poll(r, config);
}

/* The allow-list */

/* What the library cannot do without: the read of the wake-up descriptor, the alarm,
 * cancelling, closing, waiting where a descriptor is not ready. */
static const uint8_t own_ops[] = {
	IORING_OP_NOP,     IORING_OP_READ,           IORING_OP_POLL_ADD,
	IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE, IORING_OP_ASYNC_CANCEL,
	IORING_OP_CLOSE,
};

/* They choose no operation. The others are none of the library's. */
enum {
	SQE_FLAGS = IOSQE_FIXED_FILE | IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC |
		    IOSQE_BUFFER_SELECT,
};

/* What operations work with, the oldest first. Giving the ring's descriptor back comes with
 * 5.18, rings of buffers with 5.19, the two after those with 6.0, the last with 6.8. */
static const uint8_t register_ops[] = {
	IORING_REGISTER_BUFFERS,
	IORING_UNREGISTER_BUFFERS,
	IORING_REGISTER_FILES,
	IORING_UNREGISTER_FILES,
	IORING_REGISTER_FILES_UPDATE,
	IORING_REGISTER_PROBE,
	IORING_REGISTER_FILES2,
	IORING_REGISTER_FILES_UPDATE2,
	IORING_REGISTER_BUFFERS2,
	IORING_REGISTER_BUFFERS_UPDATE,
	IORING_UNREGISTER_RING_FDS,
	IORING_REGISTER_PBUF_RING,
	IORING_UNREGISTER_PBUF_RING,
	IORING_REGISTER_SYNC_CANCEL,
	IORING_REGISTER_FILE_ALLOC_RANGE,
	EIO__REGISTER_PBUF_STATUS,
};

enum { NEWER_REGISTER_OPS = 6 };

struct list {
	struct io_uring_restriction items[256 + 1 + COUNT(register_ops)];
	unsigned n;
};

static void add(struct list *l, unsigned kind, unsigned what)
{
	l->items[l->n++] = (struct io_uring_restriction){
		.opcode = (uint16_t) kind, .sqe_op = (uint8_t) what, /* of a union of bytes */
	};
}

static void allow(struct eio__ring *r, const uint8_t *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		r->allowed[ops[i] / 8] |= (uint8_t) (1 << ops[i] % 8);
}

/* An old kernel refuses a list with something that it does not know. */
static int put_in_force(struct eio__ring *r, const struct list *l)
{
	int rc = -EINVAL;

	for (unsigned left_out = 0; rc == -EINVAL && left_out <= NEWER_REGISTER_OPS; left_out++)
		rc = eio__ring_register(r, IORING_REGISTER_RESTRICTIONS, l->items, l->n - left_out);
	return rc < 0 ? rc : eio__ring_register(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int eio__ring_restrict(struct eio__ring *r, const struct eio_config *config)
{
	struct list l = {.n = 0};

	if (!(config->flags & EIO_RUN_RESTRICT)) {
		memset(r->allowed, 0xff, sizeof(r->allowed));
		return 0;
	}
	allow(r, own_ops, COUNT(own_ops));
	allow(r, config->allowed_ops, config->n_allowed_ops);
	for (unsigned op = 0; op < 256; op++) {
		if (eio__ring_allows(r, op) && eio__ring_has(r, op))
			add(&l, IORING_RESTRICTION_SQE_OP, op);
	}
	add(&l, IORING_RESTRICTION_SQE_FLAGS_ALLOWED, SQE_FLAGS);
	for (unsigned i = 0; i < COUNT(register_ops); i++)
		add(&l, IORING_RESTRICTION_REGISTER_OP, register_ops[i]);
	return put_in_force(r, &l);
}
