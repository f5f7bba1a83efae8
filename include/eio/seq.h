/* SPDX-License-Identifier: ISC */
/*
 * Generators: a function in a fiber of its own that yields items to who asks for them. It
 * runs only while somebody waits for the next item.
 */
#ifndef EIO_SEQ_H
#define EIO_SEQ_H

#include <eio/api.h>
#include <eio/switch.h>

EIO_BEGIN_DECLS

/** A sequence of items; opaque, in the caller's storage until its switch has ended. */
struct eio_seq {
	void *eio_private[10];
};

/** The body of a generator: calls eio_seq_yield for each item; its result ends the sequence. */
typedef int eio_seq_fn(struct eio_seq *seq, void *arg);

/**
 * Make a sequence. @p fn begins when the first item is asked for.
 *
 * The generator is a daemon of @p sw: it does not keep the switch open, and is cancelled
 * when only daemons are left.
 *
 * @param arg  Must live until the switch ends.
 * @return As eio_fork; after a failure the sequence has ended.
 * @since 0.1
 */
EIO_API int eio_seq_begin(struct eio_seq *seq, struct eio_switch *sw, eio_seq_fn *fn, void *arg);

/**
 * Wait for the next item.
 *
 * @param ret_item  What the generator yielded; valid as long as it says.
 * @return 1 and an item; 0 when the generator returned 0 or more; or, once:
 *   the code the generator failed with
 *   EIO_EABANDONED  the generator was cancelled while the caller waited
 * and:
 *   -ECANCELED  the caller was cancelled; the generator will be, at its next yield
 *   -EINVAL     the sequence has ended before
 *   -EBUSY      another fiber waits for the next item
 *   -EPERM      another domain's sequence, or outside a fiber
 * @cancel Yes. The item under way is lost with the rest.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_seq_next(struct eio_seq *seq, void **ret_item);

/**
 * Hand an item to who waits for it, and wait until the next one is asked for. For the
 * generator only, and not in a protected scope: nothing could end the wait if nobody asked.
 * Once a wait was cancelled, by whatever scope, no more items can be yielded.
 *
 * @return 0, -ECANCELED (the generator, its switch or its consumer was cancelled: no more
 *   items are wanted), or -EPERM from any other fiber.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_seq_yield(struct eio_seq *seq, void *item);

EIO_END_DECLS

#endif
