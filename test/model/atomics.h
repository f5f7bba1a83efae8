/* SPDX-License-Identifier: ISC */
/*
 * Included before everything else when the library is compiled for the model: each
 * atomic access tells the explorer what it is about to touch, waits for its turn, and
 * tells what came of it. A thread that spins waits until somebody has changed what it
 * looks at. The process pretends to have many threads.
 *
 * Fences are left alone: the model's memory is sequentially consistent.
 */
#ifndef EIO_TEST_MODEL_ATOMICS_H
#define EIO_TEST_MODEL_ATOMICS_H
#ifndef __ASSEMBLER__

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define __libc_single_threaded false
#endif
#endif

/* A place in the source, for people. */
struct model_site {
	const char *file;
	unsigned line;
	const char *what, *where;
};

/* Before an access, and after it: was it one that changed the memory? */
void model_before(const struct model_site *site, const volatile void *addr, size_t size);
void model_after(uint64_t value, bool changed);

/* One round of a loop that waits for others, and where. */
void model_relax(const char *file);

#define MODEL_SITE(what, where)                                                                    \
	__extension__({                                                                            \
		static const struct model_site model_s = {__FILE__, __LINE__, what, where};        \
		&model_s;                                                                          \
	})

#define MODEL_WORD(v) ((uint64_t) (uintptr_t) (v))

/* In the expansion of a macro its own name is the builtin. */

#define __atomic_load_n(p, order)                                                                  \
	__extension__({                                                                            \
		__auto_type model_p = (p);                                                         \
		model_before(MODEL_SITE("load", #p), model_p, sizeof(*model_p));                   \
		__auto_type model_v = __atomic_load_n(model_p, order);                             \
		model_after(MODEL_WORD(model_v), false);                                           \
		model_v;                                                                           \
	})

#define __atomic_store_n(p, v, order)                                                              \
	__extension__({                                                                            \
		__auto_type model_p = (p);                                                         \
		__typeof__(*model_p) model_v = (v), model_o;                                       \
		model_before(MODEL_SITE("store", #p), model_p, sizeof(*model_p));                  \
		model_o = *model_p;                                                                \
		__atomic_store_n(model_p, model_v, order);                                         \
		model_after(MODEL_WORD(model_v), model_o != model_v);                              \
	})

#define __atomic_exchange_n(p, v, order)                                                           \
	__extension__({                                                                            \
		__auto_type model_p = (p);                                                         \
		__typeof__(*model_p) model_v = (v), model_o;                                       \
		model_before(MODEL_SITE("exchange", #p), model_p, sizeof(*model_p));               \
		model_o = __atomic_exchange_n(model_p, model_v, order);                            \
		model_after(MODEL_WORD(model_o), model_o != model_v);                              \
		model_o;                                                                           \
	})

/* Never fails for no reason, not even the weak one. */
#define __atomic_compare_exchange_n(p, expected, v, weak, order, failure)                          \
	__extension__({                                                                            \
		__auto_type model_p = (p);                                                         \
		__auto_type model_e = (expected);                                                  \
		__typeof__(*model_p) model_v = (v), model_o;                                       \
		bool model_ok;                                                                     \
		model_before(MODEL_SITE("compare and swap", #p), model_p, sizeof(*model_p));       \
		model_o = *model_p;                                                                \
		model_ok = __atomic_compare_exchange_n(model_p, model_e, model_v, false, order,    \
						       failure);                                   \
		model_after(MODEL_WORD(*model_p), model_ok &&model_o != model_v);                  \
		model_ok;                                                                          \
	})

#define MODEL_CHANGE(builtin, what, p, v, order)                                                   \
	__extension__({                                                                            \
		__auto_type model_p = (p);                                                         \
		__typeof__(*model_p) model_o, model_v;                                             \
		model_before(MODEL_SITE(what, #p), model_p, sizeof(*model_p));                     \
		model_o = *model_p;                                                                \
		model_v = builtin(model_p, v, order);                                              \
		model_after(MODEL_WORD(*model_p), model_o != *model_p);                            \
		model_v;                                                                           \
	})

#define __atomic_add_fetch(p, v, order) MODEL_CHANGE(__atomic_add_fetch, "add", p, v, order)
#define __atomic_sub_fetch(p, v, order) MODEL_CHANGE(__atomic_sub_fetch, "subtract", p, v, order)
#define __atomic_and_fetch(p, v, order) MODEL_CHANGE(__atomic_and_fetch, "and", p, v, order)
#define __atomic_or_fetch(p, v, order)  MODEL_CHANGE(__atomic_or_fetch, "or", p, v, order)
#define __atomic_fetch_add(p, v, order) MODEL_CHANGE(__atomic_fetch_add, "add", p, v, order)
#define __atomic_fetch_sub(p, v, order) MODEL_CHANGE(__atomic_fetch_sub, "subtract", p, v, order)
#define __atomic_fetch_and(p, v, order) MODEL_CHANGE(__atomic_fetch_and, "and", p, v, order)
#define __atomic_fetch_or(p, v, order)  MODEL_CHANGE(__atomic_fetch_or, "or", p, v, order)

#define sched_yield() model_relax(__FILE__)

/* Its definition, which has an argument list of void, gets another name. */
#define eio__cpu_relax(list)      MODEL_PASTE(eio__cpu_relax_, list)(list)
#define MODEL_PASTE(prefix, list) prefix##list
#define eio__cpu_relax_()         model_relax(__FILE__)

#endif
#endif
