/* SPDX-License-Identifier: ISC */
#include "core/fiber.h"
#include "arch/arch.h"
#include "base/lock.h"
#include "core/anchor.h"
#include "core/error.h"
#include "core/handler.h"
#include "core/local.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/threads.h"
#include "core/timer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

_Thread_local struct eio__domain *eio__tls_domain;

/* The next look comes when what the poll made runnable has run, within bounds. */
static void poll(struct eio__domain *d, bool wait)
{
	unsigned n = d->ops->poll(d, wait);

	d->left = n < EIO__SWITCHES_PER_LOOK   ? EIO__SWITCHES_PER_LOOK
		  : n < EIO__SWITCHES_PER_POLL ? n
					       : EIO__SWITCHES_PER_POLL;
	d->since_poll = d->left;
}

static __attribute__((noinline)) void look(struct eio__domain *d)
{
	unsigned rest = EIO__SWITCHES_PER_POLL - d->since_poll;

	if (rest == 0 || !eio__is_quiet(d)) {
		poll(d, false);
		return;
	}
	d->left = rest < EIO__SWITCHES_PER_LOOK ? rest : EIO__SWITCHES_PER_LOOK;
	d->since_poll += d->left;
}

static __attribute__((noinline)) void wait_for_one(struct eio__domain *d)
{
	if (eio__stacks_want_trim(&d->stacks))
		eio__stacks_trim(&d->stacks);
	do
		poll(d, true);
	while (!d->head);
}

/*
 * Takes the next fiber to run, waiting for one if need be. Every few switches a look,
 * which is only loads, tells whether a poll would find something; after 64 switches it
 * polls in any case, for unsubmitted entries and the clock.
 */
static inline struct eio__fiber *next_fiber(struct eio__domain *d)
{
	struct eio__fiber *f;

	if (unlikely(!d->head))
		wait_for_one(d);
	else if (unlikely(--d->left == 0))
		look(d);
	f = d->head;
	d->head = f->next;
	return f;
}

/* The only call into the assembly, so that returns are predicted. Not instrumented: the
 * stack changes in the middle of it. */
static __attribute__((noinline)) EIO__UNINSTRUMENTED void
transfer(struct eio__domain *d, struct eio__fiber *to, void *start)
{
	struct eio__fiber *from = d->current;

	d->current = to;
	eio__san_leave(&from->san, &to->san, false);
	eio__arch_switch(&from->sp, to->sp, start);
	eio__san_arrive(&from->san);
	__asm__ volatile(""); /* a call, not a jump: no tail call */
}

/* What is rare, out of the way so that the rest needs no frame. */
static __attribute__((noinline)) void suspend_and_look(struct eio__domain *d, struct eio__fiber *f)
{
	struct eio__fiber *next = next_fiber(d);

	if (next != f)
		transfer(d, next, NULL);
}

void eio__suspend(struct eio__fiber *f, const struct eio__wait *wait, void *arg)
{
	struct eio__domain *d = f->domain;
	struct eio__fiber *next = d->head;

	f->wait = wait;
	f->wait_arg = arg;
	f->since = d->tick;
	f->canceled = 0;
	f->direct = 0;
	f->interrupted = false;
	if (unlikely(!next || d->left == 1)) {
		suspend_and_look(d, f);
		return;
	}
	d->left--;
	d->head = next->next;
	if (next != f)
		transfer(d, next, NULL);
}

int eio_yield(void)
{
	struct eio__domain *d = eio__domain_self();
	struct eio__fiber *f, *next;

	if (unlikely(!d))
		return -EPERM;
	f = d->current;
	if (unlikely(f->ctx->err))
		return eio__canceled(f);
	f->canceled = 0;
	eio__queue(d, f);
	next = next_fiber(d);
	if (next != f)
		transfer(d, next, NULL);
	return eio__check(f);
}

int eio__canceled(struct eio__fiber *f)
{
	if (++f->canceled == EIO__CANCELED_IN_A_ROW) {
		const char *name = f->name ? f->name : "without name";

#ifdef EIO_DEBUG
		eio__fatal("fiber %llu (%s) got -ECANCELED %d times in a row without suspending",
			   (unsigned long long) f->id, name, EIO__CANCELED_IN_A_ROW);
#else
		eio__log(EIO_LOG_WARNING,
			 "fiber %llu (%s) got -ECANCELED %d times in a row without suspending",
			 (unsigned long long) f->id, name, EIO__CANCELED_IN_A_ROW);
#endif
	}
	return -ECANCELED;
}

/*
 * The fiber, or main, returned inside a scope. That lay in a frame which is gone: what kind
 * of scope it was and its name are told if they can still be read.
 */
static __attribute__((noinline, noreturn)) void returned_inside(const struct eio__fiber *f,
								const char *kind, const char *name)
{
	char who[64] = "main", kinds[32], names[64];

	if (f != &f->domain->main)
		snprintf(who, sizeof(who), "fiber %llu (%s)", (unsigned long long) f->id,
			 f->name ? f->name : "without name");
	kind = eio__salvage(kind, kinds, sizeof(kinds));
	name = name ? eio__salvage(name, names, sizeof(names)) : NULL;
	eio__fatal("%s returned inside a %s%s%s it had not ended", who, kind ? kind : "scope",
		   kind && name ? " " : "", kind && name ? name : "");
}

static EIO__UNINSTRUMENTED void returned_inside_binding(const struct eio__fiber *f)
{
	struct eio_key key = {NULL};
	struct iovec to = {&key, sizeof(key)};
	struct iovec at = {(void *) f->locals->key, sizeof(key)};

	if (process_vm_readv(getpid(), &to, 1, &at, 1, 0) != sizeof(key))
		key.name = NULL;
	returned_inside(f, key.name ? "binding of" : "binding", key.name);
}

/* An ended fiber's bindings, which it must have inherited, and the record of its failure. */
static __attribute__((noinline)) void drop_extras(struct eio__fiber *f)
{
	if (f->binds)
		returned_inside_binding(f);
	if (f->error)
		eio__error_free(f->domain, f->error);
	f->error = NULL;
}

/* The context of a fiber that made this process by a fork. */
static struct eio__ctx forked = {.kind = "child of a fork"};

static __attribute__((noinline, noreturn)) void returned_elsewhere(const struct eio__fiber *f)
{
	if (f->ctx == &forked)
		eio__fatal("a fiber returned in the child of a fork it had made");
	returned_inside(f, f->ctx->kind, f->ctx->name);
}

/* The fiber's function returned: counts it out of its switch and its domain. */
static void finish(struct eio__fiber *f, int rc)
{
	struct eio__domain *d = f->domain;

	if (unlikely(f->ctx != &f->sw->ctx))
		returned_elsewhere(f);
	eio__list_unlink(&f->in_ctx);
	if (likely(rc >= 0 && !f->daemon && !f->sw->waiting))
		f->sw->fibers--;
	else
		eio__switch_fiber_done(f->sw, f, rc);
	if (unlikely(f->locals || f->error))
		drop_extras(f);
	d->fibers--;
}

/* @p next is about to run: fetches record and frames of one that comes after it. */
static __attribute__((noinline)) void look_ahead(struct eio__domain *d, struct eio__fiber *next)
{
	if (d->head)
		eio__look_ahead(&d->stacks, next, d->head, -2, 4);
}

EIO__UNINSTRUMENTED void *eio__arch_main(void *start)
{
	struct eio__fiber *f = start, *next;
	struct eio__domain *d = f->domain;

	eio__san_arrive(&f->san);
	finish(f, f->fn(f->arg));
	next = next_fiber(d);
	if (unlikely(eio__has_many_fibers(d)))
		look_ahead(d, next);
	/* Nobody can take the stack before it is left: there is one thread. */
	f->fn = NULL;
	f->next = d->stacks.hot;
	d->stacks.hot = f;
	d->stacks.n_hot++;
	d->current = next;
	eio__san_leave(&f->san, &next->san, true);
	return next->sp;
}

static void remote_wake(struct eio__inbox_node *n)
{
	eio__wake(eio__container_of(n, struct eio__fiber, remote));
}

/* A suspended fiber's domain does not end before it is woken; from then on the pin holds
 * it. */
void eio__wake_remote(struct eio__fiber *f)
{
	struct eio__waker *waker = &f->domain->waker;

	eio__waker_pin(waker);
	eio__waker_push(waker, &f->remote);
	eio__waker_unpin(waker);
}

/* A used stack, or a fresh one. What stays the same for all fibers of a stack is set here;
 * wait and error are NULL in a free record. */
static inline struct eio__fiber *take_stack(struct eio__domain *d)
{
	struct eio__fiber *f = d->stacks.hot;
	const char *why;
	int rc;

	if (likely(f)) {
		d->stacks.hot = f->next;
		d->stacks.n_hot--;
		return f;
	}
	f = eio__stack_make(&d->stacks, &rc, &why);
	if (!f) {
		eio__fail(rc, "fork", why);
		return NULL;
	}
	f->domain = d;
	f->remote.fn = remote_wake;
	return f;
}

#ifdef EIO_DEBUG
/* An argument in a frame that will be gone before the switch ends: between here and the
 * frame that began it, on the running stack, which grows down. */
static void warn_short_lived(const struct eio_switch *sw, const void *arg)
{
	const char *frame = __builtin_frame_address(0), *a = arg;
	const char *scope = eio__switch_of(sw)->frame;
	struct eio__fiber *f = eio__self();

	if (f && a > frame && a < scope && (!f->base || scope < (char *) f))
		eio__log(EIO_LOG_WARNING, "fork: the argument lies in a frame deeper than the "
					  "one that began the switch (use eio_fork_copy)");
}
#endif

static int fork_inheriting(struct eio_switch *pub, eio_fn *fn, const void *arg, size_t size,
			   unsigned flags);

/* Begun again by fork_inheriting when there are fiber-locals to be copied, so that nobody
 * else pays for it. */
static inline __attribute__((always_inline)) int fork_fiber(struct eio_switch *pub, eio_fn *fn,
							    const void *arg, size_t size,
							    unsigned flags, bool inheriting)
{
	struct eio__switch *sw = eio__switch_of(pub);
	struct eio__domain *d = eio__domain_self();
	bool daemon = flags & EIO__FORK_DAEMON;
	struct eio__fiber *f, *parent;
	size_t locals;
	char *top;

	if (unlikely(!d || sw->ctx.domain != d))
		return -EPERM;
	if (unlikely(sw->finished)) {
#ifdef EIO_DEBUG
		eio__fatal("fork on " EIO__CTX_FORMAT ", which is finished",
			   EIO__CTX_ARGS(&sw->ctx));
#else
		return -EINVAL;
#endif
	}
	if (unlikely(sw->ctx.err && !(flags & EIO__FORK_CANCELLED)))
		return -ECANCELED;
	parent = d->current;
	if (unlikely(parent->locals) && !inheriting)
		return fork_inheriting(pub, fn, arg, size, flags);
	locals = inheriting ? eio__bindings_size(parent->locals) : 0;
	if (unlikely(size > d->stacks.usable / 4 || locals > d->stacks.usable / 4 - size))
		return eio__fail(-E2BIG, "fork",
				 "argument and fiber-locals are larger than a quarter of a stack");
	f = take_stack(d);
	if (unlikely(!f))
		return -ENOMEM;

	top = (char *) f - locals;
	f->locals = inheriting ? eio__bindings_copy(parent->locals, top) : NULL;
	if (size) {
		top -= (size + 15) & ~(size_t) 15;
		arg = memcpy(top, arg, size);
	}
	f->sp = top;
	f->ctx = &sw->ctx;
	f->sw = sw;
	f->fn = fn;
	f->arg = (void *) arg;
	f->name = NULL;
	f->id = ++d->next_id;
	f->canceled = 0;
	f->direct = 0;
	f->interrupted = false;
	f->daemon = daemon;
	f->binds = false;
	eio__list_insert(&sw->ctx.fibers, &f->in_ctx);
	sw->fibers++;
	sw->daemons += daemon;
	d->fibers++;
	eio__san_stack(&f->san, f->base, d->stacks.usable);

	/* The caller resumes before anything queued earlier. */
	parent->next = d->head;
	if (!d->head)
		d->tail = parent;
	d->head = parent;
	transfer(d, f, f);
	return 0;
}

static __attribute__((noinline)) int fork_inheriting(struct eio_switch *sw, eio_fn *fn,
						     const void *arg, size_t size, unsigned flags)
{
	return fork_fiber(sw, fn, arg, size, flags, true);
}

int eio__fork(struct eio_switch *sw, eio_fn *fn, const void *arg, size_t size, unsigned flags)
{
	return fork_fiber(sw, fn, arg, size, flags, false);
}

int eio_fork(struct eio_switch *sw, eio_fn *fn, void *arg)
{
#ifdef EIO_DEBUG
	warn_short_lived(sw, arg);
#endif
	return fork_fiber(sw, fn, arg, 0, 0, false);
}

int eio_fork_copy(struct eio_switch *sw, eio_fn *fn, const void *arg, size_t size)
{
	return eio__fork(sw, fn, arg, size, 0);
}

int eio_fork_daemon(struct eio_switch *sw, eio_fn *fn, void *arg)
{
	return eio__fork(sw, fn, arg, 0, EIO__FORK_DAEMON);
}

int eio_check(void)
{
	struct eio__fiber *f;

	return eio__enter(&f);
}

bool eio_is_cancelled(void)
{
	struct eio__fiber *f = eio__self();

	return f && f->ctx->err;
}

static void wake_cancelled(struct eio__fiber *f, void *arg)
{
	(void) arg;
	eio__wake(f);
}

int eio_await_cancel(void)
{
	static const struct eio__wait wait = {.what = "cancellation", .cancel = wake_cancelled};

	struct eio__fiber *f = eio__self();

	if (!f)
		return -EPERM;
	if (!f->ctx->err)
		eio__suspend(f, &wait, NULL);
	return eio__canceled(f);
}

uint64_t eio_fiber_id(void)
{
	struct eio__fiber *f = eio__self();

	return f ? f->id : 0;
}

void eio_fiber_set_name(const char *name)
{
	struct eio__fiber *f = eio__self();

	if (f)
		f->name = name;
}

static const unsigned silent;

/* The bounds of the thread's own stack, which only sanitizers ask for. */
static void adopt_thread_stack(struct eio__fiber *main)
{
	void *bottom = NULL;
	size_t size = 0;
#ifdef EIO__ASAN
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &bottom, &size);
		pthread_attr_destroy(&attr);
	}
#endif
	eio__san_thread(&main->san, bottom, size);
}

static unsigned poll_in_child(struct eio__domain *d, bool wait)
{
	(void) d, (void) wait;
	eio__fatal("a fiber suspended in the child of a fork that was made in a call of its");
}

static const struct eio__sched_ops child_ops = {.name = "none", .poll = poll_in_child};

/* What the running fiber is in the middle of may still know its domain. No other fiber is
 * to run there, nor this one to come to an end. */
static void disable(struct eio__domain *d)
{
	d->head = NULL;
	d->ops = &child_ops;
	d->current->ctx = &forked;
}

/* The child of a fork has the parent's domain in its memory, but neither its ring nor the
 * threads it knows: to the library it is a thread without a domain. */
static void forget_domain(void)
{
	if (eio__tls_domain)
		disable(eio__tls_domain);
	eio__tls_domain = NULL;
	eio__anchors_forget();
	eio__domains_forget();
	eio__handlers_forget();
	eio__log_forget();
	eio__errors_forget();
	eio__threads_forget();
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forget_domain);
}

int eio__domain_init(struct eio__domain *d, const struct eio__sched_ops *ops, size_t stack_size)
{
	int rc;

	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (eio__tls_domain)
		return -EBUSY;
	pthread_once(&once, watch_forks);
	memset(d, 0, sizeof(*d));
	rc = eio__stacks_init(&d->stacks, stack_size);
	if (rc < 0)
		return rc;
	d->ops = ops;
	d->tick = eio__tick(ops->now(d));
	d->left = d->since_poll = EIO__SWITCHES_PER_LOOK;
	d->next_id = 1;
	d->current = &d->main;
	d->main.domain = d;
	d->main.id = 1;
	d->main.name = "main";
	d->signs = (struct eio__signs){&silent, &silent, &silent, 0};
	d->main.remote.fn = remote_wake;
	adopt_thread_stack(&d->main);
	eio__ctx_root(&d->root, d);
	eio__tls_domain = d;
	eio__domains_add(d);
	return 0;
}

void eio__domain_end(struct eio__domain *d)
{
	if (d->main.ctx != &d->root)
		returned_inside(&d->main, d->main.ctx->kind, d->main.ctx->name);
	if (d->main.locals)
		returned_inside_binding(&d->main);
	eio__jobs_end(d);
	if (d->signals)
		eio__fatal("main returned before eio_signals_end");
}

void eio__domain_fini(struct eio__domain *d)
{
	if (d->anchor)
		eio__anchor_end(d->anchor);
	eio__domains_remove(d);
	for (unsigned spins = 0; __atomic_load_n(&d->waker.pins, __ATOMIC_ACQUIRE);)
		eio__spin(&spins);
	eio__inbox_drain(&d->waker.inbox);
	eio__error_keep(d->main.error);
	if (d->main.error)
		eio__error_free(d, d->main.error);
	eio__errors_fini(d);
	eio__stacks_fini(&d->stacks);
	eio__heap_fini(&d->timers);
	eio__heap_fini(&d->wall_timers);
	eio__tls_domain = NULL;
}
