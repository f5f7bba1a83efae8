/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include "core/fiber.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DATA = 100000 };

static char data[DATA], found[DATA];

/* What every call gives for a flow that is none of a file: the same. */
static void expect_all(struct eio_flow f, int err)
{
	struct iovec iov = {found, 1};
	struct eio_stat st;
	uint64_t size;
	int64_t pos;
	char b = 'x';

	expect_err(eio_file_stat(f, &st), err);
	expect_err(eio_file_size(f, &size), err);
	expect_err(eio_file_pread(f, &b, 1, 0), err);
	expect_err(eio_file_pread(f, &b, 0, 0), err);
	expect_err(eio_file_pread_exact(f, &b, 1, 0), err);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_file_pread_exact(f, &b, 0, 0), err);
	expect_err(eio_file_preadv(f, &iov, 1, 0), err);
	expect_err(eio_file_preadv(f, &iov, 0, 0), err);
	expect_err(eio_file_pwrite_all(f, &b, 1, 0), err);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_file_pwrite_all(f, &b, 0, 0), err);
	expect_err(eio_file_pwrite_some(f, &b, 1, 0), err);
	expect_err(eio_file_pwrite_some(f, &b, 0, 0), err);
	expect_err(eio_file_pwritev(f, &iov, 1, 0), err);
	expect_err(eio_file_pwritev(f, &iov, 0, 0), err);
	expect_err(eio_file_seek(f, 0, SEEK_SET, &pos), err);
	expect_err(eio_file_seek(f, 0, SEEK_DATA, &pos), err);
	expect_err(eio_file_truncate(f, 0), err);
	expect_err(eio_file_allocate(f, 0, 0, 1), err);
	expect_err(eio_file_advise(f, 0, 0, POSIX_FADV_NORMAL), err);
	expect_err(eio_file_sync(f), err);
	expect_err(eio_file_datasync(f), err);
	expect_err(eio_file_direct(&f, true), err);
}

DIR_TEST(a_flow_without_an_open_file_fails_alike_everywhere)
{
	struct eio_string_source text;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	expect_all((struct eio_flow){.ops = NULL}, -EBADF);
	expect_all(eio_null(), -ENOTSUP);
	expect_all(eio_string_source_init(&text, "text", 4), -ENOTSUP);
	f = file_to_write(&sw, "file");
	expect_ok(eio_flow_close(f));
	expect_all(f, -EBADF);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_cancelled_caller_does_nothing_to_a_file)
{
	struct eio_cancel c;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abc");
	f = file_to_write(&sw, "file");
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_all(f, -ECANCELED);
	expect_all((struct eio_flow){.ops = NULL}, -ECANCELED);
	expect_all(eio_null(), -ECANCELED);
	eio_cancel_end(&c);
	expect_text("file", "abc");
	ck_assert_int_eq(fcntl(flow_number(f), F_GETFL) & O_DIRECT, 0);
	return eio_switch_end(&sw, 0);
}

/* At an offset */

DIR_TEST(pread_and_pwrite_leave_the_position)
{
	static char data[100000], found[sizeof(data)];
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	char text[8] = "";

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	expect_ok(eio_flow_copy_string(f, "abcdef"));
	expect_ok(eio_file_pwrite_all(f, "XY", 2, 1));
	expect_err(eio_file_pread(f, text, 4, 0), 4);
	ck_assert_str_eq(text, "aXYd");
	expect_ok(eio_flow_copy_string(f, "g"));
	expect_text("file", "aXYdefg");
	expect_err(eio_file_pread(f, text, 8, 5), 2);
	expect_ok(eio_file_pread(f, text, 8, 7));
	expect_ok(eio_file_pread(f, text, 8, 1000000));
	expect_ok(eio_file_pread(f, text, 0, 0));
	expect_ok(eio_file_pwrite_all(f, text, 0, 1000000));
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, 7);
	fill(data, sizeof(data), 0);
	expect_ok(eio_file_pwrite_all(f, data, sizeof(data), (int64_t) 5 << 30));
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, ((uint64_t) 5 << 30) + sizeof(data));
	for (size_t done = 0; done < sizeof(found);) {
		ssize_t n = eio_file_pread(f, found + done, sizeof(found) - done,
					   ((int64_t) 5 << 30) + (int64_t) done);

		ck_assert_int_gt(n, 0);
		done += (size_t) n;
	}
	ck_assert_mem_eq(data, found, sizeof(data));
	expect_err(eio_file_pread(f, text, 4, 1 << 30), 4);
	ck_assert_mem_eq(text, "\0\0\0\0", 4);
	ck_assert_int_eq(lseek(flow_number(f), 0, SEEK_CUR), 7);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(offsets_are_for_what_has_a_position)
{
	struct eio_switch sw;
	struct eio_flow f, r, w;
	struct eio_stat st;
	char b[4];

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abc");
	f = file_to_read(&sw, "file");
	expect_err(eio_file_pread(f, b, 4, -1), -EINVAL);
	expect_err(eio_file_pread(f, b, 4, INT64_MIN), -EINVAL);
	expect_err(eio_file_pwrite_all(f, b, 4, -1), -EINVAL);
	expect_err(eio_file_pwrite_all(f, b, 1, 0), -EBADF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, 3);
	flow_pipe(&sw, &r, &w);
	expect_ok(eio_flow_copy_string(w, "x"));
	expect_err(eio_file_pread(r, b, 4, 0), -ESPIPE);
	expect_err(eio_file_pwrite_all(w, b, 4, 0), -ESPIPE);
	ck_assert_int_eq(readable_bytes(flow_number(r)), 1);
	expect_err(eio_file_pread(eio_null(), b, 4, 0), -ENOTSUP);
	expect_err(eio_file_pwrite_all(eio_null(), b, 4, 0), -ENOTSUP);
	expect_err(eio_file_pread((struct eio_flow){.ops = NULL}, b, 4, 0), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* Each call with a bad offset, of a file and of what has no position. */
static void expect_no_place(struct eio_flow f, int64_t off, int err)
{
	struct iovec iov = {found, 1};

	expect_err(eio_file_pread(f, found, 1, off), err);
	expect_err(eio_file_pread(f, found, 0, off), err);
	expect_err(eio_file_pread_exact(f, found, 1, off), err);
	expect_err(eio_file_preadv(f, &iov, 1, off), err);
	expect_err(eio_file_pwrite_all(f, found, 1, off), err);
	expect_err(eio_file_pwrite_some(f, found, 1, off), err);
	expect_err(eio_file_pwritev(f, &iov, 1, off), err);
	expect_err(eio_file_truncate(f, off), err);
	expect_err(eio_file_allocate(f, 0, off, 1), err);
	expect_err(eio_file_advise(f, off, 0, POSIX_FADV_NORMAL), err);
}

DIR_TEST(negative_offsets_and_vectors_are_invalid)
{
	struct iovec iov = {found, 1};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abc");
	f = file_to_write(&sw, "file");
	expect_no_place(f, -1, -EINVAL);
	expect_no_place(f, INT64_MIN, -EINVAL);
	expect_err(eio_file_preadv(f, &iov, -1, 0), -EINVAL);
	expect_err(eio_file_pwritev(f, &iov, -1, 0), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "pwrite");
	expect_err(eio_file_allocate(f, 0, 0, 0), -EINVAL);
	expect_err(eio_file_allocate(f, 0, 0, -1), -EINVAL);
	expect_err(eio_file_advise(f, 0, -1, POSIX_FADV_NORMAL), -EINVAL);
	expect_err(eio_file_advise(f, 0, 0, 1000), -EINVAL);
	expect_text("file", "abc");
	return eio_switch_end(&sw, 0);
}

DIR_TEST(what_has_no_position_gives_ESPIPE)
{
	struct eio_flow f, r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	expect_no_place(r, 0, -ESPIPE);
	expect_no_place(w, 0, -ESPIPE);
	expect_err(eio_file_seek(r, 0, SEEK_CUR, NULL), -ESPIPE);
	expect_err(eio_file_direct(&w, true), -ESPIPE);
	ck_assert_int_eq(fcntl(flow_number(w), F_GETFL) & O_DIRECT, 0);
	flow_pair(&sw, &f, &r);
	expect_no_place(f, 0, -ESPIPE);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_file_open_for_reading_only_is_not_changed)
{
	struct iovec iov = {found, 1};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abc");
	f = file_to_read(&sw, "file");
	expect_err(eio_file_pwrite_all(f, "x", 1, 0), -EBADF);
	expect_err(eio_file_pwrite_some(f, "x", 1, 0), -EBADF);
	expect_err(eio_file_pwritev(f, &iov, 1, 0), -EBADF);
	expect_err(eio_file_allocate(f, 0, 0, 1), -EBADF);
	expect_err(eio_file_truncate(f, 0), -EINVAL);
	expect_text("file", "abc");
	return eio_switch_end(&sw, 0);
}

/* Reads of both kinds, each by its own way: by the ring, and directly. */
DIR_TEST(exact_reads_are_whole_or_tell_how_far_they_came)
{
	struct eio_flow files[2];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	put_file("file", DATA);
	files[0] = file_to_read(&sw, "file");
	files[1] = file_to_write(&sw, "file");
	for (int i = 0; i < 2; i++) {
		memset(found, 0, sizeof(found));
		expect_ok(eio_file_pread_exact(files[i], found, DATA, 0));
		ck_assert(is_filled(found, DATA, 0));
		expect_ok(eio_file_pread_exact(files[i], found, 100, DATA - 100));
		ck_assert(is_filled(found, 100, DATA - 100));
		expect_ok(eio_file_pread_exact(files[i], found, 0, DATA + 100));
		memset(found, 0, sizeof(found));
		expect_err(eio_file_pread_exact(files[i], found, 101, DATA - 100), EIO_EOF);
		ck_assert_uint_eq(eio_last_error()->done, 100);
		ck_assert(is_filled(found, 100, DATA - 100));
		ck_assert_int_eq(found[100], 0);
		expect_err(eio_file_pread_exact(files[i], found, 1, DATA), EIO_EOF);
		ck_assert_uint_eq(eio_last_error()->done, 0);
		ck_assert_int_eq(lseek(flow_number(files[i]), 0, SEEK_CUR), 0);
	}
	return eio_switch_end(&sw, 0);
}

/* Short counts and interruptions are no ends. */
static struct faults short_counts = {.seed = 1, .shorten = 200, .transient = 50};

static int move_in_pieces(void *arg)
{
	struct iovec iov[3] = {{data, 10}, {NULL, 0}, {data + 10, DATA - 10}};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	for (int i = 0; i < 20; i++) {
		expect_ok(ftruncate(flow_number(f), 0));
		if (i % 2)
			expect_ok(eio_file_pwrite_all(f, data, DATA, 7));
		else
			expect_ok(eio_file_pwritev(f, iov, 3, 7));
		memset(found, 0, sizeof(found));
		expect_ok(eio_file_pread_exact(f, found, DATA, 7));
		ck_assert(is_filled(found, DATA, 0));
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(transfers_in_pieces_come_out_whole)
{
	fill(data, DATA, 0);
	enter_scratch();
	faults_install(&short_counts);
	run_ring(move_in_pieces, 0);
	leave_scratch();
	ck_assert_uint_gt(short_counts.shortened, 10);
}
END_TEST

DIR_TEST(vectors_are_read_and_written_in_order)
{
	struct iovec out[4] = {{"ab", 2}, {NULL, 0}, {"cde", 3}, {"f", 1}};
	char a[2], b[3];
	struct iovec in[3] = {{a, 2}, {NULL, 0}, {b, 3}};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	expect_ok(eio_file_pwritev(f, out, 4, 1));
	expect_ok(eio_file_pwritev(f, out, 0, 1000));
	expect_err(eio_file_preadv(f, in, 3, 1), 5);
	ck_assert_mem_eq(a, "ab", 2);
	ck_assert_mem_eq(b, "cde", 3);
	expect_err(eio_file_preadv(f, in, 3, 5), 2);
	ck_assert_mem_eq(a, "ef", 2);
	expect_ok(eio_file_preadv(f, in, 3, 7));
	expect_ok(eio_file_preadv(f, in, 0, 0));
	expect_err(eio_file_pwrite_some(f, "xyz", 3, 2), 3);
	expect_ok(eio_file_pwrite_some(f, "xyz", 0, 2));
	expect_err(eio_file_pread(f, found, DATA, 0), 7);
	ck_assert_mem_eq(found, "\0axyzef", 7);
	ck_assert_int_eq(lseek(flow_number(f), 0, SEEK_CUR), 0);
	return eio_switch_end(&sw, 0);
}

/* One byte an entry, with some empty ones in between. */
DIR_TEST(vectors_may_have_more_entries_than_IOV_MAX)
{
	static struct iovec iov[3 * IOV_MAX];
	struct eio_switch sw;
	struct eio_flow f;
	size_t len = 0;

	(void) arg;
	eio_switch_begin(&sw);
	fill(data, DATA, 0);
	for (size_t i = 0; i < COUNT(iov); i++) {
		iov[i] = (struct iovec){data + len, i % 7 != 0};
		len += iov[i].iov_len;
	}
	f = file_to_write(&sw, "file");
	expect_ok(eio_file_pwritev(f, iov, COUNT(iov), 5));
	expect_ok(eio_file_pread_exact(f, found, len, 5));
	ck_assert(is_filled(found, len, 0));
	expect_err(eio_file_pread(f, found, 1, 5 + (int64_t) len), 0);
	memset(data, 0, DATA);
	expect_err(eio_file_preadv(f, iov, COUNT(iov), 5), IOV_MAX - (IOV_MAX + 6) / 7);
	ck_assert(is_filled(data, IOV_MAX - (IOV_MAX + 6) / 7, 0));
	return eio_switch_end(&sw, 0);
}

/* More than INT_MAX bytes at once: a part is moved, and none twice. Of memory there is
 * little: it is all the same pages. */
DIR_TEST(counts_beyond_INT_MAX_are_cut_or_go_on)
{
	const size_t len = (size_t) INT_MAX + 4096;
	char *huge = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct eio_switch sw;
	struct eio_flow null, f;
	struct eio_fd fd;

	(void) arg;
	ck_assert_ptr_ne(huge, MAP_FAILED);
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/dev/null", O_RDWR, 0, &fd));
	null = eio_flow_of_fd(fd);
	expect_err(eio_file_pwrite_some(null, huge, len, 0), 0x7ffff000);
	expect_ok(eio_file_pwrite_all(null, huge, len, 0));
	put_text("file", "abc");
	f = file_to_read(&sw, "file");
	munmap(huge, len);
	/* A read asks for no more than there is room in the cut count. */
	expect_err(eio_file_pread(f, found, (size_t) -1 >> 1, 0), 3);
	expect_err(eio_file_pread(f, found, (size_t) -1 >> 1, 3), 0);
	return eio_switch_end(&sw, 0);
}

/* Directly what is cached, if the flow is one that eio_fs_open_in made: how many entries. */
static struct faults counted;

static unsigned reads_by_ring(struct eio_flow f, unsigned n)
{
	unsigned before;
	char b;

	expect_ok(eio_ll_noop());
	before = counted.entries[IORING_OP_READ];
	for (unsigned i = 0; i < n; i++) {
		expect_err(eio_file_pread(f, &b, 1, i), 1);
		ck_assert(is_filled(&b, 1, i));
	}
	return counted.entries[IORING_OP_READ] - before;
}

static bool tells_contents(struct eio_flow f)
{
	struct iovec iov = {found, 1};

	return preadv2(flow_number(f), &iov, 1, 0, RWF_NOWAIT) == 1;
}

static int read_cached(void *arg)
{
	const unsigned n = 2 * (EIO__DIRECT_IN_A_ROW + 1);
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	put_file("file", 10000);
	f = file_to_read(&sw, "file");
	ck_assert_uint_eq(reads_by_ring(f, n), tells_contents(f) ? 2 : n);
	ck_assert_uint_eq(reads_by_ring(file_to_write(&sw, "file"), n), n);
	/* Without a page cache such a read would wait for the disk. */
	if (eio_file_direct(&f, true) == 0) {
		expect_ok(eio_file_direct(&f, false));
		ck_assert_uint_eq(reads_by_ring(f, n), n);
	}
	return eio_switch_end(&sw, 0);
}

START_TEST(what_is_cached_is_read_directly_a_few_times_in_a_row)
{
	enter_scratch();
	faults_install(&counted);
	run_ring(read_cached, 0);
	leave_scratch();
}
END_TEST

/* Position and room */

DIR_TEST(the_position_moves_and_reads_go_on_from_it)
{
	struct eio_switch sw;
	struct eio_flow f;
	char text[8] = "";
	int64_t pos = -7;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abcdef");
	f = file_to_read(&sw, "file");
	expect_ok(eio_file_seek(f, 2, SEEK_SET, &pos));
	ck_assert_int_eq(pos, 2);
	expect_err(eio_flow_read(f, text, 2), 2);
	ck_assert_str_eq(text, "cd");
	expect_ok(eio_file_seek(f, -3, SEEK_CUR, &pos));
	ck_assert_int_eq(pos, 1);
	expect_ok(eio_file_seek(f, -1, SEEK_END, NULL));
	expect_err(eio_flow_read(f, text, 8), 1);
	ck_assert_int_eq(text[0], 'f');
	expect_ok(eio_file_seek(f, (int64_t) 5 << 30, SEEK_SET, &pos));
	ck_assert_int_eq(pos, (int64_t) 5 << 30);
	expect_ok(eio_flow_read(f, text, 8));
	pos = -7;
	expect_err(eio_file_seek(f, -1, SEEK_SET, &pos), -EINVAL);
	expect_err(eio_file_seek(f, -7, SEEK_END, &pos), -EINVAL);
	expect_err(eio_file_seek(f, 0, 1000, &pos), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "lseek");
	ck_assert_int_eq(pos, -7);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(data_and_holes_are_found)
{
	enum { MIB = 1 << 20 };
	struct eio_switch sw;
	struct eio_flow f;
	int64_t pos, want;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	expect_ok(eio_file_truncate(f, 4 * MIB));
	expect_ok(eio_file_pwrite_all(f, data, 4096, 2 * MIB));
	/* What the system says of it: not every file system keeps holes. */
	want = lseek(flow_number(f), 0, SEEK_DATA);
	expect_ok(eio_file_seek(f, 0, SEEK_DATA, &pos));
	ck_assert_int_eq(pos, want);
	ck_assert_int_le(pos, 2 * MIB);
	expect_ok(eio_file_seek(f, 2 * MIB, SEEK_HOLE, &pos));
	ck_assert_int_gt(pos, 2 * MIB);
	ck_assert_int_le(pos, 4 * MIB);
	expect_ok(eio_file_seek(f, 4 * MIB - 1, SEEK_HOLE, &pos));
	expect_err(eio_file_seek(f, 4 * MIB, SEEK_DATA, &pos), -ENXIO);
	expect_err(eio_file_seek(f, 4 * MIB, SEEK_HOLE, &pos), -ENXIO);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_file_is_cut_and_lengthened)
{
	struct eio_switch sw;
	struct eio_flow f;
	uint64_t size = 0;
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abcdef");
	f = file_to_write(&sw, "file");
	expect_ok(eio_file_truncate(f, 3));
	expect_text("file", "abc");
	expect_ok(eio_file_truncate(f, (int64_t) 3 << 30));
	expect_ok(eio_file_size(f, &size));
	ck_assert_uint_eq(size, (uint64_t) 3 << 30);
	/* Some file systems have no limit of their own. */
	rc = eio_file_truncate(f, INT64_MAX);
	expect_ok(eio_file_size(f, &size));
	if (rc < 0) {
		expect_err(rc, -EFBIG);
		ck_assert_uint_eq(size, (uint64_t) 3 << 30);
	} else {
		ck_assert_uint_eq(size, INT64_MAX);
	}
	expect_ok(eio_file_truncate(f, 0));
	expect_text("file", "");
	return eio_switch_end(&sw, 0);
}

DIR_TEST(room_is_reserved_and_given_back)
{
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	rc = eio_file_allocate(f, 0, 0, 1 << 20);
	if (rc == -EOPNOTSUPP)
		return eio_switch_end(&sw, 0);
	expect_ok(rc);
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, 1 << 20);
	ck_assert_uint_ge(st.blocks, (1 << 20) / 512);
	expect_ok(eio_file_allocate(f, FALLOC_FL_KEEP_SIZE, 1 << 20, 1 << 20));
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, 1 << 20);
	ck_assert_uint_ge(st.blocks, (2 << 20) / 512);
	expect_ok(eio_file_pwrite_all(f, "abc", 3, 0));
	expect_ok(eio_file_allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 19));
	expect_ok(eio_file_pread_exact(f, found, 3, 0));
	ck_assert_mem_eq(found, "\0\0\0", 3);
	expect_ok(eio_file_advise(f, 0, 0, POSIX_FADV_SEQUENTIAL));
	expect_ok(eio_file_advise(f, 0, (int64_t) 3 << 30, POSIX_FADV_DONTNEED));
	return eio_switch_end(&sw, 0);
}

/* Disks */

DIR_TEST(sync_is_for_files)
{
	struct eio_switch sw;
	struct eio_flow f, r, w;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	expect_ok(eio_flow_copy_string(f, "abc"));
	expect_ok(eio_file_sync(f));
	expect_ok(eio_file_datasync(f));
	flow_pipe(&sw, &r, &w);
	expect_err(eio_file_sync(w), -EINVAL);
	expect_err(eio_file_datasync(w), -EINVAL);
	return eio_switch_end(&sw, 0);
}

static int move_blocks(void *arg)
{
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_flow f;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	f = file_to_write(&sw, "file");
	if (eio_file_direct(&f, true) == -EINVAL)
		return eio_switch_end(&sw, 0);
	ck_assert_int_ne(fcntl(flow_number(f), F_GETFL) & O_DIRECT, 0);
	expect_ok(eio_flow_fd(f, &fd));
	expect_ok(eio_ll_alloc_fixed(&c));
	fill(c.data, 8192, 0);
	expect_ok(eio_ll_write(fd, c, 8192, 0));
	/* A length that is no multiple. */
	expect_ok(eio_file_truncate(f, 5000));
	memset(c.data, 0, c.length);
	expect_err(eio_ll_read_upto(fd, c, 8192, 0), 5000);
	ck_assert(is_filled(c.data, 5000, 0));
	memset(c.data, 0, c.length);
	expect_err(eio_file_pread(f, c.data, 8192, 4096), 5000 - 4096);
	ck_assert(is_filled(c.data, 5000 - 4096, 4096));
	/* Misaligned: as the system answers, which is -EINVAL on most file systems. */
	errno = 0;
	if (pread(flow_number(f), (char *) c.data + 1, 4096, 0) < 0 && errno == EINVAL) {
		expect_err(eio_file_pread(f, (char *) c.data + 1, 4096, 0), -EINVAL);
		expect_err(eio_file_pread(f, c.data, 4096, 1), -EINVAL);
		expect_err(eio_file_pread(f, c.data, 100, 0), -EINVAL);
		expect_err(eio_file_pwrite_all(f, (char *) c.data + 1, 4096, 0), -EINVAL);
	}
	expect_ok(eio_file_direct(&f, false));
	ck_assert_int_eq(fcntl(flow_number(f), F_GETFL) & O_DIRECT, 0);
	expect_err(eio_file_pread(f, found + 1, 100, 1), 100);
	ck_assert(is_filled(found + 1, 100, 1));
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

START_TEST(past_the_page_cache_blocks_are_read_and_written)
{
	enter_scratch();
	run_ring_with(&(struct eio_config){.block_size = 16384}, move_blocks, 0);
	leave_scratch();
}
END_TEST

/* Other flags stay. */
DIR_TEST(what_has_a_page_cache_only_refuses_to_go_past_it)
{
	struct eio_create append = {.append = true};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_in(env->fs, &sw, "/proc/version", &f));
	expect_err(eio_file_direct(&f, true), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "O_DIRECT");
	ck_assert_int_gt(eio_file_pread(f, found, 100, 0), 0);
	expect_ok(eio_fs_open_out(env->cwd, &sw, "file", &append, &f));
	expect_ok(eio_file_direct(&f, false));
	ck_assert_int_ne(fcntl(flow_number(f), F_GETFL) & O_APPEND, 0);
	(void) eio_file_direct(&f, true);
	ck_assert_int_ne(fcntl(flow_number(f), F_GETFL) & O_APPEND, 0);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("file", true, a_flow_without_an_open_file_fails_alike_everywhere_test,
	   a_cancelled_caller_does_nothing_to_a_file_test, pread_and_pwrite_leave_the_position_test,
	   offsets_are_for_what_has_a_position_test, negative_offsets_and_vectors_are_invalid_test,
	   what_has_no_position_gives_ESPIPE_test, a_file_open_for_reading_only_is_not_changed_test,
	   exact_reads_are_whole_or_tell_how_far_they_came_test, transfers_in_pieces_come_out_whole,
	   vectors_are_read_and_written_in_order_test,
	   vectors_may_have_more_entries_than_IOV_MAX_test,
	   counts_beyond_INT_MAX_are_cut_or_go_on_test,
	   what_is_cached_is_read_directly_a_few_times_in_a_row,
	   the_position_moves_and_reads_go_on_from_it_test, data_and_holes_are_found_test,
	   a_file_is_cut_and_lengthened_test, room_is_reserved_and_given_back_test,
	   sync_is_for_files_test, past_the_page_cache_blocks_are_read_and_written,
	   what_has_a_page_cache_only_refuses_to_go_past_it_test)
