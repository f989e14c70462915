#include "core/rules.h"

#include <string.h>

#include "base/text.h"
#include "core/guards.h"
#include "core/live.h"
#include "core/logdriver.h"
#include "core/plan_unit.h"
#include "core/socketunit.h"
#include "core/storage.h"
#include "core/syslog.h"
#include "core/ulimits.h"

/* --- values
 * ------------------------------------------------------------------------------------------ */

static int judge_value(struct judgement *judgement, struct setting *setting, struct error *error)
{
	judgement->complies = value_complies(setting->row, setting->current);
	if (judgement->complies)
		return 0;
	return judgement_set(judgement, setting, setting->row->wanted, error);
}

static int judge_absent(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct profile_row *row = setting->row;

	judgement->complies =
		row->refuses ? !array_has(row->refuses, setting->current)
			     : setting->source == SOURCE_DEFAULT || holds_nothing(setting->current);
	if (judgement->complies)
		return 0;
	return judgement_remove(judgement, setting, error);
}

static int judge_present(struct judgement *judgement, struct setting *setting, struct error *error)
{
	(void)error;
	judgement->complies = !holds_nothing(setting->current);
	if (!judgement->complies)
		setting->state = SETTING_MANUAL;
	return 0;
}

static bool starts_with_one_of(const char *text, const json_t *prefixes)
{
	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *prefix = json_string_value(json_array_get(prefixes, i));
		if (prefix && text_starts_with(text, prefix))
			return true;
	}
	return false;
}

static int judge_without(struct judgement *judgement, struct setting *setting, struct error *error)
{
	json_t *kept = json_array();
	int r = kept ? 0 : error_set_oom(error);

	for (size_t i = 0; r == 0 && i < json_array_size(setting->current); i++) {
		json_t *item = json_array_get(setting->current, i);
		const char *text = json_string_value(item);
		if (text && starts_with_one_of(text, setting->row->refuses))
			continue;
		if (json_array_append(kept, item) < 0)
			r = error_set_oom(error);
	}
	judgement->complies = json_array_size(kept) == json_array_size(setting->current);
	if (r == 0 && !judgement->complies) {
		json_decref(setting->wanted);
		setting->wanted = json_incref(kept);
		r = json_array_size(kept) ? judgement_set(judgement, setting, kept, error)
					  : judgement_remove(judgement, setting, error);
	}
	json_decref(kept);
	return r;
}

/* --- TCP listeners
 * --------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
	const char *address = strstr(host, "://");

	address = address ? address + 3 : host;
	return text_starts_with(address, "127.") || text_starts_with(address, "localhost") ||
	       text_starts_with(address, "[::1]");
}

static bool is_tcp(const char *host)
{
	return text_starts_with(host, "tcp://") || !strstr(host, "://");
}

static int judge_tls_hosts(struct judgement *judgement, struct setting *setting,
			   struct error *error)
{
	const char *open_host = NULL;
	const char *loopback = NULL;
	bool verified = false;

	int r = judgement_intends(judgement, "tlsverify", true, &verified, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(setting->current); i++) {
		const char *host = json_string_value(json_array_get(setting->current, i));
		if (!host || !is_tcp(host) || verified)
			continue;
		*(is_loopback(host) ? &loopback : &open_host) = host;
	}
	judgement->complies = !open_host;
	if (open_host) {
		setting->state = SETTING_MANUAL;
		return judgement_note(
			judgement, error,
			"%s takes commands from the network without TLS: whoever reaches it is "
			"root here. Remove it, or give tlsverify, tlscacert, tlscert and tlskey.",
			open_host);
	}
	if (loopback)
		return judgement_note(judgement, error,
				      "%s has no TLS: every user and every container in the host's "
				      "network is root here.",
				      loopback);
	return 0;
}

/* --- owner and mode of files
 * ------------------------------------------------------------------------ */

bool file_complies(const struct profile_row *row, const struct file_facts *file)
{
	return file->exists != YES ||
	       ((file->mode & ~row->mode & 07777) == 0 && text_equal(file->owner, row->owner));
}

/* What can be given to a file from here. Returns false, with the state and the reason set, for what
 * cannot. */
static int check_files(struct judgement *judgement, struct setting *setting, bool movable,
		       struct error *error)
{
	if (strcmp(setting->row->owner, "root:root") != 0) {
		setting->state = SETTING_MANUAL;
		return judgement_note(judgement, error,
				      "harden gives files to root:root only: chown it to %s.",
				      setting->row->owner);
	}
	if (movable)
		return 0;
	setting->state = SETTING_BLOCKED;
	return judgement_note(judgement, error,
			      "It is on a file system that is mounted read-only: correct it where "
			      "that is built, or mount it writable.");
}

static int judge_file(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct facts *facts = judgement->facts;
	const struct profile_row *row = setting->row;
	json_t *wrong = json_array();
	bool seen = false;
	bool movable = false;
	int r = wrong ? 0 : error_set_oom(error);

	for (size_t i = 0; r == 0 && i < facts->file_count; i++) {
		const struct file_facts *file = &facts->files[i];
		if (!text_equal(file->role, row->role) || file->exists != YES)
			continue;
		seen = true;
		movable |= !file_complies(row, file) && !file->fixed;
		if (!file_complies(row, file) &&
		    json_array_append_new(wrong, json_sprintf("%s %s %04o", file->path, file->owner,
							      file->mode)) < 0)
			r = error_set_oom(error);
	}
	judgement->complies = json_array_size(wrong) == 0;
	json_decref(setting->current);
	if (!judgement->complies)
		setting->current = json_incref(wrong);
	else
		setting->current = seen ? json_incref(setting->wanted) : json_null();
	setting->source = SOURCE_UNIT;
	setting->effect = EFFECT_NONE;
	json_decref(wrong);
	return r < 0 || judgement->complies ? r : check_files(judgement, setting, movable, error);
}

static int judge_any_file(struct judgement *judgement, struct setting *setting, struct error *error)
{
	return strcmp(setting->row->role, ROLE_DOCKER_SOCK) == 0
		       ? judge_socket(judgement, setting, error)
		       : judge_file(judgement, setting, error);
}

/* --- the judgement of a row
 * ---------------------------------------------------------------------------- */

typedef int (*rule)(struct judgement *judgement, struct setting *setting, struct error *error);

static rule rule_for(enum rule_kind kind)
{
	static const rule rules[] = {
		[RULE_VALUE] = judge_value,         [RULE_ABSENT] = judge_absent,
		[RULE_PRESENT] = judge_present,     [RULE_WITHOUT] = judge_without,
		[RULE_ULIMITS] = judge_ulimits,     [RULE_STORAGE_DRIVER] = judge_storage_driver,
		[RULE_TLS_HOSTS] = judge_tls_hosts, [RULE_FILE] = judge_any_file,
	};

	return rules[kind];
}

static int read_values(struct judgement *judgement, struct setting *setting,
		       const struct flag **ret_flag, bool *ret_twice, struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};

	setting->wanted = json_incref(setting->row->wanted);
	if (setting->row->rule == RULE_FILE) {
		json_decref(setting->wanted);
		setting->wanted = json_sprintf("%s %04o", setting->row->owner, setting->row->mode);
		setting->current = json_null();
		return setting->wanted ? 0 : error_set_oom(error);
	}
	int r = setting_path(setting->row->key, &path, error);
	if (r < 0)
		return r;
	const char *const *keys = (const char *const *)path.items;
	const struct option *option = option_by_key(keys[0]);
	setting->effect =
		option ? option_effect(option, judgement->configuration->version) : EFFECT_RESTART;
	setting->in_force = live_value(judgement->facts, keys, path.count);
	r = configuration_value(judgement->configuration, keys, path.count, &setting->current,
				&setting->source, ret_flag, error);
	return r < 0 ? r
		     : plan_unit_settle_value(judgement, setting->row, option, &setting->current,
					      ret_twice, error);
}

/* Why a daemon does not have what is configured. dockerd keeps the network as it is when containers
 * run while it starts (facts b.2). */
static const char *lag_text(enum effect effect)
{
	if (effect == EFFECT_RELOAD)
		return "it was not reloaded since";
	return effect == EFFECT_CONTAINERS
		       ? "it was not restarted since, or containers ran when it was"
		       : "it was not restarted since";
}

/* What is configured already may not be in force. */
static int judge_lag(struct judgement *judgement, struct setting *setting, struct error *error)
{
	if (setting->state != SETTING_OK || !setting->in_force ||
	    setting->row->rule == RULE_STORAGE_DRIVER ||
	    live_agrees(setting->row->key, setting->current, setting->in_force))
		return 0;
	setting->state = SETTING_CHANGE;
	/* A reload reads the file alone (facts c). */
	if (setting->effect == EFFECT_RELOAD && setting->source != SOURCE_FILE)
		setting->effect = EFFECT_RESTART;
	int r = judgement_note(judgement, error,
			       "It is configured, but the running daemon does not have it: %s.",
			       lag_text(setting->effect));
	bool waits = setting->effect == EFFECT_CONTAINERS &&
		     judgement->facts->data_root.containers_running > 0 &&
		     !judgement->options->restart_containers;
	return r < 0 || !waits
		       ? r
		       : judgement_note(
				 judgement, error,
				 "To have it in force, with the containers stopped and started "
				 "again: harden apply --containers restart.");
}

/* What complies is wanted as it is, also where something has to be done to have it in force. */
static void want_what_complies(const struct judgement *judgement, struct setting *setting)
{
	if (!judgement->complies || setting->state != SETTING_CHANGE || !setting->current ||
	    json_is_null(setting->current))
		return;
	json_incref(setting->current);
	json_decref(setting->wanted);
	setting->wanted = setting->current;
}

int rule_judge(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const struct flag *flag = NULL;
	bool twice = false;

	int r = read_values(judgement, setting, &flag, &twice, error);
	setting->state = SETTING_CHANGE;
	if (r == 0)
		r = rule_for(setting->row->rule)(judgement, setting, error);
	if (r < 0)
		return r;
	if (judgement->complies)
		setting->state = SETTING_OK;
	if (setting->state == SETTING_CHANGE)
		r = guards_run(judgement, setting, flag, error);
	if (r == 0)
		r = plan_unit_mend(judgement, setting, setting_option(setting), twice, error);
	if (r == 0)
		r = judge_syslog(judgement, setting, error);
	want_what_complies(judgement, setting);
	if (r == 0 && strcmp(setting->row->key, "log-driver") == 0)
		r = judge_log_opts(judgement, setting, error);
	setting->rewrites = setting->state == SETTING_CHANGE;
	if (r == 0)
		r = judge_lag(judgement, setting, error);
	want_what_complies(judgement, setting);
	return r;
}
