/* Skipping over JSON text that jsontext_check() has passed: the few moves that finding, walking and
 * editing are made of. They look at as little as they can, never recurse, and stop at `length` even
 * when the text is not what they expect. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Length of the byte order mark that text starts with: 3 or 0. */
size_t jsonscan_bom(const char *text, size_t length);

/* JSON's four white space characters. */
static inline bool jsonscan_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Offset of the first byte from `at` on that is not white space; length when there is none. */
size_t jsonscan_space(const char *text, size_t length, size_t at);

/* Start of the white space that ends at `at`: [result, at) is all space. */
size_t jsonscan_space_before(const char *text, size_t at);

/* Offset of the top-level value; length when the text is blank. */
size_t jsonscan_root(const char *text, size_t length);

/* Offset behind the string literal that starts at `at`. */
size_t jsonscan_string(const char *text, size_t length, size_t at);

/* Offset behind the value, of any kind, that starts at `at`. */
size_t jsonscan_value(const char *text, size_t length, size_t at);
