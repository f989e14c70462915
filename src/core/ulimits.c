#include "core/ulimits.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/flags.h"

/* The highest hard nofile limit the daemon may give a container; UINT64_MAX when there is no bound
 * or none is known. Without CAP_SYS_RESOURCE nobody raises a hard limit (setrlimit(2)). */
static uint64_t nofile_ceiling(const struct facts *facts)
{
	if (facts->process.has_cap_sys_resource != YES && facts->process.limit_nofile)
		return facts->process.limit_nofile;
	return UINT64_MAX;
}

/* A daemon runs, and what it may set cannot be read: guessing too high would stop every container.
 */
static bool ceiling_is_hidden(const struct facts *facts)
{
	return facts->process.pid && facts->process.has_cap_sys_resource != YES &&
	       !facts->process.limit_nofile;
}

/* Members of an entry are found whatever their letter case, as in dockerd (facts a.7). */
static json_t *entry_member(const json_t *entry, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)entry, key, value)
		if (strcasecmp(key, name) == 0)
			return value;
	return NULL;
}

/* -1 stands for no limit. */
static bool above(json_int_t a, json_int_t b)
{
	return b != -1 && (a == -1 || a > b);
}

/* Looks at one entry that the admin has. */
static int judge_ulimit(struct judgement *judgement, struct setting *setting, const char *key,
			const json_t *entry, struct error *error)
{
	const char *name = json_string_value(entry_member(entry, "Name"));
	json_int_t soft = json_integer_value(entry_member(entry, "Soft"));
	json_int_t hard = json_integer_value(entry_member(entry, "Hard"));
	uint64_t ceiling = nofile_ceiling(judgement->facts);
	const char *path[] = {"default-ulimits", key, "Name"};

	if ((!name || !*name) && ulimit_is_known(key)) {
		json_t *value = json_string(key);
		int r = value ? edits_set(&judgement->edits, path, 3, value, error)
			      : error_set_oom(error);
		json_decref(value);
		judgement->complies = false;
		return r < 0 ? r
			     : judgement_note(judgement, error,
					      "The entry \"%s\" has no \"Name\", without which no "
					      "container starts: it is added.",
					      key);
	}
	if (!name || !ulimit_is_known(name)) {
		setting->state = SETTING_MANUAL;
		return judgement_note(judgement, error,
				      "The entry \"%s\" names no limit that Linux has, so no "
				      "container starts: correct its \"Name\" in daemon.json.",
				      key);
	}
	if (above(soft, hard)) {
		setting->state = SETTING_MANUAL;
		return judgement_note(judgement, error,
				      "The entry \"%s\" has a soft limit above its hard limit, so "
				      "no container starts: correct it in daemon.json.",
				      key);
	}
	if (strcmp(name, "nofile") == 0 && ceiling <= INT64_MAX &&
	    above(hard, (json_int_t)ceiling)) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "nofile is above what this daemon may set, so no container "
				      "starts: lower it to %" PRIu64
				      ", or raise LimitNOFILE= of the unit.",
				      ceiling);
	}
	return 0;
}

/* The profile's entries, with nofile cut to what this daemon may set. */
static json_t *capped_ulimits(const struct judgement *judgement, const json_t *wanted,
			      bool *ret_capped)
{
	static const char *const members[] = {"Hard", "Soft"};
	uint64_t ceiling = nofile_ceiling(judgement->facts);
	json_t *copy = json_deep_copy(wanted);
	json_t *nofile = json_object_get(copy, "nofile");

	*ret_capped = false;
	for (size_t i = 0; i < array_size(members) && ceiling <= INT64_MAX; i++) {
		json_t *limit = entry_member(nofile, members[i]);
		if (!limit || !above(json_integer_value(limit), (json_int_t)ceiling))
			continue;
		(void)json_integer_set(limit, (json_int_t)ceiling);
		*ret_capped = true;
	}
	return copy;
}

/* Wants the profile's entries; they are written where the admin has none. */
static int want_ulimits(struct judgement *judgement, struct setting *setting, bool write,
			struct error *error)
{
	bool capped = false;
	json_t *wanted = capped_ulimits(judgement, setting->row->wanted, &capped);

	if (!wanted)
		return error_set_oom(error);
	json_decref(setting->wanted);
	setting->wanted = wanted;
	if (!write)
		return 0;
	judgement->complies = false;
	if (ceiling_is_hidden(judgement->facts)) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "The limits of the running daemon cannot be read, and with "
				      "more than it may set no container would start.");
	}
	int r = judgement_set(judgement, setting, wanted, error);
	if (r == 0 && capped)
		r = judgement_note(judgement, error,
				   "nofile is cut to %" PRIu64
				   ": this daemon lacks CAP_SYS_RESOURCE, and with more than its "
				   "own hard limit no container would start.",
				   nofile_ceiling(judgement->facts));
	return r;
}

static int drop_singular_ulimit(struct judgement *judgement, struct setting *setting,
				struct error *error)
{
	static const char *const path[] = {"default-ulimit"};

	if (!json_object_get(judgement->intended, path[0]))
		return 0;
	if (judgement->complies)
		setting->effect = EFFECT_NONE;
	judgement->complies = false;
	int r = edits_remove(&judgement->edits, path, 1, error);
	return r < 0 ? r
		     : judgement_note(judgement, error,
				      "\"default-ulimit\" does nothing (the key is "
				      "\"default-ulimits\"): it is removed.");
}

int judge_ulimits(struct judgement *judgement, struct setting *setting, struct error *error)
{
	const char *key;
	json_t *entry;
	bool has_entries = json_is_object(setting->current) && json_object_size(setting->current);

	judgement->complies = true;
	int r = want_ulimits(judgement, setting, !has_entries, error);
	if (has_entries)
		json_object_foreach (setting->current, key, entry)
			if (r == 0)
				r = judge_ulimit(judgement, setting, key, entry, error);
	if (r == 0)
		r = drop_singular_ulimit(judgement, setting, error);
	/* An entry that only the admin can mend holds the others up: containers do not start
	 * anyway. */
	if (setting->state == SETTING_MANUAL || setting->state == SETTING_BLOCKED)
		judgement->complies = false;
	return r;
}

/* The entry of that name, or NULL. */
static const json_t *find_entry(const json_t *entries, const char *name)
{
	const char *key;
	json_t *entry;

	json_object_foreach ((json_t *)entries, key, entry)
		if (text_equal(json_string_value(entry_member(entry, "Name")), name))
			return entry;
	return NULL;
}

bool ulimits_agree(const json_t *configured, const json_t *in_force)
{
	const char *key;
	json_t *entry;

	if (json_object_size(configured) != json_object_size(in_force))
		return false;
	json_object_foreach ((json_t *)configured, key, entry) {
		const char *name = json_string_value(entry_member(entry, "Name"));
		const json_t *other = name ? find_entry(in_force, name) : NULL;

		if (!other ||
		    !json_equal(entry_member(entry, "Soft"), entry_member(other, "Soft")) ||
		    !json_equal(entry_member(entry, "Hard"), entry_member(other, "Hard")))
			return false;
	}
	return true;
}
