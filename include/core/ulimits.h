/* The rule for default-ulimits: what the admin has stays, if containers can start with it; else the
 * profile's entries, cut to what this daemon may set. */
#pragma once

#include "core/judgement.h"

int judge_ulimits(struct judgement *judgement, struct setting *setting, struct error *error);

/* Whether the limits that a daemon gives are the configured ones. Both are objects like the one in
 * daemon.json, where an entry is known by its "Name" and not by its key. */
bool ulimits_agree(const json_t *configured, const json_t *in_force);
