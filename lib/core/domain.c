/* SPDX-License-Identifier: ISC */
#include "core/error.h"

#include <eio/domain.h>
#include <eio/fiber.h>
#include <sched.h>

/* Of those that mean the same to all providers: the name of one out of range. */
static const char *bad_option(const struct eio_domain_opts *o)
{
	if (o->pin && (o->cpu < 0 || o->cpu >= CPU_SETSIZE))
		return "cpu";
	for (size_t i = 0; i < sizeof(o->reserved) / sizeof(o->reserved[0]); i++) {
		if (o->reserved[i])
			return "reserved";
	}
	return NULL;
}

/* May the caller go on, and does @p mgr have what it wants? */
static int check(struct eio_domain_mgr mgr, bool has, const struct eio_domain_opts *opts)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!mgr.ops)
		return eio__fail(-EBADF, "domain", NULL);
	if (!has)
		return eio__fail(-EOPNOTSUPP, "domain", mgr.ops->name);
	if (bad_option(opts))
		return eio__fail(-EINVAL, "domain", bad_option(opts));
	return 0;
}

static const struct eio_domain_opts *or_defaults(const struct eio_domain_opts *opts)
{
	static const struct eio_domain_opts defaults;

	return opts ? opts : &defaults;
}

int eio_domain_run_with(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
			void *arg)
{
	const struct eio_domain_opts *o = or_defaults(opts);
	int rc = check(mgr, mgr.ops && mgr.ops->run, o);

	return rc < 0 ? rc : mgr.ops->run(mgr, o, fn, arg);
}

int eio_domain_run(struct eio_domain_mgr mgr, eio_fn *fn, void *arg)
{
	return eio_domain_run_with(mgr, NULL, fn, arg);
}

int eio_domain_run_raw(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		       void *arg)
{
	const struct eio_domain_opts *o = or_defaults(opts);
	int rc = check(mgr, mgr.ops && mgr.ops->run_raw, o);

	return rc < 0 ? rc : mgr.ops->run_raw(mgr, o, fn, arg);
}
