/* SPDX-License-Identifier: ISC */
#include "core/dump.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/switch.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INDENTED = 32 }; /* levels shown by spaces; of deeper ones the number is told */

/* Text */

static bool has_room(struct eio__text *t, size_t more)
{
	size_t size = t->size ? t->size : 1024;
	char *data;

	while (size < t->len + more)
		size *= 2;
	if (size == t->size)
		return true;
	data = realloc(t->data, size);
	if (!data)
		return false;
	t->data = data;
	t->size = size;
	return true;
}

void eio__text_add(struct eio__text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->lost)
		return;
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !has_room(t, (size_t) n + 1)) {
		t->lost = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(t->data + t->len, (size_t) n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t) n;
}

void eio__text_free(struct eio__text *t)
{
	free(t->data);
	*t = (struct eio__text){.data = NULL};
}

static void print(int unix_fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(unix_fd, data, len);

		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = unix_fd, .events = POLLOUT}, 1, -1);
		else if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= (size_t) n;
		}
	}
}

static const char lost[] = "out of memory: the rest of the dump is missing";

void eio__text_print(const struct eio__text *t, int unix_fd)
{
	print(unix_fd, t->data, t->len);
	if (t->lost) {
		print(unix_fd, lost, strlen(lost));
		print(unix_fd, "\n", 1);
	}
}

const char *eio__span(char buf[EIO__SPAN], int64_t ns)
{
	int64_t us = ns / 1000, s = ns / EIO_SEC(1);

	if (ns < EIO_MS(1))
		snprintf(buf, EIO__SPAN, "%lld us", (long long) us);
	else if (s < 1)
		snprintf(buf, EIO__SPAN, "%lld ms", (long long) us / 1000);
	else if (s < 60)
		snprintf(buf, EIO__SPAN, "%lld.%d s", (long long) s, (int) (us / 100000 % 10));
	else if (s < 3600)
		snprintf(buf, EIO__SPAN, "%d min %d s", (int) s / 60, (int) s % 60);
	else if (s < 48 * 3600)
		snprintf(buf, EIO__SPAN, "%d h %d min", (int) s / 3600, (int) s / 60 % 60);
	else
		snprintf(buf, EIO__SPAN, "%lld d %d h", (long long) s / 86400,
			 (int) (s / 3600 % 24));
	return buf;
}

/* The tree */

struct dump {
	struct eio__text *text;
	struct eio__domain *domain;
	uint32_t tick;             /* now */
	struct eio__fiber **order; /* of one context at a time, room for all */
};

static void add_indent(struct dump *u, unsigned depth)
{
	if (depth <= INDENTED)
		eio__text_add(u->text, "%*s", (int) depth * 2, "");
	else
		eio__text_add(u->text, "%*s[%u] ", INDENTED * 2, "", depth);
}

static void add_name(struct dump *u, const char *name)
{
	if (name)
		eio__text_add(u->text, " \"%s\"", name);
}

static void add_reason(struct dump *u, int err)
{
	const char *name = eio_err_name(err);

	if (err == EIO__DAEMONS_LEFT)
		eio__text_add(u->text, ", only daemons left");
	else if (err == -ECANCELED)
		eio__text_add(u->text, ", cancelled");
	else if (err && strcmp(name, "unknown") != 0)
		eio__text_add(u->text, ", cancelled: %s", name);
	else if (err)
		eio__text_add(u->text, ", cancelled: %d", err);
}

static void add_count(struct dump *u, size_t fibers)
{
	eio__text_add(u->text, ", %zu fiber%s", fibers, fibers == 1 ? "" : "s");
}

static void add_switch(struct dump *u, const struct eio__switch *sw)
{
	eio__text_add(u->text, " of fiber %llu", (unsigned long long) sw->owner->id);
	add_count(u, sw->fibers);
	if (sw->daemons)
		eio__text_add(u->text, ", daemons: %u", sw->daemons);
	if (sw->ctx.protected)
		eio__text_add(u->text, ", protected");
}

static void add_ctx(struct dump *u, const struct eio__ctx *c, unsigned depth)
{
	add_indent(u, depth);
	eio__text_add(u->text, "%s", c->kind);
	add_name(u, c->name);
	if (c->kind == eio__switch_kind)
		add_switch(u, eio__container_of(c, struct eio__switch, ctx));
	add_reason(u, c->err);
	eio__text_add(u->text, "\n");
}

static void add_wait(struct dump *u, const struct eio__fiber *f)
{
	int64_t age = (int64_t) (u->tick - f->since) << EIO__TICK_BITS;
	const struct eio__wait *wait = f->wait;
	char what[128], span[EIO__SPAN];

	if (f->interrupted)
		eio__text_add(u->text, ", cancelled");
	if (wait->describe)
		wait->describe(f, f->wait_arg, what, sizeof(what));
	eio__text_add(u->text, ": %s", wait->describe ? what : wait->what);
	if (age > 0)
		eio__text_add(u->text, " (%s)", eio__span(span, age));
}

/* One that is not suspended: the current one, unless it yields and the domain is asked in
 * the middle of that. */
static bool is_running(const struct eio__domain *d, const struct eio__fiber *f)
{
	if (f != d->current)
		return false;
	for (const struct eio__fiber *q = d->head; q; q = q->next) {
		if (q == f)
			return false;
	}
	return true;
}

static void add_fiber(struct dump *u, const struct eio__fiber *f, unsigned depth)
{
	add_indent(u, depth);
	eio__text_add(u->text, "fiber %llu", (unsigned long long) f->id);
	add_name(u, f->name);
	if (f->daemon)
		eio__text_add(u->text, ", daemon");
	if (f->wait)
		add_wait(u, f);
	else
		eio__text_add(u->text, is_running(u->domain, f) ? ": running" : ": runnable");
	eio__text_add(u->text, "\n");
}

static int by_id(const void *a, const void *b)
{
	const struct eio__fiber *f = *(struct eio__fiber *const *) a;
	const struct eio__fiber *g = *(struct eio__fiber *const *) b;

	return f->id < g->id ? -1 : f->id > g->id;
}

/* Their order in the list is that of cancellation, which is not for us to change. */
static void add_fibers(struct dump *u, const struct eio__ctx *c, unsigned depth)
{
	struct eio__list *it;
	size_t n = 0;

	eio__list_foreach(it, &c->fibers)
		u->order[n++] = eio__container_of(it, struct eio__fiber, in_ctx);
	qsort(u->order, n, sizeof(struct eio__fiber *), by_id);
	for (size_t i = 0; i < n; i++)
		add_fiber(u, u->order[i], depth);
}

/* Depth first, the oldest first, without recursion: scopes may nest deeper than a stack
 * is. A new child is put to the front of the list. */
static const struct eio__ctx *next_ctx(const struct eio__ctx *c, unsigned *depth)
{
	const struct eio__list *link = c->children.prev;

	if (link != &c->children) {
		++*depth;
		return eio__container_of(link, struct eio__ctx, sibling);
	}
	for (; c->parent; c = c->parent, --*depth) {
		link = c->sibling.prev;
		if (link != &c->parent->children)
			return eio__container_of(link, struct eio__ctx, sibling);
	}
	return NULL;
}

static void add_tree(struct dump *u)
{
	const struct eio__ctx *c = &u->domain->root;
	unsigned depth = 0;

	add_reason(u, c->err);
	eio__text_add(u->text, "\n");
	add_fibers(u, c, 1);
	while ((c = next_ctx(c, &depth))) {
		add_ctx(u, c, depth);
		add_fibers(u, c, depth + 1);
	}
}

void eio__dump_domain(struct eio__text *t, struct eio__domain *d)
{
	struct dump u = {.text = t, .domain = d, .tick = eio__tick(d->ops->now(d))};

	eio__text_add(t, "domain %llu", (unsigned long long) d->entry.id);
	add_name(&u, d->root.name);
	eio__text_add(t, " (%s, thread %ld)", d->ops->name, syscall(SYS_gettid));
	if (d->entry.ended) {
		eio__text_add(t, ", ended\n");
		return;
	}
	add_count(&u, d->fibers + 1);
	u.order = calloc(d->fibers + 1, sizeof(struct eio__fiber *));
	if (u.order)
		add_tree(&u);
	else
		t->lost = true;
	free(u.order);
}

/* Line by line, as that is what the hook takes. */
static void log_lines(const struct eio__text *t)
{
	const char *line = t->data, *end = t->data + t->len;

	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t) (end - line));

		if (!stop)
			stop = end;
		eio__log(EIO_LOG_ERROR, "%.*s", (int) (stop - line), line);
		line = stop + 1;
	}
	if (t->lost)
		eio__log(EIO_LOG_ERROR, "%s", lost);
}

void eio__dump_log(struct eio__domain *d)
{
	struct eio__text t = {.data = NULL};

	eio__dump_domain(&t, d);
	if (eio__log_is_set())
		log_lines(&t);
	else
		eio__text_print(&t, STDERR_FILENO);
	eio__text_free(&t);
}
