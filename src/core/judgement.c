#include "core/judgement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void judgement_done(struct judgement *judgement)
{
	free(judgement->takes.items);
	edits_done(&judgement->moves);
	edits_done(&judgement->edits);
	strlist_done(&judgement->notes);
}

bool taken_has(const struct taken *taken, const struct option *option)
{
	for (size_t i = 0; taken && i < taken->count; i++)
		if (taken->items[i] == option)
			return true;
	return false;
}

int taken_add(struct taken *taken, const struct option *option, struct error *error)
{
	if (taken_has(taken, option))
		return 0;
	const struct option **items =
		reallocarray(taken->items, taken->count + 1, sizeof(const struct option *));
	if (!items)
		return error_set_oom(error);
	taken->items = items;
	items[taken->count++] = option;
	return 0;
}

int judgement_note(struct judgement *judgement, struct error *error, const char *format, ...)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	return strlist_take(&judgement->notes, strbuf_finish(&text)) < 0 ? error_set_oom(error) : 0;
}

/* How many keys a path below an option has: the members of a map may have dots in their names. */
static size_t path_depth(const char *key, size_t length)
{
	static const struct {
		const char *key;
		size_t depth;
	} fixed[] = {
		{"default-network-opts", 3},
		{"default-ulimits", 3},
		{"features", 2},
		{"log-opts", 2},
		{"runtimes", 3},
	};

	for (size_t i = 0; i < array_size(fixed); i++)
		if (strlen(fixed[i].key) == length && strncmp(fixed[i].key, key, length) == 0)
			return fixed[i].depth;
	return SIZE_MAX;
}

const struct option *setting_option(const struct setting *setting)
{
	const char *key = setting->row->key;
	size_t length = strcspn(key, ".");
	char name[64]; /* longer than the name of any option */

	if (setting->row->rule == RULE_FILE || length >= sizeof name)
		return NULL;
	memcpy(name, key, length);
	name[length] = '\0';
	return option_by_key(name);
}

int setting_path(const char *key, struct strlist *ret, struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	size_t depth = path_depth(key, strcspn(key, "."));
	int r = 0;

	for (const char *at = key; r == 0; at += strcspn(at, ".") + 1) {
		size_t length = path.count + 1 < depth ? strcspn(at, ".") : strlen(at);
		if (!length)
			return error_set(error, -EINVAL, "read setting", key,
					 "expected KEY or KEY.MEMBER, such as \"icc\" or "
					 "\"log-opts.syslog-address\"");
		r = strlist_add_bytes(&path, at, length);
		if (!at[length])
			break;
	}
	if (r < 0)
		return error_set_oom(error);
	*ret = path;
	path = (struct strlist){.items = NULL};
	return 0;
}

int judgement_set(struct judgement *judgement, const struct setting *setting, json_t *value,
		  struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	int r = setting_path(setting->row->key, &path, error);

	return r < 0 ? r
		     : edits_set(&judgement->edits, (const char *const *)path.items, path.count,
				 value, error);
}

int judgement_remove(struct judgement *judgement, const struct setting *setting,
		     struct error *error)
{
	cleanup_strlist struct strlist path = {.items = NULL};
	int r = setting_path(setting->row->key, &path, error);

	return r < 0 ? r
		     : edits_remove(&judgement->edits, (const char *const *)path.items, path.count,
				    error);
}

/* The value that a key will have after the changes decided so far; a new reference. */
static int intended_value(const struct judgement *judgement, const char *key, json_t **ret,
			  struct error *error)
{
	struct configuration later = *judgement->configuration;
	enum value_source source;

	later.document = (json_t *)judgement->intended;
	return configuration_value(&later, &key, 1, ret, &source, NULL, error);
}

int judgement_intends(const struct judgement *judgement, const char *key, bool wanted, bool *ret,
		      struct error *error)
{
	json_t *value = NULL;
	int r = intended_value(judgement, key, &value, error);

	if (r < 0)
		return r;
	*ret = wanted ? json_is_true(value) : json_is_false(value);
	json_decref(value);
	return 0;
}

enum tristate anything_stored(const struct facts *facts)
{
	const struct data_root_facts *root = &facts->data_root;

	if (root->images > 0 || root->containers > 0 || root->volumes > 0)
		return YES;
	return root->images == 0 && root->containers == 0 && root->volumes == 0 ? NO : UNKNOWN;
}

static void add_count(struct strbuf *out, int64_t count, const char *noun)
{
	if (count > 0)
		(void)strbuf_addf(out, "%s%" PRId64 " %s%s", out->length ? ", " : "", count, noun,
				  count == 1 ? "" : "s");
}

char *stored_text(const struct facts *facts)
{
	struct strbuf out = STRBUF_EMPTY;

	add_count(&out, facts->data_root.images, "image");
	add_count(&out, facts->data_root.containers, "container");
	add_count(&out, facts->data_root.volumes, "volume");
	if (!out.length)
		(void)strbuf_adds(&out, "an unknown number of images, containers and volumes");
	return strbuf_finish(&out);
}

bool array_has(const json_t *array, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (json_equal(json_array_get(array, i), value))
			return true;
	return false;
}

bool holds_nothing(const json_t *value)
{
	return json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

bool value_complies(const struct profile_row *row, const json_t *value)
{
	if (array_has(row->refuses, value))
		return false;
	if (row->non_empty_complies && !holds_nothing(value))
		return true;
	return json_equal(value, row->wanted) || array_has(row->complies, value) ||
	       (holds_nothing(value) && holds_nothing(row->wanted));
}
