/* Runs another program with a deadline, and takes what it prints. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Who looks on while it runs. */
struct command_watch {
	int interrupt_fd;            /* readable when it is to be stopped; -1: never */
	void (*tick)(void *context); /* called several times a second; may be NULL */
	void *context;
};

struct command {
	const char *const *argv; /* argv[0] is its path; ends with NULL */
	const char *input;       /* what it reads from standard input; NULL: nothing */
	size_t input_length;
	bool errors;       /* standard error is taken, too; else it is dropped */
	size_t output_max; /* who prints more than this is killed */
	bool last;         /* nobody is killed: the last output_max bytes are kept */
	/* It is somebody's own command, which may start others: they form a process group that is
	 * killed as one, and those that outlive the command itself are not waited for. */
	bool group;
	char *const *environment;          /* as in execve(2); NULL: a PATH and nothing else */
	const struct command_watch *watch; /* with group; NULL */
};

/* Appends what it printed to *output, also when it fails. It starts with no signal blocked or
 * ignored by harden. *ret_status is as in waitpid(2). Past the deadline (CLOCK_MONOTONIC,
 * microseconds) it is killed: -ETIMEDOUT; when somebody wants to stop, too: -ECANCELED. -EMSGSIZE
 * when it printed too much. */
int command_run(const struct command *command, uint64_t deadline_us, struct strbuf *output,
		int *ret_status);
