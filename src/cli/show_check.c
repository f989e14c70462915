/* The audit for people: a line for each control with what file, flags and daemon say, and below it
 * why where that is not obvious. At most 80 columns, and nothing is said by colour alone. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/paper.h"

#define NUMBER_COLUMN 7
#define KEY_COLUMN 18
#define FILE_COLUMN 43
#define VALUE_WIDTH 12 /* with a space behind it */
#define REASON_INDENT 8

static const struct {
	const char *word; /* in the first column */
	const char *noun; /* in the last line */
	enum paint paint;
} verdicts[VERDICT_COUNT] = {
	[VERDICT_PASS] = {"pass", "pass", PAINT_GREEN},
	[VERDICT_FAIL] = {"FAIL", "fail", PAINT_RED},
	[VERDICT_MANUAL] = {"manual", "for you to judge", PAINT_YELLOW},
	[VERDICT_WAIVED] = {"waived", "waived", PAINT_DIM},
	[VERDICT_NOT_APPLICABLE] = {"n/a", "not applicable", PAINT_DIM},
};

/* Spaces up to the column; at least one. */
static void pad(const struct paper *paper, size_t *at, size_t column)
{
	size_t spaces = *at < column ? column - *at : 1;

	(void)strbuf_add_repeated(paper->out, ' ', spaces);
	*at += spaces;
}

static void put(const struct paper *paper, size_t *at, const char *text)
{
	paper_put(paper, text);
	*at += utf8_count(text, strlen(text));
}

/* A value, cut to its column; JSON has the whole. */
static void put_value(const struct paper *paper, size_t *at, const char *key, const json_t *value,
		      const char *missing)
{
	cleanup_free char *text = value ? show_value_text(key, value) : strdup(missing);
	cleanup_strbuf struct strbuf cut = STRBUF_EMPTY;
	size_t length = text ? strlen(text) : 0;

	if (!text)
		return;
	if (utf8_count(text, length) < VALUE_WIDTH) {
		put(paper, at, text);
		return;
	}
	for (size_t i = 0, shown = 0; i < length && shown + 2 < VALUE_WIDTH; shown++) {
		size_t bytes = utf8_sequence_length(text + i, length - i);
		(void)strbuf_add(&cut, text + i, bytes ? bytes : 1);
		i += bytes ? bytes : 1;
	}
	(void)strbuf_adds(&cut, "…");
	put(paper, at, cut.data ? cut.data : "");
}

static void put_line(const struct paper *paper, const struct check_row *row,
		     const struct options *options)
{
	const struct profile_row *control = row->setting->row;
	char number[CHECK_NUMBER_SIZE];
	const char *word = verdicts[row->verdict].word;
	size_t at = strlen(word);

	paper_put_painted(paper, verdicts[row->verdict].paint, word);
	pad(paper, &at, NUMBER_COLUMN);
	(void)check_number(control, options->benchmark, number);
	put(paper, &at, *number ? number : "-");
	pad(paper, &at, KEY_COLUMN);
	put(paper, &at, control->key);
	pad(paper, &at, FILE_COLUMN);
	put_value(paper, &at, control->key, row->file, "-");
	pad(paper, &at, FILE_COLUMN + VALUE_WIDTH);
	put_value(paper, &at, control->key, row->flag, "-");
	pad(paper, &at, FILE_COLUMN + 2 * VALUE_WIDTH);
	put_value(paper, &at, control->key, row->in_force, "?");
	paper_end_line(paper);
}

static void put_uncovered(const struct paper *paper, const struct strlist *names)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	if (!names->count)
		return;
	(void)strbuf_adds(&text, "Not in these containers, until they are created anew: ");
	text_add_names(&text, (const char *const *)names->items, names->count);
	paper_wrap(paper, REASON_INDENT, 0, text.data ? text.data : "");
}

/* "Wanted: false. …": the reason alone may be why it matters, and not what to do. */
static void put_wanted(const struct paper *paper, const struct setting *setting)
{
	cleanup_free char *wanted = show_value_text(setting->row->key, setting->wanted);
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;

	(void)strbuf_addf(&text, "Wanted: %s.%s%s", wanted ? wanted : "?",
			  setting->reason ? " " : "", setting->reason ? setting->reason : "");
	paper_wrap(paper, REASON_INDENT, 0, text.data ? text.data : "");
}

static void put_row(const struct paper *paper, const struct check_row *row,
		    const struct options *options)
{
	const struct setting *setting = row->setting;
	bool passes = row->verdict == VERDICT_PASS;

	put_line(paper, row, options);
	if (row->verdict == VERDICT_FAIL)
		put_wanted(paper, setting);
	else if (!passes && setting->reason)
		paper_wrap(paper, REASON_INDENT, 0, setting->reason);
	if (options->verbose && !text_equal(setting->reason, setting->row->why))
		paper_wrap(paper, REASON_INDENT, 0, setting->row->why);
	put_uncovered(paper, &setting->uncovered);
}

static void put_header(const struct paper *paper, const struct check *check,
		       const struct plan *plan, const struct facts *facts,
		       const struct options *options)
{
	cleanup_strbuf struct strbuf line = STRBUF_EMPTY;
	size_t at = 0;

	paper_put_painted(paper, PAINT_BOLD, "Check of ");
	paper_put_painted(paper, PAINT_BOLD, facts->hostname ? facts->hostname : "this host");
	(void)strbuf_addf(&line, ": dockerd %s%s",
			  facts->version_text ? facts->version_text : "of unknown version",
			  facts->daemon == DAEMON_RUNNING ? "" : ", not running");
	paper_put(paper, line.data ? line.data : "");
	paper_end_line(paper);
	(void)strbuf_splice(&line, 0, line.length, "", 0);
	(void)strbuf_addf(&line, "profile %s, numbers of CIS %s", plan->profile.name,
			  options->benchmark ? options->benchmark : "1.8");
	paper_put(paper, line.data ? line.data : "");
	paper_end_line(paper);
	paper_list(paper, PAINT_RED, "dockerd would not start", &check->obstacles);
	paper_list(paper, PAINT_YELLOW, "Worth knowing", &check->warnings);
	paper_end_line(paper);
	pad(paper, &at, FILE_COLUMN);
	put(paper, &at, "file");
	pad(paper, &at, FILE_COLUMN + VALUE_WIDTH);
	put(paper, &at, "flags");
	pad(paper, &at, FILE_COLUMN + 2 * VALUE_WIDTH);
	put(paper, &at, "in force");
	paper_end_line(paper);
}

static void put_summary(const struct paper *paper, const struct check *check)
{
	bool first = true;

	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		if (!check->counts[i])
			continue;
		(void)strbuf_addf(paper->out, "%s%zu %s", first ? "" : ", ", check->counts[i],
				  verdicts[i].noun);
		first = false;
	}
	if (check->obstacles.count)
		(void)strbuf_adds(paper->out,
				  first ? "dockerd would not start" : ", dockerd would not start");
	(void)strbuf_adds(paper->out, check_complies(check) ? ": this host complies.\n"
							    : ": this host does not comply.\n");
}

int show_check_text(struct strbuf *out, const struct check *check, const struct plan *plan,
		    const struct facts *facts, const struct options *options, bool color)
{
	const struct paper paper = {.out = out, .color = color};

	if (!options->quiet) {
		put_header(&paper, check, plan, facts, options);
		for (size_t i = 0; i < check->count; i++)
			put_row(&paper, &check->rows[i], options);
		paper_end_line(&paper);
	}
	put_summary(&paper, check);
	return out->failed ? -1 : 0;
}
