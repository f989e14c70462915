/* --confirm: after an apply has worked, somebody has to say yes, or the host is put back. Meant for
 * hosts that are reached over what the apply may have cut: whoever does not get through cannot say
 * yes. So the terminal may go away, and nothing that it does then is a yes. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/options.h"

struct confirm {
	const struct options *options;
	int interrupt_fd; /* see cli/interrupt.h */
	int signal_fd;    /* readable once SIGUSR1 has come; -1 */
};

#define CONFIRM_CLOSED ((struct confirm){.interrupt_fd = -1, .signal_fd = -1})

void confirm_done(struct confirm *confirm);

/* From here on SIGUSR1 does not end harden: somebody may send it too soon. Borrows the options. */
int confirm_open(struct confirm *confirm, const struct options *options, int interrupt_fd,
		 struct error *error);

/* Asks on standard error and waits (struct transaction_options). 0 for a yes: Enter, "y" or "yes"
 * on the terminal, or SIGUSR1, neither of which counts when it came before the question.
 * -ETIMEDOUT without one; -ECANCELED after "n" or "no", SIGINT, SIGTERM or SIGQUIT. SIGHUP, the end
 * of the input, a terminal that is gone or belongs to another job: it waits on. */
int confirm_wait(void *context, struct error *error);
