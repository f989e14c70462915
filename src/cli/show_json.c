#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "core/mask.h"

json_t *show_text_json(const char *text)
{
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;

	if (!text)
		return json_null();
	/* Names of files may hold any bytes; JSON takes only UTF-8. */
	if (utf8_is_valid(text, strlen(text), NULL))
		return json_string(text);
	(void)text_add_printable(&printable, text, strlen(text), true);
	return json_string(printable.data ? printable.data : "");
}

json_t *show_error_json(const struct error *error)
{
	char text[sizeof *error];

	return show_text_json(error->code ? error_format(error, text, sizeof text) : NULL);
}

static json_t *tristate_or_null(enum tristate value)
{
	return value == UNKNOWN ? json_null() : json_boolean(value == YES);
}

static json_t *count_or_null(int64_t count)
{
	return count < 0 ? json_null() : json_integer(count);
}

json_t *show_list_json(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array, show_text_json(list->items[i]));
	return array;
}

json_t *show_host_json(const struct facts *facts)
{
	static const char *const states[] = {
		[DAEMON_ABSENT] = "absent",
		[DAEMON_STOPPED] = "stopped",
		[DAEMON_RUNNING] = "running",
	};
	json_t *live = json_object_get(facts->info, "LiveRestoreEnabled");
	char version[DOCKERVER_TEXT_SIZE];
	const char *version_text = facts->version_text;

	if (!version_text && dockerver_known(facts->version))
		version_text = dockerver_format(facts->version, version);
	return json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "docker_version",
		show_text_json(version_text), "daemon", states[facts->daemon], "unit",
		show_text_json(facts->unit.name), "config_file", show_text_json(facts->config.path),
		"data_root", show_text_json(facts->data_root.path), "containers_running",
		count_or_null(facts->data_root.containers_running), "images",
		count_or_null(facts->data_root.images), "swarm", tristate_or_null(facts->swarm),
		"live_restore", live ? json_incref(live) : json_null());
}

json_t *show_cis_json(const struct profile_row *row)
{
	json_t *numbers = json_object();

	for (size_t i = 0; i < CIS_BENCHMARKS; i++)
		if (row->cis[i])
			(void)json_object_set_new(numbers, cis_benchmarks[i],
						  json_string(row->cis[i]));
	return numbers;
}

json_t *show_masked_json(const char *key, const json_t *value)
{
	return value ? mask_json(key, value) : json_null();
}

static json_t *setting_json(const struct setting *setting)
{
	const char *key = setting->row->key;

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o}", "key", key,
			 "title", setting->row->title, "cis", show_cis_json(setting->row), "state",
			 setting_state_name(setting->state), "current",
			 mask_json(key, setting->current), "source",
			 value_source_name(setting->source), "wanted",
			 mask_json(key, setting->wanted), "in_force",
			 show_masked_json(key, setting->in_force), "effect",
			 effect_name(setting->effect), "reason", show_text_json(setting->reason),
			 "uncovered", show_list_json(&setting->uncovered));
}

json_t *show_file_json(const char *path, enum file_action action, const char *diff)
{
	return json_pack("{s:o, s:s, s:o}", "path", show_text_json(path), "action",
			 file_action_name(action), "diff", show_text_json(diff ? diff : ""));
}

json_t *show_listener_json(const char *unit, const char *address)
{
	if (!unit)
		return json_null();
	return json_pack("{s:o, s:o}", "unit", show_text_json(unit), "address",
			 show_text_json(address));
}

static json_t *file_json(const struct planned_file *file)
{
	return show_file_json(file->path, file->action, file->diff);
}

json_t *show_plan_json(const char *command, const struct plan *plan, const struct facts *facts)
{
	json_t *document = document_start(command);
	json_t *settings = json_array();
	json_t *files = json_array();
	bool fine = true;

	for (size_t i = 0; i < plan->setting_count; i++)
		fine &= json_array_append_new(settings, setting_json(&plan->settings[i])) == 0;
	for (size_t i = 0; i < plan->file_count; i++)
		fine &= json_array_append_new(files, file_json(&plan->files[i])) == 0;
	fine &= json_object_set_new(document, "host", show_host_json(facts)) == 0;
	fine &= json_object_set_new(document, "profile", json_string(plan->profile.name)) == 0;
	fine &= json_object_set_new(document, "settings", settings) == 0;
	fine &= json_object_set_new(document, "files", files) == 0;
	fine &= json_object_set_new(document, "action",
				    json_string(plan_action_name(plan->action))) == 0;
	fine &= json_object_set_new(
			document, "listener",
			show_listener_json(plan->listener.unit, plan->listener.address)) == 0;
	fine &= json_object_set_new(document, "stops", show_list_json(&plan->stopped)) == 0;
	fine &= json_object_set_new(document, "warnings", show_list_json(&plan->warnings)) == 0;
	fine &= json_object_set_new(document, "obstacles", show_list_json(&plan->obstacles)) == 0;
	if (fine)
		return document;
	json_decref(document);
	return NULL;
}

/* ---- check ---- */

static json_t *check_row_json(const struct check_row *row)
{
	const struct setting *setting = row->setting;
	const char *key = setting->row->key;
	json_t *object = setting_json(setting);
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:s, s:o}", "file", show_masked_json(key, row->file), "flag",
		show_masked_json(key, row->flag), "in_force", show_masked_json(key, row->in_force),
		"verdict", verdict_name(row->verdict), "waived_until",
		show_text_json(setting->waived_until));

	if (object && more && json_object_update(object, more) == 0) {
		json_decref(more);
		return object;
	}
	json_decref(more);
	json_decref(object);
	return NULL;
}

json_t *show_check_json(const struct check *check, const struct plan *plan,
			const struct facts *facts, const struct options *options)
{
	json_t *document = document_start("check");
	json_t *settings = json_array();
	bool fine = true;

	for (size_t i = 0; i < check->count; i++)
		fine &= json_array_append_new(settings, check_row_json(&check->rows[i])) == 0;
	fine &= json_object_set_new(document, "host", show_host_json(facts)) == 0;
	fine &= json_object_set_new(document, "profile", json_string(plan->profile.name)) == 0;
	fine &= json_object_set_new(document, "benchmark", show_text_json(options->benchmark)) == 0;
	fine &= json_object_set_new(document, "settings", settings) == 0;
	fine &= json_object_set_new(document, "warnings", show_list_json(&check->warnings)) == 0;
	fine &= json_object_set_new(document, "obstacles", show_list_json(&check->obstacles)) == 0;
	fine &= json_object_set_new(document, "compliant", json_boolean(check_complies(check))) ==
		0;
	if (fine)
		return document;
	json_decref(document);
	return NULL;
}
