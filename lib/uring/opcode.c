/* SPDX-License-Identifier: ISC */
#include "uring/opcode.h"
#include "uring/direct.h"
#include "uring/newer.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Those of Linux 6.16; newer ones are told by number. */
static const char *const names[] = {
	[IORING_OP_NOP] = "nop",
	[IORING_OP_READV] = "readv",
	[IORING_OP_WRITEV] = "writev",
	[IORING_OP_FSYNC] = "fsync",
	[IORING_OP_READ_FIXED] = "read_fixed",
	[IORING_OP_WRITE_FIXED] = "write_fixed",
	[IORING_OP_POLL_ADD] = "poll",
	[IORING_OP_POLL_REMOVE] = "poll_remove",
	[IORING_OP_SYNC_FILE_RANGE] = "sync_file_range",
	[IORING_OP_SENDMSG] = "sendmsg",
	[IORING_OP_RECVMSG] = "recvmsg",
	[IORING_OP_TIMEOUT] = "timeout",
	[IORING_OP_TIMEOUT_REMOVE] = "timeout_remove",
	[IORING_OP_ACCEPT] = "accept",
	[IORING_OP_ASYNC_CANCEL] = "cancel",
	[IORING_OP_LINK_TIMEOUT] = "link_timeout",
	[IORING_OP_CONNECT] = "connect",
	[IORING_OP_FALLOCATE] = "fallocate",
	[IORING_OP_OPENAT] = "openat",
	[IORING_OP_CLOSE] = "close",
	[IORING_OP_FILES_UPDATE] = "files_update",
	[IORING_OP_STATX] = "statx",
	[IORING_OP_READ] = "read",
	[IORING_OP_WRITE] = "write",
	[IORING_OP_FADVISE] = "fadvise",
	[IORING_OP_MADVISE] = "madvise",
	[IORING_OP_SEND] = "send",
	[IORING_OP_RECV] = "recv",
	[IORING_OP_OPENAT2] = "openat2",
	[IORING_OP_EPOLL_CTL] = "epoll_ctl",
	[IORING_OP_SPLICE] = "splice",
	[IORING_OP_PROVIDE_BUFFERS] = "provide_buffers",
	[IORING_OP_REMOVE_BUFFERS] = "remove_buffers",
	[IORING_OP_TEE] = "tee",
	[IORING_OP_SHUTDOWN] = "shutdown",
	[IORING_OP_RENAMEAT] = "renameat",
	[IORING_OP_UNLINKAT] = "unlinkat",
	[IORING_OP_MKDIRAT] = "mkdirat",
	[IORING_OP_SYMLINKAT] = "symlinkat",
	[IORING_OP_LINKAT] = "linkat",
	[IORING_OP_MSG_RING] = "msg_ring",
	[IORING_OP_FSETXATTR] = "fsetxattr",
	[IORING_OP_SETXATTR] = "setxattr",
	[IORING_OP_FGETXATTR] = "fgetxattr",
	[IORING_OP_GETXATTR] = "getxattr",
	[IORING_OP_SOCKET] = "socket",
	[IORING_OP_URING_CMD] = "uring_cmd",
	[IORING_OP_SEND_ZC] = "send_zc",
	[IORING_OP_SENDMSG_ZC] = "sendmsg_zc",
	[EIO__OP_READ_MULTISHOT] = "read_multishot",
	[EIO__OP_WAITID] = "waitid",
	[EIO__OP_FUTEX_WAIT] = "futex_wait",
	[EIO__OP_FUTEX_WAKE] = "futex_wake",
	[EIO__OP_FUTEX_WAITV] = "futex_waitv",
	[EIO__OP_FIXED_FD_INSTALL] = "fixed_fd_install",
	[EIO__OP_FTRUNCATE] = "ftruncate",
	[EIO__OP_BIND] = "bind",
	[EIO__OP_LISTEN] = "listen",
	[EIO__OP_RECV_ZC] = "recv_zc",
	[EIO__OP_EPOLL_WAIT] = "epoll_wait",
	[EIO__OP_READV_FIXED] = "readv_fixed",
	[EIO__OP_WRITEV_FIXED] = "writev_fixed",
	[EIO__OP_PIPE] = "pipe",
};

/* For some it is no descriptor, but a count, a family of addresses or an index; for those that
 * are not known nobody knows. */
static int descriptor(unsigned opcode, int fd)
{
	switch (opcode) {
	case IORING_OP_NOP:
	case IORING_OP_SETXATTR:
	case IORING_OP_GETXATTR:
	case IORING_OP_PROVIDE_BUFFERS:
	case IORING_OP_REMOVE_BUFFERS:
	case IORING_OP_SOCKET:
	case EIO__OP_WAITID:
	case EIO__OP_FUTEX_WAIT:
	case EIO__OP_FUTEX_WAKE:
	case EIO__OP_FUTEX_WAITV:
	case EIO__OP_FIXED_FD_INSTALL:
	case EIO__OP_PIPE:
		return -1;
	}
	return opcode < COUNT(names) ? fd : -1;
}

void eio__opcode_describe(unsigned opcode, int fd, const char *more, char *buf, size_t size)
{
	char what[32], on[32] = "";

	if (opcode < COUNT(names))
		snprintf(what, sizeof(what), "%s", names[opcode]);
	else
		snprintf(what, sizeof(what), "opcode %u", opcode);
	if (eio__is_indexed(fd))
		snprintf(on, sizeof(on), " on file %u", eio__index_of_target(fd));
	else if (descriptor(opcode, fd) >= 0)
		snprintf(on, sizeof(on), " on fd %d", fd);
	snprintf(buf, size, "%s%s%s", what, on, more);
}
