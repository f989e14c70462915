#include "base/strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void strbuf_done(struct strbuf *buffer)
{
	free(buffer->data);
	*buffer = STRBUF_EMPTY;
}

/* Makes room for `extra` more bytes and the terminator. */
static int strbuf_reserve(struct strbuf *buffer, size_t extra)
{
	if (buffer->failed)
		return -ENOMEM;
	if (extra >= SIZE_MAX / 2 - buffer->length) {
		buffer->failed = true;
		return -ENOMEM;
	}

	size_t needed = buffer->length + extra + 1;
	if (needed <= buffer->capacity)
		return 0;

	size_t capacity = buffer->capacity + buffer->capacity / 2;
	if (capacity < needed)
		capacity = needed < 64 ? 64 : needed;
	char *data = realloc(buffer->data, capacity);
	if (!data) {
		buffer->failed = true;
		return -ENOMEM;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int strbuf_splice(struct strbuf *buffer, size_t position, size_t removed, const char *bytes,
		  size_t length)
{
	if (strbuf_reserve(buffer, length) < 0)
		return -ENOMEM;

	size_t tail = buffer->length - position - removed;
	memmove(buffer->data + position + length, buffer->data + position + removed, tail);
	if (length)
		memcpy(buffer->data + position, bytes, length);
	buffer->length += length - removed;
	buffer->data[buffer->length] = '\0';
	return 0;
}

int strbuf_add(struct strbuf *buffer, const char *bytes, size_t length)
{
	return strbuf_splice(buffer, buffer->length, 0, bytes, length);
}

int strbuf_adds(struct strbuf *buffer, const char *string)
{
	return strbuf_add(buffer, string, strlen(string));
}

int strbuf_addc(struct strbuf *buffer, char character)
{
	return strbuf_add(buffer, &character, 1);
}

int strbuf_add_repeated(struct strbuf *buffer, char character, size_t count)
{
	if (strbuf_reserve(buffer, count) < 0)
		return -ENOMEM;
	memset(buffer->data + buffer->length, character, count);
	buffer->length += count;
	buffer->data[buffer->length] = '\0';
	return 0;
}

int strbuf_addv(struct strbuf *buffer, const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0 || strbuf_reserve(buffer, (size_t)length) < 0) {
		buffer->failed = true;
		return -ENOMEM;
	}
	(void)vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
	buffer->length += (size_t)length;
	return 0;
}

int strbuf_addf(struct strbuf *buffer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int r = strbuf_addv(buffer, format, arguments);
	va_end(arguments);
	return r;
}

char *strbuf_finish(struct strbuf *buffer)
{
	if (strbuf_reserve(buffer, 0) < 0) {
		strbuf_done(buffer);
		return NULL;
	}
	if (!buffer->length)
		buffer->data[0] = '\0';

	char *data = take_ptr(buffer->data);
	*buffer = STRBUF_EMPTY;
	return data;
}
