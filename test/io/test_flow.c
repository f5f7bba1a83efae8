/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/script.h"
#include "mock/sched.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>

static const struct eio_flow zeroed;

/* Strings */

MOCK_TEST(a_string_is_read_in_pieces_and_is_then_at_its_end)
{
	struct eio_string_source s;
	struct eio_flow f = eio_string_source_init(&s, "hello", 5);
	char b[8] = "";

	(void) arg;
	expect_err(eio_flow_read(f, b, 3), 3);
	ck_assert_str_eq(b, "hel");
	ck_assert_uint_eq(s.len, 2);
	expect_err(eio_flow_read(f, b, 8), 2);
	ck_assert_int_eq(memcmp(b, "lol", 3), 0);
	expect_ok(eio_flow_read(f, b, 8));
	expect_ok(eio_flow_read(f, b, 8));
	f = eio_string_source_init(&s, NULL, 0);
	expect_ok(eio_flow_read(f, b, 8));
	expect_err(eio_flow_write(f, "x", 1), -EOPNOTSUPP);
	return 0;
}

/* Vectors */

enum { PARTS = 300 };

/* Entries of 0 to 6 bytes of the pattern, the first and the last ones empty. */
static size_t make_parts(struct iovec *iov, char *text)
{
	size_t len = 0;

	for (int i = 0; i < PARTS; i++) {
		size_t n = i < 3 || i >= PARTS - 2 ? 0 : (size_t) i * 5 % 7;

		iov[i] = (struct iovec){n ? text + len : NULL, n};
		len += n;
	}
	fill(text, len, 0);
	return len;
}

MOCK_TEST(a_vector_is_read_across_its_entries_in_any_steps)
{
	struct iovec iov[PARTS], before[PARTS];
	char text[PARTS * 7], b[PARTS * 7];
	size_t len = make_parts(iov, text);
	struct eio_iov_source s;

	(void) arg;
	memcpy(before, iov, sizeof(iov));
	for (size_t step = 1; step < sizeof(b); step = step * 2 + 1) {
		struct eio_flow f = eio_iov_source_init(&s, iov, PARTS);
		size_t done = 0;
		ssize_t n;

		while ((n = eio_flow_read(f, b + done, step)) > 0) {
			ck_assert_uint_eq((size_t) n, step < len - done ? step : len - done);
			done += (size_t) n;
		}
		expect_ok(n);
		expect_ok(eio_flow_read(f, b, 1));
		ck_assert_uint_eq(done, len);
		ck_assert(is_filled(b, len, 0));
	}
	ck_assert_mem_eq(before, iov, sizeof(iov));
	expect_ok(eio_flow_read(eio_iov_source_init(&s, NULL, 0), b, 1));
	expect_ok(eio_flow_read(eio_iov_source_init(&s, iov, -1), b, 1));
	expect_ok(eio_flow_read(eio_iov_source_init(&s, iov, 3), b, 1));
	expect_err(eio_flow_write(eio_iov_source_init(&s, iov, 3), b, 1), -EOPNOTSUPP);
	return 0;
}

/* Buffers */

MOCK_TEST(a_buffer_gathers_what_is_written_and_ends_it)
{
	struct eio_buffer_sink s;
	struct eio_flow f = eio_buffer_sink_init(&s, 0);

	(void) arg;
	ck_assert_ptr_null(s.data);
	ck_assert_uint_eq(s.len, 0);
	expect_ok(eio_flow_write(f, "abc", 3));
	ck_assert_str_eq(s.data, "abc");
	expect_ok(eio_flow_copy_string(f, "def"));
	expect_ok(eio_flow_copy_string(f, ""));
	ck_assert_str_eq(s.data, "abcdef");
	ck_assert_uint_eq(s.len, 6);
	expect_err(eio_flow_read(f, (char[1]){0}, 1), -EOPNOTSUPP);
	eio_buffer_sink_fini(&s);
	ck_assert_ptr_null(s.data);
	ck_assert_uint_eq(s.len, 0);
	expect_ok(eio_flow_copy_string(f, "again"));
	ck_assert_str_eq(s.data, "again");
	eio_buffer_sink_fini(&s);
	return 0;
}

MOCK_TEST(a_buffer_grows_and_is_always_ended)
{
	enum { SIZE = 300000 };
	struct eio_buffer_sink s;
	struct eio_flow f = eio_buffer_sink_init(&s, 0);
	char *data = malloc(SIZE);

	(void) arg;
	fill(data, SIZE, 0);
	for (size_t len = 1; s.len < SIZE; len = len * 2 % 7919 + 1) {
		size_t n = len < SIZE - s.len ? len : SIZE - s.len;

		expect_ok(eio_flow_write(f, data + s.len, n));
		ck_assert_int_eq(s.data[s.len], 0);
	}
	ck_assert(is_filled(s.data, SIZE, 0));
	eio_buffer_sink_fini(&s);
	free(data);
	return 0;
}

/* For every limit up to ten and ways to write ten bytes. */
MOCK_TEST(a_buffer_takes_up_to_its_limit_and_says_how_much)
{
	char digits[] = "0123456789";
	struct iovec iov[4] = {{digits, 3}, {digits, 0}, {digits + 3, 4}, {digits + 7, 3}};
	struct eio_buffer_sink s;

	(void) arg;
	for (size_t max = 1; max <= 10; max++) {
		int expected = max < 10 ? EIO_ELIMIT : 0;
		struct eio_flow f = eio_buffer_sink_init(&s, max);

		expect_err(eio_flow_write(f, digits, 10), expected);
		ck_assert_uint_eq(s.len, max);
		ck_assert_int_eq(strncmp(s.data, digits, max), 0);
		ck_assert_int_eq(s.data[max], 0);
		if (expected)
			ck_assert_uint_eq(eio_last_error()->done, max);
		expect_err(eio_flow_write(f, "x", 1), EIO_ELIMIT);
		ck_assert_uint_eq(eio_last_error()->done, 0);
		expect_ok(eio_flow_write(f, "x", 0));
		eio_buffer_sink_fini(&s);

		f = eio_buffer_sink_init(&s, max);
		expect_err(eio_flow_writev(f, iov, 4), expected);
		ck_assert_uint_eq(s.len, max);
		ck_assert_int_eq(strncmp(s.data, digits, max), 0);
		eio_buffer_sink_fini(&s);

		f = eio_buffer_sink_init(&s, max);
		expect_err(eio_flow_write_some(f, iov, 4), (long) max);
		expect_err(eio_flow_write_some(f, iov, 4), EIO_ELIMIT);
		eio_buffer_sink_fini(&s);
	}
	return 0;
}

MOCK_TEST(copying_to_a_limited_buffer_fails_only_if_more_comes)
{
	enum { MAX = 50000 };
	struct eio_buffer_sink s;
	struct eio_flow f;
	uint64_t n;

	(void) arg;
	for (size_t len = MAX - 1; len <= MAX + 1; len++) {
		struct script source = {.len = len};

		f = eio_buffer_sink_init(&s, MAX);
		expect_err(eio_flow_copy(script_source(&source), f, &n),
			   len > MAX ? EIO_ELIMIT : 0);
		ck_assert_uint_eq(n, len > MAX ? MAX : len);
		ck_assert_uint_eq(s.len, n);
		ck_assert(is_filled(s.data, s.len, 0));
		ck_assert_int_eq(s.data[s.len], 0);
		eio_buffer_sink_fini(&s);
	}
	ck_assert_uint_eq(eio_last_error()->done, MAX);
	return 0;
}

static int write_without_memory(void *arg)
{
	struct script source = {.len = 100000};
	struct eio_buffer_sink s;
	struct eio_flow f = eio_buffer_sink_init(&s, 0);
	int write, copy, pass;
	size_t len;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	expect_ok(eio_flow_write(f, "kept", 4));
	len = s.size;
	use_memory_up(1);
	write = eio_flow_write(f, f.ops, 100000);
	copy = eio_flow_copy(script_source(&source), f, NULL);
	pass = eio_flow_copy(script_source(&source), eio_null(), NULL);
	give_memory_back();
	expect_err(write, -ENOMEM);
	expect_err(copy, -ENOMEM);
	expect_err(pass, -ENOMEM);
	ck_assert_uint_eq(s.size, len);
	ck_assert_int_eq(strncmp(s.data, "kept", 4), 0);
	eio_buffer_sink_fini(&s);
	return 0;
}

START_TEST(without_memory_buffers_and_copies_fail_and_keep_what_they_have)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(write_without_memory, NULL));
}
END_TEST

/* Nothing, and noise */

MOCK_TEST(the_null_flow_is_at_its_end_and_takes_everything)
{
	static const struct iovec huge[] = {{"", SIZE_MAX / 4}, {"", 3}, {"", SIZE_MAX / 4}};
	struct eio_flow f = eio_null();
	char b[4] = "abc";
	uint64_t n = 9;

	(void) arg;
	expect_ok(eio_flow_read(f, b, sizeof(b)));
	ck_assert_str_eq(b, "abc");
	expect_ok(eio_flow_write(f, b, sizeof(b)));
	expect_ok(eio_flow_write(f, b, (size_t) 5 << 30));
	expect_err(eio_flow_write_some(f, huge, 3), 0x7ffff000);
	expect_err(eio_flow_write_some(f, huge + 1, 1), 3);
	expect_ok(eio_flow_copy(f, f, &n));
	ck_assert_uint_eq(n, 0);
	expect_ok(eio_flow_shutdown(f, EIO_SHUT_ALL));
	expect_ok(eio_flow_close(f));
	return 0;
}

RING_TEST(random_bytes_differ_each_time)
{
	struct eio_flow f = env->secure_random;
	unsigned char a[64] = {0}, b[64] = {0};
	struct eio_buffer_sink s;
	unsigned seen[256] = {0}, kinds = 0;
	uint64_t n;

	(void) arg;
	expect_ok(eio_flow_read_exact(f, a, sizeof(a)));
	expect_ok(eio_flow_read_exact(f, b, sizeof(b)));
	ck_assert_mem_ne(a, b, sizeof(a));
	expect_ok(eio_flow_copy_n(f, eio_buffer_sink_init(&s, 0), 100000, NULL, NULL, &n));
	ck_assert_uint_eq(n, 100000);
	ck_assert_uint_eq(s.len, 100000);
	for (size_t i = 0; i < s.len; i++)
		kinds += seen[(unsigned char) s.data[i]]++ == 0;
	ck_assert_uint_eq(kinds, 256);
	eio_buffer_sink_fini(&s);
	expect_err(eio_flow_write(f, a, 1), -EOPNOTSUPP);
	return 0;
}

/* Flows that are none, and operations that are missing */

static void expect_no_flow(struct eio_flow f, struct eio_flow good)
{
	struct iovec iov = {"x", 1};
	char *text = NULL, b;
	uint64_t n = 9;

	expect_err(eio_flow_read(f, &b, 1), -EBADF);
	expect_err(eio_flow_read_exact(f, &b, 1), -EBADF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_flow_readv(f, &(struct iovec){&b, 1}, 1), -EBADF);
	expect_err(eio_flow_read_all(f, 0, &text, NULL), -EBADF);
	ck_assert_ptr_null(text);
	expect_err(eio_flow_printf(f, "%d", 1), -EBADF);
	expect_err(eio_flow_write(f, "x", 1), -EBADF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_flow_writev(f, &iov, 1), -EBADF);
	expect_err(eio_flow_write_some(f, &iov, 1), -EBADF);
	expect_err(eio_flow_copy_string(f, "x"), -EBADF);
	expect_err(eio_flow_copy(f, good, &n), -EBADF);
	ck_assert_uint_eq(n, 0);
	expect_err(eio_flow_copy(good, f, NULL), -EBADF);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_SEND), -EBADF);
	expect_err(eio_flow_close(f), -EBADF);
}

MOCK_TEST(a_zeroed_flow_gives_EBADF)
{
	struct script one = {.len = 1};
	struct eio_fd fd;
	char b;

	(void) arg;
	expect_no_flow(zeroed, script_source(&one));
	expect_err(eio_flow_read(zeroed, &b, 0), -EBADF);
	expect_err(eio_flow_read_exact(zeroed, &b, 0), -EBADF);
	expect_err(eio_flow_write(zeroed, &b, 0), -EBADF);
	expect_err(eio_flow_copy_n(eio_null(), zeroed, 0, NULL, NULL, NULL), -EBADF);
	expect_err(eio_flow_copy_n(zeroed, eio_null(), 0, NULL, NULL, NULL), -EBADF);
	expect_err(eio_flow_fd(zeroed, &fd), -EBADF);
	return 0;
}

RING_TEST(a_closed_flow_gives_EBADF)
{
	struct eio_flow a, b, r, w, other_r, other_w;
	struct script one = {.len = 1};
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_flow_close(w));
	expect_ok(eio_flow_close(a));
	flow_pipe(&sw, &other_r, &other_w);
	expect_no_flow(w, script_source(&one));
	expect_no_flow(a, script_source(&one));
	expect_ok(eio_flow_fd(w, &fd));
	ck_assert(!eio_fd_is_open(fd));
	expect_no_flow(eio_flow_of_fd(fd), script_source(&one));
	ck_assert_int_eq(readable_bytes(flow_number(other_r)), 0);
	return eio_switch_end(&sw, 0);
}

static const struct eio_flow_ops nothing_ops = {.name = "nothing"};

MOCK_TEST(missing_operations_have_defaults)
{
	struct eio_flow f = {.ops = &nothing_ops};
	struct eio_string_source s;
	struct iovec iov = {"x", 1};
	struct script one = {.len = 1};
	struct eio_view view;
	struct eio_fd fd;
	char *text, b;
	uint64_t n = 9;

	(void) arg;
	expect_err(eio_flow_read(f, &b, 1), -EOPNOTSUPP);
	ck_assert_str_eq(eio_last_error()->subject, "nothing");
	expect_err(eio_flow_read_exact(f, &b, 1), -EOPNOTSUPP);
	expect_err(eio_flow_readv(f, &(struct iovec){&b, 1}, 1), -EOPNOTSUPP);
	expect_err(eio_flow_read_borrow(f, 1, &view), -EOPNOTSUPP);
	expect_err(eio_flow_read_all(f, 0, &text, NULL), -EOPNOTSUPP);
	expect_err(eio_flow_printf(f, "x"), -EOPNOTSUPP);
	expect_err(eio_flow_write(f, "x", 1), -EOPNOTSUPP);
	expect_err(eio_flow_write_some(f, &iov, 1), -EOPNOTSUPP);
	expect_ok(eio_flow_shutdown(f, EIO_SHUT_SEND));
	expect_err(eio_flow_fd(f, &fd), -ENOTSUP);
	expect_err(eio_flow_copy(f, eio_null(), &n), -EOPNOTSUPP);
	ck_assert_uint_eq(n, 0);
	expect_err(eio_flow_copy(script_source(&one), f, &n), -EOPNOTSUPP);
	expect_err(eio_flow_copy(eio_string_source_init(&s, "abc", 3), f, &n), -EOPNOTSUPP);
	ck_assert_uint_eq(s.len, 3);
	expect_ok(eio_flow_close(f));
	expect_ok(eio_flow_close(f));
	return 0;
}

/* What providers are asked for */

static ssize_t count_read(struct eio_flow f, void *buf, size_t len)
{
	(void) buf;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(len, 0x7ffff000);
	++*(int *) f.u.ptr;
	return 1;
}

static ssize_t count_write(struct eio_flow f, const struct iovec *iov, int n)
{
	ck_assert_int_gt(n, 0);
	ck_assert_uint_gt(iov->iov_len, 0);
	++*(int *) f.u.ptr;
	return 1;
}

static int note_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	(void) f;
	note("shutdown %d", how);
	return -ENOTCONN;
}

static int note_close(struct eio_flow f)
{
	(void) f;
	note("close");
	return -EIO;
}

static int give_fd(struct eio_flow f, struct eio_fd *ret)
{
	(void) f;
	*ret = EIO_STDERR;
	return 0;
}

static const struct eio_flow_ops count_ops = {
	.name = "count",
	.read = count_read,
	.write_some = count_write,
	.shutdown = note_shutdown,
	.close = note_close,
	.fd = give_fd,
};

MOCK_TEST(length_0_does_not_reach_the_provider)
{
	struct iovec empty[3] = {{NULL, 0}, {"", 0}, {NULL, 0}};
	int calls = 0;
	struct eio_flow f = {.ops = &count_ops, .u.ptr = &calls};
	struct eio_view view;
	uint64_t n;

	(void) arg;
	expect_ok(eio_flow_read(f, NULL, 0));
	expect_ok(eio_flow_read_exact(f, NULL, 0));
	expect_ok(eio_flow_readv(f, NULL, 0));
	expect_ok(eio_flow_readv(f, empty, 3));
	expect_ok(eio_flow_read_borrow(f, 0, &view));
	expect_ok(eio_flow_printf(f, "%s", ""));
	expect_ok(eio_flow_write(f, NULL, 0));
	expect_ok(eio_flow_writev(f, NULL, 0));
	expect_ok(eio_flow_writev(f, empty, 3));
	expect_ok(eio_flow_write_some(f, NULL, 0));
	expect_ok(eio_flow_write_some(f, empty, 3));
	expect_ok(eio_flow_copy_n(f, f, 0, NULL, NULL, &n));
	expect_ok(eio_flow_copy_string(f, ""));
	ck_assert_int_eq(calls, 0);
	expect_err(eio_flow_readv(f, empty, -1), -EINVAL);
	expect_err(eio_flow_writev(f, empty, -1), -EINVAL);
	expect_err(eio_flow_write_some(f, empty, -1), -EINVAL);
	ck_assert_int_eq(calls, 0);
	return 0;
}

MOCK_TEST(the_provider_gets_the_call_and_gives_the_result)
{
	struct iovec iov[2] = {{"", 0}, {"xy", 2}};
	int calls = 0;
	struct eio_flow f = {.ops = &count_ops, .u.ptr = &calls};
	struct eio_fd fd;
	char b;

	(void) arg;
	expect_err(eio_flow_read(f, &b, SIZE_MAX), 1);
	expect_err(eio_flow_write_some(f, iov, 2), 1);
	ck_assert_int_eq(calls, 2);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_RECEIVE), -ENOTCONN);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_SEND), -ENOTCONN);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_ALL), -ENOTCONN);
	expect_err(eio_flow_close(f), -EIO);
	expect_log("shutdown 0 shutdown 1 shutdown 2 close");
	expect_ok(eio_flow_fd(f, &fd));
	ck_assert_uint_eq(fd.slot, EIO_STDERR.slot);
	return 0;
}

MOCK_TEST(a_cancelled_caller_does_not_reach_the_provider_but_to_close)
{
	int calls = 0;
	struct eio_flow f = {.ops = &count_ops, .u.ptr = &calls};
	struct eio_cancel c;
	struct eio_view view;
	uint64_t n = 9;
	char *text, b;

	(void) arg;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_flow_read(f, &b, 1), -ECANCELED);
	expect_err(eio_flow_read(f, &b, 0), -ECANCELED);
	expect_err(eio_flow_read(zeroed, &b, 1), -ECANCELED);
	expect_err(eio_flow_read_exact(f, &b, 1), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_flow_read_exact(f, &b, 0), -ECANCELED);
	expect_err(eio_flow_readv(f, NULL, 0), -ECANCELED);
	expect_err(eio_flow_read_borrow(f, 0, &view), -ECANCELED);
	expect_err(eio_flow_read_all(f, 0, &text, NULL), -ECANCELED);
	expect_err(eio_flow_printf(f, "%s", ""), -ECANCELED);
	expect_err(eio_flow_write(f, "x", 1), -ECANCELED);
	expect_err(eio_flow_write(f, "x", 0), -ECANCELED);
	expect_err(eio_flow_copy(f, f, &n), -ECANCELED);
	ck_assert_uint_eq(n, 0);
	expect_err(eio_flow_copy_n(f, f, 0, NULL, NULL, NULL), -ECANCELED);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_ALL), -ECANCELED);
	ck_assert_int_eq(calls, 0);
	expect_log("");
	expect_err(eio_flow_close(f), -EIO);
	expect_log("close");
	eio_cancel_end(&c);
	return 0;
}

START_TEST(without_a_domain_there_is_nothing_but_closing)
{
	struct eio_string_source s;
	struct eio_flow f = eio_string_source_init(&s, "abc", 3);
	char b;

	expect_err(eio_flow_read(f, &b, 1), -EPERM);
	expect_err(eio_flow_read_exact(f, &b, 1), -EPERM);
	expect_err(eio_flow_write(eio_null(), &b, 1), -EPERM);
	expect_err(eio_flow_copy(f, eio_null(), NULL), -EPERM);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_ALL), -EPERM);
	expect_ok(eio_flow_close(f));
	ck_assert_uint_eq(s.len, 3);
}
END_TEST

/* Reading exactly */

MOCK_TEST(read_exact_puts_pieces_together)
{
	static char b[10000];

	(void) arg;
	for (size_t step = 1; step < 4000; step = step * 3 + 1) {
		struct script s = {.len = sizeof(b) + 5, .step = step};

		memset(b, 0, sizeof(b));
		expect_ok(eio_flow_read_exact(script_source(&s), b, sizeof(b)));
		ck_assert(is_filled(b, sizeof(b), 0));
		ck_assert_uint_eq(s.done, sizeof(b));
	}
	return 0;
}

MOCK_TEST(read_exact_says_how_far_it_came)
{
	struct script at_end = {.len = 10, .step = 3};
	struct script broken = {.len = 100, .step = 4, .fail_at = 12, .err = -EIO};
	struct script cancelled = {.len = 100, .step = 4, .cancel_at = 8};
	struct eio_cancel c;
	char b[64];

	(void) arg;
	expect_err(eio_flow_read_exact(script_source(&at_end), b, sizeof(b)), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 10);
	expect_err(eio_flow_read_exact(script_source(&at_end), b, sizeof(b)), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_flow_read_exact(script_source(&broken), b, sizeof(b)), -EIO);
	ck_assert_uint_eq(eio_last_error()->done, 12);
	eio_cancel_begin(&c);
	cancelled.cancel = &c;
	expect_err(eio_flow_read_exact(script_source(&cancelled), b, sizeof(b)), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 8);
	ck_assert(is_filled(b, 8, 0));
	eio_cancel_end(&c);
	return 0;
}

/* Reading into vectors */

static ssize_t vector_read(struct eio_flow f, const struct iovec *iov, int n)
{
	(void) f;
	note("%d,%zu", n, iov->iov_len);
	return 1;
}

MOCK_TEST(readv_without_an_operation_of_its_own_fills_the_first_entry)
{
	static const struct eio_flow_ops ops = {.name = "vectors", .readv = vector_read};
	struct iovec iov[IOV_MAX + 5];
	struct script s = {.len = 100};
	char b[8] = "", c[8] = "";

	(void) arg;
	for (int i = 0; i < IOV_MAX + 5; i++)
		iov[i] = (struct iovec){i % 2 ? c : b, i == 0 ? 0 : sizeof(b)};
	expect_err(eio_flow_readv(script_source(&s), iov, 4), 8);
	ck_assert(is_filled(c, 8, 0));
	ck_assert_int_eq(b[0], 0);
	/* With one: no empty entries first, and not more than the kernel would take. */
	expect_err(eio_flow_readv((struct eio_flow){.ops = &ops}, iov, 3), 1);
	expect_err(eio_flow_readv((struct eio_flow){.ops = &ops}, iov, IOV_MAX + 5), 1);
	expect_log("2,8 1024,8");
	return 0;
}

/* More entries than the kernel takes. */
RING_TEST(readv_scatters_what_pipes_files_and_sockets_have)
{
	enum { N = IOV_MAX + 20 };
	struct iovec iov[N];
	struct eio_switch sw;
	char text[2 * N + 10], b[2 * N];
	struct eio_flow r, w;

	(void) arg;
	fill(text, sizeof(text), 0);
	eio_switch_begin(&sw);
	for (int kind = 0; kind < 4; kind++) {
		if (kind == 0)
			flow_pipe(&sw, &r, &w);
		else if (kind == 1)
			flow_pair(&sw, &r, &w);
		else if (kind == 2)
			flow_tcp(&sw, &r, &w);
		else
			r = w = eio_flow_of_fd(file_on(&sw));
		expect_ok(eio_flow_write(w, text, sizeof(text)));
		if (kind == 3)
			ck_assert_int_eq(lseek(flow_number(r), 0, SEEK_SET), 0);
		/* Backwards, so that the order shows. */
		for (int i = 0; i < N; i++)
			iov[i] = (struct iovec){b + 2 * (N - 1 - i), 2};
		expect_err(eio_flow_readv(r, iov, N), 2 * IOV_MAX);
		for (int i = 0; i < IOV_MAX; i++)
			ck_assert(is_filled(iov[i].iov_base, 2, (size_t) i * 2));
		expect_err(eio_flow_readv(r, iov, 2), 4);
		ck_assert(is_filled(iov[1].iov_base, 2, 2 * IOV_MAX + 2));
		expect_ok(eio_flow_close(w));
		if (kind < 3) {
			expect_ok(eio_flow_read_exact(r, b, sizeof(text) - 2 * IOV_MAX - 4));
			expect_ok(eio_flow_readv(r, iov, 2));
		}
	}
	return eio_switch_end(&sw, 0);
}

/* Reading everything */

MOCK_TEST(read_all_gives_the_bytes_and_a_NUL)
{
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 300000};

	(void) arg;
	for (size_t i = 0; i < COUNT(lens) * 3; i++) {
		struct script s = {.len = lens[i / 3], .step = i % 3 ? 1000 * (i % 3) : 0};
		size_t len = 99;
		char *text = NULL;

		expect_ok(eio_flow_read_all(script_source(&s), s.len, &text, &len));
		ck_assert_uint_eq(len, s.len);
		ck_assert(is_filled(text, len, 0));
		ck_assert_int_eq(text[len], '\0');
		free(text);
		s.done = 0;
		expect_ok(eio_flow_read_all(script_source(&s), 0, &text, NULL));
		ck_assert(is_filled(text, s.len, 0));
		free(text);
	}
	return 0;
}

MOCK_TEST(read_all_that_fails_gives_nothing)
{
	struct script longer = {.len = 5001}, broken = {.len = 5000, .fail_at = 70, .err = -EIO};
	struct script cancelled = {.len = 5000, .step = 100, .cancel_at = 300};
	struct eio_cancel c;
	char *text = NULL;
	size_t len = 99;

	(void) arg;
	expect_err(eio_flow_read_all(script_source(&longer), 5000, &text, &len), EIO_ELIMIT);
	ck_assert_uint_eq(eio_last_error()->done, 5000);
	expect_err(eio_flow_read_all(script_source(&broken), 5000, &text, &len), -EIO);
	ck_assert_uint_eq(eio_last_error()->done, 70);
	eio_cancel_begin(&c);
	cancelled.cancel = &c;
	expect_err(eio_flow_read_all(script_source(&cancelled), 0, &text, &len), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 300);
	eio_cancel_end(&c);
	ck_assert_ptr_null(text);
	ck_assert_uint_eq(len, 99);
	return 0;
}

RING_TEST(read_all_that_fails_leaves_a_file_where_it_was)
{
	struct eio_switch sw;
	struct eio_flow f;
	char *text = NULL;
	size_t len;

	(void) arg;
	eio_switch_begin(&sw);
	f = eio_flow_of_fd(file_on(&sw));
	expect_ok(eio_flow_copy_string(f, "0123456789"));
	ck_assert_int_eq(lseek(flow_number(f), 2, SEEK_SET), 2);
	expect_err(eio_flow_read_all(f, 7, &text, &len), EIO_ELIMIT);
	ck_assert_int_eq(lseek(flow_number(f), 0, SEEK_CUR), 2);
	expect_ok(eio_flow_read_all(f, 8, &text, &len));
	ck_assert_uint_eq(len, 8);
	ck_assert_str_eq(text, "23456789");
	free(text);
	expect_ok(eio_flow_read_all(f, 8, &text, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(text, "");
	free(text);
	return eio_switch_end(&sw, 0);
}

static int read_all_without_memory(void *arg)
{
	struct script large = {.len = 100000}, empty = {.len = 0};
	char *text = NULL;
	int rc, rc_empty;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	use_memory_up(1);
	rc = eio_flow_read_all(script_source(&large), 0, &text, NULL);
	rc_empty = eio_flow_read_all(script_source(&empty), 0, &text, NULL);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	expect_err(rc_empty, -ENOMEM);
	ck_assert_ptr_null(text);
	return 0;
}

START_TEST(without_memory_read_all_fails)
{
	if (!SANITIZED)
		expect_ok(eio__mock_run(read_all_without_memory, NULL));
}
END_TEST

/* Views */

MOCK_TEST(views_of_memory_are_given_back_last_first)
{
	struct iovec iov[3] = {{"abc", 3}, {"", 0}, {"defg", 4}};
	struct eio_string_source string;
	struct eio_iov_source vector;
	struct eio_view a, b;
	char text[8] = "";

	(void) arg;
	for (int i = 0; i < 2; i++) {
		struct eio_flow f = i ? eio_iov_source_init(&vector, iov, 3)
				      : eio_string_source_init(&string, "abcdefg", 7);

		expect_err(eio_flow_read_borrow(f, 3, &a), 3);
		ck_assert_uint_eq(a.len, 3);
		ck_assert_mem_eq(a.data, "abc", 3);
		expect_err(eio_flow_read_borrow(f, 2, &b), 2);
		ck_assert_mem_eq(b.data, "de", 2);
		/* Not the last one. */
		ck_assert(!eio_view_release_part(&a, 1));
		ck_assert_ptr_null(a.data);
		ck_assert(eio_view_release_part(&b, 1));
		ck_assert_uint_eq(b.len, 0);
		expect_err(eio_flow_read_borrow(f, 100, &a), 3);
		ck_assert_mem_eq(a.data, "efg", 3);
		ck_assert(eio_view_release_part(&a, 0));
		expect_err(eio_flow_read_borrow(f, 1, &a), 1);
		eio_view_release(&a);
		expect_err(eio_flow_read(f, text, 8), 2);
		ck_assert_str_eq(text, "fg");
		expect_ok(eio_flow_read_borrow(f, 8, &a));
		ck_assert_ptr_null(a.data);
		memset(text, 0, sizeof(text));
	}
	return 0;
}

/* The same memory twice, and a view of the first: its end is not the source's place. */
MOCK_TEST(a_view_of_another_entry_is_not_given_back_for_one_with_the_same_memory)
{
	static char text[4] = "abc";
	struct iovec iov[2] = {{text, 3}, {text, 3}};
	struct eio_iov_source s;
	struct eio_flow f = eio_iov_source_init(&s, iov, 2);
	struct eio_view a, b;

	(void) arg;
	expect_err(eio_flow_read_borrow(f, 3, &a), 3);
	expect_err(eio_flow_read_borrow(f, 3, &b), 3);
	ck_assert(!eio_view_release_part(&a, 0));
	ck_assert(eio_view_release_part(&b, 3));
	expect_ok(eio_flow_read_borrow(f, 3, &a));
	return 0;
}

MOCK_TEST(views_of_a_source_that_lends_nothing_are_copies_and_cannot_go_back)
{
	struct script s = {.len = 100000};
	struct eio_view a, b;

	(void) arg;
	expect_err(eio_flow_read_borrow(script_source(&s), 10, &a), 10);
	expect_err(eio_flow_read_borrow(script_source(&s), 10, &b), 10);
	ck_assert(is_filled(a.data, a.len, 0));
	ck_assert(is_filled(b.data, b.len, 10));
	ck_assert(!eio_view_release_part(&a, 9));
	ck_assert(eio_view_release_part(&b, 10));
	/* Nothing happens to what is zeroed, and too much is all. */
	ck_assert(eio_view_release_part(&b, 0));
	eio_view_release(&b);
	expect_err(eio_flow_read_borrow(script_source(&s), SIZE_MAX, &a), 16384);
	ck_assert(eio_view_release_part(&a, SIZE_MAX));
	return 0;
}

/* Formatted text */

MOCK_TEST(printf_is_one_write_of_any_length)
{
	static const int lens[] = {1, 254, 255, 256, 257, 100000};

	(void) arg;
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct eio_buffer_sink sink;
		struct eio_flow_counter count;
		struct eio_flow f = eio_buffer_sink_init(&sink, 0);

		expect_ok(eio_flow_printf(eio_flow_counter_init(&count, f), "%*d", lens[i], 7));
		ck_assert_uint_eq(sink.len, (size_t) lens[i]);
		ck_assert_int_eq(sink.data[sink.len - 1], '7');
		ck_assert_uint_eq(count.written, (uint64_t) lens[i]);
		expect_ok(eio_flow_printf(f, "%s-%c%%", "text", 'x'));
		ck_assert_str_eq(sink.data + lens[i], "text-x%");
		eio_buffer_sink_fini(&sink);
	}
	return 0;
}

static unsigned writes;

static ssize_t write_once(struct eio_flow f, const struct iovec *iov, int n)
{
	(void) f;
	writes += (unsigned) n;
	return (ssize_t) iov->iov_len;
}

static int print_in_need(void *arg)
{
	static const struct eio_flow_ops ops = {.name = "once", .write_some = write_once};
	struct eio_flow f = {.ops = &ops};
	int brief, large, wrong;
	char text[256];

	(void) arg;
	memset(text, 'x', 255);
	text[255] = '\0';
	eio_error_set(-EIO, "the record", NULL);
	use_memory_up(1);
	brief = eio_flow_printf(f, "%s", text);
	large = eio_flow_printf(f, "%s!", text);
	give_memory_back();
	wrong = eio_flow_printf(f, "%lc", (wint_t) 0x110000);
	expect_ok(brief);
	expect_err(large, -ENOMEM);
	expect_err(wrong, -EILSEQ);
	ck_assert_uint_eq(writes, 1);
	return 0;
}

START_TEST(printf_needs_memory_for_long_texts_only_and_writes_nothing_if_it_fails)
{
	writes = 0;
	if (!SANITIZED)
		expect_ok(eio__mock_run(print_in_need, NULL));
}
END_TEST

/* Counting */

MOCK_TEST(a_counter_counts_what_is_read_and_written)
{
	struct script from = {.len = 100, .step = 7}, to = {.step = 5};
	struct eio_flow_counter in, out;
	struct eio_flow r = eio_flow_counter_init(&in, script_source(&from));
	struct eio_flow w = eio_flow_counter_init(&out, script_sink(&to));
	struct iovec iov[2] = {{(char[100]){0}, 100}, {NULL, 0}};
	char b[100];

	(void) arg;
	fill(b, sizeof(b), 0);
	expect_err(eio_flow_read(r, b, 100), 7);
	ck_assert_uint_eq(in.read, 7);
	expect_err(eio_flow_readv(r, iov, 2), 7);
	expect_ok(eio_flow_read_exact(r, b, 36));
	ck_assert_uint_eq(in.read, 50);
	from.err = -EIO;
	expect_err(eio_flow_read(r, b, 1), -EIO);
	ck_assert_uint_eq(in.read, 50);
	ck_assert_uint_eq(in.written, 0);
	expect_err(eio_flow_write(r, b, 1), -EOPNOTSUPP);
	ck_assert_uint_eq(in.written, 0);

	fill(b, sizeof(b), 0);
	expect_ok(eio_flow_write(w, b, 20));
	iov[0] = (struct iovec){b + 20, 80};
	expect_err(eio_flow_write_some(w, iov, 2), 5);
	ck_assert_uint_eq(out.written, 25);
	to.err = -ENOSPC;
	to.fail_at = 30;
	expect_err(eio_flow_write(w, b + 25, 75), -ENOSPC);
	ck_assert_uint_eq(out.written, 30);
	ck_assert_uint_eq(out.read, 0);
	return 0;
}

MOCK_TEST(a_counter_takes_back_what_views_give_back)
{
	struct eio_string_source s;
	struct eio_flow_counter inner, outer;
	struct eio_flow f = eio_string_source_init(&s, "0123456789", 10);
	struct eio_view a, b;

	(void) arg;
	f = eio_flow_counter_init(&outer, eio_flow_counter_init(&inner, f));
	expect_err(eio_flow_read_borrow(f, 4, &a), 4);
	ck_assert_ptr_eq(a.data, s.data - 4);
	ck_assert_uint_eq(outer.read, 4);
	ck_assert(eio_view_release_part(&a, 1));
	ck_assert_uint_eq(outer.read, 1);
	ck_assert_uint_eq(inner.read, 1);
	/* Two at a time: the second is a copy, counted once. */
	expect_err(eio_flow_read_borrow(f, 4, &a), 4);
	expect_err(eio_flow_read_borrow(f, 3, &b), 3);
	ck_assert_mem_eq(a.data, "1234", 4);
	ck_assert_mem_eq(b.data, "567", 3);
	ck_assert_uint_eq(outer.read, 8);
	ck_assert(!eio_view_release_part(&b, 0));
	ck_assert(!eio_view_release_part(&a, 0));
	ck_assert_uint_eq(outer.read, 8);
	ck_assert_uint_eq(inner.read, 8);
	/* And then there is room again. */
	expect_err(eio_flow_read_borrow(f, 9, &a), 2);
	ck_assert_ptr_eq(a.data, s.data - 2);
	eio_view_release(&a);
	expect_ok(eio_flow_read_borrow(f, 9, &a));
	ck_assert_uint_eq(outer.read, 10);
	ck_assert_uint_eq(inner.read, 10);
	return 0;
}

MOCK_TEST(a_counter_hands_on_the_rest_but_no_descriptor)
{
	int calls = 0;
	struct eio_flow_counter c;
	struct eio_flow f = {.ops = &count_ops, .u.ptr = &calls};
	struct eio_fd fd;

	(void) arg;
	f = eio_flow_counter_init(&c, f);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_SEND), -ENOTCONN);
	expect_err(eio_flow_close(f), -EIO);
	expect_log("shutdown 1 close");
	expect_err(eio_flow_fd(f, &fd), -ENOTSUP);
	expect_ok(eio_flow_fd(c.of, &fd));
	f = eio_flow_counter_init(&c, zeroed);
	expect_err(eio_flow_read(f, &calls, 1), -EBADF);
	expect_err(eio_flow_close(f), -EBADF);
	return 0;
}

/* Writing everything */

enum { ENTRIES = 3 * IOV_MAX };

/* A vector of entries of 0 to 6 bytes of one block, which starts with empty ones. */
static size_t make_vector(struct iovec *iov, char *block)
{
	size_t len = 0;

	for (int i = 0; i < ENTRIES; i++) {
		size_t n = (size_t) (i < 3 ? 0 : i * 5 % 7);

		iov[i] = (struct iovec){block + len, n};
		len += n;
	}
	fill(block, len, 0);
	return len;
}

static struct iovec vector[ENTRIES], vector_copy[ENTRIES];
static char block[ENTRIES * 7], block_copy[ENTRIES * 7];

MOCK_TEST(writev_writes_vectors_of_any_length_and_changes_nothing)
{
	size_t len = make_vector(vector, block);

	(void) arg;
	memcpy(vector_copy, vector, sizeof(vector));
	memcpy(block_copy, block, len);
	for (size_t step = 0; step < 100; step++) {
		struct script s = {.step = step};

		expect_ok(eio_flow_writev(script_sink(&s), vector, ENTRIES));
		ck_assert_uint_eq(s.done, len);
		ck_assert_mem_eq(vector, vector_copy, sizeof(vector));
		ck_assert_mem_eq(block, block_copy, len);
	}
	return 0;
}

MOCK_TEST(writing_says_how_far_it_came)
{
	size_t len = make_vector(vector, block);

	(void) arg;
	for (size_t at = 0; at < len; at = at * 3 + 1) {
		struct script broken = {.step = 5, .fail_at = at, .err = -ENOSPC};
		struct script cancelled = {.step = 5, .cancel_at = at + 1};
		struct eio_cancel c;

		expect_err(eio_flow_writev(script_sink(&broken), vector, ENTRIES), -ENOSPC);
		ck_assert_uint_eq(eio_last_error()->done, at);
		broken.done = 0;
		expect_err(eio_flow_write(script_sink(&broken), block, len), -ENOSPC);
		ck_assert_uint_eq(eio_last_error()->done, at);
		eio_cancel_begin(&c);
		cancelled.cancel = &c;
		expect_err(eio_flow_writev(script_sink(&cancelled), vector, ENTRIES), -ECANCELED);
		ck_assert_uint_eq(eio_last_error()->done, cancelled.done);
		ck_assert_uint_ge(cancelled.done, at + 1);
		ck_assert_uint_le(cancelled.done, at + 5);
		eio_cancel_end(&c);
	}
	return 0;
}

static ssize_t write_nothing(struct eio_flow f, const struct iovec *iov, int n)
{
	(void) f, (void) iov, (void) n;
	return 0;
}

static const struct eio_flow_ops lazy_ops = {.name = "lazy", .write_some = write_nothing};

MOCK_TEST(a_provider_that_writes_nothing_fails_and_does_not_hang)
{
	struct eio_flow f = {.ops = &lazy_ops};
	struct script one = {.len = 1};

	(void) arg;
	expect_err(eio_flow_write(f, "x", 1), -EIO);
	expect_err(eio_flow_copy(script_source(&one), f, NULL), -EIO);
	return 0;
}

/* Vectors to descriptors, whose other end is read slowly and checked. */

struct reading {
	struct eio_flow f;
	size_t piece, done;
	bool good;
	struct eio_promise end;
};

static int read_slowly(void *arg)
{
	struct reading *r = arg;
	char b[8192];
	ssize_t n;

	r->good = true;
	while ((n = eio_flow_read(r->f, b, r->piece)) > 0) {
		r->good &= is_filled(b, (size_t) n, r->done);
		r->done += (size_t) n;
	}
	return (int) n;
}

static void write_vector_to(struct eio_switch *sw, struct eio_flow from, struct eio_flow to,
			    size_t piece)
{
	struct reading r = {.f = from, .piece = piece};
	size_t len = make_vector(vector, block);

	memcpy(vector_copy, vector, sizeof(vector));
	expect_ok(eio_fork_promise(sw, read_slowly, &r, &r.end));
	expect_ok(eio_flow_writev(to, vector, ENTRIES));
	ck_assert_mem_eq(vector, vector_copy, sizeof(vector));
	expect_ok(eio_flow_write_some(to, vector, 3));
	expect_ok(eio_flow_close(to));
	expect_ok(eio_promise_await(&r.end, NULL));
	ck_assert(r.good);
	ck_assert_uint_eq(r.done, len);
}

RING_TEST(writev_beyond_IOV_MAX_reaches_pipes_files_and_sockets)
{
	static const size_t pieces[] = {1, 777, 8192};
	struct eio_switch sw;
	struct eio_flow r, w;
	char *found;
	size_t len = make_vector(vector, block);

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		flow_pipe(&sw, &r, &w);
		ck_assert_int_ge(fcntl(flow_number(w), F_SETPIPE_SZ, 4096), 4096);
		write_vector_to(&sw, r, w, pieces[i]);
		flow_pair(&sw, &r, &w);
		write_vector_to(&sw, r, w, pieces[i]);
		flow_tcp(&sw, &r, &w);
		write_vector_to(&sw, r, w, pieces[i]);
	}
	w = eio_flow_of_fd(file_on(&sw));
	expect_ok(eio_flow_writev(w, vector, ENTRIES));
	found = malloc(len + 1);
	ck_assert_int_eq(pread(flow_number(w), found, len + 1, 0), (ssize_t) len);
	ck_assert_mem_eq(found, block, len);
	free(found);
	return eio_switch_end(&sw, 0);
}

/* Ends of streams */

RING_TEST(shutdown_of_sending_is_the_peers_end_and_nothing_more)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	char text[4] = "";

	(void) arg;
	eio_switch_begin(&sw);
	for (int tcp = 0; tcp < 2; tcp++) {
		if (tcp)
			flow_tcp(&sw, &a, &b);
		else
			flow_pair(&sw, &a, &b);
		expect_ok(eio_flow_copy_string(a, "abc"));
		expect_ok(eio_flow_shutdown(a, EIO_SHUT_SEND));
		expect_ok(eio_flow_read_exact(b, text, 3));
		ck_assert_str_eq(text, "abc");
		expect_ok(eio_flow_read(b, text, 3));
		expect_ok(eio_flow_read(b, text, 3));
		expect_err(eio_flow_copy_string(a, "x"), -EPIPE);
		expect_ok(eio_flow_copy_string(b, "def"));
		expect_ok(eio_flow_read_exact(a, text, 3));
		ck_assert_str_eq(text, "def");
		expect_ok(eio_flow_shutdown(b, EIO_SHUT_SEND));
		expect_ok(eio_flow_read(a, text, 3));
		expect_ok(eio_flow_close(a));
		expect_ok(eio_flow_close(b));
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(shutdown_of_receiving_ends_reading_and_of_both_ends_both)
{
	struct eio_flow a, b, r, w;
	struct eio_switch sw;
	char text[4];

	(void) arg;
	eio_switch_begin(&sw);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_RECEIVE));
	expect_ok(eio_flow_read(a, text, 3));
	expect_ok(eio_flow_copy_string(a, "x"));
	expect_err(eio_flow_read(b, text, 3), 1);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_flow_shutdown(a, EIO_SHUT_ALL));
	expect_ok(eio_flow_read(a, text, 3));
	expect_ok(eio_flow_read(b, text, 3));
	expect_err(eio_flow_copy_string(a, "x"), -EPIPE);
	expect_err(eio_flow_copy_string(b, "x"), -EPIPE);
	expect_err(eio_flow_shutdown(a, (enum eio_shutdown) 7), -EINVAL);
	flow_pipe(&sw, &r, &w);
	expect_ok(eio_flow_shutdown(w, EIO_SHUT_ALL));
	expect_ok(eio_flow_copy_string(w, "x"));
	expect_err(eio_flow_read(r, text, 3), 1);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_socket_without_peer_is_not_connected)
{
	struct eio_switch sw;
	struct eio_flow f;
	struct eio_fd fd;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &fd));
	f = eio_flow_of_fd(fd);
	expect_err(eio_flow_shutdown(f, EIO_SHUT_SEND), -ENOTCONN);
	expect_err(eio_flow_read(f, &b, 1), -ENOTCONN);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_pipe_ends_with_its_writer_after_the_last_byte)
{
	struct eio_switch sw;
	struct eio_flow r, w;
	char text[4] = "";

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	expect_ok(eio_flow_copy_string(w, "abc"));
	expect_ok(eio_flow_close(w));
	expect_err(eio_flow_read(r, text, 2), 2);
	expect_err(eio_flow_read_exact(r, text, 2), EIO_EOF);
	ck_assert_uint_eq(eio_last_error()->done, 1);
	expect_ok(eio_flow_read(r, text, 2));
	expect_ok(eio_flow_close(r));
	expect_err(eio_flow_close(r), -EBADF);
	return eio_switch_end(&sw, 0);
}

RING_TEST(writing_to_nobody_gives_EPIPE_and_no_signal)
{
	struct iovec iov[2] = {{"a", 1}, {"b", 1}};
	struct eio_string_source s;
	struct script source;
	struct eio_switch sw;
	struct eio_flow r, w;
	uint64_t n = 9;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			flow_pipe(&sw, &r, &w);
		else
			flow_pair(&sw, &r, &w);
		if (i == 2)
			expect_ok(eio_flow_shutdown(w, EIO_SHUT_SEND));
		else
			expect_ok(eio_flow_close(r));
		expect_err(eio_flow_write(w, "x", 1), -EPIPE);
		expect_err(eio_flow_writev(w, iov, 2), -EPIPE);
		expect_err(eio_flow_copy(eio_string_source_init(&s, "abc", 3), w, &n), -EPIPE);
		ck_assert_uint_eq(n, 0);
		ck_assert_uint_eq(s.len, 3);
		source = (struct script){.len = 100};
		expect_err(eio_flow_copy(script_source(&source), w, &n), -EPIPE);
		ck_assert_uint_eq(n, 0);
	}
	return eio_switch_end(&sw, 0);
}

/* Closes a TCP connection so that the peer is told at once. */
static void reset(struct eio_flow f)
{
	struct linger at_once = {.l_onoff = 1};

	ck_assert_int_eq(
		setsockopt(flow_number(f), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	expect_ok(eio_flow_close(f));
}

RING_TEST(a_connection_that_was_reset_gives_ECONNRESET)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	struct eio_fd fd;
	char text[4];

	(void) arg;
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	reset(a);
	expect_err(eio_flow_read(b, text, 1), -ECONNRESET);
	expect_err(eio_flow_write(b, "x", 1), -EPIPE);
	expect_ok(eio_flow_close(b));
	flow_tcp(&sw, &a, &b);
	reset(a);
	expect_ok(eio_flow_fd(b, &fd));
	ck_assert_int_gt(eio_ll_poll(fd, POLLIN), 0);
	expect_err(eio_flow_write(b, "x", 1), -ECONNRESET);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_flow_copy_string(b, "unread"));
	expect_ok(eio_flow_close(a));
	expect_err(eio_flow_read_exact(b, text, 4), -ECONNRESET);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	return eio_switch_end(&sw, 0);
}

static int read_a_byte(void *arg)
{
	char b;

	return (int) eio_flow_read(*(struct eio_flow *) arg, &b, 1);
}

RING_TEST(a_reset_reaches_a_read_that_waits)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_flow a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	expect_ok(eio_fork_promise(&sw, read_a_byte, &b, &p));
	trips(2);
	reset(a);
	expect_err(eio_promise_await(&p, NULL), -ECONNRESET);
	return eio_switch_end(&sw, 0);
}

/* Both directions at once, with more than fits between them */

enum { LONG = 3000000 };

static int send_long(void *arg)
{
	char *data = malloc(LONG);
	int rc;

	fill(data, LONG, 0);
	rc = eio_flow_write(*(struct eio_flow *) arg, data, LONG);
	free(data);
	return rc < 0 ? rc : eio_flow_shutdown(*(struct eio_flow *) arg, EIO_SHUT_SEND);
}

static int receive_long(void *arg)
{
	struct reading r = {.f = *(struct eio_flow *) arg, .piece = 8000};

	expect_ok(read_slowly(&r));
	ck_assert(r.good);
	ck_assert_uint_eq(r.done, LONG);
	return 0;
}

RING_TEST(a_connection_carries_both_directions_at_once)
{
	struct eio_switch sw;
	struct eio_flow a, b;

	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		eio_switch_begin(&sw);
		if (tcp)
			flow_tcp(&sw, &a, &b);
		else
			flow_pair(&sw, &a, &b);
		expect_ok(eio_fork(&sw, send_long, &a));
		expect_ok(eio_fork(&sw, send_long, &b));
		expect_ok(eio_fork(&sw, receive_long, &a));
		expect_ok(eio_fork(&sw, receive_long, &b));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Descriptors of all sorts */

RING_TEST(of_fd_makes_a_flow_that_closes_the_handle)
{
	struct eio_fd fd, same, a, b;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	fd = file_on(&sw);
	f = eio_flow_of_fd(fd);
	expect_ok(eio_flow_fd(f, &same));
	ck_assert_mem_eq(&same, &fd, sizeof(fd));
	expect_ok(eio_flow_shutdown(f, EIO_SHUT_ALL));
	expect_ok(eio_flow_close(f));
	ck_assert(!eio_fd_is_open(fd));
	expect_err(eio_flow_shutdown(f, EIO_SHUT_ALL), -EBADF);
	pair_on(&sw, &a, &b);
	expect_ok(eio_flow_shutdown(eio_flow_of_fd(a), EIO_SHUT_SEND));
	expect_ok(eio_flow_read(eio_flow_of_fd(b), (char[1]){0}, 1));
	return eio_switch_end(&sw, 0);
}

RING_TEST(of_datagrams_each_read_takes_one_cut_to_its_buffer)
{
	static char data[40000];
	struct eio_fd fds[2];
	struct eio_view view;
	struct eio_switch sw;
	struct eio_flow f;
	uint64_t copied;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_socketpair(&sw, AF_UNIX, SOCK_DGRAM, 0, &fds[0], &fds[1]));
	f = eio_flow_of_fd(fds[0]);
	for (int i = 0; i < 3; i++) {
		expect_err(eio_ll_send(fds[1], data, sizeof(data), 0), sizeof(data));
		expect_err(eio_ll_send(fds[1], data, 0, 0), 0);
	}
	expect_err(eio_flow_read(f, data, sizeof(data)), sizeof(data));
	expect_ok((int) eio_flow_read(f, data, 1));
	expect_err(eio_flow_read_borrow(f, SIZE_MAX, &view), 16384);
	eio_view_release(&view);
	expect_ok((int) eio_flow_read_borrow(f, SIZE_MAX, &view));
	expect_ok(eio_flow_copy(f, eio_null(), &copied));
	ck_assert_uint_eq(copied, 16384);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_file_is_read_and_written_at_its_position)
{
	struct eio_switch sw;
	struct eio_flow f;
	char text[8] = "";

	(void) arg;
	eio_switch_begin(&sw);
	f = eio_flow_of_fd(file_on(&sw));
	expect_ok(eio_flow_copy_string(f, "abc"));
	expect_ok(eio_flow_copy_string(f, "def"));
	expect_ok(eio_flow_read(f, text, 8));
	ck_assert_int_eq(lseek(flow_number(f), 1, SEEK_SET), 1);
	expect_ok(eio_flow_read_exact(f, text, 3));
	ck_assert_str_eq(text, "bcd");
	expect_ok(eio_flow_copy_string(f, "X"));
	expect_ok(eio_flow_read_exact(f, text, 1));
	ck_assert_str_eq(text, "fcd");
	return eio_switch_end(&sw, 0);
}

RING_TEST(descriptors_that_do_not_wait_wait_here)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_flow r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			flow_pipe(&sw, &r, &w);
		else
			flow_pair(&sw, &r, &w);
		p = (struct eio_promise) EIO_PROMISE_INIT;
		ck_assert_int_eq(fcntl(flow_number(r), F_SETFL, O_NONBLOCK), 0);
		ck_assert_int_eq(fcntl(flow_number(w), F_SETFL, O_NONBLOCK), 0);
		expect_ok(eio_fork_promise(&sw, read_a_byte, &r, &p));
		trips(2);
		ck_assert(!eio_promise_peek(&p, NULL, NULL));
		expect_ok(eio_flow_copy_string(w, "x"));
		expect_err(eio_promise_await(&p, NULL), 1);
		write_vector_to(&sw, r, w, 100);
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(closing_does_not_disturb_who_is_reading)
{
	struct eio_promise p;
	struct eio_flow r, w;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		int number;

		if (i == 0)
			flow_pipe(&sw, &r, &w);
		else
			flow_pair(&sw, &r, &w);
		p = (struct eio_promise) EIO_PROMISE_INIT;
		expect_ok(eio_fork_promise(&sw, read_a_byte, &r, &p));
		trips(2);
		number = flow_number(r);
		expect_ok(eio_flow_close(r));
		ck_assert(is_open(number));
		expect_err(read_a_byte(&r), -EBADF);
		expect_ok(eio_flow_copy_string(w, "x"));
		expect_err(eio_promise_await(&p, NULL), 1);
		wait_until(!is_open(number));
		expect_err(eio_flow_close(r), -EBADF);
	}
	return eio_switch_end(&sw, 0);
}

DIR_TEST(the_kernels_refusals_come_out_as_they_are)
{
	struct eio_switch sw;
	struct eio_flow f;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_out(env->fs, &sw, "/dev/full",
				  &(struct eio_create){.how = EIO_CREATE_NEVER}, &f));
	expect_err(eio_flow_write(f, "xyz", 3), -ENOSPC);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	put_text("file", "abc");
	expect_ok(eio_fs_open_in(env->cwd, &sw, "file", &f));
	expect_err(eio_flow_write(f, "x", 1), -EBADF);
	ck_assert(eio_fd_is_open(f.u.fd));
	expect_ok(eio_fs_open_in(env->cwd, &sw, ".", &f));
	expect_err(eio_flow_read(f, &b, 1), -EISDIR);
	return eio_switch_end(&sw, 0);
}

RING_TEST(pipes_are_closed_with_their_switch_and_made_on_open_ones_only)
{
	struct eio_switch sw, off;
	struct eio_flow r, w;
	unsigned fds = count_fds();
	int number;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pipe(&sw, &r, &w));
	number = flow_number(w);
	ck_assert_int_ne(fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(!is_open(number));
	expect_err(eio_flow_close(r), -EBADF);
	expect_err(eio_pipe(&sw, &r, &w), -EINVAL);
	eio_switch_begin(&off);
	expect_ok(eio_switch_fail(&off, -EIO));
	expect_err(eio_pipe(&off, &r, &w), -ECANCELED);
	expect_err(eio_switch_end(&off, 0), -EIO);
	ck_assert_uint_eq(count_fds(), fds);
	expect_ok(eio_pipe(NULL, &r, &w));
	ck_assert_uint_eq(count_fds(), fds + 2);
	expect_ok(eio_flow_close(r));
	expect_ok(eio_flow_close(w));
	return 0;
}

RING_TEST(without_descriptors_there_is_no_pipe)
{
	struct eio_flow r, w;
	unsigned fds = count_fds();

	(void) arg;
	limit_fds(1);
	expect_err(eio_pipe(NULL, &r, &w), -EMFILE);
	lift_fd_limit();
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* A kernel that is interrupted */

static struct faults odd;

static int send_and_receive(void *arg)
{
	struct iovec iov[2] = {{"ab", 2}, {"cd", 2}};
	struct eio_switch sw;
	struct eio_flow a, b;
	char text[8] = "";

	(void) arg;
	eio_switch_begin(&sw);
	flow_pair(&sw, &a, &b);
	odd.refuse.nth = 1;
	odd.refuse.times = 3;
	odd.refuse.opcode = IORING_OP_SENDMSG;
	expect_ok(eio_flow_writev(a, iov, 2));
	expect_ok(eio_flow_copy_string(a, "ef"));
	expect_ok(eio_flow_read_exact(b, text, 6));
	ck_assert_str_eq(text, "abcdef");
	ck_assert_uint_eq(odd.refused, 3);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_vector_to_a_socket_is_sent_though_the_kernel_was_interrupted)
{
	odd = (struct faults){.refuse.err = -EINTR};
	faults_install(&odd);
	run_ring(send_and_receive, 0);
	odd = (struct faults){.refuse.err = -EAGAIN};
	faults_install(&odd);
	run_ring(send_and_receive, 0);
}
END_TEST

SUITE_MAIN(
	"flow", false, a_string_is_read_in_pieces_and_is_then_at_its_end_test,
	a_vector_is_read_across_its_entries_in_any_steps_test,
	readv_without_an_operation_of_its_own_fills_the_first_entry_test,
	readv_scatters_what_pipes_files_and_sockets_have_test,
	read_all_gives_the_bytes_and_a_NUL_test, read_all_that_fails_gives_nothing_test,
	read_all_that_fails_leaves_a_file_where_it_was_test, without_memory_read_all_fails,
	views_of_memory_are_given_back_last_first_test,
	a_view_of_another_entry_is_not_given_back_for_one_with_the_same_memory_test,
	views_of_a_source_that_lends_nothing_are_copies_and_cannot_go_back_test,
	printf_is_one_write_of_any_length_test,
	printf_needs_memory_for_long_texts_only_and_writes_nothing_if_it_fails,
	a_counter_counts_what_is_read_and_written_test,
	a_counter_takes_back_what_views_give_back_test,
	a_counter_hands_on_the_rest_but_no_descriptor_test,
	a_buffer_gathers_what_is_written_and_ends_it_test, a_buffer_grows_and_is_always_ended_test,
	a_buffer_takes_up_to_its_limit_and_says_how_much_test,
	copying_to_a_limited_buffer_fails_only_if_more_comes_test,
	without_memory_buffers_and_copies_fail_and_keep_what_they_have,
	the_null_flow_is_at_its_end_and_takes_everything_test, random_bytes_differ_each_time_test,
	a_zeroed_flow_gives_EBADF_test, a_closed_flow_gives_EBADF_test,
	missing_operations_have_defaults_test, length_0_does_not_reach_the_provider_test,
	the_provider_gets_the_call_and_gives_the_result_test,
	a_cancelled_caller_does_not_reach_the_provider_but_to_close_test,
	without_a_domain_there_is_nothing_but_closing, read_exact_puts_pieces_together_test,
	read_exact_says_how_far_it_came_test,
	writev_writes_vectors_of_any_length_and_changes_nothing_test,
	writing_says_how_far_it_came_test,
	a_provider_that_writes_nothing_fails_and_does_not_hang_test,
	writev_beyond_IOV_MAX_reaches_pipes_files_and_sockets_test,
	shutdown_of_sending_is_the_peers_end_and_nothing_more_test,
	shutdown_of_receiving_ends_reading_and_of_both_ends_both_test,
	a_socket_without_peer_is_not_connected_test,
	a_pipe_ends_with_its_writer_after_the_last_byte_test,
	writing_to_nobody_gives_EPIPE_and_no_signal_test,
	a_connection_that_was_reset_gives_ECONNRESET_test, a_reset_reaches_a_read_that_waits_test,
	a_connection_carries_both_directions_at_once_test,
	of_fd_makes_a_flow_that_closes_the_handle_test,
	of_datagrams_each_read_takes_one_cut_to_its_buffer_test,
	a_file_is_read_and_written_at_its_position_test,
	descriptors_that_do_not_wait_wait_here_test, closing_does_not_disturb_who_is_reading_test,
	the_kernels_refusals_come_out_as_they_are_test,
	pipes_are_closed_with_their_switch_and_made_on_open_ones_only_test,
	without_descriptors_there_is_no_pipe_test,
	a_vector_to_a_socket_is_sent_though_the_kernel_was_interrupted)
