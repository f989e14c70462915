#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/consent.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "cli/records.h"
#include "cli/recovery.h"
#include "cli/session.h"
#include "core/mask.h"

struct work {
	const struct options *options;
	struct session *session;
	const struct store *store; /* the session's; of a dry run, one that is only read */
	struct facts facts;
	struct txn done; /* what is to be undone, with the bytes of its files */
	struct txn txn;  /* what undoes it */
	struct report report;
};

static void work_done(struct work *work)
{
	report_done(&work->report);
	txn_done(&work->txn);
	txn_done(&work->done);
	facts_done(&work->facts);
}

/* --- which one ---------------------------------------------------------------------------------
 */

static int nothing_to_do(struct error *ret_why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* There is none, for a reason that is not an error. Returns 0 and leaves the choice empty. */
static int nothing_to_do(struct error *ret_why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(ret_why->text, sizeof ret_why->text, format, arguments);
	va_end(arguments);
	return 0;
}

static int choose_latest(const struct records *records, char **ret_id, struct error *ret_why,
			 struct error *error)
{
	const struct record *latest = records_latest_apply(records);

	for (size_t i = records->count; i > 0; i--) {
		const struct record *record = &records->items[i - 1];
		if (record == latest)
			break;
		if (!record->error.code)
			continue;
		/* It may be the latest, or have undone what looks like the latest. */
		*error = record->error;
		return record->error.code;
	}
	if (!latest)
		return nothing_to_do(ret_why, "%s",
				     records->count ? "no apply is in force any more; see harden "
						      "history"
						    : "nothing was applied yet");
	*ret_id = strdup(latest->txn.id);
	return *ret_id ? 0 : error_set_oom(error);
}

static int choose_named(const struct records *records, const struct store *store,
			const char *prefix, char **ret_id, struct error *ret_why,
			struct error *error)
{
	cleanup_free char *id = NULL;

	int r = store_find(store, prefix, &id, error);
	if (r < 0)
		return r;
	const struct record *record = records_find(records, id);
	if (record && record->error.code) {
		*error = record->error;
		return record->error.code;
	}
	const struct record *by = records_undone_by(records, id);
	if (by)
		return nothing_to_do(ret_why, "%s was undone by %s already", id, by->txn.id);
	if (!record || !record->stands)
		return nothing_to_do(ret_why, "%s failed, and the host was put back then", id);
	*ret_id = take_ptr(id);
	return 0;
}

/* *ret_id stays NULL where there is nothing to roll back; *ret_why says why. */
static int choose(const struct work *work, char **ret_id, struct error *ret_why,
		  struct error *error)
{
	const struct options *options = work->options;
	cleanup_records struct records records = {.items = NULL};

	int r = records_load(work->store, &records, error);
	if (r < 0)
		return r;
	return options->argument_count ? choose_named(&records, work->store, options->arguments[0],
						      ret_id, ret_why, error)
				       : choose_latest(&records, ret_id, ret_why, error);
}

/* --- what it does ------------------------------------------------------------------------------
 */

/* The difference of one file, secrets masked; of owner and mode where the bytes stay. */
static int diff_file(const struct txn_file *file, char **ret, struct error *error)
{
	const struct filestate *before = &file->before;
	const struct filestate *after = &file->after;

	if (file->action != FILE_MODE && !filestate_same_content(before, after))
		return mask_diff(file->path, before->exists ? before->data : NULL, before->length,
				 after->exists ? after->data : NULL, after->length, ret, error);
	if (asprintf(ret, "--- %s\n+++ %s\n-%u:%u %04o\n+%u:%u %04o\n", file->path, file->path,
		     (unsigned)before->uid, (unsigned)before->gid, (unsigned)before->mode,
		     (unsigned)after->uid, (unsigned)after->gid, (unsigned)after->mode) < 0)
		*ret = NULL;
	return *ret ? 0 : error_set_oom(error);
}

/* The value that the daemon is to have again; NULL where the rollback does not touch it. */
static const json_t *expected(const struct txn *txn, const char *key)
{
	for (size_t i = 0; i < txn->expectation_count; i++)
		if (strcmp(txn->expectations[i].key, key) == 0)
			return txn->expectations[i].wanted;
	return NULL;
}

/* dockerd stops what runs when it starts without live-restore. */
static bool keeps_containers(const struct work *work)
{
	return json_is_true(json_object_get(work->facts.info, "LiveRestoreEnabled")) &&
	       !json_is_false(expected(&work->txn, "live-restore"));
}

static enum plan_action planned_action(const struct work *work)
{
	return work->options->no_restart ? ACTION_NONE : work->txn.action;
}

static int name_containers(const struct txn_containers *list, struct strlist *ret)
{
	for (size_t i = 0; i < list->count; i++)
		if (strlist_add(ret, list->items[i].name) < 0)
			return -ENOMEM;
	return 0;
}

static int put_plan(const struct work *work, const struct paper *paper, struct error *error)
{
	const struct txn *txn = &work->txn;
	cleanup_strlist struct strlist stopped = {.items = NULL};
	cleanup_strlist struct strlist started = {.items = NULL};
	const struct daemon_change change = {
		.action = planned_action(work),
		.keeps_containers = keeps_containers(work),
		.listener = work->options->no_restart ? NULL : txn->listener.unit,
		.address = txn->listener.address,
		.closes = true,
		.release = !txn->live_restore,
		.stopped = &stopped,
		.started = &started,
	};
	cleanup_free char *what = record_what(&work->done);
	char time[RECORD_TIME_SIZE];

	if ((txn->stops && name_containers(&txn->running, &stopped) < 0) ||
	    name_containers(&txn->starts, &started) < 0)
		return error_set_oom(error);
	record_time(work->done.started, time);
	paper_paint(paper, PAINT_BOLD);
	paper_put(paper, "Roll back ");
	paper_put(paper, work->done.id);
	paper_paint(paper, PAINT_NONE);
	paper_put(paper, ": ");
	paper_put(paper, what ? what : "?");
	paper_put(paper, ", ");
	paper_put(paper, time);
	paper_end_line(paper);
	paper_heading(paper, PAINT_NONE, "Files", txn->file_count);
	for (size_t i = 0; i < txn->file_count; i++) {
		cleanup_free char *diff = NULL;
		int r = diff_file(&txn->files[i], &diff, error);
		if (r < 0)
			return r;
		paper_diff(paper, diff);
	}
	show_action(paper, &work->facts, &change);
	return 0;
}

static int show_plan(const struct work *work, struct error *error)
{
	const struct options *options = work->options;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct paper paper = {
		.out = &text,
		.color = output_uses_color(options, outcome_stream(options)),
	};

	if (options->quiet || (options->json && options->yes))
		return 0;
	int r = put_plan(work, &paper, error);
	if (r < 0)
		return r;
	paper_end_line(&paper);
	return outcome_say(options, &text)
		       ? 0
		       : error_set(error, -EIO, "show the plan", NULL,
				   "it cannot be written to the terminal or file behind stdout");
}

/* --- how it ends -------------------------------------------------------------------------------
 */

static void add_pending(struct strbuf *text, const struct work *work)
{
	const char *space = text->length ? " " : "";
	bool first = true;

	for (size_t i = 0; i < work->report.proof_count; i++) {
		if (work->report.proofs[i] != PROOF_PENDING)
			continue;
		(void)strbuf_addf(text, "%s%s%s", first ? space : "",
				  first ? "Not in force yet: " : ", ",
				  work->txn.expectations[i].key);
		first = false;
	}
	if (!first)
		(void)strbuf_adds(text,
				  ". This needs a start of dockerd with no container running.");
	else if (work->options->no_restart || work->facts.daemon != DAEMON_RUNNING)
		(void)strbuf_addf(text, "%sThey are in force at the next start of dockerd.", space);
}

static void put_result(const struct work *work, const struct paper *paper)
{
	enum outcome outcome = work->report.outcome;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf more = STRBUF_EMPTY;

	outcome_put_failure(paper, "The rollback", &work->report);
	if (outcome != OUTCOME_APPLIED && outcome != OUTCOME_INCOMPLETE)
		return;
	(void)strbuf_addf(&text, "Rolled back %s; the files are as they were before it.",
			  work->done.id);
	outcome_add_restart(&more, &work->report);
	add_pending(&more, work);
	paper_put_both(paper, text.data ? text.data : "", more.data ? more.data : "",
		       work->options->quiet);
	if (work->options->quiet)
		return;
	if (expected(&work->txn, "userns-remap") && work->facts.dockremap_user == YES)
		paper_wrap(paper, 0, 0,
			   "The user dockremap and its id ranges, which dockerd created, stay.");
	outcome_put_notes(paper, &work->report);
	outcome_put_way_back(paper, "To undo this", work->options, work->report.id);
}

static json_t *files_json(const struct work *work)
{
	json_t *files = json_array();
	struct error ignored = ERROR_NONE;

	for (size_t i = 0; i < work->txn.file_count; i++) {
		const struct txn_file *file = &work->txn.files[i];
		cleanup_free char *diff = NULL;
		(void)diff_file(file, &diff, &ignored);
		(void)json_array_append_new(files, show_file_json(file->path, file->action, diff));
	}
	return files;
}

static void output_document(const struct work *work)
{
	json_t *document = document_start("rollback");
	cleanup_strlist struct strlist stopped = {.items = NULL};

	if (work->txn.stops && !work->options->no_restart)
		(void)name_containers(&work->txn.running, &stopped);
	bool fine = document &&
		    json_object_set_new(document, "host", show_host_json(&work->facts)) == 0 &&
		    json_object_set_new(document, "of", show_text_json(work->done.id)) == 0 &&
		    json_object_set_new(document, "files", files_json(work)) == 0 &&
		    json_object_set_new(document, "action",
					json_string(plan_action_name(planned_action(work)))) == 0 &&
		    json_object_set_new(document, "listener",
					show_listener_json(work->txn.listener.unit,
							   work->txn.listener.address)) == 0 &&
		    json_object_set_new(document, "stops", show_list_json(&stopped)) == 0;

	if (!fine) {
		json_decref(document);
		document = NULL;
	}
	(void)output_json(outcome_json(document, &work->report));
}

static int finish(struct work *work)
{
	const struct options *options = work->options;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct paper paper = {
		.out = &text,
		.color = output_uses_color(options, outcome_stream(options)),
	};

	put_result(work, &paper);
	(void)outcome_say(options, &text);
	if (options->json)
		output_document(work);
	return outcome_exit_status(work->report.outcome);
}

static int refuse(struct work *work, const struct error *error)
{
	output_complaint(error);
	work->report.outcome = OUTCOME_REFUSED;
	work->report.error = *error;
	return finish(work);
}

static int leave_unchanged(struct work *work, const char *what, const char *why)
{
	(void)fprintf(outcome_stream(work->options), "%s%s%s\n", what, why, *why ? "." : "");
	work->report.outcome = OUTCOME_UNCHANGED;
	return finish(work);
}

static int decline(struct work *work)
{
	(void)fputs("Nothing was changed.\n", outcome_stream(work->options));
	work->report.outcome = OUTCOME_REFUSED;
	(void)error_set(&work->report.error, -ECANCELED, "ask", NULL, "the answer was not yes");
	return finish(work);
}

/* --- doing it ----------------------------------------------------------------------------------
 */

/* What was edited since, for people. */
static void show_differences(const struct work *work, const struct strlist *differences)
{
	const struct options *options = work->options;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const struct paper paper = {
		.out = &text,
		.color = output_uses_color(options, outcome_stream(options)),
	};

	if (!differences->count || options->quiet)
		return;
	paper_put(&paper, "Edited since ");
	paper_put(&paper, work->done.id);
	paper_end_line(&paper);
	for (size_t i = 0; i < differences->count; i++)
		paper_diff(&paper, differences->items[i]);
	paper_end_line(&paper);
	(void)outcome_say(options, &text);
}

static int draft(struct work *work, struct strlist *differences, struct error *error)
{
	txn_done(&work->txn);
	work->txn = (struct txn){.id = NULL};
	const struct undo_options options = {
		.force = work->options->force,
		.restart_containers = work->options->containers == CONTAINERS_RESTART,
		.accept = &work->options->accept,
	};

	return transaction_from_txn(&work->done, &work->facts, work->store, &options, &work->txn,
				    differences, error);
}

static bool wants_it(const struct work *work)
{
	return consent_given(work->options, work->session->interrupt_fd, "Roll back %s on %s?",
			     work->done.id,
			     work->facts.hostname ? work->facts.hostname : "this host");
}

static int carry_out(struct work *work)
{
	const struct transaction_options options = session_transaction_options(work->session);
	struct error error;

	transaction_run(&work->txn, &work->facts, &options, &work->report);
	if (work->report.outcome != OUTCOME_REFUSED)
		return finish(work);
	error = work->report.error;
	return refuse(work, &error);
}

static int roll_back(struct work *work)
{
	cleanup_strlist struct strlist differences = {.items = NULL};
	struct error error = ERROR_NONE;

	int r = draft(work, &differences, &error);
	show_differences(work, &differences);
	if (r < 0)
		return refuse(work, &error);
	if (!work->txn.file_count && work->txn.action == ACTION_NONE)
		return leave_unchanged(work, "Every file is as it was before ", work->done.id);
	if (show_plan(work, &error) < 0)
		return refuse(work, &error);
	if (work->options->dry_run)
		return leave_unchanged(work, "Nothing was changed.", "");
	if (!wants_it(work))
		return decline(work);
	/* Time has passed: the files are looked at again. */
	if (!work->options->yes && draft(work, NULL, &error) < 0)
		return refuse(work, &error);
	return carry_out(work);
}

static int choose_and_roll_back(struct work *work)
{
	cleanup_free char *id = NULL;
	struct error why = ERROR_NONE;
	struct error error = ERROR_NONE;

	int r = choose(work, &id, &why, &error);
	if (r == 0 && id)
		r = store_load(work->store, id, true, &work->done, &error);
	if (r == 0)
		r = reading_facts(work->options, work->done.unit, &work->facts, &error);
	if (r < 0)
		return outcome_refused(work->options, "rollback", &error);
	if (work->facts.pending)
		(void)fprintf(stderr, "harden: %s was interrupted: `harden recover` comes first\n",
			      work->facts.pending);
	if (!id)
		return leave_unchanged(work, "There is nothing to roll back: ", why.text);
	if (!work->options->dry_run && consent_possible(work->options, &error) < 0)
		return outcome_refused(work->options, "rollback", &error);
	return roll_back(work);
}

int command_rollback(const struct options *options)
{
	struct error error = ERROR_NONE;
	/* Where nobody can be asked, it is still worth saying that there is nothing to ask about.
	 */
	bool only_looks =
		options->dry_run || consent_possible(options, &error) < 0 || session_has_no_store();
	cleanup_session struct session session = SESSION_CLOSED;
	cleanup_store struct store store = STORE_CLOSED;
	scoped(work_done) struct work work = {
		.options = options,
		.session = &session,
		.store = only_looks ? &store : &session.store,
		.facts = FACTS_EMPTY,
		.report = REPORT_EMPTY,
	};

	error = ERROR_NONE;
	if (only_looks) {
		if (session_may_read("rollback", &error) < 0 ||
		    store_open(STORE_FOLDER, &store, &error) < 0)
			return outcome_refused(options, "rollback", &error);
		return choose_and_roll_back(&work);
	}
	if (session_open(&session, options, "rollback", &error) < 0)
		return outcome_refused(options, "rollback", &error);
	int status = recovery_first(&session);
	return status == EXIT_FINE ? choose_and_roll_back(&work) : status;
}
