/* All of the decision: a host made of the input, the options of a command line, a plan, and every
 * way in which it is shown. What comes out must be well formed, must leave nothing to do once it is
 * carried out, and must be ready for a rehearsal.
 *
 * The input: bytes that choose small facts, then texts that end with NUL each: daemon.json, the
 * fragment, a drop-in, an environment file, harden's own arguments a line each, the replies of the
 * API, and the containers as the cases in tests/data/plan have them. */
#include "fuzz.h"

#include <jansson.h>

#include "base/text.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "core/builtin.h"
#include "core/check.h"
#include "core/daemonjson.h"
#include "core/jsontext.h"
#include "core/mask.h"
#include "core/plan.h"
#include "core/rehearsal.h"
#include "core/unitfile.h"
#include "load_builtin.h"

#define CONFIG "/etc/docker/daemon.json"
#define FRAGMENT "/lib/systemd/system/docker.service"
#define DROPIN "/etc/systemd/system/docker.service.d/50-site.conf"
#define VARIABLES "/etc/default/docker"
#define ARGUMENTS_MAX 24
#define FILES 4

enum {
	TEXT_CONFIG,
	TEXT_FRAGMENT,
	TEXT_DROPIN,
	TEXT_VARIABLES,
	TEXT_ARGUMENTS,
	TEXT_INFO,
	TEXT_BRIDGE,
	TEXT_CONTAINERS,
	TEXTS,
};

struct host {
	uint8_t choices[12];
	char *texts[TEXTS];
	size_t lengths[TEXTS];
	char *dropin; /* harden's own, once it is written */
	char *dropin_path;
	struct strlist running; /* what dockerd was started with; empty until it is known */
};

static void host_done(struct host *host)
{
	for (size_t i = 0; i < TEXTS; i++)
		free(host->texts[i]);
	free(host->dropin);
	free(host->dropin_path);
	strlist_done(&host->running);
}

/* ---- facts ---- */

static enum tristate tristate_of(unsigned choice)
{
	return (enum tristate)((int)(choice % 3) - 1);
}

static struct text_file file_of(const char *path, const char *text, size_t length)
{
	struct text_file file = {
		.path = strdup(path), .real_path = strdup(path), .mode = 0644, .length = length};

	file.state = length ? FILE_READ : FILE_ABSENT;
	if (length) {
		file.data = malloc(length + 1);
		require(file.data != NULL);
		memcpy(file.data, text, length + 1);
	}
	require(file.path && file.real_path);
	return file;
}

static json_t *reply_of(const char *text, json_type type)
{
	json_t *reply = json_loads(text, 0, NULL);

	if (reply && json_typeof(reply) == type)
		return reply;
	json_decref(reply);
	return NULL;
}

static void fill_unit(const struct host *host, struct unit_facts *unit)
{
	const struct unit_specifiers specifiers = {.unit = "docker.service"};
	const struct {
		const char *path, *text;
		size_t length;
	} files[] = {
		{FRAGMENT, host->texts[TEXT_FRAGMENT], host->lengths[TEXT_FRAGMENT]},
		{DROPIN, host->texts[TEXT_DROPIN], host->lengths[TEXT_DROPIN]},
		{host->dropin_path, host->dropin, host->dropin ? strlen(host->dropin) : 0},
	};
	struct unit_text texts[array_size(files)];
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	struct error error = ERROR_NONE;

	unit->name = strdup("docker.service");
	unit->texts = calloc(array_size(files), sizeof *unit->texts);
	require(unit->name && unit->texts);
	for (size_t i = 0; i < array_size(files); i++) {
		if (!files[i].length)
			continue;
		texts[unit->text_count] =
			(struct unit_text){files[i].path, files[i].text, files[i].length};
		unit->texts[unit->text_count++] =
			file_of(files[i].path, files[i].text, files[i].length);
		if (i)
			require(strlist_add(&unit->dropin_paths, files[i].path) == 0);
	}
	int r = unitfile_parse(texts, unit->text_count, &specifiers, &file, &error);
	if (r < 0 || !host->lengths[TEXT_FRAGMENT] || unitfile_problem(&file))
		return;
	unit->fragment_path = strdup(FRAGMENT);
	unit->commands = calloc(file.command_count, sizeof *unit->commands);
	require(unit->fragment_path && unit->commands);
	for (size_t i = 0; i < file.command_count; i++) {
		unit->commands[unit->command_count++] = file.commands[i].exec;
		file.commands[i].exec = (struct exec_command){.path = NULL};
	}
	const struct exec_command *last = &unit->commands[unit->command_count - 1];
	require(strlist_add_all(&unit->exec_start, &last->argv) == 0);
	require(strlist_add_all(&unit->environment, &file.environment) == 0);
	require(strlist_add_all(&unit->unset_environment, &file.unset_environment) == 0);
	unit->environment_files = calloc(1, sizeof *unit->environment_files);
	require(unit->environment_files != NULL);
	unit->environment_files[unit->environment_file_count++] = (struct environment_file){
		.file = file_of(VARIABLES, host->texts[TEXT_VARIABLES],
				host->lengths[TEXT_VARIABLES]),
		.optional = true,
	};
	unit->known = true;
}

static void fill_containers(json_t *list, struct facts *facts)
{
	facts->containers = list;
	facts->container_list = calloc(json_array_size(list) + 1, sizeof *facts->container_list);
	require(facts->container_list != NULL);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *started = json_string_value(json_object_get(item, "started"));
		const char *service = json_string_value(json_object_get(item, "service"));
		json_t *log = json_object_get(item, "log");
		unsigned state = (unsigned)json_integer_value(json_object_get(item, "state"));

		facts->container_list[facts->container_count++] = (struct container_facts){
			.id = strdup(name ? name : "1f"),
			.name = strdup(name ? name : "web"),
			.state = (enum container_state)(state % 4),
			.service = service ? strdup(service) : NULL,
			.known = !json_is_true(json_object_get(item, "hidden")),
			.started_at = started ? strdup(started) : NULL,
			.auto_remove = json_is_true(json_object_get(item, "rm")),
			.publishes = json_is_true(json_object_get(item, "ports")),
			.no_new_privileges =
				json_is_true(json_object_get(item, "no_new_privileges")),
			.log = json_is_object(log) ? json_incref(log) : NULL,
		};
	}
}

static int64_t count_of(uint8_t choice)
{
	return (int64_t)(choice % 5) - 1;
}

static void fill_data_root(const uint8_t *choices, struct data_root_facts *data)
{
	static const char *const drivers[] = {"overlay2", "aufs",           "devicemapper",
					      "btrfs",    "fuse-overlayfs", "vfs"};

	data->path = strdup("/var/lib/docker");
	data->images = count_of(choices[4]);
	data->containers = count_of(choices[4] / 5);
	data->containers_running = count_of(choices[5]);
	data->volumes = count_of(choices[5] / 5);
	data->containerd_store = tristate_of(choices[6]);
	data->overlay2_possible = tristate_of(choices[6] / 3);
	if (choices[6] & 0x80)
		require(strlist_add(&data->drivers, drivers[choices[7] % array_size(drivers)]) ==
			0);
}

static void fill_facts(const struct host *host, struct facts *facts)
{
	static const struct dockerver versions[] = {
		{0, 0, 0},  {17, 12, 0}, {18, 9, 9}, {19, 3, 15}, {20, 10, 24},
		{23, 0, 0}, {24, 0, 7},  {25, 0, 5}, {26, 1, 5},  {27, 5, 1},
		{28, 5, 2}, {29, 0, 0},  {29, 7, 2}, {31, 0, 0},
	};
	const uint8_t *choices = host->choices;

	*facts = FACTS_EMPTY;
	facts->today = strdup("2026-11-23");
	facts->as_root = true;
	facts->version = versions[choices[0] % array_size(versions)];
	facts->daemon = (enum daemon_state)(choices[1] % 3);
	facts->systemd = YES;
	facts->swarm = tristate_of(choices[1] / 3);
	facts->br_netfilter = tristate_of(choices[1] / 9);
	facts->port_proxies = tristate_of(choices[1] / 27);
	facts->syslog_socket = tristate_of(choices[2]);
	facts->dockremap_user = tristate_of(choices[2] / 3);
	facts->dockremap_ranges = tristate_of(choices[2] / 9);
	facts->can_add_user = tristate_of(choices[2] / 27);
	facts->process.has_cap_sys_resource = tristate_of(choices[3]);
	facts->process.limit_nofile = choices[3] & 4 ? 20000 : choices[3] & 8 ? UINT64_MAX : 0;
	facts->process.pid = facts->daemon == DAEMON_RUNNING ? 600 : 0;
	if (choices[3] & 0x10)
		facts->image = strdup("/srv/image");
	fill_data_root(choices, &facts->data_root);
	facts->config = file_of(CONFIG, host->texts[TEXT_CONFIG], host->lengths[TEXT_CONFIG]);
	if (facts->daemon == DAEMON_RUNNING) {
		facts->info = reply_of(host->texts[TEXT_INFO], JSON_OBJECT);
		facts->bridge = reply_of(host->texts[TEXT_BRIDGE], JSON_OBJECT);
		fill_containers(reply_of(host->texts[TEXT_CONTAINERS], JSON_ARRAY), facts);
	}
	fill_unit(host, &facts->unit);
	facts->unit.main_pid = facts->process.pid;
	if (facts->process.pid)
		require(strlist_add_all(&facts->process.argv, &host->running) == 0);
}

/* ---- options and profile ---- */

/* Options borrow from the lines, which are cut up. */
static void read_options(char *lines, struct options *options)
{
	char *argv[ARGUMENTS_MAX + 2] = {"harden"};
	struct error error = ERROR_NONE;
	int argc = 1;

	for (char *line = strtok(lines, "\n"); line && argc <= ARGUMENTS_MAX;
	     line = strtok(NULL, "\n"))
		argv[argc++] = line;
	int r = options_parse(argc, argv, options, &error);
	if (r < 0) {
		require_error(r, &error);
		argv[1] = NULL;
		error = ERROR_NONE;
		require(options_parse(1, argv, options, &error) == 0);
	}
}

static char *copy_text(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	require(!text == !copy);
	return copy;
}

static struct profile_row copy_row(const struct profile_row *row)
{
	struct profile_row copy = *row;

	copy.key = copy_text(row->key);
	copy.title = copy_text(row->title);
	copy.why = copy_text(row->why);
	copy.risk = copy_text(row->risk);
	copy.wanted = json_deep_copy(row->wanted);
	copy.complies = json_deep_copy(row->complies);
	copy.refuses = json_deep_copy(row->refuses);
	for (size_t i = 0; i < CIS_BENCHMARKS; i++)
		copy.cis[i] = copy_text(row->cis[i]);
	copy.consequence = copy_text(row->consequence);
	copy.role = copy_text(row->role);
	copy.owner = copy_text(row->owner);
	return copy;
}

/* Reading a profile takes as long as all the rest, and is what fuzz_profile is for. */
static void read_profile(const struct options *options, struct profile *ret)
{
	static struct profile profiles[2];
	bool second = strcmp(options->profile, "level1") == 0;
	struct profile *profile = &profiles[second];
	const char *text = builtin_profile_find(second ? "level1" : "hardened")->text;
	struct error error = ERROR_NONE;

	if (!profile->name)
		require(profile_parse(text, strlen(text), "profile", load_builtin, NULL, profile,
				      &error) == 0);
	*ret = (struct profile){
		.name = copy_text(profile->name),
		.title = copy_text(profile->title),
		.extends = copy_text(profile->extends),
		.rows = calloc(profile->row_count, sizeof *ret->rows),
	};
	require(ret->rows && !profile->skip_count);
	for (; ret->row_count < profile->row_count; ret->row_count++)
		ret->rows[ret->row_count] = copy_row(&profile->rows[ret->row_count]);
}

static int make_plan(const struct facts *facts, const struct options *options, struct plan *ret,
		     struct error *error)
{
	cleanup_profile struct profile profile = {.name = NULL};
	const struct plan_options wanted = reading_plan_options(options);

	read_profile(options, &profile);
	return plan_build(facts, &profile, &wanted, ret, error);
}

/* ---- what it shows ---- */

/* Where this word stands only in what is a secret, no output may have it. */
#define SECRET "HUNTER2"

static bool has_secret(const char *text, size_t length)
{
	return length && memmem(text, length, SECRET, strlen(SECRET));
}

/* Whether the file's own text shows it once it is masked. */
static bool shows_secret(const char *text, size_t length)
{
	cleanup_strbuf struct strbuf masked = STRBUF_EMPTY;

	require(mask_words(&masked, text, length) == 0);
	return has_secret(masked.data, masked.length);
}

/* Of a repeated key the text shows more than the document has. */
static bool document_shows_secret(const struct facts *facts)
{
	if (!facts->config.length)
		return false;
	json_auto_t *document =
		json_loadb(facts->config.data, facts->config.length, JSON_REJECT_DUPLICATES, NULL);
	if (!document)
		return true;
	json_auto_t *masked = mask_json(NULL, document);
	cleanup_free char *text = masked ? json_dumps(masked, 0) : NULL;
	return !text || strstr(text, SECRET);
}

/* As the value of an option the word may be no secret, though it stands behind "token=". */
static bool flags_show_secret(const struct flags *flags)
{
	bool shown = false;

	for (size_t i = 0; i < flags->count && !shown; i++) {
		const struct option *option = flags->items[i].option;
		json_auto_t *value = NULL;
		require(flags_value(flags, option, &value, NULL, NULL) == 0 && value);
		json_auto_t *masked = mask_json(option->key, value);
		cleanup_free char *text = json_dumps(masked, JSON_ENCODE_ANY);
		shown = !text || strstr(text, SECRET);
	}
	return shown;
}

static bool keeps_secret(const struct host *host, const struct facts *facts,
			 const struct plan *plan)
{
	static const int elsewhere[] = {TEXT_ARGUMENTS, TEXT_INFO, TEXT_BRIDGE, TEXT_CONTAINERS};

	for (size_t i = 0; i < array_size(elsewhere); i++)
		if (has_secret(host->texts[elsewhere[i]], host->lengths[elsewhere[i]]))
			return false;
	for (int i = TEXT_FRAGMENT; i <= TEXT_VARIABLES; i++)
		if (shows_secret(host->texts[i], host->lengths[i]))
			return false;
	return !document_shows_secret(facts) && !flags_show_secret(&plan->configuration.flags);
}

/* What is shown, and whether a secret may be in it. */
struct view {
	const struct facts *facts;
	const struct plan *plan;
	const struct options *options;
	bool secret;
};

static void check_document(const struct view *view, json_t *document)
{
	require(document != NULL);
	char *text = json_dumps(document, JSON_INDENT(2));
	require(text != NULL);
	require(!view->secret || !strstr(text, SECRET));
	json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	require(again && json_equal(again, document));
	json_decref(again);
	json_decref(document);
	free(text);
}

/* Fit for a terminal: nothing in it moves the cursor or is not UTF-8. */
static void check_printable(const struct view *view, const struct strbuf *text)
{
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;

	require(!text->failed && text->length);
	require(!view->secret || !has_secret(text->data, text->length));
	require(text_add_printable(&printable, text->data, text->length, true) == 0);
	require(printable.length == text->length &&
		memcmp(printable.data, text->data, text->length) == 0);
}

/* Elements are closed in the order in which they were opened, and no text between them has a "<" or
 * a lone "&". */
static void check_xml(const struct view *view, const struct strbuf *text)
{
	const char *open[16];
	size_t depth = 0;

	check_printable(view, text);
	for (const char *at = text->data; (at = strpbrk(at, "<&"));) {
		const char *name = at + 1 + (at[1] == '/');
		const char *end = strpbrk(name, *at == '&' ? ";" : ">");
		size_t length = strcspn(name, " />\n");

		require(end != NULL);
		if (*at == '&') {
			require(end - at <= 8);
		} else if (at[1] == '/') {
			require(depth && strncmp(open[--depth], name, length) == 0);
		} else if (at[1] != '?' && end[-1] != '/') {
			require(depth < array_size(open));
			open[depth++] = name;
		}
		at = end;
	}
	require(depth == 0);
}

static void check_audit(const struct view *view)
{
	cleanup_check struct check check = {.rows = NULL};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	require(check_build(view->facts, view->plan, &check, &error) == 0);
	check_document(view, show_check_json(&check, view->plan, view->facts, view->options));
	check_document(view, show_check_sarif(&check, view->plan, view->facts, view->options));
	require(show_check_text(&text, &check, view->plan, view->facts, view->options, false) == 0);
	check_printable(view, &text);
	strbuf_done(&text);
	require(show_check_junit(&text, &check, view->plan, view->facts, view->options) == 0);
	check_xml(view, &text);
}

static void check_shown(const struct view *view)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct plan *plan = view->plan;

	for (size_t i = 0; i < plan->setting_count; i++) {
		const struct setting *setting = &plan->settings[i];
		require(setting->row && setting->wanted);
		require(setting->state <= SETTING_MANUAL);
		require(!setting->rewrites || setting->state != SETTING_OK);
	}
	check_document(view, show_plan_json("plan", plan, view->facts));
	require(show_plan_text(&text, plan, view->facts, view->options, false,
			       " Nothing was changed.") == 0);
	check_printable(view, &text);
	check_audit(view);
}

/* ---- what it does ---- */

static void replace(char **text, size_t *length, const struct planned_file *file)
{
	free(*text);
	*length = file->after_length;
	*text = malloc(*length + 1);
	require(*text != NULL);
	memcpy(*text, file->after, *length + 1);
}

static void check_config(const struct planned_file *file)
{
	json_t *document = NULL;

	require(jsontext_check(file->after, file->after_length, NULL) == 0);
	require(daemonjson_read(file->after, file->after_length, &document, NULL) == 0);
	json_decref(document);
}

/* dockerd runs on with the words that it was started with. */
static void start(struct host *host, const struct plan *plan)
{
	const struct words *words = &plan->configuration.words;

	for (size_t i = 0; i < words->count; i++)
		require(strlist_add(&host->running, words->items[i].text) == 0);
}

/* Writes the files of the plan into the host. */
static void carry_out(const struct plan *plan, struct host *host)
{
	for (size_t i = 0; i < plan->file_count; i++) {
		const struct planned_file *file = &plan->files[i];
		size_t length;

		require(file->path && file->diff);
		require(file->action == FILE_MODE || file->after);
		if (file->action == FILE_MODE)
			continue;
		if (text_equal(file->path, CONFIG)) {
			check_config(file);
			replace(&host->texts[TEXT_CONFIG], &host->lengths[TEXT_CONFIG], file);
		} else if (text_equal(file->path, VARIABLES)) {
			replace(&host->texts[TEXT_VARIABLES], &host->lengths[TEXT_VARIABLES], file);
		} else {
			require(text_starts_with(file->path,
						 "/etc/systemd/system/docker.service.d/"));
			require(!text_equal(file->path, DROPIN));
			host->dropin_path = strdup(file->path);
			require(host->dropin_path != NULL);
			replace(&host->dropin, &length, file);
			require(strlen(host->dropin) == length);
		}
	}
}

static bool same_words(const struct words *words, const struct strlist *expected)
{
	if (words->count != expected->count)
		return false;
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->items[i].text, expected->items[i]) != 0)
			return false;
	return true;
}

/* Once the files are written, systemd makes the command line of them that the plan promises, and no
 * file is left to be changed. */
static void check_carried_out(struct host *host, const struct plan *plan,
			      const struct options *options)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_plan struct plan again = {.settings = NULL};
	struct error error = ERROR_NONE;

	start(host, plan);
	carry_out(plan, host);
	fill_facts(host, &facts);
	require(make_plan(&facts, options, &again, &error) == 0);
	if (plan->command_line.count)
		require(same_words(&again.configuration.words, &plan->command_line));
	require(again.file_count == 0);
	for (size_t i = 0; i < again.setting_count; i++)
		require(again.settings[i].state != SETTING_CHANGE || !again.settings[i].rewrites);
}

/* ---- the rehearsal ---- */

static const struct planned_file *find_file(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->file_count; i++)
		if (text_equal(plan->files[i].path, path) && plan->files[i].action != FILE_MODE)
			return &plan->files[i];
	return NULL;
}

static void check_rehearsal(const struct facts *facts, const struct plan *plan)
{
	const struct planned_file *file = find_file(plan, CONFIG);
	struct strlist none = {.items = NULL};
	const struct rehearsal_question question = {
		.facts = facts,
		.configuration = &plan->configuration,
		.command_line = &plan->command_line,
		.text = file ? file->after : facts->config.data,
		.length = file ? file->after_length : facts->config.length,
		.links = &none,
		.managed = &none,
		.cgroup2 = true,
	};
	cleanup_rehearsal_script struct rehearsal_script script = {.obstacle = NULL};
	cleanup_rehearsal_script struct rehearsal_script control = {.obstacle = NULL};
	struct error error = ERROR_NONE;

	int r = rehearsal_write(&question, &script, &error);
	if (r < 0) {
		require_error(r, &error);
		return;
	}
	if (script.obstacle)
		return;
	require(script.program && script.argv.count && script.data_root);
	require(jsontext_check(script.config.data, script.config.length, NULL) == 0);
	(void)rehearsal_cause(&script.argv, script.document);
	require(rehearsal_write_control(&script, facts, &control, &error) == 0);
	require(jsontext_check(control.config.data, control.config.length, NULL) == 0);
}

/* ---- */

static unsigned count_lines(const char *text)
{
	unsigned lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void run(struct host *host)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_plan struct plan plan = {.settings = NULL};
	cleanup_options struct options options = {.profile = NULL};
	struct error error = ERROR_NONE;

	read_options(host->texts[TEXT_ARGUMENTS], &options);
	fill_facts(host, &facts);
	int r = make_plan(&facts, &options, &plan, &error);
	if (r < 0) {
		require_error(r, &error);
		require(error.line <= count_lines(host->texts[TEXT_CONFIG]) ||
			!text_equal(error.path, CONFIG));
		require(!plan.settings && !plan.files);
		return;
	}
	const struct view view = {&facts, &plan, &options, keeps_secret(host, &facts, &plan)};
	check_shown(&view);
	check_rehearsal(&facts, &plan);
	if (!plan.obstacles.count)
		check_carried_out(host, &plan, &options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(host_done) struct host host = {.dropin = NULL};
	struct input input = {data, size};

	for (size_t i = 0; i < sizeof host.choices; i++)
		host.choices[i] = input_byte(&input);
	for (size_t i = 0; i < TEXTS; i++)
		host.texts[i] = input_text(&input, &host.lengths[i]);
	run(&host);
	return 0;
}
