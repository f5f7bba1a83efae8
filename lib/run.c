/* SPDX-License-Identifier: ISC */
/*
 * Joining the layers: a ring and a scheduler below, capabilities above, the caller's
 * thread as the main fiber in between. What is changed in the process is changed back.
 */
#include "core/error.h"
#include "core/handler.h"
#include "core/overflow.h"
#include "core/quit.h"
#include "io/env.h"
#include "uring/fd.h"
#include "uring/sched.h"

#include <eio/run.h>
#include <stdio.h>
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

static const char *bad_value(const struct eio_config *c)
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

/* A failure before there is a fiber to keep it. */
static int refuse(int err, const char *subject)
{
	struct eio_error e = {.code = err, .op = "eio_run"};

	snprintf(e.subject, sizeof(e.subject), "(%s)", subject);
	eio__error_keep(&e);
	return err;
}

/* io_uring cannot be had here, as opposed to resources being short, or a CPU not there that
 * the kernel was told to poll on. */
static bool is_refusal(int err, const struct eio_config *c)
{
	if (err == -EINVAL)
		return !(c->flags & EIO_RUN_PIN_POLLING);
	return err == -ENOSYS || err == -EPERM || err == -EACCES || err == -ENOMEM;
}

static int run_main(int (*main)(struct eio_env *env, void *arg), void *arg)
{
	struct eio_env env = {
		.in = eio_flow_of_fd(EIO_STDIN),
		.out = eio_flow_of_fd(EIO_STDOUT),
		.err = eio_flow_of_fd(EIO_STDERR),
		.net = eio__net_uring(),
		.process_mgr = eio__process_mgr(),
		.clock = eio__clock_wall(),
		.mono_clock = eio__clock_mono(),
		.fs = eio__dir_fs(),
		.cwd = eio__dir_cwd(),
		.secure_random = eio__flow_random(),
		.backend_id = "uring",
	};

	return main(&env, arg);
}

int eio_run(const struct eio_config *config, int (*main)(struct eio_env *env, void *arg), void *arg)
{
	static const struct eio_config defaults;
	const struct eio_config *c = config ? config : &defaults;
	struct eio__altstack altstack;
	struct eio__uring *u;
	bool dumps = dumps_on_quit();
	char why[224] = "";
	int rc;

	if (eio__domain_self())
		return eio__fail(-EBUSY, "eio_run", "this thread runs one already");
	if (bad_value(c))
		return refuse(-EINVAL, bad_value(c));
	u = malloc(sizeof(*u));
	if (!u || eio__fd_init() < 0) {
		free(u);
		return refuse(-ENOMEM, "out of memory");
	}
	rc = eio__uring_init(u, c, why, sizeof(why));
	if (rc < 0) {
		free(u);
		refuse(rc, why);
		return c->fallback && is_refusal(rc, c) ? c->fallback(why, c->fallback_arg) : rc;
	}
	if (!(c->flags & EIO_RUN_KEEP_SIGPIPE))
		eio__handler_begin(&sigpipe);
	if (!(c->flags & EIO_RUN_NO_SEGV) && !EIO__ASAN_ON)
		eio__overflow_begin(&altstack);
	if (dumps)
		eio__quit_begin();

	rc = run_main(main, arg);
	if (!eio__domain_self())
		return rc; /* the child of a fork: what there is is the parent's */

	eio__uring_fini(u);
	if (dumps)
		eio__quit_end();
	if (!(c->flags & EIO_RUN_NO_SEGV) && !EIO__ASAN_ON)
		eio__overflow_end(&altstack);
	if (!(c->flags & EIO_RUN_KEEP_SIGPIPE))
		eio__handler_end(&sigpipe);
	free(u);
	return rc;
}
