/* SPDX-License-Identifier: ISC */
#include "core/log.h"
#include "base/lock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
