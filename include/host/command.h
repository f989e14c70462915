/* Runs another program, without a shell and with a deadline, and takes what it prints. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct command {
	const char *const *argv; /* argv[0] is its path; ends with NULL */
	const char *input;       /* what it reads from standard input; NULL: nothing */
	size_t input_length;
	bool errors;       /* standard error is taken, too; else it is dropped */
	size_t output_max; /* who prints more than this is killed */
};

/* Appends what it printed to *output. *ret_status is as in waitpid(2). Past the deadline
 * (CLOCK_MONOTONIC, microseconds) it is killed: -ETIMEDOUT. -EMSGSIZE when it printed too much. */
int command_run(const struct command *command, uint64_t deadline_us, struct strbuf *output,
		int *ret_status);
