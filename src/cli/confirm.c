#include "cli/confirm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "host/clock.h"

/* How often to look whether the terminal is ours (again). */
#define LOOK_US 200000
#define ANSWER_MAX 16

enum answer {
	ANSWER_NONE,
	ANSWER_YES,
	ANSWER_NO,
};

struct terminal {
	bool open; /* somebody may answer there */
	char line[ANSWER_MAX];
	size_t length; /* of the unfinished line */
};

void confirm_done(struct confirm *confirm)
{
	if (confirm->signal_fd >= 0)
		(void)close(confirm->signal_fd);
	*confirm = CONFIRM_CLOSED;
}

int confirm_open(struct confirm *confirm, const struct options *options, int interrupt_fd,
		 struct error *error)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_set_errno(error, errno, "block signals", NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_set_errno(error, errno, "wait for signals", NULL);
	*confirm = (struct confirm){options, interrupt_fd, fd};
	return 0;
}

/* The next signal, 0 when there is none. */
static unsigned take_signal(int fd)
{
	struct signalfd_siginfo info;

	return fd >= 0 && read(fd, &info, sizeof info) == (ssize_t)sizeof info ? info.ssi_signo : 0;
}

/* ---- the terminal ---- */

/* Who reads from a terminal that another job has would be stopped, and would never go back. */
static bool is_ours(const struct terminal *terminal)
{
	return terminal->open && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* A yes is an empty line, or the word. Another word may be for somebody else. */
static enum answer judge_line(const struct terminal *terminal)
{
	const char *line = terminal->line;

	if (!*line || strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
		return ANSWER_YES;
	return strcasecmp(line, "n") == 0 || strcasecmp(line, "no") == 0 ? ANSWER_NO : ANSWER_NONE;
}

/* A line that is too long is no answer. */
static enum answer take_byte(struct terminal *terminal, char byte)
{
	if (byte != '\n') {
		if (byte != ' ' && byte != '\t' && byte != '\r' &&
		    terminal->length < ANSWER_MAX - 1)
			terminal->line[terminal->length++] = byte;
		return ANSWER_NONE;
	}
	terminal->line[terminal->length] = '\0';
	terminal->length = 0;
	return judge_line(terminal);
}

/* The end of the input (Ctrl-D) is no answer. */
static enum answer read_terminal(struct terminal *terminal, short events)
{
	enum answer answer = ANSWER_NONE;
	char bytes[64];

	if (events & (POLLHUP | POLLERR | POLLNVAL)) {
		terminal->open = false;
		return ANSWER_NONE;
	}
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		terminal->open = false;
	for (ssize_t i = 0; i < n && answer == ANSWER_NONE; i++)
		answer = take_byte(terminal, bytes[i]);
	return answer;
}

/* ---- asking ---- */

/* A terminal that takes nothing any more must not hold up the way back. */
static void ask(const struct confirm *confirm, const struct terminal *terminal)
{
	struct pollfd error = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&error, 1, 0) != 1 || !(error.revents & POLLOUT))
		return;
	(void)fprintf(stderr,
		      "It works. Does it stay? %skill -USR1 %d says yes; without a yes within %u "
		      "second%s this host is put back.\n",
		      terminal->open ? "Enter or " : "", (int)getpid(),
		      confirm->options->confirm_seconds,
		      confirm->options->confirm_seconds == 1 ? "" : "s");
	(void)fflush(stderr);
}

static int wait_for_answer(const struct confirm *confirm, struct terminal *terminal,
			   enum answer *ret)
{
	const uint64_t deadline =
		clock_now_us() + (uint64_t)confirm->options->confirm_seconds * 1000000;

	while (*ret == ANSWER_NONE && clock_now_us() < deadline) {
		uint64_t soon = clock_now_us() + LOOK_US;
		struct pollfd fds[] = {
			{.fd = confirm->signal_fd, .events = POLLIN},
			{.fd = confirm->interrupt_fd, .events = POLLIN},
			{.fd = is_ours(terminal) ? STDIN_FILENO : -1, .events = POLLIN},
		};

		if (poll(fds, array_size(fds), clock_left_ms(soon < deadline ? soon : deadline)) <=
		    0)
			continue;
		if (fds[1].revents) {
			unsigned number = take_signal(confirm->interrupt_fd);
			if (number == SIGHUP)
				terminal->open = false;
			else if (number)
				return -ECANCELED;
		}
		if (fds[0].revents && take_signal(confirm->signal_fd))
			*ret = ANSWER_YES;
		else if (fds[2].revents)
			*ret = read_terminal(terminal, fds[2].revents);
	}
	return 0;
}

int confirm_wait(void *context, struct error *error)
{
	const struct confirm *confirm = context;
	struct terminal terminal = {.open = isatty(STDIN_FILENO) == 1};
	enum answer answer = ANSWER_NONE;
	static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};

	/* Who is stopped does not put the host back. */
	for (size_t i = 0; i < array_size(stops); i++)
		(void)signal(stops[i], SIG_IGN);
	while (take_signal(confirm->signal_fd))
		;
	if (is_ours(&terminal))
		(void)tcflush(STDIN_FILENO, TCIFLUSH);
	ask(confirm, &terminal);
	int r = wait_for_answer(confirm, &terminal, &answer);
	if (r < 0)
		return error_set(error, r, "confirm", NULL, "interrupted");
	if (answer == ANSWER_NO)
		return error_set(error, -ECANCELED, "confirm", NULL, "the answer was no");
	if (answer == ANSWER_NONE)
		return error_set(error, -ETIMEDOUT, "confirm", NULL,
				 "nobody said yes within %u second%s",
				 confirm->options->confirm_seconds,
				 confirm->options->confirm_seconds == 1 ? "" : "s");
	return 0;
}
