#include "cli/progress.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "host/clock.h"

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (length < 0 || poll(&out, 1, 0) <= 0 || !(out.revents & POLLOUT))
		return;
	size_t size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
	(void)!write(STDERR_FILENO, text, size);
}

/* " (1.4 s)" when it took longer than a second. */
static void format_time(uint64_t took_us, char *ret, size_t size)
{
	*ret = '\0';
	if (took_us > 1000000)
		(void)snprintf(ret, size, " (%.1f s)", (double)took_us / 1e6);
}

static void begin(void *context, enum phase phase, const char *text)
{
	struct progress_line *line = context;
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;

	(void)phase;
	if (line->quiet || line->depth++ >= PROGRESS_DEPTH)
		return;
	struct progress_step *step = &line->steps[line->depth - 1];
	(void)text_add_printable(&printable, text, strlen(text), false);
	(void)snprintf(step->text, sizeof step->text, "%s", printable.data ? printable.data : "");
	step->started_us = clock_now_us();
	step->seconds = 0;
	if (line->terminal) {
		say("%s%s ...", line->open ? "\n" : "", step->text);
		line->open = true;
	}
}

static void tick(void *context)
{
	struct progress_line *line = context;

	if (line->quiet || !line->terminal || !line->depth || line->depth > PROGRESS_DEPTH)
		return;
	struct progress_step *step = &line->steps[line->depth - 1];
	uint64_t seconds = (clock_now_us() - step->started_us) / 1000000;
	if (seconds == step->seconds)
		return;
	step->seconds = seconds;
	say("\r%s ... %" PRIu64 " s", step->text, seconds);
	line->open = true;
}

static void end(void *context, bool fine, uint64_t took_us)
{
	struct progress_line *line = context;
	char time[32];

	if (line->quiet || !line->depth || line->depth-- > PROGRESS_DEPTH)
		return;
	const struct progress_step *step = &line->steps[line->depth];
	format_time(took_us, time, sizeof time);
	say("%s%s%s %s%s\n", line->open ? "\r" : "", step->text, line->terminal ? " ..." : ":",
	    fine ? "done" : "failed", time);
	line->open = false;
}

struct progress progress_on_stderr(struct progress_line *line, const struct options *options)
{
	const char *terminal = getenv("TERM");

	*line = (struct progress_line){
		.quiet = options->quiet,
		.terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0,
	};
	return (struct progress){.begin = begin, .tick = tick, .end = end, .context = line};
}
