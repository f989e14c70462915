/* Progress on stderr, a line for each step. On a terminal the line stands there while the step
 * lasts, with the seconds once it takes longer than one; elsewhere it comes when the step ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "apply/progress.h"
#include "cli/options.h"

/* Steps may have steps in them. */
#define PROGRESS_DEPTH 4

struct progress_step {
	char text[120];
	uint64_t started_us; /* CLOCK_MONOTONIC */
	uint64_t seconds;    /* last shown */
};

struct progress_line {
	bool quiet;
	bool terminal;
	bool open; /* the cursor stands behind the text of a step */
	struct progress_step steps[PROGRESS_DEPTH];
	size_t depth; /* of deeper ones only their number is known */
};

/* The callbacks keep a pointer to *line. A terminal that is gone, or stopped with Ctrl-S, holds
 * nothing up: what cannot be written at once is left out. */
struct progress progress_on_stderr(struct progress_line *line, const struct options *options);
