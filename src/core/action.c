#include "core/action.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/containers.h"
#include "core/judgement.h"
#include "core/live.h"

/* ---- what a reload would do ---- */

static bool gives_flag(const struct flags *flags, const char *flag)
{
	for (size_t i = 0; i < flags->count; i++)
		if (text_equal(flags->items[i].option->flag, flag))
			return true;
	return false;
}

/* Plugins in the file that the daemon does not have yet: SIGHUP makes it look for them, and end
 * where it does not find one (facts b.10). Those that it has work, or it would not have answered.
 */
static bool has_new_plugins(const struct facts *facts, const json_t *document)
{
	static const char *const path[] = {"authorization-plugins"};
	const json_t *wanted = json_object_get(document, path[0]);
	json_auto_t *live = live_value(facts, path, 1);

	for (size_t i = 0; i < json_array_size(wanted); i++)
		if (!array_has(live, json_array_get(wanted, i)))
			return true;
	return false;
}

/* SIGHUP reads the file alone (facts c, b.7): a runtime that is given as a flag is not there. */
static bool lacks_runtime(const struct flags *flags, struct dockerver version,
			  const json_t *document)
{
	const char *name = json_string_value(json_object_get(document, "default-runtime"));

	return name && strcmp(name, "runc") != 0 &&
	       !json_object_get(json_object_get(document, "runtimes"), name) &&
	       !dockerver_at_least(version, 25, 0) && gives_flag(flags, "add-runtime");
}

/* What runs has its flags until it is restarted, wherever else they are by then (facts a.4). */
static bool would_be_given_twice(const struct flags *flags, struct dockerver version,
				 const json_t *document)
{
	for (size_t i = 0; i < flags->count; i++) {
		const struct option *option = flags->items[i].option;
		if (option->key && json_object_get(document, option->key) &&
		    !option_merges(option, version))
			return true;
	}
	return false;
}

/* `flags` are those of the dockerd that is told to reload. */
static const char *find_trap(const struct facts *facts, const struct flags *flags,
			     struct dockerver version, const json_t *document)
{
	if (gives_flag(flags, "authorization-plugin"))
		return "A reload would drop the authorization plugins that are given as flags.";
	if (would_be_given_twice(flags, version, document))
		return "dockerd refuses every reload while a setting is a flag and in daemon.json.";
	if (has_new_plugins(facts, document))
		return "A reload ends dockerd where it does not find an authorization plugin that "
		       "it "
		       "does not have yet.";
	if (json_is_true(json_object_get(document, "userland-proxy")) &&
	    !json_object_get(document, "userland-proxy-path") && dockerver_at_least(version, 25, 0))
		return "dockerd refuses every reload while \"userland-proxy\": true stands in "
		       "daemon.json.";
	if (lacks_runtime(flags, version, document))
		return "dockerd refuses every reload while the default runtime in daemon.json is "
		       "one "
		       "that is given as a flag.";
	return NULL;
}

const char *action_reload_trap(const struct facts *facts, const struct configuration *configuration,
			       const json_t *document)
{
	return find_trap(facts, configuration_running_flags(configuration), configuration->version,
			 document);
}

static const char *reload_trap(const struct action_question *question, const json_t *document)
{
	return action_reload_trap(question->facts, question->configuration, document);
}

/* The same after a restart, which has what the unit says now. */
static const char *later_reload_trap(const struct action_question *question)
{
	return find_trap(question->facts, &question->configuration->flags,
			 question->configuration->version, question->intended);
}

/* Flags that a reload resets to their defaults, until the next start (facts c). */
static bool reload_forgets_flags(const struct configuration *configuration)
{
	static const char *const flags[] = {
		"max-concurrent-downloads",
		"max-concurrent-uploads",
		"max-download-attempts",
		"network-diagnostic-port",
		"feature",
		"nri-opts",
	};

	for (size_t i = 0; i < array_size(flags); i++)
		if (gives_flag(configuration_running_flags(configuration), flags[i]))
			return true;
	return false;
}

/* ---- what there is to do ---- */

struct demand {
	bool reload;
	bool restart;
	bool network; /* something is in force only after a start without running containers */
	bool data;    /* the data root moves */
};

/* Network settings that are in the file already wait for a start without containers; a restart that
 * keeps them running would gain nothing. */
static bool restart_helps(const struct action_question *question, const struct setting *setting)
{
	return setting->effect != EFFECT_CONTAINERS || setting->rewrites ||
	       question->options->restart_containers ||
	       question->facts->data_root.containers_running <= 0;
}

static struct demand look_for_needs(const struct action_question *question)
{
	struct demand demand = {.restart = question->takes_flags};

	for (size_t i = 0; i < question->count; i++) {
		const struct setting *setting = &question->settings[i];
		if (setting->state != SETTING_CHANGE || !restart_helps(question, setting))
			continue;
		demand.reload |= setting->effect == EFFECT_RELOAD;
		demand.restart |= setting->effect > EFFECT_RELOAD;
		demand.network |= setting->effect == EFFECT_CONTAINERS;
		demand.data |= setting->effect == EFFECT_DATA;
	}
	return demand;
}

/* ---- what becomes of containers ---- */

static const struct setting *find_live_restore(const struct action_question *question)
{
	for (size_t i = 0; i < question->count; i++)
		if (strcmp(question->settings[i].row->key, "live-restore") == 0)
			return &question->settings[i];
	return NULL;
}

/* What live-restore is now, and whether a reload can have it on for the time of the restart. */
struct keeping {
	bool live;
	bool before; /* a reload switches it on first */
	bool after;  /* a reload switches it off later */
	const char *trap;
};

static struct keeping look_for_keeping(const struct action_question *question)
{
	const json_t *live = json_object_get(question->facts->info, "LiveRestoreEnabled");
	const struct setting *setting = find_live_restore(question);
	struct keeping keeping = {.live = json_is_true(live)};

	if (!setting || setting->state != SETTING_CHANGE || setting->effect != EFFECT_RELOAD)
		return keeping;
	bool wanted = json_is_true(setting->wanted);
	/* On the way there the file is the old one with live-restore on, afterwards the new one. */
	keeping.trap = wanted ? reload_trap(question, question->configuration->document)
			      : later_reload_trap(question);
	keeping.before = wanted && !keeping.live && !keeping.trap;
	keeping.after = !wanted && keeping.live && !keeping.trap;
	if (!wanted && !keeping.after)
		keeping.live = false;
	return keeping;
}

static bool accepts_restart(const struct action_question *question)
{
	return question->options->restart_containers ||
	       strlist_contains(&question->options->accept, ACCEPT_RESTART);
}

/* Containers that are gone after a restart although live-restore is on. */
static bool restart_removes(const struct action_question *question)
{
	for (size_t i = 0; i < question->facts->container_count; i++)
		if (container_is_removed_by_restart(&question->facts->container_list[i],
						    question->configuration->version))
			return true;
	return false;
}

static void decide_restart(const struct action_question *question, const struct demand *demand,
			   struct action_answer *answer)
{
	struct keeping keeping = look_for_keeping(question);
	int64_t running = question->facts->data_root.containers_running;
	/* Not knowing whether containers run is no reason to stop them. Who is not root sees little
	 * and changes nothing. */
	bool some = running > 0 || (running < 0 && question->facts->as_root);
	bool keeps = keeping.live || keeping.before;

	answer->reason = keeping.trap;
	answer->keeps = keeps;
	answer->stops = some && (demand->data ||
				 (demand->network && question->options->restart_containers) ||
				 (!keeps && accepts_restart(question)));
	answer->starts = answer->stops && !demand->data;
	answer->needs_consent =
		some && !answer->stops &&
		(!keeps || (restart_removes(question) && !accepts_restart(question)));
	bool by_reload = some && !answer->stops && (keeping.before || keeping.after);
	answer->action = by_reload ? ACTION_RELOAD_RESTART : ACTION_RESTART;
	answer->release = by_reload && keeping.after;
}

static void decide_reload(const struct action_question *question, const struct demand *demand,
			  struct action_answer *answer)
{
	const char *trap = reload_trap(question, question->intended);

	answer->action = ACTION_RELOAD;
	if (!trap && !reload_forgets_flags(question->configuration))
		return;
	decide_restart(question, demand, answer);
	if (trap)
		answer->reason = trap;
	else if (answer->needs_consent) {
		/* What the flags say is back at the next start, which need not be now. */
		*answer = (struct action_answer){.action = ACTION_RELOAD};
	}
}

void action_decide(const struct action_question *question, struct action_answer *ret)
{
	struct demand demand = look_for_needs(question);

	*ret = (struct action_answer){.action = ACTION_NONE};
	if (question->facts->daemon != DAEMON_RUNNING)
		return;
	if (demand.restart)
		decide_restart(question, &demand, ret);
	else if (demand.reload)
		decide_reload(question, &demand, ret);
}

bool action_needs_restart(const struct action_question *question,
			  const struct action_answer *answer, const struct setting *setting)
{
	if (setting->state != SETTING_CHANGE || !restart_helps(question, setting))
		return false;
	/* Without anything else to restart for, it is the reload that is replaced by one. */
	return setting->effect > EFFECT_RELOAD ||
	       (setting->effect == EFFECT_RELOAD && answer->reason);
}

/* ---- words ---- */

/* Why they cannot be kept. */
static const char *because(const struct action_question *question,
			   const struct action_answer *answer)
{
	const struct setting *live = find_live_restore(question);

	if (answer->reason)
		return answer->reason;
	if (question->facts->swarm == YES)
		return "On a swarm node live-restore cannot be switched on to keep them running.";
	if (live && live->state == SETTING_SKIPPED)
		return "live-restore, which would keep them running, is left alone.";
	return "live-restore, which would keep them running, cannot be switched on first.";
}

static void add_removed(const struct action_question *question, struct strbuf *text)
{
	size_t count = 0;

	for (size_t i = 0; i < question->facts->container_count; i++) {
		const struct container_facts *container = &question->facts->container_list[i];
		if (container_is_removed_by_restart(container, question->configuration->version))
			(void)strbuf_addf(text, "%s%s", count++ ? ", " : "", container->name);
	}
	(void)strbuf_addf(text,
			  ": %s started with --rm, and this version of dockerd removes %s when it "
			  "starts, also with live-restore on. To consent: --accept " ACCEPT_RESTART
			  ".",
			  count == 1 ? "it was" : "they were", count == 1 ? "it" : "them");
}

char *action_hold_text(const struct action_question *question, const struct action_answer *answer)
{
	int64_t running = question->facts->data_root.containers_running;
	struct strbuf text = STRBUF_EMPTY;
	struct container_refs up = {.items = NULL};
	struct error ignored = ERROR_NONE;

	if (answer->keeps) {
		(void)strbuf_adds(&text, "It needs a restart of dockerd, which would REMOVE ");
		add_removed(question, &text);
		return strbuf_finish(&text);
	}
	if (running < 0) {
		(void)strbuf_adds(&text,
				  "It needs a restart of dockerd, and whether containers run, "
				  "which that would stop, cannot be seen.");
	} else {
		cleanup_free char *names = containers_up(question->facts, &up, &ignored) == 0
						   ? container_names_text(&up)
						   : NULL;
		(void)strbuf_addf(&text,
				  "It needs a restart of dockerd, which would stop the %" PRId64
				  " running container%s%s%s%s. %s",
				  running, running == 1 ? "" : "s", names && *names ? " (" : "",
				  names ? names : "", names && *names ? ")" : "",
				  because(question, answer));
	}
	container_refs_done(&up);
	(void)strbuf_adds(&text, " To consent: --accept " ACCEPT_RESTART
				 "; they are started again afterwards.");
	return strbuf_finish(&text);
}

int action_obstacles(const struct action_question *question, const struct action_answer *answer,
		     struct strlist *ret, struct error *error)
{
	cleanup_container_refs struct container_refs up = {.items = NULL};
	const struct facts *facts = question->facts;

	if (!answer->stops)
		return 0;
	int r = containers_up(facts, &up, error);
	for (size_t i = 0; r == 0 && i < up.count; i++) {
		const char *name = up.items[i]->name;
		int added = 0;

		if (up.items[i]->auto_remove)
			added = strlist_addf(
				ret,
				"%s was started with --rm: stopping it would remove it "
				"for good. Stop it yourself first, or leave out what "
				"needs the running containers stopped.",
				name);
		else if (!up.items[i]->known && facts->as_root)
			added = strlist_addf(
				ret,
				"What %s was created with cannot be read, so it is not "
				"stopped: it might be gone then.",
				name);
		if (added < 0)
			r = error_set_oom(error);
	}
	if (r == 0 && facts->data_root.containers_running < 0 &&
	    strlist_add(ret, "Which containers run cannot be seen, so they cannot be stopped and "
			     "started again.") < 0)
		r = error_set_oom(error);
	return r;
}
