#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void copy_bounded(char *destination, size_t size, const char *source)
{
	size_t length = source ? strnlen(source, size - 1) : 0;

	/* Cut before a character, not within it. */
	while (length && source[length] && ((unsigned char)source[length] & 0xC0) == 0x80)
		length--;
	if (length)
		memcpy(destination, source, length);
	destination[length] = '\0';
}

static int error_fill(struct error *error, int code, const char *step, const char *path,
		      unsigned line, unsigned column, const char *format, va_list arguments)
	__attribute__((format(printf, 7, 0)));

static int error_fill(struct error *error, int code, const char *step, const char *path,
		      unsigned line, unsigned column, const char *format, va_list arguments)
{
	if (!error || error->code)
		return code;
	error->code = code;
	error->line = line;
	error->column = column;
	copy_bounded(error->step, sizeof error->step, step);
	copy_bounded(error->path, sizeof error->path, path);
	(void)vsnprintf(error->text, sizeof error->text, format, arguments);
	return code;
}

int error_set(struct error *error, int code, const char *step, const char *path, const char *format,
	      ...)
{
	va_list arguments;

	va_start(arguments, format);
	int r = error_fill(error, code, step, path, 0, 0, format, arguments);
	va_end(arguments);
	return r;
}

int error_set_at(struct error *error, int code, const char *step, const char *path, unsigned line,
		 unsigned column, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int r = error_fill(error, code, step, path, line, column, format, arguments);
	va_end(arguments);
	return r;
}

int error_set_errno(struct error *error, int errno_value, const char *step, const char *path)
{
	char buffer[128];

	/* The GNU strerror_r() may return a constant string instead of the buffer. */
	return error_set(error, -errno_value, step, path, "%s",
			 strerror_r(errno_value, buffer, sizeof buffer));
}

int error_set_oom(struct error *error)
{
	return error_set(error, -ENOMEM, "allocate", NULL, "out of memory");
}

void error_name_path(struct error *error, const char *path)
{
	if (error && !error->path[0])
		copy_bounded(error->path, sizeof error->path, path);
}

const char *error_format(const struct error *error, char *buffer, size_t size)
{
	char position[32] = "";
	const char *gap = error->step[0] && error->path[0] ? " " : "";
	const char *colon = error->step[0] || error->path[0] ? ": " : "";

	if (error->line)
		(void)snprintf(position, sizeof position, ":%u:%u", error->line, error->column);
	(void)snprintf(buffer, size, "%s%s%s%s%s%s", error->step, gap, error->path, position, colon,
		       error->text);
	return buffer;
}
