/* The Docker daemon: told to reload or restart, waited for, and looked at. */
#pragma once

#include <stdint.h>

#include "apply/manager.h"
#include "apply/progress.h"
#include "base/error.h"
#include "core/facts.h"

struct daemon {
	const char *unit;        /* "docker.service" */
	const char *socket_path; /* of the API; NULL: not known, so nobody can be asked */
	const char *config_file; /* see struct gather_options; NULL */
	unsigned timeout_seconds;
	int interrupt_fd; /* see struct wait */
	const struct progress *progress;
	struct manager *manager; /* opened at the first use */
	pid_t main_pid;          /* that the last restart has started; 0 */
	unsigned depth;          /* of phases inside phases */

	/* Measured. */
	uint64_t started_us;  /* CLOCK_REALTIME of the last restart's call, for the journal */
	uint64_t called_us;   /* the same, CLOCK_MONOTONIC */
	uint64_t answered_us; /* when the API did, the same; 0 */
	int64_t downtime_us;  /* of the last restart until the API answered; -1 */
	uint64_t *phase_us; /* array of PHASE_COUNT; a phase inside another counts as part of it */
};

void daemon_done(struct daemon *daemon);
#define cleanup_daemon scoped(daemon_done)

/* What waiting for the daemon goes by: the timeout from now on, the person at the keyboard,
 * progress. */
struct wait daemon_wait(const struct daemon *daemon);

/* Runs `step` as a phase: progress is told of its begin and end, and its time is kept. */
int daemon_phase(struct daemon *daemon, enum phase phase, const char *text,
		 int (*step)(void *context, struct error *error), void *context,
		 struct error *error);

/* systemd reads its unit files again. */
int daemon_reload_units(struct daemon *daemon, struct error *error);

/* Fails when the command line that systemd would start the service with, variables expanded, is not
 * this one (the names of the program may differ). */
int daemon_command_line_is(struct daemon *daemon, const struct strlist *expected,
			   struct error *error);

/* Sends SIGHUP by way of systemd, and waits until /info says that live-restore is as told: the
 * signal is answered before the work is done (facts, section c). */
int daemon_reload(struct daemon *daemon, bool live_restore, struct error *error);

/* Forgets failed starts of the service and its socket (each allows three starts a minute, and
 * successful ones count), restarts the service, and waits until the API answers. */
int daemon_restart(struct daemon *daemon, struct error *error);

/* Waits until the API answers, or the service is seen to have failed. */
int daemon_wait_answer(struct daemon *daemon, struct error *error);

/* The service as it is now. */
int daemon_moment(struct daemon *daemon, struct unit_moment *ret, struct error *error);

/* Reads the host once more. -EIO when the daemon does not answer. */
int daemon_look(struct daemon *daemon, struct facts *ret, struct error *error);

/* Fails when the service is not active, or not with the process that the last restart has started
 * (without one: that it has now), at any time until half a second after its API has answered
 * (without a restart: from now): a daemon that dies of its configuration often does so after it was
 * ready. */
int daemon_stays(struct daemon *daemon, struct error *error);
