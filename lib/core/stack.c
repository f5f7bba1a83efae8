/* SPDX-License-Identifier: ISC */
#include "core/stack.h"
#include "core/fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than the headers of the systems this builds on. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define PIDFD_SELF_PROCESS (-10001) /* Linux 6.14 */

struct eio__slab {
	struct eio__slab *older;
	char *memory;
	size_t count;    /* stacks there is room for */
	size_t prepared; /* of these, with guards */
	size_t used;     /* of these, handed out at least once */
	long protected;  /* guards made by mprotect */
};

/* How guards are made; goes down on the kernel's refusal, once for the process. Any
 * thread may see to it. */
enum guards { GUARDS_BATCH, GUARDS_SINGLE, GUARDS_MPROTECT };

int eio__stack_guards __attribute__((visibility("hidden"))) = GUARDS_BATCH;

static size_t page_size(void)
{
	return (size_t) sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static char *stack_of(const struct eio__stacks *s, const struct eio__slab *slab, size_t slot)
{
	return slab->memory + slot * s->stride;
}

static struct eio__fiber *record_of(const struct eio__stacks *s, char *base, size_t slot)
{
	size_t colour = slot % EIO__COLOURS * 64;

	return (struct eio__fiber *) ((uintptr_t) (base + s->usable - colour -
						   sizeof(struct eio__fiber)) &
				      ~(uintptr_t) 63);
}

/*
 * One advice for several ranges of the own process by a single call: true when all of
 * it was taken. Since Linux 6.13 this is allowed for any advice; before, it fails.
 */
static bool advise_all(struct iovec *ranges, size_t n, int advice)
{
	size_t total = 0;
	long done;
	int pidfd;

	for (size_t i = 0; i < n; i++)
		total += ranges[i].iov_len;
	done = syscall(SYS_process_madvise, PIDFD_SELF_PROCESS, ranges, n, advice, 0);
	if (done < 0 && errno == EBADF) {
		pidfd = (int) syscall(SYS_pidfd_open, getpid(), 0);
		if (pidfd < 0)
			return false;
		done = syscall(SYS_process_madvise, pidfd, ranges, n, advice, 0);
		close(pidfd);
	}
	return done >= 0 && (size_t) done == total;
}

/*
 * Each guard made by mprotect costs two mappings. An eighth of vm.max_map_count is left
 * to the program. Shared by all domains, hence atomic; given back with the slab.
 */
static long guards_left = LONG_MIN; /* not known yet */

static long guard_budget(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = 0;
		close(fd);
	}
	return (text[0] ? atol(text) : 65530) / 8 * 7 / 2;
}

static bool take_guard(void)
{
	long unknown = LONG_MIN;

	if (__atomic_load_n(&guards_left, __ATOMIC_RELAXED) == unknown)
		__atomic_compare_exchange_n(&guards_left, &unknown, guard_budget(), false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	if (__atomic_sub_fetch(&guards_left, 1, __ATOMIC_RELAXED) >= 0)
		return true;
	__atomic_add_fetch(&guards_left, 1, __ATOMIC_RELAXED);
	return false;
}

static void give_guards(long n)
{
	__atomic_add_fetch(&guards_left, n, __ATOMIC_RELAXED);
}

static int kind_of_guards(void)
{
	return __atomic_load_n(&eio__stack_guards, __ATOMIC_RELAXED);
}

static void go_down_to(int kind)
{
	__atomic_store_n(&eio__stack_guards, kind, __ATOMIC_RELAXED);
}

/* 0 or -ENOMEM. Installing a guard twice is harmless, so a partial batch is redone. */
static int install_guards(struct eio__slab *slab, struct iovec *guards, size_t n,
			  const char **ret_why)
{
	long taken = 0;

	if (kind_of_guards() == GUARDS_BATCH) {
		if (advise_all(guards, n, MADV_GUARD_INSTALL))
			return 0;
		go_down_to(GUARDS_SINGLE);
	}
	for (size_t i = 0; i < n; i++) {
		if (kind_of_guards() == GUARDS_SINGLE) {
			if (madvise(guards[i].iov_base, guards[i].iov_len, MADV_GUARD_INSTALL) == 0)
				continue;
			go_down_to(GUARDS_MPROTECT);
		}
		if (!take_guard())
			goto refused;
		taken++;
		if (mprotect(guards[i].iov_base, guards[i].iov_len, PROT_NONE) < 0)
			goto refused;
	}
	slab->protected += taken;
	return 0;

refused:
	give_guards(taken);
	*ret_why = "stack guards: vm.max_map_count is nearly reached";
	return -ENOMEM;
}

/* Readies the next batch of the newest slab. */
static int prepare(struct eio__stacks *s, const char **ret_why)
{
	struct eio__slab *slab = s->slabs;
	struct iovec ranges[EIO__STACK_BATCH];
	size_t page = page_size(), n;
	int rc;

	for (n = 0; n < EIO__STACK_BATCH && slab->prepared + n < slab->count; n++) {
		ranges[n].iov_base = stack_of(s, slab, slab->prepared + n);
		ranges[n].iov_len = s->stride - s->usable;
	}
	rc = install_guards(slab, ranges, n, ret_why);
	if (rc < 0)
		return rc;
	if (slab->older || slab->prepared) {
		for (size_t i = 0; i < n; i++) {
			ranges[i].iov_base = (char *) ranges[i].iov_base + s->stride - page;
			ranges[i].iov_len = page;
		}
		advise_all(ranges, n, MADV_POPULATE_WRITE); /* else they come by faults */
	}
	slab->prepared += n;
	return 0;
}

/* A slab twice as large as the one before, or as large as can be had. */
static int add_slab(struct eio__stacks *s, const char **ret_why)
{
	size_t count = s->slabs ? s->slabs->count * 2 : EIO__STACK_BATCH;
	struct eio__slab *slab = calloc(1, sizeof(*slab));

	if (!slab) {
		*ret_why = "stacks: out of memory";
		return -ENOMEM;
	}
	for (;; count /= 2) {
		slab->memory = mmap(NULL, count * s->stride, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
		if (slab->memory != MAP_FAILED)
			break;
		if (count == 1) {
			free(slab);
			*ret_why = "stacks: no address space (RLIMIT_AS, vm.overcommit_memory or "
				   "vm.max_map_count)";
			return -ENOMEM;
		}
	}
	madvise(slab->memory, count * s->stride, MADV_NOHUGEPAGE);
	slab->count = count;
	slab->older = s->slabs;
	s->slabs = slab;
	return 0;
}

int eio__stacks_init(struct eio__stacks *s, size_t usable)
{
	size_t page = page_size();

	if (usable == 0)
		usable = EIO__STACK_DEFAULT;
	if (usable > (size_t) 1 << 30)
		return -EINVAL;
	*s = (struct eio__stacks){0};
	s->usable = round_up(usable < 2 * page ? 2 * page : usable, page);
	s->stride = s->usable + round_up(EIO__GUARD, page);
	if (s->stride / page % 2 == 0)
		s->stride += page;
	return 0;
}

void eio__stacks_fini(struct eio__stacks *s)
{
	struct eio__slab *slab;

	while ((slab = s->slabs)) {
		for (size_t i = 0; i < slab->used; i++) {
			char *base = stack_of(s, slab, i) + s->stride - s->usable;

			eio__san_gone(&record_of(s, base, i)->san);
		}
		give_guards(slab->protected);
		s->slabs = slab->older;
		munmap(slab->memory, slab->count * s->stride);
		free(slab);
	}
}

struct eio__fiber *eio__stack_make(struct eio__stacks *s, int *ret_err, const char **ret_why)
{
	struct eio__slab *slab;
	struct eio__fiber *f;
	char *base;

	if (s->cold) {
		struct eio__fiber *cold = s->cold;

		s->cold = cold->next;
		return cold;
	}
	if (!s->slabs || s->slabs->used == s->slabs->count) {
		*ret_err = add_slab(s, ret_why);
		if (*ret_err < 0)
			return NULL;
	}
	slab = s->slabs;
	if (slab->used == slab->prepared) {
		*ret_err = prepare(s, ret_why);
		if (*ret_err < 0)
			return NULL;
	}
	base = stack_of(s, slab, slab->used) + s->stride - s->usable;
	f = record_of(s, base, slab->used);
	f->base = base;
#ifdef EIO__VALGRIND
	(void) VALGRIND_STACK_REGISTER(base, base + s->usable);
#endif
	slab->used++;
	return f;
}

/* The page with the record and the first frames is kept. */
void eio__stacks_trim(struct eio__stacks *s)
{
	struct eio__fiber *last = NULL, *f = s->hot;
	struct iovec ranges[EIO__STACK_BATCH];
	size_t page = page_size(), n;

	for (n = 0; n < EIO__STACK_BATCH; n++) {
		last = f;
		f = f->next;
	}
	for (n = 0; n < EIO__STACK_BATCH; n++) {
		struct eio__fiber *next = f->next;

		ranges[n].iov_base = f->base;
		ranges[n].iov_len = ((uintptr_t) f & ~(uintptr_t) (page - 1)) - (uintptr_t) f->base;
		f->next = s->cold;
		s->cold = f;
		f = next;
	}
	last->next = f;
	s->n_hot -= n;
	if (!advise_all(ranges, n, MADV_DONTNEED)) {
		for (size_t i = 0; i < n; i++)
			madvise(ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED);
	}
}
