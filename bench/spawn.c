/* SPDX-License-Identifier: ISC */
/*
 * Starting a program that does nothing and waiting for its end, by the low level and by the call
 * above it, beside posix_spawn and fork, in a process that has touched no more memory than it
 * needs and in one that has touched 4 GiB. Besides, how long the thread stops for it: the call
 * alone, without the waiting.
 */
#include "bench.h"

#include <eio/low_level.h>
#include <eio/run.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 20, COUNT_FORK_LARGE = 2 };

static const char path[] = "/bin/true";
static const char *const argv[] = {"true", NULL};

static void collect(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		bench_fail("%s: %s", path, strerror(errno));
}

static void by_posix_spawn(void)
{
	pid_t pid;
	int rc = posix_spawn(&pid, path, NULL, NULL, (char *const *) argv, environ);

	bench_check(-rc, "posix_spawn");
	collect(pid);
}

static void by_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, (char *const *) argv, environ);
		_exit(127);
	}
	collect(pid);
}

static double stopped; /* ns */

static void by_eio(void)
{
	struct eio_ll_action exec = eio_ll_action_execve(path, argv, NULL);
	double start = bench_now_ns();
	struct eio_process p;
	struct eio_switch sw;
	int status;

	eio_switch_begin(&sw);
	bench_check(eio_ll_spawn(&sw, &exec, 1, &p), "spawn");
	stopped += bench_now_ns() - start;
	bench_check(eio_ll_process_await(p, &status), "process_await");
	bench_check(eio_switch_end(&sw, status == 0 ? 0 : -EIO), path);
}

static struct eio_process_mgr mgr;

/* The same by the call above. */
static void by_process(void)
{
	struct eio_spawn spawn = {.argv = argv, .executable = path};
	struct eio_process p;
	struct eio_switch sw;
	int status;

	eio_switch_begin(&sw);
	bench_check(eio_process_spawn(mgr, &sw, &spawn, &p), "process_spawn");
	bench_check(eio_process_await(p, &status), "process_await");
	bench_check(eio_switch_end(&sw, status == 0 ? 0 : -EIO), path);
}

static double time_of(void (*spawn)(void), unsigned count)
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < count; i++)
		spawn();
	return (bench_now_ns() - start) / count / 1000;
}

enum { EIO_, STOPPED, PROCESS, POSIX, FORK, LARGE, VALUES = 2 * LARGE };

static struct bench_value values[VALUES] = {
	[EIO_] = {.name = "spawn", .unit = "us"},
	[STOPPED] = {.name = "spawn_stopped", .unit = "us"},
	[PROCESS] = {.name = "spawn_process", .unit = "us"},
	[POSIX] = {.name = "spawn_posix", .unit = "us"},
	[FORK] = {.name = "spawn_fork", .unit = "us"},
	[LARGE + EIO_] = {.name = "spawn_4gib", .unit = "us"},
	[LARGE + STOPPED] = {.name = "spawn_4gib_stopped", .unit = "us"},
	[LARGE + PROCESS] = {.name = "spawn_4gib_process", .unit = "us"},
	[LARGE + POSIX] = {.name = "spawn_4gib_posix", .unit = "us"},
	[LARGE + FORK] = {.name = "spawn_4gib_fork", .unit = "us"},
};

static void measure(struct bench_value *v, unsigned rounds, unsigned forks)
{
	for (unsigned r = 0; r < rounds; r++) {
		stopped = 0;
		bench_add(&v[EIO_], time_of(by_eio, COUNT));
		bench_add(&v[STOPPED], stopped / COUNT / 1000);
		bench_add(&v[PROCESS], time_of(by_process, COUNT));
		bench_add(&v[POSIX], time_of(by_posix_spawn, COUNT));
		bench_add(&v[FORK], time_of(by_fork, forks));
	}
}

static void *touch(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	return memory;
}

static int run(struct eio_env *env, void *arg)
{
	unsigned rounds = *(unsigned *) arg;
	size_t large = (size_t) 4 << 30;
	void *memory;

	mgr = env->process_mgr;
	time_of(by_eio, COUNT);
	time_of(by_posix_spawn, COUNT);
	measure(values, rounds, COUNT);
	memory = touch(large);
	measure(values + LARGE, rounds, COUNT_FORK_LARGE);
	munmap(memory, large);
	return 0;
}

int main(int argc, char **argv_)
{
	unsigned rounds = bench_parse(argc, argv_, "Measures starting a program.", 15, NULL);

	bench_check(eio_run(NULL, run, &rounds), "eio_run");
	bench_print(values, VALUES);
	bench_print_ratio("spawn_vs_posix", &values[EIO_], &values[POSIX]);
	bench_print_ratio("spawn_4gib_vs_posix", &values[LARGE + EIO_], &values[LARGE + POSIX]);
	bench_print_ratio("spawn_process_vs_posix", &values[PROCESS], &values[POSIX]);
	bench_print_ratio("spawn_4gib_process_vs_posix", &values[LARGE + PROCESS],
			  &values[LARGE + POSIX]);
	bench_print_ratio("spawn_4gib_vs_none", &values[LARGE + EIO_], &values[EIO_]);
	return 0;
}
