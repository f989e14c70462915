/* Where transactions are kept: /var/lib/harden, 0700.
 *
 *     lock               flock()ed by the one harden that may change something; says who it is
 *     applies/ID/        record.json and the bytes of the files, 0600 in 0700
 *     applies/.new-ID/   a record that is not complete; swept
 *     pending            symlink to applies/ID while that one is neither committed nor undone; it
 *                        is there before the record
 *     rehearsal          the folders of a rehearsal, a line each, while one is under way
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "apply/txn.h"
#include "base/error.h"
#include "base/strlist.h"

#define STORE_FOLDER "/var/lib/harden"

struct store {
	char *folder;
	int lock_fd; /* -1 while it is not locked */
};

#define STORE_CLOSED ((struct store){.lock_fd = -1})

void store_done(struct store *store);
#define cleanup_store scoped(store_done)

/* For reading: history, and what is pending. Creates nothing; a folder that is not there is an
 * empty store. */
int store_open(const char *folder, struct store *ret, struct error *error);

/* For changing: creates the folders, takes the lock without waiting, writes into it who holds it
 * (PID, command, user, time), and sweeps what a crash has left. -EBUSY names the holder. The lock
 * ends with store_done() or with the process, not with its children. */
int store_open_locked(const char *folder, const char *command, struct store *ret,
		      struct error *error);

/* An id that no transaction has and that sorts after all of them, also when the clock was set back:
 * "20261123T214455Z", with "-002" behind it where needed. */
int store_new_id(const struct store *store, time_t now, char **ret, struct error *error);

/* Writes a new transaction (state PREPARED) and marks it pending. When it returns 0 all of it is on
 * the disk; on failure nothing of it is left. -EEXIST while another one is pending. */
int store_add(const struct store *store, const struct txn *txn, struct error *error);

/* Replaces the record, durably: a new state, result or error. The bytes stay. */
int store_save(const struct store *store, const struct txn *txn, struct error *error);

/* Takes away the mark. */
int store_settle(const struct store *store, struct error *error);

/* Removes a transaction that changed nothing, mark and all; one that is not there is fine. */
int store_discard(const struct store *store, const struct txn *txn, struct error *error);

/* The id of the pending transaction as a new string; NULL where there is none. */
int store_pending(const struct store *store, char **ret, struct error *error);

/* Marks that a rehearsal is under way, durably: these folders are to be removed after it. */
int store_mark_rehearsal(const struct store *store, const struct strlist *folders,
			 struct error *error);

/* Those folders, and whether there is such a mark at all. */
int store_rehearsal(const struct store *store, struct strlist *ret_folders, bool *ret_marked,
		    struct error *error);

/* Takes that mark away. */
int store_unmark_rehearsal(const struct store *store, struct error *error);

/* All ids, oldest first. */
int store_list(const struct store *store, struct strlist *ret, struct error *error);

/* The id that a person means: exact, or the only one that begins like this. -ENOENT, -ENOTUNIQ. */
int store_find(const struct store *store, const char *prefix, char **ret, struct error *error);

/* Reads a transaction; with bytes, those of all files that are kept (txn_keeps_bytes()) too, each
 * checked against its hash: -EBADMSG says which one is damaged or missing. -ENOENT: no such id. */
int store_load(const struct store *store, const char *id, bool bytes, struct txn *ret,
	       struct error *error);
