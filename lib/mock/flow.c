/* SPDX-License-Identifier: ISC */
/*
 * Scripted flows.
 */
#include "core/error.h"
#include "io/flow.h"
#include "mock/script.h"
#include "mock/trace.h"

#include <string.h>
#include <sys/uio.h>

struct flow {
	const char *label;
	struct eio__mock_script reads, writes;
	struct eio_buffer_sink written;
	struct eio_flow keep; /* writes to written */
	struct eio_flow trace;
	bool no_reads, no_writes; /* shut down */
	bool closed;
};

_Static_assert(sizeof(struct flow) <= sizeof(struct eio_mock_flow), "eio_mock_flow is too small");

static struct flow *flow_of(const struct eio_mock_flow *m)
{
	return (struct flow *) m;
}

/* Reading */

static ssize_t read_next(struct flow *m, void *buf, size_t len)
{
	struct eio_mock_action a;
	ssize_t n = eio__mock_script_begin(&m->reads, &a);

	if (n < 0)
		return n;
	if (n == 0)
		n = eio__fail(-ENODATA, "read", m->label);
	else if (a.kind == EIO_MOCK_KIND_DATA)
		n = (ssize_t) eio__mock_script_copy(&m->reads, buf, len);
	else
		n = a.kind == EIO_MOCK_KIND_EOF ? 0 : eio__mock_failure(&a, "read", m->label);
	eio__mock_script_end(&m->reads);
	return n;
}

static ssize_t flow_read(struct eio_flow f, void *buf, size_t len)
{
	struct flow *m = f.u.ptr;
	ssize_t n;

	if (m->closed)
		return eio__fail(-EBADF, "read", m->label);
	n = m->no_reads ? 0 : read_next(m, buf, len);
	if (n > 0)
		eio__mock_trace_bytes(m->trace, m->label, "read", buf, (size_t) n);
	else
		eio__mock_trace(m->trace, "%s: read: %s", m->label,
				n < 0 ? eio_err_name((int) n) : "end of stream");
	return n;
}

/* Writing */

/* Keeps up to @p max bytes of the vector: how many, or a negative code. */
static ssize_t keep(struct flow *m, const struct iovec *iov, int n, size_t max)
{
	size_t total = 0;

	for (int i = 0; i < n && total < max; i++) {
		struct iovec part = iov[i];
		ssize_t kept;

		if (part.iov_len > max - total)
			part.iov_len = max - total;
		kept = m->keep.ops->write_some(m->keep, &part, 1);
		if (kept < 0)
			return total ? (ssize_t) total : kept;
		total += (size_t) kept;
	}
	return (ssize_t) total;
}

static ssize_t write_next(struct flow *m, const struct iovec *iov, int n)
{
	struct eio_mock_action a;
	int rc = eio__mock_script_begin(&m->writes, &a);
	ssize_t written;

	if (rc < 0)
		return rc;
	if (m->closed || m->no_writes)
		written = eio__fail(m->closed ? -EBADF : -EPIPE, "write", m->label);
	else if (rc == 0)
		written = keep(m, iov, n, EIO__COUNT_MAX);
	else if (a.kind == EIO_MOCK_KIND_TAKE && a.n > 0)
		written = keep(m, iov, n, a.n < EIO__COUNT_MAX ? (size_t) a.n : EIO__COUNT_MAX);
	else
		written = eio__mock_failure(&a, "write", m->label);
	eio__mock_script_end(&m->writes);
	return written;
}

static ssize_t flow_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct flow *m = f.u.ptr;
	ssize_t written;

	if (m->closed)
		return eio__fail(-EBADF, "write", m->label);
	written = m->no_writes ? eio__fail(-EPIPE, "write", m->label) : write_next(m, iov, n);
	if (written < 0)
		eio__mock_trace(m->trace, "%s: write: %s", m->label, eio_err_name((int) written));
	else
		eio__mock_trace_bytes(m->trace, m->label, "wrote",
				      m->written.data + m->written.len - (size_t) written,
				      (size_t) written);
	return written;
}

/* Ending */

static int flow_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	static const char *const names[] = {
		[EIO_SHUT_RECEIVE] = "receive",
		[EIO_SHUT_SEND] = "send",
		[EIO_SHUT_ALL] = "all",
	};

	struct flow *m = f.u.ptr;

	if (m->closed)
		return eio__fail(-EBADF, "shutdown", m->label);
	m->no_reads |= how != EIO_SHUT_SEND;
	m->no_writes |= how != EIO_SHUT_RECEIVE;
	eio__mock_trace(m->trace, "%s: shutdown %s", m->label, names[how]);
	return 0;
}

static int flow_close(struct eio_flow f)
{
	struct flow *m = f.u.ptr;

	if (m->closed)
		return eio__fail(-EBADF, "close", m->label);
	m->closed = true;
	eio__mock_trace(m->trace, "%s: closed", m->label);
	return 0;
}

static const struct eio_flow_ops ops = {
	.name = "mock",
	.read = flow_read,
	.write_some = flow_write_some,
	.shutdown = flow_shutdown,
	.close = flow_close,
};

/* The test's side */

struct eio_flow eio_mock_flow_init(struct eio_mock_flow *pub, const char *label)
{
	struct flow *m = flow_of(pub);

	*m = (struct flow){.label = label};
	eio__mock_script_init(&m->reads);
	eio__mock_script_init(&m->writes);
	m->keep = eio_buffer_sink_init(&m->written, 0);
	return (struct eio_flow){.ops = &ops, .u.ptr = m};
}

void eio_mock_flow_fini(struct eio_mock_flow *pub)
{
	struct flow *m = flow_of(pub);

	eio__mock_script_fini(&m->reads);
	eio__mock_script_fini(&m->writes);
	eio_buffer_sink_fini(&m->written);
}

struct eio_mock_flow *eio_mock_flow_of(struct eio_flow f)
{
	return f.ops == &ops ? f.u.ptr : NULL;
}

void eio_mock_on_read(struct eio_mock_flow *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&flow_of(m)->reads, actions, n);
}

void eio_mock_on_write(struct eio_mock_flow *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&flow_of(m)->writes, actions, n);
}

const char *eio_mock_written(const struct eio_mock_flow *pub, size_t *ret_len)
{
	const struct eio_buffer_sink *s = &flow_of(pub)->written;

	if (ret_len)
		*ret_len = s->len;
	return s->data ? s->data : "";
}

void eio_mock_flow_trace(struct eio_mock_flow *m, struct eio_flow to)
{
	flow_of(m)->trace = to;
}
