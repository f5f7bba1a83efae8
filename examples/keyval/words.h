/* SPDX-License-Identifier: ISC */
/*
 * Words as people type them, integers, and patterns for names.
 */
#ifndef KEYVAL_WORDS_H
#define KEYVAL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	char *data;
	size_t len;
};

/*
 * The next word of a line: 1, and *line is past it; 0 at the end; -EPROTO if a quote is not
 * closed, or goes on behind its end. "..." may contain \n, \r, \t, \a, \b, \xHH and escaped
 * characters, '...' nothing but \'. The word is put together in the line's own memory.
 */
int next_word(char **line, const char *end, struct word *ret);

enum { INTEGER_MAX = 20 }; /* characters, a sign included */

/* Writes the integer without a terminator: past it. */
char *integer_put(char *to, int64_t n);

/* True if this is how integer_put writes an integer: no spaces, plus or leading zeros. */
bool integer_parse(const char *text, size_t len, int64_t *ret);

/* Does the name match? * and ? stand for any characters, [a-z] and [^a-z] for one, \ escapes. */
bool pattern_matches(const char *pattern, size_t pattern_len, const char *name, size_t len);

#endif
