/* SPDX-License-Identifier: ISC */
/*
 * Words for what HTTP knows by numbers or not at all.
 */
#ifndef HTTP_NAMES_H
#define HTTP_NAMES_H

/* The media type a file's name suggests. */
const char *http_content_type(const char *path);

/* The words that go with a status. */
const char *http_reason(int status);

#endif
