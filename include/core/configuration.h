/* What dockerd will be configured with at its next start: daemon.json, the flags of the unit, and
 * dockerd's own defaults, put together the way dockerd does. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "core/facts.h"
#include "core/findings.h"
#include "core/flags.h"

enum value_source {
	SOURCE_DEFAULT,
	SOURCE_FILE,        /* daemon.json */
	SOURCE_FLAG,        /* on the command line */
	SOURCE_ENVIRONMENT, /* on the command line, through a variable of the unit's environment */
	SOURCE_UNIT, /* a property of a file on the host, not of the daemon's configuration */
};

struct configuration {
	struct dockerver version; /* the version decisions are made for: never unknown */
	bool version_assumed;
	json_t *document;   /* daemon.json, an object; empty when there is none */
	struct words words; /* the unit's command line at the next start, variables expanded */
	struct strlist environment; /* "NAME=value" as the unit sets it, the last one counts */
	struct flags flags;
	struct findings findings;
	/* Where the running dockerd was started with other words than the unit has now: these are
	 * its flags, see configuration_running_flags(). */
	bool command_line_differs;
	struct flags running;
};

void configuration_done(struct configuration *configuration);
#define cleanup_configuration scoped(configuration_done)

/* Reads the configuration out of the facts. Broken JSON and an unreadable daemon.json are errors.
 */
int configuration_read(const struct facts *facts, struct configuration *ret, struct error *error);

/* Only the command line: version, words and flags, with an empty document and no findings. */
int configuration_read_flags(const struct facts *facts, struct configuration *ret,
			     struct error *error);

/* The flags that the dockerd has that runs: those of the unit, unless it is known to have been
 * started with others. Borrowed. */
const struct flags *configuration_running_flags(const struct configuration *configuration);

/* The configured value at path (path[0] is a daemon.json key; further keys go into objects): a new
 * reference in *ret, json_null() where nothing is set and dockerd has no fixed default. *ret_flag
 * (may be NULL) is the flag it comes from, or NULL. */
int configuration_value(const struct configuration *configuration, const char *const *path,
			size_t count, json_t **ret, enum value_source *ret_source,
			const struct flag **ret_flag, struct error *error);

/* The name used in JSON documents: file, flag, environment, default, unit. */
const char *value_source_name(enum value_source source);
