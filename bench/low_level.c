/* SPDX-License-Identifier: ISC */
/*
 * What each low-level call costs above the same bare code: the library's call in one fiber, and
 * the same operations by liburing with the same set-up, by the bare system call where the
 * library makes it directly, or by that on a bare thread. A line NAME, a line NAME_raw, and
 * NAME_above: the difference by the number of library calls in it.
 *
 * Not here, for there is nothing of the kind to compare them with:
 *
 *   sleep_until, ticks_*          wait for a time; what a sleep costs says sleep.c
 *   spawn, process_*              spawn.c
 *   getaddrinfo, getnameinfo      the C library's resolver on a thread: in_thread, and its time
 *   port_send to another domain   msg.c
 *   set_polled, op_supported, …   make no operation
 *   alloc_fixed_or_wait, with_chunk  are alloc_fixed
 */
#include "low_level.h"
#include "raw_thread.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { DEPTH = 256, CALLS_MAX = 32, NAME_MAX_ = 64 };

char ll_buf[LL_BUF];
const struct iovec ll_iov[2] = {{ll_buf, LL_LEN / 2}, {ll_buf + LL_LEN / 2, LL_LEN / 2}};
struct io_uring ll_ring;
struct eio_switch ll_switch;

/* What the areas share */

struct ll_fd ll_track(int unix_fd)
{
	struct ll_fd fd = {.unix_fd = unix_fd};

	if (unix_fd < 0)
		bench_fail("setting up: %s", strerror(errno));
	bench_check(eio_fd_of_unix(&ll_switch, unix_fd, EIO_FD_CLOSE, &fd.fd),
		    "tracking a descriptor");
	return fd;
}

void ll_socketpair(struct ll_fd ret[2])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	ret[0] = ll_track(ends[0]);
	ret[1] = ll_track(ends[1]);
}

struct ll_fd ll_listener(struct sockaddr_in *ret_where)
{
	struct ll_fd fd = ll_track(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr *sa = (struct sockaddr *) ret_where;
	socklen_t len = sizeof(*ret_where);

	*ret_where =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (bind(fd.unix_fd, sa, len) < 0 || listen(fd.unix_fd, 16) < 0 ||
	    getsockname(fd.unix_fd, sa, &len) < 0)
		bench_fail("listening: %s", strerror(errno));
	return fd;
}

const char *ll_dir(void)
{
	return getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
}

int raw_open(int dir, const char *path, int flags)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {(unsigned) flags | O_CLOEXEC, 0, 0x08 | 0x02};

	io_uring_prep_openat2(raw(), dir, path, (struct open_how *) &how);
	return raw_wait();
}

int raw_close(int unix_fd)
{
	io_uring_prep_close(raw(), unix_fd);
	return raw_wait();
}

static struct raw_thread thread;
static bool is_thread_there;
static uint32_t left;

int raw_in_thread(int (*fn)(void *arg), void *arg)
{
	if (!is_thread_there)
		raw_thread_begin(&thread, &left);
	is_thread_there = true;
	__atomic_store_n(&left, 1, __ATOMIC_RELEASE);
	raw_thread_hand(&thread, fn, arg);
	raw_threads_await(&left);
	return thread.rc;
}

/* Measuring */

/* Those with threads last: from the first one on the process has atomic operations where it
 * had plain ones. */
static const struct ll_area *const areas[] = {
	&ll_any, &ll_rw, &ll_files, &ll_sockets, &ll_messages, &ll_multi, &ll_names,
};

static struct {
	const char *only;
	unsigned rounds;
} options;

/* Of the area being measured. */
static struct {
	bool wanted;
	char names[3][NAME_MAX_];
	struct bench_value eio, raw;
} values[CALLS_MAX];

static bool is_wanted(const struct ll_call *call)
{
	return !options.only || strcmp(options.only, call->name) == 0;
}

static bool is_area_wanted(const struct ll_area *area)
{
	for (size_t i = 0; i < area->n; i++) {
		if (is_wanted(&area->calls[i]))
			return true;
	}
	return false;
}

/* What the kernel or the file system lacks is left out. */
static bool is_there(const struct ll_call *call)
{
	int rc = call->raw();

	if (rc != -EINVAL && rc != -EOPNOTSUPP && rc != -ENOSYS)
		return true;
	fprintf(stderr, "%s: left out: %s\n", call->name, strerror(-rc));
	return false;
}

static void begin(const struct ll_area *area)
{
	static const char *const suffix[] = {"", "_raw", "_above"};

	if (area->n > CALLS_MAX)
		bench_fail("more than %d calls", CALLS_MAX);
	for (size_t i = 0; i < area->n; i++) {
		const struct ll_call *call = &area->calls[i];

		for (int k = 0; k < 3; k++)
			snprintf(values[i].names[k], NAME_MAX_, "%s%s", call->name, suffix[k]);
		values[i].wanted = is_wanted(call) && is_there(call);
		values[i].eio = (struct bench_value){.name = values[i].names[0], .unit = "ns"};
		values[i].raw = (struct bench_value){.name = values[i].names[1], .unit = "ns"};
	}
}

static double time_of(const struct ll_call *call, int (*run)(void))
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < call->count; i++)
		bench_check(run(), call->name);
	return (bench_now_ns() - start) / call->count;
}

/* The first time for nothing. */
static void measure_once(const struct ll_area *area, bool counts)
{
	for (size_t i = 0; i < area->n; i++) {
		double eio, bare;

		if (!values[i].wanted)
			continue;
		eio = time_of(&area->calls[i], area->calls[i].eio);
		bare = time_of(&area->calls[i], area->calls[i].raw);
		if (counts) {
			bench_add(&values[i].eio, eio);
			bench_add(&values[i].raw, bare);
		}
	}
}

static void print(const struct ll_area *area)
{
	for (size_t i = 0; i < area->n; i++) {
		if (!values[i].wanted)
			continue;
		bench_print(&values[i].eio, 1);
		bench_print(&values[i].raw, 1);
		bench_print_above(values[i].names[2], &values[i].eio, &values[i].raw,
				  area->calls[i].n);
	}
}

/* Each has a ring of its own, so that what others have in flight is over. */
static void measure(const struct ll_area *area)
{
	eio_switch_begin(&ll_switch);
	raw_ring_init(&ll_ring, DEPTH);
	area->set_up();
	begin(area);
	for (unsigned r = 0; r <= options.rounds; r++)
		measure_once(area, r > 0);
	if (area->clean_up)
		area->clean_up();
	io_uring_queue_exit(&ll_ring);
	bench_check(eio_switch_end(&ll_switch, 0), "closing");
	print(area);
}

static int measure_all(struct eio_env *env, void *arg)
{
	bool any = false;

	(void) env, (void) arg;
	for (size_t i = 0; i < BENCH_LEN(areas); i++) {
		if (is_area_wanted(areas[i])) {
			measure(areas[i]);
			any = true;
		}
	}
	if (!any)
		bench_fail("there is no call %s", options.only);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "only NAME", .what = "this call alone"},
		{0},
	};

	options.rounds = bench_parse(argc, argv,
				     "Measures each low-level call beside the bare one.", 51, more);
	options.only = more[0].value;
	bench_check(eio_run(NULL, measure_all, NULL), "eio_run");
	if (is_thread_there)
		raw_thread_end(&thread);
	return 0;
}
