/* Owner and mode of the files that section 3 of the CIS benchmark is about. */
#pragma once

#include "base/error.h"
#include "core/facts.h"

/* Paths that depend on the configuration; NULL where there is none. */
struct files_named {
	const char *config; /* daemon.json */
	const char *socket; /* NULL: /run/docker.sock */
	const char *tlscacert;
	const char *tlscert;
	const char *tlskey;
};

/* Fills facts->files from the disk and facts->unit. Each file with a fixed place is listed, with
 * `exists` NO when it is not there. What may not be looked at is UNKNOWN, with one sentence for all
 * of them in facts->unseen. Symlinks are followed. */
int files_read(const char *root, const struct files_named *named, struct facts *facts,
	       struct error *error);
