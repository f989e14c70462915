/* A list of strings that it owns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct strlist {
	char **items; /* NULL while empty */
	size_t count;
};

void strlist_done(struct strlist *list);
#define cleanup_strlist scoped(strlist_done)

/* Appends a copy. Returns 0 or -ENOMEM. */
int strlist_add(struct strlist *list, const char *string);
int strlist_add_bytes(struct strlist *list, const char *bytes, size_t length);
int strlist_addf(struct strlist *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends copies of all of them; returns 0 or -ENOMEM, and then some may be there. */
int strlist_add_all(struct strlist *list, const struct strlist *others);

/* Appends the string itself, which the list then owns; on failure it is freed. */
int strlist_take(struct strlist *list, char *string);

/* The same strings in the same order. */
bool strlist_equal(const struct strlist *a, const struct strlist *b);

bool strlist_contains(const struct strlist *list, const char *string);

/* Sorts by byte value. */
void strlist_sort(struct strlist *list);
