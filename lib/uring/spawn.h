/* SPDX-License-Identifier: ISC */
/*
 * Starting a program (see <eio/ll_process.h>): the part on both sides of the clone.
 *
 * The child shares the parent's memory, on a stack of its own, and the parent's thread stops
 * until the child executes the program or exits. So nothing is copied, however large the
 * parent is, and the child tells what failed by writing it to where the parent looks. Under
 * Valgrind, which makes a fork of it and does not stop, a failure is exit status 127.
 */
#ifndef EIO__SPAWN_H
#define EIO__SPAWN_H

#include <eio/ll_process.h>

enum { P_PIDFD_ = 3 }; /* older C libraries lack it */

struct eio__child {
	pid_t pid;
	int pidfd; /* close-on-exec */
};

/* 0, or a failure, which has been recorded; then there is no child. */
int eio__spawn(const struct eio_ll_action *actions, size_t n, struct eio__child *ret);

/* In the child of a fork, where no other thread is spawning. */
void eio__spawn_forget(void);

#endif
