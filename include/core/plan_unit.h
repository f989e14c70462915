/* The part of a plan that is about flags: which are taken out of the unit's command line, what of
 * their values moves into daemon.json, and the files that change for it. */
#pragma once

#include "core/judgement.h"
#include "core/unitedit.h"

/* What a key is configured to, where it is given both as a flag and in the file: dockerd does not
 * start with that, so what is meant is what would be kept. Lists and maps are put together; of two
 * single values it is the file's, unless only the flag's complies with the row. True in *ret_twice
 * then, and *value is replaced. */
int plan_unit_settle_value(const struct judgement *judgement, const struct profile_row *row,
			   const struct option *option, json_t **value, bool *ret_twice,
			   struct error *error);

/* A change of a setting that a flag gives: notes in the judgement that the flag is to be taken out,
 * and moves the other values that it gives into the file. Where that cannot be done the setting
 * becomes SETTING_MANUAL, or SETTING_BLOCKED, with a note. */
int plan_unit_take(struct judgement *judgement, struct setting *setting,
		   const struct option *option, struct error *error);

/* The same for a setting that complies, but is given twice, or by a flag that this version does not
 * have: becomes a change then. */
int plan_unit_mend(struct judgement *judgement, struct setting *setting,
		   const struct option *option, bool twice, struct error *error);

/* Whether a flag gives the option (and is not to be taken out already). */
bool plan_unit_gives(const struct judgement *judgement, const struct option *option);

/* Settings that nobody judges, given twice: takes the flag out where nothing is lost by it. `left`
 * says whether the key's own row was left alone by an option or has to stay as it is. What is done,
 * or cannot be, is told in *warnings. */
int plan_unit_resolve(struct judgement *judgement,
		      bool (*left)(const struct option *option, const void *context),
		      const void *context, struct strlist *warnings, struct error *error);

/* The edit of the unit for all that is taken out. */
int plan_unit_edit(const struct facts *facts, const struct configuration *configuration,
		   const struct taken *taken, struct unitedit *ret, struct error *error);

/* Adds the files that it changes to the plan. */
int plan_unit_files(const struct facts *facts, const struct unitedit *edit, struct plan *plan,
		    struct error *error);

/* The flags that are left, read again for what dockerd would say of them. */
int plan_unit_flags_after(const struct configuration *configuration, const struct unitedit *edit,
			  struct flags *ret, struct error *error);

/* Adds an obstacle for each environment file without which the unit does not start. */
int plan_unit_obstacles(const struct facts *facts, struct plan *plan, struct error *error);
