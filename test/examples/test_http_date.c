/* SPDX-License-Identifier: ISC */
#include "http_date.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const int64_t NOW = 1700000000; /* November 2023 */

static const struct {
	int64_t seconds;
	const char *text;
} dates[] = {
	{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
	{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
	{-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
	{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
	{2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
	{253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
	{-62162035200, "Wed, 01 Mar 0000 00:00:00 GMT"},
	{951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
	{4107456000, "Sun, 28 Feb 2100 00:00:00 GMT"},
	{4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
};

START_TEST(a_date_is_written_and_read_back)
{
	char text[HTTP_DATE_SIZE];
	int64_t seconds;

	http_format_date(text, dates[_i].seconds);
	ck_assert_str_eq(text, dates[_i].text);
	ck_assert(http_parse_date((struct http_text){text, strlen(text)}, NOW, &seconds));
	ck_assert_int_eq(seconds, dates[_i].seconds);
}
END_TEST

START_TEST(what_has_no_four_digits_comes_out_as_the_nearest)
{
	char text[HTTP_DATE_SIZE];

	http_format_date(text, INT64_MAX);
	ck_assert_str_eq(text, "Fri, 31 Dec 9999 23:59:59 GMT");
	http_format_date(text, INT64_MIN);
	ck_assert_str_eq(text, "Wed, 01 Mar 0000 00:00:00 GMT");
}
END_TEST

/* Every day of 400 years, after which they come again, against the C library. */
START_TEST(days_are_those_of_the_calendar)
{
	for (int64_t day = -73048; day < 73049; day++) {
		char text[HTTP_DATE_SIZE], wanted[64];
		time_t t = (time_t) (day * 86400 + 86399);
		struct tm tm;

		http_format_date(text, t);
		gmtime_r(&t, &tm);
		strftime(wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		ck_assert_str_eq(text, wanted);
	}
}
END_TEST

static const struct {
	const char *text;
	int64_t seconds;
} forms[] = {
	{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	{"Sun Nov  6 08:49:37 1994", 784111777},
	{"Wed Nov 16 08:49:37 1994", 784975777},
	/* Two digits are a year up to 50 years from now, and else one before. */
	{"Friday, 06-Nov-73 08:49:37 GMT", 3277183777},
	{"Tuesday, 06-Nov-74 08:49:37 GMT", 152959777},
	{"Monday, 06-Nov-23 08:49:37 GMT", 1699260577},
};

START_TEST(all_three_forms_are_read)
{
	int64_t seconds = 0;

	ck_assert(http_parse_date((struct http_text){forms[_i].text, strlen(forms[_i].text)}, NOW,
				  &seconds));
	ck_assert_int_eq(seconds, forms[_i].seconds);
}
END_TEST

static const char *const nonsense[] = {
	"",
	"0",
	"yesterday",
	"Sun, 06 Nov 1994 08:49:37",
	"Sun, 06 Nov 1994 08:49:37 UTC",
	"Sun, 06 Nov 1994 08:49:37 GMT and more",
	"Sun, 31 Feb 1994 08:49:37 GMT",
	"Sun, 32 Jan 1994 08:49:37 GMT",
	"Sun, 06 Now 1994 08:49:37 GMT",
	"Sun, 06 Nov 1994 24:49:37 GMT",
	"Sun, 06 Nov 1994 08:60:37 GMT",
	"Sun, 06-Nov-1994 08:49:37 GMT",
	"Sun Nov  6 08:49:37",
	"Sun, 06 Nov 1994 08:49:37 GMT                                                        ",
};

START_TEST(nonsense_is_no_date)
{
	int64_t seconds = 77;

	ck_assert(!http_parse_date((struct http_text){nonsense[_i], strlen(nonsense[_i])}, NOW,
				   &seconds));
	ck_assert_int_eq(seconds, 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_date");
	TCase *tcase = tcase_create("http_date");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_date_is_written_and_read_back, 0, LENGTH(dates));
	tcase_add_test(tcase, what_has_no_four_digits_comes_out_as_the_nearest);
	tcase_add_test(tcase, days_are_those_of_the_calendar);
	tcase_add_loop_test(tcase, all_three_forms_are_read, 0, LENGTH(forms));
	tcase_add_loop_test(tcase, nonsense_is_no_date, 0, LENGTH(nonsense));
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
