/* SPDX-License-Identifier: ISC */
#include "http_body.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct http_request chunked = {.has_body = true, .chunked = true};

/* The next request, which must stay untouched. */
#define NEXT "GET / HTTP/1.1\r\n"

static const char *const bodies[] = {
	"0\r\n\r\n",
	"1\r\na\r\n0\r\n\r\n",
	"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
	"0000000000000002\r\n\r\n\r\n000\r\n\r\n",
	"2;name=value\r\nab\r\n0;last\r\n\r\n",
	"2;a=\"quoted; \xc3\xa4\"\r\nab\r\n0\r\n\r\n",
	"2\r\nab\r\n0\r\nTrailer: x\r\nAnother:\r\n\r\n",
};

/* Takes the body in pieces of so many bytes: how many bytes in all, or the status. */
static ssize_t skip_in_pieces(struct http_body *body, const char *text, size_t len, size_t piece)
{
	size_t done = 0;

	ck_assert_int_eq(http_body_begin(body, &chunked), 0);
	while (done < len && body->state != HTTP_BODY_OVER) {
		size_t n = len - done < piece ? len - done : piece;
		char *exact = malloc(n);
		ssize_t rc;

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, text + done, n);
		rc = http_body_skip(body, exact, n);
		free(exact);
		if (rc < 0)
			return rc;
		ck_assert_int_gt(rc, 0);
		done += (size_t) rc;
	}
	return (ssize_t) done;
}

START_TEST(a_body_ends_where_it_ends_however_it_is_cut)
{
	size_t len = strlen(bodies[_i]);
	struct http_body body;
	char text[256];

	snprintf(text, sizeof(text), "%s" NEXT, bodies[_i]);
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		ck_assert_int_eq(skip_in_pieces(&body, text, strlen(text), piece), (ssize_t) len);
		ck_assert_uint_eq(http_body_wants(&body), 0);
	}
}
END_TEST

START_TEST(who_reads_what_is_wanted_reads_nothing_of_the_next_request)
{
	const char *text = bodies[_i];
	size_t done = 0, wanted;
	struct http_body body;

	ck_assert_int_eq(http_body_begin(&body, &chunked), 0);
	while ((wanted = http_body_wants(&body)) > 0) {
		ck_assert_uint_le(done + wanted, strlen(text));
		ck_assert_int_eq(http_body_skip(&body, text + done, wanted), (ssize_t) wanted);
		done += wanted;
	}
	ck_assert_uint_eq(done, strlen(text));
	/* Nor at any byte in between. */
	ck_assert_int_eq(http_body_begin(&body, &chunked), 0);
	for (done = 0; done < strlen(text); done++) {
		ck_assert_uint_gt(http_body_wants(&body), 0);
		ck_assert_uint_le(done + http_body_wants(&body), strlen(text));
		ck_assert_int_eq(http_body_skip(&body, text + done, 1), 1);
	}
}
END_TEST

static const struct {
	ssize_t status;
	const char *text; /* its last byte is the wrong one */
} malformed[] = {
	{-400, "\r"},
	{-400, " "},
	{-400, "-"},
	{-400, "g"},
	{-400, "0x"},
	{-400, "1 "},
	{-400, "1\n"},
	{-400, "1\r\r"},
	{-400, "1\r\nab"},
	{-400, "1\r\na\n"},
	{-400, "1\r\na\r0"},
	{-400, "1;\n"},
	{-400, "1;a\x01"},
	{-400, "1;\r\r"},
	{-400, "0\r\n\n"},
	{-400, "0\r\nA: b\n"},
	{-400, "0\r\nA: \x7f"},
	{-400, "0\r\nA: b\r\r"},
	{-400, "0\r\n\r\r"},
	{-400, "00000000000000000"},
	{-413, "100001"},
	{-413, "ffffff"},
};

START_TEST(a_malformed_body_is_refused_at_its_first_wrong_byte)
{
	const char *text = malformed[_i].text;
	size_t len = strlen(text);
	struct http_body body;

	for (size_t piece = 1; piece <= len; piece++) {
		ck_assert_int_eq(skip_in_pieces(&body, text, len, piece), malformed[_i].status);
		ck_assert_int_eq(skip_in_pieces(&body, text, len - 1, piece), (ssize_t) len - 1);
	}
}
END_TEST

START_TEST(one_wrong_byte_never_confuses_it)
{
	static const char bytes[] = "\t\n\r ;0:AFag\x7f\xff"; /* and the NUL */
	size_t len = strlen(bodies[_i]);
	char text[256];

	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++) {
			struct http_body body;
			ssize_t answer;

			memcpy(text, bodies[_i], len);
			text[i] = bytes[k];
			answer = skip_in_pieces(&body, text, len, len);
			ck_assert_int_eq(skip_in_pieces(&body, text, len, 1), answer);
			ck_assert_int_eq(skip_in_pieces(&body, text, len, 3), answer);
		}
	}
}
END_TEST

START_TEST(a_plain_body_is_as_long_as_it_was_said)
{
	struct http_request req = {.has_body = true, .length = 5};
	struct http_body body;

	ck_assert_int_eq(http_body_begin(&body, &req), 0);
	ck_assert_uint_eq(http_body_wants(&body), 5);
	ck_assert_int_eq(http_body_skip(&body, "ab", 2), 2);
	ck_assert_uint_eq(http_body_wants(&body), 3);
	ck_assert_int_eq(http_body_skip(&body, "cde" NEXT, 3 + strlen(NEXT)), 3);
	ck_assert_uint_eq(http_body_wants(&body), 0);
	ck_assert_int_eq(http_body_skip(&body, NEXT, strlen(NEXT)), 0);

	req = (struct http_request){0};
	ck_assert_int_eq(http_body_begin(&body, &req), 0);
	ck_assert_uint_eq(http_body_wants(&body), 0);
}
END_TEST

START_TEST(there_is_a_largest_body)
{
	struct http_request req = {.has_body = true, .length = HTTP_MAX_BODY};
	static char data[HTTP_MAX_BODY - 1];
	struct http_body body;

	ck_assert_int_eq(http_body_begin(&body, &req), 0);
	req.length++;
	ck_assert_int_eq(http_body_begin(&body, &req), -413);

	/* All chunks together. */
	ck_assert_int_eq(http_body_begin(&body, &chunked), 0);
	ck_assert_int_eq(http_body_skip(&body, "fffff\r\n", 7), 7);
	ck_assert_int_eq(http_body_skip(&body, data, sizeof(data)), (ssize_t) sizeof(data));
	ck_assert_int_eq(http_body_skip(&body, "\r\n1", 3), 3);
	ck_assert_int_eq(http_body_skip(&body, "\r\na\r\n", 5), 5);
	ck_assert_int_eq(http_body_skip(&body, "1", 1), -413);
}
END_TEST

/* Extensions and trailers together, or they could go on for ever. */
START_TEST(there_is_a_limit_on_what_is_not_content)
{
	static char text[HTTP_MAX_EXTRA];
	struct http_body body;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(http_body_begin(&body, &chunked), 0);
	ck_assert_int_eq(http_body_skip(&body, "0;", 2), 2);
	ck_assert_int_eq(http_body_skip(&body, text, 4000), 4000);
	ck_assert_int_eq(http_body_skip(&body, "\r\n", 2), 2);
	ck_assert_int_eq(http_body_skip(&body, text, 4191), 4191);
	ck_assert_int_eq(http_body_skip(&body, "x", 1), -431);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_body");
	TCase *tcase = tcase_create("http_body");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_body_ends_where_it_ends_however_it_is_cut, 0, LENGTH(bodies));
	tcase_add_loop_test(tcase, who_reads_what_is_wanted_reads_nothing_of_the_next_request, 0,
			    LENGTH(bodies));
	tcase_add_loop_test(tcase, a_malformed_body_is_refused_at_its_first_wrong_byte, 0,
			    LENGTH(malformed));
	tcase_add_loop_test(tcase, one_wrong_byte_never_confuses_it, 0, LENGTH(bodies));
	tcase_add_test(tcase, a_plain_body_is_as_long_as_it_was_said);
	tcase_add_test(tcase, there_is_a_largest_body);
	tcase_add_test(tcase, there_is_a_limit_on_what_is_not_content);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
