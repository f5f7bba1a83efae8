/* SPDX-License-Identifier: ISC */
#include "http_condition.h"
#include "http_date.h"

/* The field, if there is just one of them: a second one makes no sense of both. */
static bool only_field(const struct http_request *req, const char *name, struct http_text *ret)
{
	struct http_text rest = req->fields, other;

	return http_next_field(&rest, name, ret) && !http_next_field(&rest, name, &other);
}

static bool has_field(const struct http_request *req, const char *name)
{
	struct http_text rest = req->fields, value;

	return http_next_field(&rest, name, &value);
}

/* Entity tags */

void http_make_etag(char ret[HTTP_ETAG_SIZE], uint64_t ino, int64_t mtime_ns, uint64_t size)
{
	const uint64_t parts[] = {ino, (uint64_t) mtime_ns, size};

	*ret++ = '"';
	for (int i = 0; i < 3; i++) {
		int highest = 63 - __builtin_clzll(parts[i] | 1);

		for (int shift = highest & ~3; shift >= 0; shift -= 4)
			*ret++ = "0123456789abcdef"[parts[i] >> shift & 15];
		*ret++ = i < 2 ? '-' : '"';
	}
	*ret = '\0';
}

/* Cuts the next tag off a list, with its quotes but without W/. False: none, or nonsense. */
static bool next_tag(struct http_text *list, struct http_text *ret, bool *ret_weak)
{
	const char *end;

	while (list->len > 0 && (http_is_blank(*list->p) || *list->p == ',')) {
		list->p++;
		list->len--;
	}
	*ret_weak = list->len > 2 && memcmp(list->p, "W/", 2) == 0;
	if (*ret_weak) {
		list->p += 2;
		list->len -= 2;
	}
	if (list->len < 2 || *list->p != '"')
		return false;
	end = memchr(list->p + 1, '"', list->len - 1);
	if (!end)
		return false;
	*ret = (struct http_text){list->p, (size_t) (end + 1 - list->p)};
	list->p += ret->len;
	list->len -= ret->len;
	return true;
}

/* Is the entity's tag, which is a strong one, in the list? */
static bool lists_tag(struct http_text list, const struct http_entity *entity, bool weak_too)
{
	struct http_text tag;
	bool weak;

	while (next_tag(&list, &tag, &weak))
		if ((weak_too || !weak) && tag.len == strlen(entity->etag) &&
		    memcmp(tag.p, entity->etag, tag.len) == 0)
			return true;
	return false;
}

/* If-Match and If-None-Match: lists, which may have several lines, or a star. */
static bool matches(const struct http_request *req, const char *name,
		    const struct http_entity *entity, bool weak_too)
{
	struct http_text rest = req->fields, value;

	while (http_next_field(&rest, name, &value))
		if (http_is(value, "*") || lists_tag(value, entity, weak_too))
			return true;
	return false;
}

/* Was it modified after the field's date? False also if that cannot be told. */
static bool compare_date(const struct http_request *req, const char *name,
			 const struct http_entity *entity, int64_t now_s, bool *ret_later)
{
	struct http_text value;
	int64_t date;

	if (!entity->dated || !only_field(req, name, &value) ||
	    !http_parse_date(value, now_s, &date))
		return false;
	*ret_later = entity->modified_s > date;
	return true;
}

/* Ranges */

/* A number that stays at the largest there is. */
static bool parse_position(struct http_text text, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned) (text.p[i] - '0');

		if (digit > 9)
			return false;
		*ret = *ret > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *ret * 10 + digit;
	}
	return text.len > 0;
}

/* One range of bytes: 206, 416, or 200 if it is not valid. */
static int locate(struct http_text last, uint64_t size, struct http_range *ret)
{
	struct http_text first;
	uint64_t begin, end = UINT64_MAX;

	if (!http_cut(&last, '-', &first))
		return 200;
	if (first.len == 0) { /* the last so many bytes */
		if (!parse_position(last, &end))
			return 200;
		if (end == 0)
			return 416;
		if (size == 0) /* All of it is nothing, which no 206 can say. */
			return 200;
		begin = end < size ? size - end : 0;
		*ret = (struct http_range){begin, size - begin};
		return 206;
	}
	if (!parse_position(first, &begin) || (last.len > 0 && !parse_position(last, &end)) ||
	    end < begin)
		return 200;
	if (begin >= size)
		return 416;
	*ret = (struct http_range){begin, (end < size ? end + 1 : size) - begin};
	return 206;
}

static int parse_range(struct http_text value, uint64_t size, struct http_range *ret)
{
	struct http_text unit, range, other;

	if (!http_cut(&value, '=', &unit) || !http_is(unit, "bytes"))
		return 200;
	if (!http_next_member(&value, &range) || http_next_member(&value, &other))
		return 200;
	return locate(range, size, ret);
}

/* If-Range: only a strong tag, or a date that is old enough to be one, keeps a range. */
static bool is_still_same(const struct http_request *req, const struct http_entity *entity,
			  int64_t now_s)
{
	struct http_text value, rest;
	int64_t date;

	if (!has_field(req, "if-range"))
		return true;
	if (!only_field(req, "if-range", &value))
		return false;
	rest = value;
	if (rest.len > 0 && (*rest.p == '"' || *rest.p == 'W'))
		if (lists_tag(rest, entity, false))
			return true;
	return http_parse_date(value, now_s, &date) && entity->dated &&
	       date == entity->modified_s && date < now_s;
}

int http_evaluate(const struct http_request *req, const struct http_entity *entity, int64_t now_s,
		  struct http_range *ret)
{
	struct http_text range;
	bool later;

	if (!req->conditional)
		return 200;
	if (has_field(req, "if-match")) {
		if (!matches(req, "if-match", entity, false))
			return 412;
	} else if (compare_date(req, "if-unmodified-since", entity, now_s, &later) && later) {
		return 412;
	}
	if (has_field(req, "if-none-match")) {
		if (matches(req, "if-none-match", entity, true))
			return 304;
	} else if (compare_date(req, "if-modified-since", entity, now_s, &later) && !later) {
		return 304;
	}
	/* What has no tag cannot be put together from parts. */
	if (*entity->etag && req->method == HTTP_GET && only_field(req, "range", &range) &&
	    is_still_same(req, entity, now_s))
		return parse_range(range, entity->size, ret);
	return 200;
}
