/* SPDX-License-Identifier: ISC */
/*
 * Mutexes, conditions and semaphores between fibers of one or several domains.
 *
 * They live in the caller's storage and need no end: an object that nobody uses any more
 * may be freed, also while the one who released it last is still on its way out of the
 * call. Waiters are served in the order they came. Nothing here makes a system call while
 * nobody has to wait.
 */
#ifndef EIO_SYNC_H
#define EIO_SYNC_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A mutex; opaque, in the caller's storage. Zeroed memory is a free one. */
struct eio_mutex {
	void *eio_private[16];
};

/** A free mutex. */
#define EIO_MUTEX_INIT                                                                             \
	{                                                                                          \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/** Make a free mutex. Cannot fail. @since 0.1 */
EIO_API void eio_mutex_init(struct eio_mutex *m);

/**
 * Take the mutex, waiting while another fiber holds it.
 *
 * @return 0 and the mutex is the calling fiber's, or:
 *   -ECANCELED     the context was cancelled, before or while waiting
 *   EIO_EPOISONED  an earlier holder failed inside a read-write section
 *   -EDEADLK       the calling fiber holds it already
 *   -EPERM         this thread runs no fibers
 * @cancel Yes. A mutex that was handed over is kept although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_mutex_lock(struct eio_mutex *m);

/** The same without waiting: -EBUSY when somebody holds it. Never -ECANCELED. @since 0.1 */
EIO_API EIO_NODISCARD int eio_mutex_try_lock(struct eio_mutex *m);

/**
 * Give the mutex to the one who waits longest, or free it.
 *
 * A protected section is left by eio_mutex_rw_end only: this aborts inside one.
 *
 * @return 0, or -EPERM if the calling fiber does not hold it.
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_mutex_unlock(struct eio_mutex *m);

/**
 * Enter a read-write section: take the mutex, and poison it if the section fails.
 *
 * @param protect  The section is protected from cancellation, once it is entered.
 * @return As eio_mutex_lock; negative: not entered, nothing to end.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_mutex_rw_begin(struct eio_mutex *m, bool protect);

/**
 * Leave a read-write section.
 *
 * A negative @p rc, -ECANCELED included, means that what the mutex guards may be half
 * changed: it is poisoned for good, and those who wait get EIO_EPOISONED.
 *
 * @return @p rc, also if the mutex was poisoned and lost meanwhile (eio_condition_await) and
 *   @p rc says so; or -EPERM if the calling fiber does not hold the mutex.
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_mutex_rw_end(struct eio_mutex *m, int rc);

/** Run @p fn in a read-write section: begin, fn, end. @since 0.1 */
EIO_API int eio_mutex_rw_run(struct eio_mutex *m, bool protect, eio_fn *fn, void *arg);

/** Enter a section that only looks: nothing it does can poison. As eio_mutex_lock. @since 0.1 */
EIO_API EIO_NODISCARD int eio_mutex_ro_begin(struct eio_mutex *m);

/** Leave it. @since 0.1 */
EIO_API void eio_mutex_ro_end(struct eio_mutex *m);

/** Run @p fn in a section that only looks: begin, fn, end. @since 0.1 */
EIO_API int eio_mutex_ro_run(struct eio_mutex *m, eio_fn *fn, void *arg);

/** A condition; opaque, in the caller's storage. Zeroed memory is one. */
struct eio_condition {
	void *eio_private[6];
};

/** A condition nobody waits for. */
#define EIO_CONDITION_INIT                                                                         \
	{                                                                                          \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/** Make a condition nobody waits for. Cannot fail. @since 0.1 */
EIO_API void eio_condition_init(struct eio_condition *c);

/**
 * Release a mutex, wait for a signal, and take the mutex again.
 *
 * A signal or broadcast made by a holder of @p m after the caller began to wait is not
 * missed. Look again at what is waited for: others may have been faster.
 *
 * In a protected section the wait is protected too. Without the mutex the section is over,
 * and so is its protection.
 *
 * @param m  Held by the caller; also when this returns 0 or -ECANCELED.
 * @return 0, or:
 *   -ECANCELED     the context was cancelled; the mutex is held all the same
 *   EIO_EPOISONED  the mutex was poisoned meanwhile and is not held
 *   -EPERM         the calling fiber does not hold @p m
 * @cancel Yes, the waiting for the signal; not the taking of the mutex after it, nor
 *   anything in a protected section.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_condition_await(struct eio_condition *c, struct eio_mutex *m);

/**
 * Wait for the next signal.
 *
 * For state of the calling domain only, which cannot change between the look at it and
 * this call; with several domains use a mutex or eio_condition_loop_no_mutex.
 *
 * @return 0, -ECANCELED, or -EPERM outside a fiber.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_condition_await_no_mutex(struct eio_condition *c);

/** Wake the one who waits longest, if anyone does. Any thread; never suspends. @since 0.1 */
EIO_API void eio_condition_signal(struct eio_condition *c);

/** Wake everyone who waits. Any thread; never suspends. @since 0.1 */
EIO_API void eio_condition_broadcast(struct eio_condition *c);

/**
 * Call @p fn until it has what it wants, once more after each signal or broadcast.
 *
 * One that comes while @p fn runs is not missed: whoever changes what fn looks at, from
 * any thread, only has to signal afterwards.
 *
 * @param fn  0: not yet. Anything else ends the loop.
 * @return What fn returned, -ECANCELED, or -EPERM outside a fiber.
 * @cancel Yes, between the calls; what @p fn does is its own matter.
 * @since 0.1
 */
EIO_API int eio_condition_loop_no_mutex(struct eio_condition *c, eio_fn *fn, void *arg);

/** A counting semaphore; opaque, in the caller's storage. */
struct eio_semaphore {
	void *eio_private[4];
};

/** Make a semaphore with @p n units. Cannot fail. @since 0.1 */
EIO_API void eio_semaphore_init(struct eio_semaphore *s, unsigned n);

/**
 * Take a unit, waiting until there is one.
 *
 * @return 0, -ECANCELED (no unit was taken), or -EPERM outside a fiber.
 * @cancel Yes. A unit that was handed over is kept although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_semaphore_acquire(struct eio_semaphore *s);

/** Take a unit if there is one, else -EAGAIN. Any thread; never -ECANCELED. @since 0.1 */
EIO_API EIO_NODISCARD int eio_semaphore_try_acquire(struct eio_semaphore *s);

/** Give a unit to the one who waits longest, or back. Any thread; never suspends. @since 0.1 */
EIO_API void eio_semaphore_release(struct eio_semaphore *s);

/** How many units are free just now. Any thread. @since 0.1 */
EIO_API unsigned eio_semaphore_value(const struct eio_semaphore *s);

EIO_END_DECLS

#endif
