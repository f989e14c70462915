/* Whether a running daemon enforces what it should. */
#pragma once

#include "core/facts.h"
#include "core/options.h"

enum proof {
	PROOF_UNKNOWN, /* the daemon does not say */
	PROOF_GOOD,
	PROOF_PENDING, /* not in force, and a known reason why it cannot be yet */
	PROOF_BAD,
};

/* Compares what the daemon reports for a setting with what is configured (`wanted`, JSON null: not
 * set at all). Network settings wait for a start without running containers (facts b.2): those are
 * pending while any runs. A daemon that does not run: unknown. */
enum proof proof_of(const struct facts *facts, const char *key, const json_t *wanted,
		    enum effect effect);

/* The same with a live value that was seen before (NULL: it was not seen), for proving that an old
 * state is back. */
enum proof proof_of_return(const struct facts *facts, const char *key, const json_t *before,
			   enum effect effect);
