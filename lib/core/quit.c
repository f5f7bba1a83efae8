/* SPDX-License-Identifier: ISC */
#include "core/quit.h"
#include "core/dump.h"
#include "core/fiber.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned runs;
static struct sigaction previous;
static struct sigaction stayed; /* somebody else's, which may call ours: see restore */

/* In the domain's thread, from its inbox. */
static void answer(struct eio__inbox_node *n)
{
	struct eio__domain *d = eio__container_of(n, struct eio__domain, entry.dump);
	struct eio__text t = {.data = NULL};

	/* A signal that comes from now on is answered anew. */
	__atomic_store_n(&d->entry.asked, 0, __ATOMIC_SEQ_CST);
	eio__dump_domain(&t, d);
	eio__text_print(&t, STDERR_FILENO);
	eio__text_free(&t);
}

/* The node belongs to who sets the flag, until its function is called. */
static void ask(struct eio__domain *d)
{
	if (__atomic_exchange_n(&d->entry.asked, 1, __ATOMIC_SEQ_CST))
		return;
	d->entry.dump.fn = answer;
	eio__waker_push(&d->waker, &d->entry.dump);
}

static void on_quit(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	eio__domains_each_in_handler(ask);
	errno = saved;
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(sig, info, context);
	else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
		previous.sa_handler(sig);
}

/* Somebody else's handler, installed meanwhile, stays. It may call ours as its previous one:
 * while it is there, ours is not installed again, or they would call each other for ever. */
static void restore(void)
{
	struct sigaction now;

	if (sigaction(SIGQUIT, NULL, &now) < 0)
		return;
	if (now.sa_sigaction == on_quit)
		sigaction(SIGQUIT, &previous, NULL);
	else
		stayed = now;
}

static void install(void)
{
	struct sigaction act = {.sa_sigaction = on_quit,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	struct sigaction now;

	if (sigaction(SIGQUIT, NULL, &now) < 0 ||
	    (stayed.sa_sigaction && now.sa_sigaction == stayed.sa_sigaction))
		return;
	sigemptyset(&act.sa_mask);
	previous = now; /* known before the handler may ask for it */
	sigaction(SIGQUIT, &act, NULL);
}

void eio__quit_begin(void)
{
	pthread_mutex_lock(&mutex);
	if (runs++ == 0)
		install();
	pthread_mutex_unlock(&mutex);
}

void eio__quit_end(void)
{
	pthread_mutex_lock(&mutex);
	if (--runs == 0)
		restore();
	pthread_mutex_unlock(&mutex);
}

void eio__quit_forget(void)
{
	mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
	if (runs)
		restore();
	runs = 0;
}
