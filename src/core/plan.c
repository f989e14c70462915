#include "core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/action.h"
#include "core/containers.h"
#include "core/jsontext.h"
#include "core/mask.h"
#include "core/plan_unit.h"
#include "core/rules.h"
#include "core/socketunit.h"
#include "core/syslog.h"

/* What one setting changes. */
struct change {
	struct edits moves; /* values that come from flags: before the edits of all settings */
	struct edits edits;
	struct taken takes;
};

static void change_done(struct change *change)
{
	edits_done(&change->moves);
	edits_done(&change->edits);
	free(change->takes.items);
	*change = (struct change){.takes = {.items = NULL}};
}

/* State of a plan while it is built. */
struct builder {
	const struct facts *facts;
	const struct plan_options *options;
	struct plan *plan;
	json_t *intended; /* daemon.json as it is to be */
	/* Of each setting, as many as there are settings; behind them what is given twice. */
	struct change *changes;
	struct edits edits;   /* all of them, in the order of the profile */
	struct taken taken;   /* options whose flags are taken out of the unit */
	struct unitedit unit; /* how */
};

const char *setting_state_name(enum setting_state state)
{
	static const char *const names[] = {
		[SETTING_OK] = "ok",           [SETTING_CHANGE] = "change",
		[SETTING_HELD] = "held",       [SETTING_BLOCKED] = "blocked",
		[SETTING_SKIPPED] = "skipped", [SETTING_MANUAL] = "manual",
		[SETTING_APPLIED] = "applied", [SETTING_PENDING] = "pending",
	};

	return names[state];
}

const char *effect_name(enum effect effect)
{
	static const char *const names[] = {
		[EFFECT_NONE] = "none",       [EFFECT_RELOAD] = "reload",
		[EFFECT_RESTART] = "restart", [EFFECT_CONTAINERS] = "containers",
		[EFFECT_DATA] = "data",
	};

	return names[effect];
}

const char *file_action_name(enum file_action action)
{
	static const char *const names[] = {
		[FILE_CREATE] = "create",
		[FILE_MODIFY] = "modify",
		[FILE_REMOVE] = "remove",
		[FILE_MODE] = "mode",
	};

	return names[action];
}

const char *plan_action_name(enum plan_action action)
{
	static const char *const names[] = {
		[ACTION_NONE] = "none",
		[ACTION_RELOAD] = "reload",
		[ACTION_RESTART] = "restart",
		[ACTION_RELOAD_RESTART] = "reload+restart",
	};

	return names[action];
}

size_t plan_count(const struct plan *plan, enum setting_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->setting_count; i++)
		count += plan->settings[i].state == state;
	return count;
}

static void setting_done(struct setting *setting)
{
	json_decref(setting->current);
	json_decref(setting->wanted);
	json_decref(setting->in_force);
	free(setting->reason);
	strlist_done(&setting->uncovered);
}

static void planned_file_done(struct planned_file *file)
{
	free(file->path);
	free(file->before);
	free(file->after);
	free(file->diff);
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->setting_count; i++)
		setting_done(&plan->settings[i]);
	free(plan->settings);
	for (size_t i = 0; i < plan->file_count; i++)
		planned_file_done(&plan->files[i]);
	free(plan->files);
	free(plan->listener.unit);
	free(plan->listener.address);
	free(plan->action_reason);
	strlist_done(&plan->stopped);
	strlist_done(&plan->warnings);
	strlist_done(&plan->obstacles);
	strlist_done(&plan->command_line);
	configuration_done(&plan->configuration);
	profile_done(&plan->profile);
	*plan = (struct plan){.settings = NULL};
}

static int warn(struct builder *builder, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int warn(struct builder *builder, struct error *error, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	return strlist_take(&builder->plan->warnings, strbuf_finish(&text)) < 0
		       ? error_set_oom(error)
		       : 0;
}

/* --- what was asked for on the command line --------------------------------------------------- */

static int unknown_setting(const struct plan *plan, const char *option, const char *key,
			   struct error *error)
{
	struct text_nearest nearest = TEXT_NEAREST_NONE;

	for (size_t i = 0; i < plan->profile.row_count; i++)
		text_nearest_offer(&nearest, key, plan->profile.rows[i].key);
	if (strcmp(option, "--accept") == 0)
		text_nearest_offer(&nearest, key, ACCEPT_RESTART);
	return error_set(error, -EINVAL, option, key, "the profile %s has no such setting%s%s%s",
			 plan->profile.name, nearest.name ? "; did you mean " : "",
			 nearest.name ? nearest.name : "", nearest.name ? "?" : "");
}

static int check_keys(const struct plan *plan, const struct plan_options *options,
		      struct error *error)
{
	for (size_t i = 0; i < options->skip_count; i++)
		if (!profile_find(&plan->profile, options->skips[i].key))
			return unknown_setting(plan, "--skip", options->skips[i].key, error);
	for (size_t i = 0; i < options->only.count; i++)
		if (!profile_find(&plan->profile, options->only.items[i]))
			return unknown_setting(plan, "--only", options->only.items[i], error);
	for (size_t i = 0; i < options->accept.count; i++)
		if (strcmp(options->accept.items[i], ACCEPT_RESTART) != 0 &&
		    !profile_find(&plan->profile, options->accept.items[i]))
			return unknown_setting(plan, "--accept", options->accept.items[i], error);
	return 0;
}

/* Members of log-opts and the like are strings for dockerd, whatever they look like. */
static bool wants_string(const struct option *option, size_t depth)
{
	return option->type == OPTION_MAP && depth == 2 && strcmp(option->key, "features") != 0;
}

static int check_want_type(const struct want *want, const struct option *option, size_t depth,
			   struct error *error)
{
	const char *expected = NULL;

	if (json_is_null(want->value))
		return 0;
	if (depth == 1 && !option_type_matches(option, want->value, &expected))
		return error_set(error, -EINVAL, "--set", want->key, "expected %s", expected);
	if (wants_string(option, depth) && !json_is_string(want->value))
		return error_set(error, -EINVAL, "--set", want->key,
				 "dockerd takes only strings here: write the value as '\"…\"'");
	return 0;
}

static int check_want(const struct plan *plan, const struct want *want, struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	char version[DOCKERVER_TEXT_SIZE];
	struct dockerver docker = plan->configuration.version;

	int r = setting_path(want->key, &path, error);
	if (r < 0)
		return r;
	const struct option *option = option_by_key(path.items[0]);
	if (!option) {
		const char *nearest = option_suggest(path.items[0], docker);
		return error_set(error, -EINVAL, "--set", want->key,
				 "dockerd has no such key in daemon.json%s%s%s",
				 nearest ? "; did you mean " : "", nearest ? nearest : "",
				 nearest ? "?" : "");
	}
	if (!option_has_key(option, docker) && !json_is_null(want->value))
		return error_set(error, -EINVAL, "--set", want->key,
				 "dockerd %s does not take this key",
				 dockerver_format(docker, version));
	return check_want_type(want, option, path.count, error);
}

static struct profile_row *find_row(struct profile *profile, const char *key)
{
	return (struct profile_row *)profile_find(profile, key);
}

static int add_wanted_row(struct profile *profile, const char *key, struct error *error)
{
	struct profile_row *rows =
		reallocarray(profile->rows, profile->row_count + 1, sizeof *rows);

	if (!rows)
		return error_set_oom(error);
	profile->rows = rows;
	struct profile_row *row = &rows[profile->row_count];
	*row = (struct profile_row){.wanted = json_null(), .rule = RULE_VALUE};
	row->key = strdup(key);
	row->title = strdup("Asked for with --set");
	row->why = strdup("Asked for with --set.");
	row->has_cis = true;
	profile->row_count++;
	return row->key && row->title && row->why ? 0 : error_set_oom(error);
}

/* --set replaces what the profile wants; exactly this value is wanted then, and no other complies.
 */
static int apply_want(struct plan *plan, const struct want *want, struct error *error)
{
	struct profile *profile = &plan->profile;
	int r = check_want(plan, want, error);

	if (r == 0 && !profile_find(profile, want->key))
		r = add_wanted_row(profile, want->key, error);
	if (r < 0)
		return r;

	struct profile_row *row = find_row(profile, want->key);
	json_decref(row->wanted);
	json_decref(row->complies);
	json_decref(row->refuses);
	row->wanted = json_incref(want->value);
	row->complies = NULL;
	row->refuses = NULL;
	row->non_empty_complies = false;
	if (row->otherwise == OTHERWISE_MANUAL)
		row->otherwise = OTHERWISE_CHANGE;
	if (json_is_null(want->value))
		row->rule = RULE_ABSENT;
	else if (row->rule != RULE_STORAGE_DRIVER)
		row->rule = RULE_VALUE;
	return 0;
}

/* --- why a setting is left alone ---------------------------------------------------------------
 */

static int skip_with(struct setting *setting, enum skip_cause cause, struct error *error,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

static int skip_with(struct setting *setting, enum skip_cause cause, struct error *error,
		     const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	free(setting->reason);
	setting->state = SETTING_SKIPPED;
	setting->skip_cause = cause;
	setting->reason = strbuf_finish(&text);
	return setting->reason ? 0 : error_set_oom(error);
}

static int apply_waiver(struct builder *builder, const struct profile_skip *waiver,
			struct setting *setting, struct error *error)
{
	const char *today = builder->facts->today;

	if (waiver->until && today && strcmp(today, waiver->until) > 0)
		return warn(builder, error,
			    "The waiver for %s ended on %s (%s): the setting is planned again.",
			    waiver->key, waiver->until, waiver->reason);
	setting->waived_until = waiver->until;
	return skip_with(setting, SKIP_WAIVER, error, "%s%s%s%s", waiver->reason,
			 waiver->until ? " (until " : "", waiver->until ? waiver->until : "",
			 waiver->until ? ")" : "");
}

static int apply_skips(struct builder *builder, struct setting *setting, struct error *error)
{
	const struct plan_options *options = builder->options;
	const struct profile *profile = &builder->plan->profile;
	const char *key = setting->row->key;
	int r = 0;

	for (size_t i = 0; i < options->skip_count; i++)
		if (strcmp(options->skips[i].key, key) == 0)
			return skip_with(setting, SKIP_OPTION, error, "%s",
					 options->skips[i].reason ? options->skips[i].reason
								  : "Left alone with --skip.");
	if (options->only.count && !strlist_contains(&options->only, key))
		return skip_with(setting, SKIP_ONLY, error, "Left out by --only.");
	for (size_t i = 0; r == 0 && i < profile->skip_count; i++)
		if (strcmp(profile->skips[i].key, key) == 0)
			r = apply_waiver(builder, &profile->skips[i], setting, error);
	return r;
}

/* --- settings ----------------------------------------------------------------------------------
 */

static char *join_notes(const struct strlist *notes)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < notes->count; i++)
		(void)strbuf_addf(&text, "%s%s", i ? " " : "", notes->items[i]);
	return strbuf_finish(&text);
}

/* Existing containers keep what they were created with, whatever the daemon has by now. */
static int list_uncovered(const struct facts *facts, struct setting *setting, struct error *error)
{
	bool concerned = setting->state == SETTING_CHANGE || setting->state == SETTING_OK ||
			 setting->state == SETTING_HELD;

	if (!concerned || !container_copies(setting->row->key))
		return 0;
	for (size_t i = 0; i < facts->container_count; i++) {
		const struct container_facts *container = &facts->container_list[i];
		if (container_covers(container, setting->row, setting->wanted))
			continue;
		if (strlist_add(&setting->uncovered, container->name) < 0)
			return error_set_oom(error);
	}
	strlist_sort(&setting->uncovered);
	return 0;
}

static struct judgement start_judgement(const struct builder *builder)
{
	return (struct judgement){
		.facts = builder->facts,
		.configuration = &builder->plan->configuration,
		.options = builder->options,
		.intended = builder->intended,
		.taken = &builder->taken,
	};
}

/* Carries out what was judged. */
static int accept_judgement(struct builder *builder, struct judgement *judgement,
			    struct change *change, struct error *error)
{
	int r = edits_apply_document(&judgement->moves, builder->intended, error);

	if (r == 0)
		r = edits_apply_document(&judgement->edits, builder->intended, error);
	if (r == 0)
		r = edits_move(&change->moves, &judgement->moves, error);
	if (r == 0)
		r = edits_move(&change->edits, &judgement->edits, error);
	for (size_t i = 0; r == 0 && i < judgement->takes.count; i++) {
		r = taken_add(&change->takes, judgement->takes.items[i], error);
		if (r == 0)
			r = taken_add(&builder->taken, judgement->takes.items[i], error);
	}
	return r;
}

static int judge_setting(struct builder *builder, struct setting *setting, struct change *change,
			 struct error *error)
{
	cleanup_judgement struct judgement judgement = start_judgement(builder);

	int r = rule_judge(&judgement, setting, error);
	if (r < 0)
		return r;
	if (judgement.notes.count || setting->state != SETTING_OK) {
		setting->reason = judgement.notes.count ? join_notes(&judgement.notes)
							: strdup(setting->row->why);
		if (!setting->reason)
			return error_set_oom(error);
	}
	r = apply_skips(builder, setting, error);
	if (r < 0 || setting->state != SETTING_CHANGE)
		return r;
	return accept_judgement(builder, &judgement, change, error);
}

/* daemon.json as it is to be, and the flags that are taken out, from the settings that are still to
 * be changed. */
static int intend(struct builder *builder, struct error *error)
{
	json_t *intended = json_deep_copy(builder->plan->configuration.document);
	int r = intended ? 0 : error_set_oom(error);

	for (size_t i = 0; r == 0 && i <= builder->plan->setting_count; i++)
		r = edits_apply_document(&builder->changes[i].moves, intended, error);
	for (size_t i = 0; r == 0 && i <= builder->plan->setting_count; i++)
		r = edits_apply_document(&builder->changes[i].edits, intended, error);
	json_decref(builder->intended);
	builder->intended = intended;
	builder->taken.count = 0;
	for (size_t i = 0; r == 0 && i <= builder->plan->setting_count; i++) {
		const struct taken *takes = &builder->changes[i].takes;
		for (size_t k = 0; r == 0 && k < takes->count; k++)
			r = taken_add(&builder->taken, takes->items[k], error);
	}
	return r;
}

/* Puts the changes of all settings together, in the order of the profile. */
static int collect_changes(struct builder *builder, struct error *error)
{
	int r = intend(builder, error);

	for (size_t i = 0; r == 0 && i <= builder->plan->setting_count; i++)
		r = edits_move(&builder->edits, &builder->changes[i].moves, error);
	for (size_t i = 0; r == 0 && i <= builder->plan->setting_count; i++)
		r = edits_move(&builder->edits, &builder->changes[i].edits, error);
	return r;
}

/* What is given twice is left alone where its setting is, and while only some are planned. Places
 * to listen at that would open the daemon to the network stay as they are: it does not start with
 * them. */
static bool is_left_alone(const struct option *option, const void *context)
{
	const struct builder *builder = context;
	const struct plan *plan = builder->plan;
	bool found = false;

	for (size_t i = 0; i < plan->setting_count; i++) {
		const struct setting *setting = &plan->settings[i];
		if (strcmp(setting->row->key, option->key) != 0)
			continue;
		found = true;
		if (setting->state == SETTING_SKIPPED ||
		    (setting->state == SETTING_MANUAL && setting->row->rule == RULE_TLS_HOSTS))
			return true;
	}
	return !found && builder->options->only.count;
}

/* The changes for them are kept behind those of the last setting. */
static int resolve_conflicts(struct builder *builder, struct error *error)
{
	cleanup_judgement struct judgement judgement = start_judgement(builder);
	struct plan *plan = builder->plan;

	int r = plan_unit_resolve(&judgement, is_left_alone, builder, &plan->warnings, error);
	return r < 0 ? r
		     : accept_judgement(builder, &judgement, &builder->changes[plan->setting_count],
					error);
}

/* Rows that depend on what others decide (the firewall, the log's address) are judged after them.
 */
static int judge_settings(struct builder *builder, struct error *error)
{
	struct plan *plan = builder->plan;
	size_t count = plan->profile.row_count;
	int r = 0;

	plan->settings = calloc(count + 1, sizeof *plan->settings);
	builder->changes = calloc(count + 1, sizeof *builder->changes);
	if (!plan->settings || !builder->changes)
		return error_set_oom(error);
	plan->setting_count = count;
	for (size_t i = 0; i < count; i++)
		plan->settings[i].row = &plan->profile.rows[i];
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; r == 0 && i < count; i++) {
			bool late =
				plan->settings[i].row->needs & (NEED_IPTABLES | NEED_SYSLOG_SOCKET);
			if (late == (pass == 1))
				r = judge_setting(builder, &plan->settings[i], &builder->changes[i],
						  error);
		}
	}
	return r;
}

/* Each option was looked at by itself; together they are one edit. */
static int plan_unit(struct builder *builder, struct error *error)
{
	struct plan *plan = builder->plan;

	int r = plan_unit_edit(builder->facts, &plan->configuration, &builder->taken,
			       &builder->unit, error);
	if (r == 0 && builder->unit.obstacle)
		return error_set(error, -EPROTO, "plan", builder->facts->unit.name, "%s",
				 builder->unit.obstacle);
	if (r == 0)
		r = plan_unit_files(builder->facts, &builder->unit, plan, error);
	return r < 0 ? r : plan_unit_obstacles(builder->facts, plan, error);
}

/* --- files -------------------------------------------------------------------------------------
 */

struct planned_file *plan_add_file(struct plan *plan)
{
	struct planned_file *files =
		reallocarray(plan->files, plan->file_count + 1, sizeof *plan->files);

	if (!files)
		return NULL;
	plan->files = files;
	files[plan->file_count] = (struct planned_file){.path = NULL};
	return &files[plan->file_count++];
}

int plan_add_text(struct plan *plan, const char *path, const struct text_file *before,
		  const struct strbuf *after, struct planned_file **ret, struct error *error)
{
	bool exists = before && before->state == FILE_READ;
	struct planned_file *file = plan_add_file(plan);

	if (!file)
		return error_set_oom(error);
	file->action = exists ? FILE_MODIFY : FILE_CREATE;
	file->uid = exists ? before->uid : 0;
	file->gid = exists ? before->gid : 0;
	file->mode = exists ? before->mode : 0644;
	file->path = strdup(path);
	file->before = exists ? strndup(before->data, before->length) : NULL;
	file->before_length = exists ? before->length : 0;
	file->after = strndup(after->data ? after->data : "", after->length);
	file->after_length = after->length;
	if (!file->path || !file->after || (exists && !file->before))
		return error_set_oom(error);
	if (ret)
		*ret = file;
	return mask_diff(file->path, file->before, file->before_length, file->after,
			 file->after_length, &file->diff, error);
}

/* dockerd before 23.0 does not read a file that starts with a byte order mark (facts a.6). */
static int drop_byte_order_mark(struct builder *builder, struct strbuf *text, struct error *error)
{
	if (dockerver_at_least(builder->plan->configuration.version, 23, 0) || text->length < 3 ||
	    memcmp(text->data, "\xEF\xBB\xBF", 3) != 0)
		return 0;
	(void)strbuf_splice(text, 0, 3, "", 0);
	return warn(builder, error,
		    "daemon.json starts with a byte order mark, which this dockerd does not read: "
		    "it is removed.");
}

/* What would keep dockerd from starting with the planned configuration, and what is worth knowing
 * about the present one. */
static int review(struct builder *builder, const char *text, size_t length, bool exists,
		  struct error *error)
{
	cleanup_findings struct findings after = {.items = NULL};
	cleanup_flags struct flags left = {.items = NULL};
	struct plan *plan = builder->plan;
	const struct findings *before = &plan->configuration.findings;
	const char *path = builder->facts->config.path;
	bool changes = builder->unit.words.count > 0;
	int r = changes ? plan_unit_flags_after(&plan->configuration, &builder->unit, &left, error)
			: 0;

	if (r == 0)
		r = findings_collect(text, length, exists,
				     jsontext_is_blank(text, length) ? NULL : builder->intended,
				     changes ? &left : &plan->configuration.flags,
				     plan->configuration.version, &after, error);

	for (size_t i = 0; r == 0 && i < after.count; i++)
		if (after.items[i].fatal &&
		    strlist_addf(&plan->obstacles, "dockerd would not start: %s: %s",
				 after.items[i].key, after.items[i].text) < 0)
			r = error_set_oom(error);
	for (size_t i = 0; r == 0 && i < before->count; i++) {
		const struct finding *finding = &before->items[i];
		/* Told with what is done about it. */
		if (finding->kind == FINDING_GIVEN_TWICE &&
		    taken_has(&builder->taken, option_by_key(finding->key)))
			continue;
		if (finding->line)
			r = warn(builder, error, "%s:%u:%u: %s: %s", path, finding->line,
				 finding->column, finding->key, finding->text);
		else
			r = warn(builder, error, "%s: %s", finding->key, finding->text);
	}
	return r;
}

/* SIGHUP takes live-restore on a swarm node, and the next start dies of it (facts b.2). */
static int review_swarm(struct builder *builder, struct error *error)
{
	static const char *const path[] = {"live-restore"};
	struct configuration later = builder->plan->configuration;
	enum value_source source;
	json_t *value = NULL;

	if (builder->facts->swarm != YES)
		return 0;
	later.document = builder->intended;
	int r = configuration_value(&later, path, 1, &value, &source, NULL, error);
	bool on = json_is_true(value);
	json_decref(value);
	if (r == 0 && on &&
	    strlist_add(&builder->plan->obstacles,
			"dockerd would not start: live-restore: it is on, and this host is a swarm "
			"node. Set it to false, or take it out.") < 0)
		r = error_set_oom(error);
	return r;
}

static int plan_config(struct builder *builder, struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct text_file *config = &builder->facts->config;
	bool exists = config->state == FILE_READ;

	if (exists && strbuf_add(&text, config->data, config->length) < 0)
		return error_set_oom(error);
	int r = drop_byte_order_mark(builder, &text, error);
	if (r == 0 && builder->edits.count)
		r = edits_apply_text(&builder->edits, &text, builder->intended, error);
	if (r < 0) {
		error_name_path(error, config->path);
		return r;
	}
	bool same = text.length == (exists ? config->length : 0) &&
		    (!text.length || memcmp(text.data, config->data, text.length) == 0);
	if (!same)
		r = plan_add_text(builder->plan, config->path, config, &text, NULL, error);
	return r < 0 ? r
		     : review(builder, text.data ? text.data : "", text.length, exists || !same,
			      error);
}

static int plan_file_mode(struct builder *builder, const struct profile_row *row,
			  const struct file_facts *facts, struct error *error)
{
	struct planned_file *file = plan_add_file(builder->plan);

	if (!file)
		return error_set_oom(error);
	file->action = FILE_MODE;
	file->path = strdup(facts->path);
	file->mode = facts->mode & row->mode;
	/* Only the socket is for another group than root's. */
	file->uid = 0;
	file->gid = text_equal(row->role, ROLE_DOCKER_SOCK)
			    ? (gid_t)builder->facts->socket_unit.wanted_gid
			    : 0;
	if (asprintf(&file->diff, "--- %s\n+++ %s\n-%s %04o\n+%s %04o\n", facts->path, facts->path,
		     facts->owner, facts->mode, row->owner, file->mode) < 0)
		file->diff = NULL;
	return file->path && file->diff ? 0 : error_set_oom(error);
}

static int plan_modes(struct builder *builder, struct error *error)
{
	const struct facts *facts = builder->facts;
	struct plan *plan = builder->plan;
	int r = 0;

	for (size_t s = 0; s < plan->setting_count; s++) {
		const struct setting *setting = &plan->settings[s];
		if (setting->row->rule != RULE_FILE || setting->state != SETTING_CHANGE)
			continue;
		if (r == 0 && text_equal(setting->row->role, ROLE_DOCKER_SOCK))
			r = socket_unit_plan(facts, setting->row, plan, error);
		for (size_t i = 0; r == 0 && i < facts->file_count; i++) {
			const struct file_facts *file = &facts->files[i];
			if (text_equal(file->role, setting->row->role) && !file->fixed &&
			    !file_complies(setting->row, file))
				r = plan_file_mode(builder, setting->row, file, error);
		}
	}
	return r;
}

/* --- what the daemon has to do -------------------------------------------------------------------
 */

static struct action_question question_of(const struct builder *builder)
{
	return (struct action_question){
		.facts = builder->facts,
		.options = builder->options,
		.configuration = &builder->plan->configuration,
		.intended = builder->intended,
		.settings = builder->plan->settings,
		.count = builder->plan->setting_count,
		.takes_flags = builder->taken.count > 0,
	};
}

static int hold(struct builder *builder, size_t index, const char *why, struct error *error)
{
	struct setting *setting = &builder->plan->settings[index];
	char *reason = NULL;

	if (asprintf(&reason, "%s%s%s", setting->reason ? setting->reason : "",
		     setting->reason ? " " : "", why) < 0)
		return error_set_oom(error);
	free(setting->reason);
	setting->reason = reason;
	setting->state = SETTING_HELD;
	change_done(&builder->changes[index]);
	return 0;
}

/* Where a restart would stop containers that nobody has consented to stop, what needs one is held,
 * and the rest goes on. What is left may still need one: a reload that would do harm. */
static int hold_what_stops(struct builder *builder, struct error *error)
{
	struct action_question question;
	struct action_answer answer;
	int r = intend(builder, error);

	question = question_of(builder);
	while (r == 0 && (action_decide(&question, &answer), answer.needs_consent)) {
		cleanup_free char *why = action_hold_text(&question, &answer);
		if (!why)
			return error_set_oom(error);
		for (size_t i = 0; r == 0 && i < question.count; i++)
			if (action_needs_restart(&question, &answer, &question.settings[i]))
				r = hold(builder, i, why, error);
		if (r == 0)
			r = intend(builder, error);
		question = question_of(builder);
	}
	return r;
}

static int name_stopped(const struct facts *facts, struct plan *plan, struct error *error)
{
	cleanup_container_refs struct container_refs up = {.items = NULL};
	int r = containers_up(facts, &up, error);

	for (size_t i = 0; r == 0 && i < up.count; i++)
		if (strlist_add(&plan->stopped, up.items[i]->name) < 0)
			r = error_set_oom(error);
	return r;
}

static int decide_action(struct builder *builder, struct error *error)
{
	struct plan *plan = builder->plan;
	struct action_question question = question_of(builder);
	struct action_answer answer;

	action_decide(&question, &answer);
	if (answer.needs_consent) {
		/* Only flags that are given twice are left: their files are put right for the next
		 * start, which need not be now. */
		question.takes_flags = false;
		action_decide(&question, &answer);
	}
	plan->action = answer.action;
	plan->release = answer.release;
	plan->stops = answer.stops;
	plan->starts = answer.starts;
	if (answer.reason) {
		plan->action_reason = strdup(answer.reason);
		if (!plan->action_reason)
			return error_set_oom(error);
	}
	int r = plan->stops ? name_stopped(builder->facts, plan, error) : 0;
	return r < 0 ? r : action_obstacles(&question, &answer, &plan->obstacles, error);
}

void plan_leave_daemon(struct plan *plan)
{
	plan->action = ACTION_NONE;
	plan->release = false;
	plan->stops = false;
	plan->starts = false;
	strlist_done(&plan->stopped);
	free(plan->action_reason);
	plan->action_reason = NULL;
}

static bool moves_data(const struct setting *setting)
{
	return setting->effect == EFFECT_DATA &&
	       (setting->state == SETTING_CHANGE || setting->state == SETTING_HELD);
}

bool plan_moves_data(const struct plan *plan)
{
	for (size_t i = 0; i < plan->setting_count; i++)
		if (moves_data(&plan->settings[i]))
			return true;
	return false;
}

/* "1.4 GB": as docker itself counts, in powers of ten. */
static void add_bytes(struct strbuf *text, int64_t bytes)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < array_size(units)) {
		value /= 1000;
		unit++;
	}
	(void)strbuf_addf(text, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

int plan_add_size(struct plan *plan, int64_t bytes, struct error *error)
{
	for (size_t i = 0; i < plan->setting_count; i++) {
		struct setting *setting = &plan->settings[i];
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

		if (!moves_data(setting))
			continue;
		(void)strbuf_addf(&text, "%s%sWhat is stored takes ",
				  setting->reason ? setting->reason : "",
				  setting->reason ? " " : "");
		if (bytes < 0)
			(void)strbuf_adds(&text,
					  "an amount of disk that dockerd did not tell in time.");
		else
			add_bytes(&text, bytes);
		if (bytes >= 0)
			(void)strbuf_adds(&text, " of disk.");
		char *reason = strbuf_finish(&text);
		if (!reason)
			return error_set_oom(error);
		free(setting->reason);
		setting->reason = reason;
	}
	return 0;
}

/* --- what else is worth saying -------------------------------------------------------------------
 */

static int collect_warnings(struct builder *builder, struct error *error)
{
	const struct facts *facts = builder->facts;
	const struct configuration *configuration = &builder->plan->configuration;
	char version[DOCKERVER_TEXT_SIZE];
	int r = 0;

	if (configuration->version_assumed)
		r = warn(builder, error,
			 "The version of Docker cannot be found out; %s is assumed. Name it with "
			 "--docker-version.",
			 dockerver_format(configuration->version, version));
	if (r == 0 && facts->pending)
		r = warn(builder, error,
			 "%s was interrupted: what is shown here is a host on the way between two "
			 "states. Run `harden recover`; the next apply does that first, too.",
			 facts->pending);
	if (r == 0 && facts->image)
		r = warn(
			builder, error,
			"An image does not tell what it will run on: that its kernel has overlayfs"
			"%s, that somebody listens on /dev/log, and that dockerd may raise its "
			"limits is assumed as of a fresh Debian with Docker. Its first start shows "
			"whether it is so: run harden there.",
			facts->br_netfilter == YES ? "" : " and br_netfilter");
	if (r == 0 && facts->unit.need_daemon_reload)
		r = warn(builder, error,
			 "%s was changed on disk and systemd has not read it since: run `systemctl "
			 "daemon-reload`, or what is shown here is the old one.",
			 facts->unit.name);
	if (r == 0 && configuration->command_line_differs)
		r = warn(builder, error,
			 "dockerd runs with another command line than its unit has now: it was not "
			 "restarted since the unit was changed.");
	for (size_t i = 0; r == 0 && i < facts->unseen.count; i++)
		r = warn(builder, error, "%s", facts->unseen.items[i]);
	return r;
}

static int build(struct builder *builder, struct error *error)
{
	struct plan *plan = builder->plan;
	const struct plan_options *options = builder->options;
	int r = configuration_read(builder->facts, &plan->configuration, error);

	for (size_t i = 0; r == 0 && i < options->want_count; i++)
		r = apply_want(plan, &options->wants[i], error);
	if (r == 0)
		r = check_keys(plan, options, error);
	if (r < 0)
		return r;

	builder->intended = json_deep_copy(plan->configuration.document);
	if (!builder->intended)
		return error_set_oom(error);
	r = judge_settings(builder, error);
	if (r == 0)
		r = hold_what_stops(builder, error);
	for (size_t i = 0; r == 0 && i < plan->setting_count; i++)
		r = list_uncovered(builder->facts, &plan->settings[i], error);
	if (r == 0)
		r = resolve_conflicts(builder, error);
	if (r == 0)
		r = collect_changes(builder, error);
	if (r == 0)
		r = collect_warnings(builder, error);
	if (r == 0)
		r = plan_unit(builder, error);
	if (r == 0)
		r = plan_config(builder, error);
	if (r == 0)
		r = syslog_plan_listener(builder->facts, plan, error);
	if (r == 0)
		r = review_swarm(builder, error);
	if (r == 0)
		r = plan_modes(builder, error);
	return r < 0 ? r : decide_action(builder, error);
}

static void builder_done(struct builder *builder)
{
	for (size_t i = 0; builder->changes && i <= builder->plan->setting_count; i++)
		change_done(&builder->changes[i]);
	free(builder->changes);
	free(builder->taken.items);
	unitedit_done(&builder->unit);
	edits_done(&builder->edits);
	json_decref(builder->intended);
}

int plan_build(const struct facts *facts, struct profile *profile,
	       const struct plan_options *options, struct plan *ret, struct error *error)
{
	cleanup_plan struct plan plan = {.profile = *profile};
	struct builder builder = {.facts = facts, .options = options, .plan = &plan};

	*profile = (struct profile){.name = NULL};
	int r = build(&builder, error);
	builder_done(&builder);
	if (r < 0)
		return r;
	*ret = plan;
	plan = (struct plan){.settings = NULL};
	return 0;
}
