#include "core/dockerlog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "core/mask.h"

enum weight {
	NO_REASON,
	MAYBE,  /* a warning */
	LIKELY, /* an error */
	DEADLY, /* the last words */
};

/* What a line in dockerd's log format says. */
struct entry {
	struct strbuf level;
	struct strbuf message;
	struct strbuf error;
};

static void entry_done(struct entry *entry)
{
	strbuf_done(&entry->level);
	strbuf_done(&entry->message);
	strbuf_done(&entry->error);
}

static struct strbuf *entry_field(struct entry *entry, const char *key, size_t length)
{
	static const char *const names[] = {"level", "msg", "error"};
	struct strbuf *const fields[] = {&entry->level, &entry->message, &entry->error};

	for (size_t i = 0; i < array_size(names); i++)
		if (strlen(names[i]) == length && memcmp(names[i], key, length) == 0)
			return fields[i];
	return NULL;
}

/* ---- logfmt ---- */

static void add_code_point(struct strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		(void)strbuf_addc(out, (char)c);
	} else if (c < 0x800) {
		(void)strbuf_addc(out, (char)(0xc0 | c >> 6));
		(void)strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		(void)strbuf_addc(out, (char)(0xe0 | c >> 12));
		(void)strbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		(void)strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		(void)strbuf_addc(out, (char)(0xf0 | (c >> 18 & 0x07)));
		(void)strbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		(void)strbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		(void)strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* \xNN, \uNNNN or \UNNNNNNNN: text stands behind the letter. Returns behind the digits. */
static const char *add_numbered(struct strbuf *out, char letter, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t count = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
	uint32_t value = 0;
	size_t i = 0;

	for (; i < count && text[i]; i++) {
		const char *digit = strchr(digits, text[i] | 0x20);
		if (!digit)
			break;
		value = value << 4 | (uint32_t)(digit - digits);
	}
	/* A \x is a byte that is no text; what is cut off or NUL cannot be shown either. */
	if (i < count || letter == 'x' || value == 0 || value > 0x10ffff)
		(void)strbuf_addc(out, '?');
	else
		add_code_point(out, value);
	return text + i;
}

/* The contents of a string that Go has quoted; text stands behind the opening quote. A sentence is
 * one line. Returns behind the closing quote. A line may have been cut: then there is none. */
static const char *add_quoted(struct strbuf *out, const char *text)
{
	while (*text && *text != '"') {
		char c = *text++;
		if (c != '\\' || !*text) {
			(void)strbuf_addc(out, c);
			continue;
		}
		c = *text++;
		if (c == 'x' || c == 'u' || c == 'U')
			text = add_numbered(out, c, text);
		else if (c == '"' || c == '\\')
			(void)strbuf_addc(out, c);
		else
			(void)strbuf_addc(out, ' ');
	}
	return *text ? text + 1 : text;
}

static bool parse_logfmt(const char *line, struct entry *entry)
{
	struct strbuf ignored = STRBUF_EMPTY;

	if (!text_starts_with(line, "time=") && !text_starts_with(line, "level="))
		return false;
	while (*line) {
		size_t length = strcspn(line, "= ");
		struct strbuf *field = entry_field(entry, line, length);

		if (line[length] != '=') {
			line += length + (line[length] == ' ');
			continue;
		}
		line += length + 1;
		/* The first one of a name counts. */
		if (!field || field->length)
			field = &ignored;
		if (*line == '"') {
			line = add_quoted(field, line + 1);
		} else {
			length = strcspn(line, " ");
			(void)strbuf_add(field, line, length);
			line += length;
		}
	}
	strbuf_done(&ignored);
	return entry->level.length != 0;
}

/* ---- JSON ("log-format": "json") ---- */

static bool parse_json(const char *line, struct entry *entry)
{
	static const char *const names[] = {"level", "msg", "error"};

	if (*line != '{')
		return false;
	json_auto_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	for (size_t i = 0; i < array_size(names); i++) {
		const char *value = json_string_value(json_object_get(document, names[i]));
		if (value)
			(void)strbuf_adds(entry_field(entry, names[i], strlen(names[i])), value);
	}
	return entry->level.length != 0;
}

/* ---- one line ---- */

static enum weight weigh_level(const char *level)
{
	if (strcmp(level, "fatal") == 0 || strcmp(level, "panic") == 0)
		return DEADLY;
	if (strcmp(level, "error") == 0)
		return LIKELY;
	return text_starts_with(level, "warn") ? MAYBE : NO_REASON;
}

/* "message: error", unless the message ends with it already. */
static void add_sentence(struct strbuf *out, const struct entry *entry)
{
	const char *message = entry->message.data ? entry->message.data : "";
	const char *why = entry->error.data ? entry->error.data : "";

	(void)strbuf_adds(out, message);
	if (!*why || strstr(message, why))
		return;
	(void)strbuf_adds(out, *message ? ": " : "");
	(void)strbuf_adds(out, why);
}

/* Where dockerd stands in its output. */
struct reader {
	bool in_stacks; /* behind a panic, up to the next line in its log format */
	bool in_usage;  /* behind the error about a flag */
};

static bool begins_stacks(const char *line)
{
	return text_starts_with(line, "panic: ") || text_starts_with(line, "fatal error: ");
}

static bool begins_usage(const char *line)
{
	return text_starts_with(line, "Usage:") || text_starts_with(line, "See 'dockerd");
}

static enum weight weigh_plain(struct reader *reader, const char *line)
{
	if (begins_stacks(line)) {
		bool first = !reader->in_stacks;
		reader->in_stacks = true;
		return first ? DEADLY : NO_REASON;
	}
	if (begins_usage(line))
		reader->in_usage = true;
	return reader->in_stacks || reader->in_usage ? NO_REASON : DEADLY;
}

static char *masked(const struct strbuf *sentence)
{
	json_auto_t *plain = json_stringn_nocheck(sentence->data, sentence->length);
	json_auto_t *result = plain ? mask_json(NULL, plain) : NULL;

	return result ? strdup(json_string_value(result)) : NULL;
}

/* *ret is the sentence, NULL where there is none. */
static int read_line(struct reader *reader, const char *line, enum weight *ret_weight, char **ret)
{
	scoped(entry_done) struct entry entry = {.level = STRBUF_EMPTY};
	cleanup_strbuf struct strbuf sentence = STRBUF_EMPTY;
	enum weight weight;

	if (parse_logfmt(line, &entry) || parse_json(line, &entry)) {
		*reader = (struct reader){.in_stacks = false};
		weight = weigh_level(entry.level.data);
		add_sentence(&sentence, &entry);
	} else {
		weight = weigh_plain(reader, line);
		(void)strbuf_adds(&sentence, line);
	}
	if (entry.level.failed || entry.message.failed || entry.error.failed || sentence.failed)
		return -ENOMEM;
	while (sentence.length && strchr(" \t\r\n", sentence.data[sentence.length - 1]))
		sentence.data[--sentence.length] = '\0';

	*ret_weight = weight;
	*ret = NULL;
	if (weight == NO_REASON || !sentence.length)
		return 0;
	*ret = masked(&sentence);
	return *ret ? 0 : -ENOMEM;
}

/* ---- all of them ---- */

struct reasons {
	struct strlist sentences;
	enum weight *weights; /* of the sentences; room for one a line */
	bool *chosen;
};

static void reasons_done(struct reasons *reasons)
{
	strlist_done(&reasons->sentences);
	free(reasons->weights);
	free(reasons->chosen);
}

static int read_lines(const struct strlist *lines, struct reasons *reasons)
{
	struct reader reader = {.in_stacks = false};

	for (size_t i = 0; i < lines->count; i++) {
		cleanup_free char *sentence = NULL;
		enum weight weight;
		int r = read_line(&reader, lines->items[i], &weight, &sentence);

		if (r < 0)
			return r;
		if (!sentence || strlist_contains(&reasons->sentences, sentence))
			continue;
		r = strlist_take(&reasons->sentences, take_ptr(sentence));
		if (r < 0)
			return r;
		reasons->weights[reasons->sentences.count - 1] = weight;
	}
	return 0;
}

/* The latest are nearest to the end. Returns how many may still be chosen. */
static size_t choose(struct reasons *reasons, enum weight weight, size_t most)
{
	for (size_t i = reasons->sentences.count; i > 0 && most > 0; i--)
		if (reasons->weights[i - 1] == weight) {
			reasons->chosen[i - 1] = true;
			most--;
		}
	return most;
}

int dockerlog_reasons(const struct strlist *lines, size_t most, struct strlist *ret,
		      struct error *error)
{
	scoped(reasons_done) struct reasons reasons = {
		.weights = calloc(lines->count + 1, sizeof *reasons.weights),
		.chosen = calloc(lines->count + 1, sizeof *reasons.chosen),
	};
	cleanup_strlist struct strlist result = {.items = NULL};

	if (!reasons.weights || !reasons.chosen || read_lines(lines, &reasons) < 0)
		return error_set_oom(error);
	size_t left = choose(&reasons, LIKELY, choose(&reasons, DEADLY, most));
	if (left == most)
		(void)choose(&reasons, MAYBE, most);
	for (size_t i = 0; i < reasons.sentences.count; i++)
		if (reasons.chosen[i] && strlist_add(&result, reasons.sentences.items[i]) < 0)
			return error_set_oom(error);
	*ret = result;
	result = (struct strlist){.items = NULL};
	return 0;
}
