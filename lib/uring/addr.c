/* SPDX-License-Identifier: ISC */
/*
 * Socket addresses as values.
 *
 * sa holds a struct sockaddr of some family and zeros after it; len is what of it
 * counts. The name of a Unix address is what counts of sun_path: a path without its
 * terminator, or a NUL and an abstract name, or nothing if the socket is unnamed.
 */
#include <arpa/inet.h>
#include <eio/addr.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

_Static_assert(sizeof(((struct eio_addr *) 0)->sa) >= sizeof(struct sockaddr_storage),
	       "eio_addr is too small");

static int family(const struct eio_addr *a)
{
	return a->len < sizeof(sa_family_t) ? AF_UNSPEC
					    : ((const struct sockaddr *) a->sa)->sa_family;
}

static const struct sockaddr_in *as_v4(const struct eio_addr *a)
{
	return (const struct sockaddr_in *) a->sa;
}

static const struct sockaddr_in6 *as_v6(const struct eio_addr *a)
{
	return (const struct sockaddr_in6 *) a->sa;
}

static const char *unix_name(const struct eio_addr *a, size_t *ret_len)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *) a->sa;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > head ? a->len - head : 0;

	if (len > sizeof(un->sun_path))
		len = sizeof(un->sun_path);
	/* The kernel counts the terminator of a path. */
	*ret_len = len && un->sun_path[0] ? strnlen(un->sun_path, len) : len;
	return un->sun_path;
}

/* Making them */

int eio_addr_from_sockaddr(struct eio_addr *ret, const struct sockaddr *sa, size_t len)
{
	if (len < sizeof(sa_family_t) || len > sizeof(ret->sa))
		return -EINVAL;
	*ret = (struct eio_addr){.len = (uint32_t) len};
	memcpy(ret->sa, sa, len);
	return 0;
}

void eio_addr_tcp4(struct eio_addr *ret, const void *ip, unsigned port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};

	memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
	eio_addr_from_sockaddr(ret, (const struct sockaddr *) &in, sizeof(in));
}

static void tcp6_scoped(struct eio_addr *ret, const void *ip, unsigned port, uint32_t scope)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t) port),
				  .sin6_scope_id = scope};

	memcpy(&in.sin6_addr, ip, sizeof(in.sin6_addr));
	eio_addr_from_sockaddr(ret, (const struct sockaddr *) &in, sizeof(in));
}

void eio_addr_tcp6(struct eio_addr *ret, const void *ip, unsigned port)
{
	tcp6_scoped(ret, ip, port, 0);
}

static int parse_unix(struct eio_addr *ret, const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(name);

	if (len == 0)
		return -EINVAL;
	/* An abstract name has no terminator. */
	if (len > sizeof(un.sun_path) - (name[0] != '@'))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, name, len);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	else
		len++;
	return eio_addr_from_sockaddr(ret, (const struct sockaddr *) &un,
				      offsetof(struct sockaddr_un, sun_path) + len);
}

/* Digits and nothing else. */
static bool parse_number(const char *s, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = 10 * v + (uint64_t) (*s - '0');
		if (v > max)
			return false;
	}
	*ret = (uint32_t) v;
	return true;
}

/* Copies what is before @p end out of the text. */
static bool cut(char *buf, size_t size, const char *text, const char *end)
{
	size_t len;

	if (!end)
		return false;
	len = (size_t) (end - text);
	if (len >= size)
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

static int parse_v4(struct eio_addr *ret, const char *text)
{
	const char *colon = strchr(text, ':');
	char host[INET_ADDRSTRLEN];
	struct in_addr ip;
	uint32_t port;

	if (!cut(host, sizeof(host), text, colon) || inet_pton(AF_INET, host, &ip) != 1 ||
	    !parse_number(colon + 1, UINT16_MAX, &port))
		return -EINVAL;
	eio_addr_tcp4(ret, &ip, port);
	return 0;
}

/* Without the opening bracket. A scope is a number too: "fe80::1%2]:80". */
static int parse_v6(struct eio_addr *ret, const char *text)
{
	const char *bracket = strchr(text, ']');
	char host[INET6_ADDRSTRLEN + 11], *percent;
	struct in6_addr ip;
	uint32_t port, scope = 0;

	if (!cut(host, sizeof(host), text, bracket))
		return -EINVAL;
	percent = strchr(host, '%');
	if (percent) {
		*percent = '\0';
		if (!parse_number(percent + 1, UINT32_MAX, &scope))
			return -EINVAL;
	}
	if (inet_pton(AF_INET6, host, &ip) != 1 || bracket[1] != ':' ||
	    !parse_number(bracket + 2, UINT16_MAX, &port))
		return -EINVAL;
	tcp6_scoped(ret, &ip, port, scope);
	return 0;
}

int eio_addr_parse(struct eio_addr *ret, const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(ret, text + 5);
	return *text == '[' ? parse_v6(ret, text + 1) : parse_v4(ret, text);
}

/* Asking about them */

/* What an abstract name has of NULs is shown as '@'. */
static void format_unix(const struct eio_addr *a, char *buf, size_t size)
{
	char name[sizeof(((struct sockaddr_un *) 0)->sun_path) + 1];
	const char *from;
	size_t len;

	from = unix_name(a, &len);
	for (size_t i = 0; i < len; i++)
		name[i] = from[i] ? from[i] : '@';
	name[len] = '\0';
	snprintf(buf, size, "unix:%s", name);
}

const char *eio_addr_format(const struct eio_addr *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	switch (family(a)) {
	case AF_INET:
		inet_ntop(AF_INET, &as_v4(a)->sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, eio_addr_port(a));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &as_v6(a)->sin6_addr, host, sizeof(host));
		if (as_v6(a)->sin6_scope_id)
			snprintf(buf, size, "[%s%%%u]:%u", host, as_v6(a)->sin6_scope_id,
				 eio_addr_port(a));
		else
			snprintf(buf, size, "[%s]:%u", host, eio_addr_port(a));
		break;
	case AF_UNIX:
		format_unix(a, buf, size);
		break;
	default:
		snprintf(buf, size, "family %d", family(a));
	}
	return buf;
}

unsigned eio_addr_port(const struct eio_addr *a)
{
	switch (family(a)) {
	case AF_INET:
		return ntohs(as_v4(a)->sin_port);
	case AF_INET6:
		return ntohs(as_v6(a)->sin6_port);
	}
	return 0;
}

static bool equal_unix(const struct eio_addr *a, const struct eio_addr *b)
{
	size_t a_len, b_len;
	const char *a_name = unix_name(a, &a_len), *b_name = unix_name(b, &b_len);

	return a_len == b_len && memcmp(a_name, b_name, a_len) == 0;
}

bool eio_addr_equal(const struct eio_addr *a, const struct eio_addr *b)
{
	if (family(a) != family(b))
		return false;
	switch (family(a)) {
	case AF_INET:
		return as_v4(a)->sin_port == as_v4(b)->sin_port &&
		       as_v4(a)->sin_addr.s_addr == as_v4(b)->sin_addr.s_addr;
	case AF_INET6:
		return as_v6(a)->sin6_port == as_v6(b)->sin6_port &&
		       as_v6(a)->sin6_scope_id == as_v6(b)->sin6_scope_id &&
		       memcmp(&as_v6(a)->sin6_addr, &as_v6(b)->sin6_addr, 16) == 0;
	case AF_UNIX:
		return equal_unix(a, b);
	}
	return a->len == b->len && memcmp(a->sa, b->sa, a->len) == 0;
}

const struct sockaddr *eio_addr_sockaddr(const struct eio_addr *a, size_t *ret_len)
{
	if (ret_len)
		*ret_len = a->len;
	return (const struct sockaddr *) a->sa;
}
