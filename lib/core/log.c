/* SPDX-License-Identifier: ISC */
#include "core/log.h"
#include "base/lock.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* The two words change together, and the hook is called without the lock. */
static struct {
	struct eio__lock lock;
	void (*fn)(int level, const char *msg, void *arg);
	void *arg;
} hook;

void eio_set_log(void (*fn)(int level, const char *msg, void *arg), void *arg)
{
	eio__lock(&hook.lock);
	hook.fn = fn;
	hook.arg = arg;
	eio__unlock(&hook.lock);
}

bool eio__log_is_set(void)
{
	bool set;

	eio__lock(&hook.lock);
	set = hook.fn;
	eio__unlock(&hook.lock);
	return set;
}

void eio__log_forget(void)
{
	eio__unlock(&hook.lock);
}

void eio__log(int level, const char *fmt, ...)
{
	void (*fn)(int level, const char *msg, void *arg);
	char line[256];
	va_list ap;
	void *arg;

	eio__lock(&hook.lock);
	fn = hook.fn;
	arg = hook.arg;
	eio__unlock(&hook.lock);
	if (!fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fn(level, line, arg);
}

/* One byte at a time through the kernel, which knows what can be read. */
const char *eio__salvage(const void *text, char *buf, size_t size)
{
	const char *from = text;
	size_t n = 0;

	for (; n + 1 < size; n++) {
		struct iovec to = {&buf[n], 1}, at = {(void *) (from + n), 1};

		if (process_vm_readv(getpid(), &to, 1, &at, 1, 0) != 1)
			return NULL;
		if (!buf[n])
			break;
		if (!isprint((unsigned char) buf[n]))
			return NULL;
	}
	buf[n] = 0;
	return n ? buf : NULL;
}

void eio__fatal(const char *fmt, ...)
{
	char line[512] = "eio: ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + 5, sizeof(line) - 6, fmt, ap);
	va_end(ap);
	n = n < 0 ? 5 : n > (int) sizeof(line) - 7 ? (int) sizeof(line) - 2 : n + 5;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t) n) < 0)
		abort();
	abort();
}
