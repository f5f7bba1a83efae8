/* SPDX-License-Identifier: ISC */
/*
 * One fiber serves a connection. Between requests it waits without a buffer of its own; a
 * struct work is held only while there are requests. Answers gather in it until there is no
 * further request, or enough of them: then they are sent, and nothing else is read or answered
 * until the client has taken them. So a client that does not read holds up nobody but itself,
 * and no more memory than ENOUGH and one answer.
 */
#include "client.h"
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
	FIRST = 1024,       /* bytes that end a wait, at most: small, as it may be malloc's */
	ENOUGH = 64 * 1024, /* bytes of answers that are not put off any longer */
	LINGER_S = 2,       /* for a client to read what a connection that we close still holds, */
	LINGER_READS = 64,  /* and what it may send meanwhile */
};

/* What it takes to answer requests. */
struct work {
	struct work *next; /* of those to spare */
	struct resp in;
	struct reply out;
};

struct client {
	struct session session;
	struct clients *all;
	struct eio_flow flow;
};

/* How a connection goes on, if it did not fail. */
enum {
	CLOSE,  /* the client has ended it */
	LINGER, /* we end it */
	IDLE,   /* nothing left to do */
	MORE,   /* a part of a request has come */
};

/* Lanes */

int64_t clients_now_ms(const struct clients *clients)
{
	return eio_now_ns(clients->clock) / 1000000;
}

static void tick(struct client *c)
{
	c->session.lane->now_ms = clients_now_ms(c->all);
}

/* The domain's own: it takes the next one with its first connection. */
static struct lane *own_lane(struct service *service)
{
	static _Thread_local struct lane *own;

	if (!own)
		own = &service->lanes[service->lanes_taken++];
	return own;
}

/* Work memory */

static struct work *new_work(void)
{
	struct work *work = mem_alloc(sizeof(*work));

	if (!work)
		return NULL;
	if (resp_init(&work->in) < 0)
		goto free_work;
	if (reply_init(&work->out) < 0)
		goto fini_in;
	return work;

fini_in:
	resp_fini(&work->in);
free_work:
	mem_free(work);
	return NULL;
}

static void free_work(struct work *work)
{
	resp_fini(&work->in);
	reply_fini(&work->out);
	mem_free(work);
}

static struct work *take_spare(struct lane *lane)
{
	struct work *work;

	lock_take(&lane->lock);
	work = lane->spare;
	if (work) {
		lane->spare = work->next;
		if (--lane->n_spare < lane->least_spare)
			lane->least_spare = lane->n_spare;
	}
	lock_give(&lane->lock);
	return work;
}

static struct work *take_work(struct lane *lane)
{
	struct work *work = take_spare(lane);

	return work ? work : new_work();
}

static void give_work(struct lane *lane, struct work *work)
{
	resp_reset(&work->in);
	reply_reset(&work->out);
	lock_take(&lane->lock);
	work->next = lane->spare;
	lane->spare = work;
	lane->n_spare++;
	lock_give(&lane->lock);
}

static void free_spare(struct lane *lane, size_t n)
{
	while (n-- > 0) {
		struct work *work = lane->spare;

		lane->spare = work->next;
		lane->n_spare--;
		free_work(work);
	}
	lane->least_spare = lane->n_spare;
}

/* All of them together */

int clients_init(struct clients *clients, struct eio_clock clock, unsigned domains, uint64_t random)
{
	struct service *service = &clients->service;
	int rc;

	service->lanes = aligned_alloc(_Alignof(struct lane), domains * sizeof(*service->lanes));
	if (!service->lanes)
		return -ENOMEM;
	rc = shards_init(&service->shards, domains > 1, random);
	if (rc < 0) {
		free(service->lanes);
		return rc;
	}
	clients->clock = clock;
	service->started_ms = clients_now_ms(clients);
	service->n_lanes = domains;
	for (unsigned i = 0; i < domains; i++) {
		service->lanes[i] = (struct lane){0};
		lock_init(&service->lanes[i].lock, domains > 1);
	}
	return 0;
}

void clients_trim(struct clients *clients)
{
	for (unsigned i = 0; i < clients->service.n_lanes; i++) {
		struct lane *lane = &clients->service.lanes[i];

		lock_take(&lane->lock);
		free_spare(lane, lane->least_spare);
		lock_give(&lane->lock);
	}
}

void clients_fini(struct clients *clients)
{
	struct service *service = &clients->service;

	for (unsigned i = 0; i < service->n_lanes; i++)
		free_spare(&service->lanes[i], service->lanes[i].n_spare);
	free(service->lanes);
	shards_fini(&service->shards);
}

/* Answers */

/* Not inlined: few answers are in parts, and the vector would be in every frame. */
static __attribute__((noinline)) int send_parts(struct eio_flow flow, const struct reply *reply)
{
	struct iovec iov[REPLY_PART];
	size_t next = 0, n;
	int rc = 0;

	while (rc == 0 && (n = reply_part(reply, &next, iov)) > 0)
		rc = eio_flow_writev(flow, iov, (int) n);
	return rc;
}

static int flush(struct client *c, struct work *work)
{
	struct reply *reply = &work->out;
	int rc;

	if (reply_bytes(reply) == 0)
		return 0;
	if (reply->n_inserts == 0)
		rc = eio_flow_write(c->flow, reply->text, reply->len);
	else
		rc = send_parts(c->flow, reply);
	reply_undo(reply, (struct reply_mark){0});
	return rc;
}

/* Nothing that follows can be understood: tells why, and that is the end. */
static int give_up(struct client *c, struct work *work, int err)
{
	struct reply_mark mark;

	if (err != -EPROTO && err != -ENOMEM)
		return err;
	if (reply_begin(&work->out, &mark) < 0)
		return -ENOMEM;
	if (err == -EPROTO)
		reply_error(&work->out, "ERR Protocol error: %s", work->in.error);
	else
		reply_error(&work->out, "OOM not enough memory for this request");
	c->session.quit = true;
	return LINGER;
}

/* Answers the requests that are whole. */
static int answer(struct client *c, struct work *work)
{
	int rc;

	while ((rc = resp_next(&work->in)) > 0) {
		command_run(&c->session, &work->in);
		if (c->session.quit)
			return LINGER;
		if (reply_bytes(&work->out) < ENOUGH)
			continue;
		rc = flush(c, work);
		/* A client that takes everything at once leaves the others a turn as well. */
		if (rc == 0)
			rc = eio_yield();
		if (rc < 0)
			return rc;
		tick(c);
	}
	if (rc < 0)
		return give_up(c, work, rc);
	return resp_is_idle(&work->in) ? IDLE : MORE;
}

/* Requests */

/* The client may be waiting for answers before it sends the rest. */
static int read_more(struct client *c, struct work *work)
{
	char *space;
	size_t len;
	ssize_t n;
	int rc = flush(c, work);

	if (rc < 0)
		return rc;
	rc = resp_space(&work->in, &space, &len);
	if (rc < 0)
		return give_up(c, work, rc);
	n = eio_flow_read(c->flow, space, len);
	if (n <= 0)
		return n < 0 ? (int) n : CLOSE;
	tick(c);
	resp_arrived(&work->in, (size_t) n);
	return MORE;
}

/* What has been read fits: the buffer is empty, and larger. */
static int take_first(struct work *work, struct eio_view *first)
{
	char *space;
	size_t len;
	int rc = resp_space(&work->in, &space, &len);

	if (rc == 0) {
		memcpy(space, first->data, first->len);
		resp_arrived(&work->in, first->len);
	}
	return rc;
}

/*
 * Lets the client read the answer before the connection goes: closed with bytes unread it
 * would be reset, and the answer lost.
 */
static int linger(struct client *c, struct work *work)
{
	struct eio_timeout limit;
	ssize_t n = 1;
	int rc = eio_flow_shutdown(c->flow, EIO_SHUT_SEND);

	resp_reset(&work->in);
	eio_timeout_begin(&limit, c->all->clock, EIO_SEC(LINGER_S));
	for (int i = 0; rc == 0 && n > 0 && i < LINGER_READS; i++) {
		n = eio_flow_read(c->flow, work->in.buf, work->in.size);
		rc = n < 0 ? (int) n : 0;
	}
	rc = eio_timeout_end(&limit, rc);
	return rc < 0 ? rc : CLOSE;
}

/* Serves what has come and what follows without a pause. Not inlined: see client_serve. */
static __attribute__((noinline)) int serve_requests(struct client *c, struct eio_view *first)
{
	struct work *work = take_work(c->session.lane);
	int rc, flushed;

	if (!work) {
		eio_view_release(first);
		return -ENOMEM;
	}
	rc = take_first(work, first);
	eio_view_release(first);
	c->session.reply = &work->out;
	if (rc == 0)
		rc = answer(c, work);
	while (rc == MORE) {
		rc = read_more(c, work);
		if (rc == MORE)
			rc = answer(c, work);
	}
	flushed = rc < 0 ? 0 : flush(c, work);
	if (flushed < 0)
		rc = flushed;
	else if (rc == LINGER)
		rc = linger(c, work);
	give_work(c->session.lane, work);
	return rc;
}

/* An idle connection waits here: this frame has to fit on its fiber's first page. */
int client_serve(struct eio_flow flow, const struct eio_addr *peer, void *arg)
{
	struct clients *all = arg;
	struct client c = {
		.session = {.service = &all->service,
			    .lane = own_lane(&all->service),
			    .id = ++all->service.n_connections},
		.all = all,
		.flow = flow,
	};
	ssize_t rc;

	(void) peer;
	lane_count(&c.session.lane->clients, 1);
	do {
		struct eio_view first;

		rc = eio_flow_read_borrow(flow, FIRST, &first);
		if (rc > 0) {
			tick(&c);
			rc = serve_requests(&c, &first);
		}
	} while (rc == IDLE);
	lane_count(&c.session.lane->clients, -1);
	if (c.session.name)
		blob_drop(c.session.name);

	/* A client that is gone, or does not go, is none of our failures. */
	if (rc == -ECONNRESET || rc == -ENOTCONN || rc == -EPIPE || rc == -ETIMEDOUT)
		return 0;
	return (int) rc;
}
