/* SPDX-License-Identifier: ISC */
/*
 * Pages of links to what is in a directory.
 *
 * The names are read in pieces, sorted by a thread, and put into the output until it is full
 * and sent: however many there are, nobody else waits long, and only the names are held in
 * memory. How long the page will be is not known when its header goes out, so it comes in
 * chunks, or in HTTP/1.0 until the connection ends.
 */
#include "httpd.h"

#include <eio/ll_thread.h>
#include <errno.h>

/* Reading a directory */

struct names {
	char *text; /* each with a NUL; directories end in a slash */
	size_t len, size, n;
	char **sorted; /* into text, n of them */
};

static int add_name(struct names *names, const struct eio_dir_entry *entry)
{
	size_t len = strlen(entry->name);

	if (names->size - names->len < len + sizeof("/")) {
		size_t size = 2 * names->size + 4096;
		char *text = realloc(names->text, size);

		if (!text)
			return -ENOMEM;
		names->text = text;
		names->size = size;
	}
	memcpy(names->text + names->len, entry->name, len);
	names->len += len;
	if (entry->kind == EIO_KIND_DIRECTORY)
		names->text[names->len++] = '/';
	names->text[names->len++] = '\0';
	names->n++;
	return 0;
}

static int read_names(struct names *names, struct eio_dir root, const char *path)
{
	struct eio_dir_entry entry;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, root, *path ? path : ".");

	if (rc < 0)
		return rc;
	do
		rc = eio_fs_dir_next(&it, &entry);
	while (rc > 0 && (rc = add_name(names, &entry)) == 0);
	eio_fs_dir_end(&it);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* In a thread: for 100,000 names it takes a while. */
static int sort_names(void *arg)
{
	struct names *names = arg;
	char *name = names->text;

	names->sorted = malloc((names->n + 1) * sizeof(*names->sorted));
	if (!names->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		names->sorted[i] = name;
		name += strlen(name) + 1;
	}
	qsort(names->sorted, names->n, sizeof(*names->sorted), compare);
	return 0;
}

/* Writing a page */

enum { CHUNK_HEAD = sizeof("0000\r\n") - 1 };

/* The chunk that is being put together begins at begin, with room for its size. */
struct page {
	struct conn *conn;
	struct work *work;
	bool chunked;
	size_t begin;
	int rc; /* the first failure; nothing more is done after it */
};

static void begin_chunk(struct page *page)
{
	page->begin = page->work->out_len;
	if (page->chunked)
		page->work->out_len += CHUNK_HEAD;
}

/* An empty one would be the last. */
static void end_chunk(struct page *page)
{
	size_t length = page->work->out_len - page->begin;

	if (page->chunked && length > CHUNK_HEAD) {
		char *head = page->work->out + page->begin;

		length -= CHUNK_HEAD;
		for (int i = 0; i < 4; i++)
			head[i] = "0123456789abcdef"[length >> (12 - 4 * i) & 15];
		memcpy(head + 4, "\r\n", 2);
		put_text(page->work, "\r\n");
		page->work->content += length;
	} else if (page->chunked) {
		page->work->out_len = page->begin;
	} else {
		page->work->content += length;
	}
}

/* Leaves room for what ends the chunk and the page. */
static void emit(struct page *page, const char *text, size_t len)
{
	if (page->rc == 0 && OUT_SIZE - page->work->out_len < len + sizeof("\r\n0\r\n\r\n")) {
		end_chunk(page);
		page->rc = conn_flush(page->conn, page->work);
		begin_chunk(page);
	}
	if (page->rc == 0)
		put(page->work, text, len);
}

static void emit_text(struct page *page, const char *text)
{
	emit(page, text, strlen(text));
}

static void emit_escaped(struct page *page, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			emit_text(page, "&amp;");
			break;
		case '<':
			emit_text(page, "&lt;");
			break;
		case '>':
			emit_text(page, "&gt;");
			break;
		case '"':
			emit_text(page, "&quot;");
			break;
		default:
			emit(page, text, 1);
			break;
		}
	}
}

int encode_for_link(char ret[3], char c)
{
	static const char hex[] = "0123456789ABCDEF";

	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("-._~/", c))) {
		ret[0] = c;
		return 1;
	}
	ret[0] = '%';
	ret[1] = hex[(unsigned char) c >> 4];
	ret[2] = hex[(unsigned char) c & 15];
	return 3;
}

static void emit_link(struct page *page, const char *name)
{
	emit_text(page, "<li><a href=\"");
	for (const char *p = name; *p; p++) {
		char encoded[3];

		emit(page, encoded, (size_t) encode_for_link(encoded, *p));
	}
	emit_text(page, "\">");
	emit_escaped(page, name);
	emit_text(page, "</a>\n");
}

static int write_page(struct page *page, const struct names *names)
{
	struct work *work = page->work;

	begin_chunk(page);
	emit_text(page, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>/");
	emit_escaped(page, work->path);
	emit_text(page, "</title>\n<h1>/");
	emit_escaped(page, work->path);
	emit_text(page, "</h1>\n<ul>\n");
	if (*work->path)
		emit_link(page, "../");
	for (size_t i = 0; i < names->n; i++)
		emit_link(page, names->sorted[i]);
	emit_text(page, "</ul>\n");
	end_chunk(page);
	if (page->rc == 0 && page->chunked)
		put_text(work, "0\r\n\r\n");
	return page->rc;
}

static int put_page(struct conn *conn, struct work *work, struct http_request *req,
		    const struct names *names)
{
	struct header header = {.status = 200, .type = "text/html; charset=utf-8", .length = -1};
	struct page page = {.conn = conn, .work = work, .chunked = req->minor > 0};
	int rc = make_room(conn, work, 0);

	if (rc < 0)
		return rc;
	if (!page.chunked)
		req->keep_alive = false;
	put_header(conn, work, req, &header);
	return req->method == HTTP_GET ? write_page(&page, names) : 0;
}

int answer_listing(struct conn *conn, struct work *work, struct http_request *req)
{
	const struct http_entity page = {.etag = ""};
	struct http_range range;
	struct names names = {0};
	int rc = read_names(&names, conn->server->root, work->path), status;

	if (rc == 0)
		rc = eio_ll_in_thread(sort_names, &names);
	if (rc == 0) {
		status = http_evaluate(req, &page, date_now(conn->part), &range);
		rc = status == 200 ? put_page(conn, work, req, &names)
				   : answer_status(conn, work, req, status);
	} else if (rc != -ECANCELED) {
		rc = answer_status(conn, work, req, status_of(rc));
	}
	free(names.sorted);
	free(names.text);
	return rc;
}
