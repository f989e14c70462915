#include "base/text.h"

#include <stdint.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t utf8_sequence_length(const char *bytes, size_t length)
{
	const unsigned char *b = (const unsigned char *)bytes;

	if (!length)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] >= 0xC2 && b[0] <= 0xDF)
		return length >= 2 && is_continuation(b[1]) ? 2 : 0;
	if ((b[0] & 0xF0) == 0xE0) {
		if (length < 3 || !is_continuation(b[1]) || !is_continuation(b[2]))
			return 0;
		bool overlong = b[0] == 0xE0 && b[1] < 0xA0;
		bool surrogate = b[0] == 0xED && b[1] >= 0xA0;
		return overlong || surrogate ? 0 : 3;
	}
	if (b[0] >= 0xF0 && b[0] <= 0xF4) {
		if (length < 4 || !is_continuation(b[1]) || !is_continuation(b[2]) ||
		    !is_continuation(b[3]))
			return 0;
		bool overlong = b[0] == 0xF0 && b[1] < 0x90;
		bool too_high = b[0] == 0xF4 && b[1] >= 0x90;
		return overlong || too_high ? 0 : 4;
	}
	return 0;
}

/* Skips ASCII eight bytes at a time: nearly all of a large file is ASCII. */
static size_t ascii_run(const char *bytes, size_t length)
{
	size_t i = 0;

	for (uint64_t word; i + sizeof word <= length; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < length && (unsigned char)bytes[i] < 0x80)
		i++;
	return i;
}

bool utf8_is_valid(const char *bytes, size_t length, size_t *ret_offset)
{
	for (size_t i = ascii_run(bytes, length); i < length;) {
		size_t n = utf8_sequence_length(bytes + i, length - i);
		if (!n) {
			if (ret_offset)
				*ret_offset = i;
			return false;
		}
		i += n;
		i += ascii_run(bytes + i, length - i);
	}
	return true;
}

size_t utf8_count(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; count++) {
		size_t n = utf8_sequence_length(bytes + i, length - i);
		i += n ? n : 1;
	}
	return count;
}

void text_position(const char *text, size_t length, size_t offset, unsigned *ret_line,
		   unsigned *ret_column)
{
	size_t line_start = 0;
	unsigned line = 1;

	if (offset > length)
		offset = length;
	for (const char *at = text; offset > line_start;) {
		at = memchr(at, '\n', offset - line_start);
		if (!at)
			break;
		at++;
		line_start = (size_t)(at - text);
		line++;
	}
	*ret_line = line;
	*ret_column = (unsigned)utf8_count(text + line_start, offset - line_start) + 1;
}

static uint32_t utf8_decode(const char *bytes, size_t n)
{
	const unsigned char *b = (const unsigned char *)bytes;

	switch (n) {
	case 1:
		return b[0];
	case 2:
		return (b[0] & 0x1FU) << 6 | (b[1] & 0x3FU);
	case 3:
		return (b[0] & 0x0FU) << 12 | (b[1] & 0x3FU) << 6 | (b[2] & 0x3FU);
	default:
		return (b[0] & 0x07U) << 18 | (b[1] & 0x3FU) << 12 | (b[2] & 0x3FU) << 6 |
		       (b[3] & 0x3FU);
	}
}

/* C0, DEL, C1, line and paragraph separators, and the marks that reorder what is shown. */
static bool is_unprintable(uint32_t character)
{
	return character < 0x20 || (character >= 0x7F && character <= 0x9F) ||
	       character == 0x061C || (character >= 0x200B && character <= 0x200F) ||
	       (character >= 0x2028 && character <= 0x202E) ||
	       (character >= 0x2066 && character <= 0x2069) || character == 0xFEFF;
}

/* How much of the text is plain ASCII, which nearly all of it is. */
static size_t printable_run(const char *bytes, size_t length)
{
	size_t i = 0;

	while (i < length && bytes[i] >= ' ' && bytes[i] < 0x7F)
		i++;
	return i;
}

int text_add_printable(struct strbuf *buffer, const char *bytes, size_t length, bool keep_layout)
{
	int r = 0;

	for (size_t i = 0; i < length && r == 0;) {
		size_t run = printable_run(bytes + i, length - i);
		if (run) {
			r = strbuf_add(buffer, bytes + i, run);
			i += run;
			continue;
		}
		size_t n = utf8_sequence_length(bytes + i, length - i);
		uint32_t character = n ? utf8_decode(bytes + i, n) : 0;
		bool layout = bytes[i] == '\n' || bytes[i] == '\t';

		if (!n)
			r = strbuf_addf(buffer, "\\x%02x", (unsigned char)bytes[i]);
		else if (keep_layout && layout)
			r = strbuf_addc(buffer, bytes[i]);
		else if (is_unprintable(character) && n == 1)
			r = strbuf_addf(buffer, "\\x%02x", character);
		else if (is_unprintable(character))
			r = strbuf_addf(buffer, "\\u{%04x}", character);
		else
			r = strbuf_add(buffer, bytes + i, n);
		i += n ? n : 1;
	}
	return r;
}

#define DISTANCE_MAX 64

unsigned text_distance(const char *a, const char *b)
{
	size_t a_length = strnlen(a, DISTANCE_MAX + 1);
	size_t b_length = strnlen(b, DISTANCE_MAX + 1);
	unsigned row[DISTANCE_MAX + 1];

	if (a_length > DISTANCE_MAX || b_length > DISTANCE_MAX)
		return UINT16_MAX;
	for (size_t j = 0; j <= b_length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_length];
}

void text_nearest_offer(struct text_nearest *nearest, const char *word, const char *candidate)
{
	unsigned distance = text_distance(word, candidate);

	if (distance < nearest->distance)
		*nearest = (struct text_nearest){.name = candidate, .distance = distance};
}

bool text_starts_with(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *string, const char *suffix)
{
	size_t string_length = strlen(string);
	size_t suffix_length = strlen(suffix);

	return string_length >= suffix_length &&
	       strcmp(string + string_length - suffix_length, suffix) == 0;
}

bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* More names than this are no help on a screen. */
#define NAMES_SHOWN 8

void text_add_names(struct strbuf *buffer, const char *const *names, size_t count)
{
	/* "and 1 more" would be no shorter than the name. */
	size_t shown = count > NAMES_SHOWN + 1 ? NAMES_SHOWN : count;

	for (size_t i = 0; i < shown; i++)
		(void)strbuf_addf(buffer, "%s%s", i ? ", " : "", names[i]);
	if (shown < count)
		(void)strbuf_addf(buffer, " and %zu more", count - shown);
}
