/* What the fuzz targets share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that is broken ends the run, and libFuzzer keeps the input. */
static inline void require_at(bool truth, const char *promise, const char *file, int line)
{
	if (truth)
		return;
	(void)fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
	abort();
}
#define require(truth) require_at((truth), #truth, __FILE__, __LINE__)

/* An error says something, and its code is what was returned. */
static inline void require_error(int result, const struct error *error)
{
	require(result < 0 && error->code == result && error->text[0]);
}

/* The rest of an input, of which the first parts have been taken. */
struct input {
	const uint8_t *data;
	size_t size;
};

/* The next byte; 0 behind the end. */
static inline uint8_t input_byte(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* A text up to the next NUL or the end, as a terminated copy of its exact size, for the sanitizer
 * to guard its end. The caller frees it. */
static inline char *input_text(struct input *input, size_t *ret_length)
{
	const uint8_t *end = input->size ? memchr(input->data, '\0', input->size) : NULL;
	size_t length = end ? (size_t)(end - input->data) : input->size;
	char *text = malloc(length + 1);

	require(text != NULL);
	if (length)
		memcpy(text, input->data, length);
	text[length] = '\0';
	input->data += length + (end != NULL);
	input->size -= length + (end != NULL);
	if (ret_length)
		*ret_length = length;
	return text;
}

/* All that is left, NULs and all, terminated. The caller frees it. */
static inline char *input_rest(struct input *input, size_t *ret_length)
{
	char *rest = malloc(input->size + 1);

	require(rest != NULL);
	if (input->size)
		memcpy(rest, input->data, input->size);
	rest[input->size] = '\0';
	*ret_length = input->size;
	input->data += input->size;
	input->size = 0;
	return rest;
}
