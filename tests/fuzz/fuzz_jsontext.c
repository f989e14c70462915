/* Two questions to arbitrary bytes: does the checker agree with jansson, and do edits of what it
 * accepts keep their promises? The last bytes of the input say which edit. */
#include "fuzz.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "core/daemonjson.h"
#include "core/jsontext.h"

#define PATH_KEYS 3
#define EDIT_BYTES (PATH_KEYS + 2)

/* What both may differ about: blank texts, which jansson refuses; numbers it cannot hold; and NUL
 * bytes, which jansson 2.14 loses sight of right behind a number or a word: there jansson is wrong.
 */
static bool check_agrees(const char *text, size_t length)
{
	struct error error = ERROR_NONE;
	json_error_t json_error;
	size_t bom = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	bool accepted = jsontext_check(text, length, &error) == 0;

	require(accepted == (error.code == 0));
	require(accepted || (error.line && error.column && error.text[0]));
	if (jsontext_is_blank(text, length)) {
		require(accepted);
		return true;
	}
	if (length && memchr(text, '\0', length)) {
		require(!accepted);
		return false;
	}
	json_t *document =
		json_loadb(text + bom, length - bom, JSON_DECODE_ANY | JSON_ALLOW_NUL, &json_error);
	bool overflow = !document && json_error_code(&json_error) == json_error_numeric_overflow;

	require(accepted == (document != NULL) || overflow);
	json_decref(document);
	return accepted;
}

/* A key that the object at `object` has, else one that it may not have. Freed by the caller. */
static char *choose_key(const char *text, size_t length, size_t object, uint8_t choice)
{
	static const char *const keys[] = {"a", "icc", "log-opts", "\xC3\xA4", "", "q\"\\"};
	struct jsontext_member member;
	size_t cursor = 0;
	unsigned skipped = choice >> 3;
	char *key = NULL;

	while ((choice & 1) && object < length && text[object] == '{' &&
	       jsontext_next_member(text, length, object, &cursor, &member))
		if (!skipped--) {
			require(jsontext_decode_string(text, member.key, &key, NULL) == 0);
			require(jsontext_string_equals(text, member.key, key));
			return key;
		}
	return strdup(keys[(choice >> 1) % array_size(keys)]);
}

static json_t *choose_value(uint8_t choice)
{
	static const char *const values[] = {
		"true",
		"null",
		"\"x\\u0000\\\"\"",
		"1.5",
		"[1,\"a\"]",
		"{\"a\":1}",
		"{\"b\":{\"c\":[]},\"d\":[{},[[]]]}",
		"[]",
	};

	return json_loads(values[choice % array_size(values)], JSON_DECODE_ANY | JSON_ALLOW_NUL,
			  NULL);
}

/* The edit on the parsed document. Returns false where something on the way is not an object. */
static bool edit_document(json_t *document, const struct jsontext_path *path, json_t *value)
{
	for (size_t i = 0; i + 1 < path->count; i++) {
		json_t *inner = json_object_get(document, path->keys[i]);
		if (!inner && value) {
			inner = json_object();
			(void)json_object_set_new(document, path->keys[i], inner);
		}
		if (!json_is_object(inner))
			return !value;
		document = inner;
	}
	if (value)
		(void)json_object_set(document, path->keys[path->count - 1], value);
	else
		(void)json_object_del(document, path->keys[path->count - 1]);
	return true;
}

static void check_meaning(const struct strbuf *text, const json_t *meaning)
{
	json_t *document = NULL;

	require(daemonjson_read(text->data, text->length, &document, NULL) == 0);
	require(json_equal(document, meaning));
	json_decref(document);
}

static int edit_text(struct strbuf *text, const struct jsontext_path *path, const json_t *value)
{
	return value ? jsontext_set(text, path, value, NULL) : jsontext_remove(text, path, NULL);
}

static void check_edit(struct strbuf *text, const struct jsontext_path *path, json_t *value)
{
	cleanup_strbuf struct strbuf before = STRBUF_EMPTY;
	json_t *document = NULL;
	bool readable = daemonjson_read(text->data, text->length, &document, NULL) == 0;

	(void)strbuf_add(&before, text->data, text->length);
	bool possible = readable && edit_document(document, path, value);
	int r = edit_text(text, path, value);
	if (r < 0) {
		require(!possible);
		require(strcmp(before.data, text->data) == 0);
	} else {
		require(jsontext_check(text->data, text->length, NULL) == 0);
		if (readable)
			check_meaning(text, document);
		before.length = 0;
		(void)strbuf_add(&before, text->data, text->length);
		require(edit_text(text, path, value) == 0);
		require(strcmp(before.data, text->data) == 0);
	}
	json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)check_agrees((const char *)data, size);
	if (size < EDIT_BYTES)
		return 0;

	const uint8_t *choices = data + size - EDIT_BYTES;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	const char *keys[PATH_KEYS];
	struct jsontext_path path = {.keys = keys, .count = 0};
	struct jsontext_path top = path;
	struct jsontext_member at = {.value = {0, 0}};

	(void)strbuf_add(&text, (const char *)data, size - EDIT_BYTES);
	if (!check_agrees(text.data, text.length))
		return 0;
	(void)jsontext_find(text.data, text.length, &top, &at);
	while (path.count < 1U + choices[0] % PATH_KEYS) {
		keys[path.count] =
			choose_key(text.data, text.length, at.value.start, choices[1 + path.count]);
		path.count++;
		if (!jsontext_find(text.data, text.length, &path, &at))
			at.value.start = text.length;
	}
	json_t *value = choices[0] & 0x80 ? choose_value(choices[EDIT_BYTES - 1]) : NULL;
	check_edit(&text, &path, value);
	json_decref(value);
	for (size_t i = 0; i < path.count; i++)
		free((char *)keys[i]);
	return 0;
}
