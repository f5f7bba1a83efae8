/* SPDX-License-Identifier: ISC */
/*
 * Descriptors that cannot be confused.
 *
 * A handle is a slot in a process-wide table plus the slot's generation. Using a
 * closed handle, or a zeroed one, gives -EBADF for ever, also when the kernel or
 * the table reuses the number. While an operation uses the descriptor it cannot be
 * closed under it: the last user closes.
 *
 * Every descriptor the library makes is close-on-exec.
 */
#ifndef EIO_FD_H
#define EIO_FD_H

#include <eio/api.h>
#include <eio/switch.h>

EIO_BEGIN_DECLS

/** A tracked descriptor: a value, copied freely, never freed. */
struct eio_fd {
	uint32_t slot;
	uint32_t generation;
};

/** The program's own standard descriptors; never closed by the library. */
static const struct eio_fd EIO_STDIN = {0, 1};
static const struct eio_fd EIO_STDOUT = {1, 1};
static const struct eio_fd EIO_STDERR = {2, 1};

enum {
	EIO_FD_CLOSE = 1,        /**< closing the handle closes the descriptor */
	EIO_FD_SEEKABLE = 2,     /**< it is known to have a file position */
	EIO_FD_NOT_SEEKABLE = 4, /**< it is known to have none (neither: probed when asked) */
	EIO_FD_POLLED = 8,       /**< transfers are polled for: see eio_ll_set_polled */
};

/** What eio_fd_to_unix does with the handle. */
enum eio_fd_op {
	EIO_FD_PEEK, /**< the number, the handle stays as it is */
	EIO_FD_TAKE, /**< marks the handle closed, waits for users, hands the number over */
};

/**
 * Track a descriptor.
 *
 * @param sw       The handle is closed at the end of this switch. NULL: attached to
 *   nothing, the caller closes it.
 * @param unix_fd  With EIO_FD_CLOSE the call takes it over: closed on failure.
 *   Without, it stays the caller's, and closing the handle only ends its use.
 * @return 0, or:
 *   -EBADF   @p unix_fd is negative
 *   -ENOMEM  the table could not grow
 *   -EINVAL  the switch is finished
 *   -EPERM   the switch belongs to another domain
 * @cancel Never -ECANCELED: a descriptor that exists is kept.
 * @since 0.1
 */
EIO_API int eio_fd_of_unix(struct eio_switch *sw, int unix_fd, unsigned flags, struct eio_fd *ret);

/** Is the handle good for new uses? Any thread. @since 0.1 */
EIO_API bool eio_fd_is_open(struct eio_fd fd);

/**
 * Close the handle.
 *
 * New uses fail at once. Users are not cancelled: the descriptor goes when the last
 * one is done. With no users it is gone when this returns.
 *
 * @return 0, -EBADF if it was closed before, or what close(2) reported (the
 *   descriptor is gone all the same).
 * @cancel No; runs to its end in a cancelled context too.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_fd_close(struct eio_fd fd);

/**
 * Get the descriptor's number.
 *
 * @return The number (with EIO_FD_TAKE it is the caller's now), or -EBADF; -EPERM
 *   for EIO_FD_TAKE with users outside a fiber; for a direct handle as eio_fd_use.
 * @cancel EIO_FD_TAKE waits for the users and is not cancellable.
 * @since 0.1
 */
EIO_API int eio_fd_to_unix(struct eio_fd fd, enum eio_fd_op op);

/**
 * Pin the descriptor: it stays open until eio_fd_unuse.
 *
 * Does not suspend, but to give a direct handle (<eio/ll_direct.h>) its number.
 *
 * @return The number, or -EBADF; for a direct handle without one also -EPERM outside its
 *   domain, or what kept it from getting one: -EMFILE, -ENFILE.
 * @cancel No.
 * @thread Any.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fd_use(struct eio_fd fd);

/** Undo eio_fd_use; closes the descriptor if it was the last use of a closed handle. @since 0.1 */
EIO_API void eio_fd_unuse(struct eio_fd fd);

/** 1 if it has a file position, 0 if not (pipes, sockets, terminals), or as eio_fd_use if it must
 *  be probed. @since 0.1 */
EIO_API int eio_fd_is_seekable(struct eio_fd fd);

/** 1 if O_NONBLOCK is clear, 0 if it is set, or as eio_fd_use. @since 0.1 */
EIO_API int eio_fd_is_blocking(struct eio_fd fd);

EIO_END_DECLS

#endif
