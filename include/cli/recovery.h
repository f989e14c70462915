/* Finishing or undoing what was interrupted, by the command for it and before every other change.
 */
#pragma once

#include <jansson.h>

#include "apply/transaction.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/session.h"

struct recovery {
	char *id;       /* NULL: nothing was pending */
	bool rehearsed; /* a rehearsal had been interrupted, and what it left is gone */
	struct report report;
	struct error error; /* set where it could not even be tried */
	int status;         /* to exit with */
};

void recovery_done(struct recovery *recovery);
#define cleanup_recovery scoped(recovery_done)

void recovery_run(const struct session *session, bool force, struct recovery *ret);

/* What was done, or what there is to do now, for people. Returns -1 when out of memory. */
int recovery_text(const struct recovery *recovery, struct strbuf *out);

/* The document of harden-json(5), a new reference. */
json_t *recovery_json(const struct recovery *recovery, const char *command);

/* For apply and rollback: what is pending is settled first, and said on stderr. Returns EXIT_FINE
 * when they can go on; else the status to exit with, and everything has been said. */
int recovery_first(const struct session *session);
