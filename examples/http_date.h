/* SPDX-License-Identifier: ISC */
/*
 * The dates of HTTP, in seconds since 1970.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "http_text.h"

#include <stdint.h>

enum { HTTP_DATE_SIZE = sizeof("Sun, 06 Nov 1994 08:49:37 GMT") };

/* Writes a date as HTTP wants it today. What is before 1 March of the year 0 or after 9999 comes
 * out as the nearest that is not. */
void http_format_date(char ret[HTTP_DATE_SIZE], int64_t seconds);

/*
 * Reads a date in any of the three forms there have been. @p now_s tells the century of
 * years with two digits. False: it is none.
 */
bool http_parse_date(struct http_text text, int64_t now_s, int64_t *ret);

#endif
