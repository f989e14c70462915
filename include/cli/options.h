/* The command line of harden itself, from one table that also prints the help. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/profile.h"
#include "core/request.h"

/* Exit statuses, the same in every command. */
enum exit_status {
	EXIT_FINE = 0,        /* done, or nothing to do */
	EXIT_DIFFERENCES = 1, /* check: it does not comply; plan --exit-code: there are changes */
	EXIT_TROUBLE = 2,     /* nothing was changed: usage, bad input, failed precondition */
	EXIT_PUT_BACK = 3,    /* it failed, and the host is as it was before */
	EXIT_PUT_BACK_FAILED = 4, /* it is not */
	EXIT_INCOMPLETE = 5,      /* done, but something is held, blocked or not yet in force */
};

enum color_choice {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* What becomes of the containers that run. */
enum containers_choice {
	CONTAINERS_KEEP,    /* they are kept running */
	CONTAINERS_RESTART, /* they are stopped and started, so that network settings take effect */
};

/* Whether a new configuration is rehearsed. */
enum rehearse_choice {
	REHEARSE_DEFAULT, /* apply: where it can be done; plan: no */
	REHEARSE_NO,
	REHEARSE_YES,     /* plan too */
	REHEARSE_REQUIRE, /* where it cannot be done, nothing is done */
};

/* How check says it. */
enum format_choice {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_JUNIT,
	FORMAT_SARIF,
};

struct options {
	const char *profile; /* name or file */
	const char *config_file;
	const char *unit;
	const char *docker_version;
	const char *root;       /* an OS image to work on; NULL: this host */
	struct profile *loaded; /* with root: the profile, read before the image was entered */
	unsigned timeout_seconds;
	bool dry_run;
	bool yes;
	bool force;
	bool no_restart;
	bool no_canary;
	const char *verify_command; /* NULL */
	unsigned confirm_seconds;   /* 0: nobody is asked afterwards */
	bool exit_code;
	bool json;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
	enum color_choice color;
	enum containers_choice containers;
	enum rehearse_choice rehearse;
	enum format_choice format;
	bool format_given;
	const char *benchmark; /* one of cis_benchmarks; NULL: the newest that has the control */
	struct want *wants;
	size_t want_count;
	struct skip *skips;
	size_t skip_count;
	struct strlist only;
	struct strlist accept;
	const char *command;          /* NULL when none was given */
	const char *const *arguments; /* those after the command, borrowed from argv */
	size_t argument_count;
};

void options_done(struct options *options);
#define cleanup_options scoped(options_done)

/* Reads argv. -EINVAL for a mistake, with the option and what was expected in *error. The strings
 * are borrowed from argv, which must outlive *ret. */
int options_parse(int argc, char **argv, struct options *ret, struct error *error);

/* Prints the help to stream, at most 80 columns wide. */
void options_print_help(FILE *stream);
