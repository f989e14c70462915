/* A transaction: several files and the daemon, changed as one. Everything that is needed to finish
 * or undo it, by another process and after a reboot, is in here, and on the disk before the first
 * step is taken (apply/store.h). */
#pragma once

#include <sys/types.h>

#include <jansson.h>

#include "apply/filestate.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"
#include "core/facts.h"
#include "core/plan.h"

enum txn_kind {
	TXN_APPLY,
	TXN_ROLLBACK,
};

/* Each is on the disk before the step that it allows. */
enum txn_state {
	TXN_PREPARED,  /* files are being replaced; the daemon has not been told */
	TXN_SWITCHED,  /* all files are new; the daemon may have been reloaded or restarted */
	TXN_RESTARTED, /* systemd has finished; the daemon is being proved */
	TXN_UNDOING,   /* something went wrong: files and daemon are being put back */
	/* From here on there is nothing left to do. */
	TXN_COMMITTED,
	TXN_ROLLED_BACK,
};

struct txn_file {
	char *path;      /* as the plan names it */
	char *target;    /* the file itself, behind symlinks */
	char *temporary; /* beside target: ".NAME.harden-new"; NULL where none is needed */
	enum file_action action;
	bool config; /* it is daemon.json */
	struct filestate before;
	struct filestate after;
};

/* A setting whose value in the running daemon proves that the transaction worked, or was undone. */
struct expectation {
	char *key;      /* as in live_value() */
	json_t *before; /* the live value before; NULL where the daemon did not say */
	json_t *wanted; /* as it is configured afterwards; of a rollback the live value that is to
			 * be back, NULL where it was not known */
	enum effect effect;
};

/* A log service that is restarted with the files: its address is open before dockerd is told to log
 * there, and closed after dockerd was told not to. */
struct txn_listener {
	char *unit;       /* "rsyslog.service"; NULL: there is none */
	char *address;    /* "tcp://127.0.0.1:514" */
	char *invocation; /* InvocationID of the unit before; NULL unknown */
};

/* A container, by what is needed to start it again. */
struct txn_container {
	char *id;
	char *name;
	bool paused;
};

struct txn_containers {
	struct txn_container *items;
	size_t count;
};

struct txn {
	char *id; /* sorts by time */
	enum txn_kind kind;
	enum txn_state state;
	char *of;       /* which one a rollback undoes; else NULL */
	char *result;   /* applied, incomplete, rolled-back, …; NULL until it is known */
	char *error;    /* why it did not work; NULL */
	char *started;  /* UTC, "2026-11-23T21:44:55Z" */
	char *finished; /* NULL until then */
	char *user;     /* who: the login name behind sudo where there is one */
	uid_t uid;
	char *profile; /* NULL for a rollback */

	char *unit;               /* "docker.service" */
	char *socket;             /* of the API; NULL: not known */
	enum daemon_state daemon; /* before */
	char *invocation;         /* InvocationID of the unit before; NULL unknown */
	enum plan_action action;
	bool units_changed; /* a file of systemd's is among the files: daemon-reload */
	bool live_restore;  /* what a reload switches it to, where action has one */
	bool stops;         /* the running containers are stopped before the restart */
	/* The unit's command line once systemd has read the files, the program first; empty where
	 * it does not change. Not in the record: whoever undoes has no use for it. */
	struct strlist command_line;
	struct txn_listener listener;
	struct strlist folders;      /* created for the files, parents first */
	struct strlist folders_left; /* of a rollback: created by what it undoes, parents first;
				      * removed at the end where they are empty */
	struct txn_file *files;
	size_t file_count;
	struct expectation *expectations;
	size_t expectation_count;
	/* Containers that were up before, in the order in which they had been started. Whatever
	 * becomes of the transaction, undoing it leaves none of them down. */
	struct txn_containers running;
	struct txn_containers starts; /* started after it, in this order */
	bool canary; /* one runs, or ran: it may have left a container and an image */
};

void txn_done(struct txn *txn);
#define cleanup_txn scoped(txn_done)

/* Appends a copy. */
int txn_containers_add(struct txn_containers *list, const char *id, const char *name, bool paused,
		       struct error *error);

/* Replaces *to by a copy. */
int txn_containers_copy(const struct txn_containers *from, struct txn_containers *to,
			struct error *error);

/* Whether this is an id as dockerd makes them: it becomes a part of a path of its API. */
bool txn_container_id_is_valid(const char *id);

/* Names in records and in JSON documents. */
const char *txn_kind_name(enum txn_kind kind);
const char *txn_state_name(enum txn_state state);
const char *txn_daemon_name(enum daemon_state daemon); /* absent, stopped, running */

/* A moment as records have it, "2026-11-23T21:44:55Z", as a new string. */
int txn_time_text(time_t moment, char **ret, struct error *error);

/* The setting for which it moves the data root, away or back; NULL: it does not. Borrowed. */
const char *txn_data_key(const struct txn *txn);

/* COMMITTED or ROLLED_BACK. */
bool txn_is_final(const struct txn *txn);

/* "20261123T214455Z", with "-002" to "-999" behind it for more in the same second. */
bool txn_id_is_valid(const char *id);

/* Changes when older versions of harden could not read a record. */
#define TXN_SCHEMA 1

/* The record as a JSON document, without the bytes of files: those are kept beside it under the
 * names that txn_blob_name() gives. Text that is not UTF-8 becomes {"hex": "…"}. NULL when out of
 * memory. */
json_t *txn_to_json(const struct txn *txn);

/* The other way; data of the filestates stays NULL. Records are harden's own, but a disk may have
 * spoilt them: every member is checked, and an error (-EBADMSG) names it. */
int txn_from_json(const json_t *document, const char *path, struct txn *ret, struct error *error);

/* "0.before", "0.after" for the file with this index. */
enum txn_version {
	TXN_BEFORE,
	TXN_AFTER,
};
#define TXN_BLOB_NAME_SIZE 32

void txn_blob_name(size_t file, enum txn_version version, char ret[TXN_BLOB_NAME_SIZE]);

struct filestate *txn_file_version(struct txn_file *file, enum txn_version version);

/* Whether the bytes of this version are kept. They are where it is a file, unless only its owner
 * and mode change: then nobody needs them, and it may be a private key. Those of daemon.json always
 * are. */
bool txn_keeps_bytes(const struct txn_file *file, enum txn_version version);
