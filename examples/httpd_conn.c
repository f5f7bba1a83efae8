/* SPDX-License-Identifier: ISC */
/*
 * Connections.
 *
 * One fiber serves a connection. Between requests it waits with a small buffer on its
 * stack; a struct work with the large ones is held only while requests are answered.
 * Answers gather in it and are sent when there is no further request to answer.
 *
 * Whoever waits between requests, or for a client to take an answer, is on one of two
 * lists of its domain, with a cancellation context around the wait. One fiber of the domain
 * looks after them all: the oldest is in front, and is cancelled when it took too long. So
 * these waits, which every request has, need no timer. A request that comes in pieces has one.
 *
 * Functions here return a negated status of HTTP for a request that is to be refused: those
 * are no error codes of any kind.
 */
#include "httpd.h"

#include <errno.h>

/* Waiting for clients */

static void put_last(struct waiting *list, struct conn *conn)
{
	struct conn *head = &list->head;

	conn->since = conn->part->second;
	conn->next = head;
	conn->prev = head->prev;
	conn->prev->next = head->prev = conn;
}

static void take_out(struct conn *conn)
{
	conn->prev->next = conn->next;
	conn->next->prev = conn->prev;
}

static void wait_begin(struct conn *conn, struct waiting *list)
{
	eio_cancel_begin(&conn->wait);
	put_last(list, conn);
}

/* Ends the wait; a cancellation of just this one becomes its reason. */
static int wait_end(struct conn *conn, int rc)
{
	int reason = eio_cancel_error(&conn->wait);

	take_out(conn);
	eio_cancel_end(&conn->wait);
	return rc == -ECANCELED && reason < 0 ? reason : rc;
}

/* Waits for a request: the bytes it begins with, 0 at the end, -ETIMEDOUT, -ESHUTDOWN, ... */
static int receive_first(struct conn *conn, char *buf, size_t len)
{
	ssize_t n;

	if (conn->part->stopping)
		return -ESHUTDOWN;
	wait_begin(conn, &conn->part->idle);
	n = eio_flow_read(conn->flow, buf, len);
	return wait_end(conn, (int) n);
}

/* More bytes of a request that has begun: -408 if it takes too long. Kept apart, because few
 * requests come in pieces, and the others need no limit in their frame. */
static __attribute__((noinline)) int receive_more(struct conn *conn, char *buf, size_t len)
{
	struct eio_clock clock = conn->server->env->mono_clock;
	int64_t now = eio_now_ns(clock), allowed = conn->server->request_timeout_ns;
	struct eio_timeout limit;
	int rc;

	if (conn->deadline_ns == 0)
		conn->deadline_ns = allowed == EIO_NEVER ? EIO_NEVER : now + allowed;
	eio_timeout_begin(&limit, clock,
			  conn->deadline_ns == EIO_NEVER ? EIO_NEVER : conn->deadline_ns - now);
	rc = (int) eio_flow_read(conn->flow, buf, len);
	rc = eio_timeout_end(&limit, rc);
	return rc == -ETIMEDOUT ? -408 : rc;
}

int conn_flush(struct conn *conn, struct work *work)
{
	int rc;

	if (work->out_len == 0)
		return 0;
	wait_begin(conn, &conn->part->sending);
	rc = eio_flow_write(conn->flow, work->out, work->out_len);
	work->out_len = 0;
	return wait_end(conn, rc);
}

/* Some of a file was taken: the client has its time anew. */
static int moved(uint64_t n, void *arg)
{
	struct conn *conn = arg;

	(void) n;
	take_out(conn);
	put_last(&conn->part->sending, conn);
	return 0;
}

int conn_send_file(struct conn *conn, struct work *work, struct eio_flow file, uint64_t size)
{
	int rc = conn_flush(conn, work);
	uint64_t sent = 0;

	if (rc < 0)
		return rc;
	wait_begin(conn, &conn->part->sending);
	rc = eio_flow_copy_n(file, conn->flow, size, moved, conn, &sent);
	rc = wait_end(conn, rc);
	/* If the file shrank, what the header said is wrong now. */
	return rc == 0 && sent < size ? EIO_EOF : rc;
}

/* Work memory */

static struct work *take_work(struct part *part)
{
	struct work *work = part->spare;

	if (!work)
		return malloc(sizeof(*work));
	part->spare = work->next;
	if (--part->n_spare < part->least_spare)
		part->least_spare = part->n_spare;
	return work;
}

static void give_work(struct part *part, struct work *work)
{
	if (part->stopping) {
		free(work);
		return;
	}
	work->next = part->spare;
	part->spare = work;
	part->n_spare++;
}

static void free_spare(struct part *part, size_t n)
{
	while (n-- > 0) {
		struct work *work = part->spare;

		part->spare = work->next;
		part->n_spare--;
		free(work);
	}
	part->least_spare = part->n_spare;
}

/* Looking after them */

static void end_long_waits(const struct part *part, const struct waiting *list)
{
	const struct conn *head = &list->head;

	for (struct conn *conn = head->next; conn != head; conn = conn->next) {
		if (list->limit_s == 0 || part->second - conn->since <= list->limit_s)
			break;
		eio_cancel_raise(&conn->wait, -ETIMEDOUT);
	}
}

/* For a second, or until the server is stopped: -ETIMEDOUT, or another code. */
static int await_stop(struct server *server)
{
	struct eio_timeout second;

	eio_timeout_begin(&second, server->env->mono_clock, EIO_SEC(1));
	return eio_timeout_end(&second, eio_promise_await(&server->stop, NULL));
}

/* After a stop no wait for a request begins, nor is work kept; those that are still sending
 * are left to the server's own limit. */
static void stop(struct part *part)
{
	const struct conn *head = &part->idle.head;

	part->stopping = true;
	free_spare(part, part->n_spare);
	for (struct conn *conn = head->next; conn != head; conn = conn->next)
		eio_cancel_raise(&conn->wait, -ESHUTDOWN);
}

/* Until the server is stopped, or the domain ends and this is cancelled. */
static int look_after(void *arg)
{
	struct part *part = arg;

	while (await_stop(part->server) == -ETIMEDOUT) {
		part->second++;
		end_long_waits(part, &part->idle);
		end_long_waits(part, &part->sending);
		free_spare(part, part->least_spare);
	}
	stop(part);
	return 0;
}

static void init_list(struct waiting *list, unsigned limit_s)
{
	list->head.next = list->head.prev = &list->head;
	list->limit_s = limit_s;
}

/*
 * The part of the calling domain, whose first connection begins it: NULL without memory. It is
 * the thread's, since fibers stay in their domain, and what a domain was sent ends before it.
 */
static struct part *part_here(struct server *server)
{
	static __thread struct part part;

	struct eio_domain_ref here;
	int rc = 0;

	if (!part.server) {
		part.server = server;
		init_list(&part.idle, server->idle_timeout_s);
		init_list(&part.sending, STALL_S);
	} else if (!eio_promise_peek(&part.looked_after, &rc, NULL) || rc == 0) {
		return &part;
	}
	here = eio_domain_self();
	part.looked_after = (struct eio_promise) EIO_PROMISE_INIT;
	rc = eio_domain_submit(here, look_after, &part, &part.looked_after);
	return rc == 0 ? &part : NULL;
}

/* Requests */

/* How a connection goes on, if it did not fail. */
enum {
	CLOSE,  /* the client has ended it */
	LINGER, /* we end it */
	IDLE,   /* nothing left to do */
	MORE,   /* there may be another request, or a part of one */
};

/* Reads until a whole head is there: its length, 0 if the client ended the connection. */
static ssize_t read_head(struct conn *conn, struct work *work, struct http_request *req)
{
	for (;;) {
		ssize_t head =
			http_parse_request(req, work->in + work->begin, work->end - work->begin);
		int rc;

		if (head != 0)
			return head;
		rc = conn_flush(conn, work); /* A client may wait for it. */
		if (rc < 0)
			return rc;
		memmove(work->in, work->in + work->begin, work->end - work->begin);
		work->end -= work->begin;
		work->begin = 0;
		rc = receive_more(conn, work->in + work->end, sizeof(work->in) - work->end);
		if (rc <= 0)
			return rc;
		work->end += (size_t) rc;
	}
}

/*
 * Reads past a body, so that the connection can be kept: 1, 0 if the client ended it. The
 * head has to stay where it is, so what was not read with it goes into the empty output, and
 * no more than belongs to the body.
 */
static int read_body(struct conn *conn, struct work *work, const struct http_request *req)
{
	struct http_body body;
	int rc = http_body_begin(&body, req);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = http_body_skip(&body, work->in + work->begin, work->end - work->begin);
	if (n < 0)
		return (int) n;
	if (req->expects_continue && work->begin == work->end) {
		rc = make_room(conn, work, 0);
		if (rc < 0)
			return rc;
		put_text(work, "HTTP/1.1 100 Continue\r\n\r\n");
	}
	work->begin += (size_t) n;
	while (http_body_wants(&body) > 0) {
		size_t wanted = http_body_wants(&body);

		rc = conn_flush(conn, work);
		if (rc < 0)
			return rc;
		rc = receive_more(conn, work->out, wanted < OUT_SIZE ? wanted : OUT_SIZE);
		if (rc <= 0)
			return rc;
		n = http_body_skip(&body, work->out, (size_t) rc);
		if (n < 0)
			return (int) n;
	}
	return 1;
}

/* A whole request: > 0, 0 if the client ended the connection. */
static int read_request(struct conn *conn, struct work *work, struct http_request *req)
{
	ssize_t head = read_head(conn, work, req);

	if (head <= 0)
		return (int) head;
	work->begin += (size_t) head;
	return req->has_body ? read_body(conn, work, req) : 1;
}

/* Has any of a request come? Empty lines, which some clients send behind a body, are none:
 * who sends nothing after them is idle. */
static bool has_begun(struct work *work)
{
	while (work->end - work->begin >= 2 && memcmp(work->in + work->begin, "\r\n", 2) == 0)
		work->begin += 2;
	return work->begin < work->end;
}

static bool is_status(int rc)
{
	return rc <= -400 && rc > -600;
}

static int serve_next(struct conn *conn, struct work *work)
{
	struct http_request req = {.minor = 1};
	int rc = read_request(conn, work, &req);

	conn->deadline_ns = 0;
	if (is_status(rc)) {
		/* Where the next request begins is not known. */
		req.keep_alive = false;
		rc = answer_status(conn, work, &req, -rc);
	} else if (rc > 0) {
		req.keep_alive &= !conn->part->stopping;
		rc = answer_request(conn, work, &req);
	} else {
		return rc < 0 ? rc : CLOSE;
	}
	if (rc == 0 && conn->server->log)
		rc = log_request(conn, work, req.target ? &req : NULL);
	if (rc < 0)
		return rc;
	if (!req.keep_alive)
		return LINGER;
	return MORE;
}

/*
 * Lets the client read the answer before the connection goes: closed with bytes unread it
 * would be reset, and the answer lost.
 */
static int linger(struct conn *conn, struct work *work)
{
	struct eio_timeout limit;
	size_t sent = 0;
	int rc = eio_flow_shutdown(conn->flow, EIO_SHUT_SEND);

	eio_timeout_begin(&limit, conn->server->env->mono_clock, EIO_SEC(LINGER_S));
	while (rc >= 0 && sent < LINGER_BYTES) {
		rc = (int) eio_flow_read(conn->flow, work->in, sizeof(work->in));
		if (rc == 0)
			break;
		sent += rc > 0 ? (size_t) rc : 0;
	}
	rc = eio_timeout_end(&limit, rc);
	return rc < 0 ? rc : CLOSE;
}

/* Serves what has come and what follows without a pause. Not inlined: see conn_serve. */
static __attribute__((noinline)) int serve_requests(struct conn *conn, const char *first,
						    size_t len)
{
	struct work *work = take_work(conn->part);
	int rc, flushed;

	if (!work)
		return -ENOMEM;
	memcpy(work->in, first, len);
	work->begin = 0;
	work->end = len;
	work->out_len = 0;

	do
		rc = has_begun(work) ? serve_next(conn, work) : IDLE;
	while (rc == MORE);
	flushed = rc < 0 ? 0 : conn_flush(conn, work);
	if (flushed < 0)
		rc = flushed;
	else if (rc == LINGER)
		rc = linger(conn, work);
	give_work(conn->part, work);
	return rc;
}

/* An idle connection waits here: this frame has to fit on its fiber's first page. */
int conn_serve(struct eio_flow flow, const struct eio_addr *peer, void *arg)
{
	struct conn conn = {.flow = flow, .peer = peer, .server = arg, .part = part_here(arg)};
	char first[FIRST_SIZE];
	int rc;

	if (!conn.part)
		return -ENOMEM;
	do {
		rc = receive_first(&conn, first, sizeof(first));
		if (rc > 0)
			rc = serve_requests(&conn, first, (size_t) rc);
	} while (rc == IDLE);

	switch (rc) {
	case -ECONNRESET: /* The client is gone, */
	case -ENOTCONN:
	case -EPIPE:
	case -ETIMEDOUT: /* took too long, */
	case -ESHUTDOWN: /* or we are leaving. */
		return 0;
	default:
		return rc;
	}
}
