#include "core/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/jsontext.h"
#include "core/judgement.h"
#include "core/rules.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[VERDICT_COUNT] = {
		[VERDICT_PASS] = "pass",
		[VERDICT_FAIL] = "fail",
		[VERDICT_MANUAL] = "manual",
		[VERDICT_WAIVED] = "waived",
		[VERDICT_NOT_APPLICABLE] = "not-applicable",
	};

	return names[verdict];
}

const char *check_number(const struct profile_row *row, const char *benchmark,
			 char ret[static CHECK_NUMBER_SIZE])
{
	size_t newest = CIS_BENCHMARKS;

	while (newest > 0 && !row->cis[newest - 1])
		newest--;
	const char *number = benchmark ? profile_row_cis(row, benchmark)
			     : newest  ? row->cis[newest - 1]
				       : NULL;
	bool older = !benchmark && number && newest < CIS_BENCHMARKS;
	(void)snprintf(ret, CHECK_NUMBER_SIZE, "%s%s%s", older ? cis_benchmarks[newest - 1] : "",
		       older ? ": " : "", number ? number : "");
	return ret;
}

void check_done(struct check *check)
{
	for (size_t i = 0; i < check->count; i++) {
		json_decref(check->rows[i].file);
		json_decref(check->rows[i].flag);
		json_decref(check->rows[i].in_force);
	}
	free(check->rows);
	strlist_done(&check->obstacles);
	strlist_done(&check->warnings);
	*check = (struct check){.rows = NULL};
}

bool check_complies(const struct check *check)
{
	return check->counts[VERDICT_FAIL] == 0 && !check->obstacles.count;
}

static enum verdict verdict_of(const struct setting *setting)
{
	switch (setting->state) {
	case SETTING_OK:
	case SETTING_APPLIED:
		return VERDICT_PASS;
	case SETTING_SKIPPED:
		return setting->skip_cause == SKIP_DOES_NOT_APPLY ? VERDICT_NOT_APPLICABLE
								  : VERDICT_WAIVED;
	case SETTING_MANUAL:
		return setting->row->rule == RULE_PRESENT ? VERDICT_MANUAL : VERDICT_FAIL;
	case SETTING_CHANGE:
	case SETTING_HELD:
	case SETTING_BLOCKED:
	case SETTING_PENDING:
	default:
		return VERDICT_FAIL;
	}
}

/* A member of a member …, as a new reference; NULL where there is none. */
static json_t *value_at(json_t *value, const struct strlist *path, size_t from)
{
	for (size_t i = from; value && i < path->count; i++)
		value = json_object_get(value, path->items[i]);
	return value ? json_incref(value) : NULL;
}

static unsigned line_of(const struct facts *facts, const struct strlist *path)
{
	const struct jsontext_path keys = {(const char *const *)path->items, path->count};
	const struct text_file *config = &facts->config;
	struct jsontext_member member;
	unsigned line = 0;
	unsigned column = 0;

	if (config->state != FILE_READ || jsontext_is_blank(config->data, config->length) ||
	    !jsontext_find(config->data, config->length, &keys, &member))
		return 0;
	text_position(config->data, config->length, member.key.start, &line, &column);
	return line;
}

static int read_values(const struct facts *facts, const struct plan *plan, struct check_row *row,
		       struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	const struct configuration *configuration = &plan->configuration;
	json_auto_t *flag = NULL;

	int r = setting_path(row->setting->row->key, &path, error);
	if (r < 0)
		return r;
	const struct option *option = option_by_key(path.items[0]);
	if (option)
		r = flags_value(&configuration->flags, option, &flag, NULL, error);
	if (r < 0)
		return r;
	row->file = value_at(configuration->document, &path, 0);
	row->flag = value_at(flag, &path, 1);
	row->in_force = row->setting->in_force ? json_incref(row->setting->in_force) : NULL;
	row->path = facts->config.path;
	row->line = row->file ? line_of(facts, &path) : 0;
	return 0;
}

/* The first file that is wrong, or else the first of its kind. */
static void read_file_row(const struct facts *facts, struct check_row *row)
{
	const struct profile_row *wanted = row->setting->row;

	row->path = facts->config.path;
	row->in_force =
		json_is_null(row->setting->current) ? NULL : json_incref(row->setting->current);
	for (size_t i = facts->file_count; i > 0; i--) {
		const struct file_facts *file = &facts->files[i - 1];
		if (text_equal(file->role, wanted->role) && file->exists == YES)
			row->path = file->path;
	}
	for (size_t i = facts->file_count; i > 0; i--) {
		const struct file_facts *file = &facts->files[i - 1];
		if (text_equal(file->role, wanted->role) && !file_complies(wanted, file))
			row->path = file->path;
	}
}

/* A daemon that runs may do so with an older configuration than the one that is there now. */
static int collect_obstacles(const struct plan *plan, struct check *check, struct error *error)
{
	const struct findings *findings = &plan->configuration.findings;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].fatal &&
		    strlist_addf(&check->obstacles, "%s: %s", findings->items[i].key,
				 findings->items[i].text) < 0)
			return error_set_oom(error);
	return 0;
}

static int collect_warnings(const struct facts *facts, const struct plan *plan, struct check *check,
			    struct error *error)
{
	bool silent = facts->daemon != DAEMON_RUNNING || !facts->info;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->warnings.count; i++)
		r = strlist_add(&check->warnings, plan->warnings.items[i]);
	if (r == 0 && silent)
		r = strlist_addf(
			&check->warnings,
			"%s, so nothing is known to be in force: the verdicts rest on what "
			"is configured.",
			facts->daemon == DAEMON_RUNNING ? "The daemon was not heard"
							: "No dockerd runs");
	return r < 0 ? error_set_oom(error) : 0;
}

int check_build(const struct facts *facts, const struct plan *plan, struct check *ret,
		struct error *error)
{
	struct check check = {
		.rows = calloc(plan->setting_count + 1, sizeof *check.rows),
	};
	int r = check.rows ? 0 : error_set_oom(error);

	for (size_t i = 0; r == 0 && i < plan->setting_count; i++) {
		const struct setting *setting = &plan->settings[i];

		if (setting->state == SETTING_SKIPPED && setting->skip_cause == SKIP_ONLY)
			continue;
		struct check_row *row = &check.rows[check.count++];
		row->setting = setting;
		row->verdict = verdict_of(setting);
		check.counts[row->verdict]++;
		if (setting->row->rule == RULE_FILE)
			read_file_row(facts, row);
		else
			r = read_values(facts, plan, row, error);
	}
	if (r == 0)
		r = collect_obstacles(plan, &check, error);
	if (r == 0)
		r = collect_warnings(facts, plan, &check, error);
	if (r < 0)
		check_done(&check);
	else
		*ret = check;
	return r;
}
