/* A container that is started with the daemon's defaults and does nothing but tell what it got: the
 * proof of what a running daemon alone does not prove (limits that may be set, a log driver that
 * can be reached, a runtime that is there, user namespaces that work).
 *
 * Its image comes from harden itself and is imported: nothing is pulled, and nothing of it is left
 * afterwards. It has the daemon's own log driver, and one line of it goes there. It is put on the
 * daemon's default network, as the admin's next container is, since dockerd does part of its
 * network configuration (an mtu, options of the bridge, its firewall rules) only when a container
 * is started; it listens to nothing and sends nothing.
 *
 * It runs after an apply, and not after a rollback: that goes back to what the host had, which may
 * have its faults, and who wants to go back is not to be held up by them. */
#pragma once

#include <stdint.h>

#include "apply/wait.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "core/facts.h"

struct canary_options {
	const char *socket_path;
	const char *id;         /* of the transaction: makes the names, see core/canary.h */
	const char *log_driver; /* NULL: the daemon's; "none" where no other can be reached */
	const char *network;    /* NULL: the daemon's default */
	const struct wait *wait;
};

enum canary_state {
	CANARY_SKIPPED, /* it was left out, or cannot be run here, which says nothing */
	CANARY_PASSED,
	CANARY_FAILED, /* dockerd refused the container, or it did not end well */
};

struct canary {
	enum canary_state state;
	char *reason;            /* why it failed or was skipped, dockerd's own words; NULL */
	const char *key;         /* the setting that the reason points at; NULL; a constant */
	int64_t took_us;         /* from the first request to the last one; -1: it did not run */
	struct canary_facts saw; /* when it passed */
	bool left;               /* container or image could not be taken away again */
};

#define CANARY_EMPTY ((struct canary){.took_us = -1, .saw = CANARY_FACTS_EMPTY})

void canary_done(struct canary *canary);
#define cleanup_canary scoped(canary_done)

/* "passed", "failed", "skipped". */
const char *canary_state_name(enum canary_state state);

/* Imports, creates, starts, waits, reads, and takes everything away again, whatever came of it;
 * what earlier ones have left in this daemon goes first.
 *
 * Failed is what dockerd refuses once it is to make a container out of the image, and a container
 * that does not end well or not by the deadline. Skipped is what has other causes: no answer from
 * the API, an authorization plugin that says no (403), an API without import (404, 405, 501), and
 * what canary_is_excused() names. dockerd's refusal to unpack the image is a failure all the same:
 * with userns-remap that is where a range shows that the host does not have (lchown).
 *
 * Returns 0 in all of these cases. -ECANCELED when somebody wants to stop, -ENOMEM. */
int canary_run(const struct canary_options *options, struct canary *ret, struct error *error);

/* Takes away the container and image of the transaction `id`, by force. Those that are not there
 * are fine. For a daemon that runs: a connection would start it. */
int canary_remove(const char *socket_path, const char *id, const struct wait *wait,
		  struct error *error);
