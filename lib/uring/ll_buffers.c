/* SPDX-License-Identifier: ISC */
#include "uring/buffers.h"
#include "core/error.h"
#include "core/log.h"
#include "uring/options.h"
#include "uring/sched.h"
#include "uring/views.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX = 32768,
	LINE = 64, /* of a cache, in bytes */
	WISHES = EIO_LL_BUFFERS_INCREMENTAL | EIO_LL_BUFFERS_BUNDLES,
	ASKED = WISHES | EIO_LL_BUFFERS_NO_WAIT,
};

/* As in the kernel's header since 6.12; older ones have no flags. */
struct registration {
	uint64_t ring;
	uint32_t entries;
	uint16_t id;
	uint16_t flags;
	uint64_t reserved[3];
};

_Static_assert(sizeof(struct registration) == sizeof(struct io_uring_buf_reg),
	       "struct io_uring_buf_reg has another size");

/* Buffers */

unsigned eio__buffers_take(struct eio__buffers *g)
{
	unsigned id = g->free;

	if (id != EIO__NO_BUFFER)
		g->free = g->buffers[id].next;
	return id;
}

static void offer_to_kernel(struct eio__buffers *g, unsigned id)
{
	uint16_t *tail = &g->ring->resv, at = *tail & (g->count - 1);
	struct io_uring_buf *entry = &g->ring[at];

	g->buffers[g->last].next = (uint16_t) id;
	g->last = (uint16_t) id;
	g->buffers[id].at = at;
	entry->addr = (uintptr_t) eio__buffers_data(g, id);
	entry->len = (uint32_t) g->size;
	entry->bid = (uint16_t) id;
	/* The kernel sees the entry before the tail, which lies in the first one. */
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

void eio__buffers_offer(struct eio__buffers *g, unsigned id)
{
	struct eio__buffer *b = &g->buffers[id];

	b->used = 0;
	b->finished = false;
	if (g->flags & EIO_LL_BUFFERS_BY_KERNEL) {
		offer_to_kernel(g, id);
	} else {
		b->next = g->free;
		g->free = (uint16_t) id;
	}
	g->offered++;
	eio__views_feed(g);
}

int eio__buffers_left(struct eio__buffers *g)
{
	struct eio__buffers_status status = {.group = g->id};
	int rc = eio__ring_register(&g->u->ring, EIO__REGISTER_PBUF_STATUS, &status, 1);

	return rc < 0 ? rc : (uint16_t) (g->ring->resv - status.head);
}

/* The kernel may have shortened an entry that it looked at and left. While those are looked
 * at that belong to bundles, whose completions come in the ring's order, the entry is still
 * the buffer's; a read may take so long that another one is in its place. */
static unsigned room(const struct eio__buffers *g, const struct eio__buffer *b)
{
	unsigned len = g->ring[b->at].len;

	return len && len < g->size ? len : (unsigned) g->size;
}

void eio__buffers_fill(struct eio__buffers *g, struct eio_ll_result *r, bool bundle)
{
	unsigned id = r->flags >> IORING_CQE_BUFFER_SHIFT,
		 left = r->res > 0 ? (unsigned) r->res : 0;
	struct eio__buffer *b = &g->buffers[id];

	r->reserved = b->used;
	b->finished = !(r->flags & IORING_CQE_F_BUF_MORE);
	if (!left && b->finished && !b->views)
		eio__buffers_offer(g, id);
	while (left) {
		unsigned n = left;

		if (bundle && n > room(g, b))
			n = room(g, b);
		b->used += n;
		b->views++;
		g->held++;
		left -= n;
		if (left) {
			b = &g->buffers[b->next];
			b->finished = true;
		}
	}
}

unsigned eio__buffers_piece(const struct eio__buffers *g, unsigned len, unsigned *id)
{
	const struct eio__buffer *b = &g->buffers[*id];

	if (!(g->flags & EIO_LL_BUFFERS_BUNDLES))
		return len;
	*id = b->next;
	return b->used;
}

void eio__buffers_release(struct eio__buffers *g, unsigned id)
{
	struct eio__buffer *b = &g->buffers[id];

	g->held--;
	if (--b->views > 0)
		return;
	b->turn++;
	if (b->finished)
		eio__buffers_offer(g, id);
}

/* Pieces */

static bool more_pieces(struct eio__buffers *g)
{
	bool inside = g->n_pieces == g->count; /* they lie behind the buffers' records */
	uint32_t n = g->n_pieces * 2;
	struct eio__piece *p = realloc(inside ? NULL : g->pieces, n * sizeof(*p));

	if (!p)
		return false;
	if (inside)
		memcpy(p, g->pieces, g->n_pieces * sizeof(*p));
	g->pieces = p;
	g->n_pieces = n;
	return true;
}

uint32_t eio__piece_new(struct eio__buffers *g)
{
	uint32_t i = g->free_piece;

	if (i != EIO__NO_PIECE) {
		g->free_piece = g->pieces[i].next;
	} else {
		if (g->fresh == g->n_pieces && !more_pieces(g))
			return EIO__NO_PIECE;
		i = g->fresh++;
	}
	g->pieces[i].next = EIO__NO_PIECE;
	return i;
}

/* Views */

/* NULL: it is none, and *ret_err says why. */
static struct eio__buffer *buffer_of(struct eio__buffers *g, const struct eio_ll_view *view,
				     int *ret_err)
{
	unsigned id = view->id & UINT16_MAX;

	*ret_err = g->u && g->u != eio__uring_self() ? -EPERM : -EINVAL;
	if (!g->u || g->u != eio__uring_self() || id >= g->count || !g->buffers[id].views ||
	    view->id != eio__buffers_name(g, id))
		return NULL;
	return &g->buffers[id];
}

int eio_ll_view_return(struct eio_ll_buffers *pub, struct eio_ll_view view)
{
	struct eio__buffers *g = eio__buffers_of(pub);
	struct eio__buffer *b;
	int rc;

	b = buffer_of(g, &view, &rc);
	if (b) {
		eio__buffers_release(g, (unsigned) (b - g->buffers));
		return 0;
	}
#ifdef EIO_DEBUG
	if (rc == -EINVAL && g->u)
		eio__fatal("eio_ll_view_return: there is no such view of buffer %u: it was given "
			   "back before",
			   view.id & UINT16_MAX);
#endif
	return eio__fail(rc, "view_return", NULL);
}

int eio_ll_view_split(struct eio_ll_buffers *pub, struct eio_ll_view *view, size_t len,
		      struct eio_ll_view *ret_rest)
{
	struct eio__buffers *g = eio__buffers_of(pub);
	struct eio__buffer *b;
	int rc;

	b = buffer_of(g, view, &rc);
	if (!b || len == 0 || len >= view->len)
		return eio__fail(b ? -EINVAL : rc, "view_split", NULL);
	b->views++;
	g->held++;
	*ret_rest = (struct eio_ll_view){(char *) view->data + len, view->len - len, view->id};
	view->len = len;
	return 0;
}

/* Groups */

/* An id that no other group of the ring has, the program's own included. */
static int register_group(struct eio__buffers *g, unsigned flags)
{
	struct registration reg = {
		.ring = (uintptr_t) g->ring,
		.entries = g->count,
		.flags = flags & EIO_LL_BUFFERS_INCREMENTAL ? EIO__PBUF_RING_INC : 0,
	};
	struct io_uring_buf_reg entry;
	int rc = -EEXIST;

	for (unsigned tries = 0; rc == -EEXIST && tries <= UINT16_MAX; tries++) {
		reg.id = g->id = g->u->next_group++;
		memcpy(&entry, &reg, sizeof(entry));
		rc = io_uring_register_buf_ring(&g->u->ring.uring, &entry, 0);
	}
	return rc;
}

/* As much of what is wished for as the kernel has. */
static void introduce(struct eio__buffers *g, unsigned wishes)
{
	const struct io_uring *uring = &g->u->ring.uring;
	int rc;

	/* This opcode came with 5.19, as did rings of buffers. */
	if (!eio__ring_has(&g->u->ring, IORING_OP_SOCKET))
		return;
	rc = register_group(g, wishes);
	if (rc < 0 && wishes & EIO_LL_BUFFERS_INCREMENTAL) {
		wishes &= ~(unsigned) EIO_LL_BUFFERS_INCREMENTAL;
		rc = register_group(g, wishes);
	}
	if (rc < 0)
		return;
	if (wishes & EIO_LL_BUFFERS_INCREMENTAL || !(uring->features & IORING_FEAT_RECVSEND_BUNDLE))
		wishes &= ~(unsigned) EIO_LL_BUFFERS_BUNDLES;
	g->flags = EIO_LL_BUFFERS_BY_KERNEL | wishes;
}

static size_t in_pages(size_t n)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/* An odd number of cache lines: else many buffers would begin in the same few sets of the
 * caches, and small messages in them push each other out. */
static size_t stride_of(size_t size)
{
	return ((size + LINE - 1) / LINE | 1) * LINE;
}

int eio_ll_buffers_init(struct eio_ll_buffers *pub, unsigned count, size_t size, unsigned flags)
{
	struct eio__buffers *g = eio__buffers_of(pub);
	size_t head =
		in_pages(count * (sizeof(*g->ring) + sizeof(*g->buffers) + sizeof(*g->pieces)));
	void *memory;

	*g = (struct eio__buffers){
		.count = count,
		.size = size,
		.stride = stride_of(size),
		.free = EIO__NO_BUFFER,
		.n_pieces = count,
		.free_piece = EIO__NO_PIECE,
	};
	if (!eio__uring_self())
		return eio__fail(-EPERM, "buffers", NULL);
	if (!count || count > MAX || count & (count - 1) || !size || size > INT_MAX ||
	    flags & ~(unsigned) ASKED || g->stride > (SIZE_MAX - head) / count)
		return eio__fail(-EINVAL, "buffers", NULL);
	g->mapped = head + count * g->stride;
	memory = mmap(NULL, g->mapped, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return eio__fail(-ENOMEM, "buffers", NULL);
	g->u = eio__uring_self();
	g->ring = memory;
	g->buffers = (struct eio__buffer *) (g->ring + count);
	g->pieces = (struct eio__piece *) (g->buffers + count);
	g->data = (char *) memory + head;
	eio__list_init(&g->starved);
	introduce(g, flags & WISHES);
	g->flags |= flags & EIO_LL_BUFFERS_NO_WAIT;
	for (unsigned id = count; id > 0; id--)
		eio__buffers_offer(g, id - 1);
	return 0;
}

static void free_group(struct eio__buffers *g)
{
	if (g->flags & EIO_LL_BUFFERS_BY_KERNEL)
		io_uring_unregister_buf_ring(&g->u->ring.uring, g->id);
	if (g->n_pieces > g->count)
		free(g->pieces);
	munmap(g->ring, g->mapped);
	g->u = NULL;
}

int eio_ll_buffers_fini(struct eio_ll_buffers *pub)
{
	struct eio__buffers *g = eio__buffers_of(pub);

	if (!g->u || g->u != eio__uring_self())
		return eio__fail(g->u ? -EPERM : -EINVAL, "buffers", NULL);
	if (g->users || g->held)
		return eio__fail(-EBUSY, "buffers", NULL);
	free_group(g);
	return 0;
}

unsigned eio_ll_buffers_flags(const struct eio_ll_buffers *b)
{
	return eio__buffers_of(b)->flags;
}

/* The domain's own */

static struct eio_ll_buffers *make_common(void)
{
	struct eio_ll_buffers *b = malloc(sizeof(*b));

	if (b && eio_ll_buffers_init(b, EIO_LL_COMMON_COUNT, EIO_LL_COMMON_SIZE,
				     EIO_LL_BUFFERS_NO_WAIT) < 0) {
		free(b);
		b = NULL;
	}
	if (b && !(eio_ll_buffers_flags(b) & EIO_LL_BUFFERS_BY_KERNEL)) {
		(void) eio_ll_buffers_fini(b);
		free(b);
		b = NULL;
	}
	return b;
}

struct eio_ll_buffers *eio_ll_buffers_common(void)
{
	struct eio__uring *u = eio__uring_self();

	if (unlikely(!u))
		return NULL;
	if (unlikely(!u->asked_common)) {
		u->asked_common = true;
		u->common = make_common();
	}
	return u->common;
}

void eio__common_fini(struct eio__uring *u)
{
	if (!u->common)
		return;
	free_group(eio__buffers_of(u->common));
	free(u->common);
}
