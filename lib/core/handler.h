/* SPDX-License-Identifier: ISC */
/*
 * What a signal does while anybody asks for it, a run or a subscription. The first one of the
 * process installs it, the last one restores what was there before.
 *
 * Several of ours may be begun for one signal. They lie on one another, each with what it
 * covers as its previous one, and may end in any order: one that ends in the middle leaves
 * its previous to the one above. One that takes the signal lies above those that do not,
 * whenever it begins; so what a handler that hands on reads never changes under it.
 *
 * Somebody else's handler, installed meanwhile, stays. It may call ours as its previous one:
 * while it is there, ours is not installed again if it hands on, or they would call each
 * other for ever.
 */
#ifndef EIO__HANDLER_H
#define EIO__HANDLER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct eio__handler {
	int sig;
	struct sigaction act;
	bool takes; /* never hands on; at most one for a signal */
	unsigned runs;
	struct sigaction previous;
	struct sigaction stayed;   /* somebody else's that was left there */
	struct eio__handler *next; /* of all that were ever begun */
};

/* The members of a struct sigaction follow the signal. */
#define EIO__HANDLER_INIT(signal, ...)                                                             \
	{                                                                                          \
		.sig = (signal), .act = { __VA_ARGS__ }                                            \
	}

void eio__handler_begin(struct eio__handler *h);
void eio__handler_end(struct eio__handler *h);

/* In the handler itself: calls the function that was there before; false: there was none. */
bool eio__handler_hand_on(const struct eio__handler *h, siginfo_t *info, void *context);

/* What a program that is executed would get otherwise than before the first of ours: signals,
 * as bits 1 << (signal - 1). */
struct eio__inherited {
	uint64_t ignored, by_default;
};

void eio__handlers_inherited(struct eio__inherited *ret);

/* In the child of a fork, where nobody asks for any: all as before the first. */
void eio__handlers_forget(void);

#endif
