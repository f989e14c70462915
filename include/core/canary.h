/* The canary (src/canary.c): its image, its report, and what a failure of it means. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "core/facts.h"

/* Image and container bear this name, followed by the id of the transaction: "harden-canary:ID" and
 * "harden-canary-ID". What an interrupted harden leaves behind is found by it. */
#define CANARY_NAME "harden-canary"

/* On the container, with the same id: a name alone could be somebody else's. */
#define CANARY_LABEL "org.harden.canary"

/* Whether an entry of the API's list of containers is a canary. */
bool canary_is_entry(const json_t *entry);

/* Appends the image's only layer, a tar archive with the program in it, as POST /images/create with
 * fromSrc=- takes it. */
int canary_image(struct strbuf *tar, struct error *error);

/* The body of POST /containers/create as a new string: the daemon's defaults but for what is given
 * here. log_driver and network: NULL is what the daemon has. */
int canary_container(const char *id, const char *log_driver, const char *network, char **ret,
		     struct error *error);

/* Reads what the canary wrote, as POST /containers/ID/attach gives it: frames of eight bytes in
 * front of the text (API, "Stream format"). `inspected` is the reply to GET /containers/ID/json,
 * which tells what limits the daemon meant to give; the report tells what they came out as. NULL,
 * or a report that is not one: what cannot be told stays unknown. -ENOMEM is the only error. */
int canary_read(const char *stream, size_t length, const json_t *inspected,
		struct canary_facts *ret, struct error *error);

/* The setting that dockerd's words point at, by the wordings of dockerd 20.10 to 29 and runc 1.1 to
 * 1.3; NULL where they point at none. */
const char *canary_blame(const char *words);

/* Whether the words are about something that no setting is the cause of: no space, a file system
 * that has become read-only, no address left on the bridge. Then the canary could not be run, which
 * says nothing about the configuration. What limits may cause, too ("too many open files", "cannot
 * allocate memory"), is not among them. */
bool canary_is_excused(const char *words);

/* What it saw, for documents: NULL when out of memory. */
json_t *canary_facts_json(const struct canary_facts *facts);

/* Replaces *to by a copy. */
int canary_facts_copy(const struct canary_facts *from, struct canary_facts *to,
		      struct error *error);

void canary_facts_done(struct canary_facts *facts);
