/* SPDX-License-Identifier: ISC */
#include "core/ctx.h"
#include "core/timer.h"
#include "model/domain.h"
#include "uring/fd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	ENTRIES = 4,
	FIRST_WAKE = 1000, /* numbers of wake-up descriptors, and of others */
	FIRST_PLAIN = 2000,
	A_WHILE = 1000000, /* ns; longer than anybody spins */
	PLAINS = 4,
	PLACES = 2,
};

/* One domain's. */
struct kernel {
	/* The ring: nobody else touches it. */
	struct io_uring_sqe sqes[ENTRIES];
	uint64_t cqes[2 * ENTRIES][2]; /* a struct io_uring_cqe has an open end */
	unsigned sq_head, sq_flags, cq_head, cq_tail;
	unsigned places; /* in the table of files: a bit for each that is filled */

	uint64_t wakes; /* of the wake-up descriptor */
	uint64_t read;  /* user_data of its read in flight; 0: none */
	unsigned closed;
	int64_t now;
	bool paused;                       /* time may have passed */
	struct model_canceller *canceller; /* which has not cancelled yet */
};

struct domain {
	struct eio__uring uring;
	void (*fn)(void *arg);
	void *arg;
};

/* Known from the setting up on. */
static struct kernel *kernels[MODEL_THREADS];
static struct domain *domains[MODEL_THREADS];
static unsigned n_kernels;
static bool stay; /* domains do not end */
static unsigned *plains;
static int n_plains;
static int installed; /* the number of what is in a place */

void (*eio__ring_hook)(struct eio__ring *r);

/* Descriptors */

static void close_plain(int fd)
{
	unsigned times = __atomic_add_fetch(&plains[fd - FIRST_PLAIN], 1, __ATOMIC_SEQ_CST);

	model_expect(times == 1, "a descriptor is closed twice");
}

int model_descriptor(void)
{
	if (n_plains == 0)
		plains = model_alloc("descriptors", PLAINS * sizeof(plains[0]));
	if (n_plains == PLAINS)
		abort();
	return FIRST_PLAIN + n_plains++;
}

bool model_is_closed(int unix_fd)
{
	return plains[unix_fd - FIRST_PLAIN];
}

void model_installs(int unix_fd)
{
	installed = unix_fd;
}

static int fill_place(struct kernel *k)
{
	for (int place = 0; place < PLACES; place++) {
		if (k->places & 1u << place)
			continue;
		k->places |= 1u << place;
		return place;
	}
	model_fail("no place is left in the table");
	return -ENFILE;
}

static void look_at_place(const struct kernel *k, unsigned place)
{
	model_expect(place < PLACES && k->places & 1u << place, "a place is empty");
}

static void empty_place(struct kernel *k, unsigned place)
{
	look_at_place(k, place);
	k->places &= ~(1u << place);
}

/* The linker sends the library's calls here. */
int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);
int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void __real_free(void *p);
void __wrap_free(void *p);
void __real_abort(void);
void __wrap_abort(void);
int __wrap_io_uring_register_files_sparse(struct io_uring *ring, unsigned n);
int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned place, const int *files,
					  unsigned n);
int __wrap_io_uring_unregister_files(struct io_uring *ring);

int __wrap_io_uring_register_files_sparse(struct io_uring *ring, unsigned n)
{
	(void) ring, (void) n;
	return 0;
}

int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned place, const int *files,
					  unsigned n)
{
	(void) files;
	empty_place(eio__container_of(ring, struct eio__ring, uring)->meddler, place);
	return (int) n;
}

int __wrap_io_uring_unregister_files(struct io_uring *ring)
{
	struct kernel *k = eio__container_of(ring, struct eio__ring, uring)->meddler;

	k->places = 0;
	return 0;
}

int __wrap_eventfd(unsigned count, int flags)
{
	(void) count, (void) flags;
	return FIRST_WAKE + (int) n_kernels - 1;
}

int __wrap_close(int fd)
{
	if (!model_running())
		return __real_close(fd);
	if (fd >= FIRST_PLAIN)
		close_plain(fd);
	else
		__atomic_store_n(&kernels[fd - FIRST_WAKE]->closed, 1, __ATOMIC_SEQ_CST);
	return 0;
}

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	struct kernel *k;

	if (!model_running() || fd < FIRST_WAKE)
		return __real_write(fd, buf, size);
	k = kernels[fd - FIRST_WAKE];
	__atomic_add_fetch(&k->wakes, 1, __ATOMIC_SEQ_CST);
	model_expect(!k->closed, "a wake-up descriptor is written to after its end");
	return (ssize_t) size;
}

/* Memory is the model's while it is set up and runs. For the record of a failure there is
 * none. */

void *__wrap_malloc(size_t size)
{
	return model_running() ? NULL : __real_malloc(size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return p ? __real_reallocarray(p, n, size) : model_alloc("array", n * size);
}

void __wrap_free(void *p)
{
	if (model_owns(p))
		model_free(p);
	else
		__real_free(p);
}

void __wrap_abort(void)
{
	if (model_running())
		model_fail("abort");
	__real_abort();
}

/* How the library waits for a lock has only to do with speed: without its pauses there are
 * fewer states. */

static bool is_free(const void *arg)
{
	return !(((const struct eio__lock *) arg)->word & EIO__LOCKED);
}

void eio__lock_await(const struct eio__lock *l)
{
	model_wait("lock", is_free, l);
}

/* The count stays 0: it would tell states apart. */
void eio__spin(unsigned *spins)
{
	(void) spins;
	model_relax("");
}

/* The scheduler spins for some time, all others until something changes. */
void model_relax(const char *file)
{
	static const char timed[] = "/uring/sched.c";
	size_t n = strlen(file);

	if (!model_running())
		return;
	if (n > strlen(timed) && !strcmp(file + n - strlen(timed), timed))
		((struct kernel *) eio__uring_self()->ring.meddler)->paused = true;
	else
		model_spin();
}

/* Time passes when a timer or a loop waits for it, or not yet. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	struct eio__uring *u = eio__uring_self();
	struct kernel *k;
	int64_t next;

	if (!model_running())
		return __real_clock_gettime(clock, ret);
	*ret = (struct timespec){0, 0};
	if (clock != CLOCK_MONOTONIC || !u)
		return 0;
	k = u->ring.meddler;
	if (k->paused) {
		k->paused = false;
		ret->tv_nsec = (long) k->now + (model_choose("time passes", 2) ? A_WHILE : 0);
		return 0;
	}
	next = eio__heap_least(&u->domain.timers);
	if (next != EIO_NEVER && k->now < next && model_choose("time passes", 2))
		k->now = next;
	ret->tv_nsec = (long) k->now;
	return 0;
}

/* The ring */

static void complete(struct kernel *k, uint64_t user_data, int res)
{
	struct io_uring_cqe *cqe = (void *) k->cqes[k->cq_tail++ % (2 * ENTRIES)];

	cqe->user_data = user_data;
	cqe->res = res;
	cqe->flags = 0;
}

static void submit(struct kernel *k, const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_NOP:
		complete(k, sqe->user_data, 0);
		break;
	case IORING_OP_READ:
		k->read = sqe->user_data;
		break;
	case IORING_OP_CLOSE:
		if (sqe->file_index)
			empty_place(k, sqe->file_index - 1);
		else
			close_plain(sqe->fd);
		complete(k, sqe->user_data, 0);
		break;
	case IORING_OP_FSYNC:
		if (sqe->flags & IOSQE_FIXED_FILE)
			look_at_place(k, (unsigned) sqe->fd);
		else
			model_expect(!model_is_closed(sqe->fd), "used after its end");
		complete(k, sqe->user_data, 0);
		break;
	case IORING_OP_SOCKET:
		complete(k, sqe->user_data, fill_place(k));
		break;
	case IORING_OP_FILES_UPDATE:
		*(int *) (uintptr_t) sqe->addr = fill_place(k);
		complete(k, sqe->user_data, 1);
		break;
	case EIO__OP_FIXED_FD_INSTALL:
		look_at_place(k, (unsigned) sqe->fd);
		complete(k, sqe->user_data, installed);
		break;
	default:
		model_fail("the model's kernel does not know operation %d", sqe->opcode);
	}
}

static bool has_completions(const struct kernel *k)
{
	return k->cq_head != k->cq_tail;
}

static bool is_woken(const void *arg)
{
	const struct kernel *k = arg;

	return has_completions(k) || (k->read && k->wakes);
}

static bool is_woken_or_cancelled(const void *arg)
{
	const struct kernel *k = arg;

	return is_woken(k) || k->canceller;
}

static bool always(const void *arg)
{
	(void) arg;
	return true;
}

/* False: a signal handler interrupted it. */
static bool wait_for_one(const struct kernel *k, bool may_time_out)
{
	if (may_time_out)
		return model_wait("time or wake-up", always, k);
	if (k->canceller)
		return model_wait("cancellation or wake-up", is_woken_or_cancelled, k);
	return model_wait("wake-up", is_woken, k);
}

/* What another fiber that runs meanwhile may do to the one that waits. */
static void cancel(struct kernel *k, bool must)
{
	struct model_canceller *c = k->canceller;

	if (!c || (!must && !model_choose("a fiber cancels", 2)))
		return;
	k->canceller = NULL;
	eio_cancel_raise(c->cancel, -ECANCELED);
}

static int enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	struct io_uring_sq *sq = &r->uring.sq;
	struct kernel *k = r->meddler;
	bool idle, may_time_out = wait && timeout_ns != EIO_NEVER;

	while (k->sq_head != sq->sqe_tail)
		submit(k, &k->sqes[k->sq_head++ % ENTRIES]);
	if (wait && !has_completions(k) && !wait_for_one(k, may_time_out))
		return -EINTR;
	if (k->read && __atomic_exchange_n(&k->wakes, 0, __ATOMIC_SEQ_CST)) {
		complete(k, k->read, sizeof(k->wakes));
		k->read = 0;
	}
	idle = wait && !has_completions(k);
	cancel(k, idle && !may_time_out);
	if (!idle || !may_time_out)
		return 0;
	k->now += timeout_ns;
	return -ETIME;
}

int eio__ring_init(struct eio__ring *r, const struct eio_config *config, bool polled,
		   const struct eio__ring *sharing, char *why, size_t size)
{
	struct kernel *k = model_alloc("kernel", sizeof(*k));

	(void) config, (void) polled, (void) sharing, (void) why, (void) size;
	memset(r, 0, sizeof(*r));
	r->enter = enter;
	r->meddler = k;
	r->uring.features = IORING_FEAT_RW_ATTR;
	r->uring.sq.sqes = k->sqes;
	r->uring.sq.khead = &k->sq_head;
	r->uring.sq.kflags = &k->sq_flags;
	r->uring.sq.ring_entries = ENTRIES;
	r->uring.sq.ring_mask = ENTRIES - 1;
	r->uring.cq.cqes = (struct io_uring_cqe *) (void *) k->cqes;
	r->uring.cq.khead = &k->cq_head;
	r->uring.cq.ktail = &k->cq_tail;
	r->uring.cq.ring_mask = 2 * ENTRIES - 1;
	kernels[n_kernels++] = k;
	return 0;
}

void eio__ring_fini(struct eio__ring *r)
{
	(void) r;
}

int eio__ring_kernel_enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	return enter(r, wait, timeout_ns);
}

/* Cancelling */

static void time_out(struct eio_timer *t)
{
	struct model_canceller *c = eio__container_of(t, struct model_canceller, timer);

	eio_cancel_raise(c->cancel, -ECANCELED);
}

void model_cancel_begin(struct model_canceller *c, struct eio_cancel *context, unsigned ways)
{
	struct kernel *k = eio__uring_self()->ring.meddler;
	unsigned how = ways == SURELY ? 1 : model_choose("nobody, a fiber, a timer cancels", ways);

	model_mark(MODEL_MAY_CANCEL);
	c->cancel = context;
	c->timer.fn = time_out;
	eio__timer_start(&c->timer, how == 2 ? k->now + 1 : EIO_NEVER);
	k->canceller = how == 1 ? c : NULL;
}

void model_cancel_end(struct model_canceller *c)
{
	struct kernel *k = eio__uring_self()->ring.meddler;

	eio__timer_stop(&c->timer);
	k->canceller = NULL;
	if (eio_cancel_error(c->cancel))
		model_mark(MODEL_CANCELLED);
}

/* Domains */

static void domain_main(void *arg)
{
	struct domain *d = arg;

	d->fn(d->arg);
	if (stay) {
		model_expect(!d->uring.domain.head, "a fiber was woken too often");
		return;
	}
	eio__uring_fini(&d->uring);
	model_expect(!d->uring.domain.head, "a fiber was woken too often");
	model_free(d);
}

void model_machine(bool descriptors)
{
	n_kernels = 0;
	n_plains = 0;
	stay = false;
	model_domain_list(false);
	model_table(descriptors);
}

unsigned model_domain(const char *name, void (*fn)(void *arg), void *arg)
{
	const struct eio_config config = {0};
	struct domain *d = model_alloc(name, sizeof(*d));
	struct kernel *k;
	unsigned i;
	char why[64];

	d->fn = fn;
	d->arg = arg;
	if (eio__uring_init(&d->uring, &config, NULL, why, sizeof(why)) < 0)
		abort();
	i = model_thread(name, domain_main, d);
	k = d->uring.ring.meddler;
	model_private(i, k, offsetof(struct kernel, wakes));
	model_aside(&d->uring.domain.entry, sizeof(d->uring.domain.entry));
	model_thread_domain(i, &d->uring.domain);
	eio__tls_domain = NULL;
	domains[i] = d;
	return i;
}

void model_domains_stay(void)
{
	stay = true;
}

void model_in_domain(unsigned domain, void (*fn)(void *arg), void *arg)
{
	eio__tls_domain = &domains[domain]->uring.domain;
	fn(arg);
	eio__tls_domain = NULL;
}

bool model_waits(unsigned domain)
{
	return model_has_ended(domain) || domains[domain]->uring.domain.main.wait;
}

struct eio__waker *model_waker(unsigned domain)
{
	return &domains[domain]->uring.domain.waker;
}
