#include "apply/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "apply/link.h"
#include "apply/sentences.h"
#include "host/bus.h"
#include "host/clock.h"

#define MANAGER SYSTEMD_NAME ".Manager"

/* How often a unit is looked at although JobRemoved will be sent: the signal may get lost. */
#define LOOK_US 1000000
/* The same after the connection was lost. */
#define LOOK_AGAIN_US 150000
/* How long systemd may take to queue a job. Patience is due: a call whose answer was not waited for
 * is made again. */
#define QUEUE_US 10000000
/* What may be spent on a job, or on asking about one, once the wait for it is over. */
#define AFTERWARDS_US 5000000

/* "/org/freedesktop/systemd1/job/4711" */
#define JOB_PATH_SIZE 128

struct watched_job {
	enum unit_job kind;
	const char *unit;
	const struct transient *transient; /* of JOB_START: it is made for this; NULL */
	char path[JOB_PATH_SIZE];          /* "" while systemd has not said which it is */
	char result[32];                   /* "" until it is removed */
};

struct manager {
	struct link link;
	struct watched_job *job; /* NULL: no JobRemoved is of interest */
};

/* Makes a failure a sentence. */
static int failed(const char *step, const char *path, int r, struct error *error)
{
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == -ETIMEDOUT)
		return error_set(error, r, step, path, "systemd did not answer in time");
	if (r == -ECANCELED)
		return error_set(error, r, step, path, "interrupted");
	if (r == -ENOENT || r == -ECONNREFUSED)
		return error_set(error, r, step, path,
				 "neither the system bus nor systemd itself can be reached");
	if (r == -ENXIO || r == -EBADMSG || r == -EINVAL)
		return error_set(error, r, step, path, "systemd's answer is malformed");
	return error_set_errno(error, -r, step, path);
}

/* ---- the connection ---- */

/* The reply that names the job is sent before the job runs, and messages stay in order: a signal
 * that comes before the path is known is about another job. */
static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *bus_error)
{
	const struct manager *manager = context;
	struct watched_job *job = manager->job;
	const char *path;
	const char *result;

	(void)bus_error;
	if (!job || !link_is_systemd(&manager->link, message))
		return 0;
	int r = sd_bus_message_read(message, "uoss", NULL, &path, NULL, &result);
	if (r >= 0 && strcmp(path, job->path) == 0 && !*job->result)
		(void)snprintf(job->result, sizeof job->result, "%s", *result ? result : "?");
	return 0;
}

int manager_open(const struct wait *wait, struct manager **ret, struct error *error)
{
	cleanup_manager struct manager *manager = calloc(1, sizeof *manager);

	if (!manager)
		return error_set_oom(error);
	manager->link.on_removed = on_job_removed;
	manager->link.context = manager;
	int r = link_open(&manager->link, wait);
	if (r < 0)
		return failed("ask", "systemd", r, error);
	*ret = take_ptr(manager);
	return 0;
}

void manager_close(struct manager **manager)
{
	if (*manager)
		link_close(&(*manager)->link);
	free(*manager);
	*manager = NULL;
}

int manager_reload(struct manager *manager, const struct wait *wait, struct error *error)
{
	static const struct link_call call = {
		.path = SYSTEMD_PATH,
		.interface = MANAGER,
		.member = "Reload",
		.limit_us = UINT64_MAX,
	};
	static const char step[] = "daemon-reload";
	cleanup_message sd_bus_message *reply = NULL;

	int r = link_call(&manager->link, &call, wait, &reply);
	if (r < 0)
		return failed(step, "systemd", r, error);
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	return refusal ? sentence_refusal(step, "systemd", refusal, error) : 0;
}

int manager_reset_failed(struct manager *manager, const char *unit, const struct wait *wait,
			 struct error *error)
{
	const struct link_call call = {
		.path = SYSTEMD_PATH,
		.interface = MANAGER,
		.member = "ResetFailedUnit",
		.arguments = {unit},
	};
	static const char step[] = "reset-failed";
	cleanup_message sd_bus_message *reply = NULL;

	int r = link_call(&manager->link, &call, wait, &reply);
	if (r < 0)
		return failed(step, unit, r, error);
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	if (!refusal || sd_bus_error_has_name(refusal, SYSTEMD_NAME ".NoSuchUnit"))
		return 0;
	return sentence_refusal(step, unit, refusal, error);
}

/* ---- looking at a unit ---- */

struct look {
	struct unit_moment moment;
	char job[JOB_PATH_SIZE]; /* "" unless it has one */
};

static int read_state(sd_bus_message *message, void *field)
{
	const char *string;
	int r = sd_bus_message_read_basic(message, 's', &string);

	if (r >= 0)
		(void)snprintf(field, sizeof((struct unit_moment *)NULL)->result, "%s", string);
	return r;
}

static int read_pid(sd_bus_message *message, void *field)
{
	struct unit_moment *moment = field;
	uint32_t pid;
	int r = sd_bus_message_read_basic(message, 'u', &pid);

	if (r >= 0)
		moment->main_pid = (pid_t)pid;
	return r;
}

static int read_int(sd_bus_message *message, void *field)
{
	int32_t value;
	int r = sd_bus_message_read_basic(message, 'i', &value);

	if (r >= 0)
		*(int *)field = value;
	return r;
}

/* Without a job it is number 0, and the path that of the unit's own object or "/". */
static int read_job(sd_bus_message *message, void *field)
{
	struct look *look = field;
	const char *path;
	uint32_t id;
	int r = sd_bus_message_read(message, "(uo)", &id, &path);

	if (r >= 0 && id != 0) {
		look->moment.has_job = true;
		(void)snprintf(look->job, sizeof look->job, "%s", path);
	}
	return r;
}

static const struct bus_property properties[] = {
#define STATE(field) offsetof(struct look, moment.field)
	{"ActiveState", "s", read_state, STATE(active_state)},
	{"SubState", "s", read_state, STATE(sub_state)},
	{"LoadState", "s", read_state, STATE(load_state)},
	{"Result", "s", read_state, STATE(result)},
	{"ReloadResult", "s", read_state, STATE(reload_result)},
	{"InvocationID", "ay", bus_read_invocation, STATE(invocation)},
	{"MainPID", "u", read_pid, 0},
	{"ExecMainCode", "i", read_int, STATE(exit_code)},
	{"ExecMainStatus", "i", read_int, STATE(exit_status)},
	{"Job", "(uo)", read_job, 0},
#undef STATE
};

static const char look_step[] = "ask systemd about";

/* All properties of all interfaces are one moment; several questions would be several. */
int manager_properties(struct manager *manager, const char *unit, const struct wait *wait,
		       sd_bus_message **ret, struct error *error)
{
	const char *step = look_step;
	cleanup_free char *path = NULL;
	cleanup_message sd_bus_message *reply = NULL;

	int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path);
	if (r < 0)
		return failed(step, unit, r, error);
	const struct link_call call = {
		.path = path,
		.interface = "org.freedesktop.DBus.Properties",
		.member = "GetAll",
		.arguments = {""},
	};
	r = link_call(&manager->link, &call, wait, &reply);
	if (r < 0)
		return failed(step, unit, r, error);
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	if (refusal)
		return sentence_refusal(step, unit, refusal, error);
	*ret = take_ptr(reply);
	return 0;
}

static int look_at(struct manager *manager, const char *unit, const struct wait *wait,
		   struct look *ret, struct error *error)
{
	cleanup_message sd_bus_message *reply = NULL;
	struct look look = {.job = ""};

	int r = manager_properties(manager, unit, wait, &reply, error);
	if (r < 0)
		return r;
	r = bus_read_properties(reply, properties, array_size(properties), &look);
	if (r < 0)
		return failed(look_step, unit, r, error);
	*ret = look;
	return 0;
}

int manager_unit(struct manager *manager, const char *unit, const struct wait *wait,
		 struct unit_moment *ret, struct error *error)
{
	struct look look;
	int r = look_at(manager, unit, wait, &look, error);

	if (r >= 0)
		*ret = look.moment;
	return r;
}

/* ---- jobs ---- */

static const struct {
	const char *step;
	const char *member;
} kinds[] = {
	[JOB_START] = {"start", "StartUnit"},
	[JOB_RESTART] = {"restart", "RestartUnit"},
	[JOB_RELOAD] = {"reload", "ReloadUnit"},
	[JOB_STOP] = {"stop", "StopUnit"},
};

/* The rest of StartTransientUnit()'s arguments: a(sv) and, unused, a(sa(sv)). While it is in the
 * hands of this connection systemd does not forget it, and afterwards at once. */
static int fill_transient(sd_bus_message *message, void *context)
{
	const struct transient *transient = context;
	int r = sd_bus_message_open_container(message, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(message, "(sv)(sv)", "AddRef", "b", 1, "CollectMode", "s",
					  "inactive-or-failed");
	if (r >= 0)
		r = transient->add_properties(message, transient->context);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_append(message, "a(sa(sv))", 0);
}

/* -ENOTCONN: nobody knows whether it was queued. */
static int queue_job(struct manager *manager, struct watched_job *job, const struct wait *wait,
		     struct error *error)
{
	const char *step = kinds[job->kind].step;
	const struct link_call call = {
		.path = SYSTEMD_PATH,
		.interface = MANAGER,
		.member = job->transient ? "StartTransientUnit" : kinds[job->kind].member,
		.arguments = {job->unit, job->transient ? "fail" : "replace"},
		.fill = job->transient ? fill_transient : NULL,
		.context = (void *)job->transient,
		.limit_us = QUEUE_US,
	};
	cleanup_message sd_bus_message *reply = NULL;
	const char *path;

	int r = link_call_once(&manager->link, &call, wait, &reply);
	if (r == -ENOTCONN)
		return r;
	if (r < 0)
		return failed(step, job->unit, r, error);
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	if (refusal)
		return sentence_refusal(step, job->unit, refusal, error);
	r = sd_bus_message_read_basic(reply, 'o', &path);
	if (r < 0)
		return failed(step, job->unit, r, error);
	(void)snprintf(job->path, sizeof job->path, "%s", path);
	return 0;
}

/* Time of its own for what comes after a wait that may have ended with an interrupt. */
static struct wait afterwards(const struct wait *wait)
{
	struct wait own = *wait;

	own.deadline_us = clock_now_us() + AFTERWARDS_US;
	own.interrupt_fd = -1;
	return own;
}

static void cancel_job(struct manager *manager, const struct watched_job *job,
		       const struct wait *wait)
{
	const struct link_call call = {
		.path = job->path,
		.interface = SYSTEMD_NAME ".Job",
		.member = "Cancel",
	};
	const struct wait own = afterwards(wait);
	cleanup_message sd_bus_message *reply = NULL;

	/* It may just have ended. */
	if (*job->path)
		(void)link_call(&manager->link, &call, &own, &reply);
}

/* What the unit's state says about a job that has gone and whose result nobody heard. */
static void judge(struct watched_job *job, const struct unit_moment *before,
		  const struct unit_moment *now)
{
	bool active = strcmp(now->active_state, "active") == 0 ||
		      strcmp(now->active_state, "reloading") == 0;
	bool same = *now->invocation && strcmp(now->invocation, before->invocation) == 0;
	const char *result = active == (job->kind != JOB_STOP) ? "done" : "failed";

	if (active && same && job->kind == JOB_RESTART)
		result = "canceled";
	(void)snprintf(job->result, sizeof job->result, "%s", result);
}

/* Looks at the unit, on a new connection where the old one was lost. A call whose fate is unknown
 * is made again, unless the unit shows its traces. */
static int look_after(struct manager *manager, struct watched_job *job,
		      const struct unit_moment *before, const struct wait *wait,
		      struct error *error)
{
	struct look look = {.job = ""};
	int r = look_at(manager, job->unit, wait, &look, error);

	if (r < 0 || *job->result)
		return r;
	if (look.moment.has_job) {
		if (!*job->path)
			(void)snprintf(job->path, sizeof job->path, "%s", look.job);
		return 0;
	}
	if (!*job->path && strcmp(look.moment.invocation, before->invocation) == 0)
		return queue_job(manager, job, wait, error);
	judge(job, before, &look.moment);
	return 0;
}

static int await_job(struct manager *manager, struct watched_job *job,
		     const struct unit_moment *before, const struct wait *wait, struct error *error)
{
	uint64_t interval = LOOK_US;
	uint64_t next = clock_now_us() + interval;
	int r = queue_job(manager, job, wait, error);

	while ((r == 0 || r == -ENOTCONN) && !*job->result) {
		if (r == -ENOTCONN) {
			/* Not at once: whoever hangs up may do so again. */
			interval = LOOK_AGAIN_US;
			next = clock_now_us() + interval;
			r = wait_for(wait, -1, 0, next);
		} else {
			r = link_step(&manager->link, wait, next);
		}
		if (r == 0 && clock_now_us() >= next && !*job->result) {
			r = look_after(manager, job, before, wait, error);
			next = clock_now_us() + interval;
		}
	}
	return *job->result ? 0 : r;
}

/* Past the deadline, or interrupted. */
static int give_up(struct manager *manager, const struct watched_job *job, int r,
		   const struct wait *wait, struct error *error)
{
	const char *step = kinds[job->kind].step;

	cancel_job(manager, job, wait);
	if (r == -ETIMEDOUT)
		return error_set(error, r, step, job->unit,
				 "it did not come to an end in time (see --timeout), so the job "
				 "was cancelled");
	return error_set(error, r, step, job->unit, "interrupted; the job was cancelled");
}

/* The job's result as a sentence, with the unit's own where that is the cause. */
static int conclude(struct manager *manager, const struct watched_job *job, const struct wait *wait,
		    struct error *error)
{
	const struct wait own = afterwards(wait);
	struct unit_moment moment = {.result = ""};

	if (strcmp(job->result, "done") == 0)
		return 0;
	(void)manager_unit(manager, job->unit, &own, &moment, NULL);
	return sentence_job_result(kinds[job->kind].step, job->unit, job->result,
				   job->kind == JOB_RELOAD ? moment.reload_result : moment.result,
				   error);
}

static int run_job(struct manager *manager, struct watched_job *job, const struct wait *wait,
		   struct error *error)
{
	struct unit_moment before;
	struct error why = ERROR_NONE;

	int r = manager_unit(manager, job->unit, wait, &before, error);
	if (r < 0)
		return r;
	manager->job = job;
	r = await_job(manager, job, &before, wait, &why);
	manager->job = NULL;
	if (r == 0)
		return conclude(manager, job, wait, error);
	if (*job->path && (r == -ETIMEDOUT || r == -ECANCELED))
		return give_up(manager, job, r, wait, error);
	if (!why.code)
		return failed(kinds[job->kind].step, job->unit, r, error);
	return error_set(error, r, why.step, why.path, "%s", why.text);
}

int manager_run_job(struct manager *manager, enum unit_job kind, const char *unit,
		    const struct wait *wait, struct error *error)
{
	struct watched_job job = {.kind = kind, .unit = unit};

	return run_job(manager, &job, wait, error);
}

int manager_start_transient(struct manager *manager, const struct transient *transient,
			    const struct wait *wait, bool *ret_refused, struct error *error)
{
	struct watched_job job = {
		.kind = JOB_START,
		.unit = transient->unit,
		.transient = transient,
	};
	int r = run_job(manager, &job, wait, error);

	*ret_refused = r < 0 && r != -ETIMEDOUT && r != -ECANCELED && r != -ENOMEM && !*job.path;
	return r;
}

static int fill_kill(sd_bus_message *message, void *context)
{
	const int *signal = context;

	return sd_bus_message_append(message, "i", *signal);
}

int manager_kill(struct manager *manager, const char *unit, int signal, const struct wait *wait,
		 struct error *error)
{
	const struct link_call call = {
		.path = SYSTEMD_PATH,
		.interface = MANAGER,
		.member = "KillUnit",
		.arguments = {unit, "all"},
		.fill = fill_kill,
		.context = &signal,
	};
	static const char step[] = "kill";
	cleanup_message sd_bus_message *reply = NULL;

	int r = link_call(&manager->link, &call, wait, &reply);
	if (r < 0)
		return failed(step, unit, r, error);
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	/* ESRCH: it has no process, which systemd says in words of its own from 25x on. */
	if (!refusal || sd_bus_error_has_name(refusal, SYSTEMD_NAME ".NoSuchUnit") ||
	    sd_bus_error_get_errno(refusal) == ESRCH ||
	    sd_bus_error_has_name(refusal, SYSTEMD_NAME ".NoSuchProcess"))
		return 0;
	return sentence_refusal(step, unit, refusal, error);
}
