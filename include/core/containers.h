/* Containers that run, what they were created with, and what a restart of the daemon does to them.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/facts.h"
#include "core/profile.h"

/* Running, paused, or about to be started again: not to be lost. */
bool container_is_up(const struct container_facts *container);

/* Some containers, borrowed from the facts. */
struct container_refs {
	const struct container_facts **items;
	size_t count;
};

void container_refs_done(struct container_refs *refs);
#define cleanup_container_refs scoped(container_refs_done)

/* Those that are up, in the order in which they were started. Tasks of swarm services are left out:
 * swarm itself puts new ones in their place. */
int containers_up(const struct facts *facts, struct container_refs *ret, struct error *error);

/* The names of containers, "web, db and 3 more", as a new string; NULL when out of memory. */
char *container_names_text(const struct container_refs *refs);

/* Orders two moments as dockerd writes them ("2026-11-25T11:09:25.064353187Z", where zeros at the
 * end of the fraction are left out), like strcmp(). NULL comes first. */
int container_start_compare(const char *a, const char *b);

/* Whether dockerd removes the container when it starts, although live-restore keeps it running:
 * those with --rm, from 20.10 to 24.0.7 (moby issue 46308, fixed in 24.0.8). */
bool container_is_removed_by_restart(const struct container_facts *container,
				     struct dockerver version);

/* dockerd copies log-driver, log-opts and no-new-privileges into a container when it is created
 * (facts b.6, b.7). Whether the setting of this row is one of them … */
bool container_copies(const char *key);

/* … and whether the container was created with a value that complies. False where that is not
 * known. */
bool container_covers(const struct container_facts *container, const struct profile_row *row,
		      const json_t *wanted);
