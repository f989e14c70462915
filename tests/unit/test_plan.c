/* Plans from literals: each file in tests/data/plan is a host, options, and what must come out. */
#include "harness.h"

#include "core/builtin.h"
#include "core/check.h"
#include "core/plan.h"
#include "core/rules.h"

static enum tristate tristate_of(const json_t *value)
{
	return json_is_boolean(value) ? (json_is_true(value) ? YES : NO) : UNKNOWN;
}

static void list_of(const json_t *array, struct strlist *ret)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		ck_assert_int_eq(strlist_add(ret, json_string_value(json_array_get(array, i))), 0);
}

static int64_t count_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static struct text_file text_of(const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "text"));
	const char *path = json_string_value(json_object_get(object, "path"));

	return (struct text_file){
		.path = strdup(path),
		.real_path = strdup(path),
		.state = text ? FILE_READ : FILE_ABSENT,
		.data = text ? strdup(text) : NULL,
		.length = text ? strlen(text) : 0,
		.mode = 0640,
	};
}

/* "files": fragment and drop-ins; "environment_files": [{"path", "text" (null: absent)}]. */
static void read_unit_files(const json_t *object, struct unit_facts *unit)
{
	const json_t *files = json_object_get(object, "files");
	const json_t *others = json_object_get(object, "environment_files");

	unit->texts = calloc(json_array_size(files) + 1, sizeof *unit->texts);
	for (; unit->text_count < json_array_size(files); unit->text_count++) {
		const json_t *file = json_array_get(files, unit->text_count);
		unit->texts[unit->text_count] = text_of(file);
		if (unit->text_count)
			ck_assert_int_eq(strlist_add(&unit->dropin_paths,
						     unit->texts[unit->text_count].path),
					 0);
		else
			unit->fragment_path = strdup(unit->texts[0].path);
	}
	unit->environment_files =
		calloc(json_array_size(others) + 1, sizeof *unit->environment_files);
	for (; unit->environment_file_count < json_array_size(others);
	     unit->environment_file_count++) {
		const json_t *file = json_array_get(others, unit->environment_file_count);
		unit->environment_files[unit->environment_file_count] = (struct environment_file){
			.file = text_of(file),
			.optional = !json_is_true(json_object_get(file, "needed")),
		};
	}
}

static void read_unit(const json_t *object, struct facts *facts)
{
	facts->unit.known = object != NULL;
	facts->unit.name = strdup("docker.service");
	list_of(json_object_get(object, "exec_start"), &facts->unit.exec_start);
	list_of(json_object_get(object, "environment"), &facts->unit.environment);
	list_of(json_object_get(object, "socket_listen"), &facts->unit.socket_listen);
	list_of(json_object_get(object, "running"), &facts->process.argv);
	facts->unit.need_daemon_reload = json_is_true(json_object_get(object, "stale"));
	read_unit_files(object, &facts->unit);
}

static void read_files(const json_t *array, struct facts *facts)
{
	facts->file_count = json_array_size(array);
	facts->files = calloc(facts->file_count + 1, sizeof *facts->files);
	for (size_t i = 0; i < facts->file_count; i++) {
		const json_t *item = json_array_get(array, i);
		facts->files[i] = (struct file_facts){
			.role = json_string_value(json_object_get(item, "role")),
			.path = strdup(json_string_value(json_object_get(item, "path"))),
			.owner = strdup(json_string_value(json_object_get(item, "owner"))),
			.mode = (mode_t)strtoul(json_string_value(json_object_get(item, "mode")),
						NULL, 8),
			.exists = YES,
		};
	}
}

static void read_config(const json_t *object, struct facts *facts)
{
	const json_t *text = json_object_get(object, "daemon.json");

	facts->config.path = strdup("/etc/docker/daemon.json");
	facts->config.real_path = strdup("/etc/docker/daemon.json");
	facts->config.state = json_is_string(text) ? FILE_READ : FILE_ABSENT;
	facts->config.mode = 0644;
	if (json_is_string(text)) {
		facts->config.data = strdup(json_string_value(text));
		facts->config.length = json_string_length(text);
	}
}

static enum container_state state_of(const json_t *item)
{
	const char *state = json_string_value(json_object_get(item, "State"));

	if (!state || strcmp(state, "running") == 0)
		return CONTAINER_RUNNING;
	return strcmp(state, "paused") == 0 ? CONTAINER_PAUSED : CONTAINER_DOWN;
}

/* "containers_list": what the API and the containers' own files say, in one. */
static void read_containers(const json_t *array, struct facts *facts)
{
	facts->containers = json_incref((json_t *)array);
	facts->container_count = json_array_size(array);
	facts->container_list = calloc(facts->container_count + 1, sizeof *facts->container_list);
	for (size_t i = 0; i < facts->container_count; i++) {
		const json_t *item = json_array_get(array, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *started = json_string_value(json_object_get(item, "started"));
		const char *service = json_string_value(json_object_get(item, "service"));

		facts->container_list[i] = (struct container_facts){
			.id = strdup(name),
			.name = strdup(name),
			.state = state_of(item),
			.service = service ? strdup(service) : NULL,
			.known = !json_is_true(json_object_get(item, "hidden")),
			.started_at = started ? strdup(started) : NULL,
			.auto_remove = json_is_true(json_object_get(item, "rm")),
			.no_new_privileges =
				json_is_true(json_object_get(item, "no_new_privileges")),
			.log = json_incref(json_object_get(item, "log")),
		};
	}
}

static void read_facts(const json_t *object, struct facts *facts)
{
	const char *version = json_string_value(json_object_get(object, "version"));
	const char *daemon = json_string_value(json_object_get(object, "daemon"));
	const char *driver = json_string_value(json_object_get(object, "driver"));

	*facts = FACTS_EMPTY;
	facts->today = strdup("2026-11-23");
	facts->as_root = true;
	if (version)
		ck_assert(dockerver_parse(version, &facts->version));
	facts->daemon = !daemon ? DAEMON_RUNNING : DAEMON_STOPPED;
	facts->info = json_incref(json_object_get(object, "info"));
	facts->bridge = json_incref(json_object_get(object, "bridge"));
	read_containers(json_object_get(object, "containers_list"), facts);
	facts->default_ulimits = json_incref(json_object_get(object, "default_ulimits"));
	facts->port_proxies = tristate_of(json_object_get(object, "port_proxies"));
	facts->data_root.path = strdup("/var/lib/docker");
	facts->data_root.images = count_of(object, "images");
	facts->data_root.containers = count_of(object, "containers");
	facts->data_root.containers_running = count_of(object, "running");
	facts->data_root.volumes = count_of(object, "volumes");
	facts->data_root.containerd_store =
		tristate_of(json_object_get(object, "containerd_store"));
	facts->data_root.overlay2_possible =
		tristate_of(json_object_get(object, "overlay2_possible"));
	if (driver)
		ck_assert_int_eq(strlist_add(&facts->data_root.drivers, driver), 0);
	facts->swarm = tristate_of(json_object_get(object, "swarm"));
	facts->br_netfilter = tristate_of(json_object_get(object, "br_netfilter"));
	facts->syslog_socket = tristate_of(json_object_get(object, "syslog_socket"));
	facts->dockremap_user = tristate_of(json_object_get(object, "dockremap_user"));
	facts->dockremap_ranges = tristate_of(json_object_get(object, "dockremap_ranges"));
	facts->can_add_user = tristate_of(json_object_get(object, "can_add_user"));
	facts->process.pid = count_of(object, "pid") > 0 ? (pid_t)count_of(object, "pid") : 0;
	facts->process.has_cap_sys_resource =
		tristate_of(json_object_get(object, "cap_sys_resource"));
	facts->process.limit_nofile = (uint64_t)count_of(object, "limit_nofile");
	if (facts->process.limit_nofile == (uint64_t)-1)
		facts->process.limit_nofile = 0;
	read_unit(json_object_get(object, "unit"), facts);
	read_files(json_object_get(object, "files"), facts);
}

/* Options borrow from the case, which outlives them. */
static void read_options(json_t *object, struct plan_options *options)
{
	json_t *sets = json_object_get(object, "set");
	json_t *skips = json_object_get(object, "skip");
	struct want *wants = calloc(json_object_size(sets) + 1, sizeof *wants);
	struct skip *skip = calloc(json_object_size(skips) + 1, sizeof *skip);
	const char *key;
	json_t *value;

	*options = (struct plan_options){.wants = wants, .skips = skip};
	json_object_foreach (sets, key, value)
		wants[options->want_count++] = (struct want){(char *)key, value};
	json_object_foreach (skips, key, value)
		skip[options->skip_count++] =
			(struct skip){(char *)key, (char *)json_string_value(value)};
	list_of(json_object_get(object, "only"), &options->only);
	list_of(json_object_get(object, "accept"), &options->accept);
	options->restart_containers = json_object_get(object, "containers") != NULL;
}

static const struct setting *find_setting(const struct plan *plan, const char *key)
{
	for (size_t i = 0; i < plan->setting_count; i++)
		if (strcmp(plan->settings[i].row->key, key) == 0)
			return &plan->settings[i];
	return NULL;
}

static void expect_setting(const char *name, const struct plan *plan, const char *key,
			   const json_t *expected)
{
	const struct setting *setting = find_setting(plan, key);
	const char *state = json_string_value(json_object_get(expected, "state"));
	const char *effect = json_string_value(json_object_get(expected, "effect"));
	const char *source = json_string_value(json_object_get(expected, "source"));
	const char *reason = json_string_value(json_object_get(expected, "reason"));
	json_t *wanted = json_object_get(expected, "wanted");
	json_t *current = json_object_get(expected, "current");
	json_t *in_force = json_object_get(expected, "in_force");
	json_t *uncovered = json_object_get(expected, "uncovered");

	ck_assert_msg(setting != NULL, "%s: there is no setting %s", name, key);
	ck_assert_msg(strcmp(setting_state_name(setting->state), state) == 0,
		      "%s: %s is %s, not %s (%s)", name, key, setting_state_name(setting->state),
		      state, setting->reason ? setting->reason : "no reason");
	if (effect)
		ck_assert_msg(strcmp(effect_name(setting->effect), effect) == 0,
			      "%s: %s has effect %s", name, key, effect_name(setting->effect));
	if (source)
		ck_assert_msg(strcmp(value_source_name(setting->source), source) == 0,
			      "%s: %s comes from %s", name, key,
			      value_source_name(setting->source));
	if (reason)
		ck_assert_msg(setting->reason && strstr(setting->reason, reason),
			      "%s: the reason of %s is: %s", name, key, setting->reason);
	if (wanted)
		ck_assert_msg(json_equal(setting->wanted, wanted), "%s: wanted %s is %s", name, key,
			      json_dumps(setting->wanted, JSON_ENCODE_ANY));
	if (current)
		ck_assert_msg(json_equal(setting->current, current), "%s: current %s is %s", name,
			      key, json_dumps(setting->current, JSON_ENCODE_ANY));
	if (in_force)
		ck_assert_msg(
			json_equal(setting->in_force ? setting->in_force : json_null(), in_force),
			"%s: in force %s differs", name, key);
	if (uncovered)
		ck_assert_uint_eq(setting->uncovered.count, json_array_size(uncovered));
}

static void expect_texts(const char *name, const struct strlist *list, const json_t *expected)
{
	for (size_t i = 0; i < json_array_size(expected); i++) {
		const char *text = json_string_value(json_array_get(expected, i));
		bool found = false;
		for (size_t j = 0; j < list->count; j++)
			found |= strstr(list->items[j], text) != NULL;
		ck_assert_msg(found, "%s: nobody says \"%s\" (first of %zu: %s)", name, text,
			      list->count, list->count ? list->items[0] : "-");
	}
}

static void expect_after(const char *name, const struct plan *plan, const json_t *expected)
{
	const struct planned_file *config = NULL;

	for (size_t i = 0; i < plan->file_count; i++)
		if (plan->files[i].action != FILE_MODE &&
		    strcmp(plan->files[i].path, "/etc/docker/daemon.json") == 0)
			config = &plan->files[i];
	if (json_is_null(expected)) {
		ck_assert_msg(!config, "%s: a file changes:\n%s", name,
			      config ? config->after : "");
		return;
	}
	ck_assert_msg(config != NULL, "%s: no file changes", name);
	ck_assert_msg(strcmp(config->after, json_string_value(expected)) == 0,
		      "%s: daemon.json becomes\n%s", name, config->after);
}

/* "stops": the names of those that are stopped, in order; "starts": whether they are started again.
 */
static void expect_stops(const char *name, const struct plan *plan, const json_t *expected)
{
	const json_t *stops = json_object_get(expected, "stops");
	const json_t *starts = json_object_get(expected, "starts");

	ck_assert_msg(plan->stops == (stops != NULL), "%s: containers are %sstopped", name,
		      plan->stops ? "" : "not ");
	ck_assert_uint_eq(plan->stopped.count, json_array_size(stops));
	for (size_t i = 0; i < plan->stopped.count; i++)
		ck_assert_str_eq(plan->stopped.items[i],
				 json_string_value(json_array_get(stops, i)));
	ck_assert_msg(plan->starts == json_is_true(starts), "%s: they are %sstarted again", name,
		      plan->starts ? "" : "not ");
}

static const struct check_row *find_row(const struct check *check, const char *key)
{
	for (size_t i = 0; i < check->count; i++)
		if (strcmp(check->rows[i].setting->row->key, key) == 0)
			return &check->rows[i];
	return NULL;
}

static void expect_value(const char *name, const char *key, const char *column, const json_t *value,
			 const json_t *expected)
{
	const json_t *got = value ? value : json_null();

	ck_assert_msg(!expected || json_equal(got, expected), "%s: %s of %s is %s", name, column,
		      key, json_dumps(got, JSON_ENCODE_ANY));
}

/* "check": what the audit of the same host says, by key; null: the row is left out. */
static void expect_check(const char *name, const struct facts *facts, const struct plan *plan,
			 const json_t *expected)
{
	cleanup_check struct check check = {.rows = NULL};
	struct error error = ERROR_NONE;
	const char *key;
	json_t *value;

	ck_assert_int_eq(check_build(facts, plan, &check, &error), 0);
	json_object_foreach ((json_t *)expected, key, value) {
		const struct check_row *row = find_row(&check, key);

		if (json_is_null(value)) {
			ck_assert_msg(!row, "%s: %s is there", name, key);
			continue;
		}
		ck_assert_msg(row != NULL, "%s: %s is not there", name, key);
		ck_assert_str_eq(verdict_name(row->verdict),
				 json_string_value(json_object_get(value, "verdict")));
		expect_value(name, key, "file", row->file, json_object_get(value, "file"));
		expect_value(name, key, "flag", row->flag, json_object_get(value, "flag"));
		expect_value(name, key, "in force", row->in_force,
			     json_object_get(value, "in_force"));
		if (json_object_get(value, "line"))
			ck_assert_int_eq((int)row->line,
					 json_integer_value(json_object_get(value, "line")));
	}
	if (json_object_get(expected, "icc"))
		ck_assert_int_eq(check_complies(&check), check.counts[VERDICT_FAIL] == 0);
}

/* "hidden": words that no output may show. */
static void expect_hidden(const char *name, const struct plan *plan, const json_t *expected)
{
	for (size_t h = 0; h < json_array_size(expected); h++)
		for (size_t i = 0; i < plan->file_count; i++)
			ck_assert_msg(!strstr(plan->files[i].diff,
					      json_string_value(json_array_get(expected, h))),
				      "%s: a secret in\n%s", name, plan->files[i].diff);
}

/* "others": each other file that changes, by path: a part of its text, or all of it where it begins
 * with "=". */
static void expect_others(const char *name, const struct plan *plan, const json_t *expected)
{
	size_t found = 0;

	for (size_t i = 0; i < plan->file_count; i++) {
		const struct planned_file *file = &plan->files[i];
		const char *text = json_string_value(json_object_get(expected, file->path));
		if (file->action == FILE_MODE || strcmp(file->path, "/etc/docker/daemon.json") == 0)
			continue;
		found++;
		ck_assert_msg(text != NULL, "%s: %s changes to\n%s", name, file->path, file->after);
		bool fits = *text == '=' ? strcmp(file->after, text + 1) == 0
					 : strstr(file->after, text) != NULL;
		ck_assert_msg(fits, "%s: %s changes to\n%s", name, file->path, file->after);
	}
	ck_assert_msg(found == json_object_size(expected), "%s: %zu other files change", name,
		      found);
}

static void expect_command_line(const char *name, const struct plan *plan, const json_t *expected)
{
	ck_assert_msg(plan->command_line.count == json_array_size(expected),
		      "%s: the command line has %zu words", name, plan->command_line.count);
	for (size_t i = 0; i < plan->command_line.count; i++)
		ck_assert_msg(strcmp(plan->command_line.items[i],
				     json_string_value(json_array_get(expected, i))) == 0,
			      "%s: word %zu is %s", name, i, plan->command_line.items[i]);
}

static void expect_plan(const char *name, const struct plan *plan, const json_t *expected)
{
	json_t *settings = json_object_get(expected, "settings");
	json_t *after = json_object_get(expected, "after");
	const char *action = json_string_value(json_object_get(expected, "action"));
	json_t *obstacles = json_object_get(expected, "obstacles");
	const char *key;
	json_t *value;

	json_object_foreach (settings, key, value)
		expect_setting(name, plan, key, value);
	if (after)
		expect_after(name, plan, after);
	expect_stops(name, plan, expected);
	if (action)
		ck_assert_msg(strcmp(plan_action_name(plan->action), action) == 0,
			      "%s: the action is %s", name, plan_action_name(plan->action));
	ck_assert_msg(plan->obstacles.count == json_array_size(obstacles),
		      "%s: %zu obstacles, first: %s", name, plan->obstacles.count,
		      plan->obstacles.count ? plan->obstacles.items[0] : "-");
	expect_texts(name, &plan->obstacles, obstacles);
	expect_texts(name, &plan->warnings, json_object_get(expected, "warnings"));
	expect_hidden(name, plan, json_object_get(expected, "hidden"));
	expect_others(name, plan, json_object_get(expected, "others"));
	if (json_object_get(expected, "command_line"))
		expect_command_line(name, plan, json_object_get(expected, "command_line"));
	if (json_object_get(expected, "files"))
		ck_assert_uint_eq(plan->file_count,
				  (size_t)json_integer_value(json_object_get(expected, "files")));
}

static int load_profile(const char *name, void *context, char **ret_text, size_t *ret_length,
			char **ret_path, struct error *error)
{
	const struct builtin_profile *builtin = builtin_profile_find(name);

	(void)context;
	(void)error;
	ck_assert(builtin != NULL);
	*ret_text = strdup(builtin->text);
	*ret_length = strlen(builtin->text);
	*ret_path = strdup(name);
	return 0;
}

static void read_profile(const json_t *test, struct profile *profile)
{
	const json_t *own = json_object_get(test, "profile");
	cleanup_free char *text = json_is_object(own) ? json_dumps(own, 0) : NULL;
	const char *used = text ? text : builtin_profile_find("hardened")->text;
	struct error error = ERROR_NONE;

	ck_assert_msg(profile_parse(used, strlen(used), "profile", load_profile, NULL, profile,
				    &error) == 0,
		      "%s", error.text);
}

static void run_case(const char *name)
{
	cleanup_free char *text = test_file("plan", name, NULL);
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_profile struct profile profile = {.name = NULL};
	cleanup_plan struct plan plan = {.settings = NULL};
	struct plan_options options;
	struct error error = ERROR_NONE;
	json_error_t json_error;
	json_t *test = json_loads(text, JSON_REJECT_DUPLICATES, &json_error);

	ck_assert_msg(test != NULL, "%s:%d: %s", name, json_error.line, json_error.text);
	read_facts(json_object_get(test, "facts"), &facts);
	read_config(test, &facts);
	read_options(json_object_get(test, "options"), &options);
	read_profile(test, &profile);

	const json_t *expected = json_object_get(test, "expect");
	const char *message = json_string_value(json_object_get(expected, "error"));
	int r = plan_build(&facts, &profile, &options, &plan, &error);
	if (message) {
		ck_assert_msg(r < 0, "%s: no error", name);
		char formatted[sizeof error];
		error_format(&error, formatted, sizeof formatted);
		ck_assert_msg(strstr(formatted, message) != NULL, "%s: the error is: %s", name,
			      formatted);
	} else {
		ck_assert_msg(r == 0, "%s: %s %s: %s", name, error.step, error.path, error.text);
		expect_plan(name, &plan, expected);
		expect_check(name, &facts, &plan, json_object_get(expected, "check"));
	}
	free((void *)options.wants);
	free((void *)options.skips);
	strlist_done(&options.only);
	strlist_done(&options.accept);
	plan_done(&plan);
	json_decref(test);
}

/* The article's state, and a unit of its time, on each series of releases: whatever the version,
 * the plan leads to a daemon that starts, and lets stand nothing that the version refuses. */
static const char *const versions[] = {
	"17.12.0", "17.12.1", "18.1.0",   "18.3.1", "18.6.3", "18.9.9", "19.3.0",
	"19.3.15", "20.10.0", "20.10.24", "23.0.0", "24.0.9", "25.0.5", "26.0.0",
	"26.1.5",  "27.0.1",  "27.4.0",   "27.5.1", "28.0.0", "28.1.0", "28.3.0",
	"28.5.2",  "29.0.0",  "29.2.0",   "29.7.2",
};

static void check_version(const char *version)
{
	static const char *const argv[] = {"/usr/bin/dockerd",
					   "-H",
					   "fd://",
					   "--config-file",
					   "/etc/docker/daemon.json",
					   "--icc=true",
					   "-Dldebug",
					   "--log-opt",
					   "max-file=3",
					   "--default-ulimit=nproc=100:200"};
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_profile struct profile profile = {.name = NULL};
	cleanup_plan struct plan plan = {.settings = NULL};
	struct plan_options options = {.wants = NULL};
	struct error error = ERROR_NONE;
	json_t *none = json_object();
	json_t *config = json_pack("{s:s}", "daemon.json",
				   "{\"default-ulimit\": true, \"disable-legacy-registry\": true,\n"
				   " \"storage-driver\": \"aufs\", \"log-driver\": \"json-file\",\n"
				   " \"debug\": true, \"userland-proxy\": true}\n");

	read_config(config, &facts);
	facts.daemon = DAEMON_STOPPED;
	facts.swarm = NO;
	facts.br_netfilter = YES;
	facts.syslog_socket = YES;
	facts.dockremap_user = NO;
	facts.can_add_user = YES;
	facts.data_root.path = strdup("/var/lib/docker");
	facts.data_root.images = facts.data_root.containers = facts.data_root.volumes = 0;
	facts.data_root.containers_running = 0;
	facts.unit.known = true;
	facts.unit.name = strdup("docker.service");
	for (size_t i = 0; i < array_size(argv); i++)
		ck_assert_int_eq(strlist_add(&facts.unit.exec_start, argv[i]), 0);
	ck_assert(dockerver_parse(version, &facts.version));
	read_profile(none, &profile);
	int r = plan_build(&facts, &profile, &options, &plan, &error);
	ck_assert_msg(r == 0, "%s: %s", version, error.text);
	ck_assert_msg(!plan.obstacles.count, "%s: %s", version,
		      plan.obstacles.count ? plan.obstacles.items[0] : "");
	for (size_t i = 0; i < plan.setting_count; i++)
		if (strcmp(plan.settings[i].row->key, "authorization-plugins") != 0)
			ck_assert_msg(plan.settings[i].state == SETTING_CHANGE ||
					      plan.settings[i].state == SETTING_OK,
				      "%s: %s is %s", version, plan.settings[i].row->key,
				      setting_state_name(plan.settings[i].state));
	static const char *const left[] = {"/usr/bin/dockerd",
					   "-H",
					   "fd://",
					   "--config-file",
					   "/etc/docker/daemon.json",
					   "--default-ulimit=nproc=100:200"};
	ck_assert_uint_eq(plan.command_line.count, array_size(left));
	for (size_t i = 0; i < array_size(left); i++)
		ck_assert_str_eq(plan.command_line.items[i], left[i]);
	json_decref(none);
	json_decref(config);
}

START_TEST(test_versions)
{
	for (size_t i = 0; i < array_size(versions); i++)
		check_version(versions[i]);
}
END_TEST

/* The files of tests/data/plan: one test each. */
static struct dirent **case_files;
static int case_count;

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

START_TEST(test_case_file)
{
	run_case(case_files[_i]->d_name);
}
END_TEST

START_TEST(test_cases_are_there)
{
	ck_assert_int_gt(case_count, 70);
}
END_TEST

START_TEST(test_setting_path)
{
	static const struct {
		const char *key;
		size_t count;
		const char *last;
	} cases[] = {
		{"icc", 1, "icc"},
		{"log-opts.syslog-address", 2, "syslog-address"},
		{"log-opts.a.b.c", 2, "a.b.c"},
		{"default-network-opts.bridge.com.docker.network.driver.mtu", 3,
		 "com.docker.network.driver.mtu"},
		{"builder.gc.enabled", 3, "enabled"},
		{"default-ulimits.nofile.Hard", 3, "Hard"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strlist struct strlist path = {.items = NULL};
		ck_assert_int_eq(setting_path(cases[i].key, &path, NULL), 0);
		ck_assert_uint_eq(path.count, cases[i].count);
		ck_assert_str_eq(path.items[path.count - 1], cases[i].last);
	}
	struct strlist path = {.items = NULL};
	ck_assert_int_lt(setting_path("", &path, NULL), 0);
	ck_assert_int_lt(setting_path("a..b", &path, NULL), 0);
	ck_assert_int_lt(setting_path("a.", &path, NULL), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_setting_path, test_versions, test_cases_are_there, NULL};
	char path[1024];

	(void)snprintf(path, sizeof path, "%s/plan", test_data());
	case_count = scandir(path, &case_files, is_case, alphasort);

	int status = test_main_loop("plan", tests, test_case_file, case_count);
	for (int i = 0; i < case_count; i++)
		free(case_files[i]);
	free(case_files);
	return status;
}
