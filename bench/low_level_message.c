/* SPDX-License-Identifier: ISC */
/*
 * Sending to a socket and receiving from the other end.
 */
#include "low_level.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ll_fd pair[2]; /* Unix */
static struct ll_fd tcp[2];  /* what can be sent by without copying */

static int send_recv(void)
{
	int rc = (int) eio_ll_send(pair[0].fd, ll_buf, LL_LEN, 0);

	return rc < 0 ? rc : (int) eio_ll_recv(pair[1].fd, ll_buf, LL_LEN, 0);
}

static int raw_send_recv_with(int send_flags, int recv_flags)
{
	int rc;

	io_uring_prep_send(raw(), pair[0].unix_fd, ll_buf, LL_LEN, send_flags);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_recv(raw(), pair[1].unix_fd, ll_buf, LL_LEN, recv_flags);
	return raw_wait();
}

static int raw_send_recv(void)
{
	return raw_send_recv_with(MSG_NOSIGNAL, 0);
}

static int send_all(void)
{
	int rc = eio_ll_send_all(pair[0].fd, ll_buf, LL_LEN, 0);

	return rc < 0 ? rc : eio_ll_recv_exactly(pair[1].fd, ll_buf, LL_LEN);
}

static int raw_send_all(void)
{
	return raw_send_recv_with(MSG_NOSIGNAL | MSG_WAITALL, MSG_WAITALL);
}

/* Messages */

static int send_recv_msg(void)
{
	int rc = (int) eio_ll_send_msg(pair[0].fd, NULL, ll_iov, 2, NULL, 0, 0);

	return rc < 0 ? rc : (int) eio_ll_recv_msg(pair[1].fd, ll_iov, 2, 0, NULL);
}

static struct msghdr raw_msg(void)
{
	return (struct msghdr){.msg_iov = (struct iovec *) ll_iov, .msg_iovlen = 2};
}

static int raw_send_recv_these(const struct msghdr *out, struct msghdr *in)
{
	int rc;

	io_uring_prep_sendmsg(raw(), pair[0].unix_fd, out, MSG_NOSIGNAL);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_recvmsg(raw(), pair[1].unix_fd, in, MSG_CMSG_CLOEXEC);
	return raw_wait();
}

static int raw_send_recv_msg(void)
{
	struct msghdr out = raw_msg(), in = raw_msg();

	return raw_send_recv_these(&out, &in);
}

/* With a descriptor, which is closed then. */
static int send_recv_fd(void)
{
	struct eio_ll_received got;
	struct eio_fd fd;
	int rc = (int) eio_ll_send_msg(pair[0].fd, NULL, ll_iov, 2, &pair[0].fd, 1, 0);

	if (rc >= 0)
		rc = (int) eio_ll_recv_msg_with_fds(NULL, pair[1].fd, ll_iov, 2, 0, &fd, 1, &got);
	if (rc < 0)
		return rc;
	return got.n_fds == 1 ? eio_fd_close(fd) : -EIO;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int raw_send_recv_fd(void)
{
	union control sent = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS}},
		      got;
	struct msghdr out = raw_msg(), in = raw_msg();
	int rc, fd;

	memcpy(CMSG_DATA(&sent.header), &pair[0].unix_fd, sizeof(int));
	out.msg_control = &sent;
	in.msg_control = &got;
	out.msg_controllen = in.msg_controllen = sizeof(sent);
	rc = raw_send_recv_these(&out, &in);
	if (rc < 0)
		return rc;
	memcpy(&fd, CMSG_DATA(&got.header), sizeof(int));
	return raw_close(fd);
}

/* Without copying: the other end takes the bytes and acknowledges them at once, so that the
 * release, which is waited for, does not take the time that TCP puts this off. */

static int take(void)
{
	const int one = 1;
	int rc = by_errno(recv(tcp[1].unix_fd, ll_buf, LL_LEN, 0));

	setsockopt(tcp[1].unix_fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	return rc;
}

static int release(struct eio_ll_zc *z, int rc)
{
	if (rc >= 0)
		rc = take();
	if (rc >= 0)
		rc = eio_ll_zc_await(z);
	eio_ll_zc_end(z);
	return rc;
}

static int send_zc(void)
{
	struct eio_ll_zc z = {.threshold = 1};

	return release(&z, (int) eio_ll_send_zc(tcp[0].fd, ll_buf, LL_LEN, 0, &z));
}

static int send_msg_zc(void)
{
	struct eio_ll_zc z = {.threshold = 1};

	return release(&z, (int) eio_ll_send_msg_zc(tcp[0].fd, NULL, ll_iov, 2, 0, &z));
}

static int raw_next(bool *ret_more)
{
	struct io_uring_cqe *cqe;
	int rc;

	bench_check(io_uring_submit_and_wait(&ll_ring, 1), "submit_and_wait");
	bench_check(io_uring_peek_cqe(&ll_ring, &cqe), "peek_cqe");
	rc = cqe->res;
	*ret_more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(&ll_ring, cqe);
	return rc;
}

static int raw_release(void)
{
	bool more;
	int rc = raw_next(&more);

	if (rc >= 0)
		rc = take();
	if (more)
		raw_next(&more);
	return rc;
}

static int raw_send_zc(void)
{
	io_uring_prep_send_zc(raw(), tcp[0].unix_fd, ll_buf, LL_LEN, MSG_NOSIGNAL, 0);
	return raw_release();
}

static int raw_send_msg_zc(void)
{
	const struct msghdr out = raw_msg();

	io_uring_prep_sendmsg_zc(raw(), tcp[0].unix_fd, &out, MSG_NOSIGNAL);
	return raw_release();
}

static void set_up(void)
{
	struct sockaddr_in where;
	struct ll_fd listener = ll_listener(&where);

	ll_socketpair(pair);
	tcp[0] = ll_track(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (connect(tcp[0].unix_fd, (struct sockaddr *) &where, sizeof(where)) < 0)
		bench_fail("connect: %s", strerror(errno));
	tcp[1] = ll_track(accept4(listener.unix_fd, NULL, NULL, SOCK_CLOEXEC));
}

static const struct ll_call calls[] = {
	{"send_recv", send_recv, raw_send_recv, 2, LL_QUICK},
	{"send_all_recv_exactly", send_all, raw_send_all, 2, LL_QUICK},
	{"send_recv_msg", send_recv_msg, raw_send_recv_msg, 2, LL_QUICK},
	{"send_recv_fd", send_recv_fd, raw_send_recv_fd, 3, LL_QUICK},
	{"send_zc", send_zc, raw_send_zc, 2, LL_SLOW},
	{"send_msg_zc", send_msg_zc, raw_send_msg_zc, 2, LL_SLOW},
};

const struct ll_area ll_messages = {set_up, NULL, calls, BENCH_LEN(calls)};
