/* systemd, told what to do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "apply/wait.h"
#include "base/cleanup.h"
#include "base/error.h"

/* A connection to systemd. When the bus goes away, the next call opens it again. */
struct manager;

/* -ETIMEDOUT, -ECONNREFUSED, … where systemd does not answer by wait->deadline_us. */
int manager_open(const struct wait *wait, struct manager **ret, struct error *error);
void manager_close(struct manager **manager);
#define cleanup_manager scoped(manager_close)

/* daemon-reload. Returns when systemd has read its files again. */
int manager_reload(struct manager *manager, const struct wait *wait, struct error *error);

/* Forgets failed starts of the unit, so that the start limit does not refuse the next one. A unit
 * that is not loaded is fine. */
int manager_reset_failed(struct manager *manager, const char *unit, const struct wait *wait,
			 struct error *error);

enum unit_job {
	JOB_START,
	JOB_RESTART,
	JOB_RELOAD,
};

/* Queues the job (mode "replace") and waits for *this* job's JobRemoved. Each result is a sentence:
 * "done" is 0; failed, timeout, dependency, canceled, skipped … are errors (-EIO, -ETIME, -ENOLINK,
 * -ECANCELED …) that also name the unit's Result property where that says more ("start-limit-hit",
 * "timeout", "exit-code"). Past the deadline, or when the wait is interrupted, the job is
 * cancelled, which may take some seconds more, and -ETIMEDOUT or -ECANCELED returned. When the bus
 * goes away in the middle, it is opened again and the unit watched until it has no job, which then
 * decides. */
int manager_run_job(struct manager *manager, enum unit_job job, const char *unit,
		    const struct wait *wait, struct error *error);

/* The unit at this moment. */
struct unit_moment {
	char active_state[32]; /* active, activating, failed, … */
	char sub_state[32];
	char load_state[32];
	char result[32];        /* success, exit-code, start-limit-hit, …; "" unless it has one */
	char reload_result[32]; /* of its last reload; "" unless a service */
	char invocation[33];    /* InvocationID in hexadecimal digits; "" when it has none */
	pid_t main_pid;         /* 0 unless a service that runs */
	bool has_job;           /* a job for it is queued or runs */
};

int manager_unit(struct manager *manager, const char *unit, const struct wait *wait,
		 struct unit_moment *ret, struct error *error);
