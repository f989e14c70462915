#include "apply/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply/canary.h"
#include "base/text.h"
#include "core/canary.h"
#include "host/clock.h"
#include "host/command.h"

/* How long the daemon may take to let go of a canary. */
#define SWEEP_US 10000000

/* Of the command's output the end is kept: there it says why. */
#define OUTPUT_MAX 4096
#define OUTPUT_LINES 20

/* ---- the canary ---- */

static const char *why_no_canary(const struct run *run)
{
	const struct txn *txn = run->txn;

	if (run->options->no_canary)
		return "it was left out (--no-canary)";
	if (txn->daemon != DAEMON_RUNNING)
		return "the daemon does not run";
	if (txn->action == ACTION_NONE)
		return "nothing was reloaded or restarted";
	if (!run->daemon.socket_path || !*run->daemon.socket_path)
		return "the daemon's API is at no socket";
	return NULL;
}

bool trial_has_canary(struct run *run)
{
	const char *why = why_no_canary(run);
	struct error ignored = ERROR_NONE;

	if (run->txn->kind != TXN_APPLY)
		return false;
	if (why)
		(void)run_set_text(&run->report->canary.reason, why, &ignored);
	return !why;
}

static int canary_failed(struct run *run, const struct canary *canary, struct error *error)
{
	/* What is not the apply's fault is not mended by going back. */
	run_say(&run->report->advice,
		"Where containers did not start before either, harden apply --no-canary leaves "
		"this out.");
	return error_set(error, -EIO, "run a canary in", run->txn->unit, "%s%s%s", canary->reason,
			 canary->key ? "; the setting is " : "", canary->key ? canary->key : "");
}

static int run_canary(void *context, struct error *error)
{
	struct run *run = context;
	struct canary *canary = &run->report->canary;
	const struct wait wait = daemon_wait(&run->daemon);
	const struct canary_options options = {
		.socket_path = run->daemon.socket_path,
		.id = run->txn->id,
		.wait = &wait,
	};

	canary_done(canary);
	int r = canary_run(&options, canary, error);
	if (r < 0)
		return r;
	run->txn->canary = canary->left;
	if (canary->left)
		run_say(&run->report->notes,
			"The canary's container or image could not be removed: " CANARY_NAME
			"-%s. The next apply takes it away.",
			run->txn->id);
	if (canary->state == CANARY_SKIPPED)
		run_say(&run->report->notes, "No canary could be run: %s", canary->reason);
	return canary->state == CANARY_FAILED ? canary_failed(run, canary, error) : 0;
}

int trial_canary(struct run *run, struct error *error)
{
	return daemon_phase(&run->daemon, PHASE_CANARY, "run a canary", run_canary, run, error);
}

void trial_sweep(struct run *run)
{
	struct txn *txn = run->txn;
	const struct wait wait = {
		.deadline_us = clock_now_us() + SWEEP_US,
		.interrupt_fd = -1,
	};
	struct error ignored = ERROR_NONE;
	struct unit_moment moment;

	if (!txn->canary || !run->daemon.socket_path || !*run->daemon.socket_path ||
	    daemon_moment(&run->daemon, &moment, &ignored) < 0 ||
	    strcmp(moment.active_state, "active") != 0)
		return;
	if (canary_remove(run->daemon.socket_path, txn->id, &wait, &ignored) == 0)
		txn->canary = false;
}

/* ---- the admin's own command ---- */

/* harden's own environment and a few more, which come first: of two, the first counts. */
static char **make_environment(const struct run *run, struct strlist *own)
{
	size_t count = 0;

	(void)strlist_addf(own, "HARDEN_ID=%s", run->txn->id);
	(void)strlist_addf(own, "HARDEN_UNIT=%s", run->txn->unit);
	if (run->daemon.socket_path && *run->daemon.socket_path)
		(void)strlist_addf(own, "DOCKER_HOST=unix://%s", run->daemon.socket_path);
	while (environ[count])
		count++;
	char **all = calloc(own->count + count + 1, sizeof *all);
	if (!all)
		return NULL;
	if (own->count)
		memcpy(all, own->items, own->count * sizeof *all);
	memcpy(all + own->count, environ, count * sizeof *all);
	return all;
}

/* The last lines, for people. */
static void take_lines(struct run *run, const char *text)
{
	struct strlist *lines = &run->report->output;
	size_t count = 0;

	for (const char *c = text; *c; c++)
		count += *c == '\n' && c[1];
	for (; *text; count--) {
		size_t length = strcspn(text, "\n");
		cleanup_strbuf struct strbuf line = STRBUF_EMPTY;

		(void)text_add_printable(&line, text, length, false);
		if (count < OUTPUT_LINES)
			(void)strlist_take(lines, strbuf_finish(&line));
		text += length + (text[length] == '\n');
	}
}

static int judge_status(const char *command, int status, struct error *error)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return error_set(error, -EIO, "verify with", command, "it ended with status %d",
				 WEXITSTATUS(status));
	return error_set(error, -EIO, "verify with", command, "it was ended by signal %d",
			 WTERMSIG(status));
}

static int run_command(void *context, struct error *error)
{
	struct run *run = context;
	const char *text = run->options->verify_command;
	const struct wait wait = daemon_wait(&run->daemon);
	const struct command_watch watch = {wait.interrupt_fd, wait.tick, wait.context};
	cleanup_strlist struct strlist own = {.items = NULL};
	cleanup_strbuf struct strbuf output = STRBUF_EMPTY;
	cleanup_free char **environment = make_environment(run, &own);
	const struct command command = {
		.argv = (const char *const[]){"/bin/sh", "-c", text, NULL},
		.errors = true,
		.output_max = OUTPUT_MAX,
		.last = true,
		.group = true,
		.environment = environment,
		.watch = &watch,
	};
	int status = 0;

	if (!environment)
		return error_set_oom(error);
	int r = command_run(&command, wait.deadline_us, &output, &status);
	if (r == -ETIMEDOUT)
		(void)error_set(error, r, "verify with", text,
				"it did not end within %u seconds (see --timeout)",
				run->daemon.timeout_seconds);
	else if (r == -ECANCELED)
		(void)error_set(error, r, "verify with", text, "interrupted");
	else if (r < 0)
		(void)error_set_errno(error, -r, "verify with", text);
	else
		r = judge_status(text, status, error);
	if (r < 0 && output.data)
		take_lines(run, output.data);
	return r;
}

int trial_verify(struct run *run, struct error *error)
{
	if (!run->options->verify_command || run->txn->kind != TXN_APPLY)
		return 0;
	return daemon_phase(&run->daemon, PHASE_VERIFY, "run the command", run_command, run, error);
}

/* ---- the admin's own yes ---- */

int trial_confirm(struct run *run, struct error *error)
{
	uint64_t begin = clock_now_us();

	if (!run->options->confirm || run->txn->kind != TXN_APPLY)
		return 0;
	int r = run->options->confirm(run->options->confirm_context, error);
	run->report->phase_us[PHASE_CONFIRM] += clock_now_us() - begin;
	/* The terminal may be gone, or full: nothing is written to it before the host is back. */
	if (r < 0)
		run->daemon.progress = NULL;
	return r;
}
