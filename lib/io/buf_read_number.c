/* SPDX-License-Identifier: ISC */
/*
 * Numbers out of a reader.
 */
#include "io/buf_read.h"
#include "io/bytes.h"

#include <string.h>

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "numbers are IEEE 754's");

/* Consumes the next @p n bytes; where they are. */
static inline int next_bytes(struct eio_buf_reader *pub, unsigned n, const unsigned char **ret)
{
	struct eio__buf_reader *r = eio__buf_reader_enter(pub);
	int rc = eio__buf_reader_want(r, n);

	if (rc == 0) {
		*ret = (const unsigned char *) r->next;
		r->next += n;
	}
	return rc;
}

int eio_buf_read_u8(struct eio_buf_reader *r, uint8_t *ret)
{
	const unsigned char *p;
	int rc = next_bytes(r, 1, &p);

	if (rc == 0)
		*ret = *p;
	return rc;
}

/* A function for one type and order: @p get turns @p bytes bytes into a @p raw. */
#define NUMBER(name, type, raw, bytes, get)                                                        \
	int eio_buf_read_##name(struct eio_buf_reader *r, type *ret)                               \
	{                                                                                          \
		const unsigned char *p;                                                            \
		int rc = next_bytes(r, bytes, &p);                                                 \
                                                                                                   \
		if (rc == 0) {                                                                     \
			raw bits = (raw) get(p, bytes);                                            \
                                                                                                   \
			memcpy(ret, &bits, sizeof(*ret));                                          \
		}                                                                                  \
		return rc;                                                                         \
	}

NUMBER(be16, uint16_t, uint16_t, 2, eio__get_be)
NUMBER(be32, uint32_t, uint32_t, 4, eio__get_be)
NUMBER(be48, uint64_t, uint64_t, 6, eio__get_be)
NUMBER(be64, uint64_t, uint64_t, 8, eio__get_be)
NUMBER(be_float, float, uint32_t, 4, eio__get_be)
NUMBER(be_double, double, uint64_t, 8, eio__get_be)
NUMBER(le16, uint16_t, uint16_t, 2, eio__get_le)
NUMBER(le32, uint32_t, uint32_t, 4, eio__get_le)
NUMBER(le48, uint64_t, uint64_t, 6, eio__get_le)
NUMBER(le64, uint64_t, uint64_t, 8, eio__get_le)
NUMBER(le_float, float, uint32_t, 4, eio__get_le)
NUMBER(le_double, double, uint64_t, 8, eio__get_le)
