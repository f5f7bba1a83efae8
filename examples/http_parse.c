/* SPDX-License-Identifier: ISC */
/*
 * Strict where leniency has been a hole in other servers: lines end in CR LF, no white space
 * before a colon, no folded fields, no control characters, one Host, one Content-Length,
 * never that and Transfer-Encoding together. Lenient in one place, as RFC 9112 asks for:
 * empty lines may precede a request.
 */
#include "http_parse.h"

/* What the fields said that only all of them together can be judged by. */
struct framing {
	unsigned fields, hosts;
	bool close, keep_alive;
	bool sized;            /* Content-Length */
	bool coded;            /* Transfer-Encoding */
	bool chunked, unknown; /* codings of it */
};

/* Sets of bytes, a bit for each. */
#define BIT(c)  ((uint64_t) 1 << ((c) % 64))
#define FROM(c) (~(uint64_t) 0 << ((c) % 64))
#define DIGITS  ((uint64_t) 0x3ff << '0')
#define LETTERS ((uint64_t) 0x3ffffff << 'A' % 64 | (uint64_t) 0x3ffffff << 'a' % 64)

static const uint64_t token_bytes[4] = {
	DIGITS | BIT('!') | BIT('#') | BIT('$') | BIT('%') | BIT('&') | BIT('\'') | BIT('*') |
		BIT('+') | BIT('-') | BIT('.'),
	LETTERS | BIT('^') | BIT('_') | BIT('`') | BIT('|') | BIT('~'),
};

/* Of a host with its port, as far as one byte can tell. */
static const uint64_t authority_bytes[4] = {
	DIGITS | BIT('!') | BIT('$') | BIT('%') | BIT('&') | BIT('\'') | BIT('(') | BIT(')') |
		BIT('*') | BIT('+') | BIT(',') | BIT('-') | BIT('.') | BIT(':') | BIT(';') |
		BIT('='),
	LETTERS | BIT('[') | BIT(']') | BIT('_') | BIT('~'),
};

/* No controls; those of the second do not have blanks either. */
static const uint64_t text_bytes[4] = {BIT('\t') | FROM(' '), ~BIT(0x7f), FROM(0), FROM(0)};
static const uint64_t target_bytes[4] = {FROM('!'), ~BIT(0x7f), FROM(0), FROM(0)};

static bool is_all(struct http_text s, const uint64_t set[4])
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char) s.p[i];

		if (!(set[c / 64] & BIT(c)))
			return false;
	}
	return true;
}

static bool is_token(struct http_text s)
{
	return s.len > 0 && is_all(s, token_bytes);
}

/* Cuts a line off the input, without its CR LF: 1, 0 if its end has not come yet, or -400. */
static int next_line(struct http_text *input, struct http_text *ret)
{
	if (!http_cut(input, '\n', ret))
		return 0;
	if (ret->len == 0 || ret->p[ret->len - 1] != '\r')
		return -400;
	ret->len--;
	return 1;
}

/* Methods are case-sensitive. */
static enum http_method method_of(struct http_text name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
		{"GET", HTTP_GET},      {"HEAD", HTTP_HEAD},     {"OPTIONS", HTTP_OPTIONS},
		{"POST", HTTP_OTHER},   {"PUT", HTTP_OTHER},     {"PATCH", HTTP_OTHER},
		{"DELETE", HTTP_OTHER}, {"CONNECT", HTTP_OTHER}, {"TRACE", HTTP_OTHER},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (name.len == strlen(methods[i].name) &&
		    memcmp(name.p, methods[i].name, name.len) == 0)
			return methods[i].method;
	return HTTP_UNKNOWN;
}

/* METHOD SP target SP HTTP/1.x */
static int parse_request_line(struct http_request *req, struct http_text line)
{
	struct http_text method, target;

	req->line = line;
	if (line.len > HTTP_MAX_LINE)
		return -414;
	if (!http_cut(&line, ' ', &method) || !is_token(method))
		return -400;
	if (!http_cut(&line, ' ', &target) || target.len == 0 || !is_all(target, target_bytes))
		return -400;
	if (line.len != strlen("HTTP/1.1") || memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.' ||
	    line.p[5] < '0' || line.p[5] > '9' || line.p[7] < '0' || line.p[7] > '9')
		return -400;
	if (line.p[5] != '1')
		return -505;

	req->minor = line.p[7] > '0';
	req->target = target.p;
	req->target_len = target.len;
	req->method = method_of(method);
	return 0;
}

static int parse_content_length(struct http_request *req, struct framing *f, struct http_text value)
{
	uint64_t length = 0;

	if (f->sized || value.len == 0 || value.len > 18)
		return -400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return -400;
		length = length * 10 + (uint64_t) (value.p[i] - '0');
	}
	f->sized = true;
	req->length = length;
	return 0;
}

/* Chunks have to be the last coding, and are the only one known here. */
static int parse_transfer_encoding(struct framing *f, struct http_text value)
{
	struct http_text coding;

	f->coded = true;
	while (http_next_member(&value, &coding)) {
		if (f->chunked)
			return -400;
		if (http_is(coding, "chunked"))
			f->chunked = true;
		else
			f->unknown = true;
	}
	return 0;
}

static void parse_connection(struct framing *f, struct http_text value)
{
	struct http_text option;

	while (http_next_member(&value, &option)) {
		f->close |= http_is(option, "close");
		f->keep_alive |= http_is(option, "keep-alive");
	}
}

/* Clients of HTTP/1.0 expect nothing. */
static int parse_expect(struct http_request *req, struct http_text value)
{
	struct http_text what;

	while (req->minor > 0 && http_next_member(&value, &what)) {
		if (!http_is(what, "100-continue"))
			return -417;
		req->expects_continue = true;
	}
	return 0;
}

/* name ":" OWS value OWS */
static int parse_field(struct http_request *req, struct framing *f, struct http_text line)
{
	struct http_text name, value;

	if (++f->fields > HTTP_MAX_FIELDS)
		return -431;
	if (!http_cut(&line, ':', &name) || !is_token(name) || !is_all(line, text_bytes))
		return -400;
	value = http_trim(line);
	if (http_is(name, "host"))
		return f->hosts++ == 0 && is_all(value, authority_bytes) ? 0 : -400;
	if (http_is(name, "connection"))
		parse_connection(f, value);
	else if (http_is(name, "content-length"))
		return parse_content_length(req, f, value);
	else if (http_is(name, "transfer-encoding"))
		return parse_transfer_encoding(f, value);
	else if (http_is(name, "expect"))
		return parse_expect(req, value);
	else if (http_is(name, "range") || (name.len > 3 && strncasecmp(name.p, "if-", 3) == 0))
		req->conditional = true;
	return 0;
}

/* What only all of the fields together can tell. */
static int conclude(struct http_request *req, const struct framing *f)
{
	if (f->hosts == 0 && req->minor > 0)
		return -400;
	/* Both lengths at once are an attempt to smuggle, and HTTP/1.0 knows no codings. */
	if (f->coded && (f->sized || req->minor == 0))
		return -400;
	if (f->unknown)
		return -501;
	if (f->coded && !f->chunked)
		return -400;
	req->chunked = f->chunked;
	req->has_body = f->chunked || req->length > 0;
	req->keep_alive = !f->close && (req->minor > 0 || f->keep_alive);
	return 0;
}

/* The first line that is not empty: 1, 0 or a status, as next_line. */
static int first_line(struct http_text *input, struct http_text *ret)
{
	int rc;

	do {
		rc = next_line(input, ret);
		if (rc == 0 && input->len > HTTP_MAX_LINE + 1)
			return -414;
	} while (rc > 0 && ret->len == 0);
	return rc;
}

ssize_t http_parse_request(struct http_request *ret, const char *buf, size_t len)
{
	struct http_text input = {buf, len < HTTP_MAX_HEAD ? len : HTTP_MAX_HEAD};
	struct http_request req = {0};
	struct framing framing = {0};
	struct http_text line;
	int rc = first_line(&input, &line);

	if (rc > 0) {
		rc = parse_request_line(&req, line);
		req.fields.p = input.p;
		while (rc == 0 && (rc = next_line(&input, &line)) > 0 && line.len > 0)
			rc = parse_field(&req, &framing, line);
	}
	if (rc == 0)
		return len >= HTTP_MAX_HEAD ? -431 : 0;
	if (rc > 0)
		rc = conclude(&req, &framing);
	if (rc < 0)
		return rc;
	req.fields.len = (size_t) (line.p - req.fields.p);
	*ret = req;
	return input.p - buf;
}

bool http_next_field(struct http_text *rest, const char *name, struct http_text *ret_value)
{
	struct http_text line, field;

	while (http_cut(rest, '\n', &line)) {
		line.len--; /* the CR */
		if (http_cut(&line, ':', &field) && http_is(field, name)) {
			*ret_value = http_trim(line);
			return true;
		}
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* http://host/path, which proxies' clients send, becomes /path. False: there is no host. */
static bool skip_authority(struct http_text *target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < 2; i++) {
		struct http_text rest = *target, host;
		size_t n = strlen(schemes[i]);

		if (rest.len < n || strncasecmp(rest.p, schemes[i], n) != 0)
			continue;
		rest.p += n;
		rest.len -= n;
		host = (struct http_text){rest.p, 0};
		while (host.len < rest.len && !strchr("/?#", rest.p[host.len]))
			host.len++;
		if (host.len == 0 || host.p[0] == ':' || !is_all(host, authority_bytes))
			return false;
		target->p += n + host.len;
		target->len -= n + host.len;
		if (target->len == 0 || *target->p != '/')
			*target = (struct http_text){"/", 1};
		return true;
	}
	return true;
}

ssize_t http_target_path(const char *target, size_t target_len, char *ret)
{
	struct http_text rest = {target, target_len};
	size_t n = 0;

	if (!skip_authority(&rest) || rest.len == 0 || *rest.p != '/')
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
