/* What goes to the terminal, and how a command fails. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "cli/options.h"
#include "core/facts.h"
#include "core/plan.h"

/* Writes all of it to stdout; false when that fails (a full disk, a closed pipe), which has then
 * been said on stderr. */
bool output_text(const char *text, size_t length);

/* Reports an error: a line on stderr, and with --json a document with "error" on stdout. Returns
 * EXIT_TROUBLE. */
int output_error(const struct options *options, const char *command, const struct error *error);

/* Writes a JSON document, indented, to stdout. Takes the reference. */
bool output_json(json_t *document);

/* The members that every document has: schema, harden, command. NULL when out of memory. */
json_t *document_start(const char *command);

/* Whether stdout gets colour: --color, NO_COLOR, and what the terminal is. */
bool output_uses_color(const struct options *options);

/* The plan as text for people. */
int show_plan_text(struct strbuf *out, const struct plan *plan, const struct facts *facts,
		   const struct options *options, bool color);

/* The plan as the document of harden-json(5). A new reference, NULL when out of memory. */
json_t *show_plan_json(const struct plan *plan, const struct facts *facts);
