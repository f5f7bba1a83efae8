/* SPDX-License-Identifier: ISC */
#include "http_names.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(suffixes_suggest_media_types)
{
	ck_assert_str_eq(http_content_type("a/index.html"), "text/html; charset=utf-8");
	ck_assert_str_eq(http_content_type("a.b.PNG"), "image/png");
	ck_assert_str_eq(http_content_type(".css"), "text/css; charset=utf-8");
	ck_assert_str_eq(http_content_type("a.7z"), "application/x-7z-compressed");
	ck_assert_str_eq(http_content_type("a.zst"), "application/zstd");
	ck_assert_str_eq(http_content_type("html"), "application/octet-stream");
	ck_assert_str_eq(http_content_type("a."), "application/octet-stream");
	ck_assert_str_eq(http_content_type("dir.html/a"), "application/octet-stream");
	ck_assert_str_eq(http_content_type(""), "application/octet-stream");
}
END_TEST

/* The table has to be sorted for each of its names to be found. */
START_TEST(every_name_of_the_table_is_found)
{
	static const char *const some[] = {
		"7z",    "aac",  "avif", "bmp",  "bz2",    "c",           "css",  "csv",  "eot",
		"epub",  "flac", "gif",  "gz",   "h",      "htm",         "html", "ico",  "ics",
		"jpeg",  "jpg",  "js",   "json", "jsonld", "log",         "m4a",  "map",  "md",
		"mjs",   "mp3",  "mp4",  "mpeg", "oga",    "ogg",         "ogv",  "opus", "otf",
		"pdf",   "png",  "rss",  "rtf",  "svg",    "tar",         "tif",  "tiff", "ttf",
		"txt",   "wasm", "wav",  "weba", "webm",   "webmanifest", "webp", "woff", "woff2",
		"xhtml", "xml",  "xz",   "zip",  "zst",    "apng",
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		char name[32] = "x.";

		strcat(name, some[i]);
		ck_assert_msg(strcmp(http_content_type(name), "application/octet-stream") != 0,
			      "%s is not found", some[i]);
	}
}
END_TEST

START_TEST(every_status_has_words)
{
	static const int all[] = {200, 204, 206, 301, 304, 400, 403, 404, 405, 408,
				  412, 413, 414, 416, 417, 431, 501, 503, 505};

	ck_assert_str_eq(http_reason(500), "Internal Server Error");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_str_ne(http_reason(all[i]), http_reason(500));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_names");
	TCase *tcase = tcase_create("http_names");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, suffixes_suggest_media_types);
	tcase_add_test(tcase, every_name_of_the_table_is_found);
	tcase_add_test(tcase, every_status_has_words);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
