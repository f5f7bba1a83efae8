/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include "uring/fd.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = SANITIZED ? 20000 : 1000000, PLACES = 4 };

/* Entries that named a place instead of a number. */
static struct faults faults;
static unsigned by_place;

static void count_entries(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	struct io_uring_sq *sq = &r->uring.sq;

	(void) wait, (void) timeout_ns;
	for (unsigned i = faults.seen; i != sq->sqe_tail; i++)
		by_place += sq->sqes[i & sq->ring_mask].flags & IOSQE_FIXED_FILE ? 1 : 0;
}

static unsigned places_used(void)
{
	return eio__uring_self()->files.used;
}

/* Runs @p fn with a table of a few places, and the entries looked at. */
static void run_direct(eio_fn *fn)
{
	struct eio_config config = {.n_files = PLACES};

	faults = (struct faults){.on_enter = count_entries};
	by_place = 0;
	warm_up_threads(2);
	faults_install(&faults);
	run_ring_with(&config, fn, 0);
	faults_install(NULL);
}

/* Older kernels give ordinary handles: nothing to test but that. */
static int look_at_kernel(struct eio_env *e, void *arg)
{
	(void) e;
	*(bool *) arg = eio_ll_ring()->features & IORING_FEAT_RW_ATTR;
	return 0;
}

static bool kernel_has_it(void)
{
	bool has = false;

	expect_ok(eio_run(NULL, look_at_kernel, &has));
	return has;
}

#define DIRECT_TEST(name)                                                                          \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		if (kernel_has_it())                                                               \
			run_direct(name);                                                          \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

/* The result of @p fn in a domain of its own, with a ring; the caller's stands still. */
struct elsewhere {
	eio_fn *fn;
	void *arg;
};

static int elsewhere_main(struct eio_env *e, void *arg)
{
	struct elsewhere *w = arg;

	(void) e;
	return w->fn(w->arg);
}

static int run_elsewhere(void *arg)
{
	return eio_run(NULL, elsewhere_main, arg);
}

static int in_other_ring(eio_fn *fn, void *arg)
{
	struct elsewhere w = {fn, arg};

	return on_plain_thread(run_elsewhere, &w);
}

static struct eio_fd direct_file(struct eio_switch *sw)
{
	struct eio_fd fd;

	expect_ok(eio_ll_openat_direct(sw, EIO_FS, "/tmp", O_TMPFILE | O_RDWR, 0600, &fd));
	return fd;
}

static void expect_works(struct eio_fd fd)
{
	char b[4] = "";

	expect_ok(eio_ll_write_all(fd, "abc", 3, 0));
	expect_err(eio_ll_read(fd, b, 3, 0), 3);
	ck_assert_str_eq(b, "abc");
}

/* Registered */

DIRECT_TEST(a_registered_handle_is_used_by_its_place)
{
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_works(fd);
	ck_assert_uint_eq(by_place, 0);
	expect_ok(eio_ll_fd_register(fd));
	expect_works(fd);
	ck_assert_uint_eq(by_place, 2);
	ck_assert_uint_eq(places_used(), 1);
	/* Once is enough. */
	expect_ok(eio_ll_fd_register(fd));
	ck_assert_uint_eq(places_used(), 1);
	ck_assert_uint_eq(faults.entries[IORING_OP_FILES_UPDATE], 1);
	ck_assert(is_open(number(fd)));
	return eio_switch_end(&sw, 0);
}

static int register_it(void *arg)
{
	return eio_ll_fd_register(*(struct eio_fd *) arg);
}

DIRECT_TEST(two_fibers_registering_a_handle_take_one_place)
{
	struct eio_switch sw, inner;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, register_it, &fd));
	expect_ok(eio_fork(&inner, register_it, &fd));
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert_uint_eq(places_used(), 1);
	expect_works(fd);
	ck_assert_uint_eq(by_place, 2);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(closing_a_registered_handle_frees_number_and_place)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	int unix_w;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_w = number(w);
	expect_ok(eio_ll_fd_register(w));
	expect_ok(eio_fd_close(w));
	ck_assert(!is_open(unix_w));
	ck_assert_uint_eq(places_used(), 0);
	/* Nobody has the file any more. */
	expect_ok(eio_ll_read(r, &b, 1, EIO_CURRENT));
	return eio_switch_end(&sw, 0);
}

/* Closing the file behind a handle's back does not redirect it. */
DIRECT_TEST(a_registered_handle_does_not_follow_its_number)
{
	struct eio_switch sw;
	struct eio_fd fd;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_fd_register(fd));
	unix_fd = number(fd);
	ck_assert_int_eq(dup2(STDOUT_FILENO, unix_fd), unix_fd);
	expect_works(fd);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_borrowed_number_stays_open_when_its_registered_handle_ends)
{
	int unix_fd = temp_file();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, unix_fd, 0, &fd));
	expect_ok(eio_ll_fd_register(fd));
	expect_works(fd);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(unix_fd));
	ck_assert_uint_eq(places_used(), 0);
	close(unix_fd);
	return 0;
}

DIRECT_TEST(taking_a_registered_handle_frees_its_place)
{
	struct eio_switch sw;
	struct eio_fd fd;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_fd_register(fd));
	unix_fd = eio_fd_to_unix(fd, EIO_FD_TAKE);
	ck_assert_int_ge(unix_fd, 0);
	ck_assert_uint_eq(places_used(), 0);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(unix_fd));
	close(unix_fd);
	return 0;
}

DIRECT_TEST(what_cannot_be_registered_goes_on_as_it_was)
{
	struct eio_fd fds[PLACES + 1], place, closed;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/", O_PATH, 0, &place));
	expect_err(eio_ll_fd_register(place), -EBADF);
	ck_assert_uint_eq(places_used(), 0);
	for (int i = 0; i < PLACES; i++) {
		fds[i] = file_on(&sw);
		expect_ok(eio_ll_fd_register(fds[i]));
	}
	fds[PLACES] = file_on(&sw);
	expect_err(eio_ll_fd_register(fds[PLACES]), -ENFILE);
	for (int i = 0; i <= PLACES; i++)
		expect_works(fds[i]);
	ck_assert_uint_eq(by_place, 2 * PLACES);
	closed = fds[0];
	expect_ok(eio_fd_close(closed));
	expect_err(eio_ll_fd_register(closed), -EBADF);
	expect_ok(eio_ll_fd_register(fds[PLACES]));
	return eio_switch_end(&sw, 0);
}

/* Operations that know only numbers. */
DIRECT_TEST(paths_start_at_a_registered_or_direct_directory)
{
	struct eio_fd dirs[2], fd;
	struct eio_switch sw;
	struct statx st;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/dev", O_PATH | O_DIRECTORY, 0, &dirs[0]));
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/dev", O_RDONLY | O_DIRECTORY, 0, &dirs[0]));
	expect_ok(eio_ll_fd_register(dirs[0]));
	expect_ok(eio_ll_openat_direct(&sw, EIO_FS, "/dev", O_RDONLY | O_DIRECTORY, 0, &dirs[1]));
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_ll_openat(&sw, dirs[i], "null", O_RDONLY, 0, &fd));
		expect_ok(eio_ll_statx(dirs[i], "null", true, STATX_BASIC_STATS, &st));
		expect_ok(eio_ll_fstat(dirs[i], &st));
	}
	return eio_switch_end(&sw, 0);
}

static int open_beneath(void *arg)
{
	struct eio_fd fd;

	expect_err(eio_ll_openat(NULL, *(struct eio_fd *) arg, "null", O_RDONLY, 0, &fd),
		   -ECANCELED);
	return 0;
}

/* Nobody would cancel the operation, which might wait for ever. */
DIRECT_TEST(what_is_cancelled_while_it_gets_a_number_does_not_begin)
{
	struct eio_switch sw, inner;
	struct eio_fd dir;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat_direct(&sw, EIO_FS, "/dev", O_RDONLY | O_DIRECTORY, 0, &dir));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, open_beneath, &dir));
	end_cancelled(&inner);
	return eio_switch_end(&sw, 0);
}

/* Direct */

DIRECT_TEST(a_direct_file_has_no_number)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 1);
	expect_works(fd);
	expect_ok(eio_ll_fsync(fd));
	expect_err(eio_ll_poll(fd, POLLIN), POLLIN);
	ck_assert_uint_eq(by_place, 4);
	ck_assert_uint_eq(count_fds(), before);
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(places_used(), 0);
	expect_err(eio_ll_fsync(fd), -EBADF);
	expect_err(eio_fd_close(fd), -EBADF);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_direct_handle_gets_one_number_when_it_needs_one)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd fd;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	unix_fd = eio_fd_use(fd);
	ck_assert(is_open(unix_fd));
	ck_assert_int_eq(fcntl(unix_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(number(fd), unix_fd);
	eio_fd_unuse(fd);
	ck_assert_uint_eq(count_fds(), before + 1);
	/* The ring still goes by the place. */
	by_place = 0;
	expect_works(fd);
	ck_assert_uint_eq(by_place, 2);
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 0);
	return eio_switch_end(&sw, 0);
}

static int use_it(void *arg)
{
	struct eio_fd fd = *(struct eio_fd *) arg;
	int unix_fd = eio_fd_use(fd);

	ck_assert(is_open(unix_fd));
	note("%d", unix_fd);
	eio_fd_unuse(fd);
	return 0;
}

DIRECT_TEST(two_fibers_that_need_the_number_get_the_same)
{
	unsigned before = count_fds();
	struct eio_switch sw, inner;
	struct eio_fd fd;
	char both[32];

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, use_it, &fd));
	expect_ok(eio_fork(&inner, use_it, &fd));
	expect_ok(eio_switch_end(&inner, 0));
	snprintf(both, sizeof(both), "%d %d", number(fd), number(fd));
	expect_log(both);
	ck_assert_uint_eq(count_fds(), before + 1);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(calls_without_an_operation_of_the_ring_take_direct_handles)
{
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd fd, l;
	struct statx st;

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	expect_err(eio_fd_is_seekable(fd), 1);
	expect_err(eio_fd_is_blocking(fd), 1);
	expect_ok(eio_ll_fstat(fd, &st));
	expect_ok(eio_ll_socket_direct(&sw, AF_INET, SOCK_STREAM, 0, &l));
	expect_ok(eio_fd_is_seekable(l));
	expect_ok(eio_addr_parse(&addr, "127.0.0.1:0"));
	expect_ok(eio_ll_bind(l, &addr));
	expect_ok(eio_ll_listen(l, 1));
	expect_ok(eio_ll_close_listener(l));
	ck_assert_uint_eq(places_used(), 1);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_known_kind_needs_no_number)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM, 0, &fd));
	expect_ok(eio_fd_is_seekable(fd));
	ck_assert_uint_eq(count_fds(), before);
	/* Nor does the closing of a listener that never listened. */
	expect_ok(eio_ll_close_listener(fd));
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 0);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(taking_a_direct_handle_gives_it_a_number_and_frees_its_place)
{
	struct eio_switch sw;
	struct eio_fd fd;
	int unix_fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	expect_works(fd);
	unix_fd = eio_fd_to_unix(fd, EIO_FD_TAKE);
	ck_assert(is_open(unix_fd));
	ck_assert_uint_eq(places_used(), 0);
	expect_err(eio_fd_close(fd), -EBADF);
	expect_err(eio_fd_to_unix(fd, EIO_FD_TAKE), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_open(unix_fd));
	close(unix_fd);
	return 0;
}

DIRECT_TEST(without_a_number_left_a_direct_handle_stays_open)
{
	struct faults *f = &faults;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	for (int i = 0; i < 4; i++) {
		f->refuse.opcode = EIO__OP_FIXED_FD_INSTALL;
		f->refuse.err = -EMFILE;
		f->refuse.nth = 1;
		if (i == 0)
			expect_err(eio_fd_use(fd), -EMFILE);
		else if (i == 1)
			expect_err(eio_fd_to_unix(fd, EIO_FD_PEEK), -EMFILE);
		else if (i == 2)
			expect_err(eio_fd_to_unix(fd, EIO_FD_TAKE), -EMFILE);
		else
			expect_err(eio_fd_is_seekable(fd), -EMFILE);
		ck_assert(eio_fd_is_open(fd));
	}
	expect_works(fd);
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(places_used(), 0);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_full_table_gives_ordinary_handles)
{
	unsigned before = count_fds();
	struct eio_fd fds[PLACES + 1], s;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i <= PLACES; i++)
		fds[i] = direct_file(&sw);
	ck_assert_uint_eq(count_fds(), before + 1);
	ck_assert_uint_eq(places_used(), PLACES);
	for (int i = 0; i <= PLACES; i++)
		expect_works(fds[i]);
	ck_assert_uint_eq(by_place, 2 * PLACES);
	expect_ok(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM, 0, &s));
	ck_assert_uint_eq(count_fds(), before + 2);
	/* A place that is given up is taken again. */
	expect_ok(eio_fd_close(fds[1]));
	fds[1] = direct_file(&sw);
	ck_assert_uint_eq(count_fds(), before + 2);
	expect_works(fds[1]);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(what_fails_to_open_gives_its_place_back)
{
	struct eio_switch sw, done;
	struct eio_cancel c;
	struct eio_addr addr;
	struct eio_fd fd, l;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	for (int i = 0; i < 2 * PLACES; i++) {
		expect_err(eio_ll_openat_direct(&sw, EIO_FS, "/none", O_RDONLY, 0, &fd), -ENOENT);
		expect_err(eio_ll_socket_direct(&sw, AF_UNIX, 77, 0, &fd), -EINVAL);
		expect_err(eio_ll_accept_direct(&sw, file_on(&sw), &fd, NULL), -ENOTSOCK);
		eio_cancel_begin(&c);
		eio_cancel_raise(&c, -EIO);
		expect_err(eio_ll_openat_direct(&sw, EIO_FS, "/", O_RDONLY, 0, &fd), -ECANCELED);
		expect_err(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM, 0, &fd), -ECANCELED);
		expect_err(eio_ll_accept_direct(&sw, l, &fd, NULL), -ECANCELED);
		expect_err(eio_ll_fd_register(l), -ECANCELED);
		eio_cancel_end(&c);
	}
	ck_assert_uint_eq(places_used(), 0);
	eio_switch_begin(&done);
	expect_ok(eio_switch_end(&done, 0));
	expect_err(eio_ll_openat_direct(&done, EIO_FS, "/", O_RDONLY, 0, &fd), -EINVAL);
	expect_err(eio_ll_socket_direct(&done, AF_UNIX, SOCK_STREAM, 0, &fd), -EINVAL);
	expect_err(eio_ll_accept_direct(&done, l, &fd, NULL), -EINVAL);
	ck_assert_uint_eq(places_used(), 0);
	return eio_switch_end(&sw, 0);
}

/* It exists by then, and nobody can have it. */
DIRECT_TEST(what_cannot_be_tracked_gives_its_place_back)
{
	struct eio_switch done;
	struct eio_fd fd;

	(void) arg;
	ck_assert(eio__files_promise(eio__uring_self()));
	eio_switch_begin(&done);
	expect_ok(eio_switch_end(&done, 0));
	expect_err(eio__files_track(&done, 0, 0, &fd), -EINVAL);
	ck_assert_uint_eq(places_used(), 0);
	return 0;
}

/* Connections */

static int raw_client(const struct eio_addr *addr)
{
	int unix_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(addr, &len);

	ck_assert_int_eq(connect(unix_fd, sa, (socklen_t) len), 0);
	return unix_fd;
}

DIRECT_TEST(a_direct_connection_receives_sends_and_ends)
{
	struct eio_addr addr, peer;
	struct eio_switch sw;
	struct eio_fd l, conn;
	unsigned before;
	char b[4] = "";
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_fd_register(l));
	client = raw_client(&addr);
	before = count_fds();
	expect_ok(eio_ll_accept_direct(&sw, l, &conn, &peer));
	ck_assert_uint_ne(eio_addr_port(&peer), 0);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_int_eq(write(client, "abc", 3), 3);
	expect_err(eio_ll_recv(conn, b, 3, 0), 3);
	ck_assert_str_eq(b, "abc");
	expect_err(eio_ll_send(conn, "de", 2, 0), 2);
	ck_assert_int_eq(read(client, b, 3), 2);
	expect_ok(eio_fd_close(conn));
	ck_assert_int_eq(read(client, b, 1), 0);
	close(client);
	ck_assert_uint_eq(places_used(), 1);
	return eio_switch_end(&sw, 0);
}

/* With and without copying, by messages, and by an iterator, which goes by number. */
DIRECT_TEST(all_ways_of_sending_and_receiving_take_direct_handles)
{
	static char big[3 * 4096];
	struct eio_ll_zc z = {.threshold = 1};
	struct iovec iov = {big, 3};
	struct eio_ll_received with;
	struct eio_ll_buffers group;
	struct eio_ll_views views;
	struct eio_ll_view view;
	struct eio_addr addr;
	struct eio_switch sw;
	struct eio_fd l, conn;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	client = raw_client(&addr);
	expect_ok(eio_ll_accept_direct(&sw, l, &conn, NULL));
	expect_err(eio_ll_send_zc(conn, "abc", 3, 0, &z), 3);
	expect_err(eio_ll_send_msg_zc(conn, NULL, &iov, 1, 0, &z), 3);
	expect_ok(eio_ll_zc_await(&z));
	expect_err(eio_ll_send_msg(conn, NULL, &iov, 1, NULL, 0, 0), 3);
	expect_ok(eio_ll_send_all(conn, big, 3, 0));
	ck_assert_int_eq(recv(client, big, 12, MSG_WAITALL), 12);
	ck_assert_int_eq(write(client, "defghi", 6), 6);
	expect_err(eio_ll_recv_msg(conn, &iov, 1, 0, &with), 3);
	ck_assert_mem_eq(big, "def", 3);
	expect_ok(eio_ll_recv_exactly(conn, big, 3));
	ck_assert_mem_eq(big, "ghi", 3);
	eio_ll_zc_end(&z);
	expect_ok(eio_ll_buffers_init(&group, 2, 64, 0));
	expect_ok(eio_ll_views_recv(&views, conn, &group));
	ck_assert_int_eq(write(client, "jk", 2), 2);
	expect_err(eio_ll_views_next(&views, &view), 1);
	ck_assert_uint_eq(view.len, 2);
	ck_assert_mem_eq(view.data, "jk", 2);
	expect_ok(eio_ll_view_return(&group, view));
	expect_ok(eio_ll_views_end(&views));
	expect_ok(eio_ll_buffers_fini(&group));
	close(client);
	return eio_switch_end(&sw, 0);
}

static int poll_it(void *arg)
{
	expect_err(eio_ll_poll(*(struct eio_fd *) arg, POLLIN), -ECANCELED);
	return 0;
}

/* As kernels may do that heed O_NONBLOCK: what waits then opens nothing. */
DIRECT_TEST(an_accept_that_has_to_poll_is_direct_after_that)
{
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l, conn;
	unsigned before;
	int client;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	client = raw_client(&addr);
	faults.refuse.opcode = IORING_OP_ACCEPT;
	faults.refuse.err = -EAGAIN;
	faults.refuse.nth = 1;
	before = count_fds();
	expect_ok(eio_ll_accept_direct(&sw, l, &conn, NULL));
	ck_assert_uint_eq(faults.entries[IORING_OP_POLL_ADD], 1);
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 1);
	close(client);
	return eio_switch_end(&sw, 0);
}

/* Also while something older waits on another place of the table. */
DIRECT_TEST(a_closed_connection_ends_at_once)
{
	struct eio_switch sw, inner;
	struct eio_addr addr;
	struct eio_fd l, conn;
	int client;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_fd_register(l));
	client = raw_client(&addr);
	expect_ok(eio_ll_accept_direct(&sw, l, &conn, NULL));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, poll_it, &l));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fd_close(conn));
	ck_assert_int_eq(recv(client, &b, 1, MSG_DONTWAIT), 0);
	close(client);
	end_cancelled(&inner);
	return eio_switch_end(&sw, 0);
}

/* The kernel would take the connection before it finds that there is no place. */
DIRECT_TEST(no_connection_is_lost_for_want_of_a_place)
{
	enum { CLIENTS = 2 * PLACES };
	int clients[CLIENTS];
	struct eio_fd l, conns[CLIENTS];
	struct eio_switch sw;
	struct eio_addr addr;
	unsigned before;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = raw_client(&addr);
	before = count_fds();
	for (int i = 0; i < CLIENTS; i++)
		expect_ok(eio_ll_accept_direct(&sw, l, &conns[i], NULL));
	ck_assert_uint_eq(count_fds(), before + CLIENTS - PLACES);
	for (int i = 0; i < CLIENTS; i++) {
		char b;

		expect_err(eio_ll_send(conns[i], "x", 1, 0), 1);
		ck_assert_int_eq(read(clients[i], &b, 1), 1);
		close(clients[i]);
	}
	return eio_switch_end(&sw, 0);
}

/* The number comes after the close has begun. */
DIRECT_TEST(closing_a_listener_that_gets_its_number_closes_that)
{
	unsigned before = count_fds();
	struct eio_switch sw, inner;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM, 0, &fd));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, use_it, &fd));
	expect_ok(eio_ll_close_listener(fd));
	expect_ok(eio_switch_end(&inner, 0));
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 0);
	log_clear();
	return eio_switch_end(&sw, 0);
}

static int accept_one(void *arg)
{
	struct eio_fd *fds = arg;
	int rc = eio_ll_accept_direct(NULL, fds[0], &fds[1], NULL);

	note("%s", rc ? eio_err_name(rc) : "accepted");
	return 0;
}

/* Promised places count: of the accepts in flight no more than there are places. */
DIRECT_TEST(closing_a_listener_ends_its_direct_accepts)
{
	struct eio_fd fds[PLACES + 1][2], l;
	struct eio_switch sw, inner;
	struct eio_addr addr;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	eio_switch_begin(&inner);
	for (int i = 0; i <= PLACES; i++) {
		fds[i][0] = l;
		expect_ok(eio_fork(&inner, accept_one, fds[i]));
	}
	ck_assert_uint_eq(places_used(), PLACES);
	expect_ok(eio_ll_noop());
	expect_ok(eio_ll_close_listener(l));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EBADF EBADF EBADF EBADF EBADF");
	ck_assert_uint_eq(places_used(), 0);
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_registered_listener_lets_go_of_its_port)
{
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l, again;

	(void) arg;
	eio_switch_begin(&sw);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_fd_register(l));
	expect_ok(eio_ll_close_listener(l));
	ck_assert_uint_eq(places_used(), 0);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &again));
	expect_ok(eio_ll_bind(again, &addr));
	return eio_switch_end(&sw, 0);
}

/* Users and generations */

static int read_one(void *arg)
{
	struct eio_fd *fd = arg;
	char b = 0;

	note("reads");
	expect_err(eio_ll_read(*fd, &b, 1, EIO_CURRENT), 1);
	note("got %c", b);
	return 0;
}

DIRECT_TEST(the_last_user_of_a_closed_handle_frees_its_place)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;
	int unix_r;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	unix_r = number(r);
	expect_ok(eio_ll_fd_register(r));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &r));
	expect_ok(eio_ll_noop());
	expect_ok(eio_fd_close(r));
	expect_err(eio_ll_read(r, &b, 1, EIO_CURRENT), -EBADF);
	ck_assert_uint_eq(places_used(), 1);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("reads got x");
	ck_assert_uint_eq(places_used(), 0);
	ck_assert(!is_open(unix_r));
	return eio_switch_end(&sw, 0);
}

/* The entry is queued, not yet submitted, when its handle is closed, and all places but its
 * own are filled with other files. */
DIRECT_TEST(a_queued_entry_is_not_redirected_by_a_close)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_fd_register(r));
	ck_assert_int_eq(write(number(w), "o", 1), 1);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &r));
	expect_ok(eio_fd_close(r));
	for (int i = 0; i < PLACES; i++) {
		struct eio_fd fd = direct_file(&sw);

		expect_ok(eio_ll_write_all(fd, "n", 1, 0));
	}
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("reads got o");
	return eio_switch_end(&sw, 0);
}

/* The write is queued, and so is the close: the next file gets the very place. */
static int write_and_close(void *arg)
{
	struct eio_fd fd = *(struct eio_fd *) arg;

	expect_ok(eio_ll_write_all(fd, "old", 3, 0));
	expect_ok(eio_fd_close(fd));
	return 0;
}

DIRECT_TEST(a_place_is_not_filled_before_its_old_entries_are_done)
{
	struct eio_switch sw;
	struct eio_fd fds[PLACES];
	char b[4];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < PLACES; i++)
		fds[i] = direct_file(&sw);
	for (int round = 0; round < 50; round++) {
		int at = round % PLACES;
		struct eio_switch inner;
		struct eio_fd next;

		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, write_and_close, &fds[at]));
		expect_ok(eio_yield());
		next = direct_file(&sw);
		expect_ok(eio_switch_end(&inner, 0));
		expect_ok(eio_ll_read(next, b, 3, 0));
		expect_err(eio_ll_read(fds[at], b, 3, 0), -EBADF);
		fds[at] = next;
	}
	return eio_switch_end(&sw, 0);
}

DIRECT_TEST(a_closed_handle_stays_dead_when_its_place_is_used_again)
{
	struct eio_fd first, fd;
	unsigned before = count_fds(), same_slot = 0;
	char b;

	(void) arg;
	first = direct_file(NULL);
	expect_ok(eio_fd_close(first));
	for (int i = 0; i < MANY / 50; i++) {
		if (eio_ll_socket_direct(NULL, AF_UNIX, SOCK_STREAM, 0, &fd) != 0)
			ck_abort_msg("reuse %d failed", i);
		same_slot += fd.slot == first.slot;
		if (eio_fd_is_open(first) || eio_fd_use(first) != -EBADF)
			ck_abort_msg("reuse %d made the old handle good", i);
		if (eio_fd_close(fd) != 0)
			ck_abort_msg("close %d failed", i);
	}
	ck_assert_uint_gt(same_slot, 0);
	ck_assert_uint_eq(places_used(), 0);
	ck_assert_uint_eq(count_fds(), before);
	fd = direct_file(NULL);
	expect_err(eio_ll_read(first, &b, 1, 0), -EBADF);
	expect_err(eio_fd_close(first), -EBADF);
	expect_works(fd);
	return eio_fd_close(fd);
}

/* A slot's life by place leaves nothing to the next one, by number. */
DIRECT_TEST(a_slot_forgets_its_place)
{
	struct eio_fd first = direct_file(NULL), fd;
	int unix_fd = temp_file();
	bool same = false;

	(void) arg;
	expect_ok(eio_fd_close(first));
	for (int i = 0; i < 10000 && !same; i++) {
		expect_ok(eio_fd_of_unix(NULL, unix_fd, 0, &fd));
		same = fd.slot == first.slot;
		if (!same)
			expect_ok(eio_fd_close(fd));
	}
	ck_assert(same);
	by_place = 0;
	expect_works(fd);
	ck_assert_uint_eq(by_place, 0);
	ck_assert_int_eq(number(fd), unix_fd);
	expect_ok(eio_fd_close(fd));
	close(unix_fd);
	return 0;
}

DIRECT_TEST(the_end_of_the_switch_frees_all_places)
{
	struct eio_fd fds[PLACES];
	struct eio_switch sw;
	unsigned before = count_fds();

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < PLACES; i++) {
		fds[i] = i % 2 ? direct_file(&sw) : file_on(&sw);
		if (i % 2 == 0)
			expect_ok(eio_ll_fd_register(fds[i]));
		else if (i == 1)
			number(fds[i]);
	}
	ck_assert_uint_eq(places_used(), PLACES);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(places_used(), 0);
	ck_assert_uint_eq(count_fds(), before);
	for (int i = 0; i < PLACES; i++)
		expect_err(eio_fd_use(fds[i]), -EBADF);
	return 0;
}

/* Other domains */

static int use_elsewhere(void *arg)
{
	struct eio_fd *fds = arg;
	char b[4] = "";
	struct eio_fd made;

	/* A registered one by its number. */
	expect_works(fds[0]);
	ck_assert(is_open(number(fds[0])));
	expect_err(eio_ll_fd_register(fds[0]), -EPERM);
	/* A direct one not at all; it stays open. */
	expect_err(eio_fd_use(fds[1]), -EPERM);
	expect_err(eio_fd_to_unix(fds[1], EIO_FD_PEEK), -EPERM);
	expect_err(eio_fd_to_unix(fds[1], EIO_FD_TAKE), -EPERM);
	expect_err(eio_ll_read(fds[1], b, 1, 0), -EPERM);
	expect_err(eio_ll_fd_register(fds[1]), -EPERM);
	ck_assert(eio_fd_is_open(fds[1]));
	/* A direct one that has got a number. */
	expect_works(fds[2]);
	/* Its own. */
	made = direct_file(NULL);
	expect_works(made);
	return eio_fd_close(made);
}

static int use_on_a_thread(void *arg)
{
	struct eio_fd *fds = arg;
	int unix_fd = eio_fd_use(fds[0]);

	ck_assert(is_open(unix_fd));
	eio_fd_unuse(fds[0]);
	expect_err(eio_fd_use(fds[1]), -EPERM);
	expect_err(eio_ll_fd_register(fds[1]), -EPERM);
	ck_assert(eio_fd_is_open(fds[1]));
	return 0;
}

DIRECT_TEST(other_domains_have_what_has_a_number)
{
	struct eio_switch sw;
	struct eio_fd fds[3];

	(void) arg;
	eio_switch_begin(&sw);
	fds[0] = file_on(&sw);
	expect_ok(eio_ll_fd_register(fds[0]));
	fds[1] = direct_file(&sw);
	fds[2] = direct_file(&sw);
	number(fds[2]);
	expect_ok(in_other_ring(use_elsewhere, fds));
	expect_ok(on_plain_thread(use_on_a_thread, fds));
	by_place = 0;
	for (int i = 0; i < 3; i++)
		expect_works(fds[i]);
	ck_assert_uint_eq(by_place, 6);
	return eio_switch_end(&sw, 0);
}

static int register_elsewhere(void *arg)
{
	struct eio_fd *fds = arg;

	expect_err(eio_ll_fd_register(fds[0]), -EPERM);
	expect_ok(eio_ll_fd_register(fds[1]));
	expect_works(fds[1]);
	return 0;
}

/* What is on a switch stays its domain's; the table of another ends with it. */
DIRECT_TEST(another_domain_registers_what_is_on_no_switch)
{
	struct eio_switch sw;
	struct eio_fd fds[2];

	(void) arg;
	eio_switch_begin(&sw);
	fds[0] = file_on(&sw);
	expect_ok(eio_fd_of_unix(NULL, temp_file(), EIO_FD_CLOSE, &fds[1]));
	expect_ok(in_other_ring(register_elsewhere, fds));
	expect_works(fds[1]);
	ck_assert_uint_eq(by_place, 0);
	/* And now here. */
	expect_ok(eio_ll_fd_register(fds[1]));
	expect_works(fds[1]);
	ck_assert_uint_eq(by_place, 2);
	expect_ok(eio_fd_close(fds[1]));
	return eio_switch_end(&sw, 0);
}

static int close_three(void *arg)
{
	struct eio_fd *fds = arg;

	for (int i = 0; i < 3; i++) {
		expect_ok(eio_fd_close(fds[i]));
		expect_err(eio_fd_use(fds[i]), -EBADF);
	}
	return 0;
}

static void closed_by(int (*run)(eio_fn *fn, void *arg))
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_fd fds[3];

	eio_switch_begin(&sw);
	fds[0] = file_on(&sw);
	expect_ok(eio_ll_fd_register(fds[0]));
	fds[1] = direct_file(&sw);
	fds[2] = direct_file(NULL);
	number(fds[2]);
	expect_ok(run(close_three, fds));
	ck_assert_uint_eq(count_fds(), before);
	ck_assert_uint_eq(places_used(), 3);
	expect_ok(eio_ll_noop());
	ck_assert_uint_eq(places_used(), 0);
	for (int i = 0; i < PLACES; i++)
		expect_works(direct_file(&sw));
	ck_assert_uint_eq(count_fds(), before);
	expect_ok(eio_switch_end(&sw, 0));
}

DIRECT_TEST(a_place_is_freed_by_its_domain_when_another_closes)
{
	(void) arg;
	closed_by(in_other_ring);
	closed_by(on_plain_thread);
	return 0;
}

static struct eio_fd left[2];

static int leave_open(void *arg)
{
	(void) arg;
	left[0] = direct_file(NULL);
	left[1] = direct_file(NULL);
	number(left[1]);
	return 0;
}

DIRECT_TEST(direct_handles_on_no_switch_end_with_their_domain)
{
	unsigned before = count_fds();

	(void) arg;
	expect_ok(in_other_ring(leave_open, NULL));
	ck_assert(!eio_fd_is_open(left[0]));
	expect_err(eio_fd_close(left[0]), -EBADF);
	/* One that has got a number goes on. */
	expect_works(left[1]);
	ck_assert_uint_eq(by_place, 0);
	ck_assert_uint_eq(count_fds(), before + 1);
	expect_ok(eio_fd_close(left[1]));
	ck_assert_uint_eq(count_fds(), before);
	return 0;
}

static int register_and_leave(void *arg)
{
	return eio_ll_fd_register(*(struct eio_fd *) arg);
}

DIRECT_TEST(a_table_that_has_ended_keeps_no_file_open)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	ck_assert_int_eq(fcntl(number(r), F_SETFL, O_NONBLOCK), 0);
	expect_ok(eio_fd_of_unix(NULL, eio_fd_to_unix(w, EIO_FD_TAKE), EIO_FD_CLOSE, &w));
	expect_ok(in_other_ring(register_and_leave, &w));
	expect_ok(eio_fd_close(w));
	ck_assert_int_eq(read(number(r), &b, 1), 0);
	return eio_switch_end(&sw, 0);
}

static int pin(void *arg)
{
	ck_assert(is_open(eio_fd_use(*(struct eio_fd *) arg)));
	return 0;
}

static int unpin(void *arg)
{
	eio_fd_unuse(*(struct eio_fd *) arg);
	return 0;
}

DIRECT_TEST(the_last_user_may_be_on_another_thread_when_the_switch_has_ended)
{
	struct eio_switch sw;
	struct eio_fd fd;
	unsigned before = count_fds();

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_fd_register(fd));
	expect_ok(on_plain_thread(pin, &fd));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(places_used(), 1);
	expect_ok(on_plain_thread(unpin, &fd));
	ck_assert_uint_eq(count_fds(), before);
	expect_ok(eio_ll_noop());
	ck_assert_uint_eq(places_used(), 0);
	return 0;
}

/* In the child of a fork, which has no domain and none of its operations. */
static int look_in_child(const struct eio_fd *fds)
{
	int unix_fd = eio_fd_to_unix(fds[0], EIO_FD_PEEK);

	if (!is_open(unix_fd) || eio_fd_close(fds[0]) != 0 || is_open(unix_fd))
		return 1;
	if (eio_fd_is_open(fds[1]) || eio_fd_use(fds[1]) != -EBADF)
		return 2;
	return eio_fd_close(fds[1]) == -EBADF ? 0 : 3;
}

DIRECT_TEST(the_child_of_a_fork_has_what_has_a_number)
{
	struct eio_switch sw;
	struct eio_fd fds[2];
	int status;
	pid_t pid;

	(void) arg;
	eio_switch_begin(&sw);
	fds[0] = file_on(&sw);
	expect_ok(eio_ll_fd_register(fds[0]));
	fds[1] = direct_file(&sw);
	pid = fork();
	if (pid == 0)
		_exit(look_in_child(fds));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	expect_works(fds[0]);
	expect_works(fds[1]);
	return eio_switch_end(&sw, 0);
}

/* Without a table */

static void expect_ordinary(void)
{
	unsigned before = count_fds();
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd fd, l;
	int client;

	eio_switch_begin(&sw);
	fd = direct_file(&sw);
	expect_works(fd);
	ck_assert_int_eq(fcntl(number(fd), F_GETFD), FD_CLOEXEC);
	expect_err(eio_ll_fd_register(fd), -ENOTSUP);
	expect_works(fd);
	ck_assert_uint_eq(by_place, 0);
	expect_ok(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM, 0, &fd));
	ck_assert_int_eq(fcntl(number(fd), F_GETFD), FD_CLOEXEC);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	client = raw_client(&addr);
	expect_ok(eio_ll_accept_direct(&sw, l, &fd, NULL));
	ck_assert_int_eq(fcntl(number(fd), F_GETFD), FD_CLOEXEC);
	close(client);
	ck_assert_uint_eq(count_fds(), before + 4);
	expect_ok(eio_switch_end(&sw, 0));
}

/* The kernel forgets it when a read ends in memory that cannot be written to. */
DIRECT_TEST(a_direct_files_position_is_seen_to)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char data[3 * 4096];
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	eio_switch_begin(&sw);
	fill(data, sizeof(data), 0);
	fd = direct_file(&sw);
	expect_ok(eio_ll_write_all(fd, data, sizeof(data), 0));
	for (size_t at = 0; at < sizeof(data); at += 4096) {
		expect_err(eio_ll_read(fd, pages, 8192, EIO_CURRENT), 4096);
		ck_assert(is_filled(pages, 4096, at));
	}
	ck_assert_int_eq(munmap(pages, 8192), 0);
	return eio_switch_end(&sw, 0);
}

/* As everywhere: the library's own descriptors are close-on-exec in any case. */
DIRECT_TEST(close_on_exec_may_be_asked_for)
{
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat_direct(&sw, EIO_FS, "/dev/null", O_RDONLY | O_CLOEXEC, 0, &fd));
	expect_ok(eio_ll_socket_direct(&sw, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fd));
	ck_assert_uint_eq(places_used(), 2);
	return eio_switch_end(&sw, 0);
}

static int by_default(void *arg)
{
	const struct eio__files *t = &eio__uring_self()->files;
	struct rlimit limit;
	struct eio_fd fd;

	(void) arg;
	ck_assert_uint_eq(t->size, 0);
	fd = direct_file(NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(t->size, limit.rlim_cur < 65536 ? limit.rlim_cur : 65536);
	return eio_fd_close(fd);
}

START_TEST(the_table_is_made_when_it_is_wanted)
{
	if (kernel_has_it())
		run_ring(by_default, 0);
}
END_TEST

static int by_a_kernel_thread(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_fd_register(fd));
	expect_works(fd);
	fd = direct_file(&sw);
	expect_works(fd);
	ck_assert_uint_eq(places_used(), 2);
	ck_assert(is_open(number(fd)));
	expect_works(fd);
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(places_used(), 1);
	return eio_switch_end(&sw, 0);
}

START_TEST(kernel_side_polling_knows_places)
{
	struct eio_config config = {.polling_timeout_ms = 1};

	if (kernel_has_it())
		run_ring_with(&config, by_a_kernel_thread, 0);
}
END_TEST

DIRECT_TEST(a_program_with_files_of_its_own_gets_ordinary_handles)
{
	int own = STDOUT_FILENO;

	(void) arg;
	expect_ok(io_uring_register_files(eio_ll_ring(), &own, 1));
	expect_ordinary();
	return 0;
}

static int ordinary(void *arg)
{
	(void) arg;
	expect_ordinary();
	return 0;
}

static void forget_features(struct eio__ring *r)
{
	r->uring.features &= ~IORING_FEAT_RW_ATTR;
}

START_TEST(an_older_kernel_gives_ordinary_handles)
{
	eio__ring_hook = forget_features;
	by_place = 0;
	run_ring(ordinary, 0);
	eio__ring_hook = NULL;
}
END_TEST

static int outside(void *arg)
{
	struct eio_fd fd;

	(void) arg;
	expect_err(eio_ll_openat_direct(NULL, EIO_FS, "/", O_RDONLY, 0, &fd), -EPERM);
	expect_err(eio_ll_socket_direct(NULL, AF_UNIX, SOCK_STREAM, 0, &fd), -EPERM);
	expect_err(eio_ll_accept_direct(NULL, EIO_STDIN, &fd, NULL), -EPERM);
	expect_err(eio_ll_fd_register(EIO_STDIN), -EPERM);
	return 0;
}

START_TEST(a_thread_without_a_domain_is_refused)
{
	expect_ok(outside(NULL));
}
END_TEST

/* Dumps */

static int show(void *arg)
{
	struct eio_buffer_sink sink;
	struct eio_flow to = eio_buffer_sink_init(&sink, 1 << 20);

	(void) arg;
	expect_ok(eio_dump(to));
	ck_assert_ptr_nonnull(strstr(sink.data, "read on file 0"));
	eio_buffer_sink_fini(&sink);
	return 0;
}

DIRECT_TEST(a_dump_tells_places_from_numbers)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_fd_register(r));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &r));
	expect_ok(show(NULL));
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_ok(eio_switch_end(&inner, 0));
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("ll_direct", true, a_registered_handle_is_used_by_its_place_test,
	   two_fibers_registering_a_handle_take_one_place_test,
	   closing_a_registered_handle_frees_number_and_place_test,
	   a_registered_handle_does_not_follow_its_number_test,
	   a_borrowed_number_stays_open_when_its_registered_handle_ends_test,
	   taking_a_registered_handle_frees_its_place_test,
	   what_cannot_be_registered_goes_on_as_it_was_test,
	   paths_start_at_a_registered_or_direct_directory_test,
	   what_is_cancelled_while_it_gets_a_number_does_not_begin_test,
	   a_direct_file_has_no_number_test, a_direct_handle_gets_one_number_when_it_needs_one_test,
	   two_fibers_that_need_the_number_get_the_same_test,
	   calls_without_an_operation_of_the_ring_take_direct_handles_test,
	   a_known_kind_needs_no_number_test,
	   taking_a_direct_handle_gives_it_a_number_and_frees_its_place_test,
	   without_a_number_left_a_direct_handle_stays_open_test,
	   a_full_table_gives_ordinary_handles_test, what_fails_to_open_gives_its_place_back_test,
	   what_cannot_be_tracked_gives_its_place_back_test,
	   a_direct_connection_receives_sends_and_ends_test,
	   all_ways_of_sending_and_receiving_take_direct_handles_test,
	   a_closed_connection_ends_at_once_test, no_connection_is_lost_for_want_of_a_place_test,
	   closing_a_listener_ends_its_direct_accepts_test,
	   a_registered_listener_lets_go_of_its_port_test,
	   the_last_user_of_a_closed_handle_frees_its_place_test,
	   a_queued_entry_is_not_redirected_by_a_close_test,
	   a_place_is_not_filled_before_its_old_entries_are_done_test,
	   a_closed_handle_stays_dead_when_its_place_is_used_again_test,
	   a_slot_forgets_its_place_test, the_end_of_the_switch_frees_all_places_test,
	   other_domains_have_what_has_a_number_test,
	   another_domain_registers_what_is_on_no_switch_test,
	   a_place_is_freed_by_its_domain_when_another_closes_test,
	   direct_handles_on_no_switch_end_with_their_domain_test,
	   a_program_with_files_of_its_own_gets_ordinary_handles_test,
	   close_on_exec_may_be_asked_for_test, a_direct_files_position_is_seen_to_test,
	   kernel_side_polling_knows_places, the_child_of_a_fork_has_what_has_a_number_test,
	   the_table_is_made_when_it_is_wanted,
	   an_accept_that_has_to_poll_is_direct_after_that_test,
	   an_older_kernel_gives_ordinary_handles, a_thread_without_a_domain_is_refused,
	   a_dump_tells_places_from_numbers_test, a_table_that_has_ended_keeps_no_file_open_test,
	   the_last_user_may_be_on_another_thread_when_the_switch_has_ended_test,
	   closing_a_listener_that_gets_its_number_closes_that_test)
