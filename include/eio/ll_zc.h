/* SPDX-License-Identifier: ISC */
/*
 * Sending without copying: the kernel reads the caller's memory while it sends.
 *
 * Such a send is over when the socket has taken the bytes, and the buffer is the kernel's
 * beyond that, until the last of them has been sent (TCP: acknowledged). A record counts the
 * sends whose buffers are not released yet:
 *
 *   struct eio_ll_zc z = {0};
 *   n = eio_ll_send_zc(fd, buf, len, 0, &z);    any number of times
 *   rc = eio_ll_zc_await(&z);                   now the buffers are the caller's again
 *   eio_ll_zc_end(&z);                          always, before record or buffers go away
 *
 * With two records, a buffer to each, one is filled while the other is being sent.
 *
 * It pays for large buffers and a network card that gathers: the kernel looks up the pages
 * instead of copying them, which for a few kilobytes takes longer. To the same machine the
 * bytes are copied on the other side of the socket anyway, and it takes several times as
 * long. The record tells: where copied keeps up with sends, set threshold to SIZE_MAX.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_ZC_H
#define EIO_LL_ZC_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/fd.h>
#include <sys/uio.h>

EIO_BEGIN_DECLS

/** Shorter sends copy, unless the record says otherwise. */
#define EIO_LL_ZC_THRESHOLD ((size_t) 16384)

/** Sends whose buffers are the kernel's; zeroed to begin with, one domain's while busy. */
struct eio_ll_zc {
	size_t threshold; /**< the caller's: shorter sends copy; 0: EIO_LL_ZC_THRESHOLD */
	uint64_t sends;   /**< tried without copying, those that failed too */
	uint64_t copied;  /**< of these, how many did copy, or failed; told since Linux 6.3 */
	unsigned busy;    /**< sends whose buffer the kernel still has */
	unsigned reserved;
	void *eio_private[5];
};

/**
 * Send some bytes without copying them; MSG_NOSIGNAL is added.
 *
 * Waits as eio_ll_send does. Then the buffer is the kernel's, whatever the result, until
 * @p z is not busy: it must neither be changed nor freed. Blocks of the domain's own fixed
 * buffers, and parts of them, are sent by their registration, which saves looking up pages;
 * they too are given back only then.
 *
 * It is a plain send, and @p z is not touched, below the threshold and on older kernels. It
 * becomes one, after an attempt, where memory must not be locked (RLIMIT_MEMLOCK) and on
 * sockets that cannot do it, such as Unix ones.
 *
 * @param z  The caller's; one send at a time.
 * @return How many bytes were sent; as eio_ll_send, and -EBUSY if another fiber is sending
 *   with @p z, -EPERM if it is busy in another domain.
 * @cancel Yes; waits for the result, which counts if it is >= 0. The buffer may be busy all
 *   the same.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_send_zc(struct eio_fd fd, const void *buf, size_t len,
					     int flags, struct eio_ll_zc *z);

/**
 * Send a message without copying it (Linux 6.1), as eio_ll_send_msg does and eio_ll_send_zc.
 *
 * The address and the vector itself are only borrowed for the call.
 *
 * @param dst  NULL: where the socket is connected to.
 * @return How many bytes were sent; as eio_ll_send_msg and eio_ll_send_zc.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_send_msg_zc(struct eio_fd fd, const struct eio_addr *dst,
						 const struct iovec *iov, int n, int flags,
						 struct eio_ll_zc *z);

/**
 * Wait until all buffers are released. Any number of fibers may wait.
 *
 * That takes as long as the other side does; a connection that answers no more holds them
 * until TCP gives up. Closing the socket does not shorten it, resetting the connection does
 * (SO_LINGER with time 0, and close).
 *
 * @return 0, also in a cancelled context if @p z is not busy; -ECANCELED: the buffers are
 *   still the kernel's; -EPERM from another domain.
 * @cancel Yes, but the buffers cannot be taken back.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_zc_await(struct eio_ll_zc *z);

/**
 * The same, and nothing cancels it: the end of a record's life. It may be used anew.
 *
 * From another domain than that of the sends it does nothing and warns through the log hook.
 * What is busy when its domain ends is waited for by eio_run.
 *
 * @since 0.1
 */
EIO_API void eio_ll_zc_end(struct eio_ll_zc *z);

EIO_END_DECLS

#endif
