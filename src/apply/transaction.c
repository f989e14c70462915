#include "apply/transaction.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apply/journal.h"
#include "apply/run.h"
#include "apply/switch.h"
#include "apply/wait.h"
#include "base/text.h"
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

const char *phase_name(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_PREPARE] = "prepare", [PHASE_SWITCH] = "switch", [PHASE_RELOAD] = "reload",
		[PHASE_RESTART] = "restart", [PHASE_ANSWER] = "answer", [PHASE_PROVE] = "prove",
		[PHASE_UNDO] = "undo",       [PHASE_COUNT] = NULL,
	};

	return names[phase];
}

void report_done(struct report *report)
{
	free(report->id);
	strlist_done(&report->words);
	strlist_done(&report->advice);
	strlist_done(&report->notes);
	free(report->proofs);
	strlist_done(&report->containers_lost);
	*report = REPORT_EMPTY;
}

void run_say(struct strlist *list, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	(void)strlist_take(list, strbuf_finish(&text));
}

/* ---- what both directions need ---- */

void run_start(struct run *run, struct txn *txn, const char *socket_path,
	       const struct transaction_options *options, struct report *report)
{
	*run = (struct run){
		.txn = txn,
		.options = options,
		.report = report,
		.daemon =
			{
				.unit = txn->unit,
				.socket_path = socket_path,
				.config_file = options->config_file,
				.timeout_seconds = options->timeout_seconds,
				.interrupt_fd = options->interrupt_fd,
				.progress = options->progress,
				.downtime_us = -1,
				.phase_us = report->phase_us,
			},
	};
	report->kind = txn->kind;
	free(report->id);
	report->id = strdup(txn->id);
}

void run_done(struct run *run)
{
	daemon_done(&run->daemon);
}

const struct txn_file *run_config(const struct run *run)
{
	for (size_t i = 0; i < run->txn->file_count; i++)
		if (run->txn->files[i].config)
			return &run->txn->files[i];
	return NULL;
}

struct reload_step {
	struct run *run;
	const struct filestate *state;
	bool live_restore;
	bool stay;
};

static int reload_step(void *context, struct error *error)
{
	const struct reload_step *step = context;
	const struct txn_file *config = run_config(step->run);
	bool differs = false;
	int r = 0;

	if (config)
		r = switch_step(config, step->state, step->live_restore, &differs, error);
	if (r == 0)
		r = daemon_reload(&step->run->daemon, step->live_restore, error);
	if (r == 0 && differs && !step->stay)
		r = switch_exact(config, step->state, error);
	return r;
}

int run_reload(struct run *run, const struct filestate *state, bool live_restore, bool stay,
	       struct error *error)
{
	struct reload_step step = {
		.run = run,
		.state = state,
		.live_restore = live_restore,
		.stay = stay,
	};
	char text[300];

	(void)snprintf(text, sizeof text, "reload %s", run->txn->unit);
	return daemon_phase(&run->daemon, PHASE_RELOAD, text, reload_step, &step, error);
}

static char *now_text(void)
{
	char text[sizeof "YYYY-MM-DDTHH:MM:SSZ and some years more"];
	time_t now = time(NULL);
	struct tm utc;

	if (!gmtime_r(&now, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		return NULL;
	return strdup(text);
}

static int set_text(char **field, const char *text, struct error *error)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return error_set_oom(error);
	free(*field);
	*field = copy;
	return 0;
}

/* Folders are empty only once the temporary files are gone. */
static int tidy(const struct txn *txn, const struct store *store, struct error *error)
{
	int r = switch_clean(txn, error);

	if (r == 0 && txn->state == TXN_COMMITTED)
		r = switch_leave_folders(txn, error);
	return r < 0 ? r : store_settle(store, error);
}

int run_settle(struct run *run, enum txn_state state, enum outcome outcome, struct error *error)
{
	struct txn *txn = run->txn;
	struct error ignored = ERROR_NONE;
	struct error why = ERROR_NONE;
	char text[sizeof why];

	txn->state = state;
	free(txn->finished);
	txn->finished = now_text();
	int r = set_text(&txn->result, outcome_name(outcome, txn->kind), error);
	if (r == 0)
		r = store_save(run->options->store, txn, error);
	if (r < 0)
		return r;
	/* From here on the record says that there is nothing to do but to tidy up, and what cannot
	 * be taken away now, not even at the second try, the next harden or the boot unit does. */
	if (tidy(txn, run->options->store, &ignored) < 0 &&
	    tidy(txn, run->options->store, &why) < 0)
		run_say(&run->report->notes, "Tidying up is left to the next `harden recover`: %s",
			error_format(&why, text, sizeof text));
	return 0;
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
	return r < 0 ? r : set_text(&txn->invocation, moment.invocation, error);
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

/* The files are in their places; where systemd's own are among them it has to know. */
static int tell_systemd(struct run *run, struct error *error)
{
	int r = check_interrupt(run, error);

	if (r == 0 && run->txn->units_changed && run->txn->daemon != DAEMON_ABSENT)
		r = daemon_phase(&run->daemon, PHASE_RELOAD, "systemctl daemon-reload",
				 reload_units, run, error);
	return r;
}

/* From here on the daemon may know. */
static int tell(struct run *run, struct error *error)
{
	int r = save_state(run, TXN_SWITCHED, error);

	return r < 0 ? r : tell_systemd(run, error);
}

static int restart(struct run *run, struct error *error)
{
	int r = check_interrupt(run, error);

	if (r == 0)
		r = daemon_restart(&run->daemon, error);
	if (r == 0)
		run->report->downtime_us = run->daemon.downtime_us;
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
	return txn->kind == TXN_APPLY
		       ? proof_of(after, expectation->key, expectation->wanted, expectation->effect)
		       : proof_of_return(after, expectation->key, expectation->wanted,
					 expectation->effect);
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

static const json_t *find_container(const json_t *containers, const char *id)
{
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *container = json_array_get(containers, i);
		if (text_equal(json_string_value(json_object_get(container, "Id")), id))
			return container;
	}
	return NULL;
}

static bool runs(const json_t *container)
{
	const char *state = json_string_value(json_object_get(container, "State"));

	return text_equal(state, "running") || text_equal(state, "paused");
}

static void name_lost(struct report *report, const json_t *container)
{
	const json_t *names = json_object_get(container, "Names");
	const char *name = json_string_value(json_array_get(names, 0));

	run_say(&report->containers_lost, "%s", name ? name + (name[0] == '/') : "?");
}

/* Containers that ran before run after. One that has ended well by itself is no loss. */
static int count_containers(struct forward *forward, struct error *error)
{
	struct report *report = forward->run->report;
	const json_t *before = forward->facts->containers;
	bool lost = false;

	if (!before || !forward->after.containers)
		return 0;
	report->containers_before = 0;
	report->containers_kept = 0;
	for (size_t i = 0; i < json_array_size(before); i++) {
		const json_t *old = json_array_get(before, i);
		if (!runs(old))
			continue;
		const json_t *now = find_container(forward->after.containers,
						   json_string_value(json_object_get(old, "Id")));
		const char *status = json_string_value(json_object_get(now, "Status"));
		report->containers_before++;
		if (runs(now)) {
			report->containers_kept++;
			continue;
		}
		name_lost(report, old);
		lost |= now && !(status && text_starts_with(status, "Exited (0)"));
	}
	if (lost && forward->run->txn->kind == TXN_APPLY &&
	    json_is_true(json_object_get(forward->facts->info, "LiveRestoreEnabled")))
		return error_set(error, -EIO, "prove", forward->run->txn->unit,
				 "containers that ran before do not run any more");
	return 0;
}

static int prove(void *context, struct error *error)
{
	struct forward *forward = context;
	struct run *run = forward->run;

	int r = daemon_look(&run->daemon, &forward->after, error);
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
		       (run->options->incomplete || run->txn->daemon != DAEMON_RUNNING);

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
	if (r == 0 && run->txn->action != ACTION_NONE) {
		r = save_state(run, TXN_RESTARTED, error);
		if (r == 0)
			r = daemon_phase(&run->daemon, PHASE_PROVE, "prove what is in force", prove,
					 forward, error);
	}
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
	(void)set_text(&run->txn->error, error_format(why, text, sizeof text), &ignored);
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

	if (options->no_restart)
		txn->action = ACTION_NONE;
	run_start(&run, txn, facts->socket_path, options, ret);
	if (carry_out(&forward, &error) < 0)
		fail(&forward, &error);
}

/* ---- afterwards ---- */

void transaction_undo(struct txn *txn, bool force, const struct transaction_options *options,
		      struct report *ret)
{
	cleanup_run struct run run;

	run_start(&run, txn, txn->socket, options, ret);
	run.daemon.interrupt_fd = -1;
	run_undo(&run, true, force);
}

static int recover_final(struct txn *txn, const struct transaction_options *options,
			 struct report *ret, struct error *error)
{
	int r = tidy(txn, options->store, error);

	if (r == 0)
		ret->outcome = txn->state == TXN_COMMITTED ? OUTCOME_APPLIED : OUTCOME_ROLLED_BACK;
	return r;
}

/* The mark is set before the record takes its place, and nothing is changed before that. */
static int recover_unbegun(const char *id, const struct transaction_options *options, char **ret_id,
			   struct report *ret, struct error *error)
{
	cleanup_free char *copy = strdup(id);

	if (!copy)
		return error_set_oom(error);
	int r = store_settle(options->store, error);
	if (r < 0)
		return r;
	run_say(&ret->notes, "Nothing is kept of it: it had changed nothing yet.");
	ret->outcome = OUTCOME_ROLLED_BACK;
	*ret_id = take_ptr(copy);
	return 0;
}

int transaction_recover(const struct transaction_options *options, bool force, char **ret_id,
			struct report *ret, struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};
	struct error why = ERROR_NONE;
	cleanup_free char *id = NULL;

	int r = store_pending(options->store, &id, error);
	if (r < 0)
		return r;
	if (!id) {
		ret->outcome = OUTCOME_UNCHANGED;
		*ret_id = NULL;
		return 0;
	}
	r = store_load(options->store, id, true, &txn, &why);
	if (r == -ENOENT)
		return recover_unbegun(id, options, ret_id, ret, error);
	if (r < 0) {
		*error = why;
		return r;
	}
	if (txn_is_final(&txn)) {
		r = recover_final(&txn, options, ret, error);
		if (r < 0)
			return r;
	} else {
		transaction_undo(&txn, force, options, ret);
		journal_send(ret->outcome == OUTCOME_ROLLED_BACK ? EVENT_RECOVERED
								 : EVENT_PUT_BACK_FAILED,
			     &txn,
			     ret->outcome == OUTCOME_ROLLED_BACK
				     ? "an interrupted change was undone"
				     : "an interrupted change could not be undone");
	}
	*ret_id = take_ptr(id);
	return 0;
}
