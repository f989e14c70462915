#include "apply/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apply/wait.h"
#include "base/text.h"
#include "core/unitline.h"
#include "host/clock.h"
#include "host/gather.h"
#include "host/http.h"
#include "host/unit.h"

/* How long one question may take while the daemon starts: it accepts before it answers. */
#define PING_US 1000000
/* Between two questions. */
#define PAUSE_US 10000
/* How often systemd is asked whether there is still something to wait for. */
#define WATCH_US 250000
/* How long a daemon must stay. */
#define STAY_US 500000

#define REPLY_MAX ((size_t)4 * 1024 * 1024)

void daemon_done(struct daemon *daemon)
{
	manager_close(&daemon->manager);
}

static struct wait wait_in(const struct daemon *daemon, unsigned seconds)
{
	const struct progress *progress = daemon->progress;

	return (struct wait){
		.deadline_us = clock_now_us() + (uint64_t)seconds * 1000000,
		.interrupt_fd = daemon->interrupt_fd,
		.tick = progress ? progress->tick : NULL,
		.context = progress ? progress->context : NULL,
	};
}

struct wait daemon_wait(const struct daemon *daemon)
{
	return wait_in(daemon, daemon->timeout_seconds);
}

int daemon_phase(struct daemon *daemon, enum phase phase, const char *text,
		 int (*step)(void *context, struct error *error), void *context,
		 struct error *error)
{
	const struct progress *progress = daemon->progress;
	uint64_t begin = clock_now_us();

	daemon->depth++;
	if (progress && progress->begin)
		progress->begin(progress->context, phase, text);
	int r = step(context, error);
	uint64_t took = clock_now_us() - begin;
	if (progress && progress->end)
		progress->end(progress->context, r >= 0, took);
	if (--daemon->depth == 0)
		daemon->phase_us[phase] += took;
	return r;
}

static int open_manager(struct daemon *daemon, const struct wait *wait, struct error *error)
{
	return daemon->manager ? 0 : manager_open(wait, &daemon->manager, error);
}

int daemon_reload_units(struct daemon *daemon, struct error *error)
{
	const struct wait wait = daemon_wait(daemon);
	int r = open_manager(daemon, &wait, error);

	return r < 0 ? r : manager_reload(daemon->manager, &wait, error);
}

int daemon_command_line_is(struct daemon *daemon, const struct strlist *expected,
			   struct error *error)
{
	const struct wait wait = wait_in(daemon, daemon->timeout_seconds);
	cleanup_facts struct facts facts = FACTS_EMPTY;
	bool same = false;

	int r = unit_read(daemon->unit, wait.deadline_us, &facts.unit, &facts.unseen,
			  &facts.bus_calls, error);
	if (r == 0 && !facts.unit.known)
		return error_set(error, -EIO, "check", daemon->unit, "%s",
				 facts.unseen.count ? facts.unseen.items[0]
						    : "systemd does not load it any more");
	if (r == 0)
		r = unit_compare(&facts.unit, expected, &same, error);
	if (r < 0 || same)
		return r;
	return error_set(error, -EIO, "check", daemon->unit,
			 "systemd would not start dockerd with the command line that was planned: "
			 "another file of the unit has the last word");
}

int daemon_moment(struct daemon *daemon, struct unit_moment *ret, struct error *error)
{
	const struct wait wait = daemon_wait(daemon);
	int r = open_manager(daemon, &wait, error);

	return r < 0 ? r : manager_unit(daemon->manager, daemon->unit, &wait, ret, error);
}

/* ---- asking ---- */

/* One question; 0 when it was answered with status 200, and then *ret (may be NULL) is the body. */
static int ask(const struct daemon *daemon, const char *path, uint64_t deadline_us, json_t **ret)
{
	struct http_request request;

	http_start(&request, daemon->socket_path, path, REPLY_MAX);
	http_finish(&request, 1, deadline_us);
	int r = request.result;
	if (r == 0 && request.reply.status != 200)
		r = -EPROTO;
	if (r == 0 && ret) {
		*ret = json_loadb(request.reply.body, request.reply.body_length, 0, NULL);
		r = *ret ? 0 : -EBADMSG;
	}
	http_request_done(&request);
	return r;
}

static uint64_t ask_until(const struct wait *wait)
{
	uint64_t soon = clock_now_us() + PING_US;

	return soon < wait->deadline_us ? soon : wait->deadline_us;
}

/* A service that is neither active nor on its way to be will not answer. That systemd does not
 * answer says nothing about it. */
static int check_alive(struct daemon *daemon, const struct wait *wait, struct error *error)
{
	struct unit_moment moment;
	struct error ignored = ERROR_NONE;

	if (manager_unit(daemon->manager, daemon->unit, wait, &moment, &ignored) < 0)
		return 0;
	bool dead = strcmp(moment.active_state, "failed") == 0 ||
		    strcmp(moment.active_state, "inactive") == 0;
	if (dead && !moment.has_job)
		return error_set(error, -EIO, "wait for", daemon->unit, "it is %s (%s)",
				 moment.active_state, moment.result);
	return 0;
}

static int not_in_time(const struct daemon *daemon, int r, const char *what, struct error *error)
{
	if (r == -ECANCELED)
		return error_set(error, r, "wait for", daemon->unit, "interrupted");
	return error_set(error, r, "wait for", daemon->unit, "%s within %u seconds (see --timeout)",
			 what, daemon->timeout_seconds);
}

/* Asks again and again until `good` is content. */
static int ask_until_good(struct daemon *daemon, const char *path,
			  bool (*good)(const json_t *reply, const void *context),
			  const void *context, const char *what, struct error *error)
{
	const struct wait wait = daemon_wait(daemon);
	uint64_t watch = clock_now_us() + WATCH_US;
	int r = open_manager(daemon, &wait, error);

	while (r == 0) {
		json_auto_t *reply = NULL;
		int asked = ask(daemon, path, ask_until(&wait), good ? &reply : NULL);
		if (asked == 0 && (!good || good(reply, context)))
			return 0;
		if (clock_now_us() >= watch) {
			r = check_alive(daemon, &wait, error);
			watch = clock_now_us() + WATCH_US;
		}
		if (r == 0)
			r = wait_for(&wait, -1, 0, clock_now_us() + PAUSE_US);
		if (r == -ETIMEDOUT || r == -ECANCELED)
			r = not_in_time(daemon, r, what, error);
	}
	return r;
}

int daemon_wait_answer(struct daemon *daemon, struct error *error)
{
	if (!daemon->socket_path || !*daemon->socket_path)
		return 0;
	return ask_until_good(daemon, "/_ping", NULL, NULL, "its API did not answer", error);
}

/* ---- telling ---- */

static bool live_restore_is(const json_t *info, const void *context)
{
	const bool *wanted = context;

	return *wanted ? json_is_true(json_object_get(info, "LiveRestoreEnabled"))
		       : json_is_false(json_object_get(info, "LiveRestoreEnabled"));
}

int daemon_reload(struct daemon *daemon, bool live_restore, struct error *error)
{
	const struct wait wait = daemon_wait(daemon);
	int r = open_manager(daemon, &wait, error);

	if (r == 0)
		r = manager_run_job(daemon->manager, JOB_RELOAD, daemon->unit, &wait, error);
	if (r < 0 || !daemon->socket_path || !*daemon->socket_path)
		return r;
	return ask_until_good(daemon, "/info", live_restore_is, &live_restore,
			      live_restore ? "live-restore did not come on"
					   : "live-restore did not go off",
			      error);
}

/* "docker.socket" for "docker.service"; "" where the unit is something else. */
static void socket_unit(const char *unit, char *ret, size_t size)
{
	size_t length = strlen(unit);

	ret[0] = '\0';
	if (text_ends_with(unit, ".service") && length < size)
		(void)snprintf(ret, size, "%.*ssocket", (int)(length - strlen("service")), unit);
}

static int restart_job(void *context, struct error *error)
{
	struct daemon *daemon = context;
	const struct wait wait = daemon_wait(daemon);
	struct unit_moment moment;
	char socket[256];

	int r = open_manager(daemon, &wait, error);
	if (r == 0)
		r = manager_reset_failed(daemon->manager, daemon->unit, &wait, error);
	socket_unit(daemon->unit, socket, sizeof socket);
	if (r == 0 && *socket)
		r = manager_reset_failed(daemon->manager, socket, &wait, error);
	if (r < 0)
		return r;
	daemon->started_us = clock_realtime_us();
	daemon->called_us = clock_now_us();
	r = manager_run_job(daemon->manager, JOB_RESTART, daemon->unit, &wait, error);
	if (r == 0)
		r = manager_unit(daemon->manager, daemon->unit, &wait, &moment, error);
	/* This very process has to stay. One that dies now is soon replaced, by systemd or by the
	 * next connection to its socket, and nobody would notice. */
	if (r == 0)
		daemon->main_pid = moment.main_pid;
	return r;
}

static int wait_answer(void *context, struct error *error)
{
	return daemon_wait_answer(context, error);
}

int daemon_restart(struct daemon *daemon, struct error *error)
{
	char text[300];

	daemon->downtime_us = -1;
	daemon->answered_us = 0;
	(void)snprintf(text, sizeof text, "restart %s", daemon->unit);
	int r = daemon_phase(daemon, PHASE_RESTART, text, restart_job, daemon, error);
	if (r == 0)
		r = daemon_phase(daemon, PHASE_ANSWER, "wait for the daemon", wait_answer, daemon,
				 error);
	if (r < 0)
		return r;
	daemon->answered_us = clock_now_us();
	daemon->downtime_us = (int64_t)(daemon->answered_us - daemon->called_us);
	return 0;
}

/* ---- looking ---- */

int daemon_look(struct daemon *daemon, struct facts *ret, struct error *error)
{
	const struct gather_options gather = {
		.unit = daemon->unit,
		.config_file = daemon->config_file,
		.timeout_seconds = daemon->timeout_seconds,
	};
	cleanup_facts struct facts facts = FACTS_EMPTY;

	int r = gather_facts(&gather, &facts, error);
	if (r < 0)
		return r;
	if (!facts.info && daemon->socket_path && *daemon->socket_path)
		return error_set(error, -EIO, "ask", daemon->socket_path, "%s",
				 facts.unseen.count ? facts.unseen.items[0]
						    : "the daemon does not run");
	*ret = facts;
	facts = FACTS_EMPTY;
	return 0;
}

static int check_process(struct daemon *daemon, pid_t main_pid, struct error *error)
{
	struct unit_moment moment;
	int r = daemon_moment(daemon, &moment, error);

	if (r < 0)
		return r;
	if (strcmp(moment.active_state, "active") != 0)
		return error_set(error, -EIO, "prove", daemon->unit,
				 "it did not stay active: it is %s (%s)", moment.active_state,
				 moment.result);
	if (moment.main_pid != main_pid)
		return error_set(error, -EIO, "prove", daemon->unit,
				 "its process died and was replaced (%jd, now %jd)",
				 (intmax_t)main_pid, (intmax_t)moment.main_pid);
	return 0;
}

/* The process that has to stay: the one that was started, or else the one that runs. */
static int find_process(struct daemon *daemon, pid_t *ret, struct error *error)
{
	struct unit_moment moment;

	*ret = daemon->main_pid;
	if (*ret)
		return 0;
	int r = daemon_moment(daemon, &moment, error);
	if (r == 0)
		*ret = moment.main_pid;
	return r;
}

int daemon_stays(struct daemon *daemon, struct error *error)
{
	const struct wait wait = wait_in(daemon, daemon->timeout_seconds + 1);
	const uint64_t since = daemon->answered_us ? daemon->answered_us : clock_now_us();
	pid_t main_pid = 0;

	int r = find_process(daemon, &main_pid, error);
	if (r == 0)
		r = check_process(daemon, main_pid, error);

	if (r == 0)
		r = wait_for(&wait, -1, 0, since + STAY_US);
	if (r < 0)
		return r == -ECANCELED ? not_in_time(daemon, r, "", error) : r;
	return check_process(daemon, main_pid, error);
}
