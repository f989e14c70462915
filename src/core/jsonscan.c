#include "core/jsonscan.h"

#include <string.h>

size_t jsonscan_bom(const char *text, size_t length)
{
	return length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

size_t jsonscan_space(const char *text, size_t length, size_t at)
{
	while (at < length && jsonscan_is_space(text[at]))
		at++;
	return at;
}

size_t jsonscan_space_before(const char *text, size_t at)
{
	while (at && jsonscan_is_space(text[at - 1]))
		at--;
	return at;
}

size_t jsonscan_root(const char *text, size_t length)
{
	return jsonscan_space(text, length, jsonscan_bom(text, length));
}

/* A quote ends the string unless an odd number of backslashes stands before it. */
size_t jsonscan_string(const char *text, size_t length, size_t at)
{
	size_t start = ++at;

	while (at < length) {
		const char *quote = memchr(text + at, '"', length - at);
		if (!quote)
			break;
		at = (size_t)(quote - text);
		size_t backslash = at;
		while (backslash > start && text[backslash - 1] == '\\')
			backslash--;
		at++;
		if ((at - 1 - backslash) % 2 == 0)
			return at;
	}
	return length;
}

/* Brackets inside an object or array need only be counted, not matched: they are known to pair. */
static size_t scan_container(const char *text, size_t length, size_t at)
{
	size_t depth = 0;

	while (at < length) {
		char c = text[at];
		if (c == '"') {
			at = jsonscan_string(text, length, at);
			continue;
		}
		at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return at;
}

static bool ends_scalar(char c)
{
	return c == ',' || c == '}' || c == ']' || jsonscan_is_space(c);
}

size_t jsonscan_value(const char *text, size_t length, size_t at)
{
	if (at >= length)
		return length;
	if (text[at] == '"')
		return jsonscan_string(text, length, at);
	if (text[at] == '{' || text[at] == '[')
		return scan_container(text, length, at);
	while (at < length && !ends_scalar(text[at]))
		at++;
	return at;
}
