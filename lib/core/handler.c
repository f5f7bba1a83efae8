/* SPDX-License-Identifier: ISC */
#include "core/handler.h"

#include <pthread.h>

/* Of all there is here; signal handlers read only the previous one of a handler that lies
 * installed. The child of a fork, which has one thread, makes the mutex anew. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct eio__handler *all;

static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
	return (a->sa_flags & SA_SIGINFO) == (b->sa_flags & SA_SIGINFO) &&
	       a->sa_sigaction == b->sa_sigaction;
}

static bool is_function(const struct sigaction *a)
{
	return a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN;
}

/* The one of ours that does @p act, begun or not; NULL: there is none. */
static struct eio__handler *who_does(const struct sigaction *act, int sig, bool begun)
{
	struct eio__handler *it;

	for (it = all; it; it = it->next) {
		if (it->sig == sig && (it->runs > 0) == begun && is_same(&it->act, act))
			break;
	}
	return it;
}

/* The one of ours that @p h covers. */
static struct eio__handler *below(const struct eio__handler *h)
{
	struct eio__handler *it = who_does(&h->previous, h->sig, true);

	return it == h ? NULL : it; /* somebody else ignores the signal as it does */
}

/* The one of ours that covers @p h. */
static struct eio__handler *above(const struct eio__handler *h)
{
	struct eio__handler *it;

	for (it = all; it && !(it->runs && below(it) == h); it = it->next)
		;
	return it;
}

/* What is there, and is not one of ours that has ended, which somebody who came meanwhile put
 * back on leaving: what that covered is known. */
static int look(int sig, struct sigaction *ret)
{
	struct eio__handler *ended;

	if (sigaction(sig, NULL, ret) < 0)
		return -1;
	while (is_function(ret) && (ended = who_does(ret, sig, false)))
		*ret = ended->previous;
	return 0;
}

static bool comes_back(const struct eio__handler *h, const struct sigaction *now)
{
	return !h->takes && is_function(&h->act) && is_function(&h->stayed) &&
	       is_same(now, &h->stayed);
}

static void install(struct eio__handler *h)
{
	struct eio__handler *top;
	struct sigaction now;

	if (look(h->sig, &now) < 0 || comes_back(h, &now))
		return;
	top = who_does(&now, h->sig, true);
	if (top && top->takes) {
		h->previous = top->previous;
		top->previous = h->act;
		return;
	}
	h->previous = now; /* known before the handler may ask for it */
	sigaction(h->sig, &h->act, NULL);
}

static void restore(struct eio__handler *h)
{
	struct eio__handler *top = above(h);
	struct sigaction now;

	if (top)
		top->previous = h->previous;
	else if (sigaction(h->sig, NULL, &now) < 0)
		return;
	else if (is_same(&now, &h->act))
		sigaction(h->sig, &h->previous, NULL);
	else
		h->stayed = now;
}

static void remember(struct eio__handler *h)
{
	struct eio__handler *it;

	for (it = all; it && it != h; it = it->next)
		;
	if (!it) {
		h->next = all;
		all = h;
	}
}

void eio__handler_begin(struct eio__handler *h)
{
	pthread_mutex_lock(&mutex);
	if (h->runs == 0) {
		remember(h);
		install(h);
	}
	h->runs++;
	pthread_mutex_unlock(&mutex);
}

void eio__handler_end(struct eio__handler *h)
{
	pthread_mutex_lock(&mutex);
	if (h->runs == 1)
		restore(h);
	h->runs--;
	pthread_mutex_unlock(&mutex);
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
static void add_inherited(const struct eio__handler *h, struct eio__inherited *to)
{
	uint64_t bit = (uint64_t) 1 << (h->sig - 1);
	struct sigaction now;

	if (!h->runs || sigaction(h->sig, NULL, &now) < 0 || !is_same(&now, &h->act))
		return;
	while (below(h))
		h = below(h);
	if (h->previous.sa_handler == SIG_IGN)
		to->ignored |= bit;
	else
		to->by_default |= bit;
}

void eio__handlers_inherited(struct eio__inherited *ret)
{
	*ret = (struct eio__inherited){0};
	pthread_mutex_lock(&mutex);
	for (struct eio__handler *h = all; h; h = h->next)
		add_inherited(h, ret);
	pthread_mutex_unlock(&mutex);
}

void eio__handlers_forget(void)
{
	mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
	for (struct eio__handler *h = all; h; h = h->next) {
		if (h->runs)
			restore(h);
		h->runs = 0;
	}
}
