#include "core/unitedit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "core/builtin.h"
#include "core/envedit.h"
#include "core/unitfile.h"
#include "core/unitline.h"

/* What becomes of a word of the expanded command line. */
struct change {
	bool gone;
	char *text; /* what is left of a group of shorthands; NULL where the word stays */
};

struct work {
	const struct unit_facts *unit;
	const struct configuration *configuration;
	struct change *changes;     /* of each word */
	struct strlist argv;        /* of the program, as it will be */
	struct strlist raw;         /* the same as written, quotes and all */
	struct strlist environment; /* the variables as they will be */
	struct strlist restated;    /* "NAME=value" that the drop-in says anew */
	bool exec_changes;
	struct unitedit *edit;
};

void unitedit_done(struct unitedit *edit)
{
	free(edit->obstacle);
	strlist_done(&edit->words);
	strlist_done(&edit->left_out);
	strlist_done(&edit->assignments);
	for (size_t i = 0; i < edit->file_count; i++)
		strbuf_done(&edit->files[i].text);
	free(edit->files);
	*edit = (struct unitedit){.obstacle = NULL};
}

static void work_done(struct work *work)
{
	for (size_t i = 0; work->changes && i < work->configuration->words.count; i++)
		free(work->changes[i].text);
	free(work->changes);
	strlist_done(&work->argv);
	strlist_done(&work->raw);
	strlist_done(&work->environment);
	strlist_done(&work->restated);
}

/* The first obstacle is the one that is told. */
static int __attribute__((format(printf, 3, 4)))
obstruct(struct work *work, struct error *error, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	if (work->edit->obstacle)
		return 0;
	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	work->edit->obstacle = strbuf_finish(&text);
	return work->edit->obstacle ? 0 : error_set_oom(error);
}

static const char *unit_name(const struct unit_facts *unit)
{
	return unit->name ? unit->name : "the unit";
}

/* --- which words -------------------------------------------------------------------------------
 */

/* Takes the flag's bytes out of its first word. What is left of it may shrink again. */
static int cut_first_word(struct work *work, const struct flag *flag, size_t shift,
			  struct error *error)
{
	struct change *change = &work->changes[flag->first_word];
	const char *text = change->text ? change->text
					: work->configuration->words.items[flag->first_word].text;
	cleanup_strbuf struct strbuf left = STRBUF_EMPTY;

	(void)strbuf_add(&left, text, flag->at - shift);
	if (strbuf_adds(&left, text + flag->at - shift + flag->length) < 0)
		return error_set_oom(error);
	free(change->text);
	change->text = NULL;
	if (!left.length || strcmp(left.data, "-") == 0)
		change->gone = true;
	else
		change->text = strbuf_finish(&left);
	return change->gone || change->text ? 0 : error_set_oom(error);
}

/* How many bytes of the same word, before this flag, have been cut by flags given earlier. */
static size_t cut_before(const struct flag *const *flags, size_t index)
{
	size_t shift = 0;

	for (size_t i = 0; i < index; i++)
		if (flags[i]->first_word == flags[index]->first_word &&
		    flags[i]->at < flags[index]->at)
			shift += flags[i]->length;
	return shift;
}

static int mark_words(struct work *work, const struct flag *const *flags, size_t count,
		      struct error *error)
{
	int r = 0;

	work->changes = calloc(work->configuration->words.count + 1, sizeof *work->changes);
	if (!work->changes)
		return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct flag *flag = flags[i];
		r = cut_first_word(work, flag, cut_before(flags, i), error);
		if (flag->word_count > 1)
			work->changes[flag->first_word + 1].gone = true;
	}
	return r;
}

/* The command line without them. */
static int decide_words(struct work *work, struct error *error)
{
	const struct words *words = &work->configuration->words;

	for (size_t i = 0; i < words->count; i++) {
		const struct change *change = &work->changes[i];
		if (!change->gone &&
		    strlist_add(&work->edit->words,
				change->text ? change->text : words->items[i].text) < 0)
			return error_set_oom(error);
	}
	return 0;
}

/* --- ExecStart= ----------------------------------------------------------------------------------
 */

static bool keeps_dollars(const struct unit_facts *unit)
{
	return unit->command_count &&
	       unit->commands[unit->command_count - 1].flags & EXEC_NO_EXPAND;
}

/* The command of the parsed files that is the same as systemd's, or NULL. */
static const struct unit_command *find_written(const struct unitfile *file,
					       const struct exec_command *command, size_t index,
					       size_t count)
{
	if (file->command_count != count)
		return NULL;
	const struct unit_command *written = &file->commands[index];
	bool same = written->exec.argv.count == command->argv.count &&
		    written->exec.flags == command->flags &&
		    text_equal(written->exec.path, command->path);
	return same ? written : NULL;
}

static int add_prefixed_program(const struct exec_command *command, bool own_argv0,
				struct strlist *raw)
{
	static const struct {
		unsigned flag;
		const char *prefix;
	} prefixes[] = {
		{EXEC_IGNORE_FAILURE, "-"}, {EXEC_NO_EXPAND, ":"}, {EXEC_VIA_SHELL, "|"},
		{EXEC_PRIVILEGED, "+"},     {EXEC_NO_SETUID, "!"}, {EXEC_AMBIENT, "!!"},
	};
	cleanup_strbuf struct strbuf program = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf quoted = STRBUF_EMPTY;

	for (size_t i = 0; i < array_size(prefixes); i++)
		if (command->flags & prefixes[i].flag)
			(void)strbuf_adds(&program, prefixes[i].prefix);
	(void)strbuf_addf(&program, "%s%s", own_argv0 ? "@" : "", command->path);
	if (program.failed)
		return -ENOMEM;
	words_quote(&quoted, program.data, "%");
	return strlist_take(raw, strbuf_finish(&quoted));
}

static int add_quoted(struct strlist *raw, const char *word, const char *doubled)
{
	cleanup_strbuf struct strbuf quoted = STRBUF_EMPTY;

	words_quote(&quoted, word, doubled);
	return strlist_take(raw, strbuf_finish(&quoted));
}

/* Whether a word means the same at another place of another line. A lone backslash at the end takes
 * in what comes after it, be it a word or a line; systemd takes the space away at the end of a
 * line, also where a backslash stands before it. */
static bool can_be_moved(const char *raw)
{
	size_t length = strlen(raw);
	size_t backslashes = 0;

	if (!length || strchr(" \t\r\n", raw[length - 1]))
		return false;
	while (backslashes < length && raw[length - 1 - backslashes] == '\\')
		backslashes++;
	return backslashes % 2 == 0;
}

/* The words of a command as they can be written again: as they stand in the files where these say
 * what systemd has, else quoted. *ret_extra is how many words stand before that of argv[0]. */
static int raw_words(const struct unitfile *file, const struct exec_command *command, size_t index,
		     size_t count, struct strlist *ret, size_t *ret_extra, struct error *error)
{
	const struct unit_command *written = find_written(file, command, index, count);
	bool own_argv0 = !text_equal(command->argv.items[0], command->path);
	size_t extra = written ? written->raw.count - written->exec.argv.count : own_argv0;
	int r = 0;

	if (written && can_be_moved(written->raw.items[0]))
		r = strlist_add(ret, written->raw.items[0]);
	else
		r = add_prefixed_program(command, own_argv0, ret);
	for (size_t i = extra ? 0 : 1; r == 0 && i < command->argv.count; i++) {
		bool same = written && can_be_moved(written->raw.items[i + extra]) &&
			    strcmp(written->exec.argv.items[i], command->argv.items[i]) == 0;
		r = same ? strlist_add(ret, written->raw.items[i + extra])
			 : add_quoted(ret, command->argv.items[i], "%");
	}
	*ret_extra = extra;
	return r < 0 ? error_set_oom(error) : 0;
}

/* What is left of the argv word with this index: NULL in *ret_text where it is gone. False when it
 * stays as it is. */
static bool find_literal_change(const struct work *work, size_t source, const char **ret_text,
				const char **ret_before)
{
	const struct words *words = &work->configuration->words;

	for (size_t i = 0; i < words->count; i++) {
		const struct word *word = &words->items[i];
		if (word->source != source || word->origin != WORD_LITERAL)
			continue;
		*ret_text = work->changes[i].text;
		*ret_before = word->text;
		return work->changes[i].gone || work->changes[i].text;
	}
	return false;
}

static int change_word(struct work *work, const char *text, const char *before, const char *word,
		       struct error *error)
{
	cleanup_strbuf struct strbuf unexpanded = STRBUF_EMPTY;
	bool plain = keeps_dollars(work->unit);

	if (strcmp(before, word) != 0)
		return obstruct(work, error,
				"It shares a word of ExecStart= with other flags and a variable.");
	for (const char *at = text; *at; at++)
		(void)strbuf_addf(&unexpanded, *at == '$' && !plain ? "$%c" : "%c", *at);
	if (unexpanded.failed || strlist_add(&work->argv, unexpanded.data) < 0 ||
	    add_quoted(&work->raw, unexpanded.data, "%") < 0)
		return error_set_oom(error);
	return 0;
}

/* The program's words without what is to go. */
static int edit_command(struct work *work, const struct strlist *argv, const struct strlist *raw,
			size_t extra, struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < extra; i++)
		if (strlist_add(&work->raw, raw->items[i]) < 0)
			return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < argv->count; i++) {
		const char *text = NULL;
		const char *before = NULL;
		bool changes = i > 0 && find_literal_change(work, i, &text, &before);
		work->exec_changes |= changes;
		if (!changes && (strlist_add(&work->argv, argv->items[i]) < 0 ||
				 strlist_add(&work->raw, raw->items[i + extra]) < 0))
			r = error_set_oom(error);
		else if (changes && text)
			r = change_word(work, text, before, argv->items[i], error);
	}
	return r;
}

static int state_command(struct work *work, const struct strlist *raw, struct error *error)
{
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;

	(void)strbuf_adds(&line, "ExecStart=");
	for (size_t i = 0; i < raw->count; i++)
		(void)strbuf_addf(&line, "%s%s", i ? " " : "", raw->items[i]);
	return strlist_take(&work->edit->assignments, strbuf_finish(&line)) < 0
		       ? error_set_oom(error)
		       : 0;
}

/* All commands: those of a oneshot before the last are said again as they are. */
static int edit_commands(struct work *work, const struct unitfile *file,
			 const struct exec_command *commands, size_t count, struct error *error)
{
	struct unitedit *edit = work->edit;
	int r = strlist_add(&edit->assignments, "ExecStart=") < 0 ? error_set_oom(error) : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		cleanup_strlist struct strlist raw = {.items = NULL};
		size_t extra = 0;
		bool last = i + 1 == count;
		r = raw_words(file, &commands[i], i, count, &raw, &extra, error);
		if (r == 0 && last)
			r = edit_command(work, &commands[i].argv, &raw, extra, error);
		if (r == 0)
			r = state_command(work, last ? &work->raw : &raw, error);
	}
	return r;
}

/* Reads the unit's own files; what cannot be read leaves nothing, and the words are quoted then. */
static int read_files(const struct work *work, struct unitfile *ret, struct error *error)
{
	const struct unit_facts *unit = work->unit;
	const struct unit_specifiers specifiers = {.unit = unit_name(unit)};
	struct error ignored = ERROR_NONE;
	cleanup_free struct unit_text *texts = calloc(unit->text_count + 1, sizeof *texts);

	if (!texts)
		return error_set_oom(error);
	for (size_t i = 0; i < unit->text_count; i++) {
		const struct text_file *file = &unit->texts[i];
		if (file->state != FILE_READ)
			return 0;
		texts[i] = (struct unit_text){file->path, file->data, file->length};
	}
	int r = unitfile_parse(texts, unit->text_count, &specifiers, ret, &ignored);
	return r == -ENOMEM ? error_set_oom(error) : 0;
}

static int edit_exec(struct work *work, struct error *error)
{
	const struct unit_facts *unit = work->unit;
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	/* Where the bus does not tell of prefixes. */
	const struct exec_command only = {
		.path = unit->exec_start.items[0],
		.argv = unit->exec_start,
	};
	int r = read_files(work, &file, error);

	if (r < 0)
		return r;
	return unit->command_count
		       ? edit_commands(work, &file, unit->commands, unit->command_count, error)
		       : edit_commands(work, &file, &only, 1, error);
}

/* --- variables -----------------------------------------------------------------------------------
 */

/* Finds what the value of a variable is set by: an environment file, or (count of files) the unit.
 * 0 or -ENOMEM. */
static int find_definition(const struct unit_facts *unit, const char *name, size_t *ret)
{
	for (size_t i = unit->environment_file_count; i-- > 0;) {
		const struct text_file *file = &unit->environment_files[i].file;
		if (file->state != FILE_READ)
			continue;
		cleanup_strlist struct strlist list = {.items = NULL};
		struct error ignored = ERROR_NONE;
		int r = envfile_parse_as(file->data, file->length, unit_systemd_version(unit),
					 &list, &ignored);
		if (r == -ENOMEM)
			return r;
		if (r == 0 && envlist_get(&list, name, strlen(name))) {
			*ret = i;
			return 0;
		}
	}
	*ret = unit->environment_file_count;
	return 0;
}

/* Made anew at each boot, or replaced by the next upgrade. */
static bool is_the_admins(const char *path)
{
	static const char *const others[] = {"/usr/",  "/lib/", "/run/", "/var/run/",
					     "/proc/", "/sys/", "/dev/"};

	for (size_t i = 0; i < array_size(others); i++)
		if (text_starts_with(path, others[i]))
			return false;
	return true;
}

/* The word of the variable's value that became this one. */
struct part {
	struct envedit_cut span;
	bool touched;
	bool gone;
	struct envedit_cut cut;
};

static int count_parts(const char *value, size_t *ret, struct error *error)
{
	cleanup_strlist struct strlist parts = {.items = NULL};
	int r = words_split_value(value, &parts, error);

	*ret = parts.count;
	return r;
}

static int find_spans(const char *value, struct part *parts, size_t count)
{
	const char *cursor = value;

	for (size_t i = 0; i < count; i++) {
		cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
		const char *start;
		const char *end;
		if (words_next(&cursor, WORD_VALUE, &word, &start, &end) <= 0 || word.failed)
			return -ENOMEM;
		parts[i].span =
			(struct envedit_cut){(size_t)(start - value), (size_t)(end - value)};
	}
	return 0;
}

/* A word that goes takes the space before it along; the first of all, that behind it. */
static void cut_part(struct part *parts, size_t count, size_t index)
{
	struct part *part = &parts[index];
	bool first = true;

	for (size_t i = 0; i < index; i++)
		first &= parts[i].gone;
	part->touched = true;
	part->gone = true;
	part->cut = part->span;
	if (!first)
		part->cut.start = parts[index - 1].span.end;
	else if (index + 1 < count)
		part->cut.end = parts[index + 1].span.start;
}

/* Part of a word: only where its text stands in the value as it is. */
static bool shrink_part(struct part *part, const char *value, const char *before, const char *after)
{
	size_t length = strlen(before);
	size_t same = 0;
	size_t end = strlen(after);

	if (part->span.end - part->span.start != length ||
	    memcmp(value + part->span.start, before, length) != 0)
		return false;
	while (same < end && before[same] == after[same])
		same++;
	part->touched = true;
	part->cut.start = part->span.start + same;
	part->cut.end = part->cut.start + (length - end);
	return strcmp(before + same + (length - end), after + same) == 0;
}

static int touch_parts(struct work *work, const char *name, const char *value, struct part *parts,
		       size_t count, struct error *error)
{
	const struct words *words = &work->configuration->words;
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->count; i++) {
		const struct word *word = &words->items[i];
		const struct change *change = &work->changes[i];
		if (!text_equal(word->variable, name) || (!change->gone && !change->text) ||
		    word->part >= count || parts[word->part].touched)
			continue;
		if (change->gone)
			cut_part(parts, count, word->part);
		else if (!shrink_part(&parts[word->part], value, word->text, change->text))
			r = obstruct(work, error,
				     "It shares a word of the variable %s with other flags.", name);
	}
	return r;
}

/* The ranges in order; one that begins inside another has been widened by it. */
static size_t collect_cuts(const struct part *parts, size_t count, struct envedit_cut *cuts)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!parts[i].touched || parts[i].cut.start == parts[i].cut.end)
			continue;
		cuts[found] = parts[i].cut;
		if (found && cuts[found].start < cuts[found - 1].end)
			cuts[found].start = cuts[found - 1].end;
		found++;
	}
	return found;
}

static char *value_without(const char *value, const struct envedit_cut *cuts, size_t count)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		(void)strbuf_add(&out, value + at, cuts[i].start - at);
		at = cuts[i].end;
	}
	(void)strbuf_adds(&out, value + at);
	return strbuf_finish(&out);
}

/* The file as it is by now: an edit of another variable may have come before. */
static int find_file(struct unitedit *edit, size_t index, const struct text_file *file,
		     struct unitedit_file **ret, struct error *error)
{
	for (size_t i = 0; i < edit->file_count; i++)
		if (edit->files[i].index == index) {
			*ret = &edit->files[i];
			return 0;
		}
	struct unitedit_file *files =
		reallocarray(edit->files, edit->file_count + 1, sizeof *files);
	if (!files)
		return error_set_oom(error);
	edit->files = files;
	*ret = &files[edit->file_count++];
	**ret = (struct unitedit_file){.index = index, .text = STRBUF_EMPTY};
	return strbuf_add(&(*ret)->text, file->data, file->length) < 0 ? error_set_oom(error) : 0;
}

static int edit_file(struct work *work, size_t index, const char *name,
		     const struct envedit_cut *cuts, size_t count, struct error *error)
{
	const struct text_file *file = &work->unit->environment_files[index].file;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct unitedit_file *edited = NULL;
	struct error why = ERROR_NONE;

	if (!is_the_admins(file->real_path ? file->real_path : file->path))
		return obstruct(work, error,
				"The variable %s comes from %s, which is not the admin's to edit.",
				name, file->path);
	int r = find_file(work->edit, index, file, &edited, error);
	if (r < 0)
		return r;
	r = envedit_cut(edited->text.data, edited->text.length, unit_systemd_version(work->unit),
			name, cuts, count, &text, &why);
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r < 0)
		return obstruct(work, error, "In %s, %s.", file->path, why.text);
	strbuf_done(&edited->text);
	edited->text = text;
	text = STRBUF_EMPTY;
	return 0;
}

static int edit_variable(struct work *work, const char *name, struct error *error)
{
	const struct strlist *environment = &work->configuration->environment;
	const char *value = envlist_get(environment, name, strlen(name));
	size_t count = 0;
	size_t definition = 0;

	if (!value)
		return obstruct(work, error, "Where the variable %s is set cannot be seen.", name);
	int r = count_parts(value, &count, error);
	if (r < 0)
		return r;
	cleanup_free struct part *parts = calloc(count + 1, sizeof *parts);
	cleanup_free struct envedit_cut *cuts = calloc(count + 1, sizeof *cuts);
	if (!parts || !cuts || find_spans(value, parts, count) < 0 ||
	    find_definition(work->unit, name, &definition) < 0)
		return error_set_oom(error);
	r = touch_parts(work, name, value, parts, count, error);
	if (r < 0 || work->edit->obstacle)
		return r;
	size_t cut_count = collect_cuts(parts, count, cuts);
	cleanup_free char *after = value_without(value, cuts, cut_count);
	if (!after || strlist_addf(&work->environment, "%s=%s", name, after) < 0)
		return error_set_oom(error);
	if (definition < work->unit->environment_file_count)
		return edit_file(work, definition, name, cuts, cut_count, error);
	return strlist_addf(&work->restated, "%s=%s", name, after) < 0 ? error_set_oom(error) : 0;
}

/* Each variable that something is taken out of, once. */
static int edit_variables(struct work *work, struct error *error)
{
	const struct words *words = &work->configuration->words;
	cleanup_strlist struct strlist names = {.items = NULL};
	int r = 0;

	if (strlist_add_all(&work->environment, &work->configuration->environment) < 0)
		return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < words->count; i++) {
		const char *name = words->items[i].variable;
		bool touched = work->changes[i].gone || work->changes[i].text;
		if (!name || !touched || strlist_contains(&names, name))
			continue;
		if (strlist_add(&names, name) < 0)
			return error_set_oom(error);
		r = edit_variable(work, name, error);
	}
	return r;
}

/* --- what harden's drop-in says already
 * ------------------------------------------------------------
 */

#define DROPIN_FOLDER "/etc/systemd/system"
#define DROPIN_NAME "zz-harden.conf"
/* As many more z as are tried before a name is made of the last drop-in's own. */
#define DROPIN_MORE 4

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *last_dropin(const struct unit_facts *unit)
{
	const char *last = "";

	for (size_t i = 0; i < unit->dropin_paths.count; i++)
		if (strcmp(base_name(unit->dropin_paths.items[i]), base_name(last)) > 0)
			last = unit->dropin_paths.items[i];
	return last;
}

/* A line that harden writes. */
static bool is_own_line(const char *line, size_t length)
{
	static const char *const starts[] = {"#", "[Service]", "ExecStart=", "Environment="};

	for (size_t i = 0; i < array_size(starts); i++)
		if (length >= strlen(starts[i]) && strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return !length;
}

static bool is_own_text(const struct text_file *file)
{
	const char *template = builtin_dropin();
	size_t first = strcspn(template, "\n") + 1;

	if (file->length < first || memcmp(file->data, template, first) != 0)
		return false;
	for (size_t at = 0; at < file->length;) {
		const char *line = file->data + at;
		const char *end = memchr(line, '\n', file->length - at);
		size_t length = end ? (size_t)(end - line) : file->length - at;
		if (!is_own_line(line, length))
			return false;
		at += length + 1;
	}
	return true;
}

const struct text_file *unitedit_own_dropin(const struct unit_facts *unit)
{
	const char *path = last_dropin(unit);
	const char *name = base_name(path);

	if (!text_starts_with(path, DROPIN_FOLDER "/") ||
	    strcmp(name + strspn(name, "z"), "-harden.conf") != 0)
		return NULL;
	for (size_t i = 0; i < unit->text_count; i++)
		if (strcmp(unit->texts[i].path, path) == 0)
			return unit->texts[i].state == FILE_READ && is_own_text(&unit->texts[i])
				       ? &unit->texts[i]
				       : NULL;
	return NULL;
}

static bool names_variable(const struct strlist *list, const char *assignment)
{
	size_t length = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->items[i], assignment, length) == 0)
			return true;
	return false;
}

/* The variables that it sets are set again. */
static int keep_variables(struct work *work, const struct unitfile *own, struct error *error)
{
	for (size_t i = 0; i < own->environment.count; i++)
		if (!names_variable(&work->restated, own->environment.items[i]) &&
		    strlist_add(&work->restated, own->environment.items[i]) < 0)
			return error_set_oom(error);
	return 0;
}

/* The flags that are left out already: words that begin with dashes in its comments. */
static int keep_names(struct work *work, const struct text_file *file, struct error *error)
{
	const char *line = strstr(file->data, "\n#   --");
	cleanup_strlist struct strlist names = {.items = NULL};

	if (!line)
		return 0;
	line += strlen("\n#");
	cleanup_free char *copy = strndup(line, strcspn(line, "\n"));
	int r = copy ? words_split_value(copy, &names, error) : error_set_oom(error);
	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (!strlist_contains(&work->edit->left_out, names.items[i]) &&
		    strlist_add(&work->edit->left_out, names.items[i]) < 0)
			r = error_set_oom(error);
	return r;
}

/* A drop-in of harden's that is written again goes on saying what it said. */
static int keep_own(struct work *work, struct error *error)
{
	const struct text_file *file = unitedit_own_dropin(work->unit);
	const struct unit_specifiers specifiers = {.unit = unit_name(work->unit)};
	cleanup_unitfile struct unitfile own = {.commands = NULL};
	struct error ignored = ERROR_NONE;

	if (!file || (!work->exec_changes && !work->restated.count))
		return 0;
	const struct unit_text text = {file->path, file->data, file->length};
	int r = unitfile_parse(&text, 1, &specifiers, &own, &ignored);
	if (r < 0)
		return r == -ENOMEM ? error_set_oom(error) : 0;
	work->exec_changes |= own.command_count > 0;
	r = keep_variables(work, &own, error);
	return r < 0 ? r : keep_names(work, file, error);
}

static int state_all(struct work *work, struct error *error)
{
	struct unitedit *edit = work->edit;

	if (!work->exec_changes)
		strlist_done(&edit->assignments);
	for (size_t i = 0; i < work->restated.count; i++) {
		cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
		(void)strbuf_adds(&line, "Environment=");
		words_quote(&line, work->restated.items[i], "%");
		if (strlist_take(&edit->assignments, strbuf_finish(&line)) < 0)
			return error_set_oom(error);
	}
	return 0;
}

/* --- all together --------------------------------------------------------------------------------
 */

/* Whether the drop-in's own text gives the program these words, read as systemd reads it. */
static int read_back(const struct work *work, bool *ret_same, struct error *error)
{
	const struct unit_specifiers specifiers = {.unit = unit_name(work->unit)};
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error ignored = ERROR_NONE;

	int r = unitedit_dropin_text(work->edit, &text, error);
	if (r < 0)
		return r;
	const struct unit_text dropin = {DROPIN_NAME, text.data, text.length};
	r = unitfile_parse(&dropin, 1, &specifiers, &file, &ignored);
	if (r == -ENOMEM)
		return error_set_oom(error);
	*ret_same = r == 0 && file.command_count &&
		    strlist_equal(&file.commands[file.command_count - 1].exec.argv, &work->argv);
	return 0;
}

/* What systemd will make of it must be what is wanted, and nothing else. */
static int check_result(struct work *work, struct error *error)
{
	const struct strlist *expected = &work->edit->words;
	cleanup_words struct words words = {.items = NULL};
	bool same = true;

	int r = work->exec_changes ? read_back(work, &same, error) : 0;
	if (r == 0)
		r = unit_expand(work->unit, &work->argv, &work->environment, &words, error);
	if (r < 0)
		return r;
	same = same && words.count == expected->count;
	for (size_t i = 0; same && i < words.count; i++)
		same = strcmp(words.items[i].text, expected->items[i]) == 0;
	return same ? 0
		    : obstruct(work, error,
			       "Taking it out would change something else of the command line of "
			       "%s.",
			       unit_name(work->unit));
}

/* What is known before anything is looked at. */
static int check_unit(struct work *work, struct error *error)
{
	const struct unit_facts *unit = work->unit;
	unsigned flags = unit->command_count ? unit->commands[unit->command_count - 1].flags : 0;

	if (!unit->known || !unit->exec_start.count)
		return obstruct(work, error,
				"The unit that starts dockerd is not known, so its command line "
				"cannot be changed from here.");
	if (unit->need_daemon_reload)
		return obstruct(work, error,
				"%s was changed on disk and systemd has not read it since: run "
				"`systemctl daemon-reload` first.",
				unit_name(unit));
	if (flags & (EXEC_VIA_SHELL | EXEC_UNKNOWN))
		return obstruct(work, error,
				"ExecStart= of %s runs through a shell, and what that makes of it "
				"cannot be told.",
				unit_name(unit));
	return 0;
}

/* What the drop-in leaves out, but not what goes from an environment file. */
static int name_left_out(struct work *work, const struct flag *flag, struct error *error)
{
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;
	const struct words *words = &work->configuration->words;
	const char *variable = words->items[flag->first_word].variable;
	size_t definition = work->unit->environment_file_count;

	if (variable && find_definition(work->unit, variable, &definition) < 0)
		return error_set_oom(error);
	if (definition < work->unit->environment_file_count)
		return 0;
	if (strbuf_addf(&name, "--%s", flag->option->flag) < 0)
		return error_set_oom(error);
	if (!strlist_contains(&work->edit->left_out, name.data) &&
	    strlist_add(&work->edit->left_out, name.data) < 0)
		return error_set_oom(error);
	return 0;
}

static int take_out(struct work *work, const struct flag *const *flags, size_t count,
		    struct error *error)
{
	static int (*const steps[])(struct work * work, struct error * error) = {
		decide_words, edit_exec, edit_variables, keep_own, state_all, check_result,
	};
	int r = check_unit(work, error);

	if (r == 0 && !work->edit->obstacle)
		r = mark_words(work, flags, count, error);
	for (size_t i = 0; r == 0 && !work->edit->obstacle && i < count; i++)
		r = name_left_out(work, flags[i], error);
	for (size_t i = 0; r == 0 && !work->edit->obstacle && i < array_size(steps); i++)
		r = steps[i](work, error);
	return r;
}

int unitedit_take_out(const struct unit_facts *unit, const struct configuration *configuration,
		      const struct flag *const *flags, size_t count, struct unitedit *ret,
		      struct error *error)
{
	cleanup_unitedit struct unitedit edit = {.obstacle = NULL};
	scoped(work_done) struct work work = {
		.unit = unit,
		.configuration = configuration,
		.edit = &edit,
	};

	int r = take_out(&work, flags, count, error);
	if (r < 0)
		return r;
	if (edit.obstacle) {
		ret->obstacle = take_ptr(edit.obstacle);
		return 0;
	}
	*ret = edit;
	edit = (struct unitedit){.obstacle = NULL};
	return 0;
}

char *unitedit_place(const struct unit_facts *unit, const struct flag *flag)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const char *variable = flag->variable;
	size_t file = 0;

	if (variable && find_definition(unit, variable, &file) < 0)
		return NULL;
	if (!variable)
		(void)strbuf_addf(&text, "ExecStart= of %s", unit_name(unit));
	else if (file < unit->environment_file_count)
		(void)strbuf_addf(&text, "the variable %s in %s", variable,
				  unit->environment_files[file].file.path);
	else
		(void)strbuf_addf(&text, "the variable %s of %s", variable, unit_name(unit));
	return strbuf_finish(&text);
}

/* --- the drop-in ---------------------------------------------------------------------------------
 */

char *unitedit_dropin_path(const struct unit_facts *unit)
{
	const struct text_file *own = unitedit_own_dropin(unit);
	const char *last = base_name(last_dropin(unit));
	cleanup_strbuf struct strbuf path = STRBUF_EMPTY;

	if (own)
		return strdup(own->path);
	(void)strbuf_addf(&path, "%s/%s.d/", DROPIN_FOLDER, unit_name(unit));
	size_t folder = path.length;
	(void)strbuf_adds(&path, DROPIN_NAME);
	for (int i = 0; !path.failed && i < DROPIN_MORE && strcmp(path.data + folder, last) <= 0;
	     i++)
		(void)strbuf_splice(&path, folder, 0, "z", 1);
	if (!path.failed && strcmp(path.data + folder, last) <= 0) {
		(void)strbuf_splice(&path, folder, path.length - folder, last, strlen(last));
		(void)strbuf_splice(&path, path.length - strlen(".conf"), strlen(".conf"), "", 0);
		(void)strbuf_adds(&path, "z-harden.conf");
	}
	return strbuf_finish(&path);
}

static void add_joined(struct strbuf *out, const struct strlist *list, const char *separator)
{
	for (size_t i = 0; i < list->count; i++)
		(void)strbuf_addf(out, "%s%s", i ? separator : "", list->items[i]);
}

int unitedit_dropin_text(const struct unitedit *edit, struct strbuf *ret, struct error *error)
{
	const char *template = builtin_dropin();

	for (const char *at = template; *at;) {
		static const char left_out[] = "@LEFT_OUT@", assignments[] = "@ASSIGNMENTS@";
		size_t plain = strcspn(at, "@");
		(void)strbuf_add(ret, at, plain);
		at += plain;
		if (text_starts_with(at, left_out)) {
			add_joined(ret, &edit->left_out, " ");
			at += strlen(left_out);
		} else if (text_starts_with(at, assignments)) {
			add_joined(ret, &edit->assignments, "\n");
			at += strlen(assignments);
		} else if (*at) {
			(void)strbuf_addc(ret, *at++);
		}
	}
	return ret->failed ? error_set_oom(error) : 0;
}
