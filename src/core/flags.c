#include "core/flags.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

static void flag_done(struct flag *flag)
{
	free(flag->value);
	free(flag->variable);
}

void flags_done(struct flags *flags)
{
	for (size_t i = 0; i < flags->count; i++)
		flag_done(&flags->items[i]);
	for (size_t i = 0; i < flags->problem_count; i++) {
		free(flags->problems[i].name);
		free(flags->problems[i].text);
	}
	free(flags->items);
	free(flags->problems);
	*flags = (struct flags){.items = NULL};
}

bool flag_parse_bool(const char *text, bool *ret)
{
	static const struct {
		const char *text;
		bool value;
	} spellings[] = {
		{"1", true},    {"t", true},      {"T", true},      {"TRUE", true},
		{"true", true}, {"True", true},   {"0", false},     {"f", false},
		{"F", false},   {"FALSE", false}, {"false", false}, {"False", false},
	};

	for (size_t i = 0; i < array_size(spellings); i++)
		if (strcmp(spellings[i].text, text) == 0) {
			*ret = spellings[i].value;
			return true;
		}
	return false;
}

/* Go's strconv.ParseInt(text, 0, 64): an optional base prefix (0x, 0o, 0b, or 0 alone), and
 * underscores between digits. */
static bool parse_int(const char *text, json_int_t *ret)
{
	char digits[72];
	size_t count = 0;
	int base = 10;
	bool negative = *text == '-';

	text += negative || *text == '+';
	if (text[0] == '0' && text[1]) {
		static const char prefixes[] = "xXoObB";
		const char *prefix = strchr(prefixes, text[1]);
		base = !prefix ? 8 : (int[]){16, 8, 2}[(prefix - prefixes) / 2];
		text += prefix ? 2 : 1;
		text += *text == '_';
	}
	for (; *text && count < sizeof digits - 2; text++) {
		bool separator = *text == '_' && count && text[1] && text[1] != '_';
		if (!separator)
			digits[count++] = *text;
	}
	digits[count] = '\0';
	/* strtoll() would take space and another sign here. */
	if (*text || !count || strspn(digits, "0123456789abcdefABCDEF") < count)
		return false;

	char *end;
	errno = 0;
	long long number = strtoll(digits, &end, base);
	if (errno || *end)
		return false;
	*ret = negative ? -number : number;
	return true;
}

bool ulimit_is_known(const char *name)
{
	static const char *const names[] = {"core",    "cpu",      "data",   "fsize",      "locks",
					    "memlock", "msgqueue", "nice",   "nofile",     "nproc",
					    "rss",     "rtprio",   "rttime", "sigpending", "stack"};

	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* How a flag's value becomes the JSON that daemon.json would hold. Each adds what one occurrence of
 * the flag says to the value so far (NULL before the first) and returns false when dockerd would
 * refuse it; *ret is a new value for single ones, else the same container. */
typedef bool (*convert)(const char *text, json_t **value);

static bool replace(json_t **value, json_t *with)
{
	json_decref(*value);
	*value = with;
	return with != NULL;
}

static bool convert_bool(const char *text, json_t **value)
{
	bool truth;

	return flag_parse_bool(text, &truth) && replace(value, json_boolean(truth));
}

static bool convert_int(const char *text, json_t **value)
{
	json_int_t number;

	return parse_int(text, &number) && replace(value, json_integer(number));
}

static bool convert_string(const char *text, json_t **value)
{
	return replace(value, json_string(text));
}

static bool is_ip_address(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool convert_ip(const char *text, json_t **value)
{
	/* Empty is no address, and passes (opts.IPOpt). */
	return (!*text || is_ip_address(text)) && convert_string(text, value);
}

static bool ensure_object(json_t **value)
{
	if (!*value)
		*value = json_object();
	return *value != NULL;
}

static bool convert_list(const char *text, json_t **value)
{
	if (!*value)
		*value = json_array();
	return *value && json_array_append_new(*value, json_string(text)) == 0;
}

/* Cuts "name=rest" in two: the name is a copy, the rest borrowed, or NULL without an equals sign.
 */
static char *cut(const char *text, const char **ret_rest)
{
	const char *equals = strchr(text, '=');

	*ret_rest = equals ? equals + 1 : NULL;
	return equals ? strndup(text, (size_t)(equals - text)) : strdup(text);
}

/* "name=value"; a name alone has the value "" (MapOpts.Set). */
static bool convert_map(const char *text, json_t **value)
{
	const char *rest;
	cleanup_free char *name = cut(text, &rest);

	return name && ensure_object(value) &&
	       json_object_set_new(*value, name, json_string(rest ? rest : "")) == 0;
}

/* "driver=name=value" (MapMapOpts.Set) */
static bool convert_map_of_maps(const char *text, json_t **value)
{
	const char *rest;
	cleanup_free char *name = cut(text, &rest);

	if (!name || !rest || !strchr(rest, '=') || !ensure_object(value))
		return false;
	json_t *map = json_object_get(*value, name);
	json_t *inner = map ? json_incref(map) : json_object();
	if (!convert_map(rest, &inner)) {
		json_decref(inner);
		return false;
	}
	return json_object_set_new(*value, name, inner) == 0;
}

/* "name" or "name=bool" (SetOpts.Set) */
static bool convert_feature(const char *text, json_t **value)
{
	const char *rest;
	cleanup_free char *name = cut(text, &rest);
	bool truth = true;

	return name && *name && (!rest || flag_parse_bool(rest, &truth)) && ensure_object(value) &&
	       json_object_set_new(*value, name, json_boolean(truth)) == 0;
}

static bool parse_limit(const char *text, json_int_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *text && !strchr(" \t\n\v\f\r", *text) && !*end && !errno;
}

/* "nofile=soft[:hard]"; -1 is unlimited (units.ParseUlimit). */
static bool convert_ulimit(const char *text, json_t **value)
{
	const char *rest;
	cleanup_free char *name = cut(text, &rest);
	json_int_t soft, hard;

	if (!name || !rest)
		return false;
	const char *colon = strchr(rest, ':');
	cleanup_free char *first = colon ? strndup(rest, (size_t)(colon - rest)) : strdup(rest);
	if (!first || !parse_limit(first, &soft) || !parse_limit(colon ? colon + 1 : first, &hard))
		return false;
	if (!ulimit_is_known(name) || (hard != -1 && (soft == -1 || soft > hard)))
		return false;
	return ensure_object(value) &&
	       json_object_set_new(
		       *value, name,
		       json_pack("{s:s, s:I, s:I}", "Name", name, "Hard", hard, "Soft", soft)) == 0;
}

static bool convert_runtime(const char *text, json_t **value)
{
	const char *path;
	cleanup_free char *name = cut(text, &path);

	if (!name || !*name || !path || !*path)
		return false;
	for (char *letter = name; *letter; letter++)
		if (*letter >= 'A' && *letter <= 'Z')
			*letter = (char)(*letter - 'A' + 'a'); /* RuntimeOpt.Set lowers it */
	return ensure_object(value) && !json_object_get(*value, name) &&
	       json_object_set_new(*value, name, json_pack("{s:s}", "path", path)) == 0;
}

/* Calls add() for each "name=value" of a comma-separated list. */
static bool each_field(const char *text, json_t *object,
		       bool (*add)(json_t *object, const char *name, const char *value))
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy;

	for (char *field; (field = strsep(&rest, ","));) {
		char *value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		if (!add(object, field, value))
			return false;
	}
	return copy != NULL;
}

static bool add_pool_field(json_t *pool, const char *name, const char *value)
{
	json_int_t size;

	if (value && strcasecmp(name, "base") == 0)
		return json_object_set_new(pool, "base", json_string(value)) == 0;
	return value && strcasecmp(name, "size") == 0 && parse_limit(value, &size) &&
	       json_object_set_new(pool, "size", json_integer(size)) == 0;
}

/* "base=172.30.0.0/16,size=24" (PoolsOpt.Set) */
static bool convert_address_pool(const char *text, json_t **value)
{
	json_t *pool = json_object();

	if (!*value)
		*value = json_array();
	if (!pool || !*value || !each_field(text, pool, add_pool_field)) {
		json_decref(pool);
		return false;
	}
	return json_array_append_new(*value, pool) == 0;
}

static bool add_nri_field(json_t *object, const char *name, const char *value)
{
	bool truth = true;

	if (strcmp(name, "enable") == 0)
		return (!value || !*value || flag_parse_bool(value, &truth)) &&
		       json_object_set_new(object, name, json_boolean(truth)) == 0;
	return (strcmp(name, "plugin-path") == 0 || strcmp(name, "plugin-config-path") == 0 ||
		strcmp(name, "socket-path") == 0) &&
	       json_object_set_new(object, name, json_string(value ? value : "")) == 0;
}

/* "enable=true,socket-path=…" (NamedNRIOpts.Set) */
static bool convert_nri(const char *text, json_t **value)
{
	return ensure_object(value) && each_field(text, *value, add_nri_field);
}

/* "gpu=1": exactly one "=" (opts.ValidateSingleGenericResource) */
static bool convert_resource(const char *text, json_t **value)
{
	const char *equals = strchr(text, '=');

	return equals && !strchr(equals + 1, '=') && convert_list(text, value);
}

/* The flags that dockerd reads otherwise than their JSON type says, and what it wants. */
struct conversion {
	const char *flag;
	convert convert;
	const char *wanted;
};

static const struct conversion conversions[] = {
	{"add-runtime", convert_runtime, "NAME=PATH, each name once"},
	{"default-address-pool", convert_address_pool, "base=NETWORK,size=BITS"},
	{"default-gateway", convert_ip, "an IP address"},
	{"default-gateway-v6", convert_ip, "an IP address"},
	{"default-network-opt", convert_map_of_maps, "DRIVER=NAME=VALUE"},
	{"default-ulimit", convert_ulimit, "NAME=SOFT[:HARD] with SOFT not above HARD"},
	{"feature", convert_feature, "NAME or NAME=true|false"},
	{"ip", convert_ip, "an IP address"},
	{"node-generic-resource", convert_resource, "NAME=VALUE"},
	{"nri-opts", convert_nri, "enable=true|false and paths, with commas between them"},
};

static struct conversion find_conversion(const struct option *option)
{
	static const struct conversion by_type[] = {
		[OPTION_BOOL] = {NULL, convert_bool, "true or false"},
		[OPTION_INT] = {NULL, convert_int, "a whole number"},
		[OPTION_STRING] = {NULL, convert_string, "a word"},
		[OPTION_LIST] = {NULL, convert_list, "a word"},
		[OPTION_MAP] = {NULL, convert_map, "NAME=VALUE"},
		[OPTION_OBJECT] = {NULL, convert_map, "NAME=VALUE"},
	};

	for (size_t i = 0; i < array_size(conversions); i++)
		if (strcmp(conversions[i].flag, option->flag) == 0)
			return conversions[i];
	return by_type[option->type];
}

/* A byte that is not UTF-8 becomes U+FFFD, as in Go's encoding/json: jansson takes no other text.
 */
static char *valid_utf8(const char *text)
{
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	size_t length = strlen(text);

	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = utf8_sequence_length(text + i, length - i);
		(void)strbuf_add(&out, n ? text + i : "\xEF\xBF\xBD", n ? n : 3);
	}
	return strbuf_finish(&out);
}

/* One occurrence of the flag, added to *value: 0, -EINVAL when dockerd refuses it, or -ENOMEM,
 * which the conversions leave in errno, as malloc() does. */
static int add_occurrence(const struct option *option, const char *text, json_t **value)
{
	cleanup_free char *valid = valid_utf8(text);

	if (!valid)
		return -ENOMEM;
	errno = 0;
	if (find_conversion(option).convert(valid, value))
		return 0;
	return errno == ENOMEM ? -ENOMEM : -EINVAL;
}

const struct flag *flags_find(const struct flags *flags, const struct option *option)
{
	for (size_t i = 0; i < flags->count; i++)
		if (flags->items[i].option == option)
			return &flags->items[i];
	return NULL;
}

int flags_value(const struct flags *flags, const struct option *option, json_t **ret,
		const struct flag **ret_first, struct error *error)
{
	const struct flag *first = flags_find(flags, option);
	json_t *value = NULL;

	for (size_t i = 0; first && i < flags->count; i++) {
		if (flags->items[i].option != option)
			continue;
		/* flags_parse() has tried each item, so what can fail here is memory. */
		if (add_occurrence(option, flags->items[i].value, &value) < 0) {
			json_decref(value);
			return error_set_oom(error);
		}
	}
	*ret = value;
	if (ret_first)
		*ret_first = first;
	return 0;
}

/* Whether dockerd takes the value in view of those that came before: 0, -EINVAL or -ENOMEM. */
static int try_value(const struct flags *flags, const struct option *option, const char *text)
{
	json_t *value = NULL;
	int r = 0;

	/* The only flag that minds what came before: a runtime is defined once (RuntimeOpt.Set). */
	if (find_conversion(option).convert == convert_runtime)
		r = flags_value(flags, option, &value, NULL, NULL);
	if (r == 0)
		r = add_occurrence(option, text, &value);
	json_decref(value);
	return r;
}

struct reader {
	const struct words *words;
	size_t at; /* index of the next word */
	struct dockerver version;
	/* Of the flag at hand: see struct flag. */
	size_t span_at;
	size_t span_length;
	struct flags flags;
};

static int __attribute__((format(printf, 4, 5)))
add_problem(struct reader *reader, size_t word, const char *name, const char *format, ...)
{
	struct flags *flags = &reader->flags;
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	cleanup_free char *name_copy = strdup(name);
	va_list arguments;

	va_start(arguments, format);
	(void)strbuf_addv(&text, format, arguments);
	va_end(arguments);
	if (!name_copy || text.failed)
		return -ENOMEM;

	struct flag_problem *problems =
		reallocarray(flags->problems, flags->problem_count + 1, sizeof *problems);
	if (!problems)
		return -ENOMEM;
	flags->problems = problems;
	problems[flags->problem_count++] = (struct flag_problem){
		.word = word, .name = take_ptr(name_copy), .text = strbuf_finish(&text)};
	return 0;
}

/* Appends the flag unless dockerd would refuse its value. name is for the message. */
static int add_flag(struct reader *reader, const struct option *option, const char *name,
		    const char *value, size_t first_word)
{
	struct flags *flags = &reader->flags;
	const struct word *word = &reader->words->items[first_word];

	int r = try_value(flags, option, value);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return add_problem(reader, first_word, name,
				   "%s does not take the value it is given, so dockerd will not "
				   "start. It wants %s.",
				   name, find_conversion(option).wanted);

	cleanup_free char *value_copy = strdup(value);
	cleanup_free char *variable = word->variable ? strdup(word->variable) : NULL;
	struct flag *items = reallocarray(flags->items, flags->count + 1, sizeof *items);
	if (items)
		flags->items = items;
	if (!items || !value_copy || (word->variable && !variable))
		return -ENOMEM;
	items[flags->count++] = (struct flag){
		.option = option,
		.value = take_ptr(value_copy),
		.origin = word->origin,
		.variable = take_ptr(variable),
		.first_word = first_word,
		.word_count = reader->at - first_word,
		.at = reader->span_at,
		.length = reader->span_length,
	};
	return 0;
}

/* Remembers where the flag stands that the last problem is about. */
static void mark_gone(struct reader *reader, const struct option *option, size_t first_word)
{
	struct flags *flags = &reader->flags;

	flags->problems[flags->problem_count - 1].gone = (struct flag){
		.option = option,
		.origin = reader->words->items[first_word].origin,
		.first_word = first_word,
		.word_count = reader->at - first_word,
		.at = reader->span_at,
		.length = reader->span_length,
	};
}

/* Why this version does not have the flag. */
static int add_missing_flag(struct reader *reader, const struct option *option, const char *name,
			    size_t word)
{
	struct dockerver since =
		dockerver_known(option->flag_since) ? option->flag_since : option->since;
	char own[DOCKERVER_TEXT_SIZE], other[DOCKERVER_TEXT_SIZE];
	bool is_newer = dockerver_compare(reader->version, since) < 0;

	(void)dockerver_format(reader->version, own);
	if (is_newer)
		return add_problem(reader, word, name,
				   "dockerd %s does not have %s yet (it came with %s), so it will "
				   "not start. Remove the flag.",
				   own, name, dockerver_format(since, other));
	return add_problem(reader, word, name,
			   "dockerd %s no longer has %s, so it will not start. Remove the flag.",
			   own, name);
}

/* The value behind a flag that needs one: inline, or the next word. NULL when there is none. */
static const char *take_value(struct reader *reader, const struct option *option,
			      const char *inline_value)
{
	if (inline_value)
		return inline_value;
	/* pflag gives a boolean without "=" the value true and never looks at the next word. */
	if (option->type == OPTION_BOOL)
		return "true";
	return reader->at < reader->words->count ? reader->words->items[reader->at++].text : NULL;
}

static int read_value(struct reader *reader, const struct option *option, const char *name,
		      const char *inline_value, size_t first_word)
{
	const char *value = take_value(reader, option, inline_value);

	if (!option_has_flag(option, reader->version)) {
		int r = add_missing_flag(reader, option, name, first_word);
		if (r == 0)
			mark_gone(reader, option, first_word);
		return r;
	}
	if (!value)
		return add_problem(
			reader, first_word, name,
			"%s stands at the end without its value, so dockerd will not start.", name);
	return add_flag(reader, option, name, value, first_word);
}

/* pflag would stop at an unknown flag. To go on, guess whether the next word is its value: taken
 * for one, it makes no second problem. */
static void skip_unknown_value(struct reader *reader, bool has_value)
{
	if (!has_value && reader->at < reader->words->count &&
	    reader->words->items[reader->at].text[0] != '-')
		reader->at++;
}

/* "--name", as far as it looks like one: what is behind a mistyped "=" may be a secret. */
static void add_name(struct strbuf *out, const char *text, size_t length)
{
	size_t plain = 0;

	while (plain < length &&
	       (isalnum((unsigned char)text[plain]) || strchr("-_.", text[plain])))
		plain++;
	(void)strbuf_adds(out, "--");
	(void)strbuf_add(out, text, plain);
	if (plain < length)
		(void)strbuf_adds(out, "…");
}

static int read_long(struct reader *reader, const char *text, size_t word)
{
	size_t length = strcspn(text, "=");
	const char *value = text[length] ? text + length + 1 : NULL;
	cleanup_strbuf struct strbuf name = STRBUF_EMPTY;

	add_name(&name, text, length);
	if (name.failed)
		return -ENOMEM;
	if (!length || *text == '-')
		return add_problem(
			reader, word, "command line",
			"A word begins with \"--\" but is no flag, so dockerd will not start.");

	reader->span_at = 0;
	reader->span_length = strlen(text) + strlen("--");
	const struct option *option = option_by_flag(text, length, reader->version);
	if (option)
		return read_value(reader, option, name.data, value, word);
	skip_unknown_value(reader, value);
	return add_problem(
		reader, word, name.data,
		"No version of dockerd has the flag %s, so dockerd will not start. Correct "
		"or remove it.",
		name.data);
}

/* A group of shorthands: -D, -DH tcp://…, -Hunix://…, -H=…. A shorthand that takes a value takes
 * the rest of the word, or else the next one. */
static int read_shorthands(struct reader *reader, const char *text, size_t word)
{
	const char *begin = text - 1; /* the dash */

	while (*text) {
		const struct option *option = option_by_shorthand(*text);
		char name[] = {'-', *text, '\0'};
		const char *value = NULL;

		if (!option) {
			skip_unknown_value(reader, text[1]);
			return add_problem(reader, word, *text > ' ' && *text < 0x7F ? name : "-?",
					   "dockerd has no such short flag, so it will not start. "
					   "Correct or remove it.");
		}
		reader->span_at = (size_t)(text - begin);
		reader->span_length = 1;
		text++;
		if (text[0] == '=' && text[1])
			value = text + 1;
		else if (*text && option->type != OPTION_BOOL)
			value = text;
		if (value) {
			reader->span_length += strlen(text);
			text = "";
		}
		int r = read_value(reader, option, name, value, word);
		if (r < 0)
			return r;
		if (option->type != OPTION_BOOL)
			return 0;
	}
	return 0;
}

/* dockerd takes no arguments. The commonest one is a boolean's: "--icc false" reads as "--icc",
 * which is true, and an argument. */
static int read_argument(struct reader *reader, const char *text, size_t word)
{
	const struct flags *flags = &reader->flags;
	const struct flag *last = flags->count ? &flags->items[flags->count - 1] : NULL;
	bool truth;

	if (last && last->first_word + 1 == word && last->option->type == OPTION_BOOL &&
	    flag_parse_bool(text, &truth)) {
		cleanup_strbuf struct strbuf name = STRBUF_EMPTY;
		if (strbuf_addf(&name, "--%s", last->option->flag) < 0)
			return -ENOMEM;
		return add_problem(
			reader, word, name.data,
			"dockerd reads \"%s %s\" as %s=true and a stray argument, and will "
			"not start. Write %s=%s.",
			name.data, text, name.data, name.data, text);
	}
	return add_problem(reader, word, "command line",
			   "Word %zu of the command line belongs to no flag; dockerd takes no "
			   "arguments and will not start.",
			   word + 1);
}

static int read_word(struct reader *reader, bool *only_arguments)
{
	size_t word = reader->at++;
	const char *text = reader->words->items[word].text;

	if (*only_arguments || text[0] != '-' || !text[1])
		return read_argument(reader, text, word);
	if (text[1] != '-')
		return read_shorthands(reader, text + 1, word);
	if (!text[2]) {
		*only_arguments = true;
		return 0;
	}
	return read_long(reader, text + 2, word);
}

int flags_parse(const struct words *words, struct dockerver version, struct flags *ret,
		struct error *error)
{
	struct reader reader = {.words = words, .at = 1, .version = version};
	bool only_arguments = false;

	while (reader.at < words->count)
		if (read_word(&reader, &only_arguments) < 0) {
			flags_done(&reader.flags);
			return error_set_oom(error);
		}
	*ret = reader.flags;
	return 0;
}
