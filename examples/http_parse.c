/* SPDX-License-Identifier: ISC */
/*
 * Strict where leniency has been a hole in other servers: no white space before a colon, no
 * folded headers, no control characters, one Host, one meaning of Content-Length.
 * Lenient in two places, as RFC 9112 allows: lines may end in a bare LF, and empty lines may
 * precede a request.
 */
#include "http_parse.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t len;
};

/* What the headers said. */
struct headers {
	unsigned hosts;
	bool close, keep_alive, coded, sized;
	uint64_t length;
};

/* Cuts a line off the input, without its CR LF. False: its end has not come yet. */
static bool next_line(struct span *input, struct span *ret)
{
	const char *lf = memchr(input->p, '\n', input->len);
	size_t len;

	if (!lf)
		return false;
	len = (size_t) (lf - input->p);
	*ret = (struct span){input->p, len > 0 && lf[-1] == '\r' ? len - 1 : len};
	input->p += len + 1;
	input->len -= len + 1;
	return true;
}

/* Cuts off what precedes the byte, and the byte. False: it is not there. */
static bool cut(struct span *s, char byte, struct span *ret)
{
	const char *end = memchr(s->p, byte, s->len);

	if (!end)
		return false;
	*ret = (struct span){s->p, (size_t) (end - s->p)};
	s->len -= ret->len + 1;
	s->p = end + 1;
	return true;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

static bool is_token_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_byte(s.p[i]))
			return false;
	return s.len > 0;
}

/* No byte below the given one, tab excepted, and no DEL. */
static bool is_text(struct span s, unsigned char lowest)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char) s.p[i];

		if ((c < lowest && (c != '\t' || lowest > ' ')) || c == 0x7f)
			return false;
	}
	return true;
}

/* METHOD SP target SP HTTP/1.x */
static int parse_request_line(struct http_request *req, struct span line)
{
	struct span method, target;

	if (line.len > HTTP_MAX_LINE)
		return -431;
	if (!cut(&line, ' ', &method) || !is_token(method))
		return -400;
	if (!cut(&line, ' ', &target) || target.len == 0 || !is_text(target, '!'))
		return -400;
	if (line.len != strlen("HTTP/1.1") || memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.' ||
	    line.p[5] < '0' || line.p[5] > '9' || line.p[7] < '0' || line.p[7] > '9')
		return -400;
	if (line.p[5] != '1')
		return -505;

	req->minor = line.p[7] > '0';
	req->target = target.p;
	req->target_len = target.len;
	/* Methods are case-sensitive. */
	if (method.len == 3 && memcmp(method.p, "GET", 3) == 0)
		req->method = HTTP_GET;
	else if (method.len == 4 && memcmp(method.p, "HEAD", 4) == 0)
		req->method = HTTP_HEAD;
	else
		req->method = HTTP_OTHER;
	return 0;
}

static int parse_content_length(struct headers *headers, struct span value)
{
	uint64_t length = 0;

	if (value.len == 0 || value.len > 18)
		return -400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return -400;
		length = length * 10 + (uint64_t) (value.p[i] - '0');
	}
	if (headers->sized && headers->length != length)
		return -400;
	headers->sized = true;
	headers->length = length;
	return 0;
}

static void parse_connection(struct headers *headers, struct span value)
{
	struct span option;
	bool more;

	do {
		more = cut(&value, ',', &option);
		option = trim(more ? option : value);
		headers->close |= is(option, "close");
		headers->keep_alive |= is(option, "keep-alive");
	} while (more);
}

/* name ":" OWS value OWS */
static int parse_header(struct headers *headers, struct span line)
{
	struct span name, value;

	if (!cut(&line, ':', &name) || !is_token(name) || !is_text(line, ' '))
		return -400;
	value = trim(line);
	if (is(name, "host"))
		headers->hosts++;
	else if (is(name, "connection"))
		parse_connection(headers, value);
	else if (is(name, "content-length"))
		return parse_content_length(headers, value);
	else if (is(name, "transfer-encoding"))
		headers->coded = true;
	return 0;
}

/* What only all of the headers together can tell. */
static int conclude(struct http_request *req, const struct headers *headers)
{
	if (headers->hosts > 1 || (headers->hosts == 0 && req->minor > 0))
		return -400;
	if (headers->coded) /* Both lengths at once are an attempt to smuggle. */
		return headers->sized || req->minor == 0 ? -400 : -501;
	req->has_body = headers->length > 0;
	req->keep_alive = !headers->close && (req->minor > 0 || headers->keep_alive);
	return 0;
}

ssize_t http_parse_request(struct http_request *ret, const char *buf, size_t len)
{
	struct http_request req = {0};
	struct headers headers = {0};
	struct span input = {buf, len};
	struct span line;
	ssize_t head;
	int rc;

	do {
		if (!next_line(&input, &line))
			return input.len > HTTP_MAX_LINE + 1 || len >= HTTP_MAX_HEAD ? -431 : 0;
	} while (line.len == 0);
	rc = parse_request_line(&req, line);

	while (rc == 0) {
		if (!next_line(&input, &line))
			return len >= HTTP_MAX_HEAD ? -431 : 0;
		if (line.len == 0)
			break;
		rc = parse_header(&headers, line);
	}
	head = input.p - buf;
	if (head > HTTP_MAX_HEAD)
		return -431;
	if (rc == 0)
		rc = conclude(&req, &headers);
	if (rc < 0)
		return rc;
	*ret = req;
	return head;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* http://host/path, which proxies' clients send, becomes /path. */
static struct span without_authority(struct span target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		const char *slash;

		if (target.len < n || strncasecmp(target.p, schemes[i], n) != 0)
			continue;
		slash = memchr(target.p + n, '/', target.len - n);
		if (!slash)
			return (struct span){"/", 1};
		return (struct span){slash, target.len - (size_t) (slash - target.p)};
	}
	return target;
}

ssize_t http_target_path(const char *target, size_t target_len, char *ret)
{
	struct span rest = without_authority((struct span){target, target_len});
	size_t n = 0;

	if (rest.len == 0 || *rest.p != '/')
		return -400;
	for (size_t i = 0; i < rest.len && rest.p[i] != '?' && rest.p[i] != '#'; i++) {
		char c = rest.p[i];

		if (c == '%') {
			int high = i + 2 < rest.len ? hex_digit(rest.p[i + 1]) : -1;
			int low = i + 2 < rest.len ? hex_digit(rest.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -400;
			c = (char) (high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return -400;
		if (c != '/' || n > 0) /* A relative path it becomes. */
			ret[n++] = c;
	}
	ret[n] = '\0';
	return (ssize_t) n;
}

const char *http_content_type(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{"html", "text/html; charset=utf-8"},
		{"htm", "text/html; charset=utf-8"},
		{"css", "text/css; charset=utf-8"},
		{"js", "text/javascript; charset=utf-8"},
		{"txt", "text/plain; charset=utf-8"},
		{"md", "text/plain; charset=utf-8"},
		{"json", "application/json"},
		{"xml", "application/xml"},
		{"pdf", "application/pdf"},
		{"png", "image/png"},
		{"jpg", "image/jpeg"},
		{"jpeg", "image/jpeg"},
		{"gif", "image/gif"},
		{"webp", "image/webp"},
		{"svg", "image/svg+xml"},
		{"ico", "image/x-icon"},
		{"woff2", "font/woff2"},
		{"wasm", "application/wasm"},
		{"mp4", "video/mp4"},
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(dot + 1, types[i].suffix) == 0)
			return types[i].type;
	return "application/octet-stream";
}

const char *http_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}
