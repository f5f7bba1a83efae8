/* SPDX-License-Identifier: ISC */
/*
 * Names of hosts and services, by the C library's resolver on threads.
 *
 * A resolver may hang for long and cannot be stopped. So a cancelled look-up is left to its
 * thread, which works on copies and may outlive eio_run; nothing of the caller's is touched
 * any more. At most 32 look-ups run at a time, those that were left included; further ones
 * wait their turn. They have threads of their own: eio_ll_in_thread does not wait for them.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_RESOLVE_H
#define EIO_LL_RESOLVE_H

#include <eio/addr.h>
#include <eio/api.h>

struct addrinfo;

EIO_BEGIN_DECLS

/**
 * Look up the addresses of a host and a service: getaddrinfo(3).
 *
 * @param host, service  Borrowed for the call; one of them may be NULL.
 * @param hints  NULL: as getaddrinfo(3) without any. Flags, family, socktype and protocol count.
 * @param ret    The caller's, to be freed by freeaddrinfo(3).
 * @return 0, or:
 *   EIO_EAI(code)  the look-up failed; eio_eai gives the EAI_… constant back
 *   -ECANCELED     the caller's context was cancelled before the answer came
 *   -ENOMEM        also for EAI_MEMORY
 *   -EAGAIN        no thread can be made, and there is none
 *   -EPERM         this thread runs no domain with a ring
 *   and the errno of EAI_SYSTEM, negative. The last error's subject is the host, or the
 *   service if there is none.
 * @cancel Yes, at once.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_getaddrinfo(const char *host, const char *service,
					     const struct addrinfo *hints, struct addrinfo **ret);

/**
 * Look up the names of an address: getnameinfo(3).
 *
 * @param host, service  NULL or of size 0: not asked for.
 * @param flags  NI_…, as for getnameinfo(3).
 * @return As eio_ll_getaddrinfo, the last error's subject being the address; -EINVAL if
 *   @p addr is longer than it can be. Both names are NUL-terminated, written only on
 *   success, and EIO_EAI(EAI_OVERFLOW) if one has no room.
 * @cancel Yes, at once.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_getnameinfo(const struct eio_addr *addr, char *host,
					     size_t host_size, char *service, size_t service_size,
					     int flags);

EIO_END_DECLS

#endif
