#include "core/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/jsontext.h"

/* Long chains of `extends` are a mistake, and a loop is one without end. */
#define EXTENDS_MAX 8

/* The text that is being read, for positions in messages. */
struct reader {
	const char *text;
	size_t length;
	const char *path;
	struct error *error;
};

/* A name in the file and what it stands for. */
struct choice {
	const char *name;
	int value;
};

static const struct choice rule_choices[] = {
	{"value", RULE_VALUE},         {"absent", RULE_ABSENT},
	{"present", RULE_PRESENT},     {"without", RULE_WITHOUT},
	{"ulimits", RULE_ULIMITS},     {"storage-driver", RULE_STORAGE_DRIVER},
	{"tls-hosts", RULE_TLS_HOSTS}, {"file", RULE_FILE},
};

static const struct choice otherwise_choices[] = {
	{"change", OTHERWISE_CHANGE},
	{"hold", OTHERWISE_HOLD},
	{"manual", OTHERWISE_MANUAL},
};

static const struct choice need_choices[] = {
	{"br_netfilter", NEED_BR_NETFILTER},
	{"iptables", NEED_IPTABLES},
	{"no-swarm", NEED_NO_SWARM},
	{"syslog-socket", NEED_SYSLOG_SOCKET},
};

const char *const cis_benchmarks[CIS_BENCHMARKS] = {"1.1", "1.6", "1.7", "1.8"};

static int fail_at(const struct reader *reader, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at(const struct reader *reader, size_t offset, const char *format, ...)
{
	char message[sizeof reader->error->text];
	unsigned line = 0;
	unsigned column = 0;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	text_position(reader->text, reader->length, offset, &line, &column);
	return error_set_at(reader->error, -EBADMSG, "read profile", reader->path, line, column,
			    "%s", message);
}

/* The JSON value at span as jansson has it. */
static int read_json(const struct reader *reader, struct jsontext_span span, json_t **ret)
{
	/* jansson leaves it alone where it runs out of memory early. */
	json_error_t error = {.line = 0};
	json_t *value = json_loadb(reader->text + span.start, span.end - span.start,
				   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	/* The text is JSON, that has been checked: what else can be wrong with it is this. */
	if (!value && (json_error_code(&error) == json_error_duplicate_key ||
		       json_error_code(&error) == json_error_numeric_overflow))
		return fail_at(reader, span.start, "%s", error.text);
	if (!value)
		return error_set_oom(reader->error);
	json_decref(*ret);
	*ret = value;
	return 0;
}

static int read_string(const struct reader *reader, struct jsontext_span span, char **ret)
{
	char *value = NULL;

	if (reader->text[span.start] != '"')
		return fail_at(reader, span.start, "expected a string");
	int r = jsontext_decode_string(reader->text, span, &value, reader->error);
	if (r < 0)
		return r;
	free(*ret);
	*ret = value;
	return 0;
}

static int read_filled_string(const struct reader *reader, struct jsontext_span span, char **ret)
{
	int r = read_string(reader, span, ret);

	if (r == 0 && !**ret)
		return fail_at(reader, span.start, "expected a string that is not empty");
	return r;
}

static int refuse_choice(const struct reader *reader, size_t offset, const char *name,
			 const struct choice *choices, size_t count)
{
	cleanup_strbuf struct strbuf expected = STRBUF_EMPTY;

	for (size_t i = 0; i < count; i++)
		(void)strbuf_addf(&expected, "%s\"%s\"", i ? ", " : "", choices[i].name);
	if (expected.failed)
		return error_set_oom(reader->error);
	return fail_at(reader, offset, "\"%.64s\" is not known here; expected one of %s", name,
		       expected.data);
}

static int read_choice(const struct reader *reader, struct jsontext_span span,
		       const struct choice *choices, size_t count, int *ret)
{
	cleanup_free char *name = NULL;

	int r = read_string(reader, span, &name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(choices[i].name, name) == 0) {
			*ret = choices[i].value;
			return 0;
		}
	}
	return refuse_choice(reader, span.start, name, choices, count);
}

static int expect_container(const struct reader *reader, struct jsontext_span span, char bracket)
{
	if (reader->text[span.start] == bracket)
		return 0;
	return fail_at(reader, span.start, "expected %s",
		       bracket == '[' ? "an array [ … ]" : "an object { … }");
}

/* --- the members of a row ------------------------------------------------------------------ */

typedef int (*member_reader)(const struct reader *reader, struct jsontext_span span, void *target);

struct member {
	const char *name;
	member_reader read;
};

static int row_key(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->key);
}

static int row_title(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->title);
}

static int row_why(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->why);
}

static int row_risk(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->risk);
}

static int row_consequence(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->consequence);
}

static int row_rule(const struct reader *reader, struct jsontext_span span, void *target)
{
	int value = 0;
	int r = read_choice(reader, span, rule_choices, array_size(rule_choices), &value);

	if (r == 0)
		((struct profile_row *)target)->rule = (enum rule_kind)value;
	return r;
}

static int row_otherwise(const struct reader *reader, struct jsontext_span span, void *target)
{
	int value = 0;
	int r = read_choice(reader, span, otherwise_choices, array_size(otherwise_choices), &value);

	if (r == 0)
		((struct profile_row *)target)->otherwise = (enum otherwise)value;
	return r;
}

static int row_wanted(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_json(reader, span, &((struct profile_row *)target)->wanted);
}

static int row_complies(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_row *row = target;

	if (jsontext_string_equals(reader->text, span, "non-empty")) {
		json_decref(row->complies);
		row->complies = NULL;
		row->non_empty_complies = true;
		return 0;
	}
	if (reader->text[span.start] != '[')
		return fail_at(reader, span.start,
			       "expected an array of values, or the word \"non-empty\"");
	row->non_empty_complies = false;
	return read_json(reader, span, &row->complies);
}

static int row_refuses(const struct reader *reader, struct jsontext_span span, void *target)
{
	int r = expect_container(reader, span, '[');

	return r < 0 ? r : read_json(reader, span, &((struct profile_row *)target)->refuses);
}

static int find_benchmark(const struct reader *reader, struct jsontext_span key, size_t *ret)
{
	for (size_t i = 0; i < CIS_BENCHMARKS; i++) {
		if (jsontext_string_equals(reader->text, key, cis_benchmarks[i])) {
			*ret = i;
			return 0;
		}
	}
	return fail_at(
		reader, key.start,
		"expected a version of the CIS benchmark: \"1.1\", \"1.6\", \"1.7\" or \"1.8\"");
}

/* The numbers replace those of an extended profile as a whole. */
static int row_cis(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_row *row = target;
	struct jsontext_member member;
	size_t cursor = 0;
	size_t index = 0;

	int r = expect_container(reader, span, '{');
	for (size_t i = 0; r == 0 && i < CIS_BENCHMARKS; i++) {
		free(row->cis[i]);
		row->cis[i] = NULL;
	}
	while (r == 0 &&
	       jsontext_next_member(reader->text, reader->length, span.start, &cursor, &member)) {
		r = find_benchmark(reader, member.key, &index);
		if (r == 0 && reader->text[member.value.start] != '"')
			r = fail_at(reader, member.value.start,
				    "expected the control's number as a string, such as \"2.10\"");
		if (r == 0)
			r = read_string(reader, member.value, &row->cis[index]);
	}
	row->has_cis = true;
	return r;
}

static int row_level(const struct reader *reader, struct jsontext_span span, void *target)
{
	size_t length = span.end - span.start;
	char digit = reader->text[span.start];

	if (length != 1 || digit < '0' || digit > '2')
		return fail_at(reader, span.start, "expected the CIS level: 1 or 2, or 0 for none");
	((struct profile_row *)target)->level = digit - '0';
	return 0;
}

static int row_needs(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_row *row = target;
	struct jsontext_span element;
	size_t cursor = 0;
	unsigned needs = 0;

	int r = expect_container(reader, span, '[');
	while (r == 0 &&
	       jsontext_next_element(reader->text, reader->length, span.start, &cursor, &element)) {
		int need = 0;
		r = read_choice(reader, element, need_choices, array_size(need_choices), &need);
		needs |= (unsigned)need;
	}
	if (r == 0)
		row->needs = needs;
	return r;
}

static int row_role(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_row *)target)->role);
}

static int row_owner(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_row *row = target;
	int r = read_filled_string(reader, span, &row->owner);

	if (r == 0 && !strchr(row->owner, ':'))
		return fail_at(reader, span.start, "expected \"user:group\"");
	return r;
}

static int row_mode(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_row *row = target;
	cleanup_free char *octal = NULL;

	int r = read_string(reader, span, &octal);
	if (r < 0)
		return r;
	size_t length = strlen(octal);
	if (length < 3 || length > 4 || strspn(octal, "01234567") != length)
		return fail_at(reader, span.start,
			       "expected an octal mode as a string, such as \"0644\"");
	row->mode = (mode_t)strtoul(octal, NULL, 8);
	return 0;
}

static const struct member row_members[] = {
	{"key", row_key},
	{"title", row_title},
	{"why", row_why},
	{"risk", row_risk},
	{"rule", row_rule},
	{"wanted", row_wanted},
	{"complies", row_complies},
	{"refuses", row_refuses},
	{"cis", row_cis},
	{"level", row_level},
	{"needs", row_needs},
	{"otherwise", row_otherwise},
	{"consequence", row_consequence},
	{"role", row_role},
	{"owner", row_owner},
	{"mode", row_mode},
};

static int unknown_member(const struct reader *reader, struct jsontext_span key,
			  const struct member *members, size_t count)
{
	cleanup_free char *name = NULL;
	struct text_nearest nearest = TEXT_NEAREST_NONE;

	int r = jsontext_decode_string(reader->text, key, &name, reader->error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		text_nearest_offer(&nearest, name, members[i].name);
	return fail_at(reader, key.start, "a profile has no member \"%.64s\" here%s%s%s", name,
		       nearest.name ? "; did you mean \"" : "", nearest.name ? nearest.name : "",
		       nearest.name ? "\"?" : "");
}

/* Reads the members of the object at span through a table; each may stand there once. */
static int read_object(const struct reader *reader, struct jsontext_span span,
		       const struct member *members, size_t count, void *target)
{
	struct jsontext_member found;
	size_t cursor = 0;
	unsigned seen = 0;

	int r = expect_container(reader, span, '{');
	while (r == 0 &&
	       jsontext_next_member(reader->text, reader->length, span.start, &cursor, &found)) {
		size_t i = 0;
		while (i < count &&
		       !jsontext_string_equals(reader->text, found.key, members[i].name))
			i++;
		if (i == count)
			return unknown_member(reader, found.key, members, count);
		if (seen & 1U << i)
			return fail_at(reader, found.key.start, "\"%s\" is given twice",
				       members[i].name);
		seen |= 1U << i;
		r = members[i].read(reader, found.value, target);
	}
	return r;
}

/* --- rows ---------------------------------------------------------------------------------- */

static void row_done(struct profile_row *row)
{
	free(row->key);
	free(row->title);
	free(row->why);
	free(row->risk);
	free(row->consequence);
	free(row->role);
	free(row->owner);
	json_decref(row->wanted);
	json_decref(row->complies);
	json_decref(row->refuses);
	for (size_t i = 0; i < CIS_BENCHMARKS; i++)
		free(row->cis[i]);
	*row = (struct profile_row){.key = NULL};
}

static const char *row_gap(const struct profile_row *row)
{
	if (!row->title)
		return "title";
	if (!row->why)
		return "why";
	if (!row->has_cis)
		return "cis";
	if (row->rule == RULE_FILE && (!row->role || !row->owner || !row->mode))
		return "role, owner and mode";
	if ((row->rule == RULE_VALUE || row->rule == RULE_ULIMITS ||
	     row->rule == RULE_STORAGE_DRIVER) &&
	    json_is_null(row->wanted))
		return "wanted";
	if (row->rule == RULE_WITHOUT && !row->refuses)
		return "refuses";
	if (row->otherwise == OTHERWISE_HOLD && !row->consequence)
		return "consequence";
	return NULL;
}

static int check_row(const struct reader *reader, size_t offset, const struct profile_row *row)
{
	const char *gap = row_gap(row);

	if (gap)
		return fail_at(reader, offset, "the row of \"%s\" has no \"%s\"", row->key, gap);
	if (row->rule == RULE_ULIMITS && !json_is_object(row->wanted))
		return fail_at(
			reader, offset,
			"the row of \"%s\" wants ulimits: expected an object of entries such as "
			"{\"nofile\": {\"Name\": \"nofile\", \"Hard\": 64000, \"Soft\": 64000}}",
			row->key);
	if (row->rule == RULE_STORAGE_DRIVER && !json_is_string(row->wanted))
		return fail_at(reader, offset,
			       "expected the name of a storage driver as \"wanted\"");
	return 0;
}

static struct profile_row *find_row(struct profile *profile, const char *key)
{
	for (size_t i = 0; i < profile->row_count; i++)
		if (strcmp(profile->rows[i].key, key) == 0)
			return &profile->rows[i];
	return NULL;
}

const struct profile_row *profile_find(const struct profile *profile, const char *key)
{
	return find_row((struct profile *)profile, key);
}

static struct profile_row *add_row(struct profile *profile)
{
	struct profile_row *rows =
		reallocarray(profile->rows, profile->row_count + 1, sizeof *profile->rows);

	if (!rows)
		return NULL;
	profile->rows = rows;
	rows[profile->row_count] = (struct profile_row){.wanted = json_null()};
	return &rows[profile->row_count++];
}

/* The key has to be known before the row's other members: they may change an inherited row. */
static int find_key(const struct reader *reader, struct jsontext_span span, char **ret)
{
	struct jsontext_member member;
	size_t cursor = 0;

	while (jsontext_next_member(reader->text, reader->length, span.start, &cursor, &member))
		if (jsontext_string_equals(reader->text, member.key, "key"))
			return read_filled_string(reader, member.value, ret);
	return fail_at(reader, span.start, "the row has no \"key\"");
}

/* inherited: how many rows came from the extended profile; only those may be changed. */
static int read_row(const struct reader *reader, struct jsontext_span span, struct profile *profile,
		    size_t inherited)
{
	cleanup_free char *key = NULL;

	int r = expect_container(reader, span, '{');
	if (r == 0)
		r = find_key(reader, span, &key);
	if (r < 0)
		return r;

	struct profile_row *row = find_row(profile, key);
	if (row && row >= profile->rows + inherited)
		return fail_at(reader, span.start, "there are two rows for \"%s\"", key);
	if (!row)
		row = add_row(profile);
	if (!row)
		return error_set_oom(reader->error);
	r = read_object(reader, span, row_members, array_size(row_members), row);
	return r < 0 ? r : check_row(reader, span.start, row);
}

/* --- waivers ------------------------------------------------------------------------------- */

static int digits(const char *text, size_t count)
{
	int value = 0;

	for (size_t i = 0; i < count; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

bool profile_date_is_valid(const char *date)
{
	static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const char shape[] = "dddd-dd-dd";

	for (size_t i = 0; i < strlen(shape); i++)
		if (shape[i] == 'd' ? date[i] < '0' || date[i] > '9' : date[i] != shape[i])
			return false;
	if (date[strlen(shape)])
		return false;

	int year = digits(date, 4);
	int month = digits(date + 5, 2);
	int day = digits(date + 8, 2);
	if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1])
		return false;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month != 2 || day < 29 || leap;
}

static int skip_key(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_skip *)target)->key);
}

static int skip_reason(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct profile_skip *)target)->reason);
}

static int skip_until(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct profile_skip *skip = target;
	int r = read_string(reader, span, &skip->until);

	if (r == 0 && !profile_date_is_valid(skip->until))
		return fail_at(reader, span.start, "expected a date, such as \"2027-01-31\"");
	return r;
}

static const struct member skip_members[] = {
	{"key", skip_key},
	{"reason", skip_reason},
	{"until", skip_until},
};

static void skip_done(struct profile_skip *skip)
{
	free(skip->key);
	free(skip->reason);
	free(skip->until);
}

static int read_skip(const struct reader *reader, struct jsontext_span span,
		     struct profile *profile)
{
	struct profile_skip skip = {.key = NULL};

	int r = read_object(reader, span, skip_members, array_size(skip_members), &skip);
	if (r == 0 && (!skip.key || !skip.reason))
		r = fail_at(reader, span.start, "a waiver needs a \"key\" and a \"reason\"");
	if (r == 0 && !find_row(profile, skip.key))
		r = fail_at(reader, span.start, "the profile has no setting \"%.64s\" to skip",
			    skip.key);
	struct profile_skip *skips = NULL;
	if (r == 0) {
		skips = reallocarray(profile->skips, profile->skip_count + 1, sizeof *skips);
		r = skips ? 0 : error_set_oom(reader->error);
	}
	if (r < 0) {
		skip_done(&skip);
		return r;
	}
	profile->skips = skips;
	skips[profile->skip_count++] = skip;
	return 0;
}

static int read_omit(const struct reader *reader, struct jsontext_span span,
		     struct profile *profile)
{
	cleanup_free char *key = NULL;

	int r = read_filled_string(reader, span, &key);
	if (r < 0)
		return r;
	struct profile_row *row = find_row(profile, key);
	if (!row)
		return fail_at(reader, span.start, "the profile has no setting \"%.64s\" to omit",
			       key);
	row_done(row);
	struct profile_row *end = profile->rows + profile->row_count;
	memmove(row, row + 1, (size_t)(end - (row + 1)) * sizeof *row);
	profile->row_count--;
	return 0;
}

/* --- the document -------------------------------------------------------------------------- */

struct document {
	struct profile *profile;
	bool has_schema;
	struct jsontext_span settings; /* read after `extends`, wherever they stand */
	struct jsontext_span omit;
	struct jsontext_span skip;
};

static int document_schema(const struct reader *reader, struct jsontext_span span, void *target)
{
	struct document *document = target;

	if (span.end - span.start != 1 || reader->text[span.start] != '1')
		return fail_at(reader, span.start,
			       "this version of harden reads profiles of \"schema\": 1");
	document->has_schema = true;
	return 0;
}

static int document_name(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct document *)target)->profile->name);
}

static int document_title(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct document *)target)->profile->title);
}

static int document_extends(const struct reader *reader, struct jsontext_span span, void *target)
{
	return read_filled_string(reader, span, &((struct document *)target)->profile->extends);
}

static int document_settings(const struct reader *reader, struct jsontext_span span, void *target)
{
	((struct document *)target)->settings = span;
	return expect_container(reader, span, '[');
}

static int document_omit(const struct reader *reader, struct jsontext_span span, void *target)
{
	((struct document *)target)->omit = span;
	return expect_container(reader, span, '[');
}

static int document_skip(const struct reader *reader, struct jsontext_span span, void *target)
{
	((struct document *)target)->skip = span;
	return expect_container(reader, span, '[');
}

static const struct member document_members[] = {
	{"schema", document_schema},   {"name", document_name},         {"title", document_title},
	{"extends", document_extends}, {"settings", document_settings}, {"omit", document_omit},
	{"skip", document_skip},
};

static int parse_chain(const char *text, size_t length, const char *path, profile_loader loader,
		       void *context, unsigned depth, struct profile *ret, struct error *error);

static int inherit(const struct reader *reader, const char *name, profile_loader loader,
		   void *context, unsigned depth, struct profile *profile)
{
	cleanup_free char *text = NULL;
	cleanup_free char *path = NULL;
	cleanup_profile struct profile base = {.name = NULL};
	size_t length = 0;

	if (depth >= EXTENDS_MAX)
		return error_set(reader->error, -ELOOP, "read profile", reader->path,
				 "\"extends\" goes more than %d profiles deep; is there a loop?",
				 EXTENDS_MAX);
	int r = loader(name, context, &text, &length, &path, reader->error);
	if (r == 0)
		r = parse_chain(text, length, path, loader, context, depth + 1, &base,
				reader->error);
	if (r < 0)
		return r;
	profile->rows = take_ptr(base.rows);
	profile->row_count = base.row_count;
	profile->skips = take_ptr(base.skips);
	profile->skip_count = base.skip_count;
	base.row_count = 0;
	base.skip_count = 0;
	return 0;
}

static int read_lists(const struct reader *reader, const struct document *document,
		      struct profile *profile)
{
	struct jsontext_span element;
	size_t inherited = profile->row_count;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && document->settings.end &&
	       jsontext_next_element(reader->text, reader->length, document->settings.start,
				     &cursor, &element))
		r = read_row(reader, element, profile, inherited);
	cursor = 0;
	while (r == 0 && document->omit.end &&
	       jsontext_next_element(reader->text, reader->length, document->omit.start, &cursor,
				     &element))
		r = read_omit(reader, element, profile);
	cursor = 0;
	while (r == 0 && document->skip.end &&
	       jsontext_next_element(reader->text, reader->length, document->skip.start, &cursor,
				     &element))
		r = read_skip(reader, element, profile);
	return r;
}

static int read_document(const struct reader *reader, profile_loader loader, void *context,
			 unsigned depth, struct profile *profile)
{
	static const struct jsontext_path top = {.count = 0};
	struct document document = {.profile = profile};
	struct jsontext_member root;

	if (!jsontext_find(reader->text, reader->length, &top, &root))
		return fail_at(reader, 0, "the profile is empty");
	int r = read_object(reader, root.value, document_members, array_size(document_members),
			    &document);
	if (r < 0)
		return r;
	if (!document.has_schema)
		return fail_at(reader, root.value.start, "the profile has no \"schema\": 1");
	if (!profile->name)
		return fail_at(reader, root.value.start, "the profile has no \"name\"");
	if (!document.settings.end && !profile->extends)
		return fail_at(reader, root.value.start, "the profile has no \"settings\"");
	if (profile->extends)
		r = inherit(reader, profile->extends, loader, context, depth, profile);
	return r < 0 ? r : read_lists(reader, &document, profile);
}

static int parse_chain(const char *text, size_t length, const char *path, profile_loader loader,
		       void *context, unsigned depth, struct profile *ret, struct error *error)
{
	cleanup_profile struct profile profile = {.name = NULL};
	struct reader reader = {.text = text, .length = length, .path = path, .error = error};

	int r = jsontext_check(text, length, error);
	if (r == 0)
		r = read_document(&reader, loader, context, depth, &profile);
	if (r < 0) {
		error_name_path(error, path);
		return r;
	}
	*ret = profile;
	profile = (struct profile){.name = NULL};
	return 0;
}

int profile_parse(const char *text, size_t length, const char *path, profile_loader loader,
		  void *context, struct profile *ret, struct error *error)
{
	return parse_chain(text, length, path, loader, context, 0, ret, error);
}

void profile_done(struct profile *profile)
{
	for (size_t i = 0; i < profile->row_count; i++)
		row_done(&profile->rows[i]);
	for (size_t i = 0; i < profile->skip_count; i++)
		skip_done(&profile->skips[i]);
	free(profile->rows);
	free(profile->skips);
	free(profile->name);
	free(profile->title);
	free(profile->extends);
	*profile = (struct profile){.name = NULL};
}

const char *profile_row_cis(const struct profile_row *row, const char *benchmark)
{
	for (size_t i = 0; i < CIS_BENCHMARKS; i++)
		if (strcmp(cis_benchmarks[i], benchmark) == 0)
			return row->cis[i];
	return NULL;
}
