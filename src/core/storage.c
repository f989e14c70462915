#include "core/storage.h"

#include <string.h>

/* The graph driver in use, or NULL where it cannot be told. Borrowed. */
static const char *driver_in_use(const struct facts *facts)
{
	const char *driver = json_string_value(json_object_get(facts->info, "Driver"));

	if (driver)
		return driver;
	return facts->data_root.drivers.count == 1 ? facts->data_root.drivers.items[0] : NULL;
}

/* Whether images live, or at the first start will live, in containerd's own store (facts b.5). */
static bool uses_containerd_store(const struct judgement *judgement)
{
	const struct facts *facts = judgement->facts;
	const json_t *features = json_object_get(judgement->configuration->document, "features");
	const json_t *snapshotter = json_object_get(features, "containerd-snapshotter");
	bool fresh =
		!facts->info && anything_stored(facts) == NO && !facts->data_root.drivers.count;

	if (facts->data_root.containerd_store == YES)
		return true;
	if (facts->info || json_is_false(snapshotter))
		return false;
	if (json_is_true(snapshotter) &&
	    dockerver_at_least(judgement->configuration->version, 24, 0))
		return true;
	return fresh && dockerver_at_least(judgement->configuration->version, 29, 0);
}

static int pin_driver(struct judgement *judgement, struct setting *setting, enum effect effect,
		      struct error *error)
{
	judgement->complies = false;
	setting->effect = effect;
	return judgement_set(judgement, setting, setting->row->wanted, error);
}

/* Nothing in the file says which driver; dockerd chooses, or has chosen. */
static int judge_unset_driver(struct judgement *judgement, struct setting *setting,
			      struct error *error)
{
	const struct facts *facts = judgement->facts;
	const char *wanted = json_string_value(setting->row->wanted);
	const char *in_use = driver_in_use(facts);

	if (in_use && strcmp(in_use, wanted) == 0) {
		int r = pin_driver(judgement, setting, EFFECT_NONE, error);
		return r < 0 ? r
			     : judgement_note(
				       judgement, error,
				       "Written down because it is already in use: nothing moves.");
	}
	if (in_use && setting->in_force && value_complies(setting->row, setting->in_force)) {
		judgement->complies = true;
		return 0;
	}
	if (in_use && anything_stored(facts) != NO)
		return pin_driver(judgement, setting, EFFECT_DATA, error);
	if (in_use || facts->data_root.overlay2_possible == NO) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(
			judgement, error,
			"dockerd cannot use %s on the file system of %s%s%s: put the data root on "
			"ext4 or xfs.",
			wanted, facts->data_root.path ? facts->data_root.path : "its data root",
			in_use ? " and chose by itself: " : "", in_use ? in_use : "");
	}
	if (anything_stored(facts) != NO) {
		setting->state = SETTING_BLOCKED;
		return judgement_note(judgement, error,
				      "Which driver the stored images use cannot be seen; %s.",
				      facts->as_root ? "start docker and run harden again"
						     : "run harden as root");
	}
	int r = pin_driver(judgement, setting, EFFECT_NONE, error);
	return r < 0 ? r
		     : judgement_note(judgement, error, "Nothing is stored yet, so nothing moves.");
}

/* The drivers that Docker no longer has (facts b.5). */
static bool is_old_driver(const json_t *value)
{
	static const char *const names[] = {"aufs", "devicemapper", "overlay"};

	for (size_t i = 0; json_is_string(value) && i < array_size(names); i++)
		if (strcmp(names[i], json_string_value(value)) == 0)
			return true;
	return false;
}

/* There the name is a snapshotter's, and containerd has none of the old drivers' names: dockerd
 * would not start. Without the key it uses what it has. */
static int drop_foreign_driver(struct judgement *judgement, struct setting *setting,
			       struct error *error)
{
	judgement->complies = false;
	json_decref(setting->wanted);
	setting->wanted = json_null();
	setting->effect = EFFECT_RESTART;
	int r = judgement_remove(judgement, setting, error);
	return r < 0 ? r
		     : judgement_note(judgement, error,
				      "Images are kept in containerd's store, which has no driver "
				      "of this name: the key is removed.");
}

int judge_storage_driver(struct judgement *judgement, struct setting *setting, struct error *error)
{
	if (uses_containerd_store(judgement) && is_old_driver(setting->current))
		return drop_foreign_driver(judgement, setting, error);
	if (uses_containerd_store(judgement)) {
		judgement->complies = true;
		return judgement_note(judgement, error,
				      "Images are kept in containerd's store; naming a driver here "
				      "would hide every one of them.");
	}
	if (holds_nothing(setting->current))
		return judge_unset_driver(judgement, setting, error);
	judgement->complies = value_complies(setting->row, setting->current);
	return judgement->complies ? 0 : pin_driver(judgement, setting, EFFECT_DATA, error);
}
