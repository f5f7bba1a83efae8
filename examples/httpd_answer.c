/* SPDX-License-Identifier: ISC */
/*
 * Answers. Headers are put together by hand: printf's own buffers would take each fiber's
 * stack to a second page.
 */
#include "httpd.h"

#include <eio/ll_file.h>
#include <errno.h>
#include <unistd.h>

int64_t date_now(struct part *part)
{
	int64_t now = eio_now_ns(part->server->env->clock) / EIO_SEC(1);

	if (now != part->date_s) {
		part->date_s = now;
		http_format_date(part->date, now);
	}
	return now;
}

size_t format_number(char ret[20], uint64_t number)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char) ('0' + number % 10);
	while (number /= 10);
	memcpy(ret, digits + i, sizeof(digits) - i);
	return sizeof(digits) - i;
}

static void put_number(struct work *work, uint64_t number)
{
	char digits[20];

	put(work, digits, format_number(digits, number));
}

int make_room(struct conn *conn, struct work *work, size_t content)
{
	return OUT_SIZE - work->out_len < HEADER_ROOM + content ? conn_flush(conn, work) : 0;
}

/* What the answer says of the file, and of the part of it that follows. */
static void put_entity(struct work *work, const struct header *header)
{
	const struct http_entity *entity = header->entity;
	const struct http_range *range = header->range;
	char date[HTTP_DATE_SIZE];

	if (header->status == 416 || header->status == 206) {
		put_text(work, "\r\nContent-Range: bytes ");
		if (header->status == 206) {
			put_number(work, range->first);
			put_text(work, "-");
			put_number(work, range->first + range->length - 1);
		} else {
			put_text(work, "*");
		}
		put_text(work, "/");
		put_number(work, entity->size);
	}
	if (header->status == 416)
		return;
	http_format_date(date, entity->modified_s);
	put_text(work, "\r\nLast-Modified: ");
	put(work, date, sizeof(date) - 1);
	put_text(work, "\r\nETag: ");
	put_text(work, entity->etag);
	put_text(work, "\r\nAccept-Ranges: bytes");
}

void put_header(struct conn *conn, struct work *work, const struct http_request *req,
		const struct header *header)
{
	date_now(conn->part);
	put_text(work, "HTTP/1.1 ");
	put_number(work, (uint64_t) header->status);
	put_text(work, " ");
	put_text(work, http_reason(header->status));
	put_text(work, "\r\nDate: ");
	put(work, conn->part->date, HTTP_DATE_SIZE - 1);
	if (header->type) {
		put_text(work, "\r\nContent-Type: ");
		put_text(work, header->type);
	}
	if (header->type && header->length >= 0) {
		put_text(work, "\r\nContent-Length: ");
		put_number(work, (uint64_t) header->length);
	} else if (header->type && req->minor > 0) {
		put_text(work, "\r\nTransfer-Encoding: chunked");
	}
	if (header->entity)
		put_entity(work, header);
	if (header->status == 405 || header->status == 204)
		put_text(work, "\r\nAllow: GET, HEAD, OPTIONS");
	if (!req->keep_alive)
		put_text(work, "\r\nConnection: close");
	else if (req->minor == 0)
		put_text(work, "\r\nConnection: keep-alive");
	put_text(work, "\r\n\r\n");
	work->status = header->status;
	work->content = 0;
	if (header->type && header->length > 0 && req->method != HTTP_HEAD)
		work->content = (uint64_t) header->length;
}

/* The reason as the content. */
static int answer_reason(struct conn *conn, struct work *work, const struct http_request *req,
			 const struct header *about)
{
	const char *reason = http_reason(about->status);
	size_t length = strlen(reason) + 1;
	struct header header = *about;
	int rc = make_room(conn, work, length);

	if (rc < 0)
		return rc;
	header.type = "text/plain; charset=utf-8";
	header.length = (int64_t) length;
	put_header(conn, work, req, &header);
	if (req->method != HTTP_HEAD) {
		put_text(work, reason);
		put_text(work, "\n");
	}
	return 0;
}

/* A header and nothing else. */
static int answer_bare(struct conn *conn, struct work *work, const struct http_request *req,
		       const struct header *header)
{
	int rc = make_room(conn, work, 0);

	if (rc == 0)
		put_header(conn, work, req, header);
	return rc;
}

int answer_status(struct conn *conn, struct work *work, const struct http_request *req, int status)
{
	struct header header = {.status = status};

	if (status == 204 || status == 304)
		return answer_bare(conn, work, req, &header);
	return answer_reason(conn, work, req, &header);
}

/*
 * A directory's name without its slash: links in its page would lead elsewhere. The location
 * is made of the path, which has no slashes in front: two of them would name another host.
 */
static int answer_redirect(struct conn *conn, struct work *work, const struct http_request *req)
{
	const char *query = memchr(req->target, '?', req->target_len);
	size_t query_len = query ? req->target_len - (size_t) (query - req->target) : 0;
	int rc = conn_flush(conn, work); /* Three times the longest path does fit. */

	if (rc < 0)
		return rc;
	put_header(conn, work, req,
		   &(struct header){.status = 301, .type = "text/plain; charset=utf-8"});
	work->out_len -= strlen("\r\n");
	put_text(work, "Location: /");
	for (const char *p = work->path; *p; p++)
		work->out_len += (size_t) encode_for_link(work->out + work->out_len, *p);
	put_text(work, "/");
	if (query)
		put(work, query, query_len);
	put_text(work, "\r\n\r\n");
	return 0;
}

int status_of(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return 404;
	case -EXDEV: /* It leads out of the directory. */
	case -EACCES:
	case -EPERM:
	case -ELOOP:
	case -ENXIO:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EAGAIN:
		return 503;
	default:
		return 500;
	}
}

/* Files */

/* A small one goes out together with its header, and with what else is gathered. */
static int put_small(struct work *work, struct eio_flow file, uint64_t size)
{
	int rc = eio_flow_read_exact(file, work->out + work->out_len, size);

	if (rc == 0)
		work->out_len += size;
	return rc;
}

static int seek(struct eio_flow file, uint64_t position)
{
	struct eio_fd fd;
	int rc = position > 0 ? eio_flow_fd(file, &fd) : 0;

	if (rc < 0 || position == 0)
		return rc;
	return eio_ll_lseek(fd, (int64_t) position, SEEK_SET, NULL);
}

static int answer_part(struct conn *conn, struct work *work, const struct http_request *req,
		       struct eio_flow file, const struct header *header)
{
	uint64_t size = (uint64_t) header->length;
	bool small = size <= SMALL_FILE;
	size_t before;
	int rc = make_room(conn, work, small ? size : 0);

	if (rc < 0)
		return rc;
	before = work->out_len;
	put_header(conn, work, req, header);
	if (req->method == HTTP_HEAD)
		return 0;
	rc = header->range ? seek(file, header->range->first) : 0;
	if (rc == 0 && !small)
		return conn_send_file(conn, work, file, size);
	if (rc == 0)
		rc = put_small(work, file, size);
	if (rc == 0 || rc == -ECANCELED)
		return rc;
	work->out_len = before;
	return answer_status(conn, work, req, 500);
}

static int answer_file(struct conn *conn, struct work *work, const struct http_request *req,
		       struct eio_flow file, const struct eio_stat *stat)
{
	struct http_entity entity = {.dated = true, .size = stat->size};
	struct http_range range = {0};
	struct header header = {.entity = &entity, .length = (int64_t) stat->size};

	entity.modified_s = stat->mtime_ns / EIO_SEC(1);
	http_make_etag(entity.etag, stat->ino, stat->mtime_ns, stat->size);
	header.status = http_evaluate(req, &entity, date_now(conn->part), &range);
	switch (header.status) {
	case 304:
		return answer_bare(conn, work, req, &header);
	case 412:
		return answer_status(conn, work, req, 412);
	case 416:
		return answer_reason(conn, work, req, &header);
	case 206:
		header.range = &range;
		header.length = (int64_t) range.length;
		break;
	default:
		break;
	}
	header.type = http_content_type(work->path);
	return answer_part(conn, work, req, file, &header);
}

static int open_and_stat(struct eio_dir root, const char *path, struct eio_flow *ret,
			 struct eio_stat *ret_stat)
{
	int rc = eio_fs_open_in(root, NULL, path, ret);

	if (rc < 0)
		return rc;
	rc = eio_file_stat(*ret, ret_stat);
	if (rc < 0)
		eio_flow_close(*ret);
	return rc;
}

/* A path that ends in a slash, without an index. */
static int answer_directory(struct conn *conn, struct work *work, struct http_request *req)
{
	struct eio_stat stat;
	int rc;

	if (conn->server->listing)
		return answer_listing(conn, work, req);
	rc = eio_fs_stat(conn->server->root, *work->path ? work->path : ".", true, &stat);
	if (rc == -ECANCELED)
		return rc;
	return answer_status(conn, work, req, rc < 0 ? status_of(rc) : 403);
}

static int answer_path(struct conn *conn, struct work *work, struct http_request *req, size_t len)
{
	bool directory = len == 0 || work->path[len - 1] == '/';
	struct eio_stat stat;
	struct eio_flow file;
	int rc;

	if (directory)
		memcpy(work->path + len, INDEX, sizeof(INDEX));
	rc = open_and_stat(conn->server->root, work->path, &file, &stat);
	if (rc == -ECANCELED)
		return rc;
	if (rc == -ENOENT && directory) {
		work->path[len] = '\0';
		return answer_directory(conn, work, req);
	}
	if (rc < 0)
		return answer_status(conn, work, req, status_of(rc));
	if (stat.kind == EIO_KIND_REGULAR)
		rc = answer_file(conn, work, req, file, &stat);
	else if (stat.kind == EIO_KIND_DIRECTORY && !directory)
		rc = answer_redirect(conn, work, req);
	else
		rc = answer_status(conn, work, req, 403);
	eio_flow_close(file);
	return rc;
}

int answer_request(struct conn *conn, struct work *work, struct http_request *req)
{
	ssize_t len;

	switch (req->method) {
	case HTTP_UNKNOWN:
		return answer_status(conn, work, req, 501);
	case HTTP_OTHER:
		return answer_status(conn, work, req, 405);
	case HTTP_OPTIONS: /* The same for all there is, and for the server as a whole. */
		return answer_status(conn, work, req, 204);
	case HTTP_GET:
	case HTTP_HEAD:
		break;
	}
	len = http_target_path(req->target, req->target_len, work->path);
	if (len < 0)
		return answer_status(conn, work, req, (int) -len);
	return answer_path(conn, work, req, (size_t) len);
}
