/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "uring/fd.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLION = SANITIZED ? 20000 : 1000000 };

static const struct eio_fd zeroed;

RING_TEST(closing_twice_gives_EBADF)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	ck_assert(eio_fd_is_open(r));
	expect_ok(eio_fd_close(r));
	ck_assert(!eio_fd_is_open(r));
	expect_err(eio_fd_close(r), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* Every call that takes a handle. */
static void expect_dead(struct eio_switch *sw, struct eio_fd fd, struct eio_fd other)
{
	char b[8] = "";
	struct iovec iov = {b, sizeof(b)};
	struct eio_addr addr;
	struct eio_chunk c;
	struct statx st;
	struct eio_fd out;

	expect_ok(eio_addr_parse(&addr, "127.0.0.1:1"));
	expect_ok(eio_ll_alloc_fixed(&c));
	ck_assert(!eio_fd_is_open(fd));
	expect_err(eio_fd_close(fd), -EBADF);
	expect_err(eio_fd_use(fd), -EBADF);
	expect_err(eio_fd_to_unix(fd, EIO_FD_PEEK), -EBADF);
	expect_err(eio_fd_to_unix(fd, EIO_FD_TAKE), -EBADF);
	expect_err(eio_fd_is_seekable(fd), -EBADF);
	expect_err(eio_fd_is_blocking(fd), -EBADF);
	expect_err(eio_ll_read(fd, b, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_readv(fd, &iov, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_read_upto(fd, c, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_read_exactly(fd, c, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_write(fd, c, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_write_all(fd, b, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_writev(fd, &iov, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_writev_single(fd, &iov, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_ll_openat(sw, fd, "x", O_RDONLY, 0, &out), -EBADF);
	expect_err(eio_ll_openat2(sw, fd, "x", O_RDONLY, 0, 0, &out), -EBADF);
	expect_err(eio_ll_statx(fd, "x", true, STATX_BASIC_STATS, &st), -EBADF);
	expect_err(eio_ll_statx(fd, NULL, true, STATX_BASIC_STATS, &st), -EBADF);
	expect_err(eio_ll_fstat(fd, &st), -EBADF);
	expect_err(eio_ll_fsync(fd), -EBADF);
	expect_err(eio_ll_fdatasync(fd), -EBADF);
	expect_err(eio_ll_splice(fd, other, 1), -EBADF);
	expect_err(eio_ll_splice(other, fd, 1), -EBADF);
	expect_err(eio_ll_await_readable(fd), -EBADF);
	expect_err(eio_ll_await_writable(fd), -EBADF);
	expect_err(eio_ll_poll(fd, POLLIN), -EBADF);
	expect_err(eio_ll_bind(fd, &addr), -EBADF);
	expect_err(eio_ll_listen(fd, 1), -EBADF);
	expect_err(eio_ll_accept(sw, fd, &out, NULL), -EBADF);
	expect_err(eio_ll_close_listener(fd), -EBADF);
	expect_err(eio_ll_connect(fd, &addr), -EBADF);
	expect_err(eio_ll_shutdown(fd, SHUT_RDWR), -EBADF);
	expect_err(eio_ll_send(fd, b, 1, 0), -EBADF);
	expect_err(eio_ll_recv(fd, b, 1, 0), -EBADF);
	eio_ll_free_fixed(c);
}

RING_TEST(every_call_on_a_closed_handle_gives_EBADF)
{
	struct eio_switch sw;
	struct eio_fd r, w, other_r, other_w;
	int was;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	was = number(w);
	expect_ok(eio_fd_close(w));
	pipe_on(&sw, &other_r, &other_w);
	ck_assert(number(other_r) == was || number(other_w) == was);
	expect_dead(&sw, w, other_r);
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	ck_assert_int_eq(readable_bytes(number(other_r)), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(every_call_on_a_handle_that_never_was_gives_EBADF)
{
	static const struct eio_fd wild = {0x00fffff0, 7};
	struct eio_switch sw;
	struct eio_fd r, w, future;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	future = r;
	future.generation++;
	expect_dead(&sw, zeroed, r);
	expect_dead(&sw, wild, r);
	expect_dead(&sw, future, r);
	return eio_switch_end(&sw, 0);
}

/* The two that stand for places are directories and nothing else. */
RING_TEST(places_are_no_descriptors)
{
	char b;

	(void) arg;
	expect_err(eio_fd_use(EIO_CWD), -EBADF);
	expect_err(eio_fd_close(EIO_FS), -EBADF);
	expect_err(eio_ll_read(EIO_CWD, &b, 1, 0), -EBADF);
	expect_err(eio_ll_fsync(EIO_FS), -EBADF);
	return 0;
}

/* White box: the slot's state starts with a generation close to its last. */
static struct eio__slot *slot_at(struct eio_fd *fd, uint32_t generation)
{
	struct eio__slot *s = eio__slot(*fd);

	s->state = (uint64_t) generation << 32 | (s->state & UINT32_MAX);
	fd->generation = generation;
	return s;
}

RING_TEST(a_closed_handle_stays_dead_after_a_million_reuses)
{
	int unix_fd = temp_file();
	struct eio_fd first, fd;
	unsigned same_slot = 0;
	char b;

	(void) arg;
	expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &first));
	expect_ok(eio_fd_close(first));
	for (int i = 0; i < MILLION; i++) {
		if (eio_fd_of_unix(NULL, unix_fd, 0, &fd) != 0)
			ck_abort_msg("reuse %d failed", i);
		same_slot += fd.slot == first.slot;
		if (eio_fd_is_open(first) || eio_fd_use(first) != -EBADF)
			ck_abort_msg("reuse %d made the old handle good", i);
		if (eio_fd_close(fd) != 0)
			ck_abort_msg("close %d failed", i);
	}
	ck_assert_uint_gt(same_slot, MILLION / 1000);
	expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &fd));
	expect_err(eio_ll_read(first, &b, 1, 0), -EBADF);
	expect_err(eio_fd_close(first), -EBADF);
	ck_assert(eio_fd_is_open(fd));
	expect_ok(eio_fd_close(fd));
	close(unix_fd);
	return 0;
}

/* The number really goes through the kernel each time. */
RING_TEST(a_closed_handle_does_not_follow_its_number)
{
	struct eio_fd first, fd;
	int was;

	(void) arg;
	was = temp_file();
	expect_ok(eio_fd_of_unix(NULL, was, EIO_FD_CLOSE, &first));
	expect_ok(eio_fd_close(first));
	for (int i = 0; i < MILLION / 50; i++) {
		int next = dup(STDOUT_FILENO);

		ck_assert_int_eq(next, was);
		expect_ok(eio_fd_of_unix(NULL, next, EIO_FD_CLOSE, &fd));
		expect_err(eio_fd_use(first), -EBADF);
		expect_err(eio_fd_close(first), -EBADF);
		expect_ok(eio_fd_close(fd));
	}
	return 0;
}

RING_TEST(a_free_slot_rests_before_it_is_used_again)
{
	struct eio_fd first, fd;

	(void) arg;
	expect_ok(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &first));
	expect_ok(eio_fd_close(first));
	for (int i = 0; i < 16; i++) {
		expect_ok(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &fd));
		ck_assert_uint_ne(fd.slot, first.slot);
		expect_ok(eio_fd_close(fd));
	}
	return 0;
}

RING_TEST(a_slot_whose_generation_would_wrap_is_retired)
{
	int unix_fd = temp_file();
	struct eio_fd last, fd;
	struct eio__slot *s;

	(void) arg;
	expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &last));
	s = slot_at(&last, UINT32_MAX - 1);
	expect_ok(eio_fd_close(last));
	for (int i = 0; i < 100000; i++) {
		expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &fd));
		ck_assert_uint_ne(fd.generation, 0);
		if (fd.slot == last.slot)
			ck_assert_uint_eq(fd.generation, UINT32_MAX);
		expect_ok(eio_fd_close(fd));
	}
	last.generation = UINT32_MAX;
	expect_dead(NULL, last, EIO_STDIN);
	last.generation = 0;
	expect_err(eio_fd_use(last), -EBADF);
	last.generation = 1;
	expect_err(eio_fd_use(last), -EBADF);
	ck_assert_uint_eq(s->state, (uint64_t) UINT32_MAX << 32 | EIO__SLOT_CLOSING);
	close(unix_fd);
	return 0;
}

/* Users */

static int read_one(void *arg)
{
	struct eio_fd *fd = arg;
	char b = 0;

	note("reads");
	expect_err(eio_ll_read(*fd, &b, 1, EIO_CURRENT), 1);
	note("got %c", b);
	return 0;
}

RING_TEST(the_last_user_of_a_closed_handle_closes)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;
	int unix_r, thief;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_r = number(r);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &r));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fd_close(r));
	note("closed");
	/* New uses fail at once, the old one goes on. */
	expect_err(eio_ll_read(r, &b, 1, EIO_CURRENT), -EBADF);
	expect_err(eio_fd_close(r), -EBADF);
	ck_assert(is_open(unix_r));
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("reads closed got x");
	expect_ok(eio_ll_noop());
	ck_assert(!is_open(unix_r));
	/* Exactly once: who gets the number now keeps it. */
	thief = dup2(STDOUT_FILENO, unix_r);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(thief));
	close(thief);
	return 0;
}

RING_TEST(a_pinned_descriptor_outlives_its_handle)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	int unix_r;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_r = eio_fd_use(r);
	ck_assert_int_eq(eio_fd_use(r), unix_r);
	expect_ok(eio_fd_close(r));
	eio_fd_unuse(r);
	expect_ok(eio_ll_noop());
	ck_assert(is_open(unix_r));
	eio_fd_unuse(r);
	expect_ok(eio_ll_noop());
	ck_assert(!is_open(unix_r));
	return eio_switch_end(&sw, 0);
}

/* The entry is queued, not yet submitted, when its handle is closed. */
RING_TEST(a_queued_entry_is_not_redirected_by_a_close)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w, other_r, other_w;
	int unix_r;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_r = number(r);
	ck_assert_int_eq(write(number(w), "o", 1), 1);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &r));
	expect_ok(eio_fd_close(r));
	pipe_on(&sw, &other_r, &other_w);
	ck_assert_int_ne(number(other_r), unix_r);
	ck_assert_int_ne(number(other_w), unix_r);
	ck_assert_int_eq(write(number(other_w), "n", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("reads got o");
	return eio_switch_end(&sw, 0);
}

static int take(void *arg)
{
	struct eio_fd *fd = arg;
	int unix_fd;

	note("takes");
	unix_fd = eio_fd_to_unix(*fd, EIO_FD_TAKE);
	ck_assert_int_ge(unix_fd, 0);
	note("taken");
	return unix_fd;
}

static int take_and_keep(void *arg)
{
	struct eio_fd *fd = arg;

	fd[1].slot = (uint32_t) take(fd);
	return 0;
}

RING_TEST(take_waits_for_users_and_hands_the_number_over)
{
	struct eio_switch sw, inner;
	struct eio_fd r[2], w;
	int unix_r;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r[0], &w);
	unix_r = number(r[0]);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, r));
	expect_ok(eio_fork(&inner, take_and_keep, r));
	expect_err(eio_fd_use(r[0]), -EBADF);
	expect_err(eio_fd_to_unix(r[0], EIO_FD_TAKE), -EBADF);
	expect_ok(eio_ll_noop());
	note("write");
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("reads takes write got x taken");
	ck_assert_int_eq((int) r[1].slot, unix_r);
	expect_err(eio_fd_close(r[0]), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(unix_r));
	close(unix_r);
	return 0;
}

RING_TEST(take_without_users_does_not_wait)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	int unix_w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_w = take(&w);
	expect_log("takes taken");
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(unix_w));
	close(unix_w);
	return 0;
}

RING_TEST(take_is_not_cancellable)
{
	struct eio_switch sw, inner;
	struct eio_fd r[2], w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r[0], &w);
	ck_assert_int_ge(eio_fd_use(r[0]), 0);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, take_and_keep, r));
	expect_ok(eio_switch_fail(&inner, -EIO));
	expect_err(eio_yield(), -ECANCELED);
	expect_log("takes");
	eio_fd_unuse(r[0]);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("taken");
	close((int) r[1].slot);
	return eio_switch_end(&sw, 0);
}

RING_TEST(peek_leaves_the_handle)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	int unix_r;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_r = eio_fd_to_unix(r, EIO_FD_PEEK);
	ck_assert(eio_fd_is_open(r));
	ck_assert_int_eq(eio_fd_to_unix(r, EIO_FD_PEEK), unix_r);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(!is_open(unix_r));
	return 0;
}

/* Whose descriptor it is */

RING_TEST(a_borrowed_descriptor_stays_open)
{
	int unix_fd = temp_file();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, unix_fd, 0, &fd));
	expect_ok(eio_fd_close(fd));
	expect_err(eio_fd_use(fd), -EBADF);
	ck_assert(is_open(unix_fd));
	expect_ok(eio_fd_of_unix(&sw, unix_fd, 0, &fd));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_fd_use(fd), -EBADF);
	ck_assert(is_open(unix_fd));
	/* Also when the last user ends its use. */
	expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &fd));
	ck_assert_int_eq(eio_fd_use(fd), unix_fd);
	expect_ok(eio_fd_close(fd));
	eio_fd_unuse(fd);
	expect_ok(eio_ll_noop());
	ck_assert(is_open(unix_fd));
	close(unix_fd);
	return 0;
}

RING_TEST(the_end_of_the_switch_closes_everything)
{
	enum { N = 300 };
	struct eio_fd fds[N];
	struct eio_switch sw;
	unsigned before = count_fds();

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < N; i++)
		fds[i] = file_on(&sw);
	ck_assert_uint_eq(count_fds(), before + N);
	/* Some are gone by then. */
	for (int i = 0; i < N; i += 3)
		expect_ok(eio_fd_close(fds[i]));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(count_fds(), before);
	for (int i = 0; i < N; i++)
		expect_err(eio_fd_use(fds[i]), -EBADF);
	return 0;
}

RING_TEST(a_failed_switch_closes_everything_too)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

RING_TEST(without_a_switch_the_caller_closes)
{
	int unix_fd = temp_file();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(NULL, unix_fd, EIO_FD_CLOSE, &fd));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_int_eq(number(fd), unix_fd);
	expect_ok(eio_fd_close(fd));
	ck_assert(!is_open(unix_fd));
	return 0;
}

RING_TEST(a_cancelled_switch_keeps_a_descriptor_that_exists)
{
	int unix_fd = temp_file();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_ok(eio_fd_of_unix(&sw, unix_fd, EIO_FD_CLOSE, &fd));
	ck_assert_int_eq(number(fd), unix_fd);
	/* Closing is no use: it works in a cancelled context. */
	expect_ok(eio_fd_close(fd));
	ck_assert(!is_open(unix_fd));
	unix_fd = temp_file();
	expect_ok(eio_fd_of_unix(&sw, unix_fd, EIO_FD_CLOSE, &fd));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(!is_open(unix_fd));
	return 0;
}

RING_TEST(what_cannot_be_tracked_is_closed_if_it_was_handed_over)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd fd = zeroed;
	int kept = temp_file();

	(void) arg;
	expect_err(eio_fd_of_unix(NULL, -1, EIO_FD_CLOSE, &fd), -EBADF);
	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_fd_of_unix(&sw, temp_file(), EIO_FD_CLOSE, &fd), -EINVAL);
	expect_err(eio_fd_of_unix(&sw, kept, 0, &fd), -EINVAL);
	ck_assert(is_open(kept));
	close(kept);
	ck_assert_uint_eq(fd.generation, 0);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

static void *track_elsewhere(void *arg)
{
	unsigned before = count_fds();
	struct eio_fd fd;

	expect_err(eio_fd_of_unix(arg, temp_file(), EIO_FD_CLOSE, &fd), -EPERM);
	ck_assert_uint_eq(count_fds(), before);
	/* Attached to nothing it is anybody's. */
	expect_ok(eio_fd_of_unix(NULL, temp_file(), EIO_FD_CLOSE, &fd));
	ck_assert(eio_fd_is_open(fd));
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(count_fds(), before);
	return NULL;
}

static int another_threads_switch(void *arg)
{
	struct eio_switch sw;
	pthread_t t;

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_int_eq(pthread_create(&t, NULL, track_elsewhere, &sw), 0);
	pthread_join(t, NULL);
	return eio_switch_end(&sw, 0);
}

START_TEST(another_threads_switch_is_refused_and_the_descriptor_closed)
{
	warm_up_threads(2);
	run_ring(another_threads_switch, 0);
}
END_TEST

/* What is known about a descriptor */

RING_TEST(seekable_is_known_or_probed)
{
	struct eio_switch sw;
	struct eio_fd r, w, fd;
	int file = temp_file();

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_fd_is_seekable(r));
	expect_err(eio_fd_is_seekable(file_on(&sw)), 1);
	expect_ok(eio_fd_of_unix(&sw, dup(number(w)), EIO_FD_CLOSE, &fd));
	expect_ok(eio_fd_is_seekable(fd));
	expect_ok(eio_fd_is_seekable(fd));
	/* What the caller knows is not looked up. */
	expect_ok(eio_fd_of_unix(&sw, file, EIO_FD_CLOSE | EIO_FD_NOT_SEEKABLE, &fd));
	expect_ok(eio_fd_is_seekable(fd));
	expect_ok(eio_fd_of_unix(&sw, dup(number(w)), EIO_FD_CLOSE | EIO_FD_SEEKABLE, &fd));
	expect_err(eio_fd_is_seekable(fd), 1);
	return eio_switch_end(&sw, 0);
}

RING_TEST(blocking_is_what_the_descriptor_says)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_err(eio_fd_is_blocking(r), 1);
	ck_assert_int_eq(fcntl(number(r), F_SETFL, O_NONBLOCK), 0);
	expect_ok(eio_fd_is_blocking(r));
	return eio_switch_end(&sw, 0);
}

RING_TEST(the_librarys_descriptors_are_close_on_exec)
{
	struct eio_switch sw;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	ck_assert_int_eq(fcntl(number(r), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(number(w), F_GETFD), FD_CLOEXEC);
	return eio_switch_end(&sw, 0);
}

/* Of each call that makes descriptors. */
static void expect_failures(struct eio_switch *sw, struct eio_fd listener, int err)
{
	struct eio_fd a, b;

	expect_err(eio_ll_openat(sw, EIO_FS, "/dev/null", O_RDONLY, 0, &a), err);
	expect_err(eio_ll_openat2(sw, EIO_FS, "/dev/null", O_RDONLY, 0, 0, &a), err);
	expect_err(eio_ll_socket(sw, AF_UNIX, SOCK_STREAM, 0, &a), err);
	expect_err(eio_ll_pipe(sw, &a, &b), err);
	expect_err(eio_ll_accept(sw, listener, &a, NULL), err);
}

RING_TEST(what_cannot_be_opened_leaves_nothing_open)
{
	struct rlimit limit, none;
	struct eio_switch sw, done;
	struct eio_addr addr;
	struct eio_fd listener;
	unsigned before;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	listener = listen_on(&sw, "127.0.0.1:0", &addr);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *) addr.sa, addr.len), 0);
	eio_switch_begin(&done);
	expect_ok(eio_switch_end(&done, 0));
	before = count_fds();
	expect_failures(&done, listener, -EINVAL);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t) client + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect_failures(&sw, listener, -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(count_fds(), before);
	close(client);
	return eio_switch_end(&sw, 0);
}

/* Several threads */

static void *take_with_users(void *arg)
{
	struct eio_fd fd = *(struct eio_fd *) arg;

	expect_err(eio_fd_to_unix(fd, EIO_FD_TAKE), -EPERM);
	ck_assert(eio_fd_is_open(fd));
	return NULL;
}

static int take_outside_a_fiber(void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	int unix_w, taken;
	pthread_t t;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_w = eio_fd_use(w);
	ck_assert_int_eq(pthread_create(&t, NULL, take_with_users, &w), 0);
	pthread_join(t, NULL);
	eio_fd_unuse(w);
	ck_assert(is_open(unix_w));
	taken = eio_fd_to_unix(w, EIO_FD_TAKE);
	ck_assert_int_eq(taken, unix_w);
	close(taken);
	return eio_switch_end(&sw, 0);
}

START_TEST(take_with_users_outside_a_fiber_changes_nothing)
{
	warm_up_threads(2);
	run_ring(take_outside_a_fiber, 0);
}
END_TEST

/* A refused TAKE and a close at the same time: the close is one. */
static void *refuse_takes(void *arg)
{
	struct eio_fd *fd = arg;

	for (int rc = -EPERM; rc == -EPERM;)
		rc = eio_fd_to_unix(*fd, EIO_FD_TAKE);
	return NULL;
}

START_TEST(a_refused_take_is_not_seen_by_a_close)
{
	int unix_fd = temp_file();
	struct eio_fd fd;

	for (int i = 0; i < 100; i++) {
		pthread_t t;

		expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &fd));
		ck_assert_int_eq(eio_fd_use(fd), unix_fd);
		ck_assert_int_eq(pthread_create(&t, NULL, refuse_takes, &fd), 0);
		for (int spin = 0; spin < i * 50; spin++) {
			if (!eio_fd_is_open(fd))
				ck_abort_msg("round %d: the refused TAKE closed it", i);
		}
		expect_ok(eio_fd_close(fd));
		pthread_join(t, NULL);
		eio_fd_unuse(fd);
	}
	close(unix_fd);
}
END_TEST

enum { ROUNDS = SANITIZED ? 100 : 300 };

/* What two threads, each with a domain, do to one handle after another. */
static struct race {
	struct eio_fd fds[ROUNDS];
	unsigned closed[ROUNDS];
	unsigned at[2]; /* the round each thread has come to */
	void (*act)(int i);
} race;

/* Until both have come to the round. */
static void meet(int self, int i)
{
	__atomic_store_n(&race.at[self], i + 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&race.at[!self], __ATOMIC_SEQ_CST) < (unsigned) i + 1)
		sched_yield();
}

static int race_main(struct eio_env *e, void *arg)
{
	int self = arg != NULL;

	(void) e;
	for (int i = 0; i < ROUNDS; i++) {
		meet(self, i);
		race.act(i);
	}
	return 0;
}

static void *race_thread(void *arg)
{
	expect_ok(eio_run(NULL, race_main, arg));
	return NULL;
}

static void run_race(void (*act)(int i))
{
	pthread_t t;

	race.act = act;
	ck_assert_int_eq(pthread_create(&t, NULL, race_thread, &race), 0);
	race_thread(NULL);
	pthread_join(t, NULL);
}

static void make_handles(void)
{
	for (int i = 0; i < ROUNDS; i++)
		expect_ok(eio_fd_of_unix(NULL, dup(STDOUT_FILENO), EIO_FD_CLOSE, &race.fds[i]));
}

static void close_it(int i)
{
	int rc = eio_fd_close(race.fds[i]);

	ck_assert(rc == 0 || rc == -EBADF);
	if (rc == 0)
		__atomic_add_fetch(&race.closed[i], 1, __ATOMIC_RELAXED);
}

static void use_and_close_it(int i)
{
	int unix_fd = eio_fd_use(race.fds[i]);

	if (unix_fd >= 0)
		ck_assert(is_open(unix_fd));
	close_it(i);
	if (unix_fd >= 0) {
		ck_assert(is_open(unix_fd));
		eio_fd_unuse(race.fds[i]);
	}
}

static void run_close_race(void (*act)(int i))
{
	unsigned before;

	warm_up_threads(2);
	before = count_fds();
	make_handles();
	run_race(act);
	for (int i = 0; i < ROUNDS; i++)
		ck_assert_msg(race.closed[i] == 1, "%d closed %u times", i, race.closed[i]);
	ck_assert_uint_eq(count_fds(), before);
}

START_TEST(of_two_domains_racing_to_close_one_does)
{
	run_close_race(close_it);
}
END_TEST

START_TEST(two_domains_racing_to_use_and_close_close_once)
{
	run_close_race(use_and_close_it);
}
END_TEST

/* The first thread's switches own the handles and end, the other one closes them. */
static int owner_main(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct eio_switch sw;
		struct eio_fd fd;

		meet(0, i);
		eio_switch_begin(&sw);
		fd = file_on(&sw);
		race.fds[i].slot = fd.slot;
		__atomic_store_n(&race.fds[i].generation, fd.generation, __ATOMIC_RELEASE);
		for (int spin = 0; spin < i % 256; spin++)
			eio__cpu_relax();
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(eio_fd_use(fd), -EBADF);
	}
	return 0;
}

static int closer_main(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	for (int i = 0; i < ROUNDS; i++) {
		int rc;

		meet(1, i);
		while (!__atomic_load_n(&race.fds[i].generation, __ATOMIC_ACQUIRE))
			sched_yield();
		rc = eio_fd_close(race.fds[i]);
		ck_assert(rc == 0 || rc == -EBADF);
	}
	return 0;
}

static void *owner_thread(void *arg)
{
	expect_ok(eio_run(NULL, owner_main, arg));
	return NULL;
}

START_TEST(a_handle_closed_by_another_domain_leaves_its_switch_well)
{
	unsigned before;
	pthread_t t;

	warm_up_threads(2);
	before = count_fds();
	ck_assert_int_eq(pthread_create(&t, NULL, owner_thread, NULL), 0);
	expect_ok(eio_run(NULL, closer_main, NULL));
	pthread_join(t, NULL);
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* Another domain closes a handle that is on a switch here, and opens many: none of them is
 * closed by the switch. */
static struct eio_fd on_switch, opened_elsewhere[100];
static sem_t closed_elsewhere, switch_ended;

static int close_and_open(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	expect_ok(eio_fd_close(on_switch));
	for (int i = 0; i < 100; i++)
		expect_ok(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &opened_elsewhere[i]));
	sem_post(&closed_elsewhere);
	sem_wait(&switch_ended);
	for (int i = 0; i < 100; i++)
		expect_ok(eio_fd_close(opened_elsewhere[i]));
	return 0;
}

static void *closing_thread(void *arg)
{
	expect_ok(eio_run(NULL, close_and_open, arg));
	return NULL;
}

static int closed_by_another(void *arg)
{
	struct eio_switch sw;
	pthread_t t;

	(void) arg;
	sem_init(&closed_elsewhere, 0, 0);
	sem_init(&switch_ended, 0, 0);
	eio_switch_begin(&sw);
	on_switch = file_on(&sw);
	ck_assert_int_eq(pthread_create(&t, NULL, closing_thread, NULL), 0);
	sem_wait(&closed_elsewhere);
	expect_err(eio_fd_use(on_switch), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 100; i++)
		ck_assert(eio_fd_is_open(opened_elsewhere[i]));
	sem_post(&switch_ended);
	pthread_join(t, NULL);
	return 0;
}

START_TEST(a_slot_released_elsewhere_is_not_reused_before_its_switch_let_go)
{
	warm_up_threads(2);
	run_ring(closed_by_another, 0);
}
END_TEST

/* The number is waited for here while the last user is there: each round of the taker
 * ends with a wake-up from the other domain. */
static int taker_main(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	for (int i = 0; i < ROUNDS; i++) {
		int unix_fd;

		meet(0, i);
		unix_fd = eio_fd_to_unix(race.fds[i], EIO_FD_TAKE);
		ck_assert_int_ge(unix_fd, 0);
		ck_assert_int_eq(close(unix_fd), 0);
		expect_ok(eio_yield());
	}
	return 0;
}

static int user_main(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct eio_fd fd = race.fds[i];
		int unix_fd;

		unix_fd = eio_fd_use(fd);
		ck_assert_int_ge(unix_fd, 0);
		meet(1, i);
		while (eio_fd_is_open(fd))
			sched_yield();
		for (int spin = 0; spin < i % 64; spin++)
			eio__cpu_relax();
		eio_fd_unuse(fd);
	}
	return 0;
}

static void *user_thread(void *arg)
{
	expect_ok(eio_run(NULL, user_main, arg));
	return NULL;
}

START_TEST(take_is_woken_by_the_last_user_in_another_domain)
{
	unsigned before;
	pthread_t t;

	warm_up_threads(2);
	before = count_fds();
	make_handles();
	ck_assert_int_eq(pthread_create(&t, NULL, user_thread, NULL), 0);
	expect_ok(eio_run(NULL, taker_main, NULL));
	pthread_join(t, NULL);
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* Standard descriptors */

RING_TEST(standard_descriptors_are_there_and_never_closed)
{
	(void) arg;
	ck_assert_int_eq(number(EIO_STDIN), 0);
	ck_assert_int_eq(number(EIO_STDOUT), 1);
	ck_assert_int_eq(number(EIO_STDERR), 2);
	expect_ok(eio_fd_close(EIO_STDIN));
	ck_assert(is_open(0));
	expect_err(eio_fd_use(EIO_STDIN), -EBADF);
	return 0;
}

/* Without libcheck, which knows nothing of this process: the line that is wrong, or 0. */
#define OR_LINE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static int without_stdin(struct eio_env *e, void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b;

	(void) arg;
	OR_LINE(eio_fd_use(EIO_STDIN) == -EBADF);
	OR_LINE(eio_flow_read(e->in, &b, 1) == -EBADF);
	/* The number is taken, by the ring or by this. */
	eio_switch_begin(&sw);
	OR_LINE(eio_ll_pipe(&sw, &r, &w) == 0);
	OR_LINE(is_open(0));
	OR_LINE(eio_ll_write_all(w, "x", 1, EIO_CURRENT) == 0);
	OR_LINE(eio_ll_read(EIO_STDIN, &b, 1, EIO_CURRENT) == -EBADF);
	OR_LINE(eio_ll_read(r, &b, 1, EIO_CURRENT) == 1);
	OR_LINE(eio_switch_end(&sw, 0) == 0);
	OR_LINE(eio_fd_close(EIO_STDIN) == -EBADF);
	OR_LINE(is_open(1));
	return eio_flow_write(e->out, "well\n", 5);
}

/* The test program itself, started anew without standard input. */
static __attribute__((constructor)) void be_a_child(void)
{
	int rc;

	if (!getenv("EIO_TEST_WITHOUT_STDIN"))
		return;
	rc = eio_run(NULL, without_stdin, NULL);
	if (rc != 0)
		fprintf(stderr, "line %d, or code\n", rc);
	_exit(rc != 0);
}

START_TEST(a_standard_input_closed_at_the_start_stays_closed)
{
	char out[16] = "";
	int ends[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		close(0);
		setenv("EIO_TEST_WITHOUT_STDIN", "1", 1);
		execl("/proc/self/exe", "test_fd", (char *) NULL);
		_exit(127);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], out, sizeof(out) - 1), 5);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(out, "well\n");
}
END_TEST

/* Closing by the ring, and without it */

struct closing {
	size_t turns; /* of another fiber */
	bool over;
};

static int take_turns(void *arg)
{
	struct closing *c = arg;

	while (!c->over) {
		c->turns++;
		expect_ok(eio_yield());
	}
	return 0;
}

struct closer {
	struct closing *c;
	struct eio_fd *fds;
	size_t n;
};

/* In a fiber of its own, which has made no direct calls yet. */
static int close_them(void *arg)
{
	struct closer *c = arg;

	for (size_t i = 0; i < c->n; i++)
		expect_ok(eio_fd_close(c->fds[i]));
	c->c->over = true;
	return 0;
}

/* How many turns another fiber had while the @p n were closed. */
static size_t turns_while_closed(struct eio_fd *fds, size_t n)
{
	struct closing c = {0};
	struct closer closer = {&c, fds, n};
	struct eio_switch sw;
	size_t before;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, take_turns, &c));
	before = c.turns;
	expect_ok(eio_fork(&sw, close_them, &closer));
	/* If that suspended, the end of the switch lets it finish. */
	expect_ok(eio_switch_end(&sw, 0));
	return c.turns - before;
}

enum { FEW = EIO__DIRECT_IN_A_ROW, MANY = 100 };

static void make_sockets(struct eio_fd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect_ok(eio_ll_socket(NULL, AF_UNIX, SOCK_STREAM, 0, &fds[i]));
}

RING_TEST(a_socket_is_closed_without_waiting_for_the_ring)
{
	unsigned before = count_fds();
	struct eio_fd fds[FEW];

	(void) arg;
	make_sockets(fds, FEW);
	ck_assert_uint_eq(turns_while_closed(fds, FEW), 0);
	for (size_t i = 0; i < FEW; i += 2)
		expect_ok(eio_ll_socketpair(NULL, AF_UNIX, SOCK_STREAM, 0, &fds[i], &fds[i + 1]));
	ck_assert_uint_eq(turns_while_closed(fds, FEW), 0);
	for (size_t i = 0; i < FEW; i += 2)
		expect_ok(eio_ll_pipe(NULL, &fds[i], &fds[i + 1]));
	ck_assert_uint_eq(turns_while_closed(fds, FEW), 0);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

/* Under TSan nothing is closed by the ring. */
#ifndef EIO__TSAN
RING_TEST(who_closes_many_sockets_lets_others_run)
{
	unsigned before = count_fds();
	struct eio_fd fds[MANY];

	(void) arg;
	make_sockets(fds, MANY);
	ck_assert_uint_ge(turns_while_closed(fds, MANY), MANY / (FEW + 1));
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

RING_TEST(what_came_from_outside_is_closed_by_the_ring)
{
	unsigned before = count_fds();
	struct eio_fd fds[FEW];

	(void) arg;
	for (size_t i = 0; i < FEW; i++)
		expect_ok(eio_fd_of_unix(NULL, dup(STDIN_FILENO), EIO_FD_CLOSE, &fds[i]));
	ck_assert_uint_ge(turns_while_closed(fds, FEW), FEW);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

static int close_restricted(void *arg)
{
	unsigned before = count_fds();
	struct eio_fd fds[FEW];

	(void) arg;
	make_sockets(fds, FEW);
	ck_assert_uint_ge(turns_while_closed(fds, FEW), FEW);
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

START_TEST(in_a_restricted_run_sockets_are_closed_by_the_ring)
{
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_RESTRICT}, close_restricted, 0);
}
END_TEST
#endif

#ifdef EIO__TSAN
#define CLOSED_BY_RING
#else
#define CLOSED_BY_RING                                                                             \
	who_closes_many_sockets_lets_others_run_test,                                              \
		what_came_from_outside_is_closed_by_the_ring_test,                                 \
		in_a_restricted_run_sockets_are_closed_by_the_ring,
#endif

SUITE_MAIN("fd", true, CLOSED_BY_RING a_socket_is_closed_without_waiting_for_the_ring_test,
	   closing_twice_gives_EBADF_test, every_call_on_a_closed_handle_gives_EBADF_test,
	   every_call_on_a_handle_that_never_was_gives_EBADF_test, places_are_no_descriptors_test,
	   a_closed_handle_stays_dead_after_a_million_reuses_test,
	   a_closed_handle_does_not_follow_its_number_test,
	   a_free_slot_rests_before_it_is_used_again_test,
	   a_slot_whose_generation_would_wrap_is_retired_test,
	   the_last_user_of_a_closed_handle_closes_test,
	   a_pinned_descriptor_outlives_its_handle_test,
	   a_queued_entry_is_not_redirected_by_a_close_test,
	   take_waits_for_users_and_hands_the_number_over_test,
	   take_without_users_does_not_wait_test, take_is_not_cancellable_test,
	   peek_leaves_the_handle_test, a_borrowed_descriptor_stays_open_test,
	   the_end_of_the_switch_closes_everything_test, a_failed_switch_closes_everything_too_test,
	   without_a_switch_the_caller_closes_test,
	   a_cancelled_switch_keeps_a_descriptor_that_exists_test,
	   what_cannot_be_tracked_is_closed_if_it_was_handed_over_test,
	   another_threads_switch_is_refused_and_the_descriptor_closed,
	   seekable_is_known_or_probed_test, blocking_is_what_the_descriptor_says_test,
	   the_librarys_descriptors_are_close_on_exec_test,
	   what_cannot_be_opened_leaves_nothing_open_test,
	   take_with_users_outside_a_fiber_changes_nothing, a_refused_take_is_not_seen_by_a_close,
	   of_two_domains_racing_to_close_one_does, two_domains_racing_to_use_and_close_close_once,
	   a_handle_closed_by_another_domain_leaves_its_switch_well,
	   a_slot_released_elsewhere_is_not_reused_before_its_switch_let_go,
	   take_is_woken_by_the_last_user_in_another_domain,
	   standard_descriptors_are_there_and_never_closed_test,
	   a_standard_input_closed_at_the_start_stays_closed)
