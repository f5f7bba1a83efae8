/* SPDX-License-Identifier: ISC */
#include "model/world.h"
#include "arch/arch.h"
#include "core/fiber.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA = 64 * 1024,
	STACK = 64 * 1024,
	REGIONS = 8,
	PRIVATES = 16,
	ANY = MODEL_THREADS, /* whose memory is aside */
	GAP = 32,            /* between blocks, for ASan */
	CLEAN = 1024,        /* bytes below a stack pointer that are overwritten */
	GONE = 0xee,
};

struct range {
	const char *name;
	char *start;
	size_t size;
	unsigned thread;
};

struct model_world model_world;
char model_world_failure[256];
const char model_go_on[] = "go on";

static _Alignas(64) char arena[ARENA];
static _Alignas(64) char stacks[MODEL_THREADS][STACK];

/* The same in all states. */
static struct range regions[REGIONS], privates[PRIVATES];
static unsigned n_regions, n_privates;
static struct eio__fiber boots[MODEL_THREADS]; /* what the assembly starts */

/* Of the step being made. */
static struct model_thread *running;
static unsigned choice;
static uint64_t result;
static bool silent; /* the access is no step */

static bool large;

static struct eio__san explorer_san;
static void *explorer_sp;

static char *stack_of(const struct model_thread *t)
{
	return stacks[t - model_world.threads];
}

/* ASan */

static void poison(const void *p, size_t size)
{
	(void) p, (void) size;
#ifdef EIO__ASAN
	__asan_poison_memory_region(p, size);
#endif
}

static void unpoison(const void *p, size_t size)
{
	(void) p, (void) size;
#ifdef EIO__ASAN
	__asan_unpoison_memory_region(p, size);
#endif
}

#ifdef EIO__ASAN
/* One byte tells about eight. */
static EIO__UNINSTRUMENTED volatile char *shadow_of(const void *p)
{
	size_t scale, offset;

	__asan_get_shadow_mapping(&scale, &offset);
	return (volatile char *) (((uintptr_t) p >> scale) + offset);
}
#endif

/* Words, poisoned or not; memcpy would be checked. */
static EIO__UNINSTRUMENTED void copy(volatile uint64_t *to, const volatile uint64_t *from,
				     size_t size)
{
	for (size_t i = 0; i < size / 8; i++)
		to[i] = from[i];
}

static EIO__UNINSTRUMENTED void overwrite(void *p, size_t size)
{
	volatile uint64_t *to = p;

	for (size_t i = 0; i < size / 8; i++)
		to[i] = GONE * (uint64_t) 0x0101010101010101;
}

/* Switching */

static __attribute__((noinline)) EIO__UNINSTRUMENTED void
transfer(void **save, void *load, void *start, struct eio__san *from, struct eio__san *to)
{
	eio__san_leave(from, to, false);
	eio__arch_switch(save, load, start);
	eio__san_arrive(from);
	__asm__ volatile(""); /* a call, not a jump: no tail call */
}

/* Overwrites what is below a stopped thread's stack pointer, down to where nothing was
 * written for a long way. */
static EIO__UNINSTRUMENTED void tidy(const struct model_thread *t)
{
	volatile uint64_t *bottom = (uint64_t *) stack_of(t), *p = t->sp;

	for (unsigned clean = 0; p > bottom && clean < CLEAN / 8; clean++) {
		if (*--p != GONE * (uint64_t) 0x0101010101010101)
			clean = 0;
		*p = GONE * (uint64_t) 0x0101010101010101;
	}
	poison(stack_of(t), (size_t) ((char *) t->sp - stack_of(t)));
}

static void leave(struct model_thread *t)
{
	if ((char *) __builtin_frame_address(0) < stack_of(t) + STACK / 4 &&
	    !model_world_failure[0])
		snprintf(model_world_failure, sizeof(model_world_failure),
			 "the stack of %s grows and grows", t->name);
	t->domain = eio__tls_domain;
	transfer(&t->sp, explorer_sp, NULL, &boots[t - model_world.threads].san, &explorer_san);
}

static uint64_t run(struct model_thread *t, void *start)
{
	running = t;
	silent = false;
	result = 0;
	eio__tls_domain = t->domain;
	unpoison(stack_of(t), start ? STACK : (size_t) ((char *) t->sp - stack_of(t)));
	transfer(&explorer_sp, t->sp, start, &explorer_san, &boots[t - model_world.threads].san);
	eio__tls_domain = NULL;
	running = NULL;
	tidy(t);
	return result;
}

uint64_t model_world_step(struct model_thread *t, unsigned c)
{
	choice = c;
	return run(t, NULL);
}

static int thread_main(void *arg)
{
	struct model_thread *t = arg;

	t->fn(t->arg);
	t->frame = stack_of(t) + STACK;
	t->status = ENDED;
	t->looked = t->stale = false;
	for (;;)
		leave(t);
	return 0;
}

/* Stopping. False: a handler interrupted a wait. */
static bool stop(struct model_thread *t, enum model_status status, const struct model_site *site,
		 const volatile void *addr, unsigned choices)
{
	for (;;) {
		t->status = status;
		t->site = site;
		t->addr = addr;
		t->choices = choices;
		leave(t);
		t->status = STEPPING;
		if (choice != MODEL_INTERRUPT)
			return true;
		t->in_handler = true;
		t->handler(t->handler_arg);
		t->in_handler = false;
		t->handler = NULL;
		if (status == WAITING)
			return false;
	}
}

void model_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!model_world_failure[0])
		vsnprintf(model_world_failure, sizeof(model_world_failure), fmt, ap);
	va_end(ap);
	while (running)
		leave(running);
}

static const struct model_block *block_at(uintptr_t addr)
{
	for (unsigned i = 0; i < model_world.n_blocks; i++) {
		const struct model_block *b = &model_world.blocks[i];

		if (addr - (uintptr_t) b->start < b->size)
			return b;
	}
	return NULL;
}

static const struct range *range_at(const struct range *ranges, unsigned n, uintptr_t addr)
{
	for (unsigned i = 0; i < n; i++) {
		if (addr - (uintptr_t) ranges[i].start < ranges[i].size)
			return &ranges[i];
	}
	return NULL;
}

static const struct model_thread *stack_at(uintptr_t addr)
{
	for (unsigned i = 0; i < model_world.n_threads; i++) {
		if (addr - (uintptr_t) stacks[i] < STACK)
			return &model_world.threads[i];
	}
	return NULL;
}

/* The thread is about to touch this: is it there, and known? */
static void check_address(const struct model_thread *t, const volatile void *p)
{
	uintptr_t addr = (uintptr_t) p;
	const struct model_block *b = block_at(addr);
	const struct model_thread *owner = stack_at(addr);
	const struct range *private = range_at(privates, n_privates, addr);

	if (b && b->freed)
		model_fail("%s is touched after its end", b->name);
	if (owner && owner != t && addr < (uintptr_t) owner->frame)
		model_fail("a frame of %s is touched after its end", owner->name);
	if (private && private->thread != ANY && private->thread != t - model_world.threads)
		model_fail("%s touches private memory", t->name);
	if (!b && !private && !owner && !range_at(regions, n_regions, addr))
		model_fail("an atomic access to memory that is no part of the model");
}

void model_before(const struct model_site *site, const volatile void *addr, size_t size)
{
	(void) size;
	if (!running)
		return;
	silent = range_at(privates, n_privates, (uintptr_t) addr);
	if (!silent) {
		running->frame = __builtin_frame_address(0);
		stop(running, STEPPING, site, addr, 1);
	}
	check_address(running, addr);
}

/* Whoever spins looks again; the one who changed it may go round because of that, too. */
static void note_change(void)
{
	for (unsigned i = 0; i < model_world.n_threads; i++)
		model_world.threads[i].stale = model_world.threads[i].status != ENDED;
}

/* Others may come between a change and what the thread does next, which is too late for
 * what it was to publish. */
void model_after(uint64_t value, bool changed)
{
	static const struct model_site site = {"", 0, model_go_on, "after the change"};

	if (!running || silent)
		return;
	result = value;
	running->looked = true;
	if (!changed)
		return;
	note_change();
	running->frame = __builtin_frame_address(0);
	stop(running, STEPPING, &site, NULL, 1);
}

void model_spin(void)
{
	static const struct model_site site = {"", 0, "spin", "until something changes"};

	/* Pauses in a row are one. */
	if (!running || !running->looked)
		return;
	running->frame = __builtin_frame_address(0);
	stop(running, SPINNING, &site, NULL, 1);
	running->looked = running->stale = false;
}

bool model_running(void)
{
	return running;
}

unsigned model_choose(const char *what, unsigned n)
{
	static const struct model_site site = {"", 0, "choose", NULL};

	running->frame = __builtin_frame_address(0);
	running->what = what;
	stop(running, STEPPING, &site, NULL, n);
	running->what = NULL;
	return (unsigned) (result = choice);
}

bool model_wait(const char *what, bool (*ready)(const void *arg), const void *arg)
{
	static const struct model_site site = {"", 0, "wait", NULL};
	struct model_thread *t = running;
	bool came;

	t->frame = __builtin_frame_address(0);
	t->what = what;
	t->ready = ready;
	t->ready_arg = arg;
	came = stop(t, WAITING, &site, NULL, 1);
	t->what = NULL;
	t->ready = NULL;
	t->ready_arg = NULL;
	return came;
}

static bool has_ended(const void *arg)
{
	return ((const struct model_thread *) arg)->status == ENDED;
}

bool model_has_ended(unsigned thread)
{
	return has_ended(&model_world.threads[thread]);
}

void model_join(unsigned thread)
{
	model_wait("end of a thread", has_ended, &model_world.threads[thread]);
}

unsigned model_world_choices(const struct model_thread *t)
{
	switch (t->status) {
	case STEPPING:
		return t->choices;
	case SPINNING:
		return t->stale;
	case WAITING:
		return t->ready(t->ready_arg);
	default:
		return 0;
	}
}

/* Memory */

void *model_alloc(const char *name, size_t size)
{
	struct model_world *w = &model_world;
	struct model_block *b = &w->blocks[w->n_blocks++];

	size = (size + 15) & ~(size_t) 15;
	if (w->n_blocks == MODEL_BLOCKS || w->used + size + GAP > ARENA)
		abort();
	b->name = name;
	b->start = arena + w->used;
	b->size = size;
	w->used += size + GAP;
	unpoison(b->start, size);
	return memset(b->start, 0, size);
}

void model_free(void *p)
{
	static const struct model_site site = {"", 0, "free", "a block"};
	struct model_block *b = (struct model_block *) block_at((uintptr_t) p);

	if (!b || p != b->start) {
		model_fail("what is freed was never allocated");
		return;
	}
	if (running) {
		running->frame = __builtin_frame_address(0);
		stop(running, STEPPING, &site, p, 1);
	}
	if (b->freed) {
		model_fail("%s is freed twice", b->name);
		return;
	}
	b->freed = true;
	result = (uintptr_t) p;
	overwrite(p, b->size);
	poison(p, b->size);
}

bool model_owns(const void *p)
{
	return (uintptr_t) p - (uintptr_t) arena < ARENA;
}

static EIO__UNINSTRUMENTED bool is_gone(const struct model_block *b)
{
	const volatile unsigned char *p = (const volatile unsigned char *) b->start;

	for (size_t i = 0; i < b->size; i++) {
		if (p[i] != GONE)
			return false;
	}
	return true;
}

const char *model_world_damage(void)
{
	for (unsigned i = 0; i < model_world.n_blocks; i++) {
		const struct model_block *b = &model_world.blocks[i];

		if (b->freed && !is_gone(b))
			return b->name;
	}
	return NULL;
}

void model_region(const char *name, void *p, size_t size)
{
	if (n_regions == REGIONS || ((uintptr_t) p | size) % 8)
		abort();
	regions[n_regions++] = (struct range){name, p, size, 0};
}

void model_private(unsigned thread, const void *p, size_t size)
{
	if (n_privates == PRIVATES)
		abort();
	privates[n_privates++] = (struct range){"", (char *) p, size, thread};
}

void model_aside(const void *p, size_t size)
{
	model_private(ANY, p, size);
}

void model_world_describe(char *buf, size_t size, uint64_t value)
{
	const struct model_block *b = block_at(value);
	const struct range *r = range_at(regions, n_regions, value);
	const struct model_thread *t = stack_at(value);

	if (b)
		snprintf(buf, size, "%s+%zu", b->name, (size_t) value - (size_t) b->start);
	else if (r)
		snprintf(buf, size, "%s+%zu", r->name, (size_t) value - (size_t) r->start);
	else if (t)
		snprintf(buf, size, "stack of %s-%zu", t->name,
			 (size_t) stack_of(t) + STACK - (size_t) value);
	else
		snprintf(buf, size, value < 4096 ? "%llu" : "0x%llx", (unsigned long long) value);
}

/* Threads */

unsigned model_thread(const char *name, void (*fn)(void *arg), void *arg)
{
	unsigned i = model_world.n_threads++;
	struct model_thread *t = &model_world.threads[i];

	if (i == MODEL_THREADS)
		abort();
	t->name = name;
	t->fn = fn;
	t->arg = arg;
	return i;
}

void model_handler(unsigned thread, void (*fn)(void *arg), void *arg)
{
	model_world.threads[thread].handler = fn;
	model_world.threads[thread].handler_arg = arg;
}

void model_large(void)
{
	large = true;
}

bool model_world_is_large(void)
{
	return large;
}

void model_thread_domain(unsigned thread, struct eio__domain *d)
{
	model_world.threads[thread].domain = d;
}

/* The bounds of the real thread's stack, which only ASan asks for. */
static void adopt_thread_stack(void)
{
	void *bottom = NULL;
	size_t size = 0;
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &bottom, &size);
		pthread_attr_destroy(&attr);
	}
	eio__san_thread(&explorer_san, bottom, size);
}

void model_world_clear(void)
{
	memset(&model_world, 0, sizeof(model_world));
	n_regions = n_privates = 0;
	large = false;
	model_world_failure[0] = 0;
	unpoison(arena, sizeof(arena));
	overwrite(arena, sizeof(arena));
	poison(arena, sizeof(arena));
	unpoison(stacks, sizeof(stacks));
	overwrite(stacks, sizeof(stacks));
	adopt_thread_stack();
}

void model_world_start(void)
{
	for (unsigned i = 0; i < model_world.n_threads && !model_world_failure[0]; i++) {
		struct model_thread *t = &model_world.threads[i];

		boots[i] = (struct eio__fiber){.fn = thread_main, .arg = t};
		eio__san_stack(&boots[i].san, stacks[i], STACK);
		t->sp = stacks[i] + STACK;
		run(t, &boots[i]);
	}
}

/* States */

struct piece {
	void *start;
	size_t size;
};

/* What a state consists of; the shadows are saved, but not hashed. */
static unsigned pieces(struct piece *p)
{
	unsigned n = 0;

	p[n++] = (struct piece){&model_world, sizeof(model_world)};
	p[n++] = (struct piece){arena, model_world.used};
	for (unsigned i = 0; i < n_regions; i++)
		p[n++] = (struct piece){regions[i].start, regions[i].size};
	for (unsigned i = 0; i < model_world.n_threads; i++) {
		const struct model_thread *t = &model_world.threads[i];
		char *sp = t->sp;

		if (t->status != ENDED)
			p[n++] = (struct piece){sp, (size_t) (stacks[i] + STACK - sp)};
	}
	return n;
}

enum { PIECES = 2 + REGIONS + MODEL_THREADS };

static EIO__UNINSTRUMENTED uint64_t mix(uint64_t h, const uint64_t *words, size_t size)
{
	uint64_t a = h, b = ~h;
	size_t n = size / 8, i = 0;

	for (; i + 1 < n; i += 2) {
		a = (a ^ words[i]) * 0x9e3779b97f4a7c15;
		b = (b ^ words[i + 1]) * 0xc2b2ae3d27d4eb4f;
		a ^= a >> 29;
		b ^= b >> 31;
	}
	if (i < n)
		a = (a ^ words[i]) * 0x165667b19e3779f9;
	a ^= b >> 32 | b << 32;
	a *= 0xff51afd7ed558ccd;
	return a ^ a >> 32;
}

uint64_t model_world_hash(void)
{
	struct piece p[PIECES];
	unsigned n = pieces(p);
	uint64_t h = 1;

	for (unsigned i = 0; i < n; i++)
		h = mix(h, p[i].start, p[i].size);
	return h;
}

static size_t shadow_size(const struct piece *p)
{
	return EIO__ASAN_ON ? (p->size / 8 + 7) & ~(size_t) 7 : 0;
}

size_t model_world_size(void)
{
	struct piece p[PIECES];
	unsigned n = pieces(p);
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += p[i].size + shadow_size(&p[i]);
	return size;
}

static EIO__UNINSTRUMENTED void copy_shadow(struct piece *p, uint64_t *buf, bool back)
{
	(void) p, (void) buf, (void) back;
#ifdef EIO__ASAN
	volatile char *shadow = shadow_of(p->start), *saved = (volatile char *) buf;

	for (size_t i = 0; i < p->size / 8; i++) {
		if (back)
			shadow[i] = saved[i];
		else
			saved[i] = shadow[i];
	}
#endif
}

void model_world_save(uint64_t *to)
{
	struct piece p[PIECES];
	unsigned n = pieces(p);

	for (unsigned i = 0; i < n; i++) {
		copy(to, p[i].start, p[i].size);
		to += p[i].size / 8;
		copy_shadow(&p[i], to, false);
		to += shadow_size(&p[i]) / 8;
	}
}

void model_world_restore(const uint64_t *from)
{
	struct piece p[PIECES];
	size_t size = sizeof(model_world);
	unsigned n;

	/* It knows how long the others are. */
	copy((uint64_t *) &model_world, from, size);
	n = pieces(p);
	for (unsigned i = 0; i < n; i++) {
		copy(p[i].start, from, p[i].size);
		from += p[i].size / 8;
		copy_shadow(&p[i], (uint64_t *) from, true);
		from += shadow_size(&p[i]) / 8;
	}
	for (unsigned i = 0; i < model_world.n_threads; i++)
		tidy(&model_world.threads[i]);
	model_world_failure[0] = 0;
}
