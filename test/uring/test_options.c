/* SPDX-License-Identifier: ISC */
/*
 * What a run may ask of its ring: an allow-list of operations, kernel-side polling on one CPU,
 * busy polling of the network, limits of workers. What host or kernel lacks is skipped.
 */
#include "support.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What was said to the log hook. */
static char said[512];

static void keep_line(int level, const char *line, void *arg)
{
	(void) level, (void) arg;
	snprintf(said, sizeof(said), "%s", line);
}

/* Where @p why is wanted in a failure of eio_run. */
static int never(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	ck_abort_msg("main was called");
	return 0;
}

static char told[512];

static int fall_back(const char *why, void *arg)
{
	(void) arg;
	snprintf(told, sizeof(told), "%s", why);
	return 4711;
}

/* The allow-list */

static const uint8_t writes[] = {IORING_OP_WRITE};

#define ALLOW(list)                                                                                \
	&(struct eio_config)                                                                       \
	{                                                                                          \
		.flags = EIO_RUN_RESTRICT, .allowed_ops = list,                                    \
		.n_allowed_ops = sizeof(list) / sizeof(list[0])                                    \
	}
#define ALLOW_NOTHING                                                                              \
	&(struct eio_config)                                                                       \
	{                                                                                          \
		.flags = EIO_RUN_RESTRICT                                                          \
	}

static int write_and_try_others(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w, a, b, fd;
	struct statx st;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	pair_on(&sw, &a, &b);
	for (int i = 0; i < 3; i++) {
		expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
		expect_err(eio_ll_read(r, &c, 1, EIO_CURRENT), 1);
		expect_err(eio_ll_openat(&sw, EIO_FS, "/", O_RDONLY, 0, &fd), -EACCES);
		ck_assert_str_eq(eio_last_error()->op, "openat2");
		expect_err(eio_ll_statx(EIO_FS, "/", true, STATX_SIZE, &st), -EACCES);
		expect_err(eio_ll_recv(a, &c, 1, 0), -EACCES);
		expect_err(eio_ll_send(b, "x", 1, 0), -EACCES);
		expect_err(eio_ll_fsync(w), -EACCES);
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(what_is_not_allowed_is_EACCES)
{
	run_ring_with(ALLOW(writes), write_and_try_others, 0);
}
END_TEST

static int ask_for_support(void *arg)
{
	(void) arg;
	ck_assert(eio_ll_op_supported(IORING_OP_WRITE));
	ck_assert(eio_ll_op_supported(IORING_OP_NOP));
	ck_assert(eio_ll_op_supported(IORING_OP_CLOSE));
	ck_assert(!eio_ll_op_supported(IORING_OP_OPENAT2));
	ck_assert(!eio_ll_op_supported(255));
	return 0;
}

START_TEST(an_operation_that_is_not_allowed_is_not_supported)
{
	run_ring_with(ALLOW(writes), ask_for_support, 0);
}
END_TEST

static int ask_without_list(void *arg)
{
	(void) arg;
	ck_assert(eio_ll_op_supported(IORING_OP_OPENAT2));
	ck_assert(!eio_ll_op_supported(255));
	return 0;
}

START_TEST(without_a_list_everything_is_allowed)
{
	run_ring_with(NULL, ask_without_list, 0);
}
END_TEST

/* The others of a chain are not begun; those after it are. */
static int chain_with_forbidden(void *arg)
{
	struct io_uring_sqe sqes[3];
	struct statx st;
	int results[3];

	(void) arg;
	memset(sqes, 0, sizeof(sqes));
	io_uring_prep_nop(&sqes[0]);
	sqes[0].flags = IOSQE_IO_LINK;
	io_uring_prep_statx(&sqes[1], AT_FDCWD, "/", 0, STATX_SIZE, &st);
	sqes[1].flags = IOSQE_ASYNC;
	io_uring_prep_nop(&sqes[2]);
	expect_ok(eio_ll_await_n(sqes, 3, results));
	expect_err(results[0], -ECANCELED);
	expect_err(results[1], -EACCES);
	expect_err(results[2], 0);
	expect_err(eio_ll_await(&sqes[2]), 0);
	expect_err(eio_ll_await(&sqes[1]), -EACCES);

	/* How an entry is to be executed is not what the list is about. */
	io_uring_prep_nop(&sqes[1]);
	sqes[0].flags = IOSQE_IO_HARDLINK;
	sqes[1].flags = IOSQE_ASYNC;
	expect_ok(eio_ll_await_n(sqes, 2, results));
	expect_err(results[0], 0);
	expect_err(results[1], 0);
	return 0;
}

START_TEST(a_forbidden_entry_of_several_fails_alone)
{
	run_ring_with(ALLOW_NOTHING, chain_with_forbidden, 0);
}
END_TEST

/* Everything the library itself does: timers, wake-ups, cancelling, polling, closing. */

static int set_event(void *arg)
{
	eio_event_set(arg);
	return 0;
}

static void *set_event_elsewhere(void *arg)
{
	set_event(arg);
	return NULL;
}

static int read_forever(void *arg)
{
	char c;

	return (int) eio_ll_read(*(struct eio_fd *) arg, &c, 1, EIO_CURRENT);
}

static int put_byte_later(void *arg)
{
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	ck_assert_int_eq(write(*(int *) arg, "x", 1), 1);
	return 0;
}

static int sleep_long(void *arg)
{
	(void) arg;
	return eio_sleep(env->mono_clock, EIO_SEC(1000));
}

static int live_on_nothing(void *arg)
{
	struct eio_event event;
	struct eio_switch sw, sleeper;
	struct eio_fd r, w;
	pthread_t thread;
	int unix_fd, before;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_noop());
	expect_ok(eio_event_init(&event));
	eio_switch_begin(&sleeper);
	expect_ok(eio_fork(&sleeper, sleep_long, NULL));
	ck_assert_int_eq(pthread_create(&thread, NULL, set_event_elsewhere, &event), 0);
	expect_ok(eio_event_await(&event));
	/* The alarm, which may be set for the long sleep by now, is set anew. */
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(30)));
	end_cancelled(&sleeper);
	pthread_join(thread, NULL);
	eio_event_fini(&event);

	pipe_on(&sw, &r, &w);
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_forever, &r), -ETIMEDOUT);
	ck_assert_int_eq(fcntl(number(r), F_SETFL, O_NONBLOCK), 0);
	unix_fd = number(w);
	expect_ok(eio_fork(&sw, put_byte_later, &unix_fd));
	expect_err(read_forever(&r), 1);
	expect_ok(eio_ll_await_writable(w));

	before = number(r);
	expect_ok(eio_fd_close(r));
	ck_assert(!is_open(before));
	return eio_switch_end(&sw, 0);
}

START_TEST(the_library_lives_on_an_empty_list)
{
	warm_up_threads(1);
	run_ring_with(ALLOW_NOTHING, live_on_nothing, 0);
}
END_TEST

/* Blocks are registered on the first request, when the list has long been in force. */
static int read_into_block(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd r, w;

	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_alloc_fixed(&c));
	ck_assert(eio_ll_fixed_registered());
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_err(eio_ll_read_upto(r, c, 1, EIO_CURRENT), arg ? 1 : -EACCES);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

static int read_into_allowed_block(void *arg)
{
	(void) arg;
	return read_into_block(&said);
}

START_TEST(fixed_buffers_are_registered_beneath_a_list)
{
	static const uint8_t ops[] = {IORING_OP_READ_FIXED, 200};

	run_ring_with(ALLOW(ops), read_into_allowed_block, 0);
	run_ring_with(ALLOW_NOTHING, read_into_block, 0);
}
END_TEST

static int register_others(void *arg)
{
	struct io_uring *ring = eio_ll_ring();
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	int unix_fd = eventfd(0, EFD_CLOEXEC);

	(void) arg;
	ck_assert_ptr_nonnull(probe);
	io_uring_free_probe(probe);
	expect_err(io_uring_register_eventfd(ring, unix_fd), -EACCES);
	expect_err(io_uring_register_personality(ring), -EACCES);
	expect_err(io_uring_register_iowq_max_workers(ring, (unsigned[]){0, 0}), -EACCES);
	close(unix_fd);
	return 0;
}

START_TEST(registering_what_no_operation_needs_is_EACCES)
{
	run_ring_with(ALLOW_NOTHING, register_others, 0);
}
END_TEST

/* A task has 16 places for rings; one that is not given back is one less. */
static int look_at_the_place(void *arg)
{
	ck_assert(eio__uring_self()->ring.enter_flags & IORING_ENTER_REGISTERED_RING);
	return arg ? 0 : eio_ll_noop();
}

START_TEST(a_restricted_ring_gives_its_place_back)
{
	for (int i = 0; i < 20; i++)
		run_ring_with(ALLOW_NOTHING, look_at_the_place, 0);
}
END_TEST

/* With this many fibers some sends are made as system calls. */
struct crowd {
	struct eio_promise go;
	struct eio_flow flow;
};

static int send_often(void *arg)
{
	struct crowd *c = arg;

	expect_ok(eio_promise_await(&c->go, NULL));
	for (int i = 0; i < 3; i++)
		expect_err(eio_flow_write(c->flow, "x", 1), -EACCES);
	return 0;
}

static int send_from_a_crowd(void *arg)
{
	struct crowd c = {.go = EIO_PROMISE_INIT};
	struct eio_fd a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &a, &b);
	c.flow = eio_flow_of_fd(a);
	for (int i = 0; i < 2 * EIO__MANY_FIBERS; i++)
		expect_ok(eio_fork(&sw, send_often, &c));
	expect_ok(eio_promise_resolve(&c.go, 0, NULL));
	return eio_switch_end(&sw, 0);
}

START_TEST(nothing_forbidden_is_made_as_a_system_call_instead)
{
	run_ring_with(ALLOW(writes), send_from_a_crowd, 0);
}
END_TEST

/* Kernels that know fewer things to allow, or none. */

START_TEST(an_older_kernel_gets_a_shorter_list)
{
	forbid_register(IORING_REGISTER_RESTRICTIONS, 1 + 15 + 7 - 4, EINVAL);
	run_ring_with(ALLOW_NOTHING, live_on_nothing, 0);
}
END_TEST

static void expect_no_list(int err)
{
	struct eio_config config = {.flags = EIO_RUN_RESTRICT};
	unsigned before = count_fds();

	expect_err(eio_run(&config, never, NULL), -err);
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "EIO_RUN_RESTRICT"));
	config.fallback = fall_back;
	expect_err(eio_run(&config, never, NULL), 4711);
	ck_assert_ptr_nonnull(
		strstr(told, "EIO_RUN_RESTRICT: the kernel does not restrict the ring"));
	ck_assert_uint_eq(count_fds(), before);
}

START_TEST(a_kernel_that_restricts_nothing_is_refused)
{
	forbid_register(IORING_REGISTER_RESTRICTIONS, 0, EINVAL);
	expect_no_list(EINVAL);
}
END_TEST

START_TEST(a_ring_that_cannot_be_enabled_is_refused)
{
	forbid_register(IORING_REGISTER_ENABLE_RINGS, 0, EPERM);
	expect_no_list(EPERM);
}
END_TEST

/* Kernel-side polling */

/* The processors the ring's polling thread may run on; false if there is no such thread. */
static bool polling_thread(cpu_set_t *ret)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *e;
	int found = 0;

	while (!found && (e = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && strncmp(name, "iou-sqp", 7) == 0)
			found = atoi(e->d_name);
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return found && sched_getaffinity(found, sizeof(*ret), ret) == 0;
}

static unsigned first_cpu(void)
{
	cpu_set_t mine;
	unsigned cpu = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(mine), &mine), 0);
	while (!CPU_ISSET(cpu, &mine))
		cpu++;
	return cpu;
}

static int look_where_it_polls(void *arg)
{
	cpu_set_t set;

	(void) arg;
	expect_ok(eio_ll_noop()); /* now it has begun, and moved */
	ck_assert(polling_thread(&set));
	ck_assert_int_eq(CPU_COUNT(&set), 1);
	ck_assert(CPU_ISSET(first_cpu(), &set));
	return 0;
}

START_TEST(the_polling_thread_runs_where_it_is_told)
{
	struct eio_config config = {
		.polling_timeout_ms = 2, .flags = EIO_RUN_PIN_POLLING, .polling_cpu = first_cpu()};

	run_ring_with(&config, look_where_it_polls, 0);
}
END_TEST

START_TEST(a_polling_thread_on_no_processor_is_refused)
{
	struct eio_config config = {
		.polling_timeout_ms = 2, .flags = EIO_RUN_PIN_POLLING, .polling_cpu = 1 << 20};

	expect_err(eio_run(&config, never, NULL), -EINVAL);
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "polling_cpu"));
	/* A wrong value is not what a fallback is for. */
	config.fallback = fall_back;
	expect_err(eio_run(&config, never, NULL), -EINVAL);
}
END_TEST

START_TEST(a_polling_thread_lives_beneath_a_list)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2, .flags = EIO_RUN_RESTRICT},
		      live_on_nothing, 0);
}
END_TEST

/* It sleeps between the steps, and each of them has to wake it. */
static int let_it_sleep(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	for (int i = 0; i < 5; i++) {
		eio_switch_begin(&sw);
		pipe_on(&sw, &r, &w);
		expect_err(eio_timeout_run(env->mono_clock, EIO_MS(10), read_forever, &r),
			   -ETIMEDOUT);
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(10)));
		expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(10)));
		expect_err(read_forever(&r), 1);
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(10)));
		expect_ok(eio_switch_end(&sw, 0)); /* closes */
	}
	return 0;
}

START_TEST(a_polling_thread_that_sleeps_is_woken)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 1}, let_it_sleep, 0);
}
END_TEST

/* More fibers than entries, all cancelled at once, over and over. */
static int wait_and_be_cancelled(void *arg)
{
	expect_err(read_forever(arg), -ECANCELED);
	return 0;
}

static int cancel_many(void *arg)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	for (int round = 0; round < 20; round++) {
		eio_switch_begin(&inner);
		for (int i = 0; i < 50; i++)
			expect_ok(eio_fork(&inner, wait_and_be_cancelled, &r));
		for (int i = 0; i < round % 4; i++)
			expect_ok(eio_yield());
		end_cancelled(&inner);
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(operations_of_a_polling_thread_are_cancelled)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2}, cancel_many, 0);
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2, .queue_depth = 4}, cancel_many,
		      0);
}
END_TEST

/* Busy polling of the network */

/* What is set; it is not afterwards. False: the kernel cannot. */
static bool take_napi(struct eio__napi *ret)
{
	memset(ret, 0, sizeof(*ret));
	return syscall(SYS_io_uring_register, eio_ll_ring()->ring_fd, EIO__UNREGISTER_NAPI, ret,
		       1) == 0;
}

static unsigned want_us;
static bool want_preferred;

static int look_at_napi(void *arg)
{
	struct eio__napi napi;

	(void) arg;
	if (!take_napi(&napi))
		return 0;
	ck_assert_uint_eq(napi.busy_poll_us, want_us);
	ck_assert_uint_eq(napi.prefer_busy_poll, want_preferred);
	return eio_ll_noop();
}

static void expect_napi(const struct eio_config *config)
{
	want_us = config->napi_busy_poll_us;
	want_preferred = config->flags & EIO_RUN_NAPI_PREFER;
	run_ring_with(config, look_at_napi, 0);
}

START_TEST(the_network_is_polled_for_as_long_as_asked)
{
	eio_set_log(keep_line, NULL);
	run_ring_with(&(struct eio_config){.napi_busy_poll_us = 1}, look_at_the_place, 0);
	if (said[0])
		return; /* refused */
	expect_napi(&(struct eio_config){.napi_busy_poll_us = 50});
	expect_napi(&(struct eio_config){.napi_busy_poll_us = 70, .flags = EIO_RUN_NAPI_PREFER});
	expect_napi(&(struct eio_config){.napi_busy_poll_us = 0});
}
END_TEST

START_TEST(busy_polling_that_is_refused_is_told_and_done_without)
{
	forbid_register(EIO__REGISTER_NAPI, 0, EINVAL);
	eio_set_log(keep_line, NULL);
	run_ring_with(NULL, look_at_the_place, 0);
	ck_assert_str_eq(said, "");
	run_ring_with(&(struct eio_config){.napi_busy_poll_us = 50}, look_at_the_place, 0);
	ck_assert_ptr_nonnull(strstr(said, "napi_busy_poll_us: the kernel refuses"));
}
END_TEST

/* Workers */

static unsigned want_workers[2];

static int look_at_the_workers(void *arg)
{
	unsigned now[2] = {0, 0};

	(void) arg;
	expect_ok(io_uring_register_iowq_max_workers(eio_ll_ring(), now));
	for (int i = 0; i < 2; i++) {
		if (want_workers[i])
			ck_assert_uint_eq(now[i], want_workers[i]);
		else
			ck_assert_uint_gt(now[i], 0);
	}
	return eio_ll_noop();
}

/* A thread keeps the limits it has, so each has its own. */
static int run_in_thread(void *arg)
{
	run_ring_with(arg, look_at_the_workers, 0);
	return 0;
}

static void expect_workers(unsigned bounded, unsigned unbounded)
{
	struct eio_config config = {.max_bounded_workers = bounded,
				    .max_unbounded_workers = unbounded};

	want_workers[0] = bounded;
	want_workers[1] = unbounded ? unbounded : 64;
	on_plain_thread(run_in_thread, &config);
}

START_TEST(workers_are_limited_as_asked)
{
	expect_workers(0, 0);
	expect_workers(3, 0);
	expect_workers(0, 5);
	expect_workers(1, 7);
}
END_TEST

START_TEST(limits_that_are_refused_are_told)
{
	forbid_register(IORING_REGISTER_IOWQ_MAX_WORKERS, 0, EINVAL);
	eio_set_log(keep_line, NULL);
	run_ring_with(NULL, look_at_the_place, 0);
	ck_assert_str_eq(said, "");
	run_ring_with(&(struct eio_config){.max_bounded_workers = 1}, look_at_the_place, 0);
	ck_assert_ptr_nonnull(strstr(said, "the kernel does not limit its workers"));
	said[0] = 0;
	run_ring_with(&(struct eio_config){.max_unbounded_workers = 1}, look_at_the_place, 0);
	ck_assert_ptr_nonnull(strstr(said, "the kernel does not limit its workers"));
}
END_TEST

SUITE_MAIN("options", true, what_is_not_allowed_is_EACCES,
	   an_operation_that_is_not_allowed_is_not_supported, without_a_list_everything_is_allowed,
	   a_forbidden_entry_of_several_fails_alone, the_library_lives_on_an_empty_list,
	   fixed_buffers_are_registered_beneath_a_list,
	   registering_what_no_operation_needs_is_EACCES, a_restricted_ring_gives_its_place_back,
	   nothing_forbidden_is_made_as_a_system_call_instead, an_older_kernel_gets_a_shorter_list,
	   a_kernel_that_restricts_nothing_is_refused, a_ring_that_cannot_be_enabled_is_refused,
	   the_polling_thread_runs_where_it_is_told, a_polling_thread_on_no_processor_is_refused,
	   a_polling_thread_lives_beneath_a_list, a_polling_thread_that_sleeps_is_woken,
	   operations_of_a_polling_thread_are_cancelled, the_network_is_polled_for_as_long_as_asked,
	   busy_polling_that_is_refused_is_told_and_done_without, workers_are_limited_as_asked,
	   limits_that_are_refused_are_told)
