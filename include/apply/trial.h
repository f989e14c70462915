/* What a change has to pass, besides the proof, before it stays: the canary, the admin's own
 * command and the admin's own yes. Each fails the transaction, which then puts the host back. */
#pragma once

#include <stdbool.h>

#include "apply/run.h"

/* Whether a canary is to run: an apply has told a daemon that runs. Otherwise the report says why
 * not. */
bool trial_has_canary(struct run *run);

/* Runs it. -EIO when it failed, with dockerd's words and the setting that they point at. One that
 * cannot be run is a note in the report. */
int trial_canary(struct run *run, struct error *error);

/* Runs the command of --verify-cmd, where there is one, with /bin/sh -c. Anything but status 0
 * within the timeout is an error (-EIO, -ETIMEDOUT), and its output is then in the report. Its
 * environment is harden's own with HARDEN_ID, HARDEN_UNIT and DOCKER_HOST. */
int trial_verify(struct run *run, struct error *error);

/* Waits for a yes, where one is asked for. The transaction stays pending on the disk meanwhile, so
 * that whoever comes after a killed harden undoes it. */
int trial_confirm(struct run *run, struct error *error);

/* Takes away what a canary may have left in the daemon, if it runs. */
void trial_sweep(struct run *run);
