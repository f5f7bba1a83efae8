/* SPDX-License-Identifier: ISC */
/*
 * Joining the layers: a ring and a scheduler below, capabilities above, the caller's
 * thread as the main fiber in between.
 */
#include "core/error.h"
#include "io/env.h"
#include "uring/domain.h"
#include "uring/fd.h"
#include "uring/run.h"

#include <eio/run.h>
#include <stdio.h>
#include <stdlib.h>

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
		.domain_mgr = eio__domain_mgr_uring(),
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
	struct eio__run *r;
	char why[224] = "";
	int rc;

	if (eio__domain_self())
		return eio__fail(-EBUSY, "eio_run", "this thread runs one already");
	if (eio__config_bad(c))
		return refuse(-EINVAL, eio__config_bad(c));
	r = malloc(sizeof(*r));
	if (!r || eio__fd_init() < 0) {
		free(r);
		return refuse(-ENOMEM, "out of memory");
	}
	rc = eio__run_begin(r, c, NULL, why, sizeof(why));
	if (rc < 0) {
		free(r);
		refuse(rc, why);
		return c->fallback && is_refusal(rc, c) ? c->fallback(why, c->fallback_arg) : rc;
	}
	rc = run_main(main, arg);
	if (!eio__domain_self())
		return rc; /* the child of a fork: what there is is the parent's */
	eio__run_end(r);
	free(r);
	return rc;
}
