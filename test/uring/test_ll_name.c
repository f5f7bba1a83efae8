/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "core/fiber.h"
#include "support.h"
#include "uring/tree.h"
#include "uring/util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>

static unsigned mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(under(name), &st), 0);
	return st.st_mode & 07777;
}

static bool is_link_to(const char *name, const char *target)
{
	char b[128];
	ssize_t n = readlink(under(name), b, sizeof(b));

	return n == (ssize_t) strlen(target) && memcmp(b, target, (size_t) n) == 0;
}

static ino_t inode(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(under(name), &st), 0);
	return st.st_ino;
}

/* What they do */

TREE_TEST(mkdir_makes_a_directory_with_its_mode_under_umask)
{
	mode_t mask = umask(022);

	expect_ok(eio_ll_mkdir(base, "new", 0777));
	ck_assert_uint_eq(mode_of("base/new"), 0755);
	expect_ok(eio_ll_mkdir(base, "sub/new", 0700));
	ck_assert_uint_eq(mode_of("base/sub/new"), 0700);
	umask(0);
	expect_ok(eio_ll_mkdir(base, "sub/./../new/newer//", S_IFDIR | 0751));
	ck_assert_uint_eq(mode_of("base/new/newer"), 0751);
	umask(mask);
	expect_err(eio_ll_mkdir(base, "new", 0777), -EEXIST);
	expect_err(eio_ll_mkdir(base, "nothing/new", 0777), -ENOENT);
	expect_err(eio_ll_mkdir(base, "file/new", 0777), -ENOTDIR);
	/* Through a link to a directory inside. */
	expect_ok(eio_ll_mkdir(base, "to_sub/through", 0777));
	ck_assert(is_there("base/sub/through"));
}

TREE_TEST(unlink_removes_names_and_rmdir_empty_directories)
{
	expect_err(eio_ll_unlink(base, "sub", false), -EISDIR);
	expect_err(eio_ll_unlink(base, "sub", true), -ENOTEMPTY);
	expect_err(eio_ll_unlink(base, "file", true), -ENOTDIR);
	expect_err(eio_ll_unlink(base, "nothing", false), -ENOENT);
	expect_ok(eio_ll_unlink(base, "to_sub/deep", false));
	expect_ok(eio_ll_unlink(base, "sub/", true));
	expect_ok(eio_ll_unlink(base, "file", false));
	ck_assert(!is_there("base/sub"));
	ck_assert(!is_there("base/file"));
}

TREE_TEST(rename_moves_within_a_directory_and_to_another)
{
	struct eio_fd sub;
	ino_t file = inode("base/file"), deep = inode("base/sub/deep");

	expect_ok(eio_ll_openat(&sw, base, "sub", O_PATH | O_DIRECTORY, 0, &sub));
	expect_ok(eio_ll_rename(base, "file", base, "sub/moved", 0));
	ck_assert(inode("base/sub/moved") == file);
	expect_ok(eio_ll_rename(sub, "moved", base, "back", 0));
	ck_assert(inode("base/back") == file);
	expect_err(eio_ll_rename(base, "back", sub, "deep", RENAME_NOREPLACE), -EEXIST);
	expect_ok(eio_ll_rename(base, "back", sub, "deep", RENAME_EXCHANGE));
	ck_assert(inode("base/back") == deep && inode("base/sub/deep") == file);
	expect_ok(eio_ll_rename(base, "back", sub, "deep", 0));
	ck_assert(inode("base/sub/deep") == deep && !is_there("base/back"));
	expect_err(eio_ll_rename(base, "sub", base, "sub/in_itself", 0), -EINVAL);
	expect_err(eio_ll_rename(base, "nothing", base, "something", 0), -ENOENT);
	expect_err(eio_ll_rename(base, "file", base, "back", 1u << 30), -EINVAL);
	/* A directory, with the slash that says so. */
	expect_ok(eio_ll_rename(base, "sub/", base, "other/", 0));
	ck_assert(is_there("base/other/deep"));
}

TREE_TEST(symlink_keeps_its_target_as_it_is)
{
	char b[128];

	expect_ok(eio_ll_symlink(base, "one", "../secret"));
	ck_assert(is_link_to("base/one", "../secret"));
	expect_ok(eio_ll_symlink(base, "sub/two", "/no/such//place/"));
	ck_assert(is_link_to("base/sub/two", "/no/such//place/"));
	expect_err(eio_ll_symlink(base, "one", "else"), -EEXIST);
	expect_err(eio_ll_symlink(base, "three", ""), -ENOENT);
	expect_err(eio_ll_symlink(base, "three/", "x"), -ENOENT);
	expect_err(eio_ll_read_link(base, "one", b, sizeof(b)), 9);
	ck_assert_int_eq(memcmp(b, "../secret", 9), 0);
}

TREE_TEST(link_gives_a_second_name_to_files_and_symlinks)
{
	struct stat st;

	expect_ok(eio_ll_link(base, "file", base, "sub/again"));
	ck_assert(inode("base/sub/again") == inode("base/file"));
	ck_assert_int_eq(stat(under("base/file"), &st), 0);
	ck_assert_uint_eq(st.st_nlink, 2);
	/* The link, not the file it leads to. */
	expect_ok(eio_ll_link(base, "up", base, "up2"));
	ck_assert(is_link_to("base/up2", "../secret"));
	ck_assert(inode("base/up2") == inode("base/up"));
	expect_err(eio_ll_link(base, "sub", base, "sub2"), -EPERM);
	expect_err(eio_ll_link(base, "file", base, "to_file"), -EEXIST);
	expect_err(eio_ll_link(base, "file", base, "new/"), -ENOENT);
}

TREE_TEST(read_link_tells_the_target_cut_to_the_buffer)
{
	struct eio_fd link;
	char b[128];

	expect_err(eio_ll_read_link(base, "to_deep", b, sizeof(b)), 8);
	ck_assert_int_eq(memcmp(b, "sub/deep", 8), 0);
	memset(b, '-', sizeof(b));
	expect_err(eio_ll_read_link(base, "to_deep", b, 3), 3);
	ck_assert_int_eq(memcmp(b, "sub-", 4), 0);
	expect_err(eio_ll_read_link(base, "up", b, sizeof(b)), 9);
	expect_err(eio_ll_read_link(base, "loop", b, sizeof(b)), 4);
	expect_err(eio_ll_read_link(base, "to_sub/../to_file", b, sizeof(b)), 4);
	expect_err(eio_ll_read_link(EIO_FS, under("base/to_file"), b, sizeof(b)), 4);
	expect_err(eio_ll_read_link(base, "file", b, sizeof(b)), -EINVAL);
	expect_err(eio_ll_read_link(base, "sub", b, sizeof(b)), -EINVAL);
	expect_err(eio_ll_read_link(base, "nothing", b, sizeof(b)), -ENOENT);
	expect_err(eio_ll_read_link(base, "to_deep", b, 0), -EINVAL);
	/* The handle itself. */
	expect_ok(eio_ll_openat(&sw, base, "to_file", O_PATH | O_NOFOLLOW, 0, &link));
	expect_err(eio_ll_read_link(link, NULL, b, sizeof(b)), 4);
	expect_err(eio_ll_read_link(link, "", b, sizeof(b)), 4);
	ck_assert_int_eq(memcmp(b, "file", 4), 0);
	expect_err(eio_ll_read_link(base, NULL, b, sizeof(b)), -EINVAL);
}

TREE_TEST(an_ordinary_handle_and_the_working_directory_serve_as_well)
{
	int was = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct eio_fd dir;

	expect_ok(eio_ll_openat(&sw, base, ".", O_RDONLY | O_DIRECTORY, 0, &dir));
	ck_assert_int_eq(chdir(under("base")), 0);
	expect_ok(eio_ll_mkdir(dir, "one", 0700));
	expect_ok(eio_ll_mkdir(EIO_CWD, "two", 0700));
	expect_ok(eio_ll_mkdir(EIO_CWD, "two/three", 0700));
	expect_ok(eio_ll_mkdir(EIO_FS, "four", 0700));
	expect_ok(eio_ll_rename(EIO_CWD, "two/three", dir, "one/three", 0));
	ck_assert(is_there("base/one/three"));
	ck_assert(is_there("base/four"));
	expect_err(eio_ll_mkdir(EIO_CWD, "../five", 0700), -EXDEV);
	expect_err(eio_ll_mkdir(EIO_CWD, under("five"), 0700), -EXDEV);
	expect_ok(eio_ll_mkdir(EIO_FS, "../five", 0700));
	expect_ok(eio_ll_mkdir(EIO_FS, under("five/six"), 0700));
	expect_ok(eio_ll_unlink(EIO_FS, "sub/../../five/six/", true));
	ck_assert_int_eq(fchdir(was), 0);
	close(was);
}

/* The right to search is enough on the way, and to write in the directory that holds the name.
 * Root, who may do anything, is somebody else meanwhile. */
TREE_TEST(a_directory_that_may_not_be_read_serves_as_well)
{
	bool is_root = geteuid() == 0;

	ck_assert_int_eq(chmod(under("base/sub"), 0333), 0);
	if (is_root)
		ck_assert_int_eq(seteuid(65534), 0);
	expect_ok(eio_ll_mkdir(base, "sub/new", 0700));
	expect_ok(eio_ll_rename(base, "sub/new", base, "sub/newer", 0));
	expect_ok(eio_ll_unlink(base, "sub/newer", true));
	if (is_root)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(under("base/sub"), 0755), 0);
}

/* Attacks. Each call on each path must fail, and leave what is outside as it is. */

static struct eio_fd at;
static const char *target;

static int do_mkdir(void)
{
	return eio_ll_mkdir(at, target, 0700);
}

static int do_unlink(void)
{
	return eio_ll_unlink(at, target, false);
}

static int do_rmdir(void)
{
	return eio_ll_unlink(at, target, true);
}

static int do_rename_from(void)
{
	return eio_ll_rename(at, target, base, "stolen", 0);
}

static int do_rename_to(void)
{
	return eio_ll_rename(base, "file", at, target, 0);
}

static int do_exchange(void)
{
	return eio_ll_rename(base, "file", at, target, RENAME_EXCHANGE);
}

static int do_symlink(void)
{
	return eio_ll_symlink(at, target, "file");
}

static int do_link_from(void)
{
	return eio_ll_link(at, target, base, "stolen");
}

static int do_link_to(void)
{
	return eio_ll_link(base, "file", at, target);
}

static int do_read_link(void)
{
	char b[64];

	return (int) eio_ll_read_link(at, target, b, sizeof(b));
}

static const struct {
	const char *name;
	int (*run)(void);
} calls[] = {
	{"mkdir", do_mkdir},         {"unlink", do_unlink},
	{"rmdir", do_rmdir},         {"rename from", do_rename_from},
	{"rename to", do_rename_to}, {"exchange", do_exchange},
	{"symlink", do_symlink},     {"link from", do_link_from},
	{"link to", do_link_to},     {"read_link", do_read_link},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void expect_untouched(const char *call, const char *path)
{
	bool good = has_text("secret", "outside") && has_text("outside/kept", "kept") &&
		    has_text("base/file", "inside") && has_text("base/sub/deep", "deep") &&
		    !is_there("outside/new") && !is_there("new") && !is_there("base/stolen");

	ck_assert_msg(good, "%s %s changed something", call, path);
}

/* @p err 0: each call may have an error of its own. */
static void attack(struct eio_fd dir, const char *path, int err)
{
	unsigned before = count_fds();

	at = dir;
	target = path;
	for (int i = 0; i < CALLS; i++) {
		int rc = calls[i].run();

		ck_assert_msg(err ? rc == err : rc < 0, "%s %.40s: %s", calls[i].name, path,
			      eio_err_name(rc));
		expect_untouched(calls[i].name, path);
	}
	ck_assert_uint_eq(count_fds(), before);
}

TREE_TEST(paths_that_leave_the_directory_are_refused_by_every_call)
{
	attack(base, "../secret", -EXDEV);
	attack(base, "../outside/new", -EXDEV);
	attack(base, "../outside/kept", -EXDEV);
	attack(base, "../base/file", -EXDEV);
	attack(base, "sub/../../secret", -EXDEV);
	attack(base, "./../secret", -EXDEV);
	attack(base, "to_sub/../../secret", -EXDEV);
	attack(base, "/", -EXDEV);
	attack(base, "//", -EXDEV);
	attack(base, "/etc", -EXDEV);
	attack(base, under("secret"), -EXDEV);
	attack(base, under("base/file"), -EXDEV);
	attack(base, "//tmp", -EXDEV);
}

TREE_TEST(links_on_the_way_do_not_lead_out_of_the_directory)
{
	ck_assert_int_eq(symlink("to_out", under("base/chain")), 0);
	ck_assert_int_eq(symlink("sub/../out", under("base/to_out")), 0);
	ck_assert_int_eq(symlink("/", under("base/root")), 0);
	ck_assert_int_eq(symlink("..", under("base/parent")), 0);
	attack(base, "out/kept", -EXDEV);
	attack(base, "out/new", -EXDEV);
	attack(base, "out/./kept", -EXDEV);
	attack(base, "chain/kept", -EXDEV);
	attack(base, "chain/new", -EXDEV);
	attack(base, "root/etc", -EXDEV);
	attack(base, "parent/secret", -EXDEV);
	attack(base, "absolute/x", -EXDEV);
	attack(base, "loop/x", -ELOOP);
	attack(base, "dangling/x", -ENOENT);
}

/* The name is used in the directory that holds it: these are links, or nothing. */
TREE_TEST(a_link_at_the_end_is_itself_meant)
{
	expect_err(eio_ll_mkdir(base, "out", 0700), -EEXIST);
	expect_err(eio_ll_mkdir(base, "dangling", 0700), -EEXIST);
	expect_err(eio_ll_symlink(base, "up", "x"), -EEXIST);
	expect_err(eio_ll_unlink(base, "out", true), -ENOTDIR);
	ck_assert(!is_there("base/nothing"));
	expect_ok(eio_ll_rename(base, "up", base, "sub/up", 0));
	ck_assert(is_link_to("base/sub/up", "../secret"));
	/* It is replaced, not what it leads to. */
	expect_ok(eio_ll_rename(base, "sub/up", base, "out", 0));
	ck_assert(is_link_to("base/out", "../secret"));
	expect_ok(eio_ll_unlink(base, "out", false));
	expect_ok(eio_ll_unlink(base, "absolute", false));
	expect_ok(eio_ll_unlink(base, "to_deep", false));
	expect_untouched("what was done to links", "");
}

/* A slash behind it asks for what the link leads to: there is no way to that. */
TREE_TEST(a_slash_behind_a_link_does_not_lead_out_of_the_directory)
{
	attack(base, "out/", 0);
	attack(base, "out//", 0);
	attack(base, "out/.", 0);
	attack(base, "out/..", 0);
	attack(base, "up/", 0);
	attack(base, "file/", 0);
	attack(base, "absolute/", 0);
	expect_err(eio_ll_link(base, "up/", base, "stolen"), -ENOTDIR);
	expect_err(eio_ll_link(base, "out/", base, "stolen"), -ENOTDIR);
	expect_err(eio_ll_link(base, "nothing/", base, "stolen"), -ENOTDIR);
	ck_assert(is_link_to("base/out", "../outside"));
	ck_assert(is_link_to("base/up", "../secret"));
	ck_assert(!is_there("base/dangling/"));
}

TREE_TEST(nothing_is_made_removed_or_renamed_by_the_names_of_directories_themselves)
{
	static const char *const dots[] = {".", "..", "./", "../", "sub/.", "sub/..", "sub/../.."};

	for (unsigned i = 0; i < sizeof(dots) / sizeof(dots[0]); i++)
		attack(base, dots[i], 0);
	attack(base, "", 0);
	expect_err(eio_ll_mkdir(base, "..", 0700), -EEXIST);
	expect_err(eio_ll_unlink(base, ".", true), -EINVAL);
	expect_err(eio_ll_unlink(base, "..", true), -ENOTEMPTY);
	expect_err(eio_ll_unlink(base, "..", false), -EISDIR);
	expect_err(eio_ll_rename(base, ".", base, "x", 0), -EBUSY);
	expect_err(eio_ll_link(base, "..", base, "x"), -EPERM);
	expect_err(eio_ll_mkdir(base, "", 0700), -ENOENT);
	expect_err(eio_ll_unlink(base, "", false), -ENOENT);
	expect_err(eio_ll_rename(base, "", base, "x", 0), -ENOENT);
	expect_err(eio_ll_rename(base, "file", base, "", 0), -ENOENT);
	expect_err(eio_ll_link(base, "", base, "x"), -ENOENT);
	expect_err(eio_ll_symlink(base, "", "x"), -ENOENT);
}

/* Links of /proc that are no paths. */
TREE_TEST(magic_links_are_no_way_out)
{
	struct eio_fd proc;
	char b[64];

	expect_ok(eio_ll_openat(&sw, EIO_FS, "/proc/self", O_PATH | O_DIRECTORY, 0, &proc));
	attack(proc, "root/tmp", -ELOOP);
	attack(proc, "cwd/new", -ELOOP);
	attack(proc, "fd/0/x", -ELOOP);
	attack(proc, "task/../root/tmp", -ELOOP);
	/* To be read it need not be followed. */
	expect_err(eio_ll_read_link(proc, "root", b, sizeof(b)), 1);
}

static char long_path[2 * PATH_MAX];

static const char *path_of(const char *begin, size_t len, const char *end)
{
	size_t n = strlen(begin);

	memcpy(long_path, begin, n);
	memset(long_path + n, 'x', len - n);
	strcpy(long_path + len, end);
	return long_path;
}

/* "./" again and again, so that no component is long. */
static const char *dotted_path(size_t len, const char *name)
{
	size_t n = len - strlen(name);

	for (size_t i = 0; i < n; i++)
		long_path[i] = i % 2 ? '/' : '.';
	if (n % 2)
		long_path[n - 1] = '/';
	strcpy(long_path + n, name);
	return long_path;
}

TREE_TEST(names_and_paths_that_are_too_long_are_refused)
{
	attack(base, path_of("", NAME_MAX + 1, ""), -ENAMETOOLONG);
	attack(base, path_of("sub/", NAME_MAX + 5, ""), -ENAMETOOLONG);
	attack(base, path_of("", NAME_MAX + 1, "/x"), -ENAMETOOLONG);
	attack(base, dotted_path(PATH_MAX, "new"), -ENAMETOOLONG);
	attack(base, dotted_path(2 * PATH_MAX - 1, "new"), -ENAMETOOLONG);
	attack(base, path_of("", 2 * PATH_MAX - 1, ""), -ENAMETOOLONG);
	attack(EIO_FS, path_of("/tmp/", NAME_MAX + 6, ""), -ENAMETOOLONG);
	attack(EIO_FS, dotted_path(PATH_MAX, "new"), -ENAMETOOLONG);
	/* The longest that are none too long. */
	expect_ok(eio_ll_mkdir(base, path_of("", NAME_MAX, ""), 0700));
	expect_ok(eio_ll_unlink(base, path_of("", NAME_MAX, "/"), true));
	expect_ok(eio_ll_mkdir(base, dotted_path(PATH_MAX - 1, "new"), 0700));
	ck_assert(is_there("base/new"));
}

TREE_TEST(names_are_bytes)
{
	static const char name[] = "\xff\xfe\x80 \n\\\x01", path[] = "sub/\xff\xfe\x80 \n\\\x01";
	char b[64];

	expect_ok(eio_ll_mkdir(base, name, 0700));
	expect_err(eio_ll_mkdir(base, name, 0700), -EEXIST);
	expect_ok(eio_ll_symlink(base, path, name));
	expect_err(eio_ll_read_link(base, path, b, sizeof(b)), sizeof(name) - 1);
	ck_assert_int_eq(memcmp(b, name, sizeof(name) - 1), 0);
	expect_ok(eio_ll_rename(base, path, base, "plain", 0));
	expect_ok(eio_ll_unlink(base, name, true));
}

TREE_TEST(no_path_is_a_fault)
{
	at = base;
	target = NULL;
	for (int i = 0; i + 1 < CALLS; i++)
		expect_err(calls[i].run(), -EFAULT);
	at = EIO_FS;
	for (int i = 0; i + 1 < CALLS; i++)
		expect_err(calls[i].run(), -EFAULT);
	expect_err(eio_ll_symlink(base, "new", NULL), -EFAULT);
	expect_untouched("NULL", "");
}

TREE_TEST(a_closed_handle_is_no_directory)
{
	struct eio_fd dir;

	expect_ok(eio_ll_openat(&sw, base, "sub", O_PATH | O_DIRECTORY, 0, &dir));
	expect_ok(eio_fd_close(dir));
	attack(dir, "deep", -EBADF);
	attack(dir, "sub/deep", -EBADF);
	attack((struct eio_fd){0}, "new", -EBADF);
	/* A file is none either. */
	expect_ok(eio_ll_openat(&sw, base, "file", O_RDONLY, 0, &dir));
	attack(dir, "new", -ENOTDIR);
	attack(dir, "new/er", -ENOTDIR);
}

/* A directory and a link out of the confinement change places all the time. */
TREE_TEST(a_race_does_not_lead_out_of_the_directory)
{
	enum { ROUNDS = SANITIZED ? 200 : 1000 };
	char b[64];
	pid_t other;

	ck_assert_int_eq(symlink("../outside", under("base/swap")), 0);
	put("outside/deep", "kept, too");
	other = exchange_begin("base/sub", "base/swap");
	for (int i = 0; i < ROUNDS; i++) {
		int rc;

		rc = eio_ll_mkdir(base, "sub/new", 0700);
		ck_assert(rc == 0 || rc == -EXDEV || rc == -EEXIST || rc == -EAGAIN);
		rc = eio_ll_unlink(base, "sub/kept", false);
		ck_assert(rc == -ENOENT || rc == -EXDEV || rc == -EAGAIN);
		rc = eio_ll_rename(base, "sub/kept", base, "stolen", 0);
		ck_assert(rc == -ENOENT || rc == -EXDEV || rc == -EAGAIN);
		rc = eio_ll_link(base, "sub/kept", base, "stolen");
		ck_assert(rc == -ENOENT || rc == -EXDEV || rc == -EAGAIN);
		rc = eio_ll_symlink(base, "sub/new", "x");
		ck_assert(rc == -EEXIST || rc == 0 || rc == -EXDEV || rc == -EAGAIN);
		rc = (int) eio_ll_read_link(base, "sub/new", b, sizeof(b));
		ck_assert(rc == 1 || rc == -EINVAL || rc == -ENOENT || rc == -EXDEV ||
			  rc == -EAGAIN);
		rc = eio_ll_unlink(base, "sub/new", i % 2);
		ck_assert(rc == 0 || rc == -ENOENT || rc == -EXDEV || rc == -ENOTDIR ||
			  rc == -EISDIR || rc == -EAGAIN);
	}
	exchange_end(other);
	ck_assert(has_text("outside/kept", "kept"));
	ck_assert(has_text("outside/deep", "kept, too"));
	ck_assert(!is_there("outside/new"));
	ck_assert(!is_there("base/stolen"));
}

static struct faults faults;

static void refuse(int opcode, int err, unsigned times)
{
	faults.refused = 0;
	faults.refuse.opcode = opcode;
	faults.refuse.err = err;
	faults.refuse.times = times;
	faults.refuse.nth = 1;
}

static void tries(void)
{
	struct statx stx;

	/* The way to a name goes by the ring when a few in a row were opened directly. */
	expect_ok(eio_ll_noop());
	for (int i = 0; i < EIO__DIRECT_IN_A_ROW; i++)
		expect_ok(eio_ll_statx(base, "sub", true, STATX_TYPE, &stx));
	refuse(IORING_OP_OPENAT2, -EAGAIN, 5);
	expect_ok(eio_ll_mkdir(base, "sub/new", 0700));
	ck_assert_uint_eq(faults.refused, 5);
	/* Without a directory on the way there is nothing to open. */
	faults.entries[IORING_OP_OPENAT2] = 0;
	expect_ok(eio_ll_rename(base, "file", base, "other", 0));
	ck_assert_uint_eq(faults.entries[IORING_OP_OPENAT2], 0);
	refuse(IORING_OP_MKDIRAT, -EINTR, 5);
	expect_ok(eio_ll_mkdir(base, "newer", 0700));
	ck_assert_uint_eq(faults.refused, 5);
	/* Cancelled, but not by us. */
	refuse(IORING_OP_UNLINKAT, -ECANCELED, 1);
	expect_err(eio_ll_unlink(base, "newer", true), -EIO);
	refuse(IORING_OP_RENAMEAT, -EIO, 1);
	expect_err(eio_ll_rename(base, "newer", base, "sub/newest", 0), -EIO);
}

START_TEST(what_is_interrupted_or_disturbed_is_tried_again)
{
	faults_install(&faults);
	run_in_tree(tries);
}
END_TEST

static void expect_told(int rc, const char *op, const char *subject)
{
	ck_assert_int_lt(rc, 0);
	ck_assert_int_eq(eio_last_error()->code, rc);
	ck_assert_str_eq(eio_last_error()->op, op);
	ck_assert_str_eq(eio_last_error()->subject, subject);
}

TREE_TEST(a_failure_names_operation_and_path)
{
	char b[8];

	expect_told(eio_ll_mkdir(base, "no/x", 0700), "mkdir", "no/x");
	expect_told(eio_ll_mkdir(base, "sub", 0700), "mkdir", "sub");
	expect_told(eio_ll_unlink(base, "no", false), "unlink", "no");
	expect_told(eio_ll_unlink(base, "no", true), "rmdir", "no");
	expect_told(eio_ll_symlink(base, "sub", "x"), "symlink", "sub");
	expect_told(eio_ll_rename(base, "no", base, "x", 0), "rename", "no");
	expect_told(eio_ll_rename(base, "no/x", base, "x", 0), "rename", "no/x");
	expect_told(eio_ll_rename(base, "file", base, "no/x", 0), "rename", "no/x");
	expect_told(eio_ll_link(base, "file", base, "no/x"), "link", "no/x");
	expect_told((int) eio_ll_read_link(base, "no", b, sizeof(b)), "readlink", "no");
}

/* The number that the next descriptor gets. */
static int free_number(void)
{
	int unix_fd = dup(number(base));

	ck_assert_int_ge(unix_fd, 0);
	close(unix_fd);
	return unix_fd;
}

/* Each open parent is closed again when the next step fails. */
TREE_TEST(running_out_of_descriptors_loses_none)
{
	struct rlimit was, few;
	char b[8];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (unsigned spare = 0; spare < 3; spare++) {
		unsigned before = count_fds();

		few = was;
		few.rlim_cur = (rlim_t) free_number() + spare;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		expect_err(eio_ll_rename(base, "sub/deep", base, "sub/moved", 0),
			   spare < 2 ? -EMFILE : 0);
		expect_err(eio_ll_mkdir(base, "sub/new", 0700), spare < 1   ? -EMFILE
								: spare < 2 ? 0
									    : -EEXIST);
		expect_err(eio_ll_read_link(base, "to_file", b, sizeof(b)),
			   spare < 1 ? -EMFILE : 4);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
		ck_assert_uint_eq(count_fds(), before);
	}
}

static int on_no_domain(void *arg)
{
	char b[8];

	(void) arg;
	expect_err(eio_ll_mkdir(base, "new", 0700), -EPERM);
	expect_err(eio_ll_mkdir(base, "sub/new", 0700), -EPERM);
	expect_err(eio_ll_unlink(EIO_CWD, "new", false), -EPERM);
	expect_err(eio_ll_read_link(base, "to_file", b, sizeof(b)), -EPERM);
	expect_err(eio_ll_read_link(base, NULL, b, sizeof(b)), -EPERM);
	return 0;
}

TREE_TEST(a_thread_without_a_domain_is_refused)
{
	unsigned before = count_fds();

	expect_ok(on_plain_thread(on_no_domain, NULL));
	ck_assert_uint_eq(count_fds(), before);
	/* No use of the handle is left over: closing is at once. */
	expect_ok(eio_fd_close(base));
	ck_assert_uint_eq(count_fds(), before - 1);
}

SUITE_MAIN("ll_name", true, mkdir_makes_a_directory_with_its_mode_under_umask,
	   unlink_removes_names_and_rmdir_empty_directories,
	   rename_moves_within_a_directory_and_to_another, symlink_keeps_its_target_as_it_is,
	   link_gives_a_second_name_to_files_and_symlinks,
	   read_link_tells_the_target_cut_to_the_buffer,
	   an_ordinary_handle_and_the_working_directory_serve_as_well,
	   a_directory_that_may_not_be_read_serves_as_well,
	   paths_that_leave_the_directory_are_refused_by_every_call,
	   links_on_the_way_do_not_lead_out_of_the_directory, a_link_at_the_end_is_itself_meant,
	   a_slash_behind_a_link_does_not_lead_out_of_the_directory,
	   nothing_is_made_removed_or_renamed_by_the_names_of_directories_themselves,
	   magic_links_are_no_way_out, names_and_paths_that_are_too_long_are_refused,
	   names_are_bytes, no_path_is_a_fault, a_closed_handle_is_no_directory,
	   a_race_does_not_lead_out_of_the_directory,
	   what_is_interrupted_or_disturbed_is_tried_again, a_failure_names_operation_and_path,
	   running_out_of_descriptors_loses_none, a_thread_without_a_domain_is_refused)
