/* SPDX-License-Identifier: ISC */
/*
 * Requests of RESP2, the protocol of Redis: arrays of binary-safe strings, or lines of words
 * that somebody types.
 *
 * Knows nothing of connections. Whoever does asks resp_space where to put bytes, tells by
 * resp_arrived how many came, and takes requests out with resp_next until it wants more. However
 * the bytes are cut into pieces, the requests are the same. Memory is taken as bytes arrive, not
 * as a client announces them.
 */
#ifndef KEYVAL_RESP_H
#define KEYVAL_RESP_H

#include "blob.h"

#include <stdbool.h>

enum {
	RESP_MAX_ARGS = 1024 * 1024,
	RESP_MAX_LINE = 64 * 1024,
	RESP_MAX_REQUEST = 1024 * 1024 * 1024, /* large arguments apart */
	RESP_LARGE = 32 * 1024,                /* an argument of that size has memory of its own */
};

/* An argument. It is good until the next call of resp_next or resp_space. */
struct arg {
	const char *data;
	size_t len;
	struct blob *blob; /* of a large one: the bytes are its contents; else NULL */
	uint32_t hash;     /* of a key's name, once the request has been dispatched */
};

/*
 * In buf, [begin, end) is received and not used up: up to at it was understood, as a part of the
 * request that begins at begin or, behind that, is yet to be parsed.
 *
 * Between requests, missing and n_args are 0. Within one, in_bulk tells whether the header of
 * the next argument was read; if that is a large one, outstanding bytes of it and its line end
 * are still to come, which go into large, or nowhere where there was no memory for them.
 */
struct resp {
	char *buf;
	size_t size, begin, at, end;

	struct arg *args;
	size_t n_args, args_size;
	size_t missing; /* arguments that are still to come */
	size_t bulk;    /* the length of the next one */
	bool in_bulk;
	bool whole;   /* resp_next has handed it out */
	bool dropped; /* there was no memory for one of its arguments */

	struct blob *large;
	size_t outstanding;

	char error[40]; /* after -EPROTO: what is wrong */
};

/* 0 or -ENOMEM. The memory is used for many requests, also of several clients in turn. */
int resp_init(struct resp *r);
void resp_fini(struct resp *r);

/* Forgets what was received, and gives back memory beyond what most requests need. */
void resp_reset(struct resp *r);

/* Where the next bytes go: at least one. 0 or -ENOMEM, -EPROTO. */
int resp_space(struct resp *r, char **ret, size_t *ret_len);
void resp_arrived(struct resp *r, size_t len);

/*
 * The next request, in args and n_args, which may be 0: there is nothing to do then. Where
 * dropped is set one of the arguments is empty for want of memory.
 *
 * 1; 0 if more bytes are needed; -EPROTO, -ENOMEM: nothing more can be understood.
 */
int resp_next(struct resp *r);

/* Nothing of a next request has come yet. */
static inline bool resp_is_idle(const struct resp *r)
{
	return r->at == r->end && r->missing == 0;
}

#endif
