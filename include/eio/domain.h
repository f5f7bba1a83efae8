/* SPDX-License-Identifier: ISC */
/*
 * Running work elsewhere: in another domain, which is a thread with fibers of its own.
 */
#ifndef EIO_DOMAIN_H
#define EIO_DOMAIN_H

#include <eio/api.h>

EIO_BEGIN_DECLS

struct eio_config;
struct eio_domain_mgr_ops;
struct eio_promise;

/** The right to start domains: a value. A zeroed one gives -EBADF. */
struct eio_domain_mgr {
	const struct eio_domain_mgr_ops *ops;
	void *ptr;
};

/** NULL or zeroed: a domain like the calling fiber's. */
struct eio_domain_opts {
	const char *name; /**< for messages, and the thread's; borrowed for the call */
	bool pin;         /**< run on @p cpu only, as do domains that it starts itself */
	int cpu;
	/** Of the new domain; NULL = as the calling fiber's. Its fallback is not called: what
	 *  would have called it is what the call returns. */
	const struct eio_config *config;
	void *reserved[4];
};

/** What a provider of domains implements. A function that is NULL gives -EOPNOTSUPP. */
struct eio_domain_mgr_ops {
	const char *name;
	/** As eio_domain_run_with; the caller is not cancelled yet, @p opts is not NULL and in
	 *  range, but for what is in its config. */
	int (*run)(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		   void *arg);
	/** As eio_domain_run_raw, likewise. */
	int (*run_raw)(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts, eio_fn *fn,
		       void *arg);
	void *reserved[3]; /**< zero */
};

/**
 * Run a function in another domain.
 *
 * Waits until @p fn and every fiber it started have ended, and the domain with them. The
 * calling fiber's domain goes on meanwhile.
 *
 * The thread has all signals blocked but those that faults raise, so that the program's
 * handlers run where they did before; programs it starts have the mask of the calling thread.
 * All domains share one pool of threads
 * (eio_ll_in_thread), and those whose config has kernel-side polling share the polling thread
 * of the domain that runs them, where both ask for the same.
 *
 * @param fn   Becomes the other domain's main fiber, on the thread's own stack; it inherits
 *   no fiber-locals. Promises, streams, descriptors and the like can be used from both sides;
 *   switches, contexts and timeouts belong to one domain.
 * @param arg  Borrowed for the call.
 * @return What @p fn returned, its failure with its details (eio_last_error), or:
 *   -ECANCELED      the caller's context was cancelled; if that was before @p fn began
 *                   it was not run
 *   EIO_EABANDONED  the work ended cancelled, while the caller was not
 *   -EBADF          a zeroed @p mgr
 *   -EOPNOTSUPP     the provider runs nothing
 *   -EAGAIN         no thread can be made; @p fn was not run
 *   -ENOMEM, -EMFILE, -ENFILE  no resources; @p fn was not run
 *   -ENOSYS, -EPERM, -EACCES   io_uring is not there or forbidden; @p fn was not run
 *   -EPERM          on a thread without a domain
 * @cancel Yes: crosses to the other domain, where @p fn's context is cancelled, and whose end
 *   is waited for. A result >= 0 or a failure that came all the same is returned.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_domain_run(struct eio_domain_mgr mgr, eio_fn *fn, void *arg);

/**
 * eio_domain_run with options.
 *
 * @param opts  NULL = defaults; borrowed for the call.
 * @return As eio_domain_run, and -EINVAL for an option out of range, also a CPU that is not
 *   there or not allowed; @p fn was not run.
 * @since 0.1
 */
EIO_API int eio_domain_run_with(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts,
				eio_fn *fn, void *arg);

/**
 * Run a function on a thread of its own, without a ring or fibers.
 *
 * For work that computes or blocks for long and would keep a thread of the pool from others
 * (eio_ll_in_thread). The thread's signals are blocked as eio_domain_run's are. To the library
 * @p fn is no fiber: what suspends gives -EPERM there. It must come to an end: nothing can be
 * done to a thread.
 *
 * @param opts  NULL = defaults; config has no meaning here. Borrowed for the call.
 * @param arg   Borrowed for the call.
 * @return What @p fn returned, or:
 *   -ECANCELED   the caller's context was cancelled; if that was before @p fn began it was
 *                not run
 *   EIO_EABANDONED  @p fn returned -ECANCELED, while the caller was not cancelled
 *   -EBADF, -EOPNOTSUPP, -EAGAIN, -EINVAL, -EPERM  as eio_domain_run_with
 * @cancel Before @p fn has begun. Later it is waited for, and its result delivered.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_domain_run_raw(struct eio_domain_mgr mgr, const struct eio_domain_opts *opts,
			       eio_fn *fn, void *arg);

/** A domain that work can be sent to: a value, which is never another domain's. Zeroed: none. */
struct eio_domain_ref {
	void *eio_private;
	uint64_t id; /**< unique in the process; 0: none */
};

/**
 * The calling fiber's domain, to be handed to those who are to send it work.
 *
 * The first call in a domain starts the fiber that takes the work in; it is there until the
 * domain ends. Does not suspend.
 *
 * @return Zeroed, which sends nothing, on a thread without a domain, or when there is no
 *   memory for it (eio_last_error).
 * @since 0.1
 */
EIO_API struct eio_domain_ref eio_domain_self(void);

/**
 * Start a fiber in a given domain.
 *
 * It keeps nothing alive: when the domain's main returns, what was sent to it is cancelled
 * and waited for. It inherits no fiber-locals.
 *
 * @param fn   Run by a new fiber of that domain, soon.
 * @param arg  Borrowed until the promise is resolved.
 * @param p    Fresh. Resolved on every path: with @p fn's result and the details of its
 *   failure, with EIO_EABANDONED if it ended cancelled or the domain ended before it began,
 *   -ENOMEM if there was no memory for its fiber, and with the code when this call fails.
 * @return 0, or, with @p fn not run:
 *   -EBADF   a zeroed ref
 *   -ESRCH   the domain has ended
 *   -ENOMEM
 * @cancel No.
 * @thread Any, also threads without a domain.
 * @since 0.1
 */
EIO_API int eio_domain_submit(struct eio_domain_ref to, eio_fn *fn, void *arg,
			      struct eio_promise *p);

EIO_END_DECLS

#endif
