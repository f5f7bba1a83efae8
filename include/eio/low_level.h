/* SPDX-License-Identifier: ISC */
/*
 * The ring itself: one suspending call per operation, and any operation at all.
 *
 * A call here submits one io_uring entry and suspends the fiber until the kernel's
 * final completion; buffers are the kernel's until then. What cannot wait and costs less
 * that way is a system call of the fiber's own thread; what the kernel has no entry for, and
 * may wait, one of another thread (ll_thread.h). doc/low_level.md says which is which, and
 * what older kernels get. Unless said otherwise a call returns
 *   -ECANCELED  the caller's context was cancelled before it completed
 *   -EBADF      the handle is closed
 *   -EPERM      this thread runs no domain
 * and the negative errno of the operation. A result >= 0 is delivered although a
 * cancellation came meanwhile. eio_last_error() names operation and path.
 *
 * Fibers of any domain; handles may be shared between domains. Since 0.1.
 */
#ifndef EIO_LOW_LEVEL_H
#define EIO_LOW_LEVEL_H

#include <eio/ll_any.h>
#include <eio/ll_attr.h>
#include <eio/ll_buffers.h>
#include <eio/ll_dir.h>
#include <eio/ll_direct.h>
#include <eio/ll_file.h>
#include <eio/ll_fixed.h>
#include <eio/ll_futex.h>
#include <eio/ll_msg.h>
#include <eio/ll_multi.h>
#include <eio/ll_name.h>
#include <eio/ll_pipe.h>
#include <eio/ll_process.h>
#include <eio/ll_random.h>
#include <eio/ll_resolve.h>
#include <eio/ll_rw.h>
#include <eio/ll_sendmsg.h>
#include <eio/ll_socket.h>
#include <eio/ll_thread.h>
#include <eio/ll_zc.h>
#include <liburing.h>

#endif
