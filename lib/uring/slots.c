/* SPDX-License-Identifier: ISC */
/*
 * Where slots come from and go to: chunks that are never freed, a list of free slots for the
 * process, and for each domain a few of them, so that opening and closing take no lock.
 */
#include "uring/fd.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* How many free slots a domain takes from the process, or gives back, at once. */
enum { BATCH = 32 };

struct eio__slot *eio__chunks[EIO__CHUNKS] __attribute__((visibility("hidden")));

/* Slots that are no domain's. Reuse is first in, first out, so that a generation lasts. */
static struct {
	struct eio__lock lock;
	struct eio__slot *first, **end;
	uint32_t chunks;
	bool ready;
} table = {.end = &table.first};

/* The child of a fork */

/* Only what is not at rest, so that the memory stays shared with the parent. */
static void forget_slot(struct eio__slot *s)
{
	bool is_ring = s->flags & EIO__FD_RING;

	if (!(s->state & EIO__SLOT_USERS) && !s->owner && !eio__lock_peek(&s->lock) && !is_ring)
		return;
	/* Its last user was to close it. */
	if (s->state & EIO__SLOT_USERS && s->state & EIO__SLOT_CLOSING && s->flags & EIO_FD_CLOSE &&
	    s->unix_fd >= 0)
		close(s->unix_fd);
	s->state &= ~EIO__SLOT_USERS;
	/* The table is the parent's. */
	s->table = NULL;
	s->target = s->unix_fd;
	if (s->unix_fd < 0 || is_ring)
		s->state |= EIO__SLOT_CLOSING;
	s->owner = NULL;
	eio__list_init(&s->accepts);
	eio__unlock(&s->lock);
}

/* Slots that were on their way, or in the caches of domains, are never used again. */
static void forget_others(void)
{
	if (eio__lock_peek(&table.lock)) {
		table.first = NULL;
		table.end = &table.first;
	}
	for (uint32_t i = 0; i < table.chunks; i++) {
		for (uint32_t j = 0; eio__chunks[i] && j < EIO__CHUNK; j++)
			forget_slot(&eio__chunks[i][j]);
	}
	eio__unlock(&table.lock);
}

/* Free slots */

static void append(struct eio__slot ***end, struct eio__slot *s)
{
	s->next = NULL;
	**end = s;
	*end = &s->next;
}

static struct eio__slot *shift(struct eio__slot **first, struct eio__slot ***end)
{
	struct eio__slot *s = *first;

	if (s) {
		*first = s->next;
		if (!*first)
			*end = first;
	}
	return s;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forget_others);
}

/* The chunk that is to come behind so many. NULL for want of memory. */
static struct eio__slot *make_chunk(uint32_t chunks)
{
	struct eio__slot *chunk = calloc(EIO__CHUNK, sizeof(*chunk));

	for (uint32_t i = 0; chunk && i < EIO__CHUNK; i++) {
		chunk[i].index = chunks * EIO__CHUNK + i;
		chunk[i].state = (uint64_t) 1 << 32 | EIO__SLOT_CLOSING;
		chunk[i].next = i + 1 < EIO__CHUNK ? &chunk[i + 1] : NULL;
		eio__list_init(&chunk[i].accepts);
	}
	return chunk;
}

/* With the lock held. The first three are the standard descriptors'. */
static void add_chunk(struct eio__slot *chunk)
{
	*table.end = &chunk[table.chunks == 0 ? STDERR_FILENO + 1 : 0];
	table.end = &chunk[EIO__CHUNK - 1].next;
	__atomic_store_n(&eio__chunks[table.chunks++], chunk, __ATOMIC_RELEASE);
}

/*
 * With the lock held, which is let go while a chunk is made, for that takes long. If others were
 * faster theirs is as good, or the next one is made for what there is then. False when there is
 * no memory or the table is full.
 */
static bool grow(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	while (!table.first && table.chunks < EIO__CHUNKS) {
		uint32_t chunks = table.chunks;
		struct eio__slot *chunk;
		bool fits;

		eio__unlock(&table.lock);
		pthread_once(&once, watch_forks);
		chunk = make_chunk(chunks);
		eio__lock(&table.lock);
		fits = !table.first && table.chunks == chunks;
		if (chunk && fits) {
			add_chunk(chunk);
			return true;
		}
		if (!chunk)
			break;
		eio__unlock(&table.lock);
		free(chunk);
		eio__lock(&table.lock);
	}
	return table.first;
}

struct eio__slot *eio__slot_take(void)
{
	struct eio__uring *u = eio__uring_self();
	struct eio__slot *s = u ? shift(&u->slots, &u->slots_end) : NULL;

	if (s) {
		u->n_slots--;
		return s;
	}
	eio__lock(&table.lock);
	if (grow())
		s = shift(&table.first, &table.end);
	for (int i = 1; u && s && table.first && i < BATCH; i++) {
		append(&u->slots_end, shift(&table.first, &table.end));
		u->n_slots++;
	}
	eio__unlock(&table.lock);
	return s;
}

static void give_back(struct eio__uring *u, unsigned n)
{
	eio__lock(&table.lock);
	for (; n && u->n_slots; n--, u->n_slots--)
		append(&table.end, shift(&u->slots, &u->slots_end));
	eio__unlock(&table.lock);
}

void eio__slots_give_back(struct eio__uring *u)
{
	give_back(u, u->n_slots);
}

void eio__slot_free(struct eio__slot *s)
{
	struct eio__uring *u = eio__uring_self();
	uint64_t generation = (__atomic_load_n(&s->state, __ATOMIC_RELAXED) >> 32) + 1;

	if (generation > UINT32_MAX)
		return;
	__atomic_store_n(&s->state, generation << 32 | EIO__SLOT_CLOSING, __ATOMIC_RELAXED);
	if (u) {
		append(&u->slots_end, s);
		if (++u->n_slots > 4 * BATCH)
			give_back(u, 2 * BATCH);
		return;
	}
	eio__lock(&table.lock);
	append(&table.end, s);
	eio__unlock(&table.lock);
}

/* A standard descriptor that was closed when the program started stays closed as a handle:
 * its number may become anything. */
int eio__fd_init(void)
{
	int rc = 0;

	eio__lock(&table.lock);
	if (!table.ready && table.chunks == 0 && !grow())
		rc = -ENOMEM;
	for (int i = 0; rc == 0 && !table.ready && i <= STDERR_FILENO; i++) {
		struct eio__slot *s = &eio__chunks[0][i];

		s->unix_fd = s->target = i;
		if (fcntl(i, F_GETFD) >= 0)
			s->state = (uint64_t) 1 << 32;
	}
	if (rc == 0)
		table.ready = true;
	eio__unlock(&table.lock);
	return rc;
}
