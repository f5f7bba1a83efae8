/* SPDX-License-Identifier: ISC */
/*
 * The entity of these tests has 1,000 bytes, the tag "e" and was modified when the dates
 * below say MODIFIED.
 */
#include "http_condition.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define BEFORE   "Sun, 06 Nov 1994 08:49:36 GMT"
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER    "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_entity entity = {
	.etag = "\"e\"",
	.dated = true,
	.modified_s = 784111777,
	.size = 1000,
};
static const int64_t NOW = 1700000000;

static struct http_request request(char *text, size_t size, const char *method, const char *fields)
{
	struct http_request req;
	int len = snprintf(text, size, "%s / HTTP/1.1\r\nHost: x\r\n%s\r\n", method, fields);

	ck_assert_int_lt(len, (int) size);
	ck_assert_int_eq(http_parse_request(&req, text, (size_t) len), len);
	return req;
}

static int evaluate(const char *method, const char *fields, const struct http_entity *about,
		    struct http_range *ret)
{
	char text[1024];
	struct http_request req = request(text, sizeof(text), method, fields);

	return http_evaluate(&req, about, NOW, ret);
}

static const struct {
	int status;
	const char *fields;
} conditions[] = {
	{200, ""},
	/* If-None-Match */
	{304, "If-None-Match: \"e\"\r\n"},
	{304, "If-None-Match: W/\"e\"\r\n"},
	{304, "If-None-Match: *\r\n"},
	{304, "If-None-Match: \"a\", W/\"b\" ,\"e\"\r\n"},
	{304, "If-None-Match: ,, \"a,\",\t\"e\"\r\n"},
	{304, "If-None-Match: \"a\"\r\nIf-None-Match: \"e\"\r\n"},
	{304, "if-none-match:\"e\"\r\n"},
	{200, "If-None-Match: \"a\"\r\n"},
	{200, "If-None-Match: e\r\n"},
	{200, "If-None-Match: \"e\r\n"},
	{200, "If-None-Match: w/\"e\"\r\n"},
	{200, "If-None-Match: \"E\"\r\n"},
	{200, "If-None-Match: \"a,\"e\"\"\r\n"},
	{200, "If-None-Match:\r\n"},
	{200, "If-None-Match: W/\r\n"},
	/* If-Modified-Since */
	{304, "If-Modified-Since: " MODIFIED "\r\n"},
	{304, "If-Modified-Since: " AFTER "\r\n"},
	{304, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n"},
	{304, "If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n"},
	{200, "If-Modified-Since: " BEFORE "\r\n"},
	{200, "If-Modified-Since: nonsense\r\n"},
	{200, "If-Modified-Since: " AFTER "\r\nIf-Modified-Since: " AFTER "\r\n"},
	/* If-None-Match hides it. */
	{200, "If-None-Match: \"a\"\r\nIf-Modified-Since: " AFTER "\r\n"},
	{304, "If-None-Match: \"e\"\r\nIf-Modified-Since: " BEFORE "\r\n"},
	/* If-Match */
	{200, "If-Match: \"e\"\r\n"},
	{200, "If-Match: *\r\n"},
	{200, "If-Match: \"a\", \"e\"\r\n"},
	{412, "If-Match: \"a\"\r\n"},
	{412, "If-Match: W/\"e\"\r\n"},
	{412, "If-Match: nonsense\r\n"},
	/* If-Unmodified-Since */
	{200, "If-Unmodified-Since: " MODIFIED "\r\n"},
	{200, "If-Unmodified-Since: " AFTER "\r\n"},
	{412, "If-Unmodified-Since: " BEFORE "\r\n"},
	{200, "If-Unmodified-Since: nonsense\r\n"},
	/* If-Match hides it. */
	{200, "If-Match: \"e\"\r\nIf-Unmodified-Since: " BEFORE "\r\n"},
	{412, "If-Match: \"a\"\r\nIf-Unmodified-Since: " AFTER "\r\n"},
	/* What fails goes before what is not modified, that before ranges. */
	{412, "If-Match: \"a\"\r\nIf-None-Match: \"e\"\r\n"},
	{412, "If-None-Match: \"e\"\r\nIf-Unmodified-Since: " BEFORE "\r\n"},
	{304, "If-Match: \"e\"\r\nIf-None-Match: \"e\"\r\n"},
	{412, "Range: bytes=0-1\r\nIf-Match: \"a\"\r\n"},
	{304, "Range: bytes=2000-\r\nIf-None-Match: \"e\"\r\n"},
};

START_TEST(conditions_are_evaluated_in_their_order)
{
	struct http_range range;

	ck_assert_int_eq(evaluate("GET", conditions[_i].fields, &entity, &range),
			 conditions[_i].status);
	ck_assert_int_eq(evaluate("HEAD", conditions[_i].fields, &entity, &range),
			 conditions[_i].status);
}
END_TEST

static const struct {
	const char *range;
	int status;
	uint64_t first, length; /* with 206 */
} ranges[] = {
	{"bytes=0-0", 206, 0, 1},
	{"bytes=0-999", 206, 0, 1000},
	{"bytes=0-1000", 206, 0, 1000},
	{"bytes=0-99999999999999999999999", 206, 0, 1000},
	{"bytes=0-18446744073709551615", 206, 0, 1000},
	{"bytes=0-", 206, 0, 1000},
	{"bytes=999-", 206, 999, 1},
	{"bytes=10-19", 206, 10, 10},
	{"bytes=-1", 206, 999, 1},
	{"bytes=-1000", 206, 0, 1000},
	{"bytes=-1001", 206, 0, 1000},
	{"bytes=-99999999999999999999999", 206, 0, 1000},
	{"BYTES=1-2", 206, 1, 2},
	{"bytes= 1-2 ", 206, 1, 2},
	{"bytes=,1-2,", 206, 1, 2},
	{"bytes=1000-", 416, 0, 0},
	{"bytes=1000-1000", 416, 0, 0},
	{"bytes=99999999999999999999999-", 416, 0, 0},
	{"bytes=-0", 416, 0, 0},
	/* Several: the whole. */
	{"bytes=0-1,3-4", 200, 0, 0},
	{"bytes=0-1,2000-", 200, 0, 0},
	/* Nonsense is as if it were not there. */
	{"bytes=", 200, 0, 0},
	{"bytes", 200, 0, 0},
	{"bytes=-", 200, 0, 0},
	{"bytes=1", 200, 0, 0},
	{"bytes=2-1", 200, 0, 0},
	{"bytes=a-b", 200, 0, 0},
	{"bytes=1-b", 200, 0, 0},
	{"bytes=+1-2", 200, 0, 0},
	{"bytes=1 - 2", 200, 0, 0},
	{"bytes=1-2-3", 200, 0, 0},
	{"bytes 1-2", 200, 0, 0},
	{"lines=1-2", 200, 0, 0},
	{"bytes=--1", 200, 0, 0},
};

START_TEST(one_range_is_served)
{
	struct http_range range = {77, 77};
	char fields[128];

	snprintf(fields, sizeof(fields), "Range: %s\r\n", ranges[_i].range);
	ck_assert_int_eq(evaluate("GET", fields, &entity, &range), ranges[_i].status);
	ck_assert_uint_eq(range.first, ranges[_i].status == 206 ? ranges[_i].first : 77);
	ck_assert_uint_eq(range.length, ranges[_i].status == 206 ? ranges[_i].length : 77);
	/* Ranges are for GET only. */
	ck_assert_int_eq(evaluate("HEAD", fields, &entity, &range), 200);
}
END_TEST

START_TEST(of_an_empty_file_no_range_can_be_served)
{
	struct http_entity empty = entity;
	struct http_range range;

	empty.size = 0;
	ck_assert_int_eq(evaluate("GET", "Range: bytes=0-\r\n", &empty, &range), 416);
	ck_assert_int_eq(evaluate("GET", "Range: bytes=-1\r\n", &empty, &range), 200);
	ck_assert_int_eq(evaluate("GET", "Range: bytes=-0\r\n", &empty, &range), 416);
}
END_TEST

START_TEST(two_range_fields_are_none)
{
	struct http_range range;

	ck_assert_int_eq(
		evaluate("GET", "Range: bytes=0-1\r\nRange: bytes=0-1\r\n", &entity, &range), 200);
}
END_TEST

static const struct {
	int status;
	const char *if_range;
} still_same[] = {
	{206, "\"e\""},   {206, MODIFIED},   {206, "Sunday, 06-Nov-94 08:49:37 GMT"},
	{200, "W/\"e\""}, {200, "\"a\""},    {200, BEFORE},
	{200, AFTER},     {200, "nonsense"}, {200, ""},
};

START_TEST(a_range_of_what_has_changed_is_the_whole)
{
	struct http_range range;
	char fields[128];

	snprintf(fields, sizeof(fields), "Range: bytes=1-2\r\nIf-Range: %s\r\n",
		 still_same[_i].if_range);
	ck_assert_int_eq(evaluate("GET", fields, &entity, &range), still_same[_i].status);
	/* Without a range it means nothing. */
	snprintf(fields, sizeof(fields), "If-Range: %s\r\n", still_same[_i].if_range);
	ck_assert_int_eq(evaluate("GET", fields, &entity, &range), 200);
}
END_TEST

/* Within its second a file can change without its date. */
START_TEST(a_date_that_is_too_young_keeps_no_range)
{
	struct http_entity young = entity;
	const char *fields = "Range: bytes=1-2\r\nIf-Range: Tue, 14 Nov 2023 22:13:20 GMT\r\n";
	struct http_range range;

	young.modified_s = NOW;
	ck_assert_int_eq(evaluate("GET", fields, &young, &range), 200);
}
END_TEST

START_TEST(what_has_no_tag_and_no_date_matches_only_a_star)
{
	const struct http_entity page = {.etag = ""};
	struct http_range range;

	ck_assert_int_eq(evaluate("GET", "If-None-Match: *\r\n", &page, &range), 304);
	ck_assert_int_eq(evaluate("GET", "If-None-Match: \"\"\r\n", &page, &range), 200);
	ck_assert_int_eq(evaluate("GET", "If-Match: \"e\"\r\n", &page, &range), 412);
	ck_assert_int_eq(evaluate("GET", "If-Modified-Since: " AFTER "\r\n", &page, &range), 200);
	ck_assert_int_eq(evaluate("GET", "If-Unmodified-Since: " BEFORE "\r\n", &page, &range),
			 200);
	ck_assert_int_eq(evaluate("GET", "Range: bytes=0-\r\n", &page, &range), 200);
}
END_TEST

START_TEST(tags_tell_contents_apart)
{
	char tag[HTTP_ETAG_SIZE], other[HTTP_ETAG_SIZE];

	http_make_etag(tag, 0x12, 0xab, 0);
	ck_assert_str_eq(tag, "\"12-ab-0\"");
	http_make_etag(tag, UINT64_MAX, -1, UINT64_MAX);
	ck_assert_uint_eq(strlen(tag), HTTP_ETAG_SIZE - 1);
	http_make_etag(tag, 1, 2, 3);
	http_make_etag(other, 2, 2, 3);
	ck_assert_str_ne(tag, other);
	http_make_etag(other, 1, 3, 3);
	ck_assert_str_ne(tag, other);
	http_make_etag(other, 1, 2, 4);
	ck_assert_str_ne(tag, other);
}
END_TEST

/* Cut off anywhere, a list is read no further than it goes. */
START_TEST(no_list_is_read_beyond_its_end)
{
	const char *list = "If-None-Match: \"a\", W/\"b\", \"c";
	const char *begin = "GET / HTTP/1.0\r\n";

	for (size_t n = strlen("If-None-Match:"); n <= strlen(list); n++) {
		size_t len = strlen(begin) + n + 4;
		char *exact = malloc(len);
		struct http_request req;
		struct http_range range;

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, begin, strlen(begin));
		memcpy(exact + strlen(begin), list, n);
		memcpy(exact + len - 4, "\r\n\r\n", 4);
		ck_assert_int_eq(http_parse_request(&req, exact, len), (ssize_t) len);
		ck_assert_int_eq(http_evaluate(&req, &entity, NOW, &range), 200);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_condition");
	TCase *tcase = tcase_create("http_condition");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, conditions_are_evaluated_in_their_order, 0, LENGTH(conditions));
	tcase_add_loop_test(tcase, one_range_is_served, 0, LENGTH(ranges));
	tcase_add_test(tcase, of_an_empty_file_no_range_can_be_served);
	tcase_add_test(tcase, two_range_fields_are_none);
	tcase_add_loop_test(tcase, a_range_of_what_has_changed_is_the_whole, 0, LENGTH(still_same));
	tcase_add_test(tcase, a_date_that_is_too_young_keeps_no_range);
	tcase_add_test(tcase, what_has_no_tag_and_no_date_matches_only_a_star);
	tcase_add_test(tcase, tags_tell_contents_apart);
	tcase_add_test(tcase, no_list_is_read_beyond_its_end);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
