/* SPDX-License-Identifier: ISC */
/*
 * How much room the files of a tree take, directory by directory, in the manner of du -k.
 *
 * A few fibers each take a directory that is to be read, read it with what is known of its
 * entries, and put what is below on the stack of those to be read. That is done by threads, so
 * several directories are read at once. A directory is printed when all below it are: the last
 * one that adds to it prints it. The stack is last in, first out, so that it stays short.
 *
 * A directory of the command line is a capability: all that is below is opened beneath it, so
 * that a symlink that takes the place of a directory meanwhile leads nowhere else.
 */
#define _GNU_SOURCE 1
#include <eio/eio.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_DEFAULT = 4, JOBS_MAX = 64 };

/* A directory, until it is printed. */
struct node {
	struct node *above; /* NULL: of the command line */
	struct node *next;  /* in the stack */
	uint64_t blocks;    /* of 512 bytes, so far */
	unsigned pending;   /* directories right below, and itself if it has not been read */
	char path[];
};

/* What has been counted and may come again: a table with room for twice as many. */
struct id {
	uint64_t dev, ino;
};

struct ids {
	bool all;         /* may come twice: the command line names several directories */
	struct id *table; /* ino 0: free */
	size_t n, size;
};

struct usage {
	unsigned jobs;
	bool only_totals;
	char **paths;
	size_t n_paths;

	struct eio_dir top; /* of the command line, and the length of its path */
	size_t top_len;
	struct node *stack;
	unsigned busy; /* fibers that read a directory, and may add to the stack */
	struct eio_condition changed;
	struct ids seen;
	bool ended; /* by a failure: what is not counted yet will not be */
	bool failed;
};

/* What counts once */

static struct id *find_id(const struct ids *ids, struct id id)
{
	size_t i = (id.ino * 0x9e3779b97f4a7c15u ^ id.dev) & (ids->size - 1);

	while (ids->table[i].ino && (ids->table[i].ino != id.ino || ids->table[i].dev != id.dev))
		i = (i + 1) & (ids->size - 1);
	return &ids->table[i];
}

static int grow_ids(struct ids *ids)
{
	struct ids larger = {.size = ids->size ? 2 * ids->size : 64};

	larger.table = calloc(larger.size, sizeof(*larger.table));
	if (!larger.table)
		return -ENOMEM;
	for (size_t i = 0; i < ids->size; i++) {
		if (ids->table[i].ino)
			*find_id(&larger, ids->table[i]) = ids->table[i];
	}
	free(ids->table);
	ids->table = larger.table;
	ids->size = larger.size;
	return 0;
}

/* 1 if the file counts, 0 if it has been counted. */
static int is_new(struct ids *ids, const struct eio_stat *st)
{
	struct id id = {st->dev, st->ino}, *at;

	if (!ids->all && (st->nlink < 2 || st->kind == EIO_KIND_DIRECTORY))
		return 1;
	if (2 * ids->n >= ids->size && grow_ids(ids) < 0)
		return -ENOMEM;
	at = find_id(ids, id);
	if (at->ino)
		return 0;
	*at = id;
	ids->n++;
	return 1;
}

/* Directories */

static void complain(struct usage *u, const char *path, const char *name, int rc)
{
	u->failed = true;
	fprintf(stderr, "usage: %s%s%s: %s\n", path, *name ? "/" : "", name, eio_strerror(rc));
}

/* It has been read, or one below it is printed: the last one prints it. */
static void settle(struct usage *u, struct node *n)
{
	while (n && --n->pending == 0) {
		struct node *above = n->above;

		if (!u->ended && (!u->only_totals || !above))
			printf("%llu\t%s\n", (unsigned long long) (n->blocks + 1) / 2, n->path);
		if (above)
			above->blocks += n->blocks;
		free(n);
		n = above;
	}
}

static int push(struct usage *u, struct node *above, const char *name, const struct eio_stat *st)
{
	size_t len = above ? strlen(above->path) : 0, size = len + strlen(name) + 2;
	struct node *n = malloc(sizeof(*n) + size);

	if (!n)
		return -ENOMEM;
	*n = (struct node){.above = above, .next = u->stack, .blocks = st->blocks, .pending = 1};
	if (above)
		snprintf(n->path, size, "%s%s%s", above->path,
			 above->path[len - 1] == '/' ? "" : "/", name);
	else
		memcpy(n->path, name, strlen(name) + 1);
	if (above)
		above->pending++;
	u->stack = n;
	eio_condition_signal(&u->changed);
	return 0;
}

/* A directory's path beneath the one of the command line. */
static const char *beneath(const struct usage *u, const struct node *n)
{
	const char *path = n->path + u->top_len;

	while (*path == '/')
		path++;
	return *path ? path : ".";
}

/* What a listing could not find out: asked again, for the reason. */
static int explain(struct usage *u, struct node *n, const char *name)
{
	struct eio_stat st;
	char *path;
	int rc;

	if (asprintf(&path, "%s/%s", beneath(u, n), name) < 0)
		return -ENOMEM;
	rc = eio_fs_stat(u->top, path, false, &st);
	free(path);
	if (rc < 0 && rc != -ECANCELED)
		complain(u, n->path, name, rc);
	return rc == -ECANCELED ? rc : 0;
}

static int add_entry(struct usage *u, struct node *n, const struct eio_dir_entry *e)
{
	int rc;

	if (!e->stat)
		return explain(u, n, e->name);
	rc = is_new(&u->seen, e->stat);
	if (rc <= 0)
		return rc;
	if (e->stat->kind == EIO_KIND_DIRECTORY)
		return push(u, n, e->name, e->stat);
	n->blocks += e->stat->blocks;
	return 0;
}

static int read_dir(struct usage *u, struct node *n)
{
	static const struct eio_dir_opts with_stat = {.stat = true};
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	int rc = eio_fs_dir_begin_with(&it, u->top, beneath(u, n), &with_stat);

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&it, &e)) > 0) {
		rc = add_entry(u, n, &e);
		if (rc < 0)
			break;
	}
	eio_fs_dir_end(&it);
	return rc;
}

/* 1 and a directory to read; 0: there are none, and will be none. */
static int pop(struct usage *u, struct node **ret)
{
	while (!u->stack && u->busy) {
		int rc = eio_condition_await_no_mutex(&u->changed);

		if (rc < 0)
			return rc;
	}
	if (!u->stack)
		return 0;
	*ret = u->stack;
	u->stack = u->stack->next;
	return 1;
}

static int worker(size_t i, void *arg)
{
	struct usage *u = arg;
	struct node *n;
	int rc;

	(void) i;
	while ((rc = pop(u, &n)) > 0) {
		u->busy++;
		rc = read_dir(u, n);
		u->busy--;
		if (rc < 0 && rc != -ECANCELED && rc != -ENOMEM) {
			complain(u, n->path, "", rc);
			rc = 0;
		}
		u->ended = u->ended || rc < 0;
		settle(u, n);
		if (!u->stack && !u->busy)
			eio_condition_broadcast(&u->changed);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* After a failure nobody reads what is left. */
static void free_stack(struct usage *u)
{
	while (u->stack) {
		struct node *n = u->stack;

		u->stack = n->next;
		settle(u, n);
	}
}

static int run_dir(struct usage *u, struct eio_dir fs, const char *path, const struct eio_stat *st)
{
	int rc = eio_fs_open_dir_nofollow(fs, NULL, path, &u->top);

	if (rc < 0) {
		complain(u, path, "", rc);
		return 0;
	}
	u->top_len = strlen(path);
	rc = push(u, NULL, path, st);
	if (rc == 0)
		rc = eio_for_each(u->jobs, 0, worker, u);
	u->ended = rc < 0;
	free_stack(u);
	eio_dir_close(u->top);
	return rc;
}

static int run_path(struct usage *u, struct eio_dir fs, const char *path)
{
	struct eio_stat st;
	int rc = eio_fs_stat(fs, path, false, &st);

	if (rc < 0) {
		complain(u, path, "", rc);
		return 0;
	}
	rc = is_new(&u->seen, &st);
	if (rc <= 0)
		return rc;
	if (st.kind == EIO_KIND_DIRECTORY)
		return run_dir(u, fs, path, &st);
	printf("%llu\t%s\n", (unsigned long long) (st.blocks + 1) / 2, path);
	return 0;
}

/* One after the other, for their order is that of the command line. */
static int run(struct eio_env *env, void *arg)
{
	struct usage *u = arg;
	int rc = 0;

	u->seen.all = u->n_paths > 1;
	for (size_t i = 0; i < u->n_paths && rc == 0; i++)
		rc = run_path(u, env->fs, u->paths[i]);
	return rc;
}

static void help(FILE *to)
{
	fprintf(to,
		"Usage: usage [OPTION]... [FILE|DIRECTORY]...\n"
		"\n"
		"Prints how many KiB files take, and directories with all that is below them; "
		"those\n"
		"of the working directory by default. A file with several names counts once.\n"
		"\n"
		"  -s, --summarize  only what the command line names\n"
		"  -j, --jobs N     directories to read at a time, 1 to %d (default %d)\n"
		"      --help       print this text\n",
		JOBS_MAX, JOBS_DEFAULT);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct usage *u, int argc, char **argv)
{
	static const struct option options[] = {
		{"summarize", no_argument, NULL, 's'},
		{"jobs", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	static char *here[] = {"."};
	int option;

	while ((option = getopt_long(argc, argv, "sj:", options, NULL)) >= 0) {
		char *rest;
		long jobs;

		switch (option) {
		case 's':
			u->only_totals = true;
			break;
		case 'j':
			jobs = strtol(optarg, &rest, 10);
			if (rest == optarg || *rest || jobs < 1 || jobs > JOBS_MAX) {
				fprintf(stderr, "usage: -j %s: not a number from 1 to %d\n", optarg,
					JOBS_MAX);
				return 2;
			}
			u->jobs = (unsigned) jobs;
			break;
		case 'h':
			help(stdout);
			return 0;
		default:
			help(stderr);
			return 2;
		}
	}
	u->paths = optind < argc ? argv + optind : here;
	u->n_paths = optind < argc ? (size_t) (argc - optind) : 1;
	return -1;
}

int main(int argc, char **argv)
{
	struct usage u = {.jobs = JOBS_DEFAULT};
	/* A closed pipe ends the program. */
	struct eio_config config = {.flags = EIO_RUN_KEEP_SIGPIPE};
	int rc = parse_args(&u, argc, argv);

	if (rc >= 0)
		return rc;
	rc = eio_run(&config, run, &u);
	free(u.seen.table);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "usage: %s\n", why);
		return 1;
	}
	if (fflush(stdout) != 0) {
		perror("usage: standard output");
		return 1;
	}
	return u.failed;
}
