/* SPDX-License-Identifier: ISC */
/*
 * Executors: domains that stay, for pieces of work that one core is too few for.
 *
 * Starting a domain takes about a hundred microseconds, handing a job to one that is there a
 * few. An executor has some, and runs as many jobs in each as their weights allow.
 */
#ifndef EIO_EXECUTOR_H
#define EIO_EXECUTOR_H

#include <eio/api.h>
#include <eio/domain.h>
#include <eio/promise.h>
#include <eio/switch.h>

EIO_BEGIN_DECLS

/** An executor; opaque, in the caller's storage until its switch and every call on it ended. */
struct eio_executor {
	void *eio_private[24];
};

/** The weight of a job that has a domain for itself. */
#define EIO_EXECUTOR_ALONE 1000

/**
 * Start an executor.
 *
 * Waits until all its domains are there. They end with @p sw, which they do not keep alive:
 * when only daemons are left there they are cancelled and waited for, as are the jobs that
 * still run; jobs that have not begun are answered.
 *
 * @param e        Storage, see struct eio_executor.
 * @param mgr      Makes the domains, with the calling domain's config.
 * @param domains  How many; 0: as many as this process may use cores.
 * @return 0, or, with nothing left behind:
 *   -ECANCELED  the caller's context or @p sw was cancelled
 *   -ENOMEM     no memory, or as below
 *   -EPERM      @p sw belongs to another domain, or as below
 *   -EINVAL     @p sw is finished (debug builds abort)
 *   and what eio_domain_run fails with before its function runs
 * @cancel Before it begins. The beginning of domains is short, and waited for.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_executor_init(struct eio_executor *e, struct eio_switch *sw,
					    struct eio_domain_mgr mgr, unsigned domains);

/**
 * Run a function in one of the executor's domains and wait for its end.
 *
 * In each domain the weights of the jobs that run come to EIO_EXECUTOR_ALONE at most. A job
 * goes to the domain with the least weight; where no domain has room it waits, and jobs begin in
 * the order they came. One without weight begins at once, whatever waits.
 *
 * @param fn      Run by a fiber of its own, which inherits no fiber-locals. It may submit
 *   to the executor itself; jobs that wait for jobs with weight can use all the room there is.
 * @param arg     Borrowed for the call: may be on the caller's stack.
 * @param weight  0 to EIO_EXECUTOR_ALONE, in thousandths of a domain: 1000 for what computes all
 *   the time, 250 so that four share a domain, 0 not limited, for what mostly waits.
 * @return What @p fn returned, after it has ended, its failure with its details, or:
 *   -ECANCELED      the caller's context was cancelled; @p fn has ended, or will never begin
 *   EIO_EABANDONED  the executor ended first: @p fn was not run, or ended cancelled; also if
 *                   it ended cancelled by itself
 *   -EINVAL         the executor has ended, or @p weight is out of range; @p fn was not run
 *   -ENOMEM         no memory for its fiber; @p fn was not run
 *   -EPERM          on a thread without a domain
 * @cancel Yes. A job that has not begun is withdrawn; one that runs is cancelled in its domain,
 *   and its end is waited for. A result >= 0 or a failure that came all the same is returned.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_executor_submit(struct eio_executor *e, eio_fn *fn, void *arg, unsigned weight);

/**
 * The same in a fiber of its own, whose result goes into a promise.
 *
 * @param sw   What the fiber belongs to; its cancellation is the job's.
 * @param arg  Borrowed until the promise is resolved.
 * @param p    Fresh; resolved on every path, also when this call fails (with the code, or
 *   EIO_EABANDONED for -ECANCELED).
 * @return As eio_fork. What eio_executor_submit returns comes out of the promise.
 * @since 0.1
 */
EIO_API int eio_executor_submit_fork(struct eio_executor *e, struct eio_switch *sw, eio_fn *fn,
				     void *arg, unsigned weight, struct eio_promise *p);

EIO_END_DECLS

#endif
