/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "uring/ring.h"
#include "uring/sched.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Stands in front of liburing's: an older kernel is one that knows fewer flags and
 * features.
 */
static unsigned unknown_flags, missing_features, set_ups, last_flags;

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	static int (*real)(unsigned, struct io_uring *, struct io_uring_params *);
	int rc;

	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	set_ups++;
	last_flags = p->flags;
	if (p->flags & unknown_flags)
		return -EINVAL;
	rc = real(entries, ring, p);
	p->features &= ~missing_features;
	return rc;
}

static int work(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	for (int i = 0; i < 100; i++) {
		expect_ok(eio_ll_noop());
		expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
		expect_err(eio_ll_read(r, &b, 1, EIO_CURRENT), 1);
	}
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	return eio_switch_end(&sw, 0);
}

/* What each kernel lacks beside what the one before lacks, and what is left. */
START_TEST(an_older_kernel_gets_the_flags_it_knows)
{
	static const struct {
		unsigned lacks, gets, tries;
	} kernels[] = {
		{0, IORING_SETUP_DEFER_TASKRUN, 1},
		{IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 2},
		{IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_TASKRUN_FLAG, 3},
		{IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, IORING_SETUP_SUBMIT_ALL, 4},
		{IORING_SETUP_SUBMIT_ALL, IORING_SETUP_CLAMP, 5},
	};

	for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		unknown_flags |= kernels[i].lacks;
		set_ups = 0;
		run_ring(work, 0);
		ck_assert_uint_eq(set_ups, 2 * kernels[i].tries);
		ck_assert_uint_eq(last_flags & kernels[i].gets, kernels[i].gets);
		ck_assert_uint_eq(last_flags & unknown_flags, 0);
	}
}
END_TEST

/* Refusals */

static int never(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	ck_abort_msg("main was called");
	return 0;
}

static char told[512];

static int fall_back(const char *why, void *arg)
{
	snprintf(told, sizeof(told), "%s", why);
	return *(int *) arg;
}

/* eio_run's code, its words, and what a fallback is told, all of which hold @p cause and
 * @p remedy. */
static void expect_refusal(const struct eio_config *base, int code, const char *cause,
			   const char *remedy)
{
	struct eio_config config = base ? *base : (struct eio_config){0};
	unsigned before = count_fds();
	int answer = 4711;
	char text[512];

	expect_err(eio_run(&config, never, NULL), code);
	ck_assert_int_eq(eio_last_error()->code, code);
	eio_error_format(code, text, sizeof(text));
	ck_assert_msg(strstr(text, cause) && strstr(text, remedy), "%s", text);
	config.fallback = fall_back;
	config.fallback_arg = &answer;
	expect_err(eio_run(&config, never, NULL), 4711);
	ck_assert_msg(strstr(told, cause) && strstr(told, remedy), "%s", told);
	ck_assert_uint_eq(count_fds(), before);
}

START_TEST(a_kernel_that_lacks_a_feature_is_refused)
{
	unknown_flags = 0;
	missing_features = IORING_FEAT_EXT_ARG;
	expect_refusal(NULL, -ENOSYS, "no io_uring", "Linux 5.15 or newer");
}
END_TEST

START_TEST(a_seccomp_profile_that_forbids_is_named)
{
	forbid_call(SYS_io_uring_setup, EPERM);
	expect_refusal(NULL, -EPERM, "seccomp profile", "allow io_uring_setup");
	expect_refusal(&(struct eio_config){.backend = EIO_BACKEND_URING}, -EPERM,
		       "seccomp profile", "allow io_uring_setup");
}
END_TEST

START_TEST(a_seccomp_profile_that_hides_is_named)
{
	forbid_call(SYS_io_uring_setup, ENOSYS);
	expect_refusal(NULL, -ENOSYS, "no io_uring, or a seccomp profile hides it",
		       "Linux 5.15 or newer");
}
END_TEST

START_TEST(a_seccomp_profile_that_forbids_to_enter_is_named)
{
	forbid_call(SYS_io_uring_enter, EPERM);
	expect_refusal(NULL, -EPERM, "seccomp profile", "allow io_uring_setup, io_uring_enter");
	expect_refusal(&(struct eio_config){.polling_timeout_ms = 1}, -EPERM, "seccomp profile",
		       "io_uring_enter");
}
END_TEST

START_TEST(a_seccomp_profile_that_forbids_to_register_is_lived_with)
{
	forbid_call(SYS_io_uring_register, EPERM);
	run_ring(work, 0);
}
END_TEST

/* In a mount namespace of its own the sysctl's file can say anything. */
static bool pretend_sysctl(const char *value)
{
	char path[] = "/tmp/eio-sysctl-XXXXXX";
	int unix_fd = mkstemp(path);
	bool done = unix_fd >= 0 && write(unix_fd, value, strlen(value)) > 0 &&
		    unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount(path, "/proc/sys/kernel/io_uring_disabled", NULL, MS_BIND, NULL) == 0;

	unlink(path);
	close(unix_fd);
	return done;
}

START_TEST(a_sysctl_that_disables_is_named)
{
	if (!pretend_sysctl("2\n"))
		return;
	forbid_call(SYS_io_uring_setup, EPERM);
	expect_refusal(NULL, -EPERM, "kernel.io_uring_disabled=2", "set it to 0");
}
END_TEST

START_TEST(a_sysctl_that_disables_for_most_is_named_with_its_group)
{
	if (!pretend_sysctl("1\n"))
		return;
	forbid_call(SYS_io_uring_setup, EPERM);
	expect_refusal(NULL, -EPERM, "kernel.io_uring_disabled=1", "or join kernel.io_uring_group");
}
END_TEST

/* The next number is the first that cannot be had; with one more the ring gets it and its
 * eventfd none. */
START_TEST(no_descriptor_left_is_named)
{
	struct rlimit was, few;
	int next = dup(0);

	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	for (int more = 0; more < 2; more++) {
		few.rlim_cur = (rlim_t) (next + more);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		expect_err(eio_run(NULL, never, NULL), -EMFILE);
		ck_assert_ptr_nonnull(strstr(eio_last_error()->subject,
					     more ? "eventfd" : "RLIMIT_NOFILE (ulimit -n)"));
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	run_ring(work, 0);
}
END_TEST

/* The ring itself may be charged. */
START_TEST(a_ring_that_cannot_be_locked_is_named)
{
	struct eio_config config = {.fallback = fall_back, .fallback_arg = &(int){-ENOMEM}};
	int rc;

	if (!limit_locked_memory(0))
		return;
	rc = eio_run(&config, never, NULL);
	expect_err(rc, -ENOMEM);
	ck_assert_ptr_nonnull(strstr(told, "RLIMIT_MEMLOCK"));
	ck_assert_ptr_nonnull(strstr(told, "ulimit -l"));
}
END_TEST

/* Of a ring that ended the memory is charged for a while. */
static int do_nothing(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	return 0;
}

START_TEST(runs_one_after_the_other_fit_where_one_fits)
{
	if (!limit_locked_memory(512 * 1024))
		return;
	for (int i = 0; i < 30; i++)
		expect_ok(eio_run(NULL, do_nothing, NULL));
}
END_TEST

/* The fallback's result is eio_run's, and what it says about a failure is kept. */
static int failing_fallback(const char *why, void *arg)
{
	(void) why, (void) arg;
	return -ENOTSUP;
}

START_TEST(the_fallbacks_result_is_the_runs)
{
	struct eio_config config = {.fallback = failing_fallback};

	forbid_call(SYS_io_uring_setup, EPERM);
	expect_err(eio_run(&config, never, NULL), -ENOTSUP);
}
END_TEST

/* Nesting */

static int nested_main(struct eio_env *e, void *arg)
{
	struct eio_config config = {.fallback = failing_fallback};
	char text[128];

	(void) e, (void) arg;
	expect_err(eio_run(NULL, never, NULL), -EBUSY);
	eio_error_format(-EBUSY, text, sizeof(text));
	ck_assert_str_eq(text, "eio_run this thread runs one already: Device or resource busy");
	/* This is not what a fallback is for. */
	expect_err(eio_run(&config, never, NULL), -EBUSY);
	expect_ok(eio_ll_noop());
	return 7;
}

START_TEST(a_run_inside_a_run_is_EBUSY)
{
	expect_err(eio_run(NULL, nested_main, NULL), 7);
	expect_err(eio_run(NULL, nested_main, NULL), 7);
}
END_TEST

MOCK_TEST(a_run_inside_a_mock_run_is_EBUSY)
{
	(void) arg;
	expect_err(eio_run(NULL, never, NULL), -EBUSY);
	return 0;
}

/* Configurations */

START_TEST(a_bad_configuration_is_EINVAL_and_named)
{
	static const uint8_t op = IORING_OP_NOP;
	static const struct {
		struct eio_config config;
		const char *what;
	} bad[] = {
		{{.backend = (enum eio_backend) 99}, "backend"},
		{{.flags = 1u << 31}, "flags"},
		{{.block_size = ((size_t) 1 << 30) + 1}, "block_size"},
		{{.stack_size = ((size_t) 1 << 30) + 1}, "stack_size"},
		{{.stack_size = SIZE_MAX}, "stack_size"},
		{{.block_size = SIZE_MAX}, "block_size"},
		{{.flags = EIO_RUN_PIN_POLLING}, "polling_cpu"},
		{{.flags = EIO_RUN_NAPI_PREFER}, "napi_busy_poll_us"},
		{{.n_allowed_ops = 1, .flags = EIO_RUN_RESTRICT}, "allowed_ops"},
		{{.n_allowed_ops = 1, .allowed_ops = &op}, "allowed_ops"},
		{{.allowed_ops = &op}, "allowed_ops"},
		{{.reserved = {&told}}, "reserved"},
		{{.reserved = {[3] = &told}}, "reserved"},
	};
	char text[128], want[128];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct eio_config config = bad[i].config;

		config.fallback = failing_fallback;
		expect_err(eio_run(&config, never, NULL), -EINVAL);
		eio_error_format(-EINVAL, text, sizeof(text));
		snprintf(want, sizeof(want), "eio_run (%s): Invalid argument", bad[i].what);
		ck_assert_str_eq(text, want);
	}
}
END_TEST

START_TEST(odd_configurations_work)
{
	static const struct eio_config odd[] = {
		{.queue_depth = 1},
		{.queue_depth = 3},
		{.queue_depth = 1000},
		{.queue_depth = UINT32_MAX},
		{.n_blocks = 1, .block_size = 1},
		{.stack_size = 1},
		{.stack_size = 100000},
		{.backend = EIO_BACKEND_URING},
		{.flags = EIO_RUN_KEEP_SIGPIPE | EIO_RUN_NO_SEGV | EIO_RUN_NO_FIXED},
	};

	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		run_ring_with(&odd[i], work, 0);
}
END_TEST

/* Kernel-side polling */

static int sqpoll_work(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b;

	ck_assert(eio__uring_self()->ring.sqpoll);
	ck_assert_uint_ne(last_flags & IORING_SETUP_SQPOLL, 0);
	ck_assert_uint_eq(last_flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN), 0);
	expect_ok(work(arg));
	/* The polling thread has gone to sleep by now, and is woken. */
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(20)));
	expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
	expect_err(eio_ll_read(r, &b, 1, EIO_CURRENT), 1);
	return eio_switch_end(&sw, 0);
}

START_TEST(kernel_side_polling_works)
{
	unknown_flags = 0;
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 1}, sqpoll_work, 0);
}
END_TEST

START_TEST(kernel_side_polling_works_with_a_small_queue)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 100, .queue_depth = 1},
		      sqpoll_work, 0);
}
END_TEST

static int read_byte(void *arg)
{
	char b;

	expect_err(eio_ll_read(*(struct eio_fd *) arg, &b, 1, EIO_CURRENT), 1);
	return 0;
}

static int write_byte(void *arg)
{
	return eio_ll_write_all(*(struct eio_fd *) arg, "x", 1, EIO_CURRENT);
}

/* The thread has not taken the reader's entry when the writer wants one. */
static int sqpoll_crowd(void *arg)
{
	enum { N = 50 };
	struct eio_switch sw, inner;
	struct eio_fd r[N], w[N];

	(void) arg;
	eio_switch_begin(&sw);
	for (int round = 0; round < 5; round++) {
		eio_switch_begin(&inner);
		for (int i = 0; i < N; i++) {
			if (round == 0)
				pipe_on(&sw, &r[i], &w[i]);
			expect_ok(eio_fork(&inner, read_byte, &r[i]));
		}
		for (int i = 0; i < N; i++)
			expect_ok(eio_fork(&inner, write_byte, &w[i]));
		expect_ok(eio_switch_end(&inner, 0));
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(kernel_side_polling_serves_more_operations_than_entries)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 10, .queue_depth = 2},
		      sqpoll_crowd, 0);
}
END_TEST

START_TEST(kernel_side_polling_that_is_refused_is_EINVAL)
{
	unknown_flags = IORING_SETUP_SQPOLL;
	expect_refusal(&(struct eio_config){.polling_timeout_ms = 1}, -EINVAL, "io_uring_setup",
		       "Invalid argument");
}
END_TEST

/* What the library asks of the kernel */

static int look_at_the_ring(void *arg)
{
	struct eio__ring *r = &eio__uring_self()->ring;
	const unsigned no_iowait = IORING_ENTER_NO_IOWAIT;

	(void) arg;
	ck_assert_ptr_eq(eio_ll_ring(), &r->uring);
	ck_assert_int_eq((r->enter_flags & no_iowait) != 0,
			 (r->uring.features & IORING_FEAT_NO_IOWAIT) != 0);
	ck_assert_uint_ge(*r->uring.cq.kring_entries, 4096);
	ck_assert_int_eq(fcntl(r->uring.ring_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(eio__uring_self()->wake_fd, F_GETFD), FD_CLOEXEC);
	return 0;
}

START_TEST(waiting_is_no_iowait_where_the_kernel_can)
{
	run_ring(look_at_the_ring, 0);
}
END_TEST

/* A child that touched them would corrupt its parent's. */
RING_TEST(a_forked_child_does_not_inherit_the_rings_memory)
{
	struct io_uring *ring = eio_ll_ring();
	char line[256], want[32];
	FILE *maps;

	(void) arg;
	snprintf(want, sizeof(want), "%lx-", (unsigned long) (uintptr_t) ring->sq.ring_ptr);
	maps = fopen("/proc/self/smaps", "r");
	ck_assert_ptr_nonnull(maps);
	for (bool found = false, done = false; !done && fgets(line, sizeof(line), maps);) {
		if (strncmp(line, want, strlen(want)) == 0)
			found = true;
		if (found && strncmp(line, "VmFlags:", 8) == 0) {
			ck_assert_msg(strstr(line, " dc ") != NULL, "%s", line);
			done = true;
		}
	}
	fclose(maps);
	return 0;
}

SUITE_MAIN("ring", true, an_older_kernel_gets_the_flags_it_knows,
	   a_kernel_that_lacks_a_feature_is_refused, a_seccomp_profile_that_forbids_is_named,
	   a_seccomp_profile_that_hides_is_named, a_seccomp_profile_that_forbids_to_enter_is_named,
	   a_seccomp_profile_that_forbids_to_register_is_lived_with,
	   a_sysctl_that_disables_is_named, a_sysctl_that_disables_for_most_is_named_with_its_group,
	   no_descriptor_left_is_named, a_ring_that_cannot_be_locked_is_named,
	   runs_one_after_the_other_fit_where_one_fits, the_fallbacks_result_is_the_runs,
	   a_run_inside_a_run_is_EBUSY, a_run_inside_a_mock_run_is_EBUSY_test,
	   a_bad_configuration_is_EINVAL_and_named, odd_configurations_work,
	   kernel_side_polling_works, kernel_side_polling_works_with_a_small_queue,
	   kernel_side_polling_serves_more_operations_than_entries,
	   kernel_side_polling_that_is_refused_is_EINVAL, waiting_is_no_iowait_where_the_kernel_can,
	   a_forked_child_does_not_inherit_the_rings_memory_test)
