/* The command line of a service at its next start: what systemd has loaded and the environment
 * files as they are now. */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "core/facts.h"
#include "core/words.h"

/* systemd's version where it was asked for, else 252: see envfile_parse_as(); UnsetEnvironment=
 * takes variables from the command line before 262 only. */
unsigned unit_systemd_version(const struct unit_facts *unit);

/* Appends the variables that the command line sees: Environment=, then each EnvironmentFile=, later
 * ones winning, before systemd 262 without those of UnsetEnvironment= (systemd.exec(5)). -EINVAL,
 * with the path, for a file that keeps the service from starting. */
int unit_environment(const struct unit_facts *unit, struct strlist *ret, struct error *error);

/* The words of argv with the unit's prefixes and this environment: the program first. */
int unit_expand(const struct unit_facts *unit, const struct strlist *argv,
		const struct strlist *environment, struct words *ret, struct error *error);

/* Both in one, for the unit as it is: false in *ret_same when the result is not `expected`. The
 * names of the program may differ. */
int unit_compare(const struct unit_facts *unit, const struct strlist *expected, bool *ret_same,
		 struct error *error);
