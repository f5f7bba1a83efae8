/* SPDX-License-Identifier: ISC */
/*
 * Nothing leads out of a directory: every call that takes a path, on every path that tries to.
 *
 * In the working directory are the directory "prison", whose capability the calls get, and
 * "outside", a tree of canaries. A call may fail, or do something in the prison; afterwards every
 * canary is as it was, and nothing of them was told: no name or content with SECRET in it, and
 * no file that is one of them. A new call is a line in the table of calls.
 *
 * What tries to get out leads to the canaries only, never to anything of the machine's.
 */
#include "io/util.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "CANARY"

/* The canaries */

enum { CANARIES = 16 };

static struct canary {
	char path[64];
	struct stat st;
	char text[64]; /* content, or where a link leads */
} canaries[CANARIES];
static int n_canaries;

static void read_text(const char *path, const struct stat *st, char *text, size_t size)
{
	memset(text, 0, size);
	if (S_ISLNK(st->st_mode)) {
		ck_assert_int_gt(readlink(path, text, size - 1), 0);
	} else if (S_ISREG(st->st_mode)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_ge(read(fd, text, size - 1), 0);
		close(fd);
	}
}

static int add_canary(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	struct canary *c = &canaries[n_canaries++];

	(void) flag, (void) ftw;
	ck_assert_int_le(n_canaries, CANARIES);
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->st = *st;
	read_text(path, st, c->text, sizeof(c->text));
	return 0;
}

static void count_canaries(void)
{
	struct stat st;

	n_canaries = 0;
	ck_assert_int_eq(nftw("outside", add_canary, 16, FTW_PHYS), 0);
	ck_assert_int_eq(stat(".", &st), 0);
	add_canary(".", &st, 0, NULL);
}

/* The attempt that is under way. */
static const char *attempt_call, *attempt_path;

/* Half a million are: each ck_assert would write down where it stands. */
#define confined(condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("%s \"%.100s\": not %s", attempt_call, attempt_path,          \
				     #condition);                                                  \
	} while (0)

static void expect_same(const struct timespec *a, const struct timespec *b)
{
	confined(a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec);
}

static void expect_canaries_unharmed(void)
{
	for (int i = 0; i < n_canaries; i++) {
		const struct canary *c = &canaries[i];
		char text[sizeof(c->text)];
		struct stat st;

		confined(lstat(c->path, &st) == 0);
		confined(st.st_ino == c->st.st_ino && st.st_mode == c->st.st_mode);
		confined(st.st_uid == c->st.st_uid && st.st_gid == c->st.st_gid);
		confined(st.st_nlink == c->st.st_nlink && st.st_size == c->st.st_size);
		expect_same(&st.st_mtim, &c->st.st_mtim);
		expect_same(&st.st_ctim, &c->st.st_ctim);
		read_text(c->path, &st, text, sizeof(text));
		confined(memcmp(text, c->text, sizeof(text)) == 0);
	}
}

/* What a call told. */
static void told(const char *data, size_t len)
{
	confined(!memmem(data, len, SECRET, strlen(SECRET)));
}

static void told_of(uint64_t dev, uint64_t ino)
{
	for (int i = 0; i < n_canaries; i++)
		confined(ino != canaries[i].st.st_ino || dev != canaries[i].st.st_dev);
}

/* The calls */

static int told_flow(int rc, struct eio_flow f)
{
	struct eio_stat st;
	char text[64];
	ssize_t n;

	if (rc < 0)
		return rc;
	expect_ok(eio_file_stat(f, &st));
	told_of(st.dev, st.ino);
	n = eio_file_pread(f, text, sizeof(text), 0);
	if (n > 0)
		told(text, (size_t) n);
	return eio_flow_close(f);
}

static int try_open_in(struct eio_dir d, const char *path)
{
	struct eio_flow f = {0};
	int rc = eio_fs_open_in(d, NULL, path, &f);

	return told_flow(rc, f);
}

static int open_out(struct eio_dir d, const char *path, enum eio_create_how how, bool append)
{
	struct eio_create opts = {.how = how, .append = append};
	struct eio_flow f = {0};
	int rc = eio_fs_open_out(d, NULL, path, &opts, &f);

	if (rc == 0)
		expect_ok(eio_flow_copy_string(f, "written"));
	return told_flow(rc, f);
}

static int try_open_out(struct eio_dir d, const char *path)
{
	return open_out(d, path, EIO_CREATE_DEFAULT, false);
}

static int try_open_out_never(struct eio_dir d, const char *path)
{
	return open_out(d, path, EIO_CREATE_NEVER, false);
}

static int try_open_out_truncate(struct eio_dir d, const char *path)
{
	return open_out(d, path, EIO_CREATE_OR_TRUNCATE, false);
}

static int try_open_out_exclusive(struct eio_dir d, const char *path)
{
	return open_out(d, path, EIO_CREATE_EXCLUSIVE, false);
}

static int try_append(struct eio_dir d, const char *path)
{
	return open_out(d, path, EIO_CREATE_IF_MISSING, true);
}

static int try_stat(struct eio_dir d, const char *path)
{
	struct eio_stat st;
	int rc = eio_fs_stat(d, path, true, &st);

	if (rc == 0)
		told_of(st.dev, st.ino);
	return rc;
}

static int try_stat_nofollow(struct eio_dir d, const char *path)
{
	struct eio_stat st;
	int rc = eio_fs_stat(d, path, false, &st);

	if (rc == 0)
		told_of(st.dev, st.ino);
	return rc;
}

static int try_kind(struct eio_dir d, const char *path)
{
	int kind = eio_fs_kind(d, path, true);

	if (kind < 0)
		return kind;
	return eio_fs_is_file(d, path) || eio_fs_is_directory(d, path) ? 0 : -EINVAL;
}

static int told_dir(int rc, struct eio_dir d)
{
	if (rc < 0)
		return rc;
	try_stat(d, ".");
	try_open_in(d, "secret");
	return eio_dir_close(d);
}

static int try_open_dir(struct eio_dir d, const char *path)
{
	struct eio_dir sub = {0};
	int rc = eio_fs_open_dir(d, NULL, path, &sub);

	return told_dir(rc, sub);
}

static int try_open_dir_nofollow(struct eio_dir d, const char *path)
{
	struct eio_dir sub = {0};
	int rc = eio_fs_open_dir_nofollow(d, NULL, path, &sub);

	return told_dir(rc, sub);
}

static int try_list(struct eio_dir d, const char *path)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, d, path);

	if (rc < 0)
		return rc;
	while (eio_fs_dir_next(&it, &e) > 0) {
		told(e.name, strlen(e.name));
		told_of(canaries[0].st.st_dev, e.ino);
	}
	eio_fs_dir_end(&it);
	return 0;
}

static int try_read_dir(struct eio_dir d, const char *path)
{
	char **names;
	int rc = eio_fs_read_dir(d, path, &names, NULL);

	if (rc < 0)
		return rc;
	for (char **name = names; *name; name++)
		told(*name, strlen(*name));
	free(names);
	return 0;
}

static int try_stats(struct eio_dir d, const char *path)
{
	static const struct eio_dir_opts opts = {.stat = true};
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin_with(&it, d, path, &opts);

	if (rc < 0)
		return rc;
	while (eio_fs_dir_next(&it, &e) > 0) {
		if (e.stat)
			told_of(e.stat->dev, e.stat->ino);
	}
	eio_fs_dir_end(&it);
	return 0;
}

static int try_load(struct eio_dir d, const char *path)
{
	size_t len;
	char *data;
	int rc = eio_fs_load(d, path, &data, &len);

	if (rc < 0)
		return rc;
	told(data, len);
	free(data);
	return 0;
}

static int try_lines(struct eio_dir d, const char *path)
{
	struct eio_fs_lines lines;
	int rc = eio_fs_lines_begin(&lines, d, path, 0);
	size_t len;
	char *line;

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_lines_next(&lines, &line, &len)) > 0)
		told(line, len);
	eio_fs_lines_end(&lines);
	return rc;
}

static int try_save(struct eio_dir d, const char *path)
{
	return eio_fs_save(d, path, "saved", 5, NULL);
}

static int try_save_atomic(struct eio_dir d, const char *path)
{
	return eio_fs_save(d, path, "saved", 5, &(struct eio_save){.atomic = true});
}

static int try_copy_from(struct eio_dir d, const char *path)
{
	int rc = eio_fs_copy_file(d, path, d, "copy", NULL, NULL);

	return rc < 0 ? rc : try_load(d, "copy");
}

static int try_copy_to(struct eio_dir d, const char *path)
{
	return eio_fs_copy_file(d, "sub/file", d, path, NULL, NULL);
}

static int try_mkdir(struct eio_dir d, const char *path)
{
	return eio_fs_mkdir(d, path, 0755);
}

static int try_mkdirs(struct eio_dir d, const char *path)
{
	char below[PATH_MAX + 10];

	snprintf(below, sizeof(below), "%.*s/x/y", PATH_MAX, path);
	eio_fs_mkdirs(d, below, 0755, true);
	return eio_fs_mkdirs(d, path, 0755, true);
}

static int try_unlink(struct eio_dir d, const char *path)
{
	return eio_fs_unlink(d, path, EIO_MISSING_OK);
}

static int try_rmtree(struct eio_dir d, const char *path)
{
	return eio_fs_rmtree(d, path, 0);
}

static int try_rename_from(struct eio_dir d, const char *path)
{
	return eio_fs_rename(d, path, d, "renamed");
}

static int try_rename_to(struct eio_dir d, const char *path)
{
	return eio_fs_rename(d, "file", d, path);
}

/* A link that has a second name is told of itself only. */
static int try_link_from(struct eio_dir d, const char *path)
{
	int rc = eio_fs_link(d, path, d, "linked");

	if (rc == 0)
		rc = try_stat_nofollow(d, "linked");
	return rc;
}

static int try_link_to(struct eio_dir d, const char *path)
{
	return eio_fs_link(d, "file", d, path);
}

static int try_symlink(struct eio_dir d, const char *path)
{
	return eio_fs_symlink(d, path, "../outside/secret");
}

static int try_read_link(struct eio_dir d, const char *path)
{
	char buf[PATH_MAX];
	ssize_t n = eio_fs_read_link(d, path, buf, sizeof(buf));

	return n < 0 ? (int) n : 0;
}

static int try_chmod(struct eio_dir d, const char *path)
{
	return eio_fs_chmod(d, path, true, 0711);
}

static int try_chmod_nofollow(struct eio_dir d, const char *path)
{
	return eio_fs_chmod(d, path, false, 0711);
}

static int try_chown(struct eio_dir d, const char *path)
{
	return eio_fs_chown(d, path, true, getuid(), getgid());
}

static int try_chown_nofollow(struct eio_dir d, const char *path)
{
	return eio_fs_chown(d, path, false, getuid(), getgid());
}

static const struct {
	const char *name;
	int (*fn)(struct eio_dir d, const char *path);
	enum { LOOKS, CHANGES, CHANGES_PARTLY } what; /* does a failure change something too? */
} calls[] = {
	{"open_in", try_open_in, LOOKS},
	{"open_out", try_open_out, CHANGES},
	{"open_out never", try_open_out_never, CHANGES},
	{"open_out truncate", try_open_out_truncate, CHANGES},
	{"open_out exclusive", try_open_out_exclusive, CHANGES},
	{"open_out append", try_append, CHANGES},
	{"stat", try_stat, LOOKS},
	{"stat nofollow", try_stat_nofollow, LOOKS},
	{"kind", try_kind, LOOKS},
	{"open_dir", try_open_dir, LOOKS},
	{"open_dir_nofollow", try_open_dir_nofollow, LOOKS},
	{"dir_begin", try_list, LOOKS},
	{"dir_begin_with", try_stats, LOOKS},
	{"read_dir", try_read_dir, LOOKS},
	{"load", try_load, LOOKS},
	{"lines", try_lines, LOOKS},
	{"save", try_save, CHANGES},
	{"save atomic", try_save_atomic, CHANGES},
	{"copy_file from", try_copy_from, CHANGES},
	{"copy_file to", try_copy_to, CHANGES},
	{"mkdir", try_mkdir, CHANGES},
	{"mkdirs", try_mkdirs, CHANGES_PARTLY},
	{"unlink", try_unlink, CHANGES},
	{"rmdir", eio_fs_rmdir, CHANGES},
	{"rmtree", try_rmtree, CHANGES_PARTLY},
	{"rename from", try_rename_from, CHANGES},
	{"rename to", try_rename_to, CHANGES},
	{"link from", try_link_from, CHANGES},
	{"link to", try_link_to, CHANGES},
	{"symlink", try_symlink, CHANGES},
	{"read_link", try_read_link, LOOKS},
	{"chmod", try_chmod, CHANGES},
	{"chmod nofollow", try_chmod_nofollow, CHANGES},
	{"chown", try_chown, CHANGES},
	{"chown nofollow", try_chown_nofollow, CHANGES},
};

/* The prison */

static char here[PATH_MAX / 2]; /* the working directory */
static int outside_fd;          /* for links through /proc */

static const char *fmt(const char *f, ...) EIO_PRINTF(1, 2);
static const char *fmt(const char *f, ...)
{
	static char text[PATH_MAX];
	va_list ap;

	va_start(ap, f);
	vsnprintf(text, sizeof(text), f, ap);
	va_end(ap);
	return text;
}

static int clear_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void) st, (void) flag;
	return ftw->level == 0 ? 0 : remove(path);
}

/* Every link that leads out, some of them by others or by the links of /proc. */
static void fill_prison(void)
{
	ck_assert_int_eq(nftw("prison", clear_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	ck_assert_int_eq(chmod("prison", 0755), 0);
	put_text("prison/file", "inside");
	put_dir("prison/sub");
	put_text("prison/sub/file", "inside");
	put_dir("prison/sub/empty");
	put_link("prison/up", "..");
	put_link("prison/away", "../outside");
	put_link("prison/away_file", "../outside/secret");
	put_link("prison/nowhere", "../outside/new");
	put_link("prison/sub/away", "../../outside");
	put_link("prison/abs", fmt("%s/outside", here));
	put_link("prison/abs_back", fmt("%s/prison", here));
	put_link("prison/back", "../prison");
	put_link("prison/chain", "away");
	put_link("prison/longer_chain", "./sub/../chain");
	put_link("prison/loop", "loop");
	put_link("prison/loop_a", "loop_b");
	put_link("prison/loop_b", "loop_a/../loop_a");
	put_link("prison/self_root", fmt("/proc/self/root%s/outside", here));
	put_link("prison/self_cwd", "/proc/self/cwd/outside");
	put_link("prison/self_fd", fmt("/proc/self/fd/%d", outside_fd));
	put_link("prison/in", "sub");
}

static void build(void)
{
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	put_dir("prison");
	put_dir("outside");
	put_dir("outside/keep");
	put_dir("outside/empty");
	put_text("outside/secret", SECRET " text");
	put_text("outside/" SECRET, "x");
	put_text("outside/keep/secret", SECRET " text");
	put_link("outside/link", "secret");
	outside_fd = open("outside", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fill_prison();
	count_canaries();
}

/* Attacks */

/* clang-format off */
static const char *const paths[] = {
	/* Upwards. */
	"..", "../", "../.", "../..", "../outside", "../outside/", "../outside/secret",
	"../outside/new", "../outside/keep", "../outside/empty", "../prison", "../prison/file",
	"./..", "sub/../..", "sub/../../outside/secret", "in/../../outside/secret",
	"sub//../..//outside//secret", "sub/./.././../outside/new", "file/..",
	"file/../../outside/secret", "none/../../outside/secret", "...", "..a", "../new",
	/* By links. */
	"up", "up/", "up/.", "up/outside", "up/outside/secret", "up/outside/new",
	"away", "away/", "away/.", "away/..", "away/secret", "away/new", "away/keep",
	"away/keep/", "away/keep/secret", "away/empty", "away/link", "away/../prison/file",
	"away_file", "away_file/", "nowhere", "nowhere/", "nowhere/new",
	"abs", "abs/", "abs/secret", "abs/new", "abs_back/file", "back", "back/file",
	"chain", "chain/", "chain/secret", "longer_chain", "longer_chain/keep/secret",
	"sub/away", "sub/away/secret", "sub/away/new", "in/away/secret", "in/../away/secret",
	"loop", "loop/", "loop/x", "loop_a", "loop_b/x",
	/* By the links of /proc. */
	"self_root", "self_root/", "self_root/secret", "self_root/new",
	"self_cwd", "self_cwd/secret", "self_cwd/new", "self_fd", "self_fd/secret",
	"self_fd/new", "/proc/self/cwd/outside/secret", "/proc/self/cwd/outside/new",
	/* Odd ones. */
	"", ".", "./", "./.", ".//", "sub//file", "sub///", "file/", "in/", "sub/.", "sub/..",
	"sub//empty/",
	"a//b", "\xff\xfe", "sub/\xff", "new\nline", "sub/ ", " ", "~", "*", "sub\\..\\..",
};
/* clang-format on */

/* An attempt by handle or beneath the working directory, which is the prison meanwhile. */
static int attempt(struct eio_dir d, int call, const char *path)
{
	bool by_handle = d.u.fd.slot != env->cwd.u.fd.slot;
	int rc;

	attempt_call = calls[call].name;
	attempt_path = path;
	ck_assert_int_eq(by_handle ? 0 : chdir("prison"), 0);
	rc = calls[call].fn(d, path);
	ck_assert_int_eq(by_handle ? 0 : chdir(".."), 0);
	return rc;
}

static unsigned succeeded[COUNT(calls)];

static void attack(struct eio_dir d, const char *path)
{
	for (int call = 0; call < (int) COUNT(calls); call++) {
		unsigned fds = count_fds();
		int rc = attempt(d, call, path);

		expect_canaries_unharmed();
		confined(count_fds() == fds);
		succeeded[call] += rc >= 0;
		if (calls[call].what >= (rc < 0 ? CHANGES_PARTLY : CHANGES))
			fill_prison();
	}
}

static void attack_all(struct eio_dir d)
{
	char name[257] = "", *path = calloc(1, 6000);

	for (size_t i = 0; i < COUNT(paths); i++)
		attack(d, paths[i]);
	sprintf(path, "%s/outside/secret", here);
	attack(d, path);
	sprintf(path, "%s/prison/file", here);
	attack(d, path);
	*path = '\0';
	attack(d, memset(name, 'n', 256));
	for (int i = 0; i < 570; i++)
		strcat(path, "sub/../");
	strcat(path, "../outside/secret");
	attack(d, path);
	memset(path, '/', 5000);
	strcpy(path + 5000, "x");
	attack(d, path);
	free(path);
	/* What never does anything proves nothing. */
	for (size_t call = 0; call < COUNT(calls); call++)
		ck_assert_msg(succeeded[call] > 0, "%s", calls[call].name);
}

DIR_TEST(no_call_leads_out_of_a_handle)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	build();
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "prison", &d));
	attack_all(d);
	close(outside_fd);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(no_call_leads_out_of_the_working_directory)
{
	(void) arg;
	build();
	attack_all(env->cwd);
	close(outside_fd);
	return 0;
}

/* The same calls on the same paths get out, and do harm, where they may. */
DIR_TEST(the_whole_file_system_is_not_confined)
{
	struct stat st;

	(void) arg;
	build();
	close(outside_fd);
	ck_assert_int_eq(chdir("prison"), 0);
	expect_ok(eio_fs_chmod(env->fs, "away/secret", true, 0600));
	ck_assert_int_eq(stat("../outside/secret", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	expect_ok(eio_fs_mkdir(env->fs, "../outside/new", 0755));
	expect_ok(eio_fs_symlink(env->fs, "up/new", "x"));
	expect_ok(eio_fs_rename(env->fs, "back/file", env->fs, "../outside/file"));
	expect_ok(eio_fs_link(env->cwd, "sub/file", env->fs, "../outside/linked"));
	expect_ok(eio_fs_unlink(env->fs, "abs/linked", 0));
	expect_ok(eio_fs_rmtree(env->fs, "away/keep", 0));
	expect_ok(eio_fs_mkdirs(env->fs, "../outside/a/b", 0755, false));
	ck_assert(exists("../outside/a/b"));
	ck_assert(!exists("../outside/keep"));
	expect_text("../outside/file", "inside");
	ck_assert_int_eq(chdir(".."), 0);
	return 0;
}

/* Mounts: the links of /proc inside the prison, and a directory that has two places */

static int attack_mounts(void *arg)
{
	static const char *const ways[] = {
		"proc/self/cwd",
		"proc/self/cwd/outside/secret",
		"proc/self/cwd/new",
		"proc/self/cwd/outside",
		"proc/self/root",
		"proc/thread-self/cwd/outside/keep",
		"mounted/..",
		"mounted/../..",
		"mounted/../../outside/secret",
		"mounted/../up/outside",
	};
	struct eio_switch sw;
	struct eio_dir d, mounted;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "prison", &d));
	for (size_t i = 0; i < COUNT(ways); i++)
		for (int call = 0; call < (int) COUNT(calls); call++) {
			attempt(d, call, ways[i]);
			expect_canaries_unharmed();
		}
	snprintf(here, sizeof(here), "proc/self/fd/%d/secret", outside_fd);
	expect_err(eio_fs_open_in(d, &sw, here, &f), -ELOOP);
	expect_err(eio_fs_rmtree(d, "proc/self/cwd/outside", 0), -ELOOP);
	expect_ok(eio_fs_open_dir(d, &sw, "mounted", &mounted));
	expect_err(eio_fs_open_in(mounted, &sw, "../outside/secret", &f), -EXDEV);
	return eio_switch_end(&sw, 0);
}

START_TEST(no_call_leads_out_where_something_is_mounted)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	enter_scratch();
	build();
	put_dir("prison/proc");
	put_dir("prison/mounted");
	if (mount("proc", "prison/proc", "proc", 0, NULL) == 0) {
		ck_assert_int_eq(mount("prison/sub", "prison/mounted", NULL, MS_BIND, NULL), 0);
		run_ring(attack_mounts, 0);
		ck_assert_int_eq(umount("prison/mounted"), 0);
		ck_assert_int_eq(umount("prison/proc"), 0);
	}
	close(outside_fd);
	leave_scratch();
}
END_TEST

/*
 * Races: another process swaps "prison/swap" and "prison/other", of which one is a directory and
 * the other a link out, and the same for "prison/sub/x" and "prison/sub/y", while every call
 * goes through them. It rests now and then: the kernel resolves no path with ".." while there
 * are nothing but renames.
 */

static const char *const swapped[][2] = {{"prison/swap", "prison/other"},
					 {"prison/sub/x", "prison/sub/y"}};

static pid_t swap_for_ever(void)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	for (unsigned n = 0; getppid() == parent; n++) {
		const char *const *pair = swapped[n % COUNT(swapped)];

		renameat2(AT_FDCWD, pair[0], AT_FDCWD, pair[1], RENAME_EXCHANGE);
		if (n % 8 == 0)
			usleep(50);
	}
	_exit(0);
}

static mode_t kind_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

/* The directory is filled before it gets its name: what is done by path here would go through
 * the link. */
static void put_swapped(const char *path)
{
	put_dir("prison/fresh");
	put_dir("prison/fresh/keep");
	put_text("prison/fresh/secret", "inside");
	put_text("prison/fresh/keep/secret", "inside");
	ck_assert_int_eq(rename("prison/fresh", path), 0);
}

/* If one of the two is missing nothing is swapped; it becomes what the other is not. */
static void replant(const char *const pair[2], const char *target)
{
	for (int i = 0; i < 2; i++)
		if (kind_of(pair[i]) == S_IFREG)
			unlink(pair[i]);
	for (int i = 0; i < 2; i++) {
		if (kind_of(pair[i]) != 0)
			continue;
		if (kind_of(pair[!i]) == S_IFDIR)
			put_link(pair[i], target);
		else
			put_swapped(pair[i]);
	}
}

static void put_right(void)
{
	replant(swapped[0], "../outside");
	replant(swapped[1], "../../outside");
	put_text("prison/file", "inside");
	unlink("prison/linked");
	if (unlink("prison/renamed") < 0 && errno == EISDIR)
		nftw("prison/renamed", clear_one, 16, FTW_DEPTH | FTW_PHYS);
	rmdir("prison/renamed");
}

/* Three rounds, and then for as long as the environment says. */
static bool goes_on(unsigned round, int64_t since)
{
	const char *seconds = getenv("EIO_TEST_SECONDS");

	return round < 3 ||
	       (seconds && eio_now_ns(env->mono_clock) - since < EIO_SEC(atoi(seconds)));
}

static int race(void *arg)
{
	static const char *const ways[] = {
		"swap",
		"swap/",
		"swap/secret",
		"swap/new",
		"swap/keep",
		"swap/keep/secret",
		"swap/keep/../secret",
		"sub/x",
		"sub/x/secret",
		"sub/x/../x/keep",
		"sub/../swap/keep/../../sub/x/secret",
	};
	int64_t since = eio_now_ns(env->mono_clock);
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "prison", &d));
	for (unsigned round = 0; goes_on(round, since); round++)
		for (size_t way = 0; way < COUNT(ways); way++) {
			for (int call = 0; call < (int) COUNT(calls); call++) {
				attempt(d, call, ways[way]);
				put_right();
			}
			expect_canaries_unharmed();
		}
	return eio_switch_end(&sw, 0);
}

START_TEST(no_swap_of_a_directory_for_a_link_leads_out)
{
	pid_t swapper;

	enter_scratch();
	build();
	put_right();
	swapper = swap_for_ever();
	ck_assert_int_gt(swapper, 0);
	run_ring(race, 0);
	kill(swapper, SIGKILL);
	ck_assert_int_eq(waitpid(swapper, NULL, 0), swapper);
	expect_canaries_unharmed();
	close(outside_fd);
	leave_scratch();
}
END_TEST

SUITE_MAIN("confined", true, no_call_leads_out_of_a_handle_test,
	   no_call_leads_out_of_the_working_directory_test,
	   the_whole_file_system_is_not_confined_test, no_call_leads_out_where_something_is_mounted,
	   no_swap_of_a_directory_for_a_link_leads_out)
