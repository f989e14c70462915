/* The rule for default-ulimits: what the admin has stays, if containers can start with it; else the
 * profile's entries, cut to what this daemon may set. */
#pragma once

#include <stdint.h>

#include "core/judgement.h"

int judge_ulimits(struct judgement *judgement, struct setting *setting, struct error *error);

/* The highest hard nofile limit the daemon may give a container; UINT64_MAX when there is no bound
 * or none is known. Without CAP_SYS_RESOURCE nobody raises a hard limit (setrlimit(2)). */
uint64_t nofile_ceiling(const struct facts *facts);
