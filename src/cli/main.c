#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/memory.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/reading.h"

static const struct command table[] = {
	{"plan", "", "show what would change, change nothing", command_plan, 0, ARGUMENT_NONE,
	 false},
	{"apply", "", "make this host match, or leave it as it is", command_apply, 0, ARGUMENT_NONE,
	 true},
	{"check", "", "audit only: what file, flags and daemon say", command_check, 0,
	 ARGUMENT_NONE, false},
	{"rollback", "[ID]", "put the host back as it was before an apply", command_rollback, 1,
	 ARGUMENT_APPLY, true},
	{"history", "", "list what was applied and rolled back", command_history, 0, ARGUMENT_NONE,
	 false},
	{"recover", "", "finish or undo an interrupted apply", command_recover, 0, ARGUMENT_NONE,
	 true},
	{"profiles", "[NAME]", "list the profiles, or print one", command_profiles, 1,
	 ARGUMENT_PROFILE, false},
};

const struct command *commands(size_t *ret_count)
{
	*ret_count = array_size(table);
	return table;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < array_size(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static int usage(const struct options *options, const char *what, const char *text)
{
	struct error error = ERROR_NONE;

	(void)error_set(&error, -1, what, NULL, "%s; see harden --help", text);
	return output_error(options, options->command ? options->command : "", &error);
}

static int unknown_command(const struct options *options)
{
	struct error error = ERROR_NONE;
	struct text_nearest nearest = TEXT_NEAREST_NONE;

	for (size_t i = 0; i < array_size(table); i++)
		text_nearest_offer(&nearest, options->command, table[i].name);
	(void)error_set(&error, -1, "harden", NULL, "there is no command %s%s%s; see harden --help",
			options->command, nearest.name ? "; did you mean " : "",
			nearest.name ? nearest.name : "");
	return output_error(options, options->command, &error);
}

/* From then on the image is all there is. */
static int run_inside(const struct command *command, const struct options *options)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct options inside = *options;
	struct error error = ERROR_NONE;

	inside.loaded = &profile;
	if (reading_enter(&inside, &error) < 0)
		return command->changes ? outcome_refused(options, command->name, &error)
					: output_error(options, command->name, &error);
	return command->run(&inside);
}

/* An option that would be without effect here. */
static int misplaced(const struct options *options, const struct option_row *row, const char *name)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	bool format = strcmp(row->name, "format") == 0;

	(void)strbuf_addf(&text, "--%s is for %s%s", row->name, row->commands,
			  format ? "; --json works with every command" : "");
	return usage(options, name, text.data ? text.data : "out of memory");
}

static int run(const struct options *options)
{
	const char *name = options->command ? options->command : "apply";
	const struct option_row *row = options_misplaced(options, name);
	const struct command *command = find_command(name);

	if (!command)
		return unknown_command(options);
	if (row)
		return misplaced(options, row, name);
	if (options->argument_count > command->arguments_max)
		return usage(options, command->name, "too many arguments");
	/* The list of profiles is this machine's. */
	bool outside = !options->root || command->run == command_profiles;
	return outside ? command->run(options) : run_inside(command, options);
}

/* A script gets its document for a mistake in the options, too, wherever --json stands. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool named = strcmp(argv[i], "--format") == 0 && i + 1 < argc &&
			     strcmp(argv[i + 1], "json") == 0;
		if (named || strcmp(argv[i], "--json") == 0 ||
		    strcmp(argv[i], "--format=json") == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	cleanup_options struct options options = {.profile = NULL};
	struct error error = ERROR_NONE;

	if (!output_reserve_streams())
		return EXIT_TROUBLE;
	memory_end_in_trouble();
	/* A reader that goes away is an error of the write, not the end of the program. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (options_parse(argc, argv, &options, &error) < 0) {
		options.json = asks_for_json(argc, argv);
		return output_error(&options, "", &error);
	}
	if (options.help) {
		options_print_help(stdout);
		return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
	}
	if (options.version)
		return output_text("harden " HARDEN_VERSION "\n",
				   strlen("harden " HARDEN_VERSION "\n"))
			       ? EXIT_FINE
			       : EXIT_TROUBLE;
	return options.completion ? completion_print(&options) : run(&options);
}
