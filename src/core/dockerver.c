#include "core/dockerver.h"

#include <stdio.h>
#include <string.h>

/* No part of a version has ever had more digits; a longer run is a build number or a date. What is
 * left of it is then no suffix, so that the whole is refused. */
#define DIGITS_MAX 4

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Reads a decimal number at *cursor and moves past it. Not strtoul(): that takes signs and space.
 */
static bool read_number(const char **cursor, unsigned *ret)
{
	const char *at = *cursor;
	unsigned number = 0;

	while (is_digit(*at) && at - *cursor < DIGITS_MAX)
		number = number * 10 + (unsigned)(*at++ - '0');
	if (at == *cursor)
		return false;
	*cursor = at;
	*ret = number;
	return true;
}

bool dockerver_parse(const char *text, struct dockerver *ret)
{
	struct dockerver version = {0};

	if (*text == 'v')
		text++;
	if (!read_number(&text, &version.major) || !version.major || *text++ != '.' ||
	    !read_number(&text, &version.minor))
		return false;
	if (*text == '.') {
		text++;
		if (!read_number(&text, &version.patch))
			return false;
	}
	/* What a distribution or a release candidate adds: "+dfsg1", "-ce", "~3-0~debian". */
	if (*text && !strchr("+-~", *text))
		return false;
	*ret = version;
	return true;
}

static int compare_numbers(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

int dockerver_compare(struct dockerver a, struct dockerver b)
{
	int order = compare_numbers(a.major, b.major);

	if (!order)
		order = compare_numbers(a.minor, b.minor);
	return order ? order : compare_numbers(a.patch, b.patch);
}

const char *dockerver_format(struct dockerver version, char buffer[static DOCKERVER_TEXT_SIZE])
{
	/* Docker writes the month of its year-based versions with two digits: 18.09, not 18.9. The
	 * last of those was 20.10. */
	(void)snprintf(buffer, DOCKERVER_TEXT_SIZE, version.major <= 20 ? "%u.%02u.%u" : "%u.%u.%u",
		       version.major, version.minor, version.patch);
	return buffer;
}
