#include "apply/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/text.h"

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x00002000
#endif

/* The sentence for a system call that failed. */
static int failed(int errno_value, const char *step, const char *path, struct error *error)
{
	const char *text = NULL;

	if (errno_value == ENOSPC)
		text = "no space is left on its file system: free some and try again";
	else if (errno_value == EDQUOT)
		text = "the disk quota is used up: free some space or raise it";
	else if (errno_value == EROFS)
		text = "its file system is read-only: mount it writable and try again";
	else if (errno_value == EBUSY)
		text = "something is mounted on it (a bind mount?): unmount that, or change the "
		       "file that it comes from";
	else
		return error_set_errno(error, errno_value, step, path);
	return error_set(error, -errno_value, step, path, "%s", text);
}

/* ---- folders ---- */

/* Where a file is: an open folder, and the file's name in it. */
struct place {
	int folder;
	const char *name; /* a part of path */
	const char *path;
	char *folder_path;
};

static void place_done(struct place *place)
{
	if (place->folder >= 0)
		(void)close(place->folder);
	free(place->folder_path);
}

/* The path of the folder that a file is in; NULL when out of memory. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

#define cleanup_place scoped(place_done)
#define PLACE_NONE ((struct place){.folder = -1})

static int find_place(const char *path, const char *step, struct place *ret, struct error *error)
{
	cleanup_free char *folder = folder_of(path);

	if (!folder)
		return error_set_oom(error);
	if (!*name_of(path))
		return error_set(error, -EINVAL, step, path, "this names no file");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(errno, step, path, error);
	*ret = (struct place){
		.folder = fd, .name = name_of(path), .path = path, .folder_path = take_ptr(folder)};
	return 0;
}

static int sync_fd(int fd, const char *path, struct error *error)
{
	if (fsync(fd) < 0)
		return failed(errno, "sync", path, error);
	return 0;
}

static int sync_folder(const struct place *place, struct error *error)
{
	return sync_fd(place->folder, place->folder_path, error);
}

/* ---- checks ---- */

static int look_at(const char *path, struct statx *ret)
{
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, ret) < 0 ? -errno : 0;
}

static int check_flags(const struct statx *stx, const char *what, const char *path,
		       struct error *error)
{
	if (stx->stx_attributes & STATX_ATTR_IMMUTABLE)
		return error_set(error, -EPERM, "check", path,
				 "the %s is immutable; run `chattr -i %s` first", what, path);
	if (stx->stx_attributes & STATX_ATTR_APPEND)
		return error_set(error, -EPERM, "check", path,
				 "the %s is append-only; run `chattr -a %s` first", what, path);
	return 0;
}

static int check_mount(const char *folder, const char *path, struct error *error)
{
	struct statvfs vfs;

	if (statvfs(folder, &vfs) < 0)
		return failed(errno, "check", folder, error);
	if (vfs.f_flag & ST_RDONLY)
		return error_set(
			error, -EROFS, "check", path,
			"the file system at %s is mounted read-only; mount it writable first",
			folder);
	return 0;
}

/* A folder in which something is to be created, renamed and removed. */
static int check_folder(const char *folder, const char *path, struct error *error)
{
	struct statx stx;

	int r = statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS, &stx) < 0 ? -errno : 0;
	if (r < 0)
		return failed(-r, "check", folder, error);
	if (!S_ISDIR(stx.stx_mode))
		return error_set(error, -ENOTDIR, "check", path,
				 "%s stands where a folder is needed; move it away", folder);
	r = check_mount(folder, path, error);
	if (r == 0)
		r = check_flags(&stx, "folder", folder, error);
	if (r == 0 && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
		return error_set(error, -errno, "check", path,
				 "this user may not write in the folder %s; run harden as root",
				 folder);
	return r;
}

static int check_target(const struct statx *stx, const char *path, struct error *error)
{
	bool folder = S_ISDIR(stx->stx_mode);

	if (S_ISLNK(stx->stx_mode))
		return error_set(error, -ELOOP, "check", path,
				 "this is a symbolic link; the file that it leads to is needed");
	/* Of a socket, as of a folder, only owner and mode change. */
	if (S_ISSOCK(stx->stx_mode))
		return 0;
	if (!folder && !S_ISREG(stx->stx_mode))
		return error_set(error, -EINVAL, "check", path,
				 "this is neither a file nor a folder; move it away");
	/* Of a folder only attributes change, for which a mount is no obstacle. */
	if (!folder && stx->stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return error_set(error, -EBUSY, "check", path,
				 "this is a mount point of its own, so it cannot be replaced; run "
				 "`umount %s` first, or change the file that is mounted there",
				 path);
	return check_flags(stx, folder ? "folder" : "file", path, error);
}

/* The nearest folder above path that exists: it has to take those that do not. */
static int nearest_folder(const char *path, char **ret, struct error *error)
{
	cleanup_free char *folder = folder_of(path);
	struct statx stx;

	while (folder) {
		int r = look_at(folder, &stx);
		if (r != -ENOENT && r != -ENOTDIR) {
			*ret = take_ptr(folder);
			return 0;
		}
		char *parent = folder_of(folder);
		free(folder);
		folder = parent;
	}
	return error_set_oom(error);
}

int writer_check(const char *path, struct error *error)
{
	cleanup_free char *folder = NULL;
	struct statx stx;

	int r = look_at(path, &stx);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return failed(-r, "check", path, error);
	if (r == 0) {
		r = check_target(&stx, path, error);
		if (r == 0 && (S_ISDIR(stx.stx_mode) || S_ISSOCK(stx.stx_mode)))
			return check_mount(path, path, error);
		if (r < 0)
			return r;
	}
	r = nearest_folder(path, &folder, error);
	return r < 0 ? r : check_folder(folder, path, error);
}

/* ---- attributes ---- */

static int set_owner(int fd, const char *path, const struct filestate *now,
		     const struct filestate *state, struct error *error)
{
	if (now->uid == state->uid && now->gid == state->gid)
		return 0;
	if (fchown(fd, state->uid, state->gid) == 0)
		return 0;
	if (errno == EPERM || errno == EINVAL)
		return error_set(error, -errno, "set owner of", path,
				 "it cannot be given to user %u and group %u, whose it has to be; "
				 "run harden as root, outside of user namespaces",
				 state->uid, state->gid);
	return failed(errno, "set owner of", path, error);
}

static int remove_xattrs(int fd, const char *path, const struct filestate *now,
			 const struct filestate *state, struct error *error)
{
	for (size_t i = 0; i < now->xattr_count; i++) {
		const char *name = now->xattrs[i].name;

		if (xattr_is_given(name) || filestate_xattr(state, name))
			continue;
		if (fremovexattr(fd, name) < 0 && errno != ENODATA)
			return failed(errno, "remove an attribute of", path, error);
	}
	return 0;
}

static int set_xattr(int fd, const char *path, const struct xattr *xattr, struct error *error)
{
	if (fsetxattr(fd, xattr->name, xattr->size ? (const void *)xattr->value : "", xattr->size,
		      0) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES || errno == ENOTSUP || errno == EINVAL)
		return error_set(error, -errno, "set attributes of", path,
				 "the extended attribute %s cannot be set as it has to be: %s",
				 xattr->name, strerrordesc_np(errno));
	return failed(errno, "set attributes of", path, error);
}

/* One that the file has already may be one that nobody is allowed to set. */
static int set_xattrs(int fd, const char *path, const struct filestate *now,
		      const struct filestate *state, struct error *error)
{
	for (size_t i = 0; i < state->xattr_count; i++) {
		const struct xattr *wanted = &state->xattrs[i];
		const struct xattr *has = filestate_xattr(now, wanted->name);

		if (has && xattr_is_given(wanted->name) && has->size == wanted->size &&
		    (!wanted->size || memcmp(has->value, wanted->value, wanted->size) == 0))
			continue;
		int r = set_xattr(fd, path, wanted, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* There are file systems that take what they do not keep. */
static int check_kept(int fd, const char *path, const struct filestate *state, struct error *error)
{
	cleanup_filestate struct filestate now = {.exists = false};

	int r = filestate_read_attributes(fd, path, &now, error);
	if (r < 0)
		return r;
	memcpy(now.sha256, state->sha256, sizeof now.sha256);
	if (filestate_same(&now, state))
		return 0;
	return error_set(error, -EIO, "set attributes of", path,
			 "its file system does not keep the owner, mode or extended attributes "
			 "that it has to have");
}

/* Attributes that are too many go first: a new file can have inherited an access control list. The
 * mode comes after the owner, whose change clears set-id bits, and before the access control list,
 * whose mask it would change. */
static int set_attributes(int fd, const char *path, const struct filestate *state,
			  struct error *error)
{
	cleanup_filestate struct filestate now = {.exists = false};

	int r = filestate_read_attributes(fd, path, &now, error);
	if (r == 0)
		r = set_owner(fd, path, &now, state, error);
	if (r == 0)
		r = remove_xattrs(fd, path, &now, state, error);
	if (r == 0 && fchmod(fd, state->mode) < 0)
		r = failed(errno, "set mode of", path, error);
	if (r == 0)
		r = set_xattrs(fd, path, &now, state, error);
	return r < 0 ? r : check_kept(fd, path, state, error);
}

/* By its place in /proc, because fchmod() does not take what was opened with O_PATH. */
static int set_socket_attributes(const char *path, const struct filestate *state,
				 struct error *error)
{
	cleanup_close int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char place[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return failed(errno, "set attributes of", path, error);
	if (!S_ISSOCK(st.st_mode))
		return error_set(error, -ENOTSOCK, "set attributes of", path,
				 "this is no socket any more");
	(void)snprintf(place, sizeof place, "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", state->uid, state->gid, AT_EMPTY_PATH) < 0)
		return failed(errno, "set owner of", path, error);
	if (chmod(place, state->mode) < 0)
		return failed(errno, "set mode of", path, error);
	return 0;
}

int writer_set_attributes(const char *path, const struct filestate *state, struct error *error)
{
	if (state->exists && state->socket)
		return set_socket_attributes(path, state, error);
	cleanup_close int fd =
		open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (!state->exists)
		return error_set(error, -EINVAL, "set attributes of", path,
				 "those that it has to have are not known");
	if (fd < 0 || fstat(fd, &st) < 0)
		return failed(errno, "set attributes of", path, error);
	if (state->folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return error_set(error, state->folder ? -ENOTDIR : -EINVAL, "set attributes of",
				 path, "this is no %s any more", state->folder ? "folder" : "file");
	int r = set_attributes(fd, path, state, error);
	return r < 0 ? r : sync_fd(fd, path, error);
}

/* ---- files ---- */

static int write_all(int fd, const char *path, const char *bytes, size_t length,
		     struct error *error)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(n < 0 ? errno : EIO, "write", path, error);
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int fill(int fd, const char *path, const struct filestate *state, struct error *error)
{
	int r = write_all(fd, path, state->data, state->length, error);

	if (r == 0)
		r = set_attributes(fd, path, state, error);
	if (r < 0)
		return r;
	if (state->mtime.tv_sec || state->mtime.tv_nsec) {
		const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, state->mtime};
		if (futimens(fd, times) < 0)
			return failed(errno, "set time of", path, error);
	}
	return sync_fd(fd, path, error);
}

int writer_stage(const char *temporary, const struct filestate *state, struct error *error)
{
	cleanup_place struct place place = PLACE_NONE;

	if (!state->exists || state->folder || !state->data)
		return error_set(error, -EINVAL, "write", temporary,
				 "the bytes of this file are not known");
	int r = find_place(temporary, "write", &place, error);
	if (r < 0)
		return r;

	int fd = openat(place.folder, place.name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return error_set(error, -EEXIST, "write", temporary,
				 "there is such a file already, and it is not harden's; move it "
				 "away");
	if (fd < 0)
		return failed(errno, "write", temporary, error);

	r = fill(fd, temporary, state, error);
	/* Linux closes the file whatever close() says; EINTR means nothing here. */
	if (close(fd) < 0 && errno != EINTR && r == 0)
		r = failed(errno, "write", temporary, error);
	if (r < 0)
		(void)unlinkat(place.folder, place.name, 0);
	return r;
}

int writer_switch(const char *temporary, const char *path, struct error *error)
{
	cleanup_place struct place place = PLACE_NONE;
	size_t folder_length = (size_t)(name_of(path) - path);

	if ((size_t)(name_of(temporary) - temporary) != folder_length ||
	    memcmp(temporary, path, folder_length) != 0)
		return error_set(error, -EXDEV, "replace", path,
				 "the temporary file %s is not beside it", temporary);
	int r = find_place(path, "replace", &place, error);
	if (r < 0)
		return r;
	if (renameat(place.folder, name_of(temporary), place.folder, place.name) < 0)
		return failed(errno, "replace", path, error);
	return sync_folder(&place, error);
}

/* Syncs the folder also when there is nothing to remove: whoever removed it may have been killed
 * before its own sync. A folder that is not there has nothing in it. */
static int remove_at(const char *path, int flags, struct error *error)
{
	cleanup_place struct place place = PLACE_NONE;
	struct error absent = ERROR_NONE;

	int r = find_place(path, "remove", &place, &absent);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(error, r, "remove", path, "%s", absent.text);
	if (unlinkat(place.folder, place.name, flags) < 0) {
		bool kept = flags & AT_REMOVEDIR && (errno == ENOTEMPTY || errno == EEXIST);
		if (kept)
			return 0;
		if (errno != ENOENT)
			return failed(errno, "remove", path, error);
	}
	return sync_folder(&place, error);
}

int writer_remove(const char *path, struct error *error)
{
	return remove_at(path, 0, error);
}

int writer_remove_folder(const char *path, struct error *error)
{
	return remove_at(path, AT_REMOVEDIR, error);
}

/* The umask may have taken away from the mode that mkdir() gave. */
static int finish_folder(const struct place *place, mode_t mode, struct error *error)
{
	cleanup_close int fd =
		openat(place->folder, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return failed(errno, "create folder", place->path, error);
	return sync_fd(fd, place->path, error);
}

int writer_make_folder(const char *path, mode_t mode, struct error *error)
{
	cleanup_place struct place place = PLACE_NONE;
	struct stat st;

	int r = find_place(path, "create folder", &place, error);
	if (r < 0)
		return r;
	if (mkdirat(place.folder, place.name, mode) == 0) {
		r = finish_folder(&place, mode, error);
		if (r < 0) {
			(void)unlinkat(place.folder, place.name, AT_REMOVEDIR);
			return r;
		}
	} else if (errno != EEXIST) {
		return failed(errno, "create folder", path, error);
	} else if (fstatat(place.folder, place.name, &st, 0) < 0 || !S_ISDIR(st.st_mode)) {
		return error_set(error, -ENOTDIR, "create folder", path,
				 "something that is no folder stands there; move it away");
	}
	return sync_folder(&place, error);
}

/* ---- harden's own ---- */

/* The temporary name, with nothing under it. */
static int clear_new(const char *path, char **ret, struct error *error)
{
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;

	(void)strbuf_addf(&name, "%s.new", path);
	cleanup_free char *temporary = strbuf_finish(&name);
	if (!temporary)
		return error_set_oom(error);
	if (unlink(temporary) < 0 && errno != ENOENT)
		return failed(errno, "remove", temporary, error);
	*ret = take_ptr(temporary);
	return 0;
}

/* On failure the temporary file is removed. */
static int switch_new(const char *temporary, const char *path, struct error *error)
{
	int r = writer_switch(temporary, path, error);

	if (r < 0)
		(void)unlink(temporary);
	return r;
}

int writer_replace(const char *path, const char *bytes, size_t length, mode_t mode,
		   struct error *error)
{
	cleanup_free char *temporary = NULL;
	/* The state only borrows the bytes. */
	const struct filestate state = {.exists = true,
					.data = (char *)bytes,
					.length = length,
					.uid = geteuid(),
					.gid = getegid(),
					.mode = mode};

	int r = clear_new(path, &temporary, error);
	if (r == 0)
		r = writer_stage(temporary, &state, error);
	return r < 0 ? r : switch_new(temporary, path, error);
}

int writer_link(const char *target, const char *path, struct error *error)
{
	cleanup_free char *temporary = NULL;

	int r = clear_new(path, &temporary, error);
	if (r < 0)
		return r;
	if (symlink(target, temporary) < 0)
		return failed(errno, "create", temporary, error);
	return switch_new(temporary, path, error);
}
