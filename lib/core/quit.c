/* SPDX-License-Identifier: ISC */
#include "core/quit.h"
#include "core/dump.h"
#include "core/fiber.h"
#include "core/handler.h"

#include <unistd.h>

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
static void ask(struct eio__domain *d, void *arg)
{
	(void) arg;
	if (__atomic_exchange_n(&d->entry.asked, 1, __ATOMIC_SEQ_CST))
		return;
	d->entry.dump.fn = answer;
	eio__waker_push(&d->waker, &d->entry.dump);
}

static void on_quit(int sig, siginfo_t *info, void *context);

static struct eio__handler quit = EIO__HANDLER_INIT(
	SIGQUIT, .sa_sigaction = on_quit, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART);

static void on_quit(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void) sig;
	eio__domains_each_in_handler(ask, NULL);
	errno = saved;
	eio__handler_hand_on(&quit, info, context);
}

void eio__quit_begin(void)
{
	eio__handler_begin(&quit);
}

void eio__quit_end(void)
{
	eio__handler_end(&quit);
}
