/* The files of a transaction, taking their places together and giving them back.
 *
 * Beside each target stand, while the transaction is open: ".NAME.harden-new" (what comes),
 * ".NAME.harden-old" (a second link to what was there, so that going back needs no space on a disk
 * that has just become full), and for an instant ".NAME.harden-step". */
#pragma once

#include <stdbool.h>

#include "apply/txn.h"
#include "base/error.h"
#include "base/strlist.h"

/* The name of the file that comes, beside target, as a new string; NULL when out of memory. */
char *switch_temporary(const char *target);

/* Whether all files could be replaced. Nothing is written. */
int switch_check(const struct txn *txn, struct error *error);

/* Creates folders and temporary files, so that what is left to do is to rename. On failure all of
 * it is gone again. */
int switch_prepare(const struct txn *txn, struct error *error);

/* Puts the new file in its place. */
int switch_forward(const struct txn_file *file, struct error *error);

/* Puts daemon.json in its place with other bytes, those of `state` with live-restore switched; for
 * the time of a reload or of one start. *ret_differs (may be NULL) says whether that is anything
 * else than `state`. */
int switch_step(const struct txn_file *config, const struct filestate *state, bool live_restore,
		bool *ret_differs, struct error *error);

/* Puts exactly this state in daemon.json's place. */
int switch_exact(const struct txn_file *config, const struct filestate *state, struct error *error);

/* The folders that were created for the files, once more: for a daemon.json that is there only
 * while dockerd is reloaded. And away with them, where they are empty. */
int switch_make_folders(const struct txn *txn, struct error *error);
int switch_remove_folders(const struct txn *txn, struct error *error);

/* Removes the folders that a rollback leaves, where they are empty. */
int switch_leave_folders(const struct txn *txn, struct error *error);

/* Looks at all targets. *ret_changed says whether any of them is not as it was before; *ret_edited
 * gets the paths of those that somebody else has changed in the meantime: neither old, nor new, nor
 * a step between. */
int switch_examine(const struct txn *txn, bool *ret_changed, struct strlist *ret_edited,
		   struct error *error);

/* Puts back what was there, whatever is there now. Can be repeated. All files are tried; the error
 * is the first one. */
int switch_back(const struct txn *txn, struct error *error);

/* Removes the temporary files. */
int switch_clean(const struct txn *txn, struct error *error);
