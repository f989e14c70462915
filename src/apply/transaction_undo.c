/* The way back. It is taken at once when something fails, and by another process, perhaps after a
 * reboot, when harden itself was stopped: so nothing here relies on how far the way there had got.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply/containers.h"
#include "apply/journal.h"
#include "apply/listener.h"
#include "apply/run.h"
#include "apply/switch.h"
#include "apply/trial.h"
#include "base/text.h"

/* ---- files ---- */

/* Nothing is touched where somebody else's work would be lost. */
static int refuse_edited(struct run *run, struct error *error)
{
	cleanup_strlist struct strlist edited = {.items = NULL};
	bool changed = false;

	int r = switch_examine(run->txn, &changed, &edited, error);
	if (r < 0 || !edited.count)
		return r;
	for (size_t i = 0; i < edited.count; i++)
		run_say(&run->report->advice,
			"%s was edited by somebody else in the meantime and is left as it is.",
			edited.items[i]);
	return error_set(error, -ESTALE, "put back", edited.items[0],
			 "it was edited in the meantime: `harden recover --force` overwrites it");
}

/* ---- daemon ---- */

static int prove_return(struct run *run, struct error *error)
{
	const struct txn *txn = run->txn;
	cleanup_facts struct facts facts = FACTS_EMPTY;

	int r = daemon_look(&run->daemon, &facts, error);
	for (size_t i = 0; r == 0 && i < txn->expectation_count; i++) {
		const struct expectation *expectation = &txn->expectations[i];
		if (proof_of_return(&facts, expectation->key, expectation->before,
				    expectation->effect) == PROOF_BAD)
			r = error_set(error, -EIO, "prove", txn->unit,
				      "the files are back, but %s is not as it was before",
				      expectation->key);
	}
	return r < 0 ? r : daemon_stays(&run->daemon, error);
}

/* A start can fail for reasons that have passed a moment later. */
static int restart_twice(struct run *run, struct error *error)
{
	struct error first = ERROR_NONE;

	if (daemon_restart(&run->daemon, &first) == 0)
		return 0;
	return daemon_restart(&run->daemon, error);
}

/* The first error counts. */
static int first_of(int r, int later, const struct error *why, struct error *error)
{
	if (r == 0 && later < 0)
		*error = *why;
	return r < 0 ? r : later;
}

/* Containers are kept by a daemon.json that has live-restore for as long as it takes. */
static int restart_and_keep(struct run *run, const struct txn_file *config, struct error *error)
{
	struct error why = ERROR_NONE;
	int r = switch_step(config, &config->before, true, NULL, error);

	if (r == 0)
		r = restart_twice(run, error);
	int back = r == 0 ? run_reload(run, &config->before, false, false, &why)
			  : switch_exact(config, &config->before, &why);
	return first_of(r, back, &why, error);
}

/* Runs a step that may need a daemon.json where there was none before, and no folder either. */
static int with_folders(struct run *run, const struct txn_file *config,
			int (*step)(struct run *run, const struct txn_file *config,
				    struct error *error),
			struct error *error)
{
	struct error why = ERROR_NONE;
	int r = switch_make_folders(run->txn, error);

	if (r == 0)
		r = step(run, config, error);
	return first_of(r, switch_remove_folders(run->txn, &why), &why, error);
}

/* The daemon was restarted, or is down. Where live-restore was off before, and the transaction had
 * switched it on for the sake of running containers, they are kept on the way back, too. */
static int restart_old(struct run *run, struct error *error)
{
	const struct txn *txn = run->txn;
	const struct txn_file *config = run_config(run);
	bool keep = config && txn->action == ACTION_RELOAD_RESTART && txn->live_restore;

	return keep ? with_folders(run, config, restart_and_keep, error)
		    : restart_twice(run, error);
}

static int reload_back(struct run *run, const struct txn_file *config, struct error *error)
{
	return run_reload(run, &config->before, !run->txn->live_restore, false, error);
}

/* live-restore as it was, where a reload may have changed it. */
static int reload_old(struct run *run, struct error *error)
{
	const struct txn_file *config = run_config(run);

	return config ? with_folders(run, config, reload_back, error) : 0;
}

static bool has_reload(const struct txn *txn)
{
	return txn->action == ACTION_RELOAD || txn->action == ACTION_RELOAD_RESTART;
}

static int restore_daemon(struct run *run, bool told, struct error *error)
{
	const struct txn *txn = run->txn;
	struct unit_moment moment;

	if (run->options->offline)
		return 0;
	int r = txn->units_changed && txn->daemon != DAEMON_ABSENT
			? daemon_reload_units(&run->daemon, error)
			: 0;
	if (r < 0 || txn->daemon != DAEMON_RUNNING || txn->action == ACTION_NONE || !told)
		return r;
	if (run->options->no_restart) {
		run_say(&run->report->notes,
			"%s was left alone: its next start reads the old files.", txn->unit);
		return 0;
	}
	r = daemon_moment(&run->daemon, &moment, error);
	if (r < 0)
		return r;
	/* The files were put back first, so whatever starts from here on reads the old ones. */
	bool same = strcmp(moment.active_state, "active") == 0 && !moment.has_job &&
		    moment.main_pid && *moment.invocation &&
		    text_equal(moment.invocation, txn->invocation);
	if (!same)
		r = restart_old(run, error);
	else if (has_reload(txn))
		r = reload_old(run, error);
	return r < 0 ? r : prove_return(run, error);
}

/* Containers that were up before, wherever it has got to. One that has ended well in the meantime
 * by itself stays down, unless it was to be stopped. */
static int restore_containers(struct run *run, bool told, struct error *error)
{
	const struct txn *txn = run->txn;
	cleanup_strlist struct strlist gone = {.items = NULL};

	if (!told || txn->daemon != DAEMON_RUNNING || !txn->running.count ||
	    run->options->no_restart || run->options->offline)
		return 0;
	int r = containers_start(&run->daemon, &txn->running, !txn->stops, &gone, error);
	for (size_t i = 0; r == 0 && i < gone.count; i++)
		run_say(&run->report->notes, "%s is gone: it was removed in the meantime.",
			gone.items[i]);
	return r;
}

/* ---- both ---- */

struct undo {
	struct run *run;
	bool told;
	bool force;
	bool refused; /* nothing was touched */
	bool files_back;
};

static int undo(void *context, struct error *error)
{
	struct undo *undo = context;
	int r = undo->force ? 0 : refuse_edited(undo->run, error);

	undo->refused = r < 0;
	if (r < 0)
		return r;
	/* The daemon that has it may be gone in a moment, or have another data root. */
	trial_sweep(undo->run);
	r = switch_back(undo->run->txn, error);
	if (r < 0)
		return r;
	undo->files_back = true;
	if (undo->run->txn->kind == TXN_ROLLBACK)
		r = listener_reopen(undo->run, error);
	if (r == 0)
		r = restore_daemon(undo->run, undo->told, error);
	if (r == 0)
		r = restore_containers(undo->run, undo->told, error);
	if (r == 0 && undo->run->txn->kind == TXN_APPLY)
		r = listener_undo(undo->run, error);
	return r;
}

/* What is where, and what to type. */
static void advise(const struct undo *undo, const struct error *why)
{
	const struct run *run = undo->run;
	const struct txn *txn = run->txn;
	struct strlist *advice = &run->report->advice;
	char text[sizeof *why];

	if (why->code != run->report->error.code || strcmp(why->text, run->report->error.text) != 0)
		run_say(advice, "%s", error_format(why, text, sizeof text));
	for (size_t i = 0; i < txn->file_count && !undo->refused; i++) {
		const struct txn_file *file = &txn->files[i];
		if (undo->files_back)
			run_say(advice, "%s is as it was before.", file->path);
		else if (file->before.exists && !file->before.folder)
			run_say(advice,
				"%s may not be as it was before; its old bytes are in "
				"%s/applies/%s/%zu.before.",
				file->path, run->options->store->folder, txn->id, i);
		else if (!file->before.exists)
			run_say(advice, "%s did not exist before: remove it.", file->path);
	}
	run_say(advice, "See why with: journalctl -u %s -n 50", txn->unit);
	run_say(advice,
		"Try again with: harden recover    or by hand: systemctl reset-failed %s && "
		"systemctl restart %s",
		txn->unit, txn->unit);
}

/* At boot the files are put back before the daemon starts, which is too early for containers: it
 * stays pending until they have been started, too. */
static bool waits_for_daemon(const struct run *run)
{
	const struct txn *txn = run->txn;

	return run->options->no_restart && txn->daemon == DAEMON_RUNNING && txn->stops &&
	       txn->running.count;
}

void run_undo(struct run *run, bool told, bool force)
{
	struct undo context = {.run = run, .told = told, .force = force};
	struct txn *txn = run->txn;
	struct error error = ERROR_NONE;
	struct error ignored = ERROR_NONE;

	/* Not being able to write this down is no reason not to put the files back. */
	txn->state = TXN_UNDOING;
	(void)store_save(run->options->store, txn, &ignored);

	int r = daemon_phase(&run->daemon, PHASE_UNDO, "put the host back", undo, &context, &error);
	if (r == 0 && waits_for_daemon(run)) {
		run->report->outcome = OUTCOME_ROLLED_BACK;
		run_say(&run->report->notes,
			"Containers that it had stopped are started by `harden recover` once %s "
			"runs.",
			txn->unit);
		return;
	}
	if (r == 0) {
		run->report->outcome = OUTCOME_ROLLED_BACK;
		ignored = ERROR_NONE;
		if (run_settle(run, TXN_ROLLED_BACK, OUTCOME_ROLLED_BACK, &ignored) < 0)
			(void)store_settle(run->options->store, &ignored);
		return;
	}
	run->report->outcome = OUTCOME_ROLLBACK_FAILED;
	if (!run->report->error.code)
		run->report->error = error;
	advise(&context, &error);
	free(txn->result);
	txn->result = strdup(outcome_name(OUTCOME_ROLLBACK_FAILED, txn->kind));
	ignored = ERROR_NONE;
	(void)store_save(run->options->store, txn, &ignored);
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
	cleanup_run struct run run;

	run_start(&run, txn, txn->socket, options, ret);
	run.daemon.interrupt_fd = -1;
	trial_sweep(&run);
	int r = run_end(&run, error);

	if (r == 0)
		ret->outcome = txn->state == TXN_COMMITTED ? OUTCOME_APPLIED : OUTCOME_ROLLED_BACK;
	return r;
}

/* The mark is set before the record takes its place, and nothing is changed before that. */
static int recover_unbegun(const struct transaction_options *options, struct report *ret,
			   struct error *error)
{
	int r = store_settle(options->store, error);

	if (r < 0)
		return r;
	run_say(&ret->notes, "Nothing is kept of it: it had changed nothing yet.");
	ret->outcome = OUTCOME_ROLLED_BACK;
	return 0;
}

int transaction_recover(const struct transaction_options *options, const char *id, bool force,
			struct report *ret, struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};
	struct error why = ERROR_NONE;

	int r = store_load(options->store, id, true, &txn, &why);
	if (r == -ENOENT)
		return recover_unbegun(options, ret, error);
	if (r < 0) {
		*error = why;
		return r;
	}
	if (txn_is_final(&txn))
		return recover_final(&txn, options, ret, error);
	transaction_undo(&txn, force, options, ret);
	journal_send(
		ret->outcome == OUTCOME_ROLLED_BACK ? EVENT_RECOVERED : EVENT_PUT_BACK_FAILED, &txn,
		ret->outcome == OUTCOME_ROLLED_BACK ? "an interrupted change was undone"
						    : "an interrupted change could not be undone");
	return 0;
}
