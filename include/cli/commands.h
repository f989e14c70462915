/* The commands of harden: one file each. A command returns its exit status. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

struct command {
	const char *name;
	const char *arguments; /* for the help, "" when there are none */
	const char *help;
	int (*run)(const struct options *options);
	size_t arguments_max;
	enum argument_kind kind; /* of its argument */
	bool changes;            /* it may change the host: its document has a result */
};

/* All commands, in the order of the help. */
const struct command *commands(size_t *ret_count);

int command_check(const struct options *options);
int command_plan(const struct options *options);
int command_apply(const struct options *options);
int command_rollback(const struct options *options);
int command_history(const struct options *options);
int command_recover(const struct options *options);
int command_profiles(const struct options *options);
