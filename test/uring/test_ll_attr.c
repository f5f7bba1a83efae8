/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/tree.h"
#include "uring/util.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <liburing.h>

static struct stat stat_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(under(name), &st), 0);
	return st;
}

static unsigned mode_of(const char *name)
{
	return stat_of(name).st_mode & 07777;
}

static struct eio_fd open_at(const char *path, int flags)
{
	struct eio_fd fd;

	expect_ok(eio_ll_openat(&sw, base, path, flags, 0, &fd));
	return fd;
}

/* Mode */

TREE_TEST(chmod_changes_the_mode_of_what_a_path_leads_to)
{
	expect_ok(eio_ll_chmod(base, "file", true, 0640));
	ck_assert_uint_eq(mode_of("base/file"), 0640);
	expect_ok(eio_ll_chmod(base, "file", false, 0604));
	ck_assert_uint_eq(mode_of("base/file"), 0604);
	expect_ok(eio_ll_chmod(base, "to_sub/../sub/deep", false, 0400));
	ck_assert_uint_eq(mode_of("base/sub/deep"), 0400);
	expect_ok(eio_ll_chmod(base, "to_deep", true, 0600));
	ck_assert_uint_eq(mode_of("base/sub/deep"), 0600);
	expect_ok(eio_ll_chmod(base, "sub/", true, 01711));
	ck_assert_uint_eq(mode_of("base/sub"), 01711);
	expect_ok(eio_ll_chmod(EIO_FS, under("base/to_file"), true, 0644));
	ck_assert_uint_eq(mode_of("base/file"), 0644);
	/* A symlink has none. */
	expect_err(eio_ll_chmod(base, "to_file", false, 0600), -EOPNOTSUPP);
	ck_assert_uint_eq(mode_of("base/file"), 0644);
	expect_err(eio_ll_chmod(base, "nothing", true, 0600), -ENOENT);
	expect_err(eio_ll_chmod(base, "dangling", true, 0600), -ENOENT);
}

TREE_TEST(chmod_of_a_handle_needs_no_path)
{
	expect_ok(eio_ll_chmod(open_at("file", O_RDONLY), NULL, true, 0640));
	ck_assert_uint_eq(mode_of("base/file"), 0640);
	expect_ok(eio_ll_chmod(open_at("file", O_PATH), "", false, 0600));
	ck_assert_uint_eq(mode_of("base/file"), 0600);
	expect_ok(eio_ll_chmod(base, NULL, true, 0711));
	ck_assert_uint_eq(mode_of("base"), 0711);
	expect_err(eio_ll_chmod(open_at("to_file", O_PATH | O_NOFOLLOW), NULL, true, 0644),
		   -EOPNOTSUPP);
	ck_assert_uint_eq(mode_of("base/file"), 0600);
}

TREE_TEST(the_working_directory_itself_is_an_empty_path)
{
	int was = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(chdir(under("base")), 0);
	expect_ok(eio_ll_chmod(EIO_CWD, NULL, true, 0701));
	ck_assert_uint_eq(mode_of("base"), 0701);
	expect_ok(eio_ll_chmod(EIO_FS, "", true, 0755));
	ck_assert_uint_eq(mode_of("base"), 0755);
	expect_ok(eio_ll_chmod(EIO_CWD, "file", true, 0640));
	ck_assert_uint_eq(mode_of("base/file"), 0640);
	expect_err(eio_ll_chmod(EIO_CWD, "../secret", true, 0600), -EXDEV);
	ck_assert_int_eq(fchdir(was), 0);
	close(was);
}

/* Owner */

TREE_TEST(chown_changes_owner_and_group_or_leaves_one)
{
	if (geteuid() != 0)
		return;
	expect_ok(eio_ll_chown(base, "file", true, 1, 2));
	ck_assert_uint_eq(stat_of("base/file").st_uid, 1);
	ck_assert_uint_eq(stat_of("base/file").st_gid, 2);
	expect_ok(eio_ll_chown(base, "file", true, (uid_t) -1, 3));
	ck_assert_uint_eq(stat_of("base/file").st_uid, 1);
	ck_assert_uint_eq(stat_of("base/file").st_gid, 3);
	expect_ok(eio_ll_chown(base, "to_file", false, 4, (gid_t) -1));
	ck_assert_uint_eq(stat_of("base/to_file").st_uid, 4);
	ck_assert_uint_eq(stat_of("base/file").st_uid, 1);
	expect_ok(eio_ll_chown(base, "to_file", true, 5, 5));
	ck_assert_uint_eq(stat_of("base/file").st_uid, 5);
	ck_assert_uint_eq(stat_of("base/to_file").st_uid, 4);
	/* A link that leads out has an owner all the same. */
	expect_ok(eio_ll_chown(base, "up", false, 6, 6));
	ck_assert_uint_eq(stat_of("base/up").st_uid, 6);
	ck_assert_uint_eq(stat_of("secret").st_uid, 0);
	expect_ok(eio_ll_chown(open_at("sub/deep", O_PATH), NULL, true, 7, 8));
	ck_assert_uint_eq(stat_of("base/sub/deep").st_uid, 7);
	ck_assert_uint_eq(stat_of("base/sub/deep").st_gid, 8);
	expect_ok(eio_ll_chown(open_at("sub/deep", O_RDONLY), NULL, true, 9, 9));
	ck_assert_uint_eq(stat_of("base/sub/deep").st_uid, 9);
}

/* Times */

static bool has_times(const char *name, int64_t atime, int64_t mtime)
{
	struct stat st = stat_of(name);

	return st.st_atim.tv_sec == atime && st.st_mtim.tv_sec == mtime;
}

TREE_TEST(utimens_sets_both_times_one_or_now)
{
	struct timespec times[2] = {{11, 111}, {22, 222}};
	struct stat st;

	expect_ok(eio_ll_utimens(base, "file", true, times));
	st = stat_of("base/file");
	ck_assert(has_times("base/file", 11, 22));
	ck_assert_int_eq(st.st_atim.tv_nsec, 111);
	ck_assert_int_eq(st.st_mtim.tv_nsec, 222);
	times[0].tv_nsec = UTIME_OMIT;
	times[1] = (struct timespec){33, 0};
	expect_ok(eio_ll_utimens(base, "to_file", true, times));
	ck_assert(has_times("base/file", 11, 33));
	times[0] = (struct timespec){44, 0};
	expect_ok(eio_ll_utimens(base, "to_file", false, times));
	ck_assert(has_times("base/to_file", 44, 33));
	ck_assert(has_times("base/file", 11, 33));
	expect_ok(eio_ll_utimens(open_at("sub", O_PATH), NULL, true, times));
	ck_assert(has_times("base/sub", 44, 33));
	expect_ok(eio_ll_utimens(open_at("file", O_RDONLY), NULL, true, times));
	ck_assert(has_times("base/file", 44, 33));
	expect_ok(eio_ll_utimens(base, "file", true, NULL));
	st = stat_of("base/file");
	ck_assert(st.st_atim.tv_sec > 1000000 && st.st_mtim.tv_sec > 1000000);
	times[0].tv_nsec = 1000000000;
	expect_err(eio_ll_utimens(base, "file", true, times), -EINVAL);
}

/* Extended attributes: by the ring, and without its operations by threads */

static bool no_attributes(void)
{
	return setxattr(under("base"), "user.probe", "", 0, 0) < 0 && errno == EOPNOTSUPP;
}

static bool has_attribute(const char *name, const char *key, const char *value)
{
	char b[64] = "";

	return lgetxattr(under(name), key, b, sizeof(b)) == (ssize_t) strlen(value) &&
	       memcmp(b, value, strlen(value)) == 0;
}

static void expect_value(struct eio_fd dir, const char *path, const char *key, const char *value)
{
	ssize_t len = (ssize_t) strlen(value);
	char b[64];

	expect_err(eio_ll_getxattr(dir, path, true, key, b, sizeof(b)), len);
	ck_assert_int_eq(memcmp(b, value, (size_t) len), 0);
	expect_err(eio_ll_getxattr(dir, path, true, key, NULL, 0), len);
}

static void set_and_get(struct eio_fd dir, const char *path)
{
	char b[4], large[64];

	expect_err(eio_ll_getxattr(dir, path, true, "user.a", b, sizeof(b)), -ENODATA);
	expect_err(eio_ll_setxattr(dir, path, true, "user.a", "one", 3, XATTR_REPLACE), -ENODATA);
	expect_ok(eio_ll_setxattr(dir, path, true, "user.a", "one", 3, XATTR_CREATE));
	expect_value(dir, path, "user.a", "one");
	expect_err(eio_ll_setxattr(dir, path, true, "user.a", "two", 3, XATTR_CREATE), -EEXIST);
	expect_ok(eio_ll_setxattr(dir, path, true, "user.a", "other", 5, 0));
	expect_value(dir, path, "user.a", "other");
	expect_err(eio_ll_getxattr(dir, path, true, "user.a", b, sizeof(b)), -ERANGE);
	expect_err(eio_ll_setxattr(dir, path, true, "user.a", "x", 1, 1 << 20), -EINVAL);
	expect_err(eio_ll_setxattr(dir, path, true, "none.a", "x", 1, 0), -EOPNOTSUPP);
	expect_err(eio_ll_setxattr(dir, path, true, "user.a", "x", (size_t) 1 << 32 | 1, 0),
		   -E2BIG);
	expect_value(dir, path, "user.a", "other");
	expect_err(eio_ll_getxattr(dir, path, true, "user.a", large, (size_t) 1 << 32 | 1), 5);
}

static void list_and_remove(struct eio_fd dir, const char *path)
{
	char b[64];
	ssize_t n;

	expect_ok(eio_ll_setxattr(dir, path, true, "user.b", "", 0, 0));
	expect_value(dir, path, "user.b", "");
	n = eio_ll_listxattr(dir, path, true, b, sizeof(b));
	ck_assert_int_ge(n, 14);
	ck_assert_ptr_nonnull(memmem(b, (size_t) n, "user.a", 7));
	ck_assert_ptr_nonnull(memmem(b, (size_t) n, "user.b", 7));
	expect_err(eio_ll_listxattr(dir, path, true, NULL, 0), n);
	expect_err(eio_ll_listxattr(dir, path, true, b, 3), -ERANGE);
	expect_ok(eio_ll_removexattr(dir, path, true, "user.b"));
	expect_err(eio_ll_removexattr(dir, path, true, "user.b"), -ENODATA);
	expect_ok(eio_ll_removexattr(dir, path, true, "user.a"));
	expect_err(eio_ll_getxattr(dir, path, true, "user.a", b, sizeof(b)), -ENODATA);
}

static void attributes_of(struct eio_fd dir, const char *path)
{
	unsigned before = count_fds();

	set_and_get(dir, path);
	list_and_remove(dir, path);
	ck_assert_uint_eq(count_fds(), before);
}

static void attributes(void)
{
	attributes_of(base, "file");
	attributes_of(base, "sub/../to_deep");
	attributes_of(base, NULL);
	attributes_of(open_at("file", O_RDWR), NULL);
	attributes_of(open_at("file", O_PATH), "");
	attributes_of(open_at("sub", O_PATH), "deep");
	attributes_of(EIO_FS, under("secret"));
}

static struct faults faults;

static unsigned by_ring(void)
{
	const unsigned *n = faults.entries;

	return n[IORING_OP_FSETXATTR] + n[IORING_OP_SETXATTR] + n[IORING_OP_FGETXATTR] +
	       n[IORING_OP_GETXATTR];
}

static void attributes_both_ways(void)
{
	unsigned before;

	if (no_attributes())
		return;
	attributes();
	before = by_ring();
	ck_assert_int_eq(before > 0, eio_ll_op_supported(IORING_OP_FSETXATTR));
	forget_opcodes_since_5_16();
	attributes();
	ck_assert_uint_eq(by_ring(), before);
}

START_TEST(attributes_are_set_got_listed_and_removed_by_the_ring_and_by_threads)
{
	faults_install(&faults);
	run_in_tree(attributes_both_ways);
}
END_TEST

/* In a root without /proc a file that has no descriptor for reading cannot be got at. */
static void attributes_without_proc(void)
{
	char b[8];

	expect_err(eio_ll_setxattr(base, "file", true, "user.a", "x", 1, 0), -ENOSYS);
	expect_err(eio_ll_getxattr(base, "file", true, "user.a", b, sizeof(b)), -ENOSYS);
	expect_err(eio_ll_listxattr(base, "file", true, b, sizeof(b)), -ENOSYS);
	expect_err(eio_ll_removexattr(base, "file", true, "user.a"), -ENOSYS);
	expect_err(eio_ll_setxattr(base, NULL, true, "user.a", "x", 1, 0), -ENOSYS);
}

TREE_TEST(without_proc_attributes_by_path_are_ENOSYS)
{
	int was = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct eio_fd file = open_at("file", O_RDWR);
	bool may = chroot(under("base")) == 0;

	if (may) {
		attributes_without_proc();
		if (eio_ll_setxattr(file, NULL, true, "user.a", "x", 1, 0) == 0)
			expect_err(eio_ll_listxattr(file, NULL, true, NULL, 0), 7);
		forget_opcodes_since_5_16();
		attributes_without_proc();
		ck_assert_int_eq(fchdir(root), 0);
		ck_assert_int_eq(chroot("."), 0);
		ck_assert_int_eq(fchdir(was), 0);
	}
	close(root);
	close(was);
}

enum { FCHMODAT2 = 452 }; /* Linux 6.6 */

TREE_TEST(chmod_needs_no_newer_system_call)
{
	forbid_call(FCHMODAT2, ENOSYS);
	expect_ok(eio_ll_chmod(open_at("file", O_RDONLY), NULL, true, 0640));
	ck_assert_uint_eq(mode_of("base/file"), 0640);
	expect_ok(eio_ll_chmod(open_at("file", O_PATH), NULL, true, 0604));
	ck_assert_uint_eq(mode_of("base/file"), 0604);
	expect_ok(eio_ll_chmod(base, "to_deep", true, 0604));
	ck_assert_uint_eq(mode_of("base/sub/deep"), 0604);
	expect_err(eio_ll_chmod(base, "up", true, 0600), -EXDEV);
	expect_err(eio_ll_chmod(base, "to_file", false, 0600), -EOPNOTSUPP);
	ck_assert_uint_eq(mode_of("base/file"), 0604);
}

TREE_TEST(older_kernels_are_not_asked_to_change_a_symlinks_mode)
{
	forbid_call(FCHMODAT2, ENOSYS);
#ifdef SYS_chmod
	forbid_call(SYS_chmod, EIO);
#endif
	forbid_call(SYS_fchmodat, EIO);
	expect_err(eio_ll_chmod(base, "to_file", false, 0600), -EOPNOTSUPP);
	expect_err(eio_ll_chmod(base, "file", false, 0600), -EIO);
}

/* Symlinks have none of the user's; root may give them trusted ones. */
static void link_attributes(void)
{
	char b[8];

	expect_err(eio_ll_setxattr(base, "to_file", false, "user.a", "x", 1, 0), -EPERM);
	expect_err(eio_ll_setxattr(base, "up", false, "trusted.a", "x", 1, 0), 0);
	ck_assert(has_attribute("base/up", "trusted.a", "x"));
	ck_assert(!has_attribute("secret", "trusted.a", "x"));
	expect_err(eio_ll_getxattr(base, "up", false, "trusted.a", b, sizeof(b)), 1);
	expect_err(eio_ll_listxattr(base, "up", false, b, 0), 10);
	expect_ok(eio_ll_removexattr(base, "up", false, "trusted.a"));
	expect_ok(eio_ll_setxattr(base, "to_file", true, "trusted.a", "y", 1, 0));
	ck_assert(has_attribute("base/file", "trusted.a", "y"));
	ck_assert(!has_attribute("base/to_file", "trusted.a", "y"));
	expect_ok(eio_ll_removexattr(base, "to_file", true, "trusted.a"));
	ck_assert(!has_attribute("base/file", "trusted.a", "y"));
}

TREE_TEST(attributes_of_a_link_are_not_those_of_its_target)
{
	if (no_attributes() || geteuid() != 0)
		return;
	link_attributes();
	forget_opcodes_since_5_16();
	link_attributes();
}

/* Attacks. No call may change anything outside, or tell anything of it. */

static struct eio_fd at;
static const char *target;
static bool follow;

static int do_chmod(void)
{
	return eio_ll_chmod(at, target, follow, 0777);
}

static int do_chown(void)
{
	return eio_ll_chown(at, target, follow, getuid(), getgid());
}

static int do_utimens(void)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};

	return eio_ll_utimens(at, target, follow, times);
}

static int do_setxattr(void)
{
	return eio_ll_setxattr(at, target, follow, "user.x", "1", 1, 0);
}

static int do_getxattr(void)
{
	char b[8];

	return (int) eio_ll_getxattr(at, target, follow, "user.x", b, sizeof(b));
}

static int do_listxattr(void)
{
	char b[256];

	return (int) eio_ll_listxattr(at, target, follow, b, sizeof(b));
}

static int do_removexattr(void)
{
	return eio_ll_removexattr(at, target, follow, "user.x");
}

static int (*const calls[])(void) = {do_chmod,    do_chown,     do_utimens,    do_setxattr,
				     do_getxattr, do_listxattr, do_removexattr};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void expect_untouched(void)
{
	struct stat secret = stat_of("secret"), outside = stat_of("outside");

	ck_assert_uint_eq(secret.st_mode & 07777, 0644);
	ck_assert_uint_eq(outside.st_mode & 07777, 0755);
	ck_assert(secret.st_mtim.tv_sec != 1 && outside.st_mtim.tv_sec != 1);
	ck_assert(!has_attribute("secret", "user.x", "1"));
	ck_assert(!has_attribute("outside", "user.x", "1"));
}

static void attack_as(const char *path, int err)
{
	unsigned before = count_fds();

	target = path;
	for (int i = 0; i < CALLS; i++) {
		int rc = calls[i]();

		ck_assert_msg(rc == err, "call %d, %.40s: %s", i, path, eio_err_name(rc));
	}
	expect_untouched();
	ck_assert_uint_eq(count_fds(), before);
}

static void attack(struct eio_fd dir, const char *path, int err)
{
	at = dir;
	follow = true;
	attack_as(path, err);
	follow = false;
	attack_as(path, err);
}

TREE_TEST(paths_that_leave_the_directory_are_refused_by_every_call)
{
	static char long_path[PATH_MAX + 1];
	struct eio_fd proc;

	ck_assert_int_eq(symlink("sub/../up", under("base/chain")), 0);
	attack(base, "..", -EXDEV);
	attack(base, "../secret", -EXDEV);
	attack(base, "sub/../../secret", -EXDEV);
	attack(base, "/", -EXDEV);
	attack(base, under("secret"), -EXDEV);
	attack(base, under("base/file"), -EXDEV);
	attack(base, "out/kept", -EXDEV);
	attack(base, "out/", -EXDEV);
	attack(base, "out/.", -EXDEV);
	attack(base, "up/", -EXDEV);
	attack(base, "file/", -ENOTDIR);
	attack(base, "loop/", -ELOOP);
	follow = true;
	attack_as("up", -EXDEV);
	attack_as("chain", -EXDEV);
	attack_as("absolute", -EXDEV);
	attack_as("out", -EXDEV);
	attack_as("loop", -ELOOP);
	memset(long_path, 'x', NAME_MAX + 1);
	attack(base, long_path, -ENAMETOOLONG);
	memset(long_path, '/', PATH_MAX);
	long_path[0] = '.';
	attack(base, long_path, -ENAMETOOLONG);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/proc/self", O_PATH | O_DIRECTORY, 0, &proc));
	attack(proc, "cwd/x", -ELOOP);
	follow = true;
	attack_as("root", -ELOOP);
	attack_as("fd/0", -ELOOP);
	expect_ok(eio_fd_close(proc));
	attack(proc, "x", -EBADF);
	attack(proc, NULL, -EBADF);
}

/* A file and a link out of the confinement change places all the time. */
TREE_TEST(a_race_does_not_lead_out_of_the_directory)
{
	enum { ROUNDS = SANITIZED ? 100 : 500 };
	pid_t other = exchange_begin("base/file", "base/up");

	at = base;
	target = "file";
	for (int i = 0; i < ROUNDS; i++) {
		follow = i % 2;
		for (int k = 0; k < CALLS; k++)
			calls[k]();
	}
	exchange_end(other);
	expect_untouched();
}

/* A job that waits for its turn, while all threads are busy, holds the handle's number; when
 * it is cancelled it lets go, and nothing was done. */

struct jam {
	int ends[2]; /* of a pipe: a byte lets one thread go */
	unsigned busy;
};

static int wait_for_byte(void *arg)
{
	const struct jam *j = arg;
	char b;

	return (int) read(j->ends[0], &b, 1);
}

static int hold_a_thread(void *arg)
{
	expect_err(eio_ll_in_thread(wait_for_byte, arg), 1);
	return 0;
}

static int change(void *arg)
{
	note("%s", eio_err_name(eio_ll_chmod(*(struct eio_fd *) arg, NULL, true, 0640)));
	return 0;
}

TREE_TEST(a_call_cancelled_in_the_queue_has_done_nothing_and_lets_go)
{
	enum { THREADS = 64 };
	struct eio_fd fd = open_at("file", O_PATH);
	struct eio_switch holders, inner;
	int unix_fd = number(fd);
	struct jam j;

	ck_assert_int_eq(pipe2(j.ends, O_CLOEXEC), 0);
	eio_switch_begin(&holders);
	for (int i = 0; i < THREADS; i++)
		expect_ok(eio_fork(&holders, hold_a_thread, &j));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, change, &fd));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	/* The number stays the job's though the handle is closed. */
	expect_ok(eio_fd_close(fd));
	ck_assert(is_open(unix_fd));
	end_cancelled(&inner);
	expect_log("ECANCELED");
	ck_assert(!is_open(unix_fd));
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(write(j.ends[1], "x", 1), 1);
	expect_ok(eio_switch_end(&holders, 0));
	ck_assert_uint_eq(mode_of("base/file"), 0644);
	close(j.ends[0]);
	close(j.ends[1]);
}

TREE_TEST(a_failure_names_operation_and_path)
{
	static const char *const ops[CALLS] = {"chmod",    "chown",     "utimens",    "setxattr",
					       "getxattr", "listxattr", "removexattr"};

	at = base;
	target = "no/such";
	for (int i = 0; i < CALLS; i++) {
		expect_err(calls[i](), -ENOENT);
		ck_assert_str_eq(eio_last_error()->op, ops[i]);
		ck_assert_str_eq(eio_last_error()->subject, "no/such");
	}
	if (no_attributes())
		return;
	expect_err(eio_ll_removexattr(base, "file", true, "user.x"), -ENODATA);
	ck_assert_str_eq(eio_last_error()->op, "removexattr");
	ck_assert_str_eq(eio_last_error()->subject, "file");
}

static int on_no_domain(void *arg)
{
	(void) arg;
	at = base;
	for (int i = 0; i < CALLS; i++) {
		target = "file";
		expect_err(calls[i](), -EPERM);
		target = NULL;
		expect_err(calls[i](), -EPERM);
	}
	return 0;
}

TREE_TEST(a_thread_without_a_domain_is_refused)
{
	unsigned before = count_fds();

	expect_ok(on_plain_thread(on_no_domain, NULL));
	/* No use of the handle is left over: closing is at once. */
	expect_ok(eio_fd_close(base));
	ck_assert_uint_eq(count_fds(), before - 1);
}

SUITE_MAIN("ll_attr", true, chmod_changes_the_mode_of_what_a_path_leads_to,
	   chmod_of_a_handle_needs_no_path, the_working_directory_itself_is_an_empty_path,
	   chown_changes_owner_and_group_or_leaves_one, utimens_sets_both_times_one_or_now,
	   attributes_are_set_got_listed_and_removed_by_the_ring_and_by_threads,
	   without_proc_attributes_by_path_are_ENOSYS, chmod_needs_no_newer_system_call,
	   older_kernels_are_not_asked_to_change_a_symlinks_mode,
	   attributes_of_a_link_are_not_those_of_its_target,
	   paths_that_leave_the_directory_are_refused_by_every_call,
	   a_race_does_not_lead_out_of_the_directory,
	   a_call_cancelled_in_the_queue_has_done_nothing_and_lets_go,
	   a_failure_names_operation_and_path, a_thread_without_a_domain_is_refused)
