/* The one error convention: a function that can fail returns 0 or a negative errno and fills a
 * struct error that names the step and the path. The text is a sentence for the person who has to
 * act on it. Storage is fixed, so that reporting "out of memory" needs no memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct error {
	int code;        /* negative errno; 0 while nothing went wrong */
	unsigned line;   /* 1-based position in path; 0 when a position makes no sense */
	unsigned column; /* 1-based, counted in characters, not bytes */
	char step[64];   /* what was being done: "read", "parse profile" */
	char path[1024]; /* the file, unit, socket or setting it was done to; may be empty */
	char text[768];  /* what is wrong, and what to do about it */
};

#define ERROR_NONE ((struct error){.code = 0})

/* Fills *error unless it already holds an error (the first one is the cause) and returns code,
 * which must be negative, so that it fits after `return`. error and path may be NULL. */
int error_set(struct error *error, int code, const char *step, const char *path, const char *format,
	      ...) __attribute__((format(printf, 5, 6)));

/* The same with a position in the file; line and column are 1-based. */
int error_set_at(struct error *error, int code, const char *step, const char *path, unsigned line,
		 unsigned column, const char *format, ...) __attribute__((format(printf, 7, 8)));

/* error_set() for a failed system call: the text is strerror(errno_value). errno_value is positive.
 */
int error_set_errno(struct error *error, int errno_value, const char *step, const char *path);

/* The error for a failed allocation; returns -ENOMEM. */
int error_set_oom(struct error *error);

/* Names the path of an error that was set by somebody who did not know it (a parser of text). */
void error_name_path(struct error *error, const char *path);

/* Writes "step path:line:column: text" into buffer, always terminated. Returns buffer. */
const char *error_format(const struct error *error, char *buffer, size_t size);
