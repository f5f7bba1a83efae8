/* SPDX-License-Identifier: ISC */
/*
 * A file copier: several fibers, each taking the next block.
 *
 * A fiber owns one fixed buffer. It takes a block of the source, reads it, writes it
 * at the same offset of the target, and takes the next one, so up to that many reads
 * and writes are under way. Only data are read: where the source has a hole nothing
 * is written, and the target has one too.
 *
 * What cannot be read at an offset or does not say how long it is (pipes, devices,
 * files of /proc) is copied by one fiber from front to back.
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
};

struct copy {
	const char *from, *to;
	unsigned jobs;
	bool progress; /* asked for; a terminal gets it anyway */

	struct eio_env *env;
	struct eio_flow in; /* the source, and its descriptor */
	struct eio_fd src, dst;
	int src_number;    /* for lseek */
	struct statx stat; /* of the source */

	/* Of the data segment being handed out: where the next block begins, and its end. */
	off_t next, end;
	off_t size; /* the target's at the end */
	off_t eof;  /* where a read found the source to end */

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

static int copy_blocks(struct copy *copy, struct eio_chunk buf)
{
	for (;;) {
		off_t off = 0;
		ssize_t len = take_block(copy, &off);

		if (len <= 0)
			return (int) len;
		while (len > 0) {
			ssize_t n = eio_ll_read_upto(copy->src, buf, (size_t) len, off);

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

static int copy_stream(struct copy *copy, struct eio_chunk buf)
{
	ssize_t n;

	do {
		n = eio_flow_read(copy->in, buf.data, buf.length);
		n = pass_on(copy, buf, n, EIO_CURRENT);
	} while (n > 0);
	return (int) n;
}

static int with_buffer(struct copy *copy, int (*fn)(struct copy *copy, struct eio_chunk buf))
{
	struct eio_chunk buf;
	int rc = eio_ll_alloc_fixed_or_wait(&buf);

	if (rc < 0)
		return rc;
	rc = fn(copy, buf);
	eio_ll_free_fixed(buf);
	return rc;
}

static int block_worker(size_t i, void *arg)
{
	(void) i;
	return with_buffer(arg, copy_blocks);
}

static int copy_parallel(struct copy *copy)
{
	uint64_t blocks = (copy->stat.stx_size + BLOCK - 1) / BLOCK;
	int rc;

	copy->eof = copy->size = (off_t) copy->stat.stx_size;
	rc = eio_for_each(blocks < copy->jobs ? blocks : copy->jobs, 0, block_worker, copy);
	if (rc < 0)
		return rc;
	if (copy->size > copy->eof)
		copy->size = copy->eof;
	/* A hole at the end leaves nothing to write, only a length to set. */
	if (ftruncate(eio_fd_to_unix(copy->dst, EIO_FD_PEEK), copy->size) < 0)
		return eio_error_set(-errno, "ftruncate", copy->to);
	return 0;
}

static void print_progress(struct copy *copy)
{
	double s = (double) (eio_now_ns(copy->env->mono_clock) - copy->start_ns) / 1e9;
	double mb = (double) copy->done / 1e6;
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%scp: %.0f MB, %.0f MB/s", terminal ? "\r" : "", mb, s > 0 ? mb / s : 0);
	if (copy->stat.stx_size > 0)
		fprintf(stderr, ", %.0f %%",
			100.0 * (double) copy->next / (double) copy->stat.stx_size);
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

/* An existing file is opened as it is: it may still turn out to be the source. */
static int open_target(struct eio_switch *sw, struct copy *copy)
{
	int rc = eio_ll_openat(sw, EIO_FS, copy->to, O_WRONLY, 0, &copy->dst);

	if (rc == -ENOENT)
		rc = eio_ll_openat(sw, EIO_FS, copy->to, O_WRONLY | O_CREAT | O_EXCL,
				   copy->stat.stx_mode & 0777, &copy->dst);
	return rc;
}

/* Opens the target, or, if that is a directory, the source's name in it. */
static int open_target_or_within(struct eio_switch *sw, struct copy *copy)
{
	static char within[PATH_MAX];
	const char *slash = strrchr(copy->from, '/');
	int rc = open_target(sw, copy);

	if (rc != -EISDIR)
		return rc;
	rc = snprintf(within, sizeof(within), "%s/%s", copy->to, slash ? slash + 1 : copy->from);
	if (rc >= (int) sizeof(within))
		return eio_error_set(-ENAMETOOLONG, "open", copy->to);
	copy->to = within;
	return open_target(sw, copy);
}

/* Can blocks of the source be copied in any order? Then sets *ret_parallel and empties the target. */
static int prepare(struct copy *copy, bool *ret_parallel)
{
	const struct statx *from = &copy->stat;
	struct statx to;
	int number = eio_fd_to_unix(copy->dst, EIO_FD_PEEK);
	int rc = eio_ll_fstat(copy->dst, &to);

	if (rc < 0)
		return eio_error_set(rc, "stat", copy->to);
	if (from->stx_ino == to.stx_ino && from->stx_dev_major == to.stx_dev_major &&
	    from->stx_dev_minor == to.stx_dev_minor)
		return eio_error_set(-EINVAL, "copy onto itself", copy->to);

	*ret_parallel = false;
	if (!S_ISREG(to.stx_mode))
		return 0;
	/* Not if it is empty: after a truncation ext4 writes the file to disk when it is closed. */
	if (to.stx_size > 0 && ftruncate(number, 0) < 0)
		return eio_error_set(-errno, "ftruncate", copy->to);
	*ret_parallel = S_ISREG(from->stx_mode) && from->stx_size > 0 &&
			(lseek(copy->src_number, 0, SEEK_DATA) >= 0 || errno == ENXIO);
	return 0;
}

static int copy_file(struct eio_switch *sw, void *arg)
{
	struct copy *copy = arg;
	bool parallel;
	int rc;

	rc = eio_fs_open_in(copy->env->fs, sw, copy->from, &copy->in);
	if (rc == 0)
		rc = eio_flow_fd(copy->in, &copy->src);
	if (rc < 0)
		return rc;
	copy->src_number = eio_fd_to_unix(copy->src, EIO_FD_PEEK);
	rc = eio_ll_fstat(copy->src, &copy->stat);
	if (rc == 0 && S_ISDIR(copy->stat.stx_mode))
		rc = -EISDIR;
	if (rc < 0)
		return eio_error_set(rc, "read", copy->from);

	rc = open_target_or_within(sw, copy);
	if (rc < 0)
		return rc;
	rc = prepare(copy, &parallel);
	if (rc < 0)
		return rc;

	copy->start_ns = eio_now_ns(copy->env->mono_clock);
	if (copy->progress || isatty(STDERR_FILENO)) {
		rc = eio_fork_daemon(sw, show_progress, copy);
		if (rc < 0)
			return rc;
	}
	rc = parallel ? copy_parallel(copy) : with_buffer(copy, copy_stream);
	if (copy->progress || copy->shown)
		print_progress(copy);
	if (copy->shown && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (rc < 0)
		return rc;

	/* Some file systems tell only now that there was no room. */
	rc = eio_fd_close(copy->dst);
	return rc < 0 ? eio_error_set(rc, "close", copy->to) : 0;
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
		"Usage: cp [-j N] [--progress] SOURCE TARGET\n"
		"\n"
		"Copies a file. If TARGET is a directory the copy gets the name of SOURCE in it.\n"
		"Holes stay holes. A new file gets the permissions of SOURCE.\n"
		"\n"
		"  -j, --jobs N    blocks of %d KiB in flight, 1 to %d (default %d)\n"
		"      --progress  report on standard error even if that is no terminal\n"
		"      --help      print this text\n",
		BLOCK / 1024, JOBS_MAX, JOBS_DEFAULT);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct copy *copy, int argc, char **argv)
{
	static const struct option options[] = {
		{"jobs", required_argument, NULL, 'j'},
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
	copy->from = argv[optind];
	copy->to = argv[optind + 1];
	return -1;
}

int main(int argc, char **argv)
{
	struct copy copy = {.jobs = JOBS_DEFAULT};
	struct eio_config config = {.block_size = BLOCK};
	int rc = parse_args(&copy, argc, argv);

	if (rc >= 0)
		return rc;
	config.n_blocks = copy.jobs;
	rc = eio_run(&config, run, &copy);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "cp: %s\n", why);
		return 1;
	}
	return 0;
}
