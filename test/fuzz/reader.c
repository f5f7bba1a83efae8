/* SPDX-License-Identifier: ISC */
/*
 * A buffered reader against an array of bytes and a position in it.
 *
 * An input is: one byte of flags, one each for the first and the largest size of the buffer, one
 * for the length of the script; the script; the stream. What a call gives depends on what is
 * buffered, how that is so does not: the stream comes in pieces of a size that the script
 * changes, copied or lent, and its reads fail or are cancelled when the script says.
 */
#include "fuzz.h"
#include "io/feed.h"

#include <ctype.h>
#include <eio/buf_read.h>
#include <eio/cancel.h>
#include <eio/mock.h>
#include <errno.h>

struct model {
	struct feed feed;
	struct eio_buf_reader r;
	struct input script;
	size_t pos, max;
	/* Before the call. */
	size_t has;
	bool eof, cancelled;
	int err;
};

static const uint8_t *at(const struct model *m)
{
	return (const uint8_t *) m->feed.data + m->pos;
}

static size_t left(const struct model *m)
{
	return m->feed.len - m->pos;
}

/* What a read gives that has to wait, if it fails. */
static int failure(const struct model *m)
{
	return m->cancelled ? -ECANCELED : m->err;
}

/* For calls that know how many bytes they need: 0 or how they fail. */
static int need(const struct model *m, size_t n)
{
	if (n <= m->has)
		return 0;
	if (m->eof)
		return EIO_EOF;
	if (n > m->max)
		return EIO_ELIMIT;
	if (failure(m))
		return failure(m);
	return n <= left(m) ? 0 : EIO_EOF;
}

/* For those that read on until they have found it in the first @p n bytes. */
static int search(const struct model *m, size_t n)
{
	if (n <= m->has)
		return 0;
	if (m->eof)
		return EIO_EOF;
	if (m->has >= m->max)
		return EIO_ELIMIT;
	if (failure(m))
		return failure(m);
	if (n > m->max || (n > left(m) && left(m) >= m->max))
		return EIO_ELIMIT;
	return n <= left(m) ? 0 : EIO_EOF;
}

static size_t count(const struct model *m, int (*is)(int c))
{
	size_t n = 0;

	while (n < left(m) && is(at(m)[n]))
		n++;
	return n;
}

/* The call handed out the next @p n bytes and consumed them. */
static void check_slice(struct model *m, const char *slice, size_t len, size_t n)
{
	check_same(len, n);
	check(memcmp(slice, at(m), n) == 0);
	check(slice[n] == '\0');
	m->pos += n;
}

static void line(struct model *m)
{
	const uint8_t *lf = memchr(at(m), '\n', left(m));
	size_t n = lf ? (size_t) (lf - at(m)) : left(m), len;
	char *slice;
	int rc = eio_buf_read_line(&m->r, &slice, &len);
	int want = search(m, n + 1);

	if (want == EIO_EOF)
		want = n > 0;
	else if (want == 0)
		want = 1;
	check_same(rc, want);
	if (rc <= 0)
		return;
	if (lf && n > 0 && at(m)[n - 1] == '\r') {
		check_slice(m, slice, len, n - 1);
		m->pos += 2;
	} else {
		check_slice(m, slice, len, n);
		m->pos += lf != NULL;
	}
}

static void take(struct model *m, size_t n)
{
	char *slice;
	int rc = eio_buf_read_take(&m->r, n, &slice);

	check_same(rc, need(m, n));
	if (rc == 0)
		check_slice(m, slice, n, n);
}

static void take_while(struct model *m, bool one)
{
	size_t n = count(m, isalpha), len;
	char *slice;
	int rc = one ? eio_buf_read_take_while1(&m->r, isalpha, &slice, &len)
		     : eio_buf_read_take_while(&m->r, isalpha, &slice, &len);
	int want = search(m, n + 1);

	if (one && n == 0)
		want = want == 0 ? EIO_EPARSE : want;
	else if (want == EIO_EOF)
		want = 0;
	check_same(rc, want);
	if (rc == 0)
		check_slice(m, slice, len, n);
}

static void take_all(struct model *m)
{
	size_t n = left(m), len;
	char *slice;
	int rc = eio_buf_read_take_all(&m->r, &slice, &len), want = search(m, n + 1);

	check_same(rc, want == EIO_EOF ? 0 : want);
	if (rc == 0)
		check_slice(m, slice, len, n);
}

static void skip(struct model *m, size_t n)
{
	int rc = eio_buf_read_skip(&m->r, n), want = 0;
	size_t done = n;

	if (n > m->has && !m->eof && failure(m)) {
		want = failure(m);
		done = m->has;
	} else if (n > left(m)) {
		want = EIO_EOF;
		done = left(m);
	}
	check_same(rc, want);
	if (rc < 0)
		check_same(eio_last_error()->done, done);
	m->pos += done;
}

static void skip_while(struct model *m)
{
	size_t n = count(m, isalpha);
	int rc = eio_buf_read_skip_while(&m->r, isalpha), want = 0;

	if (n >= m->has && !m->eof && failure(m)) {
		want = failure(m);
		n = m->has;
	}
	check_same(rc, want);
	m->pos += n;
}

static void single(struct model *m, unsigned c)
{
	int rc = eio_buf_read_char(&m->r, (char) c), want = need(m, 1);

	check_same(rc, want == 0 && *at(m) != c ? EIO_EPARSE : want);
	m->pos += rc == 0;
}

static void string(struct model *m, size_t n)
{
	char text[8] = "ab\nabc\r";
	size_t equal = 0;
	int rc, want;

	text[n % sizeof(text)] = '\0';
	n = strlen(text);
	while (equal < n && equal < left(m) && at(m)[equal] == (uint8_t) text[equal])
		equal++;
	rc = eio_buf_read_string(&m->r, text);
	/* It has to see the byte that differs. */
	want = search(m, equal < n ? equal + 1 : n);
	check_same(rc, want == 0 && equal < n ? EIO_EPARSE : want);
	if (rc == 0)
		m->pos += n;
}

static void any_char(struct model *m, bool peeks)
{
	char c = 0;
	int rc = peeks ? eio_buf_read_peek_char(&m->r, &c) : eio_buf_read_any_char(&m->r, &c);
	int want = need(m, 1);

	if (peeks)
		want = want == EIO_EOF ? 0 : want == 0 ? 1 : want;
	check_same(rc, want);
	if (rc == peeks)
		check_same((uint8_t) c, *at(m));
	m->pos += rc == 0 && !peeks;
}

/* The bytes of a number, first ones first. */
static uint64_t number(const uint8_t *p, unsigned n, bool big)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[big ? i : n - 1 - i];
	return v;
}

/* How many bytes it has; what was read in *ret. */
static unsigned read_number(struct model *m, unsigned which, uint64_t *ret, int *ret_rc)
{
	static const unsigned sizes[] = {2, 4, 6, 8, 4, 8};

	struct eio_buf_reader *r = &m->r;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	float f = 0;
	double d = 0;

	switch (which) {
	case 0:
		*ret_rc = eio_buf_read_be16(r, &u16);
		break;
	case 1:
		*ret_rc = eio_buf_read_be32(r, &u32);
		break;
	case 2:
		*ret_rc = eio_buf_read_be48(r, &u64);
		break;
	case 3:
		*ret_rc = eio_buf_read_be64(r, &u64);
		break;
	case 4:
		*ret_rc = eio_buf_read_be_float(r, &f);
		memcpy(&u32, &f, sizeof(u32));
		break;
	case 5:
		*ret_rc = eio_buf_read_be_double(r, &d);
		memcpy(&u64, &d, sizeof(u64));
		break;
	case 6:
		*ret_rc = eio_buf_read_le16(r, &u16);
		break;
	case 7:
		*ret_rc = eio_buf_read_le32(r, &u32);
		break;
	case 8:
		*ret_rc = eio_buf_read_le48(r, &u64);
		break;
	case 9:
		*ret_rc = eio_buf_read_le64(r, &u64);
		break;
	case 10:
		*ret_rc = eio_buf_read_le_float(r, &f);
		memcpy(&u32, &f, sizeof(u32));
		break;
	default:
		*ret_rc = eio_buf_read_le_double(r, &d);
		memcpy(&u64, &d, sizeof(u64));
		break;
	}
	*ret = u16 | u32 | u64;
	return sizes[which % 6];
}

static void any_number(struct model *m, unsigned which)
{
	uint64_t v;
	int rc;
	unsigned n = read_number(m, which, &v, &rc);

	check_same(rc, need(m, n));
	if (rc == 0) {
		check(v == number(at(m), n, which < 6));
		m->pos += n;
	}
}

static void byte(struct model *m)
{
	uint8_t b = 0;
	int rc = eio_buf_read_u8(&m->r, &b);

	check_same(rc, need(m, 1));
	if (rc == 0)
		check_same(b, *at(m));
	m->pos += rc == 0;
}

static void at_end(struct model *m, bool expected)
{
	int rc = expected ? eio_buf_read_end_of_input(&m->r) : eio_buf_read_at_end(&m->r);
	int want = need(m, 1);

	if (want == 0)
		want = expected ? EIO_EPARSE : 0;
	else if (want == EIO_EOF)
		want = expected ? 0 : 1;
	check_same(rc, want);
}

/* How many bytes the reader's flow gives at most, or how it fails. */
static long flow_gives(const struct model *m, size_t n)
{
	if (m->cancelled)
		return -ECANCELED;
	if (n == 0)
		return 0;
	if (m->has > 0)
		return (long) (n < m->has ? n : m->has);
	if (m->eof)
		return 0;
	if (m->err)
		return m->err;
	if (m->feed.step && n > m->feed.step)
		n = m->feed.step;
	return (long) (n < left(m) ? n : left(m));
}

static void read_flow(struct model *m, size_t n)
{
	char buf[256];
	long want = flow_gives(m, n);

	check_same(eio_flow_read(eio_buf_reader_as_flow(&m->r), buf, n), want);
	if (want > 0) {
		check(memcmp(buf, at(m), (size_t) want) == 0);
		m->pos += (size_t) want;
	}
}

static void borrow_flow(struct model *m, size_t n, size_t used)
{
	struct eio_view view;
	long want = flow_gives(m, n < m->max || m->has > 0 ? n : m->max);

	check_same(eio_flow_read_borrow(eio_buf_reader_as_flow(&m->r), n, &view), want);
	if (want <= 0)
		return;
	check_same(view.len, want);
	check(memcmp(view.data, at(m), view.len) == 0);
	check_same(eio_buf_reader_consumed(&m->r), m->pos + view.len);
	if (used > view.len)
		used = view.len;
	check(eio_view_release_part(&view, used));
	m->pos += used;
}

static void call(struct model *m)
{
	unsigned op = next_byte(&m->script) % 32;
	size_t n = next_byte(&m->script);

	m->has = eio_buf_reader_buffered(&m->r);
	m->eof = eio_buf_reader_eof_seen(&m->r);
	m->err = m->feed.err;
	switch (op) {
	case 0:
	case 1:
		line(m);
		break;
	case 2:
		take(m, n % 32);
		break;
	case 3:
		take_while(m, n & 1);
		break;
	case 4:
		take_all(m);
		break;
	case 5:
		skip(m, n);
		break;
	case 6:
		skip_while(m);
		break;
	case 7:
		single(m, (unsigned) n);
		break;
	case 8:
		string(m, n);
		break;
	case 9:
		any_char(m, n & 1);
		break;
	case 10:
		byte(m);
		break;
	case 11:
		at_end(m, n & 1);
		break;
	case 12:
		check_same(eio_buf_read_ensure(&m->r, n % 64), need(m, n % 64));
		break;
	case 13:
		check_same(eio_buf_read_consume(&m->r, n), n <= m->has ? 0 : -EINVAL);
		m->pos += n <= m->has ? n : 0;
		break;
	case 14:
		read_flow(m, n);
		break;
	case 15:
		borrow_flow(m, n % 64, n / 64 * 5);
		break;
	case 16:
		m->feed.step = n % 16;
		break;
	case 17:
		m->feed.err = n & 1 ? -ECONNRESET : -EIO;
		break;
	default:
		any_number(m, (op - 18) % 12);
		break;
	}
}

/* What holds between calls. */
static void check_state(struct model *m)
{
	char *next;
	size_t has = eio_buf_read_peek(&m->r, &next);

	check_same(eio_buf_reader_consumed(&m->r), m->pos);
	check_same(eio_buf_reader_buffered(&m->r), has);
	check(has <= m->max);
	check_same(m->feed.at, m->pos + has);
	check(memcmp(next, at(m), has) == 0);
	check(!eio_buf_reader_eof_seen(&m->r) || has == left(m));
	check_same(m->feed.lent, 0);
}

static int run(struct eio_env *env, void *arg)
{
	struct model *m = arg;

	(void) env;
	while (m->script.len > 0) {
		struct eio_cancel c;

		eio_cancel_begin(&c);
		m->cancelled = *m->script.data >= 224;
		if (m->cancelled)
			check_same(eio_cancel_raise(&c, -EINTR), 0);
		call(m);
		eio_cancel_end(&c);
		check_state(m);
	}
	eio_buf_reader_fini(&m->r);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct model m = {.pos = 0};
	unsigned flags = next_byte(&in), initial = next_byte(&in), max = next_byte(&in), n;

	n = next_byte(&in);
	if (n > in.len)
		n = (unsigned) in.len;
	m.script = (struct input){in.data, n};
	/* Of their own size, so that a read behind their end shows. */
	m.feed.len = in.len - n;
	m.feed.data = memcpy(malloc(m.feed.len + 1), in.data + n, m.feed.len);
	m.max = max % 64 + 1;
	if (flags & 2) {
		m.max = m.feed.len;
		m.feed.at = m.feed.len;
		check_same(eio_buf_reader_of_string(&m.r, m.feed.data, m.feed.len), 0);
	} else {
		check_same(eio_buf_reader_init(&m.r, feed_flow(&m.feed, flags & 1),
					       initial % m.max + 1, m.max),
			   0);
	}
	check_same(eio_mock_run(run, &m), 0);
	free((void *) m.feed.data);
	return 0;
}
