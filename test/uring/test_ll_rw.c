/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>

static struct faults faults;

/* The test's own way to a file. */
static void store(struct eio_fd fd, const void *buf, size_t len, off_t off)
{
	ck_assert_int_eq(pwrite(number(fd), buf, len, off), (ssize_t) len);
}

static void load(struct eio_fd fd, void *buf, size_t len, off_t off)
{
	ck_assert_int_eq(pread(number(fd), buf, len, off), (ssize_t) len);
}

static off_t position(struct eio_fd fd)
{
	return lseek(number(fd), 0, SEEK_CUR);
}

static off_t size_of(struct eio_fd fd)
{
	return lseek(number(fd), 0, SEEK_END);
}

/* Positions */

RING_TEST(an_explicit_offset_leaves_the_position)
{
	struct eio_switch sw;
	struct eio_fd fd;
	char b[8] = "";
	struct iovec iov = {b, 3};

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_write_all(fd, "abcdef", 6, 10));
	ck_assert_int_eq(position(fd), 0);
	expect_err(eio_ll_read(fd, b, 3, 12), 3);
	ck_assert_str_eq(b, "cde");
	expect_err(eio_ll_readv(fd, &iov, 1, 10), 3);
	ck_assert_str_eq(b, "abc");
	ck_assert_int_eq(position(fd), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(EIO_CURRENT_moves_the_position)
{
	struct eio_switch sw;
	struct eio_fd fd;
	char b[8] = "";
	struct iovec iov = {b, 3};

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_write_all(fd, "abcdef", 6, EIO_CURRENT));
	ck_assert_int_eq(position(fd), 6);
	lseek(number(fd), 1, SEEK_SET);
	expect_err(eio_ll_read(fd, b, 3, EIO_CURRENT), 3);
	ck_assert_str_eq(b, "bcd");
	expect_err(eio_ll_readv(fd, &iov, 1, EIO_CURRENT), 2);
	ck_assert_int_eq(position(fd), 6);
	expect_err(eio_ll_read(fd, b, 3, EIO_CURRENT), 0);
	return eio_switch_end(&sw, 0);
}

/* Each call in pieces of any size, at an offset of its own and at the current one. */
enum { LEN = 4000, AT = 777 };

static char data[LEN];

static void in_pieces(struct eio_fd fd, int64_t off)
{
	struct iovec iov[7];
	struct eio_chunk c;
	off_t at = off == EIO_CURRENT ? 0 : off;

	expect_ok(eio_ll_alloc_fixed(&c));
	ck_assert_uint_ge(eio_ll_fixed_length(c), LEN);
	fill(data, LEN, 1);
	for (int i = 0; i < 7; i++)
		iov[i] =
			(struct iovec){data + i * (LEN / 7), i < 6 ? LEN / 7 : LEN - 6 * (LEN / 7)};

	for (int call = 0; call < 3; call++) {
		ck_assert_int_eq(ftruncate(number(fd), 0), 0);
		lseek(number(fd), 0, SEEK_SET);
		memcpy(eio_ll_fixed_data(c), data, LEN);
		if (call == 0)
			expect_ok(eio_ll_write_all(fd, data, LEN, off));
		else if (call == 1)
			expect_ok(eio_ll_writev(fd, iov, 7, off));
		else
			expect_ok(eio_ll_write(fd, c, LEN, off));
		ck_assert_int_eq(position(fd), off == EIO_CURRENT ? LEN : 0);
		memset(eio_ll_fixed_data(c), 0, LEN);
		load(fd, eio_ll_fixed_data(c), LEN, at);
		ck_assert_msg(is_filled(eio_ll_fixed_data(c), LEN, 1), "call %d", call);
		ck_assert_int_eq(size_of(fd), at + LEN);
	}
	lseek(number(fd), 0, SEEK_SET);
	memset(eio_ll_fixed_data(c), 0, LEN);
	expect_ok(eio_ll_read_exactly(fd, c, LEN, off));
	ck_assert(is_filled(eio_ll_fixed_data(c), LEN, 1));
	ck_assert_int_eq(position(fd), off == EIO_CURRENT ? LEN : 0);
	eio_ll_free_fixed(c);
}

static int short_counts(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	for (int i = 0; i < 20; i++) {
		in_pieces(fd, AT);
		in_pieces(fd, EIO_CURRENT);
	}
	ck_assert_uint_gt(faults.shortened, 100);
	return eio_switch_end(&sw, 0);
}

START_TEST(whole_transfers_are_whole_though_every_count_is_short)
{
	faults = (struct faults){.seed = 7, .shorten = 200, .transient = 30};
	faults_install(&faults);
	run_ring(short_counts, 0);
}
END_TEST

START_TEST(whole_transfers_are_whole_in_plain_memory_blocks_too)
{
	faults = (struct faults){.seed = 8, .shorten = 200, .transient = 30};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_NO_FIXED}, short_counts, 0);
}
END_TEST

static int single_calls(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd r, w;
	char b[100];
	struct iovec iov[2] = {{b, 50}, {b + 50, 50}};
	ssize_t n;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_alloc_fixed(&c));
	fill(b, sizeof(b), 0);
	n = eio_ll_writev_single(w, iov, 2, EIO_CURRENT);
	ck_assert(n > 0 && n < 100);
	ck_assert_int_eq(readable_bytes(number(r)), n);
	expect_ok(eio_ll_write_all(w, b + n, (size_t) (100 - n), EIO_CURRENT));
	n = eio_ll_read_upto(r, c, 100, EIO_CURRENT);
	ck_assert(n > 0 && n < 100);
	ck_assert(is_filled(c.data, (size_t) n, 0));
	ck_assert_int_eq(readable_bytes(number(r)), 100 - n);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

START_TEST(single_transfers_give_what_the_kernel_moved)
{
	faults = (struct faults){.seed = 9, .shorten = 256};
	faults_install(&faults);
	run_ring(single_calls, 0);
}
END_TEST

/* Ends */

RING_TEST(reading_at_the_end_gives_0)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd r, w;
	char b[4];
	struct iovec iov = {b, 4};

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_alloc_fixed(&c));
	expect_ok(eio_fd_close(w));
	expect_err(eio_ll_read(r, b, 4, EIO_CURRENT), 0);
	expect_err(eio_ll_readv(r, &iov, 1, EIO_CURRENT), 0);
	expect_err(eio_ll_read_upto(r, c, 4, EIO_CURRENT), 0);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

RING_TEST(reading_exactly_past_the_end_gives_EIO_EOF_and_tells_how_far_it_came)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	store(fd, "abcdef", 6, 0);
	expect_ok(eio_ll_alloc_fixed(&c));
	expect_err(eio_ll_read_exactly(fd, c, 10, 2), EIO_EOF);
	ck_assert_int_eq(eio_last_error()->code, EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 4);
	ck_assert_mem_eq(c.data, "cdef", 4);
	expect_err(eio_ll_read_exactly(fd, c, 10, 6), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_ll_read_exactly(fd, c, 10, EIO_CURRENT), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 6);
	ck_assert_mem_eq(c.data, "abcdef", 6);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

static int fail_in_the_middle(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fd;
	char b[300];
	struct iovec iov[3] = {{b, 100}, {b + 100, 100}, {b + 200, 100}};

	(void) arg;
	fill(b, sizeof(b), 0);
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	faults.refuse.opcode = -1;
	faults.refuse.err = -ENOSPC;
	for (unsigned nth = 1; nth <= 4; nth++) {
		uint64_t done;

		faults.refuse.nth = nth;
		faults.shorten = 256;
		expect_err(eio_ll_write_all(fd, b, 300, 0), -ENOSPC);
		done = eio_last_error()->done;
		ck_assert_int_eq(done > 0, nth > 1);
		ck_assert_uint_eq((uint64_t) size_of(fd), done);
		ck_assert_int_eq(ftruncate(number(fd), 0), 0);

		faults.refuse.nth = nth;
		expect_err(eio_ll_writev(fd, iov, 3, 0), -ENOSPC);
		ck_assert_str_eq(eio_last_error()->op, "writev");
		done = eio_last_error()->done;
		ck_assert_int_eq(done > 0, nth > 1);
		ck_assert_uint_eq((uint64_t) size_of(fd), done);
		ck_assert_int_eq(ftruncate(number(fd), 0), 0);
		faults.shorten = 0;
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(a_failed_write_tells_how_far_it_came)
{
	faults = (struct faults){.seed = 3};
	faults_install(&faults);
	run_ring(fail_in_the_middle, 0);
}
END_TEST

/* Sizes */

RING_TEST(a_transfer_longer_than_its_block_is_refused_or_cut)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;
	size_t len;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_alloc_fixed(&c));
	len = eio_ll_fixed_length(c);
	ck_assert_int_eq(ftruncate(number(fd), (off_t) len + 100), 0);
	expect_err(eio_ll_read_exactly(fd, c, len + 1, 0), -EINVAL);
	expect_err(eio_ll_write(fd, c, len + 1, 0), -EINVAL);
	expect_err(eio_ll_read_upto(fd, c, len + 1, 0), (ssize_t) len);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

RING_TEST(nothing_to_transfer_is_done_at_once)
{
	struct iovec empty[2] = {{NULL, 0}, {NULL, 0}};
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_alloc_fixed(&c));
	expect_ok(eio_ll_write_all(w, NULL, 0, EIO_CURRENT));
	expect_ok(eio_ll_writev(w, NULL, 0, EIO_CURRENT));
	expect_ok(eio_ll_writev(w, empty, 2, EIO_CURRENT));
	expect_ok(eio_ll_write(w, c, 0, EIO_CURRENT));
	expect_ok(eio_ll_read_exactly(r, c, 0, EIO_CURRENT));
	ck_assert_int_eq(readable_bytes(number(r)), 0);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

/* Three bytes each, some none, and more of them than the kernel takes at once. */
enum { MANY = 3 * IOV_MAX + 5 };

static struct iovec many[MANY];
static char many_bytes[3 * MANY];

static size_t make_many(void)
{
	size_t len = 0;

	for (int i = 0; i < MANY; i++) {
		many[i] = (struct iovec){many_bytes + len, i % 5 == 4 ? 0 : 3};
		len += many[i].iov_len;
	}
	return len;
}

static int many_pieces(void *arg)
{
	static struct iovec before[MANY];
	static char back[sizeof(many_bytes)];
	size_t len = make_many();
	struct eio_switch sw;
	struct eio_fd fd;
	ssize_t n;

	(void) arg;
	fill(many_bytes, len, 5);
	memcpy(before, many, sizeof(many));
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	expect_ok(eio_ll_writev(fd, many, MANY, AT));
	ck_assert_int_eq(size_of(fd), (off_t) (AT + len));
	load(fd, back, len, AT);
	ck_assert(is_filled(back, len, 5));
	ck_assert_mem_eq(many, before, sizeof(many));
	/* The single forms use what the kernel takes at once. */
	memset(many_bytes, 0, len);
	n = eio_ll_readv(fd, many, MANY, AT);
	ck_assert(n > 0 && (size_t) n <= 3 * IOV_MAX);
	ck_assert(is_filled(many_bytes, (size_t) n, 5));
	fill(many_bytes, len, 5);
	n = eio_ll_writev_single(fd, many, MANY, 0);
	ck_assert(n > 0 && (size_t) n <= 3 * IOV_MAX);
	load(fd, back, (size_t) n, 0);
	ck_assert(is_filled(back, (size_t) n, 5));
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_vector_longer_than_IOV_MAX_is_written_in_pieces)
{
	return many_pieces(arg);
}

START_TEST(a_vector_longer_than_IOV_MAX_survives_short_counts)
{
	faults = (struct faults){.seed = 11, .shorten = 128, .transient = 20};
	faults_install(&faults);
	run_ring(many_pieces, 0);
}
END_TEST

/* To where bytes go unread: nothing is touched. */
static int huge(void *arg)
{
	const size_t len = (size_t) 5 << 30;
	char *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct iovec iov[2] = {{p, len - 17}, {p, 17}};
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	ck_assert_ptr_ne(p, MAP_FAILED);
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/dev/null", O_WRONLY, 0, &fd));
	expect_ok(eio_ll_write_all(fd, p, len, EIO_CURRENT));
	ck_assert_uint_eq(faults.entries[IORING_OP_WRITE], 3);
	expect_ok(eio_ll_writev(fd, iov, 2, EIO_CURRENT));
	ck_assert_uint_gt(faults.entries[IORING_OP_WRITEV] + faults.entries[IORING_OP_WRITE], 5);
	munmap(p, len);
	return eio_switch_end(&sw, 0);
}

START_TEST(writes_beyond_INT_MAX_bytes_are_complete)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(huge, 0);
}
END_TEST

/* Waiting */

struct reading {
	struct eio_fd fd;
	enum { PLAIN, VECTOR, FIXED, EXACTLY } how;
};

static int read_and_tell(void *arg)
{
	struct reading *reading = arg;
	struct eio_chunk c;
	char b[4] = "";
	struct iovec iov = {b, 1};

	expect_ok(eio_ll_alloc_fixed(&c));
	note("begin");
	if (reading->how == PLAIN)
		expect_err(eio_ll_read(reading->fd, b, 1, EIO_CURRENT), 1);
	else if (reading->how == VECTOR)
		expect_err(eio_ll_readv(reading->fd, &iov, 1, EIO_CURRENT), 1);
	else if (reading->how == FIXED)
		expect_err(eio_ll_read_upto(reading->fd, c, 1, EIO_CURRENT), 1);
	else
		expect_ok(eio_ll_read_exactly(reading->fd, c, 1, EIO_CURRENT));
	note("%c", reading->how == PLAIN || reading->how == VECTOR ? b[0] : *(char *) c.data);
	eio_ll_free_fixed(c);
	return 0;
}

/* Whether the next of the reads is refused. */
static unsigned refuses;

static int reads_wait(void *arg)
{
	static const int opcodes[] = {
		[PLAIN] = IORING_OP_READ,
		[VECTOR] = IORING_OP_READV,
		[FIXED] = IORING_OP_READ_FIXED,
		[EXACTLY] = IORING_OP_READ_FIXED,
	};
	struct eio_switch sw, inner;
	struct reading reading;
	struct eio_fd w;
	bool nonblocking = arg;

	eio_switch_begin(&sw);
	for (unsigned how = PLAIN; how <= EXACTLY; how++) {
		pipe_on(&sw, &reading.fd, &w);
		reading.how = how;
		faults.refuse.nth = refuses;
		faults.refuse.opcode = opcodes[how];
		if (nonblocking)
			fcntl(number(reading.fd), F_SETFL, O_NONBLOCK);
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, read_and_tell, &reading));
		for (int i = 0; i < 3; i++)
			expect_ok(eio_ll_noop());
		note("write");
		ck_assert_int_eq(write(number(w), "x", 1), 1);
		expect_ok(eio_switch_end(&inner, 0));
		expect_log("begin write x");
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(reading_an_empty_pipe_waits)
{
	return reads_wait(arg);
}

static int nonblocking_reads_wait(void *arg)
{
	(void) arg;
	return reads_wait(&faults);
}

RING_TEST(reading_an_empty_nonblocking_pipe_waits)
{
	return nonblocking_reads_wait(arg);
}

/* As kernels did that took O_NONBLOCK at its word. */
static int refused_reads_wait(void *arg)
{
	refuses = 1;
	faults.refuse.err = -EAGAIN;
	return nonblocking_reads_wait(arg);
}

START_TEST(reading_waits_where_the_kernel_says_EAGAIN)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(refused_reads_wait, 0);
	ck_assert_uint_eq(faults.refused, 4);
	ck_assert_uint_eq(faults.entries[IORING_OP_POLL_ADD], 4);
}
END_TEST

enum { PIPE_ROOM = 65536 };

static int write_and_tell(void *arg)
{
	char b[100];

	fill(b, sizeof(b), 0);
	note("begin");
	expect_ok(eio_ll_write_all(*(struct eio_fd *) arg, b, sizeof(b), EIO_CURRENT));
	note("written");
	return 0;
}

static int writes_wait(void *arg)
{
	static char back[PIPE_ROOM];
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	write_until_full(number(w));
	fcntl(number(w), F_SETFL, O_NONBLOCK);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, write_and_tell, &w));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	note("read");
	ck_assert_int_eq(read(number(r), back, sizeof(back)), sizeof(back));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("begin read written");
	ck_assert_int_eq(read(number(r), back, sizeof(back)), 100);
	ck_assert(is_filled(back, 100, 0));
	return eio_switch_end(&sw, 0);
}

RING_TEST(writing_to_a_full_nonblocking_pipe_waits)
{
	return writes_wait(arg);
}

static int refused_writes_wait(void *arg)
{
	faults.refuse.nth = 1;
	faults.refuse.opcode = IORING_OP_WRITE;
	faults.refuse.err = -EAGAIN;
	return writes_wait(arg);
}

START_TEST(writing_waits_where_the_kernel_says_EAGAIN)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(refused_writes_wait, 0);
	ck_assert_uint_eq(faults.refused, 1);
	ck_assert_uint_ge(faults.entries[IORING_OP_POLL_ADD], 1);
}
END_TEST

static void arrange_interruptions(unsigned times)
{
	faults.refused = 0;
	faults.refuse.nth = 1;
	faults.refuse.times = times;
	faults.refuse.opcode = -1;
	faults.refuse.err = -EINTR;
}

/* However often: a fiber's stack is small, and does not fill up. */
static int interrupted_calls(void *arg)
{
	enum { TIMES = 3000 };
	struct eio_fd *fds = arg;
	struct iovec iov = {"x", 1};
	char b;

	arrange_interruptions(TIMES);
	expect_ok(eio_ll_write_all(fds[1], "x", 1, EIO_CURRENT));
	ck_assert_uint_eq(faults.refused, TIMES);
	arrange_interruptions(TIMES);
	expect_err(eio_ll_read(fds[0], &b, 1, EIO_CURRENT), 1);
	ck_assert_uint_eq(faults.refused, TIMES);
	arrange_interruptions(TIMES);
	expect_ok(eio_ll_writev(fds[1], &iov, 1, EIO_CURRENT));
	ck_assert_uint_eq(faults.refused, TIMES);
	iov.iov_base = &b;
	arrange_interruptions(TIMES);
	expect_err(eio_ll_readv(fds[0], &iov, 1, EIO_CURRENT), 1);
	ck_assert_uint_eq(faults.refused, TIMES);
	arrange_interruptions(TIMES);
	expect_err(eio_ll_send(fds[1], "x", 1, 0), 1);
	ck_assert_uint_eq(faults.refused, TIMES);
	arrange_interruptions(TIMES);
	expect_err(eio_ll_recv(fds[0], &b, 1, 0), 1);
	ck_assert_uint_eq(faults.refused, TIMES);
	return 0;
}

static int interrupted(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fds[2];

	(void) arg;
	eio_switch_begin(&sw);
	pair_on(&sw, &fds[0], &fds[1]);
	expect_ok(eio_fork(&sw, interrupted_calls, fds));
	return eio_switch_end(&sw, 0);
}

START_TEST(an_interrupted_operation_is_done_again)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	run_ring(interrupted, 0);
}
END_TEST

/* Nobody reads */

static int write_to_nobody(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd r, w, a, z, from, to;
	struct iovec iov = {"x", 1};

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	pipe_on(&sw, &from, &to);
	expect_ok(eio_ll_write_all(to, "x", 1, EIO_CURRENT));
	pair_on(&sw, &a, &z);
	expect_ok(eio_fd_close(r));
	expect_ok(eio_fd_close(z));
	expect_ok(eio_ll_alloc_fixed(&c));
	expect_err(eio_ll_write_all(w, "x", 1, EIO_CURRENT), -EPIPE);
	expect_err(eio_ll_writev(w, &iov, 1, EIO_CURRENT), -EPIPE);
	expect_err(eio_ll_writev_single(w, &iov, 1, EIO_CURRENT), -EPIPE);
	expect_err(eio_ll_write(w, c, 1, EIO_CURRENT), -EPIPE);
	expect_err(eio_ll_splice(from, w, 1), -EPIPE);
	expect_err(eio_ll_send(a, "x", 1, 0), -EPIPE);
	expect_err(eio_ll_write_all(a, "x", 1, EIO_CURRENT), -EPIPE);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

/* Libcheck's parent ignores nothing, so the default action would end this process. */
START_TEST(writing_to_a_pipe_nobody_reads_gives_EPIPE_and_no_death)
{
	signal(SIGPIPE, SIG_DFL);
	run_ring(write_to_nobody, 0);
}
END_TEST

static int two_writers(void *arg)
{
	expect_err(eio_ll_write_all(*(struct eio_fd *) arg, data, LEN, EIO_CURRENT), -EPIPE);
	note("EPIPE");
	return 0;
}

RING_TEST(a_writer_that_waits_is_told_when_the_last_reader_goes)
{
	struct eio_switch sw, inner;
	struct eio_fd r, w;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	write_until_full(number(w));
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, two_writers, &w));
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	expect_ok(eio_fd_close(r));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("EPIPE");
	return eio_switch_end(&sw, 0);
}

/* What is told about a failure */

RING_TEST(a_failure_names_its_operation)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b, text[64];

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_read(w, &b, 1, EIO_CURRENT), -EBADF);
	eio_error_format(-EBADF, text, sizeof(text));
	ck_assert_str_eq(text, "read: Bad file descriptor");
	expect_err(eio_ll_write_all(r, &b, 1, EIO_CURRENT), -EBADF);
	eio_error_format(-EBADF, text, sizeof(text));
	ck_assert_str_eq(text, "write: Bad file descriptor");
	return eio_switch_end(&sw, 0);
}

/* Where the kernel says: behind what was appended. */
static int append_in_part(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fd;
	char data[1000];
	struct iovec iov = {data, sizeof(data)};
	ssize_t n;

	(void) arg;
	eio_switch_begin(&sw);
	fill(data, sizeof(data), 0);
	fd = file_on(&sw);
	expect_ok(ftruncate(number(fd), 100));
	expect_ok(fcntl(number(fd), F_SETFL, O_APPEND));
	n = eio_ll_writev_single(fd, &iov, 1, EIO_CURRENT);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 1000);
	ck_assert_int_eq(position(fd), 100 + n);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_short_write_that_appends_leaves_the_position_at_the_end)
{
	faults = (struct faults){.seed = 1, .shorten = 256};
	faults_install(&faults);
	run_ring(append_in_part, 0);
}
END_TEST

/* The process's files may grow to 50,000 bytes, and writes find out on their way. */
static int write_beyond(void *arg)
{
	static char data[60000];
	struct iovec iov[2] = {{data, 10}, {data + 10, sizeof(data) - 10}};
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fill(data, sizeof(data), 0);
	fd = file_on(&sw);
	expect_err(eio_ll_writev_single(fd, iov, 2, EIO_CURRENT), 50000);
	ck_assert_int_eq(position(fd), 50000);
	expect_err(eio_ll_writev_single(fd, iov, 2, EIO_CURRENT), -EFBIG);
	ck_assert_int_eq(position(fd), 50000);
	expect_ok(eio_ll_lseek(fd, 20000, SEEK_SET, NULL));
	expect_err(eio_ll_write_all(fd, data, sizeof(data), EIO_CURRENT), -EFBIG);
	ck_assert_uint_eq(eio_last_error()->done, 30000);
	ck_assert_int_eq(position(fd), 50000);
	expect_ok(eio_ll_lseek(fd, 10, SEEK_SET, NULL));
	expect_err(eio_ll_writev(fd, iov, 2, EIO_CURRENT), -EFBIG);
	ck_assert_uint_eq(eio_last_error()->done, 49990);
	expect_ok(eio_ll_lseek(fd, 49990, SEEK_SET, NULL));
	expect_ok(eio_ll_write_all(fd, data, 10, EIO_CURRENT));
	ck_assert_int_eq(position(fd), 50000);
	return eio_switch_end(&sw, 0);
}

START_TEST(where_there_is_no_room_the_position_is_behind_what_was_written)
{
	limit_file_size(50000);
	run_ring(write_beyond, 0);
	lift_file_size_limit();
}
END_TEST

/* Two pages of memory, of which the second cannot be written to: there the kernel ends a read
 * that it goes on with. */
static char *map_one_of_two(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	return pages;
}

RING_TEST(a_read_that_fails_on_its_way_moves_the_position_behind_what_it_read)
{
	static char data[4 * 4096];
	char *pages = map_one_of_two();
	struct iovec iov = {pages, 8192};
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	fill(data, sizeof(data), 0);
	fd = file_on(&sw);
	store(fd, data, sizeof(data), 0);
	expect_err(eio_ll_read(fd, pages, 8192, EIO_CURRENT), 4096);
	ck_assert(is_filled(pages, 4096, 0));
	ck_assert_int_eq(position(fd), 4096);
	expect_err(eio_ll_readv(fd, &iov, 1, EIO_CURRENT), 4096);
	ck_assert(is_filled(pages, 4096, 4096));
	ck_assert_int_eq(position(fd), 8192);
	expect_err(eio_ll_read(fd, pages, 8192, 0), 4096);
	ck_assert_int_eq(position(fd), 8192);
	ck_assert_int_eq(munmap(pages, 8192), 0);
	return eio_switch_end(&sw, 0);
}

/* Where it can be passed: tmpfs takes the flag, and ignores it. */
static int pass_page_cache(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_alloc_fixed(&c));
	fd = file_on(&sw);
	expect_ok(ftruncate(number(fd), 16384));
	if (fcntl(number(fd), F_SETFL, O_DIRECT) < 0)
		return eio_switch_end(&sw, 0);
	for (int i = 0; i < 4; i++) {
		struct iovec iov = {c.data, 4096};

		fill(c.data, 4096, (size_t) i * 4096);
		if (i % 2)
			expect_ok(eio_ll_write(fd, c, 4096, EIO_CURRENT));
		else
			expect_ok(eio_ll_writev(fd, &iov, 1, EIO_CURRENT));
		ck_assert_int_eq(position(fd), (i + 1) * 4096);
	}
	/* Written a second time it has its blocks, and the disk ends the writes. */
	expect_ok(eio_ll_lseek(fd, 0, SEEK_SET, NULL));
	for (int i = 0; i < 4; i++) {
		fill(c.data, 4096, (size_t) i * 4096);
		expect_ok(eio_ll_write_all(fd, c.data, 4096, EIO_CURRENT));
		ck_assert_int_eq(position(fd), (i + 1) * 4096);
	}
	expect_ok(eio_ll_lseek(fd, 0, SEEK_SET, NULL));
	for (int i = 0; i < 4; i++) {
		memset(c.data, 0, 4096);
		if (i % 2)
			expect_err(eio_ll_read(fd, c.data, 4096, EIO_CURRENT), 4096);
		else
			expect_err(eio_ll_read_upto(fd, c, 4096, EIO_CURRENT), 4096);
		ck_assert(is_filled(c.data, 4096, (size_t) i * 4096));
	}
	expect_err(eio_ll_read_upto(fd, c, 4096, EIO_CURRENT), 0);
	ck_assert_int_eq(position(fd), 16384);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

START_TEST(past_the_page_cache_the_position_moves_too)
{
	run_ring_with(&(struct eio_config){.block_size = 4096}, pass_page_cache, 0);
}
END_TEST

SUITE_MAIN("ll_rw", true, an_explicit_offset_leaves_the_position_test,
	   EIO_CURRENT_moves_the_position_test,
	   whole_transfers_are_whole_though_every_count_is_short,
	   whole_transfers_are_whole_in_plain_memory_blocks_too,
	   single_transfers_give_what_the_kernel_moved, reading_at_the_end_gives_0_test,
	   reading_exactly_past_the_end_gives_EIO_EOF_and_tells_how_far_it_came_test,
	   a_failed_write_tells_how_far_it_came,
	   a_transfer_longer_than_its_block_is_refused_or_cut_test,
	   nothing_to_transfer_is_done_at_once_test,
	   a_vector_longer_than_IOV_MAX_is_written_in_pieces_test,
	   a_vector_longer_than_IOV_MAX_survives_short_counts,
	   writes_beyond_INT_MAX_bytes_are_complete, reading_an_empty_pipe_waits_test,
	   reading_an_empty_nonblocking_pipe_waits_test, reading_waits_where_the_kernel_says_EAGAIN,
	   writing_to_a_full_nonblocking_pipe_waits_test,
	   writing_waits_where_the_kernel_says_EAGAIN, an_interrupted_operation_is_done_again,
	   writing_to_a_pipe_nobody_reads_gives_EPIPE_and_no_death,
	   a_writer_that_waits_is_told_when_the_last_reader_goes_test,
	   a_failure_names_its_operation_test,
	   where_there_is_no_room_the_position_is_behind_what_was_written,
	   a_short_write_that_appends_leaves_the_position_at_the_end,
	   a_read_that_fails_on_its_way_moves_the_position_behind_what_it_read_test,
	   past_the_page_cache_the_position_moves_too)
