#include "core/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "core/options_table.h"

/* A typo is two letters at most; further away it is another word. */
#define SUGGEST_DISTANCE_MAX 2

const struct option *options_table(size_t *ret_count)
{
	*ret_count = option_row_count;
	return option_rows;
}

static const char *row_name(const struct option *option)
{
	return option->key ? option->key : option->flag;
}

static int compare_row(const void *name, const void *row)
{
	return strcmp(name, row_name(row));
}

static const struct option *find_row(const char *name)
{
	return bsearch(name, option_rows, option_row_count, sizeof option_rows[0], compare_row);
}

const struct option *option_by_key(const char *key)
{
	const struct option *option = find_row(key);

	return option && option->key ? option : NULL;
}

const struct option *option_by_flag(const char *flag, size_t flag_length, struct dockerver version)
{
	const struct option *found = NULL;

	/* A command line has a dozen flags: walking a hundred rows for each costs a microsecond,
	 * and spares a second table in flag order that could disagree with the first. */
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option *option = &option_rows[i];
		if (!option->flag || strncmp(option->flag, flag, flag_length) != 0 ||
		    option->flag[flag_length])
			continue;
		if (!found || option_has_flag(option, version))
			found = option;
	}
	return found;
}

const struct option *option_by_shorthand(char shorthand)
{
	for (size_t i = 0; shorthand && i < option_row_count; i++)
		if (option_rows[i].shorthand == shorthand)
			return &option_rows[i];
	return NULL;
}

/* until is the last MAJOR.MINOR; unknown means for ever. */
static bool is_within(struct dockerver version, struct dockerver since, struct dockerver until)
{
	return dockerver_compare(version, since) >= 0 &&
	       (!dockerver_known(until) ||
		!dockerver_at_least(version, until.major, until.minor + 1));
}

static int compare_ignored(const void *key, const void *row)
{
	return strcmp(key, ((const struct ignored_key *)row)->key);
}

const struct ignored_key *ignored_key_find(const char *key, struct dockerver version)
{
	const struct ignored_key *row = bsearch(key, ignored_keys, ignored_key_count,
						sizeof ignored_keys[0], compare_ignored);

	return row && is_within(version, row->since, row->until) ? row : NULL;
}

/* [since, removed): the columns that say from when and until before when. */
static bool is_between(struct dockerver version, struct dockerver since, struct dockerver removed)
{
	return dockerver_compare(version, since) >= 0 &&
	       (!dockerver_known(removed) || dockerver_compare(version, removed) < 0);
}

bool option_has_key(const struct option *option, struct dockerver version)
{
	if (!option->key || !is_between(version, option->since, option->removed))
		return false;
	/* The plural was forgotten in the releases from the main branch; 17.12.1 had it, 18.01 had
	 * not (facts a.3). */
	bool forgotten = (version.major == 17 && version.patch == 0) ||
			 (version.major == 18 && version.minor == 1);
	return !forgotten || strcmp(option->key, "node-generic-resources") != 0;
}

static struct dockerver flag_removed(const struct option *option)
{
	return dockerver_known(option->flag_removed) ? option->flag_removed : option->removed;
}

bool option_has_flag(const struct option *option, struct dockerver version)
{
	bool own = dockerver_known(option->flag_since);

	return option->flag &&
	       is_between(version, own ? option->flag_since : option->since, flag_removed(option));
}

bool option_is_withdrawn(const struct option *option, struct dockerver version)
{
	return option->key && dockerver_known(option->removed) &&
	       is_between(version, option->removed, flag_removed(option));
}

bool option_is_ignored(const struct option *option, struct dockerver version)
{
	return dockerver_known(option->ignored_since) &&
	       dockerver_compare(version, option->ignored_since) >= 0;
}

bool option_reloads(const struct option *option, struct dockerver version)
{
	return dockerver_known(option->reload_since) && option_has_key(option, version) &&
	       is_within(version, option->reload_since, option->reload_until);
}

bool option_merges(const struct option *option, struct dockerver version)
{
	return dockerver_known(option->merge_since) &&
	       dockerver_compare(version, option->merge_since) >= 0;
}

static bool is_one_of(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

enum effect option_effect(const struct option *option, struct dockerver version)
{
	/* What dockerd hands only to the default bridge: it skips that step while containers run
	 * (facts b.2). */
	static const char *const bridge_keys[] = {
		"bridge",
		"bip",
		"bip6",
		"fixed-cidr",
		"fixed-cidr-v6",
		"default-gateway",
		"default-gateway-v6",
		"ipv6",
		"icc",
		"ip-masq",
		"ip",
		"mtu",
	};
	static const char *const data_keys[] = {"userns-remap", "storage-driver", "data-root",
						"graph"};

	if (!option->key)
		return EFFECT_RESTART;
	if (option_is_ignored(option, version))
		return EFFECT_NONE;
	if (option_reloads(option, version))
		return EFFECT_RELOAD;
	if (is_one_of(option->key, bridge_keys, array_size(bridge_keys)))
		return EFFECT_CONTAINERS;
	if (is_one_of(option->key, data_keys, array_size(data_keys)))
		return EFFECT_DATA;
	return EFFECT_RESTART;
}

json_t *option_default(const struct option *option, struct dockerver version)
{
	const char *json = option->default_json;

	for (size_t i = 0; option->key && i < dated_default_count; i++)
		if (strcmp(dated_defaults[i].key, option->key) == 0 &&
		    dockerver_compare(version, dated_defaults[i].until) < 0) {
			json = dated_defaults[i].json;
			break;
		}
	return json ? json_loads(json, JSON_DECODE_ANY, NULL) : json_null();
}

/* What Go's encoding/json takes for a string, number or boolean; null leaves the zero value. */
static bool is_string(const json_t *value)
{
	return json_is_string(value) || json_is_null(value);
}

static bool is_integer(const json_t *value)
{
	return json_is_integer(value) || json_is_null(value);
}

static bool is_boolean(const json_t *value)
{
	return json_is_boolean(value) || json_is_null(value);
}

static bool is_object(const json_t *value)
{
	return json_is_object(value) || json_is_null(value);
}

static bool every_item(const json_t *list, bool (*matches)(const json_t *))
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!matches(json_array_get(list, i)))
			return false;
	return json_is_array(list) || json_is_null(list);
}

static bool every_member(const json_t *object, bool (*matches)(const json_t *))
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		if (!matches(value))
			return false;
	return is_object(object);
}

static bool is_string_list(const json_t *value)
{
	return every_item(value, is_string);
}

static bool is_string_map(const json_t *value)
{
	return every_member(value, is_string);
}

struct field {
	const char *name;
	bool (*matches)(const json_t *);
};

/* A Go struct: members it does not have are skipped, names match in any letter case (facts a.7). */
static bool matches_struct(const json_t *value, const struct field *fields, size_t count)
{
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)value, key, member)
		for (size_t i = 0; i < count; i++)
			if (strcasecmp(fields[i].name, key) == 0 && !fields[i].matches(member))
				return false;
	return is_object(value);
}

static bool is_ulimit(const json_t *value)
{
	static const struct field fields[] = {
		{"Name", is_string}, {"Hard", is_integer}, {"Soft", is_integer}};

	return matches_struct(value, fields, array_size(fields));
}

static bool is_runtime(const json_t *value)
{
	static const struct field fields[] = {{"path", is_string},
					      {"runtimeArgs", is_string_list},
					      {"runtimeType", is_string},
					      {"options", is_object}};

	return matches_struct(value, fields, array_size(fields));
}

static bool is_address_pool(const json_t *value)
{
	static const struct field fields[] = {{"base", is_string}, {"size", is_integer}};

	return matches_struct(value, fields, array_size(fields));
}

/* Options whose value is more than its JSON type says. */
struct shape {
	const char *key;
	bool (*matches_member)(const json_t *);
	const char *expected;
};

static const struct shape shapes[] = {
	{"default-address-pools", is_address_pool,
	 "a list of objects like {\"base\": \"172.30.0.0/16\", \"size\": 24}"},
	{"default-network-opts", is_string_map, "an object of objects with string values"},
	{"default-ulimits", is_ulimit,
	 "an object of objects like {\"Name\": \"nofile\", \"Hard\": 64000, \"Soft\": 64000}"},
	{"features", is_boolean, "an object whose values are true or false"},
	{"runtimes", is_runtime, "an object of objects like {\"path\": \"/usr/bin/crun\"}"},
};

static const struct shape *find_shape(const struct option *option)
{
	for (size_t i = 0; option->key && i < array_size(shapes); i++)
		if (strcmp(shapes[i].key, option->key) == 0)
			return &shapes[i];
	return NULL;
}

bool option_type_matches(const struct option *option, const json_t *value,
			 const char **ret_expected)
{
	static const char *const expected[] = {
		[OPTION_BOOL] = "true or false, without quotes",
		[OPTION_INT] = "a whole number, without quotes",
		[OPTION_STRING] = "a string in double quotes",
		[OPTION_LIST] = "a list of strings, in [ ]",
		[OPTION_MAP] = "an object whose values are strings in double quotes",
		[OPTION_OBJECT] = "an object, in { }",
	};
	const struct shape *shape = find_shape(option);

	*ret_expected = shape ? shape->expected : expected[option->type];
	/* This type decodes itself (opts.MemBytes), and takes null for a bad size. */
	if (json_is_null(value))
		return !option->key || strcmp(option->key, "default-shm-size") != 0;
	switch (option->type) {
	case OPTION_BOOL:
		return is_boolean(value);
	case OPTION_INT:
		return is_integer(value);
	case OPTION_STRING:
		return is_string(value);
	case OPTION_LIST:
		return every_item(value, shape ? shape->matches_member : is_string);
	case OPTION_MAP:
		return every_member(value, shape ? shape->matches_member : is_string);
	case OPTION_OBJECT:
		return shape ? every_member(value, shape->matches_member) : is_object(value);
	}
	return false;
}

/* Lower is nearer; the letters' case is no difference worth a distance (facts a.7: "ICC"). */
static unsigned suggestion_distance(const char *key, const char *candidate)
{
	size_t a = strlen(key), b = strlen(candidate);

	if ((a > b ? a - b : b - a) > SUGGEST_DISTANCE_MAX)
		return SUGGEST_DISTANCE_MAX + 1;
	if (strcasecmp(key, candidate) == 0)
		return 0;
	return text_distance(key, candidate);
}

const char *option_suggest(const char *key, struct dockerver version)
{
	/* Of a short word, two changed letters leave nothing: "tls" is not a typo of "dns". */
	unsigned best = strlen(key) < 5 ? 1 : SUGGEST_DISTANCE_MAX;
	const char *suggestion = NULL;

	for (size_t i = 0; i < option_row_count; i++) {
		const struct option *option = &option_rows[i];
		if (!option_has_key(option, version) || option_is_ignored(option, version))
			continue;
		unsigned distance = suggestion_distance(key, option->key);
		if (distance <= best && (!suggestion || distance < best)) {
			best = distance;
			suggestion = option->key;
		}
	}
	/* A flag's name with a letter wrong leads to the key as well: "log_opt", "mirors". */
	for (size_t i = 0; !suggestion && i < ignored_key_count; i++)
		if (ignored_keys[i].use && suggestion_distance(key, ignored_keys[i].key) <= best &&
		    ignored_key_find(ignored_keys[i].key, version))
			suggestion = ignored_keys[i].use;
	return suggestion;
}
