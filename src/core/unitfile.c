#include "core/unitfile.h"

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/words.h"

/* systemd's WHITESPACE and COMMENTS (src/basic/string-util.h, def.h) */
#define SPACE " \t\n\r"
#define COMMENT_START "#;"
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

struct reader {
	const struct unit_specifiers *specifiers;
	const char *fragment; /* its path */
	const char *path;     /* of the file at hand */
	unsigned line;
	bool in_service;
	struct unitfile *file;
};

static void command_done(struct unit_command *command)
{
	exec_command_done(&command->exec);
	strlist_done(&command->raw);
	free(command->path);
}

static void drop_commands(struct unitfile *file)
{
	for (size_t i = 0; i < file->command_count; i++)
		command_done(&file->commands[i]);
	free(file->commands);
	file->commands = NULL;
	file->command_count = 0;
}

void unitfile_done(struct unitfile *file)
{
	drop_commands(file);
	strlist_done(&file->environment);
	strlist_done(&file->environment_files);
	strlist_done(&file->unset_environment);
}

/* --- specifiers --------------------------------------------------------------------------------
 */

/* "a-b\x2dc" is "a/b-c" (unit_name_unescape()). */
static void add_unescaped(struct strbuf *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned code;
		char digits[3] = {0};

		if (text[i] == '\\' && i + 3 < length && text[i + 1] == 'x' &&
		    strspn(memcpy(digits, text + i + 2, 2), "0123456789abcdefABCDEF") == 2) {
			code = (unsigned)strtoul(digits, NULL, 16);
			(void)strbuf_addc(out, (char)code);
			i += 3;
		} else {
			(void)strbuf_addc(out, text[i] == '-' ? '/' : text[i]);
		}
	}
}

/* The parts of a unit's name: "prefix@instance.service". */
struct unit_name {
	const char *whole;
	size_t prefix;        /* length */
	const char *instance; /* NULL without one */
	size_t instance_length;
	size_t stem; /* length without ".service" */
};

static struct unit_name take_name_apart(const char *unit)
{
	const char *dot = strrchr(unit, '.');
	struct unit_name name = {.whole = unit, .stem = dot ? (size_t)(dot - unit) : strlen(unit)};
	const char *at = memchr(unit, '@', name.stem);

	name.prefix = at ? (size_t)(at - unit) : name.stem;
	name.instance = at ? at + 1 : NULL;
	name.instance_length = at ? name.stem - name.prefix - 1 : 0;
	return name;
}

/* Specifiers that the unit's name answers. */
static bool add_name_specifier(const struct reader *reader, char letter, struct strbuf *out)
{
	const struct unit_name name = take_name_apart(reader->specifiers->unit);
	const char *last = memrchr(name.whole, '-', name.prefix);
	size_t skipped = last ? (size_t)(last - name.whole) + 1 : 0;
	const char *inner = name.instance ? name.instance : name.whole;
	size_t inner_length = name.instance ? name.instance_length : name.prefix;

	switch (letter) {
	case 'n':
		(void)strbuf_adds(out, name.whole);
		return true;
	case 'N':
		(void)strbuf_add(out, name.whole, name.stem);
		return true;
	case 'p':
		(void)strbuf_add(out, name.whole, name.prefix);
		return true;
	case 'P':
		add_unescaped(out, name.whole, name.prefix);
		return true;
	case 'i':
		(void)strbuf_add(out, name.instance ? name.instance : "", name.instance_length);
		return true;
	case 'I':
		add_unescaped(out, name.instance ? name.instance : "", name.instance_length);
		return true;
	case 'j':
		(void)strbuf_add(out, name.whole + skipped, name.prefix - skipped);
		return true;
	case 'J':
		add_unescaped(out, name.whole + skipped, name.prefix - skipped);
		return true;
	case 'f':
		(void)strbuf_addc(out, '/');
		add_unescaped(out, inner, inner_length);
		return true;
	default:
		return false;
	}
}

/* Those that are the same for every service of the system manager. */
static const char *constant_specifier(char letter)
{
	static const char *const constants[128] = {
		['t'] = "/run", ['S'] = "/var/lib", ['C'] = "/var/cache", ['L'] = "/var/log",
		['E'] = "/etc", ['T'] = "/tmp",     ['V'] = "/var/tmp",   ['h'] = "/root",
		['u'] = "root", ['U'] = "0",        ['g'] = "root",       ['G'] = "0",
	};

	return (unsigned char)letter < 128 ? constants[(unsigned char)letter] : NULL;
}

static bool is_specifier(char letter)
{
	return letter && strchr("AaBbCDdEfgGhHiIjJlLmMnNoPpqSsTtUuVvWwYy", letter);
}

/* These are kept for specifiers to come, so systemd refuses one that it does not know; before any
 * other character a percent sign stands for itself. */
static bool is_reserved(char letter)
{
	return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
	       (letter >= 'A' && letter <= 'Z');
}

static void add_specifier(struct reader *reader, char letter, struct strbuf *out)
{
	const char *value = constant_specifier(letter);

	if (!value && (unsigned char)letter < 128)
		value = reader->specifiers->value[(unsigned char)letter];
	if (value) {
		(void)strbuf_adds(out, value);
	} else if (letter == 'y') {
		(void)strbuf_adds(out, reader->fragment);
	} else if (letter == 'Y') {
		const char *slash = strrchr(reader->fragment, '/');
		(void)strbuf_add(out, reader->fragment,
				 slash ? (size_t)(slash - reader->fragment) : 0);
	} else if (!add_name_specifier(reader, letter, out)) {
		reader->file->unresolved = true;
		(void)strbuf_addf(out, "%%%c", letter);
	}
}

/* Specifiers are resolved after a word has been unquoted (specifier_printf()). 0, -EINVAL for one
 * that systemd does not know, or -ENOMEM. */
static int resolve(struct reader *reader, const char *word, char **ret)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	for (; *word; word++) {
		if (word[0] != '%' || !word[1]) {
			(void)strbuf_addc(&out, *word);
			continue;
		}
		word++;
		if (*word == '%')
			(void)strbuf_addc(&out, '%');
		else if (is_specifier(*word))
			add_specifier(reader, *word, &out);
		else if (is_reserved(*word))
			return -EINVAL;
		else
			(void)strbuf_addf(&out, "%%%c", *word);
	}
	*ret = strbuf_finish(&out);
	return *ret ? 0 : -ENOMEM;
}

/* --- ExecStart= --------------------------------------------------------------------------------
 */

/* Takes the prefixes off the first word; *ret_argv0 says that argv[0] comes as a word of its own.
 */
static const char *take_prefixes(const char *word, unsigned *flags, bool *ret_argv0)
{
	const unsigned rights = EXEC_PRIVILEGED | EXEC_NO_SETUID | EXEC_AMBIENT;

	for (;; word++) {
		if (*word == '-' && !(*flags & EXEC_IGNORE_FAILURE))
			*flags |= EXEC_IGNORE_FAILURE;
		else if (*word == '@' && !*ret_argv0)
			*ret_argv0 = true;
		else if (*word == ':' && !(*flags & EXEC_NO_EXPAND))
			*flags |= EXEC_NO_EXPAND;
		else if (*word == '|' && !(*flags & EXEC_VIA_SHELL))
			*flags |= EXEC_VIA_SHELL;
		else if (*word == '+' && !(*flags & rights))
			*flags |= EXEC_PRIVILEGED;
		else if (*word == '!' && !(*flags & rights))
			*flags |= EXEC_NO_SETUID;
		else if (*word == '!' && !(*flags & (rights & ~(unsigned)EXEC_NO_SETUID)))
			*flags = (*flags & ~(unsigned)EXEC_NO_SETUID) | EXEC_AMBIENT;
		else
			return word;
	}
}

static bool is_valid_program(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7F)
			return false;
	return length && path[length - 1] != '/' && !strpbrk(path, "\\\"'") &&
	       (path[0] == '/' || !strchr(path, '/'));
}

/* Runs of slashes and "/./" become one slash (path_simplify()). */
static char *simplify(const char *path)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	while (*path) {
		if (path[0] == '/') {
			path++;
			while (*path == '/' || (path[0] == '.' && (!path[1] || path[1] == '/')))
				path++;
			if (*path || !out.length)
				(void)strbuf_addc(&out, '/');
		} else {
			size_t length = strcspn(path, "/");
			(void)strbuf_add(&out, path, length);
			path += length;
		}
	}
	return strbuf_finish(&out);
}

/* What would keep systemd from loading the unit. */
static int refuse(const struct reader *reader, const char *what, struct error *error)
{
	return error_set_at(error, -EINVAL, "read unit", reader->path, reader->line, 1,
			    "systemd does not load a unit with this ExecStart=: %s", what);
}

static int refuse_specifier(const struct reader *reader, struct error *error)
{
	return refuse(reader, "it has a % before a letter that stands for nothing; write %%",
		      error);
}

static bool is_separator(const char *at)
{
	return at[0] == ';' && (!at[1] || strchr(SPACE, at[1]));
}

static bool is_escaped_separator(const char *at)
{
	return at[0] == '\\' && is_separator(at + 1);
}

static int read_program(struct reader *reader, const char **cursor, struct unit_command *command,
			bool *ret_argv0, struct error *error)
{
	cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
	cleanup_free char *path = NULL;
	const char *start;
	const char *end;

	int r = words_next(cursor, WORD_COMMAND, &word, &start, &end);
	if (r < 0)
		return refuse(reader, "its quotes are not balanced", error);
	if (r == 0)
		return 0;
	if (word.failed)
		return error_set_oom(error);
	const char *program =
		take_prefixes(word.data ? word.data : "", &command->exec.flags, ret_argv0);
	r = resolve(reader, program, &path);
	if (r == -EINVAL)
		return refuse_specifier(reader, error);
	if (r < 0 || strlist_add_bytes(&command->raw, start, (size_t)(end - start)) < 0)
		return error_set_oom(error);
	if (!is_valid_program(path))
		return refuse(reader, "the program's path is not a valid one", error);
	if (!*ret_argv0 && strlist_add(&command->exec.argv, path) < 0)
		return error_set_oom(error);
	command->exec.path = simplify(path);
	command->path = strdup(reader->path);
	return command->exec.path && command->path ? 1 : error_set_oom(error);
}

static int read_argument(struct reader *reader, const char **cursor, struct unit_command *command,
			 struct error *error)
{
	cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
	const char *start = *cursor;
	const char *end = start + strlen("\\;");
	cleanup_free char *resolved = NULL;
	int r = 1;

	if (is_escaped_separator(start)) {
		*cursor = end;
		resolved = strdup(";");
		r = resolved ? 0 : -ENOMEM;
	} else {
		r = words_next(cursor, WORD_COMMAND, &word, &start, &end);
		if (r < 0)
			return refuse(reader, "its quotes are not balanced", error);
		if (r == 0)
			return 0;
		r = resolve(reader, word.data ? word.data : "", &resolved);
	}
	if (r == -EINVAL)
		return refuse_specifier(reader, error);
	if (r < 0 || word.failed || strlist_add(&command->exec.argv, resolved) < 0 ||
	    strlist_add_bytes(&command->raw, start, (size_t)(end - start)) < 0)
		return error_set_oom(error);
	return 1;
}

static int add_command(struct unitfile *file, struct unit_command *command, struct error *error)
{
	struct unit_command *commands =
		reallocarray(file->commands, file->command_count + 1, sizeof *commands);

	if (!commands)
		return error_set_oom(error);
	file->commands = commands;
	commands[file->command_count++] = *command;
	*command = (struct unit_command){.path = NULL};
	return 0;
}

/* One command up to the end or a semicolon. Returns 1 when one was read. */
static int read_command(struct reader *reader, const char **cursor, struct error *error)
{
	scoped(command_done) struct unit_command command = {.path = NULL};
	bool own_argv0 = false;

	int r = read_program(reader, cursor, &command, &own_argv0, error);
	if (r <= 0)
		return r;
	do {
		*cursor += strspn(*cursor, SPACE);
		if (is_separator(*cursor)) {
			(*cursor)++;
			break;
		}
		r = read_argument(reader, cursor, &command, error);
	} while (r > 0);
	if (r < 0)
		return r;
	if (!command.exec.argv.count)
		return refuse(reader, "a program with @ needs a name as its first word", error);
	r = add_command(reader->file, &command, error);
	return r < 0 ? r : 1;
}

/* A failure with "-" in front of the program only loses the command; systemd says so and goes on
 * with the next line (config_parse_exec()). */
static int read_exec(struct reader *reader, const char *value, struct error *error)
{
	const char *cursor = value;
	int r;

	if (!*value) {
		drop_commands(reader->file);
		return 0;
	}
	do {
		struct error why = ERROR_NONE;
		const char *begin = cursor + strspn(cursor, SPACE);
		r = read_command(reader, &cursor, &why);
		if (r == -EINVAL && *begin == '-')
			return 0;
		if (r < 0) {
			*error = why;
			return r;
		}
	} while (r > 0 && *(cursor + strspn(cursor, SPACE)));
	return 0;
}

/* --- the environment ---------------------------------------------------------------------------
 */

static size_t valid_name_length(const char *text)
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
					 "0123456789";
	size_t length = strspn(text, characters);

	return *text >= '0' && *text <= '9' ? 0 : length;
}

/* A later assignment takes the place of the earlier one. */
static int add_variable(struct strlist *list, const char *assignment)
{
	size_t name = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->items[i], assignment, name) == 0) {
			char *copy = strdup(assignment);
			if (!copy)
				return -ENOMEM;
			free(list->items[i]);
			list->items[i] = copy;
			return 0;
		}
	return strlist_add(list, assignment);
}

static int take_variable(struct reader *reader, const char *word, bool unset)
{
	size_t name = valid_name_length(word);
	bool assigns = name && word[name] == '=' && utf8_is_valid(word, strlen(word), NULL);

	if (unset && name && (assigns || !word[name]))
		return strlist_add(&reader->file->unset_environment, word);
	return !unset && assigns ? add_variable(&reader->file->environment, word) : 0;
}

/* Environment= and UnsetEnvironment=. A word that cannot be read ends the line; what came before it
 * counts. */
static int read_variables(struct reader *reader, const char *value, bool unset, struct error *error)
{
	struct strlist *list =
		unset ? &reader->file->unset_environment : &reader->file->environment;
	const char *cursor = value;
	const char *start;
	const char *end;

	if (!*value)
		strlist_done(list);
	for (;;) {
		cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
		if (words_next(&cursor, WORD_ENVIRONMENT, &word, &start, &end) <= 0)
			return 0;
		cleanup_free char *resolved = NULL;
		int r = resolve(reader, word.data ? word.data : "", &resolved);
		if (r == 0)
			r = take_variable(reader, resolved, unset);
		if (r == -ENOMEM || word.failed)
			return error_set_oom(error);
	}
}

static int read_environment_file(struct reader *reader, const char *value, struct error *error)
{
	struct strlist *list = &reader->file->environment_files;
	cleanup_free char *resolved = NULL;

	if (!*value) {
		strlist_done(list);
		return 0;
	}
	int r = resolve(reader, value, &resolved);
	if (r < 0)
		return r == -EINVAL ? 0 : error_set_oom(error);
	bool optional = resolved[0] == '-';
	if (resolved[optional] != '/')
		return 0;
	cleanup_free char *path = simplify(resolved + optional);
	if (!path || strlist_addf(list, "%s%s", optional ? "-" : "", path) < 0)
		return error_set_oom(error);
	return 0;
}

/* A type that systemd does not know changes nothing. */
static void read_type(struct reader *reader, const char *value)
{
	static const char *const types[] = {"simple", "exec",   "forking",       "oneshot",
					    "dbus",   "notify", "notify-reload", "idle"};

	for (size_t i = 0; i < array_size(types); i++)
		if (strcmp(types[i], value) == 0)
			reader->file->oneshot = strcmp(value, "oneshot") == 0;
}

/* --- lines -------------------------------------------------------------------------------------
 */

static int read_assignment(struct reader *reader, const char *name, const char *value,
			   struct error *error)
{
	if (strcmp(name, "ExecStart") == 0)
		return read_exec(reader, value, error);
	if (strcmp(name, "Environment") == 0)
		return read_variables(reader, value, false, error);
	if (strcmp(name, "UnsetEnvironment") == 0)
		return read_variables(reader, value, true, error);
	if (strcmp(name, "EnvironmentFile") == 0)
		return read_environment_file(reader, value, error);
	if (strcmp(name, "Type") == 0)
		read_type(reader, value);
	return 0;
}

static char *strip(char *text)
{
	text += strspn(text, SPACE);
	for (size_t length = strlen(text); length && strchr(SPACE, text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

/* A whole line, continuations joined. It is written to. */
static int read_line(struct reader *reader, char *line, struct error *error)
{
	line = strip(line);
	size_t length = strlen(line);
	if (!length || !utf8_is_valid(line, length, NULL))
		return 0;
	if (*line == '[') {
		if (line[length - 1] != ']')
			return error_set_at(error, -EINVAL, "read unit", reader->path, reader->line,
					    1, "the name of the section has no \"]\" behind it");
		line[length - 1] = '\0';
		reader->in_service = strcmp(line + 1, "Service") == 0;
		return 0;
	}
	char *equals = strchr(line, '=');
	if (!reader->in_service || !equals)
		return 0;
	*equals = '\0';
	return read_assignment(reader, strip(line), strip(equals + 1), error);
}

/* Ends at a line feed, a carriage return, or both, or a NUL (read_line_full()). */
static size_t line_length(const char *text, size_t length)
{
	size_t end = 0;

	while (end < length && text[end] && text[end] != '\n' && text[end] != '\r')
		end++;
	return end;
}

static size_t line_end_length(const char *text, size_t length)
{
	if (length >= 2 && text[0] != text[1] && (text[0] == '\n' || text[0] == '\r') &&
	    (text[1] == '\n' || text[1] == '\r'))
		return 2;
	return length ? 1 : 0;
}

static bool is_comment(const char *line, size_t length)
{
	size_t at = 0;

	while (at < length && strchr(SPACE, line[at]))
		at++;
	return at < length && strchr(COMMENT_START, line[at]);
}

/* Whether it ends in a backslash that is not escaped itself. */
static bool continues(const struct strbuf *line)
{
	bool escaped = false;

	for (size_t i = 0; i < line->length; i++)
		escaped = !escaped && line->data[i] == '\\';
	return escaped;
}

static int read_lines(struct reader *reader, const struct unit_text *text, struct error *error)
{
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	size_t at = text->length >= 3 && memcmp(text->text, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
	int r = 0;

	while (r == 0 && at < text->length) {
		const char *start = text->text + at;
		size_t length = line_length(start, text->length - at);
		at += length + line_end_length(start + length, text->length - at - length);
		reader->line++;
		/* Comments may stand between the parts of a line. */
		if (is_comment(start, length))
			continue;
		if (strbuf_add(&line, start, length) < 0)
			return error_set_oom(error);
		if (continues(&line)) {
			line.data[line.length - 1] = ' ';
			continue;
		}
		if (line.data)
			r = read_line(reader, line.data, error);
		strbuf_done(&line);
	}
	if (r == 0 && line.data)
		r = read_line(reader, line.data, error);
	return r;
}

int unitfile_parse(const struct unit_text *texts, size_t count,
		   const struct unit_specifiers *specifiers, struct unitfile *ret,
		   struct error *error)
{
	cleanup_unitfile struct unitfile file = {.commands = NULL};

	for (size_t i = 0; i < count; i++) {
		struct error why = ERROR_NONE;
		struct reader reader = {
			.specifiers = specifiers,
			.fragment = texts[0].path,
			.path = texts[i].path,
			.file = &file,
		};
		int r = read_lines(&reader, &texts[i], &why);
		if (r < 0 && (i == 0 || r != -EINVAL)) {
			*error = why;
			return r;
		}
	}
	*ret = file;
	file = (struct unitfile){.commands = NULL};
	return 0;
}

const char *unitfile_problem(const struct unitfile *file)
{
	if (!file->command_count)
		return "systemd does not load a service without ExecStart=";
	if (file->command_count > 1 && !file->oneshot)
		return "systemd does not load a service with more than one ExecStart=, unless it "
		       "is Type=oneshot; an empty ExecStart= takes away those before it";
	return NULL;
}

/* --- where they are ----------------------------------------------------------------------------
 */

const char *const unit_folders[] = {
	"/etc/systemd/system.control", "/run/systemd/system.control",
	"/run/systemd/transient",      "/run/systemd/generator.early",
	"/etc/systemd/system",         "/etc/systemd/system.attached",
	"/run/systemd/system",         "/run/systemd/system.attached",
	"/run/systemd/generator",      "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",     "/lib/systemd/system",
	"/run/systemd/generator.late",
};
const size_t unit_folder_count = array_size(unit_folders);

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(base_name(*(const char *const *)a), base_name(*(const char *const *)b));
}

static bool has_name(const struct strlist *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(base_name(list->items[i]), name) == 0)
			return true;
	return false;
}

int unitfile_order_dropins(const struct strlist *paths, struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist list = {.items = NULL};

	for (size_t i = 0; i < paths->count; i++)
		if (!has_name(&list, base_name(paths->items[i])) &&
		    strlist_add(&list, paths->items[i]) < 0)
			return error_set_oom(error);
	if (list.count)
		qsort(list.items, list.count, sizeof *list.items, compare_names);
	*ret = list;
	list = (struct strlist){.items = NULL};
	return 0;
}

int unitfile_dropin_folders(const char *unit, struct strlist *ret, struct error *error)
{
	const struct unit_name name = take_name_apart(unit);
	const char *suffix = unit + name.stem;
	int r = strlist_addf(ret, "%s.d", unit);

	if (r == 0 && name.instance)
		r = strlist_addf(ret, "%.*s@%s.d", (int)name.prefix, unit, suffix);
	/* "foo-bar.service" also has "foo-.service.d". */
	for (size_t i = name.prefix; r == 0 && i-- > 1;)
		if (unit[i] == '-' && i + 1 < name.prefix)
			r = strlist_addf(ret, "%.*s%s.d", (int)i + 1, unit, suffix);
	if (r == 0 && *suffix)
		r = strlist_addf(ret, "%s.d", suffix + 1);
	return r < 0 ? error_set_oom(error) : 0;
}
