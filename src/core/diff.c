/* Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), on lines. A wave of paths walks
 * through the grid of old × new lines, one more edit a round; of each diagonal only the furthest
 * point is kept. The rounds are remembered, so that the shortest path can be walked back. */
#include "core/diff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CONTEXT 3

/* A wave this wide has seen enough: its trace takes 4 MiB, and the texts have little in common. */
#define ROUNDS_MAX 1000

/* Steps along equal lines and over diagonals, in all rounds together: a fraction of a second. */
#define WORK_MAX 40000000

struct line {
	const char *text;
	size_t length; /* with its LF */
	uint32_t hash;
	bool changed; /* removed from the old text, or added in the new one */
};

struct lines {
	struct line *items;
	size_t count;
};

static void lines_done(struct lines *lines)
{
	free(lines->items);
}
#define cleanup_lines scoped(lines_done)

/* FNV-1a. */
static uint32_t hash_bytes(const char *bytes, size_t length)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 16777619U;
	return hash;
}

static size_t line_length(const char *text, size_t length)
{
	const char *line_feed = memchr(text, '\n', length);

	return line_feed ? (size_t)(line_feed - text) + 1 : length;
}

static int lines_split(struct lines *ret, const char *text, size_t length)
{
	size_t count = 0;

	for (size_t at = 0; at < length; at += line_length(text + at, length - at))
		count++;
	struct line *items = calloc(count ? count : 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0, at = 0; i < count; i++) {
		size_t n = line_length(text + at, length - at);
		items[i] = (struct line){.text = text + at, .length = n};
		items[i].hash = hash_bytes(text + at, n);
		at += n;
	}
	*ret = (struct lines){items, count};
	return 0;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->hash == b->hash && a->length == b->length &&
	       memcmp(a->text, b->text, a->length) == 0;
}

/* --- the shortest edit --------------------------------------------------------------------- */

/* A part of both texts whose outer lines differ. x counts old lines, y new ones; diagonal k holds
 * the points with x - y == k. */
struct grid {
	struct line *old;
	struct line *new;
	long old_count;
	long new_count;
	long work;
	int32_t *trace; /* round d stores diagonals -d, -d + 2, … d: d + 1 numbers */
	size_t capacity;
};

static void grid_done(struct grid *grid)
{
	free(grid->trace);
}
#define cleanup_grid scoped(grid_done)

/* Where in the trace round d has diagonal k. */
static size_t trace_index(long d, long k)
{
	return (size_t)(d * (d + 1) / 2 + (k + d) / 2);
}

static int trace_reserve(struct grid *grid, long d)
{
	size_t needed = trace_index(d + 1, -(d + 1));

	if (needed <= grid->capacity)
		return 0;
	size_t capacity = needed < 256 ? 256 : 2 * needed;
	int32_t *trace = reallocarray(grid->trace, capacity, sizeof *trace);
	if (!trace)
		return -ENOMEM;
	grid->trace = trace;
	grid->capacity = capacity;
	return 0;
}

/* Whether round d comes to diagonal k from k + 1, by a step down (an added line), rather than from
 * k - 1 by a step right (a removed one). */
static bool comes_down(const struct grid *grid, long d, long k)
{
	if (k == -d || k == d)
		return k == -d;
	return grid->trace[trace_index(d - 1, k - 1)] < grid->trace[trace_index(d - 1, k + 1)];
}

/* Where round d enters diagonal k, before it follows equal lines. */
static long enter(const struct grid *grid, long d, long k)
{
	if (!d)
		return 0;
	return comes_down(grid, d, k) ? grid->trace[trace_index(d - 1, k + 1)]
				      : grid->trace[trace_index(d - 1, k - 1)] + 1L;
}

/* Points outside of the grid are walked over, too: that keeps the rounds of one shape, and no path
 * to the corner leads through them. */
static long follow(struct grid *grid, long x, long k)
{
	long start = x;

	while (x < grid->old_count && x - k >= 0 && x - k < grid->new_count &&
	       same(&grid->old[x], &grid->new[x - k]))
		x++;
	grid->work += x - start + 1;
	return x;
}

/* Where the search has ended: at the corner, or where it gave up. */
struct point {
	long d;
	long k;
};

static bool inside(const struct grid *grid, long x, long k)
{
	return x <= grid->old_count && x - k <= grid->new_count;
}

static int search(struct grid *grid, struct point *ret)
{
	struct point best = {0, 0};

	for (long d = 0;; d++) {
		long best_sum = -1;

		if (trace_reserve(grid, d) < 0)
			return -ENOMEM;
		for (long k = -d; k <= d; k += 2) {
			long x = follow(grid, enter(grid, d, k), k);
			grid->trace[trace_index(d, k)] = (int32_t)x;
			if (inside(grid, x, k) && 2 * x - k > best_sum) {
				best_sum = 2 * x - k;
				best = (struct point){d, k};
			}
		}
		if (best_sum == grid->old_count + grid->new_count || d == ROUNDS_MAX ||
		    grid->work > WORK_MAX)
			break;
	}
	*ret = best;
	return 0;
}

/* Walks back from where the search ended and marks the lines stepped over. */
static void mark_path(struct grid *grid, struct point end)
{
	long k = end.k;
	long x = grid->trace[trace_index(end.d, k)];

	/* What the search did not reach is one replaced block. */
	for (long i = x; i < grid->old_count; i++)
		grid->old[i].changed = true;
	for (long i = x - k; i < grid->new_count; i++)
		grid->new[i].changed = true;

	for (long d = end.d; d > 0; d--) {
		bool down = comes_down(grid, d, k);
		x = enter(grid, d, k);
		if (down)
			grid->new[x - k - 1].changed = true;
		else
			grid->old[x - 1].changed = true;
		k += down ? 1 : -1;
	}
}

static int mark_changes(struct lines *old, struct lines *new)
{
	size_t prefix = 0;
	size_t suffix = 0;

	while (prefix < old->count &&
	       prefix < new->count &&same(&old->items[prefix], &new->items[prefix]))
		prefix++;
	while (suffix < old->count - prefix &&
	       suffix < new->count - prefix &&same(&old->items[old->count - 1 - suffix],
						   &new->items[new->count - 1 - suffix]))
		suffix++;

	cleanup_grid struct grid grid = {
		.old = old->items + prefix,
		.new = new->items + prefix,
		.old_count = (long)(old->count - prefix - suffix),
		.new_count = (long)(new->count - prefix - suffix),
	};
	struct point end;
	if (search(&grid, &end) < 0)
		return -ENOMEM;
	mark_path(&grid, end);
	return 0;
}

/* --- hunks --------------------------------------------------------------------------------- */

/* Both texts with a place in each; between changes the places move together. */
struct walk {
	const struct lines *old;
	const struct lines *new;
	size_t x;
	size_t y;
};

static bool at_change(const struct walk *walk)
{
	return (walk->x < walk->old->count && walk->old->items[walk->x].changed) ||
	       (walk->y < walk->new->count && walk->new->items[walk->y].changed);
}

static void skip_change(struct walk *walk)
{
	while (walk->x < walk->old->count && walk->old->items[walk->x].changed)
		walk->x++;
	while (walk->y < walk->new->count && walk->new->items[walk->y].changed)
		walk->y++;
}

/* Steps over unchanged lines, at most `most`; returns how many. */
static size_t skip_same(struct walk *walk, size_t most)
{
	size_t count = 0;

	while (count < most && walk->x < walk->old->count && !at_change(walk)) {
		walk->x++;
		walk->y++;
		count++;
	}
	return count;
}

static void add_line(struct strbuf *out, char mark, const struct line *line)
{
	(void)strbuf_addc(out, mark);
	(void)strbuf_add(out, line->text, line->length);
	if (line->text[line->length - 1] != '\n')
		(void)strbuf_adds(out, "\n\\ No newline at end of file\n");
}

/* An empty range is named by the line before it, and the count 1 is left out. */
static void add_range(struct strbuf *out, char mark, size_t start, size_t count)
{
	(void)strbuf_addf(out, "%c%zu", mark, count ? start + 1 : start);
	if (count != 1)
		(void)strbuf_addf(out, ",%zu", count);
}

static void add_hunk(struct strbuf *out, struct walk from, const struct walk *to)
{
	(void)strbuf_adds(out, "@@ ");
	add_range(out, '-', from.x, to->x - from.x);
	(void)strbuf_adds(out, " ");
	add_range(out, '+', from.y, to->y - from.y);
	(void)strbuf_adds(out, " @@\n");

	while (from.x < to->x || from.y < to->y) {
		while (from.x < to->x && from.old->items[from.x].changed)
			add_line(out, '-', &from.old->items[from.x++]);
		while (from.y < to->y && from.new->items[from.y].changed)
			add_line(out, '+', &from.new->items[from.y++]);
		if (from.x < to->x) {
			add_line(out, ' ', &from.old->items[from.x++]);
			from.y++;
		}
	}
}

static void add_hunks(struct strbuf *out, struct walk walk)
{
	for (;;) {
		(void)skip_same(&walk, SIZE_MAX);
		if (!at_change(&walk))
			return;

		struct walk start = walk;
		size_t before = start.x < CONTEXT ? start.x : CONTEXT;
		start.x -= before;
		start.y -= before;

		/* Changes whose context would touch share a hunk. */
		struct walk end;
		do {
			skip_change(&walk);
			end = walk;
			(void)skip_same(&walk, 2 * CONTEXT);
		} while (at_change(&walk));
		(void)skip_same(&end, CONTEXT);
		add_hunk(out, start, &end);
		walk = end;
	}
}

/* A name with a space in it needs a tab behind, or patch(1) takes it to end at the space. */
static void add_name(struct strbuf *out, const char *mark, const char *name)
{
	(void)strbuf_addf(out, "%s %s%s\n", mark, name, strchr(name, ' ') ? "\t" : "");
}

int diff_unified(struct strbuf *out, const char *old_name, const char *old_text, size_t old_length,
		 const char *new_name, const char *new_text, size_t new_length, struct error *error)
{
	cleanup_lines struct lines old = {.items = NULL};
	cleanup_lines struct lines new = {.items = NULL};

	if (old_length == new_length &&
	    (!old_length || memcmp(old_text, new_text, old_length) == 0))
		return 0;
	if (lines_split(&old, old_text, old_length) < 0 ||
	    lines_split(&new, new_text, new_length) < 0 || mark_changes(&old, &new) < 0)
		return error_set_oom(error);

	add_name(out, "---", old_name);
	add_name(out, "+++", new_name);
	add_hunks(out, (struct walk){.old = &old, .new = &new});
	return out->failed ? error_set_oom(error) : 0;
}
