/* SPDX-License-Identifier: ISC */
/*
 * Switches: the lifetimes of fibers and of what they hold.
 *
 * A switch is a scope on the caller's stack. Fibers are forked on it; descriptors
 * and hooks are attached to it. Its end waits for the fibers and then releases the
 * rest, last in, first out. The first failure inside cancels the others and is what
 * the end returns.
 */
#ifndef EIO_SWITCH_H
#define EIO_SWITCH_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A switch; opaque, on the caller's stack, from begin to end. */
struct eio_switch {
	void *eio_private[32];
};

/** A release hook; opaque, in the caller's storage while it is attached. */
struct eio_hook {
	void *eio_private[6];
};

/**
 * Open a switch and enter its cancellation context. Cannot fail, does not suspend.
 *
 * @param sw  Storage, until the matching eio_switch_end. Scopes nest strictly.
 * @thread Fibers only; without a domain it aborts with a message.
 * @since 0.1
 */
EIO_API void eio_switch_begin(struct eio_switch *sw);

/** The same with a @p name for messages and dumps; static storage. @since 0.1 */
EIO_API void eio_switch_begin_named(struct eio_switch *sw, const char *name);

/** The same, not reached by a cancellation of the outer contexts. @since 0.1 */
EIO_API void eio_switch_begin_protected(struct eio_switch *sw);

/**
 * Close a switch: wait for its fibers, then run its release hooks.
 *
 * When only daemons are left they are cancelled and waited for. Hooks run last in,
 * first out, each protected from cancellation, all of them even if some fail; they
 * may suspend and may fork, and those fibers are waited for in turn.
 *
 * @param rc  The result of the scope's body. Negative: fails the switch, as
 *   eio_switch_fail; -ECANCELED while the switch is not cancelled cancels it.
 * @return The first failure; else -ECANCELED if the body or a fiber was cancelled;
 *   else @p rc. The failure's operation and subject become the caller's last error.
 *   -EPERM from another domain; nothing was done.
 * @cancel Does not interrupt the wait: it reaches the fibers, which end early.
 * @since 0.1
 */
EIO_API int eio_switch_end(struct eio_switch *sw, int rc);

/**
 * Run @p fn inside a switch of its own: begin, fn, end.
 *
 * @return What eio_switch_end returns; -EPERM outside a fiber.
 * @since 0.1
 */
EIO_API int eio_switch_run(int (*fn)(struct eio_switch *sw, void *arg), void *arg);

/**
 * Tell whether the switch still accepts work.
 *
 * @return 0, -ECANCELED if it is cancelled, -EINVAL if it is finished, -EPERM from
 *   another domain.
 * @since 0.1
 */
EIO_API int eio_switch_check(const struct eio_switch *sw);

/** The switch's first failure, or 0; also after its end. @since 0.1 */
EIO_API int eio_switch_error(const struct eio_switch *sw);

/**
 * Fail a switch: keep @p err as its failure and cancel what runs in it.
 *
 * Only the first failure cancels; later distinct ones are kept in a list.
 *
 * @return 0, -EINVAL if @p err is not negative or the switch is finished, -EPERM
 *   from another domain.
 * @since 0.1
 */
EIO_API int eio_switch_fail(struct eio_switch *sw, int err);

/**
 * List every distinct failure of a switch, first first; also after its end.
 *
 * @param codes  Receives up to @p max codes. A switch keeps the first sixteen.
 * @return How many distinct failures are kept.
 * @since 0.1
 */
EIO_API unsigned eio_switch_failures(const struct eio_switch *sw, int *codes, unsigned max);

/**
 * Attach a function to the end of a switch.
 *
 * @param hook  Storage, until the hook has run or was removed.
 * @param fn    Called at the end of the switch, protected from cancellation, in the
 *   fiber that ends it; a negative result counts as a failure of the switch.
 * @return 0 (also on a cancelled switch), or:
 *   -EINVAL  the switch is finished: @p fn was run at once, protected
 *   -EPERM   the switch belongs to another domain; nothing was done
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_on_release(struct eio_switch *sw, struct eio_hook *hook, eio_fn *fn, void *arg);

/**
 * The same with the hook's storage allocated and freed by the switch.
 *
 * @return As eio_on_release, and -ENOMEM: @p fn was run at once, protected.
 * @since 0.1
 */
EIO_API int eio_on_release_alloc(struct eio_switch *sw, eio_fn *fn, void *arg);

/**
 * Take a hook off its switch before it ran.
 *
 * @return true once: the function will not be called. false if it has run, is
 *   running or was removed, or from another domain (then nothing changes).
 * @since 0.1
 */
EIO_API bool eio_hook_remove(struct eio_hook *hook);

EIO_END_DECLS

#endif
