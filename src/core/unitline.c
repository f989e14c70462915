#include "core/unitline.h"

#include <errno.h>
#include <string.h>

#include "core/envfile.h"

#define SYSTEMD_VERSION_DEFAULT 252

/* From this version on UnsetEnvironment= only counts once the command line has been expanded. */
#define SYSTEMD_UNSETS_LATE 262

unsigned unit_systemd_version(const struct unit_facts *unit)
{
	return unit->systemd_version ? unit->systemd_version : SYSTEMD_VERSION_DEFAULT;
}

static int add_files(const struct unit_facts *unit, struct strlist *ret, struct error *error)
{
	for (size_t i = 0; i < unit->environment_file_count; i++) {
		const struct text_file *file = &unit->environment_files[i].file;
		bool optional = unit->environment_files[i].optional;
		if (file->state != FILE_READ)
			continue;
		/* systemd goes on without a file that it cannot read, if its name has a dash. */
		int r = envfile_parse_as(file->data, file->length, unit_systemd_version(unit), ret,
					 optional ? NULL : error);
		if (r == -EINVAL && optional)
			continue;
		if (r < 0) {
			error_name_path(error, file->path);
			return r;
		}
	}
	return 0;
}

static void remove_variable(struct strlist *list, const char *name, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		bool same =
			strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=';
		if (same)
			free(list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

/* "NAME" takes any value away, "NAME=value" only this one. */
static void unset(const struct unit_facts *unit, struct strlist *list)
{
	for (size_t i = 0; i < unit->unset_environment.count; i++) {
		const char *item = unit->unset_environment.items[i];
		size_t length = strcspn(item, "=");
		const char *value = envlist_get(list, item, length);
		if (value && (!item[length] || strcmp(item + length + 1, value) == 0))
			remove_variable(list, item, length);
	}
}

int unit_environment(const struct unit_facts *unit, struct strlist *ret, struct error *error)
{
	if (strlist_add_all(ret, &unit->environment) < 0)
		return error_set_oom(error);
	int r = add_files(unit, ret, error);
	if (r == 0 && unit_systemd_version(unit) < SYSTEMD_UNSETS_LATE)
		unset(unit, ret);
	return r;
}

static const char *lookup_variable(const char *name, size_t length, const void *context)
{
	return envlist_get(context, name, length);
}

/* With ":" in front of the program nothing is expanded. */
static int take_plain(const struct strlist *argv, struct words *ret, struct error *error)
{
	struct words words = {.items = calloc(argv->count + 1, sizeof *words.items)};

	if (!words.items)
		return error_set_oom(error);
	for (; words.count < argv->count; words.count++) {
		struct word *word = &words.items[words.count];
		word->text = strdup(argv->items[words.count]);
		word->source = words.count;
		if (!word->text) {
			words_done(&words);
			return error_set_oom(error);
		}
	}
	*ret = words;
	return 0;
}

int unit_expand(const struct unit_facts *unit, const struct strlist *argv,
		const struct strlist *environment, struct words *ret, struct error *error)
{
	if (unit->command_count && unit->commands[unit->command_count - 1].flags & EXEC_NO_EXPAND)
		return take_plain(argv, ret, error);
	return words_expand(argv, lookup_variable, environment, ret, error);
}

int unit_compare(const struct unit_facts *unit, const struct strlist *expected, bool *ret_same,
		 struct error *error)
{
	cleanup_strlist struct strlist environment = {.items = NULL};
	cleanup_words struct words words = {.items = NULL};

	int r = unit_environment(unit, &environment, error);
	if (r == 0)
		r = unit_expand(unit, &unit->exec_start, &environment, &words, error);
	if (r < 0)
		return r;
	bool same = words.count == expected->count;
	for (size_t i = 1; same && i < words.count; i++)
		same = strcmp(words.items[i].text, expected->items[i]) == 0;
	*ret_same = same;
	return 0;
}
