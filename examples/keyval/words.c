/* SPDX-License-Identifier: ISC */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Words */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What the escape means that follows a backslash at p[-1]; sets how long it is. */
static char unescape(const char *p, const char *end, size_t *ret_len)
{
	static const char escapes[] = "n\nr\rt\tb\ba\a";

	*ret_len = 1;
	if (*p == 'x' && end - p >= 3 && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
		*ret_len = 3;
		return (char) (hex_digit(p[1]) * 16 + hex_digit(p[2]));
	}
	for (const char *e = escapes; *e; e += 2)
		if (*p == *e)
			return e[1];
	return *p;
}

/* Copies what is between quotes, from behind the first one: past the last one, or NULL. */
static char *unquote(char *p, const char *end, char quote, struct word *word)
{
	size_t len = 1;

	for (; p < end && *p != quote; p += len) {
		len = 1;
		if (*p == '\\' && end - p >= 2 && (quote == '"' || p[1] == '\'')) {
			word->data[word->len++] = unescape(++p, end, &len);
			continue;
		}
		word->data[word->len++] = *p;
	}
	if (p == end || (p + 1 < end && !isspace((unsigned char) p[1])))
		return NULL;
	return p + 1;
}

int next_word(char **line, const char *end, struct word *ret)
{
	char *p = *line;

	while (p < end && isspace((unsigned char) *p))
		p++;
	if (p == end)
		return 0;
	*ret = (struct word){.data = p};
	while (p < end && !isspace((unsigned char) *p)) {
		if (*p == '"' || *p == '\'') {
			p = unquote(p + 1, end, *p, ret);
			if (!p)
				return -EPROTO;
			break;
		}
		ret->data[ret->len++] = *p++;
	}
	*line = p;
	return 1;
}

/* Integers */

char *integer_put(char *to, int64_t n)
{
	uint64_t rest = n < 0 ? -(uint64_t) n : (uint64_t) n;
	char digits[INTEGER_MAX];
	size_t i = sizeof(digits);

	if (n < 0)
		*to++ = '-';
	do
		digits[--i] = (char) ('0' + rest % 10);
	while (rest /= 10);
	memcpy(to, digits + i, sizeof(digits) - i);
	return to + sizeof(digits) - i;
}

bool integer_parse(const char *text, size_t len, int64_t *ret)
{
	const char *p = text, *end = text + len;
	bool negative = len > 0 && *p == '-';
	uint64_t limit = (uint64_t) INT64_MAX + negative, n = 0;

	p += negative;
	if (p == end || (*p == '0' && len > 1))
		return false;
	for (; p < end; p++) {
		unsigned digit = (unsigned char) *p - (unsigned) '0';

		if (digit > 9 || n > (limit - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	*ret = (int64_t) (negative ? -n : n);
	return true;
}

/* Patterns */

/* One element of a pattern, from its first character on. */
struct element {
	const char *next; /* the element after it */
	bool matches;
};

static char set_char(const char **p, const char *end)
{
	if (**p == '\\' && end - *p >= 2)
		++*p;
	return *(*p)++;
}

/* "[...]" from behind the bracket; one that is not closed ends with the pattern. */
static struct element match_set(const char *p, const char *end, char c)
{
	bool negated = p < end && *p == '^', found = false;

	p += negated;
	while (p < end && *p != ']') {
		unsigned char first = (unsigned char) set_char(&p, end), last = first;

		if (end - p >= 2 && *p == '-') {
			p++;
			last = (unsigned char) set_char(&p, end);
		}
		if (first > last) {
			unsigned char swapped = first;

			first = last;
			last = swapped;
		}
		found |= (unsigned char) c >= first && (unsigned char) c <= last;
	}
	return (struct element){p < end ? p + 1 : end, found != negated};
}

static struct element match_element(const char *p, const char *end, char c)
{
	switch (*p) {
	case '?':
		return (struct element){p + 1, true};
	case '[':
		return match_set(p + 1, end, c);
	case '\\':
		p += end - p >= 2;
	}
	return (struct element){p + 1, *p == c};
}

/* When something does not match, only the last star may take one character more. */
bool pattern_matches(const char *pattern, size_t pattern_len, const char *name, size_t len)
{
	const char *end = pattern + pattern_len, *name_end = name + len;
	const char *after_star = NULL, *taken = NULL;

	for (;;) {
		struct element e = {NULL, false};

		if (pattern < end && *pattern == '*') {
			after_star = ++pattern;
			taken = name;
			continue;
		}
		if (name == name_end)
			return pattern == end;
		if (pattern < end)
			e = match_element(pattern, end, *name);
		if (e.matches) {
			pattern = e.next;
			name++;
		} else if (after_star) {
			pattern = after_star;
			name = ++taken;
		} else {
			return false;
		}
	}
}
