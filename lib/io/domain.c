/* SPDX-License-Identifier: ISC */
#include "core/error.h"

#include <eio/domain.h>
#include <eio/fiber.h>

int eio_domain_run_with(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
			void *arg)
{
	static const struct eio_domain_opts none;
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!mgr.ops)
		return eio__fail(-EBADF, "domain", NULL);
	if (!mgr.ops->run)
		return eio__fail(-EOPNOTSUPP, "domain", mgr.ops->name);
	return mgr.ops->run(mgr, opts ? opts : &none, fn, arg);
}

int eio_domain_run(struct eio_domain_mgr mgr, eio_fn *fn, void *arg)
{
	return eio_domain_run_with(mgr, NULL, fn, arg);
}
