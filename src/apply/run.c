#include "apply/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apply/switch.h"

void run_say(struct strlist *list, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	(void)strlist_take(list, strbuf_finish(&text));
}

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

int run_set_text(char **field, const char *text, struct error *error)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return error_set_oom(error);
	free(*field);
	*field = copy;
	return 0;
}

/* Folders are empty only once the temporary files are gone. */
int run_end(const struct run *run, struct error *error)
{
	const struct txn *txn = run->txn;
	int r = switch_clean(txn, error);

	if (r == 0 && txn->state == TXN_COMMITTED)
		r = switch_leave_folders(txn, error);
	return r < 0 || (txn->canary && run->options->no_restart)
		       ? r
		       : store_settle(run->options->store, error);
}

int run_settle(struct run *run, enum txn_state state, enum outcome outcome, struct error *error)
{
	struct txn *txn = run->txn;
	struct error ignored = ERROR_NONE;
	struct error why = ERROR_NONE;
	char text[sizeof why];

	txn->state = state;
	free(txn->finished);
	txn->finished = NULL;
	(void)txn_time_text(time(NULL), &txn->finished, &ignored);
	ignored = ERROR_NONE;
	int r = run_set_text(&txn->result, outcome_name(outcome, txn->kind), error);
	if (r == 0)
		r = store_save(run->options->store, txn, error);
	if (r < 0)
		return r;
	/* From here on the record says that there is nothing to do but to tidy up, and what cannot
	 * be taken away now, not even at the second try, the next harden or the boot unit does. */
	if (run_end(run, &ignored) < 0 && run_end(run, &why) < 0)
		run_say(&run->report->notes, "Tidying up is left to the next `harden recover`: %s",
			error_format(&why, text, sizeof text));
	return 0;
}
