/* SPDX-License-Identifier: ISC */
/*
 * Fixed buffers: page-aligned blocks, registered with the kernel where it lets us.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_FIXED_H
#define EIO_LL_FIXED_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A block; a value. */
struct eio_chunk {
	void *data;
	uint32_t length;
	int32_t index; /**< of the block in its pool */
};

/** Take a block: 0, or -ENOBUFS when none is free. Does not suspend. */
EIO_API EIO_NODISCARD int eio_ll_alloc_fixed(struct eio_chunk *ret);

/** Take a block, waiting in order for one: 0, -ECANCELED, or -ENOBUFS if there are none at all. */
EIO_API EIO_NODISCARD int eio_ll_alloc_fixed_or_wait(struct eio_chunk *ret);

/** Give a block back, once, to the first waiter if there is one. Its own domain only. What is
 *  not a block that is out is left alone, with a warning (eio_set_log). */
EIO_API void eio_ll_free_fixed(struct eio_chunk c);

/** The block's size in bytes. */
EIO_API size_t eio_ll_fixed_length(struct eio_chunk c);

/** The block's memory. */
EIO_API void *eio_ll_fixed_data(struct eio_chunk c);

/** Call @p fn with a block and give it back after, or @p fallback when none is free: its result. */
EIO_API int eio_ll_with_chunk(int (*fn)(struct eio_chunk c, void *arg), int (*fallback)(void *arg),
			      void *arg);

/** Are the blocks registered with the kernel? (If not, the same calls use plain memory.) */
EIO_API bool eio_ll_fixed_registered(void);

EIO_END_DECLS

#endif
