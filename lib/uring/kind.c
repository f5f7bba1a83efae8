/* SPDX-License-Identifier: ISC */
#include "uring/kind.h"
#include "base/known.h"

#include <stddef.h>
#include <string.h>

/* From <linux/mount.h>, which older kernel headers lack; Linux 6.8. */
struct mount_request {
	uint32_t size, zero;
	uint64_t mount, wanted;
};

struct mount_answer {
	uint32_t size, opts;
	uint64_t mask;
	uint32_t dev_major, dev_minor;
	uint64_t magic; /* of the file system's type */
};

enum { STATMOUNT = 457, STATMOUNT_BASIC = 1, MNT_ID_UNIQUE = 0x4000 };

/* Types by the numbers of <linux/magic.h>, of which it has only some. */
static enum eio__answers answers_of_type(uint64_t magic)
{
	switch (magic) {
	case 0x00006969: /* NFS */
	case 0x0000517b: /* SMB */
	case 0x00c36400: /* Ceph */
	case 0x01021997: /* 9P */
	case 0x01161970: /* GFS2 */
	case 0x0bd00bd0: /* Lustre */
	case 0x20030528: /* OrangeFS */
	case 0x5346414f: /* OpenAFS */
	case 0x65735546: /* FUSE */
	case 0x6b414653: /* AFS */
	case 0x73757245: /* Coda */
	case 0x7461636f: /* OCFS2 */
	case 0x786f4256: /* VirtualBox */
	case 0xfe534d42: /* SMB2 */
	case 0xff534d42: /* CIFS */
		return EIO__BY_SERVER;
	case 0x0000f15f: /* eCryptfs */
	case 0x794c7630: /* overlayfs: whatever is below */
		return EIO__BY_ANYBODY;
	}
	return EIO__BY_KERNEL;
}

/* Asks nobody but the kernel. One that is not to be seen from here, as a pipe's, is not known. */
static enum eio__answers ask_mount(uint64_t mount)
{
	struct mount_request q = {.size = sizeof(q), .mount = mount, .wanted = STATMOUNT_BASIC};
	struct mount_answer a = {.mask = 0};

	if (syscall(STATMOUNT, &q, &a, sizeof(a), 0) < 0 || !(a.mask & STATMOUNT_BASIC))
		return EIO__BY_ANYBODY;
	return answers_of_type(a.magic);
}

/* The mounts that were asked about last: the number, and in the two lowest bits the answer. */
enum { MOUNTS = 64 };
static uint64_t mounts[MOUNTS];

/* The number lies behind stx_dev_minor; older C libraries have no name for it. */
static uint64_t number_of_mount(const struct statx *stx)
{
	size_t at = offsetof(struct statx, stx_dev_minor) + sizeof(stx->stx_dev_minor);
	uint64_t number;

	memcpy(&number, (const char *) stx + at, sizeof(number));
	return number;
}

enum eio__answers eio__answers_of(const struct statx *stx)
{
	uint64_t number = number_of_mount(stx), *place = &mounts[number % MOUNTS], known;

	if (!(stx->stx_mask & MNT_ID_UNIQUE))
		return EIO__BY_ANYBODY;
	known = __atomic_load_n(place, __ATOMIC_RELAXED);
	if (known >> 2 != number) {
		known = number << 2 | ask_mount(number);
		__atomic_store_n(place, known, __ATOMIC_RELAXED);
	}
	return (enum eio__answers)(known & 3);
}

enum eio__answers eio__answers_at(int at, const char *path)
{
	struct statx stx;
	int rc = eio__known_at(at, path, EIO__STATX_MOUNT, &stx);

	return rc < 0 ? EIO__BY_ANYBODY : eio__answers_of(&stx);
}

static unsigned flags_of(const struct statx *stx)
{
	bool on_disk = S_ISREG(stx->stx_mode) || S_ISBLK(stx->stx_mode);
	bool served = eio__answers_of(stx) == EIO__BY_SERVER;

	return (on_disk ? EIO__FD_ON_DISK : 0) | (served ? EIO__FD_SERVED : 0);
}

/* Apart from the calls that ask, which keeps their frames small. */
__attribute__((cold, noinline)) unsigned eio__kind_look(struct eio__slot *s, struct eio_fd fd)
{
	unsigned flags = EIO__FD_KIND_KNOWN;
	int unix_fd = eio__fd_use(fd);
	struct statx stx;

	if (unix_fd < 0)
		return 0;
	if (eio__known(unix_fd, STATX_TYPE | EIO__STATX_MOUNT, &stx) == 0)
		flags |= flags_of(&stx);
	flags |= __atomic_fetch_or(&s->flags, flags, __ATOMIC_RELAXED);
	eio__slot_unuse(s);
	return flags;
}
