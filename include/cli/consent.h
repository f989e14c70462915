/* Asking the person at the terminal. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "cli/options.h"

/* Whether there is somebody to ask, or --yes: -EPERM otherwise. Looked at before anything else, so
 * that a script does not find out only on the day when there is something to change. */
int consent_possible(const struct options *options, struct error *error);

/* Asks on stderr and reads the answer from stdin. Only "y" and "yes" are a yes; the end of the
 * input, and a signal on interrupt_fd, are a no; the signal also with --yes, where nobody is asked.
 */
bool consent_given(const struct options *options, int interrupt_fd, const char *question, ...)
	__attribute__((format(printf, 3, 4)));
