#include "core/findings.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/findings_values.h"
#include "core/jsontext.h"

/* A suggestion compares a name with all others. A file with more unknown keys than this is not a
 * daemon.json with typos. */
#define SUGGESTIONS_MAX 64

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].key);
		free(findings->items[i].text);
	}
	free(findings->items);
	*findings = (struct findings){.items = NULL};
}

static int grow(struct findings *findings)
{
	if (findings->count & (findings->count - 1))
		return 0;
	size_t room = findings->count ? findings->count * 2 : 1;
	struct finding *items = reallocarray(findings->items, room, sizeof *items);
	if (!items)
		return -ENOMEM;
	findings->items = items;
	return 0;
}

void collection_add(struct collection *collection, enum finding_kind kind, bool fatal,
		    const char *key, struct place place, const char *format, ...)
{
	struct findings *findings = &collection->findings;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_free char *key_copy = strdup(key);
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	if (!key_copy || text.failed || grow(findings) < 0) {
		collection->out_of_memory = true;
		return;
	}
	findings->items[findings->count++] = (struct finding){
		.kind = kind,
		.fatal = fatal,
		.key = take_ptr(key_copy),
		.line = place.line,
		.column = place.column,
		.text = strbuf_finish(&text),
	};
}

/* The walk over the file. Positions are counted along with it, so that a file with very many keys
 * is not counted from its start for each of them. */
struct walk {
	struct collection *collection;
	size_t offset;
	struct place place; /* of offset */
	unsigned suggestions_left;
};

static struct place place_at(struct walk *walk, size_t offset)
{
	const struct collection *collection = walk->collection;

	while (walk->offset < offset) {
		const char *at = collection->text + walk->offset;
		size_t n = utf8_sequence_length(at, collection->length - walk->offset);
		if (*at == '\n')
			walk->place = (struct place){walk->place.line + 1, 0};
		walk->place.column++;
		walk->offset += n ? n : 1;
	}
	return walk->place;
}

/* One name that dockerd meets in the file: a top-level key, or, where it flattens an object, one of
 * its members. */
struct entry {
	const char *name;
	struct jsontext_span value;
	struct place place;
	const char *wrapper; /* the flattened object's key, or NULL */
};

/* "29.0" for a first release of a series, which is how people name it, "19.03.3" else. */
static const char *release_name(struct dockerver version, char buffer[static DOCKERVER_TEXT_SIZE])
{
	(void)dockerver_format(version, buffer);
	if (!version.patch)
		*strrchr(buffer, '.') = '\0';
	return buffer;
}

enum standing {
	STANDING_UNKNOWN,
	STANDING_FUTURE,
	STANDING_REMOVED,
	STANDING_WITHDRAWN, /* known to explain its removal */
	STANDING_IGNORED,
	STANDING_FLAG, /* the name of a flag that has no key: known, but decoded into nothing */
	STANDING_KEY,
};

/* What a name is to this version, and its row where it has one. */
static enum standing classify(const char *name, struct dockerver version,
			      const struct option **ret_option)
{
	const struct option *option = option_by_key(name);

	if (!option)
		option = option_by_flag(name, strlen(name), version);
	*ret_option = option;
	if (ignored_key_find(name, version))
		return STANDING_IGNORED;
	/* The name of a list flag stands for another key, and without its row among the ignored
	 * ones this version does not have it. */
	if (!option || (option->key && strcmp(option->key, name) != 0)) {
		*ret_option = NULL;
		return STANDING_UNKNOWN;
	}
	if (!option->key)
		return option_has_flag(option, version) ? STANDING_FLAG : STANDING_FUTURE;
	if (option_has_key(option, version))
		return option_is_ignored(option, version) ? STANDING_IGNORED : STANDING_KEY;
	if (option_is_withdrawn(option, version))
		return STANDING_WITHDRAWN;
	if (dockerver_known(option->removed) && dockerver_compare(version, option->removed) >= 0)
		return STANDING_REMOVED;
	return STANDING_FUTURE;
}

static bool is_known(enum standing standing)
{
	return standing >= STANDING_WITHDRAWN;
}

/* Parses an entry's value; NULL when out of memory (the text has been checked). */
static json_t *parse_value(struct collection *collection, struct jsontext_span span)
{
	json_t *value = json_loadb(collection->text + span.start, span.end - span.start,
				   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!value)
		collection->out_of_memory = true;
	return value;
}

/* What a value does to a boolean flag of the same name: dockerd prints it and lets the flag parse
 * that, so "t" and 1 count as well (facts a.1, step 5). Returns -1 where it is no boolean. */
static int as_flag_boolean(const json_t *value)
{
	bool truth;

	if (json_is_boolean(value))
		return json_is_true(value);
	if (json_is_integer(value))
		return json_integer_value(value) == 0 ? 0 : json_integer_value(value) == 1 ? 1 : -1;
	return json_is_string(value) && flag_parse_bool(json_string_value(value), &truth) ? truth
											  : -1;
}

static const char *suggest(struct walk *walk, const char *name)
{
	if (!walk->suggestions_left)
		return NULL;
	walk->suggestions_left--;
	return option_suggest(name, walk->collection->version);
}

static void add_unknown(struct walk *walk, const struct entry *entry)
{
	struct collection *collection = walk->collection;
	const char *wrapper = entry->wrapper;
	const char *nearest = suggest(walk, entry->name);
	cleanup_strbuf struct strbuf hint = STRBUF_EMPTY;

	if (wrapper && !nearest) {
		const char *meant = suggest(walk, wrapper);
		if (meant)
			(void)strbuf_addf(&hint, " If \"%s\" is meant, rename \"%s\".", meant,
					  wrapper);
	}
	if (nearest)
		(void)strbuf_addf(&hint, " Did you mean \"%s\"?", nearest);
	else if (!hint.length)
		(void)strbuf_adds(&hint, " Remove it.");
	if (hint.failed) {
		collection->out_of_memory = true;
		return;
	}
	collection_add(
		collection, FINDING_UNKNOWN_KEY, true, entry->name, entry->place,
		"No version of dockerd has the option \"%s\"%s%s%s, so dockerd will not start.%s",
		entry->name, wrapper ? " (\"" : "", wrapper ? wrapper : "",
		wrapper ? "\" is no object that it knows, so its members are read as options)" : "",
		hint.data);
}

static void add_not_here(struct walk *walk, const struct entry *entry, enum standing standing,
			 const struct option *option)
{
	struct collection *collection = walk->collection;
	char when[DOCKERVER_TEXT_SIZE];
	bool future = standing == STANDING_FUTURE;
	struct dockerver since =
		dockerver_compare(collection->version, option->since) < 0
			? option->since
			: (struct dockerver){18, 2, 0}; /* node-generic-resources, facts a.3 */

	if (future)
		collection_add(collection, FINDING_FUTURE_KEY, true, entry->name, entry->place,
			       "\"%s\" came with Docker %s; dockerd %s does not know it and will "
			       "not start. Remove it, or upgrade Docker first.",
			       entry->name, release_name(since, when), collection->version_text);
	else
		collection_add(collection, FINDING_REMOVED_KEY, true, entry->name, entry->place,
			       "\"%s\" was removed in Docker %s, and dockerd %s will not start "
			       "with it. Remove it.",
			       entry->name, release_name(option->removed, when),
			       collection->version_text);
}

/* validate and restart are variables of the command line that the file reaches by accident
 * (facts a.8). */
static void check_flag_name(struct walk *walk, const struct entry *entry)
{
	struct collection *collection = walk->collection;
	json_t *value = parse_value(collection, entry->value);
	int truth = value ? as_flag_boolean(value) : -1;

	json_decref(value);
	if (strcmp(entry->name, "validate") == 0 && truth == 1)
		collection_add(collection, FINDING_SIDE_EFFECT, true, entry->name, entry->place,
			       "With \"validate\": true in daemon.json, dockerd checks its "
			       "configuration, says so and exits instead of starting. Remove it.");
	else if (strcmp(entry->name, "restart") == 0 && truth == 0)
		collection_add(collection, FINDING_SIDE_EFFECT, false, entry->name, entry->place,
			       "With \"restart\": false, dockerd does not restart containers when "
			       "it starts, whatever their restart policy says. Remove it unless "
			       "that is wanted.");
	else
		collection_add(collection, FINDING_IGNORED_KEY, false, entry->name, entry->place,
			       "\"%s\" is a flag for the command line; in daemon.json it does "
			       "nothing. Remove it.",
			       entry->name);
}

static void add_ignored(struct walk *walk, const struct entry *entry)
{
	struct collection *collection = walk->collection;
	const struct ignored_key *row = ignored_key_find(entry->name, collection->version);
	const char *dot = row && row->use ? strchr(row->use, '.') : NULL;

	if (dot)
		collection_add(collection, FINDING_IGNORED_KEY, false, entry->name, entry->place,
			       "dockerd accepts \"%s\" here and does nothing with it. Write "
			       "\"%.*s\": {\"%s\": ...} instead.",
			       entry->name, (int)(dot - row->use), row->use, dot + 1);
	else if (row && row->use)
		collection_add(collection, FINDING_IGNORED_KEY, false, entry->name, entry->place,
			       "dockerd accepts \"%s\" and does nothing with it: that is the "
			       "flag's name. In daemon.json the option is called \"%s\".",
			       entry->name, row->use);
	else
		collection_add(collection, FINDING_IGNORED_KEY, false, entry->name, entry->place,
			       "dockerd %s accepts \"%s\" and does nothing with it. Remove it.",
			       collection->version_text, entry->name);
}

/* A key that this version only knows to explain why it is gone: an empty value passes. */
static void check_withdrawn(struct walk *walk, const struct entry *entry,
			    const struct option *option, const json_t *value)
{
	struct collection *collection = walk->collection;
	bool empty = json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
		     (json_is_integer(value) && !json_integer_value(value)) ||
		     (json_is_object(value) && !json_object_size(value));
	char when[DOCKERVER_TEXT_SIZE];

	collection_add(collection, FINDING_REMOVED_KEY, !empty, entry->name, entry->place,
		       "\"%s\" was removed in Docker %s%s Remove it.", entry->name,
		       release_name(option->removed, when),
		       empty ? "; an empty value still passes, until the next version."
			     : ", and dockerd will not start with a value for it.");
}

/* The occurrence's own value: a wrong type counts even where a later occurrence is right. */
static void check_decoded(struct walk *walk, const struct entry *entry, const struct option *option,
			  bool withdrawn)
{
	struct collection *collection = walk->collection;
	json_t *value = parse_value(collection, entry->value);
	const char *expected;
	char since[DOCKERVER_TEXT_SIZE];

	if (!value)
		return;
	if (!option_type_matches(option, value, &expected))
		collection_add(collection, FINDING_WRONG_TYPE, true, entry->name, entry->place,
			       "\"%s\" must be %s; with anything else dockerd will not start.",
			       entry->name, expected);
	else if (withdrawn)
		check_withdrawn(walk, entry, option, value);
	else if (dockerver_known(option->deprecated) &&
		 dockerver_compare(collection->version, option->deprecated) >= 0)
		collection_add(collection, FINDING_DEPRECATED_KEY, false, entry->name, entry->place,
			       "\"%s\" has been deprecated since Docker %s and may stop a later "
			       "version from starting. Plan to remove it.",
			       entry->name, release_name(option->deprecated, since));
	json_decref(value);
}

/* The name under which dockerd looks for a flag in the file. */
static const char *name_in_file(const struct option *option)
{
	return option->key ? option->key : option->flag;
}

static bool collides(const struct flag *flag, const char *name, struct dockerver version)
{
	if (option_merges(flag->option, version))
		return false;
	/* The old key is refused beside the flag as well (facts a.4). */
	return strcmp(name_in_file(flag->option), name) == 0 ||
	       (strcmp(name, "host-gateway-ip") == 0 &&
		text_equal(flag->option->flag, "host-gateway-ip"));
}

static void check_given_twice(struct walk *walk, const struct entry *entry)
{
	struct collection *collection = walk->collection;

	for (size_t i = 0; collection->flags && i < collection->flags->count; i++) {
		const struct flag *flag = &collection->flags->items[i];
		if (!collides(flag, entry->name, collection->version))
			continue;
		collection_add(collection, FINDING_GIVEN_TWICE, true, entry->name, entry->place,
			       "\"%s\" is set here and as --%s on dockerd's command line%s%s. "
			       "dockerd refuses that and will not start, even when both say the "
			       "same. Keep one of them.",
			       entry->name, flag->option->flag,
			       flag->variable ? ", through the variable " : "",
			       flag->variable ? flag->variable : "");
		return;
	}
}

static void check_known(struct walk *walk, const struct entry *entry, enum standing standing,
			const struct option *option)
{
	if (standing == STANDING_IGNORED)
		add_ignored(walk, entry);
	else if (standing == STANDING_FLAG)
		check_flag_name(walk, entry);
	else
		check_decoded(walk, entry, option, standing == STANDING_WITHDRAWN);
	check_given_twice(walk, entry);
}

/* A known name inside an object that dockerd flattens (facts a.2). */
static void check_wrapped_known(struct walk *walk, const struct entry *entry,
				enum standing standing, const struct option *option)
{
	struct collection *collection = walk->collection;
	static const char *const presence_counts[] = {"live-restore", "tlsverify"};
	static const char *const copied_before[] = {"debug", "tls"};
	const char *effect = "does nothing with it there";

	if (standing == STANDING_FLAG) {
		check_flag_name(walk, entry);
	} else {
		if (option && option->type == OPTION_BOOL && standing == STANDING_KEY)
			effect = "lets it take effect by accident, at its start";
		for (size_t i = 0; i < array_size(copied_before); i++)
			if (strcmp(entry->name, copied_before[i]) == 0)
				effect = "does nothing with it there";
		if (strcmp(entry->name, presence_counts[0]) == 0)
			effect = "lets it take effect at its start, and takes it back at the next "
				 "reload";
		if (strcmp(entry->name, presence_counts[1]) == 0)
			effect = "turns TLS on for it (without tlscert and tlskey in the file it "
				 "will not start)";
		bool fatal =
			strcmp(entry->name, presence_counts[1]) == 0 && !tls_has_keys(collection);
		collection_add(collection, FINDING_WRAPPED_KEY, fatal, entry->name, entry->place,
			       "\"%s\" stands inside \"%s\". dockerd accepts that without a word "
			       "and %s. Move it to the top level or remove it.",
			       entry->name, entry->wrapper, effect);
	}
	check_given_twice(walk, entry);
}

/* Whether an object under this key is an option's value, and not flattened (facts a.2). */
static bool is_flat(const char *key, struct dockerver version)
{
	static const struct {
		const char *key;
		struct dockerver since;
	} flat[] = {
		{"cluster-store-opts", {17, 12, 0}},
		{"log-opts", {17, 12, 0}},
		{"runtimes", {17, 12, 0}},
		{"default-ulimits", {17, 12, 0}},
		{"features", {18, 9, 0}},
		{"builder", {18, 9, 0}},
		{"default-network-opts", {24, 0, 0}},
		{"nri-opts", {29, 2, 0}},
	};

	for (size_t i = 0; i < array_size(flat); i++)
		if (strcmp(flat[i].key, key) == 0)
			return dockerver_compare(version, flat[i].since) >= 0;
	return false;
}

/* The option that Go decodes a flattened object into: struct fields match in any letter case. */
static const struct option *decoded_option(const char *key, struct dockerver version)
{
	char lower[64]; /* longer than the name of any option */
	size_t length = strlen(key);

	if (length >= sizeof lower)
		return NULL;
	for (size_t i = 0; i <= length; i++)
		lower[i] = (char)tolower((unsigned char)key[i]);
	const struct option *option = option_by_key(lower);
	bool decoded = option && !option_is_ignored(option, version) &&
		       (option_has_key(option, version) || option_is_withdrawn(option, version));
	return decoded ? option : NULL;
}

/* A proxy in its right place, which is a wrapper that dockerd decodes. */
static void check_proxy(struct walk *walk, const struct entry *entry)
{
	struct collection *collection = walk->collection;
	char first = collection->text[entry->value.start];

	if (first != '"' && first != 'n')
		collection_add(collection, FINDING_WRONG_TYPE, true, entry->name, entry->place,
			       "\"%s\" must be a string in double quotes; with anything else "
			       "dockerd will not start.",
			       entry->name);
	check_given_twice(walk, entry);
}

static void check_member(struct walk *walk, const struct entry *entry, bool in_proxies)
{
	const struct option *option;
	enum standing standing = classify(entry->name, walk->collection->version, &option);

	if (in_proxies && standing == STANDING_IGNORED && text_ends_with(entry->name, "-proxy"))
		check_proxy(walk, entry);
	else if (is_known(standing))
		check_wrapped_known(walk, entry, standing, option);
	else if (standing == STANDING_UNKNOWN)
		add_unknown(walk, entry);
	else
		add_not_here(walk, entry, standing, option);
}

static struct entry make_entry(struct walk *walk, const char *name,
			       const struct jsontext_member *member, const char *wrapper)
{
	return (struct entry){name, member->value, place_at(walk, member->key.start), wrapper};
}

/* Fields of dockerd's configuration that have a name in JSON but no flag, so that the name is
 * unknown; flattening lets an object through, but not into them (facts a.3). */
static bool is_hidden_field(const char *name, struct dockerver version)
{
	static const struct {
		const char *name;
		struct dockerver since;
	} fields[] = {
		{"default-init", {17, 12, 0}},
		{"swarm-raft-election-tick", {18, 4, 0}},
		{"swarm-raft-heartbeat-tick", {18, 4, 0}},
		{"resolv-conf", {18, 9, 0}},
		{"containerd-plugin-namespace", {19, 3, 3}},
	};

	for (size_t i = 0; i < array_size(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return dockerver_compare(version, fields[i].since) >= 0;
	return false;
}

/* An empty object passes under any name. */
static void add_empty_wrapper(struct walk *walk, const struct entry *wrapper)
{
	struct collection *collection = walk->collection;

	if (ignored_key_find(wrapper->name, collection->version)) {
		add_ignored(walk, wrapper);
		return;
	}
	const char *nearest = suggest(walk, wrapper->name);
	collection_add(collection, FINDING_WRAPPED_KEY, false, wrapper->name, wrapper->place,
		       "dockerd does not know \"%s\". It passes only because it is an empty "
		       "object, and does nothing. %s%s%s",
		       wrapper->name, nearest ? "Did you mean \"" : "Remove it.",
		       nearest ? nearest : "", nearest ? "\"?" : "");
}

/* An object that is no option's value: dockerd never asks for its name, only for its members'. */
static int check_wrapper(struct walk *walk, const struct entry *wrapper, struct error *error)
{
	struct collection *collection = walk->collection;
	const struct option *option = decoded_option(wrapper->name, collection->version);
	bool in_proxies = option && text_equal(option->key, "proxies");
	struct jsontext_member member;
	size_t cursor = 0, count = 0;

	if (option && !in_proxies) {
		size_t before = collection->findings.count;
		check_decoded(walk, wrapper, option, false);
		if (collection->findings.count > before)
			return 0;
	}
	for (; jsontext_next_member(collection->text, collection->length, wrapper->value.start,
				    &cursor, &member);
	     count++) {
		cleanup_free char *name = NULL;
		int r = jsontext_decode_string(collection->text, member.key, &name, error);
		if (r < 0)
			return r;
		struct entry entry = make_entry(walk, name, &member, wrapper->name);
		check_member(walk, &entry, in_proxies);
	}
	if (!count && !in_proxies)
		add_empty_wrapper(walk, wrapper);
	return 0;
}

static int check_top_level(struct walk *walk, const struct entry *entry, struct error *error)
{
	const struct collection *collection = walk->collection;
	const struct option *option;

	if (collection->text[entry->value.start] == '{' &&
	    !is_hidden_field(entry->name, collection->version) &&
	    !is_flat(entry->name, collection->version))
		return check_wrapper(walk, entry, error);

	enum standing standing = classify(entry->name, collection->version, &option);
	if (is_known(standing))
		check_known(walk, entry, standing, option);
	else if (standing == STANDING_UNKNOWN)
		add_unknown(walk, entry);
	else
		add_not_here(walk, entry, standing, option);
	return 0;
}

static int check_file(struct collection *collection, struct error *error)
{
	struct walk walk = {
		.collection = collection,
		.place = {1, 1},
		.suggestions_left = SUGGESTIONS_MAX,
	};
	const struct jsontext_path top = {.count = 0};
	struct jsontext_member document, member;
	size_t cursor = 0;

	if (!jsontext_find(collection->text, collection->length, &top, &document) ||
	    collection->text[document.value.start] != '{')
		return 0;
	while (jsontext_next_member(collection->text, collection->length, document.value.start,
				    &cursor, &member)) {
		cleanup_free char *name = NULL;
		int r = jsontext_decode_string(collection->text, member.key, &name, error);
		if (r < 0)
			return r;
		struct entry entry = make_entry(&walk, name, &member, NULL);
		r = check_top_level(&walk, &entry, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* dockerd 23.0 began to look for a byte order mark and to take a blank file (facts a.6). */
static void check_encoding(struct collection *collection, bool exists)
{
	bool has_bom = collection->length >= 3 && memcmp(collection->text, "\xEF\xBB\xBF", 3) == 0;
	const struct place start = {1, 1};

	if (!exists || collection_at_least(collection, 23, 0))
		return;
	if (has_bom)
		collection_add(collection, FINDING_ENCODING, true, "daemon.json", start,
			       "The file begins with a byte order mark, and dockerd %s will not "
			       "start with it. Save it as UTF-8 without BOM.",
			       collection->version_text);
	else if (jsontext_is_blank(collection->text, collection->length))
		collection_add(collection, FINDING_ENCODING, true, "daemon.json", start,
			       "The file is empty, and dockerd %s will not start with that. Write "
			       "{} into it or remove it.",
			       collection->version_text);
}

static void check_problems(struct collection *collection)
{
	const struct flags *flags = collection->flags;

	for (size_t i = 0; i < flags->problem_count; i++)
		collection_add(collection, FINDING_BAD_FLAG, true, flags->problems[i].name,
			       (struct place){0, 0}, "%s", flags->problems[i].text);
}

static void add_flag_finding(struct collection *collection, enum finding_kind kind, bool fatal,
			     const struct flag *flag, const char *format)
{
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;

	if (strbuf_addf(&name, "--%s", flag->option->flag) < 0)
		collection->out_of_memory = true;
	else
		collection_add(collection, kind, fatal, name.data, (struct place){0, 0}, "%s %s",
			       name.data, format);
}

static void check_flag(struct collection *collection, const struct flag *flag)
{
	const struct option *option = flag->option;
	const char *name = option->flag;
	bool truth = false;
	bool is_on = option->type == OPTION_BOOL && flag_parse_bool(flag->value, &truth) && truth;

	if (strcmp(name, "disable-legacy-registry") == 0)
		add_flag_finding(collection, FINDING_BAD_FLAG, true, flag,
				 "is refused in any form: the option was removed, and dockerd will "
				 "not start. Remove the flag.");
	else if (option_is_withdrawn(option, collection->version) && *flag->value &&
		 strcmp(flag->value, "0") != 0)
		add_flag_finding(collection, FINDING_BAD_FLAG, true, flag,
				 "belongs to an option that was removed, and dockerd will not "
				 "start with a value for it. Remove the flag.");
	else if (is_on && (strcmp(name, "validate") == 0 || strcmp(name, "help") == 0 ||
			   strcmp(name, "version") == 0))
		add_flag_finding(collection, FINDING_SIDE_EFFECT, true, flag,
				 "makes dockerd print something and exit instead of starting. "
				 "Remove the flag.");
	else if (!is_on && strcmp(name, "tlsverify") == 0 &&
		 collection_at_least(collection, 20, 10) && !tls_has_keys(collection))
		add_flag_finding(
			collection, FINDING_BAD_FLAG, true, flag,
			"turns TLS on even when it is false, and there is no tlscert and "
			"tlskey then, so dockerd will not start. Remove the flag if TLS is "
			"not wanted.");
	else if (!is_on && strcmp(name, "restart") == 0)
		add_flag_finding(collection, FINDING_SIDE_EFFECT, false, flag,
				 "is false, so dockerd does not restart containers when it starts, "
				 "whatever their restart policy says.");
	else if (dockerver_known(option->deprecated) &&
		 dockerver_compare(collection->version, option->deprecated) >= 0)
		add_flag_finding(collection, FINDING_DEPRECATED_KEY, false, flag,
				 "is deprecated and may stop a later version of dockerd from "
				 "starting. Plan to remove it.");
}

static bool stands_before(const struct finding *a, const struct finding *b)
{
	/* What is not about the file comes last. */
	if (!a->line || !b->line)
		return a->line && !b->line;
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Puts the few findings from `first` on among the others, which are in the order of the file; by
 * insertion, because it is stable. */
static void sort_in(struct findings *findings, size_t first)
{
	for (size_t i = first; i < findings->count; i++) {
		struct finding moving = findings->items[i];
		size_t low = 0, high = i;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (stands_before(&moving, &findings->items[middle]))
				high = middle;
			else
				low = middle + 1;
		}
		memmove(&findings->items[low + 1], &findings->items[low],
			(i - low) * sizeof moving);
		findings->items[low] = moving;
	}
}

int findings_collect(const char *text, size_t length, bool exists, const json_t *document,
		     const struct flags *flags, struct dockerver version, struct findings *ret,
		     struct error *error)
{
	struct collection collection = {
		.text = text,
		.length = length,
		.document = document,
		.flags = flags,
		.version = version,
	};
	int r = 0;

	(void)dockerver_format(version, collection.version_text);
	check_encoding(&collection, exists);
	if (exists && !jsontext_is_blank(text, length))
		r = check_file(&collection, error);
	size_t in_order = collection.findings.count;
	collect_value_findings(&collection);
	if (flags) {
		check_problems(&collection);
		for (size_t i = 0; i < flags->count; i++)
			check_flag(&collection, &flags->items[i]);
	}
	sort_in(&collection.findings, in_order);
	if (r == 0 && collection.out_of_memory)
		r = error_set_oom(error);
	if (r < 0) {
		findings_done(&collection.findings);
		return r;
	}
	*ret = collection.findings;
	return 0;
}
