#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/consent.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "cli/recovery.h"
#include "cli/rehearse.h"
#include "cli/session.h"
#include "core/canary.h"
#include "core/judgement.h"
#include "core/live.h"

struct work {
	const struct options *options;
	const struct session *session;
	struct facts facts; /* from before */
	struct plan plan;
	struct txn txn;
	struct rehearsal rehearsal;
	struct report report;
};

static void work_done(struct work *work)
{
	report_done(&work->report);
	rehearsal_done(&work->rehearsal);
	txn_done(&work->txn);
	plan_done(&work->plan);
	facts_done(&work->facts);
}

static const char *unit_name(const struct work *work)
{
	return work->facts.unit.name ? work->facts.unit.name : work->options->unit;
}

/* --- what became of each setting ---------------------------------------------------------------
 */

static enum proof proof_for(const struct work *work, const char *key)
{
	for (size_t i = 0; i < work->txn.expectation_count && i < work->report.proof_count; i++)
		if (strcmp(work->txn.expectations[i].key, key) == 0)
			return work->report.proofs[i];
	return PROOF_UNKNOWN;
}

/* Whether a change that was carried out waits for something. */
static bool waits(const struct work *work, const struct setting *setting)
{
	enum proof proof = proof_for(work, setting->row->key);

	if (setting->effect == EFFECT_NONE || proof == PROOF_GOOD || work->options->root)
		return false;
	/* A daemon that is not told anything goes on as before. */
	return proof == PROOF_PENDING || work->facts.daemon != DAEMON_RUNNING ||
	       work->plan.action == ACTION_NONE ||
	       (work->plan.action == ACTION_RELOAD && setting->effect > EFFECT_RELOAD);
}

static void settle_settings(struct work *work)
{
	struct plan *plan = &work->plan;

	for (size_t i = 0; i < plan->setting_count; i++) {
		struct setting *setting = &plan->settings[i];
		if (setting->state == SETTING_CHANGE)
			setting->state = waits(work, setting) ? SETTING_PENDING : SETTING_APPLIED;
	}
}

/* Whether there is something left that the profile wants and this host does not have. */
static bool is_incomplete(const struct plan *plan)
{
	return plan_count(plan, SETTING_HELD) || plan_count(plan, SETTING_BLOCKED) ||
	       plan_count(plan, SETTING_PENDING);
}

/* --- for people --------------------------------------------------------------------------------
 */

static void add_keys(struct strbuf *text, const struct plan *plan, enum setting_state state,
		     const char *prefix, const char *separator)
{
	bool first = true;

	for (size_t i = 0; i < plan->setting_count; i++) {
		if (plan->settings[i].state != state)
			continue;
		(void)strbuf_addf(text, "%s%s%s", first ? "" : separator, prefix,
				  plan->settings[i].row->key);
		first = false;
	}
}

static void put_headline(const struct work *work, const struct paper *paper)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf restart = STRBUF_EMPTY;
	size_t pending = plan_count(&work->plan, SETTING_PENDING);
	size_t applied = plan_count(&work->plan, SETTING_APPLIED) + pending;

	if (!applied)
		(void)strbuf_addf(&text, "Wrote %zu file%s.", work->plan.file_count,
				  work->plan.file_count == 1 ? "" : "s");
	else
		(void)strbuf_addf(&text, "Applied %zu setting%s; ", applied,
				  applied == 1 ? "" : "s");
	if (applied && work->options->root)
		(void)strbuf_addf(&text, "%s in force from the first start of dockerd on.",
				  applied == 1 ? "it is" : "they are");
	else if (applied && !pending)
		(void)strbuf_adds(&text,
				  applied == 1 ? "it is in force." : "all of them are in force.");
	else if (applied && pending == applied)
		(void)strbuf_adds(&text, applied == 1 ? "it is not in force yet."
						      : "none of them is in force yet.");
	else if (applied)
		(void)strbuf_addf(&text, "%zu of them %s not in force yet.", pending,
				  pending == 1 ? "is" : "are");
	outcome_add_restart(&restart, &work->report);
	paper_put_both(paper, text.data ? text.data : "", restart.data ? restart.data : "",
		       work->options->quiet);
}

/* What pending settings wait for, and what to do about it. */
static void put_pending(const struct work *work, const struct paper *paper)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const char *unit = unit_name(work);

	if (!plan_count(&work->plan, SETTING_PENDING))
		return;
	(void)strbuf_adds(&text, "Not in force yet: ");
	add_keys(&text, &work->plan, SETTING_PENDING, "", ", ");
	if (work->facts.daemon == DAEMON_ABSENT)
		(void)strbuf_adds(&text,
				  ". There is no dockerd here yet; its first start does it.");
	else if (work->facts.daemon == DAEMON_STOPPED)
		(void)strbuf_addf(&text,
				  ". %s does not run, and was not started. Its next start does "
				  "it: systemctl start %s",
				  unit, unit);
	else if (work->options->no_restart)
		/* Not by hand: without a reload first, a restart may stop containers. */
		(void)strbuf_adds(&text, ". Nothing was reloaded or restarted; to do that: harden "
					 "apply");
	else
		(void)strbuf_adds(
			&text, ". This needs a start of dockerd with no container running: harden "
			       "apply --containers restart");
	paper_wrap(paper, 0, 0, text.data ? text.data : "");
}

/* Settings that are left alone, and why. */
static void put_skipped(const struct work *work, const struct paper *paper)
{
	for (size_t i = 0; i < work->plan.setting_count; i++) {
		const struct setting *setting = &work->plan.settings[i];
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

		/* Somebody who names a few has not left the others alone. */
		if (setting->state != SETTING_SKIPPED || work->options->only.count)
			continue;
		(void)strbuf_addf(&text, "Left alone: %s. %s", setting->row->key,
				  setting->reason ? setting->reason : "");
		paper_wrap(paper, 0, 0, text.data ? text.data : "");
	}
}

/* Containers that were there before keep what they were created with. */
static void put_uncovered(const struct work *work, const struct paper *paper)
{
	cleanup_strbuf struct strbuf keys = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	size_t most = 0;

	for (size_t i = 0; i < work->plan.setting_count; i++) {
		const struct setting *setting = &work->plan.settings[i];
		if (setting->state != SETTING_APPLIED || !setting->uncovered.count)
			continue;
		(void)strbuf_addf(&keys, "%s%s", keys.length ? ", " : "", setting->row->key);
		most = setting->uncovered.count > most ? setting->uncovered.count : most;
	}
	if (!keys.length)
		return;
	(void)strbuf_addf(
		&text,
		"%zu container%s from before keep%s the old %s until created anew; harden "
		"check names them.",
		most, most == 1 ? "" : "s", most == 1 ? "s" : "", keys.data);
	paper_wrap(paper, 0, 0, text.data ? text.data : "");
}

static void put_left(const struct work *work, const struct paper *paper)
{
	cleanup_strbuf struct strbuf held = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf blocked = STRBUF_EMPTY;

	if (plan_count(&work->plan, SETTING_HELD)) {
		(void)strbuf_adds(&held, "Held until you consent, harden plan says to what: ");
		add_keys(&held, &work->plan, SETTING_HELD, "", ", ");
		paper_wrap(paper, 0, 0, held.data ? held.data : "");
	}
	if (plan_count(&work->plan, SETTING_BLOCKED)) {
		(void)strbuf_adds(&blocked, "Blocked on this host, harden plan says by what: ");
		add_keys(&blocked, &work->plan, SETTING_BLOCKED, "", ", ");
		paper_wrap(paper, 0, 0, blocked.data ? blocked.data : "");
	}
}

/* That it went well goes without saying. */
static void put_rehearsal(const struct work *work, const struct paper *paper)
{
	const struct rehearsal *rehearsal = &work->rehearsal;
	bool left_out =
		rehearsal->state == REHEARSAL_SKIPPED && work->options->rehearse != REHEARSE_NO;

	if (left_out || rehearsal->notes.count || work->options->verbose)
		rehearse_put(paper, rehearsal);
}

static void put_result(const struct work *work, const struct paper *paper)
{
	enum outcome outcome = work->report.outcome;

	outcome_put_failure(paper, "The apply", &work->report);
	if (outcome == OUTCOME_REFUSED && work->rehearsal.state == REHEARSAL_FAILED) {
		rehearse_put_words(paper, &work->rehearsal);
		paper_put(paper, "Nothing was changed.");
		paper_end_line(paper);
	}
	if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_INCOMPLETE)
		return;
	put_headline(work, paper);
	if (work->options->quiet)
		return;
	put_pending(work, paper);
	put_left(work, paper);
	put_skipped(work, paper);
	put_uncovered(work, paper);
	put_rehearsal(work, paper);
	outcome_put_notes(paper, &work->report);
	outcome_put_way_back(paper, "To go back", work->options, work->report.id);
}

/* The plan, before the question. */
static int show_plan(const struct work *work, const char *ending, struct error *error)
{
	const struct options *options = work->options;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	/* A script that asks nobody finds all of it in the document. */
	if (options->json && options->yes)
		return 0;
	if (show_plan_text(&text, &work->plan, &work->facts, options,
			   output_uses_color(options, outcome_stream(options)), ending) < 0)
		return error_set_oom(error);
	if (options->quiet && !options->json) {
		/* stdout gets one line: what came of it. */
		if (!options->yes)
			(void)fputs(text.data, stderr);
		return 0;
	}
	if (!outcome_say(options, &text))
		return error_set(error, -EIO, "show the plan", NULL,
				 "it cannot be written to the terminal or file behind stdout");
	return 0;
}

/* --- for scripts -------------------------------------------------------------------------------
 */

/* Asks the daemon again what is in force: the plan's values are those from before. */
static void read_in_force(struct work *work)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	struct plan *plan = &work->plan;
	struct error error = ERROR_NONE;
	bool known = reading_facts(work->options, NULL, &facts, &error) == 0 &&
		     canary_facts_copy(&work->report.canary.saw, &facts.canary, &error) == 0;

	for (size_t i = 0; i < plan->setting_count; i++) {
		cleanup_strlist struct strlist path = {.items = NULL};
		struct setting *setting = &plan->settings[i];
		if (setting->row->rule == RULE_FILE ||
		    setting_path(setting->row->key, &path, &error) < 0)
			continue;
		json_decref(setting->in_force);
		setting->in_force =
			known ? live_value(&facts, (const char *const *)path.items, path.count)
			      : NULL;
	}
}

static void output_document(const struct work *work)
{
	json_t *document = show_plan_json("apply", &work->plan, &work->facts);

	if (document)
		(void)json_object_set_new(document, "rehearsal", rehearse_json(&work->rehearsal));
	if (document)
		(void)json_object_set_new(document, "canary",
					  outcome_canary_json(&work->report.canary));
	(void)output_json(outcome_json(document, &work->report));
}

/* The end of every apply that got as far as a plan. */
static int finish(struct work *work)
{
	const struct options *options = work->options;
	enum outcome outcome = work->report.outcome;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct paper paper = {
		.out = &text,
		.color = output_uses_color(options, outcome_stream(options)),
	};

	put_result(work, &paper);
	(void)outcome_say(options, &text);
	if (options->json) {
		if (outcome == OUTCOME_APPLIED || outcome == OUTCOME_INCOMPLETE)
			read_in_force(work);
		output_document(work);
	}
	return outcome_exit_status(outcome);
}

/* --- the ways to end ---------------------------------------------------------------------------
 */

/* The plan is known, nothing was changed, and there is a reason. */
static int refuse(struct work *work, const struct error *error)
{
	output_complaint(error);
	work->report.outcome = OUTCOME_REFUSED;
	work->report.error = *error;
	return finish(work);
}

static int decline(struct work *work)
{
	(void)fputs("Nothing was changed.\n", outcome_stream(work->options));
	work->report.outcome = OUTCOME_REFUSED;
	(void)error_set(&work->report.error, -ECANCELED, "ask", NULL, "the answer was not yes");
	return finish(work);
}

static int leave_unchanged(struct work *work)
{
	struct plan *plan = &work->plan;
	struct options options = *work->options;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	/* Where nothing needs the reader's attention, one line says it all. */
	options.quiet |= !plan_count(plan, SETTING_HELD) && !plan_count(plan, SETTING_BLOCKED) &&
			 !plan_count(plan, SETTING_CHANGE) && !plan->warnings.count &&
			 !options.verbose;
	(void)show_plan_text(&text, plan, &work->facts, &options,
			     output_uses_color(&options, outcome_stream(&options)),
			     " Nothing was changed.");
	if (!options.json || !options.yes)
		(void)outcome_say(&options, &text);
	settle_settings(work);
	work->report.outcome = is_incomplete(plan) ? OUTCOME_INCOMPLETE : OUTCOME_UNCHANGED;
	if (options.json)
		output_document(work);
	return outcome_exit_status(work->report.outcome);
}

static int carry_out(struct work *work)
{
	struct transaction_options options = session_transaction_options(work->session);
	struct report *report = &work->report;
	scoped(confirm_done) struct confirm confirm = CONFIRM_CLOSED;
	struct error error = ERROR_NONE;

	options.incomplete = is_incomplete(&work->plan);
	int r = rehearse_step(work->session, &work->plan, &work->facts, &work->txn,
			      &work->rehearsal, &error);
	report->phase_us[PHASE_REHEARSE] =
		work->rehearsal.took_us > 0 ? (uint64_t)work->rehearsal.took_us : 0;
	if (r < 0)
		return refuse(work, &error);
	if (work->options->confirm_seconds) {
		if (confirm_open(&confirm, work->options, work->session->interrupt_fd, &error) < 0)
			return refuse(work, &error);
		options.confirm = confirm_wait;
		options.confirm_context = &confirm;
	}
	transaction_run(&work->txn, &work->facts, &options, report);
	if (report->outcome == OUTCOME_REFUSED) {
		error = report->error;
		return refuse(work, &error);
	}
	if (report->outcome == OUTCOME_APPLIED || report->outcome == OUTCOME_INCOMPLETE)
		settle_settings(work);
	return finish(work);
}

static bool wants_it(const struct work *work)
{
	return consent_given(work->options, work->session->interrupt_fd, "Apply this to %s?",
			     work->facts.hostname ? work->facts.hostname : "this host");
}

static int draft(struct work *work, struct error *error)
{
	txn_done(&work->txn);
	work->txn = (struct txn){.id = NULL};
	return transaction_from_plan(&work->plan, &work->facts, &work->session->store, &work->txn,
				     error);
}

static int apply(struct work *work)
{
	const struct plan *plan = &work->plan;
	struct error error = ERROR_NONE;
	struct error unshown = ERROR_NONE;

	if (plan->obstacles.count)
		(void)error_set(&error, -EINVAL, "apply", NULL, "it cannot be carried out: %s",
				plan->obstacles.items[0]);
	else if (!plan->file_count && plan->action == ACTION_NONE && !plan->listener.unit)
		return leave_unchanged(work);
	/* What cannot be done is not asked about. */
	bool possible = !error.code && draft(work, &error) == 0;
	if (show_plan(work, possible ? "" : " Nothing was changed.", possible ? &error : &unshown) <
	    0)
		possible = false;
	if (!possible)
		return refuse(work, &error);
	if (!wants_it(work))
		return decline(work);
	/* Time has passed: the files are looked at again. */
	if (!work->options->yes && draft(work, &error) < 0)
		return refuse(work, &error);
	return carry_out(work);
}

int command_apply(const struct options *options)
{
	if (options->dry_run)
		return command_plan(options);

	cleanup_session struct session session = SESSION_CLOSED;
	scoped(work_done) struct work work = {
		.options = options,
		.session = &session,
		.facts = FACTS_EMPTY,
		.rehearsal = REHEARSAL_EMPTY,
		.report = REPORT_EMPTY,
	};
	struct error error = ERROR_NONE;

	if (session_may_change("apply", &error) < 0 || consent_possible(options, &error) < 0 ||
	    session_open(&session, options, "apply", &error) < 0)
		return outcome_refused(options, "apply", &error);
	int status = recovery_first(&session);
	if (status != EXIT_FINE)
		return status;
	if (reading_plan(options, &work.facts, &work.plan, &error) < 0)
		return outcome_refused(options, "apply", &error);
	return apply(&work);
}
