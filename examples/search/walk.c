/* SPDX-License-Identifier: ISC */
/*
 * Walking a tree and handing out its files.
 *
 * The directory that is read now, and those above it, are the levels of a stack: each has what is
 * in it as a sorted list, a position there, and a handle that what is below is opened by. A symlink
 * is never followed. Where one takes the place of a file while this runs, the kernel still
 * resolves it beneath the directory of the command line.
 */
#include "search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A directory's entries, sorted: in front of each name a character says what it is. */
enum { IS_FILE = 'f', IS_DIR = 'd' };

struct level {
	struct level *above;
	struct folder *folder;
	char **entries;
	size_t n, next;
};

struct walk {
	struct search *search;
	struct batch *batch; /* being filled, or NULL */
	unsigned n_batches;  /* handed out */
	struct level *level; /* the innermost one */
	struct eio_stat out; /* what the output goes to, if that is a file */
};

/* Folders */

/* Its prefix ends in one slash, however many the name of the command line ends in. */
static struct folder *folder_new(const char *prefix, const char *name, struct eio_dir dir,
				 bool owned)
{
	size_t len = strlen(prefix) + strlen(name);
	struct folder *f = calloc(1, sizeof(*f) + len + sizeof("/"));

	if (!f)
		return NULL;
	f->users = 1;
	f->dir = dir;
	f->owned = owned;
	snprintf(f->prefix, len + 1, "%s%s", prefix, name);
	while (len > 0 && f->prefix[len - 1] == '/')
		len--;
	if (*f->prefix)
		memcpy(f->prefix + len, "/", sizeof("/"));
	return f;
}

void folder_release(struct folder *f)
{
	if (atomic_fetch_sub(&f->users, 1) > 1)
		return;
	if (f->owned)
		eio_dir_close(f->dir);
	free(f->names);
	free(f);
}

/* Batches */

static void release_items(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		folder_release(b->items[i].folder);
}

/* To the printer first: it is that stream which bounds how many there are. */
static int hand_out(struct walk *w)
{
	struct batch *b = w->batch;
	int rc = eio_stream_add(&w->search->order, &b);

	if (rc < 0)
		return rc;
	w->batch = NULL;
	w->n_batches++;
	rc = eio_stream_add(&w->search->queue, &b);
	if (rc < 0) {
		release_items(b);
		eio_promise_resolve(&b->done, 0, NULL);
	}
	return rc;
}

static int add_item(struct walk *w, struct folder *folder, const char *name)
{
	struct batch *b = w->batch ? w->batch : calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	w->batch = b;
	b->n_folders += b->n == 0 || b->items[b->n - 1].folder != folder;
	b->items[b->n++] = (struct item){folder, name};
	atomic_fetch_add(&folder->users, 1);
	return 0;
}

/* Batches grow: a few files may be large ones, and not all for the same worker. */
enum { OF_A_SIZE = 8 };

static bool is_full(const struct walk *w)
{
	unsigned most = 1 + w->n_batches / OF_A_SIZE;

	return w->batch->n == BATCH_MAX || w->batch->n >= most ||
	       w->batch->n_folders == FOLDERS_MAX;
}

static int add_file(struct walk *w, struct folder *folder, const char *name)
{
	int rc = add_item(w, folder, name);

	return rc == 0 && is_full(w) ? hand_out(w) : rc;
}

/* What is written to while it is read has no end. */
static bool is_output(const struct walk *w, struct eio_dir dir, const char *name, uint64_t ino)
{
	struct eio_stat st;

	return w->out.kind == EIO_KIND_REGULAR && ino == w->out.ino &&
	       eio_fs_stat(dir, name, false, &st) == 0 && st.dev == w->out.dev;
}

/* Levels */

struct gathering {
	char *text;
	size_t len, size, n;
};

/* One after the other, each with its character in front and a NUL behind. */
static int gather_entry(struct gathering *g, const struct eio_dir_entry *e)
{
	size_t len = strlen(e->name) + 2;

	if (g->size - g->len < len) {
		size_t size = 2 * g->size + len + 4096;
		char *text = realloc(g->text, size);

		if (!text)
			return -ENOMEM;
		g->text = text;
		g->size = size;
	}
	g->text[g->len] = e->kind == EIO_KIND_DIRECTORY ? IS_DIR : IS_FILE;
	memcpy(g->text + g->len + 1, e->name, len - 1);
	g->len += len;
	g->n++;
	return 0;
}

static int gather(struct walk *w, struct gathering *g, struct eio_dir dir)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, dir, ".");

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&it, &e)) > 0) {
		if (e.kind != EIO_KIND_DIRECTORY && e.kind != EIO_KIND_REGULAR)
			continue;
		if (is_output(w, dir, e.name, e.ino))
			continue;
		rc = gather_entry(g, &e);
		if (rc < 0)
			break;
	}
	eio_fs_dir_end(&it);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *) a + 1, *(char *const *) b + 1);
}

static int sort_entries(struct level *l, const struct gathering *g)
{
	char *entry = g->text;

	l->entries = malloc((g->n + 1) * sizeof(*l->entries));
	if (!l->entries)
		return -ENOMEM;
	for (; l->n < g->n; l->n++, entry += strlen(entry) + 1)
		l->entries[l->n] = entry;
	qsort(l->entries, l->n, sizeof(*l->entries), by_name);
	return 0;
}

/* Takes the folder's only use over, whatever happens. */
static int enter(struct walk *w, struct folder *folder)
{
	struct level *l = calloc(1, sizeof(*l));
	struct gathering g = {0};
	int rc = l ? gather(w, &g, folder->dir) : -ENOMEM;

	folder->names = g.text;
	if (rc == 0)
		rc = sort_entries(l, &g);
	if (rc < 0) {
		free(l);
		folder_release(folder);
		return rc;
	}
	l->folder = folder;
	l->above = w->level;
	w->level = l;
	return 0;
}

static void leave(struct walk *w)
{
	struct level *l = w->level;

	w->level = l->above;
	folder_release(l->folder);
	free(l->entries);
	free(l);
}

/* What goes wrong with a directory ends nothing else. */
static int settle(struct walk *w, const char *prefix, const char *name, int rc)
{
	if (rc == 0 || rc == -ECANCELED || rc == -ENOMEM || rc == -EPIPE)
		return rc;
	complain(w->search, prefix, name, rc);
	return 0;
}

static int enter_dir(struct walk *w, const char *prefix, struct eio_dir from, const char *name,
		     bool follow)
{
	struct folder *f;
	struct eio_dir dir;
	int rc = follow ? eio_fs_open_dir(from, NULL, name, &dir)
			: eio_fs_open_dir_nofollow(from, NULL, name, &dir);

	if (rc == 0) {
		f = folder_new(prefix, name, dir, true);
		if (!f)
			eio_dir_close(dir);
		rc = f ? enter(w, f) : -ENOMEM;
	}
	return settle(w, prefix, name, rc);
}

/* All that is below the innermost level, and that level itself. */
static int walk_levels(struct walk *w)
{
	int rc = 0;

	while (rc == 0 && w->level) {
		struct level *l = w->level;
		const char *entry = l->next < l->n ? l->entries[l->next++] : NULL;

		if (!entry)
			leave(w);
		else if (*entry == IS_DIR)
			rc = enter_dir(w, l->folder->prefix, l->folder->dir, entry + 1, false);
		else
			rc = add_file(w, l->folder, entry + 1);
	}
	return rc;
}

/* The command line, where links are followed */

static int walk_path(struct walk *w, struct folder *anywhere, const char *path)
{
	struct eio_dir fs = w->search->env->fs;
	struct eio_stat st;
	int rc = eio_fs_stat(fs, path, true, &st);

	if (rc < 0)
		return settle(w, "", path, rc);
	if (is_output(w, fs, path, st.ino))
		return 0;
	if (st.kind != EIO_KIND_DIRECTORY)
		return add_file(w, anywhere, path);
	rc = enter_dir(w, "", fs, path, true);
	return rc < 0 ? rc : walk_levels(w);
}

static int walk_paths(struct walk *w)
{
	struct search *s = w->search;
	struct folder *anywhere = folder_new("", "", s->env->fs, false);
	int rc = anywhere ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->n_paths && rc == 0; i++)
		rc = walk_path(w, anywhere, s->paths[i]);
	if (anywhere)
		folder_release(anywhere);
	return rc;
}

static int walk_working_dir(struct walk *w)
{
	struct folder *f = folder_new("", "", w->search->env->cwd, false);
	int rc = f ? enter(w, f) : -ENOMEM;

	return rc < 0 ? settle(w, "", ".", rc) : walk_levels(w);
}

int walk(struct search *s)
{
	struct walk w = {.search = s};
	int rc;

	if (eio_file_stat(s->env->out, &w.out) < 0)
		w.out.kind = EIO_KIND_UNKNOWN;
	rc = s->n_paths ? walk_paths(&w) : walk_working_dir(&w);
	if (rc == 0 && w.batch)
		rc = hand_out(&w);
	if (w.batch)
		release_items(w.batch);
	free(w.batch);
	while (w.level)
		leave(&w);
	return rc;
}
