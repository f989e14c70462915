#include "cli/recovery.h"

#include "apply/store.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/rehearse.h"

void recovery_done(struct recovery *recovery)
{
	free(recovery->id);
	report_done(&recovery->report);
	recovery->id = NULL;
}

/* Finished and undone are both fine here: the host is in one of the two states again. */
static int exit_status(const struct recovery *recovery)
{
	switch (recovery->report.outcome) {
	case OUTCOME_UNCHANGED:
	case OUTCOME_APPLIED:
	case OUTCOME_INCOMPLETE:
	case OUTCOME_ROLLED_BACK:
		return EXIT_FINE;
	case OUTCOME_ROLLBACK_FAILED:
	case OUTCOME_REFUSED:
	default:
		return EXIT_PUT_BACK_FAILED;
	}
}

/* The host itself is not concerned, so that this comes last. */
static void clear_rehearsal(const struct session *session, struct recovery *recovery)
{
	int r = rehearse_clear(session, &recovery->error);

	recovery->rehearsed = r > 0;
	if (r < 0)
		recovery->report.outcome = OUTCOME_ROLLBACK_FAILED;
}

void recovery_run(const struct session *session, bool force, struct recovery *ret)
{
	const struct transaction_options options = session_transaction_options(session);
	cleanup_strlist struct strlist folders = {.items = NULL};
	struct error why = ERROR_NONE;
	bool rehearsed = false;

	*ret = (struct recovery){.report = REPORT_EMPTY, .status = EXIT_TROUBLE};
	/* Whether anything is pending at all has to be known before anything can have failed. */
	if (store_pending(&session->store, &ret->id, &ret->error) < 0)
		return;
	int looked = session->options->root
			     ? 0
			     : store_rehearsal(&session->store, &folders, &rehearsed, &why);
	if (looked < 0 && !ret->id) {
		ret->error = why;
		return;
	}
	if (!ret->id)
		ret->report.outcome = OUTCOME_UNCHANGED;
	else if (transaction_recover(&options, ret->id, force, &ret->report, &ret->error) < 0)
		ret->report.outcome = OUTCOME_ROLLBACK_FAILED;
	if (looked < 0 || rehearsed)
		clear_rehearsal(session, ret);
	/* What was undone was undone, whichever it was. */
	ret->report.kind = TXN_APPLY;
	ret->status = exit_status(ret);
}

int recovery_text(const struct recovery *recovery, struct strbuf *out)
{
	const struct paper paper = {.out = out};
	const struct report *report = &recovery->report;
	const struct error *error = recovery->error.code ? &recovery->error : &report->error;
	char text[sizeof *error];

	if (recovery->status != EXIT_FINE) {
		paper_put(&paper, recovery->id ? recovery->id : "What was interrupted");
		paper_put(&paper, recovery->status == EXIT_TROUBLE
					  ? " cannot be looked for: "
					  : " could be neither finished nor undone: ");
		paper_put(&paper, error->code ? error_format(error, text, sizeof text)
					      : "no reason is known");
		paper_end_line(&paper);
		outcome_put_advice(&paper, report);
	} else if (!recovery->id && recovery->rehearsed) {
		(void)strbuf_adds(out, "A rehearsal had been interrupted. What it left is gone.\n");
	} else if (!recovery->id) {
		(void)strbuf_adds(out, "Nothing is pending.\n");
	} else {
		paper_put(&paper, recovery->id);
		paper_put(&paper, report->outcome == OUTCOME_ROLLED_BACK
					  ? " had been interrupted. It is undone: this host is as "
					    "it was before."
					  : " had been interrupted. It is finished: this host is "
					    "as it was to be.");
		paper_end_line(&paper);
		outcome_put_notes(&paper, report);
	}
	return out->failed ? -1 : 0;
}

json_t *recovery_json(const struct recovery *recovery, const char *command)
{
	json_t *document = outcome_json(document_start(command), &recovery->report);

	if (!document)
		return NULL;
	if (recovery->id)
		(void)json_object_set_new(document, "id", json_string(recovery->id));
	if (recovery->error.code)
		(void)json_object_set_new(document, "error", show_error_json(&recovery->error));
	return document;
}

int recovery_first(const struct session *session)
{
	cleanup_recovery struct recovery recovery = {.report = REPORT_EMPTY};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	recovery_run(session, false, &recovery);
	if (!recovery.id && recovery.status == EXIT_FINE)
		return EXIT_FINE;
	if (recovery_text(&recovery, &text) == 0)
		(void)fprintf(stderr, "harden: %s", text.data);
	if (recovery.status != EXIT_FINE && session->options->json)
		(void)output_json(recovery_json(&recovery, session->command));
	return recovery.status;
}
