#include "cli/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/memory.h"

void session_done(struct session *session)
{
	store_done(&session->store);
	if (session->interrupt_fd >= 0)
		(void)close(session->interrupt_fd);
	session->interrupt_fd = -1;
}

int session_may_change(const char *command, struct error *error)
{
	if (geteuid() == 0)
		return 0;
	return error_set(error, -EPERM, command, NULL,
			 "this changes the host and needs root: run it with sudo; `harden plan` "
			 "works without");
}

int session_may_read(const char *command, struct error *error)
{
	if (geteuid() == 0)
		return 0;
	return error_set(error, -EPERM, command, STORE_FOLDER,
			 "only root may look at what is kept there: run it with sudo");
}

bool session_has_no_store(void)
{
	return access(STORE_FOLDER, F_OK) < 0 && errno == ENOENT;
}

int session_open(struct session *session, const struct options *options, const char *command,
		 struct error *error)
{
	session->options = options;
	session->command = command;
	session->progress = progress_on_stderr(&session->line, options);
	int r = session_may_change(command, error);
	if (r == 0)
		r = interrupt_open(&session->interrupt_fd, error);
	if (r == 0)
		r = store_open_locked(STORE_FOLDER, command, &session->store, error);
	/* Not earlier: what is pending may be another's, who is at work. */
	if (r == 0 && (strcmp(command, "recover") == 0 || options->root))
		memory_end_in_failure();
	else if (r == 0)
		memory_end_in_recovery();
	return r;
}

struct transaction_options session_transaction_options(const struct session *session)
{
	return (struct transaction_options){
		.store = &session->store,
		.timeout_seconds = session->options->timeout_seconds,
		.no_restart = session->options->no_restart,
		.offline = session->options->root,
		.interrupt_fd = session->interrupt_fd,
		.progress = &session->progress,
		.config_file = session->options->config_file,
		.no_canary = session->options->no_canary,
		.verify_command = session->options->verify_command,
	};
}
