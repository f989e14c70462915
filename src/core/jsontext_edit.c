/* jsontext_set() and jsontext_remove(): what changes is composed beside the text, in the style of
 * its neighbours, and put in with one splice, so that a failure leaves the text as it was. */
#include "core/jsontext.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "core/jsonscan.h"
#include "core/jsonstyle.h"

static const char *bytes_of(const struct strbuf *text)
{
	return text->data ? text->data : "";
}

/* --- lists of spans ------------------------------------------------------------------------ */

struct spans {
	struct jsontext_span *items;
	size_t count;
	size_t capacity;
};

static void spans_done(struct spans *spans)
{
	free(spans->items);
}
#define cleanup_spans scoped(spans_done)

static int spans_add(struct spans *spans, size_t start, size_t end)
{
	if (spans->count == spans->capacity) {
		size_t capacity = spans->capacity ? 2 * spans->capacity : 8;
		struct jsontext_span *items = reallocarray(spans->items, capacity, sizeof *items);
		if (!items)
			return -ENOMEM;
		spans->items = items;
		spans->capacity = capacity;
	}
	spans->items[spans->count++] = (struct jsontext_span){start, end};
	return 0;
}

/* Cuts the spans, which are in order and apart from each other, out of text. Cannot fail. */
static void cut_spans(struct strbuf *text, const struct spans *spans)
{
	size_t kept = spans->count ? spans->items[0].start : text->length;

	for (size_t i = 0; i < spans->count; i++) {
		size_t from = spans->items[i].end;
		size_t to = i + 1 < spans->count ? spans->items[i + 1].start : text->length;
		memmove(text->data + kept, text->data + from, to - from);
		kept += to - from;
	}
	text->length = kept;
	if (text->data)
		text->data[kept] = '\0';
}

/* --- set ----------------------------------------------------------------------------------- */

/* {keys[0]: {keys[1]: … value}}, compact. */
static int dump_wrapped(const char *const *keys, size_t count, const json_t *value,
			struct strbuf *ret, struct error *error)
{
	json_t *wrapped = json_deep_copy(value);

	if (!wrapped)
		return error_set_oom(error);
	while (count--) {
		json_t *outer = json_object();
		if (json_object_set_new(outer, keys[count], wrapped) < 0) {
			json_decref(outer);
			return error_set_oom(error);
		}
		wrapped = outer;
	}
	int r = jsonstyle_dump(wrapped, ret, error);
	json_decref(wrapped);
	return r;
}

/* Blank space without the empty lines in it: groups of settings stay apart, but a new member joins
 * the last group instead of opening another. */
static struct jsonstyle_piece without_empty_lines(const char *text, size_t start, size_t end)
{
	for (size_t at = end; at > start; at--)
		if (text[at - 1] == '\n') {
			at--;
			return jsonstyle_piece(
				text, at > start && text[at - 1] == '\r' ? at - 1 : at, end);
		}
	return jsonstyle_piece(text, start, end);
}

/* Writes what stands between the last member and a new one, as it stands before the last. */
static void add_separator(struct strbuf *out, const char *text,
			  const struct jsonstyle_survey *survey, const struct jsonstyle *style)
{
	size_t key = survey->last.key.start;
	size_t space = jsonscan_space_before(text, key);

	if (survey->count == 1 && !jsonstyle_has_line_break(text, space, key)) {
		(void)jsonstyle_add_piece(out, style->comma);
		return;
	}
	if (survey->count > 1)
		(void)jsonstyle_add_piece(
			out, without_empty_lines(text, survey->previous_end, space - 1));
	(void)strbuf_addc(out, ',');
	(void)jsonstyle_add_piece(out, without_empty_lines(text, space, key));
}

/* `compact` is an object with the one new member. */
static int insert_member(struct strbuf *text, const struct jsonstyle_survey *survey,
			 const struct strbuf *compact, struct error *error)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	struct jsonstyle style = jsonstyle_for_member(bytes_of(text), text->length, survey);

	add_separator(&out, bytes_of(text), survey, &style);
	jsonstyle_add(&out, compact->data + 1, compact->length - 2, &style);
	if (out.failed || strbuf_splice(text, survey->last.value.end, 0, out.data, out.length) < 0)
		return error_set_oom(error);
	return 0;
}

/* Replaces a span by compact JSON in the given style; `tail` follows it. */
static int replace_span(struct strbuf *text, struct jsontext_span span,
			const struct jsonstyle *style, const struct strbuf *compact,
			struct jsonstyle_piece tail, struct error *error)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	jsonstyle_add(&out, compact->data, compact->length, style);
	(void)jsonstyle_add_piece(&out, tail);
	if (out.failed ||
	    strbuf_splice(text, span.start, span.end - span.start, out.data, out.length) < 0)
		return error_set_oom(error);
	return 0;
}

/* Adds the members of path from `depth` on to the object that its first `depth` keys lead to. */
static int add_member(struct strbuf *text, const struct jsontext_path *path, size_t depth,
		      const struct jsontext_member *at, const json_t *value, struct error *error)
{
	cleanup_strbuf struct strbuf compact = STRBUF_EMPTY;
	const char *data = bytes_of(text);
	struct jsonstyle_survey survey =
		jsonstyle_survey_object(data, text->length, at->value.start);

	int r = dump_wrapped(path->keys + depth, path->count - depth, value, &compact, error);
	if (r < 0)
		return r;
	if (survey.count)
		return insert_member(text, &survey, &compact, error);

	struct jsonstyle style = jsonstyle_default(data, text->length, at->value.start);
	if (depth)
		style = jsonstyle_for_value(data, text->length, at);
	return replace_span(text, at->value, &style, &compact, JSONSTYLE_PIECE(""), error);
}

/* Makes a blank text or `null` an object. */
static int create_document(struct strbuf *text, const struct jsontext_path *path,
			   const json_t *value, struct error *error)
{
	cleanup_strbuf struct strbuf compact = STRBUF_EMPTY;
	const char *data = bytes_of(text);
	size_t root = jsonscan_root(data, text->length);
	struct jsonstyle style = jsonstyle_default(data, text->length, root);
	struct jsontext_span span = {root, jsonscan_value(data, text->length, root)};
	bool blank = root == text->length;

	if (blank) {
		span.start = jsonscan_bom(data, text->length);
		style.indent = JSONSTYLE_PIECE("");
	}
	int r = dump_wrapped(path->keys, path->count, value, &compact, error);
	if (r < 0)
		return r;
	return replace_span(text, span, &style, &compact,
			    blank ? style.line_end : JSONSTYLE_PIECE(""), error);
}

/* Whether the text at span means value already. Text that repeats a key is taken not to: another
 * reader might choose another of its members. */
static bool means(const char *text, struct jsontext_span span, const json_t *value)
{
	json_t *present =
		json_loadb(text + span.start, span.end - span.start,
			   JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	bool equal = present && json_equal(present, value);

	json_decref(present);
	return equal;
}

static int replace_value(struct strbuf *text, const struct jsontext_member *present,
			 const json_t *value, struct error *error)
{
	cleanup_strbuf struct strbuf compact = STRBUF_EMPTY;
	const char *data = bytes_of(text);

	if (means(data, present->value, value))
		return 0;
	int r = jsonstyle_dump(value, &compact, error);
	if (r < 0)
		return r;
	struct jsonstyle style = jsonstyle_for_value(data, text->length, present);
	return replace_span(text, present->value, &style, &compact, JSONSTYLE_PIECE(""), error);
}

/* Finds the longest part of path that is there; returns how many keys it has. */
static size_t find_prefix(const char *text, size_t length, const struct jsontext_path *path,
			  struct jsontext_member *ret)
{
	struct jsontext_path prefix = *path;

	while (!jsontext_find(text, length, &prefix, ret) && prefix.count)
		prefix.count--;
	return prefix.count;
}

/* --- remove -------------------------------------------------------------------------------- */

/* Where a run of removed members ends before a kept one: the span to cut so that what stays looks
 * like one list. A line break before either of the two stays. */
static struct jsontext_span cut_before(const char *text, size_t run_start, bool run_is_first,
				       size_t kept_start)
{
	size_t own_space = jsonscan_space_before(text, run_start);
	size_t kept_space = jsonscan_space_before(text, kept_start);

	if (run_is_first || jsonstyle_has_line_break(text, own_space, run_start) ||
	    !jsonstyle_has_line_break(text, kept_space, kept_start))
		return (struct jsontext_span){run_start, kept_start};
	return (struct jsontext_span){own_space, kept_space};
}

/* Adds the cuts that take every member with this key out of an object, except the one whose key
 * starts at `spared`. */
static int collect_cuts(const char *text, size_t length, size_t object, const char *key,
			size_t spared, struct spans *cuts)
{
	struct jsontext_member member;
	struct jsontext_span run = {0, 0}; /* of members to remove; none while its end is 0 */
	size_t kept_end = 0;               /* of the last member that stays; 0 while none does */
	size_t cursor = 0;

	while (jsontext_next_member(text, length, object, &cursor, &member)) {
		if (member.key.start != spared && jsontext_string_equals(text, member.key, key)) {
			if (!run.end)
				run.start = member.key.start;
			run.end = member.value.end;
			continue;
		}
		if (run.end) {
			struct jsontext_span cut =
				cut_before(text, run.start, !kept_end, member.key.start);
			if (spans_add(cuts, cut.start, cut.end) < 0)
				return -ENOMEM;
		}
		run.end = 0;
		kept_end = member.value.end;
	}
	if (!run.end)
		return 0;
	if (kept_end)
		return spans_add(cuts, kept_end, run.end);
	return spans_add(cuts, object + 1, jsonscan_space(text, length, run.end));
}

/* Replaces `objects` by the objects that their members with this key hold. */
static int descend(const char *text, size_t length, const char *key, struct spans *objects)
{
	struct spans inner = {.items = NULL};
	int r = 0;

	for (size_t i = 0; r == 0 && i < objects->count; i++) {
		struct jsontext_member member;
		size_t cursor = 0;
		while (r == 0 && jsontext_next_member(text, length, objects->items[i].start,
						      &cursor, &member))
			if (text[member.value.start] == '{' &&
			    jsontext_string_equals(text, member.key, key))
				r = spans_add(&inner, member.value.start, member.value.end);
	}
	spans_done(objects);
	*objects = inner;
	return r;
}

/* All objects of a level are collected before the next: their number is not limited, the depth of
 * the stack is. */
static int collect_path_cuts(const char *text, size_t length, const struct jsontext_path *path,
			     size_t spared, struct spans *cuts)
{
	cleanup_spans struct spans objects = {.items = NULL};
	size_t root = jsonscan_root(text, length);
	int r = 0;

	if (!path->count || root == length || text[root] != '{')
		return 0;
	r = spans_add(&objects, root, length);
	for (size_t i = 0; r == 0 && i + 1 < path->count; i++)
		r = descend(text, length, path->keys[i], &objects);
	for (size_t i = 0; r == 0 && i < objects.count; i++)
		r = collect_cuts(text, length, objects.items[i].start, path->keys[path->count - 1],
				 spared, cuts);
	return r;
}

int jsontext_remove(struct strbuf *text, const struct jsontext_path *path, struct error *error)
{
	cleanup_spans struct spans cuts = {.items = NULL};

	if (collect_path_cuts(bytes_of(text), text->length, path, (size_t)-1, &cuts) < 0)
		return error_set_oom(error);
	cut_spans(text, &cuts);
	return 0;
}

/* Sets a member that is there. dockerd adds up repeated objects of the top level, so a new object
 * means itself only when it is the only one. */
static int set_present(struct strbuf *text, const struct jsontext_path *path,
		       const struct jsontext_member *present, const json_t *value,
		       struct error *error)
{
	cleanup_spans struct spans cuts = {.items = NULL};

	if (path->count == 1 && json_is_object(value) &&
	    collect_path_cuts(bytes_of(text), text->length, path, present->key.start, &cuts) < 0)
		return error_set_oom(error);
	/* The cuts lie before the value, so they hold after it has changed its length. */
	int r = replace_value(text, present, value, error);
	if (r < 0)
		return r;
	cut_spans(text, &cuts);
	return 0;
}

static int check_keys(const struct jsontext_path *path, struct error *error)
{
	if (!path->count)
		return error_set(error, -EINVAL, "edit", NULL, "no key is given");
	for (size_t i = 0; i < path->count; i++)
		if (!utf8_is_valid(path->keys[i], strlen(path->keys[i]), NULL))
			return error_set(error, -EINVAL, "edit", NULL,
					 "a key on the way to this setting is not UTF-8");
	return 0;
}

int jsontext_set(struct strbuf *text, const struct jsontext_path *path, const json_t *value,
		 struct error *error)
{
	struct jsontext_member member = {.value = {0, 0}};
	const char *data = bytes_of(text);

	int r = check_keys(path, error);
	if (r < 0)
		return r;
	if (jsontext_is_blank(data, text->length))
		return create_document(text, path, value, error);
	size_t depth = find_prefix(data, text->length, path, &member);
	if (depth == path->count)
		return set_present(text, path, &member, value, error);
	if (data[member.value.start] == '{')
		return add_member(text, path, depth, &member, value, error);
	if (!depth && data[member.value.start] == 'n')
		return create_document(text, path, value, error);
	return error_set(error, -ENOTDIR, "edit", depth ? path->keys[depth - 1] : NULL,
			 "%s is not an object { … }, so it can have no member \"%s\"",
			 depth ? "this setting" : "the top level", path->keys[depth]);
}
