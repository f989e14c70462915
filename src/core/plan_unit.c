#include "core/plan_unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/mask.h"

/* --- what a flag gives --------------------------------------------------------------------------
 */

static bool is_collection(const struct option *option)
{
	return option->type == OPTION_LIST || option->type == OPTION_MAP ||
	       option->type == OPTION_OBJECT;
}

/* A flag that this version does not have any more, and with which it does not start. */
static const struct flag *find_gone(const struct flags *flags, const struct option *option)
{
	for (size_t i = 0; i < flags->problem_count; i++)
		if (flags->problems[i].gone.option == option)
			return &flags->problems[i].gone;
	return NULL;
}

static bool is_taken(const struct judgement *judgement, const struct option *option)
{
	return taken_has(judgement->taken, option) || taken_has(&judgement->takes, option);
}

bool plan_unit_gives(const struct judgement *judgement, const struct option *option)
{
	return option && !is_taken(judgement, option) &&
	       flags_find(&judgement->configuration->flags, option);
}

/* Whether two lists or maps have an item or member that both have, but not alike. */
static bool contradicts(const json_t *file, const json_t *flag)
{
	const char *key;
	json_t *value;

	if (!json_is_object(file) || !json_is_object(flag))
		return json_typeof(file) != json_typeof(flag);
	json_object_foreach ((json_t *)flag, key, value) {
		json_t *own = json_object_get(file, key);
		if (own && !json_equal(own, value))
			return true;
	}
	return false;
}

/* Whether systemd's socket unit is known to listen at this very place. */
static bool is_activated_socket(const struct facts *facts, const json_t *item)
{
	static const char scheme[] = "unix://", old[] = "/var/run/";
	const char *text = json_string_value(item);

	if (!text || !text_starts_with(text, scheme))
		return false;
	const char *path = text[strlen(scheme)] ? text + strlen(scheme) : "/run/docker.sock";
	for (size_t i = 0; i < facts->unit.socket_listen.count; i++) {
		const char *listens = facts->unit.socket_listen.items[i];
		/* /var/run is a link to /run. */
		size_t skip = text_starts_with(path, old) ? strlen("/var") : 0;
		size_t skip_other = text_starts_with(listens, old) ? strlen("/var") : 0;
		if (strcmp(path + skip, listens + skip_other) == 0)
			return true;
	}
	return false;
}

static bool has_activation(const json_t *hosts)
{
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		const char *text = json_string_value(json_array_get(hosts, i));
		if (text && (text_starts_with(text, "fd://") || strcmp(text, "fd") == 0))
			return true;
	}
	return false;
}

/* Both lists in one. Of the places to listen at, the socket that systemd holds stands in front, and
 * that same socket is not opened a second time: dockerd would put one of its own in its place. */
static json_t *merge_lists(const struct facts *facts, const struct option *option,
			   const json_t *file, const json_t *flag)
{
	bool hosts = strcmp(option->key, "hosts") == 0;
	bool activated = hosts && (has_activation(file) || has_activation(flag));
	const json_t *parts[] = {hosts ? flag : file, hosts ? file : flag};
	json_t *merged = json_array();

	for (size_t p = 0; p < array_size(parts); p++)
		for (size_t i = 0; i < json_array_size(parts[p]); i++) {
			json_t *item = json_array_get(parts[p], i);
			if (array_has(merged, item) ||
			    (activated && is_activated_socket(facts, item)))
				continue;
			if (json_array_append(merged, item) < 0) {
				json_decref(merged);
				return NULL;
			}
		}
	return merged;
}

/* What the file and the flag say together, as a new reference; a member that both have is the
 * file's. NULL when out of memory. */
static json_t *merge(const struct facts *facts, const struct option *option, const json_t *file,
		     const json_t *flag)
{
	if (option->type == OPTION_LIST)
		return merge_lists(facts, option, file, flag);
	json_t *merged = json_deep_copy(file);
	if (merged && json_object_update_missing(merged, (json_t *)flag) < 0) {
		json_decref(merged);
		return NULL;
	}
	return merged;
}

/* The value of a key in the file as far as it is decided; borrowed, NULL for none and for null. */
static json_t *file_value(const struct judgement *judgement, const struct option *option)
{
	json_t *value = json_object_get(judgement->intended, option->key);

	return json_is_null(value) ? NULL : value;
}

static bool is_given_twice(const struct judgement *judgement, const struct option *option)
{
	return plan_unit_gives(judgement, option) && option->key &&
	       !option_merges(option, judgement->configuration->version) &&
	       file_value(judgement, option);
}

int plan_unit_settle_value(const struct judgement *judgement, const struct profile_row *row,
			   const struct option *option, json_t **value, bool *ret_twice,
			   struct error *error)
{
	json_auto_t *flag = NULL;
	json_t *file = option && option->key ? file_value(judgement, option) : NULL;

	*ret_twice = option && is_given_twice(judgement, option);
	if (!*ret_twice || strcmp(row->key, option->key) != 0)
		return 0;
	int r = flags_value(&judgement->configuration->flags, option, &flag, NULL, error);
	if (r < 0)
		return r;
	json_t *settled = NULL;
	if (is_collection(option) && !contradicts(file, flag))
		settled = merge(judgement->facts, option, file, flag);
	else if (!is_collection(option) && !value_complies(row, file) && value_complies(row, flag))
		settled = json_incref(flag);
	else
		settled = json_incref(file);
	if (!settled)
		return error_set_oom(error);
	json_decref(*value);
	*value = settled;
	return 0;
}

/* --- taking it out -------------------------------------------------------------------------------
 */

/* All flags that give one of the options, in the order of the command line. */
static const struct flag **collect_flags(const struct flags *flags, const struct taken *taken,
					 size_t *ret_count)
{
	const struct flag **found =
		calloc(flags->count + flags->problem_count + 1, sizeof(const struct flag *));
	size_t count = 0;

	for (size_t i = 0; found && i < flags->count; i++)
		if (taken_has(taken, flags->items[i].option))
			found[count++] = &flags->items[i];
	for (size_t i = 0; found && i < flags->problem_count; i++)
		if (flags->problems[i].gone.option &&
		    taken_has(taken, flags->problems[i].gone.option))
			found[count++] = &flags->problems[i].gone;
	*ret_count = count;
	return found;
}

int plan_unit_edit(const struct facts *facts, const struct configuration *configuration,
		   const struct taken *taken, struct unitedit *ret, struct error *error)
{
	size_t count = 0;
	cleanup_free const struct flag **flags =
		collect_flags(&configuration->flags, taken, &count);

	if (!flags)
		return error_set_oom(error);
	return count ? unitedit_take_out(&facts->unit, configuration, flags, count, ret, error) : 0;
}

/* Why the flags of one option cannot be taken out; NULL in *ret when they can. */
static int find_obstacle(const struct judgement *judgement, const struct option *option, char **ret,
			 struct error *error)
{
	cleanup_unitedit struct unitedit edit = {.obstacle = NULL};
	const struct option *items[] = {option};
	const struct taken taken = {.items = items, .count = 1};

	int r = plan_unit_edit(judgement->facts, judgement->configuration, &taken, &edit, error);
	if (r == 0)
		*ret = take_ptr(edit.obstacle);
	return r;
}

static const struct flag *find_flag(const struct judgement *judgement, const struct option *option)
{
	const struct flags *flags = &judgement->configuration->flags;
	const struct flag *flag = flags_find(flags, option);

	return flag ? flag : find_gone(flags, option);
}

/* What else the flags give goes into the file. */
static int move_values(struct judgement *judgement, const struct option *option,
		       struct error *error)
{
	json_auto_t *flag = NULL;
	json_auto_t *merged = NULL;
	json_t *file = option->key ? file_value(judgement, option) : NULL;

	if (!option->key || !is_collection(option))
		return 0;
	int r = flags_value(&judgement->configuration->flags, option, &flag, NULL, error);
	if (r < 0 || !flag)
		return r;
	merged = file ? merge(judgement->facts, option, file, flag) : json_incref(flag);
	if (!merged)
		return error_set_oom(error);
	if (file && json_equal(file, merged))
		return 0;
	return edits_set(&judgement->moves, &option->key, 1, merged, error);
}

static int note_obstacle(struct judgement *judgement, struct setting *setting,
			 const struct flag *flag, const char *obstacle, struct error *error)
{
	cleanup_free char *place = unitedit_place(&judgement->facts->unit, flag);

	if (!place)
		return error_set_oom(error);
	setting->state =
		judgement->facts->unit.need_daemon_reload ? SETTING_BLOCKED : SETTING_MANUAL;
	return judgement_note(
		judgement, error,
		"Set by --%s in %s. dockerd refuses to start with a setting that is a "
		"flag and in daemon.json, and harden cannot take the flag out here: %s "
		"%s",
		flag->option->flag, place, obstacle,
		setting->state == SETTING_BLOCKED ? "Then run harden again."
						  : "Take it out there, then run harden again.");
}

int plan_unit_take(struct judgement *judgement, struct setting *setting,
		   const struct option *option, struct error *error)
{
	const struct flag *flag = find_flag(judgement, option);
	cleanup_free char *obstacle = NULL;
	cleanup_free char *place = NULL;

	if (!flag || is_taken(judgement, option) ||
	    option_merges(option, judgement->configuration->version))
		return 0;
	int r = find_obstacle(judgement, option, &obstacle, error);
	if (r < 0)
		return r;
	if (obstacle)
		return note_obstacle(judgement, setting, flag, obstacle, error);
	place = unitedit_place(&judgement->facts->unit, flag);
	if (!place)
		return error_set_oom(error);
	r = move_values(judgement, option, error);
	if (r == 0)
		r = taken_add(&judgement->takes, option, error);
	/* A reload reads the file alone, and the running process still has the flag (facts c). */
	if (setting->effect == EFFECT_RELOAD || setting->effect == EFFECT_NONE)
		setting->effect = EFFECT_RESTART;
	return r < 0 ? r
		     : judgement_note(judgement, error, "--%s is taken out of %s.", option->flag,
				      place);
}

int plan_unit_mend(struct judgement *judgement, struct setting *setting,
		   const struct option *option, bool twice, struct error *error)
{
	const struct flags *flags = &judgement->configuration->flags;

	if (setting->state != SETTING_OK || !option || is_taken(judgement, option))
		return 0;
	bool gone = strcmp(setting->row->key, option->key ? option->key : "") == 0 &&
		    setting->row->rule == RULE_ABSENT && find_gone(flags, option);
	if (!gone && !twice)
		return 0;
	setting->state = SETTING_CHANGE;
	int r = plan_unit_take(judgement, setting, option, error);
	if (r < 0 || setting->state != SETTING_CHANGE || gone)
		return r;
	r = judgement_note(judgement, error,
			   "It is in daemon.json as well, and dockerd does not start with both.");
	if (r == 0 && !is_collection(option) && strcmp(setting->row->key, option->key) == 0 &&
	    !json_equal(file_value(judgement, option), setting->current))
		r = judgement_set(judgement, setting, setting->current, error);
	return r;
}

/* --- settings without a row ----------------------------------------------------------------------
 */

/* Whether nothing is lost when the file's value stays, with the flag's in it. */
static bool goes_together(const struct option *option, const json_t *file, const json_t *flag)
{
	return is_collection(option) ? !contradicts(file, flag) : json_equal(file, flag);
}

/* What was noted about one option, as one sentence or two. */
static int warn_of_notes(struct judgement *judgement, bool taken, struct strlist *warnings,
			 struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < judgement->notes.count; i++)
		(void)strbuf_addf(&text, "%s%s", i ? " " : "", judgement->notes.items[i]);
	strlist_done(&judgement->notes);
	if (!text.length && !text.failed)
		return 0;
	if (taken)
		(void)strbuf_adds(&text, " It is in daemon.json as well, and dockerd does not "
					 "start with both.");
	return strlist_take(warnings, strbuf_finish(&text)) < 0 ? error_set_oom(error) : 0;
}

static int resolve_null(struct judgement *judgement, const struct option *option,
			struct error *error)
{
	return edits_remove(&judgement->edits, &option->key, 1, error);
}

static int resolve_one(struct judgement *judgement, const struct option *option,
		       struct strlist *warnings, struct error *error)
{
	json_t *file = json_object_get(judgement->intended, option->key);
	json_auto_t *flag = NULL;
	struct setting unseen = {.state = SETTING_CHANGE};

	/* With null the file says nothing; but that it is there counts (facts a.7). */
	if (json_is_null(file))
		return resolve_null(judgement, option, error);
	int r = flags_value(&judgement->configuration->flags, option, &flag, NULL, error);
	if (r < 0 || !flag || !goes_together(option, file, flag))
		return r;
	r = plan_unit_take(judgement, &unseen, option, error);
	return r < 0 ? r
		     : warn_of_notes(judgement, unseen.state == SETTING_CHANGE, warnings, error);
}

int plan_unit_resolve(struct judgement *judgement,
		      bool (*left)(const struct option *option, const void *context),
		      const void *context, struct strlist *warnings, struct error *error)
{
	const struct flags *flags = &judgement->configuration->flags;
	int r = 0;

	for (size_t i = 0; r == 0 && i < flags->count; i++) {
		const struct option *option = flags->items[i].option;
		if (!option->key || !plan_unit_gives(judgement, option) ||
		    option_merges(option, judgement->configuration->version) ||
		    !json_object_get(judgement->intended, option->key) || left(option, context))
			continue;
		r = resolve_one(judgement, option, warnings, error);
	}
	return r;
}

/* --- files ---------------------------------------------------------------------------------------
 */

static int plan_dropin(const struct facts *facts, const struct unitedit *edit, struct plan *plan,
		       struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_free char *path = NULL;
	struct planned_file *file = NULL;

	if (!edit->assignments.count)
		return 0;
	path = unitedit_dropin_path(&facts->unit);
	if (!path)
		return error_set_oom(error);
	int r = unitedit_dropin_text(edit, &text, error);
	if (r == 0)
		r = plan_add_text(plan, path, unitedit_own_dropin(&facts->unit), &text, &file,
				  error);
	/* It repeats what they say, which may hold a password. */
	for (size_t i = 0; r == 0 && i < facts->unit.text_count; i++)
		if (facts->unit.texts[i].state == FILE_READ)
			file->mode &= facts->unit.texts[i].mode;
	return r;
}

int plan_unit_files(const struct facts *facts, const struct unitedit *edit, struct plan *plan,
		    struct error *error)
{
	int r = plan_dropin(facts, edit, plan, error);

	for (size_t i = 0; r == 0 && i < edit->file_count; i++) {
		const struct unitedit_file *edited = &edit->files[i];
		const struct text_file *before = &facts->unit.environment_files[edited->index].file;
		r = plan_add_text(plan, before->path, before, &edited->text, NULL, error);
	}
	if (r == 0 && strlist_add_all(&plan->command_line, &edit->words) < 0)
		r = error_set_oom(error);
	return r;
}

int plan_unit_flags_after(const struct configuration *configuration, const struct unitedit *edit,
			  struct flags *ret, struct error *error)
{
	const struct strlist *list = &edit->words;
	cleanup_words struct words words = {.items = calloc(list->count + 1, sizeof *words.items)};

	if (!words.items)
		return error_set_oom(error);
	for (; words.count < list->count; words.count++) {
		words.items[words.count].text = strdup(list->items[words.count]);
		if (!words.items[words.count].text)
			return error_set_oom(error);
	}
	return flags_parse(&words, configuration->version, ret, error);
}

int plan_unit_obstacles(const struct facts *facts, struct plan *plan, struct error *error)
{
	const struct unit_facts *unit = &facts->unit;

	for (size_t i = 0; i < unit->environment_file_count; i++) {
		const struct environment_file *file = &unit->environment_files[i];
		if (file->optional || file->file.state != FILE_ABSENT)
			continue;
		if (strlist_addf(
			    &plan->obstacles,
			    "%s: it is an EnvironmentFile= of %s and is not there, so systemd "
			    "does not start dockerd. Create it, or write \"-\" in front of its "
			    "name.",
			    file->file.path, unit->name ? unit->name : "the unit") < 0)
			return error_set_oom(error);
	}
	return 0;
}
