/* The journal: what dockerd said, and what harden did. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "apply/txn.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

enum journal_event {
	EVENT_APPLY_STARTED,
	EVENT_APPLIED,
	EVENT_ROLLBACK_STARTED,
	EVENT_ROLLED_BACK, /* by the command */
	EVENT_PUT_BACK,    /* an apply or rollback failed, and the host is as it was before */
	EVENT_PUT_BACK_FAILED,
	EVENT_RECOVERED,
};

/* Sends a structured entry: MESSAGE (the text), MESSAGE_ID (one for each event, documented in
 * harden(8)), PRIORITY, SYSLOG_IDENTIFIER, HARDEN_COMMAND, HARDEN_ID, HARDEN_RESULT, HARDEN_USER,
 * HARDEN_UNIT, and a HARDEN_FILES for each file. A host without a journal is left without an entry;
 * this never fails and never waits for long. */
void journal_send(enum journal_event event, const struct txn *txn, const char *text);

/* What the unit's own processes wrote since a moment (CLOCK_REALTIME, microseconds), a line an
 * item, at most the last 200, each cut after 2000 bytes. What dockerd passes on from containers is
 * not among it. Entries reach the journal a little later than they are written: waits until the
 * deadline (CLOCK_MONOTONIC, microseconds) for the first ones. No journal, none readable: an empty
 * list. */
int journal_read(const char *unit, uint64_t since_us, uint64_t deadline_us, struct strlist *ret,
		 struct error *error);

/* ---- the parts of journal_send() ---- */

/* Appends the entry in the journal's own protocol. Text that is too long is cut. */
int journal_entry(enum journal_event event, const struct txn *txn, const char *text,
		  struct strbuf *ret);

/* Hands an entry to the journal that listens at path, without a wait for one that does not read: at
 * most limit_us. */
int journal_post(const char *path, const struct strbuf *entry, uint64_t limit_us);
