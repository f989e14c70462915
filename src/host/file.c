#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"

/* What the kernel follows before it says ELOOP. */
#define SYMLINKS_MAX 40

char *file_under(const char *root, const char *path)
{
	cleanup_strbuf struct strbuf buffer = STRBUF_EMPTY;

	(void)strbuf_adds(&buffer, root);
	(void)strbuf_adds(&buffer, path);
	return strbuf_finish(&buffer);
}

/* The path that a symlink's text leads to, seen from the folder of the link itself. */
static char *link_target(const char *link, const char *text)
{
	cleanup_strbuf struct strbuf target = STRBUF_EMPTY;
	const char *slash = strrchr(link, '/');

	if (text[0] != '/' && slash)
		(void)strbuf_add(&target, link, (size_t)(slash - link) + 1);
	(void)strbuf_adds(&target, text);
	return strbuf_finish(&target);
}

/* The folder with its symlinks resolved and the last component as it is. A folder that does not
 * exist either leaves the path as it was. NULL when out of memory. */
static char *resolve_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return strdup(path);

	cleanup_free char *folder = strndup(path, (size_t)(slash - path));
	if (!folder)
		return NULL;
	cleanup_free char *real = realpath(folder, NULL);
	if (!real)
		return errno == ENOMEM ? NULL : strdup(path);
	return file_under(strcmp(real, "/") == 0 ? "" : real, slash);
}

/* Where a file that is not there would be created: realpath() refuses those. */
static char *resolve_absent(const char *path)
{
	char *current = resolve_folder(path);

	for (unsigned followed = 0; current && followed < SYMLINKS_MAX; followed++) {
		char text[PATH_MAX];
		ssize_t length = readlink(current, text, sizeof text - 1);
		if (length < 0)
			break;
		text[length] = '\0';

		cleanup_free char *target = link_target(current, text);
		free(current);
		current = target ? resolve_folder(target) : NULL;
	}
	return current;
}

static int check_type(const struct stat *st, size_t limit, const char *path, struct error *error)
{
	if (S_ISDIR(st->st_mode))
		return error_set(error, -EISDIR, "read", path, "this is a folder, not a file");
	if (!S_ISREG(st->st_mode))
		return error_set(error, -EINVAL, "read", path, "this is %s, not a regular file",
				 S_ISFIFO(st->st_mode)   ? "a FIFO"
				 : S_ISSOCK(st->st_mode) ? "a socket"
							 : "a device");
	if (st->st_size > 0 && (uintmax_t)st->st_size > limit)
		return error_set(error, -EFBIG, "read", path,
				 "the file has %jd bytes, more than the %zu that are accepted",
				 (intmax_t)st->st_size, limit);
	return 0;
}

/* O_NOATIME is allowed to the owner and to root only. O_NONBLOCK and O_NOCTTY are for the instant
 * between stat() and open(), in which the file may have become a FIFO or a terminal. */
static int open_for_reading(const char *path)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

/* Reads until the end, whatever size the file claims to have: those in /proc claim 0. */
static int read_all(int fd, size_t expected, size_t limit, struct text_file *file,
		    struct error *error)
{
	size_t capacity = expected ? expected : 4095;
	size_t length = 0;
	cleanup_free char *data = NULL;

	for (;;) {
		if (!data || length == capacity) {
			capacity = data ? capacity * 2 : capacity;
			/* One byte past the limit tells a full file from a larger one. */
			if (capacity > limit)
				capacity = limit + 1;
			char *larger = realloc(data, capacity + 1);
			if (!larger)
				return error_set_oom(error);
			data = larger;
		}
		ssize_t n = read(fd, data + length, capacity - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read", file->path);
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > limit)
			return error_set(error, -EFBIG, "read", file->path,
					 "the file has more than the %zu bytes that are accepted",
					 limit);
	}
	data[length] = '\0';
	file->data = take_ptr(data);
	file->length = length;
	return 0;
}

/* The states that are no errors: missing and not permitted. */
static int without_data(int errno_value, struct text_file *file, bool resolve, struct error *error)
{
	if (errno_value == ENOENT)
		file->state = FILE_ABSENT;
	else if (errno_value == EACCES || errno_value == EPERM)
		file->state = FILE_UNREADABLE;
	else if (errno_value == ELOOP)
		return error_set(error, -ELOOP, "read", file->path,
				 "the symbolic links lead in a circle");
	else
		return error_set_errno(error, errno_value, "read", file->path);

	file->real_path = resolve ? realpath(file->path, NULL) : strdup(file->path);
	if (!file->real_path)
		file->real_path = resolve_absent(file->path);
	return file->real_path ? 0 : error_set_oom(error);
}

static int read_into(struct text_file *file, size_t limit, bool resolve, struct error *error)
{
	struct stat st;

	/* Opening a device can already do something (a tape rewinds), so ask first. */
	if (stat(file->path, &st) < 0)
		return without_data(errno, file, resolve, error);
	int r = check_type(&st, limit, file->path, error);
	if (r < 0)
		return r;

	cleanup_close int fd = open_for_reading(file->path);
	int open_errno = errno;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "read", file->path);
	file->mode = st.st_mode & 07777;
	file->uid = st.st_uid;
	file->gid = st.st_gid;
	if (fd < 0)
		return without_data(open_errno, file, resolve, error);

	r = check_type(&st, limit, file->path, error);
	if (r < 0)
		return r;
	r = read_all(fd, (size_t)st.st_size, limit, file, error);
	if (r < 0)
		return r;
	file->real_path = resolve ? realpath(file->path, NULL) : strdup(file->path);
	if (!file->real_path)
		return error_set_errno(error, errno, "read", file->path);
	file->state = FILE_READ;
	return 0;
}

static int read_file(const char *path, size_t limit, bool resolve, struct text_file *ret,
		     struct error *error)
{
	struct text_file file = {.path = strdup(path), .state = FILE_ABSENT};

	int r = file.path ? read_into(&file, limit, resolve, error) : error_set_oom(error);
	if (r < 0) {
		text_file_done(&file);
		return r;
	}
	*ret = file;
	return 0;
}

int file_read(const char *path, size_t limit, struct text_file *ret, struct error *error)
{
	/* What is read of /proc are no links. */
	return read_file(path, limit, !text_starts_with(path, "/proc/"), ret, error);
}

int file_read_unresolved(const char *path, size_t limit, struct text_file *ret, struct error *error)
{
	return read_file(path, limit, false, ret, error);
}

int file_read_under(const char *root, const char *path, size_t limit, struct text_file *ret,
		    struct error *error)
{
	cleanup_free char *full = file_under(root, path);

	return full ? file_read(full, limit, ret, error) : error_set_oom(error);
}
