#include "core/rehearsal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/daemonjson.h"
#include "core/jsontext.h"
#include "core/logopts.h"
#include "core/options.h"

void rehearsal_script_done(struct rehearsal_script *script)
{
	free(script->obstacle);
	free(script->program);
	strlist_done(&script->argv);
	strlist_done(&script->environment);
	strbuf_done(&script->config);
	json_decref(script->document);
	free(script->data_root);
	free(script->unheard);
	strlist_done(&script->replaced);
	strlist_done(&script->notes);
	*script = (struct rehearsal_script){.obstacle = NULL};
}

/* One that is being written. */
struct draft {
	const struct rehearsal_question *question;
	struct configuration after; /* file and flags as they will be */
	json_t *plugins; /* authorization-plugins without the managed ones; NULL: as is */
	struct rehearsal_script script;
};

static void draft_done(struct draft *draft)
{
	configuration_done(&draft->after);
	json_decref(draft->plugins);
	rehearsal_script_done(&draft->script);
}

/* ---- the configuration as it will be ---- */

static int copy_word(const char *text, size_t source, struct words *words, struct error *error)
{
	struct word *word = &words->items[words->count];

	word->text = strdup(text);
	word->source = source;
	words->count++;
	return word->text ? 0 : error_set_oom(error);
}

static int read_words(const struct rehearsal_question *question, struct words *words,
		      struct error *error)
{
	const struct words *now = &question->configuration->words;
	const struct strlist *line = question->command_line;
	size_t count = line->count ? line->count : now->count;
	int r = 0;

	words->items = calloc(count + 1, sizeof *words->items);
	if (!words->items)
		return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = copy_word(line->count ? line->items[i] : now->items[i].text, i, words, error);
	return r;
}

static int read_after(struct draft *draft, struct error *error)
{
	const struct rehearsal_question *question = draft->question;
	struct configuration *after = &draft->after;

	after->version = question->configuration->version;
	int r = read_words(question, &after->words, error);
	if (r == 0 &&
	    strlist_add_all(&after->environment, &question->configuration->environment) < 0)
		r = error_set_oom(error);
	if (r == 0)
		r = flags_parse(&after->words, after->version, &after->flags, error);
	if (r == 0)
		r = daemonjson_read(question->text ? question->text : "", question->length,
				    &after->document, error);
	if (r == 0)
		draft->script.document = json_incref(after->document);
	return r;
}

/* The value as it will be, a new reference. */
static json_t *value_of(const struct draft *draft, const char *key)
{
	struct error ignored = ERROR_NONE;
	enum value_source source;
	json_t *value = NULL;

	if (configuration_value(&draft->after, &key, 1, &value, &source, NULL, &ignored) < 0)
		return NULL;
	return value;
}

/* The same for a string; "" where it is none. A new string, NULL when out of memory. */
static char *text_of(const struct draft *draft, const char *key)
{
	json_auto_t *value = value_of(draft, key);
	const char *text = json_string_value(value);

	return strdup(text ? text : "");
}

/* ---- where it cannot be done ---- */

static bool begins_with_any(const json_t *list, const char *const *prefixes, size_t count)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		for (size_t p = 0; text && p < count; p++)
			if (text_starts_with(text, prefixes[p]))
				return true;
	}
	return false;
}

/* Two daemons on one pool are its end, and a folder does not keep them apart. */
static bool shares_a_pool(const struct draft *draft)
{
	static const char *const pools[] = {"dm.", "zfs."};
	static const char *const drivers[] = {"devicemapper", "zfs"};
	json_auto_t *options = value_of(draft, "storage-opts");
	json_auto_t *driver = value_of(draft, "storage-driver");
	const char *name = json_string_value(driver);

	if (!name || !*name)
		name = json_string_value(json_object_get(draft->question->facts->info, "Driver"));
	for (size_t i = 0; i < array_size(drivers); i++)
		if (text_equal(name, drivers[i]))
			return true;
	return begins_with_any(options, pools, array_size(pools));
}

/* NULL where nothing stands in the way. */
static const char *find_obstacle(const struct draft *draft)
{
	const struct facts *facts = draft->question->facts;
	json_auto_t *rootless = value_of(draft, "rootless");

	if (facts->image)
		return "nothing runs in an image";
	if (facts->install != INSTALL_PACKAGE || json_is_true(rootless))
		return "this Docker is not a system service";
	if (!facts->as_root)
		return "only root can do it";
	if (facts->daemon == DAEMON_ABSENT)
		return "there is no dockerd here yet";
	if (facts->systemd != YES || !facts->unit.known || !draft->after.words.count)
		return "systemd does not know the unit";
	if (draft->after.words.items[0].text[0] != '/')
		return "the unit does not say where its program is";
	if (shares_a_pool(draft))
		return "the storage driver keeps its data in a pool that two daemons may not share";
	return NULL;
}

/* ---- what is replaced or left out ---- */

static int replace(struct draft *draft, const char *key, struct error *error)
{
	if (strlist_contains(&draft->script.replaced, key))
		return 0;
	return strlist_add(&draft->script.replaced, key) < 0 ? error_set_oom(error) : 0;
}

static int replace_all(struct draft *draft, const char *const *keys, size_t count,
		       struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = replace(draft, keys[i], error);
	return r;
}

static int note(struct draft *draft, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int note(struct draft *draft, struct error *error, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	if (strlist_take(&draft->script.notes, strbuf_finish(&text)) < 0)
		return error_set_oom(error);
	return 0;
}

/* A bridge that the admin has made is not in a network of its own. One that is not there at all is
 * left to dockerd to complain about, as is one that is given together with an address. */
static int settle_bridge(struct draft *draft, struct error *error)
{
	static const char *const keys[] = {"bridge", "fixed-cidr", "fixed-cidr-v6",
					   "default-gateway", "default-gateway-v6"};
	cleanup_free char *bridge = text_of(draft, "bridge");
	cleanup_free char *bip = text_of(draft, "bip");

	if (!bridge || !bip)
		return error_set_oom(error);
	if (!*bridge || *bip || strcmp(bridge, "none") == 0 || strcmp(bridge, "docker0") == 0 ||
	    !strlist_contains(draft->question->links, bridge))
		return 0;
	int r = replace_all(draft, keys, array_size(keys), error);
	return r < 0 ? r
		     : note(draft, error,
			    "The bridge %s is not in the rehearsal's own network, which has "
			    "docker0 "
			    "instead.",
			    bridge);
}

/* Whether "ADDRESS:PORT" begins with a number, v4 or v6. What is no address at all is left to
 * dockerd. */
static bool has_address(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && strspn(text, "0123456789abcdefABCDEF.:[]%") == strlen(text) &&
	       colon != text;
}

/* The rehearsal's network has the addresses of the loopback only. */
static int settle_metrics(struct draft *draft, struct error *error)
{
	static const char *const fine[] = {"127.", "0.0.0.0:", "[::]", "[::1]"};
	cleanup_free char *address = text_of(draft, "metrics-addr");

	if (!address)
		return error_set_oom(error);
	if (!has_address(address))
		return 0;
	for (size_t i = 0; i < array_size(fine); i++)
		if (text_starts_with(address, fine[i]))
			return 0;
	int r = replace(draft, "metrics-addr", error);
	return r < 0 ? r
		     : note(draft, error,
			    "metrics-addr: the rehearsal's own network has no address %s.",
			    address);
}

/* dockerd gives the group to sockets that it makes itself, and only then it has to exist. */
static int settle_group(struct draft *draft, struct error *error)
{
	static const char *const own[] = {"unix://"};
	json_auto_t *hosts = value_of(draft, "hosts");

	if (json_array_size(hosts) == 0 || begins_with_any(hosts, own, array_size(own)))
		return 0;
	return replace(draft, "group", error);
}

/* A plugin that "docker plugin install" has brought: it lives in the live daemon's data root. */
static bool is_managed(const struct draft *draft, const char *name)
{
	const struct strlist *managed = draft->question->managed;
	size_t length = strlen(name);

	for (size_t i = 0; i < managed->count; i++)
		if (strcmp(managed->items[i], name) == 0 ||
		    (strncmp(managed->items[i], name, length) == 0 &&
		     strcmp(managed->items[i] + length, ":latest") == 0))
			return true;
	return false;
}

static int settle_log_driver(struct draft *draft, struct error *error)
{
	static const char *const keys[] = {"log-driver", "log-opts"};
	cleanup_free char *driver = text_of(draft, "log-driver");

	if (!driver)
		return error_set_oom(error);
	if (!is_managed(draft, driver))
		return 0;
	int r = replace_all(draft, keys, array_size(keys), error);
	return r < 0 ? r
		     : note(draft, error,
			    "The log driver %s is a plugin of the live daemon, which the rehearsal "
			    "does not have.",
			    driver);
}

/* Legacy plugins are programs of the host, and the rehearsal talks to them as dockerd will. */
static int settle_plugins(struct draft *draft, struct error *error)
{
	json_auto_t *plugins = value_of(draft, "authorization-plugins");
	json_auto_t *left = json_array();

	for (size_t i = 0; i < json_array_size(plugins); i++) {
		json_t *item = json_array_get(plugins, i);
		const char *name = json_string_value(item);
		int r = 0;
		if (name && is_managed(draft, name))
			r = note(draft, error,
				 "The authorization plugin %s is one of the live daemon, which the "
				 "rehearsal does not have.",
				 name);
		else if (json_array_append(left, item) < 0)
			r = error_set_oom(error);
		if (r < 0)
			return r;
	}
	if (json_array_size(left) == json_array_size(plugins))
		return 0;
	draft->plugins = json_incref(left);
	return replace(draft, "authorization-plugins", error);
}

/* Nothing of the state that dockerd keeps is there. Of a swarm's, that matters: live-restore does
 * not go with it. */
static int settle_swarm(struct draft *draft, struct error *error)
{
	if (draft->question->facts->swarm != YES)
		return 0;
	return note(draft, error,
		    "The swarm's state is in the live daemon's data root, so that the rehearsal "
		    "was none of a swarm node.");
}

/* ---- cgroups ---- */

/* The cgroup driver that dockerd will use (facts, exec-opts): systemd is the default from 20.10 on
 * where cgroup v2 is. */
static bool uses_systemd_cgroups(const struct draft *draft)
{
	static const char option[] = "native.cgroupdriver=";
	const struct facts *facts = draft->question->facts;
	json_auto_t *options = value_of(draft, "exec-opts");

	for (size_t i = json_array_size(options); i > 0; i--) {
		const char *text = json_string_value(json_array_get(options, i - 1));
		if (text && text_starts_with(text, option) && text[strlen(option)])
			return strcmp(text + strlen(option), "systemd") == 0;
	}
	return draft->question->cgroup2 && facts->systemd == YES &&
	       dockerver_at_least(draft->after.version, 20, 10);
}

/* Containers of the rehearsal must be where its unit is, so that they end with it. A parent that
 * the systemd driver does not take stays, for dockerd to refuse it. */
static int settle_cgroup_parent(struct draft *draft, const char **ret_flag, struct error *error)
{
	cleanup_free char *parent = text_of(draft, "cgroup-parent");
	bool slices = uses_systemd_cgroups(draft);

	*ret_flag = NULL;
	if (!parent)
		return error_set_oom(error);
	if (*parent && slices &&
	    (!text_ends_with(parent, ".slice") || strlen(parent) <= strlen(".slice")))
		return 0;
	*ret_flag =
		slices ? "--cgroup-parent=" REHEARSAL_SLICE : "--cgroup-parent=/" REHEARSAL_SLICE;
	return replace(draft, "cgroup-parent", error);
}

/* ---- the command line ---- */

static bool is_replaced(const struct draft *draft, const struct option *option)
{
	const char *name = option->key ? option->key : option->flag;

	return strlist_contains(&draft->script.replaced, name);
}

static int add_argument(struct draft *draft, const char *text, struct error *error)
{
	return strlist_add(&draft->script.argv, text) < 0 ? error_set_oom(error) : 0;
}

/* A word that dockerd will refuse is refused in the rehearsal too; its value, which may follow, is
 * then of no interest. */
static int keep_flags(struct draft *draft, struct error *error)
{
	const struct flags *flags = &draft->after.flags;
	struct strlist *argv = &draft->script.argv;
	int r = 0;

	for (size_t i = 0; i < flags->count; i++) {
		const struct flag *flag = &flags->items[i];
		if (is_replaced(draft, flag->option))
			continue;
		if (strlist_addf(argv, "--%s=%s", flag->option->flag, flag->value) < 0)
			return error_set_oom(error);
	}
	for (size_t i = 0; r == 0 && i < flags->problem_count; i++)
		r = add_argument(draft, draft->after.words.items[flags->problems[i].word].text,
				 error);
	return r;
}

static int write_argv(struct draft *draft, const char *cgroup_parent, struct error *error)
{
	static const char *const own[] = {
		"--config-file=" REHEARSAL_CONFIG,
		"--host=unix://" REHEARSAL_SOCKET,
		"--data-root=" REHEARSAL_DATA,
		"--exec-root=" REHEARSAL_FOLDER "/exec",
		"--pidfile=" REHEARSAL_FOLDER "/docker.pid",
	};
	const struct unit_facts *unit = &draft->question->facts->unit;
	const char *program = draft->after.words.items[0].text;

	if (unit->command_count && unit->commands[unit->command_count - 1].path)
		program = unit->commands[unit->command_count - 1].path;
	draft->script.program = strdup(program);
	if (!draft->script.program)
		return error_set_oom(error);
	int r = add_argument(draft, draft->after.words.items[0].text, error);
	if (r == 0)
		r = keep_flags(draft, error);
	for (size_t i = 0; r == 0 && i < array_size(own); i++)
		r = add_argument(draft, own[i], error);
	if (r == 0 && cgroup_parent)
		r = add_argument(draft, cgroup_parent, error);
	for (size_t i = 0; r == 0 && i < json_array_size(draft->plugins); i++)
		if (strlist_addf(&draft->script.argv, "--authorization-plugin=%s",
				 json_string_value(json_array_get(draft->plugins, i))) < 0)
			r = error_set_oom(error);
	return r;
}

/* The lock keeps programs of iptables apart that change one set of rules; the rehearsal has its
 * own. */
static int write_environment(struct draft *draft, struct error *error)
{
	static const char *const left_out[] = {
		"DOCKER_TMPDIR=", "TMPDIR=", "NOTIFY_SOCKET=", "XTABLES_LOCKFILE="};
	const struct strlist *environment = &draft->after.environment;
	struct strlist *list = &draft->script.environment;

	for (size_t i = 0; i < environment->count; i++) {
		bool leave = false;
		for (size_t j = 0; j < array_size(left_out); j++)
			leave |= text_starts_with(environment->items[i], left_out[j]);
		if (!leave && strlist_add(list, environment->items[i]) < 0)
			return error_set_oom(error);
	}
	if (strlist_add(list, "XTABLES_LOCKFILE=" REHEARSAL_FOLDER "/xtables.lock") < 0)
		return error_set_oom(error);
	return 0;
}

/* ---- the private copy of daemon.json ---- */

/* A key counts at the top level, and for dockerd's check of duplicates also one object further down
 * (facts a.2). */
static int leave_out(struct draft *draft, const char *key, struct error *error)
{
	struct strbuf *text = &draft->script.config;
	json_t *document = draft->after.document;
	const char *outer;
	json_t *value;
	int r = 0;

	if (json_object_get(document, key))
		r = jsontext_remove(text, &(struct jsontext_path){&key, 1}, error);
	json_object_foreach (document, outer, value) {
		const char *const path[] = {outer, key};
		if (r == 0 && json_object_get(value, key))
			r = jsontext_remove(text, &(struct jsontext_path){path, 2}, error);
	}
	return r;
}

/* Up to 23.0 dockerd makes itself a key where there is none. */
static int move_key(struct draft *draft, struct error *error)
{
	static const char name[] = "deprecated-key-path";
	static const char *const path[] = {name};
	const struct option *option = option_by_key(name);
	struct dockerver version = draft->after.version;

	if (!option || option_is_ignored(option, version))
		return 0;
	int r = leave_out(draft, name, error);
	if (r == 0 && option_has_flag(option, version))
		return add_argument(draft, "--deprecated-key-path=" REHEARSAL_FOLDER "/key.json",
				    error);
	json_auto_t *value = json_string(REHEARSAL_FOLDER "/key.json");
	if (r == 0 && !value)
		r = error_set_oom(error);
	return r < 0 ? r
		     : jsontext_set(&draft->script.config, &(struct jsontext_path){path, 1}, value,
				    error);
}

static int write_config(struct draft *draft, struct error *error)
{
	const struct rehearsal_question *question = draft->question;
	const struct strlist *replaced = &draft->script.replaced;
	int r = 0;

	if (strbuf_add(&draft->script.config, question->text ? question->text : "",
		       question->length) < 0)
		return error_set_oom(error);
	for (size_t i = 0; r == 0 && i < replaced->count; i++)
		r = leave_out(draft, replaced->items[i], error);
	return r < 0 ? r : move_key(draft, error);
}

/* ---- all of it ---- */

/* Up to 20.10 the option was also called graph. */
static int find_data_root(struct draft *draft, struct error *error)
{
	static const char *const keys[] = {"data-root", "graph"};

	for (size_t i = 0; i < array_size(keys); i++) {
		json_auto_t *value = NULL;
		enum value_source source = SOURCE_DEFAULT;
		int r = configuration_value(&draft->after, &keys[i], 1, &value, &source, NULL,
					    error);
		if (r < 0)
			return r;
		const char *path = json_string_value(value);
		if (path && *path && source != SOURCE_DEFAULT) {
			draft->script.data_root = strdup(path);
			return draft->script.data_root ? 0 : error_set_oom(error);
		}
	}
	draft->script.data_root = strdup("/var/lib/docker");
	return draft->script.data_root ? 0 : error_set_oom(error);
}

static int settle(struct draft *draft, const char **ret_cgroup_parent, struct error *error)
{
	static const char *const always[] = {"hosts",   "data-root",  "graph",      "exec-root",
					     "pidfile", "containerd", "config-file"};
	static int (*const steps[])(struct draft * draft, struct error * error) = {
		settle_bridge,  settle_metrics,    settle_group,
		settle_plugins, settle_log_driver, settle_swarm,
	};
	int r = replace_all(draft, always, array_size(always), error);

	for (size_t i = 0; r == 0 && i < array_size(steps); i++)
		r = steps[i](draft, error);
	return r < 0 ? r : settle_cgroup_parent(draft, ret_cgroup_parent, error);
}

/* Those that write files keep to themselves; one that dockerd does not have is to be complained
 * about. */
static bool logs_to_others(const struct draft *draft)
{
	json_auto_t *value = value_of(draft, "log-driver");
	const char *driver = json_string_value(value);

	return driver && strcmp(driver, "json-file") != 0 && strcmp(driver, "local") != 0 &&
	       log_driver_is_builtin(driver, draft->after.version);
}

/* The syslog address was tried from the host's network when the facts were read. One that is to be
 * opened with the plan (facts->syslog.rsyslog) is not known to stay shut. */
static int find_unheard(struct draft *draft, struct error *error)
{
	const struct syslog_facts *syslog = &draft->question->facts->syslog;
	static const char *const path[] = {"log-opts", "syslog-address"};
	cleanup_free char *driver = text_of(draft, "log-driver");
	json_auto_t *address = NULL;
	enum value_source source;

	if (!driver)
		return error_set_oom(error);
	int r = configuration_value(&draft->after, path, 2, &address, &source, NULL, error);
	if (r < 0 || strcmp(driver, "syslog") != 0 || syslog->answers != NO ||
	    syslog->rsyslog == RSYSLOG_READY ||
	    !text_equal(json_string_value(address), syslog->address))
		return r;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	(void)strbuf_addf(&text, "no container would start: nobody takes logs at %s%s%s",
			  syslog->address, syslog->reason ? ": " : "",
			  syslog->reason ? syslog->reason : "");
	draft->script.unheard = strbuf_finish(&text);
	return draft->script.unheard ? 0 : error_set_oom(error);
}

/* dockerd would create the user where only it is missing. */
static bool needs_accounts(const struct draft *draft)
{
	const struct facts *facts = draft->question->facts;
	json_auto_t *remap = value_of(draft, "userns-remap");

	return text_equal(json_string_value(remap), "default") && facts->dockremap_user == NO &&
	       facts->can_add_user != NO;
}

int rehearsal_write(const struct rehearsal_question *question, struct rehearsal_script *ret,
		    struct error *error)
{
	scoped(draft_done) struct draft draft = {.question = question};
	const char *cgroup_parent = NULL;

	int r = read_after(&draft, error);
	if (r < 0)
		return r;
	const char *obstacle = find_obstacle(&draft);
	if (obstacle) {
		draft.script.obstacle = strdup(obstacle);
		r = draft.script.obstacle ? 0 : error_set_oom(error);
	} else {
		r = find_data_root(&draft, error);
		if (r == 0)
			r = settle(&draft, &cgroup_parent, error);
		if (r == 0)
			r = write_argv(&draft, cgroup_parent, error);
		if (r == 0)
			r = write_environment(&draft, error);
		if (r == 0)
			r = write_config(&draft, error);
		if (r == 0)
			r = find_unheard(&draft, error);
		draft.script.accounts = needs_accounts(&draft);
		draft.script.silent = logs_to_others(&draft);
	}
	if (r < 0)
		return r;
	*ret = draft.script;
	draft.script = (struct rehearsal_script){.obstacle = NULL};
	return 0;
}

/* Whether the control keeps this argument: those that rehearsal_write() has added itself. */
static bool is_own(const char *argument)
{
	return strstr(argument, "=" REHEARSAL_FOLDER "/") ||
	       strstr(argument, "=unix://" REHEARSAL_FOLDER "/") ||
	       strcmp(argument, "--cgroup-parent=" REHEARSAL_SLICE) == 0 ||
	       strcmp(argument, "--cgroup-parent=/" REHEARSAL_SLICE) == 0;
}

static int write_control(const struct rehearsal_script *script, const struct facts *facts,
			 struct rehearsal_script *control)
{
	static const char key_path[] = "deprecated-key-path";
	const char *driver = json_string_value(json_object_get(facts->info, "Driver"));
	bool moves_key = script->config.data && strstr(script->config.data, key_path);
	int r = 0;

	control->program = strdup(script->program);
	control->data_root = strdup(script->data_root);
	control->document = json_object();
	if (!control->program || !control->data_root || !control->document)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < script->argv.count; i++)
		if (i == 0 || is_own(script->argv.items[i]))
			r = strlist_add(&control->argv, script->argv.items[i]);
	for (size_t i = 0; r == 0 && i < script->environment.count; i++)
		r = strlist_add(&control->environment, script->environment.items[i]);
	/* "overlayfs" is a snapshotter of containerd, which needs no flag. */
	if (r == 0 && driver && strcmp(driver, "overlayfs") != 0)
		r = strlist_addf(&control->argv, "--storage-driver=%s", driver);
	if (r == 0 && moves_key)
		r = strbuf_addf(&control->config, "{\"%s\": \"%s\"}\n", key_path,
				REHEARSAL_FOLDER "/key.json");
	else if (r == 0)
		r = strbuf_adds(&control->config, "{}\n");
	return r;
}

int rehearsal_write_control(const struct rehearsal_script *script, const struct facts *facts,
			    struct rehearsal_script *ret, struct error *error)
{
	struct rehearsal_script control = {.obstacle = NULL};

	if (write_control(script, facts, &control) < 0) {
		rehearsal_script_done(&control);
		return error_set_oom(error);
	}
	*ret = control;
	return 0;
}

int rehearsal_translate(const struct strlist *words, const struct rehearsal_script *script,
			struct strlist *ret, struct error *error)
{
	const struct {
		const char *from;
		const char *to;
	} pairs[] = {
		{REHEARSAL_DATA, script->data_root ? script->data_root : REHEARSAL_DATA},
		{REHEARSAL_CONFIG, "daemon.json"},
	};

	for (size_t i = 0; i < words->count; i++) {
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
		const char *rest = words->items[i];
		while (*rest) {
			const char *to = NULL;
			for (size_t p = 0; !to && p < array_size(pairs); p++) {
				if (!text_starts_with(rest, pairs[p].from))
					continue;
				to = pairs[p].to;
				rest += strlen(pairs[p].from);
			}
			if (to)
				(void)strbuf_adds(&text, to);
			else
				(void)strbuf_addc(&text, *rest++);
		}
		if (strlist_take(ret, strbuf_finish(&text)) < 0)
			return error_set_oom(error);
	}
	return 0;
}
