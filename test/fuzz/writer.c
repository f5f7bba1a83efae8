/* SPDX-License-Identifier: ISC */
/*
 * A buffered writer against the bytes that it said it had taken.
 *
 * An input is: one byte of flags, one for the buffer's size, then calls. Each call's bytes are
 * the next ones of a pattern, and the sink takes a piece of it in each step, after a sleep; calls
 * may have a time limit. What has arrived is always the beginning of what was taken; all of it
 * when a flush or the end says so.
 */
#include "fuzz.h"

#include <eio/buf_write.h>
#include <eio/error.h>
#include <eio/fiber.h>
#include <eio/mock.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum { ALL = 1 << 16 };

struct model {
	struct input script;
	struct eio_buf_writer w;
	struct eio_clock clock;
	size_t size, step;
	int64_t sleep; /* of the sink, before each step */
	int err;       /* negative: what its next step gives */
	size_t taken, sent;
	bool closed, aborted, failed;
	/* A byte of the pattern is a function of its place; pieces that are not copied need an
	 * array of them. */
	char pattern[ALL];
};

static void make_pattern(struct model *m)
{
	for (size_t i = 0; i < ALL; i++)
		m->pattern[i] = (char) ('a' + (i ^ i >> 5) % 26);
}

/* The sink */

static ssize_t take(struct model *m, const struct iovec *iov, int n)
{
	size_t total = 0;

	if (m->sleep) {
		int rc = eio_sleep(m->clock, m->sleep);

		if (rc < 0)
			return rc;
	}
	if (m->err)
		return eio_error_set(m->err, "write", "sink");
	for (int i = 0; i < n && total < m->step; i++) {
		size_t len = iov[i].iov_len;

		check(len > 0);
		if (len > m->step - total)
			len = m->step - total;
		check(memcmp(iov[i].iov_base, m->pattern + m->sent + total, len) == 0);
		total += len;
	}
	m->sent += total;
	return (ssize_t) total;
}

static ssize_t sink_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	return take(f.u.ptr, iov, n);
}

static int carry(struct eio_buf_writer *w, void *arg)
{
	struct model *m = arg;
	struct iovec iov[3];
	int n, rc = 0;

	while (rc == 0 && (n = eio_buf_writer_await_batch(w, iov, 3)) != 0) {
		ssize_t sent = n < 0 ? n : take(m, iov, n);

		rc = sent < 0 ? (int) sent : eio_buf_writer_shift(w, (size_t) sent);
	}
	return rc;
}

/* Calls */

/* A call that was to add @p len bytes gave @p rc. */
static void added(struct model *m, int rc, size_t len, bool partly)
{
	if (rc == 0) {
		check(!m->closed && !m->aborted);
		m->taken += len;
		return;
	}
	if (m->failed || m->aborted)
		check(rc == -ECANCELED || rc == EIO_EABANDONED || rc == -EPIPE);
	else if (m->closed)
		check(rc == -EBADF || rc == -ECANCELED);
	else
		check(rc == -ECANCELED || rc == -EPIPE);
	m->failed |= rc == -EPIPE;
	if (partly && (rc == -ECANCELED || rc == -EPIPE))
		m->taken += eio_last_error()->done;
}

static void write_bytes(struct model *m, size_t len)
{
	/* -ECANCELED at the beginning says nothing of how much was done. */
	eio_error_set(-EIO, "before", NULL);
	added(m, eio_buf_write(&m->w, m->pattern + m->taken, len), len, len > m->size);
}

static void schedule(struct model *m, size_t len)
{
	added(m, eio_buf_write_schedule(&m->w, m->pattern + m->taken, len), len, false);
}

static void print(struct model *m, size_t len)
{
	eio_error_set(-EIO, "before", NULL);
	added(m, eio_buf_write_printf(&m->w, "%.*s", (int) len, m->pattern + m->taken), len,
	      len > m->size);
}

static void number(struct model *m, bool big)
{
	const unsigned char *p = (const unsigned char *) m->pattern + m->taken;
	uint32_t v = 0;
	int rc;

	for (int i = 0; i < 4; i++)
		v = v << 8 | p[big ? i : 3 - i];
	eio_error_set(-EIO, "before", NULL);
	rc = big ? eio_buf_write_be32(&m->w, v) : eio_buf_write_le32(&m->w, v);
	added(m, rc, 4, m->size < 4);
}

static void flush(struct model *m)
{
	int rc = eio_buf_writer_flush(&m->w);

	if (rc == 0)
		check_same(m->sent, m->taken);
	else if (m->aborted)
		check(rc == EIO_EABANDONED || rc == -ECANCELED);
	else
		check(rc == -ECANCELED || rc == -EPIPE);
	m->failed |= rc == -EPIPE;
}

/* In a fiber beside the script. */
static int flush_beside(void *arg)
{
	struct model *m = arg;
	size_t taken = m->taken;
	int rc = eio_buf_writer_flush(&m->w);

	if (rc == 0)
		check(m->sent >= taken);
	m->failed |= rc == -EPIPE;
	return 0;
}

static void call(struct model *m, struct eio_switch *sw)
{
	unsigned op = next_byte(&m->script) % 16;
	size_t n = next_byte(&m->script);

	switch (op) {
	case 0:
	case 1:
		write_bytes(m, n % 16);
		break;
	case 2:
		write_bytes(m, n);
		break;
	case 3:
		schedule(m, n);
		break;
	case 4:
		print(m, n % 24);
		break;
	case 5:
		number(m, n & 1);
		break;
	case 6:
		flush(m);
		break;
	case 7:
		check_same(n & 1 ? eio_buf_writer_pause(&m->w) : eio_buf_writer_unpause(&m->w), 0);
		break;
	case 8:
		(void) eio_yield();
		break;
	case 9:
		(void) eio_sleep(m->clock, (int64_t) n);
		break;
	case 10:
		m->step = n % 32 + 1;
		break;
	case 11:
		m->sleep = (int64_t) n % 64;
		break;
	case 12:
		(void) eio_fork(sw, flush_beside, m);
		break;
	case 13:
		if (n % 8 == 0) {
			check_same(eio_buf_writer_close(&m->w), 0);
			m->closed = true;
		}
		break;
	case 14:
		if (n % 16 == 0) {
			check_same(eio_buf_writer_abort(&m->w), 0);
			m->closed = m->aborted = true;
		}
		break;
	default:
		if (n % 16 == 0)
			m->err = -EPIPE;
		break;
	}
}

static void check_state(struct model *m)
{
	if (m->failed || m->aborted)
		return;
	check(m->sent <= m->taken);
	check_same(eio_buf_writer_pending(&m->w), m->taken - m->sent);
}

static int run_script(struct eio_switch *sw, void *arg)
{
	struct model *m = arg;

	while (m->script.len > 0 && m->taken < ALL / 2) {
		struct eio_timeout t;

		/* Some calls within a limit, which is no failure of theirs. */
		eio_timeout_begin(&t, m->clock,
				  *m->script.data >= 192 ? *m->script.data % 8 : EIO_NEVER);
		call(m, sw);
		(void) eio_timeout_end(&t, 0);
		if (!m->err)
			check_state(m);
	}
	return 0;
}

static int run(struct eio_env *env, void *arg)
{
	static const struct eio_flow_ops ops = {.name = "sink", .write_some = sink_write_some};

	struct model *m = arg;
	unsigned flags = next_byte(&m->script);
	static const int results[] = {0, 0, -EINVAL, -ECANCELED};
	int rc, end = results[flags >> 1 & 3];

	m->clock = env->mono_clock;
	m->size = next_byte(&m->script) % 40 + 1;
	if (flags & 1)
		rc = eio_buf_writer_begin_with(&m->w, m->size, carry, m);
	else
		rc = eio_buf_writer_begin(&m->w, (struct eio_flow){.ops = &ops, .u.ptr = m},
					  m->size);
	check_same(rc, 0);
	(void) eio_switch_run(run_script, m);
	rc = eio_buf_writer_end(&m->w, end);
	if (m->err == 0 && !m->aborted)
		check_same(rc, end);
	else if (rc == 0)
		check(m->aborted || m->sent == m->taken);
	if (rc == 0 && !m->aborted)
		check_same(m->sent, m->taken);
	check(m->sent <= m->taken || m->failed || m->err);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;

	memset(&m, 0, offsetof(struct model, pattern));
	if (!m.pattern[0])
		make_pattern(&m);
	m.script = (struct input){data, size};
	m.step = 8;
	check_same(eio_mock_run(run, &m), 0);
	return 0;
}
