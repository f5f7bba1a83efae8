/* SPDX-License-Identifier: ISC */
/*
 * The example server's parser: the same answer however the input is cut.
 */
#include "fuzz.h"
#include "http_parse.h"

#include <stdlib.h>
#include <string.h>

/* The target that was found, decoded: of no more bytes than before, and with no NUL in it. */
static void check_target(const struct http_request *r)
{
	char *path = malloc(r->target_len + 1);
	ssize_t n = http_target_path(r->target, r->target_len, path);

	check(n == -400 || (n >= 0 && (size_t) n <= r->target_len));
	if (n >= 0)
		check_same(strlen(path), n);
	free(path);
}

static void check_same_request(const struct http_request *a, const struct http_request *b,
			       const char *at_a, const char *at_b)
{
	check_same(a->method, b->method);
	check_same(a->minor, b->minor);
	check_same(a->keep_alive, b->keep_alive);
	check_same(a->has_body, b->has_body);
	check_same(a->target_len, b->target_len);
	check_same(a->target - at_a, b->target - at_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = {.target = NULL}, part;
	const char *text = (const char *) data;
	ssize_t answer = http_parse_request(&whole, text, size);

	check(answer <= 0 || (size_t) answer <= size);
	check(answer >= 0 || answer == -400 || answer == -431 || answer == -501 || answer == -505);
	if (answer > 0) {
		check(whole.target >= text && whole.target + whole.target_len <= text + answer);
		check_target(&whole);
	}
	for (size_t len = 0, known = 0; len < size; len++) {
		/* Of their own size, so that a read behind their end shows. */
		char *copy = memcpy(malloc(len ? len : 1), text, len);
		ssize_t rc = http_parse_request(&part, copy, len);

		if (rc != 0 || known)
			check_same(rc, answer);
		if (rc > 0)
			check_same_request(&part, &whole, copy, text);
		known |= rc != 0;
		free(copy);
	}
	return 0;
}
