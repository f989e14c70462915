/* Ctrl-C and its relatives as something to wait for. A change to the host must never be left where
 * a signal happens to arrive: the signals are blocked, and those who wait look at a descriptor. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT and returns a descriptor that is readable once one of
 * them has come. Those that are ignored (nohup, a job in the background of a script) stay so. */
int interrupt_open(int *ret_fd, struct error *error);

/* Whether one has come. */
bool interrupt_came(int fd);
