/* SPDX-License-Identifier: ISC */
/*
 * Mocks, for tests of programs that use the library: capabilities that do what a script
 * says and keep what was done to them.
 *
 * A mock is a provider like any other. It needs no ring and works in every domain, in one
 * at a time; it lies in its owner's storage from init to fini, which must outlive every
 * copy of the value that init returned. eio_mock_run runs a whole program of mocks, in a
 * fixed order, with a clock that does not wait, and with an answer to deadlocks.
 *
 *     struct eio_mock_flow m;
 *     struct eio_flow conn = eio_mock_flow_init(&m, "conn");
 *     const struct eio_mock_action script[] = {
 *             EIO_MOCK_DATA("PING\r\n"), EIO_MOCK_SLEEP(EIO_SEC(5)), EIO_MOCK_EOF,
 *     };
 *
 *     eio_mock_on_read(&m, script, 3);
 *     rc = handler(conn, &peer, NULL);
 *     assert(strcmp(eio_mock_written(&m, NULL), "PONG\r\n") == 0);
 *     eio_mock_flow_fini(&m);
 */
#ifndef EIO_MOCK_H
#define EIO_MOCK_H

#include <eio/api.h>
#include <eio/dgram.h>
#include <eio/domain.h>
#include <eio/flow.h>
#include <eio/net.h>
#include <eio/promise.h>
#include <eio/run.h>
#include <eio/time.h>

EIO_BEGIN_DECLS

/**
 * Run a program without a ring, in an environment of mocks.
 *
 * The environment: in, out and err are mock flows labelled "stdin", "stdout" and
 * "stderr" (eio_mock_flow_of); net is a mock net "net" (eio_mock_net_of), without a script;
 * clock and mono_clock are one clock, which begins at 0 and, whenever no fiber can run,
 * goes to the next deadline; secure_random gives the same bytes in every run; domain_mgr is
 * eio_mock_domain_mgr; process_mgr, fs and cwd are zeroed (-EBADF); backend_id is "mock". It
 * may be changed, and is gone when the call returns.
 *
 * Operations of a ring give -EPERM. Nothing from outside is waited for: while no fiber can
 * run and no deadline is set, wake-ups of other threads that have not come are none.
 *
 * @return main's result after every fiber ended, or:
 *   -EDEADLK  at some point no fiber could run and no deadline was set. main was cancelled
 *             then; if that ended nothing, because all that waits is protected, the
 *             process aborts with a message
 *   -EBUSY    this thread runs a domain already
 *   -ENOMEM   no memory
 * @since 0.1
 */
EIO_API int eio_mock_run(int (*main)(struct eio_env *env, void *arg), void *arg);

/* Scripts */

/** What an action does; see the macros below. */
enum eio_mock_kind {
	EIO_MOCK_KIND_DATA,
	EIO_MOCK_KIND_EOF,
	EIO_MOCK_KIND_TAKE,
	EIO_MOCK_KIND_CONN,
	EIO_MOCK_KIND_LISTENER,
	EIO_MOCK_KIND_DGRAM,
	EIO_MOCK_KIND_ADDRS,
	EIO_MOCK_KIND_NAMES,
	EIO_MOCK_KIND_FAIL,
	EIO_MOCK_KIND_SLEEP,
	EIO_MOCK_KIND_AWAIT,
	EIO_MOCK_KIND_RUN,
};

/**
 * One step of a script, written with one of the macros.
 *
 * A script is a queue of actions; each call takes from it up to the first action that gives
 * it a result, and calls that come at the same time take turns. One that is cancelled while
 * it waits leaves the action it was in to the next call, which begins it anew. An action
 * that makes no sense for a call gives it -EINVAL.
 */
struct eio_mock_action {
	enum eio_mock_kind kind;
	int64_t n; /**< bytes, nanoseconds, or a code; -1 bytes: a C string */
	const void *data;
	struct eio_promise *promise;
	eio_fn *fn;
	void *arg;
	const struct eio_flow *conn;
	const struct eio_addr *peer;
	const struct eio_listener *listener;
};

/** Read: the bytes of C string @p s, in pieces if the reader's buffer is smaller. An empty
 *  one is skipped. */
#define EIO_MOCK_DATA(s)                                                                           \
	{                                                                                          \
		EIO_MOCK_KIND_DATA, -1, (s), NULL, NULL, NULL, NULL, NULL, NULL                    \
	}
/** Read: @p n bytes at @p p, likewise. */
#define EIO_MOCK_BYTES(p, n)                                                                       \
	{                                                                                          \
		EIO_MOCK_KIND_DATA, (int64_t) (n), (p), NULL, NULL, NULL, NULL, NULL, NULL         \
	}
/** Read: the end of the stream; as the last action for every read from then on. */
#define EIO_MOCK_EOF                                                                               \
	{                                                                                          \
		EIO_MOCK_KIND_EOF, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL                     \
	}
/** Write: one step takes at most @p n bytes, at least 1. */
#define EIO_MOCK_TAKE(n)                                                                           \
	{                                                                                          \
		EIO_MOCK_KIND_TAKE, (int64_t) (n), NULL, NULL, NULL, NULL, NULL, NULL, NULL        \
	}
/** Accept, connect: the connection *@p flow; the peer of an accept is an unnamed Unix one. */
#define EIO_MOCK_CONN(flow)                                                                        \
	{                                                                                          \
		EIO_MOCK_KIND_CONN, 0, NULL, NULL, NULL, NULL, (flow), NULL, NULL                  \
	}
/** Accept: the connection *@p flow from the address *@p addr. */
#define EIO_MOCK_CONN_FROM(flow, addr)                                                             \
	{                                                                                          \
		EIO_MOCK_KIND_CONN, 0, NULL, NULL, NULL, NULL, (flow), (addr), NULL                \
	}
/** Listen: the listener *@p l. */
#define EIO_MOCK_LISTENER(l)                                                                       \
	{                                                                                          \
		EIO_MOCK_KIND_LISTENER, 0, NULL, NULL, NULL, NULL, NULL, NULL, (l)                 \
	}
/** Receive: the bytes of C string @p s, from the address *@p addr. */
#define EIO_MOCK_DATA_FROM(s, addr)                                                                \
	{                                                                                          \
		EIO_MOCK_KIND_DATA, -1, (s), NULL, NULL, NULL, NULL, (addr), NULL                  \
	}
/** Datagram: the socket *@p d, a struct eio_dgram. */
#define EIO_MOCK_DGRAM(d)                                                                          \
	{                                                                                          \
		EIO_MOCK_KIND_DGRAM, 0, (d), NULL, NULL, NULL, NULL, NULL, NULL                    \
	}
/** Getaddrinfo: the @p n addresses at @p addrs, struct eio_addr, for sockets of the kind that is
 *  asked for, of streams if that is any. */
#define EIO_MOCK_ADDRS(addrs, n)                                                                   \
	{                                                                                          \
		EIO_MOCK_KIND_ADDRS, (int64_t) (n), (addrs), NULL, NULL, NULL, NULL, NULL, NULL    \
	}
/** Getnameinfo: these C strings. */
#define EIO_MOCK_NAMES(host, service)                                                              \
	{                                                                                          \
		EIO_MOCK_KIND_NAMES, 0, (host), NULL, NULL, (void *) (service), NULL, NULL, NULL   \
	}
/** Any call: fail with the negative code @p err. */
#define EIO_MOCK_FAIL(err)                                                                         \
	{                                                                                          \
		EIO_MOCK_KIND_FAIL, (err), NULL, NULL, NULL, NULL, NULL, NULL, NULL                \
	}
/** Any call: wait @p ns nanoseconds of the domain's monotonic clock, then go on. */
#define EIO_MOCK_SLEEP(ns)                                                                         \
	{                                                                                          \
		EIO_MOCK_KIND_SLEEP, (ns), NULL, NULL, NULL, NULL, NULL, NULL, NULL                \
	}
/** Any call: wait for @p promise; fail as it does, or go on. */
#define EIO_MOCK_AWAIT(promise)                                                                    \
	{                                                                                          \
		EIO_MOCK_KIND_AWAIT, 0, NULL, (promise), NULL, NULL, NULL, NULL, NULL              \
	}
/** Any call: run @p fn in the calling fiber; fail with its negative result, or go on. It may
 *  wait, and may add actions, but not call what it is an action of. */
#define EIO_MOCK_RUN(fn, arg)                                                                      \
	{                                                                                          \
		EIO_MOCK_KIND_RUN, 0, NULL, NULL, (fn), (arg), NULL, NULL, NULL                    \
	}

/* Flows */

/** A scripted flow; opaque, in its owner's storage from init to fini. */
struct eio_mock_flow {
	void *eio_private[32];
};

/**
 * A flow that reads what its script says and keeps what is written to it.
 *
 * Reading gives -ENODATA when the script is used up, writing without a script takes
 * everything. Once closed it gives -EBADF; after a shutdown reading gives 0, writing
 * -EPIPE. It has no descriptor.
 *
 * @param label  For traces and errors; borrowed until fini.
 * @since 0.1
 */
EIO_API struct eio_flow eio_mock_flow_init(struct eio_mock_flow *m, const char *label);

/** Free what the flow keeps; nobody may use it any more. @since 0.1 */
EIO_API void eio_mock_flow_fini(struct eio_mock_flow *m);

/** The mock behind a flow, NULL if it is something else: for env->out and its like. @since 0.1 */
EIO_API struct eio_mock_flow *eio_mock_flow_of(struct eio_flow f);

/**
 * Add actions to what reading does.
 *
 * @param actions  @p n of them, copied; what they point to is borrowed until they are
 *   used up. Without the memory for it reading gives -ENOMEM from then on.
 * @since 0.1
 */
EIO_API void eio_mock_on_read(struct eio_mock_flow *m, const struct eio_mock_action *actions,
			      size_t n);

/** Add actions to what single steps of writing do; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_write(struct eio_mock_flow *m, const struct eio_mock_action *actions,
			       size_t n);

/**
 * What has been written so far.
 *
 * @param ret_len  Optional: how many bytes.
 * @return NUL-terminated, never NULL; valid until the next write or fini.
 * @since 0.1
 */
EIO_API const char *eio_mock_written(const struct eio_mock_flow *m, size_t *ret_len);

/**
 * Tell what happens to the flow, one line each:
 *
 *     conn: read "PING\r\n"
 *     conn: wrote "PONG\r\n"
 *     conn: read: end of stream
 *     conn: read: ECONNRESET
 *     conn: shutdown send
 *     conn: closed
 *
 * @param to  Written to in the middle of the calls, cancelled or not, so it should not
 *   wait: one buffer sink for several mocks shows the order of what they did. Its failures
 *   are ignored. A zeroed one ends it.
 * @since 0.1
 */
EIO_API void eio_mock_flow_trace(struct eio_mock_flow *m, struct eio_flow to);

/* Networks */

/** A scripted network; opaque, in its owner's storage from init to fini. */
struct eio_mock_net {
	void *eio_private[56];
};

/**
 * A network that has only what its script says.
 *
 * Without an action left connect gives -ECONNREFUSED, listen and datagram -EADDRNOTAVAIL,
 * getaddrinfo and getnameinfo EIO_EAI(EAI_NONAME), for numbers too. A connection, listener or
 * datagram socket that was given a switch is closed at its end.
 *
 * @param label  For traces; borrowed until fini.
 * @since 0.1
 */
EIO_API struct eio_net eio_mock_net_init(struct eio_mock_net *m, const char *label);

/** Free what the net keeps; nobody may use it any more. @since 0.1 */
EIO_API void eio_mock_net_fini(struct eio_mock_net *m);

/** The mock behind a network, NULL if it is something else: for env->net. @since 0.1 */
EIO_API struct eio_mock_net *eio_mock_net_of(struct eio_net net);

/** Add actions to what connect does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_connect(struct eio_mock_net *m, const struct eio_mock_action *actions,
				 size_t n);

/**
 * Add actions to what connecting to @p addr does, which is a script of its own: it goes on
 * while other addresses are waited for. The script of all others is not used for it.
 *
 * @param addr  Copied.
 * @since 0.1
 */
EIO_API void eio_mock_on_connect_to(struct eio_mock_net *m, const struct eio_addr *addr,
				    const struct eio_mock_action *actions, size_t n);

/** Add actions to what getaddrinfo does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_getaddrinfo(struct eio_mock_net *m, const struct eio_mock_action *actions,
				     size_t n);

/** Add actions to what getnameinfo does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_getnameinfo(struct eio_mock_net *m, const struct eio_mock_action *actions,
				     size_t n);

/** Add actions to what listen does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_listen(struct eio_mock_net *m, const struct eio_mock_action *actions,
				size_t n);

/** Add actions to what eio_net_datagram does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_datagram(struct eio_mock_net *m, const struct eio_mock_action *actions,
				  size_t n);

/** As eio_mock_flow_trace: "net: connect to 127.0.0.1:80", "net: listen on …", "net: datagrams at
 *  …", "net: look up example.org https", "net: names of 127.0.0.1:80", and how they fail, "net:
 *  connect to 127.0.0.1:80: ECONNREFUSED". @since 0.1 */
EIO_API void eio_mock_net_trace(struct eio_mock_net *m, struct eio_flow to);

/** A scripted listener; opaque, in its owner's storage from init to fini. */
struct eio_mock_listener {
	void *eio_private[40];
};

/**
 * A listener whose connections come from a script.
 *
 * When that is used up accept gives -ENODATA, which ends a server; one that is to stay
 * open has an EIO_MOCK_AWAIT at the end. Closing it makes accepts that wait return -EBADF.
 *
 * @param label  For traces; borrowed until fini.
 * @param addr   Copied; NULL: eio_listener_addr gives -ENOTSUP.
 * @since 0.1
 */
EIO_API struct eio_listener eio_mock_listener_init(struct eio_mock_listener *m, const char *label,
						   const struct eio_addr *addr);

/** Free what the listener keeps; nobody may use it any more. @since 0.1 */
EIO_API void eio_mock_listener_fini(struct eio_mock_listener *m);

/** Add actions to what accept does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_accept(struct eio_mock_listener *m, const struct eio_mock_action *actions,
				size_t n);

/** As eio_mock_flow_trace: "server: accepted 10.0.0.1:4000", "server: accept: EMFILE",
 *  "server: closed". @since 0.1 */
EIO_API void eio_mock_listener_trace(struct eio_mock_listener *m, struct eio_flow to);

/** A scripted datagram socket; opaque, in its owner's storage from init to fini. */
struct eio_mock_dgram {
	void *eio_private[48];
};

/**
 * A datagram socket that receives what its script says.
 *
 * Each EIO_MOCK_DATA is a datagram of its own, an empty one too, from somebody without a
 * name; EIO_MOCK_DATA_FROM tells from whom. When the script is used up receiving gives
 * -ENODATA. Sending without a script takes everything, which the trace shows. It has no
 * descriptor.
 *
 * @param label  For traces and errors; borrowed until fini.
 * @param addr   Copied; NULL: eio_dgram_local_addr gives -ENOTSUP.
 * @since 0.1
 */
EIO_API struct eio_dgram eio_mock_dgram_init(struct eio_mock_dgram *m, const char *label,
					     const struct eio_addr *addr);

/** Free what the socket keeps; nobody may use it any more. @since 0.1 */
EIO_API void eio_mock_dgram_fini(struct eio_mock_dgram *m);

/** Add actions to what receiving does; as eio_mock_on_read. @since 0.1 */
EIO_API void eio_mock_on_recv(struct eio_mock_dgram *m, const struct eio_mock_action *actions,
			      size_t n);

/** Add actions to what sending does, as eio_mock_on_read: EIO_MOCK_TAKE takes a datagram of
 *  at most so many bytes, a longer one is -EMSGSIZE. @since 0.1 */
EIO_API void eio_mock_on_send(struct eio_mock_dgram *m, const struct eio_mock_action *actions,
			      size_t n);

/** As eio_mock_flow_trace: "dgram: sent to 10.0.0.1:53 "PING"" (its first 1024 bytes),
 *  "dgram: received from …", "dgram: receive: ECONNREFUSED", "dgram: send: …",
 *  "dgram: closed". @since 0.1 */
EIO_API void eio_mock_dgram_trace(struct eio_mock_dgram *m, struct eio_flow to);

/* Both ends of a connection */

/** A connection in memory; opaque, in its owner's storage from init to fini. */
struct eio_mock_pair {
	void *eio_private[24];
};

/**
 * Make two flows that are connected with each other, for a test that plays the client.
 *
 * They behave like a pair of Unix sockets, but that nothing is reset when an end is closed
 * with bytes it has not read. Reading waits for bytes, writing for room.
 * EIO_SHUT_SEND and close give the other end, once it has read what was sent, the end of
 * the stream; close and EIO_SHUT_RECEIVE make its writes fail with -EPIPE. A close while
 * calls on that very end wait takes effect when they are done. A second reader or writer
 * at a time on one end gets -EBUSY.
 *
 * @param capacity  Bytes on the way in each direction; 0 = 65536.
 * @return 0; end it with eio_mock_pair_fini. -ENOMEM: nothing to end.
 * @cancel Not this call. Reads that wait consume nothing; a write may have handed over a
 *   part, as eio_flow_write tells.
 * @since 0.1
 */
EIO_API int eio_mock_pair_init(struct eio_mock_pair *p, size_t capacity, struct eio_flow *ret_a,
			       struct eio_flow *ret_b);

/** Free the pair, closed or not. Aborts while a fiber waits in it. @since 0.1 */
EIO_API void eio_mock_pair_fini(struct eio_mock_pair *p);

/* Clocks */

/** A clock that moves when told; opaque, in its owner's storage from init to fini. */
struct eio_mock_clock {
	void *eio_private[64];
};

/**
 * A clock that shows 0 and moves only by the calls below.
 *
 * Sleeping and time limits on it work in every domain; what waits for it does not keep
 * eio_mock_run from finding a deadlock.
 *
 * @since 0.1
 */
EIO_API struct eio_clock eio_mock_clock_init(struct eio_mock_clock *m);

/** Take the clock out of use. Aborts while somebody sleeps or a time limit runs on it, but
 *  for those that are for ever (EIO_NEVER), of which it does not know.
 *  @since 0.1 */
EIO_API void eio_mock_clock_fini(struct eio_mock_clock *m);

/** What the clock shows, in nanoseconds. @since 0.1 */
EIO_API int64_t eio_mock_clock_time(const struct eio_mock_clock *m);

/**
 * Set the clock, and fire what is due: earlier deadlines first, equal ones in the order
 * they were set.
 *
 * Sleepers become runnable; they run when the caller waits or yields.
 *
 * @return 0, or, and nothing changes:
 *   -EINVAL  @p ns is before the time it shows
 *   -EPERM   fibers of another domain wait for it
 * @cancel No.
 * @thread The domain whose fibers use the clock; any while none does.
 * @since 0.1
 */
EIO_API int eio_mock_clock_set(struct eio_mock_clock *m, int64_t ns);

/** Set the clock to the next deadline; false if there is none, or in another domain. @since 0.1 */
EIO_API bool eio_mock_clock_advance(struct eio_mock_clock *m);

/* Domains */

/**
 * A domain manager that makes no domains: eio_domain_run runs the function as a fiber of
 * the calling domain, in a switch of its own, eio_domain_run_raw calls it. Options are
 * checked as the ring's manager does, save whether a CPU is there; only the name has an effect.
 *
 * @since 0.1
 */
EIO_API struct eio_domain_mgr eio_mock_domain_mgr(void);

EIO_END_DECLS

#endif
