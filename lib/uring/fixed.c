/* SPDX-License-Identifier: ISC */
#include "uring/fixed.h"
#include "core/error.h"
#include "core/log.h"
#include "uring/sched.h"

#include <eio/low_level.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct waiter {
	struct eio__list link;
	struct eio__fiber *fiber;
	struct eio_chunk chunk;
	bool cancelled;
};

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

void eio__fixed_init(struct eio__fixed *p, const struct eio_config *config)
{
	unsigned depth = config->queue_depth ? config->queue_depth : 256;

	p->block_size = round_up(config->block_size ? config->block_size : 4096,
				 (size_t) sysconf(_SC_PAGESIZE));
	p->n = config->n_blocks ? config->n_blocks : depth < 256 ? depth : 256;
	p->wanted = !(config->flags & EIO_RUN_NO_FIXED);
	p->free = EIO__FIXED_END;
	eio__list_init(&p->waiters);
}

/* What is said of the blocks lies behind them. */
static size_t mapped(const struct eio__fixed *p)
{
	return p->n * (p->block_size + sizeof(*p->next));
}

void eio__fixed_fini(struct eio__fixed *p, struct eio__ring *ring)
{
	if (p->registered)
		io_uring_unregister_buffers(&ring->uring);
	if (p->memory)
		munmap(p->memory, mapped(p));
}

static void register_blocks(struct eio__uring *u)
{
	struct eio__fixed *p = &u->fixed;
	struct iovec all = {p->memory, p->n * p->block_size};
	int rc = io_uring_register_buffers(&u->ring.uring, &all, 1);

	p->registered = rc == 0;
	if (rc < 0)
		eio__log(EIO_LOG_WARNING,
			 "fixed buffers: %u blocks of %zu bytes cannot be registered (%s): going "
			 "on with plain memory; raise RLIMIT_MEMLOCK (ulimit -l)",
			 p->n, p->block_size, eio_strerror(rc));
}

/* The pool, made on the first call; NULL when there is no memory for it. */
static struct eio__fixed *pool(struct eio__uring *u)
{
	struct eio__fixed *p = &u->fixed;
	void *memory = MAP_FAILED;

	if (p->memory || p->failed)
		return p->failed ? NULL : p;
	if (p->n <= SIZE_MAX / (p->block_size + sizeof(*p->next)))
		memory = mmap(NULL, mapped(p), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		p->failed = true;
		eio__log(EIO_LOG_WARNING, "fixed buffers: no memory for %u blocks of %zu bytes",
			 p->n, p->block_size);
		return NULL;
	}
	p->memory = memory;
	p->next = (uint32_t *) (p->memory + p->n * p->block_size);
	if (p->wanted)
		register_blocks(u);
	return p;
}

static bool take(struct eio__fixed *p, struct eio_chunk *ret)
{
	uint32_t i;

	if (p->free != EIO__FIXED_END) {
		i = p->free - 1;
		p->free = p->next[i];
		p->next[i] = 0;
	} else if (p->fresh < p->n) {
		i = p->fresh++;
	} else {
		return false;
	}
	p->out++;
	*ret = (struct eio_chunk){
		.data = p->memory + i * p->block_size,
		.length = (uint32_t) p->block_size,
		.index = (int32_t) i,
	};
	return true;
}

int eio_ll_alloc_fixed(struct eio_chunk *ret)
{
	struct eio__uring *u = eio__uring_self();
	struct eio__fixed *p;

	if (!u)
		return -EPERM;
	p = pool(u);
	return p && take(p, ret) ? 0 : eio__fail(-ENOBUFS, "alloc_fixed", NULL);
}

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;

	w->cancelled = true;
	eio__list_remove(&w->link);
	eio__wake(f);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__fixed *p = &eio__uring_of((struct eio__fiber *) f)->fixed;

	(void) arg;
	snprintf(buf, size, "fixed buffer, all %u in use", p->out);
}

static const struct eio__wait waiting = {
	.what = "fixed buffer", .cancel = leave, .describe = describe};

int eio_ll_alloc_fixed_or_wait(struct eio_chunk *ret)
{
	struct eio__uring *u = eio__uring_self();
	struct waiter w = {.cancelled = false};
	struct eio__fixed *p;
	int rc;

	if (!u)
		return -EPERM;
	rc = eio__check(u->domain.current);
	if (rc < 0)
		return rc;
	p = pool(u);
	if (!p)
		return eio__fail(-ENOBUFS, "alloc_fixed", NULL);
	if (take(p, ret))
		return 0;
	w.fiber = u->domain.current;
	eio__list_append(&p->waiters, &w.link);
	eio__suspend(w.fiber, &waiting, &w);
	if (w.cancelled)
		return eio__canceled(w.fiber);
	*ret = w.chunk;
	return 0;
}

/* What keeps a block from being given back, or NULL. */
static const char *is_no_block(const struct eio__fixed *p, const void *data)
{
	size_t at = p ? (uintptr_t) data - (uintptr_t) p->memory : 0;

	if (!p || !p->memory || at >= p->n * p->block_size)
		return "is not of this domain";
	if (at % p->block_size || at / p->block_size >= p->fresh)
		return "is none";
	return p->next[at / p->block_size] ? "was given back before" : NULL;
}

void eio_ll_free_fixed(struct eio_chunk c)
{
	struct eio__uring *u = eio__uring_self();
	struct eio__fixed *p = u ? &u->fixed : NULL;
	const char *why = is_no_block(p, c.data);
	struct waiter *w;
	uint32_t i;

	if (why) {
		eio__log(EIO_LOG_WARNING, "free_fixed: the block %s", why);
		return;
	}
	if (eio__list_empty(&p->waiters)) {
		i = (uint32_t) ((size_t) ((char *) c.data - p->memory) / p->block_size);
		p->out--;
		p->next[i] = p->free;
		p->free = i + 1;
		return;
	}
	w = eio__container_of(p->waiters.next, struct waiter, link);
	eio__list_remove(&w->link);
	w->chunk = c;
	eio__wake(w->fiber);
}

size_t eio_ll_fixed_length(struct eio_chunk c)
{
	return c.length;
}

void *eio_ll_fixed_data(struct eio_chunk c)
{
	return c.data;
}

int eio_ll_with_chunk(int (*fn)(struct eio_chunk c, void *arg), int (*fallback)(void *arg),
		      void *arg)
{
	struct eio_chunk c;
	int rc;

	if (eio_ll_alloc_fixed(&c) < 0)
		return fallback(arg);
	rc = fn(c, arg);
	eio_ll_free_fixed(c);
	return rc;
}

bool eio_ll_fixed_registered(void)
{
	struct eio__uring *u = eio__uring_self();

	return u && pool(u) && u->fixed.registered;
}
