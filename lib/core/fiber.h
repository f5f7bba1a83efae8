/* SPDX-License-Identifier: ISC */
/*
 * Fibers and the domain they run in.
 *
 * There is no scheduler stack: whoever blocks runs the loop. A fiber that suspends
 * takes the next one from the run queue and switches straight to it. If there is none
 * it asks the scheduler to poll, on its own stack; if the next one is itself it just
 * returns. One that ends does the same and leaves its stack behind.
 *
 * States of a fiber:
 *   running    domain->current
 *   runnable   in the run queue, once
 *   suspended  in neither; something holds a pointer to it and will wake it exactly
 *              once. wait tells what it waits for; a cancellation calls its cancel
 *              function, once, which sees to it that the wake-up comes soon.
 *   free       on the stacks' list
 * A new fiber is never runnable before it ran: fork starts it at once.
 */
#ifndef EIO__FIBER_H
#define EIO__FIBER_H

#include "base/heap.h"
#include "base/inbox.h"
#include "base/list.h"
#include "base/sanitize.h"
#include "core/ctx.h"
#include "core/domains.h"
#include "core/jobs.h"
#include "core/stack.h"
#include "core/waker.h"

#include <eio/error.h>
#include <eio/fiber.h>
#include <errno.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct eio__binding;
struct eio__switch;

/* One way of waiting, of which there are few; arg is the waiting fiber's. */
struct eio__wait {
	const char *what; /* "promise", "sleep", … */
	/* In the domain's thread; NULL: cannot be cancelled. */
	void (*cancel)(struct eio__fiber *f, void *arg);
	/* For dumps, in the domain's thread: what exactly, in the place of what; NULL: that
	 * says it all. */
	void (*describe)(const struct eio__fiber *f, const void *arg, char *buf, size_t size);
};

enum {
	EIO__SWITCHES_PER_LOOK = 32,
	EIO__SWITCHES_PER_POLL = 64, /* unsubmitted entries and the clock wait no longer */
	EIO__SCRATCH = 64,           /* the scheduler's, one ring entry */
	EIO__CANCELED_IN_A_ROW = 100000,
	EIO__DIRECT_IN_A_ROW = 8,
	EIO__MANY_FIBERS = 512, /* their frames do not fit into the near caches */
	EIO__TICK_BITS = 22,    /* a tick is 2^22 ns, about 4 ms */
};

/* Aligned, so that a mutex has room for flags beside its holder's address. */
struct eio__fiber {
	/* What every switch touches: one cache line. */
	_Alignas(16) void *sp; /* while not running */
	struct eio__fiber *next;
	struct eio__ctx *ctx; /* the current one */
	struct eio__domain *domain;
	const struct eio__wait *wait; /* NULL: runs, or is to run */
	void *wait_arg;
	unsigned canceled; /* -ECANCELED in a row without suspending */
	uint8_t direct;    /* calls made directly since it last suspended */
	bool interrupted;  /* its cancel function was called */
	bool daemon;
	bool binds; /* the innermost binding is its own; set with its neighbours, by one store */
	uint32_t since; /* when it suspended, in the domain's ticks */

	struct eio__list in_ctx;
	struct eio__switch *sw;      /* the one it counts in; NULL: main */
	struct eio__binding *locals; /* the innermost; NULL: none */
	eio_fn *fn;                  /* NULL: the record is free (or main's) */
	void *arg;
	struct eio_error *error; /* NULL: nothing failed yet */
	uint64_t id;
	const char *name;
	char *base; /* lowest usable byte of the stack; NULL: main */
	struct eio__inbox_node remote;
	struct eio__san san;
	uint64_t scratch[EIO__SCRATCH / 8];
};

/* What a scheduler supplies; the core knows nothing else of the outside world. */
struct eio__sched_ops {
	const char *name;
	int64_t (*now)(struct eio__domain *d);
	/* The wall clock; NULL: there is no other clock than that one. */
	int64_t (*wall_now)(struct eio__domain *d);
	/* Submits, reaps, wakes. wait: returns once something is runnable. How many
	 * completions there were. */
	unsigned (*poll)(struct eio__domain *d, bool wait);
};

/* Words that tell without a call whether a poll would find something: a flag is set, or
 * more was produced than consumed. */
struct eio__signs {
	const unsigned *flags, *produced, *consumed;
	unsigned mask;
};

struct eio__domain {
	struct eio__fiber *current;
	struct eio__fiber *head, *tail; /* the run queue */
	unsigned left;                  /* switches until the next look */
	unsigned since_poll;            /* switches from the last poll to that look */
	struct eio__signs signs;        /* set by the scheduler, else always quiet */
	const struct eio__sched_ops *ops;
	struct eio__stacks stacks;
	uint64_t next_id;
	size_t fibers; /* alive, main left out */
	uint32_t tick; /* the time of the last poll, for dumps */
	bool indirect; /* calls that cannot wait go by the scheduler too, which may refuse them */
	struct eio__heap timers, wall_timers;
	struct eio__waker waker;
	struct eio__ctx root;
	struct eio__entry entry;
	struct eio__anchor *anchor;   /* NULL: no reference was given */
	struct eio__jobs jobs;        /* what other threads send here … */
	struct eio_switch sent;       /* … and the fibers for it */
	struct eio__signals *signals; /* subscriptions; also read by signal handlers */
	struct eio_error *errors;     /* free records, linked by op */
	struct eio__fiber main;
};

/* The calling thread's domain. Fibers never leave their thread, so its address may be
 * cached over a switch; the word itself is read each time. */
extern _Thread_local struct eio__domain *eio__tls_domain
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline struct eio__domain *eio__domain_self(void)
{
	return eio__tls_domain;
}

/* The running fiber, or NULL on a thread without a domain. */
static inline struct eio__fiber *eio__self(void)
{
	struct eio__domain *d = eio__tls_domain;

	if (!d)
		return NULL;
	if (!d->current)
		__builtin_unreachable();
	return d->current;
}

/* A domain on the calling thread whose main fiber is the caller. The scheduler sets
 * waker.notify. 0, or -EBUSY, -EINVAL. */
int eio__domain_init(struct eio__domain *d, const struct eio__sched_ops *ops, size_t stack_size);

/* Main returned: aborts if it is inside a scope, whose fibers might wait for ever. Ends what
 * was sent here. */
void eio__domain_end(struct eio__domain *d);

/* Every fiber has ended. Waits for foreign wakers on their way out. */
void eio__domain_fini(struct eio__domain *d);

/* Would a poll find nothing? */
static inline bool eio__is_quiet(const struct eio__domain *d)
{
	const struct eio__signs *s = &d->signs;

	return !(__atomic_load_n(s->flags, __ATOMIC_RELAXED) & s->mask) &&
	       __atomic_load_n(s->produced, __ATOMIC_RELAXED) ==
		       __atomic_load_n(s->consumed, __ATOMIC_RELAXED) &&
	       eio__inbox_empty(&d->waker.inbox);
}

/* A time in the domain's ticks, which wrap. */
static inline uint32_t eio__tick(int64_t ns)
{
	return (uint32_t) (ns >> EIO__TICK_BITS);
}

/* Puts a fiber to the end of the run queue. */
static inline void eio__queue(struct eio__domain *d, struct eio__fiber *f)
{
	f->next = NULL;
	if (likely(d->head))
		d->tail->next = f;
	else
		d->head = f;
	d->tail = f;
}

/* Makes a fiber runnable that is suspended, or about to be. */
static inline void eio__wake(struct eio__fiber *f)
{
	f->wait = NULL;
	eio__queue(f->domain, f);
}

/* Wakes a fiber of another domain. */
void eio__wake_remote(struct eio__fiber *f);

/* Wakes a fiber of any domain, from any thread. */
static inline void eio__wake_any(struct eio__fiber *f)
{
	if (likely(f->domain == eio__domain_self()))
		eio__wake(f);
	else
		eio__wake_remote(f);
}

/* Suspends the running fiber until eio__wake. If the wait can be cancelled the caller has
 * checked that the context is not cancelled already. */
void eio__suspend(struct eio__fiber *f, const struct eio__wait *wait, void *arg);

/* -ECANCELED, counting how often in a row: a loop that ignores it must not hang. */
int eio__canceled(struct eio__fiber *f);

/* The first thing in every call that may suspend: 0 or -ECANCELED. */
static inline int eio__check(struct eio__fiber *f)
{
	return unlikely(f->ctx->err) ? eio__canceled(f) : 0;
}

/* What a record takes at the top of a stack: whole cache lines. */
#define EIO__RECORD ((intptr_t) (sizeof(struct eio__fiber) + 63) & ~(intptr_t) 63)

/* The end of the page that a record lies in. */
static inline intptr_t eio__stack_top(const struct eio__fiber *f)
{
	return (intptr_t) (f + 1) + (-(intptr_t) (f + 1) & 4095);
}

/* Where the record @p n stacks away is, if they are of one slab. */
static inline const char *eio__stack_near(const struct eio__stacks *s, const struct eio__fiber *f,
					  int n)
{
	intptr_t top = eio__stack_top(f);
	int colour = (int) (top - (intptr_t) f - EIO__RECORD) / 64 + n;

	if (colour < 0)
		colour += EIO__COLOURS;
	else if (colour >= EIO__COLOURS)
		colour -= EIO__COLOURS;
	return (const char *) (top + n * (intptr_t) s->stride - colour * 64 - EIO__RECORD);
}

/*
 * With many fibers the next ones are in no near cache, nor their pages in the TLB. Those
 * that were made in a row lie at equal distances. If @p f and @p next do, this fetches cache
 * lines of the one AHEAD fibers after: @p lines of them, the first @p first lines from its
 * record, below which its frames are.
 */
enum { EIO__AHEAD = 8 };

static inline __attribute__((always_inline)) void eio__look_ahead(const struct eio__stacks *s,
								  const struct eio__fiber *f,
								  const struct eio__fiber *next,
								  int first, int lines)
{
	intptr_t distance = eio__stack_top(next) - eio__stack_top(f);
	const char *record;

	if (distance == (intptr_t) s->stride)
		record = eio__stack_near(s, f, EIO__AHEAD);
	else if (distance == -(intptr_t) s->stride)
		record = eio__stack_near(s, f, -EIO__AHEAD);
	else
		return;
	for (int i = first; i < first + lines; i++)
		__builtin_prefetch(record + 64 * i, 1);
	__asm__ volatile(""); /* or gcc takes what only fetches for something without effect */
}

/* The same with the running fiber, and -EPERM on a thread without one. */
static inline int eio__enter(struct eio__fiber **ret_f)
{
	*ret_f = eio__self();
	return likely(*ret_f) ? eio__check(*ret_f) : -EPERM;
}

enum {
	EIO__FORK_DAEMON = 1,
	EIO__FORK_CANCELLED = 2, /* also on a cancelled switch */
};

static inline bool eio__has_many_fibers(const struct eio__domain *d)
{
	return d->fibers >= EIO__MANY_FIBERS;
}

/*
 * May the running fiber make a call that cannot wait directly, instead of by the ring? Only a
 * few times before it suspends again, so that it starves nobody.
 */
static inline bool eio__may_go_direct(void)
{
	struct eio__domain *d = eio__domain_self();

	if (unlikely(!d) || d->indirect)
		return false;
	return d->current->direct < EIO__DIRECT_IN_A_ROW && ++d->current->direct;
}

/*
 * Should it, with a call that is cheaper by the ring as a rule? When there are many fibers it
 * is out of the caches by the time it continues, which costs more than a system call.
 */
static inline bool eio__go_direct(void)
{
	struct eio__domain *d = eio__domain_self();

	return d && unlikely(eio__has_many_fibers(d)) && eio__may_go_direct();
}

/* Starts a fiber: eio_fork and its kin. @p size > 0: fn gets a copy of *arg. */
int eio__fork(struct eio_switch *sw, eio_fn *fn, const void *arg, size_t size, unsigned flags);

#endif
