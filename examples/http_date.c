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

/* strftime would do, in ten times the time: every answer has two dates. */
void http_format_date(char ret[HTTP_DATE_SIZE], int64_t seconds)
{
	const int64_t year_0 = -62167219200, year_10000 = 253402300800;
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t) (seconds < year_0       ? year_0
			     : seconds < year_10000 ? seconds
						    : year_10000 - 1);
	struct tm tm;

	gmtime_r(&t, &tm);
	memcpy(ret, "..., .. ... .... ..:..:.. GMT", HTTP_DATE_SIZE);
	memcpy(ret, days + (ptrdiff_t) 3 * tm.tm_wday, 3);
	put_digits(ret + 5, 2, tm.tm_mday);
	memcpy(ret + 8, months + (ptrdiff_t) 3 * tm.tm_mon, 3);
	put_digits(ret + 12, 4, tm.tm_year + 1900);
	put_digits(ret + 17, 2, tm.tm_hour);
	put_digits(ret + 20, 2, tm.tm_min);
	put_digits(ret + 23, 2, tm.tm_sec);
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
