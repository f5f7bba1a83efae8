/* SPDX-License-Identifier: ISC */
/*
 * What the tests share: a log of events, runs that must leave nothing behind, and main.
 *
 * Each test is a function that becomes the main fiber, with the mock scheduler or with a
 * ring; MOCK_TEST and RING_TEST make libcheck tests of it. Before and after every run the
 * open descriptors and the mappings are counted.
 */
#ifndef EIO_TEST_SUPPORT_H
#define EIO_TEST_SUPPORT_H

#include <check.h>
#include <eio/eio.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Sanitized builds keep memory and stacks that plain ones give back, and are slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Appends a word to the log, a space before it; printf format. */
void note(const char *fmt, ...) EIO_PRINTF(1, 2);

/* The log so far; expect_log also empties it. */
const char *log_text(void);
void log_clear(void);
#define expect_log(text)                                                                           \
	do {                                                                                       \
		ck_assert_str_eq(log_text(), text);                                                \
		log_clear();                                                                       \
	} while (0)

#define expect_err(call, err)                                                                      \
	do {                                                                                       \
		long got_ = (long) (call);                                                         \
		ck_assert_msg(got_ == (long) (err), "%s: %s (%ld), not %s", #call,                 \
			      eio_err_name((int) got_), got_, eio_err_name((int) (err)));          \
	} while (0)
#define expect_ok(call) expect_err(call, 0)

/* The environment of the running test. */
extern struct eio_env *env;

/* Runs @p fn as main fiber and checks its result and that nothing is left behind. */
void run_mock(eio_fn *fn, int expected);
void run_ring(eio_fn *fn, int expected);
void run_ring_with(const struct eio_config *config, eio_fn *fn, int expected);

/* static int name(void *arg) { … } as a libcheck test name_test that expects 0: on the mock
 * scheduler, with a ring, or first on the one and then with the other. */
#define MOCK_TEST(name)                                                                            \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		run_mock(name, 0);                                                                 \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)
#define RING_TEST(name)                                                                            \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		run_ring(name, 0);                                                                 \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)
#define CORE_TEST(name)                                                                            \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		run_mock(name, 0);                                                                 \
		run_ring(name, 0);                                                                 \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

/* Does the caller run on the mock scheduler? */
bool on_mock(void);

/* How many times as long a test is to go on: 1, or more in the suite soak. */
unsigned soak(void);

/* The clock shows @p time, just that when it is the mock's, which jumps from one deadline
 * to the next; a real one may show more. */
void expect_time(int64_t time);

/*
 * Runs @p fn in a child process, which must be killed by @p sig with @p words somewhere in
 * what it wrote to stderr. expect_abort: as a main fiber on the mock scheduler, by SIGABRT.
 * expect_core_abort: the same, and once more with a ring.
 */
void expect_death(void (*fn)(void *arg), void *arg, int sig, const char *words);
void expect_abort(eio_fn *fn, void *arg, const char *words);
void expect_core_abort(eio_fn *fn, void *arg, const char *words);

/* The result of @p fn on a thread of its own, without a domain or in a domain with the
 * mock scheduler. The calling thread waits, fibers and all. */
int on_plain_thread(eio_fn *fn, void *arg);
int in_other_domain(eio_fn *fn, void *arg);

/* Open descriptors, threads and memory mappings of the process, fibers of the domain. */
unsigned count_fds(void);
unsigned count_tasks(void);
unsigned count_mappings(void);
size_t count_fibers(void);

/* main: runs the suite of tests. Without io_uring: 77 if it needs a ring, else its
 * RING_TESTs do nothing. */
int run_suite(const char *name, const TTest *const *tests, size_t n, bool needs_ring);
#define SUITE_MAIN(name, needs_ring, ...)                                                          \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests_[] = {__VA_ARGS__};                                       \
		return run_suite(name, tests_, sizeof(tests_) / sizeof(tests_[0]), needs_ring);    \
	}

#endif
