/* SPDX-License-Identifier: ISC */
/*
 * Files in the table of a domain's ring: operations that name a place in it, not a number,
 * save the kernel a lookup and a count each.
 *
 * A handle is registered when its file is there beside having a number. It is direct when
 * it was opened there and has no number at all: no other thread can take or close one in
 * between, and it does not count against RLIMIT_NOFILE. Both are handles like any other:
 * all calls take them, and closing them, in whatever way, frees their place. Where the
 * kernel cannot do it (before 6.14), or the table is full (n_files in struct eio_config),
 * calls that open something direct give an ordinary handle instead.
 *
 * The table is that of one domain. Others use the number of a registered handle; the number of a
 * direct one is made when it is first needed, by its own domain: by eio_fd_use, eio_fd_to_unix,
 * calls that the ring has no operation for, and transfers at EIO_CURRENT of what was opened by
 * eio_ll_openat_direct, whose position the library sees to. These may then suspend, are not
 * cancellable, and may fail with -EMFILE. With the number it is a registered handle. Until then it
 * gives -EPERM in other domains, and on threads without one.
 *
 * A place is freed by its own domain: when another one closes the handle, or ends the last
 * use, the file is gone when the own one has run. A direct handle on no switch ends with its
 * domain, a registered one goes on with its number.
 *
 * A program that registers files with eio_ll_ring() itself must do so before the first of
 * these calls, which then change nothing.
 */
#ifndef EIO_LL_DIRECT_H
#define EIO_LL_DIRECT_H

#include <eio/addr.h>
#include <eio/fd.h>
#include <sys/types.h>

EIO_BEGIN_DECLS

/**
 * Enter a handle in the calling domain's table, for as long as it is open.
 *
 * Worth it for what many operations will be done on; operations under way are not affected.
 *
 * @return 0, also if it is in this table already; a failure leaves the handle as it is:
 *   -ENOTSUP    the kernel is older than 6.14, or the program has registered files itself
 *   -ENFILE     the table is full
 *   -EPERM      another domain has registered it, or it is on a switch of another domain;
 *               this thread runs no domain
 *   -EBADF      the handle is closed, or of a kind the kernel does not register (O_PATH)
 *   -ECANCELED  the context was cancelled before
 * @cancel Looks once, at the beginning.
 * @since 0.1
 */
EIO_API int eio_ll_fd_register(struct eio_fd fd);

/**
 * As eio_ll_openat, but direct. For directories, which are used by number, it is no gain.
 *
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_openat_direct(struct eio_switch *sw, struct eio_fd dir,
					       const char *path, int flags, mode_t mode,
					       struct eio_fd *ret);

/** As eio_ll_accept, but what is accepted is direct. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_accept_direct(struct eio_switch *sw, struct eio_fd fd,
					       struct eio_fd *ret, struct eio_addr *ret_peer);

/** As eio_ll_socket, but direct, and by the ring. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_socket_direct(struct eio_switch *sw, int domain, int type,
					       int protocol, struct eio_fd *ret);

EIO_END_DECLS

#endif
