/* The plan for people: what changes, why, what it does to what runs, the differences, and what only
 * they can do. At most 80 columns, and nothing is said by colour alone. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "core/mask.h"

#define WIDTH 80
#define KEY_COLUMN 24

/* Longer lines of a difference are cut on the screen; --json has them whole. */
#define DIFF_LINE_MAX 1000

enum paint {
	PAINT_NONE,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_RED,
	PAINT_GREEN,
	PAINT_YELLOW,
	PAINT_CYAN,
};

struct paper {
	struct strbuf *out;
	const struct plan *plan;
	const struct facts *facts;
	const struct options *options;
	bool color;
};

static void paint(const struct paper *paper, enum paint kind)
{
	static const char *const codes[] = {
		[PAINT_NONE] = "\033[0m",  [PAINT_BOLD] = "\033[1m",   [PAINT_DIM] = "\033[2m",
		[PAINT_RED] = "\033[31m",  [PAINT_GREEN] = "\033[32m", [PAINT_YELLOW] = "\033[33m",
		[PAINT_CYAN] = "\033[36m",
	};

	if (paper->color)
		(void)strbuf_adds(paper->out, codes[kind]);
}

/* Text from outside never reaches the terminal as it is. */
static void put(const struct paper *paper, const char *text)
{
	(void)text_add_printable(paper->out, text, strlen(text), false);
}

static void put_painted(const struct paper *paper, enum paint kind, const char *text)
{
	paint(paper, kind);
	put(paper, text);
	paint(paper, PAINT_NONE);
}

static void end_line(const struct paper *paper)
{
	(void)strbuf_addc(paper->out, '\n');
}

/* Writes text in words, each line indented, none past the width. `column` is where the first line
 * has got to already. */
static void put_wrapped(const struct paper *paper, size_t indent, size_t column, const char *text)
{
	cleanup_strbuf struct strbuf clean = STRBUF_EMPTY;

	(void)text_add_printable(&clean, text, strlen(text), false);
	const char *at = clean.data ? clean.data : "";
	if (column < indent)
		(void)strbuf_add_repeated(paper->out, ' ', indent - column);
	column = column < indent ? indent : column;
	for (bool first = true; *at; first = false) {
		size_t length = strcspn(at, " ");
		size_t width = utf8_count(at, length);
		if (!first && column + 1 + width > WIDTH) {
			end_line(paper);
			(void)strbuf_add_repeated(paper->out, ' ', indent);
			column = indent;
		} else if (!first) {
			(void)strbuf_addc(paper->out, ' ');
			column++;
		}
		(void)strbuf_add(paper->out, at, length);
		column += width;
		at += length;
		at += strspn(at, " ");
	}
	end_line(paper);
}

static void put_heading(const struct paper *paper, enum paint kind, const char *heading,
			size_t count)
{
	end_line(paper);
	paint(paper, PAINT_BOLD);
	paint(paper, kind);
	(void)strbuf_addf(paper->out, "%s", heading);
	if (count)
		(void)strbuf_addf(paper->out, " (%zu)", count);
	paint(paper, PAINT_NONE);
	end_line(paper);
}

/* --- values --------------------------------------------------------------------------------------
 */

/* default-ulimits as docker's own option spells it: "nofile=1024:2048". */
static bool add_ulimits(struct strbuf *out, const json_t *value)
{
	const char *key;
	json_t *entry;
	size_t count = 0;

	json_object_foreach ((json_t *)value, key, entry) {
		json_t *soft = json_object_get(entry, "Soft");
		json_t *hard = json_object_get(entry, "Hard");
		if (!json_is_integer(soft) || !json_is_integer(hard))
			return false;
		(void)strbuf_addf(out, "%s%s=%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
				  count++ ? " " : "", key, json_integer_value(soft),
				  json_integer_value(hard));
	}
	return count > 0;
}

/* A value as a person would say it, short enough for a line. */
static char *value_text(const char *key, const json_t *value)
{
	struct strbuf out = STRBUF_EMPTY;
	json_t *masked = mask_json(key, value);

	if (!masked)
		return NULL;
	if (json_is_null(masked) || (json_is_string(masked) && !json_string_length(masked)))
		(void)strbuf_adds(&out, "unset");
	else if (json_is_string(masked))
		(void)strbuf_adds(&out, json_string_value(masked));
	else if ((json_is_array(masked) && !json_array_size(masked)) ||
		 (json_is_object(masked) && !json_object_size(masked)))
		(void)strbuf_adds(&out, "none");
	else if (strcmp(key, "default-ulimits") != 0 || !add_ulimits(&out, masked)) {
		char *text = json_dumps(masked, JSON_ENCODE_ANY | JSON_COMPACT);
		(void)strbuf_adds(&out, text ? text : "?");
		free(text);
	}
	json_decref(masked);
	if (utf8_count(out.data, out.length) > 160) {
		size_t cut = 150;
		while (cut && ((unsigned char)out.data[cut] & 0xC0) == 0x80)
			cut--;
		(void)strbuf_splice(&out, cut, out.length - cut, "…", strlen("…"));
	}
	return strbuf_finish(&out);
}

/* "docker, from the file" where it matters. */
static const char *source_text(const struct setting *setting)
{
	switch (setting->source) {
	case SOURCE_DEFAULT:
		return json_is_null(setting->current) ? "" : " (default)";
	case SOURCE_FLAG:
		return " (flag)";
	case SOURCE_ENVIRONMENT:
		return " (environment)";
	case SOURCE_FILE:
	case SOURCE_UNIT:
	default:
		return "";
	}
}

static const char *effect_text(enum effect effect)
{
	switch (effect) {
	case EFFECT_RELOAD:
		return "after a reload";
	case EFFECT_RESTART:
		return "after a restart";
	case EFFECT_CONTAINERS:
		return "after a restart with no container running";
	case EFFECT_DATA:
		return "after a restart; moves the data root";
	case EFFECT_NONE:
	default:
		return "at once";
	}
}

/* --- the parts
 * ------------------------------------------------------------------------------------ */

static void put_count(const struct paper *paper, int64_t count, const char *noun)
{
	if (count < 0)
		(void)strbuf_addf(paper->out, "? %ss", noun);
	else
		(void)strbuf_addf(paper->out, "%" PRId64 " %s%s", count, noun,
				  count == 1 ? "" : "s");
}

static void put_daemon(const struct paper *paper)
{
	const struct facts *facts = paper->facts;
	char version[DOCKERVER_TEXT_SIZE];
	const char *text = facts->version_text;

	if (!text && dockerver_known(facts->version))
		text = dockerver_format(facts->version, version);
	switch (facts->daemon) {
	case DAEMON_ABSENT:
		put(paper, "no dockerd is installed; this is for its first start");
		break;
	case DAEMON_STOPPED:
		put(paper, "dockerd ");
		put(paper, text ? text : "of unknown version");
		put(paper, ", stopped");
		break;
	case DAEMON_RUNNING:
	default:
		put(paper, "dockerd ");
		put(paper, text ? text : "of unknown version");
		(void)strbuf_adds(paper->out, ", ");
		put_count(paper, facts->data_root.containers_running, "container");
		(void)strbuf_adds(paper->out, " running, ");
		put_count(paper, facts->data_root.images, "image");
		break;
	}
	end_line(paper);
}

static void put_header(const struct paper *paper)
{
	const struct facts *facts = paper->facts;

	paint(paper, PAINT_BOLD);
	put(paper, "Plan for ");
	put(paper, facts->hostname ? facts->hostname : "this host");
	paint(paper, PAINT_NONE);
	put(paper, ": ");
	put_daemon(paper);
	put(paper, "profile ");
	put(paper, paper->plan->profile.name);
	put(paper, ", configuration in ");
	put(paper, facts->config.path);
	if (facts->config.state == FILE_ABSENT)
		put(paper, " (does not exist yet)");
	end_line(paper);
}

/* "  [CIS 1.8: 2.2]": the newest benchmark that has the control. */
static void add_cis(struct strbuf *out, const struct profile_row *row)
{
	for (size_t i = CIS_BENCHMARKS; i > 0; i--) {
		if (row->cis[i - 1]) {
			(void)strbuf_addf(out, "  [CIS %s: %s]", cis_benchmarks[i - 1],
					  row->cis[i - 1]);
			return;
		}
	}
}

static void put_uncovered(const struct paper *paper, const struct setting *setting)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (!setting->uncovered.count)
		return;
	(void)strbuf_adds(&text,
			  "Containers that exist keep their old value until they are created "
			  "anew: ");
	for (size_t i = 0; i < setting->uncovered.count; i++)
		(void)strbuf_addf(&text, "%s%s", i ? ", " : "", setting->uncovered.items[i]);
	(void)strbuf_addc(&text, '.');
	if (text.data)
		put_wrapped(paper, 4, 0, text.data);
}

/* "icc    true (default) -> false". Nobody can say what an admin's own value would be. */
static void put_values(const struct paper *paper, const struct setting *setting)
{
	const char *key = setting->row->key;
	cleanup_free char *now = value_text(key, setting->current);
	cleanup_free char *then = value_text(key, setting->wanted);
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	size_t key_width = strlen(key);
	size_t column = key_width < KEY_COLUMN - 3 ? KEY_COLUMN : key_width + 3;
	bool lags = setting->state == SETTING_CHANGE && !setting->rewrites;
	bool arrow = setting->state == SETTING_CHANGE || setting->state == SETTING_HELD ||
		     setting->state == SETTING_BLOCKED;

	put(paper, "  ");
	put_painted(paper, PAINT_BOLD, key);
	(void)strbuf_add_repeated(paper->out, ' ', column - 2 - key_width);
	(void)strbuf_addf(&line, "%s%s", now ? now : "?", source_text(setting));
	if (lags)
		(void)strbuf_adds(&line, ", not in force yet");
	else if (arrow)
		(void)strbuf_addf(&line, " -> %s", then ? then : "?");
	if (setting->state != SETTING_CHANGE)
		add_cis(&line, setting->row);
	put_wrapped(paper, KEY_COLUMN, column, line.data ? line.data : "");
}

static void put_change(const struct paper *paper, const struct setting *setting)
{
	put_values(paper, setting);
	(void)strbuf_addf(paper->out, "    in force %s", effect_text(setting->effect));
	add_cis(paper->out, setting->row);
	end_line(paper);
	if (setting->reason)
		put_wrapped(paper, 4, 0, setting->reason);
	if (setting->row->risk && setting->rewrites) {
		put(paper, "    Mind: ");
		put_wrapped(paper, 4, strlen("    Mind: "), setting->row->risk);
	}
	put_uncovered(paper, setting);
}

static void put_other(const struct paper *paper, const struct setting *setting)
{
	put_values(paper, setting);
	if (setting->reason)
		put_wrapped(paper, 4, 0, setting->reason);
	if (paper->options->verbose && setting->state != SETTING_OK &&
	    !text_equal(setting->reason, setting->row->why))
		put_wrapped(paper, 4, 0, setting->row->why);
}

static void put_group(const struct paper *paper, enum setting_state state, enum paint kind,
		      const char *heading)
{
	const struct plan *plan = paper->plan;
	size_t count = plan_count(plan, state);

	if (!count)
		return;
	put_heading(paper, kind, heading, count);
	for (size_t i = 0; i < plan->setting_count; i++) {
		if (plan->settings[i].state != state)
			continue;
		if (state == SETTING_CHANGE)
			put_change(paper, &plan->settings[i]);
		else
			put_other(paper, &plan->settings[i]);
	}
}

static void put_fine(const struct paper *paper)
{
	const struct plan *plan = paper->plan;
	cleanup_strbuf struct strbuf names = STRBUF_EMPTY;
	size_t count = plan_count(plan, SETTING_OK);

	if (!count)
		return;
	if (paper->options->verbose) {
		put_group(paper, SETTING_OK, PAINT_GREEN, "Fine already");
		return;
	}
	put_heading(paper, PAINT_GREEN, "Fine already", count);
	for (size_t i = 0; i < plan->setting_count; i++)
		if (plan->settings[i].state == SETTING_OK)
			(void)strbuf_addf(&names, "%s%s", names.length ? ", " : "",
					  plan->settings[i].row->key);
	if (names.data)
		put_wrapped(paper, 2, 0, names.data);
}

static void put_list(const struct paper *paper, enum paint kind, const char *heading,
		     const struct strlist *list)
{
	if (!list->count)
		return;
	put_heading(paper, kind, heading, list->count);
	for (size_t i = 0; i < list->count; i++) {
		put(paper, "  - ");
		put_wrapped(paper, 4, 4, list->items[i]);
	}
}

static enum paint paint_of_line(const char *line, size_t length)
{
	if (length >= 3 && (memcmp(line, "---", 3) == 0 || memcmp(line, "+++", 3) == 0))
		return PAINT_BOLD;
	switch (*line) {
	case '+':
		return PAINT_GREEN;
	case '-':
		return PAINT_RED;
	case '@':
		return PAINT_CYAN;
	default:
		return PAINT_NONE;
	}
}

static void put_diff(const struct paper *paper, const char *diff)
{
	for (const char *line = diff; *line;) {
		size_t length = strcspn(line, "\n");
		size_t shown = length < DIFF_LINE_MAX ? length : DIFF_LINE_MAX;
		enum paint kind = paint_of_line(line, length);

		/* A CR before the line end is part of the file, not something to look at. */
		if (shown && line[shown - 1] == '\r')
			shown--;
		if (kind != PAINT_NONE)
			paint(paper, kind);
		(void)text_add_printable(paper->out, line, shown, true);
		if (length > DIFF_LINE_MAX)
			(void)strbuf_addf(paper->out, " … (%zu more bytes)", length - shown);
		if (kind != PAINT_NONE)
			paint(paper, PAINT_NONE);
		end_line(paper);
		line += length;
		line += *line == '\n';
	}
}

static void put_files(const struct paper *paper)
{
	const struct plan *plan = paper->plan;

	if (!plan->file_count)
		return;
	put_heading(paper, PAINT_NONE, "Files", plan->file_count);
	for (size_t i = 0; i < plan->file_count; i++)
		put_diff(paper, plan->files[i].diff);
}

/* What the apply would do to the daemon and to what runs on it. */
static void put_action(const struct paper *paper)
{
	const struct plan *plan = paper->plan;
	const char *unit = paper->facts->unit.name ? paper->facts->unit.name : "docker.service";
	bool live = json_is_true(json_object_get(paper->facts->info, "LiveRestoreEnabled"));
	int64_t running = paper->facts->data_root.containers_running;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (!plan->file_count && plan->action == ACTION_NONE)
		return;
	put_heading(paper, PAINT_NONE, "What it does to this host", 0);
	switch (plan->action) {
	case ACTION_RELOAD:
		(void)strbuf_addf(&text, "%s is reloaded; nothing stops.", unit);
		break;
	case ACTION_RELOAD_RESTART:
		(void)strbuf_addf(&text,
				  "%s is reloaded first, so that live-restore is on, and then "
				  "restarted: the %" PRId64 " running container%s keep%s running. "
				  "Published ports refuse new connections for a moment.",
				  unit, running, running == 1 ? "" : "s", running == 1 ? "s" : "");
		break;
	case ACTION_RESTART:
		(void)strbuf_addf(&text, "%s is restarted", unit);
		if (running > 0 && live)
			(void)strbuf_adds(&text,
					  "; with live-restore on, containers keep running.");
		else if (running > 0)
			(void)strbuf_addf(&text,
					  ", which STOPS the %" PRId64 " running container%s.",
					  running, running == 1 ? "" : "s");
		else
			(void)strbuf_adds(&text, running == 0 ? "; no container is running." : ".");
		break;
	case ACTION_NONE:
	default:
		(void)strbuf_adds(&text,
				  paper->facts->daemon == DAEMON_RUNNING
					  ? "Files are written; the daemon is left alone."
					  : "Files are written; they are in force at the next "
					    "start of dockerd.");
		break;
	}
	if (text.data)
		put_wrapped(paper, 2, 0, text.data);
	if (plan->action_reason)
		put_wrapped(paper, 2, 0, plan->action_reason);
}

/* "1 change", "2 changes, 1 held …": the last line of a plan. */
static int show_summary(struct strbuf *out, const struct plan *plan)
{
	static const struct {
		enum setting_state state;
		const char *one;
		const char *many;
	} parts[] = {
		{SETTING_CHANGE, "change", "changes"},
		{SETTING_HELD, "held", "held"},
		{SETTING_BLOCKED, "blocked", "blocked"},
		{SETTING_MANUAL, "for you to do", "for you to do"},
		{SETTING_SKIPPED, "skipped", "skipped"},
		{SETTING_OK, "fine", "fine"},
	};
	bool first = true;

	for (size_t i = 0; i < array_size(parts); i++) {
		size_t count = plan_count(plan, parts[i].state);
		if (!count && parts[i].state != SETTING_CHANGE)
			continue;
		(void)strbuf_addf(out, "%s%zu %s", first ? "" : ", ", count,
				  count == 1 ? parts[i].one : parts[i].many);
		first = false;
	}
	(void)strbuf_adds(out, ". Nothing was changed.\n");
	return out->failed ? -1 : 0;
}

int show_plan_text(struct strbuf *out, const struct plan *plan, const struct facts *facts,
		   const struct options *options, bool color)
{
	const struct paper paper = {
		.out = out,
		.plan = plan,
		.facts = facts,
		.options = options,
		.color = color,
	};

	if (options->quiet)
		return show_summary(out, plan);
	put_header(&paper);
	put_list(&paper, PAINT_RED, "dockerd would not start", &plan->obstacles);
	put_list(&paper, PAINT_YELLOW, "Worth knowing", &plan->warnings);
	put_group(&paper, SETTING_CHANGE, PAINT_GREEN, "To change");
	put_group(&paper, SETTING_HELD, PAINT_YELLOW, "Held: only with your consent");
	put_group(&paper, SETTING_BLOCKED, PAINT_RED, "Blocked: cannot work on this host");
	put_group(&paper, SETTING_MANUAL, PAINT_YELLOW, "For you to do");
	put_group(&paper, SETTING_SKIPPED, PAINT_DIM, "Left alone");
	put_fine(&paper);
	put_files(&paper);
	put_action(&paper);
	end_line(&paper);
	return show_summary(out, plan);
}
