#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "core/dockerver.h"
#include "core/profile.h"

#define TIMEOUT_DEFAULT 90
#define SECONDS_MAX 86400

/* One option: how it is spelled, what the help says, and what it does. */
struct option_row {
	const char *name;
	char shorthand;       /* 0 if there is none */
	const char *argument; /* for the help; NULL when it takes none, "[=…]" when it may */
	const char *help;
	int (*apply)(struct options *options, const char *argument, struct error *error);
};

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

/* The index of the word in a list; -1 where it is none of them. */
static int find_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

static int apply_color(struct options *options, const char *argument, struct error *error)
{
	static const char *const names[] = {
		[COLOR_AUTO] = "auto",
		[COLOR_ALWAYS] = "always",
		[COLOR_NEVER] = "never",
	};
	int index = find_word(names, array_size(names), argument);

	if (index < 0)
		return error_set(error, -EINVAL, "--color", argument,
				 "expected auto, always or never");
	options->color = (enum color_choice)index;
	return 0;
}

static int apply_containers(struct options *options, const char *argument, struct error *error)
{
	static const char *const names[] = {
		[CONTAINERS_KEEP] = "keep",
		[CONTAINERS_RESTART] = "restart",
	};
	int index = find_word(names, array_size(names), argument);

	if (index < 0)
		return error_set(error, -EINVAL, "--containers", argument,
				 "expected keep or restart");
	options->containers = (enum containers_choice)index;
	return 0;
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
	static const char *const names[] = {
		[FORMAT_TEXT] = "text",
		[FORMAT_JSON] = "json",
		[FORMAT_JUNIT] = "junit",
		[FORMAT_SARIF] = "sarif",
	};
	int index = find_word(names, array_size(names), argument);

	if (index < 0)
		return error_set(error, -EINVAL, "--format", argument,
				 "expected text, json, junit or sarif");
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
	int index = find_word(cis_benchmarks, CIS_BENCHMARKS, argument);

	if (index < 0)
		return error_set(error, -EINVAL, "--benchmark", argument,
				 "expected 1.1, 1.6, 1.7 or 1.8");
	options->benchmark = cis_benchmarks[index];
	return 0;
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

static const struct option_row rows[] = {
	{"dry-run", 'n', NULL, "show what would change, change nothing", apply_dry_run},
	{"yes", 'y', NULL, "do not ask", apply_yes},
	{"profile", 0, "NAME|FILE", "what to harden to (default: hardened)", apply_profile},
	{"set", 0, "KEY=JSON", "want another value, e.g. log-driver=journald", apply_set},
	{"skip", 0, "KEY[=REASON]", "leave a setting alone, and say why", apply_skip},
	{"only", 0, "KEY", "plan nothing but this setting", apply_only},
	{"accept", 0, "KEY", "consent to a change that is held, or to a restart", apply_accept},
	{"containers", 0, "WHAT", "keep (default), or restart for network settings",
	 apply_containers},
	{"no-restart", 0, NULL, "write files only, reload and restart nothing", apply_no_restart},
	{"rehearse", 0, "[=require]", "plan: try it on a throwaway dockerd, as apply does",
	 apply_rehearse},
	{"no-rehearsal", 0, NULL, "apply: do not", apply_no_rehearsal},
	{"no-canary", 0, NULL, "apply: start no container to see whether they start",
	 apply_no_canary},
	{"verify-cmd", 0, "CMD", "apply: run CMD at the end; if it fails, go back",
	 apply_verify_command},
	{"confirm", 0, "SECONDS", "apply: wait for a yes at the end; without, go back",
	 apply_confirm},
	{"force", 0, NULL, "rollback, recover: overwrite what was edited since", apply_force},
	{"exit-code", 0, NULL, "plan: exit with 1 when there are changes", apply_exit_code},
	{"format", 0, "WHAT", "check: text, json, junit or sarif", apply_format},
	{"benchmark", 0, "V", "check: numbers of CIS 1.1, 1.6, 1.7 or 1.8", apply_benchmark},
	{"config-file", 0, "PATH", "daemon.json (default: the one the unit names)",
	 apply_config_file},
	{"unit", 0, "NAME", "the daemon's unit (default: docker.service)", apply_unit},
	{"root", 0, "DIR", "work on an OS image: files only, all below DIR", apply_root},
	{"docker-version", 0, "V", "what to assume where it cannot be found out",
	 apply_docker_version},
	{"timeout", 0, "SECONDS", "longest wait for systemd or the daemon (default 90)",
	 apply_timeout},
	{"json", 0, NULL, "one JSON document on stdout, see harden-json(5)", apply_json},
	{"color", 0, "WHEN", "auto, always or never; NO_COLOR is honoured", apply_color},
	{"quiet", 'q', NULL, "one line: what came of it", apply_quiet},
	{"verbose", 'v', NULL, "also why each setting matters, and what is fine", apply_verbose},
	{"help", 'h', NULL, "this help", apply_help},
	{"version", 0, NULL, "the version of harden", apply_version},
};

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
	return row ? row->apply(options, optarg, error) : -EINVAL;
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
	(void)fputs(
		"\nExit status: 0 done or nothing to do, 1 differences (check; plan --exit-code),\n"
		"2 trouble and nothing was changed, 3 it failed and the host was put back,\n"
		"4 putting it back failed too, 5 done, but something is held or not yet in "
		"force.\n",
		stream);
}
