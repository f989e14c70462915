#include "host/package.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/file.h"

/* A system with everything installed has 10 MB. */
#define STATUS_SIZE_MAX ((size_t)256 * 1024 * 1024)

/* The last is openSUSE's; Debian once had a package of that name which is something else. */
static const char *const names[] = {"docker-ce", "docker.io", "moby-engine", "docker-engine",
				    "docker"};
#define DPKG_NAMES (array_size(names) - 1)

static bool is_docker(const char *name, size_t length)
{
	for (size_t i = 0; i < DPKG_NAMES; i++)
		if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
			return true;
	return false;
}

/* "5:26.1.4-1~debian.12~bookworm" and "26.1.5+dfsg1-9+b4" are 26.1.4 and 26.1.5+dfsg1. */
static char *upstream(const char *version, size_t length)
{
	const char *colon = memchr(version, ':', length);
	const char *start = colon ? colon + 1 : version;
	size_t left = length - (size_t)(start - version);
	const char *dash = memrchr(start, '-', left);

	return strndup(start, dash ? (size_t)(dash - start) : left);
}

/* ---- dpkg ---- */

/* The value of a field in a stanza, which ends at `end`. */
static const char *find_field(const char *stanza, const char *end, const char *field,
			      size_t *ret_length)
{
	size_t name_length = strlen(field);

	for (const char *line = stanza; line < end;) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((line_end ? line_end : end) - line);
		if (length > name_length && strncmp(line, field, name_length) == 0) {
			const char *value = line + name_length;
			while (value < line + length && *value == ' ')
				value++;
			*ret_length = (size_t)(line + length - value);
			return value;
		}
		line += length + 1;
	}
	return NULL;
}

static int read_stanza(const char *stanza, const char *end, char **ret, struct error *error)
{
	size_t name_length = 0;
	size_t status_length = 0;
	size_t version_length = 0;
	const char *name = find_field(stanza, end, "Package:", &name_length);

	if (!name || !is_docker(name, name_length))
		return 0;
	const char *status = find_field(stanza, end, "Status:", &status_length);
	const char *version = find_field(stanza, end, "Version:", &version_length);
	if (!status || !version ||
	    !memmem(status, status_length, " installed", strlen(" installed")))
		return 0;
	*ret = upstream(version, version_length);
	return *ret ? 0 : error_set_oom(error);
}

static int read_dpkg(const char *root, char **ret, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};
	struct error ignored = ERROR_NONE;

	int r = file_read_under(root, "/var/lib/dpkg/status", STATUS_SIZE_MAX, &file, &ignored);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r < 0 || file.state != FILE_READ)
		return 0;
	for (const char *stanza = file.data; r == 0 && !*ret && *stanza;) {
		const char *gap = strstr(stanza, "\n\n");
		const char *end = gap ? gap + 1 : file.data + file.length;
		r = read_stanza(stanza, end, ret, error);
		stanza = gap ? gap + 2 : end;
	}
	return r;
}

/* ---- rpm ---- */

/* A header begins with its locale, "C", and the name, version and release, each terminated. */
static bool read_header(const char *at, size_t left, size_t name_length, const char **ret,
			size_t *ret_length)
{
	const char *version = at + name_length + 1;
	size_t rest = left - name_length - 1;
	size_t length = strnlen(version, rest < 64 ? rest : 64);

	if (length == rest || length == 64 || !length || !isdigit((unsigned char)*version) ||
	    !memchr(version, '.', length))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)version[i]) && !strchr(".+~^_", version[i]))
			return false;
	*ret = version;
	*ret_length = length;
	return true;
}

/* -EEXIST when there are two that differ. */
static int find_header(const char *data, size_t size, const char *name, char **ret)
{
	cleanup_strbuf struct strbuf needle = STRBUF_EMPTY;
	size_t length = strlen(name);

	(void)strbuf_add(&needle, "C\0", 2);
	(void)strbuf_add(&needle, name, length + 1);
	if (needle.failed)
		return -ENOMEM;
	for (const char *at = data;;) {
		size_t left = size - (size_t)(at - data);
		const char *version = NULL;
		size_t version_length = 0;

		at = memmem(at, left, needle.data, needle.length);
		if (!at)
			return 0;
		at += 2;
		left = size - (size_t)(at - data);
		if (!read_header(at, left, length, &version, &version_length))
			continue;
		if (*ret &&
		    (strlen(*ret) != version_length || memcmp(*ret, version, version_length) != 0))
			return -EEXIST;
		if (!*ret)
			*ret = strndup(version, version_length);
		if (!*ret)
			return -ENOMEM;
	}
}

static int look_through(const char *path, char **ret)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return 0;
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (size_t i = 0; r == 0 && !*ret && i < array_size(names); i++)
		r = find_header(data, (size_t)st.st_size, names[i], ret);
	(void)munmap(data, (size_t)st.st_size);
	return r;
}

static int read_rpm(const char *root, char **ret, struct error *error)
{
	/* SQLite, NDB and Berkeley DB, in the order of their age. */
	static const char *const files[] = {
		"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite",
		"/usr/lib/sysimage/rpm/Packages.db",  "/var/lib/rpm/Packages.db",
		"/usr/lib/sysimage/rpm/Packages",     "/var/lib/rpm/Packages",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && !*ret && i < array_size(files); i++) {
		cleanup_free char *path = file_under(root, files[i]);
		r = path ? look_through(path, ret) : -ENOMEM;
	}
	if (r == -EEXIST) {
		free(*ret);
		*ret = NULL;
		r = 0;
	}
	return r < 0 ? error_set_oom(error) : 0;
}

int package_docker_version(const char *root, char **ret, struct error *error)
{
	char *version = NULL;
	int r = read_dpkg(root, &version, error);

	if (r == 0 && !version)
		r = read_rpm(root, &version, error);
	if (r < 0) {
		free(version);
		return r;
	}
	*ret = version;
	return 0;
}
