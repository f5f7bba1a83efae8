/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE 1
#include "http_date.h"

#include <time.h>

static void put_digits(char *ret, int n, int number)
{
	while (n-- > 0) {
		ret[n] = (char) ('0' + number % 10);
		number /= 10;
	}
}

/* A day counted from 1 March of the year 0, as the 1st, ... of a month of a year. Years that
 * begin in March have their leap day at the end, and their months are 153 days for every 5. */
static void split_day(unsigned day, int *ret_year, int *ret_month, int *ret_mday)
{
	enum { IN_4_YEARS = 1461, IN_100_YEARS = 36524, IN_400_YEARS = 146097 };
	unsigned in_400 = day % IN_400_YEARS;
	unsigned century = in_400 / IN_100_YEARS < 3 ? in_400 / IN_100_YEARS : 3;
	unsigned in_100 = in_400 - century * IN_100_YEARS;
	unsigned in_4 = in_100 % IN_4_YEARS;
	unsigned year = in_4 / 365 < 3 ? in_4 / 365 : 3;
	unsigned in_year = in_4 - year * 365;
	unsigned month = (5 * in_year + 2) / 153; /* 0 is March */

	*ret_mday = (int) (in_year - (153 * month + 2) / 5) + 1;
	*ret_month = (int) (month < 10 ? month + 2 : month - 10);
	*ret_year = (int) (day / IN_400_YEARS * 400 + century * 100 + in_100 / IN_4_YEARS * 4 +
			   year + (month >= 10));
}

/* strftime would do, in twenty times the time: every answer has a date. */
void http_format_date(char ret[HTTP_DATE_SIZE], int64_t seconds)
{
	const int64_t year_0 = -62162035200; /* 1 March */
	const int64_t year_10000 = 253402300800;
	static const char days[] = "WedThuFriSatSunMonTue"; /* year 0's 1 March is a Wednesday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t t = seconds < year_0       ? 0
		    : seconds < year_10000 ? seconds - year_0
					   : year_10000 - 1 - year_0;
	unsigned day = (unsigned) (t / 86400), second = (unsigned) (t % 86400);
	int year, month, mday;

	split_day(day, &year, &month, &mday);
	memcpy(ret, "..., .. ... .... ..:..:.. GMT", HTTP_DATE_SIZE);
	memcpy(ret, days + (ptrdiff_t) (3 * (day % 7)), 3);
	put_digits(ret + 5, 2, mday);
	memcpy(ret + 8, months + (ptrdiff_t) 3 * month, 3);
	put_digits(ret + 12, 4, year);
	put_digits(ret + 17, 2, (int) (second / 3600));
	put_digits(ret + 20, 2, (int) (second / 60 % 60));
	put_digits(ret + 23, 2, (int) (second % 60));
}

/* The year that ends in these two digits and is at most 50 years from now. */
static int full_year(int two_digits, int64_t now_s)
{
	time_t t = (time_t) now_s;
	struct tm now;
	int year;

	gmtime_r(&t, &now);
	year = now.tm_year - (now.tm_year + 1900) % 100 + two_digits;
	return year > now.tm_year + 50 ? year - 100 : year;
}

bool http_parse_date(struct http_text text, int64_t now_s, int64_t *ret)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};
	char copy[64];

	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(copy, forms[i], &tm);
		int day = tm.tm_mday;
		time_t t;

		if (!end || *end != '\0')
			continue;
		if (i == 1)
			tm.tm_year = full_year(tm.tm_year % 100, now_s);
		t = timegm(&tm);
		if (tm.tm_mday != day) /* the 31st of February */
			return false;
		*ret = t;
		return true;
	}
	return false;
}
