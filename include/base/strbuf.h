/* A growing string. Failure to allocate is sticky: a run of appends may be checked once at its end
 * with strbuf_finish(). data is terminated whenever it is not NULL. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct strbuf {
	char *data;
	size_t length; /* bytes, without the terminator */
	size_t capacity;
	bool failed;
};

#define STRBUF_EMPTY ((struct strbuf){.data = NULL})

void strbuf_done(struct strbuf *buffer);
#define cleanup_strbuf scoped(strbuf_done)

/* Each returns 0, or -ENOMEM, after which the buffer keeps what it had and refuses more. */
int strbuf_add(struct strbuf *buffer, const char *bytes, size_t length);
int strbuf_adds(struct strbuf *buffer, const char *string);
int strbuf_addc(struct strbuf *buffer, char character);
int strbuf_add_repeated(struct strbuf *buffer, char character, size_t count);
int strbuf_addf(struct strbuf *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int strbuf_addv(struct strbuf *buffer, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Replaces `removed` bytes at `position` by the given ones. The range must lie inside the buffer;
 * bytes must not point into it. */
int strbuf_splice(struct strbuf *buffer, size_t position, size_t removed, const char *bytes,
		  size_t length);

/* Hands the string over to the caller, who frees it; an empty buffer gives "". NULL when an append
 * has failed. The buffer is empty afterwards. */
char *strbuf_finish(struct strbuf *buffer);
