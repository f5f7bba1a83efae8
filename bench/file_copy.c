/* SPDX-License-Identifier: ISC */
/*
 * Copying a file that is in the page cache: examples/cp beside cp(1) and dd(1). The target is a
 * new file each time and is removed before it reaches the disk.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 1024 * 1024 };

static char dir[4096], src[4200], dst[4200];
static char block[BLOCK], other[BLOCK];

static void clean_up(void)
{
	unlink(src);
	unlink(dst);
	rmdir(dir);
}

static void make_source(unsigned long mib)
{
	int fd = open(src, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	for (unsigned long i = 0; fd >= 0 && i < mib; i++) {
		for (size_t at = 0; at < BLOCK; at += sizeof(long))
			*(long *) (block + at) = (long) (i * BLOCK + at) * 0x9e3779b97f4a7c15;
		if (write(fd, block, BLOCK) != BLOCK)
			bench_fail("%s: %s", src, strerror(errno));
	}
	if (fd < 0 || fsync(fd) < 0) /* so that nothing is left to write while measuring */
		bench_fail("%s: %s", src, strerror(errno));
	close(fd);
}

static void verify(void)
{
	int a = open(src, O_RDONLY | O_CLOEXEC), b = open(dst, O_RDONLY | O_CLOEXEC);
	ssize_t n, m;

	do {
		n = read(a, block, BLOCK);
		m = read(b, other, BLOCK);
		if (n < 0 || n != m || memcmp(block, other, (size_t) n) != 0)
			bench_fail("the copy differs from the original");
	} while (n > 0);
	close(a);
	close(b);
}

/* Seconds from starting the program until it has ended. */
static double copy(const char *const *argv)
{
	double start = bench_now_ns(), end;
	int status, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *) argv, environ);
	if (rc != 0)
		bench_fail("%s: %s", argv[0], strerror(rc));
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bench_fail("%s failed", argv[0]);
	end = bench_now_ns();
	return (end - start) / 1e9;
}

enum { EIO_CP, CP, DD, VALUES };

static struct bench_value values[VALUES] = {
	[EIO_CP] = {.name = "file_copy", .unit = "s"},
	[CP] = {.name = "file_copy_cp", .unit = "s"},
	[DD] = {.name = "file_copy_dd", .unit = "s"},
};

static void measure(const char *cp, unsigned rounds)
{
	char from[4300], to[4300];
	const char *const argv[VALUES][6] = {
		[EIO_CP] = {cp, src, dst},
		[CP] = {"cp", src, dst},
		[DD] = {"dd", from, to, "bs=256K", "status=none"},
	};

	snprintf(from, sizeof(from), "if=%s", src);
	snprintf(to, sizeof(to), "of=%s", dst);
	copy(argv[EIO_CP]);
	verify();
	for (unsigned r = 0; r < rounds; r++) {
		for (unsigned i = 0; i < VALUES; i++) {
			unlink(dst);
			bench_add(&values[i], copy(argv[i]));
		}
	}
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "cp PATH", .what = "the library's cp (needed)"},
		{.name = "mib N",
		 .what = "size of the file in MiB (default 1024)",
		 .value = "1024"},
		{.name = "dir DIR", .what = "where to copy (default $TMPDIR or /tmp)"},
		{0},
	};
	unsigned rounds = bench_parse(argc, argv, "Measures copying a file.", 7, more);

	if (!more[0].value)
		bench_fail("--cp is missing; see --help");
	if (!more[2].value)
		more[2].value = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	snprintf(dir, sizeof(dir), "%s/eio-file_copy-XXXXXX", more[2].value);
	if (!mkdtemp(dir))
		bench_fail("%s: %s", dir, strerror(errno));
	snprintf(src, sizeof(src), "%s/from", dir);
	snprintf(dst, sizeof(dst), "%s/to", dir);
	atexit(clean_up);
	make_source(bench_number(more[1].value, 1, 1 << 20));
	measure(more[0].value, rounds);
	bench_print(values, VALUES);
	bench_print_ratio("file_copy_vs_cp", &values[EIO_CP], &values[CP]);
	bench_print_ratio("file_copy_vs_dd", &values[EIO_CP], &values[DD]);
	return 0;
}
