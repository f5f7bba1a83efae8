/* SPDX-License-Identifier: ISC */
#include "uring/listener.h"
#include "uring/sched.h"

static void cancel_remote(struct eio__inbox_node *n)
{
	struct eio__accept *a = eio__container_of(n, struct eio__accept, remote);

	a->asked = false;
	a->cancel(a);
}

void eio__accepts_cancel(struct eio__slot *s)
{
	struct eio__list *it;

	eio__lock(&s->lock);
	eio__list_foreach(it, &s->accepts) {
		struct eio__accept *a = eio__container_of(it, struct eio__accept, link);
		struct eio__waker *waker = &a->u->domain.waker;

		a->asked = true;
		a->remote.fn = cancel_remote;
		eio__waker_pin(waker);
		eio__waker_push(waker, &a->remote);
		eio__waker_unpin(waker);
	}
	eio__unlock(&s->lock);
}

bool eio__accept_enlist(struct eio__slot *s, struct eio_fd fd, struct eio__accept *a)
{
	bool late;

	a->asked = false;
	eio__lock(&s->lock);
	eio__list_append(&s->accepts, &a->link);
	/* The closer may have looked at the list before, although the handle was pinned. */
	late = eio__fd_is_closing(fd);
	eio__unlock(&s->lock);
	return !late;
}

void eio__accept_unlist(struct eio__slot *s, struct eio__accept *a)
{
	eio__lock(&s->lock);
	if (eio__list_linked(&a->link))
		eio__list_remove(&a->link);
	eio__unlock(&s->lock);
}

void eio__accept_settle(struct eio__accept *a)
{
	while (a->asked)
		eio__inbox_drain(&a->u->domain.waker.inbox);
}
