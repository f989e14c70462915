#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/recovery.h"
#include "cli/session.h"

int command_recover(const struct options *options)
{
	cleanup_session struct session session = SESSION_CLOSED;
	cleanup_recovery struct recovery recovery = {.report = REPORT_EMPTY};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	struct error error = ERROR_NONE;

	if (session_may_change("recover", &error) < 0 ||
	    (!session_has_no_store() && session_open(&session, options, "recover", &error) < 0))
		return outcome_refused(options, "recover", &error);
	if (session.store.folder)
		recovery_run(&session, options->force, &recovery);
	else
		recovery.report.outcome = OUTCOME_UNCHANGED;
	(void)recovery_text(&recovery, &text);
	(void)outcome_say(options, &text);
	if (options->json)
		(void)output_json(recovery_json(&recovery, "recover"));
	return recovery.status;
}
