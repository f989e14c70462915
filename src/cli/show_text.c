/* The plan for people: what changes, why, what it does to what runs, the differences, and what only
 * they can do. At most 80 columns, and nothing is said by colour alone. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/paper.h"
#include "core/mask.h"

#define KEY_COLUMN 24

struct page {
	struct paper paper;
	const struct plan *plan;
	const struct facts *facts;
	const struct options *options;
};

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

char *show_value_text(const char *key, const json_t *value)
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

static void put_count(const struct page *page, int64_t count, const char *noun)
{
	if (count < 0)
		(void)strbuf_addf(page->paper.out, "? %ss", noun);
	else
		(void)strbuf_addf(page->paper.out, "%" PRId64 " %s%s", count, noun,
				  count == 1 ? "" : "s");
}

static void put_daemon(const struct page *page)
{
	const struct facts *facts = page->facts;
	char version[DOCKERVER_TEXT_SIZE];
	const char *text = facts->version_text;

	if (!text && dockerver_known(facts->version))
		text = dockerver_format(facts->version, version);
	switch (facts->daemon) {
	case DAEMON_ABSENT:
		paper_put(&page->paper, "no dockerd is installed; this is for its first start");
		break;
	case DAEMON_STOPPED:
		paper_put(&page->paper, "dockerd ");
		paper_put(&page->paper, text ? text : "of unknown version");
		paper_put(&page->paper, facts->image ? ", an image" : ", stopped");
		break;
	case DAEMON_RUNNING:
	default:
		paper_put(&page->paper, "dockerd ");
		paper_put(&page->paper, text ? text : "of unknown version");
		(void)strbuf_adds(page->paper.out, ", ");
		put_count(page, facts->data_root.containers_running, "container");
		(void)strbuf_adds(page->paper.out, " running, ");
		put_count(page, facts->data_root.images, "image");
		break;
	}
	paper_end_line(&page->paper);
}

static void put_header(const struct page *page)
{
	const struct facts *facts = page->facts;

	paper_paint(&page->paper, PAINT_BOLD);
	paper_put(&page->paper, "Plan for ");
	paper_put(&page->paper, facts->hostname ? facts->hostname : "this host");
	paper_paint(&page->paper, PAINT_NONE);
	paper_put(&page->paper, ": ");
	put_daemon(page);
	paper_put(&page->paper, "profile ");
	paper_put(&page->paper, page->plan->profile.name);
	paper_put(&page->paper, ", configuration in ");
	paper_put(&page->paper, facts->config.path);
	if (facts->config.state == FILE_ABSENT)
		paper_put(&page->paper, " (does not exist yet)");
	paper_end_line(&page->paper);
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

static void add_names(struct strbuf *text, const struct strlist *names)
{
	text_add_names(text, (const char *const *)names->items, names->count);
}

static void put_uncovered(const struct page *page, const struct setting *setting)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (!setting->uncovered.count)
		return;
	(void)strbuf_adds(&text,
			  "Containers that exist keep their old value until they are created "
			  "anew: ");
	add_names(&text, &setting->uncovered);
	(void)strbuf_addc(&text, '.');
	if (text.data)
		paper_wrap(&page->paper, 4, 0, text.data);
}

/* "icc    true (default) -> false". Nobody can say what an admin's own value would be. */
static void put_values(const struct page *page, const struct setting *setting)
{
	const char *key = setting->row->key;
	cleanup_free char *now = show_value_text(key, setting->current);
	cleanup_free char *then = show_value_text(key, setting->wanted);
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	size_t key_width = strlen(key);
	size_t column = key_width < KEY_COLUMN - 3 ? KEY_COLUMN : key_width + 3;
	bool lags = setting->state == SETTING_CHANGE && !setting->rewrites;
	bool arrow = setting->state == SETTING_CHANGE || setting->state == SETTING_HELD ||
		     setting->state == SETTING_BLOCKED;

	paper_put(&page->paper, "  ");
	paper_put_painted(&page->paper, PAINT_BOLD, key);
	(void)strbuf_add_repeated(page->paper.out, ' ', column - 2 - key_width);
	(void)strbuf_addf(&line, "%s%s", now ? now : "?", source_text(setting));
	if (lags)
		(void)strbuf_adds(&line, ", not in force yet");
	else if (arrow)
		(void)strbuf_addf(&line, " -> %s", then ? then : "?");
	if (setting->state != SETTING_CHANGE)
		add_cis(&line, setting->row);
	paper_wrap(&page->paper, KEY_COLUMN, column, line.data ? line.data : "");
}

static void put_change(const struct page *page, const struct setting *setting)
{
	put_values(page, setting);
	(void)strbuf_addf(page->paper.out, "    in force %s",
			  page->facts->image ? "at the first start of dockerd"
					     : effect_text(setting->effect));
	add_cis(page->paper.out, setting->row);
	paper_end_line(&page->paper);
	if (setting->reason)
		paper_wrap(&page->paper, 4, 0, setting->reason);
	if (setting->row->risk && setting->rewrites) {
		paper_put(&page->paper, "    Mind: ");
		paper_wrap(&page->paper, 4, strlen("    Mind: "), setting->row->risk);
	}
	put_uncovered(page, setting);
}

static void put_other(const struct page *page, const struct setting *setting)
{
	put_values(page, setting);
	if (setting->reason)
		paper_wrap(&page->paper, 4, 0, setting->reason);
	if (page->options->verbose && setting->state != SETTING_OK &&
	    !text_equal(setting->reason, setting->row->why))
		paper_wrap(&page->paper, 4, 0, setting->row->why);
}

static void put_group(const struct page *page, enum setting_state state, enum paint kind,
		      const char *heading)
{
	const struct plan *plan = page->plan;
	size_t count = plan_count(plan, state);

	if (!count)
		return;
	paper_heading(&page->paper, kind, heading, count);
	for (size_t i = 0; i < plan->setting_count; i++) {
		if (plan->settings[i].state != state)
			continue;
		if (state == SETTING_CHANGE)
			put_change(page, &plan->settings[i]);
		else
			put_other(page, &plan->settings[i]);
	}
}

static void put_fine(const struct page *page)
{
	const struct plan *plan = page->plan;
	cleanup_strbuf struct strbuf names = STRBUF_EMPTY;
	size_t count = plan_count(plan, SETTING_OK);

	if (!count)
		return;
	if (page->options->verbose) {
		put_group(page, SETTING_OK, PAINT_GREEN, "Fine already");
		return;
	}
	paper_heading(&page->paper, PAINT_GREEN, "Fine already", count);
	for (size_t i = 0; i < plan->setting_count; i++)
		if (plan->settings[i].state == SETTING_OK)
			(void)strbuf_addf(&names, "%s%s", names.length ? ", " : "",
					  plan->settings[i].row->key);
	if (names.data)
		paper_wrap(&page->paper, 2, 0, names.data);
}

/* What the daemon has by now, and containers from before have not. */
static void put_old_containers(const struct page *page)
{
	const struct plan *plan = page->plan;
	bool first = true;

	for (size_t i = 0; i < plan->setting_count; i++) {
		const struct setting *setting = &plan->settings[i];
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

		if (setting->state != SETTING_OK || !setting->uncovered.count)
			continue;
		if (first)
			paper_heading(&page->paper, PAINT_YELLOW,
				      "Older containers, until they are created anew", 0);
		first = false;
		(void)strbuf_addf(&text, "%s: ", setting->row->key);
		add_names(&text, &setting->uncovered);
		paper_wrap(&page->paper, 2, 0, text.data ? text.data : "");
	}
}

static void put_files(const struct page *page)
{
	const struct plan *plan = page->plan;

	if (!plan->file_count)
		return;
	paper_heading(&page->paper, PAINT_NONE, "Files", plan->file_count);
	for (size_t i = 0; i < plan->file_count; i++)
		paper_diff(&page->paper, plan->files[i].diff);
}

static void add_restart(struct strbuf *text, const char *unit, int64_t running, bool keeps)
{
	(void)strbuf_addf(text, "%s is restarted", unit);
	if (running > 0 && keeps)
		(void)strbuf_adds(text, "; with live-restore on, containers keep running.");
	else if (running > 0)
		(void)strbuf_addf(text, ", which STOPS the %" PRId64 " running container%s.",
				  running, running == 1 ? "" : "s");
	else
		(void)strbuf_adds(text, running == 0 ? "; no container is running." : ".");
}

static void add_reload_restart(struct strbuf *text, const char *unit, int64_t running, bool release)
{
	(void)strbuf_addf(text,
			  release ? "%s is restarted while live-restore is still on, and then "
				    "reloaded: the %" PRId64 " running container%s keep%s running. "
				  : "%s is reloaded first, so that live-restore is on, and then "
				    "restarted: the %" PRId64
				    " running container%s keep%s running. ",
			  unit, running, running == 1 ? "" : "s", running == 1 ? "s" : "");
	(void)strbuf_adds(text, "Published ports refuse new connections for a moment.");
}

static void show_listener(const struct paper *paper, const struct daemon_change *change)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (!change->listener)
		return;
	(void)strbuf_addf(&text,
			  change->closes ? "%s is restarted after that, and listens at %s no more."
					 : "%s is restarted before that, and listens at %s then.",
			  change->listener, change->address);
	paper_wrap(paper, 2, 0, text.data ? text.data : "");
}

/* A restart with none of them running. */
static void add_stops(struct strbuf *text, const char *unit, const struct daemon_change *change)
{
	if (change->stopped->count) {
		(void)strbuf_adds(text, "Running containers are STOPPED: ");
		add_names(text, change->stopped);
		(void)strbuf_addf(text, ". Then %s is restarted", unit);
	} else {
		(void)strbuf_addf(text, "%s is restarted", unit);
	}
	if (strlist_equal(change->stopped, change->started)) {
		(void)strbuf_adds(text, ", and the same containers are started again, in the order "
					"in which they had been.");
	} else if (change->started->count) {
		(void)strbuf_adds(text, ", and these are started again: ");
		add_names(text, change->started);
		(void)strbuf_addc(text, '.');
	} else {
		(void)strbuf_adds(text, "; they stay stopped, and out of sight.");
	}
}

void show_action(const struct paper *paper, const struct facts *facts,
		 const struct daemon_change *change)
{
	const char *unit = facts->unit.name ? facts->unit.name : "docker.service";
	int64_t running = facts->data_root.containers_running;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	paper_heading(paper, PAINT_NONE,
		      facts->image ? "What it does to the image" : "What it does to this host", 0);
	switch (change->action) {
	case ACTION_RELOAD:
		(void)strbuf_addf(&text, "%s is reloaded; nothing stops.", unit);
		break;
	case ACTION_RELOAD_RESTART:
		add_reload_restart(&text, unit, running, change->release);
		break;
	case ACTION_RESTART:
		if (change->stopped->count || change->started->count)
			add_stops(&text, unit, change);
		else
			add_restart(&text, unit, running, change->keeps_containers);
		break;
	case ACTION_NONE:
	default:
		(void)strbuf_adds(&text,
				  facts->image
					  ? "Files are written in the image; they are in force at "
					    "the first start of dockerd."
				  : facts->daemon == DAEMON_RUNNING
					  ? "Files are written; the daemon is left alone."
					  : "Files are written; they are in force at the next "
					    "start of dockerd.");
		break;
	}
	if (change->canary)
		(void)strbuf_adds(&text, " A container of harden's own is started then, and taken "
					 "away again.");
	if (text.data)
		paper_wrap(paper, 2, 0, text.data);
	show_listener(paper, change);
}

/* A restart keeps containers where live-restore is on before it and after it. */
static bool keeps_containers(const struct page *page)
{
	const struct plan *plan = page->plan;

	for (size_t i = 0; i < plan->setting_count; i++)
		if (strcmp(plan->settings[i].row->key, "live-restore") == 0 &&
		    plan->settings[i].state == SETTING_CHANGE &&
		    !json_is_true(plan->settings[i].wanted))
			return false;
	return json_is_true(json_object_get(page->facts->info, "LiveRestoreEnabled"));
}

static void put_action(const struct page *page)
{
	const struct plan *plan = page->plan;
	const struct strlist nothing = {.items = NULL};
	const struct daemon_change change = {
		.action = plan->action,
		.keeps_containers = keeps_containers(page),
		.listener = page->options->no_restart ? NULL : plan->listener.unit,
		.address = plan->listener.address,
		.release = plan->release,
		.canary = plan->action != ACTION_NONE && !page->options->no_restart &&
			  !page->options->no_canary,
		.stopped = &plan->stopped,
		.started = plan->starts ? &plan->stopped : &nothing,
	};

	if (!plan->file_count && plan->action == ACTION_NONE && !plan->listener.unit)
		return;
	show_action(&page->paper, page->facts, &change);
	if (plan->action_reason)
		paper_wrap(&page->paper, 2, 0, plan->action_reason);
}

/* "1 change", "2 changes, 1 held …": the last line of a plan. */
static int show_summary(struct strbuf *out, const struct plan *plan, const char *ending)
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
	(void)strbuf_addf(out, ".%s\n", ending);
	return out->failed ? -1 : 0;
}

int show_plan_text(struct strbuf *out, const struct plan *plan, const struct facts *facts,
		   const struct options *options, bool color, const char *ending)
{
	const struct page page = {
		.paper = {.out = out, .color = color},
		.plan = plan,
		.facts = facts,
		.options = options,
	};
	const struct paper *paper = &page.paper;

	if (options->quiet)
		return show_summary(out, plan, ending);
	put_header(&page);
	paper_list(paper, PAINT_RED, "It cannot be carried out", &plan->obstacles);
	paper_list(paper, PAINT_YELLOW, "Worth knowing", &plan->warnings);
	put_group(&page, SETTING_CHANGE, PAINT_GREEN, "To change");
	put_group(&page, SETTING_HELD, PAINT_YELLOW, "Held: only with your consent");
	put_group(&page, SETTING_BLOCKED, PAINT_RED, "Blocked: cannot work on this host");
	put_group(&page, SETTING_MANUAL, PAINT_YELLOW, "For you to do");
	put_group(&page, SETTING_SKIPPED, PAINT_DIM, "Left alone");
	put_fine(&page);
	put_old_containers(&page);
	put_files(&page);
	put_action(&page);
	paper_end_line(paper);
	return show_summary(out, plan, ending);
}
