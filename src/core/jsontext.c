#include "core/jsontext.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "core/jsonscan.h"

bool jsontext_is_blank(const char *text, size_t length)
{
	return jsonscan_root(text, length) == length;
}

/* --- walking ------------------------------------------------------------------------------- */

/* From the end of one item (or the opening bracket) to the start of the next. */
static size_t next_item(const char *text, size_t length, size_t open, size_t cursor)
{
	size_t at = jsonscan_space(text, length, cursor ? cursor : open + 1);

	if (at < length && text[at] == ',')
		at = jsonscan_space(text, length, at + 1);
	return at;
}

bool jsontext_next_member(const char *text, size_t length, size_t object_start, size_t *cursor,
			  struct jsontext_member *ret)
{
	struct jsontext_member member = {.object = object_start};

	member.key.start = next_item(text, length, object_start, *cursor);
	if (member.key.start >= length || text[member.key.start] != '"')
		return false;
	member.key.end = jsonscan_string(text, length, member.key.start);
	size_t colon = jsonscan_space(text, length, member.key.end);
	member.value.start = jsonscan_space(text, length, colon + 1);
	member.value.end = jsonscan_value(text, length, member.value.start);
	*cursor = member.value.end;
	*ret = member;
	return true;
}

bool jsontext_next_element(const char *text, size_t length, size_t array_start, size_t *cursor,
			   struct jsontext_span *ret)
{
	size_t start = next_item(text, length, array_start, *cursor);

	if (start >= length || text[start] == ']')
		return false;
	*ret = (struct jsontext_span){start, jsonscan_value(text, length, start)};
	*cursor = ret->end;
	return true;
}

/* --- finding ------------------------------------------------------------------------------- */

static bool is_object(const char *text, const struct jsontext_member *member)
{
	return text[member->value.start] == '{';
}

/* The last member with this key. */
static bool find_last(const char *text, size_t length, size_t object_start, const char *key,
		      struct jsontext_member *ret)
{
	struct jsontext_member member;
	size_t cursor = 0;
	bool found = false;

	while (jsontext_next_member(text, length, object_start, &cursor, &member)) {
		if (!jsontext_string_equals(text, member.key, key))
			continue;
		*ret = member;
		found = true;
	}
	return found;
}

/* The member with this key that a look-up of `next` has to enter. Go decodes repeated objects at
 * the top level into the same struct or map, so each adds its members; anything but an object
 * starts afresh. */
static bool find_merged(const char *text, size_t length, size_t object_start, const char *key,
			const char *next, struct jsontext_member *ret)
{
	struct jsontext_member member;
	struct jsontext_member ignored;
	size_t cursor = 0;
	bool found = false;
	bool has_next = false;

	while (jsontext_next_member(text, length, object_start, &cursor, &member)) {
		if (!jsontext_string_equals(text, member.key, key))
			continue;
		bool object = is_object(text, &member);
		bool here = object && find_last(text, length, member.value.start, next, &ignored);
		if (object && has_next && !here)
			continue;
		*ret = member;
		found = true;
		has_next = here;
	}
	return found;
}

bool jsontext_find(const char *text, size_t length, const struct jsontext_path *path,
		   struct jsontext_member *ret)
{
	size_t root = jsonscan_root(text, length);
	struct jsontext_member at = {.value = {root, jsonscan_value(text, length, root)}};

	if (root == length)
		return false;
	for (size_t i = 0; i < path->count; i++) {
		const char *key = path->keys[i];
		bool merged = i == 0 && path->count > 1;
		size_t object = at.value.start;

		if (!is_object(text, &at))
			return false;
		if (merged ? !find_merged(text, length, object, key, path->keys[1], &at)
			   : !find_last(text, length, object, key, &at))
			return false;
	}
	*ret = at;
	return true;
}

/* --- strings ------------------------------------------------------------------------------- */

static uint32_t hex4(const char *digits)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)digits[i];
		/* Letters of both cases have 1 to 6 in their low bits, digits 0 to 9. */
		value = value << 4 | ((c & 0xFU) + (c > '9' ? 9 : 0));
	}
	return value;
}

static size_t utf8_encode(uint32_t character, char *out)
{
	if (character < 0x80) {
		out[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		out[0] = (char)(0xC0 | character >> 6);
		out[1] = (char)(0x80 | (character & 0x3F));
		return 2;
	}
	if (character < 0x10000) {
		out[0] = (char)(0xE0 | character >> 12);
		out[1] = (char)(0x80 | (character >> 6 & 0x3F));
		out[2] = (char)(0x80 | (character & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | character >> 18);
	out[1] = (char)(0x80 | (character >> 12 & 0x3F));
	out[2] = (char)(0x80 | (character >> 6 & 0x3F));
	out[3] = (char)(0x80 | (character & 0x3F));
	return 4;
}

/* Decodes the escape that starts with the backslash at `at`; returns its length in the text. */
static size_t decode_escape(const char *at, char out[static 4], size_t *ret_length)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";

	*ret_length = 1;
	if (at[1] != 'u') {
		const char *letter = strchr(letters, at[1]);
		out[0] = letter ? meanings[letter - letters] : at[1];
		return 2;
	}
	uint32_t unit = hex4(at + 2);
	if (unit < 0xD800 || unit > 0xDBFF) {
		*ret_length = utf8_encode(unit, out);
		return 6;
	}
	uint32_t low = hex4(at + 8);
	*ret_length = utf8_encode(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
	return 12;
}

int jsontext_decode_string(const char *text, struct jsontext_span span, char **ret,
			   struct error *error)
{
	/* No escape is shorter than what it stands for. */
	cleanup_free char *decoded = malloc(span.end - span.start);
	size_t length = 0;

	if (!decoded)
		return error_set_oom(error);
	for (size_t at = span.start + 1; at < span.end - 1;) {
		size_t added = 1;
		if (text[at] != '\\')
			decoded[length] = text[at++];
		else
			at += decode_escape(text + at, decoded + length, &added);
		length += added;
	}
	if (memchr(decoded, '\0', length)) {
		unsigned line = 0;
		unsigned column = 0;
		text_position(text, span.end, span.start, &line, &column);
		return error_set_at(error, -EBADMSG, "parse", NULL, line, column,
				    "this string has a NUL character (\\u0000) in it; remove it");
	}
	decoded[length] = '\0';
	*ret = take_ptr(decoded);
	return 0;
}

bool jsontext_string_equals(const char *text, struct jsontext_span span, const char *key)
{
	const char *at = text + span.start + 1;
	const char *end = text + span.end - 1;

	while (at < end) {
		char decoded[4];
		size_t length = 1;

		if (*at != '\\')
			decoded[0] = *at++;
		else
			at += decode_escape(at, decoded, &length);
		for (size_t i = 0; i < length; i++)
			if (!*key || decoded[i] != *key++)
				return false;
	}
	return !*key;
}
