/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include <dirent.h>
#include <eio/low_level.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct eio_save atomic = {.atomic = true};

static int save_text(const char *path, const char *text, const struct eio_save *how)
{
	return eio_fs_save(env->cwd, path, text, strlen(text), how);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* Every way of saving: in place and at once, waiting for the disk or not. */
static const struct eio_save ways[] = {
	{.mode = 0}, {.sync = true}, {.atomic = true}, {.atomic = true, .sync = true}};

DIR_TEST(a_file_is_made_and_its_content_replaced)
{
	static char data[300000];

	(void) arg;
	fill(data, sizeof(data), 0);
	for (size_t i = 0; i < COUNT(ways); i++) {
		char *found;
		size_t n;

		expect_ok(save_text("file", "long enough", &ways[i]));
		expect_text("file", "long enough");
		expect_ok(save_text("file", "short", &ways[i]));
		expect_text("file", "short");
		expect_ok(save_text("file", "", &ways[i]));
		expect_text("file", "");
		expect_ok(eio_fs_save(env->cwd, "file", data, sizeof(data), &ways[i]));
		expect_ok(eio_fs_load(env->cwd, "file", &found, &n));
		ck_assert_uint_eq(n, sizeof(data));
		ck_assert_mem_eq(found, data, n);
		free(found);
		ck_assert_uint_eq(count_names("."), 1);
		ck_assert_int_eq(unlink("file"), 0);
	}
	expect_ok(save_text("file", "defaults", NULL));
	expect_text("file", "defaults");
	return 0;
}

DIR_TEST(what_is_missing_or_there_is_made_kept_or_refused)
{
	static const struct {
		enum eio_create_how how;
		bool atomic;
		int missing, there;
		const char *after; /* "XY" was saved over "abc" */
	} cases[] = {
		{EIO_CREATE_DEFAULT, false, 0, 0, "XY"},
		{EIO_CREATE_NEVER, false, -ENOENT, 0, "XYc"},
		{EIO_CREATE_IF_MISSING, false, 0, 0, "XYc"},
		{EIO_CREATE_OR_TRUNCATE, false, 0, 0, "XY"},
		{EIO_CREATE_EXCLUSIVE, false, 0, -EEXIST, "abc"},
		{EIO_CREATE_DEFAULT, true, 0, 0, "XY"},
		{EIO_CREATE_NEVER, true, -ENOENT, 0, "XY"},
		{EIO_CREATE_IF_MISSING, true, -EINVAL, -EINVAL, "abc"},
		{EIO_CREATE_OR_TRUNCATE, true, 0, 0, "XY"},
		{EIO_CREATE_EXCLUSIVE, true, 0, -EEXIST, "abc"},
	};

	(void) arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eio_save how = {.how = cases[i].how, .atomic = cases[i].atomic};

		expect_err(save_text("file", "XY", &how), cases[i].missing);
		ck_assert_int_eq(exists("file"), cases[i].missing == 0);
		put_text("file", "abc");
		expect_err(save_text("file", "XY", &how), cases[i].there);
		expect_text("file", cases[i].after);
		ck_assert_uint_eq(count_names("."), 1);
		ck_assert_int_eq(unlink("file"), 0);
	}
	return 0;
}

DIR_TEST(appending_keeps_what_is_there)
{
	struct eio_save append = {.append = true};

	(void) arg;
	expect_ok(save_text("file", "one ", &append));
	expect_ok(save_text("file", "two", &append));
	expect_text("file", "one two");
	append.how = EIO_CREATE_OR_TRUNCATE;
	expect_ok(save_text("file", "three", &append));
	expect_text("file", "three");
	append.atomic = true;
	expect_err(save_text("file", "four", &append), -EINVAL);
	expect_text("file", "three");
	return 0;
}

DIR_TEST(a_new_file_has_the_mode_asked_for_and_an_old_one_its_own)
{
	struct eio_save how = {.mode = 0750};

	(void) arg;
	umask(027);
	for (int i = 0; i < 2; i++) {
		how.atomic = i;
		expect_ok(save_text("new", "x", &how));
		ck_assert_uint_eq(mode_of("new"), 0750);
		ck_assert_int_eq(unlink("new"), 0);
		expect_ok(save_text("new", "x", &(struct eio_save){.atomic = i}));
		ck_assert_uint_eq(mode_of("new"), 0640);
		/* Without a mode the old one's stays, also where the umask would take of it. */
		for (unsigned mode = 0600; mode <= 0777; mode += 7) {
			ck_assert_int_eq(chmod("new", mode), 0);
			expect_ok(save_text("new", "y", &(struct eio_save){.atomic = i}));
			ck_assert_uint_eq(mode_of("new"), mode);
		}
		ck_assert_int_eq(unlink("new"), 0);
	}
	/* With one, the new file has it. */
	put_text("file", "abc");
	ck_assert_int_eq(chmod("file", 0604), 0);
	expect_ok(save_text("file", "x", &how));
	ck_assert_uint_eq(mode_of("file"), 0750);
	umask(022);
	return 0;
}

DIR_TEST(saved_at_once_a_symlink_is_replaced_and_in_place_it_is_followed)
{
	struct stat st;

	(void) arg;
	put_text("target", "old");
	ck_assert_int_eq(symlink("target", "link"), 0);
	expect_ok(save_text("link", "new", NULL));
	expect_text("target", "new");
	expect_ok(save_text("link", "newer", &atomic));
	expect_text("target", "new");
	expect_text("link", "newer");
	ck_assert_int_eq(lstat("link", &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(mode_of("link"), 0644);
	/* Not even one that leads out. */
	ck_assert_int_eq(symlink("/etc/passwd", "out"), 0);
	expect_err(save_text("out", "x", NULL), -EXDEV);
	expect_ok(save_text("out", "x", &atomic));
	expect_text("out", "x");
	return 0;
}

DIR_TEST(other_links_keep_the_old_content)
{
	(void) arg;
	put_text("file", "old");
	ck_assert_int_eq(link("file", "other"), 0);
	expect_ok(save_text("file", "new", &atomic));
	expect_text("file", "new");
	expect_text("other", "old");
	return 0;
}

/* Both ways: no path leads out, and what is no file is not replaced by one. */
DIR_TEST(what_is_no_file_is_refused_and_stays)
{
	struct eio_save way = {.mode = 0};
	struct stat st;
	char line[300];

	(void) arg;
	ck_assert_int_eq(mkdir("d", 0700), 0);
	for (int i = 0; i < 2; i++) {
		way.atomic = i;
		expect_err(save_text("d", "x", &way), -EISDIR);
		eio_error_format(-EISDIR, line, sizeof(line));
		ck_assert_str_eq(line, "save d: Is a directory");
		expect_err(save_text("d/", "x", &way), -EISDIR);
		expect_err(save_text(".", "x", &way), -EISDIR);
		expect_err(save_text("d/..", "x", &way), -EISDIR);
		expect_err(save_text("", "x", &way), -ENOENT);
		expect_err(save_text("no/file", "x", &way), -ENOENT);
		expect_err(save_text("../file", "x", &way), -EXDEV);
		expect_err(save_text("/tmp/file", "x", &way), -EXDEV);
		expect_err(eio_fs_save(env->cwd, NULL, "x", 1, &way), -EINVAL);
		expect_err(eio_fs_save((struct eio_dir){.ops = NULL}, "f", "x", 1, &way), -EBADF);
		way.how = 5;
		expect_err(save_text("file", "x", &way), -EINVAL);
		way.how = EIO_CREATE_DEFAULT;
		way.mode = 010000;
		expect_err(save_text("file", "x", &way), -EINVAL);
		way.mode = 0;
		put_text("file", "abc");
		expect_err(save_text("file/x", "x", &way), -ENOTDIR);
		ck_assert_int_eq(unlink("file"), 0);
		ck_assert_uint_eq(count_names("."), 1);
		ck_assert_uint_eq(count_names("d"), 0);
	}
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	expect_err(save_text("fifo", "x", &atomic), -EINVAL);
	ck_assert_int_eq(lstat("fifo", &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_uint_eq(count_names("."), 2);
	return 0;
}

DIR_TEST(paths_through_directories_save_there)
{
	char name[256], path[300];
	struct eio_dir d;

	(void) arg;
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(mkdir("d/e", 0700), 0);
	expect_ok(save_text("d/e/../e//file", "x", &atomic));
	expect_text("d/e/file", "x");
	expect_ok(eio_fs_open_dir(env->cwd, NULL, "d", &d));
	expect_ok(eio_fs_save(d, "e/file", "y", 1, &ways[3]));
	expect_text("d/e/file", "y");
	expect_err(eio_fs_save(d, "../file", "y", 1, &ways[3]), -EXDEV);
	/* The longest name there is; the new file's has a length of its own. */
	memset(name, 'n', 255);
	name[255] = '\0';
	expect_ok(eio_fs_save(d, name, "z", 1, &ways[3]));
	snprintf(path, sizeof(path), "d/%s", name);
	expect_text(path, "z");
	ck_assert_ptr_nonnull(getcwd(path, 200));
	strcat(path, "/d/e/file");
	expect_ok(eio_fs_save(env->fs, path, "absolute", 8, &ways[3]));
	expect_text("d/e/file", "absolute");
	ck_assert_uint_eq(count_names("d/e"), 1);
	return eio_dir_close(d);
}

/* Readers */

enum { PART = 20000 };

/* A fiber that loads all the time: one letter, PART times. */
static bool saved;

static int read_on(void *arg)
{
	(void) arg;
	while (!saved) {
		char *data;
		size_t n;

		expect_ok(eio_fs_load(env->cwd, "file", &data, &n));
		ck_assert_uint_eq(n, PART);
		ck_assert_int_eq(memcmp(data, data + 1, n - 1), 0);
		free(data);
		expect_ok(eio_yield());
	}
	return 0;
}

/* The same in another process, until it is told to stop: its exit status. */
static void read_elsewhere(int stop)
{
	static char data[PART + 1];
	char c;

	fcntl(stop, F_SETFL, O_NONBLOCK);
	while (read(stop, &c, 1) != 0) {
		int fd = open("file", O_RDONLY);

		if (fd < 0 || read(fd, data, sizeof(data)) != PART ||
		    memcmp(data, data + 1, PART - 1) != 0)
			_exit(1);
		close(fd);
	}
	_exit(0);
}

DIR_TEST(readers_find_the_old_content_or_the_new)
{
	static char data[PART];
	struct eio_switch sw;
	int stop[2], status;
	pid_t child;

	(void) arg;
	memset(data, 'a', PART);
	expect_ok(eio_fs_save(env->cwd, "file", data, PART, NULL));
	ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(stop[1]);
		read_elsewhere(stop[0]);
	}
	close(stop[0]);
	eio_switch_begin(&sw);
	saved = false;
	expect_ok(eio_fork(&sw, read_on, NULL));
	for (int i = 0; i < 100; i++) {
		memset(data, 'b' + i % 20, PART);
		expect_ok(eio_fs_save(env->cwd, "file", data, PART, &atomic));
	}
	saved = true;
	expect_ok(eio_switch_end(&sw, 0));
	close(stop[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	return 0;
}

static int save_a_letter(size_t i, void *arg)
{
	char data[100];

	(void) arg;
	memset(data, 'a' + (int) i, sizeof(data));
	return eio_fs_save(env->cwd, "file", data, sizeof(data), &atomic);
}

DIR_TEST(of_many_writers_one_comes_last)
{
	char *data;
	size_t n;

	(void) arg;
	expect_ok(eio_for_each(20, 0, save_a_letter, NULL));
	expect_ok(eio_fs_load(env->cwd, "file", &data, &n));
	ck_assert_uint_eq(n, 100);
	ck_assert_int_eq(memcmp(data, data + 1, n - 1), 0);
	free(data);
	ck_assert_uint_eq(count_names("."), 1);
	return 0;
}

static int save_once(size_t i, void *arg)
{
	int rc = eio_fs_save(env->cwd, "file", "x", 1,
			     &(struct eio_save){.atomic = true, .how = EIO_CREATE_EXCLUSIVE});

	(void) i;
	*(int *) arg += rc == 0;
	return rc == -EEXIST ? 0 : rc;
}

DIR_TEST(of_many_exclusive_writers_one_succeeds)
{
	int made = 0;

	(void) arg;
	expect_ok(eio_for_each(20, 0, save_once, &made));
	ck_assert_int_eq(made, 1);
	ck_assert_uint_eq(count_names("."), 1);
	return 0;
}

/* Failures */

static struct faults faults;
static enum eio_create_how how_refused;

/* Saves "new" over "old", or where nothing is, and has an entry fail: the old content stays, or
 * none, and nothing else. */
static int refuse_one(int opcode, unsigned nth)
{
	struct eio_save how = {.how = how_refused, .atomic = true};
	bool old = how.how != EIO_CREATE_EXCLUSIVE;
	unsigned fds = count_fds();
	int rc;

	unlink("file");
	if (old)
		put_text("file", "old");
	faults.refuse.opcode = opcode;
	faults.refuse.err = -EIO;
	faults.refuse.times = 1;
	faults.refuse.nth = nth;
	rc = save_text("file", "new", &how);
	faults.refuse.nth = 0;
	ck_assert_uint_eq(count_fds(), fds);
	if (rc == 0) {
		expect_text("file", "new");
	} else {
		expect_err(rc, -EIO);
		ck_assert_str_eq(eio_last_error()->op, "save");
		ck_assert_str_eq(eio_last_error()->subject, "file");
		if (old)
			expect_text("file", "old");
	}
	ck_assert_uint_eq(count_names("."), old || rc == 0);
	return rc;
}

/* Not the closing: what is refused is not done. */
static int refuse_each(void *arg)
{
	static const int opcodes[] = {IORING_OP_OPENAT2, IORING_OP_WRITEV, IORING_OP_RENAMEAT,
				      IORING_OP_LINKAT};
	unsigned failed = 0;

	(void) arg;
	/* What a domain makes when it first needs it is there. */
	expect_ok(save_text("file", "first", &atomic));
	expect_ok(save_text("file", "second", &atomic));
	for (size_t i = 0; i < COUNT(opcodes); i++) {
		for (unsigned nth = 1; refuse_one(opcodes[i], nth) < 0; nth++)
			failed++;
	}
	ck_assert_uint_ge(failed, 3);
	return 0;
}

START_TEST(a_refusal_at_any_step_leaves_the_old_content)
{
	static const enum eio_create_how hows[] = {EIO_CREATE_DEFAULT, EIO_CREATE_EXCLUSIVE};

	for (size_t i = 0; i < COUNT(hows); i++) {
		how_refused = hows[i];
		enter_scratch();
		faults_install(&faults);
		run_ring(refuse_each, 0);
		leave_scratch();
	}
}
END_TEST

/*
 * A provider in front of the kernel's directories, which notes each step. One of them, counted
 * from 1, fails, or is what cancels the caller.
 */
static struct {
	struct eio_dir dirs[2];
	unsigned n_dirs, step, which;
	struct eio_cancel *cancel; /* NULL: it fails */
	bool name_taken;           /* the first new name is */
} front;

static int take_step(const char *what)
{
	note("%s", what);
	if (++front.step != front.which)
		return 0;
	return front.cancel ? eio_cancel_raise(front.cancel, -EINTR) : -EPROTO;
}

#define STEP(what, call)                                                                           \
	do {                                                                                       \
		int step_ = take_step(what);                                                       \
		return step_ < 0 ? step_ : (call);                                                 \
	} while (0)

static struct eio_dir behind(struct eio_dir d)
{
	return *(const struct eio_dir *) d.u.ptr;
}

static int front_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
			  const struct eio_create *opts, struct eio_flow *ret)
{
	if (front.name_taken) {
		front.name_taken = false;
		note("taken");
		return -EEXIST;
	}
	STEP("make", eio_fs_open_out(behind(d), sw, path, opts, ret));
}

static int front_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
			  struct eio_dir *ret)
{
	int rc = take_step("open");

	(void) flags;
	if (rc == 0)
		rc = eio_fs_open_dir(behind(d), sw, path, &front.dirs[front.n_dirs]);
	if (rc == 0)
		*ret = (struct eio_dir){.ops = d.ops, .u.ptr = &front.dirs[front.n_dirs++]};
	return rc;
}

static int front_close(struct eio_dir d)
{
	note("close");
	return eio_dir_close(behind(d));
}

static int front_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	STEP("stat", eio_fs_stat(behind(d), path, follow, ret));
}

static int front_unlink(struct eio_dir d, const char *path, bool rmdir)
{
	(void) rmdir;
	ck_assert(!eio_is_cancelled());
	STEP("unlink", eio_fs_unlink(behind(d), path, 0));
}

static int front_rename(struct eio_dir d, const char *old, struct eio_dir d2, const char *new)
{
	STEP("rename", eio_fs_rename(behind(d), old, behind(d2), new));
}

static int front_link(struct eio_dir d, const char *old, struct eio_dir d2, const char *new)
{
	STEP("link", eio_fs_link(behind(d), old, behind(d2), new));
}

static int front_chmod(struct eio_dir d, const char *path, bool follow, uint32_t mode)
{
	STEP("chmod", eio_fs_chmod(behind(d), path, follow, mode));
}

static int front_sync(struct eio_dir d)
{
	STEP("sync", eio_fs_sync(behind(d)));
}

static struct eio_dir in_front(void)
{
	static const struct eio_dir_ops ops = {
		.name = "front",
		.open_out = front_open_out,
		.open_dir = front_open_dir,
		.close = front_close,
		.stat = front_stat,
		.unlink = front_unlink,
		.rename = front_rename,
		.link = front_link,
		.chmod = front_chmod,
		.sync = front_sync,
	};

	front.dirs[0] = env->cwd;
	front.n_dirs = 1;
	front.step = 0;
	return (struct eio_dir){.ops = &ops, .u.ptr = &front.dirs[0]};
}

DIR_TEST(saving_at_once_takes_these_steps)
{
	struct eio_save how = {.atomic = true, .sync = true};

	(void) arg;
	expect_ok(eio_fs_save(in_front(), "file", "x", 1, &how));
	expect_log("open stat make rename sync close");
	expect_ok(eio_fs_save(in_front(), "file", "x", 1, &how));
	expect_log("open stat make chmod rename sync close");
	how.sync = false;
	how.mode = 0600;
	expect_ok(eio_fs_save(in_front(), "file", "x", 1, &how));
	expect_log("open stat make rename close");
	how.how = EIO_CREATE_EXCLUSIVE;
	expect_ok(eio_fs_save(in_front(), "other", "x", 1, &how));
	expect_log("open stat make link unlink close");
	expect_ok(eio_fs_save(in_front(), "third", "x", 1, &(struct eio_save){.sync = true}));
	expect_log("make open sync close");
	/* Another file has the new one's name: it gets another. */
	front.name_taken = true;
	expect_ok(eio_fs_save(in_front(), "fourth", "x", 1, &how));
	expect_log("open stat taken make link unlink close");
	ck_assert_uint_eq(count_names("."), 4);
	return 0;
}

/* A failure or cancellation at each step of an atomic save over "old": what @p how leaves. */
static void break_off_each(struct eio_save how, int err, unsigned steps)
{
	bool old = how.how != EIO_CREATE_EXCLUSIVE;
	unsigned fds = count_fds();

	for (front.which = 1; front.which <= steps; front.which++) {
		bool last = how.sync && front.which == steps;

		unlink("file");
		if (old)
			put_text("file", "old");
		expect_err(eio_fs_save(in_front(), "file", "new", 3, &how), err);
		if (!old && !last)
			ck_assert(!exists("file"));
		else
			expect_text("file", last ? "new" : "old");
		ck_assert_uint_eq(count_names("."), old || last);
		ck_assert_uint_eq(count_fds(), fds);
	}
	front.which = 0;
	log_clear();
}

DIR_TEST(a_failure_at_any_step_leaves_the_old_content)
{
	(void) arg;
	front.cancel = NULL;
	break_off_each((struct eio_save){.atomic = true}, -EPROTO, 5);
	break_off_each((struct eio_save){.atomic = true, .sync = true}, -EPROTO, 6);
	break_off_each((struct eio_save){.atomic = true, .how = EIO_CREATE_EXCLUSIVE}, -EPROTO, 4);
	return 0;
}

static int cancel_each(struct eio_cancel *c, void *arg)
{
	const struct eio_save *how = arg;

	front.cancel = c;
	expect_err(eio_fs_save(in_front(), "file", "new", 3, how), -ECANCELED);
	return 0;
}

DIR_TEST(cancelled_at_any_step_the_old_content_stays)
{
	static struct eio_save hows[] = {{.atomic = true}, {.atomic = true, .sync = true}};

	(void) arg;
	for (size_t i = 0; i < COUNT(hows); i++) {
		for (front.which = 1; front.which <= 5 + i; front.which++) {
			put_text("file", "old");
			expect_ok(eio_cancel_run(cancel_each, &hows[i]));
			expect_text("file", front.which == 6 ? "new" : "old");
			ck_assert_uint_eq(count_names("."), 1);
		}
	}
	front.which = 0;
	log_clear();
	return 0;
}

/* A limit on the sizes of files, which is also met in the middle of one. */
static int save_too_much(void *arg)
{
	static char data[100000];
	int rc;

	(void) arg;
	rc = eio_fs_save(env->cwd, "file", data, sizeof(data), &atomic);
	expect_err(rc, -EFBIG);
	expect_text("file", "old");
	ck_assert_uint_eq(count_names("."), 1);
	expect_err(eio_fs_save(env->cwd, "file", data, sizeof(data), NULL), -EFBIG);
	return 0;
}

/* Gives the new file's name, as soon as it is there, to another file. */
static int put_in_its_place(void *arg)
{
	struct dirent *e = NULL;
	DIR *dir;

	(void) arg;
	while (!e) {
		expect_ok(eio_yield());
		dir = opendir(".");
		while ((e = readdir(dir)) && strncmp(e->d_name, ".eio-", 5) != 0)
			;
		if (e) {
			ck_assert_int_eq(unlink(e->d_name), 0);
			ck_assert_int_eq(link("private", e->d_name), 0);
		}
		closedir(dir);
	}
	return 0;
}

static int save_over(void *arg)
{
	(void) arg;
	return save_text("file", "new", &atomic);
}

/* Who may write to the directory can do so, but not to the files of others. */
DIR_TEST(another_file_under_its_name_keeps_its_permissions)
{
	(void) arg;
	put_text("private", "secret");
	put_text("file", "old");
	ck_assert_int_eq(chmod("private", 0600), 0);
	ck_assert_int_eq(chmod("file", 0666), 0);
	expect_ok(eio_both(put_in_its_place, NULL, save_over, NULL));
	ck_assert_uint_eq(mode_of("private"), 0600);
	return 0;
}

START_TEST(a_file_that_grows_too_large_is_not_left_behind)
{
	enter_scratch();
	put_text("file", "old");
	limit_file_size(50000);
	run_ring(save_too_much, 0);
	lift_file_size_limit();
	leave_scratch();
}
END_TEST

DIR_TEST(without_memory_nothing_is_saved)
{
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	ck_assert_int_eq(mkdir("d", 0700), 0);
	put_text("d/file", "old");
	use_memory_up(1);
	rc = save_text("d/file", "new", &atomic);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	expect_text("d/file", "old");
	ck_assert_uint_eq(count_names("d"), 1);
	return 0;
}

DIR_TEST(without_descriptors_nothing_is_saved)
{
	(void) arg;
	ck_assert_int_eq(mkdir("d", 0700), 0);
	put_text("d/file", "old");
	for (unsigned more = 0; more < 2; more++) {
		int rc;

		limit_fds(more);
		rc = save_text("d/file", "newer", &atomic);
		lift_fd_limit();
		expect_err(rc, -EMFILE);
		expect_text("d/file", "old");
		ck_assert_uint_eq(count_names("d"), 1);
	}
	return 0;
}

/* Some file systems tell only at the end that there was no room. */

static ssize_t take_all(struct eio_flow f, const struct iovec *iov, int n)
{
	(void) f, (void) n;
	return (ssize_t) iov->iov_len;
}

static int fail_to_close(struct eio_flow f)
{
	(void) f;
	return -EDQUOT;
}

static int open_unclosable(struct eio_dir d, struct eio_switch *sw, const char *path,
			   const struct eio_create *opts, struct eio_flow *ret)
{
	static const struct eio_flow_ops ops = {
		.name = "unclosable", .write_some = take_all, .close = fail_to_close};

	(void) d, (void) sw, (void) path, (void) opts;
	*ret = (struct eio_flow){.ops = &ops};
	return 0;
}

MOCK_TEST(a_failure_to_close_is_one_to_save)
{
	struct eio_dir_ops ops = {.name = "unclosable", .open_out = open_unclosable};
	struct eio_dir d = {.ops = &ops};

	(void) arg;
	expect_err(eio_fs_save(d, "file", "x", 1, NULL), -EDQUOT);
	return 0;
}

SUITE_MAIN("fs_save", true, a_file_is_made_and_its_content_replaced_test,
	   what_is_missing_or_there_is_made_kept_or_refused_test,
	   appending_keeps_what_is_there_test,
	   a_new_file_has_the_mode_asked_for_and_an_old_one_its_own_test,
	   saved_at_once_a_symlink_is_replaced_and_in_place_it_is_followed_test,
	   other_links_keep_the_old_content_test, what_is_no_file_is_refused_and_stays_test,
	   paths_through_directories_save_there_test, readers_find_the_old_content_or_the_new_test,
	   of_many_writers_one_comes_last_test, of_many_exclusive_writers_one_succeeds_test,
	   a_refusal_at_any_step_leaves_the_old_content, saving_at_once_takes_these_steps_test,
	   a_failure_at_any_step_leaves_the_old_content_test,
	   cancelled_at_any_step_the_old_content_stays_test,
	   another_file_under_its_name_keeps_its_permissions_test,
	   a_file_that_grows_too_large_is_not_left_behind, without_memory_nothing_is_saved_test,
	   without_descriptors_nothing_is_saved_test, a_failure_to_close_is_one_to_save_test)
