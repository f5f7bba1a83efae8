/* SPDX-License-Identifier: ISC */
/*
 * Answers of RESP2, gathered until they are sent. Small values are copied; of a large one the
 * answer holds a reference and sends the store's own memory.
 *
 * If memory runs out what is added is lost and failed is set; reply_undo then takes the answer
 * back.
 */
#ifndef KEYVAL_REPLY_H
#define KEYVAL_REPLY_H

#include "blob.h"

#include <stdbool.h>

struct iovec;

/* A large value that belongs between two bytes of the text. */
struct insert {
	size_t at;
	struct blob *blob;
};

struct reply {
	char *text;
	size_t len, size;
	struct insert *inserts;
	size_t n_inserts, inserts_size;
	size_t inserted; /* bytes in them */
	bool failed;
};

/* A place to come back to. */
struct reply_mark {
	size_t len, n_inserts;
};

/* 0 or -ENOMEM. */
int reply_init(struct reply *r);
void reply_fini(struct reply *r);

/* Forgets everything, and gives back memory beyond what most answers need. */
void reply_reset(struct reply *r);

static inline size_t reply_bytes(const struct reply *r)
{
	return r->len + r->inserted;
}

/*
 * Makes sure that a short answer fits, whatever happens: 0 or -ENOMEM. The mark is where the
 * reply stands.
 */
int reply_begin(struct reply *r, struct reply_mark *ret);

/* Takes back what came after the mark, failure included. */
void reply_undo(struct reply *r, struct reply_mark mark);

void reply_status(struct reply *r, const char *text); /* "OK" */
void reply_integer(struct reply *r, int64_t n);
void reply_bulk(struct reply *r, const char *data, size_t len);
void reply_text(struct reply *r, const char *text);
void reply_blob(struct reply *r, struct blob *blob);
void reply_null(struct reply *r);
void reply_null_array(struct reply *r);
void reply_array(struct reply *r, size_t n); /* its elements follow */

/* "-" and a line, formatted; line ends within it become spaces. */
void reply_error(struct reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { REPLY_PART = 16 };

/*
 * The reply as vectors of at most REPLY_PART entries: how many the next has, 0 at the end. *next is
 * 0 at first and belongs to reply_part.
 */
size_t reply_part(const struct reply *r, size_t *next, struct iovec *ret);

#endif
