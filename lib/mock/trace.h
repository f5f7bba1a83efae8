/* SPDX-License-Identifier: ISC */
/*
 * Telling in words what happens to a mock. The flow it goes to is written to directly, so
 * that what happens to a cancelled fiber is told too; a zeroed one is nobody.
 */
#ifndef EIO__MOCK_TRACE_H
#define EIO__MOCK_TRACE_H

#include <eio/flow.h>

/* One line; the newline is added. */
void eio__mock_trace(struct eio_flow to, const char *fmt, ...) EIO_PRINTF(2, 3);

/* label: verb "the bytes as in C" */
void eio__mock_trace_bytes(struct eio_flow to, const char *label, const char *verb,
			   const void *data, size_t len);

#endif
