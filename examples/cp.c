/* SPDX-License-Identifier: ISC */
/*
 * A file copier, in three ways.
 *
 * A file to a file: eio_fs_copy_file, which shares blocks or has the kernel copy them, and
 * keeps holes.
 *
 * With -j or --direct: several fibers, each taking the next block. A fiber owns one fixed
 * buffer. It takes a block of the source, reads it, writes it at the same offset of the
 * target, and takes the next one, so up to that many reads and writes are under way. Only
 * data are read: where the source has a hole nothing is written, and the target has one too.
 *
 * What cannot be read at an offset or does not say how long it is (pipes, devices): one fiber,
 * from front to back.
 */
#define _GNU_SOURCE 1
#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Large enough that what a block costs besides its bytes does not matter. The default
 * number of them keeps the bytes in flight within the second-level caches and the pinned
 * memory well below the 8 MiB that a process may usually lock.
 */
enum {
	BLOCK = 256 * 1024,
	JOBS_DEFAULT = 8,
	JOBS_MAX = 64,
	ALIGN = 4096, /* of transfers past the page cache */
};

struct copy {
	const char *from, *to;
	unsigned jobs; /* 0: no blocks */
	bool direct;   /* the source is read past the page cache */
	bool progress; /* asked for; a terminal gets it anyway */

	struct eio_env *env;
	struct eio_stat stat; /* of the source */
	struct eio_flow in;   /* the source, and its descriptor */
	struct eio_fd src, dst;
	int src_number; /* for lseek */

	/* Of the data segment being handed out: where the next block begins, and its end. */
	off_t next, end;
	off_t size; /* the target's at the end */
	off_t eof;  /* where a read found the source to end */
	bool to_file;

	uint64_t done; /* bytes written */
	int64_t start_ns;
	bool shown; /* a line of progress */
};

/* Looks for the next data segment: 1, or 0 if there are none left. */
static int next_segment(struct copy *copy)
{
	off_t start = lseek(copy->src_number, copy->end, SEEK_DATA);
	off_t end = start < 0 ? -1 : lseek(copy->src_number, start, SEEK_HOLE);

	if (end >= 0) {
		copy->next = start;
		copy->end = end;
		return 1;
	}
	if (errno != ENXIO)
		return eio_error_set(-errno, "lseek", copy->from);

	/* Whatever is left is a hole. */
	copy->next = copy->end = copy->size = lseek(copy->src_number, 0, SEEK_END);
	return 0;
}

/*
 * Takes the next block, at most up to the next multiple of its size: its length, or 0 if
 * there are none left. Nothing here suspends, so no block is taken twice.
 */
static ssize_t take_block(struct copy *copy, off_t *ret_off)
{
	off_t len;

	if (copy->next == copy->end) {
		int rc = next_segment(copy);

		if (rc <= 0)
			return rc;
	}
	len = BLOCK - copy->next % BLOCK;
	if (len > copy->end - copy->next)
		len = copy->end - copy->next;
	*ret_off = copy->next;
	copy->next += len;
	return len;
}

/* Writes what was read, if that went well: how much, or the failure with its path. */
static ssize_t pass_on(struct copy *copy, struct eio_chunk buf, ssize_t n, off_t off)
{
	int rc;

	if (n <= 0)
		return n < 0 ? eio_error_set((int) n, "read", copy->from) : 0;
	rc = eio_ll_write(copy->dst, buf, (size_t) n, off);
	if (rc < 0)
		return eio_error_set(rc, "write", copy->to);
	copy->done += (uint64_t) n;
	return n;
}

/* Past the page cache only whole blocks of the disk are read, also at the end. */
static ssize_t read_block(struct copy *copy, struct eio_chunk buf, size_t len, off_t off)
{
	size_t whole = copy->direct ? (len + ALIGN - 1) / ALIGN * ALIGN : len;
	ssize_t n = eio_ll_read_upto(copy->src, buf, whole, off);

	return n > (ssize_t) len ? (ssize_t) len : n;
}

static int copy_blocks(struct copy *copy, struct eio_chunk buf)
{
	for (;;) {
		off_t off = 0;
		ssize_t len = take_block(copy, &off);

		if (len <= 0)
			return (int) len;
		while (len > 0) {
			ssize_t n = read_block(copy, buf, (size_t) len, off);

			n = pass_on(copy, buf, n, off);
			if (n < 0)
				return (int) n;
			if (n == 0) {
				/* It is shorter than it was, or than it said. */
				if (copy->eof > off)
					copy->eof = off;
				break;
			}
			off += n;
			len -= n;
		}
	}
}

static int block_worker(size_t i, void *arg)
{
	struct eio_chunk buf;
	int rc = eio_ll_alloc_fixed_or_wait(&buf);

	(void) i;
	if (rc < 0)
		return rc;
	rc = copy_blocks(arg, buf);
	eio_ll_free_fixed(buf);
	return rc;
}

static int set_length(struct copy *copy, off_t len)
{
	int rc = eio_ll_ftruncate(copy->dst, len);

	return rc < 0 ? eio_error_set(rc, "ftruncate", copy->to) : 0;
}

static int copy_parallel(struct copy *copy)
{
	uint64_t blocks = (copy->stat.size + BLOCK - 1) / BLOCK;
	int rc;

	copy->eof = copy->size = (off_t) copy->stat.size;
	rc = eio_for_each(blocks < copy->jobs ? blocks : copy->jobs, 0, block_worker, copy);
	if (rc < 0)
		return rc;
	if (copy->size > copy->eof)
		copy->size = copy->eof;
	if (!copy->to_file)
		return 0;
	/* A hole at the end leaves nothing to write, only a length to set. */
	return set_length(copy, copy->size);
}

/* Bytes that are to be copied, as far as is known: without holes. */
static uint64_t total(const struct eio_stat *st)
{
	return st->blocks < st->size / 512 ? st->blocks * 512 : st->size;
}

static void print_progress(struct copy *copy)
{
	double s = (double) (eio_now_ns(copy->env->mono_clock) - copy->start_ns) / 1e9;
	double mb = (double) copy->done / 1e6;
	uint64_t all = total(&copy->stat);
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%scp: %.0f MB, %.0f MB/s", terminal ? "\r" : "", mb, s > 0 ? mb / s : 0);
	if (all > 0)
		fprintf(stderr, ", %.0f %%", 100.0 * (double) copy->done / (double) all);
	fputs(terminal ? "   " : "\n", stderr);
	copy->shown = true;
}

static int show_progress(void *arg)
{
	struct copy *copy = arg;
	int rc;

	while ((rc = eio_sleep(copy->env->mono_clock, EIO_MS(250))) == 0)
		print_progress(copy);
	return rc;
}

static int note_moved(uint64_t n, void *arg)
{
	((struct copy *) arg)->done += n;
	return 0;
}

static int copy_whole(struct copy *copy)
{
	struct eio_copy_file opts = {.moved = note_moved, .arg = copy};

	return eio_fs_copy_file(copy->env->fs, copy->from, copy->env->fs, copy->to, &opts, NULL);
}

static int copy_stream(struct copy *copy)
{
	struct eio_flow out = eio_flow_of_fd(copy->dst);
	int rc = eio_flow_copy_n(copy->in, out, UINT64_MAX, note_moved, copy, NULL);

	if (rc == 0)
		return 0;
	if (strcmp(eio_last_error()->op, "read") == 0)
		return eio_error_set(rc, "read", copy->from);
	return eio_error_set(rc, "write", copy->to);
}

static int open_source(struct eio_switch *sw, struct copy *copy)
{
	int rc = eio_fs_open_in(copy->env->fs, sw, copy->from, &copy->in);

	if (rc == 0 && copy->direct) {
		rc = eio_file_direct(&copy->in, true);
		if (rc < 0)
			return eio_error_set(rc, "read past the page cache", copy->from);
	}
	if (rc == 0)
		rc = eio_flow_fd(copy->in, &copy->src);
	if (rc == 0)
		copy->src_number = eio_fd_to_unix(copy->src, EIO_FD_PEEK);
	return rc;
}

/* An existing file is opened as it is: it may still turn out to be the source. */
static int open_target(struct eio_switch *sw, struct copy *copy)
{
	int rc = eio_ll_openat(sw, EIO_FS, copy->to, O_WRONLY, 0, &copy->dst);

	if (rc == -ENOENT)
		rc = eio_ll_openat(sw, EIO_FS, copy->to, O_WRONLY | O_CREAT | O_EXCL,
				   copy->stat.mode & 0777, &copy->dst);
	return rc;
}

/* If the target is a directory, the copy gets the source's name in it. */
static int name_target(struct copy *copy)
{
	static char within[PATH_MAX];
	const char *slash = strrchr(copy->from, '/');
	int len;

	if (!eio_fs_is_directory(copy->env->fs, copy->to))
		return 0;
	len = snprintf(within, sizeof(within), "%s/%s", copy->to, slash ? slash + 1 : copy->from);
	if (len >= (int) sizeof(within))
		return eio_error_set(-ENAMETOOLONG, "open", copy->to);
	copy->to = within;
	return 0;
}

/* Empties the target, if it is a file, and another one. */
static int prepare(struct copy *copy)
{
	struct eio_stat to;
	int rc = eio_file_stat(eio_flow_of_fd(copy->dst), &to);

	if (rc < 0)
		return eio_error_set(rc, "stat", copy->to);
	if (copy->stat.ino == to.ino && copy->stat.dev == to.dev)
		return eio_error_set(-EINVAL, "copy onto itself", copy->to);
	copy->to_file = to.kind == EIO_KIND_REGULAR;
	/* Not if it is empty: after a truncation ext4 writes the file to disk when it is closed. */
	return copy->to_file && to.size > 0 ? set_length(copy, 0) : 0;
}

/* Blocks of it can be copied in any order. */
static bool has_blocks(const struct copy *copy)
{
	return copy->jobs > 0 && copy->stat.kind == EIO_KIND_REGULAR && copy->stat.size > 0 &&
	       (copy->to_file || copy->direct) &&
	       (lseek(copy->src_number, 0, SEEK_DATA) >= 0 || errno == ENXIO);
}

static int copy_opened(struct eio_switch *sw, struct copy *copy)
{
	int rc = open_source(sw, copy);

	if (rc == 0)
		rc = open_target(sw, copy);
	if (rc == 0)
		rc = prepare(copy);
	if (rc == 0)
		rc = has_blocks(copy) ? copy_parallel(copy) : copy_stream(copy);
	if (rc < 0)
		return rc;
	/* Some file systems tell only now that there was no room. */
	rc = eio_fd_close(copy->dst);
	return rc < 0 ? eio_error_set(rc, "close", copy->to) : 0;
}

/* Is the target a file, or nothing yet? */
static bool may_be_file(struct copy *copy)
{
	struct eio_stat to;
	int rc = eio_fs_stat(copy->env->fs, copy->to, true, &to);

	return rc < 0 || to.kind == EIO_KIND_REGULAR;
}

static int copy_file(struct eio_switch *sw, void *arg)
{
	struct copy *copy = arg;
	int rc = eio_fs_stat(copy->env->fs, copy->from, true, &copy->stat);

	if (rc == 0 && copy->stat.kind == EIO_KIND_DIRECTORY)
		rc = eio_error_set(-EISDIR, "read", copy->from);
	if (rc == 0)
		rc = name_target(copy);
	if (rc < 0)
		return rc;

	copy->start_ns = eio_now_ns(copy->env->mono_clock);
	if (copy->progress || isatty(STDERR_FILENO)) {
		rc = eio_fork_daemon(sw, show_progress, copy);
		if (rc < 0)
			return rc;
	}
	if (copy->jobs == 0 && copy->stat.kind == EIO_KIND_REGULAR && may_be_file(copy))
		rc = copy_whole(copy);
	else
		rc = copy_opened(sw, copy);
	if (copy->progress || copy->shown)
		print_progress(copy);
	if (copy->shown && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	return rc;
}

static int run(struct eio_env *env, void *arg)
{
	struct copy *copy = arg;

	copy->env = env;
	return eio_switch_run(copy_file, copy);
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: cp [-j N] [--direct] [--progress] SOURCE TARGET\n"
		"\n"
		"Copies a file. If TARGET is a directory the copy gets the name of SOURCE in it.\n"
		"Holes stay holes. A new file gets the permissions of SOURCE. Blocks are shared\n"
		"where the file system can; else the kernel copies them.\n"
		"\n"
		"  -j, --jobs N    copy through memory, with blocks of %d KiB in flight,\n"
		"                  1 to %d of them\n"
		"      --direct    read SOURCE past the page cache (-j %d if not given)\n"
		"      --progress  report on standard error even if that is no terminal\n"
		"      --help      print this text\n",
		BLOCK / 1024, JOBS_MAX, JOBS_DEFAULT);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct copy *copy, int argc, char **argv)
{
	static const struct option options[] = {
		{"jobs", required_argument, NULL, 'j'},
		{"direct", no_argument, NULL, 'd'},
		{"progress", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "j:", options, NULL)) >= 0) {
		char *rest;
		long jobs;

		switch (option) {
		case 'j':
			jobs = strtol(optarg, &rest, 10);
			if (rest == optarg || *rest || jobs < 1 || jobs > JOBS_MAX) {
				fprintf(stderr, "cp: -j %s: not a number from 1 to %d\n", optarg,
					JOBS_MAX);
				return 2;
			}
			copy->jobs = (unsigned) jobs;
			break;
		case 'd':
			copy->direct = true;
			break;
		case 'p':
			copy->progress = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	if (copy->direct && copy->jobs == 0)
		copy->jobs = JOBS_DEFAULT;
	copy->from = argv[optind];
	copy->to = argv[optind + 1];
	return -1;
}

int main(int argc, char **argv)
{
	struct copy copy = {.jobs = 0};
	struct eio_config config = {.flags = EIO_RUN_NO_FIXED};
	int rc = parse_args(&copy, argc, argv);

	if (rc >= 0)
		return rc;
	if (copy.jobs > 0)
		config = (struct eio_config){.n_blocks = copy.jobs, .block_size = BLOCK};
	rc = eio_run(&config, run, &copy);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "cp: %s\n", why);
		return 1;
	}
	return 0;
}
