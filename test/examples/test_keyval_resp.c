/* SPDX-License-Identifier: ISC */
/*
 * Requests and answers of examples/keyval, without a connection. What a stream of bytes means
 * is written down as text: each request in brackets, the length and the bytes of each argument
 * in it, and at the end the error, if there is one.
 */
#include "keyval_memory.h"
#include "memory.h"
#include "quick.h"
#include "reply.h"
#include "resp.h"
#include "words.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct meaning {
	char text[4096];
	size_t len;
	int rc; /* of the last resp_next */
};

static void add(struct meaning *m, const void *data, size_t len)
{
	quick_assert(m->len + len < sizeof(m->text));
	memcpy(m->text + m->len, data, len);
	m->len += len;
	m->text[m->len] = '\0';
}

/* Long arguments count with their beginning and their sum. */
static void add_arg(struct meaning *m, const struct arg *arg)
{
	char line[64];
	unsigned sum = 0;

	for (size_t i = 0; i < arg->len; i++)
		sum = 31 * sum + (unsigned char) arg->data[i];
	snprintf(line, sizeof(line), "%zu/%x/%d:", arg->len, arg->len > 16 ? sum : 0,
		 arg->blob != NULL);
	add(m, line, strlen(line));
	add(m, arg->data, arg->len < 16 ? arg->len : 16);
}

static void understand(struct meaning *m, struct resp *r)
{
	while ((m->rc = resp_next(r)) > 0) {
		add(m, r->dropped ? "{" : "[", 1);
		for (size_t i = 0; i < r->n_args; i++)
			add_arg(m, &r->args[i]);
		add(m, "]", 1);
	}
	if (m->rc == -EPROTO)
		add(m, r->error, strlen(r->error));
}

/* Gives it bytes, at most so many as there is room for and in pieces of at most that size. */
static int feed(struct meaning *m, struct resp *r, const char *data, size_t len, size_t piece)
{
	while (len > 0 && m->rc >= 0) {
		char *space;
		size_t n;
		int rc = resp_space(r, &space, &n);

		if (rc < 0)
			return rc;
		quick_assert(n > 0);
		n = n < piece ? n : piece;
		n = n < len ? n : len;
		memcpy(space, data, n);
		resp_arrived(r, n);
		data += n;
		len -= n;
		understand(m, r);
	}
	return 0;
}

/* What the stream means if it is cut at one place, and then into pieces. */
static struct meaning meaning(const char *data, size_t len, size_t cut, size_t piece)
{
	struct meaning m = {.len = 0};
	struct resp r;

	quick_assert(resp_init(&r) == 0);
	quick_assert(feed(&m, &r, data, cut, SIZE_MAX) == 0);
	quick_assert(feed(&m, &r, data + cut, len - cut, piece) == 0);
	resp_fini(&r);
	quick_assert(memory_blocks() == 0);
	return m;
}

static void expect_same(const struct meaning *a, const struct meaning *b)
{
	quick_assert(a->len == b->len);
	quick_assert(memcmp(a->text, b->text, a->len) == 0);
}

static const struct {
	const char *data, *meaning;
} streams[] = {
	{"*1\r\n$4\r\nPING\r\n", "[4/0/0:PING]"},
	{"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$1\r\nx\r\n", "[3/0/0:GET0/0/0:][1/0/0:x]"},
	{"*1\r\n$6\r\na\r\nb\r\n\r\n", "[6/0/0:a\r\nb\r\n]"},
	{"*0\r\n*-1\r\n*1\r\n$1\r\nx\r\n", "[][][1/0/0:x]"},
	{"*0000000002\r\n$1\r\na\r\n$01\r\nb\r\n", "[1/0/0:a1/0/0:b]"},
	{"*2\r\n$1\r\na\r\n", ""},
	{"PING\r\n", "[4/0/0:PING]"},
	{"\r\n\n  \r\nPING\n", "[][][][4/0/0:PING]"},
	{"  set\ta  1 \r\nget a\r\n", "[3/0/0:set1/0/0:a1/0/0:1][3/0/0:get1/0/0:a]"},
	{"a \"b c\" '' \"\"\r\n", "[1/0/0:a3/0/0:b c0/0/0:0/0/0:]"},
	{"\"\\x41\\n\\\"\\q\\xzz\"\r\n", "[7/0/0:A\n\"qxzz]"},
	{"'a\\'b\\n' x\"y\"\r\n", "[5/0/0:a'b\\n2/0/0:xy]"},
	{"PI", ""},
	{"PING\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "[4/0/0:PING][1/0/0:a1/0/0:b1/0/0:c]"},
	{"PING\r\n*1\r\n$1\r\nx\r\nPING\r\n", "[4/0/0:PING][1/0/0:x][4/0/0:PING]"},
	/* What is wrong is refused, and everything before it still done. */
	{"*1\r\n$1\r\na\r\n*x\r\n", "[1/0/0:a]invalid multibulk length"},
	{"*\r\n", "invalid multibulk length"},
	{"*+1\r\n", "invalid multibulk length"},
	{"*--1\r\n", "invalid multibulk length"},
	{"*1 \r\n", "invalid multibulk length"},
	{"*1\r1", "invalid multibulk length"},
	{"*1048577\r\n", "invalid multibulk length"},
	{"*99999999999\r\n", "invalid multibulk length"},
	{"*00000000000000000000000001\r\n", "invalid multibulk length"},
	{"*1\r\n$-1\r\n", "invalid bulk length"},
	{"*1\r\n$536870913\r\n", "invalid bulk length"},
	{"*1\r\n$18446744073709551617\r\n", "invalid bulk length"},
	{"*1\r\n$1x\r\n", "invalid bulk length"},
	{"*1\r\n$1\r\nabc", "invalid bulk length"},
	{"*1\r\n:1\r\n", "expected '$', got ':'"},
	{"*2\r\n$1\r\na\r\nb", "expected '$', got 'b'"},
	{"get \"a\r\n", "unbalanced quotes in request"},
	{"get 'a\r\n", "unbalanced quotes in request"},
	{"get \"a\"b\r\n", "unbalanced quotes in request"},
	{"get \"a\\\r\n", "unbalanced quotes in request"},
};

START_TEST(a_stream_means_the_same_however_it_is_cut)
{
	const char *data = streams[_i].data;
	size_t len = strlen(data);
	struct meaning whole = meaning(data, len, len, 1);

	ck_assert_str_eq(whole.text, streams[_i].meaning);
	for (size_t cut = 0; cut <= len; cut++) {
		for (size_t piece = 1; piece <= 3; piece++) {
			struct meaning cut_up = meaning(data, len, cut, piece);

			expect_same(&cut_up, &whole);
		}
	}
}
END_TEST

/* A request with an argument of so many bytes between two small ones, and another request. */
static char *with_argument(size_t size, size_t *ret_len)
{
	char *data = malloc(size + 256), *to = data;

	ck_assert_ptr_nonnull(data);
	to += sprintf(to, "*3\r\n$5\r\nfirst\r\n$%zu\r\n", size);
	for (size_t i = 0; i < size; i++)
		*to++ = (char) (i * 7 + i / 251);
	to += sprintf(to, "\r\n$4\r\nlast\r\n*1\r\n$4\r\nnext\r\n");
	*ret_len = (size_t) (to - data);
	return data;
}

static const size_t sizes[] = {
	16000,         16384,         RESP_LARGE - 1, RESP_LARGE, RESP_LARGE + 1,
	64 * 1024 - 2, 64 * 1024 - 1, 64 * 1024,      300000,     2 * 1024 * 1024 + 1,
};

START_TEST(an_argument_of_any_size_comes_whole_from_pieces_of_any_size)
{
	static const size_t pieces[] = {1000, 4096, 16384, 65536, SIZE_MAX};
	size_t len;
	char *data = with_argument(sizes[_i], &len);
	struct meaning whole = meaning(data, len, 0, SIZE_MAX);

	ck_assert_ptr_nonnull(strstr(whole.text, sizes[_i] < RESP_LARGE ? "/0:" : "/1:"));
	for (size_t i = 0; i < LENGTH(pieces); i++) {
		struct meaning cut_up = meaning(data, len, 0, pieces[i]);

		expect_same(&cut_up, &whole);
	}
	/* Cut around the ends of the large argument. */
	for (size_t cut = len - 40; cut < len; cut++) {
		struct meaning cut_up = meaning(data, len, cut, SIZE_MAX);

		expect_same(&cut_up, &whole);
	}
	free(data);
}
END_TEST

/* Small ones before it have made the buffer so large that all of it comes at once. */
START_TEST(a_large_argument_may_come_with_what_is_behind_it)
{
	enum { SMALL = 30000 };
	static char data[3 * SMALL + RESP_LARGE + 200];
	struct meaning whole, cut_up;
	char *to = data;

	to += sprintf(to, "*5\r\n");
	for (int i = 0; i < 4; i++) {
		int size = i < 3 ? SMALL : RESP_LARGE;

		to += sprintf(to, "$%d\r\n", size);
		memset(to, 'a' + i, (size_t) size);
		to += size;
		to += sprintf(to, "\r\n");
	}
	to += sprintf(to, "$4\r\nlast\r\n*1\r\n$4\r\nnext\r\n");
	whole = meaning(data, (size_t) (to - data), 0, SIZE_MAX);
	cut_up = meaning(data, (size_t) (to - data), 0, 1000);
	expect_same(&whole, &cut_up);
	ck_assert_ptr_nonnull(strstr(whole.text, "/1:dddddddddddddddd4/0/0:last][4/0/0:next]"));
}
END_TEST

START_TEST(a_large_argument_needs_its_line_end)
{
	size_t len;
	char *data = with_argument(RESP_LARGE, &len);
	struct meaning m;

	memcpy(strstr(data + len - 30, "\r\n$4"), "x", 1);
	m = meaning(data, len, 0, SIZE_MAX);
	ck_assert_str_eq(m.text, "invalid bulk length");
	free(data);
}
END_TEST

START_TEST(memory_is_taken_for_what_came_not_for_what_was_announced)
{
	static const char *const announced[] = {
		"*1048576\r\n$536870912\r\nabc",
		"*1048576\r\n$1\r\na\r\n",
		"*2\r\n$30000\r\nabc",
	};

	for (size_t i = 0; i < LENGTH(announced); i++) {
		memory_forget_peak();
		meaning(announced[i], strlen(announced[i]), 0, SIZE_MAX);
		ck_assert_uint_lt(memory_peak(), 100 * 1024);
	}
}
END_TEST

START_TEST(a_line_without_an_end_is_refused)
{
	char *line = malloc(2 * RESP_MAX_LINE);
	struct meaning m;

	ck_assert_ptr_nonnull(line);
	memset(line, 'a', 2 * RESP_MAX_LINE);
	m = meaning(line, RESP_MAX_LINE - 1, 0, 5000);
	ck_assert_str_eq(m.text, "");
	m = meaning(line, 2 * RESP_MAX_LINE, 0, 5000);
	ck_assert_str_eq(m.text, "too big inline request");
	free(line);
}
END_TEST

START_TEST(memory_that_one_request_needed_is_given_back)
{
	struct meaning m = {.len = 0};
	struct resp r;
	size_t at_first;

	ck_assert_int_eq(resp_init(&r), 0);
	at_first = mem_used();
	ck_assert_int_eq(feed(&m, &r, "*100000\r\n", 9, SIZE_MAX), 0);
	for (int i = 0; i < 99999; i++)
		ck_assert_int_eq(feed(&m, &r, "$3\r\nabc\r\n", 9, SIZE_MAX), 0);
	ck_assert_uint_gt(mem_used(), at_first + 1000000);
	resp_reset(&r);
	ck_assert(resp_is_idle(&r));
	ck_assert_uint_eq(mem_used(), at_first);
	ck_assert_int_eq(feed(&m, &r, "*1\r\n$1\r\nx\r\n", 11, SIZE_MAX), 0);
	ck_assert_str_eq(m.text, "[1/0/0:x]");
	resp_fini(&r);
}
END_TEST

START_TEST(without_memory_for_a_large_argument_the_stream_goes_on_behind_it)
{
	size_t len;
	char *data = with_argument(1000000, &len);
	struct meaning m = {.len = 0};
	struct resp r;

	ck_assert_int_eq(resp_init(&r), 0);
	memory_ends_after((size_t) _i);
	ck_assert_int_eq(feed(&m, &r, data, len, 10000), 0);
	ck_assert(memory_failed());
	memory_is_back();
	ck_assert_str_eq(m.text, "{5/0/0:first0/0/0:4/0/0:last][4/0/0:next]");
	resp_fini(&r);
	ck_assert_uint_eq(memory_blocks(), 0);
	free(data);
}
END_TEST

/* Of arguments none of which is large. */
START_TEST(a_request_does_not_grow_far_beyond_the_limit)
{
	static char argument[10000 + 16];
	size_t len = (size_t) sprintf(argument, "$10000\r\n%010000d\r\n", 0);
	struct meaning m = {.len = 0};
	struct resp r;
	int rc = 0;

	ck_assert_int_eq(resp_init(&r), 0);
	mem_set_limit(100000);
	rc = feed(&m, &r, "*1000\r\n", 7, SIZE_MAX);
	for (int i = 0; i < 999 && rc == 0; i++) {
		rc = feed(&m, &r, argument, len, SIZE_MAX);
		ck_assert(rc == 0 || i > 50);
	}
	mem_set_limit(0);
	ck_assert_int_eq(rc, -ENOMEM);
	ck_assert_uint_lt(mem_used(), 3000000);
	resp_fini(&r);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(without_memory_for_many_arguments_it_says_so)
{
	struct meaning m = {.len = 0};
	struct resp r;
	int rc = 0;

	memory_ends_after(2);
	ck_assert_int_eq(resp_init(&r), 0);
	rc = feed(&m, &r, "*100000\r\n", 9, SIZE_MAX);
	for (int i = 0; i < 100000 && rc == 0 && m.rc >= 0; i++)
		rc = feed(&m, &r, "$3\r\nabc\r\n", 9, SIZE_MAX);
	ck_assert_int_eq(rc < 0 ? rc : m.rc, -ENOMEM);
	resp_fini(&r);
	memory_ends_after(1);
	ck_assert_int_eq(resp_init(&r), -ENOMEM);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

/* Of the protocol's own characters, so that much of it is nearly right. */
START_TEST(garbage_is_refused_or_waited_for)
{
	static const char alphabet[] = "**$$0112359-\r\n\r\n\r\n ab\"'\\x\0";
	unsigned seed = (unsigned) _i * 2654435761u + 1;
	char data[300];

	for (size_t i = 0; i < sizeof(data); i++) {
		seed = seed * 1103515245 + 12345;
		data[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
	}
	for (size_t start = 0; start < 100; start++) {
		size_t len = sizeof(data) - start;
		struct meaning whole = meaning(data + start, len, len, 1);
		struct meaning cut_up = meaning(data + start, len, 0, 7);

		expect_same(&cut_up, &whole);
	}
}
END_TEST

/* Answers */

static char *gathered(const struct reply *r, size_t *ret_len)
{
	char *text = calloc(1, reply_bytes(r) + 1);
	struct iovec iov[REPLY_PART];
	size_t next = 0, n;

	ck_assert_ptr_nonnull(text);
	*ret_len = 0;
	while ((n = reply_part(r, &next, iov)) > 0) {
		for (size_t i = 0; i < n; i++) {
			memcpy(text + *ret_len, iov[i].iov_base, iov[i].iov_len);
			*ret_len += iov[i].iov_len;
		}
	}
	ck_assert_uint_eq(*ret_len, reply_bytes(r));
	return text;
}

START_TEST(answers_are_written_as_the_protocol_says)
{
	struct reply r;
	size_t len;
	char *text;

	ck_assert_int_eq(reply_init(&r), 0);
	reply_status(&r, "OK");
	reply_integer(&r, 0);
	reply_integer(&r, INT64_MIN);
	reply_integer(&r, INT64_MAX);
	reply_bulk(&r, "", 0);
	reply_bulk(&r, "a\r\nb", 4);
	reply_null(&r);
	reply_null_array(&r);
	reply_array(&r, 1000000);
	reply_error(&r, "ERR %s", "two\r\nlines");
	text = gathered(&r, &len);
	ck_assert_str_eq(text, "+OK\r\n:0\r\n:-9223372036854775808\r\n:9223372036854775807\r\n"
			       "$0\r\n\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*1000000\r\n"
			       "-ERR two  lines\r\n");
	free(text);
	reply_fini(&r);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(large_values_are_sent_from_where_they_are)
{
	enum { SIZE = 100000 };
	struct blob *blob = blob_with_room(SIZE);
	struct reply r;
	size_t len, i;
	char *text;

	ck_assert_ptr_nonnull(blob);
	memset(blob->data, 'x', SIZE);
	blob->len = SIZE;
	ck_assert_int_eq(reply_init(&r), 0);
	for (i = 0; i < 50; i++) {
		reply_blob(&r, blob);
		reply_status(&r, "between");
	}
	ck_assert_uint_eq(blob->refs, 51);
	ck_assert_uint_lt(r.size, SIZE);
	text = gathered(&r, &len);
	for (i = 0; i < 50; i++) {
		const char *at = text + i * (len / 50);

		ck_assert_int_eq(memcmp(at, "$100000\r\nx", 10), 0);
		ck_assert_int_eq(memcmp(at + 9 + SIZE, "\r\n+between\r\n", 12), 0);
	}
	free(text);
	reply_reset(&r);
	ck_assert_uint_eq(blob->refs, 1);
	ck_assert_uint_eq(reply_bytes(&r), 0);
	reply_fini(&r);
	blob_drop(blob);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(an_answer_that_has_no_memory_is_taken_back)
{
	struct blob *blob = blob_with_room(20000);
	struct reply_mark mark;
	struct reply r;
	size_t len;
	char *text;

	ck_assert_ptr_nonnull(blob);
	blob->len = 20000;
	memset(blob->data, 'x', blob->len);
	ck_assert_int_eq(reply_init(&r), 0);
	reply_status(&r, "before");
	ck_assert_int_eq(reply_begin(&r, &mark), 0);
	memory_ends_after(0);
	while (!r.failed) {
		reply_blob(&r, blob);
		reply_bulk(&r, "abc", 3);
	}
	reply_undo(&r, mark);
	ck_assert(!r.failed);
	ck_assert_uint_eq(blob->refs, 1);
	reply_error(&r, "OOM");
	ck_assert(!r.failed);
	text = gathered(&r, &len);
	ck_assert_str_eq(text, "+before\r\n-OOM\r\n");
	free(text);
	reply_fini(&r);
	blob_drop(blob);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

/* Words */

static const struct {
	const char *text;
	bool valid;
	int64_t value;
} integers[] = {
	{"0", true, 0},
	{"-1", true, -1},
	{"9223372036854775807", true, INT64_MAX},
	{"-9223372036854775808", true, INT64_MIN},
	{"9223372036854775808", false, 0},
	{"-9223372036854775809", false, 0},
	{"18446744073709551617", false, 0},
	{"", false, 0},
	{"-", false, 0},
	{"-0", false, 0},
	{"00", false, 0},
	{"01", false, 0},
	{"+1", false, 0},
	{" 1", false, 0},
	{"1 ", false, 0},
	{"1.0", false, 0},
	{"1e3", false, 0},
};

START_TEST(integers_are_read_as_they_are_written)
{
	int64_t n = 42;
	char text[INTEGER_MAX];

	ck_assert_int_eq(integer_parse(integers[_i].text, strlen(integers[_i].text), &n),
			 integers[_i].valid);
	ck_assert_int_eq(n, integers[_i].valid ? integers[_i].value : 42);
	if (integers[_i].valid) {
		ck_assert_uint_eq(integer_put(text, n) - text, strlen(integers[_i].text));
		ck_assert_int_eq(memcmp(text, integers[_i].text, strlen(integers[_i].text)), 0);
	}
}
END_TEST

static const struct {
	const char *pattern, *name;
	bool matches;
} patterns[] = {
	{"*", "", true},
	{"*", "anything", true},
	{"", "", true},
	{"", "a", false},
	{"?", "", false},
	{"h?llo", "hello", true},
	{"h?llo", "hllo", false},
	{"h*llo", "heeeello", true},
	{"h*l*o", "hello", true},
	{"*a*b*c", "xaybzc", true},
	{"*a*b*c", "xaybzcd", false},
	{"**", "x", true},
	{"a*", "b", false},
	{"h[ae]llo", "hallo", true},
	{"h[ae]llo", "hillo", false},
	{"h[^e]llo", "hallo", true},
	{"h[^e]llo", "hello", false},
	{"h[a-c]llo", "hbllo", true},
	{"h[c-a]llo", "hbllo", true},
	{"h[a-c]llo", "hdllo", false},
	{"[\\]]", "]", true},
	{"[a", "a", true},
	{"[", "a", false},
	{"\\*", "*", true},
	{"\\*", "a", false},
	{"a\\", "a\\", true},
	{"*[", "[", false},
};

START_TEST(patterns_match_names)
{
	ck_assert_int_eq(pattern_matches(patterns[_i].pattern, strlen(patterns[_i].pattern),
					 patterns[_i].name, strlen(patterns[_i].name)),
			 patterns[_i].matches);
}
END_TEST

/* With a try for each star at each place this would take for ever. */
START_TEST(a_pattern_of_many_stars_takes_no_long_time)
{
	char pattern[401], name[2001];

	for (size_t i = 0; i < 400; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[400] = 'b';
	memset(name, 'a', sizeof(name));
	ck_assert(!pattern_matches(pattern, sizeof(pattern), name, sizeof(name)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyval_resp");
	TCase *tcase = tcase_create("keyval_resp");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_stream_means_the_same_however_it_is_cut, 0, LENGTH(streams));
	tcase_add_loop_test(tcase, an_argument_of_any_size_comes_whole_from_pieces_of_any_size, 0,
			    LENGTH(sizes));
	tcase_add_test(tcase, a_large_argument_may_come_with_what_is_behind_it);
	tcase_add_test(tcase, a_large_argument_needs_its_line_end);
	tcase_add_test(tcase, memory_is_taken_for_what_came_not_for_what_was_announced);
	tcase_add_test(tcase, a_line_without_an_end_is_refused);
	tcase_add_test(tcase, memory_that_one_request_needed_is_given_back);
	tcase_add_loop_test(tcase, without_memory_for_a_large_argument_the_stream_goes_on_behind_it,
			    0, 4);
	tcase_add_test(tcase, without_memory_for_many_arguments_it_says_so);
	tcase_add_test(tcase, a_request_does_not_grow_far_beyond_the_limit);
	tcase_add_loop_test(tcase, garbage_is_refused_or_waited_for, 0, 20);
	tcase_add_test(tcase, answers_are_written_as_the_protocol_says);
	tcase_add_test(tcase, large_values_are_sent_from_where_they_are);
	tcase_add_test(tcase, an_answer_that_has_no_memory_is_taken_back);
	tcase_add_loop_test(tcase, integers_are_read_as_they_are_written, 0, LENGTH(integers));
	tcase_add_loop_test(tcase, patterns_match_names, 0, LENGTH(patterns));
	tcase_add_test(tcase, a_pattern_of_many_stars_takes_no_long_time);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
