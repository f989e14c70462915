#include "host/version.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/command.h"

/* One line is what there should be. */
#define OUTPUT_MAX 1024

static int copy_word(const char *text, const char *prefix, const char *end, char **ret,
		     struct error *error)
{
	*ret = NULL;
	if (!text_starts_with(text, prefix))
		return 0;

	const char *word = text + strlen(prefix);
	size_t length = strcspn(word, end);
	if (!length)
		return 0;
	*ret = strndup(word, length);
	return *ret ? 0 : error_set_oom(error);
}

int version_from_server(const char *server, char **ret, struct error *error)
{
	return copy_word(server, "Docker/", " ", ret, error);
}

int version_from_output(const char *output, char **ret, struct error *error)
{
	return copy_word(output, "Docker version ", ", \n", ret, error);
}

/* ---- running it ---- */

int version_ask(const char *binary, uint64_t deadline_us, char **ret, struct error *error)
{
	const char *const argv[] = {binary, "--version", NULL};
	const struct command command = {.argv = argv, .output_max = OUTPUT_MAX};
	cleanup_strbuf struct strbuf output = STRBUF_EMPTY;
	char *version = NULL;
	int status = 0;

	int r = command_run(&command, deadline_us, &output, &status);
	if (r == -ETIMEDOUT)
		return error_set(error, r, "run", binary, "--version did not end in time");
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r < 0)
		return error_set_errno(error, -r, "run", binary);

	cleanup_free char *text = strbuf_finish(&output);
	r = text ? version_from_output(text, &version, error) : error_set_oom(error);
	if (r < 0)
		return r;
	if (!version)
		return error_set(error, -EBADMSG, "run", binary,
				 "--version printed no version (wait status %d)", status);
	*ret = version;
	return 0;
}
