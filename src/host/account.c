#include "host/account.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/file.h"

#define ACCOUNT_SIZE_MAX ((size_t)16 * 1024 * 1024)

/* The user that "userns-remap": "default" stands for. */
#define DOCKREMAP "dockremap"

/* ---- files of lines with fields between colons ---- */

#define FIELDS_MAX 7

/* A part of a line; not terminated. */
struct field {
	const char *text;
	size_t length;
};

static bool field_is(const struct field *field, const char *string)
{
	return strlen(string) == field->length && memcmp(field->text, string, field->length) == 0;
}

static bool field_number(const struct field *field, uint64_t *ret)
{
	uint64_t value = 0;

	if (!field->length || field->length > 10)
		return false;
	for (size_t i = 0; i < field->length; i++) {
		if (!isdigit((unsigned char)field->text[i]))
			return false;
		value = value * 10 + (uint64_t)(field->text[i] - '0');
	}
	*ret = value;
	return true;
}

/* Splits the line at *position and moves on to the next. Returns the number of fields, of which the
 * ones that are not there are empty; 0 at the end. */
static size_t next_line(const char **position, struct field fields[static FIELDS_MAX])
{
	const char *c = *position;
	size_t count = 0;

	memset(fields, 0, FIELDS_MAX * sizeof *fields);
	if (!c || !*c)
		return 0;
	for (;;) {
		size_t length = strcspn(c, ":\n");
		if (count < FIELDS_MAX)
			fields[count++] = (struct field){c, length};
		c += length;
		if (*c != ':')
			break;
		c++;
	}
	*position = c + (*c == '\n');
	return count;
}

static int read_table(const char *root, const char *path, struct text_file *ret,
		      struct error *error)
{
	return file_read_under(root, path, ACCOUNT_SIZE_MAX, ret, error);
}

/* ---- users and groups ---- */

/* The line of /etc/passwd or /etc/group whose number (third field) is id. */
static bool find_id(const struct text_file *table, uint64_t id,
		    struct field fields[static FIELDS_MAX])
{
	const char *position = table->data;
	uint64_t number;

	while (next_line(&position, fields))
		if (field_number(&fields[2], &number) && number == id)
			return true;
	return false;
}

static bool find_name(const struct text_file *table, const char *name,
		      struct field fields[static FIELDS_MAX])
{
	const char *position = table->data;

	while (next_line(&position, fields))
		if (field_is(&fields[0], name))
			return true;
	return false;
}

int account_names_read(const char *root, struct account_names *ret, struct error *error)
{
	struct account_names names = {.users.path = NULL};

	int r = read_table(root, "/etc/passwd", &names.users, error);
	if (r == 0)
		r = read_table(root, "/etc/group", &names.groups, error);
	if (r < 0) {
		account_names_done(&names);
		return r;
	}
	*ret = names;
	return 0;
}

void account_names_done(struct account_names *names)
{
	text_file_done(&names->users);
	text_file_done(&names->groups);
}

static void add_name(struct strbuf *buffer, const struct text_file *table, uint64_t id)
{
	struct field fields[FIELDS_MAX];

	if (find_id(table, id, fields))
		(void)strbuf_add(buffer, fields[0].text, fields[0].length);
	else
		(void)strbuf_addf(buffer, "%" PRIu64, id);
}

char *account_owner(const struct account_names *names, uid_t uid, gid_t gid)
{
	cleanup_strbuf struct strbuf owner = STRBUF_EMPTY;

	add_name(&owner, &names->users, uid);
	(void)strbuf_addc(&owner, ':');
	add_name(&owner, &names->groups, gid);
	return strbuf_finish(&owner);
}

int account_find_group(const char *root, const char *name, int64_t *ret_gid, struct error *error)
{
	cleanup_text_file struct text_file groups = {.path = NULL};
	struct field fields[FIELDS_MAX];
	uint64_t gid = 0;

	int r = read_table(root, "/etc/group", &groups, error);
	if (r < 0)
		return r;
	bool found = find_name(&groups, name, fields) && field_number(&fields[2], &gid);
	*ret_gid = found ? (int64_t)gid : -1;
	return 0;
}

int account_find_user(const char *root, uid_t uid, char **ret_name, char **ret_home,
		      struct error *error)
{
	cleanup_text_file struct text_file users = {.path = NULL};
	struct field fields[FIELDS_MAX];

	int r = read_table(root, "/etc/passwd", &users, error);
	if (r < 0)
		return r;
	if (!find_id(&users, uid, fields)) {
		*ret_name = NULL;
		*ret_home = NULL;
		return 0;
	}
	cleanup_free char *name = strndup(fields[0].text, fields[0].length);
	cleanup_free char *home = strndup(fields[5].text ? fields[5].text : "", fields[5].length);
	if (!name || !home)
		return error_set_oom(error);
	*ret_name = take_ptr(name);
	*ret_home = take_ptr(home);
	return 0;
}

/* ---- subordinate ids ---- */

/* The first range in /etc/subuid or /etc/subgid for the user, given by name or by number. */
static bool find_range(const struct text_file *table, const char *name, const char *number,
		       uint64_t *ret_start)
{
	const char *position = table->data;
	struct field fields[FIELDS_MAX];
	uint64_t start;
	uint64_t count;

	while (next_line(&position, fields)) {
		if (!field_is(&fields[0], name) && !(*number && field_is(&fields[0], number)))
			continue;
		if (field_number(&fields[1], &start) && field_number(&fields[2], &count) && count) {
			*ret_start = start;
			return true;
		}
	}
	return false;
}

static int find_ranges(const char *root, const char *name, const char *number, uint64_t *ret_uid,
		       uint64_t *ret_gid, struct error *error)
{
	cleanup_text_file struct text_file subuid = {.path = NULL};
	cleanup_text_file struct text_file subgid = {.path = NULL};

	int r = read_table(root, "/etc/subuid", &subuid, error);
	if (r == 0)
		r = read_table(root, "/etc/subgid", &subgid, error);
	if (r < 0)
		return r;
	if (!find_range(&subuid, name, number, ret_uid) ||
	    !find_range(&subgid, name, number, ret_gid))
		return -ENOENT;
	return 0;
}

/* Names the user of a value of userns-remap in both ways; what is not known is "". */
static int find_remap_user(const char *root, const char *userns_remap, char name[static 256],
			   char number[static 256], struct error *error)
{
	cleanup_text_file struct text_file users = {.path = NULL};
	struct field fields[FIELDS_MAX];
	struct field user = {userns_remap, strcspn(userns_remap, ":")};
	uint64_t id;

	int r = read_table(root, "/etc/passwd", &users, error);
	if (r < 0)
		return r;
	if (field_is(&user, "default"))
		user = (struct field){DOCKREMAP, strlen(DOCKREMAP)};
	(void)snprintf(name, 256, "%.*s", (int)(user.length < 255 ? user.length : 255), user.text);
	number[0] = '\0';

	bool found = field_number(&user, &id) ? find_id(&users, id, fields)
					      : find_name(&users, name, fields);
	if (found && fields[0].length < 256 && fields[2].length < 256) {
		(void)snprintf(name, 256, "%.*s", (int)fields[0].length, fields[0].text);
		(void)snprintf(number, 256, "%.*s", (int)fields[2].length, fields[2].text);
	}
	return 0;
}

int account_remapped_root(const char *root, const char *userns_remap, uint64_t *ret_uid,
			  uint64_t *ret_gid, struct error *error)
{
	char name[256];
	char number[256];

	int r = find_remap_user(root, userns_remap, name, number, error);
	if (r < 0)
		return r;
	/* Root is not remapped, but the data root moves to 0.0 all the same (facts b.3). */
	if (strcmp(name, "root") == 0) {
		*ret_uid = 0;
		*ret_gid = 0;
		return 0;
	}
	return find_ranges(root, name, number, ret_uid, ret_gid, error);
}

/* ---- can dockerd create the user? ---- */

/* As exec.LookPath() and resolveBinary() of moby do it: the first executable of that name decides,
 * and it must still have the name once its symlinks are followed. Busybox's applet does not. */
static bool has_real_binary(const char *root, const char *name)
{
	/* The search path systemd gives to services. */
	static const char *const folders[] = {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/",
					      "/usr/bin/",        "/sbin/",          "/bin/"};

	for (size_t i = 0; i < array_size(folders); i++) {
		char path[PATH_MAX];
		struct stat st;

		(void)snprintf(path, sizeof path, "%s%s%s", root, folders[i], name);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
			continue;
		char real[PATH_MAX];
		if (!realpath(path, real))
			return false;
		return strcmp(strrchr(real, '/') + 1, name) == 0;
	}
	return false;
}

int account_read(const char *root, struct facts *facts, struct error *error)
{
	cleanup_text_file struct text_file users = {.path = NULL};
	struct field fields[FIELDS_MAX];
	uint64_t uid;
	uint64_t gid;

	int r = read_table(root, "/etc/passwd", &users, error);
	if (r < 0)
		return r;
	enum tristate user = find_name(&users, DOCKREMAP, fields) ? YES : NO;
	if (users.state == FILE_UNREADABLE)
		user = UNKNOWN;

	r = account_remapped_root(root, "default", &uid, &gid, error);
	if (r < 0 && r != -ENOENT)
		return r;
	facts->dockremap_user = user;
	facts->dockremap_ranges = r == 0 ? YES : NO;
	facts->can_add_user =
		has_real_binary(root, "adduser") || has_real_binary(root, "useradd") ? YES : NO;
	return 0;
}
