#include "cli/rehearse.h"

#include <errno.h>
#include <string.h>

#include "cli/outcome.h"
#include "cli/output.h"

/* ---- whether there is one ---- */

static int leave_out(struct rehearsal *rehearsal, const char *reason, struct error *error)
{
	rehearsal->state = REHEARSAL_SKIPPED;
	rehearsal->reason = strdup(reason);
	return rehearsal->reason ? 0 : error_set_oom(error);
}

static struct rehearsal_options how_of(const struct session *session)
{
	return (struct rehearsal_options){
		.store = &session->store,
		.timeout_seconds = session->options->timeout_seconds,
		.interrupt_fd = session->interrupt_fd,
		.progress = &session->progress,
		.no_canary = session->options->no_canary,
	};
}

int rehearse_clear(const struct session *session, struct error *error)
{
	const struct rehearsal_options how = how_of(session);

	return rehearsal_recover(&how, error);
}

static int run(const struct session *session, const struct plan *plan, const struct facts *facts,
	       const struct txn *txn, struct rehearsal *ret, struct error *error)
{
	const struct options *options = session->options;
	const struct rehearsal_options how = how_of(session);
	bool plans = strcmp(session->command, "plan") == 0;

	/* Nothing to go by: an image has no systemd that could start anything. */
	if (options->root)
		return plans || options->rehearse == REHEARSE_REQUIRE
			       ? leave_out(ret, "nothing runs in an image", error)
			       : 0;
	if (!plans && (options->no_restart || !rehearsal_is_due(plan, facts)))
		return 0;
	if (options->rehearse == REHEARSE_NO)
		return leave_out(ret, "--no-rehearsal was given", error);
	return rehearsal_run(plan, facts, txn, &how, ret, error);
}

/* Why apply must not go on. */
static int judge(const struct session *session, const struct facts *facts,
		 const struct rehearsal *rehearsal, struct error *error)
{
	const char *reason = rehearsal->reason ? rehearsal->reason : "no reason is known";
	const char *unit = facts->unit.name ? facts->unit.name : session->options->unit;
	bool required = session->options->rehearse == REHEARSE_REQUIRE;

	if (rehearsal->state == REHEARSAL_SKIPPED && required)
		return error_set(error, -EOPNOTSUPP, "rehearse", unit,
				 "it cannot be done here, and --rehearse=require was given: %s",
				 reason);
	if (rehearsal->state != REHEARSAL_FAILED)
		return 0;
	if (rehearsal->key && !strstr(reason, rehearsal->key))
		return error_set(error, -EIO, "rehearse", unit, "%s, because of %s", reason,
				 rehearsal->key);
	return error_set(error, -EIO, "rehearse", unit, "%s", reason);
}

int rehearse_step(const struct session *session, const struct plan *plan, const struct facts *facts,
		  const struct txn *txn, struct rehearsal *ret, struct error *error)
{
	int r = run(session, plan, facts, txn, ret, error);

	return r < 0 ? r : judge(session, facts, ret, error);
}

/* ---- what is said ---- */

void rehearse_put_words(const struct paper *paper, const struct rehearsal *rehearsal)
{
	const struct strlist *words = &rehearsal->words;

	if (words->count) {
		paper_put(paper, "dockerd said:");
		paper_end_line(paper);
	}
	for (size_t i = 0; i < words->count; i++) {
		paper_put(paper, "  ");
		paper_put(paper, words->items[i]);
		paper_end_line(paper);
	}
	for (size_t i = 0; i < rehearsal->notes.count; i++)
		paper_wrap(paper, 0, 0, rehearsal->notes.items[i]);
}

void rehearse_put(const struct paper *paper, const struct rehearsal *rehearsal)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	switch (rehearsal->state) {
	case REHEARSAL_PASSED:
		(void)strbuf_addf(
			&text,
			"Rehearsed: a throwaway dockerd came up with this configuration "
			"in %.1f s%s.",
			(double)rehearsal->start_us / 1e6,
			rehearsal->canary.state == CANARY_PASSED ? ", and a container in it" : "");
		break;
	case REHEARSAL_FAILED:
		(void)strbuf_addf(&text, "Rehearsed, and it failed: %s%s%s.",
				  rehearsal->reason ? rehearsal->reason : "no reason is known",
				  rehearsal->key ? ", because of " : "",
				  rehearsal->key ? rehearsal->key : "");
		break;
	case REHEARSAL_SKIPPED:
		(void)strbuf_addf(&text, "Not rehearsed: %s.",
				  rehearsal->reason ? rehearsal->reason : "no reason is known");
		break;
	case REHEARSAL_NONE:
	default:
		return;
	}
	paper_wrap(paper, 0, 0, text.data ? text.data : "");
	rehearse_put_words(paper, rehearsal);
}

json_t *rehearse_json(const struct rehearsal *rehearsal)
{
	const char *state = rehearsal_state_name(rehearsal->state);
	int64_t took = rehearsal->took_us;
	int64_t start = rehearsal->start_us;
	const struct canary *canary = &rehearsal->canary;

	if (!state)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state", state, "reason",
			 show_text_json(rehearsal->reason), "key", show_text_json(rehearsal->key),
			 "dockerd", show_list_json(&rehearsal->words), "notes",
			 show_list_json(&rehearsal->notes), "start_ms",
			 start < 0 ? json_null() : json_integer((start + 500) / 1000), "ms",
			 took < 0 ? json_null() : json_integer((took + 500) / 1000), "canary",
			 canary->took_us < 0 ? json_null() : outcome_canary_json(canary));
}
