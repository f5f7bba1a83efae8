/* SPDX-License-Identifier: ISC */
/*
 * Included before everything else when the library is compiled for bench/scale: each atomic
 * change of a word is counted, by the thread that makes it. Loads and stores go as they are.
 */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H
#ifndef __ASSEMBLER__

#include <stdbool.h>

/* An atomic change of the word at @p p was made; @p failed: another thread had been faster. */
void bench_count(const volatile void *p, bool failed);

/* In the expansion of a macro its own name is the builtin. */

#define __atomic_compare_exchange_n(p, expected, v, weak, order, failure)                          \
	__extension__({                                                                            \
		__auto_type bench_p = (p);                                                         \
		bool bench_ok =                                                                    \
			__atomic_compare_exchange_n(bench_p, expected, v, weak, order, failure);   \
		bench_count(bench_p, !bench_ok);                                                   \
		bench_ok;                                                                          \
	})

#define BENCH_CHANGE(builtin, p, v, order)                                                         \
	__extension__({                                                                            \
		__auto_type bench_p = (p);                                                         \
		bench_count(bench_p, false);                                                       \
		builtin(bench_p, v, order);                                                        \
	})

#define __atomic_exchange_n(p, v, order) BENCH_CHANGE(__atomic_exchange_n, p, v, order)
#define __atomic_add_fetch(p, v, order)  BENCH_CHANGE(__atomic_add_fetch, p, v, order)
#define __atomic_sub_fetch(p, v, order)  BENCH_CHANGE(__atomic_sub_fetch, p, v, order)
#define __atomic_fetch_add(p, v, order)  BENCH_CHANGE(__atomic_fetch_add, p, v, order)
#define __atomic_fetch_sub(p, v, order)  BENCH_CHANGE(__atomic_fetch_sub, p, v, order)
#define __atomic_fetch_and(p, v, order)  BENCH_CHANGE(__atomic_fetch_and, p, v, order)

/* Bits that were all set before: so a lock says that somebody holds it. */
#define __atomic_fetch_or(p, v, order)                                                             \
	__extension__({                                                                            \
		__auto_type bench_p = (p);                                                         \
		__typeof__(*bench_p) bench_v = (v),                                                \
				     bench_o = __atomic_fetch_or(bench_p, bench_v, order);         \
		bench_count(bench_p, (bench_o & bench_v) == bench_v);                              \
		bench_o;                                                                           \
	})

#endif
#endif
