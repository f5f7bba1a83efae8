/* SPDX-License-Identifier: ISC */
/*
 * Searching files.
 *
 * A worker has one buffer, which holds whole lines: what comes after the last newline is moved
 * to the front before more is read, and where a line does not fit the buffer grows.
 */
#include "search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 64 * 1024 };

struct worker {
	struct search *search;
	const struct matcher *matcher;
	struct batch *batch;
	char *buf; /* with room for a NUL behind size, which sanitizers' regexec looks for */
	size_t size;
	int rc; /* what ends the work; not what is wrong with one file */
};

/* A file being searched. */
struct file {
	const char *prefix, *name;
	struct eio_flow flow;
	uint64_t lines;   /* before what is searched next; counted only if asked for */
	uint64_t matches; /* lines found */
	bool binary;      /* there was a NUL */
	bool ended;       /* all of it has been read … */
	bool settled;     /* … or need not be, because the answer is known */
};

/* Output: after the first failure nothing more is done, and in the end it is returned. */

static bool make_room(struct output *out, size_t len)
{
	size_t size = 2 * out->size + len;
	char *data;

	if (out->size - out->len >= len)
		return true;
	data = realloc(out->data, size);
	if (!data)
		return false;
	out->data = data;
	out->size = size;
	return true;
}

static void put(struct worker *w, const char *text, size_t len)
{
	struct output *out = &w->batch->out;

	if (w->rc == 0 && len > 0 && !make_room(out, len))
		w->rc = -ENOMEM;
	if (w->rc < 0 || len == 0)
		return;
	memcpy(out->data + out->len, text, len);
	out->len += len;
}

static void put_text(struct worker *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_name(struct worker *w, const struct file *f)
{
	put_text(w, f->prefix);
	put_text(w, f->name);
}

static void put_number(struct worker *w, uint64_t number, char behind)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu%c", (unsigned long long) number, behind);
	put_text(w, text);
}

/* Once everything before it is printed a batch may print itself. */
static void print_much(struct worker *w)
{
	struct output *out = &w->batch->out;

	if (w->rc < 0 || out->len < OUTPUT_MAX)
		return;
	w->rc = eio_promise_await(&w->batch->turn, NULL);
	if (w->rc == 0)
		w->rc = eio_flow_write(w->search->env->out, out->data, out->len);
	out->len = 0;
}

static void put_line(struct worker *w, const struct file *f, const char *line, size_t len)
{
	if (w->search->named) {
		put_name(w, f);
		put_text(w, ":");
	}
	if (w->search->question.number)
		put_number(w, f->lines + 1, ':');
	put(w, line, len);
	if (line[len - 1] != '\n')
		put_text(w, "\n");
	print_much(w);
}

static void put_summary(struct worker *w, const struct file *f)
{
	const struct question *q = &w->search->question;

	if (q->only_names && f->matches) {
		put_name(w, f);
		put_text(w, "\n");
	} else if (q->only_counts) {
		if (w->search->named) {
			put_name(w, f);
			put_text(w, ":");
		}
		put_number(w, f->matches, '\n');
	} else if (f->binary && f->settled) {
		put_text(w, "Binary file ");
		put_name(w, f);
		put_text(w, " matches\n");
	}
	print_much(w);
}

/* Searching */

static uint64_t count_lines(const char *from, const char *to)
{
	uint64_t n = 0;

	while (from < to && (from = memchr(from, '\n', (size_t) (to - from)))) {
		from++;
		n++;
	}
	return n;
}

static void search_lines(struct worker *w, struct file *f, const char *text, const char *end)
{
	const struct question *q = &w->search->question;
	const char *line, *next;

	while (w->rc == 0 && matcher_next(w->matcher, text, end, &line, &next)) {
		f->matches++;
		if (q->only_names || (f->binary && !q->only_counts)) {
			f->settled = true;
			return;
		}
		if (q->number)
			f->lines += count_lines(text, line);
		if (!q->only_counts)
			put_line(w, f, line, (size_t) (next - line));
		f->lines++;
		text = next;
	}
	if (q->number)
		f->lines += count_lines(text, end);
}

/* As grep: in a binary file a NUL ends a line, too. */
static void end_lines_at_nul(struct file *f, char *text, char *end)
{
	while (text < end && (text = memchr(text, '\0', (size_t) (end - text)))) {
		*text++ = '\n';
		f->binary = true;
	}
}

/* Reads until the buffer is full or the file at its end: how much is in it. */
static ssize_t fill(struct worker *w, struct file *f, size_t len)
{
	while (len < w->size && !f->ended) {
		ssize_t n = eio_flow_read(f->flow, w->buf + len, w->size - len);

		if (n < 0)
			return n;
		end_lines_at_nul(f, w->buf + len, w->buf + len + n);
		f->ended = n == 0;
		len += (size_t) n;
	}
	w->buf[len] = '\0';
	return (ssize_t) len;
}

static int grow(struct worker *w)
{
	char *buf = realloc(w->buf, 2 * w->size + 1);

	if (!buf)
		return -ENOMEM;
	w->buf = buf;
	w->size *= 2;
	return 0;
}

/* Is there any use in searching on? */
static bool is_wanted(const struct worker *w)
{
	return w->rc == 0 && atomic_load_explicit(&w->search->rc, memory_order_relaxed) == 0;
}

/* How much of the buffer can be searched: whole lines, or the rest. */
static size_t whole_lines(const struct worker *w, const struct file *f, size_t len)
{
	const char *last = f->ended ? NULL : memrchr(w->buf, '\n', len);

	if (f->ended)
		return len;
	return last ? (size_t) (last + 1 - w->buf) : 0;
}

/* 0 or what is wrong with the file. */
static int search_flow(struct worker *w, struct file *f)
{
	size_t kept = 0;

	while (!f->ended && !f->settled && is_wanted(w)) {
		ssize_t len = fill(w, f, kept);
		size_t whole;

		if (len < 0)
			return (int) len;
		whole = whole_lines(w, f, (size_t) len);
		if (whole == 0 && !f->ended && grow(w) < 0)
			return -ENOMEM;
		search_lines(w, f, w->buf, w->buf + whole);
		kept = (size_t) len - whole;
		memmove(w->buf, w->buf + whole, kept);
	}
	put_summary(w, f);
	return 0;
}

/* What a listing had found to be a file may be another thing by now, a FIFO say, which may never
 * end. */
static bool is_as_listed(const struct item *item, struct eio_flow flow)
{
	struct eio_stat st;

	if (!item->folder->names)
		return true; /* named by the command line */
	return eio_file_stat(flow, &st) == 0 && st.kind == EIO_KIND_REGULAR;
}

static void search_file(struct worker *w, const struct item *item)
{
	struct file f = {.prefix = item->folder->prefix, .name = item->name};
	struct search *s = w->search;
	int rc = eio_fs_open_in(item->folder->dir, NULL, item->name, &f.flow);

	if (rc == 0) {
		if (is_as_listed(item, f.flow))
			rc = search_flow(w, &f);
		eio_flow_close(f.flow);
	}
	if (rc < 0)
		complain(s, f.prefix, f.name, rc);
	if (f.matches)
		atomic_store_explicit(&s->found, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->files, 1, memory_order_relaxed);
}

/* Also after a failure, for the printer waits for every batch. */
static void search_batch(struct worker *w, struct batch *b)
{
	w->batch = b;
	for (unsigned i = 0; i < b->n; i++) {
		if (is_wanted(w))
			search_file(w, &b->items[i]);
		folder_release(b->items[i].folder);
	}
	if (w->rc < 0)
		stop(w->search, w->rc);
	eio_promise_resolve(&b->done, 0, NULL);
}

void work(struct search *s, const struct matcher *m)
{
	struct worker w = {.search = s, .matcher = m, .size = BUFFER};
	struct batch *b;

	w.buf = malloc(w.size + 1);
	w.rc = w.buf ? 0 : -ENOMEM;
	while (eio_stream_take(&s->queue, &b) == 0)
		search_batch(&w, b);
	free(w.buf);
}
