#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

bool output_reserve_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* As useless as before: the wrong way round, it gives the error that a closed one
		 * does. The lowest free number is this one. */
		int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) != fd)
			return false;
	}
	return true;
}

bool output_text(const char *text, size_t length)
{
	size_t written = fwrite(text, 1, length, stdout);

	if (written == length && fflush(stdout) == 0)
		return true;
	(void)fprintf(stderr, "harden: write to stdout: %s\n", strerror(errno));
	return false;
}

bool output_json(json_t *document)
{
	if (!document) {
		(void)fputs("harden: out of memory\n", stderr);
		return false;
	}
	char *text = json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(document);
	if (!text) {
		(void)fputs("harden: out of memory\n", stderr);
		return false;
	}
	bool fine = output_text(text, strlen(text)) && output_text("\n", 1);
	free(text);
	return fine;
}

json_t *document_start(const char *command)
{
	return json_pack("{s:i, s:s, s:s}", "schema", 1, "harden", HARDEN_VERSION, "command",
			 command);
}

void output_complaint(const struct error *error)
{
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;
	char text[sizeof *error];

	(void)error_format(error, text, sizeof text);
	/* Names of files and keys come from outside and may hold anything. */
	(void)text_add_printable(&printable, text, strlen(text), false);
	(void)fprintf(stderr, "harden: %s\n", printable.data ? printable.data : "error");
}

int output_error(const struct options *options, const char *command, const struct error *error)
{
	output_complaint(error);
	if (options->json) {
		json_t *document = document_start(command);
		if (document && json_object_set_new(document, "error", show_error_json(error)) == 0)
			(void)output_json(document);
		else
			json_decref(document);
	}
	return EXIT_TROUBLE;
}

bool output_uses_color(const struct options *options, FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	if (no_color && *no_color)
		return false;
	return isatty(fileno(stream)) && terminal && strcmp(terminal, "dumb") != 0;
}
