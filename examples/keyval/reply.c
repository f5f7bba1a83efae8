/* SPDX-License-Identifier: ISC */
#include "reply.h"
#include "memory.h"
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

enum {
	TEXT_SIZE = 16 * 1024,  /* at first */
	KEEP_SIZE = 128 * 1024, /* for the next one, at most */
	INSERTS_SIZE = 4,
	LARGE = 16 * 1024,  /* values of that size are not copied */
	SHORT_ANSWER = 512, /* an error or a status */
	NUMBER_ROOM = 1 + INTEGER_MAX + 2,
};

int reply_init(struct reply *r)
{
	*r = (struct reply){.size = TEXT_SIZE, .inserts_size = INSERTS_SIZE};
	r->text = mem_alloc(TEXT_SIZE);
	r->inserts = mem_alloc(INSERTS_SIZE * sizeof(*r->inserts));
	if (r->text && r->inserts)
		return 0;
	reply_fini(r);
	return -ENOMEM;
}

void reply_fini(struct reply *r)
{
	reply_undo(r, (struct reply_mark){0});
	mem_free(r->text);
	mem_free(r->inserts);
}

void reply_reset(struct reply *r)
{
	void *smaller;

	reply_undo(r, (struct reply_mark){0});
	if (r->size > KEEP_SIZE && (smaller = mem_resize(r->text, TEXT_SIZE))) {
		r->text = smaller;
		r->size = TEXT_SIZE;
	}
	if (r->inserts_size > INSERTS_SIZE &&
	    (smaller = mem_resize(r->inserts, INSERTS_SIZE * sizeof(*r->inserts)))) {
		r->inserts = smaller;
		r->inserts_size = INSERTS_SIZE;
	}
}

static __attribute__((noinline)) bool enlarge(struct reply *r, size_t more)
{
	size_t size = 2 * r->size > r->len + more ? 2 * r->size : r->len + more;
	char *moved = r->failed ? NULL : mem_resize(r->text, size);

	if (!moved) {
		r->failed = true;
		return false;
	}
	r->text = moved;
	r->size = size;
	return true;
}

/* Where to put up to so many bytes, or NULL; whoever puts them there adds to len. */
static inline char *room(struct reply *r, size_t more)
{
	if (r->size - r->len < more && !enlarge(r, more))
		return NULL;
	return r->text + r->len;
}

int reply_begin(struct reply *r, struct reply_mark *ret)
{
	*ret = (struct reply_mark){r->len, r->n_inserts};
	return room(r, SHORT_ANSWER) ? 0 : -ENOMEM;
}

void reply_undo(struct reply *r, struct reply_mark mark)
{
	while (r->n_inserts > mark.n_inserts) {
		struct blob *blob = r->inserts[--r->n_inserts].blob;

		r->inserted -= blob->len;
		blob_drop(blob);
	}
	r->len = mark.len;
	r->failed = false;
}

static char *put(char *to, const void *data, size_t len)
{
	memcpy(to, data, len);
	return to + len;
}

static char *put_number(char *to, char type, int64_t n)
{
	*to++ = type;
	to = integer_put(to, n);
	return put(to, "\r\n", 2);
}

static void reply_number(struct reply *r, char type, int64_t n)
{
	char *to = room(r, NUMBER_ROOM);

	if (to)
		r->len = (size_t) (put_number(to, type, n) - r->text);
}

void reply_integer(struct reply *r, int64_t n)
{
	reply_number(r, ':', n);
}

void reply_array(struct reply *r, size_t n)
{
	reply_number(r, '*', (int64_t) n);
}

static void reply_raw(struct reply *r, const char *text)
{
	size_t len = strlen(text);
	char *to = room(r, len);

	if (to)
		r->len = (size_t) (put(to, text, len) - r->text);
}

void reply_null(struct reply *r)
{
	reply_raw(r, "$-1\r\n");
}

void reply_null_array(struct reply *r)
{
	reply_raw(r, "*-1\r\n");
}

void reply_status(struct reply *r, const char *text)
{
	size_t len = strlen(text);
	char *to = room(r, 1 + len + 2);

	if (!to)
		return;
	*to++ = '+';
	to = put(to, text, len);
	r->len = (size_t) (put(to, "\r\n", 2) - r->text);
}

void reply_bulk(struct reply *r, const char *data, size_t len)
{
	char *to = room(r, NUMBER_ROOM + len + 2);

	if (!to)
		return;
	to = put_number(to, '$', (int64_t) len);
	to = put(to, data, len);
	r->len = (size_t) (put(to, "\r\n", 2) - r->text);
}

void reply_text(struct reply *r, const char *text)
{
	reply_bulk(r, text, strlen(text));
}

static bool insert(struct reply *r, struct blob *blob)
{
	if (r->n_inserts == r->inserts_size) {
		size_t twice = 2 * r->inserts_size;
		struct insert *moved = mem_resize(r->inserts, twice * sizeof(*moved));

		if (!moved)
			return false;
		r->inserts = moved;
		r->inserts_size = twice;
	}
	r->inserts[r->n_inserts++] = (struct insert){r->len, blob_ref(blob)};
	r->inserted += blob->len;
	return true;
}

void reply_blob(struct reply *r, struct blob *blob)
{
	if (blob->len < LARGE) {
		reply_bulk(r, blob->data, blob->len);
		return;
	}
	reply_number(r, '$', blob->len);
	if (r->failed || !insert(r, blob))
		r->failed = true;
	reply_raw(r, "\r\n");
}

void reply_error(struct reply *r, const char *format, ...)
{
	char line[SHORT_ANSWER - 4];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *c = line; *c; c++)
		if (*c == '\r' || *c == '\n')
			*c = ' ';
	reply_raw(r, "-");
	reply_raw(r, line);
	reply_raw(r, "\r\n");
}

/* Pieces with an even number are text, those between them inserts. */
size_t reply_part(const struct reply *r, size_t *next, struct iovec *ret)
{
	size_t n = 0;

	for (; *next <= 2 * r->n_inserts && n < REPLY_PART; ++*next) {
		size_t i = *next / 2;
		size_t from = i > 0 ? r->inserts[i - 1].at : 0;
		size_t to = i < r->n_inserts ? r->inserts[i].at : r->len;

		if (*next % 2 == 0)
			ret[n++] = (struct iovec){r->text + from, to - from};
		else
			ret[n++] =
				(struct iovec){r->inserts[i].blob->data, r->inserts[i].blob->len};
	}
	return n;
}
