#include "apply/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/containers.h"
#include "apply/journal.h"
#include "apply/listener.h"
#include "apply/run.h"
#include "apply/switch.h"
#include "apply/trial.h"
#include "apply/wait.h"
#include "base/text.h"
#include "core/canary.h"
#include "core/containers.h"
#include "core/dockerlog.h"
#include "host/clock.h"

/* How long dockerd's last words may take to reach the journal. */
#define WORDS_US 1500000
#define WORDS_MAX 5

/* ---- reports ---- */

const char *outcome_name(enum outcome outcome, enum txn_kind kind)
{
	static const char *const names[] = {
		[OUTCOME_UNCHANGED] = "unchanged",
		[OUTCOME_APPLIED] = "applied",
		[OUTCOME_INCOMPLETE] = "incomplete",
		[OUTCOME_ROLLED_BACK] = "rolled-back",
		[OUTCOME_ROLLBACK_FAILED] = "rollback-failed",
		[OUTCOME_REFUSED] = "refused",
	};

	if (kind == TXN_ROLLBACK && outcome == OUTCOME_APPLIED)
		return names[OUTCOME_ROLLED_BACK];
	if (kind == TXN_ROLLBACK && outcome == OUTCOME_ROLLED_BACK)
		return names[OUTCOME_UNCHANGED];
	return names[outcome];
}

void report_done(struct report *report)
{
	free(report->id);
	strlist_done(&report->words);
	strlist_done(&report->output);
	strlist_done(&report->advice);
	strlist_done(&report->notes);
	free(report->proofs);
	canary_done(&report->canary);
	strlist_done(&report->containers_stopped);
	strlist_done(&report->containers_lost);
	*report = REPORT_EMPTY;
}

/* ---- forward ---- */

struct forward {
	struct run *run;
	const struct facts *facts; /* from before */
	bool stored;               /* the record is on the disk */
	struct facts after;
};

static void forward_done(struct forward *forward)
{
	facts_done(&forward->after);
}

static int save_state(struct run *run, enum txn_state state, struct error *error)
{
	run->txn->state = state;
	return store_save(run->options->store, run->txn, error);
}

static int check_interrupt(const struct run *run, struct error *error)
{
	const struct wait wait = {.interrupt_fd = run->options->interrupt_fd};

	return wait_interrupted(&wait) ? error_set(error, -ECANCELED, "apply", NULL, "interrupted")
				       : 0;
}

/* Which process is to be replaced; that systemd answers is found out while nothing has been done.
 */
static int look_at_unit(struct run *run, struct error *error)
{
	struct txn *txn = run->txn;
	struct unit_moment moment;

	if (txn->daemon != DAEMON_RUNNING || (txn->action == ACTION_NONE && !txn->units_changed))
		return 0;
	int r = daemon_moment(&run->daemon, &moment, error);
	return r < 0 ? r : run_set_text(&txn->invocation, moment.invocation, error);
}

static int prepare(void *context, struct error *error)
{
	struct forward *forward = context;
	struct run *run = forward->run;

	int r = transaction_check(run->txn, forward->facts, error);
	if (r == 0)
		r = switch_check(run->txn, error);
	if (r == 0)
		r = look_at_unit(run, error);
	if (r == 0)
		r = listener_look(run, error);
	if (r == 0)
		r = store_add(run->options->store, run->txn, error);
	if (r < 0)
		return r;
	forward->stored = true;
	journal_send(run->txn->kind == TXN_APPLY ? EVENT_APPLY_STARTED : EVENT_ROLLBACK_STARTED,
		     run->txn, run->txn->kind == TXN_APPLY ? "apply started" : "rollback started");
	r = switch_prepare(run->txn, error);
	return r < 0 ? r : check_interrupt(run, error);
}

/* The config's file may have to wait for its turn. */
static int switch_files(struct run *run, bool with_config, struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->txn->file_count; i++)
		if (with_config || !run->txn->files[i].config)
			r = switch_forward(&run->txn->files[i], error);
	return r;
}

static int switch_all(void *context, struct error *error)
{
	return switch_files(context, true, error);
}

/* All files but daemon.json, which is to be the new one with live-restore still on. */
static int switch_for_restart(void *context, struct error *error)
{
	struct run *run = context;
	const struct txn_file *config = run_config(run);
	int r = switch_files(run, false, error);

	return r < 0 || !config ? r : switch_step(config, &config->after, true, NULL, error);
}

static int switch_others(void *context, struct error *error)
{
	return switch_files(context, false, error);
}

static int in_switch_phase(struct run *run, int (*step)(void *context, struct error *error),
			   struct error *error)
{
	return daemon_phase(&run->daemon, PHASE_SWITCH,
			    run->txn->file_count == 1 ? "write the file" : "write the files", step,
			    run, error);
}

static int reload_units(void *context, struct error *error)
{
	struct run *run = context;

	return daemon_reload_units(&run->daemon, error);
}

/* What systemd makes of the new files has to be what was planned: nobody else may have had a hand
 * in it, and no drop-in may have been overlooked. */
static int check_command_line(void *context, struct error *error)
{
	struct run *run = context;

	return daemon_command_line_is(&run->daemon, &run->txn->command_line, error);
}

/* The files are in their places; where systemd's own are among them it has to know. */
static int tell_systemd(struct run *run, struct error *error)
{
	int r = check_interrupt(run, error);

	if (r == 0 && run->txn->units_changed && !run->options->offline &&
	    run->txn->daemon != DAEMON_ABSENT)
		r = daemon_phase(&run->daemon, PHASE_RELOAD, "systemctl daemon-reload",
				 reload_units, run, error);
	if (r == 0 && run->txn->command_line.count && !run->options->offline &&
	    run->txn->daemon != DAEMON_ABSENT)
		r = daemon_phase(&run->daemon, PHASE_RELOAD, "check the command line",
				 check_command_line, run, error);
	/* Going there, the log's listener comes before the daemon; going back, after it. */
	if (r == 0 && run->txn->kind == TXN_APPLY)
		r = listener_open(run, error);
	return r;
}

/* From here on the daemon may know. */
static int tell(struct run *run, struct error *error)
{
	int r = save_state(run, TXN_SWITCHED, error);

	return r < 0 ? r : tell_systemd(run, error);
}

static int stop_containers(void *context, struct error *error)
{
	struct run *run = context;

	return containers_stop(&run->daemon, &run->txn->running, error);
}

static int start_containers(void *context, struct error *error)
{
	struct run *run = context;
	cleanup_strlist struct strlist gone = {.items = NULL};
	int r = containers_start(&run->daemon, &run->txn->starts, false, &gone, error);

	if (r == 0 && gone.count)
		r = error_set(error, -EIO, "start", gone.items[0],
			      "it does not exist any more, so it cannot be started again");
	return r;
}

/* A phase that says how many containers it is about. */
static int containers_phase(struct run *run, enum phase phase, const char *verb, size_t count,
			    int (*step)(void *context, struct error *error), struct error *error)
{
	char text[80];

	(void)snprintf(text, sizeof text, "%s %zu container%s", verb, count, count == 1 ? "" : "s");
	return daemon_phase(&run->daemon, phase, text, step, run, error);
}

static int restart(struct run *run, struct error *error)
{
	const struct txn *txn = run->txn;
	int r = check_interrupt(run, error);

	if (r == 0 && txn->stops)
		r = containers_phase(run, PHASE_STOP, "stop", txn->running.count, stop_containers,
				     error);
	if (r == 0)
		r = daemon_restart(&run->daemon, error);
	if (r == 0)
		run->report->downtime_us = run->daemon.downtime_us;
	if (r == 0 && txn->starts.count)
		r = containers_phase(run, PHASE_START, "start", txn->starts.count, start_containers,
				     error);
	return r;
}

/* live-restore goes on while the old daemon runs, so that its containers outlive it. */
static int keep_and_restart(struct run *run, struct error *error)
{
	const struct txn_file *config = run_config(run);
	int r = save_state(run, TXN_SWITCHED, error);

	if (r == 0)
		r = run_reload(run, config ? &config->before : NULL, true, true, error);
	if (r == 0)
		r = in_switch_phase(run, switch_all, error);
	if (r == 0)
		r = tell_systemd(run, error);
	return r < 0 ? r : restart(run, error);
}

/* live-restore goes off once the new daemon runs, for the same reason. */
static int restart_and_release(struct run *run, struct error *error)
{
	const struct txn_file *config = run_config(run);
	int r = in_switch_phase(run, switch_for_restart, error);

	if (r == 0)
		r = tell(run, error);
	if (r == 0)
		r = restart(run, error);
	return r < 0 ? r : run_reload(run, config ? &config->after : NULL, false, false, error);
}

static int reload_only(struct run *run, struct error *error)
{
	const struct txn_file *config = run_config(run);
	int r = in_switch_phase(run, switch_others, error);

	if (r == 0)
		r = tell(run, error);
	return r < 0 ? r
		     : run_reload(run, config ? &config->after : NULL, run->txn->live_restore,
				  false, error);
}

static int act(struct run *run, struct error *error)
{
	int r;

	switch (run->txn->action) {
	case ACTION_RELOAD:
		return reload_only(run, error);
	case ACTION_RELOAD_RESTART:
		return run->txn->live_restore ? keep_and_restart(run, error)
					      : restart_and_release(run, error);
	case ACTION_RESTART:
	case ACTION_NONE:
	default:
		r = in_switch_phase(run, switch_all, error);
		if (r == 0)
			r = tell(run, error);
		return r < 0 || run->txn->action == ACTION_NONE ? r : restart(run, error);
	}
}

/* ---- proof ---- */

static enum proof prove_one(const struct txn *txn, const struct expectation *expectation,
			    const struct facts *after)
{
	enum proof proof = txn->kind == TXN_APPLY
				   ? proof_of(after, expectation->key, expectation->wanted,
					      expectation->effect)
				   : proof_of_return(after, expectation->key, expectation->wanted,
						     expectation->effect);

	/* None ran when the daemon started, so there is nothing to wait for. */
	return proof == PROOF_PENDING && txn->stops ? PROOF_BAD : proof;
}

static int prove_settings(struct forward *forward, struct error *error)
{
	const struct txn *txn = forward->run->txn;
	struct report *report = forward->run->report;
	cleanup_strbuf struct strbuf wrong = STRBUF_EMPTY;

	report->proofs = calloc(txn->expectation_count + 1, sizeof *report->proofs);
	if (!report->proofs)
		return error_set_oom(error);
	report->proof_count = txn->expectation_count;
	for (size_t i = 0; i < txn->expectation_count; i++) {
		report->proofs[i] = prove_one(txn, &txn->expectations[i], &forward->after);
		if (report->proofs[i] == PROOF_BAD)
			(void)strbuf_addf(&wrong, "%s%s", wrong.length ? ", " : "",
					  txn->expectations[i].key);
	}
	if (wrong.length)
		return error_set(error, -EIO, "prove", txn->unit,
				 "the daemon runs, but does not enforce what its configuration "
				 "says: %s",
				 wrong.data ? wrong.data : "?");
	return 0;
}

static const struct container_facts *find_container(const struct facts *facts, const char *id)
{
	for (size_t i = 0; i < facts->container_count; i++)
		if (text_equal(facts->container_list[i].id, id))
			return &facts->container_list[i];
	return NULL;
}

/* One that was stopped and started again has another process. */
static bool ran_on(const struct container_facts *before, const struct container_facts *now)
{
	return !before->known || !now->known ||
	       (before->pid == now->pid && text_equal(before->started_at, now->started_at));
}

static bool is_started(const struct txn *txn, const char *id)
{
	for (size_t i = 0; i < txn->starts.count; i++)
		if (text_equal(txn->starts.items[i].id, id))
			return true;
	return false;
}

/* What became of one that was up. *ret_lost: it should run, and does not. One that has ended well
 * by itself is no loss, and one that is gone was started with --rm. */
static void count_container(const struct forward *forward, const struct container_facts *before,
			    bool *ret_lost)
{
	const struct txn *txn = forward->run->txn;
	struct report *report = forward->run->report;
	const struct container_facts *now = find_container(&forward->after, before->id);

	report->containers_before++;
	if (now && container_is_up(now)) {
		if (ran_on(before, now))
			report->containers_kept++;
		else
			report->containers_restarted++;
	} else if (txn->stops && !is_started(txn, before->id)) {
		run_say(&report->containers_stopped, "%s", before->name);
	} else {
		run_say(&report->containers_lost, "%s", before->name);
		*ret_lost |= now && !now->ended_well;
	}
}

/* Those that were to be started run, too. */
static void count_started(const struct forward *forward, bool *ret_lost)
{
	const struct txn_containers *starts = &forward->run->txn->starts;

	for (size_t i = 0; i < starts->count; i++) {
		const struct container_facts *now =
			find_container(&forward->after, starts->items[i].id);
		if (find_container(forward->facts, starts->items[i].id) ||
		    (now && (container_is_up(now) || now->ended_well)))
			continue;
		run_say(&forward->run->report->containers_lost, "%s", starts->items[i].name);
		*ret_lost = true;
	}
}

static size_t count_tasks(const struct facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->container_count; i++)
		count += facts->container_list[i].service &&
			 container_is_up(&facts->container_list[i]);
	return count;
}

/* Containers that were up before are up again, or it has failed. */
static int count_containers(struct forward *forward, struct error *error)
{
	struct run *run = forward->run;
	struct report *report = run->report;
	const struct facts *before = forward->facts;
	bool lost = false;

	if (!before->containers || !forward->after.containers)
		return 0;
	report->containers_before = 0;
	report->containers_kept = 0;
	report->containers_restarted = 0;
	for (size_t i = 0; i < before->container_count; i++)
		if (container_is_up(&before->container_list[i]) &&
		    !before->container_list[i].service)
			count_container(forward, &before->container_list[i], &lost);
	count_started(forward, &lost);
	if (run->txn->stops && count_tasks(before) &&
	    !containers_wait_tasks(&run->daemon, count_tasks(before)))
		run_say(&report->notes, "Not all tasks of swarm services are back yet; see docker "
					"service ls.");
	if (lost)
		return error_set(error, -EIO, "prove", run->txn->unit,
				 "containers that ran before do not run any more: %s",
				 report->containers_lost.items[0]);
	return txn_data_key(run->txn) ? containers_check_orphans(&run->daemon, before, error) : 0;
}

static int prove(void *context, struct error *error)
{
	struct forward *forward = context;
	struct run *run = forward->run;

	int r = daemon_look(&run->daemon, &forward->after, error);
	if (r == 0)
		r = canary_facts_copy(&run->report->canary.saw, &forward->after.canary, error);
	if (r == 0)
		r = prove_settings(forward, error);
	if (r == 0)
		r = count_containers(forward, error);
	return r < 0 ? r : daemon_stays(&run->daemon, error);
}

/* Whether something of it is in the files only. */
static bool is_incomplete(const struct forward *forward)
{
	const struct run *run = forward->run;
	const struct report *report = run->report;
	bool pending = run->txn->kind == TXN_APPLY &&
		       (run->options->incomplete ||
			(run->txn->daemon != DAEMON_RUNNING && !run->options->offline));

	for (size_t i = 0; i < report->proof_count; i++)
		pending |= report->proofs[i] == PROOF_PENDING;
	return pending || run->options->no_restart;
}

static int finish(struct forward *forward, struct error *error)
{
	struct run *run = forward->run;
	bool applies = run->txn->kind == TXN_APPLY;

	run->report->outcome = is_incomplete(forward) ? OUTCOME_INCOMPLETE : OUTCOME_APPLIED;
	int r = run_settle(run, TXN_COMMITTED, run->report->outcome, error);
	if (r == 0)
		journal_send(applies ? EVENT_APPLIED : EVENT_ROLLED_BACK, run->txn,
			     applies ? "applied" : "rolled back");
	return r;
}

static int carry_out(struct forward *forward, struct error *error)
{
	struct run *run = forward->run;
	int r = daemon_phase(&run->daemon, PHASE_PREPARE, "prepare", prepare, forward, error);

	if (r == 0)
		r = act(run, error);
	if (r == 0 && run->txn->kind == TXN_ROLLBACK)
		r = listener_close(run, error);
	run->txn->canary = r == 0 && trial_has_canary(run);
	if (r == 0 && run->txn->action != ACTION_NONE) {
		r = save_state(run, TXN_RESTARTED, error);
		if (r == 0 && run->txn->canary)
			r = trial_canary(run, error);
		if (r == 0)
			r = daemon_phase(&run->daemon, PHASE_PROVE, "prove what is in force", prove,
					 forward, error);
	}
	if (r == 0)
		r = trial_verify(run, error);
	if (r == 0)
		r = trial_confirm(run, error);
	return r < 0 ? r : finish(forward, error);
}

/* ---- when it fails ---- */

/* dockerd's own words of the start that failed, before they are buried under those of the next. */
static void take_words(struct run *run)
{
	cleanup_strlist struct strlist lines = {.items = NULL};
	struct error ignored = ERROR_NONE;

	if (!run->daemon.started_us)
		return;
	if (journal_read(run->txn->unit, run->daemon.started_us, clock_now_us() + WORDS_US, &lines,
			 &ignored) == 0)
		(void)dockerlog_reasons(&lines, WORDS_MAX, &run->report->words, &ignored);
}

/* Nothing has been replaced: as if it had never begun. */
static void forget(struct forward *forward)
{
	struct run *run = forward->run;
	struct error ignored = ERROR_NONE;

	run->report->outcome = OUTCOME_REFUSED;
	if (!forward->stored)
		return;
	(void)switch_back(run->txn, &ignored);
	(void)store_discard(run->options->store, run->txn, &ignored);
	free(run->report->id);
	run->report->id = NULL;
}

static void fail(struct forward *forward, const struct error *why)
{
	struct run *run = forward->run;
	cleanup_strlist struct strlist edited = {.items = NULL};
	struct error ignored = ERROR_NONE;
	bool told = run->txn->state != TXN_PREPARED;
	bool changed = true;
	char text[sizeof *why];

	run->report->error = *why;
	run->daemon.interrupt_fd = -1;
	if (!forward->stored ||
	    (!told && switch_examine(run->txn, &changed, &edited, &ignored) == 0 && !changed)) {
		forget(forward);
		return;
	}
	if (told)
		take_words(run);
	(void)run_set_text(&run->txn->error, error_format(why, text, sizeof text), &ignored);
	run_undo(run, told, false);
	journal_send(run->report->outcome == OUTCOME_ROLLED_BACK ? EVENT_PUT_BACK
								 : EVENT_PUT_BACK_FAILED,
		     run->txn, run->txn->error ? run->txn->error : "failed");
}

void transaction_run(struct txn *txn, const struct facts *facts,
		     const struct transaction_options *options, struct report *ret)
{
	struct error error = ERROR_NONE;
	scoped(run_done) struct run run;
	scoped(forward_done) struct forward forward = {
		.run = &run,
		.facts = facts,
		.after = FACTS_EMPTY,
	};

	if (options->no_restart) {
		txn->action = ACTION_NONE;
		txn->stops = false;
	}
	run_start(&run, txn, facts->socket_path, options, ret);
	if (carry_out(&forward, &error) < 0)
		fail(&forward, &error);
}
