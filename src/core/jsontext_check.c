/* jsontext_check(): a strict JSON checker. Here text is accepted or refused, quickly; jsonexplain.c
 * finds the words once something is wrong.
 *
 * It accepts exactly what jansson accepts (JSON_DECODE_ANY, JSON_ALLOW_NUL): lone surrogates,
 * \u0000 in a key and nesting past JSONTEXT_DEPTH_MAX are refused, too. Two things apart: numbers
 * that jansson has no room for pass here, and a NUL byte right behind a number, which jansson 2.14
 * loses sight of, does not. */
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "core/jsonexplain.h"
#include "core/jsonscan.h"
#include "core/jsontext.h"

static void skip_space(struct jsontext_checker *c)
{
	c->at = jsonscan_space(c->text, c->length, c->at);
}

/* At a backslash. Surrogates must come in pairs: alone they are no character. */
static int check_escape(struct jsontext_checker *c, bool *ret_nul)
{
	char kind = c->at + 1 < c->length ? c->text[c->at + 1] : '\0';

	if (kind && strchr("\"\\/bfnrt", kind)) {
		c->at += 2;
		return 0;
	}
	if (kind != 'u')
		return jsonexplain_escape(c);
	int32_t unit = jsonexplain_hex4(c, c->at + 2);
	if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
		return jsonexplain_escape(c);
	if (unit == 0)
		*ret_nul = true;
	if (unit < 0xD800 || unit > 0xDBFF) {
		c->at += 6;
		return 0;
	}
	bool paired = c->length - c->at >= 12 && memcmp(c->text + c->at + 6, "\\u", 2) == 0;
	int32_t low = paired ? jsonexplain_hex4(c, c->at + 8) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return jsonexplain_escape(c);
	c->at += 12;
	return 0;
}

/* Bytes that end a run of plain characters in a string. */
static inline bool is_plain(char ch)
{
	return (unsigned char)ch >= 0x20 && (unsigned char)ch < 0x80 && ch != '"' && ch != '\\';
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGH (ONES * 0x80)

/* Nonzero when a byte of word is not plain: eight bytes are judged at once, for strings are most
 * of a large file. (x - ONES) & ~x & HIGH marks zero bytes of x; what a borrow marks in addition
 * stands after a true one, so "none at all" is exact. */
static inline uint64_t special_bytes(uint64_t word)
{
	uint64_t quote = word ^ (ONES * '"');
	uint64_t backslash = word ^ (ONES * '\\');

	return (word | (word - ONES * 0x20) | ((quote - ONES) & ~quote) |
		((backslash - ONES) & ~backslash)) &
	       HIGH;
}

static void skip_plain(struct jsontext_checker *c)
{
	for (uint64_t word; c->length - c->at >= sizeof word; c->at += sizeof word) {
		memcpy(&word, c->text + c->at, sizeof word);
		if (special_bytes(word))
			break;
	}
	while (c->at < c->length && is_plain(c->text[c->at]))
		c->at++;
}

/* At the opening quote. */
static int check_string(struct jsontext_checker *c, bool *ret_nul)
{
	size_t start = c->at++;

	for (;;) {
		skip_plain(c);
		if (jsonexplain_peek(c) == '"' && c->at < c->length)
			break;
		if (jsonexplain_peek(c) == '\\') {
			int r = check_escape(c, ret_nul);
			if (r < 0)
				return r;
			continue;
		}
		size_t n = utf8_sequence_length(c->text + c->at, c->length - c->at);
		if (n < 2)
			return jsonexplain_string_byte(c, start);
		c->at += n;
	}
	c->at++;
	return 0;
}

static bool skip_digits(struct jsontext_checker *c)
{
	size_t start = c->at;

	while (jsonexplain_is_digit(jsonexplain_peek(c)))
		c->at++;
	return c->at > start;
}

/* At a digit or '-'. */
static int check_number(struct jsontext_checker *c)
{
	size_t start = c->at;

	if (jsonexplain_peek(c) == '-')
		c->at++;
	if (jsonexplain_peek(c) == '0') {
		c->at++;
		if (jsonexplain_is_digit(jsonexplain_peek(c)))
			return jsonexplain_number(c, start);
	} else if (!skip_digits(c)) {
		return jsonexplain_number(c, start);
	}
	if (jsonexplain_peek(c) == '.') {
		c->at++;
		if (!skip_digits(c))
			return jsonexplain_number(c, start);
	}
	if (jsonexplain_peek(c) == 'e' || jsonexplain_peek(c) == 'E') {
		c->at++;
		if (jsonexplain_peek(c) == '+' || jsonexplain_peek(c) == '-')
			c->at++;
		if (!skip_digits(c))
			return jsonexplain_number(c, start);
	}
	return 0;
}

static int check_literal(struct jsontext_checker *c)
{
	static const char *const literals[] = {"true", "false", "null"};
	size_t length = jsonexplain_word_length(c);

	for (size_t i = 0; i < array_size(literals); i++) {
		if (length == strlen(literals[i]) &&
		    memcmp(c->text + c->at, literals[i], length) == 0) {
			c->at += length;
			return 0;
		}
	}
	return jsonexplain_value(c);
}

/* A key and its colon. */
static int check_key(struct jsontext_checker *c)
{
	size_t start = c->at;
	bool nul = false;

	if (jsonexplain_peek(c) != '"')
		return jsonexplain_key(c);
	int r = check_string(c, &nul);
	if (r < 0)
		return r;
	if (nul)
		return jsonexplain_fail(c, start,
					"a key must not have a NUL character (\\u0000) in it");
	c->last_end = c->at;
	skip_space(c);
	if (jsonexplain_peek(c) != ':')
		return jsonexplain_colon(c);
	c->at++;
	return 0;
}

/* What is expected next. */
enum expect {
	EXPECT_VALUE,
	EXPECT_AFTER_VALUE, /* a comma, a closing bracket, or the end of the text */
};

static int open_container(struct jsontext_checker *c, enum expect *ret)
{
	char close = c->text[c->at] == '{' ? '}' : ']';

	c->open[c->depth++] = c->at++;
	skip_space(c);
	if (jsonexplain_peek(c) == close) {
		c->at++;
		c->depth--;
		*ret = EXPECT_AFTER_VALUE;
		return 0;
	}
	*ret = EXPECT_VALUE;
	return close == '}' ? check_key(c) : 0;
}

static int check_value(struct jsontext_checker *c, enum expect *ret)
{
	bool nul_is_fine = false;
	char ch = jsonexplain_peek(c);

	/* jansson counts values, so that scalars inside the deepest bracket are too deep, too. */
	if (c->depth == JSONTEXT_DEPTH_MAX)
		return jsonexplain_fail(c, c->at, "nested more than %d levels deep",
					JSONTEXT_DEPTH_MAX);
	if (ch == '{' || ch == '[')
		return open_container(c, ret);
	*ret = EXPECT_AFTER_VALUE;
	if (ch == '"')
		return check_string(c, &nul_is_fine);
	if (ch == '-' || jsonexplain_is_digit(ch))
		return check_number(c);
	return check_literal(c);
}

static int check_after_value(struct jsontext_checker *c, enum expect *ret)
{
	bool object = jsonexplain_in_object(c);
	char ch = jsonexplain_peek(c);

	if (ch == ',' && c->depth) {
		size_t comma = c->at++;
		skip_space(c);
		if (jsonexplain_peek(c) == (object ? '}' : ']'))
			return jsonexplain_fail(c, comma, "a comma before '%c': remove it",
						jsonexplain_peek(c));
		*ret = EXPECT_VALUE;
		return object ? check_key(c) : 0;
	}
	if (c->depth && ch == (object ? '}' : ']')) {
		c->at++;
		c->depth--;
		return 0;
	}
	return jsonexplain_after_value(c);
}

static int check_document(struct jsontext_checker *c)
{
	enum expect expect = EXPECT_VALUE;
	int r = 0;

	while (r == 0) {
		skip_space(c);
		if (expect == EXPECT_VALUE)
			r = check_value(c, &expect);
		else if (!c->depth && c->at == c->length)
			break;
		else
			r = check_after_value(c, &expect);
		/* Of use only where a value has ended, and then right. */
		c->last_end = c->at;
	}
	return r;
}

/* The encodings of Windows editors. ASCII shows in them as pairs and fours with NUL bytes. */
static const char *foreign_encoding(const char *text, size_t length)
{
	const char *t = text;

	if (length >= 4 && (memcmp(t, "\xFF\xFE\0\0", 4) == 0 || memcmp(t, "\0\0\xFE\xFF", 4) == 0))
		return "UTF-32";
	if (length >= 2 && (memcmp(t, "\xFF\xFE", 2) == 0 || memcmp(t, "\xFE\xFF", 2) == 0))
		return "UTF-16";
	if (length >= 4 && ((t[0] && !t[1] && !t[2] && !t[3]) || (!t[0] && !t[1] && !t[2] && t[3])))
		return "UTF-32";
	if (length >= 4 && ((t[0] && !t[1] && t[2] && !t[3]) || (!t[0] && t[1] && !t[2] && t[3])))
		return "UTF-16";
	return NULL;
}

int jsontext_check(const char *text, size_t length, struct error *error)
{
	struct jsontext_checker c;

	/* Not initialised as a whole: the stack of brackets is 16 KiB. */
	c.text = text;
	c.length = length;
	c.at = jsonscan_root(text, length);
	c.last_end = c.at;
	c.error = error;
	c.depth = 0;

	const char *encoding = foreign_encoding(text, length);
	if (encoding)
		return jsonexplain_fail(&c, 0, "the file is %s; save it as UTF-8", encoding);
	return c.at == length ? 0 : check_document(&c);
}
