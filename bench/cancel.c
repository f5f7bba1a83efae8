/* SPDX-License-Identifier: ISC */
/*
 * What it costs that everything can be cancelled: from a cancellation until the fiber that waited
 * goes on, and a read inside the scope of a time limit beside the same read without one. The time
 * limit is one that never comes, as most are: 30 seconds. The reads are of a cached page and of a
 * pipe that has the bytes.
 */
#include "bench.h"

#include <eio/cancel.h>
#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/run.h>
#include <eio/time.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 20000, BYTES = 512 };

/* From cancel to resume */

struct sleeper {
	struct eio_cancel ctx;
	double resumed;
};

static int sleep_in_scope(void *arg)
{
	struct sleeper *s = arg;
	int rc;

	for (unsigned i = 0; i < COUNT; i++) {
		eio_cancel_begin(&s->ctx);
		rc = eio_await_cancel();
		eio_cancel_end(&s->ctx);
		if (rc != -ECANCELED)
			return -EINVAL;
	}
	return 0;
}

/* One fiber is cancelled, resumes, leaves its context and waits in a new one. */
static double cancel_to_resume(void)
{
	struct sleeper s;
	struct eio_switch sw;
	double start;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_fork(&sw, sleep_in_scope, &s);
	start = bench_now_ns();
	for (unsigned i = 0; i < COUNT && rc == 0; i++) {
		rc = eio_cancel_raise(&s.ctx, -ECANCELED);
		eio_yield();
	}
	start = bench_now_ns() - start;
	bench_check(eio_switch_end(&sw, rc), "cancel");
	return start / COUNT;
}

/* Reads */

static struct eio_fd file, pipe_r, pipe_w;
static struct eio_clock mono;
static char buf[BYTES];

static int read_file(void)
{
	return (int) eio_ll_read(file, buf, sizeof(buf), 0);
}

static int read_pipe(void)
{
	int rc = eio_ll_write_all(pipe_w, buf, sizeof(buf), EIO_CURRENT);

	return rc < 0 ? rc : (int) eio_ll_read(pipe_r, buf, sizeof(buf), EIO_CURRENT);
}

static double read_often(int (*fn)(void))
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++)
		bench_check(fn(), "read");
	return (bench_now_ns() - start) / COUNT;
}

static double read_often_limited(int (*fn)(void))
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++) {
		struct eio_timeout t;

		eio_timeout_begin(&t, mono, EIO_SEC(30));
		bench_check(eio_timeout_end(&t, fn()), "read");
	}
	return (bench_now_ns() - start) / COUNT;
}

static double file_plain(void)
{
	return read_often(read_file);
}

static double file_limited(void)
{
	return read_often_limited(read_file);
}

static double pipe_plain(void)
{
	return read_often(read_pipe);
}

static double pipe_limited(void)
{
	return read_often_limited(read_pipe);
}

enum { RESUME, FILE_PLAIN, FILE_LIMITED, PIPE_PLAIN, PIPE_LIMITED };

static struct bench_value values[] = {
	[RESUME] = {.name = "cancel_to_resume", .unit = "ns", .measure = cancel_to_resume},
	[FILE_PLAIN] = {.name = "read_file", .unit = "ns", .measure = file_plain},
	[FILE_LIMITED] = {.name = "read_file_limited", .unit = "ns", .measure = file_limited},
	[PIPE_PLAIN] = {.name = "write_read_pipe", .unit = "ns", .measure = pipe_plain},
	[PIPE_LIMITED] = {.name = "write_read_pipe_limited", .unit = "ns", .measure = pipe_limited},
};

/* A file of one page that is gone with its descriptor. */
static int make_file(struct eio_switch *sw)
{
	char path[] = "/tmp/eio-bench-XXXXXX";
	int unix_fd = mkstemp(path);

	if (unix_fd < 0)
		return -errno;
	unlink(path);
	if (ftruncate(unix_fd, 4096) < 0)
		return -errno;
	return eio_fd_of_unix(sw, unix_fd, EIO_FD_CLOSE, &file);
}

static int measure(struct eio_env *env, void *arg)
{
	struct eio_switch sw;
	int rc;

	mono = env->mono_clock;
	eio_switch_begin(&sw);
	rc = make_file(&sw);
	if (rc == 0)
		rc = eio_ll_pipe(&sw, &pipe_r, &pipe_w);
	if (rc == 0)
		bench_measure(values, BENCH_LEN(values), *(unsigned *) arg);
	return eio_switch_end(&sw, rc);
}

int main(int argc, char **argv)
{
	unsigned rounds =
		bench_parse(argc, argv, "Measures cancellation and time limits.", 21, NULL);

	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	bench_print(values, BENCH_LEN(values));
	bench_print_ratio("read_file_limited_vs_plain", &values[FILE_LIMITED], &values[FILE_PLAIN]);
	bench_print_ratio("pipe_limited_vs_plain", &values[PIPE_LIMITED], &values[PIPE_PLAIN]);
	return 0;
}
