/* Unit files the way systemd reads them: the fragment and its drop-ins, as texts, become the
 * command line and the environment of the service (systemd.unit(5), systemd.service(5),
 * systemd.exec(5); read against systemd 252, 257 and 262). Nothing here looks at a disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"
#include "core/facts.h"

/* A unit file as it was read. */
struct unit_text {
	const char *path;
	const char *text;
	size_t length;
};

/* What specifiers stand for: %n comes from the name of the unit, %y from the fragment, constants of
 * the system manager (%t, %S …) are known; for the others value[letter] is asked, and NULL means
 * that it is not known. */
struct unit_specifiers {
	const char *unit; /* "docker.service" */
	const char *value[128];
};

/* A command of ExecStart=. */
struct unit_command {
	struct exec_command exec;
	/* The words as they are written, quotes, escapes, specifiers and all. The first is the
	 * program with its prefixes; with "@" the second is argv[0], so that raw has one more than
	 * argv. Joined by spaces they mean the same command, where none ends with an escaped space
	 * or a lone backslash, which is possible at the end of a line. */
	struct strlist raw;
	char *path; /* of the file it stands in */
};

/* What the files say about the service, later ones over earlier ones. */
struct unitfile {
	struct unit_command *commands;
	size_t command_count;
	struct strlist environment;       /* "NAME=value", each name once */
	struct strlist environment_files; /* as written, "-" in front where it may be missing */
	struct strlist unset_environment; /* "NAME" or "NAME=value" */
	bool oneshot;                     /* Type=: several commands are allowed */
	bool unresolved;                  /* a specifier is not known and stands as it is written */
};

void unitfile_done(struct unitfile *file);
#define cleanup_unitfile scoped(unitfile_done)

/* Reads the fragment (the first) and the drop-ins in the order in which they count. What systemd
 * ignores with a warning is ignored; what would keep it from loading the unit is -EINVAL, with path
 * and line. A line in a drop-in that would do so ends the reading of this drop-in, as it does in
 * systemd. */
int unitfile_parse(const struct unit_text *texts, size_t count,
		   const struct unit_specifiers *specifiers, struct unitfile *ret,
		   struct error *error);

/* Why systemd does not load a service with these files, as a sentence; NULL when it does. */
const char *unitfile_problem(const struct unitfile *file);

/* Puts drop-ins into the order in which they count. `paths` are the files found, folders of higher
 * precedence first; of those with the same name only the first counts. The order is that of their
 * names, whatever their folders. */
int unitfile_order_dropins(const struct strlist *paths, struct strlist *ret, struct error *error);

/* Folders below which systemd looks for units, the one that wins first (systemd.unit(5)). */
extern const char *const unit_folders[];
extern const size_t unit_folder_count;

/* The names of the folders for the drop-ins of a unit, the more special one first:
 * "docker.service.d", for an instance that of its template, for a name with dashes one for each of
 * its beginnings, and at last "service.d". */
int unitfile_dropin_folders(const char *unit, struct strlist *ret, struct error *error);
