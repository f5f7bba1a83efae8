/* SPDX-License-Identifier: ISC */
/*
 * The access log, in the combined format.
 *
 * One fiber writes it. While it writes one buffer the entries gather in the other, so a busy
 * server writes many of them at once, and a quiet one each as it comes. When both are full
 * those with an entry wait.
 *
 * All domains share it, under a mutex that is held for an entry or a change of buffers, never
 * while anything is written.
 */
#include "httpd.h"

#include <errno.h>
#include <stdio.h>

enum {
	LOG_SIZE = 65536,
	TEXT_MAX = 2048, /* what a client said, in an entry, is cut there; there are three such */
	ENTRY_MAX = 3 * TEXT_MAX + 256,
};

struct access_log {
	const char *path;
	struct eio_flow file;
	bool ending, failed; /* of the writer's domain, like writing */
	char *writing;

	struct eio_mutex mutex; /* of filling and len */
	struct eio_condition filled, room;
	char *filling;
	size_t len; /* in filling */
	char buffers[2][LOG_SIZE];
};

static void append(struct access_log *log, const char *data, size_t len)
{
	memcpy(log->filling + log->len, data, len);
	log->len += len;
}

/* Quotes what a client said, so that it cannot pass for anything else. */
static void append_quoted(struct access_log *log, struct http_text text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t limit = log->len + TEXT_MAX - sizeof("\\x00\"");

	append(log, "\"", 1);
	for (size_t i = 0; i < text.len && log->len < limit; i++) {
		unsigned char c = (unsigned char) text.p[i];
		const char escaped[] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			append(log, escaped, sizeof(escaped));
		else
			append(log, text.p + i, 1);
	}
	append(log, "\"", 1);
}

static void append_number(struct access_log *log, uint64_t number)
{
	char digits[20];

	append(log, " ", 1);
	append(log, digits, format_number(digits, number));
}

static void append_field(struct access_log *log, const struct http_request *req, const char *name)
{
	struct http_text value = {"-", 1};

	if (req) {
		struct http_text rest = req->fields;

		(void) http_next_field(&rest, name, &value);
	}
	append(log, " ", 1);
	append_quoted(log, value);
}

/* The peer without its port, and the second: what HTTP says of it, in another order. */
static void append_who_and_when(struct access_log *log, const struct conn *conn)
{
	const char *date = conn->part->date;
	char text[EIO_ADDR_TEXT], *end;

	eio_addr_format(conn->peer, text, sizeof(text));
	end = strrchr(text, ':');
	append(log, text, end ? (size_t) (end - text) : strlen(text));
	append(log, " - - [", strlen(" - - ["));
	append(log, date + 5, 2);
	append(log, "/", 1);
	append(log, date + 8, 3);
	append(log, "/", 1);
	append(log, date + 12, 4);
	append(log, ":", 1);
	append(log, date + 17, 8);
	append(log, " +0000] ", strlen(" +0000] "));
}

static void append_entry(struct access_log *log, const struct conn *conn, const struct work *work,
			 const struct http_request *req)
{
	append_who_and_when(log, conn);
	append_quoted(log, req ? req->line : (struct http_text){"-", 1});
	append_number(log, (uint64_t) work->status);
	append_number(log, work->content);
	append_field(log, req, "referer");
	append_field(log, req, "user-agent");
	append(log, "\n", 1);
}

int log_request(struct conn *conn, const struct work *work, const struct http_request *req)
{
	struct access_log *log = conn->server->log;
	int rc = eio_mutex_lock(&log->mutex);

	if (rc < 0)
		return rc;
	while (rc == 0 && log->len > LOG_SIZE - ENTRY_MAX)
		rc = eio_condition_await(&log->room, &log->mutex);
	if (rc == 0)
		append_entry(log, conn, work, req);
	eio_mutex_unlock(&log->mutex);
	eio_condition_signal(&log->filled);
	return rc;
}

/* Takes what was gathered, once there is any: its length, 0 at the end, or -ECANCELED. */
static ssize_t change_buffers(struct access_log *log)
{
	int rc = eio_mutex_lock(&log->mutex);
	size_t len;

	if (rc < 0)
		return rc;
	while (rc == 0 && log->len == 0 && !log->ending)
		rc = eio_condition_await(&log->filled, &log->mutex);
	len = log->len;
	log->writing = log->filling;
	log->filling = log->buffers[log->writing == log->buffers[0]];
	log->len = 0;
	eio_mutex_unlock(&log->mutex);
	eio_condition_broadcast(&log->room);
	return rc < 0 ? rc : (ssize_t) len;
}

/* What cannot be written is lost: a full disk is no reason not to serve. Of failures in a row
 * only the first is told. */
static void write_out(struct access_log *log, size_t len)
{
	int rc = eio_flow_write(log->file, log->writing, len);
	char why[256];

	if (rc < 0 && !log->failed) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "httpd: %s: %s\n", log->path, why);
	}
	log->failed = rc < 0;
}

static int write_log(void *arg)
{
	struct access_log *log = arg;
	ssize_t len;

	while ((len = change_buffers(log)) > 0)
		write_out(log, (size_t) len);
	return (int) len;
}

static int free_log(void *arg)
{
	free(arg);
	return 0;
}

int log_begin(struct server *server, struct eio_switch *sw)
{
	struct eio_create append_to = {.append = true};
	struct access_log *log;
	int rc;

	if (!server->log_path)
		return 0;
	log = calloc(1, sizeof(*log));
	if (!log)
		return eio_error_set(-ENOMEM, "log", server->log_path);
	rc = eio_on_release_alloc(sw, free_log, log);
	if (rc < 0)
		return rc;
	rc = eio_fs_open_out(server->env->fs, sw, server->log_path, &append_to, &log->file);
	if (rc < 0)
		return rc;
	log->path = server->log_path;
	log->filling = log->buffers[0];
	rc = eio_fork(sw, write_log, log);
	if (rc == 0)
		server->log = log;
	return rc;
}

void log_end(struct server *server)
{
	struct access_log *log = server->log;

	if (!log)
		return;
	log->ending = true;
	eio_condition_signal(&log->filled);
}
