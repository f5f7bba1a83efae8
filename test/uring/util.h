/* SPDX-License-Identifier: ISC */
/*
 * What the ring's tests share: descriptors to play with, bytes and threads.
 */
#ifndef EIO_TEST_URING_UTIL_H
#define EIO_TEST_URING_UTIL_H

#include "support.h"

#include <eio/low_level.h>

/* A pipe, and two stream sockets that are connected, closed at the end of @p sw. */
void pipe_on(struct eio_switch *sw, struct eio_fd *r, struct eio_fd *w);
void pair_on(struct eio_switch *sw, struct eio_fd *a, struct eio_fd *b);

/* Two TCP sockets that are connected, with small buffers whose sizes stay as they are. */
void tcp_pair_on(struct eio_switch *sw, struct eio_fd *a, struct eio_fd *b);

/* Writes until there is no room: how much it was. Reads just that much. */
size_t write_until_full(int unix_fd);
void read_off(int unix_fd, size_t len);

/* A socket that listens at @p at (port 0: any), and where it does. */
struct eio_fd listen_on(struct eio_switch *sw, const char *at, struct eio_addr *ret);

/* A fresh file without name, by number and as a handle. */
int temp_file(void);
struct eio_fd file_on(struct eio_switch *sw);

/* The number below a handle. */
int number(struct eio_fd fd);

/* Is the number an open descriptor? */
bool is_open(int unix_fd);

/* Lets the calling domain take its kernel for one without this opcode. */
void forget_opcode(unsigned opcode);

/* How many bytes could be read. */
int readable_bytes(int unix_fd);

/* A pattern that tells one place from another, and whether it is there. */
void fill(void *buf, size_t len, size_t from);
bool is_filled(const void *buf, size_t len, size_t from);

/* Ends @p sw with a cancellation, for what is still waiting in it. */
void end_cancelled(struct eio_switch *sw);

/* The arguments of a shell that runs the script; until the next call. */
const char *const *shell(const char *script);

/* There is no child of any kind, not even one that has ended. */
void expect_no_children(void);

/* The calling domain's free fixed buffers. */
unsigned free_blocks(void);

/* The calling domain's ring takes the kernel for Linux 5.15. */
void forget_opcodes_since_5_16(void);

/* Lets the process lock no more than this, for good. False: that cannot be had. */
bool limit_locked_memory(size_t bytes);

/* The process may open so many descriptors more, until the limit is lifted again. */
void limit_fds(unsigned more);
void lift_fd_limit(void);

/* The process's files may not grow beyond this, until the limit is lifted again. */
void limit_file_size(size_t bytes);
void lift_file_size_limit(void);

/* Between the two no allocation of @p least bytes or more succeeds; 1: none, and then nothing
 * must be asserted there. */
void use_memory_up(size_t least);
void give_memory_back(void);

/* The same, and there are no handles any more but so many. False: sanitizers do not let
 * that be. */
bool use_up_handles(unsigned left);

/* For this process and for good: a system call fails with @p err; io_uring_register does
 * when it is to do @p what with at least @p n of something. */
void forbid_call(unsigned number, int err);
void forbid_register(unsigned what, unsigned n, int err);

/* What threads leave behind the first time (stacks, arenas) is left behind by this. */
void warm_up_threads(unsigned n);

#endif
