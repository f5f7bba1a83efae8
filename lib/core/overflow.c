/* SPDX-License-Identifier: ISC */
#include "core/overflow.h"
#include "core/fiber.h"
#include "core/handler.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Only what a signal handler may use. */
static char *put(char *to, const char *end, const char *text)
{
	while (*text && to < end)
		*to++ = *text++;
	return to;
}

static char *put_number(char *to, const char *end, uint64_t n)
{
	char digits[21];
	char *d = digits + sizeof(digits) - 1;

	*d = 0;
	do
		*--d = (char) ('0' + n % 10);
	while (n /= 10);
	return put(to, end, d);
}

static void explain(const struct eio__fiber *f)
{
	char line[256] = "", *end = line + sizeof(line) - 1, *p = line;

	p = put(p, end, "eio: stack overflow in fiber ");
	p = put_number(p, end, f->id);
	p = put(p, end, " (");
	p = put(p, end, f->name ? f->name : "without name");
	p = put(p, end, "): its stack has ");
	p = put_number(p, end, f->domain->stacks.usable);
	p = put(p, end, " bytes; raise eio_config.stack_size or keep locals small");
	*p++ = '\n';
	if (write(STDERR_FILENO, line, (size_t) (p - line)) < 0)
		return;
}

static bool in_guard(const struct eio__fiber *f, const void *addr)
{
	const char *a = addr;
	size_t guard = f->domain->stacks.stride - f->domain->stacks.usable;

	return f->base && a < f->base && a >= f->base - guard;
}

static void on_segv(int sig, siginfo_t *info, void *context);

static struct eio__handler segv =
	EIO__HANDLER_INIT(SIGSEGV, .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK);

static void on_segv(int sig, siginfo_t *info, void *context)
{
	const struct eio__fiber *f = eio__self();

	if (f && in_guard(f, info->si_addr))
		explain(f);
	if (eio__handler_hand_on(&segv, info, context))
		return;
	/* The instruction faults again, and this time for good. A signal that was sent is
	 * sent again, and delivered when this returns. */
	signal(sig, SIG_DFL);
	if (info->si_code <= 0)
		raise(sig);
}

static void add_altstack(struct eio__altstack *a)
{
	stack_t old;

	a->memory = NULL;
	a->size = 64 * 1024;
	if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
		return;
	a->memory = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->memory == MAP_FAILED) {
		a->memory = NULL;
		return;
	}
	sigaltstack(&(stack_t){.ss_sp = a->memory, .ss_size = a->size}, NULL);
}

void eio__overflow_begin(struct eio__altstack *a)
{
	add_altstack(a);
	eio__handler_begin(&segv);
}

void eio__overflow_end(struct eio__altstack *a)
{
	stack_t old;

	eio__handler_end(&segv);
	if (a->memory) {
		/* Unless the program put one of its own in the place. */
		if (sigaltstack(NULL, &old) == 0 && old.ss_sp == a->memory)
			sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
		munmap(a->memory, a->size);
	}
}
