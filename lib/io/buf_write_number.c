/* SPDX-License-Identifier: ISC */
/*
 * Numbers into a writer.
 */
#include "io/buf_write.h"
#include "io/bytes.h"

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "numbers are IEEE 754's");

int eio_buf_write_u8(struct eio_buf_writer *w, uint8_t value)
{
	return eio_buf_write(w, &value, 1);
}

/* A function for one type and order: @p put turns the bits of a @p raw into @p n bytes. */
#define NUMBER(name, type, raw, n, put)                                                            \
	int eio_buf_write_##name(struct eio_buf_writer *w, type value)                             \
	{                                                                                          \
		unsigned char bytes[n];                                                            \
		raw bits;                                                                          \
                                                                                                   \
		memcpy(&bits, &value, sizeof(bits));                                               \
		put(bytes, bits, n);                                                               \
		return eio_buf_write(w, bytes, n);                                                 \
	}

NUMBER(be16, uint16_t, uint16_t, 2, eio__put_be)
NUMBER(be32, uint32_t, uint32_t, 4, eio__put_be)
NUMBER(be48, uint64_t, uint64_t, 6, eio__put_be)
NUMBER(be64, uint64_t, uint64_t, 8, eio__put_be)
NUMBER(be_float, float, uint32_t, 4, eio__put_be)
NUMBER(be_double, double, uint64_t, 8, eio__put_be)
NUMBER(le16, uint16_t, uint16_t, 2, eio__put_le)
NUMBER(le32, uint32_t, uint32_t, 4, eio__put_le)
NUMBER(le48, uint64_t, uint64_t, 6, eio__put_le)
NUMBER(le64, uint64_t, uint64_t, 8, eio__put_le)
NUMBER(le_float, float, uint32_t, 4, eio__put_le)
NUMBER(le_double, double, uint64_t, 8, eio__put_le)
