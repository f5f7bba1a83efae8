/* SPDX-License-Identifier: ISC */
/*
 * Faults behind the ring's seam: what a kernel may do at any time and seldom does.
 *
 * faults_install puts them under the next rings of the calling thread. Rates are out of
 * 256; what happens follows from the seed alone. Entries are meddled with before the
 * kernel sees them, completions before the library does. The library's own entries, which
 * neither a fiber nor an iterator waits for, are left alone, but for cancel requests.
 * Sends that do not copy are only refused.
 */
#ifndef EIO_TEST_FAULTS_H
#define EIO_TEST_FAULTS_H

#include <stdint.h>

struct eio__ring;

enum { FAULTS_REFUSALS = 64 };

struct faults {
	uint64_t seed;

	/* Rates. */
	unsigned shorten;     /* transfers that ask for less; vectors become their first piece */
	unsigned eintr;       /* enters that do nothing and say -EINTR … */
	unsigned eagain;      /* … -EAGAIN … */
	unsigned ebusy;       /* … -EBUSY */
	unsigned eintr_after; /* enters that do everything and say -EINTR */
	unsigned reorder;     /* batches of completions that come in another order */
	unsigned deaf;        /* cancel requests that reach nothing: their targets go on */
	unsigned transient;   /* transfers that do nothing and say -EINTR or -EAGAIN */

	/* The nth entry from now on (1: the next; 0: none) with this opcode (-1: any), and
	 * those after it up to times, do nothing and say err. */
	struct {
		unsigned nth, times;
		int opcode, err;
	} refuse;

	/* The same for enters. */
	struct {
		unsigned nth, times;
		int err;
	} fail_enter;

	/* Called before each enter, meddled with or not. */
	void (*on_enter)(struct eio__ring *r, unsigned wait, int64_t timeout_ns);

	/* What happened since the ring was made. */
	unsigned enters, sleeps; /* sleeps: those that would wait */
	unsigned entries[256];   /* by opcode */
	unsigned shortened, refused, deafened, reordered, failed_enters;

	/* The injector's own. */
	unsigned seen; /* entries below this one were meddled with */
	unsigned n_refusals;
	struct {
		uint64_t user_data;
		int err;
	} refusals[FAULTS_REFUSALS];
};

/* NULL: no more. */
void faults_install(struct faults *f);

/* A number out of the sequence of @p seed. */
uint64_t faults_random(uint64_t *seed);

#endif
