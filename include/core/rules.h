/* The kinds of rule a profile has: each looks at one row and says what is to be done about it. */
#pragma once

#include "core/judgement.h"

/* Judges setting->row: fills current, source, wanted, in_force, effect, state and rewrites, and
 * leaves the edits of a change and the reasons in *judgement. */
int rule_judge(struct judgement *judgement, struct setting *setting, struct error *error);

/* Whether owner and mode of a file are as the row of its role wants them, or stricter. */
bool file_complies(const struct profile_row *row, const struct file_facts *file);
