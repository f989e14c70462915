#include "core/mask.h"

#include <errno.h>
#include <string.h>

#include "base/strlist.h"
#include "core/diff.h"

/* Parts of names that say "secret". Names of files with keys (syslog-tls-key) are no secrets. */
static const char *const secret_words[] = {"token", "password", "passwd", "secret", "credential"};

/* Whether a member of this name holds a secret ("splunk-token", "…password…"). */
static bool key_is_secret(const char *key, size_t length)
{
	for (size_t w = 0; w < array_size(secret_words); w++) {
		size_t word_length = strlen(secret_words[w]);
		for (size_t i = 0; i + word_length <= length; i++)
			if (strncasecmp(key + i, secret_words[w], word_length) == 0)
				return true;
	}
	return false;
}

/* Finds the password's place in "scheme://user:password@host" (JSON may spell / as \/): from after
 * the user's colon, or from the start of a bare token before the @, to the @. */
static bool find_url_secret(const char *text, size_t length, size_t *ret_start, size_t *ret_end)
{
	for (size_t i = 0; i + 3 <= length; i++) {
		size_t start = 0;
		if (memcmp(text + i, "://", 3) == 0)
			start = i + 3;
		else if (i + 5 <= length && memcmp(text + i, ":\\/\\/", 5) == 0)
			start = i + 5;
		if (!start)
			continue;

		size_t authority = start;
		while (authority < length && !strchr("/?#\\\" \t\r\n", text[authority]))
			authority++;
		const char *at = memrchr(text + start, '@', authority - start);
		if (!at)
			continue;
		const char *colon = memchr(text + start, ':', (size_t)(at - (text + start)));
		*ret_start = colon ? (size_t)(colon + 1 - text) : start;
		*ret_end = (size_t)(at - text);
		return true;
	}
	return false;
}

/* Appends the contents of a string, which may hold several URLs; all of it is a secret when the key
 * says so. */
static int mask_string(struct strbuf *out, const char *text, size_t length, bool secret)
{
	size_t start = 0;
	size_t end = 0;

	if (secret && length)
		return strbuf_adds(out, MASKED);
	while (find_url_secret(text, length, &start, &end)) {
		(void)strbuf_add(out, text, start);
		(void)strbuf_adds(out, MASKED);
		text += end;
		length -= end;
	}
	return strbuf_add(out, text, length);
}

static json_t *mask_json_string(const char *key, const json_t *value)
{
	cleanup_strbuf struct strbuf masked = STRBUF_EMPTY;
	bool secret = key && key_is_secret(key, strlen(key));

	if (mask_string(&masked, json_string_value(value), json_string_length(value), secret) < 0)
		return NULL;
	return json_stringn_nocheck(masked.data ? masked.data : "", masked.length);
}

static json_t *mask_json_object(const json_t *value)
{
	json_t *copy = json_object();
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)value, key, member) {
		if (json_object_set_new_nocheck(copy, key, mask_json(key, member)) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

static json_t *mask_json_array(const char *key, const json_t *value)
{
	json_t *copy = json_array();

	for (size_t i = 0; i < json_array_size(value); i++) {
		if (json_array_append_new(copy, mask_json(key, json_array_get(value, i))) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

json_t *mask_json(const char *key, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return mask_json_string(key, value);
	case JSON_OBJECT:
		return mask_json_object(value);
	case JSON_ARRAY:
		return mask_json_array(key, value);
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
	default:
		return json_deep_copy(value);
	}
}

/* The end of the string literal that starts at text[start] == '"': the offset of its closing quote.
 */
static size_t literal_end(const char *text, size_t length, size_t start)
{
	size_t i = start + 1;

	while (i < length && text[i] != '"' && text[i] != '\n')
		i += text[i] == '\\' && i + 1 < length ? 2 : 1;
	return i < length ? i : length;
}

static bool is_key(const char *text, size_t length, size_t after)
{
	while (after < length && strchr(" \t\r\n", text[after]))
		after++;
	return after < length && text[after] == ':';
}

/* What a literal with escapes in it spells, for the name and the URL of a secret may be written
 * with them ("tok\u0065n"). *ret stays NULL where it has none, or is broken. */
static int decode(const char *literal, size_t length, json_t **ret)
{
	json_error_t error;

	if (!memchr(literal, '\\', length))
		return 0;
	*ret = json_loadb(literal, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	return !*ret && json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : 0;
}

static int key_literal_is_secret(const char *literal, size_t length, bool *ret)
{
	json_auto_t *key = NULL;
	int r = decode(literal, length, &key);

	*ret = key ? key_is_secret(json_string_value(key), json_string_length(key))
		   : key_is_secret(literal, length);
	return r;
}

/* Appends the literal with what is secret in it masked: in its own spelling, as far as that hides
 * all that is to be hidden. */
static int mask_literal(struct strbuf *out, const char *literal, size_t length)
{
	cleanup_strbuf struct strbuf spelled = STRBUF_EMPTY;
	json_auto_t *value = NULL;
	json_auto_t *shown = NULL;

	int r = mask_string(&spelled, literal, length, false);
	if (r == 0)
		r = decode(literal, length, &value);
	if (r < 0 || !value)
		return r < 0 ? r : strbuf_add(out, spelled.data, spelled.length);
	json_auto_t *masked = mask_json_string(NULL, value);
	shown = json_loadb(spelled.data, spelled.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (masked && json_equal(masked, shown))
		return strbuf_add(out, spelled.data, spelled.length);
	cleanup_free char *text = masked ? json_dumps(masked, JSON_ENCODE_ANY) : NULL;
	return text ? strbuf_adds(out, text) : -ENOMEM;
}

int mask_text(struct strbuf *out, const char *text, size_t length)
{
	bool secret = false; /* the last key seen holds a secret */

	for (size_t i = 0; i < length;) {
		const char *quote = memchr(text + i, '"', length - i);
		size_t start = quote ? (size_t)(quote - text) : length;
		if (strbuf_add(out, text + i, start - i) < 0)
			return -ENOMEM;
		if (!quote)
			break;

		size_t end = literal_end(text, length, start);
		size_t whole = end - start + (end < length && text[end] == '"');
		int r = 0;
		if (is_key(text, length, end + 1)) {
			r = key_literal_is_secret(text + start, whole, &secret);
			(void)strbuf_add(out, text + start, whole);
		} else if (secret && end - start > 1) {
			(void)strbuf_adds(out, "\"" MASKED);
			(void)strbuf_adds(out, whole > end - start ? "\"" : "");
		} else {
			r = mask_literal(out, text + start, whole);
		}
		if (r < 0)
			return r;
		i = start + whole;
	}
	return out->failed ? -ENOMEM : 0;
}

/* Where the word that begins at text[start] ends; one that stands in quotes, at them. */
static size_t word_end(const char *text, size_t length, size_t start, char quote)
{
	bool opens = !quote && start < length && (text[start] == '"' || text[start] == '\'');
	size_t end = start + opens;

	if (opens)
		quote = text[start];
	for (; end < length && text[end] != '\n'; end++) {
		if (text[end] == '\\' && end + 1 < length && text[end + 1] != '\n')
			end++;
		else if (quote ? text[end] == quote : strchr(" \t\r", text[end]) != NULL)
			break;
	}
	if (opens && end < length && text[end] == quote)
		end++;
	return end < length ? end : length;
}

/* One line. Remembers where the name before the next "=" begins and which quotes are open. */
static void mask_line(struct strbuf *out, const char *text, size_t length)
{
	size_t name = 0;
	size_t shown = 0;
	char quote = 0;

	for (size_t i = 0; i < length; i++) {
		char character = text[i];
		if (character == '\\') {
			i++;
		} else if (character == '"' || character == '\'') {
			quote = !quote ? character : quote == character ? 0 : quote;
			name = i + 1;
		} else if (character == '=' && key_is_secret(text + name, i - name)) {
			size_t end = word_end(text, length, i + 1, quote);
			(void)mask_string(out, text + shown, i + 1 - shown, false);
			(void)strbuf_adds(out, end > i + 1 ? MASKED : "");
			shown = end;
			i = end ? end - 1 : 0;
		} else if (strchr(" \t\r=", character)) {
			name = i + 1;
		}
	}
	if (shown < length)
		(void)mask_string(out, text + shown, length - shown, false);
}

int mask_words(struct strbuf *out, const char *text, size_t length)
{
	while (length) {
		const char *end = memchr(text, '\n', length);
		size_t line = end ? (size_t)(end - text) + 1 : length;
		mask_line(out, text, line);
		text += line;
		length -= line;
	}
	return out->failed ? -ENOMEM : 0;
}

static int mask_any(struct strbuf *out, const char *text, size_t length)
{
	size_t start = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	while (start < length && strchr(" \t\r\n", text[start]))
		start++;
	bool is_json = start < length && text[start] == '{';
	return is_json ? mask_text(out, text, length) : mask_words(out, text, length);
}

int mask_diff(const char *path, const char *before, size_t before_length, const char *after,
	      size_t after_length, char **ret, struct error *error)
{
	cleanup_strbuf struct strbuf old_text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf new_text = STRBUF_EMPTY;
	cleanup_strbuf struct strbuf diff = STRBUF_EMPTY;

	if (mask_any(&old_text, before ? before : "", before_length) < 0 ||
	    mask_any(&new_text, after ? after : "", after_length) < 0)
		return error_set_oom(error);
	int r = diff_unified(&diff, before ? path : "/dev/null", old_text.data ? old_text.data : "",
			     old_text.length, after ? path : "/dev/null",
			     new_text.data ? new_text.data : "", new_text.length, error);
	if (r < 0)
		return r;
	*ret = strbuf_finish(&diff);
	return *ret ? 0 : error_set_oom(error);
}
