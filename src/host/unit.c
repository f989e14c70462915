#include "host/unit.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/envfile.h"
#include "host/bus.h"
#include "host/file.h"

/* A question about one unit: Properties.Get or GetAll. */
struct question {
	const char *unit;
	const char *method;
	const char *interface; /* "" with GetAll is all of them */
	const char *property;  /* NULL with GetAll */
};

static int new_call(sd_bus *bus, const struct question *question, sd_bus_message **ret)
{
	cleanup_message sd_bus_message *call = NULL;
	cleanup_free char *path = NULL;

	int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, question->unit, &path);
	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, path,
						   "org.freedesktop.DBus.Properties",
						   question->method);
	/* Asking must not start what is asked. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(call, 0);
	if (r >= 0)
		r = sd_bus_message_append(call, "s", question->interface);
	if (r >= 0 && question->property)
		r = sd_bus_message_append(call, "s", question->property);
	if (r < 0)
		return r;
	*ret = take_ptr(call);
	return 0;
}

/* Every failure is a sentence about systemd, the unit's name in front. */
static int ask_failed(const struct question *question, int r, const char *what, struct error *error)
{
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == -ETIMEDOUT)
		return error_set(error, r, "ask systemd about", question->unit,
				 "it did not answer in time");
	if (what)
		return error_set(error, r, "ask systemd about", question->unit, "%s", what);
	return error_set_errno(error, -r, "ask systemd about", question->unit);
}

static int ask(const struct question *question, uint64_t deadline_us, sd_bus_message **ret,
	       unsigned *bus_calls, struct error *error)
{
	cleanup_bus sd_bus *bus = NULL;
	cleanup_message sd_bus_message *call = NULL;
	cleanup_message sd_bus_message *reply = NULL;

	int r = bus_open(&bus);
	if (r < 0)
		return ask_failed(question, r,
				  r == -ENOENT || r == -ECONNREFUSED ? "the system bus is not there"
								     : NULL,
				  error);
	r = new_call(bus, question, &call);
	if (r < 0)
		return ask_failed(question, r, NULL, error);
	(*bus_calls)++;
	r = bus_call(bus, call, deadline_us, &reply);
	if (r < 0)
		return ask_failed(question, r, NULL, error);

	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	if (refusal) {
		r = -sd_bus_message_get_errno(reply);
		return ask_failed(question, r < 0 ? r : -EIO, refusal->message, error);
	}
	*ret = take_ptr(reply);
	return 0;
}

/* ---- the properties that are of interest ---- */

static int read_string(sd_bus_message *message, void *field)
{
	const char *string;
	int r = sd_bus_message_read_basic(message, 's', &string);

	if (r < 0)
		return r;
	char *copy = strdup(string);
	if (!copy)
		return -ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int read_strings(sd_bus_message *message, void *field)
{
	const char *string;
	int r = sd_bus_message_enter_container(message, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read_basic(message, 's', &string)) > 0)
		r = strlist_add(field, string);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_bool(sd_bus_message *message, void *field)
{
	int value;
	int r = sd_bus_message_read_basic(message, 'b', &value);

	if (r >= 0)
		*(bool *)field = value;
	return r;
}

static int read_u64(sd_bus_message *message, void *field)
{
	return sd_bus_message_read_basic(message, 't', field);
}

static int read_pid(sd_bus_message *message, void *field)
{
	uint32_t value;
	int r = sd_bus_message_read_basic(message, 'u', &value);

	if (r >= 0)
		*(pid_t *)field = (pid_t)value;
	return r;
}

static int add_command(struct unit_facts *unit, struct exec_command **ret)
{
	struct exec_command *commands =
		reallocarray(unit->commands, unit->command_count + 1, sizeof *commands);

	if (!commands)
		return -ENOMEM;
	unit->commands = commands;
	*ret = &commands[unit->command_count++];
	**ret = (struct exec_command){.path = NULL};
	return 0;
}

static unsigned exec_flag(const char *name)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = {
		{"ignore-failure", EXEC_IGNORE_FAILURE}, {"privileged", EXEC_PRIVILEGED},
		{"no-setuid", EXEC_NO_SETUID},           {"ambient", EXEC_AMBIENT},
		{"no-env-expand", EXEC_NO_EXPAND},       {"via-shell", EXEC_VIA_SHELL},
	};

	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].flag;
	return EXEC_UNKNOWN;
}

static int read_exec_flags(sd_bus_message *message, unsigned *ret)
{
	const char *name;
	int r = sd_bus_message_enter_container(message, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read_basic(message, 's', &name)) > 0)
		*ret |= exec_flag(name);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* ExecStartEx, which has the prefixes of the program too. */
static int read_commands(sd_bus_message *message, void *field)
{
	struct exec_command *command;
	int r = sd_bus_message_enter_container(message, 'a', "(sasasttttuii)");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'r', "sasasttttuii")) > 0) {
		r = add_command(field, &command);
		if (r >= 0)
			r = read_string(message, &command->path);
		if (r >= 0)
			r = read_strings(message, &command->argv);
		if (r >= 0)
			r = read_exec_flags(message, &command->flags);
		if (r >= 0)
			r = sd_bus_message_skip(message, "ttttuii");
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* Several ExecStart= are allowed for Type=oneshot only; the last one is what remains. */
static int read_exec(sd_bus_message *message, void *field)
{
	struct strlist *argv = field;
	int r = sd_bus_message_enter_container(message, 'a', "(sasbttttuii)");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'r', "sasbttttuii")) > 0) {
		strlist_done(argv);
		r = sd_bus_message_skip(message, "s");
		if (r >= 0)
			r = read_strings(message, argv);
		if (r >= 0)
			r = sd_bus_message_skip(message, "bttttuii");
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int add_environment_file(struct unit_facts *unit, const char *path, bool optional)
{
	struct environment_file *files = reallocarray(
		unit->environment_files, unit->environment_file_count + 1, sizeof *files);
	if (!files)
		return -ENOMEM;
	unit->environment_files = files;

	struct environment_file *file = &files[unit->environment_file_count];
	*file = (struct environment_file){.file.path = strdup(path), .optional = optional};
	if (!file->file.path)
		return -ENOMEM;
	unit->environment_file_count++;
	return 0;
}

/* Only the names: files are read once the message is done with. */
static int read_environment_files(sd_bus_message *message, void *field)
{
	int r = sd_bus_message_enter_container(message, 'a', "(sb)");

	while (r >= 0) {
		const char *path;
		int optional;

		r = sd_bus_message_read(message, "(sb)", &path, &optional);
		if (r <= 0)
			break;
		r = add_environment_file(field, path, optional);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static const struct bus_property properties[] = {
#define FIELD(field) offsetof(struct unit_facts, field)
	{"LoadState", "s", read_string, FIELD(load_state)},
	{"ActiveState", "s", read_string, FIELD(active_state)},
	{"SubState", "s", read_string, FIELD(sub_state)},
	{"FragmentPath", "s", read_string, FIELD(fragment_path)},
	{"DropInPaths", "as", read_strings, FIELD(dropin_paths)},
	{"NeedDaemonReload", "b", read_bool, FIELD(need_daemon_reload)},
	{"MainPID", "u", read_pid, FIELD(main_pid)},
	{"InvocationID", "ay", bus_read_invocation, FIELD(invocation)},
	{"LimitNOFILE", "t", read_u64, FIELD(limit_nofile)},
	{"CapabilityBoundingSet", "t", read_u64, FIELD(capability_bounding)},
	{"ExecStart", "a(sasbttttuii)", read_exec, FIELD(exec_start)},
	{"ExecStartEx", "a(sasasttttuii)", read_commands, 0},
	{"UnsetEnvironment", "as", read_strings, FIELD(unset_environment)},
	{"Environment", "as", read_strings, FIELD(environment)},
	{"EnvironmentFiles", "a(sb)", read_environment_files, 0},
#undef FIELD
};

/* ---- environment files ---- */

static int read_environment_file(const char *path, bool optional, struct unit_facts *unit,
				 struct strlist *unseen)
{
	struct error why = ERROR_NONE;
	int r = add_environment_file(unit, path, optional);
	if (r < 0)
		return r;

	struct text_file *file = &unit->environment_files[unit->environment_file_count - 1].file;
	struct text_file read;
	r = file_read(path, ENVIRONMENT_SIZE_MAX, &read, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		char text[sizeof why.path + sizeof why.text];
		file->state = FILE_UNREADABLE;
		return strlist_add(unseen, error_format(&why, text, sizeof text));
	}
	text_file_done(file);
	*file = read;
	if (file->state == FILE_UNREADABLE)
		return strlist_addf(unseen, "%s: permission denied; run as root to see it", path);
	return 0;
}

/* A folder's name in a pattern, so that it stands for itself. */
static int add_literally(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("*?[\\", *text))
			(void)strbuf_addc(out, '\\');
		(void)strbuf_addc(out, *text);
	}
	return out->failed ? -ENOMEM : 0;
}

int unit_read_environment_file(const char *root, const char *pattern, bool optional,
			       struct unit_facts *unit, struct strlist *unseen)
{
	cleanup_strbuf struct strbuf whole = STRBUF_EMPTY;
	glob_t found = {.gl_pathc = 0};

	if (!strpbrk(pattern, "*?[")) {
		cleanup_free char *path = file_under(root, pattern);
		return path ? read_environment_file(path, optional, unit, unseen) : -ENOMEM;
	}
	if (add_literally(&whole, root) < 0 || strbuf_adds(&whole, pattern) < 0)
		return -ENOMEM;
	int r = glob(whole.data, 0, NULL, &found);
	if (r == GLOB_NOSPACE)
		return -ENOMEM;
	r = 0;
	for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
		r = read_environment_file(found.gl_pathv[i], optional, unit, unseen);
	globfree(&found);
	return r;
}

static void release_environment_files(struct environment_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_file_done(&files[i].file);
	free(files);
}

/* Replaces the names that systemd gave by what they stand for. */
static int read_environment(struct unit_facts *unit, struct strlist *unseen)
{
	struct environment_file *patterns = take_ptr(unit->environment_files);
	size_t count = unit->environment_file_count;
	int r = 0;

	unit->environment_file_count = 0;
	for (size_t i = 0; i < count && r >= 0; i++)
		r = unit_read_environment_file("", patterns[i].file.path, patterns[i].optional,
					       unit, unseen);
	release_environment_files(patterns, count);
	return r;
}

/* Versions differ in how they read a comment that ends in a backslash, and in what
 * UnsetEnvironment= takes away. 0 where nobody says. */
static unsigned ask_version(uint64_t deadline_us, unsigned *bus_calls)
{
	cleanup_bus sd_bus *bus = NULL;
	cleanup_message sd_bus_message *call = NULL;
	cleanup_message sd_bus_message *reply = NULL;
	const char *version = NULL;

	int r = bus_open(&bus);
	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
						   "org.freedesktop.DBus.Properties", "Get");
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", SYSTEMD_NAME ".Manager", "Version");
	if (r < 0)
		return 0;
	(*bus_calls)++;
	r = bus_call(bus, call, deadline_us, &reply);
	if (r >= 0 && !sd_bus_message_get_error(reply))
		r = sd_bus_message_read(reply, "v", "s", &version);
	return r >= 0 && version ? (unsigned)strtoul(version, NULL, 10) : 0;
}

static bool reads_in_two_ways(const struct text_file *file)
{
	cleanup_strlist struct strlist old = {.items = NULL};
	cleanup_strlist struct strlist new = {.items = NULL};
	struct error ignored = ERROR_NONE;

	if (file->state != FILE_READ)
		return false;
	int r = envfile_parse_as(file->data, file->length, 252, &old, &ignored);
	if (envfile_parse_as(file->data, file->length, 257, &new, &ignored) != r ||
	    old.count != new.count)
		return true;
	for (size_t i = 0; i < old.count; i++)
		if (strcmp(old.items[i], new.items[i]) != 0)
			return true;
	return false;
}

static void settle_version(struct unit_facts *unit, uint64_t deadline_us, unsigned *bus_calls)
{
	bool differs = unit->unset_environment.count > 0;

	for (size_t i = 0; i < unit->environment_file_count; i++)
		differs |= reads_in_two_ways(&unit->environment_files[i].file);
	if (differs)
		unit->systemd_version = ask_version(deadline_us, bus_calls);
}

/* ---- the unit's own files ---- */

static int read_text(const char *path, struct unit_facts *unit)
{
	struct text_file *texts =
		reallocarray(unit->texts, unit->text_count + 1, sizeof *unit->texts);
	struct error ignored = ERROR_NONE;

	if (!texts)
		return -ENOMEM;
	unit->texts = texts;
	struct text_file *text = &texts[unit->text_count];
	int r = file_read(path, ENVIRONMENT_SIZE_MAX, text, &ignored);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		*text = (struct text_file){.path = strdup(path), .state = FILE_UNREADABLE};
	unit->text_count++;
	return text->path ? 0 : -ENOMEM;
}

/* How what systemd has loaded is written: only for writing it again, so failures say nothing. */
static int read_texts(struct unit_facts *unit)
{
	int r = unit->fragment_path ? read_text(unit->fragment_path, unit) : 0;

	for (size_t i = 0; unit->fragment_path && i < unit->dropin_paths.count && r >= 0; i++)
		r = read_text(unit->dropin_paths.items[i], unit);
	return r;
}

/* ---- the two questions ---- */

/* Over an empty unit_facts; facts_done() releases what is left in it after a failure. */
static void unit_reset(struct unit_facts *unit)
{
	struct facts owner = FACTS_EMPTY;

	owner.unit = *unit;
	facts_done(&owner);
	*unit = (struct unit_facts){.known = false};
}

static int unit_fill(const struct question *question, uint64_t deadline_us, struct unit_facts *unit,
		     struct strlist *unseen, unsigned *bus_calls, struct error *error)
{
	cleanup_message sd_bus_message *message = NULL;

	int r = ask(question, deadline_us, &message, bus_calls, error);
	if (r < 0)
		return r;
	r = bus_read_properties(message, properties, array_size(properties), unit);
	if (r < 0)
		return ask_failed(question, r, "its answer is malformed", error);
	/* systemd sends "" for what a unit does not have. */
	if (unit->fragment_path && !unit->fragment_path[0]) {
		free(unit->fragment_path);
		unit->fragment_path = NULL;
	}
	unit->known = text_equal(unit->load_state, "loaded");
	r = read_environment(unit, unseen);
	if (r >= 0)
		r = read_texts(unit);
	settle_version(unit, deadline_us, bus_calls);
	return r < 0 ? error_set_oom(error) : 0;
}

int unit_read(const char *unit, uint64_t deadline_us, struct unit_facts *ret,
	      struct strlist *unseen, unsigned *bus_calls, struct error *error)
{
	const struct question question = {.unit = unit, .method = "GetAll", .interface = ""};
	struct unit_facts facts = {.known = false};
	struct error why = ERROR_NONE;
	char text[sizeof why.path + sizeof why.text];

	int r = unit_fill(&question, deadline_us, &facts, unseen, bus_calls, &why);
	if (r < 0)
		unit_reset(&facts);
	if (r < 0 && r != -ENOMEM)
		r = strlist_add(unseen, error_format(&why, text, sizeof text));
	if (r >= 0) {
		facts.name = strdup(unit);
		r = facts.name ? 0 : -ENOMEM;
	}
	if (r < 0) {
		unit_reset(&facts);
		return error_set_oom(error);
	}
	*ret = facts;
	return 0;
}

int unit_read_socket(const char *socket_unit, uint64_t deadline_us, struct strlist *ret_paths,
		     unsigned *bus_calls, struct error *error)
{
	const struct question question = {.unit = socket_unit,
					  .method = "Get",
					  .interface = SYSTEMD_NAME ".Socket",
					  .property = "Listen"};
	cleanup_message sd_bus_message *message = NULL;
	cleanup_strlist struct strlist paths = {.items = NULL};

	int r = ask(&question, deadline_us, &message, bus_calls, error);
	if (r < 0)
		return r;
	r = sd_bus_message_enter_container(message, 'v', "a(ss)");
	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "(ss)");
	while (r >= 0) {
		const char *type;
		const char *address;

		r = sd_bus_message_read(message, "(ss)", &type, &address);
		if (r <= 0)
			break;
		if (strcmp(type, "Stream") == 0 && address[0] == '/')
			r = strlist_add(&paths, address);
	}
	if (r < 0)
		return ask_failed(&question, r, "its answer is malformed", error);
	*ret_paths = paths;
	paths = (struct strlist){.items = NULL};
	return 0;
}
