/* SPDX-License-Identifier: ISC */
/*
 * Pools of reusable things, such as connections, and values that are made once, when
 * first asked for. For fibers of one or several domains.
 */
#ifndef EIO_POOL_H
#define EIO_POOL_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A pool; opaque, in the caller's storage from init to fini. */
struct eio_pool {
	void *eio_private[14];
};

/** What a pool knows of its items. All may suspend, dispose and validate protected from
 *  cancellation; none is called with a lock held. */
struct eio_pool_ops {
	/** Make an item: 0 and *ret, or a negative code. */
	int (*alloc)(void **ret, void *arg);
	/** End an item; NULL: they need nothing. */
	void (*dispose)(void *item, void *arg);
	/** May an item that was used before be used again? NULL: always. */
	bool (*validate)(void *item, void *arg);
	void *reserved[4]; /**< zero */
};

/**
 * Make an empty pool.
 *
 * @param max  How many items there are at most, at least 1.
 * @param ops  Must stay valid, as @p arg, which its functions get.
 * @return 0, -EINVAL (no alloc, or a max of 0), or -ENOMEM; only on success there is
 *   something to end.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_pool_init(struct eio_pool *p, size_t max,
					const struct eio_pool_ops *ops, void *arg);

/**
 * Take an item out of the pool: the one used last, else a new one, else wait for one that
 * is released. Those who wait are served in the order they came.
 *
 * @param ret_item  The caller's until eio_pool_release.
 * @return 0, or:
 *   -ECANCELED  the context was cancelled
 *   -EPERM      this thread runs no fibers
 *   and what alloc returned; then the next one who waits may try
 * @cancel Yes. An item that was handed over is kept although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_pool_acquire(struct eio_pool *p, void **ret_item);

/** The same without waiting: when all are in use one more is made, beyond max. @since 0.1 */
EIO_API EIO_NODISCARD int eio_pool_acquire_never_block(struct eio_pool *p, void **ret_item);

/**
 * Give an item back. It goes to the one who waits longest, else into the pool; while there
 * are more than max it is disposed of.
 *
 * @cancel No.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API void eio_pool_release(struct eio_pool *p, void *item);

/**
 * Dispose of the items in the pool and take it out of use.
 *
 * @return 0, or -EBUSY while an item is in use or being disposed of by a release, or
 *   somebody waits; then nothing was done.
 * @cancel No.
 * @thread A fiber of any domain; also a thread without one, where dispose cannot suspend.
 * @since 0.1
 */
EIO_API int eio_pool_fini(struct eio_pool *p);

/** What happens when the fiber that computes a lazy value is cancelled. */
enum eio_lazy_cancel {
	EIO_LAZY_RECORD,  /**< that is the result: the others get EIO_EABANDONED */
	EIO_LAZY_PROTECT, /**< it computes on, protected */
	EIO_LAZY_RESTART, /**< the next one who asks computes */
};

/**
 * A lazy value; opaque, in the caller's storage. When nobody else asks any more it may be
 * freed, also while the one who computed it is still on its way out of the call.
 */
struct eio_lazy {
	void *eio_private[24];
};

/**
 * Make a value that is not computed yet. Cannot fail.
 *
 * @param fn  Called by the first who asks: 0 and *ret, or a negative code, which is kept
 *   and given to everybody like a value.
 * @since 0.1
 */
EIO_API void eio_lazy_init(struct eio_lazy *l, enum eio_lazy_cancel on_cancel,
			   int (*fn)(void **ret, void *arg), void *arg);

/**
 * Get the value, computing it or waiting for the one who does.
 *
 * @param ret_value  Optional.
 * @return What fn returned, or:
 *   -ECANCELED      the caller's context was cancelled
 *   EIO_EABANDONED  the one who computed it was cancelled (EIO_LAZY_RECORD)
 *   -EDEADLK        called by fn itself
 *   -EPERM          this thread runs no fibers
 * @cancel Yes, waiting for another one's computation; one's own as EIO_LAZY_… says.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_lazy_force(struct eio_lazy *l, void **ret_value);

EIO_END_DECLS

#endif
