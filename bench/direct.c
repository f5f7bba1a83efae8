/* SPDX-License-Identifier: ISC */
/*
 * What a place in the ring's table of files saves: 4 KiB random reads of one cached file, 1 and
 * 32 in flight, by an ordinary handle, a registered one and a direct one, beside bare liburing
 * that names the number, or a place.
 */
#include "bench.h"
#include "raw_ring.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/run.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 4096, DEPTH_MAX = 32, READS = 16384 };

static struct {
	struct io_uring ring;
	char *memory;
	int unix_fd;
	struct eio_fd plain, registered, direct;
	uint64_t state; /* of the random numbers */
} at = {.state = 1};

static uint64_t somewhere(void)
{
	at.state ^= at.state << 13;
	at.state ^= at.state >> 7;
	at.state ^= at.state << 17;
	return at.state % BLOCKS * BLOCK;
}

/* One job: so many reads, so many at a time. */
struct job {
	const struct eio_fd *fd;
	bool by_place;
	unsigned depth, left;
};

static void check_read(ssize_t n)
{
	bench_check((int) n, "read");
	if (n != BLOCK)
		bench_fail("a short read");
}

/* Ours */

static int reader(void *arg)
{
	struct job *job = arg;
	char *buf = at.memory + (size_t) (job->left % job->depth) * BLOCK;

	for (; job->left; check_read(eio_ll_read(*job->fd, buf, BLOCK, (int64_t) somewhere())))
		job->left--;
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

static void queue_raw(struct job *job, unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&at.ring);

	io_uring_prep_read(sqe, job->by_place ? 0 : at.unix_fd, at.memory + (size_t) i * BLOCK,
			   BLOCK, somewhere());
	if (job->by_place)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, i);
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

static double measure(struct job job)
{
	double start = bench_now_ns();

	job.left = READS;
	if (job.fd)
		run_eio(&job);
	else
		run_raw(&job);
	return (bench_now_ns() - start) / READS;
}

#define MEASURE(name, ...)                                                                         \
	static double name(void)                                                                   \
	{                                                                                          \
		return measure((struct job){__VA_ARGS__});                                         \
	}

MEASURE(plain_1, .fd = &at.plain, .depth = 1)
MEASURE(registered_1, .fd = &at.registered, .depth = 1)
MEASURE(direct_1, .fd = &at.direct, .depth = 1)
MEASURE(raw_1, .depth = 1)
MEASURE(raw_place_1, .by_place = true, .depth = 1)
MEASURE(plain_32, .fd = &at.plain, .depth = DEPTH_MAX)
MEASURE(registered_32, .fd = &at.registered, .depth = DEPTH_MAX)
MEASURE(direct_32, .fd = &at.direct, .depth = DEPTH_MAX)
MEASURE(raw_32, .depth = DEPTH_MAX)
MEASURE(raw_place_32, .by_place = true, .depth = DEPTH_MAX)

enum { PLAIN, REGISTERED, DIRECT, RAW, RAW_PLACE };

static struct bench_value one[] = {
	{.name = "plain_1", .unit = "ns", .measure = plain_1},
	{.name = "registered_1", .unit = "ns", .measure = registered_1},
	{.name = "direct_1", .unit = "ns", .measure = direct_1},
	{.name = "raw_1", .unit = "ns", .measure = raw_1},
	{.name = "raw_place_1", .unit = "ns", .measure = raw_place_1},
};

static struct bench_value many[] = {
	{.name = "plain_32", .unit = "ns", .measure = plain_32},
	{.name = "registered_32", .unit = "ns", .measure = registered_32},
	{.name = "direct_32", .unit = "ns", .measure = direct_32},
	{.name = "raw_32", .unit = "ns", .measure = raw_32},
	{.name = "raw_place_32", .unit = "ns", .measure = raw_place_32},
};

static void set_up(void)
{
	char path[] = "/var/tmp/eio-direct-XXXXXX";

	at.memory = aligned_alloc(BLOCK, (size_t) DEPTH_MAX * BLOCK);
	at.unix_fd = mkostemp(path, O_CLOEXEC);
	if (!at.memory || at.unix_fd < 0)
		bench_fail("%s: %s", path, strerror(errno));
	memset(at.memory, 1, (size_t) DEPTH_MAX * BLOCK);
	for (int i = 0; i < BLOCKS; i++) {
		if (write(at.unix_fd, at.memory, BLOCK) != BLOCK)
			bench_fail("%s: %s", path, strerror(errno));
	}
	bench_check(eio_fd_of_unix(NULL, at.unix_fd, 0, &at.plain), "tracking");
	bench_check(eio_fd_of_unix(NULL, at.unix_fd, 0, &at.registered), "tracking");
	bench_check(eio_ll_fd_register(at.registered), "registering");
	bench_check(eio_ll_openat_direct(NULL, EIO_FS, path, O_RDONLY, 0, &at.direct), path);
	unlink(path);
	raw_ring_init(&at.ring, 2 * DEPTH_MAX);
	bench_check(io_uring_register_files(&at.ring, &at.unix_fd, 1), "registering");
}

static int run(struct eio_env *env, void *arg)
{
	(void) env;
	set_up();
	bench_measure(one, BENCH_LEN(one), *(unsigned *) arg);
	bench_measure(many, BENCH_LEN(many), *(unsigned *) arg);
	io_uring_queue_exit(&at.ring);
	eio_fd_close(at.registered);
	eio_fd_close(at.direct);
	return eio_fd_close(at.plain);
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures reads by number and by place.", 21,
				      (struct bench_option[]){{0}});

	bench_check(eio_run(NULL, run, &rounds), "eio_run");
	bench_print(one, BENCH_LEN(one));
	bench_print_ratio("plain_vs_raw_1", &one[PLAIN], &one[RAW]);
	bench_print_ratio("registered_vs_raw_place_1", &one[REGISTERED], &one[RAW_PLACE]);
	bench_print_ratio("registered_vs_plain_1", &one[REGISTERED], &one[PLAIN]);
	bench_print_ratio("direct_vs_plain_1", &one[DIRECT], &one[PLAIN]);
	bench_print(many, BENCH_LEN(many));
	bench_print_ratio("plain_vs_raw_32", &many[PLAIN], &many[RAW]);
	bench_print_ratio("registered_vs_raw_place_32", &many[REGISTERED], &many[RAW_PLACE]);
	bench_print_ratio("registered_vs_plain_32", &many[REGISTERED], &many[PLAIN]);
	bench_print_ratio("direct_vs_plain_32", &many[DIRECT], &many[PLAIN]);
	return 0;
}
