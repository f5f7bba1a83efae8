/* SPDX-License-Identifier: ISC */
/*
 * Flows that count what goes through another one.
 *
 * A copy to a counter is a copy to what it counts, by whatever way that has, and is told of
 * each piece: the short ways do not go past the count. A view is the other flow's, wrapped,
 * since giving a part of it back changes the count; there is room for one, and while it is
 * out the next ones are copied.
 */
#include "io/flow.h"

static ssize_t count_read(struct eio_flow_counter *c, ssize_t n)
{
	if (n > 0)
		c->read += (uint64_t) n;
	return n;
}

static ssize_t counter_read(struct eio_flow f, void *buf, size_t len)
{
	struct eio_flow_counter *c = f.u.ptr;

	return count_read(c, eio_flow_read(c->of, buf, len));
}

static ssize_t counter_readv(struct eio_flow f, const struct iovec *iov, int n)
{
	struct eio_flow_counter *c = f.u.ptr;

	return count_read(c, eio_flow_readv(c->of, iov, n));
}

static bool counter_release(struct eio_view *view, size_t used)
{
	struct eio_flow_counter *c = view->ptr;
	bool kept = eio_view_release_part(&c->lent, used);

	if (kept)
		c->read -= view->len - used;
	return kept;
}

static ssize_t counter_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct eio_flow_counter *c = f.u.ptr;
	ssize_t n;

	if (c->lent.data)
		return eio__flow_borrow_copied(f, max, ret);
	n = count_read(c, eio_flow_read_borrow(c->of, max, &c->lent));
	if (n > 0)
		*ret = (struct eio_view){c->lent.data, c->lent.len, counter_release, c, 0};
	return n;
}

static ssize_t counter_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct eio_flow_counter *c = f.u.ptr;
	ssize_t written = eio_flow_write_some(c->of, iov, n);

	if (written > 0)
		c->written += (uint64_t) written;
	return written;
}

struct counted_copy {
	struct eio_flow_counter *counter;
	struct eio_copy *copy;
};

static int count_moved(uint64_t n, void *arg)
{
	struct counted_copy *cc = arg;

	cc->counter->written += n;
	return eio_copy_moved(cc->copy, n);
}

static int counter_copy_from(struct eio_flow dst, struct eio_flow src, struct eio_copy *copy)
{
	struct eio_flow_counter *c = dst.u.ptr;
	struct counted_copy cc = {c, copy};

	return eio_flow_copy_n(src, c->of, copy->left, count_moved, &cc, NULL);
}

static int counter_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	struct eio_flow_counter *c = f.u.ptr;

	return eio_flow_shutdown(c->of, how);
}

static int counter_close(struct eio_flow f)
{
	struct eio_flow_counter *c = f.u.ptr;

	return eio_flow_close(c->of);
}

static const struct eio_flow_ops counter_ops = {
	.name = "counter",
	.read = counter_read,
	.readv = counter_readv,
	.write_some = counter_write_some,
	.copy_from = counter_copy_from,
	.borrow = counter_borrow,
	.shutdown = counter_shutdown,
	.close = counter_close,
};

struct eio_flow eio_flow_counter_init(struct eio_flow_counter *c, struct eio_flow of)
{
	*c = (struct eio_flow_counter){.of = of};
	return (struct eio_flow){.ops = &counter_ops, .u.ptr = c};
}
