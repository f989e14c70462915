#include "core/configuration.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "core/daemonjson.h"
#include "core/envfile.h"
#include "core/jsontext.h"
#include "core/unitline.h"

void configuration_done(struct configuration *configuration)
{
	json_decref(configuration->document);
	words_done(&configuration->words);
	strlist_done(&configuration->environment);
	flags_done(&configuration->flags);
	flags_done(&configuration->running);
	findings_done(&configuration->findings);
	*configuration = (struct configuration){.document = NULL};
}

/* Without a unit there is only what the running process was started with. */
static int words_of_process(const struct strlist *argv, struct words *ret, struct error *error)
{
	struct words words = {.items = calloc(argv->count ? argv->count : 1, sizeof *words.items)};

	if (!words.items)
		return error_set_oom(error);
	for (; words.count < argv->count; words.count++) {
		words.items[words.count].text = strdup(argv->items[words.count]);
		if (!words.items[words.count].text) {
			words_done(&words);
			return error_set_oom(error);
		}
	}
	*ret = words;
	return 0;
}

static bool same_words(const struct words *words, const struct strlist *argv)
{
	if (words->count != argv->count)
		return false;
	/* The program's own name may be spelled in two ways. */
	for (size_t i = 1; i < words->count; i++)
		if (strcmp(words->items[i].text, argv->items[i]) != 0)
			return false;
	return true;
}

static int read_command_line(const struct facts *facts, struct configuration *configuration,
			     struct error *error)
{
	const struct strlist *running = &facts->process.argv;

	if (!facts->unit.known || !facts->unit.exec_start.count)
		return words_of_process(running, &configuration->words, error);

	int r = unit_environment(&facts->unit, &configuration->environment, error);
	if (r == 0)
		r = unit_expand(&facts->unit, &facts->unit.exec_start, &configuration->environment,
				&configuration->words, error);
	if (r == 0 && running->count && facts->process.pid == facts->unit.main_pid)
		configuration->command_line_differs = !same_words(&configuration->words, running);
	return r;
}

static int read_document(const struct facts *facts, struct configuration *configuration,
			 struct error *error)
{
	const struct text_file *file = &facts->config;

	if (facts->config_document) {
		configuration->document = json_incref(facts->config_document);
		return 0;
	}
	if (file->state == FILE_UNREADABLE)
		return error_set(error, -EACCES, "read", file->path,
				 "permission denied; run harden as root");
	bool exists = file->state == FILE_READ;
	int r = daemonjson_read(exists ? file->data : "", exists ? file->length : 0,
				&configuration->document, error);
	if (r < 0)
		error_name_path(error, file->path);
	return r;
}

static int read_running_flags(const struct facts *facts, struct configuration *configuration,
			      struct error *error)
{
	cleanup_words struct words words = {.items = NULL};

	int r = words_of_process(&facts->process.argv, &words, error);
	return r < 0 ? r
		     : flags_parse(&words, configuration->version, &configuration->running, error);
}

const struct flags *configuration_running_flags(const struct configuration *configuration)
{
	return configuration->command_line_differs ? &configuration->running
						   : &configuration->flags;
}

static int read_flags(const struct facts *facts, struct configuration *configuration,
		      struct error *error)
{
	configuration->version = facts->version;
	if (!dockerver_known(configuration->version)) {
		configuration->version = DOCKERVER_NEWEST;
		configuration->version_assumed = true;
	}
	int r = read_command_line(facts, configuration, error);
	if (r == 0)
		r = flags_parse(&configuration->words, configuration->version,
				&configuration->flags, error);
	return r < 0 || !configuration->command_line_differs
		       ? r
		       : read_running_flags(facts, configuration, error);
}

int configuration_read_flags(const struct facts *facts, struct configuration *ret,
			     struct error *error)
{
	cleanup_configuration struct configuration configuration = {.document = json_object()};

	int r = configuration.document ? read_flags(facts, &configuration, error)
				       : error_set_oom(error);
	if (r < 0)
		return r;
	*ret = configuration;
	configuration = (struct configuration){.document = NULL};
	return 0;
}

int configuration_read(const struct facts *facts, struct configuration *ret, struct error *error)
{
	cleanup_configuration struct configuration configuration = {.document = NULL};
	bool exists = facts->config.state == FILE_READ;
	const char *text = exists ? facts->config.data : "";
	size_t length = exists ? facts->config.length : 0;

	int r = read_document(facts, &configuration, error);
	if (r == 0)
		r = read_flags(facts, &configuration, error);
	if (r == 0)
		r = findings_collect(text, length, exists,
				     jsontext_is_blank(text, length) ? NULL
								     : configuration.document,
				     &configuration.flags, configuration.version,
				     &configuration.findings, error);
	if (r < 0)
		return r;
	*ret = configuration;
	configuration = (struct configuration){.document = NULL};
	return 0;
}

/* The value of a top-level key and where it comes from; *ret stays NULL where nothing sets it. */
static int top_value(const struct configuration *configuration, const char *key,
		     const struct option *option, json_t **ret, enum value_source *ret_source,
		     const struct flag **ret_flag, struct error *error)
{
	const char *driver =
		envlist_get(&configuration->environment, "DOCKER_DRIVER", strlen("DOCKER_DRIVER"));
	json_t *value = json_object_get(configuration->document, key);

	/* This variable wins over file and flag, in all versions (facts b.5). */
	if (driver && *driver && strcmp(key, "storage-driver") == 0) {
		*ret = json_string(driver);
		*ret_source = SOURCE_ENVIRONMENT;
		return *ret ? 0 : error_set_oom(error);
	}
	/* For dockerd, null leaves the default in place (facts a.7). */
	if (value && !json_is_null(value)) {
		*ret = json_incref(value);
		*ret_source = SOURCE_FILE;
		return 0;
	}
	int r = option ? flags_value(&configuration->flags, option, ret, ret_flag, error) : 0;
	if (r == 0 && *ret)
		*ret_source =
			(*ret_flag)->origin == WORD_VARIABLE ? SOURCE_ENVIRONMENT : SOURCE_FLAG;
	return r;
}

int configuration_value(const struct configuration *configuration, const char *const *path,
			size_t count, json_t **ret, enum value_source *ret_source,
			const struct flag **ret_flag, struct error *error)
{
	const struct option *option = option_by_key(path[0]);
	enum value_source source = SOURCE_DEFAULT;
	const struct flag *flag = NULL;
	json_t *top = NULL;

	int r = top_value(configuration, path[0], option, &top, &source, &flag, error);
	if (r < 0)
		return r;
	bool known = option && option_has_key(option, configuration->version);
	if (!top)
		top = known ? option_default(option, configuration->version) : json_null();
	if (!top)
		return error_set_oom(error);

	json_t *value = top;
	for (size_t i = 1; value && i < count; i++)
		value = json_object_get(value, path[i]);
	*ret = value ? json_incref(value) : json_null();
	*ret_source = value ? source : SOURCE_DEFAULT;
	if (ret_flag)
		*ret_flag = value ? flag : NULL;
	json_decref(top);
	return 0;
}

const char *value_source_name(enum value_source source)
{
	static const char *const names[] = {
		[SOURCE_DEFAULT] = "default", [SOURCE_FILE] = "file",
		[SOURCE_FLAG] = "flag",       [SOURCE_ENVIRONMENT] = "environment",
		[SOURCE_UNIT] = "unit",
	};

	return names[source];
}
