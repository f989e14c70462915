#include "cli/consent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "cli/interrupt.h"

/* A longer answer is no yes. */
#define ANSWER_MAX 16

int consent_possible(const struct options *options, struct error *error)
{
	if (options->yes || isatty(STDIN_FILENO))
		return 0;
	return error_set(error, -EPERM, "ask", NULL,
			 "there is no terminal to ask on: pass --yes to go on without asking; "
			 "--dry-run shows what would be done");
}

/* One byte of the answer; false at the end of the input, after a signal, and when the terminal is
 * gone. */
static bool read_byte(int interrupt_fd, char *ret)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = interrupt_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, array_size(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (fds[1].revents)
			return false;
		ssize_t count = read(STDIN_FILENO, ret, 1);
		if (count < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		return count == 1;
	}
}

static bool read_answer(int interrupt_fd, char answer[static ANSWER_MAX])
{
	size_t length = 0;
	char byte = 0;

	while (read_byte(interrupt_fd, &byte)) {
		if (byte == '\n') {
			answer[length] = '\0';
			return true;
		}
		if (byte == ' ' || byte == '\t' || byte == '\r')
			continue;
		if (length < ANSWER_MAX - 1)
			answer[length++] = byte;
	}
	/* The cursor still stands behind the question. */
	(void)fputc('\n', stderr);
	return false;
}

static void ask(const char *question)
{
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;

	(void)text_add_printable(&printable, question, strlen(question), false);
	(void)fprintf(stderr, "%s [y/N] ", printable.data ? printable.data : "Go on?");
	(void)fflush(stderr);
}

bool consent_given(const struct options *options, int interrupt_fd, const char *question, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	char answer[ANSWER_MAX];
	va_list arguments;

	if (options->yes)
		return !interrupt_came(interrupt_fd);
	va_start(arguments, question);
	(void)strbuf_addv(&text, question, arguments);
	va_end(arguments);
	ask(text.data ? text.data : "Go on?");
	return read_answer(interrupt_fd, answer) && !interrupt_came(interrupt_fd) &&
	       (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}
