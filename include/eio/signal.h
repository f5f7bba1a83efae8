/* SPDX-License-Identifier: ISC */
/*
 * Signals as a stream of events: no handler to write, no rules of handlers to keep. Fibers
 * wait for what comes, like for anything else.
 */
#ifndef EIO_SIGNAL_H
#define EIO_SIGNAL_H

#include <eio/api.h>
#include <signal.h>

EIO_BEGIN_DECLS

/** A subscription to signals; opaque, in the caller's storage from begin to end. */
struct eio_signals {
	void *eio_private;
};

/**
 * Subscribe to signals: those that come from now on are kept for eio_signals_next.
 *
 * While anybody in the process subscribes to a signal, a handler of the library's takes
 * it, and what it did before it does not do: a handler the program had is not called, the
 * default does not happen, it is no longer ignored. Every subscription to it, in whatever
 * domain, gets every signal. After the end of the last one all is as before the first; a
 * handler that the program installed meanwhile stays instead.
 *
 * Of what the library itself does with signals a subscription takes the place as well:
 * SIGPIPE comes although runs ignore it, and one to SIGQUIT comes instead of the dump that
 * EIO_DUMP_ON=QUIT asks for.
 *
 * No thread's mask is changed: a signal that all threads block stays pending, and one that
 * is sent to a single thread comes if that one does not block it.
 *
 * In the child of a fork there is no subscription.
 *
 * @param s  Ended by the calling domain, before that ends.
 * @param signals  A list that ends with 0; copied. Naming one twice makes no difference.
 * @return 0, or:
 *   -EINVAL     the list is empty, or names what is no signal, cannot be caught (SIGKILL,
 *     SIGSTOP) or says that the program itself went wrong (SIGSEGV, SIGBUS, SIGFPE, SIGILL)
 *   -ENOMEM     out of memory
 *   -EPERM      outside a fiber
 *   After a failure there is nothing to end.
 * @cancel No: it does not wait.
 * @thread Fibers only.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_signals_begin(struct eio_signals *s, const int *signals);

/**
 * Wait for the next signal of a subscription, in the order they came in.
 *
 * As in the kernel, a standard signal (below SIGRTMIN) that comes once more before it was
 * taken is still one: its first details are kept. No standard signal is ever lost
 * otherwise. Real-time signals queue: 256 of them, beyond those that the kernel keeps
 * while they are blocked. More are dropped, which is told once those kept were taken.
 *
 * Several fibers may wait: each signal goes to one of them.
 *
 * @param ret_info  What the kernel told of it: si_signo, si_pid, si_value; may be NULL.
 * @return 1, or:
 *   -EOVERFLOW  real-time signals were dropped since this was returned last; the
 *     subscription goes on
 *   -ECANCELED  the context was cancelled; nothing was taken
 *   -EINVAL     the subscription has ended
 *   -EPERM      another domain's subscription, or outside a fiber
 * @cancel Yes. A signal that came is kept for the next call.
 * @thread Fibers of the domain that subscribed.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_signals_next(struct eio_signals *s, siginfo_t *ret_info);

/**
 * End a subscription. What was not taken is dropped. Nobody may wait for it any more. One
 * that has ended stays so.
 *
 * @thread The domain that subscribed; anywhere else nothing happens.
 * @since 0.1
 */
EIO_API void eio_signals_end(struct eio_signals *s);

/**
 * Wait for one of these signals: a subscription for as long as this call lasts.
 *
 * Before and after it a signal does what it did before. So a program that stops by this
 * call at the first SIGTERM is killed by a second one, and what comes between two such
 * calls is missed: who wants all of them needs eio_signals_begin.
 *
 * @param signals  As for eio_signals_begin.
 * @return The signal that came; or -ECANCELED, or as eio_signals_begin fails.
 * @cancel Yes. A signal that came before is returned all the same.
 * @thread Fibers only.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_signal_await(const int *signals);

EIO_END_DECLS

#endif
