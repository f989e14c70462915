#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"

int interrupt_open(int *ret_fd, struct error *error)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < array_size(signals); i++) {
		struct sigaction now;
		/* A blocked signal is queued even where it is ignored, so that one would be seen
		 * that nobody meant for this process. */
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&set, signals[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_set_errno(error, errno, "block signals", NULL);
	cleanup_close int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_set_errno(error, errno, "wait for signals", NULL);
	*ret_fd = take_fd(fd);
	return 0;
}

bool interrupt_came(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}
