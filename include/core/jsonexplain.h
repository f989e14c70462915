/* What is wrong with a JSON text, in the words of the admin who typed it. jsontext_check() calls
 * one of these where it has stopped at a byte that does not fit; each sets an error with line and
 * column and returns -EBADMSG. No more than one character of the text is quoted: it may hold
 * passwords. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/jsontext.h"

/* How far jsontext_check() has come. */
struct jsontext_checker {
	const char *text;
	size_t length;
	size_t at;
	size_t last_end; /* of the last complete value or key */
	struct error *error;
	size_t depth;
	size_t open[JSONTEXT_DEPTH_MAX]; /* offsets of the brackets not yet closed */
};

/* Small questions that both sides ask. */
static inline bool jsonexplain_is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static inline bool jsonexplain_is_letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static inline bool jsonexplain_in_object(const struct jsontext_checker *c)
{
	return c->depth && c->text[c->open[c->depth - 1]] == '{';
}

/* The byte at hand; 0 at the end, which no rule accepts. */
static inline char jsonexplain_peek(const struct jsontext_checker *c)
{
	return c->at < c->length ? c->text[c->at] : '\0';
}

/* The value of the four hexadecimal digits at `at`; -1 when they are not there. */
int32_t jsonexplain_hex4(const struct jsontext_checker *c, size_t at);

/* Length of the run of letters at hand. */
size_t jsonexplain_word_length(const struct jsontext_checker *c);

/* Sets the error for the byte at `offset`. */
int jsonexplain_fail(struct jsontext_checker *c, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A value should be here, behind a colon, a comma, a bracket, or at the start. */
int jsonexplain_value(struct jsontext_checker *c);

/* A key should be here. */
int jsonexplain_key(struct jsontext_checker *c);

/* A colon should be here. */
int jsonexplain_colon(struct jsontext_checker *c);

/* A comma, a closing bracket or the end of the text should be here. */
int jsonexplain_after_value(struct jsontext_checker *c);

/* Stopped at a byte that the string which begins at `start` must not have. */
int jsonexplain_string_byte(struct jsontext_checker *c, size_t start);

/* Stopped at a backslash that begins no escape. */
int jsonexplain_escape(struct jsontext_checker *c);

/* Stopped inside the number that begins at `start`. */
int jsonexplain_number(struct jsontext_checker *c, size_t start);
