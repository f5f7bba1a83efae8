/* SPDX-License-Identifier: ISC */
#include "core/domains.h"
#include "base/lock.h"
#include "core/fiber.h"

#include <pthread.h>

static struct {
	pthread_mutex_t mutex;    /* of who changes the list or walks it in peace */
	struct eio__entry *first; /* like all links also read without it */
	uint64_t last_id;
	unsigned handlers; /* signal handlers that walk the list */
} domains = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct eio__domain *domain_of(struct eio__entry *e)
{
	return eio__container_of(e, struct eio__domain, entry);
}

/* The link that points at @p e; NULL: the last one. */
static struct eio__entry **link_to(const struct eio__entry *e)
{
	struct eio__entry **link = &domains.first;

	while (*link && *link != e)
		link = &(*link)->next;
	return link;
}

void eio__domains_add(struct eio__domain *d)
{
	struct eio__entry *e = &d->entry;

	*e = (struct eio__entry){.next = NULL};
	pthread_mutex_lock(&domains.mutex);
	e->id = ++domains.last_id;
	__atomic_store_n(link_to(NULL), e, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&domains.mutex);
}

void eio__domains_remove(struct eio__domain *d)
{
	struct eio__entry *e = &d->entry, **link;

	pthread_mutex_lock(&domains.mutex);
	link = link_to(e);
	if (*link)
		__atomic_store_n(link, e->next, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&domains.mutex);
	eio__domains_await_handlers();
	e->ended = true;
}

void eio__domains_each(void (*fn)(struct eio__domain *d, void *arg), void *arg)
{
	pthread_mutex_lock(&domains.mutex);
	for (struct eio__entry *e = domains.first; e; e = e->next)
		fn(domain_of(e), arg);
	pthread_mutex_unlock(&domains.mutex);
}

/* A handler counts itself before it reads the first link. */
void eio__domains_await_handlers(void)
{
	for (unsigned spins = 0; __atomic_load_n(&domains.handlers, __ATOMIC_SEQ_CST);)
		eio__spin(&spins);
}

void eio__domains_each_in_handler(void (*fn)(struct eio__domain *d, void *arg), void *arg)
{
	struct eio__entry *e;

	__atomic_add_fetch(&domains.handlers, 1, __ATOMIC_SEQ_CST);
	e = __atomic_load_n(&domains.first, __ATOMIC_SEQ_CST);
	for (; e; e = __atomic_load_n(&e->next, __ATOMIC_SEQ_CST))
		fn(domain_of(e), arg);
	__atomic_sub_fetch(&domains.handlers, 1, __ATOMIC_SEQ_CST);
}

void eio__domains_forget(void)
{
	domains.mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
	domains.first = NULL;
	domains.handlers = 0;
}
