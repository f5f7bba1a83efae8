/* SPDX-License-Identifier: ISC */
/*
 * A search for lines in the files of a tree, in the manner of grep -r.
 *
 * One fiber walks the tree, directory by directory in the order of their names, and hands out the
 * files in batches (walk.c). Workers, fibers of one or several domains, search the files of a batch
 * one after the other (work.c, match.c). Another fiber prints what they have found, in the order in
 * which the batches were handed out (search.c).
 *
 * So the output is that of one fiber that does it all, and memory is bounded: there are no more
 * than WINDOW batches, and a worker that has found more than OUTPUT_MAX waits until all before
 * its batch is printed, and then prints itself.
 */
#ifndef SEARCH_H
#define SEARCH_H

#define _GNU_SOURCE 1
#include <eio/eio.h>
#include <regex.h>
#include <stdatomic.h>

enum {
	WINDOW = 64,
	BATCH_MAX = 64,
	FOLDERS_MAX = 4, /* of a batch, for each has a descriptor */
	OUTPUT_MAX = 256 * 1024,
	JOBS_DEFAULT = 8, /* of each domain */
	JOBS_MAX = 256,
	DOMAINS_MAX = 16,
};

/* What to search for and how to tell. */
struct question {
	const char *pattern;
	size_t length;
	bool literal; /* no regular expression */
	bool ignore_case, invert, number, only_names, only_counts;
};

/* A directory, or the one a file of the command line is looked for in. As long as there is
 * work in it. */
struct folder {
	atomic_uint users;
	struct eio_dir dir;
	bool owned;    /* the directory is closed in the end */
	char *names;   /* of its entries */
	char prefix[]; /* put before a name: "", or a path and a slash */
};

/* A file to be searched: its name is in the folder's names. */
struct item {
	struct folder *folder;
	const char *name;
};

struct output {
	char *data;
	size_t len, size;
};

struct batch {
	struct item items[BATCH_MAX];
	unsigned n, n_folders;
	struct output out;
	struct eio_promise turn; /* everything before it is printed */
	struct eio_promise done; /* it is searched */
};

struct search {
	struct question question;
	char **paths; /* of the command line; empty: the working directory */
	size_t n_paths;
	unsigned jobs, domains;
	bool named;          /* names stand before lines */
	struct eio_env *env; /* the first domain's */

	struct eio_stream queue; /* of batches, for the workers */
	struct eio_stream order; /* the same ones, for the printer */

	atomic_int rc; /* what ended the work, or 0 */
	atomic_bool found, failed;
	atomic_ulong files;
};

/* Says on standard error what is wrong with a file, and remembers that something is. */
void complain(struct search *s, const char *prefix, const char *name, int rc);

/* Nothing more is handed out; with a failure, nothing more is searched either. What has been
 * handed out goes its way to the printer, which frees it. */
void stop(struct search *s, int rc);

/* walk.c */

/* Hands out all there is to search: 0 or a code that ends everything. */
int walk(struct search *s);
void folder_release(struct folder *f);

/* work.c */

/* Searches batches until there are no more. */
struct matcher;
void work(struct search *s, const struct matcher *m);

/* match.c */

/* A pattern, for one thread at a time. */
struct matcher {
	const struct question *question;
	bool as_it_stands; /* what the C library's memmem finds */
	regex_t regex;     /* else */
};

/* 0, or 1 if the pattern is no regular expression: why is told then. */
int matcher_init(struct matcher *m, const struct question *q, char *why, size_t size);
void matcher_fini(struct matcher *m);

/*
 * The next line to be reported within whole lines, each with a newline but perhaps the last:
 * false, or *ret_line and *ret_next, behind its newline.
 */
bool matcher_next(const struct matcher *m, const char *text, const char *end, const char **ret_line,
		  const char **ret_next);

#endif
