#include "core/logdriver.h"

#include <string.h>

#include "core/logopts.h"

/* dockerd does not start with a log-opt that the default driver does not know (facts b.6),
 * so those of the former driver leave together with it. */
static int drop_log_opts(struct judgement *judgement, struct setting *setting, struct error *error)
{
	json_t *options = json_object_get(judgement->intended, "log-opts");
	const json_t *after = setting->state == SETTING_CHANGE ? setting->wanted : setting->current;
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

/* The same options as flags are out of reach of daemon.json. */
static int check_log_opt_flags(struct judgement *judgement, struct setting *setting,
			       struct error *error)
{
	const struct option *option = option_by_key("log-opts");
	json_t *options = NULL;
	const char *name;
	json_t *value;

	if (setting->state != SETTING_CHANGE || !json_is_string(setting->wanted))
		return 0;
	int r = flags_value(&judgement->configuration->flags, option, &options, NULL, error);
	if (r < 0)
		return r;
	json_object_foreach (options, name, value) {
		if (log_opt_is_accepted(json_string_value(setting->wanted), name,
					judgement->configuration->version))
			continue;
		setting->state = SETTING_MANUAL;
		r = judgement_note(
			judgement, error,
			"--log-opt %s on dockerd's command line is not for the driver %s, and "
			"dockerd would not start: take it out there, then run harden again.",
			name, json_string_value(setting->wanted));
		break;
	}
	json_decref(options);
	return r;
}

int judge_log_opts(struct judgement *judgement, struct setting *setting, struct error *error)
{
	int r = check_log_opt_flags(judgement, setting, error);

	return r < 0 ? r : drop_log_opts(judgement, setting, error);
}
