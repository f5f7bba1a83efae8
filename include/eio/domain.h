/* SPDX-License-Identifier: ISC */
/*
 * Running work elsewhere: in another domain, which is a thread with fibers of its own.
 */
#ifndef EIO_DOMAIN_H
#define EIO_DOMAIN_H

#include <eio/api.h>
#include <eio/config.h>

EIO_BEGIN_DECLS

struct eio_domain_mgr_ops;

/** The right to start domains: a value. A zeroed one gives -EBADF. */
struct eio_domain_mgr {
	const struct eio_domain_mgr_ops *ops;
	void *ptr;
};

/** NULL or zeroed: all defaults. */
struct eio_domain_opts {
	const char *name; /**< for messages and dumps; borrowed for the call */
	bool pin;         /**< run on @p cpu only */
	int cpu;
	const struct eio_config *config; /**< of the new domain; NULL = all defaults */
	void *reserved[4];
};

/** What a provider of domains implements. A NULL run gives -EOPNOTSUPP. */
struct eio_domain_mgr_ops {
	const char *name;
	/** As eio_domain_run_with; the caller is not cancelled yet, @p opts is not NULL. */
	int (*run)(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		   void *arg);
	void *reserved[4]; /**< zero */
};

/**
 * Run a function in another domain.
 *
 * Waits until @p fn and every fiber it started have ended.
 *
 * @param fn   Becomes the other domain's main fiber. Promises, events and descriptors
 *   can be used from both sides; switches, contexts and timeouts belong to one domain.
 * @param arg  Borrowed for the call.
 * @return What @p fn returned, its failure with its details (eio_last_error), or:
 *   -ECANCELED      the caller's context was cancelled; if that was before the call
 *                   @p fn was not run
 *   EIO_EABANDONED  the work ended cancelled, while the caller was not
 *   -EBADF          a zeroed @p mgr
 *   -EOPNOTSUPP     the provider runs nothing
 *   -EAGAIN, -ENOMEM, -EMFILE, -ENFILE  no resources; @p fn was not run
 *   -EPERM          on a thread without a domain
 * @cancel Yes: crosses to the other domain, whose end is waited for. A result that came
 *   all the same is returned.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_domain_run(struct eio_domain_mgr mgr, eio_fn *fn, void *arg);

/**
 * eio_domain_run with options.
 *
 * @param opts  NULL = defaults; borrowed for the call.
 * @return As eio_domain_run, and -EINVAL for an option out of range.
 * @since 0.1
 */
EIO_API int eio_domain_run_with(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts,
				eio_fn *fn, void *arg);

EIO_END_DECLS

#endif
