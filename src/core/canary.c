#include "core/canary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/builtin.h"
#include "core/tar.h"

/* The program in its image, and the first word of its report. */
#define PROGRAM "harden-canary"

/* A frame of the stream: which stream, three bytes of nothing, the length (big endian). */
#define FRAME_HEADER 8
#define FRAME_STDOUT 1
#define REPORT_MAX 4096

/* ---- before ---- */

bool canary_is_entry(const json_t *entry)
{
	return json_object_get(json_object_get(entry, "Labels"), CANARY_LABEL) != NULL;
}

int canary_image(struct strbuf *tar, struct error *error)
{
	size_t length = 0;
	const char *program = builtin_canary(&length);
	int r = tar_add_file(tar, PROGRAM, 0755, program, length, error);

	return r < 0 ? r : tar_end(tar, error);
}

int canary_container(const char *id, const char *log_driver, const char *network, char **ret,
		     struct error *error)
{
	json_auto_t *body =
		json_pack("{s:s++, s:[s], s:{s:s}, s:{}}", "Image", CANARY_NAME, ":", id, "Cmd",
			  "/" PROGRAM, "Labels", CANARY_LABEL, id, "HostConfig");
	json_t *host = json_object_get(body, "HostConfig");
	int r = host ? 0 : -1;

	if (r == 0 && log_driver)
		r = json_object_set_new(host, "LogConfig", json_pack("{s:s}", "Type", log_driver));
	if (r == 0 && network)
		r = json_object_set_new(host, "NetworkMode", json_string(network));
	char *text = r == 0 ? json_dumps(body, JSON_COMPACT) : NULL;
	if (!text)
		return error_set_oom(error);
	*ret = text;
	return 0;
}

/* ---- the report ---- */

static size_t frame_length(const char *frame)
{
	const unsigned char *bytes = (const unsigned char *)frame + 4;

	return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* What is in the frames of standard output, as far as they are whole. */
static int join_frames(const char *stream, size_t length, struct strbuf *text)
{
	while (length >= FRAME_HEADER) {
		size_t n = frame_length(stream);
		bool output = stream[0] == FRAME_STDOUT;

		stream += FRAME_HEADER;
		length -= FRAME_HEADER;
		n = n < length ? n : length;
		if (output && text->length + n <= REPORT_MAX)
			(void)strbuf_add(text, stream, n);
		stream += n;
		length -= n;
	}
	return text->failed ? -ENOMEM : 0;
}

static enum tristate yes_or_no(const char *value)
{
	return strcmp(value, "0") == 0 ? NO : YES;
}

/* "64000:64000", where -1 is no limit. */
static int read_limit(json_t *limits, const char *name, const char *value)
{
	char *end = NULL;
	json_int_t soft = (json_int_t)strtoull(value, &end, 10);

	if (end == value || *end != ':')
		return 0;
	json_int_t hard = (json_int_t)strtoull(end + 1, NULL, 10);
	json_t *limit = json_pack("{s:s, s:I, s:I}", "Name", name, "Hard", hard, "Soft", soft);
	return json_object_set_new(limits, name, limit);
}

/* One word of the report, "name=value". What is not known is passed over. */
static int read_word(char *word, struct canary_facts *facts, json_t *limits)
{
	char *value = strchr(word, '=');

	/* Others are no words of the canary's, and JSON cannot hold them. */
	if (!value || !utf8_is_valid(word, strlen(word), NULL))
		return 0;
	*value++ = '\0';
	if (strcmp(word, "no_new_privs") == 0) {
		facts->no_new_privileges = yes_or_no(value);
	} else if (strcmp(word, "seccomp") == 0) {
		facts->seccomp = yes_or_no(value);
	} else if (strcmp(word, "uid_map") == 0 && !facts->uid_map) {
		facts->uid_map = strdup(value);
		return facts->uid_map ? 0 : -ENOMEM;
	} else {
		return read_limit(limits, word, value);
	}
	return 0;
}

/* Of all limits those that the daemon meant to give. */
static json_t *given_limits(const json_t *inspected, const json_t *limits)
{
	const json_t *host = json_object_get(inspected, "HostConfig");
	const json_t *ulimits = json_object_get(host, "Ulimits");
	json_t *given = json_is_object(host) ? json_object() : NULL;

	for (size_t i = 0; given && i < json_array_size(ulimits); i++) {
		const json_t *entry = json_array_get(ulimits, i);
		const char *name = json_string_value(json_object_get(entry, "Name"));
		json_t *limit = name ? json_object_get(limits, name) : NULL;

		if (limit)
			(void)json_object_set(given, name, limit);
	}
	return given;
}

int canary_read(const char *stream, size_t length, const json_t *inspected,
		struct canary_facts *ret, struct error *error)
{
	cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
	scoped(canary_facts_done) struct canary_facts facts = CANARY_FACTS_EMPTY;
	json_auto_t *limits = json_object();
	char *rest = NULL;

	int r = limits ? join_frames(stream, length, &text) : -ENOMEM;
	char *word = r == 0 && text.data ? strtok_r(text.data, " \n", &rest) : NULL;
	if (word && strcmp(word, PROGRAM) == 0) {
		while (r == 0 && (word = strtok_r(NULL, " \n", &rest)))
			r = read_word(word, &facts, limits);
		if (json_object_size(limits))
			facts.limits = given_limits(inspected, limits);
	}
	if (r < 0)
		return error_set_oom(error);
	*ret = facts;
	facts = CANARY_FACTS_EMPTY;
	return 0;
}

void canary_facts_done(struct canary_facts *facts)
{
	json_decref(facts->limits);
	free(facts->uid_map);
	*facts = CANARY_FACTS_EMPTY;
}

int canary_facts_copy(const struct canary_facts *from, struct canary_facts *to, struct error *error)
{
	char *uid_map = from->uid_map ? strdup(from->uid_map) : NULL;

	if (from->uid_map && !uid_map)
		return error_set_oom(error);
	canary_facts_done(to);
	*to = *from;
	to->uid_map = uid_map;
	(void)json_incref(to->limits);
	return 0;
}

static json_t *tristate_json(enum tristate value)
{
	return value == UNKNOWN ? json_null() : json_boolean(value == YES);
}

json_t *canary_facts_json(const struct canary_facts *facts)
{
	json_t *limits = facts->limits ? json_incref(facts->limits) : json_null();

	return json_pack("{s:o, s:o, s:o, s:o}", "limits", limits, "no_new_privileges",
			 tristate_json(facts->no_new_privileges), "seccomp",
			 tristate_json(facts->seccomp), "uid_map",
			 facts->uid_map ? json_string(facts->uid_map) : json_null());
}

/* ---- failures ---- */

const char *canary_blame(const char *words)
{
	/* The first that is found: what runc says of a limit stands behind what it says of its
	 * own. */
	static const struct {
		const char *words;
		const char *key;
	} causes[] = {
		{"setting rlimit", "default-ulimits"},
		{"ulimit", "default-ulimits"},
		{"log opt", "log-opts"},
		{"log-opt", "log-opts"},
		{"logging driver", "log-driver"},
		{"log driver", "log-driver"},
		{"seccomp", "seccomp-profile"},
		{"lchown", "userns-remap"},
		{"uid_map", "userns-remap"},
		{"gid_map", "userns-remap"},
		{"userns", "userns-remap"},
		{"user namespace", "userns-remap"},
		{"unknown or invalid runtime", "default-runtime"},
		{"unknown runtime", "default-runtime"},
		{"runtime name", "default-runtime"},
		{"runtime not", "default-runtime"},
		{"shim binary", "default-runtime"},
		{"unable to retrieve OCI runtime error", "default-runtime"},
		{"cgroup-parent", "cgroup-parent"},
		{"cgroup parent", "cgroup-parent"},
		{"no-new-privileges", "no-new-privileges"},
	};

	for (size_t i = 0; i < array_size(causes); i++)
		if (strcasestr(words, causes[i].words))
			return causes[i].key;
	return NULL;
}

bool canary_is_excused(const char *words)
{
	static const char *const causes[] = {
		"no space left",          "disk quota exceeded",
		"read-only file system",  "no available IPv4 addresses",
		"no available addresses", "no available IP",
	};

	for (size_t i = 0; i < array_size(causes); i++)
		if (strcasestr(words, causes[i]))
			return true;
	return false;
}
