/* Containers, stopped and started through the Docker API. */
#pragma once

#include <stdbool.h>

#include "apply/daemon.h"
#include "apply/txn.h"
#include "base/error.h"

/* Stops all of them at once, each as gracefully as it was created to be (its own signal and time),
 * and waits until none is up. A container that somebody starts meanwhile is an error (-EBUSY): it
 * would be caught by the restart unprepared. Tasks of swarm services do not count. */
int containers_stop(struct daemon *daemon, const struct txn_containers *which, struct error *error);

/* Starts those that are not up, one after the other, and pauses those that were paused. With
 * `lost_only` one that has ended well by itself (status 0) is left as it is. One that does not
 * exist any more is passed over, with its name in *ret_gone. */
int containers_start(struct daemon *daemon, const struct txn_containers *which, bool lost_only,
		     struct strlist *ret_gone, struct error *error);

/* Waits until as many tasks of swarm services are up as before; false when they are not by the
 * deadline. Swarm starts new ones once the daemon is back. */
bool containers_wait_tasks(struct daemon *daemon, size_t wanted);

/* Whether processes of containers run that the daemon knew before and does not know any more: those
 * that a moved data root has left behind (-EIO, with the id of one). Other daemons have containers,
 * too. */
int containers_check_orphans(struct daemon *daemon, const struct facts *before,
			     struct error *error);
