/* systemd, told what to do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-bus.h>

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
	JOB_STOP,
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
	int exit_code;          /* of its last main process: CLD_EXITED, CLD_KILLED …; 0 none */
	int exit_status;        /* its status, or the signal that killed it */
	bool has_job;           /* a job for it is queued or runs */
};

int manager_unit(struct manager *manager, const char *unit, const struct wait *wait,
		 struct unit_moment *ret, struct error *error);

/* The unit's properties as systemd sends them, a{sv}. */
int manager_properties(struct manager *manager, const char *unit, const struct wait *wait,
		       sd_bus_message **ret, struct error *error);

/* A unit that exists only as long as it runs. */
struct transient {
	const char *unit;
	/* Appends its properties, (sv) each; may be called more than once. */
	int (*add_properties)(sd_bus_message *message, void *context);
	void *context;
};

/* Creates the unit, starts it and waits as manager_run_job() does. systemd keeps what it knows of
 * the unit as long as this connection lasts, so that manager_unit() can tell how it ended. True in
 * *ret_refused when systemd would not even try: it does not know a property, the unit is there
 * already, there is no bus to keep it for. */
int manager_start_transient(struct manager *manager, const struct transient *transient,
			    const struct wait *wait, bool *ret_refused, struct error *error);

/* Sends the signal to all processes of the unit, of a slice to those of all its units. A unit that
 * is not there or has none is fine. */
int manager_kill(struct manager *manager, const char *unit, int signal, const struct wait *wait,
		 struct error *error);
