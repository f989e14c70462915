#include "apply/tree.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* ---- mounts ---- */

/* "\040" and the like; false where it is none. */
static bool octal(const char *text, char *ret)
{
	unsigned value = 0;

	for (int i = 1; i <= 3; i++) {
		if (text[0] != '\\' || text[i] < '0' || text[i] > '7')
			return false;
		value = value * 8 + (unsigned)(text[i] - '0');
	}
	*ret = (char)value;
	return true;
}

/* The fifth field of a line of mountinfo, with its octal escapes undone in place. */
static char *mount_point(char *line)
{
	char *field = line;

	for (int i = 0; field && i < 4; i++) {
		field = strchr(field, ' ');
		if (field)
			field++;
	}
	if (!field)
		return NULL;
	char *to = field;
	for (const char *from = field; *from && *from != ' '; to++) {
		if (octal(from, to))
			from += 4;
		else
			*to = *from++;
	}
	*to = '\0';
	return field;
}

/* Whether something is mounted at the folder or below it. */
static bool has_mount(const char *path)
{
	scoped(cleanup_fclose_file) FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	size_t length = strlen(path);

	while (file && getline(&line, &size, file) > 0) {
		const char *point = mount_point(line);
		if (point && strncmp(point, path, length) == 0 &&
		    (point[length] == '/' || !point[length]))
			return true;
	}
	return false;
}

/* ---- files ---- */

static void close_tree(FTS **tree)
{
	if (*tree)
		(void)fts_close(*tree);
}

static int remove_entry(const FTSENT *entry, struct error *error)
{
	switch (entry->fts_info) {
	case FTS_D: /* its turn comes after what is in it */
		return 0;
	case FTS_DP:
		if (rmdir(entry->fts_accpath) == 0 || errno == ENOENT)
			return 0;
		break;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		if (entry->fts_errno == ENOENT)
			return 0;
		return error_set_errno(error, entry->fts_errno, "remove", entry->fts_path);
	default:
		if (unlink(entry->fts_accpath) == 0 || errno == ENOENT)
			return 0;
		break;
	}
	return error_set_errno(error, errno, "remove", entry->fts_path);
}

int tree_discard(const char *path, struct error *error)
{
	cleanup_free char *start = strdup(path);

	if (!start)
		return error_set_oom(error);
	if (has_mount(path))
		return error_set(error, -EBUSY, "remove", path,
				 "something is mounted there; unmount it first");
	char *const paths[] = {start, NULL};
	scoped(close_tree) FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		return error_set_errno(error, errno, "remove", path);
	for (;;) {
		errno = 0;
		const FTSENT *entry = fts_read(tree);
		if (!entry)
			return errno ? error_set_errno(error, errno, "remove", path) : 0;
		int r = remove_entry(entry, error);
		if (r < 0)
			return r;
	}
}
