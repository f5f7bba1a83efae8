/* SPDX-License-Identifier: ISC */
#include "mock/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

static void put(struct eio_flow to, const char *text, size_t len)
{
	while (len > 0) {
		struct iovec iov = {(void *) text, len};
		ssize_t n = to.ops->write_some ? to.ops->write_some(to, &iov, 1) : 0;

		if (n <= 0)
			return;
		text += n;
		len -= (size_t) n;
	}
}

void eio__mock_trace(struct eio_flow to, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!to.ops)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	put(to, line, strlen(line));
}

/* Octal, for what follows cannot become a part of it. */
static int escape(unsigned char c, char *buf, size_t size)
{
	static const char plain[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
	const char *p = c ? strchr(plain, c) : NULL;

	if (p)
		return snprintf(buf, size, "\\%c", letters[p - plain]);
	return snprintf(buf, size, c >= ' ' && c < 127 ? "%c" : "\\%03o", c);
}

void eio__mock_trace_bytes(struct eio_flow to, const char *label, const char *verb,
			   const void *data, size_t len)
{
	const unsigned char *bytes = data;
	char text[512];
	size_t used;

	if (!to.ops)
		return;
	put(to, text, (size_t) snprintf(text, sizeof(text), "%.200s: %.200s \"", label, verb));
	used = 0;
	for (size_t i = 0; i < len; i++) {
		used += (size_t) escape(bytes[i], text + used, sizeof(text) - used);
		if (used + 8 > sizeof(text)) {
			put(to, text, used);
			used = 0;
		}
	}
	put(to, text, used);
	put(to, "\"\n", 2);
}
