/* What goes to the terminal, and how a command fails. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "cli/options.h"
#include "cli/paper.h"
#include "core/check.h"
#include "core/facts.h"
#include "core/plan.h"

/* To be called before anything is opened. Where stdin, stdout or stderr is closed, the next file or
 * socket would get its number, and messages would go into the lock or onto the bus. False where
 * that cannot be helped, because there is no /dev/null. */
bool output_reserve_streams(void);

/* Writes all of it to stdout; false when that fails (a full disk, a closed pipe), which has then
 * been said on stderr. */
bool output_text(const char *text, size_t length);

/* "harden: …" on stderr, fit for a terminal. */
void output_complaint(const struct error *error);

/* Reports an error: a line on stderr, and with --json a document with "error" on stdout. Returns
 * EXIT_TROUBLE. */
int output_error(const struct options *options, const char *command, const struct error *error);

/* Writes a JSON document, indented, to stdout. Takes the reference. */
bool output_json(json_t *document);

/* The members that every document has: schema, harden, command. NULL when out of memory. */
json_t *document_start(const char *command);

/* Whether this stream gets colour: --color, NO_COLOR, and what the terminal is. */
bool output_uses_color(const struct options *options, FILE *stream);

/* The plan as text for people; `ending` is put behind its last line (" Nothing was changed."). */
int show_plan_text(struct strbuf *out, const struct plan *plan, const struct facts *facts,
		   const struct options *options, bool color, const char *ending);

/* What happens to the daemon. */
struct daemon_change {
	enum plan_action action;
	bool keeps_containers; /* they outlive a restart */
	bool release;          /* of reload+restart: live-restore goes off after, not on before */
	bool canary;           /* a container is started afterwards */
	const struct strlist *stopped; /* names of containers stopped before a restart … */
	const struct strlist *started; /* … and of those started after it */
	const char *listener;          /* a log service that is restarted with it; NULL */
	const char *address;           /* that it opens or closes */
	bool closes;
};

/* The same for people, and what it does to what runs. */
void show_action(const struct paper *paper, const struct facts *facts,
		 const struct daemon_change *change);

/* The plan as the document of harden-json(5). A new reference, NULL when out of memory. */
json_t *show_plan_json(const char *command, const struct plan *plan, const struct facts *facts);

/* The log service that is restarted: an object, or null without a unit. */
json_t *show_listener_json(const char *unit, const char *address);

/* The audit, in four forms. Text is at most 80 columns wide. */
int show_check_text(struct strbuf *out, const struct check *check, const struct plan *plan,
		    const struct facts *facts, const struct options *options, bool color);
json_t *show_check_json(const struct check *check, const struct plan *plan,
			const struct facts *facts, const struct options *options);
/* JUnit XML, as Jenkins and its relatives read it; -1 when out of memory. */
int show_check_junit(struct strbuf *out, const struct check *check, const struct plan *plan,
		     const struct facts *facts, const struct options *options);
/* SARIF 2.1.0. */
json_t *show_check_sarif(const struct check *check, const struct plan *plan,
			 const struct facts *facts, const struct options *options);

/* A value as a person would say it, short enough for a line, secrets masked; a new string, NULL
 * when out of memory. */
char *show_value_text(const char *key, const json_t *value);

/* Parts of documents; each is a new reference. */
json_t *show_cis_json(const struct profile_row *row);           /* by benchmark */
json_t *show_masked_json(const char *key, const json_t *value); /* null for NULL */
json_t *show_host_json(const struct facts *facts);
json_t *show_file_json(const char *path, enum file_action action, const char *diff);
json_t *show_list_json(const struct strlist *list);
json_t *show_text_json(const char *text);           /* null for NULL */
json_t *show_error_json(const struct error *error); /* one sentence; null where there is none */
