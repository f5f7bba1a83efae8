/* SPDX-License-Identifier: ISC */
/*
 * The parser sees every input in a block of memory of exactly its size, so that a sanitizer
 * notices a byte read too many.
 */
#include "http_parse.h"
#include "quick.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define HOST          "Host: x\r\n"

static ssize_t parse(struct http_request *ret, const char *text, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1);
	ssize_t rc;

	quick_assert(exact);
	memcpy(exact, text, len);
	rc = http_parse_request(ret, exact, len);
	/* They stay comparable when the copy is gone. */
	if (rc > 0) {
		ret->target = text + (ret->target - exact);
		ret->line.p = text + (ret->line.p - exact);
		ret->fields.p = text + (ret->fields.p - exact);
	}
	free(exact);
	return rc;
}

/*
 * However the bytes come in pieces: before the answer every prefix asks for more, after it
 * every longer one gives the same.
 */
static ssize_t parse_every_prefix(const char *text, size_t len)
{
	struct http_request req;
	ssize_t answer = 0;

	for (size_t n = 0; n <= len; n++) {
		ssize_t rc = parse(&req, text, n);

		quick_assert(answer == 0 || rc == answer);
		quick_assert(rc <= (ssize_t) n);
		answer = rc;
	}
	return answer;
}

static const char *const valid[] = {
	"GET / HTTP/1.1\r\n" HOST "\r\n",
	"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.9\r\n" HOST "\r\n",
	"HEAD /a?b#c HTTP/1.1\r\nhOsT:\r\n\r\n",
	"BREW /pot HTTP/1.1\r\n" HOST "\r\n",
	"!#$%&'*+-.^_`|~ * HTTP/1.1\r\n" HOST "\r\n",
	"GET http://x/y HTTP/1.1\r\n" HOST "\r\n",
	"GET /\xc3\xa4 HTTP/1.1\r\n" HOST "X: \xff\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Empty:\r\nTab:\ta\tb \t\r\n!#$%&'*+-.^_`|~: x\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a-b.c_d~e.f:80\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	"CONNECT host:443 HTTP/1.1\r\n" HOST "\r\n",
	"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\n" HOST "tRANSFER-eNCODING: ,Chunked, ,\r\n\r\n",
	"PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n",
	"PUT / HTTP/1.0\r\nExpect: a miracle\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "If-Match: \"a,b\"\r\nRange: bytes=0-\r\n\r\n",
};

START_TEST(a_valid_request_is_accepted_at_its_last_byte)
{
	const char *text = valid[_i];

	ck_assert_int_eq(parse_every_prefix(text, strlen(text)), (ssize_t) strlen(text));
}
END_TEST

START_TEST(bytes_after_the_head_are_left_alone)
{
	struct http_request req;
	char text[1024];

	snprintf(text, sizeof(text), "%sGET /next HTTP/1.1\r\n", valid[_i]);
	ck_assert_int_eq(parse(&req, text, strlen(text)), (ssize_t) strlen(valid[_i]));
}
END_TEST

static const struct {
	ssize_t status;
	const char *text;
	size_t len; /* 0: up to the NUL */
} malformed[] = {
	/* The request line. */
	{-400, "GET\r\n", 0},
	{-400, "GET /\r\n", 0},
	{-400, " GET / HTTP/1.1\r\n", 0},
	{-400, "GET  / HTTP/1.1\r\n", 0},
	{-400, "GET /  HTTP/1.1\r\n", 0},
	{-400, "GET / HTTP/1.1 \r\n", 0},
	{-400, "GET\t/ HTTP/1.1\r\n", 0},
	{-400, "GET / a HTTP/1.1\r\n", 0},
	{-400, "GET / HTTP/1.1\r\r\n", 0},
	{-400, "G\"T / HTTP/1.1\r\n", 0},
	{-400, "G\xc3\xa4T / HTTP/1.1\r\n", 0},
	{-400, "GET /\x01 HTTP/1.1\r\n", 0},
	{-400, "GET /\x7f HTTP/1.1\r\n", 0},
	{-400, "GET /\0 HTTP/1.1\r\n", 17},
	{-400, "G\0T / HTTP/1.1\r\n", 16},
	{-400, "GET / http/1.1\r\n", 0},
	{-400, "GET / HTTP/1\r\n", 0},
	{-400, "GET / HTTP/1.\r\n", 0},
	{-400, "GET / HTTP/1.10\r\n", 0},
	{-400, "GET / HTTP/1x1\r\n", 0},
	{-400, "GET / HTTP/a.1\r\n", 0},
	{-400, "GET / HTTP/1.b\r\n", 0},
	{-400, "GET / HTTP/1.1\n", 0},
	{-400, "\n", 0},
	{-400, "\r\n\n", 0},
	{-400, "\r\r\n", 0},
	{-505, "GET / HTTP/2.0\r\n", 0},
	{-505, "GET / HTTP/0.9\r\n", 0},
	{-400, "\x16\x03\x01\x02\n", 0},
	/* Headers. */
	{-400, "GET / HTTP/1.1\r\n\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST HOST, 0},
	{-400, "GET / HTTP/1.0\r\n" HOST HOST, 0},
	{-400, "GET / HTTP/1.1\r\nHost\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost : x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n Host: x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n: x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST " folded\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "\tfolded: x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "A b: x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "A\x80: x\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: x\ry\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: x\r\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: \x1b\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: \x7f\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: a\0b\r\n", 27},
	{-400, "GET / HTTP/1.1\r\nHost: x\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: a b\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: a/b\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: a@b\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: \"x\"\r\n", 0},
	{-400, "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n", 0},
	{-417, "GET / HTTP/1.1\r\nExpect: a miracle\r\n", 0},
	{-417, "GET / HTTP/1.1\r\nExpect: 100-continue, more\r\n", 0},
	/* Bodies. */
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 2\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 7\r\nContent-Length: 7\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
	 0},
	{-400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n", 0},
	{-400,
	 "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "tRANSFER-eNCODING:\r\n\r\n", 0},
	{-400, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n", 0},
	{-501, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 0},
	{-501, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 0},
};

START_TEST(a_malformed_request_is_refused_when_its_bad_line_ends)
{
	const char *text = malformed[_i].text;
	size_t len = malformed[_i].len > 0 ? malformed[_i].len : strlen(text);
	struct http_request req;

	ck_assert_int_eq(parse_every_prefix(text, len), malformed[_i].status);
	ck_assert_int_eq(parse(&req, text, len - 1), 0);
}
END_TEST

START_TEST(one_wrong_byte_never_confuses_it)
{
	static const char bytes[] = "\t\n\r !,/09:AZa\x7f\xff"; /* and the NUL */
	const char *text = valid[_i];
	size_t len = strlen(text);
	char *wrong = malloc(len);

	ck_assert_ptr_nonnull(wrong);
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++) {
			memcpy(wrong, text, len);
			wrong[i] = bytes[k];
			parse_every_prefix(wrong, len);
		}
	}
	free(wrong);
}
END_TEST

START_TEST(a_refused_request_leaves_the_result_alone)
{
	struct http_request req = {.minor = 7, .target_len = 8};

	ck_assert_int_eq(parse(&req, "GET / HTTP/1.1\r\n\r\n", 18), -400);
	ck_assert_int_eq(parse(&req, "GET / HTTP/1.1\r\nHost: x\r\n", 25), 0);
	ck_assert_uint_eq(req.minor, 7);
	ck_assert_uint_eq(req.target_len, 8);
}
END_TEST

START_TEST(the_request_line_is_taken_apart)
{
	struct http_request req;
	const char *text = "GET /a?b HTTP/1.1\r\n" HOST "\r\n";

	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	ck_assert_int_eq(req.method, HTTP_GET);
	ck_assert_uint_eq(req.minor, 1);
	ck_assert_uint_eq(req.target_len, 4);
	ck_assert_ptr_eq(req.target, text + 4);

	text = "HEAD * HTTP/1.0\r\n\r\n";
	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	ck_assert_int_eq(req.method, HTTP_HEAD);
	ck_assert_uint_eq(req.minor, 0);

	text = "\r\nGET / HTTP/1.1\r\n" HOST "A: b\r\n\r\nmore";
	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	ck_assert_ptr_eq(req.line.p, text + 2);
	ck_assert_uint_eq(req.line.len, strlen("GET / HTTP/1.1"));
	ck_assert_uint_eq(req.fields.len, strlen(HOST "A: b\r\n"));
	ck_assert_int_eq(memcmp(req.fields.p, HOST, strlen(HOST)), 0);
}
END_TEST

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{"GET", HTTP_GET},       {"HEAD", HTTP_HEAD},     {"OPTIONS", HTTP_OPTIONS},
	{"POST", HTTP_OTHER},    {"PUT", HTTP_OTHER},     {"PATCH", HTTP_OTHER},
	{"DELETE", HTTP_OTHER},  {"CONNECT", HTTP_OTHER}, {"TRACE", HTTP_OTHER},
	{"get", HTTP_UNKNOWN},   {"GETS", HTTP_UNKNOWN},  {"GE", HTTP_UNKNOWN},
	{"HEADS", HTTP_UNKNOWN}, {"BREW", HTTP_UNKNOWN},  {"Options", HTTP_UNKNOWN},
};

START_TEST(methods_are_whole_words_in_upper_case)
{
	struct http_request req;
	char text[64];

	snprintf(text, sizeof(text), "%s / HTTP/1.0\r\n\r\n", methods[_i].name);
	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	ck_assert_int_eq(req.method, methods[_i].method);
}
END_TEST

static const struct {
	bool keep_alive;
	const char *text;
} connections[] = {
	{true, "GET / HTTP/1.1\r\n" HOST "\r\n"},
	{true, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n"},
	{true, "GET / HTTP/1.1\r\n" HOST "Connection: closed, upgrade, clos\r\n\r\n"},
	{true, "GET / HTTP/1.1\r\n" HOST "X-Connection: close\r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "connection:ClOsE \r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "Connection: a, \tclose ,b\r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "Connection: ,,close\r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n\r\n"},
	{false, "GET / HTTP/1.1\r\n" HOST "Connection: a\r\nConnection: close\r\n\r\n"},
	{false, "GET / HTTP/1.0\r\n\r\n"},
	{true, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
	{false, "GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n"},
};

START_TEST(the_connection_is_kept_as_version_and_header_say)
{
	struct http_request req;
	const char *text = connections[_i].text;

	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	ck_assert_int_eq(req.keep_alive, connections[_i].keep_alive);
}
END_TEST

static const struct {
	const char *text;
	bool has_body, chunked, expects;
	uint64_t length;
} bodies[] = {
	{"GET / HTTP/1.1\r\n" HOST "\r\n", false, false, false, 0},
	{"GET / HTTP/1.0\r\nContent-Length: 00\r\n\r\n", false, false, false, 0},
	{"GET / HTTP/1.0\r\ncontent-length:  010 \r\n\r\n", true, false, false, 10},
	{"PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", true, true, false, 0},
	{"PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", true, false,
	 true, 3},
	{"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", true, false, false,
	 3},
};

START_TEST(how_a_body_will_come_is_known)
{
	struct http_request req;

	ck_assert_int_gt(parse(&req, bodies[_i].text, strlen(bodies[_i].text)), 0);
	ck_assert_int_eq(req.has_body, bodies[_i].has_body);
	ck_assert_int_eq(req.chunked, bodies[_i].chunked);
	ck_assert_int_eq(req.expects_continue, bodies[_i].expects);
	ck_assert_uint_eq(req.length, bodies[_i].length);
}
END_TEST

START_TEST(fields_are_found_by_name_in_their_order)
{
	const char *text = "GET / HTTP/1.1\r\n" HOST
			   "A: 1\r\nAB: 2\r\na:\t3 \r\nB:\r\n\r\nA: 4\r\n";
	struct http_text rest, value;
	struct http_request req;

	ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
	rest = req.fields;
	ck_assert(http_next_field(&rest, "a", &value) && http_is(value, "1"));
	ck_assert(http_next_field(&rest, "a", &value) && http_is(value, "3"));
	ck_assert(!http_next_field(&rest, "a", &value));
	rest = req.fields;
	ck_assert(http_next_field(&rest, "b", &value) && value.len == 0);
	rest = req.fields;
	ck_assert(!http_next_field(&rest, "x", &value));
}
END_TEST

START_TEST(fields_that_conditions_are_made_of_are_noticed)
{
	static const struct {
		const char *field;
		bool conditional;
	} cases[] = {
		{"If-Match", true}, {"IF-NONE-MATCH", true}, {"Range", true},  {"if-range", true},
		{"If", false},      {"Ranges", false},       {"X-If-", false},
	};
	struct http_request req;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		char text[64];

		snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n%s: x\r\n\r\n", cases[i].field);
		ck_assert_int_gt(parse(&req, text, strlen(text)), 0);
		ck_assert_int_eq(req.conditional, cases[i].conditional);
	}
}
END_TEST

START_TEST(there_is_a_largest_number_of_fields)
{
	const char *begin = "GET / HTTP/1.0\r\n";
	struct http_request req;
	size_t len = strlen(begin);
	char text[1024];

	memcpy(text, begin, len);
	for (int i = 0; i < HTTP_MAX_FIELDS; i++, len += 4)
		memcpy(text + len, "A:\r\n", 4);
	memcpy(text + len, "\r\n", 2);
	ck_assert_int_eq(parse(&req, text, len + 2), (ssize_t) len + 2);
	memcpy(text + len, "A:\r\n\r\n", 6);
	ck_assert_int_eq(parse(&req, text, len + 3), 0);
	ck_assert_int_eq(parse_every_prefix(text, len + 6), -431);
}
END_TEST

/* The text, then as many x as make it the given length together with the end. */
static char *pad(const char *begin, size_t len, const char *end)
{
	char *text = malloc(len);
	size_t before = strlen(begin), after = strlen(end);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_ge(len, before + after);
	memset(text, 'x', len);
	memcpy(text, begin, before);
	memcpy(text + len - after, end, after);
	return text;
}

START_TEST(a_head_has_a_largest_size)
{
	const char *begin = "GET / HTTP/1.0\r\nA: ";
	struct http_request req;
	char *text = pad(begin, HTTP_MAX_HEAD, "\r\n\r\n");

	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD), HTTP_MAX_HEAD);
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD - 1), 0);
	free(text);

	text = pad(begin, HTTP_MAX_HEAD + 1, "\r\n\r\n");
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD + 1), -431);
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD), -431);
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD - 1), 0);
	free(text);

	/* Empty lines in front count, or they could go on for ever. */
	text = malloc(HTTP_MAX_HEAD);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < HTTP_MAX_HEAD; i++)
		text[i] = i % 2 ? '\n' : '\r';
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD - 1), 0);
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_HEAD), -431);
	free(text);
}
END_TEST

START_TEST(a_request_line_has_a_largest_size)
{
	const char *end = " HTTP/1.0\r\n\r\n";
	struct http_request req;
	size_t len = HTTP_MAX_LINE + strlen("\r\n\r\n");
	char *text = pad("GET /", len, end);

	ck_assert_int_eq(parse_every_prefix(text, len), (ssize_t) len);
	free(text);

	text = pad("GET /", len + 1, end);
	ck_assert_int_eq(parse_every_prefix(text, len + 1), -414);
	free(text);

	/* It is refused before it has come to an end. */
	text = pad("GET /", HTTP_MAX_LINE + 2, "");
	ck_assert_int_eq(parse(&req, text, HTTP_MAX_LINE + 2), -414);
	free(text);
}
END_TEST

static const struct {
	const char *target, *path; /* NULL: refused */
} paths[] = {
	{"/", ""},
	{"//", ""},
	{"/a", "a"},
	{"///a//b/", "a//b/"},
	{"/a?b", "a"},
	{"/?/a", ""},
	{"/a#b", "a"},
	{"/a%20b+c", "a b+c"},
	{"/%41%4a%4A%7e", "AJJ~"},
	{"/%c3%A4", "\xc3\xa4"},
	{"/\xc3\xa4", "\xc3\xa4"},
	{"/%2f%2Fa%2fb", "a/b"},
	{"/%3Fa%23b", "?a#b"},
	{"/%25%32%35", "%25"},
	{"/%0a", "\n"},
	{"/../a", "../a"},
	{"/%2e%2E/a", "../a"},
	{"/a/%2e./b", "a/../b"},
	{"http://host/a", "a"},
	{"HTTP://host:80//a?b", "a"},
	{"https://host/a", "a"},
	{"http://host", ""},
	{"http://host?/a", ""},
	{"http://host?a/b#c", ""},
	{"http://host#/a", ""},
	{"http://[::1]:80/a", "a"},
	{"http://", NULL},
	{"http:///a", NULL},
	{"http://:80/a", NULL},
	{"http://user@host/a", NULL},
	{"http://ho\"st/a", NULL},
	{"http://host/%2e%2e/a", "../a"},
	{"/http://host/a", "http://host/a"},
	{"", NULL},
	{"*", NULL},
	{"a", NULL},
	{"%2fa", NULL},
	{"http:/a", NULL},
	{"ftp://host/a", NULL},
	{"/%", NULL},
	{"/%4", NULL},
	{"/a%", NULL},
	{"/%%41", NULL},
	{"/%4g", NULL},
	{"/%g4", NULL},
	{"/% 1", NULL},
	{"/%-1", NULL},
	{"/%0", NULL},
	{"/%00", NULL},
	{"/a%00b", NULL},
	{"/a%4?1", NULL},
};

START_TEST(a_target_becomes_a_relative_path)
{
	size_t len = strlen(paths[_i].target);
	char *target = malloc(len > 0 ? len : 1);
	char *ret = malloc(len + 1);
	ssize_t rc;

	ck_assert_ptr_nonnull(target);
	ck_assert_ptr_nonnull(ret);
	memcpy(target, paths[_i].target, len);
	rc = http_target_path(target, len, ret);
	if (paths[_i].path) {
		ck_assert_int_eq(rc, (ssize_t) strlen(paths[_i].path));
		ck_assert_str_eq(ret, paths[_i].path);
	} else {
		ck_assert_int_eq(rc, -400);
	}
	free(target);
	free(ret);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_parse");
	TCase *tcase = tcase_create("http_parse");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_valid_request_is_accepted_at_its_last_byte, 0, LENGTH(valid));
	tcase_add_loop_test(tcase, bytes_after_the_head_are_left_alone, 0, LENGTH(valid));
	tcase_add_loop_test(tcase, a_malformed_request_is_refused_when_its_bad_line_ends, 0,
			    LENGTH(malformed));
	tcase_add_loop_test(tcase, one_wrong_byte_never_confuses_it, 0, LENGTH(valid));
	tcase_add_test(tcase, a_refused_request_leaves_the_result_alone);
	tcase_add_test(tcase, the_request_line_is_taken_apart);
	tcase_add_loop_test(tcase, the_connection_is_kept_as_version_and_header_say, 0,
			    LENGTH(connections));
	tcase_add_loop_test(tcase, methods_are_whole_words_in_upper_case, 0, LENGTH(methods));
	tcase_add_loop_test(tcase, how_a_body_will_come_is_known, 0, LENGTH(bodies));
	tcase_add_test(tcase, fields_are_found_by_name_in_their_order);
	tcase_add_test(tcase, fields_that_conditions_are_made_of_are_noticed);
	tcase_add_test(tcase, there_is_a_largest_number_of_fields);
	tcase_add_test(tcase, a_head_has_a_largest_size);
	tcase_add_test(tcase, a_request_line_has_a_largest_size);
	tcase_add_loop_test(tcase, a_target_becomes_a_relative_path, 0, LENGTH(paths));
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
