/* SPDX-License-Identifier: ISC */
#include "core/handler.h"

/* Changed under the mutex of this list, walked in the child of a fork, which has one thread. */
static struct eio__handler *all;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
	return (a->sa_flags & SA_SIGINFO) == (b->sa_flags & SA_SIGINFO) &&
	       a->sa_sigaction == b->sa_sigaction;
}

static bool is_function(const struct sigaction *a)
{
	return a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN;
}

static void install(struct eio__handler *h)
{
	struct sigaction now;

	if (sigaction(h->sig, NULL, &now) < 0)
		return;
	if (is_function(&h->act) && is_function(&h->stayed) && is_same(&now, &h->stayed))
		return;
	h->previous = now; /* known before the handler may ask for it */
	sigaction(h->sig, &h->act, NULL);
}

static void restore(struct eio__handler *h)
{
	struct sigaction now;

	if (sigaction(h->sig, NULL, &now) < 0)
		return;
	if (is_same(&now, &h->act))
		sigaction(h->sig, &h->previous, NULL);
	else
		h->stayed = now;
}

static void remember(struct eio__handler *h)
{
	struct eio__handler *it;

	pthread_mutex_lock(&mutex);
	for (it = all; it && it != h; it = it->next)
		;
	if (!it) {
		h->next = all;
		all = h;
	}
	pthread_mutex_unlock(&mutex);
}

void eio__handler_begin(struct eio__handler *h)
{
	pthread_mutex_lock(&h->mutex);
	if (h->runs++ == 0) {
		remember(h);
		install(h);
	}
	pthread_mutex_unlock(&h->mutex);
}

void eio__handler_end(struct eio__handler *h)
{
	pthread_mutex_lock(&h->mutex);
	if (--h->runs == 0)
		restore(h);
	pthread_mutex_unlock(&h->mutex);
}

bool eio__handler_hand_on(const struct eio__handler *h, siginfo_t *info, void *context)
{
	const struct sigaction *p = &h->previous;

	if (!is_function(p))
		return false;
	if (p->sa_flags & SA_SIGINFO)
		p->sa_sigaction(h->sig, info, context);
	else
		p->sa_handler(h->sig);
	return true;
}

/* An exec takes functions away by itself, but nothing that is ignored, and it cannot know what
 * was ignored before. */
static void add_inherited(struct eio__handler *h, struct eio__inherited *to)
{
	uint64_t bit = (uint64_t) 1 << (h->sig - 1);
	struct sigaction now;

	if (!h->runs || sigaction(h->sig, NULL, &now) < 0 || !is_same(&now, &h->act))
		return;
	if (h->previous.sa_handler == SIG_IGN)
		to->ignored |= bit;
	else
		to->by_default |= bit;
}

void eio__handlers_inherited(struct eio__inherited *ret)
{
	struct eio__handler *h;

	*ret = (struct eio__inherited){0};
	pthread_mutex_lock(&mutex);
	h = all; /* the list grows at this end only */
	pthread_mutex_unlock(&mutex);
	for (; h; h = h->next) {
		pthread_mutex_lock(&h->mutex);
		add_inherited(h, ret);
		pthread_mutex_unlock(&h->mutex);
	}
}

void eio__handlers_forget(void)
{
	mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
	for (struct eio__handler *h = all; h; h = h->next) {
		h->mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
		if (h->runs)
			restore(h);
		h->runs = 0;
	}
}
