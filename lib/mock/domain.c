/* SPDX-License-Identifier: ISC */
/*
 * A domain manager that stays where it is. The switch it runs the work in is a child of
 * the caller's context: cancellation crosses, and the failure's details come out of it.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "uring/run.h"

#include <eio/mock.h>

struct job {
	const char *name;
	eio_fn *fn;
	void *arg;
	int rc;
};

static int work(void *arg)
{
	struct job *j = arg;

	eio_fiber_set_name(j->name);
	eio__self()->locals = NULL; /* other domains do not inherit */
	j->rc = j->fn(j->arg);
	return j->rc;
}

static int run(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn, void *arg)
{
	struct job j = {.name = opts->name ? opts->name : "domain", .fn = fn, .arg = arg};
	struct eio_switch sw;
	int rc;

	(void) mgr;
	if (opts->config && eio__config_bad(opts->config))
		return eio__fail(-EINVAL, "domain", eio__config_bad(opts->config));
	eio_switch_begin_named(&sw, j.name);
	rc = eio_switch_end(&sw, eio_fork(&sw, work, &j));
	if (rc == -ECANCELED && !eio_is_cancelled())
		return eio__fail(EIO_EABANDONED, "domain", j.name);
	return rc < 0 ? rc : j.rc;
}

/* On the calling thread, which is none of the library's meanwhile. */
static int run_raw(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		   void *arg)
{
	struct eio__domain *d = eio__domain_self();
	int rc;

	(void) mgr;
	eio__tls_domain = NULL;
	rc = fn(arg);
	eio__tls_domain = d;
	if (rc == -ECANCELED)
		return eio__fail(EIO_EABANDONED, "domain", opts->name);
	return rc;
}

static const struct eio_domain_mgr_ops ops = {.name = "mock", .run = run, .run_raw = run_raw};

struct eio_domain_mgr eio_mock_domain_mgr(void)
{
	return (struct eio_domain_mgr){.ops = &ops};
}
