/* SPDX-License-Identifier: ISC */
/*
 * Doubly linked lists whose links are members of the elements.
 *
 * A head is a link that points at itself while the list is empty. An element that is
 * on no list has both links NULL after eio__list_remove or eio__list_clear, so that
 * eio__list_linked can tell.
 */
#ifndef EIO__LIST_H
#define EIO__LIST_H

#include <stdbool.h>
#include <stddef.h>

struct eio__list {
	struct eio__list *next, *prev;
};

#define eio__container_of(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))

static inline void eio__list_init(struct eio__list *head)
{
	head->next = head->prev = head;
}

static inline void eio__list_clear(struct eio__list *link)
{
	link->next = link->prev = NULL;
}

static inline bool eio__list_empty(const struct eio__list *head)
{
	return head->next == head;
}

static inline bool eio__list_linked(const struct eio__list *link)
{
	return link->next != NULL;
}

/* Puts the link right after @p at: at the front of a list when @p at is its head. */
static inline void eio__list_insert(struct eio__list *at, struct eio__list *link)
{
	link->prev = at;
	link->next = at->next;
	at->next->prev = link;
	at->next = link;
}

static inline void eio__list_append(struct eio__list *head, struct eio__list *link)
{
	eio__list_insert(head->prev, link);
}

/* Takes the link out without clearing it, for one that is put elsewhere at once. */
static inline void eio__list_unlink(struct eio__list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

static inline void eio__list_remove(struct eio__list *link)
{
	eio__list_unlink(link);
	eio__list_clear(link);
}

/* Puts a link, or a head, into the place of another one. */
static inline void eio__list_replace(struct eio__list *old, struct eio__list *link)
{
	eio__list_insert(old, link);
	eio__list_unlink(old);
}

#define eio__list_foreach(it, head) for (it = (head)->next; it != (head); it = it->next)

#endif
