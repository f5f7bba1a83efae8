/* SPDX-License-Identifier: ISC */
/*
 * Scripted networks and listeners.
 *
 * What they give is any flow, listener or datagram socket, so what ends with a switch is closed by
 * a hook with a record of its own; closing it earlier makes the hook's close a second one, which is
 * harmless.
 *
 * An accept waits in a context of its own, which closing the listener cancels.
 */
#include "core/error.h"
#include "mock/script.h"
#include "mock/trace.h"

#include <eio/cancel.h>
#include <eio/fiber.h>
#include <eio/resolve.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What is closed at the end of a switch: one of them */
struct closing {
	struct eio_flow conn;
	struct eio_listener listener;
	struct eio_dgram dgram;
};

static void close_it(struct closing c)
{
	if (c.conn.ops)
		(void) eio_flow_close(c.conn);
	if (c.listener.ops)
		(void) eio_listener_close(c.listener);
	if (c.dgram.ops)
		(void) eio_dgram_close(c.dgram);
}

static int release(void *arg)
{
	struct closing *c = arg;

	close_it(*c);
	free(c);
	return 0;
}

/* 0, or it has been closed. A switch that is only cancelled takes it. */
static int attach(struct eio_switch *sw, struct closing c)
{
	struct closing *kept;
	int rc;

	if (!sw)
		return 0;
	kept = malloc(sizeof(*kept));
	if (!kept) {
		close_it(c);
		return eio__fail(-ENOMEM, "attach", NULL);
	}
	*kept = c;
	rc = eio_on_release_alloc(sw, release, kept);
	if (rc == -EPERM)
		release(kept);
	return rc;
}

/* May something be attached to it? Asked before the script moves. */
static int switch_ok(const struct eio_switch *sw)
{
	int rc = sw ? eio_switch_check(sw) : 0;

	return rc == -ECANCELED ? 0 : rc;
}

/* Listeners */

struct listener {
	const char *label;
	struct eio__mock_script accepts;
	struct eio__list accepting;
	struct eio_flow trace;
	bool closed;
	bool has_addr;
	struct eio_addr addr;
};

_Static_assert(sizeof(struct listener) <= sizeof(struct eio_mock_listener),
	       "eio_mock_listener is too small");

static struct listener *listener_of(struct eio_mock_listener *m)
{
	return (struct listener *) m;
}

struct accepting {
	struct eio__list link;
	struct eio_cancel ctx;
};

/* As eio__mock_script_begin; -EBADF when the listener is closed. */
static int begin_accept(struct listener *m, struct eio_mock_action *ret)
{
	struct accepting a;
	int rc;

	if (m->closed)
		return eio__fail(-EBADF, "accept", m->label);
	eio_cancel_begin(&a.ctx);
	eio__list_append(&m->accepting, &a.link);
	rc = eio__mock_script_begin(&m->accepts, ret);
	eio__list_unlink(&a.link);
	eio_cancel_end(&a.ctx);
	if (rc >= 0 && m->closed) {
		eio__mock_script_end(&m->accepts);
		rc = -ECANCELED;
	}
	if (rc == -ECANCELED && m->closed && !eio_is_cancelled())
		rc = eio__fail(-EBADF, "accept", m->label);
	return rc;
}

static struct eio_addr unnamed(void)
{
	const struct sockaddr sa = {.sa_family = AF_UNIX};
	struct eio_addr addr;

	eio_addr_from_sockaddr(&addr, &sa, sizeof(sa.sa_family));
	return addr;
}

static int accept_next(struct listener *m, struct eio_flow *ret, struct eio_addr *ret_peer)
{
	struct eio_mock_action a;
	int rc = begin_accept(m, &a);

	if (rc < 0)
		return rc;
	eio__mock_script_end(&m->accepts);
	if (rc == 0)
		return eio__fail(-ENODATA, "accept", m->label);
	if (a.kind != EIO_MOCK_KIND_CONN)
		return eio__mock_failure(&a, "accept", m->label);
	*ret = *a.conn;
	*ret_peer = a.peer ? *a.peer : unnamed();
	return 0;
}

static int listener_accept(struct eio_listener l, struct eio_switch *sw, struct eio_flow *ret,
			   struct eio_addr *ret_peer)
{
	struct listener *m = l.u.ptr;
	char text[EIO_ADDR_TEXT];
	struct eio_addr peer;
	struct eio_flow conn;
	int rc = switch_ok(sw);

	if (rc < 0)
		return rc;
	rc = accept_next(m, &conn, &peer);
	if (rc < 0) {
		eio__mock_trace(m->trace, "%s: accept: %s", m->label, eio_err_name(rc));
		return rc;
	}
	eio__mock_trace(m->trace, "%s: accepted %s", m->label,
			eio_addr_format(&peer, text, sizeof(text)));
	rc = attach(sw, (struct closing){.conn = conn});
	if (rc < 0)
		return rc;
	*ret = conn;
	if (ret_peer)
		*ret_peer = peer;
	return 0;
}

static int listener_addr(struct eio_listener l, struct eio_addr *ret)
{
	struct listener *m = l.u.ptr;

	if (m->closed)
		return eio__fail(-EBADF, "getsockname", m->label);
	if (!m->has_addr)
		return -ENOTSUP;
	*ret = m->addr;
	return 0;
}

static int listener_close(struct eio_listener l)
{
	struct listener *m = l.u.ptr;
	struct eio__list *it;

	if (m->closed)
		return eio__fail(-EBADF, "close", m->label);
	m->closed = true;
	eio__list_foreach(it, &m->accepting)
		eio_cancel_raise(&eio__container_of(it, struct accepting, link)->ctx, -EBADF);
	eio__mock_trace(m->trace, "%s: closed", m->label);
	return 0;
}

static const struct eio_listener_ops listener_ops = {
	.name = "mock",
	.accept = listener_accept,
	.addr = listener_addr,
	.close = listener_close,
};

struct eio_listener eio_mock_listener_init(struct eio_mock_listener *pub, const char *label,
					   const struct eio_addr *addr)
{
	struct listener *m = listener_of(pub);

	*m = (struct listener){.label = label};
	eio__mock_script_init(&m->accepts);
	eio__list_init(&m->accepting);
	m->has_addr = addr;
	if (addr)
		m->addr = *addr;
	return (struct eio_listener){.ops = &listener_ops, .u.ptr = m};
}

void eio_mock_listener_fini(struct eio_mock_listener *m)
{
	eio__mock_script_fini(&listener_of(m)->accepts);
}

void eio_mock_on_accept(struct eio_mock_listener *m, const struct eio_mock_action *actions,
			size_t n)
{
	eio__mock_script_add(&listener_of(m)->accepts, actions, n);
}

void eio_mock_listener_trace(struct eio_mock_listener *m, struct eio_flow to)
{
	listener_of(m)->trace = to;
}

/* Networks */

/* What connecting to one address does. */
struct target {
	struct target *next;
	struct eio_addr addr;
	struct eio__mock_script connects;
};

struct net {
	const char *label;
	struct eio__mock_script connects, listens, datagrams, addresses, names;
	struct target *targets;
	struct eio_flow trace;
};

_Static_assert(sizeof(struct net) <= sizeof(struct eio_mock_net), "eio_mock_net is too small");

static struct net *net_of(struct eio_mock_net *m)
{
	return (struct net *) m;
}

static struct eio__mock_script *connects_of(struct net *m, const struct eio_addr *addr)
{
	for (struct target *t = m->targets; t; t = t->next)
		if (eio_addr_equal(&t->addr, addr))
			return &t->connects;
	return &m->connects;
}

struct call {
	const char *op, *words;
	enum eio_mock_kind kind; /* of the action that is a result */
	int refusal;             /* without an action */
};

static int result(int rc, const struct call *c, const struct eio_mock_action *a,
		  const char *subject)
{
	if (rc == 0)
		return eio__fail(c->refusal, c->op, subject);
	return a->kind == c->kind ? 0 : eio__mock_failure(a, c->op, subject);
}

/* @p subject is what a failure is about, @p rest is only for the trace. */
static int next_of(struct net *m, struct eio__mock_script *s, const struct call *c,
		   const char *subject, const char *rest, struct eio_mock_action *ret)
{
	int rc = eio__mock_script_begin(s, ret);

	if (rc >= 0) {
		eio__mock_script_end(s);
		rc = result(rc, c, ret, subject);
	}
	if (rc < 0)
		eio__mock_trace(m->trace, "%s: %s %s%s: %s", m->label, c->words, subject, rest,
				eio_err_name(rc));
	else
		eio__mock_trace(m->trace, "%s: %s %s%s", m->label, c->words, subject, rest);
	return rc;
}

/* The same for calls about an address. */
static int next_at(struct net *m, struct eio__mock_script *s, const struct call *c,
		   const struct eio_addr *addr, struct eio_mock_action *ret)
{
	char text[EIO_ADDR_TEXT];

	if (!addr)
		return next_of(m, s, c, "any address", "", ret);
	return next_of(m, s, c, eio_addr_format(addr, text, sizeof(text)), "", ret);
}

static int net_connect(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		       const struct eio_connect_opts *opts, struct eio_flow *ret)
{
	static const struct call call = {"connect", "connect to", EIO_MOCK_KIND_CONN,
					 -ECONNREFUSED};

	struct net *m = net.ptr;
	struct eio_mock_action a;
	struct eio_flow conn;
	int rc = switch_ok(sw);

	(void) opts;
	if (rc == 0)
		rc = next_at(m, connects_of(m, addr), &call, addr, &a);
	if (rc < 0)
		return rc;
	conn = *a.conn;
	rc = attach(sw, (struct closing){.conn = conn});
	if (rc == 0)
		*ret = conn;
	return rc;
}

static int net_listen(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
		      const struct eio_listen_opts *opts, struct eio_listener *ret)
{
	static const struct call call = {"listen", "listen on", EIO_MOCK_KIND_LISTENER,
					 -EADDRNOTAVAIL};

	struct net *m = net.ptr;
	struct eio_mock_action a;
	struct eio_listener l;
	int rc = switch_ok(sw);

	(void) opts;
	if (rc == 0)
		rc = next_at(m, &m->listens, &call, addr, &a);
	if (rc < 0)
		return rc;
	l = *a.listener;
	rc = attach(sw, (struct closing){.listener = l});
	if (rc == 0)
		*ret = l;
	return rc;
}

static int net_datagram(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			const struct eio_dgram_opts *opts, struct eio_dgram *ret)
{
	static const struct call call = {"datagram", "datagrams at", EIO_MOCK_KIND_DGRAM,
					 -EADDRNOTAVAIL};

	struct net *m = net.ptr;
	struct eio_mock_action a;
	struct eio_dgram d;
	int rc = switch_ok(sw);

	(void) opts;
	if (rc == 0)
		rc = next_at(m, &m->datagrams, &call, addr, &a);
	if (rc < 0)
		return rc;
	d = *(const struct eio_dgram *) a.data;
	rc = attach(sw, (struct closing){.dgram = d});
	if (rc == 0)
		*ret = d;
	return rc;
}

static int net_getaddrinfo(struct eio_net net, const char *host, const char *service,
			   enum eio_socket_kind kind, struct eio_addr_info **ret, size_t *ret_n)
{
	static const struct call call = {"getaddrinfo", "look up", EIO_MOCK_KIND_ADDRS,
					 EIO_EAI(EAI_NONAME)};

	const char *subject = host ? host : service ? service : "nothing";
	const struct eio_addr *addrs;
	struct net *m = net.ptr;
	struct eio_mock_action a;
	char rest[NI_MAXSERV] = "";
	int rc;

	if (host && service)
		snprintf(rest, sizeof(rest), " %s", service);
	rc = next_of(m, &m->addresses, &call, subject, rest, &a);
	if (rc < 0)
		return rc;
	*ret = calloc((size_t) a.n, sizeof(**ret));
	if (!*ret && a.n)
		return eio__fail(-ENOMEM, "getaddrinfo", subject);
	addrs = a.data;
	for (int64_t i = 0; i < a.n; i++) {
		(*ret)[i].addr = addrs[i];
		(*ret)[i].kind = kind == EIO_SOCKET_ANY ? EIO_SOCKET_STREAM : kind;
	}
	*ret_n = (size_t) a.n;
	return 0;
}

static bool fits(const char *text, const char *to, size_t size)
{
	return !to || !size || strlen(text) < size;
}

static int net_getnameinfo(struct eio_net net, const struct eio_addr *addr, char *host,
			   size_t host_size, char *service, size_t service_size, int flags)
{
	static const struct call call = {"getnameinfo", "names of", EIO_MOCK_KIND_NAMES,
					 EIO_EAI(EAI_NONAME)};

	struct net *m = net.ptr;
	struct eio_mock_action a;
	int rc = next_at(m, &m->names, &call, addr, &a);

	(void) flags;
	if (rc < 0)
		return rc;
	if (!fits(a.data, host, host_size) || !fits(a.arg, service, service_size))
		return eio__fail(EIO_EAI(EAI_OVERFLOW), "getnameinfo", a.data);
	if (host && host_size)
		strcpy(host, a.data);
	if (service && service_size)
		strcpy(service, a.arg);
	return 0;
}

static const struct eio_net_ops net_ops = {
	.name = "mock",
	.listen = net_listen,
	.connect = net_connect,
	.datagram = net_datagram,
	.getaddrinfo = net_getaddrinfo,
	.getnameinfo = net_getnameinfo,
};

struct eio_net eio_mock_net_init(struct eio_mock_net *pub, const char *label)
{
	struct net *m = net_of(pub);

	*m = (struct net){.label = label};
	eio__mock_script_init(&m->connects);
	eio__mock_script_init(&m->listens);
	eio__mock_script_init(&m->datagrams);
	eio__mock_script_init(&m->addresses);
	eio__mock_script_init(&m->names);
	return (struct eio_net){.ops = &net_ops, .ptr = m};
}

void eio_mock_net_fini(struct eio_mock_net *pub)
{
	struct net *m = net_of(pub);

	eio__mock_script_fini(&m->connects);
	eio__mock_script_fini(&m->listens);
	eio__mock_script_fini(&m->datagrams);
	eio__mock_script_fini(&m->addresses);
	eio__mock_script_fini(&m->names);
	while (m->targets) {
		struct target *t = m->targets;

		m->targets = t->next;
		eio__mock_script_fini(&t->connects);
		free(t);
	}
}

struct eio_mock_net *eio_mock_net_of(struct eio_net net)
{
	return net.ops == &net_ops ? net.ptr : NULL;
}

void eio_mock_on_connect(struct eio_mock_net *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&net_of(m)->connects, actions, n);
}

/* Without memory the general script takes the blame. */
void eio_mock_on_connect_to(struct eio_mock_net *pub, const struct eio_addr *addr,
			    const struct eio_mock_action *actions, size_t n)
{
	struct net *m = net_of(pub);
	struct eio__mock_script *s = connects_of(m, addr);
	struct target *t;

	if (s == &m->connects) {
		t = malloc(sizeof(*t));
		if (!t) {
			s->incomplete = true;
			return;
		}
		*t = (struct target){.next = m->targets, .addr = *addr};
		m->targets = t;
		s = &t->connects;
		eio__mock_script_init(s);
	}
	eio__mock_script_add(s, actions, n);
}

void eio_mock_on_getaddrinfo(struct eio_mock_net *m, const struct eio_mock_action *actions,
			     size_t n)
{
	eio__mock_script_add(&net_of(m)->addresses, actions, n);
}

void eio_mock_on_getnameinfo(struct eio_mock_net *m, const struct eio_mock_action *actions,
			     size_t n)
{
	eio__mock_script_add(&net_of(m)->names, actions, n);
}

void eio_mock_on_listen(struct eio_mock_net *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&net_of(m)->listens, actions, n);
}

void eio_mock_on_datagram(struct eio_mock_net *m, const struct eio_mock_action *actions, size_t n)
{
	eio__mock_script_add(&net_of(m)->datagrams, actions, n);
}

void eio_mock_net_trace(struct eio_mock_net *m, struct eio_flow to)
{
	net_of(m)->trace = to;
}
