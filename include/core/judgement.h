/* What every rule and guard sees of a setting that is being judged, and what they share. */
#pragma once

#include "core/plan.h"

/* Options whose flags are taken out of the command line. */
struct taken {
	const struct option **items;
	size_t count;
};

bool taken_has(const struct taken *taken, const struct option *option);
int taken_add(struct taken *taken, const struct option *option, struct error *error);

struct judgement {
	const struct facts *facts;
	const struct configuration *configuration;
	const struct plan_options *options;
	const json_t *intended; /* daemon.json with the changes decided so far */

	const struct taken *taken; /* with the changes decided so far */

	/* Set while judging. */
	struct taken takes;   /* carried out when the state ends as SETTING_CHANGE … */
	struct edits moves;   /* … with these before all edits of all settings */
	struct edits edits;   /* carried out when the state ends as SETTING_CHANGE */
	struct strlist notes; /* sentences for the reason */
	bool complies;
};

void judgement_done(struct judgement *judgement);
#define cleanup_judgement scoped(judgement_done)

/* Adds a sentence to the reason. */
int judgement_note(struct judgement *judgement, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds the edit that sets the setting's own key, or removes it. */
int judgement_set(struct judgement *judgement, const struct setting *setting, json_t *value,
		  struct error *error);
int judgement_remove(struct judgement *judgement, const struct setting *setting,
		     struct error *error);

/* Whether the value that a key will have after the changes decided so far is exactly `wanted`. */
int judgement_intends(const struct judgement *judgement, const char *key, bool wanted, bool *ret,
		      struct error *error);

/* Whether images, containers or volumes are stored. */
enum tristate anything_stored(const struct facts *facts);

/* The same in words: "3 images, 1 container". NULL when out of memory; the caller frees it. */
char *stored_text(const struct facts *facts);

/* Whether one of the array's items equals value; false where array is NULL. */
bool array_has(const json_t *array, const json_t *value);

/* Null, "", [] or {}. */
bool holds_nothing(const json_t *value);

/* Whether the row takes the value as it is. */
bool value_complies(const struct profile_row *row, const json_t *value);

/* The option that a setting is about, or part of; NULL for one that is about files. */
const struct option *setting_option(const struct setting *setting);

/* Splits a setting's name into keys for a path in daemon.json: "log-opts.syslog-address" has two,
 * and "default-network-opts.bridge.com.docker.network.driver.mtu" three. */
int setting_path(const char *key, struct strlist *ret, struct error *error);
