#include "base/strlist.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/strbuf.h"

void strlist_done(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strlist){.items = NULL};
}

int strlist_take(struct strlist *list, char *string)
{
	if (!string)
		return -ENOMEM;

	/* Room grows at powers of two, so that no separate capacity is kept. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		char **items = reallocarray(list->items, room, sizeof *items);
		if (!items) {
			free(string);
			return -ENOMEM;
		}
		list->items = items;
	}
	list->items[list->count++] = string;
	return 0;
}

int strlist_add(struct strlist *list, const char *string)
{
	return strlist_take(list, strdup(string));
}

int strlist_add_all(struct strlist *list, const struct strlist *others)
{
	for (size_t i = 0; i < others->count; i++)
		if (strlist_add(list, others->items[i]) < 0)
			return -ENOMEM;
	return 0;
}

int strlist_add_bytes(struct strlist *list, const char *bytes, size_t length)
{
	return strlist_take(list, strndup(bytes, length));
}

int strlist_addf(struct strlist *list, const char *format, ...)
{
	cleanup_strbuf struct strbuf buffer = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&buffer, format, arguments);
	va_end(arguments);
	return strlist_take(list, strbuf_finish(&buffer));
}

bool strlist_equal(const struct strlist *a, const struct strlist *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

bool strlist_contains(const struct strlist *list, const char *string)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], string) == 0)
			return true;
	return false;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof *list->items, compare_strings);
}
