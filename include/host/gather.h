/* Reads a host: everything that a plan is decided from, and nothing is changed by it. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "core/facts.h"

/* A symlink that is there while a transaction is neither finished nor undone (apply/store.h). */
#define PENDING_LINK "/var/lib/harden/pending"

struct gather_options {
	const char *unit; /* "docker.service" */
	const char
		*config_file; /* --config-file of harden; NULL: the unit's own, else the default */
	const char
		*docker_version; /* --docker-version, used where it cannot be found out; or NULL */
	const char *image; /* the root of this process is this image (image_enter()); NULL: it is
			    * the host. Then nobody is asked, and nothing is run */
	unsigned timeout_seconds; /* longest wait for the bus and for the API together */
	/* Work of the caller that does not need the facts; it is called while dockerd thinks about
	 * its answer, which takes longer than everything else. An error of it ends the reading. */
	int (*meanwhile)(void *context, struct error *error);
	void *meanwhile_context;
};

/* Fills *ret. What cannot be seen is noted in ret->unseen; an error is returned only where going on
 * would be a guess about something that is there (a daemon.json that is a folder or too large, an
 * unreadable daemon.json is FILE_UNREADABLE and no error). Never starts the daemon: its socket is
 * touched only when dockerd runs, because a connection would activate docker.service. */
int gather_facts(const struct gather_options *options, struct facts *ret, struct error *error);
