/* The rehearsal: the candidate configuration is booted on a throwaway dockerd before anything of
 * the host is changed. It has a network, mounts, a data root and a containerd of its own. What it
 * reports is held against what the plan expects, and a canary is started in it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "apply/canary.h"
#include "apply/progress.h"
#include "apply/store.h"
#include "apply/txn.h"
#include "core/facts.h"
#include "core/plan.h"

struct rehearsal_options {
	const struct store *store; /* locked */
	unsigned timeout_seconds;
	int interrupt_fd; /* see struct wait */
	const struct progress *progress;
	bool no_canary;
};

enum rehearsal_state {
	REHEARSAL_NONE,    /* nobody asked for one, or nothing is started anew */
	REHEARSAL_PASSED,  /* it came up, and enforces what it should */
	REHEARSAL_FAILED,  /* it did not */
	REHEARSAL_SKIPPED, /* it was left out, or cannot be done here, which says nothing */
};

struct rehearsal {
	enum rehearsal_state state;
	char *reason;         /* why it failed or was skipped, a sentence; NULL */
	char *key;            /* the setting that is the cause, where it can be told; NULL */
	struct strlist words; /* dockerd's own */
	struct strlist notes; /* what could not be rehearsed, and what is left of it, sentences */
	int64_t took_us;      /* all of it, tidying up included; -1: it was not begun */
	int64_t start_us;     /* of that, until dockerd was ready; -1 */
	struct canary canary; /* in the rehearsal's dockerd, where no log service can be reached */
};

#define REHEARSAL_EMPTY ((struct rehearsal){.took_us = -1, .start_us = -1, .canary = CANARY_EMPTY})

void rehearsal_done(struct rehearsal *rehearsal);
#define cleanup_rehearsal scoped(rehearsal_done)

/* "passed", "failed", "skipped"; NULL for REHEARSAL_NONE. */
const char *rehearsal_state_name(enum rehearsal_state state);

/* Whether dockerd is to start, or to read its configuration, anew because of this plan. */
bool rehearsal_is_due(const struct plan *plan, const struct facts *facts);

/* Rehearses what the host would have after the plan. `txn` (may be NULL) says what is expected of
 * the daemon. An error (-ECANCELED, -ENOMEM) means that it came to no result; all else is in *ret.
 * Whatever happens, nothing of it is left behind, or a note says what is. */
int rehearsal_run(const struct plan *plan, const struct facts *facts, const struct txn *txn,
		  const struct rehearsal_options *options, struct rehearsal *ret,
		  struct error *error);

/* Takes away what a harden that was killed has left of a rehearsal. Returns 1 where there was
 * something, 0 where there was nothing. */
int rehearsal_recover(const struct rehearsal_options *options, struct error *error);
