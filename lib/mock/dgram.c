/* SPDX-License-Identifier: ISC */
/*
 * Scripted datagram sockets. A receive that waits goes on when the socket is closed, as it
 * does on a real one.
 */
#include "core/error.h"
#include "mock/script.h"
#include "mock/trace.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

struct dgram {
	const char *label;
	struct eio__mock_script receives, sends;
	struct eio_flow trace;
	bool closed;
	bool has_addr;
	struct eio_addr addr;
};

_Static_assert(sizeof(struct dgram) <= sizeof(struct eio_mock_dgram),
	       "eio_mock_dgram is too small");

static struct dgram *dgram_of(struct eio_mock_dgram *m)
{
	return (struct dgram *) m;
}

/* As the flows do, with the address behind the verb if there is one. */
static void trace_bytes(const struct dgram *m, const char *verb, const char *joint,
			const struct eio_addr *addr, const void *data, size_t len)
{
	char text[EIO_ADDR_TEXT], what[EIO_ADDR_TEXT + 32];

	if (!addr) {
		eio__mock_trace_bytes(m->trace, m->label, verb, data, len);
		return;
	}
	snprintf(what, sizeof(what), "%s %s %s", verb, joint,
		 eio_addr_format(addr, text, sizeof(text)));
	eio__mock_trace_bytes(m->trace, m->label, what, data, len);
}

/* Receiving */

/* A datagram that does not fit is used up all the same. */
static ssize_t take(struct dgram *m, const struct eio_mock_action *a, void *buf, size_t len,
		    struct eio_addr *ret_peer)
{
	size_t n = eio__mock_script_copy(&m->receives, buf, len);

	trace_bytes(m, "received", "from", a->peer, buf, n);
	if (ret_peer)
		*ret_peer = a->peer ? *a->peer : (struct eio_addr){.len = 0};
	if ((size_t) a->n <= len)
		return (ssize_t) n;
	eio_error_set(-EMSGSIZE, "recv_msg", m->label);
	return eio__fail_done(-EMSGSIZE, "recv_msg", (uint64_t) a->n);
}

static ssize_t receive_next(struct dgram *m, void *buf, size_t len, struct eio_addr *ret_peer)
{
	struct eio_mock_action a;
	ssize_t n = eio__mock_script_begin(&m->receives, &a);

	if (n < 0)
		return n;
	if (n == 0)
		n = eio__fail(-ENODATA, "recv_msg", m->label);
	else if (a.kind == EIO_MOCK_KIND_DATA)
		n = take(m, &a, buf, len, ret_peer);
	else
		n = eio__mock_failure(&a, "recv_msg", m->label);
	eio__mock_script_end(&m->receives);
	return n;
}

static ssize_t dgram_recv(struct eio_dgram d, void *buf, size_t len, struct eio_addr *ret_peer)
{
	struct dgram *m = d.u.ptr;
	ssize_t n;

	if (m->closed)
		return eio__fail(-EBADF, "recv_msg", m->label);
	n = receive_next(m, buf, len, ret_peer);
	if (n < 0)
		eio__mock_trace(m->trace, "%s: receive: %s", m->label, eio_err_name((int) n));
	return n;
}

/* Sending */

static size_t length_of(const struct iovec *iov, int n)
{
	size_t total = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

/* Only the trace keeps what is sent, in one piece up to this size. */
enum { TRACED = 1024 };

static void trace_sent(const struct dgram *m, const struct eio_addr *dst, const struct iovec *iov,
		       int n)
{
	char text[TRACED];
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		size_t room = sizeof(text) - len;
		size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;

		if (part)
			memcpy(text + len, iov[i].iov_base, part);
		len += part;
	}
	trace_bytes(m, "sent", "to", dst, text, len);
}

static int send_next(struct dgram *m, const struct iovec *iov, int n)
{
	struct eio_mock_action a;
	int rc = eio__mock_script_begin(&m->sends, &a);

	if (rc < 0)
		return rc;
	if (rc == 1 && a.kind != EIO_MOCK_KIND_TAKE)
		rc = eio__mock_failure(&a, "send_msg", m->label);
	else if (rc == 1 && length_of(iov, n) > (size_t) a.n)
		rc = eio__fail(-EMSGSIZE, "send_msg", m->label);
	else
		rc = 0;
	eio__mock_script_end(&m->sends);
	return rc;
}

static int dgram_send(struct eio_dgram d, const struct eio_addr *dst, const struct iovec *iov,
		      int n)
{
	struct dgram *m = d.u.ptr;
	int rc;

	if (m->closed)
		return eio__fail(-EBADF, "send_msg", m->label);
	rc = send_next(m, iov, n);
	if (rc < 0)
		eio__mock_trace(m->trace, "%s: send: %s", m->label, eio_err_name(rc));
	else if (m->trace.ops)
		trace_sent(m, dst, iov, n);
	return rc;
}

/* The rest */

static int dgram_addr(struct eio_dgram d, struct eio_addr *ret)
{
	struct dgram *m = d.u.ptr;

	if (m->closed)
		return eio__fail(-EBADF, "getsockname", m->label);
	if (!m->has_addr)
		return -ENOTSUP;
	*ret = m->addr;
	return 0;
}

static int dgram_close(struct eio_dgram d)
{
	struct dgram *m = d.u.ptr;

	if (m->closed)
		return eio__fail(-EBADF, "close", m->label);
	m->closed = true;
	eio__mock_trace(m->trace, "%s: closed", m->label);
	return 0;
}

static const struct eio_dgram_ops ops = {
	.name = "mock",
	.send = dgram_send,
	.recv = dgram_recv,
	.addr = dgram_addr,
	.close = dgram_close,
};

/* The test's side */

struct eio_dgram eio_mock_dgram_init(struct eio_mock_dgram *pub, const char *label,
				     const struct eio_addr *addr)
{
	struct dgram *m = dgram_of(pub);

	*m = (struct dgram){.label = label};
	eio__mock_script_init(&m->receives);
	eio__mock_script_init(&m->sends);
	m->receives.messages = true;
	m->has_addr = addr;
	if (addr)
		m->addr = *addr;
	return (struct eio_dgram){.ops = &ops, .u.ptr = m};
}

void eio_mock_dgram_fini(struct eio_mock_dgram *m)
{
	eio__mock_script_fini(&dgram_of(m)->receives);
	eio__mock_script_fini(&dgram_of(m)->sends);
}

void eio_mock_on_recv(struct eio_mock_dgram *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&dgram_of(m)->receives, actions, n);
}

void eio_mock_on_send(struct eio_mock_dgram *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&dgram_of(m)->sends, actions, n);
}

void eio_mock_dgram_trace(struct eio_mock_dgram *m, struct eio_flow to)
{
	dgram_of(m)->trace = to;
}
