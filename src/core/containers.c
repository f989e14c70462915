#include "core/containers.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/judgement.h"

bool container_is_up(const struct container_facts *container)
{
	return container->state != CONTAINER_DOWN;
}

void container_refs_done(struct container_refs *refs)
{
	free(refs->items);
	*refs = (struct container_refs){.items = NULL};
}

/* "2026-11-25T11:09:25", before the fraction. */
#define SECONDS_LENGTH 19

/* Digits that are left out are zeros, and what is not a digit ends the fraction. */
static int compare_fractions(const char *a, const char *b)
{
	a += *a == '.';
	b += *b == '.';
	for (;;) {
		bool more_a = *a >= '0' && *a <= '9';
		bool more_b = *b >= '0' && *b <= '9';
		int difference = (more_a ? *a : '0') - (more_b ? *b : '0');

		if (difference || (!more_a && !more_b))
			return difference;
		a += more_a;
		b += more_b;
	}
}

int container_start_compare(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	int seconds = strncmp(a, b, SECONDS_LENGTH);
	if (seconds || strnlen(a, SECONDS_LENGTH) < SECONDS_LENGTH)
		return seconds;
	return compare_fractions(a + SECONDS_LENGTH, b + SECONDS_LENGTH);
}

static int compare_refs(const void *a, const void *b)
{
	const struct container_facts *const *first = a;
	const struct container_facts *const *second = b;
	int order = container_start_compare((*first)->started_at, (*second)->started_at);

	/* qsort() may turn equal ones around; the answer should be the same each time. */
	return order ? order : strcmp((*first)->name, (*second)->name);
}

int containers_up(const struct facts *facts, struct container_refs *ret, struct error *error)
{
	struct container_refs refs = {
		.items = calloc(facts->container_count + 1, sizeof(struct container_facts *)),
	};

	if (!refs.items)
		return error_set_oom(error);
	for (size_t i = 0; i < facts->container_count; i++) {
		const struct container_facts *container = &facts->container_list[i];
		if (container_is_up(container) && !container->service)
			refs.items[refs.count++] = container;
	}
	qsort(refs.items, refs.count, sizeof(struct container_facts *), compare_refs);
	*ret = refs;
	return 0;
}

char *container_names_text(const struct container_refs *refs)
{
	cleanup_free const char **names = calloc(refs->count + 1, sizeof *names);
	struct strbuf text = STRBUF_EMPTY;

	if (!names)
		return NULL;
	for (size_t i = 0; i < refs->count; i++)
		names[i] = refs->items[i]->name;
	text_add_names(&text, names, refs->count);
	return strbuf_finish(&text);
}

bool container_is_removed_by_restart(const struct container_facts *container,
				     struct dockerver version)
{
	static const struct dockerver first = {20, 10, 0};
	static const struct dockerver fixed = {24, 0, 8};

	return container->auto_remove && container_is_up(container) &&
	       dockerver_compare(version, first) >= 0 && dockerver_compare(version, fixed) < 0;
}

bool container_copies(const char *key)
{
	return strcmp(key, "log-driver") == 0 || strcmp(key, "log-opts") == 0 ||
	       text_starts_with(key, "log-opts.") || strcmp(key, "no-new-privileges") == 0;
}

bool container_covers(const struct container_facts *container, const struct profile_row *row,
		      const json_t *wanted)
{
	const json_t *options = json_object_get(container->log, "Config");
	const char *key = row->key;

	if (!container->known)
		return false;
	if (strcmp(key, "no-new-privileges") == 0)
		return json_is_true(wanted) == container->no_new_privileges;
	if (strcmp(key, "log-driver") == 0) {
		const json_t *driver = json_object_get(container->log, "Type");
		return driver && value_complies(row, driver);
	}
	if (text_starts_with(key, "log-opts."))
		return json_equal(json_object_get(options, key + strlen("log-opts.")), wanted);
	return json_equal(options, wanted);
}
