/* The rehearsal as a step of apply and of plan: whether there is one, and what is said about it. */
#pragma once

#include <jansson.h>

#include "apply/rehearsal.h"
#include "cli/paper.h"
#include "cli/session.h"

/* Rehearses where the options want it (apply: where dockerd starts anew) and it can be done. `txn`
 * may be NULL. An error, -EIO or another, says that apply must not go on: dockerd does not work
 * with it, or --rehearse=require was given and it cannot be done. *ret is filled either way. */
int rehearse_step(const struct session *session, const struct plan *plan, const struct facts *facts,
		  const struct txn *txn, struct rehearsal *ret, struct error *error);

/* Takes away what an interrupted rehearsal has left. Returns 1 where there was something. */
int rehearse_clear(const struct session *session, struct error *error);

/* One sentence about what came of it, and what could not be rehearsed. Nothing where there was
 * none. */
void rehearse_put(const struct paper *paper, const struct rehearsal *rehearsal);

/* Only dockerd's words, where it failed, and what else is worth saying. */
void rehearse_put_words(const struct paper *paper, const struct rehearsal *rehearsal);

/* The member "rehearsal": an object, or null where there was none. */
json_t *rehearse_json(const struct rehearsal *rehearsal);
