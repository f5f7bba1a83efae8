/* SPDX-License-Identifier: ISC */
/*
 * Copying between files and pipes, every way there is: what eio_flow_copy does beside the ways
 * it could go. The far ends of pipes are other processes, which write and read by plain calls.
 *
 * The figures are the CPU time of this process, the kernel's workers for it included (_cpu), and
 * the time that passes, both for a GiB.
 */
#include "bench.h"

#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, SMALL_PIECE = 128 * 1024, LARGE = 1024 * 1024 };

static char path[2][4200], piece[PIECE];
static uint64_t length;

/* Ends */

enum end { REGULAR, PIPE, LARGE_PIPE };

static const char *const end_names[] = {"file", "pipe", "large_pipe"};

struct ends {
	struct eio_switch sw;
	struct eio_fd src, dst;
	pid_t children[2];
};

static struct eio_fd open_file(struct ends *e, const char *name, int flags)
{
	struct eio_fd fd;

	bench_check(eio_fd_of_unix(&e->sw, open(name, flags | O_CLOEXEC, 0600), EIO_FD_CLOSE, &fd),
		    name);
	return fd;
}

static void feed(int fd)
{
	for (uint64_t n = 0; n < length; n += sizeof(piece)) {
		if (write(fd, piece, sizeof(piece)) != sizeof(piece))
			_exit(1);
	}
	_exit(0);
}

static void drain(int fd)
{
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		;
	_exit(n < 0);
}

/* A pipe whose far end another process has. */
static struct eio_fd open_pipe(struct ends *e, enum end kind, int near, pid_t *child)
{
	struct eio_fd fd;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe: %s", strerror(errno));
	if (kind == LARGE_PIPE && fcntl(ends[0], F_SETPIPE_SZ, LARGE) < 0)
		bench_fail("F_SETPIPE_SZ: %s", strerror(errno));
	*child = fork();
	if (*child < 0)
		bench_fail("fork: %s", strerror(errno));
	if (*child == 0) {
		close(ends[near]);
		near == 0 ? feed(ends[1]) : drain(ends[0]);
	}
	close(ends[1 - near]);
	bench_check(eio_fd_of_unix(&e->sw, ends[near], EIO_FD_CLOSE, &fd), "pipe");
	return fd;
}

static void ends_begin(struct ends *e, enum end from, enum end to)
{
	*e = (struct ends){.children = {0}};
	eio_switch_begin(&e->sw);
	unlink(path[1]);
	if (to == REGULAR)
		e->dst = open_file(e, path[1], O_WRONLY | O_CREAT | O_EXCL);
	else
		e->dst = open_pipe(e, to, 1, &e->children[1]);
	if (from == REGULAR)
		e->src = open_file(e, path[0], O_RDONLY);
	else
		e->src = open_pipe(e, from, 0, &e->children[0]);
}

static void ends_end(struct ends *e)
{
	bench_check(eio_switch_end(&e->sw, 0), "copy");
	for (int i = 0; i < 2; i++) {
		int status = 0;

		if (e->children[i] && (waitpid(e->children[i], &status, 0) < 0 || status != 0))
			bench_fail("the far end failed");
	}
}

/* Ways */

static uint64_t by_library(struct eio_fd src, struct eio_fd dst)
{
	uint64_t n;

	bench_check(eio_flow_copy(eio_flow_of_fd(src), eio_flow_of_fd(dst), &n), "eio_flow_copy");
	return n;
}

static uint64_t through_memory(struct eio_fd src, struct eio_fd dst, size_t size)
{
	uint64_t total = 0;
	ssize_t n;

	while ((n = eio_ll_read(src, piece, size, EIO_CURRENT)) > 0) {
		bench_check(eio_ll_write_all(dst, piece, (size_t) n, EIO_CURRENT), "write");
		total += (uint64_t) n;
	}
	bench_check((int) n, "read");
	return total;
}

static uint64_t by_memory(struct eio_fd src, struct eio_fd dst)
{
	return through_memory(src, dst, PIECE);
}

static uint64_t by_small_memory(struct eio_fd src, struct eio_fd dst)
{
	return through_memory(src, dst, SMALL_PIECE);
}

static uint64_t by_fixed(struct eio_fd src, struct eio_fd dst)
{
	struct eio_chunk block;
	uint64_t total = 0;
	ssize_t n;

	bench_check(eio_ll_alloc_fixed(&block), "alloc_fixed");
	while ((n = eio_ll_read_upto(src, block, PIECE, EIO_CURRENT)) > 0) {
		bench_check(eio_ll_write(dst, block, (size_t) n, EIO_CURRENT), "write");
		total += (uint64_t) n;
	}
	bench_check((int) n, "read");
	eio_ll_free_fixed(block);
	return total;
}

/* In a worker of the kernel's. */
static uint64_t by_ring_splice(struct eio_fd src, struct eio_fd dst)
{
	uint64_t total = 0;
	ssize_t n;

	while ((n = eio_ll_splice(src, dst, LARGE)) > 0)
		total += (uint64_t) n;
	bench_check((int) n, "splice");
	return total;
}

/* Two splices a piece, by way of a pipe. */
static uint64_t by_two_splices(struct eio_fd src, struct eio_fd dst)
{
	struct eio_fd r, w;
	uint64_t total = 0;
	ssize_t n;

	bench_check(eio_ll_pipe(NULL, &r, &w), "pipe");
	fcntl(eio_fd_to_unix(w, EIO_FD_PEEK), F_SETPIPE_SZ, LARGE);
	while ((n = eio_ll_splice(src, w, LARGE)) > 0) {
		for (ssize_t left = n, m; left > 0; left -= m) {
			m = eio_ll_splice(r, dst, (size_t) left);
			bench_check((int) m, "splice");
		}
		total += (uint64_t) n;
	}
	bench_check((int) n, "splice");
	eio_fd_close(r);
	eio_fd_close(w);
	return total;
}

/* The system call, which is told not to wait; the ring waits. */
static uint64_t by_call(struct eio_fd src, struct eio_fd dst)
{
	int from = eio_fd_use(src), to = eio_fd_use(dst);
	uint64_t total = 0;
	ssize_t n;

	while ((n = splice(from, NULL, to, NULL, LARGE, SPLICE_F_NONBLOCK)) != 0) {
		if (n > 0) {
			total += (uint64_t) n;
			continue;
		}
		if (errno != EAGAIN)
			bench_fail("splice: %s", strerror(errno));
		bench_check(eio_ll_await_readable(src), "poll");
		bench_check(eio_ll_await_writable(dst), "poll");
	}
	eio_fd_unuse(src);
	eio_fd_unuse(dst);
	return total;
}

/* Pieces on a thread of the library's. */
static int copy_range(void *arg)
{
	const int *fds = arg;
	ssize_t n = copy_file_range(fds[0], NULL, fds[1], NULL, LARGE, 0);

	return n < 0 ? -errno : (int) n;
}

static uint64_t by_copy_file_range(struct eio_fd src, struct eio_fd dst)
{
	int fds[2] = {eio_fd_use(src), eio_fd_use(dst)}, n;
	uint64_t total = 0;

	while ((n = eio_ll_in_thread(copy_range, fds)) > 0)
		total += (uint64_t) n;
	bench_check(n, "copy_file_range");
	eio_fd_unuse(src);
	eio_fd_unuse(dst);
	return total;
}

static const struct way {
	const char *name;
	uint64_t (*copy)(struct eio_fd src, struct eio_fd dst);
	bool file_to_file, file_to_pipe, pipe_to_file, pipe_to_pipe;
} ways[] = {
	{"eio", by_library, true, true, true, true},
	{"memory_256k", by_memory, true, true, true, true},
	{"memory_128k", by_small_memory, true, true, true, true},
	{"fixed_256k", by_fixed, true, true, true, true},
	{"splice_by_ring", by_ring_splice, false, true, true, true},
	{"two_splices_by_ring", by_two_splices, true, false, false, false},
	{"copy_file_range", by_copy_file_range, true, false, false, false},
	{"splice_by_call", by_call, false, true, false, true},
};

static bool goes(const struct way *w, enum end from, enum end to)
{
	if (from == REGULAR)
		return to == REGULAR ? w->file_to_file : w->file_to_pipe;
	return to == REGULAR ? w->pipe_to_file : w->pipe_to_pipe;
}

/* Pairs */

static const struct {
	enum end from, to;
} pairs[] = {
	{REGULAR, REGULAR},    {REGULAR, PIPE}, {REGULAR, LARGE_PIPE},    {PIPE, REGULAR},
	{LARGE_PIPE, REGULAR}, {PIPE, PIPE},    {LARGE_PIPE, LARGE_PIPE},
};

enum { PAIRS = BENCH_LEN(pairs), WAYS = BENCH_LEN(ways) };

static struct bench_value cpu[PAIRS][WAYS], elapsed[PAIRS][WAYS];
static char names[PAIRS][WAYS][2][80];

static void measure(size_t pair, size_t way)
{
	double scale = (double) (1u << 30) / (double) length / 1e6, start, start_cpu;
	struct ends e;

	ends_begin(&e, pairs[pair].from, pairs[pair].to);
	start = bench_now_ns();
	start_cpu = bench_cpu_ns();
	if (ways[way].copy(e.src, e.dst) != length)
		bench_fail("%s: not all was copied", names[pair][way][1]);
	bench_add(&cpu[pair][way], (bench_cpu_ns() - start_cpu) * scale);
	bench_add(&elapsed[pair][way], (bench_now_ns() - start) * scale);
	ends_end(&e);
}

static unsigned rounds;
static const char *only = "";

static int run(struct eio_env *env, void *arg)
{
	(void) env, (void) arg;
	for (unsigned r = 0; r < rounds; r++) {
		for (size_t p = 0; p < PAIRS; p++) {
			for (size_t w = 0; w < WAYS; w++) {
				if (goes(&ways[w], pairs[p].from, pairs[p].to) &&
				    strstr(names[p][w][1], only))
					measure(p, w);
			}
		}
	}
	return 0;
}

static void name_values(void)
{
	for (size_t p = 0; p < PAIRS; p++) {
		for (size_t w = 0; w < WAYS; w++) {
			snprintf(names[p][w][1], sizeof(names[p][w][1]), "copy_%s_to_%s_%s",
				 end_names[pairs[p].from], end_names[pairs[p].to], ways[w].name);
			snprintf(names[p][w][0], sizeof(names[p][w][0]), "%.70s_cpu",
				 names[p][w][1]);
			cpu[p][w] = (struct bench_value){.name = names[p][w][0], .unit = "ms"};
			elapsed[p][w] = (struct bench_value){.name = names[p][w][1], .unit = "ms"};
		}
	}
}

static void clean_up(void)
{
	unlink(path[0]);
	unlink(path[1]);
	*strrchr(path[0], '/') = '\0';
	rmdir(path[0]);
}

static void make_files(const char *dir)
{
	int fd;

	snprintf(path[0], sizeof(path[0]), "%.4000s/eio-copy-XXXXXX", dir);
	if (!mkdtemp(path[0]))
		bench_fail("%s: %s", path[0], strerror(errno));
	snprintf(path[1], sizeof(path[1]), "%.4100s/to", path[0]);
	strcat(path[0], "/from");
	atexit(clean_up);
	fd = open(path[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	for (uint64_t n = 0; fd >= 0 && n < length; n += sizeof(piece)) {
		memset(piece, (int) (n / sizeof(piece)), sizeof(piece));
		if (write(fd, piece, sizeof(piece)) != sizeof(piece))
			bench_fail("%s: %s", path[0], strerror(errno));
	}
	if (fd < 0 || fsync(fd) < 0)
		bench_fail("%s: %s", path[0], strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "mib N", .what = "how much to copy (default 256)", .value = "256"},
		{.name = "dir DIR", .what = "where the files are (default $TMPDIR or /tmp)"},
		{.name = "only TEXT", .what = "only figures with this in their names"},
		{0},
	};
	struct eio_config config = {.n_blocks = 2, .block_size = PIECE};

	rounds = bench_parse(argc, argv, "Measures the ways to copy between files and pipes.", 5,
			     more);
	if (!more[1].value)
		more[1].value = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	if (more[2].value)
		only = more[2].value;
	length = bench_number(more[0].value, 1, 1 << 20) << 20;
	name_values();
	make_files(more[1].value);
	bench_check(eio_run(&config, run, NULL), "eio_run");
	for (size_t p = 0; p < PAIRS; p++) {
		for (size_t w = 0; w < WAYS; w++) {
			if (elapsed[p][w].n == 0)
				continue;
			bench_print(&cpu[p][w], 1);
			bench_print(&elapsed[p][w], 1);
		}
	}
	return 0;
}
