#include "host/rsyslog.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/builtin.h"
#include "core/syslog.h"
#include "host/command.h"
#include "host/file.h"
#include "host/unit.h"

#define RSYSLOGD "/usr/sbin/rsyslogd"
#define RSYSLOG_CONFIG "/etc/rsyslog.conf"
#define INPUT_SIZE_MAX ((size_t)1024 * 1024)
/* rsyslog repeats its warnings for each input. */
#define OUTPUT_MAX ((size_t)1024 * 1024)

/* ---- its own check ---- */

/* The first line that says what is wrong; "rsyslogd: " in front and the address of a web page
 * behind are of no use here. */
static void find_complaint(const char *output, char *ret, size_t size)
{
	static const char prefix[] = "rsyslogd: ";

	*ret = '\0';
	for (const char *line = output; *line && !*ret;) {
		size_t length = strcspn(line, "\n");
		const char *text = line;
		if (text_starts_with(text, prefix))
			text += strlen(prefix);
		size_t left = length - (size_t)(text - line);
		const char *web = memmem(text, left, " [v", 3);
		if (web)
			left = (size_t)(web - text);
		if (left && !text_starts_with(text, "version ") &&
		    !text_starts_with(text, "warning ") && !text_starts_with(text, "End of "))
			(void)snprintf(ret, size, "%.*s", (int)(left < size ? left : size - 1),
				       text);
		line += length + (line[length] == '\n');
	}
}

/* 1 when it is content, 0 with its complaint when it is not. `more` (may be NULL) is what is to be
 * added to the configuration on the disk. */
static int run_check(const char *more, uint64_t deadline_us, char *complaint, size_t size,
		     struct error *error)
{
	const char *const whole[] = {RSYSLOGD, "-N1", NULL};
	const char *const candidate[] = {RSYSLOGD, "-N1", "-f", "/dev/stdin", NULL};
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf output = STRBUF_EMPTY;
	int status = 0;

	if (more && strbuf_addf(&text, "include(file=\"" RSYSLOG_CONFIG "\")\n%s", more) < 0)
		return error_set_oom(error);
	const struct command command = {
		.argv = more ? candidate : whole,
		.input = more ? text.data : NULL,
		.input_length = text.length,
		.errors = true,
		.output_max = OUTPUT_MAX,
	};
	int r = command_run(&command, deadline_us, &output, &status);
	if (r == -ETIMEDOUT)
		return error_set(error, r, "run", RSYSLOGD, "-N1 did not end in time");
	if (r < 0)
		return error_set_errno(error, -r, "run", RSYSLOGD);
	find_complaint(output.data ? output.data : "", complaint, size);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int rsyslog_check(uint64_t deadline_us, struct error *error)
{
	char complaint[300] = "";
	int r = run_check(NULL, deadline_us, complaint, sizeof complaint, error);

	if (r < 0)
		return r;
	return r ? 0
		 : error_set(error, -EINVAL, "check", RSYSLOG_CONFIG, "rsyslogd -N1 refuses it: %s",
			     complaint);
}

/* ---- the input ---- */

static int read_template(char **ret, struct error *error)
{
	cleanup_text_file struct text_file file = {.path = NULL};

	int r = file_read(RSYSLOG_TEMPLATE, INPUT_SIZE_MAX, &file, error);
	if (r < 0)
		return r;
	*ret = strdup(file.state == FILE_READ ? file.data : builtin_rsyslog_listener());
	return *ret ? 0 : error_set_oom(error);
}

/* What the text adds beyond loading modules, if all of it stands in the file already. */
static bool has_all_lines(const struct text_file *file, const char *text)
{
	if (file->state != FILE_READ)
		return false;
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		bool matters = length && *line != '#';
		if (matters && !memmem(file->data, file->length, line, length))
			return false;
		line += length + (line[length] == '\n');
	}
	return true;
}

/* A module may be loaded once only, and rsyslog itself knows best whether it is. */
static int choose_text(struct syslog_facts *syslog, uint64_t deadline_us, struct error *error)
{
	cleanup_free char *template = NULL;
	char complaints[2][300] = {"", ""};

	int r = read_template(&template, error);
	for (int i = 0; r == 0 && i < 2; i++) {
		bool load = i == 1;
		cleanup_free char *text =
			syslog_input_text(template, syslog->host, syslog->port, load);
		if (!text)
			return error_set_oom(error);
		bool there = !load && has_all_lines(&syslog->input, text);
		r = run_check(there ? "" : text, deadline_us, complaints[i], sizeof complaints[i],
			      error);
		if (r > 0) {
			syslog->rsyslog = RSYSLOG_READY;
			syslog->addition = there ? strdup("") : take_ptr(text);
			return syslog->addition ? 0 : error_set_oom(error);
		}
	}
	if (r < 0)
		return r;
	syslog->rsyslog = RSYSLOG_UNFIT;
	syslog->rsyslog_reason = strdup(complaints[1]);
	return syslog->rsyslog_reason ? 0 : error_set_oom(error);
}

static int ask_unit(uint64_t deadline_us, bool *ret_installed, bool *ret_runs, unsigned *bus_calls,
		    struct error *error)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	cleanup_strlist struct strlist unseen = {.items = NULL};

	int r = unit_read(RSYSLOG_UNIT, deadline_us, &facts.unit, &unseen, bus_calls, error);
	*ret_installed = r == 0 && access(RSYSLOGD, X_OK) == 0 &&
			 text_equal(facts.unit.load_state, "loaded");
	*ret_runs = r == 0 && text_equal(facts.unit.active_state, "active");
	return r;
}

/* A candidate that cannot be tried is as good as one that is refused. */
static int settle(struct syslog_facts *syslog, const struct error *why, int r, struct error *error)
{
	if (r == -ENOMEM)
		return error_set_oom(error);
	if (r == 0)
		return 0;
	syslog->rsyslog = RSYSLOG_UNFIT;
	free(syslog->rsyslog_reason);
	syslog->rsyslog_reason = strdup(why->text);
	return syslog->rsyslog_reason ? 0 : error_set_oom(error);
}

int rsyslog_read(struct syslog_facts *syslog, uint64_t deadline_us, unsigned *bus_calls,
		 struct error *error)
{
	struct error why = ERROR_NONE;
	bool installed = false;
	bool runs = false;

	int r = ask_unit(deadline_us, &installed, &runs, bus_calls, error);
	if (r < 0)
		return r;
	syslog->rsyslog = !installed ? RSYSLOG_ABSENT : RSYSLOG_STOPPED;
	if (!installed || !runs)
		return 0;
	r = file_read(RSYSLOG_INPUT, INPUT_SIZE_MAX, &syslog->input, &why);
	if (r == 0)
		r = choose_text(syslog, deadline_us, &why);
	return settle(syslog, &why, r, error);
}
