/* Random documents in random dress, random edits, and what must hold whatever they are:
 *
 * 1. the result is JSON and means what the same edit makes of the parsed document;
 * 2. no byte changes but those of the edited member and the space and commas that part it from its
 *    neighbours;
 * 3. the same edit once more changes nothing;
 * 4. a new member that is removed again leaves the bytes there were before;
 * 5. a file keeps its one kind of line end.
 *
 * Round i of seed s is round 0 of seed s + i, so that a failure is repeated by the seed it names.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/daemonjson.h"
#include "core/jsontext.h"

/* --- chance -------------------------------------------------------------------------------- */

struct chance {
	uint64_t state;
};

/* splitmix64: good from any seed, and the same everywhere. */
static uint64_t next_number(struct chance *chance)
{
	uint64_t z = chance->state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static size_t below(struct chance *chance, size_t limit)
{
	return next_number(chance) % limit;
}

static bool one_in(struct chance *chance, size_t n)
{
	return below(chance, n) == 0;
}

#define pick(chance, array) ((array)[below(chance, array_size(array))])

/* --- documents ----------------------------------------------------------------------------- */

/* How an object or array is laid out. */
enum layout {
	LAYOUT_TIGHT,   /* {"a":1,"b":2} */
	LAYOUT_SPACED,  /* {"a": 1, "b": 2} */
	LAYOUT_PADDED,  /* { "a": 1, "b": 2 } */
	LAYOUT_LINES,   /* a line for each member */
	LAYOUT_PAIRS,   /* two members on a line */
	LAYOUT_COMMAS,  /* lines that begin with their comma */
	LAYOUT_LOOSE,   /* empty lines and spaces at the end of lines */
	LAYOUT_CHAOTIC, /* anything anywhere */
	LAYOUT_COUNT,
};

struct dress {
	struct chance *chance;
	enum layout layout;
	bool mixed; /* each object in a layout of its own */
	const char *line_end;
	const char *unit;
	const char *colon;
	struct strbuf *text;
};

/* Keys by meaning, and how each may be spelled. */
static const struct {
	const char *key;
	const char *spellings[2];
} keys[] = {
	{"a", {"\"a\"", "\"\\u0061\""}},
	{"icc", {"\"icc\"", "\"i\\u0063c\""}},
	{"log-opts", {"\"log-opts\"", "\"log\\u002Dopts\""}},
	{"x", {"\"x\"", "\"x\""}},
	{"", {"\"\"", "\"\""}},
	{"\xC3\xA4", {"\"\xC3\xA4\"", "\"\\u00E4\""}},
	{"\xF0\x9F\x98\x80", {"\"\xF0\x9F\x98\x80\"", "\"\\ud83d\\uDE00\""}},
	{"q\"\\", {"\"q\\\"\\\\\"", "\"q\\u0022\\u005c\""}},
	{"tab\t", {"\"tab\\t\"", "\"tab\\u0009\""}},
};

static const char *const scalars[] = {
	"true",
	"false",
	"null",
	"0",
	"-0",
	"1E+2",
	"1.0",
	"-1.5e-3",
	"64000",
	"\"\"",
	"\"10m\"",
	"\"}]\"",
	"\"\\\"{[\"",
	"\"\\u00e4\\/\"",
	"\"\\\\\"",
	"\"a, b: c\"",
	"9223372036854775807",
	"\"\xE2\x82\xAC\"",
};

static void add(const struct dress *dress, const char *string)
{
	(void)strbuf_adds(dress->text, string);
}

static void add_line(const struct dress *dress, size_t level)
{
	add(dress, dress->line_end);
	while (level--)
		add(dress, dress->unit);
}

static void add_chaos(const struct dress *dress)
{
	const char *const bits[] = {"", "", "", " ", "  ", "\t", dress->line_end};

	for (size_t i = below(dress->chance, 3); i > 0; i--)
		add(dress, pick(dress->chance, bits));
}

/* The space before item i of a container, or before its end when `last`. */
static void add_gap(const struct dress *dress, size_t level, size_t i, bool last)
{
	size_t inner = level + (last ? 0 : 1);

	switch (dress->layout) {
	case LAYOUT_TIGHT:
		break;
	case LAYOUT_SPACED:
		add(dress, i && !last ? " " : "");
		break;
	case LAYOUT_PADDED:
		add(dress, " ");
		break;
	case LAYOUT_LINES:
		add_line(dress, inner);
		break;
	case LAYOUT_PAIRS:
		if (i % 2 == 0 || last)
			add_line(dress, inner);
		else
			add(dress, " ");
		break;
	case LAYOUT_COMMAS:
		if (last)
			add_line(dress, level);
		else
			add(dress, " ");
		break;
	case LAYOUT_LOOSE:
		add(dress, one_in(dress->chance, 3) ? "  " : "");
		add(dress, one_in(dress->chance, 3) ? dress->line_end : "");
		add_line(dress, inner);
		break;
	case LAYOUT_CHAOTIC:
	case LAYOUT_COUNT:
		add_chaos(dress);
		break;
	}
}

static void add_comma(const struct dress *dress, size_t level)
{
	if (dress->layout == LAYOUT_COMMAS)
		add_line(dress, level);
	else if (dress->layout == LAYOUT_CHAOTIC)
		add_chaos(dress);
	else if (dress->layout == LAYOUT_LOOSE && one_in(dress->chance, 3))
		add(dress, " ");
	add(dress, ",");
}

static json_t *add_value(const struct dress *dress, size_t level);

static json_t *add_array(const struct dress *dress, size_t level)
{
	json_t *array = json_array();
	size_t count = below(dress->chance, 4);

	add(dress, "[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			add_comma(dress, level);
		add_gap(dress, level, i, false);
		(void)json_array_append_new(array, add_value(dress, level + 1));
	}
	if (count || one_in(dress->chance, 4))
		add_gap(dress, level, count, true);
	add(dress, "]");
	return array;
}

/* What dockerd makes of one more member: the model that the tested code is held against. */
static void model_member(json_t *object, size_t level, const char *key, json_t *value)
{
	json_t *present = json_object_get(object, key);

	if (level == 0 && json_is_object(present) && json_is_object(value)) {
		(void)json_object_update(present, value);
		json_decref(value);
		return;
	}
	(void)json_object_set_new(object, key, value);
}

static json_t *add_object(const struct dress *dress, size_t level)
{
	json_t *object = json_object();
	size_t count = below(dress->chance, level ? 4 : 7);

	add(dress, "{");
	for (size_t i = 0; i < count; i++) {
		/* With nine keys some are repeated by chance. */
		size_t k = below(dress->chance, array_size(keys));

		if (i)
			add_comma(dress, level);
		add_gap(dress, level, i, false);
		add(dress, keys[k].spellings[one_in(dress->chance, 4)]);
		if (dress->layout == LAYOUT_CHAOTIC)
			add_chaos(dress);
		add(dress, dress->layout == LAYOUT_TIGHT ? ":" : dress->colon);
		if (dress->layout == LAYOUT_CHAOTIC)
			add_chaos(dress);
		model_member(object, level, keys[k].key, add_value(dress, level + 1));
	}
	if (count || one_in(dress->chance, 4))
		add_gap(dress, level, count, true);
	add(dress, "}");
	return object;
}

static json_t *add_value(const struct dress *dress, size_t level)
{
	struct dress inner = *dress;
	size_t kind = below(dress->chance, level < 4 ? 10 : 6);

	if (dress->mixed)
		inner.layout = (enum layout)below(dress->chance, LAYOUT_COUNT);
	/* Lines inside of a line are for those who mix. */
	if (!dress->mixed && dress->layout == LAYOUT_LINES && one_in(dress->chance, 3))
		inner.layout = LAYOUT_SPACED;
	if (kind >= 7)
		return add_object(&inner, level);
	if (kind == 6)
		return add_array(&inner, level);
	const char *scalar = pick(dress->chance, scalars);
	add(dress, scalar);
	return json_loads(scalar, JSON_DECODE_ANY, NULL);
}

/* Writes a document and returns what it means. */
static json_t *add_document(struct chance *chance, struct strbuf *text)
{
	static const char *const line_ends[] = {"\n", "\n", "\r\n"};
	static const char *const units[] = {"  ", "    ", "\t", "\t", "", " "};
	static const char *const colons[] = {": ", ": ", ": ", ":", " : ", " :", ":  "};
	struct dress dress = {
		.chance = chance,
		.layout = (enum layout)below(chance, LAYOUT_COUNT),
		.mixed = one_in(chance, 4),
		.line_end = pick(chance, line_ends),
		.unit = pick(chance, units),
		.colon = pick(chance, colons),
		.text = text,
	};
	json_t *document = NULL;

	if (one_in(chance, 8))
		add(&dress, "\xEF\xBB\xBF");
	if (one_in(chance, 8))
		add_chaos(&dress);
	if (one_in(chance, 40))
		add(&dress, one_in(chance, 2) ? "null" : "");
	else
		document = add_object(&dress, 0);
	if (one_in(chance, 4))
		add_chaos(&dress);
	else
		add(&dress, one_in(chance, 3) ? "" : dress.line_end);
	return document ? document : json_object();
}

/* --- edits --------------------------------------------------------------------------------- */

#define PATH_MAX_KEYS 4

struct random_edit {
	const char *keys[PATH_MAX_KEYS];
	struct jsontext_path path;
	json_t *value; /* NULL removes */
};

static const char *random_key(struct chance *chance, const json_t *object)
{
	size_t count = json_object_size(object);

	if (!count || one_in(chance, 3))
		return one_in(chance, 4) ? "new\n\xE2\x82\xAC" : pick(chance, keys).key;
	void *iter = json_object_iter((json_t *)object);
	for (size_t i = below(chance, count); i > 0; i--)
		iter = json_object_iter_next((json_t *)object, iter);
	return json_object_iter_key(iter);
}

static json_t *random_value(struct chance *chance)
{
	struct strbuf ignored = STRBUF_EMPTY;
	struct dress dress = {
		.chance = chance, .line_end = "", .unit = "", .colon = ":", .text = &ignored};
	json_t *value = add_value(&dress, 1);

	strbuf_done(&ignored);
	return value;
}

static void make_edit(struct chance *chance, const json_t *document, struct random_edit *ret)
{
	const json_t *at = document;
	size_t count = 1;

	while (count < PATH_MAX_KEYS && one_in(chance, 2))
		count++;
	for (size_t i = 0; i < count; i++) {
		ret->keys[i] = random_key(chance, at);
		at = json_object_get(at, ret->keys[i]);
		/* Mostly paths that can be gone. */
		if (at && !json_is_object(at) && !one_in(chance, 8))
			count = i + 1;
	}
	ret->path = (struct jsontext_path){.keys = ret->keys, .count = count};
	ret->value = one_in(chance, 3) ? NULL : random_value(chance);
}

/* The edit on the model. Returns false where something on the way is not an object. */
static bool edit_model(json_t *document, const struct random_edit *edit)
{
	const char *last = edit->keys[edit->path.count - 1];
	json_t *at = document;

	for (size_t i = 0; i + 1 < edit->path.count; i++) {
		json_t *inner = json_object_get(at, edit->keys[i]);
		if (!inner && edit->value) {
			inner = json_object();
			(void)json_object_set_new(at, edit->keys[i], inner);
		}
		if (!json_is_object(inner))
			return !edit->value;
		at = inner;
	}
	if (edit->value)
		(void)json_object_set_new(at, last, json_deep_copy(edit->value));
	else
		(void)json_object_del(at, last);
	return true;
}

static int edit_text(struct strbuf *text, const struct random_edit *edit)
{
	return edit->value ? jsontext_set(text, &edit->path, edit->value, NULL)
			   : jsontext_remove(text, &edit->path, NULL);
}

static void copy_text(struct strbuf *to, const struct strbuf *from)
{
	(void)strbuf_add(to, from->length ? from->data : "", from->length);
}

static bool same_text(const struct strbuf *a, const struct strbuf *b)
{
	return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

/* --- properties ---------------------------------------------------------------------------- */

/* Each returns NULL, or what is wrong. */

static const char *check_meaning(const struct strbuf *text, const json_t *meaning)
{
	json_t *document = NULL;

	if (jsontext_check(text->data, text->length, NULL) < 0)
		return "the result is not JSON";
	if (daemonjson_read(text->data, text->length, &document, NULL) < 0)
		return "the result cannot be read";
	bool equal = json_equal(document, meaning);
	json_decref(document);
	return equal ? NULL : "the result means something else";
}

/* The changed bytes of old must lie in [start, end). */
static const char *check_changed(const struct strbuf *old, const struct strbuf *new, size_t start,
				 size_t end)
{
	size_t tail = old->length - end;

	if (new->length < start + tail)
		return "bytes outside the edited member were removed";
	if (memcmp(old->data, new->data, start) != 0)
		return "bytes before the edited member changed";
	if (memcmp(old->data + end, new->data + new->length - tail, tail) != 0)
		return "bytes behind the edited member changed";
	return NULL;
}

static size_t count_members(const struct strbuf *text, size_t object, const char *key)
{
	struct jsontext_member member;
	size_t cursor = 0;
	size_t count = 0;

	while (jsontext_next_member(text->data, text->length, object, &cursor, &member))
		count += !key || jsontext_string_equals(text->data, member.key, key);
	return count;
}

/* Whether a key of the path is repeated on the way: the edit may then touch several places. */
static bool is_repeated(const struct strbuf *text, const struct jsontext_path *path)
{
	struct jsontext_path prefix = *path;

	for (prefix.count = 0; prefix.count < path->count; prefix.count++) {
		struct jsontext_member member;
		if (!jsontext_find(text->data, text->length, &prefix, &member) ||
		    text->data[member.value.start] != '{')
			return false;
		if (count_members(text, member.value.start, path->keys[prefix.count]) > 1)
			return true;
	}
	return false;
}

/* A removed member may take along all up to its neighbours. */
static const char *check_removed_span(const struct strbuf *old, const struct strbuf *new,
				      const struct jsontext_member *removed)
{
	struct jsontext_member member;
	size_t cursor = 0;
	size_t start = removed->object + 1;
	size_t end = 0;

	while (!end &&
	       jsontext_next_member(old->data, old->length, removed->object, &cursor, &member)) {
		if (member.key.start < removed->key.start)
			start = member.value.end;
		else if (member.key.start > removed->key.start)
			end = member.key.start;
	}
	if (!end)
		end = removed->value.end + strspn(old->data + removed->value.end, " \t\r\n");
	return check_changed(old, new, start, end);
}

static const char *check_span(const struct strbuf *old, const struct strbuf *new,
			      const struct random_edit *edit)
{
	struct jsontext_path prefix = edit->path;
	struct jsontext_member member;
	struct jsontext_member last = {.value = {0, 0}};
	size_t cursor = 0;

	if (is_repeated(old, &edit->path))
		return NULL;
	if (jsontext_find(old->data, old->length, &prefix, &member))
		return edit->value ? check_changed(old, new, member.value.start, member.value.end)
				   : check_removed_span(old, new, &member);
	if (!edit->value)
		return same_text(old, new) ? NULL : "there was nothing to remove";
	while (!jsontext_find(old->data, old->length, &prefix, &member)) {
		if (!prefix.count--)
			return NULL; /* a blank document */
	}
	if (old->data[member.value.start] != '{' || !count_members(old, member.value.start, NULL))
		return check_changed(old, new, member.value.start, member.value.end);
	while (jsontext_next_member(old->data, old->length, member.value.start, &cursor, &last))
		continue;
	return check_changed(old, new, last.value.end, last.value.end);
}

/* The next top-level member whose key is not `key`. */
static bool next_other(const struct strbuf *text, size_t root, size_t *cursor, const char *key,
		       struct jsontext_member *ret)
{
	while (jsontext_next_member(text->data, text->length, root, cursor, ret))
		if (!jsontext_string_equals(text->data, ret->key, key))
			return true;
	return false;
}

/* The members of the top level that were not meant keep their bytes and their order. */
static const char *check_others(const struct strbuf *old, const struct strbuf *new,
				const struct random_edit *edit)
{
	struct jsontext_path top = {.keys = edit->keys, .count = 0};
	struct jsontext_member a;
	struct jsontext_member b;
	size_t old_cursor = 0;
	size_t new_cursor = 0;

	if (!jsontext_find(old->data, old->length, &top, &a) || old->data[a.value.start] != '{')
		return NULL;
	size_t root = a.value.start;
	if (new->length <= root || memcmp(old->data, new->data, root + 1) != 0)
		return "the start of the file changed";
	while (next_other(old, root, &old_cursor, edit->keys[0], &a)) {
		size_t length = a.value.end - a.key.start;
		if (!next_other(new, root, &new_cursor, edit->keys[0], &b) ||
		    b.value.end - b.key.start != length ||
		    memcmp(old->data + a.key.start, new->data + b.key.start, length) != 0)
			return "another member changed";
	}
	return next_other(new, root, &new_cursor, edit->keys[0], &b) ? "another member appeared"
								     : NULL;
}

/* A new member removed again: only where the text had neither it nor an empty place for it. */
static const char *check_undo(const struct strbuf *old, const struct strbuf *new,
			      const struct random_edit *edit)
{
	cleanup_strbuf struct strbuf without = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf undone = STRBUF_EMPTY;
	struct jsontext_path prefix = edit->path;
	struct jsontext_member member;

	if (!edit->value || jsontext_find(old->data, old->length, &prefix, &member))
		return NULL;
	while (prefix.count && !jsontext_find(old->data, old->length, &prefix, &member))
		prefix.count--;
	if (!jsontext_find(old->data, old->length, &prefix, &member) ||
	    old->data[member.value.start] != '{' || !count_members(old, member.value.start, NULL))
		return NULL;
	prefix.count++;

	/* Where a key on the way is repeated, an earlier occurrence may have one to remove. */
	copy_text(&without, old);
	(void)jsontext_remove(&without, &prefix, NULL);
	if (!same_text(&without, old))
		return NULL;
	copy_text(&undone, new);
	(void)jsontext_remove(&undone, &prefix, NULL);
	return same_text(&undone, old) ? NULL : "set and remove do not give the old text back";
}

static void count_line_ends(const struct strbuf *text, size_t *ret_lf, size_t *ret_crlf)
{
	*ret_lf = 0;
	*ret_crlf = 0;
	for (size_t i = 0; i < text->length; i++)
		if (text->data[i] == '\n' && i && text->data[i - 1] == '\r')
			++*ret_crlf;
		else if (text->data[i] == '\n')
			++*ret_lf;
}

static const char *check_line_ends(const struct strbuf *old, const struct strbuf *new)
{
	size_t old_lf;
	size_t old_crlf;
	size_t new_lf;
	size_t new_crlf;

	count_line_ends(old, &old_lf, &old_crlf);
	count_line_ends(new, &new_lf, &new_crlf);
	if (old_crlf && !old_lf && new_lf)
		return "a bare LF in a file of CRLF";
	if (!old_crlf && new_crlf)
		return "a CRLF in a file of LF";
	return NULL;
}

static const char *check_repeat(const struct strbuf *new, const struct random_edit *edit)
{
	cleanup_strbuf struct strbuf again = STRBUF_EMPTY;

	copy_text(&again, new);
	if (edit_text(&again, edit) < 0)
		return "the same edit fails the second time";
	return same_text(&again, new) ? NULL : "the same edit changes the text again";
}

static const char *check_result(const struct strbuf *old, const struct strbuf *new,
				const struct random_edit *edit, const json_t *meaning)
{
	const char *wrong = check_meaning(new, meaning);

	if (!wrong)
		wrong = check_span(old, new, edit);
	if (!wrong)
		wrong = check_others(old, new, edit);
	if (!wrong)
		wrong = check_repeat(new, edit);
	if (!wrong)
		wrong = check_undo(old, new, edit);
	return wrong ? wrong : check_line_ends(old, new);
}

/* --- rounds -------------------------------------------------------------------------------- */

static void report(uint64_t seed, const char *wrong, const struct strbuf *old,
		   const struct strbuf *new, const struct random_edit *edit)
{
	cleanup_free char *value =
		edit->value ? json_dumps(edit->value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	printf("FAILED: %s\nrepeat with: --seed %llu --count 1\n%s", wrong,
	       (unsigned long long)seed, edit->value ? "set" : "remove");
	for (size_t i = 0; i < edit->path.count; i++)
		printf(" <%s>", edit->keys[i]);
	printf(" %s\n--- before (%zu bytes)\n%s\n--- after (%zu bytes)\n%s\n", value ? value : "",
	       old->length, old->data, new->length, new->data);
}

static const char *try_edit(const struct strbuf *old, struct strbuf *new,
			    const struct random_edit *edit, json_t *model)
{
	bool possible = edit_model(model, edit);
	int r = edit_text(new, edit);

	if (!possible)
		return r == -ENOTDIR && same_text(old, new) ? NULL : "should have been refused";
	return r < 0 ? "was refused" : check_result(old, new, edit, model);
}

static bool run_round(uint64_t seed)
{
	struct chance chance = {.state = seed};
	cleanup_strbuf struct strbuf old = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf new = STRBUF_EMPTY;
	struct random_edit edit;
	json_t *model = add_document(&chance, &old);
	/* The keys of the edit are those of this copy. */
	json_t *source = json_deep_copy(model);

	(void)strbuf_add(&old, "", 0);
	copy_text(&new, &old);
	make_edit(&chance, source, &edit);
	const char *wrong = check_meaning(&old, model);
	if (!wrong)
		wrong = try_edit(&old, &new, &edit, model);
	if (wrong)
		report(seed, wrong, &old, &new, &edit);
	json_decref(edit.value);
	json_decref(source);
	json_decref(model);
	return !wrong;
}

int main(int argc, char **argv)
{
	/* Other documents each time; what fails names the seed that repeats it. */
	uint64_t seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	uint64_t count = 100000;

	for (int i = 1; i < argc; i += 2) {
		bool is_seed = strcmp(argv[i], "--seed") == 0;
		if (i + 1 == argc || (!is_seed && strcmp(argv[i], "--count") != 0)) {
			fprintf(stderr, "usage: %s [--seed N] [--count N]\n", argv[0]);
			return 2;
		}
		*(is_seed ? &seed : &count) = strtoull(argv[i + 1], NULL, 10);
	}
	printf("property_jsontext: seed %llu, %llu rounds\n", (unsigned long long)seed,
	       (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++)
		if (!run_round(seed + i))
			return 1;
	return 0;
}
