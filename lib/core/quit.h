/* SPDX-License-Identifier: ISC */
/*
 * SIGQUIT makes every domain write its dump to stderr at its next poll.
 *
 * The handler is installed by the first run of the process that was asked to, and taken
 * away by the last. It does what eio_event_set does, for each domain. A handler the
 * program had is called afterwards; the default, to die, is what the dump replaces.
 */
#ifndef EIO__QUIT_H
#define EIO__QUIT_H

void eio__quit_begin(void);
void eio__quit_end(void);

/* In the child of a fork, where no run goes on: as before the first. */
void eio__quit_forget(void);

#endif
