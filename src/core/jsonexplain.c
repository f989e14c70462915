#include "core/jsonexplain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/jsonscan.h"

static bool is_hex(char ch)
{
	return jsonexplain_is_digit(ch) || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

int32_t jsonexplain_hex4(const struct jsontext_checker *c, size_t at)
{
	int32_t value = 0;

	if (c->length - at < 4)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		char ch = c->text[i];
		if (!is_hex(ch))
			return -1;
		value = value << 4 | ((ch & 0xF) + (ch > '9' ? 9 : 0));
	}
	return value;
}

size_t jsonexplain_word_length(const struct jsontext_checker *c)
{
	size_t end = c->at;

	while (end < c->length && jsonexplain_is_letter(c->text[end]))
		end++;
	return end - c->at;
}

int jsonexplain_fail(struct jsontext_checker *c, size_t offset, const char *format, ...)
{
	size_t bom = jsonscan_bom(c->text, c->length);
	char message[256];
	unsigned line = 0;
	unsigned column = 0;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	/* Editors do not show the byte order mark, so it takes no column. */
	text_position(c->text + bom, c->length - bom, offset - bom, &line, &column);
	return error_set_at(c->error, -EBADMSG, "parse", NULL, line, column, "%s", message);
}

static unsigned line_of(const struct jsontext_checker *c, size_t offset)
{
	unsigned line = 0;
	unsigned column = 0;

	text_position(c->text, c->length, offset, &line, &column);
	return line;
}

static const char *container_name(const struct jsontext_checker *c)
{
	return jsonexplain_in_object(c) ? "object" : "array";
}

static int fail_truncated(struct jsontext_checker *c)
{
	return jsonexplain_fail(c, c->length,
				"the file ends inside the %s that was opened at line %u",
				container_name(c), line_of(c, c->open[c->depth - 1]));
}

static bool starts_with(const struct jsontext_checker *c, size_t at, const char *prefix)
{
	size_t length = strlen(prefix);

	return at <= c->length && c->length - at >= length &&
	       memcmp(c->text + at, prefix, length) == 0;
}

static bool is_comment(const struct jsontext_checker *c)
{
	return starts_with(c, c->at, "//") || starts_with(c, c->at, "/*") ||
	       starts_with(c, c->at, "#");
}

/* A character that is not ASCII, outside of a string. */
static int explain_unicode(struct jsontext_checker *c)
{
	static const char *const quotes[] = {"\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x9E",
					     "\xE2\x80\x98", "\xE2\x80\x99", "\xC2\xAB",
					     "\xC2\xBB"};

	if (!utf8_sequence_length(c->text + c->at, c->length - c->at))
		return jsonexplain_fail(c, c->at,
					"the byte 0x%02x is not UTF-8; save the file as UTF-8",
					(unsigned char)c->text[c->at]);
	for (size_t i = 0; i < array_size(quotes); i++)
		if (starts_with(c, c->at, quotes[i]))
			return jsonexplain_fail(
				c, c->at, "a typographic quotation mark; write a plain \" instead");
	if (starts_with(c, c->at, "\xC2\xA0"))
		return jsonexplain_fail(c, c->at,
					"a no-break space; write an ordinary space instead");
	if (starts_with(c, c->at, "\xEF\xBB\xBF"))
		return jsonexplain_fail(c, c->at,
					"a byte order mark in the middle of the file; remove it");
	return jsonexplain_fail(c, c->at,
				"a character that is not ASCII stands outside of a string");
}

/* What is wrong wherever it stands. Returns 0 when the byte at hand is not of that kind. */
static int explain_anywhere(struct jsontext_checker *c)
{
	unsigned char ch = (unsigned char)c->text[c->at];

	if (is_comment(c))
		return jsonexplain_fail(c, c->at,
					"JSON has no comments; dockerd refuses them: remove it");
	if (ch == '\0')
		return jsonexplain_fail(c, c->at,
					"a NUL byte: the file is damaged, or it is not text");
	if (ch < 0x20 || ch == 0x7F)
		return jsonexplain_fail(
			c, c->at, "the control character 0x%02x stands outside of a string", ch);
	if (ch >= 0x80)
		return explain_unicode(c);
	if (ch == '\'' || ch == '`')
		return jsonexplain_fail(c, c->at, "strings need double quotes (\"), not %s",
					ch == '\'' ? "single ones" : "backquotes");
	return 0;
}

/* Words that people write for a value, and what JSON wants instead. */
static const char *word_advice(const char *word, size_t length)
{
	static const struct {
		const char *word;
		const char *advice;
	} advices[] = {
		{"true", "write true in lower case"},
		{"false", "write false in lower case"},
		{"null", "write null in lower case"},
		{"none", "JSON has no None: write null"},
		{"nil", "JSON has no nil: write null"},
		{"undefined", "JSON has no undefined: write null"},
		{"nan", "JSON has no NaN"},
		{"inf", "JSON has no Infinity"},
		{"infinity", "JSON has no Infinity"},
		{"yes", "JSON has no yes: write true"},
		{"on", "JSON has no on: write true"},
		{"no", "JSON has no no: write false"},
		{"off", "JSON has no off: write false"},
	};

	for (size_t i = 0; i < array_size(advices); i++)
		if (length == strlen(advices[i].word) &&
		    strncasecmp(word, advices[i].word, length) == 0)
			return advices[i].advice;
	return "a string needs double quotes (\")";
}

int jsonexplain_value(struct jsontext_checker *c)
{
	if (c->at == c->length)
		return fail_truncated(c);

	char ch = c->text[c->at];
	int r = explain_anywhere(c);
	if (r < 0)
		return r;
	if (jsonexplain_is_letter(ch))
		return jsonexplain_fail(c, c->at, "%s",
					word_advice(c->text + c->at, jsonexplain_word_length(c)));
	if (ch == '<' && !c->depth)
		return jsonexplain_fail(c, c->at, "this is HTML or XML, not JSON");
	if (ch == '+')
		return jsonexplain_fail(c, c->at, "a number must not start with '+'");
	if (ch == '.')
		return jsonexplain_fail(c, c->at,
					"a number must not start with '.': write a 0 before it");
	if (ch == ',' || ch == '}' || ch == ']')
		return jsonexplain_fail(c, c->at, "a value is missing before this '%c'", ch);
	return jsonexplain_fail(c, c->at, "expected a value here, not '%c'", ch);
}

int jsonexplain_key(struct jsontext_checker *c)
{
	if (c->at == c->length)
		return fail_truncated(c);

	char ch = c->text[c->at];
	int r = explain_anywhere(c);
	if (r < 0)
		return r;
	if (jsonexplain_is_letter(ch) || jsonexplain_is_digit(ch) || ch == '_' || ch == '-' ||
	    ch == '$')
		return jsonexplain_fail(c, c->at, "a key needs double quotes (\")");
	if (ch == ',')
		return jsonexplain_fail(c, c->at, "a member is missing before this ','");
	return jsonexplain_fail(c, c->at, "expected a key in double quotes here, not '%c'", ch);
}

int jsonexplain_colon(struct jsontext_checker *c)
{
	if (c->at == c->length)
		return fail_truncated(c);

	char ch = c->text[c->at];
	int r = explain_anywhere(c);
	if (r < 0)
		return r;
	if (ch == '=')
		return jsonexplain_fail(c, c->at, "write ':' between key and value, not '='");
	if (ch == ',' || ch == '}')
		return jsonexplain_fail(c, c->last_end, "this key has no value");
	return jsonexplain_fail(c, c->last_end, "a ':' is missing after this key");
}

static int explain_after_document(struct jsontext_checker *c)
{
	char ch = c->text[c->at];

	if (ch == '}' || ch == ']')
		return jsonexplain_fail(c, c->at, "one '%c' too many", ch);
	return jsonexplain_fail(c, c->at, "something after the end of the JSON document");
}

int jsonexplain_after_value(struct jsontext_checker *c)
{
	if (c->at == c->length)
		return fail_truncated(c);

	char ch = c->text[c->at];
	int r = explain_anywhere(c);
	if (r < 0)
		return r;
	if (!c->depth)
		return explain_after_document(c);
	if (c->at == c->last_end &&
	    (jsonexplain_is_letter(ch) || jsonexplain_is_digit(ch) || ch == '.' || ch == '_'))
		return jsonexplain_fail(c, c->at,
					"this does not belong to a number or word; a string needs "
					"double quotes (\")");
	if (ch == '}' || ch == ']')
		return jsonexplain_fail(c, c->at, "this '%c' does not close the '%c' of line %u",
					ch, c->text[c->open[c->depth - 1]],
					line_of(c, c->open[c->depth - 1]));
	if (ch == ':' || ch == '=' || ch == ';')
		return jsonexplain_fail(c, c->at, "expected ',' or '%c' here, not '%c'",
					jsonexplain_in_object(c) ? '}' : ']', ch);
	return jsonexplain_fail(c, c->last_end, "a comma is missing here");
}

int jsonexplain_string_byte(struct jsontext_checker *c, size_t start)
{
	if (c->at == c->length)
		return jsonexplain_fail(
			c, c->length, "the file ends inside the string that was opened at line %u",
			line_of(c, start));

	unsigned char ch = (unsigned char)c->text[c->at];
	if (ch == '\n' || ch == '\r')
		return jsonexplain_fail(c, start,
					"this string is not closed at the end of its line");
	if (ch == '\t')
		return jsonexplain_fail(c, c->at, "a tab inside a string; write \\t instead");
	if (ch == '\0')
		return explain_anywhere(c);
	if (ch < 0x20)
		return jsonexplain_fail(
			c, c->at,
			"the control character 0x%02x inside a string; write \\u%04x instead", ch,
			ch);
	return explain_unicode(c);
}

int jsonexplain_escape(struct jsontext_checker *c)
{
	char kind = c->at + 1 < c->length ? c->text[c->at + 1] : '\0';

	if (kind != 'u' && kind > ' ' && kind < 0x7F)
		return jsonexplain_fail(
			c, c->at,
			"'\\%c' is not an escape of JSON; a backslash itself is written \\\\",
			kind);
	if (kind != 'u')
		return jsonexplain_fail(c, c->at, "a backslash itself is written \\\\");
	if (jsonexplain_hex4(c, c->at + 2) < 0)
		return jsonexplain_fail(c, c->at, "\\u needs four hexadecimal digits");
	return jsonexplain_fail(c, c->at,
				"\\u%.4s is half of a surrogate pair; the other half is missing",
				c->text + c->at + 2);
}

int jsonexplain_number(struct jsontext_checker *c, size_t start)
{
	char before = c->text[c->at - 1];

	if (before == '0' && jsonexplain_is_digit(jsonexplain_peek(c)))
		return jsonexplain_fail(c, start, "a number must not start with 0");
	if (before == '-' && c->at == start + 1 && jsonexplain_is_letter(jsonexplain_peek(c)))
		return jsonexplain_fail(c, start, "%s",
					word_advice(c->text + c->at, jsonexplain_word_length(c)));
	return jsonexplain_fail(c, c->at, "a digit is missing after '%c'", before);
}
