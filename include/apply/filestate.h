/* What a file is at one moment: whether it exists, its bytes, owner, mode, extended attributes
 * (access control lists and security labels among them) and modification time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sha256.h"

struct xattr {
	char *name;
	unsigned char *value; /* NULL when size is 0 */
	size_t size;
};

struct filestate {
	bool exists; /* when false, nothing else is set */
	bool folder; /* then there are only attributes */
	bool socket; /* the same, and no extended ones: those of a socket cannot be reached */
	char *data;  /* terminated; NULL for a folder, or where it was not asked for */
	size_t length;
	char sha256[SHA256_HEX_SIZE]; /* of the bytes; "" for a folder */
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permission bits, 07777 */
	struct timespec mtime;
	struct xattr *xattrs; /* sorted by name */
	size_t xattr_count;
};

void filestate_done(struct filestate *state);
#define cleanup_filestate scoped(filestate_done)

/* Reads what is at path, a regular file of at most CONFIG_SIZE_MAX bytes, a folder or a socket;
 * symlinks are followed. Nothing there (or a dangling link): exists is false. A file that cannot be
 * opened is an error here, and so is a FIFO or device. File systems without extended attributes
 * give none. A file that somebody changes meanwhile is read again; -EAGAIN when that does not end.
 */
int filestate_read(const char *path, struct filestate *ret, struct error *error);

/* The attributes alone (folder, socket, uid, gid, mode, mtime, xattrs) of what is open at fd, a
 * socket with O_PATH; path is for messages. */
int filestate_read_attributes(int fd, const char *path, struct filestate *ret, struct error *error);

/* Security labels and the like, which the kernel gives to each new file by itself: a file that has
 * one where none was recorded is not another file. */
bool xattr_is_given(const char *name);

/* The attribute with this name, or NULL. */
const struct xattr *filestate_xattr(const struct filestate *state, const char *name);

/* A deep copy. */
int filestate_copy(const struct filestate *state, struct filestate *ret, struct error *error);

/* A copy of *state, a file, with other bytes (state may be absent: then owner root, mode 0644, no
 * attributes). mtime of the result is zero, which means "now" to a writer. */
int filestate_with_bytes(const struct filestate *state, const char *bytes, size_t length,
			 struct filestate *ret, struct error *error);

/* Both absent, both folders, both sockets, or the same bytes (by their hashes). */
bool filestate_same_content(const struct filestate *a, const struct filestate *b);

/* The same content, owner, mode and extended attributes (of those that the kernel gives, only ones
 * that both have are compared). The modification time does not count. */
bool filestate_same(const struct filestate *a, const struct filestate *b);
