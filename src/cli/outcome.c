#include "cli/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "core/canary.h"

int outcome_exit_status(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_UNCHANGED:
	case OUTCOME_APPLIED:
		return EXIT_FINE;
	case OUTCOME_INCOMPLETE:
		return EXIT_INCOMPLETE;
	case OUTCOME_ROLLED_BACK:
		return EXIT_PUT_BACK;
	case OUTCOME_ROLLBACK_FAILED:
		return EXIT_PUT_BACK_FAILED;
	case OUTCOME_REFUSED:
	default:
		return EXIT_TROUBLE;
	}
}

/* --- for people --------------------------------------------------------------------------------
 */

static void add_list(struct strbuf *text, const char *before, const struct strlist *names)
{
	for (size_t i = 0; i < names->count; i++)
		(void)strbuf_addf(text, "%s%s", i ? ", " : before, names->items[i]);
	if (names->count)
		(void)strbuf_addc(text, '.');
}

static void add_containers(struct strbuf *text, const struct report *report)
{
	int64_t before = report->containers_before;
	int64_t restarted = report->containers_restarted;

	if (before > 0 && report->containers_kept == before)
		(void)strbuf_addf(text, " %s kept running.",
				  before == 1 ? "The running container" : "All containers");
	else if (before > 0 && restarted == before)
		(void)strbuf_addf(text, " %s stopped and started again.",
				  before == 1 ? "The running container was"
					      : "All running containers were");
	else if (before > 0 && report->containers_kept + restarted > 0)
		(void)strbuf_addf(text,
				  " Of %" PRId64 " containers %" PRId64 " kept running and %" PRId64
				  " were started again.",
				  before, report->containers_kept, restarted);
	add_list(text, " Stopped, and out of sight now: ", &report->containers_stopped);
	add_list(text, " No longer running: ", &report->containers_lost);
}

void outcome_add_restart(struct strbuf *text, const struct report *report)
{
	double seconds = (double)report->downtime_us / 1e6;

	if (report->downtime_us < 0)
		return;
	(void)strbuf_addf(text, "Docker did not answer for %.*f s.", seconds < 0.1 ? 2 : 1,
			  seconds);
	add_containers(text, report);
}

void outcome_put_way_back(const struct paper *paper, const char *label,
			  const struct options *options, const char *id)
{
	if (!id)
		return;
	paper_put(paper, label);
	paper_put(paper, ": harden ");
	if (options->root) {
		paper_put(paper, "--root ");
		paper_put(paper, options->root);
		paper_put(paper, " ");
	}
	paper_put(paper, "rollback ");
	paper_put(paper, id);
	paper_end_line(paper);
}

static void put_lines(const struct paper *paper, const char *heading, const struct strlist *lines)
{
	if (!lines->count)
		return;
	paper_put(paper, heading);
	paper_end_line(paper);
	for (size_t i = 0; i < lines->count; i++) {
		/* Not wrapped: there are commands among them, and words to look for. */
		paper_put(paper, "  ");
		paper_put(paper, lines->items[i]);
		paper_end_line(paper);
	}
}

void outcome_put_advice(const struct paper *paper, const struct report *report)
{
	put_lines(paper, "dockerd said:", &report->words);
	put_lines(paper, "The command said:", &report->output);
	put_lines(paper, "What is where, and what to do:", &report->advice);
}

void outcome_put_failure(const struct paper *paper, const char *what, const struct report *report)
{
	char text[sizeof report->error];
	bool back = report->outcome == OUTCOME_ROLLED_BACK;

	if (!back && report->outcome != OUTCOME_ROLLBACK_FAILED)
		return;
	paper_paint(paper, PAINT_RED);
	paper_put(paper, what);
	paper_put(paper, back ? " failed and this host is as it was before: "
			      : " failed, and putting this host back failed too: ");
	paper_put(paper, report->error.code ? error_format(&report->error, text, sizeof text)
					    : "no reason is known");
	paper_paint(paper, PAINT_NONE);
	paper_end_line(paper);
	outcome_put_advice(paper, report);
}

void outcome_put_notes(const struct paper *paper, const struct report *report)
{
	for (size_t i = 0; i < report->notes.count; i++)
		paper_wrap(paper, 0, 0, report->notes.items[i]);
}

FILE *outcome_stream(const struct options *options)
{
	return options->json ? stderr : stdout;
}

bool outcome_say(const struct options *options, const struct strbuf *text)
{
	if (text->failed) {
		(void)fputs("harden: out of memory\n", stderr);
		return false;
	}
	if (!text->length)
		return true;
	if (!options->json)
		return output_text(text->data, text->length);
	(void)fwrite(text->data, 1, text->length, stderr);
	return true;
}

/* --- for scripts -------------------------------------------------------------------------------
 */

static json_t *milliseconds(int64_t microseconds)
{
	return microseconds < 0 ? json_null() : json_integer((microseconds + 500) / 1000);
}

static json_t *count(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static json_t *phases(const struct report *report)
{
	json_t *object = json_object();

	for (int i = 0; i < PHASE_COUNT; i++)
		(void)json_object_set_new(object, phase_name((enum phase)i),
					  milliseconds((int64_t)report->phase_us[i]));
	return object;
}

json_t *outcome_canary_json(const struct canary *canary)
{
	bool passed = canary->state == CANARY_PASSED;

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", canary_state_name(canary->state),
			 "reason", show_text_json(canary->reason), "key",
			 show_text_json(canary->key), "ms", milliseconds(canary->took_us), "saw",
			 passed ? canary_facts_json(&canary->saw) : json_null());
}

json_t *outcome_json(json_t *document, const struct report *report)
{
	json_t *containers = json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "before", count(report->containers_before), "kept",
		count(report->containers_kept), "restarted", count(report->containers_restarted),
		"stopped", show_list_json(&report->containers_stopped), "lost",
		show_list_json(&report->containers_lost));
	json_t *members = json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
		show_text_json(report->id), "result", outcome_name(report->outcome, report->kind),
		"error", show_error_json(&report->error), "dockerd", show_list_json(&report->words),
		"verify_output", show_list_json(&report->output), "advice",
		show_list_json(&report->advice), "notes", show_list_json(&report->notes),
		"api_downtime_ms", milliseconds(report->downtime_us), "containers", containers,
		"phases_ms", phases(report));

	if (members && document && json_object_update(document, members) == 0) {
		json_decref(members);
		return document;
	}
	json_decref(members);
	json_decref(document);
	return NULL;
}

int outcome_refused(const struct options *options, const char *command, const struct error *error)
{
	output_complaint(error);
	if (options->json) {
		json_t *document = document_start(command);
		json_t *members = json_pack("{s:n, s:s, s:o}", "id", "result",
					    outcome_name(OUTCOME_REFUSED, TXN_APPLY), "error",
					    show_error_json(error));
		if (!members || !document || json_object_update(document, members) < 0) {
			json_decref(document);
			document = NULL;
		}
		json_decref(members);
		(void)output_json(document);
	}
	return EXIT_TROUBLE;
}
