/* What writes text that others read: differences, masked secrets, XML, and edits of environment
 * files. The first byte chooses; texts end with NUL, the last one at the end. */
#include "fuzz.h"

#include <jansson.h>

#include "base/text.h"
#include "base/xml.h"
#include "core/daemonjson.h"
#include "core/diff.h"
#include "core/envedit.h"
#include "core/jsontext.h"
#include "core/mask.h"

static bool same(const struct strbuf *a, const struct strbuf *b)
{
	return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

/* ---- differences ---- */

/* Where a patch is applied. */
struct patch {
	const char *old; /* what is left of the old text */
	const char *old_end;
	struct strbuf new;
};

/* Takes a line of the old text that is the same as this one. */
static void take_old(struct patch *patch, const char *line, size_t length, bool keep)
{
	require((size_t)(patch->old_end - patch->old) >= length &&
		memcmp(patch->old, line, length) == 0);
	patch->old += length;
	if (keep)
		require(strbuf_add(&patch->new, line, length) == 0);
}

/* Copies what stands before the hunk: line `first` of the old text is the next one then. */
static void copy_until(struct patch *patch, const char *start, unsigned long first)
{
	unsigned long line = 1;

	for (const char *at = start; at < patch->old; at++)
		line += *at == '\n';
	while (line < first) {
		const char *end = memchr(patch->old, '\n', (size_t)(patch->old_end - patch->old));
		require(end != NULL);
		require(strbuf_add(&patch->new, patch->old, (size_t)(end + 1 - patch->old)) == 0);
		patch->old = end + 1;
		line++;
	}
}

/* A hunk of n lines names the first of them, one of none the line before it. */
static void begin_hunk(struct patch *patch, const char *start, const char *header)
{
	char *end = NULL;
	unsigned long first = strtoul(header + strlen("@@ -"), &end, 10);
	unsigned long count = *end == ',' ? strtoul(end + 1, NULL, 10) : 1;

	copy_until(patch, start, count ? first : first + 1);
}

static void apply_line(struct patch *patch, const char *line, size_t length, bool whole)
{
	size_t text = length - 1 - !whole;

	switch (*line) {
	case ' ':
	case '-':
		take_old(patch, line + 1, text, *line == ' ');
		break;
	case '+':
		require(strbuf_add(&patch->new, line + 1, text) == 0);
		break;
	default:
		abort();
	}
}

/* As patch(1) does it, but without any leniency. */
static void apply(struct patch *patch, const struct strbuf *diff)
{
	static const char missing[] = "\\ No newline at end of file\n";
	const char *start = patch->old;
	const char *end = diff->data + diff->length;
	const char *line = memchr(diff->data, '\n', diff->length);

	line = memchr(line + 1, '\n', (size_t)(end - line - 1));
	require(line != NULL);
	for (line++; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		require(next != NULL);
		next++;
		bool whole = !text_starts_with(next, missing);
		if (*line == '@')
			begin_hunk(patch, start, line);
		else
			apply_line(patch, line, (size_t)(next - line), whole);
		line = next + (whole ? 0 : strlen(missing));
	}
	require(strbuf_add(&patch->new, patch->old, (size_t)(patch->old_end - patch->old)) == 0);
}

static void check_diff(struct input *input)
{
	size_t old_length;
	size_t new_length;
	cleanup_free char *old = input_text(input, &old_length);
	cleanup_free char *new = input_rest(input, &new_length);
	cleanup_strbuf struct strbuf diff = STRBUF_EMPTY;
	struct patch patch = {.old = old, .old_end = old + old_length};

	require(diff_unified(&diff, "a", old, old_length, "b", new, new_length, NULL) == 0);
	bool equal = old_length == new_length && memcmp(old, new, old_length) == 0;
	require(equal == (diff.length == 0));
	if (!equal) {
		apply(&patch, &diff);
		require(patch.new.length == new_length &&
			(!new_length || memcmp(patch.new.data, new, new_length) == 0));
	}
	strbuf_done(&patch.new);
}

/* ---- secrets ---- */

/* Nothing that is masked in the document is to be read in the text. */
static void check_hidden(const json_t *plain, const json_t *masked, const json_t *shown)
{
	const char *key;
	json_t *member;

	require(json_typeof(plain) == json_typeof(shown));
	json_object_foreach ((json_t *)plain, key, member)
		check_hidden(member, json_object_get(masked, key), json_object_get(shown, key));
	for (size_t i = 0; json_is_array(plain) && i < json_array_size(plain); i++)
		check_hidden(json_array_get(plain, i), json_array_get(masked, i),
			     json_array_get(shown, i));
	if (json_is_string(plain) && !json_equal(plain, masked))
		require(!json_equal(plain, shown));
}

static void check_mask_json(struct input *input)
{
	size_t length;
	cleanup_free char *text = input_rest(input, &length);
	cleanup_strbuf struct strbuf once = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf twice = STRBUF_EMPTY;
	json_auto_t *plain = NULL;
	json_auto_t *shown = NULL;

	require(mask_text(&once, text, length) == 0);
	require(mask_text(&twice, once.data ? once.data : "", once.length) == 0);
	require(same(&once, &twice));
	if (jsontext_check(text, length, NULL) < 0 || jsontext_is_blank(text, length) ||
	    daemonjson_read(text, length, &plain, NULL) < 0)
		return;
	require(daemonjson_read(once.data, once.length, &shown, NULL) == 0);
	json_auto_t *masked = mask_json(NULL, plain);
	require(masked != NULL);
	check_hidden(plain, masked, shown);
}

static size_t count_lines(const char *text, size_t length)
{
	size_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* What is shown stands in the text, in this order, with secrets between. */
static void check_mask_words(struct input *input)
{
	size_t length;
	cleanup_free char *text = input_rest(input, &length);
	cleanup_strbuf struct strbuf shown = STRBUF_EMPTY;
	const char *from = text;

	require(mask_words(&shown, text, length) == 0);
	require(count_lines(text, length) == count_lines(shown.data, shown.length));
	for (size_t i = 0; i < shown.length;) {
		const char *part = shown.data + i;
		const char *mask = memmem(part, shown.length - i, MASKED, strlen(MASKED));
		size_t part_length = mask ? (size_t)(mask - part) : shown.length - i;

		from = memmem(from, length - (size_t)(from - text), part, part_length);
		require(from != NULL);
		from += part_length;
		i += part_length + (mask ? strlen(MASKED) : 0);
	}
}

/* ---- XML ---- */

static void add_entity(struct strbuf *out, const char *name, size_t length)
{
	static const struct {
		const char *name;
		char byte;
	} entities[] = {{"amp", '&'},  {"lt", '<'},  {"gt", '>'},
			{"quot", '"'}, {"#9", '\t'}, {"#10", '\n'}};

	for (size_t i = 0; i < array_size(entities); i++)
		if (strlen(entities[i].name) == length &&
		    memcmp(entities[i].name, name, length) == 0) {
			require(strbuf_addc(out, entities[i].byte) == 0);
			return;
		}
	abort();
}

/* What a parser of XML reads. */
static void read_xml(const struct strbuf *xml, struct strbuf *out)
{
	for (size_t i = 0; i < xml->length; i++) {
		const char *at = xml->data + i;
		require(*at != '<' && *at != '>' && *at != '"');
		if (*at != '&') {
			require(strbuf_addc(out, *at) == 0);
			continue;
		}
		const char *end = memchr(at, ';', xml->length - i);
		require(end != NULL);
		add_entity(out, at + 1, (size_t)(end - at - 1));
		i += (size_t)(end - at);
	}
}

static void check_xml(struct input *input)
{
	bool attribute = input_byte(input) & 1;
	size_t length;
	cleanup_free char *text = input_rest(input, &length);
	cleanup_strbuf struct strbuf xml = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf back = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf printable = STRBUF_EMPTY;

	require((attribute ? xml_add_attribute : xml_add_text)(&xml, text, length) == 0);
	require(utf8_is_valid(xml.data, xml.length, NULL));
	require(!attribute || !xml.length || !strpbrk(xml.data, "\n\t"));
	read_xml(&xml, &back);
	require(text_add_printable(&printable, text, length, true) == 0);
	require(same(&back, &printable) || memmem(text, length, "\xEF\xBF", 2));
	strbuf_done(&printable);
	require(text_add_printable(&printable, back.data ? back.data : "", back.length, true) == 0);
	require(same(&back, &printable));
}

/* ---- environment files ---- */

/* Ascending ranges, apart from each other. */
static size_t choose_cuts(struct input *input, size_t length, struct envedit_cut *cuts, size_t most)
{
	size_t at = 0;
	size_t count = 0;

	while (count < most && at < length) {
		uint8_t choice = input_byte(input);
		cuts[count].start = at + (choice & 15) % (length - at);
		cuts[count].end = cuts[count].start + 1 + (choice >> 4);
		if (cuts[count].end > length)
			cuts[count].end = length;
		at = cuts[count++].end + 1;
	}
	return count;
}

static void add_what_is_left(struct strbuf *left, const char *value, const struct envedit_cut *cuts,
			     size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		require(strbuf_add(left, value + at, cuts[i].start - at) == 0);
		at = cuts[i].end;
	}
	require(strbuf_adds(left, value + at) == 0);
}

/* Each variable has what it had before, and the one that was edited what is left. */
static void check_variables(const struct strlist *before, const struct strlist *after,
			    const char *name, const char *left)
{
	require(before->count == after->count);
	for (size_t i = 0; i < before->count; i++) {
		const char *item = before->items[i];
		size_t length = strcspn(item, "=");
		const char *value = envlist_get(after, item, length);
		bool edited = strlen(name) == length && memcmp(item, name, length) == 0;

		require(value != NULL);
		require(strcmp(value, edited ? left : envlist_get(before, item, length)) == 0);
	}
}

static void check_envedit(struct input *input)
{
	unsigned version = input_byte(input) & 1 ? 257 : 252;
	uint8_t chosen = input_byte(input);
	size_t length;
	cleanup_free char *text = input_text(input, &length);
	cleanup_strlist struct strlist before = {.items = NULL}, after = {.items = NULL};
	cleanup_envfile_value struct envfile_value value = {.value = NULL};
	cleanup_strbuf struct strbuf edited = STRBUF_EMPTY, left = STRBUF_EMPTY;
	struct envedit_cut cuts[4];
	struct error error = ERROR_NONE;

	if (envfile_parse_as(text, length, version, &before, &error) < 0) {
		require(error.line > 0);
		return;
	}
	if (!before.count)
		return;
	cleanup_free char *name = strdup(before.items[chosen % before.count]);
	require(name != NULL);
	name[strcspn(name, "=")] = '\0';
	require(envfile_locate(text, length, version, name, &value, &error) == 0 && value.value);
	require(strcmp(value.value, envlist_get(&before, name, strlen(name))) == 0);
	size_t count = choose_cuts(input, strlen(value.value), cuts, array_size(cuts));
	add_what_is_left(&left, value.value, cuts, count);
	if (!utf8_is_valid(left.data ? left.data : "", left.length, NULL))
		return;
	require(envedit_cut(text, length, version, name, cuts, count, &edited, &error) == 0);
	require(envfile_parse_as(edited.data ? edited.data : "", edited.length, version, &after,
				 &error) == 0);
	check_variables(&before, &after, name, left.data ? left.data : "");
}

/* ---- names ---- */

static void check_names(struct input *input)
{
	cleanup_free char *a = input_text(input, NULL);
	cleanup_free char *b = input_text(input, NULL);
	unsigned distance = text_distance(a, b);
	unsigned line = 0;
	unsigned column = 0;

	require(distance == text_distance(b, a));
	if (strlen(a) <= 64 && strlen(b) <= 64)
		require((distance == 0) == (strcmp(a, b) == 0));
	text_position(a, strlen(a), strlen(a), &line, &column);
	require(line == 1 + count_lines(a, strlen(a)) && column >= 1);
	require(utf8_count(a, strlen(a)) <= strlen(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct input *) = {
		check_diff, check_mask_json, check_mask_words,
		check_xml,  check_envedit,   check_names,
	};
	struct input input = {data, size};

	checks[input_byte(&input) % array_size(checks)](&input);
	return 0;
}
