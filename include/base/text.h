/* Small questions about text: encoding, positions, and what a terminal may be shown. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Length in bytes of the valid UTF-8 sequence at the start of bytes (1 to 4), or 0 if there is
 * none. Overlong forms, surrogates and values above U+10FFFF are not valid (RFC 3629). */
size_t utf8_sequence_length(const char *bytes, size_t length);

/* True when all of it is valid UTF-8; otherwise *ret_offset (may be NULL) is the first bad byte. */
bool utf8_is_valid(const char *bytes, size_t length, size_t *ret_offset);

/* Number of characters, counting an invalid byte as one. */
size_t utf8_count(const char *bytes, size_t length);

/* Line and column (1-based, column in characters) of an offset in text. LF ends a line; a CR before
 * it belongs to the line. */
void text_position(const char *text, size_t length, size_t offset, unsigned *ret_line,
		   unsigned *ret_column);

/* Appends text fit for a terminal: control characters (also those of C1, and bidirectional
 * overrides) become \xNN or \u{NNNN}, so that a file's contents cannot move the cursor or hide a
 * line. Line feeds and tabs are kept when keep_layout is set. */
int text_add_printable(struct strbuf *buffer, const char *bytes, size_t length, bool keep_layout);

/* The nearest of several names to a word, for "did you mean". */
struct text_nearest {
	const char *name; /* NULL while none is near; borrowed */
	unsigned distance;
};

/* Farther than three edits is another word, not a typing error. */
#define TEXT_NEAREST_NONE ((struct text_nearest){.distance = 4})

/* Takes candidate if it is nearer than what was offered before; of equals the first stays. */
void text_nearest_offer(struct text_nearest *nearest, const char *word, const char *candidate);

/* Levenshtein distance of two short names. Returns a large number when either
 * is longer than 64 bytes. */
unsigned text_distance(const char *a, const char *b);

/* Appends "a, b, c", of many only the first ones: "a, b and 30 more". */
void text_add_names(struct strbuf *buffer, const char *const *names, size_t count);

bool text_starts_with(const char *string, const char *prefix);
bool text_ends_with(const char *string, const char *suffix);

/* strcmp() == 0 where NULL equals nothing but NULL. */
bool text_equal(const char *a, const char *b);
