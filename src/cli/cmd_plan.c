#include "apply/transaction.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "cli/rehearse.h"
#include "cli/session.h"

struct work {
	const struct options *options;
	struct session session; /* opened only for a rehearsal */
	struct facts facts;
	struct plan plan;
	struct rehearsal rehearsal;
	struct error refusal; /* the rehearsal's */
};

static void work_done(struct work *work)
{
	rehearsal_done(&work->rehearsal);
	plan_done(&work->plan);
	facts_done(&work->facts);
	session_done(&work->session);
}

static int exit_status(const struct work *work)
{
	const struct plan *plan = &work->plan;
	bool differs = plan->file_count || plan_count(plan, SETTING_CHANGE);

	if (plan->obstacles.count || work->refusal.code)
		return EXIT_TROUBLE;
	return work->options->exit_code && differs ? EXIT_DIFFERENCES : EXIT_FINE;
}

/* What the plan expects of the daemon is known once its files have been looked at again. One that
 * cannot be carried out is rehearsed all the same: it says what dockerd thinks of it. */
static int rehearse(struct work *work, struct error *error)
{
	cleanup_txn struct txn txn = {.id = NULL};
	struct error ignored = ERROR_NONE;
	bool drafted = !work->options->root && !work->plan.obstacles.count &&
		       transaction_from_plan(&work->plan, &work->facts, &work->session.store, &txn,
					     &ignored) == 0;

	int r = rehearse_step(&work->session, &work->plan, &work->facts, drafted ? &txn : NULL,
			      &work->rehearsal, &work->refusal);
	/* One that came to a result is shown with the plan; one that did not is an error. */
	if (r < 0 && work->rehearsal.state == REHEARSAL_NONE) {
		*error = work->refusal;
		return r;
	}
	return 0;
}

static int show_json(const struct work *work)
{
	json_t *document = show_plan_json("plan", &work->plan, &work->facts);

	for (size_t i = 0; i < work->plan.obstacles.count; i++)
		(void)fprintf(stderr, "harden: %s\n", work->plan.obstacles.items[i]);
	if (work->refusal.code)
		output_complaint(&work->refusal);
	if (document)
		(void)json_object_set_new(document, "rehearsal", rehearse_json(&work->rehearsal));
	return output_json(document) ? exit_status(work) : EXIT_TROUBLE;
}

static int show_text(const struct work *work, struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	bool color = output_uses_color(work->options, stdout);
	const struct paper paper = {.out = &text, .color = color};

	if (show_plan_text(&text, &work->plan, &work->facts, work->options, color,
			   " Nothing was changed.") < 0) {
		(void)error_set_oom(error);
		return output_error(work->options, "plan", error);
	}
	if (work->rehearsal.state != REHEARSAL_NONE)
		paper_end_line(&paper);
	rehearse_put(&paper, &work->rehearsal);
	return output_text(text.data, text.length) ? exit_status(work) : EXIT_TROUBLE;
}

/* One at a time, like everything else that leaves traces while it lasts. */
static int open_stage(struct work *work, struct error *error)
{
	const struct options *options = work->options;

	if (options->rehearse <= REHEARSE_NO)
		return 0;
	if (options->root) {
		work->session.options = options;
		work->session.command = "plan";
		return 0;
	}
	int r = session_open(&work->session, options, "plan", error);
	if (r == 0)
		r = rehearse_clear(&work->session, error);
	return r < 0 ? r : 0;
}

int command_plan(const struct options *options)
{
	scoped(work_done) struct work work = {
		.options = options,
		.session = SESSION_CLOSED,
		.facts = FACTS_EMPTY,
		.rehearsal = REHEARSAL_EMPTY,
	};
	struct error error = ERROR_NONE;

	int r = open_stage(&work, &error);
	if (r == 0)
		r = reading_plan(options, &work.facts, &work.plan, &error);
	if (r == 0 && options->rehearse > REHEARSE_NO)
		r = rehearse(&work, &error);
	if (r < 0)
		return output_error(options, "plan", &error);
	return options->json ? show_json(&work) : show_text(&work, &error);
}
