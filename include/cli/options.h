/* The command line of harden itself, from one table that also prints the help. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
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

struct exit_row {
	enum exit_status status;
	const char *text; /* the first sentence about it, in the help and in the manual */
};

/* What an argument is: completions offer that. */
enum argument_kind {
	ARGUMENT_NONE,
	ARGUMENT_FREE, /* nothing can be offered */
	ARGUMENT_FILE,
	ARGUMENT_FOLDER,
	ARGUMENT_WORDS, /* one of a list */
	ARGUMENT_PROFILE,
	ARGUMENT_SETTING, /* a key of the profile */
	ARGUMENT_CONSENT, /* what may be held */
	ARGUMENT_WANT,    /* KEY=JSON, of daemon.json */
	ARGUMENT_UNIT,    /* of systemd */
	ARGUMENT_APPLY,   /* an id of the history */
};

struct options;

/* One option: how it is spelled, what the help says, what it does, and where it belongs. */
struct option_row {
	const char *name;
	const char *argument; /* for the help; NULL when it takes none, "[=…]" when it may */
	const char *help;
	int (*apply)(struct options *options, const char *argument, struct error *error);
	const char *const *words; /* ARGUMENT_WORDS: what may be given, ends with NULL */
	const char *commands;     /* those that heed it, with spaces; NULL: all */
	enum argument_kind kind;
	char shorthand; /* 0 if there is none */
	bool strict;    /* the other commands refuse it */
	bool repeats;   /* it adds up; others are given once */
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

/* What --completion prints. */
enum completion_choice {
	COMPLETION_NONE,
	COMPLETION_BASH, /* a script for this shell … */
	COMPLETION_ZSH,
	COMPLETION_FISH,
	COMPLETION_JSON,     /* … the table that they are made from … */
	COMPLETION_PROFILES, /* … or words that they ask for */
	COMPLETION_SETTINGS,
	COMPLETION_CONSENTS,
	COMPLETION_KEYS,
	COMPLETION_VALUES,
	COMPLETION_APPLIES,
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
	enum completion_choice completion;
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
	uint64_t given;               /* bit N: row N of the table was given */
	const char *command;          /* NULL when none was given */
	const char *const *arguments; /* those after the command, borrowed from argv */
	size_t argument_count;
};

void options_done(struct options *options);
#define cleanup_options scoped(options_done)

/* Reads argv. -EINVAL for a mistake, with the option and what was expected in *error. The strings
 * are borrowed from argv, which must outlive *ret. */
int options_parse(int argc, char **argv, struct options *ret, struct error *error);

/* The tables, in the order of the help. */
const struct option_row *options_rows(size_t *ret_count);
const struct exit_row *options_exits(size_t *ret_count);

/* Whether a command heeds an option. */
bool option_row_suits(const struct option_row *row, const char *command);

/* The first option that was given and that this command refuses; NULL when there is none. */
const struct option_row *options_misplaced(const struct options *options, const char *command);

/* Prints the help to stream, at most 80 columns wide. */
void options_print_help(FILE *stream);
