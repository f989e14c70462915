/* Trying the address that containers are to log to, the way dockerd will (facts b.6). */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "core/facts.h"
#include "core/syslog.h"

/* What came of it. */
struct syslog_answer {
	enum tristate answers;
	char reason[160]; /* unless YES */
	/* Where it is TCP without TLS, an address of this very host, and nobody listens there: its
	 * numbers; else "". */
	char host[64];
	char port[8];
};

/* Connects, and says nothing; a UDP address is sent an empty datagram, because only what comes back
 * tells that nobody is there. The same deadline (CLOCK_MONOTONIC, microseconds) holds for looking
 * up its name. */
int syslog_try(const struct syslog_address *address, uint64_t deadline_us,
	       struct syslog_answer *ret, struct error *error);

/* Fills *ret about this address (copied). Where a listener is missing that rsyslog could open, asks
 * about rsyslog, too. *bus_calls counts round trips. */
int syslog_read(const char *address, struct syslog_facts *ret, unsigned *bus_calls,
		struct error *error);
