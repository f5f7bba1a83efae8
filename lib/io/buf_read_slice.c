/* SPDX-License-Identifier: ISC */
/*
 * The calls that hand out slices of a reader's buffer.
 */
#include "core/error.h"
#include "io/buf_read.h"

#include <string.h>

/* Hands out the next @p len bytes, which are buffered, with a NUL behind them. */
static void hand_out(struct eio__buf_reader *r, size_t len, char **ret, size_t *ret_len)
{
	char *behind = r->next + len;

	if (behind < r->end) {
		r->cut = behind;
		r->cut_byte = *behind;
	}
	*behind = '\0';
	*ret = r->next;
	if (ret_len)
		*ret_len = len;
	r->next = behind;
}

/* A line whose LF is at @p lf: that is consumed too, and the NUL takes its place. */
static int hand_out_line(struct eio__buf_reader *r, char *lf, char **ret, size_t *ret_len)
{
	char *stop = lf > r->next && lf[-1] == '\r' ? lf - 1 : lf;

	*stop = '\0';
	*ret = r->next;
	if (ret_len)
		*ret_len = (size_t) (stop - r->next);
	r->next = lf + 1;
	return 1;
}

int eio_buf_read_line(struct eio_buf_reader *pub, char **ret, size_t *ret_len)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	size_t seen = 0;

	for (;;) {
		size_t has = eio__buf_reader_has(r);
		char *lf = memchr(r->next + seen, '\n', has - seen);
		int rc;

		if (lf)
			return hand_out_line(r, lf, ret, ret_len);
		seen = has;
		rc = eio__buf_reader_fill(r, has + 1);
		if (rc == EIO_EOF && has > 0) {
			hand_out(r, has, ret, ret_len);
			return 1;
		}
		if (rc < 0)
			return rc == EIO_EOF ? 0 : rc;
	}
}

int eio_buf_read_take(struct eio_buf_reader *pub, size_t n, char **ret)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc = eio__buf_reader_want(r, n);

	if (rc == 0)
		hand_out(r, n, ret, NULL);
	return rc;
}

/* How many bytes come before the first that is none: at least @p least, which is 0 or 1. */
static int count_while(struct eio__buf_reader *r, eio_char_fn *is, size_t least, size_t *ret)
{
	size_t n = 0;
	int rc = 0;

	for (;;) {
		while (n < eio__buf_reader_has(r) && is((unsigned char) r->next[n]))
			n++;
		if (n < eio__buf_reader_has(r))
			break;
		rc = eio__buf_reader_fill(r, n + 1);
		if (rc < 0)
			break;
	}
	if (rc < 0 && rc != EIO_EOF)
		return rc;
	if (n < least)
		return eio__fail(rc < 0 ? rc : EIO_EPARSE, "read", NULL);
	*ret = n;
	return 0;
}

static int take_while(struct eio_buf_reader *pub, eio_char_fn *is, size_t least, char **ret,
		      size_t *ret_len)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	size_t n;
	int rc = count_while(r, is, least, &n);

	if (rc == 0)
		hand_out(r, n, ret, ret_len);
	return rc;
}

int eio_buf_read_take_while(struct eio_buf_reader *r, eio_char_fn *is, char **ret, size_t *ret_len)
{
	return take_while(r, is, 0, ret, ret_len);
}

int eio_buf_read_take_while1(struct eio_buf_reader *r, eio_char_fn *is, char **ret, size_t *ret_len)
{
	return take_while(r, is, 1, ret, ret_len);
}

int eio_buf_read_take_all(struct eio_buf_reader *pub, char **ret, size_t *ret_len)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc;

	do
		rc = eio__buf_reader_fill(r, eio__buf_reader_has(r) + 1);
	while (rc == 0);
	if (rc != EIO_EOF)
		return rc;
	hand_out(r, eio__buf_reader_has(r), ret, ret_len);
	return 0;
}
