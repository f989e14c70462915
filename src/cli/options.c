#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "cli/commands.h"
#include "core/dockerver.h"
#include "core/profile.h"

/* The commands that make a plan. */
#define PLANNING "plan apply check"

#define TIMEOUT_DEFAULT 90
#define SECONDS_MAX 86400

#define FLAG_OPTION(member)                                                                        \
	static int apply_##member(struct options *options, const char *argument,                   \
				  struct error *error)                                             \
	{                                                                                          \
		(void)argument;                                                                    \
		(void)error;                                                                       \
		options->member = true;                                                            \
		return 0;                                                                          \
	}

#define TEXT_OPTION(member, option)                                                                \
	static int apply_##member(struct options *options, const char *argument,                   \
				  struct error *error)                                             \
	{                                                                                          \
		if (!*argument)                                                                    \
			return error_set(error, -EINVAL, option, NULL, "expected a value");        \
		options->member = argument;                                                        \
		return 0;                                                                          \
	}

FLAG_OPTION(dry_run)
FLAG_OPTION(yes)
FLAG_OPTION(force)
FLAG_OPTION(no_restart)
FLAG_OPTION(no_canary)
FLAG_OPTION(exit_code)
FLAG_OPTION(quiet)
FLAG_OPTION(verbose)
FLAG_OPTION(help)
FLAG_OPTION(version)
TEXT_OPTION(profile, "--profile")
TEXT_OPTION(config_file, "--config-file")
TEXT_OPTION(unit, "--unit")
TEXT_OPTION(root, "--root")
TEXT_OPTION(verify_command, "--verify-cmd")

static int apply_docker_version(struct options *options, const char *argument, struct error *error)
{
	struct dockerver version;

	if (!dockerver_parse(argument, &version) ||
	    dockerver_compare(version, DOCKERVER_OLDEST) < 0)
		return error_set(error, -EINVAL, "--docker-version", argument,
				 "expected a version from 17.12 on, such as 28.5 or 20.10.24");
	options->docker_version = argument;
	return 0;
}

static int read_seconds(const char *option, const char *argument, unsigned *ret,
			struct error *error)
{
	char *end = NULL;

	errno = 0;
	unsigned long seconds = strtoul(argument, &end, 10);
	if (errno || end == argument || *end || strchr(argument, '-') || !seconds ||
	    seconds > SECONDS_MAX)
		return error_set(error, -EINVAL, option, argument, "expected seconds, from 1 to %d",
				 SECONDS_MAX);
	*ret = (unsigned)seconds;
	return 0;
}

static int apply_timeout(struct options *options, const char *argument, struct error *error)
{
	return read_seconds("--timeout", argument, &options->timeout_seconds, error);
}

static int apply_confirm(struct options *options, const char *argument, struct error *error)
{
	return read_seconds("--confirm", argument, &options->confirm_seconds, error);
}

static const char *const color_words[] = {
	[COLOR_AUTO] = "auto",
	[COLOR_ALWAYS] = "always",
	[COLOR_NEVER] = "never",
	NULL,
};

static const char *const containers_words[] = {
	[CONTAINERS_KEEP] = "keep",
	[CONTAINERS_RESTART] = "restart",
	NULL,
};

static const char *const format_words[] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_JSON] = "json",
	[FORMAT_JUNIT] = "junit",
	[FORMAT_SARIF] = "sarif",
	NULL,
};

static const char *const rehearse_words[] = {"require", NULL};

static const char *const benchmark_words[] = {"1.1", "1.6", "1.7", "1.8", NULL};
static_assert(array_size(benchmark_words) == CIS_BENCHMARKS + 1, "the same as cis_benchmarks");

static const char *const completion_words[] = {
	[COMPLETION_BASH - 1] = "bash",
	[COMPLETION_ZSH - 1] = "zsh",
	[COMPLETION_FISH - 1] = "fish",
	[COMPLETION_JSON - 1] = "json",
	[COMPLETION_PROFILES - 1] = "profiles",
	[COMPLETION_SETTINGS - 1] = "settings",
	[COMPLETION_CONSENTS - 1] = "consents",
	[COMPLETION_KEYS - 1] = "keys",
	[COMPLETION_VALUES - 1] = "values",
	[COMPLETION_APPLIES - 1] = "applies",
	NULL,
};

/* Finds the index of a word; -EINVAL with all words in *error where it is none of them. */
static int find_word(const char *const *words, const char *option, const char *word, int *ret,
		     struct error *error)
{
	cleanup_strbuf struct strbuf expected = STRBUF_EMPTY;

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret = (int)i;
			return 0;
		}
		(void)strbuf_addf(&expected, "%s%s",
				  !i             ? ""
				  : words[i + 1] ? ", "
						 : " or ",
				  words[i]);
	}
	return error_set(error, -EINVAL, option, word, "expected %s",
			 expected.data ? expected.data : "another word");
}

static int apply_color(struct options *options, const char *argument, struct error *error)
{
	int index = 0;
	int r = find_word(color_words, "--color", argument, &index, error);

	if (r == 0)
		options->color = (enum color_choice)index;
	return r;
}

static int apply_containers(struct options *options, const char *argument, struct error *error)
{
	int index = 0;
	int r = find_word(containers_words, "--containers", argument, &index, error);

	if (r == 0)
		options->containers = (enum containers_choice)index;
	return r;
}

static int apply_no_rehearsal(struct options *options, const char *argument, struct error *error)
{
	(void)argument;
	if (options->rehearse > REHEARSE_NO)
		return error_set(error, -EINVAL, "--no-rehearsal", NULL,
				 "--rehearse asks for the opposite");
	options->rehearse = REHEARSE_NO;
	return 0;
}

static int apply_rehearse(struct options *options, const char *argument, struct error *error)
{
	if (argument && strcmp(argument, "require") != 0)
		return error_set(error, -EINVAL, "--rehearse", argument,
				 "expected nothing or =require");
	if (options->rehearse == REHEARSE_NO)
		return error_set(error, -EINVAL, "--rehearse", NULL,
				 "--no-rehearsal asks for the opposite");
	if (argument || options->rehearse == REHEARSE_DEFAULT)
		options->rehearse = argument ? REHEARSE_REQUIRE : REHEARSE_YES;
	return 0;
}

static int apply_format(struct options *options, const char *argument, struct error *error)
{
	int index = 0;
	int r = find_word(format_words, "--format", argument, &index, error);

	if (r < 0)
		return r;
	if (options->json && index != FORMAT_JSON)
		return error_set(error, -EINVAL, "--format", argument,
				 "--json asks for another one");
	options->format = (enum format_choice)index;
	options->format_given = true;
	options->json |= options->format == FORMAT_JSON;
	return 0;
}

static int apply_benchmark(struct options *options, const char *argument, struct error *error)
{
	int index = 0;
	int r = find_word(benchmark_words, "--benchmark", argument, &index, error);

	if (r == 0)
		options->benchmark = cis_benchmarks[index];
	return r;
}

static int apply_completion(struct options *options, const char *argument, struct error *error)
{
	int index = 0;
	int r = find_word(completion_words, "--completion", argument, &index, error);

	if (r == 0)
		options->completion = (enum completion_choice)(index + 1);
	return r;
}

static int apply_json(struct options *options, const char *argument, struct error *error)
{
	(void)argument;
	if (options->format_given && options->format != FORMAT_JSON)
		return error_set(error, -EINVAL, "--json", NULL, "--format asks for another one");
	options->json = true;
	options->format = FORMAT_JSON;
	return 0;
}

static int apply_set(struct options *options, const char *argument, struct error *error)
{
	const char *equals = strchr(argument, '=');

	if (!equals || equals == argument)
		return error_set(error, -EINVAL, "--set", argument,
				 "expected KEY=JSON, such as icc=false");

	struct want *wants = reallocarray(options->wants, options->want_count + 1, sizeof *wants);
	if (!wants)
		return error_set_oom(error);
	options->wants = wants;
	struct want *want = &wants[options->want_count];
	want->key = strndup(argument, (size_t)(equals - argument));
	want->value = json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	/* What begins like a list or an object is a mistake in JSON, not a word. */
	bool bracket = equals[1] == '{' || equals[1] == '[' || equals[1] == '"';
	if (!want->value && !bracket)
		want->value = json_string(equals + 1);
	options->want_count++;
	if (want->key && !utf8_is_valid(want->key, strlen(want->key), NULL))
		return error_set(error, -EINVAL, "--set", want->key, "the key is not UTF-8");
	if (!want->value && bracket)
		return error_set(error, -EINVAL, "--set", want->key, "the value is not valid JSON");
	if (!want->value && !utf8_is_valid(equals + 1, strlen(equals + 1), NULL))
		return error_set(error, -EINVAL, "--set", want->key, "the value is not UTF-8");
	return want->key && want->value ? 0 : error_set_oom(error);
}

static int apply_skip(struct options *options, const char *argument, struct error *error)
{
	const char *equals = strchr(argument, '=');
	size_t length = equals ? (size_t)(equals - argument) : strlen(argument);

	if (!length)
		return error_set(error, -EINVAL, "--skip", argument,
				 "expected KEY or KEY=REASON, such as icc");

	struct skip *skips = reallocarray(options->skips, options->skip_count + 1, sizeof *skips);
	if (!skips)
		return error_set_oom(error);
	options->skips = skips;
	struct skip *skip = &skips[options->skip_count++];
	skip->key = strndup(argument, length);
	skip->reason = equals && equals[1] ? strdup(equals + 1) : NULL;
	return skip->key && (!equals || !equals[1] || skip->reason) ? 0 : error_set_oom(error);
}

static int apply_only(struct options *options, const char *argument, struct error *error)
{
	return strlist_add(&options->only, argument) < 0 ? error_set_oom(error) : 0;
}

static int apply_accept(struct options *options, const char *argument, struct error *error)
{
	return strlist_add(&options->accept, argument) < 0 ? error_set_oom(error) : 0;
}

#define ANYWHERE .commands = NULL
#define REPEATS .repeats = true
#define WORDS(list) .kind = ARGUMENT_WORDS, .words = (list)

/* What parsing, the help and the completions come from. */
static const struct option_row rows[] = {
	{"dry-run", NULL, "show what would change, change nothing", apply_dry_run, .shorthand = 'n',
	 .commands = "apply rollback"},
	{"yes", NULL, "do not ask", apply_yes, .shorthand = 'y', .commands = "apply rollback"},
	{"profile", "NAME|FILE", "what to harden to (default: hardened)", apply_profile,
	 .kind = ARGUMENT_PROFILE, .commands = PLANNING},
	{"set", "KEY=JSON", "want another value, e.g. log-driver=journald", apply_set,
	 .kind = ARGUMENT_WANT, .commands = PLANNING, REPEATS},
	{"skip", "KEY[=REASON]", "leave a setting alone, and say why", apply_skip,
	 .kind = ARGUMENT_SETTING, .commands = PLANNING, REPEATS},
	{"only", "KEY", "plan nothing but this setting", apply_only, .kind = ARGUMENT_SETTING,
	 .commands = PLANNING, REPEATS},
	{"accept", "KEY", "consent to a change that is held, or to a restart", apply_accept,
	 .kind = ARGUMENT_CONSENT, .commands = "plan apply rollback", REPEATS},
	{"containers", "WHAT", "keep (default), or restart for network settings", apply_containers,
	 WORDS(containers_words), .commands = "plan apply rollback"},
	{"no-restart", NULL, "write files only, reload and restart nothing", apply_no_restart,
	 .commands = "plan apply rollback recover"},
	{"rehearse", "[=require]", "plan: try it on a throwaway dockerd, as apply does",
	 apply_rehearse, WORDS(rehearse_words), .commands = "plan apply"},
	{"no-rehearsal", NULL, "apply: do not", apply_no_rehearsal, .commands = "apply"},
	{"no-canary", NULL, "apply: start no container to see whether they start", apply_no_canary,
	 .commands = "apply", .strict = true},
	{"verify-cmd", "CMD", "apply: run CMD at the end; if it fails, go back",
	 apply_verify_command, .kind = ARGUMENT_FREE, .commands = "apply", .strict = true},
	{"confirm", "SECONDS", "apply: wait for a yes at the end; without, go back", apply_confirm,
	 .kind = ARGUMENT_FREE, .commands = "apply", .strict = true},
	{"force", NULL, "rollback, recover: overwrite what was edited since", apply_force,
	 .commands = "rollback recover"},
	{"exit-code", NULL, "plan: exit with 1 when there are changes", apply_exit_code,
	 .commands = "plan apply"},
	{"format", "WHAT", "check: text, json, junit or sarif", apply_format, WORDS(format_words),
	 .commands = "check", .strict = true},
	{"benchmark", "V", "check: numbers of CIS 1.1, 1.6, 1.7 or 1.8", apply_benchmark,
	 WORDS(benchmark_words), .commands = "check", .strict = true},
	{"config-file", "PATH", "daemon.json (default: the one the unit names)", apply_config_file,
	 .kind = ARGUMENT_FILE, .commands = PLANNING},
	{"unit", "NAME", "the daemon's unit (default: docker.service)", apply_unit,
	 .kind = ARGUMENT_UNIT, .commands = PLANNING},
	{"root", "DIR", "work on an OS image: files only, all below DIR", apply_root,
	 .kind = ARGUMENT_FOLDER, .commands = "plan apply check rollback history recover"},
	{"docker-version", "V", "what to assume where it cannot be found out", apply_docker_version,
	 .kind = ARGUMENT_FREE, .commands = PLANNING},
	{"timeout", "SECONDS", "longest wait for systemd or the daemon (default 90)", apply_timeout,
	 .kind = ARGUMENT_FREE, .commands = "plan apply check rollback recover"},
	{"json", NULL, "one JSON document on stdout, see harden-json(5)", apply_json, ANYWHERE},
	{"color", "WHEN", "auto, always or never; NO_COLOR is honoured", apply_color,
	 WORDS(color_words)},
	{"quiet", NULL, "one line: what came of it", apply_quiet, .shorthand = 'q'},
	{"verbose", NULL, "also why each setting matters, and what is fine", apply_verbose,
	 .shorthand = 'v', ANYWHERE},
	{"completion", "SHELL", "print the completions of bash, zsh or fish", apply_completion,
	 WORDS(completion_words)},
	{"help", NULL, "this help", apply_help, .shorthand = 'h'},
	{"version", NULL, "the version of harden", apply_version, ANYWHERE},
};

static const struct exit_row exits[] = {
	{EXIT_FINE, "Done, or nothing to do."},
	{EXIT_DIFFERENCES, "check: something fails; plan --exit-code: there are changes."},
	{EXIT_TROUBLE, "Trouble, and nothing was changed."},
	{EXIT_PUT_BACK, "It failed, and the host was put back as it was before."},
	{EXIT_PUT_BACK_FAILED, "Putting it back failed, too."},
	{EXIT_INCOMPLETE, "Done, but something is held, blocked, or not yet in force."},
};

const struct option_row *options_rows(size_t *ret_count)
{
	*ret_count = array_size(rows);
	return rows;
}

const struct exit_row *options_exits(size_t *ret_count)
{
	*ret_count = array_size(exits);
	return exits;
}

bool option_row_suits(const struct option_row *row, const char *command)
{
	size_t length = strlen(command);

	for (const char *at = row->commands; at && *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == length && strncmp(at, command, length) == 0)
			return true;
	return !row->commands;
}

const struct option_row *options_misplaced(const struct options *options, const char *command)
{
	for (size_t i = 0; i < array_size(rows); i++)
		if (options->given >> i & 1 && rows[i].strict &&
		    !option_row_suits(&rows[i], command))
			return &rows[i];
	return NULL;
}

void options_done(struct options *options)
{
	for (size_t i = 0; i < options->want_count; i++) {
		free(options->wants[i].key);
		json_decref(options->wants[i].value);
	}
	for (size_t i = 0; i < options->skip_count; i++) {
		free(options->skips[i].key);
		free(options->skips[i].reason);
	}
	free(options->wants);
	free(options->skips);
	strlist_done(&options->only);
	strlist_done(&options->accept);
	*options = (struct options){.profile = NULL};
}

static_assert(array_size(rows) <= 64, "the rows that were given are bits of one word");

/* getopt_long() numbers its options from here, so that they do not meet shorthands. */
#define FIRST_CODE 256

static void fill_getopt(struct option *long_options, char *shorthands)
{
	*shorthands++ = ':';
	for (size_t i = 0; i < array_size(rows); i++) {
		long_options[i] = (struct option){
			.name = rows[i].name,
			.has_arg = !rows[i].argument            ? no_argument
				   : rows[i].argument[0] == '[' ? optional_argument
								: required_argument,
			.val = FIRST_CODE + (int)i,
		};
		if (rows[i].shorthand) {
			*shorthands++ = rows[i].shorthand;
			if (rows[i].argument)
				*shorthands++ = ':';
		}
	}
	*shorthands = '\0';
}

static const struct option_row *row_for(int code)
{
	if (code >= FIRST_CODE)
		return &rows[code - FIRST_CODE];
	for (size_t i = 0; i < array_size(rows); i++)
		if (rows[i].shorthand == code)
			return &rows[i];
	return NULL;
}

static int unknown_option(const char *given, struct error *error)
{
	size_t length = strcspn(given, "=");
	cleanup_free char *name = strndup(given, length);
	struct text_nearest nearest = TEXT_NEAREST_NONE;

	for (size_t i = 0; name && text_starts_with(name, "--") && i < array_size(rows); i++)
		text_nearest_offer(&nearest, name + 2, rows[i].name);
	return error_set(error, -EINVAL, "harden", NULL,
			 "unknown or ambiguous option %s%s%s; see harden --help",
			 name ? name : given, nearest.name ? "; did you mean --" : "",
			 nearest.name ? nearest.name : "");
}

static int parse_option(int code, char **argv, struct options *options, struct error *error)
{
	if (code == '?')
		return unknown_option(argv[optind - 1], error);
	if (code == ':')
		return error_set(error, -EINVAL, "harden", NULL,
				 "option %s needs a value; see harden --help", argv[optind - 1]);
	const struct option_row *row = row_for(code);
	if (!row)
		return -EINVAL;
	options->given |= UINT64_C(1) << (row - rows);
	return row->apply(options, optarg, error);
}

int options_parse(int argc, char **argv, struct options *ret, struct error *error)
{
	cleanup_options struct options options = {
		.profile = "hardened",
		.unit = "docker.service",
		.timeout_seconds = TIMEOUT_DEFAULT,
	};
	struct option long_options[array_size(rows) + 1] = {{.name = NULL}};
	char shorthands[2 * array_size(rows) + 2];

	fill_getopt(long_options, shorthands);
	opterr = 0;
	optind = 0;
	for (int code; (code = getopt_long(argc, argv, shorthands, long_options, NULL)) != -1;) {
		int r = parse_option(code, argv, &options, error);
		if (r < 0)
			return r;
	}
	if (optind < argc) {
		options.command = argv[optind];
		options.arguments = (const char *const *)argv + optind + 1;
		options.argument_count = (size_t)(argc - optind - 1);
	}
	*ret = options;
	options = (struct options){.profile = NULL};
	return 0;
}

/* Width of the column with the names in the help. */
#define HELP_COLUMN 26

static void print_row(FILE *stream, const char *left, const char *help)
{
	(void)fprintf(stream, "  %-*s%s%s\n", HELP_COLUMN, left,
		      strlen(left) >= HELP_COLUMN ? " " : "", help);
}

void options_print_help(FILE *stream)
{
	size_t count = 0;
	const struct command *all = commands(&count);
	char left[64];

	(void)fputs("Usage: harden [OPTION...] [COMMAND] [ARG...]\n\n"
		    "Makes this host's Docker daemon match a hardened profile and proves it, or\n"
		    "puts the host back as it was. Without a command: apply.\n\n"
		    "Commands:\n",
		    stream);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(left, sizeof left, "%s%s%s", all[i].name,
			       *all[i].arguments ? " " : "", all[i].arguments);
		print_row(stream, left, all[i].help);
	}
	(void)fputs("\nOptions:\n", stream);
	for (size_t i = 0; i < array_size(rows); i++) {
		char shorthand[5] = "    ";
		if (rows[i].shorthand)
			(void)snprintf(shorthand, sizeof shorthand, "-%c, ", rows[i].shorthand);
		bool optional = rows[i].argument && rows[i].argument[0] == '[';
		(void)snprintf(left, sizeof left, "%s--%s%s%s", shorthand, rows[i].name,
			       rows[i].argument && !optional ? " " : "",
			       rows[i].argument ? rows[i].argument : "");
		print_row(stream, left, rows[i].help);
	}
	(void)fputs("\nExit status:\n", stream);
	for (size_t i = 0; i < array_size(exits); i++)
		(void)fprintf(stream, "  %d  %s\n", (int)exits[i].status, exits[i].text);
}
