/* SPDX-License-Identifier: ISC */
/*
 * 4 KiB random reads of one file, from the page cache and by O_DIRECT, with 1, 32 and 128 in
 * flight: one fiber for each, beside a loop on bare liburing with the same set-up, and beside
 * fio's io_uring engine if asked for. Each with plain memory, with fixed buffers, and with these
 * and the file registered as well.
 */
#include "bench.h"
#include "raw_ring.h"

#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BLOCK = 4096,
	MIB = 1024 * 1024,
	DEPTH_MAX = 128,
	CACHED_READS = 65536,
	DIRECT_READS = 8192
};

static const unsigned depths[] = {1, 32, DEPTH_MAX};

enum { PLAIN, FIXED, REGISTERED, WAYS };
enum { CACHED, DIRECT, FILES };
enum { OURS, RAW, FIO, WHO };
enum { DEPTHS = BENCH_LEN(depths), NAME = 64 };

static struct {
	char path[4200];
	unsigned long blocks, fio_rounds;
	int unix_fd[FILES]; /* DIRECT: -1 where the file system has no such thing */
	struct io_uring ring;
	char *memory; /* the raw loop's */
	struct eio_switch sw;
	struct eio_fd fd[FILES][WAYS];
	uint64_t state; /* of the random numbers */
	unsigned rounds;
	char names[FILES][DEPTHS][WAYS][WHO + 2][NAME];
	struct bench_value values[FILES][DEPTHS][WAYS][WHO];
} at = {.state = 1};

static int64_t somewhere(void)
{
	at.state ^= at.state << 13;
	at.state ^= at.state >> 7;
	at.state ^= at.state << 17;
	return (int64_t) (at.state % at.blocks) * BLOCK;
}

/* One job: so many reads, so many at a time. */
struct job {
	unsigned file, way, depth, left;
};

static void check_read(ssize_t n)
{
	bench_check((int) n, "read");
	if (n != BLOCK)
		bench_fail("a short read");
}

/* Ours */

static int read_plain(struct job *job, struct eio_chunk c)
{
	for (; job->left;
	     check_read(eio_ll_read(at.fd[job->file][job->way], c.data, BLOCK, somewhere())))
		job->left--;
	return 0;
}

static int read_fixed(struct job *job, struct eio_chunk c)
{
	for (; job->left;
	     check_read(eio_ll_read_upto(at.fd[job->file][job->way], c, BLOCK, somewhere())))
		job->left--;
	return 0;
}

static int reader(void *arg)
{
	struct job *job = arg;
	struct eio_chunk c;

	bench_check(eio_ll_alloc_fixed(&c), "alloc_fixed");
	if (job->way == PLAIN)
		read_plain(job, c);
	else
		read_fixed(job, c);
	eio_ll_free_fixed(c);
	return 0;
}

static void run_eio(struct job *job)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < job->depth; i++)
		bench_check(eio_fork(&sw, reader, job), "fork");
	bench_check(eio_switch_end(&sw, 0), "reading");
}

/* Bare */

static void queue_raw(struct job *job, unsigned place)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&at.ring);
	char *buf = at.memory + (size_t) place * BLOCK;

	if (job->way == PLAIN)
		io_uring_prep_read(sqe, at.unix_fd[job->file], buf, BLOCK, (uint64_t) somewhere());
	else
		io_uring_prep_read_fixed(sqe, at.unix_fd[job->file], buf, BLOCK,
					 (uint64_t) somewhere(), 0);
	if (job->way == REGISTERED) {
		sqe->fd = (int) job->file;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	io_uring_sqe_set_data64(sqe, place);
	job->left--;
}

static void run_raw(struct job *job)
{
	unsigned in_flight = 0;

	for (; in_flight < job->depth && job->left; in_flight++)
		queue_raw(job, in_flight);
	while (in_flight) {
		struct io_uring_cqe *cqe;
		unsigned head, n = 0;

		bench_check(io_uring_submit_and_wait(&at.ring, 1), "submit_and_wait");
		io_uring_for_each_cqe(&at.ring, head, cqe)
		{
			check_read(cqe->res);
			n++;
			if (job->left)
				queue_raw(job, (unsigned) cqe->user_data);
			else
				in_flight--;
		}
		io_uring_cq_advance(&at.ring, n);
	}
}

/* fio's, which is asked for the number alone */

static double run_fio(const struct job *job)
{
	static const char *const options[WAYS] = {
		[PLAIN] = "",
		[FIXED] = "--fixedbufs",
		[REGISTERED] = "--fixedbufs --registerfiles",
	};
	char command[5000];
	double iops = 0;
	FILE *out;

	snprintf(command, sizeof(command),
		 "fio --name=eio --filename='%s' --rw=randread --bs=4k --ioengine=io_uring "
		 "--iodepth=%u --direct=%d %s --size=%lum --time_based --runtime=2 --norandommap "
		 "--randrepeat=0 --invalidate=0 --cpus_allowed=1 --output-format=terse 2>/dev/null",
		 at.path, job->depth, job->file == DIRECT, options[job->way],
		 at.blocks * BLOCK / MIB);
	out = popen(command, "r");
	/* The eighth field of a line of version 3: read operations per second. */
	if (!out || fscanf(out, "3;%*[^;];%*[^;];%*[^;];%*[^;];%*[^;];%*[^;];%lf", &iops) != 1 ||
	    pclose(out) != 0)
		bench_fail("fio did not tell its figure: is it installed?");
	return iops / 1000;
}

/* The measuring */

static double rate(void (*run)(struct job *job), struct job *job, unsigned reads)
{
	double start = bench_now_ns();

	job->left = reads;
	run(job);
	return reads / (bench_now_ns() - start) * 1e6;
}

/* Who comes second has it easier, disks and processors being awake: they take turns. */
static void measure_one(unsigned file, unsigned d, unsigned way, bool counts)
{
	struct bench_value *v = at.values[file][d][way];
	unsigned reads = file == CACHED ? CACHED_READS : DIRECT_READS;
	struct job job = {.file = file, .way = way, .depth = depths[d]};
	double ours, raw = 0;

	if (depths[d] == 1)
		reads /= 4;
	if (d == 0 && way == 0)
		rate(run_raw, &job, reads); /* after the other file, for nothing */
	if (v[RAW].n % 2)
		raw = rate(run_raw, &job, reads);
	ours = rate(run_eio, &job, reads);
	if (v[RAW].n % 2 == 0)
		raw = rate(run_raw, &job, reads);
	if (!counts)
		return;
	bench_add(&v[OURS], ours);
	bench_add(&v[RAW], raw);
	if (v[FIO].n < at.fio_rounds)
		bench_add(&v[FIO], run_fio(&job));
}

static void each(void (*fn)(unsigned file, unsigned d, unsigned way, bool counts), bool counts)
{
	for (unsigned file = 0; file < FILES; file++) {
		if (at.unix_fd[file] < 0)
			continue;
		for (unsigned d = 0; d < DEPTHS; d++) {
			for (unsigned way = 0; way < WAYS; way++)
				fn(file, d, way, counts);
		}
	}
}

/* The registered handle is one of its own, so that the others go by number. */
static void track(unsigned file)
{
	struct eio_fd *fds = at.fd[file];

	for (unsigned way = 0; way < WAYS; way++)
		bench_check(eio_fd_of_unix(&at.sw, at.unix_fd[file], way == 0 ? EIO_FD_CLOSE : 0,
					   &fds[way]),
			    "tracking a descriptor");
	bench_check(eio_ll_fd_register(fds[REGISTERED]), "registering a file");
}

static int measure(struct eio_env *env, void *arg)
{
	(void) env, (void) arg;
	eio_switch_begin(&at.sw);
	for (unsigned file = 0; file < FILES; file++) {
		if (at.unix_fd[file] >= 0)
			track(file);
	}
	each(measure_one, false);
	for (unsigned r = 0; r < at.rounds; r++)
		each(measure_one, true);
	return eio_switch_end(&at.sw, 0);
}

static void set_up_raw(void)
{
	struct iovec all;

	raw_ring_init(&at.ring, 2 * DEPTH_MAX);
	at.memory = aligned_alloc(BLOCK, DEPTH_MAX * BLOCK);
	if (!at.memory)
		bench_fail("no memory");
	memset(at.memory, 0, DEPTH_MAX * BLOCK);
	all = (struct iovec){at.memory, DEPTH_MAX * BLOCK};
	bench_check(io_uring_register_buffers(&at.ring, &all, 1), "registering buffers");
	bench_check(io_uring_register_files(&at.ring, at.unix_fd, FILES), "registering files");
}

static void remove_file(void)
{
	unlink(at.path);
}

/* Written and read once, so that it is in the page cache. */
static void make_file(const char *dir, unsigned long mib)
{
	char *block = malloc(MIB);
	int fd;

	snprintf(at.path, sizeof(at.path), "%s/eio-random_read-XXXXXX", dir);
	fd = mkostemp(at.path, O_CLOEXEC);
	if (fd < 0 || !block)
		bench_fail("%s: %s", at.path, strerror(errno));
	atexit(remove_file);
	for (unsigned long i = 0; i < mib; i++) {
		memset(block, (int) i, MIB);
		if (write(fd, block, MIB) != MIB)
			bench_fail("%s: %s", at.path, strerror(errno));
	}
	if (fsync(fd) < 0)
		bench_fail("%s: %s", at.path, strerror(errno));
	free(block);
	at.blocks = mib * (MIB / BLOCK);
	at.unix_fd[CACHED] = fd;
	at.unix_fd[DIRECT] = open(at.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (at.unix_fd[DIRECT] < 0)
		fprintf(stderr, "%s: no O_DIRECT: %s\n", at.path, strerror(errno));
}

static void name_one(unsigned file, unsigned d, unsigned way, bool counts)
{
	static const char *const of_file[] = {"cached", "direct"};
	static const char *const of_way[] = {"", "_fixed", "_registered"};
	static const char *const suffix[] = {"", "_raw", "_fio", "_vs_raw", "_vs_fio"};

	(void) counts;
	for (unsigned k = 0; k < WHO + 2; k++) {
		char *name = at.names[file][d][way][k];

		snprintf(name, NAME, "%s_%u%s%s", of_file[file], depths[d], of_way[way], suffix[k]);
		if (k < WHO)
			at.values[file][d][way][k] =
				(struct bench_value){.name = name, .unit = "k/s"};
	}
}

static void print_one(unsigned file, unsigned d, unsigned way, bool counts)
{
	struct bench_value *v = at.values[file][d][way];

	(void) counts;
	bench_print(v, at.fio_rounds ? WHO : FIO);
	bench_print_ratio(at.names[file][d][way][WHO], &v[OURS], &v[RAW]);
	if (at.fio_rounds)
		bench_print_ratio(at.names[file][d][way][WHO + 1], &v[OURS], &v[FIO]);
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "mib N",
		 .what = "size of the file in MiB (default 1024)",
		 .value = "1024"},
		{.name = "dir DIR", .what = "where to make it (default $TMPDIR or /var/tmp)"},
		{.name = "fio N",
		 .what = "beside fio, which must be there, N rounds long",
		 .value = "0"},
		{0},
	};
	struct eio_config config = {.n_blocks = DEPTH_MAX};

	at.rounds = bench_parse(argc, argv, "Measures random reads of 4 KiB.", 10, more);
	at.fio_rounds = bench_number(more[2].value, 0, at.rounds);
	if (!more[1].value)
		more[1].value = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	make_file(more[1].value, bench_number(more[0].value, 1, 1 << 20));
	set_up_raw();
	each(name_one, false);
	bench_check(eio_run(&config, measure, NULL), "eio_run");
	io_uring_queue_exit(&at.ring);
	each(print_one, true);
	return 0;
}
