/* SPDX-License-Identifier: ISC */
/*
 * Numbers as bytes: the @p n lowest bytes of a number, in either order. With a constant n the
 * compiler makes a move of it, and a swap where one is needed.
 */
#ifndef EIO__IO_BYTES_H
#define EIO__IO_BYTES_H

#include <stdint.h>

static inline uint64_t eio__get_le(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t) p[i] << (8 * i);
	return v;
}

static inline uint64_t eio__get_be(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t) p[i] << (8 * (n - 1 - i));
	return v;
}

static inline void eio__put_le(unsigned char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (unsigned char) (v >> (8 * i));
}

static inline void eio__put_be(unsigned char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (unsigned char) (v >> (8 * (n - 1 - i)));
}

#endif
