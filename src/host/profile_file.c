#include "host/profile_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/builtin.h"
#include "host/file.h"

#define SITE_PROFILES "/etc/harden/profiles"

/* Profiles are small; a large file is something else. */
#define PROFILE_SIZE_MAX ((size_t)4 * 1024 * 1024)

/* 1 when it was read, 0 when there is no such file. */
static int load_file(const char *path, char **ret_text, size_t *ret_length, char **ret_path,
		     struct error *error)
{
	scoped(text_file_done) struct text_file file = {.path = NULL};

	int r = file_read(path, PROFILE_SIZE_MAX, &file, error);
	if (r < 0)
		return r;
	if (file.state == FILE_ABSENT)
		return 0;
	if (file.state == FILE_UNREADABLE)
		return error_set(error, -EACCES, "read profile", path, "permission denied");
	*ret_path = strdup(path);
	if (!*ret_path)
		return error_set_oom(error);
	*ret_text = take_ptr(file.data);
	*ret_length = file.length;
	return 1;
}

static int load_builtin(const char *name, char **ret_text, size_t *ret_length, char **ret_path,
			struct error *error)
{
	const struct builtin_profile *builtin = builtin_profile_find(name);
	cleanup_free char *path = NULL;

	if (!builtin)
		return error_set(
			error, -ENOENT, "read profile", name,
			"there is no profile of this name; `harden profiles` lists them, and "
			"a file is named by its path");
	if (asprintf(&path, "built-in profile %s", name) < 0)
		path = NULL;
	char *text = strdup(builtin->text);
	if (!text || !path) {
		free(text);
		return error_set_oom(error);
	}
	*ret_text = text;
	*ret_length = strlen(text);
	*ret_path = take_ptr(path);
	return 0;
}

int profile_file_load(const char *name, void *context, char **ret_text, size_t *ret_length,
		      char **ret_path, struct error *error)
{
	cleanup_free char *site = NULL;
	bool is_path = strchr(name, '/') || text_ends_with(name, ".json");

	(void)context;
	if (!is_path && asprintf(&site, SITE_PROFILES "/%s.json", name) < 0) {
		site = NULL;
		return error_set_oom(error);
	}
	int r = load_file(is_path ? name : site, ret_text, ret_length, ret_path, error);
	if (r != 0)
		return r < 0 ? r : 0;
	if (is_path)
		return error_set(error, -ENOENT, "read profile", name, "there is no such file");
	return load_builtin(name, ret_text, ret_length, ret_path, error);
}

int profile_file_read(const char *name, struct profile *ret, struct error *error)
{
	cleanup_free char *text = NULL;
	cleanup_free char *path = NULL;
	size_t length = 0;

	int r = profile_file_load(name, NULL, &text, &length, &path, error);
	return r < 0 ? r : profile_parse(text, length, path, profile_file_load, NULL, ret, error);
}

static int list_site(struct strlist *list, struct error *error)
{
	DIR *folder = opendir(SITE_PROFILES);

	if (!folder)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : error_set_errno(error, errno, "list", SITE_PROFILES);
	int r = 0;
	for (const struct dirent *entry; r == 0 && (entry = readdir(folder));) {
		size_t length = strlen(entry->d_name);
		if (length <= strlen(".json") || !text_ends_with(entry->d_name, ".json"))
			continue;
		cleanup_free char *name = strndup(entry->d_name, length - strlen(".json"));
		if (!name || (!strlist_contains(list, name) && strlist_add(list, name) < 0))
			r = error_set_oom(error);
	}
	(void)closedir(folder);
	return r;
}

int profile_file_list(struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist list = {.items = NULL};
	size_t count = 0;
	const struct builtin_profile *all = builtin_profiles(&count);

	for (size_t i = 0; i < count; i++)
		if (strlist_add(&list, all[i].name) < 0)
			return error_set_oom(error);
	int r = list_site(&list, error);
	if (r < 0)
		return r;
	strlist_sort(&list);
	*ret = list;
	list = (struct strlist){.items = NULL};
	return 0;
}
