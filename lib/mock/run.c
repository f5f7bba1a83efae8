/* SPDX-License-Identifier: ISC */
/*
 * An environment of mocks, for the time of one run.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/env.h"
#include "mock/sched.h"

#include <eio/mock.h>

struct run {
	int (*main)(struct eio_env *env, void *arg);
	void *arg;
	struct eio_mock_flow in, out, err;
	struct eio_mock_net net;
	uint64_t random; /* state */
};

/* A linear congruential generator, of which the upper byte is good enough. */
static ssize_t random_read(struct eio_flow f, void *buf, size_t len)
{
	struct run *r = f.u.ptr;
	unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++) {
		r->random = r->random * 6364136223846793005 + 1442695040888963407;
		bytes[i] = (unsigned char) (r->random >> 56);
	}
	return (ssize_t) len;
}

static const struct eio_flow_ops random_ops = {.name = "mock random", .read = random_read};

static int run_main(void *arg)
{
	struct run *r = arg;
	struct eio_env env = {
		.in = eio_mock_flow_init(&r->in, "stdin"),
		.out = eio_mock_flow_init(&r->out, "stdout"),
		.err = eio_mock_flow_init(&r->err, "stderr"),
		.net = eio_mock_net_init(&r->net, "net"),
		.clock = eio__clock_mono(),
		.mono_clock = eio__clock_mono(),
		.domain_mgr = eio_mock_domain_mgr(),
		.secure_random = {.ops = &random_ops, .u.ptr = r},
		.backend_id = "mock",
	};
	int rc = r->main(&env, r->arg);

	eio_mock_flow_fini(&r->in);
	eio_mock_flow_fini(&r->out);
	eio_mock_flow_fini(&r->err);
	eio_mock_net_fini(&r->net);
	return rc;
}

int eio_mock_run(int (*main)(struct eio_env *env, void *arg), void *arg)
{
	struct run r = {.main = main, .arg = arg};

	if (eio__domain_self())
		return eio__fail(-EBUSY, "eio_mock_run", "this thread runs a domain already");
	return eio__mock_run(run_main, &r);
}
