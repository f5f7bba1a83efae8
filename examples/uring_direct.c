/* SPDX-License-Identifier: ISC */
/*
 * The ring itself: operations that the library has no call for, from fibers.
 *
 * Counts the lines of files that are mapped into memory. Touching a page that is not there
 * yet would stop the thread, and all of its fibers, until the disk has answered; so each
 * fiber has the ring read in (madvise(2), MADV_POPULATE_READ) what it is going to touch.
 * A worker of the kernel's waits for the disk then, and how many of them there are is set by
 * io_uring_register(2). At the end the report is written and made durable by two entries
 * that go to the kernel together.
 */
#define _GNU_SOURCE 1
#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

enum {
	WINDOW = 4 * 1024 * 1024, /* what is read in at once */
	FILES_AT_ONCE = 64,
	WORKERS_DEFAULT = 4,
	WORKERS_MAX = 64,
};

struct file {
	const char *path;
	uint64_t lines, bytes;
};

struct job {
	struct file *files;
	size_t n;
	unsigned workers;
	const char *report; /* where it goes, too, or NULL */
};

/*
 * One operation: take the fiber's entry, prepare it as with liburing alone, await it. The
 * fiber waits, the thread does not. What the file has lost meanwhile is -EFAULT here, and no
 * SIGBUS later.
 */
static int read_in(void *from, size_t len)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();

	io_uring_prep_madvise(sqe, from, (unsigned) len, MADV_POPULATE_READ);
	return eio_ll_await(sqe);
}

/*
 * Several: entries next to each other, of which IOSQE_IO_LINK makes a chain. The second
 * begins when the first has done all that it was asked for, else it is -ECANCELED.
 */
static int write_durably(int fd, const char *text, unsigned len)
{
	struct io_uring_sqe sqes[2] = {0};
	int results[2], rc;

	io_uring_prep_write(&sqes[0], fd, text, len, 0);
	sqes[0].flags |= IOSQE_IO_LINK;
	io_uring_prep_fsync(&sqes[1], fd, IORING_FSYNC_DATASYNC);
	rc = eio_ll_await_n(sqes, 2, results);
	if (rc < 0)
		return rc; /* this fiber was cancelled */
	if (results[0] < 0)
		return results[0];
	/* A file takes less only when there is no room for more. */
	return results[0] < (int) len ? -ENOSPC : results[1];
}

/*
 * The ring: for what concerns all of its operations. Workers for regular files, and for
 * memory, are the first of the two numbers; 0 leaves the other as it is.
 */
static int limit_workers(unsigned n)
{
	unsigned workers[2] = {n, 0};

	return io_uring_register_iowq_max_workers(eio_ll_ring(), workers);
}

static int count_mapped(struct file *file, char *text)
{
	for (uint64_t off = 0; off < file->bytes; off += WINDOW) {
		uint64_t left = file->bytes - off;
		size_t len = left < WINDOW ? (size_t) left : WINDOW;
		const char *at = text + off, *end = at + len;
		int rc = read_in(text + off, len);

		if (rc < 0)
			return eio_error_set(rc, "madvise", file->path);
		while ((at = memchr(at, '\n', (size_t) (end - at)))) {
			file->lines++;
			at++;
		}
	}
	return 0;
}

static int count_open(struct file *file, struct eio_fd fd)
{
	struct statx st;
	char *text;
	int rc = eio_ll_fstat(fd, &st);

	if (rc < 0)
		return eio_error_set(rc, "stat", file->path);
	if (S_ISREG(st.stx_mode) && st.stx_size == 0)
		return 0; /* nothing could be mapped */
	file->bytes = st.stx_size;
	/* A plain call on the number: nothing else can close the handle meanwhile. */
	text = mmap(NULL, file->bytes, PROT_READ, MAP_SHARED, eio_fd_to_unix(fd, EIO_FD_PEEK), 0);
	if (text == MAP_FAILED)
		return eio_error_set(-errno, "mmap", file->path);
	rc = count_mapped(file, text);
	munmap(text, file->bytes);
	return rc;
}

/* A fiber for each file. */
static int count_file(size_t i, void *arg)
{
	const struct job *job = arg;
	struct file *file = &job->files[i];
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, EIO_FS, file->path, O_RDONLY, 0, &fd);

	if (rc < 0)
		return rc;
	rc = count_open(file, fd);
	eio_fd_close(fd);
	return rc;
}

static void print_report(const struct job *job, FILE *to)
{
	struct file total = {.path = "total"};

	for (size_t i = 0; i < job->n; i++) {
		const struct file *file = &job->files[i];

		fprintf(to, "%10" PRIu64 " %14" PRIu64 " %s\n", file->lines, file->bytes,
			file->path);
		total.lines += file->lines;
		total.bytes += file->bytes;
	}
	if (job->n > 1)
		fprintf(to, "%10" PRIu64 " %14" PRIu64 " %s\n", total.lines, total.bytes,
			total.path);
}

static int save_report(const struct job *job, const char *text, size_t len)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, EIO_FS, job->report, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd);

	if (rc < 0)
		return rc;
	/* Pinned, the number stays this file's whoever closes the handle. */
	rc = write_durably(eio_fd_use(fd), text, (unsigned) len);
	eio_fd_unuse(fd);
	eio_fd_close(fd);
	return rc < 0 ? eio_error_set(rc, "write", job->report) : 0;
}

static int run(struct eio_env *env, void *arg)
{
	struct job *job = arg;
	char *text = NULL;
	size_t len = 0;
	FILE *memory;
	int rc;

	rc = limit_workers(job->workers);
	if (rc < 0)
		return eio_error_set(rc, "limit workers", NULL);
	rc = eio_for_each(job->n, FILES_AT_ONCE, count_file, job);
	if (rc < 0)
		return rc;
	memory = open_memstream(&text, &len);
	if (!memory)
		return eio_error_set(-errno, "report", NULL);
	print_report(job, memory);
	if (fclose(memory) != 0)
		rc = eio_error_set(-errno, "report", NULL);
	if (rc == 0)
		rc = eio_flow_write(env->out, text, len);
	if (rc == 0 && job->report)
		rc = save_report(job, text, len);
	free(text);
	return rc;
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: uring_direct [-w N] [-o REPORT] FILE...\n"
		"\n"
		"Counts the lines of files, mapping them into memory: lines, bytes, path.\n"
		"\n"
		"  -w, --workers N    kernel workers that read files in, 1 to %d (default %d)\n"
		"  -o, --output FILE  write the report there as well, to stable storage\n"
		"      --help         print this text\n",
		WORKERS_MAX, WORKERS_DEFAULT);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{"workers", required_argument, NULL, 'w'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "w:o:", options, NULL)) >= 0) {
		char *rest;
		long n;

		switch (option) {
		case 'w':
			n = strtol(optarg, &rest, 10);
			if (rest == optarg || *rest || n < 1 || n > WORKERS_MAX) {
				fprintf(stderr, "uring_direct: -w %s: not a number from 1 to %d\n",
					optarg, WORKERS_MAX);
				return 2;
			}
			job->workers = (unsigned) n;
			break;
		case 'o':
			job->report = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	job->n = (size_t) (argc - optind);
	if (job->n == 0) {
		usage(stderr);
		return 2;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct job job = {.workers = WORKERS_DEFAULT};
	int rc = parse_args(&job, argc, argv);

	if (rc >= 0)
		return rc;
	job.files = calloc(job.n, sizeof(*job.files));
	if (!job.files) {
		perror("uring_direct");
		return 1;
	}
	for (size_t i = 0; i < job.n; i++)
		job.files[i].path = argv[argc - (int) job.n + (int) i];
	rc = eio_run(NULL, run, &job);
	free(job.files);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "uring_direct: %s\n", why);
		return 1;
	}
	return 0;
}
