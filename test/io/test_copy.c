/* SPDX-License-Identifier: ISC */
/*
 * Copying between flows of every kind: what comes out is what went in, and the count is
 * right, also when it ends badly.
 */
#include "faults.h"
#include "io/script.h"

#include <dlfcn.h>
#include <eio/low_level.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The two ends of a copy */

enum kind {
	STRING,
	VECTOR,
	LENDER, /* of small buffers */
	OWN,
	COUNTED, /* another one's bytes: a string's, or to a buffer */
	REGULAR,
	PIPE,
	BIG_PIPE,
	SOCKET,
	TCP,
	BUFFER,
	NOTHING,
};

static const char *const kind_names[] = {
	"string", "vector",   "lender", "own", "counter", "file",
	"pipe",   "big pipe", "socket", "TCP", "buffer",  "null",
};

static const enum kind sources[] = {STRING,  VECTOR, LENDER,   OWN,    COUNTED,
				    REGULAR, PIPE,   BIG_PIPE, SOCKET, TCP};
static const enum kind sinks[] = {OWN,    COUNTED, REGULAR, PIPE,   BIG_PIPE,
				  SOCKET, TCP,     BUFFER,  NOTHING};

/* Sources that have still what was not written. */
static bool keeps(enum kind from)
{
	return from == STRING || from == VECTOR || from == COUNTED || from == REGULAR;
}

/* Between these nothing is read that is not written as well. */
static bool nothing_is_under_way(enum kind from, enum kind to)
{
	return (from == PIPE || from == BIG_PIPE) &&
	       (to == PIPE || to == BIG_PIPE || to == REGULAR);
}

enum { MOST = 700001 };

static char pattern[MOST];

/* A source with len bytes of the pattern; what cannot hold them is filled by a fiber. */
struct source {
	struct eio_flow f;
	struct eio_string_source string;
	struct eio_iov_source vector;
	struct eio_flow_counter count;
	struct iovec iov[3];
	struct script script;
	struct eio_flow other; /* the far end */
	size_t len;
};

/* A sink; what cannot hold much is emptied by a fiber. */
struct sink {
	enum kind kind;
	struct eio_flow f;
	struct eio_buffer_sink buffer;
	struct eio_flow_counter count;
	struct script script;
	struct eio_flow other;
	size_t done;
	bool good;
	struct eio_promise end;
};

static void connect_ends(struct eio_switch *sw, enum kind kind, struct eio_flow *from,
			 struct eio_flow *to)
{
	if (kind == TCP)
		flow_tcp(sw, from, to);
	else if (kind == SOCKET)
		flow_pair(sw, from, to);
	else
		flow_pipe(sw, from, to);
	if (kind == BIG_PIPE)
		ck_assert_int_eq(fcntl(flow_number(*to), F_SETPIPE_SZ, 1 << 20), 1 << 20);
}

static int feed(void *arg)
{
	struct source *s = arg;
	int rc = eio_flow_write(s->other, pattern, s->len);

	eio_flow_close(s->other);
	/* A reader that had enough. */
	return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

/* Out of the pattern, which it need not give back. */
static ssize_t lend(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct script *s = f.u.ptr;
	size_t left = s->len - s->done;
	ssize_t n = script_next(s, max < left ? max : left);

	if (n > 0) {
		*ret = (struct eio_view){pattern + s->done, (size_t) n, NULL, NULL, 0};
		script_did(s, (size_t) n);
	}
	return n;
}

static const struct eio_flow_ops lender_ops = {
	.name = "lender", .read = script_read, .borrow = lend};

/* How much of a source that keeps it was not copied. */
static size_t source_left(const struct source *s, enum kind kind)
{
	size_t left = 0;

	if (kind == REGULAR)
		return s->len - (size_t) lseek(flow_number(s->f), 0, SEEK_CUR);
	if (kind != VECTOR)
		return s->string.len;
	for (int i = 0; i < s->vector.n; i++)
		left += s->vector.iov[i].iov_len;
	return left - s->vector.off;
}

static void source_begin(struct eio_switch *sw, struct source *s, enum kind kind, size_t len)
{
	struct eio_fd fd;

	*s = (struct source){.len = len, .script = {.len = len, .step = 5000}};
	switch (kind) {
	case STRING:
		s->f = eio_string_source_init(&s->string, pattern, len);
		break;
	case COUNTED:
		s->f = eio_string_source_init(&s->string, pattern, len);
		s->f = eio_flow_counter_init(&s->count, s->f);
		break;
	case VECTOR:
		s->iov[0] = (struct iovec){pattern, len / 3};
		s->iov[2] = (struct iovec){pattern + len / 3, len - len / 3};
		s->f = eio_iov_source_init(&s->vector, s->iov, 3);
		break;
	case LENDER:
		s->f = (struct eio_flow){.ops = &lender_ops, .u.ptr = &s->script};
		break;
	case OWN:
		s->f = script_source(&s->script);
		break;
	case REGULAR:
		fd = file_on(sw);
		ck_assert_int_eq(pwrite(number(fd), pattern, len, 0), (ssize_t) len);
		s->f = eio_flow_of_fd(fd);
		break;
	default:
		connect_ends(sw, kind, &s->f, &s->other);
		expect_ok(eio_fork(sw, feed, s));
	}
}

static int empty(void *arg)
{
	static char b[40000];
	struct sink *s = arg;
	ssize_t n;

	s->good = true;
	while ((n = eio_flow_read(s->other, b, sizeof(b))) > 0) {
		s->good &= is_filled(b, (size_t) n, s->done);
		s->done += (size_t) n;
	}
	return (int) n;
}

static void sink_begin(struct eio_switch *sw, struct sink *s, enum kind kind)
{
	*s = (struct sink){.kind = kind, .script = {.step = 3000}};
	switch (kind) {
	case BUFFER:
		s->f = eio_buffer_sink_init(&s->buffer, 0);
		break;
	case COUNTED:
		s->f = eio_buffer_sink_init(&s->buffer, 0);
		s->f = eio_flow_counter_init(&s->count, s->f);
		break;
	case NOTHING:
		s->f = eio_null();
		break;
	case OWN:
		s->f = script_sink(&s->script);
		break;
	case REGULAR:
		s->f = eio_flow_of_fd(file_on(sw));
		break;
	default:
		connect_ends(sw, kind, &s->other, &s->f);
		expect_ok(eio_fork_promise(sw, empty, s, &s->end));
	}
}

/* How much of 20000 bytes has arrived so far; null has taken what was read. */
static size_t sink_has(const struct sink *s)
{
	struct stat st;

	switch (s->kind) {
	case BUFFER:
	case COUNTED:
		return s->buffer.len;
	case NOTHING:
		return 20000;
	case OWN:
		return s->script.done;
	case REGULAR:
		ck_assert_int_eq(fstat(flow_number(s->f), &st), 0);
		return (size_t) st.st_size;
	default:
		return s->done;
	}
}

/* What arrived is the pattern's beginning: how much, or what the copy said for null. */
static size_t sink_end(struct sink *s, size_t said)
{
	static char found[MOST + 1];
	ssize_t n;

	switch (s->kind) {
	case COUNTED:
		ck_assert_uint_eq(s->count.written, s->buffer.len);
		/* fall through */
	case BUFFER:
		s->done = s->buffer.len;
		ck_assert(s->done == 0 || is_filled(s->buffer.data, s->done, 0));
		eio_buffer_sink_fini(&s->buffer);
		break;
	case NOTHING:
		s->done = said;
		break;
	case OWN:
		s->done = s->script.done;
		break;
	case REGULAR:
		n = pread(flow_number(s->f), found, sizeof(found), 0);
		ck_assert_int_ge(n, 0);
		s->done = (size_t) n;
		ck_assert(is_filled(found, s->done, 0));
		expect_ok(eio_flow_close(s->f));
		break;
	default:
		expect_ok(eio_flow_close(s->f));
		expect_ok(eio_promise_await(&s->end, NULL));
		ck_assert(s->good);
	}
	return s->done;
}

/* Everything there is, or in pieces of the @p limits, over and over, until one gives 0. */
static void copy_one(enum kind from, enum kind to, size_t len, const size_t *limits,
		     size_t n_limits)
{
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n = 99, total = 0;
	size_t i = 0;

	eio_switch_begin(&sw);
	source_begin(&sw, &source, from, len);
	sink_begin(&sw, &sink, to);
	if (!limits)
		expect_ok(eio_flow_copy(source.f, sink.f, &total));
	for (; limits && n > 0; total += n, i = (i + 1) % n_limits) {
		expect_ok(eio_flow_copy_n(source.f, sink.f, limits[i], NULL, NULL, &n));
		ck_assert_uint_le(n, limits[i]);
	}
	ck_assert_msg(total == len && sink_end(&sink, total) == len,
		      "%zu bytes from %s to %s: %llu, found %zu", len, kind_names[from],
		      kind_names[to], (unsigned long long) total, sink.done);
	if (from == COUNTED)
		ck_assert_uint_eq(source.count.read, len);
	expect_ok(eio_switch_end(&sw, 0));
}

static void copy_all(const size_t *lens, size_t n_lens, const size_t *limits, size_t n_limits)
{
	fill(pattern, sizeof(pattern), 0);
	for (size_t i = 0; i < COUNT(sources); i++) {
		for (size_t k = 0; k < COUNT(sinks); k++) {
			for (size_t l = 0; l < n_lens; l++)
				copy_one(sources[i], sinks[k], lens[l], limits, n_limits);
		}
	}
}

RING_TEST(everything_is_copied_from_any_source_to_any_sink)
{
	static const size_t lens[] = {0, 1, 16 * 1024, 16 * 1024 + 1, 300000, MOST};

	(void) arg;
	copy_all(lens, COUNT(lens), NULL, 0);
	return 0;
}

RING_TEST(limited_copies_take_no_more_than_they_copy)
{
	static const size_t lens[] = {1, 16 * 1024, MOST};
	static const size_t limits[] = {1, 100000, 7, 16 * 1024, 16 * 1024 + 1, 131072, 300000};

	(void) arg;
	copy_all(lens, COUNT(lens), limits, COUNT(limits));
	return 0;
}

static struct faults short_and_odd;

static int copy_all_short(void *arg)
{
	static const size_t lens[] = {1, 16 * 1024 + 1, 50000};
	static const size_t limits[] = {40000, 7, 16 * 1024};

	(void) arg;
	copy_all(lens, COUNT(lens), NULL, 0);
	copy_all(lens + 1, COUNT(lens) - 1, limits, COUNT(limits));
	ck_assert_uint_gt(short_and_odd.shortened, 100);
	ck_assert_uint_gt(short_and_odd.refused, 10);
	return 0;
}

START_TEST(copies_are_complete_though_transfers_are_short_and_interrupted)
{
	short_and_odd = (struct faults){.seed = 1, .shorten = 120, .transient = 40};
	faults_install(&short_and_odd);
	run_ring(copy_all_short, 0);
}
END_TEST

RING_TEST(a_gigabyte_is_copied)
{
	enum { GIGABYTE = 1 << 30 };
	int holes = memfd_create("holes", MFD_CLOEXEC);
	struct eio_switch sw;
	struct eio_flow f;
	struct eio_fd fd;
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_int_eq(ftruncate(holes, GIGABYTE + 1), 0);
	expect_ok(eio_fd_of_unix(&sw, holes, EIO_FD_CLOSE, &fd));
	f = eio_flow_of_fd(fd);
	expect_ok(eio_flow_copy_n(f, eio_null(), GIGABYTE, NULL, NULL, &n));
	ck_assert_uint_eq(n, GIGABYTE);
	expect_ok(eio_flow_copy(f, eio_null(), &n));
	ck_assert_uint_eq(n, 1);
	return eio_switch_end(&sw, 0);
}

/* What is only said to be a regular file; from some of them the kernel does not splice. */
RING_TEST(files_of_proc_are_copied_whatever_the_kernel_refuses)
{
	static const char *const files[] = {"/proc/version", "/proc/self/cmdline"};
	static const enum kind kinds[] = {PIPE, BIG_PIPE, SOCKET, TCP};
	struct eio_buffer_sink text;
	char expected[512];
	struct eio_flow f, r, w;
	struct eio_switch sw;
	uint64_t n;

	(void) arg;
	for (size_t k = 0; k < COUNT(files) * COUNT(kinds); k++) {
		int fd = open(files[k / COUNT(kinds)], O_RDONLY | O_CLOEXEC);
		ssize_t len = read(fd, expected, sizeof(expected));

		ck_assert_int_gt(len, 0);
		close(fd);
		eio_switch_begin(&sw);
		connect_ends(&sw, kinds[k % COUNT(kinds)], &r, &w);
		expect_ok(eio_fs_open_in(env->fs, &sw, files[k / COUNT(kinds)], &f));
		expect_ok(eio_flow_copy(f, w, &n));
		ck_assert_uint_eq(n, (uint64_t) len);
		expect_ok(eio_flow_close(w));
		expect_ok(eio_flow_copy(r, eio_buffer_sink_init(&text, 0), NULL));
		ck_assert_uint_eq(text.len, (uint64_t) len);
		ck_assert_mem_eq(text.data, expected, (size_t) len);
		eio_buffer_sink_fini(&text);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Files to sockets, whose shorter way is for what is cached only */

static bool no_cachestat;

long syscall(long call, ...)
{
	static long (*real)(long call, ...);
	long a[6];
	va_list ap;

	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, call);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (call == 451 && no_cachestat) {
		errno = ENOSYS;
		return -1;
	}
	return real(call, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A part of the file at @p from is not in the cache. */
static void evict(int unix_fd, off_t from, off_t len)
{
	ck_assert_int_eq(fsync(unix_fd), 0);
	ck_assert_int_eq(posix_fadvise(unix_fd, from, len, POSIX_FADV_DONTNEED), 0);
}

RING_TEST(files_reach_sockets_whether_cached_or_not)
{
	static const struct {
		off_t from, len; /* what is not cached; 0: to the end */
		bool old_kernel;
	} cases[] = {
		{MOST, 1, false}, {0, 0, false},   {300000, 0, false},
		{0, 8192, false}, {MOST, 1, true}, {300000, 0, true},
	};
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < 2 * COUNT(cases); k++) {
		eio_switch_begin(&sw);
		source_begin(&sw, &source, REGULAR, MOST);
		evict(flow_number(source.f), cases[k / 2].from, cases[k / 2].len);
		no_cachestat = cases[k / 2].old_kernel;
		sink_begin(&sw, &sink, k % 2 ? TCP : SOCKET);
		expect_ok(eio_flow_copy_n(source.f, sink.f, 100000, NULL, NULL, &n));
		ck_assert_uint_eq(n, 100000);
		expect_ok(eio_flow_copy(source.f, sink.f, &n));
		ck_assert_uint_eq(n, MOST - 100000);
		ck_assert_uint_eq(sink_end(&sink, MOST), MOST);
		no_cachestat = false;
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* More than a piece, of which only the middle is cached. */
RING_TEST(long_files_reach_sockets_partly_cached)
{
	enum { LEN = 5 << 20 };
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (int tcp = 0; tcp < 2; tcp++) {
		eio_switch_begin(&sw);
		source_begin(&sw, &source, REGULAR, MOST);
		for (off_t at = MOST; at < LEN; at += 4096) {
			char b[4096];

			fill(b, sizeof(b), (size_t) at);
			ck_assert_int_eq(pwrite(flow_number(source.f), b, sizeof(b), at), 4096);
		}
		ck_assert_int_eq(ftruncate(flow_number(source.f), LEN), 0);
		evict(flow_number(source.f), 0, 2 << 20);
		evict(flow_number(source.f), 4 << 20, 0);
		sink_begin(&sw, &sink, tcp ? TCP : SOCKET);
		expect_ok(eio_flow_copy(source.f, sink.f, &n));
		ck_assert_uint_eq(n, LEN);
		ck_assert_uint_eq(sink_end(&sink, LEN), LEN);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* What was sent but not yet received is still the file's: it must not change. */
RING_TEST(a_file_that_grows_or_shrinks_is_sent_as_it_is_then)
{
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	eio_switch_begin(&sw);
	source_begin(&sw, &source, REGULAR, 1000);
	sink_begin(&sw, &sink, TCP);
	expect_ok(eio_flow_copy(source.f, sink.f, &n));
	ck_assert_uint_eq(n, 1000);
	ck_assert_int_eq(pwrite(flow_number(source.f), pattern + 1000, 5000, 1000), 5000);
	expect_ok(eio_flow_copy_n(source.f, sink.f, 500, NULL, NULL, &n));
	ck_assert_uint_eq(n, 500);
	wait_until(sink.done == 1500);
	ck_assert_int_eq(ftruncate(flow_number(source.f), 1200), 0);
	expect_ok(eio_flow_copy(source.f, sink.f, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(sink_end(&sink, 0), 1500);
	return eio_switch_end(&sw, 0);
}

static int send_file_to_nobody(void *arg)
{
	struct eio_switch sw;
	struct source source;
	struct eio_flow a, b;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (int tcp = 0; tcp < 2; tcp++) {
		eio_switch_begin(&sw);
		source_begin(&sw, &source, REGULAR, MOST);
		connect_ends(&sw, tcp ? TCP : SOCKET, &a, &b);
		expect_ok(eio_flow_shutdown(b, EIO_SHUT_SEND));
		expect_err(eio_flow_copy(source.f, b, &n), -EPIPE);
		ck_assert_uint_eq(n, 0);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Whether the program leaves the signal to the library or not. */
START_TEST(a_file_sent_to_nobody_raises_no_SIGPIPE)
{
	run_ring(send_file_to_nobody, 0);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, send_file_to_nobody, 0);
}
END_TEST

static int yield_and_note(void *arg)
{
	int rc = eio_yield();

	*(bool *) arg = true;
	return rc;
}

/* Each of them may go directly and be over without a wait. */
RING_TEST(many_short_files_in_a_row_give_others_their_turn)
{
	struct eio_switch sw;
	struct source source;
	struct eio_flow a, b;
	bool had_turn = false;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	eio_switch_begin(&sw);
	source_begin(&sw, &source, REGULAR, 1000);
	connect_ends(&sw, TCP, &a, &b);
	expect_ok(eio_fork(&sw, yield_and_note, &had_turn));
	ck_assert(!had_turn);
	for (int i = 0; i < 100; i++)
		expect_ok(eio_flow_copy_n(source.f, a, 1, NULL, NULL, NULL));
	ck_assert(had_turn);
	return eio_switch_end(&sw, 0);
}

static int send_file(void *arg)
{
	struct source *s = arg;
	uint64_t n;

	expect_ok(eio_flow_copy(s->f, s->other, &n));
	ck_assert_uint_eq(n, MOST);
	return eio_flow_shutdown(s->other, EIO_SHUT_SEND);
}

/* Reading waits on, though the socket is O_NONBLOCK meanwhile. */
RING_TEST(a_socket_is_read_while_a_file_goes_to_it)
{
	struct source file = {.len = 0}, back = {.len = 300000};
	struct eio_buffer_sink heard, got;
	struct eio_switch sw;
	struct eio_flow a, b;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (int tcp = 0; tcp < 2; tcp++) {
		int flags;

		eio_switch_begin(&sw);
		source_begin(&sw, &file, REGULAR, MOST);
		connect_ends(&sw, tcp ? TCP : SOCKET, &a, &b);
		flags = fcntl(flow_number(a), F_GETFL);
		file.other = a;
		back.other = b;
		expect_ok(eio_fork(&sw, send_file, &file));
		expect_ok(
			eio_flow_copy_n(b, eio_buffer_sink_init(&got, 0), MOST, NULL, NULL, NULL));
		expect_ok(eio_fork(&sw, feed, &back));
		expect_ok(eio_flow_copy(a, eio_buffer_sink_init(&heard, 0), NULL));
		ck_assert_uint_eq(got.len, MOST);
		ck_assert(is_filled(got.data, MOST, 0));
		ck_assert_uint_eq(heard.len, 300000);
		ck_assert(is_filled(heard.data, 300000, 0));
		/* Sockets of ours become O_NONBLOCK, and nothing else. */
		ck_assert_int_eq(fcntl(flow_number(a), F_GETFL) | O_NONBLOCK, flags | O_NONBLOCK);
		eio_buffer_sink_fini(&heard);
		eio_buffer_sink_fini(&got);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Positions */

RING_TEST(files_are_copied_from_and_to_their_positions)
{
	struct eio_flow from, to;
	struct eio_switch sw;
	char text[8] = "";
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	from = eio_flow_of_fd(file_on(&sw));
	to = eio_flow_of_fd(file_on(&sw));
	ck_assert_int_eq(pwrite(flow_number(from), "abcdef", 6, 0), 6);
	ck_assert_int_eq(pwrite(flow_number(to), "123456", 6, 0), 6);
	ck_assert_int_eq(lseek(flow_number(from), 3, SEEK_SET), 3);
	ck_assert_int_eq(lseek(flow_number(to), 1, SEEK_SET), 1);
	expect_ok(eio_flow_copy_n(from, to, 2, NULL, NULL, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(pread(flow_number(to), text, 7, 0), 6);
	ck_assert_str_eq(text, "1de456");
	expect_ok(eio_flow_copy(from, to, NULL));
	ck_assert_int_eq(pread(flow_number(to), text, 7, 0), 6);
	ck_assert_str_eq(text, "1def56");
	return eio_switch_end(&sw, 0);
}

/* Being told */

struct told {
	uint64_t n;
	unsigned calls;
	uint64_t stop_at;
	int answer; /* from stop_at bytes on */
};

static int hear(uint64_t n, void *arg)
{
	struct told *t = arg;

	ck_assert_uint_gt(n, 0);
	t->n += n;
	t->calls++;
	return t->n >= t->stop_at ? t->answer : 1; /* only what is negative stops */
}

RING_TEST(every_way_tells_of_each_piece)
{
	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sources) * COUNT(sinks); k++) {
		enum kind from = sources[k / COUNT(sinks)], to = sinks[k % COUNT(sinks)];
		struct told told = {.stop_at = UINT64_MAX};
		struct eio_switch sw;
		struct source source;
		struct sink sink;
		uint64_t n;

		eio_switch_begin(&sw);
		source_begin(&sw, &source, from, MOST);
		sink_begin(&sw, &sink, to);
		expect_ok(eio_flow_copy_n(source.f, sink.f, 300000, hear, &told, &n));
		ck_assert_uint_eq(n, 300000);
		ck_assert_uint_eq(told.n, n);
		expect_ok(eio_flow_copy_n(source.f, sink.f, UINT64_MAX, hear, &told, &n));
		ck_assert_uint_eq(n, MOST - 300000);
		ck_assert_uint_eq(told.n, MOST);
		ck_assert_uint_ge(told.calls, 2);
		ck_assert_uint_eq(sink_end(&sink, MOST), MOST);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* What the sink has is what was told of, and what a source can keep it keeps. Whatever the
 * code means elsewhere. */
RING_TEST(a_negative_answer_stops_every_way_at_once)
{
	static const int codes[] = {-EINTR, -EOPNOTSUPP, -EAGAIN, -ECANCELED, EIO_EOF, -EINVAL};

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sources) * COUNT(sinks) * 2; k++) {
		enum kind from = sources[k / 2 / COUNT(sinks)], to = sinks[k / 2 % COUNT(sinks)];
		struct told told = {k % 2 ? 50000 : 0, 0, 50000, codes[k % COUNT(codes)]};
		uint64_t before = told.n, n;
		struct eio_switch sw;
		struct source source;
		struct sink sink;
		unsigned calls;

		eio_switch_begin(&sw);
		source_begin(&sw, &source, from, MOST);
		sink_begin(&sw, &sink, to);
		expect_err(eio_flow_copy_n(source.f, sink.f, MOST, hear, &told, &n), told.answer);
		calls = told.calls;
		ck_assert_uint_eq(n, told.n - before);
		ck_assert_uint_ge(n, k % 2 ? 1 : 50000);
		ck_assert_uint_eq(eio_last_error()->done, n);
		if (k % 2)
			ck_assert_uint_eq(calls, 1);
		if (keeps(from))
			ck_assert_uint_eq(source_left(&source, from), MOST - n);
		if (from == COUNTED)
			ck_assert_uint_eq(source.count.read, n);
		/* The rest can still be copied where nothing was lost. */
		if (keeps(from) || nothing_is_under_way(from, to)) {
			told.stop_at = UINT64_MAX;
			expect_ok(eio_flow_copy_n(source.f, sink.f, MOST, hear, &told, &n));
			ck_assert_uint_eq(told.n - before, MOST);
		}
		ck_assert_uint_eq(sink_end(&sink, told.n - before), told.n - before);
		if (from >= REGULAR)
			expect_ok(eio_flow_close(source.f));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Failures midway */

RING_TEST(a_source_that_fails_midway_has_copied_what_came_before)
{
	static const size_t places[] = {0, 1, 4999, 16 * 1024, 100000};
	static const int codes[] = {-EIO, -EOPNOTSUPP, -EINVAL, -ECANCELED};
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n = 99;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sinks); k++) {
		for (size_t i = 0; i < COUNT(places) * COUNT(codes); i++) {
			int code = codes[i / COUNT(places)];
			size_t place = places[i % COUNT(places)];

			eio_switch_begin(&sw);
			source_begin(&sw, &source, OWN, MOST);
			source.script.err = code;
			source.script.fail_at = place;
			sink_begin(&sw, &sink, sinks[k]);
			expect_err(eio_flow_copy(source.f, sink.f, &n), code);
			ck_assert_uint_eq(eio_last_error()->done, place);
			ck_assert_uint_eq(n, place);
			ck_assert_msg(sink_end(&sink, n) == place, "%s: %zu of %zu",
				      kind_names[sinks[k]], sink.done, place);
			expect_ok(eio_switch_end(&sw, 0));
		}
	}
	return 0;
}

RING_TEST(a_sink_that_fails_midway_has_taken_what_is_said)
{
	static const size_t places[] = {0, 1, 2999, 16 * 1024, 100000};
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n = 99;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sources) * COUNT(places); k++) {
		enum kind kind = sources[k / COUNT(places)];
		size_t place = places[k % COUNT(places)];

		eio_switch_begin(&sw);
		source_begin(&sw, &source, kind, MOST);
		sink_begin(&sw, &sink, OWN);
		sink.script.err = -ENOSPC;
		sink.script.fail_at = place;
		expect_err(eio_flow_copy(source.f, sink.f, &n), -ENOSPC);
		ck_assert_uint_eq(eio_last_error()->done, place);
		ck_assert_uint_eq(n, place);
		ck_assert_uint_eq(sink.script.done, place);
		if (keeps(kind))
			ck_assert_uint_eq(source_left(&source, kind), MOST - place);
		if (kind == COUNTED)
			ck_assert_uint_eq(source.count.read, place);
		(void) eio_flow_close(source.f);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_full_device_fails_with_ENOSPC)
{
	static const struct eio_create existing = {.how = EIO_CREATE_NEVER};
	struct eio_switch sw;
	struct source source;
	struct eio_flow full;
	uint64_t n = 99;

	(void) arg;
	for (size_t k = 0; k < COUNT(sources); k++) {
		eio_switch_begin(&sw);
		source_begin(&sw, &source, sources[k], 1000);
		expect_ok(eio_fs_open_out(env->fs, &sw, "/dev/full", &existing, &full));
		expect_err(eio_flow_copy(source.f, full, &n), -ENOSPC);
		ck_assert_uint_eq(n, 0);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static int read_some_and_close(void *arg)
{
	struct sink *s = arg;
	static char b[100000];

	expect_ok(eio_flow_read_exact(s->other, b, sizeof(b)));
	ck_assert(is_filled(b, sizeof(b), 0));
	return eio_flow_close(s->other);
}

RING_TEST(a_reader_that_goes_away_ends_the_copy)
{
	static const enum kind kinds[] = {PIPE, BIG_PIPE, SOCKET, TCP};
	struct eio_switch sw;
	struct source source;
	struct sink sink;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sources) * COUNT(kinds); k++) {
		enum kind kind = kinds[k % COUNT(kinds)];
		int rc = 0;

		sink = (struct sink){.done = 0};
		eio_switch_begin(&sw);
		connect_ends(&sw, kind, &sink.other, &sink.f);
		expect_ok(eio_fork(&sw, read_some_and_close, &sink));
		/* What is left in buffers may take one source or two. */
		for (int i = 0; i < 100 && rc == 0; i++) {
			source_begin(&sw, &source, sources[k / COUNT(kinds)], MOST);
			rc = eio_flow_copy(source.f, sink.f, &n);
			sink.done += n;
			if (sources[k / COUNT(kinds)] >= REGULAR)
				expect_ok(eio_flow_close(source.f));
			trips(1);
		}
		ck_assert_msg(rc == -EPIPE || (kind == TCP && rc == -ECONNRESET), "%s: %s",
			      kind_names[kind], eio_err_name(rc));
		ck_assert_uint_eq(eio_last_error()->done, n);
		ck_assert_uint_ge(sink.done, 100000);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_reset_source_fails_after_what_came_before)
{
	struct linger at_once = {.l_onoff = 1};
	struct eio_buffer_sink sink;
	struct eio_flow a, b;
	struct eio_switch sw;
	uint64_t n;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	expect_ok(eio_flow_write(a, pattern, 50000));
	ck_assert_int_eq(
		setsockopt(flow_number(a), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	wait_until(readable_bytes(flow_number(b)) == 50000);
	expect_ok(eio_flow_close(a));
	expect_err(eio_flow_copy(b, eio_buffer_sink_init(&sink, 0), &n), -ECONNRESET);
	ck_assert_uint_eq(n, sink.len);
	ck_assert_uint_eq(eio_last_error()->done, n);
	ck_assert_uint_le(n, 50000);
	if (n)
		ck_assert(is_filled(sink.data, n, 0));
	eio_buffer_sink_fini(&sink);
	return eio_switch_end(&sw, 0);
}

/* Cancelled between two pieces: what was taken from the source is in the sink. */
MOCK_TEST(a_copy_cancelled_by_its_sink_loses_nothing)
{
	(void) arg;
	for (size_t at = 1; at < 60000; at = at * 2 + 1) {
		struct script from = {.len = 100000, .step = 1000}, to = {.cancel_at = at};
		struct eio_cancel c;
		uint64_t n;

		eio_cancel_begin(&c);
		to.cancel = &c;
		expect_err(eio_flow_copy(script_source(&from), script_sink(&to), &n), -ECANCELED);
		ck_assert_uint_eq(n, to.done);
		ck_assert_uint_eq(n, from.done);
		ck_assert_uint_eq(eio_last_error()->done, n);
		ck_assert_uint_ge(n, at);
		eio_cancel_end(&c);
	}
	return 0;
}

struct stuck {
	struct eio_cancel ctx;
	struct eio_flow from, to;
	uint64_t n, done;
	int rc;
	bool over;
};

static int copy_until_stuck(void *arg)
{
	struct stuck *s = arg;

	eio_cancel_begin(&s->ctx);
	s->rc = eio_flow_copy(s->from, s->to, &s->n);
	s->done = eio_last_error()->done;
	eio_cancel_end(&s->ctx);
	s->over = true;
	return 0;
}

static bool is_full(int unix_fd)
{
	struct pollfd p = {.fd = unix_fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 0;
}

static size_t count_to_end(struct eio_flow f)
{
	uint64_t n;

	expect_ok(eio_flow_copy(f, eio_null(), &n));
	return n;
}

/* More than any sink holds. */
static void endless_source(struct eio_switch *sw, struct source *s, enum kind kind)
{
	source_begin(sw, s, kind, MOST);
	if (kind == OWN)
		s->script.len = SIZE_MAX;
	else if (kind == REGULAR)
		ck_assert_int_eq(ftruncate(flow_number(s->f), 1 << 30), 0);
}

/* Its flags may be shared with other processes. */
RING_TEST(the_flags_of_a_socket_from_outside_are_left_alone)
{
	struct eio_buffer_sink got;
	struct eio_switch sw;
	struct source file;
	struct eio_fd ends[2];
	int pair[2];

	(void) arg;
	eio_switch_begin(&sw);
	source_begin(&sw, &file, REGULAR, 1000);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int i = 0; i < 2; i++)
		expect_ok(eio_fd_of_unix(&sw, pair[i], EIO_FD_CLOSE, &ends[i]));
	expect_ok(eio_flow_copy(file.f, eio_flow_of_fd(ends[0]), NULL));
	ck_assert(!(fcntl(pair[0], F_GETFL) & O_NONBLOCK));
	expect_ok(eio_flow_shutdown(eio_flow_of_fd(ends[0]), EIO_SHUT_SEND));
	expect_ok(eio_flow_copy(eio_flow_of_fd(ends[1]), eio_buffer_sink_init(&got, 0), NULL));
	ck_assert_uint_eq(got.len, 1000);
	eio_buffer_sink_fini(&got);
	return eio_switch_end(&sw, 0);
}

/* The sink is full: what arrives is what the copy says. */
RING_TEST(a_copy_cancelled_while_it_waits_for_room_says_what_arrives)
{
	static const enum kind kinds[] = {PIPE, BIG_PIPE, SOCKET, TCP};
	struct eio_switch sw;
	struct source source;
	struct stuck s;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sources) * COUNT(kinds); k++) {
		enum kind from = sources[k / COUNT(kinds)], to = kinds[k % COUNT(kinds)];
		int small = 20000, flags;
		struct eio_flow r;

		eio_switch_begin(&sw);
		connect_ends(&sw, to, &r, &s.to);
		if (to == BIG_PIPE)
			fcntl(flow_number(s.to), F_SETPIPE_SZ, 256 * 1024);
		setsockopt(flow_number(s.to), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		setsockopt(flow_number(r), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		flags = fcntl(flow_number(s.to), F_GETFL);
		endless_source(&sw, &source, from);
		s.from = source.f;
		s.over = false;
		expect_ok(eio_fork(&sw, copy_until_stuck, &s));
		wait_until(is_full(flow_number(s.to)));
		trips(3);
		ck_assert(!s.over);
		expect_ok(eio_cancel_raise(&s.ctx, -EINTR));
		wait_until(s.over);
		expect_err(s.rc, -ECANCELED);
		ck_assert_uint_eq(s.done, s.n);
		ck_assert_int_eq(fcntl(flow_number(s.to), F_GETFL) | O_NONBLOCK,
				 flags | O_NONBLOCK);
		expect_ok(eio_flow_close(s.to));
		ck_assert_msg(count_to_end(r) == s.n, "%s to %s", kind_names[from], kind_names[to]);
		if (from == REGULAR)
			ck_assert_int_eq(lseek(flow_number(source.f), 0, SEEK_CUR), (off_t) s.n);
		else if (keeps(from))
			ck_assert_uint_eq(source_left(&source, from), MOST - s.n);
		(void) eio_flow_close(source.f);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* The source is empty: nothing is under way. */
RING_TEST(a_copy_cancelled_while_it_waits_for_bytes_loses_none)
{
	static const enum kind kinds[] = {PIPE, SOCKET, TCP};
	struct eio_switch sw;
	struct eio_flow w;
	struct sink sink;
	struct stuck s;

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	for (size_t k = 0; k < COUNT(sinks) * COUNT(kinds); k++) {
		eio_switch_begin(&sw);
		connect_ends(&sw, kinds[k % COUNT(kinds)], &s.from, &w);
		sink_begin(&sw, &sink, sinks[k / COUNT(kinds)]);
		s.to = sink.f;
		s.over = false;
		expect_ok(eio_fork(&sw, copy_until_stuck, &s));
		expect_ok(eio_flow_write(w, pattern, 20000));
		wait_until(readable_bytes(flow_number(s.from)) == 0 && sink_has(&sink) == 20000);
		expect_ok(eio_cancel_raise(&s.ctx, -EINTR));
		expect_ok(eio_flow_write(w, pattern + 20000, 10));
		wait_until(s.over);
		expect_err(s.rc, -ECANCELED);
		ck_assert_uint_eq(s.done, s.n);
		ck_assert_uint_eq(s.n + (unsigned) readable_bytes(flow_number(s.from)), 20010);
		ck_assert_uint_eq(sink_end(&sink, s.n), s.n);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* A sink with a shorter way */

struct shortcut {
	struct script script;
	uint64_t may_move, asked; /* bytes */
	int rc;
};

static int shortcut_copy_from(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	struct shortcut *s = dst.u.ptr;
	uint64_t end = c->left > s->may_move ? c->left - s->may_move : 0;
	char b[1000];

	s->asked = c->left;
	while (c->left > end) {
		size_t most = c->left - end < sizeof(b) ? c->left - end : sizeof(b);
		ssize_t n = eio_flow_read(src, b, most);

		if (n <= 0)
			return (int) n;
		ck_assert(is_filled(b, (size_t) n, s->script.done));
		s->script.done += (size_t) n;
		expect_ok(eio_copy_moved(c, (uint64_t) n));
	}
	return s->rc;
}

static const struct eio_flow_ops shortcut_ops = {
	.name = "shortcut",
	.write_some = script_write_some,
	.copy_from = shortcut_copy_from,
};

MOCK_TEST(a_sinks_own_way_is_taken_first)
{
	struct script from = {.len = 5000};
	struct shortcut s = {.may_move = UINT64_MAX};
	struct eio_flow to = {.ops = &shortcut_ops, .u.ptr = &s};
	uint64_t n;

	(void) arg;
	expect_ok(eio_flow_copy(script_source(&from), to, &n));
	ck_assert_uint_eq(n, 5000);
	ck_assert_uint_eq(s.asked, UINT64_MAX);
	ck_assert_uint_eq(s.script.calls, 0);
	s = (struct shortcut){.may_move = 1500, .rc = -EPROTO};
	from.done = 0;
	expect_err(eio_flow_copy_n(script_source(&from), to, 2000, NULL, NULL, &n), -EPROTO);
	ck_assert_uint_eq(s.asked, 2000);
	ck_assert_uint_eq(n, 1500);
	ck_assert_uint_eq(eio_last_error()->done, 1500);
	return 0;
}

MOCK_TEST(the_common_way_goes_on_where_the_sinks_own_ends)
{
	(void) arg;
	for (unsigned own = 0; own <= 3000; own += 750) {
		struct script from = {.len = 5000};
		struct shortcut s = {.may_move = own, .rc = -EOPNOTSUPP};
		struct eio_flow to = {.ops = &shortcut_ops, .u.ptr = &s};
		uint64_t n;

		expect_ok(eio_flow_copy_n(script_source(&from), to, 3000, NULL, NULL, &n));
		ck_assert_uint_eq(n, 3000);
		ck_assert_uint_eq(s.script.done, 3000);
		ck_assert_uint_eq(from.done, 3000);
		ck_assert_uint_eq(s.script.calls > 0, own < 3000);
		expect_ok(eio_flow_copy(script_source(&from), to, &n));
		ck_assert_uint_eq(n, 2000);
		ck_assert_uint_eq(s.script.done, 5000);
	}
	return 0;
}

static struct eio_fd lent;

/* What it reads is not what its descriptor gives. */
static int lend_fd(struct eio_flow f, struct eio_fd *ret)
{
	(void) f;
	*ret = lent;
	return 0;
}

/* Entries are of a size from which on other sources are read. */
MOCK_TEST(a_failed_copy_leaves_a_vector_where_it_came_to)
{
	enum { ENTRY = 8000, ENTRIES = 10 };
	static char text[ENTRY * ENTRIES];
	static const size_t places[] = {0, 1, ENTRY, ENTRY + 100, 3 * ENTRY + 1};
	struct iovec iov[ENTRIES];
	uint64_t n;

	(void) arg;
	fill(text, sizeof(text), 0);
	for (size_t i = 0; i < ENTRIES; i++)
		iov[i] = (struct iovec){text + i * ENTRY, ENTRY};
	for (size_t i = 0; i < COUNT(places); i++) {
		struct script sink = {.fail_at = places[i], .err = -ENOSPC};
		struct eio_iov_source source;
		struct eio_flow src = eio_iov_source_init(&source, iov, ENTRIES);

		expect_err(eio_flow_copy(src, script_sink(&sink), &n), -ENOSPC);
		ck_assert_uint_eq(n, places[i]);
		sink.err = 0;
		expect_ok(eio_flow_copy(src, script_sink(&sink), &n));
		ck_assert_uint_eq(n, sizeof(text) - places[i]);
	}
	return 0;
}

RING_TEST(a_failed_copy_does_not_move_what_is_below_a_programs_own_flow)
{
	static const struct eio_flow_ops ops = {
		.name = "cipher", .read = script_read, .fd = lend_fd};
	struct script script = {.len = 1000}, full = {.err = -ENOSPC, .fail_at = 10};
	struct eio_flow f = {.ops = &ops, .u.ptr = &script};
	struct eio_switch sw;
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	lent = file_on(&sw);
	ck_assert_int_eq(lseek(number(lent), 5000, SEEK_SET), 5000);
	expect_err(eio_flow_copy(f, script_sink(&full), &n), -ENOSPC);
	ck_assert_uint_eq(n, 10);
	ck_assert_int_eq(lseek(number(lent), 0, SEEK_CUR), 5000);
	return eio_switch_end(&sw, 0);
}

/* Small steps are no ends. */
MOCK_TEST(sources_and_sinks_may_work_in_any_steps)
{
	enum { LEN = 20000 };

	(void) arg;
	for (size_t in = 1; in < LEN; in = in * 7 + 1) {
		for (size_t out = 1; out < LEN; out = out * 7 + 1) {
			struct script from = {.len = LEN, .step = in}, to = {.step = out};
			uint64_t n;

			expect_ok(eio_flow_copy(script_source(&from), script_sink(&to), &n));
			ck_assert_uint_eq(n, LEN);
			ck_assert_uint_eq(to.done, LEN);
		}
	}
	return 0;
}

/* A proxy */

struct way {
	struct eio_flow from, to;
};

static int carry(void *arg)
{
	struct way *w = arg;
	uint64_t n;
	int rc = eio_flow_copy(w->from, w->to, &n);

	ck_assert_uint_eq(n, MOST);
	return rc < 0 ? rc : eio_flow_shutdown(w->to, EIO_SHUT_SEND);
}

static int talk(void *arg)
{
	struct eio_flow f = *(struct eio_flow *) arg;
	struct eio_string_source s;
	struct way out = {eio_string_source_init(&s, pattern, MOST), f};
	struct eio_buffer_sink sink;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, carry, &out));
	expect_ok(eio_flow_copy(f, eio_buffer_sink_init(&sink, 0), NULL));
	ck_assert_uint_eq(sink.len, MOST);
	ck_assert(is_filled(sink.data, MOST, 0));
	eio_buffer_sink_fini(&sink);
	return eio_switch_end(&sw, 0);
}

RING_TEST(two_copies_make_a_proxy)
{
	struct eio_flow client, near, far, server;
	struct eio_switch sw;
	struct way ways[2];

	(void) arg;
	fill(pattern, sizeof(pattern), 0);
	eio_switch_begin(&sw);
	flow_tcp(&sw, &client, &near);
	flow_pair(&sw, &far, &server);
	ways[0] = (struct way){near, far};
	ways[1] = (struct way){far, near};
	expect_ok(eio_fork(&sw, carry, &ways[0]));
	expect_ok(eio_fork(&sw, carry, &ways[1]));
	expect_ok(eio_both(talk, &client, talk, &server));
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("copy", false, everything_is_copied_from_any_source_to_any_sink_test,
	   limited_copies_take_no_more_than_they_copy_test,
	   copies_are_complete_though_transfers_are_short_and_interrupted,
	   a_gigabyte_is_copied_test, files_of_proc_are_copied_whatever_the_kernel_refuses_test,
	   files_reach_sockets_whether_cached_or_not_test,
	   long_files_reach_sockets_partly_cached_test, a_file_sent_to_nobody_raises_no_SIGPIPE,
	   many_short_files_in_a_row_give_others_their_turn_test,
	   a_file_that_grows_or_shrinks_is_sent_as_it_is_then_test,
	   a_socket_is_read_while_a_file_goes_to_it_test,
	   files_are_copied_from_and_to_their_positions_test, every_way_tells_of_each_piece_test,
	   a_negative_answer_stops_every_way_at_once_test,
	   a_source_that_fails_midway_has_copied_what_came_before_test,
	   a_sink_that_fails_midway_has_taken_what_is_said_test,
	   a_full_device_fails_with_ENOSPC_test, a_reader_that_goes_away_ends_the_copy_test,
	   a_reset_source_fails_after_what_came_before_test,
	   a_copy_cancelled_by_its_sink_loses_nothing_test,
	   the_flags_of_a_socket_from_outside_are_left_alone_test,
	   a_copy_cancelled_while_it_waits_for_room_says_what_arrives_test,
	   a_copy_cancelled_while_it_waits_for_bytes_loses_none_test,
	   a_sinks_own_way_is_taken_first_test,
	   the_common_way_goes_on_where_the_sinks_own_ends_test,
	   a_failed_copy_leaves_a_vector_where_it_came_to_test,
	   a_failed_copy_does_not_move_what_is_below_a_programs_own_flow_test,
	   sources_and_sinks_may_work_in_any_steps_test, two_copies_make_a_proxy_test)
