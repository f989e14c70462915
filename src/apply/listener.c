#include "apply/listener.h"

#include <errno.h>
#include <stdio.h>

#include "apply/manager.h"
#include "apply/wait.h"
#include "base/text.h"
#include "core/syslog.h"
#include "host/clock.h"
#include "host/rsyslog.h"
#include "host/syslog.h"

/* Its own check of the configuration. */
#define CHECK_US 10000000
/* How long after its start it may take to listen, or after its end to let go. */
#define SETTLE_US 10000000
#define TRY_US 1000000
#define PAUSE_US 20000

struct listening {
	struct run *run;
	struct manager *manager;
	struct syslog_address address;
};

static void listening_done(struct listening *listening)
{
	manager_close(&listening->manager);
	syslog_address_done(&listening->address);
}

static int begin(struct listening *listening, struct run *run, struct error *error)
{
	const struct wait wait = daemon_wait(&run->daemon);

	*listening = (struct listening){.run = run};
	int r = syslog_address_parse(run->txn->listener.address, &listening->address, error);
	return r < 0 ? r : manager_open(&wait, &listening->manager, error);
}

static int look(const struct listening *listening, struct unit_moment *ret, struct error *error)
{
	const struct wait wait = daemon_wait(&listening->run->daemon);

	return manager_unit(listening->manager, listening->run->txn->listener.unit, &wait, ret,
			    error);
}

static int restart(const struct listening *listening, struct error *error)
{
	const char *unit = listening->run->txn->listener.unit;
	const struct wait wait = daemon_wait(&listening->run->daemon);
	int r = manager_reset_failed(listening->manager, unit, &wait, error);

	return r < 0 ? r : manager_run_job(listening->manager, JOB_RESTART, unit, &wait, error);
}

/* Until it is as it should be: open or closed. */
static int prove(const struct listening *listening, bool open, struct error *error)
{
	const struct txn_listener *listener = &listening->run->txn->listener;
	struct wait wait = daemon_wait(&listening->run->daemon);
	struct syslog_answer answer = {.answers = UNKNOWN};
	uint64_t settled = clock_now_us() + SETTLE_US;
	int r = 0;

	if (settled < wait.deadline_us)
		wait.deadline_us = settled;
	while (r == 0) {
		r = syslog_try(&listening->address, clock_now_us() + TRY_US, &answer, error);
		if (r < 0 || answer.answers == (open ? YES : NO))
			return r;
		r = wait_for(&wait, -1, 0, clock_now_us() + PAUSE_US);
	}
	if (r == -ECANCELED)
		return error_set(error, r, "restart", listener->unit, "interrupted");
	if (open)
		return error_set(error, -EIO, "prove", listener->unit,
				 "it was restarted, and still nobody takes logs at %s (%s); see "
				 "journalctl -u %s",
				 listener->address, answer.reason, listener->unit);
	/* Somebody else has opened it since, and that is theirs. */
	run_say(&listening->run->report->notes,
		"%s was restarted, and %s is still open: see ss -ltnp.", listener->unit,
		listener->address);
	return 0;
}

int listener_look(struct run *run, struct error *error)
{
	scoped(listening_done) struct listening listening = {.run = run};
	struct txn_listener *listener = &run->txn->listener;
	struct unit_moment moment = {.active_state = ""};

	if (!listener->unit || run->options->no_restart || run->options->offline)
		return 0;
	int r = begin(&listening, run, error);
	if (r == 0)
		r = look(&listening, &moment, error);
	return r < 0 ? r : run_set_text(&listener->invocation, moment.invocation, error);
}

/* ---- the four ways ---- */

static int open_step(void *context, struct error *error)
{
	struct run *run = context;
	scoped(listening_done) struct listening listening = {.run = run};

	int r = rsyslog_check(clock_now_us() + CHECK_US, error);
	if (r == 0)
		r = begin(&listening, run, error);
	if (r == 0)
		r = restart(&listening, error);
	return r < 0 ? r : prove(&listening, true, error);
}

static int close_step(void *context, struct error *error)
{
	struct run *run = context;
	scoped(listening_done) struct listening listening = {.run = run};

	int r = begin(&listening, run, error);
	if (r == 0)
		r = restart(&listening, error);
	return r < 0 ? r : prove(&listening, false, error);
}

static int in_phase(struct run *run, int (*step)(void *context, struct error *error),
		    struct error *error)
{
	char text[300];

	(void)snprintf(text, sizeof text, "restart %s", run->txn->listener.unit);
	return daemon_phase(&run->daemon, PHASE_RELOAD, text, step, run, error);
}

static bool is_left_alone(struct run *run)
{
	if (!run->txn->listener.unit || run->options->offline)
		return true;
	if (run->options->no_restart)
		run_say(&run->report->notes, "%s was left alone: its next start reads the files.",
			run->txn->listener.unit);
	return run->options->no_restart;
}

int listener_open(struct run *run, struct error *error)
{
	return is_left_alone(run) ? 0 : in_phase(run, open_step, error);
}

/* Whether it runs, and whether that is the start that was there before. */
static int examine(struct run *run, bool *ret_runs, bool *ret_same, struct error *error)
{
	scoped(listening_done) struct listening listening = {.run = run};
	struct unit_moment moment = {.active_state = ""};

	int r = begin(&listening, run, error);
	if (r == 0)
		r = look(&listening, &moment, error);
	if (r < 0)
		return r;
	*ret_runs = text_equal(moment.active_state, "active");
	*ret_same =
		*moment.invocation && text_equal(moment.invocation, run->txn->listener.invocation);
	return 0;
}

int listener_close(struct run *run, struct error *error)
{
	bool runs = false;
	bool same = false;

	if (is_left_alone(run))
		return 0;
	int r = examine(run, &runs, &same, error);
	return r < 0 || !runs ? r : in_phase(run, close_step, error);
}

/* Unless it was stopped meanwhile, or is still the start of before. */
static int settle_again(struct run *run, int (*step)(void *context, struct error *error),
			struct error *error)
{
	bool runs = false;
	bool same = false;

	if (is_left_alone(run))
		return 0;
	int r = examine(run, &runs, &same, error);
	return r < 0 || !runs || same ? r : in_phase(run, step, error);
}

int listener_undo(struct run *run, struct error *error)
{
	return settle_again(run, close_step, error);
}

int listener_reopen(struct run *run, struct error *error)
{
	return settle_again(run, open_step, error);
}
