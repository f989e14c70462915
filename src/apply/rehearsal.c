#include "apply/rehearsal.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "apply/journal.h"
#include "apply/manager.h"
#include "apply/run.h"
#include "apply/stage.h"
#include "base/text.h"
#include "core/canary.h"
#include "core/dockerlog.h"
#include "core/proof.h"
#include "core/rehearsal.h"
#include "host/api.h"
#include "host/clock.h"
#include "host/file.h"

/* How long the candidate may take to be ready, whatever --timeout allows the real one, and to run
 * at all. */
#define START_SECONDS 60
#define RUN_SECONDS 120
/* For tidying up: what is killed is gone in milliseconds. */
#define CLEAR_SECONDS 20
/* One question to it. */
#define ASK_US 10000000
/* For a container that does nothing. */
#define CANARY_SECONDS 30
/* How long its last words may take to reach the journal. */
#define WORDS_US 1500000
#define WORDS_MAX 5

/* dockerd and its containerd have 100 MB. More than that may do harm, less free memory is no time
 * for it. */
#define MEMORY_MAX (UINT64_C(1) << 30)
#define MEMORY_NEEDED_KIB (UINT64_C(256) * 1024)
#define TASKS_MAX 4096

#define REPLY_MAX ((size_t)4 * 1024 * 1024)

void rehearsal_done(struct rehearsal *rehearsal)
{
	free(rehearsal->reason);
	free(rehearsal->key);
	strlist_done(&rehearsal->words);
	strlist_done(&rehearsal->notes);
	canary_done(&rehearsal->canary);
	*rehearsal = REHEARSAL_EMPTY;
}

const char *rehearsal_state_name(enum rehearsal_state state)
{
	static const char *const names[] = {
		[REHEARSAL_NONE] = NULL,
		[REHEARSAL_PASSED] = "passed",
		[REHEARSAL_FAILED] = "failed",
		[REHEARSAL_SKIPPED] = "skipped",
	};

	return names[state];
}

static bool changes_start(const struct plan *plan)
{
	for (size_t i = 0; i < plan->file_count; i++)
		if (plan->files[i].action != FILE_MODE)
			return true;
	return false;
}

bool rehearsal_is_due(const struct plan *plan, const struct facts *facts)
{
	return plan->action != ACTION_NONE ||
	       (facts->daemon == DAEMON_STOPPED && changes_start(plan));
}

/* One that is under way. */
struct play {
	const struct plan *plan;
	const struct facts *facts;
	const struct txn *txn;
	const struct rehearsal_options *options;
	struct rehearsal *result;
	struct manager *manager;
	struct rehearsal_script script;
	sd_bus_message *like; /* properties of the real unit */
};

static void play_done(struct play *play)
{
	manager_close(&play->manager);
	rehearsal_script_done(&play->script);
	(void)sd_bus_message_unref(play->like);
}

static struct wait wait_for_seconds(const struct rehearsal_options *options, unsigned seconds,
				    bool interruptible)
{
	const struct progress *progress = options->progress;

	return (struct wait){
		.deadline_us = clock_now_us() + (uint64_t)seconds * 1000000,
		.interrupt_fd = interruptible ? options->interrupt_fd : -1,
		.tick = progress ? progress->tick : NULL,
		.context = progress ? progress->context : NULL,
	};
}

static int conclude(struct play *play, enum rehearsal_state state, const char *reason,
		    struct error *error)
{
	play->result->state = state;
	return run_set_text(&play->result->reason, reason, error);
}

/* The text alone: which step it was says little to who has not read this file. */
static int skip(struct play *play, const struct error *why, struct error *error)
{
	char text[sizeof *why];

	return conclude(play, REHEARSAL_SKIPPED, error_format(why, text, sizeof text), error);
}

/* ---- what the script needs to know ---- */

static int read_links(struct strlist *ret, struct error *error)
{
	cleanup_closedir DIR *folder = opendir("/sys/class/net");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && strlist_add(ret, entry->d_name) < 0)
			return error_set_oom(error);
	return 0;
}

/* Plugins that dockerd itself looks after, and that are on. */
static int read_managed(const struct facts *facts, struct strlist *ret, struct error *error)
{
	json_auto_t *plugins = NULL;

	if (facts->info && facts->socket_path)
		(void)api_ask(facts->socket_path, "/plugins", REPLY_MAX, clock_now_us() + ASK_US,
			      &plugins);

	for (size_t i = 0; i < json_array_size(plugins); i++) {
		const json_t *plugin = json_array_get(plugins, i);
		const char *name = json_string_value(json_object_get(plugin, "Name"));
		if (name && json_is_true(json_object_get(plugin, "Enabled")) &&
		    strlist_add(ret, name) < 0)
			return error_set_oom(error);
	}
	return 0;
}

/* daemon.json as it will be. */
static void find_text(const struct play *play, struct rehearsal_question *question)
{
	const struct text_file *config = &play->facts->config;
	const struct plan *plan = play->plan;

	question->text = config->state == FILE_READ ? config->data : NULL;
	question->length = config->state == FILE_READ ? config->length : 0;
	for (size_t i = 0; i < plan->file_count; i++) {
		if (plan->files[i].action == FILE_MODE || !config->path ||
		    strcmp(plan->files[i].path, config->path) != 0)
			continue;
		question->text = plan->files[i].after;
		question->length = plan->files[i].after ? plan->files[i].after_length : 0;
	}
}

static int write_script(struct play *play, struct error *error)
{
	cleanup_strlist struct strlist links = {.items = NULL};
	cleanup_strlist struct strlist managed = {.items = NULL};
	struct rehearsal_question question = {
		.facts = play->facts,
		.configuration = &play->plan->configuration,
		.command_line = &play->plan->command_line,
		.links = &links,
		.managed = &managed,
		.cgroup2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0,
	};

	find_text(play, &question);
	int r = read_links(&links, error);
	if (r == 0)
		r = read_managed(play->facts, &managed, error);
	return r < 0 ? r : rehearsal_write(&question, &play->script, error);
}

/* Whether memory is short; where that cannot be told, it is not. */
static bool memory_is_short(void)
{
	scoped(cleanup_fclose_file) FILE *file = fopen("/proc/meminfo", "re");
	static const char field[] = "MemAvailable:";
	char line[256];

	while (file && fgets(line, sizeof line, file))
		if (text_starts_with(line, field))
			return strtoull(line + strlen(field), NULL, 10) < MEMORY_NEEDED_KIB;
	return false;
}

/* ---- the unit ---- */

static int add_exec(sd_bus_message *message, const struct rehearsal_script *script)
{
	int r = sd_bus_message_open_container(message, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", "ExecStart");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', "a(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'r', "sasb");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", script->program);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "s");
	for (size_t i = 0; r >= 0 && i < script->argv.count; i++)
		r = sd_bus_message_append(message, "s", script->argv.items[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	if (r >= 0)
		r = sd_bus_message_append(message, "b", 0);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

static int add_environment(sd_bus_message *message, const struct rehearsal_script *script)
{
	int r = sd_bus_message_open_container(message, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", "Environment");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "s");
	for (size_t i = 0; r >= 0 && i < script->environment.count; i++)
		r = sd_bus_message_append(message, "s", script->environment.items[i]);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

/* What keeps it to itself. It sees the host's files but writes to none of them: what programs keep
 * in /run and /tmp excepted. With the live containerd in sight it would use that one, and with the
 * system bus in sight firewalld would carry its rules to the host's network. */
static int add_walls(sd_bus_message *message)
{
	int r = sd_bus_message_append(message, "(sv)(sv)(sv)(sv)(sv)", "PrivateNetwork", "b", 1,
				      "PrivateMounts", "b", 1, "ProtectSystem", "s", "strict",
				      "ReadWritePaths", "as", 3, "/run", "-/tmp", "-/var/tmp",
				      "InaccessiblePaths", "as", 1, "-/run/dbus");

	return r < 0 ? r
		     : sd_bus_message_append(message, "(sv)", "TemporaryFileSystem", "a(ss)", 2,
					     "/run/containerd", "", "/run/docker", "");
}

/* Its data, and the plugins of the host: programs that dockerd talks to. */
static int add_binds(sd_bus_message *message, const char *data)
{
	int r = sd_bus_message_append(message, "(sv)", "BindPaths", "a(ssbt)", 1, data,
				      REHEARSAL_DATA, 0, (uint64_t)0);

	if (r >= 0)
		r = sd_bus_message_append(message, "(sv)", "BindReadOnlyPaths", "a(ssbt)", 1,
					  "/run/docker/plugins", "/run/docker/plugins", 1,
					  (uint64_t)MS_REC);
	return r;
}

static int add_accounts(sd_bus_message *message)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < ACCOUNT_TABLES; i++) {
		char from[64];
		char to[64];
		(void)snprintf(from, sizeof from, REHEARSAL_FOLDER "/etc/%s",
			       account_table_names[i]);
		(void)snprintf(to, sizeof to, "/etc/%s", account_table_names[i]);
		r = sd_bus_message_append(message, "(sv)", "BindReadOnlyPaths", "a(ssbt)", 1, from,
					  to, 0, (uint64_t)0);
	}
	return r;
}

/* An end of its own, should nobody end it. */
static int add_limits(sd_bus_message *message)
{
	const uint64_t second = 1000000;
	int r = sd_bus_message_append(
		message, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "KillMode", "s", "control-group",
		"KillSignal", "i", SIGKILL, "TimeoutStartUSec", "t", START_SECONDS * second,
		"TimeoutStopUSec", "t", 10 * second, "RuntimeMaxUSec", "t", RUN_SECONDS * second,
		"MemoryMax", "t", MEMORY_MAX, "TasksMax", "t", (uint64_t)TASKS_MAX);

	return r;
}

/* Limits of the real unit: what it may set, the rehearsal may set. */
static bool is_alike(const char *name)
{
	static const char *const names[] = {"CapabilityBoundingSet", "OOMScoreAdjust", "UMask",
					    "NoNewPrivileges", "PassEnvironment"};

	if (strncmp(name, "Limit", strlen("Limit")) == 0)
		return true;
	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int copy_property(sd_bus_message *message, sd_bus_message *like)
{
	const char *name;
	int r = sd_bus_message_read_basic(like, 's', &name);

	if (r < 0)
		return r;
	if (!is_alike(name))
		return sd_bus_message_skip(like, "v");
	r = sd_bus_message_open_container(message, 'r', "sv");
	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', name);
	if (r >= 0)
		r = sd_bus_message_copy(message, like, 0);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int add_alike(sd_bus_message *message, sd_bus_message *like)
{
	int r = sd_bus_message_rewind(like, 1);

	if (r >= 0)
		r = sd_bus_message_enter_container(like, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(like, 'e', "sv")) > 0) {
		r = copy_property(message, like);
		if (r >= 0)
			r = sd_bus_message_exit_container(like);
	}
	return r;
}

struct cast {
	struct play *play;
	const struct rehearsal_script *script;
	const char *data;
};

static int add_properties(sd_bus_message *message, void *context)
{
	const struct cast *cast = context;

	int r = sd_bus_message_append(message, "(sv)(sv)(sv)(sv)(sv)", "Description", "s",
				      "Rehearsal of a Docker configuration by harden", "Type", "s",
				      "notify", "NotifyAccess", "s", "all", "Slice", "s",
				      REHEARSAL_SLICE, "Delegate", "b", 1);
	if (r >= 0)
		r = add_exec(message, cast->script);
	if (r >= 0)
		r = add_environment(message, cast->script);
	if (r >= 0)
		r = add_walls(message);
	if (r >= 0)
		r = add_binds(message, cast->data);
	if (r >= 0 && cast->script->accounts)
		r = add_accounts(message);
	if (r >= 0)
		r = add_limits(message);
	return r < 0 ? r : add_alike(message, cast->play->like);
}

/* ---- starting ---- */

/* How a start ended. */
struct start {
	bool up;
	bool impossible;      /* it says nothing about the configuration */
	struct error why;     /* where it is not up */
	struct strlist words; /* dockerd's own */
};

static void start_done(struct start *start)
{
	strlist_done(&start->words);
}

/* From 200 on it is systemd that could not set the service up (systemd.exec(5)); 203 is a program
 * that cannot be executed, which would be the same for the real one. */
static bool could_not_be_set_up(const struct unit_moment *moment)
{
	if (strcmp(moment->result, "resources") == 0 || strcmp(moment->result, "oom-kill") == 0)
		return true;
	return moment->exit_code == CLD_EXITED && moment->exit_status >= 200 &&
	       moment->exit_status <= 245 && moment->exit_status != 203;
}

static void take_words(const struct rehearsal_script *script, const char *unit, uint64_t since_us,
		       struct strlist *ret)
{
	cleanup_strlist struct strlist lines = {.items = NULL};
	cleanup_strlist struct strlist reasons = {.items = NULL};
	struct error ignored = ERROR_NONE;

	if (journal_read(unit, since_us, clock_now_us() + WORDS_US, &lines, &ignored) == 0 &&
	    dockerlog_reasons(&lines, WORDS_MAX, &reasons, &ignored) == 0)
		(void)rehearsal_translate(&reasons, script, ret, &ignored);
}

/* Starts dockerd on a stage that has been built. -ECANCELED and -ENOMEM are errors, all else is in
 * *ret. */
static int start(struct play *play, const struct rehearsal_script *script,
		 const struct stage *stage, struct start *ret, struct error *error)
{
	const char *unit = script == &play->script ? REHEARSAL_UNIT : REHEARSAL_CONTROL_UNIT;
	struct cast cast = {.play = play, .script = script, .data = stage->data};
	const struct transient transient = {
		.unit = unit,
		.add_properties = add_properties,
		.context = &cast,
	};
	const struct wait wait = wait_for_seconds(play->options, START_SECONDS + 10, true);
	struct unit_moment moment = {.result = ""};
	bool refused = false;
	uint64_t since = clock_realtime_us();

	int r = manager_start_transient(play->manager, &transient, &wait, &refused, &ret->why);
	if (r == -ECANCELED || r == -ENOMEM) {
		const struct error why = ret->why;
		return error_set(error, r, why.step, why.path, "%s", why.text);
	}
	ret->up = r == 0;
	if (r == 0)
		return 0;
	const struct wait after = wait_for_seconds(play->options, CLEAR_SECONDS, false);
	if (!refused)
		(void)manager_unit(play->manager, unit, &after, &moment, NULL);
	ret->impossible = refused || could_not_be_set_up(&moment);
	/* One that is merely late has said nothing of it. */
	if (!ret->impossible && strcmp(moment.result, "timeout") != 0)
		take_words(script, unit, since, &ret->words);
	return 0;
}

/* ---- looking at it ---- */

static bool was_replaced(const struct play *play, const char *key)
{
	return strlist_contains(&play->script.replaced, key);
}

/* Where the rehearsal does not enforce what the plan expects, the daemon would not either. What is
 * not told is left to the real one. */
static int prove(struct play *play, const struct facts *seen, struct error *error)
{
	const struct txn *txn = play->txn;
	cleanup_strbuf struct strbuf wrong = STRBUF_EMPTY;
	const char *first = NULL;

	for (size_t i = 0; txn && i < txn->expectation_count; i++) {
		const struct expectation *expectation = &txn->expectations[i];
		if (was_replaced(play, expectation->key) ||
		    proof_of(seen, expectation->key, expectation->wanted, expectation->effect) !=
			    PROOF_BAD)
			continue;
		(void)strbuf_addf(&wrong, "%s%s",
				  wrong.length ? ", "
					       : "dockerd starts, but does not enforce what its "
						 "configuration says: ",
				  expectation->key);
		first = first ? first : expectation->key;
	}
	if (!first)
		return conclude(play, REHEARSAL_PASSED, NULL, error);
	if (wrong.failed)
		return error_set_oom(error);
	int r = run_set_text(&play->result->key, first, error);
	return r < 0 ? r : conclude(play, REHEARSAL_FAILED, wrong.data, error);
}

/* An authorization plugin may forbid to ask; that it answers at all is what counts. */
static int look(struct play *play, struct error *error)
{
	cleanup_facts struct facts seen = FACTS_EMPTY;
	seen.daemon = DAEMON_RUNNING;
	seen.version = play->facts->version;
	seen.data_root.containers_running = 0;
	if (api_ask(REHEARSAL_SOCKET, "/info", REPLY_MAX, clock_now_us() + ASK_US, &seen.info) < 0)
		return conclude(play, REHEARSAL_FAILED,
				"dockerd starts, but its API does not answer", error);
	(void)api_ask(REHEARSAL_SOCKET, "/networks/bridge", REPLY_MAX, clock_now_us() + ASK_US,
		      &seen.bridge);
	return prove(play, &seen, error);
}

/* ---- all of it ---- */

static int clear(struct play *play, struct error *error)
{
	const struct wait wait = wait_for_seconds(play->options, CLEAR_SECONDS, false);

	return stage_clear(play->options->store, play->manager, &wait, error);
}

/* A container with the defaults of the dockerd that is up. */
static int run_canary(struct play *play, const struct rehearsal_script *script, struct canary *ret,
		      struct error *error)
{
	const struct wait wait = wait_for_seconds(play->options, CANARY_SECONDS, true);
	const struct canary_options options = {
		.socket_path = REHEARSAL_SOCKET,
		.id = "rehearsal",
		.log_driver = script->silent ? "none" : NULL,
		.wait = &wait,
	};

	return canary_run(&options, ret, error);
}

/* Whether a dockerd with nothing but its defaults comes up, and with `canary` runs one. What stands
 * in its way is in *why. */
static int try_control(struct play *play, bool canary, bool *ret_up, struct error *why,
		       struct error *error)
{
	cleanup_rehearsal_script struct rehearsal_script control = {.obstacle = NULL};
	cleanup_stage struct stage stage = {.data = NULL};
	scoped(start_done) struct start start_of_control = {.up = false};
	bool data = false;

	int r = rehearsal_write_control(&play->script, play->facts, &control, error);
	if (r < 0)
		return r;
	*ret_up = false;
	if (clear(play, why) < 0 ||
	    stage_build(play->options->store, &control, &stage, &data, why) < 0)
		return 0;
	r = start(play, &control, &stage, &start_of_control, error);
	*ret_up = start_of_control.up;
	if (r == 0 && !start_of_control.up)
		(void)error_set(why, -EIO, "start", REHEARSAL_CONTROL_UNIT, "%s",
				start_of_control.words.count ? start_of_control.words.items[0]
							     : start_of_control.why.text);
	if (r < 0 || !canary || !*ret_up)
		return r;
	cleanup_canary struct canary of_control = CANARY_EMPTY;
	r = run_canary(play, &control, &of_control, error);
	*ret_up = of_control.state == CANARY_PASSED;
	if (r == 0 && !*ret_up)
		(void)error_set(why, -EIO, "run a canary", NULL, "%s",
				of_control.reason ? of_control.reason : "it did not end well");
	return r;
}

/* A failure that no setting of the candidate is the cause of may be the fault of this place. */
static int judge_canary(struct play *play, struct error *error)
{
	struct rehearsal *result = play->result;
	const struct canary *canary = &result->canary;
	cleanup_strlist struct strlist words = {.items = NULL};
	struct error why = ERROR_NONE;
	bool up = true;

	if (canary->state == CANARY_SKIPPED)
		run_say(&result->notes, "No canary could be run in the rehearsal: %s",
			canary->reason ? canary->reason : "no reason is known");
	if (canary->state != CANARY_FAILED)
		return 0;
	if (strlist_add(&words, canary->reason ? canary->reason : "") < 0)
		return error_set_oom(error);
	const char *key = canary->key && json_object_get(play->script.document, canary->key)
				  ? canary->key
				  : rehearsal_cause(&words, play->script.document);
	int r = key ? 0 : try_control(play, true, &up, &why, error);
	if (r == 0 && !up)
		run_say(&result->notes,
			"No canary could be run in the rehearsal, whatever the configuration: %s",
			why.text);
	if (r < 0 || !up)
		return r;
	run_say(&result->notes, "Where containers did not start before either, --no-canary leaves "
				"this out.");
	strlist_done(&result->words);
	result->words = words;
	words = (struct strlist){.items = NULL};
	r = run_set_text(&result->key, key ? key : canary->key, error);
	return r < 0 ? r
		     : conclude(play, REHEARSAL_FAILED,
				"dockerd starts with it, but no container does", error);
}

static int try_canary(struct play *play, struct error *error)
{
	if (play->options->no_canary || play->result->state != REHEARSAL_PASSED)
		return 0;
	int r = run_canary(play, &play->script, &play->result->canary, error);

	if (r == 0)
		r = judge_canary(play, error);
	/* Who is not there for the host is not there for its containers. */
	if (r < 0 || play->result->state != REHEARSAL_PASSED || !play->script.unheard)
		return r;
	r = run_set_text(&play->result->key, "log-opts", error);
	return r < 0 ? r : conclude(play, REHEARSAL_FAILED, play->script.unheard, error);
}

/* Words that are about a setting need no control. */
static int judge_failure(struct play *play, struct start *start, struct error *error)
{
	struct rehearsal *result = play->result;
	const char *key = rehearsal_cause(&start->words, play->script.document);
	struct error why = ERROR_NONE;
	bool up = key != NULL;
	int r = 0;

	if (start->impossible)
		return skip(play, &start->why, error);
	if (!key)
		r = try_control(play, false, &up, &why, error);
	if (r < 0)
		return r;
	if (!up) {
		char text[sizeof why + 128];
		(void)snprintf(text, sizeof text,
			       "dockerd does not come up here a second time, whatever its "
			       "configuration: %s",
			       why.text);
		return conclude(play, REHEARSAL_SKIPPED, text, error);
	}
	result->words = start->words;
	start->words = (struct strlist){.items = NULL};
	r = run_set_text(&result->key, key, error);
	if (r < 0)
		return r;
	return result->words.count
		       ? conclude(play, REHEARSAL_FAILED, "dockerd does not start with it", error)
		       : conclude(play, REHEARSAL_FAILED, start->why.text, error);
}

static int perform(struct play *play, struct error *error)
{
	cleanup_stage struct stage stage = {.data = NULL};
	scoped(start_done) struct start first = {.up = false};
	struct error why = ERROR_NONE;
	bool data = false;
	uint64_t begin = clock_now_us();

	if (stage_build(play->options->store, &play->script, &stage, &data, &why) < 0) {
		if (!data)
			return skip(play, &why, error);
		int r = run_set_text(&play->result->key, "data-root", error);
		char text[sizeof why];
		return r < 0 ? r
			     : conclude(play, REHEARSAL_FAILED,
					error_format(&why, text, sizeof text), error);
	}
	int r = start(play, &play->script, &stage, &first, error);
	if (r < 0)
		return r;
	if (!first.up)
		return judge_failure(play, &first, error);
	play->result->start_us = (int64_t)(clock_now_us() - begin);
	r = look(play, error);
	return r < 0 ? r : try_canary(play, error);
}

/* What is left is found by its mark; the next harden or the boot unit tries again. */
static void tidy(struct play *play)
{
	struct error why = ERROR_NONE;
	char text[sizeof why];

	if (clear(play, &why) < 0)
		run_say(&play->result->notes,
			"Tidying up after the rehearsal is left to the next `harden recover`: %s",
			error_format(&why, text, sizeof text));
}

static int open_systemd(struct play *play, struct error *error)
{
	const struct wait wait =
		wait_for_seconds(play->options, play->options->timeout_seconds, true);
	int r = manager_open(&wait, &play->manager, error);

	return r < 0 ? r
		     : manager_properties(play->manager, play->facts->unit.name, &wait, &play->like,
					  error);
}

static int rehearse(struct play *play, struct error *error)
{
	struct error why = ERROR_NONE;
	uint64_t begin = clock_now_us();

	int r = write_script(play, error);
	if (r < 0)
		return r;
	if (play->script.obstacle)
		return conclude(play, REHEARSAL_SKIPPED, play->script.obstacle, error);
	if (memory_is_short())
		return conclude(play, REHEARSAL_SKIPPED, "there is too little free memory", error);
	r = open_systemd(play, &why);
	if (r == -ECANCELED || r == -ENOMEM)
		return error_set(error, r, why.step, why.path, "%s", why.text);
	if (r < 0)
		return skip(play, &why, error);
	r = perform(play, error);
	tidy(play);
	play->result->took_us = (int64_t)(clock_now_us() - begin);
	for (size_t i = 0; r == 0 && i < play->script.notes.count; i++)
		run_say(&play->result->notes, "%s", play->script.notes.items[i]);
	return r;
}

int rehearsal_run(const struct plan *plan, const struct facts *facts, const struct txn *txn,
		  const struct rehearsal_options *options, struct rehearsal *ret,
		  struct error *error)
{
	const struct progress *progress = options->progress;
	scoped(play_done) struct play play = {
		.plan = plan,
		.facts = facts,
		.txn = txn,
		.options = options,
		.result = ret,
	};
	uint64_t begin = clock_now_us();

	if (progress && progress->begin)
		progress->begin(progress->context, PHASE_REHEARSE,
				"rehearse on a throwaway dockerd");
	int r = rehearse(&play, error);
	if (r < 0)
		ret->state = REHEARSAL_NONE;
	if (progress && progress->end)
		progress->end(progress->context, r == 0 && ret->state != REHEARSAL_FAILED,
			      clock_now_us() - begin);
	return r;
}

int rehearsal_recover(const struct rehearsal_options *options, struct error *error)
{
	cleanup_manager struct manager *manager = NULL;
	cleanup_strlist struct strlist folders = {.items = NULL};
	const struct wait wait = wait_for_seconds(options, CLEAR_SECONDS, false);
	struct error ignored = ERROR_NONE;
	bool marked = false;

	int r = store_rehearsal(options->store, &folders, &marked, error);
	if (r < 0 || !marked)
		return r;
	/* Where systemd does not answer, nothing of it can be running in a unit either, or not for
	 * long. */
	(void)manager_open(&wait, &manager, &ignored);
	r = stage_clear(options->store, manager, &wait, error);
	return r < 0 ? r : 1;
}
