#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "host/profile_file.h"

/* The text of one profile, so that a site can start its own from it. */
static int print_one(const struct options *options, const char *name)
{
	cleanup_free char *text = NULL;
	cleanup_free char *path = NULL;
	struct error error = ERROR_NONE;
	size_t length = 0;

	if (profile_file_load(name, NULL, &text, &length, &path, &error) < 0)
		return output_error(options, "profiles", &error);
	return output_text(text, length) ? EXIT_FINE : EXIT_TROUBLE;
}

static int list_json_document(const struct strlist *names, const struct strlist *titles)
{
	json_t *document = document_start("profiles");
	json_t *list = json_array();

	for (size_t i = 0; i < names->count; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s}", "name", names->items[i],
							    "title", titles->items[i]));
	if (json_object_set_new(document, "profiles", list) < 0) {
		json_decref(document);
		document = NULL;
	}
	return output_json(document) ? EXIT_FINE : EXIT_TROUBLE;
}

static int list_text(const struct strlist *names, const struct strlist *titles)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	for (size_t i = 0; i < names->count; i++)
		(void)strbuf_addf(&out, "%-16s%s\n", names->items[i], titles->items[i]);
	return output_text(out.data ? out.data : "", out.length) ? EXIT_FINE : EXIT_TROUBLE;
}

static int list_all(const struct options *options)
{
	cleanup_strlist struct strlist names = {.items = NULL};
	cleanup_strlist struct strlist titles = {.items = NULL};
	struct error error = ERROR_NONE;

	int r = profile_file_list(&names, &error);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		cleanup_profile struct profile profile = {.name = NULL};
		r = profile_file_read(names.items[i], &profile, &error);
		if (r == 0 && strlist_add(&titles, profile.title ? profile.title : "") < 0)
			r = error_set_oom(&error);
	}
	if (r < 0)
		return output_error(options, "profiles", &error);
	return options->json ? list_json_document(&names, &titles) : list_text(&names, &titles);
}

int command_profiles(const struct options *options)
{
	return options->argument_count ? print_one(options, options->arguments[0])
				       : list_all(options);
}
