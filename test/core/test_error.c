/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/error.h"
#include "mock/sched.h"

#include <limits.h>
#include <netdb.h>

static const int own[] = {EIO_EOF,       EIO_ELIMIT,     EIO_EPARSE,
			  EIO_EPOISONED, EIO_EABANDONED, EIO_ESTATUS};
static const char *const own_names[] = {"EIO_EOF",       "EIO_ELIMIT",     "EIO_EPARSE",
					"EIO_EPOISONED", "EIO_EABANDONED", "EIO_ESTATUS"};

/* The last errno there is. */
#ifdef EFTYPE
enum { LAST = EFTYPE };
#else
enum { LAST = EHWPOISON };
#endif

static const int unknown[] = {-41,   -58,   INT_MIN, INT_MIN + 1, -1000000, -100000, -9300,
			      -8192, -8191, -5000,   -4102,       -4095,    -1000,   -LAST - 1,
			      1000,  4095,  4096,    8193,        100000,   INT_MAX, INT_MAX - 1};

enum { N_UNKNOWN = sizeof(unknown) / sizeof(unknown[0]) };

/* Words and names */

START_TEST(every_errno_has_libcs_words_of_either_sign)
{
	for (int e = 1; e <= LAST; e++) {
		if (e == 41 || e == 58) /* not used */
			continue;
		ck_assert_str_eq(eio_strerror(-e), strerror(e));
		ck_assert_str_eq(eio_strerror(e), strerror(e));
	}
}
END_TEST

START_TEST(every_errno_has_its_name)
{
	for (int e = 1; e <= LAST; e++) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
		const char *name = strerrorname_np(e);

		if (name) {
			ck_assert_str_eq(eio_err_name(-e), name);
			ck_assert_str_eq(eio_err_name(e), name);
		} else {
			ck_assert_str_eq(eio_err_name(-e), "unknown");
		}
#endif
	}
	ck_assert_str_eq(eio_err_name(-ECONNREFUSED), "ECONNREFUSED");
	ck_assert_str_eq(eio_err_name(-EWOULDBLOCK), "EAGAIN");
	ck_assert_str_eq(eio_err_name(-EHWPOISON), "EHWPOISON");
}
END_TEST

START_TEST(our_codes_have_names_and_words_of_their_own)
{
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(own[i], -4096 - i);
		ck_assert_str_eq(eio_err_name(own[i]), own_names[i]);
		ck_assert_str_ne(eio_strerror(own[i]), "Unknown error");
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(eio_strerror(own[i]), eio_strerror(own[k]));
	}
}
END_TEST

START_TEST(codes_nobody_knows_are_unknown)
{
	for (int i = 0; i < N_UNKNOWN; i++) {
		ck_assert_str_eq(eio_err_name(unknown[i]), "unknown");
		ck_assert_str_eq(eio_strerror(unknown[i]), "Unknown error");
	}
	ck_assert_str_eq(eio_err_name(0), "unknown");
	ck_assert_ptr_nonnull(eio_strerror(0));
}
END_TEST

START_TEST(libcs_buffer_is_left_alone)
{
	const char *libcs = strerror(100000);
	char before[64];

	strncpy(before, libcs, sizeof(before) - 1)[sizeof(before) - 1] = 0;
	eio_strerror(100001);
	eio_strerror(-EIO);
	eio_strerror(-3000);
	ck_assert_str_eq(libcs, before);
}
END_TEST

START_TEST(getaddrinfos_codes_go_there_and_back)
{
	static const int codes[] = {EAI_AGAIN,  EAI_BADFLAGS, EAI_FAIL,    EAI_FAMILY,
				    EAI_MEMORY, EAI_NONAME,   EAI_SERVICE, EAI_SOCKTYPE,
				    EAI_SYSTEM, EAI_OVERFLOW};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		int err = EIO_EAI(codes[i]);

		ck_assert_int_lt(err, -8192);
		ck_assert_int_eq(EIO_EAI(-codes[i]), err);
		ck_assert_int_eq(eio_eai(err), codes[i]);
		ck_assert_str_eq(eio_strerror(err), gai_strerror(codes[i]));
		ck_assert_str_eq(eio_err_name(err), "EIO_EAI");
	}
	for (int i = 0; i < N_UNKNOWN; i++)
		ck_assert_int_eq(eio_eai(unknown[i]), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(eio_eai(own[i]), 0);
	ck_assert_int_eq(eio_eai(-EIO), 0);
	ck_assert_int_eq(eio_eai(0), 0);
}
END_TEST

/* The last error */

static void expect_last(int code, const char *op, const char *subject, uint64_t done)
{
	const struct eio_error *e = eio_last_error();

	ck_assert_int_eq(e->code, code);
	ck_assert_str_eq(e->op, op);
	ck_assert_str_eq(e->subject, subject);
	ck_assert_uint_eq(e->done, done);
}

CORE_TEST(nothing_failed_yet)
{
	(void) arg;
	ck_assert_int_eq(eio_last_error()->code, 0);
	ck_assert_ptr_null(eio_last_error()->op);
	ck_assert_str_eq(eio_last_error()->subject, "");
	return 0;
}

CORE_TEST(set_records_and_returns_the_code)
{
	(void) arg;
	expect_err(eio_error_set(-ENOENT, "open", "/etc/x"), -ENOENT);
	expect_last(-ENOENT, "open", "/etc/x", 0);
	expect_err(eio_error_set(EIO_EPARSE, "parse", NULL), EIO_EPARSE);
	expect_last(EIO_EPARSE, "parse", "", 0);
	return 0;
}

CORE_TEST(success_and_cancellation_are_not_recorded_by_the_library)
{
	(void) arg;
	eio_error_set(-ENOENT, "open", "x");
	expect_err(eio__fail(0, "read", "y"), 0);
	expect_err(eio__fail(7, "read", "y"), 7);
	expect_err(eio__fail(-ECANCELED, "read", "y"), -ECANCELED);
	expect_last(-ENOENT, "open", "x", 0);
	expect_err(eio__fail(-EIO, "read", "y"), -EIO);
	expect_last(-EIO, "read", "y", 0);
	return 0;
}

CORE_TEST(done_keeps_the_details_of_the_same_failure)
{
	(void) arg;
	eio_error_set(-EPIPE, "send", "[::1]:80");
	expect_err(eio__fail_done(-EPIPE, "write_all", 100), -EPIPE);
	expect_last(-EPIPE, "send", "[::1]:80", 100);
	expect_err(eio__fail_done(-EIO, "write_all", 5), -EIO);
	expect_last(-EIO, "write_all", "", 5);
	/* How far it came is told of a cancellation too. */
	expect_err(eio__fail_done(-ECANCELED, "copy", 9), -ECANCELED);
	expect_last(-ECANCELED, "copy", "", 9);
	eio_error_set(-ECANCELED, "copy", NULL);
	expect_last(-ECANCELED, "copy", "", 0);
	return 0;
}

CORE_TEST(a_long_subject_is_cut_from_the_left)
{
	char path[1000];
	const size_t room = sizeof(eio_last_error()->subject) - 1;

	(void) arg;
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = (char) ('a' + i % 26);
	path[sizeof(path) - 1] = 0;
	eio_error_set(-ENOENT, "open", path);
	expect_last(-ENOENT, "open", path + sizeof(path) - 1 - room, 0);
	eio_error_set(-ENOENT, "open", path + sizeof(path) - 1 - room);
	expect_last(-ENOENT, "open", path + sizeof(path) - 1 - room, 0);
	eio_error_set(-ENOENT, "open", path + sizeof(path) - 2 - room);
	expect_last(-ENOENT, "open", path + sizeof(path) - 1 - room, 0);
	return 0;
}

CORE_TEST(the_record_may_be_its_own_subject)
{
	(void) arg;
	eio_error_set(-ENOENT, "open", "abcdef");
	eio_error_set(-EIO, "stat", eio_last_error()->subject + 2);
	expect_last(-EIO, "stat", "cdef", 0);
	return 0;
}

static int fail_and_yield(void *arg)
{
	for (int i = 0; i < 3; i++) {
		eio_error_set(-EIO, "read", arg);
		expect_ok(eio_yield());
		expect_last(-EIO, "read", arg, 0);
	}
	return 0;
}

CORE_TEST(every_fiber_has_its_own)
{
	struct eio_switch sw;

	(void) arg;
	eio_error_set(-EPIPE, "write", "mains");
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, fail_and_yield, "a"));
	expect_ok(eio_fork(&sw, fail_and_yield, "b"));
	expect_ok(eio_switch_end(&sw, 0));
	expect_last(-EPIPE, "write", "mains", 0);
	return 0;
}

/* Formatting */

static void expect_format(int err, const char *text)
{
	char line[512];

	ck_assert_int_eq(eio_error_format(err, line, sizeof(line)), (int) strlen(text));
	ck_assert_str_eq(line, text);
}

CORE_TEST(format_tells_operation_subject_and_words)
{
	(void) arg;
	expect_format(-ENOENT, "No such file or directory");
	eio_error_set(-ENOENT, "openat2", "a/b");
	expect_format(-ENOENT, "openat2 a/b: No such file or directory");
	eio_error_set(-ENOENT, "openat2", NULL);
	expect_format(-ENOENT, "openat2: No such file or directory");
	eio_error_set(EIO_EOF, "read_exact", NULL);
	expect_format(EIO_EOF, "read_exact: Unexpected end of stream");
	return 0;
}

CORE_TEST(format_uses_only_details_of_that_code)
{
	(void) arg;
	eio_error_set(-ENOENT, "openat2", "a/b");
	expect_format(-EIO, "Input/output error");
	expect_format(EIO_EOF, "Unexpected end of stream");
	expect_format(0, eio_strerror(0));
	expect_format(-ENOENT, "openat2 a/b: No such file or directory");
	return 0;
}

CORE_TEST(leaving_the_directory_is_explained)
{
	(void) arg;
	eio_error_set(-EXDEV, "openat2", "../etc/passwd");
	expect_format(-EXDEV,
		      "openat2 ../etc/passwd: Invalid cross-device link (leaves the directory)");
	eio_error_set(-EXDEV, "rename", "a");
	expect_format(-EXDEV, "rename a: Invalid cross-device link");
	return 0;
}

CORE_TEST(format_cuts_at_the_size_and_gives_the_whole_length)
{
	char line[16];

	(void) arg;
	eio_error_set(-EIO, "read", "x");
	memset(line, 'z', sizeof(line));
	ck_assert_int_eq(eio_error_format(-EIO, line, 8), 26);
	ck_assert_str_eq(line, "read x:");
	ck_assert_int_eq(line[8], 'z');
	ck_assert_int_eq(eio_error_format(-EIO, NULL, 0), 26);
	return 0;
}

/* Without fibers, and afterwards */

static int fail_main(void *arg)
{
	return arg ? eio_error_set(-ENOSPC, "write", arg) : 0;
}

static int expect_nothing(void *arg)
{
	(void) arg;
	ck_assert_int_eq(eio_last_error()->code, 0);
	return 0;
}

START_TEST(the_thread_keeps_its_last_runs_failure)
{
	expect_ok(on_plain_thread(expect_nothing, NULL));
	expect_ok(eio__mock_run(fail_main, NULL));
	expect_err(eio_error_set(-EIO, "read", "x"), -EIO);
	expect_nothing(NULL);
	expect_format(-EIO, "Input/output error");

	expect_err(eio__mock_run(fail_main, "disk"), -ENOSPC);
	expect_last(-ENOSPC, "write", "disk", 0);
	expect_format(-ENOSPC, "write disk: No space left on device");
	expect_ok(on_plain_thread(expect_nothing, NULL));

	/* Setting needs a fiber; what is kept stays as it is. */
	expect_err(eio_error_set(-EIO, "read", "x"), -EIO);
	expect_err(eio__fail_done(-ENOSPC, "write", 9), -ENOSPC);
	expect_last(-ENOSPC, "write", "disk", 0);

	expect_ok(eio__mock_run(fail_main, NULL));
	expect_nothing(NULL);
}
END_TEST

SUITE_MAIN("error", false, every_errno_has_libcs_words_of_either_sign, every_errno_has_its_name,
	   our_codes_have_names_and_words_of_their_own, codes_nobody_knows_are_unknown,
	   libcs_buffer_is_left_alone, getaddrinfos_codes_go_there_and_back,
	   nothing_failed_yet_test, set_records_and_returns_the_code_test,
	   success_and_cancellation_are_not_recorded_by_the_library_test,
	   done_keeps_the_details_of_the_same_failure_test,
	   a_long_subject_is_cut_from_the_left_test, the_record_may_be_its_own_subject_test,
	   every_fiber_has_its_own_test, format_tells_operation_subject_and_words_test,
	   format_uses_only_details_of_that_code_test, leaving_the_directory_is_explained_test,
	   format_cuts_at_the_size_and_gives_the_whole_length_test,
	   the_thread_keeps_its_last_runs_failure)
