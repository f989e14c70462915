/* Unit files, and environment files behind the first NUL: what is read must mean the same when it
 * is written again, and flags taken out must leave exactly the others. */
#include "fuzz.h"

#include "base/text.h"
#include "core/configuration.h"
#include "core/unitedit.h"
#include "core/unitfile.h"
#include "core/unitline.h"

static const char name[] = "/usr/lib/systemd/system/docker.service";

static int parse(const char *text, size_t length, struct unitfile *ret)
{
	const struct unit_specifiers specifiers = {.unit = "docker.service"};
	const struct unit_text file = {name, text, length};
	struct error error = ERROR_NONE;

	int r = unitfile_parse(&file, 1, &specifiers, ret, &error);
	require(r == 0 || error.path[0]);
	return r;
}

/* A line can end with a lone backslash and a space; there it is a word that can be nowhere else. */
static bool ends_with_backslash(const struct unitfile *file)
{
	for (size_t c = 0; c < file->command_count; c++)
		for (size_t w = 0; w < file->commands[c].raw.count; w++)
			if (text_ends_with(file->commands[c].raw.items[w], "\\"))
				return true;
	return false;
}

/* As in the middle of a line; at its end, an escaped space would lose its space. */
static void check_raw(const struct unitfile *file)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_unitfile struct unitfile again = {.commands = NULL};

	(void)strbuf_adds(&text, "[Service]\n");
	for (size_t c = 0; c < file->command_count; c++) {
		(void)strbuf_adds(&text, "ExecStart=");
		for (size_t w = 0; w < file->commands[c].raw.count; w++)
			(void)strbuf_addf(&text, "%s ", file->commands[c].raw.items[w]);
		(void)strbuf_adds(&text, "last\n");
	}
	require(parse(text.data, text.length, &again) == 0);
	require(again.command_count == file->command_count);
	for (size_t c = 0; c < file->command_count; c++) {
		const struct exec_command *a = &file->commands[c].exec;
		const struct exec_command *b = &again.commands[c].exec;
		require(strcmp(a->path, b->path) == 0 && a->flags == b->flags &&
			a->argv.count + 1 == b->argv.count);
		for (size_t w = 0; w < a->argv.count; w++)
			require(strcmp(a->argv.items[w], b->argv.items[w]) == 0);
	}
}

/* The unit that these files make, as the bus would tell it. */
static void fill(struct unit_facts *unit, struct unitfile *file, const char *text, size_t length,
		 const char *variables, size_t variables_length)
{
	unit->commands = calloc(file->command_count, sizeof *unit->commands);
	require(unit->commands != NULL);
	for (; unit->command_count < file->command_count; unit->command_count++) {
		unit->commands[unit->command_count] = file->commands[unit->command_count].exec;
		file->commands[unit->command_count].exec = (struct exec_command){.path = NULL};
	}
	const struct strlist *argv = &unit->commands[unit->command_count - 1].argv;
	for (size_t i = 0; i < argv->count; i++)
		require(strlist_add(&unit->exec_start, argv->items[i]) == 0);
	for (size_t i = 0; i < file->environment.count; i++)
		require(strlist_add(&unit->environment, file->environment.items[i]) == 0);
	unit->texts = calloc(1, sizeof *unit->texts);
	unit->environment_files = calloc(1, sizeof *unit->environment_files);
	require(unit->texts && unit->environment_files);
	unit->text_count = 1;
	unit->texts[0] = (struct text_file){.path = strdup(name),
					    .state = FILE_READ,
					    .data = strndup(text, length),
					    .length = length};
	unit->environment_file_count = 1;
	unit->environment_files[0] = (struct environment_file){
		.file = {.path = strdup("/etc/default/docker"),
			 .state = FILE_READ,
			 .data = strndup(variables, variables_length),
			 .length = variables_length},
		.optional = true,
	};
	unit->known = true;
}

static void check_edit(const struct facts *facts, const struct configuration *configuration)
{
	const struct flags *flags = &configuration->flags;
	const struct flag **taken = calloc(flags->count + 1, sizeof *taken);
	cleanup_unitedit struct unitedit edit = {.obstacle = NULL};
	cleanup_strbuf struct strbuf dropin = STRBUF_EMPTY;
	struct error error = ERROR_NONE;
	size_t count = 0;

	require(taken != NULL);
	for (size_t i = 0; i < flags->count; i += 2)
		taken[count++] = &flags->items[i];
	require(unitedit_take_out(&facts->unit, configuration, taken, count, &edit, &error) == 0);
	if (!edit.obstacle) {
		require(edit.words.count <= configuration->words.count);
		require(unitedit_dropin_text(&edit, &dropin, &error) == 0);
		require(utf8_is_valid(dropin.data, dropin.length, NULL));
	}
	free(taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, '\0', size) : NULL;
	size_t length = end ? (size_t)(end - text) : size;
	const char *variables = end ? end + 1 : "";
	size_t variables_length = end ? size - length - 1 : 0;
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_configuration struct configuration configuration = {.document = NULL};
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	struct error error = ERROR_NONE;

	if (memchr(variables, '\0', variables_length) || parse(text, length, &file) < 0 ||
	    !file.command_count)
		return 0;
	if (!ends_with_backslash(&file))
		check_raw(&file);
	facts.version = (struct dockerver){26, 1, 5};
	fill(&facts.unit, &file, text, length, variables, variables_length);
	if (configuration_read_flags(&facts, &configuration, &error) == 0)
		check_edit(&facts, &configuration);
	return 0;
}
