/* Editing JSON as text: only the bytes of the edited member change. Key order, indentation, tabs,
 * line ends, spacing and spellings of everything else stay as the admin wrote them.
 *
 * A document is kept in a strbuf. A byte order mark, leading and trailing space and a missing final
 * newline are preserved. Nothing here recurses, so that nesting costs no stack. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Deeper nesting is refused: jansson, which reads the result, stops there too
 * (JSON_PARSER_MAX_DEPTH, jansson 2.14). */
#define JSONTEXT_DEPTH_MAX 2048

/* Where something stands in the text: [start, end) in bytes. */
struct jsontext_span {
	size_t start;
	size_t end;
};

/* One member of an object. */
struct jsontext_member {
	struct jsontext_span key; /* with its quotes */
	struct jsontext_span value;
	size_t object; /* offset of the '{' of the object it stands in */
};

/* A path of object keys from the top level, e.g. {"log-opts", "syslog-address"}, count 2. */
struct jsontext_path {
	const char *const *keys; /* decoded, UTF-8 */
	size_t count;
};

/* Checks that text is one JSON value (RFC 8259, UTF-8, a leading BOM allowed) or nothing but space.
 * An error has line and column and says what was found and what to do (trailing comma, single
 * quotes, comment, unquoted key, NUL byte, bad UTF-8, UTF-16, unclosed brackets, a second value …).
 * Linear in time, constant in stack; -EBADMSG on bad text. */
int jsontext_check(const char *text, size_t length, struct error *error);

/* True when there is nothing but white space (and perhaps a BOM). */
bool jsontext_is_blank(const char *text, size_t length);

/* The functions below expect text that jsontext_check() has passed. */

/* Finds the value at path and returns whether it was found. Where a key is repeated the last one
 * counts, except that objects repeated at the top level add up, as in dockerd (facts a.7): there it
 * is the last one that has the path's next key. path->count 0 gives the top-level value, whose key
 * and object mean nothing. */
bool jsontext_find(const char *text, size_t length, const struct jsontext_path *path,
		   struct jsontext_member *ret);

/* Walks the members of the object that starts at `object_start` (the offset of its '{'). Set
 * *cursor to 0 before the first call; returns false after the last member. */
bool jsontext_next_member(const char *text, size_t length, size_t object_start, size_t *cursor,
			  struct jsontext_member *ret);

/* The same for the elements of the array that starts at `array_start` (the offset of its '['). */
bool jsontext_next_element(const char *text, size_t length, size_t array_start, size_t *cursor,
			   struct jsontext_span *ret);

/* Decodes the string literal at span (its quotes included) into *ret, which the caller frees. A
 * \u0000 in it is refused (-EBADMSG): a C string would end there unnoticed. */
int jsontext_decode_string(const char *text, struct jsontext_span span, char **ret,
			   struct error *error);

/* True when the (possibly escaped) string literal at span spells key. */
bool jsontext_string_equals(const char *text, struct jsontext_span span, const char *key);

/* Sets the value at path, in place where the member exists, else as a new last member that looks
 * like its neighbours. A text that already has this value is not touched. Missing objects on the
 * way are created; an empty document, or one that is just `null`, becomes an object.
 *
 * Of a repeated key the occurrence that jsontext_find() gives is edited. When an object is set at
 * the top level the other occurrences of its key are removed, for they would add to it.
 *
 * -ENOTDIR when something on the way is not an object, -EINVAL for an empty path and for what JSON
 * cannot hold. text is untouched on failure. */
int jsontext_set(struct strbuf *text, const struct jsontext_path *path, const json_t *value,
		 struct error *error);

/* Removes the member at path, every occurrence of it, in every occurrence of the objects on the
 * way. What it stood in stays, if need be as `{}`. A path that does not exist is not an error. text
 * is untouched on failure. */
int jsontext_remove(struct strbuf *text, const struct jsontext_path *path, struct error *error);
