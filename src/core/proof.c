#include "core/proof.h"

#include "core/judgement.h"
#include "core/live.h"

/* The same items in whatever order. */
static bool same_items(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!array_has(b, json_array_get(a, i)))
			return false;
	return true;
}

/* Lists come back as dockerd has understood them (registries lose their scheme, say), so that only
 * an empty one can be told to be wrong. */
static enum proof proof_of_list(const json_t *wanted, const json_t *live)
{
	if (same_items(wanted, live))
		return PROOF_GOOD;
	return json_array_size(wanted) == 0 ? PROOF_BAD : PROOF_UNKNOWN;
}

static enum proof not_in_force(const struct facts *facts, enum effect effect)
{
	return effect == EFFECT_CONTAINERS && facts->data_root.containers_running != 0
		       ? PROOF_PENDING
		       : PROOF_BAD;
}

enum proof proof_of(const struct facts *facts, const char *key, const json_t *wanted,
		    enum effect effect)
{
	json_auto_t *live = facts->daemon == DAEMON_RUNNING ? live_value(facts, &key, 1) : NULL;

	if (!live)
		return PROOF_UNKNOWN;
	/* What dockerd does with a key that is not set is its version's business. */
	if (!wanted || json_is_null(wanted))
		return holds_nothing(live) || json_is_false(live) ? PROOF_GOOD : PROOF_UNKNOWN;
	if (json_is_array(wanted) && json_is_array(live))
		return proof_of_list(wanted, live);
	return live_agrees(key, wanted, live) ? PROOF_GOOD : not_in_force(facts, effect);
}

enum proof proof_of_return(const struct facts *facts, const char *key, const json_t *before,
			   enum effect effect)
{
	json_auto_t *live = facts->daemon == DAEMON_RUNNING ? live_value(facts, &key, 1) : NULL;

	if (!live || !before)
		return PROOF_UNKNOWN;
	if (json_is_array(before) && json_is_array(live))
		return same_items(before, live) ? PROOF_GOOD : PROOF_BAD;
	return json_equal(before, live) ? PROOF_GOOD : not_in_force(facts, effect);
}
