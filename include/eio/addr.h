/* SPDX-License-Identifier: ISC */
/*
 * Socket addresses as values, and as text.
 */
#ifndef EIO_ADDR_H
#define EIO_ADDR_H

#include <eio/api.h>

struct sockaddr;

EIO_BEGIN_DECLS

/** A socket address of any family; a value. Holds any sockaddr up to 128 bytes. */
struct eio_addr {
	uint32_t len; /**< bytes used of @p sa */
	uint32_t reserved;
	uint64_t sa[16]; /**< a struct sockaddr_storage */
};

/** Room for any address as text. */
#define EIO_ADDR_TEXT 128

/**
 * Read an address: "127.0.0.1:80", "[::1]:80", "unix:/path", "unix:@abstract".
 *
 * Numbers only, no name look-up.
 *
 * @return 0, or -EINVAL if the text is none of these, -ENAMETOOLONG for a Unix path or
 *   abstract name of more than 107 bytes.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_addr_parse(struct eio_addr *ret, const char *text);

/** Write the address as eio_addr_parse reads it. @return @p buf, NUL-terminated. @since 0.1 */
EIO_API const char *eio_addr_format(const struct eio_addr *a, char *buf, size_t size);

/** The port in host order, 0 where the family has none. @since 0.1 */
EIO_API unsigned eio_addr_port(const struct eio_addr *a);

/** Are they the same address? @since 0.1 */
EIO_API bool eio_addr_equal(const struct eio_addr *a, const struct eio_addr *b);

/** IPv4 from four bytes in network order, as in struct in_addr; port in host order. @since 0.1 */
EIO_API void eio_addr_tcp4(struct eio_addr *ret, const void *ip, unsigned port);

/** IPv6 from sixteen bytes; port in host order. @since 0.1 */
EIO_API void eio_addr_tcp6(struct eio_addr *ret, const void *ip, unsigned port);

/** From a struct sockaddr of @p len bytes: 0, or -EINVAL if that is too small or too large.
 *  @since 0.1 */
EIO_API int eio_addr_from_sockaddr(struct eio_addr *ret, const struct sockaddr *sa, size_t len);

/** As a struct sockaddr; valid as long as @p a. @since 0.1 */
EIO_API const struct sockaddr *eio_addr_sockaddr(const struct eio_addr *a, size_t *ret_len);

EIO_END_DECLS

#endif
