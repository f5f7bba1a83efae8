/* SPDX-License-Identifier: ISC */
/*
 * SIGQUIT makes every domain write its dump to stderr at its next poll.
 *
 * The handler is there while a run is that was asked to (core/handler.h). It does what
 * eio_event_set does, for each domain. A handler the program had is called afterwards; the
 * default, to die, is what the dump replaces.
 */
#ifndef EIO__QUIT_H
#define EIO__QUIT_H

void eio__quit_begin(void);
void eio__quit_end(void);

#endif
