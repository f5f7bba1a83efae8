/* SPDX-License-Identifier: ISC */
/*
 * Listing directories, as they are filled, emptied and removed, by several fibers, and where
 * the kernel does not tell all. The code is part of this program, so that it can run out of
 * memory, and so are the system calls that it makes.
 */
#include "io/util.h"

#include <eio/low_level.h>

static unsigned allocations, failing; /* the failing one, from 1 on */

static void *malloc_or_fail(size_t size)
{
	return ++allocations == failing ? NULL : malloc(size);
}

/* Before an entry is asked about by itself. */
static void (*before_asking)(void);

static int statx_after_all(struct eio_fd dir, const char *path, bool follow, unsigned mask,
			   struct statx *ret);

#define malloc       malloc_or_fail
#define eio_ll_statx statx_after_all
#include "io/fs_dir.c"
#undef malloc
#undef eio_ll_statx

static int statx_after_all(struct eio_fd dir, const char *path, bool follow, unsigned mask,
			   struct statx *ret)
{
	if (before_asking)
		before_asking();
	return eio_ll_statx(dir, path, follow, mask, ret);
}

#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#ifndef ENTRIES
#define ENTRIES 20000
#endif

/* The C library's is asked first. */
static atomic_bool hide_kinds;           /* a file system that does not tell kinds */
static atomic_int statx_err;             /* asking fails */
static atomic_int getdents_err;          /* reading fails */
static atomic_uint opened;               /* openat2, that is */
static void (*_Atomic after_read)(void); /* in the thread that has read entries */

long syscall(long call, ...)
{
	static long (*real)(long call, ...);
	void (*hook)(void);
	long a[6], n;
	va_list ap;

	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, call);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	errno = call == SYS_statx ? statx_err : call == SYS_getdents64 ? getdents_err : 0;
	opened += call == SYS_openat2;
	if (errno)
		return -1;
	n = real(call, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (call != SYS_getdents64)
		return n;
	for (char *e = (char *) a[1]; hide_kinds && e < (char *) a[1] + n;
	     e += ((struct dirent *) e)->d_reclen)
		((struct dirent *) e)->d_type = DT_UNKNOWN;
	hook = atomic_exchange(&after_read, NULL);
	if (hook)
		hook();
	return n;
}

static const struct eio_dir_opts with_stat = {.stat = true};

/* Where it matters that they are different files; else put_names. */
#define NUMBERED "entry-with-a-name"

static void make_numbered(const char *dir, unsigned n)
{
	char name[64];

	put_dir(dir);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/" NUMBERED "-%u", dir, i);
		ck_assert_int_eq(mknod(name, S_IFREG | 0600, 0), 0);
	}
}

static unsigned number_of(const char *name)
{
	unsigned number;

	ck_assert_int_eq(sscanf(name, NUMBERED "-%u", &number), 1);
	return number;
}

static struct eio_dir_iter begin(const char *path, const struct eio_dir_opts *opts)
{
	struct eio_dir_iter it;

	expect_ok(eio_fs_dir_begin_with(&it, env->cwd, path, opts));
	return it;
}

/* How many there are from here on; expects @p rc in the end. */
static unsigned count_to(struct eio_dir_iter *it, int rc)
{
	struct eio_dir_entry e;
	unsigned n = 0;
	int got;

	while ((got = eio_fs_dir_next(it, &e)) == 1)
		n++;
	expect_err(got, rc);
	return n;
}

/* Kinds */

static void make_some(void)
{
	put_text("regular", "abc");
	put_dir("directory");
	put_link("symlink", "nowhere");
	ck_assert_int_eq(mkfifo("fifo", 0640), 0);
}

DIR_TEST(kinds_are_found_out_where_the_file_system_does_not_tell)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	unsigned n = 0;
	int rc;

	(void) arg;
	make_some();
	hide_kinds = true;
	opened = 0;
	it = begin(".", NULL);
	while ((rc = eio_fs_dir_next(&it, &e)) == 1) {
		struct stat st;

		ck_assert_int_eq(lstat(e.name, &st), 0);
		ck_assert_int_eq(e.kind, eio__kind_of_mode(st.st_mode));
		ck_assert_uint_eq(e.ino, st.st_ino);
		ck_assert_ptr_null(e.stat);
		n++;
	}
	expect_ok(rc);
	eio_fs_dir_end(&it);
	ck_assert_uint_eq(n, 4);
	/* All by the thread: asked one by one, each would have been opened. */
	ck_assert_uint_eq(opened, 1);
	return 0;
}

static void remove_a(void)
{
	ck_assert_int_eq(unlink("a"), 0);
}

/* It is gone when more about it is asked for. */
DIR_TEST(an_entry_removed_before_it_is_asked_about_is_left_out)
{
	static const struct {
		bool hidden, stat;
	} cases[] = {{true, false}, {true, true}, {false, true}};

	(void) arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eio_dir_entry e;
		struct eio_dir_iter it;

		put_text("a", "");
		put_text("b", "");
		hide_kinds = cases[i].hidden;
		after_read = remove_a;
		it = begin(".", cases[i].stat ? &with_stat : NULL);
		expect_err(eio_fs_dir_next(&it, &e), 1);
		ck_assert_str_eq(e.name, "b");
		expect_ok(eio_fs_dir_next(&it, &e));
		eio_fs_dir_end(&it);
	}
	return 0;
}

/* Each entry fails on its own, and can be had once asking works again. */
DIR_TEST(a_kind_that_cannot_be_had_is_a_failure_of_one_entry)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	make_some();
	hide_kinds = true;
	statx_err = EACCES;
	it = begin(".", NULL);
	expect_err(eio_fs_dir_next(&it, &e), -EACCES);
	ck_assert_str_eq(eio_last_error()->op, "statx");
	ck_assert(exists(eio_last_error()->subject));
	expect_err(eio_fs_dir_next(&it, &e), -EACCES);
	statx_err = ENOENT;
	expect_ok(eio_fs_dir_next(&it, &e));
	eio_fs_dir_end(&it);
	statx_err = EACCES;
	it = begin(".", NULL);
	expect_err(eio_fs_dir_next(&it, &e), -EACCES);
	statx_err = 0;
	expect_err(eio_fs_dir_next(&it, &e), 1);
	ck_assert_int_ne(e.kind, EIO_KIND_UNKNOWN);
	ck_assert_uint_eq(count_to(&it, 0), 2);
	eio_fs_dir_end(&it);
	return 0;
}

/* What is known of entries */

static void expect_same_stat(const struct eio_stat *a, const struct eio_stat *b)
{
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->mode, b->mode);
	ck_assert_uint_eq(a->uid, b->uid);
	ck_assert_uint_eq(a->nlink, b->nlink);
	ck_assert_uint_eq(a->dev, b->dev);
	ck_assert_uint_eq(a->ino, b->ino);
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_uint_eq(a->blocks, b->blocks);
	ck_assert_int_eq(a->mtime_ns, b->mtime_ns);
	ck_assert_int_eq(a->btime_ns, b->btime_ns);
}

DIR_TEST(entries_come_with_what_is_known_of_them_if_asked_for)
{
	(void) arg;
	make_some();
	ck_assert_int_eq(link("regular", "other name"), 0);
	for (int hidden = 0; hidden < 2; hidden++) {
		struct eio_dir_entry e;
		struct eio_dir_iter it = begin(".", &with_stat);
		unsigned n = 0;

		hide_kinds = hidden;
		while (eio_fs_dir_next(&it, &e) == 1) {
			struct eio_stat st;

			expect_ok(eio_fs_stat(env->cwd, e.name, false, &st));
			ck_assert_ptr_nonnull(e.stat);
			expect_same_stat(e.stat, &st);
			ck_assert_int_eq(e.kind, st.kind);
			n++;
		}
		eio_fs_dir_end(&it);
		ck_assert_uint_eq(n, 5);
	}
	return 0;
}

/* More than one buffer of them: each has its own. */
DIR_TEST(what_is_known_belongs_to_the_entry)
{
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	struct stat st;
	unsigned n = 0;

	(void) arg;
	make_numbered("d", 800);
	ck_assert_int_eq(chdir("d"), 0);
	it = begin(".", &with_stat);
	while (eio_fs_dir_next(&it, &e) == 1) {
		ck_assert_int_eq(lstat(e.name, &st), 0);
		ck_assert_uint_eq(e.stat->ino, st.st_ino);
		n++;
	}
	eio_fs_dir_end(&it);
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_uint_eq(n, 800);
	return 0;
}

DIR_TEST(what_cannot_be_known_is_missing_and_the_entry_is_not)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	unsigned n = 0;

	(void) arg;
	make_some();
	statx_err = EACCES;
	it = begin(".", &with_stat);
	while (eio_fs_dir_next(&it, &e) == 1) {
		ck_assert_ptr_null(e.stat);
		ck_assert_int_ne(e.kind, EIO_KIND_UNKNOWN);
		n++;
	}
	eio_fs_dir_end(&it);
	ck_assert_uint_eq(n, 4);
	return 0;
}

/* Not that of another entry, which stood in the buffer before. */
DIR_TEST(what_was_known_is_not_told_of_another)
{
	unsigned known = 0, unknown = 0;
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	make_numbered("d", 800);
	it = begin("d", &with_stat);
	while (eio_fs_dir_next(&it, &e) == 1) {
		statx_err = EACCES;
		known += e.stat != NULL;
		unknown += e.stat == NULL;
		ck_assert(!e.stat || e.stat->ino == e.ino);
	}
	eio_fs_dir_end(&it);
	ck_assert_uint_gt(known, 0);
	ck_assert_uint_gt(unknown, known);
	return 0;
}

/* Large directories */

static size_t memory_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static size_t resident(void)
{
	unsigned long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ck_assert_int_eq(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return pages * 4096;
}

/* Memory while the entries of a large directory go by. */
static void expect_flat(const struct eio_dir_opts *opts)
{
	static unsigned char seen[ENTRIES];
	struct eio_dir_iter it = begin("many", opts);
	size_t first_pages = 0, first_bytes = 0;
	struct eio_dir_entry e;
	unsigned n = 0;
	int rc;

	memset(seen, 0, sizeof(seen));
	while ((rc = eio_fs_dir_next(&it, &e)) == 1) {
		unsigned number = number_of(e.name);

		ck_assert_uint_lt(number, ENTRIES);
		ck_assert_uint_eq(seen[number]++, 0);
		ck_assert_int_eq(e.kind, EIO_KIND_REGULAR);
		if (++n == 2000) {
			first_bytes = memory_in_use();
			first_pages = resident();
		} else if (n % 1000 == 0 && n > 2000 && !SANITIZED) {
			/* What the threads and the test itself may take. */
			ck_assert_uint_le(memory_in_use(), first_bytes + 16384);
			ck_assert_uint_le(resident(), first_pages + (256 << 10));
		}
	}
	expect_ok(rc);
	ck_assert_uint_eq(n, ENTRIES);
	eio_fs_dir_end(&it);
}

DIR_TEST(a_large_directory_takes_no_more_memory_than_a_small_one)
{
	(void) arg;
	put_names("many", NUMBERED, ENTRIES);
	expect_flat(NULL);
	expect_flat(&with_stat);
	return 0;
}

/* Of every name that may be: a byte each, and one as long as can be. */
DIR_TEST(names_are_any_bytes)
{
	char longest[NAME_MAX + 1] = "", name[4] = "";
	unsigned char seen[256] = {0};
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	memset(longest, 0xff, NAME_MAX);
	put_text(longest, "");
	for (int c = 1; c < 256; c++) {
		if (c == '/' || c == '.')
			continue;
		name[0] = (char) c;
		put_text(name, "");
	}
	put_text("...", "");
	it = begin(".", NULL);
	while (eio_fs_dir_next(&it, &e) == 1) {
		if (strcmp(e.name, longest) == 0)
			seen[0]++;
		else if (strcmp(e.name, "...") == 0)
			seen['.']++;
		else
			seen[(unsigned char) e.name[0]] += strlen(e.name) == 1;
	}
	eio_fs_dir_end(&it);
	for (int c = 0; c < 256; c++)
		ck_assert_uint_eq(seen[c], c != '/');
	return 0;
}

/* What happens meanwhile */

enum { SOME = 3000 };

/* Each gets a new name, which is another entry, of the file of one that stays. */
static void change(unsigned from, unsigned to, const char *new)
{
	char name[64];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "d/" NUMBERED "-%u", i);
		ck_assert_int_eq(unlink(name), 0);
		snprintf(name, sizeof(name), "d/%s-%u", new, i);
		ck_assert_int_eq(link("d/" NUMBERED "-2999", name), 0);
	}
}

DIR_TEST(what_stays_is_given_once_whatever_comes_and_goes)
{
	static unsigned char seen[SOME];
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	unsigned n = 0;
	int rc;

	(void) arg;
	put_names("d", NUMBERED, SOME);
	it = begin("d", &with_stat);
	while ((rc = eio_fs_dir_next(&it, &e)) == 1) {
		if (strncmp(e.name, "new", 3) == 0)
			continue;
		ck_assert_uint_eq(seen[number_of(e.name)]++, 0);
		if (n < SOME / 2 && ++n % 100 == 0)
			change(n - 100, n, "new");
	}
	expect_ok(rc);
	eio_fs_dir_end(&it);
	for (unsigned i = SOME / 2; i < SOME; i++)
		ck_assert_uint_eq(seen[i], 1);
	return 0;
}

DIR_TEST(a_directory_removed_while_it_is_read_is_at_its_end)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	put_names("d", NUMBERED, SOME);
	it = begin("d", NULL);
	expect_err(eio_fs_dir_next(&it, &e), 1);
	for (unsigned i = 0; i < SOME; i++) {
		char name[64];

		snprintf(name, sizeof(name), "d/" NUMBERED "-%u", i);
		ck_assert_int_eq(unlink(name), 0);
	}
	ck_assert_int_eq(rmdir("d"), 0);
	/* What had been read by then is still given. */
	ck_assert_uint_lt(count_to(&it, 0), SOME);
	expect_ok(eio_fs_dir_next(&it, &e));
	eio_fs_dir_end(&it);
	return 0;
}

DIR_TEST(a_failure_of_reading_is_told_and_may_be_over)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	make_some();
	it = begin(".", NULL);
	getdents_err = EIO;
	expect_err(eio_fs_dir_next(&it, &e), -EIO);
	ck_assert_str_eq(eio_last_error()->op, "getdents64");
	expect_err(eio_fs_dir_next(&it, &e), -EIO);
	getdents_err = 0;
	ck_assert_uint_eq(count_to(&it, 0), 4);
	eio_fs_dir_end(&it);
	return 0;
}

static void fail_from_now_on(void)
{
	getdents_err = EIO;
}

/* A refill reads on: what it has got by then is not lost. */
DIR_TEST(what_was_read_before_a_failure_is_given)
{
	struct eio_dir_iter it;

	(void) arg;
	make_some();
	after_read = fail_from_now_on;
	it = begin(".", NULL);
	ck_assert_uint_eq(count_to(&it, -EIO), 4);
	getdents_err = 0;
	ck_assert_uint_eq(count_to(&it, 0), 0);
	eio_fs_dir_end(&it);
	return 0;
}

/* Several fibers */

static int list_slowly(size_t i, void *arg)
{
	struct eio_dir_iter it = begin("d", i % 2 ? &with_stat : NULL);
	struct eio_dir_entry e;
	unsigned n = 0;
	int rc;

	while ((rc = eio_fs_dir_next(&it, &e)) == 1) {
		if (++n % 7 == i)
			expect_ok(eio_yield());
	}
	eio_fs_dir_end(&it);
	*(unsigned *) arg += n;
	return rc;
}

DIR_TEST(listings_of_several_fibers_do_not_disturb_each_other)
{
	unsigned all = 0;

	(void) arg;
	put_names("d", NUMBERED, SOME);
	expect_ok(eio_for_each(7, 0, list_slowly, &all));
	ck_assert_uint_eq(all, 7 * SOME);
	return 0;
}

/* Another may go on with it: the iterator is memory, and no fiber's. */
static int go_on(void *arg)
{
	return (int) count_to(arg, 0);
}

DIR_TEST(another_fiber_may_go_on)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	struct eio_switch sw;

	(void) arg;
	put_names("d", NUMBERED, SOME);
	it = begin("d", &with_stat);
	expect_err(eio_fs_dir_next(&it, &e), 1);
	eio_switch_begin(&sw);
	expect_ok(eio_fork_promise(&sw, go_on, &it, &p));
	expect_err(eio_promise_await(&p, NULL), SOME - 1);
	eio_fs_dir_end(&it);
	return eio_switch_end(&sw, 0);
}

/* Cancellation */

static struct {
	struct eio_event reading;
	struct eio_cancel context;
	sem_t cancelled;
} meanwhile;

static void wait_for_cancellation(void)
{
	eio_event_set(&meanwhile.reading);
	sem_wait(&meanwhile.cancelled);
}

static int cancel_meanwhile(void *arg)
{
	int rc = eio_event_await(&meanwhile.reading);

	(void) arg;
	/* Nothing was read any more. */
	if (rc < 0)
		return rc;
	expect_ok(eio_cancel_raise(&meanwhile.context, -EIO));
	sem_post(&meanwhile.cancelled);
	return 0;
}

/* At each refill: what the thread reads meanwhile is given, and none of it is lost. */
DIR_TEST(a_listing_cancelled_at_any_refill_loses_nothing)
{
	unsigned n = 0, refills = 0;
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = 1;

	(void) arg;
	put_names("d", NUMBERED, SOME);
	expect_ok(eio_event_init(&meanwhile.reading));
	sem_init(&meanwhile.cancelled, 0, 0);
	it = begin("d", NULL);
	while (rc == 1) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		expect_ok(eio_fork_daemon(&sw, cancel_meanwhile, NULL));
		eio_cancel_begin(&meanwhile.context);
		after_read = wait_for_cancellation;
		while ((rc = eio_fs_dir_next(&it, &e)) == 1)
			n++;
		refills += rc == -ECANCELED;
		atomic_store(&after_read, (void (*)(void)) NULL);
		eio_cancel_end(&meanwhile.context);
		expect_ok(eio_switch_end(&sw, 0));
		rc = rc == -ECANCELED ? 1 : rc;
	}
	expect_ok(rc);
	eio_fs_dir_end(&it);
	eio_event_fini(&meanwhile.reading);
	sem_destroy(&meanwhile.cancelled);
	ck_assert_uint_eq(n, SOME);
	ck_assert_uint_gt(refills, 2);
	return 0;
}

static void cancel_now(void)
{
	statx_err = 0;
	expect_ok(eio_cancel_raise(&meanwhile.context, -EIO));
}

/* While what the thread could not find out is asked for again. */
DIR_TEST(an_entry_that_is_asked_about_when_cancelled_is_not_lost)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;

	(void) arg;
	make_some();
	hide_kinds = true;
	statx_err = EACCES;
	it = begin(".", NULL);
	eio_cancel_begin(&meanwhile.context);
	before_asking = cancel_now;
	expect_err(eio_fs_dir_next(&it, &e), -ECANCELED);
	before_asking = NULL;
	eio_cancel_end(&meanwhile.context);
	ck_assert_uint_eq(count_to(&it, 0), 4);
	eio_fs_dir_end(&it);
	return 0;
}

DIR_TEST(a_listing_is_ended_by_who_is_cancelled)
{
	unsigned fds = count_fds();
	struct eio_dir_iter it, other;
	struct eio_dir_entry e;
	struct eio_cancel c;

	(void) arg;
	make_some();
	it = begin(".", &with_stat);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_fs_dir_next(&it, &e), -ECANCELED);
	expect_err(eio_fs_dir_begin_with(&other, env->cwd, ".", &with_stat), -ECANCELED);
	eio_fs_dir_end(&it);
	eio_cancel_end(&c);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Memory */

DIR_TEST(without_memory_nothing_is_left_open)
{
	unsigned fds = count_fds();
	struct eio_dir_iter it;

	(void) arg;
	for (unsigned i = 1; i <= 2; i++) {
		failing = allocations + i;
		expect_err(eio_fs_dir_begin_with(&it, env->cwd, ".", &with_stat), -ENOMEM);
		ck_assert_str_eq(eio_last_error()->subject, ".");
		ck_assert_uint_eq(count_fds(), fds);
	}
	failing = allocations + 1;
	expect_err(eio_fs_dir_begin(&it, env->cwd, "."), -ENOMEM);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

SUITE_MAIN("fs_dir", true, kinds_are_found_out_where_the_file_system_does_not_tell_test,
	   an_entry_removed_before_it_is_asked_about_is_left_out_test,
	   a_kind_that_cannot_be_had_is_a_failure_of_one_entry_test,
	   entries_come_with_what_is_known_of_them_if_asked_for_test,
	   what_is_known_belongs_to_the_entry_test,
	   what_cannot_be_known_is_missing_and_the_entry_is_not_test,
	   what_was_known_is_not_told_of_another_test,
	   a_large_directory_takes_no_more_memory_than_a_small_one_test, names_are_any_bytes_test,
	   what_stays_is_given_once_whatever_comes_and_goes_test,
	   a_directory_removed_while_it_is_read_is_at_its_end_test,
	   a_failure_of_reading_is_told_and_may_be_over_test,
	   what_was_read_before_a_failure_is_given_test,
	   listings_of_several_fibers_do_not_disturb_each_other_test, another_fiber_may_go_on_test,
	   a_listing_cancelled_at_any_refill_loses_nothing_test,
	   an_entry_that_is_asked_about_when_cancelled_is_not_lost_test,
	   a_listing_is_ended_by_who_is_cancelled_test, without_memory_nothing_is_left_open_test)
