/* Text for people: at most 80 columns, nothing is said by colour alone, and what comes from outside
 * never reaches the terminal as it is. Failure to allocate sticks to `out`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "base/strlist.h"

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
	bool color;
};

/* What is written from here on has this colour, until PAINT_NONE. */
void paper_paint(const struct paper *paper, enum paint kind);

void paper_put(const struct paper *paper, const char *text);
void paper_put_painted(const struct paper *paper, enum paint kind, const char *text);
void paper_end_line(const struct paper *paper);

/* Writes text in words, each line indented, none past the width. `column` is where the first line
 * has got to already. */
void paper_wrap(const struct paper *paper, size_t indent, size_t column, const char *text);

/* Two sentences on one line where they fit, or where one_line is set, else below each other. */
void paper_put_both(const struct paper *paper, const char *first, const char *second,
		    bool one_line);

/* An empty line, the heading, and how many there are of it unless that is 0. */
void paper_heading(const struct paper *paper, enum paint kind, const char *heading, size_t count);

/* A heading and the items below it; nothing for an empty list. */
void paper_list(const struct paper *paper, enum paint kind, const char *heading,
		const struct strlist *list);

/* A unified difference. Long lines are cut. */
void paper_diff(const struct paper *paper, const char *diff);
