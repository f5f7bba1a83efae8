/* SPDX-License-Identifier: ISC */
#include "core/error.h"

#include <eio/domain.h>
#include <eio/fiber.h>

static const struct eio_domain_opts none;

/* May the caller go on, and does @p mgr have what it wants? */
static int check(struct eio_domain_mgr mgr, bool has)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!mgr.ops)
		return eio__fail(-EBADF, "domain", NULL);
	return has ? 0 : eio__fail(-EOPNOTSUPP, "domain", mgr.ops->name);
}

int eio_domain_run_with(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
			void *arg)
{
	int rc = check(mgr, mgr.ops && mgr.ops->run);

	return rc < 0 ? rc : mgr.ops->run(mgr, opts ? opts : &none, fn, arg);
}

int eio_domain_run(struct eio_domain_mgr mgr, eio_fn *fn, void *arg)
{
	return eio_domain_run_with(mgr, NULL, fn, arg);
}

int eio_domain_run_raw(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		       void *arg)
{
	int rc = check(mgr, mgr.ops && mgr.ops->run_raw);

	return rc < 0 ? rc : mgr.ops->run_raw(mgr, opts ? opts : &none, fn, arg);
}
