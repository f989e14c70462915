#include "core/words.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

/* systemd's WHITESPACE (src/basic/string-util.h) */
#define SPACE " \t\n\r"

static bool is_space(char character)
{
	return character && strchr(SPACE, character);
}

/* Reads `digits` digits of the base; false when there are fewer. */
static bool read_digits(const char *at, unsigned digits, unsigned base, uint32_t *ret)
{
	static const char all[] = "0123456789abcdef";
	uint32_t number = 0;

	for (unsigned i = 0; i < digits; i++) {
		char lower = at[i] >= 'A' && at[i] <= 'F' ? (char)(at[i] - 'A' + 'a') : at[i];
		const char *digit = lower ? strchr(all, lower) : NULL;
		if (!digit || (unsigned)(digit - all) >= base)
			return false;
		number = number * base + (uint32_t)(digit - all);
	}
	*ret = number;
	return true;
}

static void add_utf8(struct strbuf *out, uint32_t character)
{
	unsigned rest = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};

	(void)strbuf_addc(out, (char)(lead[rest] | character >> (6 * rest)));
	while (rest--)
		(void)strbuf_addc(out, (char)(0x80 | (character >> (6 * rest) & 0x3F)));
}

/* What systemd's unichar_is_valid() refuses after \U; after \u it asks nothing but that it is not
 * zero. */
static bool is_valid_character(uint32_t character)
{
	return character < 0x110000 && (character & 0xFFFFF800) != 0xD800 &&
	       !(character >= 0xFDD0 && character <= 0xFDEF) && (character & 0xFFFE) != 0xFFFE;
}

/* Decodes the escape whose backslash has been read. Returns how many characters it takes, 0 when
 * systemd does not know it (src/basic/escape.c, cunescape_one()). */
static size_t decode_escape(const char *at, struct strbuf *out)
{
	static const char names[] = "abfnrtv\\\"'s";
	static const char values[] = "\a\b\f\n\r\t\v\\\"' ";
	const char *name = *at ? strchr(names, *at) : NULL;
	uint32_t number;

	if (name) {
		(void)strbuf_addc(out, values[name - names]);
		return 1;
	}
	if (*at == 'x' && read_digits(at + 1, 2, 16, &number) && number) {
		(void)strbuf_addc(out, (char)number);
		return 3;
	}
	if (read_digits(at, 3, 8, &number) && number && number <= 255) {
		(void)strbuf_addc(out, (char)number);
		return 3;
	}
	if (*at == 'u' && read_digits(at + 1, 4, 16, &number) && number) {
		add_utf8(out, number);
		return 5;
	}
	if (*at == 'U' && read_digits(at + 1, 8, 16, &number) && number &&
	    is_valid_character(number)) {
		add_utf8(out, number);
		return 9;
	}
	return 0;
}

/* What stands after a backslash in ExecStart=. Of an unknown escape both characters are kept: where
 * the strict reading fails, systemd reads the word again with EXTRACT_UNESCAPE_RELAX and only warns
 * (extract_first_word_and_warn()). */
static size_t add_escape(const char *at, struct strbuf *word)
{
	size_t taken = decode_escape(at, word);

	if (taken)
		return taken;
	(void)strbuf_addc(word, '\\');
	if (*at)
		(void)strbuf_addc(word, *at);
	return *at ? 1 : 0;
}

/* The same in a variable's value, where there is no EXTRACT_CUNESCAPE. */
static size_t add_escaped_plain(const char *at, struct strbuf *word)
{
	if (*at)
		(void)strbuf_addc(word, *at);
	return *at ? 1 : 0;
}

/* Environment= is read strictly: there, an escape that is unknown ends the reading. */
static size_t add_strict_escape(const char *at, struct strbuf *word)
{
	return decode_escape(at, word);
}

/* Appends the word at *cursor, which is not at a space, and moves past it. Returns the quote that
 * is still open at the end of the text, or the backslash that cannot be read, or NULL. */
static const char *read_word(const char **cursor, enum word_rule rule, struct strbuf *word)
{
	static size_t (*const escapes[])(const char *at, struct strbuf *word) = {
		[WORD_COMMAND] = add_escape,
		[WORD_ENVIRONMENT] = add_strict_escape,
		[WORD_VALUE] = add_escaped_plain,
	};
	const char *at = *cursor;
	const char *open = NULL;

	while (*at && (open || !is_space(*at))) {
		char character = *at;
		if (character == '\\') {
			size_t taken = escapes[rule](at + 1, word);
			if (rule == WORD_ENVIRONMENT && !taken)
				return at;
			at += 1 + taken;
			continue;
		}
		if (open ? character == *open : character == '"' || character == '\'')
			open = open ? NULL : at;
		else
			(void)strbuf_addc(word, character);
		at++;
	}
	*cursor = at;
	return open;
}

int words_next(const char **cursor, enum word_rule rule, struct strbuf *word,
	       const char **ret_start, const char **ret_end)
{
	const char *at = *cursor + strspn(*cursor, SPACE);
	const char *start = at;

	*cursor = at;
	if (!*at)
		return 0;
	const char *wrong = read_word(&at, rule, word);
	if (wrong && rule != WORD_VALUE) {
		*cursor = wrong;
		return -EINVAL;
	}
	*cursor = at;
	*ret_start = start;
	*ret_end = at;
	return 1;
}

static bool is_escaped_semicolon(const char *at)
{
	return at[0] == '\\' && at[1] == ';' && (!at[2] || is_space(at[2]));
}

static int unbalanced(const char *line, const char *quote, struct error *error)
{
	size_t column = utf8_count(line, (size_t)(quote - line)) + 1;

	return error_set_at(error, -EINVAL, "split words", NULL, 1, (unsigned)column,
			    "the quote that opens here (%c) is never closed", *quote);
}

static int split(const char *line, bool is_value, struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist words = {.items = NULL};

	for (const char *at = line + strspn(line, SPACE); *at; at += strspn(at, SPACE)) {
		cleanup_strbuf struct strbuf word = STRBUF_EMPTY;
		/* Asked before unquoting: "\;" in quotes is two characters. */
		if (!is_value && is_escaped_semicolon(at)) {
			at += strlen("\\;");
			if (strlist_add(&words, ";") < 0)
				return error_set_oom(error);
			continue;
		}
		const char *open = read_word(&at, is_value ? WORD_VALUE : WORD_COMMAND, &word);
		if (open && !is_value)
			return unbalanced(line, open, error);
		if (strlist_take(&words, strbuf_finish(&word)) < 0)
			return error_set_oom(error);
	}
	*ret = words;
	words = (struct strlist){.items = NULL};
	return 0;
}

int words_split(const char *line, struct strlist *ret, struct error *error)
{
	return split(line, false, ret, error);
}

int words_split_value(const char *value, struct strlist *ret, struct error *error)
{
	return split(value, true, ret, error);
}

/* Whether a character makes quotes necessary. A backslash and quotes would mean something; what is
 * not printable or not UTF-8 is spelled as an escape, because systemd drops a line that is not
 * UTF-8, and a person should see what is there. */
static bool is_special(const char *at, size_t length)
{
	unsigned char byte = (unsigned char)*at;

	return byte <= ' ' || byte == 0x7F || strchr("\"'\\", byte) ||
	       !utf8_sequence_length(at, length);
}

static bool needs_quotes(const char *word, size_t length)
{
	/* A bare semicolon would end the command. */
	if (!length || strcmp(word, ";") == 0)
		return true;
	for (size_t i = 0; i < length;) {
		if (is_special(word + i, length - i))
			return true;
		i += utf8_sequence_length(word + i, length - i);
	}
	return false;
}

void words_quote(struct strbuf *out, const char *word, const char *doubled)
{
	size_t length = strlen(word);
	bool quotes = needs_quotes(word, length);

	if (quotes)
		(void)strbuf_addc(out, '"');
	for (size_t i = 0, n; i < length; i += n) {
		n = utf8_sequence_length(word + i, length - i);
		if (n && strchr(doubled, word[i]))
			(void)strbuf_addf(out, "%c%c", word[i], word[i]);
		else if (n && strchr("\"\\", word[i]))
			(void)strbuf_addf(out, "\\%c", word[i]);
		else if (n &&
			 (word[i] == ' ' || word[i] == '\'' || !is_special(word + i, length - i)))
			(void)strbuf_add(out, word + i, n);
		else
			(void)strbuf_addf(out, "\\x%02x", (unsigned char)word[i]);
		n = n ? n : 1;
	}
	if (quotes)
		(void)strbuf_addc(out, '"');
}

static int join(struct strbuf *out, const struct strlist *words, const char *doubled)
{
	for (size_t i = 0; i < words->count; i++) {
		if (i)
			(void)strbuf_addc(out, ' ');
		words_quote(out, words->items[i], doubled);
	}
	return out->failed ? -ENOMEM : 0;
}

int words_join(struct strbuf *out, const struct strlist *words)
{
	return join(out, words, "$%");
}

int words_join_unexpanded(struct strbuf *out, const struct strlist *argv)
{
	return join(out, argv, "%");
}

void words_done(struct words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		free(words->items[i].text);
		free(words->items[i].variable);
	}
	free(words->items);
	*words = (struct words){.items = NULL};
}

/* Appends a word that owns text, which may be NULL when memory has run out. */
static int add_word(struct words *words, char *text, const char *variable, size_t source,
		    size_t part)
{
	cleanup_free char *text_owned = text;
	cleanup_free char *name = variable ? strdup(variable) : NULL;

	if (!text_owned || (variable && !name))
		return -ENOMEM;
	if ((words->count & (words->count - 1)) == 0) {
		size_t room = words->count ? words->count * 2 : 1;
		struct word *items = reallocarray(words->items, room, sizeof *items);
		if (!items)
			return -ENOMEM;
		words->items = items;
	}
	words->items[words->count++] = (struct word){
		.text = take_ptr(text_owned),
		.origin = variable ? WORD_VARIABLE : WORD_LITERAL,
		.variable = take_ptr(name),
		.source = source,
		.part = part,
	};
	return 0;
}

/* `$NAME` as a whole word. systemd takes all that follows the dollar for the name, so that
 * "$FOO/bar" names a variable nobody can set, and the word is gone. */
static int expand_whole(const char *name, size_t source, words_lookup lookup, const void *context,
			struct words *words, struct error *error)
{
	cleanup_strlist struct strlist parts = {.items = NULL};
	const char *value = *name ? lookup(name, strlen(name), context) : NULL;

	if (!value)
		return 0;
	int r = words_split_value(value, &parts, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < parts.count; i++)
		if (add_word(words, take_ptr(parts.items[i]), name, source, i) < 0)
			return error_set_oom(error);
	return 0;
}

/* `${NAME}` and `$$` within a word. A name ends at the first brace; a colon before that is the
 * shell's ${NAME:-…}, which systemd passes on as text. */
static char *expand_inside(const char *word, words_lookup lookup, const void *context)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;

	while (*word) {
		const char *dollar = strchr(word, '$');
		size_t plain = dollar ? (size_t)(dollar - word) : strlen(word);
		(void)strbuf_add(&out, word, plain);
		word += plain;
		if (!dollar)
			break;
		size_t name = dollar[1] == '{' ? strcspn(dollar + 2, ":}") : 0;
		if (dollar[1] == '{' && dollar[2 + name] == '}') {
			const char *value = name ? lookup(dollar + 2, name, context) : NULL;
			(void)strbuf_adds(&out, value ? value : "");
			word = dollar + 2 + name + 1;
		} else if (dollar[1] == '{') {
			/* Unknown syntax: on with what stands behind the colon, or the end. */
			size_t skipped = 2 + name + (dollar[2 + name] == ':');
			(void)strbuf_add(&out, dollar, skipped);
			word += skipped;
		} else {
			/* The character after a lone dollar is not looked at again. */
			if (dollar[1] == '$' || !dollar[1])
				(void)strbuf_addc(&out, '$');
			else
				(void)strbuf_add(&out, dollar, 2);
			word += dollar[1] ? 2 : 1;
		}
	}
	return strbuf_finish(&out);
}

int words_expand(const struct strlist *argv, words_lookup lookup, const void *context,
		 struct words *ret, struct error *error)
{
	cleanup_words struct words words = {.items = NULL};

	for (size_t i = 0; i < argv->count; i++) {
		const char *word = argv->items[i];
		int r = 0;

		if (word[0] == '$' && word[1] != '{' && word[1] != '$')
			r = expand_whole(word + 1, i, lookup, context, &words, error);
		else if (add_word(&words, expand_inside(word, lookup, context), NULL, i, 0) < 0)
			r = error_set_oom(error);
		if (r < 0)
			return r;
	}
	*ret = words;
	words = (struct words){.items = NULL};
	return 0;
}
