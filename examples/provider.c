/* SPDX-License-Identifier: ISC */
/*
 * Flows of one's own: two filters, and a program that copies through them.
 *
 * A flow is a table of operations and a pointer, so a filter is a table and a struct that holds
 * the flow behind it. What an operation owes stands at struct eio_flow_ops in <eio/flow.h>; in
 * short: it tells exactly what it moved, it waits by calls of the library and hands on their
 * failures, and whatever it leaves NULL has a default.
 */
#include <ctype.h>
#include <eio/eio.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* A filter that changes what goes through: small letters become large ones.
 *
 * It has no borrow, since bytes in somebody else's memory cannot be changed, and no copy_from,
 * since it must see them. The library reads and writes instead. It has no fd either: what goes
 * by a descriptor would not be changed. */
struct upper {
	struct eio_flow of;
	char chunk[4096]; /* of the writer */
};

static void raise_letters(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char) toupper((unsigned char) text[i]);
}

static ssize_t upper_read(struct eio_flow f, void *buf, size_t len)
{
	struct upper *u = f.u.ptr;
	ssize_t n = eio_flow_read(u->of, buf, len);

	if (n > 0)
		raise_letters(buf, (size_t) n);
	return n;
}

/* The caller's bytes are not ours to change. What we take of them must arrive, so the chunk is
 * written to its end; if that fails midway, the part that did is what we took, and the next call
 * meets the failure. */
static ssize_t upper_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct upper *u = f.u.ptr;
	size_t len = 0;
	int rc;

	for (int i = 0; i < n && len < sizeof(u->chunk); i++) {
		size_t room = sizeof(u->chunk) - len;
		size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;

		if (part > 0)
			memcpy(u->chunk + len, iov[i].iov_base, part);
		len += part;
	}
	raise_letters(u->chunk, len);
	rc = eio_flow_write(u->of, u->chunk, len);
	if (rc < 0 && eio_last_error()->done > 0)
		return (ssize_t) eio_last_error()->done;
	return rc < 0 ? rc : (ssize_t) len;
}

static int upper_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	return eio_flow_shutdown(((struct upper *) f.u.ptr)->of, how);
}

static int upper_close(struct eio_flow f)
{
	return eio_flow_close(((struct upper *) f.u.ptr)->of);
}

static const struct eio_flow_ops upper_ops = {
	.name = "upper",
	.read = upper_read,
	.write_some = upper_write_some,
	.shutdown = upper_shutdown,
	.close = upper_close,
};

/* The struct is the caller's and has to stay where it is while the flow is used. */
static struct eio_flow upper_init(struct upper *u, struct eio_flow of)
{
	u->of = of;
	return (struct eio_flow){.ops = &upper_ops, .u.ptr = u};
}

/* A filter that changes nothing, but takes its time: so many bytes a second each way.
 *
 * It waits before it moves anything, so a cancellation finds nothing under way. Since it need
 * not see the bytes it can lend those of the flow behind it, and have them copied by the ways
 * that one has, by sendfile or splice for instance. It has no fd: that would go past it. */
struct throttle {
	struct eio_flow of;
	struct eio_clock clock;
	int64_t per_second;
	int64_t free_ns[2]; /* when the way is free again, for reading and for writing */
};

enum way { READING, WRITING };

/* What one step may move: a sixteenth of a second's worth. */
static size_t most(const struct throttle *t, uint64_t want)
{
	uint64_t share = (uint64_t) t->per_second / 16 + 1;

	return (size_t) (want < share ? want : share);
}

static int await_turn(struct throttle *t, enum way way)
{
	int64_t now = eio_now_ns(t->clock);

	if (t->free_ns[way] > now)
		return eio_sleep_until(t->clock, t->free_ns[way]);
	t->free_ns[way] = now;
	return 0;
}

static ssize_t charge(struct throttle *t, enum way way, ssize_t n)
{
	if (n > 0)
		t->free_ns[way] += (int64_t) n * EIO_SEC(1) / t->per_second;
	return n;
}

static ssize_t throttle_read(struct eio_flow f, void *buf, size_t len)
{
	struct throttle *t = f.u.ptr;
	int rc = await_turn(t, READING);

	return rc < 0 ? rc : charge(t, READING, eio_flow_read(t->of, buf, most(t, len)));
}

static ssize_t throttle_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct throttle *t = f.u.ptr;
	int rc = await_turn(t, READING);

	return rc < 0 ? rc : charge(t, READING, eio_flow_read_borrow(t->of, most(t, max), ret));
}

/* The library has seen to it that the first entry is not empty. */
static ssize_t throttle_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct throttle *t = f.u.ptr;
	struct iovec first = {iov->iov_base, most(t, iov->iov_len)};
	int rc = await_turn(t, WRITING);

	(void) n;
	return rc < 0 ? rc : charge(t, WRITING, eio_flow_write_some(t->of, &first, 1));
}

static int tell(uint64_t n, void *copy)
{
	return eio_copy_moved(copy, n);
}

static int throttle_copy_from(struct eio_flow dst, struct eio_flow src, struct eio_copy *copy)
{
	struct throttle *t = dst.u.ptr;

	while (copy->left > 0) {
		uint64_t n = 0;
		int rc = await_turn(t, WRITING);

		if (rc == 0)
			rc = eio_flow_copy_n(src, t->of, most(t, copy->left), tell, copy, &n);
		charge(t, WRITING, (ssize_t) n);
		if (rc < 0 || n == 0)
			return rc;
	}
	return 0;
}

static int throttle_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	return eio_flow_shutdown(((struct throttle *) f.u.ptr)->of, how);
}

static int throttle_close(struct eio_flow f)
{
	return eio_flow_close(((struct throttle *) f.u.ptr)->of);
}

static const struct eio_flow_ops throttle_ops = {
	.name = "throttle",
	.read = throttle_read,
	.write_some = throttle_write_some,
	.copy_from = throttle_copy_from,
	.borrow = throttle_borrow,
	.shutdown = throttle_shutdown,
	.close = throttle_close,
};

static struct eio_flow throttle_init(struct throttle *t, struct eio_flow of, struct eio_clock clock,
				     int64_t per_second)
{
	*t = (struct throttle){.of = of, .clock = clock, .per_second = per_second};
	return (struct eio_flow){.ops = &throttle_ops, .u.ptr = t};
}

/* The program: flows are stacked by handing one to the other. */

struct options {
	bool upper, on_input;
	int64_t rate; /* 0: as fast as it goes */
};

static int run(struct eio_env *env, void *arg)
{
	const struct options *opts = arg;
	struct eio_flow in = env->in, out = env->out;
	struct eio_flow *filtered = opts->on_input ? &in : &out;
	struct throttle throttle;
	struct upper upper;

	if (opts->rate > 0)
		*filtered = throttle_init(&throttle, *filtered, env->mono_clock, opts->rate);
	if (opts->upper)
		*filtered = upper_init(&upper, *filtered);
	return eio_flow_copy(in, out, NULL);
}

static void usage(FILE *to)
{
	fputs("Usage: provider [--upper] [--rate BYTES] [--input]\n"
	      "\n"
	      "Copies its standard input to its standard output, through filters.\n"
	      "\n"
	      "  --upper       makes small letters large\n"
	      "  --rate BYTES  moves at most so many bytes a second\n"
	      "  --input       filters what is read instead of what is written\n",
	      to);
}

static bool parse(struct options *opts, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end = NULL;

		if (strcmp(argv[i], "--upper") == 0) {
			opts->upper = true;
		} else if (strcmp(argv[i], "--input") == 0) {
			opts->on_input = true;
		} else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
			opts->rate = strtol(argv[++i], &end, 10);
			if (*end != '\0' || opts->rate < 1 || opts->rate > INT32_MAX)
				return false;
		} else {
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options opts = {.rate = 0};
	char why[256];
	int rc;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (!parse(&opts, argc, argv)) {
		usage(stderr);
		return 2;
	}
	rc = eio_run(NULL, run, &opts);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "provider: %s\n", why);
		return 1;
	}
	return 0;
}
