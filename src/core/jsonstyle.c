#include "core/jsonstyle.h"

#include <errno.h>
#include <string.h>

#include "core/jsonscan.h"

struct jsonstyle_piece jsonstyle_piece(const char *text, size_t start, size_t end)
{
	return (struct jsonstyle_piece){text + start, end - start};
}

int jsonstyle_add_piece(struct strbuf *out, struct jsonstyle_piece piece)
{
	return strbuf_add(out, piece.bytes, piece.length);
}

static bool closes(char open, char close)
{
	return close == (open == '{' ? '}' : ']');
}

bool jsonstyle_has_line_break(const char *text, size_t start, size_t end)
{
	return memchr(text + start, '\n', end - start) != NULL;
}

struct jsonstyle_survey jsonstyle_survey_object(const char *text, size_t length, size_t start)
{
	struct jsonstyle_survey survey = {.start = start, .previous_end = start + 1};
	struct jsontext_member member;
	size_t cursor = 0;

	while (jsontext_next_member(text, length, start, &cursor, &member)) {
		if (survey.count)
			survey.previous_end = survey.last.value.end;
		else
			survey.first = member;
		survey.last = member;
		survey.count++;
	}
	survey.close = jsonscan_space(text, length, cursor ? cursor : start + 1);
	return survey;
}

static bool is_multiline(const char *text, const struct jsonstyle_survey *survey)
{
	return jsonstyle_has_line_break(text, survey->start, survey->first.key.start) ||
	       jsonstyle_has_line_break(text, survey->previous_end, survey->last.key.start) ||
	       jsonstyle_has_line_break(text, survey->last.value.end, survey->close);
}

/* The blanks that the line of `at` begins with. */
static struct jsonstyle_piece line_indent(const char *text, size_t at)
{
	size_t start = at;

	while (start && text[start - 1] != '\n')
		start--;
	start += jsonscan_bom(text + start, at - start);
	size_t end = start;
	while (end < at && (text[end] == ' ' || text[end] == '\t'))
		end++;
	return jsonstyle_piece(text, start, end);
}

static struct jsonstyle_piece line_end_of(const char *text, size_t length)
{
	const char *line_feed = memchr(text, '\n', length);

	return line_feed && line_feed > text && line_feed[-1] == '\r' ? JSONSTYLE_PIECE("\r\n")
								      : JSONSTYLE_PIECE("\n");
}

/* One step of indentation: how much further in than the root its first member stands. */
static struct jsonstyle_piece indent_unit(const char *text, size_t length)
{
	struct jsontext_member first;
	size_t root = jsonscan_root(text, length);
	size_t cursor = 0;

	if (root == length || text[root] != '{' ||
	    !jsontext_next_member(text, length, root, &cursor, &first) ||
	    !jsonstyle_has_line_break(text, root, first.key.start))
		return JSONSTYLE_PIECE("  ");
	struct jsonstyle_piece outer = line_indent(text, root);
	struct jsonstyle_piece inner = line_indent(text, first.key.start);
	if (inner.length < outer.length || memcmp(inner.bytes, outer.bytes, outer.length) != 0)
		return JSONSTYLE_PIECE("  ");
	return (struct jsonstyle_piece){inner.bytes + outer.length, inner.length - outer.length};
}

struct jsonstyle jsonstyle_for_member(const char *text, size_t length,
				      const struct jsonstyle_survey *near)
{
	const struct jsontext_member *last = &near->last;
	struct jsonstyle style = {
		.multiline = is_multiline(text, near),
		.line_end = line_end_of(text, length),
		.indent = line_indent(text, last->key.start),
		.unit = indent_unit(text, length),
		.colon = jsonstyle_piece(text, last->key.end, last->value.start),
	};
	bool spaced = text[last->value.start - 1] != ':';

	if (jsonstyle_has_line_break(text, last->key.end, last->value.start))
		style.colon = JSONSTYLE_PIECE(": ");
	if (!style.multiline && near->count > 1)
		spaced = text[last->key.start - 1] != ',';
	style.comma = spaced ? JSONSTYLE_PIECE(", ") : JSONSTYLE_PIECE(",");
	if (!style.multiline && near->first.key.start > near->start + 1)
		style.pad = JSONSTYLE_PIECE(" ");
	return style;
}

struct jsonstyle jsonstyle_default(const char *text, size_t length, size_t at)
{
	return (struct jsonstyle){
		.multiline = true,
		.line_end = line_end_of(text, length),
		.indent = line_indent(text, at),
		.unit = JSONSTYLE_PIECE("  "),
		.colon = JSONSTYLE_PIECE(": "),
		.comma = JSONSTYLE_PIECE(", "),
	};
}

struct jsonstyle jsonstyle_for_value(const char *text, size_t length,
				     const struct jsontext_member *member)
{
	struct jsontext_span value = member->value;
	struct jsonstyle_survey around = jsonstyle_survey_object(text, length, member->object);
	struct jsonstyle style = jsonstyle_for_member(text, length, &around);
	char open = text[value.start];
	size_t first = jsonscan_space(text, length, value.start + 1);

	style.indent = line_indent(text, value.start);
	if ((open != '{' && open != '[') || first >= length || closes(open, text[first]))
		return style;
	/* There is something in it: how that is spread over lines was somebody's choice. */
	bool lines = jsonstyle_has_line_break(text, value.start, value.end);
	style.multiline = lines;
	style.spread = lines && open == '[';
	if (!lines && open == '{')
		style.pad = first > value.start + 1 ? JSONSTYLE_PIECE(" ") : JSONSTYLE_PIECE("");
	return style;
}

/* --- writing values ------------------------------------------------------------------------ */

/* An array of scalars up to this length stays on one line. */
#define SHORT_ARRAY 60

static int collect_bytes(const char *bytes, size_t length, void *data)
{
	return strbuf_add(data, bytes, length);
}

static int dump_with(const json_t *value, size_t precision, struct strbuf *ret, struct error *error)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(precision);

	strbuf_done(ret);
	errno = 0;
	if (json_dump_callback(value, collect_bytes, ret, flags) == 0)
		return 0;
	/* jansson does not say why; only malloc() leaves a word. */
	if (ret->failed || errno == ENOMEM)
		return error_set_oom(error);
	return error_set(error, -EINVAL, "edit", NULL,
			 "this value cannot be written as JSON: it is nested too deeply or has "
			 "text that is not UTF-8");
}

/* 17 digits hold every real number but make 0.1 read 0.10000000000000001, so 15 are tried first. */
int jsonstyle_dump(const json_t *value, struct strbuf *ret, struct error *error)
{
	int r = dump_with(value, 15, ret, error);
	if (r < 0)
		return r;
	json_t *again = json_loadb(ret->data, ret->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool equal = again && json_equal(again, value);
	json_decref(again);
	return equal ? 0 : dump_with(value, 17, ret, error);
}

static void add_line(struct strbuf *out, const struct jsonstyle *style, size_t level)
{
	(void)jsonstyle_add_piece(out, style->line_end);
	(void)jsonstyle_add_piece(out, style->indent);
	while (level--)
		(void)jsonstyle_add_piece(out, style->unit);
}

/* The end of the array at `at` when it is short and of scalars only, else 0. */
static size_t short_array_end(const char *json, size_t length, size_t at)
{
	size_t start = at++;

	while (at < length && at - start < SHORT_ARRAY) {
		if (json[at] == ']')
			return at + 1;
		if (json[at] == '[' || json[at] == '{')
			return 0;
		at = json[at] == '"' ? jsonscan_string(json, length, at) : at + 1;
	}
	return 0;
}

/* What an append cannot store makes `out` fail; the caller sees that when it uses it. */
void jsonstyle_add(struct strbuf *out, const char *json, size_t length,
		   const struct jsonstyle *style)
{
	size_t level = 0;
	size_t inline_end = style->multiline ? 0 : length; /* up to here nothing is broken up */

	for (size_t at = 0, end; at < length; at = end) {
		char c = json[at];
		bool opening = c == '{' || c == '[';
		bool closing = c == '}' || c == ']';

		end = c == '"' ? jsonscan_string(json, length, at) : at + 1;
		if (opening && end < length && closes(c, json[end])) {
			(void)strbuf_add(out, json + at, 2);
			end++;
			continue;
		}
		if (c == '[' && at >= inline_end && !style->spread)
			inline_end = short_array_end(json, length, at);
		bool inlined = at < inline_end;
		if (closing && !inlined)
			add_line(out, style, --level);
		if (c == '}' && inlined)
			(void)jsonstyle_add_piece(out, style->pad);
		if (c == ':')
			(void)jsonstyle_add_piece(out, style->colon);
		else if (c == ',' && inlined)
			(void)jsonstyle_add_piece(out, style->comma);
		else
			(void)strbuf_add(out, json + at, end - at);
		if (c == '{' && inlined)
			(void)jsonstyle_add_piece(out, style->pad);
		if ((opening || c == ',') && !inlined)
			add_line(out, style, opening ? ++level : level);
	}
}
