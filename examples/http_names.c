/* SPDX-License-Identifier: ISC */
#include "http_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct name {
	const char *suffix, *type;
};

static int compare(const void *suffix, const void *name)
{
	return strcasecmp(suffix, ((const struct name *) name)->suffix);
}

const char *http_content_type(const char *path)
{
	/* Sorted by suffix. What is text is UTF-8 here. */
	static const struct name names[] = {
		{"7z", "application/x-7z-compressed"},
		{"aac", "audio/aac"},
		{"apng", "image/apng"},
		{"avif", "image/avif"},
		{"bmp", "image/bmp"},
		{"bz2", "application/x-bzip2"},
		{"c", "text/plain; charset=utf-8"},
		{"css", "text/css; charset=utf-8"},
		{"csv", "text/csv; charset=utf-8"},
		{"eot", "application/vnd.ms-fontobject"},
		{"epub", "application/epub+zip"},
		{"flac", "audio/flac"},
		{"gif", "image/gif"},
		{"gz", "application/gzip"},
		{"h", "text/plain; charset=utf-8"},
		{"htm", "text/html; charset=utf-8"},
		{"html", "text/html; charset=utf-8"},
		{"ico", "image/x-icon"},
		{"ics", "text/calendar; charset=utf-8"},
		{"jpeg", "image/jpeg"},
		{"jpg", "image/jpeg"},
		{"js", "text/javascript; charset=utf-8"},
		{"json", "application/json"},
		{"jsonld", "application/ld+json"},
		{"log", "text/plain; charset=utf-8"},
		{"m4a", "audio/mp4"},
		{"map", "application/json"},
		{"md", "text/markdown; charset=utf-8"},
		{"mjs", "text/javascript; charset=utf-8"},
		{"mp3", "audio/mpeg"},
		{"mp4", "video/mp4"},
		{"mpeg", "video/mpeg"},
		{"oga", "audio/ogg"},
		{"ogg", "audio/ogg"},
		{"ogv", "video/ogg"},
		{"opus", "audio/ogg"},
		{"otf", "font/otf"},
		{"pdf", "application/pdf"},
		{"png", "image/png"},
		{"rss", "application/rss+xml"},
		{"rtf", "application/rtf"},
		{"svg", "image/svg+xml"},
		{"tar", "application/x-tar"},
		{"tif", "image/tiff"},
		{"tiff", "image/tiff"},
		{"ttf", "font/ttf"},
		{"txt", "text/plain; charset=utf-8"},
		{"wasm", "application/wasm"},
		{"wav", "audio/wav"},
		{"weba", "audio/webm"},
		{"webm", "video/webm"},
		{"webmanifest", "application/manifest+json"},
		{"webp", "image/webp"},
		{"woff", "font/woff"},
		{"woff2", "font/woff2"},
		{"xhtml", "application/xhtml+xml"},
		{"xml", "application/xml"},
		{"xz", "application/x-xz"},
		{"zip", "application/zip"},
		{"zst", "application/zstd"},
	};
	const char *dot = strrchr(path, '.');
	const struct name *name = NULL;

	if (dot)
		name = bsearch(dot + 1, names, sizeof(names) / sizeof(*names), sizeof(*names),
			       compare);
	return name ? name->type : "application/octet-stream";
}

const char *http_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 206:
		return "Partial Content";
	case 301:
		return "Moved Permanently";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 416:
		return "Range Not Satisfiable";
	case 417:
		return "Expectation Failed";
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
