#include "apply/filestate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.h"
#include "host/file.h"

/* What grows between two calls is asked for again, so often. */
#define ATTEMPTS_MAX 8

/* How often a file that is being changed is read again. */
#define READS_MAX 5

static void xattrs_done(struct filestate *state)
{
	for (size_t i = 0; i < state->xattr_count; i++) {
		free(state->xattrs[i].name);
		free(state->xattrs[i].value);
	}
	free(state->xattrs);
	state->xattrs = NULL;
	state->xattr_count = 0;
}

void filestate_done(struct filestate *state)
{
	free(state->data);
	xattrs_done(state);
	*state = (struct filestate){.exists = false};
}

/* ---- extended attributes ---- */

bool xattr_is_given(const char *name)
{
	return strcmp(name, "security.selinux") == 0 ||
	       text_starts_with(name, "security.SMACK64") || text_starts_with(name, "system.nfs4_");
}

/* Sums over the bytes and attributes of one very file: a copy of them would be wrong for another,
 * and the kernel makes its own. */
static bool is_checksum(const char *name)
{
	return strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0;
}

const struct xattr *filestate_xattr(const struct filestate *state, const char *name)
{
	for (size_t i = 0; i < state->xattr_count; i++)
		if (strcmp(state->xattrs[i].name, name) == 0)
			return &state->xattrs[i];
	return NULL;
}

/* The names, each with its terminator; none where the file system knows no attributes. */
static int list_names(int fd, const char *path, char **ret, size_t *ret_length, struct error *error)
{
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
		ssize_t size = flistxattr(fd, NULL, 0);
		if (size < 0 && errno == ENOTSUP)
			size = 0;
		if (size < 0)
			return error_set_errno(error, errno, "read attributes of", path);

		cleanup_free char *names = calloc(1, (size_t)size + 1);
		if (!names)
			return error_set_oom(error);
		ssize_t length = size ? flistxattr(fd, names, (size_t)size) : 0;
		if (length < 0 && errno == ERANGE)
			continue;
		if (length < 0)
			return error_set_errno(error, errno, "read attributes of", path);
		*ret = take_ptr(names);
		*ret_length = (size_t)length;
		return 0;
	}
	return error_set(error, -EAGAIN, "read attributes of", path,
			 "they change all the time while they are read");
}

/* A value that is empty stays NULL. -ENODATA: it is gone, or cannot be had here. */
static int read_value(int fd, const char *path, struct xattr *xattr, struct error *error)
{
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
		ssize_t size = fgetxattr(fd, xattr->name, NULL, 0);
		if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
			return -ENODATA;
		if (size < 0)
			return error_set_errno(error, errno, "read attributes of", path);
		if (size == 0)
			return 0;

		cleanup_free unsigned char *value = malloc((size_t)size);
		if (!value)
			return error_set_oom(error);
		size = fgetxattr(fd, xattr->name, value, (size_t)size);
		if (size < 0 && errno == ERANGE)
			continue;
		if (size < 0 && errno == ENODATA)
			return -ENODATA;
		if (size < 0)
			return error_set_errno(error, errno, "read attributes of", path);
		xattr->size = (size_t)size;
		xattr->value = size ? take_ptr(value) : NULL;
		return 0;
	}
	return error_set(error, -EAGAIN, "read attributes of", path,
			 "they change all the time while they are read");
}

static int add_xattr(int fd, const char *path, const char *name, struct filestate *state,
		     struct error *error)
{
	struct xattr *xattrs =
		reallocarray(state->xattrs, state->xattr_count + 1, sizeof *state->xattrs);
	if (!xattrs)
		return error_set_oom(error);
	state->xattrs = xattrs;

	struct xattr xattr = {.name = strdup(name)};
	int r = xattr.name ? read_value(fd, path, &xattr, error) : error_set_oom(error);
	if (r < 0) {
		free(xattr.name);
		return r == -ENODATA ? 0 : r;
	}
	xattrs[state->xattr_count++] = xattr;
	return 0;
}

static int compare_xattrs(const void *a, const void *b)
{
	const struct xattr *left = a;
	const struct xattr *right = b;

	return strcmp(left->name, right->name);
}

static int read_xattrs(int fd, const char *path, struct filestate *state, struct error *error)
{
	cleanup_free char *names = NULL;
	size_t length = 0;

	int r = list_names(fd, path, &names, &length, error);
	for (size_t at = 0; r == 0 && at < length; at += strlen(names + at) + 1)
		if (!is_checksum(names + at))
			r = add_xattr(fd, path, names + at, state, error);
	if (r == 0 && state->xattr_count)
		qsort(state->xattrs, state->xattr_count, sizeof *state->xattrs, compare_xattrs);
	return r;
}

/* ---- reading ---- */

int filestate_read_attributes(int fd, const char *path, struct filestate *ret, struct error *error)
{
	cleanup_filestate struct filestate state = {.exists = true};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "read attributes of", path);
	state.folder = S_ISDIR(st.st_mode);
	state.uid = st.st_uid;
	state.gid = st.st_gid;
	state.mode = st.st_mode & 07777;
	state.mtime = st.st_mtim;
	state.socket = S_ISSOCK(st.st_mode);
	int r = state.socket ? 0 : read_xattrs(fd, path, &state, error);
	if (r < 0)
		return r;
	*ret = state;
	state = (struct filestate){.exists = false};
	return 0;
}

static bool same_moment(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The time of change covers extended attributes too, as exactly as the kernel's clock ticks; that
 * of a folder also changes with what is in it, which does not matter here. */
static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	if (a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_mode != b->st_mode ||
	    a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return false;
	return S_ISDIR(a->st_mode) ||
	       (a->st_size == b->st_size && same_moment(a->st_mtim, b->st_mtim) &&
		same_moment(a->st_ctim, b->st_ctim));
}

/* file_read(), for which a file that this user may not read is no error. */
static int read_allowed(const char *path, struct text_file *file, struct error *error)
{
	int r = file_read(path, CONFIG_SIZE_MAX, file, error);

	if (r == 0 && file->state == FILE_UNREADABLE)
		return error_set(error, -EACCES, "read", path,
				 "this user may not read it: run harden as root");
	return r;
}

/* stat() has failed: file_read() tells what that means. */
static int without_stat(const char *path, struct filestate *ret, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};

	int r = read_allowed(path, &file, error);
	if (r < 0)
		return r;
	if (file.state == FILE_READ)
		return -EAGAIN;
	*ret = (struct filestate){.exists = false};
	return 0;
}

static int read_bytes(const char *path, struct filestate *state, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};

	int r = read_allowed(path, &file, error);
	if (r < 0)
		return r;
	if (file.state == FILE_ABSENT)
		return -EAGAIN;
	sha256_hex(file.data, file.length, state->sha256);
	state->length = file.length;
	state->data = take_ptr(file.data);
	return 0;
}

/* One attempt: -EAGAIN, and no error set, when the file has changed meanwhile. */
static int read_once(const char *path, struct filestate *ret, struct error *error)
{
	cleanup_filestate struct filestate bytes = {.exists = false};
	cleanup_filestate struct filestate state = {.exists = false};
	struct stat before;
	struct stat after;

	if (stat(path, &before) < 0)
		return without_stat(path, ret, error);
	bool socket = S_ISSOCK(before.st_mode);
	int r = socket || S_ISDIR(before.st_mode) ? 0 : read_bytes(path, &bytes, error);
	if (r < 0)
		return r;

	/* A socket cannot be opened otherwise. */
	cleanup_close int fd = open(path, socket ? O_PATH | O_CLOEXEC
						 : O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -EAGAIN;
	if (fd < 0)
		return error_set_errno(error, errno, "read", path);
	r = filestate_read_attributes(fd, path, &state, error);
	if (r < 0)
		return r;
	if (fstat(fd, &after) < 0)
		return error_set_errno(error, errno, "read", path);
	if (!is_unchanged(&before, &after))
		return -EAGAIN;

	state.data = take_ptr(bytes.data);
	state.length = bytes.length;
	memcpy(state.sha256, bytes.sha256, sizeof state.sha256);
	*ret = state;
	state = (struct filestate){.exists = false};
	return 0;
}

int filestate_read(const char *path, struct filestate *ret, struct error *error)
{
	struct error local = ERROR_NONE;

	if (!error)
		error = &local;
	for (unsigned i = 0; i < READS_MAX; i++) {
		int r = read_once(path, ret, error);
		if (r != -EAGAIN || error->code)
			return r;
	}
	return error_set(error, -EAGAIN, "read", path,
			 "somebody changes it all the time while it is read: try again later");
}

/* ---- copies and comparisons ---- */

/* Allocates one byte more than asked for, which is a terminator. */
static void *copy_bytes(const void *bytes, size_t length)
{
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

static int copy_xattrs(const struct filestate *state, struct filestate *copy, struct error *error)
{
	if (!state->xattr_count)
		return 0;
	copy->xattrs = calloc(state->xattr_count, sizeof *copy->xattrs);
	if (!copy->xattrs)
		return error_set_oom(error);
	for (size_t i = 0; i < state->xattr_count; i++) {
		const struct xattr *from = &state->xattrs[i];
		struct xattr *to = &copy->xattrs[copy->xattr_count++];

		to->name = strdup(from->name);
		to->size = from->size;
		to->value = from->size ? copy_bytes(from->value, from->size) : NULL;
		if (!to->name || (from->size && !to->value))
			return error_set_oom(error);
	}
	return 0;
}

static int copy_attributes(const struct filestate *state, struct filestate *copy,
			   struct error *error)
{
	copy->exists = state->exists;
	copy->folder = state->folder;
	copy->socket = state->socket;
	copy->uid = state->uid;
	copy->gid = state->gid;
	copy->mode = state->mode;
	copy->mtime = state->mtime;
	return copy_xattrs(state, copy, error);
}

int filestate_copy(const struct filestate *state, struct filestate *ret, struct error *error)
{
	cleanup_filestate struct filestate copy = {.exists = false};

	int r = copy_attributes(state, &copy, error);
	if (r < 0)
		return r;
	if (state->data) {
		copy.data = copy_bytes(state->data, state->length);
		if (!copy.data)
			return error_set_oom(error);
	}
	copy.length = state->length;
	memcpy(copy.sha256, state->sha256, sizeof copy.sha256);
	*ret = copy;
	copy = (struct filestate){.exists = false};
	return 0;
}

int filestate_with_bytes(const struct filestate *state, const char *bytes, size_t length,
			 struct filestate *ret, struct error *error)
{
	cleanup_filestate struct filestate copy = {.exists = false};

	if (state->folder || state->socket)
		return error_set(error, -EISDIR, "write", NULL, "this is a %s, not a file",
				 state->folder ? "folder" : "socket");
	int r = copy_attributes(state, &copy, error);
	if (r < 0)
		return r;
	if (!state->exists)
		copy.mode = 0644;
	copy.exists = true;
	copy.mtime = (struct timespec){.tv_sec = 0};
	copy.data = copy_bytes(bytes, length);
	if (!copy.data)
		return error_set_oom(error);
	copy.length = length;
	sha256_hex(bytes, length, copy.sha256);
	*ret = copy;
	copy = (struct filestate){.exists = false};
	return 0;
}

bool filestate_same_content(const struct filestate *a, const struct filestate *b)
{
	if (!a->exists || !b->exists)
		return a->exists == b->exists;
	return a->folder == b->folder && a->socket == b->socket &&
	       (a->folder || a->socket || strcmp(a->sha256, b->sha256) == 0);
}

/* Whether b has the same value for each of a's attributes. */
static bool has_xattrs_of(const struct filestate *a, const struct filestate *b)
{
	for (size_t i = 0; i < a->xattr_count; i++) {
		const struct xattr *mine = &a->xattrs[i];
		const struct xattr *theirs = filestate_xattr(b, mine->name);

		if (!theirs && xattr_is_given(mine->name))
			continue;
		if (!theirs || mine->size != theirs->size ||
		    (mine->size && memcmp(mine->value, theirs->value, mine->size) != 0))
			return false;
	}
	return true;
}

bool filestate_same(const struct filestate *a, const struct filestate *b)
{
	if (!filestate_same_content(a, b))
		return false;
	return !a->exists || (a->uid == b->uid && a->gid == b->gid && a->mode == b->mode &&
			      has_xattrs_of(a, b) && has_xattrs_of(b, a));
}
