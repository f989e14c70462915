/* Completions of bash, zsh and fish, from the tables of options and commands. The shells' own code
 * is in templates/completions; the tables take the place of @TABLE@ in it. */
#pragma once

#include "cli/options.h"

/* Prints what --completion asks for: a script, the table as JSON, or words, one a line, behind some
 * of them a tab and what they mean. Words are silent about trouble, because they are asked for in
 * the middle of somebody's line: what cannot be read is not offered. Returns the exit status. */
int completion_print(const struct options *options);
