/* Containers: what the list of the API does not tell of them. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "core/facts.h"

/* What an entry of the API's list says: the state, the swarm's service that it is a task of (NULL:
 * none; borrowed), and whether it has ended with status 0. */
enum container_state container_entry_state(const json_t *entry);
const char *container_entry_service(const json_t *entry);
bool container_entry_ended_well(const json_t *entry);

/* Fills container_list from facts->containers and from config.v2.json and hostconfig.json in the
 * folder of each under the data root. Those are written by dockerd when it creates, starts and
 * stops a container, and are the only place that says what it was created with; asking the API for
 * each would cost ten times as much. Only root may read them: for others the containers stay
 * unknown, with one sentence in unseen. Without facts->containers there is nothing to do.
 *
 * A canary of harden's own is not among them, nor in the counts of data_root. */
int containers_read(struct facts *facts, struct error *error);

/* Asks the daemon what limits it gives to a container that has none of its own, and sets
 * default_ulimits. dockerd shows a container's limits together with its own defaults of this moment
 * (daemon/inspect.go of 17.12 to 29.7), so that any such container tells, whether it runs or not;
 * without one, or when the answer does not come in time, the limits stay unknown. */
int containers_ask_ulimits(struct facts *facts, uint64_t deadline_us, struct error *error);
