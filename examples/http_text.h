/* SPDX-License-Identifier: ISC */
/*
 * Pieces of text that lie in somebody else's memory.
 */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct http_text {
	const char *p;
	size_t len;
};

/* Cuts off what precedes the byte, and the byte. False: it is not there. */
static inline bool http_cut(struct http_text *text, char byte, struct http_text *ret)
{
	const char *end = memchr(text->p, byte, text->len);

	if (!end)
		return false;
	*ret = (struct http_text){text->p, (size_t) (end - text->p)};
	text->len -= ret->len + 1;
	text->p = end + 1;
	return true;
}

static inline bool http_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline struct http_text http_trim(struct http_text text)
{
	while (text.len > 0 && http_is_blank(*text.p)) {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && http_is_blank(text.p[text.len - 1]))
		text.len--;
	return text;
}

/* The next member of a list with commas, empty ones left out. False: there is none. */
static inline bool http_next_member(struct http_text *list, struct http_text *ret)
{
	while (list->len > 0) {
		struct http_text member;

		if (!http_cut(list, ',', &member)) {
			member = *list;
			list->len = 0;
		}
		*ret = http_trim(member);
		if (ret->len > 0)
			return true;
	}
	return false;
}

/* Is it this word, in whatever case? */
static inline bool http_is(struct http_text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.p, word, text.len) == 0;
}

#endif
