/* Ownership by scope: a variable marked with one of these is released when it goes out of scope,
 * and take_ptr()/take_fd() hand its value over to somebody else. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Not called `cleanup`, which would break the attribute where other headers (jansson's json_auto_t)
 * use it. */
#define scoped(function) __attribute__((__cleanup__(function)))

static inline void cleanup_free_ptr(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_fclose_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define cleanup_free scoped(cleanup_free_ptr)
#define cleanup_close scoped(cleanup_close_fd)
#define cleanup_fclose scoped(cleanup_fclose_file)

/* Hands over what the variable owns; the variable is left empty, so its cleanup does nothing. */
#define take_ptr(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#define take_fd(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})

#define array_size(array) (sizeof(array) / sizeof((array)[0]))
