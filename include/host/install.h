/* Which kind of installation this is, and whether there is one. */
#pragma once

#include "base/error.h"
#include "core/facts.h"

/* True when a dockerd is there to be started: at the path that the unit names (may be NULL), or
 * where packages put it. *ret_path (may be NULL) is that path, as a new string. */
int install_find_dockerd(const char *root, const char *unit_path, char **ret_path,
			 struct error *error);

/* What is known by the time the question comes up. */
struct install_clues {
	const struct unit_facts *unit;
	const struct process_facts *process; /* the system's daemon */
	bool dockerd_found;                  /* install_find_dockerd() found one */
	const char *docker_host;             /* $DOCKER_HOST, or NULL */
	uid_t rootless_uid;                  /* who runs a rootless daemon … */
	bool rootless_runs;                  /* … if somebody does */
};

/* Recognises snap and rootless installations. *ret_note is a new string that says what it is and
 * where its files are; NULL for a package. A rootless daemon beside a system's one is noted, too,
 * but the kind is INSTALL_PACKAGE then. */
int install_recognise(const char *root, const struct install_clues *clues,
		      enum install_kind *ret_kind, char **ret_note, struct error *error);
