/* Carrying a transaction out, and putting the host back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "apply/canary.h"
#include "apply/progress.h"
#include "apply/store.h"
#include "apply/txn.h"
#include "core/facts.h"
#include "core/plan.h"
#include "core/proof.h"

struct transaction_options {
	const struct store *store; /* locked */
	unsigned timeout_seconds;  /* longest wait for a job or for the daemon */
	bool no_restart;           /* files only */
	bool offline;     /* of an image: there is no systemd and no daemon to be told anything */
	int interrupt_fd; /* see struct wait */
	const struct progress *progress;
	const char *config_file; /* as in struct gather_options; NULL */
	bool incomplete;         /* something that the profile wants was left out of it */
	bool no_canary;
	const char *verify_command; /* for /bin/sh; NULL */
	/* Asks whether it shall stay, and waits: 0 is a yes, anything else and the host is put
	 * back. NULL: it stays without being asked. */
	int (*confirm)(void *context, struct error *error);
	void *confirm_context;
};

enum outcome {
	OUTCOME_UNCHANGED,
	OUTCOME_APPLIED,
	OUTCOME_INCOMPLETE, /* applied, and something is held, blocked or not yet in force */
	OUTCOME_ROLLED_BACK,
	OUTCOME_ROLLBACK_FAILED,
	OUTCOME_REFUSED, /* nothing was changed */
};

/* What became of it. */
struct report {
	enum outcome outcome;
	enum txn_kind kind;
	char *id;              /* NULL where there was no transaction */
	struct error error;    /* why, when it was refused or rolled back */
	struct strlist words;  /* dockerd's own, of the start that failed */
	struct strlist output; /* of the command of --verify-cmd, when it failed: its last lines */
	struct strlist advice; /* when putting back failed: what is where, and what to type */
	struct strlist notes;  /* what else is worth saying */
	enum proof *proofs;    /* one for each expectation, when applied */
	size_t proof_count;
	struct canary canary;
	int64_t downtime_us; /* from the call that restarts until the API answered; -1 no restart */
	uint64_t phase_us[PHASE_COUNT];
	int64_t containers_before;         /* that were up; -1: not known */
	int64_t containers_kept;           /* have run all the time */
	int64_t containers_restarted;      /* were stopped, or lost, and run again */
	struct strlist containers_stopped; /* were stopped as planned, and are out of sight now */
	struct strlist containers_lost;    /* do not run any more, and should */
};

#define REPORT_EMPTY                                                                               \
	((struct report){.outcome = OUTCOME_REFUSED,                                               \
			 .canary = CANARY_EMPTY,                                                   \
			 .downtime_us = -1,                                                        \
			 .containers_before = -1,                                                  \
			 .containers_kept = -1,                                                    \
			 .containers_restarted = -1})

void report_done(struct report *report);
#define cleanup_report scoped(report_done)

/* The word for records and documents. A rollback that was carried out is "rolled-back"; one that
 * failed and left the host as it was is "unchanged". */
const char *outcome_name(enum outcome outcome, enum txn_kind kind);

/* The transaction that carries out a plan. Reads each file again: -ESTALE where one is not what the
 * plan was made from. */
int transaction_from_plan(const struct plan *plan, const struct facts *facts,
			  const struct store *store, struct txn *ret, struct error *error);

struct undo_options {
	bool force;              /* overwrite files that were edited since */
	bool restart_containers; /* stop and start them, so that network settings take effect */
	const struct strlist
		*accept; /* consent to what stops containers, as in struct plan_options */
};

/* The transaction that undoes `done` (loaded with its bytes). Containers that were stopped for it
 * are started again; those that would have to be stopped for going back are an error (-EBUSY)
 * without consent. Files that were edited since are an error (-ESTALE) unless force is set;
 * *ret_differences (may be NULL) then has the differences for people, secrets masked, also on
 * failure. A file that already is as it was before is left out. */
int transaction_from_txn(const struct txn *done, const struct facts *facts,
			 const struct store *store, const struct undo_options *options,
			 struct txn *ret, struct strlist *ret_differences, struct error *error);

/* Whether its action can be carried out here, and does not stop what need not stop: without
 * systemd's knowledge of the unit there is no restart. */
int transaction_check(const struct txn *txn, const struct facts *facts, struct error *error);

/* Carries it out: record, files, daemon, proof. Whatever fails, *ret says what became of the host.
 * `facts` are those from before. Never returns an error of its own: that is in the report. */
void transaction_run(struct txn *txn, const struct facts *facts,
		     const struct transaction_options *options, struct report *ret);

/* Puts the host back from wherever the transaction (loaded with its bytes) was left. Without force,
 * a file that is neither old nor new is not touched, and nothing else either. */
void transaction_undo(struct txn *txn, bool force, const struct transaction_options *options,
		      struct report *ret);

/* Finishes or undoes the transaction `id`, which is the pending one (store_pending()). An error
 * means that it could be neither; *ret says what became of the host. */
int transaction_recover(const struct transaction_options *options, const char *id, bool force,
			struct report *ret, struct error *error);
