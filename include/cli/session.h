/* What apply, rollback and recover have in common: they need root, they are one at a time, signals
 * do not stop them half-way, and what an earlier one has left behind comes first. */
#pragma once

#include <stdbool.h>

#include "apply/store.h"
#include "apply/transaction.h"
#include "base/error.h"
#include "cli/options.h"
#include "cli/progress.h"

struct session {
	const struct options *options;
	const char *command;
	struct store store; /* locked */
	int interrupt_fd;
	struct progress_line line;
	struct progress progress; /* keeps a pointer to line: a session stays where it is */
};

#define SESSION_CLOSED ((struct session){.store = STORE_CLOSED, .interrupt_fd = -1})

void session_done(struct session *session);
#define cleanup_session scoped(session_done)

/* Whether this user may change the host: -EPERM otherwise. */
int session_may_change(const char *command, struct error *error);

/* The same for looking at what is kept. */
int session_may_read(const char *command, struct error *error);

/* Whether nothing was ever applied here: then there is nothing to lock, and nothing is created. */
bool session_has_no_store(void);

/* Checks for root, blocks signals and takes the lock. */
int session_open(struct session *session, const struct options *options, const char *command,
		 struct error *error);

/* What the engine needs to know. Borrows from the session. */
struct transaction_options session_transaction_options(const struct session *session);
