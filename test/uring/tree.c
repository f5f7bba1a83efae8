/* SPDX-License-Identifier: ISC */
#include "uring/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct eio_switch sw;
struct eio_fd base;

static char top[] = "/tmp/eio-tree-XXXXXX";

const char *under(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	ck_assert_int_lt(snprintf(path, sizeof(paths[0]), "%s/%s", top, name), sizeof(paths[0]));
	return path;
}

void put(const char *name, const char *text)
{
	FILE *f = fopen(under(name), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

bool has_text(const char *name, const char *text)
{
	char b[64] = "";
	FILE *f = fopen(under(name), "re");

	if (!f)
		return false;
	ck_assert_int_lt(fread(b, 1, sizeof(b) - 1, f), sizeof(b));
	fclose(f);
	return strcmp(b, text) == 0;
}

bool is_there(const char *name)
{
	struct stat st;

	return lstat(under(name), &st) == 0;
}

pid_t exchange_begin(const char *a, const char *b)
{
	const char *path_a = under(a), *path_b = under(b);
	pid_t parent = getpid(), pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	while (getppid() == parent) {
		if (renameat2(AT_FDCWD, path_a, AT_FDCWD, path_b, RENAME_EXCHANGE) < 0)
			break;
	}
	_exit(1);
}

void exchange_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "the process that exchanges names ended by itself");
}

static void make_tree(void)
{
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(mkdir(under("base"), 0755), 0);
	ck_assert_int_eq(mkdir(under("base/sub"), 0755), 0);
	ck_assert_int_eq(mkdir(under("outside"), 0755), 0);
	put("base/file", "inside");
	put("base/sub/deep", "deep");
	put("secret", "outside");
	put("outside/kept", "kept");
	ck_assert_int_eq(symlink("file", under("base/to_file")), 0);
	ck_assert_int_eq(symlink("sub/deep", under("base/to_deep")), 0);
	ck_assert_int_eq(symlink("sub", under("base/to_sub")), 0);
	ck_assert_int_eq(symlink("../secret", under("base/up")), 0);
	ck_assert_int_eq(symlink("../outside", under("base/out")), 0);
	ck_assert_int_eq(symlink(under("base/file"), under("base/absolute")), 0);
	ck_assert_int_eq(symlink("loop", under("base/loop")), 0);
	ck_assert_int_eq(symlink("nothing", under("base/dangling")), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void) st, (void) kind, (void) at;
	return remove(path);
}

static void (*running)(void);

static int in_tree(void *arg)
{
	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, under("base"), O_DIRECTORY | O_PATH, 0, &base));
	running();
	return eio_switch_end(&sw, 0);
}

void run_in_tree(void (*test)(void))
{
	make_tree();
	running = test;
	run_ring(in_tree, 0);
	ck_assert_int_eq(nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
}
