/* What became of a transaction, for people and for scripts. */
#pragma once

#include <jansson.h>

#include "apply/transaction.h"
#include "cli/options.h"
#include "cli/paper.h"

int outcome_exit_status(enum outcome outcome);

/* "Docker did not answer for 0.6 s. All containers kept running. …", or nothing where there was no
 * restart. */
void outcome_add_restart(struct strbuf *text, const struct report *report);

/* The end of one that failed: what failed, dockerd's words, what is where and what to type. `what`
 * begins the sentence: "The apply". Nothing for other outcomes. */
void outcome_put_failure(const struct paper *paper, const char *what, const struct report *report);

/* Only dockerd's words, and what is where. */
void outcome_put_advice(const struct paper *paper, const struct report *report);

/* What else is worth saying. */
void outcome_put_notes(const struct paper *paper, const struct report *report);

/* The member "canary" of a document of apply. */
json_t *outcome_canary_json(const struct canary *canary);

/* Adds id, result, error, api_downtime_ms, containers, dockerd, advice, notes and phases_ms to a
 * document. Returns the document, or NULL when out of memory (it is released then). */
json_t *outcome_json(json_t *document, const struct report *report);

/* Text for people goes to stdout; with --json to stderr, because stdout has the document. */
FILE *outcome_stream(const struct options *options);
bool outcome_say(const struct options *options, const struct strbuf *text);

/* Nothing was changed, because of `error`: says so, with --json in a document. Returns
 * EXIT_TROUBLE. */
int outcome_refused(const struct options *options, const char *command, const struct error *error);

/* The command that takes it back, as a line; nothing without an id. */
void outcome_put_way_back(const struct paper *paper, const char *label,
			  const struct options *options, const char *id);
