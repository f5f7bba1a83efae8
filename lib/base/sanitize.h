/* SPDX-License-Identifier: ISC */
/*
 * What sanitizers and Valgrind must be told about stacks; nothing in a plain build.
 *
 * The hooks take a struct eio__san that every fiber record has. ASan: start before
 * leaving a stack, finish after arriving; a stack that is left for good passes no
 * place to save its fake stack. TSan: one context per stack, reused with it.
 */
#ifndef EIO__SANITIZE_H
#define EIO__SANITIZE_H

#include <stdbool.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define EIO__ASAN    1
#define EIO__ASAN_ON 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef EIO__ASAN_ON
#define EIO__ASAN_ON 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define EIO__TSAN 1
#include <sanitizer/tsan_interface.h>
#endif

#ifdef EIO__VALGRIND
#include <valgrind/valgrind.h>
#endif

#if defined(__clang__)
#define EIO__UNINSTRUMENTED                                                                        \
	__attribute__((no_sanitize("address", "thread"), disable_sanitizer_instrumentation))
#else
#define EIO__UNINSTRUMENTED __attribute__((no_sanitize_address, no_sanitize_thread))
#endif

struct eio__san {
#ifdef EIO__ASAN
	void *fake;
	const void *bottom;
	size_t size;
#endif
#ifdef EIO__TSAN
	void *tsan;
#endif
	char unused; /* a structure has members */
};

/* A stack that is there already: the thread's own. */
static inline void eio__san_thread(struct eio__san *s, void *bottom, size_t size)
{
	(void) s, (void) bottom, (void) size;
#ifdef EIO__ASAN
	s->bottom = bottom;
	s->size = size;
#endif
#ifdef EIO__TSAN
	s->tsan = __tsan_get_current_fiber();
#endif
}

/* A stack about to be used by a new fiber, for the first time or again. */
static inline void eio__san_stack(struct eio__san *s, void *bottom, size_t size)
{
	(void) s, (void) bottom, (void) size;
#ifdef EIO__ASAN
	s->fake = NULL;
	s->bottom = bottom;
	s->size = size;
	__asan_unpoison_memory_region(bottom, size);
#endif
#ifdef EIO__TSAN
	if (!s->tsan)
		s->tsan = __tsan_create_fiber(0);
#endif
}

/* The stack's memory goes away. */
static inline void eio__san_gone(struct eio__san *s)
{
	(void) s;
#ifdef EIO__TSAN
	if (s->tsan)
		__tsan_destroy_fiber(s->tsan);
	s->tsan = NULL;
#endif
}

/* Memory that is mapped and unmapped behind TSan's back: what one thread did there is over
 * when another one gets the same addresses. @p token stands for all such memory. */
static inline void eio__san_mapped(void *token)
{
	(void) token;
#ifdef EIO__TSAN
	__tsan_acquire(token);
#endif
}

static inline void eio__san_unmap(void *token)
{
	(void) token;
#ifdef EIO__TSAN
	__tsan_release(token);
#endif
}

static inline EIO__UNINSTRUMENTED void eio__san_leave(struct eio__san *from, struct eio__san *to,
						      bool for_good)
{
	(void) from, (void) to, (void) for_good;
#ifdef EIO__ASAN
	__sanitizer_start_switch_fiber(for_good ? NULL : &from->fake, to->bottom, to->size);
#endif
#ifdef EIO__TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
}

static inline EIO__UNINSTRUMENTED void eio__san_arrive(struct eio__san *self)
{
	(void) self;
#ifdef EIO__ASAN
	__sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
#endif
}

#endif
