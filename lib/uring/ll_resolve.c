/* SPDX-License-Identifier: ISC */
/*
 * A look-up is a record on the heap with copies of what was asked and room for the answer. A
 * thread's job has it until it is done; who drops it is the fiber that waited, or the thread
 * if nobody does any more.
 */
#include "core/threads.h"
#include "uring/call.h"

#include <eio/addr.h>
#include <eio/ll_resolve.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* The resolver's answer as a result of ours. In the thread that asked, for errno. */
static int result_of(int code)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_SYSTEM:
		return errno ? -errno : -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return EIO_EAI(code);
	}
}

/* Addresses */

struct addresses {
	struct eio__job job;
	const char *host, *service; /* in text, or NULL */
	struct addrinfo hints, *list;
	bool has_hints; /* the resolver's defaults are not all zero */
	int rc;
	char text[];
};

static void find_addresses(struct eio__job *j)
{
	struct addresses *l = eio__container_of(j, struct addresses, job);

	l->rc = result_of(
		getaddrinfo(l->host, l->service, l->has_hints ? &l->hints : NULL, &l->list));
}

static void drop_addresses(struct eio__job *j)
{
	struct addresses *l = eio__container_of(j, struct addresses, job);

	if (l->list)
		freeaddrinfo(l->list);
	free(l);
}

/* A copy of @p text, which may be NULL, at *to, which moves on. */
static const char *copy(char **to, const char *text, size_t size)
{
	char *at = *to;

	*to += size;
	return text ? memcpy(at, text, size) : NULL;
}

static struct addresses *make_addresses(const char *host, const char *service,
					const struct addrinfo *hints)
{
	size_t host_size = host ? strlen(host) + 1 : 0;
	size_t service_size = service ? strlen(service) + 1 : 0;
	struct addresses *l = malloc(sizeof(*l) + host_size + service_size);
	char *to;

	if (!l)
		return NULL;
	*l = (struct addresses){.job = {.run = find_addresses, .drop = drop_addresses}};
	to = l->text;
	l->host = copy(&to, host, host_size);
	l->service = copy(&to, service, service_size);
	if (hints) {
		l->has_hints = true;
		l->hints.ai_flags = hints->ai_flags;
		l->hints.ai_family = hints->ai_family;
		l->hints.ai_socktype = hints->ai_socktype;
		l->hints.ai_protocol = hints->ai_protocol;
	}
	return l;
}

static int get_addresses(const char *host, const char *service, const struct addrinfo *hints,
			 struct addrinfo **ret)
{
	struct addresses *l;
	struct eio__uring *u;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	l = make_addresses(host, service, hints);
	if (!l)
		return -ENOMEM;
	rc = eio__threads_run(&eio__lookups, &l->job, u->domain.current);
	if (rc < 0)
		return rc;
	rc = l->rc;
	if (rc == 0) {
		*ret = l->list;
		l->list = NULL;
	}
	drop_addresses(&l->job);
	return rc;
}

int eio_ll_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		       struct addrinfo **ret)
{
	return eio__fail(get_addresses(host, service, hints, ret), "getaddrinfo",
			 host ? host : service);
}

/* Names */

struct names {
	struct eio__job job;
	struct eio_addr addr;
	size_t host_size, service_size;
	int flags, rc;
	char host[NI_MAXHOST], service[NI_MAXSERV];
};

static void find_names(struct eio__job *j)
{
	struct names *l = eio__container_of(j, struct names, job);

	l->rc = result_of(getnameinfo((const struct sockaddr *) l->addr.sa, l->addr.len,
				      l->host_size ? l->host : NULL, (socklen_t) l->host_size,
				      l->service_size ? l->service : NULL,
				      (socklen_t) l->service_size, l->flags));
}

static void drop_names(struct eio__job *j)
{
	free(eio__container_of(j, struct names, job));
}

static int get_names(const struct eio_addr *addr, char *host, size_t host_size, char *service,
		     size_t service_size, int flags)
{
	struct eio__uring *u;
	struct names *l;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	if (addr->len > sizeof(addr->sa))
		return -EINVAL;
	l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->job = (struct eio__job){.run = find_names, .drop = drop_names};
	l->addr = *addr;
	l->host_size = !host ? 0 : host_size < NI_MAXHOST ? host_size : NI_MAXHOST;
	l->service_size = !service ? 0 : service_size < NI_MAXSERV ? service_size : NI_MAXSERV;
	l->flags = flags;
	rc = eio__threads_run(&eio__lookups, &l->job, u->domain.current);
	if (rc < 0)
		return rc;
	rc = l->rc;
	if (rc == 0 && host && l->host_size)
		strcpy(host, l->host);
	if (rc == 0 && service && l->service_size)
		strcpy(service, l->service);
	drop_names(&l->job);
	return rc;
}

int eio_ll_getnameinfo(const struct eio_addr *addr, char *host, size_t host_size, char *service,
		       size_t service_size, int flags)
{
	int rc = get_names(addr, host, host_size, service, service_size, flags);
	char text[EIO_ADDR_TEXT];

	if (rc >= 0 || rc == -ECANCELED || rc == -EINVAL)
		return eio__fail(rc, "getnameinfo", NULL);
	return eio__fail(rc, "getnameinfo", eio_addr_format(addr, text, sizeof(text)));
}
