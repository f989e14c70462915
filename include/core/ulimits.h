/* The rule for default-ulimits: what the admin has stays, if containers can start with it; else the
 * profile's entries, cut to what this daemon may set. */
#pragma once

#include "core/judgement.h"

int judge_ulimits(struct judgement *judgement, struct setting *setting, struct error *error);
