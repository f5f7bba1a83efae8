/* SPDX-License-Identifier: ISC */
#include "uring/run.h"
#include "core/handler.h"
#include "core/quit.h"

#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS                                                                                  \
	((unsigned) (EIO_RUN_KEEP_SIGPIPE | EIO_RUN_NO_SEGV | EIO_RUN_NO_FIXED |                   \
		     EIO_RUN_PIN_POLLING | EIO_RUN_NAPI_PREFER | EIO_RUN_HYBRID_IOPOLL |           \
		     EIO_RUN_RESTRICT))

/* A ring write to a closed pipe would raise it. */
static struct eio__handler sigpipe = EIO__HANDLER_INIT(SIGPIPE, .sa_handler = SIG_IGN);

/* Asked for by who runs the program. */
static bool dumps_on_quit(void)
{
	const char *on = secure_getenv("EIO_DUMP_ON");

	return on && strcmp(on, "QUIT") == 0;
}

const char *eio__config_bad(const struct eio_config *c)
{
	if (c->backend != EIO_BACKEND_AUTO && c->backend != EIO_BACKEND_URING)
		return "backend";
	if (c->flags & ~ALL_FLAGS)
		return "flags";
	if (c->block_size > (size_t) 1 << 30)
		return "block_size";
	if (c->stack_size > (size_t) 1 << 30)
		return "stack_size";
	if (c->flags & EIO_RUN_PIN_POLLING && !c->polling_timeout_ms)
		return "polling_cpu";
	if (c->flags & EIO_RUN_NAPI_PREFER && !c->napi_busy_poll_us)
		return "napi_busy_poll_us";
	if (c->n_allowed_ops && !c->allowed_ops)
		return "allowed_ops";
	if (c->allowed_ops && !(c->flags & EIO_RUN_RESTRICT))
		return "allowed_ops";
	for (size_t i = 0; i < sizeof(c->reserved) / sizeof(c->reserved[0]); i++) {
		if (c->reserved[i])
			return "reserved";
	}
	return NULL;
}

static bool explains_overflows(const struct eio__run *r)
{
	return !(r->uring.config->flags & EIO_RUN_NO_SEGV) && !EIO__ASAN_ON;
}

/* Without kernel-side polling there is nothing to share: the kernel's workers are each
 * thread's own, whatever ring they work for. */
static bool shares(const struct eio_config *a, const struct eio_config *b)
{
	return a->polling_timeout_ms && b->polling_timeout_ms &&
	       (a->flags & EIO_RUN_PIN_POLLING) == (b->flags & EIO_RUN_PIN_POLLING) &&
	       a->polling_cpu == b->polling_cpu;
}

int eio__run_begin(struct eio__run *r, const struct eio_config *config, const struct eio__uring *by,
		   char *why, size_t size)
{
	const struct eio__ring *sharing = by && shares(config, by->config) ? &by->ring : NULL;
	int rc = eio__uring_init(&r->uring, config, sharing, why, size);

	if (rc < 0)
		return rc;
	if (!(config->flags & EIO_RUN_KEEP_SIGPIPE))
		eio__handler_begin(&sigpipe);
	if (explains_overflows(r))
		eio__overflow_begin(&r->altstack);
	r->dumps = dumps_on_quit();
	if (r->dumps)
		eio__quit_begin();
	return 0;
}

void eio__run_end(struct eio__run *r)
{
	eio__uring_fini(&r->uring);
	if (r->dumps)
		eio__quit_end();
	if (explains_overflows(r))
		eio__overflow_end(&r->altstack);
	if (!(r->uring.config->flags & EIO_RUN_KEEP_SIGPIPE))
		eio__handler_end(&sigpipe);
}
