#include "core/daemonjson.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/jsonscan.h"
#include "core/jsontext.h"

#define DECODE_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static int fail_at(const char *text, size_t length, size_t offset, const char *message,
		   struct error *error)
{
	unsigned line = 0;
	unsigned column = 0;

	text_position(text, length, offset, &line, &column);
	return error_set_at(error, -EBADMSG, "parse", NULL, line, column, "%s", message);
}

static bool is_number_byte(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* What jansson refuses though it is JSON: numbers that no int64 or double can hold. Whatever else
 * goes wrong in checked text is want of memory. */
static int fail_decode(const char *text, size_t length, const json_error_t *from,
		       struct error *error)
{
	size_t offset = from->position > 0 ? (size_t)from->position : 0;

	if (json_error_code(from) != json_error_numeric_overflow)
		return error_set_oom(error);
	/* jansson points behind the number. */
	if (offset > length)
		offset = length;
	while (offset && is_number_byte(text[offset - 1]))
		offset--;
	return fail_at(text, length, offset, "this number is too large", error);
}

static bool repeats_keys(const char *text, size_t length, size_t root, const json_t *document)
{
	struct jsontext_member member;
	size_t cursor = 0;
	size_t count = 0;

	while (jsontext_next_member(text, length, root, &cursor, &member))
		count++;
	return count != json_object_size(document);
}

/* Adds one member the way Go decodes into a struct that may have it already: an object adds its
 * members to those that are there, everything else replaces. */
static int merge_member(const char *text, const struct jsontext_member *member, json_t *document,
			struct error *error)
{
	cleanup_free char *key = NULL;
	int r = jsontext_decode_string(text, member->key, &key, error);
	if (r < 0)
		return r;

	json_auto_t *value =
		json_loadb(text + member->value.start, member->value.end - member->value.start,
			   DECODE_FLAGS, NULL);
	if (!value)
		return error_set_oom(error);
	json_t *present = json_object_get(document, key);
	if (json_is_object(present) && json_is_object(value))
		r = json_object_update(present, value);
	else
		r = json_object_set(document, key, value);
	return r < 0 ? error_set_oom(error) : 0;
}

static int merge_members(const char *text, size_t length, size_t root, json_t **ret,
			 struct error *error)
{
	json_auto_t *document = json_object();
	struct jsontext_member member;
	size_t cursor = 0;
	int r = document ? 0 : error_set_oom(error);

	while (r == 0 && jsontext_next_member(text, length, root, &cursor, &member))
		r = merge_member(text, &member, document, error);
	if (r == 0)
		*ret = take_ptr(document);
	return r;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_OBJECT:
	case JSON_NULL:
		break;
	}
	return "something else";
}

static int read_empty(json_t **ret, struct error *error)
{
	json_t *document = json_object();

	if (!document)
		return error_set_oom(error);
	*ret = document;
	return 0;
}

int daemonjson_read(const char *text, size_t length, json_t **ret, struct error *error)
{
	json_error_t load_error = {.line = 0}; /* jansson sets no code when memory runs out */
	int r = jsontext_check(text, length, error);
	if (r < 0)
		return r;
	if (jsontext_is_blank(text, length))
		return read_empty(ret, error);

	size_t bom = jsonscan_bom(text, length);
	text += bom;
	length -= bom;
	json_auto_t *document = json_loadb(text, length, DECODE_FLAGS, &load_error);
	if (!document)
		return fail_decode(text, length, &load_error, error);
	if (json_is_null(document))
		return read_empty(ret, error);

	size_t root = jsonscan_root(text, length);
	if (!json_is_object(document)) {
		char message[96];
		(void)snprintf(message, sizeof message,
			       "the top level must be an object { … }, not %s",
			       type_name(document));
		return fail_at(text, length, root, message, error);
	}
	if (repeats_keys(text, length, root, document))
		return merge_members(text, length, root, ret, error);
	*ret = take_ptr(document);
	return 0;
}
