/* The log service that a transaction opens an address in, or closes it: restarted by systemd, and
 * proved by a connection. All of these do nothing for a transaction without a listener. */
#pragma once

#include "apply/run.h"
#include "base/error.h"

/* Notes which start of the service there is before anything is changed. */
int listener_look(struct run *run, struct error *error);

/* The files are in their places: rsyslog's own check has to take them, then it is restarted, and
 * somebody has to answer at the address. With no_restart nothing is done. */
int listener_open(struct run *run, struct error *error);

/* The files are gone: the service is restarted, and nobody answers any more. One that was stopped
 * meanwhile stays stopped. */
int listener_close(struct run *run, struct error *error);

/* What undoes these two: listener_undo() closes again, listener_reopen() opens again, unless the
 * service runs as it did before. */
int listener_undo(struct run *run, struct error *error);
int listener_reopen(struct run *run, struct error *error);
