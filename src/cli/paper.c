#include "cli/paper.h"

#include <string.h>

#include "base/text.h"

#define WIDTH 80

/* Longer lines of a difference are cut on the screen; --json has them whole. */
#define DIFF_LINE_MAX 1000

void paper_paint(const struct paper *paper, enum paint kind)
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
void paper_put(const struct paper *paper, const char *text)
{
	(void)text_add_printable(paper->out, text, strlen(text), false);
}

void paper_put_painted(const struct paper *paper, enum paint kind, const char *text)
{
	paper_paint(paper, kind);
	paper_put(paper, text);
	paper_paint(paper, PAINT_NONE);
}

void paper_end_line(const struct paper *paper)
{
	(void)strbuf_addc(paper->out, '\n');
}

/* Writes text in words, each line indented, none past the width. `column` is where the first line
 * has got to already. */
void paper_wrap(const struct paper *paper, size_t indent, size_t column, const char *text)
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
			paper_end_line(paper);
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
	paper_end_line(paper);
}

void paper_put_both(const struct paper *paper, const char *first, const char *second, bool one_line)
{
	size_t width = utf8_count(first, strlen(first)) + 1 + utf8_count(second, strlen(second));

	if (!one_line && width > WIDTH) {
		paper_wrap(paper, 0, 0, first);
		paper_wrap(paper, 0, 0, second);
		return;
	}
	paper_put(paper, first);
	paper_put(paper, *second ? " " : "");
	paper_put(paper, second);
	paper_end_line(paper);
}

void paper_heading(const struct paper *paper, enum paint kind, const char *heading, size_t count)
{
	paper_end_line(paper);
	paper_paint(paper, PAINT_BOLD);
	paper_paint(paper, kind);
	(void)strbuf_addf(paper->out, "%s", heading);
	if (count)
		(void)strbuf_addf(paper->out, " (%zu)", count);
	paper_paint(paper, PAINT_NONE);
	paper_end_line(paper);
}

void paper_list(const struct paper *paper, enum paint kind, const char *heading,
		const struct strlist *list)
{
	if (!list->count)
		return;
	paper_heading(paper, kind, heading, list->count);
	for (size_t i = 0; i < list->count; i++) {
		paper_put(paper, "  - ");
		paper_wrap(paper, 4, 4, list->items[i]);
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

void paper_diff(const struct paper *paper, const char *diff)
{
	for (const char *line = diff; *line;) {
		size_t length = strcspn(line, "\n");
		size_t shown = length < DIFF_LINE_MAX ? length : DIFF_LINE_MAX;
		enum paint kind = paint_of_line(line, length);

		/* A CR before the line end is part of the file, not something to look at. */
		if (shown && line[shown - 1] == '\r')
			shown--;
		if (kind != PAINT_NONE)
			paper_paint(paper, kind);
		(void)text_add_printable(paper->out, line, shown, true);
		if (length > DIFF_LINE_MAX)
			(void)strbuf_addf(paper->out, " … (%zu more bytes)", length - shown);
		if (kind != PAINT_NONE)
			paper_paint(paper, PAINT_NONE);
		paper_end_line(paper);
		line += length;
		line += *line == '\n';
	}
}
