/* What carrying a transaction out and undoing it have in common. */
#pragma once

#include "apply/daemon.h"
#include "apply/transaction.h"

struct run {
	struct txn *txn;
	const struct transaction_options *options;
	struct report *report;
	struct daemon daemon;
};

void run_start(struct run *run, struct txn *txn, const char *socket_path,
	       const struct transaction_options *options, struct report *report);
void run_done(struct run *run);
#define cleanup_run scoped(run_done)

/* daemon.json among the files; NULL when it is not. */
const struct txn_file *run_config(const struct run *run);

/* Switches live-restore by a reload: for its time daemon.json is `state` with live-restore set, and
 * afterwards exactly `state`, unless it is to stay. */
int run_reload(struct run *run, const struct filestate *state, bool live_restore, bool stay,
	       struct error *error);

/* Adds a sentence to a list of the report; running out of memory loses it. */
void run_say(struct strlist *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts files and daemon back and settles the transaction. The report's outcome is ROLLED_BACK or
 * ROLLBACK_FAILED. `told` says that the daemon may have been told of the new files. */
void run_undo(struct run *run, bool told, bool force);

/* Replaces a text by a copy of another, which may be NULL. */
int run_set_text(char **field, const char *text, struct error *error);

/* Takes away what lies about once a transaction is final: temporary files, folders that a rollback
 * leaves empty, the mark. Can be repeated. At boot, before the daemon runs, the mark stays where a
 * canary may have left something: `harden recover` runs once more when the daemon does. */
int run_end(const struct run *run, struct error *error);

/* Writes the end of it into the record and takes the mark away. */
int run_settle(struct run *run, enum txn_state state, enum outcome outcome, struct error *error);
