/* SPDX-License-Identifier: ISC */
/*
 * What ends with a bound socket besides its descriptor: the file of a Unix one, and the
 * hook that closes the socket at the end of its switch.
 *
 * The value of a listener or datagram socket holds the descriptor only, so that a stale
 * one is harmless, and may be closed by any domain. So the records are found by handle,
 * in one list for the process, which is empty unless such sockets are open. Its lock is
 * held for the list and the hook alone.
 *
 * States of a record: listed; taken off the list by whoever ends the socket first, the
 * hook or a close. A close from the hook's own domain also detaches the hook and frees
 * the record; from another domain it must leave both to the hook. Whoever takes a record
 * off works on a copy of its file.
 *
 * The file goes before the descriptor: as long as somebody has the socket open nobody
 * else replaces the file, so the inode number tells ours from another's.
 */
#include "io/bound.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/error.h"

#include <eio/low_level.h>
#include <eio/switch.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct socket_file {
	char path[sizeof(((struct sockaddr_un *) 0)->sun_path) + 1]; /* "": no file */
	dev_t dev;
	ino_t ino;
};

struct record {
	struct eio__list link;
	struct eio_hook hook;
	struct eio_switch *sw; /* NULL: no hook */
	struct eio_fd fd;
	eio__close_fn *close;
	struct socket_file file;
};

static struct {
	struct eio__lock lock;
	struct eio__list head; /* next == NULL: never used */
} records;

/* Files */

/* Notes the file an address names; false if it names none, or no socket. */
static bool find_file(const struct eio_addr *addr, struct socket_file *ret)
{
	const struct sockaddr *sa;
	struct stat st;
	size_t len;

	*ret = (struct socket_file){.path = ""};
	sa = eio_addr_sockaddr(addr, &len);
	if (sa->sa_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
		return false;
	memcpy(ret->path, ((const struct sockaddr_un *) sa)->sun_path, sizeof(ret->path) - 1);
	if (lstat(ret->path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		ret->path[0] = '\0';
		return false;
	}
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return ret->path[0] != '\0';
}

static bool remove_file(const struct socket_file *f)
{
	struct stat st;

	return f->path[0] && lstat(f->path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_dev == f->dev && st.st_ino == f->ino && unlink(f->path) == 0;
}

/* Asks with another type of socket: it is refused if nobody is there, and told so if
 * somebody is, who does not notice, and need not listen yet. */
static bool remove_stale_socket(const struct eio_addr *addr)
{
	struct socket_file file;
	const struct sockaddr *sa;
	bool refused;
	size_t len;
	int fd;

	if (!find_file(addr, &file))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	sa = eio_addr_sockaddr(addr, &len);
	refused = connect(fd, sa, (socklen_t) len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused && remove_file(&file);
}

/* The low level names the address when it fails. */
int eio__bind(struct eio_fd fd, const struct eio_addr *addr, bool replace)
{
	int rc = eio_ll_bind(fd, addr);

	if (rc == -EADDRINUSE && replace && remove_stale_socket(addr))
		rc = eio_ll_bind(fd, addr);
	return rc;
}

/* Records */

/* In the child of a fork: the files are the parent's to remove. */
static void forget(void)
{
	eio__list_init(&records.head);
	eio__unlock(&records.lock);
}

static void enlist(struct record *r)
{
	eio__lock(&records.lock);
	if (!records.head.next) {
		eio__list_init(&records.head);
		pthread_atfork(NULL, NULL, forget);
	}
	eio__list_insert(&records.head, &r->link);
	eio__unlock(&records.lock);
}

static struct record *find(struct eio_fd fd)
{
	struct eio__list *it;

	if (!records.head.next)
		return NULL;
	eio__list_foreach(it, &records.head) {
		struct record *r = eio__container_of(it, struct record, link);

		if (r->fd.slot == fd.slot && r->fd.generation == fd.generation)
			return r;
	}
	return NULL;
}

/* The end of the switch: the socket may have been closed before. */
static int release(void *arg)
{
	struct record *r = arg;
	bool listed;

	eio__lock(&records.lock);
	listed = eio__list_linked(&r->link);
	if (listed)
		eio__list_remove(&r->link);
	eio__unlock(&records.lock);
	if (listed) {
		remove_file(&r->file);
		r->close(r->fd);
	}
	free(r);
	return 0;
}

int eio__bound_begin(struct eio_switch *sw, struct eio_fd fd, const struct eio_addr *addr,
		     eio__close_fn *close)
{
	struct record *r = malloc(sizeof(*r));
	struct socket_file file;
	int rc = 0;

	find_file(addr, &file);
	if (!r) {
		remove_file(&file);
		eio_fd_close(fd);
		return eio__fail(-ENOMEM, "bind", NULL);
	}
	*r = (struct record){.sw = sw, .fd = fd, .close = close, .file = file};
	enlist(r);
	if (sw)
		rc = eio_on_release(sw, &r->hook, release, r);
	/* A finished switch has run the hook at once; a foreign one has not taken it. */
	if (rc == -EPERM)
		release(r);
	return rc;
}

/* The switch of a listed record has not run its hook, so it is still there. */
int eio__bound_end(struct eio_fd fd, eio__close_fn *close)
{
	struct socket_file file = {.path = ""};
	struct record *r, *to_free = NULL;

	eio__lock(&records.lock);
	r = find(fd);
	if (r) {
		eio__list_remove(&r->link);
		file = r->file;
		if (!r->sw || (eio_switch_check(r->sw) != -EPERM && eio_hook_remove(&r->hook)))
			to_free = r;
	}
	eio__unlock(&records.lock);
	free(to_free);
	remove_file(&file);
	return close(fd);
}
