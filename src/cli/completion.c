#include "cli/completion.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "cli/records.h"
#include "cli/session.h"
#include "core/builtin.h"
#include "core/options.h"
#include "host/profile_file.h"

#define TABLE "@TABLE@"

static const char *kind_name(enum argument_kind kind)
{
	static const char *const names[] = {
		[ARGUMENT_NONE] = "none",        [ARGUMENT_FREE] = "free",
		[ARGUMENT_FILE] = "file",        [ARGUMENT_FOLDER] = "folder",
		[ARGUMENT_WORDS] = "words",      [ARGUMENT_PROFILE] = "profiles",
		[ARGUMENT_SETTING] = "settings", [ARGUMENT_CONSENT] = "consents",
		[ARGUMENT_WANT] = "wants",       [ARGUMENT_UNIT] = "units",
		[ARGUMENT_APPLY] = "applies",
	};

	return names[kind];
}

static enum argument_kind kind_of(const struct option_row *row)
{
	return row->argument && row->kind == ARGUMENT_NONE ? ARGUMENT_FREE : row->kind;
}

static bool is_optional(const struct option_row *row)
{
	return row->argument && row->argument[0] == '[';
}

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

/* The words of a list; those of --completion that only scripts ask for are left out. */
static void add_words(struct strbuf *out, const struct option_row *row)
{
	bool shells = strcmp(row->name, "completion") == 0;

	for (size_t i = 0; row->words && row->words[i] && !(shells && i >= COMPLETION_FISH); i++)
		(void)strbuf_addf(out, "%s%s", i ? " " : "", row->words[i]);
}

/* Within single quotes. */
static void add_quoted(struct strbuf *out, const char *text, const char *quote)
{
	for (const char *at = text; *at; at++)
		if (*at == '\'')
			(void)strbuf_adds(out, quote);
		else
			(void)strbuf_addc(out, *at);
}

#define QUOTE_POSIX "'\\''"
#define QUOTE_FISH "\\'"

/* A bar is what stands between columns. */
static void add_argument(struct strbuf *out, const struct option_row *row)
{
	for (const char *at = row->argument; at && *at; at++)
		(void)strbuf_addc(out, *at == '|' ? '/' : *at);
}

/* One line for each row.
 *   'NAME|SHORTHAND|KIND|OPTIONAL|REPEATS|COMMANDS|WORDS|ARGUMENT|HELP' */
static void add_table(struct strbuf *out)
{
	size_t count = 0;
	const struct option_row *rows = options_rows(&count);
	const struct command *all;

	(void)strbuf_adds(out, "_harden_options=(\n");
	for (size_t i = 0; i < count; i++) {
		const struct option_row *row = &rows[i];
		char shorthand[2] = {row->shorthand, '\0'};
		(void)strbuf_addf(out, "\t'%s|%s|%s|%s|%s|%s|", row->name, shorthand,
				  kind_name(kind_of(row)), yes_no(is_optional(row)),
				  yes_no(row->repeats), row->commands ? row->commands : "");
		add_words(out, row);
		(void)strbuf_addc(out, '|');
		add_argument(out, row);
		(void)strbuf_addc(out, '|');
		add_quoted(out, row->help, QUOTE_POSIX);
		(void)strbuf_adds(out, "'\n");
	}
	all = commands(&count);
	(void)strbuf_adds(out, ")\n_harden_commands=(\n");
	for (size_t i = 0; i < count; i++)
		(void)strbuf_addf(out, "\t'%s|%s|%s'\n", all[i].name, kind_name(all[i].kind),
				  all[i].help);
	(void)strbuf_adds(out, ")\n");
}

/* fish has no arrays of records: each row is a call of its own. */
static void add_fish_table(struct strbuf *out)
{
	size_t count = 0;
	const struct command *all = commands(&count);

	for (size_t i = 0; i < count; i++)
		(void)strbuf_addf(out, "__harden_command %s %s '%s'\n", all[i].name,
				  kind_name(all[i].kind), all[i].help);
	const struct option_row *rows = options_rows(&count);
	for (size_t i = 0; i < count; i++) {
		const struct option_row *row = &rows[i];
		char shorthand[2] = {row->shorthand, '\0'};
		(void)strbuf_addf(out, "__harden_option %s '%s' %s %s '%s' '", row->name, shorthand,
				  kind_name(kind_of(row)), yes_no(is_optional(row)),
				  row->commands ? row->commands : "");
		add_words(out, row);
		(void)strbuf_adds(out, "' '");
		add_quoted(out, row->help, QUOTE_FISH);
		(void)strbuf_adds(out, "'\n");
	}
}

static int print_script(enum completion_choice shell)
{
	const char *text = builtin_completion(shell == COMPLETION_BASH  ? "bash"
					      : shell == COMPLETION_ZSH ? "zsh"
									: "fish");
	const char *place = strstr(text, TABLE "\n");
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	(void)strbuf_add(&out, text, (size_t)(place - text));
	if (shell == COMPLETION_FISH)
		add_fish_table(&out);
	else
		add_table(&out);
	(void)strbuf_adds(&out, place + strlen(TABLE "\n"));
	return !out.failed && output_text(out.data, out.length) ? EXIT_FINE : EXIT_TROUBLE;
}

/* --- the table as JSON -------------------------------------------------------------------------
 */

static json_t *words_json(const char *const *words)
{
	json_t *list = json_array();

	for (size_t i = 0; words && words[i]; i++)
		(void)json_array_append_new(list, json_string(words[i]));
	return list;
}

static json_t *row_json(const struct option_row *row)
{
	char shorthand[2] = {row->shorthand, '\0'};

	return json_pack("{s:s, s:o, s:o, s:s, s:b, s:s, s:o, s:o, s:b, s:b}", "name", row->name,
			 "shorthand", show_text_json(*shorthand ? shorthand : NULL), "argument",
			 show_text_json(row->argument), "kind", kind_name(kind_of(row)), "optional",
			 is_optional(row), "help", row->help, "words", words_json(row->words),
			 "commands", show_text_json(row->commands), "strict", row->strict,
			 "repeats", row->repeats);
}

static int print_json(void)
{
	json_t *document = document_start("completion");
	json_t *option_list = json_array();
	json_t *command_list = json_array();
	json_t *exit_list = json_array();
	size_t count = 0;

	const struct option_row *rows = options_rows(&count);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(option_list, row_json(&rows[i]));
	const struct command *all = commands(&count);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(command_list,
					    json_pack("{s:s, s:s, s:s, s:s}", "name", all[i].name,
						      "argument", all[i].arguments, "kind",
						      kind_name(all[i].kind), "help", all[i].help));
	const struct exit_row *exits = options_exits(&count);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(exit_list,
					    json_pack("{s:i, s:s}", "status", (int)exits[i].status,
						      "text", exits[i].text));
	if (json_object_set_new(document, "options", option_list) < 0 ||
	    json_object_set_new(document, "commands", command_list) < 0 ||
	    json_object_set_new(document, "exits", exit_list) < 0) {
		json_decref(document);
		document = NULL;
	}
	return output_json(document) ? EXIT_FINE : EXIT_TROUBLE;
}

/* --- words -------------------------------------------------------------------------------------
 */

/* What a word means is on the same line, so it has no control characters; a word that has some is
 * not offered. */
static void add_word(struct strbuf *out, const char *word, const char *meaning)
{
	cleanup_strbuf struct strbuf clean = STRBUF_EMPTY;

	(void)text_add_printable(&clean, word, strlen(word), false);
	if (!*word || !text_equal(clean.data, word) || strpbrk(word, " '\"\\"))
		return;
	(void)strbuf_adds(out, word);
	if (meaning && *meaning) {
		(void)strbuf_addc(out, '\t');
		(void)text_add_printable(out, meaning, strlen(meaning), false);
	}
	(void)strbuf_addc(out, '\n');
}

static void add_profiles(struct strbuf *out)
{
	cleanup_strlist struct strlist names = {.items = NULL};
	struct error error = ERROR_NONE;

	if (profile_file_list(&names, &error) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		cleanup_profile struct profile profile = {.name = NULL};
		bool read = profile_file_read(names.items[i], &profile, &error) == 0;
		add_word(out, names.items[i], read ? profile.title : NULL);
	}
}

static void add_settings(struct strbuf *out, const struct options *options)
{
	cleanup_profile struct profile profile = {.name = NULL};
	bool consents = options->completion == COMPLETION_CONSENTS;
	struct error error = ERROR_NONE;

	if (profile_file_read(options->profile, &profile, &error) < 0)
		return;
	for (size_t i = 0; i < profile.row_count; i++) {
		const struct profile_row *row = &profile.rows[i];
		if (!consents || row->otherwise == OTHERWISE_HOLD ||
		    row->rule == RULE_STORAGE_DRIVER)
			add_word(out, row->key, row->title);
	}
	if (consents)
		add_word(out, ACCEPT_RESTART, "A restart of dockerd may stop containers");
}

static struct dockerver version_of(const struct options *options)
{
	struct dockerver version = DOCKERVER_NEWEST;

	if (options->docker_version)
		(void)dockerver_parse(options->docker_version, &version);
	return version;
}

static void add_keys(struct strbuf *out, const struct options *options)
{
	struct dockerver version = version_of(options);
	size_t count = 0;
	const struct option *all = options_table(&count);

	for (size_t i = 0; i < count; i++)
		if (all[i].key && option_has_key(&all[i], version) &&
		    !option_is_withdrawn(&all[i], version) && !option_is_ignored(&all[i], version))
			add_word(out, all[i].key, all[i].note);
}

/* Words and numbers; lists and objects are the user's to write. */
static void add_value(struct strbuf *out, const json_t *value, const char *meaning)
{
	cleanup_free char *text =
		json_is_object(value) || json_is_array(value) || json_is_null(value)
			? NULL
			: json_dumps(value, JSON_ENCODE_ANY);

	if (json_is_string(value))
		add_word(out, json_string_value(value), meaning);
	else if (text)
		add_word(out, text, meaning);
}

/* What the profile wants and what else complies, and both values of what is true or false. */
static void add_values(struct strbuf *out, const struct options *options)
{
	cleanup_profile struct profile profile = {.name = NULL};
	const char *key = options->command ? options->command : "";
	const struct option *option = option_by_key(key);
	struct error error = ERROR_NONE;
	size_t i;
	json_t *value;

	int r = profile_file_read(options->profile, &profile, &error);
	const struct profile_row *row = r == 0 ? profile_find(&profile, key) : NULL;
	if (option && option->type == OPTION_BOOL) {
		add_word(out, "true", NULL);
		add_word(out, "false", NULL);
		return;
	}
	if (!row)
		return;
	add_value(out, row->wanted, "What the profile wants");
	json_array_foreach (row->complies, i, value)
		add_value(out, value, "Complies, too");
}

/* Those that can be undone, the latest first. Only root can know them. */
static void add_applies(struct strbuf *out)
{
	cleanup_store struct store store = STORE_CLOSED;
	cleanup_records struct records records = {.items = NULL};
	struct error error = ERROR_NONE;

	if (session_may_read("history", &error) < 0 || session_has_no_store() ||
	    store_open(STORE_FOLDER, &store, &error) < 0 ||
	    records_load(&store, &records, &error) < 0)
		return;
	for (size_t i = records.count; i > 0; i--) {
		const struct record *record = &records.items[i - 1];
		if (!record->stands)
			continue;
		cleanup_free char *what = record_what(&record->txn);
		cleanup_strbuf struct strbuf meaning = STRBUF_EMPTY;
		char time[RECORD_TIME_SIZE];
		record_time(record->txn.started, time);
		(void)strbuf_addf(&meaning, "%s, %s", time, what ? what : "?");
		add_word(out, record->txn.id, meaning.data);
	}
}

static void add_applies_of(struct strbuf *out, const struct options *options)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct options inside = *options;
	struct error error = ERROR_NONE;

	inside.loaded = &profile;
	if (!options->root || reading_enter(&inside, &error) == 0)
		add_applies(out);
}

int completion_print(const struct options *options)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	switch (options->completion) {
	case COMPLETION_BASH:
	case COMPLETION_ZSH:
	case COMPLETION_FISH:
		return print_script(options->completion);
	case COMPLETION_JSON:
		return print_json();
	case COMPLETION_PROFILES:
		add_profiles(&out);
		break;
	case COMPLETION_SETTINGS:
	case COMPLETION_CONSENTS:
		add_settings(&out, options);
		break;
	case COMPLETION_KEYS:
		add_keys(&out, options);
		break;
	case COMPLETION_VALUES:
		add_values(&out, options);
		break;
	case COMPLETION_APPLIES:
		add_applies_of(&out, options);
		break;
	case COMPLETION_NONE:
		break;
	}
	return !out.failed && output_text(out.data ? out.data : "", out.length) ? EXIT_FINE
										: EXIT_TROUBLE;
}
