#include "core/logdriver.h"

#include <string.h>

#include "core/logopts.h"
#include "core/plan_unit.h"

/* What log-opts will be: with those that move there from flags. Borrowed. */
static json_t *options_in_file(const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->moves.count; i++)
		if (strcmp(judgement->moves.items[i].path.items[0], "log-opts") == 0)
			return judgement->moves.items[i].value;
	return json_object_get(judgement->intended, "log-opts");
}

static const json_t *driver_after(const struct judgement *judgement, const struct setting *setting)
{
	bool changes = setting->state == SETTING_CHANGE && !judgement->complies;

	return changes ? setting->wanted : setting->current;
}

/* dockerd does not start with a log-opt that the default driver does not know (facts b.6),
 * so those of the former driver leave together with it. */
static int drop_log_opts(struct judgement *judgement, struct setting *setting, struct error *error)
{
	json_t *options = options_in_file(judgement);
	const json_t *after = driver_after(judgement, setting);
	cleanup_strbuf struct strbuf dropped = STRBUF_EMPTY;
	size_t count = 0;
	const char *name;
	json_t *value;
	int r = 0;

	bool decided = setting->state == SETTING_CHANGE || setting->state == SETTING_OK;
	if (!decided || !json_is_string(after) || !json_is_object(options))
		return 0;
	json_object_foreach (options, name, value) {
		const char *path[] = {"log-opts", name};
		if (log_opt_is_accepted(json_string_value(after), name,
					judgement->configuration->version))
			continue;
		(void)strbuf_addf(&dropped, "%s%s", count++ ? ", " : "", name);
		if (r == 0)
			r = edits_remove(&judgement->edits, path, 2, error);
	}
	if (r < 0 || !count)
		return r;
	if (count == json_object_size(options)) {
		const char *path[] = {"log-opts"};
		r = edits_remove(&judgement->edits, path, 1, error);
	}
	if (setting->state == SETTING_OK)
		setting->state = SETTING_CHANGE;
	cleanup_free char *list = strbuf_finish(&dropped);
	if (r < 0 || !list)
		return r < 0 ? r : error_set_oom(error);
	return judgement_note(judgement, error,
			      "The log-opts %s %s removed: the driver %s does not know %s, and "
			      "dockerd would not start.",
			      list, count == 1 ? "is" : "are", json_string_value(after),
			      count == 1 ? "it" : "them");
}

/* Where one of the same options as flags is not for the driver, all of them move into the file,
 * where those that it does not know are dropped. */
static int take_log_opt_flags(struct judgement *judgement, struct setting *setting,
			      struct error *error)
{
	const struct option *option = option_by_key("log-opts");
	const json_t *after = driver_after(judgement, setting);
	json_auto_t *options = NULL;
	bool foreign = false;
	const char *name;
	json_t *value;

	bool decided = setting->state == SETTING_CHANGE || setting->state == SETTING_OK;
	if (!decided || !json_is_string(after) || !plan_unit_gives(judgement, option))
		return 0;
	int r = flags_value(&judgement->configuration->flags, option, &options, NULL, error);
	if (r < 0)
		return r;
	json_object_foreach (options, name, value)
		foreign |= !log_opt_is_accepted(json_string_value(after), name,
						judgement->configuration->version);
	if (!foreign)
		return 0;
	setting->state = SETTING_CHANGE;
	return plan_unit_take(judgement, setting, option, error);
}

int judge_log_opts(struct judgement *judgement, struct setting *setting, struct error *error)
{
	int r = take_log_opt_flags(judgement, setting, error);

	return r < 0 ? r : drop_log_opts(judgement, setting, error);
}
